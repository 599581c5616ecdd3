//! The binary, as a person runs it, and a look at what it left in its folder.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use millpond::Engine;
use millpond::log::{Log, Records, TopicPartition};

/// The binary under test: `MILLPOND_BIN`, else a copy of the built one, so that a build beside the test doesn't change it
/// half way.
pub fn millpond() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        if let Some(binary) = std::env::var_os("MILLPOND_BIN") {
            return binary.into();
        }
        let copy = std::env::temp_dir().join(format!("millpond-it-{}", std::process::id()));
        std::fs::copy(env!("CARGO_BIN_EXE_millpond"), &copy).expect("the binary can be copied");
        copy
    })
}

/// The binary on a data folder, its output kept.
pub fn on(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(millpond());
    command.arg("--data-dir").arg(folder).args(args);
    command.env_remove("MILLPOND_DATA_DIR").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// None: a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs to the end.
pub fn run(folder: &Path, args: &[&str]) -> Ended {
    on(folder, args).output().expect("the binary runs").into()
}

/// Runs to the end, which must be a good one; gives what it wrote.
pub fn run_ok(folder: &Path, args: &[&str]) -> String {
    let ended = run(folder, args);
    assert_eq!(ended.code, Some(0), "{args:?}: {ended:#?}");
    ended.stdout
}

/// Says that a test couldn't be carried out here, past the capture of what tests say: it counts as passed, and `.ci/run` lists it.
pub fn skipped(what: &str) {
    use std::io::Write;
    // A line of its own, whatever others write.
    std::io::stderr().write_all(format!("\nSKIPPED: {what}\n").as_bytes()).expect("stderr can be written");
}

/// A process that must not outlive its test.
pub struct Running(pub Child);

impl Running {
    pub fn start(mut command: Command) -> Running {
        Running(command.spawn().expect("the binary runs"))
    }

    /// `kill -9`, and waits for it.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A record as it lies in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

impl std::fmt::Display for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &Option<Vec<u8>>| match bytes {
            None => "null".to_owned(),
            Some(bytes) => String::from_utf8_lossy(bytes).escape_debug().to_string(),
        };
        write!(f, "offset {} time {} {} = {}", self.offset, self.timestamp, text(&self.key), text(&self.value))
    }
}

/// A folder that no process holds; no query runs.
pub fn open(folder: &Path) -> Engine {
    Engine::open(folder, millpond::Options::default()).expect("the folder opens")
}

/// All records of a topic, by partition.
pub fn read_topic(log: &dyn Log, topic: &str) -> Vec<Vec<Stored>> {
    let partitions = log.partitions(topic).unwrap_or_else(|| panic!("topic {topic} is there"));
    let places = (0..partitions).map(|partition| TopicPartition { topic: topic.to_owned(), partition });
    places.map(|place| read_partition(log, &place)).collect()
}

fn read_partition(log: &dyn Log, place: &TopicPartition) -> Vec<Stored> {
    let (first, end) = log.offsets(place).expect("offsets");
    let mut all = Vec::new();
    let mut records = Records { next_offset: first, ..Records::default() };
    while records.next_offset < end {
        let from = records.next_offset;
        log.fetch(place, from, 4 << 20, &mut records).expect("records can be read");
        assert!(records.next_offset > from, "{place:?}: no way on from {from} to {end}");
        all.extend((0..records.len()).map(|row| Stored {
            offset: records.meta[row].offset,
            timestamp: records.meta[row].timestamp,
            key: records.key(row).map(<[u8]>::to_vec),
            value: records.value(row).map(<[u8]>::to_vec),
        }));
    }
    all
}
