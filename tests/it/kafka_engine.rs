//! Queries on a real cluster: two processes of one service share the work while they are killed and frozen and the broker is
//! restarted; what they commit is read by Kafka's own consumer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millpond::log::kafka::{KafkaConfig, KafkaLog};
use millpond::log::{Log, Records, TopicPartition, TopicSpec};

use crate::binary::{Running, on, run_ok};
use crate::kafka_broker::{self, Cluster, TOO_SLOW};

const PARTITIONS: u32 = 4;
const CITIES: u64 = 7;
/// Records written at a time, and how often.
const CHUNK: u64 = 200;
const TICK: Duration = Duration::from_millis(50);
/// For what must come; a killed member's partitions are given away after its session of ten seconds.
const PATIENCE: Duration = Duration::from_secs(180);

/// A service with topics of its own on a cluster.
pub struct Service {
    bootstrap: String,
    folder: tempfile::TempDir,
    input: String,
    half: String,
    cities: String,
}

impl Service {
    pub fn new(bootstrap: &str, guarantee: &str) -> Service {
        Service::replicated(bootstrap, guarantee, 1)
    }

    /// `replicas`: copies of all its topics.
    fn replicated(bootstrap: &str, guarantee: &str, replicas: u16) -> Service {
        let folder = tempfile::tempdir().unwrap();
        let run: String = std::iter::repeat_with(fastrand::alphanumeric).take(10).collect();
        let name = |topic: &str| format!("{topic}-{run}");
        let (input, half, cities) = (name("input"), name("half"), name("cities"));
        let service = Service { bootstrap: bootstrap.to_owned(), folder, input, half, cities };
        let config = format!(
            "bootstrap.servers={bootstrap}\nksql.service.id=it_{run}_\nksql.internal.topic.replicas={replicas}\n"
        );
        std::fs::write(service.path("service.properties"), config).unwrap();
        let script = format!(
            "SET 'processing.guarantee' = '{guarantee}';
             CREATE STREAM input (id STRING KEY, n BIGINT, city STRING) WITH (KAFKA_TOPIC='{}', VALUE_FORMAT='JSON');
             CREATE STREAM half WITH (KAFKA_TOPIC='{}') AS SELECT id, n FROM input WHERE n / {PARTITIONS} % 2 = 0;
             CREATE TABLE cities WITH (KAFKA_TOPIC='{}') AS SELECT city, COUNT(*) AS many FROM input GROUP BY city;",
            service.input, service.half, service.cities
        );
        std::fs::write(service.path("job.sql"), script).unwrap();
        let configs = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        let spec = TopicSpec { name: service.input.clone(), partitions: PARTITIONS, replicas: Some(replicas), configs };
        service.log().create_topic(&spec).unwrap();
        service
    }

