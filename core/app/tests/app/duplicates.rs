//! How well duplicates are told from others, on pairs that a person has judged.

use std::collections::HashSet;

use relata_app::duplicates::rules::{Profile, Rules};
use relata_catalog::{
    Address, Blueprint, Catalogue, Emails, FullName, Kind, OWNER_PLATFORM, Object, Phone, Phones,
    STANDARD, TakenNames, Value, resolve,
};

/// Of the pairs that are the same, at least so many are found.
const RECALL_MIN: f64 = 0.9;
/// Of those that are found, at least so many are the same.
const PRECISION_MIN: f64 = 0.95;

/// What is compared of a record with these values, empty ones left out.
fn profile(
    object: &Object,
    rules: &Rules,
    name: &str,
    email: &str,
    phone: &str,
    city: &str,
) -> Profile {
    let value = |kind: &Kind, is_label: bool| match kind {
        Kind::Text { .. } if is_label => Value::Text(name.to_owned()),
        Kind::FullName => Value::FullName(FullName {
            full: name.to_owned(),
            ..FullName::default()
        }),
        Kind::Emails if !email.is_empty() => Value::Emails(Emails {
            primary: email.to_owned(),
            additional: Vec::new(),
        }),
        Kind::Phones if !phone.is_empty() => Value::Phones(Phones {
            primary: Phone {
                e164: Some(phone.to_owned()),
                typed: phone.to_owned(),
            },
            additional: Vec::new(),
        }),
        Kind::Address if !city.is_empty() => Value::Address(Address {
            city: Some(city.to_owned()),
            ..Address::default()
        }),
        _ => Value::Null,
    };
    let values: Vec<Value> = object
        .fields
        .iter()
        .map(|field| value(&field.kind, object.label_field.as_ref() == Some(&field.key)))
        .collect();
    rules.profile(object, &values)
}

/// `tests/data/duplicates/pairs.csv`: a good half of the names are listed companies and the
/// customers of the Chinook sample. What is hard on purpose: other forms, spellings, orders and
/// scripts of one name, and names that are nearly another's.
#[test]
fn pairs_are_judged_as_a_person_does() {
    let standard = resolve(
        &Catalogue::default(),
        OWNER_PLATFORM,
        &Blueprint::parse(STANDARD).unwrap(),
        &TakenNames::default(),
    )
    .unwrap();
    // By the rules that follow from the kinds of their fields.
    let objects = ["company", "person"].map(|name| standard.object_named(name).unwrap().1);
    let mut reader = csv::Reader::from_path("../../tests/data/duplicates/pairs.csv").unwrap();
    let (mut right, mut wrong, mut missed, mut pairs) = (0.0, 0.0, 0.0, 0);
    for row in reader.records() {
        let row = row.unwrap();
        let field = |place: usize| row.get(place).unwrap();
        let object = objects[usize::from(field(0) == "person")];
        let rules = Rules::of(object);
        let profile = |side: usize| {
            let [name, email, phone, city] = [2, 4, 6, 8].map(|place| field(place + side));
            profile(object, &rules, name, email, phone, city)
        };
        let (left, other) = (profile(0), profile(1));
        // Nobody is compared who shares no key.
        let own: HashSet<String> = rules.keys(&left).into_iter().collect();
        let is_candidate = rules.keys(&other).iter().any(|key| own.contains(key));
        let (score, reasons) = rules.compare(&left, &other);
        let (back, _) = rules.compare(&other, &left);
        assert!(
            (score - back).abs() < 1e-9,
            "{row:?}: which of them is asked about matters"
        );
        let is_found = is_candidate && score >= rules.score;
        pairs += 1;
        match (field(1) == "1", is_found) {
            (true, true) => right += 1.0,
            (false, true) => wrong += 1.0,
            (true, false) => missed += 1.0,
            (false, false) => {}
        }
        if (field(1) == "1") != is_found {
            println!(
                "{} | {} | same {} | candidate {is_candidate} | {score:.2} | {reasons:?}",
                field(2),
                field(3),
                field(1)
            );
        }
    }
    let recall: f64 = right / (right + missed);
    let precision: f64 = right / (right + wrong);
    println!("{pairs} pairs: recall {recall:.3}, precision {precision:.3}");
    assert!(pairs >= 300, "{pairs}");
    assert!(recall >= RECALL_MIN, "recall {recall:.3}");
    assert!(precision >= PRECISION_MIN, "precision {precision:.3}");
}
