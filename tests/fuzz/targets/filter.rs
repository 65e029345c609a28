//! A whole request: variables in JSON on the first line, a document on the others. It is guarded,
//! parsed, validated, planned, its values are coerced, and its SQL is run on a few records.
//!
//! It never panics, each error has a code that the client can do something with, and a plan that
//! was made for other values of the same shape answers as a new one.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use relata_app::{Caller, UserInfo, Workspace, WorkspaceOptions};
use relata_graphql::{
    Accepts, GraphqlRequest, GraphqlResponse, Outcome, Records, RecordsLimits, RecordsOptions,
    RequestContext,
};
use relata_host::{CompileCommand, Host, HostOptions, Limits};
use relata_store::{DatabaseOptions, read::CursorKey};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// What a query may be refused with, or end with. Not `INTERNAL`.
const CODES: &[&str] = &["BAD_INPUT", "LIMIT_EXCEEDED", "FORBIDDEN", "TIMEOUT"];

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

struct Server {
    runtime: tokio::runtime::Runtime,
    client: Client,
    _folder: tempfile::TempDir,
}

struct Client {
    records: Records,
    /// The same, without a cache.
    planning: Records,
    caller: Caller,
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((variables, document)) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.split_once('\n'))
    else {
        return Corpus::Reject;
    };
    let Ok(Json::Object(variables)) = serde_json::from_str(variables) else {
        return Corpus::Reject;
    };
    let request = GraphqlRequest {
        query: Some(document.to_owned()),
        variables,
        accepts: Accepts::QueryOnly,
        ..GraphqlRequest::default()
    };
    let known = SERVER.ask(&SERVER.client.records, request.clone());
    check(&known);
    // Twice, because a moment may pass that a condition is about.
    let is_same = (0..2).any(|_| {
        let planned = SERVER.ask(&SERVER.client.planning, request.clone());
        // Of several unknown members of an object async-graphql names one, any of them.
        let is_refused = known.outcome == Outcome::RequestError;
        planned.body == known.body || (is_refused && planned.outcome == known.outcome)
    });
    assert!(is_same, "{}", String::from_utf8_lossy(&known.body));
    Corpus::Keep
});

fn check(response: &GraphqlResponse) {
    let body: Json = serde_json::from_slice(&response.body).expect("the answer is JSON");
    if response.outcome == Outcome::MethodNotAllowed {
        return;
    }
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    for error in &errors {
        let code = error["extensions"]["code"].as_str().unwrap_or("none");
        assert!(CODES.contains(&code), "{error}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{error}"
        );
    }
    let has_data = body.get("data").is_some();
    assert_eq!(has_data, response.outcome == Outcome::Executed, "{body}");
    assert!(has_data || !errors.is_empty(), "{body}");
}

impl Server {
    fn start() -> Self {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::ERROR)
            .with_writer(std::io::stderr)
            .init();
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        // On a thread of it, because that has a server's stack.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let database = folder.path().join("fuzz.db").display().to_string();
        let cache_dir = folder.path().join("cache");
        let client = runtime.block_on(async {
            let host = Host::new(HostOptions {
                cache_dir,
                limits: Limits::default(),
                compile_command: CompileCommand::InThisProcess,
            })
            .expect("a host starts");
            let options = WorkspaceOptions::new(
                DatabaseOptions::new(format!("sqlite://{database}?mode=rwc")),
                host,
                CursorKey::new([7; 16]),
            );
            let workspace = Workspace::open(options).await.expect("a workspace opens");
            let no_cache = RecordsOptions {
                limits: RecordsLimits {
                    cache_bytes_max: 0,
                    ..RecordsLimits::default()
                },
                ..RecordsOptions::default()
            };
            Client {
                planning: Records::with_options(workspace.clone(), no_cache),
                records: Records::new(workspace),
                caller: Caller::user(UserInfo {
                    id: Uuid::from_u128(0x0190_163d_8694_739b_aea5_966c_26f8_ad91),
                    name: "Ada".to_owned(),
                    email: "ada@example.org".to_owned(),
                    is_admin: true,
                    locale: None,
                    zone: None,
                }),
            }
        });
        let server = Self {
            runtime,
            client,
            _folder: folder,
        };
        server.fill();
        server
    }

    /// A few records, so that conditions have something to look at.
    fn fill(&self) {
        for (document, data) in [
            (
                "mutation C($data: [CompanyCreate!]!) { done: createCompanies(data: $data) { count } }",
                json!([
                    {"name": "Äther GmbH", "industry": "ENERGY", "employees": 12,
                     "annualRevenue": {"amount": "1200.50", "currency": "EUR"},
                     "address": {"city": "Köln", "country": "DE"}},
                    {"name": "公司", "emails": {"primary": "a@example.org", "additional": ["b@example.org"]}},
                    {"name": "100% _\\"},
                ]),
            ),
            (
                "mutation P($data: [PersonCreate!]!) { done: createPeople(data: $data) { count } }",
                json!([
                    {"name": {"given": "Ada", "family": "Lovelace"}, "birthday": "1815-12-10"},
                    {"name": {"family": "Straße"}, "birthday": "2000-02-29"},
                ]),
            ),
            (
                "mutation D($data: [DealCreate!]!) { done: createDeals(data: $data) { count } }",
                json!([
                    {"name": "One", "amount": {"amount": "-3", "currency": "USD"}, "closeDate": "2026-03-31"},
                    {"name": "Two"},
                ]),
            ),
            (
                "mutation T($data: [TaskCreate!]!) { done: createTasks(data: $data) { count } }",
                json!([{"title": "Call", "dueAt": "2026-10-25T02:30:00+02:00"}]),
            ),
        ] {
            let mut variables = serde_json::Map::new();
            variables.insert("data".to_owned(), data);
            let request = GraphqlRequest {
                query: Some(document.to_owned()),
                variables,
                ..GraphqlRequest::default()
            };
            let response = self.ask(&self.client.records, request);
            let body: Json = serde_json::from_slice(&response.body).expect("the answer is JSON");
            assert!(body.get("errors").is_none(), "{body}");
        }
    }

    fn ask(&self, records: &Records, request: GraphqlRequest) -> GraphqlResponse {
        let (records, caller) = (records.clone(), self.client.caller.clone());
        let answering = self.runtime.spawn(async move {
            let context = RequestContext::default();
            records.execute(request, &caller, &context).await
        });
        self.runtime.block_on(answering).expect("nothing panics")
    }
}
