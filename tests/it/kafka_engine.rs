//! Queries on a real cluster: two processes of one service share the work, are killed, and go on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use millpond::log::kafka::KafkaLog;
use millpond::log::{Log, Records, TopicPartition, TopicSpec};

use crate::binary::{Running, Stored, on, read_topic, run_ok};
use crate::kafka_broker;

const PARTITIONS: u32 = 4;
const CITIES: u64 = 7;
const CHUNK: u64 = 400;
/// For what must come; a killed member's partitions are given away after its session of ten seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service with topics of its own on the shared cluster.
struct Service {
    log: KafkaLog,
    folder: tempfile::TempDir,
    input: String,
    evens: String,
    cities: String,
    written: u64,
}

impl Service {
    fn new() -> Service {
        let (log, bootstrap) = (kafka_broker::log(), kafka_broker::bootstrap());
        let folder = tempfile::tempdir().unwrap();
        let run: String = std::iter::repeat_with(fastrand::alphanumeric).take(10).collect();
        let name = |topic: &str| format!("{topic}-{run}");
        let service =
            Service { log, input: name("input"), evens: name("evens"), cities: name("cities"), folder, written: 0 };
        let config = format!("bootstrap.servers={bootstrap}\nksql.service.id=it_{run}_\n");
        std::fs::write(service.path("service.properties"), config).unwrap();
        let script = format!(
            "CREATE STREAM input (id STRING KEY, n BIGINT, city STRING) WITH (KAFKA_TOPIC='{}', VALUE_FORMAT='JSON');
             CREATE STREAM evens WITH (KAFKA_TOPIC='{}') AS SELECT id, n FROM input WHERE n % 2 = 0;
             CREATE TABLE cities WITH (KAFKA_TOPIC='{}') AS SELECT city, COUNT(*) AS many FROM input GROUP BY city;",
            service.input, service.evens, service.cities
        );
        std::fs::write(service.path("job.sql"), script).unwrap();
        let configs = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        let spec = TopicSpec { name: service.input.clone(), partitions: PARTITIONS, replicas: None, configs };
        service.log.create_topic(&spec).unwrap();
        service
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn process(&self, folder: &str) -> Running {
        let (config, job) = (self.path("service.properties"), self.path("job.sql"));
        let args = ["--config-file", config.to_str().unwrap(), "run", job.to_str().unwrap()];
        let mut command = on(&self.path(folder), &args);
        let output =
            std::fs::File::options().create(true).append(true).open(self.path(&format!("{folder}.out"))).unwrap();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        Running::start(command)
    }

    fn statement(&self, folder: &Path, statement: &str) -> String {
        let config = self.path("service.properties");
        run_ok(folder, &["--config-file", config.to_str().unwrap(), "--output", "json", "-e", statement])
    }

    fn write(&mut self) {
        let mut parts = vec![Records::default(); PARTITIONS as usize];
        for n in self.written..self.written + CHUNK {
            let value = format!(r#"{{"n":{n},"city":"c{}"}}"#, n % CITIES);
            parts[n as usize % PARTITIONS as usize].push(
                Some(b"k"),
                Some(value.as_bytes()),
                1_600_000_000_000 + n as i64,
            );
        }
        for (partition, records) in parts.iter().enumerate() {
            let place = TopicPartition { topic: self.input.clone(), partition: partition as u32 };
            self.log.append(&place, records).unwrap();
        }
        self.written += CHUNK;
    }

    fn records(&self, topic: &str) -> Vec<Stored> {
        if self.log.partitions(topic).is_none() {
            return Vec::new();
        }
        read_topic(&self.log, topic).into_iter().flatten().collect()
    }

    /// The last count of each city: the table's topic is compacted.
    fn counts(&self) -> BTreeMap<String, u64> {
        let count = |record: Stored| (String::from_utf8(record.key.unwrap()).unwrap(), number(&record.value, "MANY"));
        self.records(&self.cities).into_iter().map(count).collect()
    }

    /// Waits until both queries have written what follows from the input.
    fn await_all(&self) {
        let end = Instant::now() + PATIENCE;
        loop {
            let (evens, counted) = (self.records(&self.evens).len() as u64, self.counts().values().sum::<u64>());
            if evens >= self.written / 2 && counted >= self.written {
                return;
            }
            if Instant::now() > end {
                for folder in ["one", "two"] {
                    let said = std::fs::read_to_string(self.path(&format!("{folder}.out"))).unwrap_or_default();
                    eprintln!("process {folder} said:\n{said}");
                }
                panic!("of {} records {evens} even ones and {counted} counted; service {}", self.written, self.input);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// None lost, none twice: each even number once, each record counted once.
    fn check(&self) {
        let mut evens: Vec<u64> = self.records(&self.evens).iter().map(|record| number(&record.value, "N")).collect();
        evens.sort_unstable();
        assert_eq!(evens, (0..self.written).step_by(2).collect::<Vec<_>>());
        let count = |city: u64| (format!("c{city}"), (0..self.written).filter(|n| n % CITIES == city).count() as u64);
        assert_eq!(self.counts(), (0..CITIES).map(count).collect());
    }
}

fn number(value: &Option<Vec<u8>>, field: &str) -> u64 {
    let value: serde_json::Value = serde_json::from_slice(value.as_ref().unwrap()).unwrap();
    value[field].as_u64().unwrap()
}

/// `MILLPOND_KAFKA_KILLS` sets how often.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn two_processes_share_the_work_and_are_killed() {
    let mut service = Service::new();
    let kills = std::env::var("MILLPOND_KAFKA_KILLS").map_or(3, |kills| kills.parse().expect("a number"));
    let mut random = fastrand::Rng::with_seed(7);
    service.write();
    let mut processes = vec![service.process("one")];
    service.await_all();
    processes.push(service.process("two"));
    for _ in 0..kills {
        for _ in 0..random.u8(1..4) {
            service.write();
        }
        std::thread::sleep(Duration::from_millis(random.u64(0..1500)));
        let which = random.usize(..2);
        processes[which].kill();
        service.write();
        processes[which] = service.process(["one", "two"][which]);
    }
    service.write();
    service.await_all();
    service.check();
    // A terminal that takes no part in the work sees the table, too.
    let rows = service.statement(&service.path("terminal"), "SELECT * FROM cities WHERE city = 'c3';");
    let many = (0..service.written).filter(|n| n % CITIES == 3).count();
    assert!(rows.contains(&format!("\"MANY\":{many}")), "{rows}");
}
