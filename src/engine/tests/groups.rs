//! Groups of queries: shown, and told to read from elsewhere.

use std::collections::BTreeMap;

use super::*;
use crate::engine::{GroupKind, Trial};
use crate::log::GroupState;

const S: &str = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);";

fn at(topic: &str, offset: i64) -> BTreeMap<TopicPartition, i64> {
    BTreeMap::from([(TopicPartition { topic: topic.to_string(), partition: 0 }, offset)])
}

fn reset(t: &Terminal, group: &str, positions: &BTreeMap<TopicPartition, i64>) -> Result<(), String> {
    t.engine.reset_group(group, positions, Trial::No).map_err(|error| error.to_string())
}

/// A stream with three records, read by a query that writes those above 1.
fn filtering(t: &mut Terminal) -> (String, String) {
    t.done(S);
    for (k, v) in [("a", 1), ("b", 2), ("c", 3)] {
        t.done(&format!("INSERT INTO s VALUES ('{k}', {v});"));
    }
    let id = t.query("CREATE STREAM o AS SELECT * FROM s WHERE v > 1 EMIT CHANGES;");
    t.await_records("O", &[r#"b:{"V":2}"#, r#"c:{"V":3}"#]);
    let group = t.engine.groups(Some(&id)).unwrap().pop().unwrap().description.name;
    (id, group)
}

#[test]
fn a_query_is_found_by_its_id_and_shown_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    let (id, group) = filtering(&mut t);
    assert_eq!(group, format!("_confluent-ksql-default_query_{id}"));
    let found = |t: &Terminal, wanted: &str| t.engine.groups(Some(wanted)).unwrap().pop().unwrap();
    assert_eq!(found(&t, &group), found(&t, &id.to_lowercase()));
    let running = found(&t, &id);
    assert!(matches!(&running.kind, GroupKind::Query(query) if query.id == id && query.topics == ["s"]));
    assert_eq!((running.description.state, running.description.members.len()), (GroupState::Stable, 1));
    assert_eq!(running.description.members[0].partitions, at("s", 0).into_keys().collect::<Vec<_>>());
    t.done(&format!("PAUSE {id};"));
    let paused = found(&t, &id).description;
    assert_eq!((paused.state, paused.members.len()), (GroupState::Empty, 0));
    assert_eq!(found(&t, "nobody").description.state, GroupState::Dead);
    // A query that has read nothing yet has its place among them.
    let new = t.query("CREATE STREAM p AS SELECT * FROM o WHERE v > 100 EMIT CHANGES;");
    let names: Vec<String> = t.engine.groups(None).unwrap().into_iter().map(|group| group.description.name).collect();
    assert!(names.contains(&group) && names.iter().any(|name| name.ends_with(&new)), "{names:?}");
}

#[test]
fn a_paused_query_reads_again_from_where_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    let (id, group) = filtering(&mut t);
    let refused = reset(&t, &group, &at("s", 0)).unwrap_err();
    assert!(refused.contains(&format!("PAUSE {id};")) && refused.contains(&format!("RESUME {id};")), "{refused}");
    t.done(&format!("PAUSE {id};"));
    t.engine.reset_group(&group, &at("s", 2), Trial::Only).unwrap();
    assert_eq!(t.engine.log().positions(&group).unwrap(), at("s", 3));
    reset(&t, &group, &at("s", 2)).unwrap();
    assert_eq!(t.engine.log().positions(&group).unwrap(), at("s", 2));
    t.await_state(&id, &|state| *state == QueryState::Paused);
    let wrong = reset(&t, &group, &at("O", 0)).unwrap_err();
    assert!(wrong.contains("doesn't read topic 'O'"), "{wrong}");
    t.done(&format!("RESUME {id};"));
    t.await_records("O", &[r#"b:{"V":2}"#, r#"c:{"V":3}"#, r#"c:{"V":3}"#]);
    // After a restart it stands where it got to, not where it was set to.
    drop(t);
    let t = Terminal::open(folder.path());
    t.await_records("O", &[r#"b:{"V":2}"#, r#"c:{"V":3}"#, r#"c:{"V":3}"#]);
    assert_eq!(t.engine.log().positions(&group).unwrap(), at("s", 3));
}

#[test]
fn nobody_runs_before_the_first_statement() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    let (_, group) = filtering(&mut t);
    drop(t);
    let asked = now();
    let engine = loop {
        match Engine::open(folder.path(), options()) {
            Ok(engine) => break engine,
            Err(error) => assert!(asked.elapsed() < PATIENCE, "{error}"),
        }
    };
    engine.reset_group(&group, &at("s", 1), Trial::No).unwrap();
    let t = Terminal::on(engine);
    t.await_records("O", &[r#"b:{"V":2}"#, r#"c:{"V":3}"#, r#"b:{"V":2}"#, r#"c:{"V":3}"#]);
}

#[test]
fn what_keeps_state_is_not_reset() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    t.done("INSERT INTO s VALUES ('a', 1);");
    let counting = t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
    t.await_records("C", &[r#"a:{"N":1}"#]);
    let of_table = t.query("CREATE TABLE d AS SELECT * FROM c WHERE n > 0 EMIT CHANGES;");
    t.await_records("D", &[r#"a:{"N":1}"#]);
    for (id, drop, topic) in [(&counting, "DROP TABLE C", "s"), (&of_table, "DROP TABLE D", "C")] {
        t.done(&format!("PAUSE {id};"));
        let group = t.engine.groups(Some(id)).unwrap().pop().unwrap().description.name;
        let before = t.engine.log().positions(&group).unwrap();
        let refused = reset(&t, &group, &at(topic, 0)).unwrap_err();
        assert!(refused.contains(drop) && refused.contains("answers would be wrong"), "{refused}");
        assert_eq!(t.engine.log().positions(&group).unwrap(), before);
    }
    // What belongs to others: a query of another service, an application with state.
    let refused = reset(&t, "_confluent-ksql-shop_query_CSAS_X_1", &at("s", 0)).unwrap_err();
    assert!(refused.contains("ksql.service.id"), "{refused}");
    let changelog = crate::log::TopicSpec {
        name: "app-KSTREAM-AGGREGATE-STATE-STORE-0000000003-changelog".to_string(),
        partitions: 1,
        replicas: None,
        configs: BTreeMap::new(),
    };
    t.engine.log().create_topic(&changelog).unwrap();
    let refused = reset(&t, "app", &at("s", 0)).unwrap_err();
    assert!(refused.contains(&changelog.name), "{refused}");
    reset(&t, "ap", &at("s", 0)).unwrap();
    assert_eq!(t.engine.log().positions("ap").unwrap(), at("s", 0));
}
