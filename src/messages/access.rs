//! Who may ask a server, and where it is.

use super::statement;
use crate::error::Error;

/// `name`: of a user or token.
pub fn name(name: &str, chars_max: usize) -> Error {
    statement(format!("'{name}' can't be a name")).hint(format!("at most {chars_max} letters, digits and -_.@"))
}

pub fn empty_password() -> Error {
    statement("The password is empty").hint("type one, or add a token instead: `millpond access token`")
}

/// `file`: the one of users and tokens.
pub fn unknown_name(file: &str, name: &str) -> Error {
    statement(format!("{file} has no user and no token '{name}'"))
        .hint("each line of the file has one: user or token, name, role")
}

/// `roles`: those that there are.
pub fn unknown_role(role: &str, roles: &[&str]) -> Error {
    statement(format!("'{role}' is no role")).hint(format!("the roles are {}", roles.join(", ")))
}

pub fn token() -> Error {
    statement("The token can't stand in a header").hint("a token is letters and digits on one line")
}

/// `why`: what of the URL is wrong.
pub fn address(url: &str, why: &str) -> Error {
    statement(format!("'{url}' is not the address of a server: {why}"))
        .hint("for example http://localhost:8088, or https://pond.example.org:8088")
}
