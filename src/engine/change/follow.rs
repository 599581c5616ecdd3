//! Where several processes of a service share a catalog: what the others have written is taken in, in the order of the
//! command log, and carried out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::remains::{Duty, Remains};
use super::replay::Applied;
use crate::catalog::{Chain, ReadCommand};
use crate::engine::{Inner, Status};
use crate::error::{Audience, Error, Result};
use crate::log::Signal;
use crate::messages;
use crate::time::now;

/// How often the follower looks when nothing wakes it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a query that something outside kept from starting is tried again.
const START_AGAIN_EVERY: Duration = Duration::from_secs(5);
/// What is older is told as such.
const KNOWN_AGE_MAX: Duration = Duration::from_secs(5);

/// How long a statement waits for a cluster that doesn't answer.
const REACH_WAIT_MAX: Duration = Duration::from_secs(5);
const REACH_POLL: Duration = Duration::from_millis(50);
/// How often it is looked for a command that somebody waits for.
const COMMAND_POLL: Duration = Duration::from_millis(50);

/// When the command log was last read to its end.
#[derive(Debug)]
pub(in crate::engine) struct Followed {
    at: Instant,
    /// Why not since.
    failed: Option<String>,
}

impl Default for Followed {
    fn default() -> Self {
        Followed { at: now(), failed: None }
    }
}

/// The thread that follows the command log.
#[derive(Default)]
pub(in crate::engine) struct Follower {
    stopping: Arc<AtomicBool>,
    wake: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    fn start(inner: &Arc<Inner>) -> std::io::Result<Follower> {
        let (stopping, wake) = (Arc::<AtomicBool>::default(), Arc::<Signal>::default());
        inner.log.watch(&[inner.commands.topic().to_owned()], &wake);
        let work = {
            let (inner, stopping, wake) = (Arc::downgrade(inner), stopping.clone(), wake.clone());
            move || follow(&inner, &stopping, &wake)
        };
        let thread = std::thread::Builder::new().name("command log".to_owned()).spawn(work)?;
        Ok(Follower { stopping, wake, thread: Some(thread) })
    }

    /// It takes nothing in any more when this returns.
    pub fn stop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        self.wake.ring();
        let this = std::thread::current().id();
        // The last to hold the engine may be the follower itself.
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != this) {
            drop(thread.join());
        }
    }
}

fn follow(inner: &Weak<Inner>, stopping: &AtomicBool, wake: &Signal) {
    let mut started_again = now();
    loop {
        wake.wait(LOOK_EVERY);
        if stopping.load(Ordering::Acquire) {
            return;
        }
        let Some(inner) = inner.upgrade() else { return };
        inner.follow();
        inner.clear_due();
        if started_again.elapsed() >= START_AGAIN_EVERY {
            inner.start_those_kept_from_it();
            started_again = now();
        }
    }
}

impl Inner {
    /// Whether other processes may change the catalog, too.
    pub(in crate::engine) fn is_shared(&self) -> bool {
        self.seat.is_some()
    }

    /// Begins to follow, where there is somebody to follow.
    pub(in crate::engine) fn start_following(self: &Arc<Inner>) {
        if !self.is_shared() {
            return;
        }
        *self.followed.lock() = Followed::default();
        match Follower::start(self) {
            Ok(follower) => *self.follower.lock() = follower,
            Err(error) => self.followed.lock().failed = Some(format!("no thread could be started: {error}")),
        }
    }

    /// Before the catalog is looked at in a process that doesn't follow, as one that only writes records: takes in what others
    /// have written.
    pub(in crate::engine) fn look_at_commands(&self) {
        if self.is_shared() && self.follower.lock().thread.is_none() {
            self.follow();
        }
    }

    /// Takes in what others have written.
    pub(in crate::engine) fn follow(&self) {
        if let Some(reason) = self.log.out_of_reach() {
            return self.told_of(&Err::<(), _>(Error::world(reason)));
        }
        let mut read_to = *self.changing.lock();
        // Without the lock: where the cluster doesn't answer, statements find out for themselves.
        let read = self.commands.read_on(&mut read_to);
        self.told_of(&read);
        let Ok(mut commands) = read else { return };
        if commands.is_empty() {
            return;
        }
        let mut chain = self.changing.lock();
        if chain.next < read_to.next {
            commands.retain(|command| command.offset >= chain.next);
            *chain = read_to;
            self.take_in(commands, None);
        }
    }

    fn told_of<T>(&self, read: &Result<T>) {
        let mut followed = self.followed.lock();
        match read {
            Ok(_) => *followed = Followed::default(),
            Err(error) => followed.failed = Some(error.to_string()),
        }
    }

