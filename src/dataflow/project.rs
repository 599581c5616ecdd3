//! New columns from old ones: SELECT lists, new keys, arguments of aggregates.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, NullArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::nullif;
use arrow::datatypes::DataType;

use crate::dataflow::evaluate::{Over, report};
use crate::dataflow::operator::{Context, Node, Operator};
use crate::dataflow::regroup::regroup;
use crate::dataflow::{Batch, OldRows};
use crate::error::{Error, Result};
use crate::expr::{EvalErrors, Evaluator, Input, Typed, compile};
use crate::plan::{self, Rekey};

/// Evaluates key and value expressions. A new key by PARTITION BY is made of the old key and the value: of a row without
/// value all but its key is NULL there, ROWTIME, too.
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
        let without_values = if self.rekey == Rekey::PartitionBy { without_values(&batch)? } else { None };
        let of_keys = Input { columns: without_values.as_ref().unwrap_or(&batch.columns), rows: batch.rows };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.keys.len() + self.values.len());
        columns.extend(self.keys.iter_mut().map(|key| key.evaluate(of_keys, &mut errors)));
        columns.extend(self.values.iter_mut().map(|value| value.evaluate(input, &mut errors)));
        report(errors, &batch, Over::Values, context);
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

/// The columns with NULL behind the key in rows without value; None: all have one.
fn without_values(batch: &Batch) -> Result<Option<Vec<ArrayRef>>> {
    let Some(tombstone) = batch.tombstone.as_ref().filter(|tombstone| tombstone.count_set_bits() > 0) else {
        return Ok(None);
    };
    let tombstone = BooleanArray::new(tombstone.clone(), None);
    let mut columns = batch.columns.clone();
    for column in &mut columns[batch.keys..] {
        // What nobody reads is NULL anyway.
        if column.data_type() != &DataType::Null {
            *column = nullif(column, &tombstone).map_err(|error| Error::internal(error.to_string()))?;
        }
    }
    Ok(Some(columns))
}

/// A single null column makes a null key; several columns make a key whatever is in them.
fn null_keys(batch: &Batch) -> Option<BooleanBuffer> {
    match batch.key_columns() {
        [] => Some(BooleanBuffer::new_set(batch.rows)),
        [key] => key.logical_nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| !nulls.inner()),
        _ => None,
    }
}
