//! Dates and times written by a pattern, with English names.

use std::fmt::Write;

use chrono::{Datelike, NaiveDateTime, Timelike};

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
        Field::Day => u64::from(local.day()),
        Field::DayOfYear => u64::from(local.ordinal()),
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
