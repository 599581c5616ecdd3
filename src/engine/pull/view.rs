//! Rows of a table's view.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use crate::analyze::WINDOW_COLUMNS;
use crate::catalog::{Catalog, Source};
use crate::engine::behind::behind;
use crate::engine::rows::{columns, rows};
use crate::engine::transient::ROWS_MAX;
use crate::engine::warning::warning;
use crate::engine::{Inner, Row, RowEvent, RowStream};
use crate::error::Result;
use crate::messages;
use crate::query;
use crate::sql::ast::{Location, Query};

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
    let (behind, pulled) = view.caught_up(&*inner.log, || {
        // Before the rows are read: what is said to be there is among them.
        let behind = behind(inner, catalog, source)?;
        Ok((behind, query::pull(query, catalog, properties, &view)?))
    })?;
    let rows: Vec<Row> = pulled.batches.iter().flat_map(|batch| rows(batch, &pulled.schema)).collect();
    let limit = query.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let (sender, events) = sync_channel(rows.len() / ROWS_MAX + 5);
    let limited: Vec<Row> = rows.into_iter().take(limit).collect();
    for chunk in limited.chunks(ROWS_MAX) {
        let _ = sender.send(RowEvent::Rows(chunk.to_vec()));
    }
    for text in warning(pulled.bad, 0, &pulled.errors).into_iter().chain(behind) {
        let _ = sender.send(RowEvent::Warning(text));
    }
    let _ = sender.send(RowEvent::End("Query Completed".to_string()));
    let is_key = |name: &str| {
        source.key_columns().any(|column| column.name == name)
            || (source.window.is_some() && WINDOW_COLUMNS.contains(&name))
    };
    Ok(RowStream { columns: columns(&pulled.schema, is_key), query_id: None, events, on_drop: None })
}
