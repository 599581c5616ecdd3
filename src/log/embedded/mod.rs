//! The log inside the process: topics on local disk, in Kafka's record-batch format.
//!
//! # Files
//!
//! ```text
//! format                                         the version of all this
//! lock                                           held by the process that has the log open
//! durable                                        how far the journal is known to be on disk
//! journal/<number>.journal                       what is committed
//! topics/<name>~<id>/<partition>/<base>.log      segments: record batches one after another
//! topics/<name>~<id>/<partition>/<base>.index    derived; rebuilt when missing or damaged
//! ```
//!
//! The journal is the truth: which topics there are with which configs, which segments a partition has and how many
//! bytes of each count, the groups' positions. A segment's bytes beyond what the journal says do not exist.
//!
//! # Commit
//!
//! A transaction's batches are encoded in memory. Under one lock they get their offsets and are written behind the
//! committed ends of their segments; then one journal record makes all of them count, with the positions; then readers
//! see the new ends, all at once. So there are no control batches and no aborted records, offsets have no gaps (but for
//! those of compaction), and nobody sees what isn't committed.
//!
//! # Invariants
//!
//! - Each bit below a committed end is covered by a checksum: of a segment by Kafka's CRC and the batch's seal
//!   (`kafka_batch`), of the journal by the record's, each going on from the one before. Sizes and order are in the
//!   journal, so that a missing batch or file is found as well. Upheld by `commit`, checked by every read.
//! - A commit record holds a checksum of the batches it commits: it can't vouch for other bytes at that place.
//! - The journal never ends below the newest durable mark, and all data below it is on disk: otherwise it is damaged,
//!   and the log doesn't open, or the read fails, rather than give less than was acknowledged. Upheld by `sync` (data,
//!   then journal, then mark), checked by `recovery`.
//! - Beyond the mark, recovery keeps the longest run of commits whose data is whole, and says what it cut (`warnings`).
//! - A file is removed only when the journal that no longer has it is on disk.
//! - After a failed fsync, or a journal write that couldn't be taken back, nothing is written any more.
//!
//! Locks, in the order in which they are taken: marks (one sync at a time), writer (one commit at a time), topics,
//! partitions by (topic, number), groups. Readers take one at a time, and none while they read a file.
//!
//! Doesn't know what a record means.

mod admin;
mod background;
mod catalog;
mod commit;
mod compaction;
mod config;
mod failures;
mod fetch;
mod groups;
mod index;
mod journal;
mod maintain;
mod member;
mod options;
mod recovery;
mod retention;
mod space;
mod sync;
mod topic;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

use parking_lot::Mutex;

use super::{
    Batches, Durability, GroupDescription, Log, LogError, Member, MemberSpec, Records, Signal, TopicDescription,
    TopicId, TopicPartition, TopicSpec, Transaction,
};
use crate::storage::{self, Storage};
use catalog::Catalog;
use commit::{EmbeddedTransaction, Writer};
use journal::Marks;
pub use options::{Clock, EmbeddedOptions, FsyncPolicy};
pub use recovery::RecoveryReport;
use watch::Watchers;

/// A log in a folder, or in memory. Closed when dropped.
pub struct EmbeddedLog {
    inner: Arc<Inner>,
    background: Option<background::Background>,
    /// Held as long as the log is open.
    _lock: Option<std::fs::File>,
}

struct Inner {
    storage: Box<dyn Storage>,
    options: EmbeddedOptions,
    catalog: Catalog,
    writer: Mutex<Writer>,
    /// Held during an fsync.
    marks: Mutex<Marks>,
    /// Bytes of the journal at which it is rolled.
    roll_at: AtomicU64,
    /// The least `flush.ms` of all topics.
    flush_ms_min: AtomicI64,
    watchers: Watchers,
    members: groups::Members,
    maintaining: Mutex<()>,
    failures: failures::Failures,
    /// Long work ends early.
    closing: AtomicBool,
    /// Left-over files were looked for.
    swept: AtomicBool,
    buffers: Mutex<Vec<Vec<u8>>>,
    report: RecoveryReport,
    in_memory: bool,
}

impl EmbeddedLog {
    /// Opens the log in `folder`, which is made when it isn't there. One process at a time can have it open.
    pub fn open(folder: &Path, options: EmbeddedOptions) -> Result<EmbeddedLog, LogError> {
        std::fs::create_dir_all(folder)
            .map_err(|error| io_error(format!("can't make the folder {}", folder.display()), error))?;
        let lock = lock(folder)?;
        let disk = storage::Disk::new(folder, options.open_files_max);
        let inner = Arc::new(Inner::open(Box::new(disk), options, false)?);
        let background = Some(background::Background::start(&inner)?);
        Ok(EmbeddedLog { inner, background, _lock: Some(lock) })
    }

    /// A log that lives as long as this value. Retention and compaction happen when `maintain` is called.
    pub fn in_memory() -> EmbeddedLog {
        let options = EmbeddedOptions { fsync: FsyncPolicy::Never, ..EmbeddedOptions::default() };
        let inner = Inner::open(Box::new(storage::Memory::default()), options, true);
        let inner = Arc::new(inner.expect("memory doesn't fail"));
        EmbeddedLog { inner, background: None, _lock: None }
    }

