//! What HTTP clients may rely on, asked of a server in this process.
#![allow(clippy::unwrap_used, missing_docs)]

use relata_app::{Caller, tokens, users};
use relata_server::{Config, RunningServer};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

struct Fixture {
    server: RunningServer,
    token: String,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(adjust: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            metrics_listen: Some(([127, 0, 0, 1], 0).into()),
            database_url: format!(
                "sqlite://{}?mode=rwc",
                folder.path().join("relata.db").display()
            ),
            data_dir: folder.path().join("data"),
            ..Config::default()
        };
        adjust(&mut config);
        let server = relata_server::start(config).await.unwrap();
        let input = users::UserInput {
            email: "ada@example.com".to_owned(),
            is_admin: true,
            ..users::UserInput::default()
        };
        let system = Caller::system();
        let user = users::user_create(server.workspace(), &system, &input)
            .await
            .unwrap();
        let token = tokens::token_create(server.workspace(), &system, user.id, "test", None)
            .await
            .unwrap()
            .token;
        Self {
            server,
            token,
            client: Client::new(),
            _folder: folder,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.server.address);
        self.client.request(method, url)
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).bearer_auth(&self.token)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).bearer_auth(&self.token)
    }
}

fn content_type(response: &Response) -> &str {
    response.headers()["content-type"].to_str().unwrap()
}

async fn code(response: Response) -> String {
    let body: Json = response.json().await.unwrap();
    body["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or_else(|| panic!("no code in {body}"))
        .to_owned()
}

const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

#[tokio::test]
async fn the_media_type_is_negotiated_and_decides_on_the_status() {
    let fixture = Fixture::start().await;
    let query = json!({ "query": "{ __typename }" });
    for path in ["/graphql", "/metadata"] {
        for (accept, media_type) in [
            ("*/*", "application/json"),
            ("application/json", "application/json"),
            (GRAPHQL_RESPONSE, GRAPHQL_RESPONSE),
        ] {
            let sent = fixture.post(path).header("accept", accept).json(&query);
            let response = sent.send().await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(
                content_type(&response),
                format!("{media_type}; charset=utf-8")
            );
            let body: Json = response.json().await.unwrap();
            assert_eq!(body, json!({ "data": { "__typename": "Query" } }));
        }
        for (accept, status) in [("application/json", 200), (GRAPHQL_RESPONSE, 400)] {
            for wrong in [
                "{ nothingOfThisName }",
                "{",
                "query Q($x: Int!) { __typename }",
            ] {
                let sent = fixture.post(path).header("accept", accept);
                let response = sent.json(&json!({ "query": wrong })).send().await.unwrap();
                assert_eq!(response.status(), status, "{accept} {wrong}");
                let body: Json = response.json().await.unwrap();
                assert!(body.get("data").is_none(), "{body}");
                assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_INPUT");
            }
        }
        let response = fixture
            .post(path)
            .header("accept", "image/png")
            .json(&query)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::NOT_ACCEPTABLE);
    }
    fixture.server.shutdown().await;
}

#[tokio::test]
async fn a_body_is_json_of_the_right_form_and_size() {
    let fixture =
        Fixture::start_with(|config| config.body_max = relata_server::config::Size(2_000)).await;
    let send = |content_type: Option<&'static str>, body: String| {
        let request = fixture.post("/graphql").body(body);
        match content_type {
            Some(content_type) => request.header("content-type", content_type),
            None => request,
        }
        .send()
    };
    let query = json!({ "query": "{ __typename }" }).to_string();
    let json_type = Some("application/json");
    for (content_type, body, status) in [
        (json_type, query.clone(), 200),
        (Some("application/json; charset=utf-8"), query.clone(), 200),
        (None, query.clone(), 415),
        (Some("text/plain"), query.clone(), 415),
        (
            Some("application/x-www-form-urlencoded"),
            query.clone(),
            415,
        ),
        (json_type, String::new(), 400),
        (json_type, format!("[{query}]"), 400),
        (
            json_type,
            json!({ "qeury": "{ __typename }" }).to_string(),
            400,
        ),
        (json_type, json!({ "query": 1 }).to_string(), 400),
        (
            json_type,
            json!({ "query": " ".repeat(3_000) }).to_string(),
            413,
        ),
    ] {
        let response = send(content_type, body.clone()).await.unwrap();
        assert_eq!(response.status(), status, "{content_type:?} {body}");
    }
    fixture.server.shutdown().await;
}

