//! What must hold when the inputs are processed: sources and topics.

use super::json::Json;
use super::schema::same_schema;
use super::subject::{KeyWindow, SourceSummary, Subject, TopicLayout};
use super::verdict::Miss;
use crate::format::{Format, Layout};
use crate::sql::ast::SourceKind;

/// Topics that queries have for themselves.
const INTERNAL: &str = "_confluent-ksql-";

/// Checks the `post` part of a case. A fact it doesn't know is an error, never passed over.
pub fn check(subject: &dyn Subject, post: &Json) -> Result<(), Miss> {
    for (name, value) in fields(post)? {
        match name {
            "sources" => items(value)?.iter().try_for_each(|source| check_source(subject, source))?,
            "topics" => check_topics(subject, value)?,
            "comment" | "comments" => {}
            other => return Err(Miss::error(format!("post.{other} is not supported"))),
        }
    }
    Ok(())
}

fn fields(json: &Json) -> Result<impl Iterator<Item = (&str, &Json)>, Miss> {
    match json {
        Json::Object(fields) => Ok(fields.iter().map(|(name, value)| (name.as_str(), value))),
        other => Err(Miss::error(format!("no object: {other}"))),
    }
}

fn items(json: &Json) -> Result<&[Json], Miss> {
    json.as_array().ok_or_else(|| Miss::error(format!("no list: {json}")))
}

fn name_of(json: &Json) -> Result<&str, Miss> {
    json.get("name").and_then(Json::as_str).ok_or_else(|| Miss::error(format!("no name: {json}")))
}

fn same(what: &str, expected: impl ToString, actual: impl ToString) -> Result<(), Miss> {
    let (expected, actual) = (expected.to_string(), actual.to_string());
    if expected == actual {
        return Ok(());
    }
    Err(Miss::fail(format!("{what} differs\n  expected: {expected}\n  actual:   {actual}")))
}

fn check_source(subject: &dyn Subject, expected: &Json) -> Result<(), Miss> {
    let name = name_of(expected)?;
    let Some(actual) = subject.source(name) else {
        return Err(Miss::fail(format!("source {name} does not exist")));
    };
    for (field, value) in fields(expected)? {
        let what = format!("{field} of source {name}");
        match field {
            "name" => same(&what, value.plain(), &actual.name)?,
            "type" => same(&what, value.plain().to_lowercase(), kind(&actual))?,
            "keyFormat" => {
                same(&what, format_name(value)?, actual.key_format.to_uppercase())?;
                check_key_window(subject, &what, value, &actual)?;
            }
            "valueFormat" => same(&what, format_name(value)?, actual.value_format.to_uppercase())?,
            "keyFeatures" => same(&what, words(value)?, sorted(&actual.key_features))?,
            "valueFeatures" => same(&what, words(value)?, sorted(&actual.value_features))?,
            "isSource" => same(&what, value.plain(), actual.is_source)?,
            "schema" if value.is_null() => {}
            "schema" if same_schema(&value.plain(), &actual.schema) => {}
            "schema" => same(&what, value.plain(), &actual.schema)?,
            "comment" => {}
            other => return Err(Miss::error(format!("post.sources: {other} is not supported"))),
        }
    }
    Ok(())
}

fn kind(source: &SourceSummary) -> &'static str {
    match source.kind {
        SourceKind::Stream => "stream",
        SourceKind::Table => "table",
    }
}

/// A format stands as its name or as an object with it.
fn format_name(json: &Json) -> Result<String, Miss> {
    match json.get("format").unwrap_or(json) {
        Json::String(name) => Ok(name.to_uppercase()),
        other => Err(Miss::error(format!("no format: {other}"))),
    }
}

/// A key format given as an object states the window, too; without `windowType` there is none.
fn check_key_window(subject: &dyn Subject, what: &str, format: &Json, source: &SourceSummary) -> Result<(), Miss> {
    let Json::Object(fields) = format else { return Ok(()) };
    let stated = format.get("windowType").map_or("none".to_owned(), |name| name.plain().to_uppercase());
    let actual = source.window_type.as_ref().map_or("none".to_owned(), |name| name.to_uppercase());
    same(&format!("window type of {what}"), stated, actual)?;
    for (name, value) in fields {
        match name.as_str() {
            "format" | "windowType" => {}
            "windowSize" => {
                let size = match subject.layouts(&source.topic).and_then(|layout| layout.window) {
                    Some(KeyWindow::Time { size_ms }) => size_ms.to_string(),
                    Some(KeyWindow::Session) | None => "none".to_owned(),
                };
                same(&format!("window size of {what}"), value.plain(), size)?;
            }
            other => return Err(Miss::error(format!("{what}: {other} is not supported"))),
        }
    }
    Ok(())
}

