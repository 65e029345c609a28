//! What is checked when hooks are through, beside gates and unique keys: required fields, that
//! there are the users that fields name, and that no record gets a retired option. (Types, lengths,
//! options and JSON Schemas are checked where a value is read, a plugin's like a client's.)

use relata_catalog::{FieldIndex, Issue, Kind, Object, PathSegment, Value, newly_retired};

use super::{
    draft::{Concern, Draft},
    is_demanded,
};
use crate::transact::Unit;

/// A new record needs all required fields; a change must not empty one. (A record from before the
/// rule may be changed elsewhere without being made whole.)
pub(super) fn required(object: &Object, draft: &mut Draft) {
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

/// Who is named is a user of the workspace. (Who was one when the record was written may stay.)
pub(super) fn users(unit: &Unit, object: &Object, draft: &mut Draft) {
    for index in (0..object.fields.len()).map(FieldIndex) {
        let field = object.field(index);
        if let (Kind::User, Value::Reference(id)) = (&field.kind, draft.value(index))
            && !unit.state().directory.has_user(*id)
            && (draft.before.is_none() || draft.is_changed(index))
        {
            draft.problem(
                Concern::Data,
                Issue::new(
                    "NOT_FOUND",
                    format!("{} is the id of a user of this workspace", field.name),
                )
                .at(field.name.as_str()),
            );
        }
    }
}

/// A retired option stays where it is, and is given to nobody.
pub(super) fn options(object: &Object, draft: &mut Draft) {
    for index in (0..object.fields.len()).map(FieldIndex) {
        let field = object.field(index);
        let issues = newly_retired(&field.kind, draft.old_value(index), draft.value(index));
        draft.problems_at(&field.name, issues);
    }
}
