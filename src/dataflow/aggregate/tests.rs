//! The operator against a slow, plain recomputation: a list of all rows of each group, worked through one by one.

mod distinct;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int64Array, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;

use super::*;
use crate::dataflow::OldRows;
use crate::dataflow::Origin;
use crate::expr::accumulator::AggregateCall;
use crate::expr::accumulators;
use crate::state::snapshots::trial::{Trial, pieces};
use crate::types::SqlType;

#[derive(Debug, Clone, PartialEq)]
struct Row {
    key: Option<i64>,
    value: Option<i64>,
    time: i64,
    tombstone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum KeyShape {
    Text,
    Number,
    Both,
}

/// One output row in words: key, window, values ("-": tombstone), time.
#[derive(Debug, Clone, PartialEq)]
struct Out {
    group: String,
    values: String,
    time: i64,
}

fn call(name: &'static str) -> AggregateCall {
    AggregateCall { name, args: vec![SqlType::Bigint], ..AggregateCall::default() }
}

fn spec(keys: KeyShape, window: Option<Window>, emit_final: bool, table_input: bool) -> AggregateSpec {
    let key_types = match keys {
        KeyShape::Text => vec![SqlType::String],
        KeyShape::Number => vec![SqlType::Bigint],
        KeyShape::Both => vec![SqlType::String, SqlType::Bigint],
    };
    let value = key_types.len();
    let mut made = vec![
        accumulators::count(&call("COUNT")).unwrap(),
        accumulators::sum(&call("SUM")).unwrap(),
        accumulators::collect_list(&call("COLLECT_LIST")).unwrap(),
    ];
    made.push(accumulators::min(&AggregateCall { retracts: table_input, ..call("MIN") }).unwrap());
    if !table_input {
        made.push(accumulators::latest_by_offset(&call("LATEST_BY_OFFSET")).unwrap());
    }
    let calls = made.into_iter().map(|accumulator| AggregateInput { accumulator, args: vec![value] }).collect();
    AggregateSpec { key_types, calls, window, emit_final, distinct: false, table_input }
}

fn key_columns(keys: KeyShape, values: &[Option<i64>]) -> Vec<ArrayRef> {
    let text: ArrayRef = Arc::new(values.iter().map(|key| key.map(|key| format!("k{key}"))).collect::<StringArray>());
    let number: ArrayRef = Arc::new(values.iter().map(|key| key.map(|key| key - 2)).collect::<Int64Array>());
    match keys {
        KeyShape::Text => vec![text],
        KeyShape::Number => vec![number],
        KeyShape::Both => vec![text, number],
    }
}

/// The key in words, as `words` gives it of an output row.
fn key_text(keys: KeyShape, key: i64) -> String {
    match keys {
        KeyShape::Text => format!("k{key}"),
        KeyShape::Number => format!("{}", key - 2),
        KeyShape::Both => format!("k{key},{}", key - 2),
    }
}

fn batch(keys: KeyShape, rows: &[Row]) -> Batch {
    let mut columns = key_columns(keys, &rows.iter().map(|row| row.key).collect::<Vec<_>>());
    let key_count = columns.len();
    columns.push(Arc::new(rows.iter().map(|row| row.value).collect::<Int64Array>()));
    let tombstones = rows.iter().any(|row| row.tombstone);
    Batch {
        rows: rows.len(),
        columns,
        keys: key_count,
        row_time: rows.iter().map(|row| row.time).collect::<Vec<_>>().into(),
        window: None,
        tombstone: tombstones.then(|| rows.iter().map(|row| row.tombstone).collect()),
        null_key: None,
        old: None,
        headers: None,
        origin: Origin::default(),
        order: None,
    }
}

fn words(columns: &[ArrayRef], row: usize) -> String {
    let cell = |column: &ArrayRef| {
        if column.is_null(row) { "null".to_owned() } else { array_value_to_string(column, row).unwrap() }
    };
    columns.iter().map(cell).collect::<Vec<_>>().join(",")
}

/// Output rows in words; checks that each one's `old` is what downstream has.
fn read(out: &mut Vec<Batch>, downstream: &mut BTreeMap<String, String>) -> Vec<Out> {
    let mut result = Vec::new();
    for batch in out.drain(..) {
        assert!(batch.columns.iter().all(|column| column.len() == batch.rows));
        for row in 0..batch.rows {
            let mut group = words(batch.key_columns(), row);
            if let Some(window) = &batch.window {
                group += &format!("@{}-{}", window.start[row], window.end[row]);
            }
            let gone = batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(row));
            let values = if gone { "-".to_owned() } else { words(batch.value_columns(), row) };
            if let Some(old) = &batch.old {
                let before = old.present.value(row).then(|| words(&old.columns, row));
                assert_eq!(downstream.get(&group), before.as_ref(), "old of {group}");
            }
            if gone {
                assert!(downstream.remove(&group).is_some(), "a tombstone for {group}, which nobody has");
            } else {
                downstream.insert(group.clone(), values.clone());
            }
            result.push(Out { group, values, time: batch.row_time[row] });
        }
    }
    result
}

