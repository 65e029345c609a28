//! Fields that become another kind, with records in them.

use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    values_become_what_they_mean
    what_does_not_convert_is_shown_and_asked_for
    records_are_found_by_what_they_are_called
    keys_and_figures_follow
    one_field_is_converted_by_itself
}

fn document(fields: &Json) -> Json {
    json!({"relata": 1, "objects": [{"key": "item", "plural": "items", "label": "code", "fields": fields}]})
}

async fn apply(
    client: &Client,
    document: &Json,
    confirm: &[&str],
) -> Result<(), relata_app::AppError> {
    let confirm: Vec<String> = confirm.iter().map(|name| (*name).to_owned()).collect();
    relata_app::catalogue::blueprint_apply(
        &client.workspace,
        &client.caller,
        document,
        None,
        &confirm,
    )
    .await
    .map(|_| ())
}

/// Changes the kind of one field from one to another with these values in it, and gives what they
/// have become.
async fn becomes(client: &Client, from: Json, to: Json, values: &[Json], selected: &str) -> Json {
    let fields = |kind: &Json| {
        let mut field = kind.clone();
        field["key"] = json!("value");
        json!([{"key": "code", "kind": "text"}, field])
    };
    apply(client, &document(&fields(&from)), &[]).await.unwrap();
    let data: Vec<Json> = (0..)
        .zip(values)
        .map(|(number, value)| json!({"code": format!("{number:03}"), "value": value}))
        .collect();
    client
        .data(
            "mutation($data: [ItemCreate!]!) { createItems(data: $data) { count } }",
            json!({"data": data}),
        )
        .await;
    // One in the trash is converted as well.
    client
        .data(
            "mutation { deleteItems(where: {code: {eq: \"000\"}}) { count } }",
            json!({}),
        )
        .await;
    apply(client, &document(&fields(&to)), &["item.value"])
        .await
        .unwrap();
    let read = client
        .data(
            &format!("{{ items(first: 100, deleted: INCLUDE, orderBy: [{{code: ASC}}]) {{ nodes {{ value {selected} }} }} }}"),
            json!({}),
        )
        .await;
    let nothing = json!({"relata": 1});
    apply(client, &nothing, &["item"]).await.unwrap();
    let nodes = read["items"]["nodes"].as_array().unwrap();
    Json::Array(nodes.iter().map(|node| node["value"].clone()).collect())
}

