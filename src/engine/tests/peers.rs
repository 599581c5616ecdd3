//! Pull queries that are spread over the processes of a service: engines over one log that ask each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::shared::Cluster;
use super::*;
use crate::engine::facts::Health;
use crate::engine::peers::{PartAnswer, PartAsked, Peers, Process, Shares};
use crate::types::Value;

const TABLE: &str = "CREATE STREAM s (k STRING KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=4);
    CREATE TABLE t AS SELECT k, COUNT(*) AS n, SUM(v) AS total FROM s GROUP BY k;";
const KEYS: i32 = 20;

/// Engines that ask each other without a network.
#[derive(Default)]
struct Line {
    engines: Mutex<BTreeMap<String, Engine>>,
    asked: Mutex<Vec<PartAsked>>,
    /// Who is asked doesn't answer.
    cut: AtomicBool,
}

impl Peers for Line {
    fn answers(&self, process: &Process) -> bool {
        self.engines.lock().contains_key(&process.id)
    }

    fn elsewhere(&self, _: &str) -> Vec<(String, Health)> {
        vec![("a:1".to_owned(), Health::Error)]
    }

    fn pull(&self, process: &Process, asked: &PartAsked) -> Result<PartAnswer, String> {
        self.asked.lock().push(asked.clone());
        if self.cut.load(Ordering::Relaxed) {
            return Err("the line is cut".to_owned());
        }
        let engine = self.engines.lock().get(&process.id).cloned().ok_or("nobody")?;
        engine.pull_part(asked).map_err(|error| error.to_string())
    }
}

struct Scene {
    line: Arc<Line>,
    /// Works for the query.
    a: Terminal,
    /// Looks on.
    b: Terminal,
    at_a: Process,
    at_b: Process,
    id: String,
}

impl Scene {
    fn new() -> Scene {
        let (cluster, line) = (Cluster::new(), Arc::<Line>::default());
        let meet = |works: bool, url: &str| {
            let engine = cluster.engine(works);
            let process = engine.meet(url, line.clone()).unwrap();
            line.engines.lock().insert(process.id.clone(), engine.clone());
            (Terminal::on(engine), process)
        };
        let (mut a, at_a) = meet(true, "http://a:1");
        let (b, at_b) = meet(false, "http://b:1");
        a.engine.run(TABLE).unwrap();
        let id = a.firsts("SHOW QUERIES;").remove(0);
        let mut scene = Scene { line, a, b, at_a, at_b, id };
        scene.insert();
        scene
    }

    /// A row of each key.
    fn insert(&mut self) {
        (0..KEYS).for_each(|v| drop(self.a.done(&format!("INSERT INTO s VALUES ('k{v}', {v});"))));
    }

    /// Who has the partitions, as far as an engine knows; the others are nobody's.
    fn know(&self, engine: &Engine, of_a: &[usize], of_b: &[usize]) {
        let mut owners = vec![None; 4];
        of_a.iter().for_each(|partition| owners[*partition] = Some(self.at_a.clone()));
        of_b.iter().for_each(|partition| owners[*partition] = Some(self.at_b.clone()));
        let shares = Shares { owners, ..Shares::default() };
        *engine.inner.around.shares_for_test() = Arc::new(BTreeMap::from([(self.id.clone(), shares)]));
    }

    fn asked(&self) -> Vec<PartAsked> {
        std::mem::take(&mut *self.line.asked.lock())
    }
}

fn pulled(terminal: &mut Terminal, sql: &str) -> Vec<Vec<Value>> {
    let rows = terminal.stream(sql).collect().unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.into_iter().map(|row| row.values).collect()
}

fn row(v: i32, times: i32) -> Vec<Value> {
    vec![Value::String(format!("k{v}")), Value::Bigint(i64::from(times)), Value::Int(v * times)]
}

