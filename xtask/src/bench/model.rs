//! Changes of the catalogue on a large table: what they take, and how long others wait for them.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::sides::{Relata, Serving};

/// Fields that are added.
const FIELDS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(900);

pub(super) fn measure(database: &str, server: &Relata<Serving>) -> Result<Vec<String>> {
    let count = server.ask("{people{totalCount}}", &json!({}))?;
    let count = &count["data"]["people"]["totalCount"];
    let mut added = Vec::with_capacity(FIELDS);
    for number in 0..FIELDS {
        added.push(change(
            server,
            "createField(object: \"person\", data: $data) { name }",
            &json!({"data": {"key": format!("extra{number}"), "kind": "text"}}),
        )?);
    }
    added.sort_unstable();

    let (filled, filled_wait) = beside_writers(server, || {
        change(
            server,
            "createField(object: \"person\", data: $data) { name }",
            &json!({"data": {"key": "score", "kind": "text", "default": "12"}}),
        )
    })?;
    let (converted, converted_wait) = beside_writers(server, || {
        change(
            server,
            "updateField(object: \"person\", name: \"score\", data: $data) { name }",
            &json!({"data": {"kind": "integer"}}),
        )
    })?;
    let (indexed, indexed_wait) = beside_writers(server, || {
        let began = Instant::now();
        let answered = change(
            server,
            "createField(object: \"person\", data: $data) { name }",
            &json!({"data": {"key": "grade", "kind": "text", "default": "B", "indexed": true}}),
        )?;
        while !indexes_are_there(server)? {
            if began.elapsed() > PATIENCE {
                bail!("an index is not there after {PATIENCE:?}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok((answered, began.elapsed()))
    })?;
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    Ok(vec![format!(
        "{database}, {count} persons: an empty field is added in {:.0} ms (median of {FIELDS}, {:.0} at most); \
         one with a value in each record in {:.0} ms (a writer waits {:.0}); it becomes a number in {:.0} ms (a writer waits {:.0}); \
         one with an index in {:.0} ms, the index there after {:.0} (a writer waits {:.0})",
        milliseconds(added[FIELDS / 2]),
        milliseconds(added[FIELDS - 1]),
        milliseconds(filled),
        milliseconds(filled_wait),
        milliseconds(converted),
        milliseconds(converted_wait),
        milliseconds(indexed.0),
        milliseconds(indexed.1),
        milliseconds(indexed_wait),
    )])
}

fn change(server: &Relata<Serving>, mutation: &str, variables: &Value) -> Result<Duration> {
    server.configure_timed(
        &format!("mutation($data: JSON!) {{ {mutation} }}"),
        variables,
    )
}

fn indexes_are_there(server: &Relata<Serving>) -> Result<bool> {
    let answer = server.configure(
        "{ object(name: \"person\") { indexes { state error } } }",
        &json!({}),
    )?;
    let indexes = answer["data"]["object"]["indexes"]
        .as_array()
        .with_context(|| format!("indexes were expected: {answer}"))?;
    if let Some(failed) = indexes.iter().find(|index| index["state"] == "FAILED") {
        bail!("an index failed: {failed}");
    }
    Ok(indexes.iter().all(|index| index["state"] == "ACTIVE"))
}

/// Does something while somebody else creates persons, and gives the longest that one took.
fn beside_writers<T>(
    server: &Relata<Serving>,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, Duration)> {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| -> Result<Duration> {
            let mut longest = Duration::ZERO;
            while !is_done.load(Ordering::Relaxed) {
                longest = longest.max(server.ask_timed(
                    "mutation{createPerson(data: {name: {full: \"Somebody else\"}}){id}}",
                    &json!({}),
                )?);
                thread::sleep(Duration::from_millis(5));
            }
            Ok(longest)
        });
        let done = work();
        is_done.store(true, Ordering::Relaxed);
        let longest = writer
            .join()
            .map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        Ok((done?, longest))
    })
}
