//! Facts as a table or a text for people.

use std::fmt::Write;

use super::{
    ColumnDescription, Counts, Facts, PlanDescription, Property, QuerySummary, SourceDescription, SourceSummary,
    Standing, Told,
};
use crate::catalog::{ColumnRole, SourceKind, SourceWindow};
use crate::engine::Listing;
use crate::expr::functions;
use crate::log::TopicSummary;

/// What a terminal shows of facts.
#[derive(Debug, Clone, PartialEq)]
pub enum Page {
    /// A table, with facts above it.
    Listing(Listing),
    /// Lines.
    Text(String),
}

impl Told {
    /// As a terminal shows it.
    pub fn page(&self) -> Page {
        match &self.facts {
            Facts::Plan(plan) => Page::Text(self.warned(plan_text(plan))),
            Facts::SourceDescriptions(sources) => {
                Page::Text(self.warned(sources.iter().map(|source| text_of(&described(source))).collect()))
            }
            Facts::QueryDescriptions(plans) => {
                let plans: Vec<String> = plans.iter().map(plan_text).collect();
                Page::Text(self.warned(plans.join("\n")))
            }
            Facts::Function(name) => {
                Page::Text(functions::table().get(name).map(functions::describe).unwrap_or_default())
            }
            facts => Page::Listing(Listing { warnings: self.warnings.clone(), ..listing(facts) }),
        }
    }

    fn warned(&self, text: String) -> String {
        self.warnings.iter().map(|warning| format!("Warning: {warning}\n\n")).collect::<String>() + &text
    }
}

/// Of those facts that are a table.
fn listing(facts: &Facts) -> Listing {
    match facts {
        Facts::Sources(kind, sources) => sources_listed(*kind, sources),
        Facts::Topics(topics) => topics_listed(topics),
        Facts::Queries(queries) => queries_listed(queries),
        Facts::Functions(functions) => pairs("functions", ["Function Name", "Category"], functions.iter().cloned()),
        Facts::Properties(properties) => properties_listed(properties),
        Facts::Variables(variables) => pairs("variables", ["Variable Name", "Value"], variables.iter().cloned()),
        Facts::Types(types) => {
            pairs("types", ["Type Name", "Schema"], types.iter().map(|(name, ty)| (name.clone(), ty.to_string())))
        }
        Facts::Source(source) => described(source),
        Facts::Query(query) => Listing {
            kind: "query".to_string(),
            facts: [
                vec![fact("ID", query.id.clone()), fact("SQL", query.statement.clone())],
                standing_facts(&query.standing),
            ]
            .concat(),
            ..Listing::default()
        },
        Facts::SourceDescriptions(_) | Facts::QueryDescriptions(_) | Facts::Function(_) | Facts::Plan(_) => {
            Listing::default()
        }
    }
}

fn fact(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_string(), value.into())
}

