//! What is made before a command is written, so that a statement whose topics can't be had is refused.

use super::{Effect, StartQuery};
use crate::analyze::Sink;
use crate::dataflow::commit_start;
use crate::engine::Inner;
use crate::error::Result;
use crate::log::create_if_missing;

/// What a statement made that wasn't there.
#[derive(Default)]
pub(super) struct Made {
    /// Of the stream or table.
    topic: Option<String>,
    query: Option<MadeForQuery>,
}

/// What is named after a query.
struct MadeForQuery {
    id: String,
    topics: Vec<String>,
}

impl Inner {
    /// Makes what a statement needs; `made` gets what wasn't there.
    pub(super) fn make(&self, effect: &Effect, made: &mut Made) -> Result<()> {
        if let Some(spec) = &effect.topic
            && create_if_missing(&*self.log, spec)?
        {
            made.topic = Some(spec.name.clone());
        }
        let Some(start) = &effect.start else { return Ok(()) };
        let id = &start.entry.id;
        let mut specs = self.changelogs_of(id, &start.sink)?;
        specs.extend(self.exchanges_of(id, &start.sink)?);
        let of_query = made.query.insert(MadeForQuery { id: id.clone(), topics: Vec::new() });
        for spec in specs {
            if create_if_missing(&*self.log, &spec)? {
                of_query.topics.push(spec.name);
            }
        }
        self.commit_start_of(start)
    }

    /// Where others start the query, too, its beginning is committed before any of them can.
    fn commit_start_of(&self, start: &StartQuery) -> Result<()> {
        match self.is_shared() && !start.replaces {
            true => commit_start(&*self.log, &self.run_spec(&start.entry, &start.sink, None)?),
            false => Ok(()),
        }
    }

    /// Takes back what was made for a query that there isn't: its id was given to nobody, and won't be.
    pub(super) fn unmake_query(&self, made: &mut Made) {
        let Some(of_query) = made.query.take() else { return };
        if self.catalog.read().query(&of_query.id).is_some() {
            return;
        }
        let topics = of_query.topics.iter().map(|topic| self.log.delete_topic(topic));
        // It is empty, and nobody knows of it.
        drop(topics.collect::<Vec<_>>());
        if self.is_shared() {
            drop(self.log.delete_group(&self.service.query_group(&of_query.id)));
        }
    }

    /// Takes back all that was made for a statement that failed.
    pub(super) fn unmake(&self, mut made: Made) {
        self.unmake_query(&mut made);
        let Some(topic) = made.topic else { return };
        if !self.catalog.read().sources().any(|source| source.topic == topic) {
            // It is empty: if it stays, the next try finds it.
            drop(self.log.delete_topic(&topic));
        }
    }

    /// Makes what the run of a query needs and isn't there.
    pub(super) fn make_for_run(&self, id: &str, sink: &Sink) -> Result<()> {
        self.make_own_topics()?;
        for spec in self.changelogs_of(id, sink)? {
            self.make_changelog(&spec)?;
        }
        for spec in self.exchanges_of(id, sink)? {
            create_if_missing(&*self.log, &spec)?;
        }
        Ok(())
    }
}
