//! Random operations against a plain model, with reopening in between; many threads; many partitions.

use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Operation {
    Append { partition: u32, keys: Vec<Option<u8>>, size: usize },
    Transaction { counts: [usize; 3], position: i64, commit: bool },
    Trim { partition: u32, part: u8 },
    Empty,
    Compression(u8),
    Sync,
    Roll,
    Kill,
    Close,
}

fn operation() -> impl Strategy<Value = Operation> {
    let keys = proptest::collection::vec(proptest::option::of(any::<u8>()), 1..20);
    prop_oneof![
        6 => (0..3_u32, keys, 0..200_usize).prop_map(|(partition, keys, size)| Operation::Append { partition, keys, size }),
        3 => (proptest::array::uniform3(0..5_usize), 0..100_i64, any::<bool>())
            .prop_map(|(counts, position, commit)| Operation::Transaction { counts, position, commit }),
        1 => (0..3_u32, any::<u8>()).prop_map(|(partition, part)| Operation::Trim { partition, part }),
        1 => Just(Operation::Empty),
        1 => (0..5_u8).prop_map(Operation::Compression),
        1 => Just(Operation::Sync),
        1 => Just(Operation::Roll),
        1 => Just(Operation::Kill),
        1 => Just(Operation::Close),
    ]
}

/// A model partition: first offset, and all rows ever.
type Model = Vec<(i64, Vec<Row>)>;

fn add(model: &mut Model, partition: u32, records: &Records) {
    let rows = &mut model[partition as usize].1;
    for row in super::rows(records) {
        rows.push((rows.len() as i64, row.1, row.2, row.3));
    }
}

fn check(log: &EmbeddedLog, model: &Model, position: Option<i64>) {
    for (partition, (first, rows)) in model.iter().enumerate() {
        let at = at("t", partition as u32);
        assert_eq!(log.offsets(&at).unwrap(), (*first, rows.len() as i64));
        let middle = (first + rows.len() as i64) / 2;
        for (from, bytes_max) in [(*first, 1 << 20), (middle, 1), (rows.len() as i64, 100)] {
            assert_eq!(read_from(log, &at, from, bytes_max).unwrap(), rows[from as usize..]);
        }
    }
    assert_eq!(log.positions("g").unwrap().get(&at("t", 0)).copied(), position);
}

fn perform(log: &EmbeddedLog, operation: &Operation, model: &mut Model, position: &mut Option<i64>) {
    match operation {
        Operation::Append { partition, keys, size } => {
            let mut records = Records::default();
            for (i, key) in keys.iter().enumerate() {
                records.push(key.as_ref().map(std::slice::from_ref), Some(&vec![i as u8; *size]), i as i64 - 5);
            }
            let next = model[*partition as usize].1.len() as i64;
            assert_eq!(log.append(&at("t", *partition), &records).unwrap(), next);
            add(model, *partition, &records);
        }
        Operation::Transaction { counts, position: offset, commit } => {
            let mut transaction = log.begin().unwrap();
            let mut after = model.clone();
            for (partition, count) in counts.iter().enumerate() {
                let records = numbered(0..*count as i64);
                transaction.append(&at("t", partition as u32), &records).unwrap();
                add(&mut after, partition as u32, &records);
            }
            transaction.set_position("g", &at("t", 0), *offset).unwrap();
            if *commit {
                transaction.commit().unwrap();
                (*model, *position) = (after, Some(*offset));
            }
        }
        Operation::Trim { partition, part } => {
            let (first, rows) = &mut model[*partition as usize];
            *first += (rows.len() as i64 - *first) * i64::from(*part) / 255;
            log.delete_records(&at("t", *partition), *first).unwrap();
        }
        Operation::Empty => {
            log.empty_topic("t").unwrap();
            model.iter_mut().for_each(|(first, rows)| *first = rows.len() as i64);
        }
        Operation::Compression(kind) => {
            let kind = ["uncompressed", "gzip", "snappy", "lz4", "zstd"][*kind as usize];
            log.alter_topic("t", None, &[("compression.type".to_owned(), Some(kind.to_owned()))]).unwrap();
        }
        Operation::Sync => log.sync().unwrap(),
        Operation::Roll => log.inner.roll_journal().unwrap(),
        Operation::Close => log.inner.close(),
        Operation::Kill => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_what_a_plain_model_is(operations in proptest::collection::vec(operation(), 1..40)) {
        let mut storage = Faulty::new(1);
        let mut log = open_on(&storage, quiet()).unwrap();
        log.create_topic(&spec("t", 3, &[("segment.bytes", "700"), ("index.interval.bytes", "100")])).unwrap();
        let mut model: Model = vec![(0, Vec::new()); 3];
        let mut position = None;
        for operation in &operations {
            perform(&log, operation, &mut model, &mut position);
            if matches!(operation, Operation::Kill | Operation::Close) {
                storage = storage.after_kill();
                log = open_on(&storage, quiet()).unwrap();
            }
            check(&log, &model, position);
        }
    }
}

#[test]
fn thousands_of_partitions_need_few_open_files() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { open_files_max: 16, maintain_interval: None, ..EmbeddedOptions::default() };
    let log = EmbeddedLog::open(folder.path(), options.clone()).unwrap();
    log.create_topic(&spec("t", 2000, &[])).unwrap();
    for _ in 0..2 {
        let mut transaction = log.begin().unwrap();
        (0..2000).for_each(|i| transaction.append(&at("t", i), &numbered(0..2)).unwrap());
        transaction.commit().unwrap();
    }
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, |fds| {
        let ours =
            |fd: &std::fs::DirEntry| std::fs::read_link(fd.path()).is_ok_and(|path| path.starts_with(folder.path()));
        fds.filter_map(Result::ok).filter(ours).count()
    });
    assert!(open <= 17, "{open}");
    drop(log);
    let log = EmbeddedLog::open(folder.path(), options).unwrap();
    for i in (0..2000).step_by(97) {
        assert_eq!(read_all(&log, &at("t", i)).unwrap().len(), 4);
    }
}

