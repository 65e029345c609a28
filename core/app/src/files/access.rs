//! Who may read a file: an administrator, who sent it, or who may read a record that holds it.
//!
//! Which records hold it is asked of their own columns, which have an index: there is no list of
//! uses beside them that could be wrong. A record in the trash still holds its file, and whoever
//! is signed in may read it there, as every other record ([`crate::access`]).

use relata_catalog::{Catalogue, FieldIndex, Kind, ObjectIndex, Value};
use relata_store::platform::StoredFile;
use relata_store::{
    Find, Lock, Transaction,
    filter::{ColumnRef, Deleted, Filter, Operand, Operator},
};
use uuid::Uuid;

use crate::{AppError, Caller, Workspace, transact::Unit};

/// Whether the caller may read the file.
pub(super) async fn may_read(
    workspace: &Workspace,
    caller: &Caller,
    file: &StoredFile,
) -> Result<bool, AppError> {
    if is_own(caller, file) {
        return Ok(true);
    }
    let unit = workspace.snapshot(caller).await?;
    is_held(unit.transaction(), unit.catalogue(), file.id).await
}

/// Whether who writes a record may put the file into it.
pub(crate) async fn may_use(unit: &Unit, file: &StoredFile) -> Result<bool, AppError> {
    if is_own(unit.caller(), file) {
        return Ok(true);
    }
    is_held(unit.transaction(), unit.catalogue(), file.id).await
}

fn is_own(caller: &Caller, file: &StoredFile) -> bool {
    caller.is_admin
        || file.actor == caller.actor.to_string()
        || (file.user.is_some() && file.user == caller.user.as_ref().map(|user| user.id))
}

/// Whether any record holds the file.
async fn is_held(
    transaction: &Transaction,
    catalogue: &Catalogue,
    file: Uuid,
) -> Result<bool, AppError> {
    for (object, described) in catalogue.objects.iter().enumerate() {
        let holds: Vec<Filter> = (0..described.fields.len())
            .map(FieldIndex)
            .filter(|field| matches!(described.field(*field).kind, Kind::File { .. }))
            .map(|field| Filter::Compare {
                column: ColumnRef::Field { field, part: 0 },
                operator: Operator::Eq,
                operand: Operand::Value(Value::Reference(file)),
            })
            .collect();
        if holds.is_empty() {
            continue;
        }
        let find = Find {
            deleted: Deleted::Include,
            limit: Some(1),
            lock: Lock::None,
            ..Find::new(ObjectIndex(object), Filter::Or(holds))
        };
        if !transaction.find(catalogue, &find).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
