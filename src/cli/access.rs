//! `millpond access`: the file of who may do what on a server.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use crate::error::Error;
use crate::messages;
use crate::server::http::access::{self, Role};

use super::args::{AccessCommand, AccessEntry};
use super::exit::{Stop, complain};
use super::output::Output;

pub fn command(command: &AccessCommand, out: &mut Output) -> Result<(), Stop> {
    match command {
        AccessCommand::User(entry) => {
            let line = access::user_line(&entry.name, role(entry)?, &password()?)?;
            Ok(change(&entry.file, "user", &entry.name, Some(&line)).map(drop)?)
        }
        AccessCommand::Token(entry) => {
            let (token, line) = access::new_token(&entry.name, role(entry)?)?;
            change(&entry.file, "token", &entry.name, Some(&line))?;
            Ok(out.line(&token)?)
        }
        AccessCommand::Remove { name, file } => {
            let users = change(file, "user", name, None)?;
            let tokens = change(file, "token", name, None)?;
            match users + tokens {
                0 => Err(messages::access::unknown_name(&file.display().to_string(), name).into()),
                _ => Ok(()),
            }
        }
    }
}

fn role(entry: &AccessEntry) -> Result<Role, Error> {
    Role::from_name(&entry.role).ok_or_else(|| messages::access::unknown_role(&entry.role, &Role::NAMES))
}

/// A line of stdin.
fn password() -> Result<String, Error> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        complain("password (it is shown as you type; `read -s` and a pipe hide it):");
    }
    let mut line = String::new();
    stdin
        .lock()
        .read_line(&mut line)
        .map_err(|cause| Error::world(format!("the password could not be read from stdin: {cause}")))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Takes the lines of that kind and name out of a file and puts one in their place, in a file that only its owner reads. Gives how
/// many were taken out.
fn change(file: &Path, kind: &str, name: &str, line: Option<&str>) -> Result<usize, Error> {
    let cannot = |what: &str, cause: std::io::Error| Error::world(format!("cannot {what} {}: {cause}", file.display()));
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && line.is_some() => String::new(),
        Err(cause) => return Err(cannot("read", cause)),
    };
    let is_it = |line: &&str| {
        let mut words = line.split_whitespace();
        words.next() == Some(kind) && words.next() == Some(name)
    };
    let mut kept: Vec<&str> = text.lines().filter(|line| !is_it(line)).collect();
    let taken = text.lines().count() - kept.len();
    kept.extend(line);
    // A reader sees the old file or the new one.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made =
        folder.join(format!(".{}.{}", file.file_name().unwrap_or_default().to_string_lossy(), std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut new = options.open(&made).map_err(|cause| cannot("write beside", cause))?;
    let written = kept.iter().try_for_each(|line| writeln!(new, "{line}")).and_then(|()| new.sync_all());
    let renamed = written.and_then(|()| std::fs::rename(&made, file));
    renamed.map_err(|cause| {
        // What was begun is of no use.
        let _ = std::fs::remove_file(&made);
        cannot("write", cause)
    })?;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_replaced_and_taken_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("access");
        assert!(change(&file, "user", "ann", None).is_err());
        assert_eq!(change(&file, "user", "ann", Some("user ann read x")).unwrap(), 0);
        std::fs::write(&file, "# who\nuser ann read x\ntoken ann read y\nuser bob read z\n").unwrap();
        assert_eq!(change(&file, "user", "ann", Some("user ann admin w")).unwrap(), 1);
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, "# who\ntoken ann read y\nuser bob read z\nuser ann admin w\n");
        assert_eq!(change(&file, "token", "ann", None).unwrap(), 1);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "# who\nuser bob read z\nuser ann admin w\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
