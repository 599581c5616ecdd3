//! Recoveries that don't come to their end: broken off where they are, or without what they need.

use std::sync::atomic::{AtomicBool, AtomicUsize};

use super::*;
use crate::log::intercepted::{Call, Intercepted};

/// Commits of the state: so many batches lie in the changelog and in the table's topic.
const COMMITS: usize = 40;

/// A log that rings `stop` at the third fetch from `topic` since it was told to, and counts the fetches.
struct Trap {
    topic: String,
    armed: AtomicBool,
    stop: AtomicBool,
    fetches: AtomicUsize,
}

impl Trap {
    fn look(&self, call: Call<'_>) {
        if let Call::Fetch(place) = call
            && place.topic == self.topic
            && self.armed.load(Ordering::Relaxed)
            && self.fetches.fetch_add(1, Ordering::Relaxed) == 2
        {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

fn a_recovery_is_broken_off(topic: &str) {
    let trap = Arc::new(Trap {
        topic: topic.to_string(),
        armed: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        fetches: AtomicUsize::new(0),
    });
    let looking = trap.clone();
    let log = Intercepted::new(move |call| {
        looking.look(call);
        Ok(())
    });
    let statement = "CREATE TABLE o AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;";
    let world = World::new(Arc::new(log), "k STRING KEY, v INT", 1, statement);
    let asked = trap.clone();
    let host = Host { interrupted: Arc::new(move || asked.stop.load(Ordering::Relaxed)), ..Host::default() };
    let mut run = world.open(&host).unwrap();
    for n in 0..COMMITS {
        let mut records = Records::default();
        records.push(Some(n.to_string().as_bytes()), Some(br#"{"V":1}"#), 0);
        world.append(0, &records);
        assert_eq!(run.step().unwrap(), 1);
        run.commit().unwrap();
    }
    drop(run);
    let written = world.written();
    trap.armed.store(true, Ordering::Relaxed);
    assert!(world.open(&host).is_err());
    assert_eq!(trap.fetches.load(Ordering::Relaxed), 3);
    // Nothing came of it: opened again, it has all there was.
    trap.stop.store(false, Ordering::Relaxed);
    let mut run = world.open(&host).unwrap();
    assert!(trap.fetches.load(Ordering::Relaxed) >= 3 + COMMITS);
    assert_eq!(run.step().unwrap(), 0);
    assert_eq!(world.written(), written);
    assert_eq!(written.len(), COMMITS);
}

#[test]
fn of_state() {
    a_recovery_is_broken_off(&changelog_topic(GROUP));
}

#[test]
fn of_rows_for_pull_queries() {
    a_recovery_is_broken_off(SINK);
}

/// While the changelog is read, and no longer.
#[test]
fn it_tells_how_far_it_is() {
    let counters = Arc::new(Counters::default());
    let seen: Arc<parking_lot::Mutex<Vec<Option<u8>>>> = Arc::default();
    let (looking, into) = (counters.clone(), seen.clone());
    let log = Intercepted::new(move |call| {
        if let Call::Fetch(place) = call
            && place.topic == changelog_topic(GROUP)
        {
            into.lock().push(looking.recovery.percent());
        }
        Ok(())
    });
    let statement = "CREATE TABLE o AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;";
    let world = World::new(Arc::new(log), "k STRING KEY, v INT", 1, statement);
    let mut run = world.open(&Host::default()).unwrap();
    for n in 0..4 {
        let mut records = Records::default();
        records.push(Some(n.to_string().as_bytes()), Some(br#"{"V":1}"#), 0);
        world.append(0, &records);
        run.step().unwrap();
        run.commit().unwrap();
    }
    drop(run);
    seen.lock().clear();
    let run = world.open(&Host { counters: counters.clone(), ..Host::default() }).unwrap();
    // Before each of the four commits is read.
    assert_eq!(*seen.lock(), [Some(0), Some(25), Some(50), Some(75)]);
    assert_eq!(counters.recovery.percent(), None);
    drop(run);
}

#[test]
fn of_state_whose_topic_is_gone() {
    let statement = "CREATE TABLE o AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;";
    let log = Arc::new(Intercepted::new(|_| Ok(())));
    let world = World::new(log.clone(), "k STRING KEY, v INT", 1, statement);
    let mut records = Records::default();
    records.push(Some(b"a"), Some(br#"{"V":1}"#), 0);
    world.append(0, &records);
    let mut run = world.open(&Host::default()).unwrap();
    run.step().unwrap();
    run.commit().unwrap();
    drop(run);
    log.delete_topic(&changelog_topic(GROUP)).unwrap();
    // Counting from nothing would give wrong numbers.
    let error = world.open(&Host::default()).err().unwrap();
    assert!(error.to_string().contains("the query's state is gone"), "{error}");
    log.delete_topic(SINK).unwrap();
    assert!(world.open(&Host::default()).is_err());
}
