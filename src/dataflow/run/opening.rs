//! Partitions that come to a run while it works: their tasks are opened on a thread of their own, and the others go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::Run;
use super::StageLayout;
use super::host::Host;
use super::open::Opened;
use super::stage::StageTask;
use crate::error::{Error, Result};
use crate::log::{Signal, TopicPartition};

/// Tasks of a run that are being opened. Dropped, it waits for its thread, which ends as soon as it hears of it.
pub struct Opening {
    places: Vec<TopicPartition>,
    given_up: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Opened>>>,
}

impl Opening {
    /// Begins to open the tasks of a share's run that read these partitions. Rings the signal when it is done.
    ///
    /// Errors: no thread could be started.
    pub fn begin(run: &Run, places: Vec<TopicPartition>, signal: &Arc<Signal>) -> Result<Opening> {
        let given_up = Arc::new(AtomicBool::new(false));
        let mut opener = run.opener();
        let (told, interrupted) = (given_up.clone(), opener.host.interrupted.clone());
        opener.host =
            Host { interrupted: Arc::new(move || told.load(Ordering::Relaxed) || interrupted()), ..opener.host };
        let (asked, signal) = (places.clone(), signal.clone());
        let work = move || {
            let opened = opener.open(&asked);
            signal.ring();
            opened
        };
        let thread = std::thread::Builder::new().name("opening".to_owned()).spawn(work);
        let thread = thread.map_err(|error| Error::world(format!("no thread could be started: {error}")))?;
        Ok(Opening { places, given_up, thread: Some(thread) })
    }

    /// What it opens.
    pub fn places(&self) -> &[TopicPartition] {
        &self.places
    }

    /// Whether `finish` wouldn't wait.
    pub fn is_done(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// The tasks, for `Run::adopt`.
    pub fn finish(mut self) -> Result<Opened> {
        let outcome = self.thread.take().map(JoinHandle::join);
        match outcome {
            Some(Ok(opened)) => opened,
            Some(Err(_)) | None => {
                Err(Error::internal("the thread that opens partitions panicked; please report this"))
            }
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it would have opened is void.
            drop(thread.join());
        }
    }
}

impl Run {
    /// Whether it has any partition now.
    pub fn has_tasks(&self) -> bool {
        self.stages.iter().any(|stage| !stage.is_empty())
    }

    /// Whether it has one of these partitions.
    pub fn has_any(&self, places: &[TopicPartition]) -> bool {
        let tasks = self.stages.iter().zip(&*self.layout);
        tasks.into_iter().any(|(tasks, stage)| tasks.iter().any(|task| task.is_of(stage, places)))
    }

    /// Partitions are no longer the run's; all that was done for them is committed.
    pub fn let_go(&mut self, places: &[TopicPartition]) -> Result<()> {
        self.drop_tasks(|stage, task| task.is_of(stage, places));
        self.account()
    }

    /// Lets all partitions go, with all that isn't committed.
    pub fn break_off(&mut self) -> Result<()> {
        self.drop_tasks(|_, _| true);
        self.errors.clear();
        self.errors_bytes = 0;
        self.uncommitted.take_back(&self.host.counters);
        self.dirty = false;
        self.may_redo = false;
        self.account()
    }

    fn drop_tasks(&mut self, goes: impl Fn(&StageLayout, &StageTask) -> bool) {
        // What is on its way to the disk gets there, before the same file is written by whoever opens the partition anew.
        self.await_published();
        self.stages.iter_mut().zip(&*self.layout).for_each(|(tasks, stage)| tasks.retain(|task| !goes(stage, task)));
    }
}
