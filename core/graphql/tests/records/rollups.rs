//! Rollups are right after every write: whatever happens to the records below, they are what an
//! aggregate over those records says, in the same answer.

use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    rollups_are_what_aggregates_say
    figures_of_what_was_there_before
    the_answer_of_a_write_has_the_new_figures
    what_is_too_large_is_empty
    mistakes_are_told
}

fn document() -> Json {
    json!({"relata": 1, "objects": [
        {"key": "region", "plural": "regions", "label": "name", "fields": [
            {"key": "name", "kind": "text"},
            {"key": "value", "kind": "rollup", "of": "shop", "by": "region", "function": "SUM",
             "expression": "record.units"},
            {"key": "shopCount", "kind": "rollup", "of": "shop", "by": "region", "function": "COUNT"},
            {"key": "perShop", "kind": "formula", "expression": "decimal(record.value) / record.shopCount"},
        ]},
        {"key": "shop", "plural": "shops", "label": "name", "fields": [
            {"key": "name", "kind": "text"},
            {"key": "region", "kind": "relation", "to": "region", "inverse": "shops"},
            {"key": "saleCount", "kind": "rollup", "of": "sale", "by": "shop", "function": "COUNT"},
            {"key": "units", "kind": "rollup", "of": "sale", "by": "shop", "function": "SUM",
             "expression": "record.units"},
            {"key": "largest", "kind": "rollup", "of": "sale", "by": "shop", "function": "MAX",
             "expression": "record.units", "where": "record.open"},
            {"key": "mean", "kind": "rollup", "of": "sale", "by": "shop", "function": "AVG",
             "expression": "record.weight"},
            {"key": "turnover", "kind": "rollup", "of": "sale", "by": "shop", "function": "SUM",
             "expression": "record.price * record.units"},
            {"key": "latest", "kind": "rollup", "of": "sale", "by": "shop", "function": "MAX",
             "expression": "record.day"},
        ]},
        {"key": "sale", "plural": "sales", "label": "name", "fields": [
            {"key": "name", "kind": "text"},
            {"key": "shop", "kind": "relation", "to": "shop", "inverse": "sales",
             "onDelete": "CASCADE"},
            {"key": "units", "kind": "integer"},
            {"key": "weight", "kind": "decimal", "scale": 2},
            {"key": "price", "kind": "money"},
            {"key": "open", "kind": "boolean"},
            {"key": "day", "kind": "date"},
            {"key": "worth", "kind": "formula", "expression": "record.price * record.units"},
        ]},
    ]})
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

/// Every figure beside what an aggregate says.
async fn check(client: &Client, after: &str) {
    let data = client
        .data(
            "{ regions(first: 100, deleted: INCLUDE) { nodes { value shopCount perShop
                 shops { aggregate { count units { sum } } } } }
               shops(first: 100, deleted: INCLUDE) { nodes { name
                 saleCount units largest mean turnover { amount currency } latest
                 all: sales { aggregate { count units { sum } weight { avg } day { max }
                   worth { sum { amount currency } } } }
                 open: sales(where: {open: {eq: true}}) { aggregate { units { max } } } } } }",
            json!({}),
        )
        .await;
    for region in data["regions"]["nodes"].as_array().unwrap() {
        let aggregate = &region["shops"]["aggregate"];
        assert_eq!(region["shopCount"], aggregate["count"], "{after}: {region}");
        let sum = aggregate["units"]["sum"].as_i64().unwrap_or(0);
        assert_eq!(region["value"], json!(sum), "{after}: {region}");
    }
    for shop in data["shops"]["nodes"].as_array().unwrap() {
        let all = &shop["all"]["aggregate"];
        assert_eq!(shop["saleCount"], all["count"], "{after}: {shop}");
        let sum = all["units"]["sum"].as_i64().unwrap_or(0);
        assert_eq!(shop["units"], json!(sum), "{after}: {shop}");
        assert_eq!(shop["latest"], all["day"]["max"], "{after}: {shop}");
        assert_eq!(
            shop["largest"], shop["open"]["aggregate"]["units"]["max"],
            "{after}: {shop}"
        );
        let number = |value: &Json| value.as_str().map(|text| text.parse::<f64>().unwrap());
        assert_eq!(
            number(&shop["mean"]).map(|mean| (mean * 1e6).round()),
            number(&all["weight"]["avg"]).map(|mean| (mean * 1e6).round()),
            "{after}: {shop}"
        );
        let amounts = all["worth"]["sum"].as_array().unwrap();
        let expected = match amounts.as_slice() {
            [only] => only.clone(),
            _ => json!(null),
        };
        assert_eq!(shop["turnover"], expected, "{after}: {shop}");
    }
}

