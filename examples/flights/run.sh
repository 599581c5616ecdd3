#!/bin/sh
# Builds Millpond, fills a topic with flights, runs the job of flights.sql through all of them and asks its tables.
#
#   run.sh [FOLDER [FLIGHTS]]
#
# FOLDER: a new data folder (else a temporary one, whose name is shown). FLIGHTS: another file with the same columns.
set -eu

here=$(dirname "$0")
data=${1:-$(mktemp -d)/data}
flights=${2:-$here/flights.csv.gz}
millpond() {
    cargo run --quiet --manifest-path "$here/../../Cargo.toml" -- --data-dir "$data" "$@"
}

cargo build --manifest-path "$here/../../Cargo.toml"
millpond topic create flights --partitions 4 --config retention.ms=-1
millpond topic produce flights --file "$flights" --format csv --null NA --key tailnum --timestamp time_hour
millpond run "$here/flights.sql" --until-end
millpond \
    -e "SELECT * FROM carrier_delays;" \
    -e "SELECT * FROM carrier_hours WHERE carrier = 'HA' LIMIT 3;" \
    -e "SELECT * FROM plane_position WHERE tailnum = 'N380HA';" \
    -e "SELECT * FROM plane_trips WHERE tailnum = 'N380HA';"

echo
echo "Ask more with: cargo run -- --data-dir $data"
