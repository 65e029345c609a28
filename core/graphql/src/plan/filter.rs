//! `where:` to conditions.
//!
//! Names and types have been checked against the schema before; what is left are meanings: what
//! an operator compares, which column, and that nothing is ever compared with null.

mod actor;
mod calendar;

use std::sync::Arc;

use relata_catalog::{FieldIndex, Issue, Kind, ObjectIndex, Value, Via};
use relata_store::filter::{ColumnRef, Filter, Operand, Operator, Quantifier, SystemColumn};
use serde_json::Value as Json;

use super::{
    coercer::{Coercer, NearPart, Unit, Within},
    draft::Draft,
    inputs::{Input, null_operand},
};

/// The condition that is always true.
pub(crate) fn everything() -> Filter {
    Filter::And(Vec::new())
}

impl<'v> Draft<'_, 'v> {
    /// The conditions on records of an object. `around` counts relations and `and/or/not` that
    /// stand around it.
    pub(crate) fn filter(
        &mut self,
        object: ObjectIndex,
        input: &Input<'v>,
        around: usize,
    ) -> Filter {
        if input.is_null() {
            self.issue(null_operand());
            return everything();
        }
        let max = self.planner.limits.filter_depth_max;
        if around > max {
            self.issue(
                Issue::new("TOO_DEEP", format!("conditions nest at most {max} deep"))
                    .with("max", max),
            );
            return everything();
        }
        let conditions = input
            .entries(self.planner.variables)
            .into_iter()
            .map(|(name, value)| {
                self.inside(name, |draft| draft.member(object, name, &value, around))
            })
            .collect::<Vec<_>>();
        flat(conditions)
    }

    fn member(
        &mut self,
        object: ObjectIndex,
        name: &str,
        input: &Input<'v>,
        around: usize,
    ) -> Filter {
        if input.is_null() {
            self.issue(null_operand());
            return everything();
        }
        match name {
            "and" => flat(self.alternatives(object, input, around)),
            "or" => Filter::Or(self.alternatives(object, input, around)),
            "not" => Filter::Not(Box::new(self.filter(object, input, around + 1))),
            "id" => self.system(input, SystemColumn::Id, &Coercer::Reference),
            "owner" => self.system(input, SystemColumn::Owner, &Coercer::Reference),
            "createdBy" => self.acted(input, SystemColumn::CreatedBy),
            "updatedBy" => self.acted(input, SystemColumn::UpdatedBy),
            "version" => self.system(input, SystemColumn::Version, &Coercer::Integer),
            "createdAt" => self.system(input, SystemColumn::CreatedAt, &Coercer::DateTime),
            "updatedAt" => self.system(input, SystemColumn::UpdatedAt, &Coercer::DateTime),
            "deletedAt" => self.system(input, SystemColumn::DeletedAt, &Coercer::DateTime),
            name => {
                let catalogue = self.planner.catalogue;
                let target = catalogue.object(object);
                if let Some((field, _)) = target.field_named(name) {
                    return self.field(object, field, input, around);
                }
                match catalogue.list_named(&target.key, name) {
                    Some(list) => self.related_many(list.object, list.via, input, around),
                    // The schema and the catalogue are of one revision.
                    None => {
                        self.issue(Issue::new("UNKNOWN_FIELD", format!("there is no `{name}`")));
                        everything()
                    }
                }
            }
        }
    }

    fn alternatives(
        &mut self,
        object: ObjectIndex,
        input: &Input<'v>,
        around: usize,
    ) -> Vec<Filter> {
        input
            .items(self.planner.variables)
            .iter()
            .enumerate()
            .map(|(index, item)| self.inside(index, |draft| draft.filter(object, item, around + 1)))
            .collect()
    }

    fn system(&mut self, input: &Input<'v>, column: SystemColumn, coercer: &Coercer) -> Filter {
        self.operators(input, ColumnRef::System(column), coercer)
    }

    fn field(
        &mut self,
        object: ObjectIndex,
        index: FieldIndex,
        input: &Input<'v>,
        around: usize,
    ) -> Filter {
        let catalogue = self.planner.catalogue;
        let field = catalogue.object(object).field(index);
        let part = |part: usize| ColumnRef::Field { field: index, part };
        match field.shown() {
            Kind::Text { .. }
            | Kind::LongText { .. }
            | Kind::RichText { .. }
            | Kind::Email
            | Kind::Url => self.operators(input, part(0), &Coercer::Text),
            Kind::Integer { .. } | Kind::Rating { .. } => {
                self.operators(input, part(0), &Coercer::Integer)
            }
            Kind::Decimal { .. } | Kind::Percent { .. } => {
                self.operators(input, part(0), &Coercer::Decimal)
            }
            Kind::Boolean => self.operators(input, part(0), &Coercer::Boolean),
            Kind::Date => self.operators(input, part(0), &Coercer::Date),
            Kind::DateTime => self.operators(input, part(0), &Coercer::DateTime),
            Kind::Json { .. } | Kind::Texts | Kind::Tags => {
                self.operators(input, part(0), &Coercer::Text)
            }
            Kind::User => self.operators(input, part(0), &Coercer::Reference),
            Kind::Autonumber { .. } | Kind::Time | Kind::Duration | Kind::Uuid => {
                self.operators(input, part(0), &Coercer::Field(Arc::new(field.clone())))
            }
            Kind::Select { options } | Kind::MultiSelect { options } => {
                let choices = options.iter().map(|option| option.value.clone()).collect();
                self.operators(input, part(0), &Coercer::Choice(choices))
            }
            Kind::Money { .. } => self.parts(
                input,
                index,
                &[
                    ("amount", 0, Coercer::Decimal),
                    ("currency", 1, Coercer::Text),
                ],
            ),
            Kind::FullName => self.parts(
                input,
                index,
                &[("given", 2, Coercer::Text), ("family", 3, Coercer::Text)],
            ),
            Kind::Emails => self.parts(input, index, &[("additional", 2, Coercer::Text)]),
            Kind::Address => self.parts(
                input,
                index,
                &[
                    ("street", 0, Coercer::Text),
                    ("city", 1, Coercer::Text),
                    ("region", 3, Coercer::Text),
                    ("postalCode", 4, Coercer::Text),
                    ("country", 5, Coercer::Text),
                ],
            ),
            Kind::GeoPoint => self.geo_point(input, index),
            Kind::File { .. } => self.parts(
                input,
                index,
                &[
                    ("id", 0, Coercer::Reference),
                    ("name", 1, Coercer::Text),
                    ("contentType", 3, Coercer::Text),
                    ("size", 4, Coercer::Integer),
                ],
            ),
            Kind::Phone | Kind::Phones => self.phone(input, index, &Arc::new(field.clone())),
            Kind::Relation(relation) => match catalogue.object_keyed(&relation.target) {
                Some((target, _)) => self.related_one(index, target, input, around),
                None => everything(),
            },
            Kind::Stage => self.stage(object, index, input),
            // It is filtered by as its result is; a formula whose result is one does not exist.
            Kind::Formula(_) | Kind::Rollup(_) => Filter::Or(Vec::new()),
        }
    }

    /// Conditions on parts of a composite value; what names no part is an operator on its first
    /// column.
    fn parts(
        &mut self,
        input: &Input<'v>,
        field: FieldIndex,
        parts: &[(&str, usize, Coercer)],
    ) -> Filter {
        let entries = self.required_entries(input);
        let mut conditions = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let condition = self.inside(name, |draft| {
                match parts.iter().find(|(part, _, _)| *part == name) {
                    Some((_, part, coercer)) => {
                        draft.operators(&value, ColumnRef::Field { field, part: *part }, coercer)
                    }
                    None => {
                        let column = ColumnRef::Field { field, part: 0 };
                        draft.operator(name, &value, column, &Coercer::Text)
                    }
                }
            });
            conditions.push(condition);
        }
        flat(conditions)
    }

    fn geo_point(&mut self, input: &Input<'v>, field: FieldIndex) -> Filter {
        let part = |part: usize| ColumnRef::Field { field, part };
        let entries = self.required_entries(input);
        let mut conditions = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            conditions.push(self.inside(name, |draft| match name {
                "latitude" => draft.operators(&value, part(0), &Coercer::Decimal),
                "longitude" => draft.operators(&value, part(1), &Coercer::Decimal),
                "near" => draft.near(&value, field),
                _ => draft.operator(name, &value, part(0), &Coercer::Decimal),
            }));
        }
        flat(conditions)
    }

    fn near(&mut self, value: &Input<'v>, field: FieldIndex) -> Filter {
        if value.is_null() {
            self.issue(null_operand());
            return everything();
        }
        self.count_condition();
        let mut part = |part: NearPart| self.operand(value, Coercer::Near(part), false);
        Filter::Near {
            field,
            middle: Box::new([0, 1, 2].map(|axis| part(NearPart::Middle(axis)))),
            reach: part(NearPart::Reach),
            latitudes: Box::new([NearPart::South, NearPart::North].map(part)),
        }
    }

    fn phone(
        &mut self,
        input: &Input<'v>,
        index: FieldIndex,
        field: &Arc<relata_catalog::Field>,
    ) -> Filter {
        let e164 = ColumnRef::Field {
            field: index,
            part: 0,
        };
        let typed = ColumnRef::Field {
            field: index,
            part: 1,
        };
        let entries = self.required_entries(input);
        let mut conditions = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            conditions.push(self.inside(name, |draft| match name {
                "typed" => draft.operators(&value, typed, &Coercer::Text),
                // What was typed is always there, the number behind it not always.
                "isNull" => draft.operator(name, &value, typed, &Coercer::Text),
                "startsWith" | "contains" | "endsWith" => {
                    draft.operator(name, &value, e164, &Coercer::PhoneDigits)
                }
                _ => draft.operator(name, &value, e164, &Coercer::PhoneNumber(field.clone())),
            }));
        }
        flat(conditions)
    }

    fn related_one(
        &mut self,
        field: FieldIndex,
        target: ObjectIndex,
        input: &Input<'v>,
        around: usize,
    ) -> Filter {
        if let Some(is_null) = self.asks_for_emptiness(input) {
            self.count_condition();
            if self.is_live {
                return Filter::IsNull {
                    column: ColumnRef::Field { field, part: 0 },
                    is_null,
                };
            }
            // In the trash a relation may still hold what is there as well, and reads as empty.
            let is_filled = Filter::ToOne {
                field,
                filter: Box::new(everything()),
            };
            return if is_null {
                Filter::Not(Box::new(is_filled))
            } else {
                is_filled
            };
        }
        let filter = self.on_records(true, |draft| draft.filter(target, input, around + 1));
        Filter::ToOne {
            field,
            filter: Box::new(filter),
        }
    }

    /// `company: { id: { isNull: true } }`, alone, asks whether the relation is empty. No record
    /// is without an id, so nothing else could be meant.
    fn asks_for_emptiness(&self, input: &Input<'v>) -> Option<bool> {
        let variables = self.planner.variables;
        let only = |input: &Input<'v>, wanted: &str| match input.entries(variables).as_slice() {
            [(name, value)] if *name == wanted => Some(value.clone()),
            _ => None,
        };
        let operators = only(input, "id")?;
        only(&operators, "isNull")?.structural()?.as_bool()
    }

    fn related_many(
        &mut self,
        object: ObjectIndex,
        via: Via,
        input: &Input<'v>,
        around: usize,
    ) -> Filter {
        let entries = self.required_entries(input);
        let mut conditions = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let quantifier = match name {
                "some" => Quantifier::Some,
                "none" => Quantifier::None,
                _ => Quantifier::Every,
            };
            conditions.push(Filter::ToMany {
                object,
                via,
                quantifier,
                filter: Box::new(self.inside(name, |draft| {
                    draft.on_records(true, |draft| draft.filter(object, &value, around + 1))
                })),
            });
        }
        flat(conditions)
    }

    /// Stages are asked for by name; records hold keys, which mean something in one pipeline.
    fn stage(&mut self, object: ObjectIndex, index: FieldIndex, input: &Input<'v>) -> Filter {
        let part = |part: usize| ColumnRef::Field { field: index, part };
        let entries = self.required_entries(input);
        let mut conditions = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            conditions.push(self.inside(name, |draft| match name {
                "isNull" => draft.operator(name, &value, part(1), &Coercer::Text),
                "enteredAt" => draft.operators(&value, part(2), &Coercer::DateTime),
                "pipeline" => {
                    let keys = draft
                        .pipelines(object, index)
                        .map(|pipeline| (pipeline.name.clone(), pipeline.key.to_string()))
                        .collect();
                    draft.compare(
                        part(0),
                        Operator::Eq,
                        &value,
                        Coercer::Pipeline(keys),
                        false,
                    )
                }
                "type" => draft.stage_type(object, index, &value),
                "ne" | "notIn" => {
                    let holds = draft.stage_named(object, index, &value);
                    // Nothing is not in a stage: an empty field is in neither.
                    flat(vec![
                        Filter::Not(Box::new(holds)),
                        Filter::IsNull {
                            column: part(1),
                            is_null: false,
                        },
                    ])
                }
                _ => draft.stage_named(object, index, &value),
            }));
        }
        flat(conditions)
    }

    /// The pipelines of a stage field.
    pub(crate) fn pipelines(
        &self,
        object: ObjectIndex,
        field: FieldIndex,
    ) -> impl Iterator<Item = &'v Arc<relata_catalog::Pipeline>> + use<'v> {
        let catalogue = self.planner.catalogue;
        let object = catalogue.object(object);
        catalogue.pipelines_of(&object.key, &object.field(field).key)
    }

    fn stage_named(&mut self, object: ObjectIndex, index: FieldIndex, value: &Input<'v>) -> Filter {
        if value.is_null() {
            self.issue(null_operand());
            return everything();
        }
        let names: Arc<[String]> = self
            .pipelines(object, index)
            .flat_map(|pipeline| pipeline.stages.iter().map(|stage| stage.name.clone()))
            .collect();
        let before = self.issues.0.len();
        let mut alternatives = Vec::new();
        for pipeline in self.pipelines(object, index) {
            let keys = pipeline
                .stages
                .iter()
                .map(|stage| (stage.name.clone(), stage.key.clone()))
                .collect();
            let coercer = Coercer::Stage {
                keys,
                names: names.clone(),
            };
            let stage = self.compare(
                ColumnRef::Field {
                    field: index,
                    part: 1,
                },
                Operator::In,
                value,
                coercer,
                true,
            );
            alternatives.push(flat(vec![equal(index, 0, pipeline.key.to_string()), stage]));
            if self.issues.0.len() > before {
                // Every pipeline would say the same.
                break;
            }
        }
        Filter::Or(alternatives)
    }

    fn stage_type(&mut self, object: ObjectIndex, index: FieldIndex, input: &Input<'v>) -> Filter {
        let mut conditions = Vec::new();
        for (name, value) in self.required_entries(input) {
            if value.is_null() {
                self.inside(name, |draft| draft.issue(null_operand()));
                continue;
            }
            let wanted = value
                .items(self.planner.variables)
                .iter()
                .filter_map(Input::structural)
                .collect::<Vec<_>>();
            let mut alternatives = Vec::new();
            for pipeline in self.pipelines(object, index) {
                let keys = pipeline
                    .stages
                    .iter()
                    .filter(|stage| wanted.iter().any(|wanted| *wanted == stage_type(stage)))
                    .map(|stage| Value::Text(stage.key.clone()))
                    .collect::<Vec<_>>();
                if !keys.is_empty() {
                    alternatives.push(flat(vec![
                        equal(index, 0, pipeline.key.to_string()),
                        Filter::Compare {
                            column: ColumnRef::Field {
                                field: index,
                                part: 1,
                            },
                            operator: Operator::In,
                            operand: Operand::List(keys),
                        },
                    ]));
                }
            }
            self.count_condition();
            conditions.push(Filter::Or(alternatives));
        }
        flat(conditions)
    }

    /// Operators on one column.
    fn operators(&mut self, input: &Input<'v>, column: ColumnRef, coercer: &Coercer) -> Filter {
        let entries = self.required_entries(input);
        let mut conditions = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            conditions
                .push(self.inside(name, |draft| draft.operator(name, &value, column, coercer)));
        }
        flat(conditions)
    }

    /// Members of an object in which something must stand.
    pub(crate) fn required_entries(&mut self, input: &Input<'v>) -> Vec<(&'v str, Input<'v>)> {
        if input.is_null() {
            self.issue(null_operand());
            return Vec::new();
        }
        let entries = input.entries(self.planner.variables);
        if entries.is_empty() {
            self.issue(Issue::new(
                "NO_OPERATOR",
                "a condition without an operator would hold for everything; leave it out instead",
            ));
        }
        entries
    }

    fn operator(
        &mut self,
        name: &str,
        value: &Input<'v>,
        column: ColumnRef,
        coercer: &Coercer,
    ) -> Filter {
        if value.is_null() {
            self.issue(null_operand());
            return everything();
        }
        let (operator, is_list) = match name {
            "eq" => (Operator::Eq, false),
            "ne" => (Operator::Ne, false),
            "in" => (Operator::In, true),
            "notIn" => (Operator::NotIn, true),
            "lt" => (Operator::Lt, false),
            "lte" => (Operator::Lte, false),
            "gt" => (Operator::Gt, false),
            "gte" => (Operator::Gte, false),
            "contains" => (Operator::Contains, false),
            "startsWith" => (Operator::StartsWith, false),
            "endsWith" => (Operator::EndsWith, false),
            "like" => (Operator::Like, false),
            "iEq" => (Operator::IEq, false),
            "iContains" => (Operator::IContains, false),
            "iStartsWith" => (Operator::IStartsWith, false),
            "iEndsWith" => (Operator::IEndsWith, false),
            "iLike" => (Operator::ILike, false),
            "has" => (Operator::Has, false),
            "hasAny" => (Operator::HasAny, true),
            "hasAll" => (Operator::HasAll, true),
            "isNull" | "isEmpty" => {
                self.count_condition();
                // An empty list is kept as nothing.
                let is_null = value.structural() != Some(Json::Bool(false));
                return Filter::IsNull { column, is_null };
            }
            "between" => return self.between(value, column, coercer),
            "within" => return self.within(value, column, coercer),
            name if let Some(part) = calendar::part_named(name) => {
                let are_instants = matches!(coercer, Coercer::DateTime);
                return self.calendar(part, value, column, are_instants);
            }
            other => {
                self.issue(Issue::new(
                    "UNKNOWN_FIELD",
                    format!("there is no operator `{other}`"),
                ));
                return everything();
            }
        };
        self.compare(column, operator, value, coercer.clone(), is_list)
    }

    fn compare(
        &mut self,
        column: ColumnRef,
        operator: Operator,
        value: &Input<'v>,
        coercer: Coercer,
        is_list: bool,
    ) -> Filter {
        if value.is_null() {
            self.issue(null_operand());
            return everything();
        }
        self.count_condition();
        Filter::Compare {
            column,
            operator,
            operand: self.operand(value, coercer, is_list),
        }
    }

    /// From the first to the second of two, both included.
    fn between(&mut self, value: &Input<'v>, column: ColumnRef, coercer: &Coercer) -> Filter {
        let ends = value.items(self.planner.variables);
        let [from, to] = ends.as_slice() else {
            self.issue(Issue::new(
                "WRONG_TYPE",
                format!("`between` takes two values, not {}", ends.len()),
            ));
            return everything();
        };
        let from = self.inside(0, |draft| {
            draft.compare(column, Operator::Gte, from, coercer.clone(), false)
        });
        let to = self.inside(1, |draft| {
            draft.compare(column, Operator::Lte, to, coercer.clone(), false)
        });
        flat(vec![from, to])
    }

    /// The last or the next so many days, weeks …, counted at each run.
    fn within(&mut self, value: &Input<'v>, column: ColumnRef, coercer: &Coercer) -> Filter {
        let entries = value.entries(self.planner.variables);
        let unit = entries
            .iter()
            .find(|(name, _)| *name == "unit")
            .and_then(|(_, unit)| unit.structural())
            .and_then(|unit| unit.as_str().and_then(Unit::named));
        let given = entries
            .iter()
            .filter(|(name, count)| *name != "unit" && !count.is_null())
            .collect::<Vec<_>>();
        let (Some(unit), [(name, count)]) = (unit, given.as_slice()) else {
            self.issue(Issue::new(
                "ONE_OF",
                "`within` takes either `last` or `next`, and a unit",
            ));
            return everything();
        };
        let is_date = matches!(coercer, Coercer::Date);
        if is_date && unit.is_of_clock() {
            self.inside("unit", |draft| {
                draft.issue(Issue::new(
                    "WRONG_TYPE",
                    "days are not counted in hours or minutes",
                ));
            });
            return everything();
        }
        let is_past = *name == "last";
        let ends = [(true, Operator::Gte), (false, Operator::Lte)].map(|(is_start, operator)| {
            let end = Coercer::Within(Within {
                unit,
                is_past,
                is_date,
                is_start,
            });
            self.inside(*name, |draft| {
                draft.compare(column, operator, count, end, false)
            })
        });
        flat(ends.into())
    }

    pub(crate) fn count_condition(&mut self) {
        self.conditions += 1;
        let max = self.planner.limits.conditions_max;
        if self.conditions == max + 1 {
            self.issue(
                Issue::new(
                    "TOO_MANY",
                    format!("a field takes at most {max} conditions"),
                )
                .with("max", max),
            );
        }
    }
}

fn stage_type(stage: &relata_catalog::Stage) -> Json {
    serde_json::to_value(stage.stage_type).unwrap_or_default()
}

fn equal(field: FieldIndex, part: usize, text: String) -> Filter {
    Filter::Compare {
        column: ColumnRef::Field { field, part },
        operator: Operator::Eq,
        operand: Operand::Value(Value::Text(text)),
    }
}

/// One condition stands for itself.
fn flat(mut conditions: Vec<Filter>) -> Filter {
    if conditions.len() == 1 {
        conditions.remove(0)
    } else {
        Filter::And(conditions)
    }
}
