//! What the `Log` trait promises, on disk and in memory.

use std::time::Duration;

use super::*;
use crate::log::Header;

/// Runs on a log in memory, and on disk with a reopening after each step.
fn everywhere(steps: &[&dyn Fn(&EmbeddedLog)]) {
    let log = EmbeddedLog::in_memory();
    steps.iter().for_each(|step| step(&log));
    let folder = tempfile::tempdir().unwrap();
    for step in steps {
        let log = EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).unwrap();
        assert_eq!(log.recovery(), &RecoveryReport::default());
        step(&log);
    }
}

#[test]
fn what_is_appended_is_fetched() {
    everywhere(&[
        &|log| {
            log.create_topic(&spec("t", 2, &[])).unwrap();
            assert_eq!(log.append(&at("t", 1), &numbered(0..3)).unwrap(), 0);
            assert_eq!(log.append(&at("t", 1), &numbered(3..1000)).unwrap(), 3);
        },
        &|log| {
            assert_eq!(log.append(&at("t", 1), &numbered(1000..1001)).unwrap(), 1000);
            assert_eq!(log.offsets(&at("t", 1)).unwrap(), (0, 1001));
            assert_eq!(log.offsets(&at("t", 0)).unwrap(), (0, 0));
        },
        &|log| {
            let all = read_all(log, &at("t", 1)).unwrap();
            let row = |i: i64| (i, Some(format!("k{i}").into_bytes()), Some(format!("v{i}").into_bytes()), i);
            assert_eq!(all, (0..1001).map(row).collect::<Vec<_>>());
            for from in [1, 2, 3, 500, 1000, 1001] {
                assert_eq!(read_from(log, &at("t", 1), from, 1).unwrap(), all[from as usize..]);
            }
            let error = log.fetch(&at("t", 1), 1002, 1, &mut Records::default()).unwrap_err();
            assert_eq!(error.to_string(), "offset 1002 of t-1 is out of range: first 0, next 1001");
        },
    ]);
}

#[test]
fn nulls_headers_and_compression_come_back() {
    let mut records = Records::default();
    records.push(None, Some(b""), -5);
    records.push(Some(b""), None, i64::MAX);
    let headers =
        [Header { key: "a".to_owned(), value: Some(vec![1, 2]) }, Header { key: "a".to_owned(), value: None }];
    records.push_with_headers(Some(&[7; 5000]), Some(&[8; 70_000]), i64::MIN, &headers);
    let records = &records;
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        everywhere(&[
            &|log| {
                log.create_topic(&spec(
                    "t",
                    1,
                    &[("compression.type", if compression == "none" { "uncompressed" } else { compression })],
                ))
                .unwrap();
                log.append(&at("t", 0), records).unwrap();
            },
            &|log| {
                let mut got = Records::default();
                log.fetch(&at("t", 0), 0, 1 << 20, &mut got).unwrap();
                let expected: Vec<Row> =
                    rows(records).into_iter().enumerate().map(|(i, row)| (i as i64, row.1, row.2, row.3)).collect();
                assert_eq!(rows(&got), expected);
                assert_eq!(got.headers(2), headers);
                assert!(got.meta[0].headers.is_null());
                let bytes = log.describe_topic("t").unwrap().partitions[0].bytes.unwrap();
                assert_eq!(bytes < 10_000, compression != "none", "{compression} {bytes}");
            },
        ]);
    }
}

#[test]
fn a_transaction_is_seen_whole_or_not_at_all() {
    everywhere(&[
        &|log| {
            log.create_topic(&spec("in", 1, &[])).unwrap();
            log.create_topic(&spec("out", 2, &[])).unwrap();
            let mut transaction = log.begin().unwrap();
            transaction.append(&at("out", 0), &numbered(0..2)).unwrap();
            transaction.append(&at("out", 1), &numbered(2..3)).unwrap();
            transaction.append(&at("out", 0), &numbered(3..4)).unwrap();
            transaction.set_position("g", &at("in", 0), 7).unwrap();
            assert_eq!(log.offsets(&at("out", 0)).unwrap(), (0, 0));
            assert!(log.positions("g").unwrap().is_empty());
            transaction.commit().unwrap();
            let mut dropped = log.begin().unwrap();
            dropped.append(&at("out", 0), &numbered(9..10)).unwrap();
            dropped.set_position("h", &at("in", 0), 7).unwrap();
        },
        &|log| {
            assert_eq!(values(&read_all(log, &at("out", 0)).unwrap()), ["v0", "v1", "v3"]);
            assert_eq!(values(&read_all(log, &at("out", 1)).unwrap()), ["v2"]);
            assert_eq!(log.positions("g").unwrap(), BTreeMap::from([(at("in", 0), 7)]));
            assert_eq!(log.groups().unwrap(), ["g"]);
            log.delete_group("g").unwrap();
        },
        &|log| assert!(log.groups().unwrap().is_empty()),
    ]);
}

