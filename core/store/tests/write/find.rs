//! Conditions and totals inside a transaction.

use relata_catalog::{FieldIndex, Kind, Money, Value, Via};
use relata_store::filter::{
    ColumnRef, Direction, Filter, Nulls, Operand, Operator, OrderTerm, Quantifier,
};
use relata_store::{Find, StoreError, Turn};
use rust_decimal::Decimal;

use crate::fixture::{field, insert, object, on_each, record, relation, text, with_objects, words};

fn column(field: usize, part: usize) -> ColumnRef {
    ColumnRef::Field {
        field: FieldIndex(field),
        part,
    }
}

fn compare(column: ColumnRef, operator: Operator, value: Value) -> Filter {
    Filter::Compare {
        column,
        operator,
        operand: Operand::Value(value),
    }
}

#[tokio::test]
async fn a_transaction_finds_by_the_same_conditions_as_a_query() {
    on_each(async |database| {
        let company = object("company", vec![field("name", text())]);
        let person = object(
            "person",
            vec![
                field("name", text()),
                field("company", relation("company")),
                field("born", Kind::Date),
            ],
        );
        let catalogue = with_objects(&database, vec![company.clone(), person.clone()]).await;
        let (companies, _) = catalogue.object_named("company").unwrap();
        let (people, _) = catalogue.object_named("person").unwrap();
        let engines = record(vec![words("Ängines")]);
        let ships = record(vec![words("Ships")]);
        insert(&database, &company, &[engines.clone(), ships.clone()]).await;
        let born = |year| Value::Date(jiff::civil::date(year, 12, 10));
        let ada = record(vec![words("Ada"), Value::Reference(engines.id), born(1815)]);
        let grace = record(vec![words("grace"), Value::Reference(ships.id), born(1906)]);
        let nobody = record(vec![words("Zed"), Value::Null, Value::Null]);
        insert(
            &database,
            &person,
            &[nobody.clone(), grace.clone(), ada.clone()],
        )
        .await;

        let transaction = database.begin(Turn::First).await.unwrap();
        let ids = async |find: Find| -> Vec<uuid::Uuid> {
            let found = transaction.find(&catalogue, &find).await.unwrap();
            found.into_iter().map(|record| record.id).collect()
        };
        // Folded, across a relation to one.
        let at_engines = Filter::ToOne {
            field: FieldIndex(1),
            filter: Box::new(compare(column(0, 0), Operator::IContains, words("ANG"))),
        };
        assert_eq!(
            ids(Find::new(people, at_engines.clone())).await,
            vec![ada.id]
        );
        assert_eq!(
            ids(Find::new(people, Filter::Not(Box::new(at_engines)))).await,
            vec![grace.id, nobody.id]
        );
        let with_old_people = Filter::ToMany {
            object: people,
            via: Via::Relation(FieldIndex(1)),
            quantifier: Quantifier::Some,
            filter: Box::new(compare(column(2, 0), Operator::Lt, born(1900))),
        };
        assert_eq!(
            ids(Find::new(companies, with_old_people)).await,
            vec![engines.id]
        );
        // In a list, ordered through the relation, limited.
        let listed = Filter::Compare {
            column: column(0, 0),
            operator: Operator::In,
            operand: Operand::List(vec![words("Ada"), words("grace"), words("Zed")]),
        };
        let ordered = Find {
            order: vec![OrderTerm {
                through: vec![FieldIndex(1)],
                column: column(0, 0),
                direction: Direction::Descending,
                nulls: Nulls::Last,
            }],
            limit: Some(2),
            lock: relata_store::Lock::Update,
            ..Find::new(people, listed)
        };
        assert_eq!(ids(ordered).await, vec![grace.id, ada.id]);

        let unfit = compare(column(2, 0), Operator::IContains, words("x"));
        let error = transaction
            .find(&catalogue, &Find::new(people, unfit))
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Condition(_)), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn sums_are_exact_beyond_64_bits() {
    on_each(async |database| {
        let entry = object(
            "entry",
            vec![
                field(
                    "amount",
                    Kind::Money {
                        scale: 2,
                        currency: None,
                    },
                ),
                field(
                    "points",
                    Kind::Integer {
                        min: None,
                        max: None,
                    },
                ),
            ],
        );
        let catalogue = with_objects(&database, vec![entry.clone()]).await;
        let (index, _) = catalogue.object_named("entry").unwrap();
        let greatest = Decimal::new(999_999_999_999_999_999, 2);
        let records: Vec<_> = (0..30)
            .map(|_| {
                record(vec![
                    Value::Money(Money {
                        amount: greatest,
                        currency: "EUR".to_owned(),
                    }),
                    Value::Integer(-7),
                ])
            })
            .collect();
        insert(&database, &entry, &records).await;
        let everything = Filter::And(Vec::new());
        let transaction = database.begin(Turn::First).await.unwrap();
        let (count, sum) = transaction
            .total(&catalogue, index, &everything, Some(column(0, 0)))
            .await
            .unwrap();
        assert_eq!((count, sum), (30, greatest * Decimal::from(30)));
        let none = Filter::Or(Vec::new());
        let (count, sum) = transaction
            .total(&catalogue, index, &none, Some(column(1, 0)))
            .await
            .unwrap();
        assert_eq!((count, sum), (0, Decimal::ZERO));
        let (_, sum) = transaction
            .total(&catalogue, index, &everything, Some(column(1, 0)))
            .await
            .unwrap();
        assert_eq!(sum, Decimal::from(-210));
    })
    .await;
}
