//! Strings as they stand in a JSON text.

/// The content of a string, between its quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    pub raw: &'a [u8],
    pub escaped: bool,
}

impl Text<'_> {
    /// Appends the content with its escapes resolved. `None`: half a surrogate pair, which is no character.
    pub fn unescape(&self, out: &mut Vec<u8>) -> Option<()> {
        let mut rest = self.raw;
        while let Some(backslash) = memchr::memchr(b'\\', rest) {
            out.extend_from_slice(&rest[..backslash]);
            let escape = *rest.get(backslash + 1)?;
            rest = &rest[backslash + 2..];
            match escape {
                b'b' => out.push(0x08),
                b'f' => out.push(0x0c),
                b'n' => out.push(b'\n'),
                b'r' => out.push(b'\r'),
                b't' => out.push(b'\t'),
                b'u' => {
                    let (character, taken) = unicode(rest)?;
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = &rest[taken..];
                }
                itself => out.push(itself),
            }
        }
        out.extend_from_slice(rest);
        Some(())
    }
}

/// The character behind `\u` and how many bytes it took: four digits, or the ten more of a surrogate pair.
fn unicode(digits: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| -> Option<u32> {
        let text = std::str::from_utf8(digits.get(at..at + 4)?).ok()?;
        u32::from_str_radix(text, 16).ok()
    };
    let high = unit(0)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Some((char::from_u32(high)?, 4));
    }
    if digits.get(4..6)? != b"\\u" {
        return None;
    }
    let low = unit(6)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    Some((char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)?, 10))
}
