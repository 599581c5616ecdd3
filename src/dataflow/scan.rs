//! From fetched records to the first batch: decoding, row time, pseudo columns, and of a table the rows that are replaced.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanArray, Int32Array, Int64Array, ListBuilder, NullArray, StringBuilder, StructBuilder,
};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};

use crate::catalog::{ColumnRole, Source, SourceKind, SourceWindow};
use crate::dataflow::operator::{Context, ErrorKind, ProcessingError};
use crate::dataflow::row_time::RowTime;
use crate::dataflow::{Batch, OldRows, Origin, WindowBounds};
use crate::error::{Error, Result};
use crate::format::{self, BadRow, Decoder, Part};
use crate::log::{Records, Span, TopicPartition};
use crate::plan::Scan;
use crate::state::RowStore;
use crate::state::snapshots::{Mark, Pieces};

/// A decoder and the scan's column of each of its columns.
type PartDecoder = (Box<dyn Decoder>, Vec<usize>);

/// Decodes the records of one partition of a source.
pub struct ScanReader {
    source: Arc<Source>,
    partition: u32,
    /// Where the records lie; None: their offsets are not known.
    place: Option<Arc<TopicPartition>>,
    /// Decoder of the wanted key columns, and the scan's column of each.
    key: Option<PartDecoder>,
    value: Option<PartDecoder>,
    wanted: Vec<bool>,
    timestamp: Option<RowTime>,
    /// Of a table: the newest record of each key.
    rows: Option<RowStore>,
    old: Records,
}

impl ScanReader {
    /// `with_old`: the batches of a table carry the replaced rows.
    pub fn new(scan: &Scan, partition: u32, with_old: bool) -> Result<Self> {
        let source = scan.source.clone();
        let mut wanted = scan.wanted.clone();
        let timestamp = RowTime::of(&source)?;
        if let Some(timestamp) = &timestamp {
            wanted[timestamp.column] = true;
        }
        let places = |role: &ColumnRole| -> Vec<usize> {
            (0..source.columns.len()).filter(|&index| source.columns[index].role == *role).collect()
        };
        let decoder = |layout: &format::Layout, places: &[usize]| -> Result<Option<PartDecoder>> {
            let chosen: Vec<usize> = (0..places.len()).filter(|&index| wanted[places[index]]).collect();
            let columns: Vec<usize> = chosen.iter().map(|&index| places[index]).collect();
            Ok(Some((format::decoder(layout, &chosen)?, columns)))
        };
        let key_places = places(&ColumnRole::Key);
        let key_wanted = key_places.iter().any(|&index| wanted[index]);
        let key = if key_wanted { decoder(&source.key, &key_places)? } else { None };
        let value = decoder(&source.value, &places(&ColumnRole::Value))?;
        let rows = (source.kind == SourceKind::Table && with_old).then(RowStore::default);
        let place = Some(Arc::new(TopicPartition { topic: source.topic.clone(), partition }));
        Ok(ScanReader { source, partition, place, key, value, wanted, timestamp, rows, old: Records::default() })
    }

    /// For records that were copied out of a state: they have lost their offsets.
    pub fn without_offsets(mut self) -> Self {
        self.place = None;
        self
    }

    /// Whether it holds the rows of a table.
    pub fn keeps_rows(&self) -> bool {
        self.rows.is_some()
    }

    /// Bytes of a table's rows.
    pub fn state_bytes(&self) -> usize {
        self.rows.as_ref().map_or(0, RowStore::bytes)
    }

    /// Takes the rows of a table in again, as reading them did: what was bad then is bad now.
    pub fn restore(&mut self, records: &Records) -> Result<()> {
        self.read(&mut records.clone(), &mut Context::default()).map(|_| ())
    }

    pub fn kind(&self) -> SourceKind {
        self.source.kind
    }

    /// The batch of some records, of a table with the rows that they replace. Records that can't be decoded go to
    /// `context.errors`. None: no row is left.
    pub fn read(&mut self, records: &mut Records, context: &mut Context) -> Result<Option<Batch>> {
        let Some((mut batch, keep)) = self.decode_all(records, context)? else { return Ok(None) };
        if self.rows.is_some() {
            batch.old = Some(self.replace_rows(records, keep.as_ref(), &batch)?);
        }
        kept(batch, keep)
    }

