//! Percents, ratings, times of day, lengths of time, UUIDs, lists of texts and Markdown.

use relata_catalog::{CoerceContext, Kind, Value, coerce_text, to_json};
use serde_json::json;

use crate::coercion::{field, outcome, parsed, refused, taken};

#[test]
fn percents() {
    let kind = || Kind::Percent {
        scale: 1,
        min: Some("0".parse().unwrap()),
        max: Some("100".parse().unwrap()),
    };
    let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
    taken(
        kind(),
        &[
            (json!("12.5"), decimal("12.5")),
            (json!(0), decimal("0")),
            (json!("100.0"), decimal("100")),
        ],
    );
    assert_eq!(outcome(&kind(), &json!(" ")), Ok(Value::Null));
    assert_eq!(to_json(&kind(), &decimal("7")), json!("7.0"));
    refused(
        kind(),
        &[
            (json!("100.1"), "OUT_OF_RANGE"),
            (json!("-0.1"), "OUT_OF_RANGE"),
            (json!("12.55"), "TOO_PRECISE"),
            // Only in a table of text: the API has one way to write a number.
            (json!("12.5%"), "NOT_A_NUMBER"),
        ],
    );
    let cell = |text: &str| coerce_text(&field(kind()), text, &CoerceContext::default());
    for text in ["12.5", "12.5%", " 12.5 % ", "12.5％"] {
        assert_eq!(cell(text), Ok(decimal("12.5")), "{text}");
    }
    for text in ["%", "% 12.5", "12.5 % %"] {
        assert!(cell(text).is_err(), "{text}");
    }
}

#[test]
fn ratings() {
    let kind = || Kind::Rating { max: 5 };
    taken(
        kind(),
        &[
            (json!(1), Value::Integer(1)),
            (parsed("5.0"), Value::Integer(5)),
        ],
    );
    refused(
        kind(),
        &[
            (json!(0), "OUT_OF_RANGE"),
            (json!(6), "OUT_OF_RANGE"),
            (json!(-1), "OUT_OF_RANGE"),
            (parsed("2.5"), "NOT_WHOLE"),
            (json!("5"), "WRONG_TYPE"),
        ],
    );
    let cell = |text: &str| coerce_text(&field(kind()), text, &CoerceContext::default());
    assert_eq!(cell(" 4 "), Ok(Value::Integer(4)));
    assert!(cell("6").is_err());
    assert!(cell("****").is_err());
}

#[test]
fn times_of_day() {
    let kind = || Kind::Time;
    taken(
        kind(),
        &[
            (json!("00:00:00"), Value::Integer(0)),
            (json!(" 08:30:00 "), Value::Integer(30_600_000_000)),
            (json!("08:30:00.25"), Value::Integer(30_600_250_000)),
            (json!("23:59:59.999999"), Value::Integer(86_399_999_999)),
        ],
    );
    assert_eq!(outcome(&kind(), &json!(" ")), Ok(Value::Null));
    for (micros, text) in [
        (0, "00:00:00"),
        (1, "00:00:00.000001"),
        (30_600_250_000, "08:30:00.25"),
        (86_399_999_999, "23:59:59.999999"),
    ] {
        assert_eq!(to_json(&kind(), &Value::Integer(micros)), json!(text));
    }
    for bad in [
        "24:00:00",
        "08:60:00",
        "23:59:60",
        "08:30",
        "8:30:00",
        "08:30:00.",
        "08:30:00.1234567",
        "08:30:00Z",
        "08:30:00+01:00",
        "T08:30:00",
        "-8:30:00",
        "０8:30:00",
    ] {
        refused(kind(), &[(json!(bad), "BAD_TIME")]);
    }
    let cell = |text: &str| coerce_text(&field(kind()), text, &CoerceContext::default());
    assert_eq!(cell(" 08:30 "), Ok(Value::Integer(30_600_000_000)));
    assert_eq!(cell("08:30:00"), Ok(Value::Integer(30_600_000_000)));
    assert!(cell("8.30h").is_err());
}

