//! A SELECT: from what was written to the stages of a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::aggregate;
use crate::analyze::builder::{Builder, Target};
use crate::analyze::calls::has_aggregate;
use crate::analyze::items::{self, Item};
use crate::analyze::names::StarColumn;
use crate::analyze::rewrite::{self, Descend};
use crate::analyze::source::WINDOW_COLUMNS;
use crate::analyze::subquery::{Rows, Surroundings};
use crate::analyze::wanted::mark_wanted;
use crate::analyze::window_bounds;
use crate::catalog::{Catalog, Source, SourceKind, SourceWindow};
use crate::error::{Error, Result};
use crate::expr::{self, Scope};
use crate::format::Format;
use crate::messages;
use crate::plan::{JoinMethod, Plan, Scan, Stage, StageInput, Step};
use crate::sql::ast::{self, Emit, Expr, ExprKind};
use crate::sql::format;

/// A SELECT, understood.
#[derive(Debug, Clone)]
pub struct Analyzed {
    pub plan: Plan,
    /// What it reads, in the order of FROM, for queries there what they read: at least one.
    pub sources: Vec<Arc<Source>>,
    /// The rows have no key: PARTITION BY NULL, or a source without key columns.
    pub keyless: bool,
    /// The windows that the keys of a stream's rows have.
    pub window: Option<SourceWindow>,
}

impl Analyzed {
    /// The leftmost source: what is written has formats, partitions and the like from it unless something else is said.
    pub fn first(&self) -> &Arc<Source> {
        &self.sources[0]
    }

    /// Whether it reads a stream or table.
    pub fn reads(&self, name: &str) -> bool {
        self.sources.iter().any(|source| source.name == name)
    }
}

/// Analyzes a query.
pub fn analyze(
    query: &ast::Query,
    catalog: &Catalog,
    target: Target,
    settings: &BTreeMap<String, String>,
) -> Result<Analyzed> {
    let around = Surroundings::new(catalog, settings);
    // Queries that are united are read as one in FROM is.
    let analyzed = match query.union.is_empty() {
        true => Builder::new(query, &around, target, Vec::new())?.build()?,
        false => Builder::new(&all_of(query), &around, target, Vec::new())?.build()?,
    };
    if target == Target::Persistent {
        check_windowed_tables(&analyzed.plan)?;
    }
    analyzed.plan.stages.iter().try_for_each(|stage| check_versions(stage, &analyzed.plan.stages))?;
    Ok(analyzed)
}

/// `SELECT * FROM (query) EMIT ... LIMIT ...`
fn all_of(query: &ast::Query) -> ast::Query {
    let inner = ast::Query { emit: None, limit: None, ..query.clone() };
    let at = ast::Location::default();
    let rows = ast::FromRows::Query(Box::new(inner));
    ast::Query {
        with: Vec::new(),
        distinct: false,
        items: vec![ast::SelectItem::Star { source: None, at }],
        from: ast::Relation { first: ast::FromItem { rows, alias: None, at }, joins: Vec::new() },
        window: None,
        filter: None,
        group_by: Vec::new(),
        partition_by: Vec::new(),
        having: None,
        union: Vec::new(),
        order_by: Vec::new(),
        emit: query.emit,
        limit: query.limit,
    }
}

/// A stream is joined with the versions of a table where the table is: rows that travel have the newest only.
fn check_versions(stage: &Stage, stages: &[Stage]) -> Result<()> {
    if let StageInput::Union(sides) = &stage.input {
        return sides.iter().try_for_each(|side| check_versions(side, stages));
    }
    let StageInput::Join(join) = &stage.input else { return Ok(()) };
    check_versions(&join.right, stages)?;
    check_versions(&join.left, stages)?;
    let StageInput::Exchange(exchange) = &join.right.input else { return Ok(()) };
    let from = stages.get(exchange.from).filter(|stage| stage.versions_retention_ms().is_some());
    match from.map(|stage| &stage.input) {
        Some(StageInput::Scan(scan)) if join.method == JoinMethod::StreamTable => {
            Err(messages::joins::versions_of_other_key_format(&scan.source.name))
        }
        _ => Ok(()),
    }
}

/// A join knows which rows its rows replace; of a windowed table by itself, or of what was joined of them, nobody does.
fn check_windowed_tables(plan: &Plan) -> Result<()> {
    let windowed = |scan: &Scan| scan.source.kind == SourceKind::Table && scan.source.window.is_some();
    let alone = plan.stages.iter().any(|stage| matches!(&stage.input, StageInput::Scan(scan) if windowed(scan)));
    let takes_back = |step: &Step| matches!(step, Step::Aggregate(aggregate) if aggregate.table_input);
    let grouped = plan.stages.iter().flat_map(|stage| &stage.steps).any(takes_back);
    match alone || (grouped && plan.scans().any(windowed)) {
        false => Ok(()),
        true => Err(messages::windows::query_on_windowed_table()),
    }
}

