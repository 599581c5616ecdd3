//! The three parts together against a plain recomputation: one row after another, and with messages that wait for one another.

mod caching;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, NullArray, StringArray};

use super::*;
use crate::dataflow::join::table_tests::*;
use crate::dataflow::operator::{JoinOperator, Operator, Sides};
use crate::dataflow::{Context, Node, OldRows};
use crate::expr::Typed;
use crate::log::Records;
use crate::plan::{ForeignKey, ForeignKeyResult, Join, JoinKind, JoinMethod};
use crate::state::snapshots::trial::Trial;
use crate::types::SqlType;

type Value = (Option<i64>, String);

/// The number of a left row is its foreign key: the right key.
#[derive(Debug, Clone, Copy)]
struct Setting {
    left: Case,
    kind: JoinKind,
    conditional: bool,
    given_rows_max: usize,
}

/// LS < RS.
fn matching(setting: &Setting, left: &Value, right: &Value) -> bool {
    !setting.conditional || left.1 < right.1
}

const CONDITION: &str = "LS < RS";

fn case(keys: KeyShape) -> Case {
    Case {
        keys,
        windowed: false,
        kind: JoinKind::Inner,
        method: || JoinMethod::ForeignKey { left_keys: 1 },
        condition: None,
    }
}

impl Setting {
    fn left_keys(&self) -> usize {
        self.left.keys.types().len()
    }

    fn send(&self) -> ForeignKeys {
        let keys = vec![Typed::column(self.left_keys(), SqlType::Bigint)];
        ForeignKeys::new(&ForeignKey { keys, columns: self.left_keys() + 3 }).unwrap()
    }

    fn join(&self) -> ForeignKeyJoin {
        let names = ["LV", "LU", "LS", "RK", "RV", "RU", "RS"].map(str::to_owned);
        let types = [value_types(), vec![SqlType::Bigint], value_types()].concat();
        let keys = self.left.keys.types().into_iter().enumerate().map(|(at, ty)| (format!("K{at}"), ty));
        let columns = keys.chain(names.into_iter().zip(types)).collect();
        let plan = Join {
            left: side(),
            right: side(),
            kind: self.kind,
            method: JoinMethod::ForeignKey { left_keys: self.left_keys() },
            key_types: vec![SqlType::Bigint],
            left_types: [self.left.keys.types(), value_types(), MESSAGE_TYPES.to_vec()].concat(),
            right_types: value_types(),
            condition: self.conditional.then(|| typed(CONDITION, columns)),
        };
        let mut join = ForeignKeyJoin::new(&plan, self.left_keys()).unwrap();
        join.given_rows_max = self.given_rows_max;
        join
    }

    fn results(&self) -> ForeignKeyResults {
        ForeignKeyResults::new(&ForeignKeyResult {
            key_types: self.left.keys.types(),
            value_types: [value_types(), vec![SqlType::Bigint], value_types()].concat(),
        })
    }

    /// A result in words.
    fn words(&self, left: &Value, right: Option<&Value>) -> String {
        let key = right.and(left.0).map_or("null".to_owned(), |key| key.to_string());
        format!("{},{key},{}", value_words(Some(left)), value_words(right))
    }
}

fn settings() -> impl Iterator<Item = Setting> {
    let each = |keys| {
        let all = [(JoinKind::Inner, false), (JoinKind::Left, false), (JoinKind::Inner, true), (JoinKind::Left, true)];
        all.into_iter().flat_map(move |(kind, conditional)| {
            [1, 3, 1 << 14].map(|given_rows_max| Setting { left: case(keys), kind, conditional, given_rows_max })
        })
    };
    KeyShape::ALL.into_iter().flat_map(each)
}

