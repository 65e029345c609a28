//! The one door for change of the catalogue: standard objects, a plugin's contribution, an
//! administrator's edit and an imported blueprint all come through [`carry_out`].
//!
//! One transaction holds data definition, metadata, configuration records and plugin state. It
//! waits until nobody else writes; the new state takes over after the commit, and requests in
//! flight end on the old one.

mod apply;
mod edit;
mod upsert;

pub(crate) use apply::{Confirm, PluginChange, Proposal, Wanted, carry_out, dry_run};
pub use apply::{PlanStep, PlanView};
pub use edit::{
    field_create, field_delete, field_update, object_create, object_delete, object_update,
    pipeline_create, pipeline_delete, pipeline_update, stage_create, stage_delete, stage_update,
};

use relata_catalog::{
    Blueprint, Limits, OWNER_WORKSPACE, TakenNames, resolve_document, resolve_text,
};
use serde_json::Value as Json;

use crate::{AppError, Caller, Workspace, access::authorise_admin};

/// What applying a blueprint (of the workspace's own elements) would do.
///
/// # Errors
/// `FORBIDDEN`; `BAD_INPUT` with all that is wrong with the document.
pub async fn blueprint_plan(
    workspace: &Workspace,
    caller: &Caller,
    document: &Json,
) -> Result<PlanView, AppError> {
    authorise_admin(caller)?;
    let proposal = Proposal::of(OWNER_WORKSPACE, read(workspace, document)?);
    dry_run(workspace, caller, &proposal).await
}

/// Applies a blueprint: what the workspace owns becomes exactly what the document says. With
/// `plan_id`, only if that is still the plan. Steps that lose something want to be confirmed by
/// their names.
///
/// # Errors
/// `FORBIDDEN`; `BAD_INPUT` with all that is wrong with the document, or the steps to confirm;
/// `VERSION_CONFLICT` when the catalogue has moved on.
pub async fn blueprint_apply(
    workspace: &Workspace,
    caller: &Caller,
    document: &Json,
    plan_id: Option<&str>,
    confirm: &[String],
) -> Result<PlanView, AppError> {
    authorise_admin(caller)?;
    let proposal = Proposal {
        plan_id,
        confirm: Confirm::Names(confirm),
        ..Proposal::of(OWNER_WORKSPACE, read(workspace, document)?)
    };
    carry_out(workspace, caller, &proposal).await
}

/// The workspace's own elements as a document.
///
/// # Errors
/// `FORBIDDEN`.
pub fn blueprint_export(workspace: &Workspace, caller: &Caller) -> Result<Blueprint, AppError> {
    authorise_admin(caller)?;
    Ok(relata_catalog::export(
        &workspace.state().catalogue,
        OWNER_WORKSPACE,
    ))
}

/// Resolves here as well as in the transaction, so that mistakes of form and of meaning are
/// answered together.
fn read(workspace: &Workspace, document: &Json) -> Result<Blueprint, AppError> {
    let state = workspace.state();
    let (taken, limits) = (TakenNames::default(), Limits::default());
    let (current, owner) = (&state.catalogue, OWNER_WORKSPACE);
    let read = match document {
        // A client may send the YAML text as it is.
        Json::String(text) => resolve_text(current, owner, text, &taken, &limits),
        document => resolve_document(current, owner, document, &taken, &limits),
    };
    read.map(|(blueprint, _)| blueprint)
        .map_err(AppError::bad_input_issues)
}
