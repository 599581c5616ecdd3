//! Persistent queries: their states, and the thread that drives each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::dataflow::{Counters, Host, Run, RunSpec, commit_start, load_rows};
use crate::engine::membership::{Membership, Part, SharedBy};
use crate::engine::retry::{RETRY_WAIT_MAX, RETRY_WAIT_MIN, Retry};
use crate::error::{Audience, Error};
use crate::log::{Log, Signal, Tell, TopicPartition};
use crate::state::MemoryBudget;
use crate::time::now;

/// What a query is doing. Decided only in this file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryState {
    /// Reading its state back.
    Recovering,
    /// Reading, or waiting for new records.
    Running,
    /// The group has given none of its partitions to this process, which takes over when others go.
    Standby,
    /// Told to wait by PAUSE.
    Paused,
    /// Something outside is in the way; it tries again by itself.
    Blocked(String),
    /// It stopped and needs a person.
    Failed(String),
    /// It read what there was, as it was told to.
    Finished,
    /// Its engine was shut down, or it was terminated.
    Stopped,
}

impl std::fmt::Display for QueryState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            QueryState::Recovering => f.write_str("RECOVERING"),
            QueryState::Running => f.write_str("RUNNING"),
            QueryState::Standby => f.write_str("STANDBY: none of its partitions is given to this process"),
            QueryState::Paused => f.write_str("PAUSED"),
            QueryState::Blocked(reason) => write!(f, "BLOCKED: {reason}"),
            QueryState::Failed(reason) => write!(f, "FAILED: {reason}"),
            QueryState::Finished => f.write_str("FINISHED"),
            QueryState::Stopped => f.write_str("STOPPED"),
        }
    }
}

/// What others want of a driven query.
#[derive(Debug, Default)]
pub struct Orders {
    pub stop: AtomicBool,
    pub paused: AtomicBool,
    /// Stop when its sources have been read up to these offsets.
    pub ends: Mutex<Option<BTreeMap<TopicPartition, i64>>>,
    /// Where processes share the work: all of them together have read up to the ends.
    pub complete: AtomicBool,
    /// Try again after a failure.
    pub retry: AtomicBool,
}

/// A persistent query with its thread.
pub struct QueryHandle {
    pub id: String,
    pub orders: Arc<Orders>,
    pub counters: Arc<Counters>,
    pub state: Arc<Mutex<QueryState>>,
    pub signal: Arc<Signal>,
    /// Where processes share the work: the partitions that the group has given to this one.
    pub given: Arc<Mutex<BTreeSet<TopicPartition>>>,
    thread: Option<JoinHandle<()>>,
}

/// What a driver needs to know of the engine's limits.
#[derive(Clone)]
pub struct DriveOptions {
    pub commit_interval: Duration,
    pub memory: Arc<MemoryBudget>,
    pub paused: bool,
    /// Where processes share the work: who this one is.
    pub process: Option<SharedBy>,
    /// Takes lines for people.
    pub tell: Option<Tell>,
}

/// How long an idle query waits before it looks again on its own.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// How long an idle query waits for a snapshot on its way to the disk before it looks again.
const SNAPSHOTS_WAIT: Duration = Duration::from_millis(10);
/// Of a query that is to end: how long nothing may have come from a cluster before its end is believed.
const QUIET_MIN: Duration = Duration::from_millis(500);

impl QueryHandle {
    /// Starts the query's thread.
    pub fn start(log: Arc<dyn Log>, spec: RunSpec, options: DriveOptions) -> QueryHandle {
        let orders = Arc::new(Orders::default());
        orders.paused.store(options.paused, Ordering::Relaxed);
        let mut handle = QueryHandle {
            id: spec.id.clone(),
            orders: orders.clone(),
            counters: Arc::new(Counters::default()),
            state: Arc::new(Mutex::new(QueryState::Recovering)),
            signal: Arc::new(Signal::default()),
            given: Arc::default(),
            thread: None,
        };
        let driver = Driver {
            log,
            spec,
            options,
            orders,
            counters: handle.counters.clone(),
            state: handle.state.clone(),
            signal: handle.signal.clone(),
            given: handle.given.clone(),
        };
        let spawned = std::thread::Builder::new().name(format!("query {}", handle.id)).spawn(move || driver.drive());
        match spawned {
            Ok(thread) => handle.thread = Some(thread),
            Err(error) => *handle.state.lock() = QueryState::Failed(format!("no thread could be started: {error}")),
        }
        handle
    }