/// Sends a request whole before it reads a byte, as many clients do; the answer's first line.
async fn send_whole(
    address: std::net::SocketAddr,
    headers: &str,
    body_bytes: usize,
) -> std::io::Result<String> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    // Else all of it goes into the system's buffers, whether anybody reads or not.
    socket.set_send_buffer_size(16 * 1024)?;
    let mut stream = socket.connect(address).await?;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {body_bytes}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let piece = vec![b' '; 64 * 1024];
    let mut left = body_bytes;
    while left > 0 {
        let now = left.min(piece.len());
        stream.write_all(&piece[..now]).await?;
        left -= now;
    }
    let mut answer = Vec::new();
    while !answer.windows(2).any(|pair| pair == b"\r\n") {
        let mut piece = [0; 4_096];
        match stream.read(&mut piece).await? {
            0 => break,
            read => answer.extend_from_slice(&piece[..read]),
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn who_sends_too_much_gets_the_answer_and_no_reset() {
    let fixture = Fixture::start().await;
    let address = fixture.server.address;
    let authorization = format!("authorization: Bearer {}\r\n", fixture.token);
    let too_large = send_whole(address, &authorization, 3 << 20).await.unwrap();
    assert_eq!(too_large, "HTTP/1.1 413 Payload Too Large");
    // Whoever refuses: here it is nobody's token.
    let unknown = send_whole(address, "", 3 << 20).await.unwrap();
    assert_eq!(unknown, "HTTP/1.1 401 Unauthorized");
    let response = fixture
        .post("/graphql")
        .header("content-type", "application/json")
        .body(vec![b' '; 3 << 20])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    let answer: Json = response.json().await.unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
    // There is an end to it.
    let endless = send_whole(address, &authorization, 1 << 30).await;
    assert!(endless.is_err(), "{endless:?}");
    // Who asks first is answered at once, and sends nothing.
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: 3000000\r\nexpect: 100-continue\r\n{authorization}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    fixture.server.shutdown().await;
}

#[tokio::test]
async fn get_carries_queries_alone() {
    let fixture = Fixture::start().await;
    for path in ["/graphql", "/metadata"] {
        let ask = |query: &str| {
            let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
            fixture.get(&format!("{path}?query={query}")).send()
        };
        let response = ask("{ __typename }").await.unwrap();
        assert_eq!(response.status(), 200);
        let response = ask("mutation { __typename }").await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "POST");
    }
    let response = fixture
        .request(Method::PUT, "/graphql")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    fixture.server.shutdown().await;
}

#[tokio::test]
async fn without_a_token_nothing_is_answered() {
    let fixture = Fixture::start().await;
    for (method, path) in [
        (Method::POST, "/graphql"),
        (Method::POST, "/metadata"),
        (Method::GET, "/graphql?query=%7B__typename%7D"),
        (Method::POST, "/files"),
        (Method::GET, "/files/0192f0c0-0000-7000-8000-000000000000"),
    ] {
        for token in [None, Some("rlt_wrong")] {
            let mut request = fixture
                .request(method.clone(), path)
                .header("accept", GRAPHQL_RESPONSE);
            if method == Method::POST {
                request = request.json(&json!({ "query": "{ __typename }" }));
            }
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 401, "{method} {path} {token:?}");
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            assert_eq!(code(response).await, "UNAUTHENTICATED");
        }
    }
    fixture.server.shutdown().await;
}

#[tokio::test]
async fn a_browser_gets_a_page_that_needs_nothing_from_elsewhere() {
    let fixture = Fixture::start().await;
    for path in ["/graphql", "/metadata"] {
        let response = fixture
            .request(Method::GET, path)
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(content_type(&response), "text/html; charset=utf-8");
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(policy.contains("script-src 'self'"), "{policy}");
        assert!(response.text().await.unwrap().contains("graphiql"));
    }
    let script = fixture
        .request(Method::GET, "/graphiql/graphiql-2.4.7.min.js")
        .send()
        .await
        .unwrap();
    assert_eq!(script.headers()["content-encoding"], "gzip");
    assert_eq!(content_type(&script), "text/javascript; charset=utf-8");
    fixture.server.shutdown().await;
}

