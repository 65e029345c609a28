//! What async-graphql's validation passes over, for both endpoints: whatever stands on `__typename`,
//! and what `@skip` and `@include` are given.

use std::collections::HashMap;

use async_graphql::{
    Name, Pos, Positioned,
    parser::types::{
        BaseType, DocumentOperations, ExecutableDocument, Field, FragmentDefinition,
        InlineFragment, Selection, SelectionSet, Type,
    },
};
use async_graphql_value::Value;

use crate::{errors::GraphqlError, schema::types::Declared};

/// async-graphql's rules pass over `__typename` with all that stands on it: a variable that only
/// its directives use would be refused as unused, one that is not defined would be taken. On an
/// inline fragment around it they mean the same, and are looked at.
pub(crate) fn show_directives_of_typenames(document: &mut ExecutableDocument) {
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

/// What is wrong with a selection that async-graphql has nothing to say about.
///
/// `@skip` and `@include` take booleans: its rule for variables is never called (its visitors do
/// not hand on input values). `__typename` takes no arguments, and nothing can be selected of it.
pub(crate) fn mistakes<'d>(
    selection: &SelectionSet,
    fragments: &HashMap<Name, Positioned<FragmentDefinition>>,
    declared: &dyn Fn(&str) -> Option<Declared<'d>>,
) -> Vec<GraphqlError> {
    let mut mistakes = Vec::new();
    let mut mistake = |at: Pos, message: String| {
        let mut error = GraphqlError::new("BAD_INPUT", message);
        error.locations = vec![(at.line, at.column)];
        mistakes.push(error);
    };
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
            let arguments = selection.node.directives().iter();
            for (_, argument) in arguments.flat_map(|directive| &directive.node.arguments) {
                match &argument.node {
                    Value::Boolean(_) => {}
                    Value::Variable(name) => {
                        if let Some(declared) = declared(name)
                            && !declared.fits(&boolean)
                        {
                            let message = format!(
                                "`${name}` is of type `{}`, `Boolean!` is expected",
                                declared.ty
                            );
                            mistake(argument.pos, message);
                        }
                    }
                    other => mistake(
                        argument.pos,
                        format!("true or false is expected, not {other}"),
                    ),
                }
            }
            match &selection.node {
                Selection::Field(field) => {
                    let Field {
                        name,
                        arguments,
                        selection_set,
                        ..
                    } = &field.node;
                    let has_more = !arguments.is_empty() || !selection_set.node.items.is_empty();
                    if name.node == "__typename" && has_more {
                        let message =
                            "`__typename` takes no arguments, and nothing is selected of it";
                        mistake(field.pos, message.to_owned());
                    }
                    sets.push(&selection_set.node);
                }
                Selection::InlineFragment(fragment) => {
                    sets.push(&fragment.node.selection_set.node);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }
    mistakes
}
