//! Where an engine comes from: this process opens the data folder, or attaches to the process that holds it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::shown::Shower;
use crate::engine::{Engine, Face, Job, Options};
use crate::error::{Error, Result};
use crate::expr::functions;
use crate::log::Log;
use crate::server::local;
use crate::testing;
use crate::time::now;

/// Which engine is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub data_dir: PathBuf,
    /// The most bytes that state may take; `None`: the engine decides.
    pub memory_bytes_max: Option<u64>,
    /// Changes of a query's state after which a snapshot of it is taken; `None`: the engine decides.
    pub snapshot_records: Option<u64>,
    pub purpose: Purpose,
}

/// What a command wants of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Statements: if this process becomes the owner, the folder's persistent queries run.
    Engine,
    /// Topics only: nothing need run.
    Log,
}

/// A folder that can be worked with.
pub struct Connected {
    pub face: Arc<dyn Face>,
    pub log: Arc<dyn Log>,
    /// Whether this process holds the folder (else it is attached to the one that does).
    pub owner: bool,
    /// Names of all functions, for completion.
    pub functions: Vec<String>,
    /// How `topic consume` shows keys and values.
    pub shower: Arc<Shower>,
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
    let until = now() + HANDOVER_MAX;
    loop {
        if let Some(attached) = local::attach(&connection.data_dir)? {
            return Ok(attached_to(attached));
        }
        match own(connection) {
            Ok(connected) => return Ok(connected),
            Err(error) if error.what.contains("held by another process") && now() < until => {
                std::thread::sleep(HANDOVER_STEP);
            }
            Err(error) => return Err(error),
        }
    }
}

fn attached_to(attached: local::Attached) -> Connected {
    let face: Arc<dyn Face> = Arc::new(attached);
    connected(face, false, None)
}

fn own(connection: &Connection) -> Result<Connected> {
    let engine = open(connection)?;
    if connection.purpose == Purpose::Engine {
        engine.start();
    }
    let server = local::serve(Arc::new(engine.clone()), &connection.data_dir)?;
    let face: Arc<dyn Face> = Arc::new(engine.clone());
    let shutdown = Box::new(move || {
        drop(server);
        engine.shutdown();
        Ok(engine.log().sync()?)
    });
    Ok(connected(face, true, Some(shutdown)))
}

type Shutdown = Box<dyn FnOnce() -> Result<()> + Send>;

fn connected(face: Arc<dyn Face>, owner: bool, shutdown: Option<Shutdown>) -> Connected {
    Connected {
        log: face.log(),
        owner,
        functions: functions::table().names().map(str::to_string).collect(),
        shower: Arc::new(Shower::new(face.layouts())),
        face,
        shutdown,
    }
}

/// Opens the folder; tells of commands that could not be carried out.
fn open(connection: &Connection) -> Result<Engine> {
    let engine = Engine::open(&connection.data_dir, options(connection))?;
    for (offset, reason) in engine.quarantined() {
        eprintln!("warning: a command of the command log (offset {offset}) could not be carried out: {reason}");
    }
    Ok(engine)
}

fn options(connection: &Connection) -> Options {
    let mut options = Options::default();
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

/// Starts a job on a folder, which this process must be able to hold.
pub fn start_job(connection: &Connection, spec: &JobSpec) -> Result<OwnedJob> {
    if let Some(owner) = local::attach(&connection.data_dir)? {
        return Err(Error::world(format!(
            "the data folder {} is held by process {}",
            connection.data_dir.display(),
            owner.owner_pid()
        ))
        .hint("stop that process first, or enter the statements there: `millpond -f FILE` attaches to it"));
    }
    let engine = open(connection)?;
    let server = local::serve(Arc::new(engine.clone()), &connection.data_dir)?;
    let job = Job::start(&engine, &spec.text, &spec.properties, &spec.variables, spec.until_end)?;
    Ok(OwnedJob { job, server: Some(server) })
}

/// Runs test files, writes each case's verdict and a summary to `out` and, where asked, a JSON line a case to `report`.
pub fn run_tests(
    paths: &[PathBuf],
    report: Option<&std::path::Path>,
    out: &mut dyn std::io::Write,
) -> Result<testing::Summary> {
    testing::run(paths, report, &|properties| Ok(Box::new(testing::EngineSubject::new(properties)?)), out)
}
