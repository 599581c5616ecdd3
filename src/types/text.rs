//! Texts of doubles, dates, times and JSON strings, as ksqlDB (Java) writes them.

use std::fmt::Write;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// Java's `Double.toString` with the shortest digits that read back as the same number: `1.0`, `1.0E10`, `1.0E-5`,
/// `NaN`, `-Infinity`.
pub fn java_double(number: f64) -> String {
    let mut out = String::with_capacity(24);
    write_double(&mut out, number);
    out
}

/// [`java_double`] at the end of `out`.
pub fn write_double(out: &mut String, number: f64) {
    if number.is_nan() {
        return out.push_str("NaN");
    }
    if number.is_sign_negative() {
        out.push('-');
    }
    if number.is_infinite() {
        return out.push_str("Infinity");
    }
    if number == 0.0 {
        return out.push_str("0.0");
    }
    let mut buffer = ryu::Buffer::new();
    let (digits, count, point) = if number.abs() < f64::MIN_POSITIVE {
        // So small a number can have fewer than two digits; Java takes the two nearest to it.
        shortest_digits(&two_digits(number.abs(), buffer.format_finite(number.abs())))
    } else {
        shortest_digits(buffer.format_finite(number.abs()))
    };
    let digits = std::str::from_utf8(&digits[..count]).unwrap_or("0");
    // Java: plain from 10^-3 up to 10^7, else one digit before the point and an exponent.
    match point {
        -2..=0 => {
            out.push_str("0.");
            (point..0).for_each(|_| out.push('0'));
            out.push_str(digits);
        }
        1..=7 if count as i32 <= point => {
            out.push_str(digits);
            (count as i32..point).for_each(|_| out.push('0'));
            out.push_str(".0");
        }
        1..=7 => {
            out.push_str(&digits[..point as usize]);
            out.push('.');
            out.push_str(&digits[point as usize..]);
        }
        _ => {
            out.push_str(&digits[..1]);
            out.push('.');
            out.push_str(if count > 1 { &digits[1..] } else { "0" });
            let _ = write!(out, "E{}", point - 1);
        }
    }
}

/// A number in two digits when one would do, else as it is.
fn two_digits(number: f64, shortest: &str) -> String {
    let two = format!("{number:.1e}");
    let one = shortest.split('e').next().is_some_and(|mantissa| mantissa.trim_end_matches(".0").len() == 1);
    if one && two.parse() == Ok(number) { two } else { shortest.to_string() }
}

/// The significant digits of ryu's text of a positive number, how many, and where the point is: 0.d1d2... × 10^point.
fn shortest_digits(text: &str) -> ([u8; 24], usize, i32) {
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or(0)),
        None => (text, 0),
    };
    let mut digits = [0u8; 24];
    let mut count = 0;
    let mut point = None;
    let mut leading_zeros = 0;
    for byte in mantissa.bytes() {
        match byte {
            b'.' => point = Some(count as i32),
            b'0' if count == 0 => leading_zeros += i32::from(point.is_some()),
            _ if count < digits.len() => {
                digits[count] = byte;
                count += 1;
            }
            _ => {}
        }
    }
    let point = point.unwrap_or(count as i32) - leading_zeros + exponent;
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    (digits, count, point)
}

/// A JSON string with its quotes; escapes as few characters as JSON allows, the way Jackson does.
pub fn write_json_string(out: &mut String, text: &str) {
    out.push('"');
    let mut done = 0;
    for (i, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[done..i]);
        done = i + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            control => {
                let _ = write!(out, "\\u{control:04X}");
            }
        }
    }
    out.push_str(&text[done..]);
    out.push('"');
}

/// `2023-01-31` from days since 1970-01-01, in the proleptic Gregorian calendar.
pub fn iso_date(days: i32) -> String {
    let mut out = String::with_capacity(10);
    write_date(&mut out, i64::from(days));
    out
}

/// `23:59:59` from milliseconds of the day; `23:59:59.999` where there are any.
pub fn iso_time(millis: i32) -> String {
    let millis = i64::from(millis).rem_euclid(MILLIS_PER_DAY);
    let mut out = String::with_capacity(12);
    write_time(&mut out, millis);
    if millis % 1000 != 0 {
        let _ = write!(out, ".{:03}", millis % 1000);
    }
    out
}

