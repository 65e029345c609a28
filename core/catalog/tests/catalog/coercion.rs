//! Every kind with everything that could be sent for it.

use relata_catalog::{
    Address, CoerceContext, Field, FullName, JsonSchema, Key, Kind, Labels, Money, OnDelete, Phone,
    Relation, Value, coerce, coerce_operand, coerce_text, format_instant, options_of,
    parse_instant, to_json, validate,
};
use serde_json::{Value as Json, json};

pub(crate) fn field(kind: Kind) -> Field {
    Field {
        key: Key::new("workspace", "field"),
        name: "field".to_owned(),
        labels: Labels::new(),
        description: Labels::new(),
        kind,
        required: false,
        default: None,
        rules: relata_catalog::FieldRules::default(),
        column: "field".to_owned(),
    }
}

/// One field of each kind.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![
        Kind::Text { max: 10 },
        Kind::LongText { max: 20 },
        Kind::Integer {
            min: Some(-5),
            max: Some(1_000),
        },
        Kind::Integer {
            min: None,
            max: None,
        },
        Kind::Decimal {
            scale: 2,
            min: None,
            max: Some("1000".parse().unwrap()),
        },
        Kind::Decimal {
            scale: 9,
            min: None,
            max: None,
        },
        Kind::Decimal {
            scale: 0,
            min: None,
            max: None,
        },
        Kind::Percent {
            scale: 1,
            min: Some("0".parse().unwrap()),
            max: Some("100".parse().unwrap()),
        },
        Kind::Percent {
            scale: 9,
            min: None,
            max: None,
        },
        Kind::Rating { max: 5 },
        Kind::RichText { max: 20 },
        Kind::Time,
        Kind::Duration,
        Kind::Uuid,
        Kind::Texts,
        Kind::Tags,
        Kind::User,
        Kind::Money {
            scale: 2,
            currency: Some("EUR".to_owned()),
        },
        Kind::Money {
            scale: 4,
            currency: None,
        },
        Kind::Boolean,
        Kind::Date,
        Kind::DateTime,
        Kind::Select {
            options: options_of(&["NEW", "OLD"]),
        },
        Kind::MultiSelect {
            options: options_of(&["NEW", "OLD"]),
        },
        Kind::Email,
        Kind::Phone,
        Kind::Url,
        Kind::Json { schema: None },
        Kind::Json {
            schema: Some(JsonSchema::new(
                json!({"type": "object", "properties": {"n": {"minimum": 1}}}),
            )),
        },
        Kind::FullName,
        Kind::Emails,
        Kind::Phones,
        Kind::Address,
        Kind::GeoPoint,
        Kind::File {
            types: vec!["image/*".to_owned()],
            max_size: Some(1_000),
        },
        Kind::Relation(Relation {
            through: None,
            tree: None,
            target: Key::new("relata", "company"),
            inverse: None,
            on_delete: OnDelete::SetNull,
        }),
        Kind::Autonumber {
            prefix: "INV-".to_owned(),
            digits: 5,
            start: 1,
            gapless: false,
        },
        Kind::Stage,
    ]
}

