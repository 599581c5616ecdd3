//! `= <> < <= > >=` and IS [NOT] DISTINCT FROM. A NULL side makes a comparison FALSE, or NULL where that is asked for.

use arrow::array::{Array, AsArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::cmp;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType, i256,
};

use super::equal::rows_equal;
use super::{Column, Rows, both_failed};
use crate::expr::decimal::{self, Rounding};
use crate::expr::typed::{Comparison, Nulls};
use crate::types::SqlType;

/// A comparison of two columns whose types the check has made equal (decimals but for precision and scale).
pub(super) fn compare(
    op: Comparison,
    left: Column,
    right: Column,
    types: (&SqlType, &SqlType),
    nulls: Nulls,
    rows: Rows<'_>,
) -> Column {
    let failed = both_failed(&left, &right);
    if nulls == Nulls::Unknown && !matches!(op, Comparison::Distinct | Comparison::NotDistinct) {
        let known = mask(mask(BooleanBuffer::new_set(rows.count), &left), &right);
        return finish_known(raw(op, &left, &right, types, rows), &known, failed);
    }
    let values = match op {
        Comparison::Distinct => !&same(&left, &right, types, rows),
        Comparison::NotDistinct => same(&left, &right, types, rows),
        _ => {
            let values = raw(op, &left, &right, types, rows);
            mask(mask(values, &left), &right)
        }
    };
    finish(values, failed)
}

/// A column of truth values that is NULL where rows failed.
pub(super) fn finish(values: BooleanBuffer, failed: Option<BooleanBuffer>) -> Column {
    match failed {
        None => Column::booleans(values),
        Some(failed) => {
            let array = arrow::array::BooleanArray::new(values, Some(NullBuffer::new(!&failed)));
            Column::rows(std::sync::Arc::new(array)).with_failed(Some(failed))
        }
    }
}

/// As `finish`, and NULL where the value isn't known.
pub(super) fn finish_known(values: BooleanBuffer, known: &BooleanBuffer, failed: Option<BooleanBuffer>) -> Column {
    let valid = match &failed {
        Some(failed) => known & &!failed,
        None => known.clone(),
    };
    let array = arrow::array::BooleanArray::new(values, Some(NullBuffer::new(valid)));
    Column::rows(std::sync::Arc::new(array)).with_failed(failed)
}

/// FALSE where the operand is NULL.
fn mask(values: BooleanBuffer, operand: &Column) -> BooleanBuffer {
    let Some(nulls) = operand.array.logical_nulls() else { return values };
    if !operand.is_scalar {
        return &values & nulls.inner();
    }
    if nulls.is_null(0) { BooleanBuffer::new_unset(values.len()) } else { values }
}

fn same(left: &Column, right: &Column, types: (&SqlType, &SqlType), rows: Rows<'_>) -> BooleanBuffer {
    let equal = mask(mask(raw(Comparison::Equal, left, right, types, rows), left), right);
    let both_null = BooleanBuffer::collect_bool(rows.count, |row| left.is_null(row) && right.is_null(row));
    &equal | &both_null
}

/// The comparison where neither side is NULL; elsewhere anything.
fn raw(op: Comparison, left: &Column, right: &Column, types: (&SqlType, &SqlType), rows: Rows<'_>) -> BooleanBuffer {
    match left.array.data_type() {
        _ if left.array.data_type() == &DataType::Null || right.array.data_type() == &DataType::Null => {
            BooleanBuffer::new_unset(rows.count)
        }
        DataType::Int32 => ordered::<Int32Type>(op, left, right, rows.count),
        DataType::Int64 => ordered::<Int64Type>(op, left, right, rows.count),
        DataType::Float64 => ordered::<Float64Type>(op, left, right, rows.count),
        DataType::Date32 => ordered::<Date32Type>(op, left, right, rows.count),
        DataType::Time32(_) => ordered::<Time32MillisecondType>(op, left, right, rows.count),
        DataType::Timestamp(..) => ordered::<TimestampMillisecondType>(op, left, right, rows.count),
        DataType::Decimal256(..) => decimals(op, left, right, types, rows.count),
        DataType::Utf8 => strings(op, left, right, rows.count),
        DataType::Binary => bytes(op, left, right, rows.count),
        _ => {
            let equal = BooleanBuffer::collect_bool(rows.count, |row| {
                rows_equal(left.array.as_ref(), left.at(row), right.array.as_ref(), right.at(row))
            });
            if op == Comparison::NotEqual { !&equal } else { equal }
        }
    }
}

