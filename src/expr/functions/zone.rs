//! Time zones by name or offset: `UTC`, `+01:00`, `Europe/Zurich`, the machine's own.

use chrono::{DateTime, FixedOffset, Local, MappedLocalTime, NaiveDateTime, Offset, TimeZone};

use crate::expr::iso;

/// A time zone.
#[derive(Debug, Clone, PartialEq)]
pub enum Zone {
    Fixed(FixedOffset),
    Region(chrono_tz::Tz),
    /// The zone of the machine.
    Local,
}

impl Zone {
    /// Greenwich's.
    pub fn utc() -> Zone {
        Zone::Region(chrono_tz::UTC)
    }

    /// By offset (`+0100`, `GMT+1`) or region. The error says that there is no such zone.
    pub fn parse(text: &str) -> Result<Zone, String> {
        if matches!(text, "Z" | "UTC" | "GMT") {
            return Ok(Zone::utc());
        }
        let offset = text.strip_prefix("GMT").or_else(|| text.strip_prefix("UTC")).unwrap_or(text);
        if let Some(ms) = iso::parse_offset(offset)
            && let Some(fixed) = FixedOffset::east_opt((ms / 1000) as i32)
        {
            return Ok(Zone::Fixed(fixed));
        }
        text.parse().map(Zone::Region).map_err(|_| format!("Unknown time-zone ID: {text}"))
    }

    /// Seconds east of Greenwich at an instant.
    pub(super) fn offset_at(&self, ms: i64) -> i32 {
        let at = || DateTime::from_timestamp_millis(ms).map(|at| at.naive_utc());
        let offset = match self {
            Zone::Fixed(fixed) => Some(*fixed),
            // What most calls have needs no look into a table.
            Zone::Region(chrono_tz::UTC) => return 0,
            Zone::Region(zone) => at().map(|at| zone.offset_from_utc_datetime(&at).fix()),
            Zone::Local => at().map(|at| Local.offset_from_utc_datetime(&at).fix()),
        };
        offset.map_or(0, |offset| offset.local_minus_utc())
    }

    /// The instant of a local time. Of an hour that comes twice the first; what a change of clocks skips is moved on
    /// by the length of the gap.
    pub(super) fn instant_of(&self, local: NaiveDateTime) -> i64 {
        let local_ms = local.and_utc().timestamp_millis();
        let seconds = match self {
            Zone::Fixed(fixed) => Some(fixed.local_minus_utc()),
            Zone::Region(chrono_tz::UTC) => Some(0),
            Zone::Region(zone) => earliest(zone.offset_from_local_datetime(&local)),
            Zone::Local => earliest(Local.offset_from_local_datetime(&local)),
        };
        // In a gap the offset before it counts.
        let seconds = seconds.unwrap_or_else(|| self.offset_at(local_ms - 86_400_000));
        local_ms - i64::from(seconds) * 1000
    }

    /// Its short name at an instant: `UTC`, `CET`, `+01:00`.
    pub(super) fn name_at(&self, ms: i64) -> String {
        let Some(at) = DateTime::from_timestamp_millis(ms) else { return String::new() };
        match self {
            Zone::Fixed(fixed) => fixed.to_string(),
            Zone::Region(zone) => at.with_timezone(zone).format("%Z").to_string(),
            Zone::Local => at.with_timezone(&Local).format("%Z").to_string(),
        }
    }

    /// What VV shows.
    pub(super) fn id(&self) -> String {
        match self {
            Zone::Fixed(fixed) => fixed.to_string(),
            Zone::Region(zone) => zone.name().to_string(),
            Zone::Local => Local::now().offset().to_string(),
        }
    }
}

fn earliest<O: Offset>(offset: MappedLocalTime<O>) -> Option<i32> {
    match offset {
        MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => Some(offset.fix().local_minus_utc()),
        MappedLocalTime::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summer_time_in_gap_and_overlap() {
        let zone = Zone::parse("Europe/Zurich").unwrap();
        let at = |text: &str| zone.instant_of(NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap());
        // 2021-03-28: 02:00 becomes 03:00; 02:30 counts as 03:30 summer time, 01:30 UTC.
        assert_eq!(at("2021-03-28 02:30"), 1_616_895_000_000);
        // 2021-10-31: 02:30 comes twice; the first is summer time, 00:30 UTC.
        assert_eq!(at("2021-10-31 02:30"), 1_635_640_200_000);
    }

    #[test]
    fn names() {
        assert_eq!(Zone::parse("+0130").unwrap().offset_at(0), 5400);
        assert_eq!(Zone::parse("GMT-2").unwrap().offset_at(0), -7200);
        assert!(Zone::parse("Middle/Earth").is_err());
    }
}
