//! Jobs: work that outlives the request that asked for it (imports, exports, what
//! undoes them, duplicates).
//!
//! A job stands in the database from the moment it is asked for; a [runner](runner) in one of the
//! processes takes it, and another one does where the first has died. What a step of a job does and
//! how far the job is are one transaction, so no step is done twice.

mod runner;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use jiff::tz::TimeZone;
use relata_catalog::{Issue, Issues};
use relata_store::{
    Transaction, Turn,
    platform::jobs::{Job, JobEnd, QUEUED, RUNNING},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value as Json;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{Actor, AppError, Caller, Unit, Workspace, access::authorise_admin};

pub(crate) use runner::run;

/// Jobs of one answer, at most.
pub const PAGE_MAX: u64 = 500;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobKind {
    /// Brings a file in.
    Import,
    /// Takes an import back.
    Undo,
    /// Writes records to a file.
    Export,
    /// Looks for records that may be the same.
    Duplicates,
}

impl JobKind {
    fn name(self) -> &'static str {
        match self {
            Self::Import => "IMPORT",
            Self::Undo => "UNDO",
            Self::Export => "EXPORT",
            Self::Duplicates => "DUPLICATES",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Import, Self::Undo, Self::Export, Self::Duplicates]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// It waits: jobs are done one after the other.
    Queued,
    /// Somebody works on it.
    Running,
    /// It has done what it could.
    Done,
    /// It has done nothing more since something was wrong.
    Failed,
    /// Somebody has stopped it. What it had done until then stays.
    Cancelled,
    /// What it had done was taken back.
    Undone,
}

impl JobState {
    const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
        Self::Undone,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queued => QUEUED,
            Self::Running => RUNNING,
            Self::Done => "DONE",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Undone => "UNDONE",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more will be done.
    #[must_use]
    pub fn is_ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// Why a job has failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobError {
    /// A code of the API.
    pub code: String,
    /// For a person.
    pub message: String,
    /// What a person can mend.
    #[serde(default)]
    pub issues: Vec<Issue>,
}

impl JobError {
    pub(crate) fn of(error: &AppError) -> Self {
        Self {
            code: error.code().to_owned(),
            message: error.message(),
            issues: error.issues().to_vec(),
        }
    }

    /// For who has waited for the job as if it were a request.
    pub(crate) fn into_error(self) -> AppError {
        match self.code.as_str() {
            "NOT_FOUND" => AppError::NotFound(self.message),
            "FORBIDDEN" => AppError::Forbidden(self.message),
            "LIMIT_EXCEEDED" => AppError::LimitExceeded(self.message),
            "TIMEOUT" => AppError::Timeout(self.message),
            "UNAVAILABLE" | "INTERNAL" => AppError::Unavailable(self.message),
            "CONFLICT" => AppError::Conflict,
            _ => AppError::BadInput {
                headline: Some(self.message),
                issues: Issues(self.issues),
            },
        }
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobInfo {
    /// Id.
    pub id: Uuid,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// Who asked for it, in the form of [`Actor`].
    pub actor: String,
    /// What was asked for.
    pub options: Json,
    /// The file that it reads, or has made.
    pub file: Option<Uuid>,
    /// What has been done so far.
    pub counts: Json,
    /// Why it failed.
    pub error: Option<JobError>,
    /// Microseconds since 1970, as the next two.
    pub created_at: i64,
    /// When somebody first worked on it.
    pub started_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
}

/// A job that is asked for.
pub(crate) struct NewJob {
    pub(crate) kind: JobKind,
    pub(crate) options: Json,
    pub(crate) counts: Json,
    pub(crate) file: Option<Uuid>,
}

/// A caller, as a job remembers it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Remembered {
    actor: String,
    user: Option<Uuid>,
    locale: String,
    zone: Option<String>,
}

/// Asks for a job. It is taken when those before it are done.
///
/// # Errors
/// `FORBIDDEN`.
pub(crate) async fn job_create(
    workspace: &Workspace,
    caller: &Caller,
    new: NewJob,
) -> Result<JobInfo, AppError> {
    authorise_admin(caller)?;
    let remembered = Remembered {
        actor: caller.actor.to_string(),
        user: caller.user.as_ref().map(|user| user.id),
        locale: caller.locale.clone(),
        zone: caller.zone.iana_name().map(str::to_owned),
    };
    let job = Job {
        id: Uuid::now_v7(),
        kind: new.kind.name().to_owned(),
        state: QUEUED.to_owned(),
        caller: text_of(&remembered)?,
        options: new.options.to_string(),
        file: new.file,
        claim: 0,
        position: 0,
        counts: new.counts.to_string(),
        error: None,
        created_at: crate::clock::now_micros(),
        started_at: None,
        ended_at: None,
    };
    let transaction = workspace.database().begin(Turn::First).await?;
    transaction.insert_job(&job).await?;
    transaction.commit().await?;
    workspace.jobs().wake.notify_one();
    info(workspace, job)
}

/// The job with this id.
///
/// # Errors
/// `FORBIDDEN`.
pub async fn job_get(
    workspace: &Workspace,
    caller: &Caller,
    id: Uuid,
) -> Result<Option<JobInfo>, AppError> {
    authorise_admin(caller)?;
    let job = workspace.database().job(id).await?;
    job.map(|job| info(workspace, job)).transpose()
}

/// The jobs, newest first: at most `first` (and [`PAGE_MAX`]), older than the job `after`.
///
/// # Errors
/// `FORBIDDEN`, `BAD_INPUT`.
pub async fn jobs_list(
    workspace: &Workspace,
    caller: &Caller,
    first: u64,
    after: Option<Uuid>,
) -> Result<Vec<JobInfo>, AppError> {
    authorise_admin(caller)?;
    if !(1..=PAGE_MAX).contains(&first) {
        let message = format!("first takes a whole number from 1 to {PAGE_MAX}");
        return Err(AppError::bad_input_issues(
            Issue::new("BAD_INPUT", message).at("first").into(),
        ));
    }
    let jobs = workspace.database().jobs(after, first).await?;
    jobs.into_iter().map(|job| info(workspace, job)).collect()
}

/// Stops a job. What it has done until then stays; all of nothing, where all or none was asked
/// for.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`; `BAD_INPUT` when it has ended.
pub async fn job_cancel(
    workspace: &Workspace,
    caller: &Caller,
    id: Uuid,
) -> Result<JobInfo, AppError> {
    authorise_admin(caller)?;
    // The one that runs here may hold the turn that this would wait for.
    workspace.jobs().stop(id);
    let transaction = workspace.database().begin(Turn::First).await?;
    let now = crate::clock::now_micros();
    let is_done = transaction
        .set_job_state(id, &[QUEUED], JobState::Cancelled.name(), now)
        .await?
        || transaction.cancel_job(id).await?;
    transaction.commit().await?;
    // It may have begun meanwhile: whoever began before the commit hears of it here, whoever
    // began after it has read it.
    workspace.jobs().stop(id);
    let job = job_get(workspace, caller, id)
        .await?
        .ok_or_else(|| AppError::NotFound(format!("there is no job with the id {id}")))?;
    if !is_done && job.state != JobState::Cancelled {
        return Err(AppError::bad_input(format!(
            "the job has ended already: {}",
            job.state.name()
        )));
    }
    Ok(job)
}

/// Waits until a job has ended.
///
/// # Errors
/// What the database says; `UNAVAILABLE` when the workspace is closed meanwhile.
pub(crate) async fn job_ended(workspace: &Workspace, id: Uuid) -> Result<JobInfo, AppError> {
    /// Another process may do it, and tells nobody.
    const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(500);
    let mut ending = workspace.ending();
    loop {
        let ended = workspace.jobs().ended.notified();
        tokio::pin!(ended);
        // From now on, so that an end between here and the wait is heard of.
        ended.as_mut().enable();
        let job = workspace
            .database()
            .job(id)
            .await?
            .ok_or_else(|| AppError::NotFound(format!("there is no job with the id {id}")))?;
        let job = info(workspace, job)?;
        if job.state.is_ended() {
            return Ok(job);
        }
        tokio::select! {
            () = ended => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = ending.wait_for(|ending| *ending) => {
                return Err(AppError::Unavailable(format!(
                    "the workspace is being closed; the job {id} goes on when it is opened again"
                )));
            }
        }
    }
}

/// Some of what became of the parts of a job, from a part on, in order.
pub(crate) async fn parts<T: DeserializeOwned>(
    workspace: &Workspace,
    id: Uuid,
    from: i64,
) -> Result<Vec<(i64, T)>, AppError> {
    /// Of a large import one has some ten kilobytes.
    const AT_ONCE: u64 = 50;
    let parts = workspace.database().job_parts(id, from, AT_ONCE).await?;
    parts
        .into_iter()
        .map(|(part, body)| Ok((part, read(&body)?)))
        .collect()
}

/// What runs in this process, and who is to be told.
#[derive(Debug)]
pub(crate) struct Jobs {
    /// This process, as leases name it.
    holder: Uuid,
    /// There is something to do.
    wake: Notify,
    /// Something has ended.
    ended: Notify,
    running: Mutex<Option<Running>>,
}

#[derive(Debug, Clone)]
struct Running {
    job: Uuid,
    counts: Arc<Mutex<Option<Json>>>,
    is_cancelled: Arc<AtomicBool>,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            holder: Uuid::now_v7(),
            wake: Notify::new(),
            ended: Notify::new(),
            running: Mutex::default(),
        }
    }
}

