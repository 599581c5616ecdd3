//! ARRAY[..], MAP(..), STRUCT(..). A part that fails is NULL in the whole.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::interleave;

use super::bind::Plan;
use super::values::{list_array, map_array, struct_array};
use super::{Column, Failures, Rows, nulls};
use crate::expr::EvalErrors;
use crate::types::SqlType;

fn run_all(plans: &[Plan], rows: Rows<'_>, errors: &mut EvalErrors) -> Vec<Column> {
    plans.iter().map(|plan| plan.run(rows, errors)).collect()
}

/// Entries (which column, which row) put one after another.
fn gather(columns: &[Column], entries: &[(usize, usize)], ty: &SqlType) -> ArrayRef {
    let arrays: Vec<&dyn Array> = columns.iter().map(|column| column.array.as_ref()).collect();
    interleave(&arrays, entries).unwrap_or_else(|_| nulls(ty, entries.len()))
}

pub(super) fn array(items: &[Plan], ty: &SqlType, rows: Rows<'_>, errors: &mut EvalErrors) -> Column {
    let SqlType::Array(item) = ty else { return Column::rows(nulls(ty, rows.count)) };
    let columns = run_all(items, rows, errors);
    let entries: Vec<(usize, usize)> = (0..rows.count)
        .flat_map(|row| columns.iter().enumerate().map(move |(k, column)| (k, column.at(row))))
        .collect();
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(items.len(), rows.count));
    Column::rows(list_array(offsets, gather(&columns, &entries, item), None, item))
}

pub(super) fn map(entries: &[(Plan, Plan)], ty: &SqlType, rows: Rows<'_>, errors: &mut EvalErrors) -> Column {
    let SqlType::Map(value_type) = ty else { return Column::rows(nulls(ty, rows.count)) };
    let keys: Vec<Column> = entries.iter().map(|(key, _)| key.run(rows, errors)).collect();
    let values: Vec<Column> = entries.iter().map(|(_, value)| value.run(rows, errors)).collect();
    let mut failures = Failures::new(rows, errors);
    let (mut key_entries, mut value_entries, mut lengths) = (Vec::new(), Vec::new(), Vec::with_capacity(rows.count));
    for row in 0..rows.count {
        let first = key_entries.len();
        for (k, key) in keys.iter().enumerate() {
            if key.is_null(row) {
                failures.fail(row, "NULL as a key of a MAP");
                continue;
            }
            let text = key.array.as_string::<i32>().value(key.at(row));
            let known = key_entries[first..]
                .iter()
                .position(|(other, at): &(usize, usize)| keys[*other].array.as_string::<i32>().value(*at) == text);
            let value = (k, values[k].at(row));
            match known {
                Some(at) => value_entries[first + at] = value,
                None => {
                    key_entries.push((k, key.at(row)));
                    value_entries.push(value);
                }
            }
        }
        lengths.push(key_entries.len() - first);
    }
    let offsets = OffsetBuffer::from_lengths(lengths);
    let failed = failures.into_mask();
    let valid = failed.as_ref().map(|failed| arrow::buffer::NullBuffer::new(!failed));
    let keys = gather(&keys, &key_entries, &SqlType::String);
    let values = gather(&values, &value_entries, value_type);
    Column::rows(map_array(offsets, keys, values, valid, value_type)).with_failed(failed)
}

pub(super) fn structure(fields: &[Plan], ty: &SqlType, rows: Rows<'_>, errors: &mut EvalErrors) -> Column {
    let SqlType::Struct(types) = ty else { return Column::rows(nulls(ty, rows.count)) };
    let children = run_all(fields, rows, errors).into_iter().map(|column| column.into_array(rows.count)).collect();
    Column::rows(struct_array(types, children, None, rows.count))
}
