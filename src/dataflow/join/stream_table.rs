//! A stream's rows, each with the row that a table has for its key just then; of a table that keeps versions, with the row that
//! was valid at the stream row's time. Only the stream's rows make results; a change of the table changes what later rows
//! meet. A stream's row with a window meets the row of its key and window, of a table without windows that of its key.

use arrow::array::ArrayRef;

use crate::dataflow::Batch;
use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::condition::Condition;
use crate::dataflow::join::keys::{JoinKeys, Tombstones, keyed_rows, tell_of_keyless};
use crate::dataflow::join::pieces::TableState;
use crate::dataflow::join::table_rows::{Arrivals, TableRows, restore};
use crate::dataflow::join::versions::{Place, Versions};
use crate::dataflow::operator::{Context, JoinOperator, Node, Sides};
use crate::error::{Error, Result};
use crate::log::Records;
use crate::plan::{Join, JoinKind};
use crate::state::snapshots::Pieces;

/// The operator: the stream is the left side. A stream's row without key or value is ignored.
pub(super) struct StreamTableJoin {
    keys: JoinKeys,
    table: TableRows,
    /// Of a table that keeps versions, which `table` has the rows of.
    versions: Option<Versions>,
    /// Value columns of the table.
    table_columns: usize,
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
        let (versions, table) = match plan.right.versions_retention_ms() {
            Some(retention_ms) => {
                let (versions, table) = Versions::new(&plan.key_types, &plan.right_types, retention_ms);
                (Some(versions), table)
            }
            None => (None, TableRows::new(0, &plan.right_types)),
        };
        Ok(StreamTableJoin {
            keys: JoinKeys::new(&plan.key_types),
            table,
            versions,
            table_columns: plan.right_types.len(),
            alone,
            condition: Condition::of(plan)?,
        })
    }

    /// The numbers of the table's rows that these rows of the stream meet, with the table's changes taken in before the rows
    /// that they come before.
    fn meet(&mut self, stream: &Batch, rows: &[u32], changes: &mut Changes) -> Result<Vec<u64>> {
        let ids = self.keys.find(stream, rows)?;
        let StreamTableJoin { keys, table, versions, .. } = self;
        if changes.from.is_none() && versions.is_none() {
            return Ok(ids.iter().map(|id| table.get(*id).number).collect());
        }
        let mut met = Vec::with_capacity(rows.len());
        for (&row, &id) in rows.iter().zip(&ids) {
            changes.take_in_before(stream, row, &mut Place { table, keys }, versions);
            met.push(match versions {
                Some(versions) => versions.valid_at(table, id, stream.row_time[row as usize]),
                None => table.get(id).number,
            });
        }
        Ok(met)
    }

    /// The table's value columns of rows by number.
    fn pick(&self, rows: &[u64]) -> Result<Vec<ArrayRef>> {
        let mut columns = self.table.pick(rows)?;
        columns.truncate(self.table_columns);
        Ok(columns)
    }

    /// Leaves only those that match by the condition.
    fn judge(&mut self, stream: &Batch, rows: &[u32], met: &mut [u64], context: &mut Context) -> Result<()> {
        if self.condition.is_none() {
            return Ok(());
        }
        let pairs: Vec<usize> = (0..rows.len()).filter(|&at| met[at] != NO_ROW).collect();
        let numbers: Vec<u64> = pairs.iter().map(|&at| met[at]).collect();
        let mut batch = stream.take(&pairs.iter().map(|&at| rows[at]).collect::<Vec<_>>())?;
        batch.columns.extend(self.pick(&numbers)?);
        let Some(condition) = &mut self.condition else { return Ok(()) };
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
        joined.columns.extend(self.pick(&met)?);
        (joined.tombstone, joined.null_key) = (None, None);
        Ok(Some(joined))
    }
}

/// The table's changes that are not taken in yet.
struct Changes {
    from: Option<(Batch, Arrivals)>,
    /// Of a table that keeps versions: the numbers of the rows' keys (the arrivals' are those of the versions).
    keys: Vec<u32>,
    next: usize,
}

