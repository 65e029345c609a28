//! Somebody is about to enter a customer who is there already.

use std::time::{Duration, Instant};

use relata_tests::{Server, scenario};
use serde_json::{Value, json};

const COMPANIES: &str = "query($of: CompanyMatchInput!) {
    companyDuplicates(of: $of, first: 5) { score node { id name } reasons { rule score mine theirs } } }";

async fn until_one(server: &Server, query: &str, root: &str, of: Value) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut answer = server.graphql(query, json!({"of": of})).await.data();
        if answer[root]
            .as_array()
            .is_some_and(|matches| matches.len() == 1)
        {
            return answer[root][0].take();
        }
        assert!(Instant::now() < deadline, "{of}: {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

scenario!(
    who_is_there_already_is_found_before_a_create,
    |server: Server| async move {
        let made = server
            .data(
                r#"mutation {
                a: createCompany(data: {name: "华为技术有限公司", website: "https://www.huawei.com"}) { id }
                b: createCompany(data: {name: "Microsoft Corporation", emails: {primary: "info@microsoft.com"}}) { id }
                c: createCompany(data: {name: "Micro Focus", emails: {primary: "info@microfocus.com"}}) { id } }"#,
            )
            .await;
        let data = json!({"data": {"name": "Mircosoft Corp."}});
        let found = until_one(&server, COMPANIES, "companyDuplicates", data).await;
        assert_eq!(found["node"]["id"], made["b"]["id"]);
        assert_eq!(found["reasons"][0]["rule"], "NAME");
        assert_eq!(found["reasons"][0]["mine"], "Mircosoft Corp.");
        assert_eq!(found["reasons"][0]["theirs"], "Microsoft Corporation");

        let data = json!({"data": {"name": "Huawei", "website": "https://huawei.com/en"}});
        let found = until_one(&server, COMPANIES, "companyDuplicates", data).await;
        assert_eq!(found["node"]["id"], made["a"]["id"]);
        let nobody = server
            .graphql(COMPANIES, json!({"of": {"data": {"name": "Contoso"}}}))
            .await
            .data();
        assert_eq!(nobody["companyDuplicates"], json!([]));
    }
);

scenario!(duplicates_of_a_person, |server: Server| async move {
    let made = server
        .data(
            r#"mutation {
                a: createPerson(data: {name: {full: "Ladislav Kovács"}, phones: {primary: "+36 1 234 5678"}}) { id }
                b: createPerson(data: {name: {full: "Kovacs Ladislav"}}) { id }
                c: createPerson(data: {name: {full: "Ladislava Kovácsová"}}) { id } }"#,
        )
        .await;
    let query = "query($of: PersonMatchInput!) { personDuplicates(of: $of) { node { id } } }";
    let found = until_one(
        &server,
        query,
        "personDuplicates",
        json!({"id": made["a"]["id"]}),
    )
    .await;
    assert_eq!(found["node"]["id"], made["b"]["id"]);
    // What is in the trash is nobody's duplicate.
    server
        .graphql(
            "mutation($id: ID!) { deletePerson(id: $id) { id } }",
            json!({"id": made["b"]["id"]}),
        )
        .await
        .data();
    let left = server
        .graphql(query, json!({"of": {"id": made["a"]["id"]}}))
        .await
        .data();
    assert_eq!(left["personDuplicates"], json!([]));
});

scenario!(
    a_wrong_question_about_duplicates_is_refused,
    |server: Server| async move {
        for (variables, path) in [
            (
                json!({"of": {"data": {"name": "x", "website": "no address"}}}),
                "companyDuplicates.of.data.website",
            ),
            (
                json!({"of": {"data": {"name": "x"}}, "first": 101}),
                "companyDuplicates.first",
            ),
        ] {
            let query = "query($of: CompanyMatchInput!, $first: Int) {
                companyDuplicates(of: $of, first: $first) { score } }";
            let answer = server.graphql(query, variables.clone()).await;
            assert_eq!(answer.code(), "BAD_INPUT", "{variables}");
            let issues = answer.issues();
            assert!(issues[0].starts_with(path), "{variables}: {issues:?}");
        }
        let unknown = server
            .graphql(
                COMPANIES,
                json!({"of": {"id": "01a20784-9e44-7269-a81d-56ea2b1c35f3"}}),
            )
            .await;
        assert_eq!(unknown.data()["companyDuplicates"], json!([]));
    }
);
