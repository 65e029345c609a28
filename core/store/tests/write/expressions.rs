//! The same expression gives the same answer in memory and in SQL, on both databases, read outside
//! of a transaction and inside of one: generated texts over generated records.
//!
//! `RELATA_EXPRESSIONS=seed,rounds` hunts longer.

use std::collections::HashMap;
use std::sync::Arc;

use relata_catalog::expression::{
    Datum, Path, PathColumn, Scope, SystemField, Type, Variable, datum_of, text_of,
};
use relata_catalog::{
    Catalogue, FieldIndex, Kind, Limits, Money, Object, TakenNames, Value, diff, format_instant,
    resolve_text,
};
use relata_store::filter::{ColumnRef, Direction, Nulls, Operand, OrderTerm};
use relata_store::read::{
    ConnectionMember, CursorKey, Member, Page, Parameter, Read, Reader, ReaderOptions, Runs,
    compile,
};
use relata_store::{Database, Record, Retention, Turn};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::fixture::{NOW, Place, apply, insert, record};
use crate::round_trip::Nobody;

const BASE: &str = r"
relata: 1
objects:
  - key: firm
    plural: firms
    fields:
      - {key: name, kind: text}
      - {key: size, kind: integer}
      - {key: tier, kind: select, options: [KEY, A, B]}
      - {key: founded, kind: date}
      - {key: rate, kind: decimal, scale: 9}
      - {key: parent, kind: relation, to: firm}
  - key: job
    plural: jobs
    fields:
      - {key: name, kind: text}
      - {key: body, kind: longText}
      - {key: count, kind: integer}
      - {key: rate, kind: decimal, scale: 4}
      - {key: fine, kind: decimal, scale: 9}
      - {key: whole, kind: decimal, scale: 0}
      - {key: share, kind: percent, scale: 1}
      - {key: stars, kind: rating}
      - {key: notes, kind: richText}
      - {key: amount, kind: money}
      - {key: cost, kind: money, scale: 3}
      - {key: open, kind: boolean}
      - {key: starts, kind: date}
      - {key: ends, kind: date}
      - {key: at, kind: dateTime}
      - {key: opens, kind: time}
      - {key: effort, kind: duration}
      - {key: foreign, kind: uuid}
      - {key: aliases, kind: texts}
      - {key: colour, kind: select, options: [RED, BLUE]}
      - {key: tags, kind: multiSelect, options: [RED, BLUE, GREEN]}
      - {key: contact, kind: fullName}
      - {key: place, kind: address}
      - {key: phone, kind: phone}
      - {key: firm, kind: relation, to: firm}
";

/// Formulas in one catalogue.
const FORMULAS: usize = 40;
const RECORDS: usize = 24;

/// SplitMix64: the same texts for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// What a generated text shall give.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Want {
    Boolean,
    Integer,
    Decimal,
    Text,
    Date,
    Instant,
    Duration,
    Money,
}

