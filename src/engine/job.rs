//! A job: a script of definitions and persistent queries that runs until it is stopped, or through what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::catalog::Catalog;
use crate::engine::change::Outcome;
use crate::engine::standing::{Standing, StandingInserts, standing};
use crate::engine::{Drive, Engine, Face, QueryState, Session, cycle, settings, statement};
use crate::error::{Error, Result};
use crate::log::{Log, TopicPartition};
use crate::messages;
use crate::messages::statements::NotInJob;
use crate::sql;
use crate::sql::ast::{Location, ParsedStatement, Statement};
use crate::time::now;

/// A running job.
pub struct Job {
    engine: Engine,
    /// Its queries, in the order of the script.
    queries: Vec<String>,
    until_end: bool,
    /// Topics and ends of what the queries read, as they were at the start. Empty unless it is to end.
    ends: BTreeMap<TopicPartition, i64>,
    /// Queries that were told to stop at the end of their sources.
    bounded: Mutex<BTreeMap<String, Bounded>>,
    /// When the groups were last asked how far they are.
    asked: Mutex<Option<Instant>>,
    /// Queries that something is in the way of: since when, and after how many commits.
    blocked: Mutex<BTreeMap<String, (Instant, u64)>>,
}

/// Where a query is to stop.
struct Bounded {
    ends: BTreeMap<TopicPartition, i64>,
    /// Where processes share the work: it was told that all of them together have come there.
    complete: bool,
}

/// How often the groups are asked how far they are, where processes share the work.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// How far a query of a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryProgress {
    /// The query's id, such as `CTAS_T_1`.
    pub id: String,
    /// Records read since the process started.
    pub rows_in: u64,
    /// Records written and committed since the process started.
    pub rows_out: u64,
    /// Rows that came too late, once for each window.
    pub late: u64,
    /// Records of which something could not be processed.
    pub bad: u64,
    /// Records that are there and were not read yet.
    pub lag: u64,
    /// What it is doing; as text `RUNNING`, `BLOCKED: reason`, ...
    pub state: QueryState,
}

