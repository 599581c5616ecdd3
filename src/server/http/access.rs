//! Who may do what: users with passwords and bearer tokens, from one file.
//!
//! A line each, `#` for comments: `user NAME ROLE HASH`, an Argon2id hash in PHC form; `token NAME ROLE HASH`, the token's
//! SHA-256 in hex. `millpond access` writes such lines. A server takes changes of its file in by itself.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use parking_lot::{Mutex, RwLock};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::messages;
use crate::report;
use crate::time::now;

/// What somebody may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Queries, and what SHOW, DESCRIBE and EXPLAIN tell.
    Read,
    /// Rows: INSERT, DELETE.
    Write,
    /// All else: definitions, persistent queries.
    Admin,
}

impl Role {
    /// By their names.
    pub const NAMES: [&'static str; 3] = ["read", "write", "admin"];

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Role> {
        [Role::Read, Role::Write, Role::Admin].into_iter().find(|role| role.name() == name)
    }

    /// `read`, `write` or `admin`.
    pub fn name(self) -> &'static str {
        Role::NAMES[self as usize]
    }
}

/// What is known of an Authorization header without work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quick {
    Known(Role),
    Nobody,
    /// The password must be hashed.
    Unknown,
}

/// How often a server looks whether its file has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Passwords that were found right and need no hashing again; it is slow on purpose.
const REMEMBERED_MAX: usize = 1024;
/// Letters and digits, so that a name stands in a line of the file and in a header as it is.
const NAME_CHARS_MAX: usize = 64;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Entries {
    /// By name: role and hash.
    users: HashMap<String, (Role, String)>,
    /// By hash.
    tokens: HashMap<[u8; 32], Role>,
}

/// The users and tokens of a file.
pub struct Access {
    file: PathBuf,
    entries: RwLock<Arc<Entries>>,
    /// When it was looked at last, and how old the file was then.
    looked: Mutex<(Instant, Option<SystemTime>)>,
    /// Hashes of Authorization headers that were found right, for these entries.
    remembered: Mutex<HashMap<[u8; 32], Role>>,
}

impl Access {
    /// Reads a file.
    ///
    /// # Errors
    /// It can't be read, or a line isn't as it must be; the error names it.
    pub fn open(file: &Path) -> Result<Access> {
        let changed = changed(file);
        let entries = RwLock::new(Arc::new(read(file)?));
        Ok(Access {
            file: file.to_owned(),
            entries,
            looked: Mutex::new((now(), changed)),
            remembered: Mutex::default(),
        })
    }

    /// The role of who sends this Authorization header, where it is known at once.
    pub fn quick_role(&self, authorization: &str) -> Quick {
        self.look();
        let Some((scheme, credentials)) = authorization.split_once(' ') else { return Quick::Nobody };
        let fingerprint = sha256(credentials.trim());
        let known = match scheme.to_ascii_lowercase().as_str() {
            "bearer" => self.entries.read().tokens.get(&fingerprint).copied(),
            "basic" => match self.remembered.lock().get(&fingerprint) {
                Some(role) => Some(*role),
                None => return Quick::Unknown,
            },
            _ => None,
        };
        known.map_or(Quick::Nobody, Quick::Known)
    }

    /// The role of who sends this Authorization header. None: nobody that is known. Takes tens of milliseconds where
    /// [`Access::quick_role`] doesn't know it.
    pub fn role(&self, authorization: &str) -> Option<Role> {
        match self.quick_role(authorization) {
            Quick::Known(role) => Some(role),
            Quick::Nobody => None,
            Quick::Unknown => self.checked_role(authorization.split_once(' ')?.1.trim()),
        }
    }

    fn checked_role(&self, credentials: &str) -> Option<Role> {
        let entries = self.entries.read().clone();
        let fingerprint = sha256(credentials);
        let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
        let (name, password) = decoded.split_once(':')?;
        let (role, hash) = match entries.users.get(name) {
            Some((role, hash)) => (Some(*role), hash.as_str()),
            // As long as for one that there is.
            None => (None, NOBODY),
        };
        let hash = PasswordHash::new(hash).ok()?;
        let right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        let role = role.filter(|_| right)?;
        // Meanwhile the file may have changed: what is remembered is of the present entries.
        if Arc::ptr_eq(&entries, &self.entries.read()) {
            let mut remembered = self.remembered.lock();
            if remembered.len() >= REMEMBERED_MAX {
                remembered.clear();
            }
            remembered.insert(fingerprint, role);
        }
        Some(role)
    }

    /// Takes a change of the file in. A file that can't be read leaves things as they were, and is told of.
    fn look(&self) {
        let mut looked = self.looked.lock();
        if looked.0.elapsed() < LOOK_EVERY {
            return;
        }
        let changed = changed(&self.file);
        looked.0 = now();
        if changed == looked.1 {
            return;
        }
        looked.1 = changed;
        match read(&self.file) {
            Ok(entries) => {
                *self.entries.write() = Arc::new(entries);
                self.remembered.lock().clear();
            }
            Err(error) => report::warning(&format!("who has access stays as it was: {error}")),
        }
    }
}

