//! The engine as the subject of tests: without disk, driven step by step, every change emitted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::{Source, SourceWindow};
use crate::engine::{Engine, Face, Options, Session};
use crate::error::Result;
use crate::format::{Format, Layout};
use crate::log::Log;
use crate::testing::answer::Answer;
use crate::testing::subject::{ExchangeLayout, KeyWindow, SourceSummary, Subject, TopicLayout};

/// An empty engine for one case.
pub struct EngineSubject {
    engine: Engine,
    session: Session,
}

impl EngineSubject {
    /// `properties` are set before the first statement; caching is off whatever they say.
    pub fn new(properties: &BTreeMap<String, String>) -> Result<Self> {
        Ok(EngineSubject::over(Engine::stepped(Options::default())?, properties))
    }

    /// As [`EngineSubject::new`], of an engine that is there and empty.
    pub(super) fn over(engine: Engine, properties: &BTreeMap<String, String>) -> Self {
        let mut session = Session::default();
        for (name, value) in properties {
            let short = crate::engine::settings::short_name(name);
            session.properties.insert(short.to_string(), value.clone());
        }
        session.properties.insert("cache.max.bytes.buffering".to_string(), "0".to_string());
        EngineSubject { engine, session }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What its session began with.
    pub(super) fn properties(&self) -> &BTreeMap<String, String> {
        &self.session.properties
    }

    /// Waits until its queries, which have threads, have done what there is to do.
    pub(super) fn await_queries(&self) -> Result<()> {
        self.engine.await_queries()
    }

    /// Commits and stops its queries.
    pub(super) fn shutdown(&self) {
        self.engine.shutdown();
    }
}

impl Subject for EngineSubject {
    fn execute(&mut self, statement: &str) -> Result<Answer> {
        self.engine.execute(&mut self.session, statement).map(Answer::from)
    }

    fn log(&self) -> Arc<dyn Log> {
        self.engine.log()
    }

    fn settle(&mut self) -> Result<()> {
        self.engine.settle()
    }

    fn source(&self, name: &str) -> Option<SourceSummary> {
        self.engine.catalog().source(name).map(|source| summary(source))
    }

    fn layouts(&self, topic: &str) -> Option<TopicLayout> {
        let catalog = self.engine.catalog();
        let source = catalog.sources().filter(|source| source.topic == topic).last()?;
        Some(TopicLayout {
            key: source.key.clone(),
            value: source.value.clone(),
            window: source.window.map(|window| match window {
                SourceWindow::Time { size_ms, .. } => KeyWindow::Time { size_ms },
                SourceWindow::Session => KeyWindow::Session,
            }),
        })
    }

    fn exchanges(&self) -> Vec<ExchangeLayout> {
        let exchanges = self.engine.exchanges().into_iter();
        exchanges.map(|(topic, key, partitions)| ExchangeLayout { topic, key, partitions }).collect()
    }
}

fn summary(source: &Source) -> SourceSummary {
    let window_type = source.window.map(|window| match window {
        SourceWindow::Time { hopping: true, .. } => "HOPPING",
        SourceWindow::Time { hopping: false, .. } => "TUMBLING",
        SourceWindow::Session => "SESSION",
    });
    SourceSummary {
        name: source.name.clone(),
        kind: source.kind,
        topic: source.topic.clone(),
        key_format: source.key.format.name().to_string(),
        value_format: source.value.format.name().to_string(),
        key_features: Vec::new(),
        value_features: features(&source.value, source.wrap_single_value),
        window_type: window_type.map(str::to_string),
        is_source: source.is_source,
        schema: source.schema_text(),
    }
}

/// Wrapping is a feature where it was asked for and the format leaves a choice.
fn features(value: &Layout, asked: Option<bool>) -> Vec<String> {
    match asked {
        Some(wrap) if value.format == Format::Json => {
            vec![if wrap { "WRAP_SINGLES" } else { "UNWRAP_SINGLES" }.to_string()]
        }
        _ => Vec::new(),
    }
}