    /// The same without the rows that are replaced: they are asked for when the rows' turn has come.
    pub fn decode(&mut self, records: &mut Records, context: &mut Context) -> Result<Option<Batch>> {
        match self.decode_all(records, context)? {
            Some((batch, keep)) => kept(batch, keep),
            None => Ok(None),
        }
    }

    /// Puts the rows of a decoded batch into the table, and those that they replace beside them. `records`: those that the
    /// rows were made of, one each.
    pub fn replace(&mut self, records: &Records, batch: &mut Batch) -> Result<()> {
        batch.old = Some(self.replace_rows(records, None, batch)?);
        Ok(())
    }

    /// All rows, and which of them are good (None: all).
    fn decode_all(
        &mut self,
        records: &mut Records,
        context: &mut Context,
    ) -> Result<Option<(Batch, Option<BooleanArray>)>> {
        let rows = records.len();
        if rows == 0 {
            return Ok(None);
        }
        let mut bad: Vec<(usize, String, ErrorKind)> = Vec::new();
        let whole_keys = self.source.window.map(|_| records.meta.iter().map(|meta| meta.key).collect::<Vec<Span>>());
        let window = self.take_windows(records, &mut bad);
        let width = self.wanted.len();
        let unread: ArrayRef = Arc::new(NullArray::new(rows));
        let mut columns: Vec<ArrayRef> = (0..width).map(|_| unread.clone()).collect();
        let mut null_key = None;
        if let Some((decoder, places)) = &mut self.key {
            let decoded = decoder.decode(records, Part::Key);
            note_bad(&mut bad, decoded.bad);
            null_key = decoded.nulls;
            for (&place, column) in places.iter().zip(decoded.columns) {
                columns[place] = column;
            }
        } else if records.meta.iter().any(|meta| meta.key.is_null()) {
            null_key = Some(BooleanBuffer::collect_bool(rows, |row| records.meta[row].key.is_null()));
        }
        // A table's rows of several windows are several rows; and others may read the same records.
        if let Some(keys) = whole_keys {
            records.meta.iter_mut().zip(keys).for_each(|(meta, key)| meta.key = key);
        }
        let mut tombstone = None;
        if let Some((decoder, places)) = &mut self.value {
            let decoded = decoder.decode(records, Part::Value);
            note_bad(&mut bad, decoded.bad);
            tombstone = decoded.nulls;
            for (&place, column) in places.iter().zip(decoded.columns) {
                columns[place] = column;
            }
        }
        let row_time = self.row_time(records, &columns, tombstone.as_ref(), &mut bad);
        if self.source.kind == SourceKind::Table
            && let Some(nulls) = &null_key
        {
            bad.extend(nulls.set_indices().map(|row| {
                (row, "a table's record must have a key; this one was skipped".to_string(), ErrorKind::Processing)
            }));
        }
        self.header_columns(records, &mut columns)?;
        self.pseudo_columns(records, &row_time, window.as_ref(), &mut columns);
        let headers = headers(records);
        let keys = self.source.key_columns().count();
        let origin = self.place.as_ref().map(|place| Origin::scanned(place.clone(), records)).unwrap_or_default();
        let batch = Batch {
            rows,
            columns,
            keys,
            row_time,
            window,
            tombstone,
            null_key,
            old: None,
            headers,
            origin,
            order: None,
        };
        let keep = self.report(records, bad, context);
        Ok(Some((batch, keep)))
    }

    /// Takes the windows off the keys of a windowed source, until they are put back.
    fn take_windows(&self, records: &mut Records, bad: &mut Vec<(usize, String, ErrorKind)>) -> Option<WindowBounds> {
        let window = self.source.window?;
        let mut starts = Vec::with_capacity(records.len());
        let mut ends = Vec::with_capacity(records.len());
        let suffix = if window == SourceWindow::Session { 16 } else { 8 };
        for row in 0..records.len() {
            let key = records.meta[row].key;
            let bounds = records.key(row).and_then(|key| split_window(key, window));
            match bounds {
                Some((start, end)) => {
                    starts.push(start);
                    ends.push(end);
                    records.meta[row].key = Span { start: key.start, len: key.len - suffix };
                }
                None => {
                    starts.push(0);
                    ends.push(0);
                    if !key.is_null() {
                        let reason = format!("the key has {} bytes: no window stands behind it", key.len);
                        bad.push((row, reason, ErrorKind::Deserialization));
                    }
                }
            }
        }
        Some(WindowBounds { start: starts.into(), end: ends.into() })
    }

