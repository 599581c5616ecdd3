//! Parts of texts and bytes by their place, and places by parts: SUBSTRING, INSTR.

use arrow::array::ArrayRef;
use arrow::datatypes::Int32Type;

use super::define::{BYTES, INT, STRING};
use super::kernel::{Get, known};
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

/// The optional third argument: `Some(None)` where it isn't given, `None` where it is NULL.
#[expect(clippy::option_option, reason = "absent and NULL differ")]
fn length_of(call: &ScalarCall<'_>, row: usize) -> Option<Option<i32>> {
    if call.args.len() > 2 { call.ints(2).get(row).map(Some) } else { Some(None) }
}

fn substring_text(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (text, position) = (call.texts(0), call.ints(1));
    let lengths: Vec<_> = (0..call.rows).map(|row| length_of(call, row)).collect();
    call.collect_text(|row| {
        let (text, position) = (known!(text.get(row)), known!(position.get(row)));
        let (from, to) = units::range(units::len(text), position, known!(lengths[row]));
        Ok(Some(units::slice(text, from, to)))
    })
}

fn substring_bytes(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (bytes, position) = (call.bytes(0), call.ints(1));
    let lengths: Vec<_> = (0..call.rows).map(|row| length_of(call, row)).collect();
    call.collect_bytes(|row| {
        let (bytes, position) = (known!(bytes.get(row)), known!(position.get(row)));
        let (from, to) = units::range(bytes.len(), position, known!(lengths[row]));
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
    call.collect::<Int32Type>(|row| {
        let position = position.map_or(Some(1), |array| array.get(row));
        let occurrence = occurrence.map_or(Some(1), |array| array.get(row));
        Ok(Some(match (text.get(row), part.get(row), position, occurrence) {
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
    if (position, occurrence) == (1, 1) && !part.is_empty() {
        return text.find(part).map_or(0, |at| units::position(text, at) as i32 + 1);
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
