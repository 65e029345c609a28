//! A document once it has been parsed and validated, and one of its operations chosen.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, parser,
    parser::types::{
        Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition,
        OperationDefinition, OperationType, Selection, SelectionSet, Type,
    },
};
use async_graphql_value::ConstValue;
use serde_json::Value as Json;

use super::inputs::Variables;
use crate::schema::types::Declared;

/// One operation of a valid document.
pub(crate) struct Prepared {
    pub(crate) operation: OperationType,
    pub(crate) selection: SelectionSet,
    pub(crate) fragments: HashMap<Name, Positioned<FragmentDefinition>>,
    pub(crate) variables: Vec<VariableDefinition>,
    /// The same as they were written: for introspection.
    pub(crate) variable_definitions: Vec<Positioned<parser::types::VariableDefinition>>,
    /// Bytes that it weighs in a cache, roughly.
    pub(crate) weight: u32,
}

/// A variable of the operation.
pub(crate) struct VariableDefinition {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) default: Option<Json>,
}

/// There is no operation to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoOperation {
    /// No operation has this name.
    Unknown(String),
    /// There are several, and none was named.
    Unnamed,
}

impl std::fmt::Display for NoOperation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(name) => write!(formatter, "the document has no operation `{name}`"),
            Self::Unnamed => formatter
                .write_str("the document has several operations: `operationName` says which"),
        }
    }
}

/// The operation with this name, or the only one.
pub(crate) fn choose<'d>(
    document: &'d ExecutableDocument,
    name: Option<&str>,
) -> Result<&'d OperationDefinition, NoOperation> {
    // A parser's `Single` has no name in it, `{ … }` or `query { … }`; the name of a named one
    // stands in `Multiple`, alone or not.
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(&operation.node),
        (DocumentOperations::Single(_), Some(name)) => Err(NoOperation::Unknown(name.to_owned())),
        (DocumentOperations::Multiple(operations), Some(name)) => operations
            .get(name)
            .map(|operation| &operation.node)
            .ok_or_else(|| NoOperation::Unknown(name.to_owned())),
        (DocumentOperations::Multiple(operations), None) => {
            let mut operations = operations.values();
            match (operations.next(), operations.next()) {
                (Some(only), None) => Ok(&only.node),
                _ => Err(NoOperation::Unnamed),
            }
        }
    }
}

/// What an operation with these definitions says of a variable.
pub(crate) fn declared<'d>(
    definitions: &'d [Positioned<parser::types::VariableDefinition>],
    name: &str,
) -> Option<Declared<'d>> {
    definitions
        .iter()
        .map(|definition| &definition.node)
        .find(|definition| definition.name.node == name)
        .map(|definition| Declared {
            ty: &definition.var_type.node,
            has_default: definition
                .default_value
                .as_ref()
                .is_some_and(|default| default.node != ConstValue::Null),
        })
}

impl Prepared {
    pub(crate) fn new(
        document: ExecutableDocument,
        name: Option<&str>,
        bytes: usize,
    ) -> Result<Self, NoOperation> {
        let operation = choose(&document, name)?.clone();
        Ok(Self {
            operation: operation.ty,
            selection: operation.selection_set.node,
            fragments: document.fragments,
            variables: operation
                .variable_definitions
                .iter()
                .map(|definition| VariableDefinition {
                    name: definition.node.name.node.to_string(),
                    ty: definition.node.var_type.node.clone(),
                    default: definition
                        .node
                        .default_value
                        .as_ref()
                        .and_then(|default| default.node.clone().into_json().ok()),
                })
                .collect(),
            variable_definitions: operation.variable_definitions,
            // Measured on introspection's document: about 25 bytes of tree for one of text.
            weight: u32::try_from(bytes.saturating_mul(25)).unwrap_or(u32::MAX),
        })
    }

    /// What the operation says of a variable.
    pub(crate) fn declared(&self, name: &str) -> Option<Declared<'_>> {
        declared(&self.variable_definitions, name)
    }

    /// The fields that a selection comes to: fragments opened where `applies` says that their type
    /// does, `@skip` and `@include` obeyed, the same response key merged. In the order of their
    /// first appearance, as the specification demands.
    pub(crate) fn collect<'s>(
        &'s self,
        sets: &[&'s SelectionSet],
        variables: &Variables<'_>,
        applies: &dyn Fn(&str) -> bool,
    ) -> Vec<Selected<'s>> {
        let mut collected: Vec<Selected<'s>> = Vec::new();
        let mut positions: HashMap<&'s str, usize> = HashMap::new();
        for set in sets {
            self.collect_into(set, variables, applies, &mut collected, &mut positions);
        }
        collected
    }

    fn collect_into<'s>(
        &'s self,
        set: &'s SelectionSet,
        variables: &Variables<'_>,
        applies: &dyn Fn(&str) -> bool,
        collected: &mut Vec<Selected<'s>>,
        positions: &mut HashMap<&'s str, usize>,
    ) {
        for selection in &set.items {
            if is_left_out(selection.node.directives(), variables) {
                continue;
            }
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.as_str();
                    match positions.get(key) {
                        Some(position) => {
                            let selected = &mut collected[*position];
                            selected.conflicts |= selected.field.name.node != field.node.name.node
                                || !same_arguments(selected.field, &field.node);
                            selected.sets.push(&field.node.selection_set.node);
                        }
                        None => {
                            positions.insert(key, collected.len());
                            collected.push(Selected {
                                key,
                                field: &field.node,
                                at: (field.pos.line, field.pos.column),
                                sets: vec![&field.node.selection_set.node],
                                conflicts: false,
                            });
                        }
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let fits = fragment
                        .node
                        .type_condition
                        .as_ref()
                        .is_none_or(|condition| applies(&condition.node.on.node));
                    if fits {
                        let set = &fragment.node.selection_set.node;
                        self.collect_into(set, variables, applies, collected, positions);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = self.fragments.get(&spread.node.fragment_name.node);
                    if let Some(fragment) = fragment
                        && applies(&fragment.node.type_condition.node.on.node)
                    {
                        let set = &fragment.node.selection_set.node;
                        self.collect_into(set, variables, applies, collected, positions);
                    }
                }
            }
        }
    }
}

/// A field of a selection, with all that is selected of it.
pub(crate) struct Selected<'s> {
    /// Response key.
    pub(crate) key: &'s str,
    pub(crate) field: &'s Field,
    /// Line and column.
    pub(crate) at: (usize, usize),
    pub(crate) sets: Vec<&'s SelectionSet>,
    /// The same key stands for something else elsewhere in the selection.
    pub(crate) conflicts: bool,
}

impl Selected<'_> {
    pub(crate) fn name(&self) -> &str {
        self.field.name.node.as_str()
    }
}

fn same_arguments(left: &Field, right: &Field) -> bool {
    left.arguments.len() == right.arguments.len()
        && left.arguments.iter().all(|(name, value)| {
            right
                .get_argument(&name.node)
                .is_some_and(|other| other.node == value.node)
        })
}

/// `@skip(if: true)` or `@include(if: false)`. The values of variables in them are part of the
/// shape that a plan is made for.
fn is_left_out(directives: &[Positioned<Directive>], variables: &Variables<'_>) -> bool {
    directives.iter().any(|directive| {
        let leaves_out_when = match directive.node.name.node.as_str() {
            "skip" => true,
            "include" => false,
            _ => return false,
        };
        let condition = directive
            .node
            .get_argument("if")
            .and_then(|argument| super::inputs::Input::of(&argument.node, variables))
            .and_then(|input| input.structural());
        condition == Some(Json::Bool(leaves_out_when))
    })
}
