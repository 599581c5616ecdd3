//! What statements would make: applied to a copy of the catalog, nothing is carried out.

use std::collections::BTreeMap;

use super::{Change, Replay};
use crate::catalog::Catalog;
use crate::engine::Inner;
use crate::error::Result;
use crate::sql::ast::ParsedStatement;

impl Inner {
    /// Changes `catalog` as the statement would. Gives the id of the query it would start: that of its place,
    /// `query_number`, which no other query may have.
    ///
    /// Errors: as the statement's own; topics are not looked at.
    pub(in crate::engine) fn foresee(
        &self,
        catalog: &mut Catalog,
        parsed: &ParsedStatement,
        properties: &BTreeMap<String, String>,
        query_number: i64,
    ) -> Result<Option<String>> {
        let change = Change { inner: self, catalog, properties, query_number, replay: Some(Replay::default()) };
        Ok(change.apply(parsed)?.start.map(|start| start.entry.id))
    }
}
