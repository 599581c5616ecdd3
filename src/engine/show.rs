//! SHOW, DESCRIBE, EXPLAIN: what exists, for a reader.

use std::collections::BTreeMap;

use crate::analyze::{Sink, Target, analyze, create_as, insert_select, outputs_read};
use crate::catalog::{ColumnRole, Source, SourceKind, SourceWindow};
use crate::dataflow::{Counters, SnapshotCounters};
use crate::engine::{Drive, Inner, Listing, Session, settings};
use crate::error::{Error, Result};
use crate::expr::functions;
use crate::log::LogError;
use crate::plan::{Plan, StageInput, Step, WindowKind};
use crate::sql::ast::{Explained, Ident, Show, Statement};

pub(super) fn show(inner: &Inner, what: &Show, session: &Session) -> Result<Listing> {
    match what {
        Show::Streams { .. } => Ok(sources(inner, SourceKind::Stream)),
        Show::Tables { .. } => Ok(sources(inner, SourceKind::Table)),
        Show::Topics { all, .. } => topics(inner, *all),
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
    let mut rows = Vec::new();
    for name in inner.log.topics() {
        let described = match inner.log.describe_topic(&name) {
            Ok(described) => described,
            // Deleted by somebody just now.
            Err(LogError::UnknownTopic(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        if described.internal && !all {
            continue;
        }
        let records: i64 = described.partitions.iter().map(|part| part.next_offset - part.first_offset).sum();
        rows.push(vec![name, described.partitions.len().to_string(), records.to_string()]);
    }
    Ok(listing("topics", &["Kafka Topic", "Partitions", "Records"], rows))
}

fn queries(inner: &Inner) -> Listing {
    let catalog = inner.catalog.read();
    let rows = catalog
        .queries()
        .map(|query| {
            let facts = query_facts(inner, &query.id);
            let fact = |name: &str| {
                facts.iter().find(|(other, _)| other == name).map_or("-".to_string(), |(_, value)| value.clone())
            };
            vec![
                query.id.clone(),
                fact("State"),
                query.sink.clone(),
                fact("Rows in"),
                fact("Rows out"),
                fact("Late"),
                fact("Bad"),
                fact("Lag"),
                query.statement.split_whitespace().collect::<Vec<_>>().join(" "),
            ]
        })
        .collect();
    listing(
        "queries",
        &["Query ID", "Status", "Sink Name", "Rows In", "Rows Out", "Late", "Bad", "Lag", "Query String"],
        rows,
    )
}

/// What became of the snapshots of a query's state since the process started.
fn snapshots(counters: &SnapshotCounters) -> String {
    use std::sync::atomic::Ordering::Relaxed;
    let counts = [
        ("written", &counters.written),
        ("failed", &counters.failed),
        ("used", &counters.used),
        ("refused", &counters.refused),
    ];
    let counts = counts.map(|(what, count)| format!("{} {what}", count.load(Relaxed)));
    let failure = counters.last_failure.lock().as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    counts.join(", ") + &failure
}

/// State and counts of a query.
fn query_facts(inner: &Inner, id: &str) -> Vec<(String, String)> {
    let number = |value: u64| value.to_string();
    let counts = |counters: &Counters| {
        use std::sync::atomic::Ordering::Relaxed;
        vec![
            ("Rows in".to_string(), number(counters.rows_in.load(Relaxed))),
            ("Rows out".to_string(), number(counters.rows_out.load(Relaxed))),
            ("Late".to_string(), number(counters.late.load(Relaxed))),
            ("Bad".to_string(), number(counters.bad.load(Relaxed))),
            ("Lag".to_string(), counters.lag.load(Relaxed).to_string()),
            ("State bytes".to_string(), number(counters.state_bytes.load(Relaxed))),
            ("Snapshots".to_string(), snapshots(&counters.snapshots)),
        ]
    };
    let state = inner.query_state(id).map_or("NOT RUNNING".to_string(), |state| state.to_string());
    let mut facts = vec![("State".to_string(), state)];
    if let Drive::Threads(queries) = &inner.drive
        && let Some(query) = queries.lock().get(id)
    {
        facts.extend(counts(&query.counters));
    }
    facts
}

pub(super) fn describe(inner: &Inner, name: &Ident, extended: bool) -> Result<Listing> {
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
    let topic = inner.log.describe_topic(&source.topic).ok();
    facts.push(("Partitions".to_string(), topic.as_ref().map_or(0, |topic| topic.partitions.len()).to_string()));
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
    Listing { kind: "description".to_string(), facts, columns: vec!["Field".to_string(), "Type".to_string()], rows }
}

pub(super) fn describe_all(inner: &Inner, kind: SourceKind, extended: bool) -> Result<String> {
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

pub(super) fn describe_function(name: &Ident) -> Result<String> {
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

pub(super) fn explain(inner: &Inner, what: &Explained, settings: &BTreeMap<String, String>) -> Result<String> {
    let catalog = inner.catalog.read().clone();
    match what {
        Explained::QueryId(id) => {
            let query = catalog
                .query(&id.text)
                .ok_or_else(|| Error::statement(format!("Query with id:{} does not exist", id.text)).at(id.at))?;
            let sink = inner.sinks.read().get(&query.id).cloned();
            let sink = sink.ok_or_else(|| Error::internal("the query has no plan"))?;
            let mut text = format!("ID: {}\nSQL: {}\n", query.id, query.statement);
            let facts = query_facts(inner, &query.id).into_iter();
            let facts: Vec<String> = facts.map(|(fact, value)| format!("{fact}: {value}")).collect();
            text.push_str(&format!("{}\n\n", facts.join(", ")));
            text.push_str(&plan_text(&sink.analyzed.plan, Some(&sink.source)));
            Ok(text)
        }
        Explained::Statement(parsed) => {
            let sink: Sink = match &parsed.statement {
                Statement::Select(query) => {
                    let analyzed = analyze(query, &catalog, Target::Transient, settings)?;
                    return Ok(plan_text(&analyzed.plan, None));
                }
                Statement::CreateAs { kind, name, properties, query, .. } => {
                    create_as(*kind, name, properties, query, &parsed.text, &catalog, settings)?
                }
                Statement::InsertSelect { target, properties, query } => {
                    insert_select(target, properties, query, &catalog, settings)?
                }
                _ => return Err(Error::statement("Only queries can be explained.").at(parsed.at)),
            };
            Ok(plan_text(&sink.analyzed.plan, Some(&sink.source)))
        }
    }
}

/// The steps from the sink down to the source, one a line.
fn plan_text(plan: &Plan, sink: Option<&Source>) -> String {
    let mut lines = Vec::new();
    let mut read = outputs_read(plan).into_iter();
    for stage in &plan.stages {
        lines.push(match &stage.input {
            StageInput::Scan(scan) => {
                let wanted: Vec<&str> = scan
                    .source
                    .columns
                    .iter()
                    .zip(&scan.wanted)
                    .filter(|(_, wanted)| **wanted)
                    .map(|(column, _)| column.name.as_str())
                    .collect();
                format!("[ SOURCE ] {} (topic {}), columns {}", scan.source.name, scan.source.topic, wanted.join(", "))
            }
            StageInput::Exchange { key } => {
                let columns: Vec<String> = key.columns.iter().map(|(_, ty)| ty.to_string()).collect();
                format!("[ REPARTITION ] by {} key ({})", key.format.name(), columns.join(", "))
            }
        });
        lines.extend(stage.steps.iter().map(|step| step_text(step, read.next().flatten().as_deref())));
    }
    let columns: Vec<String> =
        plan.schema.columns.iter().map(|column| format!("{} {}", column.name, column.ty)).collect();
    lines.push(match sink {
        Some(sink) => format!("[ SINK ] {} (topic {}): {}", sink.name, sink.topic, columns.join(", ")),
        None => format!("[ RESULT ] {}", columns[plan.schema.keys..].join(", ")),
    });
    lines.reverse();
    lines.iter().enumerate().map(|(depth, line)| format!("{}> {line}\n", "  ".repeat(depth))).collect()
}

fn window_text(kind: &WindowKind) -> String {
    match *kind {
        WindowKind::Tumbling { size_ms } => format!("TUMBLING, SIZE {}", duration(size_ms)),
        WindowKind::Hopping { size_ms, advance_ms } => {
            format!("HOPPING, SIZE {}, ADVANCE BY {}", duration(size_ms), duration(advance_ms))
        }
        WindowKind::Session { gap_ms } => format!("SESSION, {}", duration(gap_ms)),
    }
}

/// A time in the largest unit that leaves no fraction.
fn duration(ms: i64) -> String {
    const UNITS: [(&str, i64); 4] =
        [("DAYS", 86_400_000), ("HOURS", 3_600_000), ("MINUTES", 60_000), ("SECONDS", 1000)];
    match UNITS.iter().find(|(_, unit)| ms != 0 && ms % unit == 0) {
        Some((name, unit)) => format!("{} {name}", ms / unit),
        None => format!("{ms} MILLISECONDS"),
    }
}

/// `read`: the columns of its output that the steps behind it read (None: all).
fn step_text(step: &Step, read: Option<&[usize]>) -> String {
    match step {
        Step::Filter { name, .. } => format!("[ FILTER ] {name}"),
        Step::Project(project) => {
            // Keys are made whether they are read or not.
            let made = |column: &usize| *column < project.keys.len() || read.is_none_or(|read| read.contains(column));
            let names: Vec<&str> =
                (0..project.names.len()).filter(made).map(|column| project.names[column].as_str()).collect();
            format!("[ PROJECT ] {}", names.join(", "))
        }
        Step::FlatMap { calls } => format!("[ FLAT_MAP ] {} table functions", calls.len()),
        Step::Aggregate(aggregate) => {
            let calls: Vec<&str> = aggregate.calls.iter().map(|call| call.call.name).collect();
            let window = match aggregate.window {
                Some(window) => format!(
                    ", {}, RETENTION {}, GRACE PERIOD {}",
                    window_text(&window.kind),
                    duration(window.retention_ms),
                    duration(window.grace_ms)
                ),
                None => String::new(),
            };
            let last = if aggregate.emit_final { ", final results only" } else { "" };
            format!("[ AGGREGATE ] {}{window}{last}", calls.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, Face, Options, Reply};

    #[test]
    fn times_have_their_largest_unit() {
        let shown: Vec<String> = [0, 1, 1500, 2000, 90_000, 120_000, 86_400_000].map(duration).into();
        let expected =
            ["0 MILLISECONDS", "1 MILLISECONDS", "1500 MILLISECONDS", "2 SECONDS", "90 SECONDS", "2 MINUTES", "1 DAYS"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_plan_tells_the_columns_that_are_used() {
        let engine = Engine::stepped(Options::default()).unwrap();
        let mut session = Session::default();
        let mut run = |statement: &str| engine.execute(&mut session, statement).unwrap();
        run(
            "CREATE STREAM s (k INT KEY, a INT, b INT, c INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
        );
        let told = match run("EXPLAIN CREATE TABLE t AS SELECT a, SUM(b) AS n FROM s GROUP BY a;") {
            Reply::Text(text) => text,
            other => panic!("{other:?}"),
        };
        let projects = told.lines().filter(|line| line.contains("[ PROJECT ]"));
        assert!(projects.clone().count() > 0, "{told}");
        for line in projects {
            let (_, columns) = line.split_once("] ").unwrap();
            assert!(!columns.split(", ").any(|name| ["C", "ROWTIME", "ROWPARTITION"].contains(&name)), "{told}");
        }
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
