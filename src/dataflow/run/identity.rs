//! Which topics a query reads, by their ids: positions and state belong to a topic, not to its name.
//!
//! What a query does that finds another topic under the name: one with state stops, since its state is of records that
//! are gone and can't be told from those of the new topic. One without state opens anew and begins in the new topic as a
//! new query does; the log has forgotten its positions with the topic. Doesn't know what a position is used for.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::log::{Log, LogError, TopicId, TopicPartition};
use crate::messages;

#[derive(Clone)]
struct SourceTopic {
    name: String,
    /// None: the log gives its topics no ids.
    id: Option<TopicId>,
    partitions: u32,
}

/// The source topics of a run and their ids when it was opened.
#[derive(Clone)]
pub(super) struct SourceTopics {
    topics: Vec<SourceTopic>,
    /// The query keeps state that outlives the run.
    has_state: bool,
}

impl SourceTopics {
    /// Looks the topics up, which have so many partitions; each comes once. One whose id can't be found out now is an error:
    /// it would never be checked.
    pub fn find(log: &dyn Log, topics: BTreeMap<String, u32>, has_state: bool) -> Result<SourceTopics> {
        let with_id = |(name, partitions): (String, u32)| {
            let id = log.topic_id(&name)?;
            Ok(SourceTopic { name, id, partitions })
        };
        Ok(SourceTopics { topics: topics.into_iter().map(with_id).collect::<Result<_>>()?, has_state })
    }

    /// An error when one of the topics is gone, or has another number of partitions than the run was opened for.
    pub fn check_partitions(&self, log: &dyn Log) -> Result<()> {
        self.topics.iter().try_for_each(|SourceTopic { name, partitions, .. }| match log.partitions(name) {
            None => Err(LogError::UnknownTopic(name.clone()).into()),
            Some(there) if there != *partitions => {
                Err(Error::world(format!("topic '{name}' has {there} partitions now; the query takes them in")))
            }
            Some(_) => Ok(()),
        })
    }

    /// Whether that is one of them.
    pub fn have(&self, topic: &str) -> bool {
        self.topics.iter().any(|source| source.name == topic)
    }

    /// Whether something of each topic was read.
    pub fn have_positions(&self, positions: &BTreeMap<TopicPartition, i64>) -> bool {
        self.topics.iter().all(|topic| positions.keys().any(|place| place.topic == topic.name))
    }

    /// An error when the positions of a topic are gone though the query's state says that it was read: both are of one
    /// commit, and positions go only with their topic.
    ///
    /// `was_read`: whether what was made of a topic is committed.
    pub fn check_positions(
        &self,
        positions: &BTreeMap<TopicPartition, i64>,
        was_read: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let unread = |topic: &&SourceTopic| !positions.keys().any(|place| place.topic == topic.name);
        match self.topics.iter().filter(unread).find(|topic| was_read(&topic.name)) {
            Some(topic) => Err(self.replaced(&topic.name)),
            None => Ok(()),
        }
    }

    /// An error when one of the topics isn't there any more, or is another one now. When there is none after positions
    /// were put into a transaction, these are of the same topics as all that was read since `find`: no id is given twice.
    pub fn check(&self, log: &dyn Log) -> Result<()> {
        for SourceTopic { name, id, .. } in &self.topics {
            if id.is_none() {
                continue;
            }
            if log.topic_id(name)? != *id {
                return Err(self.replaced(name));
            }
        }
        Ok(())
    }

    /// An error when a topic of these names is another one there.
    pub fn check_same(&self, other: &SourceTopics) -> Result<()> {
        for SourceTopic { name, id, .. } in &self.topics {
            if other.topics.iter().any(|there| there.name == *name && there.id != *id) {
                return Err(self.replaced(name));
            }
        }
        Ok(())
    }

    fn replaced(&self, name: &str) -> Error {
        Error { lasting: self.has_state, ..messages::cluster::topic_replaced(name, self.has_state) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::TopicSpec;
    use crate::log::embedded::EmbeddedLog;
    use crate::log::intercepted::{Call, Intercepted};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn another_topic_under_the_name_is_seen() {
        let log = EmbeddedLog::in_memory();
        let spec = TopicSpec { name: "s".to_string(), partitions: 1, replicas: None, configs: BTreeMap::new() };
        log.create_topic(&spec).unwrap();
        for has_state in [false, true] {
            let topics = SourceTopics::find(&log, BTreeMap::from([("s".to_string(), 1)]), has_state).unwrap();
            topics.check(&log).unwrap();
            log.empty_topic("s").unwrap();
            log.alter_topic("s", Some(2), &[]).unwrap();
            topics.check(&log).unwrap();
            log.delete_topic("s").unwrap();
            assert!(topics.check(&log).unwrap_err().what.contains("does not exist"));
            log.create_topic(&spec).unwrap();
            let error = topics.check(&log).unwrap_err();
            assert!(error.what.contains("created again"), "{error}");
            assert_eq!(error.lasting, has_state);
            let anew = SourceTopics::find(&log, BTreeMap::from([("s".to_string(), 1)]), has_state).unwrap();
            anew.check_same(&anew).unwrap();
            assert!(anew.check_same(&topics).unwrap_err().what.contains("created again"));
        }
    }

    #[test]
    fn an_id_that_cannot_be_found_out_is_no_topic_without_one() {
        let asked = AtomicUsize::new(0);
        let log = Intercepted::new(move |call| match call {
            Call::DescribeTopic("s") if asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => {
                Err(LogError::Unavailable("said so".to_string()))
            }
            _ => Ok(()),
        });
        let spec = TopicSpec { name: "s".to_string(), partitions: 1, replicas: None, configs: BTreeMap::new() };
        log.create_topic(&spec).unwrap();
        let find = || SourceTopics::find(&log, BTreeMap::from([("s".to_string(), 1)]), false);
        assert!(find().map(drop).unwrap_err().passing);
        let topics = find().unwrap();
        assert!(topics.check(&log).unwrap_err().passing);
        topics.check(&log).unwrap();
    }

    #[test]
    fn state_without_positions_is_of_another_topic() {
        let topic = |name: &str| SourceTopic { name: name.to_string(), id: None, partitions: 1 };
        let topics = SourceTopics { topics: vec![topic("s"), topic("t")], has_state: true };
        let place = |topic: &str| TopicPartition { topic: topic.to_string(), partition: 1 };
        let read = |names: &[&str]| names.iter().map(|name| (place(name), 3)).collect::<BTreeMap<_, _>>();
        topics.check_positions(&read(&["s", "t"]), |_| true).unwrap();
        topics.check_positions(&read(&[]), |_| false).unwrap();
        // Nothing of the other one was read yet.
        topics.check_positions(&read(&["s"]), |name| name == "s").unwrap();
        for (positions, replaced) in [(read(&[]), "'s'"), (read(&["s"]), "'t'"), (read(&["u"]), "'s'")] {
            let error = topics.check_positions(&positions, |_| true).unwrap_err();
            assert!(error.lasting && error.what.contains(replaced), "{error}");
        }
    }
}
