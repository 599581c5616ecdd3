//! The join of two streams: rows of one key whose times are near each other. Doesn't know SQL or topics.
//!
//! In: rows of both sides. Those with a null in their key or without value take no part, but their times count. Windowed
//! rows meet where their windows are the same. A row meets the rows of the other side that came before it, in the order of
//! their times (of one time: as they came), so each pair is given once: when the second of its rows comes.
//!
//! Out: key columns, the left side's value columns, the right side's; the row time is the greater of both. A row without a
//! match, of a side whose rows are given in any case, is given alone with its own row time, the other side's columns null:
//!
//! - With a grace period, when stream time is beyond the close of its window: its time, the part of the span that lies
//!   ahead of it, and the grace period. All that are due at once come by row time, the right side's first, by key bytes,
//!   then as they came. A row that comes when stream time is beyond its span already is given alone at once.
//! - Without one, when it comes: a match that comes later makes another row.
//!
//! Stream time is the greatest row time of all rows, judged row by row. A row is kept, and found, as long as it is not more
//! than span and grace period (without one: span and 24 hours) behind the newest row *of its own side*. It is so in Kafka
//! Streams, where each side's store has a time of its own: of a side that lags behind the other no row is lost. A row that
//! is older when it comes still meets those that are there, but isn't kept.
//!
//! `changelog` has the format of what survives.

mod changelog;
mod list;
mod matching;
mod restore;
mod side;
mod snapshot;
mod spec;
mod work;

#[cfg(test)]
mod tests;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::Int64Type;

use crate::dataflow::batch::arrow_error;
use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::condition::Condition;
use crate::dataflow::join::keys::tell_of_keyless;
use crate::dataflow::operator::{JoinOperator, Node, Sides};
use crate::dataflow::{Batch, Context, Origin, WindowBounds};
use crate::error::{Error, Result};
use crate::log::Records;
use crate::plan::Join;
use crate::state::snapshots::Pieces;
use matching::{Decides, Progress, State};
use restore::Restoring;
use spec::{Hand, Spec};
use work::{Made, Work};

/// Rows of a batch that is given, and bytes of it, about: a hot key's rows become many.
const MADE_ROWS: usize = 1 << 16;
const MADE_BYTES: usize = 16 << 20;

/// The operator.
pub(super) struct StreamStreamJoin {
    state: State,
    condition: Option<Condition>,
    /// A push that is not done.
    work: Option<Work>,
    /// Records that were restored, until the first row comes.
    restoring: Option<Restoring>,
    made_rows: usize,
}

impl StreamStreamJoin {
    /// A join without rows.
    pub fn new(plan: &Join) -> Result<Self> {
        let condition = Condition::of(plan)?;
        let decides = if condition.is_some() { Decides::Condition } else { Decides::Times };
        let spec = Spec::new(plan)?;
        Ok(StreamStreamJoin {
            state: State::new(spec, decides, &plan.key_types, &plan.left_types, &plan.right_types),
            condition,
            work: None,
            restoring: None,
            made_rows: MADE_ROWS,
        })
    }

    /// Goes on with the work until it gives something or is done.
    fn go_on(&mut self, mut work: Work, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let given = out.len();
        while out.len() == given {
            let mut made = Made::new(self.rows_max(), work.key_places());
            let progress = self.state.collect(&mut work, &mut made, context);
            if made.len() > 0 {
                out.extend(self.give(&work, made, context)?);
            }
            if progress == Progress::Done {
                self.state.end(&work);
                return Ok(());
            }
        }
        self.work = Some(work);
        Ok(())
    }

    /// How many rows to make at a time.
    fn rows_max(&self) -> usize {
        let row_bytes = |hand: Hand| {
            let columns = &self.state.sides[hand as usize].columns;
            columns.bytes() / columns.len().max(1)
        };
        let bytes = Hand::BOTH.into_iter().map(row_bytes).sum::<usize>();
        (MADE_BYTES / bytes.max(1)).clamp(1, self.made_rows)
    }

    /// What was made, as a batch; None: no candidate is a match.
    fn give(&mut self, work: &Work, mut made: Made, context: &mut Context) -> Result<Option<Batch>> {
        let batch = self.gather(work, &mut made)?;
        let Some(condition) = &mut self.condition else { return Ok(Some(batch)) };
        // A row alone is no candidate: the condition isn't asked, and what fails of it is no error.
        let alone = |row: usize| made.left[row] == NO_ROW || made.right[row] == NO_ROW;
        let candidates = Batch { tombstone: Some(BooleanBuffer::collect_bool(batch.rows, alone)), ..batch };
        let matches = condition.matches(&candidates, context);
        let keep = self.decide(&made, &matches);
        let batch = Batch { tombstone: None, ..candidates };
        match keep.count_set_bits() {
            0 => Ok(None),
            all if all == batch.rows => Ok(Some(batch)),
            _ => Ok(Some(Batch { origin: Origin::default(), ..batch.filter(&BooleanArray::new(keep, None))? })),
        }
    }

