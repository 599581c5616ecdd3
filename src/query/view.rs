//! The committed rows of a table, for pull queries: a fold of its topic, changed at each commit.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::catalog::Source;
use crate::dataflow::for_each_fetch;
use crate::error::Result;
use crate::log::{Log, Records, TopicPartition};
use crate::state::RowStore;

/// The newest committed record of each key, by partition. Readers hold a partition's lock only while they copy rows out.
pub struct View {
    pub source: Arc<Source>,
    partitions: Vec<RwLock<RowStore>>,
    /// Of a table that no query makes (SOURCE TABLE): how far its topic was read. Readers bring it up to date.
    followed: Option<Mutex<Vec<i64>>>,
}

/// Rows copied out of a view.
pub struct ViewRows {
    pub partition: u32,
    pub records: Records,
}

impl View {
    /// The rows that the table's topic holds now.
    pub fn open(log: &dyn Log, source: Arc<Source>, partitions: u32) -> Result<View> {
        let view =
            View { partitions: (0..partitions).map(|_| RwLock::default()).collect(), source, followed: None };
        for partition in 0..partitions {
            let place = TopicPartition { topic: view.source.topic.clone(), partition };
            for_each_fetch(log, &place, None, None, &mut |records| {
                view.apply(partition, records);
                Ok(())
            })?;
        }
        Ok(view)
    }

    /// A view of a topic that others write: `catch_up` reads what is new.
    pub fn follow(source: Arc<Source>, partitions: u32) -> View {
        View {
            partitions: (0..partitions).map(|_| RwLock::default()).collect(),
            source,
            followed: Some(Mutex::new(vec![0; partitions as usize])),
        }
    }

    /// Takes in what a followed topic has now. Nothing to do where a query's commits keep the view.
    pub fn catch_up(&self, log: &dyn Log) -> Result<()> {
        let Some(followed) = &self.followed else { return Ok(()) };
        let mut positions = followed.lock();
        for (partition, position) in positions.iter_mut().enumerate() {
            let place = TopicPartition { topic: self.source.topic.clone(), partition: partition as u32 };
            *position = for_each_fetch(log, &place, Some(*position), None, &mut |records| {
                self.apply(partition as u32, records);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Takes in the records of a commit.
    pub fn apply(&self, partition: u32, records: &Records) {
        let Some(rows) = self.partitions.get(partition as usize) else { return };
        let mut rows = rows.write();
        for (row, meta) in records.meta.iter().enumerate() {
            match (records.key(row), records.value(row)) {
                (None, _) => {}
                (Some(key), None) => {
                    rows.remove(key);
                }
                (Some(key), Some(value)) => rows.put(key, value, meta.timestamp),
            }
        }
    }

    /// Rows of all partitions whose whole key (window included) passes, as records ordered by key.
    pub fn scan(&self, keep: &dyn Fn(&[u8]) -> bool) -> Vec<ViewRows> {
        let copy = |(partition, rows): (usize, &RwLock<RowStore>)| {
            let rows = rows.read();
            let mut found: Vec<(&[u8], &[u8], i64)> = rows.iter().filter(|(key, ..)| keep(key)).collect();
            found.sort_unstable_by_key(|(key, ..)| *key);
            let mut records = Records::default();
            for (key, value, row_time) in found {
                records.push(Some(key), Some(value), row_time);
            }
            ViewRows { partition: partition as u32, records }
        };
        self.partitions.iter().enumerate().map(copy).collect()
    }

    /// The rows of these keys (without windows).
    pub fn get(&self, keys: &[Vec<u8>]) -> Vec<ViewRows> {
        let copy = |(partition, rows): (usize, &RwLock<RowStore>)| {
            let rows = rows.read();
            let mut records = Records::default();
            for key in keys {
                if let Some((value, row_time)) = rows.get(key) {
                    records.push(Some(key), Some(value), row_time);
                }
            }
            ViewRows { partition: partition as u32, records }
        };
        self.partitions.iter().enumerate().map(copy).collect()
    }

    pub fn bytes(&self) -> usize {
        self.partitions.iter().map(|rows| rows.read().bytes()).sum()
    }
}
