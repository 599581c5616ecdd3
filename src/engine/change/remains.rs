//! What commands leave behind: positions, state and topics of queries that ended, topics that go with what was dropped.
//!
//! Where several processes share a query, nothing of it may go before all of them have let go of it: one that is still at
//! work would make its topics anew. Who gave the statement waits for the others and clears away; should it end before that,
//! the others do, and whoever starts next. All of it may be done twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Effect;
use crate::catalog::DeletedTopic;
use crate::dataflow::{changelog_topics, exchange_topics};
use crate::engine::Inner;
use crate::error::Result;
use crate::log::LogError;
use crate::messages;
use crate::plan::Plan;
use crate::time::now;

/// Longer than the session of a process that died, which has its partitions until then.
const LET_GO_WAIT_MAX: Duration = Duration::from_secs(12);
/// Where nothing that was asked for depends on it.
const LET_GO_WAIT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(30);
/// How long the others leave it to the one that gave the statement.
const OTHERS_AFTER: Duration = Duration::from_secs(20);
/// Between two tries.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What one command left.
#[derive(Debug)]
pub(in crate::engine) struct Remains {
    queries: Vec<EndedQuery>,
    deletes: Option<DeletedTopic>,
    /// When to try (again).
    due: Mutex<Instant>,
}

#[derive(Debug)]
pub(in crate::engine) struct EndedQuery {
    id: String,
    /// Those of its state, and those between its stages.
    internal: Vec<String>,
    /// The topic that it wrote to.
    sink: Option<String>,
}

/// Who clears away first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Duty {
    /// This process: the statement was given to it.
    Own,
    /// Another one; this one if it doesn't.
    Others,
}

impl Remains {
    pub fn new(queries: Vec<EndedQuery>, deletes: Option<DeletedTopic>, duty: Duty) -> Option<Arc<Remains>> {
        let due = match duty {
            Duty::Own => now(),
            Duty::Others => now() + OTHERS_AFTER,
        };
        let any = !queries.is_empty() || deletes.is_some();
        any.then(|| Arc::new(Remains { queries, deletes, due: Mutex::new(due) }))
    }

    fn concerns(&self, topic: &str) -> bool {
        self.queries.iter().any(|query| query.sink.as_deref() == Some(topic))
            || self.deletes.as_ref().is_some_and(|meant| meant.name == topic)
    }

    fn has_query(&self, id: &str) -> bool {
        self.queries.iter().any(|query| query.id == id)
    }

