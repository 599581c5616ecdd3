//! `${name}` variables: put into the text before it is parsed.

use std::collections::BTreeMap;

use super::ast::Location;
use super::split::{Piece, pieces};
use crate::error::Result;
use crate::messages;

/// The text with every `${name}` replaced by the variable's value, within quotes, too, but not within comments.
/// Names ignore case. `$${name}` stands for `${name}` itself. An unknown variable is an error at its place.
pub fn substitute(text: &str, variables: &BTreeMap<String, String>) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    for (piece, range, _) in pieces(text) {
        if piece == Piece::Comment {
            out.push_str(&text[range]);
        } else {
            substitute_piece(text, range, variables, &mut out)?;
        }
    }
    Ok(out)
}

fn substitute_piece(
    text: &str,
    range: std::ops::Range<usize>,
    variables: &BTreeMap<String, String>,
    out: &mut String,
) -> Result<()> {
    let mut from = range.start;
    while let Some(found) = text[from..range.end].find("${") {
        let dollar = from + found;
        let Some(length) = text[dollar..range.end].find('}') else { break };
        let end = dollar + length + 1;
        let name = &text[dollar + 2..end - 1];
        if text[from..dollar].ends_with('$') {
            out.push_str(&text[from..dollar - 1]);
            out.push_str(&text[dollar..end]);
        } else {
            out.push_str(&text[from..dollar]);
            out.push_str(value(name, variables).map_err(|error| error.at(place(text, dollar)))?);
        }
        from = end;
    }
    out.push_str(&text[from..range.end]);
    Ok(())
}

fn value<'a>(name: &str, variables: &'a BTreeMap<String, String>) -> Result<&'a str> {
    let exact = variables.get(name);
    let found = exact.or_else(|| variables.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v));
    found
        .map(String::as_str)
        .ok_or_else(|| messages::syntax::undefined_variable(name, variables.keys().map(String::as_str)))
}

fn place(text: &str, byte: usize) -> Location {
    super::split::rest_location(text, &text[byte..])
}
