//! Duplicates over a whole object: a job.
//!
//! It walks over the records in the order of their ids and asks the index for each who among those
//! before it shares a key: so each pair is met once, and where the job has been broken off it goes
//! on behind the last batch. What it has compared is remembered for those that come after, up to
//! [`PROFILES_MAX`]; older ones are read again. At the end pairs become sets.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use relata_catalog::{Key, Object, ObjectIndex, Value};
use relata_store::{
    Find, Lock, Record, Turn,
    filter::{
        ColumnRef, Deleted, Direction, Filter, Nulls, Operand, Operator, OrderTerm, SystemColumn,
    },
    platform::{DuplicateRun, DuplicateSet},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    COMMON,
    rules::{Profile, Rules},
    sets::{SCORE_UNITS, is_pair_different, ordered},
};
use crate::{
    AppError, Caller, State, Workspace,
    access::authorise_admin,
    clock,
    jobs::{self, End, JobInfo, JobKind, JobState, NewJob, Task},
    naming,
};

/// Records of a step.
const BATCH: usize = 500;
/// Others that a record is compared with: those that share most keys. Who is like more than that
/// is like everybody.
const CANDIDATES_MAX: usize = 50;
/// Records whose profiles are remembered, about 1 KB each.
const PROFILES_MAX: usize = 100_000;
/// Pairs that one search finds at most.
pub const PAIRS_MAX: usize = 1_000_000;
/// Records of one set at most: as many as one merge takes.
pub const SET_MAX: usize = crate::records::MERGE_IDS_MAX;
/// Sets that are written by one transaction.
const SETS_AT_ONCE: usize = 5_000;
/// Tries of one step, where others write at the same time.
const TRIES_MAX: usize = 5;

/// Of which object duplicates are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DuplicatesOptions {
    /// Its singular name.
    pub object: String,
}

/// How far a search for duplicates is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DuplicatesCounts {
    /// Records that there are.
    pub records: u64,
    /// Those that have been looked at.
    pub done: u64,
    /// Pairs that have been found.
    pub pairs: u64,
    /// Sets that have come of them; 0 until the end.
    pub sets: u64,
}

/// What a step has found.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Step {
    /// The last record that it has looked at.
    after: Uuid,
    pairs: Vec<Pair>,
}

/// The smaller id, the greater one, and the score in ten-thousandths.
type Pair = (Uuid, Uuid, u16);

/// Has duplicates of an object looked for by a job.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND` for an object that there is not; `BAD_INPUT` for one that has no rules.
pub async fn duplicates_start(
    workspace: &Workspace,
    caller: &Caller,
    options: &DuplicatesOptions,
) -> Result<JobInfo, AppError> {
    authorise_admin(caller)?;
    let state = workspace.state();
    let (index, _) = named(&state, &options.object)?;
    if Rules::of(state.catalogue.object(index)).is_empty() {
        return Err(AppError::bad_input(format!(
            "nothing says by what two records of {} may be the same; give it rules by `duplicates`",
            options.object
        )));
    }
    let new = NewJob {
        kind: JobKind::Duplicates,
        options: json!(options),
        counts: json!(DuplicatesCounts::default()),
        file: None,
    };
    jobs::job_create(workspace, caller, new).await
}

pub(super) fn named<'s>(
    state: &'s State,
    name: &str,
) -> Result<(ObjectIndex, &'s Arc<Object>), AppError> {
    state.catalogue.object_named(name).ok_or_else(|| {
        let objects = state.catalogue.objects.iter();
        let names = objects.map(|object| object.singular.as_str());
        AppError::NotFound(format!(
            "there is no object {name}{}",
            naming::instead(name, names)
        ))
    })
}

