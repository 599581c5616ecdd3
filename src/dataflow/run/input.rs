//! What the records of a stage's topic become: rows of a source, or rows on their way between stages.

use crate::dataflow::exchange::TopicExchangeReader;
use crate::dataflow::scan::ScanReader;
use crate::dataflow::{Batch, Context};
use crate::error::Result;
use crate::log::Records;

pub(super) enum Input {
    Scan(Box<ScanReader>),
    Exchange(TopicExchangeReader),
}

impl Input {
    /// The batch of some records; None: no row is left of them. Of an exchange a batch has the rows of one record.
    pub fn read(&mut self, records: &mut Records, context: &mut Context) -> Result<Option<Batch>> {
        match self {
            Input::Scan(scan) => scan.read(records, context),
            Input::Exchange(_) if records.is_empty() => Ok(None),
            Input::Exchange(exchange) => exchange.read(records, 0).map(Some),
        }
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
