//! Answers to statements: what an admin statement says, and the rows of queries.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::answer::{Answer, Came, Rows};
use super::codec::double;
use super::compare::compare;
use super::drive::shorten;
use super::json::Json;
use super::schema::columns_without_keys;
use super::verdict::Miss;
use crate::engine::{Page, Reply};
use crate::error::Error;
use crate::types::{SqlType, Value};

/// How long rows that are expected are waited for.
pub const ROWS_WAIT: Duration = Duration::from_secs(10);
/// How long a query is watched for rows beyond those expected, or for a late failure, when it has no end of its own.
const EXTRA_WAIT: Duration = Duration::from_millis(100);

/// Checks the answer to a statement against what is stated.
pub fn check(response: &Json, answer: Answer, verify_order: bool) -> Result<(), Miss> {
    match (response.get("query"), answer) {
        (Some(Json::Array(stated)), Answer::Rows(rows)) => check_rows(stated, rows, verify_order),
        (Some(_), _) => Err(Miss::fail("rows are expected; the statement gave none")),
        (None, answer) => check_admin(response, &answer),
    }
}

/// Checks the answer to an admin statement: the facts stated must be there.
pub fn check_admin(response: &Json, answer: &Answer) -> Result<(), Miss> {
    let Some(Json::Object(fields)) = response.get("admin") else {
        return Err(Miss::error(format!("responses of this kind are not supported: {}", shorten(response))));
    };
    if let Answer::Entities(entities) = answer {
        return check_entity(fields, entities);
    }
    for (name, value) in fields {
        let actual = match (name.as_str(), answer) {
            ("@type", Answer::Reply(Reply::Done(_))) => "currentStatus".to_owned(),
            ("@type", Answer::Reply(Reply::Facts(told))) => match told.page() {
                Page::Listing(listing) => listing.kind,
                Page::Text(_) => "text".to_owned(),
            },
            ("@type", Answer::Rows(_)) => "rows".to_owned(),
            _ => return Err(Miss::error(format!("responses.admin.{name} is not supported"))),
        };
        if value.plain() != actual {
            return Err(Miss::fail(format!("{name} of the answer: expected {}, actual {actual}", value.plain())));
        }
    }
    Ok(())
}

/// The entity has the fields stated; others may be there.
fn check_entity(stated: &[(String, Json)], entities: &[Json]) -> Result<(), Miss> {
    let [entity] = entities else {
        return Err(Miss::fail(format!("one entity is expected, {} came", entities.len())));
    };
    for (name, expected) in stated {
        let actual = entity.get(name).ok_or_else(|| Miss::fail(format!("the entity has no {name}: {entity}")))?;
        compare(name, expected, actual, None).map_err(|difference| Miss::fail(difference.to_string()))?;
    }
    Ok(())
}

/// What a `query` response states.
#[derive(Debug, Default)]
struct Stated<'a> {
    schema: Option<&'a str>,
    is_push: bool,
    /// Columns, and whether it is a tombstone.
    rows: Vec<(&'a [Json], bool)>,
    last: Option<&'a str>,
}

impl<'a> Stated<'a> {
    fn read(items: &'a [Json]) -> Result<Self, Miss> {
        let mut stated = Stated::default();
        for item in items {
            let Json::Object(fields) = item else { return Err(unknown(item)) };
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("header", Json::Object(fields)) => stated.read_header(fields)?,
                    ("row", row) => stated.read_row(row)?,
                    ("finalMessage", Json::String(message)) => stated.last = Some(message),
                    _ => return Err(unknown(item)),
                }
            }
        }
        Ok(stated)
    }

    fn read_header(&mut self, fields: &'a [(String, Json)]) -> Result<(), Miss> {
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("schema", Json::String(schema)) => self.schema = Some(schema),
                // Every engine names its queries in its own way: there must be an id.
                ("queryId" | "queryId|starts_with", _) => self.is_push = true,
                _ => return Err(unknown(value)),
            }
        }
        Ok(())
    }

    fn read_row(&mut self, row: &'a Json) -> Result<(), Miss> {
        let columns = row.get("columns").and_then(Json::as_array).ok_or_else(|| unknown(row))?;
        self.rows.push((columns, row.get("tombstone") == Some(&Json::Bool(true))));
        Ok(())
    }
}

fn unknown(json: &Json) -> Miss {
    Miss::error(format!("this part of a response is not supported: {}", shorten(json)))
}

fn check_rows(stated: &[Json], mut rows: Rows, verify_order: bool) -> Result<(), Miss> {
    let stated = Stated::read(stated)?;
    check_header(&stated, &rows)?;
    let has_end = stated.last.is_some() || !rows.has_id;
    let read = read(&mut rows, stated.rows.len(), has_end);
    if let Some(error) = read.failure {
        return Err(Miss::unexpected("the query failed", &error));
    }
    match_rows(&stated, read.rows, &rows.types, verify_order)?;
    match (stated.last, read.last.as_deref()) {
        (Some(expected), Some(actual)) if expected == actual => Ok(()),
        (None, _) => Ok(()),
        (Some(expected), actual) => {
            Err(Miss::fail(format!("final message: expected {expected}, actual {}", actual.unwrap_or("none"))))
        }
    }
}

