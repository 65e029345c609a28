//! `groups` to keys, conditions and an order.

mod keys;
mod measures;
mod order;

use async_graphql::parser::types::SelectionSet;
use relata_catalog::{ObjectIndex, ToMany, Value, Via};
use relata_store::{
    filter::Operand,
    read::{
        ConnectionMember, GroupKey, GroupMember, GroupOrigin, Groups, Having, LogConnectionMember,
        Page, ZoneTable,
    },
};

use super::{
    coercer::Coercer,
    cost::{Cost, Size},
    draft::Draft,
    inputs::Input,
    prepare::Selected,
    record::typename,
};

/// The connection whose records are grouped.
pub(crate) struct Grouped<'i, 'v> {
    pub(crate) object: ObjectIndex,
    /// Inside a record: which of its lists it is.
    pub(crate) list: Option<ToMany<'v>>,
    /// Its filter as it was given.
    pub(crate) filter: Option<&'i Input<'v>>,
}

impl<'v> Draft<'_, 'v> {
    pub(crate) fn groups(
        &mut self,
        key: String,
        of: &Grouped<'_, 'v>,
        selected: &Selected<'v>,
        costs: &mut Vec<Cost>,
    ) -> ConnectionMember {
        let object = of.object;
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
        let (page, size) = self.group_page(selected, of.list.is_some());
        let zone = self.group_zone(object, &by);
        let origin = GroupOrigin {
            filter: of
                .filter
                .map(|input| self.operand(input, Coercer::Json, false)),
            back: of.list.map_or_else(Vec::new, |list| {
                let quantifier = match list.via {
                    Via::Relation(_) => None,
                    Via::Link { .. } | Via::Tree { .. } => Some("some".to_owned()),
                };
                [list.back.to_owned()]
                    .into_iter()
                    .chain(quantifier)
                    .collect()
            }),
        };
        let connection = format!("{type_name}GroupConnection");
        let mut inner = Vec::new();
        let members = self
            .selected(&selected.sets, &connection, &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                self.inside(member.key, |draft| match member.name() {
                    "nodes" => LogConnectionMember::Nodes {
                        key,
                        members: draft.group_members(object, &member.sets, &by, &mut inner),
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
        costs.push(Cost { size, inner });
        ConnectionMember::Groups {
            key,
            groups: Box::new(Groups {
                by,
                having,
                order,
                page,
                zone,
                origin,
                members,
            }),
        }
    }

    /// The table of the caller's zone, where instants are grouped by.
    fn group_zone(&mut self, object: ObjectIndex, by: &[GroupKey]) -> Option<ZoneTable> {
        let catalogue = self.planner.catalogue;
        by.iter()
            .any(|key| keys::is_of_instants(catalogue, object, key))
            .then(|| self.zone_table())
    }

    fn group_members(
        &mut self,
        object: ObjectIndex,
        sets: &[&'v SelectionSet],
        by: &[GroupKey],
        costs: &mut Vec<Cost>,
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
                        members: draft.key_members(
                            object,
                            &member.sets,
                            by,
                            &mut Vec::new(),
                            costs,
                        ),
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

    fn group_page(&mut self, selected: &Selected<'v>, is_nested: bool) -> (Page, Size) {
        let limits = self.planner.limits;
        let default = if is_nested {
            limits.page_nested_default
        } else {
            limits.groups_default
        };
        let given = |input: &Input<'_>| !input.is_null();
        let first = match self.argument(selected, "first", "Int").filter(given) {
            Some(first) => self.inside("first", |draft| {
                draft.operand(&first, Coercer::GroupPageSize, false)
            }),
            // Below 2^53 by its setting.
            None => Operand::Value(Value::Integer(default as i64)),
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