    fn log(&self) -> KafkaLog {
        let mut config = KafkaConfig::new(&self.bootstrap).unwrap();
        // A record of the input that is given up would be written twice or not at all; brokers on a busy machine take long.
        config.set("producer.message.timeout.ms", "120000").unwrap();
        KafkaLog::open(&config).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn process(&self, folder: &str) -> Running {
        let (config, job) = (self.path("service.properties"), self.path("job.sql"));
        // Snapshots of the state at every few commits: whoever gets a partition again goes on from its own.
        let snapshots = ["--snapshot-records", "500"];
        let args = ["--config-file", config.to_str().unwrap(), "run", job.to_str().unwrap()];
        let args: Vec<&str> = snapshots.into_iter().chain(args).collect();
        let mut command = on(&self.path(folder), &args);
        let output =
            std::fs::File::options().create(true).append(true).open(self.path(&format!("{folder}.out"))).unwrap();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        Running::start(command)
    }

    pub fn said(&self) -> String {
        let said = |folder: &str| std::fs::read_to_string(self.path(&format!("{folder}.out"))).unwrap_or_default();
        format!("process one said:\n{}process two said:\n{}", said("one"), said("two"))
    }

    pub fn statement(&self, folder: &Path, statement: &str) -> String {
        let config = self.path("service.properties");
        run_ok(folder, &["--config-file", config.to_str().unwrap(), "--output", "json", "-e", statement])
    }

    /// Whether `half` takes a number.
    fn is_taken(n: u64) -> bool {
        (n / u64::from(PARTITIONS)).is_multiple_of(2)
    }

    /// (key, value) of all records of a topic, as Kafka's own consumer reads those that are committed.
    fn read(&self, topic: &str) -> Vec<(String, String)> {
        let arguments = [
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            "--bootstrap-server",
            &self.bootstrap,
            "--topic",
            topic,
            "--from-beginning",
            "--isolation-level",
            "read_committed",
            "--property",
            "print.key=true",
            "--timeout-ms",
            "5000",
        ];
        let output = kafka_broker::tool(&arguments, "Processed a total of");
        let pair = |line: &str| line.split_once('\t').map(|(key, value)| (key.to_owned(), value.to_owned()));
        output.lines().filter_map(pair).collect()
    }

    /// How often `half` has each number that it should have; nothing else may be there.
    pub fn taken(&self, written: u64) -> Vec<u64> {
        let mut times = vec![0; written as usize];
        for (_, value) in self.read(&self.half) {
            times[number(&value, "N") as usize] += 1;
        }
        let wrong = (0..written).find(|n| !Service::is_taken(*n) && times[*n as usize] > 0);
        assert_eq!(wrong, None, "numbers that the query leaves out");
        (0..written).filter(|n| Service::is_taken(*n)).map(|n| times[n as usize]).collect()
    }

    /// The last count of each city.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.read(&self.cities).into_iter().map(|(key, value)| (key, number(&value, "MANY"))).collect()
    }
}

pub fn expected_counts(written: u64) -> BTreeMap<String, u64> {
    let count = |city: u64| (format!("c{city}"), (0..written).filter(|n| n % CITIES == city).count() as u64);
    (0..CITIES).map(count).collect()
}

fn number(value: &str, field: &str) -> u64 {
    let value: serde_json::Value = serde_json::from_str(value).unwrap();
    value[field].as_u64().unwrap()
}

