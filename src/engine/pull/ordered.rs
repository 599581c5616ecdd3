//! ORDER BY.

use std::thread::Builder;

use arrow::compute::SortOptions;
use arrow::row::{RowConverter, SortField};

use crate::engine::rows::Kept;
use crate::engine::transient::ROWS_MAX;
use crate::engine::{CHANNEL_BYTES_MAX, ResultColumn, Row, RowEvent, RowStream, event_channel};
use crate::error::{Error, Result};
use crate::messages;
use crate::sql::ast::{ExprKind, Ident, Location, Query, SelectItem, SortKey};
use crate::state::MemoryShare;
use crate::types::{Value, values_to_array};

/// How many events may wait for a reader.
const EVENTS_MAX: usize = 64;

/// How the rows of a query are to be sorted. What isn't among its columns was added behind them.
pub(super) struct Order {
    keys: Vec<Key>,
    /// Columns that were added.
    added: usize,
    limit: Option<u64>,
}

struct Key {
    column: Column,
    options: SortOptions,
    at: Location,
}

/// A column of the result.
enum Column {
    /// From 1 on, as ORDER BY 2 says.
    Number(usize),
    Name(String),
    /// Of those that were added, from 0 on.
    Added(usize),
}

impl Order {
    /// The query whose rows are to be sorted: with what they are sorted by, without LIMIT. None: the rows come as they come.
    ///
    /// Errors: a query whose rows are united, or differ, is sorted by something else than its columns.
    pub fn of(query: &Query) -> Result<Option<(Query, Order)>> {
        if query.order_by.is_empty() {
            return Ok(None);
        }
        let mut inner = Query { order_by: Vec::new(), limit: None, ..query.clone() };
        let (mut keys, mut added) = (Vec::new(), 0);
        for SortKey { expr, descending, nulls_first } in &query.order_by {
            let named = match &expr.kind {
                ExprKind::Int(number) => Some(Column::Number(usize::try_from(*number).unwrap_or(0))),
                ExprKind::Column { source: None, name } if is_named(query, &name.text) => {
                    Some(Column::Name(name.text.clone()))
                }
                _ => None,
            };
            let column = match named {
                Some(column) => column,
                None if query.distinct || !query.union.is_empty() => {
                    let clause = if query.distinct { "SELECT DISTINCT" } else { "UNION ALL" };
                    return Err(messages::pull::order_by_expression(clause).at(expr.at));
                }
                None => {
                    let alias = Some(Ident::new(format!("KSQL_SORT_{added}")));
                    inner.items.push(SelectItem::Expr { expr: expr.clone(), alias });
                    added += 1;
                    Column::Added(added - 1)
                }
            };
            let options = SortOptions { descending: *descending, nulls_first: nulls_first.unwrap_or(*descending) };
            keys.push(Key { column, options, at: expr.at });
        }
        Ok(Some((inner, Order { keys, added, limit: query.limit })))
    }

    /// Takes all rows of a query in, and gives them sorted, as many as LIMIT says, without what was added.
    ///
    /// Errors: a column isn't there or has no order; no thread can be started. A query whose rows outgrow the memory fails.
    pub fn sort(self, mut stream: RowStream, memory: MemoryShare) -> Result<RowStream> {
        let shown = stream.columns.len() - self.added;
        let columns: Vec<usize> =
            self.keys.iter().map(|key| key.index(&stream.columns, shown)).collect::<Result<_>>()?;
        let fields = self
            .keys
            .iter()
            .zip(&columns)
            .map(|(key, column)| SortField::new_with_options(stream.columns[*column].ty.to_arrow(), key.options));
        let converter = RowConverter::new(fields.collect()).map_err(|_| {
            let names: Vec<&str> = columns.iter().map(|column| stream.columns[*column].name.as_str()).collect();
            messages::pull::no_order(&names).at(self.keys[0].at)
        })?;
        let result = stream.columns[..shown].to_vec();
        let (sender, events) = event_channel(EVENTS_MAX, CHANNEL_BYTES_MAX);
        let (on_drop, limit) = (stream.on_drop.take(), self.limit);
        let work = move || {
            let mut kept = Kept::new(memory);
            let end = loop {
                match stream.events.recv() {
                    Ok(RowEvent::Rows(rows)) => {
                        if let Err(error) = kept.add(rows) {
                            break RowEvent::Failed(error);
                        }
                    }
                    Ok(event @ (RowEvent::End(_) | RowEvent::Failed(_))) => break event,
                    Ok(event) => {
                        if sender.send(event).is_err() {
                            return;
                        }
                    }
                    Err(_) => return,
                }
            };
            if matches!(end, RowEvent::End(_)) {
                let rows = kept.into_rows();
                match sorted(&rows, &columns, &stream.columns, &converter) {
                    Ok(order) => {
                        let wanted = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
                        for chunk in order[..order.len().min(wanted)].chunks(ROWS_MAX) {
                            let rows = chunk.iter().map(|row| {
                                let Row { mut values, tombstone } = rows[*row].clone();
                                values.truncate(shown);
                                Row { values, tombstone }
                            });
                            if sender.send(RowEvent::Rows(rows.collect())).is_err() {
                                return;
                            }
                        }
                    }
                    Err(error) => return drop(sender.send(RowEvent::Failed(error))),
                }
            }
            let _ = sender.send(end);
        };
        Builder::new()
            .name("order by".to_owned())
            .spawn(work)
            .map_err(|error| Error::world(format!("no thread could be started: {error}")))?;
        Ok(RowStream { columns: result, query_id: None, events, on_drop })
    }
}

impl Key {
    fn index(&self, columns: &[ResultColumn], shown: usize) -> Result<usize> {
        let found = match &self.column {
            Column::Number(number) => number.checked_sub(1).filter(|index| *index < shown),
            Column::Name(name) => columns[..shown].iter().position(|column| column.name == *name),
            Column::Added(number) => Some(shown + number),
        };
        found.ok_or_else(|| {
            let error = match &self.column {
                Column::Name(name) => messages::pull::order_by_unknown(name),
                Column::Number(_) | Column::Added(_) => messages::pull::order_by_number(shown),
            };
            error.at(self.at)
        })
    }
}

/// Whether a column of the result is certain to have this name. `*` may have it, too; then it's a column of a source as well.
fn is_named(query: &Query, name: &str) -> bool {
    let is_it = |item: &SelectItem| match item {
        SelectItem::Expr { alias: Some(alias), .. } => alias.text == name,
        SelectItem::Expr { expr, alias: None } => {
            matches!(&expr.kind, ExprKind::Column { name: own, .. } if own.text == name)
        }
        SelectItem::Star { .. } | SelectItem::StructStar(_) => query.distinct || !query.union.is_empty(),
    };
    query.items.iter().any(is_it)
}

/// Numbers of the rows in their order; equal ones stay as they came.
fn sorted(rows: &[Row], by: &[usize], columns: &[ResultColumn], converter: &RowConverter) -> Result<Vec<usize>> {
    let arrays = by.iter().map(|column| {
        let values: Vec<Value> = rows.iter().map(|row| row.values[*column].clone()).collect();
        values_to_array(&values, &columns[*column].ty)
    });
    let keys = converter
        .convert_columns(&arrays.collect::<Vec<_>>())
        .map_err(|error| Error::internal(format!("rows can't be sorted: {error}")))?;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|one, other| keys.row(*one).cmp(&keys.row(*other)));
    Ok(order)
}
