//! Where an engine comes from: this process opens the data folder, or attaches to the process that holds it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::cli::patience::Patience;
use crate::config::Config;
use crate::engine::shown::Shower;
use crate::engine::{Belonging, Engine, Face, Job, Options, Sameness};
use crate::error::{Error, Result};
use crate::expr::functions;
use crate::log::kafka::find_cluster_id;
use crate::log::{Log, Tell};
use crate::report;
use crate::server::client::Address;
use crate::server::http::{self, HttpOptions, HttpServer};
use crate::server::{Holder, local};
use crate::testing;
use crate::time::now;

/// Which engine is wanted.
#[derive(Debug, Clone)]
pub struct Connection {
    pub data_dir: PathBuf,
    /// A server on the network, instead of the folder.
    pub server: Option<Address>,
    /// The most bytes that state may take; `None`: the engine decides.
    pub memory_bytes_max: Option<u64>,
    /// Changes of a query's state after which a snapshot of it is taken; `None`: the engine decides.
    pub snapshot_records: Option<u64>,
    pub purpose: Purpose,
    /// The cluster that the topics are in, if they aren't in the folder, and what a session begins with.
    pub config: Config,
}

/// What a command wants of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A person's statements. The folder's persistent queries run here if this process is its owner; when another one
    /// was, the person decides who follows it.
    Terminal,
    /// A script's statements, or a job's: as for a person, but this process follows an owner that ends.
    Script,
    /// Topics only: nothing need run. Follows an owner that ends.
    Log,
}

/// A folder that can be worked with.
pub struct Connected {
    pub face: Arc<dyn Face>,
    pub log: Arc<dyn Log>,
    /// Whether this process holds the folder (else it is attached to the one that does).
    pub owner: bool,
    /// The process that holds the folder, where that does no work of the queries (on a cluster).
    pub idle_owner: Option<u32>,
    /// Names of all functions, for completion.
    pub functions: Vec<String>,
    /// How `topic consume` shows keys and values.
    pub shower: Arc<Shower>,
    /// What a session begins with.
    pub properties: BTreeMap<String, String>,
    /// Commits and lets go of the folder; called once.
    pub shutdown: Option<Box<dyn FnOnce() -> Result<()> + Send>>,
}

impl Connected {
    /// Commits and lets go of the folder.
    pub fn close(&mut self) -> Result<()> {
        self.shutdown.take().map_or(Ok(()), |shutdown| shutdown())
    }
}

/// How long to wait for a process that is taking or letting go of the folder.
const HANDOVER_MAX: Duration = Duration::from_secs(3);
const HANDOVER_STEP: Duration = Duration::from_millis(50);

/// Attaches to the process that holds the folder; where there is none, this process takes it.
pub fn connect(connection: &Connection) -> Result<Connected> {
    Ok(Connected { properties: connection.config.properties.clone(), ..connect_any(connection)? })
}

fn connect_any(connection: &Connection) -> Result<Connected> {
    if let Some(server) = &connection.server {
        return Ok(connected(Arc::new(local::attach_to_server(server)?), false, None));
    }
    let until = now() + HANDOVER_MAX;
    loop {
        if let Some(attached) = local::attach(&connection.data_dir)? {
            check_same(&attached.holder().belonging, connection)?;
            return Ok(attached_to(attached, connection));
        }
        match Owned::take(connection)? {
            Some(owned) => {
                let face: Arc<dyn Face> = Arc::new(owned.engine.clone());
                return Ok(connected(face, true, Some(Box::new(move || owned.close()))));
            }
            None if now() < until => std::thread::sleep(HANDOVER_STEP),
            None => return Err(held(&connection.data_dir)),
        }
    }
}

/// Fails unless the folder's owner works with the log, the cluster and the service that this command is for.
fn check_same(owner: &Belonging, connection: &Connection) -> Result<()> {
    let Connection { config, data_dir, .. } = connection;
    let wanted = Belonging::wanted(config.kafka.as_ref(), &config.service);
    match (owner.compare(&wanted), &config.kafka) {
        (Sameness::Same, _) => Ok(()),
        (Sameness::AskForId, Some(kafka)) => {
            let id = find_cluster_id(kafka).map_err(|error| {
                let refused = owner.refuse(data_dir, &wanted);
                Error { what: format!("{}: {error}", refused.what), ..refused }
            })?;
            let wanted = wanted.with_id(id);
            match owner.compare(&wanted) {
                Sameness::Same => Ok(()),
                Sameness::Different | Sameness::AskForId => Err(owner.refuse(data_dir, &wanted)),
            }
        }
        (Sameness::Different | Sameness::AskForId, _) => Err(owner.refuse(data_dir, &wanted)),
    }
}

