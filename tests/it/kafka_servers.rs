//! Several `millpond server` of one service on a real cluster: whichever is asked answers right while tasks move, and what is
//! given to both at once ends in one order.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use millpond::log::kafka::KafkaLog;
use millpond::log::partitioner::partition_for;
use millpond::log::{Log, Records, TopicPartition, TopicSpec};
use parking_lot::{Mutex, RwLock};
use serde_json::{Value, json};

use crate::binary::{Running, on};
use crate::kafka_broker::{self, TOO_SLOW};
use crate::server::{Answer, send};

const PARTITIONS: u32 = 4;
const KEYS: u64 = 40;
const FOLDERS: [&str; 2] = ["one", "two"];
/// For what must come; a killed member's partitions are given away after its session.
const PATIENCE: Duration = Duration::from_secs(120);
const SESSION: Duration = Duration::from_secs(6);
/// An answer may come as late as a request that another process doesn't answer is given up.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A service with topics of its own on the shared cluster.
struct Service {
    log: KafkaLog,
    folder: tempfile::TempDir,
    id: String,
}

impl Service {
    fn new() -> Service {
        let (log, bootstrap) = (kafka_broker::log(), kafka_broker::bootstrap());
        let folder = tempfile::tempdir().unwrap();
        let run: String = std::iter::repeat_with(fastrand::alphanumeric).take(10).collect();
        let service = Service { log, folder, id: format!("it_{run}_") };
        let config = format!(
            "bootstrap.servers={bootstrap}\nksql.service.id={}\nksql.streams.consumer.session.timeout.ms={}\n",
            service.id,
            SESSION.as_millis()
        );
        std::fs::write(service.path("service.properties"), config).unwrap();
        let configs = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        let spec = TopicSpec { name: service.topic("input"), partitions: PARTITIONS, replicas: None, configs };
        service.log.create_topic(&spec).unwrap();
        service
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.id)
    }

    fn server(&self, folder: &str, flags: &[&str]) -> Server {
        let config = self.path("service.properties");
        let args = ["--config-file", config.to_str().unwrap(), "server", "--listen", "127.0.0.1:0"];
        let mut command = on(&self.path(folder), &[&args[..], flags].concat());
        let said = std::fs::File::options().create(true).append(true).open(self.path(&format!("{folder}.out")));
        command.stderr(said.unwrap());
        let mut process = Running::start(command);
        let mut line = String::new();
        BufReader::new(process.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("it says {line:?}\n{}", self.said())).to_owned();
        Server { process, address }
    }

    fn said(&self) -> String {
        let said = |folder: &&str| {
            let said = std::fs::read_to_string(self.path(&format!("{folder}.out"))).unwrap_or_default();
            format!("server {folder} said:\n{said}")
        };
        FOLDERS.iter().map(said).collect()
    }

    fn await_that(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let asked = Instant::now();
        while !is_so() {
            assert!(asked.elapsed() < PATIENCE, "{TOO_SLOW} {what}\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.said());
        }
    }
}

struct Server {
    process: Running,
    address: String,
}

