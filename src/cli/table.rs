//! Tables for terminals: all at once, or row by row in columns of fixed width; a block a row where the columns don't fit.
//!
//! Widths are those of a terminal: Hangul and most emoji take two cells.

mod text;
mod widths;

use unicode_width::UnicodeWidthStr;

pub use text::{cut, wrap};

use self::text::printable;
use self::widths::{COLUMN_EXTRA, COLUMN_WIDTH_DEFAULT, shared};
use super::output::Wrap;

/// For a terminal that doesn't tell its width.
pub const WIDTH_DEFAULT: usize = 80;
/// Where wider values would get less than this, rows are shown as blocks.
const COLUMN_WIDTH_READABLE: usize = 8;
/// Of the line above a row that is shown as a block.
const BLOCK_RULE_WIDTH: usize = 40;
const BLOCK_VALUE_WIDTH_MIN: usize = 10;

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub align: Align,
    /// The width that all common values fit in, where that is known.
    pub natural: Option<usize>,
}

/// Where the values of a column stand: numbers at the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

impl Column {
    pub fn new(name: &str, align: Align) -> Self {
        Column { name: name.to_owned(), align, natural: None }
    }

    /// Columns of these names; those of whole numbers are aligned so.
    pub fn of(names: &[String], rows: &[Vec<String>]) -> Vec<Self> {
        let is_number = |cell: &String| cell == "-" || cell.parse::<i128>().is_ok();
        let align = |i: usize| match rows.iter().all(|row| row.get(i).is_some_and(is_number)) {
            true if !rows.is_empty() => Align::Right,
            _ => Align::Left,
        };
        names.iter().enumerate().map(|(i, name)| Column::new(name, align(i))).collect()
    }
}

/// A whole table, without a line break at its end; `width` is that of the terminal.
pub fn whole(columns: &[Column], rows: &[Vec<String>], width: Option<usize>, look: Look) -> String {
    let mut grid = Grid::whole(columns, rows, width, look);
    let mut lines: Vec<String> = grid.header().into_iter().collect();
    lines.extend(rows.iter().map(|row| grid.row(row)));
    lines.extend(grid.end());
    lines.join("\n")
}

/// What the user set about tables.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub wrap: Wrap,
    /// 0: what fits.
    pub column_width: usize,
}

/// A table whose rows come one after another: header once, widths fixed by what is known at the start.
pub struct Grid {
    columns: Vec<Column>,
    shape: Shape,
    wrap: Wrap,
    rows: u64,
}

enum Shape {
    /// A line a row; the columns' widths.
    Lines(Vec<usize>),
    /// A block of lines a row, a line a column; the widths of names and values.
    Blocks { names: usize, values: usize },
}

impl Grid {
    /// Of rows that are all known.
    pub fn whole(columns: &[Column], rows: &[Vec<String>], width: Option<usize>, look: Look) -> Self {
        let wanted = |i: usize, column: &Column| Some(widest(rows, i).max(column.name.width()));
        let wanted: Vec<_> = columns.iter().enumerate().map(|(i, column)| wanted(i, column)).collect();
        Grid::new(columns, &wanted, width, look)
    }

    /// Of rows that come one after another; `sample`: the first of them, maybe none. Columns of known natural width have
    /// that, the others more than the sample needs, or share what the terminal has left.
    pub fn streamed(columns: &[Column], sample: &[Vec<String>], width: Option<usize>, look: Look) -> Self {
        let wanted = |(i, column): (usize, &Column)| {
            let seen = widest(sample, i);
            match column.natural {
                Some(natural) => Some(natural.max(seen)),
                None if sample.is_empty() => None,
                None => Some((seen + seen / 2).max(column.name.width()).max(COLUMN_WIDTH_DEFAULT / 2)),
            }
        };
        let wanted: Vec<_> = columns.iter().enumerate().map(wanted).collect();
        Grid::new(columns, &wanted, width, look)
    }

    fn new(columns: &[Column], wanted: &[Option<usize>], width: Option<usize>, look: Look) -> Self {
        let names: Vec<usize> = columns.iter().map(|column| column.name.width()).collect();
        let readable = |wanted: &Option<usize>| wanted.unwrap_or(COLUMN_WIDTH_READABLE).min(COLUMN_WIDTH_READABLE);
        let least = 1 + wanted.iter().map(|wanted| readable(wanted) + COLUMN_EXTRA).sum::<usize>();
        let shape = match (look.column_width, width) {
            (0, Some(width)) if width < least => {
                let names = names.iter().copied().max().unwrap_or(0).min(width / 2);
                Shape::Blocks { names, values: width.saturating_sub(names + COLUMN_EXTRA).max(BLOCK_VALUE_WIDTH_MIN) }
            }
            (0, width) => Shape::Lines(shared(&names, wanted, width).into_iter().map(|width| width.max(1)).collect()),
            (fixed, _) => Shape::Lines(vec![fixed; columns.len()]),
        };
        Grid { columns: columns.to_vec(), shape, wrap: look.wrap, rows: 0 }
    }

    /// The lines above the first row.
    pub fn header(&self) -> Option<String> {
        let Shape::Lines(widths) = &self.shape else { return None };
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        let rule = rule(widths);
        Some(format!("{rule}\n{}\n{rule}", self.line(widths, &names)))
    }

    /// The line below the last row.
    pub fn end(&self) -> Option<String> {
        match &self.shape {
            Shape::Lines(widths) if self.rows > 0 => Some(rule(widths)),
            _ => None,
        }
    }

