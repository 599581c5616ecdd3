//! A topic of one partition and the rows that it comes to, with snapshots taken while it grows, on storage that fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::state::RowStore;
use crate::storage::faulty::Faulty;

/// The newest row of each key.
#[derive(Default)]
struct Table(RowStore);

impl Pieces for Table {
    fn layout(&self) -> String {
        "table".to_owned()
    }

    fn rows(&self) -> usize {
        self.0.len()
    }

    fn piece(&self, from: Mark, bytes_max: usize, into: &mut Vec<u8>) -> Result<Option<Mark>> {
        let next = self.0.write_rows(from.index, bytes_max, into);
        Ok(next.map(|index| Mark { index, ..from }))
    }

    fn load(&mut self, mut piece: &[u8]) -> Option<()> {
        self.0.read_rows(&mut piece)?;
        piece.is_empty().then_some(())
    }
}

/// Key and value; none: a tombstone.
type Record = (u8, Option<u32>);

impl Table {
    fn apply(&mut self, records: &[Record]) {
        for (key, value) in records {
            match value {
                Some(value) => self.0.put(&[*key], &value.to_le_bytes(), i64::from(*value)),
                None => drop(self.0.remove(&[*key])),
            }
        }
    }

    fn content(&self) -> BTreeMap<Vec<u8>, (Vec<u8>, i64)> {
        self.0.iter().map(|(key, value, time)| (key.to_vec(), (value.to_vec(), time))).collect()
    }
}

fn folded(topic: &[Record]) -> Table {
    let mut table = Table::default();
    table.apply(topic);
    table
}

fn store(storage: &Faulty) -> Snapshots {
    let options = SnapshotOptions { disk_free_min_bytes: 0, ..SnapshotOptions::default() };
    SnapshotStore::on(Arc::new(storage.clone()), options).of("query/1", "history")
}

fn part() -> Part {
    let place = TopicPartition { topic: "t".to_owned(), partition: 0 };
    Part { name: "rows-0".to_owned(), place, topic_id: Some("5".to_owned()) }
}

fn span(topic: &[Record]) -> Span {
    Span { first: 0, end: topic.len() as i64 }
}

fn random_records(random: &mut fastrand::Rng) -> Vec<Record> {
    let record = |random: &mut fastrand::Rng| {
        let value = random.u32(..);
        (random.u8(0..40), (!value.is_multiple_of(3)).then_some(value))
    };
    (0..random.usize(0..12)).map(|_| record(random)).collect()
}

/// Takes a snapshot while the topic grows.
fn take(store: &Snapshots, topic: &mut Vec<Record>, table: &mut Table, random: &mut fastrand::Rng) -> Result<()> {
    let mut capture = store.begin(&part(), span(topic), table)?;
    while capture.advance(table, random.usize(1..200), topic.len() as i64)? == Progress::Going {
        let records = random_records(random);
        table.apply(&records);
        topic.extend(records);
    }
    capture.publish().map(drop)
}

/// The state as a restart finds it: from the snapshot, if there is one, and the topic.
fn restored(store: &Snapshots, topic: &[Record]) -> (Recovery, Table) {
    let mut table = Table::default();
    let (recovery, _) = store.restore(&part(), span(topic), None, &mut table, &|| Ok(())).unwrap();
    let from = match recovery {
        Recovery::UseSnapshot { from } => from as usize,
        Recovery::ReplayAll(_) => {
            assert!(table.0.is_empty());
            0
        }
    };
    table.apply(&topic[from..]);
    (recovery, table)
}

#[test]
fn a_snapshot_and_what_came_since_is_the_whole() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..300 {
        let storage = Faulty::new(1);
        let store = store(&storage);
        let (mut topic, mut table) = (Vec::new(), Table::default());
        assert_eq!(restored(&store, &topic).0, Recovery::ReplayAll(Reason::Missing));
        for _ in 0..random.usize(1..4) {
            take(&store, &mut topic, &mut table, &mut random).unwrap();
            let records = random_records(&mut random);
            table.apply(&records);
            topic.extend(records);
        }
        let (recovery, found) = restored(&store, &topic);
        assert!(matches!(recovery, Recovery::UseSnapshot { .. }), "{recovery:?}");
        assert_eq!(found.content(), folded(&topic).content());
        assert_eq!(storage.paths().len(), 1, "{:?}", storage.paths());
    }
}

#[test]
fn damage_is_found_whatever_bit_it_hits() {
    let mut random = fastrand::Rng::with_seed(4);
    let storage = Faulty::new(1);
    let (mut topic, mut table) = (random_records(&mut random), Table::default());
    table.apply(&topic);
    take(&store(&storage), &mut topic, &mut table, &mut random).unwrap();
    let (path, len) = storage.paths()[0].clone();
    let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
        let storage = storage.after_kill();
        storage.edit(&path, change);
        let (recovery, found) = restored(&store(&storage), &topic);
        assert_eq!(found.content(), folded(&topic).content());
        assert_eq!(storage.paths(), [], "it is not looked at again");
        recovery
    };
    for bit in 0..len * 8 {
        assert_eq!(damaged(&|file| file[bit / 8] ^= 1 << (bit % 8)), Recovery::ReplayAll(Reason::Damaged), "bit {bit}");
    }
    for end in 0..len {
        assert_eq!(damaged(&|file| file.truncate(end)), Recovery::ReplayAll(Reason::Damaged), "cut at {end}");
    }
    assert_eq!(damaged(&|file| file.push(0)), Recovery::ReplayAll(Reason::Damaged));
}

