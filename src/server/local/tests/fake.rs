//! A log in memory and a face with a few statements, for the tests of the socket.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arrow::datatypes::i256;
use parking_lot::Mutex;

use crate::engine::{
    Face, Facts, GroupKind, GroupStanding, Reply, Rest, ResultColumn, Row, RowEvent, RowStream, Session, Status, Told,
    Trial,
};
use crate::error::{Error, Result};
use crate::log::{
    Durability, GroupDescription, GroupMember, GroupState, Log, LogError, PartitionDescription, Records, Signal,
    TopicConfig, TopicDescription, TopicPartition, TopicSpec, Transaction,
};
use crate::sql::ast::Location;
use crate::types::{SqlType, Value};

#[derive(Default)]
struct Partition {
    first: i64,
    records: Records,
}

#[derive(Default)]
pub struct FakeLog {
    topics: Mutex<BTreeMap<String, (TopicSpec, Vec<Partition>)>>,
    positions: Mutex<BTreeMap<String, BTreeMap<TopicPartition, i64>>>,
    watchers: Mutex<Vec<Weak<Signal>>>,
    pub syncs: AtomicUsize,
}

impl FakeLog {
    /// Watches whose signal lives.
    pub fn watchers(&self) -> usize {
        self.watchers.lock().iter().filter(|signal| signal.strong_count() > 0).count()
    }

    fn with<T>(
        &self,
        at: &TopicPartition,
        run: impl FnOnce(&mut Partition) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let mut topics = self.topics.lock();
        let (_, partitions) = topics.get_mut(&at.topic).ok_or_else(|| LogError::UnknownTopic(at.topic.clone()))?;
        let unknown = LogError::UnknownPartition { topic: at.topic.clone(), partition: at.partition };
        run(partitions.get_mut(at.partition as usize).ok_or(unknown)?)
    }

    fn with_topic<T>(
        &self,
        topic: &str,
        run: impl FnOnce(&mut TopicSpec, &mut Vec<Partition>) -> T,
    ) -> Result<T, LogError> {
        let mut topics = self.topics.lock();
        let (spec, partitions) = topics.get_mut(topic).ok_or_else(|| LogError::UnknownTopic(topic.into()))?;
        Ok(run(spec, partitions))
    }
}

fn copy(from: &Records, row: usize, offset: i64, into: &mut Records) {
    let headers = from.headers(row);
    into.push_with_headers(from.key(row), from.value(row), from.meta[row].timestamp, &headers);
    into.meta.last_mut().unwrap().offset = offset;
}

fn described(group: &str) -> GroupDescription {
    let member = GroupMember {
        id: "member-1".into(),
        client: "c".into(),
        host: "/127.0.0.1".into(),
        partitions: vec![TopicPartition { topic: "t".into(), partition: 1 }],
    };
    let (state, members) = match group {
        "busy" => (GroupState::Stable, vec![member]),
        _ => (GroupState::Empty, Vec::new()),
    };
    GroupDescription { name: group.into(), state, members }
}

