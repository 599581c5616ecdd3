//! Views against plain folds of their topics.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::AtomicBool;

use super::rows::Before;
use super::scan::{Choice, Copied};
use super::*;
use crate::catalog::SourceKind;
use crate::catalog::SourceWindow;
use crate::format::{Format, Layout};
use crate::log::embedded::EmbeddedLog;
use crate::log::intercepted::{Call, Intercepted};
use crate::log::{LogError, TopicSpec};
use crate::state::snapshots::Mark;
use crate::types::SqlType;

const WINDOW: Option<SourceWindow> = Some(SourceWindow::Time { size_ms: 10, hopping: false });

fn windowed(retention_ms: Option<i64>) -> View {
    let layout = |name: &str| Layout {
        format: Format::Kafka,
        delimiter: ',',
        columns: vec![(name.to_string(), SqlType::String)],
        wrapped: false,
    };
    let source = Source {
        name: "T".to_string(),
        kind: SourceKind::Table,
        topic: "t".to_string(),
        columns: Vec::new(),
        key: layout("K"),
        value: layout("V"),
        wrap_single_value: None,
        timestamp: None,
        window: WINDOW,
        versions_retention_ms: None,
        is_source: false,
        statement: String::new(),
        query_id: None,
    };
    View::empty(Arc::new(source), 1, retention_ms, MemoryBudget::unlimited().share())
}

fn put(view: &View, key: &str, start: i64, value: Option<&str>, row_time: i64) {
    let mut records = Records::default();
    let key = [key.as_bytes(), &start.to_be_bytes()].concat();
    records.push(Some(&key), value.map(str::as_bytes), row_time);
    view.apply([(0, &records)]).unwrap();
}

fn values(rows: &[ViewRows]) -> Vec<String> {
    let records = &rows[0].records;
    (0..records.len()).map(|row| String::from_utf8(records.value(row).unwrap().to_vec()).unwrap()).collect()
}

#[test]
fn finds_the_windows_of_a_key() {
    let view = windowed(None);
    for start in [0, 10, 20] {
        put(&view, "a", start, Some(&format!("a{start}")), start);
        put(&view, "b", start, Some(&format!("b{start}")), start);
    }
    put(&view, "a", 10, None, 25);
    let a = [b"a".to_vec()];
    assert_eq!(values(&view.get(None, ALL_STARTS, &a)), ["a0", "a20"]);
    assert_eq!(values(&view.get(None, (Bound::Included(10), Bound::Unbounded), &a)), ["a20"]);
    assert_eq!(values(&view.scan(None, (Bound::Unbounded, Bound::Excluded(20)), None)), ["a0", "b0", "b10"]);
}

#[test]
fn many_rows_come_in_parts() {
    let mut copied = Parts { bytes_max: 10, ..Parts::default() };
    for (key, value) in [("a", "123456"), ("b", "12"), ("c", "1"), ("d", "a row of its own, too long"), ("e", "")] {
        copied.push(key.as_bytes(), value.as_bytes(), 0);
    }
    let keys = |part: &Records| (0..part.len()).map(|row| part.key(row).unwrap()[0] as char).collect::<String>();
    assert_eq!(copied.parts.iter().map(keys).collect::<Vec<_>>(), ["ab", "c", "d", "e"]);
}

#[test]
fn windows_are_dropped_when_their_time_is_over() {
    let view = windowed(Some(15));
    put(&view, "a", 0, Some("a0"), 5);
    put(&view, "a", 10, Some("a10"), 15);
    assert_eq!(values(&view.scan(None, ALL_STARTS, None)), ["a0", "a10"]);
    put(&view, "a", 20, Some("a20"), 25);
    assert_eq!(values(&view.scan(None, ALL_STARTS, None)), ["a10", "a20"]);
}

/// Records of a few keys in windows that come and go.
fn random_records(random: &mut fastrand::Rng, time: &mut i64) -> Records {
    let mut records = Records::default();
    for _ in 0..random.usize(0..8) {
        *time += random.i64(0..4);
        let start = (*time / 10 - random.i64(0..2)).max(0) * 10;
        let key = [&[random.u8(b'a'..b'f')][..], &start.to_be_bytes()].concat();
        let value = (random.u8(0..4) > 0).then(|| time.to_le_bytes());
        records.push(Some(&key), value.as_ref().map(|value| &value[..]), *time);
    }
    records
}

