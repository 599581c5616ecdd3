//! A place in a JSON text and the steps over its tokens. Doesn't know columns.
//!
//! Every step leaves the place behind what it took, or says what was expected; then the place is near the trouble.

use super::NESTING_MAX;
use super::brackets::Open;
use super::digits::{count_digits, leading_digits, special, stops};
use super::text::Text;

/// What was expected where the text went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected(pub &'static str);

pub(super) type Step<T = ()> = Result<T, Expected>;

/// Small enough to be copied: [`Scan::away`] keeps it in registers.
#[derive(Clone, Copy)]
pub(super) struct Scan<'a> {
    /// The text and some bytes that follow it in its buffer. Steps may look at them, even take them (the text was cut off
    /// then): only [`Scan::end`] knows where the text ends, so what was taken counts from there on.
    wide: &'a [u8],
    len: usize,
    pub pos: usize,
    /// There was a byte beyond ASCII in a string, or soon behind it. Everywhere else there can't be one.
    pub beyond_ascii: bool,
}

impl<'a> Scan<'a> {
    /// A text of `len` bytes at the start of `wide`. What follows it is for looking at many bytes at once.
    #[inline(always)]
    pub fn new(wide: &'a [u8], len: usize) -> Self {
        Scan { wide, len, pos: 0, beyond_ascii: false }
    }

    /// Takes a step that isn't inlined on a copy. Else the place had to be in memory all the time.
    #[inline(always)]
    pub fn away<T>(&mut self, step: impl FnOnce(&mut Self) -> T) -> T {
        let mut copy = *self;
        let result = step(&mut copy);
        *self = copy;
        result
    }

    /// The byte at the place; 0, which no token has, at the end.
    #[inline(always)]
    pub fn peek(&self) -> u8 {
        self.wide.get(self.pos).copied().unwrap_or(0)
    }

    /// The next `N` bytes; `None` near the end.
    #[inline(always)]
    pub fn chunk<const N: usize>(&self) -> Option<[u8; N]> {
        self.wide.get(self.pos..)?.first_chunk::<N>().copied()
    }

    /// The next 8 bytes, zeros at the end.
    #[inline(always)]
    fn chunk_or_zeros(&self) -> [u8; 8] {
        match self.chunk() {
            Some(chunk) => chunk,
            None => {
                let mut chunk = [0; 8];
                self.rest().iter().zip(&mut chunk).for_each(|(from, to)| *to = *from);
                chunk
            }
        }
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.wide.get(self.pos..).unwrap_or_default()
    }

    /// What was taken from `start` on.
    #[inline(always)]
    pub fn slice(&self, start: usize) -> &'a [u8] {
        self.wide.get(start..self.pos).unwrap_or_default()
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

