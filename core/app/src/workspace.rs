//! One customer's workspace: its database, what it is at the moment, and what runs beside the
//! requests (following other processes, delivering the outbox, doing jobs). Nothing of it is global.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use relata_catalog::{Catalogue, OWNER_PLATFORM, STANDARD};
use relata_files::FileStore;
use relata_host::Host;
use relata_store::{
    Database, DatabaseOptions, Purpose, Transaction, Turn,
    read::{CursorKey, Reader, ReaderOptions},
};
use tokio::sync::{Mutex, Notify, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, watch};

use crate::{
    AppError, Caller, Directory, State, catalogue,
    exports::Conditions,
    indexes,
    jobs::{self, Jobs},
    outbox,
    plugins::{self, Installed, Plugins, Status},
    retention, search,
    state::People,
    tokens::TokenCache,
};

/// How a workspace is opened.
#[derive(Debug, Clone)]
pub struct WorkspaceOptions {
    /// The database.
    pub database: DatabaseOptions,
    /// Connections for compiled reads.
    pub reader: ReaderOptions,
    /// Where plugins run; shared by all workspaces of a process.
    pub host: Arc<Host>,
    /// Where a phone number without a country code belongs (ISO 3166-1, two letters).
    pub region: Option<String>,
    /// Currency of an amount that names none (ISO 4217).
    pub currency: Option<String>,
    /// How often the database is asked whether another process has changed the catalogue.
    pub poll: Duration,
    /// Faults of a plugin in a row after which it is suspended.
    pub plugin_faults_max: u32,
    /// How the outbox is delivered.
    pub delivery: outbox::DeliveryOptions,
    /// Where the content of files lies. None: nobody needs any here.
    pub files: Option<FileStore>,
    /// How long things stay that nobody needs any more.
    pub retention: retention::RetentionOptions,
    /// Where the indexes of search are kept. None: nothing is searched.
    pub search_folder: Option<PathBuf>,
    /// How records are found by their words.
    pub search: search::SearchOptions,
}

impl WorkspaceOptions {
    /// The defaults for this database. Cursors are signed with the key.
    #[must_use]
    pub fn new(database: DatabaseOptions, host: Arc<Host>, cursor_key: CursorKey) -> Self {
        Self {
            reader: ReaderOptions::new(database.url.clone(), cursor_key),
            database,
            host,
            region: None,
            currency: None,
            poll: Duration::from_secs(1),
            plugin_faults_max: 10,
            delivery: outbox::DeliveryOptions::default(),
            files: None,
            retention: retention::RetentionOptions::default(),
            search_folder: None,
            search: search::SearchOptions::default(),
        }
    }
}

/// One customer's workspace. Cheap to clone.
#[derive(Clone)]
pub struct Workspace {
    shared: Arc<Shared>,
}

struct Shared {
    options: WorkspaceOptions,
    database: Database,
    reader: Reader,
    state: ArcSwap<State>,
    /// One loads at a time.
    loading: Mutex<()>,
    /// Held by each change of the catalogue, or by those who need it to stay for a while.
    catalogue: Arc<RwLock<()>>,
    revision: watch::Sender<u64>,
    /// The outbox has something new.
    outbox: Notify,
    /// The same, for the index of search.
    search: Notify,
    /// Absent where nothing is searched, or where there can be no index.
    index: Option<Arc<search::Searchable>>,
    ending: watch::Sender<bool>,
    tasks: std::sync::Mutex<tokio::task::JoinSet<()>>,
    tokens: TokenCache,
    jobs: Jobs,
    conditions: OnceLock<Arc<dyn Conditions>>,
    index_failures: indexes::Failures,
}

/// Whether a workspace can serve, and if not, why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    /// One for each thing that is not ready; none when it can serve.
    pub reasons: Vec<String>,
    /// Plugins that don't take part although they should. They don't keep a workspace from
    /// serving.
    pub warnings: Vec<String>,
}

impl Readiness {
    /// Whether it can serve.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Workspace")
            .field("revision", &self.state().revision)
            .finish_non_exhaustive()
    }
}

