//! A plan is run, and the answer's bytes are put together.
//!
//! All reads of a query are one snapshot, and all its plugin fields are one; a search has one of
//! its own. All mutations of a
//! request are one transaction, with the reading of what they select, or none of them happens.
//! Rows become bytes in the store; here they are only put one after the other.

mod bulk;
mod duplicates;
mod merge;
mod search;
mod work;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use relata_app::{
    Actor, AppError, Caller, State, Unit, Workspace, idempotency::Repeatable, operations,
};
use relata_catalog::{CoerceContext, Issues, ObjectIndex};
use relata_store::{
    StoreError,
    read::{CompileError, Compiled, Directory, Parameter},
};
use serde_json::{Map, Value as Json, json};
use tracing::Instrument as _;
use uuid::Uuid;

use work::{Done, Job, Work, Write};

use crate::{
    GraphqlResponse, Outcome, RequestContext,
    errors::GraphqlError,
    limits::RecordsLimits,
    plan::{
        Change, IntrospectionStep, Plan, PluginStep, ReadStep, Root, Step, WriteStep, coercer,
        error_of_issues,
        inputs::{Template, Variables},
        pick,
    },
    records::Stop,
    schema::RecordSchema,
};

/// One request on its way through its plan.
pub(crate) struct Run<'r> {
    pub(crate) workspace: &'r Workspace,
    pub(crate) limits: &'r RecordsLimits,
    pub(crate) state: &'r Arc<State>,
    pub(crate) schema: &'r RecordSchema,
    pub(crate) coerce: &'r CoerceContext,
    pub(crate) variables: &'r Variables<'r>,
    pub(crate) given: &'r Map<String, Json>,
    pub(crate) repeatable: Option<&'r Repeatable>,
    pub(crate) caller: &'r Caller,
}

/// What came of a request.
pub(crate) struct Answer {
    /// Response keys and JSON. None: `"data":null`.
    data: Option<Vec<(String, Bytes)>>,
    errors: Vec<GraphqlError>,
    /// The whole response, where it was made before.
    repeated: Option<Bytes>,
}

impl Answer {
    /// The bytes of the response.
    pub(crate) fn respond(&self, context: &RequestContext) -> GraphqlResponse {
        if let Some(body) = &self.repeated {
            return GraphqlResponse {
                is_repeated: true,
                ..GraphqlResponse::new(body.clone(), Outcome::Executed)
            };
        }
        let members = self
            .data
            .as_ref()
            .map(|members| members.iter().map(|(key, value)| (key.as_str(), value)));
        let mut errors = String::new();
        if !self.errors.is_empty() {
            let list = self
                .errors
                .iter()
                .map(|error| error.to_json(&context.request_id))
                .collect::<Vec<_>>();
            errors = format!("\"errors\":{},", Json::from(list));
        }
        GraphqlResponse::new(body(&errors, members), Outcome::Executed)
    }

    fn failed(errors: Vec<GraphqlError>) -> Self {
        Self {
            data: None,
            errors,
            repeated: None,
        }
    }
}

/// A response: `errors` as it stands, and response keys with their JSON, or null.
fn body<'m>(
    errors: &str,
    members: Option<impl Iterator<Item = (&'m str, &'m Bytes)> + Clone>,
) -> Bytes {
    let size = members
        .clone()
        .into_iter()
        .flatten()
        .map(|(key, value)| key.len() + value.len() + 4)
        .sum::<usize>();
    let mut body = Vec::with_capacity(errors.len() + size + 32);
    body.push(b'{');
    body.extend_from_slice(errors.as_bytes());
    body.extend_from_slice(b"\"data\":");
    match members {
        None => body.extend_from_slice(b"null"),
        Some(members) => {
            body.push(b'{');
            for (position, (key, value)) in members.enumerate() {
                if position > 0 {
                    body.push(b',');
                }
                // A response key is a name: nothing in it needs escaping.
                body.push(b'"');
                body.extend_from_slice(key.as_bytes());
                body.extend_from_slice(b"\":");
                body.extend_from_slice(value);
            }
            body.push(b'}');
        }
    }
    body.push(b'}');
    Bytes::from(body)
}

/// A root field's answer, or what went wrong with it.
type Outcomes = Vec<Result<Bytes, Box<GraphqlError>>>;

/// A compiled read and its parameters.
type Reading = (Arc<Compiled>, Vec<Parameter>);

