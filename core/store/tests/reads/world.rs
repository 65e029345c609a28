//! A small workspace with a field of each kind, in each database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use relata_catalog::{
    Blueprint, Catalogue, CoerceContext, FieldIndex, Key, Kind, ObjectIndex, StageValue,
    TakenNames, Value, coerce, diff, resolve,
};
use relata_store::filter::{ColumnRef, Deleted, Filter, Operand, Operator, OrderTerm};
use relata_store::read::{
    Connection, ConnectionMember, CursorKey, Directory, Member, Page, Parameter, Read, Reader,
    ReaderOptions, Runs, compile,
};
use relata_store::{Backend, Database, DatabaseOptions, Record, Retention, StoreError, Turn};
use serde_json::Value as Json;
use uuid::Uuid;

const BLUEPRINT: &str = r#"
relata: 1
objects:
  - key: client
    plural: clients
    label: name
    fields:
      - {key: name, kind: text}
      - {key: about, kind: longText}
      - {key: size, kind: integer}
      - {key: rate, kind: decimal, scale: 2}
      - {key: worth, kind: money}
      - {key: active, kind: boolean}
      - {key: since, kind: date}
      - {key: met, kind: dateTime}
      - {key: tier, kind: select, options: [{value: GOLD}, {value: SILVER}]}
      - {key: tags, kind: multiSelect, options: [{value: A}, {value: B}, {value: C}]}
      - {key: mail, kind: email}
      - {key: phone, kind: phone}
      - {key: site, kind: url}
      - {key: extra, kind: json}
      - {key: person, kind: fullName}
      - {key: mails, kind: emails}
      - {key: phones, kind: phones}
      - {key: address, kind: address}
      - {key: parent, kind: relation, to: client, inverse: {name: branches}}
      - {key: number, kind: autonumber, prefix: "C-", digits: 4}
      - {key: stage, kind: stage}
  - key: invoice
    plural: invoices
    label: number
    fields:
      - {key: number, kind: autonumber, prefix: INV-, digits: 5}
      - {key: client, kind: relation, to: client, inverse: {name: invoices}}
      - {key: total, kind: decimal, scale: 2}
  - key: line
    plural: lines
    label: text
    fields:
      - {key: text, kind: text}
      - {key: invoice, kind: relation, to: invoice, inverse: {name: lines}}
pipelines:
  - key: care
    object: client
    field: stage
    stages:
      - {key: new, name: fresh, type: OPEN}
      - {key: kept, type: WON, requires: [name, worth], from: [new]}
      - {key: gone, type: LOST}
"#;

/// One database with the workspace in it.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) reader: Reader,
    pub(crate) catalogue: Catalogue,
    dropped: Option<(String, String)>,
    _folder: tempfile::TempDir,
}

/// One world for each database there is, filled alike.
pub(crate) async fn worlds(records: &[(&str, u128, Json)]) -> Vec<World> {
    let mut worlds = vec![World::on_sqlite().await];
    if let Some(base) = relata_test_cluster::shared() {
        worlds.push(World::on_postgres(&base).await);
    }
    for world in &worlds {
        world.insert(records).await;
    }
    worlds
}

