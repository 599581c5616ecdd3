//! `topic consume`: shows the records of a topic, follows it, keeps positions by group.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::args::{ConsumeOptions, StartOffset};
use crate::cli::connect::Connected;
use crate::cli::exit::{Stop, complain};
use crate::cli::interrupt::Watch;
use crate::cli::output::{Output, OutputFormat};
use crate::engine::GroupKind;
use crate::engine::shown::{Place, json_line, text_line};
use crate::log::{Log, LogError, Records, Signal, TopicId, TopicPartition};
use crate::messages;

const FETCH_BYTES: usize = 1 << 20;
/// A rung signal ends the wait; this is for what doesn't ring.
const WAIT: Duration = Duration::from_millis(500);

/// How far a partition is read.
struct Cursor {
    place: TopicPartition,
    /// The offset to read next.
    next: i64,
    /// Where to stop.
    end: Option<i64>,
    /// The position that the group has.
    committed: Option<i64>,
}

pub fn command(options: &ConsumeOptions, engine: &Connected, out: &mut Output) -> Result<(), Stop> {
    let signal = Arc::new(Signal::default());
    let watch = Watch::ringing(&signal);
    let log = engine.log.as_ref();
    check_group(options, engine)?;
    // Watched before the ends are looked at: nothing that comes in between is missed.
    log.watch(std::slice::from_ref(&options.topic), &signal);
    let mut consumer = Consumer::new(options, engine)?;
    loop {
        let found = consumer.turn(&watch, out)?;
        if consumer.is_complete() || watch.caught() {
            return Ok(());
        }
        if !found {
            signal.wait(WAIT);
        }
    }
}

/// A query's positions are its own: it would go on from where a reader stopped.
fn check_group(options: &ConsumeOptions, engine: &Connected) -> Result<(), Stop> {
    let Some(name) = &options.group else { return Ok(()) };
    for group in engine.face.groups(Some(name))? {
        if group.description.name == *name && group.kind != GroupKind::Consumer {
            return Err(messages::groups::of_query(name).into());
        }
    }
    Ok(())
}

fn cursors(options: &ConsumeOptions, log: &dyn Log) -> Result<Vec<Cursor>, Stop> {
    let topic = &options.topic;
    let count = log.partitions(topic).ok_or_else(|| LogError::UnknownTopic(topic.clone()))?;
    let partitions = match options.partition {
        Some(partition) if partition >= count => {
            return Err(LogError::UnknownPartition { topic: topic.clone(), partition }.into());
        }
        Some(partition) => partition..partition + 1,
        None => 0..count,
    };
    if matches!(options.offset, Some(StartOffset::At(_))) && options.partition.is_none() && count > 1 {
        return Err(Stop::Usage("--offset N is of one partition: give --partition".to_owned()));
    }
    let positions = match &options.group {
        Some(group) => log.positions(group)?,
        None => Default::default(),
    };
    let places: Vec<_> = partitions.map(|partition| TopicPartition { topic: topic.clone(), partition }).collect();
    let mut cursors = Vec::new();
    for (place, offsets) in log.offsets_of(&places)? {
        let committed = positions.get(&place).copied();
        let next = start(options, &place, offsets, committed)?;
        cursors.push(Cursor { place, next, end: options.until_end.then_some(offsets.1), committed });
    }
    Ok(cursors)
}

/// Where a partition's reader starts: what was asked for, else where the group stopped, else the beginning or the end.
fn start(
    options: &ConsumeOptions,
    place: &TopicPartition,
    (first, end): (i64, i64),
    committed: Option<i64>,
) -> Result<i64, LogError> {
    match (options.offset, committed) {
        (Some(StartOffset::At(asked)), _) if asked < first || asked > end => Err(LogError::OffsetOutOfRange {
            topic: place.topic.clone(),
            partition: place.partition,
            asked,
            first,
            next: end,
        }),
        (Some(StartOffset::At(asked)), _) => Ok(asked),
        (Some(StartOffset::Earliest), _) => Ok(first),
        (Some(StartOffset::Latest), _) => Ok(end),
        // What the group has not read yet may have expired.
        (None, Some(committed)) => Ok(committed.clamp(first, end)),
        (None, None) if options.from_beginning => Ok(first),
        (None, None) => Ok(end),
    }
}

