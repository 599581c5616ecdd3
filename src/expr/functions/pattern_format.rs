//! Dates and times written by a pattern, with English names.

use std::fmt::Write;

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, Timelike};

use super::pattern::{Field, Item, Pattern};
use super::zone::Zone;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Each short and long.
pub(super) const QUARTERS: [[&str; 2]; 4] =
    [["Q1", "1st quarter"], ["Q2", "2nd quarter"], ["Q3", "3rd quarter"], ["Q4", "4th quarter"]];
const MODIFIED_JULIAN_DAY_OF_1970: i32 = 40_587;

/// A local time and where it is.
pub(super) struct Moment<'a> {
    pub local: NaiveDateTime,
    /// Milliseconds since 1970.
    pub instant: i64,
    pub zone: &'a Zone,
}

impl Pattern {
    /// Appends the instant's text in that zone; the error when it is out of the calendar's range.
    pub(super) fn write_millis(&self, ms: i64, zone: &Zone, out: &mut String) -> Result<(), String> {
        let local_ms = ms.checked_add(i64::from(zone.offset_at(ms)) * 1000).ok_or("The time is out of range")?;
        let local = chrono::DateTime::from_timestamp_millis(local_ms).ok_or("The time is out of range")?.naive_utc();
        self.write(&Moment { local, instant: ms, zone }, out);
        Ok(())
    }

    /// Appends the moment's text.
    pub(super) fn write(&self, moment: &Moment<'_>, out: &mut String) {
        for item in &self.items {
            match item {
                Item::Literal(text) => out.push_str(text),
                Item::Field(field, count) => write_field(out, *field, *count, moment),
                Item::Open | Item::Close => {}
            }
        }
    }
}

fn write_field(out: &mut String, field: Field, count: usize, moment: &Moment<'_>) {
    let local = &moment.local;
    let nanos = u64::from(local.num_seconds_from_midnight()) * 1_000_000_000 + u64::from(local.nanosecond());
    let number = match field {
        Field::Year => return write_year(out, local.year(), count),
        Field::YearOfEra => {
            return write_year(out, if local.year() > 0 { local.year() } else { 1 - local.year() }, count);
        }
        Field::Era => return out.push_str(era(local.year(), count)),
        Field::Month if count > 2 => return write_name(out, MONTHS[local.month0() as usize], count),
        Field::Month => u64::from(local.month()),
        Field::DayOfWeek => {
            return write_name(out, DAYS[local.weekday().num_days_from_monday() as usize], count.max(3));
        }
        Field::LocalDayOfWeek if count > 2 => {
            return write_name(out, DAYS[local.weekday().num_days_from_monday() as usize], count);
        }
        Field::LocalDayOfWeek => u64::from(local.weekday().num_days_from_sunday() + 1),
        Field::WeekYear => return write_year(out, week_of_year(local.date()).0, count),
        Field::WeekOfYear => u64::from(week_of_year(local.date()).1),
        Field::WeekOfMonth => u64::from(week_of(local.date(), local.day0())),
        Field::AlignedDayOfWeek => u64::from(local.day0() % 7 + 1),
        Field::ModifiedJulianDay => {
            // A String takes all that is written to it.
            let _ = write!(out, "{:0count$}", local.date().to_epoch_days() + MODIFIED_JULIAN_DAY_OF_1970);
            return;
        }
        Field::Day => u64::from(local.day()),
        Field::DayOfYear => u64::from(local.ordinal()),
        Field::Quarter if matches!(count, 3 | 4) => {
            return out.push_str(QUARTERS[local.month0() as usize / 3][count - 3]);
        }
        Field::Quarter if count == 5 => return out.push_str(&(local.month0() / 3 + 1).to_string()),
        Field::Quarter => u64::from(local.month0() / 3 + 1),
        Field::AmPm => return out.push_str(if local.hour() < 12 { "AM" } else { "PM" }),
        Field::ClockHourOfAmPm => u64::from((local.hour() + 11) % 12 + 1),
        Field::HourOfAmPm => u64::from(local.hour() % 12),
        Field::ClockHour => u64::from((local.hour() + 23) % 24 + 1),
        Field::Hour => u64::from(local.hour()),
        Field::Minute => u64::from(local.minute()),
        Field::Second => u64::from(local.second()),
        Field::Fraction => {
            let digits = count.min(9);
            let dropped = 10u32.pow(9 - digits as u32);
            return write_number(out, u64::from(local.nanosecond() / dropped), digits);
        }
        Field::MilliOfDay => nanos / 1_000_000,
        Field::Nano => u64::from(local.nanosecond()),
        Field::NanoOfDay => nanos,
        _ => return write_zone(out, field, count, moment),
    };
    write_number(out, number, count);
}

/// With zeros before it up to that width.
fn write_number(out: &mut String, number: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number);
    (digits.len()..width).for_each(|_| out.push('0'));
    out.push_str(digits);
}

/// The week of a period that a day is in, by the days that the period has before it. Weeks begin on Sunday; the first has the
/// period's first day.
fn week_of(date: NaiveDate, days_before: u32) -> u32 {
    let weekday = date.weekday().num_days_from_sunday();
    // Of the first day: sevens are added so that nothing is below zero.
    let first = (weekday + 7 * 53 - days_before) % 7;
    (days_before + first) / 7 + 1
}

