//! Several processes of one service over one log: engines that share a command topic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::*;
use crate::catalog::{Command, CommandLog, DeletedTopic, Judged, ReadCommand, Service};
use crate::engine::seat::Seat;
use crate::engine::{Drive, GroupKind, Job, SnapshotOptions, SnapshotStore};
use crate::log::intercepted::{Call, Intercepted};
use crate::log::{LogError, TopicSpec};

const S: &str = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);";

pub(super) type Once = Box<dyn FnOnce() -> Result<(), LogError> + Send>;

/// A log that processes share, and what happens at the next append of a command.
#[derive(Clone)]
pub(super) struct Cluster {
    log: Arc<Intercepted>,
    pub before_command: Arc<Mutex<Option<Once>>>,
    pub after_command: Arc<Mutex<Option<Once>>>,
    /// At the next look at the offsets of this topic.
    before_offsets: Arc<Mutex<Option<(String, Once)>>>,
    /// The command topic can't be read.
    unreadable: Arc<AtomicBool>,
    /// Groups can't be listed.
    groups_unlisted: Arc<AtomicBool>,
}

impl Cluster {
    pub fn new() -> Cluster {
        let (before, after) = (Arc::<Mutex<Option<Once>>>::default(), Arc::<Mutex<Option<Once>>>::default());
        let unreadable = Arc::<AtomicBool>::default();
        let groups_unlisted = Arc::<AtomicBool>::default();
        let before_offsets = Arc::<Mutex<Option<(String, Once)>>>::default();
        let looking = before_offsets.clone();
        let hooks = (before.clone(), after.clone(), unreadable.clone(), groups_unlisted.clone());
        let command_topic = Service::default().command_topic();
        let log = Intercepted::new(move |call| match call {
            Call::Append(place) if place.topic == command_topic => take(&hooks.0),
            Call::Appended(place) if place.topic == command_topic => take(&hooks.1),
            Call::Offsets(place) => {
                let act = looking.lock().take_if(|(topic, _)| *topic == place.topic);
                act.map_or(Ok(()), |(_, act)| act())
            }
            Call::Groups if hooks.3.load(Ordering::Relaxed) => Err(away()),
            Call::Fetch(place) if place.topic == command_topic && hooks.2.load(Ordering::Relaxed) => Err(away()),
            _ => Ok(()),
        });
        Cluster {
            log: Arc::new(log),
            before_command: before,
            after_command: after,
            before_offsets,
            unreadable,
            groups_unlisted,
        }
    }

    /// A process that gives statements and follows.
    fn process(&self) -> Terminal {
        Terminal::on(self.engine(false))
    }

    pub fn engine(&self, works: bool) -> Engine {
        self.engine_with(works, None)
    }

    fn engine_with(&self, works: bool, snapshots: Option<SnapshotStore>) -> Engine {
        let folder = tempfile::tempdir().unwrap();
        let seat = Seat::take(folder.path()).unwrap();
        let options = Options { works, ..options() };
        let drive = Drive::Threads(Mutex::default());
        let engine = Engine::over_seat(self.log.clone(), snapshots, seat, options, drive, false).unwrap();
        engine.declare_processing_log().unwrap();
        engine.replay().unwrap();
        engine
    }

    /// Of the next command alone.
    fn before_command(&self, act: impl FnOnce() -> Result<(), LogError> + Send + 'static) {
        *self.before_command.lock() = Some(Box::new(act));
    }

    fn after_command(&self, act: impl FnOnce() -> Result<(), LogError> + Send + 'static) {
        *self.after_command.lock() = Some(Box::new(act));
    }

    fn command_log(&self) -> CommandLog {
        CommandLog::new(self.log.clone(), Service::default().command_topic())
    }

    pub fn commands(&self) -> Vec<ReadCommand> {
        self.command_log().replay().unwrap().0
    }

    fn write_drop_of_c(&self) {
        self.write_drop("DROP TABLE c DELETE TOPIC;", Some("C"));
    }