/// Looks for duplicates. One that was broken off goes on.
pub(crate) async fn carry_out(task: &Task) -> Result<End, AppError> {
    let options: DuplicatesOptions = task.options()?;
    let workspace = &task.workspace;
    let mut counts: DuplicatesCounts =
        serde_json::from_str(&task.job.counts).map_err(|error| AppError::internal(&error))?;
    let mut position = task.job.position;
    let mut walk = Walk {
        options,
        after: Uuid::nil(),
        revision: 0,
        profiles: Profiles::default(),
    };
    if let Some((_, last)) = jobs::parts::<Step>(workspace, task.job.id, position)
        .await?
        .first()
    {
        walk.after = last.after;
    }
    let stopped =
        |counts: &DuplicatesCounts, position, state| End::of(state, json!(counts), position);
    if !workspace
        .is_indexed(&|| task.is_stopped().is_none())
        .await?
        && let Some(state) = task.is_stopped()
    {
        return Ok(stopped(&counts, position, state));
    }
    loop {
        if let Some(state) = task.is_stopped() {
            return Ok(stopped(&counts, position, state));
        }
        let Some((step, looked_at)) = walk.step(workspace, &mut counts).await? else {
            break;
        };
        counts.done += looked_at;
        counts.pairs += step.pairs.len() as u64;
        if counts.pairs > PAIRS_MAX as u64 {
            return Err(AppError::LimitExceeded(format!(
                "more than {PAIRS_MAX} pairs may be the same; let the rules of {} ask for a higher score, or for more",
                walk.options.object
            )));
        }
        position += 1;
        noted(task, position, &step, &counts).await?;
        task.report(&json!(counts));
    }
    keep(task, &walk.options, position, &mut counts).await?;
    Ok(End::of(JobState::Done, json!(counts), position))
}

async fn noted(
    task: &Task,
    position: i64,
    step: &Step,
    counts: &DuplicatesCounts,
) -> Result<(), AppError> {
    let counts = json!(counts);
    let mut tries = 0;
    loop {
        tries += 1;
        match task.note(position, step, position, &counts).await {
            Err(AppError::Conflict) if tries < TRIES_MAX => {}
            done => return done,
        }
    }
}

struct Walk {
    options: DuplicatesOptions,
    after: Uuid,
    /// Of the catalogue that the profiles are of.
    revision: u64,
    profiles: Profiles,
}

impl Walk {
    /// The next records, and how many they were; nothing at the end.
    async fn step(
        &mut self,
        workspace: &Workspace,
        counts: &mut DuplicatesCounts,
    ) -> Result<Option<(Step, u64)>, AppError> {
        let unit = workspace.snapshot(&Caller::system()).await?;
        let state = Arc::clone(unit.state());
        let (index, object) = named(&state, &self.options.object)?;
        if self.revision != state.revision {
            self.revision = state.revision;
            self.profiles = Profiles::default();
        }
        let rules = Arc::new(Rules::of(object));
        if counts.records == 0 {
            let all = Filter::And(Vec::new());
            let count = unit
                .transaction()
                .count(&state.catalogue, index, &all, Deleted::Exclude);
            counts.records = u64::try_from(count.await?).unwrap_or_default();
        }
        let records = unit
            .transaction()
            .find(&state.catalogue, &behind(index, self.after))
            .await?;
        let Some(last) = records.last() else {
            return Ok(None);
        };
        let looked_at = records.len() as u64;
        let mut step = Step {
            after: last.id,
            pairs: Vec::new(),
        };
        self.after = last.id;
        let (own, asked) = profiled(object, &rules, records).await?;
        let found = workspace
            .with_search_keys_before(object.key.as_str(), asked, COMMON, CANDIDATES_MAX)
            .await?;
        for (id, profile) in &own {
            self.profiles.put(*id, Arc::clone(profile));
        }
        // Those that are remembered no longer.
        let mut wanted: Vec<Uuid> = found.iter().flatten().copied().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut known: HashMap<Uuid, Arc<Profile>> = HashMap::with_capacity(wanted.len());
        wanted.retain(|id| match self.profiles.get(id) {
            Some(profile) => known.insert(*id, profile).is_some(),
            None => true,
        });
        for ids in wanted.chunks(BATCH) {
            let records = unit
                .transaction()
                .get_many(object, ids, Lock::None)
                .await?
                .into_iter()
                .filter(|record| record.deleted_at.is_none())
                .collect();
            let (others, _) = profiled(object, &rules, records).await?;
            for (id, profile) in others {
                self.profiles.put(id, Arc::clone(&profile));
                known.insert(id, profile);
            }
        }
        drop(unit);
        step.pairs = tokio::task::spawn_blocking(move || compared(&rules, &own, &found, &known))
            .await
            .map_err(|error| AppError::internal(&error))?;
        Ok(Some((step, looked_at)))
    }
}

