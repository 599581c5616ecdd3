//! A place in a JSON text and the steps over its tokens. Doesn't know columns.
//!
//! Every step leaves the place behind what it took, or says what was expected; then the place is near the trouble.

use super::NESTING_MAX;
use super::digits::{leading_digits, stops};

/// What was expected where the text went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected(pub &'static str);

pub(super) type Step<T = ()> = Result<T, Expected>;

pub(super) struct Scan<'a> {
    /// The text and what follows it in its buffer, which may be looked at sixteen bytes at a time.
    wide: &'a [u8],
    len: usize,
    pub pos: usize,
    /// Not zero: there was (or may have been) a byte beyond ASCII in a string. Everywhere else there can't be one.
    pub beyond_ascii: u32,
}

/// The content of a string, between its quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    pub raw: &'a [u8],
    pub escaped: bool,
}

impl<'a> Scan<'a> {
    /// A text of `len` bytes at the start of `wide`.
    pub fn new(wide: &'a [u8], len: usize) -> Self {
        Scan { wide, len: len.min(wide.len()), pos: 0, beyond_ascii: 0 }
    }

    /// The byte at the place; 0, which no token has, at the end.
    #[inline(always)]
    pub fn peek(&self) -> u8 {
        if self.pos < self.len { self.wide[self.pos] } else { 0 }
    }

    /// The next `N` bytes, those behind the text's end included; `None` at the end of the buffer.
    #[inline(always)]
    fn chunk<const N: usize>(&self) -> Option<[u8; N]> {
        self.wide.get(self.pos..)?.first_chunk::<N>().copied()
    }

    #[inline(always)]
    pub fn chunk16(&self) -> Option<[u8; 16]> {
        self.chunk()
    }

