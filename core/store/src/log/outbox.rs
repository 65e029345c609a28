//! The outbox: what is told to consumers after the commit, at least once and in order per record.
//!
//! The order is (transaction, sequence). On `PostgreSQL` a sequence alone would not do: a
//! transaction that drew a low number may commit after one that drew a high one, and a reader that
//! has passed the high one would never see it. So a reader sees only rows of transactions below
//! the oldest one still open, and walks them by transaction: whatever commits later stands behind
//! it. For one record this is the order of its versions: a serializable transaction that changes a
//! record after another one has begun after that one's commit.

use relata_catalog::Key;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use uuid::Uuid;

use super::{Change, LOG_ROWS_MAX};
use crate::database::{Backend, Database};
use crate::error::StoreError;
use crate::transaction::Transaction;

/// What is told of one change.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxEntry {
    /// The object's key.
    pub object: Key,
    /// The record.
    pub record: Uuid,
    /// The version that this change made.
    pub version: i64,
    /// What was done.
    pub change: Change,
    /// Who did it.
    pub actor: String,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Keys of the fields that it changed.
    pub fields: Vec<Key>,
}

/// How far a consumer has come. The default is before everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Transaction; 0 on `SQLite`, whose writers take turns.
    pub xact: i64,
    /// Place in it.
    pub sequence: i64,
}

impl Position {
    /// Before everything, also before what was adopted from another cluster.
    pub const START: Self = Self {
        xact: i64::MIN,
        sequence: 0,
    };
}

/// An entry and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// Where.
    pub position: Position,
    /// What.
    pub entry: OutboxEntry,
}

impl Transaction {
    /// Adds to the outbox.
    ///
    /// # Errors
    /// What the database says.
    pub async fn append_outbox(&self, entries: &[OutboxEntry]) -> Result<(), StoreError> {
        const COLUMNS: &str = "xact, object, record, version, change, actor, at, fields";
        let backend = self.backend();
        for chunk in entries.chunks(LOG_ROWS_MAX) {
            let mut values = Vec::with_capacity(chunk.len() * 7);
            let mut rows = Vec::with_capacity(chunk.len());
            for entry in chunk {
                let placeholders: Vec<String> = (values.len() + 1..=values.len() + 7)
                    .map(|position| backend.placeholder(position))
                    .collect();
                rows.push(format!(
                    "({}, {})",
                    current_transaction(backend),
                    placeholders.join(", ")
                ));
                values.extend([
                    entry.object.as_str().into(),
                    entry.record.into(),
                    entry.version.into(),
                    entry.change.as_str().into(),
                    entry.actor.as_str().into(),
                    entry.at.into(),
                    serde_json::to_string(&entry.fields)
                        .expect("keys are JSON strings")
                        .into(),
                ]);
            }
            let text = format!(
                "INSERT INTO relata_outbox ({COLUMNS}) VALUES {}",
                rows.join(", ")
            );
            self.execute(self.statement(text, values)).await?;
        }
        Ok(())
    }

    /// Removes what stands at or before the position and is older than the instant.
    ///
    /// # Errors
    /// What the database says.
    pub async fn prune_outbox(
        &self,
        delivered: Position,
        older_than: i64,
    ) -> Result<u64, StoreError> {
        let backend = self.backend();
        let text = format!(
            "DELETE FROM relata_outbox WHERE (xact, sequence) <= ({}, {}) AND at < {}",
            backend.placeholder(1),
            backend.placeholder(2),
            backend.placeholder(3)
        );
        let values = vec![
            delivered.xact.into(),
            delivered.sequence.into(),
            older_than.into(),
        ];
        let done = self.execute(self.statement(text, values)).await?;
        Ok(done.rows_affected())
    }
}