/// A left batch with the rows that it replaces.
fn left_batch(setting: &Setting, events: &[&Event], rows: &mut BTreeMap<i64, Value>, placed: bool) -> Batch {
    let mut batch = setting.left.batch(events, placed);
    let mut old: Vec<Option<Value>> = Vec::new();
    for event in events {
        let Some(key) = event.key else {
            old.push(None);
            continue;
        };
        old.push(match &event.value {
            Some(value) => rows.insert(key, value.clone()),
            None => rows.remove(&key),
        });
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(old.iter().map(|old| old.as_ref().and_then(|(number, _)| *number)).collect::<Int64Array>()),
        Arc::new(NullArray::new(old.len())),
        Arc::new(old.iter().map(|old| old.as_ref().map(|(_, text)| text.clone())).collect::<StringArray>()),
    ];
    batch.old = Some(OldRows { columns, present: old.iter().map(Option::is_some).collect() });
    batch
}

/// All that a join makes of its sides.
fn meet(join: &mut ForeignKeyJoin, left: Option<Batch>, right: Option<Batch>, context: &mut Context) -> Vec<Batch> {
    let (mut made, mut all) = (Vec::new(), Vec::new());
    join.push(Sides { left, right }, &mut made, context).unwrap();
    while !made.is_empty() {
        for batch in &made {
            batch.check().unwrap();
            assert!(batch.rows <= join.given_rows_max);
        }
        all.append(&mut made);
        join.resume(&mut made, context).unwrap();
    }
    all
}

/// One after another: what each row gives, from what is known of both tables.
struct Walk {
    setting: Setting,
    /// By key.
    left: BTreeMap<i64, (Value, i64)>,
    right: BTreeMap<i64, (Value, i64)>,
    results: BTreeMap<i64, String>,
}

impl Walk {
    /// The right row of a left row, if it matches.
    fn matched(&self, left: &Value) -> Option<&(Value, i64)> {
        self.right.get(&left.0?).filter(|(right, _)| matching(&self.setting, left, right))
    }

    fn result(&self, left: &Value) -> Option<String> {
        let right = self.matched(left).map(|(right, _)| right);
        (right.is_some() || self.setting.kind == JoinKind::Left).then(|| self.setting.words(left, right))
    }

    fn give(&mut self, key: i64, value: Option<String>, time: i64, event: &Event) -> Out {
        let old = match &value {
            Some(value) => self.results.insert(key, value.clone()),
            None => self.results.remove(&key),
        };
        Out { key: self.setting.left.keys.words(key), value, old, time, place: Some(event.place) }
    }

    fn left(&mut self, event: &Event) -> Vec<Out> {
        let Some(key) = event.key else { return vec![] };
        let Some(value) = &event.value else {
            let Some((gone, _)) = self.left.remove(&key) else { return vec![] };
            // A deleted row always says so.
            let time =
                gone.0.and_then(|key| self.right.get(&key)).map_or(event.time, |(_, time)| event.time.max(*time));
            return vec![self.give(key, None, time, event)];
        };
        self.left.insert(key, (value.clone(), event.time));
        let time = self.matched(value).map_or(event.time, |(_, time)| event.time.max(*time));
        let result = self.result(value);
        if result.is_none() && !self.results.contains_key(&key) {
            return vec![];
        }
        vec![self.give(key, result, time, event)]
    }

    fn right(&mut self, event: &Event) -> Vec<Out> {
        let Some(foreign) = event.key else { return vec![] };
        let before = match &event.value {
            Some(value) => self.right.insert(foreign, (value.clone(), event.time)),
            None => self.right.remove(&foreign),
        };
        if before.is_none() && event.value.is_none() {
            return vec![];
        }
        let having = self.left.iter().filter(|(_, (value, _))| value.0 == Some(foreign));
        let having: Vec<(i64, Value, i64)> = having.map(|(key, (value, time))| (*key, value.clone(), *time)).collect();
        let mut given = Vec::new();
        for (key, value, time) in having {
            let result = self.result(&value);
            if result.is_some() || self.results.contains_key(&key) {
                given.push(self.give(key, result, event.time.max(time), event));
            }
        }
        given
    }
}

