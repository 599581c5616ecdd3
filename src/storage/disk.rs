//! Files of a real file system, with a bounded number of them open at a time.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Storage, folder_of};

pub(crate) struct Disk {
    root: PathBuf,
    open: Mutex<OpenFiles>,
}

/// Handles by path, the least recently used closed when there are too many.
///
/// A handle is closed without regard to unsynced writes: `sync` opens the file anew, and an fsync writes what the file
/// has, whichever handle wrote it.
struct OpenFiles {
    handles: HashMap<String, (Arc<File>, u64)>,
    clock: u64,
    max: usize,
}

impl Disk {
    /// Files below `root`, at most `open_files_max` of them open.
    pub(crate) fn new(root: &Path, open_files_max: usize) -> Disk {
        let open = OpenFiles { handles: HashMap::new(), clock: 0, max: open_files_max.max(2) };
        Disk { root: root.to_owned(), open: Mutex::new(open) }
    }

    fn path(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    fn handle(&self, path: &str) -> io::Result<Arc<File>> {
        if let Some(file) = self.open.lock().get(path) {
            return Ok(file);
        }
        let file = Arc::new(OpenOptions::new().read(true).write(true).open(self.path(path))?);
        self.open.lock().put(path, &file);
        Ok(file)
    }

    fn forget(&self, path: &str) {
        self.open.lock().handles.remove(path);
    }
}

impl OpenFiles {
    fn get(&mut self, path: &str) -> Option<Arc<File>> {
        self.clock += 1;
        let (file, used) = self.handles.get_mut(path)?;
        *used = self.clock;
        Some(Arc::clone(file))
    }

    fn put(&mut self, path: &str, file: &Arc<File>) {
        if self.handles.len() >= self.max {
            self.close_half();
        }
        self.clock += 1;
        self.handles.insert(path.to_owned(), (Arc::clone(file), self.clock));
    }

    /// Half at once, so that the search for the oldest is paid for by many openings.
    fn close_half(&mut self) {
        let mut used: Vec<u64> = self.handles.values().map(|(_, used)| *used).collect();
        used.sort_unstable();
        let middle = used[used.len() / 2];
        self.handles.retain(|_, (_, used)| *used > middle);
    }
}

impl Storage for Disk {
    fn create(&self, path: &str) -> io::Result<()> {
        self.forget(path);
        let full = self.path(path);
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&full);
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(self.path(folder_of(path)))?;
                open()?
            }
            other => other?,
        };
        self.open.lock().put(path, &Arc::new(file));
        Ok(())
    }

    fn write_at(&self, path: &str, position: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.handle(path)?;
        write_all_at(&file, bytes, position)
    }

    fn read_at(&self, path: &str, position: u64, into: &mut [u8]) -> io::Result<usize> {
        let file = self.handle(path)?;
        let mut filled = 0;
        while filled < into.len() {
            match read_some_at(&file, &mut into[filled..], position + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path(path))?.len())
    }

    fn truncate(&self, path: &str, len: u64) -> io::Result<()> {
        self.handle(path)?.set_len(len)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.forget(from);
        self.forget(to);
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.forget(path);
        fs::remove_file(self.path(path))
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        let prefix = format!("{path}/");
        self.open.lock().handles.retain(|path, _| !path.starts_with(&prefix));
        match fs::remove_dir_all(self.path(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        // A name that isn't UTF-8 can't be one of ours.
        entries.map(|entry| Ok(entry?.file_name().into_string().ok())).filter_map(Result::transpose).collect()
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        self.handle(path)?.sync_data()
    }

    /// One call for the file system instead of one for each of thousands of files.
    #[cfg(target_os = "linux")]
    fn sync_everything(&self) -> io::Result<bool> {
        rustix::fs::syncfs(File::open(&self.root)?)?;
        Ok(true)
    }

    #[cfg(unix)]
    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        File::open(self.path(folder))?.sync_all()
    }

    /// Folders can't be synced there; the file system journals its names.
    #[cfg(not(unix))]
    fn sync_folder(&self, _folder: &str) -> io::Result<()> {
        Ok(())
    }

    #[cfg(unix)]
    fn free_space(&self) -> io::Result<Option<u64>> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(Some(stat.f_bavail.saturating_mul(stat.f_frsize)))
    }

    #[cfg(not(unix))]
    fn free_space(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], position: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, position)
}

#[cfg(unix)]
fn read_some_at(file: &File, into: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, position)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut position: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, position)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        position += written as u64;
    }
    Ok(())
}

#[cfg(windows)]
fn read_some_at(file: &File, into: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_few_files_open_and_reads_all_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path(), 4);
        for i in 0..50_u8 {
            let path = format!("a/b{i}/file");
            disk.create(&path).unwrap();
            disk.write_at(&path, 0, &[i; 10]).unwrap();
            assert!(disk.open.lock().handles.len() <= 4);
        }
        for i in 0..50_u8 {
            let mut bytes = [0; 20];
            assert_eq!(disk.read_at(&format!("a/b{i}/file"), 3, &mut bytes).unwrap(), 7);
            assert_eq!(bytes[..7], [i; 7]);
        }
        disk.remove_folder("a").unwrap();
        assert!(disk.open.lock().handles.is_empty());
        assert!(disk.list("a").unwrap().is_empty());
    }
}
