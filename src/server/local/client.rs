//! HTTP to the owner, for code that blocks: a small runtime of its own, and a few connections kept open.

use std::future::Future;
use std::path::{Path, PathBuf};
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
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

use super::{socket, wire};
use crate::error::Error;
use crate::time::now;

/// Calls that may be made twice. Only they go over connections that were kept: that the owner has closed one can't be told
/// from a call that broke, and then they are made again.
const REPEATABLE: [&str; 3] = [wire::INFO, wire::NAMES, wire::FETCH];
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

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens; nothing was sent.
    #[error("no process serves the data folder any more")]
    Nobody,
    /// Nobody listens, and this process can't take the folder; nothing was sent.
    #[error("{0}")]
    Heir(Error),
    /// Nothing was sent.
    #[error("cannot connect to the process that holds the data folder: {0}")]
    Connect(std::io::Error),
    /// The connection broke: whether the call was carried out is unknown.
    #[error("the process that holds the data folder closed the connection: {0}")]
    Broken(String),
    /// No answer in time: it is stopped, or has no connection free.
    #[error("the process that holds the data folder does not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// A request over a limit; nothing was sent.
    #[error("{0}")]
    TooLarge(String),
    /// An answer of the log that says no.
    #[error("refused")]
    Conflict(Bytes),
    /// Any other status, or an answer that can't be read: a defect, or not the same version.
    #[error("the process that holds the data folder answered: {0}")]
    Unexpected(String),
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

/// A way to connect to the owner, for tasks of the client's runtime.
pub struct Connector {
    folder: PathBuf,
    idle: Mutex<Vec<Connection>>,
    heir: OnceLock<Arc<Heir>>,
}

/// An answer that comes bit by bit. Dropping it closes the connection.
pub struct Streaming {
    body: Incoming,
    _connection: Connection,
}

impl Streaming {
    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, CallError>> {
        loop {
            match self.body.frame().await? {
                Err(error) => return Some(Err(CallError::Broken(error.to_string()))),
                // Trailers aren't data.
                Ok(frame) => match frame.into_data() {
                    Ok(bytes) => return Some(Ok(bytes)),
                    Err(_) => continue,
                },
            }
        }
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
        let socket = socket::find(&self.folder).ok_or(CallError::Nobody)?;
        let stream = UnixStream::connect(socket).await.map_err(|cause| match cause.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => CallError::Nobody,
            _ => CallError::Connect(cause),
        })?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| CallError::Broken(error.to_string()))?;
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
        answer_time_max: Duration,
    ) -> Result<(Response<Incoming>, Connection), CallError> {
        if body.len() > wire::REQUEST_BYTES_MAX {
            return Err(CallError::TooLarge(format!(
                "a request of {} bytes is larger than what an attached terminal can send ({} bytes)",
                body.len(),
                wire::REQUEST_BYTES_MAX
            )));
        }
        let kept_max = if REPEATABLE.contains(&path) { KEPT_ATTEMPTS_MAX - 1 } else { 0 };
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
            let request = Request::builder()
                .method(&method)
                .uri(path)
                .header(hyper::header::HOST, "localhost")
                .body(Full::new(body.clone()))
                .map_err(|error| CallError::Unexpected(error.to_string()))?;
            match within(answer_time_max, connection.sender.send_request(request)).await? {
                Ok(response) => return Ok((response, connection)),
                Err(_) if was_kept => {}
                Err(error) => return Err(CallError::Broken(error.to_string())),
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
        let (response, connection) = self.send(method, path, body, answer_time_max).await?;
        let status = response.status();
        let bytes = match within(answer_time_max, response.into_body().collect()).await? {
            Ok(body) => body.to_bytes(),
            Err(error) => return Err(CallError::Broken(error.to_string())),
        };
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        drop(idle);
        answer_of(status, bytes)
    }

    /// Sends a request and gives its answer as it comes.
    pub async fn stream(&self, path: &str, body: Bytes) -> Result<Streaming, CallError> {
        // A statement takes the time that it takes.
        let (response, connection) = self.send(Method::POST, path, body, Duration::MAX).await?;
        let status = response.status();
        let body = response.into_body();
        if status == StatusCode::OK {
            return Ok(Streaming { body, _connection: connection });
        }
        let bytes = body.collect().await.map_err(|error| CallError::Broken(error.to_string()))?.to_bytes();
        answer_of(status, bytes).and(Err(CallError::Unexpected(status.to_string())))
    }
}

/// What comes of `future`, if it does so in time.
async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Result<T, CallError> {
    tokio::time::timeout(time, future).await.map_err(|_| CallError::Silent(time))
}

fn answer_of(status: StatusCode, bytes: Bytes) -> Result<Bytes, CallError> {
    match status {
        StatusCode::OK => Ok(bytes),
        StatusCode::CONFLICT => Err(CallError::Conflict(bytes)),
        _ => Err(CallError::Unexpected(format!("{status}: {}", String::from_utf8_lossy(&bytes)))),
    }
}

/// Calls to the owner of a folder from threads that block.
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
    pub fn new(folder: &Path) -> std::io::Result<Client> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("local-client")
            .enable_all()
            .build()?;
        let connector =
            Arc::new(Connector { folder: folder.to_owned(), idle: Mutex::default(), heir: OnceLock::new() });
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
        receiver.recv().unwrap_or_else(|_| Err(CallError::Broken("the client stopped".into())))
    }

    /// As [`Client::wait`], but not for ever.
    pub fn wait_at_most<T: Send + 'static>(
        &self,
        time: Duration,
        future: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        self.wait(async move {
            let late = |_| Err(CallError::Silent(time));
            tokio::time::timeout(time, future).await.unwrap_or_else(late)
        })
    }

    /// Makes a repeatable call again when its connection breaks.
    pub fn with_attempts<T>(&self, attempts: usize, call: impl Fn() -> Result<T, CallError>) -> Result<T, CallError> {
        for _ in 1..attempts {
            match call() {
                Err(CallError::Broken(_)) => {}
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
        parse(&self.post(path, write(call)?)?)
    }

    /// Reads JSON.
    pub fn get_json<T: DeserializeOwned>(&self, path: &'static str, time: Duration) -> Result<T, CallError> {
        let connector = Arc::clone(&self.connector);
        parse(&self.wait_at_most(time, async move { connector.call(Method::GET, path, Bytes::new(), time).await })?)
    }
}

/// A call as JSON.
pub fn write(call: &impl Serialize) -> Result<Vec<u8>, CallError> {
    serde_json::to_vec(call).map_err(|error| CallError::Unexpected(format!("a call can't be written: {error}")))
}

/// An answer's JSON.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CallError> {
    serde_json::from_slice(bytes)
        .map_err(|error| CallError::Unexpected(format!("an answer that can't be read: {error}")))
}
