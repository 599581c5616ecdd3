//! HTTP to a process that serves, for code that blocks: a small runtime of its own, and a few connections kept open.
//!
//! The other side is the process that holds a data folder, over the folder's socket, or a server on the network ([`Place`]).

mod place;
mod tls;

pub use place::{Address, Credentials, Place};

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

use super::http::PEER_PATHS;
use super::local::{REPEATABLE, REQUEST_BYTES_MAX};
use crate::error::Error;
use crate::time::now;

/// Connections kept open for the next call.
const IDLE_MAX: usize = 4;
/// Attempts when connections that were kept turn out to be closed; the last one is over a fresh one.
const KEPT_ATTEMPTS_MAX: usize = IDLE_MAX + 1;
/// Attempts of a repeatable call whose connection breaks: at its end, an owner breaks those that it has not read from.
pub const ATTEMPTS_MAX: usize = 4;
/// How long the owner may take to answer a call about topics: longer than a disk that is busy needs for a commit.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// How long to wait for a process that is taking or letting go of the folder.
const SUCCESSION_MAX: Duration = Duration::from_secs(10);
const SUCCESSION_STEP: Duration = Duration::from_millis(20);

/// Who is called, as errors name it.
pub type Who = Arc<str>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens on the folder's socket; nothing was sent.
    #[error("no process serves the data folder any more")]
    Nobody,
    /// Nobody listens there, and this process can't take the folder; nothing was sent.
    #[error("{0}")]
    Heir(Error),
    /// Nothing was sent.
    #[error("cannot connect to {0}: {1}")]
    Connect(Who, std::io::Error),
    /// The connection broke: whether the call was carried out is unknown.
    #[error("{0} closed the connection: {1}")]
    Broken(Who, String),
    /// No answer in time: it is stopped, or has no connection free.
    #[error("{0} does not answer within {seconds} s", seconds = .1.as_secs())]
    Silent(Who, Duration),
    /// A request over a limit; nothing was sent.
    #[error("{0}")]
    TooLarge(String),
    /// An answer of the log that says no.
    #[error("refused")]
    Conflict(Bytes),
    /// Who asks may not (401, 403).
    #[error("{0} refuses: {1}")]
    Refused(Who, String),
    /// Any other status, or an answer that can't be read: a defect, or not the same version.
    #[error("{0} answered: {1}")]
    Unexpected(Who, String),
}

/// A connection, and the end of its task.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What became of an attempt to follow an owner that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Succession {
    /// This process holds the folder and serves it.
    Serving,
    /// Another process holds it: one that doesn't serve it yet, or no more.
    Held,
    /// This process doesn't want the folder any more.
    Declined,
}

/// Takes the folder when nobody serves it. May block; is called by one thread at a time or by several.
pub type Heir = dyn Fn() -> Result<Succession, Error> + Send + Sync;

/// A way to connect, for tasks of the client's runtime.
pub struct Connector {
    place: Place,
    /// How errors name the other side.
    pub who: Who,
    idle: Mutex<Vec<Connection>>,
    heir: OnceLock<Arc<Heir>>,
}

/// An answer that comes bit by bit. Dropping it closes the connection.
pub struct Streaming {
    body: Incoming,
    who: Who,
    _connection: Connection,
}

impl Streaming {
    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, CallError>> {
        loop {
            match self.body.frame().await? {
                Err(error) => return Some(Err(CallError::Broken(self.who.clone(), error.to_string()))),
                // Trailers aren't data.
                Ok(frame) => match frame.into_data() {
                    Ok(bytes) => return Some(Ok(bytes)),
                    Err(_) => continue,
                },
            }
        }
    }
}

impl Streaming {
    /// All of it.
    pub async fn whole(mut self) -> Result<Bytes, CallError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes.into())
    }
}

impl Connector {
    /// Whom to ask to take the folder when nobody serves it. The first one stays.
    pub fn set_heir(&self, heir: Arc<Heir>) {
        let _ = self.heir.set(heir);
    }

