//! The sets of records that the last search over an object has found, as they are by now.
//!
//! What is kept of a search are ids. Whoever reads a page has the records of its sets compared
//! again, by the rules of today: what was merged, trashed or changed since, and what somebody has
//! said to be different, does not stand there any more. So a page may have fewer sets than were
//! asked for, and of one set may have become two.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use relata_catalog::{Issue, Issues, ObjectIndex};
use relata_store::{Lock, Record};
use uuid::Uuid;

use super::{
    FIRST_MAX,
    rules::{Profile, Reason, Rules},
};
use crate::{AppError, Caller, State, Workspace};

/// Units of a score that is kept.
pub(super) const SCORE_UNITS: f64 = 10_000.0;
/// Sets of a page where nobody says how many.
pub const FIRST_DEFAULT: usize = 20;

/// Which sets are asked for.
#[derive(Debug, Clone, Default)]
pub struct SetsRequest {
    /// How many; [`FIRST_DEFAULT`], at most [`FIRST_MAX`].
    pub first: Option<i64>,
    /// The cursor of the set before the page.
    pub after: Option<String>,
    /// From how probable on; not below the object's own score.
    pub score_min: Option<f64>,
}

/// A page of sets.
#[derive(Debug, Default)]
pub struct SetsPage {
    /// The likeliest first.
    pub sets: Vec<SetOfDuplicates>,
    /// Whether there are more.
    pub has_next: bool,
    /// Whether there are some before it.
    pub has_previous: bool,
    /// Where its first set stands.
    pub start_cursor: Option<String>,
    /// Where the next page begins.
    pub end_cursor: Option<String>,
    /// When the search ended, in microseconds since 1970; nothing where there was none.
    pub found_at: Option<i64>,
}

/// Records that may all be the same.
#[derive(Debug)]
pub struct SetOfDuplicates {
    /// Of its likeliest pair.
    pub score: f64,
    /// At least two, the oldest first.
    pub ids: Vec<Uuid>,
    /// What holds them together, the likeliest first.
    pub pairs: Vec<PairOfDuplicates>,
}

/// Two records that may be the same.
#[derive(Debug)]
pub struct PairOfDuplicates {
    /// The older one.
    pub mine: Uuid,
    /// The other one.
    pub theirs: Uuid,
    /// How likely it is, 0 to 1.
    pub score: f64,
    /// What speaks for it and against it, the weightiest first.
    pub reasons: Vec<Reason>,
}

/// A page of what the last search over an object has found.
///
/// # Errors
/// `BAD_INPUT` with all that is wrong with the request.
pub async fn duplicate_sets(
    workspace: &Workspace,
    state: &Arc<State>,
    caller: &Caller,
    object: ObjectIndex,
    request: &SetsRequest,
) -> Result<SetsPage, AppError> {
    let described = state.catalogue.object(object);
    let asked = Asked::of(request)?;
    let unit = workspace.snapshot(caller).await?;
    if unit.state().revision != state.revision {
        return Err(AppError::Conflict);
    }
    let transaction = unit.transaction();
    let Some(run) = transaction.duplicate_run(&described.key).await? else {
        return Ok(SetsPage::default());
    };
    let after = match asked.after {
        None => 0,
        Some((of, place)) if of == run_mark(run.run) => place,
        Some(_) => {
            let issue = Issue::new(
                "CURSOR",
                "duplicates have been looked for again since; begin at the first page",
            );
            return Err(AppError::bad_input_issues(issue.at("after").into()));
        }
    };
    let rules = Rules::of(described);
    let score_min = asked.score_min.max(rules.score);
    let kept_min = (score_min * SCORE_UNITS).floor() as i64;
    let first = asked.first as u64 + 1;
    let mut kept = transaction
        .duplicate_sets(run.run, after, kept_min, first)
        .await?;
    let has_next = kept.len() > asked.first;
    kept.truncate(asked.first);
    let mut ids: Vec<Uuid> = kept.iter().flat_map(|set| &set.members).copied().collect();
    ids.sort_unstable();
    ids.dedup();
    let records = transaction.get_many(described, &ids, Lock::None).await?;
    let profiles: BTreeMap<Uuid, Profile> = records
        .iter()
        .filter(|record: &&Record| record.deleted_at.is_none())
        .map(|record| (record.id, rules.profile(described, &record.values)))
        .collect();
    let different: HashSet<(Uuid, Uuid)> = transaction
        .distinct_among(&described.key, &ids)
        .await?
        .into_iter()
        .map(|pair| (pair.low, pair.high))
        .collect();
    drop(unit);
    let cursor = |place: i64| format!("{:08x}{place:08x}", run_mark(run.run));
    let start_cursor = kept.first().map(|set| cursor(set.place));
    let end_cursor = kept.last().map(|set| cursor(set.place));
    let work = move || {
        kept.iter()
            .flat_map(|set| compared(&rules, score_min, &set.members, &profiles, &different))
            .map(set_of)
            .collect()
    };
    let sets = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| AppError::internal(&error))?;
    Ok(SetsPage {
        sets,
        has_next,
        has_previous: after > 0,
        start_cursor,
        end_cursor,
        found_at: Some(run.at),
    })
}