impl Job {
    /// Makes what the script states (what stands already as written is left alone) and lets its queries run.
    ///
    /// `until_end`: it ends when what its queries read has been read as far as it went at the start, what they write for
    /// each other to its end.
    ///
    /// Errors: a statement that has no place in a job, or that differs from what stands; queries that feed each other in
    /// a ring and are to end; with their place in the text.
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
        if until_end {
            check_ends(engine, &statements, session.clone())?;
        }
        let mut queries = Vec::new();
        let mut inserts = StandingInserts::default();
        for parsed in &statements {
            if !changes_catalog(&parsed.statement) {
                statement::run(&engine.inner, &mut session, parsed).map_err(|error| error.at(parsed.at))?;
                continue;
            }
            let properties = &session.properties;
            let mut seen = inserts.clone();
            // Another process may be starting the same job.
            let made = engine.inner.change_unless(parsed, properties, &mut |catalog| {
                seen = inserts.clone();
                standing(catalog, parsed, properties, &mut seen)
            });
            match made.map_err(|error| error.at(parsed.at))? {
                Outcome::Stands(query) => queries.extend(query),
                Outcome::Changed(status) => queries.extend(status.query_id),
            }
            inserts = seen;
        }
        if queries.is_empty() {
            return Err(messages::statements::job_without_query());
        }
        let ends =
            if until_end { ends(&*engine.log(), sources(&engine.catalog(), &queries))? } else { BTreeMap::new() };
        let (bounded, asked, blocked) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Job { engine: engine.clone(), queries, until_end, ends, bounded, asked, blocked })
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
        if let Some(error) = states.iter().find_map(|(id, state)| self.given_up(id, state)) {
            return Some(Err(error));
        }
        if let Err(error) = self.bound(&states).and_then(|()| self.complete(&states)) {
            return Some(Err(error));
        }
        let done = self.queries.iter().all(|id| states.get(id) == Some(&QueryState::Finished));
        done.then_some(Ok(()))
    }

    /// Why a job that is to end doesn't wait for this query any longer.
    fn given_up(&self, id: &String, state: &QueryState) -> Option<Error> {
        let mut blocked = self.blocked.lock();
        match state {
            QueryState::Paused => Some(
                Error::world(format!("query {id} is paused: the job can't come to its end"))
                    .hint(format!("RESUME {id}; lets it go on")),
            ),
            QueryState::Blocked(reason) => {
                let Drive::Threads(handles) = &self.engine.inner.drive else { return None };
                let commits =
                    handles.lock().get(id).map_or(0, |handle| handle.counters.commits.load(Ordering::Relaxed));
                let since = blocked.entry(id.clone()).or_insert_with(|| (now(), commits));
                if since.1 != commits {
                    *since = (now(), commits);
                }
                // It goes through other states when it tries again: what counts is that no commit came.
                (since.0.elapsed() >= self.engine.inner.blocked_max)
                    .then(|| Error::world(format!("query {id} is blocked: {reason}")))
            }
            _ => None,
        }
    }

    /// Tells the queries whose sources are complete where to stop: those that read what no other query of the job writes
    /// at the ends of the start, those that read what finished ones wrote at the ends of now.
    fn bound(&self, states: &BTreeMap<String, QueryState>) -> Result<()> {
        let catalog = self.engine.catalog();
        let Drive::Threads(handles) = &self.engine.inner.drive else { return Ok(()) };
        let handles = handles.lock();
        let mut bounded = self.bounded.lock();
        let topic = |name: &String| catalog.source(name).map(|source| source.topic.clone());
        let mut writers: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for id in &self.queries {
            if let Some(sink) = catalog.query(id).and_then(|query| topic(&query.sink)) {
                writers.entry(sink).or_default().push(id);
            }
        }
        for id in self.queries.iter().filter(|id| !bounded.contains_key(*id)).cloned().collect::<Vec<_>>() {
            let (Some(query), Some(handle)) = (catalog.query(&id), handles.get(&id)) else { continue };
            let reads: BTreeSet<String> = query.sources.iter().filter_map(topic).collect();
            let mut made = reads.iter().filter_map(|topic| writers.get(topic)).flatten();
            if made.any(|writer| states.get(*writer) != Some(&QueryState::Finished)) {
                continue;
            }
            let (made, given): (BTreeSet<_>, BTreeSet<_>) =
                reads.into_iter().partition(|topic| writers.contains_key(topic));
            let mut stops = BTreeMap::new();
            for place in ends(&*self.engine.inner.log, made)?.into_keys() {
                // The last commits may be seen some time later.
                let end = self.engine.inner.log.settling_end(&place)?;
                stops.insert(place, end);
            }
            let at_start = self.ends.iter().filter(|(place, _)| given.contains(&place.topic));
            stops.extend(at_start.map(|(place, end)| (place.clone(), *end)));
            *handle.orders.ends.lock() = Some(stops.clone());
            handle.signal.ring();
            bounded.insert(id, Bounded { ends: stops, complete: false });
        }
        Ok(())
    }

    /// Where processes share the work, tells queries that all of it is done, whoever did it: the group's positions say so. This
    /// process may have had no part in it.
    fn complete(&self, states: &BTreeMap<String, QueryState>) -> Result<()> {
        let inner = &self.engine.inner;
        let mut asked = self.asked.lock();
        if !inner.is_shared() || asked.is_some_and(|asked| asked.elapsed() < ASK_EVERY) {
            return Ok(());
        }
        *asked = Some(now());
        let Drive::Threads(handles) = &inner.drive else { return Ok(()) };
        for (id, bounded) in self.bounded.lock().iter_mut().filter(|(_, bounded)| !bounded.complete) {
            let works = matches!(states.get(id), Some(QueryState::Running | QueryState::Standby));
            bounded.complete = works
                && match inner.has_reached(id, &bounded.ends) {
                    Ok(reached) => reached,
                    // Its own thread hears of it, too, and waits.
                    Err(error) if error.passing => false,
                    Err(error) => return Err(error),
                };
            if let Some(handle) = handles.lock().get(id).filter(|_| bounded.complete) {
                handle.orders.complete.store(true, Ordering::Relaxed);
                handle.signal.ring();
            }
        }
        Ok(())
    }

    /// Commits and stops. Behind it, what was written can be read.
    pub fn stop(&mut self) -> Result<()> {
        self.engine.shutdown();
        if self.engine.inner.is_shared() {
            self.engine.inner.await_visible();
        }
        Ok(self.engine.log().sync()?)
    }
}

