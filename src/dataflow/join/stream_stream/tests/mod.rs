//! The operator against a slow, plain recomputation (`oracle`), and what it holds (`state`).

mod format;
mod oracle;
mod state;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, NullArray, StringArray};
use arrow::util::display::array_value_to_string;

use super::*;
use crate::expr::{Scope, check};
use crate::plan::{self, JoinKind, JoinMethod, Stage, StageInput};
use crate::sql::ast::Ident;
use crate::state::snapshots::trial::Trial;
use crate::types::SqlType;

/// A row of either side.
#[derive(Debug, Clone)]
struct Row {
    hand: Hand,
    key: Option<i64>,
    window: Option<(i64, i64)>,
    time: i64,
    value: Option<i64>,
    tombstone: bool,
    null_key: bool,
    place: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum KeyShape {
    Text,
    Number,
    Both,
}

/// A join under test. Left rows have the columns L and a text of it; right rows R and a column that nobody reads.
#[derive(Debug, Clone, Copy)]
struct Case {
    keys: KeyShape,
    windowed: bool,
    kind: JoinKind,
    before: i64,
    after: i64,
    grace: Option<i64>,
    condition: Option<&'static str>,
}

const PLAIN: Case = Case {
    keys: KeyShape::Text,
    windowed: false,
    kind: JoinKind::Inner,
    before: 10,
    after: 10,
    grace: Some(0),
    condition: None,
};

impl Case {
    fn key_types(&self) -> Vec<SqlType> {
        match self.keys {
            KeyShape::Text => vec![SqlType::String],
            KeyShape::Number => vec![SqlType::Bigint],
            KeyShape::Both => vec![SqlType::String, SqlType::Bigint],
        }
    }

    fn join(&self) -> StreamStreamJoin {
        let keys = self.key_types();
        let condition = self.condition.map(|text| {
            let names = Names { keys: keys.len() };
            check(&crate::sql::parse_expression(text).unwrap(), &names).unwrap()
        });
        let side = || {
            let exchange = plan::Exchange { from: 0, key: layout(), types: Vec::new() };
            Stage { input: StageInput::Exchange(exchange), steps: Vec::new() }
        };
        let plan = Join {
            left: side(),
            right: side(),
            kind: self.kind,
            method: JoinMethod::StreamStream { before_ms: self.before, after_ms: self.after, grace_ms: self.grace },
            key_types: keys,
            left_types: vec![SqlType::Bigint, SqlType::String],
            right_types: vec![SqlType::Bigint, SqlType::Bigint],
            condition,
        };
        StreamStreamJoin::new(&plan).unwrap()
    }

    /// The rows of one side, in their order.
    fn batch(&self, hand: Hand, rows: &[Row]) -> Option<Batch> {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.hand == hand).collect();
        if rows.is_empty() {
            return None;
        }
        let numbers = || rows.iter().map(|row| row.key).collect::<Int64Array>();
        let texts = || rows.iter().map(|row| row.key.map(|key| format!("k{key}"))).collect::<StringArray>();
        let mut columns: Vec<ArrayRef> = match self.keys {
            KeyShape::Text => vec![Arc::new(texts())],
            KeyShape::Number => vec![Arc::new(numbers())],
            KeyShape::Both => vec![Arc::new(texts()), Arc::new(numbers())],
        };
        let keys = columns.len();
        let values = rows.iter().map(|row| row.value.filter(|_| !row.tombstone));
        columns.push(Arc::new(values.clone().collect::<Int64Array>()));
        columns.push(match hand {
            Hand::Left => Arc::new(values.map(|value| value.map(|v| format!("t{v}"))).collect::<StringArray>()),
            Hand::Right => Arc::new(NullArray::new(rows.len())),
        });
        let times = |get: &dyn Fn(&Row) -> i64| rows.iter().map(|row| get(row)).collect::<Vec<_>>().into();
        let bound = |row: &Row| row.window.unwrap_or_default();
        Some(Batch {
            rows: rows.len(),
            columns,
            keys,
            row_time: times(&|row| row.time),
            window: self
                .windowed
                .then(|| WindowBounds { start: times(&|row| bound(row).0), end: times(&|row| bound(row).1) }),
            tombstone: rows.iter().any(|row| row.tombstone).then(|| rows.iter().map(|row| row.tombstone).collect()),
            null_key: rows.iter().any(|row| row.null_key).then(|| rows.iter().map(|row| row.null_key).collect()),
            old: None,
            headers: None,
            origin: Origin::default(),
            order: Some(rows.iter().map(|row| row.place).collect::<Vec<_>>().into()),
        })
    }