    /// Connects to the owner of now: where there is an heir, it follows an owner that has ended.
    async fn connect(&self) -> Result<Connection, CallError> {
        let until = now() + SUCCESSION_MAX;
        loop {
            let heir = match (self.connect_once().await, self.heir.get()) {
                (Err(CallError::Nobody), Some(heir)) => Arc::clone(heir),
                (result, _) => return result,
            };
            match tokio::task::spawn_blocking(move || heir()).await {
                Ok(Ok(Succession::Serving)) => {}
                Ok(Ok(Succession::Held)) if now() < until => tokio::time::sleep(SUCCESSION_STEP).await,
                Ok(Err(error)) => return Err(CallError::Heir(error)),
                Ok(Ok(_)) | Err(_) => return Err(CallError::Nobody),
            }
        }
    }

    async fn connect_once(&self) -> Result<Connection, CallError> {
        let stream = self.place.connect(&self.who).await?;
        let broken = |error: hyper::Error| CallError::Broken(self.who.clone(), error.to_string());
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // An error of the connection is seen by the call that uses it.
        let task = tokio::spawn(async move { drop(connection.await) }).abort_handle();
        Ok(Connection { sender, task })
    }

    /// Sends a request: over a connection that was kept, where that may be, else over a new one. Gives an answer that
    /// isn't read yet.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        accept: Option<&'static str>,
        answer_time_max: Duration,
    ) -> Result<(Response<Incoming>, Connection), CallError> {
        if body.len() > REQUEST_BYTES_MAX {
            return Err(CallError::TooLarge(format!(
                "a request of {} bytes is larger than what an attached terminal can send ({} bytes)",
                body.len(),
                REQUEST_BYTES_MAX
            )));
        }
        let kept_max = if REPEATABLE.contains(&path) || PEER_PATHS.contains(&path) { KEPT_ATTEMPTS_MAX - 1 } else { 0 };
        let mut attempt = 0;
        loop {
            let kept = if attempt < kept_max { self.idle.lock().pop() } else { None };
            let was_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            attempt += 1;
            if was_kept && connection.sender.ready().await.is_err() {
                continue;
            }
            let request = Request::builder().method(&method).uri(path).header(hyper::header::HOST, self.place.host());
            let request = match self.place.authorization() {
                Some(authorization) => request.header(hyper::header::AUTHORIZATION, authorization),
                None => request,
            };
            let request = match accept {
                Some(accept) => request.header(hyper::header::ACCEPT, accept),
                None => request,
            };
            let request = request.body(Full::new(body.clone())).map_err(|error| self.unexpected(error))?;
            match self.within(answer_time_max, connection.sender.send_request(request)).await? {
                Ok(response) => return Ok((response, connection)),
                Err(_) if was_kept => {}
                Err(error) => return Err(CallError::Broken(self.who.clone(), error.to_string())),
            }
        }
    }

    /// Sends a request and reads the whole answer, which must begin and end in time.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        answer_time_max: Duration,
    ) -> Result<Bytes, CallError> {
        let (response, connection) = self.send(method, path, body, None, answer_time_max).await?;
        let status = response.status();
        let bytes = match self.within(answer_time_max, response.into_body().collect()).await? {
            Ok(body) => body.to_bytes(),
            Err(error) => return Err(CallError::Broken(self.who.clone(), error.to_string())),
        };
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        drop(idle);
        self.answer_of(status, bytes)
    }

    /// Sends a request and gives its answer as it comes.
    pub async fn stream(&self, path: &str, body: Bytes) -> Result<Streaming, CallError> {
        let (status, answer) = self.open(path, body).await?;
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let bytes = answer.whole().await?;
        self.answer_of(status, bytes).and(Err(self.unexpected(status)))
    }

    /// As [`Connector::stream`], whatever the status.
    pub async fn open(&self, path: &str, body: Bytes) -> Result<(StatusCode, Streaming), CallError> {
        self.open_as(path, body, None).await
    }

    /// As [`Connector::open`]; `accept`: the content type that is wanted.
    pub async fn open_as(
        &self,
        path: &str,
        body: Bytes,
        accept: Option<&'static str>,
    ) -> Result<(StatusCode, Streaming), CallError> {
        // A statement takes the time that it takes.
        let (response, connection) = self.send(Method::POST, path, body, accept, Duration::MAX).await?;
        let status = response.status();
        Ok((status, Streaming { body: response.into_body(), who: self.who.clone(), _connection: connection }))
    }

    fn answer_of(&self, status: StatusCode, bytes: Bytes) -> Result<Bytes, CallError> {
        match status {
            StatusCode::OK => Ok(bytes),
            StatusCode::CONFLICT => Err(CallError::Conflict(bytes)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(CallError::Refused(self.who.clone(), message_of(&bytes)))
            }
            _ => Err(self.unexpected(format!("{status}: {}", String::from_utf8_lossy(&bytes)))),
        }
    }

    /// An answer's JSON.
    pub fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CallError> {
        serde_json::from_slice(bytes).map_err(|error| self.unexpected(format!("an answer that can't be read: {error}")))
    }

    fn unexpected(&self, what: impl ToString) -> CallError {
        CallError::Unexpected(self.who.clone(), what.to_string())
    }

    /// What comes of `future`, if it does so in time.
    async fn within<T>(&self, time: Duration, future: impl Future<Output = T>) -> Result<T, CallError> {
        tokio::time::timeout(time, future).await.map_err(|_| CallError::Silent(self.who.clone(), time))
    }
}

