//! Golden folders. A passing document's plan and a failing document's issues stand beside it, as
//! text. `RELATA_BLESS=1` writes them anew; read the difference before you commit it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use relata_catalog::{
    BLUEPRINT_SCHEMA, Blueprint, Catalogue, JsonSchema, Limits, OWNER_PLATFORM, STANDARD,
    TakenNames, diff, export, resolve, resolve_text,
};

use crate::base;

fn documents(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let mut documents: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|kind| kind == "yaml" || kind == "json")
        })
        .collect();
    documents.sort();
    assert!(!documents.is_empty());
    documents
}

/// `# owner: …` in the first line; JSON has no comments and belongs to a plugin of its own.
fn owner(text: &str) -> &str {
    text.lines()
        .next()
        .and_then(|line| line.strip_prefix("# owner: "))
        .unwrap_or("acme.json")
}

fn check_beside(document: &Path, extension: &str, actual: &str) {
    let beside = document.with_extension(extension);
    if std::env::var_os("RELATA_BLESS").is_some() {
        fs::write(&beside, actual).unwrap();
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    assert_eq!(actual, expected, "{}", beside.display());
}

#[test]
fn failing_documents_say_everything_that_is_wrong() {
    let current = base();
    for document in documents("failing") {
        let text = fs::read_to_string(&document).unwrap();
        let issues = resolve_text(
            &current,
            owner(&text),
            &text,
            &TakenNames::default(),
            &Limits::default(),
        )
        .expect_err(&document.display().to_string());
        let actual: String = issues
            .0
            .iter()
            .map(|issue| format!("{} {issue}\n", issue.code))
            .collect();
        check_beside(&document, "issues", &actual);
    }
}

#[test]
fn five_mistakes_are_five_issues() {
    let text = include_str!("../failing/five-mistakes.yaml");
    let issues = resolve_text(
        &base(),
        owner(text),
        text,
        &TakenNames::default(),
        &Limits::default(),
    )
    .unwrap_err();
    assert_eq!(issues.0.len(), 5, "{issues}");
    assert!(issues.0.iter().all(|issue| !issue.path.is_empty()));
}

#[test]
fn passing_documents_make_their_plan() {
    let current = base();
    let schema = JsonSchema::new(serde_json::from_str(BLUEPRINT_SCHEMA).unwrap());
    assert!(schema.check().is_empty(), "{}", schema.check());
    for document in documents("passing") {
        let name = document.display();
        let text = fs::read_to_string(&document).unwrap();
        let owner = owner(&text);
        let (blueprint, target) = resolve_text(
            &current,
            owner,
            &text,
            &TakenNames::default(),
            &Limits::default(),
        )
        .unwrap_or_else(|issues| panic!("{name}:\n{issues}"));
        let plan = diff(&current, &target);
        let actual: String = plan
            .steps
            .iter()
            .map(|step| {
                let mark = if step.is_destructive() { "! " } else { "  " };
                format!("{mark}{} {}\n", step.action(), step.describe())
            })
            .collect();
        check_beside(&document, "plan", &actual);

        // Written and read again it is the same document.
        assert_eq!(
            Blueprint::from_json(&blueprint.to_json()).unwrap(),
            blueprint,
            "{name}"
        );
        let again = Blueprint::parse(&blueprint.to_yaml())
            .unwrap_or_else(|issues| panic!("{name}:\n{issues}"));
        assert_eq!(again, blueprint, "{name}");

        // What is exported changes nothing, whoever's it is.
        for owner in [owner, OWNER_PLATFORM, "acme.loyalty", "workspace"] {
            let exported = Blueprint::parse(&export(&target, owner).to_yaml())
                .unwrap_or_else(|issues| panic!("{name} {owner}:\n{issues}"));
            let same = resolve(&target, owner, &exported, &TakenNames::default())
                .unwrap_or_else(|issues| panic!("{name} {owner}:\n{issues}"));
            assert_eq!(same, target, "{name} {owner}");
            assert!(diff(&target, &same).is_empty(), "{name} {owner}");
            let issues = schema.validate(&exported.to_json());
            assert!(issues.is_empty(), "{name} {owner}:\n{issues}");
        }

        // The catalogue and the plan survive JSON, in which they are stored.
        let stored = serde_json::to_string(&target).unwrap();
        assert_eq!(
            serde_json::from_str::<Catalogue>(&stored).unwrap(),
            target,
            "{name}"
        );
        let value = serde_json::to_value(&target).unwrap();
        assert_eq!(
            serde_json::from_value::<Catalogue>(value).unwrap(),
            target,
            "{name}"
        );
        let stored = serde_json::to_string(&plan).unwrap();
        assert_eq!(
            serde_json::from_str::<relata_catalog::Plan>(&stored).unwrap(),
            plan
        );
    }
}

#[test]
fn the_published_schema_accepts_what_is_right_and_refuses_what_is_not() {
    let schema = JsonSchema::new(serde_json::from_str(BLUEPRINT_SCHEMA).unwrap());
    assert!(schema.check().is_empty(), "{}", schema.check());
    let read = |text: &str| serde_norway::from_str::<serde_json::Value>(text).unwrap();
    let issues = schema.validate(&read(STANDARD));
    assert!(issues.is_empty(), "{issues}");
    for document in documents("passing") {
        let text = fs::read_to_string(&document).unwrap();
        let issues = schema.validate(&read(&text));
        assert!(issues.is_empty(), "{}:\n{issues}", document.display());
    }
    for text in [
        include_str!("../failing/five-mistakes.yaml"),
        include_str!("../failing/form.yaml"),
        include_str!("../failing/version.yaml"),
        include_str!("../failing/list.yaml"),
    ] {
        assert!(!schema.validate(&read(text)).is_empty(), "{text}");
    }
}

/// CPU time of this thread so far: what others do on the machine does not count.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap()
}

