//! `groups`: each group's own list has exactly its records, by whatever they are grouped.

use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    the_lists_of_groups_are_the_groups
    keys_measures_conditions_and_order
    mistakes_are_told
    cursors_belong_to_their_question
    a_filter_is_a_part_of_the_condition_as_deep_as_it_was
    what_a_mutation_selects_is_grouped
}

/// Tasks around changes of clocks, some without a time, a company, or a status.
async fn tasks(client: &Client) {
    let mut companies = Vec::new();
    for (name, industry) in [
        ("Ärger", json!("ENERGY")),
        ("ärger", json!("LEGAL")),
        ("Zorn", json!(null)),
    ] {
        let data = json!({"name": name, "industry": industry});
        companies.push(client.create("company", data).await);
    }
    let times = [
        // In St. John's clocks were set back a minute after midnight: to the day before.
        json!("2010-11-07T02:30:30Z"),
        json!("2010-11-07T02:31:00Z"),
        json!("2010-11-07T03:29:59.999999Z"),
        json!("2010-11-07T03:30:00Z"),
        json!("2010-11-06T02:30:00Z"),
        // Berlin's spring and autumn.
        json!("2026-03-28T22:59:59Z"),
        json!("2026-03-28T23:00:00Z"),
        json!("2026-03-29T22:00:00Z"),
        json!("2026-10-24T22:00:00Z"),
        json!("2026-10-25T22:59:59.5Z"),
        json!("2026-10-25T23:00:00Z"),
        json!("2025-12-31T23:30:00Z"),
        json!("2026-01-01T00:00:00Z"),
        json!("1969-12-31T23:59:59.999999Z"),
        json!("1901-01-01T00:00:00Z"),
        json!("2150-07-01T12:00:00Z"),
        json!(null),
        json!(null),
    ];
    for (number, time) in times.into_iter().enumerate() {
        let status = ["TODO", "DONE"].get(number % 3);
        let company = companies
            .get(number % 4)
            .map(|id| json!({"connect": {"id": id}}));
        let data = json!({
            "title": format!("T{}", number % 5),
            "status": status,
            "dueAt": time,
            "company": company,
        });
        client.create("task", data).await;
    }
    // A relation that leads into the trash, where that is allowed.
    client
        .ask(
            "mutation D($id: ID!) { deleteCompany(id: $id) { id } }",
            json!({"id": companies[1]}),
        )
        .await;
}

async fn the_lists_of_groups_are_the_groups(client: Client) {
    tasks(&client).await;
    let filters = [
        json!(null),
        json!({"or": [{"status": {"isNull": true}}, {"title": {"ne": "T1"}}]}),
    ];
    let keys = [
        json!([{"dueAt": "DAY"}]),
        json!([{"dueAt": "WEEK"}, {"status": true}]),
        json!([{"dueAt": "MONTH"}]),
        json!([{"dueAt": "QUARTER"}, {"title": true}]),
        json!([{"dueAt": "YEAR"}]),
        json!([{"status": true}]),
        json!({"company": {"id": true}}),
        json!([{"company": {"name": true}}, {"company": {"industry": true}}]),
        json!([{"company": {"createdAt": "DAY"}}, {"title": true}]),
        json!([{"company": {"parent": {"name": true}}}]),
    ];
    for zone in ["UTC", "America/St_Johns", "Europe/Berlin", "Pacific/Apia"] {
        let mut client = client.clone();
        client.caller.zone = TimeZone::get(zone).unwrap();
        for filter in &filters {
            for by in &keys {
                check(&client, filter, by).await;
            }
        }
    }
}