/// Bytes of a cache: none, one that is always full, one that is full now and then, one that never is.
const CACHES: [usize; 4] = [0, 1, 400, usize::MAX];

/// How the operator is driven.
#[derive(Debug, Clone, Copy)]
struct Drive {
    cache_bytes_max: usize,
    restarts: bool,
    rows_max: usize,
}

struct Case {
    keys: KeyShape,
    window: Option<Window>,
    emit_final: bool,
    held_max: usize,
    assigned_max: usize,
}

impl Case {
    fn aggregate(&self) -> Aggregate {
        let mut aggregate = Aggregate::new(spec(self.keys, self.window, self.emit_final, false)).unwrap();
        aggregate.held_max = self.held_max;
        if let Windows::Time(windows) = &mut aggregate.windows {
            windows.assigned_max = self.assigned_max;
        }
        aggregate
    }

    fn run(
        &self,
        rows: &[Row],
        drive: Drive,
        random: &mut fastrand::Rng,
    ) -> (Vec<Out>, BTreeMap<String, String>, Context) {
        let mut operator = self.aggregate();
        let mut context = Context { cache_bytes_max: drive.cache_bytes_max, ..Context::default() };
        let (mut changelog, mut snapshots) = (Records::default(), Trial::default());
        let (mut result, mut downstream, mut out) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut rest = rows;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(random.usize(1..=drive.rows_max).min(rest.len()));
            rest = later;
            operator.push(batch(self.keys, now), &mut out, &mut context).unwrap();
            while operator.unfinished.is_some() {
                operator.resume(&mut out, &mut context).unwrap();
            }
            if random.u8(0..4) == 0 {
                operator.flush(&mut out, &mut context).unwrap();
                operator.changes(&mut changelog).unwrap();
                snapshots.after_commit(&operator, changelog.len(), random);
                if drive.restarts {
                    operator = self.restart(operator, &changelog, &snapshots, random);
                    snapshots.restart();
                }
            }
            result.extend(read(&mut out, &mut downstream));
        }
        operator.flush(&mut out, &mut context).unwrap();
        result.extend(read(&mut out, &mut downstream));
        (result, downstream, context)
    }

    /// A new operator from the changelog (compacted or not), all of it or what came behind a snapshot, or from a snapshot
    /// of now.
    fn restart(&self, old: Aggregate, changelog: &Records, snapshots: &Trial, random: &mut fastrand::Rng) -> Aggregate {
        let mut operator = self.aggregate();
        if random.u8(0..3) == 0 {
            pieces(&old, random.usize(1..2000)).iter().for_each(|piece| operator.load(piece).unwrap());
        } else {
            let from = if random.bool() { snapshots.load(&mut operator) } else { 0 };
            let mut last = HashMap::new();
            for row in 0..changelog.len() {
                last.insert(changelog.key(row), row);
            }
            let compact = random.bool();
            let mut records = Records::default();
            for row in (from..changelog.len()).filter(|row| !compact || last[&changelog.key(*row)] == *row) {
                records.push(changelog.key(row), changelog.value(row), changelog.meta[row].timestamp);
            }
            operator.restore(&records).unwrap();
        }
        assert_eq!(operator.len(), old.len());
        operator
    }
}

/// A row of a group: value, time, order of arrival.
type Held = (Option<i64>, i64, usize);

