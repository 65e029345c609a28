//! What plugins may do with records: the host's trait over a [`Unit`], so that a plugin's reads
//! and writes happen in the transaction of whoever called it, as the plugin.
//!
//! The host has checked the grants when these are called. Reading goes by field name; a plugin's
//! own fields on other owners' objects also answer to their key.

use std::sync::Arc;

use async_trait::async_trait;
use relata_catalog::{FieldIndex, Issue, Issues, Key, Kind, Object, ObjectIndex, Value};
use relata_host::{
    Condition, Direction as PluginDirection, NamedValue, Operator as PluginOperator, PluginValue,
    Query, RecordsError, ServiceError, Services, Stored, Totals, from_plugin, to_client_json,
    to_plugin,
};
use relata_store::{
    Find, Lock, Record,
    filter::{
        ColumnRef, Deleted, Direction, Filter, Nulls, Operand, Operator, OrderTerm, SystemColumn,
    },
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{
    AppError, naming,
    plugins::Installed,
    records,
    transact::{Chain, Unit},
};

/// The services of one plugin in one unit of work.
pub(crate) struct PluginServices {
    unit: Unit,
    plugin: Arc<Installed>,
}

impl PluginServices {
    /// Services as the plugin, in the transaction of `unit`; `chain` is how it came to be called.
    pub(crate) fn new(unit: &Unit, plugin: &Arc<Installed>, chain: Chain) -> Arc<Self> {
        let caller = unit.caller().plugin(&plugin.id);
        Arc::new(Self {
            unit: unit.acting_as(caller, chain),
            plugin: Arc::clone(plugin),
        })
    }

    fn object(&self, name: &str) -> Result<(ObjectIndex, Arc<Object>), ServiceError> {
        let catalogue = self.unit.catalogue();
        find_object(catalogue, &self.plugin.id, name)
            .map(|index| (index, Arc::clone(catalogue.object(index))))
            .ok_or_else(|| {
                let names = catalogue
                    .objects
                    .iter()
                    .map(|object| object.singular.as_str());
                not_found(format!(
                    "there is no object {name}{}",
                    naming::instead(name, names)
                ))
            })
    }

    fn readable(&self, object: &Object, name: &str) -> Result<Readable, ServiceError> {
        if let Some(column) = system_column(name) {
            return Ok(Readable::System(column));
        }
        find_field(object, &self.plugin.id, name)
            .map(Readable::Field)
            .ok_or_else(|| no_field(object, name))
    }

    fn filter(&self, object: &Object, conditions: &[Condition]) -> Result<Filter, ServiceError> {
        conditions
            .iter()
            .map(|condition| {
                let readable = self.readable(object, &condition.field)?;
                condition_filter(object, readable, condition)
            })
            .collect::<Result<_, _>>()
            .map(Filter::And)
    }

    async fn record(&self, object: &Object, id: &str) -> Result<Option<Record>, ServiceError> {
        // What is no id at all is the id of nothing, as it is for clients: they may have given it.
        let Ok(id) = parse_id(id) else {
            return Ok(None);
        };
        let found = self.unit.transaction().get(object, id, Lock::None).await;
        Ok(found
            .map_err(|error| lost(error.into()))?
            .filter(|record| record.deleted_at.is_none()))
    }
}

#[async_trait]
impl Services for PluginServices {
    async fn get(
        &self,
        object: &str,
        id: &str,
        fields: &[String],
    ) -> Result<Option<Stored>, ServiceError> {
        let (_, object) = self.object(object)?;
        let fields = self.fields(&object, fields)?;
        let record = self.record(&object, id).await?;
        Ok(record.map(|record| stored(&object, &fields, &record)))
    }

    async fn find(&self, query: Query) -> Result<Vec<Stored>, ServiceError> {
        let (index, object) = self.object(&query.object)?;
        let fields = self.fields(&object, &query.fields)?;
        let order = query
            .order
            .iter()
            .map(|(name, direction)| {
                Ok(OrderTerm {
                    through: Vec::new(),
                    column: self.readable(&object, name)?.column(),
                    direction: match direction {
                        PluginDirection::Ascending => Direction::Ascending,
                        PluginDirection::Descending => Direction::Descending,
                    },
                    nulls: Nulls::Last,
                })
            })
            .collect::<Result<_, ServiceError>>()?;
        let find = Find {
            object: index,
            filter: self.filter(&object, &query.conditions)?,
            order,
            limit: Some(u64::from(query.limit)),
            deleted: Deleted::Exclude,
            lock: Lock::None,
        };
        let records = self
            .unit
            .transaction()
            .find(self.unit.catalogue(), &find)
            .await
            .map_err(|error| lost(error.into()))?;
        Ok(records
            .iter()
            .map(|record| stored(&object, &fields, record))
            .collect())
    }

    async fn total(
        &self,
        object: &str,
        field: &str,
        conditions: Vec<Condition>,
    ) -> Result<Totals, ServiceError> {
        let (index, object) = self.object(object)?;
        let summed =
            find_field(&object, &self.plugin.id, field).ok_or_else(|| no_field(&object, field))?;
        if !matches!(
            object.field(summed).kind,
            Kind::Integer { .. } | Kind::Decimal { .. }
        ) {
            return Err(invalid(
                Issue::new(
                    "NOT_NUMERIC",
                    format!("{field} is neither an integer nor a decimal: it can't be added up"),
                )
                .at("field"),
            ));
        }
        let filter = self.filter(&object, &conditions)?;
        let column = ColumnRef::Field {
            field: summed,
            part: 0,
        };
        let (count, sum) = self
            .unit
            .transaction()
            .total(self.unit.catalogue(), index, &filter, Some(column))
            .await
            .map_err(|error| lost(error.into()))?;
        Ok(Totals {
            count,
            sum: sum.normalize().to_string(),
        })
    }

    async fn create(&self, object: &str, values: Vec<NamedValue>) -> Result<String, ServiceError> {
        let (index, object) = self.object(object)?;
        let data = client_data(&object, &self.plugin.id, &values).map_err(invalid_issues)?;
        let before = self.unit.writes();
        records::record_create(&self.unit, index, &data)
            .await
            .map(|written| written.id.to_string())
            .map_err(|error| refused(&self.unit, before, error))
    }

    async fn update(
        &self,
        object: &str,
        id: &str,
        values: Vec<NamedValue>,
    ) -> Result<(), ServiceError> {
        let (index, object) = self.object(object)?;
        let id = parse_id(id)?;
        let data = client_data(&object, &self.plugin.id, &values).map_err(invalid_issues)?;
        let before = self.unit.writes();
        records::record_update(&self.unit, index, id, &data, None)
            .await
            .map(|_| ())
            .map_err(|error| refused(&self.unit, before, error))
    }

    async fn delete(&self, object: &str, id: &str) -> Result<(), ServiceError> {
        let (index, _) = self.object(object)?;
        let id = parse_id(id)?;
        let before = self.unit.writes();
        records::record_delete(&self.unit, index, id)
            .await
            .map_err(|error| refused(&self.unit, before, error))
    }

    fn settings(&self) -> String {
        self.plugin.settings.to_string()
    }
}

impl PluginServices {
    fn fields(&self, object: &Object, names: &[String]) -> Result<Vec<Readable>, ServiceError> {
        names
            .iter()
            .map(|name| self.readable(object, name))
            .collect()
    }
}

/// What a plugin reads of a record.
#[derive(Debug, Clone, Copy)]
enum Readable {
    System(SystemColumn),
    Field(FieldIndex),
}

impl Readable {
    fn column(self) -> ColumnRef {
        match self {
            Self::System(column) => ColumnRef::System(column),
            Self::Field(field) => ColumnRef::Field { field, part: 0 },
        }
    }
}

fn system_column(name: &str) -> Option<SystemColumn> {
    Some(match name {
        "id" => SystemColumn::Id,
        "version" => SystemColumn::Version,
        "createdAt" => SystemColumn::CreatedAt,
        "updatedAt" => SystemColumn::UpdatedAt,
        _ => return None,
    })
}

fn stored(object: &Object, fields: &[Readable], record: &Record) -> Stored {
    let values = fields
        .iter()
        .map(|readable| match readable {
            Readable::Field(index) => to_plugin(&object.field(*index).kind, record.value(*index)),
            Readable::System(SystemColumn::Id) => PluginValue::Reference(record.id.to_string()),
            Readable::System(SystemColumn::Version) => PluginValue::Integer(record.version),
            Readable::System(SystemColumn::CreatedAt) => instant(record.created_at),
            Readable::System(SystemColumn::UpdatedAt) => instant(record.updated_at),
            Readable::System(_) => PluginValue::Null,
        })
        .collect();
    Stored {
        id: record.id.to_string(),
        version: record.version,
        values,
    }
}

fn instant(micros: i64) -> PluginValue {
    to_plugin(&Kind::DateTime, &Value::DateTime(micros))
}

fn condition_filter(
    object: &Object,
    readable: Readable,
    condition: &Condition,
) -> Result<Filter, ServiceError> {
    let column = readable.column();
    let operator = match condition.operator {
        PluginOperator::IsNull | PluginOperator::IsNotNull => {
            return Ok(Filter::IsNull {
                column,
                is_null: condition.operator == PluginOperator::IsNull,
            });
        }
        PluginOperator::Eq => Operator::Eq,
        PluginOperator::Ne => Operator::Ne,
        PluginOperator::Lt => Operator::Lt,
        PluginOperator::Lte => Operator::Lte,
        PluginOperator::Gt => Operator::Gt,
        PluginOperator::Gte => Operator::Gte,
    };
    let refuse = |issues: Issues| {
        let mut at = Issues::default();
        at.extend_at(condition.field.as_str(), issues);
        invalid_issues(at)
    };
    let operand = match readable {
        Readable::Field(index) => {
            let kind = &object.field(index).kind;
            match (kind, &condition.operand) {
                // An autonumber is a number to plugins, and they can't write it.
                (Kind::Autonumber { .. }, PluginValue::Integer(number)) => Value::Integer(*number),
                // A stage is compared by the pipeline that stands in its first column: not here.
                (Kind::Stage, _) => {
                    return Err(refuse(
                        Issue::new("NOT_COMPARABLE", "stages can't be compared in a query").into(),
                    ));
                }
                (kind, operand) => from_plugin(kind, operand.clone()).map_err(refuse)?,
            }
        }
        Readable::System(SystemColumn::Id) => match &condition.operand {
            PluginValue::Reference(id) | PluginValue::Text(id) => Value::Reference(parse_id(id)?),
            _ => return Err(refuse(Issue::new("WRONG_TYPE", "an id is wanted").into())),
        },
        Readable::System(SystemColumn::Version) => from_plugin(
            &Kind::Integer {
                min: None,
                max: None,
            },
            condition.operand.clone(),
        )
        .map_err(refuse)?,
        Readable::System(_) => {
            from_plugin(&Kind::DateTime, condition.operand.clone()).map_err(refuse)?
        }
    };
    if operand.is_null() {
        return Err(refuse(
            Issue::new("BAD_INPUT", "compare with is-null, not with null").into(),
        ));
    }
    Ok(Filter::Compare {
        column,
        operator,
        operand: Operand::Value(comparable(operand)),
    })
}

/// For a composite, what stands in its first column.
fn comparable(value: Value) -> Value {
    match value {
        Value::Emails(emails) => Value::Text(emails.primary),
        Value::FullName(name) => Value::Text(name.full),
        Value::Phone(phone) => phone.e164.map_or(Value::Null, Value::Text),
        Value::Phones(phones) => phones.primary.e164.map_or(Value::Null, Value::Text),
        Value::Money(money) => Value::Decimal(money.amount),
        other => other,
    }
}

/// A plugin's values as a client would send them: names that are the plugin's own keys become
/// the fields' names.
pub(crate) fn client_data(
    object: &Object,
    plugin: &str,
    values: &[NamedValue],
) -> Result<Map<String, Json>, Issues> {
    let mut data = Map::with_capacity(values.len());
    let mut issues = Issues::default();
    for NamedValue { name, value } in values {
        let field = find_field(object, plugin, name)
            .map_or(name.as_str(), |index| object.field(index).name.as_str());
        match to_client_json(value) {
            Ok(json) => {
                data.insert(field.to_owned(), json);
            }
            Err(wrong) => issues.extend_at(name.as_str(), wrong),
        }
    }
    issues.into_result(data)
}

/// The object that a plugin means: by name, or as `owner/key`.
pub(crate) fn find_object(
    catalogue: &relata_catalog::Catalogue,
    plugin: &str,
    name: &str,
) -> Option<ObjectIndex> {
    if let Some((owner, key)) = name.split_once('/') {
        let keyed = catalogue.object_keyed(&Key::new(owner, key));
        return keyed.map(|(index, _)| index);
    }
    catalogue
        .object_named(name)
        .or_else(|| catalogue.object_keyed(&Key::new(plugin, name)))
        .map(|(index, _)| index)
}

/// The field that a plugin means: by name, or by the key of a field of its own.
pub(crate) fn find_field(object: &Object, plugin: &str, name: &str) -> Option<FieldIndex> {
    object
        .field_named(name)
        .or_else(|| object.field_keyed(&Key::new(plugin, name)))
        .map(|(index, _)| index)
}

fn parse_id(text: &str) -> Result<Uuid, ServiceError> {
    Uuid::try_parse(text).map_err(|_| not_found(format!("{text:?} is not an id")))
}

fn not_found(message: String) -> ServiceError {
    RecordsError::NotFound(message).into()
}

fn no_field(object: &Object, name: &str) -> ServiceError {
    let names = object.fields.iter().map(|field| field.name.as_str());
    not_found(format!(
        "{} has no field {name}{}",
        object.singular,
        naming::instead(name, names)
    ))
}

fn invalid(issue: Issue) -> ServiceError {
    invalid_issues(issue.into())
}

fn invalid_issues(issues: Issues) -> ServiceError {
    RecordsError::Invalid(crate::hooks::to_plugin_issues(&issues)).into()
}

/// An error of a read: the transaction is lost.
fn lost(error: AppError) -> ServiceError {
    ServiceError::Abort(Box::new(error))
}

/// An error of a write, for the plugin: a refusal before anything was written is the plugin's to
/// handle. One after that can't be taken back alone, so it ends the plugin's call.
fn refused(unit: &Unit, writes_before: u64, error: AppError) -> ServiceError {
    if unit.writes() != writes_before {
        return lost(error);
    }
    match error {
        AppError::NotFound(message) => RecordsError::NotFound(message).into(),
        AppError::Forbidden(message) => RecordsError::Denied(message).into(),
        AppError::BadInput { issues, .. }
        | AppError::ValidationFailed(issues)
        | AppError::UniqueViolation(issues)
        | AppError::StageGate(issues)
        | AppError::Referenced { issues, .. } => invalid_issues(issues),
        other => lost(other),
    }
}
