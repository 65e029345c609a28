//! What people do with Relata, told as tests: each file is one of their jobs, each scenario runs
//! on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, missing_docs)]

mod bad_input;
mod bulk;
mod catalogue;
mod duplicates;
mod durability;
mod files;
mod import;
mod modelling;
mod operation;
mod plugins;
mod records;
mod reports;
mod requests;
mod search;
