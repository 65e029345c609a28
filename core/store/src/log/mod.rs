//! What is written beside a record's own row when it changes: its history, its passages through
//! pipelines, and the outbox from which everything after the commit is told.

pub mod deliveries;
pub mod history;
pub mod outbox;
pub mod passages;

pub use deliveries::{DeadLetter, Delivery};
pub use history::{FieldChange, HistoryEntry, MERGED, merged_key};
pub use outbox::{OutboxEntry, OutboxRow, Position};
pub use passages::Passage;

use sea_orm::Statement;
use serde::{Deserialize, Serialize};

use crate::database::Backend;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// What was done to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Change {
    /// Made.
    Create,
    /// Changed.
    Update,
    /// Put into the trash.
    Delete,
    /// Taken out of the trash.
    Restore,
    /// Removed for good.
    Destroy,
    /// Others were merged into it. In the history alone: for the outbox it is an update.
    Merge,
}

impl Change {
    /// As it is stored and shown: `CREATE` …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Restore => "RESTORE",
            Self::Destroy => "DESTROY",
            Self::Merge => "MERGE",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [
            Self::Create,
            Self::Update,
            Self::Delete,
            Self::Restore,
            Self::Destroy,
            Self::Merge,
        ]
        .into_iter()
        .find(|change| change.as_str() == text)
    }
}

/// Rows of one INSERT into a log.
const LOG_ROWS_MAX: usize = 250;

/// What is written beside records when they change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Log {
    /// For people.
    pub history: Vec<HistoryEntry>,
    /// For what happens after the commit.
    pub outbox: Vec<OutboxEntry>,
}

impl Transaction {
    /// Appends to both.
    ///
    /// # Errors
    /// What the database says.
    pub async fn append(&self, log: &Log) -> Result<(), StoreError> {
        self.append_history(&log.history).await?;
        self.append_outbox(&log.outbox).await
    }

    /// Runs a statement and appends to the logs, in one round trip where all of it fits. Gives
    /// how many rows the statement has changed.
    pub(crate) async fn execute_logged(
        &self,
        statement: Statement,
        log: &Log,
    ) -> Result<u64, StoreError> {
        let rows = log.history.len() + log.outbox.len();
        let mut values = statement
            .values
            .clone()
            .map_or_else(Vec::new, |values| values.0);
        let fits = !log.history.is_empty()
            && !log.outbox.is_empty()
            && rows <= LOG_ROWS_MAX
            && values.len() + rows * history::COLUMNS.len() <= self.backend().parameters_max();
        if !fits {
            let done = self.execute(statement).await?.rows_affected();
            self.append(log).await?;
            return Ok(done);
        }
        let history = history::insertion(self.backend(), &log.history, &mut values);
        let outbox = outbox::insertion(self.backend(), &log.outbox, &mut values);
        match self.backend() {
            Backend::Sqlite => {
                let text = format!("{}; {history}; {outbox}", statement.sql);
                let done = self.execute(self.statement(text, values)).await?;
                Ok(done.rows_affected().saturating_sub(rows as u64))
            }
            Backend::Postgres => {
                let text = format!(
                    "WITH history AS ({history}), outbox AS ({outbox}) {}",
                    statement.sql
                );
                Ok(self
                    .execute(self.statement(text, values))
                    .await?
                    .rows_affected())
            }
        }
    }
}

/// What a column of an INSERT gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// A value of the row.
    Value,
    /// A value of the row: text that is JSON.
    Json,
    /// The same in all rows.
    Sql(&'static str),
}

/// `INSERT INTO table (columns) VALUES (…), (…)` with placeholders for `rows` rows.
pub(crate) fn insert_text(backend: Backend, table: &str, columns: &[&str], rows: usize) -> String {
    insert_text_behind(backend, table, &all_values(columns), rows, 0)
}

pub(crate) fn all_values<'c>(columns: &[&'c str]) -> Vec<(&'c str, Inserted)> {
    columns
        .iter()
        .map(|column| (*column, Inserted::Value))
        .collect()
}

/// The same, behind so many parameters of other statements. Names are spelled as SQL takes them.
pub(crate) fn insert_text_behind(
    backend: Backend,
    table: &str,
    columns: &[(&str, Inserted)],
    rows: usize,
    mut position: usize,
) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut text = format!("INSERT INTO {table} ({}) VALUES ", names.join(", "));
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for (index, (_, inserted)) in columns.iter().enumerate() {
            if index > 0 {
                text.push_str(", ");
            }
            if let Inserted::Sql(sql) = inserted {
                text.push_str(sql);
                continue;
            }
            position += 1;
            // A parameter is text, for which PostgreSQL has no assignment to JSON.
            let is_cast = *inserted == Inserted::Json && backend == Backend::Postgres;
            if is_cast {
                text.push_str("CAST(");
            }
            backend.write_next_placeholder(position, &mut text);
            if is_cast {
                text.push_str(" AS json)");
            }
        }
        text.push(')');
    }
    text
}
