//! The third part: the last result of each left key.
//!
//! Its changelog is that of two tables (see `table_rows`) by the left key: 0 the results, with their versions; 1 what else must be
//! known of a left key (version, lives and moves, see `Standing`) where that is not: a result, of a row that is there and of whose
//! every move both ends were told.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Int32Type, Int64Type};

use super::{NO_RESULT, Tells, message_columns};
use crate::dataflow::join::columns::NO_ROW;
use crate::dataflow::join::held::Held;
use crate::dataflow::join::keys::JoinKeys;
use crate::dataflow::join::pieces::TableState;
use crate::dataflow::join::table_rows::{TableRow, TableRows, restore};
use crate::dataflow::operator::{Context, Node, Operator};
use crate::dataflow::{Batch, OldRows};
use crate::error::{Error, Result};
use crate::log::Records;
use crate::plan::{ForeignKeyResult, MESSAGE_TYPES};
use crate::state::snapshots::Pieces;
use crate::types::SqlType;

const STANDING_TYPES: [SqlType; 3] = [SqlType::Bigint, SqlType::Int, SqlType::Bigint];

/// Bytes of a changelog record of a standing, about.
const STANDING_BYTES: usize = 64;

/// The operator. Takes the messages of a [`super::ForeignKeyJoin`]; gives the changes of the joined table with the rows that they
/// replace. A deleted left row gives a tombstone even if it has no result; else there are only tombstones of results. With caching only a key's last
/// change goes on, and none of a key that has no result now and had none before (see `held`).
pub struct ForeignKeyResults {
    keys: JoinKeys,
    /// Value columns and version.
    results: TableRows,
    value_columns: usize,
    /// By the key's number.
    standings: Vec<Standing>,
    /// Those of `standings` that the results alone don't tell, as of the last commit.
    kept: TableRows,
    /// Keys whose standing changed since the last commit; they are users of their keys.
    touched: Vec<u32>,
    /// Rows were restored whose standings aren't set yet.
    unset: bool,
    held: Held,
}

/// What is known of a left key.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    /// The newest seen.
    version: i64,
    /// How many times more it was new than deleted: 1 while its row is there, unless messages are on their way.
    lives: i32,
    /// The marks (see [`mark`]) of its comings from another foreign key less those of its leavings: 0, unless messages are on
    /// their way.
    moves: i64,
    /// It is known; a user of its key.
    known: bool,
    touched: bool,
}

impl Standing {
    /// Whether nothing more is to come of the key, but for a new row. When every coming has its leaving, who was told of as new
    /// was told of to the end: each partition tells in order.
    fn is_over(&self) -> bool {
        self.lives == 0 && self.moves == 0
    }

    /// Whether the result tells all.
    fn is_plain(&self) -> bool {
        self.lives == 1 && self.moves == 0
    }
}

/// Stands for a move, of this version, in sums of moves: a mere count would be 0 when one of two moves is known by its coming
/// and the other by its leaving. The sums are stored: this is for ever.
fn mark(version: i64) -> i64 {
    // The finalizer of splitmix64.
    let mut mixed = version as u64;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) as i64
}

/// What is given for messages.
#[derive(Default)]
struct Given {
    rows: Vec<u32>,
    new: Vec<u64>,
    old: Vec<u64>,
}

impl ForeignKeyResults {
    pub fn new(plan: &ForeignKeyResult) -> ForeignKeyResults {
        let types = [&plan.value_types, &MESSAGE_TYPES[..1]].concat();
        ForeignKeyResults {
            keys: JoinKeys::new(&plan.key_types),
            results: TableRows::new(0, &types),
            value_columns: plan.value_types.len(),
            standings: Vec::new(),
            kept: TableRows::new(1, &STANDING_TYPES),
            touched: Vec::new(),
            unset: false,
            held: Held::new(&plan.key_types, &plan.value_types),
        }
    }

    fn take_in(&mut self, batch: &Batch) -> Result<Given> {
        let (versions, numbers) = message_columns(batch)?;
        let mut rows = batch.clone();
        rows.columns.pop();
        let arrivals = self.results.arrive(&mut self.keys, &rows)?;
        let mut given = Given::default();
        for (&row, &id) in arrivals.rows.iter().zip(&arrivals.ids) {
            let (version, number) = (versions[row as usize], numbers[row as usize]);
            let tells = Tells::of(number & !NO_RESULT)?;
            let before = self.results.get(id);
            let standing = self.standing(id);
            match tells {
                Tells::Changed => {}
                Tells::New => standing.lives += 1,
                Tells::Deleted => standing.lives -= 1,
                Tells::Came => standing.moves = standing.moves.wrapping_add(mark(version)),
                Tells::Left => standing.moves = standing.moves.wrapping_sub(mark(version)),
            }
            if tells != Tells::Left && version >= standing.version {
                standing.version = version;
                let after = if number & NO_RESULT == 0 { arrivals.row(row) } else { TableRow::NONE };
                if before.is_there() || after.is_there() || tells == Tells::Deleted {
                    given.rows.push(row);
                    given.new.push(after.number);
                    given.old.push(before.number);
                }
                self.results.set(&mut self.keys, id, after);
            }
            self.settle(id);
        }
        Ok(given)
    }

    /// Of how many keys something is known.
    #[cfg(test)]
    pub(super) fn known(&mut self) -> Result<usize> {
        if self.unset {
            self.set_standings()?;
        }
        Ok(self.standings.iter().filter(|standing| standing.known).count())
    }

