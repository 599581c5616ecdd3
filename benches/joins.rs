//! The operators of stream-stream and table-table joins on decoded bids, beside a plain loop over hash maps that makes the same
//! pairs of the same rows: what their state, their columns and their order cost. What they write to their changelog isn't in it
//! (it is in the stream-table join's, from topic to topic).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use millpond::internals::{
    Batch, Context, Exchange, Format, Join, JoinKind, JoinMethod, JoinOperator, Layout, Origin, Part, Sides, Stage,
    StageInput, decoder, join,
};
use millpond::types::SqlType;

use crate::Entry;
use crate::bids::{BATCHES, bids_with, layout};

const KEYS: usize = 10_000;
/// Bids a second of their time: of both sides together, about one of a key and side in two seconds.
const EVENTS_PER_SECOND: usize = 10_000;
const SPAN_MS: i64 = 2_000;

pub const NAMES: [&str; 2] = ["stream-stream join", "table-table join"];

pub fn entries() -> Vec<Entry> {
    vec![stream_stream(), table_table()]
}

/// By key: row times and values.
type Lists = HashMap<i64, VecDeque<(i64, i64)>, RandomState>;

/// A batch of each side, their rows in turn.
type Pair = (Batch, Batch);

fn stream_stream() -> Entry {
    let method = JoinMethod::StreamStream { before_ms: SPAN_MS, after_ms: SPAN_MS, grace_ms: Some(SPAN_MS) };
    let bound = |pairs: &[Pair]| {
        let mut sides: [Lists; 2] = Default::default();
        let mut given: [Vec<i64>; 4] = Default::default();
        let mut rows = 0;
        for (left, right) in pairs {
            let columns = [left, right].map(|batch| [column(batch, 0), column(batch, 1)]);
            for row in 0..left.rows {
                for side in 0..2 {
                    let [keys, values] = &columns[side];
                    let time = [left, right][side].row_time[row];
                    if let Some(others) = sides[1 - side].get_mut(&keys[row]) {
                        while others.front().is_some_and(|(other, _)| *other < time - SPAN_MS) {
                            others.pop_front();
                        }
                        for (other, value) in others.iter().filter(|(other, _)| *other <= time + SPAN_MS) {
                            let pair = if side == 0 { (values[row], *value) } else { (*value, values[row]) };
                            given[0].push(keys[row]);
                            given[1].push(pair.0);
                            given[2].push(pair.1);
                            given[3].push(time.max(*other));
                        }
                    }
                    sides[side].entry(keys[row]).or_default().push_back((time, values[row]));
                }
            }
            rows += given[0].len();
            black_box(&given);
            given.iter_mut().for_each(Vec::clear);
        }
        rows
    };
    entry(NAMES[0], method, bound)
}

fn table_table() -> Entry {
    let bound = |pairs: &[Pair]| {
        let mut sides: [HashMap<i64, (i64, i64), RandomState>; 2] = Default::default();
        // Key, both values and the time; then both values that are replaced.
        let mut given: [Vec<i64>; 6] = Default::default();
        let mut rows = 0;
        for (left, right) in pairs {
            let columns = [left, right].map(|batch| [column(batch, 0), column(batch, 1)]);
            for row in 0..left.rows {
                for side in 0..2 {
                    let [keys, values] = &columns[side];
                    let time = [left, right][side].row_time[row];
                    let before = sides[side].insert(keys[row], (time, values[row]));
                    let Some((other_time, other)) = sides[1 - side].get(&keys[row]) else { continue };
                    let pair = |value: i64| if side == 0 { (value, *other) } else { (*other, value) };
                    let (new, old) = (pair(values[row]), before.map_or((0, 0), |(_, value)| pair(value)));
                    let row = [keys[row], new.0, new.1, time.max(*other_time), old.0, old.1];
                    given.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
                }
            }
            rows += given[0].len();
            black_box(&given);
            given.iter_mut().for_each(Vec::clear);
        }
        rows
    };
    entry(NAMES[1], JoinMethod::TableTable, bound)
}

