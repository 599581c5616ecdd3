//! Speed on a Kafka cluster: `cargo bench --bench kafka`.
//!
//! What counts is the CPU time of the engine's processes, as the system has it; the broker's isn't counted. The cluster is that
//! of `KAFKA_BOOTSTRAP`, or one that `tests/kafka/broker.sh` starts (Java 17).
//!
//! - A filter that a fifth of the bids pass, from topic to topic, beside a loop of rdkafka's own consumer and producer with the
//!   same settings, transactions and selectivity, which looks at no record.
//! - A count by another key than the records', in windows of ten seconds: rows cross an internal topic. Beside it what the same
//!   job on Kafka Streams 4.1 was seen to do, on another machine of this kind: 47,000 rows a CPU-second at best.
//! - The same filter by two processes of one service beside one of them alone.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

#[expect(dead_code, reason = "what the other benchmark takes of it")]
mod bids;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millpond::log::kafka::{KafkaConfig, KafkaLog};
use millpond::log::{Log, TopicPartition, TopicSpec};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use bids::{BATCH_ROWS, Batch, bids};

/// Records of a topic: about a gigabyte.
const BATCHES: usize = 500;
const ROUNDS: usize = 3;
/// As the engine commits.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(300);
/// A fifth of the bids cost more: see `main`.
const DEAR: usize = 5;
/// Rows a CPU-second.
const STREAMS_COUNT: f64 = 47_000.0;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, word, bootstrap, source, sink] = args.as_slice()
        && word == "bare"
    {
        return bare(bootstrap, source, sink);
    }
    let cluster = Cluster::find();
    let bids = bids(16);
    let price = price(&bids);
    println!("{:<34} {:>6}  {:>22} {:>22}", "work", "ratio", "rows a CPU-second", "bound");
    filter(&cluster, &bids, price);
    count(&cluster, &bids);
    two_processes(&cluster, &bids, price);
}

/// The price that all but a fifth of the bids stay below.
fn price(bids: &[Batch]) -> u64 {
    let lines = bids.iter().flat_map(|batch| batch.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()));
    let price = |line: &[u8]| {
        let bid: serde_json::Value = serde_json::from_slice(line).expect("a bid is JSON");
        bid["price"].as_u64().expect("a price")
    };
    let mut prices: Vec<u64> = lines.map(price).collect();
    prices.sort_unstable();
    prices[prices.len() * (DEAR - 1) / DEAR]
}

fn filter(cluster: &Cluster, bids: &[Batch], price: u64) {
    let source = cluster.topic("bids", 4);
    cluster.write(&source, 4, bids, BATCHES);
    let rows = (BATCHES * BATCH_ROWS) as f64;
    let (mut engine, mut bound) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let service = Service::new(cluster, &source, &dear(price));
        let work = cpu_to_the_end(service.run("one", &["--until-end"]));
        let sink = cluster.topic("bare", 4);
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.args(["bare", &cluster.bootstrap, &source, &sink]);
        let bare = cpu_to_the_end(command.spawn().expect("this program runs"));
        let (written, expected) = (cluster.records(&service.sink), cluster.records(&sink));
        assert!(written.abs_diff(expected) < expected / 50, "{written} beside {expected}");
        if round > 0 {
            engine.push(rows / work.as_secs_f64());
            bound.push(rows / bare.as_secs_f64());
        }
    }
    report("filter, Kafka to Kafka", "bare loop of rdkafka, floor 0.6", median(engine), median(bound));
}

fn count(cluster: &Cluster, bids: &[Batch]) {
    let source = cluster.topic("counted", 4);
    cluster.write(&source, 4, bids, BATCHES);
    let mut speeds = Vec::new();
    for _ in 0..ROUNDS {
        let query = "SELECT bidder, COUNT(*) AS bids FROM bids WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY bidder";
        let service =
            Service::new(cluster, &source, &format!("CREATE TABLE counts WITH (KAFKA_TOPIC='SINK') AS {query};"));
        let work = cpu_to_the_end(service.run("one", &["--until-end"]));
        assert!(cluster.records(&service.sink) > 0);
        speeds.push((BATCHES * BATCH_ROWS) as f64 / work.as_secs_f64());
    }
    report("count by another key", "Kafka Streams 4.1 as seen, aim 10", median(speeds), STREAMS_COUNT);
}

/// A query that a fifth of the bids pass.
fn dear(price: u64) -> String {
    format!("CREATE STREAM dear WITH (KAFKA_TOPIC='SINK') AS SELECT * FROM bids WHERE price > {price};")
}

