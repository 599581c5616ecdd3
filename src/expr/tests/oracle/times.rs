//! The calendar, and ISO texts of dates and times. All in UTC.

pub(super) const DAY: i64 = 86_400_000;

/// Day of 1970 of a date that exists: counted, not computed.
fn day_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let years =
        |year: i64| 365 * year + (year + 3).div_euclid(4) - (year + 99).div_euclid(100) + (year + 399).div_euclid(400);
    let months: i64 = (1..month).map(|month| days_in(year, month)).sum();
    Some(years(year) - years(1970) + months + day - 1)
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn date_of(mut days: i64) -> (i64, i64, i64) {
    let mut year = 1970 + days.div_euclid(366);
    while day_of(year, 1, 1).unwrap() > days {
        year -= 1;
    }
    while day_of(year + 1, 1, 1).unwrap() <= days {
        year += 1;
    }
    days -= day_of(year, 1, 1).unwrap();
    let mut month = 1;
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// `yyyy[-MM[-dd]]`
pub(super) fn parse_date(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split('-').collect();
    match parts[..] {
        [year] => day_of(number(year, 4)?, 1, 1),
        [year, month] => day_of(number(year, 4)?, number(month, 2)?, 1),
        [year, month, day] => day_of(number(year, 4)?, number(month, 2)?, number(day, 2)?),
        _ => None,
    }
}

/// `HH:mm[:ss[.S..]]`
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').map_or((text, None), |(clock, fraction)| (clock, Some(fraction)));
    let parts: Vec<&str> = clock.split(':').collect();
    let (hour, minute, second) = match parts[..] {
        [hour, minute] if fraction.is_none() => (number(hour, 2)?, number(minute, 2)?, 0),
        [hour, minute, second] => (number(hour, 2)?, number(minute, 2)?, number(second, 2)?),
        _ => return None,
    };
    let millis = match fraction {
        None => 0,
        Some(digits) if (1..=9).contains(&digits.len()) => {
            number(digits, digits.len())?;
            number(&format!("{digits}00")[..3], 3)?
        }
        Some(_) => return None,
    };
    (hour < 24 && minute < 60 && second < 60).then_some(((hour * 60 + minute) * 60 + second) * 1000 + millis)
}

/// A date, then maybe `T` with an hour or a time, then maybe `Z` or an offset.
pub(super) fn parse_timestamp(text: &str) -> Option<i64> {
    let Some((date, time)) = text.split_once('T') else { return Some(parse_date(text)? * DAY) };
    let at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at(at);
    let offset = match zone.as_bytes() {
        [] | b"Z" => 0,
        [sign, ..] => {
            let digits = zone[1..].replace(':', "");
            let minutes = number(&digits, 4)? / 100 * 60 + number(&digits, 4)? % 100;
            if *sign == b'-' { -minutes } else { minutes }
        }
    };
    let time = match time.len() {
        2 => number(time, 2)? * 3_600_000,
        _ => parse_time(time)?,
    };
    Some(parse_date(date)? * DAY + time - offset * 60_000)
}

/// Seconds where there are some, no milliseconds.
pub(super) fn time_text(ms: i64) -> String {
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    if second == 0 { format!("{hour:02}:{minute:02}") } else { format!("{hour:02}:{minute:02}:{second:02}") }
}

pub(super) fn time_with_millis(ms: i64) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

pub(super) fn date_text(days: i64) -> String {
    let (year, month, day) = date_of(days);
    format!("{year:04}-{month:02}-{day:02}")
}

pub(super) fn timestamp_text(ms: i64) -> String {
    format!("{}T{}", date_text(ms.div_euclid(DAY)), time_with_millis(ms.rem_euclid(DAY)))
}

#[test]
fn days_are_counted() {
    let days = [
        ("1970-01-01", 0),
        ("2000-03-01", 11_017),
        ("1969-12-31", -1),
        ("1600-02-29", -135_081),
        ("1928-12-31", -14_977),
        ("1916-12-04", -19_386),
        ("9999-12-31", 2_932_896),
    ];
    for (text, day) in days {
        assert_eq!(parse_date(text), Some(day), "{text}");
        assert_eq!(date_text(day), text);
    }
    assert_eq!(parse_date("1900-02-29"), None);
    assert_eq!((parse_time("00:00:01.5"), parse_time("00:00:01.678x")), (Some(1500), None));
    assert_eq!(parse_timestamp("1970-01-01T01:00+0130"), Some(-1_800_000));
    assert_eq!(timestamp_text(-1), "1969-12-31T23:59:59.999");
}