fn whole(rows: &Rows) -> BTreeMap<(i64, Vec<u8>), (Vec<u8>, i64)> {
    let generations = rows.generations.iter();
    let all = generations.flat_map(|(&start, rows)| rows.iter().map(move |row| (start, row)));
    all.map(|(start, (key, value, time))| ((start, key.to_vec()), (value.to_vec(), time))).collect()
}

/// Pieces of a snapshot that are taken while windows are changed, made and dropped.
#[test]
fn a_snapshot_and_what_came_since_is_the_whole() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..300 {
        let (mut rows, mut loaded, mut all) = (Rows::new(WINDOW), Rows::new(WINDOW), Vec::new());
        let mut time = 0;
        let mut take = |rows: &mut Rows, all: &mut Vec<Records>, random: &mut fastrand::Rng| {
            let records = random_records(random, &mut time);
            rows.apply(&records, Some(25));
            all.push(records);
        };
        (0..random.usize(0..20)).for_each(|_| take(&mut rows, &mut all, &mut random));
        let from = all.len();
        let mut next = Some(Mark::START);
        while let Some(mark) = next {
            let mut piece = Vec::new();
            next = rows.piece(mark, random.usize(1..120), &mut piece).unwrap();
            loaded.load(&piece).unwrap();
            (0..random.usize(0..3)).for_each(|_| take(&mut rows, &mut all, &mut random));
        }
        all[from..].iter().for_each(|records| loaded.apply(records, Some(25)));
        let mut replayed = Rows::new(WINDOW);
        all.iter().for_each(|records| replayed.apply(records, Some(25)));
        assert_eq!(whole(&rows), whole(&replayed));
        assert_eq!(whole(&loaded), whole(&replayed));
        assert_eq!(loaded.stream_time, replayed.stream_time);
    }
}

/// Key, value and row time.
type Row = (Vec<u8>, (Vec<u8>, i64));

fn rows_of(parts: &[Records]) -> Vec<Row> {
    let row = |records: &Records, row: usize| {
        let part = |part: Option<&[u8]>| part.unwrap().to_vec();
        (part(records.key(row)), (part(records.value(row)), records.meta[row].timestamp))
    };
    parts.iter().flat_map(|records| (0..records.len()).map(move |at| row(records, at))).collect()
}

/// Rows that are copied while windows are changed, made and dropped: all are those of the beginning.
#[test]
fn a_reader_has_one_version_of_the_rows() {
    let mut random = fastrand::Rng::with_seed(23);
    for _ in 0..500 {
        let (mut rows, mut time) = (Rows::new(WINDOW), 0);
        (0..random.usize(0..20)).for_each(|_| rows.apply(&random_records(&mut random, &mut time), Some(25)));
        let first = Bound::Included(random.i64(0..=time));
        let starts = [ALL_STARTS, (first, Bound::Unbounded), (Bound::Unbounded, first)][random.usize(0..3)];
        let rows_max = [None, Some(random.usize(0..6))][random.usize(0..2)];
        let choice = Choice { window: WINDOW, starts, rows_max };
        let expected: Vec<_> = whole(&rows)
            .into_iter()
            .filter(|((start, _), _)| std::ops::RangeBounds::contains(&starts, start))
            .map(|((_, key), row)| (key, row))
            .take(rows_max.unwrap_or(usize::MAX))
            .collect();
        rows.scans.push((7, Before::default()));
        let mut copied = Copied::new(rows_max);
        let mut next = Some(Mark::START);
        while let Some(mark) = next {
            next = copied.step(&rows, &rows.scans[0].1, mark, starts, random.usize(1..5));
            (0..random.usize(0..3)).for_each(|_| rows.apply(&random_records(&mut random, &mut time), Some(25)));
        }
        let (_, before) = rows.scans.pop().unwrap();
        assert_eq!(rows_of(&copied.with(&before, choice)), expected);
    }
}

/// A log whose topic `t` has so many partitions, and the view of it that a query keeps.
fn kept(partitions: u32) -> (Arc<EmbeddedLog>, View) {
    let log = Arc::new(EmbeddedLog::in_memory());
    let configs = [("cleanup.policy".to_string(), "compact".to_string())].into();
    log.create_topic(&TopicSpec { name: "t".to_string(), partitions, replicas: None, configs }).unwrap();
    let source = windowed(None).source;
    let view = View::of_query(source, partitions, None, &MemoryBudget::unlimited()).in_order_of(log.clone());
    view.load(&*log, &|| Ok(()), &|_, _| Ok(None)).unwrap();
    (log, view)
}

