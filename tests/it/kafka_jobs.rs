//! Jobs with an end on a real cluster, when several processes of a service share the work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use millpond::log::kafka::KafkaLog;
use millpond::log::{Log, Records, TopicPartition, TopicSpec};

use crate::binary::{Running, on};
use crate::kafka_broker::{self, TOO_SLOW, fresh};

const PATIENCE: Duration = Duration::from_secs(180);
/// Of each partition of the inputs.
const RECORDS: usize = 20_000;
const PROCESSES: [&str; 3] = ["one", "two", "three"];

/// Creates a topic with records 0, 1, ... in each partition.
fn filled(log: &KafkaLog, name: &str, partitions: u32) {
    let configs = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
    log.create_topic(&TopicSpec { name: name.to_owned(), partitions, replicas: None, configs }).unwrap();
    for partition in 0..partitions {
        let mut records = Records::default();
        for n in 0..RECORDS {
            records.push(Some(b"k"), Some(format!(r#"{{"n":{n}}}"#).as_bytes()), 1_700_000_000_000);
        }
        log.append(&TopicPartition { topic: name.to_owned(), partition }, &records).unwrap();
    }
}

/// Values that can be read, in all partitions.
fn values(log: &KafkaLog, topic: &str) -> Vec<(Vec<u8>, serde_json::Value)> {
    let mut found = Vec::new();
    for partition in 0..log.partitions(topic).unwrap() {
        let place = TopicPartition { topic: topic.to_owned(), partition };
        // What a process has committed when it ends may be seen some milliseconds later.
        let end = log.settling_end(&place).unwrap();
        let mut records = Records::default();
        let started = Instant::now();
        while records.next_offset < end {
            assert!(started.elapsed() < PATIENCE, "{topic}-{partition} can't be read to its end");
            log.fetch(&place, records.next_offset, 4 << 20, &mut records).unwrap();
            found.extend((0..records.len()).map(|row| {
                (
                    records.key(row).unwrap_or_default().to_vec(),
                    serde_json::from_slice(records.value(row).unwrap()).unwrap(),
                )
            }));
        }
    }
    found
}

struct Service {
    files: tempfile::TempDir,
}

impl Service {
    fn new() -> Service {
        let service = Service { files: tempfile::tempdir().unwrap() };
        let bootstrap = kafka_broker::bootstrap();
        let config = format!("bootstrap.servers={bootstrap}\nksql.service.id={}_\n", fresh("jobs"));
        std::fs::write(service.path("service.properties"), config).unwrap();
        service
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// A process that runs the job with these options.
    fn start(&self, folder: &str, options: &[&str]) -> Running {
        let (config, job) = (self.path("service.properties"), self.path("job.sql"));
        let args = [&["--config-file", config.to_str().unwrap(), "run", job.to_str().unwrap()], options].concat();
        let mut command = on(&self.path(folder), &args);
        let said = std::fs::File::create(self.said(folder)).unwrap();
        command.stdout(said.try_clone().unwrap()).stderr(said);
        Running::start(command)
    }

    fn said(&self, folder: &str) -> PathBuf {
        self.path(&format!("{folder}.out"))
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// No process ends before all is done, whoever did it; all of them end, also those that had nothing to do.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn processes_that_share_a_job_end_when_all_of_it_is_done() {
    let log = kafka_broker::log();
    let service = Service::new();
    let (many, single) = (fresh("many"), fresh("single"));
    let (copies, counts, odd) = (fresh("copies"), fresh("counts"), fresh("odd"));
    filled(&log, &many, 4);
    filled(&log, &single, 1);
    let script = format!(
        "CREATE STREAM many (n BIGINT) WITH (KAFKA_TOPIC='{many}', VALUE_FORMAT='JSON');
         CREATE STREAM single (n BIGINT) WITH (KAFKA_TOPIC='{single}', VALUE_FORMAT='JSON');
         CREATE STREAM copies WITH (KAFKA_TOPIC='{copies}') AS SELECT * FROM many;
         CREATE TABLE counts WITH (KAFKA_TOPIC='{counts}') AS SELECT n % 10 AS digit, COUNT(*) AS times FROM many GROUP BY n % 10;
         CREATE STREAM odd WITH (KAFKA_TOPIC='{odd}') AS SELECT * FROM single WHERE n % 2 = 1;"
    );
    std::fs::write(service.path("job.sql"), script).unwrap();
    let mut running: BTreeMap<&str, Running> =
        PROCESSES.iter().map(|folder| (*folder, service.start(folder, &["--until-end"]))).collect();
    let started = Instant::now();
    while !running.is_empty() {
        let ended: Vec<(&str, _)> = running
            .iter_mut()
            .filter_map(|(folder, process)| Some((*folder, process.0.try_wait().unwrap()?)))
            .collect();
        for (folder, status) in ended {
            assert!(status.success(), "{folder}: {status}\n{}", read(&service.said(folder)));
            running.remove(folder);
            assert_eq!(values(&log, &copies).len(), 4 * RECORDS, "{folder}");
            assert_eq!(values(&log, &odd).len(), RECORDS / 2, "{folder}");
            let last: BTreeMap<Vec<u8>, u64> =
                values(&log, &counts).into_iter().map(|(key, value)| (key, value["TIMES"].as_u64().unwrap())).collect();
            assert_eq!(last.values().copied().collect::<Vec<_>>(), [4 * RECORDS as u64 / 10; 10], "{folder}");
        }
        let said = || PROCESSES.map(|folder| format!("{folder}:\n{}", read(&service.said(folder)))).concat();
        assert!(started.elapsed() < PATIENCE, "{:?} don't end\n{}", running.keys(), said());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_process_with_nothing_to_do_stands_by_and_takes_over() {
    let log = kafka_broker::log();
    let service = Service::new();
    let (single, odd) = (fresh("single"), fresh("odd"));
    filled(&log, &single, 1);
    let script = format!(
        "CREATE STREAM single (n BIGINT) WITH (KAFKA_TOPIC='{single}', VALUE_FORMAT='JSON');
         CREATE STREAM odd WITH (KAFKA_TOPIC='{odd}') AS SELECT * FROM single WHERE n % 2 = 1;"
    );
    std::fs::write(service.path("job.sql"), script).unwrap();
    // The state that a process showed last.
    let shows =
        |folder: &str, state: &str| read(&service.said(folder)).lines().last().is_some_and(|line| line.contains(state));
    let eventually = |what: &str, holds: &dyn Fn() -> bool| {
        let started = Instant::now();
        while !holds() {
            let said = || ["one", "two"].map(|folder| format!("{folder}:\n{}", read(&service.said(folder)))).concat();
            assert!(started.elapsed() < PATIENCE, "{TOO_SLOW} {what}\n{}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let standby = "STANDBY: none of its partitions is given to this process";
    let mut running: BTreeMap<&str, Running> = ["one", "two"].map(|folder| (folder, service.start(folder, &[]))).into();
    let pair = |first, second| shows(first, "RUNNING") && shows(second, standby);
    eventually("one works, and the other says that it has nothing", &|| pair("one", "two") || pair("two", "one"));
    let (works, waits) = if shows("one", "RUNNING") { ("one", "two") } else { ("two", "one") };
    running.remove(works);
    eventually("the other takes over", &|| shows(waits, "RUNNING"));
}
