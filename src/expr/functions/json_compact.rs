//! JSON written anew in as few characters as it needs. Numbers keep their digits.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::json_text::{Cursor, unquote};
use crate::types::text::write_json_string;

/// How deep arrays and objects may lie within each other.
const DEPTH_MAX: usize = 1000;

/// A value without blanks; strings escaped no more than JSON asks; of members of the same name the last.
pub(super) fn compact(json: &str) -> Result<String, String> {
    let mut writer = Compact { from: Cursor::new(json), out: String::with_capacity(json.len()) };
    writer.value(0)?;
    Ok(writer.out)
}

struct Compact<'a> {
    from: Cursor<'a>,
    out: String,
}

impl<'a> Compact<'a> {
    fn value(&mut self, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("JSON is nested deeper than {DEPTH_MAX} levels"));
        }
        match self.from.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => {
                self.string();
                Ok(())
            }
            _ => {
                self.out.push_str(self.from.value().unwrap_or_default());
                Ok(())
            }
        }
    }

    fn string(&mut self) -> Cow<'a, str> {
        let text = unquote(self.from.value().unwrap_or_default());
        write_json_string(&mut self.out, &text);
        text
    }

    fn has_more(&mut self) -> bool {
        self.from.peek().is_some_and(|byte| !matches!(byte, b']' | b'}'))
    }

    fn array(&mut self, depth: usize) -> Result<(), String> {
        self.from.pass_bracket();
        self.out.push('[');
        let start = self.out.len();
        while self.has_more() {
            if self.out.len() > start {
                self.out.push(',');
            }
            self.value(depth + 1)?;
        }
        self.from.pass_bracket();
        self.out.push(']');
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), String> {
        self.from.pass_bracket();
        self.out.push('{');
        let start = self.out.len();
        let mut written: Vec<(Cow<'a, str>, Range<usize>)> = Vec::new();
        while self.has_more() {
            if self.out.len() > start {
                self.out.push(',');
            }
            let from = self.out.len();
            let name = self.string();
            self.out.push(':');
            self.value(depth + 1)?;
            written.push((name, from..self.out.len()));
        }
        self.from.pass_bracket();
        self.drop_twins(start, &written);
        self.out.push('}');
        Ok(())
    }

    /// Writes the members since `start` anew where a name came twice.
    fn drop_twins(&mut self, start: usize, written: &[(Cow<'a, str>, Range<usize>)]) {
        let mut places: HashMap<&str, usize> = HashMap::with_capacity(written.len());
        let mut kept: Vec<&Range<usize>> = Vec::with_capacity(written.len());
        for (name, range) in written {
            match places.get(name.as_ref()) {
                Some(place) => kept[*place] = range,
                None => {
                    places.insert(name, kept.len());
                    kept.push(range);
                }
            }
        }
        if kept.len() < written.len() {
            let members: Vec<&str> = kept.into_iter().map(|range| &self.out[range.clone()]).collect();
            let members = members.join(",");
            self.out.truncate(start);
            self.out.push_str(&members);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::functions::json_text::{first_value, items};

    #[test]
    fn compacts() {
        let table = [
            (" [ 1 , 1.50 , 1e2 , -0 ] ", "[1,1.50,1e2,-0]"),
            ("12345678901234567890.12345678901234567890", "12345678901234567890.12345678901234567890"),
            (r#"{ "a" : { } , "b" : [ ] }"#, r#"{"a":{},"b":[]}"#),
            (r#"{"a":1,"b":2,"\u0061":[3, 4]}"#, r#"{"a":[3,4],"b":2}"#),
            (r#"["\u00e9\/\"\u001f"]"#, r#"["é/\"\u001F"]"#),
        ];
        for (json, expected) in table {
            assert_eq!(compact(json).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(compact(&nested(1000)), Ok(nested(1000)));
        assert!(compact(&nested(100_000)).is_err());
        assert!(first_value(&nested(100_000)).is_ok());
        assert_eq!(items(&nested(100_000)).count(), 1);
    }

    fn any_json() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
        use proptest::prelude::*;
        use serde_json::Value as Json;
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<String>().prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
                proptest::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest::proptest! {
        #[test]
        fn compact_is_the_same_value(json in any_json()) {
            let pretty = serde_json::to_string_pretty(&json).unwrap();
            let value = first_value(&pretty).unwrap().unwrap();
            let compacted = compact(value).unwrap();
            proptest::prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&compacted).unwrap(), json);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}:,\"\\\\ua0-9 é]{0,30}") {
            let _ = compact(&text);
        }
    }
}
