//! The control plane: objects, fields, pipelines, plugins, users, tokens, blueprints. A static
//! schema, the same in every workspace, resolved by async-graphql.
//!
//! For administrators only: whoever else asks gets `FORBIDDEN` for everything but `viewer`. What
//! is asked is done by `relata-app`; a resolver translates, nothing more.
//!
//! Definitions (`data` of a mutation) are JSON in the form of a blueprint's items: one form to
//! learn, and a mistake has the same path in both.

mod blueprint;
mod dead_letters;
mod documents;
mod duplicates;
mod error;
mod exports;
mod fields;
mod imports;
mod jobs;
mod objects;
mod pipelines;
mod plugins;
mod scalars;
mod tokens;
mod users;
mod viewer;

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};
use async_graphql::{
    Context, EmptySubscription, Guard, MergedObject, Name, Response, Result, Schema, ServerError,
};
use futures_util::future::BoxFuture;
use relata_app::{Caller, Issue, State, Workspace};
use tracing::Instrument as _;

use crate::errors::GraphqlError;
use crate::guard::{self, DocumentLimits};
use crate::overlooked;
use crate::plan::prepare;
use crate::protocol::{Accepts, GraphqlRequest, GraphqlResponse, Outcome, RequestContext};
use crate::records::{Records, variables_error};

#[derive(MergedObject, Default)]
struct Query(
    viewer::ViewerQuery,
    objects::ObjectQuery,
    fields::FieldQuery,
    pipelines::PipelineQuery,
    plugins::PluginQuery,
    dead_letters::DeadLetterQuery,
    documents::DocumentQuery,
    users::UserQuery,
    tokens::TokenQuery,
    blueprint::BlueprintQuery,
    imports::ImportQuery,
    jobs::JobQuery,
    duplicates::DuplicateQuery,
);

#[derive(MergedObject, Default)]
struct Mutation(
    objects::ObjectMutation,
    fields::FieldMutation,
    pipelines::PipelineMutation,
    plugins::PluginMutation,
    dead_letters::DeadLetterMutation,
    documents::DocumentMutation,
    users::UserMutation,
    tokens::TokenMutation,
    blueprint::BlueprintMutation,
    imports::ImportMutation,
    exports::ExportMutation,
    jobs::JobMutation,
    duplicates::DuplicateMutation,
);

/// The control plane of one workspace. Cheap to clone.
#[derive(Clone)]
pub struct ControlPlane {
    schema: Schema<Query, Mutation, EmptySubscription>,
    options: ControlOptions,
}

/// What the control plane answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlOptions {
    /// How much at once.
    pub limits: DocumentLimits,
    /// Whether `__schema` and `__type` are answered.
    pub introspection: bool,
    /// Whether an error about an unknown name says which known name is near.
    pub suggestions: bool,
}

impl Default for ControlOptions {
    fn default() -> Self {
        Self {
            limits: DocumentLimits::default(),
            introspection: true,
            suggestions: true,
        }
    }
}

impl ControlPlane {
    /// Of this workspace, whose records are at this endpoint.
    #[must_use]
    pub fn new(workspace: Workspace, records: Records) -> Self {
        Self::with_options(workspace, records, ControlOptions::default())
    }

    /// As [`ControlPlane::new`], with options of one's own.
    #[must_use]
    pub fn with_options(workspace: Workspace, records: Records, options: ControlOptions) -> Self {
        let mut schema = schema().data(workspace).data(records);
        if !options.introspection {
            schema = schema.disable_introspection();
        }
        if !options.suggestions {
            schema = schema.disable_suggestions();
        }
        Self {
            schema: schema.finish(),
            options,
        }
    }

