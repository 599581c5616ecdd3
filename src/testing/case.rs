//! The JSON form of test cases: reading them, nothing of running them.

use std::collections::BTreeMap;

use super::json::Json;
use super::record::StatedRecord;

/// A case as its file states it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub name: String,
    pub statements: Vec<String>,
    pub properties: BTreeMap<String, String>,
    pub topics: Vec<TopicDeclaration>,
    pub inputs: Vec<StatedRecord>,
    pub outputs: Vec<StatedRecord>,
    /// What must hold afterwards, unread.
    pub post: Option<Json>,
    pub rejection: Option<Rejection>,
    /// One per statement, of the last statements when there are fewer.
    pub responses: Vec<Json>,
    /// The inputs come when the push query runs.
    pub waits_for_push_query: bool,
    /// The rows of a response come in the order stated.
    pub verify_order: bool,
}

/// A topic that exists beforehand.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicDeclaration {
    pub name: String,
    pub partitions: u32,
    pub key_format: Option<String>,
    pub value_format: Option<String>,
    pub has_schema: bool,
}

/// A statement must be rejected.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rejection {
    /// What a good message says, for the reader of the report.
    pub message: Option<String>,
    /// The HTTP status, where one is stated.
    pub status: Option<i64>,
}

/// A case's name, and itself or why it can't be read.
pub type NamedCase = (String, Result<Case, String>);

/// The cases of a file's text.
pub fn read_cases(text: &str) -> Result<Vec<NamedCase>, String> {
    let json = Json::parse(text).map_err(|error| format!("no JSON: {error}"))?;
    let tests = json.get("tests").and_then(Json::as_array).ok_or("no list `tests`")?;
    let name = |i: usize, test: &Json| match test.get("name").and_then(Json::as_str) {
        Some(name) => name.to_owned(),
        None => format!("case {}", i + 1),
    };
    Ok(tests.iter().enumerate().map(|(i, test)| (name(i, test), read_case(name(i, test), test))).collect())
}

fn read_case(name: String, json: &Json) -> Result<Case, String> {
    let statements = list(json, "statements")?
        .iter()
        .map(|statement| statement.as_str().map(str::to_owned).ok_or_else(|| format!("no statement: {statement}")))
        .collect::<Result<Vec<_>, _>>()?;
    let records = |name| list(json, name)?.iter().map(StatedRecord::read).collect::<Result<Vec<_>, _>>();
    let case = Case {
        name,
        statements,
        properties: read_properties(json)?,
        topics: list(json, "topics")?.iter().map(read_topic).collect::<Result<_, _>>()?,
        inputs: records("inputs")?,
        outputs: records("outputs")?,
        post: json.get("post").cloned(),
        rejection: read_rejection(json)?,
        responses: list(json, "responses")?.to_vec(),
        waits_for_push_query: read_flag(json, "inputConditions", "waitForActivePushQuery")?,
        verify_order: read_flag(json, "outputConditions", "verifyOrder")?,
    };
    match case {
        case if case.statements.is_empty() => Err("the case has no statements".to_owned()),
        case if case.responses.iter().any(|response| response.get("queryProto").is_some()) => {
            Err("responses in Protobuf are not supported".to_owned())
        }
        case if case.responses.len() > case.statements.len() => Err("more responses than statements".to_owned()),
        case => Ok(case),
    }
}

impl Case {
    /// Whether it states nothing but statements and inputs: then the sinks must stay empty.
    pub fn expects_no_output(&self) -> bool {
        self.outputs.is_empty() && self.post.is_none() && self.rejection.is_none() && self.responses.is_empty()
    }

    /// The response that belongs to a statement.
    pub fn response(&self, statement: usize) -> Option<&Json> {
        (statement + self.responses.len()).checked_sub(self.statements.len()).and_then(|i| self.responses.get(i))
    }
}

fn list<'a>(json: &'a Json, name: &str) -> Result<&'a [Json], String> {
    match json.get(name) {
        None | Some(Json::Null) => Ok(&[]),
        Some(Json::Array(items)) => Ok(items),
        Some(other) => Err(format!("`{name}` is no list: {other}")),
    }
}

