//! Passages: each time a record went from one stage to another.

use relata_catalog::Key;
use sea_orm::Value as SqlValue;
use uuid::Uuid;

use super::{LOG_ROWS_MAX, insert_text};
use crate::error::StoreError;
use crate::transaction::Transaction;

/// One passage.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// The object's key.
    pub object: Key,
    /// The record.
    pub record: Uuid,
    /// The stage field's key.
    pub field: Key,
    /// Pipeline and stage that were left; none when the record had stood nowhere.
    pub from: Option<(Key, String)>,
    /// Pipeline and stage that were entered; none when the field was emptied.
    pub to: Option<(Key, String)>,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// How long the record had stood in the stage that was left.
    pub seconds: Option<i64>,
    /// Who did it.
    pub actor: String,
    /// Why, in their words.
    pub reason: Option<String>,
}

impl Transaction {
    /// Adds passages.
    ///
    /// # Errors
    /// What the database says.
    pub async fn append_passages(&self, passages: &[Passage]) -> Result<(), StoreError> {
        const COLUMNS: [&str; 11] = [
            "object",
            "record",
            "field",
            "from_pipeline",
            "from_stage",
            "to_pipeline",
            "to_stage",
            "at",
            "seconds",
            "actor",
            "reason",
        ];
        for chunk in passages.chunks(LOG_ROWS_MAX) {
            let mut values = Vec::with_capacity(chunk.len() * COLUMNS.len());
            for passage in chunk {
                let (from_pipeline, from_stage) = split(passage.from.as_ref());
                let (to_pipeline, to_stage) = split(passage.to.as_ref());
                values.extend([
                    passage.object.as_str().into(),
                    passage.record.into(),
                    passage.field.as_str().into(),
                    from_pipeline,
                    from_stage,
                    to_pipeline,
                    to_stage,
                    passage.at.into(),
                    SqlValue::BigInt(passage.seconds),
                    passage.actor.as_str().into(),
                    SqlValue::String(passage.reason.clone()),
                ]);
            }
            let text = insert_text(self.backend(), "relata_passage", &COLUMNS, chunk.len());
            self.execute(self.statement(text, values)).await?;
        }
        Ok(())
    }
}

fn split(place: Option<&(Key, String)>) -> (SqlValue, SqlValue) {
    (
        SqlValue::String(place.map(|(pipeline, _)| pipeline.as_str().to_owned())),
        SqlValue::String(place.map(|(_, stage)| stage.clone())),
    )
}
