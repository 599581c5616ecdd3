//! Text read by a pattern. Names are English, in any case. What the text doesn't say is 1970-01-01T00:00.

use chrono::{Duration, NaiveDate, NaiveDateTime};

use super::pattern::{Field, Item, Pattern, Style};
use super::pattern_format::{DAYS, MONTHS, QUARTERS};
use super::zone::Zone;

/// The fields that a text gave.
#[derive(Debug, Clone, Default)]
struct Parsed {
    year: Option<i64>,
    is_before_christ: bool,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    hour_of_half: Option<i64>,
    is_afternoon: Option<bool>,
    minute: i64,
    second: i64,
    nano: i64,
    nano_of_day: Option<i64>,
    zone: Option<Zone>,
}

impl Pattern {
    /// Milliseconds since 1970 of a text. `default_zone` counts where the text names none.
    pub fn parse_millis(&self, text: &str, default_zone: &Zone) -> Result<i64, String> {
        let (local, zone) = self.parse_local(text)?;
        Ok(zone.as_ref().unwrap_or(default_zone).instant_of(local))
    }

    /// The local time that a text says, and its zone when it says one.
    pub(super) fn parse_local(&self, text: &str) -> Result<(NaiveDateTime, Option<Zone>), String> {
        self.check_reads()?;
        let wrong = |at: usize| {
            let rest = text.get(at..).unwrap_or("");
            format!("Text '{text}' could not be parsed at index {at}: '{rest}'")
        };
        let mut reader = Reader { text, at: 0, parsed: Parsed::default(), style: self.style };
        reader.items(&self.items).map_err(|()| wrong(reader.at))?;
        if self.style == Style::Strict && reader.at < text.len() {
            return Err(wrong(reader.at));
        }
        let parsed = reader.parsed;
        let local =
            resolve(&parsed, self.style).ok_or_else(|| format!("Text '{text}' is not a valid date and time"))?;
        Ok((local, parsed.zone))
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    parsed: Parsed,
    style: Style,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn items(&mut self, items: &[Item]) -> Result<(), ()> {
        let mut i = 0;
        while i < items.len() {
            match &items[i] {
                Item::Literal(text) => self.literal(text)?,
                Item::Field(field, count) => self.field(*field, *count, &items[i + 1..])?,
                Item::Close => {}
                Item::Open => {
                    let end = i + closing(&items[i..]);
                    let (at, parsed) = (self.at, self.parsed.clone());
                    if self.items(&items[i + 1..end]).is_err() {
                        (self.at, self.parsed) = (at, parsed);
                    }
                    i = end;
                }
            }
            i += 1;
        }
        Ok(())
    }

    fn literal(&mut self, text: &str) -> Result<(), ()> {
        let rest = self.rest();
        let given = rest.get(..text.len()).ok_or(())?;
        if !given.eq_ignore_ascii_case(text) {
            return Err(());
        }
        self.at += text.len();
        Ok(())
    }

    /// A number of `min` to `max` digits, leaving `reserved` digits to the fields that follow without a gap.
    fn number(&mut self, min: usize, max: usize, reserved: usize) -> Result<i64, ()> {
        let rest = self.rest();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let take = digits.saturating_sub(reserved).clamp(min.min(digits), max.max(min)).min(digits);
        if take < min || take == 0 {
            return Err(());
        }
        self.at += take;
        rest[..take].parse().map_err(|_| ())
    }

    fn field(&mut self, field: Field, count: usize, following: &[Item]) -> Result<(), ()> {
        let reserved = reserved(following);
        let is_fixed = count >= 2 && (self.style == Style::Strict || reserved > 0 || is_number(following.first()));
        let (min, max) = if is_fixed { (count, count) } else { (1, 19) };
        match field {
            Field::Year | Field::YearOfEra => self.parsed.year = Some(self.year(count, reserved)?),
            Field::Month if count > 2 => self.parsed.month = Some(self.name(&MONTHS)? as i64 + 1),
            Field::LocalDayOfWeek if count <= 2 => drop(self.number(count, count, reserved)?),
            Field::DayOfWeek | Field::LocalDayOfWeek => drop(self.name(&DAYS)?),
            Field::Era => self.parsed.is_before_christ = self.one_of(&["BC", "AD"])? == 0,
            Field::AmPm => self.parsed.is_afternoon = Some(self.one_of(&["AM", "PM"])? == 1),
            Field::Fraction => self.parsed.nano = self.fraction(count, reserved)?,
            Field::Month => self.parsed.month = Some(self.number(min, max, reserved)?),
            Field::Day => self.parsed.day = Some(self.number(min, max, reserved)?),
            Field::DayOfYear => self.parsed.day_of_year = Some(self.number(min, max, reserved)?),
            Field::Quarter if matches!(count, 3 | 4) => {
                let names = QUARTERS.map(|names| names[count - 3]);
                self.parsed.month = Some(self.one_of(&names)? as i64 * 3 + 1);
            }
            Field::Quarter if count == 5 => self.parsed.month = Some(self.number(1, 1, reserved)? * 3 - 2),
            Field::Quarter => self.parsed.month = Some(self.number(count.min(2), count.min(2), reserved)? * 3 - 2),
            Field::Hour => self.parsed.hour = Some(self.number(min, max, reserved)?),
            Field::ClockHour => self.parsed.hour = Some(self.number(min, max, reserved)? % 24),
            Field::ClockHourOfAmPm => {
                let hour = self.number(min, max, reserved)?;
                if self.style == Style::Strict && !(1..=12).contains(&hour) {
                    return Err(());
                }
                self.parsed.hour_of_half = Some(hour % 12);
            }
            Field::HourOfAmPm => self.parsed.hour_of_half = Some(self.number(min, max, reserved)?),
            Field::Minute => self.parsed.minute = self.number(min, max, reserved)?,
            Field::Second => self.parsed.second = self.number(min, max, reserved)?,
            Field::MilliOfDay => {
                let ms = self.number(count, 19, reserved)?;
                self.parsed.nano_of_day = Some(ms.checked_mul(1_000_000).ok_or(())?);
            }
            Field::Nano => self.parsed.nano = self.number(count, 19, reserved)?,
            Field::NanoOfDay => self.parsed.nano_of_day = Some(self.number(count, 19, reserved)?),
            _ => self.parsed.zone = Some(self.zone(field)?),
        }
        Ok(())
    }

    fn year(&mut self, count: usize, reserved: usize) -> Result<i64, ()> {
        let sign = match self.rest().bytes().next() {
            Some(b'-') if count != 2 => -1,
            Some(b'+') if count != 2 => 1,
            _ => 0,
        };
        self.at += usize::from(sign != 0);
        let year = match (count, self.style) {
            (2, Style::Strict) => return Ok(2000 + self.number(2, 2, reserved)?),
            (1 | 2, Style::Lenient) => {
                let before = self.at;
                let year = self.number(1, 19, reserved)?;
                // Two digits stand for the years from 80 back to 20 on.
                if self.at - before == 2 { near_century(year) } else { year }
            }
            (_, Style::Lenient) => self.number(1, 19, reserved)?,
            // Without a sign there are no more than four digits, as Java has it.
            (4, Style::Strict) if sign == 0 => self.number(4, 4, reserved)?,
            _ => self.number(count, 10, reserved)?,
        };
        Ok(if sign < 0 { -year } else { year })
    }

    fn fraction(&mut self, count: usize, reserved: usize) -> Result<i64, ()> {
        let before = self.at;
        let exact = self.style == Style::Strict;
        let value = self.number(if exact { count } else { 1 }, if exact { count } else { 9 }, reserved)?;
        if self.style == Style::Lenient {
            // SimpleDateFormat's S are milliseconds, however many digits.
            return value.checked_mul(1_000_000).ok_or(());
        }
        Ok(value * 10i64.pow(9 - (self.at - before).min(9) as u32))
    }

    /// The index of a name, whole or by its first three letters.
    fn name(&mut self, names: &[&str]) -> Result<usize, ()> {
        let rest = self.rest();
        let starts = |name: &str| rest.get(..name.len()).is_some_and(|given| given.eq_ignore_ascii_case(name));
        let whole = names.iter().position(|name| starts(name)).map(|i| (i, names[i].len()));
        let (index, length) =
            whole.or_else(|| names.iter().position(|name| starts(&name[..3])).map(|i| (i, 3))).ok_or(())?;
        self.at += length;
        Ok(index)
    }

    fn one_of(&mut self, names: &[&str]) -> Result<usize, ()> {
        let rest = self.rest();
        let is = |name: &&str| rest.get(..name.len()).is_some_and(|given| given.eq_ignore_ascii_case(name));
        let index = names.iter().position(is).ok_or(())?;
        self.at += names[index].len();
        Ok(index)
    }

    fn zone(&mut self, field: Field) -> Result<Zone, ()> {
        let rest = self.rest();
        let belongs = |c: char| {
            let is_offset = c.is_ascii_digit() || matches!(c, '+' | '-' | ':' | 'Z');
            let is_name = c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '+' | '-' | ':');
            if matches!(field, Field::OffsetX | Field::OffsetSmallX | Field::OffsetZ) { is_offset } else { is_name }
        };
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let zone = Zone::parse(&rest[..length]).map_err(|_| ())?;
        self.at += length;
        Ok(zone)
    }
}

