//! Breaks in the way that a note's title asks for: what scenarios install to see that a fault
//! stays in the call that made it.

use relata_sdk::prelude::*;

/// The plugin.
pub struct Faulty;

/// Inputs of the hook `fault`, as plugin.toml lists them.
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

relata_sdk::register!(Faulty: hooks);
