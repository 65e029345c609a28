//! What the product does, through its own functions, on both databases.

#![allow(clippy::unwrap_used)]

#[macro_use]
mod fixture;

mod bulk;
mod catalogue;
mod dead_letters;
mod deliveries;
mod duplicates;
mod exports;
mod guest;
mod imports;
mod merges;
mod plugins;
mod queries;
mod records;
mod retention;
mod search;
mod users;