/// Topics that queries read.
pub(super) fn sources(catalog: &Catalog, queries: &[String]) -> BTreeSet<String> {
    let entries = queries.iter().filter_map(|id| catalog.query(id));
    let names = entries.flat_map(|query| &query.sources);
    names.filter_map(|name| catalog.source(name)).map(|source| source.topic.clone()).collect()
}

/// Where topics end now. One that is gone has no ends: its readers say so.
pub(super) fn ends(log: &dyn Log, topics: BTreeSet<String>) -> Result<BTreeMap<TopicPartition, i64>> {
    let mut ends = BTreeMap::new();
    for topic in topics {
        let partitions = 0..log.partitions(&topic).unwrap_or(0);
        let places: Vec<_> = partitions.map(|partition| TopicPartition { topic: topic.clone(), partition }).collect();
        ends.extend(log.offsets_of(&places)?.into_iter().map(|(place, (_, end))| (place, end)));
    }
    Ok(ends)
}

/// An error when the queries of the script, with those that stand already, feed each other in a ring: they have no end.
fn check_ends(engine: &Engine, statements: &[ParsedStatement], mut session: Session) -> Result<()> {
    let mut catalog = engine.catalog();
    let first_number = engine.inner.commands.next_offset()?;
    let (mut queries, mut places) = (Vec::new(), Vec::new());
    let mut inserts = StandingInserts::default();
    for (number, parsed) in (first_number..).zip(statements) {
        if let Statement::Set { name, value } = &parsed.statement {
            settings::set(&mut session.properties, name, value)?;
        } else if let Statement::Unset { name } = &parsed.statement {
            session.properties.remove(settings::short_name(name));
        }
        let query = match standing(&catalog, parsed, &session.properties, &mut inserts) {
            Ok(Standing::Same(query)) => query,
            Ok(Standing::Absent) if changes_catalog(&parsed.statement) => {
                match engine.inner.foresee(&mut catalog, parsed, &session.properties, number) {
                    Ok(query) => query,
                    // Carried out, it will say the same, with what was done before it.
                    Err(_) => return Ok(()),
                }
            }
            Ok(Standing::Absent) => None,
            Err(_) => return Ok(()),
        };
        if let Some(query) = query {
            queries.push(query);
            places.push(parsed.at);
        }
    }
    let Some(found) = cycle::find(&catalog, &queries) else { return Ok(()) };
    let closing = found.queries.iter().copied().max().unwrap_or_default();
    Err(messages::statements::job_without_end(&found.names).at(places[closing]))
}

fn changes_catalog(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::CreateSource { .. }
            | Statement::CreateAs { .. }
            | Statement::InsertSelect { .. }
            | Statement::CreateType { .. }
    )
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
    match statement {
        Statement::CreateSource { .. }
        | Statement::CreateAs { .. }
        | Statement::InsertSelect { .. }
        | Statement::CreateType { .. }
        | Statement::Set { .. }
        | Statement::Unset { .. }
        | Statement::Define { .. }
        | Statement::Undefine { .. } => Ok(()),
        Statement::InsertValues { .. } => Err(messages::statements::not_in_job(&NotInJob::InsertValues)),
        Statement::DeleteRow { .. } => Err(messages::statements::not_in_job(&NotInJob::Delete)),
        Statement::Select(_) => Err(messages::statements::not_in_job(&NotInJob::Select)),
        _ => Err(messages::statements::not_in_job(&NotInJob::Other)),
    }
}