impl World {
    async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/relata.db?mode=rwc", folder.path().display());
        Self::open(url, folder, None).await
    }

    async fn on_postgres(base: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "relata_reads_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        admin(base, &format!("CREATE DATABASE {name}")).await;
        let mut url = url::Url::parse(base).unwrap();
        url.set_path(&name);
        Self::open(
            url.to_string(),
            tempfile::tempdir().unwrap(),
            Some((base.to_owned(), name)),
        )
        .await
    }

    async fn open(
        url: String,
        folder: tempfile::TempDir,
        dropped: Option<(String, String)>,
    ) -> Self {
        let options = DatabaseOptions::new(url);
        let database = Database::open(&options).await.unwrap();
        database.migrate().await.unwrap();
        let blueprint = Blueprint::parse(BLUEPRINT).unwrap();
        let current = Catalogue::default();
        let target = resolve(&current, "workspace", &blueprint, &TakenNames::default()).unwrap();
        let plan = diff(&current, &target);
        let tx = database.begin(Turn::Alone).await.unwrap();
        tx.apply(&plan, Retention::Park, "system", 0).await.unwrap();
        tx.commit().await.unwrap();
        let reader = Reader::open(&ReaderOptions {
            readers: 2,
            ..ReaderOptions::new(&options.url, CursorKey::new([1; 16]))
        })
        .await
        .unwrap();
        Self {
            database,
            reader,
            catalogue: plan.target,
            dropped,
            _folder: folder,
        }
    }

    pub(crate) async fn close(self) {
        self.reader.close().await;
        self.database.close().await;
        if let Some((base, name)) = self.dropped {
            admin(&base, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    pub(crate) fn object(&self, name: &str) -> ObjectIndex {
        self.catalogue.object_named(name).unwrap().0
    }

    pub(crate) fn field(&self, object: &str, name: &str) -> FieldIndex {
        let object = self.catalogue.object(self.object(object));
        object.field_named(name).unwrap().0
    }

    pub(crate) fn part(&self, object: &str, name: &str, part: usize) -> ColumnRef {
        ColumnRef::Field {
            field: self.field(object, name),
            part,
        }
    }

    pub(crate) fn compare(
        &self,
        object: &str,
        field: &str,
        part: usize,
        operator: Operator,
        operand: Operand,
    ) -> Filter {
        Filter::Compare {
            column: self.part(object, field, part),
            operator,
            operand,
        }
    }

    async fn insert(&self, records: &[(&str, u128, Json)]) {
        let tx = self.database.begin(Turn::First).await.unwrap();
        for (object, id, json) in records {
            let object = self.catalogue.object(self.object(object));
            let record = self.record(object, *id, json);
            tx.insert(object, &[record]).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    pub(crate) fn record(&self, object: &relata_catalog::Object, id: u128, json: &Json) -> Record {
        let context = CoerceContext {
            region: Some("DE".to_owned()),
            currency: Some("EUR".to_owned()),
            ..CoerceContext::default()
        };
        let values = object
            .fields
            .iter()
            .map(|field| {
                let given = &json[field.name.as_str()];
                match (&field.kind, given) {
                    (Kind::Autonumber { .. }, Json::Number(number)) => {
                        Value::Integer(number.as_i64().unwrap())
                    }
                    (Kind::Stage, Json::String(stage)) => Value::Stage(StageValue {
                        pipeline: Key::new("workspace", "care"),
                        stage: stage.clone(),
                        entered_at: 1_500_000,
                    }),
                    (Kind::Relation(_), Json::Number(number)) => {
                        Value::Reference(uuid(u128::from(number.as_u64().unwrap())))
                    }
                    _ => coerce(field, given, &context).unwrap(),
                }
            })
            .collect();
        Record {
            id: uuid(id),
            version: 1,
            created_at: id as i64 * 1_000_000,
            updated_at: id as i64 * 1_000_000,
            deleted_at: json["deleted"]
                .as_bool()
                .and_then(|deleted| deleted.then_some(9)),
            created_by: json["by"].as_str().unwrap_or("system").to_owned(),
            updated_by: "system".to_owned(),
            owner: json["owner"].as_u64().map(|owner| uuid(u128::from(owner))),
            values,
        }
    }

    /// Runs a read by the reader and through a transaction, which must agree.
    pub(crate) async fn answer(
        &self,
        read: &Read,
        parameters: &[Parameter],
    ) -> Result<String, StoreError> {
        let compiled = |runs| {
            let backend = self.database.backend();
            Arc::new(compile(&self.catalogue, backend, read, runs).unwrap())
        };
        let on_readers = compiled(Runs::OnReaders);
        let anywhere = compiled(Runs::Anywhere);
        let reader = &self.reader;
        let twice = [
            (Arc::clone(&on_readers), parameters.to_vec()),
            (Arc::clone(&anywhere), parameters.to_vec()),
        ];
        let mut answers = reader.run(&twice, Arc::new(Names)).await?;
        let once = reader.run(&twice[..1], Arc::new(Names)).await?;
        let tx = self.database.begin(Turn::First).await?;
        let within = reader.run_in(&tx, &anywhere, parameters, &Names).await?;
        tx.rollback().await;
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0], once[0]);
        let text = String::from_utf8(answers.remove(0)).unwrap();
        assert_eq!(text, String::from_utf8(within).unwrap());
        Ok(text)
    }
}

/// Runs a read in every world; each must answer with these bytes.
pub(crate) async fn check(
    worlds: &[World],
    read: impl Fn(&World) -> Read,
    parameters: &[Parameter],
    expected: &str,
) {
    for world in worlds {
        let answer = world.answer(&read(world), parameters).await.unwrap();
        assert_eq!(answer, expected, "{:?}", world.database.backend());
    }
}

async fn admin(base: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(base, tokio_postgres::NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

pub(crate) fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) fn text(text: &str) -> Operand {
    Operand::Value(Value::Text(text.to_owned()))
}

pub(crate) fn integer(number: i64) -> Operand {
    Operand::Value(Value::Integer(number))
}

pub(crate) fn column(key: &str, column: ColumnRef) -> Member {
    Member::Column {
        key: key.to_owned(),
        column,
    }
}

pub(crate) fn nodes(members: Vec<Member>) -> ConnectionMember {
    ConnectionMember::Nodes {
        key: "nodes".to_owned(),
        members,
    }
}

pub(crate) fn always() -> Filter {
    Filter::And(Vec::new())
}

/// All records of an object that satisfy a condition, in an order.
pub(crate) fn list(
    world: &World,
    object: &str,
    filter: Filter,
    order: Vec<OrderTerm>,
    page: Page,
    members: Vec<ConnectionMember>,
) -> Connection {
    Connection {
        object: world.object(object),
        via: None,
        filter,
        order,
        page,
        deleted: Deleted::Exclude,
        members,
    }
}

pub(crate) fn backends(worlds: &[World]) -> Vec<Backend> {
    worlds
        .iter()
        .map(|world| world.database.backend())
        .collect()
}

/// Who acts in the tests.
pub(crate) struct Names;

impl Directory for Names {
    fn user(&self, id: Uuid) -> Option<(String, String)> {
        (id == uuid(0xada)).then(|| ("Ada".to_owned(), "ada@example.com".to_owned()))
    }

    fn token(&self, id: Uuid) -> Option<String> {
        (id == uuid(0x70)).then(|| "import".to_owned())
    }

    fn plugin(&self, id: &str) -> Option<String> {
        (id == "relata.membership").then(|| "Membership".to_owned())
    }

    fn field_name(&self, _object: &Key, field: &Key) -> Option<String> {
        (field.local() == "name").then(|| "title".to_owned())
    }
}
