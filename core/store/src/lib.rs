//! The only room that speaks SQL.

pub mod filter;
pub mod read;
