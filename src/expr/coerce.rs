//! Implicit conversions: what widens to what, the common type of a list, and the laxer rules for literals.

use crate::error::{Error, Result};
use crate::expr::decimal::{self, Rounding, Shape};
use crate::expr::iso;
use crate::expr::typed::{Node, Typed};
use crate::messages;
use crate::types::{SqlType, Value};

/// `from` becomes `to` without a CAST: INT, BIGINT, DECIMAL, DOUBLE in this order; ARRAY, MAP and STRUCT by their parts.
pub(super) fn widens(from: &SqlType, to: &SqlType) -> bool {
    use SqlType::{Array, Bigint, Decimal, Double, Int, Map, Struct};
    match (from, to) {
        _ if from == to => true,
        (Int, Bigint) | (Int | Bigint | Decimal { .. }, Double) => true,
        (Int | Bigint | Decimal { .. }, Decimal { .. }) => match (Shape::of(from), Shape::of(to)) {
            (Some(from), Some(to)) => from.fits(to),
            _ => false,
        },
        (Array(from), Array(to)) | (Map(from), Map(to)) => widens(from, to),
        (Struct(from), Struct(to)) => from
            .iter()
            .all(|(name, ty)| to.iter().find(|(other, _)| other == name).is_some_and(|(_, other)| widens(ty, other))),
        _ => false,
    }
}

/// What a function's argument of type `from` may become besides: text of times and bytes.
pub(super) fn widens_as_argument(from: &SqlType, to: &SqlType) -> bool {
    use SqlType::{Bytes, Date, String, Time, Timestamp};
    widens(from, to) || matches!((from, to), (String, Time | Date | Timestamp | Bytes))
}

/// The smallest type both widen to.
pub(super) fn common(left: &SqlType, right: &SqlType) -> Option<SqlType> {
    use SqlType::{Array, Map, Struct};
    if left == right || widens(right, left) {
        return Some(left.clone());
    }
    if widens(left, right) {
        return Some(right.clone());
    }
    match (left, right) {
        (Array(a), Array(b)) => Some(Array(Box::new(common(a, b)?))),
        (Map(a), Map(b)) => Some(Map(Box::new(common(a, b)?))),
        (Struct(a), Struct(b)) => common_struct(a, b),
        _ => Some(Shape::of(left)?.union(Shape::of(right)?).ty()),
    }
}

/// The union of the fields, those of the first before new ones of the second.
fn common_struct(left: &[(String, SqlType)], right: &[(String, SqlType)]) -> Option<SqlType> {
    let mut fields = left.to_vec();
    for (name, ty) in right {
        match fields.iter_mut().find(|(other, _)| other == name) {
            Some((_, other)) => *other = common(other, ty)?,
            None => fields.push((name.clone(), ty.clone())),
        }
    }
    Some(SqlType::Struct(fields))
}

/// The type of a list's elements: the first that isn't NULL decides the family, the others must fit in.
/// `None`: all are NULL. `show` gives an element's text for messages.
pub(super) fn common_of(items: &[Typed], show: &dyn Fn(usize) -> String) -> Result<Option<SqlType>> {
    let mut found: Option<SqlType> = None;
    for (i, item) in items.iter().enumerate() {
        let Some(ty) = &item.ty else { continue };
        found = Some(match found {
            None => ty.clone(),
            Some(so_far) => fit_in(&so_far, item, ty).map_err(|error| match error {
                Misfit::Text(text) => messages::expressions::no_value_of_type(&so_far, &text),
                Misfit::Type => messages::expressions::no_common_type(&so_far, ty, &show(i)),
            })?,
        });
    }
    Ok(found)
}

enum Misfit {
    /// The text of a literal that isn't of the type.
    Text(String),
    Type,
}

fn fit_in(so_far: &SqlType, item: &Typed, ty: &SqlType) -> Result<SqlType, Misfit> {
    if let Node::Literal(Value::String(text)) = &item.node
        && *so_far != SqlType::String
    {
        return literal_in_family(so_far, text).ok_or_else(|| Misfit::Text(text.clone()));
    }
    if item.is_literal() && *so_far == SqlType::String {
        return Ok(SqlType::String);
    }
    if let Some(ty) = common(so_far, ty) {
        return Ok(ty);
    }
    match (&item.node, so_far) {
        (Node::Array(items), SqlType::Array(element)) => Ok(SqlType::Array(Box::new(fit_all(element, items.iter())?))),
        (Node::Map(entries), SqlType::Map(element)) => {
            Ok(SqlType::Map(Box::new(fit_all(element, entries.iter().map(|(_, value)| value))?)))
        }
        (Node::Struct(values), SqlType::Struct(fields)) => fit_struct(fields, values, ty),
        _ => Err(Misfit::Type),
    }
}

