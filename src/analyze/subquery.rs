//! Queries in FROM: what another query reads of them, and UNION ALL.
//!
//! The rows of a query are read as those of a source that has no topic: its SELECT list names the columns, their key is that of a
//! stream or table made of it, ROWTIME and the bounds of windows are there. A key column that isn't in the list goes along
//! unseen.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::analyze::builder::{Builder, Target};
use crate::catalog::{Catalog, Column, ColumnRole, Source, SourceKind, SourceWindow};
use crate::error::{Error, Result};
use crate::expr::Typed;
use crate::format::{Format, Layout};
use crate::messages;
use crate::plan::{Exchange, Project, PseudoColumns, Rekey, ResultKind, Schema, SchemaColumn, Stage, StageInput, Step};
use crate::sql::ast::{self, FromItem, FromRows, Ident, Location};
use crate::types::SqlType;

/// What a query is analyzed with.
#[derive(Clone)]
pub(super) struct Surroundings<'a> {
    pub catalog: &'a Catalog,
    pub settings: &'a BTreeMap<String, String>,
    /// The names that WITH gives, the innermost first.
    named: Option<Rc<NamedQuery<'a>>>,
}

struct NamedQuery<'a> {
    name: &'a str,
    query: &'a ast::Query,
    /// The names that it can read itself.
    before: Option<Rc<NamedQuery<'a>>>,
}

impl<'a> Surroundings<'a> {
    pub fn new(catalog: &'a Catalog, settings: &'a BTreeMap<String, String>) -> Self {
        Surroundings { catalog, settings, named: None }
    }

    /// These with the names of a query's WITH.
    ///
    /// Errors: one of them is there twice.
    pub fn with(&self, query: &'a ast::Query) -> Result<Surroundings<'a>> {
        let mut inner = self.clone();
        for (number, table) in query.with.iter().enumerate() {
            if query.with[..number].iter().any(|other| other.name.text == table.name.text) {
                return Err(messages::subqueries::name_twice(&table.name.text).at(table.name.at));
            }
            let named = NamedQuery { name: &table.name.text, query: &table.query, before: inner.named.take() };
            inner.named = Some(Rc::new(named));
        }
        Ok(inner)
    }

    /// The query that a name stands for, and what it is analyzed with.
    fn find(&self, name: &str) -> Option<(&'a ast::Query, Surroundings<'a>)> {
        let mut next = self.named.as_ref();
        while let Some(named) = next {
            if named.name == name {
                return Some((named.query, Surroundings { named: named.before.clone(), ..self.clone() }));
            }
            next = named.before.as_ref();
        }
        None
    }

    /// The names that WITH gives here.
    pub fn names(&self) -> Vec<&'a str> {
        let mut names = Vec::new();
        let mut next = self.named.as_ref();
        while let Some(named) = next {
            names.push(named.name);
            next = named.before.as_ref();
        }
        names
    }
}

/// What a query gives, before it is somebody's. Its last stage is open: more steps can be added.
pub(super) struct Rows {
    pub schema: Schema,
    pub result: ResultKind,
    /// Of the windows in the rows' keys.
    pub window: Option<SourceWindow>,
    /// How the key places the rows.
    pub layout: Layout,
    /// The streams and tables that it reads, those of queries in FROM included.
    pub sources: Vec<Arc<Source>>,
    /// The columns of the SELECT list, in its order.
    pub listed: Vec<String>,
}

/// A query in FROM, as a source without a topic.
pub(super) struct Derived {
    pub source: Arc<Source>,
    pub stage: Stage,
    /// The columns of `source`, then the pseudo columns.
    pub schema: Schema,
    pub listed: Vec<String>,
    /// The streams and tables that it reads.
    pub sources: Vec<Arc<Source>>,
}

/// Names of key columns that aren't in the SELECT list of a query in FROM begin so.
const HIDDEN: &str = "KSQL_INTERNAL_HIDDEN_KEY_";

pub(super) fn hidden_key(number: usize) -> String {
    format!("{HIDDEN}{number}")
}

pub(super) fn is_hidden(column: &str) -> bool {
    column.starts_with(HIDDEN)
}

/// The rows of an item of FROM if it is a query or the name of one, as the source `name`. Stages that are done go to `stages`.
pub(super) fn derive<'a>(
    item: &'a FromItem,
    name: &Ident,
    around: &Surroundings<'a>,
    stages: &mut Vec<Stage>,
) -> Result<Option<Derived>> {
    let (query, around) = match &item.rows {
        FromRows::Query(query) => (&**query, around.clone()),
        FromRows::Named(name) => match around.find(&name.text) {
            Some(found) => found,
            None => return Ok(None),
        },
    };
    if query.limit.is_some() {
        return Err(messages::subqueries::limit_inside().at(item.at));
    }
    let (rows, stage) = open_rows(query, &around, stages)?;
    Ok(Some(as_source(rows, stage, &name.text)))
}

