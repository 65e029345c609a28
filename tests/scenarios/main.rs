//! What people do with Relata, told as tests.
#![allow(clippy::unwrap_used, missing_docs)]

mod records;