/// `2023-01-31T23:59:59.999` (UTC) from milliseconds since 1970.
pub fn iso_timestamp(millis: i64) -> String {
    let mut out = String::with_capacity(23);
    write_date(&mut out, millis.div_euclid(MILLIS_PER_DAY));
    out.push('T');
    let of_day = millis.rem_euclid(MILLIS_PER_DAY);
    write_time(&mut out, of_day);
    let _ = write!(out, ".{:03}", of_day % 1000);
    out
}

fn write_time(out: &mut String, millis: i64) {
    let seconds = millis / 1000;
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

/// Years outside 0 to 9999 get a sign, as ISO 8601 wants.
fn write_date(out: &mut String, days: i64) {
    let (year, month, day) = civil(days);
    let _ = match year {
        0..=9999 => write!(out, "{year:04}-{month:02}-{day:02}"),
        _ if year < 0 => write!(out, "-{:04}-{month:02}-{day:02}", -year),
        _ => write!(out, "+{year}-{month:02}-{day:02}"),
    };
}

/// Year, month and day of a day counted from 1970-01-01. Years are counted from March here, so that the leap day comes
/// last; 400 years have 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468; // days from 0000-03-01
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_look_as_in_java() {
        let table = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (100.0, "100.0"),
            (123.456, "123.456"),
            (0.1, "0.1"),
            (0.05, "0.05"),
            (0.001, "0.001"),
            (0.00123, "0.00123"),
            (0.000999, "9.99E-4"),
            (1e-5, "1.0E-5"),
            (9_999_999.0, "9999999.0"),
            (9_999_999.5, "9999999.5"),
            (1e7, "1.0E7"),
            (12_345_678.0, "1.2345678E7"),
            (1e10, "1.0E10"),
            (1e21, "1.0E21"),
            (1.5e300, "1.5E300"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (5e-324, "4.9E-324"),
            (1e-323, "9.9E-324"),
            (1.5e-323, "1.5E-323"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (number, text) in table {
            assert_eq!(java_double(number), text);
        }
    }

    #[test]
    fn dates_and_times() {
        let dates = [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (19_358, "2023-01-01"),
            (11_016, "2000-02-29"),
            (-719_528, "0000-01-01"),
            (2_932_896, "9999-12-31"),
            (2_932_897, "+10000-01-01"),
            (-719_529, "-0001-12-31"),
        ];
        for (days, text) in dates {
            assert_eq!(iso_date(days), text);
        }
        assert_eq!(iso_time(0), "00:00:00");
        assert_eq!(iso_time(86_399_999), "23:59:59.999");
        assert_eq!(iso_timestamp(-1), "1969-12-31T23:59:59.999");
        assert_eq!(iso_timestamp(1_436_918_400_123), "2015-07-15T00:00:00.123");
    }

    proptest::proptest! {
        #[test]
        fn doubles_read_back(bits: u64) {
            let number = f64::from_bits(bits);
            if number.is_finite() {
                proptest::prop_assert_eq!(java_double(number).parse::<f64>().unwrap().to_bits(), bits);
            }
        }

        #[test]
        fn dates_agree_with_chrono(days in -2_000_000i32..2_000_000) {
            let date = chrono::DateTime::from_timestamp(i64::from(days) * 86_400, 0).unwrap().date_naive();
            proptest::prop_assert_eq!(iso_date(days).trim_start_matches('+').to_string(), {
                use chrono::Datelike;
                let sign = if date.year() < 0 { "-" } else { "" };
                format!("{sign}{:04}-{:02}-{:02}", date.year().abs(), date.month(), date.day())
            });
        }

        #[test]
        fn every_moment_has_a_text(millis: i64, days: i32, time: i32) {
            iso_timestamp(millis);
            iso_date(days);
            iso_time(time);
        }

        #[test]
        fn json_strings_read_back(text: String) {
            let mut out = String::new();
            write_json_string(&mut out, &text);
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
