//! Speed of the server: `cargo bench --bench server`.
//!
//! What counts is the CPU time of the server's process, as the system has it.
//!
//! - Pull queries by key over HTTP connections that stay open, by `wrk` (https://github.com/wg/wrk; the part is left out, and
//!   said to be, where it isn't installed), while a query writes into the table that they ask, at 200,000 rows a second. The
//!   time that the writing takes by itself is taken off.
//! - A thousand push queries over one stream, each for another key, beside one of them. What writing the records takes is taken
//!   off both.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

#[expect(dead_code, reason = "what the other benchmark takes of it")]
mod bids;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bids::{BATCH_ROWS, bids_with};

const PATIENCE: Duration = Duration::from_secs(120);
/// Bids of a bidder come again after as many others.
const BIDDERS: usize = 100_000;
/// Records for push queries: about a million.
const BATCHES: usize = 122;
const QUERIES: usize = 1000;
const ROUNDS: usize = 3;
/// Rows a second that are written while pull queries are asked.
const WRITTEN: usize = 200_000;
const MEASURED: Duration = Duration::from_secs(10);
/// Connections of wrk. Server, writer and wrk may share two cores: with more connections than cores the latency is that of threads
/// that wait for one.
const CONNECTIONS: usize = 2;

const BIDS: &str = "CREATE STREAM bids (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, \
                    date_time BIGINT, extra STRING) WITH (KAFKA_TOPIC='bids', VALUE_FORMAT='JSON', PARTITIONS=4);";
const COUNTS: &str =
    "CREATE TABLE counts AS SELECT bidder, COUNT(*) AS bids, MAX(price) AS dearest FROM bids GROUP BY bidder;";

fn main() {
    let lines = lines();
    pull(&lines);
    push(&lines);
}

/// Bids as lines, batch by batch; the n-th is of bidder n modulo [`BIDDERS`].
fn lines() -> Vec<Vec<u8>> {
    let mut number = 0;
    let bids = bids_with(BATCHES, 10_000, |bid| {
        bid.bidder = number % BIDDERS;
        number += 1;
    });
    bids.into_iter().map(|batch| batch.lines).collect()
}

/// Pull queries by key while the table is written.
fn pull(lines: &[Vec<u8>]) {
    if Command::new("wrk").arg("--version").output().is_err() {
        println!("SKIPPED: pull queries: wrk is not installed");
        return;
    }
    let server = Server::start();
    server.ksql(BIDS);
    server.ksql(COUNTS);
    let writer = server.write_at(lines, WRITTEN);
    // Until all keys are there.
    std::thread::sleep(Duration::from_secs(3));
    let alone = server.measure(|| std::thread::sleep(MEASURED));
    let script = server.folder.path().join("pull.lua");
    std::fs::write(&script, PULL.replace("BIDDERS", &BIDDERS.to_string())).expect("a folder to write to");
    let mut said = String::new();
    let asked = server.measure(|| said = server.wrk(&script));
    writer.stop();
    println!("{said}");
    let told = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{said}"));
        line.trim().parse::<f64>().expect("a number")
    };
    let cpu = asked.cpu - alone.cpu / alone.took * asked.took;
    println!("pull by key: {:.0} a CPU-second of the server (floor 20,000)", told("answers:") / cpu);
    println!("             p50 {:.2} ms, p99 {:.2} ms (at most 2)", told("p50_us:") / 1000.0, told("p99_us:") / 1000.0);
    println!("             failed or wrong: {}", told("failed:"));
    let (before, meanwhile) = (alone.rows / alone.took, asked.rows / asked.took);
    println!(
        "the writer: {before:.0} rows a second alone, {meanwhile:.0} meanwhile: {:.2} (floor 0.8)",
        meanwhile / before
    );
}

/// wrk's script: asks for one key after the other, and looks at the answers.
const PULL: &str = r#"
local number, threads = 0, {}
failed = 0
function setup(thread) table.insert(threads, thread) end
function init(args) failed = 0 end
function request()
  number = (number + 7919) % BIDDERS
  local body = '{"ksql": "SELECT * FROM counts WHERE bidder = ' .. number .. ';"}'
  return wrk.format("POST", "/query-stream", {["Content-Type"] = "application/json"}, body)
end
function response(status, headers, body)
  if status ~= 200 or not body:find("\n[", 1, true) then failed = failed + 1 end
end
function done(summary, latency, requests)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("failed") end
  local errors = summary.errors
  wrong = wrong + errors.connect + errors.read + errors.write + errors.timeout
  io.write("answers:", summary.requests, "\n")
  io.write("p50_us:", latency:percentile(50.0), "\n")
  io.write("p99_us:", latency:percentile(99.0), "\n")
  io.write("failed:", wrong, "\n")
end
"#;

/// A thousand push queries beside one.
fn push(lines: &[Vec<u8>]) {
    let rows = lines.len() * BATCH_ROWS;
    let mut took = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (took, queries) in took.iter_mut().zip([0, 1, QUERIES]) {
            took.push(cpu_of_push(lines, queries));
        }
    }
    let [none, one, many] = took.map(median);
    println!(
        "{rows} records written: {none:.2} s of the server; read by a push query {one:.2} s, by {QUERIES} {many:.2} s"
    );
    println!("{QUERIES} push queries: {:.2} times one (at most 3)", (many - none) / (one - none));
}

