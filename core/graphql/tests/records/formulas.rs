//! Formulas: read, filtered, ordered, grouped and measured as any field is, and never written.

use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    a_formula_is_a_field_to_who_reads
    a_formula_follows_what_it_reads
    nobody_writes_a_formula
    what_formulas_stand_on_stays
}

/// Everything that is wrong, a line each.
fn told(refused: Result<(), relata_app::AppError>) -> String {
    let issues = refused.unwrap_err().issues().to_vec();
    relata_catalog::Issues(issues).to_string()
}

async fn apply(client: &Client, document: &Json) -> Result<(), relata_app::AppError> {
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, document, None, &[])
        .await
        .map(|_| ())
}

fn document(extra: &[Json]) -> Json {
    let mut fields = vec![
        json!({"key": "name", "kind": "text"}),
        json!({"key": "price", "kind": "money"}),
        json!({"key": "count", "kind": "integer"}),
        json!({"key": "due", "kind": "date"}),
        json!({"key": "firm", "kind": "relation", "to": "company", "inverse": {"name": "leases"}}),
        json!({"key": "total", "kind": "formula", "expression": "record.price * record.count"}),
        json!({"key": "big", "kind": "formula", "expression": "record.total.amount >= 100"}),
        json!({"key": "half", "kind": "formula", "expression": "decimal(record.count) / 2"}),
        json!({"key": "later", "kind": "formula", "expression": "record.due + record.count"}),
        json!({"key": "title", "kind": "formula",
            "expression": "record.firm.name + \": \" + record.name"}),
    ];
    fields.extend_from_slice(extra);
    json!({"relata": 1, "objects": [{"key": "lease", "plural": "leases", "label": "name",
        "fields": fields}]})
}

async fn world(client: &Client) {
    apply(client, &document(&[])).await.unwrap();
    let firms = ["Ärmel AG", "Zebra"].map(|name| json!({"name": name}));
    let mut ids = Vec::new();
    for firm in firms {
        ids.push(client.create("company", firm).await);
    }
    for (name, amount, currency, count, due, firm) in [
        ("a", "10.50", "EUR", Some(10), Some("2026-01-31"), Some(0)),
        ("b", "10.00", "EUR", Some(3), None, Some(1)),
        ("c", "99.99", "USD", None, Some("2026-02-01"), None),
        ("d", "40.00", "USD", Some(4), Some("2024-02-28"), Some(0)),
    ] {
        let mut data = json!({"name": name, "price": {"amount": amount, "currency": currency},
            "count": count, "due": due});
        if let Some(firm) = firm {
            data["firm"] = json!({"connect": {"id": ids[firm]}});
        }
        client.create("lease", data).await;
    }
}

async fn names(client: &Client, arguments: &str) -> Vec<String> {
    let query = format!("{{ leases({arguments}) {{ nodes {{ name }} }} }}");
    let data = client.data(&query, json!({})).await;
    let nodes = data["leases"]["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn a_formula_is_a_field_to_who_reads(client: Client) {
    world(&client).await;
    let query = "{ leases(orderBy: [{name: ASC}]) { nodes {
        name total { amount currency } big half later title firm { name } } } }";
    let data = client.data(query, json!({})).await;
    assert_eq!(
        data["leases"]["nodes"],
        json!([
            {"name": "a", "total": {"amount": "105.00", "currency": "EUR"}, "big": true,
             "half": "5.000000", "later": "2026-02-10", "title": "Ärmel AG: a",
             "firm": {"name": "Ärmel AG"}},
            {"name": "b", "total": {"amount": "30.00", "currency": "EUR"}, "big": false,
             "half": "1.500000", "later": null, "title": "Zebra: b", "firm": {"name": "Zebra"}},
            {"name": "c", "total": null, "big": null, "half": null, "later": null,
             "title": null, "firm": null},
            {"name": "d", "total": {"amount": "160.00", "currency": "USD"}, "big": true,
             "half": "2.000000", "later": "2024-03-03", "title": "Ärmel AG: d",
             "firm": {"name": "Ärmel AG"}},
        ])
    );
    for (arguments, expected) in [
        (
            "where: {big: {eq: true}}, orderBy: [{name: ASC}]",
            vec!["a", "d"],
        ),
        ("where: {big: {isNull: true}}", vec!["c"]),
        ("where: {half: {gt: \"1.4\", lt: \"2\"}}", vec!["b"]),
        (
            "where: {total: {amount: {gte: \"30\"}, currency: {eq: \"EUR\"}}}, orderBy: [{name: ASC}]",
            vec!["a", "b"],
        ),
        ("where: {title: {iStartsWith: \"ARMEL ag: D\"}}", vec!["d"]),
        ("where: {title: {contains: \"bra\"}}", vec!["b"]),
        (
            "where: {later: {between: [\"2026-01-01\", \"2026-12-31\"]}}",
            vec!["a"],
        ),
        (
            "where: {firm: {leases: {some: {big: {eq: true}}}}}, orderBy: [{name: ASC}]",
            vec!["a", "d"],
        ),
        (
            "orderBy: [{title: ASC_NULLS_LAST}]",
            vec!["a", "d", "b", "c"],
        ),
        (
            "orderBy: [{half: DESC_NULLS_LAST}]",
            vec!["a", "d", "b", "c"],
        ),
        (
            "orderBy: [{later: ASC_NULLS_FIRST}, {name: DESC}]",
            vec!["c", "b", "d", "a"],
        ),
    ] {
        assert_eq!(names(&client, arguments).await, expected, "{arguments}");
    }
    let mut after = Json::Null;
    let mut walked = Vec::new();
    loop {
        let page = client
            .data(
                "query P($after: String) { leases(first: 1, after: $after, orderBy: [{title: DESC_NULLS_LAST}])
                 { nodes { name } pageInfo { hasNextPage endCursor } } }",
                json!({"after": after}),
            )
            .await;
        walked.push(page["leases"]["nodes"][0]["name"].clone());
        if page["leases"]["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        after = page["leases"]["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(walked, ["b", "d", "a", "c"]);
    let measured = client
        .data(
            "{ leases { aggregate { half { sum max } total { sum { amount currency } } title { countDistinct min } }
               groups(by: [{big: true}], orderBy: [{count: DESC}, {key: {big: ASC}}]) {
                 nodes { key { big } aggregate { count half { avg } } where } } } }",
            json!({}),
        )
        .await;
    let aggregate = &measured["leases"]["aggregate"];
    assert_eq!(
        aggregate["half"],
        json!({"sum": "8.500000", "max": "5.000000"})
    );
    assert_eq!(
        aggregate["title"],
        json!({"countDistinct": 3, "min": "Ärmel AG: a"})
    );
    let groups = measured["leases"]["groups"]["nodes"].as_array().unwrap();
    assert_eq!(groups.len(), 3);
    assert_eq!(groups[0]["key"]["big"], json!(true));
    assert_eq!(groups[0]["aggregate"]["count"], json!(2));
    for group in groups {
        let found = client
            .data(
                "query W($where: LeaseFilter) { leases(where: $where) { totalCount } }",
                json!({"where": group["where"]}),
            )
            .await;
        assert_eq!(found["leases"]["totalCount"], group["aggregate"]["count"]);
    }
}

