//! What a terminal and a script have in common: statements and the commands of the terminal itself, one after another.

use std::path::Path;

use crate::engine::Session;
use crate::error::{Audience, Error};
use crate::messages;
use crate::sql::{self, ast::Location};

use super::args::Common;
use super::connect::Connected;
use super::exit::{Exit, Stop, complain, describe};
use super::output::{Output, OutputFormat};
use super::print::{self, Outcome};
use super::repl::commands::{Command, HELP};

/// Scripts that run scripts that run scripts, ...
const SCRIPT_DEPTH_MAX: usize = 16;

/// One terminal's session on an engine.
pub struct Shell<'a> {
    pub engine: &'a mut Connected,
    pub session: Session,
    /// Somebody types.
    pub interactive: bool,
    depth: usize,
}

/// A statement or command and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Without the `;`.
    pub text: String,
    pub at: Location,
}

/// The statements of a text, and the unfinished one behind the last `;`.
pub fn pieces(text: &str) -> (Vec<Piece>, Option<Piece>) {
    let cut = sql::split(text);
    let complete = cut.statements.into_iter().map(|(text, at)| Piece { text, at }).collect();
    if cut.rest.is_empty() {
        return (complete, None);
    }
    let before = &text[..text.len() - cut.rest.len()];
    let line = before.matches('\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) as u32 + 1;
    (complete, Some(Piece { text: cut.rest.trim_end().to_owned(), at: Location { line, column } }))
}

/// How a statement or command went.
#[derive(Debug)]
pub enum Flow {
    Done,
    /// A query was ended by Ctrl-C.
    Interrupted,
    /// The error was said; this would be the exit code.
    Failed(Exit),
    /// Asks for what only an interactive terminal can do.
    Exit,
    Clear,
    History,
    Connect,
}

impl<'a> Shell<'a> {
    pub fn new(engine: &'a mut Connected, common: &Common) -> Self {
        let mut properties = engine.properties.clone();
        properties.extend(common.properties());
        let session = Session { properties, variables: common.define.iter().cloned().collect() };
        Shell { engine, session, interactive: false, depth: 0 }
    }

    /// Runs one statement or command of `text` (the text it came from, to show places in; `name`: its file's name).
    pub fn run(&mut self, name: &str, text: &str, piece: &Piece, out: &mut Output) -> Result<Flow, Stop> {
        if let Some(command) = Command::parse(&piece.text) {
            return match command {
                Ok(command) => self.command(command, out),
                Err(usage) => self.failed(name, text, piece, messages::statements::usage(&usage)),
            };
        }
        let statement = format!("{};", piece.text);
        let outcome = match self.engine.face.execute(&mut self.session, &statement) {
            Ok(reply) => print::reply(reply, out)?,
            Err(error) => Outcome::Failed(error),
        };
        match outcome {
            Outcome::Done => Ok(Flow::Done),
            Outcome::Interrupted => Ok(Flow::Interrupted),
            Outcome::Failed(error) => {
                std::io::Write::flush(out)?;
                self.failed(name, text, piece, error)
            }
        }
    }

    /// Says what is wrong, with its place in the whole text.
    fn failed(&self, name: &str, text: &str, piece: &Piece, error: Error) -> Result<Flow, Stop> {
        let exit = error.audience.into();
        let prefix = if name.is_empty() { String::new() } else { format!("{name}: ") };
        // A place tells something of mistakes in the statement; the world's have none.
        let error = match error.audience {
            Audience::World if self.interactive && !self.engine.owner && is_owner_gone(&error) => {
                Error::world("the process that held the data folder has ended")
                    .hint("start it again and go on; or `connect`, which attaches to who holds the folder, or takes it")
            }
            Audience::World => Error { at: None, ..error },
            _ => placed(error, piece),
        };
        complain(&format!("{prefix}{}", describe(&error, text)));
        Ok(Flow::Failed(exit))
    }

    /// Runs all statements of a text until one fails. A last one without `;` is run, too.
    pub fn script(&mut self, name: &str, text: &str, out: &mut Output) -> Result<Flow, Stop> {
        let (complete, rest) = pieces(text);
        for piece in complete.iter().chain(&rest) {
            match self.run(name, text, piece, out)? {
                Flow::Done | Flow::Clear | Flow::History | Flow::Connect => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Done)
    }

    /// Runs a file (`-`: stdin).
    pub fn script_file(&mut self, path: &Path, out: &mut Output) -> Result<Flow, Stop> {
        let text = read_script(path)?;
        self.script(&path.display().to_string(), &text, out)
    }

    fn command(&mut self, command: Command, out: &mut Output) -> Result<Flow, Stop> {
        match command {
            Command::Help => out.line(HELP)?,
            Command::Version => out.line(&format!("millpond {}", env!("CARGO_PKG_VERSION")))?,
            Command::Output(None) => {
                let format = if out.format == OutputFormat::Json { "json" } else { "tabular" };
                out.line(&format!("Output is {format}. `output json` and `output tabular` change it."))?;
            }
            Command::Output(Some(format)) => out.format = format,
            Command::ColumnWidth(width) => out.column_width = width,
            Command::Wrap(wrap) => out.wrap = wrap,
            Command::Spool(path) => return spool(path.as_deref(), out),
            Command::RunScript(path) => {
                if self.depth >= SCRIPT_DEPTH_MAX {
                    complain(&format!("error: scripts that run scripts, more than {SCRIPT_DEPTH_MAX} deep"));
                    return Ok(Flow::Failed(Exit::Failed));
                }
                self.depth += 1;
                let flow = self.script_file(&path, out);
                self.depth -= 1;
                return match flow {
                    Err(Stop::Error(error)) => {
                        complain(&describe(&error, ""));
                        Ok(Flow::Failed(error.audience.into()))
                    }
                    flow => flow,
                };
            }
            Command::Exit => return Ok(Flow::Exit),
            Command::Clear => return Ok(Flow::Clear),
            Command::History => return Ok(Flow::History),
            Command::Connect => return Ok(Flow::Connect),
        }
        std::io::Write::flush(out)?;
        Ok(Flow::Done)
    }
}

/// Whether the engine that was attached to is there no more.
fn is_owner_gone(error: &Error) -> bool {
    error.what.contains("no process serves the data folder")
        || error.what.contains("the process that holds the data folder closed the connection")
}

/// Moves an error's place from its statement to the text the statement stands in.
fn placed(mut error: Error, piece: &Piece) -> Error {
    let at = error.at.unwrap_or(Location { line: 1, column: 1 });
    let column = if at.line <= 1 { piece.at.column + at.column.max(1) - 1 } else { at.column };
    error.at = Some(Location { line: piece.at.line + at.line.max(1) - 1, column });
    error
}

/// The text of a script (`-`: stdin).
pub fn read_script(path: &Path) -> Result<String, Stop> {
    let read =
        if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    let text = read.map_err(|error| Error::world(format!("can't read {}: {error}", path.display())))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn spool(path: Option<&Path>, out: &mut Output) -> Result<Flow, Stop> {
    let said = match path {
        Some(path) => out.spool_to(path).map(|()| format!("Session will be spooled to {}", path.display())),
        None => out.spool_off().map(|was| if was { "Spooling ended" } else { "No session is spooled" }.to_owned()),
    };
    match said {
        Ok(line) => {
            out.line(&line)?;
            std::io::Write::flush(out)?;
            Ok(Flow::Done)
        }
        Err(error) => {
            complain(&format!("error: can't write the spool file: {error}"));
            Ok(Flow::Failed(Exit::World))
        }
    }
}

#[cfg(test)]
mod tests;
