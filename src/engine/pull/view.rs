//! Rows of a table's view.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::WINDOW_COLUMNS;
use crate::catalog::{Catalog, Source};
use crate::engine::behind::behind;
use crate::engine::peers::{PartAnswer, Routes, definition};
use crate::engine::rows::{columns, rows};
use crate::engine::transient::ROWS_MAX;
use crate::engine::warning::warning;
use crate::engine::{Inner, RowEvent, RowStream, event_channel, settings};
use crate::error::{Error, Result};
use crate::messages;
use crate::query::{self, Pulled, View, Wanted};
use crate::sql::ast::{Location, Query};

const LAG_MAX: &str = "ksql.query.pull.max.allowed.offset.lag";

/// Answers a query that picks rows and columns of a table. `table`: the table, and where the query names it.
pub(super) fn answer(
    inner: &Arc<Inner>,
    query: &Query,
    properties: &BTreeMap<String, String>,
    table: (&Catalog, &Arc<Source>, Location),
) -> Result<RowStream> {
    let (catalog, source, at) = table;
    let Some(view) = inner.view_of(source)? else {
        return Err(messages::pull::not_queryable(&source.name).at(at));
    };
    let answer = match inner.routes(query, catalog, source, &view)? {
        None => answer_here(inner, query, properties, (catalog, source), &view, None)?,
        Some(routes) => answer_by(inner, query, properties, (catalog, source), &view, routes)?,
    };
    Ok(stream(query, answer))
}

/// Of each partition the rows of the process that answers for it; of those that don't answer, this one's.
fn answer_by(
    inner: &Inner,
    query: &Query,
    properties: &BTreeMap<String, String>,
    (catalog, source): (&Catalog, &Source),
    view: &View,
    routes: Routes,
) -> Result<PartAnswer> {
    let Routes { mut here, there } = routes;
    let (mut answers, left) = match there.is_empty() {
        true => (Vec::new(), Vec::new()),
        false => inner.ask_others(query, &definition(catalog, source), properties, there),
    };
    here.extend(left);
    if !here.is_empty() || answers.is_empty() {
        answers.push(answer_here(inner, query, properties, (catalog, source), view, Some(&here))?);
    }
    let columns = answers[0].columns.clone();
    if answers.iter().any(|answer| answer.columns != columns) {
        // What exists changes at this moment, and not all know it yet.
        return answer_here(inner, query, properties, (catalog, source), view, None);
    }
    let mut all = PartAnswer { columns, rows: Vec::new(), warnings: Vec::new() };
    for answer in answers {
        all.rows.extend(answer.rows);
        all.warnings
            .extend(answer.warnings.into_iter().filter(|text| !all.warnings.contains(text)).collect::<Vec<_>>());
    }
    Ok(all)
}

/// The rows of the wanted partitions, from this process's view.
pub(in crate::engine) fn answer_here(
    inner: &Inner,
    query: &Query,
    properties: &BTreeMap<String, String>,
    (catalog, source): (&Catalog, &Source),
    view: &View,
    wanted: Wanted<'_>,
) -> Result<PartAnswer> {
    let (behind, pulled) = view.caught_up(&*inner.log, wanted, || {
        // Before the rows are read: what is said to be there is among them.
        let behind = behind(inner, catalog, source)?;
        let allowed = settings::number(properties, LAG_MAX);
        if behind > allowed {
            let what = format!("Table {} is {behind} records behind, more than {LAG_MAX} allows.", source.name);
            return Err(Error::world(what).hint("try again in a moment; SHOW QUERIES tells how its query is"));
        }
        Ok((behind, query::pull(query, catalog, properties, view, wanted)?))
    })?;
    let behind = (behind > 0).then(|| format!("table {} is still catching up: lag {behind}", source.name));
    Ok(part_answer(source, &pulled, behind))
}

/// Keys for which a query may ask that is answered at once.
const KEYS_MAX: usize = 16;

/// Answers a query that asks for a few keys of a table whose rows are all there. None: it is another one, or would have to wait, or
/// is wrong. What isn't among the rows yet isn't told of.
pub(super) fn answer_at_once(
    inner: &Inner,
    query: &Query,
    properties: &BTreeMap<String, String>,
    (catalog, source): (&Catalog, &Source),
) -> Option<RowStream> {
    let view = inner.views.try_read()?.get(&source.name).cloned()?;
    let pull = || query::pull_keys(query, catalog, properties, (&view, KEYS_MAX));
    let pulled = view.caught_up_at_once(&*inner.log, pull).ok()???;
    Some(stream(query, part_answer(source, &pulled, None)))
}

/// `behind`: what the rows don't show yet, for people.
fn part_answer(source: &Source, pulled: &Pulled, behind: Option<String>) -> PartAnswer {
    let is_key = |name: &str| {
        source.key_columns().any(|column| column.name == name)
            || (source.window.is_some() && WINDOW_COLUMNS.contains(&name))
    };
    PartAnswer {
        columns: columns(&pulled.schema, is_key),
        rows: pulled.batches.iter().flat_map(|batch| rows(batch, &pulled.schema)).collect(),
        warnings: warning(pulled.bad, 0, &pulled.errors).into_iter().chain(behind).collect(),
    }
}

fn stream(query: &Query, answer: PartAnswer) -> RowStream {
    let limit = query.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let PartAnswer { columns, rows, warnings } = answer;
    let (sender, events) = event_channel(rows.len() / ROWS_MAX + warnings.len() + 3, usize::MAX);
    let mut rows = rows.into_iter().take(limit).peekable();
    while rows.peek().is_some() {
        let _ = sender.send(RowEvent::Rows(rows.by_ref().take(ROWS_MAX).collect()));
    }
    for text in warnings {
        let _ = sender.send(RowEvent::Warning(text));
    }
    let _ = sender.send(RowEvent::End("Query Completed".to_string()));
    RowStream { columns, query_id: None, events, on_drop: None }
}
