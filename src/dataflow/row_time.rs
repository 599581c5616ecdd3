//! ROWTIME from a column, where WITH (TIMESTAMP = ...) says so.

use arrow::array::{Array, ArrayRef, Int64Array, StringArray, TimestampMillisecondArray};
use arrow::buffer::ScalarBuffer;

use crate::catalog::Source;
use crate::error::{Error, Result};
use crate::expr::functions::dates::{Pattern, Zone};
use crate::messages;

/// The column that supplies the row time.
pub struct RowTime {
    pub column: usize,
    pattern: Option<Pattern>,
}

impl RowTime {
    /// None: the record's own timestamp counts.
    pub fn of(source: &Source) -> Result<Option<RowTime>> {
        let Some(timestamp) = &source.timestamp else { return Ok(None) };
        let column = source.columns.iter().position(|column| column.name == timestamp.name);
        let column = column.ok_or_else(|| Error::internal("the timestamp column is gone"))?;
        let pattern = timestamp.format.as_deref().map(Pattern::new).transpose();
        let pattern = pattern.map_err(|error| {
            messages::sources::timestamp_format(timestamp.format.as_deref().unwrap_or_default(), &error)
        })?;
        Ok(Some(RowTime { column, pattern }))
    }

    /// The times of all rows, when every row has one.
    pub fn all(&self, columns: &[ArrayRef]) -> Option<ScalarBuffer<i64>> {
        let column = &columns[self.column];
        let any = column.as_any();
        let times = match any.downcast_ref::<Int64Array>() {
            Some(column) => column.values(),
            None => any.downcast_ref::<TimestampMillisecondArray>()?.values(),
        };
        (column.null_count() == 0 && times.iter().all(|time| *time >= 0)).then(|| times.clone())
    }

    /// The row's time in ms, or why it has none.
    pub fn at(&self, columns: &[ArrayRef], row: usize) -> Result<i64, String> {
        let column = &columns[self.column];
        if column.is_null(row) {
            return Err("the timestamp column is NULL".to_string());
        }
        let any = column.as_any();
        let time = if let Some(column) = any.downcast_ref::<Int64Array>() {
            column.value(row)
        } else if let Some(column) = any.downcast_ref::<TimestampMillisecondArray>() {
            column.value(row)
        } else {
            match (any.downcast_ref::<StringArray>(), &self.pattern) {
                (Some(column), Some(pattern)) => pattern
                    .parse_millis(column.value(row), &Zone::utc())
                    .map_err(|error| format!("the timestamp column has no time: {error}"))?,
                _ => return Err(format!("the timestamp column has the type {}", column.data_type())),
            }
        };
        if time < 0 {
            return Err(format!("the timestamp column has a negative time: {time}"));
        }
        Ok(time)
    }
}