fn row(key: u8, value: i64) -> Records {
    let mut records = Records::default();
    let key = [&[key][..], &[0; 8]].concat();
    records.push(Some(&key), Some(&value.to_le_bytes()), value);
    records
}

/// Commits of the query and inserts reach the view in any order, some after a reader has read them from the topic.
#[test]
fn rows_are_those_of_the_topic_whoever_writes() {
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..200 {
        let (log, view) = kept(2);
        let mut commit: Option<Vec<(u32, Records)>> = None;
        let mut inserted: Vec<(u32, i64, Records)> = Vec::new();
        for step in 0..random.i64(1..40) {
            let partition = random.u32(0..2);
            match random.u8(0..6) {
                0 if commit.is_none() => {
                    let staged: Vec<_> =
                        (0..random.u32(1..4)).map(|at| (at % 2, row(random.u8(b'a'..b'd'), step))).collect();
                    let mut transaction = log.begin().unwrap();
                    for (partition, records) in &staged {
                        transaction.append(&view.place(*partition as usize), records).unwrap();
                    }
                    transaction.commit().unwrap();
                    commit = Some(staged);
                }
                1 => {
                    let records = row(random.u8(b'a'..b'd'), step);
                    let offset = log.append(&view.place(partition as usize), &records).unwrap();
                    inserted.push((partition, offset, records));
                }
                2 => log.delete_records(&view.place(0), log.offsets(&view.place(0)).unwrap().1).unwrap(),
                3 => drop(view.catch_up(&*log, None).unwrap()),
                4 if !inserted.is_empty() => {
                    let (partition, offset, records) = inserted.swap_remove(random.usize(..inserted.len()));
                    view.inserted(partition, offset, &records).unwrap();
                }
                _ => {
                    let commit = commit.take().unwrap_or_default();
                    view.apply(commit.iter().map(|(partition, records)| (*partition, records))).unwrap();
                }
            }
        }
        let commit = commit.unwrap_or_default();
        view.apply(commit.iter().map(|(partition, records)| (*partition, records))).unwrap();
        for (partition, offset, records) in &inserted {
            view.inserted(*partition, *offset, records).unwrap();
        }
        view.catch_up(&*log, None).unwrap();
        for (partition, rows) in view.partitions.read().iter().enumerate() {
            let mut expected = Rows::new(WINDOW);
            let read = for_each_fetch(&*log, &view.place(partition), None, None, &mut |records| {
                expected.apply(records, None);
                Ok(())
            });
            assert_eq!(whole(rows), whole(&expected));
            // Snapshots are taken where that is so.
            assert_eq!(rows.next, read.unwrap());
        }
    }
}

/// What is inserted into a table that readers follow is theirs to read, with all that came before it.
#[test]
fn a_followed_topic_is_read_in_its_order() {
    let (log, view) = kept(1);
    let view = View::follow(view.source.clone(), 1, None, &MemoryBudget::unlimited());
    log.append(&view.place(0), &row(b'a', 1)).unwrap();
    let records = row(b'b', 2);
    let offset = log.append(&view.place(0), &records).unwrap();
    view.inserted(0, offset, &records).unwrap();
    view.catch_up(&*log, None).unwrap();
    assert_eq!(rows_of(&[view.scan(None, ALL_STARTS, None).remove(0).records]).len(), 2);
}

/// Its rows are dropped by one reader whom the topic's log didn't answer, while another is about to look at them.
#[test]
fn no_reader_sees_rows_that_begin_anew() {
    let away = Arc::new(AtomicBool::new(false));
    let is_away = away.clone();
    let log = Intercepted::new(move |call| match call {
        Call::Fetch(_) if is_away.load(Ordering::Relaxed) => Err(LogError::Unavailable("nobody answers".to_owned())),
        _ => Ok(()),
    });
    let configs = BTreeMap::new();
    log.create_topic(&TopicSpec { name: "t".into(), partitions: 2, replicas: None, configs }).unwrap();
    let view = View::follow(windowed(None).source, 2, None, &MemoryBudget::unlimited());
    log.append(&view.place(0), &row(b'a', 1)).unwrap();
    log.append(&view.place(1), &row(b'b', 2)).unwrap();
    let mut looks = 0;
    let count = || view.scan(None, ALL_STARTS, None).iter().map(|rows| rows.records.len()).sum::<usize>();
    let seen = view.caught_up(&log, None, || {
        looks += 1;
        if looks == 1 {
            log.append(&view.place(1), &row(b'c', 3)).unwrap();
            away.store(true, Ordering::Relaxed);
            let told = view.caught_up(&log, None, || Ok(())).unwrap_err().to_string();
            assert!(told.contains("nobody answers"), "{told}");
            away.store(false, Ordering::Relaxed);
            assert_eq!(count(), 0);
        }
        Ok(count())
    });
    assert_eq!((seen.unwrap(), looks), (3, 2));
}

