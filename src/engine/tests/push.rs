//! Push queries that go on together: each gets what it would get by itself.

use std::sync::mpsc::RecvTimeoutError;

use super::*;
use crate::log::partitioner::partition_for;

const EVENTS: &str = "CREATE STREAM events (id STRING KEY, n BIGINT, kind INTEGER, note STRING) \
                      WITH (KAFKA_TOPIC='events', VALUE_FORMAT='JSON', PARTITIONS=3);";
const PARTITIONS: u32 = 3;

fn id_of(n: i64) -> String {
    format!("k{}", n % 7)
}

/// Writes these numbers, a batch of records a partition.
fn write(log: &dyn Log, numbers: std::ops::Range<i64>) {
    let mut parts = vec![Records::default(); PARTITIONS as usize];
    for n in numbers {
        let (id, kind) = (id_of(n), n % 5);
        let value = format!(r#"{{"N":{n},"KIND":{kind},"NOTE":"note {n}"}}"#);
        let place = partition_for(id.as_bytes(), PARTITIONS);
        parts[place as usize].push(Some(id.as_bytes()), Some(value.as_bytes()), n);
    }
    let mut transaction = log.begin().unwrap();
    for (partition, records) in (0..).zip(&parts) {
        transaction.append(&TopicPartition { topic: "events".into(), partition }, records).unwrap();
    }
    transaction.commit().unwrap();
}

/// A push query's condition, and the numbers that meet it.
type Wanted = (&'static str, fn(i64) -> bool);

const CONDITIONS: [Wanted; 8] = [
    ("id = 'k3'", |n| n % 7 == 3),
    ("id IN ('k1', 'k2') AND n > 100", |n| (n % 7 == 1 || n % 7 == 2) && n > 100),
    ("kind = 4", |n| n % 5 == 4),
    ("n = 250 OR n = 251", |n| n == 250 || n == 251),
    ("n > 10", |n| n > 10),
    ("kind = 1 AND note LIKE '%7'", |n| n % 5 == 1 && n % 10 == 7),
    ("'k0' = id AND kind <> 2", |n| n % 7 == 0 && n % 5 != 2),
    ("id = 'nobody'", |_| false),
];

/// The numbers that come, by partition of their keys; until as many have come, or the last of all is there.
fn numbers(stream: &RowStream, count: usize) -> Vec<i64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        match stream.events.recv_timeout(PATIENCE).unwrap() {
            RowEvent::Rows(rows) => {
                numbers.extend(rows.iter().map(|row| match row.values[0] {
                    crate::types::Value::Bigint(n) => n,
                    ref other => panic!("{other:?}"),
                }));
            }
            other => panic!("{other:?}"),
        }
    }
    numbers
}

fn by_partition(numbers: impl IntoIterator<Item = i64>) -> Vec<Vec<i64>> {
    let mut parts = vec![Vec::new(); PARTITIONS as usize];
    for n in numbers {
        parts[partition_for(id_of(n).as_bytes(), PARTITIONS) as usize].push(n);
    }
    parts
}

fn shared(t: &Terminal) -> Vec<usize> {
    t.engine.inner.pushes.sizes()
}

