//! A terminal's side: the engine of another process, as a [`Face`].

use crate::error::Audience;
use crate::messages;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Holder;
use super::remote_log::RemoteLog;
use super::routes::VERSION;
use super::rows::{LineReader, Progress};
use super::wire::{self, Info, InsertCall, OwnerInfo, ReplyHead, ResetCall, StatementAnswer, StatementCall};
use crate::engine::{
    Face, GroupStanding, Reply, Rest, ResultColumn, RowStream, Session, TopicLayout, TopicUsers, Trial,
};
use crate::error::{Error, Result};
use crate::log::{Log, TopicPartition};
use crate::server::client::{self, Address, CallError, Client, Heir, Place, Streaming, Who};

/// How long the owner may take to say who it is.
const ATTACH_TIME_MAX: Duration = Duration::from_secs(5);
/// Attempts to hear who the owner is: one that stops at this moment closes connections.
const ATTACH_ATTEMPTS: usize = 3;
/// How long the owner may take to give names for completion.
const NAMES_TIME_MAX: Duration = Duration::from_secs(1);
/// Events read ahead of the reader.
const EVENTS_MAX: usize = 4;

/// The engine of the process that holds a data folder.
pub struct Attached {
    client: Arc<Client>,
    log: Arc<RemoteLog>,
    owner: OwnerInfo,
}

/// Attaches to the process that serves the folder. `None`: nobody listens (no socket, or one that a killed process left).
/// An owner that just starts or stops doesn't listen (yet): who then can't get the folder's lock either tries again.
///
/// # Errors
/// The owner has another version or doesn't answer.
pub fn attach(folder: &Path) -> Result<Option<Attached>> {
    let Ok(folder) = folder.canonicalize() else { return Ok(None) };
    let client = Client::new(Place::Folder(folder.clone()))
        .map_err(|cause| Error::world(format!("cannot start a client: {cause}")))?;
    let mut attempt = 1;
    let info: serde_json::Value = loop {
        match client.get_json(wire::INFO, ATTACH_TIME_MAX) {
            Ok(info) => break info,
            Err(CallError::Nobody) => return Ok(None),
            // No folder, or one without rights: opening it says so, with the path.
            Err(CallError::Connect(_, cause))
                if matches!(cause.kind(), ErrorKind::NotADirectory | ErrorKind::PermissionDenied) =>
            {
                return Ok(None);
            }
            Err(CallError::Broken(..)) if attempt < ATTACH_ATTEMPTS => attempt += 1,
            Err(error) => return Err(face_error(&error)),
        }
    };
    let whose = |pid: &str| format!("the data folder {} is held by process {pid}", folder.display());
    let owner = known_owner(whose, info)?;
    Ok(Some(Attached::over(client, owner)))
}

/// Attaches to a server on the network.
///
/// # Errors
/// It doesn't answer, lets nobody in who says no more than this of who it is, or has another version.
pub fn attach_to_server(address: &Address) -> Result<Attached> {
    let client = Client::new(Place::Server(address.clone()));
    let client = client.map_err(|cause| Error::world(format!("cannot start a client: {cause}")))?;
    let info: serde_json::Value = client.get_json(wire::INFO, ATTACH_TIME_MAX).map_err(|error| match error {
        CallError::Connect(..) | CallError::Silent(..) => {
            face_error(&error).hint("is it running, and is this its address? `millpond server` starts one")
        }
        error => face_error(&error),
    })?;
    let who = client.connector.who.clone();
    if info.get("MillpondInfo").is_none() {
        return Err(Error::world(format!("{who} is none of Millpond")).hint("its API can be asked with curl"));
    }
    let owner = known_owner(|pid| format!("{who} is process {pid}"), info)?;
    Ok(Attached::over(client, owner))
}

fn broken(who: &Who, what: &str) -> CallError {
    CallError::Broken(who.clone(), what.to_owned())
}

