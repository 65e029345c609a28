//! Databases to test on, and catalogues to test with.

use std::sync::Arc;

use relata_catalog::{
    Catalogue, Field, Key, Kind, Object, OnDelete, Plan, Relation, SelectOption, Step, Unique,
    Value,
};
use relata_store::{Database, DatabaseOptions, Record, Retention, Transaction, Turn};
use sea_orm::ConnectionTrait as _;
use uuid::Uuid;

pub struct Place {
    pub url: String,
    _folder: Option<tempfile::TempDir>,
}

impl Place {
    pub fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            url: format!(
                "sqlite://{}?mode=rwc",
                folder.path().join("relata.db").display()
            ),
            _folder: Some(folder),
        }
    }

    pub async fn server() -> Option<Self> {
        let base = relata_test_cluster::shared()?;
        let name = format!("relata_store_{}", Uuid::now_v7().simple());
        let connection = sea_orm::Database::connect(format!("{base}/postgres"))
            .await
            .unwrap();
        connection
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        connection.close().await.unwrap();
        Some(Self {
            url: format!("{base}/{name}"),
            _folder: None,
        })
    }

    pub async fn all() -> Vec<Self> {
        std::iter::once(Self::file())
            .chain(Self::server().await)
            .collect()
    }

    pub async fn open(&self) -> Database {
        let database = Database::open(&DatabaseOptions::new(self.url.as_str()))
            .await
            .unwrap();
        database.migrate().await.unwrap();
        database
    }

    pub async fn remove(self) {
        let Some(base) = relata_test_cluster::shared() else {
            return;
        };
        let Some(name) = self.url.strip_prefix(&format!("{base}/")) else {
            return;
        };
        let connection = sea_orm::Database::connect(format!("{base}/postgres"))
            .await
            .unwrap();
        connection
            .execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)"))
            .await
            .unwrap();
    }
}

/// Runs the test on each database.
pub async fn on_each(test: impl AsyncFn(Database)) {
    for place in Place::all().await {
        let database = place.open().await;
        test(database.clone()).await;
        database.close().await;
        place.remove().await;
    }
}

/// Runs the test on `PostgreSQL`, where there is one.
pub async fn on_postgres(test: impl AsyncFn(Database)) {
    let Some(place) = Place::server().await else {
        return;
    };
    let database = place.open().await;
    test(database.clone()).await;
    database.close().await;
    place.remove().await;
}

pub fn field(key: &str, kind: Kind) -> Field {
    Field {
        key: Key::new("workspace", key),
        name: key.to_owned(),
        labels: Default::default(),
        description: Default::default(),
        kind,
        required: false,
        default: None,
        rules: Default::default(),
        column: key.to_owned(),
    }
}

pub fn object(key: &str, fields: Vec<Field>) -> Object {
    Object {
        key: Key::new("workspace", key),
        singular: key.to_owned(),
        plural: format!("{key}s"),
        labels: Default::default(),
        plural_labels: Default::default(),
        description: Default::default(),
        label_field: fields.first().map(|field| field.key.clone()),
        table: format!("rec_{key}"),
        fields,
        uniques: Vec::new(),
        rules: Vec::new(),
        one_of: Vec::new(),
        duplicates: Vec::new(),
        indexes: Vec::new(),
        locked_when: None,
        rolled_up_by: Vec::new(),
    }
}

pub fn unique(object: &mut Object, index: &str, fields: &[&str]) {
    object.uniques.push(Unique {
        folded: Vec::new(),
        fields: fields
            .iter()
            .map(|key| Key::new("workspace", key))
            .collect(),
        index: index.to_owned(),
    });
}

pub fn text() -> Kind {
    Kind::Text { max: 255 }
}

pub fn options(values: &[&str]) -> Vec<SelectOption> {
    values
        .iter()
        .map(|value| SelectOption {
            value: (*value).to_owned(),
            ..SelectOption::default()
        })
        .collect()
}

pub fn relation(to: &str) -> Kind {
    Kind::Relation(Relation {
        through: None,
        tree: None,
        target: Key::new("workspace", to),
        inverse: None,
        on_delete: OnDelete::SetNull,
    })
}

/// A plan with these steps, from a catalogue to one with these objects.
pub fn plan(base: &Catalogue, objects: Vec<Object>, steps: Vec<Step>) -> Plan {
    Plan {
        id: "test".to_owned(),
        base_revision: base.revision,
        target: Catalogue {
            revision: base.revision + 1,
            objects: objects.into_iter().map(Arc::new).collect(),
            pipelines: Vec::new(),
        },
        steps,
    }
}

pub fn created(object: &Object) -> Step {
    Step::CreateObject {
        name: object.singular.clone(),
        object: Arc::new(object.clone()),
    }
}

pub async fn apply(database: &Database, plan: &Plan, retention: Retention) {
    let transaction = database.begin(Turn::Alone).await.unwrap();
    transaction
        .apply(plan, retention, "system", NOW)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

/// Makes the objects in an empty workspace.
pub async fn with_objects(database: &Database, objects: Vec<Object>) -> Catalogue {
    let steps = objects.iter().map(created).collect();
    let plan = plan(&Catalogue::default(), objects, steps);
    apply(database, &plan, Retention::Park).await;
    plan.target
}

pub const NOW: i64 = 1_760_000_000_000_000;

pub fn record(values: Vec<Value>) -> Record {
    Record {
        id: Uuid::now_v7(),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
        deleted_at: None,
        created_by: "system".to_owned(),
        updated_by: "system".to_owned(),
        owner: None,
        values,
    }
}

pub fn words(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub async fn insert(database: &Database, object: &Object, records: &[Record]) {
    let transaction = database.begin(Turn::First).await.unwrap();
    transaction.insert(object, records).await.unwrap();
    transaction.commit().await.unwrap();
}

pub async fn count(transaction: &Transaction, catalogue: &Catalogue, object: &str) -> i64 {
    let (index, _) = catalogue.object_named(object).unwrap();
    let everything = relata_store::filter::Filter::And(Vec::new());
    transaction
        .total(catalogue, index, &everything, None)
        .await
        .unwrap()
        .0
}
