//! Conditions: what each operator finds, two-valued, alike on both databases.

use relata_catalog::{Value, Via};
use relata_store::filter::{
    ColumnRef, Direction, Filter, Nulls, Operand, Operator, OrderTerm, Quantifier, SystemColumn,
};
use relata_store::read::{Page, Parameter, Read};
use serde_json::json;

use crate::world::{World, always, column, integer, list, nodes, text, uuid, worlds};

/// Numbers of the clients that a condition finds.
async fn found(worlds: &[World], filter: impl Fn(&World) -> Filter) -> Vec<i64> {
    found_with(worlds, filter, &[]).await
}

async fn found_with(
    worlds: &[World],
    filter: impl Fn(&World) -> Filter,
    parameters: &[Parameter],
) -> Vec<i64> {
    let mut answers = Vec::new();
    for world in worlds {
        let order = OrderTerm {
            through: Vec::new(),
            column: ColumnRef::System(SystemColumn::Id),
            direction: Direction::Ascending,
            nulls: Nulls::Last,
        };
        let read = Read::Many(list(
            world,
            "client",
            filter(world),
            vec![order],
            Page::default(),
            vec![nodes(vec![column(
                "n",
                ColumnRef::System(SystemColumn::CreatedAt),
            )])],
        ));
        let answer = world.answer(&read, parameters).await.unwrap();
        let json: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let numbers: Vec<i64> = json["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| {
                let at: jiff::Timestamp = node["n"].as_str().unwrap().parse().unwrap();
                at.as_second()
            })
            .collect();
        answers.push(numbers);
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "{answers:?}"
    );
    answers.remove(0)
}

