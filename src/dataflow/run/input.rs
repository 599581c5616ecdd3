//! What the records of a stage's topic become: rows of the sources over it, or rows on their way between stages.

use super::reader::Use;
use super::snapshots::PartSnapshot;
use crate::catalog::SourceKind;
use crate::dataflow::exchange::TopicExchangeReader;
use crate::dataflow::scan::ScanReader;
use crate::dataflow::{Batch, Context};
use crate::error::Result;
use crate::log::Records;

/// When rows of a table take the place of those that they replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OldRowsAt {
    /// When they are decoded: they are pushed at once.
    Decoding,
    /// When their turn has come.
    Turn,
}

pub(super) enum Input {
    /// The streams and tables over the topic that the query reads: mostly one.
    Sources(Vec<SourceInput>),
    Exchange(TopicExchangeReader),
}

/// One source over a topic.
pub(super) struct SourceInput {
    pub scan: ScanReader,
    /// The inputs that its rows come to, where the topic is read for several.
    pub uses: Vec<Use>,
    /// Its number among the tables of the query whose rows are held.
    pub number: usize,
    /// Of these rows.
    pub snapshot: Option<PartSnapshot>,
}

impl SourceInput {
    /// The decoder, if it holds the rows of a table.
    pub fn table(&self) -> Option<&ScanReader> {
        self.scan.keeps_rows().then_some(&self.scan)
    }
}

impl Input {
    /// Of each source the batch of some records; None: no row is left of them. Of an exchange the rows of one record.
    pub fn read(
        &mut self,
        records: &mut Records,
        context: &mut Context,
        old_rows: OldRowsAt,
    ) -> Result<Vec<Option<Batch>>> {
        match self {
            Input::Sources(sources) => {
                let scans = sources.iter_mut().map(|source| &mut source.scan);
                let batch = |scan: &mut ScanReader| match old_rows {
                    OldRowsAt::Turn => scan.decode(records, context),
                    OldRowsAt::Decoding => scan.read(records, context),
                };
                scans.map(batch).collect()
            }
            Input::Exchange(_) if records.is_empty() => Ok(Vec::new()),
            Input::Exchange(exchange) => Ok(vec![Some(exchange.read(records, 0)?)]),
        }
    }

    /// None of an exchange.
    pub fn sources(&self) -> &[SourceInput] {
        match self {
            Input::Sources(sources) => sources,
            Input::Exchange(_) => &[],
        }
    }

    pub fn sources_mut(&mut self) -> &mut [SourceInput] {
        match self {
            Input::Sources(sources) => sources,
            Input::Exchange(_) => &mut [],
        }
    }

    /// Records that are no table's.
    pub fn is_stream(&self) -> bool {
        !self.is_exchange() && !self.is_table()
    }

    /// Changes of a table, whatever else they are.
    pub fn is_table(&self) -> bool {
        self.sources().iter().any(|source| source.scan.kind() == SourceKind::Table)
    }

    /// Whether its rows come to several inputs.
    pub fn is_shared(&self) -> bool {
        self.sources().iter().any(|source| !source.uses.is_empty())
    }

    /// Whether the rows of a table are held.
    pub fn keeps_rows(&self) -> bool {
        self.sources().iter().any(|source| source.table().is_some())
    }

    pub fn is_exchange(&self) -> bool {
        matches!(self, Input::Exchange(_))
    }

    /// Records that may be read as one batch.
    pub fn records_max(&self) -> usize {
        match self {
            Input::Sources(_) => usize::MAX,
            Input::Exchange(_) => 1,
        }
    }

    /// Bytes of tables' rows.
    pub fn state_bytes(&self) -> usize {
        self.sources().iter().map(|source| source.scan.state_bytes()).sum()
    }
}