/// Something that goes on by itself until it is dropped or stopped.
struct Aside {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Aside {
    fn new(mut turn: impl FnMut() + Send + 'static) -> Aside {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                turn();
            }
        });
        Aside { stop, thread: Some(thread) }
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Numbers to the input all the time, in turn to its partitions; `written` of them are there.
fn write(service: &Service, written: Arc<AtomicU64>) -> Aside {
    let (log, input) = (service.log(), service.input.clone());
    Aside::new(move || {
        let from = written.load(Ordering::SeqCst);
        let mut parts = vec![Records::default(); PARTITIONS as usize];
        for n in from..from + CHUNK {
            let value = format!(r#"{{"n":{n},"city":"c{}"}}"#, n % CITIES);
            let time = 1_600_000_000_000 + n as i64;
            parts[(n % u64::from(PARTITIONS)) as usize].push(Some(b"k"), Some(value.as_bytes()), time);
        }
        for (partition, records) in parts.iter().enumerate() {
            log.append(&TopicPartition { topic: input.clone(), partition: partition as u32 }, records).unwrap();
        }
        written.fetch_add(CHUNK, Ordering::SeqCst);
        std::thread::sleep(TICK);
    })
}

/// The greatest number of each of the input's partitions that has come out.
#[derive(Default)]
struct Seen([AtomicU64; PARTITIONS as usize]);

/// Reads the output as it comes.
fn follow(service: &Service, seen: Arc<Seen>) -> Aside {
    let (log, topic) = (service.log(), service.half.clone());
    let mut positions = vec![0; PARTITIONS as usize];
    let mut records = Records::default();
    Aside::new(move || {
        for (partition, position) in positions.iter_mut().enumerate() {
            let place = TopicPartition { topic: topic.clone(), partition: partition as u32 };
            // The topic isn't there at first, and the broker not always.
            if log.partitions(&topic).is_none() || log.fetch(&place, *position, 1 << 20, &mut records).is_err() {
                continue;
            }
            *position = records.next_offset;
            for row in 0..records.len() {
                let n = number(std::str::from_utf8(records.value(row).unwrap()).unwrap(), "N");
                seen.0[(n % u64::from(PARTITIONS)) as usize].fetch_max(n, Ordering::SeqCst);
            }
        }
        std::thread::sleep(TICK);
    })
}

/// What is going on around two processes.
pub struct Scene {
    pub service: Service,
    written: Arc<AtomicU64>,
    seen: Arc<Seen>,
    writer: Aside,
    _follower: Aside,
    pub processes: Vec<Running>,
    random: fastrand::Rng,
}

pub const FOLDERS: [&str; 2] = ["one", "two"];

impl Scene {
    pub fn new(service: Service) -> Scene {
        let (written, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(Seen::default()));
        let (writer, follower) = (write(&service, written.clone()), follow(&service, seen.clone()));
        let processes = vec![service.process(FOLDERS[0])];
        let random = fastrand::Rng::with_seed(7);
        let mut scene = Scene { service, written, seen, writer, _follower: follower, processes, random };
        scene.await_work();
        scene.processes.push(scene.service.process(FOLDERS[1]));
        scene
    }

    /// Waits until something written after this moment has come out of each partition; gives how long that took.
    pub fn await_work(&self) -> Duration {
        // A chunk may be there before it is counted.
        let written = self.written.load(Ordering::SeqCst) + CHUNK;
        self.await_seen(written)
    }

    fn await_seen(&self, least: u64) -> Duration {
        let started = Instant::now();
        while self.seen.0.iter().any(|seen| seen.load(Ordering::SeqCst) < least) {
            assert!(
                started.elapsed() < PATIENCE,
                "{TOO_SLOW} nothing came out for {PATIENCE:?}\n{}",
                self.service.said()
            );
            assert!(self.writer.thread.as_ref().is_some_and(|thread| !thread.is_finished()), "the input isn't written");
            std::thread::sleep(Duration::from_millis(20));
        }
        started.elapsed()
    }

    pub fn some_time(&mut self) {
        std::thread::sleep(Duration::from_millis(self.random.u64(0..1500)));
    }

    /// One of the processes, or now and then both.
    fn kill(&mut self) -> Duration {
        let which = match self.random.u8(..5) {
            0 => vec![0, 1],
            _ => vec![self.random.usize(..2)],
        };
        which.iter().for_each(|which| self.processes[*which].kill());
        which.iter().for_each(|which| self.processes[*which] = self.service.process(FOLDERS[*which]));
        self.await_work()
    }

    /// For longer than its session.
    pub fn freeze(&mut self) -> Duration {
        let which = self.random.usize(..2);
        let pid = self.processes[which].0.id().to_string();
        let signal = |name: &str| {
            assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
        };
        signal("-STOP");
        let taken_over = self.await_work();
        // It may have had nothing to do: it is thrown out all the same.
        std::thread::sleep(Duration::from_secs(12).saturating_sub(taken_over));
        signal("-CONT");
        self.await_work();
        taken_over
    }

    fn restart(&mut self, broker: &Cluster) -> Duration {
        let started = Instant::now();
        broker.run(&["restart"]);
        self.await_work();
        started.elapsed()
    }

    /// Ends the writing, and waits until all of it is through; gives how much there was.
    pub fn end(&mut self) -> u64 {
        self.writer.stop();
        let written = self.written.load(Ordering::SeqCst);
        let started = Instant::now();
        let counted = || {
            let rows = self.service.statement(&self.service.path("terminal"), "SELECT many FROM cities;");
            rows.lines().map(|row| number(row, "MANY")).sum::<u64>()
        };
        let last = |partition: usize| {
            let mut of_partition = (0..written).rev().filter(|n| (n % u64::from(PARTITIONS)) as usize == partition);
            of_partition.find(|n| Service::is_taken(*n)).unwrap()
        };
        while (0..PARTITIONS as usize).any(|partition| self.seen.0[partition].load(Ordering::SeqCst) < last(partition))
            || counted() < written
        {
            assert!(started.elapsed() < PATIENCE, "the end doesn't come\n{}", self.service.said());
        }
        written
    }
}

fn times(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |times| times.parse().expect("a number"))
}

