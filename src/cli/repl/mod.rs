//! The terminal: statements typed in, results shown as they come.

pub mod commands;
mod helper;

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

use rustyline::error::ReadlineError;
use rustyline::history::{FileHistory, History, SearchDirection};
use rustyline::{CompletionType, Config, Editor};

use crate::error::Error;
use crate::sql::ast::Location;

use super::args::Cli;
use super::connect::{Connected, Connection, Purpose, connect};
use super::exit::{Exit, Stop, complain, describe};
use super::interrupt::{self, Watch};
use super::output::Output;
use super::shell::{Flow, Piece, Shell, pieces};
use commands::Command;
use helper::SqlHelper;

const PROMPT: &str = "millpond> ";
/// In the data folder.
const HISTORY_FILE: &str = "history.txt";
const HISTORY_ENTRIES_MAX: usize = 10_000;

pub fn command(cli: &Cli, engine: &mut Connected, out: &mut Output) -> Result<(), Stop> {
    let mut shell = Shell::new(engine, &cli.common);
    if std::io::stdin().is_terminal() {
        interactive(&mut shell, &cli.common.connection(Purpose::Terminal)?, out)
    } else {
        piped(&mut shell, &mut std::io::stdin().lock(), out)
    }
}

fn interactive(shell: &mut Shell<'_>, connection: &Connection, out: &mut Output) -> Result<(), Stop> {
    shell.interactive = true;
    interrupt::prepare();
    let history = connection.data_dir.join(HISTORY_FILE);
    // Something was entered here before.
    let visit = if history.exists() { Visit::Again } else { Visit::First };
    out.line(&banner(connection, shell.engine.owner, visit))?;
    tell_of_idle_owner(shell.engine, out)?;
    out.flush()?;
    let mut editor = editor(shell)?;
    // The first session has none yet; without rights to the file the session goes on without.
    let _ = editor.load_history(&history);
    loop {
        let input = match editor.readline(PROMPT) {
            Ok(input) => input,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(terminal_error(&error)),
        };
        if input.trim().is_empty() {
            continue;
        }
        let _ = editor.add_history_entry(input.trim());
        let _ = editor.append_history(&history);
        out.spool_only(&format!("{PROMPT}{input}"))?;
        match typed(shell, &input, out)? {
            Flow::Exit => break,
            Flow::Clear => editor.clear_screen().map_err(|error| terminal_error(&error))?,
            Flow::History => show_history(editor.history(), out)?,
            Flow::Connect => reconnect(shell, connection, &mut editor, out)?,
            Flow::Done | Flow::Interrupted | Flow::Failed(_) => {}
        }
    }
    out.spool_off()?;
    Ok(())
}

/// Attaches to whoever holds the folder now; where nobody does, this process takes it.
fn reconnect(
    shell: &mut Shell<'_>,
    connection: &Connection,
    editor: &mut Editor<SqlHelper, FileHistory>,
    out: &mut Output,
) -> Result<(), Stop> {
    if !shell.engine.owner {
        match connect(connection) {
            Ok(engine) => *shell.engine = engine,
            Err(error) => {
                complain(&describe(&error, ""));
                return Ok(());
            }
        }
        editor.set_helper(Some(helper(shell)));
    }
    out.line(match shell.engine.owner {
        _ if connection.server.is_some() => "Connected to the server.",
        true => "This process holds the data folder; its queries run here.",
        false => "Attached to the process that holds the data folder.",
    })?;
    tell_of_idle_owner(shell.engine, out)?;
    Ok(out.flush()?)
}

/// On a cluster a command that holds the folder runs no queries, and neither does a terminal that is attached to it.
fn tell_of_idle_owner(engine: &Connected, out: &mut Output) -> Result<(), Stop> {
    let Some(process) = engine.idle_owner else { return Ok(()) };
    Ok(out.line(&format!(
        "Process {process}, which holds the data folder, is a command that works on no queries: they run in other processes of\nthe service, if there are any. When it has ended, `connect` takes the folder, and this process works on them, too.\n"
    ))?)
}

fn helper(shell: &Shell<'_>) -> SqlHelper {
    SqlHelper::new(Arc::clone(&shell.engine.face), shell.engine.functions.clone())
}

fn terminal_error(error: &ReadlineError) -> Stop {
    Stop::Error(Error::world(format!("can't read from the terminal: {error}")))
}

