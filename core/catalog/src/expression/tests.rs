//! What expressions mean, one `check` at a time. That the databases agree is a property of the
//! store's tests.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use rust_decimal::Decimal;

use super::{Datum, Path, PathColumn, Program, Root, Roots, Scope, Type, Variable, check};
use crate::{Catalogue, Money, TakenNames, Value, resolve_text};

const DOCUMENT: &str = r#"
relata: 1
objects:
  - key: company
    plural: companies
    fields:
      - {key: name, kind: text}
      - {key: employees, kind: integer}
      - {key: tier, kind: select, options: [KEY, A, B]}
      - {key: parent, kind: relation, to: company}
  - key: deal
    plural: deals
    fields:
      - {key: name, kind: text}
      - {key: count, kind: integer}
      - {key: rate, kind: decimal, scale: 4}
      - {key: fine, kind: decimal, scale: 9}
      - {key: amount, kind: money}
      - {key: cost, kind: money}
      - {key: won, kind: boolean}
      - {key: starts, kind: date}
      - {key: ends, kind: date}
      - {key: at, kind: dateTime}
      - {key: tags, kind: multiSelect, options: [RED, BLUE]}
      - {key: contact, kind: fullName}
      - {key: company, kind: relation, to: company}
"#;

fn catalogue() -> Catalogue {
    let current = Catalogue::default();
    let (_, catalogue) = resolve_text(
        &current,
        "workspace",
        DOCUMENT,
        &TakenNames::default(),
        &crate::Limits::default(),
    )
    .unwrap();
    catalogue
}

fn program(text: &str) -> Result<Program, String> {
    let catalogue = catalogue();
    let (_, object) = catalogue.object_named("deal").unwrap();
    let roots = Roots {
        old: true,
        request: true,
    };
    check(text, &catalogue, object, "workspace", roots).map_err(|issues| issues.to_string())
}

/// A record with some of its fields filled, and what it points at.
#[derive(Default)]
struct Given(HashMap<String, Value>);

impl Scope for Given {
    fn read(&self, path: &Path) -> Datum {
        let catalogue = catalogue();
        let PathColumn::Field { field, part } = &path.column else {
            return Datum::Null;
        };
        let mut object = catalogue.object_named("deal").unwrap().1;
        let mut name = String::new();
        for relation in &path.through {
            name.push_str(relation.local());
            name.push('.');
            object = catalogue.object_named("company").unwrap().1;
        }
        if path.root == Root::Old {
            name.insert_str(0, "old.");
        }
        name.push_str(field.local());
        let (_, field) = object.field_keyed(field).unwrap();
        self.0
            .get(&name)
            .map_or(Datum::Null, |value| super::datum_of(field, value, *part))
    }

    fn variable(&self, variable: Variable) -> Datum {
        match variable {
            Variable::Now => Datum::Instant(1_795_420_800_000_000),
            Variable::Today => Datum::Date(jiff::civil::date(2026, 11, 23)),
            Variable::User => Datum::Null,
        }
    }
}