fn two_processes(cluster: &Cluster, bids: &[Batch], price: u64) {
    let mut by_processes = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (speeds, folders) in by_processes.iter_mut().zip([&["one"][..], &["one", "two"]]) {
            let source = cluster.topic("shared", 8);
            let service = Service::new(cluster, &source, &dear(price));
            let mut processes: Vec<Child> = folders.iter().map(|folder| service.run(folder, &[])).collect();
            service.await_share(folders);
            let before: Vec<Duration> = processes.iter().map(cpu).collect();
            cluster.write(&source, 8, bids, BATCHES);
            service.await_rows(folders, BATCHES * BATCH_ROWS);
            let took: Duration = processes.iter().map(cpu).zip(before).map(|(after, before)| after - before).sum();
            speeds.push((BATCHES * BATCH_ROWS) as f64 / took.as_secs_f64());
            let least = folders.iter().map(|folder| service.rows_in(folder)).min().unwrap_or(0);
            if folders.len() == 2 {
                println!(
                    "  the one with less did {:.0} % of the work",
                    least as f64 * 100.0 / (BATCHES * BATCH_ROWS) as f64
                );
            }
            processes.iter_mut().for_each(|process| {
                let _ = process.kill().and_then(|()| process.wait());
            });
        }
    }
    let [alone, both] = by_processes.map(median);
    report("filter, two processes", "one process, floor 0.8", both, alone);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn report(work: &str, bound: &str, speed: f64, of_bound: f64) {
    let ratio = speed / of_bound;
    println!("{work:<34} {ratio:>6.2}  {:>20.2} M {:>20.2} M  ({bound})", speed / 1e6, of_bound / 1e6);
}

struct Cluster {
    bootstrap: String,
    log: KafkaLog,
    script: Option<PathBuf>,
    folder: tempfile::TempDir,
}

impl Cluster {
    fn find() -> Cluster {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "kafka", "broker.sh"].iter().collect();
        let (bootstrap, script) = match std::env::var("KAFKA_BOOTSTRAP") {
            Ok(given) if !given.is_empty() => (given, None),
            _ => {
                let mut command = Command::new(&script);
                let output = command.arg("start").env("MILLPOND_KAFKA_DIR", folder.path().join("broker"));
                let output = output.stderr(Stdio::inherit()).output().expect("the script runs");
                let printed = String::from_utf8_lossy(&output.stdout).into_owned();
                let bootstrap = printed.trim().strip_prefix("KAFKA_BOOTSTRAP=").expect("a broker").to_owned();
                (bootstrap, Some(script))
            }
        };
        let config = KafkaConfig::new(&bootstrap).expect("an address");
        Cluster { log: KafkaLog::open(&config).expect("the cluster answers"), bootstrap, script, folder }
    }

    fn topic(&self, name: &str, partitions: u32) -> String {
        let name = format!("{name}-{}", fastrand::u64(..));
        // The bids are of another year.
        let configs = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        let spec = TopicSpec { name: name.clone(), partitions, replicas: None, configs };
        self.log.create_topic(&spec).expect("the topic can be made");
        name
    }

    fn write(&self, topic: &str, partitions: u32, bids: &[Batch], batches: usize) {
        for number in 0..batches {
            let place = TopicPartition { topic: topic.to_owned(), partition: number as u32 % partitions };
            self.log.append(&place, &bids[number % bids.len()].records).expect("the records are taken");
        }
    }

    /// About how many records a topic has: offsets of markers are among them.
    fn records(&self, topic: &str) -> u64 {
        let places = (0..self.log.partitions(topic).unwrap_or(0))
            .map(|partition| TopicPartition { topic: topic.to_owned(), partition });
        places.map(|place| self.log.offsets(&place).map_or(0, |(first, next)| (next - first) as u64)).sum()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(script) = &self.script {
            let _ =
                Command::new(script).arg("stop").env("MILLPOND_KAFKA_DIR", self.folder.path().join("broker")).status();
        }
    }
}

/// A query over a topic, by processes of a service of its own.
struct Service {
    folder: tempfile::TempDir,
    sink: String,
}