/// `MILLPOND_KAFKA_KILLS`, `MILLPOND_KAFKA_FREEZES` and `MILLPOND_KAFKA_RESTARTS` set how often.
#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn exactly_once_whatever_happens_to_two_processes() {
    let broker = kafka_broker::start("disasters", &[]);
    let service = Service::new(&broker.value("KAFKA_BOOTSTRAP"), "exactly_once_v2");
    let mut scene = Scene::new(service);
    let mut disasters: Vec<&str> = Vec::new();
    disasters.extend(vec!["kill"; times("MILLPOND_KAFKA_KILLS", 3)]);
    disasters.extend(vec!["freeze"; times("MILLPOND_KAFKA_FREEZES", 1)]);
    disasters.extend(vec!["restart"; times("MILLPOND_KAFKA_RESTARTS", 1)]);
    scene.random.shuffle(&mut disasters);
    let mut recovered: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for disaster in disasters {
        scene.some_time();
        let took = match disaster {
            "kill" => scene.kill(),
            "freeze" => scene.freeze(),
            _ => scene.restart(&broker),
        };
        recovered.entry(disaster).or_default().push(took);
    }
    let written = scene.end();
    for (disaster, mut took) in recovered {
        took.sort();
        let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
        eprintln!(
            "{disaster}: {} times; all partitions at work again: median {median:.1?}, longest {longest:.1?}",
            took.len()
        );
    }
    eprintln!("{written} records");
    let taken = scene.service.taken(written);
    assert_eq!(taken.iter().position(|times| *times == 0), None, "lost");
    assert_eq!(taken.iter().position(|times| *times > 1), None, "twice");
    assert_eq!(scene.service.counts(), expected_counts(written));
    let snapshots = |folder: &str| scene.service.path(folder).join("state").read_dir().map_or(0, Iterator::count);
    assert!(FOLDERS.iter().any(|folder| snapshots(folder) > 0), "no snapshot was taken");
}

/// The first address of the cluster is dead, and so is a leader after a while.
#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn a_query_goes_on_without_one_of_three_brokers() {
    let brokers = kafka_broker::start("three-for-queries", &["--brokers", "3"]);
    let bootstrap = format!("127.0.0.1:1,{}", brokers.value("KAFKA_BOOTSTRAP"));
    let mut scene = Scene::new(Service::replicated(&bootstrap, "exactly_once_v2", 3));
    let described = scene.service.log().describe_topic(&scene.service.input).unwrap();
    let leader =
        described.partitions[0].replication.as_ref().and_then(|replication| replication.leader).expect("a leader");
    brokers.run(&["kill", &leader.to_string()]);
    let took = scene.await_work();
    eprintln!("broker {leader} killed; all partitions at work again after {took:.1?}");
    let half = scene.service.log().describe_topic(&scene.service.half).unwrap();
    assert!(
        half.partitions
            .iter()
            .all(|partition| partition.replication.as_ref().is_some_and(|all| all.replicas.len() == 3)),
        "{half:?}"
    );
    let written = scene.end();
    assert!(scene.service.taken(written).iter().all(|times| *times == 1));
    assert_eq!(scene.service.counts(), expected_counts(written));
}

#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn at_least_once_loses_nothing() {
    let mut scene = Scene::new(Service::new(kafka_broker::bootstrap(), "at_least_once"));
    for _ in 0..times("MILLPOND_KAFKA_KILLS", 3).min(20) {
        scene.some_time();
        scene.kill();
    }
    let written = scene.end();
    let taken = scene.service.taken(written);
    assert_eq!(taken.iter().position(|times| *times == 0), None, "lost");
    let counts = scene.service.counts();
    for (city, count) in expected_counts(written) {
        assert!(counts[&city] >= count, "{city}: {} of {count}", counts[&city]);
    }
}
