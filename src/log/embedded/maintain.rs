//! The care for old data: retention, compaction, and files that a crash left behind.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use super::Inner;
use super::compaction::Section;
use super::failures::Work;
use super::index::path_of;
use super::journal::Entry;
use super::retention::{cleaning, is_closed, retained_from};
use super::topic::{Partition, Topic};
use crate::log::LogError;

/// What a round takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    All,
    /// What failed before waits for its time.
    Due,
}

impl Inner {
    /// One round over all partitions. An error of one doesn't keep the others from theirs; the first is given, and all are
    /// kept for `warnings`.
    pub(super) fn maintain(&self, attempt: Attempt) -> Result<(), LogError> {
        let _one_at_a_time = self.maintaining.lock();
        let sweep = !self.swept.swap(true, Ordering::Relaxed);
        let mut result = Ok(());
        for topic in self.catalog.all_topics() {
            for partition in topic.partitions().iter() {
                if topic.is_deleted() {
                    break;
                }
                let work = Work::Partition(topic.id, partition.number);
                if attempt == Attempt::Due && !self.failures.is_due(work, (self.options.clock)()) {
                    result = result.and(self.expire_and_plan(&topic, partition, (self.options.clock)()).map(|_| ()));
                    continue;
                }
                let outcome = self.maintain_partition(&topic, partition, sweep);
                let what =
                    || format!("the care for old data of topic '{}', partition {}", topic.name, partition.number);
                self.note(work, what, &outcome);
                result = result.and(outcome);
            }
            // Files go topic by topic, so that a large round doesn't need much room.
            let removes = !self.writer.lock().garbage.is_empty();
            if removes {
                result = result.and(self.sync());
            }
        }
        self.failures.retain(|work| match work {
            Work::Writes => true,
            Work::Partition(topic, partition) => self.catalog.find(topic, partition).is_ok(),
        });
        result
    }

    fn maintain_partition(&self, topic: &Topic, partition: &Partition, sweep: bool) -> Result<(), LogError> {
        if sweep {
            self.sweep(topic, partition)?;
        }
        self.put_indexes_away(topic, partition);
        let now = (self.options.clock)();
        match self.expire_and_plan(topic, partition, now)? {
            Some(plan) => self.compact(topic, partition, &plan, now),
            None => Ok(()),
        }
    }

    /// Removes what retention asks for; gives what to compact. Compaction runs without the lock: it gets the segments that
    /// were looked at here, not their number, since the partition may be another when it begins.
    pub(super) fn expire_and_plan(
        &self,
        topic: &Topic,
        partition: &Partition,
        now: i64,
    ) -> Result<Option<Section>, LogError> {
        let configs = topic.configs();
        if configs.retention_ms < 0 && configs.retention_bytes < 0 && !configs.compact {
            return Ok(None);
        }
        let mut writer = self.writer.lock();
        writer.check_poison()?;
        let held = self.catalog.held_from(topic.id, partition.number);
        let trimmed = retained_from(&partition.state.read(), &configs, now, held);
        if let Some(first) = trimmed.filter(|_| !topic.is_deleted()) {
            let first = first.max(partition.state.read().first);
            self.journal(&mut writer, &Entry::Trim { topic: topic.id, partition: partition.number, first })?;
        }
        let mut state = partition.state.write();
        let Some(plan) = cleaning(&state, &configs, now, held) else { return Ok(None) };
        if let Some(last) = state.segments.last_mut() {
            // What is going to be cleaned takes no more records.
            last.sealed |= is_closed(last, &configs, now) && plan.segments > 0;
        }
        let segments = state.segments[..plan.segments].to_vec();
        Ok(Some(Section { first: state.first, segments, groups: plan.groups }))
    }

    /// Memory doesn't grow with the log: only the last segment's index is kept without being asked for.
    fn put_indexes_away(&self, topic: &Topic, partition: &Partition) {
        let state = partition.state.read().clone();
        for segment in state.segments.iter().rev().skip(1) {
            let path = topic.segment_path(partition.number, segment.info.base, segment.info.generation);
            // A disk without room for it: then it stays in memory.
            let _ = segment.index.put_away(&*self.storage, &path);
        }
    }

    /// Removes files that are no part of the log: of commits and compactions that a crash cut off.
    fn sweep(&self, topic: &Topic, partition: &Partition) -> Result<(), LogError> {
        let folder = topic.partition_folder(partition.number);
        // A commit that makes a new segment holds the lock until the segment is known.
        let writer = self.writer.lock();
        writer.check_poison()?;
        let garbage: HashSet<&str> = writer.garbage.iter().map(super::topic::Dropped::path).collect();
        let state = partition.state.read().clone();
        let mut known = HashSet::new();
        for segment in &state.segments {
            let path = topic.segment_path(partition.number, segment.info.base, segment.info.generation);
            known.insert(path_of(&path));
            known.insert(path);
        }
        let names = self.storage.list(&folder);
        let names = names.map_err(|error| super::io_error(format!("can't list {folder}"), error))?;
        for path in names.iter().map(|name| format!("{folder}/{name}")) {
            if !known.contains(&path) && !garbage.contains(path.as_str()) {
                // Next time, then.
                let _ = self.storage.remove(&path);
            }
        }
        Ok(())
    }
}
