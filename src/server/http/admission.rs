//! How many pull queries of clients are answered at once, and how many may begin in a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::{Code, Failure};
use crate::config::QueryLimits;
use crate::time::now;

const SECOND: Duration = Duration::from_secs(1);

/// Lets pull queries in.
pub struct Admission {
    at_once: Option<(usize, Arc<Semaphore>)>,
    a_second: Option<(usize, Mutex<Second>)>,
}

/// The queries that began in a second.
struct Second {
    since: Instant,
    begun: usize,
}

/// A pull query that is being answered.
#[derive(Debug)]
pub struct Admitted {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Admission {
    pub fn new(limits: QueryLimits) -> Admission {
        Admission {
            at_once: limits.pull_max.map(|most| (most, Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))))),
            a_second: limits.pull_a_second_max.map(|most| (most, Mutex::new(Second { since: now(), begun: 0 }))),
        }
    }

    /// Lets one in, which counts as long as what is given is there.
    ///
    /// Errors: there are as many as may be.
    pub fn admit(&self) -> Result<Admitted, Failure> {
        let permit = match &self.at_once {
            None => None,
            Some((most, free)) => Some(free.clone().try_acquire_owned().map_err(|_| {
                let why =
                    format!("The server answers {most} pull queries at once (ksql.query.pull.max.concurrent.requests)");
                Failure::new(Code::TooMany, why)
            })?),
        };
        if let Some((most, second)) = &self.a_second {
            let mut second = second.lock();
            if second.since.elapsed() >= SECOND {
                *second = Second { since: now(), begun: 0 };
            }
            if second.begun >= *most {
                let why = format!("The server answers {most} pull queries a second (ksql.query.pull.max.qps)");
                return Err(Failure::new(Code::TooMany, why));
            }
            second.begun += 1;
        }
        Ok(Admitted { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_let_in_and_no_more() {
        let admission = Admission::new(QueryLimits { pull_max: Some(2), ..QueryLimits::default() });
        let (one, other) = (admission.admit().unwrap(), admission.admit().unwrap());
        assert_eq!(admission.admit().unwrap_err().body()["error_code"], 42900);
        drop(one);
        let third = admission.admit().unwrap();
        assert!(admission.admit().is_err());
        drop((other, third));
        // Many seconds can't go by between these.
        let admission = Admission::new(QueryLimits { pull_a_second_max: Some(3), ..QueryLimits::default() });
        let begun = (0..1000).filter(|_| admission.admit().is_ok()).count();
        assert!((3..1000).contains(&begun), "{begun}");
        let admission = Admission::new(QueryLimits::default());
        assert!((0..1000).all(|_| admission.admit().is_ok()));
    }
}