fn serve(engine: &Engine, folder: &std::path::Path) -> Result<local::LocalServer> {
    let holder = Holder { belonging: engine.belonging(), works: engine.works() };
    local::serve(Arc::new(engine.clone()), holder, folder)
}

fn held(folder: &std::path::Path) -> Error {
    Error::world(format!("the data folder {} is held by another process, which doesn't answer", folder.display()))
        .hint("end that process, or try again")
}

fn attached_to(attached: local::Attached, connection: &Connection) -> Connected {
    if connection.purpose == Purpose::Terminal {
        let idle_owner = (!attached.holder().works).then(|| attached.owner_pid());
        return Connected { idle_owner, ..connected(Arc::new(attached), false, None) };
    }
    let heir = Arc::new(Inheritance { connection: connection.clone(), state: Mutex::new(Inherited::NotYet) });
    let attached = attached.with_heir({
        let heir = Arc::clone(&heir);
        Arc::new(move || heir.enter())
    });
    connected(Arc::new(attached), false, Some(Box::new(move || heir.end())))
}

/// The folder in this process's hands.
struct Owned {
    engine: Engine,
    server: local::LocalServer,
}

impl Owned {
    /// None: another process holds it.
    fn take(connection: &Connection) -> Result<Option<Owned>> {
        let Some(engine) = open(connection)? else { return Ok(None) };
        if connection.purpose != Purpose::Log {
            engine.start();
        }
        let server = serve(&engine, &connection.data_dir)?;
        Ok(Some(Owned { engine, server }))
    }

    fn close(self) -> Result<()> {
        drop(self.server);
        self.engine.shutdown();
        Ok(self.engine.log().sync()?)
    }
}

/// What a command does that is attached when the folder's owner ends: it takes the folder and goes on, attached to itself.
struct Inheritance {
    connection: Connection,
    state: Mutex<Inherited>,
}

enum Inherited {
    NotYet,
    Owned(Owned),
    /// The command is done.
    Ended,
}

impl Inheritance {
    fn enter(&self) -> Result<local::Succession> {
        let mut state = self.state.lock();
        match *state {
            Inherited::Owned(_) => Ok(local::Succession::Serving),
            Inherited::Ended => Ok(local::Succession::Declined),
            Inherited::NotYet => match Owned::take(&self.connection)? {
                Some(owned) => {
                    *state = Inherited::Owned(owned);
                    Ok(local::Succession::Serving)
                }
                None => Ok(local::Succession::Held),
            },
        }
    }

    fn end(&self) -> Result<()> {
        match std::mem::replace(&mut *self.state.lock(), Inherited::Ended) {
            Inherited::Owned(owned) => owned.close(),
            Inherited::NotYet | Inherited::Ended => Ok(()),
        }
    }
}

type Shutdown = Box<dyn FnOnce() -> Result<()> + Send>;

fn connected(face: Arc<dyn Face>, owner: bool, shutdown: Option<Shutdown>) -> Connected {
    Connected {
        log: face.log(),
        owner,
        idle_owner: None,
        functions: functions::table().names().map(str::to_string).collect(),
        shower: Arc::new(Shower::new(face.layouts())),
        properties: BTreeMap::new(),
        face,
        shutdown,
    }
}

/// Opens the folder; tells of commands that could not be carried out, and of data that a loss of power took. None: another process holds it.
fn open(connection: &Connection) -> Result<Option<Engine>> {
    open_to_work(connection, works(connection))
}

/// Whether a process with this purpose does the work of the queries, should it come to hold the folder. On a cluster a command
/// only looks and tells: who shares the work would have it moved to it for the moment that it lives.
fn works(connection: &Connection) -> bool {
    connection.config.kafka.is_none() || connection.purpose == Purpose::Terminal
}

/// As [`open`]; `works`: on a cluster this process takes part in the queries.
fn open_to_work(connection: &Connection, works: bool) -> Result<Option<Engine>> {
    let options = Options { works, ..options(connection) };
    let engine = match &connection.config.kafka {
        Some(kafka) => Engine::try_open_cluster(&connection.data_dir, kafka, options)?,
        None => Engine::try_open(&connection.data_dir, options)?,
    };
    let Some(engine) = engine else { return Ok(None) };
    for (offset, reason) in engine.quarantined() {
        report::warning(&format!("a command of the command log (offset {offset}) could not be carried out: {reason}"));
    }
    for warning in engine.log().warnings() {
        report::warning(&warning);
    }
    for notice in connection.config.notices() {
        report::warning(&notice);
    }
    Ok(Some(engine))
}

