//! `millpond fmt`: files of statements laid out.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::args::FmtOptions;
use super::exit::{Exit, Stop, complain, describe};
use super::output::Output;
use super::shell::read_script;
use crate::error::Error;
use crate::sql;

/// Lays the files out in their places; `-` is stdin to stdout. With `--check` nothing is written: those that would change are
/// named, and the command fails.
pub fn command(options: &FmtOptions, out: &mut Output) -> Result<(), Stop> {
    let mut failed = false;
    for file in &options.files {
        failed |= !format(file, options.check, out)?;
    }
    if failed { Err(Stop::Said(Exit::Failed)) } else { Ok(()) }
}

/// Whether all is well with a file.
fn format(file: &Path, check: bool, out: &mut Output) -> Result<bool, Stop> {
    let text = read_script(file)?;
    let laid_out = match sql::layout(&text) {
        Ok(laid_out) => laid_out,
        Err(error) => {
            complain(&format!("{}: {}", file.display(), describe(&error, &text)));
            return Ok(false);
        }
    };
    if check {
        if laid_out != text {
            writeln!(out, "{}: not formatted", file.display())?;
        }
        return Ok(laid_out == text);
    }
    if is_stdin(file) {
        write!(out, "{laid_out}")?;
    } else if laid_out != text {
        replace(file, &laid_out)?;
    }
    Ok(true)
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// Puts the text in the place of the file's at once: who is killed meanwhile has one or the other.
fn replace(file: &Path, text: &str) -> Result<(), Stop> {
    let in_the_way =
        |error: std::io::Error| Stop::from(Error::world(format!("can't write {}: {error}", file.display())));
    // The file that a link leads to, not the link.
    let target = fs::canonicalize(file).map_err(in_the_way)?;
    let mut name = target.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.fmt", std::process::id()));
    let beside = target.with_file_name(name);
    let written = fs::write(&beside, text)
        .and_then(|()| fs::set_permissions(&beside, fs::metadata(&target)?.permissions()))
        .and_then(|()| fs::rename(&beside, &target));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.map_err(in_the_way)
}
