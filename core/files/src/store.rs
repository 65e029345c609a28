//! The store: a folder, or a bucket.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, RetryConfig,
};
use url::Url;
use uuid::Uuid;

use crate::error::FilesError;
use crate::writer::{PART_BYTES_OF_FOLDER, PART_BYTES_OF_S3, Writer};

/// Longest that a connection to a bucket's server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest that a bucket's server may say nothing while it answers.
const SILENCE: Duration = Duration::from_secs(20);
/// How often a request to a bucket is tried again, and for how long in all.
const RETRIES: usize = 3;
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// Where content is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder; made where it is missing.
    Folder(PathBuf),
    /// A bucket.
    S3(S3),
}

/// A bucket that speaks the protocol of S3. Who may enter is told by the environment alone
/// (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, or the role of the machine),
/// so no setting holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    /// The bucket's name.
    pub bucket: String,
    /// What stands before the id of each file; may be empty.
    pub prefix: String,
    /// Address of the server, where it is not Amazon's.
    pub endpoint: Option<Url>,
    /// Region of the bucket; without, `AWS_REGION` of the environment, or `us-east-1`.
    pub region: Option<String>,
}

impl S3 {
    /// The bucket of an address `s3://bucket/prefix`; nothing where it is none.
    #[must_use]
    pub fn at(address: &str) -> Option<Self> {
        let url = Url::parse(address).ok()?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.port().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let bucket = url
            .host_str()
            .filter(|_| url.scheme() == "s3" && is_plain)?;
        Some(Self {
            bucket: bucket.to_owned(),
            prefix: url.path().trim_matches('/').to_owned(),
            endpoint: None,
            region: None,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(formatter, "{}", folder.display()),
            Self::S3(S3 { bucket, prefix, .. }) => write!(formatter, "s3://{bucket}/{prefix}"),
        }
    }
}

/// Where the content of files lies. Cheap to clone.
#[derive(Clone)]
pub struct FileStore {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    folder: Option<PathBuf>,
    part_bytes: usize,
}

impl fmt::Debug for FileStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FileStore")
            .field("store", &self.store.to_string())
            .finish_non_exhaustive()
    }
}

impl FileStore {
    /// Opens a place. A bucket is not asked yet: it may be away for a while without a harm to who
    /// needs no file.
    ///
    /// # Errors
    /// [`FilesError::Place`]: a folder that can't be made, or settings that name no bucket.
    pub fn open(place: &Place) -> Result<Self, FilesError> {
        let wrong = |reason: &dyn fmt::Display| FilesError::Place {
            place: place.to_string(),
            reason: reason.to_string(),
        };
        match place {
            Place::Folder(folder) => {
                std::fs::create_dir_all(folder).map_err(|error| wrong(&error))?;
                let store = LocalFileSystem::new_with_prefix(folder)
                    .map_err(|error| wrong(&error))?
                    .with_fsync(true);
                Ok(Self {
                    store: Arc::new(store),
                    prefix: Path::default(),
                    folder: Some(folder.clone()),
                    part_bytes: PART_BYTES_OF_FOLDER,
                })
            }
            Place::S3(s3) => {
                let prefix = Path::parse(&s3.prefix).map_err(|error| wrong(&error))?;
                let store = bucket(s3).build().map_err(|error| wrong(&error))?;
                Ok(Self {
                    store: Arc::new(store),
                    prefix,
                    folder: None,
                    part_bytes: PART_BYTES_OF_S3,
                })
            }
        }
    }

    fn path(&self, id: Uuid) -> Path {
        self.prefix.clone().join(id.to_string())
    }

    /// Begins to write the content of a file.
    #[must_use]
    pub fn write(&self, id: Uuid) -> Writer {
        Writer::new(Arc::clone(&self.store), self.path(id), self.part_bytes)
    }

