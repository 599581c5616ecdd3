//! Jobs: a script that runs, is run again, is changed.

use std::collections::BTreeMap;

use super::*;
use crate::engine::Job;

const SCRIPT: &str = "
    SET 'cache.max.bytes.buffering' = '0';
    DEFINE least = '10';
    CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE STREAM o (k STRING KEY, v INT) WITH (KAFKA_TOPIC='o', VALUE_FORMAT='JSON', PARTITIONS=1);
    INSERT INTO o SELECT * FROM s WHERE v > ${least} EMIT CHANGES;
    INSERT INTO o SELECT * FROM s WHERE v > ${least} EMIT CHANGES;
    CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM o WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY k EMIT CHANGES";

fn job(engine: &Engine, script: &str, until_end: bool) -> Result<Job, Error> {
    Job::start(engine, script, &BTreeMap::new(), &BTreeMap::new(), until_end)
}

/// The queries of a job, in its order.
fn queries(job: &Job) -> Vec<String> {
    job.progress().into_iter().map(|query| query.id).collect()
}

fn run_to_end(engine: &Engine, script: &str) -> Vec<String> {
    let mut job = job(engine, script, true).unwrap();
    let ids = queries(&job);
    job.wait(PATIENCE).expect("it ends").unwrap();
    job.stop().unwrap();
    ids
}

fn put(t: &mut Terminal, k: &str, v: i32) {
    t.done(&format!("INSERT INTO s (k, v, ROWTIME) VALUES ('{k}', {v}, 1000);"));
}

#[test]
fn a_script_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path(), options()).unwrap();
    let ids = run_to_end(&engine, SCRIPT);
    assert_eq!(ids, ["INSERTQUERY_2", "INSERTQUERY_3", "CTAS_C_4"]);
    drop(engine);
    for n in [2, 4] {
        let mut t = Terminal::open(folder.path());
        put(&mut t, "a", 11);
        put(&mut t, "a", 10);
        t.engine.shutdown();
        drop(t);
        let engine = Engine::open(folder.path(), options()).unwrap();
        // In its order, the identical ones each once.
        assert_eq!(run_to_end(&engine, SCRIPT), ids);
        let mut t = Terminal::on(engine);
        assert_eq!(t.rows("SELECT n FROM c;"), [format!("Bigint({n})")]);
    }
}

#[test]
fn another_insert_of_the_same_text_is_another_query() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path(), options()).unwrap();
    let ids = run_to_end(&engine, SCRIPT);
    drop(engine);
    let engine = Engine::open(folder.path(), options()).unwrap();
    let more = format!("{SCRIPT}; INSERT INTO o SELECT * FROM s WHERE v > ${{least}} EMIT CHANGES;");
    let again = run_to_end(&engine, &more);
    assert_eq!(again[..3], ids);
    assert_eq!(again.len(), 4);
}

#[test]
fn what_differs_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path(), options()).unwrap();
    run_to_end(&engine, SCRIPT);
    let refused = |script: &str| match job(&engine, script, true) {
        Err(error) => error,
        Ok(_) => panic!("{script}"),
    };
    let changed = SCRIPT.replace("k, COUNT(*) AS n", "k, COUNT(v) AS n");
    let error = refused(&changed);
    assert!(error.what.contains("standing: CREATE TABLE c AS SELECT k, COUNT(*) AS n"), "{error}");
    assert!(error.what.contains("script:   CREATE TABLE c AS SELECT k, COUNT(v) AS n"), "{error}");
    assert_eq!(error.at.map(|at| at.line), Some(8));
    let error = refused(&SCRIPT.replace("KAFKA_TOPIC='o'", "KAFKA_TOPIC='p'"));
    assert!(error.what.contains("KAFKA_TOPIC='p'") && error.to_string().contains("OR REPLACE"), "{error}");
    let error = refused(&SCRIPT.replace("'0'", "'1000'"));
    assert!(error.what.contains("SET 'cache.max.bytes.buffering' = '1000'"), "{error}");
    // Spaces and case of words are no difference, nor is OR REPLACE or IF NOT EXISTS.
    let same =
        SCRIPT.replace("CREATE TABLE c", "create  or replace\n table C").replace("STREAM s", "STREAM IF NOT EXISTS s");
    drop(engine);
    let engine = Engine::open(folder.path(), options()).unwrap();
    assert_eq!(run_to_end(&engine, &same).len(), 3);
}

