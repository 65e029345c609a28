//! From a row of the database to a plugin that can be called. What can't be loaded is there all
//! the same, marked as broken: a workspace opens without it, and its administrator sees why.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32},
};

use relata_host::{Grants, Package};
use relata_store::platform::Plugin as PluginRow;
use serde_json::Value as Json;

use super::{Installed, Plugins, Status};
use crate::{AppError, Workspace};

/// All plugins of the database. Those that have not changed are taken over from `before`.
pub(crate) async fn load_all(
    workspace: &Workspace,
    before: &Plugins,
) -> Result<Vec<Arc<Installed>>, AppError> {
    let mut rows = workspace.database().plugins().await?;
    rows.sort_by(|left, right| (left.installed_at, &left.id).cmp(&(right.installed_at, &right.id)));
    let mut installed = Vec::with_capacity(rows.len());
    for row in &rows {
        let known = before.get(&row.id).filter(|known| {
            known.sha256 == row.sha256
                && known.status == wanted(row)
                && known.prefix == row.prefix
                && serde_json::from_str::<Json>(&row.settings)
                    .is_ok_and(|now| now == known.settings)
                && serde_json::from_str::<Grants>(&row.grants).is_ok_and(|now| now == known.grants)
        });
        installed.push(match known {
            Some(known) => Arc::clone(known),
            None => load(workspace, row, before.get(&row.id)).await?,
        });
    }
    Ok(installed)
}

/// One plugin of the database.
pub(super) async fn load(
    workspace: &Workspace,
    row: &PluginRow,
    before: Option<&Arc<Installed>>,
) -> Result<Arc<Installed>, AppError> {
    let package =
        Package::read_within(&row.package, workspace.host().limits()).map_err(|issues| {
            tracing::error!(plugin = row.id, %issues, "the stored package can't be read");
            AppError::broken("a stored plugin package can't be read")
        })?;
    let grants: Grants =
        serde_json::from_str(&row.grants).map_err(|error| AppError::internal(&error))?;
    let settings: Json =
        serde_json::from_str(&row.settings).map_err(|error| AppError::internal(&error))?;
    let mut status = wanted(row);
    let known = before
        .filter(|known| known.sha256 == row.sha256 && known.grants == grants)
        .and_then(|known| known.component.clone());
    let component = match (known, &status) {
        (_, Status::Disabled) => None,
        (Some(known), _) => Some(known),
        (None, _) => match workspace.host().load(&package, &grants).await {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::error!(plugin = row.id, %error, "the plugin can't be loaded");
                if status == Status::Enabled {
                    status = Status::Broken(error.to_string());
                }
                None
            }
        },
    };
    Ok(Arc::new(Installed {
        id: row.id.clone(),
        sha256: row.sha256.clone(),
        prefix: row.prefix.clone(),
        status,
        grants,
        settings,
        manifest: package.manifest,
        component,
        faults: AtomicU32::new(u32::try_from(row.faults).unwrap_or_default()),
        suspending: AtomicBool::new(false),
    }))
}

fn wanted(row: &PluginRow) -> Status {
    match (&row.suspended, row.enabled) {
        (_, false) => Status::Disabled,
        (Some(reason), true) => Status::Suspended(reason.clone()),
        (None, true) => Status::Enabled,
    }
}
