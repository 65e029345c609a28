//! GraphQL: the records endpoint, compiled, and the control plane, resolved.
//!
//! A request for records goes guard → document (parsed and validated once) → plan (once for each
//! shape of variables) → store → bytes. async-graphql parses, validates and answers
//! introspection; no resolver ever touches a record. The control plane is a static schema with
//! ordinary resolvers.

mod control;
pub mod errors;
pub mod guard;
pub mod limits;
pub(crate) mod overlooked;
pub(crate) mod persisted;
pub(crate) mod plan;
pub mod protocol;
pub(crate) mod records;
pub(crate) mod schema;

mod execute;

pub use control::{ControlOptions, ControlPlane};
pub use errors::GraphqlError;
pub use limits::RecordsLimits;
pub use persisted::DocumentsAllowed;
pub use protocol::{Accepts, GraphqlRequest, GraphqlResponse, Outcome, RequestContext};
pub use records::{Records, RecordsOptions};
