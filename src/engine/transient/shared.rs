//! Queries over one stream that have caught up: one reader fetches and decodes for all of them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::alone::{Alone, FLUSH_INTERVAL, IDLE_WAIT, Query};
use super::bad::Bad;
use super::client::{LIMIT_REACHED, Passed};
use super::listener::{Listener, pinned, shared_scan};
use super::routes::Routes;
use crate::catalog::Source;
use crate::dataflow::{Counters, Host, Reached, Run, RunSpec};
use crate::error::{Error, Result};
use crate::log::{Log, Signal};
use crate::plan::{Plan, ResultKind, Scan, Schema, Stage, StageInput};
use crate::time::now;

/// How soon a client that had no room is offered its events again.
const ROOM_WAIT: Duration = Duration::from_millis(10);

/// The readers that queries go on with.
#[derive(Default)]
pub struct Pushes {
    shared: Mutex<Vec<Arc<Shared>>>,
}

/// What became of a query that has caught up.
pub enum Joined {
    Yes,
    /// It goes on by itself.
    No(Box<Alone>),
    /// It ends.
    Failed(Box<Alone>, Error),
}

/// The queries of a stream.
struct Shared {
    source: Arc<Source>,
    signal: Arc<Signal>,
    /// Nobody may join any more.
    over: AtomicBool,
    working: Mutex<Working>,
}

struct Working {
    reader: Reader,
    listeners: BTreeMap<u64, Listener>,
    routes: Routes,
    next: u64,
}

impl Pushes {
    /// Lets a query that has read all there was go on with the others over its stream.
    pub fn join(&self, alone: Alone) -> Joined {
        let Some(scan) = shared_scan(&alone.query) else { return Joined::No(Box::new(alone)) };
        let shared = match self.find(&scan.source) {
            Some(shared) => shared,
            None => {
                // Before the list is locked: it asks the log.
                let opened = Reader::open(&alone.query, scan, scan.wanted.clone(), &alone.run.reached());
                match opened {
                    Ok(reader) => self.find_or_add(Shared::new(scan.source.clone(), reader, &*alone.query.log)),
                    Err(error) => return Joined::Failed(Box::new(alone), error),
                }
            }
        };
        shared.join(alone)
    }

    /// How many queries go on together, by stream.
    #[cfg(test)]
    pub fn sizes(&self) -> Vec<usize> {
        let all = self.shared.lock();
        let there = all.iter().filter(|shared| !shared.over.load(Ordering::Relaxed));
        there.map(|shared| shared.working.lock().listeners.len()).collect()
    }

    fn find(&self, source: &Arc<Source>) -> Option<Arc<Shared>> {
        find(&self.shared.lock(), source)
    }

    /// Another one may have come meanwhile.
    fn find_or_add(&self, shared: Shared) -> Arc<Shared> {
        let mut all = self.shared.lock();
        all.retain(|shared| !shared.over.load(Ordering::Relaxed));
        if let Some(other) = find(&all, &shared.source) {
            return other;
        }
        all.push(Arc::new(shared));
        all[all.len() - 1].clone()
    }
}

fn find(all: &[Arc<Shared>], source: &Arc<Source>) -> Option<Arc<Shared>> {
    let is_it = |shared: &&Arc<Shared>| Arc::ptr_eq(&shared.source, source) && !shared.over.load(Ordering::Relaxed);
    all.iter().find(is_it).cloned()
}

impl Shared {
    fn new(source: Arc<Source>, reader: Reader, log: &dyn Log) -> Shared {
        let signal = Arc::new(Signal::default());
        log.watch(&reader.run.topics(), &signal);
        let working = Working { reader, listeners: BTreeMap::new(), routes: Routes::default(), next: 0 };
        Shared { source, signal, over: AtomicBool::new(false), working: Mutex::new(working) }
    }

