//! How a job begins whose cluster is away: it tries again for some time, and says so.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::log::Signal;
use crate::time::now;

use super::connect::Connection;

const WAIT_MIN: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(5);

/// How long a cluster that is away may keep a job from its beginning.
const AWAY_MAX: Duration = Duration::from_secs(60);

pub struct Patience<'a> {
    /// How long to try, from the first failure on.
    pub longest: Duration,
    /// Rung when somebody may want it no longer.
    pub signal: Arc<Signal>,
    pub given_up: &'a dyn Fn() -> bool,
    /// Takes a line for people.
    pub tell: &'a dyn Fn(&str),
}

impl Patience<'_> {
    /// How long a command tries that is to work for long: a folder has nothing that passes by itself.
    pub fn longest(connection: &Connection) -> Duration {
        if connection.config.kafka.is_some() { AWAY_MAX } else { Duration::ZERO }
    }

    /// Makes attempts until one succeeds or fails by what doesn't pass by itself, or the time is over: then with the last error.
    pub fn keep_trying<T>(&self, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
        let mut failing: Option<std::time::Instant> = None;
        let mut wait = WAIT_MIN;
        loop {
            let error = match attempt() {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if failing.is_none() && error.passing {
                self.tell_of(&error);
            }
            let since = *failing.get_or_insert_with(now);
            if !error.passing || since.elapsed() >= self.longest || self.waited(wait) {
                return Err(error);
            }
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    fn tell_of(&self, error: &Error) {
        (self.tell)(&format!("{}; trying again for up to {} s", error.what, self.longest.as_secs()));
    }

    /// True: it was given up meanwhile.
    fn waited(&self, wait: Duration) -> bool {
        let until = now() + wait;
        loop {
            let left = until.saturating_duration_since(now());
            if (self.given_up)() || left.is_zero() {
                return (self.given_up)();
            }
            self.signal.wait(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::log::LogError;

    const LONG: Duration = Duration::from_secs(3600);

    fn away() -> Error {
        LogError::Unavailable("nobody answers".to_owned()).into()
    }

    /// What came of attempts that end so, one after the other; how many were made, and what was told.
    fn tried(
        longest: Duration,
        given_up: bool,
        mut outcomes: Vec<Result<u32>>,
    ) -> (std::result::Result<u32, String>, usize, Vec<String>) {
        let (made, told) = (Cell::new(0), RefCell::new(Vec::new()));
        outcomes.reverse();
        let patience = Patience {
            longest,
            signal: Arc::default(),
            given_up: &|| given_up,
            tell: &|text| told.borrow_mut().push(text.to_owned()),
        };
        let outcome = patience.keep_trying(|| {
            made.set(made.get() + 1);
            outcomes.pop().unwrap()
        });
        (outcome.map_err(|error| error.what), made.get(), told.into_inner())
    }

    #[test]
    fn what_passes_is_waited_for_and_told_of_once() {
        let (outcome, made, told) = tried(LONG, false, vec![Err(away()), Err(away()), Ok(7)]);
        assert_eq!((outcome, made), (Ok(7), 3));
        let expected = "the Kafka cluster is not available: nobody answers; trying again for up to 3600 s";
        assert_eq!(told, [expected]);
    }

    #[test]
    fn what_does_not_pass_ends_it() {
        let wrong = || Error::statement("wrong");
        let (outcome, made, told) = tried(LONG, false, vec![Err(wrong())]);
        assert_eq!((outcome, made, told.len()), (Err("wrong".to_owned()), 1, 0));
        let (outcome, made, _) = tried(LONG, false, vec![Err(away()), Err(wrong())]);
        assert_eq!((outcome, made), (Err("wrong".to_owned()), 2));
    }

    #[test]
    fn the_last_failure_is_given_when_the_time_is_over_or_nobody_wants_it() {
        for (longest, given_up) in [(Duration::ZERO, false), (LONG, true)] {
            let (outcome, made, _) = tried(longest, given_up, vec![Err(away())]);
            assert_eq!((outcome, made), (Err(away().what), 1), "{longest:?} {given_up}");
        }
    }
}