/// The owner, when it has this version. Of another one only version and process id are read.
fn known_owner(whose: impl Fn(&str) -> String, info: serde_json::Value) -> Result<OwnerInfo> {
    let version = info.pointer("/MillpondInfo/version").and_then(|version| version.as_str()).unwrap_or("(unknown)");
    if version == VERSION {
        return serde_json::from_value::<Info>(info)
            .map(|info| info.owner)
            .map_err(|error| Error::internal(format!("cannot read who answers: {error}")));
    }
    let pid = info.pointer("/MillpondInfo/pid").map_or("(unknown)".into(), ToString::to_string);
    Err(Error::world(format!("{} of millpond {version}, and this is millpond {VERSION}", whose(&pid),))
        .hint("use the same version, or stop that process first"))
}

fn face_error(error: &CallError) -> Error {
    match error {
        CallError::TooLarge(text) => messages::relayed(Audience::Statement, text),
        CallError::Conflict(_) | CallError::Unexpected(..) => Error::internal(error.to_string()),
        CallError::Heir(error) => error.clone(),
        CallError::Connect(..) => Error::world(error.to_string()),
        CallError::Refused(..) => {
            Error::world(error.to_string()).hint("say who you are with --user NAME or --token-file FILE")
        }
        CallError::Silent(..) => Error::world(error.to_string()).hint("it may be stopped, or serve too many terminals"),
        CallError::Nobody | CallError::Broken(..) => {
            Error::world(error.to_string()).hint("run the command again: the process may have ended or been restarted")
        }
    }
}

impl Attached {
    fn over(client: Client, owner: OwnerInfo) -> Attached {
        let client = Arc::new(client);
        let log = Arc::new(RemoteLog::new(Arc::clone(&client), owner.durability));
        Attached { client, log, owner }
    }

    /// The process that holds the folder.
    pub fn owner_pid(&self) -> u32 {
        self.owner.pid
    }

    /// What the process that holds the folder told of itself.
    pub fn holder(&self) -> &Holder {
        &self.owner.holder
    }

    /// When the owner has ended, calls that follow ask `heir` to take the folder, or wait for its next owner.
    #[must_use]
    pub fn with_heir(self, heir: Arc<Heir>) -> Attached {
        self.client.connector.set_heir(heir);
        self
    }

    /// A call that may be made twice, and what comes of it.
    fn outcome<T: serde::de::DeserializeOwned>(&self, path: &'static str, call: &impl serde::Serialize) -> Result<T> {
        let outcome = self.client.with_attempts(client::ATTEMPTS_MAX, || self.client.post_json(path, call));
        outcome.map_err(|error| face_error(&error))?
    }

    /// Sends a statement; its answer's head, and the rest of the answer with the bytes of it that have come.
    fn ask(&self, session: &Session, statement: &str) -> Result<(StatementAnswer, Streaming, Vec<u8>), CallError> {
        let call = StatementCall { session: session.clone(), statement: statement.to_owned() };
        let call = self.client.write(&call)?;
        let connector = Arc::clone(&self.client.connector);
        self.client.wait(async move {
            let mut answer = connector.stream(wire::STATEMENT, call.into()).await?;
            let mut bytes = Vec::new();
            loop {
                let searched = bytes.len();
                match answer.next().await {
                    Some(chunk) => bytes.extend_from_slice(&chunk?),
                    None => return Err(broken(&connector.who, "the answer is cut off")),
                }
                if let Some(end) = memchr::memchr(b'\n', &bytes[searched..]) {
                    let head = connector.parse(&bytes[..searched + end])?;
                    bytes.drain(..=searched + end);
                    return Ok((head, answer, bytes));
                }
            }
        })
    }

