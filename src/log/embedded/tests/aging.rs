//! Retention and compaction against plain models.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

/// A clock that the test sets.
fn with_clock(options: EmbeddedOptions) -> (EmbeddedOptions, Arc<AtomicI64>) {
    let time = Arc::new(AtomicI64::new(1000));
    let clock = Arc::clone(&time);
    (EmbeddedOptions { clock: Arc::new(move || clock.load(Ordering::Relaxed)), ..options }, time)
}

const COMPACT: [(&str, &str); 4] =
    [("cleanup.policy", "compact"), ("segment.bytes", "250"), ("delete.retention.ms", "100"), ("segment.ms", "50")];

/// Puts and tombstones over a few keys, in small transactions.
fn write_updates(log: &EmbeddedLog, seed: u64, count: usize) -> Vec<Row> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut records = Records::default();
    for i in 0..count {
        let key = format!("key{}", random.u32(0..7));
        let value = (random.u32(0..4) > 0).then(|| format!("{seed}-{i}"));
        records.push(Some(key.as_bytes()), value.as_deref().map(str::as_bytes), i as i64);
        if records.len() >= random.usize(1..4) || i + 1 == count {
            log.append(&at("t", 0), &records).unwrap();
            records.clear();
        }
    }
    read_all(log, &at("t", 0)).unwrap()
}

/// Key to value of the newest record; tombstones left out.
fn table(rows: &[Row]) -> HashMap<Vec<u8>, Vec<u8>> {
    let mut table = HashMap::new();
    for (_, key, value, _) in rows {
        match value {
            Some(value) => table.insert(key.clone().unwrap(), value.clone()),
            None => table.remove(key.as_ref().unwrap()),
        };
    }
    table
}

fn is_part_of(part: &[Row], all: &[Row]) -> bool {
    let mut all = all.iter();
    part.iter().all(|row| all.any(|other| other == row))
}

#[test]
fn compaction_keeps_the_newest_record_of_each_key() {
    for keys_max in [1, 3, 1000] {
        let storage = Faulty::new(1);
        let (options, time) = with_clock(EmbeddedOptions { compaction_keys_max: keys_max, ..quiet() });
        let log = open_on(&storage, options.clone()).unwrap();
        log.create_topic(&spec("t", 1, &COMPACT)).unwrap();
        for round in 0..6 {
            let before = write_updates(&log, round, 60);
            let next = log.offsets(&at("t", 0)).unwrap().1;
            time.fetch_add(60, Ordering::Relaxed);
            log.maintain().unwrap();
            let after = read_all(&log, &at("t", 0)).unwrap();
            assert!(is_part_of(&after, &before) && after.len() <= 7, "{after:?}");
            assert_eq!(table(&after), table(&before));
            // One record a key, and each the newest.
            let newest: HashMap<_, _> = before.iter().map(|row| (row.1.clone(), row)).collect();
            assert!(after.iter().all(|row| newest[&row.1] == row));
            for from in 0..=next {
                let rest: Vec<Row> = after.iter().filter(|row| row.0 >= from).cloned().collect();
                assert_eq!(read_from(&log, &at("t", 0), from, 1).unwrap(), rest, "from {from}");
            }
            assert_eq!(log.offsets(&at("t", 0)).unwrap(), (0, next));
            let reopened = open_on(&storage.after_kill(), options.clone()).unwrap();
            assert_eq!(contents(&reopened).unwrap(), contents(&log).unwrap());
        }
        time.fetch_add(200, Ordering::Relaxed);
        log.maintain().unwrap();
        let after = read_all(&log, &at("t", 0)).unwrap();
        assert!(after.iter().all(|row| row.2.is_some()), "tombstones go in the end: {after:?}");
        let live =
            storage.paths().iter().filter(|(path, _)| path.starts_with("topics") && path.ends_with(".log")).count();
        assert!(live <= 3, "old files are gone: {:?}", storage.paths());
    }
}

#[test]
fn tombstones_stay_for_their_time() {
    let (options, time) = with_clock(quiet());
    let log = open_on(&Faulty::new(1), options).unwrap();
    log.create_topic(&spec("t", 1, &COMPACT)).unwrap();
    let mut records = Records::default();
    records.push(Some(b"a"), Some(b"1"), 0);
    records.push(Some(b"b"), Some(b"1"), 0);
    records.push(Some(b"a"), None, 0);
    log.append(&at("t", 0), &records).unwrap();
    for (step, expected) in [(49, 3), (1, 2), (99, 2), (1, 1)] {
        time.fetch_add(step, Ordering::Relaxed);
        log.maintain().unwrap();
        assert_eq!(read_all(&log, &at("t", 0)).unwrap().len(), expected, "at {time:?}");
    }
}

#[test]
fn what_is_held_is_not_compacted_nor_expired() {
    let storage = Faulty::new(1);
    let (options, time) = with_clock(quiet());
    let log = open_on(&storage, options.clone()).unwrap();
    log.create_topic(&spec("t", 1, &COMPACT)).unwrap();
    let before = write_updates(&log, 1, 60);
    log.hold("q1", &at("t", 0), 20).unwrap();
    log.hold("q2", &at("t", 0), 40).unwrap();
    time.fetch_add(60, Ordering::Relaxed);
    log.maintain().unwrap();
    let after = read_all(&log, &at("t", 0)).unwrap();
    // What is below the hold gives the same table as before: it can still be a changelog up to there.
    assert_eq!(table(&after.iter().filter(|row| row.0 < 20).cloned().collect::<Vec<_>>()), table(&before[..20]));
    assert!(is_part_of(&before[20..], &after) && after.len() < before.len());
    log.alter_topic(
        "t",
        None,
        &[("cleanup.policy".to_owned(), Some("delete".to_owned())), ("retention.ms".to_owned(), Some("0".to_owned()))],
    )
    .unwrap();
    let log = open_on(&storage.after_kill(), options).unwrap();
    log.maintain().unwrap();
    assert!(is_part_of(&before[20..], &read_all(&log, &at("t", 0)).unwrap()));
    log.release("q1").unwrap();
    log.release("q2").unwrap();
    log.maintain().unwrap();
    assert!(read_all(&log, &at("t", 0)).unwrap().is_empty());
    assert_eq!(log.append(&at("t", 0), &numbered(0..1)).unwrap(), 60);
}

