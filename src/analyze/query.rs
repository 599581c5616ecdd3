//! A SELECT: from what was written to the stages of a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::aggregate;
use crate::analyze::items::{self, Item};
use crate::analyze::rewrite::{self, Descend};
use crate::analyze::scope::Columns;
use crate::analyze::source::is_pseudo_column;
use crate::catalog::{Catalog, ColumnRole, Source, SourceKind};
use crate::error::{Error, Result};
use crate::expr::{self, Typed};
use crate::format::{Format, Layout};
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
    fn items(&self, star: &[String]) -> Result<Vec<Item>> {
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

    /// PARTITION BY: a projection to the new key and an exchange. Gives the key expressions of the rows as they are
    /// after it, each under the name that the final projection knows it by.
    fn partition_by(&mut self, star: &mut Vec<String>) -> Result<Vec<KeyColumn>> {
        let current = self.source_keys();
        if self.query.partition_by.is_empty() {
            return Ok(current);
        }
        let exprs = self.query.partition_by.iter().map(|expr| self.unqualified(expr)).collect::<Result<Vec<_>>>()?;
        if exprs.iter().any(|expr| expr.kind == ExprKind::Null) {
            if exprs.len() > 1 {
                return Err(Error::statement("Cannot PARTITION BY multiple columns including NULL").at(exprs[0].at));
            }
            self.rekey(&[], Rekey::PartitionBy)?;
            move_keys_last(star, &current, &[]);
            return Ok(Vec::new());
        }
        for expr in &exprs {
            reject_calls(expr, "PARTITION BY")?;
        }
        let same_key =
            exprs.len() == current.len() && exprs.iter().zip(&current).all(|(expr, key)| *expr == key.written);
        if same_key {
            return Ok(current);
        }
        let keys = self.rekey(&exprs, Rekey::PartitionBy)?;
        self.exchange();
        move_keys_last(star, &current, &keys);
        Ok(keys)
    }

    fn source_keys(&self) -> Vec<KeyColumn> {
        let place = Expr::new(ExprKind::Null, ast::Location::default());
        self.source
            .key_columns()
            .map(|column| KeyColumn {
                written: rewrite::column(&column.name, &place),
                shown: rewrite::column(&column.name, &place),
                column: column.name.clone(),
                default_name: column.name.clone(),
            })
            .collect()
    }

    /// Adds a projection that gives the rows a new key; all their columns go on as values.
    pub(super) fn rekey(&mut self, exprs: &[Expr], rekey: Rekey) -> Result<Vec<KeyColumn>> {
        let mut keys = Vec::new();
        let mut typed_keys = Vec::new();
        let mut columns = Vec::new();
        let mut unnamed = 0;
        for (index, expr) in exprs.iter().enumerate() {
            let typed = self.check(expr)?;
            let Some(ty) = typed.ty().cloned() else {
                return Err(Error::statement("NULL is no key: its type is unknown.").at(expr.at));
            };
            let default_name = match &expr.kind {
                ExprKind::Column { name, .. } => name.text.clone(),
                ExprKind::Field { field, .. } => field.text.clone(),
                _ => {
                    unnamed += 1;
                    format!("KSQL_COL_{}", unnamed - 1)
                }
            };
            let column = format!("KSQL_INTERNAL_KEY_{index}");
            columns.push(SchemaColumn { name: column.clone(), ty });
            typed_keys.push(typed);
            keys.push(KeyColumn { written: expr.clone(), shown: expr.clone(), column, default_name });
        }
        let mut values = Vec::new();
        for column in &self.schema.columns {
            let expr = rewrite::column(&column.name, &Expr::new(ExprKind::Null, ast::Location::default()));
            values.push(self.check(&expr)?);
        }
        columns.extend(self.schema.columns.iter().cloned());
        let names = columns.iter().map(|column| column.name.clone()).collect();
        self.step(Step::Project(Project { keys: typed_keys, values, names, rekey }));
        self.schema = Schema { columns, keys: keys.len() };
        Ok(keys)
    }

    /// Takes table functions out of the SELECT list into a step of their own.
    fn table_functions(&mut self, items: Vec<Item>, keys: &[KeyColumn]) -> Result<Vec<Item>> {
        let mut calls: Vec<Expr> = Vec::new();
        let mut rewritten = Vec::with_capacity(items.len());
        for mut item in items {
            item.expr = rewrite::rewrite::<Error>(&item.expr, &mut |node| {
                if !is_table_call(node) {
                    return Ok(None);
                }
                let ExprKind::Call { args, .. } = &node.kind else { return Ok(None) };
                if args.iter().any(has_table_call) {
                    return Err(Error::statement("Table functions can't be nested.").at(node.at));
                }
                let index = calls.iter().position(|call| call == node).unwrap_or_else(|| {
                    calls.push(node.clone());
                    calls.len() - 1
                });
                Ok(Some(rewrite::column(format!("KSQL_INTERNAL_ROWS_{index}"), node)))
            })?;
            rewritten.push(item);
        }
        if calls.is_empty() {
            return Ok(rewritten);
        }
        if self.is_table() {
            return Err(Error::statement("Table source is not supported with table functions").at(calls[0].at));
        }
        let mut typed = Vec::new();
        for call in &calls {
            let ExprKind::Call { name, args } = &call.kind else { continue };
            let args = args.iter().map(|arg| self.check(&substitute_keys(arg, keys))).collect::<Result<Vec<_>>>()?;
            typed.push(expr::TableCall::new(&name.text, args).map_err(|error| error.at(call.at))?);
        }
        for (index, call) in typed.iter().enumerate() {
            let name = format!("KSQL_INTERNAL_ROWS_{index}");
            self.schema.columns.push(SchemaColumn { name, ty: call.returns.clone() });
        }
        self.step(Step::FlatMap { calls: typed });
        Ok(rewritten)
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

    /// For a reader the key goes along unseen: a deleted row is known by it.
    fn hidden_keys(&self, keys: &[KeyColumn]) -> Vec<Item> {
        let place = Expr::new(ExprKind::Null, ast::Location::default());
        keys.iter()
            .enumerate()
            .map(|(index, key)| Item {
                expr: rewrite::column(&key.column, &place),
                name: format!("KSQL_INTERNAL_KEY_{index}"),
                aliased: true,
                at: ast::Location::default(),
            })
            .collect()
    }

    fn split_keys(&self, items: Vec<Item>, keys: &[KeyColumn]) -> Result<(Vec<Item>, Vec<Item>)> {
        let mut found: Vec<Option<Item>> = vec![None; keys.len()];
        // New keys keep the order of GROUP BY and PARTITION BY; those of the source stand as the SELECT list has them.
        let rekeyed = !self.query.group_by.is_empty() || !self.query.partition_by.is_empty();
        let mut order: Vec<usize> = (0..keys.len()).filter(|_| rekeyed).collect();
        let mut values = Vec::new();
        for item in items {
            let key = match &item.expr.kind {
                ExprKind::Column { name, .. } => keys.iter().position(|key| key.column == name.text),
                _ => None,
            };
            match key {
                None => values.push(item),
                Some(index) => {
                    let item = if item.aliased || !is_internal(&item.name) {
                        item
                    } else {
                        Item { name: keys[index].default_name.clone(), ..item }
                    };
                    if let Some(first) = &found[index] {
                        return Err(Error::statement(format!(
                            "The projection contains a key column (`{}`) more than once, aliased as: `{}` and `{}`.",
                            keys[index].default_name, first.name, item.name
                        ))
                        .hint("Each key column must only be in the projection once. If you intended to copy the key into the value, then consider using the AS_VALUE function to indicate which key reference should be copied.")
                        .at(item.at));
                    }
                    found[index] = Some(item);
                    if !rekeyed {
                        order.push(index);
                    }
                }
            }
        }
        let missing: Vec<&str> = keys
            .iter()
            .zip(&found)
            .filter(|(_, item)| item.is_none())
            .map(|(key, _)| key.default_name.as_str())
            .collect();
        if !missing.is_empty() {
            return Err(self.missing_keys(&missing, keys));
        }
        Ok((order.into_iter().filter_map(|index| found[index].take()).collect(), values))
    }

    fn missing_keys(&self, missing: &[&str], keys: &[KeyColumn]) -> Error {
        let kind = if !self.query.group_by.is_empty() {
            "grouping expression"
        } else if !self.query.partition_by.is_empty() {
            "partitioning expression"
        } else {
            "key column"
        };
        let plural = if missing.len() > 1 { "s" } else { "" };
        let written: Vec<String> = keys
            .iter()
            .filter(|key| missing.contains(&key.default_name.as_str()))
            .map(|key| crate::sql::format::expression(&key.shown))
            .collect();
        Error::statement(format!(
            "Key missing from projection (ie, SELECT). The query must include the {kind}{plural} {} in its projection (eg, SELECT {}...).",
            written.join(" and "),
            written.join(", ")
        ))
    }
}

/// A column of the rows' key.
#[derive(Debug, Clone)]
pub(super) struct KeyColumn {
    /// What stands for it in the SELECT list.
    pub written: Expr,
    /// As the query has it, for errors.
    pub shown: Expr,
    /// Its column in the schema before the final projection.
    pub column: String,
    /// Its name when nobody gives it another.
    pub default_name: String,
}

fn is_internal(name: &str) -> bool {
    name.starts_with("KSQL_INTERNAL_")
}

/// Puts the key columns in the place of the expressions that they were made of.
pub(super) fn substitute_keys(expr: &Expr, keys: &[KeyColumn]) -> Expr {
    let result: Result<Expr> = rewrite::rewrite(expr, &mut |node| {
        if let ExprKind::Call { name, .. } = &node.kind
            && name.text == "AS_VALUE"
        {
            // AS_VALUE(key) is a copy in the value: its argument is read from the key all the same.
            return Ok(None);
        }
        Ok(keys.iter().find(|key| key.written == *node).map(|key| rewrite::column(&key.column, node)))
    });
    result.unwrap_or_else(|_| expr.clone())
}

/// `SELECT *` after PARTITION BY: the new key first, the old one last.
fn move_keys_last(star: &mut Vec<String>, old: &[KeyColumn], new: &[KeyColumn]) {
    let is_key = |keys: &[KeyColumn], name: &str| {
        keys.iter().any(|key| matches!(&key.written.kind, ExprKind::Column { name: column, .. } if column.text == name))
    };
    star.retain(|name| !is_key(old, name) && !is_key(new, name));
    let firsts: Vec<String> = new
        .iter()
        .map(|key| match &key.written.kind {
            ExprKind::Column { name, .. } => name.text.clone(),
            _ => key.column.clone(),
        })
        .collect();
    star.splice(0..0, firsts);
    star.extend(old.iter().filter(|key| !is_key(new, &key.default_name)).map(|key| key.default_name.clone()));
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

pub(super) fn is_aggregate_call(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call { name, .. } if expr::is_aggregate(&name.text))
}

pub(super) fn has_aggregate(expr: &Expr) -> bool {
    any_node(expr, &is_aggregate_call)
}

fn is_table_call(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call { name, .. } if expr::is_table_function(&name.text))
}

