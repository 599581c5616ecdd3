//! ON: an equality of an expression of what is joined so far and one of the source that is joined to it.

use crate::analyze::calls::reject_calls;
use crate::analyze::join::side::Side;
use crate::analyze::names::Names;
use crate::analyze::rewrite::{self, Descend};
use crate::error::{Error, Result};
use crate::expr::Typed;
use crate::sql::ast::{BinaryOp, Expr, ExprKind};
use crate::sql::format;

/// The two sides of the equality, over the plan's names.
pub(super) struct Condition {
    pub left: Expr,
    pub right: Expr,
    /// The source of the left side's columns.
    pub left_source: usize,
    /// The right side stands first.
    flipped: bool,
}

impl Condition {
    pub fn of(names: &Names, right: &Side, on: &Expr) -> Result<Condition> {
        check_qualifiers(names, on)?;
        reject_calls(on, "ON")?;
        let expr = names.in_plan(on)?;
        let text = |expr: &Expr| format::expression(&names.shown(expr));
        let ExprKind::Binary { op: BinaryOp::Equal, left: first, right: second } = &expr.kind else {
            let multiple = matches!(expr.kind, ExprKind::Binary { op: BinaryOp::And | BinaryOp::Or, .. });
            let what = match multiple {
                true => "joins on multiple conditions are not yet supported",
                false => "only an equality of two expressions joins",
            };
            return Err(Error::statement(format!("Invalid join condition: {what}. Got {}.", text(&expr)))
                .hint("ON left.column = right.column; what else must hold is for WHERE")
                .at(on.at));
        };
        let only_source = |side: &Expr| {
            match names.sources_in(side).as_slice() {
            [only] => Ok(*only),
            _ => Err(Error::statement(format!(
                "Invalid comparison expression '{}' in join '{}'. Each side of the join comparison must contain references from exactly one source.",
                text(side),
                text(&expr)
            ))
            .at(side.at)),
        }
        };
        let sources = (only_source(first)?, only_source(second)?);
        let (left, right, left_source, flipped) = match sources {
            (left, it) if it == right.source && left < it => (first, second, left, false),
            (it, left) if it == right.source && left < it => (second, first, left, true),
            (first, second) => {
                let name = |source: usize| names.qualifier(source);
                return Err(Error::statement(format!(
                    "A join criteria is expected to reference the source (`{}`) in the FROM clause, instead the right source references `{}` and the left source references `{}`",
                    name(right.source),
                    name(second),
                    name(first)
                ))
                .hint("one side of ON must be of the source that is joined, the other of one before it")
                .at(on.at));
            }
        };
        Ok(Condition { left: (**left).clone(), right: (**right).clone(), left_source, flipped })
    }

    /// As it was written, with all names qualified.
    pub fn text(&self, names: &Names) -> String {
        let text = |expr: &Expr| format::expression(&names.shown(expr));
        let (left, right) = (text(&self.left), text(&self.right));
        if self.flipped { format!("{right} = {left}") } else { format!("{left} = {right}") }
    }

    /// Both sides must have the same type: nothing is cast unasked.
    pub fn check_types(&self, names: &Names, left: &Typed, right: &Typed) -> Result<()> {
        let (left_type, right_type) = (left.known_type()?, right.known_type()?);
        if left_type == right_type {
            return Ok(());
        }
        let side = |expr: &Expr, ty| format!("{}{{{ty}}}", format::expression(&names.shown(expr)));
        let (left, right) = (side(&self.left, left_type), side(&self.right, right_type));
        let (first, second) = if self.flipped { (right, left) } else { (left, right) };
        Err(Error::statement(format!("Invalid join condition: types don't match. Got {first} = {second}."))
            .hint(format!("CAST one of them: CAST(... AS {left_type})"))
            .at(self.left.at))
    }
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
