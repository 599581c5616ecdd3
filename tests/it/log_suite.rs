//! One suite of what a log must do, run on the embedded log and on Kafka.

#[path = "log_suite/clusters.rs"]
mod clusters;
#[path = "log_suite/groups.rs"]
mod groups;
#[path = "log_suite/kafka_only.rs"]
mod kafka_only;
#[path = "log_suite/members.rs"]
mod members;
#[path = "log_suite/records.rs"]
mod records;
#[path = "log_suite/topics.rs"]
mod topics;
#[path = "log_suite/transactions.rs"]
mod transactions;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millpond::log::embedded::EmbeddedLog;
use millpond::log::{Log, Records, TopicPartition, TopicSpec};

use crate::kafka_broker::{self, fresh};

type Case = (&'static str, fn(&dyn Log));

/// All cases, by name.
fn suite() -> Vec<Case> {
    [records::CASES, topics::CASES, transactions::CASES, members::CASES, groups::CASES].concat()
}

fn run(log: &dyn Log) {
    for (name, case) in suite() {
        let started = Instant::now();
        case(log);
        eprintln!("  {name}: {} ms", started.elapsed().as_millis());
    }
}

#[test]
fn the_embedded_log_does_what_a_log_must() {
    run(&EmbeddedLog::in_memory());
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn kafka_does_what_a_log_must() {
    let log = kafka_broker::log();
    run(&log);
}

fn at(topic: &str, partition: u32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), partition }
}

/// A new topic of the given name's like.
fn topic(log: &dyn Log, what: &str, partitions: u32, configs: &[(&str, &str)]) -> String {
    let name = fresh(what);
    create(log, &name, partitions, configs);
    name
}

fn create(log: &dyn Log, name: &str, partitions: u32, configs: &[(&str, &str)]) {
    // The tests' times are of 1970.
    let configs = [("retention.ms", "-1")].iter().chain(configs);
    let configs: BTreeMap<_, _> = configs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    log.create_topic(&TopicSpec { name: name.to_owned(), partitions, replicas: None, configs }).unwrap();
}

/// Records with keys `k<i>` and values `v<i>`, at time `1000 + i`.
fn numbered(range: std::ops::Range<i64>) -> Records {
    let mut records = Records::default();
    for i in range {
        records.push(Some(format!("k{i}").as_bytes()), Some(format!("v{i}").as_bytes()), 1000 + i);
    }
    records
}

/// The values of all records, read up to the end as it is now; by the rule of every reader, going on from `next_offset`.
fn values(log: &dyn Log, place: &TopicPartition) -> Vec<String> {
    let (mut next, end) = log.offsets(place).unwrap();
    let mut found = Vec::new();
    let mut records = Records::default();
    while next < end {
        log.fetch(place, next, 1 << 16, &mut records).unwrap();
        let text = |row| String::from_utf8_lossy(records.value(row).unwrap_or(b"null")).into_owned();
        found.extend((0..records.len()).map(text));
        assert!(records.next_offset > next, "{place:?} stuck at {next} of {end}");
        next = records.next_offset;
    }
    found
}

/// Checks what a partition has after a commit; a cluster shows it some moments after the commit was answered.
fn holds(log: &dyn Log, place: &TopicPartition, expected: &[String]) {
    let enough = |found: &Vec<String>| found.len() >= expected.len();
    let found = eventually("committed records", || Some(values(log, place)).filter(enough));
    assert_eq!(found, expected);
}

fn strings(range: std::ops::Range<i64>) -> Vec<String> {
    range.map(|i| format!("v{i}")).collect()
}

/// Waits for a condition; a minute is for ever.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
