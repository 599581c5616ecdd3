//! What a server tells of commands and processes, and how it ends for good.

use serde_json::{Value, json};

use crate::server::{ROWS, STREAM, Server, TABLE};

#[test]
fn what_became_of_commands_can_be_asked() {
    let server = Server::start(&[]);
    assert_eq!(server.ksql(&format!("{STREAM} {TABLE} CREATE TYPE a AS INT; DROP TYPE a;")).status, 200);
    let all = server.get("/status").json();
    let wanted = ["stream/S/create", "table/T/create", "type/A/create", "type/A/drop"];
    let statuses = all["commandStatuses"].as_object().unwrap();
    assert_eq!(statuses.keys().map(String::as_str).collect::<Vec<_>>(), wanted);
    assert!(statuses.values().all(|status| status == "SUCCESS"), "{all}");
    for path in ["/status/table/T/create", "/status/table/%60T%60/create"] {
        let status = server.get(path).json();
        assert_eq!(status["status"], "SUCCESS", "{path}");
        assert_eq!(status["queryId"], "CTAS_T_1", "{path}");
    }
    assert_eq!(server.get("/status/table/none/create").failure(), (404, 40400));
}

#[test]
fn a_request_waits_for_the_command_that_it_names() {
    let server = Server::start(&[]);
    let created = server.ksql(STREAM).json();
    let number = created[0]["commandSequenceNumber"].as_i64().unwrap();
    let with = |path: &str, sql: &str, number: Value| {
        server.post(path, &json!({"ksql": sql, "commandSequenceNumber": number}))
    };
    for number in [json!(number), json!(-1), Value::Null] {
        assert_eq!(with("/ksql", "DESCRIBE s;", number.clone()).status, 200, "{number}");
        assert_eq!(with("/query", "SELECT * FROM s;", number.clone()).status, 200, "{number}");
    }
    assert_eq!(with("/ksql", "DESCRIBE s;", json!(number + 1)).failure(), (400, 40000));
}

#[test]
fn processes_are_told_of() {
    let server = Server::start(&[]);
    assert_eq!(server.ksql(&format!("{STREAM} {TABLE} {ROWS}")).status, 200);
    let beat = json!({"hostInfo": {"host": "other", "port": 8088}, "timestamp": 5});
    assert_eq!(server.post("/heartbeat", &beat).json(), json!({"isOk": true}));
    assert_eq!(server.post("/heartbeat", &json!({"hostInfo": "x"})).failure(), (400, 40000));
    let lag = json!({"currentOffsetPosition": 3, "endOffsetPosition": 5, "offsetLag": 2});
    let lags = json!({"stateStoreLags": {"g#s": {"lagByPartition": {"0": lag}}}, "updateTimeMs": 5});
    let host = json!({"host": "other", "port": 8088});
    let told = server.post("/lag", &json!({"ksqlHost": host, "hostStoreLags": lags}));
    assert_eq!(told.json(), json!({"isOk": true}));
    assert_eq!(server.post("/lag", &json!({"ksqlHost": host})).failure(), (400, 40000));
    let status = server.get("/clusterStatus").json();
    let hosts = status["clusterStatus"].as_object().unwrap();
    let own = &hosts[server.address.split("//").nth(1).unwrap()];
    let partition = |partition: u32| json!({"topic": "s", "partition": partition});
    assert_eq!(own["activeStandbyPerQuery"]["CTAS_T_1"]["activePartitions"], json!([partition(0), partition(1)]));
    assert_eq!((&own["hostAlive"], &hosts["other:8088"]["hostAlive"]), (&json!(true), &json!(true)));
    assert_eq!(hosts["other:8088"]["hostStoreLags"], lags);
    assert_eq!(hosts.len(), 2);
    // It shares its work with nobody.
    let asked =
        json!({"process": "x", "definition": "", "query": "SELECT * FROM t;", "properties": {}, "partitions": [0]});
    assert!(server.post("/millpond/pull", &asked).text.starts_with("{\"declined\":"));
}

#[test]
fn a_service_that_is_terminated_leaves_what_it_was_told_to() {
    let mut server = Server::start(&[]);
    let made = "CREATE STREAM kept AS SELECT * FROM s; CREATE STREAM gone AS SELECT * FROM kept; CREATE TYPE a AS INT;";
    assert_eq!(server.ksql(&format!("{STREAM} {TABLE} {made} {ROWS}")).status, 200);
    assert_eq!(server.post("/ksql/terminate", &json!({"deleteTopicList": ["("]})).failure(), (400, 40000));
    // The topic of `s` was made by nobody's query.
    let ended = server.post("/ksql/terminate", &json!({"deleteTopicList": ["GO.*", "s", "T"]}));
    assert_eq!(ended.json()[0]["commandStatus"]["status"], "SUCCESS");
    assert_eq!(server.process.0.wait().unwrap().code(), Some(0), "the server stops");
    let left = crate::binary::run_ok(server.folder(), &["topic", "list", "--output", "json"]);
    let mut topics: Vec<String> = left
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["topic"].as_str().unwrap_or(line).to_owned())
        .collect();
    topics.retain(|topic| !topic.contains("ksql"));
    topics.sort();
    assert_eq!(topics, ["KEPT", "s"], "{left}");
    let sources =
        crate::binary::run_ok(server.folder(), &["-e", "SHOW STREAMS; SHOW TABLES; SHOW TYPES; SHOW QUERIES;"]);
    assert!(!sources.contains("KEPT") && !sources.contains("CTAS"), "{sources}");
}

#[test]
fn rows_that_come_together_are_acknowledged_one_by_one() {
    let server = Server::start(&[]);
    assert_eq!(server.ksql(&format!("{STREAM} {TABLE}")).status, 200);
    let mut body = "{\"target\": \"S\"}\n".to_owned();
    for i in 0..25_000 {
        body.push_str(&format!("{{\"id\": {}, \"v\": \"x\"}}\n", i % 10));
    }
    let answer = server.ask("POST", "/inserts-stream", &["Accept: application/json"], body.as_bytes());
    let acks = answer.json();
    let acks = acks.as_array().unwrap();
    assert_eq!(acks.len(), 25_000);
    assert!(acks.iter().enumerate().all(|(i, ack)| ack == &json!({"status": "ok", "seq": i})));
    server.await_rows("SELECT n FROM t WHERE id = 3;", &json!([[2500]]));
    let rows = "{\"target\": \"s\"}\n{\"id\": 1}\n{\"id\": \"x\"}\n{\"id\": 2}\n";
    let answer = server.ask("POST", "/inserts-stream", &["Accept: application/json"], rows.as_bytes()).json();
    assert_eq!(answer.as_array().unwrap().len(), 2, "{answer}");
    assert_eq!(answer[1]["status"], "error");
    let none = server.ask("POST", "/inserts-stream", &["Accept: application/json"], b"{\"target\": \"s\"}\n");
    assert_eq!(none.json(), json!([]));
    assert_eq!(server.ask("POST", "/inserts-stream", &["Accept: text/html"], b"").failure(), (406, 40600));
}

#[test]
fn what_an_explained_query_selects_is_told_and_no_more() {
    let server = Server::start(&[]);
    assert_eq!(server.ksql(&format!("{STREAM} {TABLE}")).status, 200);
    let names = |statement: &str| {
        let told = server.ksql(statement).json();
        let fields = told[0]["queryDescription"]["fields"].as_array().unwrap().clone();
        fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("EXPLAIN SELECT v, id FROM s EMIT CHANGES;"), ["V", "ID"]);
    assert_eq!(names("EXPLAIN CTAS_T_1;"), ["ID", "N"]);
}
