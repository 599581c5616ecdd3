//! A SELECT: from what was written to the stages of a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::aggregate;
use crate::analyze::calls::{has_aggregate, reject_calls};
use crate::analyze::items::{self, Item};
use crate::analyze::keys::{KeyColumn, exchange_layout, substitute_keys};
use crate::analyze::rewrite;
use crate::analyze::scope::Columns;
use crate::analyze::source::is_pseudo_column;
use crate::analyze::wanted::mark_wanted;
use crate::catalog::{Catalog, ColumnRole, Source, SourceKind};
use crate::error::{Error, Result};
use crate::expr::{self, Typed};
use crate::format::Format;
use crate::plan::{Plan, Project, Rekey, ResultKind, Scan, Schema, SchemaColumn, Stage, StageInput, Step};
use crate::sql::ast::{self, Emit, Expr, ExprKind};
use crate::types::SqlType;

/// What becomes of a query's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Rows for a reader: the SELECT list in its order.
    Transient,
    /// Records of a topic: the key columns must be in the SELECT list.
    Persistent,
}

/// A SELECT, understood.
#[derive(Debug, Clone)]
pub struct Analyzed {
    pub plan: Plan,
    pub source: Arc<Source>,
    /// The rows have no key: PARTITION BY NULL, or a source without key columns.
    pub keyless: bool,
}

/// Analyzes a query over one source.
pub fn analyze(
    query: &ast::Query,
    catalog: &Catalog,
    target: Target,
    settings: &BTreeMap<String, String>,
) -> Result<Analyzed> {
    if let Some(join) = query.from.joins.first() {
        return Err(Error::not_supported("JOIN", "joins come with a later version").at(join.source.name.at));
    }
    let source =
        catalog.expect_source(&query.from.first.name.text).map_err(|error| error.at(query.from.first.name.at))?.clone();
    let builder = Builder::new(query, catalog, source, target, settings)?;
    builder.build()
}

/// All columns that expressions over a source can name: its own, then the pseudo columns.
pub fn scan_schema(source: &Source) -> Schema {
    let mut columns: Vec<SchemaColumn> =
        source.columns.iter().map(|column| SchemaColumn { name: column.name.clone(), ty: column.ty.clone() }).collect();
    let mut pseudo = |name: &str, ty| columns.push(SchemaColumn { name: name.to_string(), ty });
    pseudo("ROWTIME", SqlType::Bigint);
    pseudo("ROWPARTITION", SqlType::Int);
    pseudo("ROWOFFSET", SqlType::Bigint);
    if source.window.is_some() {
        pseudo("WINDOWSTART", SqlType::Bigint);
        pseudo("WINDOWEND", SqlType::Bigint);
    }
    Schema { columns, keys: source.key_columns().count() }
}

/// A query under construction: the schema of the step last added.
pub(super) struct Builder<'a> {
    pub(super) query: &'a ast::Query,
    pub(super) catalog: &'a Catalog,
    pub(super) source: Arc<Source>,
    pub(super) target: Target,
    pub(super) settings: &'a BTreeMap<String, String>,
    pub(super) qualifiers: Vec<String>,
    pub(super) schema: Schema,
    pub(super) stages: Vec<Stage>,
    pub(super) result: ResultKind,
}

impl<'a> Builder<'a> {
    fn new(
        query: &'a ast::Query,
        catalog: &'a Catalog,
        source: Arc<Source>,
        target: Target,
        settings: &'a BTreeMap<String, String>,
    ) -> Result<Self> {
        let first = &query.from.first;
        let mut qualifiers = vec![first.name.text.clone()];
        qualifiers.extend(first.alias.iter().map(|alias| alias.text.clone()));
        let schema = scan_schema(&source);
        let scan = Scan { source: source.clone(), wanted: vec![false; schema.columns.len()] };
        let result = match source.kind {
            SourceKind::Stream => ResultKind::Stream,
            SourceKind::Table => ResultKind::Table { windowed: source.window },
        };
        let stages = vec![Stage { input: StageInput::Scan(scan), steps: Vec::new() }];
        Ok(Builder { query, catalog, source, target, settings, qualifiers, schema, stages, result })
    }

    fn build(mut self) -> Result<Analyzed> {
        self.check_clauses()?;
        let mut star = self.star_columns();
        if let Some(filter) = &self.query.filter {
            reject_calls(filter, "WHERE")?;
            let predicate = self.boolean(filter, "WHERE")?;
            let table = self.is_table();
            self.step(Step::Filter { predicate, table, name: "WHERE" });
        }
        let items = self.items(&star)?;
        if !self.query.group_by.is_empty() && self.source.value.format == Format::Kafka {
            return Err(Error::statement(format!(
                "Source(s) {} are using the 'KAFKA' value format. This format does not yet support GROUP BY.",
                self.source.name
            )));
        }
        let aggregated = !self.query.group_by.is_empty()
            || items.iter().any(|item| has_aggregate(&item.expr))
            || self.query.having.as_ref().is_some_and(has_aggregate);
        let keyless;
        if aggregated {
            aggregate::build(&mut self, items)?;
            keyless = false;
        } else {
            if self.query.window.is_some() {
                return Err(Error::statement("WINDOW clause requires a GROUP BY clause."));
            }
            if let Some(having) = &self.query.having {
                return Err(Error::statement("HAVING requires a GROUP BY clause.").at(having.at));
            }
            if self.query.emit == Some(Emit::Final) {
                return Err(Error::statement("EMIT FINAL is only supported for windowed aggregations."));
            }
            let keys = self.partition_by(&mut star)?;
            let items = if self.query.partition_by.is_empty() { items } else { self.items(&star)? };
            let items = self.table_functions(items, &keys)?;
            keyless = keys.is_empty();
            self.final_projection(items, &keys)?;
        }
        let mut plan = Plan { stages: self.stages, schema: self.schema, result: self.result };
        mark_wanted(&mut plan);
        Ok(Analyzed { plan, source: self.source, keyless })
    }

