//! The whole plugin in a world in memory: ledger, tiers, members, operations.
#![allow(clippy::unwrap_used)]

use relata_membership::Membership;
use relata_sdk::{
    prelude::*,
    testing::{World, assert_rejected},
};
use serde_json::{Value as JsonValue, json};

#[derive(Debug, PartialEq, Fields)]
#[fields(object = "member")]
struct Member {
    points: i64,
    tier: Reference,
    joined_on: Date,
}

#[derive(Debug, PartialEq, Fields)]
#[fields(object = "pointsEntry")]
struct Entry {
    points: i64,
    at: DateTime,
    balance_after: i64,
}

#[derive(Debug, PartialEq, Fields)]
#[fields(object = "tierPassage")]
struct Passage {
    member: Reference,
    from: Option<Reference>,
    to: Reference,
}

fn world() -> World {
    let world = World::of::<Membership>(env!("CARGO_MANIFEST_DIR"));
    world.set_now("2026-11-22T08:00:00Z");
    world
}

fn join(world: &World) -> Reference {
    world.create(records::create("member")).unwrap()
}

fn entry(member: &Reference, kind: &str, points: i64) -> records::Create {
    records::create("pointsEntry")
        .set("member", member)
        .set("kind", kind)
        .set("points", points)
}

fn tier(world: &World, code: &str) -> Reference {
    world.id_of("membershipTier", "code", code)
}

fn balance(world: &World, member: &Reference) -> i64 {
    world.read::<Member>(member).points
}

fn sum_of_entries(world: &World) -> i64 {
    world.all::<Entry>().iter().map(|entry| entry.points).sum()
}

#[test]
fn a_member_begins_today_in_the_entry_tier_with_no_points() {
    let world = world();
    let member = join(&world);
    assert_eq!(
        world.read::<Member>(&member),
        Member {
            points: 0,
            tier: tier(&world, "BRONZE"),
            joined_on: "2026-11-22".parse().unwrap(),
        }
    );
}

#[test]
fn a_day_and_a_tier_that_are_given_stay() {
    let world = world();
    let member = world
        .create(
            records::create("member")
                .set("tier", tier(&world, "GOLD"))
                .set("joinedOn", "2020-02-29".parse::<Date>().unwrap()),
        )
        .unwrap();
    let member = world.read::<Member>(&member);
    assert_eq!(member.tier, tier(&world, "GOLD"));
    assert_eq!(member.joined_on.to_string(), "2020-02-29");
}

#[test]
fn without_a_tier_to_begin_in_nobody_joins_and_all_that_is_wrong_is_said() {
    let world = world();
    for code in ["BRONZE", "SILVER", "GOLD", "PLATINUM"] {
        world
            .delete(records::delete("membershipTier", tier(&world, code)))
            .unwrap();
    }
    assert_rejected(
        world.create(records::create("member").set("points", 5)),
        &[("POINTS_BY_LEDGER", "points"), ("NO_TIERS", "tier")],
    );
    assert!(world.all::<Member>().is_empty());
}

#[test]
fn the_balance_is_the_sum_of_the_entries() {
    let world = world();
    let member = join(&world);
    for (kind, points) in [
        ("EARN", 120),
        ("BURN", -20),
        ("ADJUST", -3),
        ("ADJUST", 8),
        ("EXPIRE", -105),
    ] {
        world.create(entry(&member, kind, points)).unwrap();
        assert_eq!(balance(&world, &member), sum_of_entries(&world));
    }
    let balances: Vec<i64> = world
        .all::<Entry>()
        .iter()
        .map(|entry| entry.balance_after)
        .collect();
    assert_eq!(balances, [120, 100, 97, 105, 0]);
}

#[test]
fn a_balance_never_goes_below_zero() {
    let world = world();
    let member = join(&world);
    world.create(entry(&member, "EARN", 12)).unwrap();
    let refused = world.create(entry(&member, "BURN", -13));
    let Err(Error::Rejected(issues)) = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        issues[0].params,
        [
            ("balance".to_owned(), "12".to_owned()),
            ("needed".to_owned(), "13".to_owned())
        ]
    );
    assert_rejected(refused, &[("INSUFFICIENT_POINTS", "points")]);
    assert_eq!(balance(&world, &member), 12);
    assert_eq!(sum_of_entries(&world), 12);

    world.create(entry(&member, "BURN", -12)).unwrap();
    assert_eq!(balance(&world, &member), 0);
}

