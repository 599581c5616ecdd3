//! Where the socket of a data folder lies, and how it comes and goes.
//!
//! It is `<folder>/millpond.sock`. A socket's path has a bound of about a hundred bytes; where the folder's path is too
//! long for that, the socket lies in a fresh folder of its own below the system's folder for temporary files, and
//! `<folder>/millpond.sock.path` says where.

use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const SOCKET: &str = "millpond.sock";
const POINTER: &str = "millpond.sock.path";
/// How the names of folders for sockets begin.
const SHORT_FOLDER: &str = "millpond-";
/// The longest path a socket can have on macOS (103) and Linux (107).
const PATH_BYTES_MAX: usize = 103;
const POINTER_BYTES_MAX: u64 = 4096;
const NAME_ATTEMPTS: usize = 16;

/// A socket's place in the file system: removed when dropped.
#[derive(Debug)]
pub struct Place {
    pub socket: PathBuf,
    /// The short folder and the file that points to it.
    short: Option<(PathBuf, PathBuf)>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
        if let Some((folder, pointer)) = &self.short {
            let _ = fs::remove_file(pointer);
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Removes what a killed owner left, and finds a place for a new socket. Only for who holds the folder's lock.
pub fn prepare(folder: &Path) -> Result<Place> {
    remove_stale(folder)?;
    let socket = folder.join(SOCKET);
    if socket.as_os_str().len() <= PATH_BYTES_MAX {
        return Ok(Place { socket, short: None });
    }
    let short = short_folder()?;
    let pointer = folder.join(POINTER);
    let place = Place { socket: short.join(SOCKET), short: Some((short, pointer.clone())) };
    write_pointer(&pointer, &place.socket).map_err(|cause| cannot("write", &pointer, &cause))?;
    Ok(place)
}

/// Where the owner of the folder listens, if there is one. `None`: there is none, as no socket can have that path.
pub fn find(folder: &Path) -> Option<PathBuf> {
    let socket = read_pointer(folder).unwrap_or_else(|| folder.join(SOCKET));
    (socket.as_os_str().len() <= PATH_BYTES_MAX).then_some(socket)
}

/// The socket at `path` is for its user only.
pub fn restrict(path: &Path) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .map_err(|cause| cannot("set the rights of", path, &cause))
}

fn remove_stale(folder: &Path) -> Result<()> {
    if let Some(socket) = read_pointer(folder) {
        // Only what this module made: a pointer that leads elsewhere removes nothing there.
        let is_ours = socket.file_name().is_some_and(|name| name == SOCKET);
        let parent = socket.parent().filter(|_| is_ours);
        let name = parent.and_then(Path::file_name);
        if let Some(parent) = parent
            && name.is_some_and(|name| name.as_bytes().starts_with(SHORT_FOLDER.as_bytes()))
        {
            let _ = remove_socket(&socket);
            let _ = fs::remove_dir(parent);
        }
    }
    remove_if_there(fs::remove_file(folder.join(POINTER))).map_err(|cause| cannot("remove", folder, &cause))?;
    let socket = folder.join(SOCKET);
    remove_socket(&socket).map_err(|cause| cannot("remove the old socket", &socket, &cause))
}

/// Removes a socket; anything else of that name stays and is an error.
fn remove_socket(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => remove_if_there(fs::remove_file(path)),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is not a socket")),
        Err(cause) => remove_if_there(Err(cause)),
    }
}

fn remove_if_there(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// A new folder with a short path that nobody else can enter.
fn short_folder() -> Result<PathBuf> {
    let mut last = None;
    for base in [std::env::temp_dir(), PathBuf::from("/tmp")] {
        for _ in 0..NAME_ATTEMPTS {
            let folder = base.join(format!("{SHORT_FOLDER}{:016x}", fastrand::u64(..)));
            if folder.join(SOCKET).as_os_str().len() > PATH_BYTES_MAX {
                break;
            }
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(folder),
                Err(cause) => last = Some(cannot("make", &folder, &cause)),
            }
        }
    }
    Err(last.unwrap_or_else(|| Error::world("there is no place for the local socket: all paths are too long")))
}

fn write_pointer(pointer: &Path, socket: &Path) -> io::Result<()> {
    // In one step: who attaches at this moment reads all of it or nothing.
    let fresh = pointer.with_extension("new");
    fs::write(&fresh, socket.as_os_str().as_bytes())?;
    fs::rename(&fresh, pointer)
}

fn read_pointer(folder: &Path) -> Option<PathBuf> {
    let pointer = folder.join(POINTER);
    if fs::metadata(&pointer).ok()?.len() > POINTER_BYTES_MAX {
        return None;
    }
    let bytes = fs::read(&pointer).ok().filter(|bytes| !bytes.is_empty())?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

fn cannot(what: &str, path: &Path, cause: &io::Error) -> Error {
    Error::world(format!("cannot {what} {}: {cause}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_short_folder_holds_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let place = prepare(folder.path()).unwrap();
        assert_eq!(place.socket, folder.path().join("millpond.sock"));
        let listener = UnixListener::bind(&place.socket).unwrap();
        drop((listener, place));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_long_folder_points_to_its_socket() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("f".repeat(120));
        fs::create_dir(&folder).unwrap();
        let first = prepare(&folder).unwrap();
        UnixListener::bind(&first.socket).unwrap();
        assert_eq!(find(&folder).as_ref(), Some(&first.socket));
        let short = first.socket.parent().unwrap().to_owned();
        assert_eq!(fs::metadata(&short).unwrap().permissions().mode() & 0o777, 0o700);
        // As if killed: nothing is removed.
        std::mem::forget(first);

        let second = prepare(&folder).unwrap();
        assert!(!short.exists());
        assert_eq!(find(&folder).as_ref(), Some(&second.socket));
        let short = second.socket.parent().unwrap().to_owned();
        drop(second);
        assert!(!short.exists());
        assert_eq!(find(&folder), None);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("millpond.sock"), "mine").unwrap();
        let error = prepare(folder.path()).unwrap_err();
        assert!(error.what.contains("not a socket"), "{error}");
        assert_eq!(fs::read(folder.path().join("millpond.sock")).unwrap(), b"mine");
    }

    #[test]
    fn a_pointer_that_leads_elsewhere_removes_nothing_there() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        fs::write(&other, "mine").unwrap();
        fs::write(folder.path().join("millpond.sock.path"), other.as_os_str().as_bytes()).unwrap();
        let _place = prepare(folder.path()).unwrap();
        assert!(other.exists());
    }
}