fn values_of(rows: &[Held]) -> String {
    let numbers: Vec<i64> = rows.iter().filter_map(|row| row.0).collect();
    let text = |number: Option<i64>| number.map_or("null".to_owned(), |number| number.to_string());
    let list: Vec<String> = rows.iter().map(|row| row.0.map_or(String::new(), |number| number.to_string())).collect();
    let latest = rows.iter().filter(|row| row.0.is_some()).max_by_key(|row| row.2).and_then(|row| row.0);
    let sum = numbers.iter().sum::<i64>();
    let min = text(numbers.iter().min().copied());
    format!("{},{sum},[{}],{min},{}", numbers.len(), list.join(", "), text(latest))
}

fn time_of(rows: &[Held]) -> i64 {
    rows.iter().map(|row| row.1).max().unwrap()
}

/// The recomputation.
struct Oracle<'a> {
    case: &'a Case,
    /// By key, window start and end.
    groups: BTreeMap<(i64, i64, i64), Vec<Held>>,
    stream_time: i64,
    emitted: Vec<(i64, i64, i64)>,
    out: Vec<Out>,
    late: u64,
    bad: u64,
}

impl Oracle<'_> {
    fn emit(&mut self, key: i64, window: Option<(i64, i64)>, rows: Option<&[Held]>, time: i64) {
        let mut group = key_text(self.case.keys, key);
        if let Some((start, end)) = window {
            group += &format!("@{start}-{end}");
        }
        self.out.push(Out { group, values: rows.map_or("-".to_owned(), values_of), time });
    }

    fn row(&mut self, row: &Row, arrival: usize) {
        if row.tombstone {
            return;
        }
        let Some(key) = row.key else {
            self.bad += 1;
            return;
        };
        self.stream_time = self.stream_time.max(row.time);
        let held = (row.value, row.time, arrival);
        match self.case.window {
            None => {
                self.groups.entry((key, 0, 0)).or_default().push(held);
                let rows = self.groups[&(key, 0, 0)].clone();
                self.emit(key, None, Some(&rows), time_of(&rows));
            }
            Some(window) => match window.kind {
                WindowKind::Tumbling { size_ms } => self.timed(key, held, size_ms, size_ms, window),
                WindowKind::Hopping { size_ms, advance_ms } => self.timed(key, held, size_ms, advance_ms, window),
                WindowKind::Session { gap_ms } => self.session(key, held, gap_ms, window),
            },
        }
    }

    fn timed(&mut self, key: i64, held: Held, size: i64, advance: i64, window: Window) {
        for start in (0..=held.1).filter(|start| start % advance == 0 && start + size > held.1) {
            if start + size + window.grace_ms <= self.stream_time {
                self.late += 1;
                continue;
            }
            self.groups.entry((key, start, start + size)).or_default().push(held);
            if !self.case.emit_final {
                let rows = self.groups[&(key, start, start + size)].clone();
                self.emit(key, Some((start, start + size)), Some(&rows), time_of(&rows));
            }
        }
        if self.case.emit_final {
            let stream_time = self.stream_time;
            self.finals(|end| end + window.grace_ms <= stream_time);
        }
    }

    /// Emits what has closed and was not emitted yet, by window and then key bytes.
    fn finals(&mut self, closed: impl Fn(i64) -> bool) {
        let mut now: Vec<_> =
            self.groups.keys().copied().filter(|group| closed(group.2) && !self.emitted.contains(group)).collect();
        let keys = self.case.keys;
        let order = |key: i64| match keys {
            KeyShape::Number => ((key - 2) as u64).to_be_bytes().to_vec(),
            _ => key_text(keys, key).into_bytes(),
        };
        now.sort_by_key(|&(key, start, end)| (end, start, order(key)));
        for group in now {
            self.emitted.push(group);
            let rows = self.groups[&group].clone();
            self.emit(group.0, Some((group.1, group.2)), Some(&rows), time_of(&rows));
        }
    }

    fn session(&mut self, key: i64, held: Held, gap: i64, window: Window) {
        let close = self.stream_time - gap - window.grace_ms;
        let found: Vec<_> = self
            .groups
            .keys()
            .copied()
            .filter(|&(other, start, end)| {
                let near = start <= held.1 + gap && end >= held.1 - gap;
                let there =
                    if self.case.emit_final { end >= close } else { end >= self.stream_time - window.retention_ms };
                other == key && near && there
            })
            .collect();
        let start = found.iter().map(|group| group.1).min().unwrap_or(held.1).min(held.1);
        let end = found.iter().map(|group| group.2).max().unwrap_or(held.1).max(held.1);
        if end < close {
            self.late += 1;
        } else {
            let mut rows = Vec::new();
            for group in found {
                let old = self.groups.remove(&group).unwrap();
                if !self.case.emit_final && (start, end) != (held.1, held.1) {
                    self.emit(key, Some((group.1, group.2)), None, time_of(&old));
                }
                rows.extend(old);
            }
            rows.push(held);
            if !self.case.emit_final {
                self.emit(key, Some((start, end)), Some(&rows), end);
            }
            self.groups.insert((key, start, end), rows);
        }
        if self.case.emit_final {
            self.finals(|end| end < close);
        }
    }
}

