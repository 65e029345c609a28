//! Tokens: what a program or a session shows instead of a password. Only their hashes are kept.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, QueryOrder as _};

use crate::database::Database;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// A token of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// UUIDv7.
    pub id: Uuid,
    /// Whose.
    pub user: Uuid,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the token.
    pub hash: Vec<u8>,
    /// Not valid from then on. Microseconds since 1970-01-01T00:00:00Z.
    pub expires_at: Option<i64>,
    /// Roughly.
    pub last_used_at: Option<i64>,
    /// When it was made.
    pub created_at: i64,
}

mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "relata_token")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub user_id: Uuid,
        pub name: String,
        pub hash: Vec<u8>,
        pub expires_at: Option<i64>,
        pub last_used_at: Option<i64>,
        pub created_at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl From<row::Model> for Token {
    fn from(row: row::Model) -> Self {
        Self {
            id: row.id,
            user: row.user_id,
            name: row.name,
            hash: row.hash,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            created_at: row.created_at,
        }
    }
}

impl Transaction {
    /// Adds a token.
    ///
    /// # Errors
    /// [`StoreError::Referenced`] when there is no such user.
    pub async fn insert_token(&self, token: &Token) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            id: ActiveValue::Set(token.id),
            user_id: ActiveValue::Set(token.user),
            name: ActiveValue::Set(token.name.clone()),
            hash: ActiveValue::Set(token.hash.clone()),
            expires_at: ActiveValue::Set(token.expires_at),
            last_used_at: ActiveValue::Set(token.last_used_at),
            created_at: ActiveValue::Set(token.created_at),
        };
        let result = row::Entity::insert(row)
            .exec_without_returning(&self.statements())
            .await;
        self.explained(result).await.map(|_| ())
    }

    /// Notes that tokens were used. Those that are gone are passed over.
    ///
    /// # Errors
    /// What the database says.
    pub async fn touch_tokens(&self, used: &[(Uuid, i64)]) -> Result<(), StoreError> {
        for (id, at) in used {
            let result = row::Entity::update_many()
                .col_expr(row::Column::LastUsedAt, Expr::value(*at))
                .filter(row::Column::Id.eq(*id))
                .exec(&self.statements())
                .await;
            self.explained(result).await?;
        }
        Ok(())
    }

    /// Removes a token.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_token(&self, id: Uuid) -> Result<(), StoreError> {
        let result = row::Entity::delete_by_id(id).exec(&self.statements()).await;
        match self.explained(result).await?.rows_affected {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }
}

impl Database {
    /// All tokens, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let rows = row::Entity::find()
            .order_by_asc(row::Column::CreatedAt)
            .order_by_asc(row::Column::Id)
            .all(&self.platform())
            .await?;
        Ok(rows.into_iter().map(Token::from).collect())
    }

    /// The token with this hash.
    ///
    /// # Errors
    /// What the database says.
    pub async fn token_by_hash(&self, hash: &[u8]) -> Result<Option<Token>, StoreError> {
        let row = row::Entity::find()
            .filter(row::Column::Hash.eq(hash))
            .one(&self.platform())
            .await?;
        Ok(row.map(Token::from))
    }
}
