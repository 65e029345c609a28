//! In which order groups come.

use relata_catalog::{Issue, ObjectIndex};
use relata_store::read::{GroupKey, GroupMeasure, GroupOrder, GroupOrderBy};

use crate::plan::{draft::Draft, inputs::Input, order::direction};

impl<'v> Draft<'_, 'v> {
    pub(super) fn group_order(
        &mut self,
        object: ObjectIndex,
        input: &Input<'v>,
        by: &[GroupKey],
    ) -> Vec<GroupOrder> {
        self.terms("groups", input, |draft, item| {
            draft.group_term(object, item, by)
        })
    }

    fn group_term(
        &mut self,
        object: ObjectIndex,
        input: &Input<'v>,
        by: &[GroupKey],
    ) -> Option<GroupOrder> {
        let (name, value) = self.only_entry(input)?;
        let (by, way) = self.inside(name, |draft| match name {
            "key" => draft.ordering_key(&value, by),
            "count" => Some((GroupOrderBy::Measure(GroupMeasure::Records), value)),
            name => draft.ordering_measure(object, name, &value),
        })?;
        let (direction, nulls) = direction(way.structural().as_ref());
        Some(GroupOrder {
            by,
            direction,
            nulls,
        })
    }

    /// A measure, and which way.
    fn ordering_measure(
        &mut self,
        object: ObjectIndex,
        name: &str,
        value: &Input<'v>,
    ) -> Option<(GroupOrderBy, Input<'v>)> {
        let measured = self.measured(object, name)?;
        let (measure, way) = self.only_entry(value)?;
        let Some((field, amounts)) = measured.amounts(measure) else {
            return Some((GroupOrderBy::Measure(measured.plain(measure)?), way));
        };
        self.inside(measure, |draft| {
            let entries = draft.required_entries(&way);
            let member = |wanted| {
                entries
                    .iter()
                    .find(|(name, _)| *name == wanted)
                    .map(|(_, value)| value)
            };
            let currency = draft.currency(member("currency")?);
            let measure = GroupMeasure::Money {
                field,
                currency,
                measure: amounts,
            };
            Some((GroupOrderBy::Measure(measure), member("direction")?.clone()))
        })
    }

    /// The key that an order speaks of, by the same path.
    fn ordering_key(
        &mut self,
        input: &Input<'v>,
        by: &[GroupKey],
    ) -> Option<(GroupOrderBy, Input<'v>)> {
        let mut path = Vec::new();
        let mut at = input.clone();
        loop {
            let entries = at.entries(self.planner.variables);
            let [(name, value)] = entries.as_slice() else {
                break;
            };
            path.push((*name).to_owned());
            at = value.clone();
        }
        match by.iter().position(|known| known.path == path) {
            Some(position) => Some((GroupOrderBy::Key(position), at)),
            None => {
                self.issue(Issue::new(
                    "NOT_GROUPED",
                    format!("`{}` is not grouped by", path.join(".")),
                ));
                None
            }
        }
    }
}
