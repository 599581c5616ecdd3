//! DESCRIBE: a stream, a table, a query, a function.

use super::standing::summary;
use crate::catalog::{Catalog, Source, SourceKind};
use crate::engine::Inner;
use crate::engine::facts::{ColumnDescription, Extent, Facts, SourceDescription, SourceSummary};
use crate::error::{Error, Result};
use crate::expr::functions;
use crate::messages;
use crate::sql::ast::Ident;

pub(in crate::engine) fn describe(inner: &Inner, name: &Ident, extended: bool) -> Result<Facts> {
    let catalog = inner.catalog.read();
    if let Some(source) = catalog.source(&name.text) {
        return Ok(Facts::Source(Box::new(described(inner, &catalog, source, extended))));
    }
    match catalog.query(&name.text) {
        Some(query) => Ok(Facts::Query(Box::new(summary(inner, &catalog, query)))),
        None => {
            Err(catalog.expect_source(&name.text).err().unwrap_or_else(|| Error::internal("it exists")).at(name.at))
        }
    }
}

pub(in crate::engine) fn describe_all(inner: &Inner, kind: SourceKind, extended: bool) -> Facts {
    let catalog = inner.catalog.read();
    let of_kind = catalog.sources().filter(|source| source.kind == kind);
    Facts::SourceDescriptions(of_kind.map(|source| described(inner, &catalog, source, extended)).collect())
}

pub(in crate::engine) fn describe_function(name: &Ident) -> Result<Facts> {
    let table = functions::table();
    match table.get(&name.text.to_uppercase()) {
        Some(function) => Ok(Facts::Function(function.name.to_string())),
        None => Err(messages::functions::unknown(&name.text, table.similar(&name.text)).at(name.at)),
    }
}

pub(super) fn summary_of(source: &Source) -> SourceSummary {
    SourceSummary {
        name: source.name.clone(),
        topic: source.topic.clone(),
        key_format: source.key.format.name().to_string(),
        value_format: source.value.format.name().to_string(),
        windowed: source.window.is_some(),
    }
}

fn described(inner: &Inner, catalog: &Catalog, source: &Source, extended: bool) -> SourceDescription {
    let out_of_reach = inner.log.out_of_reach().is_some();
    let topic = if out_of_reach { None } else { inner.log.describe_topic(&source.topic).ok() };
    let column = |column: &crate::catalog::Column| ColumnDescription {
        name: column.name.clone(),
        ty: column.ty.clone(),
        role: column.role.clone(),
    };
    let read_by: Vec<_> = catalog.readers_of(&source.name).collect();
    SourceDescription {
        summary: summary_of(source),
        kind: source.kind,
        window: source.window,
        timestamp: source.timestamp.as_ref().map(|timestamp| timestamp.name.clone()),
        versions_retention_ms: source.versions_retention_ms,
        columns: source.columns.iter().map(column).collect(),
        partitions: topic.as_ref().and_then(|topic| u32::try_from(topic.partitions.len()).ok()),
        replicas: topic.as_ref().and_then(|topic| topic.replicas()),
        out_of_reach,
        constraints: made_by(catalog, &read_by),
        read_by: read_by.into_iter().map(|query| summary(inner, catalog, query)).collect(),
        written_by: catalog.writers_of(&source.name).map(|query| summary(inner, catalog, query)).collect(),
        statement: source.statement.clone(),
        extended,
        extent: topic.filter(|_| extended).map(|topic| Extent {
            bytes: topic.bytes(),
            offsets: topic.partitions.iter().map(|part| (part.first_offset, part.next_offset)).collect(),
        }),
    }
}

/// The streams and tables that these queries were given to make.
fn made_by(catalog: &Catalog, queries: &[&crate::catalog::QueryEntry]) -> Vec<String> {
    let made = |id: &str| catalog.sources().find(|source| source.query_id.as_deref() == Some(id));
    queries.iter().filter_map(|query| made(&query.id)).map(|source| source.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use crate::engine::{Engine, Face, Options, Page, Reply, Session};

    #[test]
    fn a_table_tells_its_window_and_who_writes_it() {
        let engine = Engine::stepped(Options::default()).unwrap();
        let mut session = Session::default();
        let mut run = |statement: &str| engine.execute(&mut session, statement).unwrap();
        run("CREATE STREAM s (id INT KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=3);");
        run("CREATE TABLE t AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 90 SECONDS) GROUP BY id;");
        let mut facts = |statement: &str| match run(statement) {
            Reply::Facts(told) => match told.page() {
                Page::Listing(listing) => listing.facts,
                text => panic!("{text:?}"),
            },
            other => panic!("{other:?}"),
        };
        let of_table = facts("DESCRIBE t;");
        let fact = |facts: &[(String, String)], name: &str| {
            facts.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
        };
        assert_eq!(fact(&of_table, "Window").as_deref(), Some("TUMBLING, SIZE 90 SECONDS"));
        assert_eq!(fact(&of_table, "Partitions").as_deref(), Some("3"));
        assert!(fact(&of_table, "Written by").is_some_and(|text| text.ends_with(" RUNNING")), "{of_table:?}");
        assert!(fact(&facts("DESCRIBE s;"), "Read by").is_some_and(|text| text.starts_with("CTAS_T_")));
        assert_eq!(fact(&facts("DESCRIBE s EXTENDED;"), "Records").as_deref(), Some("0"));
    }
}
