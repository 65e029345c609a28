//! Records that are changed where there is one with the same key, and created where there is none.
//!
//! Rows go one by one in their order, each in a savepoint: a row may name the record that an
//! earlier one has made. When somebody else creates the same key at the same time, the unique
//! index says so at the latest, and the transaction is tried again: it finds their record then.

use std::collections::HashSet;

use relata_catalog::{ObjectIndex, Unique};
use relata_store::log::Change;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{
    Bulk, BulkMode, RowError, bulk::finished, input, record_create, record_update, uniques,
};
use crate::{AppError, access, transact::Unit};

/// Changes the records whose unique key a row has, and creates the others. An empty key names
/// nothing, a record in the trash is not found. A record is named once in the answer, however many
/// rows were about it.
///
/// # Errors
/// As of [`record_create_bulk`](super::record_create_bulk).
pub async fn record_upsert_bulk(
    unit: &Unit,
    object: ObjectIndex,
    rows: &[Map<String, Json>],
    on: &Unique,
    mode: BulkMode,
) -> Result<Bulk, AppError> {
    let described = unit.catalogue().object(object).clone();
    for data in rows {
        let fields = input::named(&described, data);
        access::authorise(unit, &described, Change::Create, &fields)?;
        access::authorise(unit, &described, Change::Update, &fields)?;
    }
    let transaction = unit.transaction();
    let mut bulk = Bulk::default();
    let mut seen = HashSet::new();
    for (index, data) in rows.iter().enumerate() {
        let savepoint = transaction.savepoint().await?;
        match upsert(unit, object, data, on).await {
            Ok(id) => {
                transaction.release(savepoint).await?;
                if seen.insert(id) {
                    bulk.ids.push(id);
                }
            }
            Err(error) if error.is_about_data() => {
                transaction.rollback_to(savepoint).await?;
                bulk.errors.push(RowError { index, error });
            }
            Err(error) => return Err(error),
        }
    }
    finished(bulk, mode)
}

async fn upsert(
    unit: &Unit,
    object: ObjectIndex,
    data: &Map<String, Json>,
    on: &Unique,
) -> Result<Uuid, AppError> {
    let described = unit.catalogue().object(object).clone();
    // The key that a new record would have; what is wrong with the rest is told by the write.
    let drafts = input::created(unit, object, &[data]).await?;
    match uniques::holder(unit, object, &described, on, &drafts).await? {
        Some(id) => record_update(unit, object, id, data, None)
            .await
            .map(|()| id),
        None => record_create(unit, object, data).await,
    }
}
