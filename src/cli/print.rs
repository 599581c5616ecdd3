//! Replies on a terminal or as JSON lines.

use std::io::Write;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use crate::engine::{Listing, Reply, Row, RowEvent, RowStream, Status};
use crate::error::Error;
use crate::types::{SqlType, Value};

use super::exit::{Stop, complain};
use super::interrupt::Watch;
use super::json;
use super::output::{Output, OutputFormat};
use super::table::{self, Look, Streamed};

/// How often a waiting reader looks whether Ctrl-C was pressed.
const INTERRUPT_POLL: Duration = Duration::from_millis(50);
/// The rows of a pull query that are held back to find the widths of its columns.
const ROWS_HELD_MAX: usize = 2000;

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
        Reply::Listing(facts) => listing(&facts, out)?,
        Reply::Text(text) => match out.format {
            OutputFormat::Tabular => out.line(text.trim_end_matches('\n'))?,
            OutputFormat::Json => out.line(&object(&[("text", &text)]))?,
        },
        Reply::Rows(stream) => return rows(stream, out),
    }
    out.flush()?;
    Ok(Outcome::Done)
}

fn status(status: &Status, out: &mut Output) -> Result<(), Stop> {
    if out.format == OutputFormat::Json {
        let line = serde_json::to_string(status).map_err(|error| Error::internal(error.to_string()))?;
        return Ok(out.line(&line)?);
    }
    for warning in &status.warnings {
        complain(&format!("warning: {warning}"));
    }
    out.line(&status.message)?;
    Ok(())
}

fn listing(listing: &Listing, out: &mut Output) -> Result<(), Stop> {
    if out.format == OutputFormat::Json {
        if !listing.facts.is_empty() {
            let facts: Vec<_> = listing.facts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            out.line(&object(&facts))?;
        }
        for row in &listing.rows {
            let members: Vec<_> = listing.columns.iter().zip(row).map(|(n, v)| (n.as_str(), v.as_str())).collect();
            out.line(&object(&members))?;
        }
        return Ok(());
    }
    let wide = listing.facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in &listing.facts {
        out.line(&format!("{name:wide$} : {value}"))?;
    }
    if listing.columns.is_empty() {
        return Ok(());
    }
    if !listing.facts.is_empty() {
        out.line("")?;
    }
    let table = table::whole(&listing.columns, &listing.rows, out.width(), look(out));
    out.line(&table)?;
    Ok(())
}

/// A JSON object of strings.
fn object(members: &[(&str, &str)]) -> String {
    let mut line = String::from("{");
    for (i, (name, value)) in members.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        json::put_string(&mut line, name);
        line.push(':');
        json::put_string(&mut line, value);
    }
    line.push('}');
    line
}

fn look(out: &Output) -> Look {
    Look { wrap: out.wrap, column_width: out.column_width }
}

fn rows(stream: RowStream, out: &mut Output) -> Result<Outcome, Stop> {
    let watch = Watch::new();
    let mut view = View::begin(&stream, out)?;
    let outcome = loop {
        let event = match stream.events.try_recv() {
            Ok(event) => event,
            Err(_) => {
                out.flush()?;
                match stream.events.recv_timeout(INTERRUPT_POLL) {
                    Ok(event) => event,
                    Err(RecvTimeoutError::Timeout) if watch.caught() => break Outcome::Interrupted,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => break Outcome::Done,
                }
            }
        };
        match event {
            RowEvent::Rows(rows) => view.rows(rows, out)?,
            RowEvent::Line(line) => view.line(&line, out)?,
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
    columns: Vec<String>,
    /// What the types tell about the columns' widths.
    widths: Vec<Option<usize>>,
    state: ViewState,
}

enum ViewState {
    /// JSON, or lines of PRINT: nothing to remember.
    Plain,
    /// The first rows of a pull query, to know how wide they are.
    Held(Vec<Vec<String>>),
    Streaming(Streamed),
}

impl View {
    fn begin(stream: &RowStream, out: &mut Output) -> Result<Self, Stop> {
        let columns = stream.columns.iter().map(|(name, _)| name.clone()).collect();
        let tabular = out.format == OutputFormat::Tabular && !stream.columns.is_empty();
        let state = if tabular { ViewState::Held(Vec::new()) } else { ViewState::Plain };
        let widths = stream.columns.iter().map(|(_, ty)| width_of(ty)).collect();
        let mut view = View { format: out.format, columns, widths, state };
        if stream.query_id.is_some() {
            // Nobody knows when a push query's first row comes: its header shows at once.
            view.release(out)?;
        }
        Ok(view)
    }

    fn rows(&mut self, rows: Vec<Row>, out: &mut Output) -> Result<(), Stop> {
        for row in rows {
            match &mut self.state {
                ViewState::Plain => out.line(&self.json(&row))?,
                ViewState::Streaming(streamed) => {
                    let line = streamed.row(&cells(&row));
                    out.line(&line)?;
                }
                ViewState::Held(held) => {
                    held.push(cells(&row));
                    if held.len() >= ROWS_HELD_MAX {
                        self.release(out)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Shows the rows that were held back; from now on they are shown as they come.
    fn release(&mut self, out: &mut Output) -> Result<(), Stop> {
        if let ViewState::Held(held) = &self.state {
            let streamed = Streamed::new(&self.columns, &self.widths, held, out.width(), look(out));
            out.line(&streamed.header(&self.columns))?;
            for row in held {
                out.line(&streamed.row(row))?;
            }
            self.state = ViewState::Streaming(streamed);
        }
        Ok(())
    }

    fn json(&self, row: &Row) -> String {
        let mut line = String::new();
        let members = self.columns.iter().map(String::as_str).zip(&row.values);
        json::put_object(&mut line, members);
        if row.tombstone {
            line.pop();
            line.push_str(if row.values.is_empty() { "" } else { "," });
            line.push_str("\"@tombstone\":true}");
        }
        line
    }

    fn line(&mut self, line: &str, out: &mut Output) -> Result<(), Stop> {
        match self.format {
            OutputFormat::Tabular => out.line(line)?,
            OutputFormat::Json => out.line(&object(&[("line", line)]))?,
        }
        Ok(())
    }

    /// `text` says how it ended; it is for people only.
    fn end(&mut self, text: Option<&str>, out: &mut Output) -> Result<(), Stop> {
        match &self.state {
            ViewState::Held(held) => {
                let table = table::whole(&self.columns, held, out.width(), look(out));
                out.line(&table)?;
            }
            ViewState::Streaming(streamed) => out.line(&streamed.rule())?,
            ViewState::Plain => {}
        }
        if let (Some(text), OutputFormat::Tabular) = (text, self.format)
            && !text.is_empty()
        {
            out.line(text)?;
        }
        Ok(())
    }
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
