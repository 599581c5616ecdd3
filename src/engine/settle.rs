//! Until all that is there went through the queries, and can be read: for tests of SQL, where each record is to be done with
//! before the next is written.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::catalog::{Catalog, QueryEntry};
use crate::dataflow::Start;
use crate::engine::change::start;
use crate::engine::job::sources;
use crate::engine::seat::Seat;
use crate::engine::{Drive, Engine, Inner, Options, QueryState};
use crate::error::{Error, Result};
use crate::log::{Log, TopicPartition, has_records};
use crate::time::now;

/// How long queries with threads of their own may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at them.
const POLL: Duration = Duration::from_millis(3);

impl Engine {
    /// An engine without commands or data of its own on a cluster's log, whose queries run as they do there: in threads, as
    /// members of groups. Topics that statements name and that aren't there are made.
    pub(crate) fn on_cluster(log: Arc<dyn Log>, options: Options) -> Result<Engine> {
        let (seat, drive) = (Seat::without_folder(), Drive::Threads(Mutex::default()));
        Engine::over_seat(log, None, Some(seat), options, drive, true)
    }

    /// Drives all queries of a stepped engine until everything that is there is processed and committed. Does nothing
    /// where queries have threads of their own.
    pub fn settle(&self) -> Result<()> {
        match &self.inner.drive {
            Drive::Threads(_) => Ok(()),
            Drive::Stepped(queries) => queries.lock().settle(),
        }
    }

    /// Returns when everything that is there is processed, committed and can be read, by queries that have threads.
    ///
    /// Errors: a query stopped, or takes longer than half a minute.
    pub(crate) fn await_queries(&self) -> Result<()> {
        self.inner.await_queries()
    }
}

impl Inner {
    fn await_queries(&self) -> Result<()> {
        let until = now() + PATIENCE;
        let catalog = self.catalog.read().clone();
        // One that writes to what an earlier one reads makes that one work again.
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for query in catalog.queries() {
                while let Some(what) = self.left_to_do(&catalog, query)? {
                    quiet = false;
                    if now() >= until {
                        let state = self.query_state(&query.id).map(|state| state.to_string()).unwrap_or_default();
                        return Err(Error::world(format!("query {} waits for {what} ({state})", query.id)));
                    }
                    std::thread::sleep(POLL);
                }
            }
        }
        Ok(())
    }

    /// What keeps a query from being done, for people; None: nothing.
    fn left_to_do(&self, catalog: &Catalog, query: &QueryEntry) -> Result<Option<String>> {
        match self.query_state(&query.id) {
            Some(QueryState::Paused) => return Ok(None),
            Some(QueryState::Failed(reason)) => {
                return Err(Error::world(format!("query {} failed: {reason}", query.id)));
            }
            _ => {}
        }
        let Some(sink) = self.sinks.read().get(&query.id).cloned() else { return Ok(None) };
        let group = self.service.query_group(&query.id);
        let mut topics: Vec<String> = sources(catalog, std::slice::from_ref(&query.id)).into_iter().collect();
        topics.extend(self.exchange_topics(&query.id));
        // A stage's topic is looked at when those before it are known to be read.
        for topic in &topics {
            if let Some(place) = self.unread(topic, &group, start(&query.properties))? {
                return Ok(Some(format!("{}-{}", place.topic, place.partition)));
            }
        }
        let settling = self.find_place(&sink.source.topic, |place| is_settling(&*self.log, place))?;
        Ok(settling.map(|place| format!("a commit to {}-{}", place.topic, place.partition)))
    }

    /// A partition with records that the group has not committed, or that aren't to be seen yet.
    fn unread(&self, topic: &str, group: &str, start: Start) -> Result<Option<TopicPartition>> {
        if let Some(place) = self.find_place(topic, |place| is_settling(&*self.log, place))? {
            return Ok(Some(place));
        }
        let positions = self.log.positions(group)?;
        self.find_place(topic, |place| {
            let (first, next) = self.log.offsets(place)?;
            let begin = if start == Start::Latest { next } else { first };
            let position = positions.get(place).copied().unwrap_or(begin).max(first);
            Ok(position < next && has_records(&*self.log, place, position, next)?)
        })
    }

    fn find_place(
        &self,
        topic: &str,
        wanted: impl Fn(&TopicPartition) -> Result<bool>,
    ) -> Result<Option<TopicPartition>> {
        for partition in 0..self.log.partitions(topic).unwrap_or(0) {
            let place = TopicPartition { topic: topic.to_owned(), partition };
            if wanted(&place)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// Whether something that was written isn't to be read yet: its transaction is under way, or just over.
fn is_settling(log: &dyn Log, place: &TopicPartition) -> Result<bool> {
    let written = log.settling_end(place)?;
    Ok(log.offsets(place)?.1 < written)
}
