//! Conditions on who made a record, and who changed it last.

use relata_app::{Caller, UserInfo};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::fixture::{Client, on_each_database};

on_each_database! {
    records_are_found_by_who_acted
}

async fn names(client: &Client, filter: Json) -> Vec<String> {
    let query = "query Q($where: CompanyFilter!) { companies(where: $where, orderBy: {name: ASC}) { nodes { name } } }";
    let data = client.data(query, json!({"where": filter})).await;
    data["companies"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn records_are_found_by_who_acted(client: Client) {
    let ada = client.caller.user.clone().unwrap().id;
    let grace = Uuid::from_u128(0x0190_163d_8694_739b_aea5_966c_26f8_ad92);
    let mut other = client.clone();
    other.caller = Caller::user(UserInfo {
        id: grace,
        name: "Grace".to_owned(),
        email: "grace@example.org".to_owned(),
        is_admin: true,
        locale: None,
        zone: None,
    });
    let mut product = client.clone();
    product.caller = Caller::system();

    let by_ada = client.create("company", json!({"name": "Ada's"})).await;
    other.create("company", json!({"name": "Grace's"})).await;
    product.create("company", json!({"name": "Nobody's"})).await;
    other
        .data(
            "mutation U($id: ID!) { updateCompany(id: $id, data: {website: \"https://a.example\"}) { id } }",
            json!({"id": by_ada}),
        )
        .await;

    for (filter, expected) in [
        (json!({"createdBy": {"user": {"eq": ada}}}), vec!["Ada's"]),
        (
            json!({"updatedBy": {"user": {"eq": grace}}}),
            vec!["Ada's", "Grace's"],
        ),
        (json!({"updatedBy": {"user": {"eq": ada}}}), vec![]),
        (
            json!({"createdBy": {"user": {"in": [ada, grace]}}}),
            vec!["Ada's", "Grace's"],
        ),
        // Ids are compared as such, however they are written.
        (
            json!({"createdBy": {"user": {"eq": ada.simple().to_string().to_uppercase()}}}),
            vec!["Ada's"],
        ),
        (
            json!({"createdBy": {"user": {"ne": ada}}}),
            vec!["Grace's", "Nobody's"],
        ),
        (
            json!({"createdBy": {"user": {"notIn": [ada]}, "kind": {"eq": "USER"}}}),
            vec!["Grace's"],
        ),
        (
            json!({"createdBy": {"kind": {"in": ["SYSTEM", "PLUGIN"]}}}),
            vec!["Nobody's"],
        ),
        (
            json!({"createdBy": {"kind": {"ne": "SYSTEM"}}}),
            vec!["Ada's", "Grace's"],
        ),
        (
            json!({"createdBy": {"kind": {"notIn": ["USER", "TOKEN"]}}}),
            vec!["Nobody's"],
        ),
        (json!({"createdBy": {"kind": {"in": []}}}), vec![]),
        // The id of a user is that of no token, and no plugin's.
        (json!({"createdBy": {"token": {"eq": ada}}}), vec![]),
        (
            json!({"createdBy": {"plugin": {"eq": "relata.membership"}}}),
            vec![],
        ),
    ] {
        assert_eq!(names(&client, filter.clone()).await, expected, "{filter}");
    }

    let query = "query Q($where: CompanyFilter!) { companies(where: $where) { totalCount } }";
    for (filter, code) in [
        (
            json!({"createdBy": {"user": {"eq": "ada"}}}),
            "  companies.where.createdBy.user.eq WRONG_TYPE",
        ),
        (
            json!({"createdBy": {"user": {"eq": null}}}),
            "  companies.where.createdBy.user.eq NULL_OPERAND",
        ),
        (
            json!({"createdBy": {"kind": {"eq": null}}}),
            "  companies.where.createdBy.kind.eq NULL_OPERAND",
        ),
        (
            json!({"createdBy": {}}),
            "  companies.where.createdBy NO_OPERATOR",
        ),
    ] {
        assert_eq!(
            client.errors(query, json!({"where": filter})).await,
            ["BAD_INPUT", code],
            "{filter}"
        );
    }
    // Also where records are changed.
    let delete = "mutation D($w: CompanyFilter!) { deleteCompanies(where: $w) { nodes { name } } }";
    let deleted = client
        .data(
            delete,
            json!({"w": {"createdBy": {"kind": {"eq": "SYSTEM"}}}}),
        )
        .await;
    assert_eq!(deleted["deleteCompanies"]["nodes"][0]["name"], "Nobody's");
}
