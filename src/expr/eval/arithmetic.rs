//! `+ - * / %` and the minus sign. Integers wrap, doubles are IEEE's, decimals are exact or fail.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, Decimal256Array, PrimitiveArray};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Decimal256Type, Int32Type, Int64Type, i256};

use super::{Column, Failures, Rows, both_failed, is_failed};
use crate::expr::EvalErrors;
use crate::expr::decimal::{self, Rounding};
use crate::expr::typed::Arithmetic;
use crate::types::SqlType;

const NULL_OPERAND: &str = "NULL in arithmetic";

/// Scales of a decimal operation's operands, and precision and scale of its result.
#[derive(Clone, Copy, Default)]
pub(super) struct Scales {
    left: u32,
    right: u32,
    precision: u32,
    scale: u32,
}

impl Scales {
    pub fn of(left: &SqlType, right: &SqlType, result: &SqlType) -> Scales {
        match (left, right, result) {
            (
                SqlType::Decimal { scale: left, .. },
                SqlType::Decimal { scale: right, .. },
                SqlType::Decimal { precision, scale },
            ) => Scales { left: *left, right: *right, precision: *precision, scale: *scale },
            _ => Scales::default(),
        }
    }
}

pub(super) fn binary(
    op: Arithmetic,
    left: Column,
    right: Column,
    scales: Scales,
    rows: Rows<'_>,
    errors: &mut EvalErrors,
) -> Column {
    let left = if right.is_scalar { left.expand(rows.count) } else { left };
    let before = both_failed(&left, &right);
    let mut failures = Failures::new(rows, errors);
    fail_nulls(&[&left, &right], &before, &mut failures);
    let array: ArrayRef = match (left.array.data_type(), op) {
        (DataType::Decimal256(..), _) => decimals(op, &left, &right, scales, &mut failures),
        (DataType::Int32, Arithmetic::Divide | Arithmetic::Modulo) => {
            divide::<Int32Type>(op, &left, &right, &mut failures)
        }
        (DataType::Int64, Arithmetic::Divide | Arithmetic::Modulo) => {
            divide::<Int64Type>(op, &left, &right, &mut failures)
        }
        _ => kernel(op, &left, &right, rows.count),
    };
    Column::rows(array).with_failed(before).with_failed(failures.into_mask())
}

/// Reports the rows where an operand is NULL of itself.
fn fail_nulls(operands: &[&Column], before: &Option<arrow::buffer::BooleanBuffer>, failures: &mut Failures<'_, '_>) {
    if operands.iter().all(|operand| operand.array.null_count() == 0) {
        return;
    }
    for row in 0..failures.rows.count {
        if operands.iter().any(|operand| operand.is_null(row)) && !is_failed(before, row) {
            failures.fail(row, NULL_OPERAND);
        }
    }
}

/// Where Arrow's semantics are the language's.
fn kernel(op: Arithmetic, left: &Column, right: &Column, count: usize) -> ArrayRef {
    let (a, b) = (left.datum(), right.datum());
    let result = match op {
        Arithmetic::Add => numeric::add_wrapping(a.as_ref(), b.as_ref()),
        Arithmetic::Subtract => numeric::sub_wrapping(a.as_ref(), b.as_ref()),
        Arithmetic::Multiply => numeric::mul_wrapping(a.as_ref(), b.as_ref()),
        Arithmetic::Divide | Arithmetic::DivideRounded => numeric::div(a.as_ref(), b.as_ref()),
        Arithmetic::Modulo => numeric::rem(a.as_ref(), b.as_ref()),
    };
    // Operands have one numeric type by the type check; doubles never fail.
    result.unwrap_or_else(|_| arrow::array::new_null_array(left.array.data_type(), count))
}

