//! A query under construction: what all clauses add their steps to. Doesn't know the clauses.

use std::collections::BTreeMap;

use crate::analyze::join;
use crate::analyze::names::Names;
use crate::analyze::scope::{Columns, Synonym};
use crate::analyze::subquery::Surroundings;
use crate::catalog::{Catalog, Source, SourceKind, SourceWindow};
use crate::error::Result;
use crate::expr::{self, Rules, Typed};
use crate::format::{Format, Layout};
use crate::messages;
use crate::plan::{Exchange, ResultKind, Schema, Stage, StageInput, Step};
use crate::sql::ast::{self, Expr};
use crate::types::SqlType;

/// What becomes of a query's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Rows for a reader: the SELECT list in its order.
    Transient,
    /// Records of a topic: the key columns must be in the SELECT list.
    Persistent,
    /// Rows for another query, which reads this one in FROM.
    Subquery,
}

/// A query under construction: the schema of the step last added.
pub(super) struct Builder<'a> {
    pub(super) query: &'a ast::Query,
    pub(super) catalog: &'a Catalog,
    pub(super) names: Names,
    pub(super) target: Target,
    pub(super) settings: &'a BTreeMap<String, String>,
    pub(super) rules: Rules,
    /// How the key places the rows.
    pub(super) layout: Layout,
    pub(super) schema: Schema,
    pub(super) synonyms: Vec<Synonym>,
    /// What the rows of FROM have as their key.
    pub(super) key: FromKey,
    pub(super) window: Option<SourceWindow>,
    pub(super) stages: Vec<Stage>,
    pub(super) result: ResultKind,
    /// PARTITION BY has given the rows a new key; they still lie where the old one put them.
    pub(super) repartitioned: bool,
    /// Names of the SELECT list's columns, in its order.
    pub(super) listed: Vec<String>,
}

/// The key of the rows that FROM gives. Columns by their names in the plan.
#[derive(Debug, Clone)]
pub(super) enum FromKey {
    /// The key columns of the only source.
    Source(Vec<String>),
    /// One column, which any of these names in a SELECT list; the first of them that is there is it.
    Join { column: String, candidates: Vec<String> },
    /// A column that the join has made: none of its sides is one.
    Made(String),
    /// The key columns of the left table of a foreign key join, and that table's name.
    LeftTable { columns: Vec<String>, table: String },
    /// Those of both tables of a many-to-many join.
    Both(Box<FromKey>, Box<FromKey>),
}

impl<'a> Builder<'a> {
    /// The rows of FROM. `stages`: those of the plan so far.
    pub(super) fn new(
        query: &'a ast::Query,
        around: &Surroundings<'a>,
        target: Target,
        mut stages: Vec<Stage>,
    ) -> Result<Self> {
        if let Some(key) = query.order_by.first() {
            return Err(messages::clauses::order_of_changes().at(key.expr.at));
        }
        let around = around.with(query)?;
        let (catalog, settings) = (around.catalog, around.settings);
        let names = Names::of(query, &around, &mut stages)?;
        let mut builder = Builder {
            query,
            catalog,
            target,
            settings,
            rules: Rules::of(settings),
            layout: names.first().key.clone(),
            schema: Schema { columns: Vec::new(), keys: 0 },
            synonyms: Vec::new(),
            key: FromKey::Source(Vec::new()),
            window: None,
            stages,
            result: ResultKind::Stream,
            repartitioned: false,
            listed: Vec::new(),
            names,
        };
        join::read_sources(&mut builder)?;
        Ok(builder)
    }

    /// Whether the rows are the changes of a table.
    pub(super) fn is_table(&self) -> bool {
        matches!(self.result, ResultKind::Table { .. })
    }

    /// Takes over what FROM gives.
    pub(super) fn begin(&mut self, kind: SourceKind, window: Option<SourceWindow>, stage: Stage, schema: Schema) {
        self.result = match kind {
            SourceKind::Stream => ResultKind::Stream,
            SourceKind::Table => ResultKind::Table { windowed: window },
        };
        self.window = window;
        self.stages.push(stage);
        self.schema = schema;
    }

    pub(super) fn persistent(&self) -> bool {
        self.target == Target::Persistent
    }

    pub(super) fn step(&mut self, step: Step) {
        if let Some(stage) = self.stages.last_mut() {
            stage.steps.push(step);
        }
    }

    /// Cuts here: rows go to the partition of their new key.
    pub(super) fn exchange(&mut self) {
        let columns = self.schema.columns[..self.schema.keys]
            .iter()
            .map(|column| (column.name.clone(), column.ty.clone()))
            .collect::<Vec<_>>();
        let key = exchange_layout(self.names.first(), columns);
        let types = self.schema.columns.iter().map(|column| column.ty.clone()).collect();
        self.layout = key.clone();
        let from = self.stages.len() - 1;
        self.stages.push(Stage { input: StageInput::Exchange(Exchange { from, key, types }), steps: Vec::new() });
    }

    pub(super) fn columns(&self) -> Columns<'_> {
        Columns {
            schema: &self.schema,
            synonyms: &self.synonyms,
            names: &self.names,
            catalog: self.catalog,
            rules: self.rules,
        }
    }

    /// The type of an expression over the plan's names.
    pub(super) fn check(&self, expr: &Expr) -> Result<Typed> {
        expr::check(expr, &self.columns()).map_err(|error| error.at(expr.at))
    }

    /// A condition over the plan's names.
    pub(super) fn boolean(&self, expr: &Expr, clause: &str) -> Result<Typed> {
        expect_boolean(self.check(expr)?, expr, clause)
    }
}

/// A condition's type is BOOLEAN.
pub(super) fn expect_boolean(typed: Typed, expr: &Expr, clause: &str) -> Result<Typed> {
    match typed.ty() {
        Some(SqlType::Boolean) => Ok(typed),
        other => Err(messages::clauses::no_condition(clause, other, &crate::sql::format::expression(expr)).at(expr.at)),
    }
}

/// The layout by which an exchange places rows: that of the source's keys where it can carry them.
pub(super) fn exchange_layout(source: &Source, columns: Vec<(String, SqlType)>) -> Layout {
    let wrapped = columns.len() > 1;
    let format = if source.key.format == Format::None { Format::Kafka } else { source.key.format };
    let layout = Layout { format, delimiter: source.key.delimiter, columns, wrapped };
    match crate::format::check(&layout, crate::format::Part::Key) {
        Ok(()) => layout,
        Err(_) => Layout { format: Format::Json, ..layout },
    }
}
