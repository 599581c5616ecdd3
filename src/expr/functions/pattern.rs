//! Patterns of dates and times as Java's DateTimeFormatter reads them: the letters and what they stand for.
//! `pattern_format` and `pattern_parse` do the work.

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    pub(super) items: Vec<Item>,
    pub(super) style: Style,
}

/// How strictly text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// As DateTimeFormatter in its smart mode: the whole text, fields within their ranges.
    Strict,
    /// As SimpleDateFormat: what follows is ignored, fields out of range carry over.
    Lenient,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Literal(String),
    Field(Field, usize),
    /// `[`
    Open,
    /// `]`
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Era,
    Year,
    YearOfEra,
    DayOfYear,
    Month,
    Day,
    Quarter,
    DayOfWeek,
    /// As `DayOfWeek`, or as a number from Sunday = 1 on.
    LocalDayOfWeek,
    /// The year that the week belongs to. Weeks begin on Sunday, and that of the first of January is the first.
    WeekYear,
    WeekOfYear,
    WeekOfMonth,
    /// 1 for the days 1, 8, 15, ... of the month, 2 for the next ones.
    AlignedDayOfWeek,
    /// Days since 1858-11-17
    ModifiedJulianDay,
    AmPm,
    /// 1 to 12
    ClockHourOfAmPm,
    /// 0 to 11
    HourOfAmPm,
    /// 1 to 24
    ClockHour,
    Hour,
    Minute,
    Second,
    Fraction,
    MilliOfDay,
    Nano,
    NanoOfDay,
    ZoneId,
    ZoneName,
    /// `Z` for no offset
    OffsetX,
    OffsetSmallX,
    OffsetZ,
    LocalizedOffset,
}

impl Field {
    fn of(letter: char) -> Option<Field> {
        Some(match letter {
            'G' => Field::Era,
            'u' => Field::Year,
            'y' => Field::YearOfEra,
            'D' => Field::DayOfYear,
            'M' | 'L' => Field::Month,
            'd' => Field::Day,
            'Q' | 'q' => Field::Quarter,
            'E' => Field::DayOfWeek,
            'e' | 'c' => Field::LocalDayOfWeek,
            'Y' => Field::WeekYear,
            'w' => Field::WeekOfYear,
            'W' => Field::WeekOfMonth,
            'F' => Field::AlignedDayOfWeek,
            'g' => Field::ModifiedJulianDay,
            'a' => Field::AmPm,
            'h' => Field::ClockHourOfAmPm,
            'K' => Field::HourOfAmPm,
            'k' => Field::ClockHour,
            'H' => Field::Hour,
            'm' => Field::Minute,
            's' => Field::Second,
            'S' => Field::Fraction,
            'A' => Field::MilliOfDay,
            'n' => Field::Nano,
            'N' => Field::NanoOfDay,
            'V' => Field::ZoneId,
            'z' => Field::ZoneName,
            'X' => Field::OffsetX,
            'x' => Field::OffsetSmallX,
            'Z' => Field::OffsetZ,
            'O' => Field::LocalizedOffset,
            _ => return None,
        })
    }

    /// The most letters that mean something.
    fn letters_max(self) -> usize {
        match self {
            Field::Era | Field::Month | Field::Quarter | Field::DayOfWeek | Field::LocalDayOfWeek => 5,
            Field::OffsetX | Field::OffsetSmallX | Field::OffsetZ => 5,
            Field::DayOfYear => 3,
            Field::AmPm | Field::WeekOfMonth | Field::AlignedDayOfWeek => 1,
            Field::Fraction => 9,
            Field::ZoneName | Field::LocalizedOffset => 4,
            Field::ZoneId => 2,
            Field::Year | Field::YearOfEra | Field::WeekYear | Field::ModifiedJulianDay => 19,
            Field::MilliOfDay | Field::Nano | Field::NanoOfDay => 19,
            _ => 2,
        }
    }

