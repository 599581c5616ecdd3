//! ISO 8601 text of dates, times and timestamps, whole or in part. Doesn't know patterns (`functions::dates` does).

use chrono::{NaiveDate, Timelike};

const DAY_MS: i64 = 86_400_000;

/// `yyyy`, `yyyy-MM` or `yyyy-MM-dd` as days since 1970-01-01.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let mut parts = text.split('-');
    let year: i32 = digits(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    if parts.next().is_some() {
        return None;
    }
    Some(days_of(NaiveDate::from_ymd_opt(year, month as u32, day as u32)?))
}

/// `HH:mm`, `HH:mm:ss` or `HH:mm:ss.SSS` (1 to 9 digits of a second) as milliseconds of the day.
pub(crate) fn parse_time(text: &str) -> Option<i32> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (text, None),
    };
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let second = parts.next().map(|part| digits(part, 2));
    if parts.next().is_some() || (second.is_none() && fraction.is_some()) {
        return None;
    }
    let second = second.unwrap_or(Some(0))?;
    let millis = fraction.map_or(Some(0), millis_of_fraction)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * 1000 + millis)
}

/// A timestamp whose tail may be missing: `2020`, `2020-01-02T03`, `2020-01-02T03:04:05.678+0100`.
/// Without a zone it is UTC. Milliseconds since 1970.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    let (time, offset_ms) = split_zone(time)?;
    // A zone may follow a bare date, too: `2020-01-02TZ` has no time at all.
    let days = parse_date(date.strip_suffix('Z').unwrap_or(date))?;
    let time_ms = match time.len() {
        0 => 0,
        // Hour 24 is the end of the day.
        2 => digits(time, 2).filter(|hour| *hour <= 24)? * 3_600_000,
        _ if is_end_of_day(time) => 24 * 3_600_000,
        _ => parse_time(time)?,
    };
    Some(i64::from(days) * DAY_MS + i64::from(time_ms) - offset_ms)
}

/// `24:00`, with any more zeros.
fn is_end_of_day(time: &str) -> bool {
    time.strip_prefix("24:").is_some_and(|rest| !rest.contains(|c: char| c.is_ascii_digit() && c != '0'))
        && parse_time(&time.replacen("24", "00", 1)) == Some(0)
}

/// `HH:mm`, or `HH:mm:ss` when there are seconds. Milliseconds are not shown.
pub(crate) fn time_text(ms: i32) -> String {
    let seconds = ms / 1000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if second == 0 { format!("{hour:02}:{minute:02}") } else { format!("{hour:02}:{minute:02}:{second:02}") }
}

pub(crate) fn date_of(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(days)
}

pub(crate) fn days_of(date: NaiveDate) -> i32 {
    date.to_epoch_days()
}

/// `+01:00`, `+0100`, `+01` or `Z` as milliseconds east of Greenwich.
pub(crate) fn parse_offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z" | "UTC" | "GMT") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let rest: String = text[1..].chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = match rest.len() {
        1 | 2 => (rest.parse::<u32>().ok()?, 0),
        4 => (digits(&rest[..2], 2)? as u32, digits(&rest[2..], 2)? as u32),
        _ => return None,
    };
    (hours <= 18 && minutes < 60).then(|| sign * i64::from(hours * 60 + minutes) * 60_000)
}

fn split_zone(time: &str) -> Option<(&str, i64)> {
    match time.find(['Z', '+', '-']) {
        Some(at) => Some((&time[..at], parse_offset(&time[at..])?)),
        None => Some((time, 0)),
    }
}

/// A number of exactly that many digits.
fn digits(text: &str, count: usize) -> Option<i32> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn millis_of_fraction(fraction: &str) -> Option<i32> {
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let padded = format!("{fraction:0<3}");
    padded[..3].parse().ok()
}

/// Milliseconds of a timestamp's day, and its day.
pub(crate) fn split_timestamp(ms: i64) -> (i64, i64) {
    (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS))
}

/// The hour, minute, second, millisecond of a time of day.
pub(crate) fn clock_of(ms: i32) -> Option<chrono::NaiveTime> {
    let seconds = u32::try_from(ms.div_euclid(1000)).ok()?;
    let time = chrono::NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0)?;
    time.with_nanosecond(ms.rem_euclid(1000) as u32 * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_padded() {
        assert_eq!(parse_timestamp("1970"), Some(0));
        assert_eq!(parse_timestamp("1970-01-02"), Some(DAY_MS));
        assert_eq!(parse_timestamp("1970-01-01T01"), Some(3_600_000));
        assert_eq!(parse_timestamp("1970-01-01T00:00:01.5"), Some(1500));
        assert_eq!(parse_timestamp("1970-01-01T01:00:00+0100"), Some(0));
        assert_eq!(parse_timestamp("1970-01-01T00:00:00-01:30"), Some(5_400_000));
        assert_eq!(parse_timestamp("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse_timestamp("yesterday"), None);
        assert_eq!(parse_timestamp("1970-13"), None);
        for end in ["1970-01-01T24", "1970-01-01T24:00", "1970-01-01T24:00:00.000Z"] {
            assert_eq!(parse_timestamp(end), Some(DAY_MS), "{end}");
        }
        for late in ["1970-01-01T25", "1970-01-01T24:01", "1970-01-01T24:00:00.001", "1970-01-01T24:"] {
            assert_eq!(parse_timestamp(late), None, "{late}");
        }
    }

    #[test]
    fn text_of_times() {
        assert_eq!(time_text(3_600_000), "01:00");
        assert_eq!(time_text(3_601_250), "01:00:01");
        assert_eq!(parse_time("23:59:59.9"), Some(86_399_900));
        assert_eq!(parse_time("24:00"), None);
    }
}
