//! Types and values as the interpreter knows them, and their ways from and to the product's.

use std::fmt;

use arrow::datatypes::i256;

use super::number::Decimal;
use crate::types::Value;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ty {
    Boolean,
    Int,
    Bigint,
    Double,
    Decimal(u32, u32),
    String,
    Bytes,
    Time,
    Date,
    Timestamp,
    Array(Box<Ty>),
    Map(Box<Ty>),
    Struct(Vec<(String, Ty)>),
}

impl Ty {
    pub fn array(item: Ty) -> Ty {
        Ty::Array(Box::new(item))
    }

    pub fn map(value: Ty) -> Ty {
        Ty::Map(Box::new(value))
    }

    pub fn is_numeric(&self) -> bool {
        matches!(self, Ty::Int | Ty::Bigint | Ty::Double | Ty::Decimal(..))
    }

    /// Precision and scale that a number without a floating point counts as.
    pub fn shape(&self) -> Option<(u32, u32)> {
        match self {
            Ty::Int => Some((10, 0)),
            Ty::Bigint => Some((19, 0)),
            Ty::Decimal(precision, scale) => Some((*precision, *scale)),
            _ => None,
        }
    }

    /// The smallest type that both numbers widen to.
    pub fn wider(&self, other: &Ty) -> Ty {
        match (self, other) {
            (a, b) if a == b => a.clone(),
            (Ty::Double, _) | (_, Ty::Double) => Ty::Double,
            (Ty::Int | Ty::Bigint, Ty::Int | Ty::Bigint) => Ty::Bigint,
            _ => {
                let ((p, s), (q, t)) = (self.shape().unwrap(), other.shape().unwrap());
                let scale = s.max(t);
                Ty::Decimal((p - s).max(q - t) + scale, scale)
            }
        }
    }
}

/// As a statement says it.
impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ty::Boolean => f.write_str("BOOLEAN"),
            Ty::Int => f.write_str("INT"),
            Ty::Bigint => f.write_str("BIGINT"),
            Ty::Double => f.write_str("DOUBLE"),
            Ty::Decimal(precision, scale) => write!(f, "DECIMAL({precision}, {scale})"),
            Ty::String => f.write_str("STRING"),
            Ty::Bytes => f.write_str("BYTES"),
            Ty::Time => f.write_str("TIME"),
            Ty::Date => f.write_str("DATE"),
            Ty::Timestamp => f.write_str("TIMESTAMP"),
            Ty::Array(item) => write!(f, "ARRAY<{item}>"),
            Ty::Map(value) => write!(f, "MAP<STRING, {value}>"),
            Ty::Struct(fields) => {
                let fields: Vec<String> = fields.iter().map(|(name, ty)| format!("{name} {ty}")).collect();
                write!(f, "STRUCT<{}>", fields.join(", "))
            }
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Val {
    Null,
    Boolean(bool),
    Int(i32),
    Bigint(i64),
    Double(f64),
    Decimal(Decimal),
    String(String),
    Bytes(Vec<u8>),
    /// Milliseconds of the day.
    Time(i64),
    /// Days since 1970.
    Date(i64),
    /// Milliseconds since 1970.
    Timestamp(i64),
    Array(Vec<Val>),
    Map(Vec<(String, Val)>),
    Struct(Vec<(String, Val)>),
}

impl Val {
    pub fn text(text: &str) -> Val {
        Val::String(text.to_owned())
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Val::Null)
    }

    /// The same result: NaN is itself, 0.0 isn't -0.0; a map's entries have no order.
    pub fn is(&self, other: &Val) -> bool {
        match (self, other) {
            (Val::Null, Val::Null) => true,
            (Val::Boolean(a), Val::Boolean(b)) => a == b,
            (Val::Int(a), Val::Int(b)) => a == b,
            (Val::Double(a), Val::Double(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Val::Decimal(a), Val::Decimal(b)) => a == b,
            (Val::String(a), Val::String(b)) => a == b,
            (Val::Bytes(a), Val::Bytes(b)) => a == b,
            (Val::Bigint(a), Val::Bigint(b))
            | (Val::Time(a), Val::Time(b))
            | (Val::Date(a), Val::Date(b))
            | (Val::Timestamp(a), Val::Timestamp(b)) => a == b,
            (Val::Array(a), Val::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is(b)),
            (Val::Struct(a), Val::Struct(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|((m, a), (n, b))| m == n && a.is(b))
            }
            (Val::Map(a), Val::Map(b)) => {
                let has = |key: &str, value: &Val| b.iter().any(|(other, b)| other == key && value.is(b));
                a.len() == b.len() && a.iter().all(|(key, value)| has(key, value))
            }
            _ => false,
        }
    }

    /// As the product has it in a column of that type.
    pub fn to_product(&self, ty: &Ty) -> Value {
        match (self, ty) {
            (Val::Null, _) => Value::Null,
            (Val::Boolean(v), _) => Value::Boolean(*v),
            (Val::Int(v), _) => Value::Int(*v),
            (Val::Bigint(v), _) => Value::Bigint(*v),
            (Val::Double(v), _) => Value::Double(*v),
            (Val::Decimal(v), Ty::Decimal(precision, scale)) => {
                let unscaled = i256::from_string(&v.unscaled.to_string()).unwrap();
                Value::Decimal { unscaled, precision: *precision, scale: *scale }
            }
            (Val::String(v), _) => Value::String(v.clone()),
            (Val::Bytes(v), _) => Value::Bytes(v.clone()),
            (Val::Time(v), _) => Value::Time(*v as i32),
            (Val::Date(v), _) => Value::Date(*v as i32),
            (Val::Timestamp(v), _) => Value::Timestamp(*v),
            (Val::Array(items), Ty::Array(item)) => Value::Array(items.iter().map(|v| v.to_product(item)).collect()),
            (Val::Map(entries), Ty::Map(ty)) => {
                Value::Map(entries.iter().map(|(key, v)| (key.clone(), v.to_product(ty))).collect())
            }
            (Val::Struct(fields), Ty::Struct(types)) => Value::Struct(
                fields.iter().zip(types).map(|((name, v), (_, ty))| (name.clone(), v.to_product(ty))).collect(),
            ),
            _ => panic!("{self:?} isn't of {ty}"),
        }
    }

    pub fn of_product(value: &Value) -> Val {
        let members = |members: &[(String, Value)]| -> Vec<(String, Val)> {
            members.iter().map(|(name, value)| (name.clone(), Val::of_product(value))).collect()
        };
        match value {
            Value::Null => Val::Null,
            Value::Boolean(v) => Val::Boolean(*v),
            Value::Int(v) => Val::Int(*v),
            Value::Bigint(v) => Val::Bigint(*v),
            Value::Double(v) => Val::Double(*v),
            Value::Decimal { unscaled, scale, .. } => Val::Decimal(Decimal::unscaled(&unscaled.to_string(), *scale)),
            Value::String(v) => Val::String(v.clone()),
            Value::Bytes(v) => Val::Bytes(v.clone()),
            Value::Time(v) => Val::Time(i64::from(*v)),
            Value::Date(v) => Val::Date(i64::from(*v)),
            Value::Timestamp(v) => Val::Timestamp(*v),
            Value::Array(items) => Val::Array(items.iter().map(Val::of_product).collect()),
            Value::Map(entries) => Val::Map(members(entries)),
            Value::Struct(fields) => Val::Struct(members(fields)),
        }
    }
}
