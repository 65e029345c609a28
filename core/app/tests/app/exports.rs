//! What is exported imports again to the same records.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use relata_app::{
    Caller, Workspace,
    exports::{ExportOptions, export_start, export_to},
    imports::{Format, ImportAction, ImportOptions, import_now},
    jobs::job_get,
};
use relata_catalog::Value;
use relata_store::Record;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::fixture::{all, bytes_of, create_many, destroy, eventually, upload, value};

on_each_database! {
    exported_records_import_to_the_same_again
    formulas_are_disarmed_and_numbers_are_not
    persons_go_out_and_in_as_cards
    an_export_is_a_job_with_a_file
    wrong_columns_are_named
}

/// A field of each kind.
fn blueprint() -> Json {
    json!({"relata": 1, "objects": [{"key": "thing", "plural": "things", "label": "title", "fields": [
        {"key": "title", "kind": "text", "max": 100},
        {"key": "story", "kind": "longText"},
        {"key": "count", "kind": "integer"},
        {"key": "ratio", "kind": "decimal", "scale": 4},
        {"key": "share", "kind": "percent", "scale": 1, "min": "0", "max": "100"},
        {"key": "stars", "kind": "rating", "max": 10},
        {"key": "notes", "kind": "richText"},
        {"key": "price", "kind": "money"},
        {"key": "good", "kind": "boolean", "default": true},
        {"key": "day", "kind": "date"},
        {"key": "moment", "kind": "dateTime"},
        {"key": "opens", "kind": "time"},
        {"key": "effort", "kind": "duration"},
        {"key": "foreign", "kind": "uuid"},
        {"key": "aliases", "kind": "texts"},
        {"key": "words", "kind": "tags"},
        {"key": "color", "kind": "select", "options": [
            {"value": "RED", "labels": {"en": "Red", "zh-CN": "红"}}, {"value": "DARK_BLUE"}]},
        {"key": "tags", "kind": "multiSelect", "options": [
            {"value": "A"}, {"value": "B_C"}, {"value": "D"}]},
        {"key": "mail", "kind": "email"},
        {"key": "call", "kind": "phone"},
        {"key": "web", "kind": "url"},
        {"key": "data", "kind": "json"},
        {"key": "who", "kind": "fullName"},
        {"key": "mails", "kind": "emails"},
        {"key": "calls", "kind": "phones"},
        {"key": "place", "kind": "address"},
        {"key": "spot", "kind": "geoPoint"},
        {"key": "paper", "kind": "file", "types": ["text/*"]},
        {"key": "next", "kind": "relation", "to": "thing"},
    ]}]})
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        "[=+@'-][a-z0-9+ ]{0,6}x",
        " ?[ａ-ｚ万科Ａ🙂\"',;|é&<>]{1,6} ?",
        Just("'=1".to_owned()),
        Just("-5".to_owned()),
        Just("+49 30 1".to_owned()),
        Just("null".to_owned()),
        Just("01".to_owned()),
        Just("{\"a\": 1}".to_owned()),
        Just("2026-01-02".to_owned()),
        Just("TRUE".to_owned()),
        Just("a,b;c\td|e\"f".replace('\t', " ")),
    ]
}

fn lines() -> impl Strategy<Value = String> {
    prop_oneof![
        words(),
        (words(), words()).prop_map(|(one, other)| format!("{one}\n{other}\n\n\t{one}")),
        words().prop_map(|word| format!("\"{word}\"\r\n{word}")),
    ]
}

fn optional(strategy: impl Strategy<Value = Json> + 'static) -> BoxedStrategy<Json> {
    prop_oneof![1 => Just(Json::Null), 4 => strategy].boxed()
}

fn day() -> impl Strategy<Value = String> {
    (1..=9_999_i32, 1..=12_u8, 1..=28_u8)
        .prop_map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}"))
}

fn phone() -> impl Strategy<Value = Json> {
    prop_oneof![
        "\\+49 30 [1-9]{6,8}".prop_map(Json::from),
        "\\(0[1-9]{3}\\) [0-9]{5}".prop_map(Json::from),
        "=[0-9]{3};[0-9]".prop_map(Json::from),
        Just(json!({"typed": "office 7", "e164": "+431234567"})),
    ]
}

