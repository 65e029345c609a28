//! Fields that become another kind: what their values become, first counted, then written.

use std::collections::{BTreeSet, HashMap};

use relata_catalog::{
    Catalogue, CoerceContext, ColumnType, Converted, Field, Kind, Object, Value, convert, folded,
    to_json,
};
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query};
use sea_orm::{ConnectionTrait, Statement, Value as SqlValue};
use uuid::Uuid;

use super::losses::filled;
use crate::cells::{Row, quoted, selected, written};
use crate::database::Backend;
use crate::error::StoreError;
use crate::transaction::Transaction;

/// Records that are converted at once.
const BATCH: usize = 500;
/// Values that are shown of those that mean nothing in the new kind.
const SAMPLES_MAX: usize = 10;
/// Characters that are shown of one.
const SAMPLE_LENGTH_MAX: usize = 80;

/// A field that becomes another kind.
#[derive(Clone, Copy)]
pub(super) struct Conversion<'a> {
    /// The catalogue after it.
    pub(super) catalogue: &'a Catalogue,
    pub(super) table: &'a str,
    pub(super) from: &'a Field,
    pub(super) to: &'a Field,
    /// Now, in microseconds since 1970-01-01T00:00:00Z.
    pub(super) at: i64,
}

/// What would not convert.
#[derive(Debug, Default)]
pub(super) struct Unconverted {
    pub(super) count: i64,
    /// Some of the values, as JSON.
    pub(super) samples: Vec<String>,
}

impl Transaction {
    /// Writes what the values become; both fields' columns are there.
    pub(super) async fn convert_field(&self, of: Conversion<'_>) -> Result<(), StoreError> {
        let connection = self.statements();
        let mut after = None;
        loop {
            let rows = batch(&connection, self.backend(), of, after).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            after = Some(*last);
            let found = converted(&connection, self.backend(), of, &rows).await?;
            // Records with the same value are written together.
            let mut groups: HashMap<String, (Value, Vec<Uuid>)> = HashMap::new();
            for ((id, _), value) in rows.iter().zip(found) {
                if let Some(value) = value {
                    let (_, ids) = groups
                        .entry(format!("{value:?}"))
                        .or_insert_with(|| (value, Vec::new()));
                    ids.push(*id);
                }
            }
            for (value, ids) in groups.into_values() {
                let mut update = Query::update();
                update.table(Alias::new(of.table));
                let cells = written(self.backend(), of.to, &value)?;
                for (column, cell) in of.to.stored_columns().into_iter().zip(cells) {
                    update.value(Alias::new(column.name), cell);
                }
                update.and_where(Expr::col(Alias::new("id")).is_in(ids));
                self.execute(self.backend().sea().build(&update)).await?;
            }
        }
    }
}

/// What would not convert, of all records, those in the trash included.
pub(super) async fn unconverted(
    connection: &impl ConnectionTrait,
    backend: Backend,
    of: Conversion<'_>,
) -> Result<Unconverted, StoreError> {
    let mut unconverted = Unconverted::default();
    let mut samples = BTreeSet::new();
    let mut after = None;
    loop {
        let rows = batch(connection, backend, of, after).await?;
        let Some((last, _)) = rows.last() else {
            unconverted.samples = samples.into_iter().collect();
            return Ok(unconverted);
        };
        after = Some(*last);
        let found = converted(connection, backend, of, &rows).await?;
        for ((_, value), found) in rows.iter().zip(found) {
            if found.is_none() {
                unconverted.count += 1;
                if samples.len() < SAMPLES_MAX {
                    samples.insert(sample(of.from, value));
                }
            }
        }
    }
}

fn sample(field: &Field, value: &Value) -> String {
    let json = to_json(&field.kind, value).to_string();
    match json.char_indices().nth(SAMPLE_LENGTH_MAX) {
        Some((end, _)) => format!("{}…", &json[..end]),
        None => json,
    }
}

/// The next records with a value, by id.
async fn batch(
    connection: &impl ConnectionTrait,
    backend: Backend,
    of: Conversion<'_>,
    after: Option<Uuid>,
) -> Result<Vec<(Uuid, Value)>, StoreError> {
    let (behind, values): (String, Vec<SqlValue>) = match after {
        Some(id) => (
            format!(" AND \"id\" > {}", backend.placeholder(1)),
            vec![id.into()],
        ),
        None => (String::new(), Vec::new()),
    };
    let which = format!(
        "({}){behind} ORDER BY \"id\" LIMIT {BATCH}",
        filled(of.from)
    );
    values_of(connection, backend, of.table, of.from, (which, values)).await
}

