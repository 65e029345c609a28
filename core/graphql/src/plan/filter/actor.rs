//! `createdBy:` and `updatedBy:`, conditions on who acted.
//!
//! Records hold an actor as one text, its kind in front. So a kind is a prefix, and an id is
//! compared with its kind before it.

use relata_catalog::Value;
use relata_store::filter::{ColumnRef, Filter, Operand, Operator, SystemColumn};

use super::{everything, flat};
use crate::plan::{
    coercer::{ActorKind, Coercer},
    draft::Draft,
    inputs::{Input, null_operand},
};

impl<'v> Draft<'_, 'v> {
    pub(super) fn acted(&mut self, input: &Input<'v>, column: SystemColumn) -> Filter {
        let column = ColumnRef::System(column);
        let entries = self.required_entries(input);
        let mut conditions = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            conditions.push(self.inside(name, |draft| match ActorKind::with_id(name) {
                Some(kind) => draft.operators(&value, column, &Coercer::Actor(kind)),
                None => draft.actor_kind(&value, column),
            }));
        }
        flat(conditions)
    }

    fn actor_kind(&mut self, input: &Input<'v>, column: ColumnRef) -> Filter {
        let entries = self.required_entries(input);
        let mut conditions = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            if value.is_null() {
                self.inside(name, |draft| draft.issue(null_operand()));
                conditions.push(everything());
                continue;
            }
            self.count_condition();
            let kinds = value
                .items(self.planner.variables)
                .iter()
                .filter_map(Input::structural)
                .filter_map(|kind| kind.as_str().and_then(ActorKind::named))
                .map(|kind| Filter::Compare {
                    column,
                    operator: Operator::StartsWith,
                    operand: Operand::Value(Value::Text(kind.prefix().to_owned())),
                })
                .collect();
            let holds = Filter::Or(kinds);
            conditions.push(match name {
                "ne" | "notIn" => Filter::Not(Box::new(holds)),
                _ => holds,
            });
        }
        flat(conditions)
    }
}
