//! What is selected of a record, as members that the store writes.

use relata_catalog::{Field, FieldIndex, Kind, ObjectIndex, OneOf};
use relata_store::{
    filter::{ColumnRef, SystemColumn},
    read::{ActorMember, ActorMembers, ListMember, Member, PartMember},
};

use super::{cost::Cost, draft::Draft, prepare::Selected};

/// JSON text of a name that has nothing to escape.
pub(crate) fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// `__typename`
macro_rules! typename {
    ($member:ident, $key:expr, $name:expr) => {
        $member::Literal {
            key: $key,
            json: $crate::plan::record::quoted($name),
        }
    };
}
pub(crate) use typename;

/// Where files are: below the address of the server.
const FILES_ADDRESS: &str = "/files/";

impl<'p, 'v> Draft<'p, 'v> {
    /// Fields of a selection on this concrete type, and on what it implements or belongs to.
    pub(crate) fn selected(
        &mut self,
        sets: &[&'v async_graphql::parser::types::SelectionSet],
        type_name: &str,
        also: &[&str],
    ) -> Vec<Selected<'v>> {
        let planner = self.planner;
        let selected = planner.prepared.collect(sets, planner.variables, &|name| {
            name == type_name || also.contains(&name)
        });
        for field in &selected {
            if field.conflicts {
                self.inside(field.key, |draft| {
                    draft.issue(relata_catalog::Issue::new(
                        "CONFLICT",
                        format!(
                            "`{}` stands for different fields or arguments; give each its own alias",
                            field.key
                        ),
                    ));
                });
            }
        }
        selected
    }

