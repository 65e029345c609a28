//! The platform's own nouns: users, tokens, plugins, files, documents, answers, jobs, merges,
//! duplicates. Small tables, written through transactions and read outside of them.

use sea_orm::{ConnectionTrait as _, Statement};

use crate::database::{Backend, Database};
use crate::error::StoreError;

pub mod answers;
pub mod documents;
pub mod duplicates;
pub mod files;
pub mod jobs;
pub mod merges;
pub mod plugins;
pub mod tokens;
pub mod users;

pub use answers::KeptAnswer;
pub use documents::Document;
pub use duplicates::{Distinct, DuplicateRun, DuplicateSet};
pub use files::{FileSeen, StoredFile};
pub use jobs::{Job, JobLease};
pub use merges::Merge;
pub use plugins::Plugin;
pub use tokens::Token;
pub use users::User;

impl Database {
    /// A sum over users and tokens that is another one when anything has changed of them that
    /// others are shown. None on `SQLite`, where no other process can have changed them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn people_stamp(&self) -> Result<Option<String>, StoreError> {
        // A counter would make sign-ins conflict with each other. Tokens only come and go, so
        // their number and the newest one tell.
        const STAMP: &str = "\
            SELECT (SELECT concat(count(*), ':', sum(hashtextextended(u::text, 0))) \
                    FROM relata_user AS u) \
                || '/' || (SELECT concat(count(*), ':', max(created_at)) FROM relata_token)";
        if self.backend() == Backend::Sqlite {
            return Ok(None);
        }
        let found = self
            .platform()
            .query_one_raw(Statement::from_string(self.backend().sea(), STAMP))
            .await?;
        match found {
            Some(row) => Ok(row.try_get_by_index(0)?),
            None => Ok(None),
        }
    }
}
