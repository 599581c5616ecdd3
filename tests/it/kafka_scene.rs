//! Two processes of one service on a cluster, with an input that grows and a reader of what they make, and what can happen
//! to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millpond::log::kafka::{KafkaConfig, KafkaLog};
use millpond::log::partitioner::partition_for;
use millpond::log::{Log, Records, TopicPartition, TopicSpec};
use parking_lot::Mutex;

use crate::binary::{Running, on, run_ok};
use crate::kafka_broker::{self, Cluster, TOO_SLOW};

pub const PARTITIONS: u32 = 4;
/// Keys of the input, as many in each partition; number n has the n-th, over and over.
pub const IDS: u64 = 40;
/// Number n is of the n-th, over and over.
pub const CITIES: u64 = 7;
/// The row time of number 0; the others follow each a millisecond later.
const BEGINNING: i64 = 1_600_000_000_000;
/// How often some numbers are written.
const TICK: Duration = Duration::from_millis(50);
/// For what must come; a killed member's partitions are given away after its session of ten seconds.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the service does with its input.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    /// Statements behind the stream `input (id STRING KEY, n BIGINT, city STRING)` over `input~`. `~` in a topic's name
    /// stands for what makes it the service's own.
    pub statements: &'static str,
    /// Topics that have, of each partition of the input, again and again a number (`N`) of those that were written last.
    pub followed: &'static [&'static str],
    /// Numbers written at a time.
    pub chunk: u64,
    pub guarantee: &'static str,
}

/// Key of a number.
pub fn id_of(n: u64) -> String {
    let (partition, row) = ((n % u64::from(PARTITIONS)) as u32, n % IDS / u64::from(PARTITIONS));
    let mut of_partition =
        (0..).map(|k| format!("i{k}")).filter(|id| partition_for(id.as_bytes(), PARTITIONS) == partition);
    of_partition.nth(row as usize).unwrap()
}

pub fn city_of(n: u64) -> String {
    format!("c{}", n % CITIES)
}

/// A service with topics of its own on a cluster.
pub struct Service {
    bootstrap: String,
    folder: tempfile::TempDir,
    run: String,
    job: Job,
}

impl Service {
    pub fn new(bootstrap: &str, job: Job) -> Service {
        Service::replicated(bootstrap, job, 1)
    }

    /// `replicas`: copies of all its topics.
    pub fn replicated(bootstrap: &str, job: Job, replicas: u16) -> Service {
        let folder = tempfile::tempdir().unwrap();
        let run: String = std::iter::repeat_with(fastrand::alphanumeric).take(10).collect();
        let service = Service { bootstrap: bootstrap.to_owned(), folder, run, job };
        let config = format!(
            "bootstrap.servers={bootstrap}\nksql.service.id=it_{}_\nksql.internal.topic.replicas={replicas}\n",
            service.run
        );
        std::fs::write(service.path("service.properties"), config).unwrap();
        let script = format!(
            "SET 'processing.guarantee' = '{}';
             CREATE STREAM input (id STRING KEY, n BIGINT, city STRING) WITH (KAFKA_TOPIC='input~', VALUE_FORMAT='JSON');
             {}",
            job.guarantee, job.statements
        );
        std::fs::write(service.path("job.sql"), script.replace('~', &format!("-{}", service.run))).unwrap();
        let configs = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        let name = service.topic("input");
        let spec = TopicSpec { name, partitions: PARTITIONS, replicas: Some(replicas), configs };
        service.log().create_topic(&spec).unwrap();
        service
    }

