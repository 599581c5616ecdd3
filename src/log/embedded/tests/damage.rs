//! Bits that flip and files that are cut: detected, repaired or harmless, never a wrong record.

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

/// A small log with all kinds of content, closed or not.
fn small_log(close: bool) -> (Faulty, Vec<Contents>) {
    let storage = Faulty::new(1);
    let log = open_on(&storage, quiet()).unwrap();
    let mut history = Vec::new();
    log.create_topic(&spec("t", 2, &[("segment.bytes", "150")])).unwrap();
    log.create_topic(&spec("z", 1, &[("compression.type", "snappy")])).unwrap();
    let mut repetitive = Records::default();
    repetitive.push(None, Some(&[b'a'; 100]), 5);
    for i in 0..3 {
        let mut transaction = log.begin().unwrap();
        transaction.append(&at("t", 0), &numbered(i * 2..i * 2 + 2)).unwrap();
        transaction.append(&at("t", 1), &numbered(i..i + 1)).unwrap();
        transaction.append(&at("z", 0), &repetitive).unwrap();
        transaction.set_position("g", &at("t", 0), i).unwrap();
        transaction.commit().unwrap();
        history.push(contents(&log).unwrap());
    }
    if close {
        log.inner.close();
    }
    (storage, history)
}

/// Opens a log on changed files and looks at all that is in it.
fn look(storage: &Faulty) -> Result<Contents, LogError> {
    contents(&open_on(storage, quiet())?)
}

fn assert_refused_or(found: Result<Contents, LogError>, allowed: &[Contents], what: &str) {
    match found {
        Ok(found) => assert!(allowed.contains(&found), "{what}: {found:#?}"),
        Err(LogError::Damaged { .. } | LogError::NewerFormat { .. }) => {}
        Err(other) => panic!("{what}: {other}"),
    }
}

