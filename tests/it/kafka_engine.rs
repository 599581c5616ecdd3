//! Queries on a real cluster: two processes of one service share the work while they are killed and frozen and the broker is
//! restarted; what they commit is read by Kafka's own consumer.

use std::collections::BTreeMap;

use millpond::log::Log;

use crate::kafka_broker;
use crate::kafka_scene::{CITIES, Disasters, Job, Scene, Service, city_of, number};

pub const JOB: Job = Job {
    statements: "
        CREATE STREAM half WITH (KAFKA_TOPIC='half~') AS SELECT id, n FROM input WHERE n / 4 % 2 = 0;
        CREATE TABLE cities WITH (KAFKA_TOPIC='cities~') AS SELECT city, COUNT(*) AS many FROM input GROUP BY city;",
    followed: &["half"],
    chunk: 200,
    guarantee: "exactly_once_v2",
};

/// Whether `half` takes a number.
fn is_taken(n: u64) -> bool {
    (n / 4).is_multiple_of(2)
}

/// How often `half` has each number that it should have; nothing else may be there.
fn taken(scene: &Scene, written: u64) -> Vec<u64> {
    let mut times = vec![0; written as usize];
    for (_, value) in scene.service.read("half") {
        times[number(&value, "N") as usize] += 1;
    }
    let wrong = (0..written).find(|n| !is_taken(*n) && times[*n as usize] > 0);
    assert_eq!(wrong, None, "numbers that the query leaves out");
    (0..written).filter(|n| is_taken(*n)).map(|n| times[n as usize]).collect()
}

/// The last count of each city.
fn counts(scene: &Scene) -> BTreeMap<String, u64> {
    scene.service.read("cities").into_iter().map(|(key, value)| (key, number(&value, "MANY"))).collect()
}

fn expected_counts(written: u64) -> BTreeMap<String, u64> {
    let count = |city: u64| (city_of(city), (0..written).filter(|n| n % CITIES == city).count() as u64);
    (0..CITIES).map(count).collect()
}

/// As a terminal beside the processes sees it.
fn is_through(scene: &Scene, written: u64) -> bool {
    if scene.seen("half").records < (0..written).filter(|n| is_taken(*n)).count() as u64 {
        return false;
    }
    let rows = scene.service.statement(&scene.service.path("terminal"), "SELECT many FROM cities;");
    rows.lines().map(|row| number(row, "MANY")).sum::<u64>() >= written
}

/// Ends the writing: all of it has come out, each number once.
pub fn check_once(scene: &mut Scene) {
    let written = scene.stop_writing();
    scene.await_end(|scene| is_through(scene, written));
    let taken = taken(scene, written);
    assert_eq!(taken.iter().position(|times| *times == 0), None, "lost");
    assert_eq!(taken.iter().position(|times| *times > 1), None, "twice");
    assert_eq!(counts(scene), expected_counts(written));
}

/// `MILLPOND_KAFKA_KILLS`, `MILLPOND_KAFKA_FREEZES` and `MILLPOND_KAFKA_RESTARTS` set how often.
#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn exactly_once_whatever_happens_to_two_processes() {
    let broker = kafka_broker::start("disasters", &[]);
    let mut scene = Scene::new(Service::new(&broker.value("KAFKA_BOOTSTRAP"), JOB));
    scene.suffer(Disasters { kills: 3, freezes: 1, restarts: 1 }.or("MILLPOND_KAFKA_"), &broker);
    check_once(&mut scene);
    assert!(scene.took_snapshots());
}

/// The first address of the cluster is dead, and so is a leader after a while.
#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn a_query_goes_on_without_one_of_three_brokers() {
    let brokers = kafka_broker::start("three-for-queries", &["--brokers", "3"]);
    let bootstrap = format!("127.0.0.1:1,{}", brokers.value("KAFKA_BOOTSTRAP"));
    let mut scene = Scene::new(Service::replicated(&bootstrap, JOB, 3));
    let described = scene.service.log().describe_topic(&scene.service.topic("input")).unwrap();
    let leader =
        described.partitions[0].replication.as_ref().and_then(|replication| replication.leader).expect("a leader");
    brokers.run(&["kill", &leader.to_string()]);
    let took = scene.await_work();
    eprintln!("broker {leader} killed; all partitions at work again after {took:.1?}");
    let half = scene.service.log().describe_topic(&scene.service.topic("half")).unwrap();
    assert!(
        half.partitions
            .iter()
            .all(|partition| partition.replication.as_ref().is_some_and(|all| all.replicas.len() == 3)),
        "{half:?}"
    );
    check_once(&mut scene);
}

#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn at_least_once_loses_nothing() {
    let job = Job { guarantee: "at_least_once", ..JOB };
    let mut scene = Scene::new(Service::new(kafka_broker::bootstrap(), job));
    let few = Disasters { kills: 3, freezes: 0, restarts: 0 }.or("MILLPOND_KAFKA_");
    for _ in 0..few.kills.min(20) {
        scene.some_time();
        scene.kill();
    }
    let written = scene.stop_writing();
    scene.await_end(|scene| is_through(scene, written));
    let taken = taken(&scene, written);
    assert_eq!(taken.iter().position(|times| *times == 0), None, "lost");
    let counts = counts(&scene);
    for (city, count) in expected_counts(written) {
        assert!(counts[&city] >= count, "{city}: {} of {count}", counts[&city]);
    }
}