    /// PAUSE and RESUME. Resumed, a query that failed tries again from its last commit.
    pub fn set_paused(&self, paused: bool) {
        self.orders.paused.store(paused, Ordering::Relaxed);
        self.orders.retry.store(!paused, Ordering::Relaxed);
        self.signal.ring();
    }

    /// Commits and stops; waits for it. One that recovers stops as it is.
    pub fn stop(&mut self) {
        self.orders.stop.store(true, Ordering::Relaxed);
        self.signal.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Driver {
    log: Arc<dyn Log>,
    spec: RunSpec,
    options: DriveOptions,
    orders: Arc<Orders>,
    counters: Arc<Counters>,
    state: Arc<Mutex<QueryState>>,
    signal: Arc<Signal>,
    given: Arc<Mutex<BTreeSet<TopicPartition>>>,
}

/// Why a run ended without an error.
enum Ended {
    Stopped,
    Finished,
    /// Paused while it recovered: it begins anew when it is resumed.
    Interrupted,
}

impl Driver {
    fn drive(self) {
        let mut wait = RETRY_WAIT_MIN;
        let mut retry = Retry::default();
        loop {
            let commits = self.counters.commits.load(Ordering::Relaxed);
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.run(&mut retry)));
            let error = match outcome {
                Ok(Ok(Ended::Stopped)) => return self.set(QueryState::Stopped),
                Ok(Ok(Ended::Finished)) => return self.set(QueryState::Finished),
                Ok(Ok(Ended::Interrupted)) => continue,
                Ok(Err(error)) => error,
                Err(_) => Error::internal("the query's thread panicked; please report this"),
            };
            match error.audience {
                Audience::World if !error.lasting => {
                    self.set(QueryState::Blocked(error.to_string()));
                    if self.stopped() {
                        return;
                    }
                    if self.counters.commits.load(Ordering::Relaxed) > commits {
                        wait = RETRY_WAIT_MIN;
                    }
                    self.put_off(wait);
                    retry.has_waited(error);
                    wait = (wait * 2).min(RETRY_WAIT_MAX);
                }
                _ => {
                    self.orders.retry.store(false, Ordering::Relaxed);
                    retry = Retry::default();
                    self.set(QueryState::Failed(error.to_string()));
                    if !self.await_retry() {
                        return;
                    }
                    wait = RETRY_WAIT_MIN;
                }
            }
        }
    }

    fn set(&self, state: QueryState) {
        *self.state.lock() = state;
    }

    fn stopped(&self) -> bool {
        self.orders.stop.load(Ordering::Relaxed)
    }

    fn paused(&self) -> bool {
        self.orders.paused.load(Ordering::Relaxed)
    }

    /// Waits before the next try, whatever its topics get meanwhile: only an order ends it early.
    fn put_off(&self, wait: Duration) {
        let until = now() + wait;
        self.orders.retry.store(false, Ordering::Relaxed);
        while !self.stopped() && !self.paused() && !self.orders.retry.load(Ordering::Relaxed) {
            let left = until.saturating_duration_since(now());
            if left.is_zero() {
                return;
            }
            self.signal.wait(left);
        }
    }

    /// After a failure: waits until somebody has mended what was wrong and says RESUME. False: it is to stop instead.
    fn await_retry(&self) -> bool {
        loop {
            if self.stopped() {
                return false;
            }
            if self.orders.retry.swap(false, Ordering::Relaxed) {
                return true;
            }
            self.signal.wait(IDLE_WAIT);
        }
    }

    /// Paused before it recovered: waits. Its table's rows can be pulled meanwhile, its state is read when it goes on.
    fn await_resume(&self) -> Result<(), Error> {
        self.set(QueryState::Paused);
        let goes_on = || self.stopped() || !self.paused();
        if let Some(view) = self.spec.sink.as_ref().and_then(|sink| sink.view.as_ref())
            && !view.is_loaded()
        {
            let orders = self.orders.clone();
            let interrupted = move || orders.stop.load(Ordering::Relaxed) || !orders.paused.load(Ordering::Relaxed);
            let host = Host {
                counters: self.counters.clone(),
                memory: self.options.memory.clone(),
                interrupted: Arc::new(interrupted),
                ..Host::default()
            };
            let loaded = load_rows(&*self.log, &self.spec, &host);
            if !goes_on() {
                loaded?;
            }
        }
        while !goes_on() {
            self.signal.wait(IDLE_WAIT);
        }
        Ok(())
    }

