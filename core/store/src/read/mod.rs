//! Compiled reads: a [`Read`] becomes SQL and a writer program once, and answers many times by
//! writing JSON straight from the database's rows.

mod shape;

pub use shape::*;
