//! Where the rows of a batch come from in the log. What picks rows only adds its pick; a row's offset is worked out when
//! somebody asks for it, which is when the row has failed.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use parking_lot::Mutex;

use crate::log::{Records, TopicPartition};

/// The records that the rows of a batch were made of. Rows that belong to no single record (an aggregate's results)
/// have an origin without a place.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    scanned: Arc<Scanned>,
    /// The latest pick; None: the batch's rows are the scanned ones.
    picked: Option<Arc<Picked>>,
}

#[derive(Debug, Default)]
struct Scanned {
    records: Option<(Arc<TopicPartition>, Offsets)>,
    /// Rows that were counted as bad, by any step of the query.
    bad: Mutex<HashSet<u32>>,
}

#[derive(Debug)]
enum Offsets {
    /// One after another from this one on.
    From(i64),
    /// By row, where records are missing between (compaction, transactions).
    Each(Vec<i64>),
}

#[derive(Debug)]
struct Picked {
    rows: Pick,
    before: Option<Arc<Picked>>,
}

#[derive(Debug)]
enum Pick {
    /// The rows with a mark.
    Marked(BooleanBuffer),
    /// Rows by number.
    Numbered(UInt32Array),
}

impl Origin {
    /// Of rows that are the records of one partition, in their order.
    pub fn scanned(place: Arc<TopicPartition>, records: &Records) -> Self {
        let offsets = match (records.meta.first(), records.meta.last()) {
            (Some(first), Some(last)) if last.offset - first.offset != records.len() as i64 - 1 => {
                Offsets::Each(records.meta.iter().map(|meta| meta.offset).collect())
            }
            (first, _) => Offsets::From(first.map_or(0, |meta| meta.offset)),
        };
        let scanned = Scanned { records: Some((place, offsets)), bad: Mutex::default() };
        Origin { scanned: Arc::new(scanned), picked: None }
    }

    /// Of rows that were the records of one partition with these offsets, and came another way since.
    pub(super) fn moved(place: Arc<TopicPartition>, offsets: Vec<i64>) -> Self {
        let scanned = Scanned { records: Some((place, Offsets::Each(offsets))), bad: Mutex::default() };
        Origin { scanned: Arc::new(scanned), picked: None }
    }

    /// Of the rows that `keep` leaves.
    pub(super) fn filter(&self, keep: &BooleanArray) -> Self {
        let marks = match keep.nulls() {
            Some(nulls) => keep.values() & nulls.inner(),
            None => keep.values().clone(),
        };
        self.pick(Pick::Marked(marks))
    }

    /// Of the rows with these numbers.
    pub(super) fn take(&self, rows: &UInt32Array) -> Self {
        self.pick(Pick::Numbered(rows.clone()))
    }

    fn pick(&self, rows: Pick) -> Self {
        let picked = Picked { rows, before: self.picked.clone() };
        Origin { scanned: self.scanned.clone(), picked: Some(Arc::new(picked)) }
    }

    /// Topic and partition of a row's record, and its offset.
    pub fn place(&self, row: usize) -> Option<(&TopicPartition, i64)> {
        let (place, offsets) = self.scanned.records.as_ref()?;
        let row = self.scanned_row(row);
        let offset = match offsets {
            Offsets::From(first) => first + row as i64,
            Offsets::Each(offsets) => *offsets.get(row)?,
        };
        Some((place, offset))
    }

    /// Topic and partition of all rows' records, and the offset of each of the batch's `rows`.
    pub(super) fn places(&self, rows: usize) -> Option<(&TopicPartition, Vec<i64>)> {
        let (place, offsets) = self.scanned.records.as_ref()?;
        let mut scanned: Vec<usize> = (0..rows).collect();
        let mut picked = self.picked.as_deref();
        while let Some(Picked { rows, before }) = picked {
            match rows {
                Pick::Marked(marks) => {
                    let marked: Vec<usize> = marks.set_indices().collect();
                    scanned.iter_mut().for_each(|row| *row = marked[*row]);
                }
                Pick::Numbered(rows) => scanned.iter_mut().for_each(|row| *row = rows.value(*row) as usize),
            }
            picked = before.as_deref();
        }
        let offset = |row: usize| match offsets {
            Offsets::From(first) => Some(first + row as i64),
            Offsets::Each(offsets) => offsets.get(row).copied(),
        };
        Some((place, scanned.into_iter().map(offset).collect::<Option<_>>()?))
    }