    fn join(self: &Arc<Self>, mut alone: Alone) -> Joined {
        let mut working = self.working.lock();
        if self.over.load(Ordering::Relaxed) {
            return Joined::No(Box::new(alone));
        }
        let is_first = working.listeners.is_empty() && working.next == 0;
        match working.meet(&mut alone) {
            Err(error) => return Joined::Failed(Box::new(alone), error),
            Ok(false) => return Joined::No(Box::new(alone)),
            Ok(true) => {}
        }
        if let Err((alone, error)) = working.add(alone) {
            return Joined::Failed(alone, error);
        }
        drop(working);
        if is_first {
            let shared = self.clone();
            let name = format!("push {}", self.source.name);
            let started = std::thread::Builder::new().name(name).spawn(move || shared.work());
            if started.is_err() {
                // Whoever joined goes on by itself.
                self.disperse(&mut self.working.lock());
            }
        }
        self.signal.ring();
        Joined::Yes
    }

    fn work(&self) {
        loop {
            let (read, waits) = {
                let mut working = self.working.lock();
                let step = catch_unwind(AssertUnwindSafe(|| working.step()));
                if working.listeners.is_empty() {
                    self.over.store(true, Ordering::Relaxed);
                    return;
                }
                match step {
                    Ok(Ok(read)) => (read, working.listeners.values().any(|listener| listener.client.waits())),
                    Ok(Err(error)) => return self.fail(&mut working, &error),
                    // The one of them whose defect it is meets it again by itself, and the others go on.
                    Err(_) => return self.disperse(&mut working),
                }
            };
            if read == 0 {
                self.signal.wait(if waits { ROOM_WAIT } else { IDLE_WAIT });
            }
        }
    }

    /// What they read is gone, or can't be read.
    fn fail(&self, working: &mut Working, error: &Error) {
        for listener in working.listeners.values_mut() {
            listener.client.fail(error.clone());
        }
        working.pass();
        self.disperse(working);
    }

    /// All queries go on by themselves.
    fn disperse(&self, working: &mut Working) {
        self.over.store(true, Ordering::Relaxed);
        let reached = working.reader.run.reached();
        for listener in std::mem::take(&mut working.listeners).into_values() {
            Alone::start_at(listener.query, listener.client, reached.clone());
        }
    }
}

impl Working {
    /// Brings a query's own reading to where the reader is; where it is further already, its rows begin there. False: it ended
    /// on the way.
    fn meet(&mut self, alone: &mut Alone) -> Result<bool> {
        let Some(scan) = shared_scan(&alone.query) else { return Ok(false) };
        let wants_more = scan.wanted.iter().zip(&self.reader.wanted).any(|(wants, has)| *wants && !has);
        // The topic has got partitions since the reader was opened.
        let has = self.reader.run.reached().positions;
        let reads_more = alone.run.reached().positions.keys().any(|place| !has.contains_key(place));
        if wants_more || reads_more {
            let wanted = scan.wanted.iter().zip(&self.reader.wanted).map(|(one, other)| *one || *other).collect();
            self.reader = Reader::open(&alone.query, scan, wanted, &self.reader.run.reached())?;
        }
        // It had read all just now: these are the records that came since.
        if alone.run.stop_where(&self.reader.run.reached()).is_err() {
            // One of both is of a topic that is gone, and will find that out.
            return Ok(false);
        }
        while !alone.run.at_end()? && !alone.client.is_gone() {
            alone.run.step()?;
            for batch in alone.run.take_rows() {
                alone.client.take(&batch);
            }
        }
        alone.run.commit()?;
        alone.warn();
        if alone.client.has_enough() {
            alone.client.end(LIMIT_REACHED);
        }
        // A client without room keeps what waits; one that is over is seen off by its own thread.
        Ok(alone.client.pass() != Passed::Over)
    }

