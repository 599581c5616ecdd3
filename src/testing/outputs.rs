//! The records that must be on the sink topics.

use std::collections::BTreeSet;

use super::drive::{Collector, Drive};
use super::record::{LogRecord, ReadRecord, StatedRecord, TopicFormat, differences};
use super::verdict::Miss;

/// Compares what was collected with what is stated, topic after topic in the order in which they are first named.
pub fn check(drive: &Drive<'_>, collector: &mut Collector, stated: &[StatedRecord]) -> Result<(), Miss> {
    let mut seen = BTreeSet::new();
    for record in stated {
        if seen.insert(&record.topic) {
            let expected: Vec<_> = stated.iter().filter(|other| other.topic == record.topic).collect();
            check_topic(drive, collector, &record.topic, &expected)?;
        }
    }
    Ok(())
}

fn check_topic(
    drive: &Drive<'_>,
    collector: &mut Collector,
    topic: &str,
    expected: &[&StatedRecord],
) -> Result<(), Miss> {
    if drive.subject.log().partitions(topic).is_none() {
        return Err(Miss::fail(format!("topic {topic} does not exist; {} records expected", expected.len())));
    }
    let format = drive.format(topic);
    let is_next = |i: usize, record: &LogRecord| {
        let read = ReadRecord::read(record, &format);
        expected.get(i).is_some_and(|expected| read.is_ok_and(|read| differences(expected, &read, &format).is_empty()))
    };
    let actual = collector.take(topic, is_next);
    for (i, (expected, actual)) in expected.iter().zip(&actual).enumerate() {
        check_record(topic, i, expected, actual, &format)?;
    }
    check_count(topic, expected, &actual, &format)
}

fn check_record(
    topic: &str,
    index: usize,
    expected: &StatedRecord,
    actual: &LogRecord,
    format: &TopicFormat,
) -> Result<(), Miss> {
    let place = format!("record {} of topic {topic}", index + 1);
    let read = ReadRecord::read(actual, format).map_err(|error| {
        Miss::fail(format!("{place} can't be read as its topic's format: {error}\n  expected: {expected}"))
    })?;
    let differences = differences(expected, &read, format);
    if differences.is_empty() {
        return Ok(());
    }
    let marks: String = differences.iter().map(|difference| format!("\n  > {difference}")).collect();
    Err(Miss::fail(format!("{place} differs{marks}\n  expected: {expected}\n  actual:   {read}")))
}

fn check_count(
    topic: &str,
    expected: &[&StatedRecord],
    actual: &[LogRecord],
    format: &TopicFormat,
) -> Result<(), Miss> {
    let counts = format!("topic {topic} has {} records, {} expected", actual.len(), expected.len());
    match (expected.get(actual.len()), actual.get(expected.len())) {
        (Some(missing), _) => Err(Miss::fail(format!("{counts}\n  missing:  {missing}"))),
        (None, Some(extra)) => {
            let extra = match ReadRecord::read(extra, format) {
                Ok(read) => read.to_string(),
                Err(error) => format!("can't be read: {error}"),
            };
            Err(Miss::fail(format!("{counts}\n  too many: {extra}")))
        }
        (None, None) => Ok(()),
    }
}