/// The rows of a query for another one, and the stage that gives them.
fn open_rows<'a>(query: &'a ast::Query, around: &Surroundings<'a>, stages: &mut Vec<Stage>) -> Result<(Rows, Stage)> {
    if !query.union.is_empty() {
        return unite(query, around, stages);
    }
    let builder = Builder::new(query, around, Target::Subquery, std::mem::take(stages))?;
    let (rows, mut made) = builder.rows()?;
    let stage = made.pop().ok_or_else(|| Error::internal("a query without a stage"))?;
    *stages = made;
    Ok((rows, stage))
}

fn as_source(rows: Rows, mut stage: Stage, name: &str) -> Derived {
    let Rows { mut schema, result, window, layout, sources, listed } = rows;
    let role = |number: usize| if number < schema.keys { ColumnRole::Key } else { ColumnRole::Value };
    let columns: Vec<Column> = schema
        .columns
        .iter()
        .enumerate()
        .map(|(number, column)| Column { name: column.name.clone(), ty: column.ty.clone(), role: role(number) })
        .collect();
    let window = match result {
        ResultKind::Stream => window,
        ResultKind::Table { windowed } => windowed,
    };
    let columns_before = schema.columns.len();
    stage.steps.push(Step::PseudoColumns(PseudoColumns { columns: columns_before, windowed: window.is_some() }));
    let bounds: &[&str] = if window.is_some() { &["WINDOWSTART", "WINDOWEND"] } else { &[] };
    let pseudo = std::iter::once("ROWTIME").chain(bounds.iter().copied());
    schema.columns.extend(pseudo.map(|name| SchemaColumn { name: name.to_string(), ty: SqlType::Bigint }));
    let source = Source {
        name: name.to_string(),
        kind: match result {
            ResultKind::Stream => SourceKind::Stream,
            ResultKind::Table { .. } => SourceKind::Table,
        },
        columns,
        topic: String::new(),
        key: layout,
        // Its rows are in no format: nothing that one of them can't do is asked of it.
        value: Layout { format: Format::Json, delimiter: ',', columns: Vec::new(), wrapped: true },
        wrap_single_value: None,
        timestamp: None,
        versions_retention_ms: None,
        window,
        is_source: false,
        statement: String::new(),
        query_id: None,
    };
    Derived { source: Arc::new(source), stage, schema, listed, sources }
}

/// One of the queries of a union.
struct Part {
    rows: Rows,
    stage: Stage,
    at: Location,
}

impl Part {
    /// The column at some place of the SELECT list: its number and type.
    fn listed(&self, place: usize) -> Option<(usize, &SqlType)> {
        let name = self.rows.listed.get(place)?;
        let column = self.rows.schema.columns.iter().position(|column| column.name == *name)?;
        Some((column, &self.rows.schema.columns[column].ty))
    }

    /// Of each key column its type and its place in the SELECT list, if it is there.
    fn keys(&self) -> Vec<(&SqlType, Option<usize>)> {
        let keys = self.rows.schema.columns[..self.rows.schema.keys].iter();
        keys.map(|key| (&key.ty, self.rows.listed.iter().position(|name| *name == key.name))).collect()
    }
}

