//! Doubles for tests: a log in memory without durability, compaction or limits but the record size; an engine that
//! answers a few fixed statements.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::connect::Connected;
use crate::engine::facts::PlanDescription;
use crate::engine::{
    Face, Facts, GroupKind, GroupStanding, QueryOfGroup, Reply, Rest, ResultColumn, Row, RowEvent, RowStream, Session,
    Status, Told, Trial, event_channel,
};
use crate::error::{Error, Result};
use crate::log::{
    Durability, GroupDescription, GroupState, Log, LogError, PartitionDescription, Records, Signal, TopicConfig,
    TopicDescription, TopicPartition, TopicSpec, Transaction,
};
use crate::sql::ast::Location;
use crate::types::{SqlType, Value};

#[derive(Default)]
pub struct FakeLog {
    topics: Mutex<BTreeMap<String, Vec<Records>>>,
    positions: Mutex<BTreeMap<String, BTreeMap<TopicPartition, i64>>>,
    /// How many appends there were.
    pub appends: Mutex<usize>,
}

/// As the topics of the fake tell it.
pub const MAX_MESSAGE_BYTES: usize = 1000;

impl FakeLog {
    pub fn with_topic(topic: &str, partitions: u32) -> Arc<Self> {
        let log = FakeLog::default();
        log.topics.lock().insert(topic.to_owned(), vec![Records::default(); partitions as usize]);
        Arc::new(log)
    }

    /// (key, value, timestamp) of all records of a partition; `-` for null.
    pub fn texts(&self, topic: &str, partition: usize) -> Vec<(String, String, i64)> {
        let topics = self.topics.lock();
        let records = &topics[topic][partition];
        let text = |bytes: Option<&[u8]>| bytes.map_or("-".into(), |b| String::from_utf8_lossy(b).into_owned());
        (0..records.len())
            .map(|row| (text(records.key(row)), text(records.value(row)), records.meta[row].timestamp))
            .collect()
    }

    fn with<T>(&self, place: &TopicPartition, work: impl FnOnce(&mut Records) -> T) -> Result<T, LogError> {
        let mut topics = self.topics.lock();
        let partitions = topics.get_mut(&place.topic).ok_or_else(|| LogError::UnknownTopic(place.topic.clone()))?;
        let unknown = LogError::UnknownPartition { topic: place.topic.clone(), partition: place.partition };
        Ok(work(partitions.get_mut(place.partition as usize).ok_or(unknown)?))
    }
}

fn unsupported<T>() -> Result<T, LogError> {
    Err(LogError::Invalid("the fake can't".into()))
}