fn text(random: &mut Random, want: Want, depth: usize) -> String {
    if depth == 0 || random.below(6) == 0 {
        return leaf(random, want);
    }
    let depth = depth - 1;
    let any = |random: &mut Random| {
        [
            Want::Integer,
            Want::Decimal,
            Want::Text,
            Want::Date,
            Want::Instant,
            Want::Money,
            Want::Duration,
        ][random.below(7)]
    };
    match want {
        Want::Boolean => match random.below(9) {
            0 => format!("!({})", text(random, want, depth)),
            1 | 2 => {
                let sign = random.pick(&["&&", "||"]);
                let left = text(random, want, depth);
                format!("({left} {sign} {})", text(random, want, depth))
            }
            3 | 4 => {
                let of = any(random);
                let sign = random.pick(&["==", "!=", "<", "<=", ">", ">="]);
                let left = text(random, of, depth);
                format!("({left} {sign} {})", text(random, of, depth))
            }
            5 => {
                let of = any(random);
                format!("({} == null)", text(random, of, depth))
            }
            6 => {
                let name = random.pick(&["contains", "startsWith", "endsWith"]);
                let left = text(random, Want::Text, depth);
                format!("{left}.{name}({})", text(random, Want::Text, depth))
            }
            7 => format!(
                "({} in record.tags)",
                random.pick(&["'RED'", "'BLUE'", "'GREEN'"])
            ),
            _ => {
                let of = [Want::Integer, Want::Text, Want::Date][random.below(3)];
                let value = text(random, of, depth);
                let first = text(random, of, depth);
                format!("({value} in [{first}, {}])", leaf(random, of))
            }
        },
        Want::Integer => match random.below(9) {
            0..=2 => {
                let sign = random.pick(&["+", "-", "*", "/", "%"]);
                let left = text(random, want, depth);
                format!("({left} {sign} {})", text(random, want, depth))
            }
            3 => format!("-{}", text(random, want, 0)),
            4 => format!("size({})", text(random, Want::Text, depth)),
            5 => format!("int({})", text(random, Want::Decimal, depth)),
            6 => {
                let left = text(random, Want::Date, depth);
                format!("({left} - {})", text(random, Want::Date, depth))
            }
            7 => {
                let part = random.pick(&["getFullYear", "getMonth", "getDate", "getDayOfWeek"]);
                let of = [Want::Date, Want::Instant][random.below(2)];
                format!("{}.{part}()", text(random, of, depth))
            }
            _ => format!("{}.getHours()", text(random, Want::Duration, depth)),
        },
        Want::Decimal => match random.below(8) {
            0..=3 => {
                let sign = random.pick(&["+", "-", "*", "/"]);
                let other = [Want::Decimal, Want::Integer][random.below(2)];
                let left = text(random, want, depth);
                format!("({left} {sign} {})", text(random, other, depth))
            }
            4 => format!("math.round({}, 3)", text(random, Want::Decimal, depth)),
            5 => {
                let name = random.pick(&["math.greatest", "math.least"]);
                let left = text(random, Want::Decimal, depth);
                format!("{name}({left}, {})", text(random, Want::Integer, depth))
            }
            6 => {
                let left = text(random, Want::Money, depth);
                format!("({left} / {})", text(random, Want::Money, depth))
            }
            _ => {
                let condition = text(random, Want::Boolean, depth);
                let then = text(random, want, depth);
                format!("({condition} ? {then} : {})", text(random, want, depth))
            }
        },
        Want::Text => match random.below(6) {
            0 | 1 => {
                let left = text(random, want, depth);
                format!("({left} + {})", text(random, want, depth))
            }
            2 => {
                let name = random.pick(&["lowerAscii", "upperAscii", "trim"]);
                format!("{}.{name}()", text(random, want, depth))
            }
            3 => {
                let of = [Want::Integer, Want::Decimal, Want::Date][random.below(3)];
                format!("string({})", text(random, of, depth))
            }
            _ => {
                let condition = text(random, Want::Boolean, depth);
                let then = text(random, want, depth);
                format!("({condition} ? {then} : {})", text(random, want, depth))
            }
        },
        Want::Date => match random.below(3) {
            0 => {
                let sign = random.pick(&["+", "-"]);
                let left = text(random, want, depth);
                format!("({left} {sign} {})", text(random, Want::Integer, depth))
            }
            1 => format!("date({})", text(random, Want::Instant, depth)),
            _ => {
                let condition = text(random, Want::Boolean, depth);
                format!("({condition} ? {} : null)", text(random, want, depth))
            }
        },
        Want::Instant => {
            let sign = random.pick(&["+", "-"]);
            let left = text(random, want, depth);
            format!("({left} {sign} {})", text(random, Want::Duration, depth))
        }
        Want::Duration => match random.below(3) {
            0 => {
                let left = text(random, Want::Instant, depth);
                format!("({left} - {})", text(random, Want::Instant, depth))
            }
            1 => {
                let sign = random.pick(&["+", "-"]);
                let left = text(random, want, depth);
                format!("({left} {sign} {})", text(random, want, depth))
            }
            _ => {
                let left = text(random, want, depth);
                format!("({left} * {})", text(random, Want::Integer, depth))
            }
        },
        Want::Money => match random.below(4) {
            0 => {
                let sign = random.pick(&["+", "-"]);
                let left = text(random, want, depth);
                format!("({left} {sign} {})", text(random, want, depth))
            }
            1 | 2 => {
                let sign = random.pick(&["*", "/"]);
                let by = [Want::Integer, Want::Decimal][random.below(2)];
                let left = text(random, want, depth);
                format!("({left} {sign} {})", text(random, by, depth))
            }
            _ => {
                let condition = text(random, Want::Boolean, depth);
                let then = text(random, want, depth);
                format!("({condition} ? {then} : {})", text(random, want, depth))
            }
        },
    }
}