impl Server {
    fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        send(&mut stream, method, path, headers, body.as_bytes());
        Answer::read(stream)
    }

    fn ksql(&self, sql: &str) -> Answer {
        let body = json!({"ksql": sql, "streamsProperties": {"auto.offset.reset": "earliest"}});
        self.ask("POST", "/ksql", &["Content-Type: application/json"], &body.to_string())
    }

    fn done(&self, sql: &str) -> Value {
        let answer = self.ksql(sql);
        assert_eq!(answer.status, 200, "{sql}: {answer:?}");
        answer.json()
    }

    /// The rows of a pull query.
    fn rows(&self, sql: &str) -> Result<Vec<Value>, Answer> {
        let answer = self.ask("POST", "/query", &[], &json!({"ksql": sql}).to_string());
        let items = match answer.status {
            200 => answer.json(),
            _ => return Err(answer),
        };
        match items.as_array().unwrap().iter().any(|item| item.get("errorMessage").is_some()) {
            true => Err(answer),
            false => {
                Ok(items.as_array().unwrap().iter().filter_map(|item| item.pointer("/row/columns").cloned()).collect())
            }
        }
    }

    /// How many pull queries another process has asked it.
    fn asked_by_others(&self) -> u64 {
        let text = self.ask("GET", "/metrics", &[], "").text;
        let name = "millpond_http_requests_total{path=\"/millpond/pull\",status=\"200\"} ";
        text.lines().find_map(|line| line.strip_prefix(name)?.parse().ok()).unwrap_or(0)
    }

    fn status(&self) -> Value {
        self.ask("GET", "/clusterStatus", &[], "").json()["clusterStatus"].clone()
    }

    fn signal(&self, name: &str) {
        let pid = self.process.0.id().to_string();
        assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

/// Numbers are written again and again to the keys in turn.
fn key_of(n: u64) -> String {
    format!("k{}", n % KEYS)
}

/// What is known of a table that has the last number of each key and how many there were: that they are one another's.
fn check_row(row: &Value, written: u64) -> (String, u64) {
    let (key, n, count) = (row[0].as_str().unwrap(), row[1].as_u64().unwrap(), row[2].as_u64().unwrap());
    assert_eq!(key_of(n), key, "{row}: another key's row");
    assert_eq!(n / KEYS + 1, count, "{row}: not of one moment");
    assert!(n < written, "{row}: only {written} are written");
    (key.to_owned(), n)
}

/// What happens around two servers.
struct Scene {
    service: Service,
    servers: [RwLock<Option<Server>>; 2],
    stop: AtomicBool,
    /// So many numbers have been begun to be written, and so many are there.
    begun: AtomicU64,
    written: AtomicU64,
    /// The last number of each key that anybody has seen: in the table's topic, read committed, or in an answer.
    seen: Mutex<BTreeMap<String, u64>>,
    answers: AtomicU64,
}

impl Scene {
    fn write(&self) {
        let input = self.service.topic("input");
        while !self.stop.load(Ordering::SeqCst) {
            let from = self.written.load(Ordering::SeqCst);
            self.begun.store(from + KEYS, Ordering::SeqCst);
            let mut parts = vec![Records::default(); PARTITIONS as usize];
            for n in from..from + KEYS {
                let (key, value) = (key_of(n), format!(r#"{{"n":{n}}}"#));
                let partition = partition_for(key.as_bytes(), PARTITIONS) as usize;
                parts[partition].push(Some(key.as_bytes()), Some(value.as_bytes()), 1_600_000_000_000 + n as i64);
            }
            for (partition, records) in parts.iter().enumerate() {
                let place = TopicPartition { topic: input.clone(), partition: partition as u32 };
                self.service.log.append(&place, records).unwrap();
            }
            self.written.store(from + KEYS, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn see(&self, key: String, n: u64) {
        let mut seen = self.seen.lock();
        let last = seen.entry(key).or_default();
        *last = n.max(*last);
    }

    /// Reads what is committed in the table's topic.
    fn follow(&self) {
        let topic = self.service.topic("last");
        let (mut positions, mut records) = (vec![0; PARTITIONS as usize], Records::default());
        while !self.stop.load(Ordering::SeqCst) {
            for (partition, position) in positions.iter_mut().enumerate() {
                let place = TopicPartition { topic: topic.clone(), partition: partition as u32 };
                self.service.log.fetch(&place, *position, 1 << 20, &mut records).unwrap();
                *position = records.next_offset;
                for row in 0..records.len() {
                    let key = String::from_utf8(records.key(row).unwrap().to_vec()).unwrap();
                    let value: Value = serde_json::from_slice(records.value(row).unwrap()).unwrap();
                    self.see(key, value["N"].as_u64().unwrap());
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks both servers by turns, those that are there, for each key and now and then for all of them.
    fn ask(&self, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        while !self.stop.load(Ordering::SeqCst) {
            let server = self.servers[random.usize(..2)].read();
            let Some(server) = server.as_ref() else {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            };
            let key = key_of(random.u64(..KEYS));
            let (filter, wanted): (_, Vec<String>) = match random.u8(..10) {
                0 => (String::new(), (0..KEYS).map(key_of).collect()),
                1 => {
                    let other = key_of(random.u64(..KEYS));
                    (format!(" WHERE id IN ('{key}', '{other}')"), vec![key, other])
                }
                _ => (format!(" WHERE id = '{key}'"), vec![key]),
            };
            let wanted: BTreeSet<String> = wanted.into_iter().collect();
            let before = self.seen.lock().clone();
            let sql = format!("SELECT id, n, c FROM last{filter};");
            let rows = server.rows(&sql).unwrap_or_else(|answer| panic!("{sql}: {answer:?}\n{}", self.service.said()));
            let begun = self.begun.load(Ordering::SeqCst);
            let rows: Vec<(String, u64)> = rows.iter().map(|row| check_row(row, begun)).collect();
            let found: BTreeMap<String, u64> = rows.iter().cloned().collect();
            assert_eq!(found.len(), rows.len(), "{sql}: a key twice: {rows:?}");
            assert!(found.keys().all(|key| wanted.contains(key)), "{sql}: {rows:?}");
            for key in &wanted {
                let (least, there) = (before.get(key), found.get(key));
                assert!(
                    there >= least,
                    "{sql}: {there:?} for {key}, where {least:?} was there before\n{}",
                    self.service.said()
                );
            }
            rows.into_iter().for_each(|(key, n)| self.see(key, n));
            self.answers.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Takes a server away from those who ask, once they have their answers.
    fn take(&self, which: usize) -> Server {
        self.servers[which].write().take().unwrap()
    }

    fn put(&self, which: usize, server: Server) {
        *self.servers[which].write() = Some(server);
    }

    /// Waits until everything that is written at this moment is in the table.
    fn await_work(&self) {
        let written = self.written.load(Ordering::SeqCst);
        self.service.await_that("nothing comes out", || {
            self.is_there();
            let seen = self.seen.lock();
            (0..KEYS).all(|n| seen.get(&key_of(n)).is_some_and(|last| *last + KEYS >= written))
        });
    }

    /// Nobody has given up: a thread that panics ends the others.
    fn is_there(&self) {
        assert!(!self.stop.load(Ordering::SeqCst), "somebody has failed");
    }

    fn each(&self, mut look: impl FnMut(&Server) -> bool) -> bool {
        self.servers.iter().all(|server| server.read().as_ref().is_some_and(&mut look))
    }

    fn is_shared(&self) -> bool {
        self.each(|server| {
            let status = server.status();
            let shares = |host: &Value| -> Vec<Value> {
                let queries = host["activeStandbyPerQuery"].as_object().unwrap().values();
                queries.flat_map(|query| query["activePartitions"].as_array().unwrap().clone()).collect()
            };
            let hosts = status.as_object().unwrap();
            let shares: Vec<Vec<Value>> = hosts.values().filter(|host| host["hostAlive"] == true).map(shares).collect();
            shares.len() == 2
                && shares.iter().all(|share| !share.is_empty())
                && shares.iter().map(Vec::len).sum::<usize>() == PARTITIONS as usize
        })
    }

    fn suffer(&self, disaster: &str, which: usize) {
        let mut server = self.take(which);
        match disaster {
            "stop" => {
                server.signal("-TERM");
                assert!(server.process.0.wait().unwrap().success(), "{}", self.service.said());
            }
            "kill" => server.process.kill(),
            // For longer than its session: its partitions are another's when it wakes up.
            _ => {
                server.signal("-STOP");
                std::thread::sleep(SESSION + Duration::from_secs(2));
                self.await_work();
                server.signal("-CONT");
                self.put(which, server);
                return self.await_work();
            }
        }
        if disaster == "stop" {
            self.await_work();
        }
        self.put(which, self.service.server(FOLDERS[which], &[]));
        self.await_work();
    }
}

/// Ends all threads of a scene, also when one of them fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// `MILLPOND_SERVER_DISASTERS`: how many.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn pull_queries_answer_right_while_tasks_move() {
    let service = Service::new();
    let one = service.server(FOLDERS[0], &[]);
    one.done(&format!(
        "CREATE STREAM input (id STRING KEY, n BIGINT) WITH (KAFKA_TOPIC='{}', VALUE_FORMAT='JSON');
         CREATE TABLE last WITH (KAFKA_TOPIC='{}') AS
             SELECT id, LATEST_BY_OFFSET(n) AS n, COUNT(*) AS c FROM input GROUP BY id;",
        service.topic("input"),
        service.topic("last")
    ));
    let two = service.server(FOLDERS[1], &[]);
    let scene = Scene {
        service,
        servers: [one, two].map(|server| RwLock::new(Some(server))),
        stop: AtomicBool::new(false),
        begun: AtomicU64::new(0),
        written: AtomicU64::new(0),
        seen: Mutex::default(),
        answers: AtomicU64::new(0),
    };
    let times: usize = std::env::var("MILLPOND_SERVER_DISASTERS").map_or(6, |times| times.parse().expect("a number"));
    let ending = |act: &dyn Fn()| {
        let _ending = Ending(&scene.stop);
        act();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| ending(&|| scene.write()));
        scope.spawn(|| ending(&|| scene.follow()));
        for seed in 0..4 {
            let scene = &scene;
            scope.spawn(move || {
                let _ending = Ending(&scene.stop);
                scene.ask(seed);
            });
        }
        ending(&|| {
            scene.service.await_that("each has a share", || {
                scene.is_there();
                scene.is_shared()
            });
            scene.await_work();
            scene.service.await_that("each asks the other", || {
                scene.is_there();
                scene.each(|server| server.asked_by_others() > 0)
            });
            let counts = json!({"RUNNING": 2});
            scene.service.await_that("each tells how the query does in both", || {
                scene.is_there();
                scene.each(|server| server.done("SHOW QUERIES;")[0]["queries"][0]["statusCount"] == counts)
            });
            let mut random = fastrand::Rng::with_seed(5);
            for disaster in ["kill", "freeze", "stop"].iter().cycle().take(times) {
                scene.suffer(disaster, random.usize(..2));
                std::thread::sleep(Duration::from_millis(random.u64(..1500)));
            }
            scene.service.await_that("each has a share again", || {
                scene.is_there();
                scene.is_shared()
            });
            // Nobody answers for keys that it doesn't have where another does.
            let before: Vec<u64> =
                scene.servers.iter().map(|server| server.read().as_ref().unwrap().asked_by_others()).collect();
            let mut before = before.into_iter().cycle();
            scene.service.await_that("each asks the other again", || {
                scene.is_there();
                scene.each(|server| server.asked_by_others() > before.next().unwrap())
            });
        });
    });
    let (written, answers) = (scene.written.load(Ordering::SeqCst), scene.answers.load(Ordering::SeqCst));
    eprintln!("{written} records, {answers} answers");
    // At rest all is there.
    let last = |n: u64| json!([key_of(n), n, n / KEYS + 1]);
    for server in &scene.servers {
        let server = server.read();
        let server = server.as_ref().unwrap();
        for n in written - KEYS..written {
            let sql = format!("SELECT id, n, c FROM last WHERE id = '{}';", key_of(n));
            scene.service.await_that(&sql, || server.rows(&sql).is_ok_and(|rows| rows == [last(n)]));
        }
    }
}

/// Statements by name, and what each makes of what exists: true, it is there.
struct Given {
    number: i64,
    name: String,
    makes: bool,
}

#[test]
#[ignore = "needs a Kafka broker: see README"]
fn statements_given_to_both_at_once_end_in_one_order() {
    let service = Service::new();
    let servers = FOLDERS.map(|folder| service.server(folder, &[]));
    let input = service.topic("input");
    let columns = format!("(id STRING KEY, n BIGINT) WITH (KAFKA_TOPIC='{input}', VALUE_FORMAT='JSON')");
    servers[0].done(&format!("CREATE STREAM base {columns};"));
    service.await_that("the other has it", || servers[1].ksql("DESCRIBE base;").status == 200);
    // Few names, many who want them.
    let statement = |random: &mut fastrand::Rng| -> (String, String, bool) {
        let (kind, makes) = (random.u8(..10), random.bool());
        let name = match kind {
            0..=4 => format!("S{}", random.u8(..3)),
            5..=8 => format!("Y{}", random.u8(..3)),
            _ => format!("Q{}", random.u8(..2)),
        };
        let text = match (&name[..1], makes) {
            ("S", true) => format!("CREATE STREAM {name} {columns};"),
            ("S", false) => format!("DROP STREAM {name};"),
            ("Y", true) => format!("CREATE TYPE {name} AS STRUCT<a INT>;"),
            ("Y", false) => format!("DROP TYPE {name};"),
            (_, true) => format!(
                "CREATE TABLE {name} WITH (KAFKA_TOPIC='{}') AS SELECT id, COUNT(*) AS c FROM base GROUP BY id;",
                service.topic(&name)
            ),
            (_, false) => format!("DROP TABLE {name} DELETE TOPIC;"),
        };
        (text, name, makes)
    };
    let given: Arc<Mutex<Vec<Given>>> = Arc::default();
    let refused = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..6_usize {
            let (server, given, refused, statement) = (&servers[thread % 2], given.clone(), &refused, &statement);
            let service = &service;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(thread as u64);
                for _ in 0..20 {
                    let (text, name, makes) = statement(&mut random);
                    let answer = server.ksql(&text);
                    if answer.status == 200 {
                        let number = answer.json()[0]["commandSequenceNumber"].as_i64().unwrap();
                        given.lock().push(Given { number, name, makes });
                        continue;
                    }
                    let told = answer.json()["message"].as_str().unwrap().to_owned();
                    let why = match (makes, &name[..1]) {
                        (true, "Y") => "already registered",
                        (true, _) => "already exists",
                        (false, _) => "does not exist",
                    };
                    assert!(told.contains(why), "{text}: {told}\n{}", service.said());
                    refused.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    let mut given = std::mem::take(&mut *given.lock());
    given.sort_by_key(|given| given.number);
    let numbers: BTreeSet<i64> = given.iter().map(|given| given.number).collect();
    assert_eq!(numbers.len(), given.len(), "each has a place of its own");
    let mut there = BTreeSet::from(["BASE".to_owned(), "KSQL_PROCESSING_LOG".to_owned()]);
    for Given { number, name, makes } in &given {
        let was_good = if *makes { there.insert(name.clone()) } else { there.remove(name) };
        assert!(was_good, "command {number} of {name} was carried out where it could not be: {makes}");
    }
    eprintln!("{} statements were carried out, {} refused", given.len(), refused.load(Ordering::SeqCst));
    let catalog = |server: &Server| -> Value {
        let told = server.done("SHOW STREAMS; SHOW TABLES; SHOW TYPES; SHOW QUERIES;");
        let ids = told[3]["queries"].as_array().unwrap().iter().map(|query| query["id"].clone());
        json!([told[0]["streams"], told[1]["tables"], told[2]["types"], ids.collect::<Vec<_>>()])
    };
    let names = |catalog: &Value| -> BTreeSet<String> {
        let sources = [0, 1].iter().flat_map(|kind| catalog[kind].as_array().unwrap());
        let sources = sources.map(|source| source["name"].as_str().unwrap().to_owned());
        sources.chain(catalog[2].as_object().unwrap().keys().cloned()).collect()
    };
    // One that was not there reads the commands from the first one on.
    let third = service.server("three", &[]);
    let known = catalog(&third);
    assert_eq!(names(&known), there);
    for server in &servers {
        service.await_that("both know the same", || catalog(server) == known);
    }
}

/// Processes ask each other only with a token where they ask who asks.
#[test]
#[ignore = "needs a Kafka broker: see README"]
fn processes_show_each_other_a_token() {
    let service = Service::new();
    let access = service.path("access");
    let add = |name: &str| {
        let args = ["access", "token", name, "--role", "admin", "--file", access.to_str().unwrap()];
        crate::binary::run_ok(&service.path("none"), &args).lines().last().unwrap().trim().to_owned()
    };
    let (person, peers) = (add("person"), add("peers"));
    std::fs::write(service.path("token"), format!("{peers}\n")).unwrap();
    let header = format!("Authorization: Bearer {person}");
    let ask = |server: &Server, path: &str, body: &Value| {
        let method = if body.is_null() { "GET" } else { "POST" };
        let answer =
            server.ask(method, path, &[&header], &if body.is_null() { String::new() } else { body.to_string() });
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    };
    let (access, token) = (service.path("access"), service.path("token"));
    let with_token = ["--access", access.to_str().unwrap(), "--peer-token-file", token.to_str().unwrap()];
    let servers = FOLDERS.map(|folder| service.server(folder, &with_token));
    let made = format!(
        "CREATE STREAM input (id STRING KEY, n BIGINT) WITH (KAFKA_TOPIC='{}', VALUE_FORMAT='JSON');
         CREATE TABLE last WITH (KAFKA_TOPIC='{}') AS SELECT id, COUNT(*) AS c FROM input GROUP BY id;",
        service.topic("input"),
        service.topic("last")
    );
    ask(&servers[0], "/ksql", &json!({"ksql": made}));
    let alive = |server: &Server| {
        let hosts = ask(server, "/clusterStatus", &Value::Null)["clusterStatus"].clone();
        hosts.as_object().unwrap().values().filter(|host| host["hostAlive"] == true).count()
    };
    service.await_that("both are alive for both", || servers.iter().all(|server| alive(server) == 2));
    // Nobody else gets rows that way.
    for headers in [&[][..], &["Authorization: Bearer x"]] {
        for path in ["/millpond/pull", "/heartbeat", "/lag"] {
            assert_eq!(servers[0].ask("POST", path, headers, "{}").status, 401, "{path} {headers:?}");
        }
    }
    // Without a token it meets nobody, and says so.
    let third = service.server("three", &with_token[..2]);
    let said = std::fs::read_to_string(service.path("three.out")).unwrap();
    assert!(said.contains("--peer-token-file"), "{said}");
    assert_eq!(alive(&third), 1);
}
