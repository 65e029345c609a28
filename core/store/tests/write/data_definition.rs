//! Plans become tables, and what was removed stays out of the way.

use std::sync::Arc;

use relata_catalog::{Catalogue, Change, Field, Key, Kind, Object, Step, Value};
use relata_store::{Database, Lock, Retention, StoreError, Turn};

use crate::fixture::{
    NOW, apply, field, insert, object, on_each, options, plan, record, relation, text, unique,
    with_objects, words,
};

fn removed(object: &Object, field: &Field) -> Step {
    Step::RemoveField {
        name: format!("{}.{}", object.singular, field.name),
        object: object.key.clone(),
        table: object.table.clone(),
        field: field.clone(),
    }
}

fn added(object: &Object, field: &Field) -> Step {
    Step::AddField {
        name: format!("{}.{}", object.singular, field.name),
        object: object.key.clone(),
        table: object.table.clone(),
        field: field.clone(),
    }
}

async fn drop_all_parked(database: &Database) -> Vec<String> {
    let transaction = database.begin(Turn::Alone).await.unwrap();
    let dropped = transaction.drop_parked(NOW + 1, NOW + 1).await.unwrap();
    transaction.commit().await.unwrap();
    dropped
}

#[tokio::test]
async fn a_plan_fits_only_the_revision_that_it_starts_from() {
    on_each(async |database| {
        // Numbers of every sort come back as they were.
        let company = object(
            "company",
            vec![
                field("name", text()),
                field(
                    "size",
                    Kind::Integer {
                        min: Some(-3),
                        max: Some(1 << 50),
                    },
                ),
                Field {
                    default: Some(serde_json::from_str("[1.50, 12345678901234567890]").unwrap()),
                    ..field("extra", Kind::Json { schema: None })
                },
                field(
                    "share",
                    Kind::Decimal {
                        scale: 4,
                        min: Some(rust_decimal::Decimal::new(-15, 1)),
                        max: None,
                    },
                ),
            ],
        );
        let first = plan(
            &Catalogue::default(),
            vec![company.clone()],
            vec![crate::fixture::created(&company)],
        );
        apply(&database, &first, Retention::Park).await;
        assert_eq!(database.load_catalogue().await.unwrap(), first.target);
        assert_eq!(database.catalogue_revision().await.unwrap(), 1);
        assert_eq!(database.verify().await.unwrap(), Vec::<String>::new());
        let revisions = database.revisions().await.unwrap();
        assert_eq!(revisions.len(), 1);
        assert!(revisions[0].steps.contains("createObject"), "{revisions:?}");

        let transaction = database.begin(Turn::Alone).await.unwrap();
        let error = transaction
            .apply(&first, Retention::Park, "system", NOW)
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::VersionConflict), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn only_the_last_revisions_are_kept() {
    on_each(async |database| {
        let mut company = object("company", vec![field("name", text())]);
        let mut catalogue = with_objects(&database, vec![company.clone()]).await;
        for n in 0..60 {
            company.plural = format!("companies{n}");
            let step = Step::ChangeObject {
                name: "company".to_owned(),
                object: company.key.clone(),
                changes: Vec::new(),
            };
            let next = plan(&catalogue, vec![company.clone()], vec![step]);
            apply(&database, &next, Retention::Park).await;
            catalogue = next.target;
        }
        let revisions = database.revisions().await.unwrap();
        assert_eq!(revisions.len(), 50);
        assert_eq!(revisions[0].revision, 61);
        assert_eq!(database.load_catalogue().await.unwrap(), catalogue);
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_failed_plan_stays() {
    on_each(async |database| {
        let company = object("company", vec![field("name", text())]);
        let catalogue = with_objects(&database, vec![company.clone()]).await;
        insert(
            &database,
            &company,
            &[record(vec![words("Ada")]), record(vec![words("Ada")])],
        )
        .await;

        let mut changed = company.clone();
        changed.fields.push(field(
            "size",
            Kind::Integer {
                min: None,
                max: None,
            },
        ));
        unique(&mut changed, "uq_company_name", &["name"]);
        let steps = vec![
            added(&company, &changed.fields[1]),
            Step::AddUnique {
                name: "company(name)".to_owned(),
                object: company.key.clone(),
                table: company.table.clone(),
                unique: changed.uniques[0].clone(),
                columns: vec!["name".to_owned()],
            },
        ];
        let next = plan(&catalogue, vec![changed], steps);
        let losses = database.losses(&next).await.unwrap();
        assert_eq!(
            (losses.len(), losses[0].step, losses[0].violations),
            (1, 1, 2)
        );

        let transaction = database.begin(Turn::Alone).await.unwrap();
        let error = transaction
            .apply(&next, Retention::Park, "system", NOW)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, StoreError::Unique { index } if index == "uq_company_name"),
            "{error:?}"
        );
        drop(transaction);
        assert_eq!(database.catalogue_revision().await.unwrap(), 1);
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction
            .insert(&company, &[record(vec![words("Grace")])])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_new_field_fills_the_records_that_are_there() {
    on_each(async |database| {
        let company = object("company", vec![field("name", text())]);
        let catalogue = with_objects(&database, vec![company.clone()]).await;
        let records: Vec<_> = (0..3_i64)
            .map(|n| relata_store::Record {
                // Numbers follow the order of creation, not that of the ids.
                created_at: NOW - n,
                ..record(vec![words("x")])
            })
            .collect();
        insert(&database, &company, &records).await;

        let mut changed = company.clone();
        for gapless in [false, true] {
            changed.fields.push(field(
                if gapless { "strict" } else { "number" },
                Kind::Autonumber {
                    prefix: String::new(),
                    digits: 3,
                    start: 10,
                    gapless,
                },
            ));
        }
        changed.fields.push(Field {
            default: Some("ACTIVE".into()),
            ..field(
                "status",
                Kind::Select {
                    options: options(&["ACTIVE", "LOST"]),
                },
            )
        });
        let steps = changed.fields[1..]
            .iter()
            .map(|new| added(&company, new))
            .collect();
        let next = plan(&catalogue, vec![changed.clone()], steps);
        apply(&database, &next, Retention::Park).await;
        assert_eq!(database.verify().await.unwrap(), Vec::<String>::new());

        let transaction = database.begin(Turn::First).await.unwrap();
        for (n, record) in records.iter().rev().enumerate() {
            let found = transaction
                .get(&changed, record.id, Lock::None)
                .await
                .unwrap()
                .unwrap();
            let number = Value::Integer(10 + i64::try_from(n).unwrap());
            assert_eq!(found.values[1..], [number.clone(), number, words("ACTIVE")]);
        }
        for field in &changed.fields[1..3] {
            let series = relata_store::numbers::series(&changed, field);
            let gapless = field.name == "strict";
            let next = transaction
                .next_numbers(&series, 10, 1, gapless)
                .await
                .unwrap();
            assert_eq!(next, 13, "{series}");
        }
        transaction.commit().await.unwrap();

        // A series goes on where it was when it becomes gapless.
        let mut gapless = changed.fields[1].clone();
        gapless.kind = Kind::Autonumber {
            prefix: String::new(),
            digits: 3,
            start: 10,
            gapless: true,
        };
        let mut target = changed.clone();
        target.fields[1] = gapless.clone();
        let series = relata_store::numbers::series(&target, &gapless);
        let step = Step::ChangeField {
            name: "company.number".to_owned(),
            object: company.key.clone(),
            table: company.table.clone(),
            field: gapless,
            changes: vec![Change {
                what: "gapless".to_owned(),
                from: false.into(),
                to: true.into(),
            }],
        };
        let after = plan(&next.target, vec![target], vec![step]);
        apply(&database, &after, Retention::Park).await;
        let transaction = database.begin(Turn::First).await.unwrap();
        assert_eq!(
            transaction
                .next_numbers(&series, 10, 1, true)
                .await
                .unwrap(),
            14
        );
    })
    .await;
}

#[tokio::test]
async fn a_removed_field_is_parked_and_then_dropped() {
    on_each(async |database| {
        let mut person = object(
            "person",
            vec![
                field("name", text()),
                field("manager", relation("person")),
                field("nick", text()),
                field(
                    "number",
                    Kind::Autonumber {
                        prefix: String::new(),
                        digits: 3,
                        start: 1,
                        gapless: false,
                    },
                ),
            ],
        );
        unique(&mut person, "uq_person_nick", &["nick"]);
        let catalogue = with_objects(&database, vec![person.clone()]).await;
        let boss = record(vec![
            words("Ada"),
            Value::Null,
            words("a"),
            Value::Integer(1),
        ]);
        let employee = record(vec![
            words("Grace"),
            Value::Reference(boss.id),
            words("g"),
            Value::Integer(2),
        ]);
        insert(&database, &person, &[boss.clone(), employee.clone()]).await;

        let mut slim = person.clone();
        slim.fields.truncate(1);
        slim.uniques.clear();
        let mut steps = vec![Step::RemoveUnique {
            name: "person(nick)".to_owned(),
            object: person.key.clone(),
            table: person.table.clone(),
            unique: person.uniques[0].clone(),
        }];
        steps.extend(
            person.fields[1..]
                .iter()
                .map(|field| removed(&person, field)),
        );
        let next = plan(&catalogue, vec![slim.clone()], steps);
        let losses: Vec<(String, i64)> = database
            .losses(&next)
            .await
            .unwrap()
            .into_iter()
            .map(|loss| (loss.name, loss.lost))
            .collect();
        assert_eq!(
            losses,
            vec![
                ("person.manager".to_owned(), 1),
                ("person.nick".to_owned(), 2),
                ("person.number".to_owned(), 2),
            ]
        );
        apply(&database, &next, Retention::Park).await;

        let parked = database.parked().await.unwrap();
        let names: Vec<&str> = parked
            .iter()
            .map(|parked| parked.element.as_str())
            .collect();
        assert_eq!(names, ["person.manager", "person.nick", "person.number"]);
        assert_eq!(parked[0].columns, ["manager__id"]);
        let taken = database.taken_names().await.unwrap();
        assert!(taken.columns["rec_person"].contains("nick"), "{taken:?}");

        // What is parked stands in nobody's way.
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction
            .insert(&slim, &[record(vec![words("Edsger")])])
            .await
            .unwrap();
        transaction.destroy(&slim, &[boss.id]).await.unwrap();
        transaction.commit().await.unwrap();

        assert_eq!(drop_all_parked(&database).await.len(), 3);
        assert_eq!(database.parked().await.unwrap(), Vec::new());
        let taken = database.taken_names().await.unwrap();
        assert!(
            taken.columns["rec_person"].contains("nick"),
            "names never come again"
        );
        let transaction = database.begin(Turn::First).await.unwrap();
        let found = transaction
            .get(&slim, employee.id, Lock::None)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.values, vec![words("Grace")]);
        transaction
            .insert(&slim, &[record(vec![words("Barbara")])])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(database.verify().await.unwrap(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_removed_object_goes_with_what_points_at_it() {
    for retention in [Retention::Park, Retention::Drop] {
        on_each(async |database| {
            let mut company = object(
                "company",
                vec![
                    field("name", text()),
                    field("parent", relation("company")),
                    field(
                        "number",
                        Kind::Autonumber {
                            prefix: String::new(),
                            digits: 3,
                            start: 1,
                            gapless: true,
                        },
                    ),
                ],
            );
            unique(&mut company, "uq_company_name", &["name"]);
            let person = object(
                "person",
                vec![field("name", text()), field("company", relation("company"))],
            );
            let catalogue = with_objects(&database, vec![company.clone(), person.clone()]).await;
            let employer = record(vec![words("Engines"), Value::Null, Value::Integer(1)]);
            insert(&database, &company, std::slice::from_ref(&employer)).await;
            let ada = record(vec![words("Ada"), Value::Reference(employer.id)]);
            insert(&database, &person, std::slice::from_ref(&ada)).await;

            let mut alone = person.clone();
            alone.fields.truncate(1);
            let steps = vec![
                removed(&person, &person.fields[1]),
                Step::RemoveObject {
                    name: "company".to_owned(),
                    object: Arc::new(company.clone()),
                },
            ];
            let next = plan(&catalogue, vec![alone.clone()], steps);
            let losses = database.losses(&next).await.unwrap();
            assert_eq!(
                losses.iter().map(|loss| loss.lost).collect::<Vec<_>>(),
                [1, 1]
            );
            apply(&database, &next, retention).await;
            let write = async || {
                let transaction = database.begin(Turn::First).await.unwrap();
                transaction
                    .insert(&alone, &[record(vec![words("Grace")])])
                    .await
                    .unwrap();
                transaction.commit().await.unwrap();
            };
            write().await;
            if retention == Retention::Park {
                // The table first, and only then the column that points at it: in whichever order
                // they were parked, nothing may break between.
                assert_eq!(database.parked().await.unwrap().len(), 2);
                assert_eq!(drop_all_parked(&database).await.len(), 2);
                write().await;
            }
            assert!(
                database
                    .taken_names()
                    .await
                    .unwrap()
                    .tables
                    .contains("rec_company")
            );
            assert_eq!(database.verify().await.unwrap(), Vec::<String>::new());

            // The same key may come again, under other physical names.
            let mut again = company.clone();
            again.table = "rec_company_2".to_owned();
            let last = plan(
                &next.target,
                vec![alone.clone(), again.clone()],
                vec![crate::fixture::created(&again)],
            );
            apply(&database, &last, Retention::Park).await;
            let new = record(vec![words("Engines"), Value::Null, Value::Null]);
            insert(&database, &again, &[new]).await;
        })
        .await;
    }
}

#[tokio::test]
async fn an_object_parked_before_its_referrer_may_be_dropped_first() {
    on_each(async |database| {
        let company = object("company", vec![field("name", text())]);
        let person = object(
            "person",
            vec![field("name", text()), field("company", relation("company"))],
        );
        let catalogue = with_objects(&database, vec![company.clone(), person.clone()]).await;
        let mut alone = person.clone();
        alone.fields.truncate(1);
        let steps = vec![
            Step::RemoveObject {
                name: "company".to_owned(),
                object: Arc::new(company.clone()),
            },
            removed(&person, &person.fields[1]),
        ];
        let next = plan(&catalogue, vec![alone.clone()], steps);
        apply(&database, &next, Retention::Park).await;
        assert_eq!(
            drop_all_parked(&database).await,
            ["company", "person.company"]
        );
        insert(&database, &alone, &[record(vec![words("Ada")])]).await;
    })
    .await;
}

#[tokio::test]
async fn removed_options_and_stages_leave_the_records() {
    on_each(async |database| {
        let deal = object(
            "deal",
            vec![
                field(
                    "status",
                    Kind::Select {
                        options: options(&["A", "B"]),
                    },
                ),
                field(
                    "tags",
                    Kind::MultiSelect {
                        options: options(&["A", "B"]),
                    },
                ),
                field("stage", Kind::Stage),
            ],
        );
        let catalogue = with_objects(&database, vec![deal.clone()]).await;
        let sales = Key::new("workspace", "sales");
        let stage = |stage: &str| {
            Value::Stage(relata_catalog::StageValue {
                pipeline: sales.clone(),
                stage: stage.to_owned(),
                entered_at: NOW,
            })
        };
        let tags =
            |tags: &[&str]| Value::Choices(tags.iter().map(|tag| (*tag).to_owned()).collect());
        let records = [
            record(vec![words("A"), tags(&["A", "B"]), stage("lead")]),
            record(vec![words("B"), tags(&["A"]), stage("won")]),
        ];
        insert(&database, &deal, &records).await;
        let option = |field: &Field| Step::RemoveOption {
            name: format!("deal.{}.A", field.name),
            object: deal.key.clone(),
            table: deal.table.clone(),
            field: field.clone(),
            option: "A".to_owned(),
        };
        let steps = vec![
            option(&deal.fields[0]),
            option(&deal.fields[1]),
            Step::RemoveStage {
                name: "deal.stage.sales.lead".to_owned(),
                pipeline: sales.clone(),
                stage: "lead".to_owned(),
                clears: relata_catalog::StageColumns {
                    table: deal.table.clone(),
                    field: deal.fields[2].clone(),
                },
            },
        ];
        let next = plan(&catalogue, vec![deal.clone()], steps);
        let losses = database.losses(&next).await.unwrap();
        assert_eq!(
            losses.iter().map(|loss| loss.lost).collect::<Vec<_>>(),
            [1, 2, 1]
        );
        apply(&database, &next, Retention::Park).await;
        let transaction = database.begin(Turn::First).await.unwrap();
        let mut found = Vec::new();
        for record in &records {
            found.push(
                transaction
                    .get(&deal, record.id, Lock::None)
                    .await
                    .unwrap()
                    .unwrap()
                    .values,
            );
        }
        assert_eq!(found[0], [Value::Null, tags(&["B"]), Value::Null]);
        assert_eq!(found[1], [words("B"), Value::Null, stage("won")]);
    })
    .await;
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let place = crate::fixture::Place::file();
    let database = place.open().await;
    let mut company = object("company", vec![field("name", text())]);
    unique(&mut company, "uq_company_name", &["name"]);
    with_objects(&database, vec![company]).await;
    database.close().await;
    drop(database);
    let raw = sea_orm::Database::connect(place.url.as_str())
        .await
        .unwrap();
    use sea_orm::ConnectionTrait as _;
    raw.execute_unprepared(
        "DROP INDEX uq_company_name; DROP INDEX ix_rec_company__name__folded__id; \
         ALTER TABLE rec_company DROP COLUMN name__folded",
    )
    .await
    .unwrap();
    raw.close().await.unwrap();
    let database = place.open().await;
    assert_eq!(
        database.verify().await.unwrap(),
        [
            "field company.name: column \"name__folded\" is missing",
            "object company: unique index \"uq_company_name\" is missing",
        ]
    );
}
