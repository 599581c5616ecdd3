//! `array[i]`, `map['k']`, `struct->field`. What isn't there is NULL.

use arrow::array::{Array, AsArray, BooleanArray, UInt32Array};
use arrow::compute::nullif;
use arrow::datatypes::Int64Type;

use super::bind::Plan;
use super::{Column, Rows, both_failed, pick};
use crate::expr::EvalErrors;

/// Counted from 1, negative from the end.
pub(super) fn array_item(base: &Plan, index: &Plan, rows: Rows<'_>, errors: &mut EvalErrors) -> Column {
    let (base, index) = (base.run(rows, errors), index.run(rows, errors));
    let list = base.array.as_list::<i32>();
    let positions = index.array.as_primitive::<Int64Type>();
    let offsets = list.value_offsets();
    let entries: UInt32Array = (0..rows.count)
        .map(|row| {
            if base.is_null(row) || index.is_null(row) {
                return None;
            }
            let at = base.at(row);
            let (start, end) = (i64::from(offsets[at]), i64::from(offsets[at + 1]));
            let position = positions.value(index.at(row));
            let entry = if position > 0 { start.checked_add(position - 1)? } else { end.checked_add(position)? };
            (position != 0 && entry >= start && entry < end).then_some(entry as u32)
        })
        .collect();
    Column::rows(pick(list.values(), &entries)).with_failed(both_failed(&base, &index))
}

pub(super) fn map_item(base: &Plan, key: &Plan, rows: Rows<'_>, errors: &mut EvalErrors) -> Column {
    let (base, key) = (base.run(rows, errors), key.run(rows, errors));
    let map = base.array.as_map();
    let keys = map.keys().as_string::<i32>();
    let wanted = key.array.as_string::<i32>();
    let offsets = map.value_offsets();
    let entries: UInt32Array = (0..rows.count)
        .map(|row| {
            if base.is_null(row) || key.is_null(row) {
                return None;
            }
            let at = base.at(row);
            let wanted = wanted.value(key.at(row));
            (offsets[at]..offsets[at + 1]).find(|entry| keys.value(*entry as usize) == wanted).map(|entry| entry as u32)
        })
        .collect();
    Column::rows(pick(map.values(), &entries)).with_failed(both_failed(&base, &key))
}

pub(super) fn field(base: Column, index: usize) -> Column {
    let structs = base.array.as_struct();
    let child = structs.column(index);
    let array = match structs.nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            let absent = BooleanArray::new(!nulls.inner(), None);
            nullif(child.as_ref(), &absent).unwrap_or_else(|_| child.clone())
        }
        _ => child.clone(),
    };
    Column { array, is_scalar: base.is_scalar, failed: base.failed }
}
