//! A push under work: the rows of both sides in the order in which they are taken, and where the work stands.

use arrow::array::ArrayRef;
use arrow::buffer::ScalarBuffer;
use arrow::compute::concat;

use super::list::Entry;
use super::spec::Hand;
use crate::dataflow::Batch;
use crate::dataflow::batch::arrow_error;
use crate::dataflow::join::columns::NO_ROW;
use crate::error::{Error, Result};

/// The rows of one side.
#[derive(Default)]
pub(super) struct Part {
    pub batch: Option<Batch>,
    pub times: ScalarBuffer<i64>,
    /// By row: the number of its key, or `NO_KEY`: it takes no part.
    pub keys: Vec<u32>,
    /// By row: its number on its side, or [`NO_ROW`].
    pub numbers: Vec<u64>,
    /// Rows from this number on came too late to be kept: they are there for this push only.
    pub guests: u64,
    /// By row: its place among those of both sides; empty where rows have none.
    pub places: ScalarBuffer<u64>,
    /// The next row to be taken.
    pub at: usize,
}

/// A row that meets those of the other side.
pub(super) struct Probe {
    pub hand: Hand,
    pub row: usize,
    pub time: i64,
    pub key: u32,
    pub number: u64,
    /// Where the next row of the other side lies in its list, and the last time that fits.
    pub from: usize,
    pub last: i64,
    /// How many were in its span.
    pub found: usize,
}

/// A row whose window has closed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub hand: Hand,
    pub entry: Entry,
    pub key: u32,
}

pub(super) struct Work {
    left: Part,
    right: Part,
    /// Key columns of the left side's rows, then the right side's; of windowed rows the window's start and end behind them.
    pub keys: Vec<ArrayRef>,
    /// The row that is meeting others.
    pub probe: Option<Probe>,
    /// Rows that are to be given alone before that, and the next of them.
    pub due: Vec<Due>,
    pub due_at: usize,
    /// Place of the row that was taken last.
    pub place: u64,
    pub has_places: bool,
}

impl Work {
    /// Of the sides' rows and their key columns.
    ///
    /// Errors: there are rows of both, and they have no places.
    pub fn new(left: (Part, Vec<ArrayRef>), right: (Part, Vec<ArrayRef>)) -> Result<Work> {
        let (left, left_keys) = left;
        let (right, right_keys) = right;
        let batches = [&left.batch, &right.batch];
        let has_places = batches.iter().flat_map(|batch| batch.iter()).all(|batch| batch.order.is_some());
        if left.batch.is_some() && right.batch.is_some() && !has_places {
            return Err(Error::internal("a join got rows of both sides without their places"));
        }
        let keys = match (left_keys.is_empty(), right_keys.is_empty()) {
            (_, true) => left_keys,
            (true, false) => right_keys,
            (false, false) => {
                let both = left_keys.iter().zip(&right_keys);
                both.map(|(left, right)| concat(&[left, right]).map_err(arrow_error)).collect::<Result<_>>()?
            }
        };
        Ok(Work { left, right, keys, probe: None, due: Vec::new(), due_at: 0, place: 0, has_places })
    }

    pub fn part(&self, hand: Hand) -> &Part {
        match hand {
            Hand::Left => &self.left,
            Hand::Right => &self.right,
        }
    }

    /// Where a row's key lies in `keys`.
    pub fn key_place(&self, hand: Hand, row: usize) -> u32 {
        match hand {
            Hand::Left => row as u32,
            Hand::Right => (self.left.times.len() + row) as u32,
        }
    }

    /// How many rows `keys` has.
    pub fn key_places(&self) -> usize {
        self.left.times.len() + self.right.times.len()
    }

    /// Takes the next row.
    pub fn next(&mut self) -> Option<(Hand, usize)> {
        let hand = match (self.left.is_done(), self.right.is_done()) {
            (true, true) => return None,
            (false, true) => Hand::Left,
            (true, false) => Hand::Right,
            (false, false) if self.left.place() <= self.right.place() => Hand::Left,
            (false, false) => Hand::Right,
        };
        let part = match hand {
            Hand::Left => &mut self.left,
            Hand::Right => &mut self.right,
        };
        let (row, place) = (part.at, part.place());
        part.at += 1;
        self.place = place;
        Some((hand, row))
    }

    /// Whether no row is to be given alone before the row at hand.
    pub fn nothing_due(&self) -> bool {
        self.due_at == self.due.len()
    }

    /// Bytes held beside the batches, which others count, about.
    pub fn bytes(&self) -> usize {
        let parts = [&self.left, &self.right].map(|part| part.times.len() * (8 + size_of::<u32>() + size_of::<u64>()));
        parts.iter().sum::<usize>() + self.due.capacity() * size_of::<Due>()
    }
}

impl Part {
    fn is_done(&self) -> bool {
        self.at >= self.times.len()
    }

    fn place(&self) -> u64 {
        self.places.get(self.at).copied().unwrap_or(0)
    }
}

/// What is made of rows: numbers of left and right rows, [`NO_ROW`] for a missing one.
pub(super) struct Made {
    pub left: Vec<u64>,
    pub right: Vec<u64>,
    pub times: Vec<i64>,
    pub places: Vec<u64>,
    /// Where each one's key lies in the keys of the work, or behind them in `due`.
    pub keys: Vec<u32>,
    /// Key numbers of rows whose window has closed.
    pub due: Vec<u32>,
    rows_max: usize,
}

impl Made {
    /// `rows`: about as many are expected.
    pub fn new(rows_max: usize, rows: usize) -> Made {
        let rows = rows.min(rows_max);
        Made {
            left: Vec::with_capacity(rows),
            right: Vec::with_capacity(rows),
            times: Vec::with_capacity(rows),
            places: Vec::with_capacity(rows),
            keys: Vec::with_capacity(rows),
            due: Vec::new(),
            rows_max,
        }
    }

    pub fn len(&self) -> usize {
        self.left.len()
    }

    pub fn is_full(&self) -> bool {
        self.len() >= self.rows_max
    }

    /// Adds a row that meets one of the other side.
    #[inline]
    pub fn pair(&mut self, probe: &Probe, other: Entry, key: u32, place: u64) {
        let (left, right) = match probe.hand {
            Hand::Left => (probe.number, other.1),
            Hand::Right => (other.1, probe.number),
        };
        self.push(left, right, probe.time.max(other.0), key, place);
    }

    /// Adds a row without match.
    pub fn alone(&mut self, hand: Hand, entry: Entry, key: u32, place: u64) {
        match hand {
            Hand::Left => self.push(entry.1, NO_ROW, entry.0, key, place),
            Hand::Right => self.push(NO_ROW, entry.1, entry.0, key, place),
        }
    }

    #[inline]
    fn push(&mut self, left: u64, right: u64, time: i64, key: u32, place: u64) {
        self.left.push(left);
        self.right.push(right);
        self.times.push(time);
        self.keys.push(key);
        self.places.push(place);
    }
}
