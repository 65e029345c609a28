//! Files: what people attach to records, packages of plugins, sources of imports, what an export
//! has made. One place for all of them.
//!
//! What is known of a file stands in the database, its content in the store of files
//! (`relata-files`), and the two can't be one transaction. So the row comes first (`ARRIVING`),
//! then the content, then the word that it is whole (`KEPT`); and on the way out the word first
//! (`LEAVING`), then the content, then the row. Whatever moment a crash picks, what it leaves is
//! found by its row ([`sweep`]).
//!
//! Invariant: nobody is given a file that is not `KEPT`, and nobody one that they may not read: an
//! administrator, who sent it, or who may read a record that holds it.

mod access;
pub(crate) mod sweep;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use relata_files::{FileStore, FilesError, HEAD_BYTES, content_type};
use relata_store::Turn;
use relata_store::platform::{StoredFile, files as states};
use uuid::Uuid;

use crate::{AppError, Caller, Issue, Workspace};

pub(crate) use access::may_use;

/// Most bytes of a file that the platform itself makes.
pub(crate) const MADE_BYTES_MAX: u64 = 4 << 30;
/// Most characters of a name.
const NAME_MAX: usize = 255;
/// What is read at once of a file of the system on its way into the store.
const BLOCK_BYTES: usize = 256 << 10;

/// What is said of a file before its content comes.
#[derive(Debug, Clone, Copy)]
pub struct NewFile<'f> {
    /// What it is called.
    pub name: &'f str,
    /// What its sender says that it is.
    pub content_type: Option<&'f str>,
    /// Most bytes that are taken.
    pub bytes_max: u64,
}

/// Takes a file, piece by piece. Memory does not grow with it.
///
/// # Errors
/// `BAD_INPUT`: it is empty, or not what it is called; `LIMIT_EXCEEDED`; `UNAVAILABLE` when the
/// store does not take it; what the stream says. Nothing of it stays then.
pub async fn file_create(
    workspace: &Workspace,
    caller: &Caller,
    new: NewFile<'_>,
    content: impl Stream<Item = Result<Bytes, AppError>> + Send,
) -> Result<StoredFile, AppError> {
    let store = store(workspace)?;
    let mut content = Box::pin(content);
    let name = cleaned(new.name);
    let head = head_of(&mut content, new.bytes_max).await?;
    if head.is_empty() {
        return Err(AppError::bad_input("the file is empty"));
    }
    let content_type = content_type(&name, new.content_type, &head).map_err(|contradiction| {
        let issue = Issue::new("CONTENT_TYPE", contradiction.to_string())
            .with("claimed", contradiction.claimed.as_str())
            .with("told", contradiction.told.as_str());
        AppError::bad_input_issues(issue.at("file").into())
    })?;
    let mut file = StoredFile {
        id: Uuid::now_v7(),
        name,
        content_type,
        size: 0,
        sha256: String::new(),
        actor: caller.actor.to_string(),
        user: caller.user.as_ref().map(|user| user.id),
        at: crate::clock::now_micros(),
        state: states::ARRIVING.to_owned(),
    };
    let transaction = workspace.database().begin(Turn::First).await?;
    transaction.insert_file(&file).await?;
    transaction.commit().await?;
    match filled(workspace, store, &mut file, head, &mut content, new).await {
        Ok(()) => Ok(file),
        Err(error) => {
            forget(workspace, store, file.id).await;
            Err(error)
        }
    }
}

/// The first bytes, as many as tell what a file is: more where a piece was larger.
async fn head_of(
    content: &mut (impl Stream<Item = Result<Bytes, AppError>> + Unpin),
    bytes_max: u64,
) -> Result<Bytes, AppError> {
    let mut head = BytesMut::new();
    while head.len() < HEAD_BYTES {
        match content.try_next().await? {
            Some(piece) => head.extend_from_slice(&piece),
            None => break,
        }
        within(head.len() as u64, bytes_max)?;
    }
    Ok(head.freeze())
}

/// Writes the content, and says that it is whole.
async fn filled(
    workspace: &Workspace,
    store: &FileStore,
    file: &mut StoredFile,
    head: Bytes,
    content: &mut (impl Stream<Item = Result<Bytes, AppError>> + Unpin),
    new: NewFile<'_>,
) -> Result<(), AppError> {
    let mut writer = store.write(file.id);
    let taken = async {
        writer.put(head).await?;
        while let Some(piece) = content.try_next().await? {
            within(writer.size() + piece.len() as u64, new.bytes_max)?;
            writer.put(piece).await?;
        }
        Ok::<(), AppError>(())
    };
    if let Err(error) = taken.await {
        if let Err(error) = writer.abandon().await {
            tracing::debug!(%error, file = %file.id, "a broken upload could not be given up");
        }
        return Err(error);
    }
    let written = writer.finish().await?;
    file.size = i64::try_from(written.size).unwrap_or(i64::MAX);
    file.sha256 = written.sha256;
    let transaction = workspace.database().begin(Turn::First).await?;
    let is_awaited = transaction
        .keep_file(file.id, file.size, &file.sha256)
        .await?;
    transaction.commit().await?;
    if !is_awaited {
        // It took so long that it was taken for broken.
        return Err(AppError::Timeout(
            "the file took too long to arrive (setting retention.arriving)".to_owned(),
        ));
    }
    file.state = states::KEPT.to_owned();
    Ok(())
}

/// Removes what has arrived of a file. Where that fails, the sweep finds it.
async fn forget(workspace: &Workspace, store: &FileStore, id: Uuid) {
    let forgotten = async {
        let transaction = workspace.database().begin(Turn::First).await?;
        transaction.let_files_go(&[id]).await?;
        transaction.commit().await?;
        sweep::remove(workspace, store, id).await
    };
    if let Err(error) = forgotten.await {
        tracing::warn!(%error, file = %id, "what has arrived of a file can't be removed now");
    }
}

