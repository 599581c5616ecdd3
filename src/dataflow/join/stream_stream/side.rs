//! The rows of one side that are kept. Doesn't know which rows match.
//!
//! Rows lie as they came, in blocks: when all rows of the oldest block have expired, it goes whole.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use arrow::array::ArrayRef;

use super::list::Entry;
use crate::dataflow::join::columns::Columns;
use crate::error::Result;
use crate::types::SqlType;

/// A block that has as much takes no more rows.
const BLOCK_ROWS: u64 = 8192;
const BLOCK_BYTES: usize = 1 << 20;

pub(super) struct Side {
    /// Value columns, by row number.
    pub columns: Columns,
    pub types: Vec<SqlType>,
    /// The greatest row time of the rows that have a key and a value.
    pub observed: i64,
    /// Rows that have found no match and are given alone when their window has closed; some of them may have found one since.
    pub waiting: BinaryHeap<Reverse<Entry>>,
    /// Key numbers of the rows from `base` on.
    keys: VecDeque<u32>,
    /// Of the rows from `base` on: whether they have found a match or were given alone. Empty where nobody asks.
    settled: VecDeque<bool>,
    pub base: u64,
    pub blocks: VecDeque<Block>,
    /// How much later than its first row a block's rows may be.
    block_span: i64,
    pub unsaved: Unsaved,
}

/// Rows one behind the other.
pub(super) struct Block {
    /// Number of its first row, and of the first behind it.
    pub first: u64,
    pub end: u64,
    first_time: i64,
    pub min_time: i64,
    pub max_time: i64,
    bytes: usize,
    sealed: bool,
    /// The changelog's records of its rows.
    pub records: Vec<BlockRecord>,
}

pub(super) struct BlockRecord {
    /// Number of its first row.
    pub first: u64,
    /// There is a record of which of its rows are settled, too.
    pub settled: bool,
}

/// What the changelog doesn't have yet.
#[derive(Default)]
pub(super) struct Unsaved {
    /// Number of the first row that it hasn't.
    pub from: u64,
    /// Times of the rows from there on.
    pub times: VecDeque<i64>,
    /// Bytes of them, about.
    pub bytes: usize,
    /// Rows that it has, and that were settled since.
    pub settled: Vec<u64>,
    /// Records of rows that are gone.
    pub gone: Vec<BlockRecord>,
}

/// Rows to be appended, with the number of key and the time of each.
pub(super) struct Fresh<'a> {
    pub columns: &'a [ArrayRef],
    pub keys: &'a [u32],
    pub times: &'a [i64],
    /// About, of all of them.
    pub bytes: usize,
}

impl Side {
    pub fn new(types: &[SqlType], retention: i64) -> Side {
        Side {
            columns: Columns::new(types),
            types: types.to_vec(),
            observed: i64::MIN,
            waiting: BinaryHeap::new(),
            keys: VecDeque::new(),
            settled: VecDeque::new(),
            base: 0,
            blocks: VecDeque::new(),
            block_span: (retention / 8).max(1),
            unsaved: Unsaved::default(),
        }
    }

    /// Begins with this row number; there are no rows yet.
    pub fn start_at(&mut self, number: u64) {
        self.columns = Columns::starting_at(&self.types, number);
        (self.base, self.unsaved.from) = (number, number);
    }

    /// Number of the first row that isn't there yet.
    pub fn end(&self) -> u64 {
        self.base + self.keys.len() as u64
    }

    /// Appends rows; gives the number of the first.
    pub fn append(&mut self, rows: &Fresh) -> Result<u64> {
        let count = rows.keys.len();
        if count == 0 {
            return Ok(self.end());
        }
        let (mut min_time, mut max_time) = (rows.times[0], rows.times[0]);
        for time in rows.times {
            (min_time, max_time) = (min_time.min(*time), max_time.max(*time));
        }
        if self.blocks.back().is_some_and(|block| block.spans(max_time) >= self.block_span) {
            // Rows of a later time don't keep it from going.
            self.seal();
        }
        let first = self.columns.append(rows.columns, count)?;
        self.keys.extend(rows.keys);
        self.unsaved.times.extend(rows.times);
        self.unsaved.bytes += rows.bytes;
        let (end, bytes) = (self.end(), rows.bytes);
        match self.blocks.back_mut().filter(|block| !block.sealed) {
            Some(block) => {
                block.end = end;
                (block.min_time, block.max_time) = (block.min_time.min(min_time), block.max_time.max(max_time));
                block.bytes += bytes;
            }
            None => {
                let (first_time, records) = (rows.times[0], Vec::new());
                self.blocks.push_back(Block {
                    first,
                    end,
                    first_time,
                    min_time,
                    max_time,
                    bytes,
                    sealed: false,
                    records,
                });
            }
        }
        if self.blocks.back().is_some_and(Block::is_full) {
            self.seal();
        }
        Ok(first)
    }

