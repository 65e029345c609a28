//! Compiled reads: a [`Read`] becomes SQL and a writer program once, and answers many times by
//! writing JSON straight from the database's rows.
//!
//! [`compile`] is pure and needs no database. What it makes, a [`Compiled`], is run by a
//! [`Reader`]: on its own read-only connections ([`Reader::run`]), or with the rows of a write
//! transaction ([`Reader::run_in`]) for what a mutation selects back. All three ways end in one
//! writer, which takes its rows from a [`rows::Source`] and is compiled for each of them.
//!
//! Invariants: the SQL text depends on the shape of a read alone, never on a value, so that
//! statement caches hit; every column is qualified; the same records give the same bytes on both
//! databases.

mod bind;
mod buckets;
mod calendar;
mod columns;
mod compile;
mod condition;
mod cursor;
mod fold;
mod gather;
mod json;
mod known;
mod lists;
mod order;
mod plan;
mod postgres;
mod program;
mod reader;
mod rows;
mod shape;
mod sqlite;
mod transaction;
mod writer;

pub(crate) use bind::{Bind, Slot};
pub(crate) use columns::{find_relation, find_sorting, find_target, quoted, system_column};
pub(crate) use condition::{Scope, Statement as SqlText};
pub(crate) use order::{Term as SortTerm, order_by};

pub use compile::{
    CompileError, GROUP_KEYS_MAX, ORDER_TERMS_MAX, READ_COLUMNS_MAX, READ_DEPTH_MAX,
    READ_JOINS_MAX, READ_LEVELS_MAX, Runs, compile,
};
pub use cursor::CursorKey;
pub use lists::TREE_DEPTH_MAX;
pub use plan::Compiled;
pub use reader::{Reader, ReaderOptions};
pub use shape::*;

use relata_catalog::{Key, Value};
use uuid::Uuid;

/// Gives a connection to SQLite the functions that compiled reads call.
pub(crate) fn register_functions(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    buckets::register(connection)?;
    fold::register(connection)?;
    calendar::register(connection)
}

/// A value that is given at each execution.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// One value.
    Value(Value),
    /// Several, in the place of a list.
    List(Vec<Value>),
    /// An optional page argument that was not given.
    Absent,
}

/// The check of the fuzz target `cursor`.
#[cfg(fuzzing)]
pub fn fuzz_cursor(bytes: &[u8]) {
    cursor::check_any(bytes);
}

/// What [`Operand::Parameter`](crate::filter::Operand::Parameter) points into.
pub type Parameters = [Parameter];

/// Names of those who act, which are not in the records' tables. Asked for each row, so it
/// answers from memory.
pub trait Directory: Send + Sync {
    /// A user's name and e-mail address.
    fn user(&self, id: Uuid) -> Option<(String, String)>;
    /// A token's name.
    fn token(&self, id: Uuid) -> Option<String>;
    /// A plugin's name.
    fn plugin(&self, id: &str) -> Option<String>;
    /// Today's name of an object's field.
    fn field_name(&self, object: &Key, field: &Key) -> Option<String>;
}
