//! The only room that speaks SQL.
//!
//! Two ways to the database, and one rule: reads are compiled and native ([`read`]), writes are
//! transactions ([`transaction`], through sea-orm).

pub mod catalogue;
pub mod database;
pub mod ddl;
pub mod error;
pub mod filter;
pub mod log;
pub mod numbers;
pub mod platform;
pub mod read;
pub mod records;
pub mod transaction;

mod cells;
mod expression;
mod functions;
mod observe;
mod pace;
mod rollups;
mod turns;

pub use database::{Backend, Database, DatabaseOptions, Purpose, Turn, Turns};
pub use ddl::{IndexSpec, Loss, Parked, Retention, asked_for};
pub use error::StoreError;
pub use records::{Find, Lock, Record};
pub use transaction::{Savepoint, Transaction};