#[test]
fn topics_are_changed_emptied_and_deleted() {
    everywhere(&[
        &|log| {
            log.create_topic(&spec("t", 2, &[("retention.ms", "5")])).unwrap();
            assert!(matches!(log.create_topic(&spec("t", 1, &[])), Err(LogError::TopicExists(_))));
            log.append(&at("t", 0), &numbered(0..5)).unwrap();
            log.alter_topic(
                "t",
                Some(3),
                &[("retention.ms".to_owned(), None), ("segment.bytes".to_owned(), Some("2000".to_owned()))],
            )
            .unwrap();
            assert!(matches!(log.alter_topic("t", Some(2), &[]), Err(LogError::Invalid(_))));
        },
        &|log| {
            let description = log.describe_topic("t").unwrap();
            assert_eq!(description.partitions.len(), 3);
            let config = |name: &str| description.configs.iter().find(|config| config.name == name).unwrap();
            assert_eq!((config("retention.ms").value.as_str(), config("retention.ms").is_default), ("-1", true));
            assert_eq!((config("segment.bytes").value.as_str(), config("segment.bytes").is_default), ("2000", false));
            log.delete_records(&at("t", 0), 3).unwrap();
        },
        &|log| {
            assert_eq!(values(&read_all(log, &at("t", 0)).unwrap()), ["v3", "v4"]);
            assert!(matches!(
                log.fetch(&at("t", 0), 2, 1, &mut Records::default()),
                Err(LogError::OffsetOutOfRange { .. })
            ));
            log.empty_topic("t").unwrap();
            assert_eq!(log.describe_topic("t").unwrap().partitions[0].bytes, Some(0));
        },
        &|log| {
            assert_eq!(log.offsets(&at("t", 0)).unwrap(), (5, 5));
            assert_eq!(log.append(&at("t", 0), &numbered(5..7)).unwrap(), 5);
        },
        &|log| {
            assert_eq!(values(&read_all(log, &at("t", 0)).unwrap()), ["v5", "v6"]);
            let mut open = log.begin().unwrap();
            open.append(&at("t", 0), &numbered(0..1)).unwrap();
            log.delete_topic("t").unwrap();
            assert!(matches!(open.commit(), Err(LogError::UnknownTopic(_))));
            log.create_topic(&spec("t", 1, &[])).unwrap();
        },
        &|log| {
            assert_eq!(log.topics(), ["t"]);
            assert_eq!(log.partitions("t"), Some(1));
            assert_eq!(log.offsets(&at("t", 0)).unwrap(), (0, 0));
        },
    ]);
}

#[test]
fn names_and_counts_are_checked() {
    let log = EmbeddedLog::in_memory();
    for (name, partitions, expected) in [
        ("a b", 1, "topic name 'a b' is not allowed: ' ' is none of a-z, A-Z, 0-9, '.', '_' and '-'"),
        ("..", 1, "topic name '..' is not allowed: it can't be empty, '.' or '..'"),
        ("a", 0, "a topic can't have 0 partitions: it must be from 1 to 100000"),
    ] {
        assert_eq!(log.create_topic(&spec(name, partitions, &[])).unwrap_err().to_string(), expected);
    }
    assert!(log.create_topic(&spec(&"a".repeat(250), 1, &[])).is_err());
    log.create_topic(&spec(&"a".repeat(249), 1, &[])).unwrap();
    log.append(&at(&"a".repeat(249), 0), &numbered(0..1)).unwrap();
    assert!(matches!(log.append(&at("x", 0), &numbered(0..1)), Err(LogError::UnknownTopic(_))));
    assert!(matches!(log.append(&at(&"a".repeat(249), 1), &numbered(0..1)), Err(LogError::UnknownPartition { .. })));
}

#[test]
fn records_and_transactions_have_a_largest_size() {
    let log = EmbeddedLog::in_memory();
    log.create_topic(&spec("t", 1, &[("max.message.bytes", "200")])).unwrap();
    let mut records = Records::default();
    records.push(None, Some(&[0; 200]), 0);
    let error = log.append(&at("t", 0), &records).unwrap_err().to_string();
    // 61 bytes of header, 2 of length, attributes, time and offset, null key, 2 of length, the value, no headers.
    assert_eq!(error, "a record of 270 bytes is larger than max.message.bytes = 200 of topic 't' (MESSAGE_TOO_LARGE)");
    log.append(&at("t", 0), &numbered(0..1000)).unwrap();
    assert_eq!(read_all(&log, &at("t", 0)).unwrap().len(), 1000);

    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { transaction_bytes_max: 1000, ..EmbeddedOptions::default() };
    let log = EmbeddedLog::open(folder.path(), options).unwrap();
    log.create_topic(&spec("t", 1, &[])).unwrap();
    let mut transaction = log.begin().unwrap();
    transaction.append(&at("t", 0), &numbered(0..10)).unwrap();
    let error = transaction.append(&at("t", 0), &numbered(0..1000)).unwrap_err().to_string();
    assert_eq!(error, "the transaction is larger than 1000 bytes: commit before it grows beyond that");
    transaction.commit().unwrap();
    assert_eq!(read_all(&log, &at("t", 0)).unwrap().len(), 10);
}

