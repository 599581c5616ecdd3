//! Limits of queries over HTTP, and streams of the server's own.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};

use crate::binary::on;
use crate::server::{ROWS, STREAM, Server, TABLE, WAIT_MAX, send};

#[test]
fn queries_beyond_their_limits_are_told_which() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.properties");
    std::fs::write(&file, "ksql.max.push.queries=1\npull.rows.max=1\n").unwrap();
    let server = Server::start(&["--config-file", file.to_str().unwrap()]);
    assert_eq!(server.ksql(&format!("{STREAM} {TABLE} {ROWS}")).status, 200);
    let ask = |rows_max: i64| {
        let properties = json!({"pull.rows.max": rows_max});
        server.post("/query", &json!({"ksql": "SELECT * FROM t;", "streamsProperties": properties})).json()
    };
    let rows = |answer: &Value| answer.as_array().unwrap().iter().filter(|item| !item["row"].is_null()).count();
    let until = Instant::now() + WAIT_MAX;
    while rows(&ask(-1)) < 2 {
        assert!(Instant::now() < until);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // By what the server was started with, and what a request says itself.
    let refused = server.post("/query", &json!({"ksql": "SELECT * FROM t;"})).json();
    let told = refused.as_array().unwrap().last().unwrap()["errorMessage"]["message"].as_str().unwrap();
    assert!(told.contains("more rows than pull.rows.max allows"), "{refused}");
    assert_eq!(rows(&ask(2)), 2);
    assert_eq!(rows(&server.post("/query", &json!({"ksql": "SELECT * FROM t LIMIT 1;"})).json()), 1);
    // A push query at once.
    let push = json!({"sql": "SELECT * FROM s EMIT CHANGES;"});
    let mut first = server.connect();
    send(&mut first, "POST", "/query-stream", &[], push.to_string().as_bytes());
    let mut head = String::new();
    let mut reader = BufReader::new(first.try_clone().unwrap());
    while !head.contains("columnNames") {
        head.clear();
        reader.read_line(&mut head).unwrap();
    }
    let second = server.post("/query-stream", &push);
    assert_eq!(second.json()["error_code"], 40003);
    assert!(second.text.contains("1 run already"), "{}", second.text);
}

/// Bytes that are no JSON, into the topic of stream S.
fn write_bad(server: &Server, value: &str) {
    let mut command = on(server.folder(), &["topic", "produce", "s"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{value}\n").as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn the_processing_log_is_read_by_pull_and_push() {
    let server = Server::start(&[]);
    assert_eq!(server.ksql(&format!("{STREAM} CREATE STREAM copy AS SELECT * FROM s;")).status, 200);
    let streams = server.ksql("SHOW STREAMS;").json();
    let log = streams[0]["streams"].as_array().unwrap().iter().find(|stream| stream["name"] == "KSQL_PROCESSING_LOG");
    assert!(log.is_some_and(|log| log["topic"] == "default_ksql_processing_log"), "{streams}");
    let mut push = server.connect();
    let sql = "SELECT logger, type, record FROM KSQL_PROCESSING_LOG WHERE topic = 's' EMIT CHANGES;";
    send(&mut push, "POST", "/query-stream", &[], json!({"sql": sql}).to_string().as_bytes());
    let mut lines = BufReader::new(push).lines().map(Result::unwrap).skip_while(|line| !line.starts_with('{'));
    let header: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(header["columnNames"], json!(["LOGGER", "TYPE", "RECORD"]));
    for (number, value) in ["nonsense", "more of it"].into_iter().enumerate() {
        write_bad(&server, value);
        let row: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
        assert_eq!(row, json!(["processing.CSAS_COPY_1", "DESERIALIZATION", value]));
        let pull = "SELECT type, topic, record FROM KSQL_PROCESSING_LOG;";
        let all = ["nonsense", "more of it"].map(|value| json!(["DESERIALIZATION", "s", value]));
        server.await_rows(pull, &json!(all[..=number]));
    }
}
