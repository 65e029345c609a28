//! Members: where they begin, and who may touch their points.

use relata_sdk::{prelude::*, records::Conditions};

use crate::{ID, tiers};

/// Inputs of the hook `enrol`.
#[derive(Debug, Fields)]
struct NewMember {
    points: Option<i64>,
    tier: Option<Reference>,
    joined_on: Option<Date>,
}

/// Inputs of the hook `passage`.
#[derive(Debug, Fields)]
struct TierOf {
    tier: Option<Reference>,
}

/// A passage that has been noted.
#[derive(Debug, Fields)]
#[fields(object = "tierPassage")]
struct Passage {
    #[allow(dead_code, reason = "that it is there is what matters")]
    event: String,
}

/// A new member begins with no points, today, in the entry tier, unless told another day or tier.
pub(crate) fn enrol(call: &Before) -> Result<Outcome> {
    let member: NewMember = call.record()?;
    let entry_tier = match member.tier {
        Some(tier) => Some(tier),
        None => tiers::entry_tier()?,
    };

    let mut wrong = Rejections::new();
    wrong.push_if(member.points.is_some_and(|points| points != 0), || {
        Reject::new("POINTS_BY_LEDGER").at("points")
    });
    wrong.push_if(entry_tier.is_none(), || Reject::new("NO_TIERS").at("tier"));
    wrong.check()?;

    let joined_on = match member.joined_on {
        Some(day) => day,
        None => call.now()?.date(),
    };
    Ok(Outcome::accept()
        .set("points", 0)
        .set("tier", entry_tier)
        .set("joinedOn", joined_on))
}

/// Points change by the ledger alone.
pub(crate) fn protect(call: &Before) -> Result<Outcome> {
    if call.is_by_plugin(ID) {
        Ok(Outcome::accept())
    } else {
        Err(Reject::new("POINTS_BY_LEDGER").at("points").into())
    }
}

/// Notes that a member came into a tier, once for each event however often it is delivered.
pub(crate) fn passage(call: &After) -> Result<()> {
    let Some(to) = call.record::<TierOf>()?.tier else {
        return Ok(());
    };
    let from = call.previous::<TierOf>()?.and_then(|old| old.tier);
    if from.as_ref() == Some(&to) || is_noted(call.idempotency_key())? {
        return Ok(());
    }
    records::create("tierPassage")
        .set("member", Reference::new(call.id()))
        .set("from", from)
        .set("to", to)
        .set("at", call.at()?)
        .set("event", call.idempotency_key())
        .send()?;
    Ok(())
}

fn is_noted(event: &str) -> Result<bool> {
    Ok(records::find::<Passage>()
        .filter("event")
        .eq(event)
        .first()?
        .is_some())
}
