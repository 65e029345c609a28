//! What holds for everything: round trips, inverses, and that nothing panics.

use proptest::prelude::*;
use relata_catalog::expression::Expression;
use relata_catalog::{
    Blueprint, Catalogue, CoerceContext, DuplicateBy, DuplicateRuleDefinition,
    DuplicatesDefinition, FieldDefinition, FieldRules, Formula, InverseDefinition, Issues, Kind,
    KindDefinition, Labels, Limits, OWNER_PLATFORM, ObjectDefinition, ObjectEntry, ObjectMembers,
    OnDelete, PipelineDefinition, RelationDefinition, RuleDefinition, STANDARD, StageDefinition,
    TakenNames, UniqueBy, UniqueField, coerce, coerce_operand, coerce_text, diff, export, folded,
    format_instant, options_of, parse_instant, resolve, resolve_document, resolve_text, to_json,
    validate,
};
use serde_json::{Map, Value as Json, json};

use crate::coercion::{field, kinds};

/// What an object says of duplicates: nothing, another score, no rules, or some.
fn duplicates(number: usize, label: &Option<String>) -> Option<DuplicatesDefinition> {
    let rule = |by, field: &String| DuplicateRuleDefinition {
        by: Some(by),
        fields: vec![field.clone()],
        weight: Some(rust_decimal::Decimal::new(25, 1)),
        otherwise: Some(rust_decimal::Decimal::new(-2, 0)),
    };
    let rules = || {
        let label = label.iter();
        label.flat_map(|label| {
            [
                rule(DuplicateBy::Name, label),
                rule(DuplicateBy::Equal, label),
            ]
        })
    };
    (!number.is_multiple_of(4)).then(|| DuplicatesDefinition {
        score: (!number.is_multiple_of(2)).then(|| rust_decimal::Decimal::new(7, 1)),
        rules: (number % 4 > 1).then(|| rules().collect()),
    })
}

proptest! {
    #[test]
    fn folding_twice_is_folding_once(text in any::<String>()) {
        let once = folded(&text);
        prop_assert_eq!(folded(&once), once);
    }

    #[test]
    fn instants_are_read_as_they_are_written(micros in -62_135_596_800_000_000_i64..=253_402_300_799_999_999) {
        prop_assert_eq!(parse_instant(&format_instant(micros)), Some(micros));
    }

    /// Whatever is sent, to whatever kind: a value or issues. A value is valid, and its JSON means
    /// the same value.
    #[test]
    fn a_value_is_its_json(position in 0..kinds().len(), input in input()) {
        let kind = kinds().swap_remove(position);
        let field = field(kind.clone());
        let context = CoerceContext { region: Some("DE".to_owned()), ..CoerceContext::default() };
        let _ = coerce_operand(&field, &input, &context);
        match coerce(&field, &input, &context) {
            Err(issues) => prop_assert!(!issues.is_empty()),
            Ok(value) => {
                let written = to_json(&kind, &value);
                let again: Json = serde_json::from_str(&written.to_string()).unwrap();
                prop_assert_eq!(coerce(&field, &again, &context), Ok(value.clone()), "{}", written);
                prop_assert!(validate(&field, &value).is_empty(), "{}", validate(&field, &value));
            }
        }
    }

    #[test]
    fn cells_of_a_table_never_panic(position in 0..kinds().len(), text in any::<String>()) {
        let kind = kinds().swap_remove(position);
        let _ = coerce_text(&field(kind), &text, &CoerceContext::default());
    }

    #[test]
    fn texts_never_panic(text in "[\\{\\}\\[\\]:,&*!|>'\"%@#a-z0-9 \n.-]{0,80}") {
        let _ = Blueprint::parse(&text);
        let _ = Blueprint::parse(&format!("relata: 1\nobjects: {text}"));
    }

    /// The standard document with one value in it replaced by anything: a catalogue or issues with
    /// paths, never a panic.
    #[test]
    fn broken_documents_never_panic(at in any::<prop::sample::Index>(), value in input()) {
        let mut document = Blueprint::parse(STANDARD).unwrap().to_json();
        let mut pointers = Vec::new();
        collect(&document, String::new(), &mut pointers);
        let pointer = at.get(&pointers);
        *document.pointer_mut(pointer).unwrap() = value;
        let resolved = resolve_document(
            &Catalogue::default(), OWNER_PLATFORM, &document, &TakenNames::default(), &Limits::default(),
        );
        if let Err(issues) = resolved {
            prop_assert!(!issues.is_empty());
        }
    }

    #[test]
    fn what_is_exported_resolves_to_the_same(blueprint in blueprint(), second in blueprint()) {
        let standard = standard();
        let taken = TakenNames::default();
        let first = accepted(resolve(&standard, "acme.made", &blueprint, &taken))?;
        let exported = Blueprint::parse(&export(&first, "acme.made").to_yaml()).unwrap();
        prop_assert_eq!(&resolve(&first, "acme.made", &exported, &taken).unwrap(), &first);
        prop_assert!(diff(&first, &first).is_empty());

        // The standard objects are as they were when the plugin goes, and nothing keeps its plan.
        let without = resolve(&first, "acme.made", &Blueprint::default(), &taken).unwrap();
        prop_assert_eq!(&without, &standard);

        // From any document to any other: steps exactly where something differs, and the same id
        // for the same way.
        if let Ok(target) = resolve(&first, "acme.made", &second, &taken) {
            let plan = diff(&first, &target);
            prop_assert_eq!(plan.steps.is_empty(), target == first);
            prop_assert_eq!(&diff(&first, &target).id, &plan.id);
            let mut counted = target.clone();
            counted.revision = plan.target.revision;
            prop_assert_eq!(&plan.target, &counted);
            // Physical names are nobody else's.
            let mut names: Vec<&str> = Vec::new();
            for object in &target.objects {
                names.push(&object.table);
                let mut columns: Vec<String> = object
                    .fields
                    .iter()
                    .flat_map(|field| field.columns().into_iter().map(|column| column.name))
                    .collect();
                prop_assert!(columns.iter().all(|name| name.len() <= 63));
                let count = columns.len();
                columns.sort();
                columns.dedup();
                prop_assert_eq!(columns.len(), count);
            }
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            prop_assert_eq!(names.len(), count);
        }
    }
}

