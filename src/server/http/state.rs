//! What all requests of a server share.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::HttpOptions;
use super::access::Access;
use super::admission::Admission;
use super::cluster::Hosts;
use super::commands::Commands;
use super::failure::{Code, Failure};
use super::guard::CHECKS_MAX;
use super::limits::{COMMAND_WAIT_MAX, PUSH_QUERIES_MAX, TERMINAL_CALLS_MAX};
use super::metrics::Metrics;
use super::peers::Company;
use crate::engine::Face;
use crate::error::{Error, Result};
use crate::server::Holder;
use crate::server::local::Owner;

/// A server's engine, and what runs on it for clients.
pub struct State {
    pub face: Arc<dyn Face>,
    /// Of what the engine is.
    pub holder: Holder,
    /// The same for the calls of terminals; knows when the server stops.
    pub owner: Arc<Owner>,
    /// None: whoever can connect may do all.
    pub access: Option<Access>,
    /// The origins whose web pages may ask; `*`: all.
    pub origins: Vec<String>,
    /// Where it listens.
    pub address: SocketAddr,
    /// It listens for this machine only.
    pub loopback: bool,
    /// What requests' sessions begin with.
    pub properties: BTreeMap<String, String>,
    /// Lets pull queries in.
    pub pulls: Admission,
    push_queries_max: usize,
    /// Each request is told of.
    pub log_requests: bool,
    /// Time for which the client of a push query may take nothing while rows wait for it.
    pub slow_client_max: Duration,
    /// So many passwords are checked at once.
    pub checks: Arc<Semaphore>,
    /// Calls of terminals, one a permit.
    pub calls: Arc<Semaphore>,
    /// What was asked of it.
    pub metrics: Metrics,
    running: Mutex<HashMap<String, Arc<Running>>>,
    /// What became of commands.
    pub commands: Commands,
    /// Other processes that told of themselves.
    pub hosts: Arc<Hosts>,
    /// This server among the processes of its service, where they can meet.
    pub company: Option<Company>,
    /// The service was ended for good.
    pub terminated: AtomicBool,
}

/// A push query that runs for a client.
pub struct Running {
    /// Ends the query, which ends its rows.
    end: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Running {
    /// Ends the query, once.
    pub fn end(&self) {
        if let Some(end) = self.end.lock().take() {
            end();
        }
    }
}

/// Takes a push query out of the list when its rows have ended.
pub struct Registered {
    state: Arc<State>,
    id: String,
    pub running: Arc<Running>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.running.end();
        self.state.running.lock().remove(&self.id);
    }
}

impl State {
    pub fn new(
        face: Arc<dyn Face>,
        holder: Holder,
        access: Option<Access>,
        options: &HttpOptions,
        address: SocketAddr,
        hosts: Arc<Hosts>,
        company: Option<Company>,
    ) -> Self {
        let owner = Owner { face: face.clone(), holder: holder.clone(), stopping: AtomicBool::new(false) };
        State {
            owner: Arc::new(owner),
            face,
            holder,
            access,
            origins: options.origins.clone(),
            address,
            loopback: options.listen.ip().is_loopback(),
            properties: options.properties.clone(),
            pulls: Admission::new(options.queries),
            push_queries_max: options.queries.push_max.unwrap_or(PUSH_QUERIES_MAX),
            log_requests: options.log_requests,
            slow_client_max: options.slow_client_max,
            checks: Arc::new(Semaphore::new(CHECKS_MAX)),
            calls: Arc::new(Semaphore::new(TERMINAL_CALLS_MAX)),
            metrics: Metrics::default(),
            running: Mutex::default(),
            commands: Commands::default(),
            hosts,
            company,
            terminated: AtomicBool::new(false),
        }
    }

    /// Lists a push query; `end` ends it.
    ///
    /// Errors: there are as many as may be, or the server stops. The query is ended then.
    pub fn register(self: &Arc<Self>, id: &str, end: Option<Box<dyn FnOnce() + Send>>) -> Result<Registered, Failure> {
        let mut queries = self.running.lock();
        let refused = if self.is_stopping() {
            Some(stopping())
        } else if queries.len() >= self.push_queries_max {
            Some(Failure::new(
                Code::TooManyPushQueries,
                format!("Maximum number of push queries exceeded: {} run already", self.push_queries_max),
            ))
        } else {
            None
        };
        if let Some(refused) = refused {
            end.into_iter().for_each(|end| end());
            return Err(refused);
        }
        let running = Arc::new(Running { end: Mutex::new(end) });
        queries.insert(id.to_owned(), running.clone());
        Ok(Registered { state: self.clone(), id: id.to_owned(), running })
    }

    /// Ends the push query of that id; tells whether there was one.
    pub fn close(&self, id: &str) -> bool {
        let found = self.running.lock().get(id).cloned();
        found.as_ref().inspect(|running| running.end()).is_some()
    }

    /// Ends all push queries; there will be no others.
    pub fn stop(&self) {
        self.owner.stopping.store(true, Ordering::SeqCst);
        self.company.iter().for_each(Company::stop);
        let all: Vec<_> = self.running.lock().values().cloned().collect();
        all.iter().for_each(|running| running.end());
    }

    /// Waits until the command of that number is carried out here.
    ///
    /// Errors: it isn't within [`COMMAND_WAIT_MAX`].
    pub fn await_command(&self, number: Option<i64>) -> Result<(), Failure> {
        let Some(number) = number.filter(|number| *number >= 0) else { return Ok(()) };
        match self.face.await_command(number, COMMAND_WAIT_MAX) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::new(
                Code::CommandAwaited,
                format!("Timed out while waiting for a previous command to execute. command sequence number: {number}"),
            )),
            Err(error) => Err(Failure::of(&error)),
        }
    }

    /// It takes nothing new.
    pub fn is_stopping(&self) -> bool {
        self.owner.stopping.load(Ordering::SeqCst)
    }

    /// Push queries that run.
    pub fn running(&self) -> usize {
        self.running.lock().len()
    }
}

/// The answer to what comes too late.
pub fn stopping() -> Failure {
    Failure::new(Code::ShuttingDown, "The server is shutting down")
}

/// Runs a blocking call on a thread that may block. `Err`: it panicked.
pub async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(call).await.map_err(|error| Error::internal(format!("a call failed: {error}")))
}