async fn do_it(client: &Client, query: &str) {
    client.data(query, json!({})).await;
    check(client, query).await;
}

async fn rollups_are_what_aggregates_say(client: Client) {
    apply(&client, &document()).await.unwrap();
    for query in [
        "mutation { createRegions(data: [{name: \"n\"}, {name: \"s\"}]) { count } }",
        "mutation { createShop(data: {name: \"a\", region: {create: {name: \"w\"}}, sales: {create: [
            {name: \"1\", units: 3, weight: \"1.50\", open: true, price: {amount: \"2\", currency: \"EUR\"}, day: \"2026-01-01\"},
            {name: \"2\", units: 5, weight: \"0.25\", open: false, price: {amount: \"3\", currency: \"EUR\"}, day: \"2026-03-01\"}]}}) { id } }",
        "mutation { createShops(data: [{name: \"b\"}, {name: \"c\"}]) { count } }",
        "mutation { updateShops(where: {name: {ne: \"a\"}}, data: {region: {create: {name: \"e\"}}}) { count } }",
        "mutation { createSales(data: [{name: \"3\"}, {name: \"4\", units: 7, open: true}, {name: \"5\", units: -9, open: true}]) { count } }",
        "mutation { updateSales(where: {name: {in: [\"3\", \"4\", \"5\"]}}, data: {weight: \"2\", price: {amount: \"1.10\", currency: \"USD\"}}) { count } }",
        "mutation { updateSales(where: {name: {eq: \"1\"}}, data: {units: 30}) { count } }",
        "mutation { updateSales(where: {name: {eq: \"2\"}}, data: {open: true}) { count } }",
        "mutation { updateSales(where: {name: {eq: \"1\"}}, data: {name: \"one\", open: null}) { count } }",
        "mutation { deleteSales(where: {name: {eq: \"2\"}}) { count } }",
        "mutation { updateSales(where: {name: {eq: \"one\"}}, data: {shop: {disconnect: true}}) { count } }",
        "mutation { restoreSales(where: {name: {eq: \"2\"}}) { count } }",
        "mutation { destroySales(where: {name: {eq: \"2\"}}) { count } }",
        "mutation { createShop(data: {name: \"d\", sales: {create: [{name: \"6\", units: 1}]}}) { id } }",
        "mutation { deleteShops(where: {name: {eq: \"d\"}}) { count } }",
        "mutation { restoreShops(where: {name: {eq: \"d\"}}) { count } }",
        "mutation { a: updateSales(where: {name: {eq: \"6\"}}, data: {units: 11}) { count }
                    b: deleteRegions(where: {name: {eq: \"w\"}}) { count }
                    c: createShop(data: {name: \"f\", sales: {create: [{name: \"7\", units: 2}]}}) { id } }",
        "mutation { destroyShops(where: {name: {eq: \"d\"}}) { count } }",
    ] {
        do_it(&client, query).await;
    }
    // From one shop to another, by their ids.
    let data = client
        .data(
            "{ shops(orderBy: [{name: ASC}]) { nodes { id name } } sales { nodes { id name } } }",
            json!({}),
        )
        .await;
    for shop in data["shops"]["nodes"].as_array().unwrap() {
        client
            .data(
                "mutation M($id: ID!) { updateSales(where: {}, all: true, data: {shop: {connect: {id: $id}}}) { count } }",
                json!({"id": shop["id"]}),
            )
            .await;
        check(&client, &format!("all to {shop}")).await;
    }
    // A write that is undone leaves the figures as they were.
    let (answer, _) = client
        .ask(
            "mutation { a: deleteSales(where: {}, all: true) { count } b: createSale(data: {units: \"x\"}) { id } }",
            json!({}),
        )
        .await;
    assert_ne!(answer["errors"], json!(null));
    check(&client, "a mutation that failed").await;
}

async fn figures_of_what_was_there_before(client: Client) {
    let mut bare = document();
    for object in bare["objects"].as_array_mut().unwrap() {
        let fields = object["fields"].as_array_mut().unwrap();
        fields.retain(|field| field["kind"] != "rollup" && field["key"] != "perShop");
    }
    apply(&client, &bare).await.unwrap();
    client
        .data(
            "mutation { createRegion(data: {name: \"n\", shops: {create: [
                {name: \"a\", sales: {create: [{name: \"1\", units: 4, open: true, weight: \"1\"}]}},
                {name: \"b\"}]}}) { id } }",
            json!({}),
        )
        .await;
    apply(&client, &document()).await.unwrap();
    check(&client, "the rollups came").await;
    let mut other = document();
    other["objects"][1]["fields"][4]["where"] = json!("record.units > 100");
    apply(&client, &other).await.unwrap();
    let data = client
        .data(
            "{ shops(where: {largest: {isNull: false}}) { totalCount } }",
            json!({}),
        )
        .await;
    assert_eq!(data["shops"]["totalCount"], json!(0));
}

async fn the_answer_of_a_write_has_the_new_figures(client: Client) {
    apply(&client, &document()).await.unwrap();
    let data = client
        .data(
            "mutation { createShop(data: {name: \"a\"}) { id version saleCount units mean turnover { amount } } }",
            json!({}),
        )
        .await;
    let shop = &data["createShop"];
    assert_eq!(shop["saleCount"], json!(0));
    assert_eq!(shop["units"], json!(0));
    assert_eq!(shop["mean"], json!(null));
    let data = client
        .data(
            "mutation C($id: ID!) { createSale(data: {units: 3, shop: {connect: {id: $id}}}) {
                shop { version saleCount units history { totalCount } } } }",
            json!({"id": shop["id"]}),
        )
        .await;
    // The shop itself has not been changed by anybody.
    assert_eq!(
        data["createSale"]["shop"],
        json!({"version": 1, "saleCount": 1, "units": 3, "history": {"totalCount": 1}})
    );
    let found = client
        .data(
            "{ shops(where: {units: {gte: 3}}, orderBy: [{saleCount: DESC}]) { totalCount } }",
            json!({}),
        )
        .await;
    assert_eq!(found["shops"]["totalCount"], json!(1));
}

async fn what_is_too_large_is_empty(client: Client) {
    apply(&client, &document()).await.unwrap();
    client
        .data(
            "mutation { createShop(data: {name: \"a\", sales: {create: [
                {name: \"1\", units: 9007199254740991}, {name: \"2\", units: 1}]}}) { id } }",
            json!({}),
        )
        .await;
    let data = client
        .data("{ shops { nodes { units saleCount } } }", json!({}))
        .await;
    assert_eq!(
        data["shops"]["nodes"][0],
        json!({"units": null, "saleCount": 2})
    );
}

async fn mistakes_are_told(client: Client) {
    let mut wrong = document();
    wrong["objects"][0]["fields"] = json!([
        {"key": "name", "kind": "text"},
        {"key": "a", "kind": "rollup", "of": "shop", "by": "name", "function": "COUNT"},
        {"key": "b", "kind": "rollup", "of": "shop", "by": "region", "function": "SUM"},
        {"key": "c", "kind": "rollup", "of": "shop", "by": "region", "function": "SUM", "expression": "record.name"},
        {"key": "d", "kind": "rollup", "of": "shop", "by": "region", "function": "MAX", "expression": "record.region.name"},
        {"key": "e", "kind": "rollup", "of": "shop", "by": "region", "function": "COUNT", "where": "record.name"},
        {"key": "f", "kind": "rollup", "of": "shop", "by": "region", "function": "SUM", "expression": "record.loop"},
        {"key": "g", "kind": "rollup", "of": "nothing", "by": "region", "function": "TOTAL"},
        {"key": "h", "kind": "relation", "to": "shop"},
    ]);
    wrong["objects"][1]["fields"].as_array_mut().unwrap().push(
        json!({"key": "loop", "kind": "rollup", "of": "region", "by": "h", "function": "SUM", "expression": "record.f"}),
    );
    let told = told(apply(&client, &wrong).await);
    for expected in [
        "fields[1].by: shop has no relation \"name\" that points at region; expected \"region\"",
        "fields[2].expression: only COUNT needs no expression",
        "fields[3].expression: expected a number or money, got a text",
        "fields[4].expression: a rollup reads the records' own fields alone",
        "fields[5].where: expected true or false, got a text",
        "region.f → shop.loop → region.f",
        "fields[7].of: there is no object \"nothing\"",
        "fields[7].function",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
}
