//! Tables for terminals: all at once, or row by row in columns of fixed width.
//!
//! Widths are those of a terminal: Hangul and most emoji take two cells.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::output::Wrap;

/// For a terminal that doesn't tell its width.
pub const WIDTH_DEFAULT: usize = 80;
/// Columns are not made narrower than this, even if lines become too long for the terminal.
const COLUMN_WIDTH_MIN: usize = 6;
/// Of a stream that doesn't go to a terminal.
const COLUMN_WIDTH_DEFAULT: usize = 20;
/// A space on either side and a border.
const COLUMN_EXTRA: usize = 3;

const STYLE: &str = "||--+-++|    ++++++";

/// A whole table; `width` is that of the terminal.
pub fn whole(columns: &[String], rows: &[Vec<String>], width: Option<usize>, look: Look) -> String {
    let mut table = empty(width);
    table.set_header(columns.iter().map(|name| printable(name)));
    for row in rows {
        table.add_row(row.iter().map(|cell| look.cut(printable(cell))));
    }
    if look.column_width > 0 {
        let fixed = ColumnConstraint::Absolute(Width::Fixed((look.column_width + 2) as u16));
        table.set_constraints(std::iter::repeat_n(fixed, columns.len()));
    }
    table.to_string()
}

fn empty(width: Option<usize>) -> Table {
    let mut table = Table::new();
    table.load_preset(STYLE).force_no_tty();
    match width {
        None => table.set_content_arrangement(ContentArrangement::Disabled),
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width.min(usize::from(u16::MAX)) as u16),
    };
    table
}

/// What the user set about tables.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub wrap: Wrap,
    /// 0: what fits.
    pub column_width: usize,
}

impl Look {
    fn cut(&self, cell: String) -> String {
        match self.wrap {
            Wrap::Off if self.column_width > 0 => cut(&cell, self.column_width),
            _ => cell,
        }
    }
}

/// Cuts a text to a width; `...` tells that something is missing.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let dots = width.min(3);
    let mut left = width - dots;
    let mut end = String::new();
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        end.push(c);
    }
    end + &"...".as_bytes()[..dots].iter().map(|&dot| char::from(dot)).collect::<String>()
}

/// Control characters would tear the table, or worse; they are shown as escapes. Line breaks stay.
fn printable(text: &str) -> String {
    if !text.chars().any(|c| c.is_control() && c != '\n') {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

/// A table whose rows come one after another: header once, widths fixed by what is known at the start.
pub struct Streamed {
    widths: Vec<usize>,
    wrap: Wrap,
}

impl Streamed {
    /// `sample`: rows to take the widths from; without any, columns share the terminal evenly.
    pub fn new(columns: &[String], sample: &[Vec<String>], width: Option<usize>, look: Look) -> Self {
        let count = columns.len().max(1);
        let share = match width {
            Some(width) => (width.saturating_sub(1) / count).saturating_sub(COLUMN_EXTRA).max(COLUMN_WIDTH_MIN),
            None => COLUMN_WIDTH_DEFAULT,
        };
        let wanted = |i: usize, name: &String| {
            let cells = sample.iter().filter_map(|row| row.get(i)).map(|cell| cell.width()).max();
            cells.map(|cells| cells.max(name.width()))
        };
        let widths = columns.iter().enumerate().map(|(i, name)| match (look.column_width, wanted(i, name)) {
            (0, None) => share.max(if width.is_none() { name.width() } else { 0 }),
            (0, Some(wanted)) if width.is_none() => wanted,
            (0, Some(wanted)) => wanted.min(share),
            (fixed, _) => fixed,
        });
        Streamed { widths: widths.map(|width| width.max(1)).collect(), wrap: look.wrap }
    }

    /// The lines above the first row.
    pub fn header(&self, columns: &[String]) -> String {
        let rule = self.rule();
        format!("{rule}\n{}\n{rule}", self.row(columns))
    }

    pub fn rule(&self) -> String {
        let mut out = String::from("+");
        for width in &self.widths {
            out.push_str(&"-".repeat(width + 2));
            out.push('+');
        }
        out
    }

    /// One row: as many lines as its longest cell needs.
    pub fn row(&self, cells: &[String]) -> String {
        let cells: Vec<Vec<String>> = self
            .widths
            .iter()
            .enumerate()
            .map(|(i, &width)| {
                let text = cells.get(i).map(|cell| printable(cell)).unwrap_or_default();
                match self.wrap {
                    Wrap::On => wrap(&text, width),
                    Wrap::Off => vec![cut(&text.replace('\n', " "), width)],
                }
            })
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let mut lines = Vec::with_capacity(height);
        for i in 0..height {
            let mut line = String::from("|");
            for (cell, &width) in cells.iter().zip(&self.widths) {
                let text = cell.get(i).map_or("", String::as_str);
                let pad = width.saturating_sub(text.width());
                line.push_str(&format!(" {text}{} |", " ".repeat(pad)));
            }
            lines.push(line);
        }
        lines.join("\n")
    }
}

/// Breaks a text into lines of at most `width` cells.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for part in text.split('\n') {
        let mut line = String::new();
        let mut taken = 0;
        for c in part.chars() {
            let wide = c.width().unwrap_or(0);
            if taken + wide > width && taken > 0 {
                lines.push(std::mem::take(&mut line));
                taken = 0;
            }
            line.push(c);
            taken += wide;
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { wrap: Wrap::On, column_width: 0 };

    fn texts(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn wide_characters_take_two_cells() {
        let columns = texts(&["NAME", "N"]);
        let rows = [texts(&["민지", "1"]), texts(&["🚀x", "2"]), texts(&["abcd", "3"])];
        let table = whole(&columns, &rows, Some(40), LOOK);
        let widths: Vec<_> = table.lines().map(UnicodeWidthStr::width).collect();
        assert!(widths.iter().all(|&width| width == widths[0]), "{table}");
        assert_eq!(table.lines().nth(3), Some("| 민지 | 1 |"));
        assert_eq!(table.lines().nth(4), Some("| 🚀x  | 2 |"));
    }

    #[test]
    fn a_whole_table_fits_the_terminal() {
        let columns = texts(&["A", "B"]);
        let rows = [texts(&["x", &"long text ".repeat(20)])];
        for width in [30, 60, 100] {
            let table = whole(&columns, &rows, Some(width), LOOK);
            assert!(table.lines().all(|line| line.width() <= width), "{width}\n{table}");
        }
    }

    #[test]
    fn streamed_rows_have_the_width_of_the_header() {
        let columns = texts(&["ID", "이름"]);
        let table = Streamed::new(&columns, &[], Some(31), LOOK);
        let header = table.header(&columns);
        let row = table.row(&texts(&["1", "아주 긴 이름이 여기에 있다"]));
        assert!(row.lines().count() > 1);
        for line in header.lines().chain(row.lines()) {
            assert_eq!(line.width(), 31, "{line}");
        }
    }

    #[test]
    fn widths_come_from_the_sample() {
        let columns = texts(&["A", "B"]);
        let sample = [texts(&["123", "x"])];
        let table = Streamed::new(&columns, &sample, None, LOOK);
        assert_eq!(table.row(&sample[0]), "| 123 | x |");
    }

    #[test]
    fn cutting_never_splits_a_wide_character() {
        assert_eq!(cut("가나다라마", 7), "가나...");
        assert_eq!(cut("가나다라마", 6), "가...");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 2), "..");
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(printable("a\u{1b}[31m\tb"), "a\\u{1b}[31m\\tb");
    }
}
