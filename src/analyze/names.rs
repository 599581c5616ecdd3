//! The sources of a query, and the names by which their columns are known in it.

use std::sync::Arc;

use crate::analyze::items::first_free;
use crate::analyze::rewrite;
use crate::analyze::scope::scan_schema;
use crate::analyze::source::WINDOW_COLUMNS;
use crate::analyze::subquery::{Derived, Surroundings, derive, is_hidden};
use crate::catalog::{Column, ColumnRole, Source, SourceKind};
use crate::error::{Error, Result};
use crate::messages;
use crate::messages::names::Qualifier;
use crate::nearest::nearest;
use crate::plan::Schema;
use crate::plan::Stage;
use crate::sql::ast::{Expr, ExprKind, FromItem, Ident, Query};
use crate::sql::format;

/// The sources in FROM, in their order.
///
/// The steps of a plan know a column by a single name: its own where there is one source, `ALIAS_COLUMN` where there are
/// several. What the query's writer names is turned into those first.
pub(super) struct Names {
    known: Vec<Known>,
    /// The key of a join that is no source's column.
    synthetic: Option<String>,
    /// A WINDOW clause gives the rows of the result WINDOWSTART and WINDOWEND.
    windowed: bool,
}

struct Known {
    /// The alias, or without one the source's name.
    qualifier: String,
    source: Arc<Source>,
    /// Of the rows that are read of it.
    schema: Schema,
    columns: Vec<KnownColumn>,
    /// Of a query: what makes its rows, until it is taken.
    stage: Option<Stage>,
    /// Of a query: the columns of its list; of a source None.
    listed: Option<Vec<String>>,
    /// The streams and tables that it reads: itself, if it is one.
    read: Vec<Arc<Source>>,
}

struct KnownColumn {
    /// As the source has it.
    written: String,
    /// As the steps of the plan have it.
    column: String,
}

/// A column of `*`.
pub(super) struct StarColumn {
    /// Number of its source; None: the key that a join has made.
    pub source: Option<usize>,
    pub column: String,
    /// Its name in the result.
    pub name: String,
}

