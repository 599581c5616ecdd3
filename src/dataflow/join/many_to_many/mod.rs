//! Two tables joined by what is neither one's key: each pair of their rows that meet, keyed by both keys. Of an outer join, a row
//! that meets none, too, keyed by its own key beside nulls.
//!
//! As with a foreign key (see `foreign_key`), rows of one key and those that they meet lie in different partitions, and there
//! are three parts with an exchange between each two:
//!
//! 1. `ForeignKeys`, where each table is: makes of each change messages to the partition of what the row meets others by.
//! 2. [`ManyToManyJoin`]: keeps the rows of both tables by that, and sends of each change the pairs that it makes or ends to the
//!    partition of their key.
//! 3. [`ManyToManyResults`]: keeps the pairs and gives the changes.
//!
//! A row that moves leaves one partition of the second part and comes to another; what they send may come in any order. So a pair
//! is told of with the versions of its two rows, of which each only grows for one row of a table. Whatever is older, by one of
//! both, than the pair that is there is too late and is dropped. Each partition tells in order and of the end of all that it
//! has told of, and the newest versions of both rows are known in the partition where both are now, if there is one: so what is
//! there once all has come is right, and nothing needs to be remembered of pairs that aren't there.
//!
//! Whether a row is alone is known where it is: the rows that it would meet come there. It is told of with the row's version
//! in the place of both. Who leaves takes leave with the version that it had, and is older so than what is told of it where it
//! comes to.
//!
//! A message's own columns are the versions of the left and the right row (BIGINT) and whether the pair, or the row alone,
//! is there (INT, 1 or 0), and stand last.

mod join;
mod results;

#[cfg(test)]
mod tests;

pub use join::ManyToManyJoin;
pub use results::ManyToManyResults;
