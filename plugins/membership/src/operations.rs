//! What the plugin adds to GraphQL: `membership_statement`, `membership_earn` and
//! `membership_redeem`. Postings go through the ledger's own hook, like everybody's.

use relata_sdk::{
    prelude::*,
    records::{Conditions, Stored, Total},
};
use serde::{Deserialize, Serialize};

use crate::{
    ledger::{self, Kind},
    tiers,
};

#[derive(Debug, Deserialize)]
struct StatementArguments {
    member: Reference,
    from: Option<Date>,
    to: Option<Date>,
    first: Option<u32>,
}

/// What `first` is when it is not given; the manifest says the same.
const STATEMENT_FIRST_DEFAULT: u32 = 50;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    member: Reference,
    tier: Option<String>,
    opening_balance: i64,
    earned: i64,
    spent: i64,
    closing_balance: i64,
    entry_count: i64,
    entries: Vec<StatementEntry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StatementEntry {
    id: String,
    at: Option<DateTime>,
    kind: &'static str,
    points: i64,
    balance_after: i64,
    reason: Option<String>,
    reference: Option<String>,
}

#[derive(Debug, Clone, Fields)]
#[fields(object = "pointsEntry")]
struct Entry {
    at: Option<DateTime>,
    kind: Kind,
    points: i64,
    balance_after: Option<i64>,
    reason: Option<String>,
    reference: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PostingArguments {
    member: Reference,
    points: i64,
    reason: Option<String>,
    reference: Option<String>,
}

#[derive(Debug, Serialize)]
struct Posted {
    entry: Reference,
    points: i64,
    balance: i64,
    tier: Option<String>,
}

/// The days of a statement, both included; either end may be open.
#[derive(Debug, Clone, Copy)]
struct Period {
    start: Option<DateTime>,
    end: Option<DateTime>,
}

impl Period {
    fn of(arguments: &StatementArguments) -> Result<Self> {
        if let (Some(from), Some(to)) = (arguments.from, arguments.to)
            && from > to
        {
            return Err(Reject::new("PERIOD_REVERSED")
                .at("from")
                .with("from", from)
                .with("to", to)
                .into());
        }
        Ok(Self {
            start: arguments.from.map(Date::start),
            end: arguments.to.map(|day| day.plus_days(1).start()),
        })
    }

    fn on<C: Conditions>(self, mut query: C) -> C {
        if let Some(start) = self.start {
            query = query.filter("at").gte(start);
        }
        if let Some(end) = self.end {
            query = query.filter("at").lt(end);
        }
        query
    }
}

pub(crate) fn statement(call: &Operation) -> Result<Json> {
    let arguments: StatementArguments = call.arguments()?;
    let period = Period::of(&arguments)?;
    let member = ledger::member(&arguments.member)?;

    let opening_balance = match period.start {
        Some(start) => points_of(&arguments.member)
            .filter("at")
            .lt(start)
            .sum_integer()?,
        None => 0,
    };
    let within = || period.on(points_of(&arguments.member));
    let earned = within().filter("points").gt(0).sum_integer()?;
    let taken = within().filter("points").lt(0).sum_integer()?;
    let entries = period
        .on(records::find::<Entry>()
            .filter("member")
            .eq(&arguments.member))
        .order_desc("at")
        .limit(arguments.first.unwrap_or(STATEMENT_FIRST_DEFAULT))
        .list()?;

    Json::from(&Statement {
        tier: tier_code(member.tier.as_ref())?,
        opening_balance,
        earned,
        spent: -taken,
        closing_balance: opening_balance + earned + taken,
        entry_count: within().count()?,
        entries: entries.into_iter().map(StatementEntry::from).collect(),
        member: arguments.member,
    })
}

pub(crate) fn earn(call: &Operation) -> Result<Json> {
    let arguments: PostingArguments = call.arguments()?;
    let member = ledger::member(&arguments.member)?;
    let multiplier = tiers::tier(member.tier.as_ref())?
        .and_then(|tier| tier.multiplier)
        .unwrap_or(Decimal::ONE);
    let points = Decimal::from(arguments.points)
        .checked_mul(multiplier)
        .and_then(|points| points.round(0, Rounding::Down).to_i64())
        .ok_or_else(|| Error::failed("the points times the multiplier are no integer"))?;
    if points < 1 {
        return Err(Reject::new("EARNS_NOTHING")
            .at("points")
            .with("points", arguments.points)
            .into());
    }
    post(Kind::Earn, points, arguments)
}

pub(crate) fn redeem(call: &Operation) -> Result<Json> {
    let arguments: PostingArguments = call.arguments()?;
    post(Kind::Burn, -arguments.points, arguments)
}

fn post(kind: Kind, points: i64, arguments: PostingArguments) -> Result<Json> {
    let entry = records::create("pointsEntry")
        .set("member", &arguments.member)
        .set("kind", kind)
        .set("points", points)
        .set("reason", arguments.reason)
        .set("reference", arguments.reference)
        .send()?;
    let member = ledger::member(&arguments.member)?;
    Json::from(&Posted {
        entry,
        points,
        balance: member.points.unwrap_or(0),
        tier: tier_code(member.tier.as_ref())?,
    })
}

fn points_of(member: &Reference) -> Total {
    records::total("pointsEntry", "points")
        .filter("member")
        .eq(member)
}

fn tier_code(tier: Option<&Reference>) -> Result<Option<String>> {
    Ok(tiers::tier(tier)?.map(|tier| tier.into_fields().code))
}

impl From<Stored<Entry>> for StatementEntry {
    fn from(entry: Stored<Entry>) -> Self {
        let id = entry.id().to_owned();
        let entry = entry.into_fields();
        Self {
            id,
            at: entry.at,
            kind: entry.kind.as_str(),
            points: entry.points,
            balance_after: entry.balance_after.unwrap_or(0),
            reason: entry.reason,
            reference: entry.reference,
        }
    }
}