impl Workspace {
    /// Opens a workspace. To change it: applies migrations, applies the standard objects where
    /// they are new or have changed, loads plugins, follows other processes and delivers the
    /// outbox. To look: only loads what is there.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database can't be reached, is held by another process or was
    /// written by a newer program; `INTERNAL` for what is our mistake.
    ///
    /// Boxed, because the machine code of a future that is not boxed is made in each crate that
    /// polls it; and all that runs beside the requests begins in this one.
    pub fn open(options: WorkspaceOptions) -> BoxFuture<'static, Result<Self, AppError>> {
        Box::pin(Self::open_now(options))
    }

    async fn open_now(options: WorkspaceOptions) -> Result<Self, AppError> {
        let database = Database::open(&options.database).await?;
        let changes = options.database.purpose == Purpose::Change;
        if changes {
            let applied = database.migrate().await?;
            if !applied.is_empty() {
                tracing::info!(migrations = ?applied, "migrated");
            }
        }
        let reader = Reader::open(&options.reader).await?;
        let workspace = Self {
            shared: Arc::new(Shared {
                state: ArcSwap::from_pointee(State {
                    catalogue: Arc::new(Catalogue::default()),
                    plugins: Arc::default(),
                    directory: Arc::default(),
                    revision: 0,
                }),
                loading: Mutex::new(()),
                catalogue: Arc::default(),
                revision: watch::Sender::new(0),
                outbox: Notify::new(),
                search: Notify::new(),
                index: changes.then(|| search::open(&options)).flatten(),
                ending: watch::Sender::new(false),
                tasks: std::sync::Mutex::default(),
                tokens: TokenCache::default(),
                jobs: Jobs::default(),
                conditions: OnceLock::new(),
                index_failures: indexes::Failures::default(),
                options,
                database,
                reader,
            }),
        };
        workspace.refresh().await?;
        if changes {
            workspace.upgrade_standard().await?;
            workspace.spawn(follow(workspace.clone()));
            workspace.spawn(outbox::pump(workspace.clone()));
            workspace.spawn(retention::keep_house(workspace.clone()));
            workspace.spawn(jobs::run(workspace.clone()));
            workspace.spawn(indexes::keep(workspace.clone()));
            if let Some(index) = &workspace.shared.index {
                workspace.spawn(search::keep(workspace.clone(), Arc::clone(index)));
            }
        }
        Ok(workspace)
    }

    /// What the workspace is now.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.shared.state.load_full()
    }

    /// Its database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.shared.database
    }

    /// Its compiled reads.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.shared.reader
    }

    /// How it was opened.
    #[must_use]
    pub fn options(&self) -> &WorkspaceOptions {
        &self.shared.options
    }

    /// As long as the guard lives, this process does not change the catalogue. For who has found
    /// it changed on the way: changes that follow each other without a pause would always be
    /// faster. Who waits to change it goes first.
    pub async fn steady(&self) -> Steady {
        Steady(Arc::clone(&self.shared.catalogue).read_owned().await)
    }

    /// Keeps who asked for [`Workspace::steady`] and other changes out.
    pub(crate) async fn change_catalogue(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.shared.catalogue).write_owned().await
    }

    /// Hears of each new revision.
    #[must_use]
    pub fn subscribe_revision(&self) -> watch::Receiver<u64> {
        self.shared.revision.subscribe()
    }

    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.shared.options.host
    }

    pub(crate) fn tokens(&self) -> &TokenCache {
        &self.shared.tokens
    }

    /// Says who knows the form in which lists take conditions. The first who says so is asked.
    pub fn read_conditions_by(&self, conditions: Arc<dyn Conditions>) {
        let _ = self.shared.conditions.set(conditions);
    }

    /// A condition as lists take it.
    pub(crate) async fn condition(
        &self,
        caller: &Caller,
        object: &str,
        condition: &serde_json::Value,
    ) -> Result<relata_store::filter::Filter, AppError> {
        match self.shared.conditions.get() {
            Some(conditions) => conditions.read(self, caller, object, condition).await,
            None => Err(AppError::Unavailable(
                "nobody here reads conditions yet".to_owned(),
            )),
        }
    }

    pub(crate) fn index_failures(&self) -> &indexes::Failures {
        &self.shared.index_failures
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        &self.shared.jobs
    }

    /// Whether it can serve: migrations applied, catalogue and tables agree, plugins loaded.
    pub async fn ready(&self) -> Readiness {
        let mut readiness = Readiness::default();
        match self.database().pending_migrations().await {
            Ok(pending) if pending.is_empty() => {}
            Ok(pending) => readiness
                .reasons
                .push(format!("migrations are pending: {}", pending.join(", "))),
            Err(error) => {
                readiness.reasons.push(AppError::from(error).message());
                return readiness;
            }
        }
        match self.database().catalogue_revision().await {
            Ok(revision) if revision == self.state().revision => {}
            Ok(revision) => readiness.reasons.push(format!(
                "the catalogue is at revision {revision}, this process still at {}",
                self.state().revision
            )),
            Err(error) => readiness.reasons.push(AppError::from(error).message()),
        }
        if *self.shared.ending.borrow() {
            readiness.reasons.push("the server is ending".to_owned());
        }
        for plugin in self.state().plugins.iter() {
            if let Some(reason) = plugin.status.reason() {
                readiness.warnings.push(format!(
                    "the plugin {} does not run ({}): {reason}",
                    plugin.id,
                    plugin.status.name()
                ));
            }
        }
        readiness
    }

    /// Ends what runs beside the requests, and closes the database. Requests in flight should
    /// have ended.
    pub async fn close(&self) {
        self.shared.ending.send_replace(true);
        let mut tasks = {
            let mut tasks = self
                .shared
                .tasks
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        /// A delivery in progress may end; after this long it is cut off, and comes again.
        const PATIENCE: Duration = Duration::from_secs(5);
        let ended = tokio::time::timeout(PATIENCE, async {
            while tasks.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tasks.shutdown().await;
        }
        self.shared.reader.close().await;
        self.shared.database.close().await;
    }

    /// Runs beside the requests until the workspace is closed.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared
            .tasks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .spawn(task);
    }

    /// Becomes true when the workspace is being closed.
    pub(crate) fn ending(&self) -> watch::Receiver<bool> {
        self.shared.ending.subscribe()
    }

    pub(crate) fn wake_consumers(&self) {
        self.shared.outbox.notify_one();
        self.shared.search.notify_one();
    }

    pub(crate) fn search_wakes(&self) -> &Notify {
        &self.shared.search
    }

    pub(crate) fn searchable(&self) -> Option<&Arc<search::Searchable>> {
        self.shared.index.as_ref()
    }

    pub(crate) fn outbox_wakes(&self) -> &Notify {
        &self.shared.outbox
    }

    /// Begins a transaction on the state that the database is in: another process may have
    /// changed the catalogue a moment ago.
    pub(crate) async fn begin(&self, turn: Turn) -> Result<(Transaction, Arc<State>), AppError> {
        self.begin_as(Access::Write(turn)).await
    }

    /// As [`Workspace::begin`], to read only, on one snapshot and without a turn.
    pub(crate) async fn begin_snapshot(&self) -> Result<(Transaction, Arc<State>), AppError> {
        self.begin_as(Access::Read).await
    }

    async fn begin_as(&self, access: Access) -> Result<(Transaction, Arc<State>), AppError> {
        /// The catalogue changes rarely; more often than this in a row it does not.
        const TRIES: usize = 5;
        for _ in 0..TRIES {
            // Held before the turn: a new state comes with a new revision, which is noticed.
            let state = self.state();
            let begun = match access {
                Access::Write(turn) => self.database().begin_at(turn, state.revision).await?,
                Access::Read => {
                    let snapshot = self.database().snapshot().await?;
                    let revision = snapshot.catalogue_revision().await?;
                    (revision == state.revision).then_some(snapshot)
                }
            };
            if let Some(transaction) = begun {
                return Ok((transaction, state));
            }
            self.refresh().await?;
        }
        Err(AppError::Conflict)
    }

    /// Loads what the database holds, where it differs from what is in memory.
    pub(crate) async fn refresh(&self) -> Result<(), AppError> {
        let _one = self.shared.loading.lock().await;
        let catalogue = self.database().load_catalogue().await?;
        self.swap_people(self.load_people().await?);
        let before = self.state();
        if catalogue.revision == before.revision && before.revision > 0 {
            return Ok(());
        }
        let installed = plugins::load_all(self, &before.plugins).await?;
        let plugins = Plugins::bind(&catalogue, installed);
        let people = Arc::clone(before.directory.people());
        let directory = Directory::new(people, &catalogue, &plugins, &before.directory);
        self.swap(State {
            revision: catalogue.revision,
            catalogue: Arc::new(catalogue),
            plugins: Arc::new(plugins),
            directory: Arc::new(directory),
        });
        Ok(())
    }

    /// The next state takes over; who holds the old one goes on with it. A state never goes back.
    /// The people stay those of the moment: a change of the catalogue may have been under way for
    /// long, and knows of none that came meanwhile.
    pub(crate) fn swap(&self, next: State) {
        let revision = next.revision;
        self.shared.state.rcu(|now| {
            if now.revision > revision {
                return Arc::clone(now);
            }
            let people = Arc::clone(now.directory.people());
            Arc::new(State {
                directory: Arc::new(next.directory.with_people(people)),
                ..next.clone()
            })
        });
        self.shared.revision.send_if_modified(|known| {
            let newer = revision > *known;
            *known = revision.max(*known);
            newer
        });
    }

    /// Who acts, as read under the lock of loading.
    async fn load_people(&self) -> Result<People, AppError> {
        // Before they are read: a change in between is noticed the next time.
        let stamp = self.database().people_stamp().await?;
        let users = self.database().users().await?;
        let tokens = self.database().tokens().await?;
        Ok(People {
            users: users
                .iter()
                .map(|user| (user.id, crate::users::info(user)))
                .collect(),
            tokens: tokens
                .into_iter()
                .map(|token| (token.id, token.name))
                .collect(),
            stamp,
        })
    }

    /// The people take over at whatever revision there is. Only with the lock of loading, so that
    /// none who were read earlier replace those who were read later.
    fn swap_people(&self, people: People) {
        let people = Arc::new(people);
        self.shared.state.rcu(|now| State {
            directory: Arc::new(now.directory.with_people(Arc::clone(&people))),
            ..(**now).clone()
        });
    }

    /// Users or tokens have changed: their names are read again.
    pub(crate) async fn refresh_people(&self) -> Result<(), AppError> {
        let _one = self.shared.loading.lock().await;
        self.swap_people(self.load_people().await?);
        Ok(())
    }

    /// The standard objects are a blueprint of the owner `relata`: applied when the workspace is
    /// new, and again when the bundled one has changed.
    async fn upgrade_standard(&self) -> Result<(), AppError> {
        let blueprint = relata_catalog::Blueprint::parse(STANDARD).map_err(|issues| {
            tracing::error!(%issues, "the bundled blueprint is not valid");
            AppError::broken("the bundled blueprint is not valid")
        })?;
        let view = catalogue::carry_out(
            self,
            &Caller::system(),
            &catalogue::Proposal {
                confirm: catalogue::Confirm::All,
                ..catalogue::Proposal::of(OWNER_PLATFORM, blueprint)
            },
        )
        .await?;
        if !view.steps.is_empty() {
            tracing::info!(
                steps = view.steps.len(),
                "the standard objects are up to date"
            );
        }
        Ok(())
    }

    /// Counts a plugin's fault; at the limit the plugin is suspended, in a transaction of its own
    /// since the one at hand may be undone.
    pub(crate) fn note_plugin_fault(&self, plugin: &Arc<Installed>, message: &str) {
        let faults = plugin.note_fault();
        if faults < self.options().plugin_faults_max
            || plugin.status != Status::Enabled
            || !plugin.begin_suspension()
        {
            return;
        }
        let reason = format!("{faults} faults in a row; the last: {message}");
        tracing::error!(plugin = plugin.id, reason, "the plugin is suspended");
        let (workspace, plugin) = (self.clone(), Arc::clone(plugin));
        tokio::spawn(async move {
            if let Err(error) = plugins::plugin_suspend(&workspace, &plugin.id, &reason).await {
                tracing::error!(
                    plugin = plugin.id, %error,
                    "the plugin could not be suspended; its next fault tries again"
                );
                plugin.give_up_suspension();
            }
        });
    }
}

