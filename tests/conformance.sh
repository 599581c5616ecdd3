#!/usr/bin/env bash
# Runs the conformance cases of a folder and compares the counts with tests/conformance.txt: none may fall. Part rest is run twice,
# in the process and over HTTP.
# `tests/conformance.sh FOLDER --record` writes the counts down.
set -euo pipefail
cases="$1"
here="$(cd "$(dirname "$0")" && pwd)"
cd "$here/.."
# The binary that the tests built: `cargo build` alone settles on other features of some dependencies, and builds those anew.
cargo test --no-run --quiet
binary="${CARGO_TARGET_DIR:-target}/debug/millpond"

# counts NAME ARGUMENT...: of `millpond test ARGUMENT...`
counts() {
  local name="$1" line outputs rejections
  shift
  # Cases that fail make the exit code 1: the counts are what is judged here.
  line="$("$binary" test "$@" | tail -n 1)" || true
  outputs="$(sed -n 's/.*outputs: \([0-9]*\) of.*/\1/p' <<<"$line")"
  rejections="$(sed -n 's/.*rejections: \([0-9]*\) of.*/\1/p' <<<"$line")"
  echo "$name outputs ${outputs:?no summary line: $line}"
  echo "$name rejections ${rejections:?no summary line: $line}"
}

found="$(
  counts query "$cases/query"
  counts rest "$cases/rest"
  counts rest-over-http --over-http "$cases/rest"
)"
if [ "${2:-}" = "--record" ]; then
  printf '%s\n' "$found" > "$here/conformance.txt"
  exit 0
fi
status=0
while read -r part kind recorded; do
  now="$(awk -v p="$part" -v k="$kind" '$1 == p && $2 == k { print $3 }' <<<"$found")"
  echo "$part $kind: ${now:-none} passed, $recorded recorded"
  if [ "${now:-0}" -lt "$recorded" ]; then
    echo "FELL: $part $kind"
    status=1
  fi
done < "$here/conformance.txt"
exit $status
