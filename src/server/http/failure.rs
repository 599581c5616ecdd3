//! Errors as ksqlDB's API tells them: an HTTP status, a number that says more, and who must act.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

use super::entity::with_semicolon;
use crate::error::{Audience, Error};

/// What is wrong, as `error_code` tells it: the status times 100, and a number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    BadRequest,
    BadStatement,
    /// A query was sent where only statements are taken.
    QueryEndpoint,
    TooManyPushQueries,
    Unauthorized,
    Forbidden,
    NotFound,
    NotAllowed,
    NotAcceptable,
    TooLarge,
    TooSlow,
    /// ASSERT found the contrary.
    AssertionFailed,
    /// As much is under way as may be.
    TooMany,
    Internal,
    /// The command that a request waits for doesn't come.
    CommandAwaited,
    ShuttingDown,
    /// The service was ended for good.
    Terminated,
}

impl Code {
    fn number(self) -> u32 {
        match self {
            Code::BadRequest => 40000,
            Code::BadStatement => 40001,
            Code::QueryEndpoint => 40002,
            Code::TooManyPushQueries => 40003,
            Code::Unauthorized => 40100,
            Code::Forbidden => 40300,
            Code::NotFound => 40400,
            Code::NotAllowed => 40500,
            Code::NotAcceptable => 40600,
            Code::TooSlow => 40800,
            Code::TooLarge => 41300,
            Code::AssertionFailed => 41700,
            Code::TooMany => 42900,
            Code::Internal => 50000,
            Code::CommandAwaited => 50301,
            Code::ShuttingDown => 50303,
            Code::Terminated => 50304,
        }
    }

    fn status(self) -> StatusCode {
        u16::try_from(self.number() / 100)
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// A request that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    code: Code,
    message: String,
    /// The statement that failed, and what those before it in the request gave.
    statement: Option<(String, Vec<Value>)>,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Failure { code, message: message.into(), statement: None }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Failure::new(Code::BadRequest, message)
    }

    /// A statement that failed.
    pub fn of_statement(error: &Error, statement: &str) -> Self {
        let code = match error.audience {
            Audience::Statement | Audience::NotSupported => Code::BadStatement,
            Audience::World | Audience::Internal => Code::Internal,
        };
        Failure::new(code, error.to_string()).about(statement)
    }

    /// An error that is of no statement.
    pub fn of(error: &Error) -> Self {
        let code = match error.audience {
            Audience::Statement | Audience::NotSupported => Code::BadRequest,
            Audience::World | Audience::Internal => Code::Internal,
        };
        Failure::new(code, error.to_string())
    }

    /// Names the statement.
    #[must_use]
    pub fn about(mut self, statement: &str) -> Self {
        self.statement = Some((with_semicolon(statement), Vec::new()));
        self
    }

    /// Adds what the statements before it gave: they are carried out.
    #[must_use]
    pub fn after(mut self, entities: Vec<Value>) -> Self {
        if let Some((_, before)) = &mut self.statement {
            *before = entities;
        }
        self
    }

    /// The body of the answer.
    pub fn body(&self) -> Value {
        match &self.statement {
            None => json!({
                "@type": "generic_error",
                "error_code": self.code.number(),
                "message": self.message,
            }),
            Some((statement, entities)) => json!({
                "@type": "statement_error",
                "error_code": self.code.number(),
                "message": self.message,
                "statementText": statement,
                "entities": entities,
            }),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.code.status(), Json(self.body())).into_response();
        if self.code == Code::Unauthorized {
            let challenge = axum::http::HeaderValue::from_static("Basic realm=\"millpond\"");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