fn read_properties(json: &Json) -> Result<BTreeMap<String, String>, String> {
    match json.get("properties") {
        None | Some(Json::Null) => Ok(BTreeMap::new()),
        Some(Json::Object(fields)) => Ok(fields.iter().map(|(name, value)| (name.clone(), value.plain())).collect()),
        Some(other) => Err(format!("`properties` is no object: {other}")),
    }
}

fn read_topic(json: &Json) -> Result<TopicDeclaration, String> {
    let name = json.get("name").and_then(Json::as_str).ok_or_else(|| format!("a topic without name: {json}"))?;
    let text = |field| json.get(field).and_then(Json::as_str).map(str::to_owned);
    let partitions = match json.get("partitions") {
        None => 1,
        Some(partitions) => partitions
            .as_i64()
            .and_then(|partitions| u32::try_from(partitions).ok())
            .filter(|&partitions| partitions > 0)
            .ok_or_else(|| format!("topic {name}: partitions {partitions}"))?,
    };
    Ok(TopicDeclaration {
        name: name.to_owned(),
        partitions,
        key_format: text("keyFormat").or_else(|| text("format")),
        value_format: text("valueFormat").or_else(|| text("format")),
        has_schema: ["schema", "keySchema", "valueSchema"].iter().any(|field| json.get(field).is_some()),
    })
}

fn read_rejection(json: &Json) -> Result<Option<Rejection>, String> {
    match json.get("expectedException").or_else(|| json.get("expectedError")) {
        None | Some(Json::Null) => Ok(None),
        Some(expected @ Json::Object(_)) => Ok(Some(Rejection {
            message: expected.get("message").map(Json::plain),
            status: expected.get("status").and_then(Json::as_i64),
        })),
        Some(other) => Err(format!("the expected rejection is no object: {other}")),
    }
}

/// A condition that is not known makes the case unreadable: ignoring it could pass what should not.
fn read_flag(json: &Json, group: &str, flag: &str) -> Result<bool, String> {
    match json.get(group) {
        None | Some(Json::Null) => Ok(false),
        Some(Json::Object(fields)) => match fields.iter().find(|(name, _)| name != flag) {
            Some((unknown, _)) => Err(format!("{group}.{unknown} is not supported")),
            None => Ok(fields.iter().any(|(_, value)| *value == Json::Bool(true))),
        },
        Some(other) => Err(format!("`{group}` is no object: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Result<Case, String> {
        read_cases(text).unwrap().remove(0).1
    }

    #[test]
    fn a_case_is_read() {
        let case = only(
            r#"{"tests":[{"name":"n","statements":["A;","B;","C;"],"properties":{"p":true,"q":1},
                "topics":[{"name":"t","partitions":3,"format":"JSON"}],
                "inputs":[{"topic":"t"}],"outputs":[{"topic":"u","timestamp":4}],
                "responses":[{"admin":{}},{"query":[]}],"inputConditions":{"waitForActivePushQuery":true}}]}"#,
        )
        .unwrap();
        assert_eq!(case.properties["p"], "true");
        assert_eq!(case.topics[0].partitions, 3);
        assert_eq!(case.topics[0].key_format.as_deref(), Some("JSON"));
        assert_eq!(case.inputs[0].key, Json::Null);
        assert_eq!(case.outputs[0].timestamp, Some(4));
        assert!(case.waits_for_push_query && !case.verify_order);
        assert_eq!(case.response(0), None);
        assert_eq!(case.response(1), Some(&case.responses[0]));
        assert_eq!(case.response(2), Some(&case.responses[1]));
    }

    #[test]
    fn what_can_not_be_read_says_why() {
        for (text, reason) in [
            (r#"{"tests":[{"name":"n","statements":[]}]}"#, "no statements"),
            (r#"{"tests":[{"name":"n","statements":["A;"],"outputs":[{"key":1}]}]}"#, "without topic"),
            (r#"{"tests":[{"name":"n","statements":["A;"],"post":{},"inputConditions":{"x":true}}]}"#, "not supported"),
            (r#"{"tests":[{"name":"n","statements":["A;"],"responses":[{},{}]}]}"#, "more responses"),
            (r#"{"tests":[{"name":"n","statements":["A;"],"responses":[{"queryProto":[]}]}]}"#, "Protobuf"),
        ] {
            assert!(only(text).unwrap_err().contains(reason), "{text}");
        }
        assert!(read_cases("{}").is_err());
        assert!(read_cases("{").is_err());
    }
}
