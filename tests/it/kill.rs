//! `kill -9` at random moments: what is committed is as if nothing had happened.
//!
//! A job runs over a topic that grows meanwhile, and is killed again and again: while it starts, recovers, reads,
//! commits. Then it runs to its end, and what it wrote is compared with what an undisturbed job writes from the same
//! topic in another folder. `MILLPOND_KILLS` says how many kills (default 20), `MILLPOND_SEED` which moments.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use millpond::Face;
use millpond::log::partitioner::partition_for;
use millpond::log::{Log, Records, TopicPartition, TopicSpec};

use crate::binary::{Running, Stored, on, open, read_topic, run, run_ok};

/// What the job is: by the topics' names, how its output is compared.
const JOB: &str = "
CREATE STREAM input (id STRING KEY, city STRING, n BIGINT, v BIGINT) WITH (KAFKA_TOPIC='input', VALUE_FORMAT='JSON');
-- By the topic's own key: the input fixes the order of the output.
CREATE STREAM few WITH (KAFKA_TOPIC='few') AS SELECT id, n, v FROM input WHERE v < 200;
CREATE TABLE per_id WITH (KAFKA_TOPIC='per_id') AS SELECT id, COUNT(*) AS c, SUM(v) AS s, MAX(n) AS m FROM input
  WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 30 DAYS) GROUP BY id;
CREATE TABLE visits WITH (KAFKA_TOPIC='visits') AS SELECT id, COUNT(*) AS c FROM few
  WINDOW SESSION (20 SECONDS, GRACE PERIOD 30 DAYS) GROUP BY id;
CREATE TABLE last WITH (KAFKA_TOPIC='last') AS SELECT id, LATEST_BY_OFFSET(n) AS n, COUNT(*) AS c FROM few GROUP BY id;
-- Behind a repartition the rows of several partitions come in any order.
CREATE TABLE per_city WITH (KAFKA_TOPIC='per_city') AS SELECT city, COUNT(*) AS c, SUM(v) AS s FROM input
  WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 30 DAYS) GROUP BY city;
CREATE TABLE cities WITH (KAFKA_TOPIC='cities') AS SELECT city, COUNT(*) AS c, MIN(n) AS least FROM input GROUP BY city;
";
/// Output whose order the input fixes; then output whose rows come from several partitions.
const ORDERED: [&str; 4] = ["few", "per_id", "visits", "last"];
const REPARTITIONED: [&str; 2] = ["per_city", "cities"];
const PROCESSING_LOG: &str = "default_ksql_processing_log";

const PARTITIONS: u32 = 4;
/// Records written for each kill: about what a job gets done before it is killed.
const CHUNK_RECORDS: u64 = 4_000;
/// Records a second of a producer beside the job: each millisecond a few, and so many commits.
const RATE: &str = "5000";
/// Changes of a query's state, of all partitions, between two snapshots of it.
const SNAPSHOT_RECORDS: u64 = 400;
/// By then a job holds its folder, unless the machine is very busy.
const START_MAX: Duration = Duration::from_millis(250);
/// The last job, which nobody kills, may take so long.
const END_MAX: Duration = Duration::from_secs(300);

/// A job and how it is killed.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    pub name: &'static str,
    pub job: &'static str,
    /// Those that are looked at in the end.
    pub topics: &'static [&'static str],
    pub caching: bool,
    pub guarantee: &'static str,
    pub kills: u64,
}

/// So many of the cities are towns: a table that is there before the input, and never changes.
pub const TOWNS: u64 = 4;

pub fn town_size(town: u64) -> u64 {
    100 + town
}

