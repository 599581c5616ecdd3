//! Which queries may want which rows of a batch. A thousand queries that each look for another key cost a look-up a row, not
//! a thousand comparisons.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use hashbrown::HashMap;

use crate::dataflow::Batch;
use crate::expr::Pinned;
use crate::types::Value;

/// Queries, by what their conditions pin a column to. Of a pinned query, what is found are the rows that may pass: its own
/// condition judges them.
#[derive(Debug, Default)]
pub struct Routes {
    /// Queries that look at all rows.
    all: Vec<u64>,
    pinned: BTreeMap<usize, Column>,
}

/// The queries that wait for some values of a column.
#[derive(Debug, Default)]
struct Column {
    texts: HashMap<String, Vec<u64>>,
    numbers: HashMap<i64, Vec<u64>>,
}

/// What a batch has for the queries.
#[derive(Debug, Default, PartialEq)]
pub struct Routed<'a> {
    /// Look at all rows.
    pub all: &'a [u64],
    /// Have these rows to look at, in their order.
    pub some: BTreeMap<u64, Vec<u32>>,
}

impl Routes {
    pub fn add(&mut self, query: u64, pinned: Option<&Pinned>) {
        let Some(pinned) = pinned else { return self.all.push(query) };
        let column = self.pinned.entry(pinned.column).or_default();
        for value in &pinned.values {
            let queries = match value {
                Value::String(text) => column.texts.entry(text.clone()).or_default(),
                Value::Bigint(number) => column.numbers.entry(*number).or_default(),
                // Equals nothing in such a column.
                _ => continue,
            };
            // `k IN ('a', 'a')`
            if queries.last() != Some(&query) {
                queries.push(query);
            }
        }
    }

    pub fn of(&self, batch: &Batch) -> Routed<'_> {
        let mut some: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        let mut note = |row: usize, queries: Option<&Vec<u64>>| {
            for query in queries.into_iter().flatten() {
                some.entry(*query).or_default().push(row as u32);
            }
        };
        for (index, wanted) in &self.pinned {
            let Some(values) = batch.columns.get(*index) else { continue };
            let rows = (0..batch.rows).filter(|row| values.is_valid(*row));
            match values.data_type() {
                DataType::Utf8 => {
                    let texts = values.as_string::<i32>();
                    rows.for_each(|row| note(row, wanted.texts.get(texts.value(row))));
                }
                DataType::Int64 => {
                    let numbers = values.as_primitive::<Int64Type>();
                    rows.for_each(|row| note(row, wanted.numbers.get(&numbers.value(row))));
                }
                DataType::Int32 => {
                    let numbers = values.as_primitive::<Int32Type>();
                    rows.for_each(|row| note(row, wanted.numbers.get(&i64::from(numbers.value(row)))));
                }
                other => debug_assert!(false, "a column of {other} is pinned"),
            }
        }
        Routed { all: &self.all, some }
    }
}