/// UNION ALL. The columns are known by the names that the first query gives them, and have a type that all can widen to. The
/// rows have a key if all queries have it at the same place of their lists.
fn unite<'a>(query: &'a ast::Query, around: &Surroundings<'a>, stages: &mut Vec<Stage>) -> Result<(Rows, Stage)> {
    let around = around.with(query)?;
    let mut parts: Vec<Part> = Vec::with_capacity(1 + query.union.len());
    for (number, part) in std::iter::once(query).chain(&query.union).enumerate() {
        // What belongs to all of them is not the first one's.
        let alone = ast::Query { with: Vec::new(), union: Vec::new(), emit: None, limit: None, ..part.clone() };
        let (rows, stage) = open_rows(&alone, &around, stages)?;
        let part = Part { rows, stage, at: part.items_at() };
        check_part(&part, parts.first(), number)?;
        parts.push(part);
    }
    let types = common_types(&parts)?;
    let keys = parts[0].keys();
    let keyed = parts.iter().all(|part| part.keys() == keys);
    let key_places: Vec<Option<usize>> =
        if keyed { keys.into_iter().map(|(_, place)| place).collect() } else { Vec::new() };
    let names = parts[0].rows.listed.clone();
    let layout = parts[0].rows.layout.clone();
    let mut schema = Schema { columns: Vec::new(), keys: key_places.len() };
    let mut sides = Vec::with_capacity(parts.len());
    let mut sources: Vec<Arc<Source>> = Vec::new();
    for mut part in parts {
        let project = project(&part, &key_places, &names, &types)?;
        schema.columns = project_schema(&project)?;
        part.stage.steps.push(Step::Project(project));
        if !key_places.is_empty() && !places_alike(&part.rows.layout, &layout) {
            // Its rows lie elsewhere than those of the first one with the same key.
            let types = schema.columns.iter().map(|column| column.ty.clone()).collect();
            let input = StageInput::Exchange(Exchange { from: stages.len(), key: layout.clone(), types });
            stages.push(std::mem::replace(&mut part.stage, Stage { input, steps: Vec::new() }));
        }
        sources.append(&mut part.rows.sources);
        sides.push(part.stage);
    }
    let stage = Stage { input: StageInput::Union(sides), steps: Vec::new() };
    Ok((Rows { schema, result: ResultKind::Stream, window: None, layout, sources, listed: names }, stage))
}

/// Whether rows with the same key lie in the same partition by both. Only a key of several columns has their names in its bytes.
fn places_alike(one: &Layout, other: &Layout) -> bool {
    let names = one.columns.len() == 1 || one.columns == other.columns;
    names && (one.format, one.delimiter, one.wrapped) == (other.format, other.delimiter, other.wrapped)
}

/// `first`: the query that it is united with.
fn check_part(part: &Part, first: Option<&Part>, number: usize) -> Result<()> {
    if part.rows.result != ResultKind::Stream {
        return Err(messages::subqueries::union_of_tables().at(part.at));
    }
    if part.rows.window.is_some() {
        return Err(messages::subqueries::union_of_windowed().at(part.at));
    }
    let Some(first) = first else { return Ok(()) };
    let (columns, expected) = (part.rows.listed.len(), first.rows.listed.len());
    if columns == expected {
        return Ok(());
    }
    Err(messages::subqueries::union_of_other_count(&first.rows.listed, number + 1, columns).at(part.at))
}

/// Of each column of the list the type that those of all queries widen to.
fn common_types(parts: &[Part]) -> Result<Vec<SqlType>> {
    let mut types: Vec<SqlType> = Vec::new();
    for (place, name) in parts[0].rows.listed.iter().enumerate() {
        let mut common: Option<SqlType> = None;
        for part in parts {
            let Some((_, ty)) = part.listed(place) else {
                return Err(Error::internal("a column of a SELECT list is none of its rows"));
            };
            let widens = |from: &SqlType, to: &SqlType| Typed::column(0, from.clone()).coerce(to).is_ok();
            common = Some(match common {
                None => ty.clone(),
                Some(common) if widens(ty, &common) => common,
                Some(common) if widens(&common, ty) => ty.clone(),
                Some(common) => {
                    return Err(messages::subqueries::union_of_types(&common, ty, place + 1, name).at(part.at));
                }
            });
        }
        types.extend(common);
    }
    Ok(types)
}

/// The rows of one of the queries as those of the union: the key columns, then the others of the list.
fn project(part: &Part, keys: &[Option<usize>], names: &[String], types: &[SqlType]) -> Result<Project> {
    let own = &part.rows.schema;
    let column = |number: usize| Typed::column(number, own.columns[number].ty.clone());
    let mut project = Project { keys: Vec::new(), values: Vec::new(), names: Vec::new(), rekey: Rekey::Keep };
    for (number, place) in keys.iter().enumerate() {
        project.keys.push(column(number));
        project.names.push(place.map_or_else(|| hidden_key(number), |place| names[place].clone()));
    }
    for (place, ty) in types.iter().enumerate().filter(|(place, _)| !keys.contains(&Some(*place))) {
        let Some((number, _)) = part.listed(place) else { continue };
        project.values.push(column(number).coerce(ty)?);
        project.names.push(names[place].clone());
    }
    if keys.is_empty() && own.keys > 0 {
        project.rekey = Rekey::PartitionBy;
    }
    Ok(project)
}

fn project_schema(project: &Project) -> Result<Vec<SchemaColumn>> {
    let made = project.keys.iter().chain(&project.values).zip(&project.names);
    made.map(|(typed, name)| Ok(SchemaColumn { name: name.clone(), ty: typed.known_type()?.clone() })).collect()
}
