//! From a valid operation to a plan: for each root field what is done, with everything decided
//! that does not depend on the values of this very request.
//!
//! A plan is made for a *shape* of the variables (which of them are given, the structure of those
//! that hold a filter or an order, the values of booleans and directions) and serves all requests
//! of that shape: what is left for each of them is to coerce values, run prepared SQL and write
//! bytes. Nothing here touches a database.
//!
//! Invariant: a mistake in what the client gave is collected with its path, never thrown; a plan
//! exists only where there is none.

mod aggregate;
pub(crate) mod bulk;
pub(crate) mod coercer;
mod connection;
pub(crate) mod cost;
mod draft;
pub(crate) mod duplicates;
mod filter;
mod groups;
pub(crate) mod inputs;
pub(crate) mod merge;
mod order;
pub(crate) mod pick;
pub(crate) mod prepare;
mod record;
pub(crate) mod search;
mod stage;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_graphql::{
    Positioned,
    parser::types::{
        DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection,
        SelectionSet,
    },
};
use bytes::Bytes;
use relata_catalog::{Catalogue, Issue, Issues, ObjectIndex};
use relata_store::{
    Backend,
    filter::Operand,
    read::{CompileError, Compiled, Parameter, Read, Runs, compile},
};

use self::{
    bulk::BulkStep,
    coercer::{CoerceContext, Coercer, LIMITS},
    cost::Cost,
    draft::Draft,
    inputs::{Input, Slot, Template, Variables},
    pick::Pick,
    prepare::{Prepared, Selected},
    record::quoted,
};
use crate::{errors::GraphqlError, limits::RecordsLimits, schema::RecordSchema};

/// What is done to answer an operation.
pub(crate) struct Plan {
    pub(crate) is_mutation: bool,
    /// In the order of the response.
    pub(crate) roots: Vec<Root>,
}

/// One root field.
pub(crate) struct Root {
    /// Response key.
    pub(crate) key: String,
    /// Line and column in the document.
    pub(crate) at: (usize, usize),
    /// Whether null may stand for it when it fails.
    pub(crate) nullable: bool,
    pub(crate) step: Step,
}

/// What is done for a root field.
pub(crate) enum Step {
    /// Records, one or many.
    Read(ReadStep),
    /// A record of some object: one read for each, the first answer counts.
    Node(Vec<ReadStep>),
    /// A record is changed, and read back.
    Write(Box<WriteStep>),
    /// Many records are changed, and some of them read back.
    Bulk(Box<BulkStep>),
    /// Records by their words.
    Search(Box<search::SearchStep>),
    /// Records that may be the same.
    Duplicates(Box<search::DuplicatesStep>),
    /// Records of a whole object that may be the same.
    DuplicateSets(Box<duplicates::DuplicateSetsStep>),
    /// Records are said to be different, or no longer.
    Dismiss(Box<duplicates::DismissStep>),
    /// What a merge would do.
    MergePreview(Box<merge::MergePreviewStep>),
    /// A merge is undone.
    Unmerge(Box<merge::UnmergeStep>),
    /// A plugin's operation.
    Plugin(PluginStep),
    /// On whose behalf this runs.
    Viewer(Vec<Pick>),
    /// Known beforehand (`__typename`).
    Literal(String),
    /// The schema about itself.
    Introspection(Box<IntrospectionStep>),
}

/// A compiled read and how its parameters are made.
pub(crate) struct ReadStep {
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) cost: Cost,
    /// One record, whose id the client gives by the first parameter.
    pub(crate) by_id: bool,
}

/// A change of one record.
pub(crate) struct WriteStep {
    pub(crate) object: ObjectIndex,
    pub(crate) change: Change,
    /// What is selected of the record afterwards; its first parameter is the id. None: the id
    /// itself is the answer.
    pub(crate) read: Option<ReadStep>,
}

/// What is done to a record.
pub(crate) enum Change {
    Create {
        data: Template,
    },
    Update {
        id: Template,
        data: Template,
        if_version: Option<Template>,
    },
    Delete {
        id: Template,
    },
    Restore {
        id: Template,
    },
    Destroy {
        id: Template,
    },
    Merge(merge::MergeArguments),
}

/// A plugin's operation and what is selected of its result.
pub(crate) struct PluginStep {
    /// Name of the field in the schema.
    pub(crate) field: String,
    pub(crate) arguments: Vec<(String, Template)>,
    pub(crate) pick: pick::Picked,
}