impl Run<'_> {
    pub(crate) async fn plan(&self, plan: &Plan) -> Result<Answer, Stop> {
        if plan.is_mutation {
            self.mutation(plan).await
        } else {
            self.query(plan).await
        }
    }

    async fn query(&self, plan: &Plan) -> Result<Answer, Stop> {
        let reads = self.reads(plan)?;
        let mut read = self
            .run_reads(plan, &reads)
            .instrument(tracing::debug_span!("sql"))
            .await;
        self.follow_merged(plan, &reads, &mut read).await;
        let mut read = read.into_iter();
        let mut outcomes = Outcomes::with_capacity(plan.roots.len());
        let mut snapshot = None;
        for root in &plan.roots {
            let outcome = match &root.step {
                Step::Read(_) => read.next().unwrap_or_else(|| Err(lost(root))),
                Step::Node(reads) => {
                    let mut answer = Ok(Bytes::from_static(b"null"));
                    for outcome in read.by_ref().take(reads.len()) {
                        let is_found = answer.as_ref().is_ok_and(|found| found != "null");
                        if !is_found && answer.is_ok() {
                            answer = outcome;
                        }
                    }
                    answer
                }
                Step::Literal(json) => Ok(Bytes::from(json.clone())),
                Step::Viewer(picks) => Ok(Bytes::from(
                    pick::apply(picks, &viewer(self.caller)).to_string(),
                )),
                Step::Introspection(step) => self.introspection(root, step).await,
                Step::Search(step) => self.search(root, step).await,
                Step::Duplicates(step) => self.duplicates(root, step).await,
                Step::DuplicateSets(step) => self.duplicate_sets(root, step).await,
                Step::Plugin(step) => self.plugin_query(root, step, &mut snapshot).await?,
                Step::MergePreview(step) => self.merge_preview(root, step).await,
                Step::Write(_) | Step::Bulk(_) | Step::Unmerge(_) | Step::Dismiss(_) => {
                    Err(lost(root))
                }
            };
            outcomes.push(outcome);
        }
        Ok(answer(plan, outcomes))
    }

    /// Parameters of all reads, in order, within the limit of rows.
    fn reads(&self, plan: &Plan) -> Result<Vec<Reading>, Stop> {
        let mut reads = Vec::new();
        let mut wrong = Vec::new();
        let mut rows_all = 0_u64;
        for root in &plan.roots {
            let steps = match &root.step {
                Step::Read(step) => std::slice::from_ref(step),
                Step::Node(steps) => steps.as_slice(),
                Step::Write(write) => match &write.read {
                    Some(step) => std::slice::from_ref(step),
                    None => continue,
                },
                Step::Bulk(bulk) => bulk.reads.as_slice(),
                _ => continue,
            };
            let mut issues = Issues::default();
            let mut rows_root = 0_u64;
            for step in steps {
                let (parameters, rows) = self.parameters(step, &mut issues);
                rows_root = match &root.step {
                    // A node is found in one object.
                    Step::Node(_) => rows_root.max(rows),
                    _ => rows_root.saturating_add(rows),
                };
                reads.push((step.compiled.clone(), parameters));
            }
            rows_all = rows_all.saturating_add(rows_root);
            if !issues.is_empty() {
                wrong.push(error_of_issues(issues, &root.key, root.at));
            }
        }
        if !wrong.is_empty() {
            return Err(Stop::Refused(wrong));
        }
        let max = self.limits.rows_max;
        if rows_all > max {
            let error = rows_error(rows_all, max);
            return Err(Stop::Refused(vec![error]));
        }
        Ok(reads)
    }

    fn parameters(&self, step: &ReadStep, issues: &mut Issues) -> (Vec<Parameter>, u64) {
        step.parameters(self.variables, &self.coercion(), issues)
    }

    fn coercion(&self) -> coercer::CoerceContext<'_> {
        coercer::CoerceContext {
            catalogue: self.coerce,
            list_max: self.limits.list_max,
            page_max: self.limits.page_max,
            groups_max: self.limits.groups_max,
        }
    }

    async fn run_reads(&self, plan: &Plan, reads: &[Reading]) -> Outcomes {
        if reads.is_empty() {
            return Vec::new();
        }
        let reader = self.workspace.reader();
        let directory: Arc<dyn Directory> = self.state.directory.clone();
        match reader.run(reads, directory.clone()).await {
            Ok(written) => written
                .into_iter()
                .map(|json| Ok(Bytes::from(json)))
                .collect(),
            Err(error) => {
                // Which root is each read for?
                let roots = plan.roots.iter().flat_map(|root| {
                    let count = match &root.step {
                        Step::Read(_) => 1,
                        Step::Node(reads) => reads.len(),
                        _ => 0,
                    };
                    std::iter::repeat_n(root, count)
                });
                let is_of_one = matches!(error, StoreError::BadCursor | StoreError::SumTooLarge);
                if is_of_one && reads.len() > 1 {
                    // One root's mistake is not the others'.
                    let mut outcomes = Vec::with_capacity(reads.len());
                    for (root, read) in roots.zip(reads) {
                        let alone = std::slice::from_ref(read);
                        let outcome = match reader.run(alone, directory.clone()).await {
                            Ok(mut written) => {
                                written.pop().map(Bytes::from).ok_or_else(|| lost(root))
                            }
                            Err(error) => Err(failed(root, &error.into())),
                        };
                        outcomes.push(outcome);
                    }
                    return outcomes;
                }
                let error = AppError::from(error);
                roots.map(|root| Err(failed(root, &error))).collect()
            }
        }
    }

    async fn introspection(
        &self,
        root: &Root,
        step: &IntrospectionStep,
    ) -> Result<Bytes, Box<GraphqlError>> {
        if let Some(answer) = step.answer.as_ref().and_then(|answer| answer.get()) {
            return Ok(answer.clone());
        }
        let variables = async_graphql::Variables::from_json(Json::Object(self.given.clone()));
        let response = self
            .schema
            .introspect(step.document.clone(), variables)
            .instrument(tracing::debug_span!("introspection"))
            .await
            .map_err(|error| {
                Box::new(GraphqlError::of_app(
                    &AppError::internal(&error),
                    &root.key,
                    root.at,
                ))
            })?;
        if let Some(error) = response.errors.first() {
            let mut error = GraphqlError::invalid(error);
            error.path = vec![root.key.as_str().into()];
            return Err(Box::new(error));
        }
        let json = match response.data {
            async_graphql::Value::Object(mut members) => members
                .swap_remove(root.key.as_str())
                .and_then(|value| value.into_json().ok())
                .unwrap_or_default(),
            _ => Json::Null,
        };
        let bytes = Bytes::from(json.to_string());
        if let Some(answer) = &step.answer {
            // Another request may have been faster; the bytes are the same.
            let _ = answer.set(bytes.clone());
        }
        Ok(bytes)
    }

    /// The first plugin field of a request takes the snapshot, the others see the same.
    async fn plugin_query(
        &self,
        root: &Root,
        step: &PluginStep,
        snapshot: &mut Option<Unit>,
    ) -> Result<Result<Bytes, Box<GraphqlError>>, Stop> {
        let unit = match snapshot {
            Some(unit) => unit,
            None => match self.workspace.snapshot(self.caller).await {
                Ok(unit) if unit.state().revision != self.state.revision => {
                    return Err(Stop::Moved);
                }
                Ok(unit) => snapshot.insert(unit),
                Err(error) => return Ok(Err(failed(root, &error))),
            },
        };
        let arguments = Json::Object(self.arguments(step));
        let answer = operations::operation_query(unit, &step.field, arguments)
            .instrument(tracing::debug_span!("operation", field = step.field))
            .await;
        Ok(match answer {
            Ok(result) => Ok(Bytes::from(step.pick.apply(&result).to_string())),
            Err(error) => {
                let is_refusal = matches!(
                    error,
                    AppError::PluginRejected { .. } | AppError::BadInput { .. }
                );
                if !is_refusal {
                    // A statement may have failed, or still be running: one field's failure is
                    // not the others', so they get a new snapshot.
                    *snapshot = None;
                }
                Err(failed(root, &error))
            }
        })
    }

    fn arguments(&self, step: &PluginStep) -> Map<String, Json> {
        step.arguments
            .iter()
            .filter_map(|(name, template)| Some((name.clone(), template.render(self.variables)?)))
            .collect()
    }

    async fn mutation(&self, plan: &Plan) -> Result<Answer, Stop> {
        let mut reads = self.reads(plan)?.into_iter();
        let mut jobs = Vec::with_capacity(plan.roots.len());
        let mut early = Vec::new();
        let mut wrong = Vec::new();
        for root in &plan.roots {
            let job = match &root.step {
                Step::Bulk(step) => {
                    let reads = reads.by_ref().take(step.reads.len()).collect();
                    match self.bulk(root, step, reads) {
                        Ok(job) => Job::Bulk(Box::new(job)),
                        Err(error) => {
                            wrong.push(*error);
                            continue;
                        }
                    }
                }
                Step::Write(step) => {
                    let read = step.read.as_ref().and_then(|_| reads.next());
                    match self.write(step) {
                        Ok(write) => {
                            let beyond = write.data().and_then(|data| {
                                self.within_nesting(step.object, data, &mut 0).err()
                            });
                            if let Some(beyond) = beyond {
                                let issues = beyond.under("data").under(root.key.as_str());
                                wrong.push(error_of_issues(issues, &root.key, root.at));
                                continue;
                            }
                            Job::Write {
                                object: step.object,
                                write,
                                read,
                            }
                        }
                        Err(error) => {
                            early.push(GraphqlError::of_app(&error, &root.key, root.at));
                            continue;
                        }
                    }
                }
                Step::Plugin(step) => Job::Plugin {
                    field: step.field.clone(),
                    arguments: self.arguments(step),
                    pick: step.pick.clone(),
                },
                Step::Unmerge(step) => match self.id_of(step.object, &step.id) {
                    Ok(id) => Job::Unmerge {
                        object: step.object,
                        id,
                        picked: step.picked.clone(),
                    },
                    Err(error) => {
                        early.push(GraphqlError::of_app(&error, &root.key, root.at));
                        continue;
                    }
                },
                Step::Dismiss(step) => match self.ids_of(step.object, &step.ids) {
                    Ok(ids) => Job::Dismiss {
                        object: step.object,
                        ids,
                        is_taken_back: step.is_taken_back,
                    },
                    Err(error) => {
                        early.push(GraphqlError::of_app(&error, &root.key, root.at));
                        continue;
                    }
                },
                Step::Literal(json) => Job::Known(Bytes::from(json.clone())),
                _ => {
                    early.push(*lost(root));
                    continue;
                }
            };
            jobs.push(job);
        }
        if !wrong.is_empty() {
            return Err(Stop::Refused(wrong));
        }
        if !early.is_empty() {
            return Ok(Answer::failed(early));
        }
        let keys = plan.roots.iter().map(|root| root.key.clone()).collect();
        let work = Arc::new(Work {
            jobs,
            keys,
            repeatable: self.repeatable.cloned(),
            revision: self.state.revision,
            reached: AtomicUsize::new(0),
            moved: AtomicBool::new(false),
            refused: AtomicBool::new(false),
        });
        let is_long = work.jobs.iter().any(Job::may_take_long);
        let carried_out = {
            let work = work.clone();
            let run = move |unit| work.clone().run(unit);
            let written = async {
                if is_long {
                    self.workspace.transact_long(self.caller, run).await
                } else {
                    self.workspace.transact(self.caller, run).await
                }
            };
            written.instrument(tracing::debug_span!("write")).await
        };
        match carried_out {
            Ok(Done::Now(written)) => Ok(answer(plan, written.into_iter().map(Ok).collect())),
            Ok(Done::Before(body)) => Ok(Answer {
                data: None,
                errors: Vec::new(),
                repeated: Some(body),
            }),
            Err(error) if work.refused.load(Ordering::Relaxed) => {
                let error = GraphqlError::of_app_anywhere(&error);
                Err(Stop::Refused(vec![error]))
            }
            Err(_) if work.moved.load(Ordering::Relaxed) => Err(Stop::Moved),
            Err(error) => {
                let reached = work.reached.load(Ordering::Relaxed);
                let error = match plan.roots.get(reached) {
                    Some(root) => GraphqlError::of_app(&error, &root.key, root.at),
                    // The commit: of all of them.
                    None => GraphqlError::of_app_anywhere(&error),
                };
                Ok(Answer::failed(vec![error]))
            }
        }
    }

    /// The id of a record that is written. What is no id is the id of nothing.
    fn id_of(&self, object: ObjectIndex, template: &Template) -> Result<Uuid, AppError> {
        self.id_in(object, &template.render(self.variables).unwrap_or_default())
    }

    fn id_in(&self, object: ObjectIndex, given: &Json) -> Result<Uuid, AppError> {
        let text = match given {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        Uuid::parse_str(&text).map_err(|_| {
            let object = &self.state.catalogue.object(object).singular;
            AppError::NotFound(format!("there is no {object} {text}"))
        })
    }

    fn write(&self, step: &WriteStep) -> Result<Write, AppError> {
        let id = |template: &Template| self.id_of(step.object, template);
        let data = |template: &Template| match template.render(self.variables) {
            Some(Json::Object(data)) => Ok(data),
            _ => Err(AppError::bad_input("`data` must be given")),
        };
        Ok(match &step.change {
            Change::Create { data: template } => Write::Create {
                data: data(template)?,
            },
            Change::Update {
                id: id_template,
                data: data_template,
                if_version,
            } => Write::Update {
                id: id(id_template)?,
                data: data(data_template)?,
                if_version: if_version
                    .as_ref()
                    .and_then(|template| template.render(self.variables))
                    .and_then(|version| version.as_i64()),
            },
            Change::Delete { id: template } => Write::Delete { id: id(template)? },
            Change::Restore { id: template } => Write::Restore { id: id(template)? },
            Change::Destroy { id: template } => Write::Destroy { id: id(template)? },
            Change::Merge(arguments) => Write::Merge(self.merge_request(step.object, arguments)?),
        })
    }
}

