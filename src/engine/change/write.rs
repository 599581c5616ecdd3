//! Writing a statement to the command log.

use std::collections::BTreeMap;
use std::time::Duration;

use super::follow::Done;
use super::made::Made;
use super::remains::Duty;
use super::replay::Applied;
use super::{Change, Effect};
use crate::catalog::{Catalog, Chain, Command, Judged, is_refusal};
use crate::engine::standing::Standing;
use crate::engine::{Inner, Status};
use crate::error::{Error, Result};
use crate::messages;
use crate::sql::ast::ParsedStatement;
use crate::time::{now, wall_time_ms};

/// How often a statement is judged anew because others came before it.
const ATTEMPTS_MAX: u32 = 40;
/// So long at most before the next attempt, and by chance: two processes must not go on getting in each other's way.
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// How long to look for a command whose answer was lost.
const LOOK_MAX: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What became of a statement.
#[derive(Debug)]
pub(in crate::engine) enum Outcome {
    Changed(Status),
    /// It stood already; the query that it had started, if it is one.
    Stands(Option<String>),
}

/// How an attempt ended that didn't fail.
enum Attempted {
    Done(Done),
    /// Nothing is to be changed.
    Nothing(Status),
    Stands(Option<String>),
    /// It was written, and may have come too late. `behind`: the last command that counted before.
    Written {
        behind: i64,
        offset: Option<i64>,
    },
}

/// A statement that is to change the catalog.
struct Statement<'a> {
    parsed: &'a ParsedStatement,
    properties: &'a BTreeMap<String, String>,
    /// The same in all attempts.
    id: String,
    stands: &'a mut dyn FnMut(&Catalog) -> Result<Standing>,
    made: Made,
}

impl Inner {
    /// Carries out a statement that changes what exists.
    ///
    /// Errors: it can't be; nothing is changed then. Where others write commands, too, and the cluster doesn't answer, it may
    /// not be known whether it is: the error says so.
    pub(in crate::engine) fn change(
        &self,
        parsed: &ParsedStatement,
        properties: &BTreeMap<String, String>,
    ) -> Result<Status> {
        match self.change_unless(parsed, properties, &mut |_| Ok(Standing::Absent))? {
            Outcome::Changed(status) => Ok(status),
            Outcome::Stands(_) => Err(Error::internal("nobody asked whether it stands")),
        }
    }

    /// As `change`, unless `stands` finds it in the catalog that it is to change.
    pub(in crate::engine) fn change_unless(
        &self,
        parsed: &ParsedStatement,
        properties: &BTreeMap<String, String>,
        stands: &mut dyn FnMut(&Catalog) -> Result<Standing>,
    ) -> Result<Outcome> {
        let id = uuid::Uuid::new_v4().to_string();
        let mut statement = Statement { parsed, properties, id, stands, made: Made::default() };
        let mut chain = self.changing.lock();
        let done = match self.write(&mut chain, &mut statement)? {
            Attempted::Done(done) => done,
            Attempted::Nothing(status) => return Ok(Outcome::Changed(status)),
            Attempted::Stands(query) => return Ok(Outcome::Stands(query)),
            Attempted::Written { .. } => return Err(Error::internal("a command was left as it is")),
        };
        if self.is_shared() {
            // Others may take their time.
            drop(chain);
        }
        let mut status = done.status;
        status.warnings.extend(done.remains.and_then(|remains| self.clear_own(&remains)));
        Ok(Outcome::Changed(status))
    }

    fn write(&self, chain: &mut Chain, statement: &mut Statement<'_>) -> Result<Attempted> {
        if self.is_shared() {
            self.catch_up(chain, None).map_err(|error| self.not_changed(&error))?;
        }
        let mut in_doubt = false;
        for _ in 0..ATTEMPTS_MAX {
            let (behind, offset) = match self.attempt(chain, statement) {
                Ok(Attempted::Written { behind, offset }) => (behind, offset),
                Ok(Attempted::Done(done)) => return Ok(Attempted::Done(done)),
                Err(error) if in_doubt => return Err(self.not_known(&error.to_string())),
                ended => {
                    self.unmake(std::mem::take(&mut statement.made));
                    return ended;
                }
            };
            if let Some(done) = self.look_for(chain, statement, offset)? {
                return Ok(Attempted::Done(done));
            }
            in_doubt = chain.last() == behind;
            if in_doubt {
                // It isn't there, and may still come. Written once more, one of the two counts.
                continue;
            }
            self.unmake_query(&mut statement.made);
            std::thread::sleep(PAUSE_MAX.mul_f64(fastrand::f64()));
        }
        self.unmake(std::mem::take(&mut statement.made));
        Err(messages::cluster::catalog_changes_all_the_time())
    }