fn random_rows(random: &mut fastrand::Rng, step: i64) -> Vec<Row> {
    let mut now = 0;
    (0..random.usize(1..120))
        .map(|_| {
            now += random.i64(0..step);
            if random.u8(0..30) == 0 {
                now += step * 12;
            }
            Row {
                key: (random.u8(0..15) > 0).then(|| random.i64(0..4)),
                value: (random.u8(0..6) > 0).then(|| random.i64(-5..100)),
                time: (now - random.i64(0..step * 3) * i64::from(random.bool())).max(0),
                tombstone: random.u8(0..20) == 0,
            }
        })
        .collect()
}

fn random_case(random: &mut fastrand::Rng, kind: Option<WindowKind>) -> Case {
    let open = match kind {
        Some(WindowKind::Tumbling { size_ms } | WindowKind::Hopping { size_ms, .. }) => size_ms,
        Some(WindowKind::Session { gap_ms }) => gap_ms,
        None => 0,
    };
    let grace_ms = random.i64(0..25);
    let window = kind.map(|kind| Window { kind, grace_ms, retention_ms: open + grace_ms + random.i64(0..30) });
    Case {
        keys: [KeyShape::Text, KeyShape::Number, KeyShape::Both][random.usize(0..3)],
        emit_final: kind.is_some() && random.u8(0..3) == 0,
        window,
        held_max: [3, 1000][random.usize(0..2)],
        assigned_max: [1, 5, 1000][random.usize(0..3)],
    }
}

fn check_against_oracle(kind: Option<WindowKind>, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let case = random_case(&mut random, kind);
    let rows = random_rows(&mut random, 8);
    let mut oracle =
        Oracle { case: &case, groups: BTreeMap::new(), stream_time: 0, emitted: vec![], out: vec![], late: 0, bad: 0 };
    rows.iter().enumerate().for_each(|(arrival, row)| oracle.row(row, arrival));
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for out in &oracle.out {
        match out.values.as_str() {
            "-" => last.remove(&out.group),
            values => last.insert(out.group.clone(), values.to_owned()),
        };
    }
    for rows_max in [1, 7, 200] {
        for restarts in [false, true] {
            for cache_bytes_max in CACHES {
                let drive = Drive { cache_bytes_max, restarts, rows_max };
                let (out, downstream, context) = case.run(&rows, drive, &mut random);
                let what = format!("seed {seed}, {:?}, {drive:?}, rows {rows:?}", case.window);
                if cache_bytes_max == 0 || case.emit_final {
                    assert_eq!(out, oracle.out, "{what}");
                }
                assert!(out.len() <= oracle.out.len(), "{what}");
                assert_eq!(downstream, last, "{what}");
                assert_eq!((context.late, context.bad), (oracle.late, oracle.bad), "{what}");
            }
        }
    }
}

#[test]
fn without_window() {
    (0..60).for_each(|seed| check_against_oracle(None, seed));
}

#[test]
fn tumbling() {
    (0..100).for_each(|seed| check_against_oracle(Some(WindowKind::Tumbling { size_ms: 10 }), seed));
}

#[test]
fn hopping() {
    for seed in 0..100 {
        let advance_ms = [1, 2, 4, 5, 10][seed as usize % 5];
        check_against_oracle(Some(WindowKind::Hopping { size_ms: 10, advance_ms }), seed);
    }
}

#[test]
fn session() {
    (0..200).for_each(|seed| check_against_oracle(Some(WindowKind::Session { gap_ms: 1 + seed as i64 % 9 }), seed));
}

