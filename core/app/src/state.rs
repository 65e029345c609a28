//! What a workspace is at one moment: catalogue, plugins, names. Swapped as a whole; who holds an
//! old one goes on with it.

use std::{collections::HashMap, sync::Arc};

use relata_catalog::{Catalogue, Key};
use relata_store::read;
use uuid::Uuid;

use crate::{UserInfo, plugins::Plugins};

/// What a workspace is at one revision.
#[derive(Debug, Clone)]
pub struct State {
    /// Objects, fields, pipelines.
    pub catalogue: Arc<Catalogue>,
    /// What is installed.
    pub plugins: Arc<Plugins>,
    /// Names of those who act.
    pub directory: Arc<Directory>,
    /// Of the catalogue and the plugins; a change of users alone keeps it.
    pub revision: u64,
}

/// Names of users, tokens, plugins and fields, in memory.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    pub(crate) users: HashMap<Uuid, UserInfo>,
    pub(crate) tokens: HashMap<Uuid, String>,
    pub(crate) plugins: HashMap<String, String>,
    pub(crate) fields: HashMap<(Key, Key), String>,
}

impl Directory {
    /// The user with this id.
    #[must_use]
    pub fn user(&self, id: Uuid) -> Option<&UserInfo> {
        self.users.get(&id)
    }

    /// Whether there is such a user.
    #[must_use]
    pub fn has_user(&self, id: Uuid) -> bool {
        self.users.contains_key(&id)
    }
}

impl read::Directory for Directory {
    fn user(&self, id: Uuid) -> Option<(String, String)> {
        self.users
            .get(&id)
            .map(|user| (user.name.clone(), user.email.clone()))
    }

    fn token(&self, id: Uuid) -> Option<String> {
        self.tokens.get(&id).cloned()
    }

    fn plugin(&self, id: &str) -> Option<String> {
        self.plugins.get(id).cloned()
    }

    fn field_name(&self, object: &Key, field: &Key) -> Option<String> {
        self.fields.get(&(object.clone(), field.clone())).cloned()
    }
}
