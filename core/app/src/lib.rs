//! What the product does: a file per noun.
//!
//! Everything that changes a workspace goes through here, and through one of two doors: a record
//! through the steps of [`records`], the catalogue through [`catalogue`]. Both run in one
//! transaction ([`Workspace::transact`]), on somebody's behalf ([`Caller`]), and say what is wrong
//! as an [`AppError`], whose variants are the codes of the API.
//!
//! Not here: HTTP, GraphQL, SQL, WebAssembly. This room knows records, and who may do what to them.

mod actor;
mod error;
mod state;
mod transact;
mod workspace;

pub mod catalogue;
pub mod dead_letters;
pub mod documents;
pub mod duplicates;
pub mod exports;
pub mod files;
pub mod idempotency;
pub mod imports;
pub mod indexes;
pub mod jobs;
pub mod operations;
pub mod outbox;
pub mod plugins;
pub mod records;
pub mod retention;
pub mod sample;
pub mod search;
pub mod tokens;
pub mod users;

mod access;
mod cards;
mod clock;
mod hooks;
mod naming;
mod services;

pub use access::authorise_admin;
pub use actor::{Actor, Caller, LOCALE_DEFAULT, NotAnActor, UserInfo};
pub use error::AppError;
pub use hooks::CHAIN_MAX;
pub use relata_catalog::{Issue, Issues, PathSegment};
pub use state::{Directory, State};
pub use transact::{TRIES_MAX, Unit};
pub use workspace::{Readiness, Steady, Workspace, WorkspaceOptions};