/// See [`Workspace::steady`].
#[must_use]
pub struct Steady(#[expect(dead_code, reason = "held, not used")] OwnedRwLockReadGuard<()>);

/// What a transaction is begun for.
#[derive(Clone, Copy)]
enum Access {
    Write(Turn),
    Read,
}

/// Follows changes that other processes make.
async fn follow(workspace: Workspace) {
    let mut ending = workspace.ending();
    loop {
        tokio::select! {
            _ = ending.wait_for(|ending| *ending) => return,
            () = tokio::time::sleep(workspace.options().poll) => {}
        }
        match workspace.database().catalogue_revision().await {
            Ok(revision) if revision == workspace.state().revision => {
                if let Err(error) = follow_people(&workspace).await {
                    tracing::warn!(%error, "names can't be read");
                }
            }
            Ok(_) => {
                if let Err(error) = workspace.refresh().await {
                    tracing::error!(%error, "the new revision can't be loaded");
                }
            }
            Err(error) => tracing::warn!(%error, "the revision can't be read"),
        }
    }
}

/// Users and tokens have no revision: the database sums them up, and they are read when the sum
/// is another one.
async fn follow_people(workspace: &Workspace) -> Result<(), AppError> {
    let stamp = workspace.database().people_stamp().await?;
    if stamp != workspace.state().directory.people().stamp {
        workspace.refresh_people().await?;
    }
    Ok(())
}
