//! A SELECT: from what was written to the stages of a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::aggregate;
use crate::analyze::builder::{Builder, Target};
use crate::analyze::calls::{has_aggregate, reject_calls};
use crate::analyze::items::{self, Item};
use crate::analyze::wanted::mark_wanted;
use crate::catalog::{Catalog, ColumnRole, Source};
use crate::error::{Error, Result};
use crate::format::Format;
use crate::plan::{Plan, Step};
use crate::sql::ast::{self, Emit};

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

impl Builder<'_> {
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
}
