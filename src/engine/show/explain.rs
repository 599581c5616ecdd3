//! EXPLAIN: the steps of a query.

use std::collections::BTreeMap;

use super::describe::duration;
use super::facts::query_facts;
use crate::analyze::{Sink, Target, analyze, create_as, insert_select, outputs_read};
use crate::catalog::Source;
use crate::engine::Inner;
use crate::error::{Error, Result};
use crate::plan::{Exchange, Plan, StageInput, Step, WindowKind};
use crate::sql::ast::{Explained, Statement};

pub(in crate::engine) fn explain(
    inner: &Inner,
    what: &Explained,
    settings: &BTreeMap<String, String>,
) -> Result<String> {
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
            StageInput::Exchange(Exchange { key, .. }) => {
                let columns: Vec<String> = key.columns.iter().map(|(_, ty)| ty.to_string()).collect();
                format!("[ REPARTITION ] by {} key ({})", key.format.name(), columns.join(", "))
            }
            StageInput::Join(_) => "[ JOIN ]".to_string(),
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
    use crate::engine::{Engine, Face, Options, Reply, Session};

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
}