/// CPU seconds of a server to which the records are written while so many queries are open.
fn cpu_of_push(lines: &[Vec<u8>], queries: usize) -> f64 {
    let server = Server::start();
    server.ksql(BIDS);
    // Keys from all over the range.
    let step = BIDDERS / queries.max(1);
    let mut open: Vec<TcpStream> = (0..queries).map(|number| server.push_query(number * step)).collect();
    let rows = lines.len() * BATCH_ROWS;
    let expected: usize = (0..queries).map(|number| (rows - number * step).div_ceil(BIDDERS)).sum();
    // They have caught up.
    std::thread::sleep(Duration::from_secs(1));
    let before = server.cpu();
    let mut producer = server.producer();
    let mut input = producer.stdin.take().expect("a pipe");
    lines.iter().for_each(|lines| input.write_all(lines).expect("it takes lines"));
    drop(input);
    assert!(producer.wait().expect("it ends").success());
    let (mut received, started) = (0, Instant::now());
    let mut buffer = vec![0; 1 << 16];
    while received < expected {
        assert!(started.elapsed() < PATIENCE, "{received} rows of {expected}");
        for stream in &mut open {
            received += rows_of(stream, &mut buffer);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(received, expected);
    // What isn't wanted by anybody is read, too.
    let mut last = server.cpu();
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let now = server.cpu();
        if now - last < 0.02 {
            return now - before;
        }
        last = now;
    }
}

/// How many rows have come.
fn rows_of(stream: &mut TcpStream, buffer: &mut [u8]) -> usize {
    let mut rows = 0;
    loop {
        match stream.read(buffer) {
            Ok(0) => panic!("a query ended"),
            // Each row is an array on a line of its own; the header is an object. A row isn't sent in pieces.
            Ok(count) => rows += buffer[..count].windows(2).filter(|pair| pair == b"]\n").count(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return rows,
            Err(error) => panic!("{error}"),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A server on a folder of its own.
struct Server {
    process: Child,
    address: String,
    folder: tempfile::TempDir,
}

/// What a server did in a time, in seconds.
struct Measured {
    took: f64,
    cpu: f64,
    /// That the query of the table read.
    rows: f64,
}

/// Somebody who writes at a rate.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    producer: Child,
}

impl Writer {
    fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it writes to the end");
        self.producer.wait().expect("it ends");
    }
}

fn millpond(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millpond"));
    command.arg("--data-dir").arg(folder);
    command
}

impl Server {
    fn start() -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = millpond(folder.path());
        command.args(["server", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the server starts");
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().expect("a pipe"))
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.trim().rsplit("//").next().expect("an address").to_owned();
        Server { process, address, folder }
    }

    fn send(&self, path: &str, body: &str, close: bool) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let close = if close { "Connection: close\r\n" } else { "" };
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: {}\r\n{close}Content-Type: application/json\r\n", self.address);
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("it reads");
        stream
    }

    fn ksql(&self, sql: &str) {
        let mut answer = String::new();
        let body = serde_json::json!({"ksql": sql, "streamsProperties": {"auto.offset.reset": "earliest"}});
        self.send("/ksql", &body.to_string(), true).read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// A push query for one bidder whose header has come.
    fn push_query(&self, bidder: usize) -> TcpStream {
        let sql = format!("SELECT auction, bidder, price FROM bids WHERE bidder = {bidder} EMIT CHANGES;");
        let mut stream = self.send("/query-stream", &serde_json::json!({"sql": sql}).to_string(), false);
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"}\n") {
            assert_eq!(stream.read(&mut byte).expect("it answers"), 1);
            head.extend_from_slice(&byte);
        }
        assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
        stream.set_nonblocking(true).expect("a socket that doesn't block");
        stream
    }

    fn producer(&self) -> Child {
        let mut command = millpond(self.folder.path());
        command.args(["topic", "produce", "bids", "--format", "jsonl"]).stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the producer starts")
    }

    /// Writes the lines over and over, so many a second.
    fn write_at(&self, lines: &[Vec<u8>], rate: usize) -> Writer {
        let mut producer = self.producer();
        let mut input = producer.stdin.take().expect("a pipe");
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let lines: Vec<u8> = lines.concat();
        let thread = std::thread::spawn(move || {
            let mut left = lines.as_slice();
            let (started, mut written) = (Instant::now(), 0);
            while !told.load(Ordering::Relaxed) {
                let due = (started.elapsed().as_secs_f64() * rate as f64) as usize;
                while written < due {
                    let end = left.iter().position(|byte| *byte == b'\n').map_or(left.len(), |at| at + 1);
                    let (line, rest) = left.split_at(end);
                    input.write_all(line).expect("it takes lines");
                    left = if rest.is_empty() { &lines } else { rest };
                    written += 1;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Writer { stop, thread, producer }
    }

    fn wrk(&self, script: &Path) -> String {
        let output = Command::new("wrk")
            .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{}s", MEASURED.as_secs()), "-s"])
            .arg(script)
            .arg(format!("http://{}", self.address))
            .output()
            .expect("wrk runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn measure(&self, work: impl FnOnce()) -> Measured {
        let (started, cpu, rows) = (Instant::now(), self.cpu(), self.rows_in());
        work();
        let took = started.elapsed().as_secs_f64();
        Measured { took, cpu: self.cpu() - cpu, rows: self.rows_in() - rows }
    }

    /// Rows that queries have read.
    fn rows_in(&self) -> f64 {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)
            .expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers");
        let line =
            text.lines().find(|line| line.starts_with("millpond_query_rows_in")).unwrap_or_else(|| panic!("{text}"));
        line.rsplit(' ').next().expect("a value").parse().expect("a number")
    }

    /// CPU seconds.
    fn cpu(&self) -> f64 {
        let text =
            std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("Linux tells of processes");
        let fields: Vec<&str> = text.rsplit_once(')').expect("a name").1.split_whitespace().collect();
        let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
        // The kernel's unit for user space is a hundredth of a second, everywhere.
        (ticks(11) + ticks(12)) / 100.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}