pub(crate) fn parsed(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

/// The value, or the codes of the issues with their paths.
pub(crate) fn outcome(kind: &Kind, input: &Json) -> Result<Value, String> {
    coerce(&field(kind.clone()), input, &CoerceContext::default()).map_err(|issues| {
        assert!(!issues.is_empty());
        issues
            .0
            .iter()
            .map(|issue| match issue.path_text().as_str() {
                "" => issue.code.clone(),
                path => format!("{path}:{}", issue.code),
            })
            .collect::<Vec<_>>()
            .join(" ")
    })
}

pub(crate) fn refused(kind: Kind, cases: &[(Json, &str)]) {
    for (input, expected) in cases {
        let shown: String = input.to_string().chars().take(80).collect();
        assert_eq!(
            outcome(&kind, input).expect_err(&shown),
            *expected,
            "{} {shown}",
            kind.name()
        );
    }
}

pub(crate) fn taken(kind: Kind, cases: &[(Json, Value)]) {
    for (input, expected) in cases {
        let value = outcome(&kind, input).unwrap_or_else(|issues| panic!("{input}: {issues}"));
        assert_eq!(value, *expected, "{} {input}", kind.name());
        assert!(validate(&field(kind.clone()), &value).is_empty(), "{input}");
    }
}

#[test]
fn null_is_null_for_every_kind() {
    for kind in kinds() {
        assert_eq!(
            outcome(&kind, &Json::Null),
            Ok(Value::Null),
            "{}",
            kind.name()
        );
    }
}

#[test]
fn other_types_are_refused_by_every_kind() {
    for kind in kinds() {
        let (right, name) = match kind.name() {
            "json" => continue,
            "text" | "longText" | "richText" | "select" | "email" | "url" | "date" | "dateTime"
            | "time" | "duration" | "uuid" | "user" | "relation" => ("text", kind.name()),
            "integer" | "rating" => ("number", kind.name()),
            "decimal" | "percent" => ("text or number", kind.name()),
            "boolean" => ("boolean", kind.name()),
            "multiSelect" | "texts" | "tags" => ("list", kind.name()),
            "money" | "address" => ("object", kind.name()),
            "emails" | "phones" => ("text, list, object", kind.name()),
            "fullName" | "phone" => ("text, object", kind.name()),
            "file" => ("object", kind.name()),
            other => ("nothing", other),
        };
        for (type_name, input) in [
            ("text", json!("zzz zzz")),
            ("number", json!(7)),
            ("boolean", json!(true)),
            ("list", json!([[]])),
            ("object", json!({"zzz": 1})),
        ] {
            if right.contains(type_name) && type_name != "object" {
                continue;
            }
            let result = outcome(&kind, &input);
            assert!(result.is_err(), "{name} took {input}: {result:?}");
        }
    }
}

#[test]
fn text() {
    let kind = || Kind::Text { max: 10 };
    taken(
        kind(),
        &[
            (json!("Zażółć"), Value::Text("Zażółć".to_owned())),
            (json!(" a "), Value::Text(" a ".to_owned())),
            (
                json!("平安银行平安银行平安"),
                Value::Text("平安银行平安银行平安".to_owned()),
            ),
        ],
    );
    assert_eq!(outcome(&kind(), &json!("  \u{3000}")), Ok(Value::Null));
    refused(
        kind(),
        &[
            (json!("01234567890"), "TOO_LONG"),
            (json!("a\nb"), "BAD_CHARACTER"),
            (json!("a\0b"), "BAD_CHARACTER"),
            (json!("a\u{7}b and too long"), "BAD_CHARACTER TOO_LONG"),
            (json!("x".repeat(1_000_000)), "TOO_LONG"),
        ],
    );
    let long = || Kind::LongText { max: 20 };
    taken(
        long(),
        &[(json!("a\r\n\tb"), Value::Text("a\r\n\tb".to_owned()))],
    );
    refused(
        long(),
        &[
            (json!("a\0b"), "BAD_CHARACTER"),
            (json!("x".repeat(21)), "TOO_LONG"),
        ],
    );
}

#[test]
fn integers() {
    let any = || Kind::Integer {
        min: None,
        max: None,
    };
    taken(
        any(),
        &[
            (json!(0), Value::Integer(0)),
            (
                json!(9_007_199_254_740_991_i64),
                Value::Integer(9_007_199_254_740_991),
            ),
            (
                json!(-9_007_199_254_740_991_i64),
                Value::Integer(-9_007_199_254_740_991),
            ),
            (parsed("5.0"), Value::Integer(5)),
            (parsed("-5e2"), Value::Integer(-500)),
        ],
    );
    refused(
        any(),
        &[
            (json!(9_007_199_254_740_992_i64), "OUT_OF_RANGE"),
            (json!(i64::MIN), "OUT_OF_RANGE"),
            (json!(u64::MAX), "OUT_OF_RANGE"),
            (parsed(&"9".repeat(400)), "OUT_OF_RANGE"),
            (parsed("1e400"), "OUT_OF_RANGE"),
            (parsed("1e99999999999"), "OUT_OF_RANGE"),
            (parsed("1.5"), "NOT_WHOLE"),
            (parsed("1e-3"), "NOT_WHOLE"),
            (json!("5"), "WRONG_TYPE"),
        ],
    );
    let bounded = || Kind::Integer {
        min: Some(-5),
        max: Some(5),
    };
    refused(
        bounded(),
        &[(json!(6), "OUT_OF_RANGE"), (json!(-6), "OUT_OF_RANGE")],
    );
    taken(
        bounded(),
        &[
            (json!(5), Value::Integer(5)),
            (json!(-5), Value::Integer(-5)),
        ],
    );
}

#[test]
fn decimals() {
    let kind = || Kind::Decimal {
        scale: 2,
        min: None,
        max: None,
    };
    let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
    taken(
        kind(),
        &[
            (json!("12.5"), decimal("12.50")),
            (json!("-0"), decimal("0.00")),
            (json!("+007.1000000"), decimal("7.10")),
            (json!("9999999999999999.99"), decimal("9999999999999999.99")),
            (json!(12), decimal("12.00")),
            (parsed("12.25"), decimal("12.25")),
            (parsed("1.2e1"), decimal("12.00")),
            (parsed("0.00"), decimal("0.00")),
        ],
    );
    refused(
        kind(),
        &[
            (json!("12.345"), "TOO_PRECISE"),
            (json!("10000000000000000"), "TOO_MANY_DIGITS"),
            (json!("9".repeat(400)), "TOO_MANY_DIGITS"),
            (json!(format!("0.{}1", "0".repeat(400))), "TOO_MANY_DIGITS"),
            (
                parsed(&format!("0.{}1", "0".repeat(400))),
                "TOO_MANY_DIGITS",
            ),
            (parsed(&"9".repeat(400)), "TOO_MANY_DIGITS"),
            (parsed("1e400"), "TOO_MANY_DIGITS"),
            (parsed("1e-400"), "TOO_MANY_DIGITS"),
            (parsed("1e-99999999999999999999"), "TOO_MANY_DIGITS"),
            (parsed("1.2345678901234567"), "INEXACT_NUMBER"),
            (json!("NaN"), "NOT_A_NUMBER"),
            (json!("Infinity"), "NOT_A_NUMBER"),
            (json!("-"), "NOT_A_NUMBER"),
            (json!("1."), "NOT_A_NUMBER"),
            (json!(".5"), "NOT_A_NUMBER"),
            (json!("1e5"), "NOT_A_NUMBER"),
            (json!("1,5"), "NOT_A_NUMBER"),
            (json!("--1"), "NOT_A_NUMBER"),
            (json!("１２"), "NOT_A_NUMBER"),
            (json!("0x10"), "NOT_A_NUMBER"),
        ],
    );
    assert_eq!(outcome(&kind(), &json!(" ")), Ok(Value::Null));
    assert_eq!(to_json(&kind(), &decimal("12.5")), json!("12.50"));
}

#[test]
fn money() {
    let euro = || Kind::Money {
        scale: 2,
        currency: Some("EUR".to_owned()),
    };
    let money = |amount: &str, currency: &str| {
        Value::Money(Money {
            amount: amount.parse().unwrap(),
            currency: currency.to_owned(),
        })
    };
    taken(
        euro(),
        &[
            (json!({"amount": "12.5"}), money("12.50", "EUR")),
            (
                json!({"amount": 7, "currency": "cny"}),
                money("7.00", "CNY"),
            ),
        ],
    );
    refused(
        euro(),
        &[
            (json!("12.50"), "WRONG_TYPE"),
            (json!({"currency": "EUR"}), "amount:MISSING"),
            (
                json!({"amount": "x", "currency": "EURO", "vat": 1}),
                "amount:NOT_A_NUMBER currency:BAD_CURRENCY vat:UNKNOWN_KEY",
            ),
            (json!({"amount": "1.005"}), "amount:TOO_PRECISE"),
            (
                json!({"amount": true, "currency": 5}),
                "amount:WRONG_TYPE currency:WRONG_TYPE",
            ),
        ],
    );
    let none = Kind::Money {
        scale: 2,
        currency: None,
    };
    refused(
        none.clone(),
        &[(json!({"amount": "1"}), "currency:MISSING")],
    );
    let context = CoerceContext {
        currency: Some("JPY".to_owned()),
        ..CoerceContext::default()
    };
    assert_eq!(
        coerce(&field(none), &json!({"amount": "1"}), &context),
        Ok(money("1.00", "JPY"))
    );
}

#[test]
fn days_and_instants() {
    let date = |text: &str| Value::Date(text.parse().unwrap());
    taken(
        Kind::Date,
        &[
            (json!("2024-02-29"), date("2024-02-29")),
            (json!("0001-01-01"), date("0001-01-01")),
            (json!("9999-12-31"), date("9999-12-31")),
        ],
    );
    for bad in [
        "2023-02-29",
        "10000-01-01",
        "0000-01-01",
        "-001-01-01",
        "2024-2-9",
        "20240229",
        "2024-02-29T00:00:00Z",
        "29.02.2024",
        "2024-13-01",
        "２０２４-02-29",
        "2024-02-29 ",
        "today",
    ] {
        let expected = if bad.ends_with(' ') {
            Ok(date("2024-02-29"))
        } else {
            Err("BAD_DATE".to_owned())
        };
        assert_eq!(outcome(&Kind::Date, &json!(bad)), expected, "{bad}");
    }
    for (text, micros) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01t00:00:00.0000019z", 1),
        ("1969-12-31 23:59:59.5Z", -500_000),
        ("1990-12-31T23:59:60Z", 662_687_999_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ] {
        taken(Kind::DateTime, &[(json!(text), Value::DateTime(micros))]);
        assert_eq!(
            parse_instant(&format_instant(micros)),
            Some(micros),
            "{text}"
        );
    }
    refused(
        Kind::DateTime,
        &[
            (json!("2026-11-22"), "BAD_DATE_TIME"),
            (json!("2026-11-22T08:00:00"), "NO_OFFSET"),
            (json!("2026-11-22T08:00Z"), "BAD_DATE_TIME"),
            (json!("2026-11-22T25:00:00Z"), "BAD_DATE_TIME"),
            (json!("2026-11-22T08:00:00.Z"), "BAD_DATE_TIME"),
            (json!("2026-11-22T08:00:00+99:00"), "BAD_DATE_TIME"),
            (json!("2026-11-22T08:00:00[Europe/Berlin]"), "BAD_DATE_TIME"),
            (json!("10000-01-01T00:00:00Z"), "BAD_DATE_TIME"),
            (json!("9999-12-31T23:59:59-01:00"), "OUT_OF_RANGE"),
            (json!("0001-01-01T00:00:00+01:00"), "OUT_OF_RANGE"),
            (json!("é2026-11-22T08:00:00Z"), "BAD_DATE_TIME"),
            (json!(1_700_000_000), "WRONG_TYPE"),
        ],
    );
    let context = CoerceContext {
        zone: Some(relata_zone()),
        ..CoerceContext::default()
    };
    assert_eq!(
        coerce(
            &field(Kind::DateTime),
            &json!("1970-01-01T01:00:00"),
            &context
        ),
        Ok(Value::DateTime(0))
    );
    assert_eq!(format_instant(0), "1970-01-01T00:00:00Z");
    assert_eq!(format_instant(250_000), "1970-01-01T00:00:00.25Z");
    assert_eq!(format_instant(-1), "1969-12-31T23:59:59.999999Z");
    for edge in [i64::MIN, i64::MAX] {
        let _ = format_instant(edge);
        assert!(!validate(&field(Kind::DateTime), &Value::DateTime(edge)).is_empty());
    }
}

fn relata_zone() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::fixed(jiff::tz::offset(1))
}

