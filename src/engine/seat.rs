//! A process of a service on a cluster: what it keeps in its data folder.

use std::path::Path;
use std::sync::OnceLock;

use super::Belonging;
use super::membership::SharedBy;
use super::peers::Process;
use crate::error::{Error, Result};

/// This process among those of a service on a cluster.
pub(super) struct Seat {
    /// Stays with the data folder.
    pub process: String,
    /// Where the other processes reach it, once it listens.
    pub url: OnceLock<String>,
    /// What the folder is of, once the cluster has said its id. None: not yet, or there is no folder.
    pub belonging: Option<Belonging>,
    /// Held as long as the process lives: a folder has one owner. None: there is no folder.
    _lock: Option<std::fs::File>,
}

const LOCK_FILE: &str = "lock";
const PROCESS_FILE: &str = "process-id";

impl Seat {
    /// None: another process holds the folder.
    pub fn take(folder: &Path) -> Result<Option<Seat>> {
        let failed = |what: &str, error: std::io::Error| {
            Error::world(format!("cannot {what} in the data folder {}: {error}", folder.display()))
        };
        std::fs::create_dir_all(folder).map_err(|error| failed("make files", error))?;
        let lock = std::fs::File::create(folder.join(LOCK_FILE)).map_err(|error| failed("make the lock", error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
            Err(std::fs::TryLockError::Error(error)) => return Err(failed("take the lock", error)),
        }
        let path = folder.join(PROCESS_FILE);
        let process = match std::fs::read_to_string(&path) {
            Ok(process) if !process.trim().is_empty() => process.trim().to_owned(),
            _ => {
                let process = uuid::Uuid::new_v4().to_string();
                std::fs::write(&path, &process).map_err(|error| failed("keep the process's id", error))?;
                process
            }
        };
        Ok(Some(Seat { process, url: OnceLock::new(), belonging: None, _lock: Some(lock) }))
    }

    /// Of a process that keeps nothing.
    pub fn without_folder() -> Seat {
        Seat { process: uuid::Uuid::new_v4().to_string(), url: OnceLock::new(), belonging: None, _lock: None }
    }

    /// Who takes part in the groups of queries.
    pub fn shared_by(&self) -> SharedBy {
        let process = self.url.get().map(|url| Process { id: self.process.clone(), url: url.clone() });
        SharedBy { folder: self.process.clone(), about: process.map(|process| process.about()) }
    }
}
