//! Records of a world: written through ordinary mutations, and kept in memory as they must be.

use std::collections::HashSet;
use std::sync::Arc;

use relata_app::files::{NewFile, file_create};
use relata_app::{Caller, UserInfo};
use relata_catalog::expression::{Datum, Path, PathColumn, Scope, SystemField, Variable, datum_of};
use relata_catalog::{
    Catalogue, CoerceContext, Field, FieldIndex, File, Key, Kind, Object, ObjectIndex, OnDelete,
    StageValue, Value, Via, coerce, coerce_operand, parse_instant,
};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::choices::Choices;
use crate::fixture::Client;

/// Case, accents, ligatures, combining marks, wildcards of patterns, quotes, other scripts, right
/// to left, beyond the basic plane, and ties.
pub(crate) const TEXTS: [&str; 40] = [
    "b",
    "B",
    "a",
    "Ärger",
    "ärger",
    "arger",
    "ARGER",
    "A\u{308}rger",
    "Zorn",
    "zorn",
    "Straße",
    "STRASSE",
    "ﬁn",
    "fin",
    "100%",
    "100％",
    "100",
    "a_b",
    "aXb",
    "50\\%",
    "\\",
    "*?[a]",
    "a\"b'c",
    "O'Neil; --",
    "$1",
    "?1",
    "😀",
    "😀😀",
    "🇩🇪",
    "שלום",
    "مرحبا",
    "王小明",
    "İx",
    "ſoft",
    " lead",
    "trail ",
    "null",
    "\u{e000}z",
    "\u{ffff}",
    "é\u{301}\u{301}",
];

const AMOUNTS: [i64; 12] = [
    0,
    1,
    -1,
    5,
    10,
    150,
    -150,
    99_999,
    100_000,
    7,
    999_999_999_999_999_999,
    -999_999_999_999_999_999,
];

const INTEGERS: [i64; 9] = [
    0,
    1,
    -1,
    2,
    3,
    10,
    -10,
    9_007_199_254_740_991,
    -9_007_199_254_740_991,
];

const DATES: [&str; 8] = [
    "2024-02-29",
    "2024-03-01",
    "2026-11-22",
    "1969-12-31",
    "0001-01-01",
    "9999-12-31",
    "2000-01-01",
    "2026-01-31",
];

const TIMES: [&str; 4] = ["00:00:00", "08:30:00", "08:30:00.000001", "23:59:59.999999"];
/// Neighbours, also over the line where days begin and around a pole.
const POINTS: [(&str, &str); 9] = [
    ("52.52", "13.405"),
    ("52.520001", "13.405"),
    ("48.137", "11.575"),
    ("0", "179.9"),
    ("0", "-179.9"),
    ("89.9", "0"),
    ("89.9", "180"),
    ("-90", "0"),
    ("31.2304", "121.4737"),
];
const DURATIONS: [&str; 6] = [
    "PT0S",
    "PT90M",
    "PT1H30M",
    "-PT0.000001S",
    "PT2501999H47M34.740991S",
    "-PT36H",
];
pub(crate) const UUIDS: [&str; 3] = [
    "00000000-0000-0000-0000-000000000000",
    "0190b5a1-7c3e-7000-8000-0000000000ff",
    "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
];

const INSTANTS: [&str; 8] = [
    "2026-11-22T08:00:00Z",
    "2026-11-22T09:00:00+01:00",
    "1969-12-31T23:59:59.999999Z",
    "2000-01-01T00:00:00Z",
    "2024-02-29T12:00:00.5Z",
    "1999-12-31T23:59:59.000001Z",
    "0001-01-02T00:00:00Z",
    "9999-12-30T23:00:00Z",
];

pub(crate) const PHONES: [&str; 7] = [
    "+49 30 123456",
    "030 123456",
    "+1 212 555 0100",
    "112",
    "call 7",
    "+44 (0)20 7946 0000",
    "0049 30/123456",
];

pub(crate) const EMAILS: [&str; 6] = [
    "ada@example.com",
    "Ada@Example.com",
    "bob_b@example.org",
    "zoë@bücher.example",
    "a%b@example.com",
    "o'neil@example.net",
];

const URLS: [&str; 4] = [
    "https://example.com/a_b?c=%20",
    "http://EXAMPLE.com",
    "https://example.com/a",
    "https://bücher.example/ä",
];