    /// Rows as they come. A thread reads them ahead of the reader by a few events.
    fn rows(
        &self,
        columns: Vec<ResultColumn>,
        query_id: Option<String>,
        answer: Streaming,
        first: Vec<u8>,
    ) -> Result<RowStream> {
        let (sender, events) = crate::engine::event_channel(EVENTS_MAX, crate::engine::CHANNEL_BYTES_MAX);
        let (chunks, mut arrived) = tokio::sync::mpsc::channel(EVENTS_MAX);
        let (drop_signal, dropped) = tokio::sync::oneshot::channel::<()>();
        self.client.spawn(async move {
            tokio::select! {
                () = pump(answer, first, chunks) => {}
                // The connection closes with the answer, which ends the query in the owner.
                _ = dropped => {}
            }
        });
        let client = Arc::clone(&self.client);
        std::thread::Builder::new()
            .name("local-rows".into())
            .spawn(move || {
                // The client lives as long as its rows.
                let client = client;
                let mut reader = LineReader::new(sender);
                while let Some(chunk) = arrived.blocking_recv() {
                    match chunk {
                        Ok(bytes) if reader.take(&bytes) == Progress::More => {}
                        Ok(_) => return,
                        Err(error) => return reader.broken(face_error(&error)),
                    }
                }
                reader.broken(face_error(&broken(&client.connector.who, "before the end of the rows")));
            })
            .map_err(|cause| Error::world(format!("cannot start a thread: {cause}")))?;
        Ok(RowStream { columns, query_id, events, on_drop: Some(Box::new(move || drop(drop_signal))) })
    }
}

/// Gives the bytes of an answer to the thread that reads them, until one side ends.
async fn pump(
    mut answer: Streaming,
    first: Vec<u8>,
    chunks: tokio::sync::mpsc::Sender<Result<bytes::Bytes, CallError>>,
) {
    let mut next = Some(Ok(first.into()));
    while let Some(chunk) = next {
        if chunks.send(chunk).await.is_err() {
            return;
        }
        next = answer.next().await;
    }
}

impl Face for Attached {
    fn execute(&self, session: &mut Session, statement: &str) -> Result<Reply> {
        let (head, answer, first) = self.ask(session, statement).map_err(|error| face_error(&error))?;
        *session = head.session;
        match head.reply {
            ReplyHead::Done(status) => Ok(Reply::Done(status)),
            ReplyHead::Facts(told) => Ok(Reply::Facts(told)),
            ReplyHead::Rows { columns, query_id } => Ok(Reply::Rows(self.rows(columns, query_id, answer, first)?)),
            ReplyHead::Failed(error) => Err(error),
        }
    }

    fn await_command(&self, offset: i64, longest: Duration) -> Result<bool> {
        self.outcome(wire::AWAIT, &(offset, longest))
    }

    fn insert(&self, target: &str, rows: &[String], properties: &BTreeMap<String, String>) -> Result<(), Rest> {
        let (target, rows, properties) = (target.to_owned(), rows.to_vec(), properties.clone());
        // Once only: a row that is written twice is there twice.
        let outcome: Result<Result<(), Rest>, CallError> =
            self.client.post_json(wire::INSERT, &InsertCall { target, rows, properties });
        outcome.unwrap_or_else(|error| Err(Rest { written: 0, error: face_error(&error) }))
    }

    fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log) as Arc<dyn Log>
    }

    fn names(&self) -> Vec<String> {
        // Completion does without.
        self.client.get_json(wire::NAMES, NAMES_TIME_MAX).unwrap_or_default()
    }

    fn topic_users(&self, topic: &str) -> Result<TopicUsers> {
        let users = self.client.with_attempts(client::ATTEMPTS_MAX, || self.client.post_json(wire::USERS, &topic));
        users.map_err(|error| face_error(&error))
    }

    fn groups(&self, wanted: Option<&str>) -> Result<Vec<GroupStanding>> {
        self.outcome(wire::GROUPS, &wanted)
    }

    fn reset_group(&self, group: &str, positions: &BTreeMap<TopicPartition, i64>, trial: Trial) -> Result<()> {
        let positions = positions.iter().map(|(place, offset)| (place.clone(), *offset)).collect();
        self.outcome(wire::RESET, &ResetCall { group: group.to_owned(), positions, trial })
    }

    fn layouts(&self) -> BTreeMap<String, TopicLayout> {
        // Records are shown as they are then.
        self.client.get_json(wire::LAYOUTS, NAMES_TIME_MAX).unwrap_or_default()
    }
}
