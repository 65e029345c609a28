//! What is known of files. Their content lies elsewhere, under the same ids.
//!
//! A row is there before its content ([`ARRIVING`]) and goes after it ([`LEAVING`]), so that what
//! a crash leaves is always found from here. Columns of records point at rows with a foreign key
//! that restricts: what a record holds can't be removed, whatever the program does.

use std::collections::HashSet;

use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query};
use sea_orm::{QueryOrder as _, QuerySelect as _};

use crate::database::{Backend, Database};
use crate::ddl::FILES;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// Its content is being written.
pub const ARRIVING: &str = "ARRIVING";
/// It is whole.
pub const KEPT: &str = "KEPT";
/// Its content is being removed: nobody gets it any more.
pub const LEAVING: &str = "LEAVING";

/// A file, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// UUIDv7.
    pub id: Uuid,
    /// As who sent it called it.
    pub name: String,
    /// `image/png`
    pub content_type: String,
    /// Bytes; 0 until it is [`KEPT`].
    pub size: i64,
    /// Of the content, in hexadecimal; empty until it is [`KEPT`].
    pub sha256: String,
    /// Who sent it.
    pub actor: String,
    /// The user behind the actor.
    pub user: Option<Uuid>,
    /// When it began to arrive. Microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// [`ARRIVING`], [`KEPT`] or [`LEAVING`].
    pub state: String,
}

/// A file, to whoever looks for what may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSeen {
    /// Which.
    pub id: Uuid,
    /// See [`StoredFile::state`].
    pub state: String,
    /// See [`StoredFile::at`].
    pub at: i64,
    /// When somebody who looked found that nothing holds it.
    pub unheld_since: Option<i64>,
    /// Whether a record, a job, or the parked column of a removed field holds it now.
    pub is_held: bool,
}

mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "relata_file")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub name: String,
        pub content_type: String,
        pub size: i64,
        pub sha256: String,
        pub actor: String,
        pub user_id: Option<Uuid>,
        pub at: i64,
        pub state: String,
        pub unheld_since: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl From<row::Model> for StoredFile {
    fn from(row: row::Model) -> Self {
        Self {
            id: row.id,
            name: row.name,
            content_type: row.content_type,
            size: row.size,
            sha256: row.sha256,
            actor: row.actor,
            user: row.user_id,
            at: row.at,
            state: row.state,
        }
    }
}

