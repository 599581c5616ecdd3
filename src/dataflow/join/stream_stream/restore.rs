//! The state of a stream-stream join from the records of its changelog.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use arrow::array::ArrayRef;

use super::StreamStreamJoin;
use super::changelog::{HAS_SETTLED, OPERATOR, ROWS, SETTLED, VERSION, unzigzag};
use super::matching::State;
use super::side::{BlockRecord, Fresh};
use super::spec::{Hand, Unmatched};
use crate::dataflow::changelog::{damaged, take_version};
use crate::error::Result;
use crate::log::Records;
use crate::state::codec::{take_array, take_bytes, take_len};
use crate::state::columns::{take_bits, take_column};
use crate::types::SqlType;

/// Rows of a record: a damaged count must not make us reserve memory without end.
const ROWS_MAX: u64 = 1 << 24;

/// Records taken in, of which the state is made when there are no more.
#[derive(Default)]
pub(super) struct Restoring {
    operator: Option<Operator>,
    /// By side, and the number of the first row.
    rows: [BTreeMap<u64, Rows>; 2],
    settled: [BTreeMap<u64, Vec<bool>>; 2],
}

struct Operator {
    stream_time: i64,
    observed: [i64; 2],
    next: [u64; 2],
}

struct Rows {
    keys: Vec<u32>,
    times: Vec<i64>,
    settled: Vec<bool>,
    columns: Vec<ArrayRef>,
    bytes: usize,
}

/// A record's key taken apart.
enum Key {
    Operator,
    Rows(Hand, u64),
    Settled(Hand, u64),
}

impl Restoring {
    /// Takes records in, in their order.
    pub fn take(&mut self, state: &mut State, records: &Records) -> Result<()> {
        for row in 0..records.len() {
            let key = records.key(row).and_then(Key::read).ok_or_else(damaged)?;
            let mut value = records.value(row);
            if let Some(value) = &mut value {
                take_version(value, VERSION)?;
            }
            match (key, value) {
                (Key::Operator, value) => {
                    self.operator = value.map(|value| Operator::read(value).ok_or_else(damaged)).transpose()?;
                }
                (Key::Rows(hand, first), Some(value)) => {
                    let rows = Rows::read(value, state, hand)?;
                    let before = self.rows[hand as usize].insert(first, rows);
                    release(state, before);
                }
                (Key::Rows(hand, first), None) => release(state, self.rows[hand as usize].remove(&first)),
                (Key::Settled(hand, first), Some(value)) => {
                    let settled = read_settled(value).ok_or_else(damaged)?;
                    self.settled[hand as usize].insert(first, settled);
                }
                (Key::Settled(hand, first), None) => {
                    self.settled[hand as usize].remove(&first);
                }
            }
        }
        state.keys.sweep();
        Ok(())
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        let rows: usize = self.rows.iter().flat_map(BTreeMap::values).map(Rows::bytes).sum();
        rows + self.settled.iter().flat_map(BTreeMap::values).map(Vec::len).sum::<usize>()
    }

    /// Makes the state of the records.
    fn finish(self, state: &mut State) -> Result<()> {
        let Restoring { operator, rows, settled } = self;
        let Some(operator) = operator else {
            return if rows.iter().all(BTreeMap::is_empty) { Ok(()) } else { Err(damaged()) };
        };
        state.stream_time = operator.stream_time;
        state.fit_lists();
        for ((hand, rows), settled) in Hand::BOTH.into_iter().zip(rows).zip(settled) {
            state.sides[hand as usize].observed = operator.observed[hand as usize];
            restore_side(state, hand, operator.next[hand as usize], rows, settled)?;
        }
        Ok(())
    }
}

/// The rows' keys have users less.
fn release(state: &mut State, rows: Option<Rows>) {
    rows.iter().flat_map(|rows| &rows.keys).for_each(|key| state.keys.release(*key));
}

