//! Documents that are named by their SHA-256 instead of being sent.
//!
//! Two kinds. *Registered* ones are in the database: a front-end's build registers what it will
//! send. *Automatic* ones (Apollo's form) are kept in memory when a client sends text and hash
//! together; who names one that this process does not know is told so, and sends the text.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use relata_app::{
    AppError, Workspace,
    documents::{DocumentHash, document_find, hash_of},
};
use relata_catalog::Issue;

use crate::{GraphqlRequest, errors::GraphqlError, records::Stop};

/// Which documents the records endpoint carries out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DocumentsAllowed {
    /// All that are valid.
    #[default]
    Any,
    /// Those alone that an administrator has registered.
    Registered,
}

/// How long this process goes on with a registered document that another one has removed.
const REGISTERED_FOR: Duration = Duration::from_secs(60);

/// What is known of documents.
pub(crate) struct Persisted {
    workspace: Workspace,
    allowed: DocumentsAllowed,
    automatic: Cache<DocumentHash, Arc<str>>,
    registered: Cache<DocumentHash, Arc<str>>,
}

/// The document of a request.
pub(crate) struct Named<'r> {
    pub(crate) hash: DocumentHash,
    pub(crate) text: Text<'r>,
    /// The client wants it to be known by its hash from now on.
    pub(crate) remember: bool,
}

/// The text of a document.
pub(crate) enum Text<'r> {
    Sent(&'r str),
    Known(Arc<str>),
}

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Sent(text) => text,
            Self::Known(text) => text,
        }
    }
}

impl Persisted {
    /// Keeps at most so many bytes of documents.
    pub(crate) fn new(workspace: Workspace, allowed: DocumentsAllowed, bytes_max: u64) -> Self {
        let cache = || {
            Cache::builder()
                .max_capacity(bytes_max / 2)
                .weigher(|_, text: &Arc<str>| u32::try_from(text.len() + 100).unwrap_or(u32::MAX))
        };
        Self {
            workspace,
            allowed,
            automatic: cache().build(),
            registered: cache().time_to_live(REGISTERED_FOR).build(),
        }
    }

    /// The document that a request sends or names.
    pub(crate) async fn find<'r>(&self, request: &'r GraphqlRequest) -> Result<Named<'r>, Stop> {
        Ok(match (&request.query, request.document) {
            (Some(text), document) => {
                let hash = hash_of(text);
                if document.is_some_and(|document| document != hash) {
                    return Err(refuse(GraphqlError::new(
                        "BAD_INPUT",
                        "the SHA-256 is not that of the document that came with it",
                    )));
                }
                if self.allowed == DocumentsAllowed::Registered
                    && self
                        .registered(&hash)
                        .await
                        .map_err(Stop::Failed)?
                        .is_none()
                {
                    return Err(refuse(GraphqlError::new(
                        "FORBIDDEN",
                        "only registered documents are carried out here (setting documents); `relata documents register` registers them",
                    )));
                }
                Named {
                    hash,
                    text: Text::Sent(text),
                    remember: document.is_some() && self.allowed == DocumentsAllowed::Any,
                }
            }
            (None, Some(hash)) => {
                // Where only registered documents are carried out, no others are known.
                let known = match self.known(&hash) {
                    Some(known) => Some(known),
                    None => self.registered(&hash).await.map_err(Stop::Failed)?,
                };
                let Some(text) = known else {
                    return Err(refuse(not_found()));
                };
                Named {
                    hash,
                    text: Text::Known(text),
                    remember: false,
                }
            }
            (None, None) => {
                return Err(refuse(GraphqlError::new(
                    "BAD_INPUT",
                    "a request sends a document, or names one",
                )));
            }
        })
    }

    /// Keeps the text of a document that was found valid.
    pub(crate) fn remember(&self, named: &Named<'_>) {
        // Asked for by `get`, because what is used stays longer.
        if named.remember && self.automatic.get(&named.hash).is_none() {
            self.automatic.insert(named.hash, Arc::from(&*named.text));
        }
    }

    /// The text, where it needs no look at the database.
    pub(crate) fn known(&self, hash: &DocumentHash) -> Option<Arc<str>> {
        let registered = self.registered.get(hash);
        match self.allowed {
            DocumentsAllowed::Any => registered.or_else(|| self.automatic.get(hash)),
            DocumentsAllowed::Registered => registered,
        }
    }

    /// Registered documents have changed here: they are looked at again.
    pub(crate) fn forget(&self) {
        self.registered.invalidate_all();
    }

    async fn registered(&self, hash: &DocumentHash) -> Result<Option<Arc<str>>, AppError> {
        if let Some(text) = self.registered.get(hash) {
            return Ok(Some(text));
        }
        let Some(found) = document_find(&self.workspace, hash).await? else {
            return Ok(None);
        };
        let text: Arc<str> = found.text.into();
        self.registered.insert(*hash, Arc::clone(&text));
        Ok(Some(text))
    }
}

/// Clients look for exactly this message, or for the code.
fn not_found() -> GraphqlError {
    let mut error = GraphqlError::new("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound");
    error.issues.push(Issue::new(
        "PERSISTED_QUERY_NOT_FOUND",
        "no document is known here by this SHA-256: send its text with it",
    ));
    error
}

fn refuse(error: GraphqlError) -> Stop {
    Stop::Refused(vec![error])
}