/// A document that holds one field of introspection.
pub(crate) struct IntrospectionStep {
    pub(crate) document: ExecutableDocument,
    /// The answer, where it depends on nothing but the schema.
    pub(crate) answer: Option<std::sync::OnceLock<Bytes>>,
}

/// Why there is no plan.
#[derive(Debug)]
pub(crate) enum NoPlan {
    /// What the client gave is wrong.
    Wrong(Vec<GraphqlError>),
    /// A read could not be compiled.
    Compile(CompileError),
}

/// What a plan is made from.
pub(crate) struct Planner<'v> {
    pub(crate) catalogue: &'v Catalogue,
    pub(crate) schema: &'v RecordSchema,
    pub(crate) backend: Backend,
    pub(crate) limits: &'v RecordsLimits,
    /// Whether the schema is told.
    pub(crate) introspection: bool,
    pub(crate) coerce: &'v relata_catalog::CoerceContext,
    /// Language of labels that are written into the plan.
    pub(crate) locale: &'v str,
    pub(crate) prepared: &'v Prepared,
    pub(crate) variables: &'v Variables<'v>,
}

impl<'v> Planner<'v> {
    pub(crate) fn coercion(&self) -> CoerceContext<'v> {
        CoerceContext {
            catalogue: self.coerce,
            list_max: self.limits.list_max,
            page_max: self.limits.page_max,
            groups_max: self.limits.groups_max,
        }
    }

    /// The plan, or everything that is wrong.
    pub(crate) fn plan(&self) -> Result<Plan, NoPlan> {
        let is_mutation = self.prepared.operation == OperationType::Mutation;
        let type_name = if is_mutation { "Mutation" } else { "Query" };
        let selected =
            self.prepared
                .collect(&[&self.prepared.selection], self.variables, &|name| {
                    name == type_name
                });
        let mut roots = Vec::with_capacity(selected.len());
        let mut wrong = Vec::new();
        for field in &selected {
            let mut draft = Draft::new(self, field.key);
            if field.conflicts {
                draft.issue(Issue::new(
                    "CONFLICT",
                    "the same name stands for different fields or arguments; give each an alias",
                ));
            }
            let root = self.root(&mut draft, type_name, field)?;
            if draft.issues.is_empty() {
                roots.push(root);
            } else {
                wrong.push(error_of(draft.issues, field));
            }
        }
        if wrong.is_empty() {
            Ok(Plan { is_mutation, roots })
        } else {
            Err(NoPlan::Wrong(wrong))
        }
    }

    fn root(
        &self,
        draft: &mut Draft<'_, 'v>,
        type_name: &str,
        field: &Selected<'v>,
    ) -> Result<Root, NoPlan> {
        let (step, nullable) = match field.name() {
            "__typename" => (Step::Literal(quoted(type_name)), false),
            "__schema" => (self.introspection(draft, field), false),
            "__type" => (self.introspection(draft, field), true),
            "viewer" if type_name == "Query" => {
                (Step::Viewer(pick::viewer(draft, &field.sets)), false)
            }
            "node" if type_name == "Query" => (self.node(draft, field)?, true),
            "search" if type_name == "Query" => (self.search(draft, field)?, false),
            name => {
                if let Some(operation) = self.schema.operations.get(name) {
                    let step = self.plugin(draft, operation, field);
                    (step, !operation.declared.is_mutation)
                } else if type_name == "Mutation" {
                    (self.write(draft, field)?, false)
                } else if let Some(step) = self.duplicates(draft, field)? {
                    (step, false)
                } else if let Some(step) = self.duplicate_sets(draft, field)? {
                    (step, false)
                } else if let Some(step) = self.merge_preview(draft, field) {
                    (step, false)
                } else {
                    self.read(draft, field)?
                }
            }
        };
        Ok(Root {
            key: field.key.to_owned(),
            at: field.at,
            nullable,
            step,
        })
    }

    /// `company` or `companies`, and whether null may stand for it.
    fn read(
        &self,
        draft: &mut Draft<'_, 'v>,
        field: &Selected<'v>,
    ) -> Result<(Step, bool), NoPlan> {
        for (position, object) in self.catalogue.objects.iter().enumerate() {
            let index = ObjectIndex(position);
            if object.singular == field.name() {
                let input = draft.argument(field, "id", "ID!");
                let step = self.one_by_id(draft, index, input.as_ref(), field)?;
                return Ok((Step::Read(step), true));
            }
            if object.plural == field.name() {
                let (connection, cost) = draft.connection(index, None, field);
                let step = self.compiled(draft, &Read::Many(connection), cost)?;
                return Ok((Step::Read(step), false));
            }
        }
        draft.issue(unknown_root(field));
        Ok((Step::Literal("null".to_owned()), true))
    }

    /// A record by the client's id. Always a parameter: a survivor's may have to take its place.
    fn one_by_id(
        &self,
        draft: &mut Draft<'_, 'v>,
        object: ObjectIndex,
        input: Option<&Input<'v>>,
        field: &Selected<'v>,
    ) -> Result<ReadStep, NoPlan> {
        let template = input.map_or(Template::Known(serde_json::Value::Null), |input| {
            input.template(self.variables)
        });
        draft.inside("id", |draft| {
            let path = draft.path.clone();
            let slot = Slot::new(template, Coercer::LenientId, false, path);
            draft.slots.push(slot);
        });
        let step = self.one(draft, object, Operand::Parameter(0), field)?;
        Ok(ReadStep {
            by_id: true,
            ..step
        })
    }

    fn one(
        &self,
        draft: &mut Draft<'_, 'v>,
        object: ObjectIndex,
        id: Operand,
        field: &Selected<'v>,
    ) -> Result<ReadStep, NoPlan> {
        let mut inner = Vec::new();
        let members = draft.record(object, &field.sets, &mut inner);
        let read = Read::One {
            object,
            id,
            members,
        };
        self.compiled(draft, &read, Cost::one(inner))
    }

    fn compiled(
        &self,
        draft: &mut Draft<'_, 'v>,
        read: &Read,
        cost: Cost,
    ) -> Result<ReadStep, NoPlan> {
        // Compiling what is wrong would be in vain; `Read::One` of nothing costs nothing.
        let runs = match self.prepared.operation {
            OperationType::Mutation => Runs::Anywhere,
            _ => Runs::OnReaders,
        };
        let compiled = if draft.issues.is_empty() {
            compile(self.catalogue, self.backend, read, runs)
        } else {
            compile(
                self.catalogue,
                self.backend,
                &Read::One {
                    object: ObjectIndex(0),
                    id: Operand::Value(relata_catalog::Value::Reference(uuid::Uuid::nil())),
                    members: Vec::new(),
                },
                runs,
            )
        }
        .map_err(NoPlan::Compile)?;
        Ok(ReadStep {
            compiled: Arc::new(compiled),
            slots: std::mem::take(&mut draft.slots),
            cost,
            by_id: false,
        })
    }

    fn node(&self, draft: &mut Draft<'_, 'v>, field: &Selected<'v>) -> Result<Step, NoPlan> {
        let input = draft.argument(field, "id", "ID!");
        let mut reads = Vec::with_capacity(self.catalogue.objects.len());
        for position in 0..self.catalogue.objects.len() {
            reads.push(self.one_by_id(draft, ObjectIndex(position), input.as_ref(), field)?);
        }
        Ok(Step::Node(reads))
    }

    fn write(&self, draft: &mut Draft<'_, 'v>, field: &Selected<'v>) -> Result<Step, NoPlan> {
        const VERBS: [&str; 5] = ["create", "update", "delete", "restore", "destroy"];
        let found = VERBS.iter().find_map(|verb| {
            let rest = field.name().strip_prefix(verb)?;
            let position = self
                .catalogue
                .objects
                .iter()
                .position(|object| object.type_name() == rest)?;
            Some((*verb, ObjectIndex(position)))
        });
        let Some((verb, object)) = found else {
            if let Some(step) = self.bulk(draft, field)? {
                return Ok(step);
            }
            if let Some(step) = self.dismiss(draft, field) {
                return Ok(step);
            }
            if let Some(step) = self.merge(draft, field)? {
                return Ok(step);
            }
            draft.issue(unknown_root(field));
            return Ok(Step::Literal("null".to_owned()));
        };
        let type_name = self.schema.names.type_name(object);
        let mut template = |name: &str, ty: &str| {
            draft
                .argument(field, name, ty)
                .map(|input| input.template(self.variables))
        };
        // What is missing has been refused by the validator, or collected just now.
        let nothing = || Template::Known(serde_json::Value::Null);
        let change = match verb {
            "create" => Change::Create {
                data: template("data", &format!("{type_name}Create!")).unwrap_or_else(nothing),
            },
            "update" => Change::Update {
                id: template("id", "ID!").unwrap_or_else(nothing),
                data: template("data", &format!("{type_name}Update!")).unwrap_or_else(nothing),
                if_version: template("ifVersion", "SafeInt"),
            },
            "delete" => Change::Delete {
                id: template("id", "ID!").unwrap_or_else(nothing),
            },
            "restore" => Change::Restore {
                id: template("id", "ID!").unwrap_or_else(nothing),
            },
            _ => Change::Destroy {
                id: template("id", "ID!").unwrap_or_else(nothing),
            },
        };
        let read = if verb == "destroy" {
            None
        } else {
            // The first parameter is the id, which no client gives.
            draft.slots.push(Slot::new(
                nothing(),
                Coercer::Cursor,
                false,
                draft.path.clone(),
            ));
            Some(self.one(draft, object, Operand::Parameter(0), field)?)
        };
        Ok(Step::Write(Box::new(WriteStep {
            object,
            change,
            read,
        })))
    }

    fn plugin(
        &self,
        draft: &mut Draft<'_, 'v>,
        operation: &'v crate::schema::Operation,
        field: &Selected<'v>,
    ) -> Step {
        let arguments = operation
            .arguments
            .iter()
            .filter_map(|(name, ty)| {
                let input = draft.argument(field, name, &ty.to_string())?;
                Some((name.clone(), input.template(self.variables)))
            })
            .collect();
        Step::Plugin(PluginStep {
            field: operation.declared.field.clone(),
            arguments,
            pick: pick::of_result(draft, &operation.result, &field.sets),
        })
    }

    /// The field alone, in a document of its own.
    fn introspection(&self, draft: &mut Draft<'_, 'v>, field: &Selected<'v>) -> Step {
        if !self.introspection {
            draft.issue(Issue::new(
                "INTROSPECTION_OFF",
                "the schema is not shown here (setting introspection)",
            ));
            return Step::Literal("null".to_owned());
        }
        let mut alone = field.field.clone();
        alone.selection_set.node = SelectionSet {
            items: field
                .sets
                .iter()
                .flat_map(|set| set.items.iter().cloned())
                .collect(),
        };
        let pos = alone.name.pos;
        let selection_set = SelectionSet {
            items: vec![Positioned::new(
                Selection::Field(Positioned::new(alone, pos)),
                pos,
            )],
        };
        let operation = OperationDefinition {
            ty: OperationType::Query,
            variable_definitions: self.prepared.variable_definitions.clone(),
            directives: Vec::new(),
            selection_set: Positioned::new(selection_set, pos),
        };
        Step::Introspection(Box::new(IntrospectionStep {
            document: ExecutableDocument {
                operations: DocumentOperations::Single(Positioned::new(operation, pos)),
                fragments: self.prepared.fragments.clone(),
            },
            answer: self
                .prepared
                .variables
                .is_empty()
                .then(std::sync::OnceLock::new),
        }))
    }
}

