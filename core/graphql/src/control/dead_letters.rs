//! Deliveries to after hooks that were given up.

use async_graphql::{Context, ID, Object, Result};
use relata_app::AppError;
use relata_app::dead_letters::{self, DeadLetterInfo, Retried};

use super::error::graphql;
use super::scalars::{DateTime, SafeInt};
use super::{Administrator, caller, workspace};

/// A delivery to a plugin's after hook that was given up after too many failures.
pub(super) struct DeadLetter(DeadLetterInfo);

/// A delivery to a plugin's after hook that was given up after too many failures.
#[Object]
impl DeadLetter {
    /// Id; grows in the order in which deliveries were given up.
    async fn id(&self) -> ID {
        ID::from(self.0.id)
    }

    /// Who should have heard of the change: `plugin:publisher.name/hook`.
    async fn consumer(&self) -> &str {
        &self.0.consumer
    }

    /// Id of the plugin, which may be gone.
    async fn plugin(&self) -> ID {
        ID(self.0.plugin.clone())
    }

    /// Name of its hook.
    async fn hook(&self) -> &str {
        &self.0.hook
    }

    /// Name of the record's object; its key where the object is gone.
    async fn object(&self) -> &str {
        &self.0.object
    }

    /// Id of the record.
    async fn record(&self) -> ID {
        ID::from(self.0.record)
    }

    /// The version of the record that the change made.
    async fn version(&self) -> SafeInt {
        SafeInt(self.0.version)
    }

    /// What was done to the record: `CREATE`, `UPDATE`, `DELETE`, `RESTORE` or `DESTROY`.
    async fn change(&self) -> &str {
        self.0.change.as_str()
    }

    /// When that was.
    async fn changed_at(&self) -> DateTime {
        DateTime(self.0.changed_at)
    }

    /// When the delivery was last tried.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// How often it was tried.
    async fn attempts(&self) -> SafeInt {
        SafeInt(self.0.attempts)
    }

    /// What the last try failed with.
    async fn error(&self) -> &str {
        &self.0.error
    }
}

/// What trying a dead letter again came to.
pub(super) struct DeadLetterRetry {
    id: ID,
    retried: Retried,
}

/// What trying a dead letter again came to.
#[Object]
impl DeadLetterRetry {
    /// Id of the letter.
    async fn id(&self) -> &ID {
        &self.id
    }

    /// Whether the hook has taken it. Then the letter is gone.
    async fn is_delivered(&self) -> bool {
        self.retried == Retried::Delivered
    }

    /// The letter with its new error, where the hook has failed again.
    async fn dead_letter(&self) -> Option<DeadLetter> {
        match &self.retried {
            Retried::Delivered => None,
            Retried::Failed(letter) => Some(DeadLetter(letter.clone())),
        }
    }
}

#[derive(Default)]
pub(super) struct DeadLetterQuery;

#[Object(guard = "Administrator")]
impl DeadLetterQuery {
    /// Deliveries to after hooks that were given up, newest first; at most 500. `after` is the id
    /// of the last letter of the page before.
    async fn dead_letters(
        &self,
        context: &Context<'_>,
        #[graphql(default = 50)] first: i32,
        after: Option<ID>,
    ) -> Result<Vec<DeadLetter>> {
        let after = after.map(|after| letter_id(&after)).transpose()?;
        let first = u64::try_from(first).unwrap_or_default();
        dead_letters::dead_letters_list(workspace(context), caller(context), first, after)
            .await
            .map(|letters| letters.into_iter().map(DeadLetter).collect())
            .map_err(graphql)
    }

    /// How many deliveries to after hooks were given up and wait for somebody.
    async fn dead_letter_count(&self, context: &Context<'_>) -> Result<SafeInt> {
        dead_letters::dead_letters_count(workspace(context), caller(context))
            .await
            .map(SafeInt)
            .map_err(graphql)
    }

    /// The dead letter with this id.
    async fn dead_letter(&self, context: &Context<'_>, id: ID) -> Result<Option<DeadLetter>> {
        let Ok(id) = id.parse() else {
            return Ok(None);
        };
        dead_letters::dead_letter_get(workspace(context), caller(context), id)
            .await
            .map(|found| found.map(DeadLetter))
            .map_err(graphql)
    }
}

#[derive(Default)]
pub(super) struct DeadLetterMutation;

#[Object(guard = "Administrator")]
impl DeadLetterMutation {
    /// Delivers a dead letter once more: out of order, at least once, with the idempotency key
    /// that it had. What the hook fails with is noted in the letter.
    async fn retry_dead_letter(&self, context: &Context<'_>, id: ID) -> Result<DeadLetterRetry> {
        dead_letters::dead_letter_retry(workspace(context), caller(context), letter_id(&id)?)
            .await
            .map(|retried| DeadLetterRetry { id, retried })
            .map_err(graphql)
    }

    /// Removes a dead letter: its hook will never hear of the change.
    async fn discard_dead_letter(&self, context: &Context<'_>, id: ID) -> Result<ID> {
        dead_letters::dead_letter_discard(workspace(context), caller(context), letter_id(&id)?)
            .await
            .map_err(graphql)?;
        Ok(id)
    }
}

/// One that can't be is one that is not there.
fn letter_id(id: &ID) -> Result<i64> {
    id.parse().map_err(|_| {
        graphql(AppError::NotFound(format!(
            "there is no dead letter with the id {}",
            id.as_str()
        )))
    })
}