/// Group, old value, new value; an outer None: there is none.
type Change = (i64, Option<Option<i64>>, Option<Option<i64>>);

/// A table whose rows move between groups: counted from scratch after each change.
#[test]
fn table_input() {
    for seed in 0..80 {
        let mut random = fastrand::Rng::with_seed(seed);
        let keys = [KeyShape::Text, KeyShape::Number, KeyShape::Both][random.usize(0..3)];
        let mut table: BTreeMap<i64, (i64, Option<i64>)> = BTreeMap::new();
        let mut changes: Vec<Change> = Vec::new();
        let mut expected = Vec::new();
        let mut counts: BTreeMap<i64, Vec<Option<i64>>> = BTreeMap::new();
        for _ in 0..random.usize(1..80) {
            let id = random.i64(0..6);
            let new = (random.u8(0..4) > 0).then(|| (random.i64(0..3), random.bool().then(|| random.i64(0..9))));
            let old = match new {
                Some(new) => table.insert(id, new),
                None => table.remove(&id),
            };
            let before = changes.len();
            match (old, new) {
                (Some(old), Some(new)) if old.0 == new.0 => changes.push((old.0, Some(old.1), Some(new.1))),
                (old, new) => {
                    changes.extend(old.map(|old| (old.0, Some(old.1), None)));
                    changes.extend(new.map(|new| (new.0, None, Some(new.1))));
                }
            }
            for (group, old, new) in &changes[before..] {
                let rows = counts.entry(*group).or_default();
                if let Some(old) = old {
                    let place = rows.iter().rposition(|row| row == old).unwrap();
                    rows.remove(place);
                }
                rows.extend(new);
                let held: Vec<Held> = rows.iter().map(|&row| (row, 0, 0)).collect();
                let values = values_of(&held);
                // COUNT, SUM, COLLECT_LIST and MIN, not LATEST_BY_OFFSET.
                let values = &values[..values.rfind(',').unwrap()];
                expected.push((key_text(keys, *group), values.to_owned()));
            }
        }
        for cache_bytes_max in CACHES {
            let mut operator = Aggregate::new(spec(keys, None, false, true)).unwrap();
            let mut context = Context { cache_bytes_max, ..Context::default() };
            let (mut out, mut downstream, mut seen) = (Vec::new(), BTreeMap::new(), Vec::new());
            let mut rest = changes.as_slice();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(random.usize(1..=9).min(rest.len()));
                rest = later;
                operator.push(table_batch(keys, now), &mut out, &mut context).unwrap();
                if random.bool() {
                    operator.flush(&mut out, &mut context).unwrap();
                }
                seen.extend(read(&mut out, &mut downstream));
            }
            operator.flush(&mut out, &mut context).unwrap();
            seen.extend(read(&mut out, &mut downstream));
            let seen: Vec<_> = seen.into_iter().map(|out| (out.group, out.values)).collect();
            if cache_bytes_max == 0 {
                assert_eq!(seen, expected, "seed {seed}");
            }
            assert!(seen.len() <= expected.len(), "seed {seed}");
            let last: BTreeMap<_, _> = expected.iter().cloned().collect();
            assert_eq!(downstream, last, "seed {seed}");
        }
    }
}

fn table_batch(keys: KeyShape, changes: &[Change]) -> Batch {
    let row =
        |(group, _, new): &Change| Row { key: Some(*group), value: new.flatten(), time: 5, tombstone: new.is_none() };
    let mut batch = batch(keys, &changes.iter().map(row).collect::<Vec<_>>());
    let old: Int64Array = changes.iter().map(|change| change.1.flatten()).collect();
    batch.old = Some(OldRows {
        columns: vec![Arc::new(old)],
        present: BooleanBuffer::collect_bool(changes.len(), |row| changes[row].1.is_some()),
    });
    batch
}

