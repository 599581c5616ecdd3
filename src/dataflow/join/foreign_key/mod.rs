//! A table joined with another one whose key is the left rows' foreign key: an inner or a left join, keyed by the left key.
//!
//! Rows of one left key and of one foreign key lie in different partitions. So the join has three parts, with an exchange
//! between each two:
//!
//! 1. [`ForeignKeys`], where the left table is: makes of each change messages to the partition of the foreign key.
//! 2. [`ForeignKeyJoin`], where the right table is: keeps for each foreign key the left rows that have it, joins them when they come
//!    and again whenever the right row changes, and sends the results as messages to the partition of the left key.
//! 3. [`ForeignKeyResults`], where the left table is: keeps the last result of each left key and gives the changes.
//!
//! A left row that gets another foreign key leaves one partition and comes to another; the two answer in any order. Each change of
//! the left table therefore has a version, a number that only grows for one left key, and so does what is made of it: of an
//! older version than one already seen, a result is too late and is dropped. Whoever leaves a partition is told of as well,
//! behind everything else from there: once all that came has left, the third part can forget a left key that is gone. (A left
//! row that came and went before, and whose messages are later than those of a whole life under another foreign key, appears
//! until it is told that it left.)
//!
//! A message's own columns are the version (BIGINT) and what it tells (INT, see [`Tells`]), and stand last. They go through
//! internal topics: the numbers are for ever.

mod join;
mod results;
mod send;
mod subscriptions;

#[cfg(test)]
mod tests;

pub use join::ForeignKeyJoin;
pub use results::ForeignKeyResults;
pub use send::ForeignKeys;
pub(super) use subscriptions::Subscriptions;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::dataflow::Batch;
use crate::error::{Error, Result};
use crate::plan::MESSAGE_TYPES;

/// What a message tells of a left row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    /// It changed and has the foreign key that it had; behind the join also: the right row changed.
    Changed,
    /// It is new.
    New,
    /// It came from another foreign key.
    Came,
    /// It went to another foreign key. It has no values.
    Left,
    /// It was deleted. It has no values.
    Deleted,
}

/// Added to what a message behind the join tells: there is no result.
const NO_RESULT: i32 = 8;

impl Tells {
    fn number(self) -> i32 {
        match self {
            Tells::Changed => 0,
            Tells::New => 1,
            Tells::Came => 2,
            Tells::Left => 3,
            Tells::Deleted => 4,
        }
    }

    pub fn of(number: i32) -> Result<Tells> {
        let all = [Tells::Changed, Tells::New, Tells::Came, Tells::Left, Tells::Deleted];
        let found = all.into_iter().find(|tells| tells.number() == number);
        found.ok_or_else(|| Error::internal(format!("a foreign key join got the message {number}")))
    }
}

/// The messages' own columns: the versions, and what they tell.
pub(super) fn message_columns(batch: &Batch) -> Result<(&[i64], &[i32])> {
    let own: &[ArrayRef] = batch.columns.last_chunk::<{ MESSAGE_TYPES.len() }>().map_or(&[], |own| own);
    let versions = own.first().and_then(|column| column.as_primitive_opt::<Int64Type>());
    let tells = own.last().and_then(|column| column.as_primitive_opt::<Int32Type>());
    match versions.zip(tells) {
        Some((versions, tells)) => Ok((versions.values(), tells.values())),
        None => Err(Error::internal("rows came to a foreign key join that are no messages")),
    }
}
