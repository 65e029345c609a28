//! Files become records, and are taken back.

use relata_app::{
    AppError, Workspace,
    imports::{
        self, ImportAction, ImportMode, ImportOptions, ImportReport, UndoOptions, import_now,
        import_preview, import_start, import_undo,
    },
    jobs::{JobInfo, JobState, job_cancel, job_get},
};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{
    Place, administrator, all, create, eventually, get, in_trash, nobody, update, value,
};

async fn upload(workspace: &Workspace, bytes: impl Into<Vec<u8>>) -> Uuid {
    crate::fixture::upload(workspace, "file", bytes)
        .await
        .unwrap()
        .id
}

async fn import(
    workspace: &Workspace,
    object: &str,
    bytes: impl Into<Vec<u8>>,
    options: ImportOptions,
) -> Result<ImportReport, AppError> {
    let file = upload(workspace, bytes).await;
    let caller = relata_app::Caller::system();
    import_now(workspace, &caller, object, file, &options).await
}

async fn ended(workspace: &Workspace, id: Uuid) -> JobInfo {
    let caller = relata_app::Caller::system();
    eventually("the job has ended", async || {
        let job = job_get(workspace, &caller, id).await.unwrap().unwrap();
        job.state.is_ended().then_some(job)
    })
    .await
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

on_each_database! {
    columns_are_guessed_in_english_and_chinese
    rows_create_update_and_upsert
    an_import_is_undone_as_a_whole
    what_was_changed_since_is_left_alone
    relations_are_matched_by_key_and_made_when_missing
    another_spelling_names_the_same_where_the_key_folds
    a_retired_option_is_refused_in_its_row
    rows_may_name_later_rows_of_their_own_object
    a_dry_run_tells_all_and_writes_nothing
    bad_files_are_refused_with_a_code
    a_job_is_cancelled
    nobody_but_administrators_imports
}

async fn columns_are_guessed_in_english_and_chinese(workspace: Workspace) {
    let csv = "姓名,公司,手机,邮箱,职务,备注,城市,???\n王小明,平安银行,+8613910998888,wang@example.com,经理,\"第一行\n第二行\",深圳,zzz\n";
    let file = upload(&workspace, csv).await;
    let caller = relata_app::Caller::system();
    let options = ImportOptions::default();
    let preview = import_preview(&workspace, &caller, "person", file, &options)
        .await
        .unwrap();
    assert_eq!(
        preview.map,
        strings(&[
            "姓名=name",
            "公司=company.name",
            "手机=phones",
            "邮箱=emails",
            "职务=jobTitle",
            "备注=description",
            "城市=address.city",
        ])
    );
    assert_eq!(preview.rows, 1);
    assert!(preview.problems.is_empty(), "{:?}", preview.problems);

    let csv = "First Name;Last Name;E-mail;Company name;Birth date\nAda;Lovelace;ada@example.com;Analytical;10.12.1815\n";
    let report = import(
        &workspace,
        "person",
        csv,
        ImportOptions {
            create_missing: true,
            ..ImportOptions::default()
        },
    )
    .await
    .unwrap();
    assert_eq!((report.created, report.related), (1, 1), "{report:#?}");
    let id = all(&workspace, "person").await[0].id;
    assert_eq!(
        value(&workspace, "person", id, "name").await["full"],
        "Ada Lovelace"
    );
    assert_eq!(
        value(&workspace, "person", id, "birthday").await,
        "1815-12-10"
    );
    assert_eq!(all(&workspace, "company").await.len(), 1);
}

async fn rows_create_update_and_upsert(workspace: Workspace) {
    let ada = create(
        &workspace,
        "company",
        json!({"name": "Ada", "employees": 1}),
    )
    .await
    .unwrap();
    let new = Uuid::now_v7();
    let old = Uuid::parse_str("936da01f-9abd-4d9d-80c7-02af85c822a8").unwrap();
    let csv = format!("id,name,employees\n{ada},Ada Ltd,\n{new},New,7\n{old},Old,7\n,None,7\n");
    let options = |action| ImportOptions {
        action,
        on: strings(&["id"]),
        mode: ImportMode::Partial,
        ..ImportOptions::default()
    };
    let report = import(
        &workspace,
        "company",
        csv.clone(),
        options(ImportAction::Update),
    )
    .await
    .unwrap();
    assert_eq!((report.created, report.updated), (0, 1), "{report:#?}");
    let lines: Vec<(u64, &str)> = report
        .errors
        .iter()
        .map(|error| (error.line, error.code.as_str()))
        .collect();
    assert_eq!(
        lines,
        [(3, "NOT_FOUND"), (4, "BAD_ID"), (5, "REQUIRED")],
        "{report:#?}"
    );
    // Rows that are found by their ids say all of a record: an empty cell is an empty field.
    assert_eq!(
        value(&workspace, "company", ada, "employees").await,
        json!(null)
    );

    let report = import(&workspace, "company", csv, options(ImportAction::Upsert))
        .await
        .unwrap();
    assert_eq!((report.created, report.unchanged), (1, 1), "{report:#?}");
    assert_eq!(value(&workspace, "company", new, "name").await, "New");

    let error = import(
        &workspace,
        "company",
        "name\nx\n",
        ImportOptions {
            action: ImportAction::Upsert,
            on: strings(&["name"]),
            ..ImportOptions::default()
        },
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), "BAD_INPUT");
    assert!(error.message().contains("one of id"), "{error}");
}

