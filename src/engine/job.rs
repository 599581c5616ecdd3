//! A job: a script of definitions and persistent queries that runs until it is stopped, or through what is there.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::{Drive, Engine, Face, QueryState, Session, settings};
use crate::error::{Error, Result};
use crate::sql;
use crate::sql::ast::Statement;
use crate::time::now;

/// A running job.
pub struct Job {
    engine: Engine,
    /// Its queries, in the order of the script.
    queries: Vec<String>,
    until_end: bool,
    /// Queries that were told to stop at the end of their sources.
    bounded: parking_lot::Mutex<Vec<String>>,
}

/// How far a query of a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryProgress {
    pub id: String,
    pub rows_in: u64,
    pub rows_out: u64,
    pub late: u64,
    pub bad: u64,
    pub lag: u64,
    /// `RUNNING`, `BLOCKED: reason`, ...
    pub state: QueryState,
}

impl Job {
    /// Makes what the script states (what stands already as written is left alone) and lets its queries run.
    ///
    /// Errors: a statement that has no place in a job, or that differs from what stands; with its place in the text.
    pub fn start(
        engine: &Engine,
        text: &str,
        properties: &BTreeMap<String, String>,
        variables: &BTreeMap<String, String>,
        until_end: bool,
    ) -> Result<Job> {
        engine.start();
        let mut session = Session { properties: BTreeMap::new(), variables: variables.clone() };
        for (name, value) in properties {
            let setting = settings::check(name, value)?;
            session.properties.insert(setting.name.to_string(), value.clone());
        }
        let text = sql::substitute(text, variables)?;
        let statements = sql::parse(&text)?;
        for parsed in &statements {
            check_allowed(&parsed.statement).map_err(|error| error.at(parsed.at))?;
        }
        let mut queries = Vec::new();
        let mut inserts: BTreeMap<String, usize> = BTreeMap::new();
        for parsed in &statements {
            let standing = standing(engine, parsed, &mut inserts).map_err(|error| error.at(parsed.at))?;
            match standing {
                Standing::Same(query) => queries.extend(query),
                Standing::Absent => {
                    let reply = engine.execute(&mut session, &parsed.text).map_err(|error| shift(error, parsed.at))?;
                    if let crate::engine::Reply::Done(status) = reply {
                        queries.extend(status.query_id);
                    }
                }
            }
        }
        if queries.is_empty() {
            return Err(Error::statement("The script has no persistent query: there is nothing to run.")
                .hint("add CREATE ... AS SELECT or INSERT INTO ... SELECT, or use -f for other statements"));
        }
        Ok(Job { engine: engine.clone(), queries, until_end, bounded: parking_lot::Mutex::default() })
    }

    pub fn progress(&self) -> Vec<QueryProgress> {
        let Drive::Threads(handles) = &self.engine.inner.drive else { return Vec::new() };
        let handles = handles.lock();
        self.queries
            .iter()
            .filter_map(|id| handles.get(id))
            .map(|handle| {
                let counters = &handle.counters;
                QueryProgress {
                    id: handle.id.clone(),
                    rows_in: counters.rows_in.load(Ordering::Relaxed),
                    rows_out: counters.rows_out.load(Ordering::Relaxed),
                    late: counters.late.load(Ordering::Relaxed),
                    bad: counters.bad.load(Ordering::Relaxed),
                    lag: counters.lag.load(Ordering::Relaxed).max(0) as u64,
                    state: handle.state.lock().clone(),
                }
            })
            .collect()
    }

    /// Waits at most `timeout`. Some: it ended by itself, well or because a query failed.
    pub fn wait(&self, timeout: Duration) -> Option<Result<()>> {
        let until = now() + timeout;
        loop {
            if let Some(ended) = self.ended() {
                return Some(ended);
            }
            let left = until.saturating_duration_since(now());
            if left.is_zero() {
                return None;
            }
            std::thread::sleep(left.min(Duration::from_millis(5)));
        }
    }

    fn ended(&self) -> Option<Result<()>> {
        let states: BTreeMap<String, QueryState> =
            self.progress().into_iter().map(|query| (query.id, query.state)).collect();
        for (id, state) in &states {
            if let QueryState::Failed(reason) = state {
                return Some(Err(Error::world(format!("query {id} stopped: {reason}"))));
            }
        }
        if !self.until_end {
            return None;
        }
        self.bound(&states);
        let done = self.queries.iter().all(|id| states.get(id) == Some(&QueryState::Finished));
        done.then_some(Ok(()))
    }