    /// As a process does that is killed before it does what the command says.
    fn write_drop(&self, statement: &str, deletes: Option<&str>) {
        let commands = self.command_log();
        let mut command = Command::new(statement.to_owned(), BTreeMap::new(), None);
        command.deletes = deletes.map(|topic| {
            let id = self.log.topic_id(topic).unwrap().unwrap().to_string();
            DeletedTopic { name: topic.to_owned(), id }
        });
        let behind = commands.replay().unwrap().1.last();
        command.judged = Some(Judged { statement_id: "killed".to_owned(), behind });
        commands.append(&command, 0).unwrap();
    }

    /// Texts of the commands that count.
    pub fn counting(&self) -> Vec<String> {
        let counting = self.commands().into_iter().filter(|read| read.counts);
        counting.map(|read| format!("{};", read.command.unwrap().statement)).collect()
    }
}

/// The hook is free while it acts: what it does may come to another append.
fn take(hook: &Mutex<Option<Once>>) -> Result<(), LogError> {
    let act = hook.lock().take();
    act.map_or(Ok(()), |act| act())
}

pub(super) fn away() -> LogError {
    LogError::Unavailable("nobody answers".to_owned())
}

fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let asked = now();
    while !is_so() {
        assert!(asked.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn all_carry_out_what_is_given_to_one() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.process(), cluster.process());
    a.done(S);
    await_that("b has the stream", || b.firsts("SHOW STREAMS;").contains(&"S".to_owned()));
    let id = b.query("CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;");
    await_that("a has the query", || a.firsts("SHOW QUERIES;") == [id.clone()]);
    // Each knows of its own part only.
    let listing = a.listing("SHOW QUERIES;");
    let told_by = listing.columns.iter().position(|column| column == "Told By").unwrap();
    assert_eq!(listing.rows[0][told_by], format!("process {}", std::process::id()));
    assert_eq!(listing.rows[0].len(), listing.columns.len());
    // A statement sees all that was acknowledged before it was given, whoever it was given to.
    a.done("DROP STREAM o;");
    b.done("DROP STREAM s;");
    await_that("a has nothing", || a.engine.catalog() == b.engine.catalog());
    assert_eq!(a.firsts("SHOW STREAMS;"), ["KSQL_PROCESSING_LOG"]);
}

#[test]
fn of_two_that_create_the_same_one_succeeds() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.process(), cluster.process());
    let other = "CREATE STREAM s (k STRING KEY, other INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);";
    let of_b = b.engine.clone();
    cluster.before_command(move || {
        let done = of_b.execute(&mut Session::default(), other);
        assert!(matches!(done, Ok(Reply::Done(_))), "{done:?}");
        Ok(())
    });
    let told = a.fails(S);
    assert!(told.contains("Cannot add stream 'S': A stream with the same name already exists"), "{told}");
    assert_eq!(cluster.commands().iter().map(|read| read.counts).collect::<Vec<_>>(), [true, false]);
    let c = cluster.process();
    for engine in [&a.engine, &b.engine, &c.engine] {
        engine.inner.follow();
        assert_eq!(engine.catalog(), c.engine.catalog());
        assert_eq!(engine.catalog().source("S").unwrap().columns[1].name, "OTHER");
        assert_eq!(engine.quarantined(), []);
    }
    // Nothing of the one that lost stays in its way.
    a.done("DROP STREAM s;");
    b.done(S);
}

/// What is named after the query has the id that it gets in the end.
#[test]
fn a_query_that_lost_a_race_is_judged_anew() {
    let cluster = Cluster::new();
    let (mut a, b) = (cluster.process(), cluster.process());
    a.done(S);
    a.done("SET 'auto.offset.reset' = 'latest';");
    let of_b = b.engine.clone();
    cluster.before_command(move || {
        of_b.execute(&mut Session::default(), "CREATE TYPE pair AS STRUCT<a INT>;").map(drop).unwrap();
        Ok(())
    });
    let id = a.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    assert_eq!(a.firsts("SHOW QUERIES;"), std::slice::from_ref(&id));
    let group = Service::default().query_group(&id);
    let own: Vec<String> = cluster.log.topics().into_iter().filter(|topic| topic.contains("_CTAS_C_")).collect();
    assert!(!own.is_empty() && own.iter().all(|topic| topic.starts_with(&group)), "{own:?} of {group}");
    // It begins where the topic ended when it was made, whoever works for it.
    assert_eq!(cluster.log.groups().unwrap(), [group]);
}

