//! An input that has nothing is waited for, each time that its last row was taken.

use std::time::Duration;

use super::*;
use crate::log::embedded::EmbeddedLog;

/// A join of the stream L with the table T, each of which has a row: the table's is the older.
struct Joined {
    world: World,
    run: Run,
}

impl Joined {
    fn with(idle_max: Duration) -> Joined {
        let sources = [("l", "id BIGINT KEY, v BIGINT"), ("t", "id BIGINT PRIMARY KEY, b BIGINT")];
        let query = "CREATE STREAM o AS SELECT l.id AS id, v, b FROM l LEFT JOIN t ON l.id = t.id;";
        let world = World::of(Arc::new(EmbeddedLog::in_memory()), &sources, 1, query);
        let host = Host::default();
        let spec = RunSpec { idle_max, ..world.spec(&host.memory) };
        let run = Run::open(world.log.clone(), spec, host).unwrap();
        let joined = Joined { world, run };
        joined.append("t", 1, r#"{"B":1}"#);
        joined.append("l", 1000, r#"{"V":10}"#);
        joined
    }

    fn append(&self, topic: &str, time: i64, value: &str) {
        let mut records = Records::default();
        records.push(Some(&7_i64.to_be_bytes()), Some(value.as_bytes()), time);
        self.world.log.append(&place(topic, 0), &records).unwrap();
    }

    /// Takes what may be taken now; gives the number of rows.
    fn drive(&mut self) -> usize {
        let mut rows = 0;
        loop {
            match self.run.step().unwrap() {
                0 => break,
                more => rows += more,
            }
        }
        self.run.commit().unwrap();
        rows
    }

    fn written(&self) -> Vec<String> {
        self.world.written().into_values().flatten().collect()
    }
}

#[test]
fn a_row_waits_for_each_late_one_of_the_other_input() {
    let mut joined = Joined::with(Duration::from_secs(3600));
    assert_eq!(joined.drive(), 1, "behind the table's last row the stream's waits");
    joined.append("t", 500, r#"{"B":5}"#);
    assert_eq!(joined.drive(), 1);
    joined.append("t", 600, r#"{"B":6}"#);
    assert_eq!(joined.drive(), 1);
    assert_eq!(joined.written(), [] as [&str; 0]);
    joined.append("t", 2000, r#"{"B":20}"#);
    assert_eq!(joined.drive(), 1, "the stream's; the table's waits for the next of the stream");
    assert_eq!(joined.written(), [r#"{"V":10,"B":6}"#]);
}

#[test]
fn an_input_without_rows_is_waited_for_no_longer_than_asked() {
    let mut joined = Joined::with(Duration::from_millis(20));
    while joined.written().is_empty() {
        joined.drive();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(joined.written(), [r#"{"V":10,"B":1}"#]);
}

#[test]
fn a_run_with_an_end_waits_for_nothing_behind_it() {
    let mut joined = Joined::with(Duration::from_secs(3600));
    joined.run.stop_at_current_ends().unwrap();
    assert_eq!(joined.drive(), 2);
    assert_eq!(joined.written(), [r#"{"V":10,"B":1}"#]);
}