impl Log for FakeLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        let mut topics = self.topics.lock();
        if topics.contains_key(&spec.name) {
            return Err(LogError::TopicExists(spec.name.clone()));
        }
        let partitions = (0..spec.partitions).map(|_| Partition::default()).collect();
        topics.insert(spec.name.clone(), (spec.clone(), partitions));
        Ok(())
    }

    fn alter_topic(
        &self,
        topic: &str,
        count: Option<u32>,
        configs: &[(String, Option<String>)],
    ) -> Result<(), LogError> {
        self.with_topic(topic, |spec, partitions| {
            if let Some(count) = count {
                partitions.resize_with(count as usize, Partition::default);
            }
            for (name, value) in configs {
                match value {
                    Some(value) => drop(spec.configs.insert(name.clone(), value.clone())),
                    None => drop(spec.configs.remove(name)),
                }
            }
        })
    }

    fn empty_topic(&self, topic: &str) -> Result<(), LogError> {
        self.with_topic(topic, |_, partitions| {
            for partition in partitions {
                partition.first = partition.records.next_offset;
            }
        })
    }

    fn delete_records(&self, partition: &TopicPartition, below: i64) -> Result<(), LogError> {
        self.with(partition, |partition| {
            partition.first = partition.first.max(below);
            Ok(())
        })
    }

    fn delete_topic(&self, topic: &str) -> Result<(), LogError> {
        self.topics.lock().remove(topic).map(drop).ok_or_else(|| LogError::UnknownTopic(topic.into()))
    }

    fn topics(&self) -> Vec<String> {
        self.topics.lock().keys().cloned().collect()
    }

    fn describe_topic(&self, topic: &str) -> Result<TopicDescription, LogError> {
        self.with_topic(topic, |spec, partitions| TopicDescription {
            name: topic.into(),
            id: None,
            partitions: partitions
                .iter()
                .map(|partition| PartitionDescription {
                    first_offset: partition.first,
                    next_offset: partition.records.next_offset,
                    bytes: Some(partition.records.data.len() as u64),
                    replication: None,
                })
                .collect(),
            configs: spec
                .configs
                .iter()
                .map(|(name, value)| TopicConfig { name: name.clone(), value: value.clone(), is_default: false })
                .collect(),
            internal: true,
        })
    }

    fn partitions(&self, topic: &str) -> Option<u32> {
        self.with_topic(topic, |_, partitions| partitions.len() as u32).ok()
    }

    fn offsets(&self, partition: &TopicPartition) -> Result<(i64, i64), LogError> {
        self.with(partition, |partition| Ok((partition.first, partition.records.next_offset)))
    }

    fn offset_for_time(&self, partition: &TopicPartition, timestamp: i64) -> Result<i64, LogError> {
        self.with(partition, |partition| {
            let found = partition.records.meta.iter().find(|meta| meta.timestamp >= timestamp);
            Ok(found.map_or(partition.records.next_offset, |meta| meta.offset))
        })
    }

    fn fetch(&self, at: &TopicPartition, from: i64, bytes_max: usize, into: &mut Records) -> Result<(), LogError> {
        into.clear();
        self.with(at, |partition| {
            let (first, next) = (partition.first, partition.records.next_offset);
            if from < first || from > next {
                let (topic, partition) = (at.topic.clone(), at.partition);
                return Err(LogError::OffsetOutOfRange { topic, partition, asked: from, first, next });
            }
            into.next_offset = from;
            while into.next_offset < next && (into.is_empty() || into.data.len() < bytes_max) {
                copy(&partition.records, into.next_offset as usize, into.next_offset, into);
                into.next_offset += 1;
            }
            Ok(())
        })
    }

    fn append(&self, partition: &TopicPartition, records: &Records) -> Result<i64, LogError> {
        let first = self.with(partition, |partition| {
            let first = partition.records.next_offset;
            for row in 0..records.len() {
                copy(records, row, first + row as i64, &mut partition.records);
            }
            partition.records.next_offset += records.len() as i64;
            Ok(first)
        })?;
        self.watchers.lock().iter().filter_map(Weak::upgrade).for_each(|signal| signal.ring());
        Ok(first)
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        Ok(Box::new(FakeTransaction { log: self, appends: Vec::new(), positions: Vec::new() }))
    }

    fn positions(&self, group: &str) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        Ok(self.positions.lock().get(group).cloned().unwrap_or_default())
    }

    fn groups(&self) -> Result<Vec<String>, LogError> {
        Ok(self.positions.lock().keys().cloned().collect())
    }

    fn delete_group(&self, group: &str) -> Result<(), LogError> {
        self.positions.lock().remove(group);
        Ok(())
    }

    /// A group named `busy` has a member.
    fn describe_groups(&self, groups: &[String]) -> Result<Vec<GroupDescription>, LogError> {
        Ok(groups.iter().map(|name| described(name)).collect())
    }

    fn alter_positions(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
        match described(group).members.len() {
            0 => self.positions.lock().entry(group.into()).or_default().extend(positions.clone()),
            members => return Err(LogError::GroupAtWork { group: group.into(), members }),
        }
        Ok(())
    }

    fn watch(&self, _topics: &[String], signal: &Arc<Signal>) {
        self.watchers.lock().push(Arc::downgrade(signal));
    }

    fn durability(&self) -> Durability {
        Durability::Power
    }

    fn sync(&self) -> Result<(), LogError> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        let cause = Arc::new(std::io::Error::from_raw_os_error(28));
        Err(LogError::Io { what: "sync".into(), cause })
    }
}

