//! The SELECT list: stars put out, names given.

use crate::analyze::rewrite;
use crate::analyze::scope::Columns;
use crate::error::{Error, Result};
use crate::expr;
use crate::sql::ast::{Expr, ExprKind, Ident, Location, SelectItem};
use crate::types::SqlType;

/// One column of a SELECT list.
#[derive(Debug, Clone)]
pub struct Item {
    pub expr: Expr,
    pub name: String,
    /// Named by the writer (AS ...).
    pub aliased: bool,
    pub at: Location,
}

/// Puts out stars (`star` gives the names of the columns of `*`) and names what has no name.
pub fn expand(items: &[SelectItem], star: &[String], scope: &Columns) -> Result<Vec<Item>> {
    let mut expanded: Vec<(Expr, Option<Ident>)> = Vec::new();
    for item in items {
        match item {
            SelectItem::Star { source, at } => {
                if let Some(source) = source
                    && !scope.qualifiers.contains(&source.text)
                {
                    return Err(Error::statement(format!(
                        "'{}' is not a valid stream/table name or alias.",
                        source.text
                    ))
                    .at(source.at));
                }
                let place = Expr::new(ExprKind::Null, *at);
                expanded.extend(star.iter().map(|name| (rewrite::column(name, &place), None)));
            }
            SelectItem::StructStar(base) => {
                for field in struct_fields(base, scope)? {
                    let mut field = Ident::new(field);
                    field.at = base.at;
                    let kind = ExprKind::Field { base: Box::new(base.clone()), field };
                    expanded.push((Expr::new(kind, base.at), None));
                }
            }
            SelectItem::Expr { expr, alias } => expanded.push((expr.clone(), alias.clone())),
        }
    }
    let known: Vec<String> = scope.schema.columns.iter().map(|column| column.name.clone()).collect();
    name_items(expanded, known)
}

fn struct_fields(base: &Expr, scope: &Columns) -> Result<Vec<String>> {
    let typed = expr::check(base, scope)?;
    match typed.ty() {
        Some(SqlType::Struct(fields)) => Ok(fields.iter().map(|(name, _)| name.clone()).collect()),
        other => Err(Error::statement(format!(
            "Cannot use '->*' on {}: it is no STRUCT.",
            other.map_or("NULL".to_string(), ToString::to_string)
        ))
        .at(base.at)),
    }
}

/// `taken`: names that made ones must not meet, those of the source.
fn name_items(expanded: Vec<(Expr, Option<Ident>)>, mut taken: Vec<String>) -> Result<Vec<Item>> {
    taken.extend(expanded.iter().filter_map(|(expr, alias)| own_name(expr, alias)));
    let mut unnamed = 0;
    let mut items: Vec<Item> = Vec::with_capacity(expanded.len());
    for (expr, alias) in expanded {
        let aliased = alias.is_some();
        let at = alias.as_ref().map_or(expr.at, |alias| alias.at);
        let name = match own_name(&expr, &alias) {
            Some(name) => name,
            None => match &expr.kind {
                ExprKind::Field { field, .. } => first_free(&field.text, &taken),
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
            return Err(Error::statement(format!("Duplicate column name in the SELECT list: `{name}`"))
                .hint("give one of them another name with AS")
                .at(at));
        }
        taken.push(name.clone());
        items.push(Item { expr, name, aliased, at });
    }
    Ok(items)
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Column { .. })
}

fn own_name(expr: &Expr, alias: &Option<Ident>) -> Option<String> {
    match (alias, &expr.kind) {
        (Some(alias), _) => Some(alias.text.clone()),
        (None, ExprKind::Column { name, .. }) => Some(name.text.clone()),
        _ => None,
    }
}

/// `B`, else `B_1`, `B_2`, ...
fn first_free(base: &str, taken: &[String]) -> String {
    if !taken.iter().any(|name| name == base) {
        return base.to_string();
    }
    let mut number = 1;
    loop {
        let name = format!("{base}_{number}");
        if !taken.contains(&name) {
            return name;
        }
        number += 1;
    }
}
