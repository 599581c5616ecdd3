//! Single values from and to arrays: for constants, where rows are handled one by one.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal256Array, Float64Array, Int32Array,
    Int64Array, ListArray, MapArray, StringArray, StructArray, Time32MillisecondArray, TimestampMillisecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};

use crate::types::{SqlType, Value};

/// The values as a column of that type. A value of another type becomes NULL.
pub(in crate::expr) fn array_of(values: &[Value], ty: &SqlType) -> ArrayRef {
    macro_rules! collect {
        ($array:ty, $pattern:pat => $value:expr) => {
            Arc::new(
                values
                    .iter()
                    .map(|value| match value {
                        $pattern => Some($value),
                        _ => None,
                    })
                    .collect::<$array>(),
            )
        };
    }
    match ty {
        SqlType::Boolean => collect!(BooleanArray, Value::Boolean(v) => *v),
        SqlType::Int => collect!(Int32Array, Value::Int(v) => *v),
        SqlType::Bigint => collect!(Int64Array, Value::Bigint(v) => *v),
        SqlType::Double => collect!(Float64Array, Value::Double(v) => *v),
        SqlType::String => collect!(StringArray, Value::String(v) => v.as_str()),
        SqlType::Bytes => collect!(BinaryArray, Value::Bytes(v) => v.as_slice()),
        SqlType::Time => collect!(Time32MillisecondArray, Value::Time(v) => *v),
        SqlType::Date => collect!(Date32Array, Value::Date(v) => *v),
        SqlType::Timestamp => collect!(TimestampMillisecondArray, Value::Timestamp(v) => *v),
        SqlType::Decimal { .. } => {
            let array: Decimal256Array = values
                .iter()
                .map(|value| match value {
                    Value::Decimal { unscaled, .. } => Some(*unscaled),
                    _ => None,
                })
                .collect();
            Arc::new(array.with_data_type(ty.to_arrow()))
        }
        SqlType::Array(item) => list_of(values, item),
        SqlType::Map(value) => map_of(values, value),
        SqlType::Struct(fields) => struct_of(values, fields),
    }
}

fn list_of(values: &[Value], item: &SqlType) -> ArrayRef {
    let items: Vec<&[Value]> = values
        .iter()
        .map(|value| match value {
            Value::Array(items) => items.as_slice(),
            _ => &[],
        })
        .collect();
    let offsets = OffsetBuffer::from_lengths(items.iter().map(|items| items.len()));
    let nulls = NullBuffer::from_iter(values.iter().map(|value| matches!(value, Value::Array(_))));
    let child = array_of(&items.concat(), item);
    let DataType::List(field) = SqlType::Array(Box::new(item.clone())).to_arrow() else { return child };
    Arc::new(ListArray::new(field, offsets, child, Some(nulls)))
}

fn map_of(values: &[Value], value_type: &SqlType) -> ArrayRef {
    let entries: Vec<&[(String, Value)]> = values
        .iter()
        .map(|value| match value {
            Value::Map(entries) => entries.as_slice(),
            _ => &[],
        })
        .collect();
    let offsets = OffsetBuffer::from_lengths(entries.iter().map(|entries| entries.len()));
    let nulls = NullBuffer::from_iter(values.iter().map(|value| matches!(value, Value::Map(_))));
    let keys: ArrayRef = Arc::new(StringArray::from_iter_values(entries.iter().copied().flatten().map(|(key, _)| key)));
    let items: Vec<Value> = entries.iter().copied().flatten().map(|(_, value)| value.clone()).collect();
    map_array(offsets, keys, array_of(&items, value_type), Some(nulls), value_type)
}

/// A MAP column from its parts.
pub(in crate::expr) fn map_array(
    offsets: OffsetBuffer<i32>,
    keys: ArrayRef,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
    value_type: &SqlType,
) -> ArrayRef {
    let DataType::Map(field, ordered) = SqlType::Map(Box::new(value_type.clone())).to_arrow() else { return values };
    let DataType::Struct(fields) = field.data_type().clone() else { return values };
    let entries = StructArray::new(fields, vec![keys, values], None);
    Arc::new(MapArray::new(field, offsets, entries, nulls, ordered))
}