#[test]
fn options() {
    let select = || Kind::Select {
        options: options_of(&["NEW", "OLD"]),
    };
    taken(select(), &[(json!("NEW"), Value::Text("NEW".to_owned()))]);
    refused(
        select(),
        &[
            (json!("new"), "UNKNOWN_OPTION"),
            (json!("NEWW"), "UNKNOWN_OPTION"),
            (json!("x".repeat(100_000)), "UNKNOWN_OPTION"),
        ],
    );
    let many = || Kind::MultiSelect {
        options: options_of(&["NEW", "OLD"]),
    };
    taken(
        many(),
        &[(
            json!(["OLD", "NEW", "OLD"]),
            Value::Choices(vec!["OLD".to_owned(), "NEW".to_owned()]),
        )],
    );
    assert_eq!(outcome(&many(), &json!([])), Ok(Value::Null));
    refused(
        many(),
        &[
            (
                json!(["NEW", "MID", 5]),
                "[1]:UNKNOWN_OPTION [2]:WRONG_TYPE",
            ),
            (json!(["NEW", "NEW", "NEW", "NEW", "NEW"]), "TOO_MANY"),
            (json!("NEW"), "WRONG_TYPE"),
        ],
    );
}

#[test]
fn documents_and_references() {
    let free = || Kind::Json { schema: None };
    for good in [
        json!(true),
        json!("x"),
        json!([1, {"a": null}]),
        parsed(&format!("[{}]", "9".repeat(400))),
    ] {
        assert_eq!(outcome(&free(), &good), Ok(Value::Json(good.clone())));
    }
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    refused(
        free(),
        &[
            (deep, "LIMIT_EXCEEDED"),
            (json!("x".repeat(300_000)), "TOO_LONG"),
        ],
    );
    let strict = || Kind::Json {
        schema: Some(JsonSchema::new(json!({
            "type": "object",
            "properties": {"n": {"minimum": 1}, "tags": {"items": {"type": "string"}}}
        }))),
    };
    refused(
        strict(),
        &[
            (json!({"n": 0, "tags": ["a", 5]}), "n:SCHEMA tags[1]:SCHEMA"),
            (json!([]), "SCHEMA"),
        ],
    );
    let relation = || {
        kinds()
            .into_iter()
            .find(|kind| matches!(kind, Kind::Relation(_)))
            .unwrap()
    };
    let id = "0190b5a1-7c3e-7000-8000-000000000000";
    taken(
        relation(),
        &[(json!(id), Value::Reference(id.parse().unwrap()))],
    );
    refused(
        relation(),
        &[
            (json!("0190b5a17c3e70008000000000000000"), "BAD_ID"),
            (json!(format!("{{{id}}}")), "BAD_ID"),
            (json!("company"), "BAD_ID"),
            (json!({"connect": {"id": id}}), "WRONG_TYPE"),
        ],
    );
}

