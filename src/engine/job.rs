//! A job: a script of definitions and persistent queries that runs until it is stopped, or through what is there.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::standing::{Standing, StandingInserts, standing};
use crate::engine::{Drive, Engine, Face, QueryState, Reply, Session, settings, statement};
use crate::error::{Error, Result};
use crate::sql;
use crate::sql::ast::{Location, ParsedStatement, Statement};
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
            settings::set(&mut session.properties, name, value)?;
        }
        let statements = read(text, session.clone())?;
        let mut queries = Vec::new();
        let mut inserts = StandingInserts::default();
        for parsed in &statements {
            let catalog = engine.catalog();
            let stands = standing(&catalog, parsed, &session.properties, &mut inserts);
            match stands.map_err(|error| error.at(parsed.at))? {
                Standing::Same(query) => queries.extend(query),
                Standing::Absent => {
                    let reply = statement::run(&engine.inner, &mut session, parsed);
                    if let Reply::Done(status) = reply.map_err(|error| error.at(parsed.at))? {
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

    /// How far the queries are that the catalog still has.
    pub fn progress(&self) -> Vec<QueryProgress> {
        let Drive::Threads(handles) = &self.engine.inner.drive else { return Vec::new() };
        let progress = |id: &String| {
            let state = self.engine.query_state(id)?;
            let handles = handles.lock();
            let counters = handles.get(id).map(|handle| handle.counters.clone()).unwrap_or_default();
            Some(QueryProgress {
                id: id.clone(),
                rows_in: counters.rows_in.load(Ordering::Relaxed),
                rows_out: counters.rows_out.load(Ordering::Relaxed),
                late: counters.late.load(Ordering::Relaxed),
                bad: counters.bad.load(Ordering::Relaxed),
                lag: counters.lag.load(Ordering::Relaxed).max(0) as u64,
                state,
            })
        };
        self.queries.iter().filter_map(progress).collect()
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
        // One that was terminated meanwhile holds nobody up.
        let state = |id: &String| (id.clone(), self.engine.query_state(id).unwrap_or(QueryState::Finished));
        let states: BTreeMap<String, QueryState> = self.queries.iter().map(state).collect();
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

/// The statements of a script, variables put in as its DEFINEs go along; all must have a place in a job.
fn read(text: &str, mut session: Session) -> Result<Vec<ParsedStatement>> {
    // The last statement's `;` may be missing.
    let text = format!("{text}\n;");
    let mut statements = Vec::new();
    for (text, at) in sql::split(&text).statements {
        let substitute = settings::value(&session.properties, "ksql.variable.substitution.enable") == "true";
        let text = if substitute {
            sql::substitute(&text, &session.variables).map_err(|error| shift(error, at))?
        } else {
            text
        };
        let parsed = sql::parse_statement(&text, at)?;
        check_allowed(&parsed.statement).map_err(|error| error.at(at))?;
        match &parsed.statement {
            Statement::Define { name, value } => {
                session.variables.insert(name.text.clone(), value.clone());
            }
            Statement::Undefine { name } => {
                session.variables.remove(&name.text);
            }
            Statement::Set { name, value } => {
                settings::set(&mut session.properties, name, value).map_err(|error| error.at(at))?;
            }
            Statement::Unset { name } => {
                session.properties.remove(settings::short_name(name));
            }
            _ => {}
        }
        statements.push(parsed);
    }
    Ok(statements)
}

/// An error's place within a statement, as a place in the script.
fn shift(mut error: Error, start: Location) -> Error {
    error.at = Some(match error.at {
        None => start,
        Some(at) if at.line <= 1 => Location { line: start.line, column: start.column + at.column.saturating_sub(1) },
        Some(at) => Location { line: start.line + at.line - 1, column: at.column },
    });
    error
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
