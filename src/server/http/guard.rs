//! What stands before the routes: who asks, from which web page, under which name.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::{Quick, Role};
use super::failure::{Code, Failure};
use super::state::{State, blocking};
use crate::sql::ast::Statement;

/// Paths that containers ask without a name.
const OPEN_PATHS: [&str; 2] = ["/chc/ready", "/chc/live"];
/// Passwords that are checked at once: it takes a core for tens of milliseconds.
pub const CHECKS_MAX: usize = 2;

/// Lets a request pass, with the [`Role`] of who sent it among its extensions.
pub async fn check(Shared(state): Shared<Arc<State>>, mut request: Request, next: Next) -> Response {
    if let Err(failure) = check_page(&state, request.headers()) {
        return failure.into_response();
    }
    if OPEN_PATHS.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    if state.terminated.load(Ordering::SeqCst) {
        return Failure::new(Code::Terminated, "The service was ended; the server stops").into_response();
    }
    match role(&state, request.headers()).await {
        Ok(role) => {
            request.extensions_mut().insert(role);
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    }
}

async fn role(state: &Arc<State>, headers: &HeaderMap) -> Result<Role, Failure> {
    let Some(access) = &state.access else { return Ok(Role::Admin) };
    let wrong = || Failure::new(Code::Unauthorized, "The name and password, or the token, are not right");
    let unauthorized =
        || Failure::new(Code::Unauthorized, "Who asks must say who it is: a name and password, or a token");
    let authorization = headers.get(header::AUTHORIZATION).and_then(|header| header.to_str().ok());
    let Some(authorization) = authorization.map(str::to_owned) else { return Err(unauthorized()) };
    match access.quick_role(&authorization) {
        Quick::Known(role) => return Ok(role),
        Quick::Nobody => return Err(wrong()),
        Quick::Unknown => {}
    }
    let permit = state.checks.clone().acquire_owned().await;
    let state = state.clone();
    let found = blocking(move || {
        let _permit = permit;
        state.access.as_ref().and_then(|access| access.role(&authorization))
    });
    match found.await {
        Ok(Some(role)) => Ok(role),
        Ok(None) => Err(wrong()),
        Err(error) => Err(Failure::of(&error)),
    }
}

/// A web page may not use a reader's browser to get at a server that only trusts its own machine: pages of other origins than
/// those allowed are refused, and so are names that stand for this machine's address only in somebody else's DNS.
fn check_page(state: &State, headers: &HeaderMap) -> Result<(), Failure> {
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        if !state.origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin)) {
            let why = format!("Pages of {origin} are not allowed here (--allow-origin)");
            return Err(Failure::new(Code::Forbidden, why));
        }
    }
    if state.access.is_some() || !state.loopback {
        return Ok(());
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match host.map(is_own_name) {
        None | Some(true) => Ok(()),
        Some(false) => Err(Failure::new(
            Code::Forbidden,
            "Without an access file the server answers to localhost and addresses only, not to other names",
        )),
    }
}

fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// What a statement asks of who gives it.
pub fn needed(statement: &Statement) -> Role {
    match statement {
        Statement::Select(_) | Statement::Print { .. } | Statement::AssertTopic { .. } => Role::Read,
        statement if statement.is_of_what_is_known() => Role::Read,
        Statement::InsertValues { .. } | Statement::DeleteRow { .. } => Role::Write,
        _ => Role::Admin,
    }
}

/// Refuses what a role may not do.
pub fn allow(role: Role, needed: Role) -> Result<(), Failure> {
    match role >= needed {
        true => Ok(()),
        false => {
            let why = format!("This needs the role {}; you have the role {}", needed.name(), role.name());
            Err(Failure::new(Code::Forbidden, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_are_own_names() {
        for host in ["localhost", "LOCALHOST:8088", "127.0.0.1:1", "[::1]:8088", "[::1]", "10.0.0.3"] {
            assert!(is_own_name(host), "{host}");
        }
        for host in ["example.org", "localhost.example.org:8088", "127.0.0.1.nip.io", "", "[example]:1"] {
            assert!(!is_own_name(host), "{host}");
        }
    }

    #[test]
    fn statements_need_roles() {
        let needed_by = |text: &str| needed(&crate::sql::parse(text).unwrap()[0].statement);
        for text in ["SELECT * FROM s;", "SHOW QUERIES;", "EXPLAIN q;", "PRINT 't';", "SET 'a'='b';"] {
            assert_eq!(needed_by(text), Role::Read, "{text}");
        }
        assert_eq!(needed_by("INSERT INTO s VALUES (1);"), Role::Write);
        for text in
            ["CREATE STREAM a AS SELECT * FROM s;", "INSERT INTO a SELECT * FROM s;", "TERMINATE q;", "DROP TABLE t;"]
        {
            assert_eq!(needed_by(text), Role::Admin, "{text}");
        }
        assert!(allow(Role::Admin, Role::Read).is_ok() && allow(Role::Read, Role::Write).is_err());
    }
}
