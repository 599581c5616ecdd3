//! ON: conditions joined by AND. One of them leads, an equality of an expression of what is joined so far and one of the source
//! that is joined to it: rows meet by it. The others are asked of each pair that met.

use crate::analyze::calls::reject_calls;
use crate::analyze::join::side::Side;
use crate::analyze::names::Names;
use crate::analyze::rewrite::{self, Descend};
use crate::catalog::SourceKind;
use crate::error::Result;
use crate::expr::Typed;
use crate::messages;
use crate::messages::joins::TypedSide;
use crate::sql::ast::{BinaryOp, Expr, ExprKind};
use crate::sql::format;
use crate::types::SqlType;

/// The equality that leads, and what else must hold, over the plan's names.
pub(super) struct Condition {
    pub left: Expr,
    pub right: Expr,
    /// The source of the left side's columns.
    pub left_source: usize,
    /// What else must be TRUE of a pair: the other conditions, joined by AND again.
    pub others: Option<Expr>,
    /// The right side stands first.
    flipped: bool,
}

impl Condition {
    /// The first equality that tells the sides apart leads; one with the right source's key before those without, since a table
    /// is joined by its key only.
    pub fn of(names: &Names, right: &Side, on: &Expr) -> Result<Condition> {
        check_qualifiers(names, on)?;
        reject_calls(on, "ON")?;
        let expr = names.in_plan(on)?;
        let mut terms = Vec::new();
        split_and(&expr, &mut terms);
        let mut equalities: Vec<(usize, Condition)> = Vec::new();
        for (number, term) in terms.iter().enumerate() {
            match leading(names, right, term) {
                Ok(condition) => equalities.push((number, condition)),
                Err(refusal) if terms.len() == 1 => return Err(refusal),
                Err(_) => {}
            }
        }
        let by_key = equalities.iter().position(|(_, equality)| right.key.is(&equality.right)).unwrap_or(0);
        if equalities.is_empty() {
            return Err(messages::joins::no_equality(&text(names, &expr)).at(on.at));
        }
        let (leads, mut condition) = equalities.swap_remove(by_key);
        let others = terms.into_iter().enumerate().filter(|(number, _)| *number != leads).map(|(_, term)| term);
        for other in others {
            check_sources(names, right, other)?;
            condition.others = Some(match condition.others.take() {
                None => other.clone(),
                Some(before) => {
                    let (left, right) = (Box::new(before), Box::new(other.clone()));
                    Expr::new(ExprKind::Binary { op: BinaryOp::And, left, right }, on.at)
                }
            });
        }
        Ok(condition)
    }

    /// The equality that leads as it was written, with all names qualified.
    pub fn text(&self, names: &Names) -> String {
        let (left, right) = (text(names, &self.left), text(names, &self.right));
        if self.flipped { format!("{right} = {left}") } else { format!("{left} = {right}") }
    }

    /// Both sides must have the same type: nothing is cast unasked. `right_side`: the source that is joined.
    pub fn check_types(&self, names: &Names, left: &Typed, right: &Typed, right_side: &Side) -> Result<()> {
        let (left_type, right_type) = (left.known_type()?, right.known_type()?);
        if left_type == right_type {
            return Ok(());
        }
        // A table is joined by its key as it is. Else the one is cast that becomes no less by it.
        let keyed = right_side.kind == SourceKind::Table && right_side.key.is(&self.right);
        let to_right = keyed || left.clone().coerce(right_type).is_ok() || *right_type == SqlType::String;
        let (cast, ty) = match to_right {
            true => (&self.left, right_type),
            false => (&self.right, left_type),
        };
        let cast = text(names, cast);
        let (left_text, right_text) = (text(names, &self.left), text(names, &self.right));
        let left = TypedSide { text: &left_text, ty: left_type };
        let right = TypedSide { text: &right_text, ty: right_type };
        let (first, second) = if self.flipped { (right, left) } else { (left, right) };
        Err(messages::joins::types(&first, &second, (&cast, ty), keyed).at(self.left.at))
    }
}

/// The conditions that AND joins, in their order.
fn split_and<'a>(expr: &'a Expr, terms: &mut Vec<&'a Expr>) {
    match &expr.kind {
        ExprKind::Binary { op: BinaryOp::And, left, right } => {
            split_and(left, terms);
            split_and(right, terms);
        }
        _ => terms.push(expr),
    }
}

/// A condition as the one that leads.
///
/// Errors: it is no equality, or one that doesn't tell the two sides apart.
fn leading(names: &Names, right: &Side, expr: &Expr) -> Result<Condition> {
    let ExprKind::Binary { op: BinaryOp::Equal, left: first, right: second } = &expr.kind else {
        let on = text(names, expr);
        let error = match expr.kind {
            ExprKind::Binary { op: BinaryOp::Or, .. } => messages::joins::either_of_conditions(&on),
            _ => messages::joins::not_an_equality(&on),
        };
        return Err(error.at(expr.at));
    };
    let only_source = |side: &Expr| match names.sources_in(side).as_slice() {
        [only] => Ok(*only),
        _ => Err(messages::joins::side_of_several_sources(&text(names, side), &text(names, expr)).at(side.at)),
    };
    let (left, right, left_source, flipped) = match (only_source(first)?, only_source(second)?) {
        (left, it) if it == right.source && left < it => (first, second, left, false),
        (it, left) if it == right.source && left < it => (second, first, left, true),
        (first, second) => {
            let name = |source: usize| names.qualifier(source);
            return Err(
                messages::joins::sides_of_other_sources(name(right.source), name(first), name(second)).at(expr.at)
            );
        }
    };
    Ok(Condition { left: (**left).clone(), right: (**right).clone(), left_source, others: None, flipped })
}

/// A condition reads what is joined by then.
fn check_sources(names: &Names, right: &Side, other: &Expr) -> Result<()> {
    match names.sources_in(other).into_iter().find(|source| *source > right.source) {
        None => Ok(()),
        Some(later) => Err(messages::joins::joined_later(names.qualifier(later), &text(names, other)).at(other.at)),
    }
}

fn text(names: &Names, expr: &Expr) -> String {
    format::expression(&names.shown(expr))
}

/// A qualifier that stands for nothing is told of before a name that stands for too much.
fn check_qualifiers(names: &Names, on: &Expr) -> Result<()> {
    let mut checked = Ok(());
    rewrite::walk(on, &mut |node| {
        if let ExprKind::Column { source: Some(source), .. } = &node.kind
            && checked.is_ok()
        {
            checked = names.qualified_source(source).map(|_| ());
        }
        if checked.is_ok() { Descend::Yes } else { Descend::No }
    });
    checked
}
