//! A head of sales looks at figures, and from each figure at the records behind it.

use relata_tests::{Server, scenario};
use serde_json::{Value, json};

/// Two companies and their deals, in stages and currencies.
async fn fill(server: &Server) -> Vec<String> {
    let mut companies = Vec::new();
    for (name, industry) in [("Nordwind", "ENERGY"), ("Südwind", "LEGAL")] {
        let created = server
            .graphql(
                "mutation($data: CompanyCreate!) { createCompany(data: $data) { id } }",
                json!({"data": {"name": name, "industry": industry}}),
            )
            .await
            .data();
        companies.push(created["createCompany"]["id"].as_str().unwrap().to_owned());
    }
    for (name, amount, currency, close, stage, company) in [
        ("A", "1000.10", "EUR", "2026-10-31", "proposal", Some(0)),
        ("B", "2000.20", "EUR", "2026-11-01", "proposal", Some(0)),
        ("C", "500.00", "USD", "2026-11-30", "qualified", Some(0)),
        ("D", "9000.00", "EUR", "2027-01-01", "qualified", Some(1)),
        ("E", "1.01", "EUR", "2026-11-15", "qualified", None),
    ] {
        let mut data = json!({
            "name": name, "amount": {"amount": amount, "currency": currency},
            "closeDate": close, "stage": {"to": stage},
        });
        if let Some(company) = company {
            data["company"] = json!({"connect": {"id": companies[company]}});
        }
        server
            .graphql(
                "mutation($data: DealCreate!) { createDeal(data: $data) { id } }",
                json!({"data": data}),
            )
            .await
            .data();
    }
    companies
}

/// Names of the deals that a condition finds.
async fn names(server: &Server, condition: &Value) -> Vec<String> {
    let found = server
        .graphql(
            "query($where: DealFilter) { deals(where: $where, orderBy: [{name: ASC}]) { nodes { name } } }",
            json!({"where": condition}),
        )
        .await
        .data();
    found["deals"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deal| deal["name"].as_str().unwrap().to_owned())
        .collect()
}

scenario!(
    a_pipeline_by_stage_leads_to_its_deals,
    |server: Server| async move {
        fill(&server).await;
        let asked = server
            .data(
                "{ deals(first: 1, where: {closeDate: {gte: \"2026-10-01\"}}) {
                     aggregate { count amount { countDistinct sum { amount currency } } }
                     groups(by: [{stage: true}, {closeDate: MONTH}],
                            having: {amount: {sum: {currency: \"EUR\", gt: \"1\"}}},
                            orderBy: [{amount: {sum: {currency: \"EUR\", direction: DESC}}}]) {
                       totalCount
                       nodes { key { stage { stage { name } } closeDate } aggregate { count amount { sum { amount currency } } } where } } } }",
            )
            .await;
        assert_eq!(
            asked["deals"]["aggregate"],
            json!({"count": 5, "amount": {"countDistinct": 5, "sum": [
                {"amount": "12001.31", "currency": "EUR"}, {"amount": "500.00", "currency": "USD"}]}})
        );
        let groups = asked["deals"]["groups"]["nodes"].as_array().unwrap();
        let mut seen = Vec::new();
        for group in groups {
            seen.push(json!([
                group["key"]["stage"]["stage"]["name"],
                group["key"]["closeDate"],
                group["aggregate"]["amount"]["sum"][0]["amount"],
                names(&server, &group["where"]).await,
            ]));
        }
        assert_eq!(
            json!(seen),
            json!([
                ["qualified", "2027-01-01", "9000.00", ["D"]],
                ["proposal", "2026-11-01", "2000.20", ["B"]],
                ["proposal", "2026-10-01", "1000.10", ["A"]],
                ["qualified", "2026-11-01", "1.01", ["C", "E"]],
            ])
        );
        assert_eq!(asked["deals"]["groups"]["totalCount"], 4);

        // Without another order, stages come as they stand in their pipeline.
        let stages = server
            .data("{ deals { groups(by: [{stage: true}]) { nodes { key { stage { stage { name position } } } aggregate { count } } } } }")
            .await;
        let stages = stages["deals"]["groups"]["nodes"].as_array().unwrap();
        assert_eq!(
            stages[0]["key"]["stage"]["stage"],
            json!({"name": "qualified", "position": 1})
        );
        assert_eq!(
            stages[1]["key"]["stage"]["stage"],
            json!({"name": "proposal", "position": 2})
        );
    }
);

scenario!(
    a_list_of_companies_shows_the_deals_of_each,
    |server: Server| async move {
        let companies = fill(&server).await;
        let asked = server
            .data(
                "{ companies(orderBy: [{name: ASC}]) { nodes { name deals { aggregate { count }
                     groups(by: [{stage: true}], orderBy: [{count: DESC}], first: 1) { totalCount
                       nodes { key { stage { stage { name } } } aggregate { count } where } } } } }
                   deals { groups(by: [{company: {id: true}}], orderBy: [{count: DESC}]) {
                     nodes { key { company { id node { label industry } } } aggregate { count } where } } } }",
            )
            .await;
        let first = &asked["companies"]["nodes"][0];
        assert_eq!(first["deals"]["groups"]["totalCount"], 2);
        let group = &first["deals"]["groups"]["nodes"][0];
        assert_eq!(group["aggregate"]["count"], 2);
        assert_eq!(names(&server, &group["where"]).await, ["A", "B"]);

        let groups = asked["deals"]["groups"]["nodes"].as_array().unwrap();
        assert_eq!(
            groups[0]["key"]["company"],
            json!({"id": companies[0], "node": {"label": "Nordwind", "industry": "ENERGY"}})
        );
        let nobody = groups
            .iter()
            .find(|group| group["key"]["company"]["id"].is_null())
            .unwrap();
        assert_eq!(nobody["key"]["company"]["node"], Value::Null);
        assert_eq!(names(&server, &nobody["where"]).await, ["E"]);
    }
);

scenario!(days_are_those_of_the_reader, |server: Server| async move {
    for (title, due) in [
        ("late", "2026-10-24T22:30:00Z"),
        ("long", "2026-10-25T22:30:00Z"),
    ] {
        server
            .graphql(
                "mutation($data: TaskCreate!) { createTask(data: $data) { id } }",
                json!({"data": {"title": title, "dueAt": due}}),
            )
            .await
            .data();
    }
    let days = async |zone: &str| {
        let answer = server
                .http()
                .post(format!("{}/graphql", server.url))
                .bearer_auth(&server.token)
                .header("Time-Zone", zone)
                .json(&json!({"query": "{ tasks { groups(by: [{dueAt: DAY}]) { nodes { key { dueAt } aggregate { count } } } } }"}))
                .send()
                .await
                .unwrap()
                .json::<Value>()
                .await
                .unwrap();
        answer["data"]["tasks"]["groups"]["nodes"].clone()
    };
    // The day on which clocks are set back has 25 hours in Berlin.
    assert_eq!(
        days("Europe/Berlin").await,
        json!([{"key": {"dueAt": "2026-10-25T00:00:00+02:00"}, "aggregate": {"count": 2}}])
    );
    assert_eq!(
        days("UTC").await,
        json!([
            {"key": {"dueAt": "2026-10-24T00:00:00Z"}, "aggregate": {"count": 1}},
            {"key": {"dueAt": "2026-10-25T00:00:00Z"}, "aggregate": {"count": 1}},
        ])
    );
});