const DOCUMENTS: [&str; 9] = [
    "{\"b\":1,\"a\":[1,2.50,null,\"x\"]}",
    "[]",
    "{}",
    "0",
    "1.0",
    "false",
    "\"text \\\"q\\\"\"",
    "{\"é\":{\"😀\":[[[]]]}}",
    "12345678901234567890.12",
];

/// Two people who make records.
const USERS: [u128; 2] = [
    0x0190_163d_8694_739b_aea5_966c_26f8_ad91,
    0x0190_163d_8694_739b_aea5_966c_26f8_ad92,
];

/// Everything that there is to ask about.
pub(crate) struct World {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) tables: Vec<Table>,
    /// What records may hold.
    pub(crate) files: Vec<File>,
}

/// The records of an object, in the trash or not.
pub(crate) struct Table {
    pub(crate) object: ObjectIndex,
    pub(crate) records: Vec<Record>,
}

pub(crate) struct Record {
    pub(crate) id: Uuid,
    pub(crate) version: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) deleted_at: Option<i64>,
    pub(crate) created_by: Uuid,
    pub(crate) updated_by: Uuid,
    pub(crate) owner: Uuid,
    /// In the order of the object's fields. A relation keeps what it points at, also when that is
    /// in the trash.
    pub(crate) values: Vec<Value>,
}

impl World {
    pub(crate) fn object(&self, index: ObjectIndex) -> &Arc<Object> {
        self.catalogue.object(index)
    }

    /// The records of an object.
    pub(crate) fn records(&self, index: ObjectIndex) -> &[Record] {
        self.tables
            .iter()
            .find(|table| table.object == index)
            .map_or(&[], |table| &table.records)
    }

    /// The to-many fields of an object: their names, and the relations that they turn around.
    pub(crate) fn lists(&self, index: ObjectIndex) -> Vec<(&str, ObjectIndex, FieldIndex)> {
        self.catalogue
            .lists_of(&self.object(index).key)
            .filter_map(|list| match list.via {
                Via::Relation(field) => Some((list.list.name.as_str(), list.object, field)),
                Via::Link { .. } | Via::Tree { .. } => None,
            })
            .collect()
    }

    /// What a relation field points at.
    pub(crate) fn target(&self, kind: &Kind) -> Option<ObjectIndex> {
        match kind {
            Kind::Relation(relation) => self
                .catalogue
                .object_keyed(&relation.target)
                .map(|(index, _)| index),
            _ => None,
        }
    }
}

/// How a server of these tests reads what clients write.
pub(crate) fn context() -> CoerceContext {
    CoerceContext {
        region: Some("DE".to_owned()),
        ..CoerceContext::default()
    }
}

fn text(choices: &mut Choices) -> String {
    let mut text = choices.of(&TEXTS).to_owned();
    if choices.one_in(4) {
        text.push_str(choices.of(&TEXTS));
    }
    text
}

/// A decimal of so many digits behind the point.
fn amount(choices: &mut Choices, scale: u32) -> String {
    let scaled = AMOUNTS[choices.below(AMOUNTS.len())];
    rust_decimal::Decimal::new(scaled, scale).to_string()
}

