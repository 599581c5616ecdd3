//! Functions with regular expressions, written as Java's. What Rust's engine lacks (look-around, back references) fails
//! its row.

use std::cell::RefCell;

use ::regex::Regex;
use arrow::array::ArrayRef;

use super::define::{INT, STRING, array};
use super::kernel::{Get, Out, known};
use super::{Function, ScalarCall};

const CATEGORY: &str = "REGULAR EXPRESSION";

pub(super) fn entries() -> Vec<Function> {
    let pattern = ("pattern", &STRING, "a regular expression");
    let text = ("text", &STRING, "a text");
    let group = ("group", &INT, "the number of a group; 0 is the whole match");
    vec![
        Function::scalar("REGEXP_EXTRACT", CATEGORY, "The first match of a pattern, or a group of it.")
            .over(&[pattern, text], STRING, extract)
            .over(&[pattern, text, group], STRING, extract)
            .examples(&[("REGEXP_EXTRACT('(.*) (.*)', 'hello there', 2)", "there")]),
        Function::scalar("REGEXP_EXTRACT_ALL", CATEGORY, "All matches of a pattern, or of a group of it.")
            .over(&[pattern, text], array(STRING), extract_all)
            .over(&[pattern, text, group], array(STRING), extract_all)
            .examples(&[("REGEXP_EXTRACT_ALL('[0-9]+', 'a1b22')", "[1, 22]")]),
        Function::scalar(
            "REGEXP_REPLACE",
            CATEGORY,
            "The text with all matches of a pattern replaced; $1 is its first group.",
        )
        .over(&[text, pattern, ("new", &STRING, "what to put there")], STRING, replace)
        .examples(&[("REGEXP_REPLACE('a1b2', '([a-z])[0-9]', '$1')", "ab")]),
        Function::scalar("REGEXP_SPLIT_TO_ARRAY", CATEGORY, "The pieces of a text between matches of a pattern.")
            .over(&[text, pattern], array(STRING), split)
            .examples(&[("REGEXP_SPLIT_TO_ARRAY('a1b22c', '[0-9]+')", "[a, b, c]")]),
    ]
}

thread_local! {
    /// The last patterns compiled: most calls have one pattern for all their rows, and small batches come often.
    static COMPILED: RefCell<Vec<(String, Result<Regex, String>)>> = const { RefCell::new(Vec::new()) };
}

/// Patterns a thread keeps.
const COMPILED_MAX: usize = 32;

fn compiled(pattern: &str) -> Result<Regex, String> {
    COMPILED.with_borrow_mut(|known| {
        if let Some(at) = known.iter().position(|(text, _)| text == pattern) {
            return known[at].1.clone();
        }
        let regex = Regex::new(pattern).map_err(|error| format!("Invalid regular expression '{pattern}': {error}"));
        if known.len() == COMPILED_MAX {
            drop(known.remove(0));
        }
        known.push((pattern.into(), regex.clone()));
        regex
    })
}

/// Pattern, text and group of a row; `None` when one is NULL or there is no such group.
fn match_of<'a>(call: &ScalarCall<'a>, row: usize) -> Out<(Regex, &'a str, usize)> {
    let (pattern, text) = (known!(call.texts(0).get(row)), known!(call.texts(1).get(row)));
    let group = if call.args.len() > 2 { known!(call.ints(2).get(row)) } else { 0 };
    let regex = compiled(pattern)?;
    let Ok(group) = usize::try_from(group) else { return Ok(None) };
    Ok((group < regex.captures_len()).then_some((regex, text, group)))
}

fn extract(call: &mut ScalarCall<'_>) -> ArrayRef {
    let matches: Vec<_> = (0..call.rows).map(|row| match_of(call, row)).collect();
    call.collect_text(|row| {
        let (regex, text, group) = known!(matches[row].as_ref().map_err(Clone::clone)?);
        let captures = known!(regex.captures(text));
        Ok(captures.get(*group).map(|found| found.as_str().to_string()))
    })
}

fn extract_all(call: &mut ScalarCall<'_>) -> ArrayRef {
    let matches: Vec<_> = (0..call.rows).map(|row| match_of(call, row)).collect();
    call.collect_text_lists(|row| {
        let (regex, text, group) = known!(matches[row].as_ref().map_err(Clone::clone)?);
        let found = regex.captures_iter(text).filter_map(|captures| captures.get(*group));
        Ok(Some(found.map(|found| found.as_str().to_string()).collect()))
    })
}

fn replace(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, pattern, new) = (call.texts(0), call.texts(1), call.texts(2));
    call.collect_text(|row| {
        let (text, pattern, new) = (known!(text.get(row)), known!(pattern.get(row)), known!(new.get(row)));
        let regex = compiled(pattern)?;
        let template = template(new, regex.captures_len())?;
        Ok(Some(regex.replace_all(text, template.as_str()).into_owned()))
    })
}

/// Java's replacement text as Rust's: `$12` is as many digits as there are groups, `\` takes the next literally.
fn template(java: &str, groups: usize) -> Result<String, String> {
    let mut out = String::with_capacity(java.len());
    let mut chars = java.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next().ok_or("character to be escaped is missing")? {
                '$' => out.push_str("$$"),
                other => out.push(other),
            },
            '$' => {
                let mut group = chars.next().and_then(|c| c.to_digit(10)).ok_or("Illegal group reference")? as usize;
                if group >= groups {
                    return Err(format!("No group {group}"));
                }
                while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                    let longer = group * 10 + digit as usize;
                    if longer >= groups {
                        break;
                    }
                    group = longer;
                    chars.next();
                }
                out.push_str(&format!("${{{group}}}"));
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

fn split(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, pattern) = (call.texts(0), call.texts(1));
    call.collect_text_lists(|row| {
        let (text, pattern) = (known!(text.get(row)), known!(pattern.get(row)));
        let regex = compiled(pattern)?;
        if regex.is_match("") {
            let pieces = regex.split(text).filter(|piece| !piece.is_empty());
            return Ok(Some(pieces.map(str::to_string).collect()));
        }
        Ok(Some(regex.split(text).map(str::to_string).collect()))
    })
}
