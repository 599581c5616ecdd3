//! The flights job's questions, asked in batch: of DataFusion's DataFrames over the same rows, read without Millpond.
//! Nothing here shares code with the engine; DataFusion's SQL isn't built in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use datafusion::functions_aggregate::expr_fn::{avg, count, last_value, max, min, sum};
use datafusion::functions_window::expr_fn::lag;
use datafusion::prelude::*;
use serde_json::{Map, Value};

const HOUR: i64 = 3_600_000;

const TEXTS: &[&str] = &["tailnum", "carrier", "origin", "dest"];
const NUMBERS: &[&str] = &["flight", "dep_time", "dep_delay", "arr_delay", "distance"];

/// Flights in memory: their columns, `line` (place in the file) and `time` (ms of the scheduled hour).
pub struct Flights {
    all: DataFrame,
}

/// Key and window to value and timestamp, as `records::last_of_each_key` gives them.
pub type Table = BTreeMap<String, String>;

impl Flights {
    pub fn read(file: &Path) -> Flights {
        let reader = flate2::read::MultiGzDecoder::new(std::fs::File::open(file).unwrap());
        let mut reader = csv::Reader::from_reader(reader);
        let header = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let column = |name: &str| {
            let at = header.iter().position(|field| field == name).unwrap();
            rows.iter().map(move |row| Some(&row[at]).filter(|field| *field != "NA"))
        };
        let mut fields = Vec::new();
        let mut columns: Vec<Arc<dyn Array>> = Vec::new();
        for name in TEXTS {
            fields.push(Field::new(*name, DataType::Utf8, true));
            columns.push(Arc::new(StringArray::from_iter(column(name))));
        }
        for name in NUMBERS {
            fields.push(Field::new(*name, DataType::Int64, true));
            let numbers = column(name).map(|field| field.map(|text| text.parse::<i64>().unwrap()));
            columns.push(Arc::new(Int64Array::from_iter(numbers)));
        }
        fields.push(Field::new("line", DataType::Int64, false));
        columns.push(Arc::new(Int64Array::from_iter_values(0..rows.len() as i64)));
        fields.push(Field::new("time", DataType::Int64, false));
        let time = |text: Option<&str>| chrono::DateTime::parse_from_rfc3339(text.unwrap()).unwrap().timestamp_millis();
        columns.push(Arc::new(Int64Array::from_iter_values(column("time_hour").map(time))));
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        Flights { all: SessionContext::new().read_batch(batch).unwrap() }
    }

    pub fn count(&self) -> usize {
        block_on(self.all.clone().count()).unwrap()
    }

    /// Lines of the late flights: what `records::in_order_of` gives for keys.
    pub fn late_departures(&self) -> BTreeMap<String, Vec<String>> {
        let late = self.all.clone().filter(col("dep_delay").gt_eq(lit(60))).unwrap();
        let late = late.sort(vec![col("line").sort(true, false)]).unwrap();
        let columns = ["tailnum", "carrier", "flight", "origin", "dest", "dep_delay", "time"];
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in rows(late.select_columns(&columns).unwrap()) {
            let key = &row["tailnum"];
            let value = value(&row, &["carrier", "flight", "origin", "dest", "dep_delay"]);
            let line = format!("{key} null {value} at {}", row["time"]);
            found.entry(Value::from(vec![key.clone()]).to_string()).or_default().push(line);
        }
        found
    }

    pub fn carrier_delays(&self) -> Table {
        let values = vec![
            count(lit(1)).alias("flights"),
            count(col("dep_time")).alias("departed"),
            avg(col("dep_delay")).alias("mean_delay"),
            max(col("dep_delay")).alias("worst_delay"),
            min(col("arr_delay")).alias("best_arrival"),
        ];
        table(self.all.clone(), "carrier", values, None)
    }

    pub fn carrier_hours(&self) -> Table {
        let hours = self.all.clone().with_column("start", col("time") / lit(HOUR) * lit(HOUR)).unwrap();
        let hours = hours.with_column("end", col("start") + lit(HOUR)).unwrap();
        let values = vec![
            count(lit(1)).alias("flights"),
            avg(col("dep_delay")).alias("mean_delay"),
            max(col("dep_delay")).alias("worst_delay"),
        ];
        table(hours, "carrier", values, Some(("start", "end")))
    }

