//! Clients of push queries that don't take their rows.

use std::io::Read;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::server::{Server, send};

const ROWS: usize = 1500;
/// More of these than fit into what sockets and the server keep for a client.
const ROW_BYTES: usize = 20_000;

/// A push query whose header has come.
fn open(server: &Server) -> TcpStream {
    let mut stream = server.connect();
    let body = json!({"sql": "SELECT * FROM wide EMIT CHANGES;"}).to_string();
    send(&mut stream, "POST", "/query-stream", &[], body.as_bytes());
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"}\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    stream
}

fn lines(text: &[u8]) -> Vec<Value> {
    let whole = &text[..text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)];
    let lines = std::str::from_utf8(whole).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_slow_client_is_told_why_its_query_ends_and_slows_nobody() {
    let server = Server::start(&["--slow-client-max", "1"]);
    server
        .ksql("CREATE STREAM wide (id INT, text STRING) WITH (KAFKA_TOPIC='wide', VALUE_FORMAT='JSON', PARTITIONS=1);");
    let (mut quick, mut slow, mut stuck) = (open(&server), open(&server), open(&server));
    let reading = std::thread::spawn(move || {
        let (mut rows, mut buffer) = (0, vec![0; 1 << 16]);
        while rows < ROWS {
            let count = quick.read(&mut buffer).unwrap();
            assert!(count > 0, "it ended after {rows} rows");
            rows += buffer[..count].iter().filter(|byte| **byte == b'\n').count();
        }
        quick
    });
    let text = "x".repeat(ROW_BYTES);
    let mut body = json!({"target": "wide"}).to_string();
    (0..ROWS).for_each(|id| body.push_str(&format!("\n{}", json!({"id": id, "text": text}))));
    assert_eq!(server.ask("POST", "/inserts-stream", &[], body.as_bytes()).status, 200);
    let quick = reading.join().unwrap();
    server.await_metric("millpond_push_queries_given_up_total", 2.0);
    // One takes what waits for it: rows from the first on, and the reason behind them.
    let mut taken = Vec::new();
    slow.read_to_end(&mut taken).unwrap();
    let mut lines = lines(&taken);
    let reason = lines.pop().unwrap();
    assert_eq!(reason["@type"], "generic_error");
    assert_eq!(reason["message"], "The query was ended: its reader took none of its rows for 1 s");
    assert!(!lines.is_empty() && lines.len() < ROWS, "{}", lines.len());
    assert!(lines.iter().enumerate().all(|(id, row)| row == &json!([id, text])));
    // The other one takes nothing, and loses its connection: the quick one's query is the only one that is left.
    server.await_metric("millpond_push_queries", 1.0);
    taken.clear();
    let _ = stuck.read_to_end(&mut taken);
    assert!(!String::from_utf8_lossy(&taken).contains("The query was ended"));
    drop(quick);
    server.await_metric("millpond_push_queries", 0.0);
}
