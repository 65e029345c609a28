//! The records endpoint: schema and caches of one workspace, and the way of a request through
//! them.
//!
//! A request that has been seen before is hashed, its variables are checked, and its plan is run:
//! no parsing, no validation, no planning. Documents are kept by their hash, operation and
//! revision of the catalogue; plans by the document, the shape of the variables and the reader's
//! language. Both are bounded by memory.

mod condition;

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use async_graphql::parser::{parse_query, types::OperationType};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use moka::sync::Cache;
use relata_app::{AppError, Caller, State, Workspace, documents::DocumentHash};
use relata_catalog::{CoerceContext, Issues};
use relata_host::OperationKind;
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;

use crate::{
    Accepts, GraphqlRequest, GraphqlResponse, Outcome, RequestContext,
    errors::GraphqlError,
    execute::{self, Run},
    guard,
    limits::RecordsLimits,
    overlooked,
    persisted::{DocumentsAllowed, Persisted},
    plan::{
        NoPlan, Plan, Planner, Step,
        inputs::Variables,
        prepare::{self, Prepared},
    },
    schema::{PluginOperation, RecordSchema},
};

/// Tries of a mutation whose catalogue moved on between its plan and its transaction.
const MOVES_MAX: usize = 3;

/// The records endpoint of one workspace. Cheap to clone.
#[derive(Clone)]
pub struct Records {
    shared: Arc<Shared>,
}

struct Shared {
    workspace: Workspace,
    options: RecordsOptions,
    persisted: Persisted,
    snapshot: ArcSwapOption<Snapshot>,
    /// One builds at a time.
    building: tokio::sync::Mutex<()>,
    documents: Cache<DocumentKey, Arc<Prepared>>,
    plans: Cache<PlanKey, Arc<Plan>>,
    figures: Figures,
}

/// What is counted of each request: handles, because to look one up by its name costs more than
/// to count.
struct Figures {
    durations: metrics::Histogram,
    plans_found: metrics::Counter,
    plans_made: metrics::Counter,
}

impl Figures {
    fn new() -> Self {
        Self {
            durations: metrics::histogram!("relata_graphql_duration_seconds"),
            plans_found: metrics::counter!("relata_graphql_plans_total", "result" => "hit"),
            plans_made: metrics::counter!("relata_graphql_plans_total", "result" => "miss"),
        }
    }
}

/// What a records endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordsOptions {
    /// How much at once.
    pub limits: RecordsLimits,
    /// Which documents.
    pub documents: DocumentsAllowed,
    /// Whether `__schema` and `__type` are answered.
    pub introspection: bool,
    /// Whether an error about an unknown name says which known name is near.
    pub suggestions: bool,
}

impl Default for RecordsOptions {
    fn default() -> Self {
        Self {
            limits: RecordsLimits::default(),
            documents: DocumentsAllowed::default(),
            introspection: true,
            suggestions: true,
        }
    }
}

