//! The SELECT list: stars put out, names given.

use crate::analyze::names::StarColumn;
use crate::analyze::rewrite;
use crate::analyze::scope::Columns;
use crate::error::Result;
use crate::expr;
use crate::messages;
use crate::sql::ast::{Expr, ExprKind, Ident, Location, SelectItem};
use crate::types::SqlType;

/// One column of a SELECT list.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub expr: Expr,
    pub name: String,
    /// Named by the writer (AS ...).
    pub aliased: bool,
    pub at: Location,
}

/// Puts out stars (`star` gives the columns of `*`), names what has no name, and puts the plan's names of columns in.
pub(super) fn expand(items: &[SelectItem], star: &[StarColumn], scope: &Columns) -> Result<Vec<Item>> {
    let mut expanded: Vec<Unnamed> = Vec::new();
    for item in items {
        match item {
            SelectItem::Star { source, at } => {
                let wanted = source.as_ref().map(|source| scope.names.qualified_source(source)).transpose()?;
                let place = Expr::new(ExprKind::Null, *at);
                let chosen = star.iter().filter(|column| wanted.is_none() || column.source == wanted);
                expanded.extend(chosen.map(|column| {
                    let expr = rewrite::column(&column.column, &place);
                    Unnamed { expr, name: Some(column.name.clone()), alias: None }
                }));
            }
            SelectItem::StructStar(base) => {
                let base = scope.names.in_plan(base)?;
                for field in struct_fields(&base, scope)? {
                    let mut field = Ident::new(field);
                    field.at = base.at;
                    let kind = ExprKind::Field { base: Box::new(base.clone()), field };
                    expanded.push(Unnamed { expr: Expr::new(kind, base.at), name: None, alias: None });
                }
            }
            SelectItem::Expr { expr, alias } => {
                let expr = scope.names.in_plan(expr)?;
                let own = match &expr.kind {
                    ExprKind::Column { name, .. } => Some(scope.names.result_name(&name.text)),
                    _ => None,
                };
                let name = alias.as_ref().map(|alias| alias.text.clone()).or(own);
                expanded.push(Unnamed { expr, name, alias: alias.clone() });
            }
        }
    }
    let mut known: Vec<String> = scope.schema.columns.iter().map(|column| column.name.clone()).collect();
    known.extend(scope.names.taken());
    name_items(expanded, known)
}

/// An item that may still need a name.
struct Unnamed {
    expr: Expr,
    name: Option<String>,
    alias: Option<Ident>,
}

fn struct_fields(base: &Expr, scope: &Columns) -> Result<Vec<String>> {
    let typed = expr::check(base, scope)?;
    match typed.ty() {
        Some(SqlType::Struct(fields)) => Ok(fields.iter().map(|(name, _)| name.clone()).collect()),
        other => Err(messages::projections::star_of_no_struct(other).at(base.at)),
    }
}

/// `taken`: names that made ones must not meet, those of the source.
fn name_items(expanded: Vec<Unnamed>, mut taken: Vec<String>) -> Result<Vec<Item>> {
    taken.extend(expanded.iter().filter_map(|item| item.name.clone()));
    let mut unnamed = 0;
    let mut items: Vec<Item> = Vec::with_capacity(expanded.len());
    for Unnamed { expr, name, alias } in expanded {
        let aliased = alias.is_some();
        let at = alias.as_ref().map_or(expr.at, |alias| alias.at);
        let name = match name {
            Some(name) => name,
            None => match &expr.kind {
                ExprKind::Field { field, .. } => first_free(&field.text, |name| taken.contains(name)),
                _ => loop {
                    let name = format!("KSQL_COL_{unnamed}");
                    unnamed += 1;
                    if !taken.contains(&name) {
                        break name;
                    }
                },
            },
        };
        if let Some(other) = items.iter().find(|item| item.name == name)
            && (!is_column(&other.expr) || !is_column(&expr) || aliased || other.aliased)
        {
            return Err(messages::projections::duplicate_name(&name).at(at));
        }
        taken.push(name.clone());
        items.push(Item { expr, name, aliased, at });
    }
    Ok(items)
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Column { .. })
}

/// `B`, else `B_1`, `B_2`, ...
pub(super) fn first_free(base: &str, taken: impl Fn(&String) -> bool) -> String {
    let numbered = (1..).map(|number| format!("{base}_{number}"));
    let mut names = std::iter::once(base.to_string()).chain(numbered);
    names.find(|name| !taken(name)).unwrap_or_default()
}
