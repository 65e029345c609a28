//! Breaks in the way that a note's title asks for: what tests install to see that a fault stays in
//! the call that made it, and what becomes of the calls before and after it.

use relata_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// The plugin.
pub struct Faulty;

/// Inputs of the hooks, as plugin.toml lists them.
#[derive(Fields)]
struct Note {
    title: Option<String>,
}

impl Plugin for Faulty {
    fn before(call: Before) -> Result<Outcome> {
        let note: Note = call.record()?;
        let title = note.title.unwrap_or_default();
        match title.as_str() {
            "trap" => panic!("told to"),
            "loop" => endless(),
            "memory" => greedy(),
            "stack" => Ok(Outcome::accept().set("body", deep(u64::MAX).to_string())),
            _ => Ok(Outcome::accept().set("body", "seen")),
        }
    }

    /// Echoes a note as a company, and fails after it has written that when the title says so.
    fn after(call: After) -> Result<()> {
        let note: Note = call.record()?;
        let title = note.title.unwrap_or_default();
        if title.starts_with("echo") {
            records::create("company")
                .set("name", title.as_str())
                .send()?;
        }
        if title.starts_with("echo fails") {
            return Err(Error::failed("told to"));
        }
        Ok(())
    }

    fn operation(call: Operation) -> Result<Json> {
        let Asked { what } = call.arguments()?;
        match what.as_str() {
            "trap" => panic!("told to"),
            "write" => {
                records::create("company")
                    .set("name", "sneaked in")
                    .send()?;
            }
            _ => {}
        }
        let companies = records::total("company", "employees").count()?;
        Json::from(&Counted { companies })
    }
}

/// What `faulty_count` is asked for.
#[derive(Deserialize)]
struct Asked {
    what: String,
}

/// What it answers.
#[derive(Serialize)]
struct Counted {
    companies: i64,
}

fn endless() -> Result<Outcome> {
    let mut count = 0_u64;
    loop {
        count = std::hint::black_box(count.wrapping_add(1));
    }
}

fn greedy() -> Result<Outcome> {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        held.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

fn deep(left: u64) -> u64 {
    let frame = std::hint::black_box([left; 64]);
    if left == 0 {
        frame[0]
    } else {
        deep(left - 1).wrapping_add(frame[1])
    }
}

relata_sdk::register!(Faulty);
