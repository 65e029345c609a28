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
    people: Arc<People>,
    plugins: HashMap<String, String>,
    fields: HashMap<(Key, Key), String>,
}

/// Users and tokens. They have no revision, so they are loaded and swapped apart from what has.
#[derive(Debug, Default)]
pub(crate) struct People {
    pub(crate) users: HashMap<Uuid, UserInfo>,
    pub(crate) tokens: HashMap<Uuid, String>,
    /// What the database said of them just before they were read: when it says something else,
    /// another process has changed them.
    pub(crate) stamp: Option<String>,
}

impl Directory {
    /// The people, and the names of a revision. A field that is gone keeps its last name in the
    /// history, as far as `before` knows it.
    pub(crate) fn new(
        people: Arc<People>,
        catalogue: &Catalogue,
        plugins: &Plugins,
        before: &Self,
    ) -> Self {
        let mut fields = before.fields.clone();
        for object in &catalogue.objects {
            for field in &object.fields {
                fields.insert((object.key.clone(), field.key.clone()), field.name.clone());
            }
        }
        Self {
            people,
            plugins: plugins
                .iter()
                .map(|plugin| (plugin.id.clone(), plugin.manifest.name.clone()))
                .collect(),
            fields,
        }
    }

    /// The same names with other people.
    pub(crate) fn with_people(&self, people: Arc<People>) -> Self {
        Self {
            people,
            ..self.clone()
        }
    }

    pub(crate) fn people(&self) -> &Arc<People> {
        &self.people
    }

    /// The user with this e-mail address or id.
    pub(crate) fn owner_named(&self, text: &str) -> Option<Uuid> {
        if let Ok(id) = Uuid::try_parse(text) {
            return self.has_user(id).then_some(id);
        }
        let wanted = relata_catalog::folded(text);
        self.users()
            .find(|user| relata_catalog::folded(&user.email) == wanted)
            .map(|user| user.id)
    }

    /// All users, in no order.
    pub(crate) fn users(&self) -> impl Iterator<Item = &UserInfo> {
        self.people.users.values()
    }

    /// The user with this id.
    #[must_use]
    pub fn user(&self, id: Uuid) -> Option<&UserInfo> {
        self.people.users.get(&id)
    }

    /// Whether there is such a user.
    #[must_use]
    pub fn has_user(&self, id: Uuid) -> bool {
        self.people.users.contains_key(&id)
    }
}

impl read::Directory for Directory {
    fn user(&self, id: Uuid) -> Option<(String, String)> {
        self.people
            .users
            .get(&id)
            .map(|user| (user.name.clone(), user.email.clone()))
    }

    fn token(&self, id: Uuid) -> Option<String> {
        self.people.tokens.get(&id).cloned()
    }

    fn plugin(&self, id: &str) -> Option<String> {
        self.plugins.get(id).cloned()
    }

    fn field_name(&self, object: &Key, field: &Key) -> Option<String> {
        self.fields.get(&(object.clone(), field.clone())).cloned()
    }
}
