//! A plugin's GraphQL queries and mutations.
//!
//! The host checks arguments and result against the manifest's schemas. What a mutation writes is
//! part of the transaction of the unit that it is called with: all of the request, or nothing. A
//! query reads on a snapshot, beside those who write.

use std::sync::Arc;

use relata_host::{CallError, FaultCause, OperationCall, OperationKind, instant_text};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    AppError, hooks,
    plugins::{Installed, Status},
    services::PluginServices,
    transact::{Link, Unit},
};

/// Calls an operation by its GraphQL name (`membership_statement`) within a transaction.
///
/// # Errors
/// `NOT_FOUND`; `BAD_INPUT` with all that is wrong with the arguments; `PLUGIN_REJECTED`,
/// `PLUGIN_FAILED`; what the plugin's writes say.
pub async fn operation_call(unit: &Unit, name: &str, arguments: Json) -> Result<Json, AppError> {
    let state = Arc::clone(unit.state());
    let (plugin, operation) = state
        .plugins
        .operations()
        .find(|(known, ..)| known == name)
        .map(|(_, plugin, operation)| (Arc::clone(plugin), operation.name.clone()))
        .ok_or_else(|| AppError::NotFound(format!("there is no operation {name}")))?;
    let component = match (&plugin.component, &plugin.status) {
        (Some(component), Status::Enabled) => component,
        _ => {
            let reason = plugin.status.reason().unwrap_or("it is not loaded");
            return Err(hooks::plugin_failed(
                &plugin,
                &format!("it does not run: {reason}"),
            ));
        }
    };
    let call = OperationCall {
        arguments,
        actor: hooks::plugin_actor(&unit.caller().actor),
        now: instant_text(unit.now()),
        locale: unit.caller().locale.clone(),
    };
    // What the operation writes counts as caused by it: hooks of those writes are nested calls.
    let link = Link {
        plugin: plugin.id.clone(),
        hook: operation.clone(),
        record: Uuid::nil(),
        object: "operation".to_owned(),
    };
    let services = PluginServices::new(unit, &plugin, Arc::from([link]));
    match component.operation(&operation, call, services).await {
        Ok(result) => {
            plugin.note_success();
            Ok(result)
        }
        Err(error) => Err(refused(unit, &plugin, error)),
    }
}

/// Calls a query, in a unit that only reads ([`Workspace::snapshot`](crate::Workspace::snapshot)).
/// Queries that are asked together share one, and so see the same.
///
/// # Errors
/// As [`operation_call`]; `BAD_INPUT` for a mutation.
pub async fn operation_query(unit: &Unit, name: &str, arguments: Json) -> Result<Json, AppError> {
    let is_query = unit
        .state()
        .plugins
        .operations()
        .any(|(known, _, operation)| known == name && operation.kind == OperationKind::Query);
    if !is_query {
        return Err(AppError::bad_input(format!(
            "{name} is no query of a plugin"
        )));
    }
    operation_call(unit, name, arguments).await
}

fn refused(unit: &Unit, plugin: &Arc<Installed>, error: CallError) -> AppError {
    match error {
        CallError::Rejected(issues) => {
            plugin.note_success();
            hooks::rejected(plugin, &unit.caller().locale, issues)
        }
        CallError::Arguments(issues) => AppError::bad_input_issues(issues),
        CallError::Aborted(source) => hooks::aborted(source),
        CallError::Fault(fault) if fault.cause == FaultCause::Capacity => {
            AppError::Unavailable(format!(
                "too many plugin calls at once; try again ({})",
                fault.detail
            ))
        }
        CallError::Fault(_) | CallError::Retry(_) => {
            hooks::note_fault(unit, plugin, &error.to_string());
            hooks::plugin_failed(plugin, &error.to_string())
        }
    }
}
