//! Replies on a terminal or as JSON lines.

use std::io::Write;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use crate::engine::shown::text_of;
use crate::engine::{Page, Reply, Row, RowEvent, RowStream, Status};
use crate::error::Error;
use crate::types::{SqlType, Value, json};

use super::exit::{Stop, complain};
use super::interrupt::Watch;
use super::listing::{self, object};
use super::output::{Output, OutputFormat};
use super::table::{self, Align, Column, Grid, Look};

/// How often a waiting reader looks whether Ctrl-C was pressed.
const INTERRUPT_POLL: Duration = Duration::from_millis(50);
/// The rows of a pull query that are held back to find the widths of its columns.
const PULL_ROWS_HELD_MAX: usize = 2000;
/// Those of a push query, and how long they wait.
const PUSH_ROWS_HELD_MAX: usize = 20;
const PUSH_HELD: Duration = Duration::from_millis(200);

/// What stands before the continuation of a line.
const FOLD_INDENT: usize = 4;

/// How a statement's rows ended.
#[derive(Debug)]
pub enum Outcome {
    Done,
    /// By Ctrl-C.
    Interrupted,
    Failed(Error),
}

/// Shows a reply; of a query, all rows until its end or Ctrl-C.
pub fn reply(reply: Reply, out: &mut Output) -> Result<Outcome, Stop> {
    match reply {
        Reply::Done(done) => status(&done, out)?,
        Reply::Facts(told) => match told.page() {
            Page::Listing(facts) => listing::show(&facts, out)?,
            Page::Text(text) => match out.format {
                OutputFormat::Tabular => out.line(&folded(text.trim_end_matches('\n'), out.width()))?,
                OutputFormat::Json => out.line(&object(&[("text", &text)]))?,
            },
        },
        Reply::Rows(stream) => return rows(stream, out),
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// A text whose long lines go on, indented, in the next one.
fn folded(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let mut lines = Vec::new();
    for line in text.lines() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        let room = width.saturating_sub(indent + FOLD_INDENT).max(width / 2);
        for (i, part) in table::wrap(bare, room).iter().enumerate() {
            lines.push(format!("{}{part}", " ".repeat(if i == 0 { indent } else { indent + FOLD_INDENT })));
        }
    }
    lines.join("\n")
}

fn status(status: &Status, out: &mut Output) -> Result<(), Stop> {
    if out.format == OutputFormat::Json {
        let line = serde_json::to_string(status).map_err(|error| Error::internal(error.to_string()))?;
        return Ok(out.line(&line)?);
    }
    for warning in &status.warnings {
        complain(&format!("warning: {warning}"));
    }
    if !status.message.is_empty() {
        out.line(&status.message)?;
    }
    Ok(())
}

fn look(out: &Output) -> Look {
    Look { wrap: out.wrap, column_width: out.column_width }
}

fn rows(stream: RowStream, out: &mut Output) -> Result<Outcome, Stop> {
    let watch = Watch::new();
    let mut view = View::begin(&stream, out);
    let outcome = loop {
        let event = match stream.events.try_recv() {
            Ok(event) => event,
            Err(_) => {
                out.flush()?;
                match stream.events.recv_timeout(INTERRUPT_POLL) {
                    Ok(event) => event,
                    Err(RecvTimeoutError::Timeout) if watch.caught() => break Outcome::Interrupted,
                    Err(RecvTimeoutError::Timeout) => {
                        view.release_late(out)?;
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => break Outcome::Done,
                }
            }
        };
        match event {
            RowEvent::Rows(rows) => view.rows(rows, out)?,
            RowEvent::Line(line) => view.line(&line, out)?,
            RowEvent::Warning(text) => {
                // Behind the rows it speaks of.
                out.flush()?;
                complain(&format!("warning: {text}"));
            }
            RowEvent::End(text) => {
                view.end(Some(&text), out)?;
                out.flush()?;
                return Ok(Outcome::Done);
            }
            RowEvent::Failed(error) => break Outcome::Failed(error),
        }
        if watch.caught() {
            break Outcome::Interrupted;
        }
    };
    let text = matches!(outcome, Outcome::Interrupted).then_some("Query terminated");
    if text.is_some() && out.is_terminal() {
        // The terminal has written `^C` where the next row would begin.
        out.line("")?;
    }
    view.end(text, out)?;
    out.flush()?;
    Ok(outcome)
}

/// Rows on their way to the output.
struct View {
    format: OutputFormat,
    columns: Vec<Column>,
    kind: Kind,
    state: ViewState,
    begun: Instant,
    count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pull,
    Push,
    Print,
}

enum ViewState {
    /// JSON, or lines of PRINT: nothing to remember.
    Plain,
    /// The first rows, to know how wide they are.
    Held(Vec<Vec<String>>),
    Streaming(Grid),
}

impl View {
    fn begin(stream: &RowStream, out: &Output) -> Self {
        let kind = match (&stream.query_id, stream.columns.is_empty()) {
            (_, true) => Kind::Print,
            (Some(_), false) => Kind::Push,
            (None, false) => Kind::Pull,
        };
        let tabular = out.format == OutputFormat::Tabular && kind != Kind::Print;
        let state = if tabular { ViewState::Held(Vec::new()) } else { ViewState::Plain };
        let columns = stream.columns.iter().map(|described| column(&described.name, &described.ty)).collect();
        View { format: out.format, columns, kind, state, begun: crate::time::now(), count: 0 }
    }

    fn rows(&mut self, rows: Vec<Row>, out: &mut Output) -> Result<(), Stop> {
        let held_max = if self.kind == Kind::Push { PUSH_ROWS_HELD_MAX } else { PULL_ROWS_HELD_MAX };
        for row in rows {
            self.count += 1;
            match &mut self.state {
                ViewState::Plain => out.line(&self.json(&row))?,
                ViewState::Streaming(grid) => {
                    let line = grid.row(&cells(&row));
                    out.line(&line)?;
                }
                ViewState::Held(held) => {
                    held.push(cells(&row));
                    if held.len() >= held_max {
                        self.release(out)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Nobody knows when a push query's next row comes: what there is, or only the header, shows after a moment.
    fn release_late(&mut self, out: &mut Output) -> Result<(), Stop> {
        if self.kind == Kind::Push && self.begun.elapsed() >= PUSH_HELD {
            self.release(out)?;
        }
        Ok(())
    }

    /// Shows the rows that were held back; from now on they are shown as they come.
    fn release(&mut self, out: &mut Output) -> Result<(), Stop> {
        if let ViewState::Held(held) = &self.state {
            let mut grid = match self.kind {
                Kind::Push => Grid::streamed(&self.columns, held, out.width(), look(out)),
                _ => Grid::whole(&self.columns, held, out.width(), look(out)),
            };
            if let Some(header) = grid.header() {
                out.line(&header)?;
            }
            for row in held {
                out.line(&grid.row(row))?;
            }
            self.state = ViewState::Streaming(grid);
        }
        Ok(())
    }

    fn json(&self, row: &Row) -> String {
        let mut line = String::new();
        let members = self.columns.iter().map(|column| column.name.as_str()).zip(&row.values);
        json::put_object(&mut line, members);
        if row.tombstone {
            line.pop();
            line.push_str(if row.values.is_empty() { "" } else { "," });
            line.push_str("\"@tombstone\":true}");
        }
        line
    }

    fn line(&mut self, line: &str, out: &mut Output) -> Result<(), Stop> {
        match (self.format, text_of(line)) {
            (OutputFormat::Json, Some(_)) => out.line(line)?,
            (OutputFormat::Json, None) => out.line(&object(&[("line", line)]))?,
            (OutputFormat::Tabular, Some(text)) => out.line(&text)?,
            (OutputFormat::Tabular, None) => out.line(line)?,
        }
        Ok(())
    }

    /// `text` says how it ended; it is for people at a terminal only.
    fn end(&mut self, text: Option<&str>, out: &mut Output) -> Result<(), Stop> {
        self.release(out)?;
        if let ViewState::Streaming(grid) = &self.state
            && let Some(end) = grid.end()
        {
            out.line(&end)?;
        }
        if self.format != OutputFormat::Tabular || !out.is_terminal() {
            return Ok(());
        }
        match (self.kind, text) {
            (Kind::Pull, Some("Query Completed")) if self.count == 1 => out.line("1 row")?,
            (Kind::Pull, Some("Query Completed")) => out.line(&format!("{} rows", self.count))?,
            (_, Some(text)) if !text.is_empty() => out.line(text)?,
            _ => {}
        }
        Ok(())
    }
}

fn column(name: &str, ty: &SqlType) -> Column {
    let align = match ty {
        SqlType::Int | SqlType::Bigint | SqlType::Double | SqlType::Decimal { .. } => Align::Right,
        _ => Align::Left,
    };
    Column { name: name.to_owned(), align, natural: width_of(ty) }
}

/// The width that all common values of a type fit in; `None`: there is none.
fn width_of(ty: &SqlType) -> Option<usize> {
    match ty {
        SqlType::Boolean => Some(5),
        SqlType::Int => Some(11),
        // Of times in milliseconds; a longer one wraps.
        SqlType::Bigint => Some(13),
        SqlType::Double => Some(18),
        SqlType::Date => Some(10),
        SqlType::Time => Some(12),
        SqlType::Timestamp => Some(23),
        _ => None,
    }
}

fn cells(row: &Row) -> Vec<String> {
    let cell = |value: &Value| match value {
        Value::Null if row.tombstone => "<TOMBSTONE>".to_owned(),
        value => json::cell(value),
    };
    row.values.iter().map(cell).collect()
}

#[cfg(test)]
mod tests;