fn check_header(stated: &Stated<'_>, rows: &Rows) -> Result<(), Miss> {
    if stated.is_push && !rows.has_id {
        return Err(Miss::fail("a push query is expected; the query has no id"));
    }
    let Some(expected) = stated.schema else { return Ok(()) };
    let actual = &rows.schema;
    if columns_without_keys(expected) == columns_without_keys(actual) {
        return Ok(());
    }
    Err(Miss::fail(format!("the schema of the rows differs\n  expected: {expected}\n  actual:   {actual}")))
}

fn match_rows(stated: &Stated<'_>, rows: Vec<(Json, bool)>, types: &[SqlType], verify_order: bool) -> Result<(), Miss> {
    let count = rows.len();
    let mut left = rows;
    for (i, &(columns, tombstone)) in stated.rows.iter().enumerate() {
        let fits = |(row, is_tombstone): &(Json, bool)| *is_tombstone == tombstone && same_row(columns, row, types);
        let found = if verify_order { left.first().is_some_and(fits).then_some(0) } else { left.iter().position(fits) };
        match found {
            Some(index) => drop(left.remove(index)),
            None => {
                let actual: String = left.iter().take(5).map(|(row, _)| format!("\n    {row}")).collect();
                let expected = Json::Array(columns.to_vec());
                let note = if tombstone { " (tombstone)" } else { "" };
                return Err(Miss::fail(format!(
                    "row {} of {} is missing ({} rows came)\n  expected: {expected}{note}\n  actual, not matched so far:{}",
                    i + 1,
                    stated.rows.len(),
                    count,
                    if actual.is_empty() { " none" } else { &actual }
                )));
            }
        }
    }
    match left.first() {
        Some((extra, _)) => {
            Err(Miss::fail(format!("{count} rows came, {} expected\n  too many: {extra}", stated.rows.len())))
        }
        None => Ok(()),
    }
}

fn same_row(expected: &[Json], actual: &Json, types: &[SqlType]) -> bool {
    let Json::Array(actual) = actual else { return false };
    expected.len() == actual.len()
        && expected
            .iter()
            .zip(actual)
            .enumerate()
            .all(|(i, (expected, actual))| compare("", expected, actual, types.get(i)).is_ok())
}

/// What came of a query.
#[derive(Debug, Default)]
struct Read {
    /// The columns as an array, and whether it is a tombstone.
    rows: Vec<(Json, bool)>,
    last: Option<String>,
    failure: Option<Error>,
}

/// Reads rows to the end, or, of a query that has none, until the expected number and a little longer.
fn read(rows: &mut Rows, expected: usize, has_end: bool) -> Read {
    let mut read = Read::default();
    let mut until = crate::time::now() + ROWS_WAIT;
    let mut complete = false;
    loop {
        if !complete && !has_end && read.rows.len() >= expected {
            complete = true;
            until = crate::time::now() + EXTRA_WAIT;
        }
        match rows.next(until) {
            Came::Row { columns, tombstone } => read.rows.push((Json::Array(columns), tombstone)),
            Came::End(message) => {
                read.last = message;
                return read;
            }
            Came::Failed(error) => {
                read.failure = Some(error);
                return read;
            }
            Came::Nothing => return read,
        }
    }
}

/// The failure of a query, if it fails: some rejections come with the rows.
pub fn failure(mut rows: Rows) -> Option<Error> {
    let has_end = !rows.has_id;
    read(&mut rows, 0, has_end).failure
}

/// A value as JSON; dates and times as Kafka has them, as numbers.
pub fn value_json(value: &Value) -> Json {
    let entries = |entries: &[(String, Value)]| {
        Json::Object(entries.iter().map(|(name, value)| (name.clone(), value_json(value))).collect())
    };
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::Bool(*value),
        Value::Int(value) | Value::Time(value) | Value::Date(value) => Json::number(value),
        Value::Bigint(value) | Value::Timestamp(value) => Json::number(value),
        Value::Double(value) => double(*value),
        Value::Decimal { unscaled, scale, .. } => Json::Number(decimal_text(&unscaled.to_string(), *scale as usize)),
        Value::String(text) => Json::string(text),
        Value::Bytes(bytes) => Json::String(BASE64.encode(bytes)),
        Value::Array(items) => Json::Array(items.iter().map(value_json).collect()),
        Value::Map(fields) | Value::Struct(fields) => entries(fields),
    }
}

/// Puts the point into the digits of a decimal.
fn decimal_text(unscaled: &str, scale: usize) -> String {
    let (sign, digits) = match unscaled.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", unscaled),
    };
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{fraction}")
}
