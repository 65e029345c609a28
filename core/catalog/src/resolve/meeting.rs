//! Names that meet: members of one object, root fields of the schema, types of the schema.
//!
//! Only meetings in which this owner's element takes part are reported, at its place, and with
//! both owners: what others have among themselves was right before.

use std::collections::HashMap;

use super::{Resolver, path, under};
use crate::{
    Catalogue, Issue, Key, Kind, Object, ObjectEntry, PLATFORM_TYPES, PathSegment,
    RESERVED_OBJECT_SUFFIXES, Towards, Via, capitalised,
};

/// Something that has a name, and whose it is.
#[derive(Clone)]
struct Bearer {
    owner: String,
    /// How it is called in a message: `relata/company`, or `the field relata/name`.
    what: String,
    /// Where it stands in the document, if it is this owner's.
    place: Option<Vec<PathSegment>>,
}

impl Resolver<'_> {
    /// All names of the target.
    pub(super) fn check_names(&mut self, target: &Catalogue) {
        for object in &target.objects {
            self.check_members(target, object);
        }
        self.check_roots(target);
        self.check_types(target);
    }

    /// Fields of an object, and inverses of relations that point at it.
    fn check_members(&mut self, target: &Catalogue, object: &Object) {
        let mut members: Vec<(String, Bearer)> = Vec::new();
        for field in &object.fields {
            let place = self.own_field(&object.key, &field.key).map(|own| {
                let definition = &self.blueprint.objects[own.entry].members().fields[own.position];
                under(
                    own.path(),
                    if definition.name.is_some() {
                        "name"
                    } else {
                        "key"
                    },
                )
            });
            members.push((
                field.name.clone(),
                Bearer {
                    owner: field.key.owner().to_owned(),
                    what: format!("the field {}", field.key),
                    place,
                },
            ));
        }
        for (position, one_of) in object.one_of.iter().enumerate() {
            members.push((
                one_of.name.clone(),
                Bearer {
                    owner: one_of.key.owner().to_owned(),
                    what: format!("the alternatives {}", one_of.key),
                    place: self
                        .object_place(&object.key, "oneOf")
                        .map(|place| under(under(place, position), "name")),
                },
            ));
        }
        for list in target.lists_of(&object.key) {
            let (source, field) = list.relation;
            let source = target.object(source);
            let field = source.field(field);
            let what = match list.via {
                Via::Relation(_) => "inverse",
                Via::Link { .. } => "through",
                Via::Tree { towards, .. } => match towards {
                    Towards::Ancestors => "ancestors",
                    Towards::Descendants => "descendants",
                },
            };
            members.push((
                list.list.name.clone(),
                Bearer {
                    owner: field.key.owner().to_owned(),
                    what: match list.via {
                        Via::Relation(_) => {
                            format!("the inverse of {} of {}", field.key, source.key)
                        }
                        _ => format!("the list {what} of {} of {}", field.key, source.key),
                    },
                    place: self
                        .own_field(&source.key, &field.key)
                        .map(|own| under(under(own.path(), what), "name")),
                },
            ));
        }
        self.report_meetings(members, &format!("on {}", object.singular));
    }

    /// Singular and plural names are root fields of the query type.
    fn check_roots(&mut self, target: &Catalogue) {
        let mut roots = Vec::new();
        for object in &target.objects {
            for (name, segment) in [(&object.singular, "name"), (&object.plural, "plural")] {
                // One's own singular and plural meet in the object's own check.
                if segment == "plural" && object.plural == object.singular {
                    continue;
                }
                roots.push((
                    name.clone(),
                    Bearer {
                        owner: object.owner().to_owned(),
                        what: format!("the object {}", object.key),
                        place: self.object_place(&object.key, segment),
                    },
                ));
            }
        }
        self.report_meetings(roots, "among the objects");
    }

    fn object_place(&self, object: &Key, segment: &str) -> Option<Vec<PathSegment>> {
        let entry = *self.defined.get(object)?;
        let ObjectEntry::Define(definition) = &self.blueprint.objects[entry] else {
            return None;
        };
        let segment = if segment == "name" && definition.name.is_none() {
            "key"
        } else {
            segment
        };
        Some(path(&["objects".into(), entry.into(), segment.into()]))
    }

    /// Types: of objects and what is derived from them, enums of selects, the platform's own.
    fn check_types(&mut self, target: &Catalogue) {
        let platform = Bearer {
            owner: "the platform".to_owned(),
            what: "a type of the schema itself".to_owned(),
            place: None,
        };
        let mut types: Vec<(String, Bearer)> = PLATFORM_TYPES
            .iter()
            .map(|name| ((*name).to_owned(), platform.clone()))
            .collect();
        for object in &target.objects {
            let bearer = Bearer {
                owner: object.owner().to_owned(),
                what: format!("the object {}", object.key),
                place: self.object_place(&object.key, "name"),
            };
            let type_name = object.type_name();
            for suffix in RESERVED_OBJECT_SUFFIXES {
                types.push((
                    format!("{type_name}{suffix}"),
                    Bearer {
                        place: None,
                        ..bearer.clone()
                    },
                ));
            }
            types.push((type_name, bearer));
        }
        for object in &target.objects {
            for field in &object.fields {
                if !matches!(field.kind, Kind::Select { .. } | Kind::MultiSelect { .. }) {
                    continue;
                }
                let place = self.own_field(&object.key, &field.key).map(|own| {
                    let definition =
                        &self.blueprint.objects[own.entry].members().fields[own.position];
                    under(
                        own.path(),
                        if definition.name.is_some() {
                            "name"
                        } else {
                            "key"
                        },
                    )
                });
                types.push((
                    enum_name(&object.singular, &field.name),
                    Bearer {
                        owner: field.key.owner().to_owned(),
                        what: format!("the options of {} of {}", field.key, object.key),
                        place,
                    },
                ));
            }
        }
        let mut first: HashMap<String, Bearer> = HashMap::new();
        for (name, bearer) in types {
            let Some(other) = first.get(&name) else {
                first.insert(name, bearer);
                continue;
            };
            let (place, rival) = match (&bearer.place, &other.place) {
                (Some(place), _) => (place.clone(), other),
                (None, Some(place)) => (place.clone(), &bearer),
                (None, None) => continue,
            };
            // Two objects of one name are told by their root fields.
            if bearer.what.starts_with("the object") && other.what.starts_with("the object") {
                continue;
            }
            let issue = Issue::new(
                "NAME_TAKEN",
                format!(
                    "this would be the GraphQL type \"{name}\", which is {} ({}): {} must choose \
                     another name",
                    rival.what, rival.owner, self.owner
                ),
            )
            .with("type", name.clone())
            .with("owner", rival.owner.clone());
            self.report(place, issue);
        }
    }

    fn report_meetings(&mut self, bearers: Vec<(String, Bearer)>, whereabouts: &str) {
        let mut first: HashMap<String, Bearer> = HashMap::new();
        for (name, bearer) in bearers {
            let Some(other) = first.get(&name) else {
                first.insert(name, bearer);
                continue;
            };
            let (place, rival) = match (&bearer.place, &other.place) {
                (Some(place), _) => (place.clone(), other),
                (None, Some(place)) => (place.clone(), &bearer),
                (None, None) => continue,
            };
            let issue = if rival.owner == self.owner {
                Issue::new(
                    "DUPLICATE_NAME",
                    format!(
                        "the name \"{name}\" is taken {whereabouts} by {}",
                        rival.what
                    ),
                )
            } else {
                Issue::new(
                    "NAME_TAKEN",
                    format!(
                        "the name \"{name}\" is taken {whereabouts} by {}, which belongs to {}: \
                         {} must choose another name",
                        rival.what, rival.owner, self.owner
                    ),
                )
                .with("owner", rival.owner.clone())
            };
            self.report(place, issue.with("name", name));
        }
    }
}

/// Name of the enum type of a select: `CompanyIndustry`.
#[must_use]
pub(crate) fn enum_name(singular: &str, field: &str) -> String {
    format!("{}{}", capitalised(singular), capitalised(field))
}
