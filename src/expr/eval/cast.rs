//! CAST: which pairs of types there are, and how each value goes over.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal256Array, PrimitiveArray, StructArray, Time32MillisecondArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType, i256,
};

use super::bind::{Before, Plan};
use super::values::{list_array, map_array, struct_array};
use super::{Column, Failures, Rows, cast_text, nulls};
use crate::expr::decimal::{self, Rounding};
use crate::expr::{EvalErrors, iso};
use crate::types::SqlType;

/// CAST goes from one type to the other.
pub(in crate::expr) fn can_cast(from: &SqlType, to: &SqlType) -> bool {
    use SqlType::{Array, Bigint, Boolean, Bytes, Date, Decimal, Double, Int, Map, String, Struct, Time, Timestamp};
    match (from, to) {
        _ if from == to => true,
        (Bytes, String) => false,
        (_, String) => true,
        (Int | Bigint | Double | Decimal { .. }, Int | Bigint | Double | Decimal { .. }) => true,
        (String, Boolean | Int | Bigint | Double | Decimal { .. } | Time | Date | Timestamp | Bytes) => true,
        (Date, Timestamp) | (Timestamp, Date | Time) => true,
        (Array(from), Array(to)) | (Map(from), Map(to)) => can_cast(from, to),
        (Struct(from), Struct(to)) => from
            .iter()
            .all(|(name, ty)| to.iter().find(|(other, _)| other == name).is_none_or(|(_, other)| can_cast(ty, other))),
        _ => false,
    }
}

pub(super) fn run(operand: &Plan, to: &SqlType, before: Before, rows: Rows<'_>, errors: &mut EvalErrors) -> Column {
    let mut column = operand.run(rows, errors);
    let failed = match before {
        Before::Settled => None,
        Before::Kept => column.failed.take(),
    };
    let column = column.settled();
    if column.is_scalar {
        // Its reason would be reported once only: let every row fail for itself.
        let mut own = EvalErrors::default();
        let one = Rows { columns: &[], params: &[], count: 1, origin: None };
        let mut failures = Failures::new(one, &mut own);
        let array = cast(&column.array, &operand.ty, to, &mut failures);
        if !failures.any() {
            return Column::scalar(array).with_failed(failed);
        }
    }
    let column = column.expand(rows.count);
    let mut failures = Failures::new(rows, errors);
    let array = cast(&column.array, &operand.ty, to, &mut failures);
    Column::rows(array).with_failed(failures.into_mask()).with_failed(failed)
}

/// The column as another type. Entry i belongs to row i.
fn cast(array: &ArrayRef, from: &SqlType, to: &SqlType, failures: &mut Failures<'_, '_>) -> ArrayRef {
    use SqlType::{Array, Bigint, Date, Decimal, Double, Int, Map, String, Struct, Time, Timestamp};
    match (from, to) {
        _ if from == to => array.clone(),
        (Array(from), Array(to)) => cast_list(array, from, to, failures),
        (Map(from), Map(to)) => cast_map(array, from, to, failures),
        (Struct(from), Struct(to)) => cast_struct(array, from, to, failures),
        (_, String) => cast_text::to_text(array, from),
        (String, _) => cast_text::from_text(array, to, &mut |row, reason| failures.fail(row, reason)),
        (Int, Bigint) => map::<Int32Type, Int64Type>(array, i64::from),
        (Int, Double) => map::<Int32Type, Float64Type>(array, f64::from),
        (Bigint, Int) => map::<Int64Type, Int32Type>(array, |v| v as i32),
        (Bigint, Double) => map::<Int64Type, Float64Type>(array, |v| v as f64),
        // Rust's `as` truncates, saturates and turns NaN into 0, as Java's casts do.
        (Double, Int) => map::<Float64Type, Int32Type>(array, |v| v as i32),
        (Double, Bigint) => map::<Float64Type, Int64Type>(array, |v| v as i64),
        (Decimal { scale, .. }, Int) => {
            map::<Decimal256Type, Int32Type>(array, |v| decimal::to_i64_wrapping(v, *scale) as i32)
        }
        (Decimal { scale, .. }, Bigint) => {
            map::<Decimal256Type, Int64Type>(array, |v| decimal::to_i64_wrapping(v, *scale))
        }
        (Decimal { scale, .. }, Double) => map::<Decimal256Type, Float64Type>(array, |v| decimal::to_double(v, *scale)),
        (_, Decimal { precision, scale }) => to_decimal(array, from, (*precision, *scale), failures),
        (Date, Timestamp) => map::<Date32Type, TimestampMillisecondType>(array, |days| i64::from(days) * 86_400_000),
        (Timestamp, Date) => map::<TimestampMillisecondType, Date32Type>(array, |ms| iso::split_timestamp(ms).0 as i32),
        (Timestamp, Time) => Arc::new(
            array
                .as_primitive::<TimestampMillisecondType>()
                .iter()
                .map(|ms| ms.map(|ms| iso::split_timestamp(ms).1 as i32))
                .collect::<Time32MillisecondArray>(),
        ),
        _ => nulls(to, array.len()),
    }
}

