//! Text counted in UTF-16 units, as the language counts it. Half a pair of surrogates becomes U+FFFD.

use std::borrow::Cow;

/// The number of UTF-16 units.
pub(super) fn len(text: &str) -> usize {
    // A unit for each byte that begins a character, another for those of four bytes. So few bytes are counted at once that
    // a byte can hold their count: then many are counted in one instruction.
    let units = |byte: &u8| u8::from(byte & 0xc0 != 0x80) + u8::from(*byte >= 0xf0);
    text.as_bytes().chunks(127).map(|bytes| usize::from(bytes.iter().map(units).sum::<u8>())).sum()
}

/// The units from `from` up to `to`; both must lie within the text.
pub(super) fn slice(text: &str, from: usize, to: usize) -> Cow<'_, str> {
    if text.is_ascii() {
        return text[from..to].into();
    }
    let units: Vec<u16> = text.encode_utf16().skip(from).take(to - from).collect();
    String::from_utf16_lossy(&units).into()
}

/// The units that `range` gives of the text. What is ASCII up to there needs no counting.
pub(super) fn part(text: &str, position: i32, length: Option<i32>) -> Cow<'_, str> {
    let (bytes, position_units) = (text.as_bytes(), position.unsigned_abs() as usize);
    let looked_at = if position < 0 {
        // Counted from the end: what stands before doesn't matter, unless it begins there.
        &bytes[bytes.len().saturating_sub(position_units)..]
    } else {
        let begin = position_units.saturating_sub(1);
        let end = length.map_or(begin, |length| begin.saturating_add(usize::try_from(length).unwrap_or(0)));
        &bytes[..end.min(bytes.len())]
    };
    if looked_at.is_ascii() {
        let (from, to) = range(bytes.len(), position, length);
        // The rest of the text begins where a character does, or nothing is taken of it.
        if let Some(part) = text.get(from..to) {
            return part.into();
        }
    }
    let (from, to) = range(len(text), position, length);
    slice(text, from, to)
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

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn parts_are_those_of_the_units(
            text in "[aé限📷]{0,6}|[a-f]{0,6}|[a-f]{0,4}[é📷]{0,2}[a-f]{0,4}",
            position in -9..9,
            length in proptest::option::of(-2..9),
        ) {
            let units: Vec<u16> = text.encode_utf16().collect();
            proptest::prop_assert_eq!(len(&text), units.len());
            let (from, to) = range(units.len(), position, length);
            proptest::prop_assert_eq!(part(&text, position, length), String::from_utf16_lossy(&units[from..to]));
        }
    }

    #[test]
    fn long_texts_are_counted() {
        assert_eq!(len(&"📷".repeat(500)), 1000);
        assert_eq!(len(&"aé".repeat(500)), 1000);
    }
}
