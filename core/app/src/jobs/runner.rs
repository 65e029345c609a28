//! Takes jobs and does them, one after the other, until the workspace is closed.
//!
//! On PostgreSQL several processes do so: whoever takes a job has it as long as it says so (a
//! lease). A process that has died says nothing any more, and another one takes the job from where
//! it was. SQLite has one process, so whatever somebody else had taken is free.

use std::{
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt as _;
use relata_store::{
    Backend, StoreError, Turn,
    platform::jobs::{Job, JobEnd},
};

use super::{End, JobError, JobKind, JobState, Running, Task, caller_of, text_of};
use crate::{AppError, Workspace, clock, duplicates, exports, imports};

/// How long a job belongs to who has taken it, unless it says so again.
const LEASE: Duration = Duration::from_secs(15);
/// How often it says so, and looks whether it shall stop.
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// How often is looked for what another process was asked for, or has left undone.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Runs beside the requests until the workspace is closed.
pub(crate) async fn run(workspace: Workspace) {
    let mut ending = workspace.ending();
    loop {
        match next(&workspace).await {
            Ok(Some(job)) => {
                carry_out(&workspace, job).await;
                workspace.jobs().ended.notify_waiters();
                if *workspace.ending().borrow() {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            // Another process was faster, or the database is away: both pass.
            Err(AppError::Conflict | AppError::Unavailable(_) | AppError::Timeout(_)) => {}
            Err(error) => tracing::error!(%error, "no job can be taken"),
        }
        tokio::select! {
            _ = ending.wait_for(|ending| *ending) => return,
            () = workspace.jobs().wake.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn next(workspace: &Workspace) -> Result<Option<Job>, AppError> {
    if !workspace.database().has_open_jobs().await? {
        return Ok(None);
    }
    let transaction = workspace.database().begin(Turn::First).await?;
    let now = clock::now_micros();
    let until = now + clock::micros_of(LEASE);
    let job = transaction
        .claim_job(workspace.jobs().holder, now, until)
        .await?;
    if job.is_some() {
        transaction.commit().await?;
    }
    Ok(job)
}

async fn carry_out(workspace: &Workspace, job: Job) {
    let id = job.id;
    let running = Running {
        job: id,
        counts: Arc::default(),
        is_cancelled: Arc::default(),
    };
    workspace.jobs().set_running(Some(running.clone()));
    // Between the claim and here somebody may have stopped it.
    if let Ok(Some(lease)) = workspace.database().job_lease(id).await {
        running
            .is_cancelled
            .fetch_or(lease.cancelled, Ordering::Relaxed);
    }
    let job = Arc::new(job);
    let work = work(workspace, &job, running.clone());
    let lease = keep_lease(workspace, &job, &running.is_cancelled);
    let end = tokio::select! {
        end = std::panic::AssertUnwindSafe(work).catch_unwind() => end,
        () = lease => {
            tracing::warn!(job = %id, "another process has taken the job over");
            workspace.jobs().set_running(None);
            return;
        }
    };
    let end = match end {
        Ok(Ok(end)) => end,
        Ok(Err(error)) => failed(workspace, &job, &error).await,
        Err(_) => {
            let error = AppError::broken("a job has panicked");
            failed(workspace, &job, &error).await
        }
    };
    if let Err(error) = note_end(workspace, &job, &end).await {
        // It stays taken; when the lease has run out, it is taken up again.
        tracing::error!(job = %id, %error, "the end of a job can't be noted");
    }
    workspace.jobs().set_running(None);
}

async fn work(workspace: &Workspace, job: &Arc<Job>, running: Running) -> Result<End, AppError> {
    let task = Task {
        workspace: workspace.clone(),
        caller: caller_of(workspace, job)?,
        job: Arc::clone(job),
        running,
    };
    tracing::info!(job = %job.id, kind = job.kind, position = job.position, "a job begins");
    match JobKind::parse(&job.kind) {
        Some(JobKind::Import) => imports::carry_out(&task).await,
        Some(JobKind::Undo) => imports::carry_out_undo(&task).await,
        Some(JobKind::Export) => exports::carry_out(&task).await,
        Some(JobKind::Duplicates) => duplicates::job::carry_out(&task).await,
        None => Err(AppError::broken("a job of a kind that is not known")),
    }
}

/// What has been committed stays, with the counts of that moment.
async fn failed(workspace: &Workspace, job: &Job, error: &AppError) -> End {
    let known = workspace.database().job(job.id).await.ok().flatten();
    let known = known.as_ref().unwrap_or(job);
    End {
        error: Some(JobError::of(error)),
        ..End::of(
            JobState::Failed,
            serde_json::from_str(&known.counts).unwrap_or_default(),
            known.position,
        )
    }
}

/// Says every now and then that the job is being done, and hears whether it shall stop. Ends when
/// another process has it.
async fn keep_lease(workspace: &Workspace, job: &Job, is_cancelled: &AtomicBool) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        // There, the one that works holds the only turn, and nobody else can have taken the job.
        if workspace.database().backend() == Backend::Sqlite {
            continue;
        }
        match renewed(workspace, job).await {
            Ok(Some(shall_stop)) => {
                is_cancelled.fetch_or(shall_stop, Ordering::Relaxed);
            }
            Ok(None) => return,
            Err(error) => tracing::warn!(job = %job.id, %error, "a lease can't be renewed"),
        }
    }
}

/// Whether the job shall stop; nothing when another process has it.
async fn renewed(workspace: &Workspace, job: &Job) -> Result<Option<bool>, AppError> {
    let holder = workspace.jobs().holder;
    let until = clock::now_micros() + clock::micros_of(LEASE);
    let transaction = workspace.database().begin(Turn::First).await?;
    let is_ours = transaction.renew_job(job.id, holder, until).await?;
    match transaction.commit().await {
        Ok(()) | Err(StoreError::Retryable(_)) => {}
        Err(error) => return Err(error.into()),
    }
    if !is_ours {
        // Also when it has just ended: then nobody waits for this any more.
        return Ok(None);
    }
    let lease = workspace.database().job_lease(job.id).await?;
    Ok(lease.map(|lease| lease.cancelled))
}

async fn note_end(workspace: &Workspace, job: &Job, end: &End) -> Result<(), AppError> {
    let counts = end.counts.to_string();
    tracing::info!(job = %job.id, state = end.state.name(), %counts, "a job has ended");
    if end.is_committed {
        return Ok(());
    }
    const TRIES: usize = 5;
    let mut tries = 0;
    loop {
        tries += 1;
        match noted(workspace, job, end, &counts).await {
            Err(AppError::Conflict) if tries < TRIES => {}
            result => return result,
        }
    }
}

async fn noted(workspace: &Workspace, job: &Job, end: &End, counts: &str) -> Result<(), AppError> {
    let transaction = workspace.database().begin(Turn::First).await?;
    if end.state == JobState::Running {
        // For now: whoever opens the workspace next goes on at once.
        transaction
            .renew_job(job.id, workspace.jobs().holder, 0)
            .await?;
    } else {
        let error = end.error.as_ref().map(text_of).transpose()?;
        let end = JobEnd {
            state: end.state.name(),
            error: error.as_deref(),
            counts,
            position: end.position,
            file: end.file,
            at: clock::now_micros(),
        };
        if !transaction.end_job(job.id, job.claim, &end).await? {
            return Ok(());
        }
    }
    transaction.commit().await?;
    Ok(())
}