fn restore_side(
    state: &mut State,
    hand: Hand,
    next: u64,
    records: BTreeMap<u64, Rows>,
    mut settled: BTreeMap<u64, Vec<bool>>,
) -> Result<()> {
    let marks = state.marks(hand);
    let waits = state.spec.unmatched(hand) == Unmatched::AtClose;
    let side = &mut state.sides[hand as usize];
    side.start_at(records.keys().next().copied().unwrap_or(next));
    for (first, rows) in records {
        if first != side.end() {
            return Err(damaged());
        }
        let bytes = rows.bytes;
        side.append(&Fresh { columns: &rows.columns, keys: &rows.keys, times: &rows.times, bytes })?;
        let later = settled.remove(&first);
        if let Some(block) = side.blocks.back_mut() {
            block.records.push(BlockRecord { first, settled: later.is_some() });
        }
        let marked = later.unwrap_or(rows.settled);
        if marked.len() != rows.keys.len() {
            return Err(damaged());
        }
        if marks {
            side.mark_until(side.end());
        }
        for (((&key, &time), settled), number) in rows.keys.iter().zip(&rows.times).zip(marked).zip(first..) {
            let list = &mut state.lists[key as usize][hand as usize];
            state.list_bytes = state.list_bytes.wrapping_add_signed(list.insert(time, number, i64::MIN));
            match waits && !settled && state.spec.close(hand, time) >= state.stream_time {
                true => side.waiting.push(Reverse((time, number))),
                false if marks => side.close(number),
                false => {}
            }
        }
    }
    side.unsaved.times = VecDeque::new();
    (side.unsaved.from, side.unsaved.bytes) = (side.end(), 0);
    match side.end() == next {
        true => Ok(()),
        false => Err(damaged()),
    }
}

impl StreamStreamJoin {
    /// After records were restored: makes the state of them.
    pub(super) fn recover(&mut self) -> Result<()> {
        self.restoring.take().map_or(Ok(()), |restoring| restoring.finish(&mut self.state))
    }
}

impl Key {
    fn read(mut bytes: &[u8]) -> Option<Key> {
        let [kind] = take_array(&mut bytes)?;
        if kind == OPERATOR {
            return bytes.is_empty().then_some(Key::Operator);
        }
        let hand = match take_array(&mut bytes)? {
            [0] => Hand::Left,
            [1] => Hand::Right,
            _ => return None,
        };
        let first = u64::from_be_bytes(take_array(&mut bytes)?);
        match kind {
            ROWS if bytes.is_empty() => Some(Key::Rows(hand, first)),
            SETTLED if bytes.is_empty() => Some(Key::Settled(hand, first)),
            _ => None,
        }
    }
}

impl Operator {
    fn read(mut value: &[u8]) -> Option<Operator> {
        let mut number = || take_array(&mut value).map(u64::from_le_bytes);
        let (stream_time, observed) = (number()? as i64, [number()? as i64, number()? as i64]);
        let next = [number()?, number()?];
        value.is_empty().then_some(Operator { stream_time, observed, next })
    }
}

impl Rows {
    /// Errors: the bytes are no such rows.
    fn read(value: &[u8], state: &mut State, hand: Hand) -> Result<Rows> {
        let (mut rows, keys) = Rows::parse(value, &state.sides[hand as usize].types).ok_or_else(damaged)?;
        for key in keys {
            rows.keys.push(state.keys.intern_bytes(key).ok_or_else(damaged)?);
        }
        rows.keys.iter().for_each(|key| state.keys.retain(*key));
        Ok(rows)
    }

    /// The rows without the numbers of their keys, and the keys' bytes.
    fn parse<'a>(mut value: &'a [u8], types: &[SqlType]) -> Option<(Rows, Vec<&'a [u8]>)> {
        let (bytes, value) = (value.len(), &mut value);
        let [marks] = take_array(value)?;
        let count = take_len(value).filter(|rows| (1..=ROWS_MAX).contains(rows))? as usize;
        let keys = (0..count).map(|_| take_bytes(value)).collect::<Option<Vec<_>>>()?;
        let mut time = 0_i64;
        let mut next = || {
            time = time.wrapping_add(unzigzag(take_len(value)?));
            Some(time)
        };
        let times = (0..count).map(|_| next()).collect::<Option<Vec<_>>>()?;
        let settled = match marks {
            0 => vec![false; count],
            HAS_SETTLED => take_bits(value, count)?.iter().collect(),
            _ => return None,
        };
        if take_len(value)? != types.len() as u64 {
            return None;
        }
        let columns = types.iter().map(|ty| take_column(value, ty, count)).collect::<Option<Vec<_>>>()?;
        value.is_empty().then(|| (Rows { keys: Vec::with_capacity(count), times, settled, columns, bytes }, keys))
    }

    fn bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| column.get_array_memory_size()).sum();
        columns
            + self.keys.capacity() * size_of::<u32>()
            + self.times.capacity() * size_of::<i64>()
            + self.settled.len()
    }
}

fn read_settled(mut value: &[u8]) -> Option<Vec<bool>> {
    let rows = take_len(&mut value).filter(|rows| *rows <= ROWS_MAX)? as usize;
    let bits = take_bits(&mut value, rows)?;
    value.is_empty().then(|| bits.iter().collect())
}
