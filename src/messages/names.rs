//! Names in a query: unknown, ambiguous, there twice.

use super::statement;
use crate::error::Error;
use crate::nearest::nearest;
use crate::sql::ast::Ident;

/// A column that isn't there. `written`: its name as the query has it; `there`: the columns that are.
pub fn unknown_column(written: &str, name: &Ident, there: &[&str]) -> Error {
    /// More names than these help nobody.
    const NAMES_MAX: usize = 12;
    let error = did_you_mean(unresolved(written), &name.text, there.iter().copied());
    if error.hint.is_some() {
        return error;
    }
    // The plan's expressions don't know of quotes any more: a name in small letters had some.
    if name.quoted || name.text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return error.hint(format!(
            "Double quotes and back-ticks are for names; text stands in single quotes: '{}'.",
            name.text
        ));
    }
    let listed = &there[..there.len().min(NAMES_MAX)];
    let more = if listed.len() < there.len() { ", ..." } else { "" };
    error.hint(format!("There are {}{more}. Text stands in single quotes.", listed.join(", ")))
}

/// A window's bound where the rows come of a join.
pub fn window_bound_of_join(written: &str) -> Error {
    unresolved(written).hint("the rows of a join have no windows; those of a GROUP BY with a WINDOW clause do")
}

fn unresolved(written: &str) -> Error {
    statement(format!("Column '{written}' cannot be resolved."))
}

/// The error with a better hint: the unknown column `name` is an alias of the SELECT list, for `meant`.
pub fn about_alias(error: Error, name: &str, clause: &str, meant: &str) -> Error {
    error.hint(format!("{name} is an alias of the SELECT list, which {clause} doesn't know: write {meant} there, too."))
}

/// Several sources have the column; `candidates`: their columns, with qualifiers.
pub fn ambiguous_column(name: &str, candidates: &[String]) -> Error {
    statement(format!("Column '{name}' is ambiguous.")).hint(format!("Could be {}.", candidates.join(" or ")))
}

/// What an unknown qualifier is, as far as one can tell.
pub enum Qualifier<'a> {
    /// The name of a source that has this alias.
    Aliased(&'a str),
    /// A column.
    Column,
    /// Neither; the names and aliases that FROM has.
    Unknown(&'a [&'a str]),
}

/// A qualifier that none of FROM's sources has.
pub fn unknown_qualifier(name: &str, is: Qualifier) -> Error {
    statement(format!("'{name}' is not a valid stream/table name or alias.")).hint(match is {
        Qualifier::Aliased(alias) => format!("{name} is known as {alias} here."),
        Qualifier::Column => format!("{name} is a column: a field of it is {name}->FIELD."),
        Qualifier::Unknown(there) => format!("FROM has {}.", there.join(" and ")),
    })
}

/// Two sources of FROM have one name; `aliased`: the second one has got it as its alias.
pub fn same_qualifier(name: &str, aliased: bool) -> Error {
    statement(format!("There are two sources with the name or alias '{name}'.")).hint(match aliased {
        true => "give one of them another alias".to_owned(),
        false => format!("give one of them an alias: {name} other ON {name}.... = other...."),
    })
}

/// The error about an unknown source with a better hint: a name of WITH is near.
pub fn near_name_of_with(error: Error, name: &str) -> Error {
    error.hint(format!("Did you mean {name}, which WITH gives?"))
}

/// Adds the nearest of the names to an error about an unknown one, and why it isn't the same when only the case differs.
pub(super) fn did_you_mean<'a>(error: Error, name: &str, there: impl IntoIterator<Item = &'a str>) -> Error {
    match nearest(name, there) {
        Some(other) if other.eq_ignore_ascii_case(name) => {
            error.hint(format!("Did you mean `{other}`? Names in back-ticks keep their case."))
        }
        Some(other) => error.hint(format!("Did you mean {other}?")),
        None => error,
    }
}
