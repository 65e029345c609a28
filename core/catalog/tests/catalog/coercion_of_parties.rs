//! Kinds that say who somebody is and how to reach them, with everything that could be sent.

use relata_catalog::{
    Address, CoerceContext, Emails, FullName, Kind, NameOrder, Phone, Value, coerce,
};
use serde_json::json;

use crate::coercion::{field, outcome, refused, taken};

#[test]
fn addresses_of_the_net() {
    for good in [
        "ada@example.com",
        "a.b+c@sub.example.co.uk",
        "用户@例子.中国",
        "o'brien@x.ie",
        " a@b.de ",
    ] {
        assert!(outcome(&Kind::Email, &json!(good)).is_ok(), "{good}");
    }
    for bad in [
        "ada",
        "ada@",
        "@example.com",
        "a b@example.com",
        "a@b",
        "a@@b.de",
        "a@b..de",
        "a@-b.de",
        ".a@b.de",
        "a@b.de\n,c@d.de",
        "a@b.de,c@d.de",
        "Ada <a@b.de>",
    ] {
        assert_eq!(
            outcome(&Kind::Email, &json!(bad)),
            Err("BAD_EMAIL".to_owned()),
            "{bad}"
        );
    }
    assert_eq!(
        outcome(&Kind::Email, &json!(format!("{}@b.de", "a".repeat(65)))),
        Err("BAD_EMAIL".to_owned())
    );
    for good in [
        "https://example.com",
        "http://例子.中国/路径?x=1#y",
        "https://user@example.com:8443/",
    ] {
        assert!(outcome(&Kind::Url, &json!(good)).is_ok(), "{good}");
    }
    for bad in [
        "example.com",
        "ftp://example.com",
        "javascript:alert(1)",
        "https://",
        "//example.com",
        "https://exa mple.com",
        "https://example.com/\na",
        "data:text/html,x",
    ] {
        assert_eq!(
            outcome(&Kind::Url, &json!(bad)),
            Err("BAD_URL".to_owned()),
            "{bad}"
        );
    }
    let long = format!("https://example.com/{}", "a".repeat(3_000));
    assert_eq!(
        outcome(&Kind::Url, &json!(long)),
        Err("TOO_LONG".to_owned())
    );

    let emails = |primary: &str, additional: &[&str]| {
        Value::Emails(Emails {
            primary: primary.to_owned(),
            additional: additional.iter().map(|text| (*text).to_owned()).collect(),
        })
    };
    taken(
        Kind::Emails,
        &[
            (json!("a@b.de"), emails("a@b.de", &[])),
            (
                json!(["a@b.de", "", "A@B.de", "c@d.de"]),
                emails("a@b.de", &["c@d.de"]),
            ),
            (
                json!({"primary": "a@b.de", "additional": ["c@d.de"]}),
                emails("a@b.de", &["c@d.de"]),
            ),
            (json!({"additional": ["c@d.de"]}), emails("c@d.de", &[])),
        ],
    );
    for blank in [
        json!(""),
        json!([]),
        json!({}),
        json!({"primary": null, "additional": []}),
    ] {
        assert_eq!(outcome(&Kind::Emails, &blank), Ok(Value::Null), "{blank}");
    }
    refused(
        Kind::Emails,
        &[
            (json!(["a", "b@c.de", 5]), "[0]:BAD_EMAIL [2]:WRONG_TYPE"),
            (
                json!({"primary": "x", "additional": ["y"], "primry": 1}),
                "primary:BAD_EMAIL additional[0]:BAD_EMAIL primry:UNKNOWN_KEY",
            ),
            (json!(vec!["a@b.de"; 51]), "TOO_MANY"),
            (json!(5), "WRONG_TYPE"),
        ],
    );
}

