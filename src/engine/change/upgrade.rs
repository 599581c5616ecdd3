//! What CREATE OR REPLACE may change of a query that runs: a pure judgement over its old plan and its new one.
//!
//! Positions and state of the query are kept, and nothing is computed again, so the new plan must mean the same by every
//! bit of state. Plans are compared by where their columns come from, not by where they stand: a source may have got
//! more columns since.

use std::collections::HashMap;
use std::fmt;

use crate::catalog::ColumnRole;
use crate::expr::Typed;
use crate::format::Layout;
use crate::plan::{Exchange, Plan, Rekey, ResultKind, Scan, StageInput, Step, Window};
use crate::types::SqlType;

/// What becomes of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// The plans mean the same.
    Same,
    /// The query goes on from its positions and its state with the new plan.
    Allowed,
    Refused(Refusal),
}

/// Why a query can't be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Join,
    WindowedSource,
    TableFunctions,
    WindowedAggregation,
    TableAggregation,
    /// A stream would become a table, or its window another.
    Result,
    Source,
    /// PARTITION BY, GROUP BY or the key columns of the result.
    Key,
    Aggregates,
    Having,
    /// An output column is gone, moved or computed differently.
    Columns,
    Steps,
}

impl Refusal {
    /// Whether no query of this kind can be replaced, whatever the change.
    pub fn is_kind_of_query(self) -> bool {
        matches!(
            self,
            Refusal::Join
                | Refusal::WindowedSource
                | Refusal::TableFunctions
                | Refusal::WindowedAggregation
                | Refusal::TableAggregation
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Join => "joins",
            Refusal::WindowedSource => "windowed sources",
            Refusal::TableFunctions => "table functions",
            Refusal::WindowedAggregation => "windowed aggregations",
            Refusal::TableAggregation => "aggregations of tables",
            Refusal::Result => "a change of the kind of result",
            Refusal::Source => "a change of the source",
            Refusal::Key => "a change of the key or of the grouping",
            Refusal::Aggregates => "a change of the aggregates",
            Refusal::Having => "a change of HAVING",
            Refusal::Columns => "a change of output columns other than new ones behind the others",
            Refusal::Steps => "a change of the query's steps",
        })
    }
}

/// Judges whether a query with the plan `from` may go on with the plan `to`.
pub(super) fn judge(from: &Plan, to: &Plan) -> Upgrade {
    if joins(from) || joins(to) {
        return Upgrade::Refused(Refusal::Join);
    }
    let mut symbols = Symbols::default();
    let (from, to) = match (Shape::of(from, &mut symbols), Shape::of(to, &mut symbols)) {
        (Some(from), Some(to)) => (from, to),
        _ => return Upgrade::Refused(Refusal::Steps),
    };
    if from == to {
        return Upgrade::Same;
    }
    if let Some(refusal) = from.never().or_else(|| to.never()) {
        return Upgrade::Refused(refusal);
    }
    match differs(&from, &to) {
        Some(refusal) => Upgrade::Refused(refusal),
        None => Upgrade::Allowed,
    }
}

fn joins(plan: &Plan) -> bool {
    plan.stages.iter().any(|stage| matches!(stage.input, StageInput::Join(_)))
}

/// The first difference that state or positions would not survive.
fn differs(from: &Shape, to: &Shape) -> Option<Refusal> {
    if from.result != to.result {
        return Some(Refusal::Result);
    }
    if from.source != to.source {
        return Some(Refusal::Source);
    }
    if from.keys != to.keys || from.rekeys() != to.rekeys() {
        return Some(Refusal::Key);
    }
    if from.aggregates() != to.aggregates() {
        return Some(Refusal::Aggregates);
    }
    if from.filters("HAVING") != to.filters("HAVING") {
        return Some(Refusal::Having);
    }
    if !to.values.starts_with(&from.values) {
        return Some(Refusal::Columns);
    }
    // What is left apart from WHERE must stand in the same order.
    if from.without_where() != to.without_where() {
        return Some(Refusal::Steps);
    }
    None
}

