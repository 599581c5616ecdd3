//! EXPLAIN: the steps of a query.

use std::collections::BTreeMap;

use super::standing::summary;
use crate::analyze::{Sink, Target, analyze, create_as, insert_select, outputs_read};
use crate::catalog::{ColumnRole, Source};
use crate::engine::Inner;
use crate::engine::facts::{ColumnDescription, Facts, PlanDescription, duration};
use crate::engine::pull;
use crate::error::{Error, Result};
use crate::messages;
use crate::plan::{
    Exchange, Join, JoinKind, JoinMethod, Plan, Scan, SchemaColumn, Stage, StageInput, Step, WindowKind,
};
use crate::sql::ast::{Explained, Statement};

pub(in crate::engine) fn explain(
    inner: &Inner,
    what: &Explained,
    settings: &BTreeMap<String, String>,
) -> Result<Facts> {
    let catalog = inner.catalog.read().clone();
    let described = match what {
        Explained::QueryId(id) => {
            let query = catalog.query(&id.text).ok_or_else(|| {
                messages::queries::unknown_to_explain(&id.text, catalog.queries().map(|query| query.id.as_str()))
                    .at(id.at)
            })?;
            let sink = inner.sinks.read().get(&query.id).cloned();
            let sink = sink.ok_or_else(|| Error::internal("the query has no plan"))?;
            PlanDescription {
                query: Some(summary(inner, &catalog, query)),
                ..described(&sink.analyzed.plan, Some(&sink.source), &query.statement)
            }
        }
        Explained::Statement(parsed) => {
            let sink: Sink = match &parsed.statement {
                Statement::Select(query) => {
                    let continuous = if query.emit.is_none() { pull::continuous(query)? } else { query.clone() };
                    let analyzed = analyze(&continuous, &catalog, Target::Transient, settings)?;
                    return Ok(Facts::Plan(Box::new(described(&analyzed.plan, None, &parsed.text))));
                }
                Statement::CreateAs { kind, name, properties, query, .. } => {
                    create_as(*kind, name, properties, query, &parsed.text, &catalog, settings)?
                }
                Statement::InsertSelect { target, properties, query } => {
                    insert_select(target, properties, query, &catalog, settings)?
                }
                _ => return Err(messages::queries::not_a_query().at(parsed.at)),
            };
            described(&sink.analyzed.plan, Some(&sink.source), &parsed.text)
        }
    };
    Ok(Facts::Plan(Box::new(described)))
}

fn described(plan: &Plan, sink: Option<&Source>, statement: &str) -> PlanDescription {
    let column = |(i, column): (usize, &SchemaColumn)| ColumnDescription {
        name: column.name.clone(),
        ty: column.ty.clone(),
        role: if i < plan.schema.keys { ColumnRole::Key } else { ColumnRole::Value },
    };
    // The key of rows that nobody writes isn't seen: what is selected of it stands among the values.
    let unseen = if sink.is_some() { 0 } else { plan.schema.keys };
    let mut sources: Vec<String> = plan.scans().map(|scan| scan.source.name.clone()).collect();
    sources.sort();
    sources.dedup();
    PlanDescription {
        query: None,
        statement: statement.to_string(),
        columns: plan.schema.columns.iter().enumerate().skip(unseen).map(column).collect(),
        sources,
        sink: sink.map(|sink| sink.name.clone()),
        steps: plan_text(plan, sink),
    }
}

/// The steps from the sink down to the sources, one a line: under each what its rows come from.
fn plan_text(plan: &Plan, sink: Option<&Source>) -> String {
    let mut read = outputs_read(plan).into_iter();
    let mut stages: Vec<Tree> = Vec::with_capacity(plan.stages.len());
    for stage in &plan.stages {
        let tree = Tree::of(stage, &mut read, &mut stages);
        stages.push(tree);
    }
    let columns: Vec<String> =
        plan.schema.columns.iter().map(|column| format!("{} {}", column.name, column.ty)).collect();
    let top = match sink {
        Some(sink) => format!("[ SINK ] {} (topic {}): {}", sink.name, sink.topic, columns.join(", ")),
        None => format!("[ RESULT ] {}", columns[plan.schema.keys..].join(", ")),
    };
    Tree { text: top, from: stages.pop().into_iter().collect() }.lines(0)
}

/// A line, and those of what it has its rows from.
#[derive(Default)]
struct Tree {
    text: String,
    from: Vec<Tree>,
}

