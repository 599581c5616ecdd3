//! Snapshots of the queries' state through restarts.

use std::sync::atomic::Ordering;

use super::*;
use crate::dataflow::SnapshotCounters;
use crate::engine::Drive;
use crate::log::TopicSpec;

const T: &str = "CREATE TABLE t (k STRING PRIMARY KEY, g INT, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');";
const SUMS: &str = "CREATE TABLE sums AS SELECT g, SUM(v) AS s, COUNT(*) AS n FROM t GROUP BY g EMIT CHANGES;";

/// A snapshot is due at each commit.
fn eager() -> Options {
    let mut options = options();
    options.snapshots.changed_records_min = 1;
    options.snapshots.changed_percent_min = 0;
    options.snapshots.disk_free_min_bytes = 0;
    options
}

fn open(folder: &Path) -> Terminal {
    let asked = now();
    loop {
        match Engine::open(folder, eager()) {
            Ok(engine) => return Terminal::on(engine),
            Err(error) => assert!(asked.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn write(t: &Terminal, key: &str, value: Option<&str>) {
    let mut records = Records::default();
    records.push(Some(key.as_bytes()), value.map(str::as_bytes), 1);
    t.engine.log().append(&TopicPartition { topic: "t".to_string(), partition: 0 }, &records).unwrap();
}

fn counted(t: &Terminal, id: &str, count: impl Fn(&SnapshotCounters) -> u64) -> u64 {
    let Drive::Threads(queries) = &t.engine.inner.drive else { panic!("stepped") };
    let queries = queries.lock();
    count(&queries.get(id).unwrap().counters.snapshots)
}

fn table(folder: &Path) -> (Terminal, String) {
    let mut t = open(folder);
    let configs = [("cleanup.policy".to_string(), "compact".to_string())].into();
    t.engine.log().create_topic(&TopicSpec { name: "t".to_string(), partitions: 1, replicas: None, configs }).unwrap();
    t.done(T);
    let id = t.query(SUMS);
    (t, id)
}

/// Changes the table until snapshots of all three parts (groups, the source's rows, the rows for pull queries) are there.
fn until_written(t: &mut Terminal, id: &str) {
    let mut v = 0;
    while counted(t, id, |snapshots| snapshots.written.load(Ordering::Relaxed)) < 9 {
        v += 1;
        write(t, "a", Some(&format!(r#"{{"g":1,"v":{v}}}"#)));
        t.await_rows("SELECT s FROM sums WHERE g = 1;", &[&format!("Int({v})")]);
    }
    counted(t, id, |snapshots| {
        assert_eq!(*snapshots.last_failure.lock(), None);
        0
    });
}

fn files(folder: &Path) -> Vec<String> {
    let list = |folder: &Path| -> Vec<std::path::PathBuf> {
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    };
    let files = list(&folder.join("state")).into_iter().flat_map(|folder| list(&folder));
    let mut files: Vec<String> = files.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    files.sort();
    files
}

#[test]
fn a_restart_goes_on_from_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let (mut t, id) = table(folder.path());
    write(&t, "gone", Some(r#"{"g":2,"v":1}"#));
    write(&t, "moves", Some(r#"{"g":3,"v":1}"#));
    until_written(&mut t, &id);
    // What comes after the snapshots counts as well.
    write(&t, "gone", None);
    write(&t, "moves", Some(r#"{"g":4,"v":10}"#));
    write(&t, "a", Some(r#"{"g":1,"v":7}"#));
    let rows =
        ["Int(1) Int(7) Bigint(1)", "Int(2) Int(0) Bigint(0)", "Int(3) Int(0) Bigint(0)", "Int(4) Int(10) Bigint(1)"];
    t.await_rows("SELECT * FROM sums;", &rows);
    drop(t);
    assert_eq!(files(folder.path()), ["rows-0.snapshot", "state-1-0.snapshot", "view-0.snapshot"]);

    let mut t = open(folder.path());
    t.await_rows("SELECT * FROM sums;", &rows);
    t.await_state(&id, &|state| *state == QueryState::Running);
    assert_eq!(counted(&t, &id, |snapshots| snapshots.used.load(Ordering::Relaxed)), 3);
    assert_eq!(counted(&t, &id, |snapshots| snapshots.refused.load(Ordering::Relaxed)), 0);
    write(&t, "moves", None);
    write(&t, "a", Some(r#"{"g":2,"v":3}"#));
    let rows =
        ["Int(1) Int(0) Bigint(0)", "Int(2) Int(3) Bigint(1)", "Int(3) Int(0) Bigint(0)", "Int(4) Int(0) Bigint(0)"];
    t.await_rows("SELECT * FROM sums;", &rows);

    t.done("DROP TABLE sums;");
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn damaged_snapshots_change_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let (mut t, id) = table(folder.path());
    write(&t, "gone", Some(r#"{"g":2,"v":1}"#));
    until_written(&mut t, &id);
    write(&t, "gone", None);
    write(&t, "a", Some(r#"{"g":1,"v":7}"#));
    let rows = ["Int(1) Int(7) Bigint(1)", "Int(2) Int(0) Bigint(0)"];
    t.await_rows("SELECT * FROM sums;", &rows);
    drop(t);
    for owner in std::fs::read_dir(folder.path().join("state")).unwrap() {
        for file in std::fs::read_dir(owner.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }

    let mut t = open(folder.path());
    t.await_rows("SELECT * FROM sums;", &rows);
    t.await_state(&id, &|state| *state == QueryState::Running);
    assert_eq!(counted(&t, &id, |snapshots| snapshots.refused.load(Ordering::Relaxed)), 3);
    assert_eq!(counted(&t, &id, |snapshots| snapshots.used.load(Ordering::Relaxed)), 0);
    write(&t, "a", None);
    t.await_rows("SELECT * FROM sums;", &["Int(1) Int(0) Bigint(0)", "Int(2) Int(0) Bigint(0)"]);
}

/// Somebody else's records in the table's topic are rows only after a restart; a snapshot must not leave them out then.
#[test]
fn records_of_others_in_the_tables_topic_come_with_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut t, id) = table(folder.path());
    let place = TopicPartition { topic: "SUMS".to_string(), partition: 0 };
    let mut records = Records::default();
    records.push(Some(&9_i32.to_be_bytes()), Some(br#"{"S":9,"N":9}"#), 1);
    t.engine.log().append(&place, &records).unwrap();
    let mut v = 0;
    while counted(&t, &id, |snapshots| snapshots.written.load(Ordering::Relaxed)) < 6 {
        v += 1;
        write(&t, "a", Some(&format!(r#"{{"g":1,"v":{v}}}"#)));
        t.await_rows("SELECT s FROM sums WHERE g = 1;", &[&format!("Int({v})")]);
    }
    drop(t);
    let mut t = open(folder.path());
    t.await_rows("SELECT * FROM sums;", &[&format!("Int(1) Int({v}) Bigint(1)"), "Int(9) Int(9) Bigint(9)"]);
}

/// A topic that is emptied has no rows after a restart; a snapshot must not bring them back.
#[test]
fn an_emptied_topic_stays_empty() {
    let folder = tempfile::tempdir().unwrap();
    let (mut t, id) = table(folder.path());
    write(&t, "b", Some(r#"{"g":2,"v":1}"#));
    until_written(&mut t, &id);
    t.engine.log().empty_topic("SUMS").unwrap();
    let before = counted(&t, &id, |snapshots| snapshots.written.load(Ordering::Relaxed));
    let mut v = 100;
    while counted(&t, &id, |snapshots| snapshots.written.load(Ordering::Relaxed)) < before + 4 {
        v += 1;
        write(&t, "a", Some(&format!(r#"{{"g":1,"v":{v}}}"#)));
        t.await_rows("SELECT s FROM sums WHERE g = 1;", &[&format!("Int({v})")]);
    }
    drop(t);
    let mut t = open(folder.path());
    t.await_rows("SELECT * FROM sums;", &[&format!("Int(1) Int({v}) Bigint(1)")]);
}
