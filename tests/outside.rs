//! What some tests need and the project doesn't carry: an environment variable names each. A test without it says so
//! and passes. `MILLPOND_CONFORMANCE`: the folder of the conformance cases, parts `query` and `rest`. `MILLPOND_FLIGHTS`: the
//! file with the flights of the whole year.

use std::io::Write;
use std::path::PathBuf;

/// The path that a variable names. None: it names none, and that was said.
///
/// Panics where the path doesn't exist: who names it wants the test.
pub fn path(variable: &str) -> Option<PathBuf> {
    let Some(path) = std::env::var_os(variable).map(PathBuf::from) else {
        // Past the capture of a test's output: what isn't tested is said aloud.
        let _ = writeln!(std::io::stderr(), "SKIPPED: a test needs what {variable} names");
        return None;
    };
    assert!(path.exists(), "{variable} names {}, which doesn't exist", path.display());
    Some(path)
}
