//! Whole numbers and decimals of any size, digit by digit: nothing of it is shared with the product's.

use std::cmp::Ordering;
use std::fmt;

/// A whole number: decimal digits, the lowest first, none of them a leading zero. Zero has none and isn't negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    negative: bool,
    digits: Vec<u8>,
}

impl Whole {
    fn of(negative: bool, mut digits: Vec<u8>) -> Whole {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Whole { negative: negative && !digits.is_empty(), digits }
    }

    /// Of text made of digits, maybe behind a minus sign.
    fn parse(text: &str) -> Whole {
        let digits = text.trim_start_matches('-');
        Whole::of(text.starts_with('-'), digits.bytes().rev().map(|byte| byte - b'0').collect())
    }

    fn zero() -> Whole {
        Whole::of(false, Vec::new())
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    fn negated(&self) -> Whole {
        Whole::of(!self.negative, self.digits.clone())
    }

    /// Times ten to the power of `places`.
    fn raised(&self, places: usize) -> Whole {
        let mut digits = vec![0; places];
        digits.extend(&self.digits);
        Whole::of(self.negative, digits)
    }

    fn add(&self, other: &Whole) -> Whole {
        if self.negative == other.negative {
            return Whole::of(self.negative, sum(&self.digits, &other.digits));
        }
        match size(&self.digits, &other.digits) {
            Ordering::Less => Whole::of(other.negative, difference(&other.digits, &self.digits)),
            _ => Whole::of(self.negative, difference(&self.digits, &other.digits)),
        }
    }

    fn multiply(&self, other: &Whole) -> Whole {
        let mut total = Whole::zero();
        for (place, digit) in other.digits.iter().enumerate() {
            let mut row = Whole::zero();
            for _ in 0..*digit {
                row = Whole::of(false, sum(&row.digits, &self.digits));
            }
            total = Whole::of(false, sum(&total.digits, &row.raised(place).digits));
        }
        Whole::of(self.negative != other.negative, total.digits)
    }

    /// Quotient and remainder, truncated towards zero. The divisor isn't 0.
    fn divide(&self, other: &Whole) -> (Whole, Whole) {
        let (mut quotient, mut rest) = (Vec::new(), Whole::zero());
        for digit in self.digits.iter().rev() {
            rest = Whole::of(false, sum(&rest.raised(1).digits, &[*digit]));
            let mut times = 0;
            while size(&rest.digits, &other.digits) != Ordering::Less {
                rest = Whole::of(false, difference(&rest.digits, &other.digits));
                times += 1;
            }
            quotient.insert(0, times);
        }
        (Whole::of(self.negative != other.negative, quotient), Whole::of(self.negative, rest.digits))
    }
}

fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut carry = 0;
    for place in 0..a.len().max(b.len()) {
        let digit = a.get(place).unwrap_or(&0) + b.get(place).unwrap_or(&0) + carry;
        out.push(digit % 10);
        carry = digit / 10;
    }
    out.push(carry);
    while out.last() == Some(&0) {
        out.pop();
    }
    out
}

/// `a` isn't less than `b`.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut borrow = 0;
    for (place, digit) in a.iter().enumerate() {
        let take = b.get(place).unwrap_or(&0) + borrow;
        borrow = u8::from(*digit < take);
        out.push(digit + 10 * borrow - take);
    }
    while out.last() == Some(&0) {
        out.pop();
    }
    out
}

fn size(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

impl PartialOrd for Whole {
    fn partial_cmp(&self, other: &Whole) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Whole {
    fn cmp(&self, other: &Whole) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => size(&self.digits, &other.digits),
            (true, true) => size(&other.digits, &self.digits),
        }
    }
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0");
        }
        let digits: String = self.digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect();
        write!(f, "{}{digits}", if self.negative { "-" } else { "" })
    }
}

/// `unscaled` / 10^`scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    pub unscaled: Whole,
    pub scale: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// Ties away from zero.
    HalfUp,
    /// Ties towards positive infinity.
    HalfCeiling,
    Down,
    Ceiling,
    Floor,
    /// Refused where it would change the value.
    Unnecessary,
}

impl Decimal {
    pub fn of(number: i64) -> Decimal {
        Decimal { unscaled: Whole::parse(&number.to_string()), scale: 0 }
    }

    /// Of `unscaled` as a text of digits.
    pub fn unscaled(text: &str, scale: u32) -> Decimal {
        Decimal { unscaled: Whole::parse(text), scale }
    }

    /// `[+-] digits [. digits] [e [+-] digits]`
    pub fn parse(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let negative = mantissa.starts_with('-');
        let mantissa = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let unscaled = Whole::parse(&digits);
        let unscaled = if negative { unscaled.negated() } else { unscaled };
        let scale = fraction.len() as i64 - exponent;
        match u32::try_from(scale) {
            Ok(scale) => Some(Decimal { unscaled, scale }),
            Err(_) => Some(Decimal { unscaled: unscaled.raised(scale.unsigned_abs() as usize), scale: 0 }),
        }
    }

    pub fn is_zero(&self) -> bool {
        self.unscaled.is_zero()
    }

    pub fn is_negative(&self) -> bool {
        self.unscaled.negative
    }

    /// Has at most `precision` digits.
    pub fn fits(&self, precision: u32) -> bool {
        self.unscaled.digits.len() <= precision as usize
    }

    pub fn negated(&self) -> Decimal {
        Decimal { unscaled: self.unscaled.negated(), scale: self.scale }
    }

