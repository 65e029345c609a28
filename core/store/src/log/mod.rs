//! What is written beside a record's own row when it changes: its history, its passages through
//! pipelines, and the outbox from which everything after the commit is told.

pub mod deliveries;
pub mod history;
pub mod outbox;
pub mod passages;

pub use deliveries::{DeadLetter, Delivery};
pub use history::{FieldChange, HistoryEntry};
pub use outbox::{OutboxEntry, OutboxRow, Position};
pub use passages::Passage;

use serde::{Deserialize, Serialize};

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
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [
            Self::Create,
            Self::Update,
            Self::Delete,
            Self::Restore,
            Self::Destroy,
        ]
        .into_iter()
        .find(|change| change.as_str() == text)
    }
}

/// Rows of one INSERT into a log.
const LOG_ROWS_MAX: usize = 250;

/// `INSERT INTO table (columns) VALUES (…), (…)` with placeholders for `rows` rows.
pub(crate) fn insert_text(
    backend: crate::Backend,
    table: &str,
    columns: &[&str],
    rows: usize,
) -> String {
    let mut position = 0;
    let values: Vec<String> = (0..rows)
        .map(|_| {
            let row: Vec<String> = columns
                .iter()
                .map(|_| {
                    position += 1;
                    backend.placeholder(position)
                })
                .collect();
            format!("({})", row.join(", "))
        })
        .collect();
    format!(
        "INSERT INTO {table} ({}) VALUES {}",
        columns.join(", "),
        values.join(", ")
    )
}
