//! The outbox: what is told to consumers after the commit, at least once and in order per record.
//!
//! The order is (transaction, sequence). On `PostgreSQL` a sequence alone would not do: a
//! transaction that drew a low number may commit after one that drew a high one, and a reader that
//! has passed the high one would never see it. So a reader sees only rows of transactions below
//! the oldest one still open that may write here, and walks them by transaction: whatever commits
//! later stands behind it. For one record this is the order of its versions: a serializable transaction that changes a
//! record after another one has begun after that one's commit.

use relata_catalog::Key;
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};
use uuid::Uuid;

use super::{Change, Inserted, LOG_ROWS_MAX, all_values, insert_text_behind};
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

/// The text that inserts entries behind the values of other statements.
pub(super) fn insertion(
    backend: Backend,
    entries: &[OutboxEntry],
    values: &mut Vec<Value>,
) -> String {
    let behind = values.len();
    for entry in entries {
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
    let mut columns = vec![("xact", Inserted::Sql(current_transaction(backend)))];
    columns.extend(all_values(&[
        "object", "record", "version", "change", "actor", "at", "fields",
    ]));
    insert_text_behind(backend, "relata_outbox", &columns, entries.len(), behind)
}

/// What stands behind a position, whose two numbers are the first parameters.
///
/// On SQLite all transactions have the number 0, and the sequence is the row's own key: an index on
/// both would be walked from its start. The `+` keeps the other column's index out of it.
fn behind(backend: Backend) -> String {
    let [xact, sequence] = [1, 2].map(|number| backend.placeholder(number));
    match backend {
        Backend::Sqlite => format!("+xact >= {xact} AND sequence > {sequence}"),
        Backend::Postgres => format!("(xact, sequence) > ({xact}, {sequence})"),
    }
}

impl Transaction {
    /// Adds to the outbox.
    ///
    /// # Errors
    /// What the database says.
    pub async fn append_outbox(&self, entries: &[OutboxEntry]) -> Result<(), StoreError> {
        for chunk in entries.chunks(LOG_ROWS_MAX) {
            let mut values = Vec::with_capacity(chunk.len() * 7);
            let text = insertion(self.backend(), chunk, &mut values);
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
        if self.backend() == Backend::Sqlite {
            return self.outbox_rows(position, "", Vec::new(), limit).await;
        }
        // Nobody at all is older: the usual case, in one statement.
        let settled = format!(" AND xact < {XMIN}");
        let mut rows = self
            .outbox_rows(position, &settled, Vec::new(), limit)
            .await?;
        let left = limit.saturating_sub(rows.len() as u64);
        if left > 0
            && let Some(horizon) = self.horizon_of_unsettled().await?
        {
            let position = rows.last().map_or(position, |row| row.position);
            let further = self
                .outbox_rows(position, " AND xact < $3", vec![horizon.into()], left)
                .await?;
            rows.extend(further);
        }
        Ok(rows)
    }

    /// The newest entry that is there, for who wants to know later whether this is still the same
    /// outbox.
    ///
    /// # Errors
    /// What the database says.
    pub async fn outbox_newest(&self) -> Result<Option<OutboxRow>, StoreError> {
        let order = match self.backend() {
            Backend::Sqlite => "sequence",
            Backend::Postgres => "xact DESC, sequence",
        };
        let text = format!(
            "SELECT xact, sequence, object, record, version, change, actor, at, fields \
             FROM relata_outbox ORDER BY {order} DESC LIMIT 1"
        );
        self.platform()
            .query_one_raw(Statement::from_string(self.backend().sea(), text))
            .await?
            .as_ref()
            .map(row)
            .transpose()
    }

    /// The entry at exactly this position.
    ///
    /// # Errors
    /// What the database says.
    pub async fn outbox_at(&self, position: Position) -> Result<Option<OutboxRow>, StoreError> {
        let backend = self.backend();
        let text = format!(
            "SELECT xact, sequence, object, record, version, change, actor, at, fields \
             FROM relata_outbox WHERE xact = {} AND sequence = {}",
            backend.placeholder(1),
            backend.placeholder(2),
        );
        let values = vec![position.xact.into(), position.sequence.into()];
        self.platform()
            .query_one_raw(Statement::from_sql_and_values(backend.sea(), text, values))
            .await?
            .as_ref()
            .map(row)
            .transpose()
    }

    async fn outbox_rows(
        &self,
        position: Position,
        settled: &str,
        mut parameters: Vec<sea_orm::Value>,
        limit: u64,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let backend = self.backend();
        let text = format!(
            "SELECT xact, sequence, object, record, version, change, actor, at, fields \
             FROM relata_outbox WHERE {}{settled} ORDER BY {} LIMIT {limit}",
            behind(backend),
            match backend {
                Backend::Sqlite => "sequence",
                Backend::Postgres => "xact, sequence",
            },
        );
        let mut values = vec![position.xact.into(), position.sequence.into()];
        values.append(&mut parameters);
        self.platform()
            .query_all_raw(Statement::from_sql_and_values(backend.sea(), text, values))
            .await?
            .iter()
            .map(row)
            .collect()
    }

    /// `PostgreSQL`: the horizon, where entries stand that somebody older in the cluster keeps
    /// back. The locks are looked at only then: that stops the cluster's lock tables for a moment.
    async fn horizon_of_unsettled(&self) -> Result<Option<i64>, StoreError> {
        let text = format!(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM relata_outbox WHERE xact >= {XMIN}) \
             THEN ({HORIZON}) END"
        );
        let found = self
            .platform()
            .query_one_raw(Statement::from_string(self.backend().sea(), text))
            .await?;
        match found {
            Some(row) => Ok(row.try_get_by_index(0)?),
            None => Ok(None),
        }
    }

    /// Whether anything stands behind the position, also what [`Database::outbox_after`] still
    /// keeps back.
    ///
    /// # Errors
    /// What the database says.
    pub async fn outbox_goes_on(&self, position: Position) -> Result<bool, StoreError> {
        let backend = self.backend();
        let text = format!(
            "SELECT 1 FROM relata_outbox WHERE {} LIMIT 1",
            behind(backend)
        );
        let values = vec![position.xact.into(), position.sequence.into()];
        let found = self
            .platform()
            .query_one_raw(Statement::from_sql_and_values(backend.sea(), text, values))
            .await?;
        Ok(found.is_some())
    }

    /// Where the outbox ends now: a consumer that starts here gets only what comes.
    ///
    /// # Errors
    /// What the database says.
    pub async fn outbox_end(&self) -> Result<Position, StoreError> {
        let backend = self.backend();
        let text = match backend {
            // All that may write here and are below the horizon have ended.
            Backend::Postgres => {
                format!("SELECT ({HORIZON}) - 1, 9223372036854775807::bigint")
            }
            Backend::Sqlite => "SELECT 0, coalesce(max(sequence), 0) FROM relata_outbox".to_owned(),
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

/// `PostgreSQL`: the oldest transaction that is open anywhere in the cluster.
const XMIN: &str = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint";

/// `PostgreSQL`: below this number, no transaction that may write to this outbox is open. Rows
/// below it are settled for every *later* statement.
///
/// `XMIN` is of the whole cluster: a backup of another database would hold up every delivery
/// here. Whoever writes here holds `relata_turn` before it has a number and until it has ended
/// ([`Transaction::take_turn`]), and whoever has a number holds a lock on it. So an open
/// transaction is somebody else's when the lock on its number is found and its holder has nothing
/// to do with `relata_turn`. What can't be told counts as ours: a number is open a moment before
/// its lock is there. Locks are read after the snapshot is taken, and who was open in the
/// snapshot and still is when the rows are read has held both all the time in between. What has
/// begun since has a number at or above the snapshot's end. Locks of others can be seen without
/// any right, which is not true of all that `pg_stat_activity` shows.
const HORIZON: &str = "\
    WITH locks AS MATERIALIZED (SELECT * FROM pg_locks) \
    SELECT coalesce(min(open.id::text::bigint), \
                    min(pg_snapshot_xmax(pg_current_snapshot())::text::bigint)) \
    FROM (SELECT 1) AS one \
    LEFT JOIN LATERAL pg_snapshot_xip(pg_current_snapshot()) AS open(id) ON NOT EXISTS ( \
        SELECT 1 FROM locks AS own \
        WHERE own.locktype = 'transactionid' AND own.transactionid = open.id::xid \
          AND own.mode = 'ExclusiveLock' AND own.granted \
          AND NOT EXISTS ( \
            SELECT 1 FROM locks AS turn \
            WHERE turn.locktype = 'relation' AND turn.relation = 'relata_turn'::regclass \
              AND turn.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
              AND turn.virtualtransaction = own.virtualtransaction))";

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