/// Of a password that nobody has.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn changed(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn read(file: &Path) -> Result<Entries> {
    let text = std::fs::read_to_string(file)
        .map_err(|cause| Error::world(format!("cannot read the access file {}: {cause}", file.display())))?;
    let mut entries = Entries::default();
    for (i, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first().is_none_or(|word| word.starts_with('#')) {
            continue;
        }
        put(&mut entries, &words).map_err(|why| {
            Error::world(format!("{}, line {}: {why}", file.display(), i + 1))
                .hint("lines are `user NAME ROLE HASH` or `token NAME ROLE HASH`, as `millpond access` writes them")
        })?;
    }
    Ok(entries)
}

fn put(entries: &mut Entries, words: &[&str]) -> Result<(), String> {
    let [kind, name, role, hash] = words else { return Err(format!("{} words instead of 4", words.len())) };
    let role = Role::from_name(role).ok_or_else(|| format!("'{role}' is no role: {}", Role::NAMES.join(", ")))?;
    match *kind {
        "user" => {
            PasswordHash::new(hash).map_err(|_| "the hash of the password is not in PHC form".to_owned())?;
            match entries.users.insert((*name).to_owned(), (role, (*hash).to_owned())) {
                None => Ok(()),
                Some(_) => Err(format!("user {name} stands there twice")),
            }
        }
        "token" => {
            let hash = hash_of(hash).ok_or("the hash of the token is not SHA-256 in hex")?;
            entries.tokens.insert(hash, role);
            Ok(())
        }
        kind => Err(format!("'{kind}' is neither `user` nor `token`")),
    }
}

fn hash_of(hex: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (i, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(hash)
}

fn check_name(name: &str) -> Result<()> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    match !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(is_fine) {
        true => Ok(()),
        false => Err(messages::access::name(name, NAME_CHARS_MAX)),
    }
}

/// The line of a user. Takes tens of milliseconds.
///
/// # Errors
/// The name has characters that it may not have, or the password is empty.
pub fn user_line(name: &str, role: Role, password: &str) -> Result<String> {
    check_name(name)?;
    if password.is_empty() {
        return Err(messages::access::empty_password());
    }
    let failed = |error: argon2::password_hash::Error| Error::internal(format!("the password was not hashed: {error}"));
    let salt = SaltString::encode_b64(uuid::Uuid::new_v4().as_bytes()).map_err(failed)?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(failed)?;
    Ok(format!("user {name} {} {hash}", role.name()))
}

/// A new token, and its line.
///
/// # Errors
/// The name has characters that it may not have.
pub fn new_token(name: &str, role: Role) -> Result<(String, String)> {
    check_name(name)?;
    let random = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat();
    let token = URL_SAFE_NO_PAD.encode(random);
    let hash: String = sha256(&token).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((token, format!("token {name} {} {hash}", role.name())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(name: &str, password: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
    }

    #[test]
    fn users_and_tokens_have_their_roles() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("access");
        let (token, token_line) = new_token("ci", Role::Write).unwrap();
        let user = user_line("ann", Role::Admin, "pass:word").unwrap();
        std::fs::write(&file, format!("# who\n\n{user}\n{token_line}\n")).unwrap();
        let access = Access::open(&file).unwrap();
        for _ in 0..2 {
            assert_eq!(access.role(&basic("ann", "pass:word")), Some(Role::Admin));
            assert_eq!(access.role(&format!("bearer {token}")), Some(Role::Write));
        }
        let wrong = [
            basic("ann", "pass"),
            basic("bob", "pass:word"),
            basic("", ""),
            "Basic ???".into(),
            "Basic".into(),
            format!("Bearer {token}x"),
            format!("Digest {token}"),
            String::new(),
        ];
        for header in wrong {
            assert_eq!(access.role(&header), None, "{header}");
        }
        assert!(!std::fs::read_to_string(&file).unwrap().contains("pass:word"));
        assert!(!token_line.contains(&token));
    }

    #[test]
    fn a_changed_file_is_taken_in() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("access");
        std::fs::write(&file, user_line("ann", Role::Admin, "a").unwrap()).unwrap();
        let access = Access::open(&file).unwrap();
        assert_eq!(access.role(&basic("ann", "a")), Some(Role::Admin));
        std::fs::write(&file, user_line("ann", Role::Read, "b").unwrap()).unwrap();
        // As if the second had passed, and the file's time were told apart.
        *access.looked.lock() = (now().checked_sub(LOOK_EVERY).unwrap(), None);
        assert_eq!(access.role(&basic("ann", "a")), None);
        assert_eq!(access.role(&basic("ann", "b")), Some(Role::Read));
        std::fs::write(&file, "nonsense").unwrap();
        *access.looked.lock() = (now().checked_sub(LOOK_EVERY).unwrap(), None);
        assert_eq!(access.role(&basic("ann", "b")), Some(Role::Read));
    }

    #[test]
    fn a_wrong_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("access");
        let user = user_line("ann", Role::Admin, "a").unwrap();
        let wrong = [
            ("user ann admin", "3 words"),
            ("user ann boss x", "no role"),
            ("user ann read x", "PHC"),
            ("token ann read 00", "SHA-256"),
            ("group ann read x", "neither"),
            (&user, "twice"),
        ];
        for (line, why) in wrong {
            std::fs::write(&file, format!("{user}\n{line}\n")).unwrap();
            let error = Access::open(&file).err().unwrap();
            assert!(error.what.contains("line 2") && error.what.contains(why), "{error}");
        }
        assert!(Access::open(&folder.path().join("none")).is_err());
        assert!(user_line("a b", Role::Read, "x").is_err() && user_line("a", Role::Read, "").is_err());
    }

    #[test]
    fn the_hash_of_nobody_is_one() {
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