    /// These bytes of a file's content, in pieces.
    ///
    /// # Errors
    /// [`FilesError::Missing`], [`FilesError::Store`]; later in the stream as well.
    pub async fn read(
        &self,
        id: Uuid,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, FilesError>>, FilesError> {
        if range.is_empty() {
            return Ok(futures_util::stream::empty().boxed());
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let found = self
            .store
            .get_opts(&self.path(id), options)
            .await
            .map_err(|error| FilesError::of(id, error))?;
        let pieces = found.into_stream();
        Ok(pieces
            .map(move |piece| piece.map_err(|error| FilesError::of(id, error)))
            .boxed())
    }

    /// Removes the content of a file, and what a broken upload may have left of it. What is not
    /// there is no error: this is done again after a crash.
    ///
    /// # Errors
    /// [`FilesError::Store`], [`FilesError::Folder`].
    pub async fn remove(&self, id: Uuid) -> Result<(), FilesError> {
        match self.store.delete(&self.path(id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(FilesError::Store(error)),
        }
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        // What the crate calls a file until it is whole. It does not list or remove those itself,
        // and a process that was killed could not.
        let unfinished = folder.join(format!("{id}#1"));
        match tokio::fs::remove_file(unfinished).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(FilesError::Folder(error))
            }
            _ => Ok(()),
        }
    }
}

fn bucket(s3: &S3) -> AmazonS3Builder {
    // No limit for the whole of an answer: who takes a large file slowly takes it all the same.
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(SILENCE)
        .with_timeout_disabled();
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_TIMEOUT,
        ..RetryConfig::default()
    };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&s3.bucket)
        .with_retry(retry)
        .with_client_options(client);
    if let Some(endpoint) = &s3.endpoint {
        builder = builder
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_allow_http(endpoint.scheme() == "http");
    }
    if let Some(region) = &s3.region {
        builder = builder.with_region(region);
    }
    builder
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures_util::TryStreamExt as _;

    use super::*;

    async fn read(store: &FileStore, id: Uuid, range: Range<u64>) -> Vec<u8> {
        let pieces: Vec<Bytes> = store
            .read(id, range)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        pieces.concat()
    }

    #[tokio::test]
    async fn a_folder_gives_back_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(&Place::Folder(folder.path().join("files"))).unwrap();
        // Smaller than a part, and larger than several.
        for size in [0_usize, 1, 1_000, 3 * PART_BYTES_OF_FOLDER + 17] {
            let id = Uuid::from_u128(size as u128 + 1);
            let content: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let mut writer = store.write(id);
            for piece in content.chunks(7_001) {
                writer.put(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            let written = writer.finish().await.unwrap();
            assert_eq!(written.size, size as u64);
            assert_eq!(read(&store, id, 0..size as u64).await, content);
            if size > 10 {
                assert_eq!(read(&store, id, 3..9).await, content[3..9]);
            }
            store.remove(id).await.unwrap();
            store.remove(id).await.unwrap();
            if size > 0 {
                assert!(matches!(
                    store.read(id, 0..1).await,
                    Err(FilesError::Missing { .. })
                ));
            }
        }
        let left = std::fs::read_dir(folder.path().join("files")).unwrap();
        assert_eq!(left.count(), 0);
    }

    /// As a killed process leaves it: nobody has finished or given up.
    #[tokio::test]
    async fn what_a_broken_upload_leaves_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(&Place::Folder(folder.path().to_owned())).unwrap();
        let id = Uuid::from_u128(7);
        let mut writer = store.write(id);
        let large = Bytes::from(vec![1; 2 * PART_BYTES_OF_FOLDER]);
        writer.put(large).await.unwrap();
        std::mem::forget(writer);
        let count = || std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(count(), 1);
        store.remove(id).await.unwrap();
        assert_eq!(count(), 0);
    }

    #[test]
    fn a_bucket_is_read_from_its_address() {
        let s3 = S3::at("s3://crm-files/a/b/").unwrap();
        assert_eq!((&*s3.bucket, &*s3.prefix), ("crm-files", "a/b"));
        assert_eq!(S3::at("s3://crm-files").unwrap().prefix, "");
        for wrong in [
            "s3://",
            "s3:///x",
            "http://x/y",
            "s3://me:secret@x/y",
            "/files",
        ] {
            assert_eq!(S3::at(wrong), None, "{wrong}");
        }
    }
}
