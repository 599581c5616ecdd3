#!/usr/bin/env python3
"""Writes the *.expected.jsonl beside the queries, without Millpond.

The questions are asked again, in batch, of DuckDB over the same files (`pip install duckdb`); sessions and the
partitions of keys are plain Python. Tests compare Millpond with what this wrote.
"""

import json
import os

import duckdb

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "examples")
HOUR = 3_600_000
DAY = 24 * HOUR

db = duckdb.connect()
db.execute("SET TimeZone = 'UTC'")
db.execute(
    f"""CREATE TABLE flights AS
    SELECT row_number() OVER () AS line, epoch_ms(time_hour) AS time, *
    FROM read_csv('{DATA}/flights/flights.csv.gz', header = true, nullstr = 'NA')"""
)


for name in ("planes.csv.gz", "airlines.csv", "airports.csv.gz", "weather.csv.gz"):
    db.execute(
        f"""CREATE TABLE {name.split('.')[0]} AS
        SELECT * FROM read_csv('{DATA}/flights/{name}', header = true, nullstr = 'NA')"""
    )


def rows(sql):
    """Rows as dictionaries; names in capitals, as Millpond has them."""
    result = db.execute(sql)
    names = [column[0].upper() for column in result.description]
    return [dict(zip(names, row)) for row in result.fetchall()]


def write(name, records):
    with open(os.path.join(HERE, f"{name}.expected.jsonl"), "w") as out:
        for record in records:
            out.write(json.dumps(record, separators=(",", ":")) + "\n")
    print(f"{name}: {len(records)} records")


def record(row, key, time="TIME", window=None):
    """A row as a record: what is neither key, time nor window is the value."""
    value = {k: v for k, v in row.items() if k not in (*key, time, "WINDOW_START", "WINDOW_END", "LINE")}
    out = {"key": row[key[0]] if len(key) == 1 else {k: row[k] for k in key}}
    if window is not None:
        out["window"] = window
    if time in row:
        out["timestamp"] = row[time]
    out["value"] = value
    return out


def table(name, sql, *key, size=None):
    """The last record of each key: a row each; SQL gives TIME, and WINDOW_START where there are windows."""
    found = rows(sql)
    for row in found:
        if size is not None:
            row["WINDOW_END"] = row["WINDOW_START"] + size
    window = lambda row: [row["WINDOW_START"], row["WINDOW_END"]] if "WINDOW_START" in row else None
    found.sort(key=lambda row: ([str(row[k]) for k in key], window(row) or []))
    write(name, [record(row, key, window=window(row)) for row in found])


# Every record, in the order of the file.

late = rows(
    """SELECT line, time, tailnum, carrier, flight, origin, dest, dep_delay,
              CASE WHEN dep_delay >= 180 THEN 'very late' ELSE 'late' END AS how
       FROM flights WHERE dep_delay >= 60 ORDER BY line"""
)
write("late_departures", [record(row, ["TAILNUM"]) for row in late])

long_hauls = rows(
    """SELECT line, time, dest, tailnum, carrier, flight, origin, distance, time AS scheduled
       FROM flights WHERE distance >= 2500 ORDER BY line"""
)
write("long_hauls", [record(row, ["DEST"]) for row in long_hauls])

# Which flight of a route comes first isn't fixed, so that its time isn't.
routes = rows("SELECT DISTINCT origin, dest, distance FROM flights ORDER BY ALL")
write("routes", [record(row, ["ORIGIN"]) for row in routes])

# The last record of each key.

