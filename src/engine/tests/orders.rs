//! What persistent queries are told, and what they notice by themselves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::*;
use crate::engine::Drive;
use crate::log::intercepted::{Call, Intercepted};

const S: &str = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);";

/// One record's columns in the listing of queries: in, out, late, bad.
fn counts(t: &mut Terminal, id: &str) -> Vec<String> {
    let listing = t.listing("SHOW QUERIES;");
    listing.rows.into_iter().find(|row| row[0] == id).unwrap()[3..7].to_vec()
}

/// Waits until some rows are shown.
fn await_counts(t: &mut Terminal, id: &str, expected: [&str; 4]) {
    let asked = now();
    loop {
        let found = counts(t, id);
        if found == expected {
            return;
        }
        assert!(asked.elapsed() < PATIENCE, "{found:?} instead of {expected:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn rows_are_shown_before_the_first_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    // No commit comes while this test waits.
    t.done("SET 'commit.interval.ms' = '3600000';");
    let id = t.query("CREATE STREAM o AS SELECT * FROM s WHERE v > 1 EMIT CHANGES;");
    for (k, v) in [("a", 1), ("b", 2), ("c", 3)] {
        t.done(&format!("INSERT INTO s VALUES ('{k}', {v});"));
    }
    await_counts(&mut t, &id, ["3", "2", "0", "0"]);
    t.await_records("O", &[]);
}

#[test]
fn a_table_says_what_its_rows_dont_show_yet() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    for (k, v) in [("a", 1), ("a", 2), ("b", 3)] {
        t.done(&format!("INSERT INTO s VALUES ('{k}', {v});"));
    }
    // No commit comes while this test waits.
    t.done("SET 'commit.interval.ms' = '3600000';");
    let id = t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    let behind = (0, vec!["table C is still catching up: lag 3".to_string()]);
    assert_eq!(warnings(t.stream("SELECT * FROM c;")), behind);
    await_counts(&mut t, &id, ["3", "3", "0", "0"]);
    assert_eq!(warnings(t.stream("SELECT * FROM c;")), behind);
    // The end of the process commits.
    drop(t);

    let mut t = Terminal::open(folder.path());
    assert_eq!(warnings(t.stream("SELECT * FROM c;")), (2, Vec::new()));
    t.await_state(&id, &|state| *state == QueryState::Running);
    assert_eq!(warnings(t.stream("SELECT * FROM c;")), (2, Vec::new()));
}

#[test]
fn a_query_that_failed_tries_again_when_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { memory_bytes_max: 4 << 20, ..options() };
    let mut t = Terminal::on(Engine::open(folder.path(), options).unwrap());
    t.done(S);
    let id = t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    // Somebody else has the memory.
    let other = t.engine.inner.memory.share();
    other.set((4 << 20) - 100).unwrap();
    t.done("INSERT INTO s VALUES ('a', 1);");
    t.await_state(&id, &|state| matches!(state, QueryState::Failed(_)));
    t.done(&format!("PAUSE {id};"));
    drop(other);
    t.done(&format!("RESUME {id};"));
    t.await_rows("SELECT * FROM c;", &[r#"String("a") Bigint(1)"#]);
    t.await_state(&id, &|state| *state == QueryState::Running);
}

#[test]
fn a_query_that_could_not_be_started_is_started_when_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    let id = t.query("CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;");
    t.engine.log().delete_topic("s").unwrap();
    drop(t);
    let mut t = Terminal::open(folder.path());
    let state = t.await_state(&id, &|state| matches!(state, QueryState::Failed(_)));
    assert!(state.to_string().contains("topic 's' does not exist"), "{state}");
    // Still not there: it says so again.
    let status = t.done(&format!("RESUME {id};"));
    assert!(status.warnings.iter().any(|warning| warning.contains("did not start")), "{:?}", status.warnings);
    let spec =
        crate::log::TopicSpec { name: "s".to_string(), partitions: 1, replicas: None, configs: Default::default() };
    t.engine.log().create_topic(&spec).unwrap();
    t.done(&format!("RESUME {id};"));
    t.done("INSERT INTO s VALUES ('a', 1);");
    t.await_records("O", &[r#"a:{"V":1}"#]);
}

#[test]
fn a_query_whose_sink_topic_is_deleted_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    let id = t.query("CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;");
    t.await_state(&id, &|state| *state == QueryState::Running);
    t.engine.log().delete_topic("O").unwrap();
    // It has nothing to write, and notices nonetheless.
    let state = t.await_state(&id, &|state| matches!(state, QueryState::Blocked(_)));
    assert!(state.to_string().contains("topic 'O', which the query writes to, was deleted"), "{state}");
    let spec =
        crate::log::TopicSpec { name: "O".to_string(), partitions: 1, replicas: None, configs: Default::default() };
    t.engine.log().create_topic(&spec).unwrap();
    t.done("INSERT INTO s VALUES ('a', 1);");
    t.await_records("O", &[r#"a:{"V":1}"#]);
}

/// Commits of the state: so many stored batches lie in each topic of a recovery.
const COMMITS: usize = 30;

/// An engine whose query gets this order while it reads its state back, at the third fetch. Gives the query's id and the
/// number of fetches from its changelog since then.
fn ordered_while_recovering(order: fn(&crate::engine::query::Orders)) -> (Terminal, String, Arc<AtomicUsize>) {
    let fetches = Arc::new(AtomicUsize::new(0));
    let orders: Arc<OnceLock<Arc<crate::engine::query::Orders>>> = Arc::default();
    let (counted, given) = (fetches.clone(), orders.clone());
    let log: Arc<dyn Log> = Arc::new(Intercepted::new(move |call| {
        if let (Call::Fetch(place), Some(orders)) = (call, given.get())
            && place.topic.ends_with("-changelog")
            && counted.fetch_add(1, Ordering::Relaxed) == 2
        {
            order(orders);
        }
        Ok(())
    }));
    let mut t = Terminal::on(Engine::over(log, None, options(), Drive::Threads(Mutex::default()), false).unwrap());
    t.done(S);
    let id = t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    for n in 1..=COMMITS {
        t.done("INSERT INTO s VALUES ('a', 1);");
        t.await_rows("SELECT n FROM c;", &[&format!("Bigint({n})")]);
    }
    // It recovers when the one that it reads from is there again.
    t.engine.log().delete_topic("C").unwrap();
    t.await_state(&id, &|state| matches!(state, QueryState::Blocked(_)));
    let Drive::Threads(queries) = &t.engine.inner.drive else { panic!("no threads") };
    assert!(orders.set(queries.lock().get(&id).unwrap().orders.clone()).is_ok());
    let spec =
        crate::log::TopicSpec { name: "C".to_string(), partitions: 1, replicas: None, configs: Default::default() };
    t.engine.log().create_topic(&spec).unwrap();
    (t, id, fetches)
}

#[test]
fn a_query_that_recovers_stops_at_once() {
    let (t, id, fetches) = ordered_while_recovering(|orders| orders.stop.store(true, Ordering::Relaxed));
    t.await_state(&id, &|state| *state == QueryState::Stopped);
    assert_eq!(fetches.load(Ordering::Relaxed), 3);
}

#[test]
fn a_query_that_recovers_pauses_at_once_and_goes_on_when_it_is_resumed() {
    let (mut t, id, fetches) = ordered_while_recovering(|orders| orders.paused.store(true, Ordering::Relaxed));
    t.await_state(&id, &|state| *state == QueryState::Paused);
    assert_eq!(fetches.load(Ordering::Relaxed), 3);
    t.done(&format!("RESUME {id};"));
    t.done("INSERT INTO s VALUES ('a', 1);");
    t.await_rows("SELECT n FROM c;", &[&format!("Bigint({})", COMMITS + 1)]);
}
