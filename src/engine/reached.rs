//! How far the group of a query has come, whichever processes do its work: told by what it has committed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::catalog::SourceKind;
use crate::dataflow::{self, Start};
use crate::engine::Inner;
use crate::engine::change::start;
use crate::error::Result;
use crate::log::{Log, TopicPartition, has_records};
use crate::time::now;

/// A transaction's marks are written within milliseconds, unless a broker is away: then nobody is kept.
const VISIBLE_MAX: Duration = Duration::from_secs(10);
const VISIBLE_POLL: Duration = Duration::from_millis(20);

impl Inner {
    /// The topics by which a query's stages hand rows over, where processes share the work; each in front of those that are made of
    /// what is read from it.
    pub(super) fn exchange_topics(&self, query_id: &str) -> Vec<String> {
        match self.sinks.read().get(query_id) {
            Some(sink) if self.is_shared() => {
                dataflow::exchange_topics(&self.service.query_group(query_id), &sink.analyzed.plan)
            }
            _ => Vec::new(),
        }
    }

    /// Whether a query's group has read its sources up to these offsets, and all that its stages handed over by then.
    ///
    /// Errors: the log's.
    pub(super) fn has_reached(&self, query_id: &str, ends: &BTreeMap<TopicPartition, i64>) -> Result<bool> {
        let catalog = self.catalog.read().clone();
        let Some(query) = catalog.query(query_id) else { return Ok(true) };
        let source = |topic: &str| {
            query.sources.iter().filter_map(|name| catalog.source(name)).find(|source| source.topic == topic)
        };
        // A table is its whole topic.
        let start_of = |topic: &str| match source(topic).map(|source| source.kind) {
            Some(SourceKind::Table) => Start::Earliest,
            _ => start(&query.properties),
        };
        let positions = self.log.positions(&self.service.query_group(query_id))?;
        let reached = |place: &TopicPartition, end: i64, start: Start| match (positions.get(place), start) {
            (Some(position), _) => has_read(&*self.log, place, *position, end),
            // Where it begins to read is committed first.
            (None, Start::Latest) => Ok(false),
            (None, Start::Earliest) => has_read(&*self.log, place, 0, end),
        };
        for (place, end) in ends {
            if !reached(place, *end, start_of(&place.topic))? {
                return Ok(false);
            }
        }
        // What was handed over by those commits lies below the ends of now, seen or not.
        for topic in self.exchange_topics(query_id) {
            for partition in 0..self.log.partitions(&topic).unwrap_or(0) {
                let place = TopicPartition { topic: topic.clone(), partition };
                if !reached(&place, self.log.settling_end(&place)?, Start::Earliest)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl Inner {
    /// Waits, for some seconds at most, until what its queries have written can be read by all: on a cluster a commit's positions may
    /// be seen some time before its last records.
    pub(super) fn await_visible(&self) {
        let topics: BTreeSet<String> = self.sinks.read().values().map(|sink| sink.source.topic.clone()).collect();
        let places = topics.into_iter().flat_map(|topic| {
            let partitions = self.log.partitions(&topic).unwrap_or(0);
            (0..partitions).map(move |partition| TopicPartition { topic: topic.clone(), partition })
        });
        let end_of = |place: TopicPartition| self.log.settling_end(&place).ok().map(|end| (place, end));
        let mut waiting: Vec<(TopicPartition, i64)> = places.filter_map(end_of).collect();
        let since = now();
        while since.elapsed() < VISIBLE_MAX {
            waiting.retain(|(place, end)| self.log.offsets(place).is_ok_and(|(_, visible)| visible < *end));
            if waiting.is_empty() {
                return;
            }
            std::thread::sleep(VISIBLE_POLL);
        }
    }
}

/// Whether nothing is left to be read from a position to an end: a cluster's log ends with the marks of transactions, and its
/// topics lose their first records.
fn has_read(log: &dyn Log, place: &TopicPartition, position: i64, end: i64) -> Result<bool> {
    if position >= end {
        return Ok(true);
    }
    let from = position.max(log.offsets(place)?.0);
    Ok(from >= end || !has_records(log, place, from, end)?)
}
