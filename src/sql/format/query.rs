//! SELECT and its clauses.

use super::{expression, identifier, list, span};
use crate::sql::ast::{
    CommonTable, Emit, Expr, FromItem, FromRows, Join, JoinKind, Query, SelectItem, SortKey, Window, WindowKind, Within,
};

pub(super) fn text(query: &Query) -> String {
    let mut out = String::new();
    if !query.with.is_empty() {
        out.push_str(&format!("WITH {} ", list(&query.with, common_table)));
    }
    let distinct = if query.distinct { "DISTINCT " } else { "" };
    out.push_str(&format!("SELECT {distinct}{} FROM {}", list(&query.items, item), source(&query.from.first)));
    for each in &query.from.joins {
        out.push_str(&join(each));
    }
    if let Some(each) = &query.window {
        out.push_str(&window(each));
    }
    if let Some(filter) = &query.filter {
        out.push_str(&format!(" WHERE {}", expression(filter)));
    }
    out.push_str(&grouping("GROUP BY", &query.group_by));
    out.push_str(&grouping("PARTITION BY", &query.partition_by));
    if let Some(having) = &query.having {
        out.push_str(&format!(" HAVING {}", expression(having)));
    }
    for more in &query.union {
        out.push_str(&format!(" UNION ALL {}", text(more)));
    }
    if !query.order_by.is_empty() {
        out.push_str(&format!(" ORDER BY {}", list(&query.order_by, sort_key)));
    }
    match query.emit {
        Some(Emit::Changes) => out.push_str(" EMIT CHANGES"),
        Some(Emit::Final) => out.push_str(" EMIT FINAL"),
        None => {}
    }
    if let Some(limit) = query.limit {
        out.push_str(&format!(" LIMIT {limit}"));
    }
    out
}

fn sort_key(key: &SortKey) -> String {
    let nulls = match key.nulls_first {
        Some(true) => " NULLS FIRST",
        Some(false) => " NULLS LAST",
        None => "",
    };
    format!("{}{}{nulls}", expression(&key.expr), if key.descending { " DESC" } else { "" })
}

fn item(item: &SelectItem) -> String {
    match item {
        SelectItem::Star { source: None, .. } => "*".to_owned(),
        SelectItem::Star { source: Some(source), .. } => format!("{}.*", identifier(&source.text)),
        SelectItem::StructStar(base) => format!("{}->*", expression(base)),
        SelectItem::Expr { expr, alias } => aliased(expression(expr), alias.as_ref()),
    }
}

fn aliased(mut text: String, alias: Option<&crate::sql::ast::Ident>) -> String {
    if let Some(alias) = alias {
        text.push_str(&format!(" AS {}", identifier(&alias.text)));
    }
    text
}

fn common_table(table: &CommonTable) -> String {
    format!("{} AS ({})", identifier(&table.name.text), text(&table.query))
}

fn source(source: &FromItem) -> String {
    let rows = match &source.rows {
        FromRows::Named(name) => identifier(&name.text),
        FromRows::Query(query) => format!("({})", text(query)),
    };
    aliased(rows, source.alias.as_ref())
}

fn join(join: &Join) -> String {
    let kind = match join.kind {
        JoinKind::Inner => "INNER",
        JoinKind::Left => "LEFT OUTER",
        JoinKind::Right => "RIGHT OUTER",
        JoinKind::Full => "FULL OUTER",
    };
    let within = join.within.as_ref().map(within).unwrap_or_default();
    format!(" {kind} JOIN {}{within} ON {}", source(&join.source), expression(&join.on))
}

fn within(within: &Within) -> String {
    let spans = if within.before == within.after {
        span(within.before)
    } else {
        format!("({}, {})", span(within.before), span(within.after))
    };
    let grace = within.grace.map(|grace| format!(" GRACE PERIOD {}", span(grace))).unwrap_or_default();
    format!(" WITHIN {spans}{grace}")
}

fn window(window: &Window) -> String {
    let kind = match window.kind {
        WindowKind::Tumbling { size } => format!("TUMBLING (SIZE {}", span(size)),
        WindowKind::Hopping { size, advance } => format!("HOPPING (SIZE {}, ADVANCE BY {}", span(size), span(advance)),
        WindowKind::Session { gap } => format!("SESSION ({}", span(gap)),
    };
    let retention = window.retention.map(|retention| format!(", RETENTION {}", span(retention))).unwrap_or_default();
    let grace = window.grace.map(|grace| format!(", GRACE PERIOD {}", span(grace))).unwrap_or_default();
    format!(" WINDOW {kind}{retention}{grace})")
}

fn grouping(clause: &str, exprs: &[Expr]) -> String {
    if exprs.is_empty() { String::new() } else { format!(" {clause} {}", list(exprs, expression)) }
}
