//! Text to syntax tree and back. Doesn't know what exists.
//!
//! A text is cut into statements ([`split()`]), variables are put in ([`substitute`]), and each is read by a parser of
//! our own over sqlparser's tokens ([`parse`]). [`format`](mod@format) writes a tree so that it reads as the same tree.

pub mod ast;
pub mod format;
mod highlight;
mod keywords;
mod layout;
mod lexer;
mod parser;
mod split;
mod variables;

use ast::{Expr, Location, ParsedStatement, Type};

pub use highlight::{TokenClass, tokens};
pub use keywords::KEYWORDS;
pub use layout::layout;
#[cfg(test)]
use parser::{NESTING_MAX, QUERY_NESTING_MAX, STATEMENT_BYTES_MAX, TREE_HEIGHT_MAX};
pub use split::{directives, split};
pub use variables::substitute;

use crate::error::Result;

/// Any number of statements separated by `;`; the last one's `;` may be missing.
/// Places count lines and columns from 1 within the whole text. The first error ends it.
pub fn parse(text: &str) -> Result<Vec<ParsedStatement>> {
    let cut = split(text);
    let mut statements = Vec::with_capacity(cut.statements.len() + 1);
    for (text, at) in &cut.statements {
        statements.push(parser::parse_one(text, *at)?);
    }
    if !cut.rest.is_empty() {
        statements.push(parser::parse_one(&cut.rest, split::rest_location(text, &cut.rest))?);
    }
    Ok(statements)
}

/// One statement without its `;`, as [`split()`] gives it, which begins at `at` of a larger text.
pub fn parse_statement(text: &str, at: Location) -> Result<ParsedStatement> {
    parser::parse_one(text, at)
}

/// The whole text as one expression.
pub fn parse_expression(text: &str) -> Result<Expr> {
    parser::parse_expression(text)
}

/// The whole text as one type.
pub fn parse_type(text: &str) -> Result<Type> {
    parser::parse_type(text)
}

#[cfg(test)]
mod tests;