/// Makes the topic of the towns.
pub fn write_towns(log: &dyn Log, topic: &str, partitions: u32) {
    // Their time is before all that a cluster keeps by itself.
    let configs = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
    let spec = TopicSpec { name: topic.to_owned(), partitions, replicas: None, configs };
    log.create_topic(&spec).expect("a topic");
    for town in 0..TOWNS {
        let (key, value) = (format!("c{town}"), format!(r#"{{"SIZE":{}}}"#, town_size(town)));
        let place = TopicPartition { topic: topic.to_owned(), partition: partition_for(key.as_bytes(), partitions) };
        let mut records = Records::default();
        records.push(Some(key.as_bytes()), Some(value.as_bytes()), 1);
        log.append(&place, &records).expect("it is written");
    }
    log.sync().expect("it is on disk");
}

/// This file's job.
const ITS_OWN: Mode = Mode {
    name: "caching off",
    job: JOB,
    topics: &["few", "per_id", "visits", "last", "per_city", "cities", PROCESSING_LOG],
    caching: false,
    guarantee: "exactly_once_v2",
    kills: 0,
};

pub fn kills() -> u64 {
    std::env::var("MILLPOND_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20)
}

#[test]
fn kills_without_caching_change_no_record() {
    let mode = Mode { kills: kills(), ..ITS_OWN };
    let (disturbed, undisturbed) = outcome(mode);
    for topic in ORDERED {
        same_records(topic, &disturbed[topic], &undisturbed[topic]);
    }
    for topic in REPARTITIONED {
        same_changes(topic, &disturbed[topic], &undisturbed[topic]);
        same_finals(topic, &disturbed[topic], &undisturbed[topic]);
    }
    same_bad_records(&disturbed, &undisturbed);
}

#[test]
fn kills_with_caching_change_no_final_value() {
    let mode = Mode { name: "caching on", caching: true, kills: kills().div_ceil(2), ..ITS_OWN };
    let (disturbed, undisturbed) = outcome(mode);
    // Nothing is cached where there is no aggregate.
    same_records("few", &disturbed["few"], &undisturbed["few"]);
    for topic in ORDERED.iter().chain(&REPARTITIONED) {
        same_finals(topic, &disturbed[*topic], &undisturbed[*topic]);
    }
    same_bad_records(&disturbed, &undisturbed);
}

#[test]
fn kills_at_least_once_lose_nothing() {
    let mode = Mode { name: "at least once", guarantee: "at_least_once", kills: kills().div_ceil(4), ..ITS_OWN };
    let (disturbed, undisturbed) = outcome(mode);
    let numbers = |outcome: &Outcome| {
        let mut times = BTreeMap::new();
        for record in outcome["few"].iter().flatten() {
            *times.entry(record.value.clone()).or_insert(0_u64) += 1;
        }
        times
    };
    let found = numbers(&disturbed);
    for (value, times) in numbers(&undisturbed) {
        let found = found.get(&value).copied().unwrap_or(0);
        assert!(found >= times, "few: {value:?} is there {found} times, not {times}");
    }
    for topic in ORDERED.iter().chain(&REPARTITIONED) {
        let (found, expected) = (finals(&disturbed[*topic]), finals(&undisturbed[*topic]));
        let missing = expected.keys().find(|key| !found.contains_key(*key));
        assert!(missing.is_none(), "{topic}: no value of {missing:?}");
    }
}

/// The comparison finds what it is there for.
#[test]
fn a_record_lost_twice_or_late_is_found() {
    let record = |offset, key: &str, value: &str| Stored {
        offset,
        timestamp: 0,
        key: Some(key.into()),
        value: Some(value.into()),
    };
    let fine = vec![vec![record(0, "a", "1"), record(1, "b", "1"), record(2, "a", "2")]];
    let lost = vec![vec![record(0, "a", "1"), record(1, "a", "2")]];
    let twice = vec![vec![record(0, "a", "1"), record(1, "b", "1"), record(2, "b", "1"), record(3, "a", "2")]];
    let swapped = vec![vec![record(0, "b", "1"), record(1, "a", "1"), record(2, "a", "2")]];
    let gap = vec![vec![record(0, "a", "1"), record(1, "b", "1"), record(3, "a", "2")]];
    let fails = |check: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err();
    for bad in [&lost, &twice, &swapped, &gap] {
        assert!(fails(&|| same_records("t", bad, &fine)), "{bad:?}");
    }
    for bad in [&lost, &twice] {
        assert!(fails(&|| same_changes("t", bad, &fine)), "{bad:?}");
    }
    let other_end = vec![vec![record(0, "a", "2"), record(1, "b", "1"), record(2, "a", "1")]];
    for bad in [&lost, &other_end] {
        assert!(fails(&|| same_finals("t", bad, &fine)), "{bad:?}");
    }
    same_records("t", &fine, &fine);
    same_changes("t", &swapped, &fine);
    same_finals("t", &swapped, &fine);
}

/// Topics by name, each by partition.
pub type Outcome = BTreeMap<String, Vec<Vec<Stored>>>;

/// What a killed job and an undisturbed one make of the same input.
pub fn outcome(mode: Mode) -> (Outcome, Outcome) {
    let place = tempfile::tempdir().expect("a folder");
    let (disturbed, undisturbed) = (place.path().join("disturbed"), place.path().join("undisturbed"));
    let job = place.path().join("job.sql");
    std::fs::write(&job, mode.job).expect("the script can be written");
    run_ok(&disturbed, &["topic", "create", "input", "--partitions", &PARTITIONS.to_string()]);
    write_towns(&*open(&disturbed).log(), "towns", PARTITIONS);
    torment(&disturbed, &job, mode);
    assert!(snapshots(&disturbed) > 0, "starts had snapshots to go on from");
    to_the_end(&disturbed, &job, mode);

    copy_input(&disturbed, &undisturbed);
    to_the_end(&undisturbed, &job, mode);
    (look(&disturbed, mode), look(&undisturbed, mode))
}

fn job_args<'a>(job: &'a Path, mode: Mode) -> Vec<String> {
    let cache = if mode.caching { "10000000" } else { "0" };
    let job: &'a str = job.to_str().expect("a path of UTF-8");
    let set = |name: &str, value: &str| ["--set".to_owned(), format!("{name}={value}")];
    let mut args = vec!["run".to_owned(), job.to_owned()];
    // Snapshots are of many commits in between: at nearly each start there is one, and at nearly each commit one is due.
    args.extend(["--snapshot-records".to_owned(), SNAPSHOT_RECORDS.to_string()]);
    args.extend(set("cache.max.bytes.buffering", cache));
    args.extend(set("processing.guarantee", mode.guarantee));
    // Commits are where it gets dangerous: many of them. A cache needs time to hold something back.
    args.extend(set("commit.interval.ms", if mode.caching { "20" } else { "1" }));
    args
}

/// Kills the job again and again, while its input grows.
fn torment(folder: &Path, job: &Path, mode: Mode) {
    let seed = std::env::var("MILLPOND_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let args = job_args(job, mode);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut written = written_bytes(folder);
    let (mut wrote, mut in_start) = (0, 0);
    // Grows where the machine is so slow that jobs die before they write.
    let mut life_max = Duration::from_millis(600);
    let mut kill = 0;
    while kill < mode.kills {
        let chunk = write_chunk(folder, kill);
        // Of four, one dies at its start, while it makes its topics or reads its state back; one while it works off what
        // is there; two while they keep up with a producer, and do little but commit.
        let (beside, life) = match random.u32(0..4) {
            0 => (false, Duration::from_micros(random.u64(0..100_000))),
            1 => (false, life_max.mul_f64(random.f64())),
            _ => (true, START_MAX + life_max.mul_f64(random.f64())),
        };
        if !beside {
            produce(folder, &chunk);
        }
        let started = Instant::now();
        let mut running = Running::start(on(folder, &args));
        let (mut acknowledged, mut producer) = (!beside, None);
        if beside {
            std::thread::sleep(START_MAX);
            let mut args = produce_args(&chunk).to_vec();
            args.extend(["--rate", RATE]);
            acknowledged = wait_until(producer.insert(Running::start(on(folder, &args))), started + life);
        }
        std::thread::sleep((started + life).saturating_duration_since(Instant::now()));
        if random.bool() {
            wait_for_commit(folder, Duration::from_micros(random.u64(0..300)));
        }
        let ended = running.0.try_wait().expect("its state");
        running.kill();
        drop(producer);
        // What was not acknowledged is written again: some of its records may be there twice, for both folders.
        if !acknowledged {
            produce(folder, &chunk);
        }
        let _ = std::fs::remove_file(chunk);
        if let Some(ended) = ended {
            let said = stderr(&mut running);
            // The machine was slow and the producer was there before the job: that was no kill.
            assert!(beside && said.contains("is held by"), "{} ended by itself: {ended}, {said}", mode.name);
            continue;
        }
        kill += 1;
        let now = written_bytes(folder);
        match now > written {
            true => wrote += 1,
            false => in_start += 1,
        }
        written = now;
        if in_start > wrote {
            life_max = life_max.mul_f64(1.2);
        }
    }
    eprintln!(
        "{} (MILLPOND_SEED={seed}): {} kills, {wrote} after output was written, {in_start} before",
        mode.name, mode.kills
    );
}

/// Waits for some commit, a moment only, and then this long: what belongs together and is not in one commit falls apart.
fn wait_for_commit(folder: &Path, then: Duration) {
    let end = Instant::now() + Duration::from_millis(100);
    let before = journal_bytes(folder);
    while journal_bytes(folder) == before && Instant::now() < end {}
    let end = Instant::now() + then;
    while Instant::now() < end {}
}

fn journal_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder.join("log/journal")).into_iter().flatten().flatten();
    entries.map(|entry| entry.metadata().map_or(0, |metadata| metadata.len())).sum()
}

/// Whether it ended well before the time.
fn wait_until(process: &mut Running, end: Instant) -> bool {
    loop {
        if let Some(status) = process.0.try_wait().expect("its state") {
            return status.success();
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn stderr(process: &mut Running) -> String {
    let mut text = String::new();
    if let Some(stderr) = &mut process.0.stderr {
        let _ = std::io::Read::read_to_string(stderr, &mut text);
    }
    text
}

/// Finished snapshots of all queries' state.
fn snapshots(folder: &Path) -> usize {
    let list = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = list(folder.join("state")).flat_map(list);
    files.filter(|path| path.extension().is_some_and(|extension| extension == "snapshot")).count()
}

/// Bytes of all segments but the input's: how far the job got.
fn written_bytes(folder: &Path) -> u64 {
    let mut bytes = 0;
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                let is_input = entry.file_name().to_string_lossy().starts_with("input~");
                folders.extend((!is_input).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "log") {
                bytes += entry.metadata().map_or(0, |metadata| metadata.len());
            }
        }
    }
    bytes
}

/// The same number gives the same records. One in 500 has a `v` that is no number.
fn write_chunk(folder: &Path, number: u64) -> PathBuf {
    let path = folder.with_extension(format!("{number}.jsonl"));
    let mut random = fastrand::Rng::with_seed(number);
    let mut out = std::io::BufWriter::new(std::fs::File::create(&path).expect("a file"));
    for n in number * CHUNK_RECORDS..(number + 1) * CHUNK_RECORDS {
        let (id, city) = (random.u32(0..150), random.u32(0..20));
        let v = match n % 500 {
            499 => "\"many\"".to_owned(),
            _ => random.u32(0..1000).to_string(),
        };
        let time = 1_600_000_000_000 + n * 20 + random.u64(0..30_000);
        writeln!(out, r#"{{"id":"i{id}","city":"c{city}","n":{n},"v":{v},"time":{time}}}"#).expect("it is written");
    }
    out.flush().expect("it is written");
    path
}

fn produce_args(chunk: &Path) -> [&str; 8] {
    let chunk = chunk.to_str().expect("a path of UTF-8");
    ["topic", "produce", "input", "--file", chunk, "--key=id", "--timestamp", "time"]
}

fn produce(folder: &Path, chunk: &Path) {
    run_ok(folder, &produce_args(chunk));
}

fn to_the_end(folder: &Path, job: &Path, mode: Mode) {
    let mut args = job_args(job, mode);
    args.push("--until-end".to_owned());
    let started = Instant::now();
    let ended = run(folder, &args.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ended.code, Some(0), "{}: {ended:#?}", mode.name);
    assert!(started.elapsed() < END_MAX, "{}: took {:?}", mode.name, started.elapsed());
}

/// Makes a folder with the same input, partition by partition.
fn copy_input(from: &Path, to: &Path) {
    run_ok(to, &["topic", "create", "input", "--partitions", &PARTITIONS.to_string()]);
    let input = read_topic(&*open(from).log(), "input");
    let engine = open(to);
    let log = engine.log();
    write_towns(&*log, "towns", PARTITIONS);
    for (partition, stored) in input.iter().enumerate() {
        let place = TopicPartition { topic: "input".to_owned(), partition: partition as u32 };
        for stored in stored.chunks(1000) {
            let mut records = Records::default();
            for record in stored {
                records.push(record.key.as_deref(), record.value.as_deref(), record.timestamp);
            }
            log.append(&place, &records).expect("it is written");
        }
    }
    log.sync().expect("it is on disk");
}

fn look(folder: &Path, mode: Mode) -> Outcome {
    let engine = open(folder);
    let log = engine.log();
    mode.topics.iter().map(|topic| ((*topic).to_owned(), read_topic(&*log, topic))).collect()
}

/// Record by record, with offsets that have no gap.
fn same_records(topic: &str, found: &[Vec<Stored>], expected: &[Vec<Stored>]) {
    assert_eq!(found.len(), expected.len(), "{topic}: partitions");
    for (partition, (found, expected)) in found.iter().zip(expected).enumerate() {
        let place = format!("{topic}-{partition}");
        for (offset, record) in found.iter().enumerate() {
            assert_eq!(record.offset, offset as i64, "{place}: a gap");
        }
        for (found, expected) in found.iter().zip(expected) {
            assert!(found == expected, "{place}:\n  found    {found}\n  expected {expected}");
        }
        assert_eq!(found.len(), expected.len(), "{place}: number of records");
    }
}

type Key = Option<Vec<u8>>;

/// Each key has as many changes.
fn same_changes(topic: &str, found: &[Vec<Stored>], expected: &[Vec<Stored>]) {
    let (found, expected) = (changes(topic, found), changes(topic, expected));
    for (key, times) in &expected {
        let found = found.get(key).copied().unwrap_or(0);
        assert_eq!(found, *times, "{topic}: changes of {}", shown(key));
    }
    assert_eq!(found.len(), expected.len(), "{topic}: keys");
}

fn changes(topic: &str, partitions: &[Vec<Stored>]) -> BTreeMap<Key, u64> {
    let mut times = BTreeMap::new();
    for (partition, records) in partitions.iter().enumerate() {
        for (offset, record) in records.iter().enumerate() {
            assert_eq!(record.offset, offset as i64, "{topic}-{partition}: a gap");
            *times.entry(record.key.clone()).or_insert(0) += 1;
        }
    }
    times
}

/// Each key ends with the same value, in the same partition; a tombstone equals absence.
pub fn same_finals(topic: &str, found: &[Vec<Stored>], expected: &[Vec<Stored>]) {
    let (found, expected) = (finals(found), finals(expected));
    assert!(!expected.is_empty(), "{topic}: nothing to compare");
    for (key, value) in &expected {
        let found = found.get(key);
        assert!(found == Some(value), "{topic}: {}:\n  found    {found:?}\n  expected {value:?}", shown(&key.1));
    }
    assert_eq!(found.len(), expected.len(), "{topic}: keys");
}

/// The last value and time of each key, by partition and key.
fn finals(partitions: &[Vec<Stored>]) -> BTreeMap<(usize, Key), (String, i64)> {
    let mut finals = BTreeMap::new();
    for (partition, records) in partitions.iter().enumerate() {
        for record in records {
            let key = (partition, record.key.clone());
            match &record.value {
                None => finals.remove(&key),
                Some(value) => finals.insert(key, (String::from_utf8_lossy(value).into_owned(), record.timestamp)),
            };
        }
    }
    finals
}

/// Each bad record is in the processing log once for each query that met it.
fn same_bad_records(found: &Outcome, expected: &Outcome) {
    let entries = |outcome: &Outcome| {
        let all = outcome[PROCESSING_LOG].iter().flatten();
        let mut all: Vec<_> = all.map(|record| shown(&record.value)).collect();
        all.sort();
        all
    };
    let (found, expected) = (entries(found), entries(expected));
    assert!(!expected.is_empty(), "the input has bad records");
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected, "processing log");
    }
    assert_eq!(found.len(), expected.len(), "processing log: number of entries");
}

fn shown(bytes: &Key) -> String {
    bytes.as_ref().map_or("null".to_owned(), |bytes| String::from_utf8_lossy(bytes).escape_debug().to_string())
}
