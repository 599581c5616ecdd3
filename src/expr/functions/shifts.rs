//! Dates and times moved by an interval: DATEADD, TIMESTAMPSUB and their kin.

use arrow::array::ArrayRef;
use arrow::datatypes::{Date32Type, Time32MillisecondType, TimestampMillisecondType};

use super::define::{DATE, INT, TIME, TIMESTAMP};
use super::kernel::known;
use super::{Function, ParamType, ScalarCall, ScalarFn};

const CATEGORY: &str = "DATE / TIME";
const DAY_MS: i64 = 86_400_000;

pub(super) fn entries() -> Vec<Function> {
    let entry = |name, description, noun, ty: &ParamType, call: ScalarFn, example| {
        let what = ("value", ty, noun);
        Function::scalar(name, CATEGORY, description)
            .over(
                &[
                    ("unit", &ParamType::Unit, "DAYS, HOURS, MINUTES, SECONDS or MILLISECONDS"),
                    ("interval", &INT, "how many"),
                    what,
                ],
                ty.clone(),
                call,
            )
            .examples(example)
    };
    vec![
        entry(
            "TIMESTAMPADD",
            "A timestamp, later by an interval.",
            "a timestamp",
            &TIMESTAMP,
            |call| shift_timestamp(call, 1),
            &[("TIMESTAMPADD(MINUTES, 2, FROM_UNIXTIME(0))", "1970-01-01T00:02:00.000")],
        ),
        entry(
            "TIMESTAMPSUB",
            "A timestamp, earlier by an interval.",
            "a timestamp",
            &TIMESTAMP,
            |call| shift_timestamp(call, -1),
            &[("TIMESTAMPSUB(DAYS, 1, FROM_UNIXTIME(0))", "1969-12-31T00:00:00.000")],
        ),
        entry(
            "DATEADD",
            "A date, later by an interval.",
            "a date",
            &DATE,
            |call| shift_date(call, 1),
            &[("DATEADD(DAYS, 2, FROM_DAYS(0))", "1970-01-03")],
        ),
        entry(
            "DATESUB",
            "A date, earlier by an interval.",
            "a date",
            &DATE,
            |call| shift_date(call, -1),
            &[("DATESUB(HOURS, 24, FROM_DAYS(1))", "1970-01-01")],
        ),
        entry(
            "TIMEADD",
            "A time of day, later by an interval, round midnight.",
            "a time",
            &TIME,
            |call| shift_time(call, 1),
            &[("CAST(TIMEADD(HOURS, 2, CAST('23:30' AS TIME)) AS STRING)", "01:30")],
        ),
        entry(
            "TIMESUB",
            "A time of day, earlier by an interval, round midnight.",
            "a time",
            &TIME,
            |call| shift_time(call, -1),
            &[("CAST(TIMESUB(MINUTES, 45, CAST('00:30' AS TIME)) AS STRING)", "23:45")],
        ),
    ]
}

/// The interval of a row in milliseconds.
fn interval(call: &ScalarCall<'_>, sign: i64) -> Vec<Option<i64>> {
    let (units, counts) = (call.texts(0), call.ints(1));
    (0..call.rows)
        .map(|row| {
            let unit = match units.get(row)? {
                "DAY" => DAY_MS,
                "HOUR" => 3_600_000,
                "MINUTE" => 60_000,
                "SECOND" => 1000,
                _ => 1,
            };
            Some(i64::from(counts.get(row)?) * unit * sign)
        })
        .collect()
}

fn shift_timestamp(call: &mut ScalarCall<'_>, sign: i64) -> ArrayRef {
    let (intervals, times) = (interval(call, sign), call.numbers::<TimestampMillisecondType>(2));
    call.collect::<TimestampMillisecondType>(|row| {
        let (by, ms) = (known!(intervals[row]), known!(times.get(row)));
        ms.checked_add(by).map(Some).ok_or_else(|| "The timestamp is out of range".into())
    })
}

fn shift_date(call: &mut ScalarCall<'_>, sign: i64) -> ArrayRef {
    let (intervals, dates) = (interval(call, sign), call.numbers::<Date32Type>(2));
    call.collect::<Date32Type>(|row| {
        let (by, days) = (known!(intervals[row]), known!(dates.get(row)));
        let moved = (i64::from(days) * DAY_MS + by) / DAY_MS;
        i32::try_from(moved).map(Some).map_err(|_| "The date is out of range".into())
    })
}

fn shift_time(call: &mut ScalarCall<'_>, sign: i64) -> ArrayRef {
    let (intervals, times) = (interval(call, sign), call.numbers::<Time32MillisecondType>(2));
    call.collect::<Time32MillisecondType>(|row| {
        let (by, ms) = (known!(intervals[row]), known!(times.get(row)));
        Ok(Some((i64::from(ms) + by).rem_euclid(DAY_MS) as i32))
    })
}
