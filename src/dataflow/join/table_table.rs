//! A table that has, for each key, the rows of two tables.
//!
//! Each change of a row that is part of a result, before or after, gives that key's result anew, even if it is the same; a
//! tombstone where there was a result and is none any more. A tombstone for a key without row changes nothing. The row time
//! is the greater of the change's and that of the other table's row, where there is one that is part of the result. With caching
//! only a key's last change goes on (see `held`).

use crate::messages;
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::compute::{interleave, take};

use crate::dataflow::batch::arrow_error;
use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::condition::Condition;
use crate::dataflow::join::held::Held;
use crate::dataflow::join::keys::JoinKeys;
use crate::dataflow::join::order::in_order;
use crate::dataflow::join::pieces::TableState;
use crate::dataflow::join::table_rows::{Arrivals, TableRow, TableRows, restore};
use crate::dataflow::operator::{Context, JoinOperator, Node, Sides};
use crate::dataflow::{Batch, OldRows, Origin, WindowBounds};
use crate::error::Result;
use crate::log::Records;
use crate::plan::{Join, JoinKind};
use crate::state::snapshots::Pieces;

/// The operator. A row without key is ignored.
pub(super) struct TableTableJoin {
    keys: JoinKeys,
    /// The left one, the right one.
    tables: [TableRows; 2],
    /// Whether a table's row has a result when nothing matches it.
    alone: [bool; 2],
    condition: Option<Condition>,
    held: Held,
}

/// The change of one row.
#[derive(Debug, Clone, Copy)]
struct Change {
    /// The changed table: 0 or 1; the other one is 1 - side.
    side: usize,
    /// Of the side's batch.
    row: u32,
    /// Row time of the change.
    time: i64,
    before: TableRow,
    after: TableRow,
    /// The other table's row.
    other: TableRow,
}

/// A result: the number of each table's row.
type Pair = [u64; 2];

impl Change {
    fn place(&self) -> Place {
        (self.side, self.row as usize)
    }

    /// The rows that meet, if both are there.
    fn pair(&self, own: TableRow) -> Option<Pair> {
        (own.is_there() && self.other.is_there()).then(|| self.in_order(own.number, self.other.number))
    }

    fn in_order(&self, own: u64, other: u64) -> Pair {
        if self.side == 0 { [own, other] } else { [other, own] }
    }
}

/// Which of a batch's changes have matching rows, after and before.
struct Matches {
    after: Vec<bool>,
    before: Vec<bool>,
}

impl TableTableJoin {
    pub fn new(plan: &Join) -> Result<TableTableJoin> {
        let alone = match plan.kind {
            JoinKind::Inner => [false, false],
            JoinKind::Left => [true, false],
            JoinKind::Right => [false, true],
            JoinKind::Full => [true, true],
        };
        if plan.kind == JoinKind::Full && plan.condition.is_some() {
            return Err(messages::joins::full_with_more_than_keys());
        }
        Ok(TableTableJoin {
            keys: JoinKeys::new(&plan.key_types),
            tables: [TableRows::new(0, &plan.left_types), TableRows::new(1, &plan.right_types)],
            alone,
            condition: Condition::of(plan)?,
            held: Held::new(&plan.key_types, &[plan.left_types.as_slice(), &plan.right_types].concat()),
        })
    }

    /// Takes the changes in, and gives each to `each`, in their order.
    fn take_in(&mut self, sides: &[Option<Batch>; 2], mut each: impl FnMut(Change)) -> Result<()> {
        let mut arrivals = [Arrivals::default(), Arrivals::default()];
        for side in 0..2 {
            if let Some(batch) = &sides[side] {
                arrivals[side] = self.tables[side].arrive(&mut self.keys, batch)?;
            }
        }
        for (side, at) in in_order([sides[0].as_ref(), sides[1].as_ref()], [&arrivals[0].rows, &arrivals[1].rows]) {
            let arrived = &arrivals[side];
            let (row, id) = (arrived.rows[at], arrived.ids[at]);
            let after = arrived.row(row);
            let before = self.tables[side].set(&mut self.keys, id, after);
            let other = self.tables[1 - side].get(id);
            each(Change { side, row, time: arrived.time(row), before, after, other });
        }
        Ok(())
    }

