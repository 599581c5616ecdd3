//! Comparisons, BETWEEN, IN, LIKE: which types go together and what is converted.

use super::text::text;
use super::{Checker, boolean};
use crate::error::{Error, Result};
use crate::expr::coerce::{common, common_of};
use crate::expr::decimal::Shape;
use crate::expr::iso;
use crate::expr::typed::{Comparison, Node, Typed};
use crate::messages;
use crate::messages::expressions::{Needed, Side};
use crate::sql::ast::{BinaryOp, Expr, ExprKind};
use crate::types::{SqlType, Value};

impl Comparison {
    fn of(op: BinaryOp) -> Option<Self> {
        Some(match op {
            BinaryOp::Equal => Comparison::Equal,
            BinaryOp::NotEqual => Comparison::NotEqual,
            BinaryOp::Less => Comparison::Less,
            BinaryOp::LessEqual => Comparison::LessEqual,
            BinaryOp::Greater => Comparison::Greater,
            BinaryOp::GreaterEqual => Comparison::GreaterEqual,
            BinaryOp::IsDistinct => Comparison::Distinct,
            BinaryOp::IsNotDistinct => Comparison::NotDistinct,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Comparison::Equal => "EQUAL",
            Comparison::NotEqual => "NOT_EQUAL",
            Comparison::Less => "LESS_THAN",
            Comparison::LessEqual => "LESS_THAN_OR_EQUAL",
            Comparison::Greater => "GREATER_THAN",
            Comparison::GreaterEqual => "GREATER_THAN_OR_EQUAL",
            Comparison::Distinct => "IS_DISTINCT_FROM",
            Comparison::NotDistinct => "IS_NOT_DISTINCT_FROM",
        }
    }

    fn needs_order(self) -> bool {
        matches!(self, Comparison::Less | Comparison::LessEqual | Comparison::Greater | Comparison::GreaterEqual)
    }

    fn is_null_safe(self) -> bool {
        matches!(self, Comparison::Distinct | Comparison::NotDistinct)
    }
}

impl Checker<'_> {
    pub(super) fn comparison(&mut self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Typed> {
        let op = Comparison::of(op).ok_or_else(|| Error::internal("an operator that nobody checks"))?;
        let a = self.compared(left, right)?;
        let b = self.compared(right, left)?;
        pair(op, (a, left), (b, right))
    }

    fn is_system_time(&self, ast: &Expr) -> bool {
        matches!(&ast.kind, ExprKind::Column { name, .. } if self.scope.is_system_time(&name.text))
    }

    /// An operand of a comparison. Text beside a time column of the system is read as a timestamp.
    fn compared(&mut self, ast: &Expr, other: &Expr) -> Result<Typed> {
        match &ast.kind {
            ExprKind::String(string) if self.is_system_time(other) => match iso::parse_timestamp(string) {
                Some(ms) => Ok(Typed::new(Node::Literal(Value::Bigint(ms)), SqlType::Bigint)),
                None => Err(messages::expressions::no_timestamp(string).at(ast.at)),
            },
            _ => self.expr(ast),
        }
    }

    pub(super) fn between(&mut self, operand: &Expr, negated: bool, low: &Expr, high: &Expr) -> Result<Typed> {
        let value = self.expr(operand)?;
        let low_typed = self.compared(low, operand)?;
        let high_typed = self.compared(high, operand)?;
        let (value, low_typed) = unify(Comparison::GreaterEqual, (value, operand), (low_typed, low))?;
        let (wider, high_typed) = unify(Comparison::LessEqual, (value, operand), (high_typed, high))?;
        let (value, low_typed) = unify(Comparison::GreaterEqual, (wider, operand), (low_typed, low))?;
        Ok(boolean(Node::Between {
            operand: Box::new(value),
            low: Box::new(low_typed),
            high: Box::new(high_typed),
            negated,
        }))
    }

    pub(super) fn in_list(&mut self, operand: &Expr, negated: bool, list: &[Expr]) -> Result<Typed> {
        if list.is_empty() {
            return Err(messages::expressions::empty_in());
        }
        let mut items = vec![self.expr(operand)?];
        for item in list {
            items.push(self.compared(item, operand)?);
        }
        let predicate = messages::expressions::about_predicate;
        let show = |i: usize| text(if i == 0 { operand } else { &list[i - 1] });
        let ty = common_of(&items, &show).map_err(predicate)?.unwrap_or(SqlType::String);
        let mut items =
            items.into_iter().map(|item| item.coerce(&ty)).collect::<Result<Vec<_>>>().map_err(predicate)?;
        let operand = Box::new(items.remove(0));
        Ok(boolean(Node::In { operand, list: items, negated }))
    }

    pub(super) fn like(
        &mut self,
        operand: &Expr,
        negated: bool,
        pattern: &Expr,
        escape: Option<char>,
    ) -> Result<Typed> {
        let mut sides = Vec::with_capacity(2);
        for side in [operand, pattern] {
            let typed = self.expr(side)?;
            match &typed.ty {
                Some(SqlType::String) => sides.push(Box::new(typed)),
                None => sides.push(Box::new(typed.coerce(&SqlType::String)?)),
                Some(ty) => {
                    return Err(messages::expressions::operand("LIKE", &Needed::String, &text(side), ty).at(side.at));
                }
            }
        }
        match (sides.pop(), sides.pop()) {
            (Some(pattern), Some(operand)) => Ok(boolean(Node::Like { operand, pattern, escape, negated })),
            _ => Err(Error::internal("LIKE without operands")),
        }
    }
}

/// A comparison of two checked operands.
pub(super) fn pair(op: Comparison, left: (Typed, &Expr), right: (Typed, &Expr)) -> Result<Typed> {
    let (left, right) = unify(op, left, right)?;
    Ok(boolean(Node::Compare { op, left: Box::new(left), right: Box::new(right) }))
}

/// Both operands with one type.
fn unify(op: Comparison, left: (Typed, &Expr), right: (Typed, &Expr)) -> Result<(Typed, Typed)> {
    let ((a, left), (b, right)) = (left, right);
    let (x, y) = match (&a.ty, &b.ty) {
        (Some(x), Some(y)) => (x.clone(), y.clone()),
        (x, y) if op.is_null_safe() => {
            let ty = x.as_ref().or(y.as_ref()).cloned().unwrap_or(SqlType::String);
            return Ok((a.coerce(&ty)?, b.coerce(&ty)?));
        }
        // What is empty is of the other's type.
        (Some(ty), None) if !b.is_bare_null() => (ty.clone(), b.clone().coerce(ty)?.known_type()?.clone()),
        (None, Some(ty)) if !a.is_bare_null() => (a.clone().coerce(ty)?.known_type()?.clone(), ty.clone()),
        _ => {
            let (left, right) = (text(left), text(right));
            return Err(messages::expressions::compared_with_null(&left, &right, op.name()));
        }
    };
    let no = || {
        let (left, right) = (text(left), text(right));
        messages::expressions::not_comparable(&Side { text: &left, ty: &x }, &Side { text: &right, ty: &y }, op.name())
    };
    let target = common_for_comparison(op, &x, &y).ok_or_else(no)?;
    let a = convert(a, &target.0).map_err(|_| no())?;
    let b = convert(b, &target.1).map_err(|_| no())?;
    Ok((a, b))
}

fn convert(typed: Typed, to: &SqlType) -> Result<Typed> {
    if typed.ty.as_ref() == Some(to) {
        return Ok(typed);
    }
    let text = matches!(typed.ty, Some(SqlType::String | SqlType::Date)) && !typed.is_literal();
    if text {
        return Ok(Typed::new(Node::Conversion(Box::new(typed)), to.clone()));
    }
    typed.coerce(to)
}

/// The types the two sides get; decimals keep their own precision and scale.
fn common_for_comparison(op: Comparison, left: &SqlType, right: &SqlType) -> Option<(SqlType, SqlType)> {
    use SqlType::{Array, Boolean, Bytes, Date, Decimal, Double, Map, String, Struct, Time, Timestamp};
    let both = |ty: SqlType| Some((ty.clone(), ty));
    match (left, right) {
        (Boolean | Array(_) | Map(_) | Struct(_), _) if op.needs_order() => None,
        (Array(_), Array(_)) | (Map(_), Map(_)) | (Struct(_), Struct(_)) => both(common(left, right)?),
        _ if left == right => both(left.clone()),
        (a, b) if a.is_numeric() && b.is_numeric() => match (a, b) {
            (Double, _) | (_, Double) => both(Double),
            (Decimal { .. }, _) | (_, Decimal { .. }) => Some((Shape::of(a)?.ty(), Shape::of(b)?.ty())),
            _ => both(SqlType::Bigint),
        },
        (String, Time | Date | Timestamp | Bytes) => both(right.clone()),
        (Time | Date | Timestamp | Bytes, String) => both(left.clone()),
        (Date, Timestamp) | (Timestamp, Date) => both(Timestamp),
        _ => None,
    }
}
