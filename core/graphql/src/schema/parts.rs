//! Which objects a document speaks of.
//!
//! An object is named by its fields of `Query` and `Mutation`, by its types, and by the relations
//! that lead to it from an object that is named. That a name may mean something else as well does
//! no harm: then there is one object more.

use std::collections::{BTreeSet, HashSet};

use async_graphql::{
    Positioned,
    parser::types::{
        BaseType, Directive, ExecutableDocument, OperationDefinition, Selection, SelectionSet, Type,
    },
};
use async_graphql_value::Value;
use relata_catalog::{Catalogue, Kind, ObjectIndex, Via, capitalised};

use super::{duplicates::dismissing, names::Names};

/// What the names of mutations begin with.
const VERBS: [&str; 8] = [
    "create", "update", "upsert", "delete", "restore", "destroy", "merge", "unmerge",
];

/// The objects, in the order of the catalogue.
pub(super) fn named(
    catalogue: &Catalogue,
    names: &Names,
    document: &ExecutableDocument,
) -> Vec<ObjectIndex> {
    let mut words = Words::default();
    for (_, operation) in document.operations.iter() {
        words.operation(&operation.node);
    }
    for fragment in document.fragments.values() {
        words
            .types
            .insert(&fragment.node.type_condition.node.on.node);
        words.directives(&fragment.node.directives);
        words.selections(&fragment.node.selection_set.node);
    }
    let mut found: BTreeSet<usize> = words
        .types
        .iter()
        .flat_map(|name| names.owners_of(name))
        .map(|object| object.0)
        .collect();
    let written: HashSet<&str> = words
        .members
        .iter()
        .flat_map(|name| VERBS.iter().filter_map(|verb| name.strip_prefix(verb)))
        .collect();
    for (position, object) in catalogue.objects.iter().enumerate() {
        let duplicates = format!("{}Duplicates", object.singular);
        let preview = format!("{}MergePreview", object.singular);
        let sets = format!("{}Duplicates", object.plural);
        let dismiss = dismissing("dismiss", object);
        let undismiss = dismissing("undismiss", object);
        let read = [
            &object.singular,
            &object.plural,
            &duplicates,
            &sets,
            &dismiss,
            &undismiss,
            &preview,
        ];
        if read
            .iter()
            .any(|name| words.members.contains(name.as_str()))
            || (!written.is_empty()
                && (written.contains(&*object.type_name())
                    || written.contains(&*capitalised(&object.plural))))
        {
            found.insert(position);
        }
    }
    let mut waiting: Vec<usize> = found.iter().copied().collect();
    while let Some(position) = waiting.pop() {
        let object = &catalogue.objects[position];
        let targets = object.fields.iter().filter_map(|field| match &field.kind {
            Kind::Relation(relation) if words.members.contains(field.name.as_str()) => {
                let (target, _) = catalogue.object_keyed(&relation.target)?;
                Some(target.0)
            }
            _ => None,
        });
        let listed = catalogue
            .lists_of(&object.key)
            .filter(|list| words.members.contains(list.list.name.as_str()))
            .flat_map(|list| {
                let link = match list.via {
                    Via::Link { object, .. } => Some(object.0),
                    Via::Relation(_) | Via::Tree { .. } => None,
                };
                [Some(list.object.0), link].into_iter().flatten()
            });
        waiting.extend(targets.chain(listed).filter(|next| found.insert(*next)));
    }
    found.into_iter().map(ObjectIndex).collect()
}

/// All words of a document.
#[derive(Default)]
struct Words<'d> {
    types: HashSet<&'d str>,
    /// Fields, and members of literal objects.
    members: HashSet<&'d str>,
}

impl<'d> Words<'d> {
    fn operation(&mut self, operation: &'d OperationDefinition) {
        for variable in &operation.variable_definitions {
            self.ty(&variable.node.var_type.node);
            self.directives(&variable.node.directives);
        }
        self.directives(&operation.directives);
        self.selections(&operation.selection_set.node);
    }

    fn ty(&mut self, ty: &'d Type) {
        match &ty.base {
            BaseType::Named(name) => {
                self.types.insert(name);
            }
            BaseType::List(inner) => self.ty(inner),
        }
    }

    fn directives(&mut self, directives: &'d [Positioned<Directive>]) {
        for directive in directives {
            for (_, value) in &directive.node.arguments {
                self.value(&value.node);
            }
        }
    }

    fn selections(&mut self, set: &'d SelectionSet) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    self.members.insert(&field.name.node);
                    for (_, value) in &field.arguments {
                        self.value(&value.node);
                    }
                    self.directives(&field.directives);
                    self.selections(&field.selection_set.node);
                }
                Selection::InlineFragment(fragment) => {
                    let fragment = &fragment.node;
                    if let Some(condition) = &fragment.type_condition {
                        self.types.insert(&condition.node.on.node);
                    }
                    self.directives(&fragment.directives);
                    self.selections(&fragment.selection_set.node);
                }
                Selection::FragmentSpread(spread) => self.directives(&spread.node.directives),
            }
        }
    }

    fn value(&mut self, value: &'d Value) {
        match value {
            Value::List(items) => items.iter().for_each(|item| self.value(item)),
            Value::Object(members) => {
                for (name, value) in members {
                    self.members.insert(name);
                    self.value(value);
                }
            }
            _ => {}
        }
    }
}