fn thing() -> impl Strategy<Value = Json> {
    let email = || "[=a-z]{1,5}@[a-z]{1,5}\\.example";
    let fields: Vec<(&str, BoxedStrategy<Json>)> = vec![
        ("title", optional(words().prop_map(Json::from))),
        ("story", optional(lines().prop_map(Json::from))),
        ("count", optional((-9_007_199_254_740_991..=9_007_199_254_740_991_i64).prop_map(Json::from))),
        ("ratio", optional((-99_999_999_999_999_999..=99_999_999_999_999_999_i64).prop_map(|n| format!("{}.{:04}", n / 10_000, (n % 10_000).abs()).into()))),
        ("share", optional((0..=1_000_u16).prop_map(|n| format!("{}.{}", n / 10, n % 10).into()))),
        ("stars", optional((1..=10_u8).prop_map(Json::from))),
        ("notes", optional(lines().prop_map(Json::from))),
        ("price", optional((0..=9_999_999_999_i64).prop_map(|n| json!({"amount": format!("-{}.{:02}", n / 100, n % 100), "currency": "EUR"})))),
        ("good", optional(any::<bool>().prop_map(Json::from))),
        ("day", optional(day().prop_map(Json::from))),
        ("moment", optional((day(), 0..24_u8, 0..1_000_000_u32).prop_map(|(day, hour, micros)| format!("{day}T{hour:02}:30:59.{micros:06}Z").into()))),
        ("opens", optional((0..24_u8, 0..60_u8, 0..1_000_000_u32).prop_map(|(hour, minute, micros)| format!("{hour:02}:{minute:02}:07.{micros:06}").into()))),
        ("effort", optional((any::<bool>(), 0..2_500_000_u32, 0..60_u8, 0..1_000_000_u32).prop_map(|(back, hours, minutes, micros)| format!("{}PT{hours}H{minutes}M7.{micros:06}S", if back { "-" } else { "" }).into()))),
        ("foreign", optional(any::<u128>().prop_map(|id| uuid::Uuid::from_u128(id).to_string().into()))),
        ("aliases", optional(proptest::collection::vec(prop_oneof![words(), "[ ;\\[\"a]{1,4}x"], 1..4).prop_map(|texts| json!(texts)))),
        ("words", optional(proptest::collection::vec(prop_oneof![words(), "[;\\[\"a]{1,4}x"], 1..4).prop_map(|texts| json!(texts)))),
        ("color", optional(prop_oneof![Just(json!("RED")), Just(json!("DARK_BLUE"))])),
        ("tags", optional(proptest::sample::subsequence(vec!["A", "B_C", "D"], 1..=3).prop_map(|tags| json!(tags)))),
        ("mail", optional(email().prop_map(Json::from))),
        ("call", optional(phone())),
        ("web", optional("https://[a-z]{1,5}\\.example/\\?=[a-z]{0,3}".prop_map(Json::from))),
        ("data", optional(prop_oneof![words().prop_map(|word| json!({"a": [1, word, null, -5.50]})), Just(json!("=x")), Just(json!(-7))])),
        ("spot", optional((-90_000_000..=90_000_000_i64, -180_000_000..=180_000_000_i64).prop_map(|(latitude, longitude)| json!({"latitude": rust_decimal::Decimal::new(latitude, 6).to_string(), "longitude": rust_decimal::Decimal::new(longitude, 6).to_string()})))),
        ("who", optional((words(), proptest::option::of(words()), proptest::option::of(words()), any::<bool>()).prop_map(|(full, given, family, first)| json!({"full": full, "given": given, "family": family, "order": if first { "GIVEN_FIRST" } else { "FAMILY_FIRST" }})))),
        ("mails", optional(proptest::collection::vec(email(), 1..4).prop_map(|mails| json!(mails)))),
        ("calls", optional(proptest::collection::vec(phone(), 1..4).prop_map(|calls| json!(calls)))),
        ("place", optional((proptest::option::of(lines()), proptest::option::of(words()), proptest::option::of(words())).prop_map(|(street, city, country)| json!({"street": street, "city": city, "country": country})))),
    ];
    let (names, strategies): (Vec<&str>, Vec<BoxedStrategy<Json>>) = fields.into_iter().unzip();
    strategies.prop_map(move |values| {
        names
            .iter()
            .zip(values)
            .map(|(name, value)| ((*name).to_owned(), value))
            .collect()
    })
}

async fn exported(workspace: &Workspace, object: &str, format: Format) -> Vec<u8> {
    let options = ExportOptions {
        object: object.to_owned(),
        format,
        fields: Vec::new(),
        condition: None,
    };
    let mut bytes = Vec::new();
    export_to(
        workspace,
        &Caller::system(),
        &options,
        &mut bytes,
        &mut |_| true,
    )
    .await
    .unwrap();
    bytes
}

fn in_order(mut records: Vec<Record>) -> Vec<(Uuid, Option<Uuid>, Vec<Value>)> {
    records.sort_by_key(|record| record.id);
    records
        .into_iter()
        .map(|record| (record.id, record.owner, record.values))
        .collect()
}