impl ReadStep {
    /// The parameters of this run, and how many rows they allow.
    pub(crate) fn parameters(
        &self,
        variables: &Variables<'_>,
        context: &CoerceContext<'_>,
        issues: &mut Issues,
    ) -> (Vec<Parameter>, u64) {
        let parameters = inputs::parameters(&self.slots, variables, context, issues);
        let rows = self.cost.rows(&parameters);
        (parameters, rows)
    }
}

fn unknown_root(field: &Selected<'_>) -> Issue {
    Issue::new(
        "UNKNOWN_FIELD",
        format!("there is no root field `{}`", field.name()),
    )
}

fn error_of(issues: Issues, field: &Selected<'_>) -> GraphqlError {
    error_of_issues(issues, field.key, field.at)
}

/// One error for all that is wrong with a root field.
pub(crate) fn error_of_issues(mut issues: Issues, key: &str, at: (usize, usize)) -> GraphqlError {
    // Both ends of a time, or each read of a node, complain of the same value.
    issues.0.dedup();
    let is_limit = issues
        .0
        .iter()
        .all(|issue| LIMITS.contains(&issue.code.as_str()));
    let message = match issues.0.as_slice() {
        [only] => format!("{}: {}", only.path_text(), only.message),
        several => format!("`{key}` has {} mistakes", several.len()),
    };
    let mut error = GraphqlError::new(
        if is_limit {
            "LIMIT_EXCEEDED"
        } else {
            "BAD_INPUT"
        },
        message,
    );
    error.path = vec![key.into()];
    error.locations = vec![at];
    error.issues = issues.0;
    error
}
