//! A front-end developer writes and reads records.

use relata_tests::{Server, scenario};
use serde_json::{Value, json};

scenario!(
    a_record_lives_from_creation_to_destruction,
    |server: Server| async move {
        let created = server
        .graphql(
            "mutation($data: CompanyCreate!) { createCompany(data: $data) {
                __typename id version label name deletedAt createdBy { __typename ... on User { email } ... on Token { name } }
                annualRevenue { amount currency } } }",
            json!({"data": {"name": "Köhler & Söhne GmbH", "annualRevenue": {"amount": "1200000.50", "currency": "EUR"}}}),
        )
        .await
        .data();
        let company = &created["createCompany"];
        assert_eq!(company["__typename"], "Company");
        assert_eq!(company["version"], 1);
        assert_eq!(company["label"], "Köhler & Söhne GmbH");
        assert_eq!(
            company["annualRevenue"],
            json!({"amount": "1200000.50", "currency": "EUR"})
        );
        assert_eq!(company["deletedAt"], Value::Null);
        let id = company["id"].as_str().unwrap().to_owned();

        let updated = server
        .graphql(
            "mutation($id: ID!, $data: CompanyUpdate!) { updateCompany(id: $id, data: $data, ifVersion: 1) { version name employees } }",
            json!({"id": id, "data": {"employees": 42}}),
        )
        .await
        .data();
        assert_eq!(
            updated["updateCompany"],
            json!({"version": 2, "name": "Köhler & Söhne GmbH", "employees": 42})
        );

        let stale = server
        .graphql(
            "mutation($id: ID!) { updateCompany(id: $id, data: {employees: 43}, ifVersion: 1) { version } }",
            json!({"id": id}),
        )
        .await;
        assert_eq!(stale.code(), "VERSION_CONFLICT");

        server
            .graphql(
                "mutation($id: ID!) { deleteCompany(id: $id) { deletedAt } }",
                json!({"id": id}),
            )
            .await
            .data();
        let listed = server
            .data("{ companies { totalCount } trash: companies(deleted: ONLY) { nodes { name } } }")
            .await;
        assert_eq!(listed["companies"]["totalCount"], 0);
        assert_eq!(listed["trash"]["nodes"][0]["name"], "Köhler & Söhne GmbH");

        server
            .graphql(
                "mutation($id: ID!) { restoreCompany(id: $id) { version } }",
                json!({"id": id}),
            )
            .await
            .data();
        let history = server
        .graphql(
            "query($id: ID!) { company(id: $id) { version history(first: 10) { totalCount nodes { version change fields { name old new } } } } }",
            json!({"id": id}),
        )
        .await
        .data();
        let entries = history["company"]["history"]["nodes"].as_array().unwrap();
        let changes: Vec<&str> = entries
            .iter()
            .map(|entry| entry["change"].as_str().unwrap())
            .collect();
        assert_eq!(changes, ["RESTORE", "DELETE", "UPDATE", "CREATE"]);
        assert_eq!(
            entries[2]["fields"],
            json!([{"name": "employees", "old": null, "new": 42}])
        );
        assert_eq!(history["company"]["version"], 4);

        server
            .graphql(
                "mutation($id: ID!) { destroyCompany(id: $id) }",
                json!({"id": id}),
            )
            .await
            .data();
        let gone = server
            .graphql(
                "query($id: ID!) { company(id: $id) { id } }",
                json!({"id": id}),
            )
            .await
            .data();
        assert_eq!(gone["company"], Value::Null);
        let again = server
            .graphql(
                "mutation($id: ID!) { deleteCompany(id: $id) { id } }",
                json!({"id": id}),
            )
            .await;
        assert_eq!(again.code(), "NOT_FOUND");
    }
);

scenario!(
    people_are_read_with_their_company_and_companies_with_their_people,
    |server: Server| async move {
        server
            .data(
                r#"mutation {
                a: createCompany(data: {name: "Ångström AB"}) { id }
                b: createCompany(data: {name: "华信科技"}) { id }
            }"#,
            )
            .await;
        for (name, company) in [
            ("Ada", "Ångström AB"),
            ("Björn", "Ångström AB"),
            ("王小明", "华信科技"),
        ] {
            let found = server
                .graphql(
                    "query($n: String!) { companies(where: {name: {eq: $n}}) { nodes { id } } }",
                    json!({"n": company}),
                )
                .await
                .data();
            let id = found["companies"]["nodes"][0]["id"].clone();
            server
                .graphql(
                    "mutation($data: PersonCreate!) { createPerson(data: $data) { id } }",
                    json!({"data": {"name": {"full": name}, "company": {"connect": {"id": id}}}}),
                )
                .await
                .data();
        }
        let read = server
        .data(
            "{ companies(orderBy: [{name: ASC}]) { totalCount nodes { name people(orderBy: [{createdAt: ASC}]) { totalCount nodes { label company { name } } } } } }",
        )
        .await;
        assert_eq!(
            read["companies"],
            json!({"totalCount": 2, "nodes": [
                {"name": "Ångström AB", "people": {"totalCount": 2, "nodes": [
                    {"label": "Ada", "company": {"name": "Ångström AB"}},
                    {"label": "Björn", "company": {"name": "Ångström AB"}}]}},
                {"name": "华信科技", "people": {"totalCount": 1, "nodes": [
                    {"label": "王小明", "company": {"name": "华信科技"}}]}},
            ]})
        );
        let by_people = server
        .data(r#"{ companies(where: {people: {some: {name: {contains: "小"}}}}) { nodes { name } } people(where: {company: {name: {iStartsWith: "ANG"}}}) { totalCount } }"#)
        .await;
        assert_eq!(
            by_people["companies"]["nodes"],
            json!([{"name": "华信科技"}])
        );
        assert_eq!(by_people["people"]["totalCount"], 2);
    }
);

