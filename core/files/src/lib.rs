//! The only room that knows the object store: where the content of files lies.
//!
//! A file is bytes under an id, written once and never changed. It lies in a folder, or in a bucket
//! that speaks the protocol of S3; several processes may share either. Content goes in and comes
//! out in pieces, so memory does not grow with it.
//!
//! Not here: names, rights, which record holds a file. This room knows ids and bytes. What stands
//! in the database about a file is written before its content is (`relata-app`, `files.rs`), so
//! nothing lies here that nobody knows of.
//!
//! Invariant: once [`Writer::finish`] has come back, the content is durable.

mod store;

mod content_type;
mod error;
mod writer;

pub use content_type::{Contradiction, HEAD_BYTES, content_type, is_shown_safely};
pub use error::FilesError;
pub use store::{FileStore, Place, S3};
pub use writer::{Writer, Written};
