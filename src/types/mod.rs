//! SQL types, their Arrow counterparts, single values, and the texts that stand for values.
//! Doesn't know formats, topics or expressions.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

pub(crate) mod arrays;
pub(crate) mod decimal;
pub(crate) mod json;
pub(crate) mod text;
mod value;

#[doc(hidden)] // for the benchmarks' columns
pub use arrays::values_to_array;
pub use value::Value;

/// The most digits a DECIMAL can have here (ksqlDB: no bound).
pub const DECIMAL_PRECISION_MAX: u32 = 76;

/// A type of the language.
///
/// Arrow counterparts (`SqlType::to_arrow`): BOOLEAN Boolean, INT Int32, BIGINT Int64, DOUBLE Float64,
/// DECIMAL(p,s) Decimal256(p,s), STRING Utf8, BYTES Binary, TIME Time32(ms), DATE Date32,
/// TIMESTAMP Timestamp(ms, no zone: UTC), ARRAY List (item `item`), MAP Map (entries `entries`: `key` Utf8, `value`),
/// STRUCT Struct. All columns and members are nullable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum SqlType {
    /// BOOLEAN
    Boolean,
    /// INTEGER: 32 bits, signed.
    Int,
    /// BIGINT: 64 bits, signed.
    Bigint,
    /// DOUBLE: 64 bits, IEEE 754.
    Double,
    /// DECIMAL(p, s)
    Decimal {
        /// Digits in all.
        precision: u32,
        /// Digits behind the point.
        scale: u32,
    },
    /// STRING
    String,
    /// BYTES
    Bytes,
    /// TIME: of a day, to the millisecond.
    Time,
    /// DATE
    Date,
    /// TIMESTAMP: to the millisecond, UTC.
    Timestamp,
    /// ARRAY of such items.
    Array(Box<SqlType>),
    /// Keys are strings.
    Map(Box<SqlType>),
    /// STRUCT: names and types of the fields.
    Struct(Vec<(String, SqlType)>),
}

impl SqlType {
    /// The Arrow type of a column of this type.
    pub fn to_arrow(&self) -> DataType {
        match self {
            SqlType::Boolean => DataType::Boolean,
            SqlType::Int => DataType::Int32,
            SqlType::Bigint => DataType::Int64,
            SqlType::Double => DataType::Float64,
            SqlType::Decimal { precision, scale } => DataType::Decimal256(*precision as u8, *scale as i8),
            SqlType::String => DataType::Utf8,
            SqlType::Bytes => DataType::Binary,
            SqlType::Time => DataType::Time32(TimeUnit::Millisecond),
            SqlType::Date => DataType::Date32,
            SqlType::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
            SqlType::Array(item) => DataType::List(Arc::new(Field::new("item", item.to_arrow(), true))),
            SqlType::Map(value) => DataType::Map(
                Arc::new(Field::new(
                    "entries",
                    DataType::Struct(Fields::from(vec![
                        Field::new("key", DataType::Utf8, false),
                        Field::new("value", value.to_arrow(), true),
                    ])),
                    false,
                )),
                false,
            ),
            SqlType::Struct(fields) => DataType::Struct(
                fields.iter().map(|(name, ty)| Field::new(name, ty.to_arrow(), true)).collect::<Fields>(),
            ),
        }
    }

    /// INT, BIGINT, DECIMAL or DOUBLE.
    pub fn is_numeric(&self) -> bool {
        matches!(self, SqlType::Int | SqlType::Bigint | SqlType::Double | SqlType::Decimal { .. })
    }
}

/// As ksqlDB prints it: `DECIMAL(4, 2)`, `ARRAY<STRING>`, `MAP<STRING, INTEGER>`, ``STRUCT<`A` INTEGER>``.
impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SqlType::Boolean => f.write_str("BOOLEAN"),
            SqlType::Int => f.write_str("INTEGER"),
            SqlType::Bigint => f.write_str("BIGINT"),
            SqlType::Double => f.write_str("DOUBLE"),
            SqlType::Decimal { precision, scale } => write!(f, "DECIMAL({precision}, {scale})"),
            SqlType::String => f.write_str("STRING"),
            SqlType::Bytes => f.write_str("BYTES"),
            SqlType::Time => f.write_str("TIME"),
            SqlType::Date => f.write_str("DATE"),
            SqlType::Timestamp => f.write_str("TIMESTAMP"),
            SqlType::Array(item) => write!(f, "ARRAY<{item}>"),
            SqlType::Map(value) => write!(f, "MAP<STRING, {value}>"),
            SqlType::Struct(fields) => {
                f.write_str("STRUCT<")?;
                for (i, (name, ty)) in fields.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "`{name}` {ty}")?;
                }
                f.write_str(">")
            }
        }
    }
}