impl Transaction {
    /// Adds a file.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_file(&self, file: &StoredFile) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            id: ActiveValue::Set(file.id),
            name: ActiveValue::Set(file.name.clone()),
            content_type: ActiveValue::Set(file.content_type.clone()),
            size: ActiveValue::Set(file.size),
            sha256: ActiveValue::Set(file.sha256.clone()),
            actor: ActiveValue::Set(file.actor.clone()),
            user_id: ActiveValue::Set(file.user),
            at: ActiveValue::Set(file.at),
            state: ActiveValue::Set(file.state.clone()),
            unheld_since: ActiveValue::Set(None),
        };
        let result = row::Entity::insert(row)
            .exec_without_returning(&self.statements())
            .await;
        self.explained(result).await.map(|_| ())
    }

    /// Says that the content of a file is whole. False when it is not awaited any more.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keep_file(&self, id: Uuid, size: i64, sha256: &str) -> Result<bool, StoreError> {
        let change = row::ActiveModel {
            state: ActiveValue::Set(KEPT.to_owned()),
            size: ActiveValue::Set(size),
            sha256: ActiveValue::Set(sha256.to_owned()),
            ..Default::default()
        };
        let updated = row::Entity::update_many()
            .set(change)
            .filter(row::Column::Id.eq(id))
            .filter(row::Column::State.eq(ARRIVING))
            .exec(&self.statements())
            .await;
        Ok(self.explained(updated).await?.rows_affected > 0)
    }

    /// These files, as this transaction sees them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn files(&self, ids: &[Uuid]) -> Result<Vec<StoredFile>, StoreError> {
        let found = row::Entity::find()
            .filter(row::Column::Id.is_in(ids.iter().copied()))
            .all(&self.statements())
            .await;
        let rows = self.explained(found).await?;
        Ok(rows.into_iter().map(StoredFile::from).collect())
    }

    /// So many files behind one, in the order of their ids, and whether anything holds them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn files_seen(
        &self,
        after: Option<Uuid>,
        count: u64,
    ) -> Result<Vec<FileSeen>, StoreError> {
        let mut select = row::Entity::find()
            .order_by_asc(row::Column::Id)
            .limit(count);
        if let Some(after) = after {
            select = select.filter(row::Column::Id.gt(after));
        }
        let found = select.all(&self.statements()).await;
        let rows = self.explained(found).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let held = self.files_held(&ids).await?;
        Ok(rows
            .into_iter()
            .map(|row| FileSeen {
                is_held: held.contains(&row.id),
                id: row.id,
                state: row.state,
                at: row.at,
                unheld_since: row.unheld_since,
            })
            .collect())
    }

    /// Which of these something holds. The database says which columns there are that could: none
    /// is forgotten, whatever the catalogue knows of it.
    async fn files_held(&self, ids: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
        let mut held = HashSet::new();
        if ids.is_empty() {
            return Ok(held);
        }
        held.extend(self.files_of_jobs(ids).await?);
        for (table, column) in self.columns_of_files().await? {
            let column = Alias::new(column);
            let select = Query::select()
                .distinct()
                .column(column.clone())
                .from(Alias::new(table))
                .and_where(Expr::col(column).is_in(ids.iter().copied()))
                .to_owned();
            for row in self.query_all(self.backend().sea().build(&select)).await? {
                held.insert(row.try_get_by_index(0)?);
            }
        }
        Ok(held)
    }

    /// Columns that point at files, and their tables.
    async fn columns_of_files(&self) -> Result<Vec<(String, String)>, StoreError> {
        if self.backend() == Backend::Sqlite {
            return self.referring_columns(FILES).await;
        }
        let text = "SELECT t.relname::text, a.attname::text FROM pg_constraint AS c \
                    JOIN pg_class AS t ON t.oid = c.conrelid \
                    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] \
                    WHERE c.contype = 'f' AND c.confrelid = to_regclass($1)";
        self.query_all(self.statement(text, vec![FILES.into()]))
            .await?
            .iter()
            .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
            .collect()
    }

    /// Notes since when nothing has held these files; nothing where something does.
    ///
    /// # Errors
    /// What the database says.
    pub async fn note_unheld(&self, ids: &[Uuid], since: Option<i64>) -> Result<(), StoreError> {
        let change = row::ActiveModel {
            unheld_since: ActiveValue::Set(since),
            ..Default::default()
        };
        self.change_files(ids, change).await
    }

    /// Lets these files go: nobody gets them any more, and their content may be removed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn let_files_go(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        let change = row::ActiveModel {
            state: ActiveValue::Set(LEAVING.to_owned()),
            ..Default::default()
        };
        self.change_files(ids, change).await
    }

    async fn change_files(&self, ids: &[Uuid], change: row::ActiveModel) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let updated = row::Entity::update_many()
            .set(change)
            .filter(row::Column::Id.is_in(ids.iter().copied()))
            .exec(&self.statements())
            .await;
        self.explained(updated).await.map(|_| ())
    }

    /// Forgets a file that is [`LEAVING`], when its content is gone.
    ///
    /// # Errors
    /// What the database says; a record that holds it is [`StoreError::Referenced`].
    pub async fn forget_file(&self, id: Uuid) -> Result<(), StoreError> {
        let deleted = row::Entity::delete_many()
            .filter(row::Column::Id.eq(id))
            .filter(row::Column::State.eq(LEAVING))
            .exec(&self.statements())
            .await;
        self.explained(deleted).await.map(|_| ())
    }
}

impl Database {
    /// A file.
    ///
    /// # Errors
    /// What the database says.
    pub async fn file(&self, id: Uuid) -> Result<Option<StoredFile>, StoreError> {
        let row = row::Entity::find_by_id(id).one(&self.platform()).await?;
        Ok(row.map(StoredFile::from))
    }

    /// Files that are [`LEAVING`]: at most so many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn files_leaving(&self, count: u64) -> Result<Vec<Uuid>, StoreError> {
        let rows = row::Entity::find()
            // Said twice: the index holds what is not kept.
            .filter(row::Column::State.ne(KEPT))
            .filter(row::Column::State.eq(LEAVING))
            .order_by_asc(row::Column::Id)
            .limit(count)
            .all(&self.platform())
            .await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }
}
