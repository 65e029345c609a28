//! Grouping on SQLite by a hash table of ours.
//!
//! SQLite groups by sorting: 200,000 records by three short texts take five times as long as it
//! takes to look at them. The function `relata_fold` takes each record's keys and values as they
//! come, keeps what is measured of each group, and gives all groups as JSON, which `json_each`
//! makes rows of. It is an aggregate function of reading connections; those that write have none,
//! so what a mutation selects is grouped by sorting.

use std::collections::HashMap;
use std::fmt::Write as _;

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::ValueRef;

/// Most keys and values together: SQLite takes 127 arguments.
const ARGUMENTS_MAX: usize = 100;
/// Where a whole number is cut in two, as in `compile/measures.rs`.
const CUT: i64 = 1_000_000_000;

/// What is measured of a group: of the value at a position, or of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measured {
    /// How many records there are.
    Rows,
    /// How many of them have a value.
    Values(usize),
    /// How many have one that is true, or false.
    Trues(usize),
    Falses(usize),
    /// The sum of what is left of the cut, and of what is right of it.
    High(usize),
    Low(usize),
    Least(usize),
    Greatest(usize),
    /// Nothing: a column that stays empty.
    Empty,
}

impl Measured {
    fn letter(self) -> (char, usize) {
        match self {
            Self::Rows => ('r', 0),
            Self::Values(at) => ('v', at),
            Self::Trues(at) => ('t', at),
            Self::Falses(at) => ('f', at),
            Self::High(at) => ('h', at),
            Self::Low(at) => ('l', at),
            Self::Least(at) => ('m', at),
            Self::Greatest(at) => ('x', at),
            Self::Empty => ('e', 0),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let letter = text.chars().next()?;
        let at = text[letter.len_utf8()..].parse().ok()?;
        Some(match letter {
            'r' => Self::Rows,
            'v' => Self::Values(at),
            't' => Self::Trues(at),
            'f' => Self::Falses(at),
            'h' => Self::High(at),
            'l' => Self::Low(at),
            'm' => Self::Least(at),
            'x' => Self::Greatest(at),
            'e' => Self::Empty,
            _ => return None,
        })
    }
}

/// The select of groups of the records in `records`, or nothing where there are too many columns.
/// Its columns are the keys by their names, then the measures by theirs. Keys with `true` are ids.
pub(super) fn select(
    keys: &[(String, bool)],
    values: &[String],
    measures: &[(Measured, String)],
    records: &str,
) -> Option<String> {
    if keys.len() + values.len() > ARGUMENTS_MAX {
        return None;
    }
    let mut program = keys.len().to_string();
    for (measured, _) in measures {
        let (letter, at) = measured.letter();
        write!(program, ";{letter}{at}").ok()?;
    }
    let arguments = keys
        .iter()
        .map(|(name, _)| name)
        .chain(values)
        .map(|name| format!(", b.{name}"))
        .collect::<String>();
    let keys_out = keys.iter().enumerate().map(|(index, (name, is_id))| {
        if *is_id {
            format!("unhex(f.value ->> {index}) AS {name}")
        } else {
            format!("f.value ->> {index} AS {name}")
        }
    });
    let measures_out = measures
        .iter()
        .enumerate()
        .map(|(index, (_, name))| format!("f.value ->> {} AS {name}", keys.len() + index));
    let columns: Vec<String> = keys_out.chain(measures_out).collect();
    Some(format!(
        "SELECT {} FROM json_each((SELECT {FUNCTION}('{program}'{arguments}) FROM ({records}) AS b)) AS f",
        columns.join(", "),
    ))
}

const FUNCTION: &str = "relata_fold";

/// Gives a connection the function.
pub(super) fn register(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_aggregate_function(FUNCTION, -1, flags, Fold)
}

struct Fold;

/// The groups so far.
struct Groups {
    keys: usize,
    measures: Vec<Measured>,
    /// By their keys, written one behind the other.
    groups: HashMap<Box<[u8]>, Vec<Cell>>,
    /// The keys of the record at hand.
    key: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Integer(i64),
    Text(Box<[u8]>),
}

impl Aggregate<Groups, Option<String>> for Fold {
    fn init(&self, context: &mut Context<'_>) -> rusqlite::Result<Groups> {
        let program = context.get_raw(0).as_str()?;
        let mut parts = program.split(';');
        let keys = parts.next().and_then(|keys| keys.parse().ok());
        let measures: Option<Vec<Measured>> = parts.map(Measured::read).collect();
        let (Some(keys), Some(measures)) = (keys, measures) else {
            return Err(failed("its program can't be read"));
        };
        Ok(Groups {
            keys,
            measures,
            groups: HashMap::new(),
            key: Vec::new(),
        })
    }

