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

const SETS: &str = "query($first: Int, $after: String, $minScore: Float) {
    companiesDuplicates(first: $first, after: $after, minScore: $minScore) {
        sets { score records { id name } pairs { mine theirs score reasons { rule mine theirs } } }
        pageInfo { hasNextPage endCursor } foundAt } }";

/// Has them looked for, and waits for the end; the job's counts.
async fn looked_for(server: &Server, object: &str) -> Value {
    let started = server
        .metadata(
            "mutation($object: String!) { findDuplicates(object: $object) { id kind } }",
            json!({"object": object}),
        )
        .await
        .data();
    assert_eq!(started["findDuplicates"]["kind"], "DUPLICATES");
    let job = ended(server, &started["findDuplicates"]["id"]).await;
    assert_eq!(job["state"], "DONE", "{job:#}");
    job["counts"].clone()
}

async fn ended(server: &Server, id: &Value) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let mut answer = server
            .metadata(
                "query($id: ID!) { job(id: $id) { state counts error } }",
                json!({"id": id}),
            )
            .await
            .data();
        let job = answer["job"].take();
        if job["state"] != "QUEUED" && job["state"] != "RUNNING" {
            return job;
        }
        assert!(Instant::now() < deadline, "{job}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn sets(server: &Server, variables: Value) -> Value {
    server.graphql(SETS, variables).await.data()["companiesDuplicates"].take()
}

fn names(set: &Value) -> Vec<&str> {
    let records = set["records"].as_array().unwrap();
    let mut names: Vec<&str> = records
        .iter()
        .map(|record| record["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    names
}

fn ids(set: &Value) -> Vec<Value> {
    let records = set["records"].as_array().unwrap();
    records.iter().map(|record| record["id"].clone()).collect()
}

scenario!(
    duplicates_over_a_whole_object,
    |server: Server| async move {
        let nothing = sets(&server, json!({})).await;
        assert_eq!(
            (&nothing["sets"], &nothing["foundAt"]),
            (&json!([]), &Value::Null)
        );
        server
            .data(
                r#"mutation { createCompanies(data: [
                    {name: "Microsoft Corporation", emails: {primary: "info@microsoft.com"}}
                    {name: "Mircosoft Corp.", website: "https://microsoft.com"}
                    {name: "Microsoft Inc", emails: {primary: "info@microsoft.com"}}
                    {name: "Micro Focus", website: "https://microfocus.com"}
                    {name: "华为技术有限公司", website: "https://www.huawei.com"}
                    {name: "Huawei Technologies", website: "https://huawei.com"}
                    {name: "Deutsche Bahn AG"}
                    {name: "Deutsche Bahn"}
                    {name: "Contoso"}
                ]) { count } }"#,
            )
            .await;
        let counts = looked_for(&server, "company").await;
        assert_eq!(
            (&counts["records"], &counts["done"], &counts["sets"]),
            (&json!(9), &json!(9), &json!(3)),
            "{counts}"
        );
        let page = sets(&server, json!({})).await;
        assert!(page["foundAt"].is_string());
        let all = page["sets"].as_array().unwrap();
        assert_eq!(all.len(), 3, "{page:#}");
        assert_eq!(
            names(&all[0]),
            ["Microsoft Corporation", "Microsoft Inc", "Mircosoft Corp."]
        );
        let scores: Vec<f64> = all
            .iter()
            .map(|set| set["score"].as_f64().unwrap())
            .collect();
        assert!(scores.is_sorted_by(|one, next| one >= next), "{scores:?}");
        let likeliest = &all[0]["pairs"][0];
        assert_eq!(likeliest["score"], all[0]["score"]);
        assert_eq!(likeliest["reasons"][0]["rule"], "EMAIL");
        assert_eq!(likeliest["reasons"][0]["mine"], "info@microsoft.com");

        // Page by page, and only the likely ones.
        let first = sets(&server, json!({"first": 1})).await;
        assert_eq!(first["sets"].as_array().unwrap().len(), 1);
        assert_eq!(first["pageInfo"]["hasNextPage"], true);
        let rest = sets(
            &server,
            json!({"first": 5, "after": first["pageInfo"]["endCursor"]}),
        )
        .await;
        assert_eq!(rest["sets"], json!(all[1..]));
        assert_eq!(rest["pageInfo"]["hasNextPage"], false);
        let likely = sets(&server, json!({"minScore": 0.99})).await;
        assert_eq!(likely["sets"].as_array().unwrap().len(), 1, "{likely:#}");

        // What a person sees at a terminal.
        let printed = server.relata(&["duplicates", "company"]).await.unwrap();
        assert!(printed.contains("Mircosoft Corp."), "{printed}");
        assert!(printed.contains("by EMAIL, NAME, DOMAIN"), "{printed}");
        assert!(!printed.contains("Contoso"), "{printed}");
        let printed = server
            .relata(&["duplicates", "company", "--last", "--first", "2", "--json"])
            .await
            .unwrap();
        let printed: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(printed["sets"].as_array().unwrap().len(), 2);

        // What has become of them since: merged, another, trashed.
        let microsoft = ids(&all[0]);
        server
            .graphql(
                "mutation($ids: [ID!]!, $keep: ID!) { mergeCompanies(ids: $ids, keep: $keep) { id } }",
                json!({"ids": microsoft, "keep": microsoft[0]}),
            )
            .await
            .data();
        let huawei = all
            .iter()
            .find(|set| names(set)[0] == "Huawei Technologies");
        let huawei = ids(huawei.unwrap());
        server
            .graphql(
                r#"mutation($id: ID!) { updateCompany(id: $id,
                    data: {name: "Siemens", website: "https://siemens.com"}) { id } }"#,
                json!({"id": huawei[0]}),
            )
            .await
            .data();
        let left = sets(&server, json!({})).await;
        let left = left["sets"].as_array().unwrap();
        assert_eq!(left.len(), 1, "{left:#?}");
        assert_eq!(names(&left[0]), ["Deutsche Bahn", "Deutsche Bahn AG"]);
        server
            .graphql(
                "mutation($id: ID!) { deleteCompany(id: $id) { id } }",
                json!({"id": ids(&left[0])[0]}),
            )
            .await
            .data();
        assert_eq!(sets(&server, json!({})).await["sets"], json!([]));
    }
);

