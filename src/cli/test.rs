//! `millpond test`.

use super::args::TestOptions;
use super::connect;
use super::exit::{Exit, Stop};
use super::output::Output;

pub fn command(options: &TestOptions, out: &mut Output) -> Result<(), Stop> {
    let summary = connect::run_tests(&options.paths, options.report.as_deref(), out)?;
    out.line(&format!("{} passed, {} failed, {} errors", summary.passed, summary.failed, summary.errors))?;
    match summary.failed + summary.errors {
        0 => Ok(()),
        _ => {
            std::io::Write::flush(out)?;
            Err(Stop::Said(Exit::Failed))
        }
    }
}