async fn an_import_is_undone_as_a_whole(workspace: Workspace) {
    let kept = create(
        &workspace,
        "company",
        json!({"name": "Kept", "employees": 5, "industry": "ENERGY"}),
    )
    .await
    .unwrap();
    let mut csv = format!("id,name,employees\n{kept},Changed,6\n");
    let new: Vec<Uuid> = (0..1_200).map(|_| Uuid::now_v7()).collect();
    for id in &new {
        csv.push_str(&format!("{id},Firm {id},1\n"));
    }
    let report = import(
        &workspace,
        "company",
        csv,
        ImportOptions {
            action: ImportAction::Upsert,
            on: strings(&["id"]),
            ..ImportOptions::default()
        },
    )
    .await
    .unwrap();
    assert_eq!((report.created, report.updated), (1_200, 1), "{report:#?}");
    let caller = relata_app::Caller::system();
    let import = report.job.unwrap();
    let undo = import_undo(&workspace, &caller, import, UndoOptions::default())
        .await
        .unwrap();
    let undo = ended(&workspace, undo.id).await;
    assert_eq!(undo.state, JobState::Done, "{undo:#?}");
    assert_eq!(undo.counts["removed"], 1_200, "{undo:#?}");
    assert_eq!(undo.counts["restored"], 1, "{undo:#?}");
    let left = all(&workspace, "company").await;
    assert_eq!(left.len(), 1);
    assert_eq!(in_trash(&workspace, "company").await.len(), 1_200);
    assert_eq!(value(&workspace, "company", kept, "name").await, "Kept");
    assert_eq!(value(&workspace, "company", kept, "employees").await, 5);
    assert_eq!(
        value(&workspace, "company", kept, "industry").await,
        "ENERGY"
    );
    let job = job_get(&workspace, &caller, import).await.unwrap().unwrap();
    assert_eq!(job.state, JobState::Undone);
    let again = import_undo(&workspace, &caller, import, UndoOptions::default()).await;
    assert_eq!(again.unwrap_err().code(), "BAD_INPUT");
}

async fn what_was_changed_since_is_left_alone(workspace: Workspace) {
    let report = import(
        &workspace,
        "company",
        "name\nOne\nTwo\n",
        ImportOptions::default(),
    )
    .await
    .unwrap();
    let one = all(&workspace, "company")
        .await
        .into_iter()
        .map(|record| record.id)
        .min()
        .unwrap();
    update(&workspace, "company", one, json!({"employees": 3}), None)
        .await
        .unwrap();
    let caller = relata_app::Caller::system();
    let undo = import_undo(
        &workspace,
        &caller,
        report.job.unwrap(),
        UndoOptions {
            force: false,
            destroy: true,
        },
    )
    .await
    .unwrap();
    let undo = ended(&workspace, undo.id).await;
    assert_eq!(undo.counts["removed"], 1);
    assert_eq!(undo.counts["kept"], 1);
    let errors = imports::import_errors(&workspace, &caller, undo.id, 10)
        .await
        .unwrap();
    assert_eq!(errors[0].code, "CHANGED_SINCE");
    assert_eq!(all(&workspace, "company").await.len(), 1);
    assert_eq!(in_trash(&workspace, "company").await.len(), 0);
}