async fn check(client: &Client, filter: &Json, by: &Json) {
    let mut where_given = json!({});
    if !filter.is_null() {
        where_given["where"] = filter.clone();
    }
    let query = |arguments: &str, list: &str| {
        format!(
            "query Q($by: [TaskGroupBy!]!, $after: String{arguments}) {{ tasks{list} {{ totalCount groups(by: $by, first: 4, after: $after) {{ totalCount nodes {{ where aggregate {{ count }} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
        )
    };
    let document = if filter.is_null() {
        query("", "")
    } else {
        query(", $where: TaskFilter", "(where: $where)")
    };
    let mut groups = Vec::new();
    let mut after = json!(null);
    let (total, number) = loop {
        let mut variables = where_given.clone();
        variables["by"] = by.clone();
        variables["after"] = after;
        let page = client.data(&document, variables).await["tasks"].take();
        groups.extend(page["groups"]["nodes"].as_array().unwrap().clone());
        if page["groups"]["pageInfo"]["hasNextPage"] == false {
            break (
                page["totalCount"].as_u64().unwrap(),
                page["groups"]["totalCount"].as_u64().unwrap(),
            );
        }
        after = page["groups"]["pageInfo"]["endCursor"].clone();
    };
    assert_eq!(groups.len() as u64, number, "{by}");
    let mut sum = 0;
    for group in &groups {
        let count = group["aggregate"]["count"].as_u64().unwrap();
        let found = client
            .data(
                "query L($where: TaskFilter) { tasks(where: $where) { totalCount } }",
                json!({"where": group["where"]}),
            )
            .await;
        assert_eq!(
            found["tasks"]["totalCount"],
            count,
            "{by} {} in {:?}",
            group["where"],
            client.caller.zone.iana_name()
        );
        sum += count;
    }
    assert_eq!(sum, total, "{by}");
}

async fn keys_measures_conditions_and_order(client: Client) {
    for (name, industry, employees, revenue, currency) in [
        ("A", json!("ENERGY"), json!(10), "1.00", "EUR"),
        ("B", json!("ENERGY"), json!(20), "2.00", "USD"),
        ("C", json!("LEGAL"), json!(5), "4.00", "EUR"),
        ("D", json!(null), json!(null), "8.00", "EUR"),
        ("E", json!("LEGAL"), json!(-1000), "16.00", "EUR"),
    ] {
        let mut data = json!({
            "name": name,
            "annualRevenue": {"amount": revenue, "currency": currency},
        });
        if !industry.is_null() {
            data["industry"] = industry;
        }
        if employees.as_i64().is_some_and(|number| number >= 0) {
            data["employees"] = employees;
        }
        client.create("company", data).await;
    }
    let data = client
        .data(
            "query Q($least: SafeInt) {
               companies(first: 1) {
                 nodes { name }
                 plain: groups(by: [{industry: true}]) {
                   __typename
                   nodes {
                     __typename
                     key { industry __typename createdAt parent { name } }
                     aggregate { count employees { sum median } annualRevenue { sum { amount currency } median { amount } } }
                   }
                 }
                 most: groups(by: [{industry: true}], having: {employees: {sum: {gte: $least}}}, orderBy: [{employees: {sum: DESC}}]) { nodes { key { industry } } }
                 few: groups(by: [{industry: true}], having: {not: {or: [{employees: {sum: {between: [0, 9]}}}, {count: {eq: 1}}]}}) { nodes { key { industry } } }
                 none: groups(by: [{industry: true}], having: {employees: {max: {isNull: true}}}) { totalCount }
                 down: groups(by: [{industry: true}], orderBy: [{count: DESC}, {key: {industry: DESC_NULLS_LAST}}], first: 2) { nodes { key { industry } } pageInfo { hasNextPage } }
                 months: groups(by: [{createdAt: YEAR}]) { nodes { aggregate { count } } }
               }
             }",
            json!({"least": 6}),
        )
        .await;
    let money = |amounts: &[(&str, &str)]| {
        amounts
            .iter()
            .map(|(amount, currency)| json!({"amount": amount, "currency": currency}))
            .collect::<Vec<_>>()
    };
    let key = |industry: Json| json!({"key": {"industry": industry}});
    let group = |industry: Json, count: u8, employees: Json, sums: Vec<Json>, medians: &[&str]| {
        let medians: Vec<_> = medians
            .iter()
            .map(|amount| json!({"amount": amount}))
            .collect();
        json!({
            "__typename": "CompanyGroup",
            "key": {"industry": industry, "__typename": "CompanyGroupKey", "createdAt": null, "parent": null},
            "aggregate": {"count": count, "employees": employees, "annualRevenue": {"sum": sums, "median": medians}},
        })
    };
    assert_eq!(
        data["companies"],
        json!({
            "nodes": [{"name": "A"}],
            "plain": {
                "__typename": "CompanyGroupConnection",
                "nodes": [
                    group(json!("ENERGY"), 2, json!({"sum": 30, "median": "15.000000"}), money(&[("1.00", "EUR"), ("2.00", "USD")]), &["1.00", "2.00"]),
                    group(json!("LEGAL"), 2, json!({"sum": 5, "median": "5.000000"}), money(&[("20.00", "EUR")]), &["10.00"]),
                    group(json!(null), 1, json!({"sum": null, "median": null}), money(&[("8.00", "EUR")]), &["8.00"]),
                ],
            },
            "most": {"nodes": [key(json!("ENERGY"))]},
            "few": {"nodes": [key(json!("ENERGY"))]},
            "none": {"totalCount": 1},
            "down": {"nodes": [key(json!("LEGAL")), key(json!("ENERGY"))], "pageInfo": {"hasNextPage": true}},
            "months": {"nodes": [{"aggregate": {"count": 5}}]},
        })
    );
    // By stage, and by what a related record is.
    let deals = client
        .data(
            "{ deals { groups(by: [{stage: true}, {company: {name: true}}]) { totalCount nodes { where } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        deals["deals"]["groups"],
        json!({"totalCount": 0, "nodes": []})
    );
    client.create("deal", json!({"name": "Handel"})).await;
    let staged = client
        .data(
            "{ deals { groups(by: [{stage: true}, {company: {name: true}}]) { nodes { key { stage { pipeline stage { name type } } company { name } } where } } } }",
            json!({}),
        )
        .await;
    let group = staged["deals"]["groups"]["nodes"][0].clone();
    let again = client
        .data(
            "query L($where: DealFilter) { deals(where: $where) { nodes { name } } }",
            json!({"where": group["where"]}),
        )
        .await;
    assert_eq!(
        again["deals"]["nodes"],
        json!([{"name": "Handel"}]),
        "{group}"
    );
    assert_eq!(group["key"]["company"], json!({"name": null}));
}

