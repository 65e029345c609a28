//! The server: a workspace behind HTTP.
//!
//! [`start`] is all of it: what the binary's `serve` does, and what a test in the same process
//! may do. Nothing but the receivers of log lines and figures is global (see [`telemetry`]).
//!
//! Not here: what is answered. That is GraphQL's (`relata-graphql`) and the product's
//! (`relata-app`).

// A request is one future from the socket to the rows: deeper than rustc looks by default.
#![recursion_limit = "256"]

pub mod config;
mod http;
mod secret_key;
mod start;
pub mod telemetry;

pub use config::{Config, ConfigError};
pub use start::{
    RunningServer, StartError, admin_password, database_options, open_workspace, start, start_on,
};
