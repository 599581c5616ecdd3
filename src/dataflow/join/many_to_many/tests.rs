//! The parts together against a plain recomputation: one row after another, and with messages that wait for one another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, NullArray, StringArray};
use arrow::datatypes::Int64Type;

use super::*;
use crate::dataflow::join::foreign_key::ForeignKeys;
use crate::dataflow::join::table_tests::*;
use crate::dataflow::operator::{JoinOperator, Operator, Sides};
use crate::dataflow::{Batch, Context, Node, OldRows};
use crate::expr::Typed;
use crate::log::Records;
use crate::plan::{ForeignKey, Join, JoinKind, JoinMethod, MESSAGE_TYPES, ManyToManyResult};
use crate::state::snapshots::trial::Trial;
use crate::types::SqlType;

/// A row's number is what it meets others by.
type Value = (Option<i64>, String);

#[derive(Debug, Clone, Copy)]
struct Setting {
    /// Of the left table, of the right one.
    keys: [KeyShape; 2],
    kind: JoinKind,
    /// Of inner joins only.
    conditional: bool,
    given_rows_max: usize,
}

const CONDITION: &str = "LS < RS";

fn settings() -> Vec<Setting> {
    let shapes =
        [[KeyShape::Number, KeyShape::Number], [KeyShape::Text, KeyShape::Number], [KeyShape::Both, KeyShape::Text]];
    let kinds = [
        (JoinKind::Inner, false),
        (JoinKind::Inner, true),
        (JoinKind::Left, false),
        (JoinKind::Right, false),
        (JoinKind::Full, false),
    ];
    let each = |keys| {
        kinds.into_iter().flat_map(move |(kind, conditional)| {
            [1, 3, 1 << 14].map(|given_rows_max| Setting { keys, kind, conditional, given_rows_max })
        })
    };
    shapes.into_iter().flat_map(each).collect()
}

impl Setting {
    fn case(&self, side: usize) -> Case {
        Case {
            keys: self.keys[side],
            windowed: false,
            kind: JoinKind::Inner,
            method: || JoinMethod::TableTable,
            condition: None,
        }
    }

    fn types(&self, side: usize) -> Vec<SqlType> {
        self.keys[side].types()
    }

    fn send(&self, side: usize) -> ForeignKeys {
        let keys = self.types(side).len();
        let met = vec![Typed::column(keys, SqlType::Bigint)];
        ForeignKeys::new(&ForeignKey { keys: met, columns: keys + 3 }).unwrap()
    }

    fn join(&self) -> ManyToManyJoin {
        let names = ["LV", "LU", "LS", "RV", "RU", "RS"].map(str::to_owned);
        let keys =
            [self.types(0), self.types(1)].concat().into_iter().enumerate().map(|(at, ty)| (format!("K{at}"), ty));
        let columns = keys.chain(names.into_iter().zip([value_types(), value_types()].concat())).collect();
        let sent = |of: usize| [self.types(of), value_types(), MESSAGE_TYPES.to_vec()].concat();
        let (left_keys, right_keys) = (self.types(0).len(), self.types(1).len());
        let plan = Join {
            left: side(),
            right: side(),
            kind: self.kind,
            method: JoinMethod::ManyToMany { left_keys, right_keys },
            key_types: vec![SqlType::Bigint],
            left_types: sent(0),
            right_types: sent(1),
            condition: self.conditional.then(|| typed(CONDITION, columns)),
        };
        let mut join = ManyToManyJoin::new(&plan, left_keys, right_keys).unwrap();
        join.given_rows_max = self.given_rows_max;
        join
    }

    fn results(&self) -> ManyToManyResults {
        ManyToManyResults::new(&ManyToManyResult {
            key_types: [self.types(0), self.types(1)].concat(),
            value_types: [value_types(), value_types()].concat(),
        })
    }

    fn key(&self, left: i64, right: i64) -> String {
        format!("{},{}", self.keys[0].words(left), self.keys[1].words(right))
    }

    /// Whether a row of a table gives something if it meets none.
    fn gives_alone(&self, side: usize) -> bool {
        matches!((self.kind, side), (JoinKind::Full, _) | (JoinKind::Left, 0) | (JoinKind::Right, 1))
    }

    /// The key of a row alone.
    fn key_alone(&self, side: usize, key: i64) -> String {
        let own = self.keys[side].words(key);
        let other = vec!["null"; self.types(1 - side).len()].join(",");
        if side == 0 { format!("{own},{other}") } else { format!("{other},{own}") }
    }

    fn result_alone(side: usize, value: &Value) -> String {
        let (own, other) = (value_words(Some(value)), value_words(None));
        if side == 0 { format!("{own},{other}") } else { format!("{other},{own}") }
    }

