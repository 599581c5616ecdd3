//! A query whose partitions are shared out among several runs, as among processes, with the exchange through a topic: for
//! any sharing, in any turn, with runs broken off and partitions that change hands, it gives what one run gives.

use std::collections::BTreeSet;

use super::super::{Share, repartition_topic};
use super::*;
use crate::log::embedded::EmbeddedLog;
use crate::log::{Change, Member, Signal};

const PARTITIONS: u32 = 3;

fn world() -> World {
    let statement = "CREATE TABLE o AS SELECT g, COUNT(*) AS n, SUM(v) AS total, MAX(text) AS text FROM s GROUP BY g;";
    let columns = "k STRING KEY, g STRING, v INT, text STRING, unread ARRAY<INT>";
    let world = World::new(Arc::new(EmbeddedLog::in_memory()), columns, PARTITIONS, statement);
    let name = repartition_topic(GROUP, 1);
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

/// All partitions of both stages, shared out by chance.
fn shares(random: &mut fastrand::Rng, all: &[TopicPartition]) -> [BTreeSet<TopicPartition>; 2] {
    let mut shares = [BTreeSet::new(), BTreeSet::new()];
    for place in all {
        shares[random.usize(..2)].insert(place.clone());
    }
    shares
}

#[test]
fn however_partitions_are_shared_out() {
    let (expected, told) = whole();
    assert!(expected.len() > 5 && !told.is_empty());
    for seed in 0..12 {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = world();
        let host = Host::default();
        let member: Arc<dyn Member> =
            world.spec(&host.memory).join(&*world.log, "one", &Arc::new(Signal::default())).unwrap();
        let given = member.poll().unwrap();
        let [Change::Given(all)] = given.as_slice() else { panic!("{given:?}") };
        assert_eq!(all.len() as u32, 2 * PARTITIONS);
        let mut parts = shares(&mut random, all);
        let open = |partitions: &BTreeSet<TopicPartition>| {
            let share = Share { member: member.clone(), partitions: partitions.clone() };
            Run::open_share(world.log.clone(), share, world.spec(&host.memory), host.clone()).unwrap()
        };
        let mut runs: [Option<Run>; 2] = [None, None];
        for _ in 0..60 {
            let turn = random.usize(..2);
            let run = runs[turn].get_or_insert_with(|| open(&parts[turn]));
            let rows = run.step().unwrap();
            if rows == 0 || random.bool() {
                run.commit().unwrap();
            }
            match random.u8(..12) {
                // As after a kill.
                0 => runs[turn] = None,
                // As in a rebalance: all commit, then the partitions change hands.
                1 => {
                    for mut run in runs.iter_mut().filter_map(Option::take) {
                        run.commit().unwrap();
                    }
                    parts = shares(&mut random, all);
                }
                _ => {}
            }
        }
        // To the end: what one commits is there for the other to read.
        loop {
            let mut rows = 0;
            for (run, partitions) in runs.iter_mut().zip(&parts) {
                let run = run.get_or_insert_with(|| open(partitions));
                rows += run.step().unwrap();
                run.commit().unwrap();
            }
            if rows == 0 {
                break;
            }
        }
        assert_eq!(last(&world), expected, "seed {seed}");
        assert_eq!(world.told(), told, "seed {seed}");
    }
}