    fn add(&mut self, alone: Alone) -> std::result::Result<(), (Box<Alone>, Error)> {
        let positions = self.reader.run.reached().positions;
        let ahead = alone
            .run
            .reached()
            .positions
            .into_iter()
            .filter(|(place, at)| positions.get(place).is_some_and(|has| at > has));
        let listener = Listener::new(alone, ahead.map(|(place, at)| (place.partition, at)).collect())?;
        let id = self.next;
        self.next += 1;
        self.routes.add(id, pinned(&listener.query).as_ref());
        self.listeners.insert(id, listener);
        Ok(())
    }

    /// Reads what is there and gives it to the queries. Gives the number of records read.
    fn step(&mut self) -> Result<usize> {
        let read = self.reader.step()?;
        if let Some(told) = self.reader.bad.since(&mut self.reader.run) {
            self.listeners.values_mut().for_each(|listener| listener.client.warn(told.clone()));
        }
        let batches = self.reader.run.take_rows();
        let mut failed = Vec::new();
        for batch in &batches {
            let routed = self.routes.of(batch);
            let all = routed.all.iter().map(|id| (*id, None));
            let some = routed.some.iter().map(|(id, rows)| (*id, Some(rows.as_slice())));
            for (id, rows) in all.chain(some) {
                if let Some(listener) = self.listeners.get_mut(&id)
                    && let Err(error) = listener.push(batch, rows)
                {
                    failed.push((id, error));
                }
            }
        }
        for (id, error) in failed {
            if let Some(listener) = self.listeners.get_mut(&id) {
                listener.client.fail(error);
            }
        }
        self.pass();
        Ok(read)
    }

    /// Hands out what the queries made; those that are over go, and those whose clients are slow go on by themselves.
    fn pass(&mut self) {
        let mut leave = Vec::new();
        for (id, listener) in &mut self.listeners {
            match listener.client.pass() {
                Passed::All => {}
                Passed::Some if !listener.client.is_slow() => {}
                Passed::Some | Passed::Over => leave.push(*id),
            }
        }
        if leave.is_empty() {
            return;
        }
        let reached = self.reader.run.reached();
        for id in leave {
            let Some(listener) = self.listeners.remove(&id) else { continue };
            if listener.client.waits() && !listener.client.is_gone() {
                Alone::start_at(listener.query, listener.client, reached.clone());
            }
        }
        self.routes = Routes::default();
        for (id, listener) in &self.listeners {
            self.routes.add(*id, pinned(&listener.query).as_ref());
        }
    }
}

/// Reads a stream for all of its queries.
struct Reader {
    run: Run,
    wanted: Vec<bool>,
    bad: Bad,
    flushed: std::time::Instant,
}

/// Numbers of readers, for their names.
static READERS: AtomicU64 = AtomicU64::new(0);

impl Reader {
    /// `query`: one of those that it is for. It begins where another run is.
    fn open(query: &Query, scan: &Scan, wanted: Vec<bool>, from: &Reached) -> Result<Reader> {
        let id = format!("push_{}_{}", scan.source.name, READERS.fetch_add(1, Ordering::Relaxed));
        let scan = Scan { source: scan.source.clone(), wanted: wanted.clone() };
        let stage = Stage { input: StageInput::Scan(scan), steps: Vec::new() };
        let schema = Schema { columns: Vec::new(), keys: 0 };
        let plan = Plan { stages: vec![stage], schema, result: ResultKind::Stream };
        let spec = RunSpec { plan: Arc::new(plan), id: id.clone(), group: id, ..query.spec.clone() };
        let counters = Arc::new(Counters::default());
        let host = Host { counters: counters.clone(), memory: query.memory.clone(), ..Host::default() };
        let mut run = Run::open(query.log.clone(), spec, host)?;
        run.go_on_from(from)?;
        Ok(Reader { run, wanted, bad: Bad::new(counters), flushed: now() })
    }

    fn step(&mut self) -> Result<usize> {
        let read = self.run.step()?;
        if read == 0 || self.flushed.elapsed() >= FLUSH_INTERVAL {
            self.run.commit()?;
            self.flushed = now();
        }
        if read == 0 {
            self.run.check_source_ids()?;
        }
        Ok(read)
    }
}
