//! LIKE: patterns, compiled, and the rows whose text has their form.

use arrow::array::{Array, AsArray, StringArray};
use arrow::buffer::BooleanBuffer;
use memchr::memmem::{self, Finder};
use regex::Regex;

use super::compare::finish;
use super::{Column, Failures, Rows, both_failed, either, is_failed};
use crate::error::Result;
use crate::expr::EvalErrors;
use crate::messages;
use crate::types::Value;

/// How LIKE's pattern is matched.
pub(in crate::expr) enum Matcher {
    Constant(Box<Pattern>),
    /// The pattern comes from the rows.
    PerRow {
        escape: Option<char>,
    },
}

impl Matcher {
    pub fn new(pattern: Option<Value>, escape: Option<char>) -> Result<Matcher> {
        match pattern {
            Some(Value::String(pattern)) => {
                let pattern =
                    Pattern::new(&pattern, escape).map_err(|why| messages::expressions::like_pattern(&why))?;
                Ok(Matcher::Constant(Box::new(pattern)))
            }
            _ => Ok(Matcher::PerRow { escape }),
        }
    }
}

/// A compiled pattern. `%` and `_` stand for any characters but line ends.
pub(in crate::expr) struct Pattern {
    /// For any text.
    exact: Regex,
    /// Exact for texts without line ends; what it doesn't match, the pattern doesn't.
    quick: Quick,
}

/// A pattern where `%` and `_` stand for any characters, line ends, too.
enum Quick {
    /// No `%`, no `_`.
    Whole(String),
    /// `first%middle%...%last`: what stands between must come in this order.
    Pieces { first: String, middle: Vec<Finder<'static>>, last: String },
    /// Has `_`.
    Regex(Regex),
}

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Literal(char),
    AnyOne,
    AnyMany,
}

fn parts(pattern: &str, escape: Option<char>) -> std::result::Result<Vec<Part>, String> {
    let mut parts = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            _ if Some(c) == escape => {
                Part::Literal(chars.next().ok_or("LIKE pattern must not end with its escape character")?)
            }
            '%' => Part::AnyMany,
            '_' => Part::AnyOne,
            _ => Part::Literal(c),
        });
    }
    Ok(parts)
}

/// A regular expression in which `any` stands for a character.
fn regex_text(parts: &[Part], any: &str) -> String {
    let mut regex = String::new();
    for part in parts {
        match part {
            Part::Literal(c) => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
            Part::AnyOne => regex.push_str(any),
            Part::AnyMany => regex.extend([any, "*"]),
        }
    }
    regex
}

impl Pattern {
    fn new(pattern: &str, escape: Option<char>) -> std::result::Result<Pattern, String> {
        let parts = parts(pattern, escape)?;
        let regex = |text: &str| Regex::new(text).map_err(|_| format!("LIKE pattern is too large: '{pattern}'"));
        let exact = regex(&format!(r"\A{}\z", regex_text(&parts, r"[^\n\r\u{85}\u{2028}\u{2029}]")))?;
        let quick = if parts.contains(&Part::AnyOne) {
            // What may begin or end with anything is only looked for.
            let inner = parts.strip_prefix(&[Part::AnyMany]).unwrap_or(&parts);
            let begin = if inner.len() < parts.len() { "" } else { r"\A" };
            let (inner, end) = match inner {
                [rest @ .., Part::AnyMany] => (rest, ""),
                all => (all, r"\z"),
            };
            Quick::Regex(regex(&format!("(?s){begin}{}{end}", regex_text(inner, ".")))?)
        } else {
            pieces(&parts)
        };
        Ok(Pattern { exact, quick })
    }

    /// The texts that match. What stands at NULLs says nothing.
    fn marks(&self, texts: &StringArray) -> BooleanBuffer {
        let ending = match &self.quick {
            Quick::Pieces { first, last, .. } if first.is_empty() => last.as_bytes().last(),
            _ => None,
        };
        let Some(ending) = ending else {
            return BooleanBuffer::collect_bool(texts.len(), |row| self.matches(texts.value(row)));
        };
        let (offsets, data) = (texts.value_offsets(), texts.value_data());
        // Of a pattern that says how texts end, one byte tells most of them.
        BooleanBuffer::collect_bool(texts.len(), |row| {
            let (begin, end) = (offsets[row] as usize, offsets[row + 1] as usize);
            begin < end && data[end - 1] == *ending && self.matches(texts.value(row))
        })
    }

    #[inline]
    fn matches(&self, text: &str) -> bool {
        // Few texts match, and fewer have line ends: both are looked at only then.
        self.quick.matches(text) && (is_one_line(text.as_bytes()) || self.exact.is_match(text))
    }
}

impl Quick {
    #[inline]
    fn matches(&self, text: &str) -> bool {
        match self {
            Quick::Whole(whole) => text == whole,
            Quick::Regex(regex) => regex.is_match(text),
            Quick::Pieces { first, middle, last } => {
                let (text, first, last) = (text.as_bytes(), first.as_bytes(), last.as_bytes());
                if text.len() < first.len() + last.len() {
                    return false;
                }
                let (begin, rest) = text.split_at(first.len());
                let (mut rest, end) = rest.split_at(rest.len() - last.len());
                // Byte by byte: most differ at once, and they are too short for a call of memcmp.
                let is_same = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(a, b)| a == b);
                is_same(begin, first)
                    && is_same(end, last)
                    && middle.iter().all(|piece| match piece.find(rest) {
                        Some(at) => {
                            rest = &rest[at + piece.needle().len()..];
                            true
                        }
                        None => false,
                    })
            }
        }
    }
}