#[test]
fn hostile_documents_cost_no_more_than_reading_them() {
    let deep = format!(
        "relata: 1\nobjects: {}{}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let deep_json = format!(
        "{{\"relata\": {}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let mut laughs = "relata: 1\na0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let previous = format!("*a{}", level - 1);
        laughs.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            vec![previous; 9].join(",")
        ));
    }
    let large = format!("relata: 1\n# {}", "x".repeat(5 * 1024 * 1024));
    let wide = format!("relata: 1\nobjects: [{}]", "1,".repeat(600_000));
    for text in [deep, deep_json, laughs, large, wide] {
        let before = cpu_time();
        assert!(Blueprint::parse(&text).is_err());
        let took = cpu_time() - before;
        assert!(took.as_secs() < 10, "{} took {took:?}", &text[..40]);
    }
}

/// A mebibyte that aims at the depth of the parsers. Seen at the first level too many, so in the
/// time of a few kilobytes; the parser that builds values took minutes.
#[test]
fn hostile_nesting_is_refused_in_milliseconds() {
    const BYTES: usize = 1 << 20;
    let filled = |piece: &str| piece.repeat(BYTES / piece.len());
    let stairs: String = (0..1_400)
        .map(|level| format!("{}a:\n", " ".repeat(level)))
        .collect();
    for (shape, text) in [
        ("lists", filled("[")),
        ("mappings", filled("{a: ")),
        ("mappings and lists", filled("[{a: ")),
        ("keys that are lists", filled("? [")),
        ("keys of keys", filled("? ")),
        ("items of items", filled("- ")),
        ("anchors", filled("&a [")),
        ("tags", filled("!!seq [")),
        ("indentation", stairs),
        ("JSON", format!("{{\"a\": {}", filled("["))),
        ("JSON objects", filled("{\"a\": ")),
    ] {
        let text = format!("{text}\nrelata: 1\n");
        let before = cpu_time();
        let issues = Blueprint::parse(&text).unwrap_err();
        let took = cpu_time() - before;
        assert!(took.as_millis() < 250, "{shape} took {took:?}: {issues}");
    }
}

#[test]
fn limits_are_named() {
    let fields: String = (0..300)
        .map(|number| format!("      - {{key: f{number}, kind: integer}}\n"))
        .collect();
    let text =
        format!("relata: 1\nobjects:\n  - key: wide\n    plural: wides\n    fields:\n{fields}");
    let issues = resolve_text(
        &Catalogue::default(),
        "workspace",
        &text,
        &TakenNames::default(),
        &Limits::default(),
    )
    .unwrap_err();
    assert_eq!(issues.0.len(), 1, "{issues}");
    assert_eq!(issues.0[0].code, "LIMIT_EXCEEDED");
    let limits = Limits {
        fields_max: 300,
        ..Limits::default()
    };
    resolve_text(
        &Catalogue::default(),
        "workspace",
        &text,
        &TakenNames::default(),
        &limits,
    )
    .unwrap();
}

#[test]
fn physical_names_avoid_what_is_taken_and_survive_renames() {
    let text = "relata: 1\nobjects:\n  - {key: visit, plural: visits, fields: [{key: note, kind: text, unique: true}, {key: xmin, kind: text}]}";
    let mut taken = TakenNames::default();
    taken.tables.insert("rec_visit".to_owned());
    taken
        .columns
        .insert("rec_visit_2".to_owned(), ["note".to_owned()].into());
    taken.indexes.insert("ux_visit_2_note_2".to_owned());
    let (_, first) = resolve_text(
        &Catalogue::default(),
        "workspace",
        text,
        &taken,
        &Limits::default(),
    )
    .unwrap();
    let object = &first.objects[0];
    assert_eq!(object.table, "rec_visit_2");
    assert_eq!(object.fields[0].column, "note_2");
    assert_eq!(object.fields[1].column, "xmin_2");
    assert_eq!(object.uniques[0].index, "ux_visit_2_note_2_2");

    let renamed = text
        .replace("key: visit,", "key: visit, name: call,")
        .replace("key: note,", "key: note, name: remark,");
    let (_, second) =
        resolve_text(&first, "workspace", &renamed, &taken, &Limits::default()).unwrap();
    let object = &second.objects[0];
    assert_eq!(
        (object.singular.as_str(), object.table.as_str()),
        ("call", "rec_visit_2")
    );
    assert_eq!(object.fields[0].column, "note_2");
    let plan = diff(&first, &second);
    assert!(plan.steps.iter().all(|step| !step.is_destructive()));
    assert_eq!(plan.steps.len(), 2);
    assert_eq!(plan.target.revision, first.revision + 1);
    assert_eq!(diff(&first, &second).id, plan.id);
    assert_eq!(plan.id.len(), 64);
}

#[test]
fn uninstalling_leaves_the_catalogue_as_it_was() {
    let before = base();
    let text = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/passing/document.json"),
    )
    .unwrap();
    let (_, with) = resolve_text(
        &before,
        "acme.json",
        &text,
        &TakenNames::default(),
        &Limits::default(),
    )
    .unwrap();
    assert_ne!(with, before);
    let without = resolve(
        &with,
        "acme.json",
        &Blueprint::default(),
        &TakenNames::default(),
    )
    .unwrap();
    assert_eq!(without, before);
}