#[test]
fn the_largest_balance_is_what_an_integer_field_holds() {
    const MAX: i64 = 9_007_199_254_740_991;
    let world = world();
    let member = join(&world);
    world.create(entry(&member, "EARN", MAX)).unwrap();
    assert_rejected(
        world.create(entry(&member, "EARN", 1)),
        &[("BALANCE_TOO_LARGE", "points")],
    );
    assert_eq!(balance(&world, &member), MAX);
}

#[test]
fn signs_follow_the_kind_and_everything_wrong_is_said_at_once() {
    let world = world();
    let member = join(&world);
    for (kind, points, code) in [
        ("EARN", -1, "POINTS_NOT_POSITIVE"),
        ("BURN", 1, "POINTS_NOT_NEGATIVE"),
        ("EXPIRE", 1, "POINTS_NOT_NEGATIVE"),
        ("EARN", 0, "POINTS_ZERO"),
        ("ADJUST", 0, "POINTS_ZERO"),
    ] {
        let refused = world.create(entry(&member, kind, points));
        let expected = [(code, "points"), ("INSUFFICIENT_POINTS", "points")];
        assert_rejected(refused, &expected[..if points < 0 { 2 } else { 1 }]);
    }

    world
        .update(records::update("member", &member).set("status", "SUSPENDED"))
        .unwrap();
    assert_rejected(
        world.create(entry(&member, "EARN", -1)),
        &[
            ("POINTS_NOT_POSITIVE", "points"),
            ("MEMBER_NOT_ACTIVE", "member"),
            ("INSUFFICIENT_POINTS", "points"),
        ],
    );
}

#[test]
fn an_entry_without_its_member_is_refused() {
    let world = world();
    assert_rejected(
        world.create(entry(&Reference::new("nobody"), "EARN", 1)),
        &[("MEMBER_NOT_FOUND", "member")],
    );
    assert_rejected(
        world.create(records::create("pointsEntry").set("kind", "EARN")),
        &[("REQUIRED", "member"), ("REQUIRED", "points")],
    );
}

#[test]
fn entries_are_sealed() {
    let world = world();
    let member = join(&world);
    let posted = world.create(entry(&member, "EARN", 5)).unwrap();
    let sealed = [("ENTRY_SEALED", "")];
    assert_rejected(
        world.update(records::update("pointsEntry", &posted).set("points", 500)),
        &sealed,
    );
    assert_rejected(
        world.delete(records::delete("pointsEntry", &posted)),
        &sealed,
    );
    assert_rejected(world.destroy("pointsEntry", &posted), &sealed);

    world.act_as(ActorKind::Plugin, "relata.membership");
    assert_rejected(
        world.update(records::update("pointsEntry", &posted).set("points", 500)),
        &sealed,
    );
    assert_eq!(sum_of_entries(&world), 5);
}

#[test]
fn points_change_by_the_ledger_alone() {
    let world = world();
    let member = join(&world);
    let by_hand = || world.update(records::update("member", &member).set("points", 1_000_000));
    assert_rejected(by_hand(), &[("POINTS_BY_LEDGER", "points")]);
    world.act_as(ActorKind::Plugin, "stranger.loyalty");
    assert_rejected(by_hand(), &[("POINTS_BY_LEDGER", "points")]);
    world.act_as(ActorKind::System, "");
    assert_rejected(by_hand(), &[("POINTS_BY_LEDGER", "points")]);

    world
        .update(records::update("member", &member).set("status", "SUSPENDED"))
        .unwrap();
    assert_eq!(balance(&world, &member), 0);
}