impl Jobs {
    fn running(&self, id: Uuid) -> Option<Running> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.clone().filter(|running| running.job == id)
    }

    fn set_running(&self, running: Option<Running>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }

    fn stop(&self, id: Uuid) {
        if let Some(running) = self.running(id) {
            running.is_cancelled.store(true, Ordering::Relaxed);
        }
    }
}

/// A job in the hands of who does it.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) workspace: Workspace,
    pub(crate) caller: Caller,
    pub(crate) job: Arc<Job>,
    running: Running,
}

/// How a job ends.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) state: JobState,
    pub(crate) counts: Json,
    pub(crate) error: Option<JobError>,
    pub(crate) position: i64,
    /// What it has made.
    pub(crate) file: Option<Uuid>,
    /// That was written with the work itself.
    pub(crate) is_committed: bool,
}

impl End {
    pub(crate) fn of(state: JobState, counts: Json, position: i64) -> Self {
        Self {
            state,
            counts,
            error: None,
            position,
            file: None,
            is_committed: false,
        }
    }
}

impl Task {
    /// What the job is about.
    pub(crate) fn options<T: DeserializeOwned>(&self) -> Result<T, AppError> {
        read(&self.job.options)
    }

    /// Whether it shall stop: because somebody wants it to, or for now, because the workspace is
    /// being closed.
    pub(crate) fn is_stopped(&self) -> Option<JobState> {
        if self.running.is_cancelled.load(Ordering::Relaxed) {
            return Some(JobState::Cancelled);
        }
        (*self.workspace.ending().borrow()).then_some(JobState::Running)
    }