struct FakeTransaction<'a> {
    log: &'a FakeLog,
    appends: Vec<(TopicPartition, Records)>,
    positions: Vec<(String, TopicPartition, i64)>,
}

impl Transaction for FakeTransaction<'_> {
    fn append(&mut self, partition: &TopicPartition, records: &Records) -> Result<(), LogError> {
        self.log.offsets(partition)?;
        self.appends.push((partition.clone(), records.clone()));
        Ok(())
    }

    fn set_position(&mut self, group: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        self.positions.push((group.into(), partition.clone(), offset));
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), LogError> {
        for (partition, records) in &self.appends {
            self.log.append(partition, records)?;
        }
        for (group, partition, offset) in self.positions {
            self.log.positions.lock().entry(group).or_default().insert(partition, offset);
        }
        Ok(())
    }
}

/// Statements: `done`, `listing`, `text`, `error`, `panic`, `set NAME`, `values`, `lines`, `many N`, `silent`, `flood`.
#[derive(Default)]
pub struct FakeFace {
    pub log: Arc<FakeLog>,
    /// Queries that run.
    pub running: Arc<AtomicUsize>,
    /// Events that a flood has got rid of.
    pub flooded: Arc<AtomicUsize>,
}

/// A row with a value of each type.
pub fn all_values() -> Row {
    let decimal = Value::Decimal { unscaled: i256::MIN, precision: 76, scale: 10 };
    let values = vec![
        Value::Null,
        Value::Boolean(true),
        Value::Int(i32::MIN),
        Value::Bigint(i64::MAX),
        Value::Double(f64::NEG_INFINITY),
        decimal.clone(),
        Value::String("한글 \u{1F600} \" \n \u{0}".into()),
        Value::Bytes(vec![0, 255, 10]),
        Value::Time(86_399_999),
        Value::Date(-1),
        Value::Timestamp(i64::MIN),
        Value::Array(vec![Value::Null, Value::Array(vec![decimal])]),
        Value::Map(vec![("k".into(), Value::Null), ("".into(), Value::Int(1))]),
        Value::Struct(vec![("F".into(), Value::Map(vec![]))]),
    ];
    Row { values, tombstone: true }
}

pub fn columns() -> Vec<ResultColumn> {
    let column = |name: &str, ty, key| ResultColumn { name: name.into(), ty, key };
    let nested = SqlType::Struct(vec![("F".into(), SqlType::Array(Box::new(SqlType::Map(Box::new(SqlType::Int)))))]);
    vec![column("A", SqlType::Decimal { precision: 76, scale: 10 }, true), column("b", nested, false)]
}

pub fn place_error() -> Error {
    Error::not_supported("a comet", "use a star").at(Location { line: 3, column: 7 })
}

pub fn told() -> Told {
    let ty = SqlType::Struct(vec![("F".into(), SqlType::Decimal { precision: 5, scale: 2 })]);
    Told { facts: Facts::Types(vec![("T".into(), ty), ("한".into(), SqlType::Int)]), warnings: vec!["maybe".into()] }
}

pub fn status() -> Status {
    Status {
        message: "made".into(),
        query_id: Some("CSAS_1".into()),
        warnings: vec!["careful".into()],
        command_offset: Some(7),
    }
}

impl FakeFace {
    fn rows(&self, events: crate::engine::Events) -> Reply {
        self.running.fetch_add(1, Ordering::SeqCst);
        let running = Arc::clone(&self.running);
        Reply::Rows(RowStream {
            columns: columns(),
            query_id: Some("q1".into()),
            events,
            on_drop: Some(Box::new(move || {
                running.fetch_sub(1, Ordering::SeqCst);
            })),
        })
    }

    fn rows_of(&self, events: Vec<RowEvent>) -> Reply {
        let (sender, receiver) = crate::engine::event_channel(events.len(), usize::MAX);
        events.into_iter().for_each(|event| sender.send(event).unwrap());
        self.rows(receiver)
    }