#[test]
fn or_replace_changes_a_query_of_the_job() {
    let script = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);
        CREATE OR REPLACE STREAM o AS SELECT k, v FROM s WHERE v > 10 EMIT CHANGES;";
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    let ids = run_to_end(&t.engine, script);
    drop(t);
    t = Terminal::open(folder.path());
    put(&mut t, "a", 11);
    put(&mut t, "b", 5);
    t.await_records("O", &[r#"a:{"V":11}"#]);
    assert_eq!(run_to_end(&t.engine, &script.replace("v > 10", "v < 10")), ids);
    drop(t);
    t = Terminal::open(folder.path());
    put(&mut t, "c", 6);
    t.await_records("O", &[r#"a:{"V":11}"#, r#"c:{"V":6}"#]);
    assert_eq!(t.firsts("SHOW QUERIES;"), ids);
}

#[test]
fn a_terminated_query_is_no_longer_standing() {
    let script = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);
        CREATE STREAM o AS SELECT k, v FROM s EMIT CHANGES;";
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    let mut running = job(&t.engine, script, false).unwrap();
    let ids = queries(&running);
    t.done(&format!("TERMINATE {};", ids[0]));
    assert_eq!(queries(&running), Vec::<String>::new());
    assert!(running.wait(Duration::from_millis(20)).is_none());
    running.stop().unwrap();
    let error = job(&t.engine, script, true).err().unwrap();
    assert!(error.what.contains("was terminated") && error.what.contains(&ids[0]), "{error}");
    let again = run_to_end(&t.engine, &script.replace("CREATE STREAM o", "CREATE OR REPLACE STREAM o"));
    assert_ne!(again, ids);
}

#[test]
fn what_has_no_place_in_a_job() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path(), options()).unwrap();
    let create = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);\n";
    for (statement, word) in [
        ("INSERT INTO s VALUES ('a', 1);", "INSERT INTO ... VALUES"),
        ("SELECT * FROM s;", "SELECT"),
        ("DROP STREAM s;", "no place"),
        ("SELECT * FROM ${nobody};", "isn't defined"),
        ("SET 'no.such' = 'x';", "Unknown property"),
        ("CREATE STRAEM x AS SELECT * FROM s;", ""),
    ] {
        let error = job(&engine, &format!("{create}{statement}"), true).err().unwrap();
        assert!(error.what.contains(word), "{error}");
        assert_eq!(error.at.map(|at| at.line), Some(2), "{error}");
        // Nothing of a script runs when a part of it can't.
        assert!(engine.catalog().source("S").is_none());
    }
    assert!(job(&engine, create, true).err().unwrap().what.contains("no persistent query"));
}

const CHAIN: &str = "
    CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE STREAM o AS SELECT * FROM s EMIT CHANGES;
    CREATE STREAM p AS SELECT * FROM o EMIT CHANGES;";

#[test]
fn a_cycle_is_named_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path(), options()).unwrap();
    let cycle = format!("{CHAIN}\n    INSERT INTO s SELECT * FROM p WHERE v > 0 EMIT CHANGES;");
    let error = job(&engine, &cycle, true).err().unwrap();
    assert!(error.what.contains("S -> O -> P -> S"), "{error}");
    assert_eq!(error.at.map(|at| at.line), Some(5));
    assert!(engine.catalog().source("S").is_none());
    // Two names of one topic are one place.
    let alias = format!(
        "{CHAIN}\n    CREATE STREAM s2 (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');
        INSERT INTO s2 SELECT * FROM p EMIT CHANGES;"
    );
    let error = job(&engine, &alias, true).err().unwrap();
    assert!(error.what.contains("S -> O -> P -> S2"), "{error}");
    // It may run for ever, and what stands is looked at as well.
    job(&engine, &cycle, false).unwrap().stop().unwrap();
    drop(engine);
    let engine = Engine::open(folder.path(), options()).unwrap();
    assert!(job(&engine, &cycle, true).err().unwrap().what.contains("S -> O -> P -> S"));
}

#[test]
fn a_chain_is_followed_to_the_end_of_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    run_to_end(&t.engine, CHAIN);
    drop(t);
    t = Terminal::open(folder.path());
    (0..20).for_each(|v| put(&mut t, "a", v));
    let mut job = job(&t.engine, CHAIN, true).unwrap();
    // Comes after the job's start: not its business.
    (20..40).for_each(|v| put(&mut t, "b", v));
    job.wait(PATIENCE).expect("it ends").unwrap();
    job.stop().unwrap();
    let seen = records(&*t.engine.log(), "P");
    assert!(seen.len() >= 20 && seen[..20].iter().all(|record| record.starts_with("a:")), "{seen:?}");
}

#[test]
fn a_query_in_the_way_ends_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(folder.path(), Options { blocked_max: Duration::ZERO, ..options() }).unwrap();
    let t = Terminal::on(engine);
    let mut running = job(&t.engine, CHAIN, false).unwrap();
    let [_, last] = &queries(&running)[..] else { panic!("two queries") };
    t.engine.log().delete_topic("O").unwrap();
    t.await_state(last, &|state| matches!(state, QueryState::Blocked(_)));
    let error = job(&t.engine, CHAIN, true).unwrap().wait(PATIENCE).expect("it ends").unwrap_err();
    // Its writer and its reader are blocked, each in its time.
    assert!(error.what.contains("is blocked: topic 'O'"), "{error}");
    assert_eq!(error.audience, crate::error::Audience::World);
    running.stop().unwrap();
}

#[test]
fn a_paused_query_ends_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    let mut running = job(&t.engine, CHAIN, false).unwrap();
    let [_, last] = &queries(&running)[..] else { panic!("two queries") };
    t.done(&format!("PAUSE {last};"));
    let error = job(&t.engine, CHAIN, true).unwrap().wait(PATIENCE).expect("it ends").unwrap_err();
    assert!(error.what.contains("is paused") && error.to_string().contains("RESUME"), "{error}");
    running.stop().unwrap();
}
