//! Fresh workspaces, and short ways to write and read in them.

use std::{sync::Arc, time::Duration};

use relata_app::{
    AppError, Caller, Unit, Workspace, WorkspaceOptions,
    files::{NewFile, file_bytes, file_create},
    records::{
        BulkMode, record_create, record_create_bulk, record_delete, record_destroy, record_restore,
        record_update,
    },
};
use relata_catalog::{ObjectIndex, Value};
use relata_files::FileStore;
use relata_host::{CompileCommand, Host, HostOptions, Limits};
use relata_store::{
    DatabaseOptions, Find, Lock, Record,
    filter::{Deleted, Filter},
    platform::StoredFile,
    read::CursorKey,
};
use serde_json::{Map, Value as Json};
use tempfile::TempDir;
use uuid::Uuid;

/// Runs a test on each database that there is.
macro_rules! on_each_database {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let place = $crate::fixture::Place::sqlite();
                super::$name(place.open().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(place) = $crate::fixture::Place::postgres().await {
                    super::$name(place.open().await).await;
                    place.drop().await;
                }
            })*
        }
    };
}

/// Where a workspace lives.
pub(crate) struct Place {
    folder: TempDir,
    url: String,
    drop: Option<(String, String)>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!(
            "sqlite://{}?mode=rwc",
            folder.path().join("test.db").display()
        );
        Self {
            folder,
            url,
            drop: None,
        }
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let base = relata_test_cluster::shared()?;
        let name = format!("relata_app_{}", Uuid::now_v7().simple());
        execute(&base, &format!("CREATE DATABASE {name}")).await;
        Some(Self {
            folder: TempDir::new().unwrap(),
            url: format!("{}/{name}", base.trim_end_matches('/')),
            drop: Some((base, name)),
        })
    }

    /// Its folder, removed with it.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) async fn open(&self) -> Workspace {
        self.open_with(|_| {}).await
    }

    /// As `open`, with other options than the defaults.
    pub(crate) async fn open_with(&self, change: impl FnOnce(&mut WorkspaceOptions)) -> Workspace {
        let host = Host::new(HostOptions {
            cache_dir: self.folder.path().join("cache"),
            limits: Limits {
                calls_concurrent_max: 4,
                ..Limits::default()
            },
            compile_command: CompileCommand::InThisProcess,
        })
        .unwrap();
        let mut options = WorkspaceOptions::new(
            DatabaseOptions::new(self.url.clone()),
            host,
            CursorKey::new([7; 16]),
        );
        let files = relata_files::Place::Folder(self.folder.path().join("files"));
        options.files = Some(FileStore::open(&files).unwrap());
        // Ten tries of a delivery, and still no test that waits for minutes.
        options.delivery.pause_first = Duration::from_millis(10);
        options.delivery.pause_max = Duration::from_millis(20);
        change(&mut options);
        Workspace::open(options).await.unwrap()
    }

    pub(crate) async fn drop(self) {
        if let Some((base, name)) = &self.drop {
            execute(
                base,
                &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            )
            .await;
        }
    }
}

async fn execute(url: &str, sql: &str) {
    let (client, connection) =
        tokio_postgres::connect(&format!("{url}/postgres"), tokio_postgres::NoTls)
            .await
            .unwrap();
    let running = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    running.await.unwrap().unwrap();
}

