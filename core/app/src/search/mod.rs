//! Records by their words, over all objects, best first.
//!
//! Each process has an index of its own (`relata-search`) in its cache folder, which it fills from
//! the outbox ([`keeper`]): no write waits for it, it takes no turn, and where it is lost it is made
//! again. It finds ids; what is shown of a record, and the words that are marked in it
//! ([`highlight`]), comes from the database: a record that is gone is left out, and one that was changed a moment ago
//! is shown as it is.

mod documents;
mod highlight;
mod keeper;

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use relata_catalog::{Issue, Issues, ObjectIndex};
use relata_search::{
    Find, Index, Place, QUERY_CHARACTERS_MAX, QUERY_WORDS_MAX, Query, QueryError, SearchError,
};
use relata_store::log::Position;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{AppError, State, Workspace, WorkspaceOptions};
pub use highlight::{Highlight, Range, highlights};
pub(crate) use keeper::keep;

/// How records are found.
#[derive(Debug, Clone)]
pub struct SearchOptions {
    /// How often the outbox is looked at without being woken: other processes write as well.
    pub look_every: Duration,
    /// How far apart commits of the index are while records keep changing.
    pub spacing: Duration,
    /// Records that are read at once.
    pub batch: usize,
    /// Searches at a time; the next ones wait.
    pub concurrent_max: usize,
    /// Hits of a page, where nobody says how many.
    pub page_default: u64,
    /// Hits of a page, at most.
    pub page_max: u64,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            look_every: Duration::from_millis(250),
            spacing: Duration::from_millis(300),
            batch: 500,
            concurrent_max: std::thread::available_parallelism().map_or(2, usize::from),
            page_default: 20,
            page_max: 100,
        }
    }
}

/// The index of a workspace, and who may search it at the moment.
pub(crate) struct Searchable {
    index: Arc<Index>,
    permits: Semaphore,
    /// Whether all records are in it.
    is_complete: AtomicBool,
    settled: Mutex<Option<Settled>>,
}

/// What the index knows while nothing waits to be put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Of the catalogue.
    revision: u64,
    /// In the outbox.
    position: Position,
}

impl Searchable {
    fn settle(&self, settled: Option<Settled>) {
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner) = settled;
    }

    fn settled(&self) -> Option<Settled> {
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the index. Where there can be none, the workspace does without: nothing else needs it.
pub(crate) fn open(options: &WorkspaceOptions) -> Option<Arc<Searchable>> {
    let folder = options.search_folder.as_ref()?;
    // A database has its own, however many of them a cache folder serves.
    let name = documents::fingerprint([options.database.url.as_str()]);
    match Index::open(&folder.join(name)) {
        Ok(index) => Some(Arc::new(Searchable {
            index: Arc::new(index),
            permits: Semaphore::new(options.search.concurrent_max.max(1)),
            is_complete: AtomicBool::new(false),
            settled: Mutex::default(),
        })),
        Err(error) => {
            tracing::error!(error = %chain(&error), "there is no search");
            None
        }
    }
}

/// What is looked for.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// As it was typed.
    pub query: String,
    /// Singular names of objects; none: all of them.
    pub objects: Option<Vec<String>>,
    /// Hits of the page.
    pub first: Option<i64>,
    /// The cursor of the hit before the page.
    pub after: Option<String>,
}

/// A page of hits.
#[derive(Debug)]
pub struct SearchPage {
    /// Best first.
    pub hits: Vec<SearchHit>,
    /// On all pages.
    pub total: u64,
    /// Whether there are more.
    pub has_next: bool,
    /// Whether there are some before it.
    pub has_previous: bool,
    /// Whether the words were allowed to have typos.
    pub with_typos: bool,
    query: Query,
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    /// Its object.
    pub object: ObjectIndex,
    /// Its id.
    pub id: Uuid,
    /// Greater is better; comparable within one search.
    pub score: u16,
}

impl SearchHit {
    /// Where the next page begins, as opaque text.
    #[must_use]
    pub fn cursor(&self) -> String {
        format!("{:04x}{}", self.score, self.id.simple())
    }
}

/// A page of the records that have all words of a query.
///
/// # Errors
/// `BAD_INPUT` with all that is wrong with the request; `UNAVAILABLE` where there is no index.
pub async fn search(
    workspace: &Workspace,
    state: &Arc<State>,
    request: &SearchRequest,
) -> Result<SearchPage, AppError> {
    let asked = asked(&workspace.options().search, state, request)?;
    let searchable = workspace.searchable().ok_or_else(no_index)?;
    let begun = std::time::Instant::now();
    let permit = searchable.permits.acquire().await;
    let index = Arc::clone(&searchable.index);
    let catalogue = Arc::clone(&state.catalogue);
    let found = tokio::task::spawn_blocking(move || {
        let keys: Vec<&str> = asked
            .objects
            .iter()
            .map(|object| catalogue.object(*object).key.as_str())
            .collect();
        let found = index.find(&Find {
            query: &asked.query,
            objects: &keys,
            first: asked.first,
            after: asked.after,
            typos: true,
        });
        (found, asked)
    })
    .await;
    drop(permit);
    metrics::histogram!("relata_search_seconds").record(begun.elapsed());
    let (found, asked) = found.map_err(|error| AppError::internal(&error))?;
    let found = found.map_err(|error| AppError::internal(&error))?;
    Ok(SearchPage {
        hits: found
            .hits
            .into_iter()
            .map(|hit| SearchHit {
                object: asked.objects[hit.object],
                id: hit.place.id,
                score: hit.place.score,
            })
            .collect(),
        total: found.total,
        has_next: found.goes_on,
        has_previous: asked.after.is_some(),
        with_typos: found.with_typos,
        query: asked.query,
    })
}

