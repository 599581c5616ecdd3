//! A query under construction: what all clauses add their steps to. Doesn't know the clauses.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::rewrite;
use crate::analyze::scope::{Columns, scan_schema};
use crate::catalog::{Catalog, Source, SourceKind};
use crate::error::{Error, Result};
use crate::expr::{self, Typed};
use crate::format::{Format, Layout};
use crate::plan::{Exchange, ResultKind, Scan, Schema, Stage, StageInput, Step};
use crate::sql::ast::{self, Expr, ExprKind};
use crate::types::SqlType;

/// What becomes of a query's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Rows for a reader: the SELECT list in its order.
    Transient,
    /// Records of a topic: the key columns must be in the SELECT list.
    Persistent,
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
    /// The scan of a source.
    pub(super) fn new(
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
        let types = self.schema.columns.iter().map(|column| column.ty.clone()).collect();
        let from = self.stages.len() - 1;
        self.stages.push(Stage { input: StageInput::Exchange(Exchange { from, key, types }), steps: Vec::new() });
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
}

/// The layout by which an exchange places rows: that of the source's keys where it can carry them.
fn exchange_layout(source: &Source, columns: Vec<(String, SqlType)>) -> Layout {
    let wrapped = columns.len() > 1;
    let format = if source.key.format == Format::None { Format::Kafka } else { source.key.format };
    let layout = Layout { format, delimiter: source.key.delimiter, columns, wrapped };
    match crate::format::check(&layout, crate::format::Part::Key) {
        Ok(()) => layout,
        Err(_) => Layout { format: Format::Json, ..layout },
    }
}
