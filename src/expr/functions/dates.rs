//! Functions on dates and times.

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type, Time32MillisecondType, TimestampMillisecondType};
use chrono::{NaiveDateTime, Timelike};

use super::args::Values;
use super::define::{BIGINT, DATE, INT, P, STRING, TIME, TIMESTAMP};
use super::kernel::known;
use super::last::Last;
pub use super::pattern::Pattern;
use super::pattern::{Field, Style};
use super::pattern_format::Moment;
pub use super::zone::Zone;
use super::{Function, ScalarCall};
use crate::expr::iso;

const CATEGORY: &str = "DATE / TIME";
const DAY_MS: i64 = 86_400_000;

pub(super) fn entries() -> Vec<Function> {
    let mut all = conversions();
    all.extend(formats());
    all.extend(parses());
    all.extend(deprecated());
    all
}

fn conversions() -> Vec<Function> {
    vec![
        Function::scalar("UNIX_TIMESTAMP", CATEGORY, "The milliseconds since 1970 of a timestamp, or of now.")
            .over(&[], BIGINT, |call| call.collect::<Int64Type>(|_| Ok(Some(chrono::Utc::now().timestamp_millis()))))
            .over(&[("timestamp", &TIMESTAMP, "a timestamp")], BIGINT, |call| {
                let times = call.numbers::<TimestampMillisecondType>(0);
                call.collect::<Int64Type>(|row| Ok(times.get(row)))
            })
            .examples(&[("UNIX_TIMESTAMP(FROM_UNIXTIME(1500))", "1500")]),
        Function::scalar("UNIX_DATE", CATEGORY, "The days since 1970-01-01 of a date, or of today.")
            .over(&[], INT, |call| {
                call.collect::<Int32Type>(|_| Ok(Some(iso::days_of(chrono::Local::now().date_naive()))))
            })
            .over(&[("date", &DATE, "a date")], INT, |call| {
                let dates = call.numbers::<Date32Type>(0);
                call.collect::<Int32Type>(|row| Ok(dates.get(row)))
            })
            .examples(&[("UNIX_DATE(FROM_DAYS(20))", "20")]),
        Function::scalar("FROM_UNIXTIME", CATEGORY, "The timestamp of milliseconds since 1970.")
            .over(&[("milliseconds", &BIGINT, "milliseconds since 1970")], TIMESTAMP, |call| {
                let ms = call.bigints(0);
                call.collect::<TimestampMillisecondType>(|row| Ok(ms.get(row)))
            })
            .examples(&[("FROM_UNIXTIME(1500)", "1970-01-01T00:00:01.500")]),
        Function::scalar("FROM_DAYS", CATEGORY, "The date of days since 1970-01-01.")
            .over(&[("days", &INT, "days since 1970-01-01")], DATE, |call| {
                let days = call.ints(0);
                call.collect::<Date32Type>(|row| Ok(days.get(row)))
            })
            .examples(&[("FROM_DAYS(31)", "1970-02-01")]),
        Function::scalar("CONVERT_TZ", CATEGORY, "A timestamp of one time zone as that of another.")
            .over(
                &[
                    ("timestamp", &TIMESTAMP, "a timestamp"),
                    ("from", &STRING, "its time zone"),
                    ("to", &STRING, "the wanted time zone"),
                ],
                TIMESTAMP,
                convert_tz,
            )
            .examples(&[("CONVERT_TZ(FROM_UNIXTIME(0), 'UTC', '+02:00')", "1970-01-01T02:00:00.000")]),
    ]
}

fn convert_tz(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (times, from, to) = (call.numbers::<TimestampMillisecondType>(0), call.texts(1), call.texts(2));
    let (mut from_zones, mut to_zones) = (Zones::default(), Zones::default());
    call.collect::<TimestampMillisecondType>(|row| {
        let (ms, from, to) = (known!(times.get(row)), known!(from.get(row)), known!(to.get(row)));
        let local = chrono::DateTime::from_timestamp_millis(ms).ok_or("The time is out of range")?.naive_utc();
        let instant = from_zones.get(from)?.instant_of(local);
        Ok(Some(instant + i64::from(to_zones.get(to)?.offset_at(instant)) * 1000))
    })
}

