//! Consumer groups and their positions.

use super::{kind_keyword, statement};
use crate::catalog::SourceKind;
use crate::error::Error;

/// `topics`: those that the query reads.
pub fn topic_of_others(query: &str, topic: &str, topics: &[String]) -> Error {
    statement(format!("Query {query} doesn't read topic '{topic}'.")).hint(format!("it reads {}", topics.join(", ")))
}

pub fn query_at_work(query: &str) -> Error {
    statement(format!("Query {query} is running, and only it sets its positions."))
        .hint(format!("PAUSE {query}; then reset its group, then RESUME {query};"))
}

/// `sink`: what the query makes.
pub fn state_of_query(query: &str, sink: &str, kind: SourceKind) -> Error {
    keeps_state(&format!("Query {query}"))
        .hint(format!("DROP {} {sink} and create it anew: it begins where auto.offset.reset says", kind_keyword(kind)))
}

/// `topic`: that of the application's state.
pub fn state_of_application(group: &str, topic: &str) -> Error {
    keeps_state(&format!("The application of group '{group}'"))
        .hint(format!("its state is in topic '{topic}': reset the application by its own means"))
}

fn keeps_state(who: &str) -> Error {
    statement(format!(
        "{who} keeps state that follows from what it has read: read from elsewhere, its answers would be wrong."
    ))
}

pub fn of_other_service(group: &str) -> Error {
    statement(format!("Group '{group}' is of a query that this service doesn't have."))
        .hint("give the service's own settings: --config-file with its ksql.service.id")
}

/// `why`: what the log says of the group's members; `of_query`: they are processes that run a query.
pub fn members_at_work(why: &str, of_query: bool) -> Error {
    statement(why).hint(match of_query {
        true => {
            "a paused query stays a member: stop all processes of the service that run it, reset, and start them again; \
             one that was killed is a member until its session times out (session.timeout.ms, 10 s)"
        }
        false => "stop its consumers first; one that was killed is a member until its session times out",
    })
}

/// Reading with the group of a query.
pub fn of_query(group: &str) -> Error {
    statement(format!("Group '{group}' holds the positions of a query.")).hint("read with a group of another name")
}