fn leaf(random: &mut Random, want: Want) -> String {
    random
        .pick(match want {
            Want::Boolean => &[
                "true",
                "false",
                "record.open",
                "has(record.firm.parent)",
                "has(record.foreign)",
            ],
            Want::Integer => &[
                "0",
                "1",
                "7",
                "-3",
                "9007199254740991",
                "record.count",
                "record.stars",
                "record.firm.size",
                "record.firm.parent.size",
                "size(record.tags)",
                "size(record.aliases)",
                "record.version",
            ],
            Want::Decimal => &[
                "0.0",
                "0.5",
                "-2.25",
                "123456789.987654321",
                "999999999999999.999",
                "record.rate",
                "record.fine",
                "record.whole",
                "record.share",
                "record.firm.rate",
                "record.amount.amount",
                "decimal(record.count)",
            ],
            Want::Text => &[
                "''",
                "'a'",
                "'ß Ω 华为 \\'\"\\\\ %_'",
                "record.name",
                "record.body",
                "record.notes",
                "record.colour",
                "record.contact",
                "record.contact.family",
                "record.place.city",
                "record.phone",
                "record.amount.currency",
                "record.firm.name",
                "record.firm.parent.name",
                "record.firm.tier",
            ],
            Want::Date => &[
                "date('2024-02-29')",
                "date('0001-01-01')",
                "date('9999-12-31')",
                "record.starts",
                "record.ends",
                "record.firm.founded",
            ],
            Want::Instant => &[
                "timestamp('2026-11-23T08:30:00.000001Z')",
                "timestamp('0001-01-01T00:00:00Z')",
                "record.at",
                "record.createdAt",
            ],
            Want::Duration => &[
                "duration('1h30m')",
                "duration('-36h')",
                "duration('1us')",
                "duration('100000000h')",
                "record.opens",
                "record.effort",
            ],
            Want::Money => &["record.amount", "record.cost"],
        })
        .to_owned()
}

fn base() -> Catalogue {
    let (_, target) = resolve_text(
        &Catalogue::default(),
        "workspace",
        BASE,
        &TakenNames::default(),
        &Limits::default(),
    )
    .unwrap();
    target
}

/// The base with formulas, or without those that are no expressions.
fn with_formulas(base: &Catalogue, formulas: &[String]) -> (Catalogue, Vec<String>) {
    let mut kept = formulas.to_vec();
    // Fields of the last object, which formulas stand behind.
    let own = BASE
        .lines()
        .rev()
        .take_while(|line| line.trim_start().starts_with("- {key:"))
        .count();
    loop {
        let mut document = BASE.to_owned();
        for (number, formula) in kept.iter().enumerate() {
            let line =
                json!({"key": format!("f{number}"), "kind": "formula", "expression": formula});
            document.push_str(&format!("      - {line}\n"));
        }
        let resolved = resolve_text(
            base,
            "workspace",
            &document,
            &TakenNames::default(),
            &Limits::default(),
        );
        let issues = match resolved {
            Ok((_, catalogue)) => return (catalogue, kept),
            Err(issues) => issues,
        };
        // The generator knows neither limits nor options; what it makes is otherwise right.
        let mut wrong = Vec::new();
        for issue in &issues.0 {
            let is_known =
                issue.code == "LIMIT_EXCEEDED" || issue.message.contains("has no option");
            assert!(is_known, "{issue}\n{kept:#?}");
            if let Some(relata_catalog::PathSegment::Index(position)) = issue.path.get(3) {
                wrong.push(position - own);
            }
        }
        assert!(!wrong.is_empty(), "{issues}");
        let mut number = 0;
        kept.retain(|_| {
            number += 1;
            !wrong.contains(&(number - 1))
        });
    }
}

