//! How often the log is told how far it may compact a table's topic.

use parking_lot::Mutex;

use super::*;
use crate::log::intercepted::{Call, Intercepted};

#[test]
fn a_table_s_topic_is_held_in_coarse_steps_and_exactly_when_nothing_comes() {
    let told = Arc::<Mutex<Vec<i64>>>::default();
    let telling = told.clone();
    let log = Intercepted::new(move |call| {
        if let Call::Hold(held, offset) = call {
            assert_eq!(*held, place("s", 0));
            telling.lock().push(offset);
        }
        Ok(())
    });
    let statement = "CREATE TABLE o AS SELECT v, COUNT(*) AS n FROM s GROUP BY v EMIT CHANGES;";
    let world = World::new(Arc::new(log), "k STRING PRIMARY KEY, v INT", 1, statement);
    let write = |count: usize| {
        let mut records = Records::default();
        (0..count).for_each(|v| records.push(Some(b"a"), Some(format!(r#"{{"V":{v}}}"#).as_bytes()), 0));
        world.append(0, &records);
    };
    let mut run = world.open(&Host::default()).unwrap();
    for _ in 0..50 {
        write(1);
        assert_eq!(run.step().unwrap(), 1);
        run.commit().unwrap();
        assert_eq!(run.step().unwrap(), 0);
    }
    assert_eq!(*told.lock(), [0], "each commit moved the position by one");
    (0..3).for_each(|_| assert_eq!(run.step().unwrap(), 0));
    assert_eq!(*told.lock(), [0, 50]);
    write(25_000);
    while run.step().unwrap() > 0 {
        run.commit().unwrap();
        assert!(told.lock().last().is_some_and(|told| *told <= run.stages[0][0].readers().next().unwrap().position));
    }
    let steps = told.lock().clone();
    assert!((3..=4).contains(&steps.len()) && steps.is_sorted() && steps[2] >= 10_050, "{steps:?}");
    // A restart begins with where it is.
    drop(run);
    drop(world.open(&Host::default()).unwrap());
    assert_eq!(told.lock().last(), Some(&25_050));
}