impl Service {
    /// `SINK` in the query stands for its topic.
    fn new(cluster: &Cluster, source: &str, query: &str) -> Service {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let id = fastrand::u64(..);
        let sink = format!("sink-{id}");
        let columns =
            "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, date_time BIGINT, extra STRING";
        let script = format!(
            "CREATE STREAM bids ({columns}) WITH (KAFKA_TOPIC='{source}', VALUE_FORMAT='JSON');
             {}",
            query.replace("SINK", &sink)
        );
        std::fs::write(folder.path().join("job.sql"), script).expect("files can be written");
        let config = format!("bootstrap.servers={}\nksql.service.id=bench_{id}_\n", cluster.bootstrap);
        std::fs::write(folder.path().join("service.properties"), config).expect("files can be written");
        Service { folder, sink }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, folder: &str, more: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millpond"));
        command.arg("--config-file").arg(self.path("service.properties"));
        command.arg("--data-dir").arg(self.path(folder)).args(["--output", "json", "run"]).arg(self.path("job.sql"));
        let output = std::fs::File::create(self.path(&format!("{folder}.out"))).expect("files can be written");
        command.args(more).stdin(Stdio::null()).stdout(output).spawn().expect("the binary runs")
    }

    /// Rows that a process has read, as it said last.
    fn rows_in(&self, folder: &str) -> u64 {
        let said = std::fs::read_to_string(self.path(&format!("{folder}.out"))).unwrap_or_default();
        let last = said.lines().next_back().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        last.and_then(|last| last["rows_in"].as_u64()).unwrap_or(0)
    }

    /// Waits until each process has its part of the partitions.
    fn await_share(&self, folders: &[&str]) {
        await_it(|| {
            let running = |folder: &&str| {
                std::fs::read_to_string(self.path(&format!("{folder}.out"))).is_ok_and(|said| said.contains("RUNNING"))
            };
            folders.iter().all(running)
        });
        // Until the group is at rest with all of them.
        std::thread::sleep(Duration::from_secs(5));
    }

    fn await_rows(&self, folders: &[&str], rows: usize) {
        await_it(|| folders.iter().map(|folder| self.rows_in(folder)).sum::<u64>() >= rows as u64);
    }
}

fn await_it(mut there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !there() {
        assert!(started.elapsed() < PATIENCE, "it doesn't come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// CPU time of a process, also of one that has ended and wasn't waited for.
fn cpu(process: &Child) -> Duration {
    let (_, times) = stat(process);
    // The kernel's unit for user space is a hundredth of a second, everywhere.
    Duration::from_millis(times * 10)
}

/// (state, user and system time in ticks)
fn stat(process: &Child) -> (char, u64) {
    let path = Path::new("/proc").join(process.id().to_string()).join("stat");
    let text = std::fs::read_to_string(path).expect("Linux tells of processes");
    // Behind the name, which may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let number = |index: usize| fields[index].parse::<u64>().expect("a number");
    (fields[0].chars().next().unwrap_or(' '), number(11) + number(12))
}

fn cpu_to_the_end(mut process: Child) -> Duration {
    await_it(|| stat(&process).0 == 'Z');
    let took = cpu(&process);
    assert!(process.wait().expect("it ended").success());
    took
}

/// The bound: every fifth record goes from topic to topic.
fn bare(bootstrap: &str, source: &str, sink: &str) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", format!("{sink}-group"))
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("queued.max.messages.kbytes", "8192")
        .set("check.crcs", "false")
        .create()
        .expect("a consumer");
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", format!("{sink}-id"))
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        .set("batch.num.messages", "100000")
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .expect("a producer");
    producer.init_transactions(Duration::from_secs(30)).expect("transactions");
    consumer.subscribe(&[source]).expect("the topic is there");
    producer.begin_transaction().expect("a transaction");
    let (mut seen, mut ends, mut last_commit) = (0_usize, 0, Instant::now());
    let commit = |consumer: &BaseConsumer| {
        let positions = consumer.position().expect("positions");
        let group = consumer.group_metadata().expect("a group");
        producer.send_offsets_to_transaction(&positions, &group, Duration::from_secs(30)).expect("positions are taken");
        producer.commit_transaction(Duration::from_secs(30)).expect("a commit");
    };
    while ends < 4 {
        match consumer.poll(Duration::from_millis(10)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(message)) => {
                seen += 1;
                if seen % DEAR == 0 {
                    let payload = message.payload().unwrap_or_default();
                    let time = message.timestamp().to_millis().unwrap_or(0);
                    let record = BaseRecord::<(), [u8]>::to(sink)
                        .payload(payload)
                        .partition(message.partition())
                        .timestamp(time);
                    producer.send(record).map_err(|(error, _)| error).expect("the record is taken");
                }
            }
        }
        if last_commit.elapsed() >= COMMIT_INTERVAL {
            commit(&consumer);
            producer.begin_transaction().expect("a transaction");
            last_commit = Instant::now();
        }
    }
    commit(&consumer);
}
