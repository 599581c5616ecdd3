//! Syntax trees to text that reads as the same tree. Names are quoted only where they must be.

mod expression;
mod query;
mod statement;

use std::time::Duration;

use super::ast::{ColumnDef, ColumnRole, Expr, Literal, Properties, Statement, Type};
use super::keywords;
use super::parser::UNITS;

/// A statement on one line, without `;`. A [`Statement::NotSupported`] gives its name only.
pub fn statement(statement: &Statement) -> String {
    statement::text(statement)
}

/// An expression with no more parentheses than it needs.
pub fn expression(expr: &Expr) -> String {
    let mut out = String::new();
    expression::write(&mut out, expr, expression::WHOLE);
    out
}

/// A type: `ARRAY<STRING>`, ``STRUCT<A INTEGER, `b` MAP<STRING, DOUBLE>>``.
pub fn ty(ty: &Type) -> String {
    match ty {
        Type::Boolean => "BOOLEAN".to_owned(),
        Type::Int => "INTEGER".to_owned(),
        Type::Bigint => "BIGINT".to_owned(),
        Type::Double => "DOUBLE".to_owned(),
        Type::Decimal { precision, scale } => format!("DECIMAL({precision}, {scale})"),
        Type::String => "STRING".to_owned(),
        Type::Bytes => "BYTES".to_owned(),
        Type::Time => "TIME".to_owned(),
        Type::Date => "DATE".to_owned(),
        Type::Timestamp => "TIMESTAMP".to_owned(),
        Type::Array(item) => format!("ARRAY<{}>", self::ty(item)),
        Type::Map(key, value) => format!("MAP<{}, {}>", self::ty(key), self::ty(value)),
        Type::Struct(fields) => {
            let field = |(name, of): &(super::ast::Ident, Type)| format!("{} {}", identifier(&name.text), self::ty(of));
            format!("STRUCT<{}>", list(fields, field))
        }
        Type::Custom(name) => custom_type(&name.text),
    }
}

/// A custom type may bear the name of a built-in one, in quotes.
fn custom_type(name: &str) -> String {
    let reads_back = super::parse_type(name).is_ok_and(|ty| matches!(ty, Type::Custom(found) if found.text == name));
    if reads_back && keywords::is_plain_identifier(name) { name.to_owned() } else { back_ticked(name) }
}

/// An identifier, in back-ticks if it must be.
pub fn identifier(text: &str) -> String {
    if keywords::is_plain_identifier(text) { text.to_owned() } else { back_ticked(text) }
}

fn back_ticked(text: &str) -> String {
    format!("`{}`", text.replace('`', "``"))
}

/// A string literal, with its quotes.
pub fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Null => "NULL".to_owned(),
        Literal::Boolean(true) => "TRUE".to_owned(),
        Literal::Boolean(false) => "FALSE".to_owned(),
        Literal::Number(number) => number.clone(),
        Literal::String(text) => string(text),
    }
}

/// `WITH (...)` with a space before it, or nothing.
fn properties(properties: &Properties) -> String {
    if properties.is_empty() {
        return String::new();
    }
    let one =
        |(name, value): &(super::ast::Ident, Literal)| format!("{}={}", property_name(&name.text), literal(value));
    format!(" WITH ({})", list(properties, one))
}

fn property_name(name: &str) -> String {
    if keywords::is_plain_identifier(name) { name.to_owned() } else { string(name) }
}

/// `(a INTEGER KEY, ...)` with a space before it, or nothing.
fn columns(columns: &[ColumnDef]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    let one = |column: &ColumnDef| {
        let role = match &column.role {
            ColumnRole::Value => String::new(),
            ColumnRole::Key => " KEY".to_owned(),
            ColumnRole::PrimaryKey => " PRIMARY KEY".to_owned(),
            ColumnRole::Headers => " HEADERS".to_owned(),
            ColumnRole::Header(name) => format!(" HEADER({})", string(name)),
        };
        format!("{} {}{role}", identifier(&column.name.text), ty(&column.ty))
    };
    format!(" ({})", list(columns, one))
}

/// A span of time in the largest unit that measures it: `90 MINUTES`, `1 DAY`.
pub fn span(span: Duration) -> String {
    let millis = span.as_millis();
    let fits = |unit: &&(&str, u64)| millis.is_multiple_of(u128::from(unit.1)) && (millis > 0 || unit.0 == "SECOND");
    let (name, unit) = UNITS.iter().find(fits).copied().unwrap_or(("MILLISECOND", 1));
    let count = millis / u128::from(unit);
    format!("{count} {name}{}", if count == 1 { "" } else { "S" })
}

fn list<T>(items: &[T], one: impl FnMut(&T) -> String) -> String {
    items.iter().map(one).collect::<Vec<_>>().join(", ")
}