fn table(kind: &str, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Listing {
    Listing {
        kind: kind.to_string(),
        columns: columns.iter().map(ToString::to_string).collect(),
        rows: rows.collect(),
        ..Listing::default()
    }
}

fn pairs(kind: &str, columns: [&str; 2], rows: impl Iterator<Item = (String, String)>) -> Listing {
    table(kind, &columns, rows.map(|(first, second)| vec![first, second]))
}

fn sources_listed(kind: SourceKind, sources: &[SourceSummary]) -> Listing {
    let (name, title) = match kind {
        SourceKind::Stream => ("streams", "Stream Name"),
        SourceKind::Table => ("tables", "Table Name"),
    };
    let row = |source: &SourceSummary| {
        let SourceSummary { name, topic, key_format, value_format, windowed } = source.clone();
        vec![name, topic, key_format, value_format, windowed.to_string()]
    };
    table(name, &[title, "Kafka Topic", "Key Format", "Value Format", "Windowed"], sources.iter().map(row))
}

fn topics_listed(topics: &[TopicSummary]) -> Listing {
    // What isn't known of one is a dash, and the others are told all the same.
    let text = |count: Option<i64>| count.map_or_else(|| "-".to_string(), |count| count.to_string());
    let row =
        |topic: &TopicSummary| vec![topic.name.clone(), text(topic.partitions.map(i64::from)), text(topic.records)];
    table("topics", &["Kafka Topic", "Partitions", "Records"], topics.iter().map(row))
}

fn queries_listed(queries: &[QuerySummary]) -> Listing {
    let shared = queries.iter().any(|query| query.standing.told_by.is_some());
    let spread = queries.iter().any(|query| !query.standing.elsewhere.is_empty());
    let row = |query: &QuerySummary| {
        let count = |of: fn(&Counts) -> String| query.standing.counts.as_ref().map_or_else(|| "-".to_string(), of);
        let mut row = vec![
            query.id.clone(),
            query.standing.state.clone(),
            query.sink.clone(),
            count(|counts| counts.rows_in.to_string()),
            count(|counts| counts.rows_out.to_string()),
            count(|counts| counts.late.to_string()),
            count(|counts| counts.bad.to_string()),
            count(|counts| counts.lag.to_string()),
        ];
        row.extend(shared.then(|| query.standing.told_by.map(process).unwrap_or_default()));
        row.extend(spread.then(|| elsewhere(&query.standing)));
        row.push(query.statement.split_whitespace().collect::<Vec<_>>().join(" "));
        row
    };
    let mut columns = vec!["Query ID", "Status", "Sink Name", "Rows In", "Rows Out", "Late", "Bad", "Lag"];
    columns.extend(shared.then_some("Told By"));
    columns.extend(spread.then_some("Elsewhere"));
    columns.push("Query String");
    table("queries", &columns, queries.iter().map(row))
}

/// `pond-1:8088 RUNNING, pond-2:8088 PAUSED`
fn elsewhere(standing: &Standing) -> String {
    let told = standing.elsewhere.iter().map(|(host, health)| format!("{host} {}", health.word()));
    told.collect::<Vec<_>>().join(", ")
}

fn process(id: u32) -> String {
    format!("process {id}")
}

fn properties_listed(properties: &[Property]) -> Listing {
    let row = |property: &Property| {
        let overridden = if property.overridden { "SESSION" } else { "" };
        let Property { name, value, description, .. } = property.clone();
        vec![name, overridden.to_string(), value, description]
    };
    let columns = ["Property", "Default override", "Effective Value", "Meaning"];
    table("properties", &columns, properties.iter().map(row))
}

/// `12, of 3.4 ms each`
fn commits_text(counts: &Counts) -> String {
    match counts.commits {
        0 => "0".to_string(),
        commits => format!("{commits}, of {:.1} ms each", counts.commit_micros as f64 / 1000.0 / commits as f64),
    }
}

/// State and counts of a query.
fn standing_facts(standing: &Standing) -> Vec<(String, String)> {
    let mut facts = vec![fact("State", standing.state.clone())];
    facts.extend(standing.told_by.map(|id| fact("Told by", process(id))));
    facts.extend((!standing.elsewhere.is_empty()).then(|| fact("Elsewhere", elsewhere(standing))));
    if let Some(counts) = &standing.counts {
        facts.extend([
            fact("Rows in", counts.rows_in.to_string()),
            fact("Rows out", counts.rows_out.to_string()),
            fact("Late", counts.late.to_string()),
            fact("Bad", counts.bad.to_string()),
            fact("Lag", counts.lag.to_string()),
            fact("State bytes", counts.state_bytes.to_string()),
            fact("Commits", commits_text(counts)),
            fact("Snapshots", counts.snapshots.clone()),
        ]);
    }
    facts.extend(standing.warning.as_ref().map(|text| fact("Warning", text.clone())));
    facts
}

/// `CTAS_T_1 RUNNING`, and, where asked, its counts.
fn query_line(query: &QuerySummary, counts: bool) -> String {
    let facts = standing_facts(&query.standing).into_iter();
    let said: Vec<String> = facts
        .take(if counts { usize::MAX } else { 1 })
        .map(|(name, value)| if name == "State" { value } else { format!("{} {value}", name.to_lowercase()) })
        .collect();
    format!("{} {}", query.id, said.join(", "))
}

fn described(source: &SourceDescription) -> Listing {
    let kind = match source.kind {
        SourceKind::Stream => "STREAM",
        SourceKind::Table => "TABLE",
    };
    let mut facts = vec![
        fact("Name", source.summary.name.clone()),
        fact("Type", kind),
        fact("Timestamp field", source.timestamp.clone().unwrap_or_else(|| "Not set - using <ROWTIME>".to_string())),
        fact("Key format", source.summary.key_format.clone()),
        fact("Value format", source.summary.value_format.clone()),
        fact("Kafka topic", source.summary.topic.clone()),
    ];
    facts.extend(source.window.map(|window| fact("Window", window_text(window))));
    facts.extend(source.versions_retention_ms.map(|ms| fact("Versions kept", duration(ms))));
    facts.push(fact(
        "Partitions",
        match source.partitions {
            Some(partitions) => partitions.to_string(),
            None if source.out_of_reach => "not known: the cluster doesn't answer".to_string(),
            None => "0".to_string(),
        },
    ));
    if !source.read_by.is_empty() {
        let readers: Vec<&str> = source.read_by.iter().map(|query| query.id.as_str()).collect();
        facts.push(fact("Read by", readers.join(", ")));
    }
    facts.extend(source.written_by.iter().map(|query| fact("Written by", query_line(query, source.extended))));
    if let Some(extent) = &source.extent {
        let records: i64 = extent.offsets.iter().map(|(first, next)| next - first).sum();
        let offsets: Vec<String> = extent.offsets.iter().map(|(first, next)| format!("{first}-{next}")).collect();
        facts.push(fact("Records", records.to_string()));
        facts.extend(extent.bytes.map(|bytes| fact("Bytes", bytes.to_string())));
        facts.push(fact("Offsets", offsets.join(" ")));
    }
    if source.extended {
        facts.push(fact("Statement", source.statement.clone()));
    }
    let row = |column: &ColumnDescription| {
        vec![column.name.clone(), format!("{} {}", column.ty, role(&column.role, source.kind)).trim_end().to_string()]
    };
    Listing { facts, ..table("description", &["Field", "Type"], source.columns.iter().map(row)) }
}

fn role(role: &ColumnRole, kind: SourceKind) -> String {
    match (role, kind) {
        (ColumnRole::Key, SourceKind::Stream) => "(key)".to_string(),
        (ColumnRole::Key, SourceKind::Table) => "(primary key)".to_string(),
        (ColumnRole::Headers, _) => "(headers)".to_string(),
        (ColumnRole::Header(name), _) => format!("(header('{name}'))"),
        (ColumnRole::Value, _) => String::new(),
    }
}

fn window_text(window: SourceWindow) -> String {
    match window {
        SourceWindow::Time { size_ms, hopping } => {
            let kind = if hopping { "HOPPING" } else { "TUMBLING" };
            format!("{kind}, SIZE {}", duration(size_ms))
        }
        SourceWindow::Session => "SESSION".to_string(),
    }
}

/// A description as lines: one of several.
fn text_of(described: &Listing) -> String {
    let mut text = String::new();
    for (name, value) in &described.facts {
        // A String takes all that is written to it.
        let _ = writeln!(text, "{name:<20} : {value}");
    }
    for row in &described.rows {
        let _ = writeln!(text, "  {}", row.join(" | "));
    }
    text.push('\n');
    text
}

fn plan_text(plan: &PlanDescription) -> String {
    let Some(query) = &plan.query else { return plan.steps.clone() };
    let facts = standing_facts(&query.standing).into_iter();
    let facts: Vec<String> = facts.map(|(name, value)| format!("{name}: {value}")).collect();
    format!("ID: {}\nSQL: {}\n{}\n\n{}", query.id, query.statement, facts.join(", "), plan.steps)
}

/// A time in the largest unit that leaves no fraction.
pub(in crate::engine) fn duration(ms: i64) -> String {
    const UNITS: [(&str, i64); 4] =
        [("DAYS", 86_400_000), ("HOURS", 3_600_000), ("MINUTES", 60_000), ("SECONDS", 1000)];
    match UNITS.iter().find(|(_, unit)| ms != 0 && ms % unit == 0) {
        Some((name, unit)) => format!("{} {name}", ms / unit),
        None => format!("{ms} MILLISECONDS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_largest_unit() {
        let shown: Vec<String> = [0, 1, 1500, 2000, 90_000, 120_000, 86_400_000].map(duration).into();
        let expected =
            ["0 MILLISECONDS", "1 MILLISECONDS", "1500 MILLISECONDS", "2 SECONDS", "90 SECONDS", "2 MINUTES", "1 DAYS"];
        assert_eq!(shown, expected);
    }
}