#[test]
fn every_flipped_bit_of_a_closed_log_is_found_or_harmless() {
    let (storage, history) = small_log(true);
    let mut refused = 0;
    for (path, size) in storage.paths() {
        let must_refuse = path.ends_with(".log") || path.ends_with(".journal");
        for bit in 0..size * 8 {
            let changed = storage.after_kill();
            changed.edit(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let found = look(&changed);
            assert!(!must_refuse || found.is_err(), "{path} bit {bit}: {found:#?}");
            refused += usize::from(found.is_err());
            assert_refused_or(found, &history[2..], &format!("{path} bit {bit}"));
        }
    }
    assert!(refused > 1000);
}

#[test]
fn every_truncation_of_a_closed_log_is_found_or_harmless() {
    let (storage, history) = small_log(true);
    for (path, size) in storage.paths() {
        let must_refuse = path.ends_with(".log") || path.ends_with(".journal");
        for len in 0..size {
            let changed = storage.after_kill();
            changed.edit(&path, |bytes| bytes.truncate(len));
            let found = look(&changed);
            assert!(!must_refuse || found.is_err(), "{path} cut to {len}: {found:#?}");
            assert_refused_or(found, &history[2..], &format!("{path} cut to {len}"));
        }
        let changed = storage.after_kill();
        changed.remove(&path).unwrap();
        assert_refused_or(look(&changed), &history[2..], &format!("{path} removed"));
    }
}

/// Without a durable mark a cut journal looks as after loss of power: a prefix of the commits is what there is.
#[test]
fn what_no_mark_covers_is_cut_to_whole_commits() {
    let (storage, mut history) = small_log(false);
    let log = open_on(&Faulty::new(1), quiet()).unwrap();
    log.create_topic(&spec("t", 2, &[("segment.bytes", "150")])).unwrap();
    history.push(contents(&log).unwrap());
    log.create_topic(&spec("z", 1, &[("compression.type", "snappy")])).unwrap();
    history.push(contents(&log).unwrap());
    history.push(Contents::default());
    for (path, size) in storage.paths() {
        for len in (0..size).filter(|_| path != "format") {
            let changed = storage.after_kill();
            changed.edit("durable", |bytes| bytes.clear());
            changed.edit(&path, |bytes| bytes.truncate(len));
            assert_refused_or(look(&changed), &history, &format!("{path} cut to {len}"));
        }
        for bit in (0..size * 8).filter(|_| path != "format") {
            let changed = storage.after_kill();
            changed.edit(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            assert_refused_or(look(&changed), &history, &format!("{path} bit {bit}"));
        }
    }
}

/// Whole batches with good checksums and the right offsets, but not those that were committed.
#[test]
fn a_commit_vouches_for_its_own_bytes_only() {
    let one = |value: &[u8]| {
        let storage = Faulty::new(1);
        let log = open_on(&storage, quiet()).unwrap();
        log.create_topic(&spec("t", 1, &[])).unwrap();
        let mut records = Records::default();
        records.push(None, Some(value), 1);
        log.append(&at("t", 0), &records).unwrap();
        storage
    };
    let (ours, other) = (one(b"ours"), one(b"othr"));
    let path = "topics/t~1/0/00000000000000000000.log";
    let foreign = storage::read_all(&other, path).unwrap();
    ours.edit(path, |bytes| *bytes = foreign);
    let log = open_on(&ours, quiet()).unwrap();
    assert_eq!(log.recovery().commits_cut, 1);
    assert!(read_all(&log, &at("t", 0)).unwrap().is_empty());
}

/// An index that was saved before the segment was cut and written on says where other batches were.
#[test]
fn an_index_of_another_history_is_not_believed() {
    let write = |len: usize| {
        let storage = Faulty::new(1);
        let log = open_on(&storage, quiet()).unwrap();
        log.create_topic(&spec("t", 1, &[("index.interval.bytes", "100")])).unwrap();
        for i in 0..20 {
            let mut records = Records::default();
            records.push(None, Some(&vec![b'x'; len]), i);
            log.append(&at("t", 0), &records).unwrap();
        }
        log.inner.close();
        storage
    };
    let path = "topics/t~1/0/00000000000000000000.index";
    for (ours, other) in [(5, 40), (40, 5)] {
        let storage = write(ours);
        let index = storage::read_all(&write(other), path).unwrap();
        storage.edit(path, |bytes| *bytes = index);
        let log = open_on(&storage, quiet()).unwrap();
        for from in 0..20 {
            assert_eq!(read_from(&log, &at("t", 0), from, 1).unwrap().len() as i64, 20 - from);
            assert_eq!(log.offset_for_time(&at("t", 0), from).unwrap(), from);
        }
    }
}

#[test]
fn what_lies_behind_the_committed_end_is_cut_off_by_the_next_append() {
    let (storage, history) = small_log(true);
    let path = storage.paths().into_iter().rfind(|(path, _)| path.contains("z~2/0")).unwrap().0;
    storage.edit(&path, |bytes| bytes.extend([1; 1000]));
    let log = open_on(&storage, quiet()).unwrap();
    assert_eq!(contents(&log).unwrap(), history[2]);
    log.append(&at("z", 0), &numbered(0..1)).unwrap();
    let size = log.describe_topic("z").unwrap().partitions[0].bytes.unwrap();
    assert_eq!(storage.len(&path).unwrap(), size);
}

#[test]
fn what_was_cut_is_reported_and_the_log_goes_on() {
    let (storage, history) = small_log(false);
    let changed = storage.after_kill();
    let (path, _) = storage.paths().into_iter().rfind(|(path, _)| path.contains("z~2/0")).unwrap();
    changed.edit(&path, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let log = open_on(&changed, quiet()).unwrap();
    assert_eq!(log.recovery().commits_cut, 1);
    assert!(log.recovery().reason.as_ref().unwrap().contains("wrong checksum of a batch"));
    let [warning] = &log.warnings()[..] else { panic!("{:?}", log.warnings()) };
    assert!(
        warning.contains("cut the last commit,") && warning.contains("wrong checksum") && warning.contains(&path),
        "{warning}"
    );
    assert_eq!(contents(&log).unwrap(), history[1]);
    log.append(&at("t", 0), &numbered(50..60)).unwrap();
    log.inner.close();
    drop(log);
    let log = open_on(&changed.after_kill(), quiet()).unwrap();
    assert_eq!((log.recovery(), log.warnings()), (&RecoveryReport::default(), Vec::new()));
    assert_eq!(read_all(&log, &at("t", 0)).unwrap().len(), 14);
}

#[test]
fn a_compaction_that_fails_is_told_of_once_and_waits() {
    let storage = Faulty::new(1);
    let (time, told) = (Arc::new(AtomicI64::new(1000)), Arc::new(Mutex::new(Vec::new())));
    let (clock, tell) = (Arc::clone(&time), Arc::clone(&told));
    let options = EmbeddedOptions {
        clock: Arc::new(move || clock.load(Ordering::Relaxed)),
        tell: Some(Arc::new(move |text: &str| tell.lock().push(text.to_owned()))),
        ..quiet()
    };
    let log = open_on(&storage, options).unwrap();
    log.create_topic(&spec("t", 1, &[("cleanup.policy", "compact"), ("segment.bytes", "150")])).unwrap();
    for _ in 0..5 {
        log.append(&at("t", 0), &numbered(0..2)).unwrap();
    }
    let path = storage.paths().into_iter().find(|(path, _)| path.ends_with(".log")).unwrap().0;
    storage.edit(&path, |bytes| bytes[70] ^= 1);
    let due = |log: &EmbeddedLog| log.inner.maintain(maintain::Attempt::Due);
    assert!(matches!(due(&log), Err(LogError::Damaged { .. })));
    let warnings = log.warnings();
    assert!(warnings[0].contains("topic 't', partition 0") && warnings[0].contains(&path), "{warnings:?}");
    // Not before its time, and then again in vain: no news.
    due(&log).unwrap();
    time.fetch_add(15_000, Ordering::Relaxed);
    assert!(matches!(due(&log), Err(LogError::Damaged { .. })));
    assert_eq!((&log.warnings(), &*told.lock()), (&warnings, &warnings));
    storage.edit(&path, |bytes| bytes[70] ^= 1);
    time.fetch_add(30_000, Ordering::Relaxed);
    due(&log).unwrap();
    assert_eq!(log.warnings(), Vec::<String>::new());
    assert!(read_all(&log, &at("t", 0)).unwrap().len() < 10);
}