impl Workspace {
    /// Records of an object that share any of these keys.
    pub(crate) async fn with_search_keys(
        &self,
        object: &str,
        keys: Vec<String>,
        common: u32,
        limit: usize,
    ) -> Result<Vec<Uuid>, AppError> {
        let searchable = self.searchable().ok_or_else(no_index)?;
        let permit = searchable.permits.acquire().await;
        let index = Arc::clone(&searchable.index);
        let object = object.to_owned();
        let found =
            tokio::task::spawn_blocking(move || index.with_keys(&object, &keys, common, limit))
                .await;
        drop(permit);
        found
            .map_err(|error| AppError::internal(&error))?
            .map_err(|error| AppError::internal(&error))
    }
}

impl Workspace {
    /// As [`Workspace::with_search_keys`] for many at once, each among the records with smaller
    /// ids.
    pub(crate) async fn with_search_keys_before(
        &self,
        object: &str,
        asked: Vec<(Uuid, Vec<String>)>,
        common: u32,
        limit: usize,
    ) -> Result<Vec<Vec<Uuid>>, AppError> {
        let searchable = self.searchable().ok_or_else(no_index)?;
        let permit = searchable.permits.acquire().await;
        let index = Arc::clone(&searchable.index);
        let object = object.to_owned();
        let found = tokio::task::spawn_blocking(move || {
            index.with_keys_before(&object, &asked, common, limit)
        })
        .await;
        drop(permit);
        found
            .map_err(|error| AppError::internal(&error))?
            .map_err(|error| AppError::internal(&error))
    }

    /// Waits until everything that is committed by now is in the index; false when it is told not
    /// to wait any longer.
    pub(crate) async fn is_indexed(
        &self,
        goes_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool, AppError> {
        /// The keeper tells nobody; it looks about as often itself.
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        let searchable = self.searchable().ok_or_else(no_index)?;
        let revision = self.state().revision;
        let newest = self.database().outbox_newest().await?;
        let newest = newest.map_or_else(Position::default, |row| row.position);
        loop {
            let is_there = searchable
                .settled()
                .is_some_and(|settled| settled.revision >= revision && settled.position >= newest);
            if is_there || !goes_on() {
                return Ok(is_there);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn no_index() -> AppError {
    AppError::Unavailable("there is no search here; the log says why".to_owned())
}

/// A request that can be carried out.
struct Asked {
    query: Query,
    objects: Vec<ObjectIndex>,
    first: usize,
    after: Option<Place>,
}

fn asked(
    options: &SearchOptions,
    state: &State,
    request: &SearchRequest,
) -> Result<Asked, AppError> {
    let mut issues = Issues::default();
    let query = match Query::parse(&request.query) {
        Ok(query) => Some(query),
        Err(error) => {
            let issue = match error {
                QueryError::Blank => Issue::new(
                    "REQUIRED",
                    "the query has neither a letter nor a digit; say what to look for",
                ),
                QueryError::Long(characters) => Issue::new(
                    "TOO_LONG",
                    format!(
                        "the query has {characters} characters, at most {QUERY_CHARACTERS_MAX} are looked for; leave some out"
                    ),
                )
                .with("max", QUERY_CHARACTERS_MAX),
                QueryError::Wordy(words) => Issue::new(
                    "TOO_MANY",
                    format!(
                        "the query has {words} words, at most {QUERY_WORDS_MAX} are looked for; leave some out"
                    ),
                )
                .with("max", QUERY_WORDS_MAX),
            };
            issues.push(issue.at("query"));
            None
        }
    };
    let mut objects: Vec<ObjectIndex> = Vec::new();
    match &request.objects {
        None => objects.extend((0..state.catalogue.objects.len()).map(ObjectIndex)),
        Some(names) => {
            for (position, name) in names.iter().enumerate() {
                match state.catalogue.object_named(name) {
                    Some((index, _)) if objects.contains(&index) => {}
                    Some((index, _)) => objects.push(index),
                    None => issues.push(
                        Issue::new("UNKNOWN", format!("there is no object {name}"))
                            .at(position)
                            .at("objects"),
                    ),
                }
            }
        }
    }
    let first = request
        .first
        .map_or(Some(options.page_default), |first| {
            u64::try_from(first).ok()
        })
        .filter(|first| *first <= options.page_max);
    if first.is_none() {
        issues.push(
            Issue::new(
                "OUT_OF_RANGE",
                format!("a page of a search has 0 to {} hits", options.page_max),
            )
            .with("max", options.page_max)
            .at("first"),
        );
    }
    let after = request.after.as_deref().map(place_of);
    if after == Some(None) {
        issues.push(Issue::new("CURSOR", "this is no cursor of a search").at("after"));
    }
    match (query, first) {
        (Some(query), Some(first)) if issues.is_empty() => Ok(Asked {
            query,
            objects,
            first: usize::try_from(first).unwrap_or(usize::MAX),
            after: after.flatten(),
        }),
        _ => Err(AppError::bad_input_issues(issues)),
    }
}

/// A made-up cursor is as harmless as any: it only says where to go on.
fn place_of(cursor: &str) -> Option<Place> {
    let (score, id) = cursor.split_at_checked(4)?;
    let is_ours = cursor.len() == 36 && cursor.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some(Place {
        score: is_ours.then(|| u16::from_str_radix(score, 16).ok())??,
        id: Uuid::try_parse(id).ok()?,
    })
}

/// The error with what led to it.
fn chain(error: &SearchError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
