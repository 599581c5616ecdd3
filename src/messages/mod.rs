//! What the writer of a statement is told, all of it: a function for each message, in files by what they are about.
//!
//! The checks stay where the knowledge is; they call a function here with what they found and add the place:
//! `return Err(messages::joins::no_equality(&condition).at(on.at))`. Nobody else makes an error of
//! `Audience::Statement` or `Audience::NotSupported`. What the world has for that writer (`cluster`) stands here, too.
//!
//! How a message is worded:
//!
//! 1. What is wrong comes first. Where ksqlDB has words for it they are these, since scripts look for them; the rest is ours.
//! 2. Then what was expected, when that isn't plain from what is wrong: a type, a kind, what there is.
//! 3. The hint gives one way to mend it, as near as can be to what is to be typed. An unknown name's hint is the nearest one.
//! 4. Names, types and values stand as they were written; keywords in capitals. No word of the engine's insides.
//! 5. A function takes names, types and numbers, not English: two checks that find the same say the same.

use std::fmt::Display;

use crate::catalog::SourceKind;
use crate::error::{Audience, Error};
use crate::nearest::nearest;

pub mod access;
pub mod aggregates;
pub mod clauses;
pub mod cluster;
pub mod definitions;
pub mod expressions;
pub mod formats;
pub mod functions;
pub mod groups;
pub mod inserts;
pub mod joins;
pub mod keys;
pub mod names;
pub mod other_sql;
pub mod projections;
pub mod properties;
pub mod pull;
pub mod queries;
pub mod settings;
pub mod sinks;
pub mod sources;
pub mod statements;
pub mod subqueries;
pub mod syntax;
pub mod topics;
pub mod types;
pub mod windows;

/// The statement is wrong.
fn statement(what: impl Into<String>) -> Error {
    Error::new(Audience::Statement, what)
}

/// `<what> is not supported`, with what to do instead.
fn not_supported(what: impl Display, hint: impl Into<String>) -> Error {
    Error::new(Audience::NotSupported, format!("{what} is not supported")).hint(hint)
}

/// Something outside is in the way.
fn world(what: impl Into<String>) -> Error {
    Error::new(Audience::World, what)
}

/// An error in another one's words: a server's that was asked.
pub fn relayed(audience: Audience, what: impl Into<String>) -> Error {
    Error::new(audience, what)
}

/// The error with the nearest of the names as its hint; without one when none is near.
fn did_you_mean<'a>(error: Error, wanted: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    match nearest(wanted, there) {
        Some(other) => error.hint(format!("Did you mean {other}?")),
        None => error,
    }
}

/// An `s` for several.
fn plural(count: usize) -> &'static str {
    if count > 1 { "s" } else { "" }
}

fn kind_word(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Stream => "stream",
        SourceKind::Table => "table",
    }
}

fn kind_keyword(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Stream => "STREAM",
        SourceKind::Table => "TABLE",
    }
}

#[cfg(test)]
mod tests;