/// Records behind one, in the order of their ids.
fn behind(object: ObjectIndex, after: Uuid) -> Find {
    let id = ColumnRef::System(SystemColumn::Id);
    let filter = Filter::Compare {
        column: id,
        operator: Operator::Gt,
        operand: Operand::Value(Value::Reference(after)),
    };
    Find {
        order: vec![OrderTerm {
            through: Vec::new(),
            column: id,
            direction: Direction::Ascending,
            nulls: Nulls::Last,
        }],
        limit: Some(BATCH as u64),
        deleted: Deleted::Exclude,
        ..Find::new(object, filter)
    }
}

type Profiled = Vec<(Uuid, Arc<Profile>)>;
/// For each record its id and its keys.
type Asked = Vec<(Uuid, Vec<String>)>;

/// Takes records apart, away from the threads that serve others.
async fn profiled(
    object: &Arc<Object>,
    rules: &Arc<Rules>,
    records: Vec<Record>,
) -> Result<(Profiled, Asked), AppError> {
    let (object, rules) = (Arc::clone(object), Arc::clone(rules));
    let work = move || {
        records
            .iter()
            .map(|record| {
                let profile = rules.profile(&object, &record.values);
                let keys = rules.keys(&profile);
                ((record.id, Arc::new(profile)), (record.id, keys))
            })
            .unzip()
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| AppError::internal(&error))
}

fn compared(
    rules: &Rules,
    own: &Profiled,
    found: &[Vec<Uuid>],
    known: &HashMap<Uuid, Arc<Profile>>,
) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for ((id, mine), others) in own.iter().zip(found) {
        for other in others {
            let Some(theirs) = known.get(other) else {
                continue;
            };
            let (score, _) = rules.compare(theirs, mine);
            if score >= rules.score {
                let (low, high) = ordered(*id, *other);
                pairs.push((low, high, units(score)));
            }
        }
    }
    pairs
}

fn units(score: f64) -> u16 {
    // 0 to 1 times ten thousand.
    (score * SCORE_UNITS).floor() as u16
}

/// Profiles of the records that were looked at last: two halves, of which the older one is let go
/// when the younger one is full.
#[derive(Default)]
struct Profiles {
    young: HashMap<Uuid, Arc<Profile>>,
    old: HashMap<Uuid, Arc<Profile>>,
}

impl Profiles {
    fn get(&mut self, id: &Uuid) -> Option<Arc<Profile>> {
        if let Some(profile) = self.young.get(id) {
            return Some(Arc::clone(profile));
        }
        let profile = self.old.remove(id)?;
        self.put(*id, Arc::clone(&profile));
        Some(profile)
    }

    fn put(&mut self, id: Uuid, profile: Arc<Profile>) {
        if self.young.len() >= PROFILES_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, profile);
    }
}

/// Makes sets of the pairs, and shows them in the place of those of the search before.
async fn keep(
    task: &Task,
    options: &DuplicatesOptions,
    position: i64,
    counts: &mut DuplicatesCounts,
) -> Result<(), AppError> {
    let workspace = &task.workspace;
    let state = workspace.state();
    let (_, object) = named(&state, &options.object)?;
    let mut pairs: Vec<Pair> = Vec::new();
    let mut from = 1;
    loop {
        let parts = jobs::parts::<Step>(workspace, task.job.id, from).await?;
        let Some((last, _)) = parts.last() else {
            break;
        };
        from = last + 1;
        pairs.extend(parts.into_iter().flat_map(|(_, step)| step.pairs));
    }
    let different: HashSet<(Uuid, Uuid)> = {
        let unit = workspace.snapshot(&Caller::system()).await?;
        let mut all = HashSet::new();
        let mut after = None;
        loop {
            let page = unit
                .transaction()
                .distinct_of(&object.key, after, SETS_AT_ONCE as u64)
                .await?;
            let Some(last) = page.last() else {
                break all;
            };
            after = Some((last.low, last.high));
            all.extend(page.iter().map(|pair| (pair.low, pair.high)));
        }
    };
    pairs.retain(|(low, high, _)| !is_pair_different(&different, *low, *high));
    let sets = tokio::task::spawn_blocking(move || connected(pairs))
        .await
        .map_err(|error| AppError::internal(&error))?;
    counts.sets = sets.len() as u64;
    let kept = (position, json!(counts));
    // What a search has left that has not come to its end, this one's former try included.
    written(task, &kept, Writing::Begin).await?;
    for sets in sets.chunks(SETS_AT_ONCE) {
        written(task, &kept, Writing::Sets(task.job.id, sets)).await?;
    }
    let run = DuplicateRun {
        run: task.job.id,
        at: clock::now_micros(),
    };
    written(task, &kept, Writing::End(&object.key, run)).await
}