#[test]
fn a_tier_is_reached_with_the_entry_that_earns_it() {
    let world = world();
    let member = join(&world);
    let mut tiers = Vec::new();
    for points in [999, 1, 3_999, 1, 15_000] {
        world.create(entry(&member, "EARN", points)).unwrap();
        tiers.push(world.read::<Member>(&member).tier);
    }
    let expected =
        ["BRONZE", "SILVER", "SILVER", "GOLD", "PLATINUM"].map(|code| tier(&world, code));
    assert_eq!(tiers, expected);
}

#[test]
fn a_tier_may_be_leapt_over() {
    let world = world();
    let member = join(&world);
    world.create(entry(&member, "EARN", 20_000)).unwrap();
    assert_eq!(world.read::<Member>(&member).tier, tier(&world, "PLATINUM"));
}

#[test]
fn what_is_redeemed_or_adjusted_does_not_count_for_the_tier() {
    let world = world();
    let member = join(&world);
    world.create(entry(&member, "ADJUST", 50_000)).unwrap();
    assert_eq!(world.read::<Member>(&member).tier, tier(&world, "BRONZE"));

    world.create(entry(&member, "EARN", 600)).unwrap();
    world.create(entry(&member, "BURN", -50_600)).unwrap();
    world.create(entry(&member, "EARN", 400)).unwrap();
    assert_eq!(world.read::<Member>(&member).tier, tier(&world, "SILVER"));
    assert_eq!(balance(&world, &member), 400);
}

#[test]
fn only_the_rolling_period_counts() {
    let world = world();
    let member = join(&world);
    let on = |day: &str, points| {
        let at: DateTime = format!("{day}T08:00:00Z").parse().unwrap();
        world
            .create(entry(&member, "EARN", points).set("at", at))
            .unwrap();
        world.read::<Member>(&member).tier
    };
    // 365 days before 2026-11-22 is 2025-11-22, which still counts.
    assert_eq!(on("2025-11-21", 900), tier(&world, "BRONZE"));
    assert_eq!(on("2026-11-22", 999), tier(&world, "BRONZE"));
    assert_eq!(on("2025-11-22", 1), tier(&world, "SILVER"));
    // An old entry does not count even when it is the one being posted.
    assert_eq!(on("2020-01-01", 1_000_000), tier(&world, "SILVER"));

    world.set_setting("rollingDays", 3_650);
    assert_eq!(on("2026-11-22", 1), tier(&world, "PLATINUM"));
}

#[test]
fn a_tier_given_by_hand_is_never_taken_by_earning() {
    let world = world();
    let member = join(&world);
    world
        .update(records::update("member", &member).set("tier", tier(&world, "GOLD")))
        .unwrap();
    world.create(entry(&member, "EARN", 1_000)).unwrap();
    assert_eq!(world.read::<Member>(&member).tier, tier(&world, "GOLD"));
}

#[test]
fn a_tier_without_a_threshold_is_reached_by_hand_only() {
    let world = world();
    world.seed(
        records::create("membershipTier")
            .set("code", "FOUNDER")
            .set("name", "Founder")
            .set("rank", 9),
    );
    let member = join(&world);
    world.create(entry(&member, "EARN", 1_000_000)).unwrap();
    assert_eq!(world.read::<Member>(&member).tier, tier(&world, "PLATINUM"));
}

#[test]
fn passages_are_noted_once_however_often_they_are_told() {
    let world = world();
    let member = join(&world);
    world.create(entry(&member, "EARN", 1_000)).unwrap();
    world.create(entry(&member, "EARN", 1)).unwrap();
    assert_eq!(world.deliver().unwrap(), 2);
    let expected = [
        Passage {
            member: member.clone(),
            from: None,
            to: tier(&world, "BRONZE"),
        },
        Passage {
            member,
            from: Some(tier(&world, "BRONZE")),
            to: tier(&world, "SILVER"),
        },
    ];
    assert_eq!(world.all::<Passage>(), expected);

    assert_eq!(world.deliver_again().unwrap(), 2);
    assert_eq!(world.all::<Passage>(), expected);
    assert_eq!(world.deliver().unwrap(), 0);
}

