//! The sources of a query, and the names by which their columns are known in it.

use std::sync::Arc;

use crate::analyze::items::first_free;
use crate::analyze::rewrite;
use crate::analyze::scope::scan_schema;
use crate::analyze::source::WINDOW_COLUMNS;
use crate::catalog::{Catalog, Column, ColumnRole, Source, SourceKind};
use crate::error::{Error, Result};
use crate::nearest::nearest;
use crate::plan::Schema;
use crate::sql::ast::{Expr, ExprKind, Ident, NamedSource, Query};
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
    /// The columns of its scan.
    columns: Vec<KnownColumn>,
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
    pub fn of(query: &Query, catalog: &Catalog) -> Result<Names> {
        let from = &query.from;
        let mut known: Vec<Known> = Vec::with_capacity(1 + from.joins.len());
        let joined = !from.joins.is_empty();
        for named in std::iter::once(&from.first).chain(from.joins.iter().map(|join| &join.source)) {
            let source = catalog.expect_source(&named.name.text).map_err(|error| error.at(named.name.at))?.clone();
            check_name(&known, named, &source)?;
            let qualifier = named.alias.as_ref().unwrap_or(&named.name).text.clone();
            let mut columns: Vec<KnownColumn> = Vec::new();
            for written in scan_schema(&source).columns.into_iter().map(|column| column.name) {
                let taken = |name: &String| known.iter().any(|known| known.has(name)) || has(&columns, name);
                let column =
                    if joined { first_free(&format!("{qualifier}_{written}"), taken) } else { written.clone() };
                columns.push(KnownColumn { written, column });
            }
            known.push(Known { qualifier, source, columns });
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

    /// Each once.
    pub fn distinct_sources(&self) -> Vec<Arc<Source>> {
        let mut distinct: Vec<Arc<Source>> = Vec::with_capacity(self.known.len());
        for source in self.sources() {
            if !distinct.iter().any(|other| other.name == source.name) {
                distinct.push(source.clone());
            }
        }
        distinct
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
        let mut schema = scan_schema(&known.source);
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
                Err(Error::statement(format!("Column '{}' is ambiguous.", name.text))
                    .hint(format!("Could be {}.", candidates.join(" or ")))
                    .at(name.at))
            }
        }
    }

    /// The number of the source that a qualifier stands for.
    pub fn qualified_source(&self, qualifier: &Ident) -> Result<usize> {
        self.known.iter().position(|known| known.qualifier == qualifier.text).ok_or_else(|| {
            let there: Vec<&str> = self.known.iter().map(|known| known.qualifier.as_str()).collect();
            let hint = match self.known.iter().find(|known| known.source.name == qualifier.text) {
                Some(known) => format!("{} is known as {} here.", known.source.name, known.qualifier),
                None => format!("FROM has {}.", there.join(" and ")),
            };
            Error::statement(format!("'{}' is not a valid stream/table name or alias.", qualifier.text))
                .hint(hint)
                .at(qualifier.at)
        })
    }

    fn unresolved(&self, source: Option<usize>, name: &Ident) -> Error {
        let (written, known) = match source {
            Some(source) => (format!("{}.{}", self.known[source].qualifier, name.text), &self.known[source..=source]),
            None => (name.text.clone(), self.known.as_slice()),
        };
        if self.joined() && WINDOW_COLUMNS.contains(&name.text.as_str()) {
            return Error::statement(format!("Column '{written}' cannot be resolved."))
                .hint("the rows of a join have no windows; those of a GROUP BY with a WINDOW clause do")
                .at(name.at);
        }
        let names = known.iter().flat_map(|known| &known.columns).map(|known| known.written.as_str());
        did_you_mean(Error::statement(format!("Column '{written}' cannot be resolved.")).at(name.at), name, names)
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

/// Each source must have a name of its own.
fn check_name(known: &[Known], named: &NamedSource, source: &Source) -> Result<()> {
    // Positions are those of a topic: two readers of one would have one position.
    if let Some(other) =
        known.iter().find(|known| known.source.topic == source.topic && known.source.name != source.name)
    {
        let (topic, other) = (&source.topic, &other.source.name);
        let kind = match source.kind {
            SourceKind::Stream => "STREAM",
            SourceKind::Table => "TABLE",
        };
        return Err(Error::statement(format!(
            "Can not join '{other}' to '{}': both read topic '{topic}'.",
            source.name
        ))
        .hint(format!("make a copy of one of them: CREATE {kind} ... AS SELECT * FROM {}", source.name))
        .at(named.name.at));
    }
    let qualifier = named.alias.as_ref().unwrap_or(&named.name);
    if known.iter().any(|known| known.qualifier == qualifier.text) {
        return Err(Error::statement(format!("There are two sources with the name or alias '{}'.", qualifier.text))
            .hint(match named.alias {
                Some(_) => "give one of them another alias".to_string(),
                None => format!("give one of them an alias: {0} other ON {0}.... = other....", qualifier.text),
            })
            .at(qualifier.at));
    }
    Ok(())
}

/// Adds the nearest of the names to an error about an unknown one.
pub(super) fn did_you_mean<'a>(error: Error, name: &Ident, names: impl Iterator<Item = &'a str>) -> Error {
    match nearest(&name.text, names) {
        Some(other) if other.eq_ignore_ascii_case(&name.text) => {
            error.hint(format!("Did you mean `{other}`? Names in back-ticks keep their case."))
        }
        Some(other) => error.hint(format!("Did you mean {other}?")),
        None => error,
    }
}