/// A topic got more partitions.
#[test]
fn a_followed_topic_is_read_with_all_its_partitions() {
    let log = EmbeddedLog::in_memory();
    let configs = BTreeMap::new();
    log.create_topic(&TopicSpec { name: "t".into(), partitions: 1, replicas: None, configs }).unwrap();
    let view = View::follow(windowed(None).source, 1, None, &MemoryBudget::unlimited());
    log.append(&view.place(0), &row(b'a', 1)).unwrap();
    let count = || Ok(view.scan(None, ALL_STARTS, None).iter().map(|rows| rows.records.len()).sum::<usize>());
    assert_eq!(view.caught_up(&log, None, count).unwrap(), 1);
    log.alter_topic("t", Some(3), &[]).unwrap();
    log.append(&view.place(2), &row(b'b', 2)).unwrap();
    assert_eq!(view.caught_up(&log, None, count).unwrap(), 2);
}

/// Readers ask for some partitions, while the topic gets records, loses those at its front, and is made anew.
#[test]
fn a_followed_topic_is_read_where_it_is_asked_for() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..300 {
        let (log, view) = kept(3);
        let view = View::follow(view.source.clone(), 3, None, &MemoryBudget::unlimited());
        let mut asked = [false; 3];
        for step in 0..random.i64(1..30) {
            let place = view.place(random.usize(..3));
            match random.u8(..12) {
                0 => log.delete_records(&place, log.offsets(&place).unwrap().1).unwrap(),
                1 => {
                    log.delete_topic("t").unwrap();
                    let configs = BTreeMap::new();
                    log.create_topic(&TopicSpec { name: "t".into(), partitions: 3, replicas: None, configs }).unwrap();
                    asked = [false; 3];
                }
                2 => {
                    view.let_go(&[place.partition], Duration::ZERO);
                    asked[place.partition as usize] = false;
                }
                3..8 => drop(log.append(&place, &row(random.u8(b'a'..b'd'), step)).unwrap()),
                _ => {
                    let wanted: Vec<u32> = (0..3).filter(|_| random.bool()).collect();
                    let rows = view.caught_up(&*log, Some(&wanted), || Ok(view.scan(Some(&wanted), ALL_STARTS, None)));
                    let mut expected = Vec::new();
                    for partition in &wanted {
                        asked[*partition as usize] = true;
                        let mut rows = Rows::new(WINDOW);
                        for_each_fetch(&*log, &view.place(*partition as usize), None, None, &mut |records| {
                            rows.apply(records, None);
                            Ok(())
                        })
                        .unwrap();
                        expected.push((*partition, whole(&rows).len()));
                        let keys: Vec<Vec<u8>> = (b'a'..b'd').map(|key| vec![key]).collect();
                        let got = view.get(Some(&[*partition]), ALL_STARTS, &keys);
                        assert_eq!(got.iter().map(|rows| rows.records.len()).sum::<usize>(), whole(&rows).len());
                        assert_eq!(whole(&view.partitions.read()[*partition as usize]), whole(&rows));
                    }
                    let rows: Vec<_> = rows.unwrap().iter().map(|rows| (rows.partition, rows.records.len())).collect();
                    assert_eq!(rows, expected);
                }
            }
            // Nothing is kept that nobody asked for.
            for (partition, rows) in
                view.partitions.read().iter().enumerate().filter(|(partition, _)| !asked[*partition])
            {
                assert!(whole(rows).is_empty() || rows.asked.is_some(), "{partition}");
            }
        }
    }
}

