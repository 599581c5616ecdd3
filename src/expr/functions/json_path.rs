//! Paths into JSON, as EXTRACTJSONFIELD takes them: `$.name`, `$.list[0]`, `$['any name']`. No wildcards, no filters.

use super::json_text::{Kind, items, members};

/// The steps of a path: names of members, or indexes of elements in decimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonPath {
    steps: Vec<String>,
}

impl JsonPath {
    pub fn parse(text: &str) -> Result<JsonPath, String> {
        Self::steps(text)
            .map(|steps| JsonPath { steps })
            .ok_or_else(|| format!("Invalid JSON path '{text}': paths look like $.name, $.list[0] or $['any name']"))
    }

    fn steps(text: &str) -> Option<Vec<String>> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, behind) = if let Some(name) = rest.strip_prefix('.') {
                bare(name, |c| c.is_alphanumeric() || "_-:@$".contains(c))?
            } else {
                let subscript = rest.strip_prefix('[')?;
                let (step, behind) = match subscript.chars().next()? {
                    quote @ ('"' | '\'') => quoted(&subscript[1..], quote)?,
                    _ => bare(subscript, |c| c.is_alphanumeric() || "_-".contains(c))?,
                };
                (step, behind.strip_prefix(']')?)
            };
            steps.push(step);
            rest = behind;
        }
        Some(steps)
    }

    /// The value at this path, as written; of members of the same name the last.
    pub fn find<'a>(&self, json: &'a str) -> Option<&'a str> {
        self.steps.iter().try_fold(json, |value, step| match Kind::of(value) {
            Kind::Object => members(value).filter(|(name, _)| name == step).last().map(|(_, value)| value),
            Kind::Array => items(value).nth(step.parse().ok()?),
            _ => None,
        })
    }
}

/// A name without quotes, and what follows it.
fn bare(text: &str, is_known: impl Fn(char) -> bool) -> Option<(String, &str)> {
    let end = text.find(|c| !is_known(c)).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_string(), &text[end..]))
}

/// A name up to its closing quote, and what follows that. A backslash takes the next character as it is.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            _ if c == quote => return Some((name, &text[at + 1..])),
            _ => name.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths() {
        let table: &[(&str, Option<&[&str]>)] = &[
            ("$", Some(&[])),
            ("$.a.b[0]", Some(&["a", "b", "0"])),
            ("$[0][1]", Some(&["0", "1"])),
            ("$.@type", Some(&["@type"])),
            ("$.a-b:c_d", Some(&["a-b:c_d"])),
            ("$.ключ", Some(&["ключ"])),
            ("$['x y']", Some(&["x y"])),
            ("$[\"x]y\"].z", Some(&["x]y", "z"])),
            ("$['it\\'s']", Some(&["it's"])),
            ("$['']", Some(&[""])),
            ("", None),
            ("a", None),
            ("$a", None),
            ("$.", None),
            ("$..a", None),
            ("$.a b", None),
            ("$.*", None),
            ("$[*]", None),
            ("$[", None),
            ("$[]", None),
            ("$[0", None),
            ("$['a'", None),
            ("$['a]", None),
        ];
        for (text, expected) in table {
            let got = JsonPath::parse(text).map(|path| path.steps);
            assert_eq!(got.ok(), expected.map(|steps| steps.iter().map(|step| step.to_string()).collect()), "{text}");
        }
    }

    #[test]
    fn finds_values() {
        let json = r#"{"a": {"b": [10, {"c": 1.0}], "0": "zero"}, "n": null, "a.b": 1, "d": 1, "d": 2}"#;
        let table = [
            ("$.a.b[0]", Some("10")),
            ("$.a.b[1].c", Some("1.0")),
            ("$.a.b[2]", None),
            ("$.a.b[-1]", None),
            ("$.a.b.x", None),
            ("$.a[0]", Some("\"zero\"")),
            ("$.n", Some("null")),
            ("$.n.x", None),
            ("$['a.b']", Some("1")),
            ("$.d", Some("2")),
            ("$.d.x", None),
            ("$.A", None),
            ("$", Some(json)),
        ];
        for (path, expected) in table {
            assert_eq!(JsonPath::parse(path).unwrap().find(json), expected, "{path}");
        }
    }
}
