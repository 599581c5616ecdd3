//! All functions as a page for people: `docs/functions.md`.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::expr::functions::describe::type_text;
use crate::expr::functions::{Function, FunctionTable, Overload, Returns};

const HEAD: &str = "\
# Functions

<!-- Made of the functions' own table: MILLPOND_WRITE_DOCS=1 cargo test --lib functions::tests::docs -->

`SHOW FUNCTIONS` lists them, `DESCRIBE FUNCTION name` tells of one. All examples on this page are run as tests.

- A call means the overload whose parameters have the types of its arguments. Where none does, arguments are cast: INT to BIGINT
  to DECIMAL to DOUBLE, and STRING to BYTES, DATE, TIME and TIMESTAMP. Aggregates cast nothing.
- `x...` may be given any number of times. `T` and `U` stand for any type, the same one in all of an overload.
- A function that fails for a row gives NULL there, and the processing log has the reason.
- Texts are counted in UTF-16 units. Units of time are the words DAYS, HOURS, MINUTES, SECONDS and MILLISECONDS.
- What ksqlDB's functions do oddly they do here; [oddities.md](oddities.md) has the settings that put it right.

Aggregates stand in the SELECT and HAVING clauses of a query with GROUP BY. All but COUNT_DISTINCT also aggregate tables, whose rows change
and go. `COUNT(DISTINCT x)` counts each value once, and exactly; so do SUM, AVG and the others of one value, those by offset
excepted. `SUM(x) FILTER (WHERE condition)` takes the rows for which the condition is true. In their examples `x` and `y` are columns with these
rows.
";

/// The page.
pub fn reference(table: &FunctionTable) -> String {
    let mut categories: BTreeMap<&str, Vec<&Function>> = BTreeMap::new();
    for function in table.iter() {
        categories.entry(function.category).or_default().push(function);
    }
    let mut out = HEAD.to_owned();
    // A String takes all that is written to it.
    for (category, functions) in &categories {
        let names: Vec<String> = functions
            .iter()
            .map(|function| format!("[{}](#{})", function.name, function.name.to_lowercase()))
            .collect();
        let _ = write!(out, "\n## {}\n\n{}\n", title(category), names.join(", "));
        for function in functions {
            write_function(function, &mut out);
        }
    }
    out
}

/// `DATE / TIME` as a heading.
fn title(category: &str) -> String {
    let lower = category.to_lowercase();
    match lower.as_str() {
        "json" | "url" => category.to_owned(),
        _ => lower[..1].to_uppercase() + &lower[1..],
    }
}

fn write_function(function: &Function, out: &mut String) {
    let _ = write!(out, "\n### {}\n\n{} {}\n\n```\n", function.name, function.description, function.nulls);
    for overload in &function.overloads {
        let _ = writeln!(out, "{}{}", overload.signature(function.name), returns(overload));
    }
    out.push_str("```\n\n");
    let mut known: Vec<(&str, &str)> = Vec::new();
    for param in function.overloads.iter().flat_map(|overload| &overload.params) {
        if !known.contains(&(param.name, param.description)) {
            known.push((param.name, param.description));
            let _ = writeln!(out, "- `{}`: {}", param.name, param.description);
        }
    }
    if !known.is_empty() {
        out.push('\n');
    }
    let examples = function.examples.iter().map(|(call, result)| format!("`{call}` gives `{result}`"));
    let _ = writeln!(out, "{}", examples.collect::<Vec<_>>().join("  \n"));
}

fn returns(overload: &Overload) -> String {
    match &overload.returns {
        Returns::Is(ty) => format!(" -> {}", type_text(ty)),
        // Of DECIMALs, by their precision and scale.
        Returns::Computed(_) => String::new(),
    }
}