#[test]
fn a_newer_format_is_left_alone_and_not_taken_for_damage() {
    let mut random = fastrand::Rng::with_seed(5);
    let storage = Faulty::new(1);
    let (mut topic, mut table) = (Vec::new(), Table::default());
    take(&store(&storage), &mut topic, &mut table, &mut random).unwrap();
    let (path, _) = storage.paths()[0].clone();
    storage.edit(&path, |file| {
        // Behind the frame's length and checksum: the kind of frame, four bytes of magic, the version.
        file[13] += 1;
        let len = u32::from_le_bytes(file[..4].try_into().unwrap()) as usize;
        let crc = crc32c::crc32c(&file[8..8 + len]);
        file[4..8].copy_from_slice(&crc.to_le_bytes());
    });
    assert_eq!(restored(&store(&storage), &topic).0, Recovery::ReplayAll(Reason::NewerFormat(3)));
}

#[test]
fn a_snapshot_of_what_the_topic_lost_is_not_used_later_either() {
    let mut random = fastrand::Rng::with_seed(6);
    let storage = Faulty::new(1);
    let store = store(&storage);
    let mut topic: Vec<Record> = (0..20).map(|n| (n, Some(u32::from(n)))).collect();
    let mut table = folded(&topic);
    take(&store, &mut topic, &mut table, &mut random).unwrap();
    topic.truncate(10);
    assert_eq!(restored(&store, &topic).0, Recovery::ReplayAll(Reason::AheadOfTopic));
    topic.extend((0..100).map(|n| (n, Some(7))));
    let (recovery, found) = restored(&store, &topic);
    assert_eq!(recovery, Recovery::ReplayAll(Reason::Missing));
    assert_eq!(found.content(), folded(&topic).content());
}

/// The process ends, or the power goes, at any operation on the files: what is found then is the snapshot before or the
/// new one, and with the topic it comes to the same.
#[test]
fn a_crash_at_any_operation_leaves_the_old_snapshot_or_the_new_one() {
    let script = |storage: &Faulty| {
        let mut random = fastrand::Rng::with_seed(8);
        let (mut topic, mut table) = (Vec::new(), Table::default());
        let mut outcome = Ok(());
        for _ in 0..3 {
            let records = random_records(&mut random);
            table.apply(&records);
            topic.extend(records);
            outcome = take(&store(storage), &mut topic, &mut table, &mut random);
            if outcome.is_err() {
                break;
            }
        }
        (topic, outcome)
    };
    let whole = Faulty::new(1);
    script(&whole).1.unwrap();
    let operations = whole.operations();
    assert!(operations > 20, "{operations}");
    let mut used = 0;
    for operation in 0..operations {
        for seed in 0..6 {
            let storage = Faulty::new(seed);
            storage.crash_at(operation);
            let (topic, _) = script(&storage);
            for after in [storage.after_kill(), storage.after_power_loss(seed)] {
                let (recovery, found) = restored(&store(&after), &topic);
                used += u32::from(matches!(recovery, Recovery::UseSnapshot { .. }));
                let fine = matches!(recovery, Recovery::UseSnapshot { .. } | Recovery::ReplayAll(Reason::Missing));
                assert!(fine, "operation {operation}: {recovery:?}");
                assert_eq!(found.content(), folded(&topic).content(), "operation {operation}, {recovery:?}");
                assert!(after.paths().iter().all(|(path, _)| path.ends_with(".snapshot")), "{:?}", after.paths());
            }
        }
    }
    assert!(used > 100, "{used}");
}

/// An operation that fails ends the snapshot, not what was there.
#[test]
fn a_failed_operation_leaves_the_snapshot_before() {
    let mut random = fastrand::Rng::with_seed(9);
    let storage = Faulty::new(1);
    let store = store(&storage);
    let mut topic: Vec<Record> = (0..20).map(|n| (n, Some(u32::from(n)))).collect();
    let mut table = folded(&topic);
    take(&store, &mut topic, &mut table, &mut random).unwrap();
    let from = topic.len() as i64;
    topic.extend((0..9).map(|n| (n, None)));
    table = folded(&topic);
    storage.fail_at(storage.operations() + 1);
    assert!(take(&store, &mut topic, &mut table, &mut random).is_err());
    let (recovery, found) = restored(&store, &topic);
    assert!(matches!(recovery, Recovery::UseSnapshot { from: found } if found < from), "{recovery:?}");
    assert_eq!(found.content(), folded(&topic).content());
}

#[test]
fn names_of_owners_are_names_of_folders() {
    assert_eq!(folder_name("_confluent-ksql-default_query_CTAS_T_5"), "_confluent-ksql-default_query_CTAS_T_5");
    assert_eq!(folder_name("../a b"), "%2e%2e%2fa%20b");
}

#[test]
fn a_snapshot_is_due_by_records_and_by_rows() {
    let options = SnapshotOptions { changed_records_min: 1000, changed_percent_min: 200, ..SnapshotOptions::default() };
    assert_eq!(options.due_after(0, 4), 250);
    assert_eq!(options.due_after(100, 4), 250);
    assert_eq!(options.due_after(200, 4), 400);
    assert_eq!(SnapshotOptions { changed_records_min: 0, ..options }.due_after(0, 4), 1);
}
