//! What a condition says of a column's values, so that rows can be looked up instead of judged one by one.

use super::typed::{Comparison, Node, Typed};
use crate::types::{SqlType, Value};

/// A column of which a condition wants one of some values: where the column has another one, or NULL, the condition isn't
/// TRUE. Where it has one of them the condition must still be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Pinned {
    /// Index among the columns that the condition is evaluated over: a STRING, INTEGER or BIGINT.
    pub column: usize,
    /// Strings, or BIGINTs also of an INTEGER column.
    pub values: Vec<Value>,
}

impl Typed {
    /// The first column that this condition pins to some values.
    pub fn pinned(&self) -> Option<Pinned> {
        match &self.node {
            Node::And(left, right) => left.pinned().or_else(|| right.pinned()),
            Node::Or(left, right) => {
                let (mut left, right) = (left.pinned()?, right.pinned()?);
                if left.column != right.column {
                    return None;
                }
                left.values.extend(right.values);
                Some(left)
            }
            Node::Compare { op: Comparison::Equal, left, right } => {
                pin(left, [&**right]).or_else(|| pin(right, [&**left]))
            }
            Node::In { operand, list, negated: false } => pin(operand, list),
            Node::ThreeValued(condition) => condition.pinned(),
            _ => None,
        }
    }
}

fn pin<'a>(column: &Typed, values: impl IntoIterator<Item = &'a Typed>) -> Option<Pinned> {
    let column = match (&column.node, &column.ty) {
        (Node::Column(index), Some(SqlType::String | SqlType::Int | SqlType::Bigint)) => *index,
        (Node::Cast(from) | Node::Conversion(from), Some(SqlType::Bigint)) if from.ty == Some(SqlType::Int) => {
            match from.node {
                Node::Column(index) => index,
                _ => return None,
            }
        }
        _ => return None,
    };
    let values: Option<Vec<Value>> = values.into_iter().map(constant).collect();
    Some(Pinned { column, values: values? })
}

fn constant(value: &Typed) -> Option<Value> {
    match (&value.node, &value.ty) {
        (Node::Literal(Value::String(text)), _) => Some(Value::String(text.clone())),
        (Node::Literal(Value::Int(number)), _) => Some(Value::Bigint(i64::from(*number))),
        (Node::Literal(Value::Bigint(number)), _) => Some(Value::Bigint(*number)),
        // NULL equals nothing.
        (Node::Cast(from) | Node::Conversion(from), Some(SqlType::Bigint)) if from.ty == Some(SqlType::Int) => {
            constant(from)
        }
        _ => None,
    }
}
