//! Files: sent, attached to records, read by who may, and gone when nobody needs them.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt as _;
use relata_tests::{Answer, DatabaseKind, Folder, Server, scenario};
use reqwest::StatusCode;
use serde_json::{Value, json};

const PDF: &[u8] = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\nnot much of a document\n";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01";

/// An object whose records hold a contract and a picture.
async fn configure(server: &Server) {
    server
        .metadata(
            "mutation($document: JSON!) { applyBlueprint(document: $document) { id } }",
            json!({"document": {"relata": 1, "objects": [{
                "key": "deed", "plural": "deeds", "label": "title", "fields": [
                    {"key": "title", "kind": "text"},
                    {"key": "contract", "kind": "file", "types": ["application/pdf"], "maxSize": 1_000},
                    {"key": "picture", "kind": "file", "types": ["image/*"]},
                    {"key": "anything", "kind": "file"},
                    {"key": "weight", "kind": "formula", "expression": "record.anything.size + 1"},
                ],
            }]}}),
        )
        .await
        .data();
}

async fn send(server: &Server, token: &str, name: &str, bytes: Vec<u8>) -> (StatusCode, Value) {
    let address = format!("{}/files", server.url);
    let address = reqwest::Url::parse_with_params(&address, [("name", name)]).unwrap();
    let response = server
        .http()
        .post(address)
        .bearer_auth(token)
        .body(bytes)
        .send()
        .await
        .unwrap();
    (response.status(), response.json().await.unwrap())
}