#[test]
fn numbers_that_the_platform_gives() {
    let kind = kinds()
        .into_iter()
        .find(|kind| matches!(kind, Kind::Autonumber { .. }))
        .unwrap();
    refused(kind.clone(), &[(json!(5), "READ_ONLY")]);
    let operand =
        |input: Json| coerce_operand(&field(kind.clone()), &input, &CoerceContext::default());
    assert_eq!(operand(json!("INV-00012")), Ok(Value::Integer(12)));
    assert_eq!(operand(json!("12")), Ok(Value::Integer(12)));
    assert_eq!(operand(json!(12)), Ok(Value::Integer(12)));
    assert!(operand(json!("INV-x")).is_err());
    assert!(operand(json!([])).is_err());
    assert_eq!(to_json(&kind, &Value::Integer(12)), json!("INV-00012"));
    assert_eq!(
        to_json(&kind, &Value::Integer(1_234_567)),
        json!("INV-1234567")
    );
}

#[test]
fn cells_of_a_table() {
    let cell = |kind: Kind, text: &str| coerce_text(&field(kind), text, &CoerceContext::default());
    for kind in kinds() {
        assert_eq!(cell(kind, "  "), Ok(Value::Null));
    }
    let integer = || Kind::Integer {
        min: None,
        max: None,
    };
    assert_eq!(cell(integer(), " 42 "), Ok(Value::Integer(42)));
    assert!(cell(integer(), "42 pieces").is_err());
    assert_eq!(cell(Kind::Boolean, "Yes"), Ok(Value::Boolean(true)));
    assert!(cell(Kind::Boolean, "maybe").is_err());
    assert_eq!(
        cell(Kind::Date, "1962-02-18T00:00:00Z"),
        Ok(Value::Date("1962-02-18".parse().unwrap()))
    );
    assert!(cell(Kind::Date, "1962-02-18T10:00:00Z").is_err());
    let money = || Kind::Money {
        scale: 2,
        currency: None,
    };
    for text in ["12.50 EUR", "EUR 12.50"] {
        assert_eq!(
            cell(money(), text),
            Ok(Value::Money(Money {
                amount: "12.50".parse().unwrap(),
                currency: "EUR".to_owned()
            }))
        );
    }
    let select = || {
        let mut options = options_of(&["IN_PROGRESS", "DONE"]);
        options[0]
            .labels
            .insert("zh-CN".to_owned(), "进行中".to_owned());
        options[1]
            .labels
            .insert("en".to_owned(), "Done!".to_owned());
        Kind::Select { options }
    };
    assert_eq!(
        cell(select(), "进行中"),
        Ok(Value::Text("IN_PROGRESS".to_owned()))
    );
    assert_eq!(cell(select(), "done!"), Ok(Value::Text("DONE".to_owned())));
    assert!(cell(select(), "later").is_err());
    assert!(matches!(
        cell(Kind::Emails, "a@b.de; c@d.de"),
        Ok(Value::Emails(_))
    ));
    assert!(matches!(
        cell(Kind::Json { schema: None }, "{\"a\": 1}"),
        Ok(Value::Json(_))
    ));
    assert!(cell(Kind::Json { schema: None }, "\"\\ud800\"").is_err());
    assert!(matches!(
        cell(Kind::Address, "Main Street 1"),
        Ok(Value::Address(_))
    ));
}

