//! Values out of Arrow columns and into them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, ListArray, MapArray, PrimitiveArray, StringArray, StructArray,
    new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};

use super::{SqlType, Value};

impl Value {
    /// The value at a row of a column of type `ty`. NULL where the row isn't there or the column is of another type.
    pub fn from_array(array: &dyn Array, row: usize, ty: &SqlType) -> Value {
        if row >= array.len() || array.is_null(row) {
            return Value::Null;
        }
        scalar_at(array, row, ty).or_else(|| nested_at(array, row, ty)).unwrap_or(Value::Null)
    }
}

fn scalar_at(array: &dyn Array, row: usize, ty: &SqlType) -> Option<Value> {
    Some(match ty {
        SqlType::Boolean => Value::Boolean(array.as_boolean_opt()?.value(row)),
        SqlType::Int => Value::Int(array.as_primitive_opt::<Int32Type>()?.value(row)),
        SqlType::Bigint => Value::Bigint(array.as_primitive_opt::<Int64Type>()?.value(row)),
        SqlType::Double => Value::Double(array.as_primitive_opt::<Float64Type>()?.value(row)),
        SqlType::Decimal { precision, scale } => Value::Decimal {
            unscaled: array.as_primitive_opt::<Decimal256Type>()?.value(row),
            precision: *precision,
            scale: *scale,
        },
        SqlType::String => Value::String(array.as_string_opt::<i32>()?.value(row).to_string()),
        SqlType::Bytes => Value::Bytes(array.as_binary_opt::<i32>()?.value(row).to_vec()),
        SqlType::Time => Value::Time(array.as_primitive_opt::<Time32MillisecondType>()?.value(row)),
        SqlType::Date => Value::Date(array.as_primitive_opt::<Date32Type>()?.value(row)),
        SqlType::Timestamp => Value::Timestamp(array.as_primitive_opt::<TimestampMillisecondType>()?.value(row)),
        SqlType::Array(_) | SqlType::Map(_) | SqlType::Struct(_) => return None,
    })
}

fn nested_at(array: &dyn Array, row: usize, ty: &SqlType) -> Option<Value> {
    Some(match ty {
        SqlType::Array(item) => {
            let items = array.as_list_opt::<i32>()?.value(row);
            Value::Array((0..items.len()).map(|i| Value::from_array(&items, i, item)).collect())
        }
        SqlType::Map(value) => {
            let entries = array.as_map_opt()?.value(row);
            let keys = entries.column(0).as_string_opt::<i32>()?;
            let values = entries.column(1);
            let entry = |i| (keys.value(i).to_string(), Value::from_array(values, i, value));
            Value::Map((0..entries.len()).map(entry).collect())
        }
        SqlType::Struct(fields) => {
            let columns = array.as_struct_opt()?;
            let member = |(i, (name, ty)): (usize, &(String, SqlType))| {
                let value = columns.columns().get(i).map_or(Value::Null, |column| Value::from_array(column, row, ty));
                (name.clone(), value)
            };
            Value::Struct(fields.iter().enumerate().map(member).collect())
        }
        _ => return None,
    })
}

/// A column of type `ty`. Nothing is converted: a value of another type, also of another numeric one or a DECIMAL of
/// another scale, becomes NULL. Members of a STRUCT are found by their exact name.
pub fn values_to_array(values: &[Value], ty: &SqlType) -> ArrayRef {
    build(&values.iter().collect::<Vec<_>>(), ty)
}

fn primitive<T: ArrowPrimitiveType>(values: &[&Value], get: impl Fn(&Value) -> Option<T::Native>) -> PrimitiveArray<T> {
    values.iter().map(|value| get(value)).collect()
}

/// One arm a type: the variant that holds its values.
macro_rules! variant {
    ($values:expr, $arrow:ty, $variant:path) => {
        Arc::new(primitive::<$arrow>($values, |value| match value {
            $variant(native) => Some(*native),
            _ => None,
        }))
    };
}

