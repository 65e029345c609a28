//! What can go wrong with an index: always our matter, never the person's who searches.

/// The index can't be read or written. It can be made again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The engine says so.
    #[error("the index of search failed")]
    Engine(#[from] tantivy::TantivyError),
    /// The folder can't be read or written.
    #[error("the folder of the index can't be used")]
    Folder(#[from] std::io::Error),
    /// Another process has every folder that there may be.
    #[error("{0} processes have an index in this folder already")]
    Crowded(usize),
}

impl From<tantivy::directory::error::OpenDirectoryError> for SearchError {
    fn from(error: tantivy::directory::error::OpenDirectoryError) -> Self {
        Self::Engine(error.into())
    }
}
