mod aging;
mod basic;
mod crash;
mod damage;
mod random;

use std::collections::BTreeMap;

use super::*;
use crate::storage::faulty::Faulty;

/// A log on a storage that can fail, without a thread and without a close at its end.
fn open_on(storage: &Faulty, options: EmbeddedOptions) -> Result<EmbeddedLog, LogError> {
    let inner = Inner::open(Box::new(storage.clone()), options, false)?;
    Ok(EmbeddedLog { inner: Arc::new(inner), background: None, _lock: None })
}

/// Nothing happens by itself, and any number of free bytes will do.
fn quiet() -> EmbeddedOptions {
    EmbeddedOptions { disk_free_min_bytes: 0, maintain_interval: None, ..EmbeddedOptions::default() }
}

/// All that a log holds: per partition the first and the next offset and the rows between; positions.
#[derive(Debug, Clone, Default, PartialEq)]
struct Contents {
    topics: BTreeMap<String, Vec<(i64, i64, Vec<Row>)>>,
    positions: BTreeMap<(String, TopicPartition), i64>,
}

fn contents(log: &EmbeddedLog) -> Result<Contents, LogError> {
    let mut contents = Contents::default();
    for topic in log.topics() {
        let mut partitions = Vec::new();
        for partition in 0..log.partitions(&topic).unwrap() {
            let (first, next) = log.offsets(&at(&topic, partition))?;
            partitions.push((first, next, read_all(log, &at(&topic, partition))?));
        }
        contents.topics.insert(topic, partitions);
    }
    for group in log.groups().unwrap() {
        contents.positions.extend(log.positions(&group)?.into_iter().map(|(at, offset)| ((group.clone(), at), offset)));
    }
    Ok(contents)
}

fn at(topic: &str, partition: u32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), partition }
}

fn spec(name: &str, partitions: u32, configs: &[(&str, &str)]) -> TopicSpec {
    let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    TopicSpec { name: name.to_owned(), partitions, replicas: None, configs }
}

/// Records with keys `k<i>` and values `v<i>`, at time `i`.
fn numbered(range: std::ops::Range<i64>) -> Records {
    let mut records = Records::default();
    for i in range {
        records.push(Some(format!("k{i}").as_bytes()), Some(format!("v{i}").as_bytes()), i);
    }
    records
}

/// Offset, key, value, timestamp.
type Row = (i64, Option<Vec<u8>>, Option<Vec<u8>>, i64);

fn rows(records: &Records) -> Vec<Row> {
    let row = |i: usize| {
        let meta = &records.meta[i];
        let part = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
        (meta.offset, part(records.key(i)), part(records.value(i)), meta.timestamp)
    };
    (0..records.len()).map(row).collect()
}

fn read_from(log: &EmbeddedLog, at: &TopicPartition, from: i64, bytes_max: usize) -> Result<Vec<Row>, LogError> {
    let mut records = Records::default();
    let (mut all, mut from) = (Vec::new(), from);
    loop {
        log.fetch(at, from, bytes_max, &mut records)?;
        if records.is_empty() {
            return Ok(all);
        }
        assert!(records.next_offset > from);
        from = records.next_offset;
        all.extend(rows(&records));
    }
}

/// All records of a partition.
fn read_all(log: &EmbeddedLog, at: &TopicPartition) -> Result<Vec<Row>, LogError> {
    let (first, _) = log.offsets(at)?;
    read_from(log, at, first, 1 << 20)
}

fn values(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| String::from_utf8_lossy(row.2.as_deref().unwrap_or(b"null")).into_owned()).collect()
}