#[test]
fn a_command_whose_answer_was_lost_is_found() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.process(), cluster.process());
    cluster.after_command(|| Err(away()));
    a.done(S);
    assert_eq!(cluster.counting(), [S]);
    // One that didn't come is written again.
    cluster.before_command(|| Err(away()));
    a.query("CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;");
    assert_eq!(cluster.counting().len(), 2);
    // And one that came, with another's behind it.
    let of_b = b.engine.clone();
    cluster.after_command(move || {
        of_b.execute(&mut Session::default(), "CREATE TYPE pair AS STRUCT<a INT>;").map(drop).unwrap();
        Err(away())
    });
    let dropped = a.done("DROP STREAM o;");
    assert_eq!(cluster.commands().iter().filter(|read| !read.counts).count(), 0);
    // Its place is told also where it had to be looked for.
    let is_drop = |read: &ReadCommand| read.command.as_ref().is_ok_and(|command| command.statement.contains("DROP"));
    let place = cluster.commands().into_iter().find(is_drop).map(|read| read.offset);
    assert!(place.is_some() && dropped.command_offset == place, "{dropped:?} at {place:?}");
    assert_eq!(a.firsts("SHOW TYPES;"), b.firsts("SHOW TYPES;"));
    assert_eq!((a.firsts("SHOW QUERIES;").len(), b.firsts("SHOW QUERIES;").len()), (0, 0));
}