/// What is held back is given out when it is more than the cache's size, and then nothing is left of it.
#[test]
fn a_full_cache_is_emptied() {
    for window in [
        None,
        Some(WindowKind::Tumbling { size_ms: 10 }),
        Some(WindowKind::Hopping { size_ms: 10, advance_ms: 2 }),
        Some(WindowKind::Session { gap_ms: 2 }),
    ] {
        let window = window.map(|kind| Window { kind, grace_ms: 1000, retention_ms: 10_000 });
        let mut operator = Aggregate::new(spec(KeyShape::Text, window, false, false)).unwrap();
        let mut context = Context { cache_bytes_max: 3000, ..Context::default() };
        let (mut out, mut emptied) = (Vec::new(), 0);
        for time in 0..400 {
            let row = Row { key: Some(time % 150), value: Some(time), time, tombstone: false };
            operator.push(batch(KeyShape::Text, &[row]), &mut out, &mut context).unwrap();
            assert!(operator.held.data_bytes() <= 3000, "{window:?}");
            if !out.is_empty() {
                assert_eq!(operator.held.data_bytes(), 0, "{window:?}");
                emptied += 1;
                out.clear();
            }
        }
        assert!((2..200).contains(&emptied), "{window:?}: {emptied}");
    }
}

/// The order of a session's tombstones and rows, written out.
#[test]
fn two_sessions_are_joined() {
    let window = Window { kind: WindowKind::Session { gap_ms: 10 }, grace_ms: 100, retention_ms: 110 };
    let case = Case { keys: KeyShape::Text, window: Some(window), emit_final: false, held_max: 9, assigned_max: 9 };
    let row = |value, time| Row { key: Some(1), value: Some(value), time, tombstone: false };
    let rows = [row(1, 0), row(2, 15), row(3, 8), row(4, 9)];
    let drive = Drive { cache_bytes_max: 0, restarts: false, rows_max: 4 };
    let (out, ..) = case.run(&rows, drive, &mut fastrand::Rng::with_seed(0));
    let seen: Vec<String> = out.iter().map(|out| format!("{} {} {}", out.group, out.values, out.time)).collect();
    assert_eq!(
        seen,
        [
            "k1@0-0 1,1,[1],1,1 0",
            "k1@15-15 1,2,[2],2,2 15",
            "k1@0-0 - 0",
            "k1@15-15 - 15",
            "k1@0-15 3,6,[1, 2, 3],1,3 15",
            "k1@0-15 - 15",
            "k1@0-15 4,10,[1, 2, 3, 4],1,4 15",
        ]
    );
}

/// A group's change has the headers of the row that made it, which LATEST_BY_OFFSET tells: held back or not, however the
/// rows are cut into batches, some of which have no headers at all.
#[test]
fn changes_have_the_headers_of_their_rows() {
    let headers_of = |i: i64| (i % 3 != 0 && i / 20 % 2 == 0).then(|| i.to_be_bytes().to_vec());
    let mut random = fastrand::Rng::with_seed(5);
    for window in [
        None,
        Some(WindowKind::Tumbling { size_ms: 10 }),
        Some(WindowKind::Hopping { size_ms: 10, advance_ms: 4 }),
        Some(WindowKind::Session { gap_ms: 3 }),
    ] {
        let window = window.map(|kind| Window { kind, grace_ms: 1000, retention_ms: 10_000 });
        for cache_bytes_max in [0, 2000, usize::MAX] {
            let mut operator = Aggregate::new(spec(KeyShape::Text, window, false, false)).unwrap();
            let mut context = Context { cache_bytes_max, ..Context::default() };
            let (mut out, mut next) = (Vec::new(), 0);
            while next < 400 {
                let numbers: Vec<i64> = (next..next + random.i64(1..30)).collect();
                next += numbers.len() as i64;
                let mut row = |i: &i64| Row {
                    key: Some(i % 5),
                    value: Some(*i),
                    time: i / 4 + random.i64(0..9),
                    tombstone: false,
                };
                let rows: Vec<Row> = numbers.iter().map(&mut row).collect();
                let headers: BinaryArray = numbers.iter().map(|i| headers_of(*i)).collect();
                let headers: Option<ArrayRef> = (headers.null_count() < headers.len()).then(|| Arc::new(headers) as _);
                operator.push(Batch { headers, ..batch(KeyShape::Text, &rows) }, &mut out, &mut context).unwrap();
                while operator.unfinished.is_some() {
                    operator.resume(&mut out, &mut context).unwrap();
                }
            }
            operator.flush(&mut out, &mut context).unwrap();
            assert_eq!(operator.held.data_bytes(), 0, "{window:?}");
            let mut with_headers = 0;
            for (batch, row) in out.iter().flat_map(|batch| (0..batch.rows).map(move |row| (batch, row))) {
                if batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(row)) {
                    continue;
                }
                let latest = batch.columns.last().unwrap().as_primitive::<Int64Type>().value(row);
                let headers = batch.headers.as_ref().map(|headers| headers.as_binary::<i32>());
                let headers =
                    headers.filter(|headers| headers.is_valid(row)).map(|headers| headers.value(row).to_vec());
                assert_eq!(headers, headers_of(latest), "{window:?}, cache {cache_bytes_max}, row {latest}");
                with_headers += usize::from(headers.is_some());
            }
            assert!(with_headers > 0, "{window:?}");
        }
    }
}