/// What is in the log's hands between planning a compaction and doing it.
fn compaction_with(between: impl Fn(&EmbeddedLog)) -> (Vec<Row>, Vec<Row>) {
    let (options, time) = with_clock(quiet());
    let log = open_on(&Faulty::new(1), options).unwrap();
    log.create_topic(&spec("t", 1, &COMPACT)).unwrap();
    write_updates(&log, 1, 60);
    log.hold("q", &at("t", 0), 30).unwrap();
    time.fetch_add(60, Ordering::Relaxed);
    let topic = log.inner.catalog.topic("t").unwrap();
    let partition = Arc::clone(&topic.partitions()[0]);
    let section = log.inner.expire_and_plan(&topic, &partition, time.load(Ordering::Relaxed)).unwrap().unwrap();
    assert!(section.segments.len() > 2 && section.segments.last().unwrap().info.next <= 30);
    between(&log);
    let before = read_all(&log, &at("t", 0)).unwrap();
    log.inner.compact(&topic, &partition, &section, time.load(Ordering::Relaxed)).unwrap();
    (before, read_all(&log, &at("t", 0)).unwrap())
}

#[test]
fn a_compaction_cleans_only_the_segments_it_was_planned_for() {
    let (before, after) = compaction_with(|_| {});
    assert!(after.len() < before.len());
    // The front goes: what was planned for the first segments must not be done to those behind them.
    let (before, after) = compaction_with(|log| log.delete_records(&at("t", 0), 20).unwrap());
    assert!(is_part_of(&before.iter().filter(|row| row.0 >= 30).cloned().collect::<Vec<_>>(), &after));
    // All goes, and records come.
    let (before, after) = compaction_with(|log| {
        log.empty_topic("t").unwrap();
        write_updates(log, 2, 60);
    });
    assert_eq!(after, before);
    // A reader begins to need them.
    let (before, after) = compaction_with(|log| log.hold("other", &at("t", 0), 5).unwrap());
    assert_eq!(after, before);
}

#[test]
fn a_crash_during_compaction_loses_nothing() {
    let script = |storage: &Faulty| -> Result<(Vec<Row>, u64), LogError> {
        let (options, time) = with_clock(quiet());
        let log = open_on(storage, options)?;
        log.create_topic(&spec("t", 1, &COMPACT))?;
        let before = write_updates(&log, 3, 40);
        log.sync()?;
        let started = storage.operations();
        time.fetch_add(60, Ordering::Relaxed);
        log.maintain().map(|()| (before, started))
    };
    let whole = Faulty::new(0);
    let (before, started) = script(&whole).unwrap();
    assert!(whole.operations() > started + 10);
    for operation in started..whole.operations() {
        let storage = Faulty::new(operation);
        storage.crash_at(operation);
        let _ = script(&storage);
        let afterwards = [storage.after_kill(), storage.after_power_loss(1), storage.after_power_loss(2)];
        for after in afterwards {
            let (options, time) = with_clock(quiet());
            time.fetch_add(60, Ordering::Relaxed);
            let log = open_on(&after, options).unwrap();
            let found = read_all(&log, &at("t", 0)).unwrap();
            assert!(is_part_of(&found, &before) && table(&found) == table(&before), "crash at {operation}");
            log.maintain().unwrap();
            let found = read_all(&log, &at("t", 0)).unwrap();
            assert!(found.len() <= 7 && table(&found) == table(&before), "crash at {operation}");
            let files = after.paths().into_iter().filter(|(path, _)| path.ends_with(".log")).count();
            assert_eq!(files, log.inner.catalog.topic("t").unwrap().partitions()[0].state.read().segments.len());
        }
    }
}

#[test]
fn retention_removes_whole_segments_by_the_records_own_time() {
    let storage = Faulty::new(1);
    let (options, time) = with_clock(quiet());
    let log = open_on(&storage, options).unwrap();
    log.create_topic(&spec("t", 1, &[("retention.ms", "100"), ("segment.bytes", "155")])).unwrap();
    for i in 0..20 {
        log.append(&at("t", 0), &numbered(i * 10..i * 10 + 1)).unwrap();
    }
    // Each segment holds two batches of 72 to 76 bytes: times 0 and 10, 20 and 30, ...
    for (now, first) in [(110, 0), (111, 2), (131, 4), (289, 18), (1000, 20)] {
        time.store(now, Ordering::Relaxed);
        log.maintain().unwrap();
        assert_eq!(log.offsets(&at("t", 0)).unwrap(), (first, 20), "at {now}");
    }
    assert_eq!(log.describe_topic("t").unwrap().partitions[0].bytes, Some(0));
    assert!(storage.paths().iter().all(|(path, _)| !path.ends_with(".log")));
    assert_eq!(log.append(&at("t", 0), &numbered(0..1)).unwrap(), 20);
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    let log = EmbeddedLog::in_memory();
    log.create_topic(&spec("t", 1, &COMPACT)).unwrap();
    let mut records = Records::default();
    records.push(None, Some(b"1"), 0);
    let error = log.append(&at("t", 0), &records).unwrap_err().to_string();
    assert_eq!(error, "topic 't' is compacted and takes no records without a key");
}