    /// Judges the statement on the catalog as it is, and writes it.
    fn attempt(&self, chain: &mut Chain, statement: &mut Statement<'_>) -> Result<Attempted> {
        let mut catalog = self.catalog.read().clone();
        if let Standing::Same(query) = (statement.stands)(&catalog)? {
            return Ok(Attempted::Stands(query));
        }
        let (parsed, properties) = (statement.parsed, statement.properties);
        self.log.forget_topics();
        let query_number = if self.is_shared() { chain.next } else { self.commands.next_offset()? };
        let change = Change { inner: self, catalog: &mut catalog, properties, query_number, replay: None };
        let effect = change.apply(parsed)?;
        if effect.nothing {
            return Ok(Attempted::Nothing(Status { message: effect.message, ..Status::default() }));
        }
        self.make_own_topics()?;
        self.make(&effect, &mut statement.made)?;
        let query_id = effect.start.as_ref().map(|start| start.entry.id.clone());
        let mut command = Command::new(parsed.text.clone(), properties.clone(), query_id);
        if let Some(topic) = &effect.delete_topic {
            command.deletes = self.identified(topic)?;
        }
        command.found = effect.start.as_ref().and_then(|start| start.entry.found.clone());
        command.sink_partitions = effect.start.as_ref().and_then(|start| start.entry.sink_partitions);
        let behind = chain.last();
        command.judged = self.is_shared().then(|| Judged { statement_id: statement.id.clone(), behind });
        match self.commands.append(&command, wall_time_ms()) {
            Ok(offset) if !self.is_shared() || offset == chain.next => {
                chain.take(offset, command.judged.as_ref());
                let mut done = self.adopt(catalog, effect, command);
                done.status.command_offset = Some(offset);
                Ok(Attempted::Done(done))
            }
            Ok(offset) => Ok(Attempted::Written { behind, offset: Some(offset) }),
            Err(error) if !self.is_shared() || is_refusal(&error) => Err(error.into()),
            Err(_) => Ok(Attempted::Written { behind, offset: None }),
        }
    }

    /// The catalog is what the statement was judged to make of it.
    fn adopt(&self, catalog: Catalog, effect: Effect, command: Command) -> Done {
        let ended = self.follow_plans(&effect);
        *self.catalog.write() = catalog;
        self.carry_out(Applied { effects: vec![effect], ended, deletes: command.deletes }, Duty::Own)
    }

    /// Reads on until the statement's command is found to count, or until it is sure that it doesn't: what is there was read,
    /// beyond `offset` if that is where it is.
    ///
    /// Errors: that can't be found out now.
    fn look_for(&self, chain: &mut Chain, statement: &Statement<'_>, offset: Option<i64>) -> Result<Option<Done>> {
        let asked = now();
        loop {
            let why = match self.catch_up(chain, Some(&statement.id)) {
                Ok(Some(done)) => return Ok(Some(done)),
                Ok(None) if offset.is_none_or(|offset| chain.next > offset) => return Ok(None),
                Ok(None) => format!("topic '{}' isn't shown up to it yet", self.commands.topic()),
                Err(error) => error.to_string(),
            };
            if asked.elapsed() >= LOOK_MAX {
                return Err(self.not_known(&why));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn not_known(&self, why: &str) -> Error {
        Error { passing: true, ..messages::cluster::statement_in_doubt(why) }
    }

    fn not_changed(&self, error: &Error) -> Error {
        Error { lasting: error.lasting, passing: error.passing, ..messages::cluster::nothing_changed(error) }
    }
}
