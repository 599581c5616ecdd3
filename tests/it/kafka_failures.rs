//! When the world fails, on a real cluster: what a query's process says of it, that it goes on by itself when the cause has
//! gone, and that nothing is lost or there twice then, as another client's reader of committed records sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use millpond::log::kafka::{KafkaConfig, KafkaLog};
use millpond::log::{Log, Records, TopicPartition, TopicSpec};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::bad_input::SmallDisk;
use crate::binary::{Ended, Running, on, run, skipped};
use crate::kafka_broker::{self, TOO_SLOW, fresh};

/// For what must come; a query that is blocked tries again within ten seconds.
const PATIENCE: Duration = Duration::from_secs(90);
/// What a command ends with when the world is in the way.
const WORLD: i32 = 3;

const INPUT: &str =
    "CREATE STREAM input (id STRING KEY, n BIGINT, pad STRING) WITH (KAFKA_TOPIC='{}in', VALUE_FORMAT='JSON');";
const COPY: &str = "CREATE STREAM output WITH (KAFKA_TOPIC='{}out') AS SELECT id, n, pad FROM input;";
const COUNT: &str = "CREATE TABLE counts WITH (KAFKA_TOPIC='{}counts') AS SELECT n % 3 AS third, COUNT(*) AS many FROM input GROUP BY n % 3;";

/// A service of its own on a cluster: `in` is its input, with a number in each record; the names of its topics begin with
/// the service's.
struct Service {
    prefix: String,
    files: tempfile::TempDir,
    log: KafkaLog,
    /// Of the independent reader.
    reader: ClientConfig,
    written: u64,
}

impl Service {
    /// `settings`: lines for the process's file beside the cluster's address; `admin`: for the test's own clients, in
    /// librdkafka's names.
    fn on(bootstrap: &str, settings: &str, admin: &[(&str, &str)], queries: &[&str]) -> Service {
        let prefix = fresh("world") + "-";
        let files = tempfile::tempdir().unwrap();
        let config = format!("bootstrap.servers={bootstrap}\nksql.service.id={prefix}\n{settings}");
        std::fs::write(files.path().join("service.properties"), config).unwrap();
        let script = format!("{INPUT}\n{}", queries.join("\n")).replace("{}", &prefix);
        std::fs::write(files.path().join("job.sql"), script).unwrap();
        let mut config = KafkaConfig::new(bootstrap).unwrap();
        let mut reader = ClientConfig::new();
        reader.set("bootstrap.servers", bootstrap).set("group.id", &prefix).set("isolation.level", "read_committed");
        for (name, value) in admin {
            config.set(name, value).unwrap();
            reader.set(*name, *value);
        }
        reader.set("enable.partition.eof", "true").set("enable.auto.commit", "false");
        Service { prefix, files, log: KafkaLog::open(&config).unwrap(), reader, written: 0 }
    }

    /// On the cluster that tests share, with two partitions in the input.
    fn shared(settings: &str, queries: &[&str]) -> Service {
        let service = Service::on(kafka_broker::bootstrap(), settings, &[], queries);
        service.create("in", 2, &[]);
        service
    }

    fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn create(&self, name: &str, partitions: u32, configs: &[(&str, &str)]) {
        let configs = [("retention.ms", "-1")].iter().chain(configs);
        let configs: BTreeMap<_, _> = configs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let spec = TopicSpec { name: self.topic(name), partitions, replicas: None, configs };
        self.log.create_topic(&spec).unwrap();
    }