/// What is written of the sets, each in a transaction of its own.
#[derive(Clone, Copy)]
enum Writing<'w> {
    Begin,
    Sets(Uuid, &'w [DuplicateSet]),
    End(&'w Key, DuplicateRun),
}

/// Writes to the platform's tables, again where others write at the same time.
async fn written(task: &Task, kept: &(i64, Json), writing: Writing<'_>) -> Result<(), AppError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_writing(task, kept, writing).await {
            Err(AppError::Conflict) if tries < TRIES_MAX => {}
            done => return done,
        }
    }
}

async fn try_writing(
    task: &Task,
    (position, counts): &(i64, Json),
    writing: Writing<'_>,
) -> Result<(), AppError> {
    let transaction = task.workspace.database().begin(Turn::Long).await?;
    match writing {
        Writing::Begin => transaction.prune_duplicate_sets().await?,
        Writing::Sets(run, sets) => transaction.insert_duplicate_sets(run, sets).await?,
        Writing::End(object, run) => {
            transaction.set_duplicate_run(object, run).await?;
            transaction.prune_duplicate_sets().await?;
        }
    }
    // Who has lost the job writes nothing beside who has it.
    task.advance_in(&transaction, *position, counts).await?;
    transaction.commit().await?;
    Ok(())
}

/// Records that hang together by pairs, the likeliest pair first. A pair that would make a set of
/// more than [`SET_MAX`] is one of its own.
fn connected(mut pairs: Vec<Pair>) -> Vec<DuplicateSet> {
    pairs.sort_unstable_by(|left, right| right.2.cmp(&left.2).then(left.cmp(right)));
    // Where each record stands, and what stands there; a set that went into another is empty.
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    let mut sets: Vec<(u16, Vec<Uuid>)> = Vec::new();
    for (low, high, score) in pairs {
        match (places.get(&low).copied(), places.get(&high).copied()) {
            (Some(one), Some(other)) if one == other => {}
            (Some(one), Some(other)) if sets[one].1.len() + sets[other].1.len() <= SET_MAX => {
                // Both are of pairs before this one: the first is the likelier.
                let (into, from) = (one.min(other), one.max(other));
                let moved = std::mem::take(&mut sets[from].1);
                places.extend(moved.iter().map(|id| (*id, into)));
                sets[into].1.extend(moved);
            }
            (Some(place), None) if sets[place].1.len() < SET_MAX => {
                sets[place].1.push(high);
                places.insert(high, place);
            }
            (None, Some(place)) if sets[place].1.len() < SET_MAX => {
                sets[place].1.push(low);
                places.insert(low, place);
            }
            (one, other) => {
                for (id, place) in [(low, one), (high, other)] {
                    if place.is_none() {
                        places.insert(id, sets.len());
                    }
                }
                sets.push((score, vec![low, high]));
            }
        }
    }
    sets.retain(|(_, members)| !members.is_empty());
    sets.into_iter()
        .zip(1..)
        .map(|((score, mut members), place)| {
            members.sort_unstable();
            DuplicateSet {
                place,
                score: i64::from(score),
                members,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn members(pairs: Vec<Pair>) -> Vec<Vec<u128>> {
        connected(pairs)
            .into_iter()
            .map(|set| set.members.iter().map(Uuid::as_u128).collect())
            .collect()
    }

    #[test]
    fn what_hangs_together_is_a_set_and_the_likeliest_comes_first() {
        let pairs = vec![
            (id(5), id(6), 6_000),
            (id(1), id(2), 7_000),
            (id(3), id(4), 9_000),
            (id(2), id(3), 6_500),
        ];
        assert_eq!(members(pairs), [vec![1, 2, 3, 4], vec![5, 6]]);
        assert_eq!(members(Vec::new()), Vec::<Vec<u128>>::new());
    }

    #[test]
    fn a_set_ends_where_no_merge_takes_it() {
        let chain = (1..=SET_MAX as u128)
            .map(|number| (id(number), id(number + 1), 9_000 - number as u16))
            .collect();
        let sets = members(chain);
        assert_eq!(sets[0].len(), SET_MAX);
        let last = SET_MAX as u128;
        assert_eq!(sets[1], [last, last + 1], "no pair is lost");
    }
}
