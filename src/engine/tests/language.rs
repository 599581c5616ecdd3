//! Every statement, once.

use super::*;

/// ksqlDB's rule: where a record lies is for push queries and persistent ones.
#[test]
fn pull_queries_have_no_offsets() {
    on_both(|t| {
        t.done("CREATE STREAM places (k STRING KEY, v INT) WITH (KAFKA_TOPIC='places', PARTITIONS=1, VALUE_FORMAT='JSON');");
        t.done("INSERT INTO places VALUES ('a', 1);");
        let refused = t.fails("SELECT k, ROWOFFSET FROM places;");
        assert!(refused.contains("in SELECT clauses: `ROWOFFSET`"), "{refused}");
        let refused = t.fails("SELECT k FROM places WHERE ROWPARTITION = 0;");
        assert!(refused.contains("in WHERE clauses: `ROWPARTITION`"), "{refused}");
        t.done("SET 'auto.offset.reset' = 'earliest';");
        let rows = t.stream("SELECT k, ROWPARTITION, ROWOFFSET FROM places EMIT CHANGES LIMIT 1;").collect().unwrap();
        assert_eq!(shown(&rows[0]), r#"String("a") Int(0) Bigint(0)"#);
    });
}

pub(super) const PEOPLE: &str = "CREATE STREAM people (id STRING KEY, job STRING, age INT) WITH (KAFKA_TOPIC='people', VALUE_FORMAT='JSON', PARTITIONS=1);";

pub(super) fn insert(terminal: &mut Terminal, id: &str, job: &str, age: i32) {
    terminal.done(&format!("INSERT INTO people VALUES ('{id}', '{job}', {age});"));
}

#[test]
fn stream_as_select_and_insert_values() {
    on_both(|t| {
        assert_eq!(t.done(PEOPLE).message, "Stream PEOPLE created");
        insert(t, "1", "miller", 40);
        let id = t.query("CREATE STREAM old AS SELECT id, job FROM people WHERE age > 30 EMIT CHANGES;");
        assert_eq!(id, "CSAS_OLD_1");
        insert(t, "2", "smith", 20);
        insert(t, "3", "baker", 31);
        t.await_records("OLD", &[r#"1:{"JOB":"miller"}"#, r#"3:{"JOB":"baker"}"#]);
    });
}

#[test]
fn insert_select_writes_to_the_stream_of_another() {
    on_both(|t| {
        t.done(PEOPLE);
        t.done("CREATE STREAM all_jobs (id STRING KEY, job STRING) WITH (KAFKA_TOPIC='all', VALUE_FORMAT='JSON', PARTITIONS=1);");
        let first = t.query("INSERT INTO all_jobs SELECT id, job FROM people WHERE age < 30 EMIT CHANGES;");
        let second = t.query(
            "INSERT INTO all_jobs WITH (QUERY_ID='mine') SELECT id, job FROM people WHERE age > 30 EMIT CHANGES;",
        );
        assert_eq!((first.as_str(), second.as_str()), ("INSERTQUERY_2", "MINE"));
        assert!(
            t.fails("INSERT INTO all_jobs WITH (QUERY_ID='mine') SELECT id, job FROM people;")
                .contains("already exists")
        );
        insert(t, "1", "miller", 20);
        t.await_records("all", &[r#"1:{"JOB":"miller"}"#]);
        insert(t, "2", "smith", 50);
        t.await_records("all", &[r#"1:{"JOB":"miller"}"#, r#"2:{"JOB":"smith"}"#]);
        assert!(t.fails("INSERT INTO all_jobs SELECT id, age FROM people;").contains("Incompatible schema"));
    });
}

#[test]
fn table_as_select_answers_pull_queries() {
    on_both(|t| {
        t.done(PEOPLE);
        let id = t.query("CREATE TABLE jobs AS SELECT job, COUNT(*) AS n FROM people GROUP BY job EMIT CHANGES;");
        assert_eq!(id, "CTAS_JOBS_1");
        for (id, job) in [("1", "miller"), ("2", "smith"), ("3", "miller")] {
            insert(t, id, job, 30);
        }
        let rows = [r#"String("miller") Bigint(2)"#, r#"String("smith") Bigint(1)"#];
        t.await_rows("SELECT * FROM jobs;", &rows);
        t.await_rows("SELECT * FROM jobs WHERE job = 'smith';", &rows[1..]);
        assert!(t.fails("SELECT * FROM people_x;").contains("does not exist"));
        t.done(&format!("TERMINATE {id};"));
        assert!(t.fails("SELECT * FROM jobs;").contains("isn't queryable"));
    });
}

#[test]
fn push_query_sees_what_comes_and_stops_at_its_limit() {
    on_both(|t| {
        t.done(PEOPLE);
        let stream = t.stream("SELECT id, age + 1 AS next FROM people EMIT CHANGES LIMIT 2;");
        assert!(stream.query_id.is_some());
        insert(t, "1", "miller", 40);
        insert(t, "2", "smith", 20);
        insert(t, "3", "baker", 20);
        assert_eq!(next_rows(&stream, 2), [r#"String("1") Int(41)"#, r#"String("2") Int(21)"#]);
        assert_eq!(stream.events.recv_timeout(PATIENCE).unwrap(), RowEvent::End("Limit Reached".to_string()));
    });
}

#[test]
fn print_shows_records() {
    on_both(|t| {
        t.done(PEOPLE);
        insert(t, "1", "miller", 40);
        let stream = t.stream("PRINT people FROM BEGINNING LIMIT 1;");
        let RowEvent::Line(line) = stream.events.recv_timeout(PATIENCE).unwrap() else { panic!() };
        assert!(line.contains(r#""key":"1","value":{"JOB":"miller","AGE":40}"#), "{line}");
        assert!(matches!(stream.events.recv_timeout(PATIENCE).unwrap(), RowEvent::End(_)));
        assert!(t.fails("PRINT poeple;").contains("Did you mean 'people'?"));
    });
}

#[test]
fn drop_is_refused_while_it_is_used() {
    on_both(|t| {
        t.done(PEOPLE);
        let reader = t.query("CREATE STREAM a AS SELECT * FROM people EMIT CHANGES;");
        let writer = t.query("INSERT INTO a SELECT * FROM people EMIT CHANGES;");
        let refused = t.fails("DROP STREAM people;");
        assert!(refused.contains(&reader) && refused.contains(&writer), "{refused}");
        assert!(t.fails("DROP STREAM a DELETE TOPIC;").contains(&writer));
        assert!(t.fails("DROP TABLE a;").contains("Incompatible data source type"));
        t.done(&format!("TERMINATE {writer};"));
        t.done("DROP STREAM a DELETE TOPIC;");
        assert_eq!(t.engine.log().partitions("A"), None);
        assert_eq!(t.firsts("SHOW QUERIES;"), Vec::<String>::new());
        t.done("DROP STREAM people;");
        assert_eq!(t.engine.log().partitions("people"), Some(1));
        assert!(t.fails("DROP STREAM people;").contains("PEOPLE does not exist"));
        assert_eq!(t.done("DROP STREAM IF EXISTS people;").message, "Stream `PEOPLE` does not exist.");
    });
}

#[test]
fn a_terminated_query_leaves_neither_positions_nor_state() {
    on_both(|t| {
        t.done(PEOPLE);
        let id = t.query("CREATE TABLE jobs AS SELECT job, COUNT(*) AS n FROM people GROUP BY job EMIT CHANGES;");
        insert(t, "1", "miller", 30);
        t.await_records("JOBS", &[r#"miller:{"N":1}"#]);
        let log = t.engine.log();
        let left = |log: &dyn Log| {
            let topics = log.topics().into_iter().filter(|topic| topic.contains(&id));
            topics.chain(log.groups().unwrap().into_iter().filter(|group| group.contains(&id))).count()
        };
        assert_eq!(left(&*log), 2);
        t.done(&format!("TERMINATE {id};"));
        assert_eq!(left(&*log), 0);
        assert!(t.fails(&format!("TERMINATE {id};")).contains("Unknown queryId"));
        assert_eq!(t.done("TERMINATE ALL;").message, "There are no queries to terminate.");
        assert_eq!(t.done("PAUSE ALL;").message, "There are no queries to pause.");
    });
}

#[test]
fn a_paused_query_waits_and_goes_on() {
    on_both(|t| {
        t.done(PEOPLE);
        let id = t.query("CREATE STREAM a AS SELECT id, age FROM people EMIT CHANGES;");
        t.done(&format!("PAUSE {id};"));
        t.await_state(&id, &|state| *state == QueryState::Paused);
        insert(t, "1", "miller", 40);
        std::thread::sleep(Duration::from_millis(50));
        t.await_records("A", &[]);
        assert_eq!(t.listing("SHOW QUERIES;").rows[0][1], "PAUSED");
        t.done("RESUME ALL;");
        t.await_records("A", &[r#"1:{"AGE":40}"#]);
    });
}

#[test]
fn if_not_exists_changes_nothing() {
    on_both(|t| {
        t.done(PEOPLE);
        t.query("CREATE STREAM a AS SELECT id, age FROM people EMIT CHANGES;");
        let next = t.engine.inner.commands.next_offset().unwrap();
        for sql in [
            "CREATE STREAM IF NOT EXISTS people (x INT) WITH (KAFKA_TOPIC='other', VALUE_FORMAT='JSON', PARTITIONS=3);",
            "CREATE STREAM IF NOT EXISTS a AS SELECT * FROM people EMIT CHANGES;",
            "CREATE TABLE IF NOT EXISTS a AS SELECT id, COUNT(*) FROM people GROUP BY id EMIT CHANGES;",
        ] {
            let status = t.done(sql);
            assert!(status.message.contains("already exists") && status.query_id.is_none(), "{status:?}");
        }
        assert_eq!(t.engine.inner.commands.next_offset().unwrap(), next);
        assert_eq!(t.engine.log().partitions("other"), None);
        assert!(t.fails("CREATE STREAM a AS SELECT * FROM people;").contains("already exists"));
        assert!(
            t.fails("CREATE OR REPLACE TABLE a (x INT PRIMARY KEY) WITH (KAFKA_TOPIC='a', VALUE_FORMAT='JSON');")
                .contains("Cannot replace stream")
        );
    });
}

#[test]
fn listings() {
    on_both(|t| {
        t.done(PEOPLE);
        t.query("CREATE TABLE jobs AS SELECT job, COUNT(*) AS n FROM people GROUP BY job EMIT CHANGES;");
        assert!(t.firsts("SHOW STREAMS;").contains(&"PEOPLE".to_string()));
        assert_eq!(t.firsts("LIST TABLES;"), ["JOBS"]);
        let topics = t.firsts("SHOW TOPICS;");
        assert!(topics.contains(&"JOBS".to_string()) && topics.contains(&"people".to_string()));
        assert!(!topics.iter().any(|topic| topic.contains("command_topic")));
        assert!(t.firsts("SHOW ALL TOPICS;").iter().any(|topic| topic.contains("command_topic")));
        assert_eq!(t.firsts("SHOW QUERIES;"), ["CTAS_JOBS_1"]);
        assert!(t.firsts("SHOW FUNCTIONS;").contains(&"UCASE".to_string()));
        assert!(t.firsts("SHOW PROPERTIES;").contains(&"auto.offset.reset".to_string()));
        t.done("CREATE TYPE address AS STRUCT<street STRING, nr INT>;");
        assert_eq!(t.firsts("SHOW TYPES;"), ["ADDRESS"]);
        t.done("DROP TYPE address;");
        assert_eq!(t.firsts("SHOW TYPES;"), Vec::<String>::new());
    });
}

#[test]
fn descriptions() {
    on_both(|t| {
        t.done(PEOPLE);
        let id = t.query("CREATE TABLE jobs AS SELECT job, COUNT(*) AS n FROM people GROUP BY job EMIT CHANGES;");
        let described = t.listing("DESCRIBE jobs;");
        assert_eq!(
            described.rows,
            [["JOB", "VARCHAR(STRING) (primary key)"], ["N", "BIGINT"]]
                .map(|row| row.map(|cell| cell.replace("VARCHAR(STRING)", "STRING")).to_vec())
        );
        let extended = t.listing("DESCRIBE jobs EXTENDED;");
        assert!(
            extended.facts.iter().any(|(name, value)| name == "Written by" && value.starts_with(&id)),
            "{:?}",
            extended.facts
        );
        assert!(t.fails("DESCRIBE jobz;").contains("Did you mean JOBS?"));
        assert!(t.text("DESCRIBE FUNCTION ucase;").contains("UCASE"));
        assert!(t.fails("DESCRIBE FUNCTION ucasee;").contains("UCASE"));
        let plan = t.text(&format!("EXPLAIN {id};"));
        assert!(plan.contains("[ AGGREGATE ] COUNT") && plan.contains("[ SOURCE ] PEOPLE"), "{plan}");
        let plan = t.text("EXPLAIN SELECT id FROM people WHERE age > 1 EMIT CHANGES;");
        assert!(plan.contains("[ FILTER ] WHERE"), "{plan}");
        assert!(t.text("DESCRIBE STREAMS;").contains("PEOPLE"));
    });
}

#[test]
fn variables() {
    on_both(|t| {
        t.done("DEFINE topic = 'some-topic';");
        t.done("DEFINE format = 'JSON';");
        assert_eq!(t.firsts("SHOW VARIABLES;"), ["FORMAT", "TOPIC"]);
        t.done("CREATE STREAM s (x INT) WITH (KAFKA_TOPIC='${topic}', VALUE_FORMAT='${format}', PARTITIONS=1);");
        assert_eq!(t.engine.log().partitions("some-topic"), Some(1));
        t.done("UNDEFINE format;");
        assert!(t.fails("UNDEFINE format;").contains("never defined"));
        assert!(t.fails("SELECT '${format}' FROM s EMIT CHANGES;").contains("isn't defined"));
    });
}

#[test]
fn assert_topic() {
    on_both(|t| {
        t.done(PEOPLE);
        t.done("ASSERT TOPIC people WITH (PARTITIONS=1, REPLICAS=1) TIMEOUT 1 SECONDS;");
        t.done("ASSERT NOT EXISTS TOPIC nobody;");
        assert!(
            t.fails("ASSERT TOPIC people WITH (PARTITIONS=2) TIMEOUT 10 MILLISECONDS;").contains("expected 2 got 1")
        );
        assert!(t.fails("ASSERT TOPIC people WITH (COLOUR='red');").contains("unknown topic property"));
        assert!(t.fails("ASSERT TOPIC nobody TIMEOUT 10 MILLISECONDS;").contains("does not exist"));
        assert!(t.fails("ASSERT NOT EXISTS TOPIC people TIMEOUT 10 MILLISECONDS;").contains("exists"));
    });
}

#[test]
fn alter_adds_columns() {
    on_both(|t| {
        t.done(PEOPLE);
        t.done("ALTER STREAM people ADD COLUMN town STRING;");
        t.done("INSERT INTO people (id, town) VALUES ('1', 'Ulm');");
        t.await_rows("SELECT id, town, age FROM people;", &[r#"String("1") String("Ulm") Null"#]);
        assert!(t.fails("ALTER STREAM people ADD COLUMN town STRING;").contains("already exists"));
    });
}

/// The row goes from the table and from what is made of it; it must be named by its whole key.
#[test]
fn delete_takes_one_row() {
    on_both(|t| {
        t.done("CREATE TABLE t (k STRING PRIMARY KEY, l INT PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='t', PARTITIONS=1, FORMAT='JSON');");
        t.query("CREATE TABLE copy AS SELECT k, l, v FROM t;");
        t.done("INSERT INTO t VALUES ('a', 1, 10);");
        t.done("INSERT INTO t VALUES ('a', 2, 20);");
        t.await_rows("SELECT * FROM copy;", &[r#"String("a") Int(1) Int(10)"#, r#"String("a") Int(2) Int(20)"#]);
        t.done("DELETE FROM t WHERE l = 1 AND k = 'a';");
        t.await_rows("SELECT * FROM copy;", &[r#"String("a") Int(2) Int(20)"#]);
        t.done("DELETE FROM t WHERE k = 'nobody' AND l = 1;");
        let refused = [
            ("DELETE FROM t WHERE k = 'a';", "L isn't named"),
            ("DELETE FROM t WHERE k = 'a' AND l = 2 AND v = 20;", "V is no key column of T"),
            ("DELETE FROM t WHERE k = 'a' AND l > 1;", "the key of one row"),
            ("DELETE FROM t WHERE k = 'a' AND k = 'b' AND l = 1;", "K is named twice"),
            ("DELETE FROM t WHERE k = 'a' AND l = NULL;", "is required for tables"),
            ("DELETE FROM nothing WHERE k = 'a';", "NOTHING does not exist"),
            ("DELETE FROM copy WHERE k = 'a' AND l = 2;", "COPY is written by CTAS_COPY_1"),
        ];
        for (statement, expected) in refused {
            let said = t.fails(statement);
            assert!(said.contains(expected), "{statement} {said}");
        }
        t.done(PEOPLE);
        assert!(t.fails("DELETE FROM people WHERE id = 'a';").contains("its records stay"));
        t.await_rows("SELECT * FROM copy;", &[r#"String("a") Int(2) Int(20)"#]);
    });
}

/// A new key is made of a row's key and value; ROWTIME counts as of the value, as ksqlDB has it.
#[test]
fn the_new_key_of_a_row_without_value() {
    on_both(|t| {
        t.done("CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', FORMAT='JSON', WRAP_SINGLE_VALUE=false, PARTITIONS=1);");
        t.query("CREATE STREAM by_time AS SELECT * FROM s PARTITION BY v, ROWTIME, UCASE(k);");
        t.done("INSERT INTO s (ROWTIME, k, v) VALUES (5, 'a', 1);");
        t.done("INSERT INTO s (ROWTIME, k, v) VALUES (6, 'a', NULL);");
        t.await_records(
            "BY_TIME",
            &[
                r#"{"V":1,"ROWTIME":5,"KSQL_COL_0":"A"}:{"K":"a"}"#,
                r#"{"V":null,"ROWTIME":null,"KSQL_COL_0":"A"}:null"#,
            ],
        );
    });
}