    /// Answers one request. Boxed for the same reason as [`Records::execute`].
    pub fn execute<'a>(
        &'a self,
        request: GraphqlRequest,
        caller: &'a Caller,
        context: &'a RequestContext,
    ) -> BoxFuture<'a, GraphqlResponse> {
        let span = tracing::info_span!("control", actor = %caller.actor);
        Box::pin(self.answer(request, caller, context).instrument(span))
    }

    async fn answer(
        &self,
        request: GraphqlRequest,
        caller: &Caller,
        context: &RequestContext,
    ) -> GraphqlResponse {
        let Some(query) = &request.query else {
            // What Apollo's clients look for: they send texts from then on.
            let mut error = GraphqlError::new("BAD_INPUT", "PersistedQueryNotSupported");
            let message = "documents are not kept at /metadata: send the text";
            error.issues.push(Issue::new("BAD_INPUT", message));
            return not_executed(&error, Outcome::RequestError, context);
        };
        if let Err(refusal) = guard::inspect(query, &self.options.limits) {
            let error = GraphqlError::refused(&refusal, query);
            return not_executed(&error, Outcome::RequestError, context);
        }
        let mut document = match async_graphql::parser::parse_query(query) {
            Ok(document) => document,
            Err(error) => {
                let error = GraphqlError::invalid(&ServerError::from(error));
                return not_executed(&error, Outcome::RequestError, context);
            }
        };
        overlooked::show_directives_of_typenames(&mut document);
        let wrong = overlooked(&document, &request);
        if !wrong.is_empty() {
            let body = error::encoded(&wrong, None, context);
            return GraphqlResponse::new(body, Outcome::RequestError);
        }
        if !self.options.introspection && asks_for_schema(&document) {
            let message = "the schema is not shown here (setting introspection)";
            let error = GraphqlError::new("BAD_INPUT", message);
            return not_executed(&error, Outcome::RequestError, context);
        }
        if request.accepts == Accepts::QueryOnly
            && !is_query(&document, request.operation_name.as_deref())
        {
            let message = "only queries are carried out here; send mutations by POST";
            let error = GraphqlError::new("BAD_INPUT", message);
            return not_executed(&error, Outcome::MethodNotAllowed, context);
        }
        self.resolve(request, document, caller, context).await
    }

    async fn resolve(
        &self,
        request: GraphqlRequest,
        document: ExecutableDocument,
        caller: &Caller,
        context: &RequestContext,
    ) -> GraphqlResponse {
        let reached = Arc::new(Reached::default());
        let mut inner = async_graphql::Request::new("")
            .variables(scalars::variables(request.variables))
            .data(caller.clone())
            .data(Arc::clone(&reached));
        inner.operation_name = request.operation_name;
        inner.set_parsed_query(document);
        let response = self.schema.execute(inner).await;
        let outcome = if reached.is_execution() {
            Outcome::Executed
        } else {
            Outcome::RequestError
        };
        GraphqlResponse::new(error::body(&response, outcome, context), outcome)
    }

    /// The schema, in the schema definition language.
    #[must_use]
    pub fn sdl(&self) -> String {
        self.schema.sdl()
    }
}

fn schema() -> async_graphql::SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .limit_recursive_depth(guard::RECURSION_MAX)
        .extension(NoteExecution)
}

/// Whether the operation that a request names is a query. One that names none, or nothing that is
/// there, is left to the validation to speak about.
fn is_query(document: &ExecutableDocument, name: Option<&str>) -> bool {
    let mut named = document
        .operations
        .iter()
        .filter(|(operation, _)| name.is_none() || operation.map(Name::as_str) == name);
    named.all(|(_, operation)| operation.node.ty == OperationType::Query)
}

/// What is wrong with the operation that is to run and async-graphql would not say, or not before it
/// has carried out a part of it. Where there is no such operation, the validation says so.
fn overlooked(document: &ExecutableDocument, request: &GraphqlRequest) -> Vec<GraphqlError> {
    let Ok(operation) = prepare::choose(document, request.operation_name.as_deref()) else {
        return Vec::new();
    };
    let selection = &operation.selection_set.node;
    let mut wrong = overlooked::mistakes(selection, &document.fragments, &|name| {
        prepare::declared(&operation.variable_definitions, name)
    });
    let issues = scalars::check_variables(&operation.variable_definitions, &request.variables);
    if !issues.is_empty() {
        wrong.push(variables_error(issues));
    }
    wrong
}

