//! Statements of several processes in any interleaving come to what some order of them comes to, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::shared::{Cluster, away};
use super::*;
use crate::catalog::{Catalog, ReadCommand, Service};
use crate::error::Audience;

/// What a person may say, of few names, so that much of it collides.
fn anything(random: &mut fastrand::Rng, catalog: &Catalog) -> String {
    let n = |random: &mut fastrand::Rng| random.u8(1..=2);
    let (i, j) = (n(random), n(random));
    let create = *random.choice(["CREATE", "CREATE", "CREATE OR REPLACE"].iter()).unwrap();
    let or_not = *random.choice(["", "", " DELETE TOPIC"].iter()).unwrap();
    let queries: Vec<&str> = catalog.queries().map(|query| query.id.as_str()).collect();
    let query = random.choice(queries).unwrap_or("ALL").to_owned();
    match random.u8(0..16) {
        0..=2 => format!(
            "{create} STREAM s{i} (k STRING KEY, v INT{}) WITH (KAFKA_TOPIC='t{j}', VALUE_FORMAT='JSON', PARTITIONS=1);",
            if random.bool() { ", w INT" } else { "" }
        ),
        3 | 4 => format!(
            "{create} STREAM o{i} AS SELECT * FROM s{j}{} EMIT CHANGES;",
            if random.bool() { " WHERE v > 1" } else { "" }
        ),
        5 | 6 => format!("{create} TABLE c{i} AS SELECT k, COUNT(*) AS n FROM s{j} GROUP BY k EMIT CHANGES;"),
        7 => format!("INSERT INTO o{i} SELECT * FROM s{j} EMIT CHANGES;"),
        8 => format!("INSERT INTO o{i} WITH (QUERY_ID='mine') SELECT * FROM s{j} EMIT CHANGES;"),
        9 => format!("DROP STREAM s{i}{or_not};"),
        10 => format!("DROP STREAM o{i}{or_not};"),
        11 => format!("DROP TABLE c{i}{or_not};"),
        12 => format!("TERMINATE {query};"),
        13 => format!("{} {query};", if random.bool() { "PAUSE" } else { "RESUME" }),
        14 => format!("ALTER STREAM s{i} ADD COLUMN x{j} INT;"),
        _ => format!("{} TYPE ty{i}{};", if i == j { "DROP" } else { "CREATE" }, if i == j { "" } else { " AS INT" }),
    }
}

/// Statements of three processes in any interleaving; all of it comes of the seed.
struct Interleaving {
    cluster: Cluster,
    engines: Vec<Engine>,
    busy: Mutex<Vec<bool>>,
    random: Mutex<fastrand::Rng>,
    left: Mutex<u32>,
    /// Statements that were acknowledged, and changed something.
    acknowledged: Mutex<Vec<String>>,
}

impl Interleaving {
    fn step(self: &Arc<Interleaving>) {
        {
            let mut left = self.left.lock();
            *left = left.saturating_sub(1);
        }
        let process = {
            let (mut random, mut busy) = (self.random.lock(), self.busy.lock());
            let free: Vec<usize> = (0..busy.len()).filter(|process| !busy[*process]).collect();
            let Some(process) = random.choice(free) else { return };
            busy[process] = true;
            process
        };
        let engine = &self.engines[process];
        let statement = anything(&mut self.random.lock(), &engine.catalog());
        self.arm();
        let told = engine.execute(&mut Session::default(), &statement);
        *self.cluster.before_command.lock() = None;
        *self.cluster.after_command.lock() = None;
        match told {
            Ok(Reply::Done(status)) => {
                assert_eq!(status.warnings, Vec::<String>::new(), "{statement}");
                if !["There are no", "does not exist", "already"].iter().any(|none| status.message.contains(none)) {
                    self.acknowledged.lock().push(statement);
                }
            }
            Ok(other) => panic!("{statement}: {other:?}"),
            Err(error) => assert_ne!(error.audience, Audience::Internal, "{statement}: {error}"),
        }
        self.busy.lock()[process] = false;
    }

    /// What comes between the judgement of a statement and its command, or becomes of the answer.
    fn arm(self: &Arc<Interleaving>) {
        let (others, lost) = {
            let mut random = self.random.lock();
            (random.u8(0..8), random.u8(0..6))
        };
        let this = Arc::clone(self);
        *self.cluster.before_command.lock() = Some(Box::new(move || {
            if others < 5 && *this.left.lock() > 0 {
                this.step();
            }
            if others == 1 { Err(away()) } else { Ok(()) }
        }));
        let this = Arc::clone(self);
        *self.cluster.after_command.lock() = Some(Box::new(move || {
            if lost == 1 && *this.left.lock() > 0 {
                this.step();
            }
            if lost < 2 { Err(away()) } else { Ok(()) }
        }));
    }
}

/// One after the other, given to a process that is alone.
fn serial(commands: &[ReadCommand]) -> Catalog {
    let alone = Engine::stepped(options()).unwrap();
    alone.declare_processing_log().unwrap();
    let place = TopicPartition { topic: Service::default().command_topic(), partition: 0 };
    for read in commands {
        if read.counts {
            let command = read.command.as_ref().unwrap();
            alone.execute(&mut Session::default(), &command.statement).unwrap();
        } else {
            // Queries get their ids by where their commands stand.
            let mut nothing = Records::default();
            nothing.push(None, Some(b"{}"), 0);
            alone.log().append(&place, &nothing).unwrap();
        }
    }
    alone.catalog()
}

#[test]
fn any_interleaving_is_some_order_of_the_statements() {
    let seeds = match std::env::var("MILLPOND_CATALOG_SEEDS") {
        Ok(seeds) => 0..seeds.parse().expect("a number"),
        Err(_) => 0..8,
    };
    let mut lost = 0;
    for seed in seeds {
        let cluster = Cluster::new();
        let engines: Vec<Engine> = (0..3).map(|_| cluster.engine(false)).collect();
        let interleaving = Arc::new(Interleaving {
            cluster: cluster.clone(),
            busy: Mutex::new(vec![false; engines.len()]),
            engines,
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            left: Mutex::new(60),
            acknowledged: Mutex::default(),
        });
        while *interleaving.left.lock() > 0 {
            interleaving.step();
        }
        let commands = cluster.commands();
        let from_scratch = cluster.engine(false);
        for engine in interleaving.engines.iter().chain([&from_scratch]) {
            engine.inner.follow();
            assert_eq!(engine.quarantined(), [], "seed {seed}");
            assert_eq!(engine.catalog(), from_scratch.catalog(), "seed {seed}");
            assert_eq!(plans(engine), plans(&from_scratch), "seed {seed}");
        }
        assert_eq!(serial(&commands), from_scratch.catalog(), "seed {seed}");
        let mut acknowledged = interleaving.acknowledged.lock().clone();
        let mut counting = cluster.counting();
        acknowledged.sort();
        counting.sort();
        assert_eq!(acknowledged, counting, "seed {seed}");
        lost += commands.iter().filter(|read| !read.counts).count();
    }
    assert!(lost > 0, "nothing came between");
}

/// How each query of the catalog is run.
fn plans(engine: &Engine) -> BTreeMap<String, String> {
    let sinks = engine.inner.sinks.read();
    sinks.iter().map(|(id, sink)| (id.clone(), format!("{:?}", sink.analyzed.plan))).collect()
}
