//! Joins with tables against a slow, plain recomputation that takes one row after another; and what their tests share.

pub(in crate::dataflow::join) mod caching;
mod changelog;
mod stream_table;
mod table_table;
mod versions;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, Int64Array, NullArray, StringArray};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;

use crate::dataflow::join::join;
use crate::dataflow::operator::{Context, JoinOperator, Node, Sides};
use crate::dataflow::{Batch, Origin, WindowBounds};
use crate::error::Result;
use crate::expr::{Scope, Typed, check};
use crate::format::{Format, Layout};
use crate::log::Records;
use crate::plan::{Join, JoinKind, JoinMethod, Stage, StageInput};
use crate::sql::ast::Ident;
use crate::state::snapshots::trial::Trial;
use crate::types::SqlType;

/// A row of one side; the columns are a number, one that nobody reads, and a text.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::dataflow::join) struct Event {
    /// 0: the left side, 1: the right one.
    pub side: usize,
    pub key: Option<i64>,
    /// Start of the window, which is 10 ms long.
    pub window: i64,
    /// None: a tombstone.
    pub value: Option<(Option<i64>, String)>,
    pub time: i64,
    pub place: u64,
}

/// What an output row says.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::dataflow::join) struct Out {
    pub key: String,
    /// None: a tombstone.
    pub value: Option<String>,
    pub old: Option<String>,
    pub time: i64,
    /// Where the batch has places.
    pub place: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::dataflow::join) enum KeyShape {
    Text,
    Number,
    Both,
}

impl KeyShape {
    pub const ALL: [KeyShape; 3] = [KeyShape::Text, KeyShape::Number, KeyShape::Both];

    pub fn types(self) -> Vec<SqlType> {
        match self {
            KeyShape::Text => vec![SqlType::String],
            KeyShape::Number => vec![SqlType::Bigint],
            KeyShape::Both => vec![SqlType::String, SqlType::Bigint],
        }
    }

    pub fn columns(self, keys: &[Option<i64>]) -> Vec<ArrayRef> {
        let text: ArrayRef = Arc::new(keys.iter().map(|key| key.map(|key| format!("k{key}"))).collect::<StringArray>());
        // Of several columns a single null already makes the row one without key.
        let number: ArrayRef = Arc::new(keys.iter().copied().collect::<Int64Array>());
        match self {
            KeyShape::Text => vec![text],
            KeyShape::Number => vec![number],
            KeyShape::Both => vec![text, number],
        }
    }

    pub fn words(self, key: i64) -> String {
        match self {
            KeyShape::Text => format!("k{key}"),
            KeyShape::Number => format!("{key}"),
            KeyShape::Both => format!("k{key},{key}"),
        }
    }
}

pub(in crate::dataflow::join) fn value_types() -> Vec<SqlType> {
    vec![SqlType::Bigint, SqlType::Double, SqlType::String]
}

/// A side's value in words, and that of a side without row.
pub(in crate::dataflow::join) fn value_words(value: Option<&(Option<i64>, String)>) -> String {
    match value {
        Some((Some(number), text)) => format!("{number},null,{text}"),
        Some((None, text)) => format!("null,null,{text}"),
        None => "null,null,null".to_owned(),
    }
}

#[derive(Debug, Clone, Copy)]
pub(in crate::dataflow::join) struct Case {
    pub keys: KeyShape,
    pub windowed: bool,
    pub kind: JoinKind,
    pub method: fn() -> JoinMethod,
    /// Over K..., LV, LU, LS, RV, RU, RS.
    pub condition: Option<&'static str>,
}

/// Names of the columns that a join gives.
struct Names(Vec<(String, SqlType)>);

impl Scope for Names {
    fn column(&self, _: Option<&Ident>, name: &Ident) -> Result<(usize, SqlType)> {
        let at = self.0.iter().position(|(known, _)| *known == name.text).expect("a column of the test");
        Ok((at, self.0[at].1.clone()))
    }

    fn custom_type(&self, _: &str) -> Option<SqlType> {
        None
    }
}

/// An expression over columns with these names and types.
pub(in crate::dataflow::join) fn typed(text: &str, columns: Vec<(String, SqlType)>) -> Typed {
    check(&crate::sql::parse_expression(text).unwrap(), &Names(columns)).unwrap()
}

/// The plan of a side that nobody runs.
pub(in crate::dataflow::join) fn side() -> Stage {
    let exchange = crate::plan::Exchange {
        from: 0,
        key: Layout { format: Format::None, delimiter: ',', columns: vec![], wrapped: false },
        types: vec![],
    };
    Stage { input: StageInput::Exchange(exchange), steps: vec![] }
}

