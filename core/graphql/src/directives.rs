//! What async-graphql's validation passes over in `@skip` and `@include`, for both endpoints.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned,
    parser::types::{
        BaseType, DocumentOperations, ExecutableDocument, FragmentDefinition, InlineFragment,
        Selection, SelectionSet, Type,
    },
};
use async_graphql_value::Value;

use crate::{errors::GraphqlError, schema::types::Declared};

/// async-graphql's rules pass over `__typename` with all that stands on it: a variable that only
/// its directives use would be refused as unused, one that is not defined would be taken. On an
/// inline fragment around it they mean the same, and are looked at.
pub(crate) fn show_those_of_typenames(document: &mut ExecutableDocument) {
    let operations = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values_mut().collect(),
    };
    let mut sets = operations
        .into_iter()
        .map(|operation| &mut operation.node.selection_set.node)
        .collect::<Vec<_>>();
    sets.extend(
        document
            .fragments
            .values_mut()
            .map(|fragment| &mut fragment.node.selection_set.node),
    );
    while let Some(set) = sets.pop() {
        for item in &mut set.items {
            if let Selection::Field(field) = &mut item.node
                && field.node.name.node == "__typename"
                && !field.node.directives.is_empty()
            {
                let position = field.pos;
                let fragment = InlineFragment {
                    type_condition: None,
                    directives: std::mem::take(&mut field.node.directives),
                    selection_set: Positioned::new(
                        SelectionSet {
                            items: vec![item.clone()],
                        },
                        position,
                    ),
                };
                item.node = Selection::InlineFragment(Positioned::new(fragment, position));
                continue;
            }
            match &mut item.node {
                Selection::Field(field) => sets.push(&mut field.node.selection_set.node),
                Selection::InlineFragment(fragment) => {
                    sets.push(&mut fragment.node.selection_set.node);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

/// What is wrong with variables in `@skip` and `@include`: they are booleans. async-graphql's rule
/// for that is never called (its visitors do not hand on input values).
pub(crate) fn mistakes<'d>(
    selection: &SelectionSet,
    fragments: &HashMap<Name, Positioned<FragmentDefinition>>,
    declared: &dyn Fn(&str) -> Option<Declared<'d>>,
) -> Vec<GraphqlError> {
    let mut mistakes = Vec::new();
    let mut sets = vec![selection];
    sets.extend(
        fragments
            .values()
            .map(|fragment| &fragment.node.selection_set.node),
    );
    let boolean = Type {
        base: BaseType::Named(Name::new("Boolean")),
        nullable: false,
    };
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            for directive in selection.node.directives() {
                for (_, argument) in &directive.node.arguments {
                    if let Value::Variable(name) = &argument.node
                        && let Some(declared) = declared(name)
                        && !declared.fits(&boolean)
                    {
                        let mut error = GraphqlError::new(
                            "BAD_INPUT",
                            format!(
                                "`${name}` is of type `{}`, `Boolean!` is expected",
                                declared.ty
                            ),
                        );
                        error.locations = vec![(argument.pos.line, argument.pos.column)];
                        mistakes.push(error);
                    }
                }
            }
            match &selection.node {
                Selection::Field(field) => sets.push(&field.node.selection_set.node),
                Selection::InlineFragment(fragment) => {
                    sets.push(&fragment.node.selection_set.node);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }
    mistakes
}
