//! Reads of a write: records by a condition, and how many they are, as the transaction sees them.
//!
//! Conditions are compiled by the read half ([`crate::read`]), so that a hook and a query mean the
//! same by the same filter.

use relata_catalog::{Catalogue, ColumnType, ObjectIndex};
use rust_decimal::Decimal;
use sea_orm::QueryResult;
use sea_orm::sea_query::{ArrayType, Value as SqlValue};

use super::{Lock, Record, SYSTEM_COLUMNS};
use crate::cells::{chrono_date, instant, quoted, selected};
use crate::database::Backend;
use crate::error::StoreError;
use crate::filter::{ColumnRef, Deleted, Filter, OrderTerm, SystemColumn};
use crate::read::{
    Bind, CompileError, Scope, Slot, SortTerm, SqlText, find_relation, find_sorting, find_target,
    order_by,
};
use crate::transaction::Transaction;

/// Which records are wanted.
#[derive(Debug, Clone)]
pub struct Find {
    /// The object.
    pub object: ObjectIndex,
    /// Which of its records.
    pub filter: Filter,
    /// In which order; the id is the last term without being told.
    pub order: Vec<OrderTerm>,
    /// At most this many.
    pub limit: Option<u64>,
    /// Whether the trash counts.
    pub deleted: Deleted,
    /// Whether they are about to be changed.
    pub lock: Lock,
}

impl Find {
    /// All records of an object outside the trash that satisfy a condition.
    #[must_use]
    pub fn new(object: ObjectIndex, filter: Filter) -> Self {
        Self {
            object,
            filter,
            order: Vec::new(),
            limit: None,
            deleted: Deleted::Exclude,
            lock: Lock::None,
        }
    }
}

/// A system column of an order that nobody gave.
const BY_ID: ColumnRef = ColumnRef::System(SystemColumn::Id);

impl Transaction {
    /// Records by a condition. Operands are values: there are no parameters here.
    ///
    /// # Errors
    /// [`StoreError::Condition`] for a condition that cannot be compiled.
    pub async fn find(
        &self,
        catalogue: &Catalogue,
        find: &Find,
    ) -> Result<Vec<Record>, StoreError> {
        let backend = self.backend();
        let object = catalogue.object(find.object);
        let mut sql = SqlText::new(catalogue, backend, false);
        let scope = Scope {
            object: find.object,
            alias: "r".to_owned(),
        };
        let condition = condition(&mut sql, &scope, find.deleted, &find.filter)?;
        let order = order_text(&mut sql, &scope, &find.order)?;
        let limit = find
            .limit
            .map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
        let lock = match (backend, find.lock) {
            (Backend::Postgres, Lock::Update) => " FOR UPDATE OF r",
            _ => "",
        };
        let columns: Vec<String> = SYSTEM_COLUMNS
            .iter()
            .map(|column| format!("r.{}", quoted(column)))
            .chain(
                object
                    .fields
                    .iter()
                    .flat_map(|field| field.stored_columns())
                    .map(|column| format!("r.{}", selected(backend, &column))),
            )
            .collect();
        let text = format!(
            "SELECT {} FROM {} AS r{condition} ORDER BY {order}{limit}{lock}",
            columns.join(", "),
            quoted(&object.table),
        );
        let values = constants(sql)?;
        self.records(object, self.statement(text, values)).await
    }

    /// How many records satisfy a condition.
    ///
    /// # Errors
    /// [`StoreError::Condition`] for a condition that cannot be compiled.
    pub async fn count(
        &self,
        catalogue: &Catalogue,
        object: ObjectIndex,
        filter: &Filter,
        deleted: Deleted,
    ) -> Result<i64, StoreError> {
        let row = self
            .measured(catalogue, object, filter, deleted, "count(*)")
            .await?;
        Ok(row.try_get_by_index(0)?)
    }

    /// What is selected of all records together that satisfy a condition; their table is `r`.
    async fn measured(
        &self,
        catalogue: &Catalogue,
        object: ObjectIndex,
        filter: &Filter,
        deleted: Deleted,
        selected: &str,
    ) -> Result<QueryResult, StoreError> {
        let mut sql = SqlText::new(catalogue, self.backend(), false);
        let scope = Scope {
            object,
            alias: "r".to_owned(),
        };
        let condition = condition(&mut sql, &scope, deleted, filter)?;
        let text = format!(
            "SELECT {selected} FROM {} AS r{condition}",
            quoted(&catalogue.object(object).table),
        );
        let values = constants(sql)?;
        self.query_one(self.statement(text, values))
            .await?
            .ok_or(StoreError::NotFound)
    }