async fn relations_are_matched_by_key_and_made_when_missing(workspace: Workspace) {
    create(&workspace, "company", json!({"name": "There"}))
        .await
        .unwrap();
    let csv = "name,company\nA,There\nB,Missing\nC,Missing\n";
    let options = ImportOptions {
        map: strings(&["name=name", "company=company.name"]),
        mode: ImportMode::Partial,
        ..ImportOptions::default()
    };
    let report = import(&workspace, "person", csv, options.clone())
        .await
        .unwrap();
    assert_eq!((report.created, report.error_count), (1, 2), "{report:#?}");
    let made = import(
        &workspace,
        "person",
        csv,
        ImportOptions {
            create_missing: true,
            ..options
        },
    )
    .await
    .unwrap();
    assert_eq!((made.created, made.related), (3, 1), "{made:#?}");
    let caller = relata_app::Caller::system();
    let undo = import_undo(
        &workspace,
        &caller,
        made.job.unwrap(),
        UndoOptions::default(),
    )
    .await
    .unwrap();
    let undo = ended(&workspace, undo.id).await;
    assert_eq!(undo.counts["removed"], 4, "{undo:#?}");
    assert_eq!(all(&workspace, "company").await.len(), 1);
}

/// Parcels on shelves that are known by a code, in whatever case.
async fn parcels(workspace: &Workspace) {
    let document = json!({"relata": 1, "objects": [
        {"key": "shelf", "plural": "shelves", "label": "code", "fields": [
            {"key": "code", "kind": "text", "unique": true, "uniqueBy": "FOLDED"}]},
        {"key": "parcel", "plural": "parcels", "label": "number", "fields": [
            {"key": "number", "kind": "text", "unique": true, "uniqueBy": "FOLDED"},
            {"key": "state", "kind": "select", "options": [
                {"value": "LOST", "labels": "Gone", "retired": true},
                {"value": "OPEN", "labels": "Open"}, {"value": "AWAY", "labels": "Gone"}]},
            {"key": "shelf", "kind": "relation", "to": "shelf", "inverse": "parcels"}]},
    ]});
    let caller = administrator(workspace).await;
    relata_app::catalogue::blueprint_apply(workspace, &caller, &document, None, &[])
        .await
        .unwrap();
}

async fn another_spelling_names_the_same_where_the_key_folds(workspace: Workspace) {
    parcels(&workspace).await;
    create(&workspace, "shelf", json!({"code": "Süd"}))
        .await
        .unwrap();
    let options = || ImportOptions {
        action: ImportAction::Upsert,
        on: strings(&["number"]),
        map: strings(&["number=number", "shelf=shelf.code"]),
        create_missing: true,
        ..ImportOptions::default()
    };
    let csv = "number,shelf\na1,SUD\nA2,Nord\na3,NORD\na4,nord\n";
    let report = import(&workspace, "parcel", csv, options()).await.unwrap();
    assert_eq!((report.created, report.related), (4, 1), "{report:#?}");
    assert_eq!(all(&workspace, "shelf").await.len(), 2);

    let csv = "number,shelf\nÁ1,nord\na2,süd\n";
    let report = import(&workspace, "parcel", csv, options()).await.unwrap();
    assert_eq!((report.created, report.updated), (0, 2), "{report:#?}");
    assert_eq!(all(&workspace, "parcel").await.len(), 4);
}

async fn a_retired_option_is_refused_in_its_row(workspace: Workspace) {
    parcels(&workspace).await;
    let csv = "number,state\n1,LOST\n2,Open\n3,gone\n";
    let options = ImportOptions {
        mode: ImportMode::Partial,
        ..ImportOptions::default()
    };
    let report = import(&workspace, "parcel", csv, options).await.unwrap();
    assert_eq!(report.created, 2, "{report:#?}");
    let errors: Vec<_> = report
        .errors
        .iter()
        .map(|error| (error.line, error.code.as_str(), error.message.as_str()))
        .collect();
    assert_eq!(
        errors,
        [(
            2,
            "RETIRED",
            "\"LOST\" is retired; expected \"OPEN\" or \"AWAY\""
        )]
    );
    // A label that a retired option has left to another means the other.
    let mut states = Vec::new();
    for parcel in all(&workspace, "parcel").await {
        states.push(value(&workspace, "parcel", parcel.id, "state").await);
    }
    assert_eq!(states, ["OPEN", "AWAY"]);
}

