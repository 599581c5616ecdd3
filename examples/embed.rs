//! A program with Millpond inside: it opens a data folder, writes records to a topic, lets a continuous query run over
//! them, follows the changes of its table and asks it.
//!
//!     cargo run --example embed [FOLDER]
//!
//! Run it twice on the same folder: the table goes on from where it stopped.

use std::collections::VecDeque;
use std::error::Error;
use std::path::PathBuf;

use millpond::engine::{Reply, Row, RowEvent, RowStream};
use millpond::log::{Log, Records, TopicPartition, TopicSpec, partitioner};
use millpond::types::Value;
use millpond::{Engine, Face, Options, Session};

const TOPIC: &str = "readings";
const PARTITIONS: u32 = 2;
const HOURS: i64 = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| std::env::temp_dir().join(format!("millpond-embed-{}", std::process::id())));
    println!("data folder: {}", folder.display());
    let engine = Engine::open(&folder, Options::default())?;
    let log = engine.log();
    if log.partitions(TOPIC).is_none() {
        log.create_topic(&TopicSpec {
            name: TOPIC.into(),
            partitions: PARTITIONS,
            replicas: None,
            configs: Default::default(),
        })?;
    }

    // A session keeps what SET and DEFINE change. Statements are those of the terminal.
    let mut session = Session::default();
    for statement in [
        "CREATE STREAM IF NOT EXISTS readings (place STRING KEY, degrees DOUBLE)
           WITH (KAFKA_TOPIC='readings', VALUE_FORMAT='JSON');",
        "CREATE TABLE IF NOT EXISTS climate AS
           SELECT place, COUNT(*) AS readings, AVG(degrees) AS mean, MAX(degrees) AS warmest
           FROM readings GROUP BY place;",
    ] {
        if let Reply::Done(status) = engine.execute(&mut session, statement)? {
            println!("{}", status.message);
        }
    }

    // A pull query: the table's rows as of the last commit.
    let attic = "SELECT readings FROM climate WHERE place = 'attic';";
    let before = match Answer::of(engine.execute(&mut session, attic)?)?.next() {
        Some(row) => bigint(&row?.values[0]),
        None => 0,
    };
    println!("readings of the attic so far: {before}");
    for hour in 0..HOURS {
        write(&*log, "attic", 24.5 + hour as f64, hour)?;
        write(&*log, "cellar", 11.0, hour)?;
    }

    // A push query: rows come until it is dropped. Between two commits, only the last change of each key shows.
    for row in Answer::of(engine.execute(&mut session, "SELECT * FROM climate EMIT CHANGES;")?)? {
        let row = row?;
        println!("changed: {:?}", row.values);
        if row.values[0] == Value::String("attic".into()) && bigint(&row.values[1]) == before + HOURS {
            break;
        }
    }
    // Commits and stops the queries; the next start goes on from here.
    engine.shutdown();
    Ok(())
}

/// Appends one record, where Kafka's clients would put its key, and commits it.
fn write(log: &dyn Log, place: &str, degrees: f64, hour: i64) -> Result<(), Box<dyn Error>> {
    let mut records = Records::default();
    let value = format!("{{\"degrees\":{degrees}}}");
    records.push(Some(place.as_bytes()), Some(value.as_bytes()), hour * 3_600_000);
    let partition = partitioner::partition_for(place.as_bytes(), PARTITIONS);
    log.append(&TopicPartition { topic: TOPIC.into(), partition }, &records)?;
    Ok(())
}

/// The rows of a query, one after another. Dropping it ends the query.
struct Answer {
    stream: RowStream,
    ready: VecDeque<Row>,
}

impl Answer {
    fn of(reply: Reply) -> Result<Answer, Box<dyn Error>> {
        match reply {
            Reply::Rows(stream) => Ok(Answer { stream, ready: VecDeque::new() }),
            other => Err(format!("no rows but {other:?}").into()),
        }
    }
}

impl Iterator for Answer {
    type Item = Result<Row, Box<dyn Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Some(Ok(row));
            }
            match self.stream.events.recv() {
                Ok(RowEvent::Rows(rows)) => self.ready.extend(rows),
                Ok(RowEvent::Line(_)) => {}
                Ok(RowEvent::Warning(text)) => eprintln!("warning: {text}"),
                Ok(RowEvent::Failed(error)) => return Some(Err(error.into())),
                Ok(RowEvent::End(_)) | Err(_) => return None,
            }
        }
    }
}

fn bigint(value: &Value) -> i64 {
    match value {
        Value::Bigint(number) => *number,
        _ => 0,
    }
}
