//! Lists that no relation alone makes: over links with attributes of their own, and along trees.

use serde_json::{Value as Json, json};

use crate::fixture::{Client, on_each_database};

on_each_database! {
    links_are_made_and_undone
    links_are_read_from_both_ends
    wrong_links_are_told
    trees_are_walked
    no_record_stands_over_itself
    wrong_lists_are_told
    one_of_several_is_shown
    merged_records_are_in_lists_once
}

fn document() -> Json {
    json!({"relata": 1, "objects": [
        {"key": "band", "plural": "bands", "label": "name", "fields": [
            {"key": "name", "kind": "text", "unique": true},
            {"key": "origin", "kind": "relation", "to": "band", "inverse": "offshoots",
             "ancestors": "origins", "descendants": {"name": "lineage", "labels": {"en": "Lineage"}}},
        ]},
        {"key": "player", "plural": "players", "label": "name", "fields": [
            {"key": "name", "kind": "text", "unique": true},
            {"key": "age", "kind": "integer", "min": 0},
        ]},
        {"key": "membership", "plural": "memberships", "fields": [
            {"key": "band", "kind": "relation", "to": "band", "required": true, "onDelete": "CASCADE",
             "inverse": "memberships", "through": {"name": "players", "to": "player"}},
            {"key": "player", "kind": "relation", "to": "player", "required": true,
             "onDelete": "CASCADE", "inverse": "memberships",
             "through": {"name": "bands", "to": "band"}},
            {"key": "role", "kind": "text", "default": "member"},
            {"key": "share", "kind": "integer", "max": 100},
        ]},
    ]})
}

async fn apply(client: &Client, document: &Json) -> Result<(), relata_app::AppError> {
    relata_app::catalogue::blueprint_apply(&client.workspace, &client.caller, document, None, &[])
        .await
        .map(|_| ())
}

/// Names in a list, in its order, as one text.
fn names(list: &Json) -> String {
    let names = list["nodes"].as_array().unwrap().iter();
    let names: Vec<&str> = names.map(|node| node["name"].as_str().unwrap()).collect();
    names.join(" ")
}

async fn run(client: &Client, mutation: &str) -> Json {
    client
        .data(&format!("mutation {{ {mutation} }}"), json!({}))
        .await
}

async fn refused(client: &Client, mutation: &str) -> String {
    client
        .errors(&format!("mutation {{ {mutation} }}"), json!({}))
        .await
        .join("\n")
}