#[test]
fn a_command_that_is_refused_leaves_nothing() {
    let cluster = Cluster::new();
    let mut a = cluster.process();
    a.done(S);
    let there = cluster.log.topics();
    cluster.before_command(|| Err(LogError::Denied("TOPIC_AUTHORIZATION_FAILED".to_owned())));
    let told = a.fails("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    assert!(told.contains("TOPIC_AUTHORIZATION_FAILED"), "{told}");
    assert_eq!(cluster.log.topics(), there);
    assert_eq!(cluster.counting(), [S]);
}

#[test]
fn what_can_not_be_followed_is_told() {
    let cluster = Cluster::new();
    let mut a = cluster.process();
    a.done(S);
    cluster.unreadable.store(true, Ordering::Relaxed);
    let told = a.fails("DROP STREAM s;");
    assert!(told.contains("Nothing was changed") && told.contains("nobody answers"), "{told}");
    let mut listing = a.listing("SHOW STREAMS;");
    await_that("it is told that the listing may be out of date", || {
        listing = a.listing("SHOW STREAMS;");
        !listing.warnings.is_empty()
    });
    assert!(listing.warnings[0].contains("_command_topic' can't be read"), "{listing:?}");
    assert!(listing.rows.iter().any(|row| row[0] == "S"), "{listing:?}");
    assert!(a.text("EXPLAIN SELECT * FROM s EMIT CHANGES;").starts_with("Warning: "));

    cluster.unreadable.store(false, Ordering::Relaxed);
    await_that("the warning goes", || a.listing("SHOW STREAMS;").warnings.is_empty());
    a.done("DROP STREAM s;");
}

/// As a generator's process, which others attach to.
#[test]
fn who_has_given_no_statement_knows_the_catalog_too() {
    let cluster = Cluster::new();
    let idle = cluster.engine(false);
    let mut a = cluster.process();
    a.done(S);
    let id = a.query("CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;");
    assert!(idle.topic_users("s").unwrap().names.contains(&"stream S".to_owned()));
    let group = Service::default().query_group(&id);
    let groups = idle.groups(None).unwrap();
    let standing = groups.iter().find(|standing| standing.description.name == group).unwrap();
    assert!(matches!(&standing.kind, GroupKind::Query(query) if query.id == id), "{standing:?}");
    a.done("DROP STREAM o;");
    assert!(idle.names().contains(&"S".to_owned()) && !idle.names().contains(&id));
    assert!(!idle.layouts().contains_key("O"));
}

/// What was carried out before the cluster went stands, and is left alone.
#[test]
fn a_job_that_the_cluster_left_half_way_can_be_begun_again() {
    let cluster = Cluster::new();
    let a = cluster.process();
    let unreadable = cluster.unreadable.clone();
    cluster.after_command(move || {
        unreadable.store(true, Ordering::Relaxed);
        Ok(())
    });
    let text = format!("{S} CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;");
    let none = BTreeMap::new();
    let start = || Job::start(&a.engine, &text, &none, &none, false).map(drop);
    let error = start().unwrap_err();
    assert!(error.passing && error.to_string().contains("Nothing was changed"), "{error}");
    cluster.unreadable.store(false, Ordering::Relaxed);
    assert_eq!(cluster.counting(), [S]);
    assert_eq!(start(), Ok(()));
    assert_eq!(cluster.counting().len(), 2);
}

#[test]
fn who_only_looks_makes_no_topics() {
    let cluster = Cluster::new();
    let mut a = cluster.process();
    assert_eq!(a.firsts("SHOW STREAMS;"), ["KSQL_PROCESSING_LOG"]);
    a.fails("CREATE STREAM s (v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');");
    assert_eq!(cluster.log.topics(), Vec::<String>::new());
    a.done(S);
    let service = Service::default();
    assert_eq!(cluster.log.topics(), [service.command_topic(), service.processing_log_topic(), "s".to_owned()]);
}

/// The one that the statement was given to was killed before it did what it says.
#[test]
fn others_finish_what_a_dropped_table_leaves() {
    let cluster = Cluster::new();
    let mut a = cluster.process();
    a.done(S);
    a.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    cluster.write_drop_of_c();

    // The next that wants the topic has it deleted first: it isn't to find what was in it.
    a.fails("CREATE STREAM d (v INT) WITH (KAFKA_TOPIC='C', VALUE_FORMAT='JSON');");
    assert_eq!(cluster.log.topics().iter().filter(|topic| topic.contains('C') && topic.contains("CTAS")).count(), 0);
    assert_eq!(cluster.log.partitions("C"), None);
}

/// Each process has snapshots of its own.
#[test]
fn snapshots_go_with_their_query_in_all_processes() {
    let cluster = Cluster::new();
    let state = tempfile::tempdir().unwrap();
    let mut a = cluster.process();
    a.done(S);
    for ended_while_away in [false, true] {
        let id = a.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
        let of_query = state.path().join(Service::default().query_group(&id));
        std::fs::create_dir_all(&of_query).unwrap();
        let process = || {
            let engine =
                cluster.engine_with(false, Some(SnapshotStore::open(state.path(), SnapshotOptions::default())));
            engine.start();
            engine
        };
        let b = (!ended_while_away).then(process);
        a.done("DROP TABLE c;");
        let b = b.unwrap_or_else(process);
        await_that("its snapshots go", || !of_query.exists());
        drop(b);
    }
}

#[test]
fn one_that_starts_clears_away_what_was_left() {
    let cluster = Cluster::new();
    let mut a = cluster.process();
    a.done(S);
    let id = a.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    cluster.write_drop_of_c();
    // One that follows leaves it, for some time, to the one that was killed.
    drop(a);
    let b = cluster.engine(true);
    b.start();
    let left = |name: &String| name == "C" || name.contains(&id);
    await_that("all of it goes", || !cluster.log.topics().iter().any(left));
}

/// Another process deletes it at this moment, and not all that tell of topics know.
#[test]
fn a_topic_that_is_being_deleted_is_made_anew() {
    let cluster = Cluster::new();
    let mut a = cluster.process();
    a.done(S);
    let configs = BTreeMap::new();
    cluster.log.create_topic(&TopicSpec { name: "C".into(), partitions: 3, replicas: None, configs }).unwrap();
    let log = cluster.log.clone();
    let delete = move || {
        log.delete_topic("C")?;
        Err(LogError::UnknownTopic("C".to_owned()))
    };
    *cluster.before_offsets.lock() = Some(("C".to_owned(), Box::new(delete)));
    a.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;");
    assert!(cluster.before_offsets.lock().is_none());
    assert_eq!(cluster.log.partitions("C"), Some(1), "as many as its source has");
}

/// Not known to be there is not known to be gone.
#[test]
fn what_is_left_is_cleared_away_though_groups_are_not_listed() {
    let cluster = Cluster::new();
    let mut a = cluster.process();
    a.done(S);
    let id = a.query("CREATE STREAM o AS SELECT * FROM s;");
    let group = Service::default().query_group(&id);
    let place = TopicPartition { topic: "s".to_owned(), partition: 0 };
    cluster.log.alter_positions(&group, &BTreeMap::from([(place, 0)])).unwrap();
    cluster.write_drop("DROP STREAM o;", None);
    drop(a);
    cluster.groups_unlisted.store(true, Ordering::Relaxed);
    let b = cluster.engine(true);
    b.start();
    cluster.groups_unlisted.store(false, Ordering::Relaxed);
    await_that("its positions go", || cluster.log.groups().unwrap().is_empty());
    cluster.groups_unlisted.store(true, Ordering::Relaxed);
    assert!(b.groups(None).is_err());
}

/// Whoever has its partitions, of all stages.
#[test]
fn a_group_is_at_its_end_when_all_of_it_is() {
    let cluster = Cluster::new();
    let mut a = cluster.process();
    a.done(&S.replace("PARTITIONS=1", "PARTITIONS=3"));
    let id = a.query("CREATE TABLE c AS SELECT v, COUNT(*) AS n FROM s GROUP BY v EMIT CHANGES;");
    let group = Service::default().query_group(&id);
    let place = |topic: &str, partition| TopicPartition { topic: topic.to_owned(), partition };
    let write = |topic: &str, partition| {
        let mut records = Records::default();
        (0..3).for_each(|n| records.push(None, Some(b"{}"), n));
        cluster.log.append(&place(topic, partition), &records).unwrap();
    };
    let read = |topic: &str, partition, offset| {
        cluster.log.alter_positions(&group, &BTreeMap::from([(place(topic, partition), offset)])).unwrap();
    };
    let exchanges = a.engine.inner.exchange_topics(&id);
    let [exchange] = exchanges.as_slice() else { panic!("{exchanges:?}") };
    let spec = TopicSpec { name: exchange.clone(), partitions: 3, replicas: None, configs: BTreeMap::new() };
    crate::log::create_if_missing(&*cluster.log, &spec).unwrap();
    write("s", 0);
    write("s", 1);
    let ends = crate::engine::job::ends(&*cluster.log, std::iter::once("s".to_owned()).collect()).unwrap();
    let reached = || a.engine.inner.has_reached(&id, &ends).unwrap();
    assert!(!reached());
    read("s", 0, 3);
    assert!(!reached(), "partition 1 is another process's");
    read("s", 1, 2);
    assert!(!reached());
    read("s", 1, 3);
    // Nobody has read of partition 2, where nothing is.
    assert!(reached());
    write(exchange, 2);
    assert!(!reached(), "what was handed over isn't read");
    read(exchange, 2, 3);
    assert!(reached());
    // What comes later doesn't count.
    write("s", 0);
    assert!(reached());
}

#[test]
fn a_job_that_two_processes_start_is_made_once() {
    let cluster = Cluster::new();
    let job = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);
               CREATE STREAM o AS SELECT * FROM s;
               INSERT INTO o SELECT k, v + 1 AS v FROM s;
               INSERT INTO o SELECT k, v + 1 AS v FROM s;";
    let start = |engine: &Engine| Job::start(engine, job, &BTreeMap::new(), &BTreeMap::new(), false).unwrap();
    // At each of the four commands another process has made that one, and those before it, just before.
    for at in 1..=4 {
        let cluster = Cluster::new();
        let (a, b) = (cluster.engine(false), cluster.engine(false));
        let mut before: Once = Box::new(move || {
            Job::start(&b, job, &BTreeMap::new(), &BTreeMap::new(), false).map(drop).unwrap();
            Ok(())
        });
        for _ in 1..at {
            let hook = cluster.before_command.clone();
            before = Box::new(move || {
                // Taken by the next command, which is the one after this.
                *hook.lock() = Some(before);
                Ok(())
            });
        }
        *cluster.before_command.lock() = Some(before);
        start(&a);
        assert_eq!(cluster.counting().len(), 4, "{:?}", cluster.counting());
        assert_eq!(a.catalog().queries().count(), 3);
    }
    let a = cluster.engine(false);
    start(&a);
    start(&a);
    assert_eq!(cluster.counting().len(), 4);
}