    #[inline(always)]
    pub fn literal(&mut self, word: &'static str) -> Step {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(Expected("a value"));
        }
        self.pos += word.len();
        Ok(())
    }

    /// Blanks up to the end of the text, which nothing before must have passed.
    #[inline(always)]
    pub fn end(&mut self) -> Step {
        while self.pos < self.len && matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.pos += 1;
        }
        if self.pos == self.len { Ok(()) } else { Err(Expected("the end of the record")) }
    }

    /// A string, the place being at its opening quote. Its escapes are checked, but for surrogates.
    #[inline(always)]
    pub fn string(&mut self) -> Step<Text<'a>> {
        self.expect(b'"', "a string")?;
        let start = self.pos;
        let mut pos = start;
        while let Some(chunk) = self.wide.get(pos..).and_then(|rest| rest.first_chunk::<32>()) {
            let found = special(chunk);
            if found == 0 {
                pos += 32;
                continue;
            }
            pos += found.trailing_zeros() as usize;
            if self.wide.get(pos) != Some(&b'"') {
                break;
            }
            let raw = self.wide.get(start..pos).unwrap_or_default();
            self.pos = pos + 1;
            return Ok(Text { raw, escaped: false });
        }
        self.pos = pos;
        self.away(|scan| scan.string_from(start))
    }

    /// The rest of a string that began at `start`: with escapes, bytes beyond ASCII, or near the end.
    #[inline(never)]
    fn string_from(&mut self, start: usize) -> Step<Text<'a>> {
        let mut escaped = false;
        loop {
            while let Some(chunk) = self.chunk::<32>() {
                let (found, beyond_ascii) = stops(&chunk);
                self.beyond_ascii |= beyond_ascii;
                self.pos += found.trailing_zeros() as usize;
                if found != 0 {
                    break;
                }
            }
            let Some(byte) = self.wide.get(self.pos) else { return Err(Expected("the end of a string")) };
            match byte {
                b'"' => {
                    let raw = self.slice(start);
                    self.pos += 1;
                    return Ok(Text { raw, escaped });
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                0..0x20 => return Err(Expected("no bare control character in a string")),
                _ => {
                    self.beyond_ascii |= !byte.is_ascii();
                    self.pos += 1;
                }
            }
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

    /// A whole number of at most 16 digits without fraction or exponent. Else `None`, and the place stays.
    #[inline(always)]
    pub fn integer(&mut self) -> Option<i64> {
        const TENS: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
        let start = self.pos;
        let negative = self.peek() == b'-';
        self.pos += usize::from(negative);
        let first = self.chunk_or_zeros();
        let (mut size, count) = leading_digits(first);
        self.pos += count as usize;
        if count == 8 {
            let (more, count) = leading_digits(self.chunk_or_zeros());
            size = size * TENS[count as usize] + more;
            self.pos += count as usize;
        }
        let odd = count == 0 || (first[0] == b'0' && count > 1);
        if odd || matches!(self.peek(), b'.' | b'e' | b'E' | b'0'..=b'9') {
            self.pos = start;
            return None;
        }
        Some(if negative { -(size as i64) } else { size as i64 })
    }

    /// Goes over a whole number as [`Scan::integer`] does.
    #[inline(always)]
    fn skip_integer(&mut self) -> bool {
        let start = self.pos;
        self.pos += usize::from(self.peek() == b'-');
        let first = self.chunk_or_zeros();
        let count = count_digits(first);
        self.pos += count as usize;
        if count == 8 {
            self.pos += count_digits(self.chunk_or_zeros()) as usize;
        }
        let odd = count == 0 || (first[0] == b'0' && count > 1);
        if odd || matches!(self.peek(), b'.' | b'e' | b'E' | b'0'..=b'9') {
            self.pos = start;
            return false;
        }
        true
    }

    /// Any number, as its text.
    #[inline(never)]
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
                if !self.skip_integer() {
                    self.away(|scan| scan.number().map(drop))?;
                }
                Ok(())
            }
            b'[' | b'{' => self.away(|scan| scan.skip_nested(depth)),
            _ => self.away(Scan::word),
        }
    }

    /// `true`, `false` or `null`.
    #[inline(never)]
    fn word(&mut self) -> Step {
        match self.peek() {
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => Err(Expected("a value")),
        }
    }

    /// Goes over an array or object. What is open is kept as bits, not on the stack of calls.
    #[inline(never)]
    fn skip_nested(&mut self, depth: usize) -> Step {
        let mut open = Open::default();
        loop {
            let byte = self.peek();
            if byte == b'[' || byte == b'{' {
                if depth + open.count >= NESTING_MAX {
                    return Err(Expected("fewer arrays and objects within each other"));
                }
                if self.open(byte + 2) {
                    open.push(byte == b'{');
                    self.name_in(&open)?;
                    continue;
                }
            } else {
                self.skip_scalar()?;
            }
            while open.count > 0 && !self.another(open.close())? {
                open.count -= 1;
            }
            if open.count == 0 {
                return Ok(());
            }
            self.name_in(&open)?;
        }
    }

    fn skip_scalar(&mut self) -> Step {
        match self.peek() {
            b'"' => self.string().map(drop),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            _ => self.word(),
        }
    }

    /// In an object, the name in front of a value.
    fn name_in(&mut self, open: &Open) -> Step {
        if open.close() == b'}' {
            self.string()?;
            self.colon()?;
        }
        Ok(())
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