async fn mistakes_are_told(client: Client) {
    let grouped = |arguments: &str| {
        format!(
            "{{ companies {{ groups(by: [{{industry: true}}], {arguments}) {{ totalCount nodes {{ where }} }} }} }}"
        )
    };
    let by = |by: &str| format!("{{ companies {{ groups(by: {by}) {{ totalCount }} }} }}");
    let cases = [
        (by("[]"), "by REQUIRED"),
        (by("[{industry: false}]"), "by.0.industry WRONG_TYPE"),
        (by("[{industry: null}]"), "by.0 ONE_OF"),
        (
            by("[{annualRevenue: {currency: false}}]"),
            "by.0.annualRevenue.currency WRONG_TYPE",
        ),
        (by("[{industry: true}, {industry: true}]"), "by.1 CONFLICT"),
        (by("[{createdAt: DAY}, {createdAt: YEAR}]"), "by.1 CONFLICT"),
        (
            grouped("orderBy: [{key: {name: ASC}}]"),
            "orderBy.0.key NOT_GROUPED",
        ),
        (
            grouped("orderBy: [{key: {industry: null}}]"),
            "orderBy.0.key ONE_OF",
        ),
        (grouped("orderBy: [{count: null}]"), "orderBy.0 ONE_OF"),
        (grouped("having: null"), "having NULL_OPERAND"),
        (
            grouped("having: {count: null}"),
            "having.count NULL_OPERAND",
        ),
        (grouped("having: {count: {}}"), "having.count NO_OPERATOR"),
        (
            grouped("having: {count: {gt: null}}"),
            "having.count.gt NULL_OPERAND",
        ),
        (
            grouped("having: {count: {between: [1]}}"),
            "having.count.between WRONG_TYPE",
        ),
        (
            grouped("having: {count: {gt: 9007199254740992}}"),
            "having.count.gt WRONG_TYPE",
        ),
        (
            grouped("having: {employees: {avg: {gt: \"1e40\"}}}"),
            "having.employees.avg.gt WRONG_TYPE",
        ),
        (
            grouped("having: {employees: {avg: {gt: \"1234567890123456789\"}}}"),
            "having.employees.avg.gt OUT_OF_RANGE",
        ),
        (
            grouped("having: {annualRevenue: {sum: {currency: \"EUR\"}}}"),
            "having.annualRevenue.sum NO_OPERATOR",
        ),
        (
            grouped("having: {annualRevenue: {sum: {currency: null, gt: \"1\"}}}"),
            "having.annualRevenue.sum.currency REQUIRED",
        ),
        (grouped("first: -1"), "first WRONG_TYPE"),
    ];
    let mut found = Vec::new();
    for (query, _) in &cases {
        found.push(client.errors(query, json!({})).await);
    }
    let expected = cases.map(|(_, issue)| {
        vec![
            "BAD_INPUT".to_owned(),
            format!("  companies.groups.{issue}"),
        ]
    });
    assert_eq!(found, expected);
    // What the schema itself refuses.
    for query in [
        by("null"),
        by("[null]"),
        by("[{closeDate: HOUR}]"),
        by("[{industry: true, name: true}]"),
        grouped("having: {annualRevenue: {sum: {gt: \"1\"}}}"),
        grouped("orderBy: [{annualRevenue: {sum: DESC}}]"),
        grouped("having: {industry: {sum: {gt: 1}}}"),
        "{ deals { groups(by: [{closeDate: HOUR}]) { totalCount } } }".to_owned(),
    ] {
        let errors = client.errors(&query, json!({})).await;
        assert_eq!(errors[0], "BAD_INPUT", "{query}");
    }
    for (query, issue) in [
        (
            grouped("first: 501"),
            "companies.groups.first PAGE_TOO_LARGE",
        ),
        (
            by(
                "[{industry: true}, {name: true}, {employees: true}, {createdAt: DAY}, {website: true}]",
            ),
            "companies.groups.by TOO_MANY",
        ),
        (
            by("[{parent: {parent: {parent: {parent: {name: true}}}}}]"),
            "companies.groups.by.0.parent.parent.parent.parent TOO_DEEP",
        ),
    ] {
        assert_eq!(
            client.errors(&query, json!({})).await,
            ["LIMIT_EXCEEDED".to_owned(), format!("  {issue}")],
            "{query}"
        );
    }
    // The groups of each of many records, and the records of each of many groups.
    for query in [
        "{ companies(first: 500) { nodes { people { groups(by: [{jobTitle: true}], first: 50) { nodes { where } } } } } }",
        "{ people { groups(by: [{company: {id: true}}], first: 500) { nodes { key { company { node { people(first: 50) { nodes { id } } } } } } } } }",
    ] {
        assert_eq!(
            client.errors(query, json!({})).await[0],
            "LIMIT_EXCEEDED",
            "{query}"
        );
    }
}

