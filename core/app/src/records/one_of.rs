//! Alternatives: of several relations one at most is filled.

use relata_catalog::{FieldIndex, Issue, Object, OneOf, Value};

use super::{Draft, draft::Concern};

/// Whoever points a record at something of another object need not say that it no longer points
/// at what it did: where one of the alternatives is newly filled, the others are emptied.
pub(super) fn settle(object: &Object, draft: &mut Draft) {
    for one_of in &object.one_of {
        let filled = filled(object, one_of, draft);
        let new: Vec<FieldIndex> = filled
            .iter()
            .copied()
            .filter(|field| draft.is_changed(*field))
            .collect();
        if let [only] = new.as_slice() {
            for field in filled {
                if field != *only {
                    draft.values[field.0] = Value::Null;
                }
            }
        }
    }
}

/// Notes in a draft where several are filled, or none of which one must be.
pub(super) fn check(object: &Object, draft: &mut Draft) {
    for one_of in &object.one_of {
        let filled = filled(object, one_of, draft);
        let names = || {
            let names = relations(object, one_of).map(|field| object.field(field).name.as_str());
            names.collect::<Vec<_>>().join(", ")
        };
        match filled.as_slice() {
            [] if one_of.required => {
                let issue = Issue::new("REQUIRED", format!("one of {} is required", names()));
                draft.problem(Concern::Data, issue.at(one_of.name.as_str()));
            }
            [_, rest @ ..] => {
                for field in rest {
                    let issue =
                        Issue::new("ONE_OF", format!("only one of {} can be filled", names()));
                    let issue = issue.at(object.field(*field).name.as_str());
                    draft.problem(Concern::Data, issue);
                }
            }
            [] => {}
        }
    }
}

fn relations<'o>(
    object: &'o Object,
    one_of: &'o OneOf,
) -> impl Iterator<Item = FieldIndex> + use<'o> {
    one_of
        .relations
        .iter()
        .filter_map(|key| Some(object.field_keyed(key)?.0))
}

fn filled(object: &Object, one_of: &OneOf, draft: &Draft) -> Vec<FieldIndex> {
    relations(object, one_of)
        .filter(|field| *draft.value(*field) != Value::Null)
        .collect()
}
