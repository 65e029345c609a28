//! Compiled reads on both databases: the same read gives the same bytes from SQLite's threads,
//! from PostgreSQL's pool, and through a write transaction.
//!
//! PostgreSQL takes part when `RELATA_TEST_POSTGRES` names a server.
#![allow(clippy::unwrap_used)]

mod aggregates;
mod filters;
mod limits;
mod logs;
mod paging;
mod shapes;
mod world;
