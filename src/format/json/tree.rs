//! JSON values as a tree, for what the fast reader leaves. Doesn't know columns.

use std::borrow::Cow;

use super::NESTING_MAX;
use super::number;
use super::scan::{Expected, Scan, Step};
use crate::types::text::write_json_string;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree<'a> {
    Null,
    Boolean(bool),
    /// Its text.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Tree<'a>>),
    /// In the order of the document, names that come twice included.
    Object(Vec<(Cow<'a, str>, Tree<'a>)>),
}

/// Reads a whole record. The error says at which byte what was expected.
pub(super) fn document(bytes: &[u8]) -> Result<Tree<'_>, String> {
    if let Err(error) = simdutf8::compat::from_utf8(bytes) {
        return Err(format!("not UTF-8 at byte {}", error.valid_up_to()));
    }
    let mut scan = Scan::new(bytes, bytes.len());
    scan.blanks();
    let tree = value(&mut scan, 0).and_then(|tree| scan.end().map(|()| tree));
    tree.map_err(|Expected(what)| {
        let found = match bytes.get(scan.pos) {
            None => "the end".to_string(),
            Some(byte @ 0x21..=0x7e) => format!("`{}`", char::from(*byte)),
            Some(byte) => format!("byte 0x{byte:02x}"),
        };
        format!("not JSON: expected {what} at byte {}, found {found}", scan.pos)
    })
}

/// The value at the place. Its bytes need not have been checked as UTF-8: what isn't is an error.
pub(super) fn value<'a>(scan: &mut Scan<'a>, depth: usize) -> Step<Tree<'a>> {
    match scan.peek() {
        b'"' => string(scan).map(Tree::String),
        b't' => scan.literal("true").map(|()| Tree::Boolean(true)),
        b'f' => scan.literal("false").map(|()| Tree::Boolean(false)),
        b'n' => scan.literal("null").map(|()| Tree::Null),
        b'-' | b'0'..=b'9' => Ok(Tree::Number(std::str::from_utf8(scan.number()?).map_err(|_| Expected("UTF-8"))?)),
        b'[' | b'{' if depth >= NESTING_MAX => Err(Expected("fewer arrays and objects within each other")),
        b'[' => {
            let mut items = Vec::new();
            let mut more = scan.open(b']');
            while more {
                items.push(value(scan, depth + 1)?);
                more = scan.another(b']')?;
            }
            Ok(Tree::Array(items))
        }
        b'{' => {
            let mut members = Vec::new();
            let mut more = scan.open(b'}');
            while more {
                let name = string(scan)?;
                scan.colon()?;
                members.push((name, value(scan, depth + 1)?));
                more = scan.another(b'}')?;
            }
            Ok(Tree::Object(members))
        }
        _ => Err(Expected("a value")),
    }
}

fn string<'a>(scan: &mut Scan<'a>) -> Step<Cow<'a, str>> {
    const UTF8: Expected = Expected("UTF-8");
    let text = scan.string()?;
    if !text.escaped {
        return std::str::from_utf8(text.raw).map(Cow::Borrowed).map_err(|_| UTF8);
    }
    let mut out = Vec::with_capacity(text.raw.len());
    text.unescape(&mut out).ok_or(Expected("no half of a surrogate pair in the string before"))?;
    String::from_utf8(out).map(Cow::Owned).map_err(|_| UTF8)
}

impl Tree<'_> {
    /// The value as a STRING column takes it: strings bare, an array as `[a, b]`, an object as compact JSON.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        match self {
            Tree::Null => out.extend_from_slice(b"null"),
            Tree::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Tree::Number(text) => number::to_string(text, out),
            Tree::String(text) => out.extend_from_slice(text.as_bytes()),
            Tree::Array(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.extend_from_slice(b", ");
                    }
                    item.write_text(out);
                }
                out.push(b']');
            }
            Tree::Object(_) => self.write_json(out),
        }
    }

    /// Compact JSON. Of members with the same name the last one's value stands in the place of the first.
    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Tree::String(text) => write_quoted(text, out),
            Tree::Array(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.write_json(out);
                }
                out.push(b']');
            }
            Tree::Object(members) => {
                let last = last_of_each(members);
                out.push(b'{');
                for (i, (name, value)) in last.into_iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_quoted(name, out);
                    out.push(b':');
                    value.write_json(out);
                }
                out.push(b'}');
            }
            other => other.write_text(out),
        }
    }

    /// What it is and, for what is short, its text: for messages.
    pub fn found(&self) -> String {
        let text = || {
            let mut out = Vec::new();
            self.write_text(&mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        match self {
            Tree::Null => "null".to_string(),
            Tree::Boolean(value) => format!("the boolean {value}"),
            Tree::Number(text) if text.len() <= 40 => format!("the number {text}"),
            Tree::Number(text) => format!("a number of {} characters", text.len()),
            Tree::String(_) => format!("the text {}", crate::format::shown(&text())),
            Tree::Array(items) => format!("an array of {} items", items.len()),
            Tree::Object(_) => "an object".to_string(),
        }
    }
}

fn write_quoted(text: &str, out: &mut Vec<u8>) {
    let mut quoted = String::with_capacity(text.len() + 2);
    write_json_string(&mut quoted, text);
    out.extend_from_slice(quoted.as_bytes());
}

/// The members by their first place, each with its last value.
pub(super) fn last_of_each<'t, 'a>(members: &'t [(Cow<'a, str>, Tree<'a>)]) -> Vec<(&'t str, &'t Tree<'a>)> {
    let mut places = hashbrown::HashMap::with_capacity(members.len());
    let mut last: Vec<(&str, &Tree)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        match places.entry(name.as_ref()) {
            hashbrown::hash_map::Entry::Occupied(place) => {
                let place: usize = *place.get();
                last[place].1 = value;
            }
            hashbrown::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(last.len());
                last.push((name, value));
            }
        }
    }
    last
}
