//! The changelog records of a stream-stream join.
//!
//! The format is for ever (each value's first byte is its version, 1). A key is one byte for its kind and then
//!
//! - 0: nothing more: the operator itself. Its value: stream time, the greatest row time of the left side and of the right
//!   side (8 bytes each; the least number there is: no row yet), the number of the next row of the left side and of the right
//!   side (8 bytes each).
//! - 1: side (0 left, 1 right), number of the first row (8 bytes, big-endian): rows of a side one behind the other, as they
//!   came. Each side's rows are numbered from 0 on. Its value: a byte, 1 if some rows are settled, else 0; number of rows; the rows' keys (length and bytes, see `JoinKeys::write`); the rows' times, each as the difference to the one before (the
//!   first to 0), zigzag; where marked, a bit for each row: it is settled; number of value columns; the columns: a byte 0
//!   for one that nobody reads, or 1 and the cells (see `state::codec`).
//! - 2: side, number of the first row as in 1: which of these rows are settled now. Its value: number of rows, a bit for
//!   each.
//!
//! A settled row is not given alone any more: it has found a match, or was given alone when it came. Neither is one whose
//! window is closed at the operator's stream time. Numbers and lengths are LEB128, those of 8 bytes little-endian, bits from
//! the lowest of each byte on. A tombstone deletes. Records of kind 1 are written once; together, those that are there have
//! all rows from the first one's up to the operator's next number. Rows are deleted from the first on.

use super::matching::State;
use super::side::{BlockRecord, Side};
use super::spec::{Hand, Unmatched};
use crate::dataflow::join::keys::JoinKeys;
use crate::error::Result;
use crate::log::Records;
use crate::state::codec::{put_bytes, put_len};
use crate::state::columns::{put_bits, put_column};

pub(super) const VERSION: u8 = 1;

pub(super) const OPERATOR: u8 = 0;
pub(super) const ROWS: u8 = 1;
pub(super) const SETTLED: u8 = 2;

/// Mark of a value of rows.
pub(super) const HAS_SETTLED: u8 = 1;

/// Bytes of a record, unless it has a single row: well under what a topic takes by default (1 MiB).
const RECORD_BYTES: usize = 256 << 10;

/// Bytes of a record without its rows, about.
const HEAD_BYTES: usize = 64;

/// Appends the records of what changed since the last call.
pub(super) fn write_changes(state: &mut State, into: &mut Records) -> Result<()> {
    let time = state.stream_time.max(0);
    if !state.moved && state.sides.iter().all(|side| side.unsaved.is_empty()) {
        return Ok(());
    }
    for hand in Hand::BOTH {
        // Rows are settled only where somebody waits for their windows to close.
        let waits = state.spec.unmatched(hand) == Unmatched::AtClose;
        let State { keys, sides, .. } = state;
        let side = &mut sides[hand as usize];
        for record in std::mem::take(&mut side.unsaved.gone) {
            into.push(Some(&key(ROWS, hand, record.first)), None, time);
            if record.settled {
                into.push(Some(&key(SETTLED, hand, record.first)), None, time);
            }
        }
        write_settled(side, hand, time, into);
        Writer { keys, waits, hand, into }.rows(side)?;
    }
    into.push(Some(&[OPERATOR]), Some(&operator_value(state)), time);
    state.moved = false;
    Ok(())
}

/// The value of the operator's own record.
pub(super) fn operator_value(state: &State) -> Vec<u8> {
    let mut value = vec![VERSION];
    let [left, right] = &state.sides;
    for number in [state.stream_time, left.observed, right.observed] {
        value.extend_from_slice(&number.to_le_bytes());
    }
    [left, right].iter().for_each(|side| value.extend_from_slice(&side.end().to_le_bytes()));
    value
}

/// The value of a record of which rows are settled.
pub(super) fn settled_value(side: &Side, first: u64, end: u64) -> Vec<u8> {
    let mut value = vec![VERSION];
    put_len(&mut value, end - first);
    put_bits((first..end).map(|number| side.is_settled(number)), &mut value);
    value
}

/// Bytes of the records that `write_changes` would give, about.
pub(super) fn pending_bytes(state: &State) -> usize {
    let bytes = |side: &Side| {
        let unsaved = &side.unsaved;
        // A record has a bit for each of its rows.
        let settled = unsaved.settled.len().min(side.blocks.len()) * 1024;
        let records = unsaved.gone.len() * 2 + unsaved.bytes / RECORD_BYTES;
        unsaved.bytes + settled + records * HEAD_BYTES
    };
    let operator = if state.moved { HEAD_BYTES } else { 0 };
    operator + state.sides.iter().map(bytes).sum::<usize>()
}

