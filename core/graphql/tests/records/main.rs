//! The records endpoint over a real workspace, on both databases.

#![allow(clippy::unwrap_used)]

mod actors;
mod aggregates;
mod bad_input;
mod bulk;
mod calendar;
mod conversions;
mod fixture;
mod formulas;
mod group_properties;
mod groups;
mod hostile;
mod indexes;
mod lists;
mod merge;
mod nested;
mod plain_kinds;
mod query_properties;
mod reads;
mod retirement;
mod rollups;
mod rules;
mod uniques;
mod writes;
