//! What a program gives in memory.

use std::cmp::Ordering;

use jiff::Span;
use jiff::civil::Date;
use uuid::Uuid;

use super::number::{self, units_of};
use super::program::{Function, Node, Op, Path, Program, Root, SystemField, Type, Variable};
use crate::{DEGREE_SCALE, Field, Kind, Value};

/// One value of an expression.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Datum {
    /// Nothing there.
    #[default]
    Null,
    /// True or false.
    Boolean(bool),
    /// A number in units of its type's scale; a length of time in microseconds.
    Number(i64),
    /// Text.
    Text(String),
    /// Day.
    Date(Date),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Instant(i64),
    /// Id.
    Reference(Uuid),
    /// Texts.
    Choices(Vec<String>),
}

impl Datum {
    fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is true: neither false nor empty.
    #[must_use]
    pub fn is_true(&self) -> bool {
        matches!(self, Self::Boolean(true))
    }

    /// Whether it is false: neither true nor empty.
    #[must_use]
    pub fn is_false(&self) -> bool {
        matches!(self, Self::Boolean(false))
    }
}

impl From<Option<i64>> for Datum {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Number)
    }
}

/// Where a program finds what it reads. Whoever evaluates has loaded it before: reading does no
/// I/O.
pub trait Scope {
    /// What stands in a column.
    fn read(&self, path: &Path) -> Datum;
    /// What comes with the request.
    fn variable(&self, variable: Variable) -> Datum;
}

/// What stands in a column of a field that has this value, by position in
/// [`Field::columns`].
#[must_use]
pub fn datum_of(field: &Field, value: &Value, part: usize) -> Datum {
    let text = |text: &Option<String>| text.clone().map_or(Datum::Null, Datum::Text);
    match (value, part) {
        (Value::Boolean(boolean), _) => Datum::Boolean(*boolean),
        (Value::Integer(number), _) => Datum::Number(*number),
        (Value::Decimal(decimal), _) => match *field.shown() {
            Kind::Decimal { scale, .. } | Kind::Percent { scale, .. } => {
                units_of(*decimal, scale).into()
            }
            _ => Datum::Null,
        },
        (Value::Text(text), _) => Datum::Text(text.clone()),
        (Value::Money(money), 0) => match *field.shown() {
            Kind::Money { scale, .. } => units_of(money.amount, scale).into(),
            _ => Datum::Null,
        },
        (Value::Money(money), _) => Datum::Text(money.currency.clone()),
        (Value::Date(date), _) => Datum::Date(*date),
        (Value::DateTime(micros), _) => Datum::Instant(*micros),
        (Value::Choices(choices), _) if choices.is_empty() => Datum::Null,
        (Value::Choices(choices), _) => Datum::Choices(choices.clone()),
        (Value::FullName(name), 0) => Datum::Text(name.full.clone()),
        (Value::FullName(name), 2) => text(&name.given),
        (Value::FullName(name), 3) => text(&name.family),
        (Value::Emails(emails), 0) => Datum::Text(emails.primary.clone()),
        (Value::Phone(phone), 0) => text(&phone.e164),
        (Value::Phone(phone), 1) => Datum::Text(phone.typed.clone()),
        (Value::Phones(phones), 0) => text(&phones.primary.e164),
        (Value::Phones(phones), 1) => Datum::Text(phones.primary.typed.clone()),
        (Value::Address(address), part) => match part {
            0 => text(&address.street),
            1 => text(&address.city),
            3 => text(&address.region),
            4 => text(&address.postal_code),
            5 => text(&address.country),
            _ => Datum::Null,
        },
        (Value::GeoPoint(point), 0) => units_of(point.latitude, DEGREE_SCALE).into(),
        (Value::GeoPoint(point), 1) => units_of(point.longitude, DEGREE_SCALE).into(),
        (Value::File(file), part) => match part {
            0 => Datum::Reference(file.id),
            1 => Datum::Text(file.name.clone()),
            3 => Datum::Text(file.content_type.clone()),
            4 => Datum::Number(file.size),
            5 => Datum::Text(file.sha256.clone()),
            _ => Datum::Null,
        },
        (Value::Reference(id), _) => Datum::Reference(*id),
        (Value::Stage(stage), 0) => Datum::Text(stage.pipeline.to_string()),
        (Value::Stage(stage), 1) => Datum::Text(stage.stage.clone()),
        (Value::Stage(stage), _) => Datum::Instant(stage.entered_at),
        _ => Datum::Null,
    }
}

impl Program {
    /// The value; of money the amount and then the currency.
    #[must_use]
    pub fn evaluate(&self, scope: &dyn Scope) -> Vec<Datum> {
        self.parts.iter().map(|part| part.evaluate(scope)).collect()
    }

