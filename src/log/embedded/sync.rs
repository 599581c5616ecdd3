//! To disk: fsync with its durable mark, the removal of files that are no longer needed, and the rolling of the journal.

use std::collections::BTreeSet;
use std::io;

use super::commit::Writer;
use super::journal::{self, Mark};
use super::topic::{Dropped, TOPICS_FOLDER};
use super::{Inner, io_error};
use crate::log::LogError;

/// With more files than this, all of the file system is synced instead of each.
const SYNC_EVERYTHING_ABOVE: usize = 64;

/// What one fsync has to cover.
struct Batch {
    files: Vec<String>,
    folders: BTreeSet<String>,
    mark: Mark,
    garbage: Vec<Dropped>,
}

impl Inner {
    /// Makes all that is committed survive loss of power. Those who wait at the same time share the work.
    pub(super) fn sync(&self) -> Result<(), LogError> {
        let target = {
            let writer = self.writer.lock();
            writer.check_poison()?;
            Mark { number: writer.journal.number, position: writer.journal.position }
        };
        let mut marks = self.marks.lock();
        if marks.newest >= target {
            return Ok(());
        }
        let batch = {
            let mut writer = self.writer.lock();
            writer.check_poison()?;
            self.take_batch(&mut writer)
        };
        let synced = self.sync_batch(&batch).and_then(|()| marks.write(&*self.storage, batch.mark));
        let synced = synced.and_then(|()| if batch.garbage.is_empty() { Ok(()) } else { marks.sync(&*self.storage) });
        if let Err(error) = synced {
            return Err(self.poison(&mut self.writer.lock(), format!("an fsync failed: {error}")));
        }
        self.remove_garbage(&batch.garbage);
        Ok(())
    }

    /// Some bytes behind the newest mark.
    pub(super) fn needs_sync(&self) -> bool {
        let writer = self.writer.lock();
        let now = Mark { number: writer.journal.number, position: writer.journal.position };
        drop(writer);
        self.marks.lock().newest < now
    }

    pub(super) fn poison(&self, writer: &mut Writer, reason: String) -> LogError {
        let reason = writer.poison.get_or_insert(reason);
        LogError::Poisoned(reason.clone())
    }

    fn take_batch(&self, writer: &mut Writer) -> Batch {
        writer.unsynced.clear();
        let dirty = std::mem::take(&mut writer.dirty).into_iter();
        let files = dirty.filter_map(|(topic, partition, base, generation)| {
            Some(self.catalog.topic_by_id(topic)?.segment_path(partition, base, generation))
        });
        let files = files.collect();
        let mut folders = BTreeSet::new();
        for (topic, partition) in std::mem::take(&mut writer.dirty_folders) {
            let Some(topic) = self.catalog.topic_by_id(topic) else { continue };
            folders.insert(topic.partition_folder(partition));
            folders.insert(topic.folder());
            folders.insert(TOPICS_FOLDER.to_owned());
            folders.insert(String::new());
        }
        let mark = Mark { number: writer.journal.number, position: writer.journal.position };
        Batch { files, folders, mark, garbage: std::mem::take(&mut writer.garbage) }
    }

    /// Data first, then the journal that speaks of it.
    fn sync_batch(&self, batch: &Batch) -> io::Result<()> {
        let many = batch.files.len() + batch.folders.len() > SYNC_EVERYTHING_ABOVE;
        if !(many && self.storage.sync_everything()?) {
            for path in &batch.files {
                ignore_missing(self.storage.sync(path))?;
            }
            for folder in &batch.folders {
                ignore_missing(self.storage.sync_folder(folder))?;
            }
        }
        self.storage.sync(&journal::path(batch.mark.number))
    }

    /// What can't be removed now is found by the next start or maintenance.
    fn remove_garbage(&self, garbage: &[Dropped]) {
        for dropped in garbage {
            let _ = match dropped {
                Dropped::Segment(path) => {
                    let _ = self.storage.remove(&super::index::path_of(path));
                    self.storage.remove(path)
                }
                Dropped::Folder(path) => self.storage.remove_folder(path),
            };
        }
    }

    /// Begins a new journal with a checkpoint, if this one is large.
    pub(super) fn roll_journal_if_large(&self) -> Result<(), LogError> {
        let size = {
            let writer = self.writer.lock();
            writer.journal.position
        };
        if size <= self.roll_at.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(());
        }
        // Most of it now, while commits go on.
        self.sync()?;
        self.roll_journal()
    }

    /// Begins a new journal with a checkpoint. Commits wait meanwhile. After an error the old journal goes on.
    pub(super) fn roll_journal(&self) -> Result<(), LogError> {
        let mut marks = self.marks.lock();
        let mut writer = self.writer.lock();
        writer.check_poison()?;
        let batch = self.take_batch(&mut writer);
        if let Err(error) = self.sync_batch(&batch) {
            return Err(self.poison(&mut writer, format!("an fsync failed: {error}")));
        }
        let old = writer.journal.number;
        let entries = self.catalog.checkpoint();
        let (bytes, fresh) = journal::checkpoint(old + 1, self.catalog.next_topic_id(), &entries);
        let limit = self.options.journal_bytes_max.max(4 * bytes.len() as u64);
        let name = journal::file_name(fresh.number);
        if let Err(error) = crate::storage::write_whole(&*self.storage, journal::FOLDER, &name, &bytes) {
            writer.garbage.extend(batch.garbage);
            // Not again at once: the disk is probably full.
            self.roll_at.store(writer.journal.position + limit, std::sync::atomic::Ordering::Relaxed);
            return match self.storage.remove(&journal::path(fresh.number)) {
                // It never got its name, or lost it again: the old journal is the newest.
                Ok(()) => Err(io_error("can't begin a new journal".to_owned(), error)),
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => {
                    Err(io_error("can't begin a new journal".to_owned(), error))
                }
                Err(_) => Err(self.poison(&mut writer, format!("a new journal is in doubt: {error}"))),
            };
        }
        self.roll_at.store(limit, std::sync::atomic::Ordering::Relaxed);
        writer.journal = fresh;
        let mark = Mark { number: writer.journal.number, position: writer.journal.position };
        let marked = marks.write(&*self.storage, mark).and_then(|()| marks.sync(&*self.storage));
        if let Err(error) = marked {
            return Err(self.poison(&mut writer, format!("a durable mark can't be written: {error}")));
        }
        let _ = self.storage.remove(&journal::path(old));
        drop(writer);
        self.remove_garbage(&batch.garbage);
        Ok(())
    }
}

/// A segment or folder that was removed meanwhile needs no fsync.
fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
