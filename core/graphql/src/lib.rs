//! GraphQL: the records endpoint, compiled, and the control plane, resolved.

pub mod protocol;

pub use protocol::{Accepts, GraphqlRequest, GraphqlResponse, Outcome, RequestContext};
