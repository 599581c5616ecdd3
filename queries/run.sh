#!/bin/sh
# Runs one of these queries over its input, in a new data folder, and shows what it gives.
#
#   queries/run.sh NAME [FOLDER]
set -eu

if [ $# -eq 0 ]; then
    echo "usage: queries/run.sh NAME [FOLDER]; NAME is one of" >&2
    (cd "$(dirname "$0")" && for file in *.sql; do echo "  ${file%.sql}" >&2; done)
    exit 2
fi
here=$(dirname "$0")
query=$here/$1.sql
data=${2:-$(mktemp -d)/data}
examples=$here/../examples
millpond() {
    cargo run --quiet --manifest-path "$here/../Cargo.toml" -- --data-dir "$data" "$@"
}
fill() {
    topic=$1 partitions=$2
    shift 2
    millpond topic create "$topic" --partitions "$partitions" --config retention.ms=-1
    millpond topic produce "$topic" "$@"
}

flights=$examples/flights
# Rows of a table are there before the first flight.
before="--null NA --time 2013-01-01"
for input in $(sed -n 's/^-- Input: //p' "$query" | tr , ' '); do
case $input in
planes) fill planes 4 --file "$flights/planes.csv.gz" --key tailnum $before ;;
airlines) fill airlines 4 --file "$flights/airlines.csv" --key carrier $before ;;
airports) fill airports 4 --file "$flights/airports.csv.gz" --key faa $before ;;
weather) fill weather 4 --file "$flights/weather.csv.gz" --null NA --key origin --timestamp time_hour ;;
flights) fill flights 4 --file "$examples/flights/flights.csv.gz" --null NA --key tailnum --timestamp time_hour ;;
departures) fill departures 4 --file "$examples/flights/flights.csv.gz" --null NA --key origin --timestamp time_hour ;;
broken) fill broken 1 --file "$examples/flights/broken.jsonl" --format raw ;;
people) fill people 4 --file "$examples/people/people.jsonl" --key id ;;
numbers) fill numbers 8 --file "$examples/people/numbers.txt" --key-separator : ;;
*)
    echo "$query names no input that this script knows" >&2
    exit 2
    ;;
esac
done
millpond run "$query" --until-end
output=$(sed -n 's/^-- Output: \([A-Z_]*\),.*/\1/p' "$query")
millpond topic consume "$output" --from-beginning --until-end --limit 40

echo
echo "The last lines are at most 40 records of $output. Ask more with: cargo run -- --data-dir $data"
