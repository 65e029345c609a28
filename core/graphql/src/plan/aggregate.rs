//! `aggregate` to measures.

use async_graphql::parser::types::SelectionSet;
use relata_catalog::{Kind, ObjectIndex};
use relata_store::{
    filter::{ColumnRef, SystemColumn},
    read::{AggregateMember, Measure, MeasureMember},
};

use super::{draft::Draft, prepare::Selected, record::typename};
use crate::schema::aggregates::aggregate_type;

impl<'v> Draft<'_, 'v> {
    /// What is measured of all records of a connection.
    pub(crate) fn aggregate(
        &mut self,
        object: ObjectIndex,
        sets: &[&'v SelectionSet],
    ) -> Vec<AggregateMember> {
        let type_name = format!("{}Aggregate", self.planner.schema.names.type_name(object));
        self.selected(sets, &type_name, &[])
            .iter()
            .map(|member| {
                self.inside(member.key, |draft| {
                    draft.aggregate_member(object, &type_name, member)
                })
            })
            .collect()
    }

    fn aggregate_member(
        &mut self,
        object: ObjectIndex,
        type_name: &str,
        member: &Selected<'v>,
    ) -> AggregateMember {
        let key = member.key.to_owned();
        let system = match member.name() {
            "count" => return AggregateMember::Count { key },
            "__typename" => return typename!(AggregateMember, key, type_name),
            "createdAt" => Some((SystemColumn::CreatedAt, "DateTimeAggregate")),
            "updatedAt" => Some((SystemColumn::UpdatedAt, "DateTimeAggregate")),
            "owner" => Some((SystemColumn::Owner, "Value_Aggregate")),
            _ => None,
        };
        if let Some((column, measured)) = system {
            return AggregateMember::Column {
                key,
                column: ColumnRef::System(column),
                members: self.measures(measured, &member.sets),
            };
        }
        let found = self
            .planner
            .catalogue
            .object(object)
            .field_named(member.name())
            .and_then(|(index, field)| {
                Some((index, field.shown(), aggregate_type(field.shown())?))
            });
        let Some((field, kind, measured)) = found else {
            // Validated against the schema of the same catalogue.
            return AggregateMember::Literal {
                key,
                json: "null".to_owned(),
            };
        };
        if matches!(kind, Kind::Money { .. }) {
            return AggregateMember::Money {
                key,
                field,
                members: self.measures_of_money(measured, &member.sets),
            };
        }
        AggregateMember::Column {
            key,
            column: ColumnRef::Field {
                field,
                part: measured_part(kind),
            },
            members: self.measures(measured, &member.sets),
        }
    }

    fn measures(&mut self, type_name: &str, sets: &[&'v SelectionSet]) -> Vec<MeasureMember> {
        self.selected(sets, type_name, &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                match measure_named(member.name()) {
                    Some(measure) => MeasureMember::Measure { key, measure },
                    None => typename!(MeasureMember, key, type_name),
                }
            })
            .collect()
    }

    fn measures_of_money(
        &mut self,
        type_name: &str,
        sets: &[&'v SelectionSet],
    ) -> Vec<MeasureMember> {
        self.selected(sets, type_name, &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                match measure_named(member.name()) {
                    Some(measure @ (Measure::Count | Measure::CountDistinct)) => {
                        MeasureMember::Measure { key, measure }
                    }
                    Some(measure) => MeasureMember::Amounts {
                        key,
                        measure,
                        members: self.part_members(
                            &member.sets,
                            "Money",
                            &[("amount", 0), ("currency", 1)],
                        ),
                    },
                    None => typename!(MeasureMember, key, type_name),
                }
            })
            .collect()
    }
}

/// The column that is there whenever the field is filled: of phones what was typed, whether or not
/// it could be read as a number; of a stage its key.
pub(crate) fn measured_part(kind: &Kind) -> usize {
    usize::from(matches!(kind, Kind::Phone | Kind::Phones | Kind::Stage))
}

/// The measure with this name.
pub(crate) fn measure_named(name: &str) -> Option<Measure> {
    Some(match name {
        "count" => Measure::Count,
        "countDistinct" => Measure::CountDistinct,
        "countTrue" => Measure::CountTrue,
        "countFalse" => Measure::CountFalse,
        "sum" => Measure::Sum,
        "avg" => Measure::Mean,
        "min" => Measure::Least,
        "max" => Measure::Greatest,
        "median" => Measure::Median,
        _ => return None,
    })
}
