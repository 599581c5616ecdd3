//! Calls in expressions that are no scalars: aggregates and table functions.

use crate::analyze::rewrite::{self, Descend};
use crate::error::Result;
use crate::expr;
use crate::messages;
use crate::sql::ast::{Expr, ExprKind, Ident, Query, SelectItem};

pub(super) fn is_aggregate_call(expr: &Expr) -> bool {
    aggregate_call(expr).is_some()
}

/// The call of an aggregate.
#[derive(Debug, Clone, Copy)]
pub(super) struct AggregateParts<'a> {
    pub name: &'a Ident,
    pub args: &'a [Expr],
    pub distinct: bool,
    pub filter: Option<&'a Expr>,
}

pub(super) fn aggregate_call(expr: &Expr) -> Option<AggregateParts<'_>> {
    let parts = match &expr.kind {
        ExprKind::Call { name, args } => AggregateParts { name, args, distinct: false, filter: None },
        ExprKind::Aggregate { name, args, distinct, filter } => {
            AggregateParts { name, args, distinct: *distinct, filter: filter.as_deref() }
        }
        _ => return None,
    };
    expr::is_aggregate(&parts.name.text).then_some(parts)
}

/// Whether a query has aggregate functions.
pub fn is_aggregated(query: &Query) -> bool {
    let in_item = |item: &SelectItem| match item {
        SelectItem::Expr { expr, .. } | SelectItem::StructStar(expr) => has_aggregate(expr),
        SelectItem::Star { .. } => false,
    };
    query.items.iter().any(in_item) || query.having.as_ref().is_some_and(has_aggregate)
}

pub(super) fn has_aggregate(expr: &Expr) -> bool {
    any_node(expr, &is_aggregate_call)
}

pub(super) fn is_table_call(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call { name, .. } if expr::is_table_function(&name.text))
}

pub(super) fn has_table_call(expr: &Expr) -> bool {
    any_node(expr, &is_table_call)
}

pub(super) fn any_node(expr: &Expr, test: &dyn Fn(&Expr) -> bool) -> bool {
    let mut found = false;
    rewrite::walk(expr, &mut |node| {
        found |= test(node);
        if found { Descend::No } else { Descend::Yes }
    });
    found
}

/// Aggregates and table functions have no place in this clause.
pub(super) fn reject_calls(expr: &Expr, clause: &str) -> Result<()> {
    if has_aggregate(expr) {
        return Err(messages::aggregates::not_allowed(clause).at(expr.at));
    }
    if has_table_call(expr) {
        return Err(messages::clauses::table_functions_not_allowed(clause).at(expr.at));
    }
    Ok(())
}