/// SimpleDateFormat's window: from 80 years ago to 20 years ahead.
fn near_century(year: i64) -> i64 {
    use chrono::Datelike;
    let first = i64::from(chrono::Utc::now().year()) - 80;
    let candidate = first - first.rem_euclid(100) + year;
    if candidate < first { candidate + 100 } else { candidate }
}

/// The place of the bracket that closes the one at the beginning.
fn closing(items: &[Item]) -> usize {
    let mut depth = 0;
    for (i, item) in items.iter().enumerate() {
        match item {
            Item::Open => depth += 1,
            Item::Close => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    items.len() - 1
}

fn is_number(item: Option<&Item>) -> bool {
    match item {
        Some(Item::Field(Field::Era | Field::AmPm | Field::DayOfWeek, _)) => false,
        Some(Item::Field(Field::Month | Field::Quarter | Field::LocalDayOfWeek, count)) => *count <= 2,
        Some(Item::Field(field, _)) => !field.is_of_zone(),
        _ => false,
    }
}

/// The digits of the fixed-width numbers that follow without a gap.
fn reserved(following: &[Item]) -> usize {
    following
        .iter()
        .take_while(|item| is_number(Some(item)))
        .map(|item| match item {
            Item::Field(_, count) => *count,
            _ => 0,
        })
        .sum()
}

fn resolve(parsed: &Parsed, style: Style) -> Option<NaiveDateTime> {
    let date = resolve_date(parsed, style)?;
    let hour = match (parsed.hour, parsed.hour_of_half) {
        (Some(hour), _) => hour,
        (None, Some(hour)) => hour + if parsed.is_afternoon == Some(true) { 12 } else { 0 },
        (None, None) => 0,
    };
    let is_midnight = hour == 24 && parsed.minute == 0 && parsed.second == 0 && parsed.nano == 0;
    let in_range = (0..24).contains(&hour) && (0..60).contains(&parsed.minute) && (0..60).contains(&parsed.second);
    if style == Style::Strict && !in_range && !is_midnight {
        return None;
    }
    let seconds = hour.checked_mul(3600)?.checked_add(parsed.minute.checked_mul(60)?)?.checked_add(parsed.second)?;
    let nanos = match parsed.nano_of_day {
        Some(nanos) => nanos,
        None => seconds.checked_mul(1_000_000_000)?.checked_add(parsed.nano)?,
    };
    date.and_hms_opt(0, 0, 0)?.checked_add_signed(Duration::nanoseconds(nanos))
}

fn resolve_date(parsed: &Parsed, style: Style) -> Option<NaiveDate> {
    let year = parsed.year.unwrap_or(1970);
    let year = i32::try_from(if parsed.is_before_christ { 1 - year } else { year }).ok()?;
    if let Some(day) = parsed.day_of_year {
        return NaiveDate::from_yo_opt(year, u32::try_from(day).ok()?);
    }
    let (month, day) = (parsed.month.unwrap_or(1), parsed.day.unwrap_or(1));
    if style == Style::Strict {
        if !(1..=31).contains(&day) {
            return None;
        }
        let month = u32::try_from(month).ok()?;
        // The 31st of a shorter month is its last day.
        return (0..4).find_map(|less| NaiveDate::from_ymd_opt(year, month, (day - less) as u32));
    }
    let months = (i64::from(year) * 12 - 1).checked_add(month)?;
    let first =
        NaiveDate::from_ymd_opt(i32::try_from(months.div_euclid(12)).ok()?, months.rem_euclid(12) as u32 + 1, 1)?;
    first.checked_add_signed(Duration::try_days(day - 1)?)
}
