//! A query whose partitions are shared out among several runs, as among processes, with the exchange through a topic: for
//! any sharing, in any turn, with runs broken off and partitions that change hands, it gives what one run gives.

use std::collections::BTreeSet;

use super::super::Opening;
use super::*;
use crate::log::embedded::EmbeddedLog;
use crate::log::{Change, Member, Signal};

const PARTITIONS: u32 = 3;
/// Of the source.
const RECORDS: usize = PARTITIONS as usize * 5 * 20;

fn exchange_topic() -> String {
    format!("{GROUP}-Aggregate-GroupBy-repartition")
}

fn world() -> World {
    let statement = "CREATE TABLE o AS SELECT g, COUNT(*) AS n, SUM(v) AS total, MAX(text) AS text FROM s GROUP BY g;";
    let columns = "k STRING KEY, g STRING, v INT, text STRING, unread ARRAY<INT>";
    let world = World::new(Arc::new(EmbeddedLog::in_memory()), columns, PARTITIONS, statement);
    let name = exchange_topic();
    let spec = TopicSpec { name, partitions: PARTITIONS, replicas: None, configs: BTreeMap::new() };
    world.log.create_topic(&spec).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    for partition in 0..PARTITIONS {
        for _ in 0..5 {
            let mut records = Records::default();
            for _ in 0..20 {
                let (group, v) = (random.u8(..12), random.i32(-9..100));
                let value = match random.u8(..15) {
                    0 => "{no json".to_string(),
                    _ => format!(r#"{{"g": "g{group}", "v": {v}, "text": "{}"}}"#, random.alphabetic()),
                };
                records.push(Some(b"k"), Some(value.as_bytes()), random.i64(..1000));
            }
            world.append(partition, &records);
        }
    }
    world
}

/// The last value of each key.
fn last(world: &World) -> BTreeMap<Vec<u8>, String> {
    let last = |values: Vec<String>| values.into_iter().next_back().unwrap();
    world.written().into_iter().map(|(key, values)| (key, last(values))).collect()
}

fn whole() -> (BTreeMap<Vec<u8>, String>, Vec<String>) {
    let world = world();
    let mut run = world.open(&Host::default()).unwrap();
    while run.step().unwrap() > 0 {
        run.commit().unwrap();
    }
    (last(&world), world.told())
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
fn however_partitions_are_shared_out() {
    let (expected, told) = whole();
    assert!(expected.len() > 5 && !told.is_empty());
    for seed in 0..16 {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = world();
        let (host, signal) = (Host::default(), Arc::new(Signal::default()));
        let member: Arc<dyn Member> = world.spec(&host.memory).join(&*world.log, "one", &signal).unwrap();
        let given = member.poll().unwrap();
        let [Change::Given(all)] = given.as_slice() else { panic!("{given:?}") };
        assert_eq!(all.len() as u32, 2 * PARTITIONS);
        let all: BTreeSet<TopicPartition> = all.iter().cloned().collect();
        let processes = Processes { world: &world, host, member, signal };
        let first = some(&mut random, &all);
        let rest = all.difference(&first).cloned().collect();
        let (mut one, mut two) = (processes.start(first), processes.start(rest));
        for _ in 0..80 {
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
        assert_eq!(last(&world), expected, "seed {seed}");
        assert_eq!(world.told(), told, "seed {seed}");
        for process in [&mut one, &mut two] {
            process.run.empty_at_once();
        }
        for partition in 0..PARTITIONS {
            let (first, next) = world.log.offsets(&place(&exchange_topic(), partition)).unwrap();
            assert_eq!(first, next, "seed {seed}: what was read is gone");
        }
        assert_eq!(processes.host.counters.rows_in.load(Ordering::Relaxed) as usize, RECORDS, "seed {seed}");
    }
}

/// An opening that is given up hears of it, and leaves nothing behind.
#[test]
fn an_opening_may_be_given_up() {
    let world = world();
    let (host, signal) = (Host::default(), Arc::new(Signal::default()));
    let member: Arc<dyn Member> = world.spec(&host.memory).join(&*world.log, "one", &signal).unwrap();
    let memory = host.memory.clone();
    let processes = Processes { world: &world, host, member, signal };
    let mut process = processes.start(BTreeSet::new());
    drop(Opening::begin(&process.run, vec![place("s", 0), place("s", 1)], &processes.signal).unwrap());
    assert!(!process.run.has_tasks());
    assert_eq!(process.run.step().unwrap(), 0);
    drop(process);
    assert_eq!(memory.taken(), 0);
}
