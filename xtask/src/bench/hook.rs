//! What a plugin's hook adds to a create: the same record twice, once as the plugin's own, with
//! its hooks, once in the workspace's copy of its object, without.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    Options,
    load::{Figures, Load},
    sides::{Relata, Serving},
};

/// The plugin's object whose creation its hook watches.
const HOOKED: &str = "member";
/// Each measurement is taken this often, in turn, and the best median counts: a disk or a neighbour
/// that was busy for a while is nobody's cost, and both sides have the same number of chances.
const ROUNDS: u32 = 6;

/// One way to create the record.
struct Way {
    name: &'static str,
    mutation: &'static str,
    /// The variable's value: JSON with `TIER` in the place of the entry tier's id.
    data: &'static str,
}

/// All of them write the same values.
const WAYS: [Way; 3] = [
    Way {
        name: "create a member, no hook, 1 connection",
        mutation: "mutation($data: PlainMemberCreate!){createPlainMember(data: $data){id}}",
        data: r#"{"tier":{"connect":{"id":"TIER"}},"points":0,"joinedOn":"2026-01-31"}"#,
    },
    Way {
        name: "create a member, membership's hook, 1 connection",
        mutation: "mutation($data: MemberCreate!){createMember(data: $data){id}}",
        data: r#"{"tier":{"connect":{"id":"TIER"}},"points":0,"joinedOn":"2026-01-31"}"#,
    },
    Way {
        name: "create a member, the hook reads tiers in the transaction",
        mutation: "mutation($data: MemberCreate!){createMember(data: $data){id}}",
        data: "{}",
    },
];

pub(super) fn measure(
    database: &str,
    server: &Relata<Serving>,
    options: &Options,
) -> Result<Vec<String>> {
    copy_object(server)?;
    let tiers = server.ask(
        "{membershipTiers(first: 1, where: {minPoints: {lte: 0}}, orderBy: [{rank: DESC}]){nodes{id}}}",
        &json!({}),
    )?;
    let tier = tiers
        .pointer("/data/membershipTiers/nodes/0/id")
        .and_then(Value::as_str)
        .with_context(|| format!("the entry tier was expected: {tiers}"))?;
    // One connection: the latency of a create, not of the queue before it.
    let load = Load {
        connections: 1,
        seconds: options.seconds.div_ceil(ROUNDS / 2),
        ids: server.ids_file(),
    };
    let mut best: [Option<Figures>; WAYS.len()] = [None, None, None];
    for _ in 0..ROUNDS {
        for (way, best) in WAYS.iter().zip(&mut best) {
            let variables = format!("'{{\"data\":{}}}'", way.data.replace("TIER", tier));
            let figures = load.run(
                &server.graphql_script(way.mutation, &variables),
                server.url(),
                server.process_id(),
            )?;
            if best
                .as_ref()
                .is_none_or(|best| figures.median_us < best.median_us)
            {
                *best = Some(figures);
            }
        }
    }
    let [Some(plain), Some(hooked), Some(reading)] = best else {
        unreachable!("each way was measured in each round");
    };
    for (way, figures) in WAYS.iter().zip([&plain, &hooked, &reading]) {
        println!(
            "{}",
            figures.row(database, way.name, "relata", Some(&plain))
        );
    }
    let added = |what: &str, figures: &Figures| {
        format!(
            "{database}: {what} adds {:.0} µs at the median, {:.0} µs of CPU",
            figures.median_us - plain.median_us,
            figures.cpu_us - plain.cpu_us
        )
    };
    Ok(vec![
        added("the hook", &hooked),
        added("the hook that also reads the tiers", &reading),
    ])
}

/// Makes an object of the workspace with the same fields as the plugin's; of its relations the
/// one that has a value.
fn copy_object(server: &Relata<Serving>) -> Result<()> {
    let answer = server.configure(
        "query($name: String!){object(name: $name){fields{name kind settings required default}}}",
        &json!({"name": HOOKED}),
    )?;
    let fields = answer
        .pointer("/data/object/fields")
        .and_then(Value::as_array)
        .with_context(|| format!("the fields of {HOOKED} were expected: {answer}"))?;
    let mut fields: Vec<Value> = fields
        .iter()
        .filter(|field| field["kind"] != "relation" && field["kind"] != "stage")
        .map(|field| {
            let mut copy = field["settings"].clone();
            copy["key"] = field["name"].clone();
            for member in ["kind", "required", "default"] {
                if !field[member].is_null() {
                    copy[member] = field[member].clone();
                }
            }
            copy
        })
        .collect();
    fields.push(json!({
        "key": "tier", "kind": "relation", "to": "relata.membership/membershipTier",
        "inverse": {"name": "plainMembers"}, "onDelete": "RESTRICT",
    }));
    let document = json!({
        "relata": 1,
        "objects": [{"key": "plainMember", "plural": "plainMembers", "fields": fields}],
    });
    server.configure(
        "mutation($d: JSON!){applyBlueprint(document: $d){id}}",
        &json!({"d": document}),
    )?;
    Ok(())
}