fn options(connection: &Connection) -> Options {
    let mut options = Options {
        service: connection.config.service.clone(),
        internal_topics: connection.config.internal_topics,
        ..Options::default()
    };
    let tell: Tell = Arc::new(report::warning);
    options.log.tell = Some(tell.clone());
    options.tell = Some(tell);
    if let Some(bytes) = connection.memory_bytes_max {
        options.memory_bytes_max = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    if let Some(records) = connection.snapshot_records {
        options.snapshots.changed_records_min = records;
        options.snapshots.changed_percent_min = 0;
    }
    options
}

/// A script of queries that runs as a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSpec {
    /// The file's name, for errors.
    pub name: String,
    pub text: String,
    pub properties: BTreeMap<String, String>,
    pub variables: BTreeMap<String, String>,
    /// Ends when what was in the sources at the start is done.
    pub until_end: bool,
}

/// A job and the socket by which other terminals attach to its process.
pub struct OwnedJob {
    pub job: Job,
    server: Option<local::LocalServer>,
}

impl OwnedJob {
    /// Commits and stops.
    pub fn stop(&mut self) -> Result<()> {
        self.server = None;
        self.job.stop()
    }
}

/// Opens a folder, which this process must be able to hold, to do the work of its queries. A cluster that is away is waited
/// for.
fn hold(connection: &Connection, patience: &Patience<'_>) -> Result<Engine> {
    if let Some(owner) = local::attach(&connection.data_dir)? {
        check_same(&owner.holder().belonging, connection)?;
        return Err(Error::world(format!(
            "the data folder {} is held by process {}",
            connection.data_dir.display(),
            owner.owner_pid()
        ))
        .hint("stop that process first, or enter the statements there: `millpond -f FILE` attaches to it"));
    }
    let opened = patience.keep_trying(|| open_to_work(connection, true))?;
    opened.ok_or_else(|| held(&connection.data_dir))
}

/// Starts a job on a folder, which this process must be able to hold. A cluster that is away is waited for: what stood already is
/// left alone when the script is begun again.
pub fn start_job(connection: &Connection, spec: &JobSpec, patience: &Patience<'_>) -> Result<OwnedJob> {
    let engine = hold(connection, patience)?;
    let server = serve(&engine, &connection.data_dir)?;
    let start = || Job::start(&engine, &spec.text, &spec.properties, &spec.variables, spec.until_end);
    let job = patience.keep_trying(start)?;
    Ok(OwnedJob { job, server: Some(server) })
}

/// A server on the network and the folder behind it.
pub struct OwnedServer {
    pub http: HttpServer,
    owned: Owned,
}

impl OwnedServer {
    /// Lets the answers under way go out, commits and lets go of the folder.
    pub fn stop(self) -> Result<()> {
        drop(self.http);
        self.owned.close()
    }
}

/// Opens a folder, which this process must be able to hold, runs its queries, and serves it on the network.
pub fn start_server(connection: &Connection, options: &HttpOptions, patience: &Patience<'_>) -> Result<OwnedServer> {
    let engine = hold(connection, patience)?;
    let holder = Holder { belonging: engine.belonging(), works: engine.works() };
    let http = http::serve(Arc::new(engine.clone()), holder, options)?;
    engine.start();
    let server = serve(&engine, &connection.data_dir)?;
    Ok(OwnedServer { http, owned: Owned { engine, server } })
}

/// Tests on a cluster wait for it most of the time.
const CLUSTER_TESTS_MAX: usize = 16;

