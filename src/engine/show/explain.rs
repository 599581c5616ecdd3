//! EXPLAIN: the steps of a query.

use std::collections::BTreeMap;

use super::standing::summary;
use crate::analyze::{Sink, Target, analyze, create_as, insert_select, outputs_read};
use crate::catalog::{Catalog, ColumnRole, QueryEntry, Source};
use crate::dataflow::Passed;
use crate::engine::facts::{ColumnDescription, Facts, PlanDescription, duration};
use crate::engine::pull;
use crate::engine::{Drive, Inner};
use crate::error::{Error, Result};
use crate::messages;
use crate::plan::{
    Exchange, Join, JoinKind, JoinMethod, Plan, Scan, SchemaColumn, Stage, StageInput, Step, WindowKind,
};
use crate::sql::ast::{Explained, Ident, Statement};

pub(in crate::engine) fn explain(
    inner: &Inner,
    what: &Explained,
    settings: &BTreeMap<String, String>,
) -> Result<Facts> {
    let catalog = inner.catalog.read().clone();
    let described = match what {
        Explained::QueryId(id) | Explained::Running(id) => {
            let query = catalog.query(&id.text).ok_or_else(|| {
                messages::queries::unknown_to_explain(&id.text, catalog.queries().map(|query| query.id.as_str()))
                    .at(id.at)
            })?;
            let passed = match what {
                Explained::Running(_) => passed(inner, id)?,
                _ => Vec::new(),
            };
            of_query(inner, &catalog, query, &passed)?
        }
        Explained::Statement(parsed) => {
            let sink: Sink = match &parsed.statement {
                Statement::Select(query) => {
                    let continuous = if query.emit.is_none() { pull::continuous(query)? } else { query.clone() };
                    let analyzed = analyze(&continuous, &catalog, Target::Transient, settings)?;
                    return Ok(Facts::Plan(Box::new(described(&analyzed.plan, None, &parsed.text, &[]))));
                }
                Statement::CreateAs { kind, name, properties, query, .. } => {
                    create_as(*kind, name, properties, query, &parsed.text, &catalog, settings)?
                }
                Statement::InsertSelect { target, properties, query } => {
                    insert_select(target, properties, query, &catalog, settings)?
                }
                _ => return Err(messages::queries::not_a_query().at(parsed.at)),
            };
            described(&sink.analyzed.plan, Some(&sink.source), &parsed.text, &[])
        }
    };
    Ok(Facts::Plan(Box::new(described)))
}

/// What EXPLAIN tells of each persistent query.
pub(super) fn all_explained(inner: &Inner) -> Result<Vec<PlanDescription>> {
    let catalog = inner.catalog.read().clone();
    catalog.queries().map(|query| of_query(inner, &catalog, query, &[])).collect()
}

fn of_query(inner: &Inner, catalog: &Catalog, query: &QueryEntry, passed: &[Vec<Passed>]) -> Result<PlanDescription> {
    let sink = inner.sinks.read().get(&query.id).cloned();
    let sink = sink.ok_or_else(|| Error::internal("the query has no plan"))?;
    Ok(PlanDescription {
        query: Some(summary(inner, catalog, query)),
        ..described(&sink.analyzed.plan, Some(&sink.source), &query.statement, passed)
    })
}

/// What has passed through the operators of a query, by stage.
fn passed(inner: &Inner, id: &Ident) -> Result<Vec<Vec<Passed>>> {
    let passed = match &inner.drive {
        Drive::Threads(queries) => queries.lock().get(&id.text).map(|query| query.counters.meters.passed()),
        Drive::Stepped(_) => None,
    };
    passed.ok_or_else(|| messages::queries::not_run_here(&id.text).at(id.at))
}

/// `passed`: by stage, where that is to be told.
fn described(plan: &Plan, sink: Option<&Source>, statement: &str, passed: &[Vec<Passed>]) -> PlanDescription {
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
        steps: plan_text(plan, sink, passed),
    }
}