pub(crate) fn map(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

/// Takes a file as the product itself.
pub(crate) async fn upload(
    workspace: &Workspace,
    name: &str,
    bytes: impl Into<Vec<u8>>,
) -> Result<StoredFile, AppError> {
    let new = NewFile {
        name,
        content_type: None,
        bytes_max: 1 << 30,
    };
    let content = futures_util::stream::iter([Ok(bytes.into().into())]);
    file_create(workspace, &Caller::system(), new, content).await
}

/// A whole file.
pub(crate) async fn bytes_of(workspace: &Workspace, caller: &Caller, id: Uuid) -> Vec<u8> {
    file_bytes(workspace, caller, id, 1 << 30).await.unwrap()
}

/// A user who is an administrator.
pub(crate) async fn administrator(workspace: &Workspace) -> Caller {
    relata_app::users::administrator_ensure(workspace, "ada@example.org", None)
        .await
        .unwrap();
    let user = relata_app::users::user_by_email(workspace, "ada@example.org")
        .await
        .unwrap();
    Caller::user(user)
}

/// Somebody without rights beyond records.
pub(crate) fn nobody() -> Caller {
    Caller {
        is_admin: false,
        ..Caller::system()
    }
}

fn index(unit: &Unit, object: &str) -> ObjectIndex {
    unit.catalogue().object_named(object).unwrap().0
}

/// All records of an object outside the trash.
pub(crate) async fn all(workspace: &Workspace, object: &'static str) -> Vec<Record> {
    found(workspace, object, Deleted::Exclude).await
}

/// The records of an object that are in the trash.
pub(crate) async fn in_trash(workspace: &Workspace, object: &'static str) -> Vec<Record> {
    found(workspace, object, Deleted::Only).await
}

async fn found(workspace: &Workspace, object: &'static str, deleted: Deleted) -> Vec<Record> {
    workspace
        .transact(&nobody(), move |unit| {
            Box::pin(async move {
                let find = Find {
                    object: index(&unit, object),
                    filter: Filter::And(Vec::new()),
                    order: Vec::new(),
                    limit: None,
                    deleted,
                    lock: Lock::None,
                };
                Ok(unit.transaction().find(unit.catalogue(), &find).await?)
            })
        })
        .await
        .unwrap()
}

pub(crate) async fn create(
    workspace: &Workspace,
    object: &'static str,
    data: Json,
) -> Result<Uuid, AppError> {
    create_as(workspace, &nobody(), object, data).await
}

pub(crate) async fn create_as(
    workspace: &Workspace,
    caller: &Caller,
    object: &'static str,
    data: Json,
) -> Result<Uuid, AppError> {
    let data = map(data);
    workspace
        .transact(caller, move |unit| {
            let data = data.clone();
            Box::pin(async move {
                let written = record_create(&unit, index(&unit, object), &data).await?;
                Ok(written.id)
            })
        })
        .await
}

pub(crate) async fn create_many(
    workspace: &Workspace,
    object: &'static str,
    rows: Vec<Json>,
) -> Result<Vec<Uuid>, AppError> {
    let rows: Arc<Vec<Map<String, Json>>> = Arc::new(rows.into_iter().map(map).collect());
    workspace
        .transact(&nobody(), move |unit| {
            let rows = Arc::clone(&rows);
            Box::pin(async move {
                let object = index(&unit, object);
                let bulk = record_create_bulk(&unit, object, &rows, BulkMode::AllOrNone).await?;
                Ok(bulk.ids)
            })
        })
        .await
}

pub(crate) async fn update(
    workspace: &Workspace,
    object: &'static str,
    id: Uuid,
    data: Json,
    if_version: Option<i64>,
) -> Result<(), AppError> {
    update_as(workspace, &nobody(), object, id, data, if_version).await
}

pub(crate) async fn update_as(
    workspace: &Workspace,
    caller: &Caller,
    object: &'static str,
    id: Uuid,
    data: Json,
    if_version: Option<i64>,
) -> Result<(), AppError> {
    let data = map(data);
    workspace
        .transact(caller, move |unit| {
            let data = data.clone();
            Box::pin(async move {
                let object = index(&unit, object);
                record_update(&unit, object, id, &data, if_version).await?;
                Ok(())
            })
        })
        .await
}

pub(crate) async fn delete(
    workspace: &Workspace,
    object: &'static str,
    id: Uuid,
) -> Result<(), AppError> {
    workspace
        .transact(&nobody(), move |unit| {
            Box::pin(async move { record_delete(&unit, index(&unit, object), id).await })
        })
        .await
}

pub(crate) async fn restore(
    workspace: &Workspace,
    object: &'static str,
    id: Uuid,
) -> Result<(), AppError> {
    workspace
        .transact(&nobody(), move |unit| {
            Box::pin(async move { record_restore(&unit, index(&unit, object), id).await })
        })
        .await
}

pub(crate) async fn destroy(
    workspace: &Workspace,
    object: &'static str,
    id: Uuid,
) -> Result<(), AppError> {
    workspace
        .transact(&nobody(), move |unit| {
            Box::pin(async move { record_destroy(&unit, index(&unit, object), id).await })
        })
        .await
}

pub(crate) async fn get(workspace: &Workspace, object: &'static str, id: Uuid) -> Option<Record> {
    workspace
        .transact(&nobody(), move |unit| {
            Box::pin(async move {
                let object = unit.catalogue().object(index(&unit, object)).clone();
                Ok(unit.transaction().get(&object, id, Lock::None).await?)
            })
        })
        .await
        .unwrap()
}

/// The value of one field, as clients get it.
pub(crate) async fn value(
    workspace: &Workspace,
    object: &'static str,
    id: Uuid,
    field: &str,
) -> Json {
    let record = get(workspace, object, id).await.unwrap();
    let state = workspace.state();
    let (_, described) = state.catalogue.object_named(object).unwrap();
    let (index, field) = described.field_named(field).unwrap();
    match record.value(index) {
        Value::Stage(stage) => stage.stage.clone().into(),
        value => relata_catalog::to_json(&field.kind, value),
    }
}

/// Waits until the condition holds, and fails when it does not within a generous time.
pub(crate) async fn eventually<T>(what: &str, check: impl AsyncFn() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "still not so: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Paths and codes of an error, as `path CODE`, sorted.
pub(crate) fn issues(error: &AppError) -> Vec<String> {
    let mut lines: Vec<String> = error
        .issues()
        .iter()
        .map(|issue| format!("{} {}", issue.path_text(), issue.code))
        .collect();
    lines.sort();
    lines
}