async fn rows_may_name_later_rows_of_their_own_object(workspace: Workspace) {
    let csv = "name,parent\nChild,Parent\nParent,\n";
    for mode in [ImportMode::AllOrNone, ImportMode::Partial] {
        let report = import(
            &workspace,
            "company",
            csv,
            ImportOptions {
                map: strings(&["name=name", "parent=parent.name"]),
                mode,
                ..ImportOptions::default()
            },
        )
        .await
        .unwrap();
        assert_eq!((report.created, report.error_count), (2, 0), "{report:#?}");
        let caller = relata_app::Caller::system();
        let options = UndoOptions {
            destroy: true,
            ..UndoOptions::default()
        };
        let undo = import_undo(&workspace, &caller, report.job.unwrap(), options)
            .await
            .unwrap();
        let undo = ended(&workspace, undo.id).await;
        assert_eq!(undo.counts["removed"], 2, "{undo:#?}");
    }
}

async fn a_dry_run_tells_all_and_writes_nothing(workspace: Workspace) {
    let csv = "name,employees,website\nGood,1,https://example.com\nBad,x,nowhere\n,1,\n";
    for mode in [ImportMode::AllOrNone, ImportMode::Partial] {
        let report = import(
            &workspace,
            "company",
            csv,
            ImportOptions {
                map: strings(&["name=name", "employees=employees", "website=website"]),
                dry_run: true,
                mode,
                ..ImportOptions::default()
            },
        )
        .await
        .unwrap();
        let told: Vec<(u64, Option<&str>, &str)> = report
            .errors
            .iter()
            .map(|error| (error.line, error.column.as_deref(), error.code.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (3, Some("employees"), "NOT_A_NUMBER"),
                (3, Some("website"), "BAD_URL"),
                (4, Some("name"), "REQUIRED"),
            ],
            "{mode:?}"
        );
        assert_eq!(report.created, 1);
        assert!(all(&workspace, "company").await.is_empty());
    }
}

async fn bad_files_are_refused_with_a_code(workspace: Workspace) {
    let wide = format!("{}\n", vec!["x"; 2_001].join(","));
    let long = format!("name,description\nA,{}\nB,b\n", "x".repeat(10 << 20));
    let files: [(&str, Vec<u8>, &str); 10] = [
        ("nothing", b" \n".to_vec(), "BAD_INPUT"),
        ("a picture", b"\x89PNG\r\n\x1a\n0000".to_vec(), "BAD_INPUT"),
        ("a zip", b"PK\x03\x04nothing".to_vec(), "BAD_INPUT"),
        ("an open quote", b"name\n\"A\nB\n".to_vec(), "BAD_INPUT"),
        ("a quote too many", b"name\n\"A\"B\n".to_vec(), "BAD_INPUT"),
        (
            "mixed",
            [&b"name\n"[..], "好的\n".as_bytes(), b"\xcd\xf5\n"].concat(),
            "BAD_INPUT",
        ),
        ("Latin 1", b"name\nM\xfcller\n".to_vec(), "BAD_INPUT"),
        ("columns", wide.into_bytes(), "LIMIT_EXCEEDED"),
        ("a list", b"[{\"name\":\"x\"}]".to_vec(), "BAD_INPUT"),
        ("unknown columns", b"x,y\n1,2\n".to_vec(), "BAD_INPUT"),
    ];
    for (what, bytes, code) in files {
        let error = import(&workspace, "company", bytes, ImportOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
    }
    let report = import(
        &workspace,
        "company",
        long,
        ImportOptions {
            mode: ImportMode::Partial,
            ..ImportOptions::default()
        },
    )
    .await
    .unwrap();
    assert_eq!(report.created, 1);
    let caller = relata_app::Caller::system();
    let bad = imports::import_bad_rows(&workspace, &caller, report.job.unwrap())
        .await
        .unwrap();
    let bad = crate::fixture::bytes_of(&workspace, &caller, bad).await;
    let text = String::from_utf8(bad).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.starts_with("name,description,what is wrong\nA,xxx"));
    assert!(text.contains("description: the cell has"));
    let error = &report.errors[0];
    assert_eq!(
        (error.line, error.column.as_deref(), error.code.as_str()),
        (2, Some("description"), "TOO_LONG")
    );
    let ragged = import(
        &workspace,
        "company",
        "{\"name\": \"A\"}\n{\"name\": 7}\n{broken\n{\"name\": {\"x\": 1}}\n",
        ImportOptions {
            mode: ImportMode::Partial,
            ..ImportOptions::default()
        },
    )
    .await
    .unwrap();
    assert_eq!((ragged.created, ragged.error_count), (1, 3), "{ragged:#?}");
}

