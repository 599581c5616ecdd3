//! Functions with regular expressions, written as Java's. What Rust's engine lacks (look-around, back references) fails
//! its row.

use std::cell::RefCell;
use std::rc::Rc;

use ::regex::Regex;
use arrow::array::{ArrayRef, Int32Array, StringArray};

use super::args::Values;
use super::define::{INT, STRING, array};
use super::kernel::{Out, known};
use super::last::Last;
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
    /// The last patterns compiled: most calls have one pattern for all their rows, and small batches come often. A copy of
    /// a `Regex` would have no scratch memory yet, which costs more than a search.
    static COMPILED: RefCell<Vec<(String, Compiled)>> = const { RefCell::new(Vec::new()) };
}

type Compiled = Result<Rc<Regex>, String>;

/// Patterns a thread keeps.
const COMPILED_MAX: usize = 32;

fn compiled(pattern: &str) -> Compiled {
    COMPILED.with_borrow_mut(|known| {
        if let Some(at) = known.iter().position(|(text, _)| text == pattern) {
            return known[at].1.clone();
        }
        let regex = Regex::new(pattern).map_err(|error| format!("Invalid regular expression '{pattern}': {error}"));
        if known.len() == COMPILED_MAX {
            drop(known.remove(0));
        }
        let regex = regex.map(Rc::new);
        known.push((pattern.into(), regex.clone()));
        regex
    })
}

/// The pattern of the row before.
#[derive(Default)]
struct Patterns<'a>(Last<'a, Compiled>);

impl<'a> Patterns<'a> {
    fn get(&mut self, pattern: &'a str) -> Result<&Regex, String> {
        self.0.of(pattern, compiled).as_deref().map_err(|reason| reason.clone())
    }
}

/// Patterns, texts and groups of a call.
struct Matches<'a> {
    patterns: Values<'a, StringArray>,
    texts: Values<'a, StringArray>,
    groups: Option<Values<'a, Int32Array>>,
    compiled: Patterns<'a>,
}

impl<'a> Matches<'a> {
    fn of(call: &ScalarCall<'a>) -> Self {
        let groups = (call.args.len() > 2).then(|| call.ints(2));
        Matches { patterns: call.texts(0), texts: call.texts(1), groups, compiled: Patterns::default() }
    }

    /// Of a row; `None` when one is NULL or there is no such group.
    fn get(&mut self, row: usize) -> Out<(&Regex, &'a str, usize)> {
        let (pattern, text) = (known!(self.patterns.get(row)), known!(self.texts.get(row)));
        let group = known!(self.groups.map_or(Some(0), |groups| groups.get(row)));
        let regex = self.compiled.get(pattern)?;
        let Ok(group) = usize::try_from(group) else { return Ok(None) };
        Ok((group < regex.captures_len()).then_some((regex, text, group)))
    }
}

fn extract(call: &mut ScalarCall<'_>) -> ArrayRef {
    let mut matches = Matches::of(call);
    call.collect_text(|row| {
        let (regex, text, group) = known!(matches.get(row)?);
        // To find the whole match is less work than to find groups.
        let found = if group == 0 { regex.find(text) } else { known!(regex.captures(text)).get(group) };
        Ok(found.map(|found| found.as_str()))
    })
}

fn extract_all(call: &mut ScalarCall<'_>) -> ArrayRef {
    let mut matches = Matches::of(call);
    call.write_lists(|row, out| {
        let (regex, text, group) = known!(matches.get(row)?);
        if group == 0 {
            regex.find_iter(text).for_each(|found| out.append_value(found.as_str()));
        } else {
            let found = regex.captures_iter(text).filter_map(|captures| captures.get(group));
            found.for_each(|found| out.append_value(found.as_str()));
        }
        Ok(Some(()))
    })
}

fn replace(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, pattern, new) = (call.texts(0), call.texts(1), call.texts(2));
    let mut patterns = Patterns::default();
    // Made for patterns of so many groups.
    let (mut templates, mut groups) = (Last::default(), 0);
    call.collect_text(|row| {
        let (text, pattern, new) = (known!(text.get(row)), known!(pattern.get(row)), known!(new.get(row)));
        let regex = patterns.get(pattern)?;
        if regex.captures_len() != groups {
            (templates, groups) = (Last::default(), regex.captures_len());
        }
        let template = templates.of(new, |new| template(new, groups)).as_ref().map_err(|reason| reason.clone())?;
        Ok(Some(regex.replace_all(text, template.as_str())))
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
    let mut patterns = Patterns::default();
    call.write_lists(|row, out| {
        let (text, pattern) = (known!(text.get(row)), known!(pattern.get(row)));
        let regex = patterns.get(pattern)?;
        let matches_nothing = regex.is_match("");
        let pieces = regex.split(text).filter(|piece| !(matches_nothing && piece.is_empty()));
        pieces.for_each(|piece| out.append_value(piece));
        Ok(Some(()))
    })
}