/// A list column from its parts.
pub(in crate::expr) fn list_array(
    offsets: OffsetBuffer<i32>,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
    item: &SqlType,
) -> ArrayRef {
    let DataType::List(field) = SqlType::Array(Box::new(item.clone())).to_arrow() else { return values };
    Arc::new(ListArray::new(field, offsets, values, nulls))
}

fn struct_of(values: &[Value], fields: &[(String, SqlType)]) -> ArrayRef {
    let nulls = NullBuffer::from_iter(values.iter().map(|value| matches!(value, Value::Struct(_))));
    let children: Vec<ArrayRef> = fields
        .iter()
        .map(|(name, ty)| {
            let column: Vec<Value> = values
                .iter()
                .map(|value| match value {
                    Value::Struct(given) => {
                        given.iter().find(|(other, _)| other == name).map_or(Value::Null, |(_, value)| value.clone())
                    }
                    _ => Value::Null,
                })
                .collect();
            array_of(&column, ty)
        })
        .collect();
    struct_array(fields, children, Some(nulls), values.len())
}

/// A STRUCT column from its parts.
pub(in crate::expr) fn struct_array(
    fields: &[(String, SqlType)],
    children: Vec<ArrayRef>,
    nulls: Option<NullBuffer>,
    rows: usize,
) -> ArrayRef {
    let DataType::Struct(arrow_fields) = SqlType::Struct(fields.to_vec()).to_arrow() else {
        return super::nulls(&SqlType::Struct(fields.to_vec()), rows);
    };
    if arrow_fields.is_empty() {
        return Arc::new(StructArray::new_empty_fields(rows, nulls));
    }
    Arc::new(StructArray::new(arrow_fields, children, nulls))
}

/// The entry of a column as a value.
pub(in crate::expr) fn value_at(array: &ArrayRef, ty: &SqlType, row: usize) -> Value {
    if array.is_null(row) || array.data_type() == &DataType::Null {
        return Value::Null;
    }
    match ty {
        SqlType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        SqlType::Int => Value::Int(array.as_primitive::<Int32Type>().value(row)),
        SqlType::Bigint => Value::Bigint(array.as_primitive::<Int64Type>().value(row)),
        SqlType::Double => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        SqlType::Decimal { precision, scale } => Value::Decimal {
            unscaled: array.as_primitive::<Decimal256Type>().value(row),
            precision: *precision,
            scale: *scale,
        },
        SqlType::String => Value::String(array.as_string::<i32>().value(row).into()),
        SqlType::Bytes => Value::Bytes(array.as_binary::<i32>().value(row).into()),
        SqlType::Time => Value::Time(array.as_primitive::<Time32MillisecondType>().value(row)),
        SqlType::Date => Value::Date(array.as_primitive::<Date32Type>().value(row)),
        SqlType::Timestamp => Value::Timestamp(array.as_primitive::<TimestampMillisecondType>().value(row)),
        SqlType::Array(item) => {
            let items = array.as_list::<i32>().value(row);
            Value::Array((0..items.len()).map(|i| value_at(&items, item, i)).collect())
        }
        SqlType::Map(value) => {
            let entries = array.as_map().value(row);
            let keys = entries.column(0).as_string::<i32>();
            Value::Map(
                (0..entries.len()).map(|i| (keys.value(i).into(), value_at(entries.column(1), value, i))).collect(),
            )
        }
        SqlType::Struct(fields) => {
            let columns = array.as_struct();
            Value::Struct(
                fields
                    .iter()
                    .enumerate()
                    .map(|(i, (name, ty))| (name.clone(), value_at(columns.column(i), ty, row)))
                    .collect(),
            )
        }
    }
}
