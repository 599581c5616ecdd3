//! A table's change under GROUP BY: the row that goes leaves its group, the row that comes joins its own.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat, take};
use arrow::row::{RowConverter, SortField};

use crate::dataflow::batch::arrow_error;
use crate::dataflow::evaluate::Over;
use crate::dataflow::{Batch, OldRows};
use crate::error::{Error, Result};

/// Splits changes whose old row belongs to another group than the new one into two: a tombstone with the old row in the
/// old group, then the new row without an old one. `old_keys` are the groups of the old rows.
pub(super) fn regroup(batch: &Batch, old_keys: &[ArrayRef]) -> Result<Batch> {
    let Some(old) = &batch.old else { return Err(Error::internal("a change without its old row can't be regrouped")) };
    let old_null = any_null(old_keys, batch.rows);
    let same = same_rows(batch.key_columns(), old_keys)?;
    let new_there = Over::Values.present(batch);
    // Which row each part comes from, and whether it takes the old group's key.
    let mut rows: Vec<u32> = Vec::with_capacity(batch.rows);
    let mut leaves: Vec<bool> = Vec::with_capacity(batch.rows);
    let mut arrives: Vec<bool> = Vec::with_capacity(batch.rows);
    for (row, same) in same.iter().enumerate() {
        // A row with a null in its group never was in one.
        let was = old.present.value(row) && !old_null.value(row);
        let is = new_there.value(row);
        let parts: &[(bool, bool)] = match (was, is) {
            (true, true) if *same => &[(true, true)],
            (true, true) => &[(true, false), (false, true)],
            (true, false) => &[(true, false)],
            (false, true) => &[(false, true)],
            (false, false) => &[],
        };
        for (leave, arrive) in parts {
            rows.push(row as u32);
            leaves.push(*leave);
            arrives.push(*arrive);
        }
    }
    let mut split = batch.take(&rows)?;
    let count = batch.rows as u32;
    let keyed: UInt32Array = rows
        .iter()
        .zip(leaves.iter().zip(&arrives))
        .map(|(&row, (&leave, &arrive))| if leave && !arrive { row + count } else { row })
        .collect::<Vec<u32>>()
        .into();
    for (index, old_key) in old_keys.iter().enumerate() {
        let both = concat(&[batch.columns[index].as_ref(), old_key.as_ref()]).map_err(arrow_error)?;
        split.columns[index] = take(&both, &keyed, None).map_err(arrow_error)?;
    }
    split.tombstone = Some(arrives.iter().map(|arrive| !arrive).collect());
    split.old = split.old.map(|old| OldRows { present: leaves.iter().copied().collect(), ..old });
    split.null_key = None;
    Ok(split)
}

/// The rows with nulls in all of the columns.
pub(super) fn all_null(columns: &[ArrayRef], rows: usize) -> BooleanBuffer {
    let null = |column: &ArrayRef| any_null(std::slice::from_ref(column), rows);
    columns.iter().map(null).reduce(|all, column| &all & &column).unwrap_or_else(|| BooleanBuffer::new_set(rows))
}

/// The rows with a null in one of the columns.
pub(super) fn any_null(columns: &[ArrayRef], rows: usize) -> BooleanBuffer {
    let mut any = BooleanBuffer::new_unset(rows);
    for nulls in columns.iter().filter_map(|column| column.logical_nulls()) {
        any = &any | &!nulls.inner();
    }
    any
}

/// Which rows are the same on both sides; two nulls are.
pub(super) fn same_rows(left: &[ArrayRef], right: &[ArrayRef]) -> Result<Vec<bool>> {
    let fields = left.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(arrow_error)?;
    let left = converter.convert_columns(left).map_err(arrow_error)?;
    let right = converter.convert_columns(right).map_err(arrow_error)?;
    Ok(left.iter().zip(right.iter()).map(|(left, right)| left == right).collect())
}
