//! Documents that mean harm: a clear error, and a server that goes on.

use relata_graphql::{
    Accepts, GraphqlRequest, Outcome, RecordsLimits, RequestContext, guard::DocumentLimits,
};
use serde_json::json;

use crate::fixture::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_documents_are_refused() {
    let client = Place::sqlite().open().await;
    let nested = |times: usize| {
        format!(
            "{{ companies(where: {}{{}}{}) {{ totalCount }} }}",
            "{not: ".repeat(times),
            "}".repeat(times)
        )
    };
    let mut doubling = String::from("{ ...F0 }");
    for level in 0..29 {
        doubling.push_str(&format!(
            " fragment F{level} on Query {{ ...F{next} ...F{next} }}",
            next = level + 1
        ));
    }
    doubling.push_str(" fragment F29 on Query { viewer { locale } }");
    for (document, code) in [
        (nested(2_000), "LIMIT_EXCEEDED"),
        (format!("{{ f(x: {}", "[".repeat(100_000)), "LIMIT_EXCEEDED"),
        (doubling, "LIMIT_EXCEEDED"),
        ("{ viewer { locale }".to_owned(), "BAD_INPUT"),
        (
            "query A { viewer { locale } } query B { viewer { zone } }".to_owned(),
            "BAD_INPUT",
        ),
        ("subscription { x }".to_owned(), "BAD_INPUT"),
        (
            "{ ...A } fragment A on Query { ...A }".to_owned(),
            "BAD_INPUT",
        ),
        (nested(12), "LIMIT_EXCEEDED"),
        (
            format!("{{ {} }}", "viewer { locale } ".repeat(51)),
            "LIMIT_EXCEEDED",
        ),
        (
            "{ companies(first: 500) { nodes { people(first: 500) { nodes { id } } } } }"
                .to_owned(),
            "LIMIT_EXCEEDED",
        ),
        (
            "{ companies(first: 501) { totalCount } }".to_owned(),
            "LIMIT_EXCEEDED",
        ),
        (String::new(), "BAD_INPUT"),
        (
            "{ companies(where: $x) { totalCount } }".to_owned(),
            "BAD_INPUT",
        ),
        (
            "query Q($x: CompanyFilter!) { companies(where: $x) { totalCount } }".to_owned(),
            "BAD_INPUT",
        ),
        (
            "query Q($x: Company) { companies(where: $x) { totalCount } }".to_owned(),
            "BAD_INPUT",
        ),
    ] {
        let (body, outcome) = client.ask(&document, json!({})).await;
        let shown: String = document.chars().take(60).collect();
        assert_eq!(
            body["errors"][0]["extensions"]["code"], code,
            "{shown}: {body}"
        );
        assert_eq!(outcome, Outcome::RequestError, "{shown}");
        assert_eq!(body.get("data"), None, "{shown}");
    }
    assert_eq!(
        client.data("{ viewer { locale } }", json!({})).await,
        json!({"viewer": {"locale": "en"}})
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_lists_are_refused() {
    let client = Place::sqlite().open().await;
    let list = (0..1_001).collect::<Vec<_>>();
    assert_eq!(
        client
            .errors(
                "query Q($l: [SafeInt!]) { companies(where: {employees: {in: $l}}) { totalCount } }",
                json!({"l": list})
            )
            .await,
        [
            "LIMIT_EXCEEDED",
            "  companies.where.employees.in TOO_MANY"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_does_not_write() {
    let client = Place::sqlite().open().await;
    let response = client
        .records
        .execute(
            GraphqlRequest {
                query: Some("mutation { createCompany(data: {name: \"x\"}) { id } }".to_owned()),
                accepts: Accepts::QueryOnly,
                ..GraphqlRequest::default()
            },
            &client.caller,
            &RequestContext {
                request_id: "r-1".to_owned(),
            },
        )
        .await;
    assert_eq!(response.outcome, Outcome::MethodNotAllowed);
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(body["errors"][0]["extensions"]["requestId"], "r-1");
    assert_eq!(
        client.data("{ companies { totalCount } }", json!({})).await,
        json!({"companies": {"totalCount": 0}})
    );
}

/// As deep as the settings can allow: what passes then must not overflow a stack either. On a
/// worker's thread, as in the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_highest_depths_fit_the_stack() {
    let client = Place::sqlite().open().await;
    let limits = RecordsLimits {
        document: DocumentLimits {
            depth_max: DocumentLimits::DEPTH_HIGHEST,
            ..DocumentLimits::default()
        },
        filter_depth_max: RecordsLimits::FILTER_DEPTH_HIGHEST,
        ..RecordsLimits::default()
    };
    let client = client.within(limits);
    let wrapped = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let relations = format!(
        "{{ companies(first: 1) {{ nodes {{ {} }} }} }}",
        wrapped(
            "people(first: 1) { nodes { company { ",
            // The store takes 20 relations inside each other; these are 18.
            &wrapped("... { ", "name", " }", DocumentLimits::DEPTH_HIGHEST - 30),
            " } } }",
            9,
        )
    );
    let filters = |times: usize| wrapped("{not: ", "{name: {eq: \"x\"}}", "}", times);
    for document in [
        relations.clone(),
        format!(
            "{{ companies(where: {}) {{ totalCount }} }}",
            filters(RecordsLimits::FILTER_DEPTH_HIGHEST - 1)
        ),
        format!(
            "{{ companies(where: {}) {{ totalCount }} }}",
            wrapped("[", "1", "]", DocumentLimits::DEPTH_HIGHEST - 3)
        ),
        format!(
            "{{ companies(where: {}) {{ totalCount }} }}",
            filters(DocumentLimits::DEPTH_HIGHEST - 5)
        ),
    ] {
        let client = client.clone();
        let asked = tokio::spawn(async move { client.ask(&document, json!({})).await });
        let (body, _) = asked.await.unwrap();
        assert_ne!(
            body["errors"][0]["extensions"]["code"], "INTERNAL",
            "{body}"
        );
    }
    let (body, outcome) = client.ask(&relations, json!({})).await;
    assert_eq!(
        (outcome, &body["errors"]),
        (Outcome::Executed, &json!(null))
    );
}