    /// What of the candidates stays: those that match, and rows alone that have had no match before.
    fn decide(&mut self, made: &Made, matches: &BooleanBuffer) -> BooleanBuffer {
        let marks = Hand::BOTH.map(|hand| self.state.marks(hand));
        let keep = |row: usize| {
            let numbers = [made.left[row], made.right[row]];
            match numbers {
                [number, NO_ROW] | [NO_ROW, number] => {
                    let side = &mut self.state.sides[usize::from(numbers[0] == NO_ROW)];
                    let keep = !side.is_settled(number);
                    side.close(number);
                    keep
                }
                numbers if matches.value(row) => {
                    for hand in Hand::BOTH.into_iter().filter(|hand| marks[*hand as usize]) {
                        self.state.sides[hand as usize].settle(numbers[hand as usize]);
                    }
                    true
                }
                _ => false,
            }
        };
        BooleanBuffer::from_iter((0..made.len()).map(keep))
    }

    /// The columns of what was made. Of it only the numbers of the rows stay.
    fn gather(&self, work: &Work, made: &mut Made) -> Result<Batch> {
        let mut keys = self.key_columns(work, made)?;
        let window = match self.state.keys.windowed() {
            true => {
                let bounds = keys.split_off(keys.len() - 2);
                let times = |column: &ArrayRef| column.as_primitive::<Int64Type>().values().clone();
                Some(WindowBounds { start: times(&bounds[0]), end: times(&bounds[1]) })
            }
            false => None,
        };
        let count = keys.len();
        let [left, right] = &self.state.sides;
        let columns = [keys, left.columns.pick(&made.left)?, right.columns.pick(&made.right)?].concat();
        Ok(Batch {
            rows: made.len(),
            columns,
            keys: count,
            row_time: std::mem::take(&mut made.times).into(),
            window,
            tombstone: None,
            null_key: None,
            old: None,
            headers: None,
            origin: Origin::default(),
            order: work.has_places.then(|| std::mem::take(&mut made.places).into()),
        })
    }

    fn key_columns(&self, work: &Work, made: &mut Made) -> Result<Vec<ArrayRef>> {
        let places = UInt32Array::from(std::mem::take(&mut made.keys));
        let closed = match made.due.is_empty() {
            true => Vec::new(),
            false => self.state.keys.columns_of(&made.due),
        };
        let column = |(at, column): (usize, &ArrayRef)| {
            let column: &dyn Array = column;
            match closed.get(at) {
                Some(closed) => take(&concat(&[column, closed]).map_err(arrow_error)?, &places, None),
                None => take(column, &places, None),
            }
            .map_err(arrow_error)
        };
        work.keys.iter().enumerate().map(column).collect()
    }
}

impl JoinOperator for StreamStreamJoin {
    fn push(&mut self, sides: Sides, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        self.recover()?;
        if self.work.is_some() {
            return Err(Error::internal("a join got rows before it was done with those before"));
        }
        for (hand, batch) in Hand::BOTH.into_iter().zip([&sides.left, &sides.right]) {
            if let Some(batch) = batch.as_ref().filter(|_| self.state.given_alone(hand)) {
                tell_of_keyless(batch, context);
            }
        }
        let left = self.state.take_in(Hand::Left, sides.left)?;
        let right = self.state.take_in(Hand::Right, sides.right)?;
        self.go_on(Work::new(left, right)?, out, context)
    }
}

impl Node for StreamStreamJoin {
    fn keeps_state(&self) -> bool {
        true
    }

    fn resume(&mut self, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        match self.work.take() {
            Some(work) => self.go_on(work, out, context),
            None => Ok(()),
        }
    }

    fn changes(&mut self, into: &mut Records) -> Result<()> {
        self.recover()?;
        changelog::write_changes(&mut self.state, into)
    }

    fn restore(&mut self, records: &Records) -> Result<()> {
        let restoring = self.restoring.get_or_insert_default();
        restoring.take(&mut self.state, records)
    }

    /// None as long as it isn't made of the records that were restored.
    fn state(&self) -> Option<&dyn Pieces> {
        self.restoring.is_none().then_some(self as &dyn Pieces)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        Some(self)
    }

    fn pending_bytes(&self) -> usize {
        changelog::pending_bytes(&self.state)
    }

    fn state_bytes(&self) -> usize {
        let work = self.work.as_ref().map_or(0, Work::bytes);
        let restoring = self.restoring.as_ref().map_or(0, Restoring::bytes);
        self.state.bytes() + work + restoring
    }
}
