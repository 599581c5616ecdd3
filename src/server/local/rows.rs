//! Rows of a query as lines of JSON, and back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use super::owner::Owner;
use super::value;
use super::wire::RowLine;
use crate::engine::{EventSender, Row, RowEvent, RowStream};
use crate::error::Error;

/// How often a query without rows looks whether its reader is still there.
const READER_CHECK: Duration = Duration::from_millis(50);
/// A line is closed once it has this many bytes: many rows go as several lines.
const LINE_BYTES: usize = 64 << 10;

/// Sends the rows of a query to a client until one side ends. Dropping `stream` at the end is what ends the query.
pub fn send(owner: Arc<Owner>, stream: RowStream, head: Bytes, to: Sender<Bytes>) {
    if to.blocking_send(head).is_err() {
        return;
    }
    loop {
        if owner.stopping.load(Ordering::Relaxed) {
            let error = Error::world("the process that runs the query is stopping");
            let _ = to.blocking_send(line(&RowLine::Failed(error)));
            return;
        }
        let event = match stream.events.recv_timeout(READER_CHECK) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) if to.is_closed() => return,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => {
                let _ = to.blocking_send(line(&RowLine::Closed));
                return;
            }
        };
        let (sent, last) = match event {
            RowEvent::Rows(rows) => (row_lines(&rows, |line| to.blocking_send(line).is_ok()), false),
            RowEvent::Line(text) => (to.blocking_send(line(&RowLine::Line(text))).is_ok(), false),
            RowEvent::Warning(text) => (to.blocking_send(line(&RowLine::Warning(text))).is_ok(), false),
            RowEvent::End(text) => (to.blocking_send(line(&RowLine::End(text))).is_ok(), true),
            RowEvent::Failed(error) => (to.blocking_send(line(&RowLine::Failed(error))).is_ok(), true),
        };
        if last || !sent {
            return;
        }
    }
}

fn line(line: &RowLine) -> Bytes {
    let mut out = serde_json::to_vec(line).expect("texts can always be written to memory");
    out.push(b'\n');
    out.into()
}

/// Gives rows as one or more lines, until `send` refuses one. Tells whether it took all.
fn row_lines(rows: &[Row], mut send: impl FnMut(Bytes) -> bool) -> bool {
    let mut rest = rows;
    while !rest.is_empty() {
        let (line, taken) = row_line(rest);
        rest = &rest[taken..];
        if !send(line) {
            return false;
        }
    }
    true
}

/// [`RowLine::Rows`] of the first rows, without a tree in between, and how many they are.
fn row_line(rows: &[Row]) -> (Bytes, usize) {
    let mut out = Vec::with_capacity(LINE_BYTES / 4);
    let mut tombstones = Vec::new();
    let mut taken = 0;
    out.extend_from_slice(b"{\"rows\":{\"rows\":[");
    for row in rows {
        out.extend_from_slice(if taken == 0 { b"[" } else { b",[" });
        for (i, column) in row.values.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            value::write(column, &mut out);
        }
        out.push(b']');
        if row.tombstone {
            tombstones.push(taken.to_string());
        }
        taken += 1;
        if out.len() >= LINE_BYTES {
            break;
        }
    }
    out.extend_from_slice(format!("],\"tombstones\":[{}]}}}}\n", tombstones.join(",")).as_bytes());
    (out.into(), taken)
}

/// What a client does with a line.
enum Parsed {
    Event(RowEvent),
    Closed,
}

/// Splits the bytes of an answer into lines and gives the events to a reader.
pub struct LineReader {
    pending: Vec<u8>,
    events: EventSender,
}

/// Whether more is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    More,
    Over,
}

impl LineReader {
    pub fn new(events: EventSender) -> Self {
        LineReader { pending: Vec::new(), events }
    }

    /// Takes the next bytes; waits while the reader is behind.
    pub fn take(&mut self, bytes: &[u8]) -> Progress {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.pending.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let parsed = parse(&self.pending).unwrap_or_else(|error| {
                Parsed::Event(RowEvent::Failed(Error::internal(format!("cannot read rows: {error}"))))
            });
            self.pending.clear();
            let Parsed::Event(event) = parsed else { return Progress::Over };
            let last = matches!(event, RowEvent::End(_) | RowEvent::Failed(_));
            if self.events.send(event).is_err() || last {
                return Progress::Over;
            }
        }
        self.pending.extend_from_slice(rest);
        Progress::More
    }

    /// The connection broke before the last line.
    pub fn broken(&self, error: Error) {
        let _ = self.events.send(RowEvent::Failed(error));
    }
}

fn parse(line: &[u8]) -> Result<Parsed, String> {
    let event = match serde_json::from_slice(line).map_err(|error| error.to_string())? {
        RowLine::Rows { rows, tombstones } => RowEvent::Rows(parse_rows(rows, &tombstones)?),
        RowLine::Line(text) => RowEvent::Line(text),
        RowLine::Warning(text) => RowEvent::Warning(text),
        RowLine::End(text) => RowEvent::End(text),
        RowLine::Failed(error) => RowEvent::Failed(error),
        RowLine::Closed => return Ok(Parsed::Closed),
    };
    Ok(Parsed::Event(event))
}