    /// What is left of the text.
    pub fn rest(&self) -> &'a [u8] {
        self.wide.get(self.pos..self.len).unwrap_or_default()
    }

    /// Whether the place is still in the text after `count` more bytes, with at least one left.
    #[inline(always)]
    pub fn has_beyond(&self, count: usize) -> bool {
        self.pos + count < self.len
    }

    pub fn slice(&self, start: usize) -> &'a [u8] {
        self.wide.get(start..self.pos.min(self.len)).unwrap_or_default()
    }

    #[inline(always)]
    pub fn blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.pos += 1;
        }
    }

    #[inline(always)]
    pub fn expect(&mut self, byte: u8, what: &'static str) -> Step {
        if self.peek() != byte {
            return Err(Expected(what));
        }
        self.pos += 1;
        Ok(())
    }

    /// After a member of an array or object: whether there is another (the place is then at it), or `close` was taken.
    #[inline(always)]
    pub fn another(&mut self, close: u8) -> Step<bool> {
        self.blanks();
        let byte = self.peek();
        self.pos += 1;
        if byte == b',' {
            self.blanks();
            return Ok(true);
        }
        if byte == close {
            return Ok(false);
        }
        self.pos -= 1;
        Err(Expected(if close == b'}' { "`,` or `}`" } else { "`,` or `]`" }))
    }

    /// Opens an array or object: whether it has members (the place is then at the first), or `close` was taken.
    #[inline(always)]
    pub fn open(&mut self, close: u8) -> bool {
        self.pos += 1;
        self.blanks();
        if self.peek() == close {
            self.pos += 1;
            return false;
        }
        true
    }

    pub fn literal(&mut self, word: &'static str) -> Step {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(Expected("a value"));
        }
        self.pos += word.len();
        Ok(())
    }

    /// Blanks up to the end.
    pub fn end(&mut self) -> Step {
        self.blanks();
        if self.pos == self.len { Ok(()) } else { Err(Expected("the end of the record")) }
    }

    /// A string, the place being at its opening quote. Its escapes are checked, but for surrogates.
    #[inline(always)]
    pub fn string(&mut self) -> Step<Text<'a>> {
        self.expect(b'"', "a string")?;
        let start = self.pos;
        let mut escaped = false;
        loop {
            self.plain();
            match self.peek() {
                b'"' => {
                    let raw = self.slice(start);
                    self.pos += 1;
                    return Ok(Text { raw, escaped });
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ if self.pos >= self.len => return Err(Expected("the end of a string")),
                _ => return Err(Expected("no bare control character in a string")),
            }
        }
    }

    /// Goes on to the next quote, backslash or control character, or to the end.
    #[inline(always)]
    fn plain(&mut self) {
        while let Some(chunk) = self.chunk::<16>() {
            let found = stops(chunk);
            self.beyond_ascii |= found.beyond_ascii;
            if found.stops != 0 {
                self.pos += found.stops.trailing_zeros() as usize;
                return;
            }
            self.pos += 16;
        }
        self.plain_at_the_end();
    }

    /// The last bytes of the buffer, one by one.
    #[cold]
    fn plain_at_the_end(&mut self) {
        while self.pos < self.len {
            let byte = self.wide[self.pos];
            if super::digits::is_stop(byte) {
                return;
            }
            self.beyond_ascii |= u32::from(byte & 0x80);
            self.pos += 1;
        }
    }

    #[cold]
    fn escape(&mut self) -> Step {
        match self.rest() {
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.pos += 2,
            [b'\\', b'u', a, b, c, d, ..] if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) => self.pos += 6,
            _ => return Err(Expected("an escape that JSON has")),
        }
        Ok(())
    }

    /// A whole number of at most 18 digits without fraction or exponent. Else `None`, and the place stays.
    #[inline(always)]
    pub fn integer(&mut self) -> Option<i64> {
        let start = self.pos;
        let negative = self.peek() == b'-';
        self.pos += usize::from(negative);
        let size = self.digits();
        match size {
            Some(size) if !matches!(self.peek(), b'.' | b'e' | b'E' | b'0'..=b'9') => {
                Some(if negative { -size } else { size })
            }
            _ => {
                self.pos = start;
                None
            }
        }
    }

    /// Up to 16 digits, no zero in front of others.
    #[inline(always)]
    fn digits(&mut self) -> Option<i64> {
        const TENS: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
        let first = self.chunk::<8>()?;
        let (size, count) = leading_digits(first);
        if count == 0 || (first[0] == b'0' && count > 1) {
            return None;
        }
        self.pos += count as usize;
        let mut size = size;
        if count == 8 {
            let (more, count) = leading_digits(self.chunk::<8>()?);
            size = size * TENS[count as usize] + more;
            self.pos += count as usize;
        }
        (self.pos <= self.len).then_some(size as i64)
    }

    /// Any number, as its text.
    #[inline]
    pub fn number(&mut self) -> Step<&'a [u8]> {
        let start = self.pos;
        if self.peek() == b'-' {
            self.pos += 1;
        }
        match self.peek() {
            b'0' => self.pos += 1,
            b'1'..=b'9' => self.skip_digits(),
            _ => return Err(Expected("a digit")),
        }
        if self.peek() == b'.' {
            self.pos += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.pos += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.pos += 1;
            }
            self.some_digits()?;
        }
        if self.peek().is_ascii_digit() {
            return Err(Expected("no zero in front of a number"));
        }
        Ok(self.slice(start))
    }

    fn some_digits(&mut self) -> Step {
        if !self.peek().is_ascii_digit() {
            return Err(Expected("a digit"));
        }
        self.skip_digits();
        Ok(())
    }

    #[inline(always)]
    fn skip_digits(&mut self) {
        while self.peek().is_ascii_digit() {
            self.pos += 1;
        }
    }

    /// Goes over any value. It is checked to be JSON.
    #[inline(always)]
    pub fn skip(&mut self, depth: usize) -> Step {
        match self.peek() {
            b'"' => self.string().map(drop),
            b'-' | b'0'..=b'9' => {
                if self.integer().is_none() {
                    self.number()?;
                }
                Ok(())
            }
            _ => self.skip_other(depth),
        }
    }

    fn skip_other(&mut self, depth: usize) -> Step {
        match self.peek() {
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'[' | b'{' if depth >= NESTING_MAX => Err(Expected("fewer arrays and objects within each other")),
            b'[' => {
                let mut more = self.open(b']');
                while more {
                    self.skip(depth + 1)?;
                    more = self.another(b']')?;
                }
                Ok(())
            }
            b'{' => {
                let mut more = self.open(b'}');
                while more {
                    self.string()?;
                    self.colon()?;
                    self.skip(depth + 1)?;
                    more = self.another(b'}')?;
                }
                Ok(())
            }
            _ => Err(Expected("a value")),
        }
    }

    /// The colon behind a property's name; the place is then at the value.
    #[inline(always)]
    pub fn colon(&mut self) -> Step {
        self.blanks();
        self.expect(b':', "`:`")?;
        self.blanks();
        Ok(())
    }
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