impl Case {
    pub fn plan(&self) -> Join {
        let condition = self.condition.map(|text| {
            let keys = self.keys.types().into_iter().enumerate().map(|(at, ty)| (format!("K{at}"), ty));
            let names = ["LV", "LU", "LS", "RV", "RU", "RS"].map(str::to_owned);
            typed(text, keys.chain(names.into_iter().zip([value_types(), value_types()].concat())).collect())
        });
        Join {
            left: side(),
            right: side(),
            kind: self.kind,
            method: (self.method)(),
            key_types: self.keys.types(),
            left_types: value_types(),
            right_types: value_types(),
            condition,
        }
    }

    pub fn operator(&self) -> Box<dyn JoinOperator> {
        join(&self.plan()).unwrap()
    }

    pub fn batch(&self, events: &[&Event], placed: bool) -> Batch {
        let rows = events.len();
        let mut columns = self.keys.columns(&events.iter().map(|event| event.key).collect::<Vec<_>>());
        let keys = columns.len();
        let value = |event: &&Event| event.value.clone();
        columns.push(Arc::new(events.iter().map(|e| value(e).and_then(|(number, _)| number)).collect::<Int64Array>()));
        columns.push(Arc::new(NullArray::new(rows)));
        columns.push(Arc::new(events.iter().map(|e| value(e).map(|(_, text)| text)).collect::<StringArray>()));
        let starts: Vec<i64> = events.iter().map(|event| event.window).collect();
        let ends: Vec<i64> = starts.iter().map(|start| start + 10).collect();
        let gone: Vec<bool> = events.iter().map(|event| event.value.is_none()).collect();
        let headers: Vec<Vec<u8>> = events.iter().map(|event| event.place.to_be_bytes().to_vec()).collect();
        Batch {
            rows,
            columns,
            keys,
            row_time: events.iter().map(|event| event.time).collect::<Vec<_>>().into(),
            window: self.windowed.then(|| WindowBounds { start: starts.into(), end: ends.into() }),
            tombstone: gone.contains(&true).then(|| gone.into()),
            null_key: None,
            old: None,
            headers: Some(Arc::new(BinaryArray::from_iter_values(headers))),
            origin: Origin::default(),
            order: placed.then(|| events.iter().map(|event| event.place).collect::<Vec<_>>().into()),
        }
    }

    /// A key in words, as the test and the output have it.
    pub fn key_words(&self, event: &Event) -> Option<String> {
        let words = self.keys.words(event.key?);
        Some(if self.windowed { format!("{words}@{}-{}", event.window, event.window + 10) } else { words })
    }
}

pub(in crate::dataflow::join) fn words(columns: &[ArrayRef], row: usize) -> String {
    let cell = |column: &ArrayRef| match column.data_type() {
        DataType::Null => "null".to_owned(),
        _ if column.is_null(row) => "null".to_owned(),
        _ => array_value_to_string(column, row).unwrap(),
    };
    columns.iter().map(cell).collect::<Vec<_>>().join(",")
}

/// The output in words; empties it.
pub(in crate::dataflow::join) fn read(out: &mut Vec<Batch>) -> Vec<Out> {
    let mut result = Vec::new();
    for batch in out.drain(..) {
        batch.check().unwrap();
        assert!(batch.null_key.is_none() && batch.rows > 0);
        for row in 0..batch.rows {
            let mut key = words(batch.key_columns(), row);
            if let Some(window) = &batch.window {
                key += &format!("@{}-{}", window.start[row], window.end[row]);
            }
            let gone = batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(row));
            let old = batch.old.as_ref().filter(|old| old.present.value(row)).map(|old| words(&old.columns, row));
            let value = (!gone).then(|| words(batch.value_columns(), row));
            let place = batch.order.as_ref().map(|order| order[row]);
            result.push(Out { key, value, old, time: batch.row_time[row], place });
        }
    }
    result
}

pub(in crate::dataflow::join) fn random_events(random: &mut fastrand::Rng, case: &Case, rows: usize) -> Vec<Event> {
    let keys = random.i64(1..12);
    let mut place = 0;
    let mut events: Vec<Event> = Vec::new();
    for _ in 0..rows {
        let side = random.usize(0..2);
        // A left row and a right one may have the same place, which is the left row's first.
        let shared = events.last().is_some_and(|last| (last.side, side) == (0, 1)) && random.u8(0..8) == 0;
        place += if shared { 0 } else { random.u64(1..3) };
        let number = (random.u8(0..8) > 0).then(|| random.i64(0..4));
        events.push(Event {
            side,
            key: (random.u8(0..12) > 0).then(|| random.i64(0..keys)),
            window: if case.windowed { random.i64(0..2) * 10 } else { 0 },
            value: (random.u8(0..4) > 0).then(|| (number, format!("v{}", random.u8(0..20)))),
            time: random.i64(0..1000),
            place,
        });
    }
    events
}

