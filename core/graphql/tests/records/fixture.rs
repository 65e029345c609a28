//! A fresh workspace with the records endpoint in front of it.

use relata_app::{Caller, UserInfo, Workspace, WorkspaceOptions};
use relata_files::FileStore;
use relata_graphql::{
    GraphqlRequest, Outcome, Records, RecordsLimits, RecordsOptions, RequestContext,
};
use relata_host::{CompileCommand, Host, HostOptions, Limits};
use relata_store::{DatabaseOptions, read::CursorKey};
use serde_json::{Value as Json, json};
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
pub(crate) use on_each_database;

/// Where a workspace lives.
pub(crate) struct Place {
    folder: TempDir,
    url: String,
    drop: Option<(String, String)>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("test.db");
        Self {
            url: format!("sqlite://{}?mode=rwc", file.display()),
            folder,
            drop: None,
        }
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let base = relata_test_cluster::shared()?;
        let name = format!("relata_graphql_{}", Uuid::now_v7().simple());
        sql(&base, &format!("CREATE DATABASE {name}")).await;
        Some(Self {
            folder: TempDir::new().unwrap(),
            url: format!("{}/{name}", base.trim_end_matches('/')),
            drop: Some((base, name)),
        })
    }

    pub(crate) async fn open(&self) -> Client {
        let host = Host::new(HostOptions {
            cache_dir: self.folder.path().join("cache"),
            limits: Limits {
                calls_concurrent_max: 2,
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
        options.region = Some("DE".to_owned());
        let workspace = Workspace::open(options).await.unwrap();
        Client::of(workspace)
    }

    pub(crate) async fn drop(self) {
        if let Some((base, name)) = &self.drop {
            sql(
                base,
                &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            )
            .await;
        }
    }
}

async fn sql(url: &str, text: &str) {
    let url = format!("{}/postgres", url.trim_end_matches('/'));
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    let running = tokio::spawn(connection);
    client.batch_execute(text).await.unwrap();
    drop(client);
    running.await.unwrap().unwrap();
}

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) workspace: Workspace,
    pub(crate) records: Records,
    pub(crate) caller: Caller,
}

impl Client {
    fn of(workspace: Workspace) -> Self {
        Self {
            records: Records::new(workspace.clone()),
            workspace,
            caller: Caller::user(UserInfo {
                id: Uuid::from_u128(0x0190_163d_8694_739b_aea5_966c_26f8_ad91),
                name: "Ada".to_owned(),
                email: "ada@example.org".to_owned(),
                is_admin: true,
                locale: None,
                zone: None,
            }),
        }
    }

    /// The same client, where other limits hold.
    pub(crate) fn within(&self, limits: RecordsLimits) -> Self {
        let options = RecordsOptions {
            limits,
            ..RecordsOptions::default()
        };
        Self {
            records: Records::with_options(self.workspace.clone(), options),
            ..self.clone()
        }
    }

    /// The whole answer.
    pub(crate) async fn ask(&self, query: &str, variables: Json) -> (Json, Outcome) {
        let response = self
            .records
            .execute(
                GraphqlRequest {
                    query: Some(query.to_owned()),
                    variables: variables.as_object().cloned().unwrap_or_default(),
                    ..GraphqlRequest::default()
                },
                &self.caller,
                &RequestContext::default(),
            )
            .await;
        let body = serde_json::from_slice(&response.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&response.body)));
        (body, response.outcome)
    }

    /// The data of an answer without errors.
    pub(crate) async fn data(&self, query: &str, variables: Json) -> Json {
        let (mut body, outcome) = self.ask(query, variables).await;
        assert_eq!(body.get("errors"), None, "{query}");
        assert_eq!(outcome, Outcome::Executed);
        body["data"].take()
    }

    /// How many there are of a list, like `people` or `people(deleted: ONLY)`.
    pub(crate) async fn count(&self, list: &str) -> Json {
        let query = format!("{{ list: {list} {{ totalCount }} }}");
        self.data(&query, json!({})).await["list"]["totalCount"].take()
    }

    /// The codes of the errors, each with the paths and codes of its issues.
    pub(crate) async fn errors(&self, query: &str, variables: Json) -> Vec<String> {
        let (body, _) = self.ask(query, variables).await;
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        errors
            .iter()
            .flat_map(|error| {
                let code = error["extensions"]["code"].as_str().unwrap().to_owned();
                let issues = error["extensions"]["issues"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                let issues = issues.iter().map(|issue| {
                    let path = issue["path"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|segment| segment.to_string().replace('"', ""))
                        .collect::<Vec<_>>()
                        .join(".");
                    format!("  {path} {}", issue["code"].as_str().unwrap())
                });
                std::iter::once(code).chain(issues).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Makes a record and gives its id.
    pub(crate) async fn create(&self, object: &str, data: Json) -> String {
        let name = object[..1].to_uppercase() + &object[1..];
        let query =
            format!("mutation C($data: {name}Create!) {{ create{name}(data: $data) {{ id }} }}");
        let created = self.data(&query, json!({"data": data})).await;
        created[format!("create{name}")]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}
