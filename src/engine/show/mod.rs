//! SHOW, DESCRIBE, EXPLAIN: what exists, for a reader.

mod describe;
mod explain;
mod facts;

pub(super) use describe::{describe, describe_all, describe_function};
pub(super) use explain::explain;

use self::facts::{TOLD_BY, query_facts};
use crate::catalog::SourceKind;
use crate::engine::{Inner, Listing, Session, settings};
use crate::error::{Error, Result};
use crate::expr::functions;
use crate::log::TopicSummary;
use crate::sql::ast::Show;

pub(super) fn show(inner: &Inner, what: &Show, session: &Session) -> Result<Listing> {
    match what {
        Show::Streams { .. } => Ok(sources(inner, SourceKind::Stream)),
        Show::Tables { .. } => Ok(sources(inner, SourceKind::Table)),
        Show::Topics { all, .. } => {
            inner.await_reach()?;
            topics(inner, *all)
        }
        Show::Queries { .. } => Ok(queries(inner)),
        Show::Functions => {
            let rows = functions::rows(functions::table());
            Ok(listing(
                "functions",
                &["Function Name", "Category"],
                rows.into_iter().map(|(name, category)| vec![name.to_string(), category.to_string()]).collect(),
            ))
        }
        Show::Properties => Ok(listing(
            "properties",
            &["Property", "Default override", "Effective Value", "Meaning"],
            settings::SETTINGS
                .iter()
                .map(|setting| {
                    let own = session.properties.get(setting.name);
                    vec![
                        setting.name.to_string(),
                        own.map_or("", |_| "SESSION").to_string(),
                        settings::value(&session.properties, setting.name).to_string(),
                        setting.description.to_string(),
                    ]
                })
                .collect(),
        )),
        Show::Variables => Ok(listing(
            "variables",
            &["Variable Name", "Value"],
            session.variables.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect(),
        )),
        Show::Types => Ok(listing(
            "types",
            &["Type Name", "Schema"],
            inner.catalog.read().types().iter().map(|(name, ty)| vec![name.clone(), ty.to_string()]).collect(),
        )),
        Show::Connectors => Err(Error::not_supported(
            "SHOW CONNECTORS",
            "Millpond reads and writes topics itself: see `millpond topic --help`",
        )),
    }
}

fn listing(kind: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Listing {
    Listing {
        kind: kind.to_string(),
        facts: Vec::new(),
        columns: columns.iter().map(ToString::to_string).collect(),
        rows,
        warnings: Vec::new(),
    }
}

fn sources(inner: &Inner, kind: SourceKind) -> Listing {
    let catalog = inner.catalog.read();
    let rows = catalog
        .sources()
        .filter(|source| source.kind == kind)
        .map(|source| {
            let mut row = vec![
                source.name.clone(),
                source.topic.clone(),
                source.key.format.name().to_string(),
                source.value.format.name().to_string(),
            ];
            row.push(source.window.is_some().to_string());
            row
        })
        .collect();
    let (name, title) = match kind {
        SourceKind::Stream => ("streams", "Stream Name"),
        SourceKind::Table => ("tables", "Table Name"),
    };
    listing(name, &[title, "Kafka Topic", "Key Format", "Value Format", "Windowed"], rows)
}

fn topics(inner: &Inner, all: bool) -> Result<Listing> {
    // What isn't known of one is a dash, and the others are told all the same.
    let text = |count: Option<i64>| count.map_or_else(|| "-".to_string(), |count| count.to_string());
    let topics = inner.log.summaries()?.into_iter().filter(|topic| all || !topic.internal);
    let row = |topic: TopicSummary| vec![topic.name, text(topic.partitions.map(i64::from)), text(topic.records)];
    Ok(listing("topics", &["Kafka Topic", "Partitions", "Records"], topics.map(row).collect()))
}

fn queries(inner: &Inner) -> Listing {
    let catalog = inner.catalog.read();
    let mut columns = vec!["Query ID", "Status", "Sink Name", "Rows In", "Rows Out", "Late", "Bad", "Lag"];
    // Where others share the work, it is said whose state and counts these are.
    columns.extend(inner.is_shared().then_some(TOLD_BY));
    columns.push("Query String");
    let rows = catalog
        .queries()
        .map(|query| {
            let facts = query_facts(inner, &query.id);
            let fact = |name: &str| {
                facts.iter().find(|(other, _)| other == name).map_or("-".to_string(), |(_, value)| value.clone())
            };
            let mut row = vec![
                query.id.clone(),
                fact("State"),
                query.sink.clone(),
                fact("Rows in"),
                fact("Rows out"),
                fact("Late"),
                fact("Bad"),
                fact("Lag"),
            ];
            row.extend(inner.is_shared().then(|| fact(TOLD_BY)));
            row.push(query.statement.split_whitespace().collect::<Vec<_>>().join(" "));
            row
        })
        .collect();
    listing("queries", &columns, rows)
}