/// What the API's error says, or the text as it is.
fn message_of(bytes: &[u8]) -> String {
    let told = serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let message = told.as_ref().and_then(|told| told["message"].as_str());
    message.map_or_else(|| String::from_utf8_lossy(bytes).into_owned(), str::to_owned)
}

/// Calls from threads that block.
pub struct Client {
    pub connector: Arc<Connector>,
    /// How long the owner may take to answer what is posted.
    pub answer_time_max: Duration,
    /// Taken when dropped.
    runtime: Option<Runtime>,
    handle: tokio::runtime::Handle,
}

impl Drop for Client {
    fn drop(&mut self) {
        // Waiting for it is not possible everywhere (not in another runtime), and there is nothing to wait for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Client {
    pub fn new(place: Place) -> std::io::Result<Client> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("local-client")
            .enable_all()
            .build()?;
        let who = place.who().into();
        let connector = Arc::new(Connector { place, who, idle: Mutex::default(), heir: OnceLock::new() });
        let answer_time_max = ANSWER_TIME_MAX;
        Ok(Client { connector, answer_time_max, handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Starts a task that ends with the client.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(task));
    }

    /// Waits for a future that runs on the client's runtime.
    pub fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.spawn(async move {
            // The receiver waits below.
            let _ = sender.send(future.await);
        });
        let stopped = || CallError::Broken(self.connector.who.clone(), "the client stopped".into());
        receiver.recv().unwrap_or_else(|_| Err(stopped()))
    }

    /// As [`Client::wait`], but not for ever.
    pub fn wait_at_most<T: Send + 'static>(
        &self,
        time: Duration,
        future: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        let who = self.connector.who.clone();
        self.wait(async move {
            let late = |_| Err(CallError::Silent(who, time));
            tokio::time::timeout(time, future).await.unwrap_or_else(late)
        })
    }

    /// Makes a repeatable call again when its connection breaks.
    pub fn with_attempts<T>(&self, attempts: usize, call: impl Fn() -> Result<T, CallError>) -> Result<T, CallError> {
        for _ in 1..attempts {
            match call() {
                Err(CallError::Broken(..)) => {}
                result => return result,
            }
        }
        call()
    }

    /// Posts bytes and reads bytes.
    pub fn post(&self, path: &'static str, body: impl Into<Bytes>) -> Result<Bytes, CallError> {
        let (connector, body, time) = (Arc::clone(&self.connector), body.into(), self.answer_time_max);
        self.wait(async move { connector.call(Method::POST, path, body, time).await })
    }

    /// Posts JSON and reads JSON.
    pub fn post_json<T: DeserializeOwned>(&self, path: &'static str, call: &impl Serialize) -> Result<T, CallError> {
        self.parse(&self.post(path, self.write(call)?)?)
    }

    /// Reads JSON.
    pub fn get_json<T: DeserializeOwned>(&self, path: &'static str, time: Duration) -> Result<T, CallError> {
        let connector = Arc::clone(&self.connector);
        self.parse(
            &self.wait_at_most(time, async move { connector.call(Method::GET, path, Bytes::new(), time).await })?,
        )
    }

    /// A call as JSON.
    pub fn write(&self, call: &impl Serialize) -> Result<Vec<u8>, CallError> {
        serde_json::to_vec(call).map_err(|error| self.unexpected(format!("a call can't be written: {error}")))
    }

    /// An answer's JSON.
    pub fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CallError> {
        self.connector.parse(bytes)
    }

    /// An answer that isn't one.
    pub fn unexpected(&self, what: impl ToString) -> CallError {
        self.connector.unexpected(what)
    }
}