fn within(bytes: u64, bytes_max: u64) -> Result<(), AppError> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(AppError::LimitExceeded(format!(
        "the file has more than {bytes_max} bytes (setting upload_max)"
    )))
}

/// Keeps a file that the platform has made.
///
/// # Errors
/// `LIMIT_EXCEEDED`, `UNAVAILABLE`.
pub(crate) async fn keep(
    workspace: &Workspace,
    caller: &Caller,
    name: &str,
    content: std::fs::File,
) -> Result<StoredFile, AppError> {
    let bytes = content
        .metadata()
        .map_err(|error| AppError::internal(&error))?
        .len();
    if bytes > MADE_BYTES_MAX {
        return Err(AppError::LimitExceeded(format!(
            "the file would have {bytes} bytes; at most {MADE_BYTES_MAX} are kept: export fewer fields or records, or by the command line"
        )));
    }
    let new = NewFile {
        name,
        content_type: None,
        bytes_max: MADE_BYTES_MAX,
    };
    file_create(workspace, caller, new, read_from(content.into())).await
}

/// A file of the system as a stream, from where it stands.
pub fn read_from(file: tokio::fs::File) -> impl Stream<Item = Result<Bytes, AppError>> + Send {
    use tokio::io::AsyncReadExt as _;

    futures_util::stream::try_unfold(file, async |mut file| {
        let mut block = BytesMut::with_capacity(BLOCK_BYTES);
        let count = file
            .read_buf(&mut block)
            .await
            .map_err(|error| AppError::internal(&error))?;
        Ok((count > 0).then(|| (block.freeze(), file)))
    })
}

/// A file, to somebody who may read it. What they may not read is not there.
///
/// # Errors
/// `NOT_FOUND`.
pub async fn file_get(
    workspace: &Workspace,
    caller: &Caller,
    id: Uuid,
) -> Result<StoredFile, AppError> {
    let found = workspace.database().file(id).await?;
    if let Some(file) = found.filter(|file| file.state == states::KEPT)
        && access::may_read(workspace, caller, &file).await?
    {
        return Ok(file);
    }
    Err(absent(id))
}

pub(crate) fn absent(id: Uuid) -> AppError {
    AppError::NotFound(format!("there is no file with the id {id}"))
}

/// These bytes of a file that [`file_get`] has given.
///
/// # Errors
/// `UNAVAILABLE`; later in the stream as well.
pub async fn file_read(
    workspace: &Workspace,
    file: &StoredFile,
    range: std::ops::Range<u64>,
) -> Result<BoxStream<'static, Result<Bytes, AppError>>, AppError> {
    let content = store(workspace)?.read(file.id, range).await?;
    Ok(content.map_err(AppError::from).boxed())
}

/// A whole file in memory, for who can't take it in pieces.
///
/// # Errors
/// `NOT_FOUND`, `UNAVAILABLE`; `LIMIT_EXCEEDED` where it has more than so many bytes.
pub async fn file_bytes(
    workspace: &Workspace,
    caller: &Caller,
    id: Uuid,
    bytes_max: u64,
) -> Result<Vec<u8>, AppError> {
    let file = file_get(workspace, caller, id).await?;
    let size = u64::try_from(file.size).unwrap_or_default();
    if size > bytes_max {
        return Err(AppError::LimitExceeded(format!(
            "the file has {size} bytes; at most {bytes_max} can be read"
        )));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    let mut content = file_read(workspace, &file, 0..size).await?;
    while let Some(piece) = content.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn store(workspace: &Workspace) -> Result<&FileStore, AppError> {
    workspace.options().files.as_ref().ok_or_else(|| {
        AppError::Unavailable("no store of files is open in this process".to_owned())
    })
}

/// The last part of a path, without what is not shown or what turns letters around, so that a
/// name is what it looks like.
fn cleaned(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_seen = |character: &char| {
        !character.is_control()
            && !matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let name: String = last.chars().filter(is_seen).collect();
    // The ending says what it is: of a long name the middle goes.
    let name = name.trim();
    let count = name.chars().count();
    let name: String = if count <= NAME_MAX {
        name.to_owned()
    } else {
        const ENDING: usize = 20;
        let begins = name.chars().take(NAME_MAX - ENDING);
        begins.chain(name.chars().skip(count - ENDING)).collect()
    };
    match name.as_str() {
        "" | "." | ".." => "file".to_owned(),
        _ => name,
    }
}

impl From<FilesError> for AppError {
    fn from(error: FilesError) -> Self {
        let reference = Uuid::now_v7().simple().to_string();
        let chain = crate::error::chain(&error);
        tracing::error!(%reference, error = %chain, "the store of files fails");
        match error {
            FilesError::Missing { .. } => Self::Internal { reference },
            _ => Self::Unavailable(format!(
                "files can't be reached at the moment; the log has it under {reference}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_it_looks_like() {
        for (given, name) in [
            ("contract.pdf", "contract.pdf"),
            ("C:\\Users\\ada\\contract.pdf", "contract.pdf"),
            ("../../etc/passwd", "passwd"),
            ("a\r\nb\0.csv", "ab.csv"),
            ("gnp\u{202e}exe.pdf", "gnpexe.pdf"),
            ("合同.pdf", "合同.pdf"),
            ("", "file"),
            ("..", "file"),
            (" ", "file"),
        ] {
            assert_eq!(cleaned(given), name);
        }
        let long = format!("{}.xlsx", "公".repeat(1_000));
        let name = cleaned(&long);
        assert_eq!(name.chars().count(), NAME_MAX);
        assert!(name.ends_with(".xlsx"));
    }
}
