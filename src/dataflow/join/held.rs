//! What caching holds back of a joined table's changes: of each key the last one, and the row that was given downstream
//! before it. (An aggregate makes a group's row when it is given; a join's row is held as it was made, since it would have to
//! look at both sides again.)

use arrow::array::{ArrayRef, AsArray};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::datatypes::Int64Type;

use crate::dataflow::join::columns::{Columns, NO_ROW};
use crate::dataflow::join::keys::JoinKeys;
use crate::dataflow::operator::Context;
use crate::dataflow::{Batch, OldRows, Origin, WindowBounds};
use crate::error::{Error, Result};
use crate::types::SqlType;

/// Rows that were replaced are dropped when they are as many as the others, and this many.
const DEAD_ROWS_MAX: usize = 1024;

/// Changes of a table by key. Every change has the row that it replaces.
pub(super) struct Held {
    types: Vec<SqlType>,
    keys: JoinKeys,
    /// Value columns of rows as they are now, and as downstream has them.
    new: Columns,
    old: Columns,
    /// In the order of their first change; their keys are users of themselves.
    changes: Vec<Change>,
    /// By the key's number: which of the changes; `NO_CHANGE`: none.
    places: Vec<u32>,
}

const NO_CHANGE: u32 = u32::MAX;

struct Change {
    key: u32,
    /// Numbers of the rows; `NO_ROW`: there is none.
    new: u64,
    old: u64,
    /// Row time of the last change, ms.
    time: i64,
}

impl Held {
    pub fn new(key_types: &[SqlType], value_types: &[SqlType]) -> Held {
        Held {
            types: value_types.to_vec(),
            keys: JoinKeys::new(key_types),
            new: Columns::new(value_types),
            old: Columns::new(value_types),
            changes: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Gives a batch of changes on, or holds it back; what is held back goes on once it is more than the cache takes.
    pub fn give(&mut self, batch: Batch, out: &mut Vec<Batch>, context: &Context) -> Result<()> {
        if !context.caching() {
            out.push(batch);
            return Ok(());
        }
        self.hold(&batch)?;
        if self.data_bytes() <= context.cache_bytes_max {
            return Ok(());
        }
        // It goes on in the place of the last change: nothing that is given in this round comes before.
        let place = batch.order.as_ref().and_then(|order| order.last().copied());
        self.flush(place, out)
    }

    fn hold(&mut self, batch: &Batch) -> Result<()> {
        let Some(old) = &batch.old else {
            return Err(Error::internal("a joined table's changes came without the rows that they replace"));
        };
        let rows: Vec<u32> = (0..batch.rows as u32).collect();
        let ids = self.keys.intern(batch, &rows)?;
        if self.places.len() < self.keys.capacity() {
            self.places.resize(self.keys.capacity(), NO_CHANGE);
        }
        let first_new = self.new.append(batch.value_columns(), batch.rows)?;
        let first_old = self.old.append(&old.columns, batch.rows)?;
        for (row, id) in ids.into_iter().enumerate() {
            let place = &mut self.places[id as usize];
            if *place == NO_CHANGE {
                *place = self.changes.len() as u32;
                self.keys.retain(id);
                let old = if old.present.value(row) { first_old + row as u64 } else { NO_ROW };
                self.changes.push(Change { key: id, new: NO_ROW, old, time: 0 });
            }
            let change = &mut self.changes[*place as usize];
            let gone = batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(row));
            change.new = if gone { NO_ROW } else { first_new + row as u64 };
            change.time = batch.row_time[row];
        }
        if self.new.len() > 2 * self.changes.len() + DEAD_ROWS_MAX {
            keep(&mut self.new, &mut self.changes, |change| &mut change.new)?;
            keep(&mut self.old, &mut self.changes, |change| &mut change.old)?;
        }
        Ok(())
    }

    /// Gives the last change of each key that downstream has, or is to have, in this place.
    pub fn flush(&mut self, place: Option<u64>, out: &mut Vec<Batch>) -> Result<()> {
        let changes = std::mem::take(&mut self.changes);
        for change in &changes {
            self.places[change.key as usize] = NO_CHANGE;
        }
        // What came and went meanwhile never was.
        let given: Vec<&Change> =
            changes.iter().filter(|change| change.new != NO_ROW || change.old != NO_ROW).collect();
        if !given.is_empty() {
            out.push(self.batch(&given, place)?);
        }
        changes.iter().for_each(|change| self.keys.release(change.key));
        self.keys.sweep();
        (self.new, self.old) = (Columns::new(&self.types), Columns::new(&self.types));
        Ok(())
    }

    fn batch(&self, changes: &[&Change], place: Option<u64>) -> Result<Batch> {
        let rows = changes.len();
        let mut columns = self.keys.columns_of(&changes.iter().map(|change| change.key).collect::<Vec<_>>());
        let window = self.keys.windowed().then(|| {
            let bounds = columns.split_off(columns.len() - 2);
            let times = |column: &ArrayRef| column.as_primitive::<Int64Type>().values().clone();
            WindowBounds { start: times(&bounds[0]), end: times(&bounds[1]) }
        });
        let keys = columns.len();
        columns.extend(self.new.pick(&changes.iter().map(|change| change.new).collect::<Vec<_>>())?);
        let old = self.old.pick(&changes.iter().map(|change| change.old).collect::<Vec<_>>())?;
        let gone = changes.iter().any(|change| change.new == NO_ROW);
        Ok(Batch {
            rows,
            columns,
            keys,
            row_time: changes.iter().map(|change| change.time).collect(),
            window,
            tombstone: gone.then(|| BooleanBuffer::collect_bool(rows, |row| changes[row].new == NO_ROW)),
            null_key: None,
            old: Some(OldRows {
                columns: old,
                present: BooleanBuffer::collect_bool(rows, |row| changes[row].old != NO_ROW),
            }),
            headers: None,
            origin: Origin::default(),
            order: place.map(|place| ScalarBuffer::from(vec![place; rows])),
        })
    }

    /// Bytes of what is held back: what the cache's size bounds.
    pub fn data_bytes(&self) -> usize {
        self.new.bytes() + self.old.bytes() + self.changes.len() * size_of::<Change>()
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.new.bytes()
            + self.old.bytes()
            + self.keys.bytes()
            + self.changes.capacity() * size_of::<Change>()
            + self.places.capacity() * size_of::<u32>()
    }
}

/// Keeps only the rows that are of changes.
fn keep(columns: &mut Columns, changes: &mut [Change], row: impl Fn(&mut Change) -> &mut u64) -> Result<()> {
    let kept = changes.iter_mut().map(&row).filter(|row| **row != NO_ROW);
    let mut numbers = Vec::with_capacity(columns.len());
    for (row, number) in kept.zip(0..) {
        numbers.push(std::mem::replace(row, number));
    }
    columns.keep(&numbers)
}
