//! Joins on a real cluster, by two processes that are killed and frozen while the broker is restarted: what comes out is what
//! plain code makes of the input.

use std::collections::BTreeMap;

use crate::kafka_broker;
use crate::kafka_scene::{CITIES, Disasters, IDS, Job, PARTITIONS, Scene, Service, city_of, id_of};
use crate::kill::{TOWNS, town_size, write_towns};

/// Every number has one of FEW of its own key within `pairs`' span.
const JOB: Job = Job {
    statements: "
        CREATE TABLE newest (id STRING PRIMARY KEY, n BIGINT, city STRING)
          WITH (KAFKA_TOPIC='input~', VALUE_FORMAT='JSON');
        CREATE STREAM few WITH (KAFKA_TOPIC='few~') AS SELECT id, n, city FROM input WHERE n / 40 % 5 = 0;
        CREATE TABLE few_of_id WITH (KAFKA_TOPIC='few_of_id~') AS
          SELECT id, COUNT(*) AS c, MAX(n) AS n FROM few GROUP BY id;
        CREATE TABLE few_of_city WITH (KAFKA_TOPIC='few_of_city~') AS
          SELECT city, COUNT(*) AS c, MIN(n) AS least, MAX(n) AS n FROM few GROUP BY city;
        CREATE STREAM pairs WITH (KAFKA_TOPIC='pairs~') AS SELECT i.id, i.n AS n, f.n AS m
          FROM input i JOIN few f WITHIN 80 MILLISECONDS GRACE PERIOD 30 DAYS ON i.id = f.id;
        CREATE STREAM in_city WITH (KAFKA_TOPIC='in_city~') AS SELECT i.city, i.n AS n, f.n AS m
          FROM input i JOIN few f WITHIN 21 MILLISECONDS GRACE PERIOD 30 DAYS ON i.city = f.city;
        CREATE STREAM again WITH (KAFKA_TOPIC='again~') AS SELECT b.id AS id, a.n AS n, b.n AS m
          FROM input a JOIN input b WITHIN 80 MILLISECONDS GRACE PERIOD 30 DAYS ON TRIM(a.id) = b.id;
        CREATE TABLE towns (city STRING PRIMARY KEY, size BIGINT)
          WITH (KAFKA_TOPIC='towns~', VALUE_FORMAT='JSON');
        CREATE STREAM each WITH (KAFKA_TOPIC='each~') AS SELECT i.city, i.n AS n, t.size AS size
          FROM input i LEFT JOIN towns t ON i.city = t.city;
        CREATE TABLE both WITH (KAFKA_TOPIC='both~') AS SELECT w.id, w.n AS n, f.c AS c
          FROM newest w LEFT JOIN few_of_id f ON w.id = f.id;
        CREATE TABLE homes WITH (KAFKA_TOPIC='homes~') AS SELECT w.id, w.n AS n, f.c AS c, f.least AS least
          FROM newest w JOIN few_of_city f ON w.city = f.city;",
    followed: &["few_of_id", "few_of_city", "pairs", "in_city", "again", "each", "both", "homes"],
    chunk: 100,
    guarantee: "exactly_once_v2",
};

/// Whether FEW has a number.
fn is_few(n: u64) -> bool {
    (n / 40).is_multiple_of(5)
}

/// A record: its key, and numbers of its value; None: null.
type Row = (String, Vec<Option<u64>>);

/// What must come out.
struct Expected {
    /// By topic: each row once.
    streams: BTreeMap<&'static str, Vec<Row>>,
    /// By topic: the last row of each key.
    tables: BTreeMap<&'static str, Vec<Row>>,
}

/// Fields of the rows of a topic.
fn fields(topic: &str) -> &'static [&'static str] {
    match topic {
        "pairs" | "in_city" | "again" => &["N", "M"],
        "each" => &["N", "SIZE"],
        "both" => &["N", "C"],
        "homes" => &["N", "C", "LEAST"],
        _ => panic!("{topic}"),
    }
}

