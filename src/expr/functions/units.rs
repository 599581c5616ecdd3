//! Text counted in UTF-16 units, as the language counts it. Half a pair of surrogates becomes U+FFFD.

use std::borrow::Cow;

/// The number of UTF-16 units.
pub(super) fn len(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// The units from `from` up to `to`; both must lie within the text.
pub(super) fn slice(text: &str, from: usize, to: usize) -> Cow<'_, str> {
    if text.is_ascii() {
        return text[from..to].into();
    }
    let units: Vec<u16> = text.encode_utf16().skip(from).take(to - from).collect();
    String::from_utf16_lossy(&units).into()
}

/// Byte position to unit position.
pub(super) fn position(text: &str, byte: usize) -> usize {
    len(&text[..byte])
}

/// Unit position to byte position; the end when the text is shorter. Inside a pair, the pair's end.
pub(super) fn byte_of(text: &str, unit: usize) -> usize {
    if text.is_ascii() {
        return unit.min(text.len());
    }
    let mut seen = 0;
    for (byte, c) in text.char_indices() {
        if seen >= unit {
            return byte;
        }
        seen += c.len_utf16();
    }
    text.len()
}

/// Where a 1-based, possibly negative position and a length lie within `len` items: clamped, never out of bounds.
pub(super) fn range(len: usize, position: i32, length: Option<i32>) -> (usize, usize) {
    let len = len as i64;
    let start = match i64::from(position) {
        0 => 0,
        position if position > 0 => position - 1,
        position => len + position,
    };
    let start = start.clamp(0, len);
    let end = match length {
        Some(length) => (start + i64::from(length)).clamp(start, len),
        None => len,
    };
    (start as usize, end as usize)
}
