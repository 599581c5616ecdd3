//! New columns from old ones: SELECT lists, new keys, arguments of aggregates.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, NullArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::nullif;

use crate::dataflow::evaluate::{Over, report};
use crate::dataflow::operator::{Context, Node, Operator};
use crate::dataflow::regroup::regroup;
use crate::dataflow::{Batch, OldRows};
use crate::error::{Error, Result};
use crate::expr::{EvalErrors, Evaluator, Input, Typed, compile};
use crate::plan::{self, Rekey};

/// Evaluates key and value expressions. A row without value has no new key either: all of it is NULL, whatever the
/// expressions give (ROWTIME).
pub struct Project {
    keys: Vec<Made>,
    values: Vec<Made>,
    rekey: Rekey,
}

/// Where a column comes from. A plain column goes on as it is, also when nobody reads it and it holds no values.
enum Made {
    Column(usize),
    Unread,
    Evaluated(Evaluator),
}

impl Made {
    fn new(typed: &Typed) -> Result<Made> {
        Ok(match typed.as_column() {
            Some(index) => Made::Column(index),
            None if typed.is_unread() => Made::Unread,
            None => Made::Evaluated(compile(typed)?),
        })
    }

    fn evaluate(&mut self, input: Input<'_>, errors: &mut EvalErrors) -> ArrayRef {
        match self {
            Made::Column(index) => input.columns[*index].clone(),
            Made::Unread => Arc::new(NullArray::new(input.rows)),
            Made::Evaluated(evaluator) => evaluator.evaluate(input, errors),
        }
    }
}

impl Project {
    pub fn new(spec: &plan::Project) -> Result<Self> {
        Ok(Project {
            keys: spec.keys.iter().map(Made::new).collect::<Result<_>>()?,
            values: spec.values.iter().map(Made::new).collect::<Result<_>>()?,
            rekey: spec.rekey,
        })
    }
}

impl Operator for Project {
    fn push(&mut self, mut batch: Batch, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        let mut errors = EvalErrors::default();
        let input = Input { columns: &batch.columns, rows: batch.rows };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.keys.len() + self.values.len());
        for evaluator in self.keys.iter_mut().chain(&mut self.values) {
            columns.push(evaluator.evaluate(input, &mut errors));
        }
        report(errors, &batch, Over::Values, context);
        if self.rekey == Rekey::PartitionBy
            && let Some(tombstone) = &batch.tombstone
        {
            let without_value = BooleanArray::new(tombstone.clone(), None);
            for key in &mut columns[..self.keys.len()] {
                *key = nullif(key, &without_value).map_err(|error| Error::internal(error.to_string()))?;
            }
        }
        let mut old_keys = Vec::new();
        let old = batch.old.take().map(|old| {
            let columns: Vec<ArrayRef> = batch.columns[..batch.keys].iter().chain(&old.columns).cloned().collect();
            let input = Input { columns: &columns, rows: batch.rows };
            let mut ignored = EvalErrors::default();
            if self.rekey == Rekey::GroupBy {
                old_keys = self.keys.iter_mut().map(|key| key.evaluate(input, &mut ignored)).collect();
            }
            let columns = self.values.iter_mut().map(|value| value.evaluate(input, &mut ignored)).collect();
            OldRows { columns, present: old.present }
        });
        batch.old = old;
        batch.columns = columns;
        batch.keys = self.keys.len();
        if self.rekey != Rekey::Keep {
            batch.null_key = null_keys(&batch);
            batch.window = None;
        }
        if !old_keys.is_empty() {
            batch = regroup(&batch, &old_keys)?;
        }
        out.push(batch);
        Ok(())
    }
}

impl Node for Project {}

/// A single null column makes a null key; several columns make a key whatever is in them.
fn null_keys(batch: &Batch) -> Option<BooleanBuffer> {
    match batch.key_columns() {
        [] => Some(BooleanBuffer::new_set(batch.rows)),
        [key] => key.logical_nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| !nulls.inner()),
        _ => None,
    }
}
