//! The processing log: a topic of what could not be processed, and why. SELECT and PRINT read it.

use base64::Engine as _;
use serde_json::json;

use crate::dataflow::operator::{ErrorKind, ProcessingError};
use crate::log::Records;

/// What is kept of a record.
const RECORD_BYTES_MAX: usize = 64 << 10;

/// The statement that declares the stream over its topic.
pub fn statement(topic: &str) -> String {
    format!(
        "CREATE STREAM KSQL_PROCESSING_LOG (LOGGER STRING, LEVEL STRING, TYPE STRING, MESSAGE STRING, TOPIC STRING, \
         PARTITION_ID INT, RECORD_OFFSET BIGINT, RECORD_TIME BIGINT, RECORD STRING, RECORD_B64 STRING) \
         WITH (KAFKA_TOPIC='{topic}', VALUE_FORMAT='JSON');"
    )
}

/// One record per error: the query, the kind, the reason, where the record lies, and what it was.
pub fn encode(query_id: &str, errors: &[ProcessingError]) -> Records {
    let mut records = Records::default();
    for error in errors {
        // The start of a long record says what it was; the whole lies in its topic.
        let bytes = error.record.as_deref().map(|bytes| &bytes[..bytes.len().min(RECORD_BYTES_MAX)]);
        let text = bytes.map(String::from_utf8_lossy);
        let is_text = bytes.is_none_or(|bytes| !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok());
        let entry = json!({
            "LOGGER": format!("processing.{query_id}"),
            "LEVEL": "ERROR",
            "TYPE": kind(error.kind),
            "MESSAGE": error.reason,
            "TOPIC": error.topic,
            "PARTITION_ID": error.partition,
            "RECORD_OFFSET": error.offset,
            "RECORD_TIME": error.row_time,
            "RECORD": text,
            "RECORD_B64": bytes.filter(|_| !is_text).map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes)),
        });
        let value = entry.to_string();
        records.push(None, Some(value.as_bytes()), error.row_time.unwrap_or(0).max(0));
    }
    records
}

fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Deserialization | ErrorKind::Removed => "DESERIALIZATION",
        ErrorKind::Processing | ErrorKind::RowTime => "RECORD_PROCESSING",
        ErrorKind::Serialization => "SERIALIZATION",
        ErrorKind::Late => "LATE",
    }
}
