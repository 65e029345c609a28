//! Conditions on measures: `having`.

use std::sync::Arc;

use relata_catalog::{FieldIndex, Issue, Kind, ObjectIndex};
use relata_store::{
    filter::{ColumnRef, Operator, SystemColumn},
    read::{GroupMeasure, Having, Measure},
};
use serde_json::json;

use crate::plan::{
    aggregate::{measure_named, measured_part},
    coercer::Coercer,
    draft::Draft,
    inputs::{Input, null_operand},
};

/// What is measured, and how its operands are read.
pub(super) struct Measured {
    column: ColumnRef,
    /// Of the ends and the sum.
    coercer: Coercer,
    /// The field, where its amounts are in currencies.
    money: Option<FieldIndex>,
}

impl Measured {
    /// The measure with this name; of money without a currency only how many there are.
    pub(super) fn plain(&self, name: &str) -> Option<GroupMeasure> {
        measure_named(name).map(|measure| GroupMeasure::Column(self.column, measure))
    }

    /// The field whose amounts are measured in one currency.
    pub(super) fn amounts(&self, name: &str) -> Option<(FieldIndex, Measure)> {
        self.money
            .zip(measure_named(name))
            .filter(|(_, measure)| !matches!(measure, Measure::Count | Measure::CountDistinct))
    }

    fn coercer(&self, measure: &str) -> Coercer {
        match measure_named(measure) {
            Some(Measure::Sum | Measure::Least | Measure::Greatest) => self.coercer.clone(),
            Some(Measure::Mean | Measure::Median) => match &self.coercer {
                // Lengths of time have a mean that is one.
                Coercer::Field(field) => Coercer::Field(field.clone()),
                _ => Coercer::Decimal,
            },
            _ => Coercer::Integer,
        }
    }
}

