//! Users: who may sign in.

use relata_catalog::folded;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, QueryOrder as _};

use crate::database::Database;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// UUIDv7.
    pub id: Uuid,
    /// Unique by its folded form.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// Of their password (PHC string); none where they sign in otherwise.
    pub password_hash: Option<String>,
    /// May change the catalogue, plugins and users.
    pub is_admin: bool,
    /// Language tag.
    pub locale: Option<String>,
    /// `Area/City`.
    pub zone: Option<String>,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub created_at: i64,
}

impl std::fmt::Debug for User {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the hash: debug output ends in logs.
        formatter
            .debug_struct("User")
            .field("id", &self.id)
            .field("email", &self.email)
            .field("is_admin", &self.is_admin)
            .finish_non_exhaustive()
    }
}

mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "relata_user")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub email: String,
        pub email_folded: String,
        pub name: String,
        pub password_hash: Option<String>,
        pub is_admin: bool,
        pub locale: Option<String>,
        pub zone: Option<String>,
        pub created_at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl From<row::Model> for User {
    fn from(row: row::Model) -> Self {
        Self {
            id: row.id,
            email: row.email,
            name: row.name,
            password_hash: row.password_hash,
            is_admin: row.is_admin,
            locale: row.locale,
            zone: row.zone,
            created_at: row.created_at,
        }
    }
}

fn active(user: &User) -> row::ActiveModel {
    row::ActiveModel {
        id: ActiveValue::Set(user.id),
        email: ActiveValue::Set(user.email.clone()),
        email_folded: ActiveValue::Set(folded(&user.email)),
        name: ActiveValue::Set(user.name.clone()),
        password_hash: ActiveValue::Set(user.password_hash.clone()),
        is_admin: ActiveValue::Set(user.is_admin),
        locale: ActiveValue::Set(user.locale.clone()),
        zone: ActiveValue::Set(user.zone.clone()),
        created_at: ActiveValue::Set(user.created_at),
    }
}

/// Index over e-mail addresses, as [`StoreError::Unique`] names it.
pub const EMAIL_INDEX: &str = "relata_user_email";

impl Transaction {
    /// Adds a user.
    ///
    /// # Errors
    /// [`StoreError::Unique`] with [`EMAIL_INDEX`].
    pub async fn insert_user(&self, user: &User) -> Result<(), StoreError> {
        let result = row::Entity::insert(active(user))
            .exec_without_returning(&self.statements())
            .await;
        self.explained(result).await.map(|_| ())
    }

    /// Changes a user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unique`] with [`EMAIL_INDEX`].
    pub async fn update_user(&self, user: &User) -> Result<(), StoreError> {
        let result = row::Entity::update_many()
            .set(row::ActiveModel {
                id: ActiveValue::NotSet,
                ..active(user)
            })
            .filter(row::Column::Id.eq(user.id))
            .exec(&self.statements())
            .await;
        match self.explained(result).await?.rows_affected {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Removes a user with their tokens.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_user(&self, id: Uuid) -> Result<(), StoreError> {
        let result = row::Entity::delete_by_id(id).exec(&self.statements()).await;
        match self.explained(result).await?.rows_affected {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// A user by id, as this transaction sees them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn user(&self, id: Uuid) -> Result<Option<User>, StoreError> {
        let result = row::Entity::find_by_id(id).one(&self.statements()).await;
        Ok(self.explained(result).await?.map(User::from))
    }
}

impl Database {
    /// All users, by e-mail address.
    ///
    /// # Errors
    /// What the database says.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows = row::Entity::find()
            .order_by_asc(row::Column::EmailFolded)
            .all(&self.platform())
            .await?;
        Ok(rows.into_iter().map(User::from).collect())
    }

    /// A user by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn user(&self, id: Uuid) -> Result<Option<User>, StoreError> {
        let row = row::Entity::find_by_id(id).one(&self.platform()).await?;
        Ok(row.map(User::from))
    }

    /// A user by e-mail address, however it is written.
    ///
    /// # Errors
    /// What the database says.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let row = row::Entity::find()
            .filter(row::Column::EmailFolded.eq(folded(email)))
            .one(&self.platform())
            .await?;
        Ok(row.map(User::from))
    }
}