/// Of a pattern without `_`.
fn pieces(parts: &[Part]) -> Quick {
    let text = |part: &[Part]| -> String {
        part.iter().filter_map(|part| if let Part::Literal(c) = part { Some(*c) } else { None }).collect()
    };
    let mut pieces: Vec<String> = parts.split(|part| *part == Part::AnyMany).map(text).collect();
    let last = pieces.pop().unwrap_or_default();
    if pieces.is_empty() {
        return Quick::Whole(last);
    }
    let first = pieces.remove(0);
    let middle = pieces.iter().filter(|piece| !piece.is_empty()).map(|piece| Finder::new(piece).into_owned());
    Quick::Pieces { first, middle: middle.collect(), last }
}

/// Whether UTF-8 has nothing that `%` and `_` don't stand for.
fn is_one_line(text: &[u8]) -> bool {
    // Of most texts all bytes lie between the control characters and 0x80, which is told of many bytes at once.
    text.iter().fold(0, |most, byte| byte.wrapping_sub(0x0e).max(most)) < 0x72
        || memchr::memchr2(b'\n', b'\r', text).is_none()
            && ["\u{85}", "\u{2028}", "\u{2029}"].iter().all(|end| memmem::find(text, end.as_bytes()).is_none())
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
    let mut failures = Failures::new(rows, errors);
    let fail_null = |failures: &mut Failures<'_, '_>, row: usize| {
        if !is_failed(&before, row) {
            failures.fail(row, "NULL operand of LIKE");
        }
    };
    let matched = match matcher {
        Matcher::Constant(pattern) if !text.is_scalar => {
            let texts = text.array.as_string::<i32>();
            let matched = pattern.marks(texts);
            match texts.nulls().map(|nulls| nulls.inner()) {
                Some(known) => {
                    (!known).set_indices().for_each(|row| fail_null(&mut failures, row));
                    &matched & known
                }
                None => matched,
            }
        }
        _ => BooleanBuffer::collect_bool(rows.count, {
            let mut per_row = PerRow::new(&text, &pattern, matcher);
            let failures = &mut failures;
            move |row| match per_row.matches(row) {
                Some(Ok(matches)) => matches,
                Some(Err(reason)) => {
                    failures.fail(row, reason);
                    false
                }
                None => {
                    fail_null(failures, row);
                    false
                }
            }
        }),
    };
    finish(if negated { !&matched } else { matched }, either(before, failures.into_mask()))
}

/// Texts and patterns row by row.
struct PerRow<'a> {
    text: &'a Column,
    pattern: &'a Column,
    matcher: &'a Matcher,
    /// The pattern of the row before.
    last: Option<(&'a str, std::result::Result<Pattern, String>)>,
}

impl<'a> PerRow<'a> {
    fn new(text: &'a Column, pattern: &'a Column, matcher: &'a Matcher) -> Self {
        PerRow { text, pattern, matcher, last: None }
    }

    /// `None` where an operand is NULL.
    fn matches(&mut self, row: usize) -> Option<std::result::Result<bool, String>> {
        if self.text.is_null(row) || self.pattern.is_null(row) {
            return None;
        }
        let text = self.text.array.as_string::<i32>().value(self.text.at(row));
        let escape = match self.matcher {
            Matcher::Constant(pattern) => return Some(Ok(pattern.matches(text))),
            Matcher::PerRow { escape } => *escape,
        };
        let pattern = self.pattern.array.as_string::<i32>().value(self.pattern.at(row));
        if self.last.as_ref().is_some_and(|(known, _)| *known != pattern) {
            self.last = None;
        }
        let (_, compiled) = self.last.get_or_insert_with(|| (pattern, Pattern::new(pattern, escape)));
        Some(compiled.as_ref().map(|pattern| pattern.matches(text)).map_err(|reason| reason.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// The quick way and the regular expression agree, whatever the text has.
        #[test]
        fn quick_and_exact_agree(pattern in "[ab%_é\\n!]{0,6}", text in "[abé\\n\u{2028}📷]{0,8}") {
            if let Ok(pattern) = Pattern::new(&pattern, Some('!')) {
                proptest::prop_assert_eq!(pattern.matches(&text), pattern.exact.is_match(&text));
            }
        }
    }

    #[test]
    fn pieces_dont_overlap() {
        let table = [
            ("a%a", "a", false),
            ("a%a", "aa", true),
            ("%ab%ab%", "abab", true),
            ("%ab%ab%", "aab", false),
            ("%aa%aa%", "aaa", false),
            ("%", "", true),
            ("", "", true),
            ("", "a", false),
            ("%_", "", false),
            ("_%_", "é", false),
            ("_%_", "éé", true),
            ("a%", "a\n", false),
            ("a\n%", "a\nb", true),
        ];
        for (pattern, text, expected) in table {
            let compiled = Pattern::new(pattern, None).unwrap();
            assert_eq!(compiled.matches(text), expected, "{text:?} LIKE {pattern:?}");
        }
    }
}
