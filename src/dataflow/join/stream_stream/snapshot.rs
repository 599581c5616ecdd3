//! The state in pieces, for snapshots: the changelog's records as they would be written now.
//!
//! The changelog's rows lie in records that are written once and deleted from the first on, so a snapshot has each of them
//! that is still there, under its own key: whatever becomes of it later (it goes; more of its rows are settled) has a record
//! behind the snapshot's beginning.

use std::collections::HashSet;

use super::StreamStreamJoin;
use super::changelog::{OPERATOR, ROWS, SETTLED, key, operator_value, rows_value, settled_value};
use super::matching::State;
use super::side::Block;
use super::spec::{Hand, Unmatched};
use crate::dataflow::join::pieces::{VERSION, put_record, records, type_names};
use crate::dataflow::operator::Node;
use crate::error::Result;
use crate::state::snapshots::{Mark, Pieces};

/// Only between a commit and the next batch: the changelog has all that changed. A mark's generation is the side, its index
/// the number of a row.
impl Pieces for StreamStreamJoin {
    fn layout(&self) -> String {
        let (keys, [left, right]) = (self.state.keys.types(), &self.state.sides);
        let [keys, left, right] = [keys, left.types.as_slice(), right.types.as_slice()].map(type_names);
        format!("streams of a join {VERSION}: ({keys}): ({left}), ({right})")
    }

    fn rows(&self) -> usize {
        self.state.sides.iter().map(|side| (side.end() - side.base) as usize).sum()
    }

    fn piece(&self, from: Mark, bytes_max: usize, into: &mut Vec<u8>) -> Result<Option<Mark>> {
        let limit = into.len() + bytes_max;
        // The operator's record in each: who has all pieces has that of the last.
        put_record(&[OPERATOR], &operator_value(&self.state), into);
        let number = from.generation.max(0) as usize;
        for hand in Hand::BOTH.into_iter().skip(number) {
            let first = if hand as usize == number { from.index as u64 } else { 0 };
            if let Some(index) = self.state.write_records(hand, first, limit, into)? {
                return Ok(Some(Mark { generation: hand as i64, index: index as usize }));
            }
        }
        Ok(None)
    }

    fn load(&mut self, piece: &[u8]) -> Option<()> {
        self.restore(&records(piece)?).ok()
    }
}

impl State {
    /// Appends a side's records, from that on which begins at row `from` or behind it, until there are `limit` bytes, but at
    /// least one; gives the row at which the next begins.
    fn write_records(&self, hand: Hand, from: u64, limit: usize, into: &mut Vec<u8>) -> Result<Option<u64>> {
        let side = &self.sides[hand as usize];
        let waits = self.spec.unmatched(hand) == Unmatched::AtClose;
        let blocks = side.blocks.partition_point(|block| block.end <= from);
        let mut written = false;
        for block in side.blocks.range(blocks..) {
            for (at, record) in block.records.iter().enumerate().filter(|(_, record)| record.first >= from) {
                if written && into.len() >= limit {
                    return Ok(Some(record.first));
                }
                let end = block.records.get(at + 1).map_or(block.end, |next| next.first);
                let rows = (record.first, end);
                let times = self.times(hand, block, rows).into_iter();
                let value = rows_value(side, &self.keys, waits, rows, times)?;
                put_record(&key(ROWS, hand, record.first), &value, into);
                if record.settled {
                    put_record(&key(SETTLED, hand, record.first), &settled_value(side, record.first, end), into);
                }
                written = true;
            }
        }
        Ok(None)
    }

    /// Times of a block's rows, which only the lists have. A row that isn't there any more has expired: as its time that of
    /// the block's oldest row does, which has expired, too.
    fn times(&self, hand: Hand, block: &Block, (first, end): (u64, u64)) -> Vec<i64> {
        let mut times = vec![block.min_time; (end - first) as usize];
        let keys: HashSet<u32> = (first..end).map(|number| self.sides[hand as usize].key(number)).collect();
        for key in keys {
            let list = &self.lists[key as usize][hand as usize];
            let of_block = list.rest(list.position(block.min_time)).take_while(|(time, _)| *time <= block.max_time);
            for (time, number) in of_block.filter(|(_, number)| (first..end).contains(number)) {
                times[(number - first) as usize] = *time;
            }
        }
        times
    }
}
