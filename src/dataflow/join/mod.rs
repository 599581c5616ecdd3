//! Joins: rows of two sides that meet by their keys. Don't know SQL, topics or where a side's rows come from.

mod columns;
mod stream_stream;

use crate::dataflow::operator::JoinOperator;
use crate::error::{Error, Result};
use crate::plan::{Join, JoinMethod};
use stream_stream::StreamStreamJoin;

/// The operator of a join.
///
/// Errors: the plan asks for what it can't do.
pub fn join(plan: &Join) -> Result<Box<dyn JoinOperator>> {
    match plan.method {
        JoinMethod::StreamStream { .. } => Ok(Box::new(StreamStreamJoin::new(plan)?)),
        JoinMethod::StreamTable => Err(Error::not_supported("a stream-table join", "it comes with a later version")),
        JoinMethod::TableTable => Err(Error::not_supported("a table-table join", "it comes with a later version")),
    }
}