fn await_shared(t: &Terminal, expected: &[usize]) {
    let asked = now();
    while shared(t) != expected {
        assert!(asked.elapsed() < PATIENCE, "{:?} instead of {expected:?}", shared(t));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn quiet(stream: &RowStream) {
    match stream.events.recv_timeout(Duration::from_millis(300)) {
        Err(RecvTimeoutError::Timeout) => {}
        other => panic!("{other:?}"),
    }
}

/// Queries come while records come, from the beginning and from the end, and each gets all its rows once, those of a
/// partition in their order.
#[test]
fn queries_that_come_at_any_time_get_their_rows_once() {
    let mut t = Terminal::open(tempfile::tempdir().unwrap().path());
    t.done(EVENTS);
    let log = t.engine.log();
    let mut open: Vec<(RowStream, &Wanted, i64)> = Vec::new();
    let mut written = 0;
    for round in 0..40i64 {
        let wanted = &CONDITIONS[fastrand::usize(..CONDITIONS.len())];
        let earliest = fastrand::bool();
        t.done(&format!("SET 'auto.offset.reset' = '{}';", if earliest { "earliest" } else { "latest" }));
        let begin = if earliest { 0 } else { written };
        // The columns that they read differ, too.
        let more = if fastrand::bool() { ", note" } else { "" };
        let sql = format!("SELECT n{more} FROM events WHERE {} EMIT CHANGES;", wanted.0);
        open.push((t.stream(&sql), wanted, begin));
        let count = fastrand::i64(0..60);
        write(&*log, written..written + count);
        written += count;
        if round % 8 == 7 {
            // One goes, whatever it has had.
            open.swap_remove(fastrand::usize(..open.len()));
        }
    }
    for (stream, (condition, is_wanted), begin) in &open {
        let expected: Vec<i64> = (*begin..written).filter(|n| is_wanted(*n)).collect();
        let got = numbers(stream, expected.len());
        assert_eq!(by_partition(got), by_partition(expected), "{condition} from {begin}");
    }
    await_shared(&t, &[open.len()]);
    write(&*log, written..written + 100);
    for (stream, (condition, is_wanted), _) in &open {
        let expected: Vec<i64> = (written..written + 100).filter(|n| is_wanted(*n)).collect();
        let got = numbers(stream, expected.len());
        assert_eq!(by_partition(got), by_partition(expected), "{condition}");
    }
    quiet(&open[0].0);
    drop(open);
    await_shared(&t, &[]);
}

#[test]
fn a_slow_client_keeps_nobody_waiting_and_loses_nothing() {
    let mut t = Terminal::open(tempfile::tempdir().unwrap().path());
    t.done(EVENTS);
    let log = t.engine.log();
    let sql = "SELECT n, note FROM events EMIT CHANGES;";
    let (slow, quick) = (t.stream(sql), t.stream(sql));
    await_shared(&t, &[2]);
    // Each batch is an event of its own: more of them than may wait.
    let total = 2000;
    let mut got = Vec::new();
    for n in 0..total {
        write(&*log, n..n + 1);
        got.extend(numbers(&quick, 1));
    }
    assert_eq!(got, (0..total).collect::<Vec<_>>());
    await_shared(&t, &[1]);
    assert_eq!(by_partition(numbers(&slow, total as usize)), by_partition(0..total));
    // It has caught up, and is with the others again.
    await_shared(&t, &[2]);
    write(&*log, total..total + 10);
    assert_eq!(by_partition(numbers(&slow, 10)), by_partition(total..total + 10));
    assert_eq!(by_partition(numbers(&quick, 10)), by_partition(total..total + 10));
}

#[test]
fn a_limit_and_an_error_end_one_query_and_no_other() {
    let mut t = Terminal::open(tempfile::tempdir().unwrap().path());
    t.done(EVENTS);
    let log = t.engine.log();
    let limited = t.stream("SELECT n FROM events EMIT CHANGES LIMIT 3;");
    let bad = t.stream("SELECT n, 1 / (n - 2) AS q FROM events EMIT CHANGES;");
    let all = t.stream("SELECT n FROM events EMIT CHANGES;");
    await_shared(&t, &[3]);
    write(&*log, 0..5);
    assert_eq!(numbers(&limited, 3).len(), 3);
    assert_eq!(limited.events.recv_timeout(PATIENCE).unwrap(), RowEvent::End("Limit Reached".into()));
    await_shared(&t, &[2]);
    // Where something can't be worked out there is NULL, and only who asked for it is told.
    let mut told = Vec::new();
    let mut rows = 0;
    while rows < 5 || told.is_empty() {
        match bad.events.recv_timeout(PATIENCE).unwrap() {
            RowEvent::Rows(more) => rows += more.len(),
            RowEvent::Warning(text) => told.push(text),
            other => panic!("{other:?}"),
        }
    }
    assert!(told[0].starts_with("1 record had an error, at topic events, partition"), "{told:?}");
    assert_eq!(by_partition(numbers(&all, 5)), by_partition(0..5));
    quiet(&all);
}

#[test]
fn a_record_that_cannot_be_read_is_told_to_all() {
    let mut t = Terminal::open(tempfile::tempdir().unwrap().path());
    t.done(EVENTS);
    let streams = ["id = 'k1'", "n > 0"]
        .map(|condition| t.stream(&format!("SELECT n FROM events WHERE {condition} EMIT CHANGES;")));
    await_shared(&t, &[2]);
    let mut records = Records::default();
    records.push(Some(b"k9"), Some(b"{"), 0);
    let log = t.engine.log();
    let mut transaction = log.begin().unwrap();
    transaction.append(&TopicPartition { topic: "events".into(), partition: 1 }, &records).unwrap();
    transaction.commit().unwrap();
    for stream in &streams {
        match stream.events.recv_timeout(PATIENCE).unwrap() {
            RowEvent::Warning(text) => {
                assert!(text.starts_with("1 record had an error, at topic events, partition 1, offset 0"), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_dropped_topic_ends_all_of_them() {
    let mut t = Terminal::open(tempfile::tempdir().unwrap().path());
    t.done(EVENTS);
    let streams: Vec<RowStream> = (0..3).map(|_| t.stream("SELECT n FROM events EMIT CHANGES;")).collect();
    await_shared(&t, &[3]);
    t.done("DROP STREAM events DELETE TOPIC;");
    for stream in &streams {
        match stream.events.recv_timeout(PATIENCE).unwrap() {
            RowEvent::Failed(error) => assert!(error.what.contains("'events'"), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    await_shared(&t, &[]);
}

/// A record without value is a deleted row of a table, and none of a stream.
#[test]
fn a_record_without_value_is_no_row_of_a_stream() {
    let mut t = Terminal::open(tempfile::tempdir().unwrap().path());
    t.done(EVENTS);
    let mut records = Records::default();
    records.push(Some(b"k1"), Some(br#"{"N":1}"#), 1);
    records.push(Some(b"k1"), None, 2);
    records.push(Some(b"k1"), Some(b"{}"), 3);
    let place = TopicPartition { topic: "events".into(), partition: partition_for(b"k1", PARTITIONS) };
    t.engine.log().append(&place, &records).unwrap();
    let seen = [r#"String("k1") Bigint(1)"#, r#"String("k1") Null"#];
    assert_eq!(t.rows("SELECT id, n FROM events;"), seen);
    assert_eq!(t.rows("SELECT id, n FROM events EMIT CHANGES LIMIT 2;"), seen);
}
