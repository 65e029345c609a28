//! What is written is what is read, for every kind of field.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use relata_catalog::{
    Address, Catalogue, DEGREE_SCALE, Emails, Field, FieldIndex, File, FullName, GeoPoint, Key,
    Kind, Money, NameOrder, Object, Phone, Phones, StageValue, Value,
};
use relata_store::filter::{ColumnRef, Operand, SystemColumn};
use relata_store::platform::{StoredFile, files};
use relata_store::read::{
    CursorKey, Directory, Member, Parameter, Read, Reader, ReaderOptions, Runs, compile,
};
use relata_store::{Lock, Record, Turn};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::fixture::{Place, field, object, options, record, relation, text, with_objects};

fn all_kinds() -> Vec<Field> {
    vec![
        field("text", text()),
        field("long", Kind::LongText { max: 10_000 }),
        field(
            "integer",
            Kind::Integer {
                min: None,
                max: None,
            },
        ),
        field(
            "decimal",
            Kind::Decimal {
                scale: 4,
                min: None,
                max: None,
            },
        ),
        field(
            "money",
            Kind::Money {
                scale: 2,
                currency: None,
            },
        ),
        field(
            "share",
            Kind::Percent {
                scale: 1,
                min: None,
                max: None,
            },
        ),
        field("stars", Kind::Rating { max: 5 }),
        field("rich", Kind::RichText { max: 10_000 }),
        field("boolean", Kind::Boolean),
        field("day", Kind::Date),
        field("instant", Kind::DateTime),
        field("clock", Kind::Time),
        field("span", Kind::Duration),
        field("foreign", Kind::Uuid),
        field("texts", Kind::Texts),
        field("tags", Kind::Tags),
        field("reviewer", Kind::User),
        field(
            "option",
            Kind::Select {
                options: options(&["A", "B"]),
            },
        ),
        field(
            "choices",
            Kind::MultiSelect {
                options: options(&["A", "B"]),
            },
        ),
        field("email", Kind::Email),
        field("phone", Kind::Phone),
        field("site", Kind::Url),
        field("json", Kind::Json { schema: None }),
        field("person", Kind::FullName),
        field("emails", Kind::Emails),
        field("phones", Kind::Phones),
        field("address", Kind::Address),
        field("place", Kind::GeoPoint),
        field(
            "paper",
            Kind::File {
                types: Vec::new(),
                max_size: None,
            },
        ),
        field("parent", relation("thing")),
        field(
            "number",
            Kind::Autonumber {
                prefix: "N-".to_owned(),
                digits: 5,
                start: 1,
                gapless: false,
            },
        ),
        field("stage", Kind::Stage),
    ]
}

fn string() -> impl Strategy<Value = String> {
    // Any characters but NUL, which PostgreSQL does not take and coercion refuses.
    proptest::collection::vec(any::<char>(), 1..20).prop_map(|all| {
        all.into_iter()
            .filter(|c| *c != '\0')
            .chain(['x'])
            .collect()
    })
}

fn decimal(scale: u32) -> impl Strategy<Value = Decimal> {
    const GREATEST: i64 = 999_999_999_999_999_999;
    (-GREATEST..=GREATEST).prop_map(move |mantissa| Decimal::new(mantissa, scale))
}