impl Expected {
    fn of(written: u64) -> Expected {
        let few: Vec<u64> = (0..written).filter(|n| is_few(*n)).collect();
        let ids: Vec<String> = (0..IDS).map(id_of).collect();
        let id = |n: u64| ids[(n % IDS) as usize].clone();
        let within = |of: &[u64], key: &dyn Fn(u64) -> String, span: u64| {
            let near = |m: u64| (m.saturating_sub(span)..(m + span + 1).min(written)).map(move |n| (n, m));
            let all = of.iter().flat_map(|m| near(*m));
            let mut rows: Vec<Row> =
                all.filter(|(n, m)| key(*n) == key(*m)).map(|(n, m)| (key(n), vec![Some(n), Some(m)])).collect();
            rows.sort();
            rows
        };
        // Some of the cities are towns, which are there before the first number.
        let size = |n: u64| (n % CITIES < TOWNS).then(|| town_size(n % CITIES));
        let mut each: Vec<Row> = (0..written).map(|n| (city_of(n), vec![Some(n), size(n)])).collect();
        each.sort();
        let newest: BTreeMap<String, u64> = (0..written).map(|n| (id(n), n)).collect();
        let both = newest.iter().map(|(key, n)| {
            let of_id = few.iter().filter(|m| id(**m) == *key).count() as u64;
            (key.clone(), vec![Some(*n), Some(of_id)])
        });
        let homes = newest.iter().map(|(key, n)| {
            let of_city: Vec<u64> = few.iter().copied().filter(|m| city_of(*m) == city_of(*n)).collect();
            (key.clone(), vec![Some(*n), Some(of_city.len() as u64), Some(of_city[0])])
        });
        Expected {
            streams: BTreeMap::from([
                ("pairs", within(&few, &id, 80)),
                ("in_city", within(&few, &city_of, 21)),
                ("again", within(&(0..written).collect::<Vec<u64>>(), &id, 80)),
                ("each", each),
            ]),
            tables: BTreeMap::from([("both", both.collect()), ("homes", homes.collect())]),
        }
    }
}

fn row(topic: &str, key: &str, value: &str) -> Row {
    let value: serde_json::Value = serde_json::from_str(value).unwrap();
    (key.to_owned(), fields(topic).iter().map(|field| value[field].as_u64()).collect())
}

fn is_through(scene: &Scene, expected: &Expected) -> bool {
    expected.streams.iter().all(|(topic, rows)| scene.seen(topic).records >= rows.len() as u64)
        && expected.tables.iter().all(|(topic, rows)| {
            let last = scene.seen(topic).last;
            last.iter().map(|(key, value)| row(topic, key, value)).eq(rows.iter().cloned())
        })
}

/// `MILLPOND_KAFKA_JOIN_KILLS`, `MILLPOND_KAFKA_JOIN_FREEZES` and `MILLPOND_KAFKA_JOIN_RESTARTS` set how often.
#[test]
#[ignore = "needs Java, for a Kafka of its own or Kafka's programs: see README"]
fn joins_whatever_happens_to_two_processes() {
    let broker = kafka_broker::start("disasters-of-joins", &[]);
    let service = Service::new(&broker.value("KAFKA_BOOTSTRAP"), JOB);
    write_towns(&service.log(), &service.topic("towns"), PARTITIONS);
    let mut scene = Scene::new(service);
    scene.suffer(Disasters { kills: 2, freezes: 1, restarts: 1 }.or("MILLPOND_KAFKA_JOIN_"), &broker);
    let written = scene.stop_writing();
    let expected = Expected::of(written);
    scene.await_end(|scene| is_through(scene, &expected));
    for (topic, rows) in &expected.streams {
        let read = scene.service.read(topic);
        let mut found: Vec<Row> = read.iter().map(|(key, value)| row(topic, key, value)).collect();
        found.sort();
        eprintln!("{topic}: {} rows", found.len());
        if let Some((found, expected)) = found.iter().zip(rows).find(|(found, expected)| found != expected) {
            let wrong = if found > expected { "lost" } else { "twice, or of nothing" };
            panic!("{topic}: {:?} is {wrong}", found.min(expected));
        }
        assert_eq!(found.len(), rows.len(), "{topic}");
    }
    for (topic, rows) in &expected.tables {
        let mut last = BTreeMap::new();
        for (key, value) in scene.service.read(topic) {
            // Of a tombstone.
            match value.as_str() {
                "null" => last.remove(&key),
                value => last.insert(key.clone(), row(topic, &key, value).1),
            };
        }
        assert_eq!(last.into_iter().collect::<Vec<Row>>(), *rows, "{topic}");
    }
    assert!(scene.took_snapshots());
}
