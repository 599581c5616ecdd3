//! The answers to statements as ksqlDB's entities: JSON objects with an `@type`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::catalog::{ColumnRole, SourceKind, SourceWindow};
use crate::engine::Status;
use crate::engine::facts::{
    ColumnDescription, Extent, Facts, Health, PlanDescription, QuerySummary, SourceDescription, SourceSummary,
    Standing, Told,
};
use crate::expr::functions::{self, Function, FunctionKind, Overload, Returns};
use crate::sql::ast::{Ident, ParsedStatement, SourceKind as Kind, Statement};
use crate::types::SqlType;

/// The entity of a statement that was carried out; None: the API answers such statements with nothing.
pub fn of_status(parsed: &ParsedStatement, status: &Status) -> Option<Value> {
    let command = match &parsed.statement {
        Statement::Set { .. }
        | Statement::Unset { .. }
        | Statement::Define { .. }
        | Statement::Undefine { .. }
        | Statement::InsertValues { .. }
        | Statement::DeleteRow { .. } => return None,
        Statement::AssertTopic { exists, topic, .. } => {
            return Some(entity(
                "assert_topic",
                &parsed.text,
                &status.warnings,
                json!({"topicName": topic.text, "exists": exists}),
            ));
        }
        Statement::CreateSource { kind, name, .. } => ("create", of_source(*kind, name)),
        Statement::CreateAs { kind, name, .. } => ("create", of_source(*kind, name)),
        Statement::AlterSource { kind, name, .. } => ("alter", of_source(*kind, name)),
        Statement::DropSource { kind, name, .. } => ("drop", of_source(*kind, name)),
        Statement::InsertSelect { target, .. } => ("create", ("stream", target.text.clone())),
        Statement::CreateType { name, .. } => ("create", ("type", name.text.clone())),
        Statement::DropType { name, .. } => ("drop", ("type", name.text.clone())),
        Statement::Terminate(id) => ("execute", ("terminate", of_query(id.as_ref()))),
        Statement::Pause(id) => ("execute", ("pause", of_query(id.as_ref()))),
        Statement::Resume(id) => ("execute", ("resume", of_query(id.as_ref()))),
        _ => ("execute", ("cluster", String::new())),
    };
    let (action, (kind, name)) = command;
    Some(entity(
        "currentStatus",
        &parsed.text,
        &status.warnings,
        json!({
            "commandId": format!("{kind}/{name}/{action}"),
            "commandStatus": {"status": "SUCCESS", "message": status.message, "queryId": status.query_id},
            "commandSequenceNumber": status.command_offset.unwrap_or(-1),
        }),
    ))
}

fn of_source(kind: Kind, name: &Ident) -> (&'static str, String) {
    let kind = match kind {
        Kind::Stream => "stream",
        Kind::Table => "table",
    };
    (kind, format!("`{}`", name.text))
}

fn of_query(id: Option<&Ident>) -> String {
    id.map_or_else(|| "ALL".to_owned(), |id| id.text.clone())
}

/// The entity of facts.
pub fn of_facts(statement: &str, told: &Told) -> Value {
    let (kind, body) = match &told.facts {
        Facts::Sources(SourceKind::Stream, sources) => ("streams", json!({"streams": sources_of(sources, "STREAM")})),
        Facts::Sources(SourceKind::Table, sources) => ("tables", json!({"tables": sources_of(sources, "TABLE")})),
        Facts::Topics(topics) => {
            let topic = |topic: &crate::log::TopicSummary| {
                // What is known of replicas is the cluster's; a log of one's own keeps one copy.
                let partitions = topic.partitions.unwrap_or(0) as usize;
                json!({"name": topic.name, "replicaInfo": vec![1; partitions]})
            };
            ("kafka_topics", json!({"topics": topics.iter().map(topic).collect::<Vec<_>>()}))
        }
        Facts::Queries(queries) => ("queries", json!({"queries": queries.iter().map(query).collect::<Vec<_>>()})),
        Facts::QueryDescriptions(plans) => {
            ("query_descriptions", json!({"queryDescriptions": plans.iter().map(plan_described).collect::<Vec<_>>()}))
        }
        Facts::Functions(functions) => {
            let function = |(name, category): &(String, String)| {
                let kind = functions::table().get(name).map_or("SCALAR", |function| kind_of(function));
                json!({"name": name, "type": kind, "category": category})
            };
            ("function_names", json!({"functions": functions.iter().map(function).collect::<Vec<_>>()}))
        }
        Facts::Properties(properties) => {
            let property = |property: &crate::engine::facts::Property| json!({"name": property.name, "scope": "KSQL", "value": property.value, "editable": true});
            let overridden = properties.iter().filter(|property| property.overridden);
            let defaults = properties.iter().filter(|property| !property.overridden);
            (
                "properties",
                json!({
                    "properties": properties.iter().map(property).collect::<Vec<_>>(),
                    "overwrittenProperties": overridden.map(|property| &property.name).collect::<Vec<_>>(),
                    "defaultProperties": defaults.map(|property| &property.name).collect::<Vec<_>>(),
                }),
            )
        }
        Facts::Variables(variables) => {
            let variable = |(name, value): &(String, String)| json!({"name": name, "value": value});
            ("variables", json!({"variables": variables.iter().map(variable).collect::<Vec<_>>()}))
        }
        Facts::Types(types) => {
            let types: serde_json::Map<_, _> = types.iter().map(|(name, ty)| (name.clone(), schema(ty))).collect();
            ("type_list", json!({"types": types}))
        }
        Facts::Source(source) => ("sourceDescription", json!({"sourceDescription": described(source)})),
        Facts::SourceDescriptions(sources) => {
            ("source_descriptions", json!({"sourceDescriptions": sources.iter().map(described).collect::<Vec<_>>()}))
        }
        Facts::Query(query) => ("queryDescription", json!({"queryDescription": query_described(query)})),
        Facts::Plan(plan) => ("queryDescription", json!({"queryDescription": plan_described(plan)})),
        Facts::Function(name) => ("describe_function", functions::table().get(name).map_or(Value::Null, function)),
    };
    entity(kind, statement, &told.warnings, body)
}