    /// The last block takes no more rows.
    fn seal(&mut self) {
        if let Some(block) = self.blocks.back_mut() {
            block.sealed = true;
            self.columns.seal();
        }
    }

    /// Makes room for the marks of the rows before this number.
    pub fn mark_until(&mut self, end: u64) {
        self.settled.resize((end - self.base) as usize, false);
    }

    #[inline]
    pub fn key(&self, number: u64) -> u32 {
        self.keys[(number - self.base) as usize]
    }

    #[inline]
    pub fn is_settled(&self, number: u64) -> bool {
        self.settled[(number - self.base) as usize]
    }

    /// Notes that a row needn't wait any more, which nothing else tells.
    #[inline]
    pub fn settle(&mut self, number: u64) {
        let mark = &mut self.settled[(number - self.base) as usize];
        if !*mark {
            *mark = true;
            if number < self.unsaved.from {
                self.unsaved.settled.push(number);
            }
        }
    }

    /// Notes that a row was given alone because its window has closed, which the stream time tells.
    #[inline]
    pub fn close(&mut self, number: u64) {
        self.settled[(number - self.base) as usize] = true;
    }

    /// The oldest time that rows which can still be found have.
    pub fn limit(&self, retention: i64) -> i64 {
        self.observed.saturating_sub(retention)
    }

    /// Takes the rows from this number on out of the columns, which were there for a push only.
    pub fn cut(&mut self, end: u64) {
        self.columns.cut(end);
        self.settled.truncate((end - self.base) as usize);
    }

    /// Drops blocks of which all rows are before this time; calls `gone` with the key of each row.
    pub fn expire(&mut self, before: i64, mut gone: impl FnMut(u32)) {
        let mut dropped = false;
        while self.blocks.front().is_some_and(|block| block.max_time < before) {
            let Some(block) = self.blocks.pop_front() else { break };
            let rows = (block.end - self.base) as usize;
            self.keys.drain(..rows).for_each(&mut gone);
            self.settled.drain(..rows.min(self.settled.len()));
            self.base = block.end;
            self.columns.forget(block.end);
            self.unsaved.forget(block);
            dropped = true;
        }
        if dropped {
            shrink(&mut self.keys);
            shrink(&mut self.settled);
            if self.waiting.len() * 4 < self.waiting.capacity() {
                self.waiting.shrink_to(self.waiting.len() * 2);
            }
        }
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        let unsaved = &self.unsaved;
        let records: usize = self.blocks.iter().map(|block| block.records.capacity() * size_of::<BlockRecord>()).sum();
        self.columns.bytes()
            + self.keys.capacity() * size_of::<u32>()
            + self.settled.capacity()
            + self.waiting.capacity() * size_of::<Entry>()
            + self.blocks.capacity() * size_of::<Block>()
            + records
            + unsaved.times.capacity() * size_of::<i64>()
            + unsaved.settled.capacity() * size_of::<u64>()
            + unsaved.gone.capacity() * size_of::<BlockRecord>()
    }
}

impl Block {
    fn is_full(&self) -> bool {
        self.end - self.first >= BLOCK_ROWS || self.bytes >= BLOCK_BYTES
    }

    /// From its first row's time to its last time, had it a row of this one.
    fn spans(&self, time: i64) -> i64 {
        self.max_time.max(time).saturating_sub(self.first_time)
    }
}

impl Unsaved {
    /// What of a block was not saved needn't be; what was is gone.
    fn forget(&mut self, block: Block) {
        let unsaved = (block.end.saturating_sub(self.from) as usize).min(self.times.len());
        if unsaved > 0 {
            self.bytes -= self.bytes * unsaved / self.times.len();
            self.times.drain(..unsaved);
            self.from = block.end;
        }
        self.gone.extend(block.records);
    }

    /// Whether the changelog has all of it.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty() && self.settled.is_empty() && self.gone.is_empty()
    }
}

fn shrink<T>(all: &mut VecDeque<T>) {
    if all.len() * 4 < all.capacity() {
        all.shrink_to(all.len() * 2);
    }
}
