//! The forms in which rows go to a client.

use serde_json::json;

use super::failure::Failure;
use crate::engine::{ResultColumn, Row};
use crate::types::json::put_value;

/// A form of rows, chosen by endpoint and Accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// /query: an array of objects, `header`, then `row`s, then `finalMessage` or `errorMessage`.
    Objects,
    /// The same of a query that goes on: each element ends its line with its comma, so that who reads lines has it when it comes.
    PushObjects,
    /// /query-stream as JSON: an array whose first element is the header and whose others are rows.
    Array,
    /// /query-stream: the header as an object, then each row as an array, one a line.
    Delimited,
    /// PRINT: a line a record.
    Lines,
}

pub const KSQL_JSON: &str = "application/vnd.ksql.v1+json";
pub const DELIMITED: &str = "application/vnd.ksqlapi.delimited.v1";
pub const JSON: &str = "application/json";

impl RowFormat {
    /// The form in which rows go that come one after the other, without an end.
    pub fn of_push(self) -> RowFormat {
        if self == RowFormat::Objects { RowFormat::PushObjects } else { self }
    }

    /// What comes before the rows.
    pub fn header(self, columns: &[ResultColumn], query_id: Option<&str>, out: &mut String) {
        match self {
            RowFormat::Objects | RowFormat::PushObjects => {
                let columns: Vec<String> = columns
                    .iter()
                    .map(|column| format!("`{}` {}{}", column.name, column.ty, if column.key { " KEY" } else { "" }))
                    .collect();
                let mut header = json!({"schema": columns.join(", ")});
                if let Some(id) = query_id {
                    header = json!({"queryId": id, "schema": columns.join(", ")});
                }
                out.push_str(&format!("[{}", json!({"header": header})));
                if self == RowFormat::PushObjects {
                    out.push_str(",\n");
                }
            }
            RowFormat::Array | RowFormat::Delimited => {
                let header = json!({
                    "queryId": query_id,
                    "columnNames": columns.iter().map(|column| &column.name).collect::<Vec<_>>(),
                    "columnTypes": columns.iter().map(|column| column.ty.to_string()).collect::<Vec<_>>(),
                });
                match self {
                    RowFormat::Array => out.push_str(&format!("[{header}")),
                    _ => out.push_str(&format!("{header}\n")),
                }
            }
            RowFormat::Lines => {}
        }
    }

    /// A row. A form that can't tell a tombstone from a row of NULLs leaves it out, as ksqlDB does.
    pub fn row(self, row: &Row, out: &mut String) {
        match self {
            RowFormat::Objects => {
                out.push_str(",\n");
                put_row(row, out);
            }
            RowFormat::PushObjects => {
                put_row(row, out);
                out.push_str(",\n");
            }
            RowFormat::Array | RowFormat::Delimited if row.tombstone => {}
            RowFormat::Array => {
                out.push_str(",\n");
                put_values(row, out);
            }
            RowFormat::Delimited => {
                put_values(row, out);
                out.push('\n');
            }
            RowFormat::Lines => {}
        }
    }

    /// What comes behind the rows. `message`: why those of a push query end.
    pub fn end(self, message: &str, out: &mut String) {
        match self {
            RowFormat::Objects => out.push_str("]\n"),
            RowFormat::PushObjects => out.push_str(&format!("{}]\n", json!({"finalMessage": message}))),
            RowFormat::Array => out.push_str("]\n"),
            RowFormat::Delimited | RowFormat::Lines => {}
        }
    }

    /// An error behind what was sent already.
    pub fn failure(self, failure: &Failure, out: &mut String) {
        match self {
            RowFormat::Objects => out.push_str(&format!(",\n{}]\n", json!({"errorMessage": failure.body()}))),
            RowFormat::PushObjects => out.push_str(&format!("{}]\n", json!({"errorMessage": failure.body()}))),
            RowFormat::Array => out.push_str(&format!(",\n{}]\n", failure.body())),
            RowFormat::Delimited | RowFormat::Lines => out.push_str(&format!("{}\n", failure.body())),
        }
    }
}

/// What of these an Accept header prefers, the first where it has no preference. None: none of them.
pub fn negotiate<F: Copy>(accept: Option<&str>, offered: &[(&'static str, F)]) -> Option<(&'static str, F)> {
    let Some(accept) = accept else { return offered.first().copied() };
    let mut best: Option<(f32, (&'static str, F))> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .and_then(|weight| weight.parse::<f32>().ok())
            .unwrap_or(1.0);
        let fits = |offer: &&(&'static str, F)| {
            name == "*/*" || name == offer.0 || name.strip_suffix('*').is_some_and(|kind| offer.0.starts_with(kind))
        };
        if let Some(offer) = offered.iter().find(fits)
            && weight > 0.0
            && best.is_none_or(|(other, _)| weight > other)
        {
            best = Some((weight, *offer));
        }
    }
    best.map(|(_, offer)| offer)
}

/// `{"row":{"columns":[...]}}`, with `"tombstone":true` of a deleted key.
pub fn put_row(row: &Row, out: &mut String) {
    out.push_str("{\"row\":{\"columns\":");
    put_values(row, out);
    out.push_str(if row.tombstone { ",\"tombstone\":true}}" } else { "}}" });
}

fn put_values(row: &Row, out: &mut String) {
    out.push('[');
    for (i, value) in row.values.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        put_value(out, value);
    }
    out.push(']');
}
