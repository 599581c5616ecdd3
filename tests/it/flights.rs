//! The shipped job over the flights gives what a batch computation of the same questions gives: on the shipped part and,
//! where its file is at hand, on the whole year.

use std::path::PathBuf;

use crate::batch::{Flights, Table};
use crate::folder::{Folder, Input, package};
use crate::outside;
use crate::records::{self, assert_same, in_order_of, last_of_each_key};

fn check(file: PathBuf) -> usize {
    let flights = Flights::read(&file);
    let input = Input::flights(file);
    let folder = Folder::with_topic(&input, input.partitions);
    folder.produce(&input);
    let script = std::fs::read_to_string(package().join("examples/flights/flights.sql")).unwrap();
    let engine = folder.run_to_end(&script);
    let found = |name: &str| last_of_each_key(&records::all(&engine, name), true);
    let compare = |name: &str, expected: Table| {
        assert!(!expected.is_empty(), "{name}");
        assert_same(name, &found(name), &expected);
    };
    let late = in_order_of(&["key"], &records::all(&engine, "LATE_DEPARTURES"), true);
    assert_same("LATE_DEPARTURES", &late, &flights.late_departures());
    compare("CARRIER_DELAYS", flights.carrier_delays());
    compare("CARRIER_HOURS", flights.carrier_hours());
    compare("ORIGIN_WAVES", flights.origin_waves());
    compare("PLANE_POSITION", flights.plane_position());
    compare("PLANE_TRIPS", flights.plane_trips());
    flights.count()
}

#[test]
fn the_shipped_part_equals_a_batch_computation() {
    assert_eq!(check(package().join("examples/flights/flights.csv.gz")), 33_055);
}

#[test]
fn the_whole_year_equals_a_batch_computation() {
    if let Some(file) = outside::path("MILLPOND_FLIGHTS") {
        assert_eq!(check(file), 336_776);
    }
}