/// The ids and values of one field of some records: of those that a condition finds, which comes
/// with its parameters.
async fn values_of<F: FromIterator<(Uuid, Value)>>(
    connection: &impl ConnectionTrait,
    backend: Backend,
    table: &str,
    field: &Field,
    (which, values): (String, Vec<SqlValue>),
) -> Result<F, StoreError> {
    let columns: Vec<String> = field
        .stored_columns()
        .iter()
        .map(|column| selected(backend, column))
        .collect();
    let text = format!(
        "SELECT \"id\", {} FROM {} WHERE {which}",
        columns.join(", "),
        quoted(table),
    );
    let rows = connection
        .query_all_raw(Statement::from_sql_and_values(backend.sea(), text, values))
        .await?;
    rows.iter()
        .map(|row| {
            let mut row = Row::new(row, backend);
            Ok((row.take()?, row.take_value(field)?))
        })
        .collect()
}

/// What each of them becomes; nothing where it means nothing in the new kind.
async fn converted(
    connection: &impl ConnectionTrait,
    backend: Backend,
    of: Conversion<'_>,
    rows: &[(Uuid, Value)],
) -> Result<Vec<Option<Value>>, StoreError> {
    let context = CoerceContext {
        now_micros: of.at,
        ..CoerceContext::default()
    };
    let found: Vec<Converted> = rows
        .iter()
        .map(|(_, value)| convert(of.from, of.to, value, &context))
        .collect();
    let called = match target(of.catalogue, &of.from.kind) {
        Some(target) => {
            let mut ids = BTreeSet::new();
            for one in &found {
                if let Converted::Called(id) = one {
                    ids.insert(*id);
                }
            }
            labels(connection, backend, target, ids).await?
        }
        None => HashMap::new(),
    };
    let records = match target(of.catalogue, &of.to.kind) {
        Some(target) => {
            let mut wanted = BTreeSet::new();
            for one in &found {
                if let Converted::RecordCalled(texts) = one {
                    wanted.extend(texts.iter().map(|text| folded(text)));
                }
            }
            records_called(connection, backend, target, wanted).await?
        }
        None => HashMap::new(),
    };
    let label = target(of.catalogue, &of.from.kind).and_then(label_field);
    Ok(found
        .into_iter()
        .map(|one| match one {
            Converted::Value(value) => Some(value),
            Converted::RecordCalled(texts) => {
                texts
                    .iter()
                    .find_map(|text| match records.get(&folded(text))?.as_slice() {
                        [only] => Some(Value::Reference(*only)),
                        _ => None,
                    })
            }
            Converted::Called(id) => match convert(label?, of.to, called.get(&id)?, &context) {
                Converted::Value(value) => Some(value),
                _ => None,
            },
            Converted::Nothing => None,
        })
        .collect())
}

fn target<'c>(catalogue: &'c Catalogue, kind: &Kind) -> Option<&'c Object> {
    match kind {
        Kind::Relation(relation) => catalogue
            .object_keyed(&relation.target)
            .map(|(_, object)| &**object),
        _ => None,
    }
}

fn label_field(object: &Object) -> Option<&Field> {
    Some(object.field_keyed(object.label_field.as_ref()?)?.1).filter(|field| field.kind.is_stored())
}

/// The values of the label field of some records.
async fn labels(
    connection: &impl ConnectionTrait,
    backend: Backend,
    object: &Object,
    ids: BTreeSet<Uuid>,
) -> Result<HashMap<Uuid, Value>, StoreError> {
    let Some(label) = label_field(object).filter(|_| !ids.is_empty()) else {
        return Ok(HashMap::new());
    };
    let which = format!("\"id\" IN ({})", backend.placeholders(ids.len()));
    let values = ids.into_iter().map(SqlValue::from).collect();
    values_of(connection, backend, &object.table, label, (which, values)).await
}

/// Records outside the trash whose folded label is one of these, by that.
async fn records_called(
    connection: &impl ConnectionTrait,
    backend: Backend,
    object: &Object,
    wanted: BTreeSet<String>,
) -> Result<HashMap<String, Vec<Uuid>>, StoreError> {
    let mut found: HashMap<String, Vec<Uuid>> = HashMap::new();
    let column = label_field(object).and_then(|label| {
        label
            .stored_columns()
            .into_iter()
            .find(|column| column.column_type == ColumnType::Folded)
    });
    let Some(column) = column else {
        return Ok(found);
    };
    let wanted: Vec<String> = wanted.into_iter().collect();
    for chunk in wanted.chunks(BATCH) {
        let text = format!(
            "SELECT {column}, \"id\" FROM {} WHERE {column} IN ({}) AND \"_deleted_at\" IS NULL",
            quoted(&object.table),
            backend.placeholders(chunk.len()),
            column = quoted(&column.name),
        );
        let values: Vec<SqlValue> = chunk.iter().map(|text| text.as_str().into()).collect();
        let rows = connection
            .query_all_raw(Statement::from_sql_and_values(backend.sea(), text, values))
            .await?;
        for row in rows {
            let text: String = row.try_get_by_index(0)?;
            found
                .entry(text)
                .or_default()
                .push(row.try_get_by_index(1)?);
        }
    }
    Ok(found)
}
