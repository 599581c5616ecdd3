//! Times in input: epoch milliseconds or ISO 8601.

/// Milliseconds since 1970-01-01T00:00:00Z of `1357034400000`, `2013-01-01`, `2013-01-01T10:00:00Z`,
/// `2013-01-01 10:00`, `2013-01-01T10:00:00.5+09:00`. Without a zone it is UTC; digits beyond milliseconds are cut.
pub fn parse_timestamp(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    let mut cursor = Cursor(text);
    let year = cursor.number(4)?;
    cursor.byte(b"-")?;
    let month = cursor.number(2)?;
    cursor.byte(b"-")?;
    let day = cursor.number(2)?;
    let days = days_since_epoch(year, month, day)?;
    let ms = if cursor.0.is_empty() { 0 } else { time_of_day(&mut cursor)? };
    cursor.0.is_empty().then_some(days * 86_400_000 + ms)
}

/// `T10:00`, `T10:00:00.123+09:00`: milliseconds after the day's midnight, UTC.
fn time_of_day(cursor: &mut Cursor<'_>) -> Option<i64> {
    cursor.byte(b"Tt ")?;
    let hour = cursor.number(2).filter(|&hour| hour < 24)?;
    cursor.byte(b":")?;
    let minute = cursor.number(2).filter(|&minute| minute < 60)?;
    let mut ms = (hour * 60 + minute) * 60_000;
    if cursor.byte(b":").is_some() {
        ms += cursor.number(2).filter(|&second| second < 60)? * 1000;
        if cursor.byte(b".,").is_some() {
            ms += cursor.milliseconds()?;
        }
    }
    Some(ms - zone(cursor)?)
}

/// `Z`, `+09:00`, `+0900`, `+09` or nothing: milliseconds east of UTC.
fn zone(cursor: &mut Cursor<'_>) -> Option<i64> {
    if cursor.0.is_empty() || cursor.byte(b"Zz").is_some() {
        return Some(0);
    }
    let sign = if cursor.byte(b"+-")? == b'-' { -1 } else { 1 };
    let hours = cursor.number(2).filter(|&hours| hours <= 18)?;
    let minutes = match cursor.0.is_empty() {
        true => 0,
        false => {
            let _ = cursor.byte(b":");
            cursor.number(2).filter(|&minutes| minutes < 60)?
        }
    };
    Some(sign * (hours * 60 + minutes) * 60_000)
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// Exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (head, rest) = self.0.split_at_checked(digits)?;
        if !head.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(head.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    /// One of these bytes.
    fn byte(&mut self, among: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        among.contains(&first).then(|| {
            self.0 = rest;
            first
        })
    }

    /// The digits of a fraction of a second.
    fn milliseconds(&mut self) -> Option<i64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (head, rest) = self.0.split_at(digits);
        self.0 = rest;
        let digit = |i: usize| head.get(i).map_or(0, |digit| i64::from(digit - b'0'));
        (digits > 0).then(|| digit(0) * 100 + digit(1) * 10 + digit(2))
    }
}

/// Days of a date of the Gregorian calendar; `None`: there is no such day.
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March: the leap day is their last.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days_of_years = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days_of_months = (153 * month + 2) / 5;
    // 719,468: days from 0000-03-01 to 1970-01-01.
    Some(days_of_years + days_of_months + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_as_chrono_does() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2013-01-01T10:00:00Z",
            "2000-02-29T23:59:59.999Z",
            "1969-12-31T23:59:59.001Z",
            "2024-02-29T12:30:00+09:00",
            "1900-03-01T00:00:00-05:30",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
        ] {
            let expected = chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
            assert_eq!(parse_timestamp(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn reads_shorter_forms() {
        for (text, expected) in [
            ("1357034400000", 1_357_034_400_000),
            ("-5", -5),
            ("2013-01-01", 1_356_998_400_000),
            ("2013-01-01 10:00", 1_357_034_400_000),
            ("2013-01-01T10:00:00", 1_357_034_400_000),
            ("2013-01-01T10:00:00.5", 1_357_034_400_500),
            ("2013-01-01T10:00:00.123456789Z", 1_357_034_400_123),
            ("2013-01-01T19:00:00+09", 1_357_034_400_000),
            ("2013-01-01T19:00:00+0900", 1_357_034_400_000),
        ] {
            assert_eq!(parse_timestamp(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "-",
            "x",
            "2013",
            "2013-02-29",
            "2013-13-01",
            "2013-00-01",
            "2013-01-32",
            "2013-01-01T24:00",
            "2013-1-1",
            "2013-01-01T10:60",
            "2013-01-01T10:00:00.",
            "2013-01-01T10:00Zx",
            "2013-01-01T10:00+",
            "99999999999999999999",
        ] {
            let parsed = parse_timestamp(text.as_bytes());
            assert!(parsed.is_none() || text == "2013", "{text}: {parsed:?}");
        }
    }
}
