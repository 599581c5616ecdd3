//! A crash at each storage operation: afterwards just the committed transactions are there. The oracle is a plain model
//! that keeps all rows in vectors.

use super::*;

/// One step of a script.
#[derive(Debug, Clone)]
enum Step {
    Create(&'static str, u32),
    Commit { appends: Vec<(&'static str, u32, i64)>, position: i64 },
    Empty(&'static str),
    Trim(&'static str, u32, i64),
    Delete(&'static str),
    Alter(&'static str),
    Sync,
    Roll,
}

fn script() -> Vec<Step> {
    use Step::*;
    let commit = |appends: &[(&'static str, u32, i64)], position| Commit { appends: appends.to_vec(), position };
    vec![
        Create("a", 2),
        commit(&[("a", 0, 3), ("a", 1, 1)], 1),
        Create("b", 1),
        commit(&[("b", 0, 2), ("a", 0, 4)], 2),
        Sync,
        commit(&[("a", 0, 30)], 3),
        commit(&[("b", 0, 5)], 4),
        Trim("a", 0, 9),
        commit(&[("a", 1, 2), ("b", 0, 2)], 5),
        Roll,
        commit(&[("a", 1, 2), ("b", 0, 2)], 6),
        Empty("b"),
        commit(&[("b", 0, 2)], 7),
        Alter("a"),
        commit(&[("a", 2, 2)], 8),
        Delete("b"),
        Create("b", 1),
        commit(&[("b", 0, 1)], 9),
        commit(&[("a", 0, 8)], 10),
    ]
}

/// What the log should hold.
#[derive(Debug, Clone, Default)]
struct Model {
    contents: Contents,
}

impl Model {
    fn apply(&mut self, step: &Step) {
        let topics = &mut self.contents.topics;
        match step {
            Step::Create(name, partitions) => {
                topics.insert((*name).to_owned(), vec![(0, 0, Vec::new()); *partitions as usize]);
            }
            Step::Commit { appends, position } => {
                for (name, partition, count) in appends {
                    let (_, next, rows) = &mut topics.get_mut(*name).unwrap()[*partition as usize];
                    let added = numbered(0..*count);
                    rows.extend(
                        super::rows(&added)
                            .into_iter()
                            .enumerate()
                            .map(|(i, row)| (*next + i as i64, row.1, row.2, row.3)),
                    );
                    *next += count;
                }
                self.contents.positions.insert(("g".to_owned(), at("a", 0)), *position);
            }
            Step::Empty(name) => {
                for (first, next, rows) in topics.get_mut(*name).unwrap() {
                    *first = *next;
                    rows.clear();
                }
            }
            Step::Trim(name, partition, below) => {
                let (first, _, rows) = &mut topics.get_mut(*name).unwrap()[*partition as usize];
                *first = *below;
                rows.retain(|row| row.0 >= *below);
            }
            Step::Delete(name) => {
                topics.remove(*name);
            }
            Step::Alter(name) => topics.get_mut(*name).unwrap().push((0, 0, Vec::new())),
            Step::Sync | Step::Roll => {}
        }
    }
}

fn perform(log: &EmbeddedLog, step: &Step) -> Result<(), LogError> {
    match step {
        Step::Create(name, partitions) => log.create_topic(&spec(name, *partitions, &[("segment.bytes", "300")])),
        Step::Commit { appends, position } => {
            let mut transaction = log.begin()?;
            for (name, partition, count) in appends {
                transaction.append(&at(name, *partition), &numbered(0..*count))?;
            }
            transaction.set_position("g", &at("a", 0), *position)?;
            transaction.commit()
        }
        Step::Empty(name) => log.empty_topic(name),
        Step::Trim(name, partition, below) => log.delete_records(&at(name, *partition), *below),
        Step::Delete(name) => log.delete_topic(name),
        Step::Alter(name) => log.alter_topic(name, Some(3), &[]),
        Step::Sync => log.sync(),
        Step::Roll => log.inner.roll_journal(),
    }
}

/// Runs the script until something fails. Gives the states after each step that was acknowledged (and the one that
/// wasn't), and from which of them on power loss may not go back.
fn run(storage: &Faulty, fsync: FsyncPolicy) -> (Vec<Contents>, usize) {
    let mut model = Model::default();
    let mut states = vec![model.contents.clone()];
    let mut durable = 0;
    let options = EmbeddedOptions { fsync, ..quiet() };
    let Ok(log) = open_on(storage, options) else { return (states, durable) };
    for step in script() {
        let result = perform(&log, &step);
        model.apply(&step);
        states.push(model.contents.clone());
        if result.is_err() {
            break;
        }
        let syncs = matches!(step, Step::Sync | Step::Roll | Step::Delete(_) | Step::Empty(_));
        if fsync == FsyncPolicy::Commit || syncs {
            durable = states.len() - 1;
        }
    }
    (states, durable)
}

fn operations(fsync: FsyncPolicy) -> u64 {
    let storage = Faulty::new(0);
    let (states, _) = run(&storage, fsync);
    assert_eq!(states.len(), script().len() + 1);
    let log = open_on(&storage.after_kill(), quiet()).unwrap();
    assert_eq!(&contents(&log).unwrap(), states.last().unwrap());
    storage.operations()
}

const BY_HAND: FsyncPolicy = FsyncPolicy::Interval(std::time::Duration::from_secs(1));

#[test]
fn after_a_kill_all_that_was_acknowledged_is_there() {
    for operation in 0..operations(BY_HAND) {
        let storage = Faulty::new(operation);
        storage.crash_at(operation);
        let (states, _) = run(&storage, BY_HAND);
        let log = open_on(&storage.after_kill(), quiet()).unwrap();
        let found = contents(&log).unwrap();
        let last = &states[states.len().saturating_sub(2)..];
        assert!(last.contains(&found), "crash at {operation}: {found:#?}");
        assert_eq!(log.recovery().commits_cut, 0, "crash at {operation}");
    }
}

#[test]
fn after_loss_of_power_a_run_of_commits_is_there() {
    for fsync in [BY_HAND, FsyncPolicy::Commit] {
        for operation in 0..operations(fsync) {
            for seed in 0..6 {
                let storage = Faulty::new(operation);
                storage.crash_at(operation);
                let (states, durable) = run(&storage, fsync);
                let after = storage.after_power_loss(seed);
                let log = open_on(&after, quiet()).unwrap_or_else(|error| panic!("{operation} {seed}: {error}"));
                let found = contents(&log).unwrap_or_else(|error| panic!("{operation} {seed}: {error}"));
                assert!(states[durable..].contains(&found), "{fsync:?} crash at {operation}, seed {seed}: {found:#?}");
            }
        }
    }
}

/// What was recovered can be written to, and crashes again well.
#[test]
fn a_second_crash_does_no_harm() {
    for operation in (0..operations(BY_HAND)).step_by(3) {
        let storage = Faulty::new(operation);
        storage.crash_at(operation);
        run(&storage, BY_HAND);
        for seed in 0..3 {
            let second = storage.after_power_loss(seed);
            let log = open_on(&second, quiet()).unwrap();
            let before = contents(&log).unwrap();
            let mut all = vec![before];
            if log.partitions("a").is_some() {
                for _ in 0..4 {
                    log.append(&at("a", 0), &numbered(0..7)).unwrap();
                    all.push(contents(&log).unwrap());
                }
            }
            drop(log);
            let log = open_on(&second.after_power_loss(seed + 100), quiet()).unwrap();
            let found = contents(&log).unwrap();
            assert!(all.contains(&found), "{operation} {seed}: {found:#?}");
        }
    }
}

#[test]
fn a_failed_operation_poisons_or_leaves_everything_as_it_was() {
    for operation in 0..operations(BY_HAND) {
        let storage = Faulty::new(operation);
        storage.fail_at(operation);
        let mut model = Model::default();
        let Ok(log) = open_on(&storage, quiet()) else { continue };
        let mut in_doubt = None;
        for step in script() {
            let mut with_step = model.clone();
            if in_doubt.is_some() {
                break;
            }
            match perform(&log, &step) {
                Ok(()) => {
                    with_step.apply(&step);
                    model = with_step;
                }
                // Acknowledged by nobody: it may have happened. From now on nothing is taken.
                Err(LogError::Poisoned(_)) => {
                    with_step.apply(&step);
                    assert!(matches!(
                        log.append(&at("a", 0), &numbered(0..1)),
                        Err(LogError::Poisoned(_) | LogError::UnknownTopic(_))
                    ));
                    in_doubt = Some(with_step);
                }
                Err(LogError::Io { .. }) => {
                    assert_eq!(contents(&log).unwrap(), model.contents, "{operation}");
                    perform(&log, &step).unwrap();
                    with_step.apply(&step);
                    model = with_step;
                }
                Err(other) => panic!("{operation}: {other}"),
            }
        }
        let found = contents(&log).unwrap();
        let allowed = [Some(&model), in_doubt.as_ref()];
        assert!(allowed.into_iter().flatten().any(|model| model.contents == found), "{operation}: {found:#?}");
        let again = contents(&open_on(&storage.after_kill(), quiet()).unwrap()).unwrap();
        let allowed = [Some(&model), in_doubt.as_ref()];
        assert!(allowed.into_iter().flatten().any(|model| model.contents == again), "{operation}: {again:#?}");
    }
}

#[test]
fn a_full_disk_refuses_writes_and_goes_on_when_there_is_room() {
    let storage = Faulty::new(1);
    let log = open_on(&storage, quiet()).unwrap();
    log.create_topic(&spec("a", 2, &[("segment.bytes", "300")])).unwrap();
    let mut rows = 0;
    for capacity in (storage.paths().iter().map(|(_, size)| *size as u64).sum::<u64>()..).step_by(17).take(300) {
        storage.set_capacity(Some(capacity));
        let mut transaction = log.begin().unwrap();
        transaction.append(&at("a", 0), &numbered(0..3)).unwrap();
        transaction.append(&at("a", 1), &numbered(0..2)).unwrap();
        match transaction.commit() {
            Ok(()) => rows += 3,
            Err(LogError::Full(_)) => {}
            Err(other) => panic!("{other}"),
        }
        assert_eq!(read_all(&log, &at("a", 0)).unwrap().len(), rows);
    }
    assert!(rows > 30);
    let log = open_on(&storage.after_kill(), quiet()).unwrap();
    assert_eq!(read_all(&log, &at("a", 0)).unwrap().len(), rows);
}

#[test]
fn a_nearly_full_disk_is_not_filled() {
    let storage = Faulty::new(1);
    storage.set_capacity(Some(5000));
    let log = open_on(&storage, EmbeddedOptions { disk_free_min_bytes: 2000, ..quiet() }).unwrap();
    log.create_topic(&spec("a", 1, &[])).unwrap();
    let failed = (0..1000).find_map(|_| log.append(&at("a", 0), &numbered(0..5)).err()).unwrap();
    assert!(failed.to_string().contains("2000 are kept free"), "{failed}");
    assert!(storage.free_space().unwrap().unwrap() > 1500);
    storage.set_capacity(Some(10_000));
    log.append(&at("a", 0), &numbered(0..5)).unwrap();
}
