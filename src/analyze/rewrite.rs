//! Walks over syntax trees: finding calls in them, putting other expressions in the place of some.

use crate::sql::ast::{Expr, ExprKind, Ident};

/// Rebuilds an expression: where `replace` gives one, that stands instead (and is not looked into), else the node's
/// children are rebuilt.
pub fn rewrite<E>(expr: &Expr, replace: &mut dyn FnMut(&Expr) -> Result<Option<Expr>, E>) -> Result<Expr, E> {
    if let Some(other) = replace(expr)? {
        return Ok(other);
    }
    let mut copy = expr.clone();
    try_for_each_child(&mut copy, &mut |child| {
        *child = rewrite(child, replace)?;
        Ok(())
    })?;
    Ok(copy)
}

/// Calls `visit` on every node, outer ones first; stops going deeper where it says so.
pub fn walk(expr: &Expr, visit: &mut dyn FnMut(&Expr) -> Descend) {
    if visit(expr) == Descend::Yes {
        for_each_child(expr, &mut |child| walk(child, visit));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descend {
    Yes,
    No,
}

/// Whether a column of that name occurs.
pub fn mentions(expr: &Expr, column: &str) -> bool {
    let mut found = false;
    walk(expr, &mut |node| {
        found |= matches!(&node.kind, ExprKind::Column { name, .. } if name.text == column);
        if found { Descend::No } else { Descend::Yes }
    });
    found
}

/// A column by its name.
pub fn column(name: impl Into<String>, like: &Expr) -> Expr {
    let mut ident = Ident::new(name);
    ident.at = like.at;
    Expr::new(ExprKind::Column { source: None, name: ident }, like.at)
}

fn for_each_child(expr: &Expr, visit: &mut dyn FnMut(&Expr)) {
    match &expr.kind {
        ExprKind::Null
        | ExprKind::Boolean(_)
        | ExprKind::Int(_)
        | ExprKind::Bigint(_)
        | ExprKind::Decimal(_)
        | ExprKind::Double(_)
        | ExprKind::String(_)
        | ExprKind::Column { .. } => {}
        ExprKind::Unary { operand, .. } | ExprKind::IsNull { operand, .. } | ExprKind::Cast { operand, .. } => {
            visit(operand);
        }
        ExprKind::Binary { left, right, .. } => {
            visit(left);
            visit(right);
        }
        ExprKind::Between { operand, low, high, .. } => {
            visit(operand);
            visit(low);
            visit(high);
        }
        ExprKind::InList { operand, list, .. } => {
            visit(operand);
            list.iter().for_each(visit);
        }
        ExprKind::Like { operand, pattern, .. } => {
            visit(operand);
            visit(pattern);
        }
        ExprKind::Case { operand, branches, otherwise } => {
            operand.iter().for_each(|operand| visit(operand));
            for (when, then) in branches {
                visit(when);
                visit(then);
            }
            otherwise.iter().for_each(|otherwise| visit(otherwise));
        }
        ExprKind::Subscript { base, index } => {
            visit(base);
            visit(index);
        }
        ExprKind::Field { base, .. } => visit(base),
        ExprKind::Array(items) | ExprKind::Call { args: items, .. } => items.iter().for_each(visit),
        ExprKind::Map(entries) => {
            for (key, value) in entries {
                visit(key);
                visit(value);
            }
        }
        ExprKind::Struct(fields) => fields.iter().for_each(|(_, field)| visit(field)),
        ExprKind::Lambda { body, .. } => visit(body),
    }
}

fn try_for_each_child<E>(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr) -> Result<(), E>) -> Result<(), E> {
    match &mut expr.kind {
        ExprKind::Null
        | ExprKind::Boolean(_)
        | ExprKind::Int(_)
        | ExprKind::Bigint(_)
        | ExprKind::Decimal(_)
        | ExprKind::Double(_)
        | ExprKind::String(_)
        | ExprKind::Column { .. } => Ok(()),
        ExprKind::Unary { operand, .. } | ExprKind::IsNull { operand, .. } | ExprKind::Cast { operand, .. } => {
            visit(operand)
        }
        ExprKind::Binary { left, right, .. } => {
            visit(left)?;
            visit(right)
        }
        ExprKind::Between { operand, low, high, .. } => {
            visit(operand)?;
            visit(low)?;
            visit(high)
        }
        ExprKind::InList { operand, list, .. } => {
            visit(operand)?;
            list.iter_mut().try_for_each(visit)
        }
        ExprKind::Like { operand, pattern, .. } => {
            visit(operand)?;
            visit(pattern)
        }
        ExprKind::Case { operand, branches, otherwise } => {
            operand.iter_mut().try_for_each(|operand| visit(operand))?;
            for (when, then) in branches {
                visit(when)?;
                visit(then)?;
            }
            otherwise.iter_mut().try_for_each(|otherwise| visit(otherwise))
        }
        ExprKind::Subscript { base, index } => {
            visit(base)?;
            visit(index)
        }
        ExprKind::Field { base, .. } => visit(base),
        ExprKind::Array(items) | ExprKind::Call { args: items, .. } => items.iter_mut().try_for_each(visit),
        ExprKind::Map(entries) => {
            for (key, value) in entries {
                visit(key)?;
                visit(value)?;
            }
            Ok(())
        }
        ExprKind::Struct(fields) => fields.iter_mut().try_for_each(|(_, field)| visit(field)),
        ExprKind::Lambda { body, .. } => visit(body),
    }
}