/// A value as a client writes it; nothing for nothing.
fn input(choices: &mut Choices, kind: &Kind) -> Option<Json> {
    if choices.one_in(5) {
        return choices.one_in(2).then_some(Json::Null);
    }
    Some(match kind {
        Kind::Text { .. } => text(choices).into(),
        Kind::LongText { .. } | Kind::RichText { .. } => {
            format!("{}\n\t{}", text(choices), choices.of(&["", "x"])).into()
        }
        Kind::Integer { .. } => INTEGERS[choices.below(INTEGERS.len())].into(),
        Kind::Rating { max } => (1 + choices.below(*max as usize)).into(),
        Kind::Decimal { scale, .. } | Kind::Percent { scale, .. } => amount(choices, *scale).into(),
        Kind::Money { scale, .. } => json!({
            "amount": amount(choices, *scale),
            "currency": choices.of(&["EUR", "USD", "JPY"]),
        }),
        Kind::Boolean => choices.one_in(2).into(),
        Kind::Date => choices.of(&DATES).into(),
        Kind::DateTime => choices.of(&INSTANTS).into(),
        Kind::Time => choices.of(&TIMES).into(),
        Kind::Duration => choices.of(&DURATIONS).into(),
        Kind::Uuid => choices.of(&UUIDS).into(),
        Kind::Texts | Kind::Tags => (0..choices.below(4))
            .map(|_| Json::from(choices.of(&TEXTS)))
            .collect(),
        Kind::Select { options } => options[choices.below(options.len())].value.clone().into(),
        Kind::MultiSelect { options } => {
            let count = choices.below(options.len() + 1);
            choices
                .shuffled(options.iter().collect())
                .into_iter()
                .take(count)
                .map(|option| Json::from(option.value.as_str()))
                .collect()
        }
        Kind::Email => choices.of(&EMAILS).into(),
        Kind::Phone => choices.of(&PHONES).into(),
        Kind::Url => choices.of(&URLS).into(),
        Kind::Json { .. } => serde_json::from_str(choices.of(&DOCUMENTS)).unwrap(),
        Kind::FullName => match choices.below(3) {
            0 => json!({"full": text(choices)}),
            1 => json!({"given": text(choices), "family": text(choices)}),
            _ => json!({"given": text(choices), "family": "王", "order": "FAMILY_FIRST"}),
        },
        Kind::Emails => several(choices, &EMAILS),
        Kind::Phones => several(choices, &PHONES),
        Kind::Address => {
            let mut address = Map::new();
            for part in ["street", "city", "region", "postalCode", "country"] {
                if choices.one_in(2) {
                    address.insert(part.to_owned(), text(choices).into());
                }
            }
            address.into()
        }
        Kind::GeoPoint => {
            let (latitude, longitude) = POINTS[choices.below(POINTS.len())];
            json!({"latitude": latitude, "longitude": longitude})
        }
        Kind::Stage
        | Kind::Relation(_)
        | Kind::File { .. }
        | Kind::User
        | Kind::Autonumber { .. }
        | Kind::Formula(_)
        | Kind::Rollup(_) => {
            return None;
        }
    })
}

fn several(choices: &mut Choices, items: &[&str]) -> Json {
    let additional = (0..choices.below(3))
        .map(|_| choices.of(items))
        .collect::<Vec<_>>();
    json!({"primary": choices.of(items), "additional": additional})
}

/// Makes records of these objects, relates them and puts some into the trash.
pub(crate) async fn write(client: &Client, choices: &mut Choices, keys: &[Key]) -> World {
    let catalogue = client.workspace.state().catalogue.clone();
    let tables = keys
        .iter()
        .map(|key| Table {
            object: catalogue.object_keyed(key).unwrap().0,
            records: Vec::new(),
        })
        .collect();
    let files = files(client).await;
    let mut world = World {
        catalogue,
        tables,
        files,
    };
    for position in 0..world.tables.len() {
        create(client, choices, &mut world, position).await;
    }
    for position in 0..world.tables.len() {
        relate(client, choices, &mut world, position).await;
    }
    for _ in 0..4 * world.tables.len() {
        let table = choices.below(world.tables.len());
        let record = choices.below(world.tables[table].records.len());
        delete(client, &mut world, (table, record)).await;
    }
    for position in 0..world.tables.len() {
        read_back(client, &mut world, position).await;
    }
    work_out(&mut world);
    world
}

/// Puts what is worked out into the records, and fields that hold the same in the place of formulas
/// and rollups: for who asks there is no difference.
fn work_out(world: &mut World) {
    let mut catalogue = Catalogue::clone(&world.catalogue);
    let mut all = Vec::new();
    for table in &world.tables {
        let object = world.object(table.object);
        for (at, field) in object.fields.iter().enumerate() {
            if field.shown() == &field.kind {
                continue;
            }
            let plain = Field {
                kind: field.shown().clone(),
                ..field.clone()
            };
            let values: Vec<Value> = table
                .records
                .iter()
                .map(|record| world.worked_out(table.object, record, field, &plain))
                .collect();
            Arc::make_mut(&mut catalogue.objects[table.object.0]).fields[at] = plain;
            all.push((table.object, at, values));
        }
    }
    for (object, at, values) in all {
        let mut tables = world.tables.iter_mut();
        let table = tables.find(|table| table.object == object).unwrap();
        for (record, value) in table.records.iter_mut().zip(values) {
            record.values[at] = value;
        }
    }
    world.catalogue = Arc::new(catalogue);
}

/// What a formula reads of a record.
struct Reading<'w> {
    world: &'w World,
    object: ObjectIndex,
    record: &'w Record,
}

