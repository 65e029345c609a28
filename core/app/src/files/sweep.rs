//! What becomes of files that nobody needs any more, and of what broken uploads have left.
//!
//! Three steps, each of which can be done again: the word that a file goes, in a transaction that
//! finds nothing that holds it; its content; its row. Who attaches a file reads that word in a
//! transaction too, so one of the two comes first.

use relata_files::FileStore;
use relata_store::Turn;
use relata_store::platform::{FileSeen, files as states};
use uuid::Uuid;

use crate::{AppError, Workspace, clock::micros_of, retention::RetentionOptions};

/// Files that are looked at in one transaction.
const PAGE: u64 = 500;
/// Such transactions in one round; the next one goes on where this one ends.
const PAGES_OF_ROUND: usize = 20;
/// Files whose content one round removes.
const REMOVED_OF_ROUND: u64 = 1_000;

/// What a look at some files says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    leaving: Vec<Uuid>,
    unheld: Vec<Uuid>,
    held_again: Vec<Uuid>,
}

impl Verdict {
    fn of(seen: &[FileSeen], now: i64, retention: &RetentionOptions) -> Self {
        let mut verdict = Self::default();
        for file in seen {
            if file.state == states::ARRIVING {
                if file.at < now - micros_of(retention.arriving) {
                    verdict.leaving.push(file.id);
                }
            } else if file.state == states::KEPT {
                match (file.is_held, file.unheld_since) {
                    (true, None) => {}
                    (true, Some(_)) => verdict.held_again.push(file.id),
                    (false, None) => verdict.unheld.push(file.id),
                    (false, Some(since)) if since < now - micros_of(retention.files) => {
                        verdict.leaving.push(file.id);
                    }
                    (false, Some(_)) => {}
                }
            }
        }
        verdict
    }
}

/// One round, from behind the file where the last one ended. Gives where the next one begins.
///
/// # Errors
/// What the database says. A store that is away is no error: the next round is soon.
pub(crate) async fn sweep(
    workspace: &Workspace,
    mut after: Option<Uuid>,
) -> Result<Option<Uuid>, AppError> {
    let retention = &workspace.options().retention;
    for _ in 0..PAGES_OF_ROUND {
        let now = crate::clock::now_micros();
        let snapshot = workspace.database().snapshot().await?;
        let seen = snapshot.files_seen(after, PAGE).await?;
        drop(snapshot);
        // Most pages have nothing to do: nobody waits for those.
        if Verdict::of(&seen, now, retention) != Verdict::default() {
            let transaction = workspace.database().begin(Turn::Long).await?;
            let seen = transaction.files_seen(after, PAGE).await?;
            let verdict = Verdict::of(&seen, now, retention);
            transaction.let_files_go(&verdict.leaving).await?;
            transaction.note_unheld(&verdict.unheld, Some(now)).await?;
            transaction.note_unheld(&verdict.held_again, None).await?;
            transaction.commit().await?;
        }
        after = seen.last().map(|file| file.id);
        if after.is_none() {
            break;
        }
    }
    let Some(store) = &workspace.options().files else {
        return Ok(after);
    };
    let leaving = workspace.database().files_leaving(REMOVED_OF_ROUND).await?;
    let mut removed = 0_u64;
    for id in leaving {
        match remove(workspace, store, id).await {
            Ok(()) => removed += 1,
            Err(error) => {
                tracing::warn!(%error, file = %id, "a file can't be removed now");
                break;
            }
        }
    }
    if removed > 0 {
        tracing::info!(removed, "files that nothing holds are removed");
    }
    Ok(after)
}

/// Removes the content of a file that is leaving, then what is known of it.
pub(super) async fn remove(
    workspace: &Workspace,
    store: &FileStore,
    id: Uuid,
) -> Result<(), AppError> {
    store.remove(id).await?;
    let transaction = workspace.database().begin(Turn::First).await?;
    transaction.forget_file(id).await?;
    transaction.commit().await?;
    Ok(())
}