fn value(random: &mut Random, kind: &Kind, firms: &[Uuid]) -> Value {
    if random.below(5) == 0 {
        return Value::Null;
    }
    let decimal = |random: &mut Random, scale: u32| {
        let mantissa = match random.below(4) {
            0 => 999_999_999_999_999_999,
            1 => i64::try_from(random.below(2_000)).unwrap() - 1_000,
            2 => {
                i64::try_from(random.next() % 1_000_000_000_000_000).unwrap() - 500_000_000_000_000
            }
            _ => i64::try_from(random.below(20)).unwrap() * 10_i64.pow(scale) / 2,
        };
        Decimal::new(mantissa, scale)
    };
    match kind {
        Kind::Text { .. } | Kind::LongText { .. } | Kind::RichText { .. } => Value::Text(
            random
                .pick(&[
                    "a",
                    "Ärger ",
                    " x\ty\n",
                    "华为公司",
                    "é",
                    "B",
                    "'; --",
                    "\\%_",
                ])
                .to_owned(),
        ),
        Kind::Integer { .. } => Value::Integer(
            [
                0,
                1,
                -1,
                7,
                12,
                9_007_199_254_740_991,
                -9_007_199_254_740_991,
            ][random.below(7)],
        ),
        Kind::Rating { max } => {
            Value::Integer(1 + i64::try_from(random.below(*max as usize)).unwrap())
        }
        Kind::Decimal { scale, .. } | Kind::Percent { scale, .. } => {
            Value::Decimal(decimal(random, *scale))
        }
        Kind::Money { scale, .. } => Value::Money(Money {
            amount: decimal(random, *scale),
            currency: random.pick(&["EUR", "EUR", "CNY"]).to_owned(),
        }),
        Kind::Boolean => Value::Boolean(random.below(2) == 0),
        Kind::Date => Value::Date(
            random
                .pick(&[
                    "2024-02-29",
                    "2026-01-31",
                    "0001-01-01",
                    "9999-12-31",
                    "1969-12-31",
                ])
                .parse()
                .unwrap(),
        ),
        Kind::DateTime => Value::DateTime(
            [
                0,
                -1,
                1_795_420_800_000_001,
                -62_135_596_800_000_000,
                253_402_300_799_999_999,
            ][random.below(5)],
        ),
        Kind::Time => Value::Integer([0, 30_600_000_001, 86_399_999_999][random.below(3)]),
        Kind::Duration => Value::Integer(
            [
                0,
                -1,
                5_400_000_000,
                9_007_199_254_740_991,
                -9_007_199_254_740_991,
            ][random.below(5)],
        ),
        Kind::Texts => Value::Choices(vec![
            random.pick(&["a", "é", "'"]).to_owned(),
            "a".to_owned(),
        ]),
        Kind::Uuid => Value::Reference(Uuid::from_u128(random.below(3) as u128)),
        Kind::Select { options } => Value::Text(options[random.below(options.len())].value.clone()),
        Kind::MultiSelect { options } => {
            let count = random.below(options.len() + 1);
            let chosen: Vec<String> = options[..count]
                .iter()
                .map(|option| option.value.clone())
                .collect();
            if chosen.is_empty() {
                Value::Null
            } else {
                Value::Choices(chosen)
            }
        }
        Kind::FullName => Value::FullName(relata_catalog::FullName {
            full: random.pick(&["Ada Lovelace", "王小明"]).to_owned(),
            family: Some("Lovelace".to_owned()),
            ..Default::default()
        }),
        Kind::Address => Value::Address(relata_catalog::Address {
            city: Some("São Paulo".to_owned()),
            ..Default::default()
        }),
        Kind::GeoPoint => Value::GeoPoint(relata_catalog::GeoPoint {
            latitude: Decimal::new(random.below(180) as i64 * 1_000_003 - 90_000_000, 6),
            longitude: Decimal::new(-13_405_000, 6),
        }),
        Kind::Phone => Value::Phone(relata_catalog::Phone {
            e164: (random.below(2) == 0).then(|| "+493012345678".to_owned()),
            typed: "030 12345678".to_owned(),
        }),
        Kind::Relation(_) if firms.is_empty() => Value::Null,
        Kind::Relation(_) => Value::Reference(firms[random.below(firms.len())]),
        _ => Value::Null,
    }
}

fn records(random: &mut Random, object: &Object, count: usize, firms: &[Uuid]) -> Vec<Record> {
    (0..count)
        .map(|_| {
            let values = object
                .fields
                .iter()
                .map(|field| value(random, &field.kind, firms))
                .collect();
            record(values)
        })
        .collect()
}

struct Given<'a> {
    catalogue: &'a Catalogue,
    record: &'a Record,
    firms: &'a HashMap<Uuid, Record>,
}

