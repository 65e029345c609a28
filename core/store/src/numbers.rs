//! Autonumbers: the next numbers of a series.
//!
//! A series may have gaps unless it is gapless. With gaps, `PostgreSQL` draws from a sequence,
//! which never makes writers wait for each other and forgets nothing at a rollback. A gapless
//! series is a row that each drawer changes: one writer at a time, and a rollback gives the
//! numbers back. `SQLite` has one writer anyway, so there a series is always a row.

use relata_catalog::{Field, Object};
use sha2::{Digest as _, Sha256};

use crate::cells::quoted;
use crate::database::Backend;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// The series of an autonumber field: physical names, which a rename leaves as they are.
#[must_use]
pub fn series(object: &Object, field: &Field) -> String {
    format!("{}.{}", object.table, field.column)
}

impl Transaction {
    /// Draws `count` numbers that follow each other, and gives the first. A series that is not
    /// known begins at `start`.
    ///
    /// # Errors
    /// [`StoreError::Retryable`] when others drew at the same time.
    pub async fn next_numbers(
        &self,
        series: &str,
        start: i64,
        count: u32,
        gapless: bool,
    ) -> Result<i64, StoreError> {
        if self.backend() == Backend::Postgres && !gapless {
            self.draw_from_sequence(series, start, count).await
        } else {
            self.draw_from_counter(series, start, count).await
        }
    }

    async fn draw_from_counter(
        &self,
        series: &str,
        start: i64,
        count: u32,
    ) -> Result<i64, StoreError> {
        let p = |position| self.backend().placeholder(position);
        let text = format!(
            "INSERT INTO relata_counter (key, next) VALUES ({0}, {1} + {2}) \
             ON CONFLICT (key) DO UPDATE SET next = relata_counter.next + {2} RETURNING next",
            p(1),
            p(2),
            p(3)
        );
        let values = vec![series.into(), start.into(), i64::from(count).into()];
        let row = self
            .query_one(self.statement(text, values))
            .await?
            .ok_or(StoreError::NotFound)?;
        let next: i64 = row.try_get_by_index(0)?;
        Ok(next - i64::from(count))
    }

    async fn draw_from_sequence(
        &self,
        series: &str,
        start: i64,
        count: u32,
    ) -> Result<i64, StoreError> {
        /// Others draw in between for microseconds only.
        const TRIES_MAX: usize = 20;
        let sequence = quoted(&sequence_name(series));
        // A sequence that is not there draws nulls: looked up and drawn in one round trip.
        let text = "SELECT min(number), max(number) FROM \
                    (SELECT nextval(to_regclass($1)) AS number FROM generate_series(1, $2)) AS drawn";
        for _ in 0..TRIES_MAX {
            let values = vec![sequence.as_str().into(), i64::from(count).into()];
            let row = self
                .query_one(self.statement(text, values))
                .await?
                .ok_or(StoreError::NotFound)?;
            let first: Option<i64> = row.try_get_by_index(0)?;
            let last: Option<i64> = row.try_get_by_index(1)?;
            match first.zip(last) {
                Some((first, last)) if last - first == i64::from(count) - 1 => return Ok(first),
                Some(_) => {}
                None => self.make_sequence(series, start).await?,
            }
        }
        Err(StoreError::Retryable(
            format!("{series}: others kept drawing numbers in between").into(),
        ))
    }

    /// Makes the series of a new field, so that no record has to.
    pub(crate) async fn make_sequence(&self, series: &str, start: i64) -> Result<(), StoreError> {
        if self.backend() == Backend::Sqlite {
            return Ok(());
        }
        let made = self
            .execute_text(&format!(
                "CREATE SEQUENCE IF NOT EXISTS {} AS BIGINT MINVALUE {} START WITH {start}",
                quoted(&sequence_name(series)),
                start.min(1)
            ))
            .await;
        match made {
            // Two that make the same sequence at once meet in the database's own catalogue.
            Err(StoreError::Unique { index }) => Err(StoreError::Retryable(index.into())),
            other => other,
        }
    }

    /// Lets the sequence of a field go with its column.
    pub(crate) async fn own_sequence(&self, table: &str, field: &Field) -> Result<(), StoreError> {
        if self.backend() == Backend::Sqlite {
            return Ok(());
        }
        self.execute_text(&format!(
            "ALTER SEQUENCE {} OWNED BY {}.{}",
            quoted(&sequence_name(&format!("{table}.{}", field.column))),
            quoted(table),
            quoted(&field.column)
        ))
        .await
    }

    /// Goes on with the same numbers when a series becomes gapless, or ceases to be. On `SQLite`
    /// there is no difference.
    pub(crate) async fn convert_series(
        &self,
        series: &str,
        start: i64,
        gapless: bool,
    ) -> Result<(), StoreError> {
        if self.backend() == Backend::Sqlite {
            return Ok(());
        }
        let next = self.next_numbers(series, start, 1, !gapless).await?;
        self.drop_series(series).await?;
        self.set_next(series, next, gapless).await
    }

    /// Makes the next number of a series `next`.
    pub(crate) async fn set_next(
        &self,
        series: &str,
        next: i64,
        gapless: bool,
    ) -> Result<(), StoreError> {
        if self.backend() == Backend::Postgres && !gapless {
            self.make_sequence(series, next).await?;
            let values = vec![quoted(&sequence_name(series)).into(), next.into()];
            self.query_one(self.statement("SELECT setval(to_regclass($1), $2, false)", values))
                .await?;
            return Ok(());
        }
        let p = |position| self.backend().placeholder(position);
        let text = format!(
            "INSERT INTO relata_counter (key, next) VALUES ({}, {}) \
             ON CONFLICT (key) DO UPDATE SET next = excluded.next",
            p(1),
            p(2)
        );
        self.execute(self.statement(text, vec![series.into(), next.into()]))
            .await?;
        Ok(())
    }

    /// Removes the series of a field that is dropped.
    pub(crate) async fn drop_series(&self, series: &str) -> Result<(), StoreError> {
        let text = format!(
            "DELETE FROM relata_counter WHERE key = {}",
            self.backend().placeholder(1)
        );
        self.execute(self.statement(text, vec![series.into()]))
            .await?;
        if self.backend() == Backend::Postgres {
            self.execute_text(&format!(
                "DROP SEQUENCE IF EXISTS {}",
                quoted(&sequence_name(series))
            ))
            .await?;
        }
        Ok(())
    }
}

/// At most 63 bytes whatever the series is called.
fn sequence_name(series: &str) -> String {
    let digest = Sha256::digest(series.as_bytes());
    let hash: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let readable: String = series
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(40)
        .collect();
    format!("num_{readable}_{hash}")
}
