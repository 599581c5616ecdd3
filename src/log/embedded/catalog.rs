//! What the journal's records come to: topics, partitions with their segments, positions of groups, holds.
//!
//! The same [`Catalog::apply`] builds it from the journal at start and carries on with each commit, so that what readers
//! see and what a restart finds can't differ. Does no I/O.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use super::config::TopicConfigs;
use super::journal::{Append, Entry, Position, SegmentInfo};
use super::topic::{Contradiction, Dropped, Partition, PartitionState, Segment, Shape, Topic};
use crate::log::{LogError, TopicPartition};

type Positions = BTreeMap<String, BTreeMap<(u64, u32), i64>>;

#[derive(Debug, Default)]
pub(super) struct Catalog {
    topics: RwLock<Topics>,
    groups: RwLock<Positions>,
    /// By owner.
    holds: RwLock<Positions>,
}

#[derive(Debug, Default)]
struct Topics {
    by_name: BTreeMap<String, Arc<Topic>>,
    by_id: HashMap<u64, Arc<Topic>>,
    next_id: u64,
}

impl Catalog {
    pub(super) fn topic(&self, name: &str) -> Result<Arc<Topic>, LogError> {
        self.topics.read().by_name.get(name).cloned().ok_or_else(|| LogError::UnknownTopic(name.to_owned()))
    }

    pub(super) fn topic_by_id(&self, id: u64) -> Option<Arc<Topic>> {
        self.topics.read().by_id.get(&id).cloned()
    }

    pub(super) fn partition(&self, partition: &TopicPartition) -> Result<(Arc<Topic>, Arc<Partition>), LogError> {
        let topic = self.topic(&partition.topic)?;
        let found = topic.shape.read().partitions.get(partition.partition as usize).cloned();
        let unknown = || LogError::UnknownPartition { topic: partition.topic.clone(), partition: partition.partition };
        Ok((topic, found.ok_or_else(unknown)?))
    }

    pub(super) fn topic_names(&self) -> Vec<String> {
        self.topics.read().by_name.keys().cloned().collect()
    }

    pub(super) fn all_topics(&self) -> Vec<Arc<Topic>> {
        self.topics.read().by_name.values().cloned().collect()
    }

    pub(super) fn next_topic_id(&self) -> u64 {
        self.topics.read().next_id
    }

    pub(super) fn groups(&self) -> Vec<String> {
        self.groups.read().keys().cloned().collect()
    }

    pub(super) fn has_group(&self, group: &str) -> bool {
        self.groups.read().contains_key(group)
    }

    pub(super) fn positions(&self, group: &str) -> BTreeMap<TopicPartition, i64> {
        let topics = self.topics.read();
        let groups = self.groups.read();
        let named = |((id, partition), offset): (&(u64, u32), &i64)| {
            let topic = topics.by_id.get(id)?.name.clone();
            Some((TopicPartition { topic, partition: *partition }, *offset))
        };
        groups.get(group).into_iter().flatten().filter_map(named).collect()
    }

    /// The lowest offset of a partition that somebody still needs.
    pub(super) fn held_from(&self, topic: u64, partition: u32) -> i64 {
        let holds = self.holds.read();
        holds.values().filter_map(|held| held.get(&(topic, partition)).copied()).min().unwrap_or(i64::MAX)
    }