impl Scope for Given<'_> {
    fn read(&self, path: &Path) -> Datum {
        let (_, mut object) = self.catalogue.object_named("job").unwrap();
        let mut record = self.record;
        for relation in &path.through {
            let (index, _) = object.field_keyed(relation).unwrap();
            object = self.catalogue.object_named("firm").unwrap().1;
            match record.value(index) {
                // One in the trash is none.
                Value::Reference(id) if self.firms[id].deleted_at.is_none() => {
                    record = &self.firms[id];
                }
                _ => return Datum::Null,
            }
        }
        match &path.column {
            PathColumn::System(SystemField::Version) => Datum::Number(record.version),
            PathColumn::System(SystemField::CreatedAt) => Datum::Instant(record.created_at),
            PathColumn::System(_) => Datum::Null,
            PathColumn::Field { field, part } => {
                let (index, field) = object.field_keyed(field).unwrap();
                datum_of(field, record.value(index), *part)
            }
        }
    }

    fn variable(&self, _: Variable) -> Datum {
        Datum::Null
    }
}

fn shown(datum: Datum, of: Type) -> Json {
    match (datum, of) {
        (Datum::Null, _) => Json::Null,
        (Datum::Boolean(boolean), _) => json!(boolean),
        (Datum::Number(number), Type::Integer) => json!(number),
        (Datum::Number(number), of) => json!(text_of(number, of.scale())),
        (Datum::Text(text), _) => json!(text),
        (Datum::Date(date), _) => json!(date.to_string()),
        (Datum::Instant(micros), _) => json!(format_instant(micros)),
        (other, _) => panic!("no formula gives {other:?}"),
    }
}

struct World {
    database: Database,
    reader: Reader,
    base: Catalogue,
    firms: HashMap<Uuid, Record>,
    jobs: Vec<Record>,
}