    fn row_time(
        &self,
        records: &Records,
        columns: &[ArrayRef],
        tombstone: Option<&BooleanBuffer>,
        bad: &mut Vec<(usize, String, ErrorKind)>,
    ) -> ScalarBuffer<i64> {
        let Some(timestamp) = &self.timestamp else {
            return records.meta.iter().map(|meta| meta.timestamp).collect::<Vec<i64>>().into();
        };
        if let Some(times) = timestamp.all(columns) {
            return times;
        }
        let mut times = Vec::with_capacity(records.len());
        for (row, meta) in records.meta.iter().enumerate() {
            let is_tombstone = tombstone.is_some_and(|tombstone| tombstone.value(row));
            let time = match timestamp.at(columns, row) {
                Ok(time) => time,
                Err(_) if is_tombstone => meta.timestamp,
                Err(reason) => {
                    bad.push((row, reason, ErrorKind::RowTime));
                    meta.timestamp
                }
            };
            times.push(time);
        }
        times.into()
    }

    fn header_columns(&self, records: &Records, columns: &mut [ArrayRef]) -> Result<()> {
        for (index, column) in self.source.columns.iter().enumerate() {
            if !self.wanted[index] {
                continue;
            }
            match &column.role {
                ColumnRole::Headers => columns[index] = all_headers(records),
                ColumnRole::Header(name) => {
                    let mut builder = BinaryBuilder::new();
                    for row in 0..records.len() {
                        let headers = records.headers(row);
                        let value = headers.iter().rev().find(|header| header.key == *name);
                        builder.append_option(value.and_then(|header| header.value.as_deref()));
                    }
                    columns[index] = Arc::new(builder.finish());
                }
                ColumnRole::Key | ColumnRole::Value => {}
            }
        }
        Ok(())
    }

    fn pseudo_columns(
        &self,
        records: &Records,
        row_time: &ScalarBuffer<i64>,
        window: Option<&WindowBounds>,
        columns: &mut [ArrayRef],
    ) {
        let first = self.source.columns.len();
        if self.wanted[first] {
            columns[first] = Arc::new(Int64Array::new(row_time.clone(), None));
        }
        if self.wanted[first + 1] {
            columns[first + 1] = Arc::new(Int32Array::from(vec![self.partition as i32; records.len()]));
        }
        if self.wanted[first + 2] {
            columns[first + 2] = Arc::new(records.meta.iter().map(|meta| meta.offset).collect::<Int64Array>());
        }
        if let Some(window) = window {
            columns[first + 3] = Arc::new(Int64Array::new(window.start.clone(), None));
            columns[first + 4] = Arc::new(Int64Array::new(window.end.clone(), None));
        }
    }

    /// Tells of the bad records; gives the rows that stay.
    fn report(
        &self,
        records: &Records,
        mut bad: Vec<(usize, String, ErrorKind)>,
        context: &mut Context,
    ) -> Option<BooleanArray> {
        if bad.is_empty() {
            return None;
        }
        bad.sort_by_key(|(row, ..)| *row);
        bad.dedup_by_key(|(row, ..)| *row);
        let mut keep = vec![true; records.len()];
        for (row, reason, kind) in bad {
            keep[row] = false;
            context.bad_record(ProcessingError {
                kind,
                reason,
                topic: Some(self.source.topic.clone()),
                partition: Some(self.partition),
                offset: self.place.as_ref().map(|_| records.meta[row].offset),
                row_time: Some(records.meta[row].timestamp),
                record: records.value(row).map(<[u8]>::to_vec),
            });
        }
        Some(BooleanArray::from(keep))
    }

