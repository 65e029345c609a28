//! Parts of the calendar: `birthday: { month: { eq: 5 } }`.
//!
//! A part is a whole number and is compared as one. Instants are cut by the clock of the caller's
//! zone, whose table of offsets comes with the request, as it does for groups.

use async_graphql::parser::types::OperationType;
use relata_catalog::Issue;
use relata_store::{
    filter::{CalendarPart, ColumnRef, Filter},
    read::ZoneTable,
};

use super::everything;
use crate::plan::{coercer::Coercer, draft::Draft, inputs::Input};

/// The part with this name.
pub(super) fn part_named(name: &str) -> Option<CalendarPart> {
    Some(match name {
        "year" => CalendarPart::Year,
        "quarter" => CalendarPart::Quarter,
        "month" => CalendarPart::Month,
        "week" => CalendarPart::Week,
        "weekday" => CalendarPart::Weekday,
        "day" => CalendarPart::Day,
        "hour" => CalendarPart::Hour,
        _ => return None,
    })
}

impl<'v> Draft<'_, 'v> {
    /// Conditions on a part of a column of days, or of instants.
    pub(super) fn calendar(
        &mut self,
        part: CalendarPart,
        input: &Input<'v>,
        column: ColumnRef,
        are_instants: bool,
    ) -> Filter {
        if are_instants && self.planner.prepared.operation == OperationType::Mutation {
            // SQLite's writing connection has no function for the caller's zone.
            self.issue(Issue::new(
                "ONLY_IN_QUERIES",
                "a mutation does not look into instants by the calendar; ask in a query",
            ));
            return everything();
        }
        let whole = self.operators(input, column, &Coercer::Integer);
        let zone = are_instants.then(|| self.zone_table());
        of_part(whole, part, zone.as_ref())
    }
}

/// The same conditions, on a part of the column.
fn of_part(filter: Filter, part: CalendarPart, zone: Option<&ZoneTable>) -> Filter {
    match filter {
        Filter::Compare {
            column,
            operator,
            operand,
        } => Filter::Calendar {
            column,
            part,
            zone: zone.cloned().map(Box::new),
            operator,
            operand,
        },
        Filter::And(parts) => Filter::And(
            parts
                .into_iter()
                .map(|filter| of_part(filter, part, zone))
                .collect(),
        ),
        // A part is empty where the whole is.
        filter => filter,
    }
}