/// Whether `__schema` or `__type` stands anywhere at the root of an operation or in a fragment:
/// nowhere else are they fields.
fn asks_for_schema(document: &ExecutableDocument) -> bool {
    fn within(set: &SelectionSet) -> bool {
        set.items.iter().any(|item| match &item.node {
            Selection::Field(field) => {
                matches!(field.node.name.node.as_str(), "__schema" | "__type")
            }
            Selection::InlineFragment(fragment) => within(&fragment.node.selection_set.node),
            Selection::FragmentSpread(_) => false,
        })
    }
    let operations = document.operations.iter();
    let fragments = document.fragments.values();
    operations
        .map(|(_, operation)| &operation.node.selection_set.node)
        .chain(fragments.map(|fragment| &fragment.node.selection_set.node))
        .any(within)
}

fn not_executed(
    error: &GraphqlError,
    outcome: Outcome,
    context: &RequestContext,
) -> GraphqlResponse {
    let body = error::encoded(std::slice::from_ref(error), None, context);
    GraphqlResponse::new(body, outcome)
}

/// Whether a request came as far as execution: GraphQL over HTTP makes a status depend on it.
#[derive(Default)]
struct Reached(std::sync::atomic::AtomicBool);

impl Reached {
    fn is_execution(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

struct NoteExecution;

impl ExtensionFactory for NoteExecution {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for NoteExecution {
    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if let Ok(reached) = context.data::<Arc<Reached>>() {
            reached.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        next.run(context, operation_name).await
    }
}

/// Lets administrators pass.
struct Administrator;

impl Guard for Administrator {
    async fn check(&self, context: &Context<'_>) -> Result<()> {
        relata_app::authorise_admin(caller(context)).map_err(error::graphql)
    }
}

/// The id in an argument. One that can't be is one that is not there.
fn uuid(id: &async_graphql::ID, what: &str) -> Result<uuid::Uuid> {
    id.parse().map_err(|_| {
        error::graphql(relata_app::AppError::NotFound(format!(
            "there is no {what} with the id {}",
            id.as_str()
        )))
    })
}

/// The package of a plugin, as it was uploaded.
async fn package(context: &Context<'_>, file: &async_graphql::ID) -> Result<Vec<u8>> {
    let id = uuid(file, "file")?;
    let workspace = workspace(context);
    let bytes_max = workspace.options().host.limits().package_bytes_max;
    relata_app::files::file_bytes(workspace, caller(context), id, bytes_max)
        .await
        .map_err(error::graphql)
}

/// What a mutation has just made or changed was removed by somebody else before it could be read.
fn gone(what: &str) -> async_graphql::Error {
    error::graphql(relata_app::AppError::NotFound(format!(
        "{what} was changed, and is gone already"
    )))
}

fn workspace<'a>(context: &Context<'a>) -> &'a Workspace {
    context.data_unchecked::<Workspace>()
}

fn caller<'a>(context: &Context<'a>) -> &'a Caller {
    context.data_unchecked::<Caller>()
}

fn state(context: &Context<'_>) -> Arc<State> {
    workspace(context).state()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_schema_is_what_was_agreed() {
        insta::assert_snapshot!("control_plane", schema().finish().sdl());
    }

    /// The settings may allow it, and then it is answered.
    #[tokio::test]
    async fn the_highest_depth_is_walked() {
        let times = DocumentLimits::DEPTH_HIGHEST - 3;
        let document = format!(
            "{{ __type(name: \"Plan\") {{ {} name {} }} }}",
            "ofType { ".repeat(times),
            "}".repeat(times)
        );
        let limits = DocumentLimits {
            depth_max: DocumentLimits::DEPTH_HIGHEST,
            ..DocumentLimits::default()
        };
        guard::inspect(&document, &limits).unwrap();
        let response = schema().finish().execute(document).await;
        assert_eq!(response.errors, Vec::new());
    }

    #[test]
    fn a_query_is_told_from_a_mutation() {
        let is_query = |document: &str, name| {
            super::is_query(&async_graphql::parser::parse_query(document).unwrap(), name)
        };
        assert!(is_query("{ viewer { isAdmin } }", None));
        assert!(!is_query("mutation { x }", None));
        let two = "query A { a } mutation B { b }";
        assert!(is_query(two, Some("A")));
        assert!(!is_query(two, Some("B")));
    }
}