/// How many of these events are taken at once, and whether with their places.
pub(in crate::dataflow::join) fn cut(random: &mut fastrand::Rng, events: &[Event]) -> (usize, bool) {
    let rows_max = if random.bool() { 4 } else { 40 };
    let rows = random.usize(1..=events.len().min(rows_max));
    let one_sided = events[..rows].iter().all(|event| event.side == events[0].side);
    (rows, !one_sided || random.bool())
}

pub(in crate::dataflow::join) fn sides(case: &Case, events: &[Event], placed: bool) -> Sides {
    let of = |side: usize| -> Option<Batch> {
        let own: Vec<&Event> = events.iter().filter(|event| event.side == side).collect();
        (!own.is_empty()).then(|| case.batch(&own, placed))
    };
    Sides { left: of(0), right: of(1) }
}

/// What a compacted (or not compacted) topic would have of these records, from the one with this number on.
pub(in crate::dataflow::join) fn maybe_compacted(log: &Records, from: usize, compact: bool) -> Records {
    let last: HashMap<_, usize> = (0..log.len()).map(|row| (log.key(row), row)).collect();
    let mut kept = Records::default();
    for row in (from..log.len()).filter(|row| !compact || last[&log.key(*row)] == *row) {
        kept.push(log.key(row), log.value(row), log.meta[row].timestamp);
    }
    kept
}

/// Brings a new operator to the state of its log, from the beginning or from where a snapshot holds; gives where that is.
pub(in crate::dataflow::join) fn restore_from(
    node: &mut dyn Node,
    log: &Records,
    snapshots: &Trial,
    random: &mut fastrand::Rng,
) -> usize {
    let from = match node.state_mut().filter(|_| random.bool()) {
        Some(state) => snapshots.load(state),
        None => 0,
    };
    node.restore(&maybe_compacted(log, from, random.bool())).unwrap();
    let mut again = Records::default();
    node.changes(&mut again).unwrap();
    assert!(again.is_empty(), "a restored row is no change");
    from
}

/// Drives random events through a join, with restarts; `expect` says what each event gives. Gives how many restarts there were from
/// snapshots.
pub(in crate::dataflow::join) fn check_against(
    case: &Case,
    seed: u64,
    expect: impl FnMut(&Event) -> Vec<Out>,
) -> usize {
    check_operator(case, seed, &|| case.operator(), expect)
}

/// The same for an operator that `make` makes.
pub(in crate::dataflow::join) fn check_operator(
    case: &Case,
    seed: u64,
    make: &dyn Fn() -> Box<dyn JoinOperator>,
    mut expect: impl FnMut(&Event) -> Vec<Out>,
) -> usize {
    let mut loaded = 0;
    let mut random = fastrand::Rng::with_seed(seed);
    let events = random_events(&mut random, case, 400);
    let (mut operator, mut context, mut log) = (make(), Context::default(), Records::default());
    let (mut rest, mut snapshots) = (events.as_slice(), Trial::default());
    while !rest.is_empty() {
        let (rows, placed) = cut(&mut random, rest);
        let (now, later) = rest.split_at(rows);
        rest = later;
        let mut expected: Vec<Out> = now.iter().flat_map(&mut expect).collect();
        if !placed {
            expected.iter_mut().for_each(|out| out.place = None);
        }
        let mut out = Vec::new();
        operator.push(sides(case, now, placed), &mut out, &mut context).unwrap();
        assert_eq!(read(&mut out), expected, "{case:?}, seed {seed}: {now:?}");
        operator.resume(&mut out, &mut context).unwrap();
        assert!(out.is_empty());
        if random.u8(0..6) == 0 {
            operator.changes(&mut log).unwrap();
            assert_eq!(operator.pending_bytes(), 0);
            snapshots.after_commit(operator.state().unwrap(), log.len(), &mut random);
            if random.u8(0..4) == 0 {
                operator = make();
                loaded += usize::from(restore_from(&mut *operator, &log, &snapshots, &mut random) > 0);
                snapshots.restart();
            }
        }
    }
    loaded
}