#[test]
fn gives_what_a_walk_through_all_rows_gives() {
    let mut loaded = 0;
    for (seed, setting) in settings().enumerate() {
        for more in 0..3 {
            loaded += against_the_walk(setting, seed as u64 * 10 + more);
        }
    }
    assert!(loaded > 20, "{loaded} parts were restored from snapshots");
}

/// Gives how many parts were restored from snapshots.
fn against_the_walk(setting: Setting, seed: u64) -> usize {
    let mut loaded = 0;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut events = random_events(&mut random, &setting.left, 300);
    // The order of their bytes is that of the numbers.
    events.iter_mut().filter(|event| event.side == 0).for_each(|event| event.key = event.key.map(|key| key % 10));
    events.iter_mut().filter(|event| event.side == 1).for_each(|event| event.key = event.key.map(|key| key % 4));
    let right_case = case(KeyShape::Number);
    let (mut send, mut join, mut results) = (setting.send(), setting.join(), setting.results());
    let (mut logs, mut context) = ([(); 3].map(|()| Records::default()), Context::default());
    let mut snapshots = [(); 3].map(|()| Trial::default());
    let mut walk = Walk { setting, left: BTreeMap::new(), right: BTreeMap::new(), results: BTreeMap::new() };
    let mut rows = BTreeMap::new();
    let mut rest = events.as_slice();
    while !rest.is_empty() {
        let (count, placed) = cut(&mut random, rest);
        let (now, later) = rest.split_at(count);
        rest = later;
        let take = |walk: &mut Walk, event: &Event| if event.side == 0 { walk.left(event) } else { walk.right(event) };
        let mut expected: Vec<Out> = now.iter().flat_map(|event| take(&mut walk, event)).collect();
        if !placed {
            expected.iter_mut().for_each(|out| out.place = None);
        }
        let of = |side: usize| now.iter().filter(|event| event.side == side).collect::<Vec<&Event>>();
        let (left, right) = (of(0), of(1));
        let mut messages = Vec::new();
        if !left.is_empty() {
            let batch = left_batch(&setting, &left, &mut rows, placed);
            send.push(batch, &mut messages, &mut context).unwrap();
        }
        let right = (!right.is_empty()).then(|| right_case.batch(&right, placed));
        let mut out = Vec::new();
        for batch in meet(&mut join, messages.pop(), right, &mut context) {
            results.push(batch, &mut out, &mut context).unwrap();
        }
        assert_eq!(read(&mut out), expected, "{setting:?}, seed {seed}: {now:?}");
        if random.u8(0..5) == 0 {
            for (part, log) in [&mut send as &mut dyn Node, &mut join, &mut results].into_iter().zip(&mut logs) {
                part.changes(log).unwrap();
                assert_eq!(part.pending_bytes(), 0);
            }
            let parts = [&send as &dyn Node, &join, &results].into_iter().zip(&logs);
            for ((part, log), snapshots) in parts.zip(&mut snapshots) {
                part.state().into_iter().for_each(|state| snapshots.after_commit(state, log.len(), &mut random));
            }
            if random.u8(0..4) == 0 {
                (send, join, results) = (setting.send(), setting.join(), setting.results());
                let parts = [&mut send as &mut dyn Node, &mut join, &mut results].into_iter().zip(&logs);
                for ((part, log), snapshots) in parts.zip(&mut snapshots) {
                    loaded += usize::from(restore_from(part, log, snapshots, &mut random) > 0);
                    snapshots.restart();
                }
            }
        }
    }
    assert!(context.errors.is_empty());
    loaded
}

const LEFT_PARTITIONS: usize = 2;
const RIGHT_PARTITIONS: usize = 3;

/// Messages wait in queues between the partitions, which work in any order: what is there in the end is right all the same, and
/// whoever takes the changes never sees one that does not fit to those before.
#[test]
fn messages_that_come_late_do_no_harm() {
    for (seed, setting) in settings().enumerate() {
        for more in 0..4 {
            in_any_order(setting, seed as u64 * 10 + more + 5000);
        }
    }
}