async fn values_become_what_they_mean(client: Client) {
    let text = json!({"kind": "text"});
    let of = |kind: &str| json!({"kind": kind});
    let select = json!({"kind": "select", "options": [
        {"value": "HOT", "labels": {"en": "Very hot", "zh-CN": "\u{70ed}"}}, {"value": "COLD"}]});
    let several = json!({"kind": "multiSelect", "options": ["HOT", "COLD"]});
    for (from, to, values, selected, expected) in [
        (
            &text,
            &of("integer"),
            json!(["5", " -7 ", "5.5", "x", "1e3", null]),
            "",
            json!([5, -7, null, null, 1000, null]),
        ),
        (
            &text,
            &json!({"kind": "decimal", "scale": 2}),
            json!(["5", "1.25", "1.255", "-0.5"]),
            "",
            json!(["5.00", "1.25", null, "-0.50"]),
        ),
        (
            &text,
            &of("date"),
            json!(["2026-02-28", "2026-02-30", "28.2.2026"]),
            "",
            json!(["2026-02-28", null, null]),
        ),
        (
            &text,
            &of("boolean"),
            json!(["yes", "No", "1", "perhaps"]),
            "",
            json!([true, false, true, null]),
        ),
        (
            &text,
            &select,
            json!(["HOT", "very hot", "\u{70ed}", "cold", "warm"]),
            "",
            json!(["HOT", "HOT", "HOT", "COLD", null]),
        ),
        (
            &text,
            &several,
            json!(["HOT", "HOT; COLD", "HOT; warm"]),
            "",
            json!([["HOT"], ["HOT", "COLD"], null]),
        ),
        (
            &text,
            &of("email"),
            json!(["a@example.org", "nobody"]),
            "",
            json!(["a@example.org", null]),
        ),
        (
            &text,
            &of("emails"),
            json!(["a@example.org"]),
            "{ primary }",
            json!([{"primary": "a@example.org"}]),
        ),
        (
            &text,
            &of("fullName"),
            json!(["Ada Lovelace"]),
            "{ full }",
            json!([{"full": "Ada Lovelace"}]),
        ),
        (
            &text,
            &json!({"kind": "text", "max": 3}),
            json!(["abc", "abcd"]),
            "",
            json!(["abc", null]),
        ),
        (
            &of("integer"),
            &text,
            json!([5, -7]),
            "",
            json!(["5", "-7"]),
        ),
        (
            &of("integer"),
            &json!({"kind": "integer", "max": 6}),
            json!([5, 7]),
            "",
            json!([5, null]),
        ),
        (
            &of("integer"),
            &of("decimal"),
            json!([5]),
            "",
            json!(["5.0000"]),
        ),
        (
            &of("decimal"),
            &of("integer"),
            json!(["5.0", "5.5"]),
            "",
            json!([5, null]),
        ),
        (
            &json!({"kind": "decimal", "scale": 4}),
            &json!({"kind": "decimal", "scale": 2}),
            json!(["1.25", "1.255"]),
            "",
            json!(["1.25", null]),
        ),
        (
            &of("boolean"),
            &of("integer"),
            json!([true, false]),
            "",
            json!([1, 0]),
        ),
        (
            &of("date"),
            &of("dateTime"),
            json!(["2026-02-28"]),
            "",
            json!(["2026-02-28T00:00:00Z"]),
        ),
        (
            &of("dateTime"),
            &of("date"),
            json!(["2026-02-28T00:00:00Z", "2026-02-28T10:00:00Z"]),
            "",
            json!(["2026-02-28", null]),
        ),
        (
            &select,
            &text,
            json!(["HOT", "COLD"]),
            "",
            json!(["Very hot", "COLD"]),
        ),
        (&select, &several, json!(["HOT"]), "", json!([["HOT"]])),
        (
            &several,
            &json!({"kind": "select", "options": ["HOT", "COLD"]}),
            json!([["HOT"], ["HOT", "COLD"]]),
            "",
            json!(["HOT", null]),
        ),
        (
            &of("money"),
            &of("text"),
            json!([{"amount": "12.50", "currency": "EUR"}]),
            "",
            json!(["12.5 EUR"]),
        ),
        (
            &of("text"),
            &of("money"),
            json!(["12.50 EUR", "12"]),
            "{ amount currency }",
            json!([{"amount": "12.50", "currency": "EUR"}, null]),
        ),
        (
            &of("email"),
            &of("emails"),
            json!(["a@example.org"]),
            "{ primary additional }",
            json!([{"primary": "a@example.org", "additional": []}]),
        ),
        (
            &of("emails"),
            &of("email"),
            json!([{"primary": "a@example.org"}, {"primary": "a@example.org", "additional": ["b@example.org"]}]),
            "",
            json!(["a@example.org", null]),
        ),
        (
            &of("phone"),
            &of("phones"),
            json!(["+49 30 123456"]),
            "{ primary { e164 } }",
            json!([{"primary": {"e164": "+4930123456"}}]),
        ),
        (
            &of("json"),
            &of("text"),
            json!(["plain", {"a": 1}]),
            "",
            json!(["plain", "{\"a\":1}"]),
        ),
        (
            &of("text"),
            &of("json"),
            json!(["plain"]),
            "",
            json!(["plain"]),
        ),
        (
            &text,
            &of("uuid"),
            json!(["0190163d-8694-739b-aea5-966c26f8ad91", "x"]),
            "",
            json!(["0190163d-8694-739b-aea5-966c26f8ad91", null]),
        ),
        (
            &of("uuid"),
            &text,
            json!(["0190163d-8694-739b-aea5-966c26f8ad91"]),
            "",
            json!(["0190163d-8694-739b-aea5-966c26f8ad91"]),
        ),
        (
            &text,
            &of("duration"),
            json!(["PT90M", "90"]),
            "",
            json!(["PT1H30M", null]),
        ),
        (
            &of("time"),
            &text,
            json!(["08:30:00"]),
            "",
            json!(["08:30:00"]),
        ),
        (
            &of("integer"),
            &of("rating"),
            json!([5, 6]),
            "",
            json!([5, null]),
        ),
        (&of("rating"), &of("integer"), json!([5]), "", json!([5])),
        (
            &of("integer"),
            &of("percent"),
            json!([5]),
            "",
            json!(["5.00"]),
        ),
        (
            &several,
            &of("tags"),
            json!([["HOT", "COLD"]]),
            "",
            json!([["HOT", "COLD"]]),
        ),
        (
            &of("texts"),
            &text,
            json!([["a"], ["a", "b"], ["a;b", "c"]]),
            "",
            json!(["a", "a; b", null]),
        ),
        (&text, &of("texts"), json!(["a; b"]), "", json!([["a; b"]])),
        (&text, &of("tags"), json!(["a; b"]), "", json!([["a", "b"]])),
        (&of("richText"), &text, json!(["# a"]), "", json!(["# a"])),
    ] {
        let values = values.as_array().unwrap();
        let found = becomes(&client, from.clone(), to.clone(), values, selected).await;
        assert_eq!(found, expected, "{from} to {to}: {values:?}");
    }
}

