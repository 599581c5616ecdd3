//! Push queries that begin with the rows that are there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::log::partitioner::partition_for;
use crate::types::Value;

const PARTITIONS: u32 = 3;
const KEYS: usize = 40;
const TABLE: &str = "CREATE TABLE t (id STRING PRIMARY KEY, n BIGINT) \
                     WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=3);";

/// Changes of the keys `k0`, `k1`, ...: a key's n-th change is the number n, or, where that is divisible by 5, its end.
#[derive(Default)]
struct Writer {
    changes: Vec<i64>,
}

impl Writer {
    /// Writes some changes of random keys in one transaction.
    fn write(&mut self, log: &dyn Log, count: usize) {
        self.changes.resize(KEYS, 0);
        let mut parts = vec![Records::default(); PARTITIONS as usize];
        for _ in 0..count {
            let key = fastrand::usize(..KEYS);
            self.changes[key] += 1;
            let (id, n) = (format!("k{key}"), self.changes[key]);
            let value = (n % 5 > 0).then(|| format!(r#"{{"N":{n}}}"#));
            parts[partition_for(id.as_bytes(), PARTITIONS) as usize].push(
                Some(id.as_bytes()),
                value.as_ref().map(String::as_bytes),
                n,
            );
        }
        let mut transaction = log.begin().unwrap();
        for (partition, records) in (0..).zip(&parts) {
            transaction.append(&TopicPartition { topic: "t".into(), partition }, records).unwrap();
        }
        transaction.commit().unwrap();
    }
}

/// What a reader has seen of each key: its changes in their order; None: the key's end.
#[derive(Default)]
struct Seen(HashMap<String, Vec<Option<i64>>>);

impl Seen {
    fn take(&mut self, row: &Row) {
        let Value::String(id) = &row.values[0] else { panic!("{row:?}") };
        let n = match row.values[1] {
            Value::Bigint(n) => Some(n),
            _ => None,
        };
        assert_eq!(n.is_none(), row.tombstone);
        self.0.entry(id.clone()).or_default().push(n);
    }

    /// Whether each key's last change is here. Those before it must be, from the first that was seen on.
    fn is_whole(&self, changes: &[i64]) -> bool {
        changes.iter().enumerate().all(|(key, last)| {
            let seen = self.0.get(&format!("k{key}")).map_or(&[][..], Vec::as_slice);
            let Some(first) = seen.first() else { return last % 5 == 0 };
            // A key that wasn't there begins with its first change behind the snapshot: one behind an end, or the very first.
            let first = first.unwrap_or_else(|| panic!("k{key} begins with its end"));
            for (at, n) in (first..).zip(seen) {
                assert_eq!(*n, (at % 5 > 0).then_some(at), "k{key}: {seen:?}");
            }
            first + seen.len() as i64 - 1 == *last
        })
    }
}

/// Queries begin while keys change: each gets each key's row once, and all of its changes behind that.
#[test]
fn a_snapshot_and_the_changes_behind_it_have_no_gap() {
    let mut t = Terminal::open(tempfile::tempdir().unwrap().path());
    t.done(TABLE);
    t.done("SET 'cache.max.bytes.buffering' = '0';");
    t.done("SET 'push.snapshot' = 'true';");
    // What a query begins with is not where it would begin to read without.
    t.done("SET 'auto.offset.reset' = 'latest';");
    let log = t.engine.log();
    let mut writer = Writer::default();
    writer.write(&*log, 300);
    let over = Arc::new(AtomicBool::new(false));
    let (writing, told) = (log.clone(), over.clone());
    let thread = std::thread::spawn(move || {
        while !told.load(Ordering::Relaxed) {
            writer.write(&*writing, fastrand::usize(1..20));
            std::thread::yield_now();
        }
        writer
    });
    let streams: Vec<RowStream> = (0..12).map(|_| t.stream("SELECT id, n FROM t EMIT CHANGES;")).collect();
    let mut seen: Vec<Seen> = streams.iter().map(|_| Seen::default()).collect();
    // Of all of them some rows have come: they are at the switch, or behind it.
    for (stream, seen) in streams.iter().zip(&mut seen) {
        match stream.events.recv_timeout(PATIENCE).unwrap() {
            RowEvent::Rows(rows) => rows.iter().for_each(|row| seen.take(row)),
            other => panic!("{other:?}"),
        }
    }
    over.store(true, Ordering::Relaxed);
    let writer = thread.join().unwrap();
    for (stream, seen) in streams.iter().zip(&mut seen) {
        while !seen.is_whole(&writer.changes) {
            match stream.events.recv_timeout(PATIENCE).unwrap() {
                RowEvent::Rows(rows) => rows.iter().for_each(|row| seen.take(row)),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The rows that are there are those of the query, whatever it makes of its table's changes.
#[test]
fn a_snapshot_is_what_the_query_has_come_to() {
    let mut t = Terminal::open(tempfile::tempdir().unwrap().path());
    t.done(TABLE);
    t.done("SET 'cache.max.bytes.buffering' = '0';");
    for (id, n) in [("a", 1), ("b", 2), ("c", 7), ("a", 5), ("c", 9), ("d", 3)] {
        t.done(&format!("INSERT INTO t (id, n) VALUES ('{id}', {n});"));
    }
    t.done("DELETE FROM t WHERE id = 'b';");
    t.done("SET 'push.snapshot' = 'true';");
    let all = t.stream("SELECT id, n FROM t EMIT CHANGES;");
    let few = t.stream("SELECT id, n FROM t WHERE n < 8 EMIT CHANGES LIMIT 3;");
    let sums = t.stream("SELECT n > 4 AS large, SUM(n) AS total FROM t GROUP BY n > 4 EMIT CHANGES;");
    let sorted = |mut rows: Vec<String>| {
        rows.sort();
        rows
    };
    let (a, c, d) = (r#"String("a") Bigint(5)"#, r#"String("c") Bigint(9)"#, r#"String("d") Bigint(3)"#);
    assert_eq!(sorted(next_rows(&all, 3)), [a, c, d]);
    assert_eq!(sorted(next_rows(&few, 2)), [a, d]);
    assert_eq!(sorted(next_rows(&sums, 2)), ["Boolean(false) Bigint(3)", "Boolean(true) Bigint(14)"]);
    t.done("INSERT INTO t (id, n) VALUES ('a', 6);");
    assert_eq!(next_rows(&all, 1), [r#"String("a") Bigint(6)"#]);
    assert_eq!(next_rows(&few, 1), [r#"String("a") Bigint(6)"#]);
    assert_eq!(few.events.recv_timeout(PATIENCE).unwrap(), RowEvent::End("Limit Reached".into()));
    // What is taken out of a group may be a change of its own.
    let mut changes = next_rows(&sums, 1);
    if changes == ["Boolean(true) Bigint(9)"] {
        changes = next_rows(&sums, 1);
    }
    assert_eq!(changes, ["Boolean(true) Bigint(15)"]);
}