impl<'v> Draft<'_, 'v> {
    pub(super) fn having(
        &mut self,
        object: ObjectIndex,
        input: &Input<'v>,
        around: usize,
    ) -> Having {
        let max = self.planner.limits.filter_depth_max;
        if input.is_null() {
            self.issue(null_operand());
        } else if around > max {
            self.issue(
                Issue::new("TOO_DEEP", format!("conditions nest at most {max} deep"))
                    .with("max", max),
            );
        } else {
            let parts = input
                .entries(self.planner.variables)
                .into_iter()
                .map(|(name, value)| {
                    self.inside(name, |draft| {
                        draft.having_member(object, name, &value, around)
                    })
                })
                .collect();
            return Having::And(parts);
        }
        Having::And(Vec::new())
    }

    fn having_member(
        &mut self,
        object: ObjectIndex,
        name: &str,
        input: &Input<'v>,
        around: usize,
    ) -> Having {
        if input.is_null() {
            self.issue(null_operand());
            return Having::And(Vec::new());
        }
        let items = |draft: &mut Self| {
            input
                .items(draft.planner.variables)
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    draft.inside(index, |draft| draft.having(object, item, around + 1))
                })
                .collect::<Vec<_>>()
        };
        match name {
            "and" => Having::And(items(self)),
            "or" => Having::Or(items(self)),
            "not" => Having::Not(Box::new(self.having(object, input, around + 1))),
            "count" => self.measure_conditions(&GroupMeasure::Records, &Coercer::Integer, input),
            name => match self.measured(object, name) {
                Some(measured) => {
                    let parts = self
                        .required_entries(input)
                        .into_iter()
                        .map(|(name, value)| {
                            self.inside(name, |draft| {
                                draft.measured_conditions(&measured, name, &value)
                            })
                        })
                        .collect();
                    Having::And(parts)
                }
                None => Having::And(Vec::new()),
            },
        }
    }

    fn measured_conditions(
        &mut self,
        measured: &Measured,
        name: &str,
        input: &Input<'v>,
    ) -> Having {
        if let Some((field, measure)) = measured.amounts(name) {
            return self.money_conditions(field, measure, input);
        }
        match measured.plain(name) {
            Some(measure) => self.measure_conditions(&measure, &measured.coercer(name), input),
            // Checked against the schema of the same catalogue.
            None => Having::And(Vec::new()),
        }
    }

    /// Conditions on the amounts in one currency.
    fn money_conditions(
        &mut self,
        field: FieldIndex,
        measure: Measure,
        input: &Input<'v>,
    ) -> Having {
        let entries = self.required_entries(input);
        let (currency, conditions): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .partition(|(name, _)| *name == "currency");
        let Some((_, currency)) = currency.first() else {
            return Having::And(Vec::new());
        };
        if conditions.is_empty() {
            self.issue(Issue::new(
                "NO_OPERATOR",
                "a condition without an operator would hold for everything; leave it out instead",
            ));
        }
        let measure = GroupMeasure::Money {
            field,
            currency: self.currency(currency),
            measure,
        };
        self.all_conditions(&measure, &Coercer::Decimal, conditions)
    }

    /// A currency that amounts are measured in.
    pub(super) fn currency(&mut self, input: &Input<'v>) -> relata_store::filter::Operand {
        self.inside("currency", |draft| {
            draft.operand(input, Coercer::Text, false)
        })
    }

    fn measure_conditions(
        &mut self,
        measure: &GroupMeasure,
        coercer: &Coercer,
        input: &Input<'v>,
    ) -> Having {
        let entries = self.required_entries(input);
        self.all_conditions(measure, coercer, entries)
    }

    fn all_conditions(
        &mut self,
        measure: &GroupMeasure,
        coercer: &Coercer,
        entries: Vec<(&'v str, Input<'v>)>,
    ) -> Having {
        let parts = entries
            .into_iter()
            .map(|(name, value)| {
                self.inside(name, |draft| {
                    draft.measure_condition(measure, coercer, name, &value)
                })
            })
            .collect();
        Having::And(parts)
    }

    fn measure_condition(
        &mut self,
        measure: &GroupMeasure,
        coercer: &Coercer,
        name: &str,
        value: &Input<'v>,
    ) -> Having {
        if value.is_null() {
            self.issue(null_operand());
            return Having::And(Vec::new());
        }
        self.count_condition();
        let compare = |draft: &mut Self, operator, value: &Input<'v>| Having::Compare {
            measure: measure.clone(),
            operator,
            operand: draft.operand(value, coercer.clone(), false),
        };
        let operator = match name {
            "eq" => Operator::Eq,
            "ne" => Operator::Ne,
            "lt" => Operator::Lt,
            "lte" => Operator::Lte,
            "gt" => Operator::Gt,
            "gte" => Operator::Gte,
            "between" => {
                let ends = value.items(self.planner.variables);
                let [from, to] = ends.as_slice() else {
                    self.issue(Issue::new(
                        "WRONG_TYPE",
                        format!("`between` takes two values, not {}", ends.len()),
                    ));
                    return Having::And(Vec::new());
                };
                let from = self.inside(0, |draft| compare(draft, Operator::Gte, from));
                let to = self.inside(1, |draft| compare(draft, Operator::Lte, to));
                return Having::And(vec![from, to]);
            }
            _ => {
                return Having::IsNull {
                    measure: measure.clone(),
                    is_null: value.structural() != Some(json!(false)),
                };
            }
        };
        compare(self, operator, value)
    }

    /// The column that is measured under this name.
    pub(super) fn measured(&mut self, object: ObjectIndex, name: &str) -> Option<Measured> {
        let system = |column, coercer| {
            Some(Measured {
                column: ColumnRef::System(column),
                coercer,
                money: None,
            })
        };
        match name {
            "createdAt" => return system(SystemColumn::CreatedAt, Coercer::DateTime),
            "updatedAt" => return system(SystemColumn::UpdatedAt, Coercer::DateTime),
            "owner" => return system(SystemColumn::Owner, Coercer::Integer),
            _ => {}
        }
        let Some((field, found)) = self.planner.catalogue.object(object).field_named(name) else {
            self.issue(Issue::new("UNKNOWN_FIELD", format!("there is no `{name}`")));
            return None;
        };
        let coercer = match found.shown() {
            Kind::Decimal { .. } | Kind::Percent { .. } | Kind::Money { .. } => Coercer::Decimal,
            Kind::Date => Coercer::Date,
            Kind::DateTime => Coercer::DateTime,
            Kind::Time | Kind::Duration => Coercer::Field(Arc::new(found.clone())),
            _ => Coercer::Integer,
        };
        Some(Measured {
            column: ColumnRef::Field {
                field,
                part: measured_part(found.shown()),
            },
            coercer,
            money: matches!(found.shown(), Kind::Money { .. }).then_some(field),
        })
    }
}