/// A failed field is null where it may be; where it may not, there is no data at all.
fn answer(plan: &Plan, outcomes: Outcomes) -> Answer {
    let mut members = Vec::with_capacity(outcomes.len());
    let mut errors = Vec::new();
    let mut has_data = true;
    for (root, outcome) in plan.roots.iter().zip(outcomes) {
        match outcome {
            Ok(json) => members.push((root.key.clone(), json)),
            Err(error) => {
                errors.push(*error);
                has_data &= root.nullable;
                members.push((root.key.clone(), Bytes::from_static(b"null")));
            }
        }
    }
    Answer {
        data: has_data.then_some(members),
        errors,
        repeated: None,
    }
}

/// What `viewer` answers, before anything is selected of it.
fn viewer(caller: &Caller) -> Map<String, Json> {
    let user = caller.user.as_ref().map(|user| {
        json!({
            "__typename": "User",
            "id": user.id.to_string(),
            "name": user.name,
            "email": user.email,
        })
    });
    let actor = match &caller.actor {
        Actor::User(id) => user
            .clone()
            .unwrap_or_else(|| json!({"__typename": "User", "id": id.to_string()})),
        Actor::Token(id) => json!({"__typename": "Token", "id": id.to_string()}),
        Actor::Plugin(id) => json!({"__typename": "Plugin", "id": id}),
        Actor::System => json!({"__typename": "System", "name": "System"}),
    };
    let mut viewer = Map::new();
    viewer.insert("user".into(), user.unwrap_or_default());
    viewer.insert("actor".into(), actor);
    viewer.insert("isAdmin".into(), caller.is_admin.into());
    viewer.insert("locale".into(), caller.locale.as_str().into());
    let zone = caller.zone.iana_name().unwrap_or("UTC");
    viewer.insert("zone".into(), zone.into());
    viewer
}

