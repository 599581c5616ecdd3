//! The few file operations that the log and the snapshots of state need, and who provides them: [`Disk`], [`Memory`], and
//! for tests a twin that injects faults.
//!
//! Paths are relative to a root folder, with `/` between their parts. Knows nothing of what the files hold.

mod disk;
#[cfg(test)]
pub(crate) mod faulty;
mod memory;

pub(crate) use disk::Disk;
pub(crate) use memory::Memory;

use std::io;

/// Files by path. All methods may be called from any thread; writes to one file come from one thread at a time.
pub(crate) trait Storage: Send + Sync {
    /// Makes an empty file, also where there was one, and the folders above it.
    fn create(&self, path: &str) -> io::Result<()>;
    /// Writes all of `bytes` at `position` of an existing file. After an error any part of them may be there.
    fn write_at(&self, path: &str, position: u64, bytes: &[u8]) -> io::Result<()>;
    /// Reads up to `into.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, path: &str, position: u64, into: &mut [u8]) -> io::Result<usize>;
    fn len(&self, path: &str) -> io::Result<u64>;
    fn truncate(&self, path: &str, len: u64) -> io::Result<()>;
    /// Replaces `to` when it is there.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Removes a folder with all that is in it; none there is no error.
    fn remove_folder(&self, path: &str) -> io::Result<()>;
    /// Names in a folder, of files and folders; none when there is no such folder.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Makes the content of a file survive loss of power.
    fn sync(&self, path: &str) -> io::Result<()>;
    /// Makes everything survive loss of power at once; false where there is no such call.
    fn sync_everything(&self) -> io::Result<bool> {
        Ok(false)
    }
    /// Makes the names in a folder survive loss of power.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// Bytes that can still be written; `None` where that has no meaning.
    fn free_space(&self) -> io::Result<Option<u64>>;
}

/// Reads a whole file.
pub(crate) fn read_all(storage: &dyn Storage, path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; storage.len(path)? as usize];
    let read = storage.read_at(path, 0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Writes a file such that it is there whole or, after a crash, not at all.
pub(crate) fn write_whole(storage: &dyn Storage, folder: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let path = join(folder, name);
    let temporary = format!("{path}.new");
    storage.create(&temporary)?;
    storage.write_at(&temporary, 0, bytes)?;
    storage.sync(&temporary)?;
    storage.rename(&temporary, &path)?;
    storage.sync_folder(folder)
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The folder of a path; empty for the log's own.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