    /// The result of two rows, in words.
    fn result(&self, left: &Value, right: &Value) -> Option<String> {
        let meet = left.0.is_some() && left.0 == right.0 && (!self.conditional || left.1 < right.1);
        meet.then(|| format!("{},{}", value_words(Some(left)), value_words(Some(right))))
    }
}

/// Changes of a table with the rows that they replace.
fn changes(case: &Case, events: &[&Event], rows: &mut BTreeMap<i64, Value>, placed: bool) -> Batch {
    let mut batch = case.batch(events, placed);
    let old: Vec<Option<Value>> = events
        .iter()
        .map(|event| match (&event.value, event.key?) {
            (Some(value), key) => rows.insert(key, value.clone()),
            (None, key) => rows.remove(&key),
        })
        .collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(old.iter().map(|old| old.as_ref().and_then(|(number, _)| *number)).collect::<Int64Array>()),
        Arc::new(NullArray::new(old.len())),
        Arc::new(old.iter().map(|old| old.as_ref().map(|(_, text)| text.clone())).collect::<StringArray>()),
    ];
    batch.old = Some(OldRows { columns, present: old.iter().map(Option::is_some).collect() });
    batch
}

/// All that a join makes of its sides.
fn meet(join: &mut ManyToManyJoin, sides: Sides, context: &mut Context) -> Vec<Batch> {
    let (mut made, mut all) = (Vec::new(), Vec::new());
    join.push(sides, &mut made, context).unwrap();
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Leaves,
    Comes,
    Stays,
}

/// One after another: what each row gives, from what is known of both tables.
struct Walk {
    setting: Setting,
    /// By key, with their times.
    tables: [BTreeMap<i64, (Value, i64)>; 2],
    results: BTreeMap<String, String>,
}

impl Walk {
    fn take(&mut self, event: &Event) -> Vec<Out> {
        let Some(key) = event.key else { return vec![] };
        let before = match &event.value {
            Some(value) => self.tables[event.side].insert(key, (value.clone(), event.time)),
            None => self.tables[event.side].remove(&key),
        };
        let was = before.map(|((number, _), _)| number);
        let is = event.value.as_ref().map(|(number, _)| *number);
        // It leaves those that it met, then it comes to those that it meets.
        let leaves = was.filter(|_| was != is).into_iter().flat_map(|met| self.turn(event, key, met, Turn::Leaves));
        let mut given: Vec<Out> = leaves.collect();
        let turn = if was == is { Turn::Stays } else { Turn::Comes };
        given.extend(is.into_iter().flat_map(|met| self.turn(event, key, met, turn)));
        given
    }

    /// What a row gives that leaves those with the number, comes to them, or changes there.
    fn turn(&mut self, event: &Event, key: i64, met: Option<i64>, turn: Turn) -> Vec<Out> {
        let (side, there) = (event.side, turn != Turn::Leaves);
        let with_number = |table: &BTreeMap<i64, (Value, i64)>| -> Vec<(i64, Value, i64)> {
            let found = table.iter().filter(|(_, (value, _))| met.is_some() && value.0 == met);
            found.map(|(key, (value, time))| (*key, value.clone(), *time)).collect()
        };
        let others = with_number(&self.tables[1 - side]);
        if others.is_empty() {
            let value = event.value.as_ref().filter(|_| there);
            return self.alone(side, key, value, event.time, event.place).into_iter().collect();
        }
        let mut given = self.pairs(event, key, met, there);
        let is_only = with_number(&self.tables[side]).iter().all(|(other, ..)| *other == key);
        if is_only && turn != Turn::Stays {
            for (other_key, other, time) in others {
                let value = (turn == Turn::Leaves).then_some(&other);
                given.extend(self.alone(1 - side, other_key, value, event.time.max(time), event.place));
            }
        }
        given
    }

    /// The change of a row alone; `value`: None, it isn't.
    fn alone(&mut self, side: usize, key: i64, value: Option<&Value>, time: i64, place: u64) -> Option<Out> {
        if !self.setting.gives_alone(side) {
            return None;
        }
        let (key, value) = (self.setting.key_alone(side, key), value.map(|value| Setting::result_alone(side, value)));
        let old = match &value {
            Some(value) => self.results.insert(key.clone(), value.clone()),
            None => self.results.remove(&key),
        };
        (value.is_some() || old.is_some()).then_some(Out { key, value, old, time, place: Some(place) })
    }

