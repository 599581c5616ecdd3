//! Every statement of the conformance cases.

use std::path::{Path, PathBuf};

use super::super::*;
use crate::outside;

/// The statements of all cases, and whether their case must give outputs.
pub(super) fn statements() -> Option<Vec<(String, bool)>> {
    let folder = outside::path("MILLPOND_CONFORMANCE")?;
    let mut out = Vec::new();
    for path in ["query", "rest"].iter().flat_map(|part| files(&folder.join(part))) {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        for case in file["tests"].as_array().unwrap() {
            let gives_outputs = case.get("expectedException").is_none() && case.get("expectedError").is_none();
            for statement in case["statements"].as_array().unwrap() {
                out.push((statement.as_str().unwrap().to_owned(), gives_outputs));
            }
        }
    }
    Some(out)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn statements_of_cases_with_outputs_parse() {
    let Some(statements) = statements() else { return };
    let (mut good, mut bad) = (0, Vec::new());
    for (text, gives_outputs) in &statements {
        match parse(text) {
            Ok(_) => good += 1,
            Err(error) => bad.push((gives_outputs, error.render(text))),
        }
    }
    println!("{good} of {} statements parse", statements.len());
    for (gives_outputs, text) in &bad {
        println!("{} {text}\n", if **gives_outputs { "FAIL" } else { "(rejected case)" });
    }
    assert!(bad.iter().all(|(gives_outputs, _)| !**gives_outputs));
}