impl Names {
    /// `stages`: those of the plan so far; what queries in FROM need before their last one is added.
    pub fn of<'a>(query: &'a Query, around: &Surroundings<'a>, stages: &mut Vec<Stage>) -> Result<Names> {
        let from = &query.from;
        let mut known: Vec<Known> = Vec::with_capacity(1 + from.joins.len());
        let joined = !from.joins.is_empty();
        for named in std::iter::once(&from.first).chain(from.joins.iter().map(|join| &join.source)) {
            let name = name_of(named, joined)?;
            let derived = derive(named, &name, around, stages)?;
            let (source, schema, stage, listed, read) = match derived {
                Some(Derived { source, stage, schema, listed, sources }) => {
                    (source, schema, Some(stage), Some(listed), sources)
                }
                None => {
                    let source = expect_source(named, around)?;
                    let schema = scan_schema(&source);
                    (source.clone(), schema, None, None, vec![source])
                }
            };
            check_qualifier(&known, named, &name)?;
            let qualifier = name.text;
            let mut columns: Vec<KnownColumn> = Vec::new();
            for written in schema.columns.iter().map(|column| column.name.clone()) {
                let taken = |name: &String| known.iter().any(|known| known.has(name)) || has(&columns, name);
                let column =
                    if joined { first_free(&format!("{qualifier}_{written}"), taken) } else { written.clone() };
                columns.push(KnownColumn { written, column });
            }
            known.push(Known { qualifier, source, schema, columns, stage, listed, read });
        }
        Ok(Names { known, synthetic: None, windowed: query.window.is_some() })
    }

    /// The leftmost source.
    pub fn first(&self) -> &Arc<Source> {
        self.source(0)
    }

    pub fn source(&self, number: usize) -> &Arc<Source> {
        &self.known[number].source
    }

    /// By their numbers: one that is joined with itself comes more than once.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.known.iter().map(|known| &known.source)
    }

    /// Each once, those of queries in FROM included.
    pub fn distinct_sources(&self) -> Vec<Arc<Source>> {
        let mut distinct: Vec<Arc<Source>> = Vec::with_capacity(self.known.len());
        for source in self.known.iter().flat_map(|known| &known.read) {
            if !distinct.iter().any(|other| other.name == source.name) {
                distinct.push(source.clone());
            }
        }
        distinct
    }

    /// What makes the rows of a query in FROM; None: it is a stream or table.
    pub fn take_stage(&mut self, number: usize) -> Option<Stage> {
        self.known[number].stage.take()
    }

    /// Whether the only thing that is read is a query whose rows are the changes of a table.
    pub fn is_table_query(&self) -> bool {
        matches!(self.known.as_slice(), [only] if only.listed.is_some() && only.source.kind == SourceKind::Table)
    }

    /// The alias or name of what has a column of the plan.
    pub fn qualifier_of(&self, column: &str) -> &str {
        self.place(column).map_or("in FROM", |(source, _)| self.qualifier(source))
    }

    pub fn joined(&self) -> bool {
        self.known.len() > 1
    }

    /// The alias of a source, or its name.
    pub fn qualifier(&self, number: usize) -> &str {
        &self.known[number].qualifier
    }

    /// The columns of a source's scan under the names of the plan.
    pub fn scan(&self, number: usize) -> Schema {
        let known = &self.known[number];
        let mut schema = known.schema.clone();
        for (column, known) in schema.columns.iter_mut().zip(&known.columns) {
            column.name.clone_from(&known.column);
        }
        schema
    }

    /// The plan's name of a source's column.
    pub fn column(&self, number: usize, written: &str) -> Option<&str> {
        let columns = &self.known[number].columns;
        columns.iter().find(|known| known.written == written).map(|known| known.column.as_str())
    }

    /// A name for the key of a join that no column has.
    pub fn make_synthetic(&mut self) -> String {
        let taken = |name: &String| {
            let columns = self.known.iter().flat_map(|known| &known.columns);
            columns.into_iter().any(|known| known.written == *name || known.column == *name)
        };
        let name = first_free("ROWKEY", taken);
        self.synthetic = Some(name.clone());
        name
    }

    /// The key that the last join has made.
    pub fn set_synthetic(&mut self, name: Option<String>) {
        self.synthetic = name;
    }

    /// The source and the column (a number of its scan) that a name stands for; None: neither a source's column nor wrong.
    ///
    /// Errors: the qualifier is no source's, the source has no such column, or several sources have it.
    fn resolve(&self, qualifier: Option<&Ident>, name: &Ident) -> Result<Option<(usize, usize)>> {
        if let Some(qualifier) = qualifier {
            let source = self.qualified_source(qualifier)?;
            let found = self.known[source].columns.iter().position(|known| known.written == name.text);
            return match found {
                Some(column) => Ok(Some((source, column))),
                // The window's bounds, as if they were the source's own.
                None if self.windowed && !self.joined() && WINDOW_COLUMNS.contains(&name.text.as_str()) => Ok(None),
                None => Err(self.unresolved(Some(source), name)),
            };
        }
        let found: Vec<(usize, usize)> = (0..self.known.len())
            .filter_map(|source| {
                let column = self.known[source].columns.iter().position(|known| known.written == name.text);
                column.map(|column| (source, column))
            })
            .collect();
        match found.as_slice() {
            _ if self.joined() && name.text == "ROWTIME" => Ok(None),
            [] if !self.joined() || self.synthetic.as_ref() == Some(&name.text) => Ok(None),
            [] if self.windowed && WINDOW_COLUMNS.contains(&name.text.as_str()) => Ok(None),
            [] => Err(self.unresolved(None, name)),
            [only] => Ok(Some(*only)),
            several => {
                let candidates: Vec<String> = several
                    .iter()
                    .map(|(source, column)| format::expression(&self.qualified_column(*source, *column, name)))
                    .collect();
                Err(messages::names::ambiguous_column(&name.text, &candidates).at(name.at))
            }
        }
    }

    /// The number of the source that a qualifier stands for.
    pub fn qualified_source(&self, qualifier: &Ident) -> Result<usize> {
        self.known.iter().position(|known| known.qualifier == qualifier.text).ok_or_else(|| {
            let there: Vec<&str> = self.known.iter().map(|known| known.qualifier.as_str()).collect();
            let is_column = |known: &&Known| known.columns.iter().any(|column| column.written == qualifier.text);
            let is = match self.known.iter().find(|known| known.source.name == qualifier.text) {
                Some(known) => Qualifier::Aliased(&known.qualifier),
                None if self.known.iter().any(|known| is_column(&known)) => Qualifier::Column,
                None => Qualifier::Unknown(&there),
            };
            messages::names::unknown_qualifier(&qualifier.text, is).at(qualifier.at)
        })
    }

    fn unresolved(&self, source: Option<usize>, name: &Ident) -> Error {
        let (written, known) = match source {
            Some(source) => (format!("{}.{}", self.known[source].qualifier, name.text), &self.known[source..=source]),
            None => (name.text.clone(), self.known.as_slice()),
        };
        if self.joined() && WINDOW_COLUMNS.contains(&name.text.as_str()) {
            return messages::names::window_bound_of_join(&written).at(name.at);
        }
        let names = known.iter().flat_map(|known| &known.columns).map(|known| known.written.as_str());
        let names: Vec<&str> = names.filter(|name| !is_hidden(name)).collect();
        messages::names::unknown_column(&written, name, &names).at(name.at)
    }

    fn qualified_column(&self, source: usize, column: usize, like: &Ident) -> Expr {
        let ident = |text: &str| Ident { at: like.at, ..Ident::new(text) };
        let known = &self.known[source];
        let kind =
            ExprKind::Column { source: Some(ident(&known.qualifier)), name: ident(&known.columns[column].written) };
        Expr::new(kind, like.at)
    }

    /// The expression with the plan's names of the sources' columns; other names stay.
    pub fn in_plan(&self, expr: &Expr) -> Result<Expr> {
        self.renamed(expr, &[])
    }

    /// `params`: those of the lambdas around it.
    fn renamed(&self, expr: &Expr, params: &[Ident]) -> Result<Expr> {
        rewrite::rewrite(expr, &mut |node| match &node.kind {
            ExprKind::Lambda { params: more, body } => {
                let body = Box::new(self.renamed(body, &[params, more].concat())?);
                Ok(Some(Expr::new(ExprKind::Lambda { params: more.clone(), body }, node.at)))
            }
            ExprKind::Column { source: None, name } if params.iter().any(|param| param.text == name.text) => {
                Ok(Some(node.clone()))
            }
            ExprKind::Column { name, .. } if name.text == "ROWTIME" && self.is_table_query() => {
                Err(messages::clauses::row_time_of_table_query().at(name.at))
            }
            ExprKind::Column { source, name } => Ok(Some(match self.resolve(source.as_ref(), name)? {
                Some((source, column)) => rewrite::column(&self.known[source].columns[column].column, node),
                None => rewrite::column(&name.text, node),
            })),
            _ => Ok(None),
        })
    }

    /// An expression over the plan's names as the query's writer would put it: of several sources, with qualifiers.
    pub fn shown(&self, expr: &Expr) -> Expr {
        if !self.joined() {
            return expr.clone();
        }
        let shown: Result<Expr> = rewrite::rewrite(expr, &mut |node| match &node.kind {
            ExprKind::Column { source: None, name } => {
                Ok(self.place(&name.text).map(|(source, column)| self.qualified_column(source, column, name)))
            }
            _ => Ok(None),
        });
        shown.unwrap_or_else(|_| expr.clone())
    }

    /// The source of a column of the plan, and the column's number in its scan.
    fn place(&self, column: &str) -> Option<(usize, usize)> {
        self.known.iter().enumerate().find_map(|(source, known)| {
            known.columns.iter().position(|known| known.column == column).map(|column| (source, column))
        })
    }

    /// The sources whose columns an expression over the plan's names reads, in their order.
    pub fn sources_in(&self, expr: &Expr) -> Vec<usize> {
        let mut found = Vec::new();
        rewrite::walk(expr, &mut |node| {
            if let ExprKind::Column { name, .. } = &node.kind {
                found.extend(self.place(&name.text).map(|(source, _)| source));
            }
            rewrite::Descend::Yes
        });
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The name in a result of a column of the plan that has got no other: of several sources, with the alias before it
    /// when more than one of them has it.
    pub fn result_name(&self, column: &str) -> String {
        let Some((source, index)) = self.place(column) else { return column.to_string() };
        let written = &self.known[source].columns[index].written;
        let having = self.known.iter().filter(|known| known.columns.iter().any(|known| known.written == *written));
        if having.count() > 1 { self.star_name(source, written) } else { written.clone() }
    }

    fn star_name(&self, source: usize, written: &str) -> String {
        match self.joined() {
            true => format!("{}_{written}", self.known[source].qualifier),
            false => written.to_string(),
        }
    }

    /// Whether a column of the plan is a time that the system gives: ROWTIME or a window's bound.
    pub fn is_system_time(&self, column: &str) -> bool {
        let own = |name: &str| matches!(name, "ROWTIME" | "WINDOWSTART" | "WINDOWEND");
        match self.place(column) {
            Some((source, index)) => own(&self.known[source].columns[index].written),
            None => own(column),
        }
    }

    /// The columns of `*`: of each source the key, the bounds of windows if `windows` says so, the values; before all a
    /// key that a join has made.
    pub fn star(&self, windows: bool) -> Vec<StarColumn> {
        let made =
            self.synthetic.iter().map(|name| StarColumn { source: None, column: name.clone(), name: name.clone() });
        let own = (0..self.known.len()).flat_map(|number| {
            if let Some(listed) = &self.known[number].listed {
                return self.star_columns(number, listed.clone());
            }
            let source = self.source(number);
            let (keys, values): (Vec<_>, Vec<_>) =
                source.columns.iter().partition(|column| column.role == ColumnRole::Key);
            let bounds: &[&str] = if source.window.is_some() && windows { &["WINDOWSTART", "WINDOWEND"] } else { &[] };
            let name = |column: &Column| column.name.clone();
            let bounds = bounds.iter().map(ToString::to_string);
            let all = keys.into_iter().map(name).chain(bounds).chain(values.into_iter().map(name));
            self.star_columns(number, all.collect())
        });
        made.chain(own).collect()
    }

    /// Columns of a source, given as it names them, as columns of `*`.
    pub fn star_columns(&self, number: usize, written: Vec<String>) -> Vec<StarColumn> {
        let column = |written: String| {
            let name = self.star_name(number, &written);
            self.column(number, &written).map(|column| StarColumn {
                source: Some(number),
                column: column.to_string(),
                name,
            })
        };
        written.into_iter().filter_map(column).collect()
    }

    /// Names that those made for results must not meet.
    pub fn taken(&self) -> Vec<String> {
        let columns = self.known.iter().flat_map(|known| &known.columns);
        columns.flat_map(|known| [known.written.clone(), known.column.clone()]).collect()
    }
}

