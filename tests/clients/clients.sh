#!/usr/bin/env bash
# Asks a server of its own with clients that others wrote: curl, Python's ksql and websockets, Prometheus' parser, Node's
# ksqldb-client, and schemathesis over the OpenAPI document.
#
#   tests/clients/clients.sh MILLPOND
#
# The clients come from PyPI and npm once; they are kept in ${XDG_CACHE_HOME:-~/.cache}/millpond/clients-*-<hash>.
# What can't be had is said (`SKIPPED: ...`) and left out.
set -euo pipefail
millpond=$(realpath "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/millpond

# kept KIND FILE COMMAND: the folder that COMMAND has filled, for this content of FILE.
kept() {
    local folder
    folder="$cache/clients-$1-$(sha256sum "$here/$2" | cut -c 1-12)"
    if [ ! -e "$folder/complete" ]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        if ! "$3" "$folder" >&2; then
            rm -rf "$folder"
            return 1
        fi
        touch "$folder/complete"
    fi
    echo "$folder"
}

python_clients() {
    # One of them is built by the tools of the environment, which it needs there.
    python3 -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check 'setuptools<80' wheel &&
        "$1/bin/pip" install -q --disable-pip-version-check --no-build-isolation -r "$here/requirements.txt"
}

node_clients() {
    cp "$here/package.json" "$1/" && (cd "$1" && npm install --silent --no-audit --no-fund --no-package-lock)
}

work=$(mktemp -d)
cd "$work"
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

"$millpond" server --data-dir "$work/data" --listen 127.0.0.1:0 >"$work/said" &
server=$!
for _ in $(seq 600); do
    [ -s "$work/said" ] && break
    kill -0 "$server"
    sleep 0.1
done
url=$(sed -n 's/^listening on //p' "$work/said")
port=${url##*:}

part() { echo "-- $*"; }

# The requests of ksqlDB's reference, and a word that each answer must have.
curls() {
    local json='application/vnd.ksql.v1+json' delimited='application/vnd.ksqlapi.delimited.v1'
    has() {
        local word=$1 answer
        shift
        answer=$(curl -sS --max-time 60 "$@")
        grep -qF -- "$word" <<<"$answer" || { echo "curl $*: no '$word' in: $answer" >&2; return 1; }
        echo "  $(tr -s ' \n' ' ' <<<"${*: -1}")"
    }
    has '"@type":"currentStatus"' -X POST "$url/ksql" -H "Accept: $json" -d "{
        \"ksql\": \"CREATE STREAM pageviews (pageid VARCHAR KEY, userid VARCHAR) WITH (KAFKA_TOPIC='pageviews', PARTITIONS=2, VALUE_FORMAT='JSON');\",
        \"streamsProperties\": {}
    }"
    has '"queryId":"CTAS_' -X POST "$url/ksql" -H "Content-Type: $json; charset=utf-8" -d '{
        "ksql": "CREATE TABLE pageviews_by_user AS SELECT userid, COUNT(*) AS n FROM pageviews GROUP BY userid;",
        "streamsProperties": {"ksql.streams.auto.offset.reset": "earliest"}
    }'
    has '"status":"ok"' -X POST "$url/inserts-stream" -d $'{"target": "pageviews"}\n{"pageid": "home", "userid": "ann"}\n{"pageid": "help", "userid": "ann"}'
    has '"name":"PAGEVIEWS"' -X POST "$url/ksql" -H "Accept: $json" -d '{"ksql": "LIST STREAMS;", "streamsProperties":{}}'
    has '"finalMessage":"Limit Reached"' -N -X POST "$url/query" -H "Accept: $json" -d '{
        "ksql": "SELECT * FROM pageviews EMIT CHANGES LIMIT 2;",
        "streamsProperties": {"ksql.streams.auto.offset.reset": "earliest"}
    }'
    has '["home","ann"]' -N --http2-prior-knowledge -X POST "$url/query-stream" -H "Accept: $delimited" -d '{
        "sql": "SELECT * FROM pageviews WHERE pageid = '"'home'"' EMIT CHANGES LIMIT 1;",
        "properties": {"auto.offset.reset": "earliest"}
    }'
    has 'KsqlServerInfo' -sX GET "$url/info"
    has '"isHealthy":true' -sX GET "$url/healthcheck"
    has 'CREATE' -X POST "$url/ksql" -d '{"ksql": "DESCRIBE pageviews_by_user;"}'
    has '"SUCCESS"' "$url/status/stream/PAGEVIEWS/create"
    has '"hostAlive":true' "$url/clusterStatus"
    has 'true' "$url/is_valid_property/auto.offset.reset"
    has '"error_code":40001' -X POST "$url/ksql" -d '{"ksql": "CREATE STREEM x;"}'
    has '"error_code":40000' -X POST "$url/close-query" -d '{"queryId": "none"}'
}
part "curl: the requests of ksqlDB's reference"
curls

if python=$(kept python requirements.txt python_clients); then
    for client in ksql websocket metrics; do
        part "Python: $client"
        "$python/bin/python" "$here/clients.py" "$client" "$url"
    done
    part "schemathesis over /openapi.json"
    "$here/schemathesis.sh" "$python/bin/schemathesis" "$url" "$work"
else
    echo "SKIPPED: clients in Python: no Python, or its packages can't be fetched"
fi

if command -v node >/dev/null && node=$(kept node package.json node_clients); then
    part "Node: ksqldb-client"
    (cd "$node" && KSQLDB_HOST=http://127.0.0.1 KSQLDB_PORT=$port node "$here/ksqldb_client.js")
else
    echo "SKIPPED: clients in Node: no Node, or its packages can't be fetched"
fi