scenario!(
    pages_hold_every_record_once_while_records_come_and_go,
    |server: Server| async move {
        let names: Vec<String> = (0..25)
            .map(|number| format!("Company {number:02}"))
            .collect();
        for name in &names {
            create_company(&server, name).await;
        }
        let mut seen = Vec::new();
        let mut after = Value::Null;
        loop {
            let page = server
            .graphql(
                "query($after: String) { companies(first: 10, after: $after, orderBy: [{name: DESC}]) { nodes { name } pageInfo { hasNextPage endCursor } } }",
                json!({"after": after}),
            )
            .await
            .data();
            for node in page["companies"]["nodes"].as_array().unwrap() {
                seen.push(node["name"].as_str().unwrap().to_owned());
            }
            if page["companies"]["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["companies"]["pageInfo"]["endCursor"].clone();
            // Comes before everything that was read: an offset would repeat a record now.
            create_company(&server, &format!("Company Z{}", seen.len())).await;
        }
        let expected: Vec<String> = names.iter().rev().cloned().collect();
        assert_eq!(seen, expected);

        let tampered = server
            .graphql(
                "{ companies(first: 2, after: \"bm90IGEgY3Vyc29y\") { nodes { id } } }",
                json!({}),
            )
            .await;
        assert_eq!(tampered.code(), "BAD_INPUT");
    }
);

scenario!(
    everything_that_is_wrong_is_said_at_once,
    |server: Server| async move {
        let answer = server
            .graphql(
                "mutation($data: PersonCreate!) { createPerson(data: $data) { id } }",
                json!({"data": {
                    "emails": {"primary": "not an address"},
                    "birthday": "2026-02-30",
                    "company": {"connect": {"id": "00000000-0000-7000-8000-000000000000"}}
                }}),
            )
            .await;
        let issues = answer.issues().join("\n");
        for part in ["name", "emails", "birthday", "company"] {
            assert!(
                issues.contains(part),
                "{part} is missing in:\n{issues}\n{:#}",
                answer.body
            );
        }
        assert_eq!(
            server.data("{ people { totalCount } }").await["people"]["totalCount"],
            0
        );
    }
);

scenario!(a_request_is_one_transaction, |server: Server| async move {
    let answer = server
        .graphql(
            r#"mutation {
                good: createCompany(data: {name: "Kept only with the other"}) { id }
                bad: createCompany(data: {name: ""}) { id }
            }"#,
            json!({}),
        )
        .await;
    assert_eq!(answer.body["errors"][0]["path"], json!(["bad"]));
    assert_eq!(
        server.data("{ companies { totalCount } }").await["companies"]["totalCount"],
        0
    );
});

scenario!(
    a_deal_moves_through_its_pipeline,
    |server: Server| async move {
        let created = server
        .graphql(
            "mutation($d: DealCreate!) { createDeal(data: $d) { id stage { pipeline stage { name type } enteredAt passages(first: 5) { to { name } } } } }",
            json!({"d": {"name": "Framework contract"}}),
        )
        .await
        .data();
        let deal = &created["createDeal"];
        assert_eq!(deal["stage"]["stage"]["type"], "OPEN");
        let id = &deal["id"];

        let options = server
        .graphql(
            "query($id: ID!) { deal(id: $id) { stage { options { stage { name } allowed unmet { code message path } } } } }",
            json!({"id": id}),
        )
        .await
        .data();
        let options = options["deal"]["stage"]["options"]
            .as_array()
            .unwrap()
            .clone();
        let proposal = options
            .iter()
            .find(|option| option["stage"]["name"] == "proposal")
            .unwrap();
        assert_eq!(
            proposal["allowed"], false,
            "a proposal needs an amount: {options:#?}"
        );

        let gate = server
        .graphql("mutation($id: ID!) { updateDeal(id: $id, data: {stage: {to: \"proposal\"}}) { id } }", json!({"id": id}))
        .await;
        assert_eq!(gate.code(), "STAGE_GATE");
        assert!(
            gate.issues().iter().any(|issue| issue.contains("amount")),
            "{:?}",
            gate.issues()
        );

        let moved = server
        .graphql(
            "mutation($id: ID!) { updateDeal(id: $id, data: {amount: {amount: \"12000\", currency: \"EUR\"}, stage: {to: \"proposal\"}}) {
                stage { stage { name } passages(first: 5) { from { name } to { name } } } } }",
            json!({"id": id}),
        )
        .await
        .data();
        assert_eq!(moved["updateDeal"]["stage"]["stage"]["name"], "proposal");
        assert_eq!(
            moved["updateDeal"]["stage"]["passages"][0]["to"]["name"],
            "proposal"
        );

        let unknown = server
        .graphql("mutation($id: ID!) { updateDeal(id: $id, data: {stage: {to: \"nirvana\"}}) { id } }", json!({"id": id}))
        .await;
        assert!(
            unknown.message().contains("nirvana") || unknown.issues().join(" ").contains("stage"),
            "{:#}",
            unknown.body
        );
    }
);

pub(crate) async fn create_company(server: &Server, name: &str) -> String {
    let created = server
        .graphql(
            "mutation($n: String!) { createCompany(data: {name: $n}) { id } }",
            json!({"n": name}),
        )
        .await
        .data();
    created["createCompany"]["id"].as_str().unwrap().to_owned()
}
