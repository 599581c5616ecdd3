//! The order of two values of a type that has one.

use std::cmp::Ordering;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};

use crate::expr::eval::{compare_bytes, compare_texts};

/// Entry `i` of `a` against entry `j` of `b`: columns of one type, neither entry NULL.
pub(super) fn compare(a: &dyn Array, i: usize, b: &dyn Array, j: usize) -> Ordering {
    macro_rules! by {
        ($ty:ty) => {
            a.as_primitive::<$ty>().value(i).cmp(&b.as_primitive::<$ty>().value(j))
        };
    }
    match a.data_type() {
        DataType::Boolean => a.as_boolean().value(i).cmp(&b.as_boolean().value(j)),
        DataType::Int32 => by!(Int32Type),
        DataType::Int64 => by!(Int64Type),
        DataType::Float64 => {
            a.as_primitive::<Float64Type>().value(i).total_cmp(&b.as_primitive::<Float64Type>().value(j))
        }
        DataType::Decimal256(..) => by!(Decimal256Type),
        DataType::Date32 => by!(Date32Type),
        DataType::Time32(_) => by!(Time32MillisecondType),
        DataType::Timestamp(..) => by!(TimestampMillisecondType),
        DataType::Utf8 => compare_texts(a.as_string::<i32>().value(i), b.as_string::<i32>().value(j)),
        DataType::Binary => compare_bytes(a.as_binary::<i32>().value(i), b.as_binary::<i32>().value(j)),
        _ => Ordering::Equal,
    }
}
