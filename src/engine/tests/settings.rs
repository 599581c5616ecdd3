//! Every setting does what the table says of it.

use super::*;

const S: &str = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);";

fn put(t: &mut Terminal, k: &str, v: i32) {
    t.done(&format!("INSERT INTO s VALUES ('{k}', {v});"));
}

#[test]
fn set_and_unset() {
    on_both(|t| {
        t.done("SET 'ksql.streams.auto.offset.reset' = 'Latest';");
        let row = |t: &mut Terminal| {
            let rows = t.listing("SHOW PROPERTIES;").rows;
            rows.into_iter().find(|row| row[0] == "auto.offset.reset").unwrap()
        };
        assert_eq!(row(t)[1..3], ["SESSION", "latest"]);
        t.done("UNSET 'auto.offset.reset';");
        assert_eq!(row(t)[1..3], ["", "earliest"]);
        assert!(t.fails("UNSET 'auto.offset.reset';").contains("never set"));
        assert!(t.fails("SET 'auto.offset.rest' = 'latest';").contains("Did you mean auto.offset.reset?"));
        assert!(t.fails("SET 'auto.offset.reset' = 'middle';").contains("earliest or latest"));
        assert!(t.fails("SET 'commit.interval.ms' = 'often';").contains("whole number"));
        assert!(t.fails("SET 'ksql.persistence.default.format.value' = 'JASON';").contains("name of a format"));
    });
}

/// Scripts that were written for ksqlDB set what has no meaning here; what would change results isn't swallowed.
#[test]
fn ksqldbs_own_settings() {
    on_both(|t| {
        let mut told = |statement: &str| match t.engine.execute(&mut t.session, statement).unwrap() {
            Reply::Done(status) => status.message,
            _ => panic!("{statement}"),
        };
        assert!(
            told("SET 'ksql.streams.num.stream.threads' = '4';").contains("no effect here: a process uses all cores")
        );
        assert!(told("SET 'ksql.streams.producer.linger.ms' = '5';").contains("no effect here"));
        assert!(told("UNSET 'ksql.streams.num.stream.threads';").contains("no effect here"));
        assert!(told("SET 'ksql.nested.error.set.null' = 'true';").contains("no effect here"));
        assert!(told("SET 'processing.guarantee' = 'exactly_once';").contains("to 'exactly_once_v2'"));
        assert!(t.fails("SET 'ksql.nested.error.set.null' = 'false';").contains("not supported"));
        assert!(t.fails("SET 'ksql.cast.strings.preserve.nulls' = 'false';").contains("COALESCE"));
        assert!(t.fails("SET 'consumer.auto.offset.reset' = 'latest';").contains("SET 'auto.offset.reset'"));
        assert!(t.fails("SET 'num.stream.thread' = '4';").contains("Did you mean num.stream.threads?"));
    });
}

