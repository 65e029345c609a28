//! The floor: what the same answers cost when somebody writes them by hand for one schema.
//!
//! Bare axum with rusqlite or tokio-postgres on the tables of a Relata workspace, rows written to
//! JSON in Rust. No authentication, no permissions, no GraphQL, no planner, no limits: the server
//! is measured against this, and may not be much slower.
//!
//! Not here: anything that a benchmark does not ask for.

mod json;
mod postgres;
mod sqlite;

use std::{future::Future, pin::Pin, sync::Arc};

use anyhow::{Context, Result, bail};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use uuid::Uuid;

/// An answer, boxed: two databases behind one router.
type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>>> + Send + 'a>>;

/// The questions of the benchmark.
trait Floor: Send + Sync {
    /// One company by its id, ten fields.
    fn one(&self, id: Uuid) -> Answer<'_>;
    /// Fifty companies by name, ten fields.
    fn list(&self) -> Answer<'_>;
    /// Fifty companies by name, ten fields, each with ten persons, five fields.
    fn nested(&self) -> Answer<'_>;
    /// The fifty persons with a company that come behind this one, by name, five fields.
    fn page(&self, behind: Uuid) -> Answer<'_>;
    /// Deals by stage: how many, and the sums of their amounts by currency.
    fn groups(&self) -> Answer<'_>;
    /// A new company, with its history and outbox.
    fn create(&self, company: NewCompany) -> Answer<'_>;
    /// Many of them in one transaction.
    fn create_many(&self, companies: Vec<NewCompany>) -> Answer<'_>;
    /// Another number of employees, with history and outbox.
    fn update(&self, id: Uuid, employees: i64) -> Answer<'_>;
}

/// What a client sends to make a company.
#[derive(Debug)]
struct NewCompany {
    name: String,
    website: String,
    employees: i64,
}

impl NewCompany {
    fn parse(body: &[u8]) -> Result<Self> {
        Self::read(&serde_json::from_slice(body)?)
    }

    fn parse_many(body: &[u8]) -> Result<Vec<Self>> {
        let json: Vec<serde_json::Value> = serde_json::from_slice(body)?;
        json.iter().map(Self::read).collect()
    }

    fn read(json: &serde_json::Value) -> Result<Self> {
        let text = |name: &str| {
            json[name]
                .as_str()
                .map(str::to_owned)
                .context("a text is missing")
        };
        Ok(Self {
            name: text("name")?,
            website: text("website")?,
            employees: json["employees"].as_i64().context("employees is missing")?,
        })
    }

    /// Close enough to the server's folding for what the benchmark sends.
    fn name_folded(&self) -> String {
        self.name.to_lowercase()
    }

    /// The outbox's list of what changed.
    fn changed(&self) -> &'static str {
        r#"["relata/name","relata/website","relata/employees"]"#
    }

    /// The history's list of what changed, from what to what.
    fn history(&self) -> String {
        serde_json::json!([
            {"field": "relata/name", "old": null, "new": self.name},
            {"field": "relata/website", "old": null, "new": self.website},
            {"field": "relata/employees", "old": null, "new": self.employees},
        ])
        .to_string()
    }
}

/// The history of a company whose number of employees has changed.
fn history_of_update(old: Option<i64>, new: i64) -> String {
    serde_json::json!([{"field": "relata/employees", "old": old, "new": new}]).to_string()
}

/// The outbox's list of what changed.
const CHANGED_BY_UPDATE: &str = r#"["relata/employees"]"#;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(listen)) = (arguments.next(), arguments.next()) else {
        bail!("usage: relata-floor DATABASE-URL ADDRESS");
    };
    let floor: Arc<dyn Floor> = if let Some(rest) = url.strip_prefix("sqlite://") {
        let path = rest.split_once('?').map_or(rest, |(path, _)| path);
        Arc::new(sqlite::Sqlite::open(path)?)
    } else {
        Arc::new(postgres::Postgres::connect(&url).await?)
    };
    let routes = Router::new()
        .route("/one/{id}", get(one))
        .route("/list", get(list))
        .route("/nested", get(nested))
        .route("/page/{behind}", get(page))
        .route("/groups", get(groups))
        .route("/create", post(create))
        .route("/create-many", post(create_many))
        .route("/update/{id}/{employees}", post(update))
        .with_state(floor);
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn one(State(floor): State<Arc<dyn Floor>>, Path(id): Path<Uuid>) -> Response {
    answer(floor.one(id).await)
}

async fn list(State(floor): State<Arc<dyn Floor>>) -> Response {
    answer(floor.list().await)
}

async fn nested(State(floor): State<Arc<dyn Floor>>) -> Response {
    answer(floor.nested().await)
}

async fn page(State(floor): State<Arc<dyn Floor>>, Path(behind): Path<Uuid>) -> Response {
    answer(floor.page(behind).await)
}

async fn groups(State(floor): State<Arc<dyn Floor>>) -> Response {
    answer(floor.groups().await)
}

async fn create(State(floor): State<Arc<dyn Floor>>, body: Bytes) -> Response {
    match NewCompany::parse(&body) {
        Ok(company) => answer(floor.create(company).await),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

async fn create_many(State(floor): State<Arc<dyn Floor>>, body: Bytes) -> Response {
    match NewCompany::parse_many(&body) {
        Ok(companies) => answer(floor.create_many(companies).await),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

async fn update(
    State(floor): State<Arc<dyn Floor>>,
    Path((id, employees)): Path<(Uuid, i64)>,
) -> Response {
    answer(floor.update(id, employees).await)
}

fn answer(result: Result<Vec<u8>>) -> Response {
    match result {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}