async fn cursors_belong_to_their_question(client: Client) {
    for name in ["A", "B", "C"] {
        client
            .create("company", json!({"name": name, "industry": "LEGAL"}))
            .await;
    }
    let page = |arguments: &str| {
        format!(
            "query P($after: String) {{ companies {{ groups({arguments}, first: 1, after: $after) {{ nodes {{ key {{ name }} }} pageInfo {{ endCursor }} }} }} }}"
        )
    };
    let by_name = page("by: [{name: true}]");
    let first = client.data(&by_name, json!({})).await;
    let cursor = &first["companies"]["groups"]["pageInfo"]["endCursor"];
    let second = client.data(&by_name, json!({"after": cursor})).await;
    assert_eq!(
        second["companies"]["groups"]["nodes"],
        json!([{"key": {"name": "B"}}])
    );
    for (arguments, after) in [
        ("by: [{website: true}]", cursor.clone()),
        (
            "by: [{name: true}], orderBy: [{count: DESC}]",
            cursor.clone(),
        ),
        ("by: [{name: true}, {industry: true}]", cursor.clone()),
        ("by: [{name: true}]", json!("AAAA")),
        ("by: [{name: true}]", json!("")),
        ("by: [{name: true}]", json!("ö")),
    ] {
        let errors = client
            .errors(&page(arguments), json!({"after": after}))
            .await;
        assert_eq!(errors, ["BAD_INPUT", "   BAD_INPUT"], "{arguments}");
    }
}