    /// The rows that the rows of a table's batch replace; what stays is put into the table.
    fn replace_rows(&mut self, records: &Records, keep: Option<&BooleanArray>, batch: &Batch) -> Result<OldRows> {
        let Some(rows) = &mut self.rows else { return Err(Error::internal("a stream has no rows to replace")) };
        self.old.clear();
        for row in 0..records.len() {
            let key = records.key(row).unwrap_or_default();
            let kept = keep.is_none_or(|keep| keep.value(row));
            match rows.get(key) {
                Some((value, row_time)) => self.old.push(None, Some(value), row_time),
                None => self.old.push(None, None, 0),
            }
            match records.value(row) {
                _ if !kept => {}
                Some(value) if batch.tombstone.as_ref().is_none_or(|tombstone| !tombstone.value(row)) => {
                    rows.put(key, value, batch.row_time[row]);
                }
                _ => {
                    rows.remove(key);
                }
            }
        }
        let present = BooleanBuffer::collect_bool(records.len(), |row| !self.old.meta[row].value.is_null());
        let keys = batch.keys;
        let mut columns = batch.columns[keys..].to_vec();
        if let Some((decoder, places)) = &mut self.value {
            let decoded = decoder.decode(&self.old, Part::Value);
            for (&place, column) in places.iter().zip(decoded.columns) {
                columns[place - keys] = column;
            }
        }
        let old_time = self.source.columns.len() - keys;
        if self.wanted[self.source.columns.len()] {
            columns[old_time] = Arc::new(self.old.meta.iter().map(|meta| meta.timestamp).collect::<Int64Array>());
        }
        Ok(OldRows { columns, present })
    }
}

/// The rows of a table: as its records said, with what of them could be read.
impl Pieces for ScanReader {
    fn layout(&self) -> String {
        let source = &self.source;
        let columns: Vec<String> = source.columns.iter().map(|c| format!("{} {} {:?}", c.name, c.ty, c.role)).collect();
        let (key, value, time) = (&source.key, &source.value, &source.timestamp);
        // The first ones of windowed tables had no windows in their keys.
        let version = if source.window.is_some() { 2 } else { 1 };
        format!("rows {version}: {columns:?} {key:?} {value:?} {time:?} {:?}", source.window)
    }

    fn rows(&self) -> usize {
        self.rows.as_ref().map_or(0, RowStore::len)
    }

    fn piece(&self, from: Mark, bytes_max: usize, into: &mut Vec<u8>) -> Result<Option<Mark>> {
        let next = self.rows.as_ref().and_then(|rows| rows.write_rows(from.index, bytes_max, into));
        Ok(next.map(|index| Mark { index, ..from }))
    }

    fn load(&mut self, mut piece: &[u8]) -> Option<()> {
        self.rows.as_mut()?.read_rows(&mut piece)?;
        piece.is_empty().then_some(())
    }
}

/// Start and end of the window behind a key; an end of a time window is exclusive.
pub fn split_window(key: &[u8], window: SourceWindow) -> Option<(i64, i64)> {
    let number = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_be_bytes);
    match window {
        SourceWindow::Time { size_ms, .. } => {
            let start = number(key.get(key.len().checked_sub(8)?..)?)?;
            Some((start, start.saturating_add(size_ms)))
        }
        SourceWindow::Session => {
            let at = key.len().checked_sub(16)?;
            Some((number(&key[at + 8..])?, number(&key[at..at + 8])?))
        }
    }
}

/// The good rows.
fn kept(batch: Batch, keep: Option<BooleanArray>) -> Result<Option<Batch>> {
    match keep {
        None => Ok(Some(batch)),
        Some(keep) => Ok(Some(batch.filter(&keep)?).filter(|batch| batch.rows > 0)),
    }
}

fn note_bad(bad: &mut Vec<(usize, String, ErrorKind)>, rows: Vec<BadRow>) {
    bad.extend(rows.into_iter().map(|row| (row.row, row.reason, ErrorKind::Deserialization)));
}

fn headers(records: &Records) -> Option<ArrayRef> {
    if records.meta.iter().all(|meta| meta.headers.is_null()) {
        return None;
    }
    let mut builder = BinaryBuilder::new();
    for meta in &records.meta {
        builder.append_option(records.bytes(meta.headers));
    }
    Some(Arc::new(builder.finish()))
}

/// ARRAY<STRUCT<KEY STRING, VALUE BYTES>>, never null.
fn all_headers(records: &Records) -> ArrayRef {
    let fields =
        Fields::from(vec![Field::new("KEY", DataType::Utf8, true), Field::new("VALUE", DataType::Binary, true)]);
    let item = StructBuilder::new(fields, vec![Box::new(StringBuilder::new()), Box::new(BinaryBuilder::new())]);
    let mut builder = ListBuilder::new(item);
    for row in 0..records.len() {
        for header in records.headers(row) {
            let item = builder.values();
            if let Some(key) = item.field_builder::<StringBuilder>(0) {
                key.append_value(&header.key);
            }
            if let Some(value) = item.field_builder::<BinaryBuilder>(1) {
                value.append_option(header.value.as_deref());
            }
            item.append(true);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}