impl World {
    async fn new(place: &Place, random: &mut Random) -> Self {
        let database = place.open().await;
        let base = base();
        let plan = diff(&Catalogue::default(), &base);
        apply(&database, &plan, Retention::Park).await;
        let base = plan.target;
        let (_, firm) = base.object_named("firm").unwrap();
        let mut firms = records(random, firm, 6, &[]);
        let ids: Vec<Uuid> = firms.iter().map(|firm| firm.id).collect();
        for (position, firm) in firms.iter_mut().enumerate() {
            firm.values[5] = Value::Reference(ids[(position + 1) % ids.len()]);
            firm.version = 2;
        }
        firms[1].deleted_at = Some(NOW);
        // Those that point come after those that they point at, in one statement of their own.
        let none: Vec<Record> = firms
            .iter()
            .map(|firm| {
                let mut firm = firm.clone();
                firm.version = 1;
                firm.values[5] = Value::Null;
                firm
            })
            .collect();
        insert(&database, firm, &none).await;
        let transaction = database.begin(Turn::First).await.unwrap();
        for firm_record in &firms {
            transaction
                .update(firm, &[firm_record.id], firm_record, &[FieldIndex(5)])
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
        let (_, job) = base.object_named("job").unwrap();
        let jobs = records(random, job, RECORDS, &ids);
        insert(&database, job, &jobs).await;
        let options = ReaderOptions::new(place.url.as_str(), CursorKey::new([1; 16]));
        Self {
            reader: Reader::open(&options).await.unwrap(),
            database,
            base,
            firms: firms.into_iter().map(|firm| (firm.id, firm)).collect(),
            jobs,
        }
    }

    /// All formulas of all jobs, and each as an order.
    async fn check(&self, formulas: &[String]) -> usize {
        let (catalogue, formulas) = with_formulas(&self.base, formulas);
        let (index, job) = catalogue.object_named("job").unwrap();
        let mut members = Vec::new();
        let mut columns = Vec::new();
        for number in 0..formulas.len() {
            let (field, found) = job.field_named(&format!("f{number}")).unwrap();
            let Kind::Formula(formula) = &found.kind else {
                panic!("a formula is one");
            };
            let program = formula.expression.program().unwrap();
            for part in 0..program.parts.len() {
                members.push(Member::Column {
                    key: format!("f{number}_{part}"),
                    column: ColumnRef::Field { field, part },
                });
                columns.push((number, part, program));
            }
        }
        for record in &self.jobs {
            let read = Read::One {
                object: index,
                id: Operand::Parameter(0),
                members: members.clone(),
            };
            let compiled = Arc::new(
                compile(&catalogue, self.database.backend(), &read, Runs::Anywhere).unwrap(),
            );
            let id = [Parameter::Value(Value::Reference(record.id))];
            let asked = [(Arc::clone(&compiled), id.to_vec())];
            let answer = self.reader.run(&asked, Arc::new(Nobody)).await;
            let answer = answer.unwrap_or_else(|error| panic!("{error:?}\n{formulas:#?}"));
            let transaction = self.database.begin(Turn::First).await.unwrap();
            let inside = self
                .reader
                .run_in(&transaction, &compiled, &id, &Nobody)
                .await
                .unwrap();
            transaction.rollback().await;
            assert_eq!(inside, answer[0], "in a transaction");
            let found: Json = serde_json::from_slice(&answer[0]).unwrap();
            let given = Given {
                catalogue: &catalogue,
                record,
                firms: &self.firms,
            };
            for (number, part, program) in &columns {
                let node = &program.parts[*part];
                let expected = program.evaluate(&given).swap_remove(*part);
                assert_eq!(
                    found[format!("f{number}_{part}")],
                    shown(expected, node.of),
                    "{:?}: part {part} of {}\n{:#?}",
                    self.database.backend(),
                    formulas[*number],
                    record.values,
                );
            }
        }
        for (number, formula) in formulas.iter().enumerate() {
            let (field, _) = job.field_named(&format!("f{number}")).unwrap();
            let read = Read::Many(relata_store::read::Connection {
                object: index,
                via: None,
                filter: relata_store::filter::Filter::IsNull {
                    column: ColumnRef::Field { field, part: 0 },
                    is_null: false,
                },
                order: vec![OrderTerm {
                    through: Vec::new(),
                    column: ColumnRef::Field { field, part: 0 },
                    direction: Direction::Descending,
                    nulls: Nulls::Last,
                }],
                page: Page {
                    first: Some(Operand::Value(Value::Integer(5))),
                    ..Page::default()
                },
                deleted: Default::default(),
                members: vec![ConnectionMember::TotalCount {
                    key: "total".to_owned(),
                }],
            });
            let compiled = Arc::new(
                compile(&catalogue, self.database.backend(), &read, Runs::Anywhere).unwrap(),
            );
            let asked = [(compiled, Vec::new())];
            let answer = self.reader.run(&asked, Arc::new(Nobody)).await;
            let answer = answer.unwrap_or_else(|error| panic!("{error:?}\n{}", formula));
            let found: Json = serde_json::from_slice(&answer[0]).unwrap();
            let filled = self
                .jobs
                .iter()
                .filter(|record| {
                    let given = Given {
                        catalogue: &catalogue,
                        record,
                        firms: &self.firms,
                    };
                    let (_, _, program) = columns.iter().find(|(of, ..)| *of == number).unwrap();
                    program.evaluate(&given)[0] != Datum::Null
                })
                .count();
            assert_eq!(found["total"], json!(filled), "{}", formula);
        }
        formulas.len()
    }
}

#[test]
fn an_expression_gives_the_same_in_memory_and_in_sql() {
    let (seed, rounds) = std::env::var("RELATA_EXPRESSIONS")
        .ok()
        .and_then(|text| {
            let (seed, rounds) = text.split_once(',')?;
            Some((seed.parse().ok()?, rounds.parse().ok()?))
        })
        .unwrap_or((4, 4));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for place in runtime.block_on(Place::all()) {
        let mut random = Random(seed);
        let mut checked = 0;
        runtime.block_on(async {
            let world = World::new(&place, &mut random).await;
            for _ in 0..rounds {
                let formulas: Vec<String> = (0..FORMULAS)
                    .map(|_| {
                        let want = [
                            Want::Boolean,
                            Want::Integer,
                            Want::Decimal,
                            Want::Text,
                            Want::Date,
                            Want::Instant,
                            Want::Money,
                        ][random.below(7)];
                        let depth = 1 + random.below(4);
                        text(&mut random, want, depth)
                    })
                    .collect();
                checked += world.check(&formulas).await;
            }
            world.reader.close().await;
            world.database.close().await;
        });
        assert!(checked > FORMULAS, "only {checked} formulas were compared");
        runtime.block_on(place.remove());
    }
}
