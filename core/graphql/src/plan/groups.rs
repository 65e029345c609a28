//! `groups` to keys, conditions and an order.

use async_graphql::parser::types::SelectionSet;
use relata_catalog::{FieldIndex, Issue, Kind, ObjectIndex, Value};
use relata_store::{
    filter::{ColumnRef, Operand, Operator, SystemColumn},
    read::{
        ConnectionMember, GroupBy, GroupKey, GroupMeasure, GroupMember, GroupOrder, GroupOrderBy,
        GroupZone, Groups, Having, KeyMember, LogConnectionMember, Measure, Page, Span,
        StageMember,
    },
};
use serde_json::json;

use super::{
    aggregate::measure_named,
    coercer::Coercer,
    cost::{Cost, Size},
    draft::Draft,
    inputs::{Input, Slot, Template, null_operand},
    order::direction,
    prepare::Selected,
    record::typename,
};

/// What the groups of one connection share.
#[derive(Clone)]
pub(crate) struct GroupParts {
    zone: GroupZone,
    filter: Option<Operand>,
}

/// A column that is measured, and how its operands are read.
struct Measured {
    column: ColumnRef,
    /// Of the ends and the sum.
    coercer: Coercer,
}

impl<'v> Draft<'_, 'v> {
    /// What all groups of a connection need at each run.
    pub(crate) fn group_parts(&mut self, filter: Option<&Input<'v>>) -> GroupParts {
        let mut list = |coercer| {
            let known = Template::Known(json!(true));
            self.slots
                .push(Slot::new(known, coercer, true, self.path.clone()));
            Operand::Parameter(self.slots.len() - 1)
        };
        let zone = GroupZone {
            starts: list(Coercer::ZoneStarts),
            offsets: list(Coercer::ZoneOffsets),
        };
        let filter = filter.map(|input| self.operand(input, Coercer::Json, false));
        GroupParts { zone, filter }
    }

    pub(crate) fn groups(
        &mut self,
        key: String,
        object: ObjectIndex,
        selected: &Selected<'v>,
        parts: GroupParts,
        costs: &mut Vec<Cost>,
    ) -> ConnectionMember {
        let type_name = self.planner.schema.names.type_name(object);
        let by = match self.argument(selected, "by", &format!("[{type_name}GroupBy!]!")) {
            Some(input) => self.inside("by", |draft| draft.group_keys(object, &input)),
            None => Vec::new(),
        };
        let having = match self.argument(selected, "having", &format!("{type_name}Having")) {
            Some(input) => self.inside("having", |draft| draft.having(object, &input, 1)),
            None => Having::And(Vec::new()),
        };
        let order = match self.argument(selected, "orderBy", &format!("[{type_name}GroupOrder!]")) {
            Some(input) if !input.is_null() => {
                self.inside("orderBy", |draft| draft.group_order(object, &input, &by))
            }
            _ => Vec::new(),
        };
        let (page, size) = self.group_page(selected);
        costs.push(Cost {
            size,
            inner: Vec::new(),
        });
        let connection = format!("{type_name}GroupConnection");
        let members = self
            .selected(&selected.sets, &connection, &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                self.inside(member.key, |draft| match member.name() {
                    "nodes" => LogConnectionMember::Nodes {
                        key,
                        members: draft.group_members(object, &member.sets, &by),
                    },
                    "pageInfo" => LogConnectionMember::PageInfo {
                        key,
                        members: draft.page_info(&member.sets),
                    },
                    "totalCount" => LogConnectionMember::TotalCount { key },
                    _ => typename!(LogConnectionMember, key, &connection),
                })
            })
            .collect();
        ConnectionMember::Groups {
            key,
            groups: Box::new(Groups {
                by,
                having,
                order,
                page,
                zone: Some(parts.zone),
                filter: parts.filter,
                members,
            }),
        }
    }

    fn group_keys(&mut self, object: ObjectIndex, input: &Input<'v>) -> Vec<GroupKey> {
        let items = input.items(self.planner.variables);
        let max = self.planner.limits.group_keys_max;
        if items.is_empty() {
            self.issue(Issue::new("REQUIRED", "at least one key is expected"));
        } else if items.len() > max {
            self.issue(
                Issue::new(
                    "TOO_MANY",
                    format!("records are grouped by at most {max} keys"),
                )
                .with("max", max),
            );
            return Vec::new();
        }
        let mut keys: Vec<GroupKey> = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            self.inside(index, |draft| {
                let Some(key) = draft.group_key(object, item, Vec::new(), Vec::new()) else {
                    return;
                };
                if keys.iter().any(|known| known.path == key.path) {
                    draft.issue(Issue::new("CONFLICT", "this is grouped by already"));
                }
                keys.push(key);
            });
        }
        keys
    }

    fn group_key(
        &mut self,
        object: ObjectIndex,
        input: &Input<'v>,
        mut through: Vec<FieldIndex>,
        mut path: Vec<String>,
    ) -> Option<GroupKey> {
        let entries = input.entries(self.planner.variables);
        let [(name, value)] = entries.as_slice() else {
            self.issue(Issue::new("ONE_OF", "exactly one field is expected"));
            return None;
        };
        self.inside(*name, |draft| {
            if value.is_null() {
                draft.issue(null_operand());
                return None;
            }
            path.push((*name).to_owned());
            let catalogue = draft.planner.catalogue;
            let found = catalogue.object(object).field_named(name);
            if let Some((index, field)) = found
                && let Kind::Relation(relation) = &field.kind
            {
                let (target, _) = catalogue.object_keyed(&relation.target)?;
                through.push(index);
                let max = draft.planner.limits.order_depth_max;
                if through.len() > max {
                    draft.issue(
                        Issue::new(
                            "TOO_DEEP",
                            format!("a key of groups follows at most {max} relations"),
                        )
                        .with("max", max),
                    );
                    return None;
                }
                return draft.group_key(target, value, through, path);
            }
            let by = draft.group_by(
                object,
                name,
                found.map(|(index, field)| (index, &field.kind)),
                value,
            )?;
            Some(GroupKey { through, by, path })
        })
    }

    fn group_by(
        &mut self,
        object: ObjectIndex,
        name: &str,
        found: Option<(FieldIndex, &'v Kind)>,
        value: &Input<'v>,
    ) -> Option<GroupBy> {
        let column = match (name, found) {
            ("id", _) => ColumnRef::System(SystemColumn::Id),
            ("createdAt", _) => ColumnRef::System(SystemColumn::CreatedAt),
            ("updatedAt", _) => ColumnRef::System(SystemColumn::UpdatedAt),
            (_, Some((field, _))) => ColumnRef::Field { field, part: 0 },
            (_, None) => {
                self.issue(Issue::new("UNKNOWN_FIELD", format!("there is no `{name}`")));
                return None;
            }
        };
        let given = value.structural()?;
        if let Some(span) = given.as_str().and_then(span_named) {
            return Some(GroupBy::Span { column, span });
        }
        if given.as_bool() != Some(true) {
            self.issue(Issue::new(
                "WRONG_TYPE",
                "`true` is expected; leave the field out instead",
            ));
            return None;
        }
        if let Some((field, Kind::Stage)) = found {
            return Some(GroupBy::Stage {
                field,
                conditions: self.stage_conditions(object, field),
            });
        }
        Some(GroupBy::Column(column))
    }

    fn group_members(
        &mut self,
        object: ObjectIndex,
        sets: &[&'v SelectionSet],
        by: &[GroupKey],
    ) -> Vec<GroupMember> {
        let type_name = self.planner.schema.names.type_name(object);
        let group = format!("{type_name}Group");
        self.selected(sets, &group, &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                self.inside(member.key, |draft| match member.name() {
                    "key" => GroupMember::Key {
                        key,
                        members: draft.key_members(object, &member.sets, by, &mut Vec::new()),
                    },
                    "aggregate" => GroupMember::Aggregate {
                        key,
                        members: draft.aggregate(object, &member.sets),
                    },
                    "where" => GroupMember::Where { key },
                    _ => typename!(GroupMember, key, &group),
                })
            })
            .collect()
    }

    fn key_members(
        &mut self,
        object: ObjectIndex,
        sets: &[&'v SelectionSet],
        by: &[GroupKey],
        path: &mut Vec<String>,
    ) -> Vec<KeyMember> {
        let type_name = format!("{}GroupKey", self.planner.schema.names.type_name(object));
        let mut members = Vec::new();
        for member in self.selected(sets, &type_name, &[]) {
            let key = member.key.to_owned();
            if member.name() == "__typename" {
                members.push(typename!(KeyMember, key, &type_name));
                continue;
            }
            path.push(member.name().to_owned());
            members.push(self.inside(member.key, |draft| {
                draft.key_member(key, object, &member, by, path)
            }));
            path.pop();
        }
        members
    }

    fn key_member(
        &mut self,
        key: String,
        object: ObjectIndex,
        member: &Selected<'v>,
        by: &[GroupKey],
        path: &mut Vec<String>,
    ) -> KeyMember {
        let catalogue = self.planner.catalogue;
        let found = catalogue.object(object).field_named(member.name());
        if let Some((_, field)) = found
            && let Kind::Relation(relation) = &field.kind
            && let Some((target, _)) = catalogue.object_keyed(&relation.target)
        {
            let is_grouped = by.iter().any(|known| known.path.starts_with(path));
            let members = self.key_members(target, &member.sets, by, path);
            return if is_grouped {
                KeyMember::Object { key, members }
            } else {
                KeyMember::Literal {
                    key,
                    json: "null".to_owned(),
                }
            };
        }
        let position = by.iter().position(|known| known.path == *path);
        let stage = match found {
            Some((index, field)) if matches!(field.kind, Kind::Stage) => {
                Some(self.key_stage(object, index, &member.sets))
            }
            _ => None,
        };
        match (position, stage) {
            (None, _) => KeyMember::Literal {
                key,
                json: "null".to_owned(),
            },
            (Some(position), Some(members)) => KeyMember::Stage {
                key,
                position,
                members,
            },
            (Some(position), None) => KeyMember::Value { key, position },
        }
    }

    fn key_stage(
        &mut self,
        object: ObjectIndex,
        field: FieldIndex,
        sets: &[&'v SelectionSet],
    ) -> Vec<StageMember> {
        let pipelines = self.pipelines(object, field).cloned().collect::<Vec<_>>();
        self.selected(sets, "Group_Stage", &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                self.inside(member.key, |draft| match member.name() {
                    "pipeline" => StageMember::ByStage {
                        key,
                        json: draft
                            .by_stage(&pipelines, |_, pipeline, _| pipeline.name.as_str().into()),
                    },
                    "stage" => StageMember::ByStage {
                        key,
                        json: draft.stages_json(&pipelines, &member.sets),
                    },
                    _ => typename!(StageMember, key, "Group_Stage"),
                })
            })
            .collect()
    }

    /// Of each stage the condition that finds it.
    fn stage_conditions(
        &mut self,
        object: ObjectIndex,
        field: FieldIndex,
    ) -> Vec<(relata_catalog::Key, String, String)> {
        let pipelines = self.pipelines(object, field).cloned().collect::<Vec<_>>();
        self.by_stage(
            &pipelines,
            |_, pipeline, position| json!({"pipeline": pipeline.name, "eq": pipeline.stages[position].name}),
        )
    }

    fn having(&mut self, object: ObjectIndex, input: &Input<'v>, around: usize) -> Having {
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
            "count" => self.measure_conditions(GroupMeasure::Records, &Coercer::Integer, input),
            name => {
                let Some(measured) = self.measured(object, name) else {
                    return Having::And(Vec::new());
                };
                let parts = self
                    .required_entries(input)
                    .into_iter()
                    .filter_map(|(name, value)| {
                        let measure = measure_named(name)?;
                        let coercer = match measure {
                            Measure::Sum | Measure::Least | Measure::Greatest => &measured.coercer,
                            _ => &Coercer::Integer,
                        };
                        let measure = GroupMeasure::Column(measured.column, measure);
                        Some(self.inside(name, |draft| {
                            draft.measure_conditions(measure, coercer, &value)
                        }))
                    })
                    .collect();
                Having::And(parts)
            }
        }
    }

    fn measure_conditions(
        &mut self,
        measure: GroupMeasure,
        coercer: &Coercer,
        input: &Input<'v>,
    ) -> Having {
        let parts = self
            .required_entries(input)
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
        measure: GroupMeasure,
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
            measure,
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
                    measure,
                    is_null: value.structural() != Some(json!(false)),
                };
            }
        };
        compare(self, operator, value)
    }

    /// The column that is measured under this name.
    fn measured(&mut self, object: ObjectIndex, name: &str) -> Option<Measured> {
        let system = |column, coercer| {
            Some(Measured {
                column: ColumnRef::System(column),
                coercer,
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
        let coercer = match &found.kind {
            Kind::Decimal { .. } => Coercer::Decimal,
            Kind::Date => Coercer::Date,
            Kind::DateTime => Coercer::DateTime,
            _ => Coercer::Integer,
        };
        Some(Measured {
            column: ColumnRef::Field {
                field,
                part: super::aggregate::measured_part(&found.kind),
            },
            coercer,
        })
    }

    fn group_order(
        &mut self,
        object: ObjectIndex,
        input: &Input<'v>,
        by: &[GroupKey],
    ) -> Vec<GroupOrder> {
        let items = input.items(self.planner.variables);
        let max = self.planner.limits.order_terms_max;
        if items.len() > max {
            self.issue(
                Issue::new(
                    "TOO_MANY",
                    format!("groups are ordered by at most {max} terms"),
                )
                .with("max", max),
            );
            return Vec::new();
        }
        let mut order = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let term = self.inside(index, |draft| draft.group_term(object, item, by));
            order.extend(term);
        }
        order
    }

    fn group_term(
        &mut self,
        object: ObjectIndex,
        input: &Input<'v>,
        by: &[GroupKey],
    ) -> Option<GroupOrder> {
        let variables = self.planner.variables;
        let entries = input.entries(variables);
        let [(name, value)] = entries.as_slice() else {
            self.issue(Issue::new("ONE_OF", "exactly one field is expected"));
            return None;
        };
        let (by, way) = match *name {
            "key" => self.inside("key", |draft| draft.ordering_key(value, by))?,
            "count" => (
                GroupOrderBy::Measure(GroupMeasure::Records),
                value.structural(),
            ),
            name => self.inside(name, |draft| {
                let measured = draft.measured(object, name)?;
                let entries = value.entries(variables);
                let [(measure, way)] = entries.as_slice() else {
                    draft.issue(Issue::new("ONE_OF", "exactly one measure is expected"));
                    return None;
                };
                let measure = GroupMeasure::Column(measured.column, measure_named(measure)?);
                Some((GroupOrderBy::Measure(measure), way.structural()))
            })?,
        };
        let (direction, nulls) = direction(way.as_ref());
        Some(GroupOrder {
            by,
            direction,
            nulls,
        })
    }

    /// The key that an order speaks of, by the same path.
    fn ordering_key(
        &mut self,
        input: &Input<'v>,
        by: &[GroupKey],
    ) -> Option<(GroupOrderBy, Option<serde_json::Value>)> {
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
            Some(position) => Some((GroupOrderBy::Key(position), at.structural())),
            None => {
                self.issue(Issue::new(
                    "NOT_GROUPED",
                    format!("`{}` is not grouped by", path.join(".")),
                ));
                None
            }
        }
    }

    fn group_page(&mut self, selected: &Selected<'v>) -> (Page, Size) {
        let given = |input: &Input<'_>| !input.is_null();
        let first = match self.argument(selected, "first", "Int").filter(given) {
            Some(first) => self.inside("first", |draft| {
                draft.operand(&first, Coercer::GroupPageSize, false)
            }),
            // Below 2^53 by its setting.
            None => Operand::Value(Value::Integer(self.planner.limits.groups_default as i64)),
        };
        let after = self
            .argument(selected, "after", "String")
            .filter(given)
            .map(|after| {
                self.inside("after", |draft| {
                    draft.operand(&after, Coercer::Cursor, false)
                })
            });
        let size = Size::of(&first);
        let page = Page {
            first: Some(first),
            after,
            ..Page::default()
        };
        (page, size)
    }
}

fn span_named(name: &str) -> Option<Span> {
    Some(match name {
        "DAY" => Span::Day,
        "WEEK" => Span::Week,
        "MONTH" => Span::Month,
        "QUARTER" => Span::Quarter,
        "YEAR" => Span::Year,
        _ => return None,
    })
}
