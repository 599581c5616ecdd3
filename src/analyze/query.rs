//! A SELECT: from what was written to the stages of a plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analyze::aggregate;
use crate::analyze::builder::{Builder, Target};
use crate::analyze::calls::has_aggregate;
use crate::analyze::items::{self, Item};
use crate::analyze::names::StarColumn;
use crate::analyze::wanted::mark_wanted;
use crate::analyze::window_bounds;
use crate::catalog::{Catalog, Source, SourceKind, SourceWindow};
use crate::error::{Error, Result};
use crate::format::Format;
use crate::plan::{JoinMethod, Plan, Stage, StageInput, Step};
use crate::sql::ast::{self, Emit};

/// A SELECT, understood.
#[derive(Debug, Clone)]
pub struct Analyzed {
    pub plan: Plan,
    /// What it reads, in the order of FROM: at least one.
    pub sources: Vec<Arc<Source>>,
    /// The rows have no key: PARTITION BY NULL, or a source without key columns.
    pub keyless: bool,
    /// The windows that the keys of the rows of FROM have.
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
    let analyzed = Builder::new(query, catalog, target, settings)?.build()?;
    analyzed.plan.stages.iter().try_for_each(|stage| check_versions(stage, &analyzed.plan.stages))?;
    Ok(analyzed)
}

/// A stream is joined with the versions of a table where the table is: rows that travel have the newest only.
fn check_versions(stage: &Stage, stages: &[Stage]) -> Result<()> {
    let StageInput::Join(join) = &stage.input else { return Ok(()) };
    check_versions(&join.left, stages)?;
    let StageInput::Exchange(exchange) = &join.right.input else { return Ok(()) };
    let from = stages.get(exchange.from).map(|stage| &stage.input);
    match from {
        Some(StageInput::Scan(scan))
            if join.method == JoinMethod::StreamTable && scan.source.versions_retention_ms.is_some() =>
        {
            Err(Error::not_supported(
                format!(
                    "a join of a stream with {}, whose VERSIONS_RETENTION_MS is set and whose keys have another format,",
                    scan.source.name
                ),
                "give both the same KEY_FORMAT",
            ))
        }
        _ => Ok(()),
    }
}

impl Builder<'_> {
    pub(super) fn build(mut self) -> Result<Analyzed> {
        self.check_clauses()?;
        let mut star = self.star_columns();
        let filter = window_bounds::split(&self)?;
        if let Some(filter) = filter.of_rows {
            let predicate = self.boolean(&filter, "WHERE")?;
            let table = self.is_table();
            self.step(Step::Filter { predicate, table, name: "WHERE" });
        }
        let items = self.items(&star)?;
        if !self.query.group_by.is_empty() {
            self.refuse_kafka_values("GROUP BY")?;
        }
        let aggregated = !self.query.group_by.is_empty()
            || items.iter().any(|item| has_aggregate(&item.expr))
            || self.query.having.as_ref().is_some_and(has_aggregate);
        self.check_distinct(aggregated)?;
        let keyless;
        if aggregated {
            aggregate::build(&mut self, items, filter.of_windows)?;
            keyless = false;
        } else {
            if self.query.window.is_some() && !self.query.distinct {
                return Err(Error::statement("WINDOW clause requires a GROUP BY clause."));
            }
            if let Some(having) = &self.query.having {
                return Err(Error::statement("HAVING requires a GROUP BY clause.").at(having.at));
            }
            if self.query.emit == Some(Emit::Final) {
                return Err(Error::statement("EMIT FINAL is only supported for windowed aggregations."));
            }
            let (items, keys) = match self.query.partition_by.is_empty() {
                true => self.keys_of_from(items)?,
                false => {
                    let keys = self.partition_by(&mut star)?;
                    (self.items(&star)?, keys)
                }
            };
            let items = self.table_functions(items, &keys)?;
            keyless = keys.is_empty();
            self.final_projection(items, &keys)?;
            if self.query.distinct {
                self.distinct()?;
            }
        }
        let mut plan = Plan { stages: self.stages, schema: self.schema, result: self.result };
        mark_wanted(&mut plan);
        let sources = self.names.distinct_sources();
        Ok(Analyzed { plan, sources, keyless, window: self.window })
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
        let windowed_table = |source: &Arc<Source>| source.kind == SourceKind::Table && source.window.is_some();
        // A join knows which rows its rows replace; of a windowed table by itself nobody does.
        let joined = self.names.joined() && (self.query.group_by.is_empty() || !self.is_table());
        if self.names.sources().any(windowed_table) && self.target == Target::Persistent && !joined {
            return Err(Error::statement("KSQL does not support persistent queries on windowed tables.").hint(
                "declare a windowed STREAM over its topic and query that; only joins by key and window take windowed tables",
            ));
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
        Err(Error::statement(format!(
            "Source(s) {} are using the 'KAFKA' value format. This format does not yet support {what}.",
            named.join(", ")
        ))
        .hint("declare them with another VALUE_FORMAT"))
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
