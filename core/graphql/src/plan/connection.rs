//! Lists of records: arguments, page, and what is written of them; and logs (history).

use async_graphql::parser::types::SelectionSet;
use relata_catalog::{Issue, ObjectIndex, ToMany, Value, Via};
use relata_store::{
    filter::{Deleted, Operand},
    read::{
        Connection, ConnectionMember, EdgeMember, HistoryFieldMember, HistoryMember,
        LogConnectionMember, Member, Page, PageInfoMember,
    },
};

use super::{
    coercer::Coercer,
    cost::{Cost, Size},
    draft::Draft,
    filter::everything,
    groups::Grouped,
    inputs::Input,
    prepare::Selected,
    record::typename,
};

impl<'v> Draft<'_, 'v> {
    /// A list of records: at the root, or one that belongs to the record around.
    pub(crate) fn connection(
        &mut self,
        object: ObjectIndex,
        list: Option<ToMany<'v>>,
        selected: &Selected<'v>,
    ) -> (Connection, Cost) {
        let type_name = self.planner.schema.names.type_name(object);
        let connection_type = match list.map(|list| list.via) {
            Some(Via::Link { object: link, .. }) => self.planner.schema.names.linked(link, object),
            _ => type_name.to_owned(),
        };
        let default = if list.is_some() {
            self.planner.limits.page_nested_default
        } else {
            self.planner.limits.page_default
        };
        let deleted = match self
            .argument(selected, "deleted", "Deleted")
            .and_then(|input| input.structural())
            .as_ref()
            .and_then(|value| value.as_str())
        {
            Some("INCLUDE") => Deleted::Include,
            Some("ONLY") => Deleted::Only,
            _ => Deleted::Exclude,
        };
        let given = self.argument(selected, "where", &format!("{type_name}Filter"));
        let filter = match &given {
            Some(input) => self.inside("where", |draft| {
                let is_live = deleted == Deleted::Exclude;
                draft.on_records(is_live, |draft| draft.filter(object, input, 1))
            }),
            None => everything(),
        };
        let order = match self.argument(selected, "orderBy", &format!("[{type_name}Order!]")) {
            Some(input) => self.inside("orderBy", |draft| draft.order(object, &input)),
            None => Vec::new(),
        };
        let (page, size) = self.page(selected, default);
        let mut inner = Vec::new();
        let mut groups: Vec<Cost> = Vec::new();
        let mut reads_rows = false;
        let members = self
            .selected(&selected.sets, &format!("{connection_type}Connection"), &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                self.inside(member.key, |draft| match member.name() {
                    "nodes" => {
                        reads_rows = true;
                        ConnectionMember::Nodes {
                            key,
                            members: draft.record(object, &member.sets, &mut inner),
                        }
                    }
                    "edges" => {
                        reads_rows = true;
                        ConnectionMember::Edges {
                            key,
                            members: draft.edges(
                                object,
                                list,
                                &connection_type,
                                &member.sets,
                                &mut inner,
                            ),
                        }
                    }
                    "pageInfo" => {
                        reads_rows = true;
                        ConnectionMember::PageInfo {
                            key,
                            members: draft.page_info(&member.sets),
                        }
                    }
                    "totalCount" => ConnectionMember::TotalCount { key },
                    "aggregate" => ConnectionMember::Aggregate {
                        key,
                        members: draft.aggregate(object, &member.sets),
                    },
                    "groups" => {
                        let of = Grouped {
                            object,
                            list,
                            filter: given.as_ref(),
                        };
                        draft.groups(key, &of, member, &mut groups)
                    }
                    _ => typename!(
                        ConnectionMember,
                        key,
                        &format!("{connection_type}Connection")
                    ),
                })
            })
            .collect();
        let size = if reads_rows { size } else { Size::Known(1) };
        let connection = Connection {
            object,
            via: list.map(|list| list.via),
            filter,
            order,
            page,
            deleted,
            members,
        };
        let mut cost = Cost { size, inner };
        if !groups.is_empty() {
            // They stand beside the records, not inside each of them.
            groups.push(cost);
            cost = Cost::one(groups);
        }
        (connection, cost)
    }

    fn edges(
        &mut self,
        object: ObjectIndex,
        list: Option<ToMany<'v>>,
        connection_type: &str,
        sets: &[&'v SelectionSet],
        inner: &mut Vec<Cost>,
    ) -> Vec<EdgeMember> {
        let edge = format!("{connection_type}Edge");
        self.selected(sets, &edge, &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                let via = list.map(|list| list.via);
                self.inside(member.key, |draft| match (member.name(), via) {
                    ("node", _) => EdgeMember::Node {
                        key,
                        members: draft.record(object, &member.sets, inner),
                    },
                    ("cursor", _) => EdgeMember::Cursor { key },
                    ("link", Some(Via::Link { object: link, .. })) => EdgeMember::Link {
                        key,
                        members: draft.record(link, &member.sets, inner),
                    },
                    _ => typename!(EdgeMember, key, &edge),
                })
            })
            .collect()
    }

    pub(crate) fn page_info(&mut self, sets: &[&'v SelectionSet]) -> Vec<PageInfoMember> {
        self.selected(sets, "PageInfo", &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                match member.name() {
                    "hasNextPage" => PageInfoMember::HasNextPage { key },
                    "hasPreviousPage" => PageInfoMember::HasPreviousPage { key },
                    "startCursor" => PageInfoMember::StartCursor { key },
                    "endCursor" => PageInfoMember::EndCursor { key },
                    _ => typename!(PageInfoMember, key, "PageInfo"),
                }
            })
            .collect()
    }

    /// An argument, once it has been checked against its type. None: not given, or wrong.
    pub(crate) fn argument(
        &mut self,
        selected: &Selected<'v>,
        name: &str,
        ty: &str,
    ) -> Option<Input<'v>> {
        let literal = &selected.field.get_argument(name)?.node;
        let ty = async_graphql::parser::types::Type::new(ty)?;
        let prepared = self.planner.prepared;
        let found = self
            .planner
            .schema
            .inputs
            .check_literal(&ty, literal, &|name| prepared.declared(name));
        if !found.is_empty() {
            self.inside(name, |draft| {
                for issue in found.0 {
                    draft.issue(issue);
                }
            });
            return None;
        }
        Input::of(literal, self.planner.variables)
    }

    /// The part of a list that is asked for, and how many records that can be.
    pub(crate) fn page(&mut self, selected: &Selected<'v>, default: u64) -> (Page, Size) {
        let first = self.argument(selected, "first", "Int").filter(is_given);
        let last = self.argument(selected, "last", "Int").filter(is_given);
        if first.is_some() && last.is_some() {
            self.issue(Issue::new(
                "CONFLICT",
                "`first` and `last` exclude each other",
            ));
        }
        let mut page = Page::default();
        let size = if let Some(last) = last {
            let operand = self.inside("last", |draft| {
                draft.operand(&last, Coercer::PageSize, false)
            });
            let size = Size::of(&operand);
            page.last = Some(operand);
            size
        } else if let Some(first) = first {
            let operand = self.inside("first", |draft| {
                draft.operand(&first, Coercer::PageSize, false)
            });
            let size = Size::of(&operand);
            page.first = Some(operand);
            size
        } else {
            // Below 2^53 by its setting.
            page.first = Some(Operand::Value(Value::Integer(default as i64)));
            Size::Known(default)
        };
        for (name, ty, coercer) in [
            ("after", "String", Coercer::Cursor),
            ("before", "String", Coercer::Cursor),
            ("offset", "Int", Coercer::Offset),
        ] {
            let Some(input) = self.argument(selected, name, ty).filter(is_given) else {
                continue;
            };
            let operand = self.inside(name, |draft| draft.operand(&input, coercer, false));
            match name {
                "after" => page.after = Some(operand),
                "before" => page.before = Some(operand),
                _ => page.offset = Some(operand),
            }
        }
        (page, size)
    }

    /// A record's history.
    pub(crate) fn history(
        &mut self,
        key: String,
        selected: &Selected<'v>,
        costs: &mut Vec<Cost>,
    ) -> Member {
        let (page, size) = self.page(selected, self.planner.limits.page_nested_default);
        costs.push(Cost {
            size,
            inner: Vec::new(),
        });
        let members = self
            .selected(&selected.sets, "HistoryConnection", &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                self.inside(member.key, |draft| match member.name() {
                    "nodes" => LogConnectionMember::Nodes {
                        key,
                        members: draft.history_entry(&member.sets),
                    },
                    "pageInfo" => LogConnectionMember::PageInfo {
                        key,
                        members: draft.page_info(&member.sets),
                    },
                    "totalCount" => LogConnectionMember::TotalCount { key },
                    _ => typename!(LogConnectionMember, key, "HistoryConnection"),
                })
            })
            .collect();
        Member::History { key, page, members }
    }

    fn history_entry(&mut self, sets: &[&'v SelectionSet]) -> Vec<HistoryMember> {
        self.selected(sets, "HistoryEntry", &[])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                match member.name() {
                    "version" => HistoryMember::Version { key },
                    "at" => HistoryMember::At { key },
                    "change" => HistoryMember::Change { key },
                    "by" => HistoryMember::By {
                        key,
                        members: self.actor(member),
                    },
                    "merged" => HistoryMember::Merged { key },
                    "fields" => HistoryMember::Fields {
                        key,
                        members: self
                            .selected(&member.sets, "HistoryField", &[])
                            .iter()
                            .map(|field| {
                                let key = field.key.to_owned();
                                match field.name() {
                                    "name" => HistoryFieldMember::Name { key },
                                    "old" => HistoryFieldMember::Old { key },
                                    "new" => HistoryFieldMember::New { key },
                                    _ => typename!(HistoryFieldMember, key, "HistoryField"),
                                }
                            })
                            .collect(),
                    },
                    _ => typename!(HistoryMember, key, "HistoryEntry"),
                }
            })
            .collect()
    }
}

/// Null for a page argument means what leaving it out means.
fn is_given(input: &Input<'_>) -> bool {
    !input.is_null()
}
