//! Names of types that an object brings with it.
//!
//! `Company`, `CompanyFilter`, `CompanyIndustry` … An object or a field whose types would take
//! the name of another type gives way with an underscore, which no name of an object contains:
//! the later in the catalogue yields, so the answer is the same on every server.

use std::collections::{HashMap, HashSet};

use relata_catalog::{Catalogue, FieldIndex, Kind, ObjectIndex, PLATFORM_TYPES, capitalised};

/// What an object's name is followed by in names of types.
const SUFFIXES: &[&str] = &[
    "",
    "Filter",
    "ListFilter",
    "Order",
    "Create",
    "Update",
    "Key",
    "Connection",
    "Edge",
    "Bulk",
    "Unique",
    "Aggregate",
    "Group",
    "GroupBy",
    "GroupKey",
    "GroupKeyOrder",
    "GroupOrder",
    "GroupConnection",
    "Having",
    "Match",
    "MatchInput",
];

/// Names of types by position in the catalogue.
#[derive(Debug)]
pub(crate) struct Names {
    objects: Vec<ObjectNames>,
    by_type_name: HashMap<String, ObjectIndex>,
}

#[derive(Debug)]
struct ObjectNames {
    type_name: String,
    /// Enum of a select field, by position of the field.
    enums: Vec<Option<String>>,
}

impl Names {
    pub(crate) fn of(catalogue: &Catalogue) -> Self {
        let mut taken: HashSet<String> = PLATFORM_TYPES
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        let mut objects = Vec::with_capacity(catalogue.objects.len());
        for object in &catalogue.objects {
            let mut type_name = object.type_name();
            while SUFFIXES
                .iter()
                .any(|suffix| taken.contains(&format!("{type_name}{suffix}")))
            {
                type_name.push('_');
            }
            for suffix in SUFFIXES {
                taken.insert(format!("{type_name}{suffix}"));
            }
            objects.push(ObjectNames {
                type_name,
                enums: Vec::new(),
            });
        }
        // Enums come after all objects, so that a field never takes an object's name.
        for (object, names) in catalogue.objects.iter().zip(&mut objects) {
            names.enums = object
                .fields
                .iter()
                .map(|field| match &field.kind {
                    Kind::Select { .. } | Kind::MultiSelect { .. } => {
                        let mut name = format!("{}{}", names.type_name, capitalised(&field.name));
                        while ["", "Filter", "ListFilter"]
                            .iter()
                            .any(|suffix| taken.contains(&format!("{name}{suffix}")))
                        {
                            name.push('_');
                        }
                        for suffix in ["", "Filter", "ListFilter"] {
                            taken.insert(format!("{name}{suffix}"));
                        }
                        Some(name)
                    }
                    _ => None,
                })
                .collect();
        }
        let by_type_name = (0..)
            .zip(&objects)
            .map(|(index, object)| (object.type_name.clone(), ObjectIndex(index)))
            .collect();
        Self {
            objects,
            by_type_name,
        }
    }

    /// The objects that may have brought a type of this name, the likeliest first: their names are
    /// how it begins.
    pub(crate) fn owners_of(&self, type_name: &str) -> impl Iterator<Item = ObjectIndex> {
        let bytes = type_name.as_bytes();
        let ends = (1..=bytes.len()).rev().filter(move |end| {
            bytes
                .get(*end)
                .is_none_or(|next| next.is_ascii_uppercase() || *next == b'_')
        });
        ends.filter_map(move |end| self.by_type_name.get(type_name.get(..end)?).copied())
    }

    /// `Company`
    pub(crate) fn type_name(&self, object: ObjectIndex) -> &str {
        &self.objects[object.0].type_name
    }

    /// `Employment_Person`, of a list of people that goes by employments.
    pub(crate) fn linked(&self, link: ObjectIndex, object: ObjectIndex) -> String {
        format!("{}_{}", self.type_name(link), self.type_name(object))
    }

    /// `CompanyIndustry`
    pub(crate) fn enum_name(&self, object: ObjectIndex, field: FieldIndex) -> Option<&str> {
        self.objects[object.0].enums.get(field.0)?.as_deref()
    }
}
