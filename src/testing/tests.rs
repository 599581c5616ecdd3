//! The runner passes what is right and fails what is not: each right expectation is changed in one place and must fail.

use std::fs;

use super::fake::new_fake;
use super::http_subject::HttpSubject;
use super::suite::{Suite, Summary};

/// Runs one file, and gives the summary, what was printed and the report.
fn run_file(name: &str, text: &str) -> (Summary, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.jsonl");
    fs::write(folder.path().join(name), text).unwrap();
    let mut out = Vec::new();
    let suite = Suite { paths: &[folder.path().join(name)], report: Some(&report), ..Suite::default() };
    let summary = suite.run(&new_fake, &mut out).unwrap();
    (summary, String::from_utf8(out).unwrap(), fs::read_to_string(report).unwrap())
}

fn status(name: &str, text: &str) -> &'static str {
    let (summary, out, _) = run_file(name, text);
    match summary {
        Summary { passed: 1, failed: 0, errors: 0, .. } => "pass",
        Summary { passed: 0, failed: 1, errors: 0, .. } => "fail",
        Summary { passed: 0, failed: 0, errors: 1, .. } => "error",
        _ => panic!("{out}"),
    }
}

fn json_status(case: &str) -> &'static str {
    status("case.json", &format!("{{\"tests\":[{case}]}}"))
}

/// Changes one place of a right case and gives its status.
fn changed(case: &str, from: &str, to: &str) -> &'static str {
    assert_eq!(case.matches(from).count(), 1, "{from} stands once in {case}");
    json_status(&case.replace(from, to))
}

const COPY: &str = r#"{"name":"copy",
    "statements":["CREATE STREAM ponds (name STRING KEY, depth BIGINT, share DECIMAL(4,2)) WITH (kafka_topic='ponds', value_format='JSON');",
                  "CREATE STREAM deep AS SELECT * FROM ponds;"],
    "inputs":[{"topic":"ponds","key":"upper","value":{"DEPTH":4,"SHARE":1.50},"timestamp":10,"headers":[{"KEY":"by","VALUE":"IQ=="}]},
              {"topic":"ponds","key":"lower","value":{"DEPTH":7,"SHARE":null},"timestamp":20},
              {"topic":"ponds","key":"upper","value":null}],
    "outputs":[{"topic":"DEEP","key":"upper","value":{"depth":4,"SHARE":"1.50"},"timestamp":10,"headers":[{"KEY":"by","VALUE":"IQ=="}]},
               {"topic":"DEEP","key":"lower","value":{"DEPTH":7,"SHARE":null},"timestamp":20},
               {"topic":"DEEP","key":"upper","value":null,"timestamp":0}],
    "post":{"sources":[{"name":"DEEP","type":"stream","keyFormat":{"format":"KAFKA"},"schema":"NAME STRING KEY, DEPTH BIGINT, SHARE DECIMAL(4,2)","isSource":false}],
            "topics":{"topics":[{"name":"DEEP","partitions":1,"valueFormat":{"format":"JSON"}}],"blacklist":".*-changelog"}}}"#;

#[test]
fn a_right_expectation_passes() {
    assert_eq!(json_status(COPY), "pass");
}