#[test]
fn key_columns_stand_as_in_their_source_or_as_listed() {
    on_both(|t| {
        t.done("CREATE STREAM p (a INT KEY, b INT KEY, v STRING) WITH (KAFKA_TOPIC='p', FORMAT='JSON', PARTITIONS=1);");
        t.done("INSERT INTO p VALUES (1, 2, 'x');");
        t.query("CREATE STREAM as_there AS SELECT b, a, v FROM p;");
        t.done("SET 'ksql.new.query.planner.enabled' = 'true';");
        t.query("CREATE STREAM as_listed AS SELECT b, a, v FROM p;");
        t.await_records("AS_THERE", &[r#"{"A":1,"B":2}:{"V":"x"}"#]);
        t.await_records("AS_LISTED", &[r#"{"B":2,"A":1}:{"V":"x"}"#]);
    });
}

/// The state of a query over a topic that has a good record, a bad one and a good one.
fn after_a_bad_record(t: &mut Terminal, setting: &str, with: &str, bad: &str) -> QueryState {
    t.done(&format!("CREATE STREAM s (v BIGINT, w STRING) WITH (KAFKA_TOPIC='s', PARTITIONS=1, {with});"));
    t.done("CREATE STREAM raw (r STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='KAFKA');");
    for value in [r#"{"V": 1}"#, bad, r#"{"V": 3}"#] {
        t.done(&format!("INSERT INTO raw VALUES ('{value}');"));
    }
    t.query("CREATE STREAM kept AS SELECT v FROM s;");
    t.await_records("KEPT", &[r#"null:{"V":1}"#, r#"null:{"V":3}"#]);
    t.done(&format!("SET '{setting}' = 'true';"));
    let id = t.query("CREATE STREAM strict AS SELECT v FROM s;");
    t.await_state(&id, &|state| matches!(state, QueryState::Failed(_)))
}

#[test]
fn fail_on_deserialization_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    let setting = "ksql.fail.on.deserialization.error";
    let state = after_a_bad_record(&mut t, setting, "VALUE_FORMAT='JSON'", "no JSON").to_string();
    assert!(state.contains("topic s, partition 0, offset 1") && state.contains(setting), "{state}");
    t.await_records("STRICT", &[]);
}

#[test]
fn throw_on_an_invalid_timestamp() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    let setting = "ksql.timestamp.throw.on.invalid";
    let with = "VALUE_FORMAT='JSON', TIMESTAMP='V'";
    let state = after_a_bad_record(&mut t, setting, with, r#"{"V": -5}"#).to_string();
    assert!(state.contains("offset 1: the timestamp column has a negative time") && state.contains(setting), "{state}");
}

#[test]
fn auto_offset_reset() {
    on_both(|t| {
        t.done(S);
        put(t, "a", 1);
        t.done("SET 'auto.offset.reset' = 'latest';");
        let id = t.query("CREATE STREAM late AS SELECT * FROM s EMIT CHANGES;");
        t.await_state(&id, &|state| *state == QueryState::Running);
        put(t, "b", 2);
        t.await_records("LATE", &[r#"b:{"V":2}"#]);
        t.done("SET 'auto.offset.reset' = 'earliest';");
        t.query("CREATE STREAM early AS SELECT * FROM s EMIT CHANGES;");
        t.await_records("EARLY", &[r#"a:{"V":1}"#, r#"b:{"V":2}"#]);
    });
}

#[test]
fn caching_gives_only_the_last_change_of_a_key() {
    let count = "AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;";
    on_both(|t| {
        t.done(S);
        for v in 0..3 {
            put(t, "a", v);
        }
        t.query(&format!("CREATE TABLE every {count}"));
        t.done("SET 'cache.max.bytes.buffering' = '1000000';");
        t.query(&format!("CREATE TABLE last {count}"));
        t.await_records("EVERY", &[r#"a:{"N":1}"#, r#"a:{"N":2}"#, r#"a:{"N":3}"#]);
        t.await_records("LAST", &[r#"a:{"N":3}"#]);
    });
}

#[test]
fn commit_interval_is_how_often_results_become_visible() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    t.done("SET 'commit.interval.ms' = '600000';");
    let slow = t.query("CREATE STREAM slow AS SELECT * FROM s EMIT CHANGES;");
    t.done("SET 'commit.interval.ms' = '10';");
    t.query("CREATE STREAM fast AS SELECT * FROM s EMIT CHANGES;");
    t.await_state(&slow, &|state| *state == QueryState::Running);
    put(&mut t, "a", 1);
    t.await_records("FAST", &[r#"a:{"V":1}"#]);
    t.await_records("SLOW", &[]);
    // Stopping commits.
    t.engine.shutdown();
    t.await_records("SLOW", &[r#"a:{"V":1}"#]);
}

#[test]
fn processing_guarantee() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    // At-least-once shows records before their commit; exactly-once never.
    t.done("SET 'commit.interval.ms' = '600000';");
    t.done("SET 'processing.guarantee' = 'at_least_once';");
    t.query("CREATE STREAM early AS SELECT * FROM s EMIT CHANGES;");
    t.done("SET 'processing.guarantee' = 'exactly_once_v2';");
    t.query("CREATE STREAM late AS SELECT * FROM s EMIT CHANGES;");
    put(&mut t, "a", 1);
    t.await_records("EARLY", &[r#"a:{"V":1}"#]);
    t.await_records("LATE", &[]);
}

#[test]
fn collect_limits() {
    on_both(|t| {
        t.done(S);
        t.done("SET 'ksql.functions.collect_list.limit' = '2';");
        t.done("SET 'ksql.functions.collect_set.limit' = '1';");
        t.query(
            "CREATE TABLE c AS SELECT k, COLLECT_LIST(v) AS l, COLLECT_SET(v) AS s FROM s GROUP BY k EMIT CHANGES;",
        );
        for v in [7, 7, 8] {
            put(t, "a", v);
        }
        t.await_rows("SELECT l, s FROM c;", &["Array([Int(7), Int(7)]) Array([Int(7)])"]);
    });
}

#[test]
fn switches() {
    on_both(|t| {
        t.done(S);
        t.query("CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;");
        t.done("SET 'ksql.insert.into.values.enabled' = 'false';");
        assert!(t.fails("INSERT INTO s VALUES ('a', 1);").contains("disabled"));
        t.done("UNSET 'ksql.insert.into.values.enabled';");
        put(t, "a", 1);
        t.await_rows("SELECT n FROM c;", &["Bigint(1)"]);
        t.done("SET 'ksql.query.pull.table.scan.enabled' = 'FALSE';");
        assert!(t.fails("SELECT n FROM c;").contains("table scan"));
        assert_eq!(t.rows("SELECT n FROM c WHERE k = 'a';"), ["Bigint(1)"]);
        assert_eq!(t.rows("SELECT n FROM c WHERE k >= 'a' AND n = 1;"), ["Bigint(1)"]);
        assert!(t.fails("SELECT n FROM c WHERE k >= 'a' AND k < 'b';").contains("cannot be combined"));
        assert!(t.fails("SELECT n FROM c WHERE k BETWEEN 'a' AND 'b';").contains("cannot be combined"));
        t.done("SET 'ksql.query.pull.range.scan.enabled' = 'false';");
        assert!(t.fails("SELECT n FROM c WHERE k >= 'a';").contains("table scan"));
        t.done("SET 'ksql.query.pull.limit.clause.enabled' = 'false';");
        assert!(t.fails("SELECT n FROM c WHERE k = 'a' LIMIT 1;").contains("disabled"));
        assert!(t.fails("SELECT * FROM s LIMIT 1;").contains("disabled"));
        assert_eq!(t.stream("SELECT * FROM s EMIT CHANGES LIMIT 1;").collect().unwrap().len(), 1);
        t.done("DEFINE x = 'a';");
        assert_eq!(t.rows("SELECT n FROM c WHERE k = '${x}';"), ["Bigint(1)"]);
        t.done("SET 'ksql.variable.substitution.enable' = 'false';");
        assert_eq!(t.rows("SELECT n FROM c WHERE k = '${x}';"), Vec::<String>::new());
    });
}

#[test]
fn defaults_of_formats_and_names() {
    on_both(|t| {
        assert!(
            t.fails("CREATE STREAM d (k INT KEY, v INT) WITH (KAFKA_TOPIC='d', PARTITIONS=1);")
                .contains("VALUE_FORMAT")
        );
        t.done("SET 'ksql.persistence.default.format.value' = 'json';");
        t.done("SET 'ksql.persistence.default.format.key' = 'JSON';");
        t.done("SET 'ksql.persistence.wrap.single.values' = 'false';");
        t.done("CREATE STREAM d (k STRING KEY, v INT) WITH (KAFKA_TOPIC='d', PARTITIONS=1);");
        t.done("INSERT INTO d VALUES ('a', 1);");
        t.await_records("d", &[r#""a":1"#]);
        t.done("SET 'ksql.output.topic.name.prefix' = 'out-';");
        t.query("CREATE STREAM e WITH (WRAP_SINGLE_VALUE=true) AS SELECT * FROM d EMIT CHANGES;");
        t.await_records("out-E", &[r#""a":{"V":1}"#]);
        t.done("SET 'ksql.persistence.default.format.value' = '';");
        assert!(t.fails("CREATE STREAM f (v INT) WITH (KAFKA_TOPIC='f', PARTITIONS=1);").contains("VALUE_FORMAT"));
    });
}

/// What puts ksqlDB's oddities right is fixed in a query when it is made, and is so after a restart.
#[test]
fn oddities_are_put_right_by_query() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::open(folder.path());
    t.done(S);
    let columns =
        "k, LOG(v) AS l, INITCAP(' a') AS i, CAST('t' AS BOOLEAN) AS b, v / 3.0 AS d, NOT (v = CAST(NULL AS INT)) AS n";
    let sums = "k, SUM(v) AS s, STDDEV_SAMP(v) AS d";
    t.query(&format!("CREATE STREAM odd AS SELECT {columns} FROM s;"));
    t.query(&format!("CREATE TABLE odd_sums AS SELECT {sums} FROM s GROUP BY k;"));
    for (name, value) in [
        ("millpond.log.base", "10"),
        ("millpond.initcap.blanks", "kept"),
        ("millpond.cast.boolean", "exact"),
        ("millpond.decimal.division", "rounded"),
        ("millpond.null.comparison", "null"),
        ("millpond.sum.overflow", "null"),
        ("millpond.stddev.samp", "deviation"),
    ] {
        t.done(&format!("SET '{name}' = '{value}';"));
    }
    t.query(&format!("CREATE STREAM right_ones AS SELECT {columns} FROM s;"));
    t.query(&format!("CREATE TABLE right_sums AS SELECT {sums} FROM s GROUP BY k;"));
    put(&mut t, "a", 10);
    let odd = r#"a:{"L":2.302585092994046,"I":"A","B":true,"D":null,"N":true}"#;
    let right = r#"a:{"L":1.0,"I":" A","B":null,"D":3.333333,"N":null}"#;
    t.await_records("ODD", &[odd]);
    t.await_records("RIGHT_ONES", &[right]);
    drop(t);
    let mut t = Terminal::open(folder.path());
    put(&mut t, "a", 14);
    put(&mut t, "a", i32::MAX);
    // Of 10 and 14 the variance is 8.
    let before = [r#"a:{"S":10,"D":0.0}"#, r#"a:{"S":24,"D":8.0}"#];
    let records = |t: &Terminal, topic: &str| {
        let asked = now();
        loop {
            let found = records(&*t.engine.log(), topic);
            if found.len() >= 3 {
                return found;
            }
            assert!(asked.elapsed() < PATIENCE, "{found:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let found = records(&t, "ODD_SUMS");
    assert_eq!(found[..2], before);
    assert!(found[2].starts_with(r#"a:{"S":-2147483625,"#), "{}", found[2]);
    let found = records(&t, "RIGHT_SUMS");
    assert_eq!(found[..2], [before[0], r#"a:{"S":24,"D":2.8284271247461903}"#]);
    assert!(found[2].starts_with(r#"a:{"S":null,"#), "{}", found[2]);
}
