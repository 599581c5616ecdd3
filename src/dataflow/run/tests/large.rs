//! Groups of much state: their changes are committed in parts that the log takes in a transaction.

use super::*;
use crate::log::embedded::{EmbeddedLog, EmbeddedOptions, FsyncPolicy};

const LISTS: &str = "CREATE TABLE o AS SELECT k, COLLECT_LIST(v) AS vs, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES;";

/// A log whose transactions hold so much.
fn log(folder: &std::path::Path, transaction_bytes_max: usize) -> Arc<dyn Log> {
    let options = EmbeddedOptions {
        fsync: FsyncPolicy::Never,
        disk_free_min_bytes: 0,
        maintain_interval: None,
        transaction_bytes_max,
        ..EmbeddedOptions::default()
    };
    Arc::new(EmbeddedLog::open(folder, options).unwrap())
}

fn lists(log: Arc<dyn Log>, partitions: u32) -> World {
    World { cache_bytes_max: usize::MAX, ..World::new(log, "k STRING KEY, v STRING", partitions, LISTS) }
}

/// So many values of 100 bytes for each of these keys, key after key and once more.
fn write(world: &World, keys: std::ops::Range<usize>, values: usize) {
    for partition in 0..world.partitions {
        for value in 0..values {
            let mut records = Records::default();
            for key in keys.clone() {
                let value = format!(r#"{{"V":"{value:0100}"}}"#);
                records.push(Some(format!("{partition} {key}").as_bytes()), Some(value.as_bytes()), 0);
            }
            world.append(partition, &records);
        }
    }
}

/// The last row of each key.
fn last(world: &World) -> BTreeMap<Vec<u8>, String> {
    world.written().into_iter().filter_map(|(key, mut values)| Some((key, values.pop()?))).collect()
}

fn drive(run: &mut Run) -> crate::error::Result<()> {
    loop {
        let rows = run.step()?;
        if run.must_commit() || rows == 0 {
            run.commit()?;
        }
        if rows == 0 {
            return Ok(());
        }
    }
}

#[test]
fn a_commit_comes_before_the_changes_of_state_are_too_many() {
    let (wide, narrow) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = {
        let world = lists(log(wide.path(), 256 << 20), 2);
        write(&world, 0..50, 60);
        drive(&mut world.open(&Host::default()).unwrap()).unwrap();
        last(&world)
    };
    assert_eq!(expected.len(), 100);
    assert!(expected.values().map(String::len).sum::<usize>() > 600_000);
    // All lists are 600 KB in the end, and as much again in the changelog.
    let world = lists(log(narrow.path(), 400_000), 2);
    write(&world, 0..50, 60);
    let host = Host { staged_bytes_max: 100_000, ..Host::default() };
    drive(&mut world.open(&host).unwrap()).unwrap();
    assert!(host.counters.commits.load(Ordering::Relaxed) > 10);
    assert!(last(&world) == expected);
    // A restart has all of it.
    write(&world, 0..1, 1);
    drive(&mut world.open(&host).unwrap()).unwrap();
    assert!(last(&world)[b"0 0".as_slice()].contains(r#""N":61"#));
}

/// Rows of small groups make the rounds large; then all the large groups change in one of them.
#[test]
fn a_commit_that_was_too_large_is_made_again_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let world = lists(log(folder.path(), 400_000), 1);
    let host = Host { staged_bytes_max: 100_000, ..Host::default() };
    write(&world, 0..20, 200);
    let mut run = world.open(&host).unwrap();
    drive(&mut run).unwrap();
    for _ in 0..60 {
        write(&world, 100..101, 1);
        run.step().unwrap();
    }
    write(&world, 0..20, 1);
    // 20 lists of 20 KB, as rows and as state.
    let mut failures = 0;
    while let Err(error) = drive(&mut run) {
        assert!(error.to_string().contains("the transaction is larger than 400000 bytes"), "{error}");
        assert!(!error.lasting);
        failures += 1;
        assert!(failures < 10);
        drop(run);
        run = world.open(&host).unwrap();
    }
    assert!(failures > 0, "it was no test of it");
    assert_eq!(host.counters.too_large.load(Ordering::Relaxed), 0);
    let rows = last(&world);
    assert_eq!(rows.len(), 21);
    assert!((0..20).all(|key| rows[format!("0 {key}").as_bytes()].contains(r#""N":201"#)));
    assert!(rows[b"0 100".as_slice()].contains(r#""N":60"#));
}
