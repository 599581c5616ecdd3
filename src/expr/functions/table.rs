//! Table functions: any number of rows for each row of a stream.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};

use super::define::{T, array};
use super::{Function, FunctionKind, Implementation, Returns, ScalarCall, TableResult};
use crate::expr::eval::{nulls, pick};

/// The most columns CUBE_EXPLODE takes: it gives 2 to their number rows.
const CUBE_COLUMNS_MAX: usize = 20;

pub(super) fn entries() -> Vec<Function> {
    let list = array(T);
    vec![
        Function::new(
            "EXPLODE",
            FunctionKind::Table,
            "TABLE",
            "A row for each element of an array; none for an empty one or NULL.",
        )
        .nulls("A NULL array gives no row, a NULL item one of NULL.")
        .examples(&[("EXPLODE(ARRAY[1, NULL, 3])", "1; null; 3")])
        .overload(&[("array", &list, "an array")], None, Returns::Is(T), Implementation::Table(explode)),
        Function::new(
            "CUBE_EXPLODE",
            FunctionKind::Table,
            "TABLE",
            "A row for each way to put NULL in the place of some of the array's elements.",
        )
        .nulls("A NULL array gives no row; NULL items stay NULL and make no rows of their own.")
        .examples(&[("CUBE_EXPLODE(ARRAY[1, 2])", "[null, null]; [null, 2]; [1, null]; [1, 2]")])
        .overload(&[("columns", &list, "an array")], None, Returns::Is(array(T)), Implementation::Table(cube)),
    ]
}

fn explode(call: &mut ScalarCall<'_>) -> TableResult {
    let list = call.args[0].as_list::<i32>();
    let all = list.value_offsets();
    let mut offsets = vec![0u32];
    let mut entries = Vec::new();
    for row in 0..call.rows {
        if list.is_valid(row) {
            entries.extend(all[row] as u32..all[row + 1] as u32);
        }
        offsets.push(entries.len() as u32);
    }
    TableResult { offsets, values: pick(list.values(), &UInt32Array::from(entries)) }
}

/// Elements that are NULL anyway aren't varied. The first row has the most NULLs, the last is the array itself.
fn cube(call: &mut ScalarCall<'_>) -> TableResult {
    let list = call.args[0].as_list::<i32>();
    let all = list.value_offsets();
    let mut offsets = vec![0u32];
    let (mut entries, mut lengths): (Vec<Option<u32>>, Vec<usize>) = (Vec::new(), Vec::new());
    for row in 0..call.rows {
        if list.is_valid(row) {
            let columns: Vec<u32> = (all[row] as u32..all[row + 1] as u32).collect();
            let varied: Vec<usize> =
                (0..columns.len()).filter(|i| list.values().is_valid(columns[*i] as usize)).collect();
            if varied.len() > CUBE_COLUMNS_MAX {
                call.errors.push(row, format!("CUBE_EXPLODE takes at most {CUBE_COLUMNS_MAX} columns"));
            } else {
                for kept in 0u32..1 << varied.len() {
                    push_subset(&columns, &varied, kept, &mut entries);
                    lengths.push(columns.len());
                }
            }
        }
        offsets.push(lengths.len() as u32);
    }
    let values = pick(list.values(), &UInt32Array::from(entries));
    TableResult { offsets, values: lists(values, &lengths, call) }
}

/// The bits of `kept`, the highest for the first column, say which columns stay.
fn push_subset(columns: &[u32], varied: &[usize], kept: u32, entries: &mut Vec<Option<u32>>) {
    for (i, entry) in columns.iter().enumerate() {
        let place = varied.iter().position(|at| *at == i);
        let stays = place.is_some_and(|place| kept >> (varied.len() - 1 - place) & 1 == 1);
        entries.push(stays.then_some(*entry));
    }
}

fn lists(values: ArrayRef, lengths: &[usize], call: &ScalarCall<'_>) -> ArrayRef {
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths.iter().copied());
    match call.args[0].data_type() {
        arrow::datatypes::DataType::List(field) => {
            Arc::new(arrow::array::ListArray::new(field.clone(), offsets, values, None))
        }
        _ => nulls(call.returns, lengths.len()),
    }
}