/// The pattern of the row before.
struct Patterns<'a> {
    last: Last<'a, Result<Pattern, String>>,
    style: Style,
}

impl<'a> Patterns<'a> {
    fn new(style: Style) -> Self {
        Patterns { last: Last::default(), style }
    }

    fn get(&mut self, text: &'a str) -> Result<&Pattern, String> {
        let pattern = self.last.of(text, |text| Pattern::with_style(text, self.style));
        pattern.as_ref().map_err(|reason| reason.clone())
    }
}

/// The same for zones.
#[derive(Default)]
struct Zones<'a>(Last<'a, Result<Zone, String>>);

impl<'a> Zones<'a> {
    fn get(&mut self, text: &'a str) -> Result<&Zone, String> {
        self.0.of(text, Zone::parse).as_ref().map_err(|reason| reason.clone())
    }
}

/// The zone of the optional third argument. Outer `None`: it is NULL.
struct ZoneArg<'a> {
    texts: Option<Values<'a, StringArray>>,
    zones: Zones<'a>,
    default: Zone,
}

impl<'a> ZoneArg<'a> {
    fn new(call: &ScalarCall<'a>, default: Zone) -> Self {
        ZoneArg { texts: (call.args.len() > 2).then(|| call.texts(2)), zones: Zones::default(), default }
    }

    fn get(&mut self, row: usize) -> Result<Option<&Zone>, String> {
        match self.texts {
            None => Ok(Some(&self.default)),
            Some(texts) => texts.get(row).map(|text| self.zones.get(text)).transpose(),
        }
    }
}

const PATTERN: P<'static> = ("pattern", &STRING, "a pattern of Java's DateTimeFormatter");
const ZONE: P<'static> = ("zone", &STRING, "a time zone");

fn formats() -> Vec<Function> {
    let timestamp = ("timestamp", &TIMESTAMP, "a timestamp");
    vec![
        Function::scalar(
            "FORMAT_TIMESTAMP",
            CATEGORY,
            "The text of a timestamp by a pattern, in UTC unless a zone is given.",
        )
        .over(&[timestamp, PATTERN], STRING, |call| format_timestamp::<TimestampMillisecondType>(call, Zone::utc()))
        .over(&[timestamp, PATTERN, ZONE], STRING, |call| {
            format_timestamp::<TimestampMillisecondType>(call, Zone::utc())
        })
        .examples(&[
            ("FORMAT_TIMESTAMP(FROM_UNIXTIME(0), 'yyyy-MM-dd HH:mm')", "1970-01-01 00:00"),
            ("FORMAT_TIMESTAMP(FROM_UNIXTIME(0), 'EEE d MMM hh a', 'Europe/London')", "Thu 1 Jan 01 AM"),
        ]),
        Function::scalar("FORMAT_DATE", CATEGORY, "The text of a date by a pattern.")
            .over(&[("date", &DATE, "a date"), PATTERN], STRING, |call| {
                let dates = call.numbers::<Date32Type>(0);
                format_local(call, Field::is_of_date, |row| {
                    Ok(match dates.get(row) {
                        Some(days) => Some(midnight(days)?),
                        None => None,
                    })
                })
            })
            .examples(&[("FORMAT_DATE(FROM_DAYS(0), 'dd-MMM-yyyy')", "01-Jan-1970")]),
        Function::scalar("FORMAT_TIME", CATEGORY, "The text of a time by a pattern.")
            .over(&[("time", &TIME, "a time"), PATTERN], STRING, |call| {
                let times = call.numbers::<Time32MillisecondType>(0);
                format_local(call, Field::is_of_time, |row| {
                    let time = times.get(row).and_then(iso::clock_of);
                    Ok(time.map(|time| chrono::NaiveDate::default().and_time(time)))
                })
            })
            .examples(&[("FORMAT_TIME(CAST('13:05' AS TIME), 'hh:mm a')", "01:05 PM")]),
    ]
}

