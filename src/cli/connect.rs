//! Where an engine comes from: this process opens the data folder, or attaches to the process that holds it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::Face;
use crate::error::{Error, Result};
use crate::log::{Log, Records};

pub use super::topic::TextShower;

/// Which engine is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub data_dir: PathBuf,
    /// The most bytes that state may take; `None`: the engine decides.
    pub memory_bytes_max: Option<u64>,
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
    pub shower: Arc<dyn Shower>,
    /// Commits and lets go of the folder; called once.
    pub shutdown: Option<Box<dyn FnOnce() -> Result<()> + Send>>,
}

impl Connected {
    /// Commits and lets go of the folder.
    pub fn close(&mut self) -> Result<()> {
        self.shutdown.take().map_or(Ok(()), |shutdown| shutdown())
    }
}

/// Shows the key and value of a record by what is known of its topic.
pub trait Shower: Send + Sync {
    fn show(&self, topic: &str, records: &Records, row: usize) -> Shown;
}

/// A record's key and value as JSON texts without line breaks (`null` for null).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub key: String,
    pub value: String,
    /// Of a windowed key: start and, where it is known, end, in ms.
    pub window: Option<(i64, Option<i64>)>,
}

/// Opens the folder, or attaches to its owner.
pub fn connect(connection: &Connection) -> Result<Connected> {
    let _ = connection;
    Err(Error::not_supported("the engine", "this build has the command line only"))
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

/// A job that runs.
pub trait Job {
    /// One entry a query, in the order of the file.
    fn progress(&self) -> Vec<QueryProgress>;
    /// Waits at most `timeout`. `Some`: the job has ended by itself, well or with the error of its first failed query.
    fn wait(&self, timeout: std::time::Duration) -> Option<Result<()>>;
    /// Commits and stops; called once, also when the job has ended by itself. `progress` still answers after it.
    fn stop(&mut self) -> Result<()>;
}

/// How far a query is, counted from the start of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryProgress {
    pub id: String,
    pub rows_in: u64,
    pub rows_out: u64,
    pub late: u64,
    pub bad: u64,
    /// Records of the sources that are still to be read.
    pub lag: u64,
    /// `RUNNING`, `RECOVERING`, `PAUSED`, `BLOCKED (reason)`, `FAILED (reason)`, `COMPLETED`
    pub state: String,
}

/// Starts a job on a folder, which this process must be able to hold.
pub fn start_job(connection: &Connection, spec: &JobSpec) -> Result<Box<dyn Job>> {
    let _ = (connection, spec);
    Err(Error::not_supported("run", "this build has the command line only"))
}

/// Verdicts of `millpond test`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TestSummary {
    pub passed: usize,
    pub failed: usize,
    pub errors: usize,
}

/// Runs test files, writes each case's verdict and a summary to `out` and, where asked, a JSON line a case to `report`.
pub fn run_tests(
    paths: &[PathBuf],
    report: Option<&std::path::Path>,
    out: &mut dyn std::io::Write,
) -> Result<TestSummary> {
    let _ = (paths, report, out);
    Err(Error::not_supported("test", "this build has the command line only"))
}