struct Consumer<'a> {
    options: &'a ConsumeOptions,
    engine: &'a Connected,
    /// Records still to be shown.
    left: u64,
    records: Records,
    cursors: Vec<Cursor>,
    /// Which topic the cursors are of.
    topic_id: Option<TopicId>,
}

impl<'a> Consumer<'a> {
    fn new(options: &'a ConsumeOptions, engine: &'a Connected) -> Result<Self, Stop> {
        let log = engine.log.as_ref();
        let topic_id = log.topic_id(&options.topic)?;
        let left = options.limit.unwrap_or(u64::MAX);
        Ok(Consumer { options, engine, left, records: Records::default(), cursors: cursors(options, log)?, topic_id })
    }

    fn is_complete(&self) -> bool {
        self.left == 0 || self.cursors.iter().all(|cursor| cursor.end.is_some_and(|end| cursor.next >= end))
    }

    /// Shows what there is, and keeps the group's positions. Tells whether there was something.
    fn turn(&mut self, watch: &Watch, out: &mut Output) -> Result<bool, Stop> {
        if self.topic_replaced() {
            self.begin_anew()?;
        }
        let mut found = false;
        let mut cursors = std::mem::take(&mut self.cursors);
        for cursor in &mut cursors {
            while self.left > 0 && !watch.caught() && self.fetch(cursor, out)? {
                found = true;
                // The others get their turn, unless only this one is asked for until its end.
                if cursor.end.is_none() {
                    break;
                }
            }
        }
        out.flush()?;
        self.commit(&mut cursors)?;
        self.cursors = cursors;
        Ok(found)
    }

    /// With another topic under the name; the group's positions went with the old one.
    fn begin_anew(&mut self) -> Result<(), Stop> {
        let log = self.engine.log.as_ref();
        complain(&format!("topic {} was deleted and created again: from its beginning", self.options.topic));
        self.topic_id = log.topic_id(&self.options.topic)?;
        let anew = ConsumeOptions { from_beginning: true, offset: None, ..self.options.clone() };
        self.cursors = cursors(&anew, log)?;
        Ok(())
    }

    /// Whether another topic has the name now; one that is gone, or can't be asked for, is found by the next fetch.
    fn topic_replaced(&self) -> bool {
        self.engine.log.topic_id(&self.options.topic).is_ok_and(|now| now != self.topic_id)
    }