    pub fn log(&self) -> KafkaLog {
        let mut config = KafkaConfig::new(&self.bootstrap).unwrap();
        // A record of the input that is given up would be written twice or not at all; brokers on a busy machine take long.
        config.set("producer.message.timeout.ms", "120000").unwrap();
        KafkaLog::open(&config).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The service's own topic that the job calls `name~`.
    pub fn topic(&self, name: &str) -> String {
        format!("{name}-{}", self.run)
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

    /// (key, value) of all records of one of its topics, as Kafka's own consumer reads those that are committed.
    pub fn read(&self, name: &str) -> Vec<(String, String)> {
        let topic = self.topic(name);
        let arguments = [
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            "--bootstrap-server",
            &self.bootstrap,
            "--topic",
            &topic,
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
}

/// A field of a record's value.
pub fn number(value: &str, field: &str) -> u64 {
    let value: serde_json::Value = serde_json::from_str(value).unwrap();
    value[field].as_u64().unwrap_or_else(|| panic!("no {field} in {value}"))
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

    fn goes_on(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Numbers to the input all the time, in turn to its partitions; `written` of them are there.
fn write(service: &Service, written: Arc<AtomicU64>) -> Aside {
    let (log, input, chunk) = (service.log(), service.topic("input"), service.job.chunk);
    let ids: Vec<String> = (0..IDS).map(id_of).collect();
    Aside::new(move || {
        let from = written.load(Ordering::SeqCst);
        let mut parts = vec![Records::default(); PARTITIONS as usize];
        for n in from..from + chunk {
            let (id, value) = (&ids[(n % IDS) as usize], format!(r#"{{"n":{n},"city":"{}"}}"#, city_of(n)));
            let records = &mut parts[(n % u64::from(PARTITIONS)) as usize];
            records.push(Some(id.as_bytes()), Some(value.as_bytes()), BEGINNING + n as i64);
        }
        for (partition, records) in parts.iter().enumerate() {
            log.append(&TopicPartition { topic: input.clone(), partition: partition as u32 }, records).unwrap();
        }
        written.fetch_add(chunk, Ordering::SeqCst);
        std::thread::sleep(TICK);
    })
}

/// What has come out in one topic.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub records: u64,
    /// Of each of the input's partitions.
    greatest: [u64; PARTITIONS as usize],
    /// The last value of each key.
    pub last: BTreeMap<String, String>,
}

/// Reads an output as it comes.
fn follow(service: &Service, name: &str, seen: Arc<Mutex<Seen>>) -> Aside {
    let (log, topic) = (service.log(), service.topic(name));
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
            let mut seen = seen.lock();
            seen.records += records.len() as u64;
            for row in 0..records.len() {
                let text = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().to_owned();
                let key = records.key(row).map(text).unwrap_or_default();
                // A tombstone.
                let Some(value) = records.value(row).map(text) else {
                    seen.last.remove(&key);
                    continue;
                };
                let n = number(&value, "N");
                let greatest = &mut seen.greatest[(n % u64::from(PARTITIONS)) as usize];
                *greatest = n.max(*greatest);
                seen.last.insert(key, value);
            }
        }
        std::thread::sleep(TICK);
    })
}

struct Output {
    name: &'static str,
    seen: Arc<Mutex<Seen>>,
    follower: Aside,
}

/// How often what happens.
#[derive(Debug, Clone, Copy)]
pub struct Disasters {
    pub kills: usize,
    pub freezes: usize,
    pub restarts: usize,
}

impl Disasters {
    /// The environment's `<prefix>KILLS`, `<prefix>FREEZES` and `<prefix>RESTARTS`, else these.
    pub fn or(self, prefix: &str) -> Disasters {
        let times = |what: &str, default| {
            let set = std::env::var(format!("{prefix}{what}"));
            set.map_or(default, |times| times.parse().expect("a number"))
        };
        Disasters {
            kills: times("KILLS", self.kills),
            freezes: times("FREEZES", self.freezes),
            restarts: times("RESTARTS", self.restarts),
        }
    }
}

/// What is going on around two processes.
pub struct Scene {
    pub service: Service,
    written: Arc<AtomicU64>,
    outputs: Vec<Output>,
    writer: Aside,
    pub processes: Vec<Running>,
    random: fastrand::Rng,
}

pub const FOLDERS: [&str; 2] = ["one", "two"];

impl Scene {
    pub fn new(service: Service) -> Scene {
        let written = Arc::new(AtomicU64::new(0));
        let output = |name: &&'static str| {
            let seen = Arc::new(Mutex::new(Seen::default()));
            Output { name, follower: follow(&service, name, seen.clone()), seen }
        };
        let outputs = service.job.followed.iter().map(output).collect();
        let writer = write(&service, written.clone());
        let processes = vec![service.process(FOLDERS[0])];
        let random = fastrand::Rng::with_seed(7);
        let mut scene = Scene { service, written, outputs, writer, processes, random };
        scene.await_work();
        scene.processes.push(scene.service.process(FOLDERS[1]));
        scene
    }

    /// Waits until something written after this moment has come out of each partition, in each topic that is followed; gives
    /// how long that took.
    pub fn await_work(&self) -> Duration {
        // A chunk may be there before it is counted.
        let least = self.written.load(Ordering::SeqCst) + self.service.job.chunk;
        let started = Instant::now();
        for output in &self.outputs {
            while output.seen.lock().greatest.iter().any(|greatest| *greatest < least) {
                let (name, said) = (output.name, || self.service.said());
                assert!(
                    started.elapsed() < PATIENCE,
                    "{TOO_SLOW} nothing came out in {name} for {PATIENCE:?}\n{}",
                    said()
                );
                assert!(output.follower.goes_on(), "{name} can't be read\n{}", said());
                assert!(self.writer.goes_on(), "the input isn't written");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        started.elapsed()
    }

    pub fn some_time(&mut self) {
        std::thread::sleep(Duration::from_millis(self.random.u64(0..1500)));
    }

    /// One of the processes, or now and then both.
    pub fn kill(&mut self) -> Duration {
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

    /// All of them in any order; says how long it took each time until everything was at work again.
    pub fn suffer(&mut self, disasters: Disasters, broker: &Cluster) {
        let mut all: Vec<&str> = Vec::new();
        all.extend(vec!["kill"; disasters.kills]);
        all.extend(vec!["freeze"; disasters.freezes]);
        all.extend(vec!["restart"; disasters.restarts]);
        self.random.shuffle(&mut all);
        let mut recovered: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
        for disaster in all {
            self.some_time();
            let took = match disaster {
                "kill" => self.kill(),
                "freeze" => self.freeze(),
                _ => self.restart(broker),
            };
            recovered.entry(disaster).or_default().push(took);
        }
        for (disaster, mut took) in recovered {
            took.sort();
            let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
            eprintln!(
                "{disaster}: {} times; all partitions at work again: median {median:.1?}, longest {longest:.1?}",
                took.len()
            );
        }
    }

    /// Ends the writing; gives how much there is.
    pub fn stop_writing(&mut self) -> u64 {
        self.writer.stop();
        let written = self.written.load(Ordering::SeqCst);
        eprintln!("{written} records");
        written
    }

    /// Waits until all has come out, as `is_through` sees it, or nothing more does.
    pub fn await_end(&self, is_through: impl Fn(&Scene) -> bool) {
        let count = || self.outputs.iter().map(|output| output.seen.lock().records).collect::<Vec<_>>();
        let (mut since, mut before) = (Instant::now(), count());
        while !is_through(self) {
            let now = count();
            if now != before {
                (since, before) = (Instant::now(), now);
            }
            if since.elapsed() > PATIENCE {
                // What is missing, whoever compares the records tells better.
                eprintln!("the end doesn't come\n{}", self.service.said());
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What has come out in a topic that is followed.
    pub fn seen(&self, name: &str) -> Seen {
        self.outputs.iter().find(|output| output.name == name).unwrap().seen.lock().clone()
    }

    /// Whether the processes took snapshots of their state.
    pub fn took_snapshots(&self) -> bool {
        let snapshots = |folder: &str| self.service.path(folder).join("state").read_dir().map_or(0, Iterator::count);
        FOLDERS.iter().any(|folder| snapshots(folder) > 0)
    }
}
