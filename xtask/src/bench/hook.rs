//! What a plugin's hook adds to a create: the same object twice, once as the plugin's own, with
//! its hooks, once as the workspace's copy of it, without.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    Options,
    load::{Figures, Load},
    sides::{Relata, Serving},
};

/// The plugin's object whose creation its hook watches.
const HOOKED: &str = "member";

pub(super) fn measure(
    database: &str,
    server: &Relata<Serving>,
    options: &Options,
) -> Result<Vec<String>> {
    copy_object(server)?;
    // One connection: the latency of a create, not of the queue before it.
    let load = Load {
        connections: 1,
        seconds: options.seconds,
        ids: server.ids_file(),
    };
    let run = |mutation: &str, input: &str| -> Result<Figures> {
        let query = format!("mutation($data: {input}!){{{mutation}(data: $data){{id}}}}");
        load.run(
            &server.graphql_script(&query, "'{\"data\":{}}'"),
            server.url(),
            server.process_id(),
        )
    };
    let plain = run("createPlainMember", "PlainMemberCreate")?;
    let hooked = run("createMember", "MemberCreate")?;
    println!(
        "{}",
        plain.row(
            database,
            "create a member, no hook, 1 connection",
            "relata",
            None
        )
    );
    println!(
        "{}",
        hooked.row(
            database,
            "create a member, membership's hook, 1 connection",
            "relata",
            Some(&plain)
        )
    );
    Ok(vec![format!(
        "{database}: the hook adds {:.0} µs at the median, {:.0} µs of CPU",
        hooked.median_us - plain.median_us,
        hooked.cpu_us - plain.cpu_us
    )])
}

/// Makes an object of the workspace with the same fields as the plugin's, relations left out.
fn copy_object(server: &Relata<Serving>) -> Result<()> {
    let answer = server.configure(
        "query($name: String!){object(name: $name){fields{name kind settings required default}}}",
        &json!({"name": HOOKED}),
    )?;
    let fields = answer
        .pointer("/data/object/fields")
        .and_then(Value::as_array)
        .with_context(|| format!("the fields of {HOOKED} were expected: {answer}"))?;
    let fields: Vec<Value> = fields
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