    /// How many records outside the trash satisfy a condition, and the sum of one of their
    /// columns (0 where there is none).
    ///
    /// # Errors
    /// [`StoreError::Condition`] for a condition that cannot be compiled, or a column that is not
    /// a number.
    pub async fn total(
        &self,
        catalogue: &Catalogue,
        object: ObjectIndex,
        filter: &Filter,
        sum: Option<ColumnRef>,
    ) -> Result<(i64, Decimal), StoreError> {
        let backend = self.backend();
        let summed = sum
            .map(|column| number_column(catalogue, object, column))
            .transpose()?;
        let sums = match (&summed, backend) {
            (None, _) => String::new(),
            (Some((name, _)), Backend::Postgres) => {
                format!(", coalesce(sum(r.{0}), 0)::numeric", quoted(name))
            }
            // SQLite's sum of integers fails beyond 64 bits: in two parts it never gets there.
            (Some((name, _)), Backend::Sqlite) => format!(
                ", coalesce(sum(r.{0} / {HALF}), 0), coalesce(sum(r.{0} % {HALF}), 0)",
                quoted(name)
            ),
        };
        let selected = format!("count(*){sums}");
        let row = self
            .measured(catalogue, object, filter, Deleted::Exclude, &selected)
            .await?;
        let count: i64 = row.try_get_by_index(0)?;
        let total = match (summed, backend) {
            (None, _) => Decimal::ZERO,
            (Some((_, scale)), Backend::Postgres) => {
                let mut total: Decimal = row.try_get_by_index(1)?;
                total.rescale(scale);
                total
            }
            (Some((_, scale)), Backend::Sqlite) => {
                let high: i64 = row.try_get_by_index(1)?;
                let low: i64 = row.try_get_by_index(2)?;
                Decimal::try_from_i128_with_scale(
                    i128::from(high) * i128::from(HALF) + i128::from(low),
                    scale,
                )
                .map_err(|error| StoreError::value("sum", error.to_string()))?
            }
        };
        Ok((count, total))
    }
}

/// Where a 64-bit integer is cut in two for summing.
const HALF: i64 = 1_000_000_000;

/// ` WHERE …`, or nothing.
fn condition(
    sql: &mut SqlText<'_>,
    scope: &Scope,
    deleted: Deleted,
    filter: &Filter,
) -> Result<String, StoreError> {
    let parts: Vec<String> = sql
        .deleted(&scope.alias, deleted)
        .into_iter()
        .chain(sql.condition(scope, filter)?)
        .collect();
    Ok(if parts.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", parts.join(" AND "))
    })
}

fn order_text(
    sql: &mut SqlText<'_>,
    scope: &Scope,
    order: &[OrderTerm],
) -> Result<String, StoreError> {
    let mut terms = Vec::with_capacity(order.len() + 1);
    for term in order {
        terms.push(sort_term(sql, scope, term)?);
    }
    if order.last().is_none_or(|last| last.column != BY_ID) {
        terms.push(SortTerm {
            expression: format!("{}.\"id\"", scope.alias),
            column: ColumnType::Reference,
            nullable: false,
            direction: crate::filter::Direction::Ascending,
            nulls: crate::filter::Nulls::Last,
            indexed: false,
        });
    }
    Ok(order_by(sql.backend, &terms, false))
}

