//! The engine: what a data folder does while a process holds it. Brings catalog, log and queries together; it is the
//! face that terminals, jobs, the socket and embedding programs use.

mod assert;
mod behind;
mod belonging;
mod change;
mod cycle;
mod delete;
mod events;
mod face;
pub mod facts;
mod groups;
mod insert;
mod job;
mod membership;
pub(crate) mod peers;
mod print;
mod pull;
mod query;
mod reached;
mod retry;
mod rows;
mod seat;
pub(crate) mod settings;
mod settle;
mod show;
pub(crate) mod shown;
mod standing;
mod statement;
mod stepped;
#[cfg(test)]
mod tests;
mod transient;
mod users;
mod warning;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

pub use crate::catalog::SourceWindow;
pub use crate::format::{Format, Layout};
pub(crate) use belonging::{Belonging, Sameness};
pub use events::{Bounds, CHANNEL_BYTES_MAX, EventSender, Events, event_channel};
pub use face::{
    Face, GroupKind, GroupStanding, Listing, QueryOfGroup, Reply, Rest, ResultColumn, Row, RowEvent, RowStream,
    Session, Status, TopicLayout, TopicUsers, Trial,
};
pub use facts::{Facts, Page, Told};
pub use job::{Job, QueryProgress};
pub use query::QueryState;

use crate::analyze::Sink;
use crate::catalog::{Catalog, Chain, CommandLog, Service, Source};
pub use crate::config::InternalTopics;
use crate::dataflow::layout;
use crate::engine::change::{Followed, Follower, Remains};
use crate::engine::query::Queries;
use crate::engine::seat::Seat;
use crate::engine::stepped::SteppedQueries;
use crate::engine::transient::Pushes;
use crate::error::{Audience, Error, Result};
use crate::log::embedded::{EmbeddedLog, EmbeddedOptions};
use crate::log::kafka::{KafkaConfig, KafkaLog};
use crate::log::{Log, LogError, Tell, TopicPartition, create_if_missing, internal_topic};
use crate::messages;
use crate::plan::StageInput;
use crate::query::View;
use crate::sql::ast::{ParsedStatement, Statement};
use crate::state::MemoryBudget;
pub use crate::state::snapshots::SnapshotOptions;
use crate::state::snapshots::SnapshotStore;

/// How an engine works.
#[derive(Clone)]
pub struct Options {
    /// What all queries together may hold: state, rows for pull queries, records that wait for a commit.
    pub memory_bytes_max: usize,
    /// A job that is to end gives up when something outside keeps one of its queries from any commit for so long.
    pub blocked_max: Duration,
    /// How the log keeps its data.
    pub log: EmbeddedOptions,
    /// Whose names its own topics and groups have.
    pub service: Service,
    /// When snapshots of the queries' state are taken.
    pub snapshots: SnapshotOptions,
    /// How topics of its own are made on a cluster.
    pub internal_topics: InternalTopics,
    /// Takes lines about what the queries, and the follower of the command log, notice by themselves.
    pub tell: Option<Tell>,
    /// On a cluster: whether this process does the work of the service's queries, or only looks at them.
    pub works: bool,
}

/// Where the log lies in a data folder.
const LOG_FOLDER: &str = "log";

/// Where the snapshots of the queries' state lie.
const STATE_FOLDER: &str = "state";

/// What mends itself (a disk that is made room on, a topic that is being created) has done so by then.
const BLOCKED_MAX: Duration = Duration::from_secs(60);

/// Bytes that all queries together may hold, unless `--memory` says else.
pub const MEMORY_BYTES_DEFAULT: usize = 2 << 30;

impl Default for Options {
    fn default() -> Self {
        Options {
            memory_bytes_max: MEMORY_BYTES_DEFAULT,
            blocked_max: BLOCKED_MAX,
            log: EmbeddedOptions::default(),
            service: Service::default(),
            internal_topics: InternalTopics::default(),
            snapshots: SnapshotOptions::default(),
            works: true,
            tell: None,
        }
    }
}

/// Who drives the persistent queries.
enum Drive {
    /// A thread each.
    Threads(Mutex<Queries>),
    /// The caller, step by step, so that every record is through before the next: for tests of SQL.
    Stepped(Mutex<SteppedQueries>),
}

