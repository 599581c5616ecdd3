//! The reading end of a source's partition.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::spec::{RunSpec, Start};
use super::stage::Round;
use crate::dataflow::operator::{ErrorKind, ProcessingError};
use crate::dataflow::scan::ScanReader;
use crate::dataflow::{Batch, Context};
use crate::error::{Error, Result};
use crate::log::{Log, LogError, TopicPartition, for_each_fetch};
use crate::plan::StageInput;

/// The reading end of a source's partition.
pub(super) struct Reader {
    pub scan: ScanReader,
    pub place: TopicPartition,
    pub position: i64,
    /// Read up to here and no further.
    pub end: Option<i64>,
    /// Read in the last round.
    pub rows: usize,
}

impl Reader {
    pub fn open(
        log: &Arc<dyn Log>,
        scan: ScanReader,
        spec: &RunSpec,
        partition: u32,
        positions: &BTreeMap<TopicPartition, i64>,
    ) -> Result<Reader> {
        let StageInput::Scan(plan) = &spec.plan.stages[0].input else {
            return Err(Error::internal("a reader without a scan"));
        };
        let place = TopicPartition { topic: plan.source.topic.clone(), partition };
        let (first, next) = log.offsets(&place)?;
        let is_table = plan.source.kind == crate::catalog::SourceKind::Table;
        let position = match (positions.get(&place), spec.start) {
            (Some(position), _) => *position,
            // A table is its whole topic, wherever its readers start.
            (None, Start::Latest) if !is_table => next,
            (None, _) => first,
        };
        Ok(Reader { scan, place, position, end: None, rows: 0 })
    }

    /// The next batch; None: there is nothing to read, or no row of it is left.
    pub fn read(&mut self, round: &Round<'_>, context: &mut Context) -> Result<Option<Batch>> {
        self.rows = 0;
        if self.end.is_some_and(|end| self.position >= end) {
            return Ok(None);
        }
        let mut records = round.buffers.lock().pop().unwrap_or_default();
        if let Err(error) = round.log.fetch(&self.place, self.position, round.bytes_max, &mut records) {
            round.buffers.lock().push(records);
            return self.skip_removed(error, context).map(|()| None);
        }
        self.position = self.position.max(records.next_offset);
        if let Some(end) = self.end
            && self.position > end
        {
            records.meta.retain(|meta| meta.offset < end);
            self.position = end;
        }
        self.rows = records.len();
        let batch = self.scan.read(&mut records, context);
        round.buffers.lock().push(records);
        batch
    }

    /// Where records were removed before they were read (retention, `topic empty`), goes on behind them and says so.
    fn skip_removed(&mut self, error: LogError, context: &mut Context) -> Result<()> {
        let LogError::OffsetOutOfRange { first, .. } = error else { return Err(error.into()) };
        if first <= self.position {
            return Err(Error::world(format!("{error}: the topic is not the one that the query has read so far"))
                .hint("DROP the query's stream or table and create it anew"));
        }
        context.bad_record(ProcessingError {
            kind: ErrorKind::Deserialization,
            reason: format!(
                "the records from offset {} up to {first} were removed from the topic before they were read",
                self.position
            ),
            topic: Some(self.place.topic.clone()),
            partition: Some(self.place.partition),
            offset: Some(self.position),
            row_time: None,
            record: None,
        });
        self.position = first;
        self.rows = 1;
        Ok(())
    }

    /// A table's rows up to the position come from its own topic: that is their changelog.
    pub fn restore(&mut self, log: &dyn Log) -> Result<()> {
        let scan = &mut self.scan;
        if !scan.keeps_rows() {
            return Ok(());
        }
        for_each_fetch(log, &self.place, None, Some(self.position), &mut |records| scan.restore(records))?;
        Ok(())
    }
}
