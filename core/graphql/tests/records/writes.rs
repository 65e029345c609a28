//! Mutations: one transaction, all or nothing, everything wrong said at once.

use relata_graphql::Outcome;
use serde_json::json;

use crate::fixture::{Client, on_each_database};

on_each_database! {
    a_record_lives_and_dies
    every_kind_goes_in_and_comes_out
    phones_that_are_no_numbers
    versions_guard_updates
    all_issues_at_once
    a_request_is_one_transaction
    what_is_not_there
    history_tells_what_changed
    stages_and_gates
}

async fn a_record_lives_and_dies(client: Client) {
    let created = client
        .data(
            "mutation { createCompany(data: {name: \"Acme\"}) { id label version createdBy { __typename ... on User { id } } deletedAt } }",
            json!({}),
        )
        .await;
    let company = &created["createCompany"];
    let id = company["id"].as_str().unwrap();
    assert_eq!(company["label"], "Acme");
    assert_eq!(company["version"], 1);
    assert_eq!(company["createdBy"]["__typename"], "User");
    assert_eq!(company["deletedAt"], json!(null));

    let updated = client
        .data(
            "mutation U($id: ID!, $data: CompanyUpdate!) { updateCompany(id: $id, data: $data, ifVersion: 1) { version name employees } }",
            json!({"id": id, "data": {"employees": 12}}),
        )
        .await;
    assert_eq!(
        updated["updateCompany"],
        json!({"version": 2, "name": "Acme", "employees": 12})
    );

    let count = "{ companies { totalCount } all: companies(deleted: INCLUDE) { totalCount } trash: companies(deleted: ONLY) { nodes { id } } }";
    let by_id = json!({"id": id});
    let deleted = client
        .data(
            "mutation D($id: ID!) { deleteCompany(id: $id) { deletedAt version } }",
            by_id.clone(),
        )
        .await;
    assert!(deleted["deleteCompany"]["deletedAt"].is_string());
    assert_eq!(
        client.data(count, json!({})).await,
        json!({"companies": {"totalCount": 0}, "all": {"totalCount": 1}, "trash": {"nodes": [{"id": id}]}})
    );
    let restored = client
        .data(
            "mutation R($id: ID!) { restoreCompany(id: $id) { deletedAt } }",
            by_id.clone(),
        )
        .await;
    assert_eq!(restored["restoreCompany"]["deletedAt"], json!(null));
    let destroyed = client
        .data(
            "mutation D($id: ID!) { destroyCompany(id: $id) }",
            by_id.clone(),
        )
        .await;
    assert_eq!(destroyed["destroyCompany"], id);
    assert_eq!(
        client
            .data(
                "query Q($id: ID!) { company(id: $id) { id } node(id: $id) { id } }",
                by_id
            )
            .await,
        json!({"company": null, "node": null})
    );
}

async fn every_kind_goes_in_and_comes_out(client: Client) {
    let company = client
        .create(
            "company",
            json!({
                "name": "Müller & Söhne",
                "website": "https://example.org/",
                "industry": "ENERGY",
                "emails": {"primary": "Info@Example.org", "additional": ["b@example.org"]},
                "phones": {"primary": "030 123456", "additional": ["+1 212 555 0100"]},
                "address": {"street": "Weg 1", "city": "Berlin", "postalCode": "10115", "country": "DE"},
                "employees": 9_007_199_254_740_991_i64,
                "annualRevenue": {"amount": "1234.50", "currency": "EUR"},
                "description": "Zeile\n„zwei“ 公司",
            }),
        )
        .await;
    let person = client
        .create(
            "person",
            json!({
                "name": {"family": "王", "given": "小明", "order": "FAMILY_FIRST"},
                "birthday": "1990-02-28",
                "company": {"connect": {"id": company}},
            }),
        )
        .await;
    let read = client
        .data(
            "query Q($c: ID!, $p: ID!) {
               company(id: $c) {
                 name website industry employees description
                 emails { primary additional }
                 phones { __typename primary { e164 typed } additional { number: e164 } }
                 address { street city region postalCode country }
                 annualRevenue { amount currency }
                 people { nodes { id } }
               }
               person(id: $p) { label name { full given family order } birthday company { name } phones { primary { e164 } } }
             }",
            json!({"c": company, "p": person}),
        )
        .await;
    assert_eq!(
        read,
        json!({
            "company": {
                "name": "Müller & Söhne",
                "website": "https://example.org/",
                "industry": "ENERGY",
                "employees": 9_007_199_254_740_991_i64,
                "description": "Zeile\n„zwei“ 公司",
                "emails": {"primary": "Info@Example.org", "additional": ["b@example.org"]},
                "phones": {
                    "__typename": "Phones",
                    "primary": {"e164": "+4930123456", "typed": "030 123456"},
                    "additional": [{"number": "+12125550100"}],
                },
                "address": {"street": "Weg 1", "city": "Berlin", "region": null, "postalCode": "10115", "country": "DE"},
                "annualRevenue": {"amount": "1234.50", "currency": "EUR"},
                "people": {"nodes": [{"id": person}]},
            },
            "person": {
                "label": "王小明",
                "name": {"full": "王小明", "given": "小明", "family": "王", "order": "FAMILY_FIRST"},
                "birthday": "1990-02-28",
                "company": {"name": "Müller & Söhne"},
                "phones": null,
            },
        })
    );
}

