//! Keeps the index of search at what the records are.
//!
//! Two ways lead into it. The *tail*: what the outbox tells of is read from the database as it is
//! now, and put into the index or taken out. The *walk*: all records of an object, in the order of
//! their ids, where the index is new, where it can't be told what it has missed, or where the
//! catalogue says that they are to be found by something else. Both put what a record is now, so
//! their order doesn't matter; one task does both, so none puts what the other has overtaken.
//!
//! With each commit the index notes how far both have come: what was not committed is done again.
//! A walk over everything is a new *generation*. The old one answers meanwhile, and what of it has
//! not been put again by the end is no record any more.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use relata_catalog::{Key, Value};
use relata_search::{Document, Writer};
use relata_store::{
    Find, Lock, Record,
    filter::{ColumnRef, Deleted, Filter, Operand, Operator, SystemColumn},
    log::{OutboxRow, Position},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Searchable, Settled, chain, documents};
use crate::{AppError, Caller, State, Workspace, duplicates::rules::Rules};

/// Entries of the outbox that are read at once.
const PAGE: u64 = 1_000;
/// A walk is committed this rarely while nothing else changes: each commit makes a segment.
const WALK_SPACING: Duration = Duration::from_secs(5);
/// Who writes nothing for this long gives its memory back.
const WRITER_IDLE_MAX: Duration = Duration::from_secs(20);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(2);

/// How far the index has come: noted with each commit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Note {
    generation: u64,
    /// In the outbox.
    xact: i64,
    sequence: i64,
    /// An entry that was there then: in another outbox it is not.
    anchor: Option<Anchor>,
    /// Objects by key, in which form they are indexed.
    forms: BTreeMap<String, String>,
    /// Objects whose records are still to be walked; the first up to an id.
    walk: Vec<String>,
    after: Uuid,
    /// Generations that end with the walk.
    old: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    xact: i64,
    sequence: i64,
    record: Uuid,
    version: i64,
}

impl Anchor {
    fn of(row: &OutboxRow) -> Self {
        Self {
            xact: row.position.xact,
            sequence: row.position.sequence,
            record: row.entry.record,
            version: row.entry.version,
        }
    }

    fn position(&self) -> Position {
        Position {
            xact: self.xact,
            sequence: self.sequence,
        }
    }
}

impl Note {
    fn position(&self) -> Position {
        Position {
            xact: self.xact,
            sequence: self.sequence,
        }
    }

    fn go_to(&mut self, position: Position) {
        self.xact = position.xact;
        self.sequence = position.sequence;
    }
}