/// The pages of a request, or of a search, are more than is read at once.
fn rows_error(rows: u64, max: u64) -> GraphqlError {
    let mut error = GraphqlError::new(
        "LIMIT_EXCEEDED",
        format!(
            "the pages asked for multiply to {rows} rows, at most {max} are read at once; ask for smaller pages"
        ),
    );
    error.issues.push(
        relata_catalog::Issue::new("LIMIT", error.message.clone())
            .with("limit", "rows")
            .with("max", max)
            .with("rows", rows),
    );
    error
}

fn failed(root: &Root, error: &AppError) -> Box<GraphqlError> {
    Box::new(GraphqlError::of_app(error, &root.key, root.at))
}

/// A step stands where it can't: our mistake.
fn lost(root: &Root) -> Box<GraphqlError> {
    failed(root, &AppError::broken("a root field was not carried out"))
}

/// Why a read could not be compiled.
pub(crate) fn compile_error(error: &CompileError) -> GraphqlError {
    match error {
        CompileError::Limit { .. } => GraphqlError::new("LIMIT_EXCEEDED", error.to_string()),
        CompileError::Unsupported { .. } | CompileError::Unordered { .. } => {
            GraphqlError::new("BAD_INPUT", error.to_string())
        }
        CompileError::Operand(_) => GraphqlError::new("BAD_INPUT", error.to_string()),
        other => GraphqlError::of_app_anywhere(&AppError::internal(other)),
    }
}

impl GraphqlError {
    /// What the application says of a root field.
    #[must_use]
    pub fn of_app(error: &AppError, key: &str, at: (usize, usize)) -> Self {
        let mut of_app = Self::new(error.code(), error.message());
        of_app.path = vec![key.into()];
        of_app.locations = vec![at];
        of_app.issues = error.issues().to_vec();
        if let AppError::Internal { reference } = error {
            of_app.reference = Some(reference.clone());
        }
        of_app
    }

    /// What the application says of a request as a whole.
    #[must_use]
    pub fn of_app_anywhere(error: &AppError) -> Self {
        let mut of_app = Self::of_app(error, "", (0, 0));
        of_app.path.clear();
        of_app.locations.clear();
        of_app
    }
}