fn entry(name: &'static str, method: JoinMethod, bound: impl Fn(&[Pair]) -> usize + 'static) -> Entry {
    let pairs: Rc<Vec<Pair>> = Rc::new(pairs());
    let rows = pairs.iter().map(|(left, right)| left.rows + right.rows).sum();
    let expected = bound(&pairs);
    assert!(expected > rows / 2, "{name}: only {expected} of {rows} rows meet others");
    let (work, of_bound) = (Rc::clone(&pairs), pairs);
    let told = RefCell::new(false);
    Entry {
        name,
        bound_name: "a loop over hash maps",
        floor: 0.5,
        aim: 0.5,
        rows,
        bytes: 0,
        work: Box::new(move || {
            let mut operator = join(&plan(method.clone())).expect("a join");
            assert_eq!(drive(&mut *operator, &work), expected, "{name}: joined rows");
            if !told.replace(true) {
                let kept = kept_rows(name, &work);
                println!("  {name}: {} bytes of state for each of {kept} rows kept", operator.state_bytes() / kept);
            }
        }),
        after: Box::new(|| ()),
        bound: Box::new(move || {
            black_box(bound(&of_bound));
        }),
    }
}

/// Rows that the state has in the end: of streams those within span and grace of the last, of tables one a key and side.
fn kept_rows(name: &str, pairs: &[Pair]) -> usize {
    if name.starts_with("table") {
        return 2 * KEYS;
    }
    let sides = |pair: &Pair| [pair.0.row_time.to_vec(), pair.1.row_time.to_vec()].concat();
    let times: Vec<i64> = pairs.iter().flat_map(sides).collect();
    let last = times.iter().max().copied().unwrap_or(0);
    times.iter().filter(|time| **time >= last - 3 * SPAN_MS).count()
}

/// Gives the number of rows that come out.
fn drive(operator: &mut dyn JoinOperator, pairs: &[Pair]) -> usize {
    let mut context = Context::default();
    let (mut rows, mut out) = (0, Vec::new());
    for (left, right) in pairs {
        let sides = Sides { left: Some(left.clone()), right: Some(right.clone()) };
        operator.push(sides, &mut out, &mut context).expect("it joins");
        while !out.is_empty() {
            rows += out.drain(..).map(|batch| black_box(batch).rows).sum::<usize>();
            operator.resume(&mut out, &mut context).expect("it goes on");
        }
    }
    rows
}

/// Bids decoded, every other one a row of the right side.
fn pairs() -> Vec<Pair> {
    let mut number = 0_usize;
    let bids = bids_with(2 * BATCHES, EVENTS_PER_SECOND, |bid| {
        // Of the upper half: the lowest bit tells odd numbers from even ones, which are on different sides.
        bid.bidder = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % KEYS;
        number += 1;
    });
    // The bidder and the price.
    let mut decoder = decoder(&layout(), &[1, 2]).expect("JSON has all types");
    let mut pair = |records: &millpond::log::Records| {
        let decoded = decoder.decode(records, Part::Value);
        let side = |from: usize| {
            let places: Vec<usize> = (from..records.len()).step_by(2).collect();
            let pick = |column: &ArrayRef| -> ArrayRef {
                let values = column.as_primitive::<Int64Type>().values();
                Arc::new(places.iter().map(|place| values[*place]).collect::<Int64Array>())
            };
            Batch {
                rows: places.len(),
                columns: decoded.columns.iter().map(pick).collect(),
                keys: 1,
                row_time: places.iter().map(|place| records.meta[*place].timestamp).collect::<Vec<_>>().into(),
                window: None,
                tombstone: None,
                null_key: None,
                old: None,
                headers: None,
                origin: Origin::default(),
                order: Some(places.iter().map(|place| *place as u64).collect::<Vec<_>>().into()),
            }
        };
        (side(0), side(1))
    };
    bids.iter().map(|batch| pair(&batch.records)).collect()
}

fn column(batch: &Batch, at: usize) -> &[i64] {
    batch.columns[at].as_primitive::<Int64Type>().values()
}

fn plan(method: JoinMethod) -> Join {
    let side = || {
        let columns = vec![("K".to_string(), SqlType::Bigint)];
        let key = Layout { format: Format::Kafka, delimiter: ',', columns, wrapped: false };
        let types = vec![SqlType::Bigint, SqlType::Bigint];
        Stage { input: StageInput::Exchange(Exchange { from: 0, key, types }), steps: Vec::new() }
    };
    Join {
        left: side(),
        right: side(),
        kind: JoinKind::Inner,
        method,
        key_types: vec![SqlType::Bigint],
        left_types: vec![SqlType::Bigint],
        right_types: vec![SqlType::Bigint],
        condition: None,
    }
}
