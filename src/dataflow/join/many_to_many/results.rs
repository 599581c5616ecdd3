//! The third part: the pairs that are there.
//!
//! Its changelog is that of one table (see `table_rows`): the pairs' values and the versions of their rows, by both keys.

use arrow::array::{ArrayRef, AsArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Int32Type, Int64Type};

use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::held::Held;
use crate::dataflow::join::keys::JoinKeys;
use crate::dataflow::join::pieces::TableState;
use crate::dataflow::join::table_rows::{TableRow, TableRows, restore};
use crate::dataflow::operator::{Context, Node, Operator};
use crate::dataflow::{Batch, OldRows};
use crate::error::{Error, Result};
use crate::log::Records;
use crate::plan::{ManyToManyResult, PAIR_TYPES};
use crate::state::snapshots::Pieces;

/// The operator. Takes the messages of a [`super::ManyToManyJoin`]; gives the changes of the joined table with the rows that
/// they replace: one for each that changes a pair or ends it. With caching only a key's last change goes on (see `held`).
pub struct ManyToManyResults {
    keys: JoinKeys,
    /// Value columns and versions.
    results: TableRows,
    value_columns: usize,
    /// By the key's number: the versions of the pair that is there.
    versions: Vec<Versions>,
    /// Rows were restored whose versions aren't set yet.
    unset: bool,
    held: Held,
}

/// Of the left and the right row of a pair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Versions {
    left: i64,
    right: i64,
}

impl Versions {
    /// Whether none of both is older.
    fn is_not_before(self, other: Versions) -> bool {
        self.left >= other.left && self.right >= other.right
    }
}

/// What is given for messages: the batch's row, numbers of the pair's row as it is and as it was.
#[derive(Default)]
struct Given {
    rows: Vec<u32>,
    new: Vec<u64>,
    old: Vec<u64>,
}

impl ManyToManyResults {
    pub fn new(plan: &ManyToManyResult) -> ManyToManyResults {
        ManyToManyResults {
            keys: JoinKeys::new(&plan.key_types),
            results: TableRows::new(0, &[&plan.value_types, &PAIR_TYPES[..2]].concat()),
            value_columns: plan.value_types.len(),
            versions: Vec::new(),
            unset: false,
            held: Held::new(&plan.key_types, &plan.value_types),
        }
    }

    fn take_in(&mut self, batch: &Batch) -> Result<Given> {
        let own: &[ArrayRef] = batch.columns.last_chunk::<{ PAIR_TYPES.len() }>().map_or(&[], |own| own);
        let [left, right, there] = own else { return Err(not_pairs()) };
        let (Some(versions), Some(there)) = (versions_of(left, right), there.as_primitive_opt::<Int32Type>()) else {
            return Err(not_pairs());
        };
        let mut rows = batch.clone();
        rows.columns.pop();
        let arrivals = self.results.arrive(&mut self.keys, &rows)?;
        self.versions.resize(self.versions.len().max(self.keys.capacity()), Versions::default());
        let mut given = Given::default();
        for (&row, &id) in arrivals.rows.iter().zip(&arrivals.ids) {
            let told = versions[row as usize];
            let before = self.results.get(id);
            if before.is_there() && !told.is_not_before(self.versions[id as usize]) {
                continue;
            }
            let after = if there.value(row as usize) == 1 { arrivals.row(row) } else { TableRow::NONE };
            if before.is_there() || after.is_there() {
                given.rows.push(row);
                given.new.push(after.number);
                given.old.push(before.number);
                self.versions[id as usize] = told;
                self.results.set(&mut self.keys, id, after);
            }
        }
        Ok(given)
    }

    fn give(&self, batch: &Batch, given: &Given) -> Result<Batch> {
        let mut changes = batch.take(&given.rows)?;
        changes.columns.truncate(changes.keys);
        changes.columns.extend(self.pick(&given.new)?);
        let there = |rows: &[u64]| BooleanBuffer::collect_bool(rows.len(), |at| rows[at] != NO_ROW);
        changes.tombstone = given.new.contains(&NO_ROW).then(|| !&there(&given.new));
        changes.old = Some(OldRows { columns: self.pick(&given.old)?, present: there(&given.old) });
        changes.null_key = None;
        Ok(changes)
    }

    fn pick(&self, rows: &[u64]) -> Result<Vec<ArrayRef>> {
        let mut columns = self.results.pick(rows)?;
        columns.truncate(self.value_columns);
        Ok(columns)
    }

    /// How many pairs are there.
    #[cfg(test)]
    pub(super) fn pairs(&self) -> usize {
        self.results.len()
    }

    /// Sets the versions of restored pairs.
    fn set_versions(&mut self) -> Result<()> {
        self.unset = false;
        let ids = self.results.ids();
        let numbers: Vec<u64> = ids.iter().map(|id| self.results.get(*id).number).collect();
        let columns = self.results.pick(&numbers)?.split_off(self.value_columns);
        let [left, right] = columns.as_slice() else { return Err(not_pairs()) };
        let versions = versions_of(left, right).ok_or_else(not_pairs)?;
        self.versions.resize(self.versions.len().max(self.keys.capacity()), Versions::default());
        ids.into_iter().zip(versions).for_each(|(id, versions)| self.versions[id as usize] = versions);
        Ok(())
    }
}

fn versions_of(left: &ArrayRef, right: &ArrayRef) -> Option<Vec<Versions>> {
    let (left, right) = (left.as_primitive_opt::<Int64Type>()?, right.as_primitive_opt::<Int64Type>()?);
    let both = left.values().iter().zip(right.values());
    Some(both.map(|(left, right)| Versions { left: *left, right: *right }).collect())
}

fn not_pairs() -> Error {
    Error::internal("rows came to a many-to-many join's results that are no messages of it")
}

impl Operator for ManyToManyResults {
    fn push(&mut self, batch: Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        if self.unset {
            self.set_versions()?;
        }
        let given = self.take_in(&batch)?;
        if !given.rows.is_empty() {
            let changes = self.give(&batch, &given)?;
            self.held.give(changes, out, context)?;
        }
        self.results.compact()?;
        self.keys.sweep();
        Ok(())
    }
}

impl TableState for ManyToManyResults {
    fn tables(&self) -> Vec<(&TableRows, &JoinKeys)> {
        vec![(&self.results, &self.keys)]
    }
}

impl Node for ManyToManyResults {
    fn keeps_state(&self) -> bool {
        true
    }

    fn flush(&mut self, out: &mut Vec<Batch>, _context: &mut Context) -> Result<()> {
        self.held.flush(None, out)
    }

    fn changes(&mut self, into: &mut Records) -> Result<()> {
        self.results.write_changes(&mut self.keys, into)
    }

    fn restore(&mut self, records: &Records) -> Result<()> {
        self.unset = true;
        restore(&mut [&mut self.results], &mut self.keys, records)
    }

    fn state(&self) -> Option<&dyn Pieces> {
        Some(self)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        Some(self)
    }

    fn pending_bytes(&self) -> usize {
        self.results.pending_bytes(&self.keys) + self.held.data_bytes()
    }

    fn state_bytes(&self) -> usize {
        let versions = self.versions.capacity() * size_of::<Versions>();
        self.keys.bytes() + self.results.bytes() + versions + self.held.bytes()
    }
}
