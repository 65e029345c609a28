//! Writing and reading records.

use relata_catalog::{FieldIndex, Kind, Value};
use relata_store::filter::Deleted;
use relata_store::{Lock, StoreError, Turn};
use uuid::Uuid;

use crate::fixture::{
    field, insert, object, on_each, record, relation, text, unique, with_objects, words,
};

#[tokio::test]
async fn a_stale_version_changes_nothing() {
    on_each(async |database| {
        let company = object("company", vec![field("name", text())]);
        with_objects(&database, vec![company.clone()]).await;
        let mut first = record(vec![words("Ada")]);
        insert(&database, &company, std::slice::from_ref(&first)).await;

        first.version = 2;
        first.values[0] = words("Grace");
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction
            .update(&company, &[first.id], &first, &[FieldIndex(0)])
            .await
            .unwrap();
        let error = transaction
            .update(&company, &[first.id], &first, &[FieldIndex(0)])
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::VersionConflict), "{error:?}");
        let found = transaction
            .get(&company, first.id, Lock::Update)
            .await
            .unwrap();
        assert_eq!(found, Some(first));
        transaction.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_violated_unique_key_is_named_by_its_index() {
    on_each(async |database| {
        let mut listing = object(
            "listing",
            vec![
                field("symbol", text()),
                field("market", text()),
                field("email", Kind::Email),
            ],
        );
        unique(
            &mut listing,
            "uq_listing_symbol_market",
            &["symbol", "market"],
        );
        unique(&mut listing, "uq_listing_email", &["email"]);
        with_objects(&database, vec![listing.clone()]).await;
        let first = record(vec![words("A"), words("XETRA"), words("a@example.com")]);
        insert(&database, &listing, std::slice::from_ref(&first)).await;

        for (values, index) in [
            (
                vec![words("A"), words("XETRA"), Value::Null],
                "uq_listing_symbol_market",
            ),
            (
                vec![words("B"), words("XETRA"), words("A@Example.com")],
                "uq_listing_email",
            ),
        ] {
            let transaction = database.begin(Turn::First).await.unwrap();
            let error = transaction
                .insert(&listing, &[record(values)])
                .await
                .unwrap_err();
            assert!(
                matches!(&error, StoreError::Unique { index: found } if found == index),
                "{error:?}"
            );
        }

        // The trash is outside, and so is what is empty.
        let transaction = database.begin(Turn::First).await.unwrap();
        let mut trashed = first.clone();
        trashed.version = 2;
        trashed.deleted_at = Some(first.created_at);
        transaction
            .update(&listing, &[trashed.id], &trashed, &[])
            .await
            .unwrap();
        transaction
            .insert(
                &listing,
                &[
                    record(first.values.clone()),
                    record(vec![words("A"), Value::Null, Value::Null]),
                    record(vec![words("A"), Value::Null, Value::Null]),
                ],
            )
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_part_can_fail_without_the_whole() {
    on_each(async |database| {
        let mut company = object("company", vec![field("name", text())]);
        unique(&mut company, "uq_company_name", &["name"]);
        let catalogue = with_objects(&database, vec![company.clone()]).await;
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction
            .insert(&company, &[record(vec![words("Ada")])])
            .await
            .unwrap();
        let savepoint = transaction.savepoint().await.unwrap();
        transaction
            .insert(&company, &[record(vec![words("Ada")])])
            .await
            .unwrap_err();
        transaction.rollback_to(savepoint).await.unwrap();
        transaction
            .insert(&company, &[record(vec![words("Grace")])])
            .await
            .unwrap();
        assert_eq!(
            crate::fixture::count(&transaction, &catalogue, "company").await,
            2
        );
        transaction.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn many_rows_go_in_chunks_under_the_bind_limit() {
    on_each(async |database| {
        let fields = (0..60).map(|n| field(&format!("f{n}"), text())).collect();
        let wide = object("wide", fields);
        let catalogue = with_objects(&database, vec![wide.clone()]).await;
        let records: Vec<_> = (0..1_200)
            .map(|n| record((0..60).map(|f| words(&format!("{n} {f}"))).collect()))
            .collect();
        insert(&database, &wide, &records).await;
        let transaction = database.begin(Turn::First).await.unwrap();
        assert_eq!(
            crate::fixture::count(&transaction, &catalogue, "wide").await,
            1_200
        );
        let ids: Vec<Uuid> = records.iter().map(|record| record.id).collect();
        let found = transaction
            .get_many(&wide, &ids, Lock::Update)
            .await
            .unwrap();
        assert_eq!(found.len(), 1_200);
    })
    .await;
}

#[tokio::test]
async fn referrers_are_found_and_relations_become_empty() {
    on_each(async |database| {
        let company = object("company", vec![field("name", text())]);
        let person = object(
            "person",
            vec![field("name", text()), field("company", relation("company"))],
        );
        with_objects(&database, vec![person.clone(), company.clone()]).await;
        let employer = record(vec![words("Analytical Engines")]);
        let mut trashed = record(vec![words("Charles"), Value::Reference(employer.id)]);
        trashed.deleted_at = Some(trashed.created_at);
        let employee = record(vec![words("Ada"), Value::Reference(employer.id)]);
        let transaction = database.begin(Turn::First).await.unwrap();
        // Deferred: who points may be written before who is pointed at.
        transaction
            .insert(&person, &[employee.clone(), trashed])
            .await
            .unwrap();
        transaction
            .insert(&company, std::slice::from_ref(&employer))
            .await
            .unwrap();
        transaction.commit().await.unwrap();

        let transaction = database.begin(Turn::First).await.unwrap();
        let to_company = FieldIndex(1);
        let found = transaction
            .referrers(
                &person,
                to_company,
                &[employer.id],
                Deleted::Exclude,
                Lock::Update,
                10,
            )
            .await
            .unwrap();
        assert_eq!(found, vec![employee.clone()]);
        let all = transaction
            .count_referrers(&person, to_company, employer.id, Deleted::Include)
            .await
            .unwrap();
        assert_eq!(all, 2);
        transaction.destroy(&company, &[employer.id]).await.unwrap();
        assert!(matches!(
            transaction.destroy(&company, &[employer.id]).await,
            Err(StoreError::NotFound)
        ));
        transaction.commit().await.unwrap();

        let transaction = database.begin(Turn::First).await.unwrap();
        let found = transaction
            .get(&person, employee.id, Lock::None)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.values[1], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_relation_to_nothing_is_refused_at_the_commit() {
    on_each(async |database| {
        let person = object("person", vec![field("manager", relation("person"))]);
        with_objects(&database, vec![person.clone()]).await;
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction
            .insert(&person, &[record(vec![Value::Reference(Uuid::now_v7())])])
            .await
            .unwrap();
        let error = transaction.commit().await.unwrap_err();
        assert!(matches!(error, StoreError::Referenced), "{error:?}");
        // The connection is clean afterwards.
        let transaction = database.begin(Turn::First).await.unwrap();
        transaction
            .insert(&person, &[record(vec![Value::Null])])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    })
    .await;
}