    /// The changes of a row's pairs with those that have the number.
    fn pairs(&mut self, event: &Event, key: i64, met: Option<i64>, there: bool) -> Vec<Out> {
        let Some(met) = met else { return vec![] };
        let others = self.tables[1 - event.side].iter().filter(|(_, (value, _))| value.0 == Some(met));
        let others: Vec<(i64, Value, i64)> = others.map(|(key, (value, time))| (*key, value.clone(), *time)).collect();
        let mut given = Vec::new();
        for (other_key, other, time) in others {
            let value = event.value.as_ref().filter(|_| there);
            let (pair, result) = match event.side {
                0 => (self.setting.key(key, other_key), value.and_then(|own| self.setting.result(own, &other))),
                _ => (self.setting.key(other_key, key), value.and_then(|own| self.setting.result(&other, own))),
            };
            let old = match &result {
                Some(result) => self.results.insert(pair.clone(), result.clone()),
                None => self.results.remove(&pair),
            };
            if result.is_some() || old.is_some() {
                let time = event.time.max(time);
                given.push(Out { key: pair, value: result, old, time, place: Some(event.place) });
            }
        }
        given
    }
}

/// Events whose keys' bytes are in the order of their numbers.
fn events(random: &mut fastrand::Rng, setting: &Setting, rows: usize) -> Vec<Event> {
    let mut events = random_events(random, &setting.case(0), rows);
    events.iter_mut().for_each(|event| event.key = event.key.map(|key| key % 10));
    events
}

#[test]
fn gives_what_a_walk_through_all_rows_gives() {
    let mut loaded = 0;
    for (seed, setting) in settings().into_iter().enumerate() {
        for more in 0..4 {
            loaded += against_the_walk(setting, seed as u64 * 10 + more);
        }
    }
    assert!(loaded > 20, "{loaded} parts were restored from snapshots");
}