fn phone() -> impl Strategy<Value = Phone> {
    (proptest::option::of(string()), string()).prop_map(|(e164, typed)| Phone { e164, typed })
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        string().prop_map(Into::into),
        Just(serde_json::from_str("12345678901234567890.000100").unwrap()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            proptest::collection::vec((string(), inner), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Microseconds of the years 1 to 9999.
fn instant() -> impl Strategy<Value = i64> {
    -62_135_596_800_000_000_i64..=253_402_300_799_999_999
}

fn value(field: &Field, own: Uuid) -> BoxedStrategy<Value> {
    let filled: BoxedStrategy<Value> = match &field.kind {
        Kind::Text { .. }
        | Kind::LongText { .. }
        | Kind::RichText { .. }
        | Kind::Email
        | Kind::Url => string().prop_map(Value::Text).boxed(),
        Kind::Rating { max } => (1..=i64::from(*max)).prop_map(Value::Integer).boxed(),
        Kind::Select { .. } => Just(Value::Text("A".to_owned())).boxed(),
        Kind::Integer { .. } | Kind::Autonumber { .. } | Kind::Duration => {
            (-relata_catalog::INTEGER_MAX..=relata_catalog::INTEGER_MAX)
                .prop_map(Value::Integer)
                .boxed()
        }
        Kind::Decimal { scale, .. } | Kind::Percent { scale, .. } => {
            decimal(*scale).prop_map(Value::Decimal).boxed()
        }
        Kind::Money { scale, .. } => decimal(*scale)
            .prop_map(|amount| {
                Value::Money(Money {
                    amount,
                    currency: "EUR".to_owned(),
                })
            })
            .boxed(),
        Kind::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Kind::Date => (1_i16..=9999, 1_i8..=12, 1_i8..=28)
            .prop_map(|(year, month, day)| {
                Value::Date(jiff::civil::Date::new(year, month, day).unwrap())
            })
            .boxed(),
        Kind::DateTime => instant().prop_map(Value::DateTime).boxed(),
        Kind::Time => (0..86_400_000_000_i64).prop_map(Value::Integer).boxed(),
        Kind::Uuid | Kind::User => any::<u128>()
            .prop_map(|id| Value::Reference(Uuid::from_u128(id)))
            .boxed(),
        Kind::MultiSelect { .. } | Kind::Texts | Kind::Tags => {
            proptest::collection::vec(string(), 1..4)
                .prop_map(Value::Choices)
                .boxed()
        }
        Kind::Json { .. } => json()
            .prop_filter("JSON null is no value", |json| !json.is_null())
            .prop_map(Value::Json)
            .boxed(),
        Kind::Phone => phone().prop_map(Value::Phone).boxed(),
        Kind::FullName => (
            string(),
            proptest::option::of(string()),
            proptest::option::of(string()),
            any::<bool>(),
        )
            .prop_map(|(full, given, family, reversed)| {
                Value::FullName(FullName {
                    full,
                    given,
                    family,
                    order: if reversed {
                        NameOrder::FamilyFirst
                    } else {
                        NameOrder::GivenFirst
                    },
                })
            })
            .boxed(),
        Kind::Emails => (string(), proptest::collection::vec(string(), 0..3))
            .prop_map(|(primary, additional)| {
                Value::Emails(Emails {
                    primary,
                    additional,
                })
            })
            .boxed(),
        Kind::Phones => (phone(), proptest::collection::vec(phone(), 0..3))
            .prop_map(|(primary, additional)| {
                Value::Phones(Phones {
                    primary,
                    additional,
                })
            })
            .boxed(),
        Kind::Address => (
            proptest::option::of(string()),
            string(),
            proptest::option::of(string()),
            proptest::option::of(string()),
        )
            .prop_map(|(street, city, region, country)| {
                Value::Address(Address {
                    street,
                    city: Some(city),
                    region,
                    postal_code: None,
                    country,
                })
            })
            .boxed(),
        Kind::GeoPoint => (-90_000_000_i64..=90_000_000, -180_000_000_i64..=180_000_000)
            .prop_map(|(latitude, longitude)| {
                Value::GeoPoint(GeoPoint {
                    latitude: Decimal::new(latitude, DEGREE_SCALE),
                    longitude: Decimal::new(longitude, DEGREE_SCALE),
                })
            })
            .boxed(),
        Kind::File { .. } => (string(), string(), 0..1_000_000_i64, string())
            .prop_map(|(name, content_type, size, sha256)| {
                Value::File(File {
                    id: FILE,
                    name,
                    content_type,
                    size,
                    sha256,
                })
            })
            .boxed(),
        // Its own record: one that is there.
        Kind::Relation(_) => Just(Value::Reference(own)).boxed(),
        // Worked out, never written: `expressions.rs` compares what comes of them.
        Kind::Formula(_) | Kind::Rollup(_) => Just(Value::Null).boxed(),
        Kind::Stage => (string(), instant())
            .prop_map(|(stage, entered_at)| {
                Value::Stage(StageValue {
                    pipeline: Key::new("workspace", "sales"),
                    stage,
                    entered_at,
                })
            })
            .boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 4 => filled].boxed()
}

fn values(object: &Object, own: Uuid) -> impl Strategy<Value = Vec<Value>> + use<> {
    object
        .fields
        .iter()
        .map(|field| value(field, own))
        .collect::<Vec<_>>()
}

pub struct Nobody;

impl Directory for Nobody {
    fn user(&self, _: Uuid) -> Option<(String, String)> {
        None
    }

    fn token(&self, _: Uuid) -> Option<String> {
        None
    }

    fn plugin(&self, _: &str) -> Option<String> {
        None
    }

    fn field_name(&self, _: &Key, _: &Key) -> Option<String> {
        None
    }
}

/// A file that is there: columns point at it.
const FILE: Uuid = Uuid::from_u128(7);

async fn with_a_file(database: &relata_store::Database) {
    let file = StoredFile {
        id: FILE,
        name: "a".to_owned(),
        content_type: "text/plain".to_owned(),
        size: 1,
        sha256: "00".to_owned(),
        actor: "system".to_owned(),
        user: None,
        at: 0,
        state: files::KEPT.to_owned(),
    };
    let transaction = database.begin(Turn::First).await.unwrap();
    transaction.insert_file(&file).await.unwrap();
    transaction.commit().await.unwrap();
}

/// All columns of a record.
fn everything(catalogue: &Catalogue) -> Read {
    let (index, thing) = catalogue.object_named("thing").unwrap();
    let of_fields = thing.fields.iter().enumerate().flat_map(|(field, one)| {
        (0..one.columns().len()).map(move |part| ColumnRef::Field {
            field: FieldIndex(field),
            part,
        })
    });
    let members = SystemColumn::ALL
        .into_iter()
        .map(ColumnRef::System)
        .chain(of_fields)
        .enumerate()
        .map(|(number, column)| Member::Column {
            key: format!("c{number}"),
            column,
        })
        .collect();
    Read::One {
        object: index,
        id: Operand::Parameter(0),
        members,
    }
}

/// As values, as JSON that was read, and as JSON that was written from memory.
#[test]
fn every_kind_reads_as_it_was_written() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let thing = object("thing", all_kinds());
    for place in runtime.block_on(Place::all()) {
        let database = runtime.block_on(place.open());
        let catalogue = runtime.block_on(with_objects(&database, vec![thing.clone()]));
        runtime.block_on(with_a_file(&database));
        let own = Uuid::now_v7();
        let options = ReaderOptions::new(place.url.as_str(), CursorKey::new([1; 16]));
        let reader = runtime.block_on(Reader::open(&options)).unwrap();
        let read = everything(&catalogue);
        let compiled = compile(&catalogue, database.backend(), &read, Runs::Anywhere).unwrap();
        let id = [Parameter::Value(Value::Reference(own))];
        let both = (values(&thing, own), values(&thing, own));
        let mut runner = TestRunner::new(Config {
            cases: 60,
            failure_persistence: None,
            ..Config::default()
        });
        runner
            .run(&both, |(first, second)| {
                let written = Record {
                    id: own,
                    ..record(first)
                };
                let changed = Record {
                    version: 2,
                    values: second,
                    ..written.clone()
                };
                let (found, again, json) = runtime
                    .block_on(async {
                        let transaction = database.begin(Turn::First).await?;
                        transaction
                            .insert(&thing, std::slice::from_ref(&written))
                            .await?;
                        let found = transaction.get(&thing, own, Lock::None).await?;
                        let all: Vec<FieldIndex> =
                            (0..thing.fields.len()).map(FieldIndex).collect();
                        transaction
                            .update(&thing, &[changed.id], &changed, &all)
                            .await?;
                        let again = transaction.get(&thing, own, Lock::Update).await?;
                        let json = reader.run_in(&transaction, &compiled, &id, &Nobody).await?;
                        transaction.rollback().await;
                        Ok::<_, relata_store::StoreError>((found, again, json))
                    })
                    .map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
                prop_assert_eq!(found, Some(written));
                let known = reader
                    .write_known(&compiled, &catalogue, &changed, &id, &Nobody)
                    .map_err(|error| TestCaseError::fail(format!("{error:?}")))?
                    .map(|json| String::from_utf8(json).unwrap());
                prop_assert_eq!(known, Some(String::from_utf8(json).unwrap()));
                prop_assert_eq!(again, Some(changed));
                Ok(())
            })
            .unwrap();
        runtime.block_on(async {
            reader.close().await;
            database.close().await;
            place.remove().await;
        });
    }
}
