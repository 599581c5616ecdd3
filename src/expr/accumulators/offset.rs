//! EARLIEST_BY_OFFSET and LATEST_BY_OFFSET: by order of arrival.

use std::collections::VecDeque;

use arrow::array::{Array, ArrayRef};

use super::cells::Cells;
use super::composite::{Composite, Grouped};
use super::current::Current;
use super::{Made, arg, positive};
use crate::error::Result;
use crate::expr::accumulator::AggregateCall;
use crate::messages;
use crate::state::codec::{put_len, take_array, take_cell, take_len, write_cell};
use crate::types::{SqlType, Value};

/// EARLIEST_BY_OFFSET(x [, n] [, ignoreNulls]): the first value, or the first n as an ARRAY.
pub(crate) fn earliest_by_offset(call: &AggregateCall) -> Made {
    make(call, End::Earliest)
}

/// LATEST_BY_OFFSET(x [, n] [, ignoreNulls]): the last value, or the last n as an ARRAY in order of arrival.
pub(crate) fn latest_by_offset(call: &AggregateCall) -> Made {
    make(call, End::Latest)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Earliest,
    Latest,
}

fn make(call: &AggregateCall, end: End) -> Made {
    let item = arg(call, 0)?.clone();
    let (n, nulls) = match call.init.as_slice() {
        [] => (None, Nulls::Ignored),
        [Value::Boolean(ignore)] => (None, Nulls::from(*ignore)),
        [n] => (Some(positive(call, n)?), Nulls::Ignored),
        [n, Value::Boolean(ignore)] => (Some(positive(call, n)?), Nulls::from(*ignore)),
        _ => return bad_constants(call),
    };
    let returns = if n.is_some() { SqlType::Array(Box::new(item.clone())) } else { item.clone() };
    let shape = if n.is_some() { Shape::List } else { Shape::Single };
    if call.retracts {
        let n = n.unwrap_or(1);
        let current = Current { item, returns, shape, n, end, nulls, next: 0, scratch: Vec::new() };
        return Ok(Box::new(Grouped::new(current)));
    }
    let by_offset = ByOffset { item, returns, shape, n: n.unwrap_or(1), end, nulls, next: 0, scratch: Vec::new() };
    Ok(Box::new(Grouped::new(by_offset)))
}

fn bad_constants<T>(call: &AggregateCall) -> Result<T> {
    Err(messages::functions::number_and_boolean(call.name))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    Ignored,
    Kept,
}

impl From<bool> for Nulls {
    fn from(ignore: bool) -> Self {
        if ignore { Nulls::Ignored } else { Nulls::Kept }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Single,
    List,
}

struct ByOffset {
    item: SqlType,
    returns: SqlType,
    shape: Shape,
    n: usize,
    end: End,
    nulls: Nulls,
    /// The arrival number of the next row. Kept with each value, so that it goes on after a restart.
    next: i64,
    scratch: Vec<u8>,
}

/// Values with their arrival numbers, in that order.
#[derive(Debug, Default)]
struct Arrivals {
    values: VecDeque<(i64, Vec<u8>)>,
}

impl ByOffset {
    fn trim(&self, group: &mut Arrivals) {
        match self.end {
            End::Earliest => group.values.truncate(self.n),
            End::Latest => {
                let over = group.values.len().saturating_sub(self.n);
                group.values.drain(..over);
            }
        }
    }
}

impl Composite for ByOffset {
    type Group = Arrivals;

    const CAN_UNDO: bool = false;

    fn returns(&self) -> &SqlType {
        &self.returns
    }

    fn add(&mut self, group: &mut Arrivals, args: &[ArrayRef], row: usize) -> Result<(), String> {
        let number = self.next;
        self.next += 1;
        let full = self.end == End::Earliest && group.values.len() >= self.n;
        if full || (self.nulls == Nulls::Ignored && args[0].is_null(row)) {
            return Ok(());
        }
        // The buffer of the value that falls out is used again.
        let mut cell = match (self.end, group.values.len() >= self.n) {
            (End::Latest, true) => group.values.pop_front().map(|(_, cell)| cell).unwrap_or_default(),
            _ => Vec::new(),
        };
        cell.clear();
        write_cell(&args[0], row, &mut cell);
        group.values.push_back((number, cell));
        Ok(())
    }

    fn merge(&mut self, from: &Arrivals, into: &mut Arrivals) {
        into.values.extend(from.values.iter().cloned());
        into.values.make_contiguous().sort_by_key(|(number, _)| *number);
        self.trim(into);
    }

    fn result(&self, group: &Arrivals, out: &mut Vec<u8>) {
        match self.shape {
            Shape::Single => match group.values.front() {
                Some((_, cell)) => out.extend_from_slice(cell),
                None => out.push(0),
            },
            Shape::List => {
                out.push(1);
                put_len(out, group.values.len() as u64);
                group.values.iter().for_each(|(_, cell)| out.extend_from_slice(cell));
            }
        }
    }

    /// The arrival numbers, and the values.
    fn state_types(&self) -> Vec<SqlType> {
        vec![SqlType::Array(Box::new(SqlType::Bigint)), SqlType::Array(Box::new(self.item.clone()))]
    }

    fn save(&self, group: &Arrivals, out: &mut Vec<u8>) {
        out.push(1);
        put_len(out, group.values.len() as u64);
        for (number, _) in &group.values {
            out.push(1);
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.push(1);
        put_len(out, group.values.len() as u64);
        group.values.iter().for_each(|(_, cell)| out.extend_from_slice(cell));
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<Arrivals> {
        let mut numbers = Vec::new();
        if take_array::<1>(cells)? == [1] {
            for _ in 0..take_len(cells)? {
                self.scratch.clear();
                self.scratch.extend_from_slice(take_cell(&SqlType::Bigint, cells)?);
                numbers.push(i64::from_le_bytes(take_array(&mut self.scratch.get(1..)?)?));
            }
        }
        let values = Cells::take_array(&self.item, cells)?;
        let last = numbers.iter().max().copied().unwrap_or(-1);
        self.next = self.next.max(last.saturating_add(1));
        let values = numbers.into_iter().zip(values.iter().map(<[u8]>::to_vec)).collect();
        Some(Arrivals { values })
    }

    fn heap(&self, group: &Arrivals) -> usize {
        group.values.capacity() * 32 + group.values.iter().map(|(_, cell)| cell.capacity()).sum::<usize>()
    }
}
