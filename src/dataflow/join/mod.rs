//! Joins: rows of two sides that meet by their keys. Don't know SQL, topics or where a side's rows come from.

mod columns;
mod condition;
mod foreign_key;
mod held;
mod keys;
mod many_to_many;
mod order;
mod pieces;
mod results;
mod stream_stream;
mod stream_table;
mod table_rows;
mod table_table;
mod versions;

#[cfg(test)]
mod table_tests;

pub use foreign_key::{ForeignKeyResults, ForeignKeys};
pub use many_to_many::ManyToManyResults;

use crate::dataflow::join::foreign_key::ForeignKeyJoin;
use crate::dataflow::join::many_to_many::ManyToManyJoin;
use crate::dataflow::join::stream_stream::StreamStreamJoin;
use crate::dataflow::join::stream_table::StreamTableJoin;
use crate::dataflow::join::table_table::TableTableJoin;
use crate::dataflow::operator::JoinOperator;
use crate::error::Result;
use crate::plan::{Join, JoinMethod};

/// The operator of a join.
///
/// Errors: the plan asks for what it can't do.
pub fn join(plan: &Join) -> Result<Box<dyn JoinOperator>> {
    Ok(match plan.method {
        JoinMethod::StreamStream { .. } => Box::new(StreamStreamJoin::new(plan)?),
        JoinMethod::StreamTable => Box::new(StreamTableJoin::new(plan)?),
        JoinMethod::TableTable => Box::new(TableTableJoin::new(plan)?),
        JoinMethod::ForeignKey { left_keys } => Box::new(ForeignKeyJoin::new(plan, left_keys)?),
        JoinMethod::ManyToMany { left_keys, right_keys } => Box::new(ManyToManyJoin::new(plan, left_keys, right_keys)?),
    })
}