fn words(json: &Json) -> Result<String, Miss> {
    Ok(sorted(&items(json)?.iter().map(Json::plain).collect::<Vec<_>>()))
}

fn sorted(words: &[String]) -> String {
    let mut words: Vec<_> = words.iter().map(|word| word.to_uppercase()).collect();
    words.sort();
    format!("[{}]", words.join(", "))
}

fn check_topics(subject: &dyn Subject, expected: &Json) -> Result<(), Miss> {
    for (field, value) in fields(expected)? {
        match field {
            "topics" => items(value)?.iter().try_for_each(|topic| check_topic(subject, topic))?,
            "blacklist" => check_blacklist(subject, &value.plain())?,
            "comment" => {}
            other => return Err(Miss::error(format!("post.topics.{other} is not supported"))),
        }
    }
    Ok(())
}

fn check_blacklist(subject: &dyn Subject, pattern: &str) -> Result<(), Miss> {
    let pattern = regex::Regex::new(&format!("^(?:{pattern})$"))
        .map_err(|error| Miss::error(format!("post.topics.blacklist: {error}")))?;
    match subject.log().topics().into_iter().find(|topic| pattern.is_match(topic)) {
        Some(topic) => Err(Miss::fail(format!("topic {topic} exists; none may match {pattern}"))),
        None => Ok(()),
    }
}

/// What an internal topic is for: the query's name without its number (which says when it was made) and the part of it.
fn purpose(topic: &str) -> Option<(&str, &str)> {
    let (_, of_query) = topic.strip_prefix(INTERNAL)?.split_once("query_")?;
    let (id, part) = of_query.split_once('-')?;
    Some((id.trim_end_matches(|c: char| c.is_ascii_digit()), part))
}

/// Topics that a query has for itself hold rows in a form of our own, and their names begin with the service and the number of
/// the query: what is compared of them is that they are there for their purpose, by which key rows go between stages,
/// and in how many partitions.
fn check_topic(subject: &dyn Subject, expected: &Json) -> Result<(), Miss> {
    let stated = name_of(expected)?;
    let wanted = purpose(stated);
    let internal = wanted.is_some();
    let is_wanted = |topic: &str| internal && purpose(topic) == wanted;
    let exchange = subject.exchanges().into_iter().find(|exchange| is_wanted(&exchange.topic));
    let of_log = subject.log().topics().into_iter().find(|topic| is_wanted(topic));
    let name = of_log.as_deref().unwrap_or(stated);
    let partitions = exchange.as_ref().map(|exchange| exchange.partitions).or_else(|| subject.log().partitions(name));
    let Some(partitions) = partitions else {
        return Err(Miss::fail(format!("topic {stated} does not exist")));
    };
    let layout = subject.layouts(name);
    for (field, value) in fields(expected)? {
        let what = format!("{field} of topic {name}");
        match (field, &exchange) {
            ("name" | "comment", _) => {}
            ("partitions", _) => same(&what, value.plain(), partitions)?,
            ("keyFormat", Some(exchange)) => check_layout(&what, value, Some(&exchange.key))?,
            ("keyFormat" | "valueFormat", _) if internal => {}
            ("keyFormat", _) => check_layout(&what, value, layout.as_ref().map(|TopicLayout { key, .. }| key))?,
            ("valueFormat", _) => check_layout(&what, value, layout.as_ref().map(|TopicLayout { value, .. }| value))?,
            (other, _) => {
                return Err(Miss::error(format!("post.topics: {other} is not supported (no schema registry)")));
            }
        }
    }
    Ok(())
}

fn check_layout(what: &str, expected: &Json, layout: Option<&Layout>) -> Result<(), Miss> {
    let Some(layout) = layout else {
        return Err(Miss::fail(format!("{what} is not known: no source is registered on the topic")));
    };
    let actual = match layout.format {
        Format::Kafka => "KAFKA",
        Format::Delimited => "DELIMITED",
        Format::Json => "JSON",
        Format::None => "NONE",
    };
    same(what, format_name(expected)?, actual)?;
    if let Some(features) = expected.get("features") {
        let actual = if layout.wrapped { "WRAP_SINGLES" } else { "UNWRAP_SINGLES" };
        same(&format!("features of {what}"), words(features)?, sorted(&[actual.to_owned()]))?;
    }
    match expected.get("properties") {
        None => Ok(()),
        Some(properties) => Err(Miss::error(format!("post.topics: properties {properties} are not supported"))),
    }
}