/// An open data folder. Cheap to clone; the folder is let go when the last clone is dropped.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    log: Arc<dyn Log>,
    service: Service,
    /// None: everything is in memory.
    snapshots: Option<SnapshotStore>,
    /// Of a cluster: this process among those of its service.
    seat: Option<Seat>,
    /// How topics of its own are made.
    internal_topics: InternalTopics,
    works: bool,
    tell: Option<Tell>,
    commands: CommandLog,
    /// How far the catalog is in the command log. Held by whoever changes what exists.
    changing: Mutex<Chain>,
    catalog: RwLock<Catalog>,
    /// The analysis of each persistent query.
    sinks: RwLock<BTreeMap<String, Arc<Sink>>>,
    /// Rows of tables for pull queries, by the table's name.
    views: RwLock<BTreeMap<String, Arc<View>>>,
    drive: Drive,
    memory: Arc<MemoryBudget>,
    blocked_max: Duration,
    /// Commands that could not be replayed: (offset, why).
    quarantined: RwLock<Vec<(i64, String)>>,
    /// Queries whose run could not be started, and why.
    not_started: RwLock<BTreeMap<String, Error>>,
    /// What queries that ended, and dropped streams and tables, may have left.
    remains: Mutex<Vec<Arc<Remains>>>,
    /// Takes in what other processes write to the command log.
    follower: Mutex<Follower>,
    followed: Mutex<Followed>,
    /// Topics that statements name and that aren't there are made (tests of SQL).
    create_missing_topics: bool,
    next_transient: std::sync::atomic::AtomicU64,
    /// Where push queries go on together.
    pushes: Arc<Pushes>,
    /// The command topic and that of the processing log are known to be there.
    own_topics_made: AtomicBool,
    /// What is known of other processes of the service.
    around: peers::Around,
    /// The catalog's queries were started.
    started: std::sync::Once,
}

impl Engine {
    /// Opens a service on a Kafka cluster, with this data folder; replays its commands. None: another process holds the
    /// folder.
    ///
    /// Errors: the cluster doesn't answer or refuses, or the folder is of another log or service, or may not be written.
    pub(crate) fn try_open_cluster(folder: &Path, kafka: &KafkaConfig, options: Options) -> Result<Option<Engine>> {
        let wanted = Belonging::wanted(Some(kafka), &options.service);
        // Before anything is made there.
        belonging::check(folder, LOG_FOLDER, &wanted)?;
        let Some(mut seat) = Seat::take(folder)? else { return Ok(None) };
        let log = KafkaLog::open(kafka)?;
        let belonging = wanted.with_id(log.cluster_id()?);
        belonging::claim(folder, LOG_FOLDER, &belonging)?;
        seat.belonging = Some(belonging);
        let log: Arc<dyn Log> = Arc::new(log);
        let snapshots = Some(SnapshotStore::open(&folder.join(STATE_FOLDER), options.snapshots));
        let engine = Engine::over_seat(log, snapshots, Some(seat), options, Drive::Threads(Mutex::default()), false)?;
        engine.declare_processing_log()?;
        engine.replay()?;
        Ok(Some(engine))
    }

    /// Opens a data folder: makes it when it isn't there, replays its commands.
    ///
    /// Errors: the folder is held by another process or of a Kafka cluster, was written by a newer version, is damaged or may
    /// not be written.
    pub fn open(folder: &Path, options: Options) -> Result<Engine> {
        belonging::check(folder, LOG_FOLDER, &Belonging::wanted(None, &options.service))?;
        Engine::over_folder(EmbeddedLog::open(&folder.join(LOG_FOLDER), options.log.clone())?, folder, options)
    }

