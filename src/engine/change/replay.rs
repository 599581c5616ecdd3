//! At start: the catalog as the command log says, then its queries.

use std::collections::BTreeMap;

use super::remains::{Duty, EndedQuery, Remains};
use super::{Change, Effect, Replay};
use crate::catalog::{Command, DeletedTopic, QueryEntry};
use crate::dataflow::processing_log;
use crate::engine::{Engine, Inner};
use crate::error::{Error, Result};
use crate::sql;

impl Engine {
    /// The stream over the processing log is in every folder, without a command of its own.
    pub(in crate::engine) fn declare_processing_log(&self) -> Result<()> {
        let inner = &*self.inner;
        let mut catalog = inner.catalog.read().clone();
        for parsed in sql::parse(&processing_log::statement(&inner.service.processing_log_topic()))? {
            let (properties, replay) = (&BTreeMap::new(), Some(Replay::default()));
            let change = Change { inner, catalog: &mut catalog, properties, query_number: 0, replay };
            change.apply(&parsed)?;
        }
        *inner.catalog.write() = catalog;
        Ok(())
    }

    /// Brings the catalog to what the command log says. A command that can't be carried out is set aside.
    pub(in crate::engine) fn replay(&self) -> Result<()> {
        let inner = &*self.inner;
        let mut place = inner.changing.lock();
        let (commands, chain) = inner.commands.replay()?;
        *place = chain;
        for read in commands.into_iter().filter(|read| read.counts) {
            let applied = read.command.map_err(Error::world).and_then(|command| inner.apply(read.offset, &command));
            match applied {
                Ok(mut applied) => {
                    if !inner.is_shared() {
                        inner.finish_deletion(read.offset, applied.deletes.take());
                    }
                    let remains = Remains::new(applied.ended, applied.deletes, Duty::Own);
                    inner.remains.lock().extend(remains);
                }
                Err(error) => inner.quarantined.write().push((read.offset, error.to_string())),
            }
        }
        Ok(())
    }

    /// Starts all queries of the catalog. One that can't start says so in its state.
    pub(in crate::engine) fn start_all(&self) {
        let inner = &*self.inner;
        let _one_at_a_time = inner.changing.lock();
        inner.forget_cleared();
        if !inner.works {
            return;
        }
        if !inner.is_shared() {
            // Left by a process that was killed between a command and its deeds. It takes room and does no harm: what can't
            // be cleared away now, the next start tries again.
            inner.clear_due();
        }
        let entries: Vec<QueryEntry> = inner.catalog.read().queries().cloned().collect();
        for entry in entries {
            let sink = inner.sinks.read().get(&entry.id).cloned();
            if let Some(sink) = sink {
                // The reason is kept beside the query.
                let _ = inner.start_query(&entry, sink);
            }
        }
    }
}

/// A command that the catalog has.
pub(super) struct Applied {
    /// To be carried out: one of each statement of the command.
    pub effects: Vec<Effect>,
    pub ended: Vec<EndedQuery>,
    pub deletes: Option<DeletedTopic>,
}

impl Inner {
    /// Changes the catalog and the plans as a command of the log says: all of it or nothing.
    pub(super) fn apply(&self, offset: i64, command: &Command) -> Result<Applied> {
        let mut catalog = self.catalog.read().clone();
        let mut effects = Vec::new();
        for parsed in sql::parse(&command.statement)? {
            let replay = Some(Replay {
                query_id: command.query_id.clone(),
                found: command.found.clone(),
                sink_partitions: command.sink_partitions,
            });
            let properties = &command.properties;
            let change = Change { inner: self, catalog: &mut catalog, properties, query_number: offset, replay };
            effects.push(change.apply(&parsed)?);
        }
        let ended = effects.iter().flat_map(|effect| self.follow_plans(effect)).collect();
        *self.catalog.write() = catalog;
        Ok(Applied { effects, ended, deletes: command.deletes.clone() })
    }

    /// Left by a process that was killed between the command and its deeds. Before anybody can write to it.
    fn finish_deletion(&self, offset: i64, deletes: Option<DeletedTopic>) {
        let Some(meant) = deletes else { return };
        if let Err(error) = self.delete_meant(&meant) {
            let left = format!("topic {} is still there: {error}", meant.name);
            self.quarantined.write().push((offset, left));
        }
    }
}
