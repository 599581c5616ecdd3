//! The memory budget, of one run and of several.

use super::*;
use crate::error::Result;
use crate::log::embedded::EmbeddedLog;

fn host(memory: &Arc<MemoryBudget>) -> Host {
    Host { memory: memory.clone(), ..Host::default() }
}

/// Rounds and commits to the end.
fn drive(run: &mut Run) -> Result<()> {
    while run.step()? > 0 {
        run.commit()?;
    }
    Ok(())
}

/// Counts by key; so many keys of 100 bytes.
fn counting(keys: usize) -> World {
    let statement = "CREATE TABLE o AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;";
    let world = World::new(Arc::new(EmbeddedLog::in_memory()), "k STRING KEY, v INT", 2, statement);
    for partition in 0..2 {
        let mut records = Records::default();
        for key in 0..keys / 2 {
            records.push(Some(format!("{partition} {key:098}").as_bytes()), Some(br#"{"V":1}"#), 0);
        }
        world.append(partition, &records);
    }
    world
}

fn is_outgrown<T>(result: Result<T>) -> bool {
    result.is_err_and(|error| error.to_string().contains("--memory"))
}

#[test]
fn state_and_rows_count_while_they_grow_and_while_they_are_read_back() {
    let world = counting(20_000);
    let large = MemoryBudget::new(1 << 30);
    let mut run = world.open(&host(&large)).unwrap();
    drive(&mut run).unwrap();
    // Keys of state and of rows.
    let needed = large.taken();
    assert!(needed > 2 * 20_000 * 100, "{needed}");
    assert_eq!(run.host.counters.state_bytes.load(Ordering::Relaxed) as usize, needed);
    // What only waits is counted while it waits.
    drop(run);
    assert_eq!(large.taken(), 0);
    let small = MemoryBudget::new(needed / 2);
    assert!(is_outgrown(world.open(&host(&small))));
    assert_eq!(small.taken(), 0);
    let mut run = counting(20_000).open(&host(&small)).unwrap();
    assert!(is_outgrown(drive(&mut run)));
    drop(run);
    assert_eq!(small.taken(), 0);
}

/// What a hot key of a join makes is more than the process may hold; what it keeps is little.
#[test]
fn many_pairs_of_one_key_need_no_more_than_their_rows() {
    const ROWS: usize = 500;
    let sources = [("l", "k BIGINT KEY, a STRING"), ("r", "k BIGINT KEY, b STRING")];
    let query = "CREATE STREAM o AS SELECT l.k, a, b FROM l JOIN r WITHIN 1 HOUR ON l.k = r.k;";
    let world = World::of(Arc::new(EmbeddedLog::in_memory()), &sources, 1, query);
    for (topic, column) in [("l", "A"), ("r", "B")] {
        let mut records = Records::default();
        for row in 0..ROWS {
            let value = format!(r#"{{"{column}":"{row:050}"}}"#);
            records.push(Some(&1_i64.to_be_bytes()), Some(value.as_bytes()), row as i64);
        }
        world.log.append(&place(topic, 0), &records).unwrap();
    }
    let small = MemoryBudget::new(8 << 20);
    let mut run = world.open(&host(&small)).unwrap();
    while run.step().unwrap() > 0 {
        if run.must_commit() {
            run.commit().unwrap();
        }
    }
    run.commit().unwrap();
    let written: usize = world.written().into_values().map(|values| values.len()).sum();
    assert_eq!(written, ROWS * ROWS);
}

#[test]
fn what_one_has_another_has_not() {
    let (first, second) = (counting(20_000), counting(20_000));
    let alone = MemoryBudget::unlimited();
    drive(&mut first.open(&host(&alone)).unwrap()).unwrap();
    let mut run = first.open(&host(&alone)).unwrap();
    let needed = alone.taken();
    // Half as much again is enough for one (its records wait, too, when it runs), not for both.
    let shared = MemoryBudget::new(needed * 3 / 2);
    drop(run);
    run = first.open(&host(&shared)).unwrap();
    let mut other = second.open(&host(&shared)).unwrap();
    assert!(is_outgrown(drive(&mut other)));
    // The one that has it goes on.
    drive(&mut run).unwrap();
    drop((run, other));
    assert_eq!(shared.taken(), 0);
}

/// A single record can't be cut: it must fit.
#[test]
fn a_record_that_becomes_more_than_the_budget_stops_its_query() {
    let statement = "CREATE STREAM o AS SELECT text, EXPLODE(xs) AS x FROM s EMIT CHANGES;";
    let world = World::new(Arc::new(EmbeddedLog::in_memory()), "text STRING, xs ARRAY<INT>", 1, statement);
    let mut records = Records::default();
    let value = format!(r#"{{"TEXT":"{}","XS":[{}]}}"#, "t".repeat(10_000), vec!["1"; 10_000].join(","));
    records.push(None, Some(value.as_bytes()), 0);
    world.append(0, &records);
    // It would become 100 MB.
    let budget = MemoryBudget::new(10 << 20);
    let mut run = world.open(&host(&budget)).unwrap();
    assert!(is_outgrown(run.step()));
    drop(run);
    assert_eq!(world.written(), BTreeMap::new());
}

#[test]
fn rows_for_a_reader_count_until_they_are_taken() {
    let world = counting(2_000);
    let budget = MemoryBudget::unlimited();
    let spec = RunSpec { sink: None, durable: false, ..world.spec(&budget) };
    let mut run = Run::open(world.log.clone(), spec, host(&budget)).unwrap();
    while run.step().unwrap() > 0 {}
    run.commit().unwrap();
    let before = budget.taken();
    let rows: usize = run.take_rows().iter().map(|batch| batch.rows).sum();
    assert_eq!(rows, 2_000);
    run.step().unwrap();
    assert!(before >= budget.taken() + 2_000 * 100, "{before} before, {} after", budget.taken());
}

/// A row is in 86,400 windows, and each key is new: three rows are more groups than there is memory for. What they make is
/// told while it is made.
#[test]
fn groups_of_many_windows_count_within_a_batch() {
    let statement = "CREATE TABLE o AS SELECT k, COUNT(*) AS n FROM s \
                     WINDOW HOPPING (SIZE 1 DAY, ADVANCE BY 1 SECOND) GROUP BY k EMIT CHANGES;";
    const BUDGET: usize = 24 << 20;
    for cache_bytes_max in [usize::MAX, 0] {
        let world = World::new(Arc::new(EmbeddedLog::in_memory()), "k STRING KEY, v INT", 1, statement);
        let world = World { cache_bytes_max, ..world };
        let mut records = Records::default();
        (0..32).for_each(|key| records.push(Some(format!("{key}").as_bytes()), Some(br#"{"V":1}"#), 1_700_000_000_000));
        world.append(0, &records);
        let budget = MemoryBudget::new(BUDGET);
        let mut run = world.open(&host(&budget)).unwrap();
        assert!(is_outgrown(run.step()));
        // One part of the batch more, and the growth of buffers by doubling; all rows would be ten times the budget.
        let held = run.own_state_bytes();
        assert!((BUDGET / 2..4 * BUDGET).contains(&held), "{held}");
        assert!(run.staged_bytes() < BUDGET);
        drop(run);
        assert_eq!(budget.taken(), 0);
    }
}
