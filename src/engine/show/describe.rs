//! DESCRIBE: a stream, a table, a query, a function.

use super::facts::query_facts;
use crate::catalog::{ColumnRole, Source, SourceKind, SourceWindow};
use crate::engine::{Inner, Listing};
use crate::error::{Error, Result};
use crate::expr::functions;
use crate::sql::ast::Ident;

pub(in crate::engine) fn describe(inner: &Inner, name: &Ident, extended: bool) -> Result<Listing> {
    let catalog = inner.catalog.read();
    let Some(source) = catalog.source(&name.text) else {
        if let Some(query) = catalog.query(&name.text) {
            return Ok(Listing {
                kind: "query".to_string(),
                facts: [
                    vec![("ID".to_string(), query.id.clone()), ("SQL".to_string(), query.statement.clone())],
                    query_facts(inner, &query.id),
                ]
                .concat(),
                columns: Vec::new(),
                rows: Vec::new(),
                warnings: Vec::new(),
            });
        }
        return Err(catalog
            .expect_source(&name.text)
            .err()
            .unwrap_or_else(|| Error::internal("it exists"))
            .at(name.at));
    };
    let mut described = describe_source(source);
    let facts = &mut described.facts;
    let topic = match inner.log.out_of_reach() {
        Some(_) => None,
        None => inner.log.describe_topic(&source.topic).ok(),
    };
    let partitions = match &topic {
        Some(topic) => topic.partitions.len().to_string(),
        None if inner.log.out_of_reach().is_some() => "not known: the cluster doesn't answer".to_string(),
        None => "0".to_string(),
    };
    facts.push(("Partitions".to_string(), partitions));
    let readers: Vec<&str> = catalog.readers_of(&name.text).map(|query| query.id.as_str()).collect();
    if !readers.is_empty() {
        facts.push(("Read by".to_string(), readers.join(", ")));
    }
    for query in catalog.writers_of(&name.text) {
        facts.push(("Written by".to_string(), query_line(inner, &query.id, extended)));
    }
    if extended {
        if let Some(topic) = topic {
            let records: i64 = topic.partitions.iter().map(|part| part.next_offset - part.first_offset).sum();
            let offsets: Vec<String> =
                topic.partitions.iter().map(|part| format!("{}-{}", part.first_offset, part.next_offset)).collect();
            facts.push(("Records".to_string(), records.to_string()));
            if let Some(bytes) = topic.bytes() {
                facts.push(("Bytes".to_string(), bytes.to_string()));
            }
            facts.push(("Offsets".to_string(), offsets.join(" ")));
        }
        facts.push(("Statement".to_string(), source.statement.clone()));
    }
    Ok(described)
}

/// `CTAS_T_1 RUNNING`, and, where asked, its counts.
fn query_line(inner: &Inner, id: &str, counts: bool) -> String {
    let facts = query_facts(inner, id).into_iter();
    let said: Vec<String> = facts
        .take(if counts { usize::MAX } else { 1 })
        .map(|(name, value)| if name == "State" { value } else { format!("{} {value}", name.to_lowercase()) })
        .collect();
    format!("{id} {}", said.join(", "))
}