    fn matches(&mut self, sides: &[Option<Batch>; 2], changes: &[Change], context: &mut Context) -> Result<Matches> {
        let after = self.judge(sides, changes, |change| change.pair(change.after), Some(context))?;
        let before = self.judge(sides, changes, |change| change.pair(change.before), None)?;
        Ok(Matches { after, before })
    }

    /// Which of the changes' pairs match. With a context, what fails is told.
    fn judge(
        &mut self,
        sides: &[Option<Batch>; 2],
        changes: &[Change],
        pair: impl Fn(&Change) -> Option<Pair>,
        context: Option<&mut Context>,
    ) -> Result<Vec<bool>> {
        let mut met: Vec<bool> = changes.iter().map(|change| pair(change).is_some()).collect();
        let Some(condition) = &mut self.condition else { return Ok(met) };
        let pairs: Vec<(usize, Change, Pair)> =
            changes.iter().enumerate().filter_map(|(at, change)| Some((at, *change, pair(change)?))).collect();
        let (places, times) =
            pairs.iter().map(|(_, change, _)| (change.place(), change.time)).unzip::<_, _, Vec<_>, _>();
        let mut batch = keys_of(sides, &places, times)?;
        for (side, table) in self.tables.iter().enumerate() {
            batch.columns.extend(table.pick(&pairs.iter().map(|(.., pair)| pair[side]).collect::<Vec<_>>())?);
        }
        let matches = match context {
            Some(context) => condition.matches(&batch, context),
            None => condition.matched(&batch),
        };
        pairs.iter().zip(&matches).for_each(|((at, ..), matches)| met[*at] = matches);
        Ok(met)
    }

    /// The results of the changes, and which changes they are of.
    fn results(&mut self, sides: &[Option<Batch>; 2], context: &mut Context) -> Result<Results> {
        let rows = sides.iter().flatten().map(|batch| batch.rows).sum();
        let mut results = Results::new(self.alone, rows);
        if self.condition.is_none() {
            self.take_in(sides, |change| {
                let other = change.other.is_there();
                results.add(&change, other && change.after.is_there(), other && change.before.is_there());
            })?;
            return Ok(results);
        }
        let mut changes = Vec::with_capacity(rows);
        self.take_in(sides, |change| changes.push(change))?;
        let matches = self.matches(sides, &changes, context)?;
        for (at, change) in changes.iter().enumerate() {
            results.add(change, matches.after[at], matches.before[at]);
        }
        Ok(results)
    }
}

/// What becomes of changes.
struct Results {
    alone: [bool; 2],
    /// Side and row of the changes.
    places: Vec<Place>,
    times: Vec<i64>,
    new: Pairs,
    old: Pairs,
}

/// A row of a batch: which side's, and its number.
type Place = (usize, usize);

impl Results {
    fn new(alone: [bool; 2], rows_max: usize) -> Results {
        let (places, times) = (Vec::with_capacity(rows_max), Vec::with_capacity(rows_max));
        Results { alone, places, times, new: Pairs::with_capacity(rows_max), old: Pairs::with_capacity(rows_max) }
    }

    /// Adds what becomes of a change, if anything does; `after` and `before`: whether the rows after and before it match the
    /// other table's.
    #[inline(always)]
    fn add(&mut self, change: &Change, after: bool, before: bool) {
        let (after, in_after) = self.result(change, change.after, after);
        let (before, in_before) = self.result(change, change.before, before);
        if !in_after && !in_before {
            return;
        }
        self.places.push(change.place());
        self.new.push(after);
        self.old.push(before);
        let other = 1 - change.side;
        let both = after[other] != NO_ROW || before[other] != NO_ROW;
        self.times.push(if both { change.time.max(change.other.time) } else { change.time });
    }

    /// What there is of a result with this row of the changed table, and whether the row is part of it.
    #[inline(always)]
    fn result(&self, change: &Change, own: TableRow, matches: bool) -> (Pair, bool) {
        let there = |row: TableRow, side: usize| {
            if row.is_there() && (matches || self.alone[side]) { row.number } else { NO_ROW }
        };
        let own = there(own, change.side);
        (change.in_order(own, there(change.other, 1 - change.side)), own != NO_ROW)
    }

