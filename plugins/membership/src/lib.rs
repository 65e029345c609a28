//! Membership: members, tiers by rule, and a points ledger.
//!
//! Two invariants are kept here, both inside the transaction of the write that could break them:
//! - `member.points` is the sum of the member's entries and never negative. Nobody but this plugin
//!   writes it, and entries are never changed.
//! - A member stands at least in the tier that the points earned in the rolling period reach:
//!   upgrades happen with the entry that earns them. (Downgrades wait for the end of a term.)
//!
//! An ordinary plugin: everything it may do stands in `plugin.toml`.

mod ledger;
mod members;
mod operations;
mod tiers;

use relata_sdk::prelude::*;

/// This plugin, as an actor.
const ID: &str = "relata.membership";

/// The plugin.
pub struct Membership;

impl Plugin for Membership {
    fn before(call: Before) -> Result<Outcome> {
        match call.hook() {
            "post" => ledger::post(&call),
            "seal" => Err(ledger::sealed()),
            "enrol" => members::enrol(&call),
            "protect" => members::protect(&call),
            _ => Err(call.unknown()),
        }
    }

    fn after(call: After) -> Result<()> {
        match call.hook() {
            "passage" => members::passage(&call),
            _ => Err(call.unknown()),
        }
    }

    fn operation(call: Operation) -> Result<Json> {
        match call.name() {
            "statement" => operations::statement(&call),
            "earn" => operations::earn(&call),
            "redeem" => operations::redeem(&call),
            _ => Err(call.unknown()),
        }
    }
}

relata_sdk::register!(Membership);