#[test]
fn a_record_larger_than_a_read_is_fetched() {
    everywhere(&[
        &|log| {
            log.create_topic(&spec("t", 1, &[("max.message.bytes", "5000000")])).unwrap();
            let mut records = numbered(0..1);
            records.push(None, Some(&vec![7; 3_000_000]), 1);
            records.push(None, Some(b"after"), 2);
            log.append(&at("t", 0), &records).unwrap();
        },
        &|log| {
            let rows = read_from(log, &at("t", 0), 0, 1).unwrap();
            assert_eq!(rows.iter().map(|row| row.2.as_ref().unwrap().len()).collect::<Vec<_>>(), [2, 3_000_000, 5]);
        },
    ]);
}

/// Waits for what the background thread does without being asked.
fn wait_for(condition: impl Fn() -> bool) -> bool {
    (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        condition()
    })
}

#[test]
fn the_background_thread_syncs_rolls_and_maintains() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions {
        fsync: FsyncPolicy::Interval(Duration::from_millis(5)),
        journal_bytes_max: 1000,
        maintain_interval: Some(Duration::from_millis(5)),
        ..EmbeddedOptions::default()
    };
    let log = EmbeddedLog::open(folder.path(), options).unwrap();
    assert_eq!(log.durability(), Durability::Process);
    log.create_topic(&spec("t", 1, &[("retention.ms", "1000"), ("segment.bytes", "500")])).unwrap();
    // Times around 1970: all of it is long over.
    for i in 0..100 {
        log.append(&at("t", 0), &numbered(i..i + 1)).unwrap();
    }
    assert!(wait_for(|| log.offsets(&at("t", 0)).unwrap() == (100, 100)));
    assert!(wait_for(|| !log.inner.needs_sync()));
    assert!(wait_for(|| !folder.path().join(journal::path(1)).exists()));
}

#[test]
fn the_policy_commit_means_power() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { fsync: FsyncPolicy::Commit, ..EmbeddedOptions::default() };
    let log = EmbeddedLog::open(folder.path(), options).unwrap();
    assert_eq!(log.durability(), Durability::Power);
    log.create_topic(&spec("t", 1, &[])).unwrap();
    log.append(&at("t", 0), &numbered(0..1)).unwrap();
    assert!(!log.inner.needs_sync());
}

#[test]
fn flush_messages_syncs_that_often() {
    let log = open_on(&Faulty::new(1), quiet()).unwrap();
    log.create_topic(&spec("t", 1, &[("flush.messages", "10")])).unwrap();
    for i in 1..=30 {
        log.append(&at("t", 0), &numbered(0..1)).unwrap();
        assert_eq!(log.inner.needs_sync(), i % 10 != 0, "{i}");
    }
}

/// A log that version 1 wrote, kept as files: whatever comes later opens it.
#[test]
fn the_first_format_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/log/embedded/tests/format-1");
    copy(&kept, folder.path());
    let log = EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).unwrap();
    assert_eq!(log.recovery(), &RecoveryReport::default());
    assert_eq!(log.topics(), ["compressed", "plain"]);
    let row = |i: i64| (i, Some(format!("k{i}").into_bytes()), Some(format!("v{i}").into_bytes()), i);
    assert_eq!(read_all(&log, &at("plain", 1)).unwrap(), (3..20).map(row).collect::<Vec<_>>());
    for partition in 0..4 {
        assert_eq!(read_all(&log, &at("compressed", partition)).unwrap(), (0..50).map(row).collect::<Vec<_>>());
    }
    assert_eq!(log.positions("group").unwrap(), BTreeMap::from([(at("plain", 1), 7)]));
    assert_eq!(log.topic_id("compressed").unwrap().unwrap().to_string(), "6d696c6c-706f-6e64-0000-000000000002");
    let description = log.describe_topic("plain").unwrap();
    assert!(description.configs.iter().any(|config| config.name == "segment.bytes" && config.value == "400"));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => std::fs::copy(entry.path(), &to).map(|_| ()).unwrap(),
        }
    }
}