/// Its id.
async fn sent(server: &Server, name: &str, bytes: &[u8]) -> String {
    let (status, answer) = send(server, &server.token, name, bytes.to_vec()).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

async fn get(
    server: &Server,
    token: &str,
    id: &str,
    headers: &[(&str, &str)],
) -> reqwest::Response {
    let mut request = server
        .http()
        .get(format!("{}/files/{id}", server.url))
        .bearer_auth(token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn create(server: &Server, data: Value) -> Answer {
    let query = "mutation($data: DeedCreate!) { createDeed(data: $data) { id } }";
    server.graphql(query, json!({"data": data})).await
}

/// Somebody who is no administrator: their token.
async fn somebody(server: &Server, email: &str) -> String {
    let user = json!({"email": email, "name": email, "password": "correct horse battery staple"});
    server
        .metadata(
            "mutation($user: UserCreate!) { createUser(data: $user) { id } }",
            json!({"user": user}),
        )
        .await
        .data();
    let made = server
        .metadata(
            "mutation($token: TokenCreate!) { createToken(data: $token) { secret } }",
            json!({"token": {"user": email, "name": "test"}}),
        )
        .await
        .data();
    made["createToken"]["secret"].as_str().unwrap().to_owned()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or_default()
}

async fn a_file_goes_with_its_record(server: Server) {
    configure(&server).await;
    let id = sent(&server, "Vertrag Ä.pdf", PDF).await;
    let query =
        "mutation($id: ID!) { createDeed(data: {title: \"Sale\", contract: $id, anything: $id}) {
        contract { id name contentType size sha256 url } weight } }";
    let made = server.graphql(query, json!({"id": id})).await.data();
    let contract = &made["createDeed"]["contract"];
    assert_eq!(contract["id"], id);
    assert_eq!(contract["name"], "Vertrag Ä.pdf");
    assert_eq!(contract["contentType"], "application/pdf");
    assert_eq!(contract["size"], PDF.len());
    assert_eq!(contract["url"], format!("/files/{id}"));
    assert_eq!(made["createDeed"]["weight"], PDF.len() + 1);

    let found = server
        .data(
            "{ found: deeds(where: {contract: {name: {iStartsWith: \"vertrag a\"}, size: {gt: 10},
                contentType: {eq: \"application/pdf\"}, isNull: false}}, orderBy: [{contract: {size: DESC}}]) {
                totalCount nodes { contract { name } } }
              none: deeds(where: {picture: {isNull: false}}) { totalCount } }",
        )
        .await;
    assert_eq!(found["found"]["totalCount"], 1, "{found}");
    assert_eq!(found["none"]["totalCount"], 0);

    let whole = get(&server, &server.token, &id, &[]).await;
    let header = |response: &reqwest::Response, name: &str| {
        let value = response.headers().get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(
        header(&whole, "content-length").unwrap(),
        PDF.len().to_string()
    );
    assert_eq!(
        header(&whole, "content-type").unwrap(),
        "application/octet-stream"
    );
    assert_eq!(header(&whole, "x-content-type-options").unwrap(), "nosniff");
    assert!(
        header(&whole, "content-security-policy")
            .unwrap()
            .starts_with("sandbox")
    );
    let disposition = header(&whole, "content-disposition").unwrap();
    assert!(
        disposition.starts_with("attachment; filename=\"Vertrag _.pdf\""),
        "{disposition}"
    );
    assert!(
        disposition.ends_with("UTF-8''Vertrag%20%C3%84.pdf"),
        "{disposition}"
    );
    let tag = header(&whole, "etag").unwrap();
    assert_eq!(tag, format!("\"{}\"", contract["sha256"].as_str().unwrap()));
    assert_eq!(whole.bytes().await.unwrap(), PDF);

    let known = get(&server, &server.token, &id, &[("if-none-match", &tag)]).await;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    let part = get(&server, &server.token, &id, &[("range", "bytes=1-3")]).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    let size = PDF.len();
    assert_eq!(
        header(&part, "content-range").unwrap(),
        format!("bytes 1-3/{size}")
    );
    assert_eq!(part.bytes().await.unwrap(), &PDF[1..4]);
    let beyond = get(&server, &server.token, &id, &[("range", "bytes=9999-")]).await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(
        header(&beyond, "content-range").unwrap(),
        format!("bytes */{size}")
    );

    // The history tells what the file was.
    let history = server
        .data("{ deeds { nodes { history(first: 5) { nodes { fields { name new } } } } } }")
        .await;
    assert!(history.to_string().contains("Vertrag"), "{history}");
}

async fn only_who_may_gets_a_file(server: Server) {
    configure(&server).await;
    let ada = somebody(&server, "ada@example.com").await;
    let bob = somebody(&server, "bob@example.com").await;
    let (status, answer) = send(&server, &ada, "a.pdf", PDF.to_vec()).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let id = answer["id"].as_str().unwrap().to_owned();
    assert_eq!(get(&server, &ada, &id, &[]).await.status(), StatusCode::OK);
    assert_eq!(
        get(&server, &bob, &id, &[]).await.status(),
        StatusCode::NOT_FOUND
    );
    let nobody = server
        .http()
        .get(format!("{}/files/{id}", server.url))
        .send()
        .await
        .unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);

    // Who may not read it can't put it into a record to read it there.
    let taken = |token: String| {
        let request = server
            .http()
            .post(format!("{}/graphql", server.url))
            .bearer_auth(token)
            .json(&json!({
                "query": "mutation($id: ID!) { createDeed(data: {contract: $id}) { id } }",
                "variables": {"id": id},
            }));
        async { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let refused = taken(bob.clone()).await;
    assert_eq!(code(&refused), "VALIDATION_FAILED", "{refused}");
    assert_eq!(
        refused["errors"][0]["extensions"]["issues"][0]["path"],
        json!(["data", "contract"]),
        "{refused}"
    );
    let made = taken(ada).await;
    let deed = made["data"]["createDeed"]["id"].as_str().unwrap();
    // Now whoever may read the record may, also in the trash; then nobody any more.
    assert_eq!(get(&server, &bob, &id, &[]).await.status(), StatusCode::OK);
    server
        .data(&format!(
            "mutation {{ deleteDeed(id: \"{deed}\") {{ id }} }}"
        ))
        .await;
    assert_eq!(get(&server, &bob, &id, &[]).await.status(), StatusCode::OK);
    server
        .data(&format!("mutation {{ destroyDeed(id: \"{deed}\") }}"))
        .await;
    assert_eq!(
        get(&server, &bob, &id, &[]).await.status(),
        StatusCode::NOT_FOUND
    );
}

async fn what_a_field_does_not_take_is_told_at_once(server: Server) {
    configure(&server).await;
    let large = [PDF, &vec![b' '; 2_000]].concat();
    let (large, png) = (
        sent(&server, "l.pdf", &large).await,
        sent(&server, "p.png", PNG).await,
    );
    let nowhere = "0192f0c0-0000-7000-8000-000000000000";
    for (data, issues) in [
        (json!({"contract": large}), vec!["data.contract: TOO_LARGE"]),
        (
            json!({"contract": png}),
            vec!["data.contract: CONTENT_TYPE"],
        ),
        (
            json!({"contract": png, "picture": large, "anything": nowhere}),
            vec![
                "data.contract: CONTENT_TYPE",
                "data.picture: CONTENT_TYPE",
                "data.anything: NOT_FOUND",
            ],
        ),
        (json!({"anything": "no id"}), vec!["data.anything: BAD_ID"]),
    ] {
        let answer = create(&server, data.clone()).await;
        let mut told = answer.issues();
        let mut issues: Vec<String> = issues.into_iter().map(str::to_owned).collect();
        told.sort();
        issues.sort();
        assert_eq!(told, issues, "{data}");
    }
    let found = server
        .data("{ deeds(deleted: INCLUDE) { totalCount } }")
        .await;
    assert_eq!(found["deeds"]["totalCount"], 0);
    create(&server, json!({"picture": png})).await.data();
}

async fn a_file_that_lies_is_refused(server: Server) {
    for (name, bytes, claimed, told) in [
        ("a.png", PDF, "image/png", "application/pdf"),
        (
            "a.pdf",
            b"hello".as_slice(),
            "application/pdf",
            "text/plain",
        ),
        ("a.csv", PNG, "text/csv", "image/png"),
    ] {
        let (status, answer) = send(&server, &server.token, name, bytes.to_vec()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert_eq!(code(&answer), "BAD_INPUT");
        let issue = &answer["errors"][0]["extensions"]["issues"][0];
        assert_eq!(issue["code"], "CONTENT_TYPE");
        assert_eq!(issue["params"], json!({"claimed": claimed, "told": told}));
    }
    let empty = send(&server, &server.token, "a.txt", Vec::new()).await;
    assert_eq!(code(&empty.1), "BAD_INPUT");
    assert_eq!(contents(&server.folder), Vec::<PathBuf>::new());
}

fn contents(folder: &Folder) -> Vec<PathBuf> {
    let files = folder.path().join("data/files");
    std::fs::read_dir(files)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default()
}

/// A body that goes on and on, and says nothing of its length.
fn endless() -> reqwest::Body {
    let pieces =
        futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 64 << 10]));
    reqwest::Body::wrap_stream(pieces)
}

