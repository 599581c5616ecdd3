//! Tests of the whole engine, with its threads on a folder and stepped in memory.

mod aggregates;
mod bad;
mod explain_analyze;
mod failures;
mod fed_tables;
mod foreign_keys;
mod groups;
mod hints;
mod identity;
mod interleavings;
mod job;
mod join_conditions;
mod joins;
mod language;
mod large;
mod many_to_many;
mod memory;
mod mistakes;
mod orders;
mod peers;
mod pull;
mod push;
mod push_snapshot;
mod recreated;
mod reopen;
mod replace;
mod settings;
mod shared;
mod snapshots;
mod subqueries;
mod tables;
mod told;
mod topics;
mod versions;

use std::path::Path;
use std::time::Duration;

use crate::engine::{
    Drive, Engine, Face, Listing, Options, Page, QueryState, Reply, Row, RowEvent, RowStream, Session, Status,
};
use crate::error::Error;
use crate::log::embedded::{EmbeddedOptions, FsyncPolicy};
use crate::log::{Log, Records, TopicPartition};
use crate::time::now;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn options() -> Options {
    let log = EmbeddedOptions {
        fsync: FsyncPolicy::Never,
        disk_free_min_bytes: 0,
        maintain_interval: None,
        ..EmbeddedOptions::default()
    };
    Options { log, ..Options::default() }
}

/// An engine and a session with it. Every change of a table goes on.
struct Terminal {
    engine: Engine,
    session: Session,
}

impl Terminal {
    fn on(engine: Engine) -> Terminal {
        let mut terminal = Terminal { engine, session: Session::default() };
        terminal.done("SET 'cache.max.bytes.buffering' = '0';");
        terminal.done("SET 'commit.interval.ms' = '10';");
        terminal
    }

