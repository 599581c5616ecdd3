//! The last part of a join whose rows meet in other partitions than their results lie in: the last result of each key.
//!
//! It takes messages about results; gives the changes of the joined table with the rows that they replace. Which messages come too
//! late, and what else must be known of a key, is for a [`Judge`] to say. With caching only a key's last change goes on, and none
//! of a key that has no result now and had none before (see `held`).

use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;

use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::held::Held;
use crate::dataflow::join::keys::JoinKeys;
use crate::dataflow::join::pieces::TableState;
use crate::dataflow::join::table_rows::{TableRow, TableRows, restore};
use crate::dataflow::operator::{Context, Node, Operator};
use crate::dataflow::{Batch, OldRows};
use crate::error::Result;
use crate::log::Records;
use crate::state::snapshots::Pieces;
use crate::types::SqlType;

/// The results that are there.
pub struct Kept {
    pub(super) keys: JoinKeys,
    /// Value columns, and behind them those of the judge.
    pub(super) rows: TableRows,
    value_columns: usize,
}

/// What messages change.
#[derive(Default)]
pub struct Given {
    /// The message's row in its batch.
    rows: Vec<u32>,
    /// The result as it is, and as it was.
    new: Vec<u64>,
    old: Vec<u64>,
}

/// Judges messages.
pub(super) trait Judge: Send {
    /// Takes messages in; gives what they change.
    fn take_in(&mut self, kept: &mut Kept, batch: &Batch) -> Result<Given>;

    /// Finds out what is to be known of restored results.
    fn take_up(&mut self, kept: &mut Kept) -> Result<()>;

    /// What it keeps in a table of its own, which has the tag 1.
    fn notes(&mut self) -> Option<&mut TableRows> {
        None
    }

    /// The same to be read.
    fn notes_read(&self) -> Option<&TableRows> {
        None
    }

    /// Brings these up to date, for a commit.
    fn note(&mut self, _kept: &mut Kept) -> Result<()> {
        Ok(())
    }

    /// Bytes that `note` would add to the changelog, about.
    fn pending_bytes(&self) -> usize {
        0
    }

    /// Bytes held, about.
    fn bytes(&self) -> usize;
}

/// The operator.
pub struct Results<J> {
    pub(super) kept: Kept,
    pub(super) judge: J,
    /// Rows were restored that the judge hasn't taken up yet.
    unset: bool,
    held: Held,
}

impl Kept {
    /// The values of results, by number.
    pub(super) fn pick(&self, rows: &[u64]) -> Result<Vec<ArrayRef>> {
        let mut columns = self.rows.pick(rows)?;
        columns.truncate(self.value_columns);
        Ok(columns)
    }

    /// The keys that have a result, and the judge's columns of these.
    pub(super) fn judged(&self) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        let ids = self.rows.ids();
        let numbers: Vec<u64> = ids.iter().map(|id| self.rows.get(*id).number).collect();
        Ok((ids, self.rows.pick(&numbers)?.split_off(self.value_columns)))
    }

    /// The changes of a batch of messages.
    fn changes(&self, batch: &Batch, given: &Given) -> Result<Batch> {
        let mut changes = batch.take(&given.rows)?;
        changes.columns.truncate(changes.keys);
        changes.columns.extend(self.pick(&given.new)?);
        let there = |rows: &[u64]| BooleanBuffer::collect_bool(rows.len(), |at| rows[at] != NO_ROW);
        changes.tombstone = given.new.contains(&NO_ROW).then(|| !&there(&given.new));
        changes.old = Some(OldRows { columns: self.pick(&given.old)?, present: there(&given.old) });
        changes.null_key = None;
        Ok(changes)
    }
}

impl Given {
    pub(super) fn push(&mut self, row: u32, new: TableRow, old: TableRow) {
        self.rows.push(row);
        self.new.push(new.number);
        self.old.push(old.number);
    }
}

#[expect(private_bounds, reason = "judges are the joins' own; others only name the operators")]
impl<J: Judge> Results<J> {
    /// `own_types`: of the columns that the judge has behind the values.
    pub(super) fn of(key_types: &[SqlType], value_types: &[SqlType], own_types: &[SqlType], judge: J) -> Results<J> {
        let rows = TableRows::new(0, &[value_types, own_types].concat());
        Results {
            kept: Kept { keys: JoinKeys::new(key_types), rows, value_columns: value_types.len() },
            judge,
            unset: false,
            held: Held::new(key_types, value_types),
        }
    }

    /// Lets the judge take up what was restored, unless it has.
    pub(super) fn take_up(&mut self) -> Result<()> {
        if std::mem::take(&mut self.unset) {
            self.judge.take_up(&mut self.kept)?;
        }
        Ok(())
    }
}

impl<J: Judge> Operator for Results<J> {
    fn push(&mut self, batch: Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        self.take_up()?;
        let given = self.judge.take_in(&mut self.kept, &batch)?;
        if !given.rows.is_empty() {
            let changes = self.kept.changes(&batch, &given)?;
            self.held.give(changes, out, context)?;
        }
        self.kept.rows.compact()?;
        self.kept.keys.sweep();
        Ok(())
    }
}

impl<J: Judge> TableState for Results<J> {
    fn tables(&self) -> Vec<(&TableRows, &JoinKeys)> {
        let tables = std::iter::once(&self.kept.rows).chain(self.judge.notes_read());
        tables.map(|table| (table, &self.kept.keys)).collect()
    }
}

impl<J: Judge> Node for Results<J> {
    fn keeps_state(&self) -> bool {
        true
    }

    fn flush(&mut self, out: &mut Vec<Batch>, _context: &mut Context) -> Result<()> {
        self.held.flush(None, out)
    }

    fn changes(&mut self, into: &mut Records) -> Result<()> {
        self.judge.note(&mut self.kept)?;
        self.kept.rows.write_changes(&mut self.kept.keys, into)?;
        let Some(notes) = self.judge.notes() else { return Ok(()) };
        notes.write_changes(&mut self.kept.keys, into)?;
        notes.compact()
    }

    fn restore(&mut self, records: &Records) -> Result<()> {
        self.unset = true;
        let Kept { keys, rows, .. } = &mut self.kept;
        match self.judge.notes() {
            Some(notes) => restore(&mut [rows, notes], keys, records),
            None => restore(&mut [rows], keys, records),
        }
    }

    fn state(&self) -> Option<&dyn Pieces> {
        Some(self)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        Some(self)
    }

    fn pending_bytes(&self) -> usize {
        self.kept.rows.pending_bytes(&self.kept.keys) + self.judge.pending_bytes() + self.held.data_bytes()
    }

    fn state_bytes(&self) -> usize {
        let notes = self.judge.notes_read().map_or(0, TableRows::bytes);
        self.kept.keys.bytes() + self.kept.rows.bytes() + notes + self.judge.bytes() + self.held.bytes()
    }
}