    /// Of a program with one part.
    #[must_use]
    pub fn evaluate_one(&self, scope: &dyn Scope) -> Datum {
        self.parts
            .first()
            .map_or(Datum::Null, |part| part.evaluate(scope))
    }
}

impl Node {
    /// What it gives.
    pub(super) fn evaluate(&self, scope: &dyn Scope) -> Datum {
        match &self.op {
            Op::Literal(datum) => datum.clone(),
            Op::Read(path) => scope.read(path),
            Op::Variable(variable) => scope.variable(*variable),
            Op::Not(part) => match part.evaluate(scope) {
                Datum::Boolean(boolean) => Datum::Boolean(!boolean),
                _ => Datum::Null,
            },
            Op::And(parts) => joined(parts, scope, false),
            Op::Or(parts) => joined(parts, scope, true),
            Op::Same(left, right) => {
                let (first, second) = (left.evaluate(scope), right.evaluate(scope));
                Datum::Boolean(match (&first, &second) {
                    (Datum::Number(first), Datum::Number(second)) => {
                        number::compare(*first, left.of.scale(), *second, right.of.scale())
                            == Ordering::Equal
                    }
                    _ => first == second,
                })
            }
            Op::Less(left, right, or_equal) => {
                let first = left.evaluate(scope);
                let second = right.evaluate(scope);
                ordered(left.of, &first, right.of, &second).map_or(Datum::Null, |ordering| {
                    Datum::Boolean(
                        ordering == Ordering::Less || (*or_equal && ordering == Ordering::Equal),
                    )
                })
            }
            Op::If(condition, then, otherwise) => match condition.evaluate(scope) {
                Datum::Boolean(true) => then.evaluate(scope),
                Datum::Boolean(false) => otherwise.evaluate(scope),
                _ => Datum::Null,
            },
            Op::Call(function, arguments) => {
                let values: Vec<Datum> = arguments
                    .iter()
                    .map(|argument| argument.evaluate(scope))
                    .collect();
                if values.iter().any(Datum::is_null) {
                    return Datum::Null;
                }
                let types: Vec<Type> = arguments.iter().map(|argument| argument.of).collect();
                call(*function, self.of, &types, &values)
            }
        }
    }
}

/// `deciding` is the value that decides whatever the others are.
fn joined(parts: &[Node], scope: &dyn Scope, deciding: bool) -> Datum {
    let mut is_known = true;
    for part in parts {
        match part.evaluate(scope) {
            Datum::Boolean(boolean) if boolean == deciding => return Datum::Boolean(deciding),
            Datum::Boolean(_) => {}
            _ => is_known = false,
        }
    }
    if is_known {
        Datum::Boolean(!deciding)
    } else {
        Datum::Null
    }
}