/// Where a column comes from: equal symbols are equal computations over the same source columns.
type Symbol = usize;

/// A symbol for each text that says how a column is made.
#[derive(Default)]
struct Symbols {
    known: HashMap<String, Symbol>,
}

impl Symbols {
    fn of(&mut self, text: String) -> Symbol {
        let next = self.known.len();
        *self.known.entry(text).or_insert(next)
    }

    /// The symbol of an expression over columns that have these symbols.
    fn expression(&mut self, expr: &Typed, columns: &[Symbol]) -> Option<Symbol> {
        if let Some(column) = expr.as_column() {
            return columns.get(column).copied();
        }
        if expr.columns().iter().any(|column| *column >= columns.len()) {
            return None;
        }
        let mut named = expr.clone();
        named.map_columns(&|column| columns[column]);
        Some(self.of(format!("{named:?}")))
    }

    fn expressions(&mut self, exprs: &[Typed], columns: &[Symbol]) -> Option<Vec<Symbol>> {
        exprs.iter().map(|expr| self.expression(expr, columns)).collect()
    }
}

/// A plan without the places of its columns.
#[derive(Debug, PartialEq)]
struct Shape {
    source: SourceShape,
    result: ResultKind,
    nodes: Vec<Node>,
    keys: Vec<(String, SqlType, Symbol)>,
    values: Vec<(String, SqlType, Symbol)>,
}

#[derive(Debug, PartialEq)]
struct SourceShape {
    name: String,
    topic: String,
    windowed: bool,
    key: Layout,
}

#[derive(Debug, PartialEq)]
enum Node {
    Filter { clause: &'static str, table: bool, predicate: Symbol },
    Rekey { rekey: Rekey, keys: Vec<Symbol> },
    Exchange(Layout),
    FlatMap(Vec<Symbol>),
    Aggregate(AggregateShape),
}

#[derive(Debug, PartialEq)]
struct AggregateShape {
    keys: Vec<Symbol>,
    calls: Vec<Symbol>,
    window: Option<Window>,
    emit_final: bool,
    distinct: bool,
    table_input: bool,
}

impl Shape {
    /// None: a step names a column that isn't there.
    fn of(plan: &Plan, symbols: &mut Symbols) -> Option<Shape> {
        let StageInput::Scan(scan) = &plan.stages.first()?.input else { return None };
        let mut columns = scan_symbols(scan, symbols);
        let mut nodes = Vec::new();
        for stage in &plan.stages {
            if let StageInput::Exchange(Exchange { key, .. }) = &stage.input {
                nodes.push(Node::Exchange(key.clone()));
            }
            for step in &stage.steps {
                columns = advance(step, columns, &mut nodes, symbols)?;
            }
        }
        let mut outputs = plan
            .schema
            .columns
            .iter()
            .zip(&columns)
            .map(|(column, symbol)| (column.name.clone(), column.ty.clone(), *symbol));
        let keys = outputs.by_ref().take(plan.schema.keys).collect();
        let values = outputs.collect();
        let source = SourceShape {
            name: scan.source.name.clone(),
            topic: scan.source.topic.clone(),
            windowed: scan.source.window.is_some(),
            key: scan.source.key.clone(),
        };
        Some(Shape { source, result: plan.result, nodes, keys, values })
    }

    /// Why no query of this kind can be replaced.
    fn never(&self) -> Option<Refusal> {
        if self.source.windowed {
            return Some(Refusal::WindowedSource);
        }
        self.nodes.iter().find_map(|node| match node {
            Node::FlatMap(_) => Some(Refusal::TableFunctions),
            Node::Aggregate(aggregate) if aggregate.window.is_some() => Some(Refusal::WindowedAggregation),
            Node::Aggregate(aggregate) if aggregate.table_input => Some(Refusal::TableAggregation),
            _ => None,
        })
    }