    fn check_clauses(&self) -> Result<()> {
        if !self.query.partition_by.is_empty() && self.is_table() {
            return Err(Error::statement("PARTITION BY is not supported for TABLEs.")
                .hint("only streams can be partitioned anew")
                .at(self.query.partition_by[0].at));
        }
        if !self.query.partition_by.is_empty() && !self.query.group_by.is_empty() {
            return Err(Error::statement("A query can't have both PARTITION BY and GROUP BY.")
                .at(self.query.partition_by[0].at));
        }
        let windowed_table = self.is_table() && self.source.window.is_some();
        if windowed_table && self.target == Target::Persistent {
            return Err(Error::statement("KSQL does not support persistent queries on windowed tables.")
                .hint("declare a windowed STREAM over its topic and query that"));
        }
        Ok(())
    }

    pub(super) fn is_table(&self) -> bool {
        self.source.kind == SourceKind::Table
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
        let key = exchange_layout(&self.source, columns);
        self.stages.push(Stage { input: StageInput::Exchange { key }, steps: Vec::new() });
    }

    pub(super) fn columns(&self) -> Columns<'_> {
        Columns { schema: &self.schema, qualifiers: &self.qualifiers, catalog: self.catalog }
    }

    pub(super) fn check(&self, expr: &Expr) -> Result<Typed> {
        expr::check(expr, &self.columns()).map_err(|error| error.at(expr.at))
    }

    pub(super) fn boolean(&self, expr: &Expr, clause: &str) -> Result<Typed> {
        let typed = self.check(expr)?;
        match typed.ty() {
            Some(SqlType::Boolean) => Ok(typed),
            other => Err(Error::statement(format!(
                "Type error in {clause} expression: should evaluate to boolean but is {} instead.",
                other.map_or("NULL".to_string(), ToString::to_string)
            ))
            .at(expr.at)),
        }
    }

    /// Names of the columns of `*`: keys, window bounds, values.
    fn star_columns(&self) -> Vec<String> {
        let name = |column: &crate::catalog::Column| column.name.clone();
        let mut star: Vec<String> = self.source.key_columns().map(name).collect();
        if self.source.window.is_some() && !self.persistent() {
            star.extend(["WINDOWSTART".to_string(), "WINDOWEND".to_string()]);
        }
        star.extend(self.source.columns.iter().filter(|column| column.role != ColumnRole::Key).map(name));
        star
    }

    /// The SELECT list with its stars put out and without qualifiers.
    pub(super) fn items(&self, star: &[String]) -> Result<Vec<Item>> {
        let mut items = items::expand(&self.query.items, star, &self.columns())?;
        for item in &mut items {
            item.expr = self.unqualified(&item.expr)?;
        }
        Ok(items)
    }

    /// Takes `source.` off the columns, once it is known to be right.
    pub(super) fn unqualified(&self, expr: &Expr) -> Result<Expr> {
        rewrite::rewrite(expr, &mut |node| match &node.kind {
            ExprKind::Column { source: Some(source), name } => {
                if !self.qualifiers.contains(&source.text) {
                    return Err(Error::statement(format!(
                        "Column '{}.{}' cannot be resolved: there is no source '{}' here.",
                        source.text, name.text, source.text
                    ))
                    .at(source.at));
                }
                Ok(Some(Expr::new(ExprKind::Column { source: None, name: name.clone() }, node.at)))
            }
            _ => Ok(None),
        })
    }

    /// The last projection: for a topic the key columns first, for a reader the list as it was written.
    pub(super) fn final_projection(&mut self, items: Vec<Item>, keys: &[KeyColumn]) -> Result<()> {
        let items: Vec<Item> =
            items.into_iter().map(|item| Item { expr: substitute_keys(&item.expr, keys), ..item }).collect();
        let (key_items, value_items) =
            if self.persistent() { self.split_keys(items, keys)? } else { (self.hidden_keys(keys), items) };
        if self.persistent() && value_items.is_empty() {
            return Err(Error::statement("The projection contains no value columns."));
        }
        if let Some(item) = value_items.iter().find(|item| self.persistent() && is_pseudo_column(&item.name)) {
            return Err(Error::statement(format!(
                "Reserved column name in select: `{}`. Please remove or alias the column.",
                item.name
            ))
            .at(item.at));
        }
        let mut project = Project { keys: Vec::new(), values: Vec::new(), names: Vec::new(), rekey: Rekey::Keep };
        let mut columns = Vec::new();
        for (list, items) in [(&mut project.keys, &key_items), (&mut project.values, &value_items)] {
            for item in items {
                let typed = self.check(&item.expr)?;
                let Some(ty) = typed.ty().cloned() else {
                    return Err(Error::statement(format!(
                        "The type of column `{}` is unknown: it is NULL.",
                        item.name
                    ))
                    .hint("CAST(NULL AS type) gives it one")
                    .at(item.at));
                };
                columns.push(SchemaColumn { name: item.name.clone(), ty });
                project.names.push(item.name.clone());
                list.push(typed);
            }
        }
        let keys = key_items.len();
        self.step(Step::Project(project));
        self.schema = Schema { columns, keys };
        Ok(())
    }
}
