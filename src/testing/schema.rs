//! A source's schema as text, made comparable: `ID BIGINT KEY, V STRING`.

use crate::error::{Error, Result};
use crate::expr::to_sql_type;
use crate::sql;
use crate::types::SqlType;

/// A column: its words and signs, names folded, type names in one spelling.
type Column = Vec<String>;

/// Whether two schemas state the same key columns in the same order and the same value columns in the same order.
pub fn same_schema(expected: &str, actual: &str) -> bool {
    let (expected, actual) = (columns(expected), columns(actual));
    expected.len() == actual.len() && by_role(&expected) == by_role(&actual)
}

fn by_role(columns: &[Column]) -> (Vec<&Column>, Vec<&Column>) {
    columns.iter().partition(|column| column.last().is_some_and(|word| word == "KEY"))
}

/// The types of a schema's columns.
///
/// Errors: it isn't the schema of a query's rows.
pub fn types_of(schema: &str) -> Result<Vec<SqlType>> {
    let wrong = |why: &str| Error::internal(format!("the schema of the rows can't be read: {why}: {schema}"));
    let columns = Cut(schema).filter(|column| !column.trim().is_empty());
    let of_column = |column: &str| {
        let column = column.trim();
        let name = column.strip_prefix('`').and_then(|rest| rest.split_once('`')).ok_or_else(|| wrong("no name"))?;
        let ty = name.1.trim();
        let ty = ty.strip_suffix(" KEY").unwrap_or(ty);
        let parsed = sql::parse_type(ty).map_err(|error| wrong(&error.to_string()))?;
        to_sql_type(&parsed, &|_| None)
    };
    columns.map(of_column).collect()
}

/// Cuts a schema at the commas between columns.
struct Cut<'a>(&'a str);

impl<'a> Iterator for Cut<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let (mut depth, mut quoted) = (0_i32, false);
        for (i, c) in self.0.char_indices() {
            match c {
                '`' => quoted = !quoted,
                '<' | '(' if !quoted => depth += 1,
                '>' | ')' if !quoted => depth -= 1,
                ',' if !quoted && depth == 0 => {
                    let column = &self.0[..i];
                    self.0 = &self.0[i + 1..];
                    return Some(column);
                }
                _ => {}
            }
        }
        Some(std::mem::take(&mut self.0))
    }
}

/// The columns of a schema without the marks of keys.
pub fn columns_without_keys(schema: &str) -> Vec<Vec<String>> {
    let mut columns = columns(schema);
    for column in &mut columns {
        column.pop_if(|word| word == "KEY");
    }
    columns
}

/// Cuts at the commas that are not within a type.
fn columns(schema: &str) -> Vec<Column> {
    let mut columns = vec![Column::new()];
    let mut depth = 0_i32;
    for token in tokens(schema) {
        match token.as_str() {
            "<" | "(" => depth += 1,
            ">" | ")" => depth -= 1,
            _ => {}
        }
        match columns.last_mut() {
            Some(column) if token != "," || depth > 0 => column.push(token),
            _ => columns.push(Column::new()),
        }
    }
    for column in &mut columns {
        // A table's key is the same column whether it is called so or not.
        column.retain(|word| word != "PRIMARY");
    }
    columns.retain(|column| !column.is_empty());
    columns
}

/// Words and signs. A name in back-ticks is a word as written, any other is folded to upper case.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '`' => rest[1..].find('`').map_or(rest.len(), |end| end + 2),
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(match first {
            '`' => token.trim_matches('`').to_owned(),
            '\'' => token.to_owned(),
            _ => one_spelling(token.to_uppercase()),
        });
        rest = after.trim_start();
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn one_spelling(word: String) -> String {
    match word.as_str() {
        "VARCHAR" => "STRING".to_owned(),
        "INT" => "INTEGER".to_owned(),
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_schema() {
        for (expected, actual) in [
            ("ID BIGINT KEY, V STRING", "`ID` BIGINT KEY, `V` VARCHAR"),
            ("id INT PRIMARY KEY, v DECIMAL(4,2)", "`ID` INTEGER KEY, `V` DECIMAL(4, 2)"),
            ("S STRUCT<A INT,`b` ARRAY<STRING>>", "`S` STRUCT<`A` INTEGER, `b` ARRAY<VARCHAR>>"),
            ("V INT, K INT KEY", "`K` INTEGER KEY, `V` INTEGER"),
        ] {
            assert!(same_schema(expected, actual), "{expected} / {actual}");
        }
    }

    #[test]
    fn different_schemas() {
        let schema = "ID BIGINT KEY, V STRING, W INT";
        for other in [
            "ID BIGINT, V STRING, W INT",
            "ID INT KEY, V STRING, W INT",
            "ID BIGINT KEY, W INT, V STRING",
            "ID BIGINT KEY, V STRING",
            "ID BIGINT KEY, V STRING, W INT, X INT",
            "ID BIGINT KEY, `v` STRING, W INT",
            "",
        ] {
            assert!(!same_schema(schema, other), "{other}");
        }
        assert!(!same_schema("A STRUCT<B INT, C INT>", "A STRUCT<C INT, B INT>"));
    }
}