/// Rows of a batch by the partition that they go to.
fn spread(batch: &Batch, partition: impl Fn(usize) -> usize, queues: &mut [VecDeque<Batch>]) {
    for (at, queue) in queues.iter_mut().enumerate() {
        let rows: Vec<u32> = (0..batch.rows).filter(|row| partition(*row) == at).map(|row| row as u32).collect();
        if !rows.is_empty() {
            queue.push_back(batch.take(&rows).unwrap());
        }
    }
}

fn in_any_order(setting: Setting, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let events = random_events(&mut random, &setting.left, 200);
    let mut inputs: [VecDeque<Event>; LEFT_PARTITIONS + RIGHT_PARTITIONS] = Default::default();
    let (mut left_rows, mut right_rows) = (BTreeMap::new(), BTreeMap::new());
    for mut event in events {
        let Some(key) = event.key else { continue };
        let (table, to) = if event.side == 0 {
            (&mut left_rows, key as usize % LEFT_PARTITIONS)
        } else {
            event.key = Some(key % 4);
            (&mut right_rows, LEFT_PARTITIONS + key as usize % 4 % RIGHT_PARTITIONS)
        };
        let key = event.key.unwrap();
        match &event.value {
            Some(value) => drop(table.insert(key, value.clone())),
            None => drop(table.remove(&key)),
        }
        inputs[to].push_back(event);
    }
    let mut sends = [(); LEFT_PARTITIONS].map(|()| setting.send());
    let mut joins = [(); RIGHT_PARTITIONS].map(|()| setting.join());
    let mut results = [(); LEFT_PARTITIONS].map(|()| setting.results());
    let mut logs = [(); LEFT_PARTITIONS].map(|()| [(); 2].map(|()| Records::default()));
    let mut of_joins = [(); RIGHT_PARTITIONS].map(|()| Records::default());
    let mut there: [[VecDeque<Batch>; RIGHT_PARTITIONS]; LEFT_PARTITIONS] = Default::default();
    let mut back: [[VecDeque<Batch>; LEFT_PARTITIONS]; RIGHT_PARTITIONS] = Default::default();
    let mut tables: [BTreeMap<i64, Value>; LEFT_PARTITIONS] = Default::default();
    let mut downstream: BTreeMap<String, String> = BTreeMap::new();
    let mut context = Context::default();
    let right_case = case(KeyShape::Number);
    let idle = |queues: &[VecDeque<Batch>]| queues.iter().all(VecDeque::is_empty);
    loop {
        let (left, right) = (random.usize(0..LEFT_PARTITIONS), random.usize(0..RIGHT_PARTITIONS));
        match random.u8(0..5) {
            0 => {
                let Some(event) = inputs[left].pop_front() else { continue };
                let batch = left_batch(&setting, &[&event], &mut tables[left], false);
                let mut out = Vec::new();
                sends[left].push(batch, &mut out, &mut context).unwrap();
                for batch in out {
                    let foreign = batch.columns[0].as_primitive::<Int64Type>().clone();
                    let to = |row: usize| match batch.null_key.as_ref().is_some_and(|null| null.value(row)) {
                        true => left,
                        false => foreign.value(row) as usize % RIGHT_PARTITIONS,
                    };
                    spread(&batch, to, &mut there[left]);
                }
            }
            step @ (1 | 2) => {
                let (mut message, mut row) = (None, None);
                if step == 1 {
                    let Some(event) = inputs[LEFT_PARTITIONS + right].pop_front() else { continue };
                    row = Some(right_case.batch(&[&event], false));
                } else {
                    message = there[left][right].pop_front();
                }
                for batch in meet(&mut joins[right], message, row, &mut context) {
                    let keys = words_of_keys(&batch);
                    let to = |row: usize| key_number(&keys[row]) as usize % LEFT_PARTITIONS;
                    spread(&batch, to, &mut back[right]);
                }
            }
            3 => {
                let Some(batch) = back[right][left].pop_front() else { continue };
                let mut out = Vec::new();
                results[left].push(batch, &mut out, &mut context).unwrap();
                for out in read(&mut out) {
                    assert_eq!(downstream.get(&out.key), out.old.as_ref(), "old of {}, seed {seed}", out.key);
                    match out.value {
                        Some(value) => drop(downstream.insert(out.key, value)),
                        None => drop(downstream.remove(&out.key)),
                    }
                }
            }
            _ if random.u8(0..10) == 0 => {
                let (own, compact) = (&mut logs[left], random.bool());
                sends[left] = restarted(&mut sends[left], setting.send(), &mut own[0], compact);
                results[left] = restarted(&mut results[left], setting.results(), &mut own[1], compact);
                joins[right] = restarted(&mut joins[right], setting.join(), &mut of_joins[right], compact);
            }
            _ => {}
        }
        if inputs.iter().all(VecDeque::is_empty) && there.iter().all(|q| idle(q)) && back.iter().all(|q| idle(q)) {
            break;
        }
    }
    let mut expected = BTreeMap::new();
    for (key, value) in &left_rows {
        let right = value.0.and_then(|key| right_rows.get(&key)).filter(|right| matching(&setting, value, right));
        if right.is_some() || setting.kind == JoinKind::Left {
            expected.insert(setting.left.keys.words(*key), setting.words(value, right));
        }
    }
    assert_eq!(downstream, expected, "{setting:?}, seed {seed}");
    // Nothing is remembered of keys that are gone.
    let known: usize = results.iter_mut().map(|results| results.known().unwrap()).sum();
    assert_eq!(known, left_rows.len(), "{setting:?}, seed {seed}");
}