async fn what_does_not_convert_is_shown_and_asked_for(client: Client) {
    let before =
        document(&json!([{"key": "code", "kind": "text"}, {"key": "size", "kind": "text"}]));
    apply(&client, &before, &[]).await.unwrap();
    client
        .data(
            "mutation { createItems(data: [{code: \"a\", size: \"12\"}, {code: \"b\", size: \"about 5\"},
               {code: \"c\", size: \"n/a\"}, {code: \"d\", size: \"n/a\"}, {code: \"e\"}]) { count } }",
            json!({}),
        )
        .await;
    let after =
        document(&json!([{"key": "code", "kind": "text"}, {"key": "size", "kind": "integer"}]));
    let plan = relata_app::catalogue::blueprint_plan(&client.workspace, &client.caller, &after)
        .await
        .unwrap();
    let step = &plan.steps[0];
    assert_eq!((&*step.action, &*step.name), ("CONVERT_FIELD", "item.size"));
    assert_eq!((step.loses, step.destructive), (3, true));
    assert_eq!(step.unconverted, ["\"about 5\"", "\"n/a\""]);
    let refused = apply(&client, &after, &[]).await.unwrap_err();
    insta::assert_snapshot!(
        "unconfirmed",
        relata_catalog::Issues(refused.issues().to_vec()).to_string()
    );
    // Nothing has happened.
    let read = |selected: &'static str| {
        let client = &client;
        async move {
            let query =
                format!("{{ items(orderBy: [{{code: ASC}}]) {{ nodes {{ {selected} }} }} }}");
            client.data(&query, json!({})).await["items"]["nodes"].clone()
        }
    };
    assert_eq!(read("size").await[1], json!({"size": "about 5"}));
    // Where a value is required, none may be missing.
    let mut required = after.clone();
    required["objects"][0]["fields"][1]["required"] = json!(true);
    let refused = apply(&client, &required, &["item.size"]).await.unwrap_err();
    insta::assert_snapshot!(
        "required",
        relata_catalog::Issues(refused.issues().to_vec()).to_string()
    );
    apply(&client, &after, &["item.size"]).await.unwrap();
    assert_eq!(
        read("size version").await,
        json!([{"size": 12, "version": 1}, {"size": null, "version": 1}, {"size": null, "version": 1},
               {"size": null, "version": 1}, {"size": null, "version": 1}])
    );
    // It is a field like any other.
    client
        .data(
            "mutation { updateItems(where: {size: {gt: 11}}, data: {size: 13}) { count } }",
            json!({}),
        )
        .await;
    assert_eq!(read("size").await[0], json!({"size": 13}));
    // Without values there is nothing to confirm.
    let back = document(&json!([{"key": "code", "kind": "text"}, {"key": "size", "kind": "text"}]));
    apply(&client, &back, &[]).await.unwrap();
    assert_eq!(read("size").await[0], json!({"size": "13"}));
    for (kind, to) in [("text", "stage"), ("text", "autonumber")] {
        let wrong = document(&json!([{"key": "code", "kind": kind}, {"key": "size", "kind": to}]));
        let refused = apply(&client, &wrong, &["item.size"]).await.unwrap_err();
        assert_eq!(refused.issues()[0].code, "KIND_CHANGED", "{to}");
    }
}

