//! Queries that end: what is committed now. One over a single table's rows is answered from its view; every other one is the
//! continuous query of its text, run over what its topics have now and asked for its last rows.

mod ordered;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::ordered::Order;
pub(super) use self::view::answer_here;
use crate::analyze::is_aggregated;
use crate::engine::transient::{self, Until};
use crate::engine::{Inner, RowStream, settings};
use crate::error::Result;
use crate::messages;
use crate::query;
use crate::sql::ast::{self, Expr, ExprKind, Location, Query, SourceKind};

/// Answers a SELECT without EMIT.
pub(super) fn pull_query(
    inner: &Arc<Inner>,
    query: &Query,
    properties: &BTreeMap<String, String>,
) -> Result<RowStream> {
    if let Some(key) = query.partition_by.first() {
        return Err(messages::pull::partition_by().at(key.at));
    }
    query::check_limit(query, properties)?;
    let bounds = settings::pull_bounds(properties);
    let stream = match Order::of(query)? {
        Some((query, order)) => order.sort(answer(inner, &query, properties)?, inner.memory.share())?,
        None => answer(inner, query, properties)?,
    };
    stream.events.bound(bounds);
    Ok(stream)
}

fn answer(inner: &Arc<Inner>, query: &Query, properties: &BTreeMap<String, String>) -> Result<RowStream> {
    let Some(name) = single(query) else { return settled(inner, query, properties) };
    let catalog = inner.catalog.read().clone();
    let source = catalog.expect_source(&name.text).map_err(|error| error.at(name.at))?.clone();
    match source.kind {
        SourceKind::Stream => {
            query::check_columns(query)?;
            transient::start(inner, query, properties, Until::End)
        }
        SourceKind::Table => view::answer(inner, query, properties, (&catalog, &source, name.at)),
    }
}

/// Answers a query at once that asks for a few keys of a table. None: it is another one, or something would have to be waited for,
/// or it is wrong; [`pull_query`] answers it.
pub(super) fn pull_at_once(inner: &Inner, query: &Query, properties: &BTreeMap<String, String>) -> Option<RowStream> {
    // How far behind it is may have to be asked for.
    if properties.contains_key("ksql.query.pull.max.allowed.offset.lag") {
        return None;
    }
    if inner.is_shared() || query.emit.is_some() || !query.partition_by.is_empty() || !query.order_by.is_empty() {
        return None;
    }
    query::check_limit(query, properties).ok()?;
    let name = single(query)?;
    let catalog = inner.catalog.try_read()?;
    let source = catalog.source(&name.text).filter(|source| source.kind == SourceKind::Table)?;
    let stream = view::answer_at_once(inner, query, properties, (&catalog, source))?;
    stream.events.bound(settings::pull_bounds(properties));
    Some(stream)
}

/// The stream or table of which a query picks rows and columns, and nothing more.
fn single(query: &Query) -> Option<&ast::Ident> {
    let picks = query.with.is_empty()
        && query.from.joins.is_empty()
        && query.union.is_empty()
        && query.window.is_none()
        && query.group_by.is_empty()
        && query.having.is_none()
        && !query.distinct
        && !is_aggregated(query);
    query.from.first.name().filter(|_| picks)
}

fn settled(inner: &Arc<Inner>, query: &Query, properties: &BTreeMap<String, String>) -> Result<RowStream> {
    transient::settle(inner, &grouped(query.clone()), properties)
}

/// Without GROUP BY all rows that are aggregated are one group.
fn grouped(mut query: Query) -> Query {
    if query.group_by.is_empty() && is_aggregated(&query) {
        query.group_by.push(Expr::new(ExprKind::Int(1), Location::default()));
    }
    query
}

/// The continuous query behind one that ends: what ORDER BY and DISTINCT say is done with its last rows.
///
/// Errors: what ORDER BY can't sort by.
pub(super) fn continuous(query: &Query) -> Result<Query> {
    let query = Order::of(query)?.map_or_else(|| query.clone(), |(query, _)| query);
    Ok(Query { distinct: false, ..grouped(query) })
}
