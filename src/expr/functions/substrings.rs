//! Parts of texts and bytes by their place, and places by parts: SUBSTRING, INSTR.

use arrow::array::{ArrayRef, Int32Array};
use arrow::datatypes::Int32Type;

use super::args::Values;
use super::define::{BYTES, INT, STRING};
use super::kernel::known;
use super::needle::Needle;
use super::{Function, ScalarCall, units};

const CATEGORY: &str = "STRING";

pub(super) fn entries() -> Vec<Function> {
    vec![substring(), instr()]
}

fn substring() -> Function {
    let position = ("position", &INT, "where it begins, counted from 1; negative from the end");
    let length = ("length", &INT, "how long it is at most");
    Function::scalar("SUBSTRING", CATEGORY, "A part of a text or of bytes.")
        .over(&[("text", &STRING, "a text"), position], STRING, substring_text)
        .over(&[("text", &STRING, "a text"), position, length], STRING, substring_text)
        .over(&[("bytes", &BYTES, "bytes"), position], BYTES, substring_bytes)
        .over(&[("bytes", &BYTES, "bytes"), position, length], BYTES, substring_bytes)
        .examples(&[("SUBSTRING('stream', 3)", "ream"), ("SUBSTRING('stream', -3, 2)", "ea")])
}

/// The optional third argument.
struct Length<'a>(Option<Values<'a, Int32Array>>);

impl<'a> Length<'a> {
    fn of(call: &ScalarCall<'a>) -> Self {
        Length((call.args.len() > 2).then(|| call.ints(2)))
    }

    /// `Some(None)` where it isn't given, `None` where it is NULL.
    #[expect(clippy::option_option, reason = "absent and NULL differ")]
    fn get(&self, row: usize) -> Option<Option<i32>> {
        self.0.map_or(Some(None), |lengths| lengths.get(row).map(Some))
    }
}

fn substring_text(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, position, length) = (call.texts(0), call.ints(1), Length::of(call));
    call.collect_text(|row| {
        let (text, position) = (known!(text.get(row)), known!(position.get(row)));
        Ok(Some(units::part(text, position, known!(length.get(row)))))
    })
}

fn substring_bytes(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (bytes, position, length) = (call.bytes(0), call.ints(1), Length::of(call));
    call.collect_bytes(|row| {
        let (bytes, position) = (known!(bytes.get(row)), known!(position.get(row)));
        let (from, to) = units::range(bytes.len(), position, known!(length.get(row)));
        Ok(Some(&bytes[from..to]))
    })
}

fn instr() -> Function {
    let text = ("text", &STRING, "where to look");
    let part = ("part", &STRING, "what to look for");
    let position = ("position", &INT, "where to begin, counted from 1; negative: from the end, backwards");
    let occurrence = ("occurrence", &INT, "the how manieth to find");
    Function::scalar("INSTR", CATEGORY, "The place of a part in a text, counted from 1; 0 when it isn't there.")
        .nulls("0 when an argument is NULL.")
        .over(&[text, part], INT, find_part)
        .over(&[text, part, position], INT, find_part)
        .over(&[text, part, position, occurrence], INT, find_part)
        .examples(&[
            ("INSTR('corporate floor', 'or')", "2"),
            ("INSTR('corporate floor', 'or', 3, 2)", "14"),
            ("INSTR('corporate floor', 'or', -3)", "5"),
        ])
}

fn find_part(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, part) = (call.texts(0), call.texts(1));
    let position = (call.args.len() > 2).then(|| call.ints(2));
    let occurrence = (call.args.len() > 3).then(|| call.ints(3));
    let mut needle = Needle::default();
    call.collect::<Int32Type>(|row| {
        let position = position.map_or(Some(1), |array| array.get(row));
        let occurrence = occurrence.map_or(Some(1), |array| array.get(row));
        Ok(Some(match (text.get(row), part.get(row), position, occurrence) {
            (Some(text), Some(part), Some(1), Some(1)) if !part.is_empty() => {
                needle.of(part).find(text.as_bytes()).map_or(0, |at| units::position(text, at) as i32 + 1)
            }
            (Some(text), Some(part), Some(position), Some(occurrence)) => find(text, part, position, occurrence),
            _ => 0,
        }))
    })
}

fn find(text: &str, part: &str, position: i32, occurrence: i32) -> i32 {
    let len = units::len(text);
    let far = position.unsigned_abs() as usize;
    if position == 0 || far > len || occurrence < 1 {
        return 0;
    }
    let places = (0..=text.len()).filter(|at| text.is_char_boundary(*at) && text[*at..].starts_with(part));
    let nth = occurrence as usize - 1;
    let found = if position > 0 {
        let start = units::byte_of(text, far - 1);
        places.filter(|at| *at >= start).nth(nth)
    } else {
        let start = units::byte_of(text, len - far);
        let before: Vec<_> = places.filter(|at| *at <= start).collect();
        before.into_iter().rev().nth(nth)
    };
    found.map_or(0, |at| units::position(text, at) as i32 + 1)
}