/// The key of a record of rows.
pub(super) fn key(kind: u8, hand: Hand, first: u64) -> Vec<u8> {
    [&[kind, hand as u8][..], &first.to_be_bytes()].concat()
}

/// Which rows of earlier records are settled now.
fn write_settled(side: &mut Side, hand: Hand, time: i64, into: &mut Records) {
    let mut settled = std::mem::take(&mut side.unsaved.settled);
    settled.retain(|number| *number >= side.base);
    settled.sort_unstable();
    let mut blocks = std::mem::take(&mut side.blocks);
    let mut settled = settled.into_iter().peekable();
    while let Some(&number) = settled.peek() {
        let at = blocks.partition_point(|block| block.end <= number);
        let Some(block) = blocks.get_mut(at) else { break };
        let at = block.records.partition_point(|record| record.first <= number).saturating_sub(1);
        let end = block.records.get(at + 1).map_or(block.end.min(side.unsaved.from), |next| next.first);
        while settled.next_if(|number| *number < end).is_some() {}
        let Some(record) = block.records.get_mut(at) else { continue };
        record.settled = true;
        let value = settled_value(side, record.first, end);
        into.push(Some(&key(SETTLED, hand, record.first)), Some(&value), time);
    }
    side.blocks = blocks;
}

/// Writes new rows of a side.
struct Writer<'a> {
    keys: &'a JoinKeys,
    waits: bool,
    hand: Hand,
    into: &'a mut Records,
}

impl Writer<'_> {
    fn rows(&mut self, side: &mut Side) -> Result<()> {
        let (from, end) = (side.unsaved.from, side.end());
        let row_bytes = (side.unsaved.bytes / side.unsaved.times.len().max(1)).max(1);
        let rows_max = (RECORD_BYTES / row_bytes).max(1) as u64;
        let mut blocks = std::mem::take(&mut side.blocks);
        for block in blocks.iter_mut().filter(|block| block.end > from) {
            let mut first = block.first.max(from);
            while first < block.end {
                let to = block.end.min(first + rows_max);
                self.record(side, (first, to), &mut block.records)?;
                first = to;
            }
        }
        side.blocks = blocks;
        side.unsaved.times.clear();
        (side.unsaved.from, side.unsaved.bytes) = (end, 0);
        Ok(())
    }

    /// One record of these rows, or two of the halves where that is too large.
    fn record(&mut self, side: &Side, (first, end): (u64, u64), records: &mut Vec<BlockRecord>) -> Result<()> {
        let Writer { keys, waits, .. } = *self;
        let value = rows_value(side, keys, waits, (first, end), times(side, first, end))?;
        if value.len() > RECORD_BYTES && end - first > 1 {
            let middle = first.midpoint(end);
            self.record(side, (first, middle), records)?;
            return self.record(side, (middle, end), records);
        }
        let time = times(side, first, end).max().unwrap_or(0).max(0);
        self.into.push(Some(&key(ROWS, self.hand, first)), Some(&value), time);
        records.push(BlockRecord { first, settled: false });
        Ok(())
    }
}

/// The value of a record of rows, which have these times; `waits`: rows of the side are settled.
pub(super) fn rows_value(
    side: &Side,
    keys: &JoinKeys,
    waits: bool,
    (first, end): (u64, u64),
    times: impl Iterator<Item = i64>,
) -> Result<Vec<u8>> {
    let rows = || first..end;
    let settled = waits && rows().any(|number| side.is_settled(number));
    let mut value = vec![VERSION, if settled { HAS_SETTLED } else { 0 }];
    put_len(&mut value, end - first);
    let mut key = Vec::new();
    for number in rows() {
        key.clear();
        keys.write(side.key(number), &mut key);
        put_bytes(&mut value, &key);
    }
    let mut before = 0;
    for time in times {
        put_len(&mut value, zigzag(time.wrapping_sub(before)));
        before = time;
    }
    if settled {
        put_bits(rows().map(|number| side.is_settled(number)), &mut value);
    }
    let columns = side.columns.pick(&rows().collect::<Vec<_>>())?;
    put_len(&mut value, columns.len() as u64);
    columns.iter().for_each(|column| put_column(column, &mut value));
    Ok(value)
}

/// Times of rows that no record has yet.
fn times(side: &Side, first: u64, end: u64) -> impl Iterator<Item = i64> {
    let place = |number: u64| (number - side.unsaved.from) as usize;
    side.unsaved.times.range(place(first)..place(end)).copied()
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