/// Writes the files of `the_first_format_is_read`. Not to be run again once they have been released.
#[test]
#[ignore = "makes the fixture"]
fn write_the_first_format() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/log/embedded/tests/format-1");
    let log = EmbeddedLog::open(&folder, EmbeddedOptions::default()).unwrap();
    log.create_topic(&spec("plain", 2, &[("segment.bytes", "400")])).unwrap();
    log.create_topic(&spec("compressed", 4, &[])).unwrap();
    log.append(&at("plain", 1), &numbered(0..10)).unwrap();
    let mut transaction = log.begin().unwrap();
    transaction.append(&at("plain", 1), &numbered(10..20)).unwrap();
    transaction.set_position("group", &at("plain", 1), 7).unwrap();
    transaction.commit().unwrap();
    for (partition, compression) in ["gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
        log.alter_topic("compressed", None, &[("compression.type".to_owned(), Some(compression.to_owned()))]).unwrap();
        log.append(&at("compressed", partition as u32), &numbered(0..50)).unwrap();
    }
    log.delete_records(&at("plain", 1), 3).unwrap();
    log.hold("owner", &at("plain", 1), 5).unwrap();
}

#[test]
fn offsets_are_found_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let configs = [("segment.bytes", "1000"), ("index.interval.bytes", "100")];
    let times = |i: i64| (i * 37) % 1000;
    for reopened in [false, true] {
        let log = EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).unwrap();
        if !reopened {
            log.create_topic(&spec("t", 1, &configs)).unwrap();
            for chunk in 0..50 {
                let mut records = Records::default();
                (0..10).for_each(|i| records.push(None, Some(b"x"), times(chunk * 10 + i)));
                log.append(&at("t", 0), &records).unwrap();
            }
            log.delete_records(&at("t", 0), 13).unwrap();
        }
        for time in -1..1002 {
            let expected = (13..500).find(|i| times(*i) >= time).unwrap_or(500);
            assert_eq!(log.offset_for_time(&at("t", 0), time).unwrap(), expected, "{time}");
        }
    }
}

#[test]
fn a_topic_created_again_is_another_one() {
    let first = std::cell::OnceCell::new();
    let position = |log: &EmbeddedLog, group: &str, offset: i64| {
        let mut transaction = log.begin().unwrap();
        transaction.set_position(group, &at("t", 0), offset).unwrap();
        transaction.set_position(group, &at("other", 0), offset).unwrap();
        transaction.commit().unwrap();
    };
    everywhere(&[
        &|log| {
            log.create_topic(&spec("t", 1, &[])).unwrap();
            log.create_topic(&spec("other", 1, &[])).unwrap();
            position(log, "g", 5);
            first.get_or_init(|| log.topic_id("t").unwrap().unwrap());
        },
        &|log| {
            assert_eq!(log.topic_id("t").unwrap().as_ref(), first.get());
            assert_eq!(log.describe_topic("t").unwrap().id.as_ref(), first.get());
            log.delete_topic("t").unwrap();
            assert!(matches!(log.topic_id("t"), Err(LogError::UnknownTopic(_))));
        },
        &|log| log.create_topic(&spec("t", 1, &[])).unwrap(),
        &|log| {
            let id = log.topic_id("t").unwrap().unwrap();
            assert_ne!(Some(&id), first.get());
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(log.positions("g").unwrap(), BTreeMap::from([(at("other", 0), 5)]));
        },
    ]);
}

#[test]
fn records_that_were_cut_are_refused() {
    let log = EmbeddedLog::in_memory();
    log.create_topic(&spec("t", 1, &[])).unwrap();
    let records = Records { overflowed: true, ..numbered(0..1) };
    assert!(matches!(log.append(&at("t", 0), &records), Err(LogError::Invalid(_))));
    assert_eq!(log.offsets(&at("t", 0)).unwrap(), (0, 0));
}

#[test]
fn signals_ring_after_a_commit() {
    let log = EmbeddedLog::in_memory();
    let signal = Arc::new(Signal::default());
    log.watch(&["t".to_owned(), "u".to_owned()], &signal);
    log.create_topic(&spec("t", 1, &[])).unwrap();
    assert!(signal.wait(Duration::ZERO));
    assert!(!signal.wait(Duration::ZERO));
    log.append(&at("t", 0), &numbered(0..1)).unwrap();
    assert!(signal.wait(Duration::ZERO));
    drop(signal);
    log.append(&at("t", 0), &numbered(0..1)).unwrap();
}

#[test]
fn a_folder_has_one_owner_and_a_known_format() {
    let folder = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).unwrap();
    let error = EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).err().unwrap();
    assert!(matches!(error, LogError::Held(_)), "{error}");
    drop(log);
    std::fs::write(folder.path().join("format"), "millpond log format 2\n").unwrap();
    let error = EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).err().unwrap();
    assert!(matches!(error, LogError::NewerFormat { found: 2, known: 1 }));
}