/// A statement's text as ksqlDB's API has it.
pub fn with_semicolon(statement: &str) -> String {
    format!("{};", statement.trim_end().trim_end_matches(';'))
}

/// What all entities have, and `body`'s fields.
fn entity(kind: &str, statement: &str, warnings: &[String], body: Value) -> Value {
    let warning = |text: &String| json!({"message": text});
    let mut entity = json!({
        "@type": kind,
        "statementText": with_semicolon(statement),
        "warnings": warnings.iter().map(warning).collect::<Vec<_>>(),
    });
    if let (Value::Object(entity), Value::Object(body)) = (&mut entity, body) {
        entity.extend(body);
    }
    entity
}

fn sources_of(sources: &[SourceSummary], kind: &str) -> Vec<Value> {
    let source = |source: &SourceSummary| {
        json!({
            "type": kind,
            "name": source.name,
            "topic": source.topic,
            "keyFormat": source.key_format,
            "valueFormat": source.value_format,
            "isWindowed": source.windowed,
        })
    };
    sources.iter().map(source).collect()
}

fn query(query: &QuerySummary) -> Value {
    json!({
        "queryString": query.statement,
        "sinks": [query.sink],
        "sinkKafkaTopics": [query.sink_topic],
        "id": query.id,
        "statusCount": state_counts(&query.standing),
        "queryType": "PERSISTENT",
        "state": state(&query.standing),
    })
}

/// Of all processes that told: one that has failed is what is to be known of it.
fn state(standing: &Standing) -> &'static str {
    let failed = standing.elsewhere.iter().any(|(_, health)| *health == Health::Error);
    if failed { Health::Error.word() } else { standing.health.word() }
}

/// In how many processes it is doing how.
fn state_counts(standing: &Standing) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    let all = standing.elsewhere.iter().map(|(_, health)| *health).chain([standing.health]);
    all.for_each(|health| *counts.entry(health.word()).or_default() += 1);
    counts
}

/// By process; `this` is the one that is asked.
fn host_states(standing: &Standing) -> BTreeMap<&str, &'static str> {
    let others = standing.elsewhere.iter().map(|(host, health)| (host.as_str(), health.word()));
    others.chain([("this", standing.health.word())]).collect()
}

/// A type as ksqlDB's API tells it: `type`, `fields` of a STRUCT, `memberSchema` of an ARRAY or MAP.
pub fn schema(ty: &SqlType) -> Value {
    let simple = |name: &str| json!({"type": name, "fields": null, "memberSchema": null});
    match ty {
        SqlType::Boolean => simple("BOOLEAN"),
        SqlType::Int => simple("INTEGER"),
        SqlType::Bigint => simple("BIGINT"),
        SqlType::Double => simple("DOUBLE"),
        SqlType::String => simple("STRING"),
        SqlType::Bytes => simple("BYTES"),
        SqlType::Time => simple("TIME"),
        SqlType::Date => simple("DATE"),
        SqlType::Timestamp => simple("TIMESTAMP"),
        SqlType::Decimal { precision, scale } => json!({
            "type": "DECIMAL",
            "parameters": {"precision": precision, "scale": scale},
            "fields": null,
            "memberSchema": null,
        }),
        SqlType::Array(item) => json!({"type": "ARRAY", "fields": null, "memberSchema": schema(item)}),
        SqlType::Map(value) => json!({"type": "MAP", "fields": null, "memberSchema": schema(value)}),
        SqlType::Struct(fields) => {
            let field = |(name, ty): &(String, SqlType)| json!({"name": name, "schema": schema(ty)});
            json!({"type": "STRUCT", "fields": fields.iter().map(field).collect::<Vec<_>>(), "memberSchema": null})
        }
    }
}

