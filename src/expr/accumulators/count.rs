//! COUNT.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::Int64Type;

use super::Made;
use crate::expr::EvalErrors;
use crate::expr::accumulator::Accumulator;
use crate::expr::accumulator::AggregateCall;
use crate::types::SqlType;

/// COUNT(x): rows whose x is not NULL; without an argument all rows.
pub(crate) fn count(_call: &AggregateCall) -> Made {
    Ok(Box::new(Count::default()))
}

#[derive(Default)]
struct Count {
    counts: Vec<i64>,
}

impl Count {
    fn change(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], by: i64) {
        match args.first().and_then(|arg| arg.logical_nulls()).filter(|nulls| nulls.null_count() > 0) {
            None => groups.iter().for_each(|&group| self.counts[group as usize] += by),
            Some(nulls) => {
                for (&row, &group) in rows.iter().zip(groups) {
                    self.counts[group as usize] += if nulls.is_valid(row as usize) { by } else { 0 };
                }
            }
        }
    }
}

impl Accumulator for Count {
    fn returns(&self) -> &SqlType {
        &SqlType::Bigint
    }

    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn update(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], _errors: &mut EvalErrors) {
        self.change(args, rows, groups, 1);
    }

    fn update_each(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], _errors: &mut EvalErrors) -> ArrayRef {
        let nulls = args.first().and_then(|arg| arg.logical_nulls()).filter(|nulls| nulls.null_count() > 0);
        let after = rows.iter().zip(groups).map(|(&row, &group)| {
            let count = &mut self.counts[group as usize];
            *count += i64::from(!nulls.as_ref().is_some_and(|nulls| nulls.is_null(row as usize)));
            *count
        });
        Arc::new(Int64Array::from_iter_values(after))
    }

    fn undo(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], _errors: &mut EvalErrors) {
        self.change(args, rows, groups, -1);
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn emit(&self, groups: &[u32]) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(groups.iter().map(|&group| self.counts[group as usize])))
    }

    fn merge(&mut self, from: u32, into: u32) {
        self.counts[into as usize] += self.counts[from as usize];
    }

    fn reset(&mut self, group: u32) {
        self.counts[group as usize] = 0;
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        vec![self.emit(groups)]
    }

    fn state_types(&self) -> Vec<SqlType> {
        vec![SqlType::Bigint]
    }

    fn restore(&mut self, state: &[ArrayRef], rows: &[u32], groups: &[u32]) {
        let counts = state[0].as_primitive::<Int64Type>();
        for (&row, &group) in rows.iter().zip(groups) {
            self.counts[group as usize] = counts.value(row as usize);
        }
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * 8
    }

    fn group_bytes(&self, _group: u32) -> usize {
        8
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}