table(
    "carrier_delays",
    """SELECT carrier, max(time) AS time, count(*) AS flights, count(dep_delay) AS departed,
              avg(dep_delay) AS mean_delay, max(dep_delay) AS worst_delay
       FROM flights GROUP BY carrier""",
    "CARRIER",
)
table(
    "carrier_places",
    """SELECT carrier, max(time) AS time, count(DISTINCT dest) AS places, count(DISTINCT tailnum) AS planes,
              sum(DISTINCT distance)::INT AS miles, count(*) FILTER (WHERE dep_delay > 60) AS late,
              count(DISTINCT dest) FILTER (WHERE origin = 'JFK') AS places_from_jfk
       FROM flights GROUP BY carrier""",
    "CARRIER",
)
table(
    "carrier_hours",
    f"""SELECT carrier, time // {HOUR} * {HOUR} AS window_start, max(time) AS time, count(*) AS flights,
               coalesce(avg(dep_delay), 0.0) AS mean_delay, max(dep_delay) AS worst_delay
        FROM flights WHERE origin = 'JFK' GROUP BY ALL""",
    "CARRIER",
    size=HOUR,
)
table(
    "origin_waves",
    f"""SELECT origin, (time // {HOUR} - back) * {HOUR} AS window_start, max(time) AS time,
               count(*) AS flights, sum(distance)::BIGINT AS miles
        FROM flights, range(3) AS _(back) GROUP BY ALL""",
    "ORIGIN",
    size=3 * HOUR,
)
table(
    "plane_position",
    """SELECT tailnum, max(time) AS time, arg_max(dest, line) AS airport, arg_max(flight, line) AS flight,
              arg_min(origin, line) AS first_seen_at, count(*) AS flights
       FROM flights WHERE carrier = 'B6' AND dep_time IS NOT NULL AND tailnum IS NOT NULL GROUP BY tailnum""",
    "TAILNUM",
)
table(
    "busy_routes",
    """SELECT origin, dest, max(time) AS time, count(*) AS flights, count(DISTINCT carrier) AS carriers
       FROM flights GROUP BY origin, dest HAVING count(*) >= 100""",
    "ORIGIN",
    "DEST",
)
worst = {
    row["CARRIER"]: row["WORST"]
    for row in rows(
        """SELECT carrier, list(dep_delay ORDER BY dep_delay DESC)
                  FILTER (dep_delay IS NOT NULL)[1:3] AS worst FROM flights GROUP BY carrier"""
    )
}
planes = rows("SELECT carrier, max(time) AS time, count(DISTINCT tailnum) AS planes FROM flights GROUP BY carrier")
origins = rows("SELECT carrier, origin, count(*) AS flights FROM flights GROUP BY carrier, origin ORDER BY ALL")
for row in planes:
    row["WORST"] = worst[row["CARRIER"]]
    row["ORIGINS"] = {o["ORIGIN"]: o["FLIGHTS"] for o in origins if o["CARRIER"] == row["CARRIER"]}
planes.sort(key=lambda row: row["CARRIER"])
write("worst_delays", [record(row, ["CARRIER"]) for row in planes])
table(
    "alert_counts",
    """SELECT what, carrier, max(time) AS time, count(*) AS flights
       FROM (SELECT 'five hours late' AS what, * FROM flights WHERE dep_delay > 300
             UNION ALL SELECT 'cancelled' AS what, * FROM flights WHERE dep_time IS NULL)
       GROUP BY what, carrier""",
    "WHAT",
    "CARRIER",
)

# Joins.

table(
    "maker_delays",
    """SELECT manufacturer, max(time) AS time, count(*) AS flights, sum(seats)::BIGINT AS seats,
              max(dep_delay) AS worst_delay
       FROM flights JOIN planes USING (tailnum) GROUP BY manufacturer""",
    "MANUFACTURER",
)
table(
    "airline_reach",
    """SELECT l.name AS airline, max(time) AS time, count(*) AS flights, count(p.name) AS to_known_airports,
              max(distance) AS farthest
       FROM flights f JOIN airlines l USING (carrier) LEFT JOIN airports p ON f.dest = p.faa GROUP BY l.name""",
    "AIRLINE",
)
table(
    "windy_departures",
    f"""SELECT f.origin AS origin, max(greatest(f.time, epoch_ms(w.time_hour))) AS time, count(*) AS readings,
               count(dep_delay) AS departed, max(dep_delay) AS worst_delay, max(wind_speed) AS strongest_wind
        FROM flights f JOIN weather w
          ON f.origin = w.origin AND epoch_ms(w.time_hour) BETWEEN f.time - {HOUR} AND f.time
        WHERE wind_speed >= 20 GROUP BY f.origin""",
    "ORIGIN",
)
table(
    "late_again",
    f"""SELECT b.origin AS origin, max(b.time) AS time, count(*) AS pairs, count(*) FILTER (a.dep_delay > 60) AS late,
               count(*) FILTER (a.dep_delay > 60 AND b.dep_delay > 60) AS late_again
        FROM flights a JOIN flights b
          ON a.tailnum = b.tailnum AND b.time > a.time AND b.time <= a.time + 12 * {HOUR}
        GROUP BY b.origin""",
    "ORIGIN",
)
table(
    "airport_traffic",
    """SELECT airport, max(time) AS time, count(*) AS flights, sum(leaving)::BIGINT AS leaving,
              max(delay) AS worst_delay
       FROM (SELECT origin AS airport, time, 1 AS leaving, dep_delay AS delay FROM flights
             UNION ALL SELECT dest, time, 0, arr_delay FROM flights WHERE arr_delay IS NOT NULL)
       GROUP BY airport""",
    "AIRPORT",
)
# A table's join has the greater time of both rows.
table(
    "carrier_share",
    """SELECT c.origin AS origin, c.carrier AS carrier, o.time AS time, c.flights AS flights,
              o.flights AS all_flights
       FROM (SELECT origin, carrier, count(*) AS flights FROM flights GROUP BY ALL) c
       JOIN (SELECT origin, max(time) AS time, count(*) AS flights FROM flights GROUP BY ALL) o USING (origin)""",
    "ORIGIN",
    "CARRIER",
)
table(
    "plane_place",
    """SELECT tailnum, time, flights, p.name AS airport, p.tzone AS zone
       FROM (SELECT tailnum, max(time) AS time, arg_max(dest, line) AS dest, count(*) AS flights
             FROM flights WHERE carrier = 'B6' AND dep_time IS NOT NULL AND tailnum IS NOT NULL GROUP BY tailnum)
       JOIN airports p ON dest = p.faa""",
    "TAILNUM",
)
table(
    "carrier_trouble",
    """SELECT carrier, max(time) AS time, nullif(count(*) FILTER (dep_time IS NULL), 0) AS cancelled,
              nullif(count(*) FILTER (dep_delay > 300), 0) AS late
       FROM flights WHERE dep_time IS NULL OR dep_delay > 300 GROUP BY carrier""",
    "CARRIER",
)