    fn host(&self) -> Host {
        let orders = self.orders.clone();
        let interrupted = move || orders.stop.load(Ordering::Relaxed) || orders.paused.load(Ordering::Relaxed);
        Host {
            counters: self.counters.clone(),
            memory: self.options.memory.clone(),
            interrupted: Arc::new(interrupted),
            ..Host::default()
        }
    }

    /// Opens the query's run. None: it was told to stop or to pause meanwhile.
    fn open(&self) -> Result<Option<Run>, Error> {
        // Its topic may have got partitions, or be another one now.
        commit_start(&*self.log, &self.spec)?;
        match Run::open(self.log.clone(), self.spec.clone(), self.host()) {
            Err(_) if self.stopped() || self.paused() => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Runs from the last commit on, until told to stop or something fails. What was not committed is made again.
    fn run(&self, retry: &mut Retry) -> Result<Ended, Error> {
        if self.paused() {
            self.await_resume()?;
        }
        if self.stopped() {
            return Ok(Ended::Stopped);
        }
        let Some(process) = &self.options.process else {
            self.set(QueryState::Recovering);
            let Some(mut run) = self.open()? else { return Ok(Ended::Interrupted) };
            self.log.watch(&run.topics(), &self.signal);
            return self.work(&mut run, None, retry);
        };
        if retry.reason().is_none() {
            self.set(QueryState::Recovering);
        }
        let mut membership = Membership::join(&*self.log, &self.spec, process, &self.signal)?;
        let mut run = Run::open_share(self.log.clone(), membership.member(), self.spec.clone(), self.host())?;
        let ended = self.work(&mut run, Some(&mut membership), retry);
        self.given.lock().clear();
        ended
    }

    /// Rounds and commits until it is told to stop or something fails.
    ///
    /// As a member of a group it stays in it when the cluster can't be reached, or when the group has made a commit void: it
    /// goes on from the last commit, and nobody else has to take over.
    fn work(&self, run: &mut Run, mut membership: Option<&mut Membership>, retry: &mut Retry) -> Result<Ended, Error> {
        let mut pace = Pace::default();
        loop {
            let outcome = self.turn(run, membership.as_deref_mut(), &mut pace, retry);
            match (outcome, &mut membership) {
                (Ok(None), _) => {}
                (Ok(Some(ended)), _) => return Ok(ended),
                (Err(error), Some(membership)) if error.passing => {
                    let redo = run.may_redo();
                    membership.start_over(run)?;
                    retry.failed(redo, error);
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// What there is to do now, or the wait for it.
    fn turn(
        &self,
        run: &mut Run,
        mut membership: Option<&mut Membership>,
        pace: &mut Pace,
        retry: &mut Retry,
    ) -> Result<Option<Ended>, Error> {
        if let Some(membership) = &mut membership {
            self.attend(membership, run, retry)?;
        }
        if self.stopped() {
            run.commit()?;
            return Ok(Some(Ended::Stopped));
        }
        if self.paused() {
            run.commit()?;
            self.set(QueryState::Paused);
            self.signal.wait(IDLE_WAIT);
            return Ok(None);
        }
        if self.orders.complete.load(Ordering::Relaxed) {
            run.commit()?;
            return Ok(Some(Ended::Finished));
        }
        let part = membership.as_ref().map_or(Part::Something, |membership| membership.part());
        self.set(self.state_of(part, run, retry));
        if !run.has_tasks() {
            self.signal.wait(retry.left().unwrap_or(IDLE_WAIT).min(IDLE_WAIT));
            return Ok(None);
        }
        let ends = self.orders.ends.lock().clone();
        if let Some(ends) = ends.filter(|_| !pace.bounded || membership.is_some()) {
            run.stop_at(&ends);
            pace.bounded = true;
        }
        let rows = match run.step() {
            Err(_) if self.stopped() || self.paused() => return Ok(Some(Ended::Interrupted)),
            rows => rows?,
        };
        run.publish_early()?;
        let since = now().duration_since(pace.last_commit);
        let due = since >= self.options.commit_interval || run.must_commit();
        if run.is_dirty() && (due || (pace.bounded && rows == 0)) {
            run.commit()?;
            self.got_through(part, run, retry);
            pace.last_commit = now();
            run.check_topics()?;
        }
        if rows > 0 {
            pace.last_rows = now();
            return Ok(None);
        }
        run.check_topics()?;
        // What a cluster has, or what stages hand over by a topic, is there to be read some time later.
        let quiet = membership.is_none() || pace.last_rows.elapsed() >= QUIET_MIN;
        if quiet && !run.is_dirty() {
            self.got_through(part, run, retry);
        }
        // What is read and not committed is not to be seen yet.
        if !run.is_dirty() {
            self.counters.lag.store(run.lag()?, Ordering::Relaxed);
        }
        let snapshots_wait = run.tend_snapshots().then_some(SNAPSHOTS_WAIT);
        // Of a share others have the rest, and what they hand over comes later: see `Orders::complete`.
        let whole = membership.is_none();
        if pace.bounded && whole && run.at_end()? && !run.is_dirty() && snapshots_wait.is_none() {
            return Ok(Some(Ended::Finished));
        }
        let wait = match run.is_dirty() {
            true => self.options.commit_interval.saturating_sub(since),
            false if pace.bounded && !quiet => QUIET_MIN,
            false => IDLE_WAIT,
        };
        self.signal.wait(snapshots_wait.unwrap_or(wait));
        Ok(None)
    }

    /// What was in the way is no longer; whoever looks sees that at once.
    fn got_through(&self, part: Part, run: &Run, retry: &mut Retry) {
        if std::mem::take(retry).reason().is_some() {
            self.set(self.state_of(part, run, retry));
        }
    }

    fn state_of(&self, part: Part, run: &Run, retry: &Retry) -> QueryState {
        if let Some(reason) = retry.reason().or_else(|| self.log.out_of_reach()) {
            return QueryState::Blocked(reason);
        }
        match part {
            Part::Nothing => QueryState::Standby,
            Part::Something => QueryState::Running,
            Part::Opening if run.has_tasks() => QueryState::Running,
            Part::Opening | Part::Unknown => QueryState::Recovering,
        }
    }

    /// Takes in what the query's group has changed.
    fn attend(&self, membership: &mut Membership, run: &mut Run, retry: &Retry) -> Result<(), Error> {
        let goes_on = || !self.stopped() && !self.paused();
        let attended = membership.attend(run, goes_on() && retry.left().is_none());
        let mut given = self.given.lock();
        if *given != *membership.partitions() {
            given.clone_from(membership.partitions());
        }
        drop(given);
        let lost = match attended {
            Err(_) if !goes_on() => false,
            outcome => outcome?,
        };
        if lost && let Some(tell) = &self.options.tell {
            tell(&format!(
                "query {} lost its partitions: the cluster has not heard of this process for longer than its session (session.timeout.ms); what it had not committed is dropped, and it joins again",
                self.spec.id
            ));
        }
        Ok(())
    }
}

/// When things were done last.
struct Pace {
    last_commit: Instant,
    last_rows: Instant,
    /// It was told where to end.
    bounded: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { last_commit: now(), last_rows: now(), bounded: false }
    }
}

/// The driven queries of an engine.
#[derive(Default)]
pub struct Queries {
    handles: BTreeMap<String, QueryHandle>,
}

impl Queries {
    pub fn insert(&mut self, handle: QueryHandle) {
        self.handles.insert(handle.id.clone(), handle);
    }

    pub fn get(&self, id: &str) -> Option<&QueryHandle> {
        self.handles.get(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &QueryHandle> {
        self.handles.values()
    }

    pub fn remove(&mut self, id: &str) -> Option<QueryHandle> {
        self.handles.remove(id)
    }

    /// Tells some to stop, so that they stop side by side.
    pub fn tell_to_stop(&self, ids: &[String]) {
        for handle in ids.iter().filter_map(|id| self.handles.get(id)) {
            handle.orders.stop.store(true, Ordering::Relaxed);
            handle.signal.ring();
        }
    }

    /// Stops all; tells all first, so that they stop side by side.
    pub fn stop_all(&mut self) {
        for handle in self.handles.values() {
            handle.orders.stop.store(true, Ordering::Relaxed);
            handle.signal.ring();
        }
        for handle in self.handles.values_mut() {
            handle.stop();
        }
    }
}
