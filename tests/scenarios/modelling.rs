//! Models that can't be, and files that nobody can read: an error with a code, a path and a row,
//! never a half of a change.

use std::fmt::Write as _;

use relata_tests::{Answer, Server, scenario};
use serde_json::{Value, json};

async fn configure(server: &Server, mutation: &str, data: Value) -> Answer {
    let declared = match data.is_null() {
        true => "",
        false => "($data: JSON!)",
    };
    server
        .metadata(
            &format!("mutation{declared} {{ {mutation} {{ __typename }} }}"),
            json!({"data": data}),
        )
        .await
}

async fn created(server: &Server) {
    let answer = configure(
        server,
        "createObject(data: $data)",
        json!({"key": "parcel", "plural": "parcels", "label": "name", "fields": [
            {"key": "name", "kind": "text"},
            {"key": "weight", "kind": "decimal"},
            {"key": "price", "kind": "decimal"},
            {"key": "size", "kind": "select", "options": ["SMALL", "LARGE"]},
            {"key": "within", "kind": "relation", "to": "parcel", "inverse": {"name": "parts"}},
            {"key": "perKilo", "kind": "formula", "expression": "record.price / record.weight"},
        ]}),
    )
    .await;
    answer.data();
}

scenario!(
    what_can_not_be_modelled_is_told,
    |server: Server| async move {
        created(&server).await;
        let parcel = server
            .graphql(
                "mutation { createParcel(data: {name: \"A\", size: SMALL}) { id } }",
                json!({}),
            )
            .await;
        parcel.data();
        let model = || async {
            server
                .metadata("{ exportBlueprint }", json!({}))
                .await
                .data()
        };
        let before = model().await;
        const CREATE: &str = "createField(object: \"parcel\", data: $data)";
        for (what, mutation, data, expected, names) in [
            (
                "a formula that is part of a circle",
                "updateField(object: \"parcel\", name: \"perKilo\", data: $data)",
                json!({"expression": "record.perKilo * 2.0"}),
                "expression: EXPRESSION_CYCLE",
                "perKilo",
            ),
            (
                "a rollup on itself",
                CREATE,
                json!({"key": "depth", "kind": "rollup", "of": "parcel", "by": "within",
                       "function": "MAX", "expression": "record.depth"}),
                "expression: EXPRESSION_CYCLE",
                "depth",
            ),
            (
                "the removal of a field that a formula reads",
                "deleteField(object: \"parcel\", name: \"weight\", confirm: [\"parcel.weight\"])",
                json!(null),
                "parcel.perKilo.expression: EXPRESSION_UNKNOWN",
                "perKilo",
            ),
            (
                "a default that breaks its own rule",
                CREATE,
                json!({"key": "code", "kind": "text", "pattern": "[A-Z]+", "default": "abc"}),
                "default: DEFAULT_INVALID",
                "[A-Z]+",
            ),
            (
                "an option removed that a record holds",
                "updateField(object: \"parcel\", name: \"size\", data: $data)",
                json!({"options": ["LARGE"]}),
                "",
                "parcel.size.SMALL",
            ),
        ] {
            let answer = configure(&server, mutation, data).await;
            let told = answer.body.to_string();
            assert_ne!(answer.code(), "INTERNAL", "{what}: {told}");
            assert!(told.contains(names), "{what} does not name {names}: {told}");
            if !expected.is_empty() {
                assert_eq!(answer.issues(), [expected], "{what}: {told}");
            }
            assert_eq!(model().await, before, "{what} has changed the model");
        }
        let parcels = server.data("{ parcels { nodes { name size } } }").await;
        assert_eq!(
            parcels["parcels"]["nodes"],
            json!([{"name": "A", "size": "SMALL"}])
        );
    }
);

