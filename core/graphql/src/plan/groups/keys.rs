//! By what records are grouped, and what is written of it.

use async_graphql::parser::types::{OperationType, SelectionSet};
use relata_catalog::{Catalogue, FieldIndex, Issue, Kind, ObjectIndex};
use relata_store::{
    filter::{ColumnRef, SystemColumn},
    read::{GroupBy, GroupKey, KeyMember, Span, StageMember},
};
use serde_json::json;

use crate::{
    plan::{cost::Cost, draft::Draft, inputs::Input, prepare::Selected, record::typename},
    schema::groups::parts_of,
};

/// Whether a key is a length of time of instants.
pub(super) fn is_of_instants(catalogue: &Catalogue, object: ObjectIndex, key: &GroupKey) -> bool {
    let GroupBy::Span { column, .. } = key.by else {
        return false;
    };
    let ColumnRef::Field { field, .. } = column else {
        return true;
    };
    let mut at = object;
    for relation in &key.through {
        let Kind::Relation(relation) = catalogue.object(at).field(*relation).shown() else {
            return false;
        };
        let Some((target, _)) = catalogue.object_keyed(&relation.target) else {
            return false;
        };
        at = target;
    }
    matches!(catalogue.object(at).field(field).shown(), Kind::DateTime)
}

/// A key on its way: relations that were followed, and all names.
#[derive(Default)]
struct Way {
    through: Vec<FieldIndex>,
    path: Vec<String>,
}

impl Way {
    fn key(self, by: GroupBy) -> GroupKey {
        GroupKey {
            through: self.through,
            by,
            path: self.path,
        }
    }
}