    /// Takes rows in and gives what is made of them, in words. Checks that batches are no larger than they may be.
    fn push(&self, join: &mut StreamStreamJoin, rows: &[Row], context: &mut Context) -> Vec<String> {
        let (mut out, mut words) = (Vec::new(), Vec::new());
        let sides = Sides { left: self.batch(Hand::Left, rows), right: self.batch(Hand::Right, rows) };
        join.push(sides, &mut out, context).unwrap();
        while !out.is_empty() {
            for batch in out.drain(..) {
                batch.check().unwrap();
                assert!((1..=join.made_rows + 1).contains(&batch.rows));
                words.extend((0..batch.rows).map(|row| self.words(&batch, row)));
            }
            join.resume(&mut out, context).unwrap();
        }
        words
    }

    fn words(&self, batch: &Batch, row: usize) -> String {
        let cell = |column: &ArrayRef| {
            let null = column.is_null(row) || column.data_type() == &arrow::datatypes::DataType::Null;
            if null { "-".to_owned() } else { array_value_to_string(column, row).unwrap() }
        };
        let window = batch.window.as_ref().map(|window| (window.start[row], window.end[row]));
        let place = batch.order.as_ref().unwrap()[row];
        let columns: Vec<String> = batch.columns.iter().map(cell).collect();
        assert_eq!((batch.keys, columns.len()), (self.key_types().len(), self.key_types().len() + 4));
        out_text(&columns.join(","), window, batch.row_time[row], place)
    }
}

/// One output row in words.
fn out_text(columns: &str, window: Option<(i64, i64)>, time: i64, place: u64) -> String {
    format!("{columns} {window:?} at {time}, of {place}")
}

fn layout() -> crate::format::Layout {
    crate::format::Layout { format: crate::format::Format::Kafka, delimiter: ',', columns: Vec::new(), wrapped: false }
}

/// What L and R are in what the join gives.
struct Names {
    keys: usize,
}

impl Scope for Names {
    fn column(&self, _source: Option<&Ident>, name: &Ident) -> Result<(usize, SqlType)> {
        match name.text.as_str() {
            "L" => Ok((self.keys, SqlType::Bigint)),
            "R" => Ok((self.keys + 2, SqlType::Bigint)),
            other => panic!("{other}"),
        }
    }

    fn custom_type(&self, _name: &str) -> Option<SqlType> {
        None
    }
}

fn row(hand: Hand, key: i64, time: i64, value: i64) -> Row {
    Row { hand, key: Some(key), window: None, time, value: Some(value), tombstone: false, null_key: false, place: 0 }
}

/// The rows in the order in which they are named.
fn placed(mut rows: Vec<Row>) -> Vec<Row> {
    rows.iter_mut().zip(1..).for_each(|(row, place)| row.place = place);
    rows
}

/// A new operator from the records, compacted or not, in one go or several, from the beginning or from where a snapshot holds;
/// and where that is.
fn restored(case: &Case, log: &Records, snapshots: &Trial, random: &mut fastrand::Rng) -> (StreamStreamJoin, usize) {
    let mut join = case.join();
    let from = if random.bool() { snapshots.load(&mut join) } else { 0 };
    let mut last = HashMap::new();
    for row in 0..log.len() {
        last.insert(log.key(row), row);
    }
    let (compact, mut records) = (random.bool(), Records::default());
    for row in (from..log.len()).filter(|row| !compact || last[&log.key(*row)] == *row) {
        records.push(log.key(row), log.value(row), log.meta[row].timestamp);
        if random.u8(0..4) == 0 {
            join.restore(&records).unwrap();
            records.clear();
        }
    }
    join.restore(&records).unwrap();
    (join, from)
}
