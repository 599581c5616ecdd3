//! `millpond test`.

use std::io::Write;

use super::args::TestOptions;
use super::connect;
use super::exit::{Exit, Stop};
use super::output::Output;

/// Runs the tests; verdicts and their summary are written by the runner.
pub fn command(options: &TestOptions, out: &mut Output) -> Result<(), Stop> {
    let result = connect::run_tests(&options.paths, options.report.as_deref(), out);
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
