//! Indexes of large tables are made beside the writers, after the change that asks for them.
//!
//! Which are missing is what the database says, so nothing is kept: a process that ends in the
//! middle leaves an index to whoever looks next.

use std::collections::HashMap;
use std::time::Duration;

use relata_catalog::Object;
use relata_store::asked_for;

use crate::{AppError, workspace::Workspace};

/// How an index stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexState {
    /// It is there, and used.
    Active,
    /// It is being made.
    Building,
    /// It could not be made, and will be tried again.
    Failed(String),
}

/// Why indexes could not be made, by their physical names.
pub(crate) type Failures = std::sync::Mutex<HashMap<String, String>>;

/// After a failure.
const AGAIN_AFTER: Duration = Duration::from_secs(300);

/// Makes what is missing, until the workspace is closed.
pub(crate) async fn keep(workspace: Workspace) {
    let mut ending = workspace.ending();
    let mut revisions = workspace.subscribe_revision();
    loop {
        let built = tokio::select! {
            _ = ending.wait_for(|ending| *ending) => return,
            built = build(&workspace) => built,
        };
        let failed = match built {
            Ok(failed) => failed,
            Err(error) => {
                tracing::error!(%error, "missing indexes can't be found out");
                true
            }
        };
        let again = async {
            match failed {
                true => tokio::time::sleep(AGAIN_AFTER).await,
                false => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = ending.wait_for(|ending| *ending) => return,
            changed = revisions.changed() => if changed.is_err() { return },
            () = again => {}
        }
    }
}

/// Whether any could not be made.
async fn build(workspace: &Workspace) -> Result<bool, AppError> {
    let state = workspace.state();
    let missing = workspace
        .database()
        .missing_indexes(&state.catalogue)
        .await?;
    let mut failed = false;
    for spec in missing {
        let name = spec.name.clone();
        tracing::info!(index = name, table = spec.table, "an index is being made");
        let built = workspace.database().build_index(&spec).await;
        let mut failures = failures(workspace);
        match built {
            Ok(()) => {
                failures.remove(&name);
            }
            Err(error) => {
                tracing::error!(index = name, %error, "an index can't be made");
                failed = true;
                failures.insert(name, error.to_string());
            }
        }
    }
    Ok(failed)
}

fn failures(workspace: &Workspace) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
    workspace
        .index_failures()
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// How the indexes stand that somebody has asked for, in their order.
///
/// # Errors
/// What the database says.
pub async fn index_states(
    workspace: &Workspace,
    object: &Object,
) -> Result<Vec<IndexState>, AppError> {
    let missing = workspace.database().missing_indexes_of(object).await?;
    let failures = failures(workspace);
    Ok(object
        .indexes
        .iter()
        .map(|index| {
            let name = asked_for(object, index).map(|spec| spec.name);
            let is_missing = missing.iter().any(|spec| Some(&spec.name) == name.as_ref());
            match name.and_then(|name| failures.get(&name)) {
                _ if !is_missing => IndexState::Active,
                Some(reason) => IndexState::Failed(reason.clone()),
                None => IndexState::Building,
            }
        })
        .collect())
}