/// The steps from the sink down to the sources, one a line: under each what its rows come from.
fn plan_text(plan: &Plan, sink: Option<&Source>, passed: &[Vec<Passed>]) -> String {
    let mut read = outputs_read(plan).into_iter();
    let mut stages: Vec<Tree> = Vec::with_capacity(plan.stages.len());
    for (number, stage) in plan.stages.iter().enumerate() {
        let passed = passed.get(number).map_or(&[][..], Vec::as_slice);
        let mut told = passed.iter().copied();
        let mut tree = Tree::of(stage, &mut read, &mut told, &mut stages);
        tree.output = told.next();
        stages.push(tree);
    }
    let columns: Vec<String> =
        plan.schema.columns.iter().map(|column| format!("{} {}", column.name, column.ty)).collect();
    let top = match sink {
        Some(sink) => format!("[ SINK ] {} (topic {}): {}", sink.name, sink.topic, columns.join(", ")),
        None => format!("[ RESULT ] {}", columns[plan.schema.keys..].join(", ")),
    };
    let last = stages.pop().unwrap_or_default();
    // What a sink takes is what it writes.
    let passed = last.output.map(|output| Passed { rows_out: output.rows_in, ..output });
    Tree { text: top + &passed_text(passed), from: vec![last], output: None }.lines(0)
}

/// ` | rows in 3, out 2, 0.25 ms, state 120 bytes`
fn passed_text(passed: Option<Passed>) -> String {
    let Some(Passed { rows_in, rows_out, nanos, state_bytes }) = passed else { return String::new() };
    let state = if state_bytes > 0 { format!(", state {state_bytes} bytes") } else { String::new() };
    format!(" | rows in {rows_in}, out {rows_out}, {:.2} ms{state}", nanos as f64 / 1e6)
}

/// A line, and those of what it has its rows from.
#[derive(Default)]
struct Tree {
    text: String,
    from: Vec<Tree>,
    /// Of a stage: what its output took.
    output: Option<Passed>,
}

impl Tree {
    /// `read`: what is read of the steps' outputs, in the order of the plan; `passed`: what passed through the stage's operators, in
    /// that order, if that is to be told. `stages`: those before this one.
    fn of(
        stage: &Stage,
        read: &mut dyn Iterator<Item = Option<Vec<usize>>>,
        passed: &mut dyn Iterator<Item = Passed>,
        stages: &mut [Tree],
    ) -> Tree {
        let input = match &stage.input {
            StageInput::Scan(scan) => Tree::line(scan_text(scan), Vec::new(), passed.next()),
            StageInput::Exchange(Exchange { from, key, .. }) => {
                let columns: Vec<String> = key.columns.iter().map(|(_, ty)| ty.to_string()).collect();
                let text = format!("[ REPARTITION ] by {} key ({})", key.format.name(), columns.join(", "));
                let before = stages.get_mut(*from).map(std::mem::take);
                let given = before.as_ref().and_then(|before| before.output).unwrap_or_default();
                let through = passed.next().map(|taken| Passed {
                    rows_in: given.rows_in,
                    nanos: given.nanos + taken.nanos,
                    ..taken
                });
                Tree::line(text, before.into_iter().collect(), through)
            }
            StageInput::Join(join) => {
                let left = Tree::of(&join.left, read, passed, stages);
                let right = Tree::of(&join.right, read, passed, stages);
                Tree::line(join_text(join), vec![left, right], passed.next())
            }
            StageInput::Union(sides) => {
                let from = sides.iter().map(|side| Tree::of(side, read, passed, stages)).collect();
                Tree::line("[ UNION ALL ]".to_string(), from, passed.next())
            }
        };
        stage.steps.iter().fold(input, |below, step| {
            let text = step_text(step, read.next().flatten().as_deref());
            Tree::line(text, vec![below], passed.next())
        })
    }

    fn line(text: String, from: Vec<Tree>, passed: Option<Passed>) -> Tree {
        Tree { text: text + &passed_text(passed), from, output: None }
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