#[tokio::test]
async fn other_hosts_and_other_origins_are_kept_out() {
    let fixture = Fixture::start_with(|config| {
        config.cors_origins = vec!["https://app.example.com".to_owned()];
    })
    .await;
    let response = fixture
        .post("/graphql")
        .header("host", "evil.example")
        .json(&json!({ "query": "{ __typename }" }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);

    let preflight = |origin: &'static str| {
        fixture
            .request(Method::OPTIONS, "/graphql")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            )
            .send()
    };
    let allowed = preflight("https://app.example.com").await.unwrap();
    assert_eq!(
        allowed.headers()["access-control-allow-origin"],
        "https://app.example.com"
    );
    let refused = preflight("https://evil.example").await.unwrap();
    assert!(
        !refused
            .headers()
            .contains_key("access-control-allow-origin")
    );
    fixture.server.shutdown().await;
}

#[tokio::test]
async fn a_request_has_an_id_and_answers_are_sealed() {
    let fixture = Fixture::start().await;
    let response = fixture
        .get("/nowhere")
        .header("x-request-id", "mine-1")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["x-request-id"], "mine-1");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(code(response).await, "NOT_FOUND");
    fixture.server.shutdown().await;
}

#[tokio::test]
async fn a_file_comes_back_as_an_attachment_of_no_origin() {
    let fixture = Fixture::start().await;
    let sent = fixture.post("/files?name=a%20b.csv").body("a,b\n1,2\n");
    let response = sent.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let answer: Json = response.json().await.unwrap();
    assert_eq!(answer["name"], "a b.csv");
    assert_eq!(answer["size"], 8);

    let path = format!("/files/{}", answer["id"].as_str().unwrap());
    let response = fixture.get(&path).send().await.unwrap();
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(policy.starts_with("sandbox"), "{policy}");
    let disposition = response.headers()["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment"), "{disposition}");
    assert_eq!(response.text().await.unwrap(), "a,b\n1,2\n");

    let form = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"c.csv\"\r\n\r\nhello\r\n--x--\r\n";
    let response = fixture
        .post("/files")
        .header("content-type", "multipart/form-data; boundary=x")
        .body(form)
        .send()
        .await
        .unwrap();
    let answer: Json = response.json().await.unwrap();
    assert_eq!(
        (&answer["name"], &answer["size"]),
        (&json!("c.csv"), &json!(5))
    );
    fixture.server.shutdown().await;
}

#[tokio::test]
async fn health_and_figures_are_told() {
    let fixture = Fixture::start().await;
    for path in ["/healthz", "/readyz"] {
        let response = fixture.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
    }
    let metrics = fixture.server.metrics_address.unwrap();
    let text = fixture
        .client
        .get(format!("http://{metrics}/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(text.contains("http_requests_total"), "{text}");
    fixture.server.shutdown().await;
}

#[tokio::test]
async fn a_mutation_runs_to_its_end_though_its_client_has_gone() {
    use tokio::io::AsyncWriteExt as _;

    let fixture = Fixture::start().await;
    let body = json!({
        "query": "mutation($data: JSON!) { createObject(data: $data) { name } }",
        "variables": { "data": { "key": "visit", "plural": "visits",
            "fields": [{ "key": "subject", "kind": "text" }] } },
    })
    .to_string();
    let request = format!(
        "POST /metadata HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        fixture.token,
        body.len()
    );
    // Nobody else writes until the client has gone, so the mutation is still under way then.
    let workspace = fixture.server.workspace();
    let turn = workspace
        .database()
        .begin(relata_store::Turn::First)
        .await
        .unwrap();
    let mut stream = tokio::net::TcpStream::connect(fixture.server.address)
        .await
        .unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    // A request that was never read is not begun. These are read after it.
    for _ in 0..20 {
        let healthy = fixture
            .client
            .get(format!("http://{}/healthz", fixture.server.address))
            .send()
            .await
            .unwrap();
        assert!(healthy.status().is_success());
    }
    drop(stream);
    turn.rollback().await;

    let revision_before = 1;
    let mut revisions = fixture.server.workspace().subscribe_revision();
    tokio::time::timeout(
        std::time::Duration::from_secs(10),
        revisions.wait_for(|revision| *revision > revision_before),
    )
    .await
    .expect("the mutation runs to its end")
    .unwrap();
    let state = fixture.server.workspace().state();
    assert!(state.catalogue.object_named("visit").is_some());
    fixture.server.shutdown().await;
}
