//! Rows of a table's view.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::WINDOW_COLUMNS;
use crate::catalog::{Catalog, Source};
use crate::engine::behind::behind;
use crate::engine::rows::{columns, rows};
use crate::engine::transient::ROWS_MAX;
use crate::engine::warning::warning;
use crate::engine::{Inner, Row, RowEvent, RowStream, event_channel, settings};
use crate::error::{Error, Result};
use crate::query::{self, Pulled};
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
        return Err(Error::statement(format!(
            "The `{}` table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE QUERYABLE_{} AS SELECT * FROM {}'.",
            source.name, source.name, source.name
        ))
        .hint("add EMIT CHANGES if you want a push query")
        .at(at));
    };
    let (behind, pulled) = view.caught_up(&*inner.log, || {
        // Before the rows are read: what is said to be there is among them.
        let behind = behind(inner, catalog, source)?;
        let allowed = settings::number(properties, LAG_MAX);
        if behind > allowed {
            let what = format!("Table {} is {behind} records behind, more than {LAG_MAX} allows.", source.name);
            return Err(Error::world(what).hint("try again in a moment; SHOW QUERIES tells how its query is"));
        }
        Ok((behind, query::pull(query, catalog, properties, &view)?))
    })?;
    let behind = (behind > 0).then(|| format!("table {} is still catching up: lag {behind}", source.name));
    let warnings = warning(pulled.bad, 0, &pulled.errors).into_iter().chain(behind);
    Ok(stream(query, source, &pulled, warnings))
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
    Some(stream(query, source, &pulled, warning(pulled.bad, 0, &pulled.errors).into_iter()))
}

fn stream(query: &Query, source: &Source, pulled: &Pulled, warnings: impl Iterator<Item = String>) -> RowStream {
    let rows: Vec<Row> = pulled.batches.iter().flat_map(|batch| rows(batch, &pulled.schema)).collect();
    let limit = query.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let (sender, events) = event_channel(rows.len() / ROWS_MAX + 5, usize::MAX);
    let mut rows = rows.into_iter().take(limit).peekable();
    while rows.peek().is_some() {
        let _ = sender.send(RowEvent::Rows(rows.by_ref().take(ROWS_MAX).collect()));
    }
    for text in warnings {
        let _ = sender.send(RowEvent::Warning(text));
    }
    let _ = sender.send(RowEvent::End("Query Completed".to_string()));
    let is_key = |name: &str| {
        source.key_columns().any(|column| column.name == name)
            || (source.window.is_some() && WINDOW_COLUMNS.contains(&name))
    };
    RowStream { columns: columns(&pulled.schema, is_key), query_id: None, events, on_drop: None }
}
