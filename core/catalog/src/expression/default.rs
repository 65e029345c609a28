//! What an expression gives as the value of a field.

use rust_decimal::Decimal;

use super::{Datum, Program, Scope, Type};
use crate::{Catalogue, CoerceContext, Field, Issue, Issues, Kind, Money, Value, coerce, validate};

/// Whether a field can have what a program gives.
pub(super) fn fits(_: &Catalogue, field: &Field, program: &Program) -> Result<(), Issues> {
    let fits = match (&field.kind, program.of) {
        (Kind::Autonumber { .. } | Kind::Stage | Kind::Formula(_) | Kind::Rollup(_), _) => false,
        (
            Kind::Text { .. }
            | Kind::LongText { .. }
            | Kind::RichText { .. }
            | Kind::Email
            | Kind::Url
            | Kind::Select { .. }
            | Kind::Phone
            | Kind::FullName
            | Kind::Emails
            | Kind::Phones,
            Type::Text,
        )
        | (Kind::Integer { .. } | Kind::Rating { .. }, Type::Integer)
        | (Kind::Decimal { .. } | Kind::Percent { .. }, Type::Integer | Type::Decimal(_))
        | (Kind::Money { .. }, Type::Money(_))
        | (Kind::Boolean, Type::Boolean)
        | (Kind::Date, Type::Date)
        | (Kind::DateTime, Type::Instant)
        | (Kind::MultiSelect { .. } | Kind::Texts | Kind::Tags, Type::Choices)
        | (Kind::Time | Kind::Duration, Type::Duration)
        | (Kind::Relation(_) | Kind::Uuid | Kind::User, Type::Reference)
        | (_, Type::Null) => true,
        (Kind::Money { currency, .. }, Type::Integer | Type::Decimal(_)) => currency.is_some(),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(Issue::new(
        "EXPRESSION_TYPE",
        format!(
            "a field of kind {} can't begin with {}",
            field.kind.name(),
            program.of.name()
        ),
    )
    .into())
}

impl Program {
    /// What it gives, as a value of the field. Checked as a client's value is: what the field
    /// can't have is an issue.
    ///
    /// # Errors
    /// Why the field can't have it.
    pub fn value_for(
        &self,
        field: &Field,
        scope: &dyn Scope,
        context: &CoerceContext,
    ) -> Result<Value, Issues> {
        let parts = self.evaluate(scope);
        let value = match (parts.as_slice(), &field.kind) {
            ([Datum::Null, ..], _) => Value::Null,
            ([Datum::Boolean(boolean)], _) => Value::Boolean(*boolean),
            (
                [Datum::Number(number)],
                Kind::Integer { .. } | Kind::Rating { .. } | Kind::Time | Kind::Duration,
            ) => Value::Integer(*number),
            (
                [Datum::Number(number)],
                Kind::Decimal { scale, .. } | Kind::Percent { scale, .. },
            ) => decimal_at(*number, self.of.scale(), *scale)?,
            ([Datum::Number(number)], Kind::Money { scale, currency }) => {
                money_at(*number, self.of.scale(), *scale, currency.as_deref())?
            }
            ([Datum::Number(number), Datum::Text(currency)], Kind::Money { scale, .. }) => {
                money_at(*number, self.of.scale(), *scale, Some(currency))?
            }
            ([Datum::Text(text)], _) => {
                return coerce(field, &serde_json::Value::from(text.as_str()), context);
            }
            ([Datum::Date(date)], _) => Value::Date(*date),
            ([Datum::Instant(micros)], _) => Value::DateTime(*micros),
            ([Datum::Reference(id)], _) => Value::Reference(*id),
            ([Datum::Choices(choices)], Kind::Tags) => {
                return coerce(field, &serde_json::Value::from(choices.clone()), context);
            }
            ([Datum::Choices(choices)], _) => Value::Choices(choices.clone()),
            _ => Value::Null,
        };
        validate(field, &value).into_result(value)
    }
}

fn decimal_at(units: i64, from: u32, scale: u32) -> Result<Value, Issues> {
    super::rescale(units, from, scale)
        .map(|units| Value::Decimal(Decimal::new(units, scale)))
        .ok_or_else(too_long)
}

fn money_at(units: i64, from: u32, scale: u32, currency: Option<&str>) -> Result<Value, Issues> {
    let amount = super::rescale(units, from, scale).ok_or_else(too_long)?;
    Ok(currency.map_or(Value::Null, |currency| {
        Value::Money(Money {
            amount: Decimal::new(amount, scale),
            currency: currency.to_owned(),
        })
    }))
}

fn too_long() -> Issues {
    Issue::new("NUMBER_TOO_LONG", "the default has more than 18 digits").into()
}