    /// Tells the queries whose sources are complete to stop at their ends: those that read what no other query of the job
    /// writes, then those that read what finished ones wrote.
    fn bound(&self, states: &BTreeMap<String, QueryState>) {
        let catalog = self.engine.catalog();
        let Drive::Threads(handles) = &self.engine.inner.drive else { return };
        let handles = handles.lock();
        let mut bounded = self.bounded.lock();
        for id in &self.queries {
            if bounded.contains(id) {
                continue;
            }
            let Some(query) = catalog.query(id) else { continue };
            let topic = |name: &str| catalog.source(name).map(|source| source.topic.clone());
            let reads: Vec<Option<String>> = query.sources.iter().map(|name| topic(name)).collect();
            let waits = self.queries.iter().filter(|other| *other != id).any(|other| {
                let writes = catalog.query(other).and_then(|other| topic(&other.sink));
                reads.contains(&writes) && states.get(other) != Some(&QueryState::Finished)
            });
            if !waits && let Some(handle) = handles.get(id) {
                handle.orders.until_end.store(true, Ordering::Relaxed);
                handle.signal.ring();
                bounded.push(id.clone());
            }
        }
    }

    /// Commits and stops.
    pub fn stop(&mut self) -> Result<()> {
        self.engine.shutdown();
        Ok(self.engine.log().sync()?)
    }
}

fn check_allowed(statement: &Statement) -> Result<()> {
    let hint = "a job takes definitions, persistent queries and SET; use `millpond -f FILE` for the rest";
    match statement {
        Statement::CreateSource { .. }
        | Statement::CreateAs { .. }
        | Statement::InsertSelect { .. }
        | Statement::CreateType { .. }
        | Statement::Set { .. }
        | Statement::Unset { .. }
        | Statement::Define { .. }
        | Statement::Undefine { .. } => Ok(()),
        Statement::InsertValues { .. } => {
            Err(Error::statement("INSERT INTO ... VALUES has no place in a job.").hint(hint))
        }
        Statement::Select(_) => Err(Error::statement("A SELECT of its own has no place in a job.").hint(hint)),
        _ => Err(Error::statement("This statement has no place in a job.").hint(hint)),
    }
}

enum Standing {
    /// It stands as written: the query it started, if it is one.
    Same(Option<String>),
    Absent,
}

/// What of a statement stands already.
fn standing(
    engine: &Engine,
    parsed: &crate::sql::ast::ParsedStatement,
    inserts: &mut BTreeMap<String, usize>,
) -> Result<Standing> {
    let catalog = engine.catalog();
    let canonical =
        |text: &str| sql::parse(text).ok().and_then(|mut parsed| parsed.pop()).map(|parsed| parsed.statement);
    let (name, replace) = match &parsed.statement {
        Statement::CreateSource { name, if_exists, .. } | Statement::CreateAs { name, if_exists, .. } => {
            (name, *if_exists != sql::ast::IfExists::Fail)
        }
        Statement::InsertSelect { .. } => {
            let text = sql::format::statement(&parsed.statement);
            let same: Vec<String> = catalog
                .queries()
                .filter(|query| canonical(&query.statement).as_ref() == Some(&parsed.statement))
                .map(|query| query.id.clone())
                .collect();
            let mut same = in_order(same);
            let number = inserts.entry(text).or_default();
            *number += 1;
            return Ok(match (*number <= same.len()).then(|| same.swap_remove(*number - 1)) {
                Some(id) => Standing::Same(Some(id)),
                None => Standing::Absent,
            });
        }
        Statement::CreateType { name, ty, .. } => {
            let custom = |name: &str| catalog.custom_type(name).cloned();
            return match catalog.custom_type(&name.text) {
                None => Ok(Standing::Absent),
                Some(there) if *there == crate::expr::to_sql_type(ty, &custom)? => Ok(Standing::Same(None)),
                Some(there) => Err(Error::statement(format!("type {} stands already, as {there}", name.text))),
            };
        }
        _ => return Ok(Standing::Absent),
    };
    let Some(source) = catalog.source(&name.text) else { return Ok(Standing::Absent) };
    if canonical(&source.statement).as_ref() == Some(&parsed.statement) {
        return Ok(Standing::Same(source.query_id.clone()));
    }
    if replace {
        return Ok(Standing::Absent);
    }
    Err(Error::statement(format!(
        "{} stands already, but differs.\n  standing: {}\n  script:   {}",
        name.text,
        source.statement.split_whitespace().collect::<Vec<_>>().join(" "),
        parsed.text.split_whitespace().collect::<Vec<_>>().join(" ")
    ))
    .hint("write CREATE OR REPLACE, or DROP it first"))
}

/// Ids by the number at their end.
fn in_order(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_by_key(|id| (id.rsplit('_').next().and_then(|number| number.parse::<u64>().ok()), id.clone()));
    ids
}

/// An error's place within a statement, as a place in the script.
fn shift(mut error: Error, start: crate::sql::ast::Location) -> Error {
    error.at = Some(match error.at {
        None => start,
        Some(at) if at.line <= 1 => {
            crate::sql::ast::Location { line: start.line, column: start.column + at.column.saturating_sub(1) }
        }
        Some(at) => crate::sql::ast::Location { line: start.line + at.line - 1, column: at.column },
    });
    error
}
