//! What is gathered while one root field becomes a read: parameters, costs, mistakes.

use relata_catalog::{Issue, Issues, PathSegment};
use relata_store::{
    filter::Operand,
    read::{Parameter, ZoneTable},
};
use serde_json::Value as Json;

use super::{
    Planner,
    coercer::Coercer,
    inputs::{Input, Slot, Template},
};

/// One root field on its way to a read.
pub(crate) struct Draft<'p, 'v> {
    pub(crate) planner: &'p Planner<'v>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) issues: Issues,
    /// Where in the response, and then in the arguments, the planner stands.
    pub(crate) path: Vec<PathSegment>,
    /// Conditions so far, of all filters of the field.
    pub(crate) conditions: usize,
    /// Whether the records that conditions are on stand outside the trash.
    pub(crate) is_live: bool,
}

impl<'p, 'v> Draft<'p, 'v> {
    pub(crate) fn new(planner: &'p Planner<'v>, key: &str) -> Self {
        Self {
            planner,
            slots: Vec::new(),
            issues: Issues::default(),
            path: vec![key.into()],
            conditions: 0,
            is_live: false,
        }
    }

    /// Collects a mistake at the place where the planner stands.
    pub(crate) fn issue(&mut self, mut issue: Issue) {
        issue.path.splice(0..0, self.path.iter().cloned());
        self.issues.push(issue);
    }

    /// Goes one step down for as long as `work` lasts.
    pub(crate) fn inside<T>(
        &mut self,
        segment: impl Into<PathSegment>,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.path.push(segment.into());
        let result = work(self);
        self.path.pop();
        result
    }

    /// Makes conditions on records that stand outside the trash, or may stand in it.
    pub(crate) fn on_records<T>(&mut self, is_live: bool, work: impl FnOnce(&mut Self) -> T) -> T {
        let around = std::mem::replace(&mut self.is_live, is_live);
        let result = work(self);
        self.is_live = around;
        result
    }

    /// The only member of an object of which one is expected.
    pub(crate) fn only_entry(&mut self, input: &Input<'v>) -> Option<(&'v str, Input<'v>)> {
        let mut entries = input.entries(self.planner.variables);
        if entries.len() != 1 {
            self.issue(Issue::new("ONE_OF", "exactly one field is expected"));
            return None;
        }
        entries.pop()
    }

    /// The table of the caller's zone: once for each read, because it is long.
    pub(crate) fn zone_table(&mut self) -> ZoneTable {
        let mut list = |coercer: Coercer| {
            let known = self.slots.iter().position(|slot| slot.is_read_by(&coercer));
            let position = known.unwrap_or_else(|| {
                let anything = Template::Known(Json::Bool(true));
                self.slots
                    .push(Slot::new(anything, coercer, true, self.path.clone()));
                self.slots.len() - 1
            });
            Operand::Parameter(position)
        };
        ZoneTable {
            starts: list(Coercer::ZoneStarts),
            offsets: list(Coercer::ZoneOffsets),
        }
    }

    /// An operand: a value where it is known, else a parameter of the read. Where it is wrong,
    /// the mistake is collected and something harmless stands in.
    pub(crate) fn operand(
        &mut self,
        input: &Input<'v>,
        coercer: Coercer,
        is_list: bool,
    ) -> Operand {
        let template = input.template(self.planner.variables);
        let slot = Slot::new(template, coercer, is_list, self.path.clone());
        if slot.is_fixed() {
            let value = slot.parameter(
                self.planner.variables,
                &self.planner.coercion(),
                &mut self.issues,
            );
            return match value {
                Some(Parameter::Value(value)) => Operand::Value(value),
                Some(Parameter::List(values)) => Operand::List(values),
                Some(Parameter::Absent) | None => Operand::List(Vec::new()),
            };
        }
        self.slots.push(slot);
        Operand::Parameter(self.slots.len() - 1)
    }
}
