//! The third part: the pairs that are there.
//!
//! Its changelog is that of one table (see `table_rows`): the pairs' values and the versions of their rows, by both keys.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::dataflow::Batch;
use crate::dataflow::join::results::{Given, Judge, Kept, Results};
use crate::dataflow::join::table_rows::TableRow;
use crate::error::{Error, Result};
use crate::plan::{ManyToManyResult, PAIR_TYPES};

/// The operator. Takes the messages of a [`super::ManyToManyJoin`]; gives a change for each that changes a pair or ends it.
pub type ManyToManyResults = Results<Pairs>;

/// What is known of pairs.
#[derive(Default)]
pub struct Pairs {
    /// By the key's number: the versions of the pair that is there.
    versions: Vec<Versions>,
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

impl ManyToManyResults {
    pub fn new(plan: &ManyToManyResult) -> ManyToManyResults {
        Results::of(&plan.key_types, &plan.value_types, &PAIR_TYPES[..2], Pairs::default())
    }

    /// How many pairs are there.
    #[cfg(test)]
    pub(super) fn pairs(&self) -> usize {
        self.kept.rows.len()
    }
}

impl Pairs {
    /// Makes room for all keys.
    fn reserve(&mut self, kept: &Kept) {
        self.versions.resize(self.versions.len().max(kept.keys.capacity()), Versions::default());
    }
}

impl Judge for Pairs {
    fn take_in(&mut self, kept: &mut Kept, batch: &Batch) -> Result<Given> {
        let own: &[ArrayRef] = batch.columns.last_chunk::<{ PAIR_TYPES.len() }>().map_or(&[], |own| own);
        let [left, right, there] = own else { return Err(not_pairs()) };
        let (Some(versions), Some(there)) = (versions_of(left, right), there.as_primitive_opt::<Int32Type>()) else {
            return Err(not_pairs());
        };
        let mut rows = batch.clone();
        rows.columns.pop();
        let arrivals = kept.rows.arrive(&mut kept.keys, &rows)?;
        self.reserve(kept);
        let mut given = Given::default();
        for (&row, &id) in arrivals.rows.iter().zip(&arrivals.ids) {
            let told = versions[row as usize];
            let before = kept.rows.get(id);
            if before.is_there() && !told.is_not_before(self.versions[id as usize]) {
                continue;
            }
            let after = if there.value(row as usize) == 1 { arrivals.row(row) } else { TableRow::NONE };
            if before.is_there() || after.is_there() {
                given.push(row, after, before);
                self.versions[id as usize] = told;
                kept.rows.set(&mut kept.keys, id, after);
            }
        }
        Ok(given)
    }

    /// Sets the versions of restored pairs.
    fn take_up(&mut self, kept: &mut Kept) -> Result<()> {
        let (ids, columns) = kept.judged()?;
        let [left, right] = columns.as_slice() else { return Err(not_pairs()) };
        let versions = versions_of(left, right).ok_or_else(not_pairs)?;
        self.reserve(kept);
        ids.into_iter().zip(versions).for_each(|(id, versions)| self.versions[id as usize] = versions);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.versions.capacity() * size_of::<Versions>()
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