#[test]
fn lengths_of_time() {
    let kind = || Kind::Duration;
    let longest = 9_007_199_254_740_991;
    taken(
        kind(),
        &[
            (json!("PT0S"), Value::Integer(0)),
            (json!("-PT0S"), Value::Integer(0)),
            (json!("PT1H30M"), Value::Integer(5_400_000_000)),
            (json!("PT90M"), Value::Integer(5_400_000_000)),
            (json!("-PT0.000001S"), Value::Integer(-1)),
            (json!("PT2501999H47M34.740991S"), Value::Integer(longest)),
        ],
    );
    assert_eq!(outcome(&kind(), &json!("")), Ok(Value::Null));
    for (micros, text) in [
        (0, "PT0S"),
        (-1, "-PT0.000001S"),
        (5_400_000_000, "PT1H30M"),
        (3_600_500_000, "PT1H0.5S"),
        (129_600_000_000, "PT36H"),
        (longest, "PT2501999H47M34.740991S"),
        (-longest, "-PT2501999H47M34.740991S"),
    ] {
        assert_eq!(to_json(&kind(), &Value::Integer(micros)), json!(text));
    }
    refused(
        kind(),
        &[
            (json!("PT2501999H47M34.740992S"), "OUT_OF_RANGE"),
            (json!("-PT9999999H"), "OUT_OF_RANGE"),
            (json!("PT0.0000001S"), "TOO_PRECISE"),
            (json!("P1D"), "BAD_DURATION"),
            (json!("P1M"), "BAD_DURATION"),
            (json!("1h 30m"), "BAD_DURATION"),
            (json!("01:30:00"), "BAD_DURATION"),
            (json!("PT"), "BAD_DURATION"),
            (json!(format!("PT{}S", "9".repeat(1_000))), "BAD_DURATION"),
        ],
    );
}

#[test]
fn uuids() {
    let id = uuid::Uuid::from_u128(0x0190_b5a1_7c3e_7000_8000_0000_0000_00ff);
    taken(
        Kind::Uuid,
        &[
            (
                json!(" 0190b5a1-7c3e-7000-8000-0000000000ff "),
                Value::Reference(id),
            ),
            (
                json!("0190B5A1-7C3E-7000-8000-0000000000FF"),
                Value::Reference(id),
            ),
        ],
    );
    assert_eq!(
        to_json(&Kind::Uuid, &Value::Reference(id)),
        json!("0190b5a1-7c3e-7000-8000-0000000000ff")
    );
    refused(
        Kind::Uuid,
        &[
            (json!("0190b5a17c3e7000800000000000000ff"), "BAD_UUID"),
            (json!("0190b5a17c3e700080000000000000ff"), "BAD_UUID"),
            (json!("{0190b5a1-7c3e-7000-8000-0000000000ff}"), "BAD_UUID"),
        ],
    );
}

#[test]
fn texts_and_tags() {
    let texts = |texts: &[&str]| Value::Choices(texts.iter().map(|&text| text.into()).collect());
    taken(
        Kind::Texts,
        &[
            (
                json!(["b", " a ", "b", "B"]),
                texts(&["b", " a ", "b", "B"]),
            ),
            (json!(["", "x", "  "]), texts(&["x"])),
        ],
    );
    taken(
        Kind::Tags,
        &[
            (
                json!(["VIP", " vip ", "Ärger", "arger", "b"]),
                texts(&["VIP", "Ärger", "b"]),
            ),
            (json!([" x "]), texts(&["x"])),
        ],
    );
    for kind in [Kind::Texts, Kind::Tags] {
        assert_eq!(outcome(&kind, &json!([])), Ok(Value::Null));
        assert_eq!(outcome(&kind, &json!(["", " "])), Ok(Value::Null));
        let longest = vec!["x".repeat(255); 100];
        assert!(outcome(&kind, &json!(longest)).is_ok());
        refused(
            kind.clone(),
            &[
                (json!(vec!["x"; 101]), "TOO_MANY"),
                (
                    json!(["a", "x".repeat(256), 5, "a\nb"]),
                    "[1]:TOO_LONG [2]:WRONG_TYPE [3]:BAD_CHARACTER",
                ),
                (json!([null]), "[0]:WRONG_TYPE"),
            ],
        );
        let cell = |text: &str| coerce_text(&field(kind.clone()), text, &CoerceContext::default());
        assert_eq!(cell("a; b ;;c"), Ok(texts(&["a", "b", "c"])));
        assert_eq!(cell(r#"["a;b", "c"]"#), Ok(texts(&["a;b", "c"])));
        assert_eq!(cell("[a"), Ok(texts(&["[a"])));
    }
}

#[test]
fn rich_text_is_kept_as_it_was_written() {
    let kind = || Kind::RichText { max: 40 };
    let written = "# Title\r\n\n\t- <b>*x*</b> &amp; [a](b)";
    taken(kind(), &[(json!(written), Value::Text(written.to_owned()))]);
    assert_eq!(outcome(&kind(), &json!(" \n")), Ok(Value::Null));
    refused(
        kind(),
        &[
            (json!("a\u{1b}[31m"), "BAD_CHARACTER"),
            (json!("a\0b"), "BAD_CHARACTER"),
            (json!("x".repeat(41)), "TOO_LONG"),
        ],
    );
}