    fn step(&self, context: &mut Context<'_>, groups: &mut Groups) -> rusqlite::Result<()> {
        let Groups {
            keys,
            measures,
            groups,
            key,
        } = groups;
        key.clear();
        for index in 1..=*keys {
            write_key(key, context.get_raw(index))?;
        }
        // Two look-ups for a new group, one for all that follow.
        let cells = match groups.get_mut(key.as_slice()) {
            Some(cells) => cells,
            None => groups
                .entry(key.as_slice().into())
                .or_insert_with(|| measures.iter().map(|one| one.nothing()).collect()),
        };
        for (measured, cell) in measures.iter().zip(cells) {
            measured.add(cell, |at| context.get_raw(1 + *keys + at))?;
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        groups: Option<Groups>,
    ) -> rusqlite::Result<Option<String>> {
        // Of no records there are no groups.
        let Some(Groups { groups, .. }) = groups else {
            return Ok(None);
        };
        let mut out = String::from("[");
        for (position, (key, cells)) in groups.iter().enumerate() {
            out.push_str(if position == 0 { "[" } else { ",[" });
            let mut first = true;
            let mut rest = &key[..];
            while !rest.is_empty() {
                let cell;
                (cell, rest) = read_key(rest).ok_or_else(|| failed("a key can't be read"))?;
                write_cell(&mut out, &mut first, &cell)?;
            }
            for cell in cells {
                write_cell(&mut out, &mut first, cell)?;
            }
            out.push(']');
        }
        out.push(']');
        Ok(Some(out))
    }
}

impl Measured {
    /// Of no records.
    fn nothing(self) -> Cell {
        match self {
            Self::Rows | Self::Values(_) | Self::Trues(_) | Self::Falses(_) => Cell::Integer(0),
            _ => Cell::Null,
        }
    }

    fn add<'v>(
        self,
        cell: &mut Cell,
        value: impl Fn(usize) -> ValueRef<'v>,
    ) -> rusqlite::Result<()> {
        let counts = |counts: bool| i64::from(counts);
        let number = match self {
            Self::Empty => return Ok(()),
            Self::Rows => 1,
            Self::Values(at) => counts(value(at) != ValueRef::Null),
            Self::Trues(at) => {
                counts(matches!(value(at), ValueRef::Integer(number) if number != 0))
            }
            Self::Falses(at) => counts(value(at) == ValueRef::Integer(0)),
            Self::High(at) | Self::Low(at) => match value(at) {
                ValueRef::Null => return Ok(()),
                value => {
                    let number = value.as_i64()?;
                    match self {
                        Self::High(_) => number / CUT,
                        _ => number % CUT,
                    }
                }
            },
            Self::Least(at) => return keep(cell, value(at), std::cmp::Ordering::Less),
            Self::Greatest(at) => return keep(cell, value(at), std::cmp::Ordering::Greater),
        };
        let before = match cell {
            Cell::Integer(before) => *before,
            _ => 0,
        };
        let sum = before
            .checked_add(number)
            .ok_or_else(|| failed("a sum is too large"))?;
        *cell = Cell::Integer(sum);
        Ok(())
    }
}

/// Keeps the value if it is on this side of what is there. A column has values of one type.
fn keep(cell: &mut Cell, value: ValueRef<'_>, side: std::cmp::Ordering) -> rusqlite::Result<()> {
    let order = match (&*cell, value) {
        (_, ValueRef::Null) => return Ok(()),
        (Cell::Null, _) => side,
        (Cell::Integer(known), value) => value.as_i64()?.cmp(known),
        (Cell::Text(known), value) => value.as_bytes()?.cmp(known),
    };
    if order == side {
        *cell = match value {
            ValueRef::Integer(number) => Cell::Integer(number),
            value => Cell::Text(value.as_str()?.as_bytes().into()),
        };
    }
    Ok(())
}

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const TEXT: u8 = 2;
const BLOB: u8 = 3;

fn write_key(key: &mut Vec<u8>, value: ValueRef<'_>) -> rusqlite::Result<()> {
    let (kind, bytes) = match value {
        ValueRef::Null => {
            key.push(NULL);
            return Ok(());
        }
        ValueRef::Integer(number) => {
            key.push(INTEGER);
            key.extend_from_slice(&number.to_le_bytes());
            return Ok(());
        }
        ValueRef::Text(bytes) => (TEXT, bytes),
        ValueRef::Blob(bytes) => (BLOB, bytes),
        ValueRef::Real(_) => return Err(failed("a key is a float")),
    };
    key.push(kind);
    key.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    key.extend_from_slice(bytes);
    Ok(())
}

/// The first key, and what follows it.
fn read_key(key: &[u8]) -> Option<(Cell, &[u8])> {
    let (kind, rest) = key.split_first()?;
    if *kind == NULL {
        return Some((Cell::Null, rest));
    }
    let (number, rest) = rest.split_first_chunk::<8>()?;
    if *kind == INTEGER {
        return Some((Cell::Integer(i64::from_le_bytes(*number)), rest));
    }
    let length = usize::try_from(u64::from_le_bytes(*number)).ok()?;
    let (bytes, rest) = rest.split_at_checked(length)?;
    let text = match *kind {
        BLOB => bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }),
        _ => String::from_utf8(bytes.to_vec()).ok()?,
    };
    Some((Cell::Text(text.into_bytes().into()), rest))
}

fn write_cell(out: &mut String, first: &mut bool, cell: &Cell) -> rusqlite::Result<()> {
    if !std::mem::take(first) {
        out.push(',');
    }
    match cell {
        Cell::Null => out.push_str("null"),
        Cell::Integer(number) => {
            let _ = write!(out, "{number}");
        }
        Cell::Text(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(failed)?;
            out.push_str(&serde_json::to_string(text).map_err(failed)?);
        }
    }
    Ok(())
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(error.into())
}