fn fit_all<'a>(element: &SqlType, mut items: impl Iterator<Item = &'a Typed>) -> Result<SqlType, Misfit> {
    items.try_fold(element.clone(), |so_far, item| match &item.ty {
        Some(ty) => fit_in(&so_far, item, ty).map_err(|_| Misfit::Type),
        None => Ok(so_far),
    })
}

fn fit_struct(fields: &[(String, SqlType)], values: &[Typed], ty: &SqlType) -> Result<SqlType, Misfit> {
    let SqlType::Struct(names) = ty else { return Err(Misfit::Type) };
    let mut fields = fields.to_vec();
    for ((name, ty), value) in names.iter().zip(values) {
        match fields.iter_mut().find(|(other, _)| other == name) {
            Some((_, other)) => *other = fit_in(other, value, ty).map_err(|_| Misfit::Type)?,
            None => fields.push((name.clone(), ty.clone())),
        }
    }
    Ok(SqlType::Struct(fields))
}

/// The type a string literal makes of a list of `family`: a number may be wider than the others.
fn literal_in_family(family: &SqlType, text: &str) -> Option<SqlType> {
    if family.is_numeric() {
        return common(family, &number_type(text.trim())?);
    }
    literal_to(&Value::String(text.into()), family).map(|_| family.clone())
}

fn number_type(text: &str) -> Option<SqlType> {
    if text.parse::<i32>().is_ok() {
        return Some(SqlType::Int);
    }
    if text.parse::<i64>().is_ok() {
        return Some(SqlType::Bigint);
    }
    if text.contains(['e', 'E']) {
        return text.parse::<f64>().ok().filter(|value| value.is_finite()).map(|_| SqlType::Double);
    }
    decimal::parse(text).map(|_| decimal::shape_of_text(text).ty())
}

/// A literal as a value of another type; `None` when it isn't one.
pub(super) fn literal_to(value: &Value, to: &SqlType) -> Option<Value> {
    match (value, to) {
        (Value::Null, _) => Some(Value::Null),
        (Value::String(text), _) => string_to(text, to),
        (_, SqlType::String) => literal_text(value).map(Value::String),
        (Value::Boolean(_), SqlType::Boolean) => Some(value.clone()),
        (Value::Int(v), SqlType::Int) => Some(Value::Int(*v)),
        (Value::Int(v), SqlType::Bigint) => Some(Value::Bigint(i64::from(*v))),
        (Value::Bigint(v), SqlType::Bigint) => Some(Value::Bigint(*v)),
        (Value::Int(v), SqlType::Double) => Some(Value::Double(f64::from(*v))),
        (Value::Bigint(v), SqlType::Double) => Some(Value::Double(*v as f64)),
        (Value::Double(v), SqlType::Double) => Some(Value::Double(*v)),
        (Value::Decimal { unscaled, scale, .. }, SqlType::Double) => {
            Some(Value::Double(decimal::to_double(*unscaled, *scale)))
        }
        (_, SqlType::Decimal { precision, scale }) => {
            let (unscaled, from) = unscaled_of(value)?;
            decimal_value(unscaled, from, *precision, *scale)
        }
        _ => None,
    }
}

fn unscaled_of(value: &Value) -> Option<(arrow::datatypes::i256, u32)> {
    match value {
        Value::Int(v) => Some((arrow::datatypes::i256::from_i128(i128::from(*v)), 0)),
        Value::Bigint(v) => Some((arrow::datatypes::i256::from_i128(i128::from(*v)), 0)),
        Value::Decimal { unscaled, scale, .. } => Some((*unscaled, *scale)),
        _ => None,
    }
}

fn decimal_value(unscaled: arrow::datatypes::i256, from: u32, precision: u32, scale: u32) -> Option<Value> {
    let unscaled = decimal::rescale(unscaled, from, scale, Rounding::Unnecessary)?;
    decimal::fits(unscaled, precision).then_some(Value::Decimal { unscaled, precision, scale })
}

