//! Deliveries: how far each consumer of the outbox has come, what it failed at, and which process
//! serves it.

use sea_orm::{ConnectionTrait as _, QueryResult, Statement, Value as SqlValue};

use super::Position;
use crate::database::Database;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// A consumer's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its name: `plugin:acme.billing/invoice-paid`.
    pub consumer: String,
    /// Everything up to here has been delivered or given up.
    pub position: Position,
    /// Failed attempts at the next entry.
    pub attempts: i64,
    /// Not to be tried before.
    pub retry_at: Option<i64>,
    /// What the last attempt failed with.
    pub last_error: Option<String>,
}

impl Delivery {
    /// A consumer that starts at a position.
    #[must_use]
    pub fn starting(consumer: impl Into<String>, position: Position) -> Self {
        Self {
            consumer: consumer.into(),
            position,
            attempts: 0,
            retry_at: None,
            last_error: None,
        }
    }
}

/// An entry that a consumer gave up.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// In the order in which they were given up.
    pub id: i64,
    /// Whose.
    pub consumer: String,
    /// What it was about, as JSON.
    pub entry: String,
    /// What the last attempt failed with.
    pub error: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was last tried.
    pub at: i64,
}

const DEAD_LETTER: &str = "id, consumer, entry, error, attempts, at";
const DELIVERY: &str = "consumer, xact, sequence, attempts, retry_at, last_error";

