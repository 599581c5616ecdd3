//! A query whose partitions are shared out among several runs, as among processes, with the exchange through a topic: for
//! any sharing, in any turn, with runs broken off and partitions that change hands, it gives what one run gives.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use super::super::{Opening, exchange_topics};
use super::*;
use crate::log::embedded::EmbeddedLog;
use crate::log::partitioner::partition_for;
use crate::log::{Change, LogError, Member, Signal, Transaction};

const PARTITIONS: u32 = 3;

/// A query over S, or over S and T.
struct Case {
    sources: &'static [(&'static str, &'static str)],
    statement: &'static str,
    /// What is left of the values of a key when the order of the rows behind an exchange doesn't count.
    fixed: fn(Vec<String>) -> Vec<String>,
}

/// Only the last value counts; none is there after a tombstone.
fn last(values: Vec<String>) -> Vec<String> {
    values.into_iter().next_back().filter(|value| value != "null").into_iter().collect()
}

fn in_any_order(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

const S: (&str, &str) = ("s", "k STRING KEY, g STRING, v INT, text STRING, unread ARRAY<INT>");
const T: (&str, &str) = ("t", "k STRING KEY, g STRING, v INT, text STRING");
const TABLE_S: (&str, &str) = ("s", "k STRING PRIMARY KEY, g STRING, v INT, text STRING");
const TABLE_T: (&str, &str) = ("t", "k STRING PRIMARY KEY, g STRING, v INT, text STRING");

const AGGREGATE: Case = Case {
    sources: &[S],
    statement: "CREATE TABLE o AS SELECT g, COUNT(*) AS n, SUM(v) AS total, MAX(text) AS text FROM s GROUP BY g;",
    fixed: last,
};
/// What goes again must be known by the process that has the group then.
const TABLE_AGGREGATE: Case = Case {
    sources: &[TABLE_S],
    statement: "CREATE TABLE o AS SELECT g, MIN(v) AS low, TOPK(v, 2) AS top, COUNT(DISTINCT v) AS n,
        COUNT(*) FILTER (WHERE v > 50) AS large FROM s GROUP BY g;",
    fixed: last,
};
/// Which of equal rows is the first isn't fixed; that one is there is.
const DISTINCT: Case = Case {
    sources: &[S],
    statement: "CREATE STREAM o AS SELECT DISTINCT k, g, v / 20 AS v FROM s;",
    fixed: in_any_order,
};
const STREAM_STREAM: Case = Case {
    sources: &[S, T],
    statement: "CREATE STREAM o AS SELECT s.g, s.v AS v, s.text AS a, t.text AS b
        FROM s JOIN t WITHIN 100 MILLISECONDS GRACE PERIOD 1 HOUR ON s.g = t.g;",
    fixed: in_any_order,
};
/// What of the table a row of the stream meets isn't fixed; that it is there once is.
const STREAM_TABLE: Case = Case {
    sources: &[S, TABLE_T],
    statement: "CREATE STREAM o AS SELECT s.g, s.v AS v, s.text AS text FROM s LEFT JOIN t ON s.g = t.k;",
    fixed: in_any_order,
};
const TABLE_TABLE: Case = Case {
    sources: &[TABLE_S, TABLE_T],
    statement: "CREATE TABLE o AS SELECT s.k, s.v AS v, t.v AS w FROM s LEFT JOIN t ON s.k = t.k;",
    fixed: last,
};
const FOREIGN_KEY: Case = Case {
    sources: &[TABLE_S, TABLE_T],
    statement: "CREATE TABLE o AS SELECT s.k, s.v AS v, t.v AS w FROM s JOIN t ON s.g = t.k;",
    fixed: last,
};

const MANY_TO_MANY: Case = Case {
    sources: &[TABLE_S, TABLE_T],
    statement: "CREATE TABLE o WITH (KEY_FORMAT='JSON') AS SELECT s.k, t.k, s.v AS v, t.v AS w FROM s JOIN t ON SUBSTRING(s.g, 1, 2) = SUBSTRING(t.g, 1, 2);",
    fixed: last,
};
const MANY_TO_MANY_FULL: Case = Case {
    sources: &[TABLE_S, TABLE_T],
    statement: "CREATE TABLE o WITH (KEY_FORMAT='JSON') AS SELECT s.k, t.k, s.v AS v, t.v AS w FROM s FULL JOIN t ON s.v / 4 = t.v / 4;",
    fixed: last,
};
const STREAM_WITH_ITSELF: Case = Case {
    sources: &[S],
    statement: "CREATE STREAM o AS SELECT y.k, x.v AS v, x.text AS a, y.text AS b
        FROM s x JOIN s y WITHIN 100 MILLISECONDS GRACE PERIOD 1 HOUR ON x.g = y.k;",
    fixed: in_any_order,
};
const TABLE_WITH_ITSELF: Case = Case {
    sources: &[TABLE_S],
    statement: "CREATE TABLE o AS SELECT x.k, x.v AS v, y.v AS w, z.v AS u FROM s x JOIN s y ON x.k = y.k LEFT JOIN s z ON x.g = z.k;",
    fixed: last,
};
/// Both sides of the union read one topic, one of them through an exchange.
const UNITED_WITH_ITSELF: Case = Case {
    sources: &[S],
    statement: "CREATE STREAM o AS SELECT k, g, v, text FROM s WHERE v > 20 UNION ALL SELECT g, k, v, text FROM s PARTITION BY g;",
    fixed: in_any_order,
};
const TWO_OVER_ONE_TOPIC: Case = Case {
    sources: &[TABLE_S, ("other@s", "k STRING PRIMARY KEY, v DOUBLE")],
    statement: "CREATE TABLE o AS SELECT s.k, s.v AS v, other.v AS w FROM s JOIN other ON s.g = other.k;",
    fixed: last,
};

impl Case {
    /// Its topics, with records in several batches: some of them bad, of tables some tombstones.
    fn world(&self) -> World {
        let world = World::of(Arc::new(EmbeddedLog::in_memory()), self.sources, PARTITIONS, self.statement);
        for name in exchange_topics(GROUP, &world.sink.analyzed.plan) {
            let spec = TopicSpec { name, partitions: PARTITIONS, replicas: None, configs: BTreeMap::new() };
            world.log.create_topic(&spec).unwrap();
        }
        let mut random = fastrand::Rng::with_seed(1);
        for (topic, columns) in self.sources.iter().filter(|(name, _)| !name.contains('@')) {
            for _ in 0..5 {
                let mut parts = vec![Records::default(); PARTITIONS as usize];
                for _ in 0..60 {
                    let (key, group, v) = (random.u8(..12), random.u8(..12), random.i32(-9..100));
                    let value = match random.u8(..15) {
                        0 => Some("{no json".to_string()),
                        1 if columns.contains("PRIMARY KEY") => None,
                        _ => Some(format!(r#"{{"g": "g{group}", "v": {v}, "text": "{}"}}"#, random.alphabetic())),
                    };
                    let key = format!("g{key}").into_bytes();
                    let records = &mut parts[partition_for(&key, PARTITIONS) as usize];
                    records.push(Some(&key), value.as_deref().map(str::as_bytes), random.i64(0..1000));
                }
                for (partition, records) in parts.iter().enumerate() {
                    world.log.append(&place(topic, partition as u32), records).unwrap();
                }
            }
        }
        world
    }

    fn outcome(&self, world: &World) -> BTreeMap<Vec<u8>, Vec<String>> {
        let fixed = world.written().into_iter().map(|(key, values)| (key, (self.fixed)(values)));
        fixed.filter(|(_, values)| !values.is_empty()).collect()
    }

    /// What one run makes of it, and what it tells.
    fn whole(&self) -> (BTreeMap<Vec<u8>, Vec<String>>, Vec<String>) {
        let world = self.world();
        let mut run = world.open(&Host::default()).unwrap();
        while run.step().unwrap() > 0 {
            run.commit().unwrap();
        }
        (self.outcome(&world), world.told())
    }
}

/// A member as of a log far away: records may not have arrived yet, and of a partition it knows what its last fetch saw.
struct FarAway {
    member: Arc<dyn Member>,
    is_late: AtomicBool,
    random: Mutex<fastrand::Rng>,
    ends: Mutex<BTreeMap<TopicPartition, i64>>,
}

impl FarAway {
    fn join(world: &World, host: &Host, signal: &Arc<Signal>, seed: u64) -> FarAway {
        FarAway {
            member: world.spec(&host.memory).join(&*world.log, "one", None, signal).unwrap(),
            is_late: AtomicBool::new(true),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            ends: Mutex::default(),
        }
    }
}

impl Member for FarAway {
    fn poll(&self) -> Result<Vec<Change>, LogError> {
        self.member.poll()
    }

    fn give_up(&self, partitions: &[TopicPartition]) -> Result<(), LogError> {
        self.member.give_up(partitions)
    }

    fn fetch(&self, place: &TopicPartition, from: i64, bytes_max: usize, into: &mut Records) -> Result<(), LogError> {
        if self.is_late.load(Ordering::Relaxed) && self.random.lock().bool() {
            into.clear();
            into.next_offset = from;
            return Ok(());
        }
        self.member.fetch(place, from, bytes_max, into)?;
        self.ends.lock().extend(self.member.end(place).map(|end| (place.clone(), end)));
        Ok(())
    }

    fn end(&self, place: &TopicPartition) -> Option<i64> {
        self.ends.lock().get(place).copied()
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        self.member.begin()
    }

    fn positions(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        self.member.positions(partitions)
    }
}

/// A run with the partitions that are its own.
struct Process {
    run: Run,
    partitions: BTreeSet<TopicPartition>,
}

/// The processes of a service, of which one is a member for all.
struct Processes<'a> {
    world: &'a World,
    host: Host,
    member: Arc<dyn Member>,
    signal: Arc<Signal>,
}

impl Processes<'_> {
    fn spec(&self) -> RunSpec {
        let spec = self.world.spec(&self.host.memory);
        // Its table's rows are read from the topic: others write to it, too.
        let sink = spec.sink.map(|sink| SinkSpec { view: None, ..sink });
        RunSpec { sink, ..spec }
    }

    fn start(&self, partitions: BTreeSet<TopicPartition>) -> Process {
        let run = Run::open_share(self.world.log.clone(), self.member.clone(), self.spec(), self.host.clone()).unwrap();
        assert!(!run.has_tasks());
        let mut process = Process { run, partitions: BTreeSet::new() };
        self.give(&mut process, partitions);
        process
    }

    /// Whatever is under way in the process goes on.
    fn give(&self, process: &mut Process, partitions: BTreeSet<TopicPartition>) {
        let places = partitions.iter().cloned().collect();
        let opening = Opening::begin(&process.run, places, &self.signal).unwrap();
        process.run.adopt(opening.finish().unwrap()).unwrap();
        process.partitions.extend(partitions);
    }

    /// The process that gives commits what it has done; the other one needn't.
    fn hand_over(&self, from: &mut Process, to: &mut Process, moved: BTreeSet<TopicPartition>) {
        from.run.commit().unwrap();
        let places: Vec<_> = moved.iter().cloned().collect();
        from.run.let_go(&places).unwrap();
        assert!(!from.run.has_any(&places));
        from.partitions.retain(|place| !moved.contains(place));
        self.give(to, moved);
    }
}

fn some(random: &mut fastrand::Rng, all: &BTreeSet<TopicPartition>) -> BTreeSet<TopicPartition> {
    all.iter().filter(|_| random.bool()).cloned().collect()
}

#[test]
fn however_partitions_of_an_aggregate_are_shared_out() {
    check(&AGGREGATE);
}

#[test]
fn however_partitions_of_an_aggregated_table_are_shared_out() {
    check(&TABLE_AGGREGATE);
}

#[test]
fn however_partitions_of_distinct_rows_are_shared_out() {
    check(&DISTINCT);
}

#[test]
fn however_partitions_of_a_join_of_streams_are_shared_out() {
    check(&STREAM_STREAM);
}

#[test]
fn however_partitions_of_a_stream_and_a_table_are_shared_out() {
    check(&STREAM_TABLE);
}

#[test]
fn however_partitions_of_two_tables_are_shared_out() {
    check(&TABLE_TABLE);
}

#[test]
fn however_partitions_of_a_foreign_key_join_are_shared_out() {
    check(&FOREIGN_KEY);
}

#[test]
fn however_partitions_of_a_many_to_many_join_are_shared_out() {
    check(&MANY_TO_MANY);
}

#[test]
fn however_partitions_of_an_outer_many_to_many_join_are_shared_out() {
    check(&MANY_TO_MANY_FULL);
}

/// Its records come to several stages, which one process has together.
#[test]
fn however_partitions_of_a_stream_that_meets_itself_are_shared_out() {
    check(&STREAM_WITH_ITSELF);
}

#[test]
fn however_partitions_of_a_table_that_meets_itself_are_shared_out() {
    check(&TABLE_WITH_ITSELF);
}

#[test]
fn however_partitions_of_a_stream_united_with_itself_are_shared_out() {
    check(&UNITED_WITH_ITSELF);
}

#[test]
fn however_partitions_of_two_tables_over_one_topic_are_shared_out() {
    check(&TWO_OVER_ONE_TOPIC);
}

fn check(case: &Case) {
    let (expected, told) = case.whole();
    assert!(expected.len() > 5 && !told.is_empty(), "{expected:?} {told:?}");
    for seed in 0..16 {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = case.world();
        let (host, signal) = (Host::default(), Arc::new(Signal::default()));
        let member = Arc::new(FarAway::join(&world, &host, &signal, seed));
        let given = member.poll().unwrap();
        let [Change::Given(all)] = given.as_slice() else { panic!("{given:?}") };
        // Stages that read one topic go together.
        let stages = super::super::layout(&world.sink.analyzed.plan, GROUP, &*world.log).unwrap();
        let leads: BTreeSet<&str> = stages.iter().map(|stage| stage.lead.as_str()).collect();
        assert_eq!(all.len(), leads.len() * PARTITIONS as usize);
        let all: BTreeSet<TopicPartition> = all.iter().cloned().collect();
        let processes = Processes { world: &world, host, member: member.clone(), signal };
        let first = some(&mut random, &all);
        let rest = all.difference(&first).cloned().collect();
        let (mut one, mut two) = (processes.start(first), processes.start(rest));
        for _ in 0..120 {
            let rows = one.run.step().unwrap();
            if rows == 0 || random.bool() {
                one.run.commit().unwrap();
                if random.bool() {
                    one.run.empty_at_once();
                }
            }
            match random.u8(..12) {
                // As after a kill.
                0 => one = processes.start(one.partitions),
                // As after a commit that the group has made void.
                1 => {
                    one.run.break_off().unwrap();
                    assert!(!one.run.is_dirty() && !one.run.has_tasks());
                    let again = std::mem::take(&mut one.partitions);
                    processes.give(&mut one, again);
                }
                2 => {
                    let moved = some(&mut random, &one.partitions);
                    processes.hand_over(&mut one, &mut two, moved);
                }
                _ => {}
            }
            if random.bool() {
                std::mem::swap(&mut one, &mut two);
            }
        }
        // To the end: what one commits is there for the other to read.
        member.is_late.store(false, Ordering::Relaxed);
        loop {
            let mut rows = 0;
            for process in [&mut one, &mut two] {
                rows += process.run.step().unwrap();
                process.run.commit().unwrap();
            }
            if rows == 0 {
                break;
            }
        }
        assert_eq!(case.outcome(&world), expected, "seed {seed}");
        assert_eq!(world.told(), told, "seed {seed}");
        for process in [&mut one, &mut two] {
            process.run.empty_at_once();
        }
        let places = |topic: String| (0..PARTITIONS).map(move |partition| place(&topic, partition));
        for place in exchange_topics(GROUP, &world.sink.analyzed.plan).into_iter().flat_map(places) {
            let (first, next) = world.log.offsets(&place).unwrap();
            assert_eq!(first, next, "seed {seed}: what was read is gone");
        }
        let topics = case.sources.iter().filter(|(name, _)| !name.contains('@'));
        let records = topics.flat_map(|(topic, _)| places((*topic).to_string()));
        let records: i64 = records.map(|place| world.log.offsets(&place).unwrap().1).sum();
        assert_eq!(processes.host.counters.rows_in.load(Ordering::Relaxed) as i64, records, "seed {seed}");
    }
}

/// An opening that is given up hears of it, and leaves nothing behind.
#[test]
fn an_opening_may_be_given_up() {
    let world = AGGREGATE.world();
    let (host, signal) = (Host::default(), Arc::new(Signal::default()));
    let member: Arc<dyn Member> = world.spec(&host.memory).join(&*world.log, "one", None, &signal).unwrap();
    let memory = host.memory.clone();
    let processes = Processes { world: &world, host, member, signal };
    let mut process = processes.start(BTreeSet::new());
    drop(Opening::begin(&process.run, vec![place("s", 0), place("s", 1)], &processes.signal).unwrap());
    assert!(!process.run.has_tasks());
    assert_eq!(process.run.step().unwrap(), 0);
    drop(process);
    assert_eq!(memory.taken(), 0);
}