fn has_table_call(expr: &Expr) -> bool {
    any_node(expr, &is_table_call)
}

fn any_node(expr: &Expr, test: &dyn Fn(&Expr) -> bool) -> bool {
    let mut found = false;
    rewrite::walk(expr, &mut |node| {
        found |= test(node);
        if found { Descend::No } else { Descend::Yes }
    });
    found
}

/// Aggregates and table functions have no place in this clause.
fn reject_calls(expr: &Expr, clause: &str) -> Result<()> {
    if has_aggregate(expr) {
        return Err(Error::statement(format!("Aggregate functions are not allowed in {clause}.")).at(expr.at));
    }
    if has_table_call(expr) {
        return Err(Error::statement(format!("Table functions are not allowed in {clause}.")).at(expr.at));
    }
    Ok(())
}

/// Marks the columns of the scan that some step before the first full projection reads.
fn mark_wanted(plan: &mut Plan) {
    let Some(stage) = plan.stages.first() else { return };
    // What is read of a rekey's pass-through columns is known from the steps behind it: go backwards.
    let mut later: Option<Vec<usize>> = None;
    let mut steps: Vec<&Step> = stage.steps.iter().collect();
    let rest: Vec<&Step> = plan.stages[1..].iter().flat_map(|stage| &stage.steps).collect();
    steps.extend(rest);
    for step in steps.iter().rev() {
        later = Some(wanted_by(step, later));
    }
    let StageInput::Scan(scan) = &mut plan.stages[0].input else { return };
    for column in later.unwrap_or_default() {
        if let Some(wanted) = scan.wanted.get_mut(column) {
            *wanted = true;
        }
    }
}

/// Columns of a step's input that are needed for the columns `later` (None: all) of its output.
fn wanted_by(step: &Step, later: Option<Vec<usize>>) -> Vec<usize> {
    let mut wanted: Vec<usize> = match step {
        Step::Filter { predicate, .. } => {
            let mut columns = predicate.columns();
            columns.extend(later.unwrap_or_default());
            columns
        }
        Step::Project(project) => {
            let keys = project.keys.len();
            let needed = |index: &usize| later.as_ref().is_none_or(|later| later.contains(&(keys + index)));
            let values = (0..project.values.len()).filter(needed).flat_map(|index| project.values[index].columns());
            project.keys.iter().flat_map(Typed::columns).chain(values).collect()
        }
        Step::FlatMap { calls } => {
            let mut columns: Vec<usize> = calls.iter().flat_map(expr::TableCall::columns).collect();
            columns.extend(later.unwrap_or_default());
            columns
        }
        Step::Aggregate(aggregate) => {
            let keys = 0..aggregate.key_types.len();
            keys.chain(aggregate.calls.iter().flat_map(|call| call.args.iter().copied())).collect()
        }
    };
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}