    fn many(&self, count: usize) -> Reply {
        let (sender, receiver) = crate::engine::event_channel(2, usize::MAX);
        std::thread::spawn(move || {
            for i in 0..count {
                let row = Row { values: vec![Value::Bigint(i as i64)], tombstone: false };
                if sender.send(RowEvent::Rows(vec![row])).is_err() {
                    return;
                }
            }
            let _ = sender.send(RowEvent::End("Limit Reached".into()));
        });
        self.rows(receiver)
    }

    /// Never ends, never says a word.
    fn silent(&self) -> Reply {
        let (sender, receiver) = crate::engine::event_channel(2, usize::MAX);
        let running = Arc::clone(&self.running);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            while running.load(Ordering::SeqCst) > 0 {
                std::thread::sleep(Duration::from_millis(10));
            }
            drop(sender);
        });
        self.rows(receiver)
    }

    fn flood(&self) -> Reply {
        let (sender, receiver) = crate::engine::event_channel(2, usize::MAX);
        let flooded = Arc::clone(&self.flooded);
        std::thread::spawn(move || {
            while sender.send(RowEvent::Line("x".repeat(10_000))).is_ok() {
                flooded.fetch_add(1, Ordering::SeqCst);
            }
        });
        self.rows(receiver)
    }
}

impl Face for FakeFace {
    fn await_command(&self, _: i64, _: Duration) -> Result<bool> {
        Ok(false)
    }

    fn insert(&self, target: &str, rows: &[String], _: &BTreeMap<String, String>) -> Result<(), Rest> {
        Err(Rest { written: 0, error: Error::statement(format!("no rows here: {target} {rows:?}")) })
    }

    fn execute(&self, session: &mut Session, statement: &str) -> Result<Reply> {
        let (word, rest) = statement.split_once(' ').unwrap_or((statement, ""));
        match word {
            "done" => Ok(Reply::Done(status())),
            "facts" => Ok(Reply::Facts(told())),
            "error" => Err(place_error()),
            "panic" => panic!("on purpose"),
            "set" => {
                session.properties.insert(rest.into(), "1".into());
                Err(Error::world("set, and failed"))
            }
            "values" => {
                Ok(self.rows_of(vec![RowEvent::Rows(vec![all_values()]), RowEvent::End("Query Completed".into())]))
            }
            "lines" => Ok(self.rows_of(vec![RowEvent::Line("one".into()), RowEvent::Failed(place_error())])),
            "closed" => Ok(self.rows_of(vec![RowEvent::Line("one".into())])),
            "many" => Ok(self.many(rest.parse().unwrap())),
            "silent" => Ok(self.silent()),
            "flood" => Ok(self.flood()),
            _ => Err(Error::statement(format!("'{word}' is no statement"))),
        }
    }

    fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log) as Arc<dyn Log>
    }

    fn layouts(&self) -> std::collections::BTreeMap<String, crate::engine::TopicLayout> {
        std::collections::BTreeMap::new()
    }

    fn topic_users(&self, topic: &str) -> Result<crate::engine::TopicUsers> {
        let names = vec![format!("stream {topic}")];
        Ok(crate::engine::TopicUsers { names, table: Some(("T".into(), "CTAS_T_1".into())) })
    }

    fn groups(&self, wanted: Option<&str>) -> Result<Vec<GroupStanding>> {
        let names = wanted.map_or_else(|| self.log.groups(), |name| Ok(vec![name.to_owned()]))?;
        let described = self.log.describe_groups(&names)?;
        Ok(described
            .into_iter()
            .map(|description| GroupStanding { description, kind: GroupKind::OtherService })
            .collect())
    }

    fn reset_group(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>, trial: Trial) -> Result<()> {
        if group.ends_with("busy") {
            return Err(Error::statement("it is at work").hint("pause it"));
        }
        match trial {
            Trial::Only => Ok(()),
            Trial::No => Ok(self.log.alter_positions(group, positions)?),
        }
    }

    fn names(&self) -> Vec<String> {
        vec!["FLIGHTS".into(), "delays".into()]
    }
}
