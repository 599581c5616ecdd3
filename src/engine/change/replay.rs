//! At start: the catalog as the command log says, then its queries.

use std::collections::BTreeMap;

use super::{Change, Replay};
use crate::catalog::{Command, QueryEntry};
use crate::dataflow::{changelog_topic, processing_log};
use crate::engine::Engine;
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
        let mut deleted = Vec::new();
        for (offset, command) in self.inner.commands.replay()? {
            let outcome = command.map_err(Error::world).and_then(|command| {
                self.replay_one(offset, &command)?;
                deleted.extend(command.deletes.map(|meant| (offset, meant)));
                Ok(())
            });
            if let Err(error) = outcome {
                self.inner.quarantined.write().push((offset, error.to_string()));
            }
        }
        // Left there by a process that was killed between the command and its deeds. Before anybody can write to it.
        for (offset, meant) in deleted {
            if let Err(error) = self.inner.delete_meant(&meant) {
                let left = format!("topic {} is still there: {error}", meant.name);
                self.inner.quarantined.write().push((offset, left));
            }
        }
        Ok(())
    }

    /// All of a command or nothing of it.
    fn replay_one(&self, offset: i64, command: &Command) -> Result<()> {
        let inner = &*self.inner;
        let mut catalog = inner.catalog.read().clone();
        for parsed in sql::parse(&command.statement)? {
            let replay = Some(Replay { query_id: command.query_id.clone(), found: command.found.clone() });
            let properties = &command.properties;
            let change = Change { inner, catalog: &mut catalog, properties, query_number: offset, replay };
            let effect = change.apply(&parsed)?;
            let mut sinks = inner.sinks.write();
            let mut ended = inner.ended.lock();
            for id in &effect.stop {
                sinks.remove(id);
                ended.insert(id.clone());
            }
            if let Some(start) = effect.start {
                ended.remove(&start.entry.id);
                sinks.insert(start.entry.id, start.sink);
            }
        }
        *inner.catalog.write() = catalog;
        Ok(())
    }

    /// Starts all queries of the catalog. One that can't start says so in its state.
    pub(in crate::engine) fn start_all(&self) {
        self.clear_ended();
        let entries: Vec<QueryEntry> = self.inner.catalog.read().queries().cloned().collect();
        for entry in entries {
            let sink = self.inner.sinks.read().get(&entry.id).cloned();
            if let Some(sink) = sink {
                // The reason is kept beside the query.
                let _ = self.inner.start_query(&entry, sink);
            }
        }
    }

    /// What ended queries left because the process was killed between the command and its deeds.
    fn clear_ended(&self) {
        let ended = std::mem::take(&mut *self.inner.ended.lock());
        if ended.is_empty() {
            return;
        }
        let groups = self.inner.log.groups();
        for id in ended {
            let group = self.inner.service.query_group(&id);
            if groups.contains(&group) || self.inner.log.partitions(&changelog_topic(&group)).is_some() {
                // It takes room and does no harm: the next start tries again.
                let _ = self.inner.end_query(&id);
            }
        }
    }
}
