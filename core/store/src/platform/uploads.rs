//! Uploads: files on their way into the workspace (plugin packages).

use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;

use crate::database::Database;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// An uploaded file.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    /// UUIDv7.
    pub id: Uuid,
    /// As the client called it.
    pub name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// In hex.
    pub sha256: String,
    /// Who uploaded it.
    pub actor: String,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Upload")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "relata_upload")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub name: String,
        pub bytes: Vec<u8>,
        pub sha256: String,
        pub actor: String,
        pub at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl From<row::Model> for Upload {
    fn from(row: row::Model) -> Self {
        Self {
            id: row.id,
            name: row.name,
            bytes: row.bytes,
            sha256: row.sha256,
            actor: row.actor,
            at: row.at,
        }
    }
}

impl Transaction {
    /// Keeps a file.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_upload(&self, upload: &Upload) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            id: ActiveValue::Set(upload.id),
            name: ActiveValue::Set(upload.name.clone()),
            bytes: ActiveValue::Set(upload.bytes.clone()),
            sha256: ActiveValue::Set(upload.sha256.clone()),
            actor: ActiveValue::Set(upload.actor.clone()),
            at: ActiveValue::Set(upload.at),
        };
        let result = row::Entity::insert(row)
            .exec_without_returning(&self.statements())
            .await;
        self.explained(result).await.map(|_| ())
    }

    /// Removes files that were uploaded before an instant, and that no job refers to.
    ///
    /// # Errors
    /// What the database says.
    pub async fn prune_uploads(&self, before: i64) -> Result<u64, StoreError> {
        let result = row::Entity::delete_many()
            .filter(row::Column::At.lt(before))
            .filter(row::Column::Id.not_in_subquery(super::jobs::files()))
            .exec(&self.statements())
            .await;
        Ok(self.explained(result).await?.rows_affected)
    }
}

impl Database {
    /// A file.
    ///
    /// # Errors
    /// What the database says.
    pub async fn upload(&self, id: Uuid) -> Result<Option<Upload>, StoreError> {
        let row = row::Entity::find_by_id(id).one(&self.platform()).await?;
        Ok(row.map(Upload::from))
    }
}