/// Commits set all rows of both partitions to one value, beside inserts and readers.
#[test]
fn a_reader_sees_all_of_a_commit_or_nothing_of_it() {
    const KEYS: u16 = 6000;
    let (log, view) = kept(2);
    let all_at = |value: i64| {
        let mut records = Records::default();
        for key in 0..KEYS {
            let key = [&key.to_be_bytes()[..], &[0; 8]].concat();
            records.push(Some(&key), Some(&value.to_le_bytes()), value);
        }
        records
    };
    let commit = |value: i64| {
        let records = all_at(value);
        let mut transaction = log.begin().unwrap();
        (0..2).for_each(|partition| transaction.append(&view.place(partition), &records).unwrap());
        transaction.commit().unwrap();
        view.apply([(0, &records), (1, &records)]).unwrap();
    };
    commit(0);
    std::thread::scope(|threads| {
        threads.spawn(|| (1..40).for_each(commit));
        threads.spawn(|| {
            for value in 0..40 {
                let mut records = row(b'i', value);
                records.meta[0].timestamp = -1;
                let offset = log.append(&view.place(1), &records).unwrap();
                view.inserted(1, offset, &records).unwrap();
            }
        });
        threads.spawn(|| {
            let keys: Vec<Vec<u8>> = (0..KEYS).step_by(500).map(|key| key.to_be_bytes().to_vec()).collect();
            let mut seen = 0;
            while seen < 39 {
                let found = view.get(None, ALL_STARTS, &keys).into_iter().map(|rows| rows.records).collect::<Vec<_>>();
                let mut times: Vec<i64> = rows_of(&found).iter().map(|(_, (_, time))| *time).collect();
                assert_eq!(times.len(), 2 * keys.len());
                times.dedup();
                assert_eq!(times.len(), 1, "rows of several commits: {times:?}");
                assert!(times[0] >= seen);
                seen = times[0];
            }
        });
        let reader = threads.spawn(|| {
            let mut seen = 0;
            while seen < 39 {
                view.catch_up(&*log, None).unwrap();
                let rows = rows_of(
                    &view.scan(None, ALL_STARTS, None).into_iter().map(|rows| rows.records).collect::<Vec<_>>(),
                );
                let mut times: Vec<i64> = rows.iter().map(|(_, (_, time))| *time).filter(|time| *time >= 0).collect();
                assert_eq!(times.len(), 2 * usize::from(KEYS));
                times.dedup();
                assert_eq!(times.len(), 1, "rows of several commits: {times:?}");
                assert!(times[0] >= seen);
                seen = times[0];
            }
        });
        reader.join().unwrap();
    });
}

#[test]
fn finds_the_sessions_of_a_key() {
    let mut rows = Rows::new(Some(SourceWindow::Session));
    // As Kafka has it, the end before the start.
    let session = |key: &[u8], start: i64, end: i64| [key, &end.to_be_bytes(), &start.to_be_bytes()].concat();
    let mut records = Records::default();
    for (key, start, end) in [(&b"a"[..], 0, 5), (b"b", 0, 7), (b"a", 20, 30), (b"a\0", 3, 4), (b"a", 40, 41)] {
        records.push(Some(&session(key, start, end)), Some(b"v"), end);
    }
    // A session that has grown, and its tombstone.
    records.push(Some(&session(b"a", 20, 30)), None, 33);
    records.push(Some(&session(b"a", 20, 33)), Some(b"v"), 33);
    rows.apply(&records, None);
    let found = |rows: &Rows, key: &[u8], starts: Starts| {
        let mut copied = Parts::default();
        rows.copy_key(key, starts, &mut copied);
        rows_of(&copied.parts).into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    let of_a = [session(b"a", 0, 5), session(b"a", 20, 33), session(b"a", 40, 41)];
    assert_eq!(found(&rows, b"a", ALL_STARTS), of_a);
    assert_eq!(found(&rows, b"a", (Bound::Included(1), Bound::Excluded(40))), of_a[1..2]);
    assert_eq!(found(&rows, b"", ALL_STARTS), Vec::<Vec<u8>>::new());
    let (mut piece, mut loaded) = (Vec::new(), Rows::new(Some(SourceWindow::Session)));
    assert!(rows.piece(Mark::START, usize::MAX / 2, &mut piece).unwrap().is_none());
    loaded.load(&piece).unwrap();
    assert_eq!(found(&loaded, b"a", ALL_STARTS), of_a);
    let mut late = Records::default();
    late.push(Some(&session(b"c", 50, 51)), Some(b"v"), 51);
    loaded.apply(&late, Some(15));
    assert_eq!(found(&loaded, b"a", ALL_STARTS), of_a[2..]);
    assert_eq!(loaded.sessions.len(), 2);
}