fn accepted(resolved: Result<Catalogue, Issues>) -> Result<Catalogue, TestCaseError> {
    // Generated names may collide, generated unique keys be too long; such documents say nothing.
    resolved.map_err(|issues| {
        let only_names = issues.0.iter().all(|issue| {
            matches!(
                issue.code.as_str(),
                "DUPLICATE_NAME" | "NAME_TAKEN" | "UNIQUE_UNFIT"
            )
        });
        if only_names {
            TestCaseError::reject("names collide")
        } else {
            TestCaseError::fail(issues.to_string())
        }
    })
}

fn standard() -> Catalogue {
    resolve_text(
        &Catalogue::default(),
        OWNER_PLATFORM,
        STANDARD,
        &TakenNames::default(),
        &Limits::default(),
    )
    .unwrap()
    .1
}

fn collect(value: &Json, pointer: String, pointers: &mut Vec<String>) {
    pointers.push(pointer.clone());
    match value {
        Json::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/{position}"), pointers);
            }
        }
        Json::Object(members) => {
            for (name, member) in members {
                collect(member, format!("{pointer}/{name}"), pointers);
            }
        }
        _ => {}
    }
}

/// JSON of every shape, with a bias to what the kinds are made of.
fn input() -> impl Strategy<Value = Json> {
    let number = prop_oneof![
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        (-2_000_i64..2_000).prop_map(Json::from),
        "-?[1-9][0-9]{0,40}(\\.[0-9]{1,40})?(e-?[0-9]{1,12})?"
            .prop_map(|text| serde_json::from_str(&text).unwrap()),
    ];
    let text = prop_oneof![
        any::<String>(),
        "[+-]?[0-9]{1,20}(\\.[0-9]{1,10})?",
        "[0-9]{4}-[01][0-9]-[0-3][0-9]",
        "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|[+-][0-2][0-9]:[0-5][0-9])",
        "[a-z.]{1,5}@[a-z]{1,5}(\\.[a-z]{1,3}){1,2}",
        "\\+?[0-9 ()/.-]{1,20}( ?(x|ext) ?[0-9]{1,3})?",
        "https?://[a-z]{1,5}\\.[a-z]{2,3}/[a-z?#=]{0,5}",
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "(NEW|OLD|EUR|usd|GIVEN_FIRST|FAMILY_FIRST)",
        "[王小明李 ]{1,4}",
    ]
    .prop_map(Json::from);
    let leaf = prop_oneof![
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::from),
        3 => number,
        8 => text,
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![
            "(amount|currency|full|given|family|order|primary|additional|typed|e164|street|city|region|postalCode|country|n)",
            "[a-z]{1,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((name, inner), 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn plain_kind() -> impl Strategy<Value = (Kind, Option<Json>)> {
    prop_oneof![
        (1_u32..200).prop_map(|max| (Kind::Text { max }, Some(json!("x")))),
        Just((Kind::LongText { max: 10 }, None)),
        (-5_i64..0, 0_i64..5).prop_map(|(min, max)| {
            (
                Kind::Integer {
                    min: Some(min),
                    max: Some(max),
                },
                Some(json!(0)),
            )
        }),
        (0_u32..9).prop_map(|scale| {
            (
                Kind::Decimal {
                    scale,
                    min: None,
                    max: Some(5.into()),
                },
                Some(json!("1")),
            )
        }),
        (0_u32..9).prop_map(|scale| {
            (
                Kind::Percent {
                    scale,
                    min: Some(0.into()),
                    max: Some(100.into()),
                },
                Some(json!("50")),
            )
        }),
        (2_u32..=10).prop_map(|max| (Kind::Rating { max }, Some(json!(2)))),
        Just((Kind::RichText { max: 10 }, Some(json!("**x**")))),
        Just((
            Kind::Money {
                scale: 2,
                currency: Some("EUR".to_owned())
            },
            Some(json!({"amount": "1.50"}))
        )),
        Just((Kind::Boolean, Some(json!(false)))),
        Just((Kind::Date, Some(json!("2026-11-22")))),
        Just((Kind::DateTime, None)),
        Just((Kind::Time, Some(json!("08:30:00")))),
        Just((Kind::Duration, Some(json!("PT1H30M")))),
        Just((
            Kind::Uuid,
            Some(json!("0190b5a1-7c3e-7000-8000-000000000000"))
        )),
        Just((
            Kind::Select {
                options: options_of(&["NEW", "OLD"])
            },
            Some(json!("OLD"))
        )),
        Just((
            Kind::MultiSelect {
                options: options_of(&["NEW", "OLD"])
            },
            None
        )),
        Just((Kind::Texts, Some(json!(["a", "a"])))),
        Just((Kind::Tags, Some(json!(["a", "b"])))),
        Just((Kind::User, None)),
        Just((Kind::FullName, None)),
        Just((Kind::Phones, None)),
        Just((Kind::Address, None)),
        (
            prop::sample::subsequence(vec!["image/*", "application/pdf", "text/csv"], 0..=3),
            prop::option::of(1..1_000_000_i64)
        )
            .prop_map(|(types, max_size)| {
                let types = types.into_iter().map(str::to_owned).collect();
                (Kind::File { types, max_size }, None)
            }),
        Just((Kind::Url, None)),
        Just((
            Kind::Autonumber {
                prefix: "N-".to_owned(),
                digits: 3,
                start: 7,
                gapless: true
            },
            None
        )),
    ]
}

fn labels() -> impl Strategy<Value = Labels> {
    prop::collection::vec(
        (
            prop::sample::select(vec!["en", "zh-CN", "de"]),
            "[a-zA-Z公司]{1,8}",
        ),
        0..3,
    )
    .prop_map(|texts| {
        texts
            .into_iter()
            .map(|(language, text)| (language.to_owned(), text))
            .collect()
    })
}

fn fields() -> impl Strategy<Value = Vec<FieldDefinition>> {
    let target = prop::sample::select(vec!["company", "person", "relata/deal"]);
    let kind = prop_oneof![
        4 => plain_kind().prop_map(|(kind, default)| (KindDefinition::Plain(kind), default)),
        1 => (target, prop::option::of("[a-z]{4}[A-Z]{2}")).prop_map(|(to, inverse)| {
            (
                KindDefinition::Relation(RelationDefinition {
                    through: None,
                    ancestors: None,
                    descendants: None,
                    to: to.to_owned(),
                    inverse: inverse.map(|name| InverseDefinition { name, labels: Labels::new() }),
                    on_delete: OnDelete::Cascade,
                }),
                None,
            )
        }),
    ];
    prop::collection::vec(
        (
            0_u8..12,
            prop::option::of("[a-z]{3}[A-Z][0-9]"),
            labels(),
            kind,
            any::<(bool, bool, bool)>(),
        ),
        0..6,
    )
    .prop_map(|fields| {
        let mut seen = std::collections::HashSet::new();
        fields
            .into_iter()
            .filter(|(number, ..)| seen.insert(*number))
            .map(
                |(number, name, labels, (kind, default), (required, unique, has_default))| {
                    let can_be_unique = |by: UniqueBy| match &kind {
                        KindDefinition::Relation(_) => by == UniqueBy::Exact,
                        KindDefinition::Rollup(_) => false,
                        KindDefinition::Plain(kind) => {
                            field(kind.clone()).unique_column(by).is_some()
                        }
                    };
                    let by = match has_default {
                        true => UniqueBy::Folded,
                        false => UniqueBy::Exact,
                    };
                    let unique = (unique && can_be_unique(by)).then_some(by);
                    FieldDefinition {
                        indexed: false,
                        key: format!("key{number}"),
                        name,
                        labels,
                        description: Labels::new(),
                        kind,
                        required,
                        unique,
                        default: default.filter(|_| has_default),
                        rules: FieldRules {
                            required_when: required
                                .then(|| Expression::new("record.version > 1 || now < now")),
                            immutable: has_default,
                            ..FieldRules::default()
                        },
                    }
                },
            )
            .collect()
    })
}

fn labels_of(text: &str) -> Labels {
    [("en".to_owned(), text.to_owned())].into_iter().collect()
}

fn formula(number: u8) -> FieldDefinition {
    FieldDefinition {
        indexed: false,
        key: "worked".to_owned(),
        name: None,
        labels: Labels::new(),
        description: Labels::new(),
        kind: KindDefinition::Plain(Kind::Formula(Formula::new(Expression::new(format!(
            "record.version * {number}.5"
        ))))),
        required: false,
        unique: None,
        default: None,
        rules: FieldRules::default(),
    }
}

fn blueprint() -> impl Strategy<Value = Blueprint> {
    let object = (0_u8..4, labels(), fields(), fields());
    let pipeline = (
        0_u8..3,
        labels(),
        prop::collection::vec((0_u8..5, any::<bool>()), 1..5),
    );
    (
        prop::collection::vec(object, 0..4),
        fields(),
        prop::collection::vec(pipeline, 0..3),
    )
        .prop_map(|(objects, extension, pipelines)| {
            let mut blueprint = Blueprint::default();
            let mut seen = std::collections::HashSet::new();
            for (number, labels, mut fields, _) in objects {
                if !seen.insert(number) {
                    continue;
                }
                if number > 1 {
                    fields.push(formula(number));
                }
                let label = fields
                    .iter()
                    .find(|field| matches!(field.kind, KindDefinition::Plain(Kind::Text { .. })))
                    .map(|field| field.key.clone());
                let unique = match fields.as_slice() {
                    [first, second, ..] if first.unique.is_some() && second.unique.is_some() => {
                        let part = |field: &FieldDefinition| UniqueField {
                            field: field.key.clone(),
                            by: field.unique.unwrap_or_default(),
                        };
                        vec![vec![part(second), part(first)]]
                    }
                    _ => Vec::new(),
                };
                blueprint
                    .objects
                    .push(ObjectEntry::Define(ObjectDefinition {
                        one_of: Vec::new(),
                        key: format!("made{number}"),
                        name: None,
                        plural: format!("mades{number}"),
                        labels: labels.clone(),
                        plural_labels: labels,
                        description: Labels::new(),
                        members: ObjectMembers {
                            duplicates: duplicates(usize::from(number), &label),
                            fields,
                            unique,
                            indexes: Vec::new(),
                            rules: vec![RuleDefinition {
                                key: format!("rule{number}"),
                                when: (number > 2).then(|| Expression::new("old.version > 3")),
                                must: Expression::new("record.createdAt <= now"),
                                message: labels_of("No"),
                                fields: Vec::new(),
                            }],
                        },
                        label,
                        locked_when: (number > 2).then(|| Expression::new("old.version > 3")),
                    }));
            }
            let has_extension = !extension.is_empty();
            if has_extension {
                blueprint.extension_mut("company").members.fields = extension;
            }
            let mut seen = std::collections::HashSet::new();
            for (number, labels, stages) in pipelines {
                if !seen.insert(number) {
                    continue;
                }
                let mut keys = std::collections::HashSet::new();
                blueprint.pipelines.push(PipelineDefinition {
                    key: format!("pipe{number}"),
                    name: None,
                    labels,
                    object: "deal".to_owned(),
                    field: "stage".to_owned(),
                    stages: stages
                        .into_iter()
                        .filter(|(stage, _)| keys.insert(*stage))
                        .map(|(stage, gated)| StageDefinition {
                            key: format!("stage{stage}"),
                            requires: if gated {
                                vec!["amount".to_owned()]
                            } else {
                                Vec::new()
                            },
                            from: if gated {
                                vec![format!("stage{stage}")]
                            } else {
                                Vec::new()
                            },
                            ..StageDefinition::default()
                        })
                        .collect(),
                });
            }
            blueprint
        })
}