impl Tree {
    /// `read`: what is read of the steps' outputs, in the order of the plan. `stages`: those before this one.
    fn of(stage: &Stage, read: &mut dyn Iterator<Item = Option<Vec<usize>>>, stages: &mut [Tree]) -> Tree {
        let input = match &stage.input {
            StageInput::Scan(scan) => Tree { text: scan_text(scan), from: Vec::new() },
            StageInput::Exchange(Exchange { from, key, .. }) => {
                let columns: Vec<String> = key.columns.iter().map(|(_, ty)| ty.to_string()).collect();
                let text = format!("[ REPARTITION ] by {} key ({})", key.format.name(), columns.join(", "));
                Tree { text, from: stages.get_mut(*from).map(std::mem::take).into_iter().collect() }
            }
            StageInput::Join(join) => {
                let left = Tree::of(&join.left, read, stages);
                Tree { text: join_text(join), from: vec![left, Tree::of(&join.right, read, stages)] }
            }
            StageInput::Union(sides) => {
                let from = sides.iter().map(|side| Tree::of(side, read, stages)).collect();
                Tree { text: "[ UNION ALL ]".to_string(), from }
            }
        };
        stage.steps.iter().fold(input, |below, step| Tree {
            text: step_text(step, read.next().flatten().as_deref()),
            from: vec![below],
        })
    }

    fn lines(&self, depth: usize) -> String {
        let own = format!("{}> {}\n", "  ".repeat(depth), self.text);
        self.from.iter().fold(own, |text, below| text + &below.lines(depth + 1))
    }
}

fn scan_text(scan: &Scan) -> String {
    let columns = scan.source.columns.iter().zip(&scan.wanted).filter(|(_, wanted)| **wanted);
    let wanted: Vec<&str> = columns.map(|(column, _)| column.name.as_str()).collect();
    format!("[ SOURCE ] {} (topic {}), columns {}", scan.source.name, scan.source.topic, wanted.join(", "))
}

fn join_text(join: &Join) -> String {
    let kind = match join.kind {
        JoinKind::Inner => "INNER",
        JoinKind::Left => "LEFT",
        JoinKind::Right => "RIGHT",
        JoinKind::Full => "FULL",
    };
    let keys: Vec<String> = join.key_types.iter().map(ToString::to_string).collect();
    let method = match join.method {
        JoinMethod::StreamStream { before_ms, after_ms, grace_ms } => {
            let grace = match grace_ms {
                Some(grace_ms) => format!(", GRACE PERIOD {}", duration(grace_ms)),
                None => String::new(),
            };
            format!("streams WITHIN ({}, {}){grace}", duration(before_ms), duration(after_ms))
        }
        JoinMethod::StreamTable => "a stream with a table".to_string(),
        JoinMethod::TableTable => "tables".to_string(),
        JoinMethod::ForeignKey { .. } => "tables by foreign key".to_string(),
        JoinMethod::ManyToMany { .. } => "tables, many to many,".to_string(),
    };
    let others = if join.condition.is_some() { ", and by other conditions" } else { "" };
    format!("[ JOIN ] {kind} of {method} by key ({}){others}", keys.join(", "))
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
        Step::PseudoColumns(pseudo) => match pseudo.windowed {
            true => "[ SUBQUERY ] adds ROWTIME, WINDOWSTART and WINDOWEND".to_string(),
            false => "[ SUBQUERY ] adds ROWTIME".to_string(),
        },
        Step::ForeignKey(_) => "[ FOREIGN_KEY ] to the partition of the foreign key".to_string(),
        Step::ManyToManyResult(_) => "[ MANY_TO_MANY_RESULT ] at the partition of both keys".to_string(),
        Step::ForeignKeyResult(_) => "[ FOREIGN_KEY_RESULT ] back at the partition of the key".to_string(),
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
            if aggregate.distinct {
                return format!("[ DISTINCT ] each row once{window}");
            }
            format!("[ AGGREGATE ] {}{window}{last}", calls.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::{Engine, Face, Options, Page, Reply, Session};

    #[test]
    fn a_plan_tells_the_columns_that_are_used() {
        let engine = Engine::stepped(Options::default()).unwrap();
        let mut session = Session::default();
        let mut run = |statement: &str| engine.execute(&mut session, statement).unwrap();
        run(
            "CREATE STREAM s (k INT KEY, a INT, b INT, c INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
        );
        let told = match run("EXPLAIN CREATE TABLE t AS SELECT a, SUM(b) AS n FROM s GROUP BY a;") {
            Reply::Facts(told) => match told.page() {
                Page::Text(text) => text,
                listing => panic!("{listing:?}"),
            },
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