impl Log for FakeLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        let mut topics = self.topics.lock();
        if topics.contains_key(&spec.name) {
            return Err(LogError::TopicExists(spec.name.clone()));
        }
        topics.insert(spec.name.clone(), vec![Records::default(); spec.partitions as usize]);
        Ok(())
    }

    fn alter_topic(&self, _: &str, _: Option<u32>, _: &[(String, Option<String>)]) -> Result<(), LogError> {
        unsupported()
    }

    fn empty_topic(&self, _: &str) -> Result<(), LogError> {
        unsupported()
    }

    fn delete_records(&self, _: &TopicPartition, _: i64) -> Result<(), LogError> {
        unsupported()
    }

    fn delete_topic(&self, topic: &str) -> Result<(), LogError> {
        self.topics.lock().remove(topic).map(|_| ()).ok_or_else(|| LogError::UnknownTopic(topic.to_owned()))
    }

    fn topics(&self) -> Vec<String> {
        self.topics.lock().keys().cloned().collect()
    }

    fn describe_topic(&self, topic: &str) -> Result<TopicDescription, LogError> {
        let topics = self.topics.lock();
        let partitions = topics.get(topic).ok_or_else(|| LogError::UnknownTopic(topic.to_owned()))?;
        let describe = |records: &Records| PartitionDescription {
            first_offset: 0,
            next_offset: records.len() as i64,
            bytes: Some(records.data.len() as u64),
            replication: None,
        };
        Ok(TopicDescription {
            name: topic.to_owned(),
            id: None,
            partitions: partitions.iter().map(describe).collect(),
            configs: vec![TopicConfig {
                name: "max.message.bytes".into(),
                value: MAX_MESSAGE_BYTES.to_string(),
                is_default: true,
            }],
            internal: topic.starts_with('_'),
        })
    }

    fn partitions(&self, topic: &str) -> Option<u32> {
        self.topics.lock().get(topic).map(|partitions| partitions.len() as u32)
    }

    fn offsets(&self, place: &TopicPartition) -> Result<(i64, i64), LogError> {
        self.with(place, |records| (0, records.len() as i64))
    }

    fn offset_for_time(&self, _: &TopicPartition, _: i64) -> Result<i64, LogError> {
        unsupported()
    }

    /// Whole batches of up to 3 records, which can begin before `from`.
    fn fetch(&self, place: &TopicPartition, from: i64, _: usize, into: &mut Records) -> Result<(), LogError> {
        self.with(place, |records| {
            into.clear();
            into.data.clone_from(&records.data);
            let begin = from as usize / 3 * 3;
            into.meta.extend(records.meta.iter().enumerate().skip(begin).take(3).map(|(i, meta)| {
                let mut meta = *meta;
                meta.offset = i as i64;
                meta
            }));
            if from as usize >= records.len() {
                into.meta.clear();
            }
            into.next_offset = into.meta.last().map_or(from, |meta| meta.offset + 1);
        })
    }

    fn append(&self, place: &TopicPartition, records: &Records) -> Result<i64, LogError> {
        *self.appends.lock() += 1;
        self.with(place, |into| {
            let first = into.len() as i64;
            for row in 0..records.len() {
                into.push_with_headers(
                    records.key(row),
                    records.value(row),
                    records.meta[row].timestamp,
                    &records.headers(row),
                );
            }
            first
        })
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        Ok(Box::new(FakeTransaction { log: self, positions: Vec::new() }))
    }

    fn positions(&self, group: &str) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        Ok(self.positions.lock().get(group).cloned().unwrap_or_default())
    }

    fn groups(&self) -> Result<Vec<String>, LogError> {
        Ok(self.positions.lock().keys().cloned().collect())
    }

    fn delete_group(&self, _: &str) -> Result<(), LogError> {
        unsupported()
    }

    /// Nobody is at work.
    fn describe_groups(&self, groups: &[String]) -> Result<Vec<GroupDescription>, LogError> {
        let positions = self.positions.lock();
        let state = |name: &String| if positions.contains_key(name) { GroupState::Empty } else { GroupState::Dead };
        let group = |name: &String| GroupDescription { name: name.clone(), state: state(name), members: Vec::new() };
        Ok(groups.iter().map(group).collect())
    }

    fn alter_positions(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
        self.positions.lock().entry(group.to_owned()).or_default().extend(positions.clone());
        Ok(())
    }

    fn watch(&self, _: &[String], _: &Arc<Signal>) {}

    fn durability(&self) -> Durability {
        Durability::Process
    }

    fn sync(&self) -> Result<(), LogError> {
        Ok(())
    }
}

struct FakeTransaction<'a> {
    log: &'a FakeLog,
    positions: Vec<(String, TopicPartition, i64)>,
}

impl Transaction for FakeTransaction<'_> {
    fn append(&mut self, _: &TopicPartition, _: &Records) -> Result<(), LogError> {
        unsupported()
    }

    fn set_position(&mut self, group: &str, place: &TopicPartition, offset: i64) -> Result<(), LogError> {
        self.positions.push((group.to_owned(), place.clone(), offset));
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), LogError> {
        for (group, place, offset) in self.positions {
            self.log.positions.lock().entry(group).or_default().insert(place, offset);
        }
        Ok(())
    }
}

/// Answers `LIST`, `ROWS`, `PUSH`, `LINES`, `TEXT`, `FAIL` (at its second line); all else is done.
pub struct FakeFace {
    pub log: Arc<FakeLog>,
    /// What it was asked, as it was asked.
    pub asked: Mutex<Vec<String>>,
}

fn told(facts: Facts) -> Reply {
    Reply::Facts(Told { facts, warnings: Vec::new() })
}

impl Face for FakeFace {
    fn await_command(&self, _: i64, _: Duration) -> Result<bool> {
        Ok(false)
    }

    fn insert(&self, target: &str, rows: &[String], _: &BTreeMap<String, String>) -> Result<(), Rest> {
        Err(Rest { written: 0, error: Error::statement(format!("no rows here: {target} {rows:?}")) })
    }

