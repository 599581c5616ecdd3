//! `millpond server`: the HTTP API as clients see it, on the network.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::binary::{Running, on, run};

/// What comes later than this doesn't come.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

pub const STREAM: &str =
    "CREATE STREAM s (id INT KEY, v STRING, d DECIMAL(5,2)) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);";
pub const TABLE: &str = "CREATE TABLE t AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;";
pub const ROWS: &str =
    "INSERT INTO s VALUES (1, 'a', 1.50); INSERT INTO s VALUES (2, 'b', 2); INSERT INTO s VALUES (1, 'c', NULL);";
const EARLIEST: &str = "earliest";

pub struct Server {
    pub process: Running,
    pub address: String,
    folder: tempfile::TempDir,
}

impl Server {
    pub fn start(flags: &[&str]) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let (process, address) = listen(folder.path(), flags);
        Server { process, address, folder }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address.split("//").nth(1).unwrap()).unwrap();
        stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
        stream
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends a request and reads the answer to its end.
    pub fn ask(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut stream = self.connect();
        send(&mut stream, method, path, headers, body);
        Answer::read(stream)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &["Content-Type: application/json"], body.to_string().as_bytes())
    }

    pub fn ksql(&self, sql: &str) -> Answer {
        self.post("/ksql", &json!({"ksql": sql, "streamsProperties": {"auto.offset.reset": EARLIEST}}))
    }

    pub fn query(&self, sql: &str) -> Answer {
        self.post("/query", &json!({"ksql": sql, "streamsProperties": {"auto.offset.reset": EARLIEST}}))
    }

    /// Waits until a query's rows are these.
    pub fn await_rows(&self, sql: &str, rows: &Value) {
        let until = Instant::now() + WAIT_MAX;
        loop {
            let answer = self.query(sql).json();
            let found: Vec<&Value> =
                answer.as_array().unwrap().iter().filter_map(|item| item.pointer("/row/columns")).collect();
            if &json!(found) == rows {
                return;
            }
            assert!(Instant::now() < until, "{answer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The value of a metric.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").text;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    pub fn await_metric(&self, name: &str, value: f64) {
        let until = Instant::now() + WAIT_MAX;
        while self.metric(name) != Some(value) {
            assert!(Instant::now() < until, "{name} is {:?}", self.metric(name));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Starts a server and reads from its first line where it listens.
fn listen(folder: &Path, flags: &[&str]) -> (Running, String) {
    let mut command = on(folder, &["server", "--listen", "127.0.0.1:0"]);
    command.args(flags);
    let mut process = Running::start(command);
    let mut line = String::new();
    BufReader::new(process.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("it says {line:?}")).to_owned();
    (process, address)
}

/// In HTTP/1.0, whose answers are plain and end with the connection.
pub fn send(stream: &mut TcpStream, method: &str, path: &str, headers: &[&str], body: &[u8]) {
    let mut request = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        request.push_str(&format!("{header}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    // A server that has refused already doesn't read on.
    let _ = stream.write_all(body);
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub text: String,
}

impl Answer {
    pub fn read(mut stream: TcpStream) -> Answer {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        // A server that closes while a request still comes may reset the connection behind its answer.
        while let Ok(read @ 1..) = stream.read(&mut chunk) {
            bytes.extend_from_slice(&chunk[..read]);
        }
        let text = String::from_utf8(bytes).unwrap();
        let (head, text) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), text: text.to_owned() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and error code of a failure.
    pub fn failure(&self) -> (u16, u64) {
        (self.status, self.json()["error_code"].as_u64().unwrap_or(0))
    }
}

#[test]
fn statements_answer_with_entities() {
    let server = Server::start(&[]);
    let entities = server.ksql(&format!("{STREAM} {TABLE} {ROWS} SHOW STREAMS; DESCRIBE t; SHOW QUERIES;")).json();
    let kinds: Vec<&str> =
        entities.as_array().unwrap().iter().map(|entity| entity["@type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["currentStatus", "currentStatus", "streams", "sourceDescription", "queries"]);
    assert_eq!(entities[0]["commandId"], "stream/`S`/create");
    assert_eq!(entities[0]["commandStatus"]["status"], "SUCCESS");
    assert_eq!(entities[1]["commandSequenceNumber"], 1);
    let id = entities[1]["commandStatus"]["queryId"].as_str().unwrap();
    let streams = entities[2]["streams"].as_array().unwrap();
    let stream = streams.iter().find(|stream| stream["name"] == "S").unwrap();
    let expected = json!({"type": "STREAM", "name": "S", "topic": "s", "keyFormat": "KAFKA", "valueFormat": "JSON", "isWindowed": false});
    assert_eq!(stream, &expected);
    let described = &entities[3]["sourceDescription"];
    let field =
        |name: &str, ty: &str| json!({"name": name, "schema": {"type": ty, "fields": null, "memberSchema": null}});
    let mut key = field("ID", "INTEGER");
    key["type"] = json!("KEY");
    assert_eq!(described["fields"], json!([key, field("N", "BIGINT")]));
    assert_eq!(described["writeQueries"][0]["id"], id);
    assert_eq!(entities[4]["queries"][0]["statusCount"], json!({"RUNNING": 1}));

    // What only the work shows: the statements before it are carried out, and told.
    let failed = server.ksql("CREATE TYPE a AS STRUCT<x INT>; INSERT INTO s VALUES ('x', 'y', 1); DROP TYPE a;");
    assert_eq!(failed.failure(), (400, 40001));
    let told = failed.json();
    assert_eq!(told["@type"], "statement_error");
    assert_eq!(told["entities"][0]["commandId"], "type/A/create");
    assert_eq!(told["statementText"], "INSERT INTO s VALUES ('x', 'y', 1);");
    let types =
        || server.ksql("SHOW TYPES;").json()[0]["types"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(types(), ["A"]);
    // All else is found before anything is carried out: on a copy, what goes before being done.
    for wrong in
        ["CREATE STREEM d;", "DROP STREAM none;", "CREATE STREAM n AS SELECT nope FROM m;", "INSERT INTO n VALUES (1);"]
    {
        let made = "CREATE TYPE c AS STRUCT<x INT>; CREATE STREAM m AS SELECT * FROM s;";
        let failed = server.ksql(&format!("{made} {wrong}"));
        assert_eq!(failed.failure(), (400, 40001), "{wrong}");
        assert_eq!(failed.json()["entities"], json!([]), "{wrong}");
        assert_eq!(failed.json()["statementText"], wrong);
    }
    assert_eq!(server.ksql("SHOW TYPES").failure(), (400, 40001), "the `;` is missing");
    assert_eq!(types(), ["A"]);
    // What the first statements make is there for the later ones.
    let chain =
        "CREATE STREAM m WITH (PARTITIONS=3) AS SELECT * FROM s; CREATE STREAM n AS SELECT id, v FROM m; DESCRIBE n;";
    let entities = server.ksql(chain).json();
    assert_eq!(entities[2]["sourceDescription"]["partitions"], 3);
    assert_eq!(entities[2]["statementText"], "DESCRIBE n;");
    let made = server.ksql("CREATE TYPE IF NOT EXISTS a AS INT; CREATE STREAM q AS SELECT * FROM m;").json();
    let id = made[1]["commandStatus"]["queryId"].as_str().unwrap();
    let number: i64 = id.rsplit('_').next().unwrap().parse().unwrap();
    let next = number + 1;
    // Also the id of a query that they start, and its change.
    let chain = format!(
        "CREATE TYPE IF NOT EXISTS a AS INT; CREATE STREAM r AS SELECT * FROM m; \
         CREATE OR REPLACE STREAM r AS SELECT * FROM m WHERE id > 1; PAUSE CSAS_R_{next}; TERMINATE CSAS_R_{next};"
    );
    assert_eq!(server.ksql(&chain).status, 200, "{}", server.ksql("SHOW QUERIES;").text);
    assert_eq!(server.ksql("SELECT * FROM s;").failure(), (400, 40002));
    assert_eq!(server.query("SHOW TYPES;").failure(), (400, 40001));
}

#[test]
fn rows_come_in_the_form_that_is_asked_for() {
    let server = Server::start(&[]);
    assert_eq!(server.ksql(&format!("{STREAM} {TABLE} {ROWS}")).status, 200);
    server.await_rows("SELECT * FROM t WHERE id IN (1, 2);", &json!([[1, 2], [2, 1]]));
    let pulled = server.query("SELECT n, id FROM t WHERE id = 1;");
    assert!(pulled.head.contains("application/vnd.ksql.v1+json"), "{}", pulled.head);
    assert_eq!(
        pulled.json(),
        json!([{"header": {"schema": "`N` BIGINT, `ID` INTEGER KEY"}}, {"row": {"columns": [2, 1]}}])
    );

    let request = |sql: &str| json!({"sql": sql, "properties": {"auto.offset.reset": EARLIEST}}).to_string();
    let stream = |sql: &str, accept: &[&str]| server.ask("POST", "/query-stream", accept, request(sql).as_bytes());
    let pushed = "SELECT id, v, d FROM s WHERE id = 1 EMIT CHANGES LIMIT 2;";
    let delimited = stream(pushed, &[]);
    let lines: Vec<Value> = delimited.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["columnNames"], json!(["ID", "V", "D"]));
    assert_eq!(lines[0]["columnTypes"], json!(["INTEGER", "STRING", "DECIMAL(5, 2)"]));
    assert!(lines[0]["queryId"].is_string());
    assert_eq!(lines[1..], [json!([1, "a", 1.5]), json!([1, "c", null])]);
    assert!(delimited.text.contains("1.50"), "a DECIMAL keeps its digits");
    let array = stream(pushed, &["Accept: text/html;q=0.9, application/json"]).json();
    assert_eq!(array.as_array().unwrap()[1..], [json!([1, "a", 1.5]), json!([1, "c", null])]);
    let objects = stream(pushed, &["Accept: application/vnd.ksql.v1+json"]).json();
    assert_eq!(objects.as_array().unwrap().last(), Some(&json!({"finalMessage": "Limit Reached"})));
    assert_eq!(stream(pushed, &["Accept: text/html"]).failure(), (406, 40600));
    // As ksqlDB's API has it, a query that doesn't say otherwise begins with what comes next.
    assert_eq!(server.post("/query", &json!({"ksql": "SELECT * FROM s EMIT CHANGES LIMIT 0;"})).status, 200);
    let printed = server.query("PRINT 's' FROM BEGINNING LIMIT 2;");
    assert_eq!(printed.text.lines().count(), 2, "{printed:?}");
    let failed = stream("SELECT nope FROM s EMIT CHANGES;", &[]);
    assert_eq!(failed.failure(), (400, 40001));
}

#[test]
fn push_queries_end_when_they_are_closed_or_left() {
    let server = Server::start(&[]);
    assert_eq!(server.ksql(&format!("{STREAM} {ROWS}")).status, 200);
    let push = || {
        let mut stream = server.connect();
        let body = json!({"sql": "SELECT * FROM s EMIT CHANGES;", "properties": {"auto.offset.reset": EARLIEST}});
        send(&mut stream, "POST", "/query-stream", &[], body.to_string().as_bytes());
        let mut lines = BufReader::new(stream).lines();
        assert!(lines.next().unwrap().unwrap().contains("200"));
        let header = lines.find(|line| line.as_ref().unwrap().starts_with('{')).unwrap().unwrap();
        for _ in 0..3 {
            assert!(lines.next().unwrap().unwrap().starts_with('['));
        }
        let id = serde_json::from_str::<Value>(&header).unwrap()["queryId"].as_str().unwrap().to_owned();
        (lines, id)
    };
    let (mut lines, id) = push();
    let (left, _) = push();
    server.await_metric("millpond_push_queries", 2.0);
    assert_eq!(server.post("/close-query", &json!({"queryId": id})).status, 200);
    assert!(lines.next().is_none(), "the rows end");
    assert_eq!(server.post("/close-query", &json!({"queryId": "nope"})).failure(), (400, 40000));
    drop(left);
    server.await_metric("millpond_push_queries", 0.0);
}

#[test]
fn a_server_that_is_told_to_stop_ends_what_runs() {
    let mut server = Server::start(&[]);
    assert_eq!(server.ksql(STREAM).status, 200);
    let mut stream = server.connect();
    let body = json!({"ksql": "SELECT * FROM s EMIT CHANGES;"}).to_string();
    send(&mut stream, "POST", "/query", &[], body.as_bytes());
    server.await_metric("millpond_push_queries", 1.0);
    let pid = server.process.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let answer = Answer::read(stream);
    assert!(answer.text.ends_with("]\n"), "the array is closed: {answer:?}");
    assert_eq!(server.process.0.wait().unwrap().code(), Some(0));
}

#[test]
fn rows_are_inserted_one_a_line() {
    let server = Server::start(&[]);
    assert_eq!(server.ksql(&format!("{STREAM} {TABLE}")).status, 200);
    let rows = "{\"target\": \"s\"}\n{\"id\": 1, \"V\": \"a\", \"d\": \"1.50\"}\n\n{\"ID\": 1, \"v\": \"b\"}\n{\"id\": \"x\"}\n{\"id\": 3}\n";
    let answer = server.ask("POST", "/inserts-stream", &[], rows.as_bytes());
    let acks: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(acks[..2], [json!({"status": "ok", "seq": 0}), json!({"status": "ok", "seq": 1})]);
    assert_eq!((&acks[2]["status"], &acks[2]["seq"], acks.len()), (&json!("error"), &json!(2), 3), "{answer:?}");
    server.await_rows("SELECT * FROM t;", &json!([[1, 2]]));
    for (first, why) in [("", "no line"), ("[]\n", "no object"), ("{\"target\": 1}\n", "no name")] {
        assert_eq!(server.ask("POST", "/inserts-stream", &[], first.as_bytes()).failure(), (400, 40000), "{why}");
    }
    let unknown = server.ask("POST", "/inserts-stream", &[], b"{\"target\": \"none\"}\n{\"id\": 1}\n");
    assert!(unknown.text.contains("\"status\":\"error\""), "{unknown:?}");
}

#[test]
fn bad_requests_are_told_and_hurt_nobody() {
    let server = Server::start(&[]);
    let post = |path: &str, body: &[u8]| server.ask("POST", path, &[], body).failure();
    for path in ["/ksql", "/query", "/query-stream", "/close-query"] {
        assert_eq!(post(path, b""), (400, 40000), "{path}");
        assert_eq!(post(path, b"{\"ksql\": "), (400, 40000), "{path}");
        assert_eq!(post(path, b"{\"ksql\": \"\xff\"}"), (400, 40000), "{path}");
        assert_eq!(post(path, b"[1]"), (400, 40000), "{path}");
        assert_eq!(post(path, &vec![b' '; 10 << 20]), (413, 41300), "{path}");
        assert_eq!(server.get(path).failure(), (405, 40500), "{path}");
    }
    assert_eq!(server.get("/nope").failure(), (404, 40400));
    let property = json!({"ksql": "SHOW STREAMS;", "streamsProperties": {"no.such": "x"}});
    assert_eq!(server.post("/ksql", &property).failure(), (400, 40000));
    let nested = json!({"ksql": "SHOW STREAMS;", "streamsProperties": {"auto.offset.reset": {"a": 1}}});
    assert_eq!(server.post("/ksql", &nested).failure(), (400, 40000));
    // A value that would be SQL stands where a value stands.
    let sly = json!({"ksql": "DESCRIBE ${name};", "sessionVariables": {"name": "s; DROP TYPE t"}});
    assert_eq!(server.post("/ksql", &sly).failure().0, 400);
    let parens = format!("EXPLAIN SELECT {}1{} FROM s EMIT CHANGES;", "(".repeat(50_000), ")".repeat(50_000));
    assert_eq!(server.ksql(&parens).failure(), (400, 40001));
    // Clients that send half a request and wait don't keep others from being served.
    let idle: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(b"POST /ksql HTTP/1.1\r\nHost: local").unwrap();
            stream
        })
        .collect();
    let mut half_a_body = server.connect();
    half_a_body.write_all(b"POST /ksql HTTP/1.0\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{").unwrap();
    assert_eq!(server.get("/info").json()["KsqlServerInfo"]["serverStatus"], "RUNNING");
    // Rows that can't be: each is told, and the server goes on.
    assert_eq!(server.ksql(STREAM).status, 200);
    for row in [&b"{\"v\": \"\xff\"}\n"[..], b"{\"id\": \n", b"[1]\n", b"null\n", &vec![b'x'; 10 << 20]] {
        let answer = server.ask("POST", "/inserts-stream", &[], &[b"{\"target\": \"s\"}\n", row].concat());
        let told = answer.json();
        assert_eq!((&told["status"], &told["error_code"]), (&json!("error"), &json!(40000)), "{told}");
        assert_eq!(server.get("/info").status, 200);
    }
    // And are let go.
    for mut stream in idle {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
    }
    assert_eq!(Answer::read(half_a_body).failure(), (408, 40800));
    assert_eq!(server.get("/healthcheck").json()["isHealthy"], true);
}

#[test]
fn roles_bound_what_may_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access");
    let file = file.to_str().unwrap();
    let password = |name: &str, role: &str, password: &str| {
        let mut command = on(folder.path(), &["access", "user", name, "--role", role, "--file", file]);
        command.stdin(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    };
    password("ann", "admin", "secret");
    password("rob", "read", "other");
    let token = crate::binary::run_ok(folder.path(), &["access", "token", "ci", "--role", "write", "--file", file]);
    let basic = |text: &str| {
        use base64::Engine as _;
        format!("Authorization: Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
    };
    let server = Server::start(&["--access", file]);
    let who = [
        ("nobody", None, 0),
        ("a wrong password", Some(basic("ann:wrong")), 0),
        ("a wrong token", Some("Authorization: Bearer x".to_owned()), 0),
        ("rob", Some(basic("rob:other")), 1),
        ("ci", Some(format!("Authorization: Bearer {}", token.trim())), 2),
        ("ann", Some(basic("ann:secret")), 3),
    ];
    let ksql = |sql: &str| json!({"ksql": sql}).to_string();
    let call = |sql: &str| json!({"session": {"properties": {}, "variables": {}}, "statement": sql}).to_string();
    // Path, body, and the least that may ask it.
    let asked = [
        ("GET", "/info", String::new(), 1),
        ("GET", "/healthcheck", String::new(), 1),
        ("GET", "/metrics", String::new(), 1),
        ("GET", "/nope", String::new(), 1),
        ("GET", "/chc/live", String::new(), 0),
        ("POST", "/ksql", ksql("SHOW STREAMS;"), 1),
        ("POST", "/ksql", ksql(STREAM), 3),
        ("POST", "/ksql", ksql("INSERT INTO s VALUES (1, 'a', 1);"), 2),
        ("POST", "/inserts-stream", "{\"target\": \"s\"}\n{\"id\": 1}\n".to_owned(), 2),
        ("POST", "/query", ksql("SELECT * FROM s;"), 1),
        ("POST", "/query-stream", ksql("SELECT * FROM s;"), 1),
        ("POST", "/close-query", json!({"queryId": "x"}).to_string(), 1),
        ("GET", "/", String::new(), 1),
        ("GET", "/v1/metadata", String::new(), 1),
        ("GET", "/v1/metadata/id", String::new(), 1),
        ("GET", "/is_valid_property/auto.offset.reset", String::new(), 1),
        ("GET", "/openapi.json", String::new(), 1),
        ("GET", "/status", String::new(), 1),
        ("GET", "/status/stream/S/create", String::new(), 1),
        ("GET", "/clusterStatus", String::new(), 1),
        ("GET", "/ws/query?request=%7B%7D", String::new(), 1),
        ("GET", "/chc/ready", String::new(), 0),
        ("POST", "/heartbeat", json!({"hostInfo": {"host": "a", "port": 1}, "timestamp": 0}).to_string(), 3),
        ("POST", "/lag", "{}".to_owned(), 3),
        ("POST", "/millpond/pull", "{}".to_owned(), 3),
        ("POST", "/query", ksql("PRINT 's' FROM BEGINNING LIMIT 0;"), 1),
        // What a terminal asks.
        ("GET", "/millpond/names", String::new(), 1),
        ("POST", "/millpond/statement", call("SHOW STREAMS;"), 1),
        ("POST", "/millpond/statement", call("INSERT INTO s VALUES (1, 'a', 1);"), 2),
        ("POST", "/millpond/statement", call("CREATE TYPE IF NOT EXISTS z AS INT;"), 3),
        ("POST", "/millpond/log", json!("Topics").to_string(), 1),
        ("POST", "/millpond/log", json!({"EmptyTopic": "s"}).to_string(), 3),
        ("POST", "/millpond/insert", json!({"target": "s", "rows": ["{}"], "properties": {}}).to_string(), 2),
        ("POST", "/millpond/append", String::new(), 2),
        ("POST", "/millpond/reset", String::new(), 3),
        // Of all roles, since the service is over then.
        ("POST", "/ksql/terminate", "{".to_owned(), 3),
    ];
    let document = server.ask("GET", "/openapi.json", &[&basic("ann:secret")], b"").json();
    for path in document["paths"].as_object().unwrap().keys() {
        let begins = path.split('{').next().unwrap();
        assert!(asked.iter().any(|(_, asked, ..)| asked.starts_with(begins)), "{path} isn't asked for");
    }
    // Admins first, so that the stream is there for the others.
    for (name, header, level) in who.iter().rev() {
        // To find a password wrong takes a second in a build for tests; what follows is as with a wrong token.
        let passwords = if *name == "a wrong password" { 3 } else { usize::MAX };
        for (method, path, body, least) in asked.iter().take(passwords) {
            let headers: Vec<&str> = header.iter().map(String::as_str).collect();
            let status = server.ask(method, path, &headers, body.as_bytes()).status;
            let what = format!("{name}: {path} {body}: {status}");
            match (level >= least, level) {
                (true, _) => assert!(status != 401 && status != 403, "{what}"),
                (false, 0) => assert_eq!(status, 401, "{what}"),
                (false, _) => assert_eq!(status, 403, "{what}"),
            }
        }
    }
    // The server takes changes of the file in.
    crate::binary::run_ok(folder.path(), &["access", "remove", "rob", "--file", file]);
    let until = Instant::now() + WAIT_MAX;
    while server.ask("GET", "/info", &[&basic("rob:other")], b"").status != 401 {
        assert!(Instant::now() < until, "rob is still let in");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn others_are_let_in_only_when_it_is_said_who() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run(folder.path(), &["server", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("--access") && refused.stderr.contains("--allow-anyone"), "{refused:?}");
    let server = Server::start(&["--allow-origin", "https://dash.example.org"]);
    let from = |headers: &[&str]| server.ask("GET", "/info", headers, b"").status;
    assert_eq!(from(&["Origin: https://evil.example.org"]), 403);
    assert_eq!(from(&["Origin: https://dash.example.org"]), 200);
    let mut stream = server.connect();
    // A name in somebody else's DNS that leads here.
    stream.write_all(b"GET /info HTTP/1.0\r\nHost: evil.example.org\r\n\r\n").unwrap();
    assert_eq!(Answer::read(stream).status, 403);
    let preflight = ["Origin: https://dash.example.org", "Access-Control-Request-Method: POST"];
    let answer = server.ask("OPTIONS", "/ksql", &preflight, b"");
    assert!(answer.head.to_lowercase().contains("access-control-allow-origin: https://dash.example.org"), "{answer:?}");
}

#[test]
fn a_held_folder_is_not_served_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (mut process, _) = listen(folder.path(), &[]);
    let refused = run(folder.path(), &["server", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains(&format!("held by process {}", process.0.id())), "{refused:?}");
    // A terminal beside it works on the same folder.
    assert!(crate::binary::run_ok(folder.path(), &["-e", "SHOW STREAMS;"]).contains("KSQL_PROCESSING_LOG"));
    process.kill();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn http_2_without_tls_is_spoken() {
    let server = Server::start(&[]);
    assert_eq!(server.ksql(&format!("{STREAM} {ROWS}")).status, 200);
    let address = server.address.split("//").nth(1).unwrap().to_owned();
    runtime().block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        let body =
            json!({"sql": "SELECT id FROM s EMIT CHANGES LIMIT 3;", "properties": {"auto.offset.reset": EARLIEST}});
        let request =
            hyper::Request::post("http://localhost/query-stream").body(Full::new(bytes::Bytes::from(body.to_string())));
        let response = sender.send_request(request.unwrap()).await.unwrap();
        assert_eq!(response.version(), hyper::Version::HTTP_2);
        let text = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"[")).count(), 3);
    });
}

#[test]
fn rows_come_over_a_websocket() {
    let server = Server::start(&[]);
    assert_eq!(server.ksql(&format!("{STREAM} {ROWS}")).status, 200);
    let url = |sql: &str| {
        let request = json!({"ksql": sql, "streamsProperties": {"auto.offset.reset": EARLIEST}}).to_string();
        let query: String = url::form_urlencoded::byte_serialize(request.as_bytes()).collect();
        format!("ws://{}/ws/query?request={query}", server.address.split("//").nth(1).unwrap())
    };
    let frames = |sql: &str| {
        let (mut socket, _) = tungstenite::connect(url(sql)).unwrap();
        let mut frames = Vec::new();
        while let Ok(message) = socket.read() {
            match message {
                Message::Text(text) => frames.push(serde_json::from_str::<Value>(&text).unwrap()),
                Message::Close(_) => break,
                _ => {}
            }
        }
        frames
    };
    let rows = frames("SELECT id, v FROM s WHERE id = 1 EMIT CHANGES LIMIT 2;");
    assert_eq!(rows[0][0], json!({"name": "ID", "schema": {"type": "INTEGER", "fields": null, "memberSchema": null}}));
    assert_eq!(rows[1..3], [json!({"row": {"columns": [1, "a"]}}), json!({"row": {"columns": [1, "c"]}})]);
    assert_eq!(rows[3], json!({"finalMessage": "Limit Reached"}));
    let failed = frames("SELECT nope FROM s EMIT CHANGES;");
    assert_eq!(failed[0]["error_code"], 40001);
    // A client that leaves ends its query.
    let (socket, _) = tungstenite::connect(url("SELECT * FROM s EMIT CHANGES;")).unwrap();
    server.await_metric("millpond_push_queries", 1.0);
    drop(socket);
    server.await_metric("millpond_push_queries", 0.0);
}

#[test]
fn tls_with_certificates_that_change() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let renew = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        std::fs::write(&cert, made.cert.pem()).unwrap();
        made.cert.der().clone()
    };
    let first = renew();
    let server = Server::start(&["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]);
    assert!(server.address.starts_with("https://"));
    let address = server.address.split("//").nth(1).unwrap().to_owned();
    let info = |trusted: &CertificateDer<'static>| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = rustls::StreamOwned::new(
            rustls::ClientConnection::new(config, name).unwrap(),
            TcpStream::connect(&address).unwrap(),
        );
        tls.write_all(b"GET /info HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut text = String::new();
        tls.read_to_string(&mut text)?;
        Ok::<String, std::io::Error>(text)
    };
    assert!(info(&first).unwrap().contains("KsqlServerInfo"));
    // Who speaks plain HTTP, or nothing, is let go, and the others are served.
    let mut plain = server.connect();
    plain.write_all(b"GET /info HTTP/1.0\r\n\r\n").unwrap();
    plain.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    let second = renew();
    let until = Instant::now() + WAIT_MAX;
    while info(&second).is_err() {
        assert!(Instant::now() < until, "the new certificate is not taken in");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(info(&first).is_err());
}

#[test]
fn metrics_are_told_to_prometheus() {
    let server = Server::start(&[]);
    assert_eq!(server.ksql(&format!("{STREAM} {TABLE} {ROWS}")).status, 200);
    server.await_metric("millpond_query_rows_in_total{query=\"CTAS_T_1\"}", 3.0);
    server.await_metric("millpond_query_running{query=\"CTAS_T_1\"}", 1.0);
    let text = server.get("/metrics");
    assert!(text.head.contains("application/openmetrics-text"), "{}", text.head);
    assert!(text.text.ends_with("# EOF\n"));
    assert!(server.metric("millpond_http_requests_total{path=\"/ksql\",status=\"200\"}") == Some(1.0), "{}", text.text);
    // By key and by all rows.
    server.await_rows("SELECT n FROM t WHERE id = 1;", &json!([[2]]));
    server.await_rows("SELECT n FROM t WHERE n = 1;", &json!([[1]]));
    assert!(server.metric("millpond_query_commits_total{query=\"CTAS_T_1\"}") >= Some(1.0));
    assert!(server.metric("millpond_query_commit_seconds_total{query=\"CTAS_T_1\"}") > Some(0.0));
    assert!(server.metric("millpond_query_state_bytes{query=\"CTAS_T_1\"}") > Some(0.0));
    let asked = server.metric("millpond_http_requests_total{path=\"/query\",status=\"200\"}");
    assert_eq!(server.metric("millpond_pull_query_seconds_count"), asked);
}

/// Everything that a server says of itself is an object a line, and none of it is what clients authenticate with or ask.
#[test]
fn logs_are_json_and_hold_no_secret() {
    const SECRETS: [&str; 4] = ["hunter2", "aHVudGVyMg", "c2VjcmV0LXRva2Vu", "secret-token"];
    let folder = tempfile::tempdir().unwrap();
    let access = folder.path().join("access");
    let mut child =
        on(folder.path(), &["access", "user", "ann", "--role", "admin", "--file", access.to_str().unwrap()])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
    child.stdin.take().unwrap().write_all(b"hunter2\n").unwrap();
    assert!(child.wait().unwrap().success());
    let flags = ["--access", access.to_str().unwrap(), "--log-format", "json", "--log-requests"];
    let mut server = Server::start(&flags);
    let basic = "Authorization: Basic YW5uOmh1bnRlcjI=";
    let asked = server.ask("POST", "/ksql", &[basic], br#"{"ksql": "SHOW PROPERTIES;"}"#);
    assert_eq!(asked.status, 200);
    let set = br#"{"ksql": "SET 'sasl.password' = 'hunter2'; SET 'ssl.key.password' = 'hunter2'; SHOW PROPERTIES;"}"#;
    let told = server.ask("POST", "/ksql", &[basic], set);
    assert_eq!(told.status, 200, "{}", told.text);
    assert!(told.text.contains("commit.interval.ms"), "{}", told.text);
    let properties = told.json();
    let properties = properties.as_array().unwrap().last().unwrap();
    assert!(!properties["properties"].to_string().contains("hunter2"), "{properties}");
    server.ask("POST", "/ksql", &["Authorization: Bearer secret-token"], br#"{"ksql": "SHOW STREAMS;"}"#);
    server.ask("GET", "/ws/query?request=hunter2&access_token=secret-token", &[basic], b"");
    server.ask("GET", "/nowhere/hunter2", &[basic], b"");
    // A file that can't be read any more is told of.
    std::fs::write(&access, "nonsense hunter2").unwrap();
    let until = Instant::now() + WAIT_MAX;
    let mut stderr = BufReader::new(server.process.0.stderr.take().unwrap());
    let mut said = Vec::new();
    while !said.iter().any(|line: &Value| line["level"] == "WARN") {
        assert!(Instant::now() < until, "{said:?}");
        server.ask("GET", "/info", &[basic], b"");
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(SECRETS.iter().all(|secret| !line.contains(secret)), "{line}");
        said.push(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")));
    }
    for line in &said {
        assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
        assert!(line["message"].is_string(), "{line}");
    }
    let requests: Vec<(&Value, &Value, &Value)> =
        said.iter().map(|line| (&line["method"], &line["route"], &line["status"])).collect();
    let expected = [
        (json!("POST"), json!("/ksql"), json!(200)),
        (json!("POST"), json!("/ksql"), json!(200)),
        (json!("POST"), json!("/ksql"), json!(401)),
    ];
    for (seen, expected) in requests.iter().zip(&expected) {
        assert_eq!(*seen, (&expected.0, &expected.1, &expected.2));
    }
    assert_eq!(requests[4].1, "other", "what has no route is told without its path");
}
