//! Every query of `queries/`, three ways: straight; stopped, closed and gone on with when half of its input is there;
//! with another number of partitions. Each must give the output that stands beside it, as far as the input fixes it.

use serde_json::Value;

use crate::folder::{Folder, Input, package};
use crate::records::{self, Determined, Record, assert_same, in_order_of, last_of_each_key};

/// Neither the number of partitions of the inputs nor a divisor or multiple of it.
const OTHER_PARTITIONS: u32 = 7;

/// A query, as its file states it.
pub struct Golden {
    pub name: String,
    pub script: String,
    /// The stream that comes bit by bit.
    pub input: Input,
    /// What it is joined with; all there from the beginning.
    pub others: Vec<Input>,
    /// The stream or table that is compared.
    pub output: String,
    determined: Determined,
    expected: Vec<Value>,
}

impl Golden {
    pub fn read(name: &str) -> Golden {
        let read = |end: &str| {
            let path = package().join("queries").join(format!("{name}{end}"));
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let script = read(".sql");
        let stated = |what: &str| {
            let line = script.lines().find_map(|line| line.strip_prefix(&format!("-- {what}: ")));
            line.unwrap_or_else(|| panic!("{name}.sql has no line `-- {what}: ...`")).to_owned()
        };
        let output = stated("Output");
        let (output, determined) = output.split_once(", ").expect("`-- Output: NAME, which records`");
        let determined = match determined.strip_prefix("every record, in order of each ") {
            Some(by) => Determined::OrderOf(by.split(" and ").map(str::to_owned).collect()),
            None if determined == "the last record of each key" => Determined::LastOfEachKey,
            None => panic!("{name}.sql: what is `{determined}`?"),
        };
        let mut inputs: Vec<Input> = stated("Input").split(", ").map(Input::named).collect();
        Golden {
            name: name.to_owned(),
            input: inputs.remove(0),
            others: inputs,
            output: output.to_owned(),
            determined,
            expected: read(".expected.jsonl").lines().map(records::json).collect(),
            script,
        }
    }

    /// The expected records. What isn't said (the partition, a time that the input doesn't fix) is 0.
    fn expected(&self) -> Vec<Record> {
        let record = |line: &Value| Record {
            partition: line["partition"].as_u64().unwrap_or(0) as u32,
            key: line["key"].clone(),
            window: line["window"].clone(),
            timestamp: line["timestamp"].as_i64().unwrap_or(0),
            value: line["value"].clone(),
        };
        self.expected.iter().map(record).collect()
    }

    fn check(&self, way: &str, engine: &millpond::Engine) {
        self.check_records(way, &records::all(engine, &self.output));
    }

    /// Compares the records of the output with those that stand beside the query.
    pub fn check_records(&self, way: &str, found: &[Record]) {
        let timed = self.expected[0].get("timestamp").is_some();
        let expected = self.expected();
        let what = format!("{} {way}", self.name);
        match &self.determined {
            Determined::LastOfEachKey => {
                assert_same(&what, &last_of_each_key(found, timed), &last_of_each_key(&expected, timed));
            }
            Determined::OrderOf(by) => {
                assert_same(&what, &in_order_of(by, found, timed), &in_order_of(by, &expected, timed));
            }
        }
    }

    /// With the topics of all inputs, so many partitions each, and what is there from the beginning.
    fn folder(&self, partitions: u32) -> Folder {
        let folder = Folder::with_topic(&self.input, partitions);
        for input in &self.others {
            folder.create(input, partitions);
            folder.produce(input);
        }
        folder
    }

    fn straight(&self, way: &str, partitions: u32) {
        let folder = self.folder(partitions);
        folder.produce(&self.input);
        self.check(way, &folder.run_to_end(&self.script));
    }

    /// Stopped twice: somewhere in the first half of the input, and at the end of it.
    fn halfway(&self) {
        let files = tempfile::tempdir().unwrap();
        let [first, second] = self.input.halves(files.path());
        let folder = self.folder(self.input.partitions);
        folder.produce(&first);
        folder.run_a_moment(&self.script);
        drop(folder.run_to_end(&self.script));
        folder.produce(&second);
        folder.run_a_moment(&self.script);
        self.check("stopped and restarted", &folder.run_to_end(&self.script));
    }

    fn three_ways(&self) {
        self.straight("straight", self.input.partitions);
        self.halfway();
        // Where the partitions themselves are shown, another number is another output.
        if self.determined != Determined::OrderOf(vec!["partition".to_owned()]) {
            self.straight("with another number of partitions", OTHER_PARTITIONS);
        }
    }
}

macro_rules! golden {
    ($($name:ident)*) => {
        /// All of them.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            Golden::read(stringify!($name)).three_ways();
        })*
    };
}

golden! {
    airline_reach
    airport_traffic
    alert_counts
    bad_records
    busy_routes
    carrier_delays
    carrier_hours
    carrier_places
    carrier_share
    carrier_trouble
    daily_final
    late_again
    late_departures
    long_hauls
    maker_delays
    no_grace
    numbers
    origin_waves
    people_per_title
    plane_place
    plane_position
    plane_trips
    routes
    windy_departures
    worst_delays
}

#[test]
fn every_query_is_tested() {
    let mut found: Vec<String> = std::fs::read_dir(package().join("queries"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".sql").map(str::to_owned))
        .collect();
    found.sort();
    assert_eq!(found, NAMES);
}

#[test]
fn a_wrong_expectation_fails() {
    let mut golden = Golden::read("people_per_title");
    golden.expected[3]["value"]["PEOPLE"] = Value::from(1_000);
    let caught = std::panic::catch_unwind(|| golden.straight("straight", 4));
    let text = *caught.unwrap_err().downcast::<String>().unwrap();
    assert!(text.contains("1 differences"), "{text}");
}

#[test]
fn bad_records_are_kept_with_place_and_reason() {
    let golden = Golden::read("bad_records");
    let folder = Folder::with_topic(&golden.input, 1);
    folder.produce(&golden.input);
    drop(folder.run_to_end(&golden.script));
    let shown = folder.millpond(&["-e", "SELECT * FROM KSQL_PROCESSING_LOG;", "--output", "json"]);
    let rows: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let places: Vec<i64> = rows.iter().filter_map(|row| row["RECORD_OFFSET"].as_i64()).collect();
    assert_eq!(places, [1, 3, 4, 7, 8], "{shown}");
    for row in &rows {
        assert_eq!(row["TOPIC"], "broken", "{row}");
        assert!(row["MESSAGE"].as_str().is_some_and(|message| !message.is_empty()), "{row}");
    }
}