fn fields(columns: &[ColumnDescription]) -> Vec<Value> {
    let field = |column: &ColumnDescription| {
        let mut field = json!({"name": column.name, "schema": schema(&column.ty)});
        let kind = match &column.role {
            ColumnRole::Key => "KEY",
            ColumnRole::Headers | ColumnRole::Header(_) => "HEADER",
            ColumnRole::Value => return field,
        };
        field["type"] = json!(kind);
        if let ColumnRole::Header(name) = &column.role {
            field["headerKey"] = json!(name);
        }
        field
    };
    columns.iter().map(field).collect()
}

fn described(source: &SourceDescription) -> Value {
    let window = source.window.map(|window| match window {
        SourceWindow::Time { hopping: true, .. } => "HOPPING",
        SourceWindow::Time { hopping: false, .. } => "TUMBLING",
        SourceWindow::Session => "SESSION",
    });
    let kind = match source.kind {
        SourceKind::Stream => "STREAM",
        SourceKind::Table => "TABLE",
    };
    let offsets = source.extent.iter().flat_map(|Extent { offsets, .. }| offsets.iter().enumerate());
    let offsets: Vec<Value> = offsets
        .map(
            |(partition, (first, next))| json!({"partition": partition, "logStartOffset": first, "logEndOffset": next}),
        )
        .collect();
    json!({
        "name": source.summary.name,
        "windowType": window,
        "readQueries": source.read_by.iter().map(query).collect::<Vec<_>>(),
        "writeQueries": source.written_by.iter().map(query).collect::<Vec<_>>(),
        "fields": fields(&source.columns),
        "type": kind,
        "timestamp": source.timestamp.clone().unwrap_or_default(),
        "statistics": "",
        "errorStats": "",
        "extended": source.extended,
        "keyFormat": source.summary.key_format,
        "valueFormat": source.summary.value_format,
        "topic": source.summary.topic,
        "partitions": source.partitions.unwrap_or(0),
        "replication": source.replicas.unwrap_or(u16::from(source.partitions.is_some())),
        "statement": source.statement,
        "queryOffsetSummaries": if source.extended { json!([{"groupId": null, "kafkaTopic": source.summary.topic, "offsets": offsets}]) } else { json!([]) },
        "sourceConstraints": source.constraints,
        "clusterStatistics": [],
        "clusterErrorStats": [],
    })
}

fn query_described(query: &QuerySummary) -> Value {
    json!({
        "id": query.id,
        "statementText": query.statement,
        "windowType": null,
        "fields": [],
        "sources": [],
        "sinks": [query.sink],
        "topology": "",
        "executionPlan": "",
        "overriddenProperties": {},
        "ksqlHostQueryStatus": host_states(&query.standing),
        "queryType": "PERSISTENT",
        "queryErrors": errors(query),
        "tasksMetadata": [],
        "state": state(&query.standing),
    })
}

/// Why it doesn't run.
fn errors(query: &QuerySummary) -> Vec<Value> {
    match query.standing.health {
        Health::Error => vec![json!({"errorMessage": query.standing.state, "type": "SYSTEM"})],
        Health::Running | Health::Paused | Health::NotRunning => Vec::new(),
    }
}

fn plan_described(plan: &PlanDescription) -> Value {
    let standing = plan.query.as_ref().map(|query| &query.standing);
    json!({
        "id": plan.query.as_ref().map_or("", |query| &query.id),
        "statementText": plan.statement,
        "windowType": null,
        "fields": fields(&plan.columns),
        "sources": plan.sources,
        "sinks": plan.sink.iter().collect::<Vec<_>>(),
        "topology": plan.steps,
        "executionPlan": plan.steps,
        "overriddenProperties": {},
        "ksqlHostQueryStatus": standing.map_or_else(|| json!({}), |standing| json!(host_states(standing))),
        "queryType": if plan.sink.is_some() { "PERSISTENT" } else { "PUSH" },
        "queryErrors": plan.query.as_ref().map(errors).unwrap_or_default(),
        "tasksMetadata": [],
        "state": standing.map(state),
    })
}

fn kind_of(function: &Function) -> &'static str {
    match function.kind {
        FunctionKind::Scalar => "SCALAR",
        FunctionKind::Aggregate => "AGGREGATE",
        FunctionKind::Table => "TABLE",
    }
}

fn function(function: &Function) -> Value {
    let overload = |overload: &Overload| {
        let argument = |(i, param): (usize, &functions::Param)| {
            json!({
                "name": param.name,
                "type": functions::type_text(&param.ty),
                "description": param.description,
                "isVariadic": overload.variadic == Some(i),
            })
        };
        json!({
            "arguments": overload.params.iter().enumerate().map(argument).collect::<Vec<_>>(),
            "returnType": returned(&overload.returns),
            "description": function.description,
        })
    };
    json!({
        "name": function.name,
        "description": function.description,
        "author": "Millpond",
        "version": env!("CARGO_PKG_VERSION"),
        "path": "internal",
        "functions": function.overloads.iter().map(overload).collect::<Vec<_>>(),
        "type": kind_of(function),
    })
}

fn returned(returns: &Returns) -> Option<String> {
    match returns {
        Returns::Is(ty) => Some(functions::type_text(ty)),
        Returns::Computed(_) => None,
    }
}
