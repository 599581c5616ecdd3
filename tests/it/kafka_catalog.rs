//! One catalog, several processes: what is given to one is carried out by all, whoever is killed meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use millpond::log::kafka::KafkaLog;
use millpond::log::{Log, LogError};

use crate::binary::{Ended, Running, on, run};
use crate::kafka_broker;

/// For what must come; a killed member's partitions are given away after its session of ten seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service with topics of its own on the shared cluster, and its processes by their folders.
struct Service {
    log: KafkaLog,
    folder: tempfile::TempDir,
    id: String,
}

impl Service {
    fn new() -> Service {
        let (log, bootstrap) = (kafka_broker::log(), kafka_broker::bootstrap());
        let folder = tempfile::tempdir().unwrap();
        let run: String = std::iter::repeat_with(fastrand::alphanumeric).take(10).collect();
        let service = Service { log, folder, id: format!("it_{run}_") };
        let config = format!("bootstrap.servers={bootstrap}\nksql.service.id={}\n", service.id);
        std::fs::write(service.path("service.properties"), config).unwrap();
        let script = format!(
            "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='{}', VALUE_FORMAT='JSON', PARTITIONS=4);
             CREATE STREAM seen WITH (KAFKA_TOPIC='{}') AS SELECT * FROM s;",
            service.topic("s"),
            service.topic("seen")
        );
        std::fs::write(service.path("job.sql"), script).unwrap();
        service
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.id)
    }

    /// A process that takes part in the work.
    fn process(&self, folder: &str) -> Running {
        let (config, job) = (self.path("service.properties"), self.path("job.sql"));
        let args = ["--config-file", config.to_str().unwrap(), "run", job.to_str().unwrap()];
        let mut command = on(&self.path(folder), &args);
        let path = self.path(&format!("{folder}.out"));
        let output = std::fs::File::options().create(true).append(true).open(&path).unwrap();
        let said_before = output.metadata().unwrap().len();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let running = Running::start(command);
        let said = || std::fs::metadata(&path).unwrap().len();
        self.await_that(&format!("process {folder} tells of its job"), || said() > said_before);
        running
    }

    /// A statement for the process of a folder.
    fn give(&self, folder: &str, statement: &str) -> Ended {
        let config = self.path("service.properties");
        run(&self.path(folder), &["--config-file", config.to_str().unwrap(), "--output", "json", "-e", statement])
    }

    fn given(&self, folder: &str, statement: &str) -> String {
        let ended = self.give(folder, statement);
        assert_eq!(ended.code, Some(0), "{folder}: {statement}: {ended:#?}");
        assert_eq!(ended.stderr, "", "{folder}: {statement}");
        ended.stdout
    }

    /// A column of what a statement lists.
    fn listed(&self, folder: &str, statement: &str, column: &str) -> BTreeSet<String> {
        let text = self.given(folder, statement);
        let cell = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            row[column].as_str().unwrap_or_else(|| panic!("{column} of {line}")).to_owned()
        };
        text.lines().map(cell).collect()
    }

    /// Names of all that exists, as a process knows it.
    fn catalog(&self, folder: &str) -> Vec<BTreeSet<String>> {
        [("SHOW STREAMS;", "Stream Name"), ("SHOW TABLES;", "Table Name"), ("SHOW QUERIES;", "Query ID")]
            .map(|(statement, column)| self.listed(folder, statement, column))
            .to_vec()
    }

    /// The counts of a table, as a process answers.
    fn counts(&self, folder: &str, table: &str) -> BTreeMap<i64, i64> {
        // It may be told that the table is still catching up.
        let ended = self.give(folder, &format!("SELECT v, n FROM {table};"));
        assert_eq!(ended.code, Some(0), "{folder}: {ended:#?}");
        let rows = ended.stdout.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        rows.filter_map(|row| Some((row.get("V")?.as_i64()?, row.get("N")?.as_i64()?))).collect()
    }

    fn await_that(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let asked = Instant::now();
        while !is_so() {
            if asked.elapsed() > PATIENCE {
                for folder in ["one", "two"] {
                    let said = std::fs::read_to_string(self.path(&format!("{folder}.out"))).unwrap_or_default();
                    eprintln!("process {folder} said:\n{said}");
                    eprintln!("{}", self.give(folder, "SHOW QUERIES; SELECT * FROM counts;").stdout);
                }
                panic!("service {}: {what}", self.id);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether a topic is there now: a list may be as it was some seconds ago.
    fn has_topic(&self, topic: &str) -> bool {
        match self.log.describe_topic(topic) {
            Ok(_) => true,
            Err(LogError::UnknownTopic(_)) => false,
            Err(error) => panic!("{topic}: {error}"),
        }
    }

    /// What is on the cluster of queries of the service: topics and groups, by the ids in them.
    fn of_queries(&self) -> BTreeSet<String> {
        let prefix = format!("_confluent-ksql-{}query_", self.id);
        let names = self.log.topics().into_iter().chain(self.log.groups().unwrap());
        let id = |name: String| {
            let id = name.strip_prefix(&prefix)?;
            Some(id.split('-').next().unwrap_or(id).to_owned())
        };
        names.filter_map(id).collect()
    }
}

fn inserts(count: i64) -> String {
    (0..count).map(|n| format!("INSERT INTO s VALUES ('k{n}', {});", n % 3)).collect()
}

fn counted(times: i64) -> BTreeMap<i64, i64> {
    (0..3).map(|v| (v, times * 4)).collect()
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn statements_are_carried_out_by_all() {
    let service = Service::new();
    let _processes = [service.process("one"), service.process("two")];
    let table = |create: &str, filter: &str| {
        let topic = service.topic("counts");
        format!(
            "{create} TABLE counts WITH (KAFKA_TOPIC='{topic}') AS SELECT v, COUNT(*) AS n FROM s {filter} GROUP BY v;"
        )
    };
    service.given("one", &inserts(12));
    service.given("two", &table("CREATE", ""));
    let await_counts = |times: i64| {
        for folder in ["one", "two"] {
            service.await_that(&format!("{folder} has {times} times the counts"), || {
                service.listed(folder, "SHOW TABLES;", "Table Name").contains("COUNTS")
                    && service.counts(folder, "counts") == counted(times)
            });
        }
    };
    await_counts(1);
    service.given("one", &table("CREATE OR REPLACE", "WHERE k <> 'nobody'"));
    service.given("two", &inserts(12));
    await_counts(2);
    let id = service.listed("one", "SHOW QUERIES;", "Query ID").into_iter().find(|id| id.starts_with("CTAS_")).unwrap();

    service.given("two", &format!("PAUSE {id};"));
    let paused = |folder: &str| service.given(folder, &format!("DESCRIBE {id};")).contains("\"State\":\"PAUSED\"");
    service.await_that("both have paused it", || paused("one") && paused("two"));
    service.given("two", &inserts(12));
    service.given("one", &format!("RESUME {id};"));
    await_counts(3);

    // When it is acknowledged, nobody is at work on it any more.
    service.given("two", "DROP TABLE counts DELETE TOPIC;");
    assert!(!service.of_queries().contains(&id), "{:?}", service.of_queries());
    assert!(!service.has_topic(&service.topic("counts")));
    assert_eq!(service.listed("one", "SHOW TABLES;", "Table Name"), BTreeSet::new());
    service.given("one", &table("CREATE", ""));
    await_counts(3);
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn both_at_once() {
    let service = Service::new();
    let _processes = [service.process("one"), service.process("two")];
    let at_once = |statement: &str| {
        std::thread::scope(|scope| {
            let both = ["one", "two"].map(|folder| scope.spawn(|| service.give(folder, statement)));
            both.map(|ended| ended.join().unwrap())
        })
    };
    let one_of = |statement: &str, other_is_told: &str| {
        let both = at_once(statement);
        let (well, not): (Vec<_>, Vec<_>) = both.iter().partition(|ended| ended.code == Some(0));
        assert_eq!((well.len(), not.len()), (1, 1), "{statement}: {both:#?}");
        assert!(not[0].stderr.contains(other_is_told), "{statement}: {both:#?}");
        assert_eq!(well[0].stderr, "", "{statement}: {both:#?}");
    };
    for round in 0..5 {
        let name = format!("made{round}");
        let topic = service.topic(&name);
        one_of(
            &format!("CREATE TABLE {name} WITH (KAFKA_TOPIC='{topic}') AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;"),
            "already exists",
        );
        let inserts = at_once(&format!("INSERT INTO seen SELECT * FROM s WHERE v = {round};"));
        assert!(inserts.iter().all(|ended| ended.code == Some(0)), "{inserts:#?}");
        if round % 2 == 0 {
            one_of(&format!("DROP TABLE {name} DELETE TOPIC;"), "does not exist");
            assert!(!service.has_topic(&topic));
        }
    }
    let known = service.catalog("new");
    assert_eq!(known[1], BTreeSet::from(["MADE1".to_owned(), "MADE3".to_owned()]));
    // Of the job, of the tables, and two in each round.
    assert_eq!(known[2].len(), 1 + 2 + 2 * 5);
    for folder in ["one", "two"] {
        service.await_that(&format!("{folder} knows the same"), || service.catalog(folder) == known);
    }
    assert_eq!(service.of_queries(), known[2]);
}

/// `MILLPOND_KAFKA_KILLS` sets how often.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn killed_in_the_middle_of_statements() {
    let service = Service::new();
    let kills = std::env::var("MILLPOND_KAFKA_KILLS").map_or(3, |kills| kills.parse().expect("a number"));
    let mut random = fastrand::Rng::with_seed(11);
    let mut one = service.process("one");
    let _two = service.process("two");
    let mut next = 0;
    // Tables that must be there, or must not; of a statement that wasn't answered nothing is known.
    let mut there: BTreeMap<String, Option<bool>> = BTreeMap::new();
    let mut queries = BTreeMap::new();
    for _ in 0..kills {
        let wait = Duration::from_millis(random.u64(0..1500));
        std::thread::scope(|scope| {
            let killer = scope.spawn(|| {
                std::thread::sleep(wait);
                one.kill();
            });
            loop {
                let name = format!("T{next}");
                next += 1;
                let create = format!(
                    "CREATE TABLE {name} WITH (KAFKA_TOPIC='{}') AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;",
                    service.topic(&name)
                );
                let ended = service.give("one", &create);
                let created = ended.code == Some(0);
                there.insert(name.clone(), created.then_some(true));
                if created {
                    let status: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
                    queries.insert(name.clone(), status["query_id"].as_str().unwrap().to_owned());
                }
                if created && random.bool() {
                    let dropped = service.give("one", &format!("DROP TABLE {name} DELETE TOPIC;")).code == Some(0);
                    there.insert(name, dropped.then_some(false));
                }
                if killer.is_finished() {
                    break;
                }
            }
        });
        one = service.process("one");
    }
    let known = service.catalog("two");
    for (name, there) in there.iter().filter_map(|(name, there)| Some((name, (*there)?))) {
        assert_eq!(known[1].contains(name), there, "{name}");
    }
    assert_eq!(service.catalog("new"), known);
    service.await_that("one knows the same", || service.catalog("one") == known);
    // What was left half done is finished: by one that was started again, or the other.
    service.await_that("nothing is left of tables that were dropped, and all of the others", || {
        let of_queries = service.of_queries();
        queries.iter().all(|(name, id)| {
            let there = known[1].contains(name);
            service.has_topic(&service.topic(name)) == there && of_queries.contains(id) == there
        })
    });
    one.kill();
}
