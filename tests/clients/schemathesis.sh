#!/usr/bin/env bash
# Requests made up from the OpenAPI document, right and wrong ones: no answer may be a 5xx, and each must be one that the document
# tells of.
#
#   tests/clients/schemathesis.sh SCHEMATHESIS URL FOLDER
set -euo pipefail
schemathesis=$1 url=$2 folder=$3
cd "$folder"
# What ends the server, or isn't HTTP once it has begun, stands aside.
"$schemathesis" --no-color run "$url/openapi.json" \
    --exclude-path /ksql/terminate --exclude-path /ws/query \
    --phases examples,coverage,fuzzing \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --max-examples "${SCHEMATHESIS_EXAMPLES:-40}" --generation-deterministic --suppress-health-check all \
    --request-timeout 60 >schemathesis.log 2>&1 || { cat schemathesis.log; exit 1; }
tail -n 5 schemathesis.log