/// A new part with the state of an old one, by way of its changelog.
fn restarted<T: Node>(old: &mut T, mut new: T, log: &mut Records, compact: bool) -> T {
    old.changes(log).unwrap();
    new.restore(&maybe_compacted(log, 0, compact)).unwrap();
    new
}

fn words_of_keys(batch: &Batch) -> Vec<String> {
    (0..batch.rows).map(|row| words(&batch.key_columns()[..1], row)).collect()
}

/// Of a key in words, its number.
fn key_number(words: &str) -> i64 {
    words.trim_start_matches('k').parse().unwrap()
}

/// What goes through internal topics and changelogs is for ever.
#[test]
fn numbers_stay() {
    let all = [Tells::Changed, Tells::New, Tells::Came, Tells::Left, Tells::Deleted];
    assert_eq!(all.map(Tells::number), [0, 1, 2, 3, 4]);
    assert_eq!(all.map(|tells| Tells::of(tells.number()).unwrap()), all);
    assert!(Tells::of(5).is_err() && Tells::of(-1).is_err());
    assert_eq!(NO_RESULT, 8);
}

fn setting() -> Setting {
    Setting { left: case(KeyShape::Text), kind: JoinKind::Inner, conditional: false, given_rows_max: 1 << 14 }
}

fn left_event(key: i64, foreign: Option<i64>, place: u64) -> Event {
    let value = Some((foreign, "x".to_owned()));
    Event { side: 0, key: Some(key), window: 0, value, time: 5, place }
}

fn pairs(log: &Records) -> Vec<(Vec<u8>, Vec<u8>)> {
    (0..log.len()).map(|row| (log.key(row).unwrap().to_vec(), log.value(row).unwrap().to_vec())).collect()
}