/// Gives how many parts were restored from snapshots.
fn against_the_walk(setting: Setting, seed: u64) -> usize {
    let mut loaded = 0;
    let mut random = fastrand::Rng::with_seed(seed);
    let events = events(&mut random, &setting, 300);
    let (mut sends, mut join, mut results) = ([0, 1].map(|side| setting.send(side)), setting.join(), setting.results());
    let (mut logs, mut context) = ([(); 4].map(|()| Records::default()), Context::default());
    let mut snapshots = [(); 4].map(|()| Trial::default());
    let mut walk = Walk { setting, tables: Default::default(), results: BTreeMap::new() };
    let mut tables: [BTreeMap<i64, Value>; 2] = Default::default();
    let mut rest = events.as_slice();
    while !rest.is_empty() {
        let (count, placed) = cut(&mut random, rest);
        let (now, later) = rest.split_at(count);
        rest = later;
        let mut expected: Vec<Out> = now.iter().flat_map(|event| walk.take(event)).collect();
        if !placed {
            expected.iter_mut().for_each(|out| out.place = None);
        }
        let mut sides = [None, None];
        for (at, side) in sides.iter_mut().enumerate() {
            let own: Vec<&Event> = now.iter().filter(|event| event.side == at).collect();
            if !own.is_empty() {
                let mut messages = Vec::new();
                let batch = changes(&setting.case(at), &own, &mut tables[at], placed);
                sends[at].push(batch, &mut messages, &mut context).unwrap();
                *side = messages.pop();
            }
        }
        let [left, right] = sides;
        let mut out = Vec::new();
        for batch in meet(&mut join, Sides { left, right }, &mut context) {
            results.push(batch, &mut out, &mut context).unwrap();
        }
        assert_eq!(read(&mut out), expected, "{setting:?}, seed {seed}: {now:?}");
        if random.u8(0..5) == 0 {
            let [left, right] = &mut sends;
            for (part, log) in [left as &mut dyn Node, right, &mut join, &mut results].into_iter().zip(&mut logs) {
                part.changes(log).unwrap();
                assert_eq!(part.pending_bytes(), 0);
            }
            let parts = [&sends[0] as &dyn Node, &sends[1], &join, &results].into_iter().zip(&logs);
            for ((part, log), snapshots) in parts.zip(&mut snapshots) {
                part.state().into_iter().for_each(|state| snapshots.after_commit(state, log.len(), &mut random));
            }
            if random.u8(0..4) == 0 {
                (sends, join, results) = ([0, 1].map(|side| setting.send(side)), setting.join(), setting.results());
                let [left, right] = &mut sends;
                let parts = [left as &mut dyn Node, right, &mut join, &mut results].into_iter().zip(&logs);
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

/// Of each table, of the join, and of its results.
const PARTITIONS: usize = 3;

/// Messages wait in queues between the partitions, which work in any order: what is there in the end is right all the same, and
/// whoever takes the changes never sees one that does not fit to those before.
#[test]
fn messages_that_come_late_do_no_harm() {
    for (seed, setting) in settings().into_iter().enumerate() {
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

type Queues = [[VecDeque<Batch>; PARTITIONS]; PARTITIONS];

fn in_any_order(setting: Setting, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut inputs: [[VecDeque<Event>; PARTITIONS]; 2] = Default::default();
    let mut final_rows: [BTreeMap<i64, Value>; 2] = Default::default();
    for event in events(&mut random, &setting, 200) {
        let Some(key) = event.key else { continue };
        match &event.value {
            Some(value) => drop(final_rows[event.side].insert(key, value.clone())),
            None => drop(final_rows[event.side].remove(&key)),
        }
        inputs[event.side][key as usize % PARTITIONS].push_back(event);
    }
    let mut sends = [0, 1].map(|side| [(); PARTITIONS].map(|()| setting.send(side)));
    let mut joins = [(); PARTITIONS].map(|()| setting.join());
    let mut results = [(); PARTITIONS].map(|()| setting.results());
    let mut logs = [(); PARTITIONS].map(|()| [(); 4].map(|()| Records::default()));
    let (mut there, mut back): ([Queues; 2], Queues) = Default::default();
    let mut tables: [[BTreeMap<i64, Value>; PARTITIONS]; 2] = Default::default();
    let mut downstream: BTreeMap<String, String> = BTreeMap::new();
    let mut context = Context::default();
    loop {
        let (side, from, to) = (random.usize(0..2), random.usize(0..PARTITIONS), random.usize(0..PARTITIONS));
        match random.u8(0..6) {
            0 => {
                let Some(event) = inputs[side][from].pop_front() else { continue };
                let batch = changes(&setting.case(side), &[&event], &mut tables[side][from], false);
                let mut out = Vec::new();
                sends[side][from].push(batch, &mut out, &mut context).unwrap();
                for batch in out {
                    let met = batch.columns[0].as_primitive::<Int64Type>().clone();
                    let place = |row: usize| match batch.null_key.as_ref().is_some_and(|null| null.value(row)) {
                        true => from,
                        false => met.value(row) as usize % PARTITIONS,
                    };
                    spread(&batch, place, &mut there[side][from]);
                }
            }
            1 | 2 => {
                let Some(message) = there[side][from][to].pop_front() else { continue };
                let (left, right) = if side == 0 { (Some(message), None) } else { (None, Some(message)) };
                for batch in meet(&mut joins[to], Sides { left, right }, &mut context) {
                    let key = |row: usize| words(batch.key_columns(), row);
                    let place = |row: usize| key(row).bytes().map(usize::from).sum::<usize>() % PARTITIONS;
                    spread(&batch, place, &mut back[to]);
                }
            }
            3 | 4 => {
                let Some(batch) = back[from][to].pop_front() else { continue };
                let mut out = Vec::new();
                results[to].push(batch, &mut out, &mut context).unwrap();
                for out in read(&mut out) {
                    assert_eq!(downstream.get(&out.key), out.old.as_ref(), "old of {}, seed {seed}", out.key);
                    match out.value {
                        Some(value) => drop(downstream.insert(out.key, value)),
                        None => drop(downstream.remove(&out.key)),
                    }
                }
            }
            _ if random.u8(0..10) == 0 => {
                let (own, compact) = (&mut logs[from], random.bool());
                for side in 0..2 {
                    sends[side][from] = restarted(&mut sends[side][from], setting.send(side), &mut own[side], compact);
                }
                joins[from] = restarted(&mut joins[from], setting.join(), &mut own[2], compact);
                results[from] = restarted(&mut results[from], setting.results(), &mut own[3], compact);
            }
            _ => {}
        }
        let idle = |queues: &Queues| queues.iter().flatten().all(VecDeque::is_empty);
        if inputs.iter().flatten().all(VecDeque::is_empty) && there.iter().chain([&back]).all(idle) {
            break;
        }
    }
    let mut expected = BTreeMap::new();
    for (left_key, left) in &final_rows[0] {
        for (right_key, right) in &final_rows[1] {
            expected.extend(setting.result(left, right).map(|result| (setting.key(*left_key, *right_key), result)));
        }
    }
    for side in (0..2).filter(|side| setting.gives_alone(*side)) {
        for (key, value) in &final_rows[side] {
            if value.0.is_none() || final_rows[1 - side].values().all(|other| other.0 != value.0) {
                expected.insert(setting.key_alone(side, *key), Setting::result_alone(side, value));
            }
        }
    }
    assert_eq!(downstream, expected, "{setting:?}, seed {seed}");
    let kept: usize = results.iter().map(|results| results.pairs()).sum();
    assert_eq!(kept, expected.len(), "nothing is kept of pairs that aren't there");
}

/// A new part with the state of an old one, by way of its changelog.
fn restarted<T: Node>(old: &mut T, mut new: T, log: &mut Records, compact: bool) -> T {
    old.changes(log).unwrap();
    new.restore(&maybe_compacted(log, 0, compact)).unwrap();
    new
}
