//! Content on its way in: part by part, hashed and counted as it goes.

use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::error::FilesError;

/// What is gathered before it is written to a folder.
pub(crate) const PART_BYTES_OF_FOLDER: usize = 256 << 10;
/// Likewise for a bucket: at least 5 MiB, and at most 10,000 parts make a file.
pub(crate) const PART_BYTES_OF_S3: usize = 8 << 20;
/// Parts that are under way at a time, beside the one that is gathered.
const PARTS_AT_ONCE: usize = 2;

/// Content on its way in. Dropped, it leaves what [`FileStore::remove`](crate::FileStore::remove)
/// removes.
pub struct Writer {
    writer: BufWriter,
    hash: Sha256,
    size: u64,
}

/// What has been written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
}

impl Writer {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, path: Path, part_bytes: usize) -> Self {
        Self {
            writer: BufWriter::with_capacity(store, path, part_bytes)
                .with_max_concurrency(PARTS_AT_ONCE),
            hash: Sha256::new(),
            size: 0,
        }
    }

    /// Takes a piece; waits while enough is under way.
    ///
    /// # Errors
    /// [`FilesError::Store`].
    pub async fn put(&mut self, piece: Bytes) -> Result<(), FilesError> {
        self.hash.update(&piece);
        self.size += piece.len() as u64;
        self.writer.put(piece).await.map_err(FilesError::Store)
    }

    /// Bytes that it has taken.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Ends: all of it is there and durable, or nothing.
    ///
    /// # Errors
    /// [`FilesError::Store`].
    pub async fn finish(mut self) -> Result<Written, FilesError> {
        self.writer
            .shutdown()
            .await
            .map_err(|error| FilesError::Store(of_io(error)))?;
        Ok(Written {
            size: self.size,
            sha256: self
                .hash
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        })
    }

    /// Gives up, and lets the store forget the parts that it has.
    ///
    /// # Errors
    /// [`FilesError::Store`].
    pub async fn abandon(mut self) -> Result<(), FilesError> {
        self.writer.abort().await.map_err(FilesError::Store)
    }
}

/// The store's own error, where the interface has put it into one of I/O.
fn of_io(error: std::io::Error) -> object_store::Error {
    error
        .downcast::<object_store::Error>()
        .unwrap_or_else(|error| object_store::Error::Generic {
            store: "files",
            source: Box::new(error),
        })
}
