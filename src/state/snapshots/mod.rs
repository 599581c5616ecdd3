//! Snapshots of state: files from which a restart goes on, so that it reads only what a topic got since.
//!
//! State here is the fold of one partition of a topic: of a changelog the groups of an aggregate, of a table's topic its
//! rows. A snapshot is taken piece by piece between commits, each piece from the state as it is then, so that no commit
//! waits for all of it and nothing is copied. It holds from the offset at which its first piece was taken: every key that
//! changes later has a record behind that offset, and applying those in order sets it right. Until the last of these
//! records is applied the state is that of no commit; so a snapshot may only be used when the topic still has everything
//! up to where its last piece was taken (`upto`), and what reads it back must not stop before.
//!
//! # Files
//!
//! `<group>/<part>.snapshot`, below the folder `state` of the data folder; `.snapshot.new` while it is written. Synced,
//! then renamed over the one before. Frames of `state::framing`; in each a byte says what it is, numbers are
//! little-endian, texts have their length before them:
//!
//! - 1, the first: magic, version (u8), identity (layout, owner, topic, topic id, history: texts; partition u32), the
//!   topic's first offset (i64), from (i64), wall time in ms when it was begun (i64);
//! - 2: a piece;
//! - 3, the last: upto (i64), number of pieces (u64).
//!
//! The format is for ever. A snapshot is never needed: where one can't be used, the topic from its beginning gives the
//! same state (changelogs are compacted, never cut). Whether one is used is decided in `recovery`.
//!
//! Knows nothing of what a state means.

mod capture;
mod file;
mod recovery;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod trial;

use std::path::Path;
use std::sync::Arc;

pub use capture::{Capture, Progress};
pub use recovery::{Age, Reason, Recovery, Span};

use crate::error::{Error, Result};
use crate::log::TopicPartition;
use crate::storage::{Disk, Storage};
use file::{Content, File, Fit};

/// State that can be written out in pieces while it changes.
///
/// Between two pieces rows may be changed, added and taken away. What was there from the first piece to the last is in
/// some piece, with the value it had at one of them.
pub trait Pieces {
    /// What the pieces' bytes depend on: types of columns, windows. Another layout is another state.
    fn layout(&self) -> String;

    /// Rows that are there now.
    fn rows(&self) -> usize;

    /// Appends the piece that begins at `from`, of about `bytes_max` bytes; gives where the next one begins, none after
    /// the last. The first begins at `Mark::START`.
    ///
    /// Errors: the state couldn't be written out; the snapshot is given up.
    fn piece(&self, from: Mark, bytes_max: usize, into: &mut Vec<u8>) -> Result<Option<Mark>>;

    /// Takes a piece in, in the order in which they were taken. None: it is no piece of this layout, and the state is
    /// unusable.
    fn load(&mut self, piece: &[u8]) -> Option<()>;
}

/// Where a piece begins: a generation of rows, and a place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub generation: i64,
    pub index: usize,
}

impl Mark {
    pub const START: Mark = Mark { generation: i64::MIN, index: 0 };
}

/// When snapshots are taken.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotOptions {
    /// Records since the last snapshot at which a new one is due, of all partitions together ...
    pub changed_records_min: u64,
    /// ... when they are also at least this many hundredths of the rows of the state.
    pub changed_percent_min: u64,
    /// Bytes of snapshots written at one commit, of all partitions together.
    pub commit_bytes_max: usize,
    /// No snapshot is begun while the file system has less room than this.
    pub disk_free_min_bytes: u64,
}

impl Default for SnapshotOptions {
    fn default() -> Self {
        SnapshotOptions {
            changed_records_min: 1 << 20,
            changed_percent_min: 200,
            commit_bytes_max: 32 << 20,
            disk_free_min_bytes: 512 << 20,
        }
    }
}

impl SnapshotOptions {
    /// Records behind a snapshot at which a new one is due, of a state that has one of so many partitions.
    pub fn due_after(&self, rows: usize, partitions: usize) -> u64 {
        let of_state = (rows as u64).saturating_mul(self.changed_percent_min) / 100;
        of_state.max(self.changed_records_min / partitions.max(1) as u64).max(1)
    }
}

/// The snapshots of a data folder.
#[derive(Clone)]
pub struct SnapshotStore {
    storage: Arc<dyn Storage>,
    pub options: SnapshotOptions,
}

/// Few files are open at a time: those being written.
const OPEN_FILES_MAX: usize = 64;

impl SnapshotStore {
    /// Those below `folder`, which is made when the first one is written.
    pub fn open(folder: &Path, options: SnapshotOptions) -> SnapshotStore {
        SnapshotStore::on(Arc::new(Disk::new(folder, OPEN_FILES_MAX)), options)
    }