    fn execute(&self, session: &mut Session, statement: &str) -> Result<Reply> {
        self.asked.lock().push(statement.to_owned());
        match statement.split_whitespace().next().unwrap_or("").trim_end_matches(';') {
            "LIST" => Ok(told(Facts::Types(vec![("S".into(), SqlType::Int)]))),
            "TEXT" => Ok(told(Facts::Plan(Box::new(PlanDescription {
                query: None,
                statement: statement.into(),
                columns: Vec::new(),
                sources: Vec::new(),
                sink: None,
                steps: "two\nlines\n".into(),
            })))),
            "ROWS" => Ok(rows(None, vec![RowEvent::Rows(made_rows()), RowEvent::End("Query Completed".into())])),
            "PUSH" => {
                Ok(rows(Some("Q1".into()), vec![RowEvent::Rows(made_rows()), RowEvent::End("Limit Reached".into())]))
            }
            "BREAK" => Ok(rows(
                Some("Q2".into()),
                vec![RowEvent::Rows(made_rows()), RowEvent::Failed(Error::world("disk full"))],
            )),
            "LINES" => Ok(lines()),
            "SET" => {
                session.properties.insert("set".into(), "1".into());
                Ok(done("Set"))
            }
            "FAIL" => Err(Error::statement("no such thing").at(Location { line: 2, column: 3 }).hint("try another")),
            _ => Ok(done("Done")),
        }
    }

    fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log) as Arc<dyn Log>
    }

    fn layouts(&self) -> std::collections::BTreeMap<String, crate::engine::TopicLayout> {
        std::collections::BTreeMap::new()
    }

    /// Topics named `used...` hold a table of a query.
    fn topic_users(&self, topic: &str) -> Result<crate::engine::TopicUsers> {
        let mut users = crate::engine::TopicUsers::default();
        if topic.starts_with("used") {
            users.names = vec!["table T".into(), "query CTAS_T_1".into()];
            users.table = Some(("T".into(), "CTAS_T_1".into()));
        }
        Ok(users)
    }

    /// Groups named `query...` are of the query of that id, which reads `t` and is at work when it is named `..._BUSY`.
    fn groups(&self, wanted: Option<&str>) -> Result<Vec<GroupStanding>> {
        let names = wanted.map_or_else(|| self.log.groups(), |name| Ok(vec![name.to_owned()]))?;
        let described = self.log.describe_groups(&names)?;
        Ok(described.into_iter().map(standing).collect())
    }

    fn reset_group(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>, trial: Trial) -> Result<()> {
        if group.ends_with("_BUSY") {
            return Err(Error::statement("it is at work").hint("pause it"));
        }
        match trial {
            Trial::Only => Ok(()),
            Trial::No => Ok(self.log.alter_positions(group, positions)?),
        }
    }

    fn names(&self) -> Vec<String> {
        vec!["FLIGHTS".into()]
    }
}

fn standing(description: GroupDescription) -> GroupStanding {
    let kind = match description.name.strip_prefix("query") {
        Some(_) => GroupKind::Query(QueryOfGroup { id: description.name.to_uppercase(), topics: vec!["t".to_owned()] }),
        None => GroupKind::Consumer,
    };
    GroupStanding { description, kind }
}

fn done(message: &str) -> Reply {
    Reply::Done(Status { message: message.into(), ..Status::default() })
}

fn made_rows() -> Vec<Row> {
    vec![
        Row { values: vec![Value::Int(1), Value::String("한".into())], tombstone: false },
        Row { values: vec![Value::Int(2), Value::Null], tombstone: true },
    ]
}

fn rows(query_id: Option<String>, events: Vec<RowEvent>) -> Reply {
    let (sender, receiver) = event_channel(10, usize::MAX);
    for event in events {
        sender.send(event).unwrap();
    }
    let columns = vec![ResultColumn::new("ID", SqlType::Int), ResultColumn::new("NAME", SqlType::String)];
    Reply::Rows(RowStream { columns, query_id, events: receiver, on_drop: None })
}

fn lines() -> Reply {
    let (sender, events) = event_channel(10, usize::MAX);
    sender.send(RowEvent::Line("key: a, value: 1".into())).unwrap();
    sender.send(RowEvent::End(String::new())).unwrap();
    Reply::Rows(RowStream { columns: Vec::new(), query_id: None, events, on_drop: None })
}

/// A connection to the doubles.
pub fn connected(log: &Arc<FakeLog>) -> (Connected, Arc<FakeFace>) {
    let face = Arc::new(FakeFace { log: Arc::clone(log), asked: Mutex::default() });
    let connected = Connected {
        face: Arc::clone(&face) as Arc<dyn Face>,
        log: Arc::clone(log) as Arc<dyn Log>,
        idle_owner: None,
        owner: true,
        functions: Vec::new(),
        shower: Arc::default(),
        properties: Default::default(),
        shutdown: None,
    };
    (connected, face)
}