async fn a_file_is_too_large_while_it_arrives(server: Server) {
    let response = server
        .http()
        .post(format!("{}/files?name=a.txt", server.url))
        .bearer_auth(&server.token)
        .body(endless())
        .send()
        .await;
    // The client may notice the cut connection before it reads the answer.
    if let Ok(response) = response {
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let answer: Value = response.json().await.unwrap();
        assert_eq!(code(&answer), "LIMIT_EXCEEDED");
    }
    eventually("what has arrived is removed", || {
        contents(&server.folder).is_empty()
    })
    .await;
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = tokio::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "not so: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn sweeping(kind: DatabaseKind) -> Server {
    let folder = Folder::fresh(kind).unwrap();
    let settings = "[retention]\nfiles = '1s'\narriving = '1s'\nlook_every = '1s'\n";
    std::fs::write(folder.path().join("relata.toml"), settings).unwrap();
    Server::start_on(folder).await.unwrap()
}

async fn a_kill_leaves_nothing_behind(server: Server) {
    let kind = server.folder.kind();
    drop(server);
    let server = sweeping(kind).await;
    configure(&server).await;
    let id = sent(&server, "kept.pdf", PDF).await;
    let deed = create(&server, json!({"contract": id})).await.data();
    let deed = deed["createDeed"]["id"].as_str().unwrap().to_owned();
    // Half of a file, and then nothing: the process is killed meanwhile.
    let half = vec![b'x'; 4 << 20];
    let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>(half)])
        .chain(futures_util::stream::pending());
    let sending = server
        .http()
        .post(format!("{}/files?name=half.txt", server.url))
        .bearer_auth(&server.token)
        .body(reqwest::Body::wrap_stream(pieces))
        .send();
    let sending = tokio::spawn(sending);
    eventually("half a file is there", || {
        contents(&server.folder).len() == 2
    })
    .await;
    let folder = server.kill().await.unwrap();
    assert!(sending.await.unwrap().is_err());
    assert_eq!(contents(&folder).len(), 2);

    let server = Server::start_on(folder).await.unwrap();
    eventually("half a file is swept", || {
        contents(&server.folder).len() == 1
    })
    .await;
    // What a record holds stays, whatever its age; in the trash too.
    server
        .data(&format!(
            "mutation {{ deleteDeed(id: \"{deed}\") {{ id }} }}"
        ))
        .await;
    let loose = sent(&server, "loose.pdf", PDF).await;
    eventually("what nobody holds is swept", || {
        contents(&server.folder).len() == 1
    })
    .await;
    assert_eq!(
        get(&server, &server.token, &loose, &[]).await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        get(&server, &server.token, &id, &[])
            .await
            .bytes()
            .await
            .unwrap(),
        PDF
    );
    // A field that is removed keeps its files as long as it is parked.
    server
        .data(&format!(
            "mutation {{ restoreDeed(id: \"{deed}\") {{ id }} }}"
        ))
        .await;
    server
        .metadata(
            "mutation { deleteField(object: \"deed\", name: \"contract\", confirm: [\"deed.contract\"]) { id } }",
            json!({}),
        )
        .await
        .data();
    let loose = sent(&server, "loose.pdf", PDF).await;
    eventually("what nobody holds is swept", || {
        contents(&server.folder).len() == 1
    })
    .await;
    assert_eq!(
        get(&server, &server.token, &loose, &[]).await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        get(&server, &server.token, &id, &[])
            .await
            .bytes()
            .await
            .unwrap(),
        PDF
    );
    server
        .data(&format!(
            "mutation {{ deleteDeed(id: \"{deed}\") {{ id }} }}"
        ))
        .await;
    server
        .data(&format!("mutation {{ destroyDeed(id: \"{deed}\") }}"))
        .await;
    eventually("its file goes with the record", || {
        contents(&server.folder).is_empty()
    })
    .await;
}

scenario!(a_file_goes_with_its_record, a_file_goes_with_its_record);
scenario!(only_who_may_gets_a_file, only_who_may_gets_a_file);
scenario!(
    what_a_field_does_not_take_is_told_at_once,
    what_a_field_does_not_take_is_told_at_once
);
scenario!(a_file_that_lies_is_refused, a_file_that_lies_is_refused);
scenario!(
    a_file_is_too_large_while_it_arrives,
    a_file_is_too_large_while_it_arrives
);
scenario!(a_kill_leaves_nothing_behind, a_kill_leaves_nothing_behind);