/// A term through relations is a subquery: pages of a hook are short, so no join is worth it.
fn sort_term(
    sql: &mut SqlText<'_>,
    scope: &Scope,
    term: &OrderTerm,
) -> Result<SortTerm, StoreError> {
    let catalogue = sql.catalogue;
    let mut object = scope.object;
    let mut from: Vec<String> = Vec::new();
    let mut on: Vec<String> = Vec::new();
    let mut alias = scope.alias.clone();
    for field in &term.through {
        let (relation, key) = find_relation(catalogue, object, *field)?;
        object = find_target(catalogue, relation)?;
        let next = sql.alias('o');
        from.push(format!(
            "{} AS {next}",
            quoted(&catalogue.object(object).table)
        ));
        on.push(format!(
            "{next}.\"id\" = {alias}.{} AND {next}.\"_deleted_at\" IS NULL",
            quoted(&key)
        ));
        alias = next;
    }
    let found = find_sorting(catalogue, object, term)?;
    let column = found.text(sql.backend, &alias)?;
    let expression = if from.is_empty() {
        column
    } else {
        format!(
            "(SELECT {column} FROM {} WHERE {})",
            from.join(", "),
            on.join(" AND ")
        )
    };
    Ok(SortTerm {
        expression,
        column: found.column,
        nullable: found.nullable || !from.is_empty(),
        direction: term.direction,
        nulls: term.nulls,
        indexed: false,
    })
}

/// Name and scale of a column that can be added up.
fn number_column(
    catalogue: &Catalogue,
    object: ObjectIndex,
    column: ColumnRef,
) -> Result<(String, u32), StoreError> {
    let refused = |what: &'static str| StoreError::from(CompileError::Missing(what));
    let ColumnRef::Field { field, part } = column else {
        return Err(refused("a column of numbers"));
    };
    let column = catalogue
        .object(object)
        .fields
        .get(field.0)
        .and_then(|field| field.columns().into_iter().nth(part))
        .ok_or_else(|| refused("a column"))?;
    match column.column_type {
        ColumnType::Integer => Ok((column.name, 0)),
        ColumnType::Decimal(scale) => Ok((column.name, scale)),
        _ => Err(refused("a column of numbers")),
    }
}

/// The values of a statement that takes none at execution.
fn constants(sql: SqlText<'_>) -> Result<Vec<SqlValue>, StoreError> {
    sql.slots
        .into_iter()
        .map(|slot| match slot {
            Slot::Constant(bind) => Ok(bound(bind)),
            _ => Err(CompileError::Missing(
                "a parameter (conditions of a transaction hold values)",
            )
            .into()),
        })
        .collect()
}

/// A bound value as sea-orm takes it.
pub(crate) fn bound(bind: Bind) -> SqlValue {
    fn array<T>(kind: ArrayType, items: Vec<T>, each: impl Fn(T) -> SqlValue) -> SqlValue {
        SqlValue::Array(kind, Some(Box::new(items.into_iter().map(each).collect())))
    }
    match bind {
        Bind::Null(column) => match column {
            ColumnType::Integer | ColumnType::Time | ColumnType::Duration => SqlValue::BigInt(None),
            ColumnType::Decimal(_) => SqlValue::Decimal(None),
            ColumnType::Boolean => SqlValue::Bool(None),
            ColumnType::Date => SqlValue::ChronoDate(None),
            ColumnType::DateTime => SqlValue::ChronoDateTimeUtc(None),
            ColumnType::Reference => SqlValue::Uuid(None),
            _ => SqlValue::String(None),
        },
        Bind::Boolean(boolean) => boolean.into(),
        Bind::Integer(integer) => integer.into(),
        Bind::Text(text) => text.into(),
        Bind::Uuid(id) => id.into(),
        Bind::Decimal(decimal) => SqlValue::Decimal(Some(decimal)),
        Bind::Date(date) => SqlValue::ChronoDate(chrono_date(date)),
        Bind::Instant(micros) => SqlValue::ChronoDateTimeUtc(instant(micros)),
        Bind::Booleans(items) => array(ArrayType::Bool, items, SqlValue::from),
        Bind::Integers(items) => array(ArrayType::BigInt, items, SqlValue::from),
        Bind::Texts(items) => array(ArrayType::String, items, SqlValue::from),
        Bind::Uuids(items) => array(ArrayType::Uuid, items, SqlValue::from),
        Bind::Decimals(items) => array(ArrayType::Decimal, items, |decimal| {
            SqlValue::Decimal(Some(decimal))
        }),
        Bind::Dates(items) => array(ArrayType::ChronoDate, items, |date| {
            SqlValue::ChronoDate(chrono_date(date))
        }),
        Bind::Instants(items) => array(ArrayType::ChronoDateTimeUtc, items, |micros| {
            SqlValue::ChronoDateTimeUtc(instant(micros))
        }),
    }
}
