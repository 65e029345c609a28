//! Files: named by their ids; what else is said of them has to fit the field.

use relata_catalog::{CoerceContext, Converted, File, Kind, Value, convert, file_issues, to_json};
use serde_json::json;
use uuid::Uuid;

use crate::coercion::{field, outcome, refused, taken};

const ID: &str = "0190b5a1-7c3e-7000-8000-000000000000";

fn pictures() -> Kind {
    Kind::File {
        types: vec!["image/*".to_owned(), "application/pdf".to_owned()],
        max_size: Some(1_000),
    }
}

fn file(content_type: &str, size: i64) -> File {
    File {
        id: ID.parse().unwrap(),
        name: "a.png".to_owned(),
        content_type: content_type.to_owned(),
        size,
        sha256: "00".to_owned(),
    }
}

#[test]
fn a_file_is_named_by_its_id() {
    let id: Uuid = ID.parse().unwrap();
    taken(
        pictures(),
        &[
            (json!(ID), Value::File(File::named(id))),
            (json!({"id": ID}), Value::File(File::named(id))),
            (json!(" "), Value::Null),
        ],
    );
    refused(
        pictures(),
        &[
            (json!("x"), "BAD_ID"),
            (json!(7), "WRONG_TYPE"),
            (json!({"id": "x", "size": "1"}), "id:BAD_ID size:WRONG_TYPE"),
            (
                json!({"name": "x", "url": "y"}),
                "id:MISSING url:UNKNOWN_KEY",
            ),
        ],
    );
}

#[test]
fn what_is_known_of_a_file_comes_back() {
    let known = Value::File(file("image/png", 1_000));
    let json = to_json(&pictures(), &known);
    assert_eq!(json["contentType"], "image/png");
    assert_eq!(outcome(&pictures(), &json), Ok(known));
}

#[test]
fn a_field_takes_its_types_and_sizes() {
    let codes = |file: &File| {
        let issues = file_issues(&pictures(), file).0;
        issues
            .into_iter()
            .map(|issue| issue.code)
            .collect::<Vec<_>>()
    };
    assert!(codes(&file("image/webp", 1_000)).is_empty());
    assert!(codes(&file("application/pdf", 1)).is_empty());
    assert_eq!(codes(&file("text/html", 1)), ["CONTENT_TYPE"]);
    assert_eq!(codes(&file("imagex/png", 1)), ["CONTENT_TYPE"]);
    assert_eq!(
        codes(&file("text/html", 1_001)),
        ["CONTENT_TYPE", "TOO_LARGE"]
    );
    let any = Kind::File {
        types: Vec::new(),
        max_size: None,
    };
    assert!(file_issues(&any, &file("text/html", i64::MAX)).is_empty());
}

#[test]
fn a_file_becomes_its_name_and_nothing_becomes_a_file() {
    let context = CoerceContext::default();
    let (from, text) = (field(pictures()), field(Kind::Text { max: 100 }));
    let value = Value::File(file("image/png", 1));
    assert_eq!(
        convert(&from, &text, &value, &context),
        Converted::Value(Value::Text("a.png".to_owned()))
    );
    for other in [
        Kind::Text { max: 100 },
        Kind::Uuid,
        Kind::Json { schema: None },
    ] {
        let value = match &other {
            Kind::Uuid => Value::Reference(ID.parse().unwrap()),
            Kind::Json { .. } => Value::Json(json!({"id": ID})),
            _ => Value::Text(ID.to_owned()),
        };
        assert_eq!(
            convert(&field(other), &from, &value, &context),
            Converted::Nothing
        );
    }
    // A narrower field keeps what fits it.
    let narrow = field(Kind::File {
        types: vec!["image/*".to_owned()],
        max_size: Some(10),
    });
    let small = Value::File(file("image/png", 10));
    assert_eq!(
        convert(&from, &narrow, &small, &context),
        Converted::Value(small)
    );
    for wrong in [file("image/png", 11), file("application/pdf", 1)] {
        let wrong = Value::File(wrong);
        assert_eq!(
            convert(&from, &narrow, &wrong, &context),
            Converted::Nothing
        );
    }
}
