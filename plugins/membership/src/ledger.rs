//! The points ledger: entries are added, never changed, and the balance follows.
//!
//! Reading the member happens in the transaction that writes the entry, so of two redemptions at
//! the same moment one sees what the other has left.

use relata_sdk::{prelude::*, records::Stored};

use crate::tiers;

/// Why an entry was posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(crate) enum Kind {
    /// Adds; counts for the tier.
    Earn,
    /// Takes: redeemed.
    Burn,
    /// Either: put right by hand.
    Adjust,
    /// Takes: too old.
    Expire,
}

/// Whether points may be posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(crate) enum Status {
    Active,
    Suspended,
    Left,
}

/// What the ledger knows of a member.
#[derive(Debug, Clone, Fields)]
#[fields(object = "member")]
pub(crate) struct Member {
    pub(crate) points: Option<i64>,
    pub(crate) tier: Option<Reference>,
    status: Option<Status>,
}

/// Inputs of the hook `post`.
#[derive(Debug, Fields)]
struct Posting {
    member: Option<Reference>,
    kind: Option<Kind>,
    points: Option<i64>,
    at: Option<DateTime>,
}

/// The member, or a rejection at `member`.
pub(crate) fn member(id: &Reference) -> Result<Stored<Member>> {
    records::get::<Member>(id)?.ok_or_else(|| Reject::new("MEMBER_NOT_FOUND").at("member").into())
}

/// A new entry: checks it, and lets balance and tier follow.
pub(crate) fn post(call: &Before) -> Result<Outcome> {
    let posting: Posting = call.record()?;
    let (Some(member_id), Some(kind), Some(points)) =
        (posting.member, posting.kind, posting.points)
    else {
        // Validation, which comes after the hooks, says which of them is missing.
        return Ok(Outcome::accept());
    };
    let member = member(&member_id)?;
    let balance_before = member.points.unwrap_or(0);

    let mut wrong = Rejections::new();
    check_sign(kind, points, &mut wrong);
    check_status(&member, &mut wrong);
    let balance = check_balance(balance_before, points, &mut wrong);
    wrong.check()?;

    let now = call.now()?;
    let at = posting.at.unwrap_or(now);
    let mut update = records::update("member", &member_id).set("points", balance);
    if kind == Kind::Earn
        && let Some(tier) =
            tiers::earned_upgrade(&member_id, member.tier.as_ref(), points, at, now)?
    {
        update = update.set("tier", tier);
    }
    Ok(Outcome::accept()
        .set("at", at)
        .set("balanceAfter", balance)
        .update(update))
}

/// Entries are never changed, by nobody.
pub(crate) fn sealed() -> Error {
    Reject::new("ENTRY_SEALED").into()
}

fn check_sign(kind: Kind, points: i64, wrong: &mut Rejections) {
    let code = match kind {
        _ if points == 0 => "POINTS_ZERO",
        Kind::Earn if points < 0 => "POINTS_NOT_POSITIVE",
        Kind::Burn | Kind::Expire if points > 0 => "POINTS_NOT_NEGATIVE",
        _ => return,
    };
    wrong.push(Reject::new(code).at("points").with("kind", kind.as_str()));
}

fn check_status(member: &Member, wrong: &mut Rejections) {
    let status = member.status.unwrap_or(Status::Active);
    wrong.push_if(status != Status::Active, || {
        Reject::new("MEMBER_NOT_ACTIVE")
            .at("member")
            .with("status", status.as_str())
    });
}

fn check_balance(before: i64, points: i64, wrong: &mut Rejections) -> i64 {
    /// What an integer field holds: 2^53 − 1.
    const BALANCE_MAX: i64 = 9_007_199_254_740_991;

    let after = before.saturating_add(points);
    wrong.push_if(after < 0, || {
        Reject::new("INSUFFICIENT_POINTS")
            .at("points")
            .with("balance", before)
            .with("needed", points.unsigned_abs())
    });
    wrong.push_if(after > BALANCE_MAX, || {
        Reject::new("BALANCE_TOO_LARGE").at("points")
    });
    after
}