async fn a_job_is_cancelled(workspace: Workspace) {
    let mut csv = String::from("name\n");
    for number in 0..20_000 {
        csv.push_str(&format!("Firm {number}\n"));
    }
    let file = upload(&workspace, csv).await;
    let caller = relata_app::Caller::system();
    let options = ImportOptions {
        mode: ImportMode::Partial,
        ..ImportOptions::default()
    };
    let first = import_start(&workspace, &caller, "company", file, &options)
        .await
        .unwrap();
    let waits = import_start(&workspace, &caller, "company", file, &options)
        .await
        .unwrap();
    let waits = job_cancel(&workspace, &caller, waits.id).await.unwrap();
    assert_eq!(waits.state, JobState::Cancelled);
    job_cancel(&workspace, &caller, first.id).await.unwrap();
    let first = ended(&workspace, first.id).await;
    assert_eq!(first.state, JobState::Cancelled);
    let made = all(&workspace, "company").await.len();
    assert_eq!(first.counts["created"].as_u64(), Some(made as u64));
    assert!(made < 20_000);
    let undo = import_undo(&workspace, &caller, first.id, UndoOptions::default())
        .await
        .unwrap();
    ended(&workspace, undo.id).await;
    assert!(all(&workspace, "company").await.is_empty());
    let ended_already = job_cancel(&workspace, &caller, undo.id).await;
    assert_eq!(ended_already.unwrap_err().code(), "BAD_INPUT");
}

async fn nobody_but_administrators_imports(workspace: Workspace) {
    let file = upload(&workspace, "name\nx\n").await;
    let options = ImportOptions::default();
    let started = import_start(&workspace, &nobody(), "company", file, &options).await;
    assert_eq!(started.unwrap_err().code(), "FORBIDDEN");
    let looked = import_preview(&workspace, &nobody(), "company", file, &options).await;
    assert_eq!(looked.unwrap_err().code(), "FORBIDDEN");
    let undone = import_undo(&workspace, &nobody(), file, UndoOptions::default()).await;
    assert_eq!(undone.unwrap_err().code(), "FORBIDDEN");
}

/// The workspace is closed in the middle of an import, as by a server that ends, and opened again.
async fn goes_on(place: &Place) {
    let workspace = place.open().await;
    const ROWS: usize = 10_000;
    let mut csv = String::from("name\n");
    for number in 0..ROWS {
        csv.push_str(&format!("Firm {number}\n"));
    }
    let file = upload(&workspace, csv).await;
    let caller = relata_app::Caller::system();
    let options = ImportOptions {
        mode: ImportMode::Partial,
        ..ImportOptions::default()
    };
    let job = import_start(&workspace, &caller, "company", file, &options)
        .await
        .unwrap();
    eventually("a part of it is done", async || {
        let job = job_get(&workspace, &caller, job.id).await.unwrap().unwrap();
        (job.counts["done"].as_u64() > Some(0)).then_some(())
    })
    .await;
    workspace.close().await;
    drop(workspace);

    let workspace = place.open().await;
    let before = job_get(&workspace, &caller, job.id).await.unwrap().unwrap();
    let job = ended(&workspace, job.id).await;
    assert_eq!(job.state, JobState::Done, "{job:#?}");
    assert!(
        before.counts["done"].as_u64() < Some(ROWS as u64),
        "it was done before"
    );
    assert_eq!(job.counts["created"], ROWS, "{job:#?}");
    let mut names: Vec<String> = Vec::with_capacity(ROWS);
    for record in all(&workspace, "company").await {
        match &record.values[0] {
            relata_catalog::Value::Text(name) => names.push(name.clone()),
            other => panic!("{other:?}"),
        }
        assert_eq!(record.version, 1);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), ROWS);
    let first = job_get(&workspace, &caller, job.id).await.unwrap().unwrap();
    assert!(first.started_at < first.ended_at);
    assert!(get(&workspace, "company", Uuid::now_v7()).await.is_none());
    workspace.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_import_goes_on_without_doubles_on_sqlite() {
    goes_on(&Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_import_goes_on_without_doubles_on_postgres() {
    if let Some(place) = Place::postgres().await {
        goes_on(&place).await;
        place.drop().await;
    }
}
