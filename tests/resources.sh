#!/usr/bin/env bash
# What Millpond needs, measured: memory while records pass through a filter, how soon a table is back after a restart,
# how soon the terminal's first prompt is there. Prints the figures; exit 1 when one is over its bound.
#
# usage: tests/resources.sh [BINARY]      default: target/release/millpond (cargo build --release)
#   RECORDS=20000000  records of the filter     KEYS=1000000  keys of the table     UPDATES=20000000  their changes
#   PLACE=DIR  where the data goes
set -euo pipefail

binary=${1:-target/release/millpond}
records=${RECORDS:-20000000}
keys=${KEYS:-1000000}
updates=${UPDATES:-20000000}
place=$(mktemp -d "${PLACE:-${TMPDIR:-/tmp}}/millpond-resources.XXXXXX")
trap 'rm -rf "$place"' EXIT
failed=0

say() { # what, figure, bound, unit
    local verdict=ok
    if [ "$2" -gt "$3" ]; then verdict="OVER THE BOUND"; failed=1; fi
    printf '%-58s %8d %s (bound %d): %s\n' "$1" "$2" "$4" "$3" "$verdict"
}
now_ms() { date +%s%3N; }

# The most resident memory (MB) of a command, as the kernel counts it.
peak_mb() {
    "$@" >"$place/said" 2>&1 &
    local pid=$! peak=0 now
    while now=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" 2>/dev/null) && [ -n "$now" ]; do
        peak=$now
        sleep 0.05
    done
    wait "$pid" || { cat "$place/said" >&2; exit 1; }
    echo $((peak / 1024))
}

"$binary" --data-dir "$place/filter" topic create input --partitions 4 >/dev/null
awk -v n="$records" 'BEGIN { for (i = 0; i < n; i++)
    printf "{\"id\":\"k%d\",\"n\":%d,\"v\":%d,\"note\":\"some text beside it\"}\n", i % 10007, i, (i * 7919) % 1000 }' |
    "$binary" --data-dir "$place/filter" topic produce input --format jsonl --key id
cat >"$place/filter.sql" <<'SQL'
CREATE STREAM input (id STRING KEY, n BIGINT, v BIGINT) WITH (KAFKA_TOPIC='input', VALUE_FORMAT='JSON');
CREATE STREAM few AS SELECT id, n, v FROM input WHERE v < 200;
SQL
begin=$(now_ms)
peak=$(peak_mb "$binary" --data-dir "$place/filter" run "$place/filter.sql" --until-end)
took=$(($(now_ms) - begin))
say "filter of $records records: resident memory" "$peak" 256 MB
printf '%-58s %8d records/s\n' "filter: speed" $((records * 1000 / (took + 1)))
rm -rf "$place/filter"

"$binary" --data-dir "$place/table" topic create input --partitions 4 >/dev/null
awk -v n="$keys" 'BEGIN { for (i = 0; i < n; i++) printf "{\"id\":\"key-%d\",\"v\":%d}\n", i, i % 1000 }' |
    "$binary" --data-dir "$place/table" topic produce input --format jsonl --key id
cat >"$place/table.sql" <<'SQL'
CREATE STREAM input (id STRING KEY, v BIGINT) WITH (KAFKA_TOPIC='input', VALUE_FORMAT='JSON');
CREATE TABLE t AS SELECT id, COUNT(*) AS c, SUM(v) AS s FROM input GROUP BY id;
SQL
"$binary" --data-dir "$place/table" run "$place/table.sql" --until-end >/dev/null
# A start, the table's rows, and an answer from them.
begin=$(now_ms)
answer=$("$binary" --data-dir "$place/table" --output json -e "SELECT * FROM t WHERE id = 'key-$((keys - 1))';")
say "table of $keys keys: answers after a restart" $(($(now_ms) - begin)) 3000 ms
case $answer in *'"C":1'*) ;; *) echo "not the answer: $answer" >&2; failed=1 ;; esac
begin=$(now_ms)
# ... and its query goes on: one more record for a key is counted.
echo "{\"id\":\"key-0\",\"v\":5}" | "$binary" --data-dir "$place/table" topic produce input --format jsonl --key id >/dev/null
begin=$(now_ms)
"$binary" --data-dir "$place/table" run "$place/table.sql" --until-end >/dev/null
say "table of $keys keys: state restored, one record done" $(($(now_ms) - begin)) 3000 ms
answer=$("$binary" --data-dir "$place/table" --output json -e "SELECT c FROM t WHERE id = 'key-0';")
case $answer in *'"C":2'*) ;; *) echo "not the answer: $answer" >&2; failed=1 ;; esac

# Many changes of each key, faster than compaction; then the process is killed: no clean stop helps the restart.
awk -v n="$updates" -v keys="$keys" 'BEGIN { for (i = 0; i < n; i++)
    printf "{\"id\":\"key-%d\",\"v\":%d}\n", (i * 7919) % keys, i % 1000 }' |
    "$binary" --data-dir "$place/table" topic produce input --format jsonl --key id >/dev/null
"$binary" --data-dir "$place/table" run "$place/table.sql" >/dev/null 2>&1 &
job=$!
counted=0
while [ "${counted:-0}" -lt "$updates" ]; do
    sleep 1
    kill -0 "$job" 2>/dev/null || { echo "the job ended by itself" >&2; exit 1; }
    counted=$("$binary" --data-dir "$place/table" --output json -e "SHOW QUERIES;" 2>/dev/null |
        sed -n 's/.*"Rows In":\([0-9]*\).*/\1/p' || true)
done
sleep 1 # the last of them are committed within 100 ms
kill -9 "$job"
wait "$job" 2>/dev/null || true
begin=$(now_ms)
answer=$("$binary" --data-dir "$place/table" --output json -e "SELECT c FROM t WHERE id = 'key-1';")
say "table of $keys keys, $updates updates: answers after a kill" $(($(now_ms) - begin)) 3000 ms
case $answer in *"\"C\":$((updates / keys + 1))"*) ;; *) echo "not the answer: $answer" >&2; failed=1 ;; esac
begin=$(now_ms)
"$binary" --data-dir "$place/table" run "$place/table.sql" --until-end >/dev/null
say "table of $keys keys, $updates updates: state restored" $(($(now_ms) - begin)) 3000 ms

# To the first prompt in a fresh folder, the best of five (the machine may be busy).
if command -v python3 >/dev/null; then
    best=$(python3 - "$binary" "$place" <<'PY'
import os, pty, select, sys, time
best = None
for turn in range(5):
    begin = time.monotonic()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["HOME"] = sys.argv[2]
        os.execv(sys.argv[1], [sys.argv[1], "--data-dir", f"{sys.argv[2]}/repl{turn}"])
    seen = b""
    while b"millpond> " not in seen and time.monotonic() - begin < 20:
        if select.select([terminal], [], [], 0.5)[0]:
            seen += os.read(terminal, 65536)
    took = int((time.monotonic() - begin) * 1000)
    best = took if best is None else min(best, took)
    os.write(terminal, b"\x04")
    os.close(terminal)
    os.waitpid(pid, 0)
print(best)
PY
)
    say "terminal: first prompt" "$best" 100 ms
else
    echo "SKIPPED: terminal: first prompt (python3 is not there)"
fi
exit $failed
