//! How long things stay that nobody needs any more, and their removal.
//!
//! Removal runs beside the requests in small transactions, so that nobody waits long for it.

use std::time::Duration;

use relata_catalog::{ObjectIndex, Value};
use relata_store::{
    Turn,
    filter::{
        ColumnRef, Deleted, Direction, Filter, Nulls, Operand, Operator, OrderTerm, SystemColumn,
    },
    records::Find,
};
use uuid::Uuid;

use crate::{
    AppError, Caller, Workspace, clock::micros_of, dead_letters, files::sweep::sweep,
    records::record_destroy,
};

/// How long things stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionOptions {
    /// Records in the trash, before they are removed for good.
    pub trash: Duration,
    /// Tables and columns of removed elements: for an undo, and for requests of older revisions.
    pub parked: Duration,
    /// Entries of the outbox after everybody has got them.
    pub outbox: Duration,
    /// Answers to requests with an `Idempotency-Key`.
    pub answers: Duration,
    /// Jobs that have ended, with what an import needs to be undone.
    pub jobs: Duration,
    /// Files that no record and no job holds any more: undoing an import may give them back.
    pub files: Duration,
    /// Files of which not all has arrived: uploads that were broken off.
    pub arriving: Duration,
    /// Bytes of such an answer.
    pub answer_bytes_max: usize,
    /// How often is looked for what may go; in the trash, ten times less often.
    pub look_every: Duration,
}

impl Default for RetentionOptions {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3_600);
        Self {
            trash: DAY * 90,
            parked: DAY * 7,
            outbox: DAY,
            answers: DAY,
            jobs: DAY * 30,
            files: DAY * 30,
            arriving: DAY,
            answer_bytes_max: 1024 * 1024,
            look_every: Duration::from_secs(60),
        }
    }
}

/// Of so many rounds one looks into the trash: its search reads every table.
const TRASH_ROUNDS: u32 = 10;
/// Records that one transaction removes: on SQLite others wait for it.
const TRASH_BATCH: usize = 20;
/// Records that are found at once.
const TRASH_PAGE: u64 = 500;

/// Removes until the workspace is closed.
pub(crate) async fn keep_house(workspace: Workspace) {
    let mut ending = workspace.ending();
    let mut round: u32 = 0;
    let mut seen = None;
    loop {
        tokio::select! {
            _ = ending.wait_for(|ending| *ending) => return,
            () = tokio::time::sleep(workspace.options().retention.look_every) => {}
        }
        dead_letters::report(&workspace).await;
        // One that fails is no reason to leave the others.
        for (what, done) in [
            ("delivered entries and old answers", prune(&workspace).await),
            ("parked tables and columns", drop_parked(&workspace).await),
        ] {
            if let Err(error) = done {
                tracing::error!(%error, "{what} can't be removed");
            }
        }
        match sweep(&workspace, seen).await {
            Ok(last) => seen = last,
            Err(error) => tracing::error!(%error, "files can't be looked through"),
        }
        if round.is_multiple_of(TRASH_ROUNDS) {
            empty_trash(&workspace).await;
        }
        round = round.wrapping_add(1);
    }
}

/// Removes what everybody has got and what is old enough.
async fn prune(workspace: &Workspace) -> Result<(), AppError> {
    let deliveries = workspace.database().deliveries().await?;
    let delivered = match deliveries.iter().map(|delivery| delivery.position).min() {
        Some(position) => position,
        None => workspace.database().outbox_end().await?,
    };
    let retention = &workspace.options().retention;
    let now = crate::clock::now_micros();
    let transaction = workspace.database().begin(Turn::Long).await?;
    let entries = transaction
        .prune_outbox(delivered, now - micros_of(retention.outbox))
        .await?;
    let answers = transaction
        .prune_answers(now - micros_of(retention.answers))
        .await?;
    transaction
        .prune_jobs(now - micros_of(retention.jobs))
        .await?;
    let used = workspace.tokens().take_used();
    transaction.touch_tokens(&used).await?;
    transaction.commit().await?;
    if entries + answers > 0 {
        tracing::debug!(
            entries,
            answers,
            "old entries of the outbox and answers are removed"
        );
    }
    Ok(())
}

/// Drops what was removed from the catalogue long enough ago.
async fn drop_parked(workspace: &Workspace) -> Result<(), AppError> {
    let now = crate::clock::now_micros();
    let before = now - micros_of(workspace.options().retention.parked);
    let parked = workspace.database().parked().await?;
    if !parked.iter().any(|element| element.since < before) {
        return Ok(());
    }
    let transaction = workspace.database().begin(Turn::Alone).await?;
    let dropped = transaction.drop_parked(before, now).await?;
    transaction.commit().await?;
    tracing::info!(?dropped, "what was removed is dropped for good");
    Ok(())
}

