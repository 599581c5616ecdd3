//! Listings (SHOW, DESCRIBE) as tables that fit the terminal, or as JSON lines.

use unicode_width::UnicodeWidthStr;

use super::exit::{Stop, complain};
use super::output::{Output, OutputFormat};
use super::table::{self, Column, Look};
use crate::engine::Listing;
use crate::types::json;

/// Columns of counts: numbers in JSON, too.
const COUNTS: &[&str] = &["Partitions", "Records", "Rows In", "Rows Out", "Late", "Bad", "Lag"];
/// Columns of what is so or not: booleans in JSON, as in ksqlDB's.
const FLAGS: &[&str] = &["Windowed"];
/// Columns that nobody misses while all their counts are 0.
const COUNTS_OF_TROUBLE: &[&str] = &["Late", "Bad"];
/// Is cut to the terminal's width; EXPLAIN tells the whole.
const STATEMENT: &str = "Query String";
/// Where a statement would get less than this, it is left out.
const STATEMENT_WIDTH_MIN: usize = 16;
/// Facts wider than the terminal are broken, unless that leaves less than this.
const FACT_WIDTH_MIN: usize = 20;

pub fn show(listing: &Listing, out: &mut Output) -> Result<(), Stop> {
    for warning in &listing.warnings {
        complain(&format!("warning: {warning}"));
    }
    if out.format == OutputFormat::Json {
        return json_lines(listing, out);
    }
    facts(&listing.facts, out)?;
    if listing.columns.is_empty() {
        return Ok(());
    }
    if !listing.facts.is_empty() {
        out.line("")?;
    }
    if listing.kind == "functions" && out.width().is_some() {
        return by_category(listing, out);
    }
    let mut shown = without_empty(listing);
    if let Some(width) = out.width() {
        fit_statement(&mut shown, width);
    }
    let look = Look { wrap: out.wrap, column_width: out.column_width };
    let columns = Column::of(&shown.columns, &shown.rows);
    Ok(out.line(&table::whole(&columns, &shown.rows, out.width(), look))?)
}

/// A table of a command's own.
pub fn show_table(columns: &[&str], rows: &[Vec<String>], out: &mut Output) -> Result<(), Stop> {
    let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
    let look = Look { wrap: out.wrap, column_width: out.column_width };
    let table = table::whole(&Column::of(&columns, rows), rows, out.width(), look);
    Ok(out.line(&table)?)
}

fn json_lines(listing: &Listing, out: &mut Output) -> Result<(), Stop> {
    if !listing.facts.is_empty() {
        let facts: Vec<_> = listing.facts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        out.line(&object(&facts))?;
    }
    for row in &listing.rows {
        let members: Vec<_> = listing.columns.iter().zip(row).map(|(n, v)| (n.as_str(), v.as_str())).collect();
        out.line(&object(&members))?;
    }
    Ok(())
}

/// A JSON object of strings, of numbers where counts are meant, and of booleans.
pub fn object(members: &[(&str, &str)]) -> String {
    let mut line = String::from("{");
    for (i, (name, value)) in members.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        json::put_string(&mut line, name);
        line.push(':');
        match value.parse::<i64>() {
            Ok(count) if COUNTS.contains(name) => line.push_str(&count.to_string()),
            _ if FLAGS.contains(name) && ["true", "false"].contains(value) => line.push_str(value),
            _ => json::put_string(&mut line, value),
        }
    }
    line.push('}');
    line
}

/// `Name : value`; the further lines of a value stand below its first.
fn facts(facts: &[(String, String)], out: &mut Output) -> Result<(), Stop> {
    let names = facts.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    let room = out.width().map(|width| width.saturating_sub(names + 3)).filter(|room| *room >= FACT_WIDTH_MIN);
    for (name, value) in facts {
        let lines = match room {
            Some(room) => table::wrap(value, room),
            None => value.split('\n').map(str::to_owned).collect(),
        };
        for (i, line) in lines.iter().enumerate() {
            match i {
                0 => out.line(&format!("{name}{} : {line}", " ".repeat(names - name.width())))?,
                _ => out.line(&format!("{}{line}", " ".repeat(names + 3)))?,
            }
        }
    }
    Ok(())
}

/// Without the columns that tell nothing: no value at all, or no trouble.
fn without_empty(listing: &Listing) -> Listing {
    let tells = |i: usize| {
        let is_trouble = COUNTS_OF_TROUBLE.contains(&listing.columns[i].as_str());
        let is_nothing = |cell: &String| cell.is_empty() || (is_trouble && (cell == "0" || cell == "-"));
        i == 0 || listing.rows.is_empty() || !listing.rows.iter().all(|row| row.get(i).is_none_or(is_nothing))
    };
    let kept: Vec<usize> = (0..listing.columns.len()).filter(|&i| tells(i)).collect();
    let pick = |cells: &[String]| kept.iter().filter_map(|&i| cells.get(i).cloned()).collect::<Vec<_>>();
    Listing {
        kind: listing.kind.clone(),
        facts: Vec::new(),
        columns: pick(&listing.columns),
        rows: listing.rows.iter().map(|row| pick(row)).collect(),
        warnings: Vec::new(),
    }
}

