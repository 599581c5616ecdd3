//! One record on its way from a line to the topic, and the plainest way to make one.

use super::key::KeyWriter;

/// A record that is being made. Reused from line to line.
#[derive(Debug, Default)]
pub struct Draft {
    pub key: Vec<u8>,
    pub key_null: bool,
    pub value: Vec<u8>,
    pub value_null: bool,
    pub timestamp: Option<i64>,
}

impl Draft {
    pub fn clear(&mut self) {
        self.key.clear();
        self.value.clear();
        self.key_null = true;
        self.value_null = false;
        self.timestamp = None;
    }

    pub fn key(&self) -> Option<&[u8]> {
        (!self.key_null).then_some(self.key.as_slice())
    }

    pub fn value(&self) -> Option<&[u8]> {
        (!self.value_null).then_some(self.value.as_slice())
    }

    pub fn bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

/// What a line gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    Record,
    /// An empty line.
    Nothing,
    /// A quoted field goes on in the next line; if there is none, this is what is wrong.
    Unfinished(&'static str),
    Bad(String),
}

/// Makes records of lines.
pub trait Shape {
    /// `draft` is clear.
    fn take(&mut self, line: &[u8], draft: &mut Draft) -> Taken;
}

/// The line is the value; what stands before the separator, where one is asked for, is the key.
pub struct Raw {
    separator: Option<String>,
    key: KeyWriter,
    null: Option<Vec<u8>>,
}

impl Raw {
    pub fn new(separator: Option<String>, key: KeyWriter, null: Option<Vec<u8>>) -> Self {
        Raw { separator: separator.filter(|separator| !separator.is_empty()), key, null }
    }
}

impl Shape for Raw {
    fn take(&mut self, line: &[u8], draft: &mut Draft) -> Taken {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut value = line;
        if let Some(separator) = &self.separator {
            let Some(at) = memchr::memmem::find(line, separator.as_bytes()) else {
                return Taken::Bad(format!("no key separator '{separator}'"));
            };
            let text = &line[..at];
            value = &line[at + separator.len()..];
            if Some(text) != self.null.as_deref() {
                draft.key_null = false;
                if let Err(what) = self.key.put(text, &mut draft.key) {
                    return Taken::Bad(what);
                }
            }
        }
        draft.value_null = Some(value) == self.null.as_deref();
        if !draft.value_null {
            draft.value.extend_from_slice(value);
        }
        Taken::Record
    }
}
