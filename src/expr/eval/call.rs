//! Calls of scalar functions, and their lambdas. An argument that failed arrives as NULL.

use std::cell::RefCell;

use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::nullif;

use super::bind::{CallPlan, LambdaPlan};
use super::{Column, Rows, pick, repeat};
use crate::expr::EvalErrors;
use crate::expr::functions::{Args, LambdaBody, ScalarCall};
use crate::types::SqlType;

pub(super) fn run(plan: &CallPlan, returns: &SqlType, rows: Rows<'_>, errors: &mut EvalErrors) -> Column {
    let args = Args::new(plan.args.iter().map(|arg| arg.run(rows, errors)), rows.count);
    let settled = RefCell::new(EvalErrors::default());
    let bound: Vec<BoundLambda<'_>> =
        plan.lambdas.iter().map(|lambda| BoundLambda { plan: lambda, rows, settled: &settled }).collect();
    let lambdas: Vec<&dyn LambdaBody> = bound.iter().map(|lambda| lambda as &dyn LambdaBody).collect();
    let mut own = EvalErrors::default();
    let array = (plan.call)(&mut ScalarCall {
        args: &args,
        arg_types: &plan.arg_types,
        lambdas: &lambdas,
        rows: rows.count,
        returns,
        errors: &mut own,
    });
    errors.absorb(settled.into_inner(), |row| rows.row(row));
    if own.is_empty() {
        return Column::rows(array);
    }
    let failed = own.failed_mask(rows.count);
    errors.absorb(own, |row| rows.row(row));
    Column::rows(without(array, &failed)).with_failed(Some(failed))
}

/// NULL in the failed rows.
fn without(array: ArrayRef, failed: &BooleanBuffer) -> ArrayRef {
    let failed = BooleanArray::new(failed.clone(), None);
    nullif(array.as_ref(), &failed).unwrap_or(array)
}

struct BoundLambda<'a> {
    plan: &'a LambdaPlan,
    rows: Rows<'a>,
    /// What failed in the bodies, but was an argument there: the call goes on.
    settled: &'a RefCell<EvalErrors>,
}

impl LambdaBody for BoundLambda<'_> {
    fn evaluate(&self, params: &[ArrayRef], outer: &[u32], rows: usize, errors: &mut EvalErrors) -> ArrayRef {
        let entries = UInt32Array::from(outer.to_vec());
        let mut columns = self.rows.columns.to_vec();
        for index in &self.plan.body.columns {
            columns[*index] = pick(&columns[*index], &entries);
        }
        let mut all: Vec<ArrayRef> =
            self.rows.params[..self.plan.first].iter().map(|param| pick(param, &entries)).collect();
        all.extend(params.iter().take(self.plan.params).cloned());
        let inner = Rows { columns: &columns, params: &all, count: rows, origin: Some(outer) };
        let mut own = EvalErrors::default();
        let column = self.plan.body.run(inner, &mut own);
        let mut is_failed = vec![false; self.rows.count];
        for entry in column.failed.iter().flat_map(BooleanBuffer::set_indices) {
            is_failed[outer[entry] as usize] = true;
        }
        let (failing, settled) = own.split(|row| is_failed[row]);
        errors.absorb(failing, |row| row);
        self.settled.borrow_mut().absorb(settled, |row| row);
        if column.is_scalar { repeat(&column.array, rows) } else { column.array }
    }
}