    /// What is known of a key, to be changed.
    fn standing(&mut self, id: u32) -> &mut Standing {
        let index = id as usize;
        if index >= self.standings.len() {
            self.standings.resize(index + 1, Standing::default());
        }
        let standing = &mut self.standings[index];
        if !standing.known {
            self.keys.retain(id);
            standing.known = true;
        }
        if !standing.touched {
            self.keys.retain(id);
            standing.touched = true;
            self.touched.push(id);
        }
        standing
    }

    /// Forgets a key of which nothing more is to come.
    fn settle(&mut self, id: u32) {
        let standing = &mut self.standings[id as usize];
        if standing.is_over() && !self.results.get(id).is_there() {
            *standing = Standing { touched: standing.touched, ..Standing::default() };
            self.keys.release(id);
        }
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

    /// Notes the changed standings that the results alone don't tell.
    fn keep_standings(&mut self) -> Result<()> {
        let mut odd = Vec::new();
        for id in std::mem::take(&mut self.touched) {
            let standing = &mut self.standings[id as usize];
            standing.touched = false;
            if standing.known && !(standing.is_plain() && self.results.get(id).is_there()) {
                odd.push(id);
            } else {
                self.kept.remove(&mut self.keys, id);
            }
            self.keys.release(id);
        }
        let of = |id: &u32| self.standings[*id as usize];
        let columns: [ArrayRef; 3] = [
            Arc::new(odd.iter().map(|id| of(id).version).collect::<Int64Array>()),
            Arc::new(odd.iter().map(|id| of(id).lives).collect::<Int32Array>()),
            Arc::new(odd.iter().map(|id| of(id).moves).collect::<Int64Array>()),
        ];
        self.kept.put(&mut self.keys, &odd, &columns, 0)
    }

    /// Sets the standings of restored rows.
    fn set_standings(&mut self) -> Result<()> {
        self.unset = false;
        let (results, kept) = (self.results.ids(), self.kept.ids());
        let numbers = |table: &TableRows, ids: &[u32]| ids.iter().map(|id| table.get(*id).number).collect::<Vec<u64>>();
        let versions = self.results.pick(&numbers(&self.results, &results))?.split_off(self.value_columns);
        let [versions] = versions.as_slice() else { return Err(not_standings()) };
        let versions = versions.as_primitive_opt::<Int64Type>().ok_or_else(not_standings)?;
        for (id, version) in results.into_iter().zip(versions.values()) {
            self.restore_standing(id, Standing { version: *version, lives: 1, ..Standing::default() });
        }
        let columns = self.kept.pick(&numbers(&self.kept, &kept))?;
        let [versions, lives, moves] = columns.as_slice() else { return Err(not_standings()) };
        let versions = versions.as_primitive_opt::<Int64Type>().ok_or_else(not_standings)?;
        let lives = lives.as_primitive_opt::<Int32Type>().ok_or_else(not_standings)?;
        let moves = moves.as_primitive_opt::<Int64Type>().ok_or_else(not_standings)?;
        for (at, id) in kept.into_iter().enumerate() {
            let (version, lives, moves) = (versions.value(at), lives.value(at), moves.value(at));
            self.restore_standing(id, Standing { version, lives, moves, ..Standing::default() });
        }
        Ok(())
    }

    fn restore_standing(&mut self, id: u32, standing: Standing) {
        let index = id as usize;
        if index >= self.standings.len() {
            self.standings.resize(index + 1, Standing::default());
        }
        if !self.standings[index].known {
            self.keys.retain(id);
        }
        self.standings[index] = Standing { known: true, ..standing };
    }
}

fn not_standings() -> Error {
    Error::world("a record of a foreign key join's changelog can't be read")
        .hint("the changelog topic holds records that this query did not write")
}

impl Operator for ForeignKeyResults {
    fn push(&mut self, batch: Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        if self.unset {
            self.set_standings()?;
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

impl TableState for ForeignKeyResults {
    fn tables(&self) -> Vec<(&TableRows, &JoinKeys)> {
        vec![(&self.results, &self.keys), (&self.kept, &self.keys)]
    }
}

impl Node for ForeignKeyResults {
    fn keeps_state(&self) -> bool {
        true
    }

    fn flush(&mut self, out: &mut Vec<Batch>, _context: &mut Context) -> Result<()> {
        self.held.flush(None, out)
    }

    fn changes(&mut self, into: &mut Records) -> Result<()> {
        self.keep_standings()?;
        self.results.write_changes(&mut self.keys, into)?;
        self.kept.write_changes(&mut self.keys, into)?;
        self.kept.compact()
    }

    fn restore(&mut self, records: &Records) -> Result<()> {
        self.unset = true;
        restore(&mut [&mut self.results, &mut self.kept], &mut self.keys, records)
    }

    fn state(&self) -> Option<&dyn Pieces> {
        Some(self)
    }

    fn state_mut(&mut self) -> Option<&mut dyn Pieces> {
        Some(self)
    }

    fn pending_bytes(&self) -> usize {
        self.results.pending_bytes(&self.keys) + self.touched.len() * STANDING_BYTES + self.held.data_bytes()
    }

    fn state_bytes(&self) -> usize {
        let standings = self.standings.capacity() * size_of::<Standing>() + self.touched.capacity() * size_of::<u32>();
        self.keys.bytes() + self.results.bytes() + self.kept.bytes() + standings + self.held.bytes()
    }
}