fn divide<T: ArrowPrimitiveType>(
    op: Arithmetic,
    left: &Column,
    right: &Column,
    failures: &mut Failures<'_, '_>,
) -> ArrayRef {
    let (a, b) = (left.array.as_primitive::<T>(), right.array.as_primitive::<T>());
    let array: PrimitiveArray<T> = (0..failures.rows.count)
        .map(|row| {
            let (i, j) = (left.at(row), right.at(row));
            if a.is_null(i) || b.is_null(j) {
                return None;
            }
            let (x, y) = (a.value(i), b.value(j));
            if y.is_zero() {
                failures.fail(row, "Division by zero");
                return None;
            }
            Some(if op == Arithmetic::Divide { x.div_wrapping(y) } else { x.mod_wrapping(y) })
        })
        .collect();
    Arc::new(array)
}

fn decimals(
    op: Arithmetic,
    left: &Column,
    right: &Column,
    scales: Scales,
    failures: &mut Failures<'_, '_>,
) -> ArrayRef {
    let (a, b) = (left.array.as_primitive::<Decimal256Type>(), right.array.as_primitive::<Decimal256Type>());
    let array: Decimal256Array = (0..failures.rows.count)
        .map(|row| {
            let (i, j) = (left.at(row), right.at(row));
            if a.is_null(i) || b.is_null(j) {
                return None;
            }
            match exact(op, a.value(i), b.value(j), scales) {
                Ok(value) => Some(value),
                Err(reason) => {
                    failures.fail(row, reason);
                    None
                }
            }
        })
        .collect();
    let ty = SqlType::Decimal { precision: scales.precision, scale: scales.scale };
    Arc::new(array.with_data_type(ty.to_arrow()))
}

fn exact(op: Arithmetic, left: i256, right: i256, scales: Scales) -> Result<i256, &'static str> {
    const OVERFLOW: &str = "Numeric field overflow";
    let Scales { left: left_scale, right: right_scale, precision, scale } = scales;
    let aligned = |value: i256, from: u32, to: u32| decimal::rescale(value, from, to, Rounding::Unnecessary);
    let widest = left_scale.max(right_scale);
    let (unscaled, from) = match op {
        Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Modulo => {
            let x = aligned(left, left_scale, widest).ok_or(OVERFLOW)?;
            let y = aligned(right, right_scale, widest).ok_or(OVERFLOW)?;
            let result = match op {
                Arithmetic::Add => x.checked_add(y),
                Arithmetic::Subtract => x.checked_sub(y),
                _ if y == i256::ZERO => return Err("Division by zero"),
                _ => x.checked_rem(y),
            };
            (result.ok_or(OVERFLOW)?, widest)
        }
        Arithmetic::Multiply => (left.checked_mul(right).ok_or(OVERFLOW)?, left_scale + right_scale),
        Arithmetic::Divide | Arithmetic::DivideRounded => {
            if right == i256::ZERO {
                return Err("Division by zero");
            }
            // left / 10^l divided by right / 10^r with `scale` digits: left * 10^(scale + r - l) / right.
            let dividend = match (scale + right_scale).checked_sub(left_scale) {
                Some(up) => decimal::pow10(up).and_then(|factor| left.checked_mul(factor)),
                None => decimal::rescale(left, left_scale, scale + right_scale, Rounding::Unnecessary),
            };
            let rounding = if op == Arithmetic::Divide { Rounding::Unnecessary } else { Rounding::HalfUp };
            let quotient = decimal::divide(dividend.ok_or(OVERFLOW)?, right, rounding);
            (quotient.ok_or("Rounding necessary")?, scale)
        }
    };
    let value = decimal::rescale(unscaled, from, scale, Rounding::Unnecessary).ok_or("Rounding necessary")?;
    if decimal::fits(value, precision) { Ok(value) } else { Err(OVERFLOW) }
}

pub(super) fn negate(operand: Column, rows: Rows<'_>, errors: &mut EvalErrors) -> Column {
    let operand = operand.expand(rows.count);
    let before = operand.failed.clone();
    let mut failures = Failures::new(rows, errors);
    fail_nulls(&[&operand], &before, &mut failures);
    let array = numeric::neg_wrapping(operand.array.as_ref()).unwrap_or(operand.array);
    Column::rows(array).with_failed(before).with_failed(failures.into_mask())
}
