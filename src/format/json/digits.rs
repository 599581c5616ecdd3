//! Eight or more bytes at a time: digits of numbers, and the bytes that end the plain part of a string.

use crate::appender::Appender;

const ZEROS: u64 = 0x3030_3030_3030_3030;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The number that the leading digits of eight bytes make, and how many there are.
#[inline(always)]
pub(super) fn leading_digits(chunk: [u8; 8]) -> (u64, u32) {
    let digits = u64::from_le_bytes(chunk) ^ ZEROS;
    // A byte of 0 to 9 stays below 0x80 when 0x76 is added. A carry only reaches bytes behind one that is no digit.
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & HIGH_BITS;
    let count = others.trailing_zeros() / 8;
    if count == 0 {
        return (0, 0);
    }
    // The first digit has to weigh most of eight: zeros in front, and what follows the digits falls out.
    let digits = digits << (64 - 8 * count);
    // Neighbours together, thrice: 8 digits, 4 numbers up to 99, 2 up to 9999, 1.
    let pairs = digits.wrapping_mul(1 + (10 << 8)) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(1 + (100 << 16)) >> 16;
    let eight = (fours & 0x0000_ffff_0000_ffff).wrapping_mul(1 + (10_000 << 32)) >> 32;
    (eight, count)
}

/// How many digits eight bytes begin with.
#[inline(always)]
pub(super) fn count_digits(chunk: [u8; 8]) -> u32 {
    let digits = u64::from_le_bytes(chunk) ^ ZEROS;
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & HIGH_BITS;
    others.trailing_zeros() / 8
}

/// The text of a number below 100,000,000, the first digit in the lowest byte, and how many digits it has.
#[inline(always)]
fn text_of(number: u64) -> (u64, usize) {
    let digits = eight_digits(number);
    // The last digit is one in any case.
    let zeros = (digits | 1 << 56).trailing_zeros() & !7;
    ((digits | ZEROS) >> zeros, 8 - zeros as usize / 8)
}