    /// Does what retention and compaction ask for now. The background thread does it from time to time.
    pub fn maintain(&self) -> Result<(), LogError> {
        self.inner.maintain(maintain::Attempt::All)
    }

    /// What opening had to repair.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.inner.report
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        if let Some(background) = self.background.take() {
            self.inner.closing.store(true, std::sync::atomic::Ordering::Relaxed);
            background.stop();
            self.inner.close();
        }
    }
}

fn lock(folder: &Path) -> Result<std::fs::File, LogError> {
    let path = folder.join("lock");
    let failed = |error| io_error(format!("can't lock {}", path.display()), error);
    let file = std::fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LogError::Held(folder.display().to_string())),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn io_error(what: String, cause: std::io::Error) -> LogError {
    LogError::Io { what, cause: Arc::new(cause) }
}

impl Log for EmbeddedLog {
    /// Outlives a restart.
    fn hold(&self, owner: &str, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        self.inner.hold(owner, partition, offset)
    }

    fn release(&self, owner: &str) -> Result<(), LogError> {
        self.inner.release(owner)
    }

    fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        self.inner.create_topic(spec)
    }

    fn alter_topic(
        &self,
        topic: &str,
        partitions: Option<u32>,
        configs: &[(String, Option<String>)],
    ) -> Result<(), LogError> {
        self.inner.alter_topic(topic, partitions, configs)
    }

    fn empty_topic(&self, topic: &str) -> Result<(), LogError> {
        self.inner.empty_topic(topic)
    }

    fn delete_records(&self, partition: &TopicPartition, below: i64) -> Result<(), LogError> {
        self.inner.delete_records(partition, below)
    }

    fn delete_topic(&self, topic: &str) -> Result<(), LogError> {
        self.inner.delete_topic(topic)
    }

    fn topics(&self) -> Vec<String> {
        self.inner.catalog.topic_names()
    }

    fn describe_topic(&self, topic: &str) -> Result<TopicDescription, LogError> {
        self.inner.describe_topic(topic)
    }

    fn topic_id(&self, topic: &str) -> Result<Option<TopicId>, LogError> {
        Ok(Some(self.inner.catalog.topic(topic)?.identity()))
    }

    fn partitions(&self, topic: &str) -> Option<u32> {
        Some(self.inner.catalog.topic(topic).ok()?.partitions().len() as u32)
    }

    fn offsets(&self, partition: &TopicPartition) -> Result<(i64, i64), LogError> {
        let (_, partition) = self.inner.catalog.partition(partition)?;
        let state = partition.state.read();
        Ok((state.first, state.next))
    }

    fn offset_for_time(&self, partition: &TopicPartition, timestamp: i64) -> Result<i64, LogError> {
        self.inner.offset_for_time(partition, timestamp)
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

    fn append(&self, partition: &TopicPartition, records: &Records) -> Result<i64, LogError> {
        let mut transaction = EmbeddedTransaction::new(&self.inner);
        transaction.add(partition, records)?;
        match records.is_empty() {
            true => self.offsets(partition).map(|(_, next)| next),
            false => transaction.finish(),
        }
    }

    fn batches(&self, topic: &str) -> Option<Batches> {
        self.inner.batches(topic)
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>, LogError> {
        self.inner.writer.lock().check_poison()?;
        Ok(Box::new(EmbeddedTransaction::new(&self.inner)))
    }

    fn positions(&self, group: &str) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        Ok(self.inner.catalog.positions(group))
    }

    fn groups(&self) -> Result<Vec<String>, LogError> {
        Ok(self.inner.catalog.groups())
    }

    fn delete_group(&self, group: &str) -> Result<(), LogError> {
        self.inner.delete_group(group)
    }

    fn describe_groups(&self, groups: &[String]) -> Result<Vec<GroupDescription>, LogError> {
        Ok(groups.iter().map(|group| self.inner.describe_group(group)).collect())
    }

    fn alter_positions(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
        self.inner.alter_positions(group, positions)
    }

    fn join(&self, spec: &MemberSpec) -> Result<Box<dyn Member>, LogError> {
        Ok(Box::new(member::EmbeddedMember::new(&self.inner, spec)?))
    }

    fn watch(&self, topics: &[String], signal: &Arc<Signal>) {
        self.inner.watchers.add(topics, signal);
    }

    fn shows_commits_at_once(&self) -> bool {
        true
    }

    fn warnings(&self) -> Vec<String> {
        self.inner.report.warning().into_iter().chain(self.inner.failures.texts()).collect()
    }

    fn durability(&self) -> Durability {
        match self.inner.options.fsync {
            FsyncPolicy::Commit if !self.inner.in_memory => Durability::Power,
            _ => Durability::Process,
        }
    }

    fn sync(&self) -> Result<(), LogError> {
        self.inner.sync()
    }
}

#[cfg(test)]
mod tests;
