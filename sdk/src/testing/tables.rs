//! Records in memory, and the searches that the contract offers over them.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
};

use crate::{
    Decimal, Value,
    bindings::imports::relata::plugin::records as wire,
    fields,
    time::{Date, DateTime},
};

/// All records, by object, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    objects: HashMap<String, Vec<Row>>,
    ids: u64,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Row {
    /// Empty before the record is inserted.
    pub(super) id: String,
    pub(super) version: i64,
    pub(super) deleted: bool,
    pub(super) values: BTreeMap<String, Value>,
}

impl Row {
    pub(super) fn value(&self, field: &str) -> Value {
        match field {
            "id" => Value::Reference(self.id.clone()),
            "version" => Value::Integer(self.version),
            _ => self.values.get(field).cloned().unwrap_or(Value::Null),
        }
    }

    pub(super) fn inputs(&self, fields: &[String]) -> Vec<Value> {
        fields.iter().map(|field| self.value(field)).collect()
    }

    pub(super) fn stored(&self, fields: &[String]) -> wire::Stored {
        wire::Stored {
            id: self.id.clone(),
            version: self.version,
            values: self.inputs(fields),
        }
    }

    fn satisfies(&self, conditions: &[wire::Condition]) -> bool {
        conditions.iter().all(|condition| {
            let value = self.value(&condition.field);
            let order = || compare(&value, &condition.operand);
            match condition.operator {
                wire::Operator::IsNull => value == Value::Null,
                wire::Operator::IsNotNull => value != Value::Null,
                // A comparison with an empty field never holds.
                _ if value == Value::Null => false,
                wire::Operator::Eq => order() == Some(Ordering::Equal),
                wire::Operator::Ne => order() != Some(Ordering::Equal),
                wire::Operator::Lt => order() == Some(Ordering::Less),
                wire::Operator::Lte => order().is_some_and(Ordering::is_le),
                wire::Operator::Gt => order() == Some(Ordering::Greater),
                wire::Operator::Gte => order().is_some_and(Ordering::is_ge),
            }
        })
    }
}

impl Tables {
    /// Ids that sort in the order in which they were given, and look like the platform's.
    pub(super) fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("01900000-0000-7000-8000-{:012x}", self.ids)
    }

    pub(super) fn insert(&mut self, object: &str, mut row: Row) -> String {
        if row.id.is_empty() {
            row.id = self.next_id();
        }
        row.version = 1;
        let id = row.id.clone();
        self.objects.entry(object.to_owned()).or_default().push(row);
        id
    }

    pub(super) fn replace(&mut self, object: &str, row: Row) {
        let rows = self.objects.entry(object.to_owned()).or_default();
        if let Some(old) = rows.iter_mut().find(|old| old.id == row.id) {
            *old = row;
        }
    }

    pub(super) fn remove(&mut self, object: &str, id: &str) {
        if let Some(rows) = self.objects.get_mut(object) {
            rows.retain(|row| row.id != id);
        }
    }

    /// Also in the trash.
    pub(super) fn get(&self, object: &str, id: &str) -> Option<&Row> {
        self.objects.get(object)?.iter().find(|row| row.id == id)
    }

    /// Outside the trash.
    pub(super) fn live(&self, object: &str, id: &str) -> Option<&Row> {
        self.get(object, id).filter(|row| !row.deleted)
    }

    /// Outside the trash.
    pub(super) fn rows<'a>(&'a self, object: &str) -> impl Iterator<Item = &'a Row> + use<'a> {
        self.objects
            .get(object)
            .into_iter()
            .flatten()
            .filter(|row| !row.deleted)
    }

    pub(super) fn find(&self, query: &wire::Query) -> Vec<wire::Stored> {
        let mut rows: Vec<&Row> = self
            .rows(&query.object)
            .filter(|row| row.satisfies(&query.conditions))
            .collect();
        rows.sort_by(|left, right| {
            for (field, direction) in &query.order {
                let order = compare(&left.value(field), &right.value(field));
                let order = match (order, direction) {
                    (None | Some(Ordering::Equal), _) => continue,
                    (Some(order), wire::Direction::Ascending) => order,
                    (Some(order), wire::Direction::Descending) => order.reverse(),
                };
                return order;
            }
            left.id.cmp(&right.id)
        });
        rows.truncate(query.limit as usize);
        rows.into_iter()
            .map(|row| row.stored(&query.fields))
            .collect()
    }

    pub(super) fn total(
        &self,
        object: &str,
        field: &str,
        conditions: &[wire::Condition],
    ) -> wire::Totals {
        let mut totals = (0, Decimal::ZERO);
        for row in self.rows(object).filter(|row| row.satisfies(conditions)) {
            totals.0 += 1;
            if let Some(number) = number(&row.value(field)) {
                totals.1 = totals.1 + number;
            }
        }
        wire::Totals {
            count: totals.0,
            sum: totals.1.to_string(),
        }
    }
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(integer) => Some(Decimal::from(*integer)),
        Value::Decimal(text) => text.parse().ok(),
        _ => None,
    }
}

/// The order of two values of one kind; nothing sorts after everything.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Null, _) => Some(Ordering::Greater),
        (_, Value::Null) => Some(Ordering::Less),
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(right)),
        (Value::Date(left), Value::Date(right)) => {
            Some(left.parse::<Date>().ok()?.cmp(&right.parse().ok()?))
        }
        (Value::Datetime(left), Value::Datetime(right)) => {
            Some(left.parse::<DateTime>().ok()?.cmp(&right.parse().ok()?))
        }
        (Value::Reference(left), Value::Reference(right)) => Some(left.cmp(right)),
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => Some(fields::option(left)?.cmp(fields::option(right)?)),
        },
    }
}
