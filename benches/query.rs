//! A persistent query over bids in a topic, driven from the first record to the last commit, beside our decoder alone.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use millpond::engine::{Engine, Face, Options, Session};
use millpond::internals::{
    Counters, Guarantee, Host, Layout, MemoryBudget, Part, Plan, Run, RunSpec, Sink, SinkSpec, SourceKind, Start,
    Statement, Strict, View, changelog_topics, create_as, decoder, parse,
};
use millpond::log::{Records, TopicPartition, TopicSpec};

use crate::bids::{Batch, layout};
use crate::{Entry, cpu_time};

/// What a query does, and what is expected of it.
pub struct Query {
    pub name: &'static str,
    /// Of the source's declaration, beside its topic and format.
    pub with: &'static str,
    /// Carried out before the query.
    pub before: Vec<String>,
    /// CREATE STREAM | TABLE ... AS SELECT.
    pub statement: String,
    /// The columns that it reads.
    pub wanted: &'static [usize],
    /// What it reads beside the bids.
    pub table: Option<Table>,
    pub floor: f64,
    pub aim: f64,
    /// Rows that it must write.
    pub rows_out: Box<dyn Fn(u64) -> bool>,
}

/// A topic of partition 0 alone that is there from the beginning, and the columns of its values that are read.
pub struct Table {
    pub topic: &'static str,
    pub layout: Layout,
    pub wanted: &'static [usize],
}

/// Of CPU time, which is time on the wall for a process that has its core to itself: the work is the same on a busy machine.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);

/// The query over bids in a topic of `partitions` partitions, in a folder of its own.
pub fn entry(query: Query, bids: Vec<Batch>, partitions: u32) -> Entry {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = Options::default();
    options.log.maintain_interval = None;
    let engine = Engine::open(folder.path(), options).expect("an engine");
    fill(&engine, query.with, &bids, partitions);
    for statement in &query.before {
        engine.execute(&mut Session::default(), statement).expect("a statement");
    }
    let sink = analyzed(&engine, &query.statement);
    let plan = sink.analyzed.plan.clone();
    let mut decode_bids = decoder(&layout(), query.wanted).expect("JSON has all types");
    let mut table = query.table.map(|table| {
        let decoder = decoder(&table.layout, table.wanted).expect("JSON has all types");
        (decoder, all_records(&engine, table.topic))
    });
    let bids = Rc::new(bids);
    let records = Rc::clone(&bids);
    let rounds = Rc::new(Cell::new(0));
    let (done, cleaned) = (Rc::clone(&rounds), engine.clone());
    let group = |round: usize| format!("round-{round}");
    Entry {
        name: query.name,
        bound_name: "our decoder",
        floor: query.floor,
        aim: query.aim,
        rows: bids.iter().map(|batch| batch.records.len()).sum(),
        bytes: bids.iter().map(|batch| batch.records.data.len()).sum(),
        work: Box::new(move || {
            let _folder = &folder;
            let rows_out = drive(&engine, &sink, &group(rounds.get()), partitions);
            assert!((query.rows_out)(rows_out), "the query wrote {rows_out} rows");
        }),
        after: Box::new(move || {
            // Pages that a file gives back are the next round's: fresh ones may have to come from a machine around this one.
            let log = cleaned.log();
            for topic in topics(&group(done.get()), &plan) {
                log.delete_topic(&topic).expect("the topic goes");
            }
            log.sync().expect("its files go");
            done.set(done.get() + 1);
        }),
        bound: Box::new(move || {
            for batch in records.iter() {
                black_box(decode_bids.decode(&batch.records, Part::Value));
            }
            if let Some((decoder, fetches)) = &mut table {
                fetches.iter().for_each(|records| drop(black_box(decoder.decode(records, Part::Value))));
            }
        }),
    }
}