fn given() -> Given {
    let money = |amount: &str, currency: &str| {
        Value::Money(Money {
            amount: amount.parse().unwrap(),
            currency: currency.to_owned(),
        })
    };
    Given(
        [
            ("name", Value::Text("Große Läufe ".to_owned())),
            ("count", Value::Integer(7)),
            ("rate", Value::Decimal("2.5000".parse().unwrap())),
            ("fine", Value::Decimal("0.000000003".parse().unwrap())),
            ("amount", money("100.00", "EUR")),
            ("cost", money("30.50", "EUR")),
            ("won", Value::Boolean(true)),
            ("starts", Value::Date(jiff::civil::date(2026, 1, 31))),
            ("at", Value::DateTime(1_795_334_400_000_000)),
            ("tags", Value::Choices(vec!["RED".to_owned()])),
            ("company.name", Value::Text("Acme".to_owned())),
            ("company.employees", Value::Integer(-3)),
            ("old.count", Value::Integer(6)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect(),
    )
}

/// What a text gives for [`given`], as a text; its type is that of the first part.
fn evaluated(text: &str) -> String {
    let program = match program(text) {
        Ok(program) => program,
        Err(issues) => return issues,
    };
    let parts: Vec<String> = program
        .evaluate(&given())
        .into_iter()
        .zip(&program.parts)
        .map(|(datum, node)| match (datum, node.of) {
            (Datum::Null, _) => "null".to_owned(),
            (Datum::Number(units), of) => Decimal::new(units, of.scale()).to_string(),
            (Datum::Text(text), _) => format!("{text:?}"),
            (Datum::Boolean(boolean), _) => boolean.to_string(),
            (Datum::Date(date), _) => date.to_string(),
            (Datum::Instant(micros), _) => crate::format_instant(micros),
            (other, _) => format!("{other:?}"),
        })
        .collect();
    parts.join(" ")
}

#[track_caller]
fn assert_gives(text: &str, expected: &str) {
    assert_eq!(evaluated(text), expected, "{text}");
}

#[test]
fn numbers_are_exact() {
    assert_gives("1 + 2 * 3", "7");
    assert_gives("0.1 + 0.2", "0.3");
    assert_gives("record.rate * 1.5", "3.75000");
    assert_gives("record.fine * 0.5", "0.000000002");
    assert_gives("record.fine * -0.5", "-0.000000002");
    assert_gives("record.count / 2", "3");
    assert_gives("-record.count / 2", "-3");
    assert_gives("record.count % 4", "3");
    assert_gives("decimal(record.count) / 2", "3.500000");
    assert_gives("2 / 3.0", "0.666667");
    assert_gives("-2 / 3.0", "-0.666667");
    assert_gives("math.round(2.5)", "3");
    assert_gives("math.round(-2.345, 2)", "-2.35");
    assert_gives("int(2.9) + int(-2.9)", "0");
    assert_gives("math.greatest(record.count, 7.5, 3)", "7.5");
    assert_gives("math.least(record.count, 9)", "7");
    assert_gives("string(record.rate) + \"%\"", "\"2.5000%\"");
    assert_gives("9007199254740993 - 1", "9007199254740992");
}

#[test]
fn nothing_fails() {
    assert_gives("record.count / 0", "null");
    assert_gives("record.count % 0", "null");
    assert_gives("record.rate / 0.0", "null");
    assert_gives("999999999999999999 + 1", "null");
    assert_gives("999999999999999999 * 999999999999999999", "null");
    assert_gives("record.starts + 99999999", "null");
    assert_gives("record.ends - record.starts", "null");
    assert_gives("record.count / 0 == null", "true");
    assert_gives("record.count / 0 > 1", "null");
}

#[test]
fn empty_is_a_value_of_three() {
    assert_gives("record.ends == null", "true");
    assert_gives("has(record.ends)", "false");
    assert_gives("record.ends > record.starts", "null");
    assert_gives("record.ends > record.starts && false", "false");
    assert_gives("record.ends > record.starts || true", "true");
    assert_gives("record.ends > record.starts || false", "null");
    assert_gives("!(record.ends > record.starts)", "null");
    assert_gives("record.ends > record.starts ? 1 : 2", "null");
    assert_gives("record.ends == record.starts", "false");
    assert_gives("record.contact != \"Ada\"", "true");
    assert_gives("record.company.parent.name == null", "true");
}

#[test]
fn money_stays_in_its_currency() {
    assert_gives("record.amount - record.cost", "69.50 \"EUR\"");
    assert_gives("record.amount * 0.333", "33.30 \"EUR\"");
    assert_gives("record.amount / 3", "33.33 \"EUR\"");
    assert_gives("record.cost / record.amount", "0.305000");
    assert_gives("record.amount > record.cost", "true");
    assert_gives("record.amount.amount >= 100", "true");
    assert_gives("record.amount.currency", "\"EUR\"");
    assert_gives("record.won ? record.amount : null", "100.00 \"EUR\"");
    assert_gives("-record.cost", "-30.50 \"EUR\"");
    assert_gives("record.amount == record.cost", "false");
}

#[test]
fn days_times_and_texts() {
    assert_gives("record.starts + 1", "2026-02-01");
    assert_gives("date(\"2026-03-01\") - record.starts", "29");
    assert_gives("today - record.starts", "296");
    assert_gives("(now - record.at).getHours()", "24");
    assert_gives("record.at + duration(\"1h30m\")", "2026-11-22T09:30:00Z");
    assert_gives(
        "record.starts.getFullYear() * 100 + record.starts.getMonth()",
        "202600",
    );
    assert_gives("record.starts.getDayOfWeek()", "6");
    assert_gives("record.name.size()", "12");
    assert_gives("record.name.trim().endsWith(\"Läufe\")", "true");
    assert_gives("record.name.upperAscii()", "\"GROßE LäUFE \"");
    assert_gives("record.company.name + \"!\"", "\"Acme!\"");
    assert_gives("\"RED\" in record.tags", "true");
    assert_gives("\"BLUE\" in record.tags", "false");
    assert_gives("record.count in [1, 7]", "true");
    assert_gives("record.company.tier in [\"KEY\", \"A\"]", "false");
    assert_gives("record.count > old.count", "true");
}

#[test]
fn mistakes_say_where_and_what_would_be_right() {
    assert_gives(
        "record.amout > 1",
        "at character 7: deal has no field \"amout\". Did you mean \"amount\"?",
    );
    assert_gives(
        "amount > 1",
        "at character 1: write record.amount in the place of amount",
    );
    assert_gives(
        "record.amount > 1",
        "at character 15: money and an integer can't be compared: take the .amount of the money",
    );
    assert_gives(
        "record.company.tier == \"GOLD\"",
        "at character 21: tier has no option \"GOLD\"; expected \"KEY\", \"A\" or \"B\"",
    );
    assert_gives(
        "record.starts > \"2026-01-01\"",
        "at character 15: a date and a text can't be compared: write date(\"2026-01-31\")",
    );
    assert_gives(
        "lenght(record.name)",
        "at character 7: there is no function \"lenght\".",
    );
    for text in [
        "",
        "1 +",
        "record.",
        "(",
        "'",
        "\\",
        "record.count ==",
        "1u + 2u",
        "b'x'",
    ] {
        assert!(program(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_deep_long_or_endless_is_refused() {
    for count in [60, 120, 240, 900] {
        let repeated = |text: &str| text.repeat(count.min(1_900 / text.len()));
        let texts = [
            format!("{}1{}", repeated("("), repeated(")")),
            format!("r\"\\\" + {}1{}", repeated("("), repeated(")")),
            format!("{}1", repeated("-")),
            format!("{}true", repeated("!")),
            format!("{}1{}", repeated("["), repeated("]")),
            format!("{{1: {}1{}}}", repeated("{1:"), repeated("}")),
            format!("1{}", repeated("+1")),
            format!("true{}", repeated("||1")),
            format!(
                "{}1{}",
                "1 ? ".repeat(count.min(255)),
                ":1".repeat(count.min(255))
            ),
            format!("1{}", " ? 1 : 1".repeat(count.min(250))),
            format!("record{}", repeated(".a")),
            format!("f({}1{}", repeated("f("), repeated(")")),
            format!("1{}", repeated("<1")),
            format!("\"{}\"", "x".repeat(3_000)),
        ];
        for text in texts {
            // From a stack as small as a worker's.
            std::thread::Builder::new()
                .stack_size(1 << 20)
                .spawn(move || {
                    let shown: String = text.chars().take(40).collect();
                    let is_refused = program(&text).is_err();
                    assert!(is_refused || count < 900, "{shown}");
                })
                .unwrap()
                .join()
                .unwrap();
        }
    }
    let hops = format!("record.company{}.name", ".parent".repeat(4));
    assert!(program(&hops).is_err());
    assert_eq!(program("record.count").unwrap().of, Type::Integer);
}
