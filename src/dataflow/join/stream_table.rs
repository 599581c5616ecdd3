//! A stream's rows, each with the row that a table has for its key just then. Only the stream's rows make results; a change of
//! the table changes what later rows meet.

use crate::dataflow::Batch;
use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::condition::Condition;
use crate::dataflow::join::keys::{JoinKeys, Tombstones, keyed_rows};
use crate::dataflow::join::pieces::TableState;
use crate::dataflow::join::table_rows::{Arrivals, TableRows, restore};
use crate::dataflow::operator::{Context, JoinOperator, Node, Sides};
use crate::error::{Error, Result};
use crate::log::Records;
use crate::plan::{Join, JoinKind};
use crate::state::snapshots::Pieces;

/// The operator: the stream is the left side. A stream's row without key or value is ignored.
pub(super) struct StreamTableJoin {
    keys: JoinKeys,
    table: TableRows,
    alone: Alone,
    condition: Option<Condition>,
}

/// What becomes of a stream's row that matches nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    Dropped,
    Given,
}

impl StreamTableJoin {
    pub fn new(plan: &Join) -> Result<StreamTableJoin> {
        let alone = match plan.kind {
            JoinKind::Inner => Alone::Dropped,
            JoinKind::Left => Alone::Given,
            JoinKind::Right | JoinKind::Full => {
                return Err(Error::internal("a join of a stream with a table is an inner or a left one"));
            }
        };
        Ok(StreamTableJoin {
            keys: JoinKeys::new(&plan.key_types),
            table: TableRows::new(0, &plan.right_types),
            alone,
            condition: Condition::of(plan)?,
        })
    }

    /// The numbers of the table's rows that these rows of the stream meet, with the table's changes taken in before the rows
    /// that they come before.
    fn meet(&mut self, stream: &Batch, rows: &[u32], changes: &mut Changes) -> Result<Vec<u64>> {
        let ids = self.keys.find(stream, rows)?;
        let StreamTableJoin { keys, table, .. } = self;
        let mut met = Vec::with_capacity(rows.len());
        for (&row, &id) in rows.iter().zip(&ids) {
            changes.take_in_before(stream, row, table, keys);
            met.push(table.get(id).number);
        }
        Ok(met)
    }

    /// Leaves only those that match by the condition.
    fn judge(&mut self, stream: &Batch, rows: &[u32], met: &mut [u64], context: &mut Context) -> Result<()> {
        let Some(condition) = &mut self.condition else { return Ok(()) };
        let pairs: Vec<usize> = (0..rows.len()).filter(|&at| met[at] != NO_ROW).collect();
        let numbers: Vec<u64> = pairs.iter().map(|&at| met[at]).collect();
        let mut batch = stream.take(&pairs.iter().map(|&at| rows[at]).collect::<Vec<_>>())?;
        batch.columns.extend(self.table.pick(&numbers)?);
        let matches = condition.matches(&batch, context);
        for (&at, matches) in pairs.iter().zip(&matches) {
            if !matches {
                met[at] = NO_ROW;
            }
        }
        Ok(())
    }

    /// The joined rows.
    fn give(&self, stream: Batch, mut rows: Vec<u32>, mut met: Vec<u64>) -> Result<Option<Batch>> {
        if self.alone == Alone::Dropped && met.contains(&NO_ROW) {
            rows = rows.iter().zip(&met).filter(|(_, met)| **met != NO_ROW).map(|(row, _)| *row).collect();
            met.retain(|met| *met != NO_ROW);
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let mut joined = if rows.len() == stream.rows { stream } else { stream.take(&rows)? };
        joined.columns.extend(self.table.pick(&met)?);
        (joined.tombstone, joined.null_key) = (None, None);
        Ok(Some(joined))
    }
}

/// The table's changes that are not taken in yet.
struct Changes {
    from: Option<(Batch, Arrivals)>,
    next: usize,
}

impl Changes {
    /// Takes in those that come before a row of the stream.
    #[inline]
    fn take_in_before(&mut self, stream: &Batch, row: u32, table: &mut TableRows, keys: &mut JoinKeys) {
        let Some((batch, arrivals)) = &self.from else { return };
        let place = stream.order.as_ref().map(|order| order[row as usize]);
        while let Some(&change) = arrivals.rows.get(self.next) {
            let own = batch.order.as_ref().map(|order| order[change as usize]);
            // Where there are no places, all changes come before.
            if own.zip(place).is_some_and(|(own, place)| own >= place) {
                return;
            }
            table.set(keys, arrivals.ids[self.next], arrivals.row(change));
            self.next += 1;
        }
    }

    fn take_in(self, table: &mut TableRows, keys: &mut JoinKeys) {
        let Some((_, arrivals)) = self.from else { return };
        for (&change, &id) in arrivals.rows.iter().zip(&arrivals.ids).skip(self.next) {
            table.set(keys, id, arrivals.row(change));
        }
    }
}

impl JoinOperator for StreamTableJoin {
    fn push(&mut self, sides: Sides, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let mut changes = Changes { from: None, next: 0 };
        if let Some(batch) = sides.right {
            let arrivals = self.table.arrive(&mut self.keys, &batch)?;
            changes.from = Some((batch, arrivals));
        }
        if let Some(stream) = sides.left {
            let rows = keyed_rows(&stream, Tombstones::Ignore);
            let mut met = self.meet(&stream, &rows, &mut changes)?;
            self.judge(&stream, &rows, &mut met, context)?;
            out.extend(self.give(stream, rows, met)?);
        }
        changes.take_in(&mut self.table, &mut self.keys);
        self.table.compact()?;
        self.keys.sweep();
        Ok(())
    }
}

impl TableState for StreamTableJoin {
    fn tables(&self) -> Vec<(&TableRows, &JoinKeys)> {
        vec![(&self.table, &self.keys)]
    }
}

impl Node for StreamTableJoin {
    fn keeps_state(&self) -> bool {
        true
    }

    fn changes(&mut self, into: &mut Records) -> Result<()> {
        self.table.write_changes(&mut self.keys, into)
    }

    fn restore(&mut self, records: &Records) -> Result<()> {
        restore(&mut [&mut self.table], &mut self.keys, records)
    }

    fn state(&self) -> Option<&dyn Pieces> {
        Some(self)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        Some(self)
    }

    fn pending_bytes(&self) -> usize {
        self.table.pending_bytes(&self.keys)
    }

    fn state_bytes(&self) -> usize {
        self.table.bytes() + self.keys.bytes()
    }
}