async fn people() -> Vec<World> {
    worlds(&[
        (
            "client",
            1,
            json!({"name": "Ångström 50%", "rate": "1.50", "size": 1, "active": true,
                "since": "2024-01-31", "met": "2024-01-31T10:00:00Z", "tier": "GOLD",
                "tags": ["A", "B"], "person": "José Núñez", "mails": "Jose@Example.com",
                "address": {"city": "São Paulo"}}),
        ),
        (
            "client",
            2,
            json!({"name": "angstrom_50x", "rate": "1.51", "size": 2, "active": false,
                "since": "2024-02-29", "met": "2024-01-31T10:00:00.000001Z", "tier": "SILVER",
                "tags": ["B", "C"], "parent": 1, "person": "王小明"}),
        ),
        (
            "client",
            3,
            json!({"name": "王[明]*?", "size": 3, "tags": [], "parent": 1}),
        ),
        ("client", 4, json!({"parent": 5})),
        ("client", 5, json!({"name": "ÅNGSTRÖM\\", "deleted": true})),
        ("invoice", 11, json!({"client": 1, "total": "5.00"})),
        ("invoice", 12, json!({"client": 1, "total": "7.00"})),
        ("invoice", 13, json!({"client": 2})),
        (
            "invoice",
            14,
            json!({"client": 3, "total": "7.00", "deleted": true}),
        ),
    ])
    .await
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_find_what_they_say() {
    use Operator::*;
    let worlds = people().await;
    let decimal = |text: &str| Operand::Value(Value::Decimal(text.parse().unwrap()));
    let list = |texts: &[&str]| {
        Operand::List(
            texts
                .iter()
                .map(|text| Value::Text((*text).to_owned()))
                .collect(),
        )
    };
    let instant = |micros: i64| Operand::Value(Value::DateTime(micros));
    let date = |text: &str| Operand::Value(Value::Date(text.parse().unwrap()));
    let met = 1_706_695_200_000_000;
    let cases: Vec<(&str, usize, Operator, Operand, &[i64])> = vec![
        ("name", 0, Eq, text("angstrom_50x"), &[2]),
        ("name", 0, Ne, text("angstrom_50x"), &[1, 3, 4]),
        ("name", 0, In, list(&["angstrom_50x", "x"]), &[2]),
        ("name", 0, In, list(&[]), &[]),
        ("name", 0, NotIn, list(&["angstrom_50x"]), &[1, 3, 4]),
        ("name", 0, NotIn, list(&[]), &[1, 2, 3, 4]),
        ("name", 0, Gt, text("b"), &[3]),
        ("name", 0, Lt, text("Angstrom_50x"), &[1]),
        ("name", 0, Gte, text("Angstrom_50x"), &[2, 3]),
        ("name", 0, Lte, text("angstrom_50x"), &[1, 2]),
        ("name", 0, Gt, text("angstrom_50x"), &[3]),
        ("name", 0, IEq, text("ANGSTROM 50%"), &[1]),
        ("name", 0, Contains, text("ngstr"), &[1, 2]),
        ("name", 0, Contains, text("NGSTR"), &[]),
        ("name", 0, Contains, text("50%"), &[1]),
        ("name", 0, Contains, text(""), &[1, 2, 3]),
        ("name", 0, IContains, text("NGSTRÖM"), &[1, 2]),
        ("name", 0, IContains, text("明"), &[3]),
        ("name", 0, StartsWith, text("ang"), &[2]),
        ("name", 0, StartsWith, text(""), &[1, 2, 3]),
        ("name", 0, IStartsWith, text("Ang"), &[1, 2]),
        ("name", 0, IStartsWith, text("王"), &[3]),
        ("name", 0, EndsWith, text("%"), &[1]),
        ("name", 0, EndsWith, text(""), &[1, 2, 3]),
        (
            "name",
            0,
            EndsWith,
            text("a much longer text than the column"),
            &[],
        ),
        ("name", 0, IEndsWith, text("50X"), &[2]),
        ("name", 0, Like, text("%50\\%"), &[1]),
        ("name", 0, Like, text("ANG%"), &[]),
        ("name", 0, Like, text("angstrom_50_"), &[2]),
        ("name", 0, Like, text("_[明]*_"), &[3]),
        ("name", 0, ILike, text("ÅNG%50%"), &[1, 2]),
        // What folds to a wildcard is none.
        ("name", 0, ILike, text("ÅNG%50％"), &[1]),
        ("name", 0, ILike, text("ＡNGSTROM＿\\5０_"), &[2]),
        ("name", 0, ILike, text("ANGSTROM＿50％"), &[]),
        ("name", 0, Eq, text("' OR '1'='1"), &[]),
        ("name", 0, Like, text("'; DROP TABLE rec_client; --"), &[]),
        ("person", 0, IContains, text("nunez"), &[1]),
        ("mails", 0, IEq, text("jose@example.COM"), &[1]),
        ("address", 1, IEq, text("sao paulo"), &[1]),
        ("rate", 0, Eq, decimal("1.5"), &[1]),
        ("rate", 0, Eq, decimal("1.505"), &[]),
        ("rate", 0, Ne, decimal("1.505"), &[1, 2, 3, 4]),
        ("rate", 0, Lt, decimal("1.505"), &[1]),
        ("rate", 0, Gt, decimal("1.505"), &[2]),
        ("rate", 0, Gte, decimal("1.51"), &[2]),
        ("rate", 0, Lte, decimal("1.5"), &[1]),
        ("rate", 0, Lt, decimal("99999999999999999999999"), &[1, 2]),
        (
            "size",
            0,
            In,
            Operand::List(vec![Value::Integer(1), Value::Integer(3)]),
            &[1, 3],
        ),
        ("active", 0, Eq, Operand::Value(Value::Boolean(false)), &[2]),
        (
            "active",
            0,
            In,
            Operand::List(vec![Value::Boolean(true)]),
            &[1],
        ),
        ("since", 0, Gt, date("2024-02-01"), &[2]),
        (
            "since",
            0,
            In,
            Operand::List(vec![Value::Date("2024-02-29".parse().unwrap())]),
            &[2],
        ),
        ("met", 0, Eq, instant(met), &[1]),
        ("met", 0, Gt, instant(met), &[2]),
        (
            "met",
            0,
            In,
            Operand::List(vec![Value::DateTime(met)]),
            &[1],
        ),
        ("tier", 0, Eq, text("GOLD"), &[1]),
        ("tags", 0, Has, text("B"), &[1, 2]),
        ("tags", 0, HasAny, list(&["A", "C"]), &[1, 2]),
        ("tags", 0, HasAll, list(&["A", "B"]), &[1]),
        ("tags", 0, HasAny, list(&[]), &[]),
        ("tags", 0, HasAll, list(&[]), &[1, 2]),
        ("mails", 2, HasAll, list(&[]), &[]),
        (
            "parent",
            0,
            Eq,
            Operand::Value(Value::Reference(uuid(1))),
            &[2, 3],
        ),
        (
            "parent",
            0,
            In,
            Operand::List(vec![
                Value::Reference(uuid(1)),
                Value::Text("nonsense".to_owned()),
            ]),
            &[2, 3],
        ),
    ];
    let everybody = [1, 2, 3, 4];
    for (field, part, operator, operand, expected) in cases {
        let filter =
            |world: &World| world.compare("client", field, part, operator, operand.clone());
        let told = format!("{field} {operator:?} {operand:?}");
        assert_eq!(found(&worlds, filter).await, expected, "{told}");
        // Two-valued: the others, empty ones among them, are those that it does not hold for.
        let others: Vec<i64> = everybody
            .into_iter()
            .filter(|number| !expected.contains(number))
            .collect();
        let negated = |world: &World| not(filter(world));
        assert_eq!(found(&worlds, negated).await, others, "not {told}");
        let twice = |world: &World| not(not(filter(world)));
        assert_eq!(found(&worlds, twice).await, expected, "not not {told}");
        // The same with the operand as a parameter.
        let parameter = match operand.clone() {
            Operand::Value(value) => Parameter::Value(value),
            Operand::List(values) => Parameter::List(values),
            Operand::Parameter(_) => unreachable!("the cases give values"),
        };
        let by_parameter =
            |world: &World| world.compare("client", field, part, operator, Operand::Parameter(0));
        assert_eq!(
            found_with(&worlds, by_parameter, &[parameter]).await,
            expected,
            "{told} as a parameter"
        );
    }
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_combine() {
    let worlds = people().await;
    let by = |world: &World, field: &str, number: i64| {
        world.compare("client", field, 0, Operator::Eq, integer(number))
    };
    let null = |world: &World, field: &str, is_null: bool| Filter::IsNull {
        column: world.part("client", field, 0),
        is_null,
    };
    let some = |found: &'static [i64]| found;
    assert_eq!(found(&worlds, |_| always()).await, some(&[1, 2, 3, 4]));
    assert_eq!(found(&worlds, |_| Filter::Or(vec![])).await, some(&[]));
    assert_eq!(found(&worlds, |_| not(always())).await, some(&[]));
    assert_eq!(
        found(&worlds, |w| Filter::Or(vec![
            by(w, "size", 1),
            by(w, "size", 3)
        ]))
        .await,
        some(&[1, 3])
    );
    assert_eq!(
        found(&worlds, |w| Filter::And(vec![
            by(w, "size", 1),
            by(w, "size", 3)
        ]))
        .await,
        some(&[])
    );
    assert_eq!(
        found(&worlds, |w| not(Filter::And(vec![
            by(w, "size", 1),
            null(w, "name", false)
        ])))
        .await,
        some(&[2, 3, 4])
    );
    assert_eq!(found(&worlds, |w| null(w, "name", true)).await, some(&[4]));
    assert_eq!(
        found(&worlds, |w| null(w, "tags", true)).await,
        some(&[3, 4])
    );
    assert_eq!(
        found(&worlds, |w| null(w, "tags", false)).await,
        some(&[1, 2])
    );
    for world in worlds {
        world.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_cross_relations() {
    let worlds = people().await;
    let parent = |world: &World, filter: Filter| Filter::ToOne {
        field: world.field("client", "parent"),
        filter: Box::new(filter),
    };
    let invoices = |world: &World, quantifier: Quantifier, filter: Filter| Filter::ToMany {
        object: world.object("invoice"),
        via: Via::Relation(world.field("invoice", "client")),
        quantifier,
        filter: Box::new(filter),
    };
    let dear = |world: &World| {
        world.compare(
            "invoice",
            "total",
            0,
            Operator::Gt,
            Operand::Value(Value::Decimal("6".parse().unwrap())),
        )
    };
    let gold = |world: &World| world.compare("client", "tier", 0, Operator::Eq, text("GOLD"));
    let some = |found: &'static [i64]| found;
    assert_eq!(found(&worlds, |w| parent(w, gold(w))).await, some(&[2, 3]));
    assert_eq!(found(&worlds, |w| parent(w, not(gold(w)))).await, some(&[]));
    // A parent in the trash is no parent.
    assert_eq!(found(&worlds, |w| parent(w, always())).await, some(&[2, 3]));
    assert_eq!(
        found(&worlds, |w| not(parent(w, always()))).await,
        some(&[1, 4])
    );
    for (quantifier, expected) in [
        (Quantifier::Some, some(&[1])),
        (Quantifier::None, some(&[2, 3, 4])),
        (Quantifier::Every, some(&[3, 4])),
    ] {
        assert_eq!(
            found(&worlds, |w| invoices(w, quantifier, dear(w))).await,
            expected,
            "{quantifier:?}"
        );
    }
    assert_eq!(
        found(&worlds, |w| invoices(w, Quantifier::Every, not(dear(w)))).await,
        some(&[2, 3, 4])
    );
    assert_eq!(
        found(&worlds, |w| invoices(w, Quantifier::Some, always())).await,
        some(&[1, 2])
    );
    assert_eq!(
        found(&worlds, |w| not(invoices(w, Quantifier::None, always()))).await,
        some(&[1, 2])
    );
    for world in worlds {
        world.close().await;
    }
}