/// Keeps the index until the workspace is closed.
pub(crate) async fn keep(workspace: Workspace, searchable: Arc<Searchable>) {
    let mut ending = workspace.ending();
    loop {
        let mut keeper = match Keeper::start(&workspace, &searchable).await {
            Ok(keeper) => keeper,
            Err(error) => {
                tracing::error!(%error, "the index of search can't be begun");
                tokio::select! {
                    _ = ending.wait_for(|ending| *ending) => return,
                    () = tokio::time::sleep(PAUSE) => continue,
                }
            }
        };
        loop {
            let wait = match keeper.round().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(%error, "the index of search can't be kept; it is tried again");
                    tokio::select! {
                        _ = ending.wait_for(|ending| *ending) => return,
                        () = tokio::time::sleep(PAUSE) => break,
                    }
                }
            };
            tokio::select! {
                () = ended(&mut ending) => {
                    keeper.end().await;
                    return;
                }
                () = workspace.search_wakes().notified(), if !wait.is_zero() => {
                    // Those who commit at the same time are told together.
                    tokio::time::sleep(workspace.options().delivery.coalesce).await;
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

async fn ended(ending: &mut tokio::sync::watch::Receiver<bool>) {
    // Whoever could say so is gone: the same.
    let _ = ending.wait_for(|ending| *ending).await;
}

struct Keeper<'w> {
    workspace: &'w Workspace,
    searchable: &'w Arc<Searchable>,
    /// Absent while nothing is written: it holds memory.
    writer: Option<Writer>,
    note: Note,
    /// What was put since the last commit.
    dirty: Dirty,
    committed: Instant,
}

/// What waits for a commit, by how soon somebody expects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Dirty {
    Nothing,
    Walked,
    Told,
}

impl<'w> Keeper<'w> {
    async fn start(
        workspace: &'w Workspace,
        searchable: &'w Arc<Searchable>,
    ) -> Result<Self, AppError> {
        let database = workspace.database();
        let known = searchable
            .index
            .note()
            .map_err(|error| AppError::internal(&error))?
            .and_then(|note| serde_json::from_str::<Note>(&note).ok());
        let goes_on = match known.as_ref().and_then(|note| note.anchor.as_ref()) {
            Some(anchor) => database
                .outbox_at(anchor.position())
                .await?
                .is_some_and(|row| Anchor::of(&row) == *anchor),
            None => false,
        };
        let note = match known {
            Some(note) if goes_on => note,
            known => {
                // The position before the walk: what changes meanwhile is told.
                let end = database.outbox_end().await?;
                let mut old = Vec::new();
                let mut generation = 1;
                if let Some(known) = known {
                    generation = known.generation + 1;
                    old = known.old;
                    old.push(known.generation);
                }
                let anchor = database.outbox_newest().await?;
                Note {
                    generation,
                    xact: end.xact,
                    sequence: end.sequence,
                    anchor: anchor.as_ref().map(Anchor::of),
                    old,
                    ..Note::default()
                }
            }
        };
        Ok(Self {
            workspace,
            searchable,
            writer: None,
            note,
            dirty: Dirty::Nothing,
            committed: Instant::now(),
        })
    }

    /// A step of each way; gives how long to wait for more.
    async fn round(&mut self) -> Result<Duration, AppError> {
        let options = &self.workspace.options().search;
        let state = self.workspace.state();
        self.follow(&state).await?;
        let told = self.tail(&state).await?;
        let walked = self.walk(&state).await?;
        let since = self.committed.elapsed();
        let is_due = match self.dirty {
            Dirty::Nothing => false,
            Dirty::Told => since >= options.spacing,
            Dirty::Walked => since >= WALK_SPACING || !walked,
        };
        if is_due {
            self.commit().await?;
        }
        let is_complete = self.note.walk.is_empty() && self.note.old.is_empty();
        self.searchable.settle(
            (is_complete && self.dirty == Dirty::Nothing).then(|| Settled {
                revision: state.revision,
                position: self.note.position(),
            }),
        );
        self.searchable
            .is_complete
            .store(is_complete, Ordering::Relaxed);
        metrics::gauge!("relata_search_documents").set(self.searchable.index.documents() as f64);
        metrics::gauge!("relata_search_walk_objects").set(self.note.walk.len() as f64);
        if told || walked {
            return Ok(Duration::ZERO);
        }
        if self.dirty > Dirty::Nothing {
            return Ok(options
                .spacing
                .saturating_sub(since)
                .max(Duration::from_millis(1)));
        }
        if since > WRITER_IDLE_MAX {
            self.writer = None;
        }
        Ok(options.look_every)
    }

    /// What the catalogue has become.
    async fn follow(&mut self, state: &State) -> Result<(), AppError> {
        let forms: BTreeMap<String, String> = state
            .catalogue
            .objects
            .iter()
            .map(|object| (object.key.as_str().to_owned(), documents::form_of(object)))
            .collect();
        if forms == self.note.forms {
            return Ok(());
        }
        let gone: Vec<String> = self
            .note
            .forms
            .keys()
            .filter(|key| !forms.contains_key(*key))
            .cloned()
            .collect();
        let changed = forms
            .iter()
            .filter(|(key, form)| self.note.forms.get(*key) != Some(*form))
            .map(|(key, _)| key);
        for key in changed.chain(&gone) {
            if self.note.walk.first() == Some(key) {
                // From its beginning again, or not at all.
                self.note.after = Uuid::nil();
            }
            if !self.note.walk.contains(key) {
                self.note.walk.push(key.clone());
            }
        }
        self.note.walk.retain(|key| !gone.contains(key));
        self.note.forms = forms;
        self.dirty = self.dirty.max(Dirty::Walked);
        self.write(move |writer, _| {
            for key in &gone {
                writer.remove_object(key);
            }
            Ok(())
        })
        .await
    }

    /// What the outbox tells; gives whether there may be more.
    async fn tail(&mut self, state: &Arc<State>) -> Result<bool, AppError> {
        let database = self.workspace.database();
        let rows = database.outbox_after(self.note.position(), PAGE).await?;
        let Some(last) = rows.last() else {
            return Ok(false);
        };
        let mut wanted: HashMap<Key, Vec<Uuid>> = HashMap::new();
        for row in &rows {
            let ids = wanted.entry(row.entry.object.clone()).or_default();
            if !ids.contains(&row.entry.record) {
                ids.push(row.entry.record);
            }
        }
        for (key, ids) in wanted {
            let records = match state.catalogue.object_keyed(&key) {
                Some((_, object)) => {
                    let unit = self.workspace.snapshot(&Caller::system()).await?;
                    if unit.state().revision != state.revision {
                        // The next round is on the new state.
                        return Ok(true);
                    }
                    unit.transaction()
                        .get_many(object, &ids, Lock::None)
                        .await?
                }
                None => Vec::new(),
            };
            self.put(state, &key, records, &ids).await?;
        }
        self.note.go_to(last.position);
        self.note.anchor = Some(Anchor::of(last));
        self.dirty = Dirty::Told;
        Ok(rows.len() as u64 == PAGE)
    }

    /// The next records of the walk; gives whether it goes on.
    async fn walk(&mut self, state: &Arc<State>) -> Result<bool, AppError> {
        let Some(key) = self.note.walk.first().cloned() else {
            if !self.note.old.is_empty() {
                let old = std::mem::take(&mut self.note.old);
                self.write(move |writer, _| {
                    old.iter().for_each(|generation| writer.forget(*generation));
                    Ok(())
                })
                .await?;
                self.dirty = Dirty::Told;
            }
            return Ok(false);
        };
        let found = state
            .catalogue
            .objects
            .iter()
            .position(|object| object.key.as_str() == key);
        let batch = self.workspace.options().search.batch;
        let mut read = 0;
        if let Some(position) = found {
            let index = relata_catalog::ObjectIndex(position);
            let unit = self.workspace.snapshot(&Caller::system()).await?;
            if unit.state().revision != state.revision {
                return Ok(true);
            }
            let filter = Filter::Compare {
                column: ColumnRef::System(SystemColumn::Id),
                operator: Operator::Gt,
                operand: Operand::Value(Value::Reference(self.note.after)),
            };
            let find = Find {
                limit: Some(batch as u64),
                deleted: Deleted::Exclude,
                ..Find::new(index, filter)
            };
            let records = unit.transaction().find(&state.catalogue, &find).await?;
            drop(unit);
            read = records.len();
            if let Some(last) = records.last() {
                self.note.after = last.id;
            }
            let key = state.catalogue.objects[position].key.clone();
            self.put(state, &key, records, &[]).await?;
        }
        if read < batch {
            self.note.walk.remove(0);
            self.note.after = Uuid::nil();
        }
        self.dirty = self.dirty.max(Dirty::Walked);
        Ok(true)
    }

    /// Puts these records, and takes those out that should be among them.
    async fn put(
        &mut self,
        state: &Arc<State>,
        key: &Key,
        records: Vec<Record>,
        expected: &[Uuid],
    ) -> Result<(), AppError> {
        let there = |id: &Uuid| {
            let mut records = records.iter();
            records.any(|record| record.id == *id && record.deleted_at.is_none())
        };
        let gone: Vec<Uuid> = expected.iter().filter(|id| !there(id)).copied().collect();
        let object = state
            .catalogue
            .object_keyed(key)
            .map(|(_, object)| Arc::clone(object));
        self.write(move |writer, generation| {
            for id in gone {
                writer.remove(id);
            }
            if let Some(object) = object {
                let rules = Rules::of(&object);
                for record in records.iter().filter(|record| record.deleted_at.is_none()) {
                    let document: Document = documents::document(&object, &rules, record);
                    writer.put(&document, generation)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Makes what was put findable.
    async fn commit(&mut self) -> Result<(), AppError> {
        let note = serde_json::to_string(&self.note).map_err(|error| AppError::internal(&error))?;
        self.write(move |writer, _| writer.commit(&note)).await?;
        self.dirty = Dirty::Nothing;
        self.committed = Instant::now();
        Ok(())
    }

    /// Works with the writer, away from the threads that serve others.
    async fn write(
        &mut self,
        work: impl FnOnce(&mut Writer, u64) -> Result<(), relata_search::SearchError> + Send + 'static,
    ) -> Result<(), AppError> {
        let writer = self.writer.take();
        let index = Arc::clone(&self.searchable.index);
        let generation = self.note.generation;
        let (writer, done) = tokio::task::spawn_blocking(move || {
            let mut writer = match writer.map_or_else(|| index.writer(), Ok) {
                Ok(writer) => writer,
                Err(error) => return (None, Err(error)),
            };
            let done = work(&mut writer, generation);
            (Some(writer), done)
        })
        .await
        .map_err(|error| AppError::internal(&error))?;
        self.writer = writer;
        done.map_err(|error| {
            tracing::error!(error = %chain(&error), "the index of search can't be written");
            AppError::Unavailable("the index of search can't be written".to_owned())
        })
    }

    /// What is not committed is done again, so a failure is no loss.
    async fn end(mut self) {
        if self.dirty > Dirty::Nothing
            && let Err(error) = self.commit().await
        {
            tracing::warn!(%error, "the last changes are indexed again at the next start");
        }
    }
}