    /// How many of these rows are bad for the first time: a record counts once, whatever of it fails and in whichever steps.
    pub(super) fn newly_bad(&self, rows: impl IntoIterator<Item = usize>) -> u64 {
        let mut bad = self.scanned.bad.lock();
        rows.into_iter().filter(|&row| bad.insert(self.scanned_row(row) as u32)).count() as u64
    }

    /// The row's number among the scanned ones.
    fn scanned_row(&self, mut row: usize) -> usize {
        let mut picked = self.picked.as_deref();
        while let Some(Picked { rows, before }) = picked {
            row = match rows {
                Pick::Marked(marks) => nth_mark(marks, row),
                Pick::Numbered(rows) => rows.value(row) as usize,
            };
            picked = before.as_deref();
        }
        row
    }
}

/// Where the mark is that has `n` marks before it; a word at a time, for a late stream asks for every row.
fn nth_mark(marks: &BooleanBuffer, n: usize) -> usize {
    let mut before = n;
    for (index, mut word) in marks.bit_chunks().iter_padded().enumerate() {
        let ones = word.count_ones() as usize;
        if before < ones {
            (0..before).for_each(|_| word &= word - 1);
            return index * 64 + word.trailing_zeros() as usize;
        }
        before -= ones;
    }
    marks.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(offsets: &[i64]) -> Records {
        let mut records = Records::default();
        for offset in offsets {
            records.push(None, None, 0);
            if let Some(meta) = records.meta.last_mut() {
                meta.offset = *offset;
            }
        }
        records
    }

    fn origin(offsets: &[i64]) -> Origin {
        let place = TopicPartition { topic: "t".to_string(), partition: 3 };
        Origin::scanned(Arc::new(place), &records(offsets))
    }

    fn offsets(origin: &Origin, rows: usize) -> Vec<i64> {
        let each: Vec<i64> = (0..rows).map(|row| origin.place(row).unwrap().1).collect();
        assert_eq!(origin.places(rows).unwrap().1, each);
        each
    }

    /// Against the picks made of the offsets themselves, with and without gaps between them.
    #[test]
    fn picks_of_picks_lead_to_the_offset() {
        let mut random = fastrand::Rng::with_seed(11);
        for gaps in [false, true] {
            let mut at = 1_000;
            let mut expected: Vec<i64> = Vec::new();
            for _ in 0..500 {
                at += if gaps { random.i64(1..4) } else { 1 };
                expected.push(at);
            }
            let mut origin = origin(&expected);
            while !expected.is_empty() {
                assert_eq!(offsets(&origin, expected.len()), expected);
                if random.bool() {
                    let keep: Vec<bool> = expected.iter().map(|_| random.u8(0..5) > 0).collect();
                    let kept = expected.iter().zip(&keep).filter(|(_, keep)| **keep);
                    expected = kept.map(|(offset, _)| *offset).collect();
                    origin = origin.filter(&BooleanArray::from(keep));
                } else {
                    let count = random.usize(0..=expected.len());
                    let rows: Vec<u32> = (0..count).map(|_| random.u32(0..expected.len() as u32)).collect();
                    expected = rows.iter().map(|row| expected[*row as usize]).collect();
                    origin = origin.take(&UInt32Array::from(rows));
                }
            }
        }
    }

    #[test]
    fn a_record_is_bad_once_however_often_it_was_picked() {
        let all = origin(&[5, 6, 7]);
        // Offsets 7, 5 and 7 again.
        let picked = all.take(&UInt32Array::from(vec![2, 0, 2]));
        assert_eq!(picked.newly_bad([0, 2]), 1);
        assert_eq!(all.newly_bad([2]), 0);
        assert_eq!(all.newly_bad([0, 1]), 2);
        assert_eq!(picked.newly_bad([1]), 0);
    }

    #[test]
    fn rows_of_no_record_have_no_place_and_count() {
        let none = Origin::default();
        assert_eq!(none.place(0), None);
        assert_eq!((none.newly_bad([0, 0]), none.newly_bad([0, 1])), (1, 1));
    }
}
