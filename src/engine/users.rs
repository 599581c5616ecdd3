//! Who relies on a topic. Pure: looks at a catalog.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, SourceKind};
use crate::engine::TopicUsers;

/// The streams, tables and queries that would miss a topic.
pub(super) fn of(catalog: &Catalog, topic: &str) -> TopicUsers {
    let mut users = TopicUsers::default();
    let mut queries = BTreeSet::new();
    for source in catalog.sources().filter(|source| source.topic == topic) {
        let kind = match source.kind {
            SourceKind::Stream => "stream",
            SourceKind::Table => "table",
        };
        users.names.push(format!("{kind} {}", source.name));
        let query = source.query_id.as_ref().filter(|id| catalog.query(id).is_some());
        if let Some(query) = query.filter(|_| source.kind == SourceKind::Table) {
            users.table = Some((source.name.clone(), query.clone()));
        }
        let around = catalog.readers_of(&source.name).chain(catalog.writers_of(&source.name));
        queries.extend(around.map(|query| query.id.clone()));
    }
    users.names.extend(queries.iter().map(|id| format!("query {id}")));
    users
}