    /// Members of a record, and what they cost.
    pub(crate) fn record(
        &mut self,
        object: ObjectIndex,
        sets: &[&'v async_graphql::parser::types::SelectionSet],
        costs: &mut Vec<Cost>,
    ) -> Vec<Member> {
        let type_name = self.planner.schema.names.type_name(object);
        self.selected(sets, type_name, &["Node", "Record"])
            .iter()
            .map(|selected| {
                self.inside(selected.key, |draft| {
                    draft.record_member(object, type_name, selected, costs)
                })
            })
            .collect()
    }

    fn record_member(
        &mut self,
        object: ObjectIndex,
        type_name: &str,
        selected: &Selected<'v>,
        costs: &mut Vec<Cost>,
    ) -> Member {
        let key = selected.key.to_owned();
        let system = |key, column| Member::Column {
            key,
            column: ColumnRef::System(column),
        };
        match selected.name() {
            "__typename" => typename!(Member, key, type_name),
            "id" => system(key, SystemColumn::Id),
            "version" => system(key, SystemColumn::Version),
            "createdAt" => system(key, SystemColumn::CreatedAt),
            "updatedAt" => system(key, SystemColumn::UpdatedAt),
            "deletedAt" => system(key, SystemColumn::DeletedAt),
            "label" => Member::Label { key },
            "mergedInto" => Member::MergedInto { key },
            "createdBy" => self.actor_member(key, SystemColumn::CreatedBy, selected),
            "updatedBy" => self.actor_member(key, SystemColumn::UpdatedBy, selected),
            "owner" => self.actor_member(key, SystemColumn::Owner, selected),
            "history" => self.history(key, selected, costs),
            name => {
                let catalogue = self.planner.catalogue;
                let record = catalogue.object(object);
                if let Some((index, field)) = record.field_named(name) {
                    return self.field_member(object, index, field, selected, costs);
                }
                if let Some(one_of) = record.one_of.iter().find(|one_of| one_of.name == name) {
                    return self.one_of(key, object, one_of, selected, costs);
                }
                match catalogue.list_named(&record.key, name) {
                    Some(list) => {
                        let (connection, cost) = self.connection(list.object, Some(list), selected);
                        costs.push(cost);
                        Member::ToMany {
                            key,
                            connection: Box::new(connection),
                        }
                    }
                    // Validated against the schema of the same catalogue.
                    None => Member::Literal {
                        key,
                        json: "null".to_owned(),
                    },
                }
            }
        }
    }

    /// Whichever of the alternatives there is.
    fn one_of(
        &mut self,
        key: String,
        object: ObjectIndex,
        one_of: &OneOf,
        selected: &Selected<'v>,
        costs: &mut Vec<Cost>,
    ) -> Member {
        let catalogue = self.planner.catalogue;
        let record = catalogue.object(object);
        let mut targets = Vec::with_capacity(one_of.relations.len());
        for relation in &one_of.relations {
            let Some((field, described)) = record.field_keyed(relation) else {
                continue;
            };
            let Kind::Relation(relation) = &described.kind else {
                continue;
            };
            let Some((target, _)) = catalogue.object_keyed(&relation.target) else {
                continue;
            };
            let mut inner = Vec::new();
            targets.push((field, self.record(target, &selected.sets, &mut inner)));
            costs.push(Cost::one(inner));
        }
        Member::OneOf { key, targets }
    }

    fn field_member(
        &mut self,
        object: ObjectIndex,
        index: FieldIndex,
        field: &'v Field,
        selected: &Selected<'v>,
        costs: &mut Vec<Cost>,
    ) -> Member {
        let key = selected.key.to_owned();
        match field.shown() {
            Kind::Relation(relation) => {
                let target = self.planner.catalogue.object_keyed(&relation.target);
                let members = match target {
                    Some((target, _)) => {
                        let mut inner = Vec::new();
                        let members = self.record(target, &selected.sets, &mut inner);
                        costs.push(Cost::one(inner));
                        members
                    }
                    None => Vec::new(),
                };
                Member::ToOne {
                    key,
                    field: index,
                    members,
                }
            }
            Kind::Money { .. } => self.composite(
                key,
                index,
                selected,
                "Money",
                &[("amount", 0), ("currency", 1)],
            ),
            Kind::FullName => self.composite(
                key,
                index,
                selected,
                "FullName",
                &[("full", 0), ("given", 2), ("family", 3), ("order", 4)],
            ),
            Kind::Emails => self.composite(
                key,
                index,
                selected,
                "Emails",
                &[("primary", 0), ("additional", 2)],
            ),
            Kind::Phone => {
                self.composite(key, index, selected, "Phone", &[("e164", 0), ("typed", 1)])
            }
            Kind::Address => self.composite(
                key,
                index,
                selected,
                "Address",
                &[
                    ("street", 0),
                    ("city", 1),
                    ("region", 3),
                    ("postalCode", 4),
                    ("country", 5),
                ],
            ),
            Kind::GeoPoint => self.composite(
                key,
                index,
                selected,
                "Geo_Point",
                &[("latitude", 0), ("longitude", 1)],
            ),
            Kind::Phones => self.phones(key, index, selected),
            Kind::File { .. } => self.file(key, index, selected),
            Kind::User => Member::Actor {
                key,
                column: ColumnRef::Field {
                    field: index,
                    part: 0,
                },
                members: ActorMembers {
                    user: self.actor_as(selected, "User"),
                    ..ActorMembers::default()
                },
            },
            Kind::Stage => self.stage_member(key, object, index, field, selected, costs),
            _ => Member::Column {
                key,
                column: ColumnRef::Field {
                    field: index,
                    part: 0,
                },
            },
        }
    }

    fn composite(
        &mut self,
        key: String,
        field: FieldIndex,
        selected: &Selected<'v>,
        type_name: &str,
        parts: &[(&str, usize)],
    ) -> Member {
        Member::Composite {
            key,
            field,
            members: self.part_members(&selected.sets, type_name, parts),
        }
    }

    pub(crate) fn part_members(
        &mut self,
        sets: &[&'v async_graphql::parser::types::SelectionSet],
        type_name: &str,
        parts: &[(&str, usize)],
    ) -> Vec<PartMember> {
        self.selected(sets, type_name, &[])
            .iter()
            .map(|part| {
                let key = part.key.to_owned();
                match parts.iter().find(|(name, _)| *name == part.name()) {
                    Some((_, position)) => PartMember::Column {
                        key,
                        part: *position,
                    },
                    None => typename!(PartMember, key, type_name),
                }
            })
            .collect()
    }

    fn file(&mut self, key: String, field: FieldIndex, selected: &Selected<'v>) -> Member {
        let parts = [
            ("id", 0),
            ("name", 1),
            ("contentType", 3),
            ("size", 4),
            ("sha256", 5),
        ];
        let members = self
            .selected(&selected.sets, "File_Value", &[])
            .iter()
            .map(|part| {
                let key = part.key.to_owned();
                match parts.iter().find(|(name, _)| *name == part.name()) {
                    Some((_, position)) => PartMember::Column {
                        key,
                        part: *position,
                    },
                    None if part.name() == "url" => PartMember::Address {
                        key,
                        part: 0,
                        before: FILES_ADDRESS,
                    },
                    None => typename!(PartMember, key, "File_Value"),
                }
            })
            .collect();
        Member::Composite {
            key,
            field,
            members,
        }
    }

    fn phones(&mut self, key: String, field: FieldIndex, selected: &Selected<'v>) -> Member {
        let members = self
            .selected(&selected.sets, "Phones", &[])
            .iter()
            .map(|part| {
                let key = part.key.to_owned();
                match part.name() {
                    "primary" => PartMember::Object {
                        key,
                        members: self.part_members(
                            &part.sets,
                            "Phone",
                            &[("e164", 0), ("typed", 1)],
                        ),
                    },
                    "additional" => PartMember::List {
                        key,
                        part: 2,
                        members: self
                            .selected(&part.sets, "Phone", &[])
                            .iter()
                            .map(|member| {
                                let key = member.key.to_owned();
                                match member.name() {
                                    "__typename" => typename!(ListMember, key, "Phone"),
                                    name => ListMember::Stored {
                                        key,
                                        name: name.to_owned(),
                                    },
                                }
                            })
                            .collect(),
                    },
                    _ => typename!(PartMember, key, "Phones"),
                }
            })
            .collect();
        Member::Composite {
            key,
            field,
            members,
        }
    }

    fn actor_member(
        &mut self,
        key: String,
        column: SystemColumn,
        selected: &Selected<'v>,
    ) -> Member {
        Member::Actor {
            key,
            column: ColumnRef::System(column),
            members: self.actor(selected),
        }
    }

    /// What is selected of an actor or owner, for each thing that it can be.
    pub(crate) fn actor(&mut self, selected: &Selected<'v>) -> ActorMembers {
        ActorMembers {
            user: self.actor_as(selected, "User"),
            token: self.actor_as(selected, "Token"),
            plugin: self.actor_as(selected, "Plugin"),
            system: self.actor_as(selected, "System"),
        }
    }

    fn actor_as(&mut self, selected: &Selected<'v>, type_name: &str) -> Vec<ActorMember> {
        self.selected(&selected.sets, type_name, &["Actor", "Owner"])
            .iter()
            .map(|member| {
                let key = member.key.to_owned();
                match member.name() {
                    "id" => ActorMember::Id { key },
                    "name" if type_name == "System" => typename!(ActorMember, key, "System"),
                    "name" => ActorMember::Name { key },
                    "email" => ActorMember::Email { key },
                    _ => typename!(ActorMember, key, type_name),
                }
            })
            .collect()
    }
}
