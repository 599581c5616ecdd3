//! POST /millpond/pull: a pull query that another process passes on.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State as Shared;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::super::access::Role;
use super::super::failure::Failure;
use super::super::guard;
use super::super::payload::Payload;
use super::super::state::{State, blocking};
use crate::engine::ResultColumn;
use crate::engine::peers::{PartAnswer, PartAsked};
use crate::error::{Error, Result};
use crate::server::local;

/// The first line of an answer; rows follow.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Head {
    Columns(Vec<ResultColumn>),
    /// Who asks is to answer by itself.
    Declined(String),
}

pub async fn pull(
    Shared(state): Shared<Arc<State>>,
    Extension(role): Extension<Role>,
    Payload(body): Payload,
) -> Response {
    if let Err(failure) = guard::allow(role, Role::Admin) {
        return failure.into_response();
    }
    let asked: PartAsked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return Failure::bad_request(format!("Malformed request: {error}")).into_response(),
    };
    let answer = move || {
        let answer = match state.face.shared() {
            Some(engine) => engine.pull_part(&asked),
            None => Err(Error::world("this process shares its work with no others")),
        };
        write(answer)
    };
    match blocking(answer).await {
        Ok(Ok(bytes)) => ([(header::CONTENT_TYPE, "application/x-ndjson")], bytes).into_response(),
        Ok(Err(error)) | Err(error) => Failure::of(&error).into_response(),
    }
}

fn write(answer: Result<PartAnswer>) -> Result<Vec<u8>> {
    let (head, rows) = match answer {
        Ok(PartAnswer { columns, rows, warnings }) => (Head::Columns(columns), Some((rows, warnings))),
        Err(error) => (Head::Declined(error.to_string()), None),
    };
    let mut bytes =
        serde_json::to_vec(&head).map_err(|error| Error::internal(format!("an answer can't be written: {error}")))?;
    bytes.push(b'\n');
    if let Some((rows, warnings)) = rows {
        local::write_lines(&rows, warnings, &mut bytes);
    }
    Ok(bytes)
}

/// Reads an answer.
///
/// Errors: why there are no rows.
pub fn read(bytes: &[u8]) -> Result<PartAnswer, String> {
    let end = memchr::memchr(b'\n', bytes).ok_or("the answer is cut off")?;
    match serde_json::from_slice(&bytes[..end]).map_err(|error| error.to_string())? {
        Head::Columns(columns) => {
            let (rows, warnings) = local::read_lines(&bytes[end + 1..])?;
            Ok(PartAnswer { columns, rows, warnings })
        }
        Head::Declined(why) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Row;
    use crate::types::{SqlType, Value};

    #[test]
    fn answers_are_read_as_they_were_written() {
        let row = |n: i64| Row { values: vec![Value::Bigint(n), Value::Double(f64::NAN)], tombstone: false };
        let columns = vec![ResultColumn::new("N", SqlType::Bigint), ResultColumn::new("D", SqlType::Double)];
        let answer = PartAnswer { columns, rows: (0..3).map(row).collect(), warnings: vec!["lag 5".to_owned()] };
        let bytes = write(Ok(answer.clone())).unwrap();
        let back = read(&bytes).unwrap();
        // NaN is no number that equals itself.
        assert_eq!(format!("{back:?}"), format!("{answer:?}"));
        assert!(read(&bytes[..bytes.len() / 2]).is_err());
        let declined = write(Err(Error::world("not mine"))).unwrap();
        assert_eq!(read(&declined).unwrap_err(), "not mine");
    }
}