/// The year that a day's week belongs to, and the week's number in it.
fn week_of_year(date: NaiveDate) -> (i32, u32) {
    let to_saturday = u64::from(6 - date.weekday().num_days_from_sunday());
    match date.checked_add_days(Days::new(to_saturday)) {
        Some(saturday) if saturday.year() > date.year() => (saturday.year(), 1),
        _ => (date.year(), week_of(date, date.ordinal0())),
    }
}

fn write_year(out: &mut String, year: i32, count: usize) {
    // A String takes all that is written to it.
    let _ = match count {
        2 => write!(out, "{:02}", year.rem_euclid(100)),
        _ if year < 0 => write!(out, "-{:0count$}", year.unsigned_abs()),
        // More digits than the pattern has letters are told apart from others by a sign.
        _ if count >= 4 && year >= 10i32.saturating_pow(count as u32) => write!(out, "+{year}"),
        _ => {
            write_number(out, u64::from(year.unsigned_abs()), count);
            Ok(())
        }
    };
}

fn era(year: i32, count: usize) -> &'static str {
    match (year > 0, count) {
        (true, 4) => "Anno Domini",
        (false, 4) => "Before Christ",
        (true, 5) => "A",
        (false, 5) => "B",
        (true, _) => "AD",
        (false, _) => "BC",
    }
}

fn write_name(out: &mut String, name: &str, count: usize) {
    out.push_str(match count {
        4 => name,
        5 => &name[..1],
        _ => &name[..3],
    });
}

fn write_zone(out: &mut String, field: Field, count: usize, moment: &Moment<'_>) {
    let seconds = moment.zone.offset_at(moment.instant);
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    let (hour, minute) = (minutes / 60, minutes % 60);
    let is_zero = seconds == 0;
    let text = match (field, count) {
        (Field::ZoneId, _) => moment.zone.id(),
        (Field::ZoneName, _) => moment.zone.name_at(moment.instant),
        (Field::OffsetX, _) | (Field::OffsetZ, 5) if is_zero => "Z".into(),
        (Field::OffsetX | Field::OffsetSmallX, 1) if minute == 0 => format!("{sign}{hour:02}"),
        (Field::OffsetX | Field::OffsetSmallX, 3 | 5) | (Field::OffsetZ, 5) => format!("{sign}{hour:02}:{minute:02}"),
        (Field::LocalizedOffset, _) | (Field::OffsetZ, 4) if is_zero => "GMT".into(),
        (Field::LocalizedOffset, 1) if minute == 0 => format!("GMT{sign}{hour}"),
        (Field::LocalizedOffset, 1) => format!("GMT{sign}{hour}:{minute:02}"),
        (Field::LocalizedOffset, _) | (Field::OffsetZ, 4) => format!("GMT{sign}{hour:02}:{minute:02}"),
        _ => format!("{sign}{hour:02}{minute:02}"),
    };
    out.push_str(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pattern: &str, date: (i32, u32, u32)) -> String {
        let local = NaiveDate::from_ymd_opt(date.0, date.1, date.2).unwrap().and_hms_opt(12, 0, 0).unwrap();
        let mut out = String::new();
        Pattern::new(pattern).unwrap().write(&Moment { local, instant: 0, zone: &Zone::utc() }, &mut out);
        out
    }

    /// As DateTimeFormatter of Java 17 writes them in Locale.ENGLISH.
    #[test]
    fn quarters_weeks_and_days_of_weeks() {
        let dates = [(2020, 1, 1), (2021, 1, 3), (2018, 12, 30), (2018, 12, 31), (2024, 2, 29)];
        for (pattern, expected) in [
            ("Q", "1|1|4|4|1"),
            ("QQ", "01|01|04|04|01"),
            ("QQQ", "Q1|Q1|Q4|Q4|Q1"),
            ("qqqq", "1st quarter|1st quarter|4th quarter|4th quarter|1st quarter"),
            ("QQQQQ", "1|1|4|4|1"),
            ("e", "4|1|1|2|5"),
            ("ee", "04|01|01|02|05"),
            ("eee", "Wed|Sun|Sun|Mon|Thu"),
            ("cccc", "Wednesday|Sunday|Sunday|Monday|Thursday"),
            ("ccccc", "W|S|S|M|T"),
            ("E", "Wed|Sun|Sun|Mon|Thu"),
            ("Y", "2020|2021|2019|2019|2024"),
            ("YY", "20|21|19|19|24"),
            ("YYYY-'W'ww-e", "2020-W01-4|2021-W02-1|2019-W01-1|2019-W01-2|2024-W09-5"),
            ("w", "1|2|1|1|9"),
            ("W", "1|2|6|6|5"),
            ("F", "1|3|2|3|1"),
            ("g", "58849|59217|58482|58483|60369"),
        ] {
            let texts: Vec<String> = dates.iter().map(|date| text(pattern, *date)).collect();
            assert_eq!(texts.join("|"), expected, "{pattern}");
        }
        for wrong in ["cc", "www", "WW", "FF", "QQQQQQ", "R"] {
            assert!(Pattern::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_of_quarters_is_read() {
        let read = |pattern: &str, text: &str| Pattern::new(pattern).unwrap().parse_millis(text, &Zone::utc());
        let july = read("yyyy-MM", "2021-07").unwrap();
        for (pattern, written) in [("yyyy QQQ", "2021 Q3"), ("yyyy QQQQ", "2021 3rd quarter"), ("yyyy-Q", "2021-3")] {
            assert_eq!(read(pattern, written), Ok(july), "{pattern}");
        }
        assert_eq!(read("e yyyy-MM", "5 2021-07"), Ok(july));
        assert!(read("YYYY-MM", "2021-07").unwrap_err().contains("for writing"));
    }
}