impl Known {
    fn has(&self, column: &str) -> bool {
        has(&self.columns, column)
    }
}

fn has(columns: &[KnownColumn], column: &str) -> bool {
    columns.iter().any(|known| known.column == column)
}

/// The alias of an item of FROM, or its name. A query alone needs none.
fn name_of(item: &FromItem, joined: bool) -> Result<Ident> {
    match (item.alias.as_ref().or(item.name()), joined) {
        (Some(name), _) => Ok(name.clone()),
        (None, false) => Ok(Ident { at: item.at, ..Ident::new("SUBQUERY") }),
        (None, true) => Err(messages::subqueries::unnamed().at(item.at)),
    }
}

/// The stream or table that an item of FROM names.
fn expect_source(item: &FromItem, around: &Surroundings) -> Result<Arc<Source>> {
    let Some(name) = item.name() else { return Err(Error::internal("a query in FROM has no rows")) };
    around.catalog.expect_source(&name.text).cloned().map_err(|error| match nearest(&name.text, around.names()) {
        Some(other) => messages::names::near_name_of_with(error, other).at(name.at),
        None => error.at(name.at),
    })
}

/// Each source must have a name of its own.
fn check_qualifier(known: &[Known], item: &FromItem, qualifier: &Ident) -> Result<()> {
    if known.iter().any(|known| known.qualifier == qualifier.text) {
        return Err(messages::names::same_qualifier(&qualifier.text, item.alias.is_some()).at(qualifier.at));
    }
    Ok(())
}