async fn records_are_found_by_what_they_are_called(client: Client) {
    let with = |kind: Json| {
        json!({"relata": 1, "objects": [
            {"key": "colour", "plural": "colours", "label": "name", "fields": [{"key": "name", "kind": "text"}]},
            {"key": "item", "plural": "items", "fields": [{"key": "code", "kind": "text"}, kind]}]})
    };
    let select = json!({"key": "tint", "kind": "select", "options": [
        {"value": "RED", "labels": {"en": "Red"}}, {"value": "BLUE", "labels": {"en": "Blue", "zh-CN": "\u{84dd}"}}, "GREY"]});
    apply(&client, &with(select.clone()), &[]).await.unwrap();
    client
        .data(
            "mutation { createColours(data: [{name: \"R\u{c9}D\"}, {name: \"\u{84dd}\"}, {name: \"Grey\"}, {name: \"grey\"}]) { count }
               createItems(data: [{code: \"a\", tint: RED}, {code: \"b\", tint: BLUE}, {code: \"c\", tint: GREY}]) { count } }",
            json!({}),
        )
        .await;
    let relation = json!({"key": "tint", "kind": "relation", "to": "colour", "inverse": "items"});
    let refused = apply(&client, &with(relation.clone()), &[])
        .await
        .unwrap_err();
    // Two records are called so.
    insta::assert_snapshot!(
        "ambiguous",
        relata_catalog::Issues(refused.issues().to_vec()).to_string()
    );
    apply(&client, &with(relation), &["item.tint"])
        .await
        .unwrap();
    let read = client
        .data("{ items(orderBy: [{code: ASC}]) { nodes { tint { name } } } colours(orderBy: [{name: ASC}]) { nodes { items { totalCount } } } }", json!({}))
        .await;
    assert_eq!(
        read["items"]["nodes"],
        json!([{"tint": {"name": "R\u{c9}D"}}, {"tint": {"name": "\u{84dd}"}}, {"tint": null}])
    );
    apply(&client, &with(json!({"key": "tint", "kind": "text"})), &[])
        .await
        .unwrap();
    let read = client
        .data(
            "{ items(orderBy: [{code: ASC}]) { nodes { tint } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        read["items"]["nodes"],
        json!([{"tint": "R\u{c9}D"}, {"tint": "\u{84dd}"}, {"tint": null}])
    );
}

async fn keys_and_figures_follow(client: Client) {
    let with = |code: Json, units: Json| {
        json!({"relata": 1, "objects": [
            {"key": "shelf", "plural": "shelves", "fields": [
                {"key": "total", "kind": "rollup", "of": "item", "by": "shelf", "function": "MAX", "expression": "record.units"}]},
            {"key": "item", "plural": "items", "fields": [code, units,
                {"key": "twice", "kind": "formula", "expression": "record.units + record.units"},
                {"key": "shelf", "kind": "relation", "to": "shelf", "inverse": "items"}],
             "unique": [["code", "shelf"]]}]})
    };
    let text = json!({"key": "code", "kind": "text", "unique": true});
    let before = with(text.clone(), json!({"key": "units", "kind": "integer"}));
    apply(&client, &before, &[]).await.unwrap();
    client
        .data(
            "mutation { createShelf(data: {items: {create: [{code: \"7\", units: 3}, {code: \"8\", units: 40}]}}) { id } }",
            json!({}),
        )
        .await;
    let number = json!({"key": "code", "kind": "integer", "unique": true});
    let after = with(
        number,
        json!({"key": "units", "kind": "integer", "max": 10}),
    );
    let refused = apply(&client, &after, &[]).await.unwrap_err();
    assert_eq!(refused.issues()[0].params["name"], json!("item.units"));
    apply(&client, &after, &["item.units"]).await.unwrap();
    let read = client
        .data(
            "{ shelves { nodes { total } } items(orderBy: [{code: ASC}]) { nodes { code twice } } }",
            json!({}),
        )
        .await;
    assert_eq!(read["shelves"]["nodes"], json!([{"total": 3}]));
    assert_eq!(
        read["items"]["nodes"],
        json!([{"code": 7, "twice": 6}, {"code": 8, "twice": null}])
    );
    assert_eq!(
        client
            .errors("mutation { createItem(data: {code: 7}) { id } }", json!({}))
            .await,
        ["UNIQUE_VIOLATION", "  data.code NOT_UNIQUE"]
    );
    // What others work out of it must still mean something.
    let wide = with(text, json!({"key": "units", "kind": "text"}));
    let refused = apply(&client, &wide, &[]).await.unwrap_err();
    assert_eq!(refused.issues()[0].code, "EXPRESSION_TYPE", "{refused}");
}

async fn one_field_is_converted_by_itself(client: Client) {
    let fields = json!([{"key": "code", "kind": "text"}, {"key": "size", "kind": "text", "max": 100},
        {"key": "twice", "kind": "formula", "expression": "record.code + record.code"}]);
    apply(&client, &document(&fields), &[]).await.unwrap();
    client
        .data(
            "mutation { createItems(data: [{code: \"a\", size: \"1200\"}, {code: \"b\", size: \"many\"}]) { count } }",
            json!({}),
        )
        .await;
    let change = |data: Json, confirm: &'static [&'static str]| {
        let client = &client;
        async move {
            let confirm: Vec<String> = confirm.iter().map(|name| (*name).to_owned()).collect();
            relata_app::catalogue::field_update(
                &client.workspace,
                &client.caller,
                "item",
                "size",
                data.as_object().unwrap(),
                &confirm,
            )
            .await
        }
    };
    let refused = change(json!({"kind": "integer"}), &[]).await.unwrap_err();
    assert_eq!(refused.issues()[0].code, "CONFIRM");
    // What was the longest text is no greatest number.
    change(json!({"kind": "integer"}), &["item.size"])
        .await
        .unwrap();
    let read = client
        .data(
            "{ items(orderBy: [{code: ASC}]) { nodes { size } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        read["items"]["nodes"],
        json!([{"size": 1200}, {"size": null}])
    );
    // Nothing is lost with what is worked out.
    relata_app::catalogue::field_delete(&client.workspace, &client.caller, "item", "twice", &[])
        .await
        .unwrap();
}