    /// Every flight three times: in the window that starts with its hour and in the two before.
    pub fn origin_waves(&self) -> Table {
        let moved = |hours: i64| {
            let start = (col("time") / lit(HOUR) - lit(hours)) * lit(HOUR);
            self.all.clone().with_column("start", start).unwrap()
        };
        let all = moved(0).union(moved(1)).unwrap().union(moved(2)).unwrap();
        let all = all.with_column("end", col("start") + lit(3 * HOUR)).unwrap();
        let values = vec![count(lit(1)).alias("flights"), sum(col("distance")).alias("miles")];
        table(all, "origin", values, Some(("start", "end")))
    }

    pub fn plane_position(&self) -> Table {
        let departed = self.all.clone().filter(col("dep_time").is_not_null().and(col("tailnum").is_not_null()));
        let last = |name: &str, alias: &str| last_value(col(name), vec![col("line").sort(true, false)]).alias(alias);
        let values = vec![last("dest", "airport"), last("flight", "flight"), count(lit(1)).alias("flights")];
        table(departed.unwrap(), "tailnum", values, None)
    }

    /// A flight more than twelve hours after the plane's one before begins a session; the number of beginnings so far
    /// numbers the sessions.
    pub fn plane_trips(&self) -> Table {
        let known = self.all.clone().filter(col("tailnum").is_not_null()).unwrap();
        let by_plane = |window: Expr| {
            let ordered = window.order_by(vec![col("time").sort(true, false), col("line").sort(true, false)]);
            ordered.partition_by(vec![col("tailnum")]).build().unwrap()
        };
        let before = by_plane(lag(col("time"), Some(1), None)).alias("before");
        let gap = col("before").is_null().or((col("time") - col("before")).gt(lit(12 * HOUR)));
        let begins = when(gap, lit(1i64)).otherwise(lit(0i64)).unwrap();
        let begun = known.window(vec![before]).unwrap().with_column("begins", begins).unwrap();
        let running = Expr::from(datafusion::logical_expr::expr::WindowFunction::new(
            datafusion::functions_aggregate::sum::sum_udaf(),
            vec![col("begins")],
        ));
        let numbered = begun.window(vec![by_plane(running).alias("session")]).unwrap();
        let keys = vec![col("tailnum"), col("session")];
        let values = vec![
            min(col("time")).alias("start"),
            max(col("time")).alias("end"),
            max(col("time")).alias("timestamp"),
            count(lit(1)).alias("flights"),
            sum(col("distance")).alias("miles"),
        ];
        let sessions = numbered.aggregate(keys, values).unwrap();
        lines(sessions, "tailnum", &["flights", "miles"], Some(("start", "end")))
    }
}

/// Aggregates by key and window; the timestamp is that of the newest row.
fn table(rows: DataFrame, key: &str, mut values: Vec<Expr>, window: Option<(&str, &str)>) -> Table {
    let names: Vec<String> = values.iter().map(|value| value.schema_name().to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let keys = [Some(key), window.map(|window| window.0), window.map(|window| window.1)];
    values.push(max(col("time")).alias("timestamp"));
    let found = rows.aggregate(keys.into_iter().flatten().map(col).collect(), values).unwrap();
    lines(found, key, &names, window)
}

fn lines(found: DataFrame, key: &str, values: &[&str], window: Option<(&str, &str)>) -> Table {
    let line = |row: Map<String, Value>| {
        let window = match window {
            None => Value::Null,
            Some((start, end)) => Value::from(vec![row[start].clone(), row[end].clone()]),
        };
        (format!("{} {window}", row[key]), format!("{} at {}", value(&row, values), row["timestamp"]))
    };
    rows(found).into_iter().map(line).collect()
}

/// The value as Millpond has it: names in capitals, here in order. The mean of nothing is 0.0 in ksqlDB's AVG.
fn value(row: &Map<String, Value>, names: &[&str]) -> Value {
    let member = |name: &&str| match &row[*name] {
        Value::Null if *name == "mean_delay" => (name.to_uppercase(), Value::from(0.0)),
        value => (name.to_uppercase(), value.clone()),
    };
    Value::Object(names.iter().map(member).collect::<BTreeMap<_, _>>().into_iter().collect())
}

fn rows(found: DataFrame) -> Vec<Map<String, Value>> {
    let batches = block_on(found.collect()).unwrap();
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| members(batch, row))).collect()
}

fn members(batch: &RecordBatch, row: usize) -> Map<String, Value> {
    let cell = |column: &Arc<dyn Array>| match column.data_type() {
        _ if column.is_null(row) => Value::Null,
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::from(column.as_primitive::<Float64Type>().value(row)),
        other => panic!("a column of {other}"),
    };
    let schema = batch.schema();
    schema.fields().iter().zip(batch.columns()).map(|(field, column)| (field.name().clone(), cell(column))).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