/// What cannot be read as a number is kept as it was typed.
async fn phones_that_are_no_numbers(client: Client) {
    let id = client
        .create(
            "company",
            json!({"name": "Acme", "phones": {"primary": "intern 12"}}),
        )
        .await;
    let read = client
        .data(
            "query Q($id: ID!) { company(id: $id) { phones { primary { e164 typed } additional { typed } } } }",
            json!({"id": id}),
        )
        .await;
    assert_eq!(
        read["company"]["phones"],
        json!({"primary": {"e164": null, "typed": "intern 12"}, "additional": []})
    );
}

async fn versions_guard_updates(client: Client) {
    let id = client.create("company", json!({"name": "Acme"})).await;
    let update = "mutation U($id: ID!, $v: SafeInt) { updateCompany(id: $id, data: {employees: 5}, ifVersion: $v) { version } }";
    let errors = client.errors(update, json!({"id": id, "v": 7})).await;
    assert_eq!(errors[0], "VERSION_CONFLICT");
    // Without a version, last writer wins.
    let updated = client.data(update, json!({"id": id})).await;
    assert_eq!(updated["updateCompany"]["version"], 2);
    let (body, outcome) = client.ask(update, json!({"id": id, "v": 1})).await;
    assert_eq!(body["data"], json!(null));
    assert_eq!(body["errors"][0]["path"], json!(["updateCompany"]));
    assert_eq!(outcome, Outcome::Executed);
}

async fn all_issues_at_once(client: Client) {
    // What the schema can tell, in a literal and in a variable.
    let data = json!({"nme": "x", "industry": "FISHING", "employees": "many", "annualRevenue": {"currency": "EUR"}});
    assert_eq!(
        client
            .errors(
                "mutation M($data: CompanyCreate!) { createCompany(data: $data) { id } }",
                json!({"data": data})
            )
            .await,
        [
            "BAD_INPUT",
            "  variables.data.nme UNKNOWN_FIELD",
            "  variables.data.industry UNKNOWN_VALUE",
            "  variables.data.employees WRONG_TYPE",
            "  variables.data.annualRevenue.amount REQUIRED",
        ]
    );
    // What the catalogue tells.
    let errors = client
        .errors(
            "mutation { createCompany(data: {website: \"no address\", employees: -1, emails: {primary: \"nobody\"}}) { id } }",
            json!({}),
        )
        .await;
    assert_eq!(errors[0], "VALIDATION_FAILED", "{errors:?}");
    for path in [
        "data.name ",
        "data.website ",
        "data.employees ",
        "data.emails",
    ] {
        assert!(
            errors
                .iter()
                .any(|line| line.trim_start().starts_with(path)),
            "{path} is not among {errors:?}"
        );
    }
}

async fn a_request_is_one_transaction(client: Client) {
    let (body, _) = client
        .ask(
            "mutation { a: createCompany(data: {name: \"A\"}) { id } b: createCompany(data: {name: \"B\", employees: -1}) { id } c: createCompany(data: {name: \"C\"}) { id } }",
            json!({}),
        )
        .await;
    assert_eq!(body["data"], json!(null));
    assert_eq!(body["errors"][0]["path"], json!(["b"]));
    assert_eq!(
        client.data("{ companies { totalCount } }", json!({})).await,
        json!({"companies": {"totalCount": 0}})
    );
    // Later fields see what earlier ones have written; the answer keeps the document's order.
    let data = client
        .data(
            "mutation { b: createCompany(data: {name: \"B\"}) { name } t: __typename a: createPerson(data: {name: {full: \"P\"}}) { name { full } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        data.to_string(),
        r#"{"b":{"name":"B"},"t":"Mutation","a":{"name":{"full":"P"}}}"#
    );
}

