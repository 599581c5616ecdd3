//! The third part: the last result of each left key.
//!
//! Its changelog is that of two tables (see `table_rows`) by the left key: 0 the results, with their versions; 1 what else must be
//! known of a left key (version, lives and moves, see `Standing`) where that is not: a result, of a row that is there and of whose
//! every move both ends were told.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array};
use arrow::datatypes::{Int32Type, Int64Type};

use super::{NO_RESULT, Tells, message_columns};
use crate::dataflow::Batch;
use crate::dataflow::join::keys::JoinKeys;
use crate::dataflow::join::results::{Given, Judge, Kept, Results};
use crate::dataflow::join::table_rows::{TableRow, TableRows};
use crate::error::{Error, Result};
use crate::plan::{ForeignKeyResult, MESSAGE_TYPES};
use crate::types::SqlType;

const STANDING_TYPES: [SqlType; 3] = [SqlType::Bigint, SqlType::Int, SqlType::Bigint];

/// Bytes of a changelog record of a standing, about.
const STANDING_BYTES: usize = 64;

/// The operator. Takes the messages of a [`super::ForeignKeyJoin`]. A deleted left row gives a tombstone even if it has no result;
/// else there are only tombstones of results.
pub type ForeignKeyResults = Results<Standings>;

/// What is known of left keys.
pub struct Standings {
    /// By the key's number.
    standings: Vec<Standing>,
    /// Those of `standings` that the results alone don't tell, as of the last commit.
    kept: TableRows,
    /// Keys whose standing changed since the last commit; they are users of their keys.
    touched: Vec<u32>,
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

impl ForeignKeyResults {
    pub fn new(plan: &ForeignKeyResult) -> ForeignKeyResults {
        let standings =
            Standings { standings: Vec::new(), kept: TableRows::new(1, &STANDING_TYPES), touched: Vec::new() };
        Results::of(&plan.key_types, &plan.value_types, &MESSAGE_TYPES[..1], standings)
    }

    /// Of how many keys something is known.
    #[cfg(test)]
    pub(super) fn known(&mut self) -> Result<usize> {
        self.take_up()?;
        Ok(self.judge.standings.iter().filter(|standing| standing.known).count())
    }
}

impl Standings {
    /// What is known of a key, to be changed.
    fn standing(&mut self, keys: &mut JoinKeys, id: u32) -> &mut Standing {
        let index = id as usize;
        if index >= self.standings.len() {
            self.standings.resize(index + 1, Standing::default());
        }
        let standing = &mut self.standings[index];
        if !standing.known {
            keys.retain(id);
            standing.known = true;
        }
        if !standing.touched {
            keys.retain(id);
            standing.touched = true;
            self.touched.push(id);
        }
        standing
    }

    /// Forgets a key of which nothing more is to come.
    fn settle(&mut self, kept: &mut Kept, id: u32) {
        let standing = &mut self.standings[id as usize];
        if standing.is_over() && !kept.rows.get(id).is_there() {
            *standing = Standing { touched: standing.touched, ..Standing::default() };
            kept.keys.release(id);
        }
    }

    fn restore_standing(&mut self, keys: &mut JoinKeys, id: u32, standing: Standing) {
        let index = id as usize;
        if index >= self.standings.len() {
            self.standings.resize(index + 1, Standing::default());
        }
        if !self.standings[index].known {
            keys.retain(id);
        }
        self.standings[index] = Standing { known: true, ..standing };
    }
}

impl Judge for Standings {
    fn take_in(&mut self, kept: &mut Kept, batch: &Batch) -> Result<Given> {
        let (versions, numbers) = message_columns(batch)?;
        let mut rows = batch.clone();
        rows.columns.pop();
        let arrivals = kept.rows.arrive(&mut kept.keys, &rows)?;
        let mut given = Given::default();
        for (&row, &id) in arrivals.rows.iter().zip(&arrivals.ids) {
            let (version, number) = (versions[row as usize], numbers[row as usize]);
            let tells = Tells::of(number & !NO_RESULT)?;
            let before = kept.rows.get(id);
            let standing = self.standing(&mut kept.keys, id);
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
                    given.push(row, after, before);
                }
                kept.rows.set(&mut kept.keys, id, after);
            }
            self.settle(kept, id);
        }
        Ok(given)
    }

    /// Sets the standings of restored rows.
    fn take_up(&mut self, kept: &mut Kept) -> Result<()> {
        let (results, versions) = kept.judged()?;
        let [versions] = versions.as_slice() else { return Err(not_standings()) };
        let versions = versions.as_primitive_opt::<Int64Type>().ok_or_else(not_standings)?;
        for (id, version) in results.into_iter().zip(versions.values()) {
            self.restore_standing(&mut kept.keys, id, Standing { version: *version, lives: 1, ..Standing::default() });
        }
        let noted = self.kept.ids();
        let numbers: Vec<u64> = noted.iter().map(|id| self.kept.get(*id).number).collect();
        let columns = self.kept.pick(&numbers)?;
        let [versions, lives, moves] = columns.as_slice() else { return Err(not_standings()) };
        let versions = versions.as_primitive_opt::<Int64Type>().ok_or_else(not_standings)?;
        let lives = lives.as_primitive_opt::<Int32Type>().ok_or_else(not_standings)?;
        let moves = moves.as_primitive_opt::<Int64Type>().ok_or_else(not_standings)?;
        for (at, id) in noted.into_iter().enumerate() {
            let (version, lives, moves) = (versions.value(at), lives.value(at), moves.value(at));
            self.restore_standing(&mut kept.keys, id, Standing { version, lives, moves, ..Standing::default() });
        }
        Ok(())
    }

    fn notes(&mut self) -> Option<&mut TableRows> {
        Some(&mut self.kept)
    }

    fn notes_read(&self) -> Option<&TableRows> {
        Some(&self.kept)
    }

    /// Notes the changed standings that the results alone don't tell.
    fn note(&mut self, kept: &mut Kept) -> Result<()> {
        let mut odd = Vec::new();
        for id in std::mem::take(&mut self.touched) {
            let standing = &mut self.standings[id as usize];
            standing.touched = false;
            if standing.known && !(standing.is_plain() && kept.rows.get(id).is_there()) {
                odd.push(id);
            } else {
                self.kept.remove(&mut kept.keys, id);
            }
            kept.keys.release(id);
        }
        let of = |id: &u32| self.standings[*id as usize];
        let columns: [ArrayRef; 3] = [
            Arc::new(odd.iter().map(|id| of(id).version).collect::<Int64Array>()),
            Arc::new(odd.iter().map(|id| of(id).lives).collect::<Int32Array>()),
            Arc::new(odd.iter().map(|id| of(id).moves).collect::<Int64Array>()),
        ];
        self.kept.put(&mut kept.keys, &odd, &columns, 0)
    }

    fn pending_bytes(&self) -> usize {
        self.touched.len() * STANDING_BYTES
    }

    fn bytes(&self) -> usize {
        self.standings.capacity() * size_of::<Standing>() + self.touched.capacity() * size_of::<u32>()
    }
}

fn not_standings() -> Error {
    Error::world("a record of a foreign key join's changelog can't be read")
        .hint("the changelog topic holds records that this query did not write")
}
