//! The write half on both databases.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)]

mod concurrency;
mod data_definition;
mod durability;
mod expressions;
mod files;
mod find;
mod fixture;
mod logs;
mod platform;
mod records;
mod round_trip;