/// Rows and warnings, whole.
pub fn write_lines(rows: &[Row], warnings: Vec<String>, into: &mut Vec<u8>) {
    row_lines(rows, |line| {
        into.extend_from_slice(&line);
        true
    });
    warnings.into_iter().for_each(|text| into.extend_from_slice(&line(&RowLine::Warning(text))));
    into.extend_from_slice(&line(&RowLine::Closed));
}

/// What [`write_lines`] wrote.
///
/// Errors: it is cut off, or wasn't written by that.
pub fn read_lines(bytes: &[u8]) -> Result<(Vec<Row>, Vec<String>), String> {
    let (mut rows, mut warnings) = (Vec::new(), Vec::new());
    for line in bytes.split(|byte| *byte == b'\n') {
        match parse(line)? {
            Parsed::Event(RowEvent::Rows(more)) => rows.extend(more),
            Parsed::Event(RowEvent::Warning(text)) => warnings.push(text),
            Parsed::Event(event) => return Err(format!("{event:?} among rows")),
            Parsed::Closed => return Ok((rows, warnings)),
        }
    }
    Err("the rows are cut off".to_owned())
}

fn parse_rows(rows: Vec<Vec<serde_json::Value>>, tombstones: &[usize]) -> Result<Vec<Row>, String> {
    let parse_row = |columns: Vec<serde_json::Value>| -> Result<Row, String> {
        Ok(Row { values: columns.into_iter().map(value::read).collect::<Result<_, _>>()?, tombstone: false })
    };
    let mut rows = rows.into_iter().map(parse_row).collect::<Result<Vec<_>, _>>()?;
    for &row in tombstones {
        rows.get_mut(row).ok_or("a tombstone that is no row")?.tombstone = true;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Value;

    fn rows(count: usize) -> Vec<Row> {
        let row =
            |i: usize| Row { values: vec![Value::Int(i as i32), Value::String("é\n".into())], tombstone: i % 3 == 1 };
        (0..count).map(row).collect()
    }

    #[test]
    fn rows_come_back_whatever_the_cuts() {
        let wanted = rows(10_000);
        let mut bytes = Vec::new();
        let mut lines = 0;
        assert!(row_lines(&wanted, |line| {
            lines += 1;
            bytes.extend_from_slice(&line);
            true
        }));
        assert!(lines > 1, "10,000 rows of over 20 bytes are more than a line");
        bytes.extend_from_slice(&line(&RowLine::Line("text".into())));
        bytes.extend_from_slice(&line(&RowLine::Warning("careful".into())));
        bytes.extend_from_slice(&line(&RowLine::End("Limit Reached".into())));

        let (sender, receiver) = crate::engine::event_channel(1000, usize::MAX);
        let mut reader = LineReader::new(sender);
        let mut progress = Progress::More;
        for chunk in bytes.chunks(777) {
            assert_eq!(progress, Progress::More);
            progress = reader.take(chunk);
        }
        assert_eq!(progress, Progress::Over);
        let mut seen = Vec::new();
        let mut others = Vec::new();
        drop(reader);
        for event in receiver.iter() {
            match event {
                RowEvent::Rows(rows) => seen.extend(rows),
                other => others.push(other),
            }
        }
        assert_eq!(seen, wanted);
        let told =
            [RowEvent::Line("text".into()), RowEvent::Warning("careful".into()), RowEvent::End("Limit Reached".into())];
        assert_eq!(others, told);
    }

    #[test]
    fn rows_and_warnings_go_as_a_whole() {
        for count in [0, 10_000] {
            let (wanted, mut bytes) = (rows(count), b"head\n".to_vec());
            write_lines(&wanted, vec!["careful".to_owned()], &mut bytes);
            assert_eq!(read_lines(&bytes[5..]).unwrap(), (wanted, vec!["careful".to_owned()]));
            for cut in [5, bytes.len() / 2, bytes.len() - 12] {
                assert!(read_lines(&bytes[5..cut]).is_err(), "{cut} of {}", bytes.len());
            }
        }
    }

    #[test]
    fn a_line_that_is_nonsense_is_an_error() {
        let (sender, receiver) = crate::engine::event_channel(10, usize::MAX);
        assert_eq!(LineReader::new(sender).take(b"{\"rows\":7}\n"), Progress::Over);
        assert!(matches!(receiver.recv(), Ok(RowEvent::Failed(_))));
    }

    #[test]
    fn a_reader_that_is_gone_ends_it() {
        let (sender, receiver) = crate::engine::event_channel(10, usize::MAX);
        drop(receiver);
        assert_eq!(LineReader::new(sender).take(b"{\"line\":\"a\"}\n"), Progress::Over);
    }
}