scenario!(
    who_is_told_apart_is_asked_about_no_more,
    |server: Server| async move {
        let made = server
            .data(
                r#"mutation {
                    a: createCompany(data: {name: "Kohl & Söhne GmbH"}) { id }
                    b: createCompany(data: {name: "Kohl und Soehne"}) { id }
                    c: createCompany(data: {name: "Kohl & Söhne"}) { id } }"#,
            )
            .await;
        let [a, b, c] = ["a", "b", "c"].map(|key| made[key]["id"].clone());
        assert_eq!(looked_for(&server, "company").await["sets"], 1);
        let of = json!({"of": {"id": a}});
        let near = |answer: &Value| -> Vec<Value> {
            let matches = answer["companyDuplicates"].as_array().unwrap();
            let mut ids: Vec<Value> = matches.iter().map(|m| m["node"]["id"].clone()).collect();
            ids.sort_by_key(Value::to_string);
            ids
        };
        let both = server.graphql(COMPANIES, of.clone()).await.data();
        assert_eq!(near(&both), [b.clone(), c.clone()]);

        let dismiss = "mutation($ids: [ID!]!) { dismissCompanyDuplicates(ids: $ids) }";
        let said = server.graphql(dismiss, json!({"ids": [b, a]})).await.data();
        assert_eq!(said["dismissCompanyDuplicates"], 1);
        // The third is like both of them.
        let one = server.graphql(COMPANIES, of.clone()).await.data();
        assert_eq!(near(&one), vec![c.clone()]);
        let page = sets(&server, json!({})).await;
        assert_eq!(page["sets"][0]["records"].as_array().unwrap().len(), 3);
        let pairs = page["sets"][0]["pairs"].as_array().unwrap();
        assert_eq!(pairs.len(), 2, "{pairs:#?}");

        let all = server
            .graphql(dismiss, json!({"ids": [a, b, c]}))
            .await
            .data();
        assert_eq!(all["dismissCompanyDuplicates"], 3);
        assert_eq!(sets(&server, json!({})).await["sets"], json!([]));
        let nobody = server.graphql(COMPANIES, of.clone()).await.data();
        assert_eq!(near(&nobody), Vec::<Value>::new());
        assert_eq!(looked_for(&server, "company").await["sets"], 0);

        let listed = "{ distinctPairs(object: \"company\") { ids at actor } }";
        let listed = server.metadata(listed, json!({})).await.data();
        let pairs = listed["distinctPairs"].as_array().unwrap();
        assert_eq!(pairs.len(), 3);
        assert_eq!(pairs[0]["ids"], json!([a, b]));
        assert!(pairs[0]["actor"].as_str().unwrap().starts_with("token:"));

        let back = "mutation($ids: [ID!]!) { undismissCompanyDuplicates(ids: $ids) }";
        let back = server.graphql(back, json!({"ids": [a, b]})).await.data();
        assert_eq!(back["undismissCompanyDuplicates"], 1);
        let one = server.graphql(COMPANIES, of).await.data();
        assert_eq!(near(&one), vec![b.clone()]);

        for (ids, code) in [
            (json!([a]), "BAD_INPUT"),
            (json!([a, a]), "BAD_INPUT"),
            (
                json!([a, "01a20784-9e44-7269-a81d-56ea2b1c35f3"]),
                "NOT_FOUND",
            ),
            (json!([a, "x"]), "NOT_FOUND"),
        ] {
            let answer = server.graphql(dismiss, json!({"ids": ids})).await;
            assert_eq!(answer.code(), code, "{ids}");
        }
    }
);

