//! What exists: streams, tables, types, persistent queries. Doesn't know how things run.

mod chain;
mod command;
mod service;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use chain::Chain;
pub use command::{Command, CommandLog, DeletedTopic, FoundRecords, Judged, ReadCommand, is_refusal};
pub use service::Service;
pub use source::{Column, ColumnRole, Source, SourceKind, SourceWindow, TimestampColumn};

use crate::error::Result;
use crate::messages;
use crate::types::SqlType;

/// A persistent query as the catalog knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryEntry {
    /// Given once, never again.
    pub id: String,
    /// The statement that made it, variables put in.
    pub statement: String,
    /// Names of the sources it reads.
    pub sources: Vec<String>,
    pub sink: String,
    /// Session properties at the time it was made: they hold for its life.
    pub properties: BTreeMap<String, String>,
    pub paused: bool,
    /// Of a query that makes a table: what the table's topic held before it. None: nothing, or it isn't known.
    pub found: Option<FoundRecords>,
    /// Of a query that makes a table: how many partitions the table's topic had when it began, among which its keys are placed.
    /// None: it isn't known.
    pub sink_partitions: Option<u32>,
}

/// Everything that exists. A value: a statement is checked on a clone before it is carried out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    sources: BTreeMap<String, Arc<Source>>,
    types: BTreeMap<String, SqlType>,
    queries: BTreeMap<String, QueryEntry>,
}

impl Catalog {
    /// By its exact name; custom types and queries have names of their own.
    pub fn source(&self, name: &str) -> Option<&Arc<Source>> {
        self.sources.get(name)
    }

    /// The source of that name, or an error that names the nearest one.
    pub fn expect_source(&self, name: &str) -> Result<&Arc<Source>> {
        let there = || self.sources.keys().map(String::as_str);
        self.sources.get(name).ok_or_else(|| messages::definitions::unknown_source(name, there()))
    }

    /// In the order of their names.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.sources.values()
    }

    /// Adds it, or takes the place of the one of its name.
    pub fn put_source(&mut self, source: Source) {
        self.sources.insert(source.name.clone(), Arc::new(source));
    }

    /// Gives what was there.
    pub fn remove_source(&mut self, name: &str) -> Option<Arc<Source>> {
        self.sources.remove(name)
    }

    /// What CREATE TYPE made of a name.
    pub fn custom_type(&self, name: &str) -> Option<&SqlType> {
        self.types.get(name)
    }

    /// All that CREATE TYPE made, by name.
    pub fn types(&self) -> &BTreeMap<String, SqlType> {
        &self.types
    }

    /// Adds it, or takes the place of the one of its name.
    pub fn put_type(&mut self, name: String, ty: SqlType) {
        self.types.insert(name, ty);
    }

    /// Whether it was there.
    pub fn remove_type(&mut self, name: &str) -> bool {
        self.types.remove(name).is_some()
    }

    /// A persistent query by its id.
    pub fn query(&self, id: &str) -> Option<&QueryEntry> {
        self.queries.get(id)
    }

    /// All persistent queries, in the order of their ids.
    pub fn queries(&self) -> impl Iterator<Item = &QueryEntry> {
        self.queries.values()
    }

    /// Adds it, or takes the place of the one of its id.
    pub fn put_query(&mut self, query: QueryEntry) {
        self.queries.insert(query.id.clone(), query);
    }

    /// Gives what was there.
    pub fn remove_query(&mut self, id: &str) -> Option<QueryEntry> {
        self.queries.remove(id)
    }

    /// Nothing happens where there is no such query.
    pub fn set_paused(&mut self, id: &str, paused: bool) {
        if let Some(query) = self.queries.get_mut(id) {
            query.paused = paused;
        }
    }

    /// The queries that read a stream or table.
    pub fn readers_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a QueryEntry> {
        self.queries.values().filter(move |query| query.sources.iter().any(|source| source == name))
    }

    /// The queries that write to a stream or table: more than one where INSERT INTO ... SELECT does.
    pub fn writers_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a QueryEntry> {
        self.queries.values().filter(move |query| query.sink == name)
    }
}