    fn ids(&self) -> String {
        self.queries.iter().map(|query| query.id.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl Inner {
    /// The plans follow the catalog. Gives the queries that have ended.
    pub(super) fn follow_plans(&self, effect: &Effect) -> Vec<EndedQuery> {
        let mut sinks = self.sinks.write();
        let end = |id: &String| {
            let sink = sinks.remove(id);
            let internal = sink.as_ref().map_or_else(Vec::new, |sink| self.internal_topics_of(id, &sink.analyzed.plan));
            EndedQuery { id: id.clone(), internal, sink: sink.map(|sink| sink.source.topic.clone()) }
        };
        let ended = effect.stop.iter().map(end).collect();
        if let Some(start) = &effect.start {
            sinks.insert(start.entry.id.clone(), start.sink.clone());
            drop(sinks);
            // An id that the statement chose may be one of before: what the new query has is not to be cleared away.
            self.remains.lock().retain(|remains| !remains.has_query(&start.entry.id));
        }
        ended
    }

    /// The topics of a query's state, and those between its stages.
    fn internal_topics_of(&self, id: &str, plan: &Plan) -> Vec<String> {
        let group = self.service.query_group(id);
        let exchanges = if self.is_shared() { exchange_topics(&group, plan) } else { Vec::new() };
        [exchanges, changelog_topics(&group, plan).concat()].concat()
    }

    /// Each process has its own, of a query that ended. They take room and do no harm.
    pub(super) fn forget_snapshots(&self, id: &str) {
        if let Some(store) = self.snapshots.as_ref().filter(|_| self.is_shared()) {
            drop(store.remove(&self.service.query_group(id)));
        }
    }

    /// What a query that ended for good left; it isn't running here.
    pub(super) fn clear_query(&self, query: &EndedQuery) -> Result<()> {
        let group = self.service.query_group(&query.id);
        if let Some(store) = &self.snapshots {
            // Before the positions: as long as those are there, a start goes on clearing away.
            store.remove(&group)?;
        }
        self.log.release(&group)?;
        self.log.delete_group(&group)?;
        for topic in &query.internal {
            match self.log.delete_topic(topic) {
                Ok(()) | Err(LogError::UnknownTopic(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// False: other processes are at work on it.
    fn clear(&self, remains: &Remains) -> Result<bool> {
        // Its id may have been given again.
        let ended = |query: &&EndedQuery| self.catalog.read().query(&query.id).is_none();
        let queries: Vec<&EndedQuery> = remains.queries.iter().filter(ended).collect();
        for query in queries.iter().filter(|_| self.is_shared()) {
            if !self.log.group_members(&self.service.query_group(&query.id))?.is_empty() {
                return Ok(false);
            }
        }
        let mut cleared = Ok(true);
        for query in queries {
            cleared = cleared.and_then(|_| self.clear_query(query).map(|()| true));
        }
        let deleted = remains.deletes.as_ref().map_or(Ok(()), |meant| self.delete_meant(meant));
        cleared.and_then(|cleared| deleted.map(|()| cleared))
    }

    fn clear_and_forget(&self, remains: &Arc<Remains>) -> Result<bool> {
        let cleared = self.clear(remains);
        match cleared {
            Ok(true) => self.remains.lock().retain(|other| !Arc::ptr_eq(other, remains)),
            _ => *remains.due.lock() = now() + AGAIN_AFTER,
        }
        cleared
    }

    /// Clears away what a statement that was given here left, as soon as no process is at work on it. Gives what is still
    /// there, for people.
    pub(super) fn clear_own(&self, remains: &Arc<Remains>) -> Option<String> {
        let patience = if remains.deletes.is_some() { LET_GO_WAIT_MAX } else { LET_GO_WAIT };
        let asked = now();
        loop {
            match self.clear_and_forget(remains) {
                Ok(true) => return None,
                Ok(false) if asked.elapsed() < patience => std::thread::sleep(POLL),
                Ok(false) => {
                    let meant = remains.deletes.as_ref()?;
                    return Some(format!(
                        "topic {} is still there: other processes have not let go of query {}; it is deleted when they have",
                        meant.name,
                        remains.ids()
                    ));
                }
                Err(error) => {
                    let what = match (&remains.deletes, remains.queries.is_empty()) {
                        (Some(meant), true) => format!("topic {} was not deleted", meant.name),
                        _ => format!("query {} left something behind", remains.ids()),
                    };
                    return Some(format!("{what}: {error}"));
                }
            }
        }
    }

    /// Tries what is due; what can't be done now is tried again later.
    pub(super) fn clear_due(&self) {
        let due = |remains: &&Arc<Remains>| *remains.due.lock() <= now();
        let due: Vec<Arc<Remains>> = self.remains.lock().iter().filter(due).cloned().collect();
        for remains in due {
            let _ = self.clear_and_forget(&remains);
        }
    }

    /// Forgets what is known to be cleared away already, of all the queries that ever ended.
    pub(super) fn forget_cleared(&self) {
        let mut all = self.remains.lock();
        if all.is_empty() {
            return;
        }
        if self.is_shared() {
            let ended = all.iter().flat_map(|remains| &remains.queries).map(|query| query.id.as_str());
            let catalog = self.catalog.read();
            ended.filter(|id| catalog.query(id).is_none()).for_each(|id| self.forget_snapshots(id));
        }
        // Not known is not cleared away: what is left is tried when it is due.
        let Ok(groups) = self.log.groups() else { return };
        let topics = self.log.topics();
        all.retain(|remains| {
            let deletes = remains.deletes.as_ref().is_some_and(|meant| topics.contains(&meant.name));
            let of_query = |query: &EndedQuery| {
                let group = self.service.query_group(&query.id);
                groups.contains(&group) || topics.iter().any(|topic| topic.starts_with(&format!("{group}-")))
            };
            deletes || remains.queries.iter().any(of_query)
        });
    }

    /// Before a topic is written to anew, or a query's id is given again: nobody must be at work on what was before.
    ///
    /// Errors: some process still is.
    pub(super) fn await_cleared(&self, topic: &str, id: Option<&str>) -> Result<()> {
        if !self.is_shared() {
            return Ok(());
        }
        let concerns = |remains: &&Arc<Remains>| remains.concerns(topic) || id.is_some_and(|id| remains.has_query(id));
        let asked = now();
        loop {
            let Some(remains) = self.remains.lock().iter().find(concerns).cloned() else { return Ok(()) };
            if self.clear_and_forget(&remains)? {
                continue;
            }
            if asked.elapsed() >= LET_GO_WAIT_MAX {
                return Err(messages::cluster::others_at_work(&remains.ids(), topic));
            }
            std::thread::sleep(POLL);
        }
    }
}
