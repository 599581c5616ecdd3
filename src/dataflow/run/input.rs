//! What the records of a stage's topic become: rows of a source, or rows on their way between stages.

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
    Scan(Box<ScanReader>),
    Exchange(TopicExchangeReader),
}

impl Input {
    /// The batch of some records; None: no row is left of them. Of an exchange a batch has the rows of one record.
    pub fn read(&mut self, records: &mut Records, context: &mut Context, old_rows: OldRowsAt) -> Result<Option<Batch>> {
        match self {
            Input::Scan(scan) if old_rows == OldRowsAt::Turn => scan.decode(records, context),
            Input::Scan(scan) => scan.read(records, context),
            Input::Exchange(_) if records.is_empty() => Ok(None),
            Input::Exchange(exchange) => exchange.read(records, 0).map(Some),
        }
    }

    /// A source of records that are no table's.
    pub fn is_stream(&self) -> bool {
        matches!(self, Input::Scan(scan) if scan.kind() == SourceKind::Stream)
    }

    /// A source of a table's changes.
    pub fn is_table(&self) -> bool {
        matches!(self, Input::Scan(scan) if scan.kind() == SourceKind::Table)
    }

    pub fn is_exchange(&self) -> bool {
        matches!(self, Input::Exchange(_))
    }

    /// Records that may be read as one batch.
    pub fn records_max(&self) -> usize {
        match self {
            Input::Scan(_) => usize::MAX,
            Input::Exchange(_) => 1,
        }
    }

    /// Bytes of a table's rows.
    pub fn state_bytes(&self) -> usize {
        match self {
            Input::Scan(scan) => scan.state_bytes(),
            Input::Exchange(_) => 0,
        }
    }

    /// The source's decoder, if it holds the rows of a table.
    pub fn table(&self) -> Option<&ScanReader> {
        match self {
            Input::Scan(scan) if scan.keeps_rows() => Some(scan),
            _ => None,
        }
    }

    pub fn table_mut(&mut self) -> Option<&mut ScanReader> {
        match self {
            Input::Scan(scan) if scan.keeps_rows() => Some(scan),
            _ => None,
        }
    }
}
