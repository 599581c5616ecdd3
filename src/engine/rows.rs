//! Rows of views for a reader: pull queries over tables.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use crate::analyze::WINDOW_COLUMNS;
use crate::dataflow::Batch;
use crate::engine::behind::behind;
use crate::engine::transient::{self, ROWS_MAX, Until};
use crate::engine::warning::warning;
use crate::engine::{Inner, ResultColumn, Row, RowEvent, RowStream};
use crate::error::{Error, Result};
use crate::plan::Schema;
use crate::query;
use crate::sql::ast::{Query, SourceKind as Kind};
use crate::types::Value;

/// Answers a SELECT without EMIT.
pub(super) fn pull_query(
    inner: &Arc<Inner>,
    query: &Query,
    properties: &BTreeMap<String, String>,
) -> Result<RowStream> {
    let name = query::check_single(query)?;
    let catalog = inner.catalog.read().clone();
    let source = catalog.expect_source(&name.text).map_err(|error| error.at(name.at))?.clone();
    query::check_limit(query, properties)?;
    if source.kind == Kind::Stream {
        query::check_columns(query)?;
        return transient::start(inner, query, properties, Until::End);
    }
    let Some(view) = inner.view_of(&source)? else {
        return Err(Error::statement(format!(
            "The `{}` table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE QUERYABLE_{} AS SELECT * FROM {}'.",
            source.name, source.name, source.name
        ))
        .hint("add EMIT CHANGES if you want a push query")
        .at(name.at));
    };
    let (behind, pulled) = view.caught_up(&*inner.log, || {
        // Before the rows are read: what is said to be there is among them.
        let behind = behind(inner, &catalog, &source)?;
        Ok((behind, query::pull(query, &catalog, properties, &view)?))
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

/// Columns for the reader: the hidden key is not among them.
pub(super) fn columns(schema: &Schema, is_key: impl Fn(&str) -> bool) -> Vec<ResultColumn> {
    let shown = schema.columns[schema.keys..].iter();
    shown
        .map(|column| ResultColumn { name: column.name.clone(), ty: column.ty.clone(), key: is_key(&column.name) })
        .collect()
}

/// The rows of a batch, without the hidden key.
pub(super) fn rows(batch: &Batch, schema: &Schema) -> Vec<Row> {
    (0..batch.rows)
        .map(|row| {
            let values = batch
                .value_columns()
                .iter()
                .zip(&schema.columns[schema.keys..])
                .map(|(column, described)| Value::from_array(column, row, &described.ty))
                .collect();
            let tombstone = batch.tombstone.as_ref().is_some_and(|tombstone| tombstone.value(row));
            Row { values, tombstone }
        })
        .collect()
}
