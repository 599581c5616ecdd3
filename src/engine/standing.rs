//! What of a job's script stands in the catalog already. Pure: doesn't carry anything out.

use std::collections::BTreeMap;

use crate::catalog::{Catalog, QueryEntry, Source};
use crate::error::Result;
use crate::expr;
use crate::messages;
use crate::sql;
use crate::sql::ast::{IfExists, ParsedStatement, Statement};

/// What is to be done with a statement.
#[derive(Debug, PartialEq)]
pub(super) enum Standing {
    /// Nothing: it stands as written. The query it started, if it is one.
    Same(Option<String>),
    /// It is to be carried out: nothing stands in its place, or it says OR REPLACE.
    Absent,
}

/// How many times each INSERT INTO ... SELECT was seen so far, by its text.
#[derive(Debug, Clone, Default)]
pub(super) struct StandingInserts {
    seen: BTreeMap<String, usize>,
}

/// Finds a statement in the catalog.
///
/// Errors: something else stands under its name, or its query runs with other settings; the difference is shown.
pub(super) fn standing(
    catalog: &Catalog,
    parsed: &ParsedStatement,
    properties: &BTreeMap<String, String>,
    inserts: &mut StandingInserts,
) -> Result<Standing> {
    match &parsed.statement {
        Statement::CreateSource { name, if_exists, .. } | Statement::CreateAs { name, if_exists, .. } => {
            match catalog.source(&name.text) {
                None => Ok(Standing::Absent),
                Some(source) => standing_source(catalog, source, *if_exists, parsed, properties),
            }
        }
        Statement::InsertSelect { .. } => standing_insert(catalog, parsed, properties, inserts),
        Statement::CreateType { name, ty, if_exists } => {
            let custom = |name: &str| catalog.custom_type(name).cloned();
            match catalog.custom_type(&name.text) {
                None => Ok(Standing::Absent),
                Some(_) if *if_exists == IfExists::Skip => Ok(Standing::Same(None)),
                Some(there) => {
                    let stated = expr::to_sql_type(ty, &custom)?;
                    if *there == stated {
                        return Ok(Standing::Same(None));
                    }
                    Err(messages::statements::type_stands_otherwise(&name.text, there, &stated))
                }
            }
        }
        _ => Ok(Standing::Absent),
    }
}

fn standing_source(
    catalog: &Catalog,
    source: &Source,
    if_exists: IfExists,
    parsed: &ParsedStatement,
    properties: &BTreeMap<String, String>,
) -> Result<Standing> {
    let query = source.query_id.as_ref().map(|id| (id, catalog.query(id)));
    let same = canonical(&source.statement) == Some(plain(parsed.statement.clone()));
    if if_exists == IfExists::Replace {
        let goes_on = match query {
            None => true,
            Some((_, entry)) => entry.is_some_and(|entry| entry.properties == *properties),
        };
        return Ok(if same && goes_on { Standing::Same(source.query_id.clone()) } else { Standing::Absent });
    }
    if !same && if_exists != IfExists::Skip {
        return Err(messages::statements::stands_otherwise(&source.name, &source.statement, &parsed.text));
    }
    match query {
        None => Ok(Standing::Same(None)),
        Some((id, None)) => Err(messages::statements::stands_without_query(&source.name, id)),
        Some((id, Some(entry))) => {
            check_settings(entry, properties)?;
            Ok(Standing::Same(Some(id.clone())))
        }
    }
}

/// The first of two identical INSERTs is the one that was started first, and so on.
fn standing_insert(
    catalog: &Catalog,
    parsed: &ParsedStatement,
    properties: &BTreeMap<String, String>,
    inserts: &mut StandingInserts,
) -> Result<Standing> {
    let stated = plain(parsed.statement.clone());
    let mut same: Vec<&QueryEntry> =
        catalog.queries().filter(|query| canonical(&query.statement).as_ref() == Some(&stated)).collect();
    same.sort_by_key(|query| (number(&query.id), query.id.clone()));
    let seen = inserts.seen.entry(sql::format::statement(&stated)).or_default();
    *seen += 1;
    match same.get(*seen - 1) {
        None => Ok(Standing::Absent),
        Some(entry) => {
            check_settings(entry, properties)?;
            Ok(Standing::Same(Some(entry.id.clone())))
        }
    }
}

/// The settings that were in force when a query was made hold for its life.
fn check_settings(entry: &QueryEntry, properties: &BTreeMap<String, String>) -> Result<()> {
    if entry.properties == *properties {
        return Ok(());
    }
    let shown = |properties: &BTreeMap<String, String>, others: &BTreeMap<String, String>| {
        let own: Vec<String> = properties
            .iter()
            .filter(|(name, value)| others.get(*name) != Some(*value))
            .map(|(name, value)| format!("SET '{name}' = '{value}'"))
            .collect();
        if own.is_empty() { "the default".to_string() } else { own.join("; ") }
    };
    let (standing, stated) = (shown(&entry.properties, properties), shown(properties, &entry.properties));
    Err(messages::statements::stands_with_other_settings(&entry.id, &standing, &stated))
}

fn canonical(text: &str) -> Option<Statement> {
    Some(plain(sql::parse(text).ok()?.pop()?.statement))
}

/// Whether a statement says OR REPLACE or IF NOT EXISTS is no part of what it makes.
fn plain(mut statement: Statement) -> Statement {
    if let Statement::CreateSource { if_exists, .. } | Statement::CreateAs { if_exists, .. } = &mut statement {
        *if_exists = IfExists::Fail;
    }
    statement
}

/// The number at the end of a query's id.
fn number(id: &str) -> Option<u64> {
    id.rsplit('_').next().and_then(|number| number.parse().ok())
}
