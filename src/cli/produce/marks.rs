//! Appends through a process that may end at any moment. Each is a transaction with a mark: the position of a group that
//! only this writer has. When the answer is lost, the mark tells whether the records are there.

use crate::log::{Log, LogError, Records, TopicPartition};

/// Begins the names of the groups; a writer that was killed leaves its one behind.
const GROUP_PREFIX: &str = "_millpond-producer-";
/// Owners of the folder that may end during one append.
const ATTEMPTS_MAX: usize = 5;

/// The marks of one writer.
pub struct Marks {
    group: String,
    /// The mark of the newest append.
    newest: i64,
}

impl Marks {
    pub fn new() -> Self {
        Marks { group: format!("{GROUP_PREFIX}{}", uuid::Uuid::new_v4()), newest: 0 }
    }

    /// Appends once, whatever becomes of the process that does it.
    pub fn append(&mut self, log: &dyn Log, place: &TopicPartition, records: &Records) -> Result<(), LogError> {
        self.newest += 1;
        for _ in 1..ATTEMPTS_MAX {
            match self.append_once(log, place, records) {
                Err(LogError::InDoubt(_)) if self.is_there(log, place)? => return Ok(()),
                Err(LogError::InDoubt(_)) => {}
                result => return result,
            }
        }
        self.append_once(log, place, records)
    }

    fn append_once(&self, log: &dyn Log, place: &TopicPartition, records: &Records) -> Result<(), LogError> {
        let mut transaction = log.begin()?;
        transaction.append(place, records)?;
        transaction.set_position(&self.group, place, self.newest)?;
        transaction.commit()
    }

    /// Asked of the owner that came after the one that didn't answer: of that one nothing comes any more.
    fn is_there(&self, log: &dyn Log, place: &TopicPartition) -> Result<bool, LogError> {
        Ok(log.positions(&self.group)?.get(place) == Some(&self.newest))
    }

    pub fn remove(&self, log: &dyn Log) {
        // What stays takes a few bytes and is in nobody's way.
        let _ = log.delete_group(&self.group);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::log::embedded::EmbeddedLog;
    use crate::log::{Durability, GroupDescription, Signal, TopicDescription, TopicSpec, Transaction};

    /// What becomes of a commit.
    #[derive(Clone, Copy)]
    enum Fate {
        Well,
        /// Committed, but the answer is lost.
        AnswerLost,
        /// Not committed, and nobody says so.
        CallLost,
    }

    /// A log of another process: the fates of its commits one after another, then all go well.
    struct Distant {
        log: EmbeddedLog,
        fates: Mutex<Vec<Fate>>,
    }

    struct DistantTransaction<'a> {
        inner: Box<dyn Transaction + 'a>,
        fate: Fate,
    }

    impl Transaction for DistantTransaction<'_> {
        fn append(&mut self, partition: &TopicPartition, records: &Records) -> Result<(), LogError> {
            self.inner.append(partition, records)
        }

        fn set_position(&mut self, group: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
            self.inner.set_position(group, partition, offset)
        }

        fn commit(self: Box<Self>) -> Result<(), LogError> {
            let lost = Err(LogError::InDoubt("the owner ended".into()));
            match self.fate {
                Fate::Well => self.inner.commit(),
                Fate::AnswerLost => self.inner.commit().and(lost),
                Fate::CallLost => lost,
            }
        }
    }

    impl Log for Distant {
        fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
            let mut fates = self.fates.lock();
            let fate = if fates.is_empty() { Fate::Well } else { fates.remove(0) };
            Ok(Box::new(DistantTransaction { inner: self.log.begin()?, fate }))
        }

        fn positions(&self, group: &str) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
            self.log.positions(group)
        }

        fn delete_group(&self, group: &str) -> Result<(), LogError> {
            self.log.delete_group(group)
        }

        fn describe_groups(&self, _: &[String]) -> Result<Vec<GroupDescription>, LogError> {
            unreachable!()
        }

        fn alter_positions(&self, _: &str, _: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
            unreachable!()
        }

        fn create_topic(&self, _: &TopicSpec) -> Result<(), LogError> {
            unreachable!()
        }

        fn alter_topic(&self, _: &str, _: Option<u32>, _: &[(String, Option<String>)]) -> Result<(), LogError> {
            unreachable!()
        }

        fn empty_topic(&self, _: &str) -> Result<(), LogError> {
            unreachable!()
        }

        fn delete_records(&self, _: &TopicPartition, _: i64) -> Result<(), LogError> {
            unreachable!()
        }

        fn delete_topic(&self, _: &str) -> Result<(), LogError> {
            unreachable!()
        }

        fn topics(&self) -> Vec<String> {
            unreachable!()
        }

        fn describe_topic(&self, _: &str) -> Result<TopicDescription, LogError> {
            unreachable!()
        }

        fn partitions(&self, _: &str) -> Option<u32> {
            unreachable!()
        }

        fn offsets(&self, _: &TopicPartition) -> Result<(i64, i64), LogError> {
            unreachable!()
        }

        fn offset_for_time(&self, _: &TopicPartition, _: i64) -> Result<i64, LogError> {
            unreachable!()
        }

        fn fetch(&self, _: &TopicPartition, _: i64, _: usize, _: &mut Records) -> Result<(), LogError> {
            unreachable!()
        }

        fn append(&self, _: &TopicPartition, _: &Records) -> Result<i64, LogError> {
            unreachable!("an append without a mark")
        }

        fn groups(&self) -> Result<Vec<String>, LogError> {
            unreachable!()
        }

        fn watch(&self, _: &[String], _: &Arc<Signal>) {
            unreachable!()
        }

        fn durability(&self) -> Durability {
            unreachable!()
        }

        fn sync(&self) -> Result<(), LogError> {
            unreachable!()
        }
    }

    #[test]
    fn a_lost_answer_neither_loses_nor_repeats() {
        let log = EmbeddedLog::in_memory();
        log.create_topic(&TopicSpec { name: "t".into(), partitions: 2, replicas: None, configs: BTreeMap::new() })
            .unwrap();
        let place = |partition| TopicPartition { topic: "t".into(), partition };
        use Fate::{AnswerLost, CallLost, Well};
        let fates = vec![Well, AnswerLost, CallLost, CallLost, AnswerLost, Well, AnswerLost, CallLost, Well];
        let distant = Distant { log, fates: Mutex::new(fates) };
        let mut marks = Marks::new();
        for i in 0..10u32 {
            let mut records = Records::default();
            records.push(None, Some(&[i as u8]), 0);
            marks.append(&distant, &place(i % 2), &records).unwrap();
        }
        marks.remove(&distant);
        for partition in 0..2 {
            let mut records = Records::default();
            distant.log.fetch(&place(partition), 0, 1 << 20, &mut records).unwrap();
            let found: Vec<u32> = (0..records.len()).map(|row| u32::from(records.value(row).unwrap()[0])).collect();
            assert_eq!(found, (0..10).filter(|i| i % 2 == partition).collect::<Vec<_>>());
        }
        assert_eq!(distant.log.groups().unwrap(), Vec::<String>::new());
        // Not for ever.
        *distant.fates.lock() = vec![CallLost; 100];
        let mut records = Records::default();
        records.push(None, Some(b"x"), 0);
        assert!(matches!(marks.append(&distant, &place(0), &records), Err(LogError::InDoubt(_))));
    }
}