#[test]
fn records_have_the_bytes_that_are_written_down() {
    let setting = setting();
    let (mut send, mut join, mut results) = (setting.send(), setting.join(), setting.results());
    let (mut messages, mut context, mut rows) = (Vec::new(), Context::default(), BTreeMap::new());
    let events = [left_event(1, Some(3), 1), left_event(2, None, 2)];
    let batch = left_batch(&setting, &events.iter().collect::<Vec<_>>(), &mut rows, true);
    send.push(batch, &mut messages, &mut context).unwrap();
    let made = meet(&mut join, messages.pop(), None, &mut context);
    let mut out = Vec::new();
    made.into_iter().for_each(|batch| results.push(batch, &mut out, &mut context).unwrap());
    assert!(out.is_empty());
    let logged = |part: &mut dyn Node| {
        let mut log = Records::default();
        part.changes(&mut log).unwrap();
        pairs(&log)
    };
    let number = |number: u8| [&[number][..], &[0; 7]].concat();
    let cell = |value: u8| [vec![1], number(value)].concat();
    let head = |time: u8| [vec![1], number(time)].concat();
    // The last version.
    assert_eq!(logged(&mut send), [(vec![0], head(2))]);
    // The left row that has a foreign key: foreign key, values, version.
    let row = [head(5), cell(3), cell(3), vec![2], vec![1, 1, b'x'], cell(1)].concat();
    assert_eq!(logged(&mut join), [(b"\x01\0k1".to_vec(), row)]);
    // No results; of both keys the version and what was told: each was new once.
    let standing = |version: u8| [head(0), cell(version), vec![1, 1, 0, 0, 0], cell(0)].concat();
    assert_eq!(logged(&mut results), [(b"\x01\0k1".to_vec(), standing(1)), (b"\x01\0k2".to_vec(), standing(2))]);
}

#[test]
fn damaged_records_are_refused() {
    let setting = setting();
    let restore = |part: &mut dyn Node, key: &[u8], value: Option<&[u8]>| {
        let mut records = Records::default();
        records.push(Some(key), value, 0);
        part.restore(&records)
    };
    let good = [&[1, 7][..], &[0; 7]].concat();
    restore(&mut setting.send(), &[0], Some(&good)).unwrap();
    for (key, value) in [
        (&[0][..], None),
        (&[1], Some(&good[..])),
        (&[0], Some(&good[..8])),
        (&[0], Some(&[&good[..], &[0]].concat())),
        (&[0], Some(&[&[2], &good[1..]].concat())),
    ] {
        assert!(restore(&mut setting.send(), key, value).is_err(), "{key:?} {value:?}");
    }
    for tag in [2, 255] {
        assert!(restore(&mut setting.join(), &[tag, 0, b'k'], None).is_err());
        assert!(restore(&mut setting.results(), &[tag, 0, b'k'], None).is_err());
    }
    // Rows whose foreign key or version is missing can be read, but not be true.
    let absent = [&[1][..], &[0; 8], &[2; 5]].concat();
    let (mut join, mut context) = (setting.join(), Context::default());
    restore(&mut join, b"\x01\0k", Some(&absent)).unwrap();
    assert!(join.push(Sides::default(), &mut Vec::new(), &mut context).is_err());
    let mut results = setting.results();
    restore(&mut results, b"\0\0k", Some(&[&[1][..], &[0; 8], &[2; 8]].concat())).unwrap();
    assert!(results.known().is_err());
}

/// A right row with very many left ones: they are told a part at a time, in the order of their keys.
#[test]
fn a_hot_key_is_worked_off_in_parts() {
    let setting = Setting { given_rows_max: 100, ..setting() };
    let (mut send, mut join) = (setting.send(), setting.join());
    let (mut messages, mut context, mut rows) = (Vec::new(), Context::default(), BTreeMap::new());
    let events: Vec<Event> = (0..1050).map(|key| left_event(key, Some(1), key as u64)).collect();
    let batch = left_batch(&setting, &events.iter().collect::<Vec<_>>(), &mut rows, true);
    send.push(batch, &mut messages, &mut context).unwrap();
    meet(&mut join, messages.pop(), None, &mut context);
    let right = Event { side: 1, ..left_event(1, Some(9), 2000) };
    let right = case(KeyShape::Number).batch(&[&right], true);
    let made = meet(&mut join, None, Some(right), &mut context);
    assert_eq!(made.iter().map(|batch| batch.rows).collect::<Vec<_>>(), [[100; 10].as_slice(), &[50]].concat());
    let told: Vec<String> = made.iter().flat_map(words_of_keys).collect();
    let mut keys: Vec<String> = (0..1050).map(|key| format!("k{key}")).collect();
    keys.sort();
    assert_eq!(told, keys);
}