    /// `None` where it would have to be rounded and mustn't.
    pub fn rescaled(&self, scale: u32, rounding: Rounding) -> Option<Decimal> {
        if scale >= self.scale {
            return Some(Decimal { unscaled: self.unscaled.raised((scale - self.scale) as usize), scale });
        }
        let unit = Whole::parse("1").raised((self.scale - scale) as usize);
        Some(Decimal { unscaled: rounded(&self.unscaled, &unit, rounding)?, scale })
    }

    fn aligned(&self, other: &Decimal) -> (Whole, Whole, u32) {
        let scale = self.scale.max(other.scale);
        let raise = |number: &Decimal| number.unscaled.raised((scale - number.scale) as usize);
        (raise(self), raise(other), scale)
    }

    pub fn add(&self, other: &Decimal) -> Decimal {
        let (a, b, scale) = self.aligned(other);
        Decimal { unscaled: a.add(&b), scale }
    }

    pub fn multiply(&self, other: &Decimal) -> Decimal {
        Decimal { unscaled: self.unscaled.multiply(&other.unscaled), scale: self.scale + other.scale }
    }

    /// The quotient with that many digits behind the point, if it has no more. The divisor isn't 0.
    pub fn divide(&self, other: &Decimal, scale: u32) -> Option<Decimal> {
        let (a, b, _) = self.aligned(other);
        Some(Decimal { unscaled: rounded(&a.raised(scale as usize), &b, Rounding::Unnecessary)?, scale })
    }

    /// With the dividend's sign. The divisor isn't 0.
    pub fn remainder(&self, other: &Decimal) -> Decimal {
        let (a, b, scale) = self.aligned(other);
        Decimal { unscaled: a.divide(&b).1, scale }
    }

    /// By value, whatever the scales.
    pub fn compare(&self, other: &Decimal) -> Ordering {
        let (a, b, _) = self.aligned(other);
        a.cmp(&b)
    }

    pub fn to_double(&self) -> f64 {
        self.to_string().parse().unwrap()
    }

    /// The whole part's low 64 bits.
    pub fn to_bigint(&self) -> i64 {
        let whole = self.rescaled(0, Rounding::Down).unwrap().unscaled;
        let value = whole
            .digits
            .iter()
            .rev()
            .fold(0i64, |so_far, digit| so_far.wrapping_mul(10).wrapping_add(i64::from(*digit)));
        if whole.negative { value.wrapping_neg() } else { value }
    }
}

fn rounded(dividend: &Whole, divisor: &Whole, rounding: Rounding) -> Option<Whole> {
    let (quotient, rest) = dividend.divide(divisor);
    if rest.is_zero() {
        return Some(quotient);
    }
    let negative = dividend.negative != divisor.negative;
    let half = size(&sum(&rest.digits, &rest.digits), &divisor.digits);
    let away = match rounding {
        Rounding::Unnecessary => return None,
        Rounding::Down => false,
        Rounding::Ceiling => !negative,
        Rounding::Floor => negative,
        Rounding::HalfUp => half != Ordering::Less,
        Rounding::HalfCeiling => half == Ordering::Greater || (half == Ordering::Equal && !negative),
    };
    let step = Whole::parse(if negative { "-1" } else { "1" });
    Some(if away { quotient.add(&step) } else { quotient })
}

/// All digits of the scale, no exponent.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.scale as usize;
        let digits = Whole::of(false, self.unscaled.digits.clone()).to_string();
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.unscaled.negative { "-" } else { "" };
        if scale == 0 { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

/// As Java shows a DOUBLE: the fewest digits that mean it, with an exponent below 0.001 and from 10,000,000 on.
pub(super) fn double_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        let text = format!("{number}");
        return if text.contains('.') { text } else { format!("{text}.0") };
    }
    let text = format!("{number:e}");
    // Two digits are shown in any case: those nearest to it.
    let text = if text.contains('.') { text } else { format!("{number:.1e}") };
    text.replace('e', "E")
}

#[test]
fn digits_add_up() {
    let number = |text: &str| Decimal::parse(text).unwrap();
    assert_eq!(number("-1.50").add(&number("1.505")).to_string(), "0.005");
    assert_eq!(number("999.9").multiply(&number("-0.01")).to_string(), "-9.999");
    assert_eq!(number("1").divide(&number("-8"), 3).unwrap().to_string(), "-0.125");
    assert_eq!(number("1").divide(&number("3"), 30), None);
    assert_eq!(number("-7.5").remainder(&number("2")).to_string(), "-1.5");
    for (text, up, ceiling) in [("2.5", "3", "3"), ("-2.5", "-3", "-2"), ("-2.51", "-3", "-3"), ("2.49", "2", "2")] {
        assert_eq!(number(text).rescaled(0, Rounding::HalfUp).unwrap().to_string(), up);
        assert_eq!(number(text).rescaled(0, Rounding::HalfCeiling).unwrap().to_string(), ceiling);
    }
    assert_eq!(number("18446744073709551615.9").to_bigint(), -1);
    assert_eq!(number("1.2e3").to_string(), "1200");
    assert_eq!(number("1.2e-3").to_string(), "0.0012");
    let texts =
        [(1e7, "1.0E7"), (123.0, "123.0"), (1.5e-4, "1.5E-4"), (-0.0, "-0.0"), (0.001, "0.001"), (5e-324, "4.9E-324")];
    assert_eq!(texts.map(|(number, _)| double_text(number)), texts.map(|(_, text)| text.to_owned()));
}
