//! A query for a reader that reads its topics by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::bad::Bad;
use super::client::{Client, LIMIT_REACHED, Passed};
use super::settled::{Settled, Settling};
use super::shared::{Joined, Pushes};
use crate::dataflow::{Counters, Host, Reached, Run, RunSpec};
use crate::error::{Error, Result};
use crate::log::{Log, Signal};
use crate::state::MemoryBudget;
use crate::time::now;

/// How often the changes that caching holds back are shown while there is always more to read.
pub const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// How long an idle query waits before it looks whether its client is still there.
pub const IDLE_WAIT: Duration = Duration::from_millis(200);

/// What a query does, and where.
#[derive(Clone)]
pub struct Query {
    pub spec: RunSpec,
    pub log: Arc<dyn Log>,
    pub memory: Arc<MemoryBudget>,
    /// Rung when a topic has news, or the client is gone.
    pub signal: Arc<Signal>,
    /// Where queries that have caught up go on together; None: this one doesn't.
    pub pushes: Option<Arc<Pushes>>,
}

/// What a query gives first of what is there when it begins.
pub(super) enum Beginning {
    /// Each change, from where it begins to read.
    Changes,
    /// What all changes have come to. Behind that each one.
    Snapshot(Settled),
}

/// A query with a run of its own.
pub struct Alone {
    pub query: Query,
    pub client: Client,
    pub run: Run,
    beginning: Beginning,
    bad: Bad,
}

/// How a query's own reading goes on.
enum Next {
    Over,
    /// All that is there was read.
    Join,
}

/// A run, and what it can't show.
pub struct Opened {
    pub run: Run,
    pub bad: Bad,
}

impl Query {
    /// Opens a run at the beginning that the query wants, or where another one is. `gone`: its client is, and it is to stop.
    ///
    /// Errors: what is wrong with the topics or the memory.
    pub fn open(&self, gone: Arc<AtomicBool>, from: Option<&Reached>) -> Result<Opened> {
        let counters = Arc::new(Counters::default());
        let host = Host {
            counters: counters.clone(),
            memory: self.memory.clone(),
            interrupted: Arc::new(move || gone.load(Ordering::Relaxed)),
            ..Host::default()
        };
        let mut run = Run::open(self.log.clone(), self.spec.clone(), host)?;
        if let Some(reached) = from {
            run.go_on_from(reached)?;
        }
        self.log.watch(&run.topics(), &self.signal);
        Ok(Opened { run, bad: Bad::new(counters) })
    }
}

impl Alone {
    pub fn new(query: Query, client: Client, opened: Opened) -> Alone {
        Alone { query, client, run: opened.run, beginning: Beginning::Changes, bad: opened.bad }
    }

    /// It gives what its topics come to now before what comes.
    ///
    /// Errors: a topic is gone.
    pub(super) fn with_snapshot(mut self, settled: Settled) -> Result<Alone> {
        self.run.stop_at_current_ends()?;
        self.beginning = Beginning::Snapshot(settled);
        Ok(self)
    }

    /// Drives the query on a thread of its own, until it ends, its client is gone, or it goes on with others.
    ///
    /// Errors: no thread could be started.
    pub fn start(self) -> Result<()> {
        spawn(&self.query.spec.id.clone(), move || self.drive())
    }

    /// A query that others' reader has left behind goes on by itself from there, on a thread of its own.
    pub fn start_at(query: Query, mut client: Client, from: Reached) {
        let id = query.spec.id.clone();
        let started = spawn(&id, move || match query.open(client.gone(), Some(&from)) {
            Ok(opened) => Alone::new(query, client, opened).drive(),
            Err(error) => {
                client.fail(error);
                client.pass_all();
            }
        });
        // The client went with the closure, and its channel is closed: it sees its query end.
        drop(started);
    }

    fn drive(mut self) {
        loop {
            let next = match catch_unwind(AssertUnwindSafe(|| self.read())) {
                Ok(Ok(Next::Join)) => Ok(()),
                Ok(Ok(Next::Over)) => return,
                Ok(Err(error)) => Err(error),
                Err(_) => Err(Error::internal("the query's thread panicked; please report this")),
            };
            let joined = match (next, self.query.pushes.clone()) {
                (Ok(()), Some(pushes)) => pushes.join(self),
                (Ok(()), None) => Joined::No(Box::new(self)),
                (Err(error), _) => Joined::Failed(Box::new(self), error),
            };
            match joined {
                Joined::Yes => return,
                Joined::No(alone) => {
                    self = *alone;
                    self.query.signal.wait(IDLE_WAIT);
                }
                Joined::Failed(mut alone, error) => {
                    alone.warn();
                    alone.client.fail(error);
                    alone.client.pass_all();
                    return;
                }
            }
        }
    }

    /// Tells the client of records that could not be processed since it was told last.
    pub fn warn(&mut self) {
        if let Some(text) = self.bad.since(&mut self.run) {
            self.client.warn(text);
        }
    }

    fn read(&mut self) -> Result<Next> {
        if let Beginning::Snapshot(mut settled) = std::mem::replace(&mut self.beginning, Beginning::Changes) {
            if settled.read(&mut self.run, &self.client)? == Settling::Gone {
                return Ok(Next::Over);
            }
            self.client.take_rows(settled.into_rows()?);
            if self.client.has_enough() {
                self.warn();
                self.client.end(LIMIT_REACHED);
            }
            // The same run goes on: of what came meanwhile nothing is left out, and nothing comes twice.
            self.run.read_on();
        }
        let mut flushed = now();
        loop {
            let read = self.run.step()?;
            if read == 0 || flushed.elapsed() >= FLUSH_INTERVAL {
                self.run.commit()?;
                self.warn();
                flushed = now();
            }
            for batch in self.run.take_rows() {
                self.client.take(&batch);
                if self.client.has_enough() {
                    self.warn();
                    self.client.end(LIMIT_REACHED);
                }
                if self.client.pass_all() == Passed::Over {
                    return Ok(Next::Over);
                }
            }
            if read == 0 {
                self.run.check_source_ids()?;
                if self.run.at_end()? {
                    self.client.end("Query Completed");
                }
            }
            if self.client.pass_all() == Passed::Over {
                return Ok(Next::Over);
            }
            if read == 0 {
                if self.query.pushes.is_some() {
                    return Ok(Next::Join);
                }
                self.query.signal.wait(IDLE_WAIT);
            }
        }
    }
}

pub fn spawn(id: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name(id.to_owned()).spawn(work);
    thread.map(drop).map_err(|error| Error::world(format!("no thread could be started: {error}")))
}