    /// One row: as many lines as its longest cell needs, or its block.
    pub fn row(&mut self, cells: &[String]) -> String {
        self.rows += 1;
        match &self.shape {
            Shape::Lines(widths) => self.line(widths, cells),
            &Shape::Blocks { names, values } => self.block(names, values, cells),
        }
    }

    fn cell(&self, cell: &str, width: usize) -> Vec<String> {
        let text = printable(cell);
        match self.wrap {
            Wrap::On => wrap(&text, width),
            Wrap::Off => vec![cut(&text.replace('\n', " "), width)],
        }
    }

    fn line(&self, widths: &[usize], cells: &[String]) -> String {
        let cell = |i: usize| cells.get(i).map_or("", String::as_str);
        let cells: Vec<Vec<String>> = widths.iter().enumerate().map(|(i, &width)| self.cell(cell(i), width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let mut lines = Vec::with_capacity(height);
        for i in 0..height {
            let mut line = String::from("|");
            for ((cell, &width), column) in cells.iter().zip(widths).zip(&self.columns) {
                let text = cell.get(i).map_or("", String::as_str);
                let pad = " ".repeat(width.saturating_sub(text.width()));
                match column.align {
                    Align::Left => line.extend([" ", text, &pad, " |"]),
                    Align::Right => line.extend([" ", &pad, text, " |"]),
                }
            }
            lines.push(line);
        }
        lines.join("\n")
    }

    fn block(&self, names: usize, values: usize, cells: &[String]) -> String {
        let title = format!("-[ row {} ]", self.rows);
        let mut lines = vec![format!("{title:-<width$}", width = BLOCK_RULE_WIDTH.min(names + values + COLUMN_EXTRA))];
        for (column, cell) in self.columns.iter().zip(cells) {
            let name = cut(&printable(&column.name), names);
            let pad = " ".repeat(names.saturating_sub(name.width()));
            for (i, part) in self.cell(cell, values).iter().enumerate() {
                match i {
                    0 => lines.push(format!("{name}{pad} | {part}")),
                    _ => lines.push(format!("{} | {part}", " ".repeat(names))),
                }
            }
        }
        lines.join("\n")
    }
}

fn rule(widths: &[usize]) -> String {
    let mut out = String::from("+");
    for width in widths {
        out.push_str(&"-".repeat(width + 2));
        out.push('+');
    }
    out
}

/// The width of a column's widest line.
fn widest(rows: &[Vec<String>], column: usize) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(column));
    cells.flat_map(|cell| cell.split('\n')).map(|line| printable(line).width()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { wrap: Wrap::On, column_width: 0 };

    fn texts(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    fn named(names: &[&str]) -> Vec<Column> {
        names.iter().map(|name| Column::new(name, Align::Left)).collect()
    }

    #[test]
    fn wide_characters_take_two_cells() {
        let rows = [texts(&["민지", "1"]), texts(&["🚀x", "22"]), texts(&["abcd", "3"])];
        let columns = Column::of(&texts(&["NAME", "N"]), &rows);
        let table = whole(&columns, &rows, Some(40), LOOK);
        let widths: Vec<_> = table.lines().map(UnicodeWidthStr::width).collect();
        assert!(widths.iter().all(|&width| width == widths[0]), "{table}");
        assert_eq!(table.lines().nth(3), Some("| 민지 |  1 |"));
        assert_eq!(table.lines().nth(4), Some("| 🚀x  | 22 |"));
    }

    #[test]
    fn a_whole_table_fits_the_terminal() {
        let columns = named(&["A", "B"]);
        let rows = [texts(&["x", &"long text ".repeat(20)])];
        for width in [30, 60, 100] {
            let table = whole(&columns, &rows, Some(width), LOOK);
            assert!(table.lines().all(|line| line.width() <= width), "{width}\n{table}");
        }
    }

    #[test]
    fn streamed_rows_have_the_width_of_the_header() {
        let columns = named(&["ID", "이름"]);
        let mut table = Grid::streamed(&columns, &[], Some(31), LOOK);
        let header = table.header().unwrap();
        let row = table.row(&texts(&["1", "아주 긴 이름이 여기에 있다"]));
        assert!(row.lines().count() > 1);
        for line in header.lines().chain(row.lines()) {
            assert_eq!(line.width(), 31, "{line}");
        }
    }

    #[test]
    fn a_sample_leaves_room_for_longer_values() {
        let columns = named(&["A"]);
        let sample = [texts(&["123456789012"])];
        let mut table = Grid::streamed(&columns, &sample, Some(100), LOOK);
        assert_eq!(table.row(&sample[0]), "| 123456789012       |");
    }

    #[test]
    fn rows_of_too_many_columns_are_blocks() {
        let columns = named(&["ID", "LONG_NAME", "X", "Y", "Z"]);
        let rows = [texts(&["1", "several words and more of them", "a", "b", "c"]), texts(&["2", "x", "", "민", "1"])];
        let expected = "\
-[ row 1 ]---------------
ID        | 1
LONG_NAME | several words
          | and more of
          | them
X         | a
Y         | b
Z         | c
-[ row 2 ]---------------
ID        | 2
LONG_NAME | x
X         |\x20
Y         | 민
Z         | 1";
        assert_eq!(whole(&columns, &rows, Some(25), LOOK), expected);
    }
}
