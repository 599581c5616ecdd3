//! Runs over a log in memory: what a round makes is bounded, and no result depends on where it was cut.

mod cuts;
mod foreign_key;
mod holds;
mod idle;
mod interrupted;
mod large;
mod memory;
mod self_joins;
mod shares;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Counters, Guarantee, Host, Run, RunSpec, SinkSpec, Start, Strict, changelog_topics};

/// The topic of the state of the aggregate in these tests' query.
fn changelog_topic(group: &str) -> String {
    format!("{group}-Aggregate-Aggregate-Materialize-changelog")
}

use crate::analyze::{Sink, create_as};
use crate::catalog::SourceKind;
use crate::engine::{Engine, Face, Options, Session};
use crate::log::{Log, Records, TopicPartition, TopicSpec};
use crate::query::View;
use crate::sql::ast::Statement;
use crate::state::MemoryBudget;

const GROUP: &str = "query";
const SINK: &str = "sink";
const PROCESSING_LOG: &str = "processing-log";

/// A query over topics, and the log it works on.
struct World {
    log: Arc<dyn Log>,
    sink: Sink,
    /// Of each topic.
    partitions: u32,
    cache_bytes_max: usize,
}

impl World {
    /// Of one source, S over the topic `s`, with these columns.
    fn new(log: Arc<dyn Log>, columns: &str, partitions: u32, statement: &str) -> World {
        World::of(log, &[("s", columns)], partitions, statement)
    }

    /// `sources`: name (and that of its topic) and columns of each, a table when one of them is its primary key; `name@topic` is
    /// one more over a topic. `statement`: the CREATE ... AS SELECT that reads them.
    fn of(log: Arc<dyn Log>, sources: &[(&str, &str)], partitions: u32, statement: &str) -> World {
        let engine = Engine::stepped(Options::default()).unwrap();
        for (name, columns) in sources {
            let kind = if columns.contains("PRIMARY KEY") { "TABLE" } else { "STREAM" };
            let (name, topic) = name.split_once('@').unwrap_or((name, name));
            let with = format!("KAFKA_TOPIC='{topic}', VALUE_FORMAT='JSON', PARTITIONS=1");
            let source = format!("CREATE {kind} {name} ({columns}) WITH ({with});");
            engine.execute(&mut Session::default(), &source).unwrap();
        }
        let parsed = crate::sql::parse(statement).unwrap();
        let Statement::CreateAs { kind, name, properties, query, .. } = &parsed[0].statement else {
            panic!("{statement} makes no query");
        };
        let settings = BTreeMap::new();
        let mut sink = create_as(*kind, name, properties, query, statement, &engine.catalog(), &settings).unwrap();
        sink.source.topic = SINK.to_string();
        let changelogs = changelog_topics(GROUP, &sink.analyzed.plan).concat();
        let topics = sources.iter().map(|(name, _)| (*name).to_string()).filter(|name| !name.contains('@'));
        let topics = topics.chain(changelogs).chain([SINK.to_string()]).map(|name| (name, partitions));
        for (name, partitions) in topics.chain([(PROCESSING_LOG.to_string(), 1)]) {
            let spec = TopicSpec { name, partitions, replicas: None, configs: BTreeMap::new() };
            log.create_topic(&spec).unwrap();
        }
        World { log, sink, partitions, cache_bytes_max: 0 }
    }

    fn append(&self, partition: u32, records: &Records) {
        self.log.append(&place("s", partition), records).unwrap();
    }

    fn spec(&self, memory: &Arc<MemoryBudget>) -> RunSpec {
        let source = Arc::new(self.sink.source.clone());
        let is_table = source.kind == SourceKind::Table;
        let view = is_table.then(|| Arc::new(View::of_query(source.clone(), self.partitions, None, memory)));
        RunSpec {
            id: "Q".to_string(),
            plan: Arc::new(self.sink.analyzed.plan.clone()),
            sink: Some(SinkSpec { source, partitions: self.partitions, view, keeping: None }),
            cache_bytes_max: self.cache_bytes_max,
            strict: Strict::default(),
            idle_max: std::time::Duration::ZERO,
            start: Start::Earliest,
            durable: true,
            group: GROUP.to_string(),
            processing_log: PROCESSING_LOG.to_string(),
            guarantee: Guarantee::ExactlyOnce,
            snapshots: None,
        }
    }

    fn open(&self, host: &Host) -> crate::error::Result<Run> {
        Run::open(self.log.clone(), self.spec(&host.memory), host.clone())
    }

    /// All that the query has written: the values of each key in their order, windows among the keys.
    fn written(&self) -> BTreeMap<Vec<u8>, Vec<String>> {
        let mut written: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
        for partition in 0..self.partitions {
            for (key, value) in read(&*self.log, &place(SINK, partition)) {
                written.entry(key).or_default().push(value);
            }
        }
        written
    }

    /// The entries of the processing log, sorted.
    fn told(&self) -> Vec<String> {
        let mut told: Vec<String> =
            read(&*self.log, &place(PROCESSING_LOG, 0)).into_iter().map(|(_, value)| value).collect();
        told.sort();
        told
    }
}

fn place(topic: &str, partition: u32) -> TopicPartition {
    TopicPartition { topic: topic.to_string(), partition }
}

fn read(log: &dyn Log, place: &TopicPartition) -> Vec<(Vec<u8>, String)> {
    let mut all = Vec::new();
    crate::log::for_each_fetch(log, place, None, None, &mut |records| {
        for row in 0..records.len() {
            let value = String::from_utf8_lossy(records.value(row).unwrap_or(b"null")).to_string();
            all.push((records.key(row).unwrap_or_default().to_vec(), value));
        }
        Ok(())
    })
    .unwrap();
    all
}