    pub fn is_of_date(self) -> bool {
        matches!(
            self,
            Field::Era
                | Field::Year
                | Field::YearOfEra
                | Field::DayOfYear
                | Field::Month
                | Field::Day
                | Field::Quarter
                | Field::DayOfWeek
                | Field::LocalDayOfWeek
                | Field::WeekYear
                | Field::WeekOfYear
                | Field::WeekOfMonth
                | Field::AlignedDayOfWeek
                | Field::ModifiedJulianDay
        )
    }

    /// What is written of a date, and isn't read as one.
    fn is_only_written(self) -> bool {
        matches!(
            self,
            Field::WeekYear
                | Field::WeekOfYear
                | Field::WeekOfMonth
                | Field::AlignedDayOfWeek
                | Field::ModifiedJulianDay
        )
    }

    pub fn is_of_zone(self) -> bool {
        matches!(
            self,
            Field::ZoneId
                | Field::ZoneName
                | Field::OffsetX
                | Field::OffsetSmallX
                | Field::OffsetZ
                | Field::LocalizedOffset
        )
    }

    pub fn is_of_time(self) -> bool {
        !self.is_of_date() && !self.is_of_zone()
    }
}

/// The characters of the longest pattern.
const PATTERN_CHARS_MAX: usize = 1000;

impl Pattern {
    /// A DateTimeFormatter pattern. The error says what is wrong with it.
    pub fn new(pattern: &str) -> Result<Pattern, String> {
        Pattern::with_style(pattern, Style::Strict)
    }

    pub(super) fn with_style(pattern: &str, style: Style) -> Result<Pattern, String> {
        if pattern.chars().count() > PATTERN_CHARS_MAX {
            return Err(format!("A pattern has at most {PATTERN_CHARS_MAX} characters"));
        }
        let mut items = Vec::new();
        let mut chars = pattern.chars().peekable();
        let mut depth = 0usize;
        while let Some(c) = chars.next() {
            match c {
                '\'' => push_literal(&mut items, &quoted(&mut chars, pattern)?),
                '[' => {
                    depth += 1;
                    items.push(Item::Open);
                }
                ']' => {
                    depth = depth.checked_sub(1).ok_or("Pattern invalid as it contains ] without previous [")?;
                    items.push(Item::Close);
                }
                '{' | '}' | '#' => return Err(format!("Pattern includes reserved character: '{c}'")),
                _ if c.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    let field = Field::of(c).ok_or_else(|| format!("Unknown pattern letter: {c}"))?;
                    let has_use = count <= field.letters_max() && (field != Field::ZoneId || count == 2);
                    let has_use = has_use && (c != 'c' || count != 2);
                    if !has_use && style == Style::Strict {
                        return Err(format!("Too many pattern letters: {c}"));
                    }
                    items.push(Item::Field(field, count));
                }
                _ => push_literal(&mut items, c.encode_utf8(&mut [0; 4])),
            }
        }
        items.extend(std::iter::repeat_n(Item::Close, depth));
        Ok(Pattern { items, style })
    }

    /// An error when it has letters that texts aren't read by.
    pub fn check_reads(&self) -> Result<(), String> {
        match self.has(Field::is_only_written) {
            false => Ok(()),
            true => Err("The pattern letters Y, w, W, F and g are for writing: no date is read by them".into()),
        }
    }

    pub(super) fn has(&self, wanted: impl Fn(Field) -> bool) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Field(field, _) if wanted(*field)))
    }
}

fn push_literal(items: &mut Vec<Item>, text: &str) {
    match items.last_mut() {
        Some(Item::Literal(known)) => known.push_str(text),
        _ => items.push(Item::Literal(text.into())),
    }
}

/// What stands between apostrophes; two of them are one.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, pattern: &str) -> Result<String, String> {
    let mut out = String::new();
    loop {
        match chars.next() {
            Some('\'') if chars.next_if_eq(&'\'').is_some() => out.push('\''),
            Some('\'') => break,
            Some(c) => out.push(c),
            None => return Err(format!("Pattern ends with an incomplete string literal: {pattern}")),
        }
    }
    Ok(if out.is_empty() { "'".into() } else { out })
}
