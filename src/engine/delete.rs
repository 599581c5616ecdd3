//! DELETE FROM table WHERE key = value: a tombstone, written at once.

use std::collections::BTreeMap;

use crate::catalog::{Source, SourceKind};
use crate::engine::{Inner, settings};
use crate::error::Result;
use crate::expr;
use crate::messages;
use crate::messages::inserts::Keyed;
use crate::sql::ast::{BinaryOp, Expr, ExprKind, Ident};
use crate::types::Value;

/// How the row of a table is named.
fn keyed(source: &Source) -> Keyed<'_> {
    Keyed { table: &source.name, key: &source.key.columns }
}

impl Inner {
    /// Writes the tombstone of one key to a table's topic. That the table has no such row is no error.
    pub(super) fn delete_row(
        &self,
        target: &Ident,
        filter: &Expr,
        properties: &BTreeMap<String, String>,
    ) -> Result<()> {
        if settings::value(properties, "ksql.insert.into.values.enabled") != "true" {
            return Err(messages::inserts::delete_disabled());
        }
        let catalog = self.catalog.read().clone();
        let source = catalog.expect_source(&target.text).map_err(|error| error.at(target.at))?.clone();
        if source.kind == SourceKind::Stream {
            return Err(messages::inserts::delete_from_stream(&source.name).at(target.at));
        }
        if let Some(query) = &source.query_id {
            return Err(messages::inserts::delete_from_made(&source.name, query).at(target.at));
        }
        self.check_target(&source, target)?;
        let mut given: BTreeMap<&str, &Expr> = BTreeMap::new();
        equalities(filter, &source, &mut given)?;
        let mut key: BTreeMap<&str, Value> = BTreeMap::new();
        for (name, ty) in &source.key.columns {
            let value = given
                .get(name.as_str())
                .ok_or_else(|| messages::inserts::delete_without(name, &keyed(&source)).at(filter.at))?;
            let value = expr::constant(value, Some(ty), &|name| catalog.custom_type(name).cloned())
                .map_err(|error| error.at(value.at))?;
            key.insert(name, value);
        }
        self.write_row(&source, self.encode_tombstone(&source, &key)?, "deleted")
    }
}

/// The columns that must equal something, each once.
fn equalities<'a>(filter: &'a Expr, source: &Source, given: &mut BTreeMap<&'a str, &'a Expr>) -> Result<()> {
    let (column, value) = match &filter.kind {
        ExprKind::Binary { op: BinaryOp::And, left, right } => {
            equalities(left, source, given)?;
            return equalities(right, source, given);
        }
        ExprKind::Binary { op: BinaryOp::Equal, left, right } => match (&left.kind, &right.kind) {
            (ExprKind::Column { name, .. }, _) => (name, &**right),
            (_, ExprKind::Column { name, .. }) => (name, &**left),
            _ => return Err(messages::inserts::delete_of_condition(&keyed(source)).at(filter.at)),
        },
        _ => return Err(messages::inserts::delete_of_condition(&keyed(source)).at(filter.at)),
    };
    if !source.key.columns.iter().any(|(key, _)| *key == column.text) {
        return Err(messages::inserts::delete_by_value(&column.text, &keyed(source)).at(column.at));
    }
    match given.insert(&column.text, value) {
        Some(_) => Err(messages::inserts::delete_named_twice(&column.text, &keyed(source)).at(column.at)),
        None => Ok(()),
    }
}
