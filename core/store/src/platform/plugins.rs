//! Installed plugins, each with its whole package.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, QueryOrder as _};

use crate::database::Database;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// An installed plugin.
#[derive(Clone, PartialEq, Eq)]
pub struct Plugin {
    /// `publisher.name`.
    pub id: String,
    /// Version of the package.
    pub version: String,
    /// Of the package, in hex.
    pub sha256: String,
    /// The package, as it was uploaded.
    pub package: Vec<u8>,
    /// Whether it runs.
    pub enabled: bool,
    /// Why the platform has stopped it, if it has.
    pub suspended: Option<String>,
    /// What it was granted, JSON.
    pub grants: String,
    /// Its settings, JSON.
    pub settings: String,
    /// What its names in GraphQL begin with.
    pub prefix: String,
    /// Faults in a row.
    pub faults: i64,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub installed_at: i64,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Plugin")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("enabled", &self.enabled)
            .field("suspended", &self.suspended)
            .finish_non_exhaustive()
    }
}

mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "relata_plugin")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub version: String,
        pub sha256: String,
        pub package: Vec<u8>,
        pub enabled: bool,
        pub suspended: Option<String>,
        pub grants: String,
        pub settings: String,
        pub prefix: String,
        pub faults: i64,
        pub installed_at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl From<row::Model> for Plugin {
    fn from(row: row::Model) -> Self {
        Self {
            id: row.id,
            version: row.version,
            sha256: row.sha256,
            package: row.package,
            enabled: row.enabled,
            suspended: row.suspended,
            grants: row.grants,
            settings: row.settings,
            prefix: row.prefix,
            faults: row.faults,
            installed_at: row.installed_at,
        }
    }
}

fn active(plugin: &Plugin) -> row::ActiveModel {
    row::ActiveModel {
        id: ActiveValue::Set(plugin.id.clone()),
        version: ActiveValue::Set(plugin.version.clone()),
        sha256: ActiveValue::Set(plugin.sha256.clone()),
        package: ActiveValue::Set(plugin.package.clone()),
        enabled: ActiveValue::Set(plugin.enabled),
        suspended: ActiveValue::Set(plugin.suspended.clone()),
        grants: ActiveValue::Set(plugin.grants.clone()),
        settings: ActiveValue::Set(plugin.settings.clone()),
        prefix: ActiveValue::Set(plugin.prefix.clone()),
        faults: ActiveValue::Set(plugin.faults),
        installed_at: ActiveValue::Set(plugin.installed_at),
    }
}

/// Index over prefixes, as [`StoreError::Unique`] names it.
pub const PREFIX_INDEX: &str = "relata_plugin_prefix";

impl Transaction {
    /// Adds a plugin.
    ///
    /// # Errors
    /// [`StoreError::Unique`]: the id is there already, or the prefix ([`PREFIX_INDEX`]).
    pub async fn insert_plugin(&self, plugin: &Plugin) -> Result<(), StoreError> {
        let result = row::Entity::insert(active(plugin))
            .exec_without_returning(&self.statements())
            .await;
        self.explained(result).await.map(|_| ())
    }

    /// Changes a plugin, package and all.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn update_plugin(&self, plugin: &Plugin) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            id: ActiveValue::NotSet,
            ..active(plugin)
        };
        self.set_plugin(&plugin.id, row).await
    }

    /// Changes whether a plugin runs: `suspended` is the platform's reason to stop it, `faults`
    /// those in a row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_plugin_state(
        &self,
        id: &str,
        enabled: bool,
        suspended: Option<&str>,
        faults: i64,
    ) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            enabled: ActiveValue::Set(enabled),
            suspended: ActiveValue::Set(suspended.map(str::to_owned)),
            faults: ActiveValue::Set(faults),
            ..Default::default()
        };
        self.set_plugin(id, row).await
    }

    async fn set_plugin(&self, id: &str, row: row::ActiveModel) -> Result<(), StoreError> {
        let result = row::Entity::update_many()
            .set(row)
            .filter(row::Column::Id.eq(id))
            .exec(&self.statements())
            .await;
        match self.explained(result).await?.rows_affected {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Removes a plugin.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_plugin(&self, id: &str) -> Result<(), StoreError> {
        let result = row::Entity::delete_by_id(id.to_owned())
            .exec(&self.statements())
            .await;
        match self.explained(result).await?.rows_affected {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// All plugins by id, as this transaction sees them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn plugins(&self) -> Result<Vec<Plugin>, StoreError> {
        let result = row::Entity::find()
            .order_by_asc(row::Column::Id)
            .all(&self.statements())
            .await;
        let rows = self.explained(result).await?;
        Ok(rows.into_iter().map(Plugin::from).collect())
    }
}

impl Database {
    /// All plugins by id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn plugins(&self) -> Result<Vec<Plugin>, StoreError> {
        let rows = row::Entity::find()
            .order_by_asc(row::Column::Id)
            .all(&self.platform())
            .await?;
        Ok(rows.into_iter().map(Plugin::from).collect())
    }
}