/// A request that can be carried out.
struct Asked {
    first: usize,
    /// Of which search, behind which place.
    after: Option<(u32, i64)>,
    score_min: f64,
}

impl Asked {
    fn of(request: &SetsRequest) -> Result<Self, AppError> {
        let mut issues = Issues::default();
        let first = request
            .first
            .map_or(Some(FIRST_DEFAULT), |first| usize::try_from(first).ok())
            .filter(|first| *first <= FIRST_MAX);
        if first.is_none() {
            let message = format!("a page has 0 to {FIRST_MAX} sets of duplicates");
            let issue = Issue::new("OUT_OF_RANGE", message).with("max", FIRST_MAX);
            issues.push(issue.at("first"));
        }
        let score_min = request.score_min.unwrap_or_default();
        if !(0.0..=1.0).contains(&score_min) {
            let issue = Issue::new("OUT_OF_RANGE", "a score is from 0 to 1");
            issues.push(issue.at("minScore"));
        }
        let after = request.after.as_deref().map(place_of);
        if after == Some(None) {
            let issue = Issue::new("CURSOR", "this is no cursor of a page of duplicates");
            issues.push(issue.at("after"));
        }
        match first {
            Some(first) if issues.is_empty() => Ok(Self {
                first,
                after: after.flatten(),
                score_min,
            }),
            _ => Err(AppError::bad_input_issues(issues)),
        }
    }
}

/// A made-up cursor is as harmless as any: it only says where to go on.
fn place_of(cursor: &str) -> Option<(u32, i64)> {
    let (of, place) = cursor.split_at_checked(8)?;
    let is_ours = cursor.len() == 16 && cursor.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_ours.then_some(())?;
    let of = u32::from_str_radix(of, 16).ok()?;
    Some((of, i64::from(u32::from_str_radix(place, 16).ok()?)))
}

/// Tells searches apart: of a UUIDv7 the part that is random.
fn run_mark(run: Uuid) -> u32 {
    run.as_u128() as u32
}

/// The pairs of a set that are likely enough, by what hangs together, each the likeliest first.
fn compared(
    rules: &Rules,
    score_min: f64,
    members: &[Uuid],
    profiles: &BTreeMap<Uuid, Profile>,
    different: &HashSet<(Uuid, Uuid)>,
) -> Vec<Vec<PairOfDuplicates>> {
    let mut pairs = Vec::new();
    for (place, mine) in members.iter().enumerate() {
        for theirs in &members[place + 1..] {
            let (Some(left), Some(right)) = (profiles.get(mine), profiles.get(theirs)) else {
                continue;
            };
            let (mine, theirs) = ordered(*mine, *theirs);
            if is_pair_different(different, mine, theirs) {
                continue;
            }
            let (score, reasons) = rules.compare(left, right);
            if score >= score_min {
                pairs.push(PairOfDuplicates {
                    mine,
                    theirs,
                    score,
                    reasons,
                });
            }
        }
    }
    pairs.sort_by(|left, right| {
        right
            .score
            .total_cmp(&left.score)
            .then((left.mine, left.theirs).cmp(&(right.mine, right.theirs)))
    });
    let mut sets: Vec<(HashSet<Uuid>, Vec<PairOfDuplicates>)> = Vec::new();
    for pair in pairs {
        let (joined, apart): (Vec<_>, Vec<_>) = sets
            .into_iter()
            .partition(|(ids, _)| ids.contains(&pair.mine) || ids.contains(&pair.theirs));
        let mut ids = HashSet::from([pair.mine, pair.theirs]);
        let mut all = Vec::new();
        for (of_set, pairs) in joined {
            ids.extend(of_set);
            all.extend(pairs);
        }
        all.push(pair);
        sets = apart;
        sets.push((ids, all));
    }
    let mut sets: Vec<Vec<PairOfDuplicates>> = sets.into_iter().map(|(_, pairs)| pairs).collect();
    for pairs in &mut sets {
        pairs.sort_by(|left, right| right.score.total_cmp(&left.score));
    }
    sets.sort_by(|left, right| right[0].score.total_cmp(&left[0].score));
    sets
}

fn set_of(pairs: Vec<PairOfDuplicates>) -> SetOfDuplicates {
    let mut ids: Vec<Uuid> = pairs
        .iter()
        .flat_map(|pair| [pair.mine, pair.theirs])
        .collect();
    ids.sort_unstable();
    ids.dedup();
    SetOfDuplicates {
        score: pairs.first().map_or(0.0, |pair| pair.score),
        ids,
        pairs,
    }
}

/// The smaller id first.
pub(super) fn ordered(one: Uuid, other: Uuid) -> (Uuid, Uuid) {
    (one.min(other), one.max(other))
}

/// Whether somebody has said so.
pub(super) fn is_pair_different(different: &HashSet<(Uuid, Uuid)>, one: Uuid, other: Uuid) -> bool {
    different.contains(&ordered(one, other))
}