    /// As [`Engine::open`]; None: another process holds the folder.
    pub fn try_open(folder: &Path, options: Options) -> Result<Option<Engine>> {
        belonging::check(folder, LOG_FOLDER, &Belonging::wanted(None, &options.service))?;
        match EmbeddedLog::open(&folder.join(LOG_FOLDER), options.log.clone()) {
            Ok(log) => Engine::over_folder(log, folder, options).map(Some),
            Err(LogError::Held(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn over_folder(log: EmbeddedLog, folder: &Path, options: Options) -> Result<Engine> {
        let snapshots = SnapshotStore::open(&folder.join(STATE_FOLDER), options.snapshots);
        let engine = Engine::over(Arc::new(log), Some(snapshots), options, Drive::Threads(Mutex::default()), false)?;
        engine.declare_processing_log()?;
        engine.replay()?;
        Ok(engine)
    }

    /// Starts the folder's persistent queries where they stopped; on a cluster, begins to follow what other processes of the
    /// service change. Happens by itself at the first statement; a process that only works with topics does without.
    pub fn start(&self) {
        self.inner.started.call_once(|| {
            self.start_all();
            self.inner.start_following();
        });
    }

    /// An engine without a disk whose queries run when `settle` is called.
    pub fn stepped(options: Options) -> Result<Engine> {
        let log: Arc<dyn Log> = Arc::new(EmbeddedLog::in_memory());
        Engine::over(log, None, options, Drive::Stepped(Mutex::default()), true)
    }

    fn over(
        log: Arc<dyn Log>,
        snapshots: Option<SnapshotStore>,
        options: Options,
        drive: Drive,
        create_missing_topics: bool,
    ) -> Result<Engine> {
        Engine::over_seat(log, snapshots, None, options, drive, create_missing_topics)
    }

    fn over_seat(
        log: Arc<dyn Log>,
        snapshots: Option<SnapshotStore>,
        seat: Option<Seat>,
        options: Options,
        drive: Drive,
        create_missing_topics: bool,
    ) -> Result<Engine> {
        let service = options.service.clone();
        // The log in a folder keeps one copy, whatever is said for a cluster.
        let internal_topics = if seat.is_some() { options.internal_topics } else { InternalTopics::default() };
        let commands = CommandLog::new(log.clone(), service.command_topic());
        let inner = Inner {
            log,
            service,
            snapshots,
            seat,
            internal_topics,
            works: options.works,
            tell: options.tell,
            commands,
            changing: Mutex::default(),
            catalog: RwLock::default(),
            sinks: RwLock::default(),
            views: RwLock::default(),
            drive,
            memory: MemoryBudget::new(options.memory_bytes_max),
            blocked_max: options.blocked_max,
            quarantined: RwLock::default(),
            not_started: RwLock::default(),
            remains: Mutex::default(),
            follower: Mutex::default(),
            followed: Mutex::default(),
            create_missing_topics,
            next_transient: std::sync::atomic::AtomicU64::new(1),
            pushes: Arc::default(),
            own_topics_made: AtomicBool::new(false),
            around: peers::Around::default(),
            started: std::sync::Once::new(),
        };
        if !inner.is_shared() {
            inner.make_own_topics()?;
        }
        Ok(Engine { inner: Arc::new(inner) })
    }

    /// Runs a script: any number of statements, without the rows of SELECT and PRINT.
    pub fn run(&self, sql: &str) -> Result<()> {
        let mut session = Session::default();
        for parsed in crate::sql::parse(sql)? {
            self.execute(&mut session, &parsed.text).map_err(|error| error.at(parsed.at))?;
        }
        Ok(())
    }

    /// The rows of a pull query (a SELECT without EMIT).
    pub fn pull(&self, sql: &str) -> Result<Vec<Row>> {
        self.subscribe(sql)?.collect()
    }

    /// The rows of a push query (SELECT ... EMIT CHANGES) as they come, until the stream is dropped.
    pub fn subscribe(&self, sql: &str) -> Result<RowStream> {
        match self.execute(&mut Session::default(), sql)? {
            Reply::Rows(rows) => Ok(rows),
            _ => Err(messages::statements::without_rows()),
        }
    }

    /// The log and the service that it is of.
    pub(crate) fn belonging(&self) -> Belonging {
        let of_cluster = self.inner.seat.as_ref().and_then(|seat| seat.belonging.clone());
        of_cluster.unwrap_or_else(|| Belonging::wanted(None, &self.inner.service))
    }

    /// Whether this process does the work of the queries (once it has started), or only looks at them.
    pub(crate) fn works(&self) -> bool {
        self.inner.works
    }

    /// The ways of rows between stages of queries: the name of the topic where processes share the work, the key, and the
    /// partitions.
    pub(crate) fn exchanges(&self) -> Vec<(String, Layout, u32)> {
        let mut exchanges = Vec::new();
        for (id, sink) in &*self.inner.sinks.read() {
            let (plan, group) = (&sink.analyzed.plan, self.inner.service.query_group(id));
            // A topic that is gone stops its query, which says so.
            let stages = layout(plan, &group, &*self.inner.log).unwrap_or_default();
            for stage in &stages {
                if let (Some(topic), Some((to, input))) = (&stage.out, stage.to)
                    && let StageInput::Exchange(exchange) = plan.stages[to].inputs()[input]
                {
                    exchanges.push((topic.clone(), exchange.key.clone(), stages[to].partitions));
                }
            }
        }
        exchanges
    }

    /// What exists now.
    pub fn catalog(&self) -> Catalog {
        self.inner.catalog.read().clone()
    }

    /// Commands of the command log that could not be replayed: (offset, why). Their effects are missing.
    pub fn quarantined(&self) -> Vec<(i64, String)> {
        self.inner.quarantined.read().clone()
    }

    /// State of a persistent query.
    pub fn query_state(&self, id: &str) -> Option<QueryState> {
        self.inner.query_state(id)
    }

    /// Commits all queries and stops them.
    pub fn shutdown(&self) {
        self.inner.follower.lock().stop();
        if let Drive::Threads(queries) = &self.inner.drive {
            queries.lock().stop_all();
        }
    }
}

impl Inner {
    /// On a cluster: when something is to be written to them. Who only looks leaves nothing there.
    fn make_own_topics(&self) -> Result<()> {
        if self.own_topics_made.load(Ordering::Relaxed) {
            return Ok(());
        }
        for topic in [self.service.processing_log_topic(), self.service.command_topic()] {
            create_if_missing(&*self.log, &self.internal_topics.apply(internal_topic(&topic)))?;
        }
        self.own_topics_made.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn query_state(&self, id: &str) -> Option<QueryState> {
        if let Some(error) = self.not_started.read().get(id) {
            // Where queries come without a statement given here, they are also tried again without one.
            let again = self.is_shared() && error.audience == Audience::World && !error.lasting;
            let reason = error.to_string();
            return Some(if again { QueryState::Blocked(reason) } else { QueryState::Failed(reason) });
        }
        match &self.drive {
            Drive::Threads(queries) => queries.lock().get(id).map(|query| query.state.lock().clone()),
            Drive::Stepped(queries) => queries.lock().state(id),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.follower.get_mut().stop();
        if let Drive::Threads(queries) = &mut self.drive {
            queries.get_mut().stop_all();
        }
    }
}

impl Face for Engine {
    fn execute(&self, session: &mut Session, statement: &str) -> Result<Reply> {
        self.start();
        statement::execute(&self.inner, session, statement)
    }

    fn pull_at_once(&self, session: &Session, statement: &ParsedStatement) -> Option<RowStream> {
        match &statement.statement {
            Statement::Select(query) if self.inner.started.is_completed() => {
                pull::pull_at_once(&self.inner, query, &session.properties)
            }
            _ => None,
        }
    }

    fn check_ahead(&self, session: &Session, statements: &[&str]) -> Result<(), (usize, Error)> {
        self.start();
        self.inner.check_ahead(session, statements)
    }

    fn await_command(&self, offset: i64, longest: Duration) -> Result<bool> {
        self.start();
        self.inner.await_command(offset, longest)
    }

    fn insert(&self, target: &str, rows: &[String], properties: &BTreeMap<String, String>) -> Result<(), Rest> {
        self.start();
        self.inner.await_reach().map_err(|error| Rest { written: 0, error })?;
        self.inner.insert_json(target, rows, properties)
    }

    fn query_counts(&self) -> Vec<facts::QueryCounts> {
        show::query_counts(&self.inner)
    }

    fn log(&self) -> Arc<dyn Log> {
        self.inner.log.clone()
    }

    fn shared(&self) -> Option<Engine> {
        self.inner.is_shared().then(|| self.clone())
    }

    fn layouts(&self) -> BTreeMap<String, TopicLayout> {
        self.inner.look_at_commands();
        let catalog = self.inner.catalog.read();
        let layout = |source: &Source| TopicLayout {
            key: source.key.clone(),
            value: source.value.clone(),
            window: source.window,
        };
        catalog.sources().map(|source| (source.topic.clone(), layout(source))).collect()
    }

    fn topic_users(&self, topic: &str) -> Result<TopicUsers> {
        self.inner.look_at_commands();
        Ok(users::of(&self.inner.catalog.read(), topic))
    }

    fn groups(&self, wanted: Option<&str>) -> Result<Vec<GroupStanding>> {
        self.inner.look_at_commands();
        self.inner.groups(wanted)
    }

    fn reset_group(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>, trial: Trial) -> Result<()> {
        self.inner.look_at_commands();
        self.inner.reset_group(group, positions, trial)
    }

    fn names(&self) -> Vec<String> {
        self.inner.look_at_commands();
        let catalog = self.inner.catalog.read();
        let mut names: Vec<String> = catalog
            .sources()
            .flat_map(|source| {
                let columns = source.columns.iter().map(|column| column.name.clone());
                std::iter::once(source.name.clone()).chain(columns).collect::<Vec<_>>()
            })
            .collect();
        names.extend(catalog.queries().map(|query| query.id.clone()));
        names.extend(self.inner.log.topics());
        names.sort();
        names.dedup();
        names
    }
}

fn commit_interval(properties: &BTreeMap<String, String>) -> Duration {
    Duration::from_millis(settings::number(properties, "commit.interval.ms").max(0) as u64)
}
