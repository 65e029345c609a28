//! `aggregate`: measures of lists and of related records, and what is refused.

use serde_json::json;

use crate::fixture::{Client, on_each_database};

on_each_database! {
    measures_of_a_list
    measures_of_related_records
    a_sum_beyond_its_type_is_an_error
}

async fn measures_of_a_list(client: Client) {
    for (name, employees, revenue, currency) in [
        ("A", 10, "100.00", "EUR"),
        ("B", 20, "50.50", "EUR"),
        ("C", 60, "7.00", "USD"),
    ] {
        let revenue = json!({"amount": revenue, "currency": currency});
        let data = json!({"name": name, "employees": employees, "annualRevenue": revenue});
        client.create("company", data).await;
    }
    let gone = client
        .create("company", json!({"name": "D", "employees": 1}))
        .await;
    client
        .data(
            "mutation D($id: ID!) { deleteCompany(id: $id) { id } }",
            json!({"id": gone}),
        )
        .await;
    let data = client
        .data(
            "query Q($where: CompanyFilter) {
               all: companies(first: 1) {
                 totalCount nodes { name }
                 aggregate {
                   __typename count
                   employees { count countDistinct sum avg min max median __typename }
                   annualRevenue { count sum { amount currency __typename } max { currency } }
                   name { min max }
                 }
               }
               some: companies(where: $where) { aggregate { count employees { sum } } }
               trash: companies(deleted: ONLY) { aggregate { count employees { sum } industry { countDistinct } } }
             }",
            json!({"where": {"employees": {"gte": 20}}}),
        )
        .await;
    let eur = json!({"amount": "150.50", "currency": "EUR", "__typename": "Money"});
    let usd = json!({"amount": "7.00", "currency": "USD", "__typename": "Money"});
    assert_eq!(
        data,
        json!({
            "all": {
                "totalCount": 3,
                "nodes": [{"name": "A"}],
                "aggregate": {
                    "__typename": "CompanyAggregate",
                    "count": 3,
                    "employees": {
                        "count": 3, "countDistinct": 3, "sum": 90, "avg": "30.000000",
                        "min": 10, "max": 60, "median": "20.000000", "__typename": "IntAggregate",
                    },
                    "annualRevenue": {
                        "count": 3,
                        "sum": [eur, usd],
                        "max": [{"currency": "EUR"}, {"currency": "USD"}],
                    },
                    "name": {"min": "A", "max": "C"},
                },
            },
            "some": {"aggregate": {"count": 2, "employees": {"sum": 80}}},
            "trash": {
                "aggregate": {"count": 1, "employees": {"sum": 1}, "industry": {"countDistinct": 0}},
            },
        })
    );
}

async fn measures_of_related_records(client: Client) {
    let mother = client.create("company", json!({"name": "Mutter"})).await;
    let other = client.create("company", json!({"name": "Nichte"})).await;
    for (name, employees) in [("T0", 3), ("T1", 4)] {
        let parent = json!({"connect": {"id": mother}});
        let data = json!({"name": name, "employees": employees, "parent": parent});
        client.create("company", data).await;
    }
    let data = client
        .data(
            "query Q($ids: [ID!]) {
               companies(where: {id: {in: $ids}}, orderBy: [{name: ASC}]) {
                 nodes { name subsidiaries(where: {employees: {gt: 0}}) { aggregate { count employees { max avg } } } people { aggregate { count } } }
                 aggregate { count }
               }
             }",
            json!({"ids": [mother, other]}),
        )
        .await;
    assert_eq!(
        data["companies"],
        json!({
            "nodes": [
                {
                    "name": "Mutter",
                    "subsidiaries": {"aggregate": {"count": 2, "employees": {"max": 4, "avg": "3.500000"}}},
                    "people": {"aggregate": {"count": 0}},
                },
                {
                    "name": "Nichte",
                    "subsidiaries": {"aggregate": {"count": 0, "employees": {"max": null, "avg": null}}},
                    "people": {"aggregate": {"count": 0}},
                },
            ],
            "aggregate": {"count": 2},
        })
    );
    // What a mutation selects back is read in its transaction.
    let changed = client
        .data(
            "mutation U($id: ID!) { updateCompany(id: $id, data: {name: \"M\"}) { subsidiaries { aggregate { employees { sum median } } } } }",
            json!({"id": mother}),
        )
        .await;
    assert_eq!(
        changed["updateCompany"]["subsidiaries"]["aggregate"]["employees"],
        json!({"sum": 7, "median": "3.500000"})
    );
}

async fn a_sum_beyond_its_type_is_an_error(client: Client) {
    for number in 0..2 {
        let data = json!({"name": format!("N{number}"), "employees": 9_007_199_254_740_991_i64});
        client.create("company", data).await;
    }
    assert_eq!(
        client
            .errors(
                "{ companies { aggregate { employees { sum } } } }",
                json!({})
            )
            .await,
        ["LIMIT_EXCEEDED"]
    );
}
