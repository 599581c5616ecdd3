//! IS NULL, BETWEEN, IN, LIKE.

use arrow::array::{Array, AsArray};
use arrow::buffer::BooleanBuffer;
use regex::Regex;

use super::bind::Plan;
use super::compare::{compare, finish, finish_known};
use super::{Column, Failures, Rows, both_failed, either, is_failed};
use crate::error::{Error, Result};
use crate::expr::EvalErrors;
use crate::expr::typed::{Comparison, Nulls};
use crate::types::Value;

pub(super) fn is_null(operand: Column, negated: bool, rows: Rows<'_>) -> Column {
    let operand = operand.expand(rows.count);
    let valid = match operand.array.logical_nulls() {
        Some(nulls) => nulls.inner().clone(),
        None => BooleanBuffer::new_set(rows.count),
    };
    finish(if negated { valid } else { !&valid }, operand.failed)
}

/// Where the column isn't NULL.
fn known(column: &Column, rows: Rows<'_>) -> BooleanBuffer {
    match column.array.nulls() {
        Some(nulls) => nulls.inner().clone(),
        None => BooleanBuffer::new_set(rows.count),
    }
}

fn truths(column: &Column) -> &BooleanBuffer {
    column.array.as_boolean().values()
}

pub(super) fn between(
    operand: &Plan,
    low: &Plan,
    high: &Plan,
    (negated, nulls): (bool, Nulls),
    rows: Rows<'_>,
    errors: &mut EvalErrors,
) -> Column {
    let value = operand.run(rows, errors);
    let (low_column, high_column) = (low.run(rows, errors), high.run(rows, errors));
    let above = compare(Comparison::GreaterEqual, value.clone(), low_column, (&operand.ty, &low.ty), nulls, rows);
    let below = compare(Comparison::LessEqual, value, high_column, (&operand.ty, &high.ty), nulls, rows);
    if nulls == Nulls::Unknown {
        let (above_known, below_known) = (known(&above, rows), known(&below, rows));
        let inside = &(truths(&above) & &above_known) & &(truths(&below) & &below_known);
        let outside = &(&!truths(&above) & &above_known) | &(&!truths(&below) & &below_known);
        let decided = &inside | &outside;
        return finish_known(if negated { !&inside } else { inside }, &decided, both_failed(&above, &below));
    }
    let inside = truths(&above) & truths(&below);
    finish(if negated { !&inside } else { inside }, both_failed(&above, &below))
}

pub(super) fn in_list(
    operand: &Plan,
    list: &[Plan],
    (negated, nulls): (bool, Nulls),
    rows: Rows<'_>,
    errors: &mut EvalErrors,
) -> Column {
    let value = operand.run(rows, errors);
    let mut failed = value.failed.clone();
    let mut found = BooleanBuffer::new_unset(rows.count);
    let mut all_known = BooleanBuffer::new_set(rows.count);
    for item in list {
        let other = item.run(rows, errors);
        let equal = compare(Comparison::Equal, value.clone(), other, (&operand.ty, &item.ty), nulls, rows);
        let is_known = known(&equal, rows);
        found = &found | &(truths(&equal) & &is_known);
        all_known = &all_known & &is_known;
        failed = either(failed, equal.failed);
    }
    if nulls == Nulls::Unknown {
        let decided = &found | &all_known;
        return finish_known(if negated { !&found } else { found }, &decided, failed);
    }
    finish(if negated { !&found } else { found }, failed)
}

/// How LIKE's pattern is matched.
pub(in crate::expr) enum Matcher {
    Constant(Regex),
    /// The pattern comes from the rows.
    PerRow {
        escape: Option<char>,
    },
}

impl Matcher {
    pub fn new(pattern: Option<Value>, escape: Option<char>) -> Result<Matcher> {
        match pattern {
            Some(Value::String(pattern)) => {
                Ok(Matcher::Constant(regex_of(&pattern, escape).map_err(Error::statement)?))
            }
            _ => Ok(Matcher::PerRow { escape }),
        }
    }
}

/// `%` and `_` stand for any characters but line ends.
fn regex_of(pattern: &str, escape: Option<char>) -> Result<Regex, String> {
    const ANY: &str = r"[^\n\r\u{85}\u{2028}\u{2029}]";
    let mut regex = String::from(r"\A");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            _ if Some(c) == escape => {
                let literal = chars.next().ok_or("LIKE pattern must not end with its escape character")?;
                regex.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
            }
            '%' => regex.extend([ANY, "*"]),
            '_' => regex.push_str(ANY),
            _ => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push_str(r"\z");
    Regex::new(&regex).map_err(|_| format!("LIKE pattern is too large: '{pattern}'"))
}

pub(super) fn like(
    text: Column,
    pattern: Column,
    matcher: &Matcher,
    negated: bool,
    rows: Rows<'_>,
    errors: &mut EvalErrors,
) -> Column {
    let before = both_failed(&text, &pattern);
    let (texts, patterns) = (text.array.as_string::<i32>(), pattern.array.as_string::<i32>());
    let mut failures = Failures::new(rows, errors);
    let mut last: Option<(String, Result<Regex, String>)> = None;
    let matched = BooleanBuffer::from_iter((0..rows.count).map(|row| {
        if text.is_null(row) || pattern.is_null(row) {
            if !is_failed(&before, row) {
                failures.fail(row, "NULL operand of LIKE");
            }
            return false;
        }
        let value = texts.value(text.at(row));
        match matcher {
            Matcher::Constant(regex) => regex.is_match(value),
            Matcher::PerRow { escape } => {
                let pattern = patterns.value(pattern.at(row));
                if last.as_ref().is_none_or(|(known, _)| known != pattern) {
                    last = Some((pattern.into(), regex_of(pattern, *escape)));
                }
                match &last {
                    Some((_, Ok(regex))) => regex.is_match(value),
                    Some((_, Err(reason))) => {
                        failures.fail(row, reason.clone());
                        false
                    }
                    None => false,
                }
            }
        }
    }));
    finish(if negated { !&matched } else { matched }, either(before, failures.into_mask()))
}