fn midnight(days: i32) -> Result<NaiveDateTime, String> {
    let date = iso::date_of(days).ok_or("The date is out of range")?;
    date.and_hms_opt(0, 0, 0).ok_or_else(|| "The date is out of range".into())
}

fn format_timestamp<T: arrow::datatypes::ArrowPrimitiveType<Native = i64>>(
    call: &mut ScalarCall<'_>,
    default: Zone,
) -> ArrayRef {
    let (times, texts) = (call.numbers::<T>(0), call.texts(1));
    let (mut patterns, mut zones) = (Patterns::new(Style::Strict), ZoneArg::new(call, default));
    call.buffer_texts(|row, out| {
        let (ms, pattern, zone) = (known!(times.get(row)), known!(texts.get(row)), known!(zones.get(row)?));
        patterns.get(pattern)?.write_millis(ms, zone, out).map(Some)
    })
}

fn format_local(
    call: &mut ScalarCall<'_>,
    allowed: fn(Field) -> bool,
    local_at: impl Fn(usize) -> Result<Option<NaiveDateTime>, String>,
) -> ArrayRef {
    let texts = call.texts(1);
    let mut patterns = Patterns::new(Style::Strict);
    let zone = Zone::utc();
    call.buffer_texts(|row, out| {
        let (local, pattern) = (known!(local_at(row)?), known!(texts.get(row)));
        let compiled = patterns.get(pattern)?;
        if compiled.has(|field| !allowed(field)) {
            return Err(format!("Pattern '{pattern}' has a field that the value hasn't"));
        }
        compiled.write(&Moment { local, instant: 0, zone: &zone }, out);
        Ok(Some(()))
    })
}

fn parses() -> Vec<Function> {
    let text = ("text", &STRING, "a text");
    vec![
        Function::scalar(
            "PARSE_TIMESTAMP",
            CATEGORY,
            "The timestamp that a text says by a pattern, in UTC unless a zone is given.",
        )
        .over(&[text, PATTERN], TIMESTAMP, |call| parse_timestamp::<TimestampMillisecondType>(call, Zone::utc()))
        .over(&[text, PATTERN, ZONE], TIMESTAMP, |call| parse_timestamp::<TimestampMillisecondType>(call, Zone::utc()))
        .examples(&[
            ("PARSE_TIMESTAMP('1970-01-02 03', 'yyyy-MM-dd HH')", "1970-01-02T03:00:00.000"),
            ("PARSE_TIMESTAMP('19700102030405678', 'yyyyMMddHHmmssSSS')", "1970-01-02T03:04:05.678"),
        ]),
        Function::scalar("PARSE_DATE", CATEGORY, "The date that a text says by a pattern.")
            .over(&[text, PATTERN], DATE, parse_date)
            .examples(&[("PARSE_DATE('01-JAN-2022', 'dd-MMM-yyyy')", "2022-01-01")]),
        Function::scalar("PARSE_TIME", CATEGORY, "The time of day that a text says by a pattern.")
            .over(&[text, PATTERN], TIME, parse_time)
            .examples(&[
                ("UNIX_TIMESTAMP(TIMESTAMPADD(HOURS, 0, FROM_UNIXTIME(0)))", "0"),
                ("CAST(PARSE_TIME('7:05 pm', 'h:mm a') AS STRING)", "19:05"),
            ]),
    ]
}

fn parse_timestamp<T: arrow::datatypes::ArrowPrimitiveType<Native = i64>>(
    call: &mut ScalarCall<'_>,
    default: Zone,
) -> ArrayRef {
    let (values, texts) = (call.texts(0), call.texts(1));
    let (mut patterns, mut zones) = (Patterns::new(Style::Strict), ZoneArg::new(call, default));
    call.collect::<T>(|row| {
        let (text, pattern, zone) = (known!(values.get(row)), known!(texts.get(row)), known!(zones.get(row)?));
        patterns.get(pattern)?.parse_millis(text, zone).map(Some)
    })
}

