//! A Kafka for tests: that of `KAFKA_BOOTSTRAP`, or one that `tests/kafka/broker.sh` starts once for the whole binary and
//! that is stopped when the binary ends, however it does.
//!
//! Tests that need it are `#[ignore]`d, so that they are counted as what they are where nobody has a broker:
//! `cargo test --test it -- --ignored` runs them.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use millpond::log::kafka::{KafkaConfig, KafkaLog};

fn script() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "kafka", "broker.sh"].iter().collect()
}

/// The script says so when Java or Maven isn't there.
const NOT_HERE: i32 = 3;
const NO_KAFKA: &str =
    "there is no Kafka to be had: install Java 17 and Maven, or set KAFKA_BOOTSTRAP for the tests that share one";
const STARTS_MAX: usize = 3;

/// In the failure of a test that something wasn't there for in time, as a broker, or a process at work: CI tries it again
/// (`.ci/again`). Never in one about records, which are right or wrong.
pub const TOO_SLOW: &str = "[the machine may be too slow for this test]";

/// The address of the cluster that most tests share.
pub fn bootstrap() -> &'static str {
    static SHARED: OnceLock<String> = OnceLock::new();
    SHARED.get_or_init(|| match std::env::var("KAFKA_BOOTSTRAP") {
        Ok(given) if !given.is_empty() => given,
        _ => start("shared", &[]).value("KAFKA_BOOTSTRAP"),
    })
}

/// The shared cluster as a log.
pub fn log() -> KafkaLog {
    KafkaLog::open(&KafkaConfig::new(bootstrap()).unwrap()).unwrap()
}

/// A cluster of a test's own.
pub struct Cluster {
    folder: PathBuf,
    environment: String,
}

impl Cluster {
    /// One of the variables that the script prints.
    pub fn value(&self, name: &str) -> String {
        let line = self.environment.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.environment)).to_owned()
    }

    /// The address that brokers have for each other, where nobody must log in.
    pub fn internal(&self) -> String {
        let properties = std::fs::read_to_string(self.folder.join("1/server.properties")).unwrap();
        let advertised = properties.lines().find(|line| line.starts_with("advertised.listeners=")).unwrap();
        advertised.split_once("INTERNAL://").unwrap().1.to_owned()
    }

    pub fn run(&self, args: &[&str]) {
        let status = Command::new(script()).args(args).env("MILLPOND_KAFKA_DIR", &self.folder).status().unwrap();
        assert!(status.success(), "broker.sh {args:?}: {status}");
    }
}

/// Starts one. A test that wants it fails where there is none to be had.
pub fn start(name: &str, args: &[&str]) -> Cluster {
    let folder = std::env::temp_dir().join(format!("millpond-kafka-{}-{name}", std::process::id()));
    // Stops it when this process is gone; a test binary has no other end that is sure to come.
    let watchman = r#"(while kill -0 "$1" 2>/dev/null; do sleep 0.2; done; "$2" stop) &"#;
    Command::new("setsid")
        .args(["bash", "-c", watchman, "_"])
        .arg(std::process::id().to_string())
        .arg(script())
        .env("MILLPOND_KAFKA_DIR", &folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    // One at a time, and again when it took too long: several brokers that start on a busy machine are in each other's way.
    static STARTING: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
    let _one = STARTING.lock();
    for _ in 0..STARTS_MAX {
        let mut command = Command::new(script());
        command.arg("start").args(args).env("MILLPOND_KAFKA_DIR", &folder).stderr(Stdio::inherit());
        let output = command.output().unwrap();
        assert_ne!(output.status.code(), Some(NOT_HERE), "{NO_KAFKA}");
        if output.status.success() {
            return Cluster { folder, environment: String::from_utf8(output.stdout).unwrap() };
        }
        let _ = Command::new(script()).arg("stop").env("MILLPOND_KAFKA_DIR", &folder).status();
    }
    panic!("{TOO_SLOW} broker.sh start {args:?}: failed {STARTS_MAX} times")
}

/// What one of Kafka's own tools prints; `good`: what it says on stderr when it could do what it was to.
pub fn tool(args: &[&str], good: &str) -> String {
    let output = Command::new(script()).arg("tool").args(args).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(good), "{args:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// A name that no other test uses, and no earlier run on the same cluster.
pub fn fresh(what: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    format!("{what}-{started}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