impl Builder<'_> {
    pub(super) fn build(self) -> Result<Analyzed> {
        let (rows, stages) = self.rows()?;
        let keyless = rows.schema.keys == 0;
        let mut plan = Plan { stages, schema: rows.schema, result: rows.result };
        mark_wanted(&mut plan);
        Ok(Analyzed { plan, sources: rows.sources, keyless, window: rows.window })
    }

    /// What the query gives, and the stages that give it.
    pub(super) fn rows(mut self) -> Result<(Rows, Vec<Stage>)> {
        self.check_clauses()?;
        let mut star = self.star_columns();
        let filter = window_bounds::split(&self)?;
        if let Some(filter) = filter.of_rows {
            let predicate = self.boolean(&filter, "WHERE")?;
            let table = self.is_table();
            self.step(Step::Filter { predicate, table, name: "WHERE" });
        }
        let items = self.items(&star)?;
        items.iter().try_for_each(|item| self.check_names(&item.expr))?;
        if !self.query.group_by.is_empty() {
            self.refuse_kafka_values("GROUP BY")?;
        }
        let aggregated = !self.query.group_by.is_empty()
            || items.iter().any(|item| has_aggregate(&item.expr))
            || self.query.having.as_ref().is_some_and(has_aggregate);
        self.check_distinct(aggregated)?;
        if aggregated {
            aggregate::build(&mut self, items, filter.of_windows)?;
        } else {
            if let Some(window) = self.query.window.as_ref().filter(|_| !self.query.distinct) {
                return Err(messages::windows::window_without_group_by().at(window.at));
            }
            if let Some(having) = &self.query.having {
                return Err(messages::aggregates::having_without_group_by().at(having.at));
            }
            if self.query.emit == Some(Emit::Final) {
                return Err(messages::windows::final_without_window().at(self.query.items_at()));
            }
            let (items, keys) = match self.query.partition_by.is_empty() {
                true => self.keys_of_from(items)?,
                false => {
                    let keys = self.partition_by(&mut star)?;
                    (self.items(&star)?, keys)
                }
            };
            let items = self.table_functions(items, &keys)?;
            self.final_projection(items, &keys)?;
            if self.query.distinct {
                self.distinct()?;
            }
            if self.repartitioned && self.target == Target::Subquery {
                // Whoever reads the query takes its rows to lie where their key puts them.
                self.exchange();
            }
        }
        let rows = Rows {
            sources: self.names.distinct_sources(),
            schema: self.schema,
            result: self.result,
            window: self.window,
            layout: self.layout,
            listed: self.listed,
        };
        Ok((rows, self.stages))
    }

    /// An expression of a clause that reads the rows of FROM, with the plan's names of columns.
    ///
    /// Errors: a name that isn't there; where it is one of the SELECT list, what to write instead.
    pub(super) fn resolved(&self, written: &Expr, clause: &str) -> Result<Expr> {
        let resolved = self.names.in_plan(written).and_then(|expr| {
            self.check_names(&expr)?;
            Ok(expr)
        });
        resolved.map_err(|error| self.about_aliases(error, written, clause))
    }

    /// An error when a column is none of the rows'. Said before what would else be said of a name that is merely misspelt.
    fn check_names(&self, expr: &Expr) -> Result<()> {
        match &expr.kind {
            // Its parameters are no columns.
            ExprKind::Lambda { .. } => Ok(()),
            ExprKind::Column { name, .. } if self.query.window.is_some() && WINDOW_COLUMNS.contains(&&*name.text) => {
                Ok(())
            }
            ExprKind::Column { source, name } => self.columns().column(source.as_ref(), name).map(|_| ()),
            ExprKind::Call { name, args } => args
                .iter()
                .enumerate()
                .filter(|(number, arg)| !expr::is_interval_unit(&name.text, *number, arg))
                .try_for_each(|(_, arg)| self.check_names(arg)),
            _ => expr.children().into_iter().try_for_each(|child| self.check_names(child)),
        }
    }

    /// The error with a better hint where the name that it is about is an alias of the SELECT list.
    fn about_aliases(&self, error: Error, written: &Expr, clause: &str) -> Error {
        let mut named = None;
        rewrite::walk(written, &mut |node| {
            if let ExprKind::Column { source: None, name } = &node.kind
                && error.at == Some(name.at)
            {
                named = Some(name.clone());
            }
            Descend::Yes
        });
        let meant = named.as_ref().and_then(|name| {
            self.query.items.iter().find_map(|item| match item {
                ast::SelectItem::Expr { expr, alias: Some(alias) } if alias == name => Some(format::expression(expr)),
                _ => None,
            })
        });
        match (meant, named) {
            (Some(meant), Some(name)) => messages::names::about_alias(error, &name.text, clause, &meant),
            _ => error,
        }
    }

    fn check_clauses(&self) -> Result<()> {
        if !self.query.partition_by.is_empty() && self.is_table() {
            return Err(messages::clauses::partition_by_of_table().at(self.query.partition_by[0].at));
        }
        if !self.query.partition_by.is_empty() && !self.query.group_by.is_empty() {
            return Err(messages::clauses::partition_by_and_group_by().at(self.query.partition_by[0].at));
        }
        Ok(())
    }

    /// Values of the format KAFKA carry a single column: joins and groupings, whose rows have more on their way, are not
    /// for them.
    pub(super) fn refuse_kafka_values(&self, what: &str) -> Result<()> {
        let sources = self.names.distinct_sources();
        let of_kafka = sources.iter().filter(|source| source.value.format == Format::Kafka);
        let named: Vec<&str> = of_kafka.map(|source| source.name.as_str()).collect();
        if named.is_empty() {
            return Ok(());
        }
        Err(messages::clauses::kafka_values(&named, what))
    }

    /// The columns of `*`: keys, window bounds, values.
    fn star_columns(&self) -> Vec<StarColumn> {
        match self.names.joined() && !self.query.partition_by.is_empty() {
            true => self.star_of_partitioned_join(),
            false => self.names.star(self.names.joined() || !self.persistent()),
        }
    }

    /// The SELECT list with its stars put out and with the plan's names of columns.
    pub(super) fn items(&self, star: &[StarColumn]) -> Result<Vec<Item>> {
        items::expand(&self.query.items, star, &self.columns())
    }
}