fn parse_date(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (values, texts) = (call.texts(0), call.texts(1));
    let mut patterns = Patterns::new(Style::Lenient);
    call.collect::<Date32Type>(|row| {
        let (text, pattern) = (known!(values.get(row)), known!(texts.get(row)));
        let ms = patterns.get(pattern)?.parse_millis(text, &Zone::utc())?;
        if ms.rem_euclid(DAY_MS) != 0 {
            return Err(format!("Date format contains time field: '{pattern}'"));
        }
        Ok(i32::try_from(ms / DAY_MS).ok())
    })
}

fn parse_time(call: &mut ScalarCall<'_>) -> ArrayRef {
    let (values, texts) = (call.texts(0), call.texts(1));
    let mut patterns = Patterns::new(Style::Strict);
    call.collect::<Time32MillisecondType>(|row| {
        let (text, pattern) = (known!(values.get(row)), known!(texts.get(row)));
        let compiled = patterns.get(pattern)?;
        if compiled.has(Field::is_of_date) {
            return Err(format!("Time format contains date field: '{pattern}'"));
        }
        let time = compiled.parse_local(text)?.0.time();
        Ok(Some((time.num_seconds_from_midnight() * 1000 + time.nanosecond() / 1_000_000) as i32))
    })
}

/// They count in the zone of the machine, not in UTC.
fn deprecated() -> Vec<Function> {
    let (text, ms) = (("text", &STRING, "a text"), ("milliseconds", &BIGINT, "milliseconds since 1970"));
    vec![
        Function::scalar(
            "TIMESTAMPTOSTRING",
            CATEGORY,
            "The text of milliseconds since 1970 by a pattern. FORMAT_TIMESTAMP is newer.",
        )
        .over(&[ms, PATTERN], STRING, |call| format_timestamp::<Int64Type>(call, Zone::Local))
        .over(&[ms, PATTERN, ZONE], STRING, |call| format_timestamp::<Int64Type>(call, Zone::Local))
        .examples(&[("TIMESTAMPTOSTRING(0, 'yyyy-MM-dd''T''HHX', 'UTC')", "1970-01-01T00Z")]),
        Function::scalar(
            "STRINGTOTIMESTAMP",
            CATEGORY,
            "The milliseconds since 1970 that a text says by a pattern. PARSE_TIMESTAMP is newer.",
        )
        .over(&[text, PATTERN], BIGINT, |call| parse_timestamp::<Int64Type>(call, Zone::Local))
        .over(&[text, PATTERN, ZONE], BIGINT, |call| parse_timestamp::<Int64Type>(call, Zone::Local))
        .examples(&[("STRINGTOTIMESTAMP('1970-01-01 01', 'yyyy-MM-dd HH', 'UTC')", "3600000")]),
        Function::scalar(
            "DATETOSTRING",
            CATEGORY,
            "The text of days since 1970-01-01 by a pattern. FORMAT_DATE is newer.",
        )
        .nulls("A NULL date fails.")
        .over(&[("days", &INT, "days since 1970-01-01"), PATTERN], STRING, |call| {
            let days = call.ints(0);
            format_local(call, Field::is_of_date, |row| {
                days.get(row).ok_or_else(|| "DATETOSTRING takes no NULL".to_string()).and_then(midnight).map(Some)
            })
        })
        .examples(&[("DATETOSTRING(365, 'dd.MM.yyyy')", "01.01.1971")]),
        Function::scalar(
            "STRINGTODATE",
            CATEGORY,
            "The days since 1970-01-01 that a text says by a pattern. PARSE_DATE is newer.",
        )
        .over(&[text, PATTERN], INT, |call| {
            let (values, texts) = (call.texts(0), call.texts(1));
            let mut patterns = Patterns::new(Style::Strict);
            call.collect::<Int32Type>(|row| {
                let (text, pattern) = (known!(values.get(row)), known!(texts.get(row)));
                Ok(Some(iso::days_of(patterns.get(pattern)?.parse_local(text)?.0.date())))
            })
        })
        .examples(&[("STRINGTODATE('1971-01-01', 'yyyy-MM-dd')", "365")]),
    ]
}