/// IEEE's order for doubles: NaN equals nothing, 0.0 equals -0.0.
fn ordered<T: ArrowPrimitiveType>(op: Comparison, left: &Column, right: &Column, count: usize) -> BooleanBuffer
where
    T::Native: PartialOrd,
{
    let (a, b) = (left.array.as_primitive::<T>().values(), right.array.as_primitive::<T>().values());
    macro_rules! with {
        ($op:tt) => {
            match (left.is_scalar, right.is_scalar) {
                (false, false) => BooleanBuffer::collect_bool(count, |i| a[i] $op b[i]),
                (false, true) => {
                    let b = b[0];
                    BooleanBuffer::collect_bool(count, |i| a[i] $op b)
                }
                (true, false) => {
                    let a = a[0];
                    BooleanBuffer::collect_bool(count, |i| a $op b[i])
                }
                (true, true) => {
                    let value = a[0] $op b[0];
                    BooleanBuffer::collect_bool(count, |_| value)
                }
            }
        };
    }
    match op {
        Comparison::Equal | Comparison::Distinct | Comparison::NotDistinct => with!(==),
        Comparison::NotEqual => with!(!=),
        Comparison::Less => with!(<),
        Comparison::LessEqual => with!(<=),
        Comparison::Greater => with!(>),
        Comparison::GreaterEqual => with!(>=),
    }
}

fn holds(op: Comparison, ordering: std::cmp::Ordering) -> bool {
    match op {
        Comparison::Equal | Comparison::Distinct | Comparison::NotDistinct => ordering.is_eq(),
        Comparison::NotEqual => ordering.is_ne(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessEqual => ordering.is_le(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterEqual => ordering.is_ge(),
    }
}

fn decimals(op: Comparison, left: &Column, right: &Column, types: (&SqlType, &SqlType), count: usize) -> BooleanBuffer {
    let scale = |ty: &SqlType| match ty {
        SqlType::Decimal { scale, .. } => *scale,
        _ => 0,
    };
    let (x, y) = (scale(types.0), scale(types.1));
    if x == y {
        return ordered::<Decimal256Type>(op, left, right, count);
    }
    let (a, b) = (left.array.as_primitive::<Decimal256Type>(), right.array.as_primitive::<Decimal256Type>());
    BooleanBuffer::collect_bool(count, |row| {
        holds(op, compare_decimals((a.value(left.at(row)), x), (b.value(right.at(row)), y)))
    })
}

/// By value, whatever the scales.
pub(in crate::expr) fn compare_decimals(left: (i256, u32), right: (i256, u32)) -> std::cmp::Ordering {
    let scale = left.1.max(right.1);
    let lift = |(value, from): (i256, u32)| decimal::rescale(value, from, scale, Rounding::Unnecessary);
    match (lift(left), lift(right)) {
        (Some(a), Some(b)) => a.cmp(&b),
        // What doesn't fit 76 digits after lifting is larger than what does, to its side.
        (None, Some(_)) => left.0.cmp(&i256::ZERO),
        (Some(_), None) => i256::ZERO.cmp(&right.0),
        (None, None) => left.0.cmp(&right.0),
    }
}

fn strings(op: Comparison, left: &Column, right: &Column, count: usize) -> BooleanBuffer {
    let (texts_a, texts_b) = (left.array.as_string::<i32>(), right.array.as_string::<i32>());
    let is_equality =
        matches!(op, Comparison::Equal | Comparison::NotEqual | Comparison::Distinct | Comparison::NotDistinct);
    // Bytes have the order of UTF-16 units as long as one side is ASCII.
    if !is_equality && !texts_a.value_data().is_ascii() && !texts_b.value_data().is_ascii() {
        return BooleanBuffer::collect_bool(count, |row| {
            holds(op, compare_texts(texts_a.value(left.at(row)), texts_b.value(right.at(row))))
        });
    }
    let (a, b) = (left.datum(), right.datum());
    let result = match op {
        Comparison::Equal | Comparison::Distinct | Comparison::NotDistinct => cmp::eq(a.as_ref(), b.as_ref()),
        Comparison::NotEqual => cmp::neq(a.as_ref(), b.as_ref()),
        Comparison::Less => cmp::lt(a.as_ref(), b.as_ref()),
        Comparison::LessEqual => cmp::lt_eq(a.as_ref(), b.as_ref()),
        Comparison::Greater => cmp::gt(a.as_ref(), b.as_ref()),
        Comparison::GreaterEqual => cmp::gt_eq(a.as_ref(), b.as_ref()),
    };
    match result {
        Ok(array) if array.len() == count => array.values().clone(),
        // Two scalars give one value.
        Ok(array) if array.len() == 1 => {
            let value = array.value(0);
            BooleanBuffer::collect_bool(count, |_| value)
        }
        _ => BooleanBuffer::new_unset(count),
    }
}

/// Byte by byte as signed numbers, as Java's ByteBuffer has it.
fn bytes(op: Comparison, left: &Column, right: &Column, count: usize) -> BooleanBuffer {
    let (a, b) = (left.array.as_binary::<i32>(), right.array.as_binary::<i32>());
    BooleanBuffer::collect_bool(count, |row| holds(op, compare_bytes(a.value(left.at(row)), b.value(right.at(row)))))
}

pub(in crate::expr) fn compare_bytes(left: &[u8], right: &[u8]) -> std::cmp::Ordering {
    left.iter().map(|byte| *byte as i8).cmp(right.iter().map(|byte| *byte as i8))
}

/// By UTF-16 units, as Java has it: unlike bytes where surrogates meet the last part of the basic plane.
pub(in crate::expr) fn compare_texts(a: &str, b: &str) -> std::cmp::Ordering {
    if a.is_ascii() || b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}
