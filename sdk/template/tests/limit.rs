//! The hook's logic, natively: `cargo test`.

use {{crate}}::{{type}};
use relata_sdk::{
    prelude::*,
    testing::{World, assert_rejected},
};

fn world() -> World {
    World::of::<{{type}}>(env!("CARGO_MANIFEST_DIR"))
}

fn deal(amount: &str) -> records::Create {
    let amount = amount.parse().expect("a decimal");
    records::create("deal")
        .set("name", "Big deal")
        .set("amount", Money::new(amount, "EUR"))
}

#[test]
fn a_deal_at_the_limit_is_fine_and_a_cent_more_is_not() {
    let world = world();
    assert!(world.create(deal("10000.00")).is_ok());
    assert_rejected(
        world.create(deal("10000.01")),
        &[("OVER_LIMIT", "amount")],
    );
}

#[test]
fn an_approved_deal_is_fine() {
    let world = world();
    let approved = deal("10000.01").set("{{local}}_approvedBy", "Ada");
    assert!(world.create(approved).is_ok());
}

#[test]
fn the_limit_is_a_setting() {
    let world = world();
    world.set_setting("limit", "20000");
    assert!(world.create(deal("20000")).is_ok());
    assert_rejected(world.create(deal("20000.01")), &[("OVER_LIMIT", "amount")]);
}
