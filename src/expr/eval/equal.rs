//! Whether two entries of columns are the same value, whatever their type: parts that are NULL equal each other.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};

/// Entry `i` of `a` equals entry `j` of `b`. The columns have one type.
pub(super) fn rows_equal(a: &dyn Array, i: usize, b: &dyn Array, j: usize) -> bool {
    match (a.is_null(i), b.is_null(j)) {
        (true, true) => return true,
        (true, false) | (false, true) => return false,
        (false, false) => {}
    }
    macro_rules! same {
        ($ty:ty) => {
            a.as_primitive::<$ty>().value(i) == b.as_primitive::<$ty>().value(j)
        };
    }
    match a.data_type() {
        DataType::Boolean => a.as_boolean().value(i) == b.as_boolean().value(j),
        DataType::Int32 => same!(Int32Type),
        DataType::Int64 => same!(Int64Type),
        DataType::Float64 => same!(Float64Type),
        DataType::Decimal256(..) => same!(Decimal256Type),
        DataType::Date32 => same!(Date32Type),
        DataType::Time32(_) => same!(Time32MillisecondType),
        DataType::Timestamp(..) => same!(TimestampMillisecondType),
        DataType::Utf8 => a.as_string::<i32>().value(i) == b.as_string::<i32>().value(j),
        DataType::Binary => a.as_binary::<i32>().value(i) == b.as_binary::<i32>().value(j),
        DataType::List(_) => {
            let (a, b) = (a.as_list::<i32>().value(i), b.as_list::<i32>().value(j));
            a.len() == b.len() && (0..a.len()).all(|k| rows_equal(a.as_ref(), k, b.as_ref(), k))
        }
        DataType::Struct(_) => {
            let (a, b) = (a.as_struct(), b.as_struct());
            (0..a.num_columns()).all(|k| rows_equal(a.column(k).as_ref(), i, b.column(k).as_ref(), j))
        }
        DataType::Map(..) => maps_equal(a, i, b, j),
        _ => false,
    }
}

/// As `rows_equal` for many entries of two columns of one type: what the type is, is found out once.
pub(in crate::expr) fn equality<'a>(a: &'a dyn Array, b: &'a dyn Array) -> Box<dyn Fn(usize, usize) -> bool + 'a> {
    macro_rules! by {
        ($a:expr, $b:expr) => {{
            let (a, b) = ($a, $b);
            Box::new(move |i: usize, j: usize| match (a.is_valid(i), b.is_valid(j)) {
                (true, true) => a.value(i) == b.value(j),
                (is_a, is_b) => is_a == is_b,
            })
        }};
    }
    match a.data_type() {
        DataType::Boolean => by!(a.as_boolean(), b.as_boolean()),
        DataType::Int32 => by!(a.as_primitive::<Int32Type>(), b.as_primitive::<Int32Type>()),
        DataType::Int64 => by!(a.as_primitive::<Int64Type>(), b.as_primitive::<Int64Type>()),
        DataType::Float64 => by!(a.as_primitive::<Float64Type>(), b.as_primitive::<Float64Type>()),
        DataType::Utf8 => by!(a.as_string::<i32>(), b.as_string::<i32>()),
        DataType::Binary => by!(a.as_binary::<i32>(), b.as_binary::<i32>()),
        _ => Box::new(move |i, j| rows_equal(a, i, b, j)),
    }
}

/// The same keys with the same values, in any order.
fn maps_equal(a: &dyn Array, i: usize, b: &dyn Array, j: usize) -> bool {
    let (a, b) = (a.as_map().value(i), b.as_map().value(j));
    if a.len() != b.len() {
        return false;
    }
    let (keys_a, keys_b) = (a.column(0).as_string::<i32>(), b.column(0).as_string::<i32>());
    (0..a.len()).all(|x| {
        (0..b.len())
            .any(|y| keys_a.value(x) == keys_b.value(y) && rows_equal(a.column(1).as_ref(), x, b.column(1).as_ref(), y))
    })
}
