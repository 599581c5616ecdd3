//! The pages of docs/ that come of the table, or tell of it.

use std::path::Path;

use super::reference::reference;
use crate::engine::settings::SETTINGS;
use crate::expr::functions::table;

fn page(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)
}

/// `MILLPOND_WRITE_DOCS=1` writes the page anew.
#[test]
fn functions_md_is_what_the_table_says() {
    let made = reference(table());
    if std::env::var_os("MILLPOND_WRITE_DOCS").is_some() {
        std::fs::write(page("functions.md"), &made).unwrap();
    }
    let found = std::fs::read_to_string(page("functions.md")).unwrap_or_default();
    let differs = found.lines().zip(made.lines()).position(|(found, made)| found != made);
    assert!(
        found == made,
        "docs/functions.md is not of this table, from line {differs:?} on; MILLPOND_WRITE_DOCS=1 writes it"
    );
    for function in table().iter() {
        assert!(made.contains(&format!("\n### {}\n", function.name)), "{}", function.name);
    }
}

#[test]
fn oddities_md_has_every_setting() {
    let found = std::fs::read_to_string(page("oddities.md")).unwrap();
    for setting in SETTINGS.iter().filter(|setting| setting.name.starts_with("millpond.")) {
        assert!(found.contains(&format!("`{}`", setting.name)), "{}", setting.name);
        assert!(found.contains(&format!("`{}`", setting.default)), "{}: {}", setting.name, setting.default);
    }
}