    /// What a reader of the catalog should know: that it may be out of date.
    pub(in crate::engine) fn out_of_date(&self) -> Option<String> {
        if !self.is_shared() {
            return None;
        }
        let followed = self.followed.lock();
        let age = followed.at.elapsed();
        (age >= KNOWN_AGE_MAX).then(|| {
            let reason = followed.failed.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!(
                "this is as it was {} s ago: what other processes have changed since isn't known, for the command topic '{}' can't be read{reason}",
                age.as_secs(),
                self.commands.topic()
            )
        })
    }

    /// Waits until the command at this offset, and all before it, are carried out in this process; false: they are not by then.
    ///
    /// Errors: nobody else writes commands, and there is none of that offset; the log can't be read.
    pub(in crate::engine) fn await_command(&self, offset: i64, longest: Duration) -> Result<bool> {
        let asked = now();
        loop {
            if !self.is_shared() {
                // It is carried out before anybody can know of it.
                let next = self.commands.next_offset()?;
                let none = || messages::statements::unknown_command(offset, next);
                return if offset < next { Ok(true) } else { Err(none()) };
            }
            self.follow();
            if self.changing.lock().next > offset {
                return Ok(true);
            }
            if asked.elapsed() >= longest {
                return Ok(false);
            }
            std::thread::sleep(COMMAND_POLL);
        }
    }

    /// Waits a little for a cluster that doesn't answer: it may only be changing leaders.
    ///
    /// Errors: it doesn't come back. Whatever needs it would wait longer, and fail all the same.
    pub(in crate::engine) fn await_reach(&self) -> Result<()> {
        let asked = now();
        while let Some(reason) = self.log.out_of_reach() {
            if asked.elapsed() >= REACH_WAIT_MAX {
                return Err(messages::cluster::out_of_reach(&reason));
            }
            std::thread::sleep(REACH_POLL);
        }
        Ok(())
    }

    /// Takes in all that has been written up to now. Some: the statement `own` is among it, and was carried out.
    ///
    /// Errors: the command log can't be read; then nothing was taken in.
    pub(super) fn catch_up(&self, chain: &mut Chain, own: Option<&str>) -> Result<Option<Done>> {
        let read = self.commands.read_on(chain);
        self.told_of(&read);
        Ok(self.take_in(read?, own))
    }

    fn take_in(&self, commands: Vec<ReadCommand>, own: Option<&str>) -> Option<Done> {
        let mut taken = Vec::new();
        for read in commands.into_iter().filter(|read| read.counts) {
            let is_own = own.is_some() && read.judged.as_ref().map(|judged| judged.statement_id.as_str()) == own;
            let applied = read.command.map_err(Error::world).and_then(|command| self.apply(read.offset, &command));
            match applied {
                Ok(applied) => taken.push((applied, is_own.then_some(read.offset))),
                Err(error) => self.quarantine(read.offset, &error),
            }
        }
        if !taken.is_empty() {
            self.log.forget_topics();
        }
        let mut done = None;
        for (applied, own_at) in taken {
            match own_at {
                Some(offset) => {
                    let mut own = self.carry_out(applied, Duty::Own);
                    own.status.command_offset = Some(offset);
                    done = Some(own);
                }
                // Nobody here waits for what went wrong: the queries' states tell.
                None => drop(self.carry_out(applied, Duty::Others)),
            }
        }
        done
    }

    /// A command that was good where it was given can't be carried out here.
    fn quarantine(&self, offset: i64, error: &Error) {
        self.quarantined.write().push((offset, error.to_string()));
        if let Some(tell) = &self.tell {
            tell(&format!(
                "a command of another process (offset {offset} of the command topic) could not be carried out: {error}"
            ));
        }
    }

    fn start_those_kept_from_it(&self) {
        let passing = |error: &Error| error.audience == Audience::World && !error.lasting;
        let kept: Vec<String> = {
            let not_started = self.not_started.read();
            not_started.iter().filter(|(_, error)| passing(error)).map(|(id, _)| id.clone()).collect()
        };
        for id in kept {
            let _one_at_a_time = self.changing.lock();
            // Its state tells how it went.
            let _ = self.start_again(&id);
        }
    }
}

/// A statement that was carried out.
pub(super) struct Done {
    pub status: Status,
    pub remains: Option<Arc<Remains>>,
}

impl Inner {
    /// Does what a command says, that the catalog has already. It stands, whatever happens here: what didn't go well is told.
    pub(super) fn carry_out(&self, applied: Applied, duty: Duty) -> Done {
        let mut done = Done { status: Status::default(), remains: None };
        let Applied { effects, ended, deletes } = applied;
        for effect in effects {
            done.status.query_id = effect.start.as_ref().map(|start| start.entry.id.clone());
            done.status.message = effect.message.clone();
            done.status.warnings.extend(self.carry_out_effect(effect));
        }
        if let Some(remains) = Remains::new(ended, deletes, duty) {
            self.remains.lock().push(remains.clone());
            done.remains = Some(remains);
        }
        done
    }
}