# Sessions: a flight at most 12 hours after the one before belongs to the same.

sessions = []
for row in rows(
    """SELECT tailnum, time, distance FROM flights
       WHERE carrier IN ('AS', 'F9', 'HA', 'VX') AND tailnum IS NOT NULL ORDER BY tailnum, time"""
):
    last = sessions[-1] if sessions else None
    if last is None or last["key"] != row["TAILNUM"] or row["TIME"] - last["window"][1] > 12 * HOUR:
        last = {"key": row["TAILNUM"], "window": [row["TIME"], 0], "timestamp": 0, "value": {"FLIGHTS": 0, "MILES": 0}}
        sessions.append(last)
    last["window"][1] = last["timestamp"] = row["TIME"]
    last["value"]["FLIGHTS"] += 1
    last["value"]["MILES"] += row["DISTANCE"]
write("plane_trips", sessions)

# Lateness: a row is late when the newest time before or at it (of its airport; all airports fly daily, so the
# partition makes no difference) has passed its window's end and grace.


def in_time(sql, size, grace):
    newest = {}
    for row in rows(sql):
        newest[row["ORIGIN"]] = max(newest.get(row["ORIGIN"], 0), row["TIME"])
        row["WINDOW_START"] = row["TIME"] // size * size
        if row["WINDOW_START"] + size + grace > newest[row["ORIGIN"]]:
            yield row


def windows(found, size):
    groups = {}
    for row in found:
        groups.setdefault((row["ORIGIN"], row["WINDOW_START"]), []).append(row)
    for (origin, start), members in sorted(groups.items()):
        delays = [row["DEP_DELAY"] for row in members if row["DEP_DELAY"] is not None]
        yield {
            "key": origin,
            "window": [start, start + size],
            "timestamp": max(row["TIME"] for row in members),
            "value": {"FLIGHTS": len(members), "MEAN_DELAY": sum(delays) / len(delays) if delays else 0.0},
        }


flights = "SELECT origin, time, dep_delay FROM flights ORDER BY line"
no_grace = list(windows(in_time(flights, HOUR, 23 * HOUR), HOUR))
for row in no_grace:
    del row["value"]["MEAN_DELAY"]
write("no_grace", no_grace)

newest = db.execute("SELECT max(time) FROM flights").fetchone()[0]
final = windows(in_time(flights, DAY, DAY), DAY)
write("daily_final", [row for row in final if row["window"][1] + DAY <= newest])

# People: no time is given, so none is compared.

people = f"read_json('{DATA}/people/people.jsonl', format = 'newline_delimited')"
table(
    "people_per_title",
    f"""SELECT title, count(*) AS people, min(age) AS youngest, max(salary) AS best_paid
        FROM {people} GROUP BY title""",
    "TITLE",
)


def murmur2(data):
    """The hash by which Kafka's clients choose a key's partition."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


placed = {partition: [] for partition in range(8)}
with open(os.path.join(DATA, "people", "numbers.txt")) as lines:
    for line in lines:
        person, number = line.rstrip("\n").split(":")
        partition = (murmur2(person.encode()) & 0x7FFFFFFF) % 8
        value = {"NUMBER": int(number), "IN_PARTITION": partition, "AT_OFFSET": len(placed[partition])}
        placed[partition].append({"partition": partition, "key": person, "value": value})
write("numbers", [record for partition in placed.values() for record in partition])

# Bad records: written by hand, since what is bad is a matter of rules, not of computing.

good = [(1545, "UA", 2, 0), (1141, "AA", 2, 1), (1696, None, None, 4), (507, "B6", -5, 5), (79, "B6", -3, 7)]
write(
    "bad_records",
    [
        {
            "key": None,
            "timestamp": 1357034400000 + minute * 60_000,
            "value": {"FLIGHT": flight, "CARRIER": carrier, "DEP_DELAY": delay},
        }
        for flight, carrier, delay, minute in good
    ],
)