fn map<From: ArrowPrimitiveType, To: ArrowPrimitiveType>(
    array: &ArrayRef,
    f: impl Fn(From::Native) -> To::Native,
) -> ArrayRef {
    let result: PrimitiveArray<To> = array.as_primitive::<From>().unary(f);
    Arc::new(result)
}

fn to_decimal(array: &ArrayRef, from: &SqlType, to: (u32, u32), failures: &mut Failures<'_, '_>) -> ArrayRef {
    let (precision, scale) = to;
    let convert = |row: usize| -> Option<i256> {
        match from {
            SqlType::Int => whole(i64::from(array.as_primitive::<Int32Type>().value(row)), scale),
            SqlType::Bigint => whole(array.as_primitive::<Int64Type>().value(row), scale),
            SqlType::Double => decimal::from_double(array.as_primitive::<Float64Type>().value(row), scale),
            SqlType::Decimal { scale: old, .. } => {
                let value = array.as_primitive::<Decimal256Type>().value(row);
                decimal::rescale(value, *old, scale, Rounding::HalfUp)
            }
            _ => None,
        }
    };
    let result: Decimal256Array = (0..array.len())
        .map(|row| {
            if array.is_null(row) {
                return None;
            }
            let value = convert(row).filter(|value| decimal::fits(*value, precision));
            if value.is_none() {
                failures.fail(row, "Numeric field overflow");
            }
            value
        })
        .collect();
    Arc::new(result.with_data_type(SqlType::Decimal { precision, scale }.to_arrow()))
}

fn whole(value: i64, scale: u32) -> Option<i256> {
    decimal::rescale(i256::from_i128(i128::from(value)), 0, scale, Rounding::Unnecessary)
}

/// Casts the entries of a list or map column; a row fails with any of its entries.
fn cast_entries(
    values: &ArrayRef,
    offsets: &OffsetBuffer<i32>,
    nulls: Option<&NullBuffer>,
    types: (&SqlType, &SqlType),
    failures: &mut Failures<'_, '_>,
) -> (ArrayRef, Option<NullBuffer>) {
    let mut own = EvalErrors::default();
    let rows = Rows { columns: &[], params: &[], count: values.len(), origin: None };
    let mut inner = Failures::new(rows, &mut own);
    let cast = cast(values, types.0, types.1, &mut inner);
    let Some(mask) = inner.into_mask() else { return (cast, nulls.cloned()) };
    let mut valid = Vec::with_capacity(offsets.len() - 1);
    for row in 0..offsets.len() - 1 {
        let is_valid = nulls.is_none_or(|nulls| nulls.is_valid(row));
        let is_bad = is_valid && (offsets[row]..offsets[row + 1]).any(|entry| mask.value(entry as usize));
        if is_bad {
            let reason = own
                .errors
                .iter()
                .find(|error| (offsets[row]..offsets[row + 1]).contains(&i32::try_from(error.row).unwrap_or(i32::MAX)));
            failures.fail(row, reason.map_or_else(|| "an element can't be cast".into(), |error| error.reason.clone()));
        }
        valid.push(is_valid && !is_bad);
    }
    (cast, Some(NullBuffer::from(valid)))
}

fn cast_list(array: &ArrayRef, from: &SqlType, to: &SqlType, failures: &mut Failures<'_, '_>) -> ArrayRef {
    let list = array.as_list::<i32>();
    let (values, valid) = cast_entries(list.values(), list.offsets(), list.nulls(), (from, to), failures);
    list_array(list.offsets().clone(), values, valid, to)
}

fn cast_map(array: &ArrayRef, from: &SqlType, to: &SqlType, failures: &mut Failures<'_, '_>) -> ArrayRef {
    let map = array.as_map();
    let (values, valid) = cast_entries(map.values(), map.offsets(), map.nulls(), (from, to), failures);
    map_array(map.offsets().clone(), map.keys().clone(), values, valid, to)
}

fn cast_struct(
    array: &ArrayRef,
    from: &[(String, SqlType)],
    to: &[(String, SqlType)],
    failures: &mut Failures<'_, '_>,
) -> ArrayRef {
    let structs: &StructArray = array.as_struct();
    let children = to
        .iter()
        .map(|(name, ty)| match from.iter().position(|(other, _)| other == name) {
            Some(at) => cast(structs.column(at), &from[at].1, ty, failures),
            None => nulls(ty, array.len()),
        })
        .collect();
    struct_array(to, children, structs.nulls().cloned(), array.len())
}
