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
/// A column of narrow values is made wider for its name, up to this.
const NAME_WIDTH_MAX: usize = 20;
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
    /// `natural`: widths that the columns' types tell. `sample`: rows to take the widths from; without any, columns
    /// have their natural widths and share what the terminal has left.
    pub fn new(
        columns: &[String],
        natural: &[Option<usize>],
        sample: &[Vec<String>],
        width: Option<usize>,
        look: Look,
    ) -> Self {
        let names: Vec<usize> = columns.iter().map(|name| name.width()).collect();
        let widths = match (look.column_width, sample) {
            (0, []) => shared(&names, natural, width),
            (0, sample) => {
                let cells = |i: usize| sample.iter().filter_map(move |row| row.get(i)).map(|cell| cell.width()).max();
                let wanted = names.iter().enumerate().map(|(i, &name)| Some(cells(i).unwrap_or(0).max(name)));
                let wanted: Vec<_> = wanted.collect();
                shared(&names, &wanted, width)
            }
            (fixed, _) => vec![fixed; columns.len()],
        };
        Streamed { widths: widths.into_iter().map(|width| width.max(1)).collect(), wrap: look.wrap }
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

/// Widths of columns: those that are wanted if there is room for them, the others share what is left.
fn shared(names: &[usize], wanted: &[Option<usize>], width: Option<usize>) -> Vec<usize> {
    let count = names.len().max(1);
    let wanted = |i: usize| wanted.get(i).copied().flatten().map(|wanted| wanted.max(names[i].min(NAME_WIDTH_MAX)));
    let Some(width) = width else {
        return (0..names.len()).map(|i| wanted(i).unwrap_or(COLUMN_WIDTH_DEFAULT).max(names[i])).collect();
    };
    let room = width.saturating_sub(1 + COLUMN_EXTRA * count);
    let mut rest = room / count;
    loop {
        // Who wants no more than an even share gets it; what they leave is shared by the others.
        let modest = |i: usize| wanted(i).filter(|&wanted| wanted <= rest);
        let taken: usize = (0..names.len()).filter_map(modest).sum();
        let others = (0..names.len()).filter(|&i| modest(i).is_none()).count();
        let share = room.saturating_sub(taken) / others.max(1);
        if others == 0 || share <= rest {
            return (0..names.len()).map(|i| modest(i).unwrap_or(rest.max(COLUMN_WIDTH_MIN))).collect();
        }
        rest = share;
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
        let table = Streamed::new(&columns, &[None, None], &[], Some(31), LOOK);
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
        let table = Streamed::new(&columns, &[], &sample, None, LOOK);
        assert_eq!(table.row(&sample[0]), "| 123 | x |");
    }

    #[test]
    fn narrow_columns_leave_room_to_the_others() {
        // 100 wide: 1 + 3 * 4 for borders, 87 left; 23 is more than a quarter of it, but not more than
        // what is left when the narrow ones have theirs.
        assert_eq!(shared(&[2, 8, 4, 2], &[Some(10), Some(5), None, Some(23)], Some(100)), [10, 8, 46, 23]);
        assert_eq!(shared(&[1, 1], &[None, None], Some(47)), [20, 20]);
        assert_eq!(shared(&[1, 1], &[Some(50), Some(2)], Some(47)), [38, 2]);
        assert_eq!(shared(&[1; 20], &[None; 20], Some(47)), [COLUMN_WIDTH_MIN; 20]);
        assert_eq!(shared(&[3], &[None], None), [COLUMN_WIDTH_DEFAULT]);
        assert_eq!(shared(&[], &[], Some(80)), Vec::<usize>::new());
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
