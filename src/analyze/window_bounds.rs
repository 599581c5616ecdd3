//! WINDOWSTART and WINDOWEND of a WINDOW clause, where rows have no window yet: in WHERE and GROUP BY.

use crate::analyze::builder::Builder;
use crate::analyze::calls::reject_calls;
use crate::analyze::rewrite;
use crate::analyze::source::WINDOW_COLUMNS;
use crate::error::Result;
use crate::messages;
use crate::sql::ast::{BinaryOp, Expr, ExprKind};

/// WHERE in two: what is asked of the rows, and what is asked of the windows that they are in.
pub(super) struct Split {
    pub of_rows: Option<Expr>,
    pub of_windows: Option<Expr>,
}

/// Splits the query's WHERE at its ANDs, under the plan's names.
///
/// Errors: a part asks something of both, so that it can be decided neither before nor after the rows are aggregated.
pub(super) fn split(builder: &Builder) -> Result<Split> {
    let mut split = Split { of_rows: None, of_windows: None };
    let Some(filter) = &builder.query.filter else { return Ok(split) };
    reject_calls(filter, "WHERE")?;
    let filter = builder.names.in_plan(filter)?;
    if builder.query.window.is_none() {
        return Ok(Split { of_rows: Some(filter), of_windows: None });
    }
    let mut parts = Vec::new();
    conjuncts(filter, &mut parts);
    for part in parts {
        let (mut bounds, mut others) = (false, false);
        rewrite::walk(&part, &mut |node| {
            if matches!(node.kind, ExprKind::Column { .. }) {
                let is_bound = is_bound(builder, node);
                bounds |= is_bound;
                others |= !is_bound;
            }
            rewrite::Descend::Yes
        });
        if bounds && (others || builder.query.distinct) {
            return Err(messages::windows::bounds_and_rows().at(part.at));
        }
        let of = if bounds { &mut split.of_windows } else { &mut split.of_rows };
        let at = part.at;
        *of = Some(match of.take() {
            None => part,
            Some(before) => {
                let kind = ExprKind::Binary { op: BinaryOp::And, left: Box::new(before), right: Box::new(part) };
                Expr::new(kind, at)
            }
        });
    }
    Ok(split)
}

/// Whether it is a bound of the query's own windows.
pub(super) fn is_bound(builder: &Builder, expr: &Expr) -> bool {
    let ExprKind::Column { source: None, name } = &expr.kind else { return false };
    builder.query.window.is_some()
        && WINDOW_COLUMNS.contains(&name.text.as_str())
        && !builder.schema.columns.iter().any(|column| column.name == name.text)
}

fn conjuncts(expr: Expr, into: &mut Vec<Expr>) {
    match expr.kind {
        ExprKind::Binary { op: BinaryOp::And, left, right } => {
            conjuncts(*left, into);
            conjuncts(*right, into);
        }
        _ => into.push(expr),
    }
}