    /// Writes so many records, numbered on, in turn to these partitions.
    fn write(&mut self, count: u64, partitions: u32) {
        for n in self.written..self.written + count {
            self.write_value(n as u32 % partitions, &format!(r#"{{"n":{n}}}"#));
        }
        self.written += count;
    }

    fn write_value(&self, partition: u32, value: &str) {
        let mut records = Records::default();
        records.push(Some(b"k"), Some(value.as_bytes()), 1_700_000_000_000);
        self.log.append(&TopicPartition { topic: self.topic("in"), partition }, &records).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn args(&self, args: &[&str]) -> Vec<String> {
        let config = self.path("service.properties");
        let all = [&["--config-file", config.to_str().unwrap()], args].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    fn job(&self) -> Job {
        self.job_in(&self.path("data"))
    }

    fn job_in(&self, folder: &Path) -> Job {
        let args = self.args(&["run", self.path("job.sql").to_str().unwrap()]);
        let mut command = on(folder, &args.iter().map(String::as_str).collect::<Vec<_>>());
        let said = self.path("said");
        let output = std::fs::File::create(&said).unwrap();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        Job { process: Running::start(command), said, heard: 0 }
    }

    /// What a terminal on the process's folder is told.
    fn shown(&self, statement: &str) -> String {
        let args = self.args(&["-e", statement]);
        let ended: Ended = run(&self.path("data"), &args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout
    }

    /// The committed records of a topic, as another client reads them: (key, value), partition by partition.
    fn read(&self, name: &str) -> Vec<(Option<Vec<u8>>, serde_json::Value)> {
        let topic = self.topic(name);
        let consumer: BaseConsumer = self.reader.create().unwrap();
        let metadata = consumer.fetch_metadata(Some(&topic), PATIENCE).unwrap();
        let mut left = metadata.topics()[0].partitions().len();
        let mut places = TopicPartitionList::new();
        for partition in 0..left {
            places.add_partition_offset(&topic, partition as i32, Offset::Beginning).unwrap();
        }
        consumer.assign(&places).unwrap();
        let mut found = Vec::new();
        while left > 0 {
            match consumer.poll(PATIENCE).expect("the reader hears of records or of the end") {
                Ok(record) => {
                    let value = serde_json::from_slice(record.payload().unwrap()).unwrap();
                    found.push((record.key().map(<[u8]>::to_vec), value));
                }
                Err(KafkaError::PartitionEOF(_)) => left -= 1,
                Err(error) => panic!("{topic}: {error}"),
            }
        }
        found
    }

    /// Waits until the numbers in `out` are these, each once.
    fn await_numbers(&self, job: &Job, expected: impl Iterator<Item = u64>) {
        let expected: Vec<u64> = expected.collect();
        job.eventually(&format!("{} records in {}", expected.len(), self.topic("out")), || {
            let mut numbers: Vec<u64> =
                self.read("out").iter().map(|(_, value)| value["N"].as_u64().unwrap()).collect();
            numbers.sort_unstable();
            let twice = numbers.windows(2).find(|pair| pair[0] == pair[1]);
            assert_eq!(twice, None, "the numbers that are there twice begin with these");
            (numbers == expected).then_some(())
        });
    }

    /// Waits until all that was written is in `out`, each number once.
    fn await_all(&self, job: &Job) {
        self.await_numbers(job, 0..self.written);
    }

    /// Waits until the last counts in `counts` add up to all that was written. More can't be: a count never falls.
    /// The last count of each key: the topic may be compacted meanwhile.
    fn counts(&self) -> BTreeMap<Option<Vec<u8>>, u64> {
        self.read("counts").into_iter().map(|(key, value)| (key, value["MANY"].as_u64().unwrap())).collect()
    }

    fn await_counts(&self, job: &Job) {
        job.eventually("the counts", || {
            let sum: u64 = self.counts().values().sum();
            assert!(sum <= self.written, "{sum} of {} counted", self.written);
            (sum == self.written).then_some(())
        });
    }
}

/// A process at work, and what it says.
struct Job {
    process: Running,
    said: PathBuf,
    /// Lines that were waited for.
    heard: usize,
}

impl Job {
    fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap_or_default()
    }

    /// Waits for a line, behind the one that was waited for last, with all these texts.
    fn await_line(&mut self, texts: &[&str]) {
        let heard = self.heard;
        self.heard = self.eventually(&format!("{texts:?} {TOO_SLOW}"), || {
            let said = self.said();
            let mut lines = said.lines().enumerate().skip(heard);
            lines.find(|(_, line)| texts.iter().all(|text| line.contains(text))).map(|(place, _)| place + 1)
        });
    }

    fn eventually<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain for {what}; the process said\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.process.0.id().to_string();
        let status = std::process::Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(status.success());
    }

    /// What it ended with, by itself.
    fn code(mut self) -> (Option<i32>, String) {
        let started = Instant::now();
        loop {
            if let Some(status) = self.process.0.try_wait().unwrap() {
                return (status.code(), self.said());
            }
            assert!(started.elapsed() < PATIENCE, "{TOO_SLOW} the process doesn't end; it said\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_cluster_that_is_away_at_the_start_is_named() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("job.sql");
    std::fs::write(&script, [INPUT, COPY].join("\n")).unwrap();
    let commands: [&[&str]; 3] = [&["run", script.to_str().unwrap()], &["-e", "SHOW TOPICS;"], &["topic", "list"]];
    std::thread::scope(|scope| {
        for (number, command) in commands.into_iter().enumerate() {
            let (folder, nobody) = (folder.path().join(number.to_string()), &nobody);
            scope.spawn(move || {
                let ended = run(&folder, &[&["--bootstrap-servers", nobody], command].concat());
                assert_eq!(ended.code, Some(WORLD), "{ended:?}");
                for text in ["the Kafka cluster is not available", nobody, "bootstrap.servers"] {
                    assert!(ended.stderr.contains(text), "{text}: {}", ended.stderr);
                }
            });
        }
    });
}

#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn a_job_begins_when_its_cluster_comes() {
    let cluster = kafka_broker::start("late", &[]);
    let bootstrap = cluster.value("KAFKA_BOOTSTRAP");
    let mut service = Service::on(&bootstrap, "", &[], &[COPY]);
    service.create("in", 2, &[]);
    service.write(50, 2);
    cluster.run(&["kill", "1"]);
    let mut job = service.job();
    job.await_line(&["the Kafka cluster is not available", &bootstrap, "trying again for up to 60 s"]);
    cluster.run(&["restart"]);
    job.await_line(&["CSAS_OUTPUT_1", "RUNNING"]);
    service.await_all(&job);
}

#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn a_cluster_that_goes_and_comes_is_waited_for() {
    let cluster = kafka_broker::start("away", &[]);
    let bootstrap = cluster.value("KAFKA_BOOTSTRAP");
    let mut service = Service::on(&bootstrap, "", &[], &[COPY, COUNT]);
    service.create("in", 2, &[]);
    service.write(50, 2);
    let mut job = service.job();
    service.await_all(&job);
    service.await_counts(&job);

    cluster.run(&["kill", "1"]);
    job.await_line(&["CSAS_OUTPUT_1", "BLOCKED: the Kafka cluster is not available", &bootstrap]);
    job.await_line(&["CTAS_COUNTS_2", "BLOCKED: the Kafka cluster is not available", &bootstrap]);
    // For as long as it lasts, whatever is tried meanwhile.
    for _ in 0..20 {
        let shown = service.shown("SHOW QUERIES;");
        assert_eq!(shown.matches("BLOCKED: the Kafka cluster is not available").count(), 2, "{shown}");
        std::thread::sleep(Duration::from_millis(100));
    }

    cluster.run(&["restart"]);
    service.write(50, 2);
    job.await_line(&["CTAS_COUNTS_2", "RUNNING"]);
    service.await_all(&job);
    service.await_counts(&job);
}

/// Its records are gone, its offsets are not.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_first_commit_that_came_to_nothing_is_no_state() {
    let mut service = Service::shared("", &[COUNT]);
    let mut job = service.job();
    job.await_line(&["CTAS_COUNTS_1", "RUNNING"]);
    job.process.kill();
    // Of its state, and of the rows between its stages.
    let of_query = |topic: &String| topic.contains(&service.prefix) && topic.contains("CTAS_COUNTS_1");
    let topics: Vec<String> = service.log.topics().into_iter().filter(of_query).collect();
    for end in ["-changelog", "-repartition"] {
        assert!(topics.iter().any(|topic| topic.ends_with(end)), "{end}: {topics:?}");
    }

    let producer: BaseProducer = service.reader.clone().set("transactional.id", &service.prefix).create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    for topic in &topics {
        producer.send(BaseRecord::to(topic).partition(0).key("k").payload("v")).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    producer.abort_transaction(PATIENCE).unwrap();
    let started = Instant::now();
    for topic in topics {
        let place = TopicPartition { topic, partition: 0 };
        while service.log.offsets(&place).unwrap().1 == 0 {
            assert!(started.elapsed() < PATIENCE, "{TOO_SLOW} the aborted records aren't known to be so");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    service.write(10, 2);
    let job = service.job();
    service.await_counts(&job);
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_source_that_is_deleted_is_waited_for() {
    let mut service = Service::shared("", &[COPY]);
    service.write(10, 2);
    let mut job = service.job();
    service.await_all(&job);
    let gone = format!(
        "BLOCKED: topic '{}' does not exist (UNKNOWN_TOPIC_OR_PARTITION) (create it, or DROP",
        service.topic("in")
    );
    service.log.delete_topic(&service.topic("in")).unwrap();
    job.await_line(&[&gone]);
    // Another topic of the name is read from its beginning.
    service.create("in", 2, &[]);
    service.write(10, 2);
    job.await_line(&["RUNNING"]);
    service.await_all(&job);
}

/// State of a topic that is gone fits no other.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_query_with_state_stops_when_its_source_is_another_topic() {
    let mut service = Service::shared("", &[COUNT]);
    service.write(10, 2);
    let mut job = service.job();
    service.await_counts(&job);
    service.log.delete_topic(&service.topic("in")).unwrap();
    job.await_line(&["BLOCKED", &format!("topic '{}' does not exist", service.topic("in"))]);
    service.create("in", 2, &[]);
    let (code, said) = job.code();
    let reason = format!("topic '{}' was deleted and created again: it is another topic now", service.topic("in"));
    assert_eq!(code, Some(WORLD), "{said}");
    assert!(said.contains(&format!("FAILED: {reason} (DROP what the query makes and create it anew")), "{said}");
}

/// The number of the first record in the topic that `replace_source` makes.
const REPLACED_FIRST: u64 = 1000;
const REPLACED_COUNT: u64 = 400;

/// Deletes the input, creates it and fills it beyond the old positions, before anybody asks whose name it is.
fn replace_source(service: &Service) {
    service.log.delete_topic(&service.topic("in")).unwrap();
    service.create("in", 2, &[]);
    for partition in 0..2 {
        let mut records = Records::default();
        for n in 0..REPLACED_COUNT / 2 {
            let value = format!(r#"{{"n":{}}}"#, REPLACED_FIRST + 2 * n + u64::from(partition));
            records.push(Some(b"k"), Some(value.as_bytes()), 1_700_000_000_000);
        }
        service.log.append(&TopicPartition { topic: service.topic("in"), partition }, &records).unwrap();
    }
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_source_that_is_made_again_at_once_is_read_from_its_beginning() {
    let mut service = Service::shared("", &[COPY]);
    let job = service.job();
    service.write(20, 2);
    service.await_all(&job);
    replace_source(&service);
    job.eventually("all records of the new topic", || {
        let records = service.read("out");
        let found: BTreeSet<u64> = records.iter().map(|(_, value)| value["N"].as_u64().unwrap()).collect();
        (REPLACED_FIRST..REPLACED_FIRST + REPLACED_COUNT).all(|n| found.contains(&n)).then_some(())
    });
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn state_is_not_gone_on_with_from_a_source_that_is_made_again_at_once() {
    let mut service = Service::shared("", &[COUNT]);
    let job = service.job();
    service.write(20, 2);
    service.await_counts(&job);
    replace_source(&service);
    // Either it notices, or the next process by what the cluster has: a topic's positions are of no other.
    let reason = "was deleted and created again: it is another topic now";
    let (code, said) = job.code();
    assert_eq!(code, Some(WORLD), "{said}");
    assert!(said.contains(reason), "{said}");
    let (code, said) = service.job().code();
    assert_eq!(code, Some(WORLD), "{said}");
    assert!(said.contains(reason), "{said}");
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn partitions_that_a_source_gets_are_read_by_a_query_without_state() {
    let mut service = Service::shared("", &[COPY]);
    service.write(10, 2);
    let job = service.job();
    service.await_all(&job);
    service.log.alter_topic(&service.topic("in"), Some(5), &[]).unwrap();
    service.write(20, 5);
    service.await_all(&job);
    let shown = service.shown("SHOW QUERIES;");
    assert!(shown.contains("RUNNING"), "{shown}");
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn partitions_that_a_source_gets_stop_a_query_with_state() {
    let mut service = Service::shared("", &[COUNT]);
    service.write(10, 2);
    let job = service.job();
    service.await_counts(&job);
    let before = service.counts();
    service.log.alter_topic(&service.topic("in"), Some(3), &[]).unwrap();
    service.write_value(2, r#"{"n":1}"#);
    let (code, said) = job.code();
    let reason = format!(
        "FAILED: topic '{}' has 3 partitions now; the query's state is laid out for 2, and keys would be counted in two places (DROP",
        service.topic("in")
    );
    assert!(said.contains(&reason), "{said}");
    assert_eq!(code, Some(WORLD), "{said}");
    assert_eq!(service.counts(), before);
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_record_that_is_too_large_waits_for_its_topic_to_take_it() {
    let mut service = Service::shared("", &[COPY]);
    service.create("out", 1, &[("max.message.bytes", "2000")]);
    service.write(3, 2);
    let mut job = service.job();
    service.await_all(&job);
    // What compression can't make smaller.
    let mut random = fastrand::Rng::with_seed(4);
    let pad: String = std::iter::repeat_with(|| random.alphanumeric()).take(6000).collect();
    service.write_value(0, &format!(r#"{{"n":{},"pad":"{pad}"}}"#, service.written));
    service.written += 1;
    service.write(3, 2);
    let reason = format!("is larger than max.message.bytes = 2000 of topic '{}'", service.topic("out"));
    job.await_line(&["BLOCKED: a record of 60", &reason, "topic alter"]);
    let shown = service.shown("SHOW QUERIES; DESCRIBE output EXTENDED;");
    assert_eq!(shown.matches(&reason).count(), 2, "{shown}");
    // What was written with it waits, too.
    service.await_numbers(&job, 0..3);
    let larger = ("max.message.bytes".to_owned(), Some("100000".to_owned()));
    service.log.alter_topic(&service.topic("out"), None, &[larger]).unwrap();
    job.await_line(&["RUNNING"]);
    service.await_all(&job);
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_timeout_that_the_brokers_do_not_allow_is_named() {
    let service = Service::shared("producer.transaction.timeout.ms=1000000000\n", &[COPY]);
    let mut job = service.job();
    job.await_line(&["BLOCKED", "producer.transaction.timeout.ms", "transaction.max.timeout.ms", "lower it"]);
}

/// Stopped for longer than its transaction may last, while it commits all the time.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_transaction_that_times_out_is_done_again() {
    let settings = "producer.transaction.timeout.ms=1000\ncommit.interval.ms=0\n";
    let mut service = Service::shared(settings, &[COPY]);
    service.write(10, 2);
    let job = service.job();
    service.await_all(&job);
    let place = TopicPartition { topic: service.topic("out"), partition: 0 };
    let started = Instant::now();
    let mut timed_out = 0;
    // Not every stop hits an open transaction.
    while timed_out < 2 {
        assert!(started.elapsed() < PATIENCE, "{TOO_SLOW} no transaction timed out; the process said\n{}", job.said());
        service.write(20, 2);
        job.signal("-STOP");
        let stopped = Instant::now();
        job.eventually("the end of the transaction", || {
            let all = service.log.settling_end(&place).unwrap();
            (service.log.offsets(&place).unwrap().1 == all).then_some(())
        });
        // A commit that was under way is through much sooner than a transaction that its coordinator must end.
        timed_out += u32::from(stopped.elapsed() > Duration::from_millis(500));
        job.signal("-CONT");
        service.await_all(&job);
    }
}

#[test]
#[cfg_attr(feature = "tls", ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README")]
#[cfg_attr(not(feature = "tls"), ignore = "built without TLS")]
fn rights_that_are_missing_are_named_and_waited_for() {
    let cluster = kafka_broker::start("rights", &["--sasl"]);
    let internal = cluster.internal();
    let acl = |args: &[&str]| {
        let tool = ["tool", "org.apache.kafka.tools.AclCommand", "--bootstrap-server", &internal];
        cluster.run(&[&tool, args].concat());
    };
    let authority = cluster.value("KAFKA_CA");
    let login = |user: &str, password: &str| {
        [("sasl.username", user), ("sasl.password", password)]
            .into_iter()
            .chain([
                ("security.protocol", "SASL_SSL"),
                ("sasl.mechanism", "SCRAM-SHA-256"),
                ("ssl.ca.location", authority.as_str()),
            ])
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<Vec<_>>()
    };
    let admin = login(&cluster.value("KAFKA_SASL_USERNAME"), &cluster.value("KAFKA_SASL_PASSWORD"));
    let admin: Vec<(&str, &str)> = admin.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let guest: String = login("guest", "guest").iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let everything = ["--topic", "*", "--group", "*", "--transactional-id", "*", "--cluster"];
    acl(&[&["--add", "--allow-principal", "User:guest", "--operation", "All"][..], &everything].concat());

    let mut service = Service::on(&cluster.value("KAFKA_BOOTSTRAP"), &guest, &admin, &[COPY]);
    service.create("in", 1, &[]);
    service.write(5, 1);
    let mut job = service.job();
    service.await_all(&job);
    let (input, output) = (service.topic("in"), service.topic("out"));
    let group = format!("_confluent-ksql-{}query_CSAS_OUTPUT_1", service.prefix);
    for (right, named) in [
        (["--operation", "Read", "--topic", &input], [input.as_str(), "TOPIC_AUTHORIZATION_FAILED"]),
        (["--operation", "Write", "--topic", &output], [&output, "TOPIC_AUTHORIZATION_FAILED"]),
        (["--operation", "Read", "--group", &group], [&group, "GROUP_AUTHORIZATION_FAILED"]),
        (["--operation", "Write", "--transactional-id", "*"], [&group, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"]),
    ] {
        acl(&[&["--add", "--deny-principal", "User:guest"][..], &right].concat());
        service.write(5, 1);
        job.await_line(&["BLOCKED: the Kafka cluster refuses", named[0], named[1], "ACL"]);
        acl(&[&["--remove", "--force", "--deny-principal", "User:guest"][..], &right].concat());
        service.write(5, 1);
        job.await_line(&["RUNNING"]);
        service.await_all(&job);
    }
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn a_full_disk_under_the_folder_is_named() {
    let service = Service::shared("", &[COPY]);
    let Some(disk) = SmallDisk::mount(&service.path("disk"), 1) else {
        skipped("a_full_disk_under_the_folder_is_named: this process may not mount a file system");
        return;
    };
    let (folder, rest) = (disk.path().join("data"), disk.path().join("rest"));
    std::fs::create_dir(&folder).unwrap();
    // Until nothing more fits.
    while std::io::Write::write_all(
        &mut std::fs::File::options().append(true).create(true).open(&rest).unwrap(),
        &[1; 4096],
    )
    .is_ok()
    {}
    let (code, said) = service.job_in(&folder).code();
    assert_eq!(code, Some(WORLD), "{said}");
    assert!(said.contains(folder.to_str().unwrap()) && said.contains("No space left on device"), "{said}");
    // With room it is as if nothing had been.
    std::fs::remove_file(&rest).unwrap();
    let mut service = service;
    service.write(5, 2);
    let job = service.job_in(&folder);
    service.await_all(&job);
}