impl Scope for Reading<'_> {
    fn read(&self, path: &Path) -> Datum {
        let (mut object, mut record) = (self.object, self.record);
        for relation in &path.through {
            let (at, field) = self.world.object(object).field_keyed(relation).unwrap();
            object = self.world.target(&field.kind).unwrap();
            let mut targets = self.world.records(object).iter();
            let found = targets.find(|target| {
                record.values[at.0] == Value::Reference(target.id) && target.deleted_at.is_none()
            });
            match found {
                Some(target) => record = target,
                None => return Datum::Null,
            }
        }
        match &path.column {
            PathColumn::System(SystemField::Version) => Datum::Number(record.version),
            PathColumn::System(SystemField::CreatedAt) => Datum::Instant(record.created_at),
            PathColumn::System(other) => panic!("{other:?} is not asked for"),
            PathColumn::Field { field, part } => {
                let (at, field) = self.world.object(object).field_keyed(field).unwrap();
                datum_of(field, &record.values[at.0], *part)
            }
        }
    }

    fn variable(&self, variable: Variable) -> Datum {
        panic!("{variable:?} is not asked for")
    }
}

impl World {
    fn worked_out(
        &self,
        object: ObjectIndex,
        record: &Record,
        field: &Field,
        plain: &Field,
    ) -> Value {
        match &field.kind {
            Kind::Formula(formula) => {
                let program = formula.expression.program().unwrap();
                let scope = Reading {
                    world: self,
                    object,
                    record,
                };
                program.value_for(plain, &scope, &context()).unwrap()
            }
            Kind::Rollup(rollup) => {
                let (of, children) = self.catalogue.object_keyed(&rollup.object).unwrap();
                let (relation, _) = children
                    .field_keyed(rollup.relation.as_ref().unwrap())
                    .unwrap();
                let mine = self.records(of).iter().filter(|child| {
                    child.deleted_at.is_none()
                        && child.values[relation.0] == Value::Reference(record.id)
                });
                match &rollup.expression {
                    None => Value::Integer(mine.count() as i64),
                    Some(expression) => mine
                        .filter_map(|record| {
                            let scope = Reading {
                                world: self,
                                object: of,
                                record,
                            };
                            match expression.program()?.evaluate_one(&scope) {
                                Datum::Number(number) => Some(number),
                                _ => None,
                            }
                        })
                        .max()
                        .map_or(Value::Null, Value::Integer),
                }
            }
            kind => panic!("{} is not worked out", kind.name()),
        }
    }
}