    fn batch(self, sides: &[Option<Batch>; 2], tables: &[TableRows; 2]) -> Result<Option<Batch>> {
        let Results { places, times, new, old, .. } = self;
        if places.is_empty() {
            return Ok(None);
        }
        let mut batch = keys_of(sides, &places, times)?;
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
    fn with_capacity(rows: usize) -> Pairs {
        Pairs { rows: [Vec::with_capacity(rows), Vec::with_capacity(rows)] }
    }

    #[inline(always)]
    fn push(&mut self, pair: Pair) {
        self.rows[0].push(pair[0]);
        self.rows[1].push(pair[1]);
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
fn keys_of(sides: &[Option<Batch>; 2], changes: &[Place], times: Vec<i64>) -> Result<Batch> {
    let batches: Vec<&Batch> = sides.iter().flatten().collect();
    let keys = batches.first().map_or(0, |batch| batch.keys);
    let columns = match batches.as_slice() {
        [one] => {
            let rows: UInt32Array = changes.iter().map(|(_, row)| *row as u32).collect::<Vec<_>>().into();
            let all = changes.len() == one.rows;
            let taken = |column: &ArrayRef| if all { Ok(column.clone()) } else { take(column, &rows, None) };
            one.key_columns().iter().map(taken).collect::<arrow::error::Result<Vec<_>>>()
        }
        several => {
            let column = |at: usize| {
                let sources: Vec<&dyn Array> = several.iter().map(|batch| batch.columns[at].as_ref()).collect();
                interleave(&sources, changes)
            };
            (0..keys).map(column).collect()
        }
    };
    let bounds = |get: &dyn Fn(&WindowBounds) -> &ScalarBuffer<i64>| -> Option<ScalarBuffer<i64>> {
        let windows: Vec<Option<&WindowBounds>> =
            sides.iter().map(|batch| batch.as_ref().and_then(|batch| batch.window.as_ref())).collect();
        let of = |(side, row): &Place| Some(get(windows[*side]?)[*row]);
        changes.iter().map(of).collect::<Option<Vec<_>>>().map(Into::into)
    };
    let windowed = batches.first().is_some_and(|batch| batch.window.is_some());
    let window = windowed.then(|| bounds(&|window| &window.start).zip(bounds(&|window| &window.end))).flatten();
    let orders = [0, 1].map(|side| sides[side].as_ref().map(|batch| batch.order.as_deref()));
    let placed = orders.iter().flatten().all(Option::is_some);
    let orders = orders.map(|order| order.flatten().unwrap_or_default());
    let order = placed.then(|| changes.iter().map(|(side, row)| orders[*side][*row]).collect::<Vec<_>>().into());
    Ok(Batch {
        rows: changes.len(),
        columns: columns.map_err(arrow_error)?,
        keys,
        row_time: times.into(),
        window: window.map(|(start, end)| WindowBounds { start, end }),
        tombstone: None,
        null_key: None,
        old: None,
        headers: None,
        origin: Origin::default(),
        order,
    })
}

impl JoinOperator for TableTableJoin {
    fn push(&mut self, sides: Sides, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let sides = [sides.left, sides.right];
        let results = self.results(&sides, context)?;
        if let Some(batch) = results.batch(&sides, &self.tables)? {
            self.held.give(batch, out, context)?;
        }
        self.tables.iter_mut().try_for_each(TableRows::compact)?;
        self.keys.sweep();
        Ok(())
    }
}

impl TableState for TableTableJoin {
    fn tables(&self) -> Vec<(&TableRows, &JoinKeys)> {
        self.tables.iter().map(|table| (table, &self.keys)).collect()
    }
}

impl Node for TableTableJoin {
    fn keeps_state(&self) -> bool {
        true
    }

    fn flush(&mut self, out: &mut Vec<Batch>, _context: &mut Context) -> Result<()> {
        self.held.flush(None, out)
    }

    fn changes(&mut self, into: &mut Records) -> Result<()> {
        self.tables.iter_mut().try_for_each(|table| table.write_changes(&mut self.keys, into))
    }

    fn restore(&mut self, records: &Records) -> Result<()> {
        let [left, right] = &mut self.tables;
        restore(&mut [left, right], &mut self.keys, records)
    }

    fn state(&self) -> Option<&dyn Pieces> {
        Some(self)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        Some(self)
    }

    fn pending_bytes(&self) -> usize {
        self.tables.iter().map(|table| table.pending_bytes(&self.keys)).sum::<usize>() + self.held.data_bytes()
    }

    fn state_bytes(&self) -> usize {
        self.tables.iter().map(TableRows::bytes).sum::<usize>() + self.keys.bytes() + self.held.bytes()
    }
}
