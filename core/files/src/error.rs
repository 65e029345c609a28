//! What can go wrong with the store.

use uuid::Uuid;

/// What can go wrong with the store. Nothing of it is the fault of who sends a file.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The place that the settings name can't be one.
    #[error("files can't be kept in {place}: {reason}")]
    Place {
        /// As it was named; it holds no secret.
        place: String,
        /// Why not.
        reason: String,
    },
    /// The store does not do what it is asked: it is away, full, or does not let us in.
    #[error("the store of files fails")]
    Store(#[source] object_store::Error),
    /// Something of the folder can't be removed.
    #[error("the store's folder fails")]
    Folder(#[source] std::io::Error),
    /// The content is not there although it should be.
    #[error("the content of the file {id} is missing")]
    Missing {
        /// The file.
        id: Uuid,
        /// What the store says.
        #[source]
        source: object_store::Error,
    },
}

impl FilesError {
    pub(crate) fn of(id: Uuid, error: object_store::Error) -> Self {
        match error {
            source @ object_store::Error::NotFound { .. } => Self::Missing { id, source },
            other => Self::Store(other),
        }
    }
}