fn await_rows(terminal: &mut Terminal, times: i32) {
    let asked = now();
    let wanted: BTreeSet<String> = (0..KEYS).map(|v| format!("{:?}", row(v, times))).collect();
    loop {
        let rows: BTreeSet<String> =
            pulled(terminal, "SELECT * FROM t;").iter().map(|row| format!("{row:?}")).collect();
        if rows == wanted {
            return;
        }
        assert!(asked.elapsed() < PATIENCE, "{rows:?}");
    }
}

/// The partition of each key, by its bytes.
fn partition(v: i32) -> u32 {
    crate::log::partitioner::partition_for(format!("k{v}").as_bytes(), 4)
}

#[test]
fn a_key_is_asked_of_the_process_that_has_it() {
    let mut scene = Scene::new();
    await_rows(&mut scene.a, 1);
    scene.know(&scene.b.engine, &[0, 1], &[2]);
    scene.asked();
    for v in 0..KEYS {
        assert_eq!(pulled(&mut scene.b, &format!("SELECT * FROM t WHERE k = 'k{v}';")), [row(v, 1)]);
        let partitions: Vec<Vec<u32>> = scene.asked().into_iter().map(|asked| asked.partitions).collect();
        let expected: &[Vec<u32>] = if partition(v) < 2 { &[vec![partition(v)]] } else { &[] };
        assert_eq!(partitions, expected, "k{v}");
    }
    // Rows that others have are not kept here.
    let view = scene.b.engine.inner.views.read()["T"].clone();
    assert_eq!([0, 1, 2, 3].map(|partition| view.follows(partition)), [false, false, true, true]);
    // What is committed is there at once, whoever is asked.
    scene.insert();
    await_rows(&mut scene.b, 2);
    let asked: BTreeSet<Vec<u32>> = scene.asked().into_iter().map(|asked| asked.partitions).collect();
    assert_eq!(asked, BTreeSet::from([vec![0, 1]]), "a scan asks once for all that a process has");
}

#[test]
fn spread_over_processes_a_query_gives_what_it_gives_in_one() {
    let mut scene = Scene::new();
    await_rows(&mut scene.a, 1);
    let queries = [
        "SELECT * FROM t;",
        "SELECT n + 1 AS m, k FROM t WHERE total > 5;",
        "SELECT * FROM t WHERE k IN ('k1', 'k2', 'k3', 'k4', 'nobody');",
        "SELECT * FROM t WHERE k >= 'k2' AND k < 'k5';",
        "SELECT * FROM t WHERE k = 'nobody';",
        "SELECT k, total FROM t ORDER BY total DESC LIMIT 3;",
        "SELECT k FROM t ORDER BY total * -1, k;",
        "SELECT COUNT(*) AS c, SUM(total) AS s FROM t;",
    ];
    for sql in queries {
        let mut alone = pulled(&mut scene.a, sql);
        for (of_a, of_b) in [(vec![0, 1, 2, 3], vec![]), (vec![1], vec![0, 2, 3]), (vec![0, 3], vec![])] {
            scene.know(&scene.b.engine, &of_a, &of_b);
            let mut spread = pulled(&mut scene.b, sql);
            if !sql.contains("ORDER") {
                for rows in [&mut alone, &mut spread] {
                    rows.sort_by_key(|row| format!("{row:?}"));
                }
            }
            assert_eq!(spread, alone, "{sql} {of_a:?}");
        }
    }
    scene.know(&scene.b.engine, &[0, 1, 2, 3], &[]);
    assert_eq!(pulled(&mut scene.b, "SELECT * FROM t LIMIT 7;").len(), 7);
    scene.know(&scene.b.engine, &[0, 1], &[]);
    assert_eq!(pulled(&mut scene.b, "SELECT * FROM t LIMIT 7;").len(), 7);
    // What is wrong with a query is told as ever.
    assert!(scene.b.fails("SELECT nope FROM t;").contains("NOPE"));
    assert!(scene.b.fails("SELECT * FROM t WHERE k = NULL;").contains("NULL"));
}

