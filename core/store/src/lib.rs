//! The only room that speaks SQL.
//!
//! Two ways to the database, and one rule: reads are compiled and native ([`read`]), writes are
//! transactions ([`transaction`], through sea-orm).

pub mod database;
pub mod transaction;
pub mod records;
pub mod filter;
pub mod read;
pub mod log;
pub mod numbers;
pub mod catalogue;
pub mod ddl;
pub mod platform;
pub mod error;

mod cells;
mod observe;

pub use database::{Backend, Database, DatabaseOptions, Purpose, Turn};
pub use ddl::{Loss, Parked, Retention};
pub use error::StoreError;
pub use records::{Find, Lock, Record};
pub use transaction::{Savepoint, Transaction};