#[test]
fn phone_numbers() {
    let phone = |typed: &str, e164: Option<&str>| {
        Value::Phone(Phone {
            typed: typed.to_owned(),
            e164: e164.map(str::to_owned),
        })
    };
    taken(
        Kind::Phone,
        &[
            (
                json!("+49 30 12345678"),
                phone("+49 30 12345678", Some("+493012345678")),
            ),
            (
                json!("+49 0711 2842222"),
                phone("+49 0711 2842222", Some("+497112842222")),
            ),
            (
                json!("+55 (12) 3923-5555"),
                phone("+55 (12) 3923-5555", Some("+551239235555")),
            ),
            (
                json!("+1 (780) 428-9482 ext. 12"),
                phone("+1 (780) 428-9482 ext. 12", Some("+17804289482")),
            ),
            (
                json!("+44 (0)20 7946 0958"),
                phone("+44 (0)20 7946 0958", Some("+442079460958")),
            ),
            (
                json!("＋８６ 10 6552 9988"),
                phone("＋８６ 10 6552 9988", Some("+861065529988")),
            ),
            (json!("030 12345678"), phone("030 12345678", None)),
            (json!("ask for 7"), phone("ask for 7", None)),
            (json!("+999 123"), phone("+999 123", None)),
            (json!("1".repeat(80)), phone(&"1".repeat(80), None)),
            (
                json!({"typed": "030 1", "e164": "+493012345678"}),
                phone("030 1", Some("+493012345678")),
            ),
            (
                json!({"e164": "+493012345678"}),
                phone("+493012345678", Some("+493012345678")),
            ),
        ],
    );
    refused(
        Kind::Phone,
        &[
            (json!("none"), "BAD_PHONE"),
            (json!("---"), "BAD_PHONE"),
            (json!("1".repeat(81)), "TOO_LONG"),
            (json!("1\n2"), "BAD_CHARACTER"),
            (json!({"typed": "1", "e164": "030"}), "e164:BAD_PHONE"),
            (json!({"typed": "1", "number": "030"}), "number:UNKNOWN_KEY"),
            (json!(4_930_123), "WRONG_TYPE"),
        ],
    );
    let context = CoerceContext {
        region: Some("DE".to_owned()),
        ..CoerceContext::default()
    };
    assert_eq!(
        coerce(&field(Kind::Phone), &json!("030 12345678"), &context),
        Ok(phone("030 12345678", Some("+493012345678")))
    );
    let unknown = CoerceContext {
        region: Some("Atlantis".to_owned()),
        ..CoerceContext::default()
    };
    assert!(coerce(&field(Kind::Phone), &json!("030 12345678"), &unknown).is_ok());
    for input in [
        json!(["+49 30 12345678", "+493012345678", "7"]),
        json!({"primary": {"typed": "7"}, "additional": ["8"]}),
        json!({"typed": "7"}),
    ] {
        assert!(outcome(&Kind::Phones, &input).is_ok(), "{input}");
    }
    refused(
        Kind::Phones,
        &[(
            json!({"primary": "x", "additional": [5]}),
            "primary:BAD_PHONE additional[0]:WRONG_TYPE",
        )],
    );
}

#[test]
fn names_and_addresses_of_people() {
    let name = |full: &str, given: Option<&str>, family: Option<&str>, order| {
        Value::FullName(FullName {
            full: full.to_owned(),
            given: given.map(str::to_owned),
            family: family.map(str::to_owned),
            order,
        })
    };
    taken(
        Kind::FullName,
        &[
            (
                json!("Ada Lovelace"),
                name("Ada Lovelace", None, None, NameOrder::GivenFirst),
            ),
            (
                json!("王小明"),
                name("王小明", None, None, NameOrder::FamilyFirst),
            ),
            (
                json!({"given": "Ada", "family": "Lovelace"}),
                name(
                    "Ada Lovelace",
                    Some("Ada"),
                    Some("Lovelace"),
                    NameOrder::GivenFirst,
                ),
            ),
            (
                json!({"given": "小明", "family": "王"}),
                name("王小明", Some("小明"), Some("王"), NameOrder::FamilyFirst),
            ),
            (
                json!({"given": "Ádám", "family": "Nagy", "order": "FAMILY_FIRST"}),
                name(
                    "Nagy Ádám",
                    Some("Ádám"),
                    Some("Nagy"),
                    NameOrder::FamilyFirst,
                ),
            ),
            (
                json!({"family": "Sukarno"}),
                name("Sukarno", None, Some("Sukarno"), NameOrder::GivenFirst),
            ),
        ],
    );
    assert_eq!(
        outcome(&Kind::FullName, &json!({"given": " "})),
        Ok(Value::Null)
    );
    refused(
        Kind::FullName,
        &[
            (
                json!({"given": 5, "order": "LAST", "first": "x"}),
                "given:WRONG_TYPE order:UNKNOWN_WORD first:UNKNOWN_KEY",
            ),
            (json!("x".repeat(301)), "TOO_LONG"),
            (json!(["Ada"]), "WRONG_TYPE"),
        ],
    );
    taken(
        Kind::Address,
        &[(
            json!({"street": "Theodor-Heuss-Straße 34\nHinterhaus", "city": " Stuttgart ", "postalCode": "70174", "country": ""}),
            Value::Address(Address {
                street: Some("Theodor-Heuss-Straße 34\nHinterhaus".to_owned()),
                city: Some("Stuttgart".to_owned()),
                region: None,
                postal_code: Some("70174".to_owned()),
                country: None,
            }),
        )],
    );
    assert_eq!(
        outcome(&Kind::Address, &json!({"city": ""})),
        Ok(Value::Null)
    );
    refused(
        Kind::Address,
        &[
            (
                json!({"postalcode": "1", "city": "a\nb"}),
                "city:BAD_CHARACTER postalcode:UNKNOWN_KEY",
            ),
            (json!("Stuttgart"), "WRONG_TYPE"),
        ],
    );
}