fn build(values: &[&Value], ty: &SqlType) -> ArrayRef {
    match ty {
        SqlType::Boolean => Arc::new(BooleanArray::from_iter(values.iter().map(|value| match value {
            Value::Boolean(boolean) => Some(*boolean),
            _ => None,
        }))),
        SqlType::Int => variant!(values, Int32Type, Value::Int),
        SqlType::Bigint => variant!(values, Int64Type, Value::Bigint),
        SqlType::Double => variant!(values, Float64Type, Value::Double),
        SqlType::Time => variant!(values, Time32MillisecondType, Value::Time),
        SqlType::Date => variant!(values, Date32Type, Value::Date),
        SqlType::Timestamp => variant!(values, TimestampMillisecondType, Value::Timestamp),
        SqlType::Decimal { scale, .. } => {
            let decimals = primitive::<Decimal256Type>(values, |value| match value {
                Value::Decimal { unscaled, scale: of_value, .. } if of_value == scale => Some(*unscaled),
                _ => None,
            });
            Arc::new(decimals.with_data_type(ty.to_arrow()))
        }
        SqlType::String => Arc::new(StringArray::from_iter(values.iter().map(|value| match value {
            Value::String(string) => Some(string.as_str()),
            _ => None,
        }))),
        SqlType::Bytes => Arc::new(BinaryArray::from_iter(values.iter().map(|value| match value {
            Value::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        }))),
        SqlType::Array(item) => build_list(values, item, ty),
        SqlType::Map(value) => build_map(values, value, ty),
        SqlType::Struct(fields) => build_struct(values, fields, ty),
    }
}

fn build_list(values: &[&Value], item: &SqlType, ty: &SqlType) -> ArrayRef {
    let lists: Vec<Option<&Vec<Value>>> = values
        .iter()
        .map(|value| match value {
            Value::Array(items) => Some(items),
            _ => None,
        })
        .collect();
    let items: Vec<&Value> = lists.iter().flatten().flat_map(|items| items.iter()).collect();
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.map_or(0, Vec::len)));
    let nulls = NullBuffer::from_iter(lists.iter().map(Option::is_some));
    match ty.to_arrow() {
        DataType::List(field) => Arc::new(ListArray::new(field, offsets, build(&items, item), Some(nulls))),
        other => new_null_array(&other, values.len()),
    }
}

fn build_map(values: &[&Value], value: &SqlType, ty: &SqlType) -> ArrayRef {
    let maps: Vec<Option<&Vec<(String, Value)>>> = values
        .iter()
        .map(|value| match value {
            Value::Map(entries) => Some(entries),
            _ => None,
        })
        .collect();
    let (keys, items): (Vec<&str>, Vec<&Value>) =
        maps.iter().flatten().flat_map(|entries| entries.iter()).map(|(key, value)| (key.as_str(), value)).unzip();
    let keys: ArrayRef = Arc::new(StringArray::from(keys));
    let items = build(&items, value);
    let offsets = OffsetBuffer::from_lengths(maps.iter().map(|map| map.map_or(0, Vec::len)));
    let nulls = NullBuffer::from_iter(maps.iter().map(Option::is_some));
    match ty.to_arrow() {
        DataType::Map(field, sorted) => match field.data_type() {
            DataType::Struct(members) => {
                let entries = StructArray::new(members.clone(), vec![keys, items], None);
                Arc::new(MapArray::new(field, offsets, entries, Some(nulls), sorted))
            }
            other => new_null_array(other, values.len()),
        },
        other => new_null_array(&other, values.len()),
    }
}