    fn open(folder: &Path) -> Terminal {
        // A reader's thread holds the folder for a moment after its rows are read.
        let asked = now();
        loop {
            match Engine::open(folder, options()) {
                Ok(engine) => return Terminal::on(engine),
                Err(error) => assert!(asked.elapsed() < PATIENCE, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn stepped() -> Terminal {
        Terminal::on(Engine::stepped(options()).unwrap())
    }

    fn run(&mut self, sql: &str) -> Result<Reply, Error> {
        self.engine.execute(&mut self.session, sql)
    }

    fn done(&mut self, sql: &str) -> Status {
        match self.run(sql) {
            Ok(Reply::Done(status)) => status,
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// The id of the query that the statement starts.
    fn query(&mut self, sql: &str) -> String {
        let status = self.done(sql);
        assert_eq!(status.warnings, Vec::<String>::new());
        status.query_id.unwrap()
    }

    fn fails(&mut self, sql: &str) -> String {
        match self.run(sql) {
            Err(error) => error.to_string(),
            other => panic!("{sql}: {other:?}"),
        }
    }

    fn listing(&mut self, sql: &str) -> Listing {
        match self.run(sql) {
            Ok(Reply::Facts(told)) => match told.page() {
                Page::Listing(listing) => listing,
                text => panic!("{sql}: {text:?}"),
            },
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// The first columns of a listing.
    fn firsts(&mut self, sql: &str) -> Vec<String> {
        self.listing(sql).rows.into_iter().map(|row| row[0].clone()).collect()
    }

    fn text(&mut self, sql: &str) -> String {
        match self.run(sql) {
            Ok(Reply::Facts(told)) => match told.page() {
                Page::Text(text) => text,
                listing => panic!("{sql}: {listing:?}"),
            },
            other => panic!("{sql}: {other:?}"),
        }
    }

    fn stream(&mut self, sql: &str) -> RowStream {
        match self.run(sql) {
            Ok(Reply::Rows(rows)) => rows,
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// The rows of a query that ends, as text, sorted.
    fn rows(&mut self, sql: &str) -> Vec<String> {
        let stream = self.stream(sql);
        let mut rows: Vec<String> = stream.collect().unwrap().iter().map(shown).collect();
        rows.sort();
        rows
    }

    /// Queries with threads of their own are waited for by what they make.
    fn settle(&self) {
        if matches!(self.engine.inner.drive, Drive::Stepped(_)) {
            self.engine.settle().unwrap();
        }
    }

    /// Waits until a query that ends gives these rows.
    fn await_rows(&mut self, sql: &str, expected: &[&str]) {
        self.settle();
        let asked = now();
        loop {
            let rows = self.rows(sql);
            if rows == expected {
                return;
            }
            assert!(asked.elapsed() < PATIENCE, "{sql}: {rows:?} instead of {expected:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a topic of one partition holds as many records, and compares them: `key:value`.
    fn await_records(&self, topic: &str, expected: &[&str]) {
        self.settle();
        let asked = now();
        loop {
            let records = records(&*self.engine.log(), topic);
            if records.len() >= expected.len() || asked.elapsed() > PATIENCE {
                assert_eq!(records, expected);
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a topic of one partition holds so many records; sorted.
    fn await_in_any_order(&self, topic: &str, expected: &[&str]) {
        self.settle();
        let asked = now();
        loop {
            let mut records = records(&*self.engine.log(), topic);
            if records.len() >= expected.len() || asked.elapsed() > PATIENCE {
                records.sort();
                assert_eq!(records, expected);
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn await_state(&self, id: &str, wanted: &dyn Fn(&QueryState) -> bool) -> QueryState {
        let asked = now();
        loop {
            let state = self.engine.query_state(id).unwrap();
            if wanted(&state) {
                return state;
            }
            assert!(asked.elapsed() < PATIENCE, "{id}: {state}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Values as text, a tombstone marked.
fn shown(row: &Row) -> String {
    let values: Vec<String> = row.values.iter().map(|value| format!("{value:?}")).collect();
    format!("{}{}", values.join(" "), if row.tombstone { " gone" } else { "" })
}

/// The records of partition 0: `key:value`, null for null; windows' bytes of keys are left out.
fn records(log: &dyn Log, topic: &str) -> Vec<String> {
    let place = TopicPartition { topic: topic.to_string(), partition: 0 };
    let (mut position, end) = log.offsets(&place).unwrap();
    let mut all = Vec::new();
    let mut records = Records::default();
    while position < end {
        log.fetch(&place, position, 1 << 20, &mut records).unwrap();
        for row in 0..records.len() {
            let text =
                |bytes: Option<&[u8]>| bytes.map_or("null".to_string(), |b| String::from_utf8_lossy(b).to_string());
            all.push(format!("{}:{}", text(records.key(row)), text(records.value(row))));
        }
        position = records.next_offset;
    }
    all
}

/// The next rows of a query that goes on.
fn next_rows(stream: &RowStream, count: usize) -> Vec<String> {
    let mut rows = Vec::new();
    while rows.len() < count {
        match stream.events.recv_timeout(PATIENCE).unwrap() {
            RowEvent::Rows(more) => rows.extend(more.iter().map(shown)),
            other => panic!("{other:?}"),
        }
    }
    rows
}

/// The text of each warning, and how many rows there were, until the query's end.
fn warnings(stream: RowStream) -> (usize, Vec<String>) {
    let (mut rows, mut warnings) = (0, Vec::new());
    loop {
        match stream.events.recv_timeout(PATIENCE).unwrap() {
            RowEvent::Rows(more) => rows += more.len(),
            RowEvent::Warning(text) => warnings.push(text),
            RowEvent::End(_) => return (rows, warnings),
            other => panic!("{other:?}"),
        }
    }
}

/// Runs a test with the threads engine on a folder and with the stepped one.
fn on_both(test: impl Fn(&mut Terminal)) {
    let folder = tempfile::tempdir().unwrap();
    test(&mut Terminal::open(folder.path()));
    test(&mut Terminal::stepped());
}
