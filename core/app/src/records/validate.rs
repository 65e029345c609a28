//! What is checked when hooks are through: required fields and unique keys. (Types, lengths,
//! options and JSON Schemas are checked where a value is read, a plugin's like a client's.)

use relata_catalog::{FieldIndex, Issue, Object, ObjectIndex, PathSegment};

use super::{
    draft::{Concern, Draft},
    is_demanded, uniques,
};
use crate::{AppError, transact::Unit};

/// Notes in each draft all that is wrong with it.
pub(super) async fn check(
    unit: &Unit,
    index: ObjectIndex,
    object: &Object,
    drafts: &mut [Draft],
) -> Result<(), AppError> {
    for draft in drafts.iter_mut() {
        required(object, draft);
    }
    uniques::check(unit, index, object, drafts).await
}

/// A new record needs all required fields; a change must not empty one. (A record from before the
/// rule may be changed elsewhere without being made whole.)
fn required(object: &Object, draft: &mut Draft) {
    for index in (0..object.fields.len()).map(FieldIndex) {
        let field = object.field(index);
        let touched = draft.before.is_none() || draft.is_changed(index);
        let complained = draft.problems.iter().any(|(_, issue)| {
            matches!(issue.path.first(), Some(PathSegment::Name(name)) if *name == field.name)
        });
        if is_demanded(object, index) && touched && !complained && draft.value(index).is_null() {
            draft.problem(
                Concern::Data,
                Issue::new("REQUIRED", format!("{} is required", field.name))
                    .at(field.name.as_str()),
            );
        }
    }
}