fn ordered(left_type: Type, left: &Datum, right_type: Type, right: &Datum) -> Option<Ordering> {
    match (left, right) {
        (Datum::Number(left), Datum::Number(right)) => Some(number::compare(
            *left,
            left_type.scale(),
            *right,
            right_type.scale(),
        )),
        // By code points, as the databases do: UTF-8 keeps their order.
        (Datum::Text(left), Datum::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (Datum::Date(left), Datum::Date(right)) => Some(left.cmp(right)),
        (Datum::Instant(left), Datum::Instant(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// A function of arguments that are all there.
fn call(function: Function, of: Type, types: &[Type], values: &[Datum]) -> Datum {
    let scale = |position: usize| types.get(position).map_or(0, |each| each.scale());
    let text = |position: usize| match values.get(position) {
        Some(Datum::Text(text)) => text.as_str(),
        _ => "",
    };
    if let [Datum::Number(left), Datum::Number(right)] = values {
        let (left, right) = (*left, *right);
        let answer = match function {
            Function::Add => number::add(left, scale(0), right, scale(1)),
            Function::Subtract => number::add(left, scale(0), -right, scale(1)),
            Function::Multiply => number::multiply(left, right, scale(0) + scale(1), of.scale()),
            Function::Divide => number::divide(left, scale(0), right, scale(1), of.scale()),
            Function::Quotient => number::quotient(left, right),
            Function::Remainder => number::remainder(left, right),
            Function::Greatest | Function::Least => {
                let keeps_left = (number::compare(left, scale(0), right, scale(1))
                    == Ordering::Less)
                    == (function == Function::Least);
                if keeps_left {
                    number::rescale(left, scale(0), of.scale())
                } else {
                    number::rescale(right, scale(1), of.scale())
                }
            }
            _ => None,
        };
        return answer.into();
    }
    match (function, values) {
        (Function::Round, [Datum::Number(number)]) => {
            number::rescale(*number, scale(0), of.scale()).into()
        }
        (Function::Truncate, [Datum::Number(number)]) => number::truncate(*number, scale(0)).into(),
        (Function::Safe, [Datum::Number(number)]) => number::safe(*number).into(),
        (Function::Text, [Datum::Number(number)]) => {
            Datum::Text(number::text_of(*number, scale(0)))
        }
        (Function::Text, [Datum::Date(date)]) => Datum::Text(date.to_string()),
        (Function::Concat, _) => Datum::Text(format!("{}{}", text(0), text(1))),
        (Function::TextSize, _) => whole(text(0).chars().count()),
        (Function::ListSize, [Datum::Choices(choices)]) => whole(choices.len()),
        (Function::Contains, _) => Datum::Boolean(text(0).contains(text(1))),
        (Function::StartsWith, _) => Datum::Boolean(text(0).starts_with(text(1))),
        (Function::EndsWith, _) => Datum::Boolean(text(0).ends_with(text(1))),
        (Function::Has, [Datum::Choices(choices), Datum::Text(choice)]) => {
            Datum::Boolean(choices.contains(choice))
        }
        (Function::LowerAscii, _) => Datum::Text(text(0).to_ascii_lowercase()),
        (Function::UpperAscii, _) => Datum::Text(text(0).to_ascii_uppercase()),
        (Function::Trim, _) => {
            Datum::Text(text(0).trim_matches([' ', '\t', '\n', '\r']).to_owned())
        }
        (Function::DaysBetween, [Datum::Date(later), Datum::Date(earlier)]) => {
            days_between(*later, *earlier).into()
        }
        (Function::AddDays, [Datum::Date(date), Datum::Number(days)]) => {
            add_days(*date, *days).map_or(Datum::Null, Datum::Date)
        }
        (Function::TimeBetween, [Datum::Instant(later), Datum::Instant(earlier)]) => {
            later.checked_sub(*earlier).into()
        }
        (Function::AddTime, [Datum::Instant(instant), Datum::Number(time)]) => {
            add_time(*instant, *time).map_or(Datum::Null, Datum::Instant)
        }
        (Function::Calendar(part), [Datum::Date(date)]) => Datum::Number(part.of(*date, 0)),
        (Function::Calendar(part), [Datum::Instant(micros)]) => utc_of(*micros)
            .map_or(Datum::Null, |(date, hour)| {
                Datum::Number(part.of(date, hour))
            }),
        (Function::DateOf, [Datum::Instant(micros)]) => {
            utc_of(*micros).map_or(Datum::Null, |(date, _)| Datum::Date(date))
        }
        _ => Datum::Null,
    }
}

fn whole(count: usize) -> Datum {
    i64::try_from(count).ok().into()
}

/// First and last instants that a record can hold: the years 1 to 9999.
pub const INSTANTS: std::ops::RangeInclusive<i64> =
    -62_135_596_800_000_000..=253_402_300_799_999_999;

/// An instant some microseconds later, within [`INSTANTS`].
#[must_use]
pub fn add_time(instant: i64, micros: i64) -> Option<i64> {
    instant
        .checked_add(micros)
        .filter(|instant| INSTANTS.contains(instant))
}

/// Day and hour of an instant in UTC. By hand: jiff's instants end before those of a record.
#[must_use]
pub fn utc_of(micros: i64) -> Option<(Date, i64)> {
    const HOUR_MICROS: i64 = 3_600_000_000;
    let days = micros.div_euclid(24 * HOUR_MICROS);
    let hour = micros.rem_euclid(24 * HOUR_MICROS) / HOUR_MICROS;
    Some((add_days(jiff::civil::date(1970, 1, 1), days)?, hour))
}

/// Days from one day to a later one.
#[must_use]
pub fn days_between(later: Date, earlier: Date) -> Option<i64> {
    let span = later.since((jiff::Unit::Day, earlier)).ok()?;
    Some(i64::from(span.get_days()))
}

/// A day some days later, within the years 1 to 9999.
#[must_use]
pub fn add_days(date: Date, days: i64) -> Option<Date> {
    let span = Span::new().try_days(days).ok()?;
    date.checked_add(span)
        .ok()
        .filter(|date| (1..=9999).contains(&date.year()))
}

impl SystemField {
    /// By the name that a record's API gives it.
    pub(super) fn named(name: &str) -> Option<(Self, Type)> {
        Some(match name {
            "id" => (Self::Id, Type::Reference),
            "version" => (Self::Version, Type::Integer),
            "createdAt" => (Self::CreatedAt, Type::Instant),
            "updatedAt" => (Self::UpdatedAt, Type::Instant),
            "owner" => (Self::Owner, Type::Reference),
            _ => return None,
        })
    }
}

impl Root {
    /// By the name that stands in front of a path.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "record" => Some(Self::Record),
            "old" => Some(Self::Old),
            _ => None,
        }
    }
}