/// Eight digits of a number below 100,000,000, the first in the lowest byte.
#[inline(always)]
fn eight_digits(number: u64) -> u64 {
    // Halves thrice: 2 numbers up to 9999, 4 up to 99, 8 digits. A multiplication and a shift divide them all at once.
    let fours = number / 10_000 + ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let pairs = hundreds + ((fours - 100 * hundreds) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens + ((pairs - 10 * tens) << 8)
}

/// Appends a number's text.
#[inline(always)]
pub(super) fn write_integer(value: i64, out: &mut Appender) {
    const EIGHT: u64 = 100_000_000;
    let room = out.room(24);
    let size = value.unsigned_abs();
    let mut at = 0;
    if value < 0 {
        room[0] = b'-';
        at = 1;
    }
    let mut put = |(text, len): (u64, usize)| {
        room[at..at + 8].copy_from_slice(&text.to_le_bytes());
        at += len;
    };
    let rest = |part: u64| (eight_digits(part) | ZEROS, 8);
    if size < EIGHT {
        put(text_of(size));
    } else {
        if size < EIGHT * EIGHT {
            put(text_of(size / EIGHT));
        } else {
            put(text_of(size / EIGHT / EIGHT));
            put(rest(size / EIGHT % EIGHT));
        }
        put(rest(size % EIGHT));
    }
    out.advance(at);
}

/// Of 32 bytes of a string a bit for each that is not plain: a quote, a backslash, a control character or a byte beyond
/// ASCII.
#[inline(always)]
pub(super) fn special(chunk: &[u8; 32]) -> u32 {
    let (low, high) = halves(chunk);
    special_in(low) | special_in(high) << 16
}

/// Of 32 bytes of a string a bit for each that is a quote, a backslash or a control character, and whether there is a
/// byte beyond ASCII.
#[inline(always)]
pub(super) fn stops(chunk: &[u8; 32]) -> (u32, bool) {
    let (low, high) = halves(chunk);
    let beyond_ascii = beyond_ascii_in(low) | beyond_ascii_in(high) << 16;
    (special(chunk) & !beyond_ascii, beyond_ascii != 0)
}

#[inline(always)]
fn halves(chunk: &[u8; 32]) -> (u128, u128) {
    let half = |at: usize| chunk[at..].first_chunk().map_or(0, |half| u128::from_le_bytes(*half));
    (half(0), half(16))
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn special_in(half: u128) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    // SAFETY: these instructions are of SSE2, which every x86_64 has.
    unsafe {
        let bytes = _mm_set_epi64x((half >> 64) as i64, half as i64);
        let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        // As signed numbers, bytes beyond ASCII are below the control characters.
        let others = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), others)) as u32
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn beyond_ascii_in(half: u128) -> u32 {
    use std::arch::x86_64::{_mm_movemask_epi8, _mm_set_epi64x};
    // SAFETY: as above.
    unsafe { _mm_movemask_epi8(_mm_set_epi64x((half >> 64) as i64, half as i64)) as u32 }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn beyond_ascii_in(half: u128) -> u32 {
    let bytes = half.to_le_bytes();
    (0..16).fold(0, |bits, i| bits | u32::from(bytes[i] >= 0x80) << i)
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn special_in(half: u128) -> u32 {
    let bytes = half.to_le_bytes();
    (0..16).fold(0, |bits, i| bits | u32::from(is_stop(bytes[i]) || bytes[i] >= 0x80) << i)
}

/// A quote, a backslash or a control character.
#[inline(always)]
pub(super) fn is_stop(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_around_a_power_of_ten_have_their_text() {
        let powers = (0..19).map(|digits| 10i64.pow(digits));
        let around = powers.flat_map(|power| [power - 1, power, power + 1, -power, 1 - power]);
        for number in around.chain([i64::MIN, i64::MAX]) {
            let mut text = Vec::new();
            write_integer(number, &mut Appender::new(&mut text));
            assert_eq!(String::from_utf8(text).unwrap(), number.to_string());
        }
    }

    proptest::proptest! {
        #[test]
        fn digits_are_those_in_front(chunk: [u8; 8], digits in "[0-9]{0,8}") {
            let mut chunk = chunk;
            chunk[..digits.len()].copy_from_slice(digits.as_bytes());
            let count = chunk.iter().take_while(|b| b.is_ascii_digit()).count();
            let text = std::str::from_utf8(&chunk[..count]).unwrap();
            proptest::prop_assert_eq!(leading_digits(chunk), (text.parse().unwrap_or(0), count as u32));
            proptest::prop_assert_eq!(count_digits(chunk), count as u32);
        }

        #[test]
        fn numbers_have_their_text(number: i64, digits in 0u32..20) {
            let lower = number.unsigned_abs().checked_rem(10u64.saturating_pow(digits)).unwrap_or(0) as i64;
            for number in [number, lower, -lower] {
                let mut text = b"a".to_vec();
                write_integer(number, &mut Appender::new(&mut text));
                proptest::prop_assert_eq!(String::from_utf8(text).unwrap(), format!("a{number}"));
            }
        }

        #[test]
        fn stops_are_found(chunk in proptest::array::uniform32(proptest::prop_oneof![
            proptest::prelude::any::<u8>(), 0u8..0x24, proptest::prelude::Just(b'\\'),
        ])) {
            let (stop_bits, beyond_ascii) = stops(&chunk);
            let special_bits = special(&chunk);
            for (i, byte) in chunk.into_iter().enumerate() {
                proptest::prop_assert_eq!(stop_bits >> i & 1 == 1, is_stop(byte));
                proptest::prop_assert_eq!(special_bits >> i & 1 == 1, is_stop(byte) || byte >= 0x80);
            }
            proptest::prop_assert_eq!(beyond_ascii, chunk.iter().any(|byte| *byte >= 0x80));
        }
    }
}
