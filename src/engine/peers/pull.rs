//! Pull queries between processes: what is asked of others, and what others ask.

use std::collections::BTreeMap;

use super::owners::{self, Routes};
use super::{PartAnswer, PartAsked, Process};
use crate::catalog::{Catalog, Source};
use crate::dataflow::layout;
use crate::engine::{Drive, Engine, Inner, pull};
use crate::error::{Error, Result};
use crate::query::{self, View};
use crate::sql;
use crate::sql::ast::{Query, Statement};

/// What the rows of a table depend on beside its topic: two processes that say the same of it give the same rows.
pub(in crate::engine) fn definition(catalog: &Catalog, table: &Source) -> String {
    let types: Vec<String> = catalog.types().iter().map(|(name, ty)| format!("{name} {ty}")).collect();
    format!("{} {} {}", table.query_id.as_deref().unwrap_or_default(), table.statement, types.join(", "))
}

impl Inner {
    /// Who answers for the rows that a query wants of a table. None: this process, for all of them.
    ///
    /// Errors: what the query compares a key with can't be one.
    pub(in crate::engine) fn routes(
        &self,
        query: &Query,
        catalog: &Catalog,
        table: &Source,
        view: &View,
    ) -> Result<Option<Routes>> {
        let (Some(seat), Some(peers)) = (&self.seat, self.around.peers.read().clone()) else { return Ok(None) };
        let Some(entry) = table.query_id.as_ref().and_then(|id| catalog.query(id)) else { return Ok(None) };
        let shares = self.around.shares.read().clone();
        let (Some(shares), Some(count)) = (shares.get(&entry.id), self.log.partitions(&table.topic)) else {
            return Ok(None);
        };
        // Where keys were placed among another number, or it isn't known, a key may be anywhere.
        let by_key = entry.sink_partitions == Some(count);
        let asked = if by_key { query::partitions_asked(query, catalog, view, count)? } else { None };
        let asked: Vec<u32> = asked.map_or_else(|| (0..count).collect(), |asked| asked.into_iter().collect());
        Ok(Some(owners::route(asked, shares, &seat.process, |process| peers.answers(process))))
    }

    /// Asks other processes, side by side. Gives the answers, and the partitions for which there is none.
    pub(in crate::engine) fn ask_others(
        &self,
        query: &Query,
        definition: &str,
        properties: &BTreeMap<String, String>,
        there: BTreeMap<Process, Vec<u32>>,
    ) -> (Vec<PartAnswer>, Vec<u32>) {
        let Some(peers) = self.around.peers.read().clone() else {
            return (Vec::new(), there.into_values().flatten().collect());
        };
        let text = sql::format::statement(&Statement::Select(query.clone()));
        let ask = |(process, partitions): (Process, Vec<u32>)| {
            let asked = PartAsked {
                process: process.id.clone(),
                definition: definition.to_owned(),
                query: text.clone(),
                properties: properties.clone(),
                partitions,
            };
            peers.pull(&process, &asked).map_err(|_| asked.partitions)
        };
        let mut there: Vec<_> = there.into_iter().collect();
        let own = there.pop();
        let answers: Vec<Result<PartAnswer, Vec<u32>>> = std::thread::scope(|scope| {
            let others: Vec<_> = there.into_iter().map(|one| (one.1.clone(), scope.spawn(|| ask(one)))).collect();
            let own = own.map(ask);
            let joined = others.into_iter().map(|(asked, thread)| thread.join().unwrap_or(Err(asked)));
            joined.collect::<Vec<_>>().into_iter().chain(own).collect()
        });
        let (mut answered, mut left) = (Vec::new(), Vec::new());
        for answer in answers {
            match answer {
                Ok(answer) => answered.push(answer),
                Err(partitions) => left.extend(partitions),
            }
        }
        (answered, left)
    }

    /// Whether this process answers for a partition of a table: it has the stage's that writes it, or its rows.
    fn answers_for(&self, table: &Source, view: &View, partition: u32) -> bool {
        if view.follows(partition) {
            return true;
        }
        let Drive::Threads(queries) = &self.drive else { return false };
        let Some(id) = &table.query_id else { return false };
        let Some(sink) = self.sinks.read().get(id).cloned() else { return false };
        let group = self.service.query_group(id);
        let stages = layout(&sink.analyzed.plan, &group, &*self.log);
        let Some(last) = stages.ok().and_then(|mut stages| stages.pop()) else { return false };
        let given = queries.lock().get(id).map(|query| query.given.clone());
        given.is_some_and(|given| {
            let partition = partition % last.partitions.max(1);
            given.lock().iter().any(|place| place.topic == last.lead && place.partition == partition)
        })
    }
}

impl Engine {
    /// Answers what another process asks. Never asks a third: so no request goes round.
    ///
    /// Errors: why it doesn't; who asks answers by itself then.
    pub(crate) fn pull_part(&self, asked: &PartAsked) -> Result<PartAnswer> {
        self.start();
        let inner = &self.inner;
        let declined = |why: &str| Error::world(why.to_owned());
        if inner.seat.as_ref().is_none_or(|seat| seat.process != asked.process) {
            return Err(declined("another process is asked"));
        }
        let parsed = sql::parse(&asked.query)?.pop().map(|parsed| parsed.statement);
        let Some(Statement::Select(query)) = parsed else { return Err(declined("this is no query")) };
        let catalog = inner.catalog.read().clone();
        let table = query.from.first.name().and_then(|name| catalog.source(&name.text)).cloned();
        let Some(table) = table.filter(|table| definition(&catalog, table) == asked.definition) else {
            return Err(declined("the table isn't, or isn't the same, here"));
        };
        let Some(view) = inner.view_of(&table)? else { return Err(declined("the table has no rows here")) };
        if !asked.partitions.iter().all(|partition| inner.answers_for(&table, &view, *partition)) {
            return Err(declined("another process has these partitions"));
        }
        pull::answer_here(inner, &query, &asked.properties, (&catalog, &table), &view, Some(&asked.partitions))
    }
}
