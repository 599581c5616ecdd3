//! What changes of two tables make of the joined table: rows by their numbers, and the batch of them.

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::compute::{concat, take};
use arrow::datatypes::ArrowNativeType;

use crate::dataflow::batch::arrow_error;
use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::table_rows::{TableRow, TableRows};
use crate::dataflow::join::table_table::{Change, Pair};
use crate::dataflow::{Batch, OldRows, Origin, WindowBounds};
use crate::error::Result;

/// What becomes of changes. Its lists are as long as there may be results at most; those from `len` on are still to come.
pub(super) struct Results {
    /// Whether a table's row has a result when nothing matches it.
    alone: [bool; 2],
    len: usize,
    /// Rows of the changes: of both sides' batches, the right one behind the left.
    places: Vec<u32>,
    /// Row times, ms.
    times: Vec<i64>,
    new: Pairs,
    old: Pairs,
}

impl Results {
    pub fn new(alone: [bool; 2], rows_max: usize) -> Results {
        let (places, times) = (vec![0; rows_max], vec![0; rows_max]);
        Results { alone, len: 0, places, times, new: Pairs::new(rows_max), old: Pairs::new(rows_max) }
    }

    /// Adds what becomes of a change, if anything does; `after` and `before`: whether the rows after and before it match the
    /// other table's.
    #[inline(always)]
    pub fn add(&mut self, change: &Change, after: bool, before: bool) {
        if after & before {
            // A row of a pair is replaced: most changes of tables that are there.
            let [new, old] = [change.after, change.before].map(|own| change.in_order(own.number, change.other.number));
            self.push(change.place, new, old, change.time.max(change.other.time));
        } else {
            self.add_other(change, after, before);
        }
    }

    fn add_other(&mut self, change: &Change, after: bool, before: bool) {
        let (after, in_after) = self.result(change, change.after, after);
        let (before, in_before) = self.result(change, change.before, before);
        if !in_after && !in_before {
            return;
        }
        let other = 1 - change.side;
        let both = after[other] != NO_ROW || before[other] != NO_ROW;
        let time = if both { change.time.max(change.other.time) } else { change.time };
        self.push(change.place, after, before, time);
    }

    #[inline(always)]
    fn push(&mut self, place: u32, new: Pair, old: Pair, time: i64) {
        let at = self.len;
        self.places[at] = place;
        self.times[at] = time;
        self.new.set(at, new);
        self.old.set(at, old);
        self.len += 1;
    }

    /// What there is of a result with this row of the changed table, and whether the row is part of it.
    fn result(&self, change: &Change, own: TableRow, matches: bool) -> (Pair, bool) {
        let there = |row: TableRow, side: usize| {
            if row.is_there() && (matches || self.alone[side]) { row.number } else { NO_ROW }
        };
        let own = there(own, change.side);
        (change.in_order(own, there(change.other, 1 - change.side)), own != NO_ROW)
    }

    /// The results as changes of the joined table, whose key columns come from the batches of both sides.
    pub fn batch(self, sides: &[Option<Batch>; 2], tables: &[TableRows; 2]) -> Result<Option<Batch>> {
        let Results { len, mut places, mut times, mut new, mut old, .. } = self;
        if len == 0 {
            return Ok(None);
        }
        places.truncate(len);
        times.truncate(len);
        new.truncate(len);
        old.truncate(len);
        let mut batch = keys_of(sides, places, times)?;
        batch.columns.extend(new.columns(tables)?);
        batch.tombstone = new.any_absent().then(|| !&new.present());
        batch.old = Some(OldRows { columns: old.columns(tables)?, present: old.present() });
        Ok(Some(batch))
    }
}

/// Results by the numbers of their rows.
struct Pairs {
    rows: [Vec<u64>; 2],
}

impl Pairs {
    fn new(rows: usize) -> Pairs {
        Pairs { rows: [vec![NO_ROW; rows], vec![NO_ROW; rows]] }
    }

    #[inline(always)]
    fn set(&mut self, at: usize, pair: Pair) {
        self.rows[0][at] = pair[0];
        self.rows[1][at] = pair[1];
    }

    fn truncate(&mut self, rows: usize) {
        self.rows.iter_mut().for_each(|numbers| numbers.truncate(rows));
    }

    fn columns(&self, tables: &[TableRows; 2]) -> Result<Vec<ArrayRef>> {
        Ok([tables[0].pick(&self.rows[0])?, tables[1].pick(&self.rows[1])?].concat())
    }

    fn is_absent(&self, at: usize) -> bool {
        self.rows[0][at] == NO_ROW && self.rows[1][at] == NO_ROW
    }

    fn any_absent(&self) -> bool {
        let [left, right] = &self.rows;
        left.iter().zip(right).fold(false, |any, pair| any | (*pair.0 & *pair.1 == NO_ROW))
    }

    fn present(&self) -> BooleanBuffer {
        match self.any_absent() {
            true => BooleanBuffer::collect_bool(self.rows[0].len(), |at| !self.is_absent(at)),
            false => BooleanBuffer::new_set(self.rows[0].len()),
        }
    }
}

/// A batch of the changed rows' keys, windows and places, with these times; value columns are still to come.
pub(super) fn keys_of(sides: &[Option<Batch>; 2], changes: Vec<u32>, times: Vec<i64>) -> Result<Batch> {
    let batches: Vec<&Batch> = sides.iter().flatten().collect();
    let keys = batches.first().map_or(0, |batch| batch.keys);
    let rows = UInt32Array::from(changes);
    let all = rows.len() == batches.first().map_or(0, |batch| batch.rows);
    let key = |at: usize| match batches.as_slice() {
        // All rows of the only batch are in their order.
        [one] if all => Ok(one.columns[at].clone()),
        [one] => take(&one.columns[at], &rows, None),
        several => {
            let parts: Vec<&dyn Array> = several.iter().map(|batch| batch.columns[at].as_ref()).collect();
            take(&concat(&parts)?, &rows, None)
        }
    };
    let columns = (0..keys).map(key).collect::<Result<_, _>>().map_err(arrow_error)?;
    let start = of_all(&batches, rows.values(), |batch| batch.window.as_ref().map(|window| &window.start[..]));
    let end = of_all(&batches, rows.values(), |batch| batch.window.as_ref().map(|window| &window.end[..]));
    let order = of_all(&batches, rows.values(), |batch| batch.order.as_deref());
    Ok(Batch {
        rows: rows.len(),
        columns,
        keys,
        row_time: times.into(),
        window: start.zip(end).map(|(start, end)| WindowBounds { start, end }),
        tombstone: None,
        null_key: None,
        old: None,
        headers: None,
        origin: Origin::default(),
        order,
    })
}

/// What the batches have for these rows, which are counted from the first batch's first on; nothing if one of them has nothing.
fn of_all<'a, T: ArrowNativeType>(
    batches: &[&'a Batch],
    rows: &[u32],
    get: impl Fn(&'a Batch) -> Option<&'a [T]>,
) -> Option<ScalarBuffer<T>> {
    let parts: Vec<&[T]> = batches.iter().map(|batch| get(batch)).collect::<Option<_>>()?;
    let all = parts.concat();
    Some(rows.iter().map(|row| all[*row as usize]).collect::<Vec<_>>().into())
}
