//! Storage that fails: the twin for tests. Its fault model:
//!
//! - **Crash** at any operation: that operation is done in part (of a write a prefix), all after it fail.
//! - **End of the process**: what the operating system got stays, synced or not.
//! - **Loss of power**: of each file, what was synced stays; each later write and truncation is kept, torn or lost,
//!   each for itself. Names that were made, changed or removed since their folder was synced are as before or after,
//!   each for itself; a file whose folder is lost is lost.
//! - **A full disk**: a write beyond the capacity is done in part and fails, until there is room.
//! - **A failed operation**: writes are done in part; an fsync loses what was not synced before, for ever.
//!
//! Not in it: an fsync that lies, and bits that change by themselves (tests flip those with [`Faulty::edit`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Storage, folder_of};

#[derive(Clone, Default)]
pub(crate) struct Faulty {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Default)]
struct State {
    files: Vec<File>,
    names: Names,
    durable_names: Names,
    /// Changing operations so far.
    operations: u64,
    crash_at: Option<u64>,
    fail_at: Option<u64>,
    crashed: bool,
    capacity: Option<u64>,
    random: u64,
}

#[derive(Clone, Default)]
struct Names {
    files: BTreeMap<String, usize>,
    folders: BTreeSet<String>,
}

#[derive(Clone, Default)]
struct File {
    now: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { position: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// What befalls an operation.
enum Fate {
    Done,
    /// Done up to this part (in thousandths), then this error.
    Part(u64, io::Error),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>, thousandths: usize) {
        match self {
            Change::Truncate(len) => content.resize(*len, 0),
            Change::Write { position, bytes } => {
                let bytes = &bytes[..bytes.len() * thousandths / 1000];
                let end = position + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*position..end].copy_from_slice(bytes);
            }
        }
    }
}

impl Faulty {
    pub(crate) fn new(seed: u64) -> Faulty {
        let faulty = Faulty::default();
        faulty.state.lock().random = seed;
        faulty
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Crashes at the operation of this number.
    pub(crate) fn crash_at(&self, operation: u64) {
        self.state.lock().crash_at = Some(operation);
    }

    /// Lets the operation of this number fail.
    pub(crate) fn fail_at(&self, operation: u64) {
        self.state.lock().fail_at = Some(operation);
    }

    pub(crate) fn set_capacity(&self, capacity: Option<u64>) {
        self.state.lock().capacity = capacity;
    }

    /// What is there after the end of the process.
    pub(crate) fn after_kill(&self) -> Faulty {
        let mut state = self.state.lock().clone();
        (state.crash_at, state.fail_at, state.crashed) = (None, None, false);
        Faulty { state: Arc::new(Mutex::new(state)) }
    }

    /// What is there after loss of power.
    pub(crate) fn after_power_loss(&self, seed: u64) -> Faulty {
        let mut state = self.state.lock().clone();
        (state.crash_at, state.fail_at, state.crashed, state.random) = (None, None, false, seed);
        let folders: BTreeSet<String> = state.names.folders.clone();
        let folders: BTreeSet<String> = folders
            .into_iter()
            .filter(|folder| state.durable_names.folders.contains(folder) || state.chance(2) == 0)
            .collect();
        let paths: BTreeSet<String> =
            state.names.files.keys().chain(state.durable_names.files.keys()).cloned().collect();
        let mut files = BTreeMap::new();
        for path in paths {
            let (now, synced) = (state.names.files.get(&path).copied(), state.durable_names.files.get(&path).copied());
            let kept = if now == synced || state.chance(2) == 0 { now } else { synced };
            let mut folder = folder_of(&path);
            let mut reachable = true;
            while !folder.is_empty() {
                reachable &= folders.contains(folder);
                folder = folder_of(folder);
            }
            files.extend(kept.filter(|_| reachable).map(|file| (path, file)));
        }
        for file in 0..state.files.len() {
            let mut content = std::mem::take(&mut state.files[file].synced);
            for change in std::mem::take(&mut state.files[file].unsynced) {
                match state.chance(4) {
                    0 => {}
                    1 => change.apply(&mut content, state.chance(1000) as usize),
                    _ => change.apply(&mut content, 1000),
                }
            }
            state.files[file] = File { now: content.clone(), synced: content, unsynced: Vec::new() };
        }
        state.names = Names { files, folders };
        state.durable_names = state.names.clone();
        Faulty { state: Arc::new(Mutex::new(state)) }
    }

    /// All files with their sizes.
    pub(crate) fn paths(&self) -> Vec<(String, usize)> {
        let state = self.state.lock();
        state.names.files.iter().map(|(path, file)| (path.clone(), state.files[*file].now.len())).collect()
    }

    /// Changes a file behind everybody's back.
    pub(crate) fn edit(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state.lock();
        let file = state.names.files[path];
        change(&mut state.files[file].now);
        state.files[file].synced = state.files[file].now.clone();
    }

    fn operate(&self, with: impl FnOnce(&mut State, &Fate) -> io::Result<()>) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.crashed {
            return Err(io::Error::other("crashed"));
        }
        let operation = state.operations;
        state.operations += 1;
        let mut fate = Fate::Done;
        if state.crash_at == Some(operation) || state.fail_at == Some(operation) {
            state.crashed = state.crash_at == Some(operation);
            fate = Fate::Part(state.chance(1001), io::Error::other("injected"));
        }
        with(&mut state, &fate)?;
        match fate {
            Fate::Done => Ok(()),
            Fate::Part(_, error) => Err(error),
        }
    }
}

