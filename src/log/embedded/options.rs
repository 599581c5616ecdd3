//! How an embedded log is run.

use std::sync::Arc;
use std::time::Duration;

use crate::log::Tell;

/// When what is committed is forced to disk. It always goes to the operating system before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsyncPolicy {
    /// Before each commit is acknowledged; commits that wait at the same time share one.
    Commit,
    /// This often, in the background.
    Interval(Duration),
    /// Only when the journal is rolled, data is deleted, the log is closed, or `sync` asks for it.
    Never,
}

/// Tells the time, in ms since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How the log in the data folder works.
#[derive(Clone)]
pub struct EmbeddedOptions {
    /// When written bytes go to the disk.
    pub fsync: FsyncPolicy,
    /// Writes are refused while the file system has less room than this.
    pub disk_free_min_bytes: u64,
    /// A transaction whose appends, as encoded, need more memory than this is refused.
    pub transaction_bytes_max: usize,
    /// Segments that are kept open at a time.
    pub open_files_max: usize,
    /// The journal is written anew, beginning with a checkpoint, when it is larger than this (and than four checkpoints).
    pub journal_bytes_max: u64,
    /// How often retention and compaction look for work in the background; `None`: only when `maintain` is called.
    pub maintain_interval: Option<Duration>,
    /// Keys that compaction holds in memory at a time; with more it reads more often.
    pub compaction_keys_max: usize,
    /// For what has no time of its own: retention's now, the age of segments.
    pub clock: Clock,
    /// Is told, once each, what the log's own work fails at (compaction of damaged data, ...). Must not call the log.
    pub tell: Option<Tell>,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        EmbeddedOptions {
            fsync: FsyncPolicy::Interval(Duration::from_secs(1)),
            disk_free_min_bytes: 256 << 20,
            transaction_bytes_max: 256 << 20,
            open_files_max: 256,
            journal_bytes_max: 4 << 20,
            maintain_interval: Some(Duration::from_secs(15)),
            compaction_keys_max: 1 << 20,
            clock: Arc::new(crate::time::wall_time_ms),
            tell: None,
        }
    }
}