fn build_struct(values: &[&Value], fields: &[(String, SqlType)], ty: &SqlType) -> ArrayRef {
    let column = |(name, ty): &(String, SqlType)| {
        let members: Vec<&Value> = values
            .iter()
            .map(|value| match value {
                Value::Struct(members) => members.iter().find(|(of, _)| of == name).map_or(&Value::Null, |(_, v)| v),
                _ => &Value::Null,
            })
            .collect();
        build(&members, ty)
    };
    let nulls = NullBuffer::from_iter(values.iter().map(|value| matches!(value, Value::Struct(_))));
    match ty.to_arrow() {
        DataType::Struct(arrow_fields) => {
            let columns: Vec<ArrayRef> = fields.iter().map(column).collect();
            match StructArray::try_new_with_length(arrow_fields, columns, Some(nulls), values.len()) {
                Ok(array) => Arc::new(array),
                Err(_) => new_null_array(&ty.to_arrow(), values.len()),
            }
        }
        other => new_null_array(&other, values.len()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use arrow::datatypes::i256;
    use proptest::prelude::*;

    use super::*;

    /// Types up to some levels of nesting, for round trips here and in the formats.
    pub(crate) fn any_type() -> impl Strategy<Value = SqlType> {
        any_scalar_type().prop_recursive(3, 8, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|ty| SqlType::Array(Box::new(ty))),
                inner.clone().prop_map(|ty| SqlType::Map(Box::new(ty))),
                prop::collection::vec(inner, 1..4).prop_map(|types| {
                    SqlType::Struct(types.into_iter().enumerate().map(|(i, ty)| (format!("F{i}"), ty)).collect())
                }),
            ]
        })
    }

    pub(crate) fn any_scalar_type() -> impl Strategy<Value = SqlType> {
        prop_oneof![
            Just(SqlType::Boolean),
            Just(SqlType::Int),
            Just(SqlType::Bigint),
            Just(SqlType::Double),
            (1u32..=76)
                .prop_flat_map(|p| (Just(p), 0..=p))
                .prop_map(|(precision, scale)| SqlType::Decimal { precision, scale }),
            Just(SqlType::String),
            Just(SqlType::Bytes),
            Just(SqlType::Time),
            Just(SqlType::Date),
            Just(SqlType::Timestamp),
        ]
    }

    fn any_decimal(precision: u32, scale: u32) -> BoxedStrategy<Value> {
        prop::collection::vec(0u8..10, 1..=precision as usize)
            .prop_flat_map(|digits| (Just(digits), any::<bool>()))
            .prop_map(move |(digits, negative)| {
                let text: String = digits.iter().map(|d| char::from(d + b'0')).collect();
                let unscaled = i256::from_string(&text).unwrap();
                let unscaled = if negative { unscaled.wrapping_neg() } else { unscaled };
                Value::Decimal { unscaled, precision, scale }
            })
            .boxed()
    }

    /// Values of a type, NULL among them.
    pub(crate) fn any_value(ty: &SqlType) -> BoxedStrategy<Value> {
        let value = match ty {
            SqlType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
            SqlType::Int => any::<i32>().prop_map(Value::Int).boxed(),
            SqlType::Bigint => any::<i64>().prop_map(Value::Bigint).boxed(),
            SqlType::Double => {
                prop_oneof![any::<f64>().prop_filter("a number", |n| n.is_finite()), any::<i32>().prop_map(f64::from),]
                    .prop_map(Value::Double)
                    .boxed()
            }
            SqlType::Decimal { precision, scale } => any_decimal(*precision, *scale),
            SqlType::String => any::<String>().prop_map(Value::String).boxed(),
            SqlType::Bytes => any::<Vec<u8>>().prop_map(Value::Bytes).boxed(),
            SqlType::Time => (0i32..86_400_000).prop_map(Value::Time).boxed(),
            SqlType::Date => any::<i32>().prop_map(Value::Date).boxed(),
            SqlType::Timestamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
            SqlType::Array(item) => prop::collection::vec(any_value(item), 0..4).prop_map(Value::Array).boxed(),
            SqlType::Map(value) => prop::collection::btree_map(any::<String>(), any_value(value), 0..4)
                .prop_map(|entries| Value::Map(entries.into_iter().collect()))
                .boxed(),
            SqlType::Struct(fields) => fields
                .iter()
                .map(|(name, ty)| (Just(name.clone()), any_value(ty)))
                .collect::<Vec<_>>()
                .prop_map(Value::Struct)
                .boxed(),
        };
        prop_oneof![1 => Just(Value::Null), 5 => value].boxed()
    }

    pub(crate) fn any_column() -> impl Strategy<Value = (SqlType, Vec<Value>)> {
        any_type().prop_flat_map(|ty| {
            let values = prop::collection::vec(any_value(&ty), 0..8);
            (Just(ty), values)
        })
    }

    proptest! {
        #[test]
        fn values_come_back_from_their_column((ty, values) in any_column()) {
            let array = values_to_array(&values, &ty);
            prop_assert_eq!(array.data_type(), &ty.to_arrow());
            let back: Vec<Value> = (0..array.len()).map(|row| Value::from_array(&array, row, &ty)).collect();
            prop_assert_eq!(back, values);
        }
    }

    #[test]
    fn values_of_another_type_are_null() {
        let decimal = SqlType::Decimal { precision: 4, scale: 2 };
        let table = [
            (Value::Bigint(1), SqlType::Int),
            (Value::Int(1), SqlType::Bigint),
            (Value::Int(1), SqlType::Double),
            (Value::Decimal { unscaled: i256::ONE, precision: 4, scale: 1 }, decimal),
            (Value::String("1".into()), SqlType::Int),
            (Value::Array(vec![]), SqlType::Map(Box::new(SqlType::Int))),
        ];
        for (value, ty) in table {
            assert!(values_to_array(&[value], &ty).is_null(0), "{ty}");
        }
    }

    #[test]
    fn a_row_beyond_the_column_is_null() {
        let array = values_to_array(&[Value::Int(1)], &SqlType::Int);
        assert_eq!(Value::from_array(&array, 1, &SqlType::Int), Value::Null);
        assert_eq!(Value::from_array(&array, 0, &SqlType::String), Value::Null);
    }
}