impl State {
    /// A number below `below`: a plain linear congruence is chance enough here.
    fn chance(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn file(&mut self, path: &str) -> io::Result<&mut File> {
        let file = *self.names.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(&mut self.files[file])
    }

    fn used(&self) -> u64 {
        self.names.files.values().map(|file| self.files[*file].now.len() as u64).sum()
    }

    fn change(&mut self, path: &str, change: Change, thousandths: u64) -> io::Result<()> {
        let file = self.file(path)?;
        change.apply(&mut file.now, thousandths as usize);
        let change = match change {
            Change::Write { position, mut bytes } => {
                bytes.truncate(bytes.len() * thousandths as usize / 1000);
                Change::Write { position, bytes }
            }
            truncate @ Change::Truncate(_) => truncate,
        };
        file.unsynced.push(change);
        Ok(())
    }
}

/// Operations that are done as a whole or not at all: at a crash by chance.
fn is_done(fate: &Fate) -> bool {
    match fate {
        Fate::Done => true,
        Fate::Part(thousandths, _) => *thousandths > 500,
    }
}

impl Storage for Faulty {
    fn create(&self, path: &str) -> io::Result<()> {
        self.operate(|state, fate| {
            if !is_done(fate) {
                return Ok(());
            }
            match state.names.files.contains_key(path) {
                true => state.change(path, Change::Truncate(0), 1000),
                false => {
                    let mut folder = folder_of(path);
                    while !folder.is_empty() {
                        state.names.folders.insert(folder.to_owned());
                        folder = folder_of(folder);
                    }
                    state.files.push(File::default());
                    state.names.files.insert(path.to_owned(), state.files.len() - 1);
                    Ok(())
                }
            }
        })
    }

    fn write_at(&self, path: &str, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.operate(|state, fate| {
            let mut thousandths = match fate {
                Fate::Done => 1000,
                Fate::Part(thousandths, _) => *thousandths,
            };
            let growth = (position + bytes.len() as u64).saturating_sub(state.file(path)?.now.len() as u64);
            let full = state.capacity.is_some_and(|capacity| state.used() + growth > capacity);
            if full {
                thousandths = thousandths.min(500);
            }
            let write = Change::Write { position: position as usize, bytes: bytes.to_vec() };
            state.change(path, write, thousandths)?;
            if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn read_at(&self, path: &str, position: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        if state.crashed {
            return Err(io::Error::other("crashed"));
        }
        let content = &state.file(path)?.now;
        let rest = content.get(position as usize..).unwrap_or_default();
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        Ok(self.state.lock().file(path)?.now.len() as u64)
    }

    fn truncate(&self, path: &str, len: u64) -> io::Result<()> {
        self.operate(|state, fate| match is_done(fate) {
            true => state.change(path, Change::Truncate(len as usize), 1000),
            false => Ok(()),
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.operate(|state, fate| {
            if is_done(fate) {
                let file = state.names.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
                state.names.files.insert(to.to_owned(), file);
            }
            Ok(())
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.operate(|state, fate| {
            if is_done(fate) {
                state.names.files.remove(path).ok_or(io::ErrorKind::NotFound)?;
            }
            Ok(())
        })
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        let prefix = format!("{path}/");
        self.operate(|state, fate| {
            // In part: some of the files are gone.
            let names: Vec<String> =
                state.names.files.keys().filter(|name| name.starts_with(&prefix)).cloned().collect();
            for name in names {
                if is_done(fate) || state.chance(2) == 0 {
                    state.names.files.remove(&name);
                }
            }
            if is_done(fate) {
                state.names.folders.retain(|folder| folder != path && !folder.starts_with(&prefix));
            }
            Ok(())
        })
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        let all = state.names.files.keys().chain(&state.names.folders);
        let children = all.filter(|path| !path.is_empty() && folder_of(path) == folder);
        Ok(children.map(|path| path.rsplit('/').next().unwrap_or(path).to_owned()).collect())
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        self.operate(|state, fate| {
            let done = is_done(fate);
            let file = state.file(path)?;
            match fate {
                Fate::Part(..) if !done => file.unsynced.clear(),
                _ => {
                    file.synced = file.now.clone();
                    file.unsynced.clear();
                }
            }
            Ok(())
        })
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.operate(|state, fate| {
            if !is_done(fate) {
                return Ok(());
            }
            state.durable_names.files.retain(|path, _| folder_of(path) != folder);
            let files = state.names.files.iter().filter(|(path, _)| folder_of(path) == folder);
            state.durable_names.files.extend(files.map(|(path, file)| (path.clone(), *file)));
            state.durable_names.folders.retain(|path| folder_of(path) != folder);
            let folders = state.names.folders.iter().filter(|path| folder_of(path) == folder);
            state.durable_names.folders.extend(folders.cloned());
            Ok(())
        })
    }

    fn free_space(&self) -> io::Result<Option<u64>> {
        let state = self.state.lock();
        Ok(state.capacity.map(|capacity| capacity.saturating_sub(state.used())))
    }
}