    fn rekeys(&self) -> Vec<&Node> {
        self.nodes.iter().filter(|node| matches!(node, Node::Rekey { .. } | Node::Exchange(_))).collect()
    }

    fn aggregates(&self) -> Vec<&Node> {
        self.nodes.iter().filter(|node| matches!(node, Node::Aggregate(_))).collect()
    }

    fn filters(&self, wanted: &str) -> Vec<&Node> {
        self.nodes.iter().filter(|node| matches!(node, Node::Filter { clause, .. } if *clause == wanted)).collect()
    }

    fn without_where(&self) -> Vec<&Node> {
        self.nodes.iter().filter(|node| !matches!(node, Node::Filter { clause: "WHERE", .. })).collect()
    }
}

/// The columns of a scan: the source's own by name, type and role, then the pseudo columns, whose names follow from their
/// places behind them.
fn scan_symbols(scan: &Scan, symbols: &mut Symbols) -> Vec<Symbol> {
    let own = scan.source.columns.iter().map(|column| {
        let role = match &column.role {
            ColumnRole::Key => "key".to_string(),
            ColumnRole::Value => "value".to_string(),
            ColumnRole::Headers => "headers".to_string(),
            ColumnRole::Header(name) => format!("header {name:?}"),
        };
        format!("column {:?} {} {role}", column.name, column.ty)
    });
    let pseudo = (scan.source.columns.len()..scan.wanted.len()).map(|place| place - scan.source.columns.len());
    let names: Vec<String> = own.chain(pseudo.map(|number| format!("pseudo column {number}"))).collect();
    names.into_iter().map(|name| symbols.of(name)).collect()
}

/// The columns behind a step; what the step does beside making columns goes to `nodes`.
fn advance(step: &Step, columns: Vec<Symbol>, nodes: &mut Vec<Node>, symbols: &mut Symbols) -> Option<Vec<Symbol>> {
    Some(match step {
        Step::Filter { predicate, table, name } => {
            let predicate = symbols.expression(predicate, &columns)?;
            nodes.push(Node::Filter { clause: name, table: *table, predicate });
            columns
        }
        Step::Project(project) => {
            let keys = symbols.expressions(&project.keys, &columns)?;
            let values = symbols.expressions(&project.values, &columns)?;
            if project.rekey != Rekey::Keep {
                nodes.push(Node::Rekey { rekey: project.rekey, keys: keys.clone() });
            }
            [keys, values].concat()
        }
        Step::FlatMap { calls } => {
            let mut made = Vec::new();
            for call in calls {
                let over: Option<Vec<Symbol>> =
                    call.columns().iter().map(|column| columns.get(*column).copied()).collect();
                made.push(symbols.of(format!("rows of {call:?} over {:?}", over?)));
            }
            nodes.push(Node::FlatMap(made.clone()));
            [columns, made].concat()
        }
        // A query that joins is made anew.
        Step::ForeignKey(_) | Step::ForeignKeyResult(_) | Step::ManyToManyResult(_) => return None,
        Step::Aggregate(aggregate) => {
            let keys = columns.get(..aggregate.key_types.len())?.to_vec();
            let mut calls = Vec::new();
            for step in &aggregate.calls {
                let args: Option<Vec<Symbol>> = step.args.iter().map(|arg| columns.get(*arg).copied()).collect();
                calls.push(symbols.of(format!("aggregate {:?} {:?} {}", step.call, args?, step.returns)));
            }
            let mut made = [keys.clone(), calls.clone()].concat();
            if aggregate.window.is_some() {
                made.extend([symbols.of("window start".to_string()), symbols.of("window end".to_string())]);
            }
            nodes.push(Node::Aggregate(AggregateShape {
                keys,
                calls,
                window: aggregate.window,
                emit_final: aggregate.emit_final,
                distinct: aggregate.distinct,
                table_input: aggregate.table_input,
            }));
            made
        }
    })
}