fn describe_source(source: &Source) -> Listing {
    let kind = match source.kind {
        SourceKind::Stream => "STREAM",
        SourceKind::Table => "TABLE",
    };
    let timestamp = match &source.timestamp {
        Some(timestamp) => timestamp.name.clone(),
        None => "Not set - using <ROWTIME>".to_string(),
    };
    let mut facts = vec![
        ("Name".to_string(), source.name.clone()),
        ("Type".to_string(), kind.to_string()),
        ("Timestamp field".to_string(), timestamp),
        ("Key format".to_string(), source.key.format.name().to_string()),
        ("Value format".to_string(), source.value.format.name().to_string()),
        ("Kafka topic".to_string(), source.topic.clone()),
    ];
    match source.window {
        Some(SourceWindow::Time { size_ms, hopping }) => {
            let kind = if hopping { "HOPPING" } else { "TUMBLING" };
            facts.push(("Window".to_string(), format!("{kind}, SIZE {}", duration(size_ms))));
        }
        Some(SourceWindow::Session) => facts.push(("Window".to_string(), "SESSION".to_string())),
        None => {}
    }
    if let Some(ms) = source.versions_retention_ms {
        facts.push(("Versions kept".to_string(), duration(ms)));
    }
    let rows = source
        .columns
        .iter()
        .map(|column| {
            let role = match (&column.role, source.kind) {
                (ColumnRole::Key, SourceKind::Stream) => "(key)".to_string(),
                (ColumnRole::Key, SourceKind::Table) => "(primary key)".to_string(),
                (ColumnRole::Headers, _) => "(headers)".to_string(),
                (ColumnRole::Header(name), _) => format!("(header('{name}'))"),
                (ColumnRole::Value, _) => String::new(),
            };
            vec![column.name.clone(), format!("{} {role}", column.ty).trim_end().to_string()]
        })
        .collect();
    let columns = vec!["Field".to_string(), "Type".to_string()];
    Listing { kind: "description".to_string(), facts, columns, rows, warnings: Vec::new() }
}

pub(in crate::engine) fn describe_all(inner: &Inner, kind: SourceKind, extended: bool) -> Result<String> {
    let names: Vec<String> = {
        let catalog = inner.catalog.read();
        catalog.sources().filter(|source| source.kind == kind).map(|source| source.name.clone()).collect()
    };
    let mut text = String::new();
    for name in names {
        let described = describe(inner, &Ident::new(name), extended)?;
        for (fact, value) in &described.facts {
            text.push_str(&format!("{fact:<20} : {value}\n"));
        }
        for row in &described.rows {
            text.push_str(&format!("  {}\n", row.join(" | ")));
        }
        text.push('\n');
    }
    Ok(text)
}

pub(in crate::engine) fn describe_function(name: &Ident) -> Result<String> {
    let table = functions::table();
    match table.get(&name.text.to_uppercase()) {
        Some(function) => Ok(functions::describe(function)),
        None => {
            let error = Error::statement(format!("Can't find any functions with the name '{}'", name.text)).at(name.at);
            Err(match table.similar(&name.text) {
                Some(other) => error.hint(format!("Did you mean {other}?")),
                None => error.hint("SHOW FUNCTIONS; lists all"),
            })
        }
    }
}

/// A time in the largest unit that leaves no fraction.
pub(super) fn duration(ms: i64) -> String {
    const UNITS: [(&str, i64); 4] =
        [("DAYS", 86_400_000), ("HOURS", 3_600_000), ("MINUTES", 60_000), ("SECONDS", 1000)];
    match UNITS.iter().find(|(_, unit)| ms != 0 && ms % unit == 0) {
        Some((name, unit)) => format!("{} {name}", ms / unit),
        None => format!("{ms} MILLISECONDS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, Face, Options, Reply, Session};

    #[test]
    fn times_have_their_largest_unit() {
        let shown: Vec<String> = [0, 1, 1500, 2000, 90_000, 120_000, 86_400_000].map(duration).into();
        let expected =
            ["0 MILLISECONDS", "1 MILLISECONDS", "1500 MILLISECONDS", "2 SECONDS", "90 SECONDS", "2 MINUTES", "1 DAYS"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_table_tells_its_window_and_who_writes_it() {
        let engine = Engine::stepped(Options::default()).unwrap();
        let mut session = Session::default();
        let mut run = |statement: &str| engine.execute(&mut session, statement).unwrap();
        run("CREATE STREAM s (id INT KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=3);");
        run("CREATE TABLE t AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 90 SECONDS) GROUP BY id;");
        let mut facts = |statement: &str| match run(statement) {
            Reply::Listing(listing) => listing.facts,
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
