//! PRINT: the records of a topic, as they are and as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::engine::shown::{Place, Shower, json_line};
use crate::engine::{CHANNEL_BYTES_MAX, Engine, EventSender, Face, Inner, RowEvent, RowStream, event_channel};
use crate::error::{Error, Result};
use crate::log::{Log, LogError, Records, Signal, TopicPartition};
use crate::messages;
use crate::sql::ast::Ident;

/// Events that may wait for a slow reader; then the printer waits.
const EVENTS_MAX: usize = 64;
/// How long an idle printer waits before it looks whether its reader is still there.
const IDLE_WAIT: Duration = Duration::from_millis(200);
const PRINT_BYTES_MAX: usize = 1 << 18;

/// What of a topic is printed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printed {
    /// Else only what comes from now on.
    pub from_beginning: bool,
    /// Every so many-th record; None: each.
    pub interval: Option<u64>,
    pub limit: Option<u64>,
}

/// Answers PRINT: a line a record, as [`RowEvent::Line`] says.
pub(super) fn print(inner: &Arc<Inner>, topic: &Ident, printed: Printed) -> Result<RowStream> {
    let log = inner.log.clone();
    let partitions = log.partitions(&topic.text).ok_or_else(|| unknown(&*log, topic))?;
    let signal = Arc::new(Signal::default());
    // Watched before the ends are looked at: nothing that comes in between is missed.
    log.watch(std::slice::from_ref(&topic.text), &signal);
    let mut positions = Vec::new();
    for partition in 0..partitions {
        let place = TopicPartition { topic: topic.text.clone(), partition };
        let (first, next) = log.offsets(&place)?;
        positions.push((place, if printed.from_beginning { first } else { next }));
    }
    let (sender, events) = event_channel(EVENTS_MAX, CHANNEL_BYTES_MAX);
    let gone = Arc::new(AtomicBool::new(false));
    let mut printer = Printer {
        log,
        shower: Shower::new(Engine { inner: inner.clone() }.layouts()),
        positions,
        sender,
        gone: gone.clone(),
        signal: signal.clone(),
        every: printed.interval.unwrap_or(1).max(1),
        seen: 0,
        left: printed.limit,
    };
    std::thread::Builder::new()
        .name(format!("print {}", topic.text))
        .spawn(move || printer.print())
        .map_err(|error| Error::world(format!("no thread could be started: {error}")))?;
    Ok(RowStream {
        columns: Vec::new(),
        query_id: None,
        events,
        on_drop: Some(Box::new(move || {
            gone.store(true, Ordering::Relaxed);
            signal.ring();
        })),
    })
}

fn unknown(log: &dyn Log, topic: &Ident) -> Error {
    messages::topics::unknown(&topic.text, log.topics().iter().map(String::as_str)).at(topic.at)
}

struct Printer {
    log: Arc<dyn Log>,
    shower: Shower,
    /// Of each partition the offset to read next.
    positions: Vec<(TopicPartition, i64)>,
    sender: EventSender,
    gone: Arc<AtomicBool>,
    signal: Arc<Signal>,
    every: u64,
    seen: u64,
    left: Option<u64>,
}

/// How a printer, or a turn of it, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// So many records were read.
    Read(usize),
    Limit,
    Gone,
}

impl Printer {
    fn print(&mut self) {
        let last = match self.drive() {
            Ok(Turn::Gone) => return,
            Ok(_) => RowEvent::End("Topic printing ceased".to_string()),
            Err(error) => RowEvent::Failed(error.into()),
        };
        let _ = self.sender.send(last);
    }

    fn drive(&mut self) -> Result<Turn, LogError> {
        let mut records = Records::default();
        loop {
            let mut read = 0;
            for index in 0..self.positions.len() {
                match self.turn(index, &mut records)? {
                    Turn::Read(some) => read += some,
                    ended => return Ok(ended),
                }
            }
            if self.gone.load(Ordering::Relaxed) {
                return Ok(Turn::Gone);
            }
            if read == 0 {
                self.signal.wait(IDLE_WAIT);
            }
        }
    }

