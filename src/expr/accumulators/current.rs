//! EARLIEST_BY_OFFSET and LATEST_BY_OFFSET of a table: the values of the rows that it has, by the order in which each got
//! the value that it has now.
//!
//! Behind the value the call's arguments are the row's key: it says which row goes.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef};

use super::composite::Composite;
use super::offset::{End, Nulls, Shape};
use crate::state::codec::{put_bytes, put_len, take_array, take_bytes, take_cell, take_len, write_cell};
use crate::types::SqlType;

pub(super) struct Current {
    pub(super) item: SqlType,
    pub(super) returns: SqlType,
    pub(super) shape: Shape,
    pub(super) n: usize,
    pub(super) end: End,
    pub(super) nulls: Nulls,
    /// The arrival number of the next row. Kept with each value, so that it goes on after a restart.
    pub(super) next: i64,
    pub(super) scratch: Vec<u8>,
}

/// The rows of a group.
#[derive(Debug, Default)]
pub(super) struct Present {
    /// By arrival.
    rows: BTreeMap<i64, Row>,
    arrivals: HashMap<Box<[u8]>, i64>,
    bytes: usize,
}

/// The cells of a row's key, and that of its value.
#[derive(Debug)]
struct Row {
    key: Box<[u8]>,
    value: Box<[u8]>,
}

/// Bytes of a row beside its key and value, about.
const ROW_BYTES: usize = 96;

impl Present {
    fn insert(&mut self, arrival: i64, key: &[u8], value: &[u8]) {
        self.remove(key);
        self.bytes += key.len() * 2 + value.len() + ROW_BYTES;
        self.arrivals.insert(key.into(), arrival);
        self.rows.insert(arrival, Row { key: key.into(), value: value.into() });
    }

    fn remove(&mut self, key: &[u8]) {
        let Some(arrival) = self.arrivals.remove(key) else { return };
        if let Some(Row { key, value }) = self.rows.remove(&arrival) {
            self.bytes -= key.len() * 2 + value.len() + ROW_BYTES;
        }
    }
}

impl Current {
    /// Writes the row's key to `scratch`.
    fn read_key(&mut self, args: &[ArrayRef], row: usize) {
        self.scratch.clear();
        args[1..].iter().for_each(|column| write_cell(column, row, &mut self.scratch));
    }

    /// The values of the result.
    fn chosen<'a>(&self, group: &'a Present) -> Vec<&'a [u8]> {
        let value = |row: &'a Row| &*row.value;
        match self.end {
            End::Earliest => group.rows.values().take(self.n).map(value).collect(),
            End::Latest => {
                let mut last: Vec<&[u8]> = group.rows.values().rev().take(self.n).map(value).collect();
                last.reverse();
                last
            }
        }
    }
}

impl Composite for Current {
    type Group = Present;

    const CAN_UNDO: bool = true;

    fn returns(&self) -> &SqlType {
        &self.returns
    }

    fn add(&mut self, group: &mut Present, args: &[ArrayRef], row: usize) -> Result<(), String> {
        let arrival = self.next;
        self.next += 1;
        if self.nulls == Nulls::Ignored && args[0].is_null(row) {
            return Ok(());
        }
        self.read_key(args, row);
        let mut value = Vec::new();
        write_cell(&args[0], row, &mut value);
        group.insert(arrival, &self.scratch, &value);
        Ok(())
    }

    fn remove(&mut self, group: &mut Present, args: &[ArrayRef], row: usize) {
        self.read_key(args, row);
        group.remove(&self.scratch);
    }

    fn merge(&mut self, from: &Present, into: &mut Present) {
        from.rows.iter().for_each(|(&arrival, row)| into.insert(arrival, &row.key, &row.value));
    }

    fn result(&self, group: &Present, out: &mut Vec<u8>) {
        let chosen = self.chosen(group);
        if self.shape == Shape::List {
            out.push(1);
            put_len(out, chosen.len() as u64);
        } else if chosen.is_empty() {
            out.push(0);
        }
        chosen.into_iter().for_each(|value| out.extend_from_slice(value));
    }

    /// The arrival numbers, the values, and the keys (as BYTES: the key columns' cells).
    fn state_types(&self) -> Vec<SqlType> {
        [SqlType::Bigint, self.item.clone(), SqlType::Bytes].map(|ty| SqlType::Array(Box::new(ty))).into()
    }

    fn save(&self, group: &Present, out: &mut Vec<u8>) {
        let begin = |out: &mut Vec<u8>| {
            out.push(1);
            put_len(out, group.rows.len() as u64);
        };
        begin(out);
        for arrival in group.rows.keys() {
            out.push(1);
            out.extend_from_slice(&arrival.to_le_bytes());
        }
        begin(out);
        group.rows.values().for_each(|row| out.extend_from_slice(&row.value));
        begin(out);
        for row in group.rows.values() {
            out.push(1);
            put_bytes(out, &row.key);
        }
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<Present> {
        let len = |cells: &mut &[u8]| Some(if take_array::<1>(cells)? == [1] { take_len(cells)? } else { 0 });
        let (mut arrivals, mut values, mut group) = (Vec::new(), Vec::new(), Present::default());
        for _ in 0..len(cells)? {
            take_array::<1>(cells)?;
            arrivals.push(i64::from_le_bytes(take_array(cells)?));
        }
        for _ in 0..len(cells)? {
            values.push(take_cell(&self.item, cells)?);
        }
        let keys = len(cells)?;
        if arrivals.len() != values.len() || arrivals.len() as u64 != keys {
            return None;
        }
        for (arrival, value) in arrivals.into_iter().zip(values) {
            take_array::<1>(cells)?;
            group.insert(arrival, take_bytes(cells)?, value);
            self.next = self.next.max(arrival.saturating_add(1));
        }
        Some(group)
    }

    fn heap(&self, group: &Present) -> usize {
        group.bytes
    }
}
