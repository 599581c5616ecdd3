//! The binary's commands: terminal, scripts, topic tools, generators, jobs, tests.
//!
//! They know an engine only by its face (`engine::Face`) and topics only by `log::Log`; [`connect`] is the one place
//! that knows where these come from.

mod access;
mod args;
pub mod connect;
mod datagen;
mod exit;
#[cfg(test)]
mod fake;
mod fmt;
mod group;
mod interrupt;
mod listing;
mod output;
mod patience;
mod print;
mod produce;
mod repl;
mod run;
mod script;
mod server;
mod shell;
mod table;
mod test;
mod topic;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use connect::{Connected, Connection, Purpose};
use exit::{Exit, Stop};
use output::Output;

/// Runs the command line of this process; the exit codes are told by `--help`.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(args::with_server(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => {
            // The reader of the help may be gone already; clap knows which stream to take.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    let mut out = Output::stdout(cli.common.output);
    let result = dispatch(cli, &mut out).and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) => Exit::Ok.into(),
        Err(stop) => stop.report().into(),
    }
}

fn dispatch(cli: Cli, out: &mut Output) -> Result<(), Stop> {
    let connection = |purpose| cli.common.connection(purpose);
    if cli.command.is_some() && !(cli.execute.is_empty() && cli.file.is_empty()) {
        return Err(Stop::Usage("-e and -f go without a command".to_owned()));
    }
    match &cli.command {
        None if !cli.execute.is_empty() || !cli.file.is_empty() => {
            connected(&connection(Purpose::Script)?, |engine| script::command(&cli, engine, out))
        }
        None if !std::io::stdin().is_terminal() => {
            connected(&connection(Purpose::Script)?, |engine| repl::command(&cli, engine, out))
        }
        None => connected(&connection(Purpose::Terminal)?, |engine| repl::command(&cli, engine, out)),
        Some(Command::Topic(command)) => {
            connected(&connection(Purpose::Log)?, |engine| topic::command(command, engine, out))
        }
        Some(Command::Group(command)) => {
            connected(&connection(Purpose::Log)?, |engine| group::command(command, engine, out))
        }
        Some(Command::Datagen(options)) => {
            connected(&connection(Purpose::Log)?, |engine| datagen::command(options, engine, out))
        }
        Some(Command::Run(options)) => run::command(options, &cli.common, &own(connection(Purpose::Script)?)?, out),
        Some(Command::Server(options)) => server::command(options, &own(connection(Purpose::Script)?)?, out),
        Some(Command::Access(command)) => access::command(command, out),
        Some(Command::Fmt(options)) => fmt::command(options, out),
        Some(Command::Test(options)) => test::command(options, &own(connection(Purpose::Script)?)?, out),
    }
}

/// Of a command that works in a process of its own.
fn own(connection: Connection) -> Result<Connection, Stop> {
    match &connection.server {
        None => Ok(connection),
        Some(server) => Err(Stop::Usage(format!(
            "this command doesn't work on a server ({server}): statements of a file go there with -f FILE"
        ))),
    }
}

/// Connects, does the work, and takes leave in order, whatever came of the work.
fn connected(connection: &Connection, work: impl FnOnce(&mut Connected) -> Result<(), Stop>) -> Result<(), Stop> {
    let mut engine = connect::connect(connection)?;
    let result = work(&mut engine);
    let closed = engine.close();
    result?;
    Ok(closed?)
}