#[test]
fn a_query_is_told_of_with_how_it_does_elsewhere() {
    let mut scene = Scene::new();
    let listing = scene.b.listing("SHOW QUERIES;");
    let cell = |name: &str| listing.columns.iter().position(|column| column == name).map(|at| &listing.rows[0][at]);
    assert_eq!(cell("Status").unwrap(), "NOT RUN BY THIS PROCESS");
    assert_eq!(cell("Elsewhere").unwrap(), "a:1 ERROR");
    let sql = format!("DESCRIBE {};", scene.id);
    let facts = scene.b.listing(&sql).facts;
    assert!(facts.contains(&("Elsewhere".to_owned(), "a:1 ERROR".to_owned())), "{facts:?}");
    // Nobody else can be asked.
    let mut alone = Terminal::on(Cluster::new().engine(false));
    alone.engine.run(TABLE).unwrap();
    assert!(!alone.listing("SHOW QUERIES;").columns.contains(&"Elsewhere".to_owned()));
}

#[test]
fn what_nobody_answers_is_answered_here() {
    let mut scene = Scene::new();
    await_rows(&mut scene.a, 1);
    scene.know(&scene.b.engine, &[0, 1, 2, 3], &[]);
    scene.line.cut.store(true, Ordering::Relaxed);
    await_rows(&mut scene.b, 1);
    assert!(!scene.asked().is_empty());
    scene.line.cut.store(false, Ordering::Relaxed);
    // A process of which it is not known that it answers isn't asked at all.
    let engine = scene.line.engines.lock().remove(&scene.at_a.id).unwrap();
    await_rows(&mut scene.b, 1);
    assert_eq!(scene.asked(), []);
    scene.line.engines.lock().insert(scene.at_a.id.clone(), engine);
    await_rows(&mut scene.b, 1);
    // Whose the rows are, others let go of them after a while.
    let view = scene.b.engine.inner.views.read()["T"].clone();
    assert!(view.follows(0));
    view.let_go(&[0], Duration::from_secs(3600));
    assert!(view.follows(0) && view.bytes() > 0, "it was asked a moment ago");
    view.let_go(&[0, 1, 2, 3], Duration::ZERO);
    assert!(!view.follows(0) && view.bytes() < 500, "{}", view.bytes());
    scene.line.cut.store(true, Ordering::Relaxed);
    await_rows(&mut scene.b, 1);
}

#[test]
fn who_is_asked_answers_or_declines_and_asks_nobody() {
    let mut scene = Scene::new();
    await_rows(&mut scene.a, 1);
    scene.know(&scene.b.engine, &[0, 1, 2, 3], &[]);
    await_rows(&mut scene.b, 1);
    let good = scene.asked().pop().unwrap();
    // It takes the other for the owner of all.
    scene.know(&scene.a.engine, &[], &[0, 1, 2, 3]);
    assert_eq!(scene.a.engine.pull_part(&good).unwrap().rows.len(), KEYS as usize);
    assert_eq!(scene.asked(), []);
    let declined = |engine: &Engine, asked: PartAsked, why: &str| {
        let error = engine.pull_part(&asked).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    let at_b = PartAsked { process: scene.at_b.id.clone(), ..good.clone() };
    declined(&scene.a.engine, at_b.clone(), "another process is asked");
    // It doesn't work for the query, and has no rows of it.
    declined(&scene.b.engine, at_b.clone(), "another process has these partitions");
    // Once it has the rows, it answers.
    scene.line.cut.store(true, Ordering::Relaxed);
    await_rows(&mut scene.b, 1);
    assert_eq!(scene.b.engine.pull_part(&at_b).unwrap().rows.len(), KEYS as usize);
    for query in ["DROP TABLE t;", "SELECT * FROM", "SELECT * FROM nobody;"] {
        assert!(scene.a.engine.pull_part(&PartAsked { query: query.to_owned(), ..good.clone() }).is_err(), "{query}");
    }
    // Another table under the name, be it made by the same words.
    scene.a.done("DROP TABLE t;");
    scene.a.done("CREATE TABLE t AS SELECT k, COUNT(*) AS n, SUM(v) AS total FROM s GROUP BY k;");
    declined(&scene.a.engine, good, "isn't the same");
}