async fn import(server: &Server, name: &str, bytes: Vec<u8>) -> Answer {
    let file = server
        .send_bytes(&format!("/files?name={name}"), bytes, &[])
        .await;
    if file.status != 201 {
        return file;
    }
    server
        .metadata(
            "mutation($file: ID!) { importRecords(object: \"parcel\", file: $file, options: {}) }",
            json!({"file": file.body["id"]}),
        )
        .await
}

/// The text in UTF-16, little-endian, with a mark in front.
fn utf_16(text: &str) -> Vec<u8> {
    std::iter::once(0xFEFF)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect()
}

scenario!(
    files_are_read_in_any_spelling,
    |server: Server| async move {
        created(&server).await;
        // 北京,1.5 in GB 18030.
        let chinese = [
            b"name,weight\n".as_slice(),
            &[0xB1, 0xB1, 0xBE, 0xA9],
            b",1.5\n",
        ]
        .concat();
        let mut wide = String::from("name");
        let mut cells = String::from("wide");
        for column in 1..2_000 {
            write!(wide, ",extra{column}").unwrap();
            cells.push_str(",x");
        }
        for (name, bytes) in [
            ("utf-8.csv", b"name,weight\nM\xC3\xBCnchen,1.5\n".to_vec()),
            ("utf-16.csv", utf_16("name;weight\r\nKraków;1.5\r\n")),
            ("gb.csv", chinese),
            ("wide.csv", format!("{wide}\n{cells}\n").into_bytes()),
        ] {
            let answer = import(&server, name, bytes).await;
            assert_eq!(answer.data()["importRecords"]["created"], 1, "{name}");
        }
        let parcels = server
            .data("{ parcels(orderBy: [{name: ASC}]) { nodes { name weight } } }")
            .await;
        assert_eq!(
            parcels["parcels"]["nodes"],
            json!([
                {"name": "Kraków", "weight": "1.5000"},
                {"name": "München", "weight": "1.5000"},
                {"name": "wide", "weight": null},
                {"name": "北京", "weight": "1.5000"},
            ])
        );
    }
);

scenario!(files_that_are_none_are_told, |server: Server| async move {
    created(&server).await;
    let columns: Vec<String> = (0..=2_000).map(|column| format!("c{column}")).collect();
    for (name, bytes, expected) in [
        (
            "quotes.csv",
            b"name,weight\n\"A,1\nB,2\n".to_vec(),
            "line 2",
        ),
        (
            "more.csv",
            b"name,weight\nA,1\nB,2,3\n".to_vec(),
            "\"line\":3",
        ),
        (
            "long.csv",
            [b"name,weight\n".as_slice(), &vec![b'x'; 10 << 20], b",1\n"].concat(),
            "\"line\":2",
        ),
        (
            "wide.csv",
            format!("{}\n", columns.join(",")).into_bytes(),
            "2000",
        ),
        // What a file is, its bytes say.
        ("lie.csv", b"PK\x03\x04rubbish".to_vec(), "CONTENT_TYPE"),
        ("lie.xlsx", b"name,weight\nA,1\n".to_vec(), "CONTENT_TYPE"),
        ("broken.xlsx", b"PK\x03\x04rubbish".to_vec(), "[\"file\"]"),
        ("binary.csv", vec![0, 159, 146, 150, 0, 1, 2, 3], ""),
        ("empty.csv", b"\n\n".to_vec(), ""),
        ("row.csv", b"name,weight\nA,heavy\n".to_vec(), "\"line\":2"),
    ] {
        let answer = import(&server, name, bytes).await;
        let told = answer.body.to_string();
        println!("{name}: {told}");
        assert!(
            told.contains(expected),
            "{name} does not say {expected}: {told}"
        );
        if answer.body.get("errors").is_some() {
            assert!(
                ["BAD_INPUT", "LIMIT_EXCEEDED"].contains(&answer.code()),
                "{name}: {told}"
            );
        }
    }
    let parcels = server.data("{ parcels { totalCount } }").await;
    assert_eq!(parcels["parcels"]["totalCount"], 0);
});
