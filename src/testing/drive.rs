//! Driving an engine through a test: the topics that must be there, statements, inputs, and what came out in which order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::answer::Answer;
use super::case::TopicDeclaration;
use super::codec::PartFormat;
use super::json::Json;
use super::record::{LogRecord, StatedRecord, TopicFormat, append_window};
use super::subject::Subject;
use super::verdict::Miss;
use crate::error::{Error, Result};
use crate::log::partitioner::partition_for;
use crate::log::{LogError, Records, TopicPartition, TopicSpec};
use crate::sql;
use crate::sql::ast::{Literal, Statement};

/// How much of a topic is fetched at once, bytes.
const FETCH_BYTES_MAX: usize = 1 << 20;

/// An engine under test.
pub struct Drive<'a> {
    pub subject: &'a mut dyn Subject,
    declared: BTreeMap<String, TopicDeclaration>,
    /// Topics that were there before the statements.
    before: BTreeSet<String>,
}

impl<'a> Drive<'a> {
    /// Creates the declared topics.
    pub fn new(subject: &'a mut dyn Subject, topics: &[TopicDeclaration]) -> Result<Self, Miss> {
        let mut drive = Drive { subject, declared: BTreeMap::new(), before: BTreeSet::new() };
        for topic in topics {
            drive.create_topic(&topic.name, topic.partitions)?;
            drive.declared.insert(topic.name.clone(), topic.clone());
        }
        drive.before.extend(drive.subject.log().topics());
        Ok(drive)
    }

    fn create_topic(&mut self, name: &str, partitions: u32) -> Result<(), Miss> {
        let spec = TopicSpec { name: name.to_owned(), partitions, replicas: None, configs: BTreeMap::new() };
        match self.subject.log().create_topic(&spec) {
            Ok(()) | Err(LogError::TopicExists(_)) => {
                self.before.insert(name.to_owned());
                Ok(())
            }
            Err(error) => Err(Miss::error(format!("topic {name} can't be created: {error}"))),
        }
    }

    /// Runs a statement. A source over a topic that is not there finds it made, with one partition, unless the
    /// statement says how many it wants.
    pub fn execute(&mut self, statement: &str) -> Result<Answer> {
        if let Some(topic) = topic_taken_for_granted(statement)
            && self.subject.log().partitions(&topic).is_none()
        {
            self.create_topic(&topic, 1).map_err(|miss| Error::world(miss.detail))?;
        }
        self.subject.execute(statement)
    }

    /// Topics that the statements made, which are known to hold a source's records.
    pub fn sinks(&self) -> Vec<String> {
        let topics = self.subject.log().topics();
        let made = |topic: &String| !self.before.contains(topic) && self.subject.layouts(topic).is_some();
        topics.into_iter().filter(made).collect()
    }

    /// How a topic's records are written: by the source registered on it, else by the case's declaration, else KAFKA
    /// keys and JSON values.
    pub fn format(&self, topic: &str) -> TopicFormat {
        let declared = self.declared.get(topic);
        let by_name = |name: Option<&String>, otherwise| name.map_or(otherwise, |name| PartFormat::by_name(name));
        match self.subject.layouts(topic) {
            Some(layout) => TopicFormat::of_layout(&layout),
            None => TopicFormat {
                key: by_name(declared.and_then(|topic| topic.key_format.as_ref()), PartFormat::Kafka(None)),
                value: by_name(declared.and_then(|topic| topic.value_format.as_ref()), PartFormat::Json(None)),
                window: None,
            },
        }
    }

    /// Writes a record and has it processed to the end.
    pub fn produce(&mut self, record: &StatedRecord) -> Result<(), Miss> {
        self.append(record)?;
        self.subject.settle().map_err(|error| Miss::unexpected("the queries stopped", &error))
    }

    /// Writes a record where Kafka's own client would: by the key without its window; null keys go to partition 0.
    pub fn append(&mut self, record: &StatedRecord) -> Result<(), Miss> {
        let topic = &record.topic;
        let log = self.subject.log();
        let partitions =
            log.partitions(topic).ok_or_else(|| Miss::fail(format!("input topic {topic} does not exist")))?;
        let format = self.format(topic);
        let wrong = |part, error| Miss::error(format!("{part} of an input of topic {topic}: {error}"));
        let mut key = format.key.encode(&record.key).map_err(|error| wrong("key", error))?;
        let value = format.value.encode(&record.value).map_err(|error| wrong("value", error))?;
        let partition = key.as_ref().map_or(0, |key| partition_for(key, partitions.max(1)));
        if let (Some(key), Some(window)) = (&mut key, record.window) {
            append_window(key, window);
        }
        let mut records = Records::default();
        let headers = record.headers.as_deref().unwrap_or(&[]);
        records.push_with_headers(key.as_deref(), value.as_deref(), record.timestamp.unwrap_or(0), headers);
        let partition = TopicPartition { topic: topic.clone(), partition };
        log.append(&partition, &records)
            .map_err(|error| Miss::error(format!("input of topic {topic}: {error}")))
            .map(|_| ())
    }
}

/// The topic of a CREATE STREAM or TABLE over a topic whose partitions it doesn't state.
fn topic_taken_for_granted(statement: &str) -> Option<String> {
    let parsed = sql::parse(statement).ok()?;
    let Some(Statement::CreateSource { properties, .. }) = parsed.into_iter().next().map(|parsed| parsed.statement)
    else {
        return None;
    };
    let property = |name: &str| properties.iter().find(|(property, _)| property.text == name).map(|(_, value)| value);
    match (property("PARTITIONS"), property("KAFKA_TOPIC")) {
        (None, Some(Literal::String(topic))) => Some(topic.clone()),
        _ => None,
    }
}