impl Database {
    /// What stands behind the position, in order: at most `limit` entries. Entries of
    /// transactions that may still be joined by an older one are left for the next time.
    ///
    /// # Errors
    /// What the database says.
    pub async fn outbox_after(
        &self,
        position: Position,
        limit: u64,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let backend = self.backend();
        let settled = match backend {
            Backend::Sqlite => "",
            Backend::Postgres => {
                " AND xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
            }
        };
        let text = format!(
            "SELECT xact, sequence, object, record, version, change, actor, at, fields \
             FROM relata_outbox WHERE (xact, sequence) > ({}, {}){settled} \
             ORDER BY xact, sequence LIMIT {limit}",
            backend.placeholder(1),
            backend.placeholder(2),
        );
        let values = vec![position.xact.into(), position.sequence.into()];
        self.platform()
            .query_all_raw(Statement::from_sql_and_values(backend.sea(), text, values))
            .await?
            .iter()
            .map(row)
            .collect()
    }

    /// Where the outbox ends now: a consumer that starts here gets only what comes.
    ///
    /// # Errors
    /// What the database says.
    pub async fn outbox_end(&self) -> Result<Position, StoreError> {
        let backend = self.backend();
        let text = match backend {
            // All transactions below the oldest open one have ended.
            Backend::Postgres => {
                "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1, \
                 9223372036854775807::bigint"
            }
            Backend::Sqlite => "SELECT 0, coalesce(max(sequence), 0) FROM relata_outbox",
        };
        let found = self
            .platform()
            .query_one_raw(Statement::from_string(backend.sea(), text))
            .await?;
        found.map_or(Ok(Position::START), |row| {
            Ok(Position {
                xact: row.try_get_by_index(0)?,
                sequence: row.try_get_by_index(1)?,
            })
        })
    }
}

/// The transaction's number, as an expression of the INSERT.
fn current_transaction(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "0",
        Backend::Postgres => "pg_current_xact_id()::text::bigint",
    }
}

fn row(row: &QueryResult) -> Result<OutboxRow, StoreError> {
    let object: String = row.try_get_by_index(2)?;
    let change: String = row.try_get_by_index(5)?;
    let fields: String = row.try_get_by_index(8)?;
    Ok(OutboxRow {
        position: Position {
            xact: row.try_get_by_index(0)?,
            sequence: row.try_get_by_index(1)?,
        },
        entry: OutboxEntry {
            object: object
                .split_once('/')
                .map(|(owner, local)| Key::new(owner, local))
                .ok_or_else(|| StoreError::value("object", "not a key"))?,
            record: row.try_get_by_index(3)?,
            version: row.try_get_by_index(4)?,
            change: Change::parse(&change)
                .ok_or_else(|| StoreError::value("change", format!("unknown: {change}")))?,
            actor: row.try_get_by_index(6)?,
            at: row.try_get_by_index(7)?,
            fields: serde_json::from_str(&fields)
                .map_err(|error| StoreError::value("fields", error.to_string()))?,
        },
    })
}

/// A dump that was restored into another cluster brings transaction numbers that are ahead of the
/// cluster's own: they would stay invisible until it has caught up. Such rows, and the positions
/// of consumers among them, are moved below zero; their order stays.
pub(crate) async fn adopt(
    connection: &impl ConnectionTrait,
    backend: Backend,
) -> Result<(), StoreError> {
    if backend == Backend::Sqlite {
        return Ok(());
    }
    let found = connection
        .query_one_raw(Statement::from_string(
            backend.sea(),
            "SELECT greatest((SELECT max(xact) FROM relata_outbox), \
                             (SELECT max(xact) FROM relata_delivery)), \
                    pg_current_xact_id()::text::bigint",
        ))
        .await?;
    let Some(found) = found else { return Ok(()) };
    let greatest: Option<i64> = found.try_get_by_index(0)?;
    let current: i64 = found.try_get_by_index(1)?;
    let Some(greatest) = greatest.filter(|greatest| *greatest > current) else {
        return Ok(());
    };
    tracing::info!(greatest, current, "adopting the outbox of another cluster");
    connection
        .execute_unprepared(&format!(
            "UPDATE relata_outbox SET xact = xact - {greatest} - 1; \
             UPDATE relata_delivery SET xact = xact - {greatest} - 1 WHERE xact > {}",
            i64::MIN / 2
        ))
        .await?;
    Ok(())
}