    /// Carries out a journal record. Gives the files that are no longer part of the log.
    pub(super) fn apply(&self, entry: &Entry) -> Result<Vec<Dropped>, Contradiction> {
        let mut dropped = Vec::new();
        match entry {
            Entry::Header { next_topic_id, .. } => self.topics.write().next_id = *next_topic_id,
            Entry::Commit { appends, positions } => self.apply_commit(appends, positions)?,
            Entry::CreateTopic { id, name, partitions, configs } => self.create(*id, name, *partitions, configs)?,
            Entry::AlterTopic { id, partitions, configs } => self.alter(*id, *partitions, configs)?,
            Entry::DeleteTopic { id } => dropped.push(self.delete(*id)?),
            Entry::Trim { topic, partition, first } => dropped = self.trim(*topic, *partition, *first)?,
            Entry::Replace { topic, partition, old, new } => {
                dropped = self.replace(*topic, *partition, old, new.as_ref())?;
            }
            Entry::Partition { topic, partition, first, next, segments } => {
                let (_, found) = self.find(*topic, *partition)?;
                let segments = segments.iter().cloned().map(Segment::new).collect();
                *found.state.write() = PartitionState { first: *first, next: *next, segments };
            }
            Entry::DeleteGroup { group } => {
                self.groups.write().remove(group);
            }
            Entry::Hold { owner, topic, partition, offset } => {
                self.holds.write().entry(owner.clone()).or_default().insert((*topic, *partition), *offset);
            }
            Entry::Release { owner } => {
                self.holds.write().remove(owner);
            }
        }
        Ok(dropped)
    }

    pub(super) fn find(&self, topic: u64, partition: u32) -> Result<(Arc<Topic>, Arc<Partition>), Contradiction> {
        let topic = self.topic_by_id(topic).ok_or("a record of a topic that isn't there")?;
        let found = topic.shape.read().partitions.get(partition as usize).cloned();
        Ok((topic, found.ok_or("a record of a partition that isn't there")?))
    }

    /// All of it at once: who has seen one part of a transaction sees all others, too. So nothing is unlocked before
    /// everything is changed.
    fn apply_commit(&self, appends: &[Append], positions: &[Position]) -> Result<(), Contradiction> {
        let mut touched: Vec<((u64, u32), Arc<Partition>)> = Vec::with_capacity(appends.len());
        for append in appends {
            let key = (append.topic, append.partition);
            match touched.last() {
                Some((last, _)) if *last > key => return Err("the parts of a commit are out of order"),
                Some((last, _)) if *last == key => {}
                _ => touched.push((key, self.find(append.topic, append.partition)?.1)),
            }
        }
        let mut states: Vec<_> = touched.iter().map(|(key, partition)| (*key, partition.state.write())).collect();
        let mut at = 0;
        for append in appends {
            if states[at].0 != (append.topic, append.partition) {
                at += 1;
            }
            states[at].1.append(append)?;
        }
        if !positions.is_empty() {
            self.set_positions(positions);
        }
        Ok(())
    }

    fn set_positions(&self, positions: &[Position]) {
        let mut groups = self.groups.write();
        for position in positions {
            let key = (position.topic, position.partition);
            match groups.get_mut(&position.group) {
                Some(group) => group.insert(key, position.offset),
                None => groups.entry(position.group.clone()).or_default().insert(key, position.offset),
            };
        }
    }

    fn create(
        &self,
        id: u64,
        name: &str,
        partitions: u32,
        configs: &BTreeMap<String, String>,
    ) -> Result<(), Contradiction> {
        let mut topics = self.topics.write();
        if topics.by_name.contains_key(name) || topics.by_id.contains_key(&id) {
            return Err("a topic created twice");
        }
        let shape = Shape {
            set: configs.clone(),
            configs: Arc::new(stored_configs(configs)),
            partitions: (0..partitions).map(Partition::new).collect(),
        };
        let topic = Topic { id, name: name.to_owned(), shape: RwLock::new(shape), deleted: AtomicBool::new(false) };
        let topic = Arc::new(topic);
        topics.by_name.insert(name.to_owned(), Arc::clone(&topic));
        topics.by_id.insert(id, topic);
        topics.next_id = topics.next_id.max(id + 1);
        Ok(())
    }

    fn alter(&self, id: u64, partitions: u32, configs: &BTreeMap<String, String>) -> Result<(), Contradiction> {
        let topic = self.topic_by_id(id).ok_or("a change of a topic that isn't there")?;
        let mut shape = topic.shape.write();
        let before = shape.partitions.len() as u32;
        let added = (before..partitions).map(Partition::new);
        shape.partitions = shape.partitions.iter().cloned().chain(added).collect();
        shape.set = configs.clone();
        shape.configs = Arc::new(stored_configs(configs));
        Ok(())
    }