/// What emptying the trash came to.
#[derive(Debug, Default)]
struct Emptied {
    removed: u64,
    /// Records that something holds: others point at them, or a hook objects.
    held: u64,
    /// Why the first of them stays.
    reason: Option<String>,
}

/// Removes for good what has been in the trash for long enough, through the steps of every
/// removal. What can't be removed stays, and is tried again the next time.
async fn empty_trash(workspace: &Workspace) {
    let before = crate::clock::now_micros() - micros_of(workspace.options().retention.trash);
    let mut emptied = Emptied::default();
    let objects = workspace.state().catalogue.objects.len();
    for object in (0..objects).map(ObjectIndex) {
        if let Err(error) = empty_trash_of(workspace, object, before, &mut emptied).await {
            tracing::error!(%error, "the trash can't be emptied");
            break;
        }
    }
    if emptied.removed > 0 {
        let removed = emptied.removed;
        tracing::info!(
            removed,
            "records have been in the trash for long enough and are removed"
        );
    }
    if let Some(reason) = emptied.reason {
        let held = emptied.held;
        tracing::warn!(held, reason, "records stay in the trash beyond their time");
    }
}

async fn empty_trash_of(
    workspace: &Workspace,
    object: ObjectIndex,
    before: i64,
    emptied: &mut Emptied,
) -> Result<(), AppError> {
    let revision = workspace.state().revision;
    let mut after = None;
    loop {
        let found = trashed(workspace, object, before, after).await?;
        let Some(last) = found.last().copied() else {
            return Ok(());
        };
        for ids in found.chunks(TRASH_BATCH) {
            if *workspace.ending().borrow() {
                return Ok(());
            }
            if workspace.state().revision != revision {
                // Objects may have other positions now. The next time is soon.
                return Ok(());
            }
            match destroy(workspace, object, revision, ids).await {
                Ok(removed) => emptied.removed += removed,
                // Nobody knows whose refusal it is: one by one, each has its own.
                Err(_) => {
                    for id in ids {
                        match destroy(workspace, object, revision, &[*id]).await {
                            Ok(removed) => emptied.removed += removed,
                            Err(error) => {
                                emptied.held += 1;
                                emptied.reason.get_or_insert(error.to_string());
                            }
                        }
                    }
                }
            }
        }
        after = Some(last);
    }
}

/// Records that went into the trash before an instant, by id.
async fn trashed(
    workspace: &Workspace,
    object: ObjectIndex,
    before: i64,
    after: Option<Uuid>,
) -> Result<Vec<Uuid>, AppError> {
    let compare = |column, operator, value| Filter::Compare {
        column: ColumnRef::System(column),
        operator,
        operand: Operand::Value(value),
    };
    let mut conditions = vec![compare(
        SystemColumn::DeletedAt,
        Operator::Lt,
        Value::DateTime(before),
    )];
    if let Some(after) = after {
        conditions.push(compare(
            SystemColumn::Id,
            Operator::Gt,
            Value::Reference(after),
        ));
    }
    let find = Find {
        order: vec![by_id()],
        limit: Some(TRASH_PAGE),
        deleted: Deleted::Only,
        ..Find::new(object, Filter::And(conditions))
    };
    let unit = workspace.snapshot(&Caller::system()).await?;
    let found = unit.transaction().find(unit.catalogue(), &find).await?;
    Ok(found.into_iter().map(|record| record.id).collect())
}

fn by_id() -> OrderTerm {
    OrderTerm {
        through: Vec::new(),
        column: ColumnRef::System(SystemColumn::Id),
        direction: Direction::Ascending,
        nulls: Nulls::Last,
    }
}

/// Removes these records for good, and says how many of them were still there.
async fn destroy(
    workspace: &Workspace,
    object: ObjectIndex,
    revision: u64,
    ids: &[Uuid],
) -> Result<u64, AppError> {
    let ids: std::sync::Arc<[Uuid]> = ids.into();
    workspace
        .transact_long(&Caller::system(), move |unit| {
            let ids = std::sync::Arc::clone(&ids);
            Box::pin(async move {
                let mut removed = 0;
                if unit.state().revision != revision {
                    return Ok(removed);
                }
                for id in ids.iter() {
                    match record_destroy(&unit, object, *id).await {
                        Ok(()) => removed += 1,
                        // Gone with another, or removed by somebody else.
                        Err(AppError::NotFound(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(removed)
            })
        })
        .await
}