impl<'v> Draft<'_, 'v> {
    pub(super) fn group_keys(&mut self, object: ObjectIndex, input: &Input<'v>) -> Vec<GroupKey> {
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
                let Some(key) = draft.group_key(object, item, Way::default()) else {
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
        mut way: Way,
    ) -> Option<GroupKey> {
        let (name, value) = self.only_entry(input)?;
        self.inside(name, |draft| {
            way.path.push(name.to_owned());
            let system = |column| Some(ColumnRef::System(column));
            let column = match name {
                "id" => system(SystemColumn::Id),
                "createdAt" => system(SystemColumn::CreatedAt),
                "updatedAt" => system(SystemColumn::UpdatedAt),
                "owner" => system(SystemColumn::Owner),
                _ => None,
            };
            let by = match column {
                Some(column) => draft.group_by_column(column, &value)?,
                None => return draft.group_field(object, name, &value, way),
            };
            Some(way.key(by))
        })
    }

    fn group_field(
        &mut self,
        object: ObjectIndex,
        name: &str,
        value: &Input<'v>,
        mut way: Way,
    ) -> Option<GroupKey> {
        let catalogue = self.planner.catalogue;
        let Some((field, found)) = catalogue.object(object).field_named(name) else {
            self.issue(Issue::new("UNKNOWN_FIELD", format!("there is no `{name}`")));
            return None;
        };
        if let Kind::Relation(relation) = found.shown() {
            let (target, _) = catalogue.object_keyed(&relation.target)?;
            way.through.push(field);
            let max = self.planner.limits.order_depth_max;
            if way.through.len() > max {
                self.issue(
                    Issue::new(
                        "TOO_DEEP",
                        format!("a key of groups follows at most {max} relations"),
                    )
                    .with("max", max),
                );
                return None;
            }
            return self.group_key(target, value, way);
        }
        if let Some((_, parts)) = parts_of(found.shown()) {
            let (name, value) = self.only_entry(value)?;
            return self.inside(name, |draft| {
                draft.checked_true(&value)?;
                // Checked against the schema of the same catalogue.
                let (_, part) = parts.iter().find(|(part, _)| *part == name)?;
                way.path.push(name.to_owned());
                let column = ColumnRef::Field { field, part: *part };
                Some(way.key(GroupBy::Column(column)))
            });
        }
        let by = match found.shown() {
            Kind::Stage => {
                self.checked_true(value)?;
                GroupBy::Stage {
                    field,
                    conditions: self.stage_conditions(object, field),
                }
            }
            // Of texts one may stand twice in a record, which would be there twice.
            Kind::MultiSelect { .. } | Kind::Tags => {
                self.checked_true(value)?;
                GroupBy::Option(field)
            }
            kind => {
                let by = self.group_by_column(ColumnRef::Field { field, part: 0 }, value)?;
                if matches!(kind, Kind::DateTime) {
                    self.check_instants();
                }
                by
            }
        };
        Some(way.key(by))
    }

    fn group_by_column(&mut self, column: ColumnRef, value: &Input<'v>) -> Option<GroupBy> {
        if let Some(span) = value
            .structural()
            .and_then(|given| given.as_str().and_then(span_named))
        {
            if matches!(column, ColumnRef::System(_)) {
                self.check_instants();
            }
            return Some(GroupBy::Span { column, span });
        }
        self.checked_true(value)?;
        Some(GroupBy::Column(column))
    }

    /// SQLite's writing connection has no function for the caller's zone.
    fn check_instants(&mut self) {
        if self.planner.prepared.operation == OperationType::Mutation {
            self.issue(Issue::new(
                "ONLY_IN_QUERIES",
                "a mutation does not group by lengths of time of instants; ask in a query",
            ));
        }
    }

    fn checked_true(&mut self, value: &Input<'v>) -> Option<()> {
        if value.structural() != Some(json!(true)) {
            self.issue(Issue::new(
                "WRONG_TYPE",
                "`true` is expected; leave the field out instead",
            ));
            return None;
        }
        Some(())
    }

    pub(super) fn key_members(
        &mut self,
        object: ObjectIndex,
        sets: &[&'v SelectionSet],
        by: &[GroupKey],
        path: &mut Vec<String>,
        costs: &mut Vec<Cost>,
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
                draft.key_member(key, object, &member, by, path, costs)
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
        costs: &mut Vec<Cost>,
    ) -> KeyMember {
        let catalogue = self.planner.catalogue;
        let found = catalogue.object(object).field_named(member.name());
        let is_inside = by.iter().any(|known| known.path.starts_with(path));
        let position = by.iter().position(|known| known.path == *path);
        let grouped = match found.map(|(index, field)| (index, field.shown())) {
            Some((_, Kind::Relation(relation))) => catalogue
                .object_keyed(&relation.target)
                .map(|(target, _)| self.key_members(target, &member.sets, by, path, costs))
                .filter(|_| is_inside)
                .map(|members| KeyMember::Object {
                    key: key.clone(),
                    members,
                }),
            Some((_, kind)) if let Some((prefix, _)) = parts_of(kind) => {
                let members = self.key_parts(prefix, &member.sets, by, path);
                is_inside.then(|| KeyMember::Object {
                    key: key.clone(),
                    members,
                })
            }
            Some((index, Kind::Stage)) => {
                let members = self.key_stage(object, index, &member.sets);
                position.map(|position| KeyMember::Stage {
                    key: key.clone(),
                    position,
                    members,
                })
            }
            _ => match member.name() {
                "owner" => {
                    let members = self.actor(member);
                    position.map(|position| KeyMember::Owner {
                        key: key.clone(),
                        position,
                        members,
                    })
                }
                "node" => self.key_node(&key, object, member, by, path, costs),
                _ => position.map(|position| KeyMember::Value {
                    key: key.clone(),
                    position,
                }),
            },
        };
        grouped.unwrap_or_else(|| KeyMember::Literal {
            key,
            json: "null".to_owned(),
        })
    }

    /// The record whose id is grouped by.
    fn key_node(
        &mut self,
        key: &str,
        object: ObjectIndex,
        member: &Selected<'v>,
        by: &[GroupKey],
        path: &[String],
        costs: &mut Vec<Cost>,
    ) -> Option<KeyMember> {
        let mut inner = Vec::new();
        let members = self.record(object, &member.sets, &mut inner);
        let (_, around) = path.split_last()?;
        let position = by.iter().position(|known| {
            known
                .path
                .split_last()
                .is_some_and(|(last, relations)| last == "id" && relations == around)
        })?;
        costs.push(Cost::one(inner));
        Some(KeyMember::Node {
            key: key.to_owned(),
            position,
            members,
        })
    }

    fn key_parts(
        &mut self,
        prefix: &str,
        sets: &[&'v SelectionSet],
        by: &[GroupKey],
        path: &[String],
    ) -> Vec<KeyMember> {
        let type_name = format!("{prefix}_GroupKey");
        self.selected(sets, &type_name, &[])
            .iter()
            .map(|part| {
                let key = part.key.to_owned();
                if part.name() == "__typename" {
                    return typename!(KeyMember, key, &type_name);
                }
                let position = by.iter().position(|known| {
                    known
                        .path
                        .split_last()
                        .is_some_and(|(last, field)| last == part.name() && field == path)
                });
                match position {
                    Some(position) => KeyMember::Value { key, position },
                    None => KeyMember::Literal {
                        key,
                        json: "null".to_owned(),
                    },
                }
            })
            .collect()
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
                    "pipeline" | "stage" => draft.standing(key, &pipelines, member),
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
}

fn span_named(name: &str) -> Option<Span> {
    Some(match name {
        "HOUR" => Span::Hour,
        "DAY" => Span::Day,
        "WEEK" => Span::Week,
        "MONTH" => Span::Month,
        "QUARTER" => Span::Quarter,
        "YEAR" => Span::Year,
        _ => return None,
    })
}