async fn links_are_made_and_undone(client: Client) {
    apply(&client, &document()).await.unwrap();
    run(
        &client,
        "createPlayers(data: [{name: \"Ann\", age: 30}, {name: \"Bo\", age: 40}]) { count }",
    )
    .await;
    let made = run(
        &client,
        "createBand(data: {name: \"X\", players: {connect: [{name: \"Ann\"}],
            create: [{name: \"Cy\", age: 50}]}}) {
            id players(orderBy: [{name: ASC}]) { totalCount nodes { name }
              edges { link { role share player { name } } node { name } cursor } } }",
    )
    .await["createBand"]
        .clone();
    assert_eq!(names(&made["players"]), "Ann Cy");
    assert_eq!(
        made["players"]["edges"][0]["link"],
        json!({"role": "member", "share": null, "player": {"name": "Ann"}})
    );
    let id = made["id"].as_str().unwrap();
    // What is linked already stays as it is.
    let changed = run(
        &client,
        &format!(
            "updateBand(id: \"{id}\", data: {{players: {{connect: [{{name: \"Ann\"}}, {{name: \"Bo\"}}],
               disconnect: [{{name: \"Cy\"}}]}}}}) {{
               players(orderBy: [{{name: DESC}}]) {{ nodes {{ name }} }}
               memberships {{ totalCount }} all: memberships(deleted: INCLUDE) {{ totalCount }} }}"
        ),
    )
    .await;
    let changed = &changed["updateBand"];
    assert_eq!(names(&changed["players"]), "Bo Ann");
    assert_eq!(changed["memberships"]["totalCount"], 2);
    assert_eq!(changed["all"]["totalCount"], 3);
    // Attributes are those of the link's own object.
    run(
        &client,
        "updateMemberships(where: {player: {name: {eq: \"Bo\"}}}, data: {role: \"drums\", share: 20}) { count }",
    )
    .await;
    // One that was undone can be made anew; and many records may get the same link.
    run(&client, "createBand(data: {name: \"Y\"}) { id }").await;
    let many = run(
        &client,
        "updateBands(where: {}, all: true, data: {players: {connect: [{name: \"Cy\"}]}}) { count }",
    )
    .await;
    assert_eq!(many["updateBands"]["count"], 2);
    let read = client
        .data(
            "{ players(orderBy: [{name: ASC}]) { nodes { name bands(orderBy: [{name: ASC}]) { nodes { name } } } } }",
            json!({}),
        )
        .await;
    let bands: Vec<String> = read["players"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|player| format!("{}: {}", player["name"], names(&player["bands"])))
        .collect();
    assert_eq!(bands, ["\"Ann\": X", "\"Bo\": X", "\"Cy\": X Y"]);
    // What is linked goes, and comes back with its links.
    let gone = run(
        &client,
        "deletePlayers(where: {name: {eq: \"Cy\"}}) { count }
         a: updateBands(where: {}, all: true, data: {name: null}) { nodes { players { nodes { name } } } }",
    )
    .await;
    assert_eq!(gone["a"]["nodes"][1]["players"]["nodes"], json!([]));
    let back = run(
        &client,
        "restorePlayers(where: {name: {eq: \"Cy\"}}) { nodes { bands { totalCount } } }",
    )
    .await;
    assert_eq!(back["restorePlayers"]["nodes"][0]["bands"]["totalCount"], 2);
}

async fn links_are_read_from_both_ends(client: Client) {
    apply(&client, &document()).await.unwrap();
    run(
        &client,
        "createBands(data: [
            {name: \"X\", memberships: {create: [
                {player: {create: {name: \"Ann\", age: 30}}, role: \"voice\", share: 60},
                {player: {create: {name: \"Bo\", age: 40}}, role: \"drums\", share: 40}]}},
            {name: \"Y\", memberships: {create: [
                {player: {connect: {name: \"Ann\"}}, role: \"bass\", share: 100}]}},
            {name: \"Z\"}]) { count }",
    )
    .await;
    let found = |query: &'static str| {
        let client = &client;
        async move {
            let data = client
                .data(
                    &format!(
                        "{{ bands({query} orderBy: [{{name: ASC}}]) {{ nodes {{ name }} }} }}"
                    ),
                    json!({}),
                )
                .await;
            names(&data["bands"])
        }
    };
    assert_eq!(
        found("where: {players: {some: {name: {eq: \"Ann\"}}}}").await,
        "X Y"
    );
    assert_eq!(
        found("where: {players: {none: {age: {gt: 35}}}}").await,
        "Y Z"
    );
    assert_eq!(
        found("where: {players: {every: {age: {lt: 35}}}}").await,
        "Y Z"
    );
    assert_eq!(
        found("where: {players: {some: {bands: {some: {name: {eq: \"Y\"}}}}}}").await,
        "X Y"
    );
    assert_eq!(
        found("where: {memberships: {some: {role: {eq: \"bass\"}}}}").await,
        "Y"
    );
    assert_eq!(found("where: {not: {players: {some: {}}}}").await, "Z");

    let query = "{ bands(orderBy: [{name: ASC}]) { nodes { name
        players(first: 1, orderBy: [{age: DESC}], where: {age: {gt: 20}}) {
          totalCount pageInfo { hasNextPage endCursor } edges { cursor link { id role } node { name } }
          aggregate { count age { sum max } }
          groups(by: [{age: true}]) { nodes { key { age } aggregate { count } where } } } } } }";
    let data = client.data(query, json!({})).await;
    let bands = data["bands"]["nodes"].as_array().unwrap();
    let players = &bands[0]["players"];
    assert_eq!(players["totalCount"], 2);
    assert_eq!(players["pageInfo"]["hasNextPage"], true);
    assert_eq!(players["edges"][0]["node"]["name"], "Bo");
    assert_eq!(players["edges"][0]["link"]["role"], "drums");
    assert_eq!(
        players["aggregate"],
        json!({"count": 2, "age": {"sum": 70, "max": 40}})
    );
    // The condition of a group finds its records again.
    for group in players["groups"]["nodes"].as_array().unwrap() {
        let again = client
            .data(
                "query($w: PlayerFilter) { players(where: $w) { nodes { age } } }",
                json!({"w": group["where"]}),
            )
            .await;
        assert_eq!(
            again["players"]["nodes"],
            json!([{"age": group["key"]["age"]}])
        );
    }
    // The next page of one of the lists.
    let cursor = &players["edges"][0]["cursor"];
    let next = client
        .data(
            "query($c: String) { bands(where: {name: {eq: \"X\"}}) { nodes {
               players(first: 1, after: $c, orderBy: [{age: DESC}]) { nodes { name } } } } }",
            json!({"c": cursor}),
        )
        .await;
    assert_eq!(names(&next["bands"]["nodes"][0]["players"]), "Ann");
    assert_eq!(bands[2]["players"]["edges"], json!([]));
    assert_eq!(bands[2]["players"]["totalCount"], 0);
}

async fn wrong_links_are_told(client: Client) {
    apply(&client, &document()).await.unwrap();
    run(
        &client,
        "createBand(data: {name: \"X\", players: {create: [{name: \"Ann\"}]}}) { id }",
    )
    .await;
    let told = refused(
        &client,
        "createBand(data: {name: \"Y\", players: {
            connect: [{name: \"Ann\"}, {name: \"Nobody\"}, {name: \"Ann\"}],
            disconnect: [{name: \"Ann\"}], create: [{name: \"Bo\", age: -1}, {name: \"Ann\"}]}}) { id }",
    )
    .await;
    insta::assert_snapshot!("wrong_links", told);
    // Nothing of it was done.
    assert_eq!(client.count("bands").await, 1);
    assert_eq!(client.count("players").await, 1);
    let twice = refused(
        &client,
        "createMembership(data: {band: {connect: {name: \"X\"}}, player: {connect: {name: \"Ann\"}}}) { id }",
    )
    .await;
    assert!(twice.contains("UNIQUE_VIOLATION"), "{twice}");
}

async fn trees_are_walked(client: Client) {
    apply(&client, &document()).await.unwrap();
    // a ← b ← c ← d, b ← e; f alone.
    run(
        &client,
        "createBand(data: {name: \"a\", offshoots: {create: [{name: \"b\", offshoots: {create: [
            {name: \"c\", offshoots: {create: [{name: \"d\"}]}}, {name: \"e\"}]}}]}}) { id }
         f: createBand(data: {name: \"f\"}) { id }",
    )
    .await;
    let data = client
        .data(
            "{ bands(orderBy: [{name: ASC}]) { nodes { name
                 origins { nodes { name } totalCount }
                 lineage { nodes { name } aggregate { count } }
                 byName: lineage(orderBy: [{name: DESC}], first: 2) { nodes { name } pageInfo { hasNextPage } } } } }",
            json!({}),
        )
        .await;
    let lines: Vec<String> = data["bands"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|band| {
            format!(
                "{} up [{}] {} down [{}] {}",
                band["name"].as_str().unwrap(),
                names(&band["origins"]),
                band["origins"]["totalCount"],
                names(&band["lineage"]).split(' ').next().unwrap(),
                band["lineage"]["aggregate"]["count"],
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "a up [] 0 down [b] 4",
            "b up [a] 1 down [c] 3",
            "c up [b a] 2 down [d] 1",
            "d up [c b a] 3 down [] 0",
            "e up [b a] 2 down [] 0",
            "f up [] 0 down [] 0",
        ]
    );
    let first = &data["bands"]["nodes"][0];
    assert_eq!(names(&first["byName"]), "e d");
    assert_eq!(first["byName"]["pageInfo"]["hasNextPage"], true);
    // Page by page, the nearest first.
    let mut seen = Vec::new();
    let mut after = Json::Null;
    loop {
        let page = client
            .data(
                "query($a: String) { bands(where: {name: {eq: \"a\"}}) { nodes {
                   lineage(first: 1, after: $a) { nodes { name } pageInfo { hasNextPage endCursor } } } } }",
                json!({"a": after}),
            )
            .await;
        let page = &page["bands"]["nodes"][0]["lineage"];
        seen.push(names(page));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen.len(), 4);
    assert_eq!((&*seen[0], &*seen[3]), ("b", "d"));
    // As conditions.
    for (condition, expected) in [
        ("origins: {some: {name: {eq: \"b\"}}}", "c d e"),
        ("lineage: {some: {name: {eq: \"d\"}}}", "a b c"),
        ("lineage: {none: {}}", "d e f"),
        (
            "origins: {every: {name: {in: [\"a\", \"b\"]}}}",
            "a b c e f",
        ),
    ] {
        let data = client
            .data(
                &format!("{{ bands(where: {{{condition}}}, orderBy: [{{name: ASC}}]) {{ nodes {{ name }} }} }}"),
                json!({}),
            )
            .await;
        assert_eq!(names(&data["bands"]), expected, "{condition}");
    }
    // What is in the trash is in no line.
    run(&client, "deleteBands(where: {name: {eq: \"c\"}}) { count }").await;
    let data = client
        .data(
            "{ bands(where: {name: {in: [\"a\", \"d\"]}}, orderBy: [{name: ASC}]) { nodes {
                 origins { nodes { name } } lineage(orderBy: [{name: ASC}]) { nodes { name } } } } }",
            json!({}),
        )
        .await;
    assert_eq!(names(&data["bands"]["nodes"][0]["lineage"]), "b e");
    assert_eq!(names(&data["bands"]["nodes"][1]["origins"]), "");
}

async fn no_record_stands_over_itself(client: Client) {
    apply(&client, &document()).await.unwrap();
    run(
        &client,
        "createBand(data: {name: \"a\", offshoots: {create: [{name: \"b\", offshoots: {create: [
            {name: \"c\"}]}}]}}) { id }",
    )
    .await;
    for mutation in [
        "updateBands(where: {name: {eq: \"a\"}}, data: {origin: {connect: {name: \"c\"}}}) { count }",
        "updateBands(where: {name: {eq: \"a\"}}, data: {origin: {connect: {name: \"a\"}}}) { count }",
        // By a new record between the two.
        "createBand(data: {name: \"n\", origin: {connect: {name: \"c\"}}, offshoots: {connect: [{name: \"a\"}]}}) { id }",
        // Each is right by itself.
        "upsertBands(on: name, data: [{name: \"x\"}, {name: \"y\"}]) { count }
         u: upsertBands(on: name, data: [
            {name: \"x\", origin: {connect: {name: \"y\"}}}, {name: \"y\", origin: {connect: {name: \"x\"}}}]) { count }",
    ] {
        let told = refused(&client, mutation).await;
        assert!(told.contains("CYCLE"), "{mutation}: {told}");
    }
    assert_eq!(client.count("bands").await, 3);
    // Longer than can be read.
    run(&client, "createBand(data: {name: \"0\"}) { id }").await;
    for depth in 1..=100 {
        let mutation = format!(
            "createBand(data: {{name: \"{depth}\", origin: {{connect: {{name: \"{}\"}}}}}}) {{ id }}",
            depth - 1
        );
        run(&client, &mutation).await;
    }
    for mutation in [
        "createBand(data: {name: \"101\", origin: {connect: {name: \"100\"}}}) { id }",
        "updateBands(where: {name: {eq: \"a\"}}, data: {origin: {connect: {name: \"98\"}}}) { count }",
    ] {
        let told = refused(&client, mutation).await;
        assert!(told.contains("TOO_DEEP"), "{mutation}: {told}");
    }
    run(&client, "updateBands(where: {name: {eq: \"c\"}}, data: {origin: {connect: {name: \"99\"}}}) { count }").await;
    let data = client
        .data(
            "{ bands(where: {name: {eq: \"c\"}}) { nodes { origins { totalCount } } } }",
            json!({}),
        )
        .await;
    assert_eq!(data["bands"]["nodes"][0]["origins"]["totalCount"], 100);
}

async fn wrong_lists_are_told(client: Client) {
    let document = json!({"relata": 1, "objects": [
        {"key": "left", "plural": "lefts", "fields": [
            {"key": "name", "kind": "text"},
            {"key": "over", "kind": "relation", "to": "right", "ancestors": "above", "descendants": "below"},
            {"key": "half", "kind": "relation", "to": "left", "ancestors": "name"},
            {"key": "twice", "kind": "relation", "to": "left", "ancestors": "name", "descendants": "same"},
        ]},
        {"key": "right", "plural": "rights", "fields": [
            {"key": "same", "kind": "text"},
            {"key": "a", "kind": "relation", "to": "left", "through": {"name": "same", "to": "b"}},
            {"key": "b", "kind": "relation", "to": "left"},
            {"key": "c", "kind": "relation", "to": "left", "through": {"name": "x", "to": "c"}},
            {"key": "d", "kind": "relation", "to": "left", "through": {"name": "y", "to": "missing"}},
            {"key": "e", "kind": "relation", "to": "left", "through": {"labels": {"en": "no name"}}},
        ]},
    ]});
    let issues = apply(&client, &document)
        .await
        .unwrap_err()
        .issues()
        .to_vec();
    insta::assert_snapshot!("wrong_lists", relata_catalog::Issues(issues).to_string());
    // A circle that is there is in the way of a tree.
    let plain = json!({"relata": 1, "objects": [{"key": "item", "plural": "items", "fields": [
        {"key": "name", "kind": "text", "unique": true},
        {"key": "up", "kind": "relation", "to": "item"}]}]});
    apply(&client, &plain).await.unwrap();
    run(
        &client,
        "createItems(data: [{name: \"a\"}, {name: \"b\"}, {name: \"c\"}]) { count }
         x: updateItems(where: {name: {eq: \"a\"}}, data: {up: {connect: {name: \"b\"}}}) { count }
         y: updateItems(where: {name: {eq: \"b\"}}, data: {up: {connect: {name: \"a\"}}}) { count }
         z: updateItems(where: {name: {eq: \"c\"}}, data: {up: {connect: {name: \"a\"}}}) { count }",
    )
    .await;
    let mut tree = plain.clone();
    tree["objects"][0]["fields"][1]["ancestors"] = json!("overs");
    tree["objects"][0]["fields"][1]["descendants"] = json!("unders");
    let told = apply(&client, &tree).await.unwrap_err();
    insta::assert_snapshot!(
        "circle_in_the_way",
        relata_catalog::Issues(told.issues().to_vec()).to_string()
    );
}

async fn one_of_several_is_shown(client: Client) {
    let document = json!({"relata": 1, "objects": [
        {"key": "ship", "plural": "ships", "label": "name", "fields": [
            {"key": "name", "kind": "text", "unique": true}, {"key": "masts", "kind": "integer"}]},
        {"key": "port", "plural": "ports", "label": "name", "fields": [
            {"key": "name", "kind": "text", "unique": true}, {"key": "depth", "kind": "integer"}]},
        {"key": "remark", "plural": "remarks", "fields": [
            {"key": "text", "kind": "text"},
            {"key": "aboutShip", "kind": "relation", "to": "ship", "inverse": "remarks"},
            {"key": "aboutPort", "kind": "relation", "to": "port", "inverse": "remarks"}],
         "oneOf": [{"key": "about", "relations": ["aboutShip", "aboutPort"], "required": true}]},
    ]});
    apply(&client, &document).await.unwrap();
    run(
        &client,
        "createShip(data: {name: \"Vasa\", masts: 3, remarks: {create: [{text: \"sank\"}]}}) { id }
         p: createPort(data: {name: \"Kiel\", depth: 12, remarks: {create: [{text: \"calm\"}]}}) { id }",
    )
    .await;
    let shown = || async {
        let data = client
            .data(
                "{ remarks(orderBy: [{text: ASC}]) { nodes { text about { __typename label
                     ... on Ship { masts } ... on Port { deep: depth remarks { totalCount } } } } } }",
                json!({}),
            )
            .await;
        data["remarks"]["nodes"].clone()
    };
    let kiel =
        json!({"__typename": "Port", "label": "Kiel", "deep": 12, "remarks": {"totalCount": 1}});
    let vasa = json!({"__typename": "Ship", "label": "Vasa", "masts": 3});
    assert_eq!(
        shown().await,
        json!([{"text": "calm", "about": kiel}, {"text": "sank", "about": vasa}])
    );
    // Only the interface.
    let data = client
        .data(
            "{ remarks(orderBy: [{text: ASC}]) { nodes { about { id label } } } }",
            json!({}),
        )
        .await;
    assert_eq!(data["remarks"]["nodes"][0]["about"]["label"], "Kiel");
    // To point at something else is enough.
    run(
        &client,
        "updateRemarks(where: {text: {eq: \"sank\"}}, data: {aboutPort: {connect: {name: \"Kiel\"}}}) {
           nodes { aboutShip { id } } }",
    )
    .await;
    assert_eq!(shown().await[1]["about"]["label"], "Kiel");
    run(
        &client,
        "updateShips(where: {}, all: true, data: {remarks: {}}) { count }
         s: updateRemarks(where: {text: {eq: \"calm\"}}, data: {aboutShip: {connect: {name: \"Vasa\"}}, text: \"old\"}) { count }",
    )
    .await;
    assert_eq!(shown().await[0]["about"], vasa);
    for (mutation, expected) in [
        (
            "createRemark(data: {text: \"x\", aboutShip: {connect: {name: \"Vasa\"}}, aboutPort: {connect: {name: \"Kiel\"}}}) { id }",
            "VALIDATION_FAILED\n  data.aboutPort ONE_OF",
        ),
        (
            "createRemark(data: {text: \"x\"}) { id }",
            "VALIDATION_FAILED\n  data.about REQUIRED",
        ),
        (
            "updateRemarks(where: {text: {eq: \"old\"}}, data: {aboutShip: {disconnect: true}}) { count }",
            "VALIDATION_FAILED\n  data.about REQUIRED",
        ),
    ] {
        assert_eq!(refused(&client, mutation).await, expected, "{mutation}");
    }
    // What is there is in the way of new alternatives.
    let mut more = document.clone();
    more["objects"][2]["fields"]
        .as_array_mut()
        .unwrap()
        .push(json!({"key": "aboutPerson", "kind": "relation", "to": "person"}));
    more["objects"][2]["oneOf"] = json!([]);
    apply(&client, &more).await.unwrap();
    run(&client, "updateRemarks(where: {}, all: true, data: {aboutPort: {connect: {name: \"Kiel\"}}}) { count }").await;
    let told = apply(&client, &document).await.unwrap_err();
    insta::assert_snapshot!(
        "alternatives_in_the_way",
        relata_catalog::Issues(told.issues().to_vec()).to_string()
    );
    let wrong = json!({"relata": 1, "objects": [{"key": "thing", "plural": "things", "fields": [
        {"key": "name", "kind": "text"}, {"key": "a", "kind": "relation", "to": "company"}],
        "oneOf": [{"key": "name", "relations": ["a", "a", "name", "gone"]}, {"key": "name", "relations": ["a"]}]}]});
    let told = apply(&client, &wrong).await.unwrap_err();
    insta::assert_snapshot!(
        "wrong_alternatives",
        relata_catalog::Issues(told.issues().to_vec()).to_string()
    );
}

async fn merged_records_are_in_lists_once(client: Client) {
    apply(&client, &document()).await.unwrap();
    let made = run(
        &client,
        "createBands(data: [
            {name: \"X\", offshoots: {create: [{name: \"X1\"}]}, players: {create: [{name: \"Ann\"}, {name: \"Bo\"}]}},
            {name: \"Y\", offshoots: {create: [{name: \"Y1\"}]}, players: {connect: [{name: \"Ann\"}], create: [{name: \"Cy\"}]}},
            {name: \"Z\", players: {connect: [{name: \"Cy\"}, {name: \"Ann\"}]}}]) { nodes { id } }",
    )
    .await;
    let ids: Vec<&str> = made["createBands"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str().unwrap())
        .collect();
    let read = || async {
        client
            .data(
                "query($id: ID!) { band(id: $id) { players(orderBy: [{name: ASC}]) { nodes { name } }
                   lineage(orderBy: [{name: ASC}]) { nodes { name } } }
                   bands(orderBy: [{name: ASC}]) { nodes { name } } memberships { totalCount } }",
                json!({"id": ids[0]}),
            )
            .await
    };
    let before = read().await;
    let merge = format!(
        "mergeBands(ids: [\"{}\", \"{}\", \"{}\"], keep: \"{}\") {{ id }}",
        ids[0], ids[1], ids[2], ids[0]
    );
    run(&client, &merge).await;
    let after = read().await;
    assert_eq!(names(&after["band"]["players"]), "Ann Bo Cy");
    assert_eq!(names(&after["band"]["lineage"]), "X1 Y1");
    assert_eq!(names(&after["bands"]), "X X1 Y1");
    assert_eq!(after["memberships"]["totalCount"], 3);
    {
        let loser = ids[1];
        run(
            &client,
            &format!("unmergeBand(id: \"{loser}\") {{ left {{ __typename }} }}"),
        )
        .await;
    }
    assert_eq!(read().await, before);
    // What stands over another can't be below it at the same time.
    let below = client
        .data(
            "{ bands(where: {name: {eq: \"X1\"}}) { nodes { id } } }",
            json!({}),
        )
        .await;
    let below = below["bands"]["nodes"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let deeper = format!(
        "createBand(data: {{name: \"X2\", origin: {{connect: {{id: \"{below}\"}}}}}}) {{ id }}"
    );
    let deeper = run(&client, &deeper).await["createBand"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let circle = format!(
        "mergeBands(ids: [\"{deeper}\", \"{}\"], keep: \"{deeper}\") {{ id }}",
        ids[0]
    );
    let told = refused(&client, &circle).await;
    assert!(told.contains("CYCLE"), "{told}");
}
