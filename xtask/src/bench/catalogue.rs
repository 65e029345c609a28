//! A large catalogue: what it holds in memory, and what a change of it costs, itself and others.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    Options, QUESTIONS,
    load::Load,
    machine, milliseconds,
    sides::{Relata, Serving},
};

const OBJECTS: usize = 200;
const FIELDS: usize = 20;
/// Fields that are added while others ask.
const CHANGES: usize = 10;
const CONNECTIONS: u32 = 16;
const SECONDS: u32 = 6;

pub(super) fn measure(
    database: &str,
    relata: &Path,
    url: &str,
    folder: &Path,
    options: &Options,
) -> Result<Vec<String>> {
    let server = Relata::prepare(relata, url, folder, options.records.min(1_000))?.serve()?;
    let idle = machine::resident_mib(server.process_id())?;
    let idle_own = machine::own_mib(server.process_id())?;
    server.configure(
        "mutation($document: JSON!){applyBlueprint(document: $document){id}}",
        &json!({"document": blueprint()}),
    )?;
    // Restarted, so that what making it took is not counted.
    let server = server.stop().serve()?;
    server.ask("{things0{nodes{id}}}", &json!({}))?;
    let large = machine::resident_mib(server.process_id())?;
    let (changes, longest) = change_while_asked(&server)?;
    let slowest = changes.iter().max().context("fields were added")?;
    let mut sorted = changes.clone();
    sorted.sort();
    Ok(vec![format!(
        "{database}, {OBJECTS} objects of {FIELDS} fields: {large} MiB in memory (as it comes: {idle} MiB, {idle_own} of them its own and no file's); a field added \
         while {CONNECTIONS} connections ask by id is there for the next query after {} (median of {CHANGES}, \
         slowest {}); the slowest of their requests took {}",
        milliseconds(sorted[sorted.len() / 2]),
        milliseconds(*slowest),
        milliseconds(longest)
    )])
}

/// How long each new field took to be there, and the slowest request of the others.
fn change_while_asked(server: &Relata<Serving>) -> Result<(Vec<Duration>, Duration)> {
    let by_id = &QUESTIONS[0];
    let load = Load {
        connections: CONNECTIONS,
        seconds: SECONDS,
        ids: server.ids_file(),
    };
    std::thread::scope(|scope| {
        let others =
            scope.spawn(|| load.run(&server.script(by_id), server.url(), server.process_id()));
        // Its warming up is not measured.
        std::thread::sleep(Duration::from_secs(3));
        let changes = (0..CHANGES)
            .map(|number| {
                let object = format!("thing{}", number * (OBJECTS / CHANGES));
                let plural = object.replace("thing", "things");
                let created = server.configure_timed(
                    "mutation($object: String!, $data: JSON!){createField(object: $object, data: $data){name}}",
                    &json!({"object": object, "data": {"key": "added", "kind": "text"}}),
                )?;
                let asked = server.ask_timed(&format!("{{{plural}{{nodes{{added}}}}}}"), &json!({}))?;
                Ok(created + asked)
            })
            .collect::<Result<Vec<_>>>()?;
        let figures = others
            .join()
            .map_err(|_| anyhow::anyhow!("the load has panicked"))??;
        Ok((changes, figures.longest))
    })
}

fn blueprint() -> Value {
    let kinds = [
        "text", "integer", "decimal", "boolean", "date", "dateTime", "money", "email",
    ];
    let objects: Vec<Value> = (0..OBJECTS)
        .map(|object| {
            let mut fields: Vec<Value> = (0..FIELDS - 1)
                .map(|field| match kinds[field % kinds.len()] {
                    "decimal" => json!({"key": format!("f{field}"), "kind": "decimal", "scale": 2}),
                    kind => json!({"key": format!("f{field}"), "kind": kind}),
                })
                .collect();
            fields.push(json!({
                "key": "next", "kind": "relation", "to": format!("thing{}", (object + 1) % OBJECTS),
                "inverse": {"name": "previous"},
            }));
            json!({
                "key": format!("thing{object}"), "plural": format!("things{object}"),
                "label": "f0", "fields": fields,
            })
        })
        .collect();
    json!({"relata": 1, "objects": objects})
}
