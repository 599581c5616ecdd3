//! Nested columns from their parts.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;

use crate::types::SqlType;

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
