//! Queries whose output is much more than their input, with little room for it: cut into many rounds and commits, and
//! broken off between them, they give what one that is never cut gives.

use super::*;
use crate::log::embedded::EmbeddedLog;

/// More than any test makes.
const ENDLESS: usize = 1 << 40;

/// A run that is brought to the end.
struct Driven {
    written: BTreeMap<Vec<u8>, Vec<String>>,
    told: Vec<String>,
    /// Rows in and out, late, bad.
    counts: [u64; 4],
    commits: u64,
    /// The most that waited for a commit.
    staged_max: usize,
}

/// Drives the query to the end. With `random`, commits come at any time, and it is often broken off and opened anew.
fn drive(world: &World, staged_bytes_max: usize, mut random: Option<fastrand::Rng>) -> Driven {
    let host = Host { staged_bytes_max, ..Host::default() };
    let mut run = world.open(&host).unwrap();
    let mut staged_max = 0;
    loop {
        let rows = run.step().unwrap();
        staged_max = staged_max.max(run.staged_bytes());
        let early = random.as_mut().is_some_and(|random| random.u8(..4) == 0);
        if rows == 0 || early || run.must_commit() {
            run.commit().unwrap();
        }
        if rows == 0 {
            break;
        }
        if random.as_mut().is_some_and(|random| random.u8(..8) == 0) {
            // As after a kill: what was not committed is made again.
            drop(run);
            run = world.open(&host).unwrap();
        }
    }
    drop(run);
    assert_eq!(host.memory.taken(), 0);
    let Counters { rows_in, rows_out, late, bad, commits, .. } = &*host.counters;
    let counts = [rows_in, rows_out, late, bad].map(|count| count.load(Ordering::Relaxed));
    let commits = commits.load(Ordering::Relaxed);
    Driven { written: world.written(), told: world.told(), counts, commits, staged_max }
}

/// Against a run that has room for everything and is never broken off; gives that one.
fn check(world: &dyn Fn() -> World, staged_bytes_max: usize) -> Driven {
    let whole = drive(&world(), ENDLESS, None);
    assert!(whole.staged_max > staged_bytes_max * 3, "{} bytes are no test of it", whole.staged_max);
    let rows: usize = whole.written.values().map(Vec::len).sum();
    assert_eq!(whole.counts[1] as usize, rows);
    for seed in 0..6 {
        // The first is cut only where it must be.
        let random = (seed > 0).then(|| fastrand::Rng::with_seed(seed));
        let cut = drive(&world(), staged_bytes_max, random);
        assert!(cut.commits >= 3, "{} commits", cut.commits);
        assert!(cut.staged_max < staged_bytes_max * 2, "{} bytes waited", cut.staged_max);
        assert_eq!(cut.counts, whole.counts, "seed {seed}");
        assert_eq!(cut.told, whole.told, "seed {seed}");
        assert!(cut.written == whole.written, "seed {seed}");
    }
    whole
}

#[test]
fn records_that_explode() {
    let world = || {
        let statement = "CREATE STREAM o AS SELECT k, text, 10 / (n - 3) AS q, EXPLODE(xs) AS x FROM s EMIT CHANGES;";
        let columns = "k STRING KEY, n INT, text STRING, xs ARRAY<INT>";
        let world = World::new(Arc::new(EmbeddedLog::in_memory()), columns, 2, statement);
        for partition in 0..2 {
            let mut records = Records::default();
            for n in 0..24 {
                let value = match n {
                    // Of one record in many, text; one fails in an expression, for each of its values.
                    5 | 17 => "{no json".to_string(),
                    _ => {
                        let xs: Vec<String> = (0..400).map(|x| (x % 10).to_string()).collect();
                        let text = "t".repeat(1000);
                        format!(r#"{{"N":{},"TEXT":"{text}","XS":[{}]}}"#, n % 20, xs.join(","))
                    }
                };
                records.push(Some(format!("{partition}-{n}").as_bytes()), Some(value.as_bytes()), n);
            }
            world.append(partition, &records);
        }
        world
    };
    let whole = check(&world, 4 << 20);
    // Of each partition two that are no JSON, and two that fail: they count once, and each of their rows is told of.
    assert_eq!((whole.counts, whole.told.len()), ([48, 44 * 400, 0, 8], 4 + 4 * 400));
}

/// Small records at first, so that many are taken at a time; then one that makes half a megabyte.
#[test]
fn a_record_that_explodes_after_many_that_did_not() {
    let world = || {
        let statement = "CREATE STREAM o AS SELECT k, text, EXPLODE(xs) AS x FROM s EMIT CHANGES;";
        let columns = "k STRING KEY, text STRING, xs ARRAY<INT>";
        let world = World::new(Arc::new(EmbeddedLog::in_memory()), columns, 1, statement);
        let mut records = Records::default();
        for n in 0..3000 {
            let (text, xs) = if n < 2980 { (1, 1) } else { (1000, 400) };
            let xs = vec!["7"; xs].join(",");
            let value = format!(r#"{{"TEXT":"{}","XS":[{xs}]}}"#, "t".repeat(text));
            records.push(Some(n.to_string().as_bytes()), Some(value.as_bytes()), n);
        }
        world.append(0, &records);
        world
    };
    check(&world, 2 << 20);
}

#[test]
fn lists_that_are_given_again_for_each_row() {
    let world = || {
        // Behind an exchange; a group's rows come from one partition, so their order doesn't depend on the rounds.
        let statement = "CREATE TABLE o AS SELECT g, COLLECT_LIST(text) AS all FROM s GROUP BY g EMIT CHANGES;";
        let columns = "k STRING KEY, g STRING, text STRING";
        let world = World::new(Arc::new(EmbeddedLog::in_memory()), columns, 2, statement);
        for partition in 0..2 {
            let mut records = Records::default();
            for n in 0..300 {
                let g = match n % 50 {
                    // A row without group.
                    7 => "null".to_string(),
                    _ => format!(r#""{partition}-{}""#, n % 2),
                };
                let value = format!(r#"{{"G":{g},"TEXT":"some text {n}"}}"#);
                records.push(Some(b"k"), Some(value.as_bytes()), n);
            }
            world.append(partition, &records);
        }
        world
    };
    let whole = check(&world, 200 << 10);
    assert_eq!((whole.counts, whole.told.len()), ([600, 588, 0, 12], 12));
}

#[test]
fn lists_of_windows_with_rows_that_come_late() {
    let world = || {
        let statement = "CREATE TABLE o AS SELECT k, COLLECT_LIST(text) AS all FROM s \
             WINDOW TUMBLING (SIZE 100 MILLISECONDS, GRACE PERIOD 10 MILLISECONDS) GROUP BY k EMIT CHANGES;";
        let world = World::new(Arc::new(EmbeddedLog::in_memory()), "k STRING KEY, text STRING", 1, statement);
        let mut records = Records::default();
        for n in 0..600_i64 {
            let time = if n % 40 == 39 { n - 200 } else { n };
            let value = format!(r#"{{"TEXT":"{}"}}"#, "t".repeat(100 + n as usize % 7));
            records.push(Some((n % 2).to_string().as_bytes()), Some(value.as_bytes()), time.max(0));
        }
        world.append(0, &records);
        world
    };
    let whole = check(&world, 300 << 10);
    let late = whole.counts[2];
    assert!(late > 0);
    assert_eq!((whole.counts, whole.told.len() as u64), ([600, 600 - late, late, 0], late));
}