fn string_to(string: &str, to: &SqlType) -> Option<Value> {
    let number = string.trim();
    match to {
        SqlType::String => Some(Value::String(string.into())),
        SqlType::Boolean => boolean_prefix(number).map(Value::Boolean),
        SqlType::Int => number.parse().ok().map(Value::Int),
        SqlType::Bigint => number.parse().ok().map(Value::Bigint),
        SqlType::Double => number.parse::<f64>().ok().filter(|value| value.is_finite()).map(Value::Double),
        SqlType::Decimal { precision, scale } => {
            let (unscaled, from) = decimal::parse(number)?;
            decimal_value(unscaled, from, *precision, *scale)
        }
        SqlType::Time => iso::parse_time(string).map(Value::Time),
        SqlType::Date => iso::parse_date(string).map(Value::Date),
        SqlType::Timestamp => iso::parse_timestamp(string).map(Value::Timestamp),
        SqlType::Bytes => {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.decode(string).ok().map(Value::Bytes)
        }
        SqlType::Array(_) | SqlType::Map(_) | SqlType::Struct(_) => None,
    }
}

/// Any non-empty prefix of `true`, `yes`, `false` or `no`, in any case.
fn boolean_prefix(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    if lower.is_empty() {
        return None;
    }
    if "true".starts_with(&lower) || "yes".starts_with(&lower) {
        return Some(true);
    }
    ("false".starts_with(&lower) || "no".starts_with(&lower)).then_some(false)
}

fn literal_text(value: &Value) -> Option<String> {
    match value {
        Value::Boolean(v) => Some(v.to_string()),
        Value::Int(v) => Some(v.to_string()),
        Value::Bigint(v) => Some(v.to_string()),
        Value::Double(v) => Some(crate::types::text::java_double(*v)),
        Value::Decimal { unscaled, scale, .. } => Some(crate::types::decimal::to_text(*unscaled, *scale)),
        _ => None,
    }
}

impl Typed {
    /// The same expression as a value of type `to`, when it becomes that without a CAST: numbers widen, literals of any
    /// kind are read as the type, constructors go by their parts. Else an error of the statement.
    pub fn coerce(self, to: &SqlType) -> Result<Typed> {
        if self.ty.as_ref() == Some(to) {
            return Ok(self);
        }
        match (self.node, to) {
            (Node::Literal(value), _) => match literal_to(&value, to) {
                Some(value) => Ok(Typed::new(Node::Literal(value), to.clone())),
                None => Err(match (&value, &self.ty) {
                    (Value::String(text), _) => messages::expressions::no_value_of_type(to, text),
                    (_, Some(from)) => misfit(from, to),
                    (_, None) => Error::internal("a literal without a type"),
                }),
            },
            (Node::ThreeValued(inner), _) => Ok(inner.coerce(to)?.three_valued()),
            (Node::Array(items), SqlType::Array(element)) => {
                let items = items.into_iter().map(|item| item.coerce(element)).collect::<Result<_>>()?;
                Ok(Typed::new(Node::Array(items), to.clone()))
            }
            (Node::Map(entries), SqlType::Map(element)) => {
                let entries =
                    entries.into_iter().map(|(key, value)| Ok((key, value.coerce(element)?))).collect::<Result<_>>()?;
                Ok(Typed::new(Node::Map(entries), to.clone()))
            }
            (Node::Struct(values), SqlType::Struct(fields)) => coerce_struct(values, self.ty, fields),
            (node, _) => {
                let typed = Typed { node, ty: self.ty };
                let from = typed.known_type()?.clone();
                if !widens(&from, to) {
                    return Err(misfit(&from, to));
                }
                Ok(Typed::new(Node::Conversion(Box::new(typed)), to.clone()))
            }
        }
    }
}

fn coerce_struct(values: Vec<Typed>, ty: Option<SqlType>, fields: &[(String, SqlType)]) -> Result<Typed> {
    let to = SqlType::Struct(fields.to_vec());
    let names = match ty {
        Some(SqlType::Struct(names)) => names,
        // An empty one has the type that it is to become.
        None if values.is_empty() => Vec::new(),
        _ => return Err(Error::internal("a STRUCT without its type")),
    };
    if let Some((name, _)) = names.iter().find(|(name, _)| !fields.iter().any(|(other, _)| other == name)) {
        return Err(messages::expressions::no_such_field(&to, name, fields.iter().map(|(name, _)| name.as_str())));
    }
    let mut given: Vec<_> = names.into_iter().map(|(name, _)| name).zip(values).collect();
    let mut out = Vec::with_capacity(fields.len());
    for (name, ty) in fields {
        let value = match given.iter().position(|(other, _)| other == name) {
            Some(at) => given.swap_remove(at).1,
            None => Typed::null(),
        };
        out.push(value.coerce(ty)?);
    }
    Ok(Typed::new(Node::Struct(out), to))
}

fn misfit(from: &SqlType, to: &SqlType) -> Error {
    messages::types::no_coercion(from, to)
}