impl Changes {
    /// Takes in those that come before a row of the stream.
    #[inline]
    fn take_in_before(&mut self, stream: &Batch, row: u32, into: &mut Place, versions: &mut Option<Versions>) {
        let Some((batch, arrivals)) = &self.from else { return };
        let place = stream.order.as_ref().map(|order| order[row as usize]);
        while let Some(&change) = arrivals.rows.get(self.next) {
            let own = batch.order.as_ref().map(|order| order[change as usize]);
            // Where there are no places, all changes come before.
            if own.zip(place).is_some_and(|(own, place)| own >= place) {
                return;
            }
            self.take(self.next, batch, arrivals, into, versions);
            self.next += 1;
        }
    }

    fn take_in(&self, into: &mut Place, versions: &mut Option<Versions>) {
        let Some((batch, arrivals)) = &self.from else { return };
        (self.next..arrivals.rows.len()).for_each(|at| self.take(at, batch, arrivals, into, versions));
    }

    #[inline]
    fn take(&self, at: usize, batch: &Batch, arrivals: &Arrivals, into: &mut Place, versions: &mut Option<Versions>) {
        let (row, id) = (arrivals.rows[at], arrivals.ids[at]);
        let Some(versions) = versions else {
            into.table.set(into.keys, id, arrivals.row(row));
            return;
        };
        let deleted = batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(row as usize));
        versions.take(into, self.keys[at], id, arrivals.row(row), deleted);
    }
}

impl JoinOperator for StreamTableJoin {
    fn push(&mut self, sides: Sides, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let mut changes = Changes { from: None, keys: Vec::new(), next: 0 };
        let StreamTableJoin { keys, table, versions, .. } = self;
        if let Some(versions) = versions {
            versions.link(&mut Place { table, keys })?;
        }
        if let Some(batch) = sides.right {
            let arrivals = match versions {
                Some(versions) => {
                    let arrivals = versions.arrive(table, &batch)?;
                    changes.keys = keys.intern(&batch, &arrivals.rows)?;
                    arrivals
                }
                None => table.arrive(keys, &batch)?,
            };
            changes.from = Some((batch, arrivals));
        }
        if let Some(stream) = sides.left {
            let rows = keyed_rows(&stream, Tombstones::Ignore);
            if self.alone == Alone::Given {
                tell_of_keyless(&stream, context);
            }
            let mut met = self.meet(&stream, &rows, &mut changes)?;
            self.judge(&stream, &rows, &mut met, context)?;
            self.table.picked(met.len())?;
            out.extend(self.give(stream, rows, met)?);
        }
        let StreamTableJoin { keys, table, versions, .. } = self;
        changes.take_in(&mut Place { table, keys }, versions);
        if let Some(versions) = versions {
            versions.expire_due(&mut Place { table, keys });
        }
        self.table.compact()?;
        self.keys.sweep();
        Ok(())
    }
}

impl TableState for StreamTableJoin {
    fn tables(&self) -> Vec<(&TableRows, &JoinKeys)> {
        vec![(&self.table, self.versions.as_ref().map_or(&self.keys, |versions| &versions.keys))]
    }
}

impl Node for StreamTableJoin {
    fn keeps_state(&self) -> bool {
        true
    }

    fn changes(&mut self, into: &mut Records) -> Result<()> {
        let StreamTableJoin { keys, table, versions, .. } = self;
        table.write_changes(versions.as_mut().map_or(keys, |versions| &mut versions.keys), into)
    }

    fn restore(&mut self, records: &Records) -> Result<()> {
        let StreamTableJoin { keys, table, versions, .. } = self;
        let keys = match versions {
            Some(versions) => {
                versions.restored();
                &mut versions.keys
            }
            None => keys,
        };
        restore(&mut [table], keys, records)
    }

    fn state(&self) -> Option<&dyn Pieces> {
        Some(self)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        Some(self)
    }

    fn state_changes(&self) -> Option<u64> {
        Some(self.table.changes_taken())
    }

    fn pending_bytes(&self) -> usize {
        let keys = self.versions.as_ref().map_or(&self.keys, |versions| &versions.keys);
        self.table.pending_bytes(keys)
    }

    fn state_bytes(&self) -> usize {
        self.table.bytes() + self.keys.bytes() + self.versions.as_ref().map_or(0, Versions::bytes)
    }
}