scenario!(
    rules_for_duplicates_are_configured,
    |server: Server| async move {
        let find = "mutation($object: String!) { findDuplicates(object: $object) { id } }";
        let refused = server.metadata(find, json!({"object": "deal"})).await;
        assert_eq!(refused.code(), "BAD_INPUT");
        let refused = server.metadata(find, json!({"object": "dael"})).await;
        assert_eq!(refused.code(), "NOT_FOUND");
        let update = "mutation($name: String!, $data: JSON!) {
            updateObject(name: $name, data: $data) {
                duplicates { score owners rules { by fields weight otherwise } } } }";

        // What follows from kinds is shown as what it is.
        let derived = server
            .metadata(
                "{ object(name: \"company\") { duplicates { score owners rules { by fields } } } }",
                json!({}),
            )
            .await
            .data();
        assert_eq!(
            derived["object"]["duplicates"],
            json!({"score": 0.5, "owners": [], "rules": [
                {"by": "EMAIL", "fields": ["emails"]},
                {"by": "PHONE", "fields": ["phones"]},
                {"by": "DOMAIN", "fields": ["website", "emails"]},
                {"by": "NAME", "fields": ["name"]},
                {"by": "ADDRESS", "fields": ["address"]},
            ]})
        );

        // The same tax number, on an object of somebody else.
        server
            .metadata(
                "mutation($data: JSON!) { createField(object: \"company\", data: $data) { name } }",
                json!({"data": {"name": "taxId", "kind": "text"}}),
            )
            .await
            .data();
        let rules = json!([
            {"by": "EQUAL", "fields": ["taxId"], "weight": 8, "otherwise": -4},
            {"by": "NAME", "fields": ["name"]},
        ]);
        let data = json!({"duplicates": {"score": 0.6, "rules": rules}});
        let changed = server
            .metadata(update, json!({"name": "company", "data": data}))
            .await
            .data();
        assert_eq!(
            changed["updateObject"]["duplicates"],
            json!({"score": 0.6, "owners": ["workspace"], "rules": [
                {"by": "EQUAL", "fields": ["taxId"], "weight": 8.0, "otherwise": -4.0},
                {"by": "NAME", "fields": ["name"], "weight": null, "otherwise": null},
            ]})
        );
        server
            .data(
                r#"mutation { createCompanies(data: [
                    {name: "Alpha", taxId: "DE 123-456"}
                    {name: "Omega Holding", taxId: "de123456"}
                    {name: "Alpha", taxId: "DE 999999"}
                    {name: "Alpha", taxId: "DE 777777"}
                ]) { count } }"#,
            )
            .await;
        let counts = looked_for(&server, "company").await;
        let page = sets(&server, json!({})).await;
        assert_eq!(
            names(&page["sets"][0]),
            ["Alpha", "Omega Holding"],
            "{page:#}"
        );
        let reason = &page["sets"][0]["pairs"][0]["reasons"][0];
        assert_eq!(
            (&reason["rule"], &reason["mine"], &reason["theirs"]),
            (&json!("EQUAL"), &json!("DE 123-456"), &json!("de123456"))
        );
        assert_eq!(
            counts["sets"], 1,
            "another number speaks against a name: {counts}"
        );

        let exported = server.relata(&["export-blueprint"]).await.unwrap();
        assert!(exported.contains("by: EQUAL"), "{exported}");

        // All that is wrong, at once and with its place.
        let wrong = json!({"duplicates": {"score": 2, "rules": [
            {"by": "EMAIL", "fields": ["name"]},
            {"by": "EQUAL", "fields": ["taxNo"], "weight": 20},
        ]}});
        let wrong = server
            .metadata(update, json!({"name": "company", "data": wrong}))
            .await;
        assert_eq!(wrong.code(), "BAD_INPUT");
        let issues = wrong.issues();
        for path in [
            "duplicates.score",
            "duplicates.rules.0.fields.0",
            "duplicates.rules.1.fields.0",
            "duplicates.rules.1.weight",
        ] {
            assert!(
                issues.iter().any(|issue| issue.starts_with(path)),
                "{path}: {issues:#?}"
            );
        }

        // A rule goes with its field, and none at all switches it off.
        server
            .metadata(
                "mutation { deleteField(object: \"company\", name: \"taxId\", confirm: [\"company.taxId\"]) { id } }",
                json!({}),
            )
            .await
            .data();
        let left = server
            .metadata(
                "{ object(name: \"company\") { duplicates { rules { by } } } }",
                json!({}),
            )
            .await
            .data();
        assert_eq!(
            left["object"]["duplicates"]["rules"],
            json!([{"by": "NAME"}])
        );
        let off = json!({"duplicates": {"rules": []}});
        server
            .metadata(update, json!({"name": "company", "data": off}))
            .await
            .data();
        let nobody = server
            .graphql(COMPANIES, json!({"of": {"data": {"name": "Alpha"}}}))
            .await
            .data();
        assert_eq!(nobody["companyDuplicates"], json!([]));
        assert_eq!(sets(&server, json!({})).await["sets"], json!([]));

        // What is no party has duplicates when somebody says by what.
        let deals = json!({"duplicates": {"rules": [{"by": "EQUAL", "fields": ["name"]}]}});
        server
            .metadata(update, json!({"name": "deal", "data": deals}))
            .await
            .data();
        server
            .data(r#"mutation { createDeals(data: [{name: "Spring order"}, {name: "spring-order"}]) { count } }"#)
            .await;
        assert_eq!(looked_for(&server, "deal").await["sets"], 1);
    }
);