/// Windows that are over leave nothing behind, in memory or in the changelog.
#[test]
fn expired_windows_leave_nothing() {
    for kind in [WindowKind::Tumbling { size_ms: 10 }, WindowKind::Session { gap_ms: 5 }] {
        let window = Window { kind, grace_ms: 0, retention_ms: 20 };
        let mut operator = Aggregate::new(spec(KeyShape::Text, Some(window), false, false)).unwrap();
        let (mut context, mut out, mut log) = (Context::default(), Vec::new(), Records::default());
        for round in 0..50 {
            let row = |i| Row { key: Some(round * 10 + i), value: Some(i), time: round * 100, tombstone: false };
            operator
                .push(batch(KeyShape::Text, &(0..10).map(row).collect::<Vec<_>>()), &mut out, &mut context)
                .unwrap();
            operator.changes(&mut log).unwrap();
            assert_eq!(operator.len(), 10);
        }
        let mut live = HashMap::new();
        for row in 0..log.len() {
            live.insert(log.key(row), log.value(row).is_some());
        }
        assert_eq!(live.values().filter(|&&there| there).count(), 11, "10 groups and the operator's own record");
        assert!(operator.groups.keys.capacity() <= 20, "key numbers are used again");
    }
}

/// The records' bytes, put together by hand from the description in `changelog`: they must never change.
#[test]
fn the_changelog_format_is_for_ever() {
    let key_types = || vec![SqlType::String];
    let aggregate = |window| {
        let make = [accumulators::count(&call("COUNT")).unwrap(), accumulators::min(&call("MIN")).unwrap()];
        let calls = make.into_iter().map(|accumulator| AggregateInput { accumulator, args: vec![1] }).collect();
        let spec = AggregateSpec {
            key_types: key_types(),
            calls,
            window,
            emit_final: false,
            distinct: false,
            table_input: false,
        };
        Aggregate::new(spec).unwrap()
    };
    let window = |kind| Some(Window { kind, grace_ms: 0, retention_ms: 1000 });
    let row = Row { key: Some(7), value: None, time: 0x1234, tombstone: false };
    let time = |time: i64| (time as u64 ^ (1 << 63)).to_be_bytes().to_vec();
    for (window, key) in [
        (None, vec![vec![1], b"k7".to_vec()]),
        (window(WindowKind::Tumbling { size_ms: 0x1000 }), vec![vec![2], time(0x1000), b"k7".to_vec()]),
        (window(WindowKind::Session { gap_ms: 9 }), vec![vec![3], time(0x1234), time(0x1234), b"k7".to_vec()]),
    ] {
        let mut operator = aggregate(window);
        let (mut context, mut out, mut log) = (Context::default(), Vec::new(), Records::default());
        operator.push(batch(KeyShape::Text, std::slice::from_ref(&row)), &mut out, &mut context).unwrap();
        operator.changes(&mut log).unwrap();
        assert_eq!(log.len(), 2);
        assert_eq!(log.key(0).unwrap(), key.concat());
        // Version, time, COUNT 0, MIN NULL.
        let value = [1, 0x34, 0x12, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(log.value(0).unwrap(), value);
        assert_eq!((log.key(1).unwrap(), log.value(1).unwrap()), (&[0][..], &value[..9]));
        assert_eq!((log.meta[0].timestamp, log.meta[1].timestamp), (0x1234, 0x1234));
    }
}

#[test]
fn bad_records_are_refused() {
    let aggregate = || Aggregate::new(spec(KeyShape::Text, None, false, false)).unwrap();
    let mut operator = aggregate();
    let (mut context, mut out, mut log) = (Context::default(), Vec::new(), Records::default());
    let row = Row { key: Some(1), value: Some(7), time: 3, tombstone: false };
    operator.push(batch(KeyShape::Text, &[row]), &mut out, &mut context).unwrap();
    operator.changes(&mut log).unwrap();
    let (key, value) = (log.key(0).unwrap().to_vec(), log.value(0).unwrap().to_vec());
    for end in 0..value.len() {
        let mut records = Records::default();
        records.push(Some(&key), Some(&value[..end]), 0);
        assert!(aggregate().restore(&records).is_err(), "cut at {end}");
    }
    let mut newer = value.clone();
    newer[0] = 9;
    let mut records = Records::default();
    records.push(Some(&key), Some(&newer), 0);
    let error = aggregate().restore(&records).unwrap_err();
    assert!(error.what.contains("format 9"), "{error}");
    let piece = &pieces(&operator, 1000)[0];
    for end in 9..piece.len() {
        assert!(aggregate().load(&piece[..end]).is_none(), "cut at {end}");
    }
}

/// Speed, by hand: `cargo test --release --lib aggregate::tests::speed -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speed() {
    let counts = |window| {
        let calls = vec![AggregateInput { accumulator: accumulators::count(&call("COUNT")).unwrap(), args: vec![1] }];
        let key_types = vec![SqlType::String];
        Aggregate::new(AggregateSpec {
            key_types,
            calls,
            window,
            emit_final: false,
            distinct: false,
            table_input: false,
        })
        .unwrap()
    };
    let mut random = fastrand::Rng::with_seed(1);
    let make = |random: &mut fastrand::Rng, keys: i64, from: i64| {
        let rows: Vec<Row> = (0..8192)
            .map(|i| Row { key: Some(random.i64(0..keys)), value: Some(1), time: from + i / 10, tombstone: false })
            .collect();
        batch(KeyShape::Text, &rows)
    };
    let tumbling = Window { kind: WindowKind::Tumbling { size_ms: 10_000 }, grace_ms: 0, retention_ms: 86_400_000 };
    let hopping = WindowKind::Hopping { size_ms: 10_000, advance_ms: 2_000 };
    for (name, window, cache_bytes_max) in [
        ("no window, cached", None, usize::MAX),
        ("no window, each", None, 0),
        ("tumbling, cached", Some(tumbling), usize::MAX),
        ("tumbling, each", Some(tumbling), 0),
        ("hopping, cached", Some(Window { kind: hopping, ..tumbling }), usize::MAX),
        ("session, cached", Some(Window { kind: WindowKind::Session { gap_ms: 10_000 }, ..tumbling }), usize::MAX),
    ] {
        let batches: Vec<Batch> = (0..400).map(|i| make(&mut random, 10_000, i * 819)).collect();
        let mut operator = counts(window);
        let (mut context, mut out) = (Context { cache_bytes_max, ..Context::default() }, Vec::new());
        let start = crate::time::now();
        for (i, batch) in batches.into_iter().enumerate() {
            operator.push(batch, &mut out, &mut context).unwrap();
            if i % 50 == 49 {
                operator.flush(&mut out, &mut context).unwrap();
                operator.changes(&mut Records::default()).unwrap();
            }
            out.clear();
        }
        let took = start.elapsed().as_secs_f64();
        println!("{name}: {:.1} M rows/s", 400.0 * 8192.0 / took / 1e6);
    }
    let (mut context, mut out, mut log) =
        (Context { cache_bytes_max: usize::MAX, ..Context::default() }, Vec::new(), Records::default());
    let mut operator = counts(None);
    for i in 0..500 {
        operator.push(make(&mut random, 1_000_000, i), &mut out, &mut context).unwrap();
    }
    let start = crate::time::now();
    operator.changes(&mut log).unwrap();
    println!("{} groups, changes: {:?}", operator.len(), start.elapsed());
    let start = crate::time::now();
    let mut restored = counts(None);
    restored.restore(&log).unwrap();
    println!("restore: {:?}, {} MB", start.elapsed(), restored.state_bytes() >> 20);
    let start = crate::time::now();
    let file = pieces(&restored, 1 << 20);
    println!("snapshot: {:?}, {} MB", start.elapsed(), file.concat().len() >> 20);
    let start = crate::time::now();
    let mut loaded = counts(None);
    file.iter().for_each(|piece| loaded.load(piece).unwrap());
    println!("load: {:?}", start.elapsed());
}
