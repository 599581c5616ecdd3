//! Files in memory: for a log that lives as long as the process.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::RwLock;

use super::Storage;

type Content = Arc<RwLock<Vec<u8>>>;

#[derive(Default)]
pub(crate) struct Memory {
    files: RwLock<BTreeMap<String, Content>>,
}

impl Memory {
    fn file(&self, path: &str) -> io::Result<Content> {
        self.files.read().get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Storage for Memory {
    fn create(&self, path: &str) -> io::Result<()> {
        self.files.write().insert(path.to_owned(), Content::default());
        Ok(())
    }

    fn write_at(&self, path: &str, position: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(path)?;
        let mut content = file.write();
        let start = position as usize;
        let overlap = content.len().saturating_sub(start).min(bytes.len());
        if start > content.len() {
            content.resize(start, 0);
        }
        content[start..start + overlap].copy_from_slice(&bytes[..overlap]);
        content.extend_from_slice(&bytes[overlap..]);
        Ok(())
    }

    fn read_at(&self, path: &str, position: u64, into: &mut [u8]) -> io::Result<usize> {
        let file = self.file(path)?;
        let content = file.read();
        let rest = content.get(position as usize..).unwrap_or_default();
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        Ok(self.file(path)?.read().len() as u64)
    }

    fn truncate(&self, path: &str, len: u64) -> io::Result<()> {
        self.file(path)?.write().resize(len as usize, 0);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files.write();
        let content = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.files.write().remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        let prefix = format!("{path}/");
        self.files.write().retain(|path, _| !path.starts_with(&prefix));
        Ok(())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut names: Vec<String> = Vec::new();
        for path in self.files.read().keys().filter_map(|path| path.strip_prefix(&prefix)) {
            let name = path.split('/').next().unwrap_or(path);
            if names.last().is_none_or(|last| last != name) {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn sync(&self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, _folder: &str) -> io::Result<()> {
        Ok(())
    }

    fn free_space(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }
}
