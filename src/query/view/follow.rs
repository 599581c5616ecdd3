//! A view of a topic that others write: its readers bring the partitions up to date that they ask for.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::rows::Rows;
use super::{Extent, KeptBy, View, Wanted, bytes};
use crate::error::Result;
use crate::log::{Log, LogError};
use crate::time::now;

/// Of a partition that a followed view has not read: no first offset.
const UNREAD: i64 = -1;

/// What readers ask for together.
#[derive(Default)]
pub(super) struct Asked {
    /// All partitions.
    all: bool,
    partitions: Vec<u32>,
}

impl Asked {
    pub fn add(&mut self, wanted: Wanted<'_>) {
        match wanted {
            None => self.all = true,
            Some(wanted) => {
                self.partitions.extend(wanted);
                self.partitions.sort_unstable();
                self.partitions.dedup();
            }
        }
    }

    pub fn as_wanted(&self) -> Wanted<'_> {
        (!self.all).then_some(&self.partitions)
    }
}

pub(super) fn is_wanted(wanted: Wanted<'_>, partition: usize) -> bool {
    wanted.is_none_or(|wanted| wanted.iter().any(|wanted| *wanted as usize == partition))
}

impl View {
    /// Brings a followed view up to date.
    pub(super) fn read_asked(&self, log: &dyn Log, wanted: Wanted<'_>) -> Result<u64> {
        let mut extent = self.extent.lock();
        let count = log.partitions(&self.source.topic);
        let count = count.ok_or_else(|| LogError::UnknownTopic(self.source.topic.clone()))?;
        if self.partitions.read().len() != count as usize {
            self.partitions.write().resize_with(count as usize, || Rows::new(self.source.window));
        }
        let topic = log.topic_id(&self.source.topic)?;
        if topic != extent.topic {
            self.begin_anew(&mut self.partitions.write());
            *extent = Extent { topic, firsts: Vec::new() };
        }
        let wanted: Vec<usize> = (0..count as usize).filter(|partition| is_wanted(wanted, *partition)).collect();
        let offsets = self.offsets(log, &wanted)?;
        extent.firsts.resize(count as usize, UNREAD);
        let mut partitions = self.partitions.write();
        for (&partition, (first, end)) in wanted.iter().zip(offsets) {
            let rows = &mut partitions[partition];
            if extent.firsts[partition] != first {
                self.begin_anew(std::slice::from_mut(rows));
                extent.firsts[partition] = first;
            }
            rows.asked = Some(now());
            if rows.next >= end {
                continue;
            }
            match self.read(log, partition, Some(rows.next), Some(end), rows, &|| Ok(())) {
                Ok(next) => rows.next = next,
                Err(error) => {
                    self.begin_anew(&mut partitions);
                    self.memory.set(0)?;
                    return Err(error);
                }
            }
        }
        self.memory.set(bytes(&partitions))?;
        Ok(self.beginnings.load(Ordering::Acquire))
    }

    /// Whether a followed view has the rows of a partition as they were some time ago: what came since is read at once.
    pub fn follows(&self, partition: u32) -> bool {
        self.kept_by == KeptBy::Readers
            && self.partitions.read().get(partition as usize).is_some_and(|rows| rows.asked.is_some())
    }

    /// Lets go of the rows of partitions that a followed view has and nobody has asked for this long. Who asks reads them anew.
    pub fn let_go(&self, partitions: &[u32], unasked: Duration) {
        if self.kept_by == KeptBy::Query {
            return;
        }
        let mut extent = self.extent.lock();
        let mut all = self.partitions.write();
        for partition in partitions.iter().map(|partition| *partition as usize) {
            let is_idle = |rows: &&mut Rows| rows.asked.is_some_and(|asked| asked.elapsed() >= unasked);
            if let (Some(rows), Some(first)) =
                (all.get_mut(partition).filter(is_idle), extent.firsts.get_mut(partition))
            {
                self.begin_anew(std::slice::from_mut(rows));
                *first = UNREAD;
            }
        }
        // It is less than before.
        let _ = self.memory.set(bytes(&all));
    }
}