async fn exported_records_import_to_the_same_again(workspace: Workspace) {
    let caller = Caller::system();
    relata_app::catalogue::blueprint_apply(&workspace, &caller, &blueprint(), None, &[])
        .await
        .unwrap();
    let mut runner = TestRunner::new(Config::with_cases(1));
    let mut things = proptest::collection::vec(thing(), 60..=60)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    let paper = upload(&workspace, "a;b.txt", "text").await.unwrap().id;
    for thing in things.iter_mut().step_by(3) {
        thing["paper"] = json!(paper);
    }
    let ids = create_many(&workspace, "thing", things).await.unwrap();
    for pair in ids.windows(2) {
        crate::fixture::update(&workspace, "thing", pair[0], json!({"next": pair[1]}), None)
            .await
            .unwrap();
    }
    let before = in_order(all(&workspace, "thing").await);
    for format in [Format::Csv, Format::Xlsx, Format::Jsonl] {
        let bytes = exported(&workspace, "thing", format).await;
        for id in &ids {
            destroy(&workspace, "thing", *id).await.unwrap();
        }
        let file = upload(&workspace, "file", bytes.clone()).await.unwrap().id;
        let options = ImportOptions {
            action: ImportAction::Upsert,
            on: vec!["id".to_owned()],
            ..ImportOptions::default()
        };
        let report = import_now(&workspace, &Caller::system(), "thing", file, &options)
            .await
            .unwrap();
        assert_eq!(report.error_count, 0, "{format:?} {report:#?}");
        let after = in_order(all(&workspace, "thing").await);
        assert_eq!(after.len(), before.len(), "{format:?}");
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before, after, "{format:?}");
        }
        // Once more, with all of them there: nothing changes.
        let report = import_now(&workspace, &Caller::system(), "thing", file, &options)
            .await
            .unwrap();
        assert_eq!(
            report.unchanged as usize,
            before.len(),
            "{format:?} {report:#?}"
        );
    }
}

async fn formulas_are_disarmed_and_numbers_are_not(workspace: Workspace) {
    create_many(
        &workspace,
        "company",
        vec![
            json!({"name": "=HYPERLINK(\"http://x\")", "phones": "+49 30 123456"}),
            json!({"name": "@SUM(1)", "annualRevenue": {"amount": "-5.00", "currency": "EUR"}}),
        ],
    )
    .await
    .unwrap();
    let csv = String::from_utf8(exported(&workspace, "company", Format::Csv).await).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let cells: Vec<String> = reader
        .records()
        .flat_map(|record| {
            let record = record.unwrap();
            record.iter().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert!(
        cells.iter().all(|cell| !cell.starts_with(['=', '@'])),
        "{csv}"
    );
    for survives in ["+49 30 123456", "-5.00"] {
        assert!(
            cells.iter().any(|cell| cell == survives),
            "{survives}: {csv}"
        );
    }
}

async fn persons_go_out_and_in_as_cards(workspace: Workspace) {
    create_many(
        &workspace,
        "company",
        vec![json!({"name": "Analytical; Engines, Ltd"})],
    )
    .await
    .unwrap();
    let company = all(&workspace, "company").await[0].id;
    let ids = create_many(
        &workspace,
        "person",
        vec![json!({
            "name": {"full": "王小明", "given": "小明", "family": "王"},
            "emails": ["a@example.com", "b@example.com"],
            "phones": "+49 30 123456",
            "company": {"connect": {"id": company}},
            "jobTitle": "CEO; CTO",
            "birthday": "1990-05-04",
            "address": {"street": "One\nTwo", "city": "深圳", "country": "CN"},
            "description": "a\nb",
        })],
    )
    .await
    .unwrap();
    let before = all(&workspace, "person").await.remove(0).values;
    let cards = exported(&workspace, "person", Format::Vcard).await;
    destroy(&workspace, "person", ids[0]).await.unwrap();
    let file = upload(&workspace, "x.vcf", cards).await.unwrap().id;
    let options = ImportOptions::default();
    let report = import_now(&workspace, &Caller::system(), "person", file, &options)
        .await
        .unwrap();
    assert_eq!((report.created, report.error_count), (1, 0), "{report:#?}");
    assert_eq!(all(&workspace, "person").await.remove(0).values, before);
}

async fn an_export_is_a_job_with_a_file(workspace: Workspace) {
    create_many(
        &workspace,
        "company",
        (0..2_500)
            .map(|n| json!({"name": format!("Firm {n}")}))
            .collect(),
    )
    .await
    .unwrap();
    let options = ExportOptions {
        object: "company".to_owned(),
        format: Format::Csv,
        fields: vec!["name".to_owned()],
        condition: None,
    };
    let caller = Caller::system();
    let job = export_start(&workspace, &caller, &options).await.unwrap();
    let job = eventually("the job has ended", async || {
        let job = job_get(&workspace, &caller, job.id).await.unwrap().unwrap();
        job.state.is_ended().then_some(job)
    })
    .await;
    let file = bytes_of(&workspace, &caller, job.file.unwrap()).await;
    let text = String::from_utf8(file).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.remove(0), "name");
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 2_500);
    let id = all(&workspace, "company").await[0].id;
    assert!(value(&workspace, "company", id, "name").await.is_string());
}

async fn wrong_columns_are_named(workspace: Workspace) {
    let options = |object: &str, fields: &[&str], format| ExportOptions {
        object: object.to_owned(),
        format,
        fields: fields.iter().map(|name| (*name).to_owned()).collect(),
        condition: None,
    };
    for (options, path) in [
        (options("nothing", &[], Format::Csv), "object"),
        (
            options("company", &["name", "x", "name.y"], Format::Csv),
            "fields[1]",
        ),
        (options("company", &[], Format::Vcard), "format"),
    ] {
        let error = export_start(&workspace, &Caller::system(), &options)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "BAD_INPUT");
        assert_eq!(error.issues()[0].path_text(), path, "{error}");
    }
}