fn editor(shell: &Shell<'_>) -> Result<Editor<SqlHelper, FileHistory>, Stop> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(HISTORY_ENTRIES_MAX)
        .and_then(|config| config.history_ignore_dups(true))
        .map_err(|error| terminal_error(&error))?
        .auto_add_history(false)
        .build();
    let mut editor = Editor::with_config(config).map_err(|error| terminal_error(&error))?;
    editor.set_helper(Some(helper(shell)));
    Ok(editor)
}

/// Whether somebody has worked in the folder before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visit {
    First,
    Again,
}

/// What a first visitor may enter.
const TO_START_WITH: &str = "
To start with, while `millpond datagen people` runs in another terminal:
  CREATE STREAM people (id STRING KEY, name STRING, title STRING, age INT)
    WITH (KAFKA_TOPIC='people', VALUE_FORMAT='JSON', PARTITIONS=4);
  CREATE TABLE titles AS
    SELECT title, COUNT(*) AS n FROM people GROUP BY title EMIT CHANGES;
  SELECT * FROM titles EMIT CHANGES;
";

fn banner(connection: &Connection, owner: bool, visit: Visit) -> String {
    let place = match &connection.server {
        Some(server) => format!("Server: {server}"),
        None => {
            let attached = if owner { "" } else { " (held by another process; attached)" };
            format!("Data folder: {}{attached}", connection.data_dir.display())
        }
    };
    let start = if visit == Visit::First { TO_START_WITH } else { "" };
    format!(
        "\
Millpond {version}: continuous SQL over durable topics
{place}
{start}
`help` tells the rest, `exit` ends.
",
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// Runs what was typed: a command, or one or more statements (a paste can bring several).
fn typed(shell: &mut Shell<'_>, input: &str, out: &mut Output) -> Result<Flow, Stop> {
    // Ctrl-C ends what runs, not the session.
    let _watch = Watch::new();
    if let Some((first, rest)) = input.trim().split_once('\n')
        && let Some(Ok(_)) = Command::parse(first)
    {
        return match typed(shell, first, out)? {
            Flow::Done => typed(shell, rest, out),
            other => Ok(other),
        };
    }
    if Command::parse(input).is_some() {
        return shell.run(
            "",
            input,
            &Piece { text: input.trim().to_owned(), at: Location { line: 1, column: 1 } },
            out,
        );
    }
    let (complete, rest) = pieces(input);
    for piece in complete.iter().chain(&rest) {
        match shell.run("", input, piece, out)? {
            Flow::Done => {}
            other => return Ok(other),
        }
    }
    Ok(Flow::Done)
}

fn show_history(history: &FileHistory, out: &mut Output) -> Result<(), Stop> {
    for i in 0..history.len() {
        if let Ok(Some(found)) = history.get(i, SearchDirection::Forward) {
            out.line(&format!("{:4}  {}", i + 1, found.entry.replace('\n', "\n      ")))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Statements from a pipe: run as they come; the first failure decides the exit code but stops nothing.
fn piped(shell: &mut Shell<'_>, input: &mut dyn BufRead, out: &mut Output) -> Result<(), Stop> {
    let mut failed: Option<Exit> = None;
    let mut text = String::new();
    loop {
        let mut line = String::new();
        let read = input.read_line(&mut line).map_err(|error| Error::world(format!("can't read stdin: {error}")))?;
        let alone = text.trim().is_empty() && Command::parse(&line).is_some();
        text.push_str(&line);
        let (complete, rest) = pieces(&text);
        if read > 0 && complete.is_empty() && !alone {
            continue;
        }
        let whole = read == 0 || alone;
        for piece in complete.iter().chain(rest.iter().filter(|_| whole)) {
            match shell.run("", &text, piece, out)? {
                Flow::Exit => return failed.map_or(Ok(()), |exit| Err(Stop::Said(exit))),
                Flow::Failed(exit) => failed = failed.or(Some(exit)),
                Flow::History => complain("a session that doesn't come from a terminal has no history"),
                Flow::Done | Flow::Interrupted | Flow::Clear | Flow::Connect => {}
            }
        }
        if read == 0 {
            return failed.map_or(Ok(()), |exit| Err(Stop::Said(exit)));
        }
        text = if whole { String::new() } else { rest.map_or_else(String::new, |rest| rest.text) };
        if !text.is_empty() {
            text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests;
