//! What a test is run on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::Answer;
use crate::error::Result;
use crate::format::Layout;
use crate::log::Log;
use crate::sql::ast::SourceKind;

/// One empty engine: no log on disk, time from the records, output caching off.
pub trait Subject {
    /// Runs one statement. A rejection leaves the engine as it was.
    fn execute(&mut self, statement: &str) -> Result<Answer>;
    fn log(&self) -> Arc<dyn Log>;
    /// Processes all input to the end, through every query, and commits. An error when a query stopped on it.
    fn settle(&mut self) -> Result<()>;
    /// The source of that name as the catalog has it.
    fn source(&self, name: &str) -> Option<SourceSummary>;
    /// How the records of a topic are written, by the source that is registered on it.
    fn layouts(&self, topic: &str) -> Option<TopicLayout>;
    /// The ways of rows between two stages of a query. On a log within the process they are no topics, but hand-overs in
    /// memory by the same key.
    fn exchanges(&self) -> Vec<ExchangeLayout>;
}

/// How rows go from stage to stage.
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangeLayout {
    /// Where it is one.
    pub topic: String,
    /// Places the rows.
    pub key: Layout,
    pub partitions: u32,
}

/// Makes an engine with the given properties set.
pub type NewSubject<'a> = &'a (dyn Fn(&BTreeMap<String, String>) -> Result<Box<dyn Subject>> + Sync);

/// A stream or table.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceSummary {
    pub name: String,
    pub kind: SourceKind,
    pub topic: String,
    /// `KAFKA`, `JSON`, ...
    pub key_format: String,
    pub value_format: String,
    /// `UNWRAP_SINGLES`, `WRAP_SINGLES`
    pub key_features: Vec<String>,
    pub value_features: Vec<String>,
    /// `TUMBLING`, `HOPPING` or `SESSION` when the key is windowed.
    pub window_type: Option<String>,
    pub is_source: bool,
    /// As DESCRIBE has it: `` `ID` BIGINT KEY, `V` STRING ``.
    pub schema: String,
}

/// How keys and values of a topic are laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicLayout {
    pub key: Layout,
    pub value: Layout,
    /// The window that stands in the keys.
    pub window: Option<KeyWindow>,
}

/// The kind of window in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWindow {
    /// Tumbling or hopping: the key holds the start, the size is known.
    Time { size_ms: i64 },
    /// The key holds start and end.
    Session,
}