/// Two partitions get the same records in each transaction: who sees the first must see the second.
#[test]
fn readers_never_see_half_a_transaction() {
    let log = EmbeddedLog::in_memory();
    log.create_topic(&spec("t", 2, &[("segment.bytes", "2000")])).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..300 {
                let mut transaction = log.begin().unwrap();
                transaction.append(&at("t", 0), &numbered(i..i + 1)).unwrap();
                transaction.append(&at("t", 1), &numbered(i..i + 1)).unwrap();
                transaction.set_position("g", &at("t", 0), i + 1).unwrap();
                transaction.commit().unwrap();
                if i % 50 == 0 {
                    log.inner.roll_journal().unwrap();
                    log.delete_records(&at("t", 1), i).unwrap();
                }
            }
            done.store(true, Ordering::Release);
        });
        for (before, after) in [(0, 1), (1, 0)] {
            let (log, done) = (&log, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Acquire) {
                    let position = log.positions("g").unwrap().get(&at("t", 0)).copied().unwrap_or(0);
                    let seen = log.offsets(&at("t", before)).unwrap().1;
                    assert!(position <= seen && seen <= log.offsets(&at("t", after)).unwrap().1);
                    assert!(seen <= log.positions("g").unwrap().get(&at("t", 0)).copied().unwrap_or(0));
                    let from = (seen - 3).max(0);
                    let read = values(&read_from(log, &at("t", 0), from, 1000).unwrap());
                    assert!(read.iter().zip(from..).all(|(value, i)| *value == format!("v{i}")));
                    assert!(read.len() as i64 >= seen - from);
                    std::thread::yield_now();
                }
            });
        }
    });
}

/// Retention, compaction and deletion go on under readers: they see true rows in order, or that the rows are gone.
#[test]
fn readers_are_not_disturbed_by_what_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { open_files_max: 4, maintain_interval: None, ..EmbeddedOptions::default() };
    let log = EmbeddedLog::open(folder.path(), options).unwrap();
    let policy = [("cleanup.policy", "compact,delete"), ("segment.bytes", "1000"), ("retention.bytes", "20000")];
    log.create_topic(&spec("t", 1, &policy)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (log, done) = (&log, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Acquire) {
                    let (first, next) = log.offsets(&at("t", 0)).unwrap();
                    match read_from(log, &at("t", 0), (first + next) / 2, 2000) {
                        Ok(read) => {
                            assert!(read.is_sorted_by(|a, b| a.0 < b.0));
                            assert!(read.iter().all(|row| row.2 == Some(row.0.to_string().into_bytes())));
                        }
                        Err(LogError::OffsetOutOfRange { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
        let mut records = Records::default();
        for i in 0..1500_i64 {
            records.push(Some(&[(i * i % 50) as u8]), Some(i.to_string().as_bytes()), 0);
            if i % 5 == 4 {
                log.append(&at("t", 0), &records).unwrap();
                records.clear();
            }
            if i % 150 == 149 {
                log.maintain().unwrap();
            }
        }
        done.store(true, Ordering::Release);
    });
    assert!(read_all(&log, &at("t", 0)).unwrap().len() < 500);
}