#[test]
fn a_wrong_expectation_fails() {
    for (from, to) in [
        // value, its fields, its scale
        (r#"{"depth":4,"SHARE":"1.50"}"#, r#"{"depth":5,"SHARE":"1.50"}"#),
        (r#"{"depth":4,"SHARE":"1.50"}"#, r#"{"depth":4,"SHARE":"1.5"}"#),
        (r#"{"depth":4,"SHARE":"1.50"}"#, r#"{"depth":4,"SHARE":"1.50","X":1}"#),
        (r#"{"depth":4,"SHARE":"1.50"}"#, r#"{"depth":4}"#),
        (r#"{"depth":4,"SHARE":"1.50"}"#, "null"),
        (r#""value":null,"timestamp":0}]"#, r#""value":{"DEPTH":null,"SHARE":null},"timestamp":0}]"#),
        // timestamp
        (r#""timestamp":0}]"#, r#""timestamp":1}]"#),
        // key
        (r#""DEEP","key":"lower""#, r#""DEEP","key":"LOWER""#),
        (r#""DEEP","key":"lower""#, r#""DEEP","key":null"#),
        // window
        (r#""DEEP","key":"lower""#, r#""DEEP","key":"lower","window":{"start":0,"end":10,"type":"time"}"#),
        // header
        (
            r#""timestamp":10,"headers":[{"KEY":"by","VALUE":"IQ=="}]},
               {"#,
            r#""timestamp":10,"headers":[]},
               {"#,
        ),
        // topic
        (r#"{"topic":"DEEP","key":"lower""#, r#"{"topic":"SHALLOW","key":"lower""#),
        // sources and topics
        (r#""type":"stream""#, r#""type":"table""#),
        (r#""keyFormat":{"format":"KAFKA"}"#, r#""keyFormat":{"format":"JSON"}"#),
        (r#""keyFormat":{"format":"KAFKA"}"#, r#""keyFormat":{"format":"KAFKA","windowType":"SESSION"}"#),
        ("DEPTH BIGINT", "DEPTH INT"),
        (r#""isSource":false"#, r#""isSource":true"#),
        (r#""partitions":1"#, r#""partitions":2"#),
        (r#""valueFormat":{"format":"JSON"}"#, r#""valueFormat":{"format":"KAFKA"}"#),
        (r#"".*-changelog""#, r#""DE.*""#),
        (r#"[{"name":"DEEP","type""#, r#"[{"name":"NONE","type""#),
    ] {
        assert_eq!(changed(COPY, from, to), "fail", "{from} -> {to}");
    }
}

#[test]
fn a_wrong_count_or_order_fails() {
    let (first, second, third) = (
        r#"{"topic":"U","key":"a","value":{"V":1}}"#,
        r#"{"topic":"U","key":"b","value":{"V":1}}"#,
        r#"{"topic":"U","key":"c","value":{"V":1}}"#,
    );
    let case = |outputs: &[&str]| {
        let inputs = [first, second].map(|record| record.replace("\"U\"", "\"t\"")).join(",");
        json_status(&format!(
            r#"{{"name":"n","statements":["CREATE STREAM t (k STRING KEY, v BIGINT) WITH (kafka_topic='t');",
                "CREATE STREAM u AS SELECT * FROM t;"],"inputs":[{inputs}],"outputs":[{}]}}"#,
            outputs.join(",")
        ))
    };
    assert_eq!(case(&[first, second]), "pass");
    assert_eq!(case(&[second, first]), "fail");
    assert_eq!(case(&[first]), "fail");
    assert_eq!(case(&[first, second, third]), "fail");
    assert_eq!(case(&[first, second, second]), "fail");
    // No outputs stated: none may come.
    assert_eq!(case(&[]), "fail");
}

#[test]
fn windows_are_compared() {
    for (kind, other, window) in [
        ("session", "TUMBLING", r#"{"start":3,"end":13,"type":"session"}"#),
        ("time", "SESSION", r#"{"start":3,"end":13,"type":"time"}"#),
    ] {
        let own = if kind == "session" { "SESSION" } else { "TUMBLING" };
        let case = format!(
            r#"{{"name":"n","statements":["CREATE TABLE t (k STRING PRIMARY KEY, v BIGINT) WITH (kafka_topic='t', window_type='{own}');",
               "CREATE TABLE u AS SELECT * FROM t;"],
               "inputs":[{{"topic":"t","key":"a","value":{{"V":1}},"window":{window}}}],
               "outputs":[{{"topic":"U","key":"a","value":{{"V":1}}, "window":{window} }}]}}"#
        );
        let stated = format!(r#", "window":{window} }}"#);
        assert_eq!(json_status(&case), "pass", "{kind}");
        assert_eq!(changed(&case, &stated, "}"), "fail");
        assert_eq!(changed(&case, &stated, &stated.replace("\"start\":3", "\"start\":4")), "fail");
        assert_eq!(changed(&case, &stated, &stated.replace("\"end\":13", "\"end\":14")), "fail");
        assert_ne!(changed(&case, &format!("'{own}'"), &format!("'{other}'")), "pass");
    }
}

#[test]
fn several_partitions_are_read_in_the_order_of_the_inputs() {
    let record = |topic: &str, key: &str| format!(r#"{{"topic":"{topic}","key":"{key}","value":{{"V":1}}}}"#);
    let keys = ["a", "b", "c", "d", "e", "f"];
    let case = |outputs: &[&str]| {
        let records = |topic, keys: &[&str]| keys.iter().map(|key| record(topic, key)).collect::<Vec<_>>().join(",");
        json_status(&format!(
            r#"{{"name":"n","topics":[{{"name":"t","partitions":4}}],
                "statements":["CREATE STREAM t (k STRING KEY, v BIGINT) WITH (kafka_topic='t');",
                "CREATE STREAM u AS SELECT * FROM t;"],"inputs":[{}],"outputs":[{}]}}"#,
            records("t", &keys),
            records("U", outputs)
        ))
    };
    assert_eq!(case(&keys), "pass");
    assert_eq!(case(&["a", "b", "c", "d", "f", "e"]), "fail");
}

#[test]
fn rejections_must_come() {
    let good = "CREATE STREAM t (k STRING KEY, v BIGINT) WITH (kafka_topic='t');";
    let avro = "CREATE STREAM x (v BIGINT) WITH (kafka_topic='x', value_format='AVRO');";
    let case = |statements: &[&str]| {
        let statements = serde_json::to_string(statements).unwrap();
        json_status(&format!(
            r#"{{"name":"n","statements":{statements},"expectedException":{{"type":"x","message":"no such"}}}}"#
        ))
    };
    assert_eq!(case(&[good, "CREATE STREAM u AS SELECT * FROM nowhere;"]), "pass");
    assert_eq!(case(&["CREATE STREAM u AS SELECT * FROM nowhere;", good]), "pass");
    assert_eq!(case(&[good, "CREATE STREAM u AS SELECT * FROM t;"]), "fail");
    // What isn't supported can't have been refused for its meaning, unless it is the statement itself.
    assert_eq!(case(&[avro, good]), "error");
    assert_eq!(case(&[good, avro]), "pass");
    // A defect is no rejection.
    assert_eq!(case(&[good, "TERMINATE x;"]), "error");
    assert_eq!(case(&[good, "PAUSE x;"]), "error");
    // A query that gives rows was not rejected.
    assert_eq!(case(&[good, "SELECT * FROM t;"]), "fail");
    assert_eq!(case(&[good, "SELECT * FROM nowhere;"]), "pass");
}

#[test]
fn a_rejection_may_come_with_the_data() {
    let case = |last: &str, value: &str| {
        json_status(&format!(
            r#"{{"name":"n","statements":["CREATE STREAM t (k STRING KEY, v BIGINT) WITH (kafka_topic='t');", "{last}"],
               "inputs":[{{"topic":"t","value":{value}}}],"expectedException":{{"message":"stops"}}}}"#
        ))
    };
    for last in ["CREATE STREAM u AS SELECT * FROM t;", "SELECT * FROM t;"] {
        assert_eq!(case(last, "\"poison\""), "pass");
        assert_eq!(case(last, "\"food\""), "fail");
    }
}

#[test]
fn what_can_not_be_run_never_passes() {
    let avro = r#"{"name":"n","statements":["CREATE STREAM x (v BIGINT) WITH (kafka_topic='x', value_format='AVRO');"],
        "outputs":[{"topic":"x","value":null}]}"#;
    assert_eq!(json_status(avro), "error");
    let declared = r#"{"name":"n","statements":["CREATE STREAM t (v BIGINT) WITH (kafka_topic='t');"],
        "topics":[{"name":"raw","valueFormat":"AVRO"}],"inputs":[{"topic":"raw","value":1}],"outputs":[]}"#;
    assert_eq!(json_status(declared), "error");
    assert_eq!(changed(declared, "\"outputs\":[]", r#""outputs":[],"properties":{"broken":1}"#), "error");
    assert_eq!(changed(COPY, r#""isSource":false"#, r#""colour":false"#), "error");
    assert_eq!(changed(COPY, r#""post":{"#, r#""inputConditions":{"moon":"full"},"post":{"#), "error");
    assert_eq!(status("case.json", "{}"), "error");
    let (summary, out, _) =
        run_file("case.json", r#"{"tests":[{"name":"n","statements":["TERMINATE q;"],"post":{}}]}"#);
    assert_eq!((summary.errors, out.contains("panic: the fake panics")), (1, true));
}

const ROWS: &str = r#"{"name":"rows","statements":["CREATE TABLE t (k STRING PRIMARY KEY, v BIGINT) WITH (kafka_topic='t');",
        "SELECT * FROM t;"],
    "inputs":[{"topic":"t","key":"a","value":{"V":1}},{"topic":"t","key":"b","value":{"V":2}},{"topic":"t","key":"c","value":null}],
    "responses":[{"admin":{"@type":"currentStatus"}},{"query":[{"header":{"schema":"`K` STRING KEY, `V` BIGINT"}},
        {"row":{"columns":["b",2]}},{"row":{"columns":["a",1]}},{"row":{"columns":["c",null],"tombstone":true}},
        {"finalMessage":"Query Completed"}]}]}"#;

#[test]
fn rows_of_queries_are_compared() {
    assert_eq!(json_status(ROWS), "pass");
    for (from, to) in [
        (r#"["b",2]"#, r#"["b",3]"#),
        (r#"["b",2]"#, r#"["b"]"#),
        (r#"{"row":{"columns":["b",2]}},"#, ""),
        (r#"{"row":{"columns":["b",2]}},"#, r#"{"row":{"columns":["b",2]}},{"row":{"columns":["b",2]}},"#),
        (r#","tombstone":true"#, ""),
        ("`V` BIGINT", "`V` INTEGER"),
        ("Query Completed", "Limit Reached"),
        ("currentStatus", "streams"),
        // Rows that must come in this order.
        (r#""responses":"#, r#""outputConditions":{"verifyOrder":true},"responses":"#),
        // A push query has an id.
        (r#""header":{"#, r#""header":{"queryId|starts_with":"X","#),
    ] {
        assert_eq!(changed(ROWS, from, to), "fail", "{from} -> {to}");
    }
    assert_eq!(changed(ROWS, r#"{"finalMessage""#, r#"{"lastMessage""#), "error");
    assert_eq!(changed(ROWS, r#"{"query":["#, r#"{"queryProto":["#), "error");
}

const SQL: &str = "--@test: ponds
CREATE STREAM ponds (name STRING KEY, depth BIGINT) WITH (kafka_topic='ponds', value_format='JSON');
CREATE STREAM deep AS SELECT * FROM ponds;
INSERT INTO ponds (rowtime, name, depth) VALUES (10, 'upper', 4);
INSERT INTO ponds (name, depth) VALUES ('lower', NULL);
ASSERT VALUES deep (rowtime, name, depth) VALUES (10, 'upper', 4);
ASSERT VALUES deep (name, depth) VALUES ('lower', NULL);
ASSERT STREAM deep (name STRING KEY, depth BIGINT) WITH (kafka_topic='DEEP', value_format='JSON');
";

#[test]
fn sql_tests_compare_the_next_record() {
    assert_eq!(status("ponds.sql", SQL), "pass");
    for (from, to) in [
        ("deep (rowtime, name, depth) VALUES (10,", "deep (rowtime, name, depth) VALUES (11,"),
        ("VALUES (10, 'upper', 4);\nASSERT", "VALUES (10, 'upper', 5);\nASSERT"),
        ("VALUES deep (name, depth) VALUES ('lower'", "VALUES deep (name, depth) VALUES ('upper'"),
        ("ASSERT VALUES deep (rowtime, name, depth) VALUES (10, 'upper', 4);\n", ""),
        ("ASSERT STREAM deep", "ASSERT VALUES deep (name) VALUES ('more');\nASSERT STREAM deep"),
        ("ASSERT VALUES deep (name, depth) VALUES ('lower', NULL);", "ASSERT NULL VALUES deep KEY ('lower');"),
        ("ASSERT VALUES deep (name, depth)", "ASSERT VALUES deep (name, width)"),
        ("ASSERT STREAM deep", "ASSERT TABLE deep"),
        ("deep (name STRING KEY, depth BIGINT)", "deep (name STRING KEY, depth INT)"),
        ("kafka_topic='DEEP'", "kafka_topic='deep'"),
        ("'DEEP', value_format='JSON'", "'DEEP', value_format='AVRO'"),
        ("ponds (rowtime, name, depth) VALUES (10, 'upper', 4)", "pond (name) VALUES ('upper')"),
    ] {
        assert_eq!(SQL.matches(from).count(), 1, "{from} stands once");
        assert_eq!(status("ponds.sql", &SQL.replace(from, to)), "fail", "{from} -> {to}");
    }
}

#[test]
fn sql_tests_can_expect_an_error() {
    let test = |message: &str, source: &str| {
        status(
            "t.sql",
            &format!("--@test: no\n--@expected.error: Any\n{message}CREATE STREAM b AS SELECT * FROM {source};"),
        )
    };
    assert_eq!(test("", "nowhere"), "pass");
    assert_eq!(test("--@expected.message: NOWHERE does not exist\n", "nowhere"), "pass");
    assert_eq!(test("--@expected.message: is too deep\n", "nowhere"), "fail");
    let accepted = "--@test: no\n--@expected.error: Any\nCREATE STREAM a (k STRING KEY) WITH (kafka_topic='a');";
    assert_eq!(status("t.sql", accepted), "fail");
}

#[test]
fn verdicts_come_in_order_and_say_what_differs() {
    let wrong = COPY.replace(r#"{"depth":4,"#, r#"{"depth":5,"#);
    let (summary, out, report) =
        run_file("case.json", &format!("{{\"tests\":[{COPY},{wrong},{}]}}", ROWS.replace("\"tests\"", "")));
    assert_eq!((summary.passed, summary.failed, summary.errors), (2, 1, 0));
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].starts_with("pass ") && lines[0].ends_with("case.json: copy"), "{out}");
    assert!(lines[1].starts_with("fail "), "{out}");
    assert!(out.contains("> value.depth: expected 5, actual 4"), "{out}");
    assert!(out.contains("expected: key=\"upper\" value={\"depth\":5,"), "{out}");
    assert!(out.contains("actual:   key=\"upper\" value={\"DEPTH\":4,"), "{out}");
    assert!(lines.last().unwrap().contains("outputs: 2 of 3 passed; rejections: 0 of 0"), "{out}");
    let statuses: Vec<_> = report
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["status"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(statuses, ["pass", "fail", "pass"]);
}

#[test]
fn folders_are_walked_and_nothing_to_run_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = Vec::new();
    let mut run = |path: &std::path::Path, only: &[&str]| {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        Suite { paths: &[path.to_owned()], only: &only, ..Suite::default() }.run(&new_fake, &mut out)
    };
    assert!(run(&folder.path().join("none"), &[]).is_err());
    assert!(run(folder.path(), &[]).is_err());
    fs::create_dir(folder.path().join("b")).unwrap();
    fs::write(folder.path().join("b/z.json"), format!("{{\"tests\":[{COPY}]}}")).unwrap();
    fs::write(folder.path().join("c.sql"), SQL).unwrap();
    fs::write(folder.path().join("a.sql"), "--@test: refused\n--@expected.error: X\nSELECT * FROM nowhere;").unwrap();
    fs::write(folder.path().join("notes.md"), "not a test").unwrap();
    let summary = run(folder.path(), &[]).unwrap();
    assert_eq!(summary.to_string(), "3 passed, 0 failed, 0 errors (outputs: 2 of 2 passed; rejections: 1 of 1)");
    let copy = format!("{}: copy", folder.path().join("b/z.json").display());
    assert_eq!(run(folder.path(), &[&copy, "ponds"]).unwrap().outputs.total, 2);
    assert!(run(folder.path(), &["ponds", "pond"]).unwrap_err().what.contains("'pond'"));
    let out = String::from_utf8(out).unwrap();
    let names: Vec<_> = out.lines().filter_map(|line| line.rsplit(": ").next()).take(3).collect();
    assert_eq!(names, ["refused", "copy", "ponds"]);
}

#[test]
fn a_test_that_asserts_nothing_is_an_error() {
    let create = "--@test: nothing\nCREATE STREAM a (k STRING KEY) WITH (kafka_topic='a', value_format='JSON');";
    let (_, out, _) = run_file("t.sql", create);
    assert!(out.contains("asserts nothing"), "{out}");
    assert_eq!(status("t.sql", create), "error");
    let asserts = format!("{create}\nASSERT STREAM a (k STRING KEY) WITH (kafka_topic='a', value_format='JSON');");
    assert_eq!(status("t.sql", &asserts), "pass");
}

/// A table, and what is asked of it and of its stream.
const ASKED: &str = r#"{"name":"asked",
    "statements":["CREATE STREAM ponds (name STRING KEY, depth DOUBLE, share DECIMAL(4,2)) WITH (kafka_topic='ponds', value_format='JSON');",
                  "CREATE TABLE seen AS SELECT name, COUNT(*) AS n FROM ponds GROUP BY name;",
                  "SELECT * FROM seen WHERE name='upper';",
                  "SELECT name, depth, share FROM ponds EMIT CHANGES LIMIT 1;",
                  "SELECT n FROM seen WHERE name='none';"],
    "inputs":[{"topic":"ponds","key":"upper","value":{"DEPTH":4.5,"SHARE":1.50}}],
    "responses":[{"admin":{"@type":"currentStatus","warnings":[]}},
                 {"query":[{"header":{"schema":"`NAME` STRING KEY, `N` BIGINT"}},{"row":{"columns":["upper",1]}}]},
                 {"query":[{"header":{"queryId|starts_with":"x","schema":"`NAME` STRING, `DEPTH` DOUBLE, `SHARE` DECIMAL(4, 2)"}},
                           {"row":{"columns":["upper",4.5,1.50]}},{"finalMessage":"Limit Reached"}]},
                 {"query":[{"header":{"schema":"`N` BIGINT"}}]}]}"#;

#[test]
fn over_http_what_is_right_passes_and_what_is_not_fails() {
    let over_http: crate::testing::subject::NewSubject<'_> = &|properties| Ok(Box::new(HttpSubject::new(properties)?));
    let right = ASKED;
    let status = |case: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.json");
        fs::write(&path, format!("{{\"tests\":[{case}]}}")).unwrap();
        let mut out = Vec::new();
        let summary = Suite { paths: &[path], ..Suite::default() }.run(over_http, &mut out).unwrap();
        (summary.passed == 1, String::from_utf8(out).unwrap())
    };
    let (passed, told) = status(right);
    assert!(passed, "{told}");
    for (from, to) in [
        (r#""@type":"currentStatus""#, r#""@type":"streams""#),
        (r#""warnings":[]"#, r#""warnings":[1]"#),
        (r#"["upper",1]"#, r#"["upper",2]"#),
        (r#"{"row":{"columns":["upper",1]}}"#, r#"{"row":{"columns":["upper",1],"tombstone":true}}"#),
        ("4.5,1.50", "4.6,1.50"),
        ("`N` BIGINT\"}}]}]}", "`N` INTEGER\"}}]}]}"),
        ("`N` BIGINT\"}}]}]}", "`N` BIGINT\"}},{\"row\":{\"columns\":[1]}}]}]}"),
        ("Limit Reached", "Query Completed"),
        (r#"SELECT n FROM seen WHERE name='none'"#, r#"SELECT x FROM seen WHERE name='none'"#),
    ] {
        assert_eq!(right.matches(from).count(), 1, "{from} stands once");
        assert!(!status(&right.replace(from, to)).0, "{to} passes");
    }
    let rejected = |status: u16, sql: &str| {
        format!(r#"{{"name":"r","statements":["{sql}"],"expectedError":{{"status":{status},"message":"no"}}}}"#)
    };
    assert!(status(&rejected(400, "SELECT * FROM nowhere;")).0);
    assert!(!status(&rejected(400, "SHOW STREAMS;")).0, "nothing is rejected");
}