    /// Tells who looks how far it is, before that is committed.
    pub(crate) fn report(&self, counts: &Json) {
        let mut known = self
            .running
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Some(counts.clone());
    }

    /// Moves the job on with what this transaction does.
    pub(crate) async fn advance(
        &self,
        unit: &Unit,
        position: i64,
        counts: &Json,
    ) -> Result<(), AppError> {
        let is_ours = unit
            .transaction()
            .advance_job(self.job.id, self.job.claim, position, &counts.to_string())
            .await?;
        if is_ours { Ok(()) } else { Err(lost()) }
    }

    /// As [`Task::advance`], of a transaction that writes nothing but the platform's own tables.
    pub(crate) async fn advance_in(
        &self,
        transaction: &Transaction,
        position: i64,
        counts: &Json,
    ) -> Result<(), AppError> {
        let is_ours = transaction
            .advance_job(self.job.id, self.job.claim, position, &counts.to_string())
            .await?;
        if is_ours { Ok(()) } else { Err(lost()) }
    }

    /// Ends the job with what this transaction does.
    pub(crate) async fn end_in(&self, unit: &Unit, end: &JobEnd<'_>) -> Result<(), AppError> {
        let transaction = unit.transaction();
        let is_ours = transaction
            .end_job(self.job.id, self.job.claim, end)
            .await?;
        if is_ours { Ok(()) } else { Err(lost()) }
    }