/// The schema at one revision.
pub(crate) struct Snapshot {
    revision: u64,
    pub(crate) schema: RecordSchema,
    sdl: OnceLock<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct DocumentKey {
    /// SHA-256 of the document; where an operation is named, of that and its name.
    hash: [u8; 32],
    revision: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PlanKey {
    document: DocumentKey,
    shape: Box<[u8]>,
    locale: Box<str>,
}

impl Records {
    /// The endpoint of a workspace, as it is unless told otherwise.
    #[must_use]
    pub fn new(workspace: Workspace) -> Self {
        Self::with_options(workspace, RecordsOptions::default())
    }

    /// The endpoint of a workspace.
    #[must_use]
    pub fn with_options(workspace: Workspace, options: RecordsOptions) -> Self {
        let half = options.limits.cache_bytes_max / 2;
        let persisted = Persisted::new(workspace.clone(), options.documents, half / 2);
        workspace.read_conditions_by(Arc::new(condition::ListConditions));
        Self {
            shared: Arc::new(Shared {
                workspace,
                options,
                persisted,
                snapshot: ArcSwapOption::empty(),
                building: tokio::sync::Mutex::new(()),
                documents: Cache::builder()
                    .max_capacity(half)
                    .weigher(|_, prepared: &Arc<Prepared>| prepared.weight)
                    .build(),
                plans: Cache::builder()
                    .max_capacity(half)
                    .weigher(|key: &PlanKey, plan: &Arc<Plan>| weight(key, plan))
                    .build(),
                figures: Figures::new(),
            }),
        }
    }

    /// The schema in the schema definition language, at the workspace's present revision.
    ///
    /// # Errors
    /// `INTERNAL`, with the cause in the log.
    pub async fn sdl(&self) -> Result<String, AppError> {
        let (_, snapshot) = self.snapshot().await?;
        if let Some(sdl) = snapshot.sdl.get() {
            return Ok(sdl.clone());
        }
        let sdl = snapshot
            .schema
            .sdl()
            .await
            .map_err(|error| AppError::internal(&error))?;
        Ok(snapshot.sdl.get_or_init(|| sdl).clone())
    }

    /// Whether a request may change something, as far as it can be told without reading the
    /// document: one without the word is no mutation.
    #[must_use]
    pub fn may_write(&self, request: &GraphqlRequest) -> bool {
        if request.accepts == Accepts::QueryOnly {
            return false;
        }
        let known = |hash| self.shared.persisted.known(hash);
        match (&request.query, &request.document) {
            (Some(text), _) => text.contains("mutation"),
            (None, Some(hash)) => known(hash).is_none_or(|text| text.contains("mutation")),
            (None, None) => false,
        }
    }

    /// Registered documents have changed.
    pub(crate) fn forget_documents(&self) {
        self.shared.persisted.forget();
    }

    /// All that is wrong with a document, by its guard and against the schema of this moment:
    /// each of its operations is looked at.
    pub(crate) async fn check_document(&self, text: &str) -> Result<Vec<GraphqlError>, AppError> {
        let (_, snapshot) = self.snapshot().await?;
        let limits = &self.shared.options.limits.document;
        if let Err(refusal) = guard::inspect(text, limits) {
            return Ok(vec![GraphqlError::refused(&refusal, text)]);
        }
        let document = match parse_query(text) {
            Ok(document) => document,
            Err(error) => return Ok(vec![GraphqlError::invalid(&error.into())]),
        };
        let names: Vec<Option<String>> = document
            .operations
            .iter()
            .map(|(name, _)| name.map(ToString::to_string))
            .collect();
        let mut wrong = Vec::new();
        for name in names {
            let prepared = self.prepare(text, name.as_deref(), &snapshot).await;
            match prepared {
                Ok(_) => {}
                Err(Stop::Refused(errors)) => {
                    wrong.extend(
                        errors
                            .into_iter()
                            .filter(|error| !wrong.contains(error))
                            .collect::<Vec<_>>(),
                    );
                }
                Err(Stop::NotHere(error)) => wrong.push(*error),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Moved) => return Err(AppError::Conflict),
            }
        }
        Ok(wrong)
    }

    /// Carries a request out.
    ///
    /// Boxed: the future of a whole request is large; and the machine code of a future that is not
    /// boxed is made where it is polled, so that each crate above would compile all of it again.
    pub fn execute<'a>(
        &'a self,
        request: GraphqlRequest,
        caller: &'a Caller,
        context: &'a RequestContext,
    ) -> BoxFuture<'a, GraphqlResponse> {
        Box::pin(self.carry_out(request, caller, context))
    }

    async fn carry_out(
        &self,
        request: GraphqlRequest,
        caller: &Caller,
        context: &RequestContext,
    ) -> GraphqlResponse {
        let started = std::time::Instant::now();
        let mut moves = 0;
        let mut steady = None;
        let response = loop {
            match self.attempt(&request, caller).await {
                Ok(answer) => break answer.respond(context),
                Err(Stop::Moved) if moves < MOVES_MAX => {
                    moves += 1;
                    // From here on only other processes can change it.
                    if steady.is_none() {
                        steady = Some(self.shared.workspace.steady().await);
                    }
                }
                Err(Stop::Moved) => {
                    let error =
                        GraphqlError::new("CONFLICT", "the catalogue keeps changing; try again");
                    break request_errors(&[error], Outcome::Executed, context);
                }
                Err(Stop::Refused(errors)) => {
                    break request_errors(&errors, Outcome::RequestError, context);
                }
                Err(Stop::NotHere(error)) => {
                    break request_errors(&[*error], Outcome::MethodNotAllowed, context);
                }
                Err(Stop::Failed(error)) => {
                    let error = GraphqlError::of_app_anywhere(&error);
                    break request_errors(&[error], Outcome::Executed, context);
                }
            }
        };
        self.shared.figures.durations.record(started.elapsed());
        response
    }

    async fn attempt(
        &self,
        request: &GraphqlRequest,
        caller: &Caller,
    ) -> Result<execute::Answer, Stop> {
        let named = self.shared.persisted.find(request).await?;
        let (state, snapshot) = self.snapshot().await.map_err(Stop::Failed)?;
        let operation = request.operation_name.as_deref();
        let key = DocumentKey {
            hash: with_operation(named.hash, operation),
            revision: state.revision,
        };
        let prepared = match self.shared.documents.get(&key) {
            Some(prepared) => prepared,
            None => {
                let prepared = self.prepare(&named.text, operation, &snapshot).await?;
                let prepared = Arc::new(prepared);
                self.shared.documents.insert(key.clone(), prepared.clone());
                prepared
            }
        };
        self.shared.persisted.remember(&named);
        if prepared.operation == OperationType::Mutation && request.accepts == Accepts::QueryOnly {
            let message = "mutations are not carried out by GET; use POST";
            let error = GraphqlError::new("BAD_INPUT", message);
            return Err(Stop::NotHere(Box::new(error)));
        }
        let inputs = &snapshot.schema.inputs;
        let variables = Variables::read(&prepared, &request.variables, inputs)
            .map_err(|issues| Stop::Refused(vec![variables_error(issues)]))?;
        let options = self.shared.workspace.options();
        let coerce = CoerceContext {
            region: options.region.clone(),
            currency: options.currency.clone(),
            now_micros: jiff::Timestamp::now().as_microsecond(),
            zone: Some(caller.zone.clone()),
        };
        let plan = self.plan(
            key, &state, &snapshot, &prepared, &variables, &coerce, caller,
        )?;
        Run {
            workspace: &self.shared.workspace,
            limits: &self.shared.options.limits,
            state: &state,
            schema: &snapshot.schema,
            coerce: &coerce,
            variables: &variables,
            given: &request.variables,
            repeatable: request.repeatable.as_ref(),
            caller,
        }
        .plan(&plan)
        .await
    }

    /// The document, parsed and validated: once for each revision.
    async fn prepare(
        &self,
        text: &str,
        name: Option<&str>,
        snapshot: &Snapshot,
    ) -> Result<Prepared, Stop> {
        let limits = &self.shared.options.limits.document;
        tracing::debug_span!("guard", bytes = text.len())
            .in_scope(|| guard::inspect(text, limits))
            .map_err(|refusal| {
                metrics::counter!("relata_graphql_refused_total").increment(1);
                Stop::Refused(vec![GraphqlError::refused(&refusal, text)])
            })?;
        let span = tracing::debug_span!("validate");
        async {
            let refuse = |error: GraphqlError| Stop::Refused(vec![error]);
            let document =
                parse_query(text).map_err(|error| refuse(GraphqlError::invalid(&error.into())))?;
            let operation = prepare::choose(&document, name)
                .map_err(|error| refuse(GraphqlError::new("BAD_INPUT", error.to_string())))?;
            match operation.ty {
                OperationType::Subscription => {
                    return Err(refuse(GraphqlError::new(
                        "BAD_INPUT",
                        "subscriptions are not carried by this transport",
                    )));
                }
                OperationType::Mutation if !snapshot.schema.has_mutations() => {
                    return Err(refuse(GraphqlError::new(
                        "BAD_INPUT",
                        "this workspace has no mutations: its catalogue has no objects",
                    )));
                }
                _ => {}
            }
            let checked = snapshot
                .schema
                .validate(document.clone(), name)
                .await
                .map_err(|error| Stop::Failed(AppError::internal(&error)))?;
            if let Err(errors) = checked
                && !errors.iter().all(is_about_a_value)
            {
                return Err(Stop::Refused(
                    errors.iter().map(GraphqlError::invalid).collect(),
                ));
            }
            let prepared = Prepared::new(document, name, text.len())
                .map_err(|error| refuse(GraphqlError::new("BAD_INPUT", error.to_string())))?;
            let mistakes =
                overlooked::mistakes(&prepared.selection, &prepared.fragments, &|name| {
                    prepared.declared(name)
                });
            if mistakes.is_empty() {
                Ok(prepared)
            } else {
                Err(Stop::Refused(mistakes))
            }
        }
        .instrument(span)
        .await
    }

    /// The plan for this shape of variables.
    #[expect(clippy::too_many_arguments, reason = "a plan depends on all of them")]
    fn plan(
        &self,
        document: DocumentKey,
        state: &State,
        snapshot: &Snapshot,
        prepared: &Prepared,
        variables: &Variables<'_>,
        coerce: &CoerceContext,
        caller: &Caller,
    ) -> Result<Arc<Plan>, Stop> {
        let key = PlanKey {
            document,
            shape: variables.shape(&snapshot.schema.inputs).into(),
            locale: caller.locale.as_str().into(),
        };
        if let Some(plan) = self.shared.plans.get(&key) {
            self.shared.figures.plans_found.increment(1);
            return Ok(plan);
        }
        self.shared.figures.plans_made.increment(1);
        let planner = Planner {
            catalogue: &state.catalogue,
            schema: &snapshot.schema,
            backend: self.shared.workspace.database().backend(),
            limits: &self.shared.options.limits,
            introspection: self.shared.options.introspection,
            coerce,
            locale: &caller.locale,
            prepared,
            variables,
        };
        let plan = tracing::debug_span!("plan")
            .in_scope(|| planner.plan())
            .map_err(|error| match error {
                NoPlan::Wrong(errors) => Stop::Refused(errors),
                NoPlan::Compile(error) => Stop::Refused(vec![execute::compile_error(&error)]),
            })?;
        let plan = Arc::new(plan);
        self.shared.plans.insert(key, plan.clone());
        Ok(plan)
    }

    /// The workspace's state, and the schema of the same revision.
    async fn snapshot(&self) -> Result<(Arc<State>, Arc<Snapshot>), AppError> {
        loop {
            let state = self.shared.workspace.state();
            if let Some(snapshot) = self.shared.snapshot.load_full()
                && snapshot.revision == state.revision
            {
                return Ok((state, snapshot));
            }
            let _one = self.shared.building.lock().await;
            let is_built = self
                .shared
                .snapshot
                .load()
                .as_ref()
                .is_some_and(|snapshot| snapshot.revision >= state.revision);
            if is_built {
                continue;
            }
            let schema = tracing::info_span!("schema", revision = state.revision)
                .in_scope(|| build(&state, self.shared.options.suggestions));
            let snapshot = Arc::new(Snapshot {
                revision: state.revision,
                schema,
                sdl: OnceLock::new(),
            });
            self.shared.snapshot.store(Some(snapshot.clone()));
            // What was made for older revisions is not asked for again.
            self.shared.documents.invalidate_all();
            self.shared.plans.invalidate_all();
            return Ok((state, snapshot));
        }
    }
}