scenario!(
    a_search_for_duplicates_goes_on_after_a_crash,
    |server: Server| async move {
        const RECORDS: usize = 6_000;
        for from in (0..RECORDS).step_by(1_000) {
            let data: Vec<Value> = (from..from + 1_000)
                .map(|number| json!({"name": format!("Number {}", number % (RECORDS - 1))}))
                .collect();
            server
                .graphql(
                    "mutation($data: [CompanyCreate!]!) { createCompanies(data: $data) { count } }",
                    json!({"data": data}),
                )
                .await
                .data();
        }
        let started = server
            .metadata(
                "mutation { findDuplicates(object: \"company\") { id } }",
                json!({}),
            )
            .await
            .data();
        let id = started["findDuplicates"]["id"].clone();
        let query = "query($id: ID!) { job(id: $id) { state counts } }";
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let job = server.metadata(query, json!({"id": id})).await.data();
            if job["job"]["counts"]["done"] != 0 {
                break;
            }
            assert!(Instant::now() < deadline, "{job}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let folder = server.kill().await.unwrap();
        let server = Server::start_on(folder).await.unwrap();
        let job = ended(&server, &id).await;
        assert_eq!(job["state"], "DONE", "{job:#}");
        assert_eq!(
            job["counts"]["done"], RECORDS,
            "none is looked at twice: {job:#}"
        );
        let page = sets(&server, json!({})).await;
        let set = &page["sets"][0];
        assert_eq!(names(set), ["Number 0", "Number 0"], "{page:#}");
        assert_eq!(page["sets"].as_array().unwrap().len(), 1);
    }
);
