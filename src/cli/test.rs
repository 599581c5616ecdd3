//! `millpond test`.

use std::io::Write;

use super::args::TestOptions;
use super::connect::{self, Connection};
use super::exit::{Exit, Stop};
use super::output::Output;
use crate::testing::Suite;

/// Runs the tests; verdicts and their summary are written by the runner.
pub fn command(options: &TestOptions, connection: &Connection, out: &mut Output) -> Result<(), Stop> {
    let suite =
        Suite { paths: &options.paths, only: &options.only, report: options.report.as_deref(), ..Suite::default() };
    if options.over_http && connection.config.kafka.is_some() {
        return Err(Stop::Usage("--over-http goes without a cluster".to_owned()));
    }
    let result = connect::run_tests(&suite, options.over_http, connection, out);
    // The runner can't tell a reader that has gone away from a full disk.
    if out.is_abandoned() {
        return Err(Stop::Pipe);
    }
    let summary = result?;
    out.flush()?;
    if summary.failed + summary.errors > 0 {
        return Err(Stop::Said(Exit::Failed));
    }
    Ok(())
}