async fn a_filter_is_a_part_of_the_condition_as_deep_as_it_was(client: Client) {
    for name in ["A", "B"] {
        client
            .create("company", json!({"name": name, "industry": "LEGAL"}))
            .await;
    }
    let deepest = (1..10).fold(json!({"name": {"eq": "A"}}), |inner, level| {
        if level % 2 == 0 {
            json!({"not": {"not": inner}})
        } else {
            inner
        }
    });
    for filter in [
        deepest,
        json!({"and": {"name": {"eq": "A"}}}),
        json!({"and": [{"name": {"eq": "A"}}], "industry": {"eq": "LEGAL"}}),
        json!({"or": [{"name": {"eq": "A"}}, {"name": {"eq": "Z"}}]}),
    ] {
        let found = client
            .data(
                "query Q($filter: CompanyFilter) { companies(where: $filter) { groups(by: [{industry: true}]) { nodes { where } } } }",
                json!({"filter": filter}),
            )
            .await;
        let condition = &found["companies"]["groups"]["nodes"][0]["where"];
        let list = client
            .data(
                "query L($where: CompanyFilter) { companies(where: $where) { nodes { name } } }",
                json!({"where": condition}),
            )
            .await;
        assert_eq!(
            list["companies"]["nodes"],
            json!([{"name": "A"}]),
            "{condition}"
        );
    }
}

async fn what_a_mutation_selects_is_grouped(client: Client) {
    let mother = client.create("company", json!({"name": "Mutter"})).await;
    for (name, industry) in [("T0", "LEGAL"), ("T1", "ENERGY"), ("T2", "ENERGY")] {
        let parent = json!({"connect": {"id": mother}});
        client
            .create(
                "company",
                json!({"name": name, "industry": industry, "parent": parent}),
            )
            .await;
    }
    let update = |by: &str| {
        format!(
            "mutation U($id: ID!) {{ updateCompany(id: $id, data: {{employees: 3}}) {{ subsidiaries {{ groups(by: [{by}], orderBy: [{{count: DESC}}]) {{ totalCount nodes {{ key {{ industry }} aggregate {{ count }} where }} }} }} }} }}"
        )
    };
    let changed = client
        .data(&update("{industry: true}"), json!({"id": mother}))
        .await;
    let condition = |industry: &str| json!({"and": [{"parent": {"id": {"eq": mother}}}, {"industry": {"eq": industry}}]});
    assert_eq!(
        changed["updateCompany"]["subsidiaries"]["groups"],
        json!({"totalCount": 2, "nodes": [
            {"key": {"industry": "ENERGY"}, "aggregate": {"count": 2}, "where": condition("ENERGY")},
            {"key": {"industry": "LEGAL"}, "aggregate": {"count": 1}, "where": condition("LEGAL")},
        ]})
    );
    assert_eq!(
        client
            .errors(&update("{createdAt: DAY}"), json!({"id": mother}))
            .await,
        [
            "BAD_INPUT",
            "  updateCompany.subsidiaries.groups.by.0.createdAt ONLY_IN_QUERIES"
        ]
    );
}
