//! `-e` and `-f`: statements in order, until one fails.

use super::args::Cli;
use super::connect::Connected;
use super::exit::Stop;
use super::output::Output;
use super::shell::{Flow, Shell};

pub fn command(cli: &Cli, engine: &mut Connected, out: &mut Output) -> Result<(), Stop> {
    let mut shell = Shell::new(engine, &cli.common);
    for text in &cli.execute {
        match shell.script("", text, out)? {
            Flow::Failed(exit) => return Err(Stop::Said(exit)),
            Flow::Exit | Flow::Interrupted => return Ok(()),
            _ => {}
        }
    }
    for path in &cli.file {
        match shell.script_file(path, out)? {
            Flow::Failed(exit) => return Err(Stop::Said(exit)),
            Flow::Exit | Flow::Interrupted => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}
