//! Files on their way into the workspace: plugin packages, and what an export has made.

use relata_store::{Turn, platform::Upload};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{AppError, Caller, Workspace, access::authorise_admin};

/// Most bytes of an upload.
pub const UPLOAD_BYTES_MAX: usize = 256 << 20;
/// Most bytes of a file that the platform itself makes.
const EXPORT_BYTES_MAX: usize = 320 << 20;
/// How long an upload is kept.
const KEPT_SECONDS: i64 = 7 * 24 * 3_600;
/// Most characters of a name.
const NAME_MAX: usize = 255;

/// Keeps a file for a while, and gives its id.
///
/// # Errors
/// `FORBIDDEN`, `LIMIT_EXCEEDED`.
pub async fn upload_create(
    workspace: &Workspace,
    caller: &Caller,
    name: &str,
    bytes: Vec<u8>,
) -> Result<Upload, AppError> {
    authorise_admin(caller)?;
    if bytes.len() > UPLOAD_BYTES_MAX {
        return Err(AppError::LimitExceeded(format!(
            "the file has {} bytes; at most {UPLOAD_BYTES_MAX} are taken",
            bytes.len()
        )));
    }
    keep(workspace, caller, name, bytes).await
}

/// Whether a file that the platform makes can be kept.
pub(crate) fn fits(bytes: u64) -> Result<(), AppError> {
    if bytes <= EXPORT_BYTES_MAX as u64 {
        return Ok(());
    }
    Err(AppError::LimitExceeded(format!(
        "the file would have {bytes} bytes; at most {EXPORT_BYTES_MAX} are kept: export fewer fields or records, or by the command line"
    )))
}

/// Keeps a file that the platform has made.
pub(crate) async fn keep(
    workspace: &Workspace,
    caller: &Caller,
    name: &str,
    bytes: Vec<u8>,
) -> Result<Upload, AppError> {
    fits(bytes.len() as u64)?;
    let now = crate::clock::now_micros();
    let upload = Upload {
        id: Uuid::now_v7(),
        name: name
            .chars()
            .filter(|c| !c.is_control())
            .take(NAME_MAX)
            .collect(),
        sha256: Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        bytes,
        actor: caller.actor.to_string(),
        at: now,
    };
    let transaction = workspace.database().begin(Turn::First).await?;
    transaction
        .prune_uploads(now - KEPT_SECONDS * 1_000_000)
        .await?;
    transaction.insert_upload(&upload).await?;
    transaction.commit().await?;
    Ok(upload)
}

/// A file that was uploaded.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`.
pub async fn upload_get(
    workspace: &Workspace,
    caller: &Caller,
    id: Uuid,
) -> Result<Upload, AppError> {
    authorise_admin(caller)?;
    workspace
        .database()
        .upload(id)
        .await?
        .ok_or_else(|| AppError::NotFound(format!("there is no file with the id {id}")))
}
