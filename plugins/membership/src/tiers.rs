//! Tiers are configuration: what is reached when stands in `membershipTier`, not here.

use relata_sdk::{
    prelude::*,
    records::{Conditions, Stored},
};
use serde::Deserialize;

use crate::ledger::Kind;

/// Most tiers that the rule looks at.
const TIERS_MAX: u32 = 100;

/// A tier.
#[derive(Debug, Clone, Fields)]
#[fields(object = "membershipTier")]
pub(crate) struct Tier {
    pub(crate) code: String,
    rank: i64,
    min_points: Option<i64>,
    pub(crate) multiplier: Option<Decimal>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    rolling_days: i64,
}

/// The tier with this id, if there is one.
pub(crate) fn tier(id: Option<&Reference>) -> Result<Option<Stored<Tier>>> {
    id.map_or(Ok(None), records::get::<Tier>)
}

/// The highest tier that needs no points: where a member begins.
pub(crate) fn entry_tier() -> Result<Option<Reference>> {
    let tier = records::find::<Tier>()
        .filter("minPoints")
        .lte(0)
        .order_desc("rank")
        .first()?;
    Ok(tier.map(|tier| Reference::new(tier.id())))
}

/// The higher tier that an entry of earned points leads to, if it leads to one.
///
/// The entry itself is not yet in the ledger.
pub(crate) fn earned_upgrade(
    member: &Reference,
    current: Option<&Reference>,
    points: i64,
    at: DateTime,
    now: DateTime,
) -> Result<Option<Reference>> {
    let settings: Settings = settings::get()?;
    let since = now.plus_days(-settings.rolling_days);
    let earned_before = records::total("pointsEntry", "points")
        .filter("member")
        .eq(member)
        .filter("kind")
        .eq(Kind::Earn)
        .filter("at")
        .gte(since)
        .sum_integer()?;
    let earned = earned_before.saturating_add(if at >= since { points } else { 0 });

    let tiers = all()?;
    let current_rank = tiers
        .iter()
        .find(|tier| current.is_some_and(|current| current.as_str() == tier.id()))
        .map(|tier| tier.rank);
    Ok(highest_reached(&tiers, earned)
        .filter(|tier| current_rank.is_none_or(|rank| tier.rank > rank))
        .map(|tier| Reference::new(tier.id())))
}

fn all() -> Result<Vec<Stored<Tier>>> {
    records::find::<Tier>()
        .order("rank")
        .limit(TIERS_MAX)
        .list()
}

fn highest_reached(tiers: &[Stored<Tier>], earned: i64) -> Option<&Stored<Tier>> {
    tiers
        .iter()
        .filter(|tier| tier.min_points.is_some_and(|needed| needed <= earned))
        .max_by_key(|tier| tier.rank)
}