#[test]
fn a_statement_adds_up() {
    let world = world();
    let member = join(&world);
    for (day, kind, points) in [
        ("2026-01-10", "EARN", 500),
        ("2026-02-01", "EARN", 300),
        ("2026-02-28", "BURN", -200),
        ("2026-03-01", "EARN", 50),
    ] {
        let at: DateTime = format!("{day}T23:59:59.999999Z").parse().unwrap();
        world
            .create(
                entry(&member, kind, points)
                    .set("at", at)
                    .set("reason", day),
            )
            .unwrap();
    }
    let statement = |arguments: JsonValue| world.call::<JsonValue>("statement", arguments);

    let february = statement(json!({
        "member": member, "from": "2026-02-01", "to": "2026-02-28"
    }))
    .unwrap();
    assert_eq!(
        (
            &february["openingBalance"],
            &february["earned"],
            &february["spent"],
            &february["closingBalance"],
            &february["entryCount"]
        ),
        (
            &json!(500),
            &json!(300),
            &json!(200),
            &json!(600),
            &json!(2)
        )
    );
    assert_eq!(
        february["entries"],
        json!([
            {
                "id": world.id_of("pointsEntry", "reason", "2026-02-28"),
                "at": "2026-02-28T23:59:59.999999Z", "kind": "BURN", "points": -200,
                "balanceAfter": 600, "reason": "2026-02-28", "reference": null
            },
            {
                "id": world.id_of("pointsEntry", "reason", "2026-02-01"),
                "at": "2026-02-01T23:59:59.999999Z", "kind": "EARN", "points": 300,
                "balanceAfter": 800, "reason": "2026-02-01", "reference": null
            }
        ])
    );

    let whole = statement(json!({"member": member, "first": 1})).unwrap();
    assert_eq!(whole["openingBalance"], 0);
    assert_eq!(whole["closingBalance"], 650);
    assert_eq!(whole["entryCount"], 4);
    assert_eq!(whole["entries"].as_array().unwrap().len(), 1);
    assert_eq!(whole["tier"], "BRONZE");

    assert_rejected(
        statement(json!({"member": member, "from": "2026-03-01", "to": "2026-02-01"})),
        &[("PERIOD_REVERSED", "from")],
    );
    assert_rejected(
        statement(json!({"member": "nobody"})),
        &[("MEMBER_NOT_FOUND", "member")],
    );
}

#[test]
fn redeeming_posts_an_entry_or_nothing() {
    let world = world();
    let member = join(&world);
    world.create(entry(&member, "EARN", 100)).unwrap();
    let redeem = |points: i64| {
        world.call::<JsonValue>(
            "redeem",
            json!({"member": member, "points": points, "reason": "Cup"}),
        )
    };
    let posted = redeem(60).unwrap();
    assert_eq!(posted["points"], -60);
    assert_eq!(posted["balance"], 40);
    assert_eq!(posted["tier"], "BRONZE");
    assert_eq!(
        world
            .read::<Entry>(posted["entry"].as_str().unwrap())
            .balance_after,
        40
    );

    assert_rejected(redeem(41), &[("INSUFFICIENT_POINTS", "points")]);
    assert_eq!(balance(&world, &member), 40);
    assert_eq!(sum_of_entries(&world), 40);
}

#[test]
fn earning_counts_the_multiplier_of_the_tier_and_rounds_down() {
    let world = world();
    let member = join(&world);
    let earn = |points: i64| {
        world.call::<JsonValue>(
            "earn",
            json!({"member": member, "points": points, "reference": "INV-1"}),
        )
    };
    assert_eq!(earn(1_000).unwrap()["tier"], "SILVER");
    // 1.1 × 99 = 108.9
    assert_eq!(earn(99).unwrap()["points"], 108);
    assert_eq!(earn(99).unwrap()["balance"], 1_216);

    world
        .update(
            records::update("membershipTier", tier(&world, "SILVER"))
                .set("multiplier", "0.001".parse::<Decimal>().unwrap()),
        )
        .unwrap();
    assert_rejected(earn(999), &[("EARNS_NOTHING", "points")]);
}