    fn delete(&self, id: u64) -> Result<Dropped, Contradiction> {
        let mut topics = self.topics.write();
        let topic = topics.by_id.remove(&id).ok_or("the end of a topic that isn't there")?;
        topics.by_name.remove(&topic.name);
        topic.deleted.store(true, Ordering::Release);
        for positions in [&self.groups, &self.holds] {
            let mut positions = positions.write();
            positions.values_mut().for_each(|group| group.retain(|(topic, _), _| *topic != id));
            positions.retain(|_, group| !group.is_empty());
        }
        Ok(Dropped::Folder(topic.folder()))
    }

    fn trim(&self, topic: u64, partition: u32, first: i64) -> Result<Vec<Dropped>, Contradiction> {
        let (topic, found) = self.find(topic, partition)?;
        let mut state = found.state.write();
        if first < state.first || first > state.next {
            return Err("a first offset that can't be");
        }
        state.first = first;
        let gone = state.segments.partition_point(|segment| segment.info.next <= first);
        Ok(state.segments.drain(..gone).map(|segment| topic.dropped_segment(partition, &segment.info)).collect())
    }

    fn replace(
        &self,
        topic: u64,
        partition: u32,
        old: &[i64],
        new: Option<&SegmentInfo>,
    ) -> Result<Vec<Dropped>, Contradiction> {
        let (topic, found) = self.find(topic, partition)?;
        let mut state = found.state.write();
        let Some(start) = state.segments.iter().position(|segment| Some(&segment.info.base) == old.first()) else {
            return Err("a compaction of a segment that isn't there");
        };
        let range = start..start + old.len();
        let same = state.segments.get(range.clone()).is_some_and(|now| now.iter().map(|s| &s.info.base).eq(old));
        if !same {
            return Err("a compaction of segments that aren't there");
        }
        let segment = new.cloned().map(|info| Segment { sealed: true, ..Segment::new(info) });
        let gone: Vec<Segment> = state.segments.splice(range, segment).collect();
        // A segment of which nothing had to go keeps its file.
        let is_kept =
            |old: &SegmentInfo| new.is_some_and(|new| (new.base, new.generation) == (old.base, old.generation));
        let gone = gone.iter().map(|segment| &segment.info).filter(|old| !is_kept(old));
        Ok(gone.map(|old| topic.dropped_segment(partition, old)).collect())
    }

    /// The records that make this catalog out of an empty one.
    pub(super) fn checkpoint(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut topics = self.all_topics();
        topics.sort_by_key(|topic| topic.id);
        for topic in topics {
            let shape = topic.shape.read().clone();
            let partitions = shape.partitions.len() as u32;
            entries.push(Entry::CreateTopic { id: topic.id, name: topic.name.clone(), partitions, configs: shape.set });
            for partition in shape.partitions.iter() {
                let state = partition.state.read();
                if state.next == 0 {
                    continue;
                }
                let segments = state.segments.iter().map(|segment| segment.info.clone()).collect();
                let (first, next) = (state.first, state.next);
                entries.push(Entry::Partition { topic: topic.id, partition: partition.number, first, next, segments });
            }
        }
        let mut positions = Vec::new();
        for (group, offsets) in self.groups.read().iter() {
            for (&(topic, partition), &offset) in offsets {
                positions.push(Position { group: group.clone(), topic, partition, offset });
            }
        }
        if !positions.is_empty() {
            entries.push(Entry::Commit { appends: Vec::new(), positions });
        }
        for (owner, offsets) in self.holds.read().iter() {
            for (&(topic, partition), &offset) in offsets {
                entries.push(Entry::Hold { owner: owner.clone(), topic, partition, offset });
            }
        }
        entries
    }
}

/// Configs were checked when they were set. What an older version let through and this one doesn't know keeps its
/// default, rather than keep the log from opening.
fn stored_configs(configs: &BTreeMap<String, String>) -> TopicConfigs {
    TopicConfigs::parse(configs).unwrap_or_default()
}
