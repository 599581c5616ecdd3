//! A folder closed and opened again.

use super::*;
use crate::catalog::Service;

const S: &str = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);";

fn append_command(log: &dyn Log, bytes: &[u8]) {
    let mut records = Records::default();
    records.push(None, Some(bytes), 0);
    log.append(&TopicPartition { topic: Service::default().command_topic(), partition: 0 }, &records).unwrap();
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn what_a_loss_of_power_took_is_told() {
    let (folder, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut t = Terminal::open(folder.path());
    t.done(S);
    t.engine.log().sync().unwrap();
    t.done("INSERT INTO s VALUES ('a', 1);");
    t.done("INSERT INTO s VALUES ('b', 2);");
    // The folder as it is while the process has it, but for the last bytes, which the disk didn't get.
    copy_folder(folder.path(), after.path());
    let topics = std::fs::read_dir(after.path().join("log/topics")).unwrap().map(|entry| entry.unwrap().path());
    let of_s = topics.into_iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with("s~")).unwrap();
    let segment = of_s.join("0/00000000000000000000.log");
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(t.engine.log().warnings(), Vec::<String>::new());

    let t = Terminal::open(after.path());
    let place = TopicPartition { topic: "s".to_string(), partition: 0 };
    assert_eq!(t.engine.log().offsets(&place).unwrap(), (0, 1));
    let warnings = t.engine.log().warnings();
    assert!(warnings[0].contains("cut the last commit") && warnings[0].contains("topics/s~"), "{warnings:?}");
    assert_eq!(warnings.len(), 1);
}

#[test]
fn everything_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done("CREATE TYPE pair AS STRUCT<a INT, b INT>;");
    t.done(S);
    let paused = t.query("CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;");
    let counting = t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    let gone = t.query("CREATE STREAM g AS SELECT * FROM s EMIT CHANGES;");
    t.done(&format!("PAUSE {paused};"));
    t.done("DROP STREAM g;");
    t.await_state(&paused, &|state| *state == QueryState::Paused);
    t.done("INSERT INTO s VALUES ('a', 1);");
    t.await_rows("SELECT * FROM c;", &[r#"String("a") Bigint(1)"#]);
    let before = (t.listing("SHOW STREAMS;"), t.listing("SHOW TABLES;"), t.listing("SHOW TYPES;"));
    drop(t);

    let mut t = Terminal::open(folder.path());
    assert_eq!((t.listing("SHOW STREAMS;"), t.listing("SHOW TABLES;"), t.listing("SHOW TYPES;")), before);
    assert_eq!(t.firsts("SHOW QUERIES;"), [paused.clone(), counting]);
    // Its rows are there before anything new comes, and its count goes on.
    assert_eq!(t.rows("SELECT * FROM c;"), [r#"String("a") Bigint(1)"#]);
    t.done("INSERT INTO s VALUES ('a', 2);");
    t.await_rows("SELECT * FROM c;", &[r#"String("a") Bigint(2)"#]);
    t.await_state(&paused, &|state| *state == QueryState::Paused);
    t.await_records("O", &[]);
    t.done(&format!("RESUME {paused};"));
    t.await_records("O", &[r#"a:{"V":1}"#, r#"a:{"V":2}"#]);
    // No id is given twice.
    let next = t.query("CREATE STREAM g2 AS SELECT * FROM s EMIT CHANGES;");
    let number = |id: &str| id.rsplit('_').next().unwrap().parse::<i64>().unwrap();
    assert!(number(&next) > number(&gone));
    assert_eq!(t.engine.quarantined(), []);
}

#[test]
fn a_bad_command_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    let log = t.engine.log();
    append_command(&*log, b"no json");
    append_command(&*log, br#"{"version":99,"statement":"SHOW EVERYTHING;","properties":{}}"#);
    append_command(&*log, br#"{"version":1,"statement":"CREATE STREAM broken (","properties":{}}"#);
    append_command(&*log, br#"{"version":1,"statement":"DROP STREAM nobody;","properties":{}}"#);
    drop(log);
    t.done("CREATE STREAM s2 (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');");
    drop(t);

    let mut t = Terminal::open(folder.path());
    let set_aside = t.engine.quarantined();
    assert_eq!(set_aside.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(set_aside[1].1.contains("newer version"), "{set_aside:?}");
    assert!(set_aside[3].1.contains("NOBODY does not exist"), "{set_aside:?}");
    let streams = t.firsts("SHOW STREAMS;");
    assert!(streams.contains(&"S".to_string()) && streams.contains(&"S2".to_string()), "{streams:?}");
}

#[test]
fn a_query_whose_topic_is_gone_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    let lame = t.query("CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;");
    t.done("CREATE STREAM s2 (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s2', VALUE_FORMAT='JSON', PARTITIONS=1);");
    let well = t.query("CREATE STREAM o2 AS SELECT * FROM s2 EMIT CHANGES;");
    t.engine.shutdown();
    t.engine.log().delete_topic("s").unwrap();
    drop(t);

    let mut t = Terminal::open(folder.path());
    t.done("INSERT INTO s2 VALUES ('a', 1);");
    t.await_records("O2", &[r#"a:{"V":1}"#]);
    t.await_state(&well, &|state| *state == QueryState::Running);
    let state = t.await_state(&lame, &|state| matches!(state, QueryState::Failed(_) | QueryState::Blocked(_)));
    assert!(state.to_string().contains("'s' does not exist"), "{state}");
    assert!(t.listing("SHOW QUERIES;").rows.iter().any(|row| row[1].contains("'s' does not exist")));
    t.done(&format!("TERMINATE {lame};"));
}

#[test]
fn one_engine_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let t = Terminal::open(folder.path());
    let error = Engine::open(folder.path(), options()).err().unwrap();
    assert!(!error.to_string().is_empty());
    drop(t);
    Engine::open(folder.path(), options()).unwrap();
}

#[test]
fn what_a_kill_left_of_an_ended_query_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    let id = t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    t.done("INSERT INTO s VALUES ('a', 1);");
    t.await_rows("SELECT * FROM c;", &[r#"String("a") Bigint(1)"#]);
    // As if the process died between the command and its deeds.
    let command = format!(r#"{{"version":1,"statement":"TERMINATE {id};","properties":{{}}}}"#);
    append_command(&*t.engine.log(), command.as_bytes());
    drop(t);
    let mut t = Terminal::open(folder.path());
    assert_eq!(t.firsts("SHOW QUERIES;"), Vec::<String>::new());
    let log = t.engine.log();
    assert!(!log.groups().unwrap().iter().any(|group| group.contains(&id)), "{:?}", log.groups());
    assert!(!log.topics().iter().any(|topic| topic.contains(&id)), "{:?}", log.topics());
}

#[test]
fn a_deletion_that_a_kill_interrupted_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    t.done("INSERT INTO s VALUES ('a', 1);");
    // As if the process died between the command and its deeds.
    let id = t.engine.log().topic_id("s").unwrap().unwrap();
    let statement = "DROP STREAM s DELETE TOPIC;";
    let command =
        format!(r#"{{"version":1,"statement":"{statement}","properties":{{}},"deletes":{{"name":"s","id":"{id}"}}}}"#);
    append_command(&*t.engine.log(), command.as_bytes());
    drop(t);
    let mut t = Terminal::open(folder.path());
    assert_eq!(t.engine.log().partitions("s"), None);
    // Another topic of that name is not meant, at whatever start.
    t.done(S);
    t.done("INSERT INTO s VALUES ('b', 2);");
    drop(t);
    let mut t = Terminal::open(folder.path());
    t.await_records("s", &[r#"b:{"V":2}"#]);
    t.done("DROP STREAM s DELETE TOPIC;");
    let commands = records(&*t.engine.log(), &t.engine.inner.service.command_topic());
    assert!(commands.last().unwrap().contains(r#""deletes":{"name":"s""#), "{commands:?}");
    assert_eq!(t.engine.log().partitions("s"), None);
}

#[test]
fn the_processing_log_is_a_stream_of_every_folder() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let mut t = Terminal::open(folder.path());
        assert_eq!(t.firsts("SHOW STREAMS;"), ["KSQL_PROCESSING_LOG"]);
        assert_eq!(t.rows("SELECT MESSAGE FROM KSQL_PROCESSING_LOG;"), Vec::<String>::new());
        assert_eq!(t.engine.quarantined(), []);
    }
}

#[test]
fn a_query_from_the_latest_offset_on_misses_nothing_while_nobody_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    t.done("INSERT INTO s VALUES ('old', 1);");
    t.done("SET 'auto.offset.reset' = 'latest';");
    let copying = t.query("CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;");
    t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    t.await_state(&copying, &|state| *state == QueryState::Running);
    let log = t.engine.log();
    drop(t);
    let mut records = Records::default();
    records.push(Some(b"new"), Some(br#"{"V":2}"#), 0);
    log.append(&TopicPartition { topic: "s".to_string(), partition: 0 }, &records).unwrap();
    drop(log);

    let mut t = Terminal::open(folder.path());
    t.await_records("O", &[r#"new:{"V":2}"#]);
    t.await_rows("SELECT * FROM c;", &[r#"String("new") Bigint(1)"#]);
}