/// Reads topics as they grow, so that the order across partitions is known as far as the inputs fix it.
#[derive(Debug, Default)]
pub struct Collector {
    positions: BTreeMap<TopicPartition, i64>,
    collected: BTreeMap<String, VecDeque<Step>>,
}

/// What one input brought to a topic: the records of each partition.
type Step = Vec<VecDeque<LogRecord>>;

impl Collector {
    /// Takes what is new on these topics. A topic that is not there has nothing new.
    pub fn collect<'t>(
        &mut self,
        subject: &dyn Subject,
        topics: impl IntoIterator<Item = &'t str>,
    ) -> Result<(), Miss> {
        for topic in topics {
            let step = self.fetch_new(subject, topic)?;
            if !step.is_empty() {
                self.collected.entry(topic.to_owned()).or_default().push_back(step);
            }
        }
        Ok(())
    }

    /// The new records of a topic, by partition; partitions without any left out.
    fn fetch_new(&mut self, subject: &dyn Subject, topic: &str) -> Result<Step, Miss> {
        let log = subject.log();
        let mut step = Step::new();
        for partition in 0..log.partitions(topic).unwrap_or(0) {
            let place = TopicPartition { topic: topic.to_owned(), partition };
            let wrong = |error: LogError| Miss::error(format!("topic {topic} can't be read: {error}"));
            let (first, next) = log.offsets(&place).map_err(wrong)?;
            let position = self.positions.entry(place.clone()).or_insert(first);
            *position = (*position).max(first);
            let mut found = VecDeque::new();
            while *position < next {
                let mut records = Records::default();
                log.fetch(&place, *position, FETCH_BYTES_MAX, &mut records).map_err(wrong)?;
                found.extend((0..records.len()).map(|row| LogRecord::of(&records, row, partition)));
                if records.next_offset <= *position {
                    break;
                }
                *position = records.next_offset;
            }
            if !found.is_empty() {
                step.push(found);
            }
        }
        Ok(step)
    }

    /// Takes the records of a topic, in the order in which they came. `is_next` tells whether a record is the one that
    /// is expected next, given how many were taken before (see [`Collector::next`]).
    pub fn take(&mut self, topic: &str, is_next: impl Fn(usize, &LogRecord) -> bool) -> Vec<LogRecord> {
        let mut taken = Vec::new();
        while let Some(record) = self.next(topic, |record| is_next(taken.len(), record)) {
            taken.push(record);
        }
        taken
    }

    /// Takes the next record of a topic. What one input brought to several partitions has no order across them: there
    /// `is_next` picks among the first records left of each partition; else the lowest partition's comes.
    pub fn next(&mut self, topic: &str, is_next: impl Fn(&LogRecord) -> bool) -> Option<LogRecord> {
        let steps = self.collected.get_mut(topic)?;
        while steps.front().is_some_and(|step| step.iter().all(VecDeque::is_empty)) {
            steps.pop_front();
        }
        let step = steps.front_mut()?;
        step.retain(|partition| !partition.is_empty());
        let fits = |partition: &VecDeque<LogRecord>| partition.front().is_some_and(&is_next);
        let pick = if step.len() > 1 { step.iter().position(fits).unwrap_or(0) } else { 0 };
        step.get_mut(pick).and_then(VecDeque::pop_front)
    }
}

/// A JSON value cut to a length that a person reads.
pub fn shorten(value: &Json) -> String {
    const CHARS_MAX: usize = 400;
    let text = value.to_string();
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_find_their_topics_made() {
        let granted = |statement| topic_taken_for_granted(statement);
        assert_eq!(granted("CREATE STREAM s (a INT) WITH (kafka_topic='t', format='JSON');").as_deref(), Some("t"));
        assert_eq!(granted("create or replace source table s WITH (KAFKA_TOPIC = 'T')").as_deref(), Some("T"));
        assert_eq!(granted("-- note\nCREATE TABLE s WITH (KAFKA_TOPIC = 'T')").as_deref(), Some("T"));
        assert_eq!(granted("CREATE STREAM s (a INT) WITH (kafka_topic='t', PARTITIONS=2);"), None);
        assert_eq!(granted("CREATE STREAM s WITH (kafka_topic='t') AS SELECT * FROM r;"), None);
        assert_eq!(granted("DROP STREAM s;"), None);
    }

    #[test]
    fn several_partitions_keep_the_order_that_the_inputs_fix() {
        let record = |partition, offset| LogRecord {
            partition,
            offset,
            timestamp: 0,
            key: None,
            value: None,
            headers: Vec::new(),
        };
        let steps = VecDeque::from([
            vec![VecDeque::from([record(1, 0)])],
            vec![VecDeque::from([record(0, 0), record(0, 1)]), VecDeque::from([record(1, 1)])],
        ]);
        let mut collector = Collector { collected: BTreeMap::from([("t".to_owned(), steps)]), ..Default::default() };
        let wanted = [(1, 0), (0, 0), (1, 1), (0, 1)];
        let taken = collector.take("t", |i, record| wanted.get(i) == Some(&(record.partition, record.offset)));
        let places: Vec<_> = taken.iter().map(|record| (record.partition, record.offset)).collect();
        assert_eq!(places, wanted);
    }
}
