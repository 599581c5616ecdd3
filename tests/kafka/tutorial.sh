#!/usr/bin/env bash
# Runs tutorial.py on a broker of its own, with the clients of requirements.txt in an environment of its own.
#
#   tests/kafka/tutorial.sh MILLPOND
#
# The clients come from PyPI once; they are kept in ${XDG_CACHE_HOME:-~/.cache}/millpond/python-<hash of requirements.txt>.
# Exit code 3: Java, Maven, Python or PyPI is not there.
set -euo pipefail
millpond=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
hash=$(sha256sum "$here/requirements.txt" | cut -c 1-12)
python=${XDG_CACHE_HOME:-$HOME/.cache}/millpond/python-$hash

if [ ! -e "$python/complete" ]; then
    rm -rf "$python"
    { python3 -m venv "$python" && "$python/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"; } >&2 ||
        { rm -rf "$python"; echo "tutorial.sh: no Python, or its packages can't be fetched" >&2; exit 3; }
    touch "$python/complete"
fi

folder=$(mktemp -d)
mkdir "$folder/data"
export MILLPOND_KAFKA_DIR=$folder/kafka
trap '"$here/broker.sh" stop; rm -rf "$folder"' EXIT
environment=$("$here/broker.sh" start)
"$python/bin/python" "$here/tutorial.py" "$millpond" "${environment#KAFKA_BOOTSTRAP=}" "$folder/data"