/// Names that differ in case and accents alone, sizes that are the same, the same file twice.
async fn files(client: &Client) -> Vec<File> {
    const FILES: [(&str, &[u8]); 7] = [
        ("Ärger.txt", b"a"),
        ("arger.TXT", b"bb"),
        ("100%_\".csv", b"cc"),
        ("😀.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("王小明.pdf", b"%PDF-1.7"),
        ("b", b"\0\x01"),
        ("b", b"\0\x01"),
    ];
    let mut files = Vec::new();
    for (name, bytes) in FILES {
        let new = NewFile {
            name,
            content_type: None,
            bytes_max: 100,
        };
        let content = futures_util::stream::iter([Ok(bytes.into())]);
        let kept = file_create(&client.workspace, &client.caller, new, content)
            .await
            .unwrap();
        files.push(File {
            id: kept.id,
            name: kept.name,
            content_type: kept.content_type,
            size: kept.size,
            sha256: kept.sha256,
        });
    }
    files
}

fn acting(client: &Client, user: Uuid) -> Client {
    let mut client = client.clone();
    client.caller = Caller::user(UserInfo {
        id: user,
        name: "Ada".to_owned(),
        email: "ada@example.org".to_owned(),
        is_admin: true,
        locale: None,
        zone: None,
    });
    client
}

async fn create(client: &Client, choices: &mut Choices, world: &mut World, position: usize) {
    let index = world.tables[position].object;
    let object = world.object(index).clone();
    let type_name = object.type_name();
    let plural = relata_catalog::capitalised(&object.plural);
    let count = 24 + choices.below(10);
    while world.tables[position].records.len() < count {
        let user = Uuid::from_u128(USERS[choices.below(USERS.len())]);
        let mut data = Vec::new();
        let mut records = Vec::new();
        // Several at once have one instant of creation.
        for _ in 0..1 + choices.below(8) {
            let (inputs, values) = record(choices, world, index);
            data.push(inputs);
            records.push(Record {
                id: Uuid::nil(),
                version: 0,
                created_at: 0,
                updated_at: 0,
                deleted_at: None,
                created_by: user,
                updated_by: user,
                owner: user,
                values,
            });
        }
        let query = format!(
            "mutation C($data: [{type_name}Create!]!) {{ made: create{plural}(data: $data) {{ nodes(first: 8) {{ id }} }} }}"
        );
        let made = acting(client, user)
            .data(&query, json!({"data": data}))
            .await;
        let made = made["made"]["nodes"].as_array().unwrap();
        assert_eq!(made.len(), records.len());
        for (record, made) in records.iter_mut().zip(made) {
            record.id = made["id"].as_str().unwrap().parse().unwrap();
        }
        world.tables[position].records.extend(records);
    }
}

/// What is sent of a record, and what it must come to.
fn record(choices: &mut Choices, world: &World, index: ObjectIndex) -> (Json, Vec<Value>) {
    let object = world.object(index);
    let mut inputs = Map::new();
    let mut values = Vec::new();
    for field in &object.fields {
        let input = match &field.kind {
            Kind::Stage => stage(choices, world, object, field),
            // Numbers are given by the platform, relations when all records are there.
            Kind::Relation(_) | Kind::Autonumber { .. } | Kind::Formula(_) | Kind::Rollup(_) => {
                None
            }
            Kind::File { .. } if choices.one_in(4) => None,
            Kind::File { .. } => {
                let file = &world.files[choices.below(world.files.len())];
                Some(file.id.to_string().into())
            }
            kind => input(choices, kind),
        };
        let value = match (&field.kind, &input) {
            // Read back: they begin somewhere by themselves.
            (Kind::Stage | Kind::Relation(_) | Kind::Autonumber { .. }, _) | (_, None) => {
                Value::Null
            }
            (_, Some(input)) => match coerce(field, input, &context()).unwrap() {
                Value::File(named) => {
                    let known = world.files.iter().find(|file| file.id == named.id);
                    Value::File(known.unwrap().clone())
                }
                value => value,
            },
        };
        if let Some(input) = input {
            inputs.insert(field.name.clone(), input);
        }
        values.push(value);
    }
    (inputs.into(), values)
}

fn stage(choices: &mut Choices, world: &World, object: &Object, field: &Field) -> Option<Json> {
    let pipelines = world
        .catalogue
        .pipelines_of(&object.key, &field.key)
        .collect::<Vec<_>>();
    if choices.one_in(4) {
        return None;
    }
    let pipeline = pipelines[choices.below(pipelines.len())];
    let stage = &pipeline.stages[choices.below(pipeline.stages.len())];
    Some(json!({"to": stage.name, "pipeline": pipeline.name, "override": true}))
}

/// Most point at a few: so some have many that point at them, and many have none.
async fn relate(client: &Client, choices: &mut Choices, world: &mut World, position: usize) {
    let index = world.tables[position].object;
    let object = world.object(index).clone();
    let type_name = object.type_name();
    let mut fields = Vec::new();
    for at in 0..world.tables[position].records.len() {
        let mut data = Map::new();
        for (field_at, field) in object.fields.iter().enumerate() {
            let Some(target) = world.target(&field.kind) else {
                continue;
            };
            if choices.one_in(4) {
                continue;
            }
            let few = [2, 5, usize::MAX][choices.below(3)];
            let targets = world.records(target);
            let id = targets[choices.below(targets.len().min(few))].id;
            data.insert(field.name.clone(), json!({"connect": {"id": id}}));
            world.tables[position].records[at].values[field_at] = Value::Reference(id);
        }
        if !data.is_empty() {
            fields.push((world.tables[position].records[at].id, Json::Object(data)));
        }
    }
    for some in fields.chunks(20) {
        let mut declared = String::new();
        let mut selected = String::new();
        let mut variables = json!({});
        for (number, (id, data)) in some.iter().enumerate() {
            declared += &format!("$d{number}: {type_name}Update!, ");
            selected +=
                &format!("u{number}: update{type_name}(id: \"{id}\", data: $d{number}) {{ id }} ");
            variables[format!("d{number}")] = data.clone();
        }
        client
            .data(
                &format!("mutation U({declared}) {{ {selected} }}"),
                variables,
            )
            .await;
    }
}

/// Position of a table, and of a record in it.
type Place = (usize, usize);

/// Deletes a record, unless others forbid it. What depends on it goes along, what is to be emptied
/// is emptied; what is in the trash already stays as it is.
async fn delete(client: &Client, world: &mut World, place: Place) {
    let (table, at) = place;
    if world.tables[table].records[at].deleted_at.is_some() {
        return;
    }
    let mut going = vec![place];
    let mut seen = HashSet::from([place]);
    let mut emptied = Vec::new();
    let mut next = 0;
    while let Some((table, at)) = going.get(next).copied() {
        next += 1;
        for (place, field, on_delete) in referrers(world, world.tables[table].records[at].id) {
            if on_delete == OnDelete::Cascade && seen.insert(place) {
                going.push(place);
            }
            if on_delete != OnDelete::Cascade {
                emptied.push((place, field, on_delete));
            }
        }
    }
    emptied.retain(|(place, ..)| !seen.contains(place));
    let is_forbidden = emptied
        .iter()
        .any(|(_, _, on_delete)| *on_delete == OnDelete::Restrict);
    let type_name = world.object(world.tables[table].object).type_name();
    let id = world.tables[table].records[at].id;
    let query = format!("mutation {{ delete{type_name}(id: \"{id}\") {{ id }} }}");
    if is_forbidden {
        let errors = client.errors(&query, json!({})).await;
        assert_eq!(errors[0], "REFERENCED", "{query}");
        return;
    }
    client.data(&query, json!({})).await;
    for ((table, at), field, _) in emptied {
        world.tables[table].records[at].values[field] = Value::Null;
    }
    for (table, at) in going {
        // When exactly is read back.
        world.tables[table].records[at].deleted_at = Some(0);
    }
}

/// Records outside the trash that point at one, by which field, and what that field says of its
/// deletion.
fn referrers(world: &World, id: Uuid) -> Vec<(Place, usize, OnDelete)> {
    let mut referrers = Vec::new();
    for (position, table) in world.tables.iter().enumerate() {
        for (field_at, field) in world.object(table.object).fields.iter().enumerate() {
            let Kind::Relation(relation) = &field.kind else {
                continue;
            };
            for (at, record) in table.records.iter().enumerate() {
                if record.deleted_at.is_none() && record.values[field_at] == Value::Reference(id) {
                    referrers.push(((position, at), field_at, relation.on_delete));
                }
            }
        }
    }
    referrers
}

/// What the platform gives a record: numbers, instants, where it begins in a pipeline.
async fn read_back(client: &Client, world: &mut World, position: usize) {
    let index = world.tables[position].object;
    let object = world.object(index).clone();
    let mut selected = String::new();
    for field in &object.fields {
        match field.kind {
            Kind::Autonumber { .. } => selected += &format!("{} ", field.name),
            Kind::Stage => {
                selected += &format!("{} {{ pipeline stage {{ name }} enteredAt }} ", field.name);
            }
            _ => {}
        }
    }
    let query = format!(
        "{{ list: {}(deleted: INCLUDE, first: 500) {{ nodes {{ id version createdAt updatedAt deletedAt updatedBy {{ ... on User {{ id }} }} {selected} }} }} }}",
        object.plural
    );
    let answer = client.data(&query, json!({})).await;
    let found = answer["list"]["nodes"].as_array().unwrap();
    let catalogue = world.catalogue.clone();
    let records = &mut world.tables[position].records;
    assert_eq!(found.len(), records.len());
    for record in records {
        let found = found
            .iter()
            .find(|found| found["id"] == record.id.to_string())
            .unwrap();
        record.version = found["version"].as_i64().unwrap();
        record.created_at = instant(&found["createdAt"]).unwrap();
        record.updated_at = instant(&found["updatedAt"]).unwrap();
        assert_eq!(
            found["deletedAt"].is_null(),
            record.deleted_at.is_none(),
            "{found}"
        );
        record.deleted_at = instant(&found["deletedAt"]);
        record.updated_by = found["updatedBy"]["id"].as_str().unwrap().parse().unwrap();
        for (field, value) in object.fields.iter().zip(&mut record.values) {
            let found = &found[&field.name];
            match field.kind {
                Kind::Autonumber { .. } => {
                    *value = coerce_operand(field, found, &context()).unwrap();
                }
                Kind::Stage if !found.is_null() => {
                    let pipeline = catalogue
                        .pipelines_of(&object.key, &field.key)
                        .find(|pipeline| found["pipeline"] == pipeline.name)
                        .unwrap();
                    let stage = pipeline
                        .stages
                        .iter()
                        .find(|stage| found["stage"]["name"] == stage.name)
                        .unwrap();
                    *value = Value::Stage(StageValue {
                        pipeline: pipeline.key.clone(),
                        stage: stage.key.clone(),
                        entered_at: instant(&found["enteredAt"]).unwrap(),
                    });
                }
                _ => {}
            }
        }
    }
}

pub(crate) fn instant(json: &Json) -> Option<i64> {
    parse_instant(json.as_str()?)
}