/// Declares the stream of bids and writes them to its topic, round robin.
fn fill(engine: &Engine, with: &str, bids: &[Batch], partitions: u32) {
    let columns: Vec<String> = layout().columns.iter().map(|(name, ty)| format!("{name} {ty}")).collect();
    let statement = format!(
        "CREATE STREAM BIDS ({}) WITH (KAFKA_TOPIC='bids', PARTITIONS={partitions}, VALUE_FORMAT='JSON'{with});",
        columns.join(", ")
    );
    engine.execute(&mut Session::default(), &statement).expect("a stream");
    for (number, batch) in bids.iter().enumerate() {
        let place = TopicPartition { topic: "bids".to_string(), partition: number as u32 % partitions };
        engine.log().append(&place, &batch.records).expect("an append");
    }
}

/// The records of a topic of one partition, as they are fetched.
fn all_records(engine: &Engine, topic: &str) -> Vec<Records> {
    let place = TopicPartition { topic: topic.to_string(), partition: 0 };
    let (mut at, end) = engine.log().offsets(&place).expect("the topic is there");
    let mut fetches = Vec::new();
    while at < end {
        let mut records = Records::default();
        engine.log().fetch(&place, at, 1 << 20, &mut records).expect("records");
        at = records.next_offset;
        fetches.push(records);
    }
    fetches
}

fn analyzed(engine: &Engine, statement: &str) -> Sink {
    let parsed = parse(statement).expect("a statement");
    let Statement::CreateAs { kind, name, properties, query, .. } = &parsed[0].statement else {
        panic!("{statement} makes no query");
    };
    let settings = BTreeMap::new();
    create_as(*kind, name, properties, query, statement, &engine.catalog(), &settings).expect("a query")
}

/// Runs the query under this name from the beginning to the end, with commits; gives the number of rows it wrote.
fn drive(engine: &Engine, sink: &Sink, group: &str, partitions: u32) -> u64 {
    let log = engine.log();
    let topic = sink_topic(group);
    let mut source = sink.source.clone();
    source.topic.clone_from(&topic);
    let source = Arc::new(source);
    for name in topics(group, &sink.analyzed.plan) {
        let configs = BTreeMap::from([("retention.ms".to_string(), "-1".to_string())]);
        log.create_topic(&TopicSpec { name, partitions, replicas: None, configs }).expect("a topic");
    }
    let is_table = source.kind == SourceKind::Table;
    let view = is_table.then(|| Arc::new(View::of_query(source.clone(), partitions, None, &MemoryBudget::unlimited())));
    let spec = RunSpec {
        id: group.to_string(),
        plan: Arc::new(sink.analyzed.plan.clone()),
        sink: Some(SinkSpec { source, partitions, view, keeping: None }),
        cache_bytes_max: 10_000_000,
        idle_max: std::time::Duration::ZERO,
        start: Start::Earliest,
        durable: true,
        group: group.to_string(),
        processing_log: "processing_log".to_string(),
        guarantee: Guarantee::ExactlyOnce,
        strict: Strict::default(),
        snapshots: None,
    };
    let counters = Arc::new(Counters::default());
    let host = Host { counters: counters.clone(), ..Host::default() };
    let mut run = Run::open(log, spec, host).expect("a run");
    let mut last_commit = cpu_time();
    while run.step().expect("a round") > 0 {
        if cpu_time() - last_commit >= COMMIT_INTERVAL || run.must_commit() {
            run.commit().expect("a commit");
            last_commit = cpu_time();
        }
    }
    run.commit().expect("a commit");
    assert_eq!(counters.bad.load(Ordering::Relaxed), 0);
    counters.rows_out.load(Ordering::Relaxed)
}

fn sink_topic(group: &str) -> String {
    format!("sink-{group}")
}

/// The topics that a query under this name writes to.
fn topics(group: &str, plan: &Plan) -> Vec<String> {
    [changelog_topics(group, plan).concat(), vec![sink_topic(group)]].concat()
}
