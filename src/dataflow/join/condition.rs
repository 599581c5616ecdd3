//! What else must be TRUE for two rows to match.

use arrow::buffer::BooleanBuffer;

use crate::dataflow::Batch;
use crate::dataflow::evaluate::{Over, report};
use crate::dataflow::operator::Context;
use crate::error::Result;
use crate::expr::{EvalErrors, Evaluator, Input, compile};
use crate::plan::Join;

pub(super) struct Condition {
    predicate: Evaluator,
}

impl Condition {
    /// None: the keys alone decide.
    pub fn of(plan: &Join) -> Result<Option<Condition>> {
        let condition = plan.condition.as_ref().map(|typed| Ok(Condition { predicate: compile(typed)? }));
        condition.transpose()
    }

    /// Which of the pairs match: the rows of a batch with the columns that the join gives.
    pub fn matches(&mut self, pairs: &Batch, context: &mut Context) -> BooleanBuffer {
        let mut errors = EvalErrors::default();
        let input = Input { columns: &pairs.columns, rows: pairs.rows };
        let matches = self.predicate.filter(input, &mut errors);
        report(errors, pairs, Over::Values, context);
        matches
    }

    /// Which of the pairs matched when they were new; what failed then was told then.
    pub fn matched(&mut self, pairs: &Batch) -> BooleanBuffer {
        let input = Input { columns: &pairs.columns, rows: pairs.rows };
        self.predicate.filter(input, &mut EvalErrors::default())
    }
}
