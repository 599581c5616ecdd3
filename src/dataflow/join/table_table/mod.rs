//! A table that has, for each key, the rows of two tables.
//!
//! Each change of a row that is part of a result, before or after, gives that key's result anew, even if it is the same; a
//! tombstone where there was a result and is none any more. A tombstone for a key without row changes nothing. The row time
//! is the greater of the change's and that of the other table's row, where there is one that is part of the result. With caching
//! only a key's last change goes on (see `held`).

mod results;

use crate::dataflow::Batch;
use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::condition::Condition;
use crate::dataflow::join::held::Held;
use crate::dataflow::join::keys::JoinKeys;
use crate::dataflow::join::order::in_order;
use crate::dataflow::join::pieces::TableState;
use crate::dataflow::join::table_rows::{Arrivals, TableRow, TableRows, restore};
use crate::dataflow::operator::{Context, JoinOperator, Node, Sides};
use crate::error::Result;
use crate::log::Records;
use crate::messages;
use crate::plan::{Join, JoinKind};
use crate::state::NO_KEY;
use crate::state::snapshots::Pieces;
use results::{Results, keys_of};

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
    /// Its row: of both sides' batches, the right one behind the left.
    place: u32,
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
    /// The rows that meet, if both are there.
    fn pair(&self, own: TableRow) -> Option<Pair> {
        (own.is_there() && self.other.is_there()).then(|| self.in_order(own.number, self.other.number))
    }

    #[inline(always)]
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
    #[inline(always)]
    fn take_in(&mut self, sides: &[Option<Batch>; 2], mut each: impl FnMut(Change)) -> Result<()> {
        let mut arrivals = [Arrivals::default(), Arrivals::default()];
        for side in 0..2 {
            if let Some(batch) = &sides[side] {
                arrivals[side] = self.tables[side].arrive(&mut self.keys, batch)?;
            }
        }
        // Both sides in one list each, so that what follows asks for a row by its place, and not for a side first.
        let [left_rows, right_rows] = [0, 1].map(|side| sides[side].as_ref().map_or(0, |batch| batch.rows));
        let mut ids = vec![NO_KEY; left_rows + right_rows];
        let (mut numbers, mut times) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
        for (arrived, first, rows) in [(&arrivals[0], 0, left_rows), (&arrivals[1], left_rows, right_rows)] {
            arrived.rows.iter().zip(&arrived.ids).for_each(|(row, id)| ids[first + *row as usize] = *id);
            numbers.extend((0..rows as u32).map(|row| arrived.row(row).number));
            times.extend((0..rows as u32).map(|row| arrived.time(row)));
        }
        let counted = [arrivals[0].rows.as_slice(), &arrivals[1].rows];
        let mut places = Vec::with_capacity(counted[0].len() + counted[1].len());
        places.extend(in_order([sides[0].as_ref(), sides[1].as_ref()], counted).map(|(side, at)| match side {
            0 => counted[0][at],
            _ => left_rows as u32 + counted[1][at],
        }));
        let [left, right] = &mut self.tables;
        for place in places {
            let at = place as usize;
            let (id, time) = (ids[at], times[at]);
            let after = if numbers[at] == NO_ROW { TableRow::NONE } else { TableRow { number: numbers[at], time } };
            let side = usize::from(at >= left_rows);
            let (own, other) = if side == 0 { (&mut *left, &mut *right) } else { (&mut *right, &mut *left) };
            let before = own.set(&mut self.keys, id, after);
            each(Change { side, place, time, before, after, other: other.get(id) });
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
        let (places, times) = pairs.iter().map(|(_, change, _)| (change.place, change.time)).unzip::<_, _, Vec<_>, _>();
        let mut batch = keys_of(sides, places, times)?;
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