impl Transaction {
    /// Takes a consumer for this process (`holder`) until an instant, or prolongs what it holds;
    /// none while another process holds it. A consumer that is not known begins at `start`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn claim_delivery(
        &self,
        consumer: &str,
        start: Position,
        holder: &str,
        now: i64,
        until: i64,
    ) -> Result<Option<Delivery>, StoreError> {
        let p = |position| self.backend().placeholder(position);
        let text = format!(
            "INSERT INTO relata_delivery (consumer, xact, sequence, attempts, holder, held_until) \
             VALUES ({}, {}, {}, 0, {}, {}) \
             ON CONFLICT (consumer) DO UPDATE \
             SET holder = excluded.holder, held_until = excluded.held_until \
             WHERE relata_delivery.holder = excluded.holder OR relata_delivery.held_until < {} \
             RETURNING {DELIVERY}",
            p(1),
            p(2),
            p(3),
            p(4),
            p(5),
            p(6),
        );
        let values = vec![
            consumer.into(),
            start.xact.into(),
            start.sequence.into(),
            holder.into(),
            until.into(),
            now.into(),
        ];
        self.query_one(self.statement(text, values))
            .await?
            .map(|row| delivery(&row))
            .transpose()
    }

    /// Writes how far a consumer has come.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the consumer was never claimed.
    pub async fn save_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let p = |position| self.backend().placeholder(position);
        let text = format!(
            "UPDATE relata_delivery SET xact = {}, sequence = {}, attempts = {}, retry_at = {}, \
             last_error = {} WHERE consumer = {}",
            p(1),
            p(2),
            p(3),
            p(4),
            p(5),
            p(6)
        );
        let values = vec![
            delivery.position.xact.into(),
            delivery.position.sequence.into(),
            delivery.attempts.into(),
            SqlValue::BigInt(delivery.retry_at),
            SqlValue::String(delivery.last_error.clone()),
            delivery.consumer.as_str().into(),
        ];
        match self
            .execute(self.statement(text, values))
            .await?
            .rows_affected()
        {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Forgets a consumer that is no more.
    ///
    /// # Errors
    /// What the database says.
    pub async fn remove_delivery(&self, consumer: &str) -> Result<(), StoreError> {
        let text = format!(
            "DELETE FROM relata_delivery WHERE consumer = {}",
            self.backend().placeholder(1)
        );
        self.execute(self.statement(text, vec![consumer.into()]))
            .await?;
        Ok(())
    }

    /// Keeps an entry that a consumer gives up; `id` of the letter is not looked at.
    ///
    /// # Errors
    /// What the database says.
    pub async fn append_dead_letter(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        let text = super::insert_text(
            self.backend(),
            "relata_dead_letter",
            &["consumer", "entry", "error", "attempts", "at"],
            1,
        );
        let values = vec![
            letter.consumer.as_str().into(),
            letter.entry.as_str().into(),
            letter.error.as_str().into(),
            letter.attempts.into(),
            letter.at.into(),
        ];
        self.execute(self.statement(text, values)).await?;
        Ok(())
    }

    /// Notes another attempt at a letter: how many there were, when, and what the last failed with.
    /// False when the letter is gone.
    ///
    /// # Errors
    /// What the database says.
    pub async fn save_dead_letter(&self, letter: &DeadLetter) -> Result<bool, StoreError> {
        let p = |position| self.backend().placeholder(position);
        let text = format!(
            "UPDATE relata_dead_letter SET error = {}, attempts = {}, at = {} WHERE id = {}",
            p(1),
            p(2),
            p(3),
            p(4)
        );
        let values = vec![
            letter.error.as_str().into(),
            letter.attempts.into(),
            letter.at.into(),
            letter.id.into(),
        ];
        let done = self.execute(self.statement(text, values)).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Removes a letter. False when it is gone already: of several who remove it, one does.
    ///
    /// # Errors
    /// What the database says.
    pub async fn remove_dead_letter(&self, id: i64) -> Result<bool, StoreError> {
        let text = format!(
            "DELETE FROM relata_dead_letter WHERE id = {}",
            self.backend().placeholder(1)
        );
        let done = self.execute(self.statement(text, vec![id.into()])).await?;
        Ok(done.rows_affected() > 0)
    }
}

impl Database {
    /// One consumer, where it is known.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delivery(&self, consumer: &str) -> Result<Option<Delivery>, StoreError> {
        let backend = self.backend();
        let text = format!(
            "SELECT {DELIVERY} FROM relata_delivery WHERE consumer = {}",
            backend.placeholder(1)
        );
        let statement = Statement::from_sql_and_values(backend.sea(), text, vec![consumer.into()]);
        self.platform()
            .query_one_raw(statement)
            .await?
            .map(|row| delivery(&row))
            .transpose()
    }

    /// All consumers.
    ///
    /// # Errors
    /// What the database says.
    pub async fn deliveries(&self) -> Result<Vec<Delivery>, StoreError> {
        let text = format!("SELECT {DELIVERY} FROM relata_delivery ORDER BY consumer");
        self.platform()
            .query_all_raw(Statement::from_string(self.backend().sea(), text))
            .await?
            .iter()
            .map(delivery)
            .collect()
    }

    /// What was given up, newest first: what is older than the letter with this id, if one is
    /// given.
    ///
    /// # Errors
    /// What the database says.
    pub async fn dead_letters(
        &self,
        older_than: Option<i64>,
        limit: u64,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let text = format!(
            "SELECT {DEAD_LETTER} FROM relata_dead_letter WHERE id < {} \
             ORDER BY id DESC LIMIT {limit}",
            self.backend().placeholder(1)
        );
        let values = vec![older_than.unwrap_or(i64::MAX).into()];
        self.platform()
            .query_all_raw(Statement::from_sql_and_values(
                self.backend().sea(),
                text,
                values,
            ))
            .await?
            .iter()
            .map(dead_letter)
            .collect()
    }

    /// The letter with this id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn dead_letter(&self, id: i64) -> Result<Option<DeadLetter>, StoreError> {
        let text = format!(
            "SELECT {DEAD_LETTER} FROM relata_dead_letter WHERE id = {}",
            self.backend().placeholder(1)
        );
        self.platform()
            .query_one_raw(Statement::from_sql_and_values(
                self.backend().sea(),
                text,
                vec![id.into()],
            ))
            .await?
            .map(|row| dead_letter(&row))
            .transpose()
    }

    /// How many letters there are.
    ///
    /// # Errors
    /// What the database says.
    pub async fn dead_letters_count(&self) -> Result<i64, StoreError> {
        let text = "SELECT count(*) FROM relata_dead_letter";
        let found = self
            .platform()
            .query_one_raw(Statement::from_string(self.backend().sea(), text))
            .await?;
        found.map_or(Ok(0), |row| Ok(row.try_get_by_index(0)?))
    }
}

fn dead_letter(row: &QueryResult) -> Result<DeadLetter, StoreError> {
    Ok(DeadLetter {
        id: row.try_get_by_index(0)?,
        consumer: row.try_get_by_index(1)?,
        entry: row.try_get_by_index(2)?,
        error: row.try_get_by_index(3)?,
        attempts: row.try_get_by_index(4)?,
        at: row.try_get_by_index(5)?,
    })
}

fn delivery(row: &QueryResult) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        consumer: row.try_get_by_index(0)?,
        position: Position {
            xact: row.try_get_by_index(1)?,
            sequence: row.try_get_by_index(2)?,
        },
        attempts: row.try_get_by_index(3)?,
        retry_at: row.try_get_by_index(4)?,
        last_error: row.try_get_by_index(5)?,
    })
}
