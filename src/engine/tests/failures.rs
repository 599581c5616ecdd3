//! A statement that fails leaves nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::*;
use crate::catalog::Service;
use crate::engine::Drive;
use crate::engine::stepped::SteppedQueries;
use crate::log::LogError;
use crate::log::intercepted::{Call, Intercepted};

/// A stepped engine over a log with two switches: it takes no commands, makes no changelogs.
fn stubborn() -> (Terminal, Arc<AtomicBool>, Arc<AtomicBool>) {
    let (no_commands, no_changelogs) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let (commands_off, changelogs_off) = (no_commands.clone(), no_changelogs.clone());
    let log = Intercepted::new(move |call| match call {
        Call::Append(place)
            if place.topic == Service::default().command_topic() && commands_off.load(Ordering::Relaxed) =>
        {
            Err(LogError::Full("no commands now".to_string()))
        }
        Call::CreateTopic(spec) if spec.name.ends_with("-changelog") && changelogs_off.load(Ordering::Relaxed) => {
            Err(LogError::Full("no changelogs now".to_string()))
        }
        _ => Ok(()),
    });
    let drive = Drive::Stepped(Mutex::new(SteppedQueries::default()));
    let engine = Engine::over(Arc::new(log), None, options(), drive, false).unwrap();
    (Terminal::on(engine), no_commands, no_changelogs)
}

/// All that a statement could leave.
fn all_there_is(t: &mut Terminal) -> (Vec<String>, Vec<String>, Vec<Listing>) {
    let log = t.engine.log();
    let listings = ["SHOW STREAMS;", "SHOW TABLES;", "SHOW QUERIES;", "SHOW TYPES;"].map(|sql| t.listing(sql));
    (log.topics(), log.groups().unwrap(), listings.to_vec())
}

const S: &str = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);";

#[test]
fn when_the_command_can_not_be_written() {
    let (mut t, no_commands, _) = stubborn();
    t.done(S);
    let id = t.query("CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;");
    let before = all_there_is(&mut t);
    no_commands.store(true, Ordering::Relaxed);
    for sql in [
        "CREATE STREAM s2 (v INT) WITH (KAFKA_TOPIC='s2', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "CREATE STREAM o2 AS SELECT * FROM s EMIT CHANGES;",
        "CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;",
        "CREATE OR REPLACE STREAM o AS SELECT * FROM s WHERE v > 1 EMIT CHANGES;",
        "INSERT INTO o SELECT * FROM s EMIT CHANGES;",
        "CREATE TYPE pair AS STRUCT<a INT>;",
        "DROP STREAM o DELETE TOPIC;",
        "TERMINATE ALL;",
        "PAUSE ALL;",
    ] {
        assert!(t.fails(sql).contains("no commands now"), "{sql}");
        assert_eq!(all_there_is(&mut t), before, "{sql}");
    }
    no_commands.store(false, Ordering::Relaxed);
    t.done("INSERT INTO s VALUES ('a', 1);");
    t.await_records("O", &[r#"a:{"V":1}"#]);
    assert_eq!(t.engine.query_state(&id), Some(QueryState::Running));
    t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    t.await_rows("SELECT n FROM c;", &["Bigint(1)"]);
}

#[test]
fn when_a_second_topic_can_not_be_made() {
    let (mut t, _, no_changelogs) = stubborn();
    t.done(S);
    let before = all_there_is(&mut t);
    no_changelogs.store(true, Ordering::Relaxed);
    let sql = "CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;";
    assert!(t.fails(sql).contains("no changelogs now"));
    assert_eq!(all_there_is(&mut t), before);
    no_changelogs.store(false, Ordering::Relaxed);
    t.query(sql);
}

#[test]
fn when_the_statement_is_wrong() {
    on_both(|t| {
        t.done(S);
        let next = t.engine.inner.commands.next_offset().unwrap();
        let before = all_there_is(t);
        for sql in [
            "CREATE STREAM o AS SELECT nothing FROM s;",
            "CREATE STREAM o WITH (PARTITIONS=0) AS SELECT * FROM s;",
            "CREATE STREAM o WITH (VALUE_FORMAT='AVRO') AS SELECT * FROM s;",
            "CREATE TABLE o AS SELECT * FROM s;",
            "CREATE STREAM o WITH (KAFKA_TOPIC='s', PARTITIONS=7) AS SELECT * FROM s;",
            "CREATE TABLE c WITH (RETENTION_MS=5) AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;",
            "INSERT INTO s VALUES (1, 2, 3, 4);",
            "CREATE STREAM o AS SELECT * FROM s JOIN s ON s.k = s.k;",
        ] {
            t.fails(sql);
            assert_eq!(all_there_is(t), before, "{sql}");
        }
        assert_eq!(t.engine.inner.commands.next_offset().unwrap(), next);
    });
}
