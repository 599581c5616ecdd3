//! Lays out the text of statements for people: `millpond fmt`.
//!
//! It works on the tokens, not on the tree: what is read afterwards is, token by token, what was read before, and comments stay
//! between the tokens that they stood between. Only white space changes, and the case of keywords. Laid out twice, a text
//! is as laid out once.
//!
//! Lines are up to [`WIDTH`] characters wide. Clauses of a query begin lines; what doesn't fit is broken at commas (one item a
//! line), AND and OR. Up to one empty line is kept between statements and before comments.

mod page;
mod parts;
mod spacing;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use self::page::Page;
use self::parts::{Item, items};
use super::ast::Location;
use super::lexer::{Kind, scan};
use super::parser;
use super::split::Place;
use crate::error::{Error, Result};

/// Characters of a line, unless a single token or comment has more.
const WIDTH: usize = 120;

/// The text laid out.
///
/// Errors: a statement can't be parsed. One with variables (`${name}`) is laid out unread, since what they stand for isn't
/// known.
pub fn layout(text: &str) -> Result<String> {
    let mut place = Place::default();
    for (statement, range) in super::split::ranges(text) {
        parser::check_length(statement, place.advance(text, range.start))?;
    }
    let (tokens, unfinished) = scan(text, Location { line: 1, column: 1 });
    if let Some(unfinished) = unfinished {
        return Err(unfinished.error);
    }
    let names = names(text)?;
    let items = items(text, &tokens, &names);
    let mut page = Page::default();
    let mut rest = items.as_slice();
    while !rest.is_empty() {
        let end = rest.iter().position(Item::ends_statement).map_or(rest.len(), |end| end + 1);
        page.statement(&rest[..end]);
        rest = &rest[end..];
    }
    let laid_out = page.finish();
    match same(text, &laid_out) {
        true => Ok(laid_out),
        false => Err(Error::internal("the formatter changed more than white space; please report this")),
    }
}

/// Where the names begin: words that aren't keywords where they stand.
fn names(text: &str) -> Result<BTreeSet<usize>> {
    let mut names = BTreeSet::new();
    let mut place = Place::default();
    for (statement, range) in super::split::ranges(text) {
        // The characters of a variable are no token of the language.
        let variables = scan(statement, Location::default()).0.iter().any(|token| token.kind == Kind::Other);
        if variables && statement.contains("${") {
            continue;
        }
        let at = place.advance(text, range.start);
        names.extend(parser::names_in(statement, at)?.into_iter().map(|name| range.start + name));
    }
    Ok(names)
}

/// Whether two texts have the same tokens and comments.
fn same(before: &str, after: &str) -> bool {
    let read = |text: &str| -> Vec<(Kind, String)> {
        let tokens = scan(text, Location::default()).0;
        let written = |token: &super::lexer::Token| match token.kind {
            Kind::Word(_) => String::new(),
            // White space at the ends of their lines, and before the lines of longer ones, is the page's.
            Kind::Comment => text[token.range.clone()].split_whitespace().collect::<Vec<_>>().join(" "),
            _ => text[token.range.clone()].to_owned(),
        };
        tokens.iter().map(|token| (token.kind.clone(), written(token))).collect()
    };
    read(before) == read(after)
}
