//! Who may do what to records. In this form: users and their tokens may do everything with
//! records, the control plane is for administrators, and a plugin may do what was granted to it.

use relata_catalog::{FieldIndex, Object};
use relata_store::log::Change;

use crate::{Actor, AppError, Caller, transact::Unit};

/// Whether the caller may make this change to records of the object, writing these fields.
///
/// # Errors
/// `FORBIDDEN`, naming for a plugin the capability that it lacks.
pub(crate) fn authorise(
    unit: &Unit,
    object: &Object,
    change: Change,
    fields: &[FieldIndex],
) -> Result<(), AppError> {
    let _step = tracing::debug_span!("authorise", actor = %unit.caller().actor).entered();
    let Actor::Plugin(id) = &unit.caller().actor else {
        return Ok(());
    };
    let denied = |capability: String| {
        AppError::Forbidden(format!(
            "the plugin {id} lacks the capability {capability}: it was not asked for or not granted"
        ))
    };
    let name = &object.singular;
    let Some(plugin) = unit.state().plugins.get(id) else {
        return Err(denied(format!("records.{name}")));
    };
    let Some(grant) = plugin.grants.records.get(name) else {
        return Err(denied(format!("records.{name}")));
    };
    match change {
        Change::Create if !grant.create => return Err(denied(format!("records.{name}.create"))),
        Change::Delete | Change::Restore | Change::Destroy if !grant.delete => {
            return Err(denied(format!("records.{name}.delete")));
        }
        _ => {}
    }
    for index in fields {
        let field = &object.field(*index).name;
        if !grant.write.contains(field) {
            return Err(denied(format!("records.{name}.write: {field}")));
        }
    }
    Ok(())
}

/// Whether the caller may use the control plane.
///
/// # Errors
/// `FORBIDDEN`.
pub fn authorise_admin(caller: &Caller) -> Result<(), AppError> {
    if caller.is_admin {
        Ok(())
    } else {
        Err(AppError::Forbidden(
            "only an administrator may do this".to_owned(),
        ))
    }
}
