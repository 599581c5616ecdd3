//! Walks over syntax trees: finding calls in them, putting other expressions in the place of some.

use crate::sql::ast::{Expr, ExprKind, Ident};

/// Rebuilds an expression: where `replace` gives one, that stands instead (and is not looked into), else the node's
/// children are rebuilt.
pub fn rewrite<E>(expr: &Expr, replace: &mut dyn FnMut(&Expr) -> Result<Option<Expr>, E>) -> Result<Expr, E> {
    if let Some(other) = replace(expr)? {
        return Ok(other);
    }
    let mut copy = expr.clone();
    for child in copy.children_mut() {
        *child = rewrite(child, replace)?;
    }
    Ok(copy)
}

/// Calls `visit` on every node, outer ones first; stops going deeper where it says so.
pub fn walk(expr: &Expr, visit: &mut dyn FnMut(&Expr) -> Descend) {
    if visit(expr) == Descend::Yes {
        expr.children().into_iter().for_each(|child| walk(child, visit));
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