    /// Keeps what became of a part, with what this transaction does.
    pub(crate) async fn keep(
        &self,
        unit: &Unit,
        part: i64,
        body: &impl Serialize,
    ) -> Result<(), AppError> {
        let transaction = unit.transaction();
        transaction
            .put_job_part(self.job.id, part, &text_of(body)?)
            .await?;
        Ok(())
    }

    /// What was kept of a part; the default where there is nothing.
    pub(crate) async fn part<T: DeserializeOwned + Default>(
        &self,
        unit: &Unit,
        part: i64,
    ) -> Result<T, AppError> {
        match unit.transaction().job_part(self.job.id, part).await? {
            Some(body) => read(&body),
            None => Ok(T::default()),
        }
    }

    /// Keeps a part and moves the job on, where the work itself has left nothing.
    pub(crate) async fn note(
        &self,
        part: i64,
        body: &impl Serialize,
        position: i64,
        counts: &Json,
    ) -> Result<(), AppError> {
        let transaction = self.workspace.database().begin(Turn::First).await?;
        let (id, claim) = (self.job.id, self.job.claim);
        transaction.put_job_part(id, part, &text_of(body)?).await?;
        let counts = counts.to_string();
        if !transaction
            .advance_job(id, claim, position, &counts)
            .await?
        {
            return Err(lost());
        }
        transaction.commit().await?;
        Ok(())
    }
}

fn lost() -> AppError {
    AppError::Unavailable("another process has taken the job over".to_owned())
}

fn text_of(value: &impl Serialize) -> Result<String, AppError> {
    serde_json::to_string(value).map_err(|error| AppError::internal(&error))
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, AppError> {
    serde_json::from_str(text).map_err(|error| AppError::internal(&error))
}

fn info(workspace: &Workspace, job: Job) -> Result<JobInfo, AppError> {
    let unknown = || AppError::broken("a job of a kind or in a state that is not known");
    let caller: Remembered = read(&job.caller)?;
    let state = JobState::parse(&job.state).ok_or_else(unknown)?;
    let live = workspace.jobs().running(job.id).and_then(|running| {
        let counts = running
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    });
    let counts = match live.filter(|_| state == JobState::Running) {
        Some(counts) => counts,
        None => read(&job.counts)?,
    };
    Ok(JobInfo {
        id: job.id,
        kind: JobKind::parse(&job.kind).ok_or_else(unknown)?,
        state,
        actor: caller.actor,
        options: read(&job.options)?,
        file: job.file,
        counts,
        error: job.error.as_deref().map(read).transpose()?,
        created_at: job.created_at,
        started_at: job.started_at,
        ended_at: job.ended_at,
    })
}

/// On whose behalf a job runs: who asked for it, with today's rights.
fn caller_of(workspace: &Workspace, job: &Job) -> Result<Caller, AppError> {
    let known: Remembered = read(&job.caller)?;
    let actor: Actor = known
        .actor
        .parse()
        .map_err(|_| AppError::broken("a job of nobody"))?;
    let mut caller = match known.user {
        None if actor == Actor::System => Caller::system(),
        None => return Err(AppError::broken("a job of nobody")),
        Some(id) => {
            let state = workspace.state();
            let user = state.directory.user(id).cloned().ok_or_else(|| {
                AppError::Forbidden("the user who asked for it is not there any more".to_owned())
            })?;
            Caller::user(user)
        }
    };
    caller.actor = actor;
    caller.locale = known.locale;
    if let Some(zone) = known.zone.and_then(|name| TimeZone::get(&name).ok()) {
        caller.zone = zone;
    }
    authorise_admin(&caller)?;
    Ok(caller)
}