async fn what_is_not_there(client: Client) {
    for id in ["0190163d-8694-739b-aea5-966c26f8ad91", "nonsense", ""] {
        for mutation in [
            "updateCompany(id: $id, data: {name: \"x\"}) { id }",
            "deleteCompany(id: $id) { id }",
            "restoreCompany(id: $id) { id }",
            "destroyCompany(id: $id)",
        ] {
            let query = format!("mutation M($id: ID!) {{ {mutation} }}");
            assert_eq!(
                client.errors(&query, json!({"id": id})).await,
                ["NOT_FOUND"],
                "{mutation} {id}"
            );
        }
        let data = client
            .data(
                "query Q($id: ID!) { company(id: $id) { id } node(id: $id) { id } }",
                json!({"id": id}),
            )
            .await;
        assert_eq!(data, json!({"company": null, "node": null}));
    }
}

async fn history_tells_what_changed(client: Client) {
    let id = client.create("company", json!({"name": "Acme"})).await;
    client
        .data(
            "mutation M($id: ID!) { updateCompany(id: $id, data: {name: \"Acme AG\", employees: 3}) { id } }",
            json!({"id": id}),
        )
        .await;
    let read = client
        .data(
            "query Q($id: ID!) { company(id: $id) { history(first: 1) { totalCount nodes { version change by { __typename } fields { name old new } } pageInfo { hasNextPage endCursor } } } }",
            json!({"id": id}),
        )
        .await;
    let history = &read["company"]["history"];
    assert_eq!(history["totalCount"], 2);
    assert_eq!(history["pageInfo"]["hasNextPage"], true);
    assert_eq!(
        history["nodes"],
        json!([{"version": 2, "change": "UPDATE", "by": {"__typename": "User"}, "fields": [
            {"name": "name", "old": "Acme", "new": "Acme AG"},
            {"name": "employees", "old": null, "new": 3},
        ]}])
    );
    let rest = client
        .data(
            "query Q($id: ID!, $after: String) { company(id: $id) { history(first: 5, after: $after) { nodes { version change } } } }",
            json!({"id": id, "after": history["pageInfo"]["endCursor"]}),
        )
        .await;
    assert_eq!(
        rest["company"]["history"]["nodes"],
        json!([{"version": 1, "change": "CREATE"}])
    );
}

async fn stages_and_gates(client: Client) {
    let id = client.create("deal", json!({"name": "Big one"})).await;
    let to = "mutation M($id: ID!, $to: String!) { updateDeal(id: $id, data: {stage: {to: $to, reason: \"asked\"}}) { stage { stage { name } } } }";
    let errors = client
        .errors(to, json!({"id": id, "to": "negotiation"}))
        .await;
    assert_eq!(errors[0], "STAGE_GATE");
    assert_eq!(errors.len(), 3, "{errors:?}");
    client
        .data(
            "mutation M($id: ID!) { updateDeal(id: $id, data: {amount: {amount: \"10\", currency: \"EUR\"}}) { id } }",
            json!({"id": id}),
        )
        .await;
    client.data(to, json!({"id": id, "to": "proposal"})).await;
    let read = client
        .data(
            "query Q($id: ID!) { deal(id: $id) { stage { pipeline stage { name type probability position label } passages { from { name } to { name } reason seconds by { __typename } } options { stage { name } allowed unmet { code path } } } } }",
            json!({"id": id}),
        )
        .await;
    let stage = &read["deal"]["stage"];
    assert_eq!(stage["pipeline"], "sales");
    assert_eq!(
        stage["stage"],
        json!({"name": "proposal", "type": "OPEN", "probability": "0.5", "position": 2, "label": "Proposal"})
    );
    let latest = &stage["passages"][0];
    assert_eq!(latest["from"], json!({"name": "new"}));
    assert_eq!(latest["to"], json!({"name": "proposal"}));
    assert_eq!(latest["reason"], "asked");
    let options = stage["options"].as_array().unwrap();
    assert_eq!(options.len(), 6);
    assert_eq!(
        options[3],
        json!({"stage": {"name": "negotiation"}, "allowed": false, "unmet": [{"code": "REQUIRED", "path": ["closeDate"]}]})
    );
    assert_eq!(
        client
            .data(
                "{ open: deals(where: {stage: {type: {eq: OPEN}}}) { totalCount } won: deals(where: {stage: {eq: \"won\"}}) { totalCount } here: deals(where: {stage: {in: [\"proposal\", \"won\"], pipeline: \"sales\"}}) { totalCount } not: deals(where: {stage: {ne: \"won\"}}) { totalCount } }",
                json!({})
            )
            .await,
        json!({"open": {"totalCount": 1}, "won": {"totalCount": 0}, "here": {"totalCount": 1}, "not": {"totalCount": 1}})
    );
}