    /// Shows what comes next. Tells whether the cursor has moved.
    fn fetch(&mut self, cursor: &mut Cursor, out: &mut Output) -> Result<bool, Stop> {
        if cursor.end.is_some_and(|end| cursor.next >= end) {
            return Ok(false);
        }
        let log = self.engine.log.as_ref();
        match log.fetch(&cursor.place, cursor.next, FETCH_BYTES, &mut self.records) {
            Ok(()) => {}
            // Retention was faster than we.
            Err(LogError::OffsetOutOfRange { first, .. }) if first > cursor.next => {
                cursor.next = first;
                return Ok(true);
            }
            Err(LogError::OffsetOutOfRange { .. }) if self.topic_replaced() => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        if self.topic_replaced() {
            // Seen at the next turn.
            return Ok(false);
        }
        let before = cursor.next;
        for row in 0..self.records.len() {
            let meta = self.records.meta[row];
            // Stored batches come whole: they can begin before what was asked for and end behind what was there.
            if meta.offset < cursor.next || cursor.end.is_some_and(|end| meta.offset >= end) {
                continue;
            }
            let place = Place { partition: cursor.place.partition, offset: meta.offset, timestamp: meta.timestamp };
            let shown = self.engine.shower.show(&self.options.topic, &self.records, row);
            let headers = self.records.headers(row);
            let line = match out.format {
                OutputFormat::Json => json_line(place, &shown, &headers),
                OutputFormat::Tabular => text_line(place, &shown, &headers),
            };
            out.line(&line)?;
            cursor.next = meta.offset + 1;
            self.left -= 1;
            if self.left == 0 {
                return Ok(true);
            }
        }
        cursor.next = cursor.next.max(self.records.next_offset);
        Ok(cursor.next > before)
    }

    fn set_positions(&self, group: &str, cursors: &[Cursor]) -> Result<(), LogError> {
        let mut transaction = self.engine.log.begin()?;
        for cursor in cursors {
            transaction.set_position(group, &cursor.place, cursor.next)?;
        }
        transaction.commit()
    }

    /// Keeps the group's positions: of what was shown, and no more.
    fn commit(&self, cursors: &mut [Cursor]) -> Result<(), Stop> {
        let Some(group) = &self.options.group else { return Ok(()) };
        if cursors.iter().all(|cursor| cursor.committed == Some(cursor.next)) || self.topic_replaced() {
            return Ok(());
        }
        match self.set_positions(group, cursors) {
            // Set again they are the same.
            Err(LogError::InDoubt(_)) => self.set_positions(group, cursors)?,
            result => result?,
        }
        for cursor in cursors {
            cursor.committed = Some(cursor.next);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> ConsumeOptions {
        use clap::Parser;
        let cli = crate::cli::args::Cli::try_parse_from(line.split_whitespace()).unwrap();
        match cli.command {
            Some(crate::cli::args::Command::Topic(crate::cli::args::TopicCommand::Consume(options))) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn starts_where_it_was_asked_to() {
        let place = TopicPartition { topic: "t".into(), partition: 0 };
        let start = |line: &str, committed| {
            start(&options(&format!("millpond topic consume t {line}")), &place, (5, 20), committed).ok()
        };
        assert_eq!(start("", None), Some(20));
        assert_eq!(start("--from-beginning", None), Some(5));
        assert_eq!(start("--group g", Some(7)), Some(7));
        assert_eq!(start("--group g --from-beginning", Some(7)), Some(7));
        assert_eq!(start("--group g", Some(1)), Some(5));
        assert_eq!(start("--group g --partition 0 --offset 10", Some(7)), Some(10));
        assert_eq!(start("--offset earliest", Some(7)), Some(5));
        assert_eq!(start("--offset latest", Some(7)), Some(20));
        assert_eq!(start("--partition 0 --offset 4", None), None);
        assert_eq!(start("--partition 0 --offset 21", None), None);
        assert_eq!(start("--partition 0 --offset 20", None), Some(20));
    }

    /// What `topic consume t <flags>` shows of topic `t`: its lines as (partition, offset, value).
    fn consume(log: &Arc<crate::cli::fake::FakeLog>, flags: &str) -> Vec<(u64, u64, String)> {
        let (engine, _) = crate::cli::fake::connected(log);
        let (mut out, memory) = Output::into_memory(OutputFormat::Json, None);
        command(&options(&format!("millpond topic consume t {flags}")), &engine, &mut out).unwrap();
        let line = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let number = |name: &str| line[name].as_u64().unwrap();
            (number("partition"), number("offset"), line["value"].as_str().unwrap().to_owned())
        };
        memory.text().lines().map(line).collect()
    }

    fn filled() -> Arc<crate::cli::fake::FakeLog> {
        let log = crate::cli::fake::FakeLog::with_topic("t", 2);
        for (partition, count) in [(0, 7), (1, 2)] {
            let mut records = Records::default();
            (0..count).for_each(|i| records.push(None, Some(format!("v{i}").as_bytes()), i));
            log.append(&TopicPartition { topic: "t".into(), partition }, &records).unwrap();
        }
        log
    }

    fn row(partition: u64, offset: u64) -> (u64, u64, String) {
        (partition, offset, format!("v{offset}"))
    }

    #[test]
    fn shows_what_is_there_until_the_end() {
        let all: Vec<_> = (0..7).map(|i| row(0, i)).chain((0..2).map(|i| row(1, i))).collect();
        assert_eq!(consume(&filled(), "--from-beginning --until-end"), all);
        assert_eq!(consume(&filled(), "--until-end"), []);
        assert_eq!(consume(&filled(), "--partition 0 --offset 4 --until-end"), all[4..7]);
        assert_eq!(consume(&filled(), "--from-beginning --limit 5"), [&all[..3], &all[7..9]].concat());
    }

    #[test]
    fn a_group_goes_on_where_it_stopped() {
        let log = filled();
        assert_eq!(consume(&log, "--group g --from-beginning --partition 0 --limit 2"), [row(0, 0), row(0, 1)]);
        assert_eq!(consume(&log, "--group g --partition 0 --limit 2"), [row(0, 2), row(0, 3)]);
        let rest = consume(&log, "--group g --from-beginning --until-end");
        assert_eq!(rest, [row(0, 4), row(0, 5), row(0, 6), row(1, 0), row(1, 1)]);
        assert_eq!(consume(&log, "--group g --from-beginning --until-end"), []);
        assert_eq!(consume(&log, "--group other --from-beginning --until-end").len(), 9);
    }

    #[test]
    fn a_topic_made_anew_is_read_from_its_beginning() {
        let log: Arc<dyn Log> = Arc::new(crate::log::embedded::EmbeddedLog::in_memory());
        let spec =
            crate::log::TopicSpec { name: "t".into(), partitions: 1, replicas: None, configs: Default::default() };
        let append = |text: &str, count: i64| {
            let mut records = Records::default();
            (0..count).for_each(|i| records.push(None, Some(format!("{text}{i}").as_bytes()), i));
            log.append(&TopicPartition { topic: "t".into(), partition: 0 }, &records).unwrap();
        };
        log.create_topic(&spec).unwrap();
        append("old", 2);
        let (mut engine, _) = crate::cli::fake::connected(&filled());
        engine.log = Arc::clone(&log);
        let (mut out, memory) = Output::into_memory(OutputFormat::Json, None);
        let options = options("millpond topic consume t --group g --from-beginning");
        let (mut consumer, watch) = (Consumer::new(&options, &engine).unwrap(), Watch::new());
        assert!(consumer.turn(&watch, &mut out).unwrap());
        for count in [4, 1] {
            log.delete_topic("t").unwrap();
            log.create_topic(&spec).unwrap();
            append("new", count);
            assert!(consumer.turn(&watch, &mut out).unwrap());
            assert_eq!(log.positions("g").unwrap().into_values().collect::<Vec<_>>(), [count]);
        }
        let values: Vec<String> = memory
            .text()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["value"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(values, ["old0", "old1", "new0", "new1", "new2", "new3", "new0"]);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let (engine, _) = crate::cli::fake::connected(&filled());
        let (mut out, _) = Output::into_memory(OutputFormat::Json, None);
        for (line, usage) in
            [("x", false), ("t --partition 2", false), ("t --partition 0 --offset 9", false), ("t --offset 1", true)]
        {
            let stop = command(&options(&format!("millpond topic consume {line}")), &engine, &mut out).unwrap_err();
            assert_eq!(matches!(stop, Stop::Usage(_)), usage, "{line}");
        }
    }

    #[test]
    fn positions_of_a_query_are_its_own() {
        let log = filled();
        let (engine, _) = crate::cli::fake::connected(&log);
        let (mut out, _) = Output::into_memory(OutputFormat::Json, None);
        let options = options("millpond topic consume t --group query_Q --from-beginning --until-end");
        let Err(Stop::Error(error)) = command(&options, &engine, &mut out) else { panic!("it must be refused") };
        assert!(error.to_string().contains("positions of a query"), "{error}");
        assert!(log.positions("query_Q").unwrap().is_empty());
    }
}