    pub(crate) fn on(storage: Arc<dyn Storage>, options: SnapshotOptions) -> SnapshotStore {
        SnapshotStore { storage, options }
    }

    /// The snapshots of one owner (a query's group). `history` tells logs apart that have topics of the same names.
    pub fn of(&self, owner: &str, history: &str) -> Snapshots {
        Snapshots {
            storage: self.storage.clone(),
            options: self.options,
            owner: owner.to_owned(),
            folder: folder_name(owner),
            history: history.to_owned(),
        }
    }

    /// Removes all snapshots of an owner.
    pub fn remove(&self, owner: &str) -> Result<()> {
        let folder = folder_name(owner);
        let removed = self.storage.remove_folder(&folder);
        removed.map_err(|error| Error::world(format!("the snapshots in {folder} can't be removed: {error}")))
    }
}

/// Group names come from names in statements: what isn't sure to be good in a file's name is written as its code.
fn folder_name(owner: &str) -> String {
    let mut name = String::new();
    for byte in owner.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(byte as char),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name
}

/// The snapshots of one owner.
#[derive(Clone)]
pub struct Snapshots {
    storage: Arc<dyn Storage>,
    pub options: SnapshotOptions,
    owner: String,
    folder: String,
    history: String,
}

/// One part of an owner's state: the fold of one partition.
#[derive(Debug, Clone)]
pub struct Part {
    /// Names its file.
    pub name: String,
    pub place: TopicPartition,
    /// Tells topics apart that had the same name one after another, where the log has that.
    pub topic_id: Option<String>,
}

/// What a snapshot is one of. All of it must be as it was when it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub layout: String,
    pub owner: String,
    pub place: TopicPartition,
    pub topic_id: String,
    pub history: String,
}

/// A snapshot that was found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// It holds up to here: what comes from here on is to be applied.
    pub from: i64,
    /// Size of its file.
    pub bytes: u64,
}

impl Snapshots {
    fn path(&self, part: &Part) -> String {
        format!("{}/{}.snapshot", self.folder, part.name)
    }

    fn identity(&self, part: &Part, layout: String) -> Identity {
        Identity {
            layout,
            owner: self.owner.clone(),
            place: part.place.clone(),
            topic_id: part.topic_id.clone().unwrap_or_default(),
            history: self.history.clone(),
        }
    }

    /// Brings an empty state to that of the part's snapshot, if there is one that may be used; `has` says what the topic
    /// has that can be applied afterwards, `age` how old it may be. One that can't be used is removed: what is written from now on could make it
    /// look good later. After each piece `go_on` says whether to.
    ///
    /// Errors, after which the state is unusable: what `go_on` gives; the content of a good file doesn't fit the state, and
    /// the file was removed.
    pub fn restore(
        &self,
        part: &Part,
        has: Span,
        age: Option<Age>,
        state: &mut dyn Pieces,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<(Recovery, Option<Loaded>)> {
        let path = self.path(part);
        let file = File { storage: &*self.storage, path: &path };
        let content = file.inspect();
        let recovery = recovery::decide(&content, &self.identity(part, state.layout()), has, age);
        // What a crash left of one that was being written.
        let _ = self.storage.remove(&format!("{path}{}", capture::UNFINISHED));
        let Content::Whole { bytes, .. } = content else {
            return self.refuse(&path, recovery);
        };
        let Recovery::UseSnapshot { from } = recovery else {
            return self.refuse(&path, recovery);
        };
        match file.load(state, go_on)? {
            Fit::Whole => Ok((recovery, Some(Loaded { from, bytes }))),
            Fit::Not => {
                self.remove_for_good(&path)?;
                Err(Error::world("a snapshot of the state doesn't fit the state and was removed")
                    .hint("the state is read back from its changelog topic"))
            }
        }
    }

    fn refuse(&self, path: &str, recovery: Recovery) -> Result<(Recovery, Option<Loaded>)> {
        if recovery != Recovery::ReplayAll(Reason::Missing) {
            self.remove_for_good(path)?;
        }
        Ok((recovery, None))
    }

    fn remove_for_good(&self, path: &str) -> Result<()> {
        let removed = self.storage.remove(path).and_then(|()| self.storage.sync_folder(&self.folder));
        removed.map_err(|error| Error::world(format!("the unusable snapshot {path} can't be removed: {error}")))
    }

    /// Begins a snapshot of a state that is the fold of the partition up to `has.end`.
    pub fn begin(&self, part: &Part, has: Span, state: &dyn Pieces) -> Result<Capture> {
        let identity = self.identity(part, state.layout());
        Capture::begin(self.storage.clone(), self.path(part), self.options.disk_free_min_bytes, &identity, has)
    }
}