fn build(state: &State, suggestions: bool) -> RecordSchema {
    let operations = state
        .plugins
        .operations()
        .map(|(field, plugin, operation)| PluginOperation {
            plugin: plugin.id.clone(),
            operation: operation.name.clone(),
            field,
            is_mutation: operation.kind == OperationKind::Mutation,
            description: operation.description.clone(),
            arguments: operation.arguments.clone(),
            result: operation.result.clone(),
        })
        .collect::<Vec<_>>();
    RecordSchema::build(&state.catalogue, operations, suggestions)
}

/// Why a request ends without an answer of its own.
pub(crate) enum Stop {
    /// It can't be carried out as it is.
    Refused(Vec<GraphqlError>),
    /// It can be, but not by this transport.
    NotHere(Box<GraphqlError>),
    /// The catalogue has moved on since the plan was made: once more from the start.
    Moved,
    /// Our side.
    Failed(AppError),
}

/// async-graphql stops at the first mistake of an argument. The planner looks at the same values
/// and finds all of them, so what async-graphql says of values alone is left to it.
fn is_about_a_value(error: &async_graphql::ServerError) -> bool {
    error.message.starts_with("Invalid value for argument")
}

fn with_operation(document: DocumentHash, operation: Option<&str>) -> [u8; 32] {
    match operation {
        None => document,
        Some(name) => Sha256::new()
            .chain_update(document)
            .chain_update(name.as_bytes())
            .finalize()
            .into(),
    }
}