/// Runs test files, writes each case's verdict and a summary to `out` and, where asked, a JSON line a case to a report.
/// Without a cluster everything is in memory; the data folder is used by neither. `over_http`: behind a server a test.
pub fn run_tests(
    suite: &testing::Suite<'_>,
    over_http: bool,
    connection: &Connection,
    out: &mut dyn std::io::Write,
) -> Result<testing::Summary> {
    if over_http {
        return suite.run(&|properties| Ok(Box::new(testing::HttpSubject::new(properties)?)), out);
    }
    let Some(kafka) = &connection.config.kafka else {
        return suite.run(&|properties| Ok(Box::new(testing::EngineSubject::new(properties)?)), out);
    };
    let cluster = testing::TestCluster::open(kafka, options(connection))?;
    let suite = testing::Suite { side_by_side: CLUSTER_TESTS_MAX, ..*suite };
    suite.run(&|properties| Ok(Box::new(cluster.subject(properties)?)), out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::produce::writer;
    use crate::log::{Records, TopicPartition, TopicSpec};

    /// The values of `t`, all that were written by any owner.
    fn values(log: &dyn Log) -> Vec<String> {
        let place = TopicPartition { topic: "t".into(), partition: 0 };
        let mut records = Records::default();
        log.fetch(&place, 0, 1 << 20, &mut records).unwrap();
        (0..records.len()).map(|row| String::from_utf8_lossy(records.value(row).unwrap()).into_owned()).collect()
    }

    fn topics_of(folder: &std::path::Path) -> Connection {
        Connection {
            data_dir: folder.to_owned(),
            server: None,
            memory_bytes_max: None,
            snapshot_records: None,
            purpose: Purpose::Log,
            config: Config::default(),
        }
    }

    /// What a command for a cluster is told, without that cluster being asked.
    #[test]
    fn a_command_for_another_log_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let own = topics_of(folder.path());
        let nobody = Some(crate::log::kafka::KafkaConfig::new("127.0.0.1:1").unwrap());
        let cluster = Connection { config: Config { kafka: nobody, ..Config::default() }, ..own.clone() };
        let shop = crate::catalog::Service::new("shop_").unwrap();
        let service = Connection { config: Config { service: shop, ..Config::default() }, ..own.clone() };
        let refused = |connection: &Connection| connect(connection).map(drop).unwrap_err().to_string();

        let mut owner = connect(&own).unwrap();
        let error = refused(&cluster);
        for text in ["is of its own log", "on the Kafka cluster at 127.0.0.1:1", "--data-dir", "--bootstrap-servers"] {
            assert!(error.contains(text), "{text}: {error}");
        }
        let error = refused(&service);
        assert!(error.contains("'default_'") && error.contains("'shop_'"), "{error}");
        let spec = JobSpec {
            name: "job.sql".into(),
            text: String::new(),
            properties: BTreeMap::new(),
            variables: BTreeMap::new(),
            until_end: false,
        };
        let patience = Patience {
            longest: Duration::ZERO,
            signal: Arc::default(),
            given_up: &|| false,
            tell: &|text| panic!("{text}"),
        };
        let error = start_job(&cluster, &spec, &patience).map(drop).unwrap_err().to_string();
        assert!(error.contains("is of its own log"), "{error}");
        owner.close().unwrap();
        drop(owner);
        // Nobody has the folder, and it is the same.
        assert!(refused(&cluster).contains("is of its own log"));
    }

    /// Whoever comes to hold the folder first, or after another.
    #[test]
    fn on_a_cluster_only_a_terminal_works_by_itself() {
        let own = topics_of(std::path::Path::new("/nowhere"));
        let nobody = Some(crate::log::kafka::KafkaConfig::new("127.0.0.1:1").unwrap());
        for (purpose, on_cluster) in [(Purpose::Terminal, true), (Purpose::Script, false), (Purpose::Log, false)] {
            assert!(works(&Connection { purpose, ..own.clone() }), "{purpose:?}");
            let config = Config { kafka: nobody.clone(), ..Config::default() };
            assert_eq!(works(&Connection { purpose, config, ..own.clone() }), on_cluster, "{purpose:?}");
        }
    }

    #[test]
    fn a_command_goes_on_when_the_owner_ends() {
        let folder = tempfile::tempdir().unwrap();
        let connection = topics_of(folder.path());
        let mut owner = connect(&connection).unwrap();
        owner
            .log
            .create_topic(&TopicSpec { name: "t".into(), partitions: 1, replicas: None, configs: BTreeMap::new() })
            .unwrap();
        let mut attached = connect(&connection).unwrap();
        assert!(owner.owner && !attached.owner);
        let mut writer = writer(&attached, "t", None).unwrap();
        for i in 0..30 {
            if i == 10 {
                owner.close().unwrap();
                // Lets go of the lock.
                owner = Connected { face: Arc::clone(&attached.face), log: Arc::clone(&attached.log), ..owner };
            }
            if i == 20 {
                assert!(!connect(&connection).unwrap().owner, "the command holds the folder");
            }
            writer.push(None, Some(i.to_string().as_bytes()), i).unwrap();
            writer.flush().unwrap();
        }
        assert_eq!(writer.written(), 30);
        writer.close();
        let expected: Vec<String> = (0..30).map(|i: i32| i.to_string()).collect();
        assert_eq!(values(&*attached.log), expected);
        assert_eq!(attached.log.groups().unwrap(), Vec::<String>::new());
        attached.close().unwrap();
        drop((attached, owner));
        assert_eq!(values(&*connect(&connection).unwrap().log), expected);
    }
}
