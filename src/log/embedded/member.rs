//! A member of a group where there is one process: it has all partitions for as long as it lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::Inner;
use super::commit::EmbeddedTransaction;
use crate::log::{Appended, Batches, Change, LogError, Member, MemberSpec, Records, TopicPartition, Transaction};

pub(super) struct EmbeddedMember {
    inner: Arc<Inner>,
    leads: BTreeSet<String>,
    group: Option<Place>,
    given: Mutex<BTreeSet<TopicPartition>>,
}

/// A member's place in its group.
struct Place {
    group: String,
    number: u64,
}

impl EmbeddedMember {
    pub(super) fn new(inner: &Arc<Inner>, spec: &MemberSpec) -> Result<EmbeddedMember, LogError> {
        let leads: BTreeSet<String> = spec.stages.iter().map(|stage| stage.lead.clone()).collect();
        let followers = spec.stages.iter().flat_map(|stage| &stage.followers);
        let topics: Vec<String> = leads.iter().chain(followers).cloned().collect();
        for topic in &topics {
            inner.catalog.topic(topic)?;
        }
        inner.watchers.add(&topics, &spec.signal);
        let group =
            spec.group.as_ref().map(|group| Place { group: group.id.clone(), number: inner.members.join(&group.id) });
        Ok(EmbeddedMember { inner: Arc::clone(inner), leads, group, given: Mutex::default() })
    }
}

impl Drop for EmbeddedMember {
    fn drop(&mut self) {
        if let Some(place) = &self.group {
            self.inner.members.leave(&place.group, place.number);
        }
    }
}

impl Member for EmbeddedMember {
    /// All partitions at once, and those that a topic gets later.
    fn poll(&self) -> Result<Vec<Change>, LogError> {
        let mut given = self.given.lock();
        let mut fresh = Vec::new();
        for topic in &self.leads {
            for partition in 0..self.inner.catalog.topic(topic)?.partitions().len() as u32 {
                let place = TopicPartition { topic: topic.clone(), partition };
                if given.insert(place.clone()) {
                    fresh.push(place);
                }
            }
        }
        if let Some(place) = &self.group {
            self.inner.members.give(&place.group, place.number, &fresh);
        }
        Ok(if fresh.is_empty() { Vec::new() } else { vec![Change::Given(fresh)] })
    }

    fn give_up(&self, _: &[TopicPartition]) -> Result<(), LogError> {
        Ok(())
    }

    fn fetch(
        &self,
        partition: &TopicPartition,
        from: i64,
        bytes_max: usize,
        into: &mut Records,
    ) -> Result<(), LogError> {
        self.inner.fetch(partition, from, bytes_max, into)
    }

    fn end(&self, partition: &TopicPartition) -> Option<i64> {
        let (_, partition) = self.inner.catalog.partition(partition).ok()?;
        let next = partition.state.read().next;
        Some(next)
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        let Some(Place { group, .. }) = &self.group else {
            return Err(LogError::Invalid("a reader without a group commits nothing".to_owned()));
        };
        self.inner.writer.lock().check_poison()?;
        Ok(Box::new(MemberTransaction { group, transaction: EmbeddedTransaction::new(&self.inner) }))
    }

    fn positions(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        let mut positions =
            self.group.as_ref().map_or_else(BTreeMap::new, |place| self.inner.catalog.positions(&place.group));
        positions.retain(|place, _| partitions.contains(place));
        Ok(positions)
    }
}

/// A transaction that sets positions of its member's group only.
struct MemberTransaction<'a> {
    group: &'a str,
    transaction: EmbeddedTransaction<'a>,
}

impl Transaction for MemberTransaction<'_> {
    fn append(&mut self, partition: &TopicPartition, records: &Records) -> Result<(), LogError> {
        self.transaction.append(partition, records)
    }

    fn append_batches(&mut self, partition: &TopicPartition, batches: &mut Batches) -> Result<Appended, LogError> {
        self.transaction.append_batches(partition, batches)
    }

    fn set_position(&mut self, group: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        match group == self.group {
            true => self.transaction.set_position(group, partition, offset),
            false => {
                Err(LogError::Invalid(format!("a member of group '{}' can't set positions of '{group}'", self.group)))
            }
        }
    }

    fn commit(self: Box<Self>) -> Result<(), LogError> {
        Box::new(self.transaction).commit()
    }
}