#[test]
fn values_from_elsewhere_are_checked() {
    let bad = [
        (Kind::Text { max: 3 }, Value::Text("four".to_owned())),
        (Kind::Text { max: 3 }, Value::Text(" ".to_owned())),
        (Kind::Text { max: 3 }, Value::Integer(5)),
        (Kind::Boolean, Value::Text("true".to_owned())),
        (Kind::Date, Value::Text("2026-11-22".to_owned())),
        (
            Kind::Date,
            Value::Date(
                "-0001-01-01"
                    .parse::<jiff::civil::Date>()
                    .unwrap_or(jiff::civil::Date::MIN),
            ),
        ),
        (Kind::Email, Value::Text("x".to_owned())),
        (
            Kind::Integer {
                min: None,
                max: Some(5),
            },
            Value::Integer(6),
        ),
        (
            Kind::Integer {
                min: None,
                max: None,
            },
            Value::Integer(i64::MAX),
        ),
        (
            Kind::Decimal {
                scale: 2,
                min: None,
                max: None,
            },
            Value::Decimal("1.001".parse().unwrap()),
        ),
        (
            Kind::Decimal {
                scale: 2,
                min: None,
                max: None,
            },
            Value::Decimal(rust_decimal::Decimal::MAX),
        ),
        (
            Kind::Percent {
                scale: 1,
                min: None,
                max: None,
            },
            Value::Decimal("1.05".parse().unwrap()),
        ),
        (Kind::Rating { max: 5 }, Value::Integer(0)),
        (Kind::Time, Value::Integer(-1)),
        (Kind::Time, Value::Integer(86_400_000_000)),
        (Kind::Duration, Value::Integer(9_007_199_254_740_992)),
        (Kind::Duration, Value::Integer(i64::MIN)),
        (Kind::Uuid, Value::Text("a".to_owned())),
        (Kind::Rating { max: 5 }, Value::Integer(6)),
        (
            Kind::RichText { max: 20 },
            Value::Text("a\u{1b}b".to_owned()),
        ),
        (
            Kind::Money {
                scale: 2,
                currency: None,
            },
            Value::Money(Money {
                amount: "1".parse().unwrap(),
                currency: "XXX".to_owned(),
            }),
        ),
        (
            Kind::Select {
                options: options_of(&["A"]),
            },
            Value::Text("B".to_owned()),
        ),
        (
            Kind::MultiSelect {
                options: options_of(&["A"]),
            },
            Value::Choices(vec![]),
        ),
        (
            Kind::Phone,
            Value::Phone(Phone {
                typed: "x".to_owned(),
                e164: None,
            }),
        ),
        (Kind::FullName, Value::FullName(FullName::default())),
        (Kind::Address, Value::Address(Address::default())),
        (Kind::Stage, Value::Text("new".to_owned())),
        (
            Kind::Json {
                schema: Some(JsonSchema::new(json!({"type": "object"}))),
            },
            Value::Json(json!(5)),
        ),
    ];
    for (kind, value) in bad {
        assert!(
            !validate(&field(kind.clone()), &value).is_empty(),
            "{kind:?} {value:?}"
        );
    }
    for kind in kinds() {
        assert!(validate(&field(kind), &Value::Null).is_empty());
    }
}