async fn a_formula_follows_what_it_reads(client: Client) {
    world(&client).await;
    // In the answer of the mutation itself, inside its transaction.
    let data = client
        .data(
            "mutation { createLease(data: {name: \"new\", count: 4, price: {amount: \"2\", currency: \"EUR\"}})
             { total { amount } half big title } }",
            json!({}),
        )
        .await;
    assert_eq!(
        data["createLease"],
        json!({"total": {"amount": "8.00"}, "half": "2.000000", "big": false, "title": null})
    );
    let changed = client
        .data(
            "mutation { updateLeases(where: {big: {eq: false}}, data: {count: 1000}) { count } }",
            json!({}),
        )
        .await;
    assert_eq!(changed["updateLeases"]["count"], json!(2));
    assert_eq!(
        names(&client, "where: {big: {eq: true}}, orderBy: [{name: ASC}]").await,
        ["a", "b", "d", "new"]
    );
    client
        .data(
            "mutation { updateCompanies(where: {name: {eq: \"Zebra\"}}, data: {name: \"Affe\"}) { count } }",
            json!({}),
        )
        .await;
    assert_eq!(
        names(&client, "where: {title: {eq: \"Affe: b\"}}").await,
        ["b"]
    );
    client
        .data(
            "mutation { deleteCompanies(where: {name: {eq: \"Affe\"}}) { count } }",
            json!({}),
        )
        .await;
    assert_eq!(
        names(
            &client,
            "where: {title: {isNull: true}}, orderBy: [{name: ASC}]"
        )
        .await,
        ["b", "c", "new"]
    );
}

async fn nobody_writes_a_formula(client: Client) {
    world(&client).await;
    let query = "mutation { createLease(data: {name: \"x\", half: \"1\"}) { id } }";
    assert_eq!(client.errors(query, json!({})).await[0], "BAD_INPUT");
    let inputs = client
        .data(
            "{ __type(name: \"LeaseUpdate\") { inputFields { name } } }",
            json!({}),
        )
        .await;
    let inputs = inputs["__type"]["inputFields"].to_string();
    assert!(
        inputs.contains("\"count\"") && !inputs.contains("\"half\""),
        "{inputs}"
    );
}

async fn what_formulas_stand_on_stays(client: Client) {
    world(&client).await;
    let mut without = document(&[]);
    without["objects"][0]["fields"]
        .as_array_mut()
        .unwrap()
        .remove(2);
    let refused = told(apply(&client, &without).await);
    assert!(
        refused.contains("lease has no field \"count\""),
        "{refused}"
    );
    let cycle = document(&[
        json!({"key": "one", "kind": "formula", "expression": "record.two + 1"}),
        json!({"key": "two", "kind": "formula", "expression": "record.one + 1"}),
    ]);
    let refused = told(apply(&client, &cycle).await);
    assert!(
        refused.contains("lease.one → lease.two → lease.one"),
        "{refused}"
    );
    // Nothing of either was done.
    assert_eq!(names(&client, "where: {half: {eq: \"5\"}}").await, ["a"]);
}