/// Cuts statements to one line in what the other columns leave of the terminal.
fn fit_statement(listing: &mut Listing, width: usize) {
    let Some(place) = listing.columns.iter().position(|name| name == STATEMENT) else { return };
    let widest = |i: usize| {
        let cells = listing.rows.iter().filter_map(|row| row.get(i)).chain([&listing.columns[i]]);
        cells.map(|cell| cell.width()).max().unwrap_or(0) + 3
    };
    let others: usize = (0..listing.columns.len()).filter(|&i| i != place).map(widest).sum();
    let room = width.saturating_sub(others + 4);
    if room < STATEMENT_WIDTH_MIN && !listing.rows.is_empty() {
        listing.columns.remove(place);
        listing.rows.iter_mut().for_each(|row| drop(row.remove(place)));
        return;
    }
    for row in &mut listing.rows {
        row[place] = table::cut(&row[place], room);
    }
}

/// Functions: a paragraph a category.
fn by_category(listing: &Listing, out: &mut Output) -> Result<(), Stop> {
    let mut categories: Vec<(String, Vec<&str>)> = Vec::new();
    for row in &listing.rows {
        let [name, category] = row.as_slice() else { continue };
        match categories.iter_mut().find(|(other, _)| other == category) {
            Some((_, names)) => names.push(name),
            None => categories.push((category.clone(), vec![name])),
        }
    }
    categories.sort();
    let paragraphs: Vec<_> = categories.into_iter().map(|(category, names)| (category, names.join(", "))).collect();
    facts(&paragraphs, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    fn shown(listing: &Listing, format: OutputFormat, width: Option<usize>) -> String {
        let (mut out, memory) = Output::into_memory(format, width);
        show(listing, &mut out).unwrap();
        std::io::Write::flush(&mut out).unwrap();
        memory.text()
    }

    fn queries(bad: &str) -> Listing {
        Listing {
            kind: "queries".into(),
            facts: Vec::new(),
            columns: texts(&["Query ID", "Rows In", "Bad", "Query String"]),
            rows: vec![texts(&["Q1", "12", bad, "CREATE TABLE t AS SELECT a, COUNT(*) FROM s GROUP BY a"])],
            warnings: Vec::new(),
        }
    }

    #[test]
    fn counts_are_numbers_and_flags_booleans_in_json() {
        let line = object(&[("Stream Name", "true"), ("Windowed", "false"), ("Partitions", "3"), ("Records", "-")]);
        assert_eq!(line, r#"{"Stream Name":"true","Windowed":false,"Partitions":3,"Records":"-"}"#);
    }

    #[test]
    fn statements_take_the_room_that_is_left() {
        let text = shown(&queries("0"), OutputFormat::Tabular, Some(50));
        assert_eq!(text.lines().nth(3), Some("| Q1       |      12 | CREATE TABLE t AS SELE... |"), "{text}");
        let text = shown(&queries("3"), OutputFormat::Tabular, Some(40));
        assert_eq!(text.lines().nth(3), Some("| Q1       |      12 |   3 |"), "{text}");
        assert!(shown(&queries("0"), OutputFormat::Tabular, None).contains("GROUP BY a |"));
    }

    #[test]
    fn counts_are_numbers_in_json() {
        let text = shown(&queries("0"), OutputFormat::Json, Some(40));
        assert!(text.starts_with(r#"{"Query ID":"Q1","Rows In":12,"Bad":0,"Query String":"CREATE"#), "{text}");
    }

    #[test]
    fn facts_go_on_below_themselves() {
        let facts = vec![("SQL".to_owned(), "CREATE a\n  b".to_owned()), ("State".to_owned(), "RUNNING".to_owned())];
        let (columns, rows, warnings) = (Vec::new(), Vec::new(), Vec::new());
        let listing = Listing { kind: "query".into(), facts, columns, rows, warnings };
        let text = shown(&listing, OutputFormat::Tabular, Some(80));
        assert_eq!(text, "SQL   : CREATE a\n          b\nState : RUNNING\n");
    }

    #[test]
    fn facts_stand_above_their_table() {
        let facts = vec![("Folder".to_owned(), "D".to_owned())];
        let (columns, rows) = (texts(&["Name", "Topic"]), vec![texts(&["S", "t"])]);
        let listing = Listing { kind: "description".into(), facts, columns, rows, warnings: Vec::new() };
        let text = shown(&listing, OutputFormat::Tabular, None);
        let table = "+------+-------+\n| Name | Topic |\n+------+-------+\n| S    | t     |\n+------+-------+\n";
        assert_eq!(text, format!("Folder : D\n\n{table}"));
        let text = shown(&listing, OutputFormat::Json, None);
        assert_eq!(text, "{\"Folder\":\"D\"}\n{\"Name\":\"S\",\"Topic\":\"t\"}\n");
    }

    #[test]
    fn functions_come_by_category() {
        let rows = vec![texts(&["ABS", "MATH"]), texts(&["LEN", "STRING"]), texts(&["SIN", "MATH"])];
        let columns = texts(&["Function Name", "Category"]);
        let (facts, warnings) = (Vec::new(), Vec::new());
        let listing = Listing { kind: "functions".into(), facts, columns, rows, warnings };
        assert_eq!(shown(&listing, OutputFormat::Tabular, Some(80)), "MATH   : ABS, SIN\nSTRING : LEN\n");
    }
}