    /// Prints what comes next of one partition.
    fn turn(&mut self, index: usize, records: &mut Records) -> Result<Turn, LogError> {
        if self.left == Some(0) {
            return Ok(Turn::Limit);
        }
        let (place, position) = self.positions[index].clone();
        match self.log.fetch(&place, position, PRINT_BYTES_MAX, records) {
            Ok(()) => {}
            // Retention was faster than the reader.
            Err(LogError::OffsetOutOfRange { first, .. }) if first > position => {
                self.positions[index].1 = first;
                return Ok(Turn::Read(1));
            }
            Err(error) => return Err(error),
        }
        self.positions[index].1 = records.next_offset.max(position);
        for row in 0..records.len() {
            let meta = records.meta[row];
            // Stored batches come whole: they can begin before what was asked for.
            if meta.offset < position {
                continue;
            }
            self.seen += 1;
            if !(self.seen - 1).is_multiple_of(self.every) {
                continue;
            }
            let from = Place { partition: place.partition, offset: meta.offset, timestamp: meta.timestamp };
            let shown = self.shower.show(&place.topic, records, row);
            if self.sender.send(RowEvent::Line(json_line(from, &shown, &records.headers(row)))).is_err() {
                return Ok(Turn::Gone);
            }
            if let Some(left) = &mut self.left {
                *left -= 1;
                if *left == 0 {
                    return Ok(Turn::Limit);
                }
            }
        }
        Ok(Turn::Read(records.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Options, Reply, Session};

    fn engine(statements: &[&str]) -> Engine {
        let engine = Engine::stepped(Options::default()).unwrap();
        for statement in statements {
            engine.execute(&mut Session::default(), statement).unwrap();
            engine.settle().unwrap();
        }
        engine
    }

    /// Lines of a PRINT with a LIMIT, without their times.
    fn lines(engine: &Engine, statement: &str) -> Vec<serde_json::Value> {
        let Reply::Rows(stream) = engine.execute(&mut Session::default(), statement).unwrap() else {
            panic!("no rows")
        };
        let mut lines = Vec::new();
        while let Ok(RowEvent::Line(line)) = stream.events.recv() {
            lines.push(serde_json::from_str(&line).unwrap());
        }
        lines
    }

    const STREAM: &str = "CREATE STREAM s (id INT KEY, v BIGINT, w STRING)
        WITH (KAFKA_TOPIC='s', VALUE_FORMAT='DELIMITED', PARTITIONS=1);";
    const ROWS: [&str; 3] = [
        "INSERT INTO s (ROWTIME, id, v, w) VALUES (1000, 7, 1, '한');",
        "INSERT INTO s (ROWTIME, id, v, w) VALUES (2000, 8, 2, 'b');",
        "INSERT INTO s (ROWTIME, id, v, w) VALUES (3000, 7, 3, 'c');",
    ];

    #[test]
    fn records_are_shown_by_their_formats() {
        let engine = engine(&[&[STREAM], ROWS.as_slice()].concat());
        let found = lines(&engine, "PRINT 's' FROM BEGINNING LIMIT 1;");
        let expected = serde_json::json!({
            "partition": 0, "offset": 0, "timestamp": 1000, "key": 7, "value": {"V": 1, "W": "한"}, "headers": [],
        });
        assert_eq!(found, [expected]);
        let offsets: Vec<_> = lines(&engine, "PRINT 's' FROM BEGINNING INTERVAL 2 LIMIT 2;")
            .iter()
            .map(|line| line["offset"].as_i64().unwrap())
            .collect();
        assert_eq!(offsets, [0, 2]);
    }

    #[test]
    fn windows_stand_beside_their_keys() {
        let table = "CREATE TABLE t AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS)
            GROUP BY id EMIT CHANGES;";
        let engine = engine(&[&[STREAM, table], ROWS.as_slice()].concat());
        let found = lines(&engine, "PRINT 'T' FROM BEGINNING LIMIT 3;");
        assert_eq!(found[2]["key"], 7);
        assert_eq!(found[2]["value"], serde_json::json!({"N": 2}));
        assert_eq!(found[2]["window"], serde_json::json!({"start": 0, "end": 10_000}));
    }

    #[test]
    fn a_misspelt_topic_is_placed_and_hinted() {
        let engine = engine(&[STREAM]);
        let error = engine.execute(&mut Session::default(), "PRINT S;").unwrap_err();
        assert_eq!(error.at.map(|at| at.column), Some(7));
        assert!(error.hint.is_some_and(|hint| hint.contains("'s'")));
    }
}
