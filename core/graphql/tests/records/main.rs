//! The records endpoint over a real workspace: SQLite always, PostgreSQL where
//! `RELATA_TEST_POSTGRES` names a server.

#![allow(clippy::unwrap_used)]

mod bulk;
mod fixture;
mod hostile;
mod nested;
mod reads;
mod writes;
