//! JSON inside of text: reading a value, a path to a part of it, and its compact text.

use serde_json::Value as Json;

use crate::types::text::{java_double, write_json_string};

/// The first value of a text; `None` when there is nothing. What follows it is ignored, as Jackson does.
pub(super) fn read(text: &str) -> Result<Option<Json>, String> {
    match serde_json::Deserializer::from_str(text).into_iter::<Json>().next() {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        // A value may be followed by what isn't one: `{}}`.
        Some(Err(error)) => first_value(text).map(Some).ok_or_else(|| format!("Invalid JSON format: {error}")),
    }
}

fn first_value(text: &str) -> Option<Json> {
    let mut reader = serde_json::Deserializer::from_str(text);
    serde::Deserialize::deserialize(&mut reader).ok()
}

/// The value's text as a column shows it: strings bare, others as JSON.
pub(super) fn bare(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => compact(other),
    }
}

/// JSON without blanks; numbers as Java writes them.
pub(super) fn compact(value: &Json) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Json, out: &mut String) {
    match value {
        Json::String(text) => write_json_string(out, text),
        Json::Number(number) => match number.as_f64() {
            Some(double) if number.is_f64() => out.push_str(&java_double(double)),
            _ => out.push_str(&number.to_string()),
        },
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write(item, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (i, (name, member)) in members.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_json_string(out, name);
                out.push(':');
                write(member, out);
            }
            out.push('}');
        }
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
    }
}

/// A step of a path: `.name`, `['name']`, `[0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

/// `$.a.b[0]['x y']`. No wildcards, no filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

impl Path {
    pub fn parse(text: &str) -> Result<Path, String> {
        let wrong = || format!("Invalid JSON path: '{text}'");
        let mut rest = text.trim().strip_prefix('$').ok_or_else(wrong)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                if end == 0 || after[..end].contains('*') {
                    return Err(wrong());
                }
                steps.push(Step::Name(after[..end].into()));
                rest = &after[end..];
            } else {
                let after = rest.strip_prefix('[').ok_or_else(wrong)?;
                let (step, remaining) = bracket(after).ok_or_else(wrong)?;
                steps.push(step);
                rest = remaining;
            }
        }
        Ok(Path(steps))
    }

    /// The part of a value; `None` when it isn't there.
    pub fn find<'a>(&self, value: &'a Json) -> Option<&'a Json> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Name(name) => value.as_object()?.get(name),
            Step::Index(index) => value.as_array()?.get(*index),
        })
    }
}

fn bracket(after: &str) -> Option<(Step, &str)> {
    match after.chars().next()? {
        quote @ ('\'' | '"') => {
            let end = after[1..].find(quote)? + 1;
            let rest = after[end + 1..].strip_prefix(']')?;
            Some((Step::Name(after[1..end].into()), rest))
        }
        _ => {
            let (index, rest) = after.split_once(']')?;
            Some((Step::Index(index.trim().parse().ok()?), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let value = read(r#"{"a": {"b c": [1, {"d": null}]}, "e.f": 2.0}"#).unwrap().unwrap();
        let find = |path: &str| Path::parse(path).unwrap().find(&value).map(bare);
        assert_eq!(find("$.a['b c'][0]"), Some("1".into()));
        assert_eq!(find("$.a['b c'][1].d"), Some("null".into()));
        assert_eq!(find("$['e.f']"), Some("2.0".into()));
        assert_eq!(find("$.a['b c'][2]"), None);
        assert_eq!(find("$.a"), Some(r#"{"b c":[1,{"d":null}]}"#.into()));
        for path in ["a", "$.", "$[", "$[x]", "$.*", "$a"] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_follows_is_ignored() {
        assert!(read(r#"{"a": 1}}"#).unwrap().is_some());
        assert!(read("").unwrap().is_none());
        assert!(read("abc").is_err());
    }
}