/// Bytes of a plan, roughly: its statements' texts, and about as much around them.
fn weight(key: &PlanKey, plan: &Plan) -> u32 {
    const ROOT_BYTES: usize = 2_000;
    let of_read = |read: &crate::plan::ReadStep| -> usize {
        ROOT_BYTES
            + read
                .compiled
                .statements()
                .map(|text| 4 * text.len())
                .sum::<usize>()
    };
    let roots = plan
        .roots
        .iter()
        .map(|root| match &root.step {
            Step::Read(read) => of_read(read),
            Step::Node(reads) => reads.iter().map(of_read).sum(),
            Step::Write(write) => ROOT_BYTES + write.read.as_ref().map_or(0, of_read),
            Step::Bulk(bulk) => ROOT_BYTES + bulk.reads.iter().map(of_read).sum::<usize>(),
            // The schema about itself: half a megabyte for large catalogues.
            Step::Introspection(_) => 500_000,
            _ => ROOT_BYTES,
        })
        .sum::<usize>();
    u32::try_from(roots + key.shape.len() + 200).unwrap_or(u32::MAX)
}

/// All that is wrong with variables, in one error.
pub(crate) fn variables_error(issues: Issues) -> GraphqlError {
    let message = match issues.0.as_slice() {
        [only] => format!("{}: {}", only.path_text(), only.message),
        several => format!("the variables have {} mistakes", several.len()),
    };
    let mut error = GraphqlError::new("BAD_INPUT", message);
    error.issues = issues.0;
    error
}

/// An answer that consists of errors. Only what was executed has `data`.
fn request_errors(
    errors: &[GraphqlError],
    outcome: Outcome,
    context: &RequestContext,
) -> GraphqlResponse {
    let errors = errors
        .iter()
        .map(|error| error.to_json(&context.request_id))
        .collect::<Vec<_>>();
    let mut body = serde_json::json!({"errors": errors});
    if outcome == Outcome::Executed {
        body["data"] = serde_json::Value::Null;
    }
    GraphqlResponse::new(Bytes::from(body.to_string()), outcome)
}
