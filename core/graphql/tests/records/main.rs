//! The records endpoint over a real workspace: SQLite always, PostgreSQL where
//! `RELATA_TEST_POSTGRES` names a server.

#![allow(clippy::unwrap_used)]

mod aggregates;
mod bulk;
mod fixture;
mod group_properties;
mod groups;
mod hostile;
mod nested;
mod reads;
mod writes;
