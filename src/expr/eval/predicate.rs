//! IS NULL, BETWEEN, IN.

use arrow::array::{Array, AsArray};
use arrow::buffer::BooleanBuffer;

use super::bind::Plan;
use super::compare::{compare, finish, finish_known};
use super::{Column, Rows, both_failed, either};
use crate::expr::EvalErrors;
use crate::expr::typed::{Comparison, Nulls};

pub(super) fn is_null(operand: Column, negated: bool, rows: Rows<'_>) -> Column {
    let operand = operand.expand(rows.count);
    let valid = match operand.array.logical_nulls() {
        Some(nulls) => nulls.inner().clone(),
        None => BooleanBuffer::new_set(rows.count),
    };
    finish(if negated { valid } else { !&valid }, operand.failed)
}

/// Where the column isn't NULL.
fn known(column: &Column, rows: Rows<'_>) -> BooleanBuffer {
    match column.array.nulls() {
        Some(nulls) => nulls.inner().clone(),
        None => BooleanBuffer::new_set(rows.count),
    }
}

fn truths(column: &Column) -> &BooleanBuffer {
    column.array.as_boolean().values()
}

pub(super) fn between(
    operand: &Plan,
    low: &Plan,
    high: &Plan,
    (negated, nulls): (bool, Nulls),
    rows: Rows<'_>,
    errors: &mut EvalErrors,
) -> Column {
    let value = operand.run(rows, errors);
    let (low_column, high_column) = (low.run(rows, errors), high.run(rows, errors));
    let above = compare(Comparison::GreaterEqual, value.clone(), low_column, (&operand.ty, &low.ty), nulls, rows);
    let below = compare(Comparison::LessEqual, value, high_column, (&operand.ty, &high.ty), nulls, rows);
    if nulls == Nulls::Unknown {
        let (above_known, below_known) = (known(&above, rows), known(&below, rows));
        let inside = &(truths(&above) & &above_known) & &(truths(&below) & &below_known);
        let outside = &(&!truths(&above) & &above_known) | &(&!truths(&below) & &below_known);
        let decided = &inside | &outside;
        return finish_known(if negated { !&inside } else { inside }, &decided, both_failed(&above, &below));
    }
    let inside = truths(&above) & truths(&below);
    finish(if negated { !&inside } else { inside }, both_failed(&above, &below))
}

pub(super) fn in_list(
    operand: &Plan,
    list: &[Plan],
    (negated, nulls): (bool, Nulls),
    rows: Rows<'_>,
    errors: &mut EvalErrors,
) -> Column {
    let value = operand.run(rows, errors);
    let mut failed = value.failed.clone();
    let mut found = BooleanBuffer::new_unset(rows.count);
    let mut all_known = BooleanBuffer::new_set(rows.count);
    for item in list {
        let other = item.run(rows, errors);
        let equal = compare(Comparison::Equal, value.clone(), other, (&operand.ty, &item.ty), nulls, rows);
        let is_known = known(&equal, rows);
        found = &found | &(truths(&equal) & &is_known);
        all_known = &all_known & &is_known;
        failed = either(failed, equal.failed);
    }
    if nulls == Nulls::Unknown {
        let decided = &found | &all_known;
        return finish_known(if negated { !&found } else { found }, &decided, failed);
    }
    finish(if negated { !&found } else { found }, failed)
}
