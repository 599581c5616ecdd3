#!/usr/bin/env bash
# The walk through two terminals and more, in tmux: a job in one, made-up records from another, REPLs with a pull and a push
# query in others, Ctrl-C here and there, kill -9 of the owner and back. Takes under a minute.
#
#   tests/terminal.sh [BINARY]        default: target/debug/millpond
#
# Exit code 0: all is as it should be, or tmux isn't there (said loudly); 1: something isn't, with the pane as it was.
set -u
cd "$(dirname "$0")/.."
binary=${1:-${CARGO_TARGET_DIR:-target}/debug/millpond}

if ! command -v tmux >/dev/null; then
    echo "SKIPPED: tests/terminal.sh needs tmux, which is not installed" >&2
    exit 0
fi
if [ ! -x "$binary" ]; then
    echo "FAILED: no binary at $binary: cargo build makes it" >&2
    exit 1
fi
binary=$(realpath "$binary")

folder=$(mktemp -d)
tmux=(tmux -f /dev/null -S "$folder/tmux")

# What still runs in the panes ends with them, and writes until then.
clean_up() {
    "${tmux[@]}" kill-server 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf "$folder" 2>/dev/null && return
        sleep 0.2
    done
}
trap clean_up EXIT

cat >"$folder/job.sql" <<'SQL'
CREATE STREAM pageviews (viewkey STRING KEY, viewtime BIGINT, userid STRING, pageid STRING)
  WITH (KAFKA_TOPIC='pageviews', VALUE_FORMAT='JSON', PARTITIONS=4);
CREATE TABLE views_by_user AS
  SELECT userid, COUNT(*) AS n FROM pageviews GROUP BY userid EMIT CHANGES;
CREATE TABLE views_per_5s AS
  SELECT userid, COUNT(*) AS n FROM pageviews WINDOW TUMBLING (SIZE 5 SECONDS) GROUP BY userid EMIT CHANGES;
SQL

# terminal NAME: a shell in a pane of its own, in the folder, where `millpond` is the binary on folder D.
terminal() {
    "${tmux[@]}" new-session -d -s "$1" -x 100 -y 40 env PS1='$ ' HOME="$folder" bash --norc --noprofile
    type_in "$1" "cd '$folder'; millpond() { '$binary' --data-dir D \"\$@\"; }; clear"
}

# type_in NAME TEXT: types a line. (tmux takes a `;` at the end for itself.)
type_in() {
    local text=$2
    case $text in *\;) text="${text%;}\\;" ;; esac
    "${tmux[@]}" send-keys -t "=$1:" -l -- "$text"
    "${tmux[@]}" send-keys -t "=$1:" Enter
}

press() { "${tmux[@]}" send-keys -t "=$1:" "$2"; }

# What stands in a pane, with what has scrolled out of it.
pane() { "${tmux[@]}" capture-pane -p -t "=$1:" -S -2000; }

# clean NAME: forgets what stands in a pane.
clean() {
    press "$1" C-l
    sleep 0.2
    "${tmux[@]}" clear-history -t "=$1:"
}

fail() {
    echo "FAILED: $2; the pane $1:" >&2
    pane "$1" | sed -e 's/^/    /' -e '/^ *$/d' >&2
    exit 1
}

# expect NAME PATTERN [SECONDS]: waits until the pane has a line of that (extended) pattern.
expect() {
    local end=$((SECONDS + ${3:-8}))
    until pane "$1" | grep -Eq -- "$2"; do
        [ $SECONDS -lt $end ] || fail "$1" "expected in $1: $2"
        sleep 0.1
    done
}

never() { if pane "$1" | grep -Eq -- "$2"; then fail "$1" "not expected in $1: $2"; fi; }

said() { echo "ok: $1"; }

# What runs in the pane of the job.
owner() { pgrep -P "$("${tmux[@]}" list-panes -t =job: -F '#{pane_pid}')"; }

for name in job generator pull push; do terminal "$name"; done

type_in job 'millpond run job.sql'
expect job 'CTAS_VIEWS_PER_5S_2 +RUNNING'
type_in generator 'millpond datagen pageviews --rate 50'
expect generator 'CREATE STREAM pageviews'
expect job 'CTAS_VIEWS_BY_USER_1 +RUNNING +in +[1-9]'
said 'a job runs while records come from another terminal'

type_in push 'millpond'
expect push 'attached'
expect push '^millpond>'
clean push
type_in push 'SELECT userid, n FROM views_by_user EMIT CHANGES;'
expect push '^\| User_[0-9] +\| +[0-9]+ \|$'
said 'a push query shows changes as they come'

type_in pull 'millpond'
expect pull '^millpond>'
clean pull
type_in pull "SELECT userid, n FROM views_by_user WHERE userid = 'User_1';"
expect pull '^\| User_1 \| +[0-9]+ \|$'
expect pull '^1 row$'
type_in pull "PRINT 'VIEWS_PER_5S' FROM BEGINNING LIMIT 1;"
expect pull '^partition: [0-3], offset: 0, rowtime: .*key: User_[0-9], window: \['
type_in pull 'SHOW QUERIES;'
expect pull '^\| CTAS_VIEWS_BY_USER_1 \| RUNNING \| VIEWS_BY_USER'
clean pull
type_in pull 'SELECT usrid FROM pageviews EMIT CHANGES;'
expect pull '^ {9}\^$'
expect pull 'Did you mean USERID\?'
type_in pull 'output json'
type_in pull 'SELECT n FROM views_by_user LIMIT 1;'
expect pull '^\{"N":[0-9]+\}$'
type_in pull 'output tabular'
said 'a pull query, PRINT, SHOW, an error and JSON beside it'

# Several lines at once, as a terminal without bracketed paste gives them: each runs.
clean pull
"${tmux[@]}" set-buffer "$(printf 'SHOW TOPICS;\nSHOW STREAMS;\nSHOW TABLES;\nSHOW QUERIES;\n ')"
"${tmux[@]}" paste-buffer -t '=pull:'
expect pull '^\| pageviews '
expect pull '^\| PAGEVIEWS '
expect pull '^\| VIEWS_PER_5S '
expect pull '^\| CTAS_VIEWS_BY_USER_1 '
press pull C-c
clean pull
said 'lines that are pasted run one after the other'

press push C-c
expect push 'Query terminated'
for _ in 1 2 3 4 5; do
    clean push
    type_in push 'SELECT userid, n FROM views_by_user EMIT CHANGES;'
    expect push '^\| User_[0-9]'
    press push C-c
    expect push 'Query terminated'
done
type_in push 'SHOW TABLES;'
expect push '^\| VIEWS_PER_5S .*\| true'
clean push
said 'Ctrl-C ends the push query, not the REPL'

type_in push 'SELECT userid, n FROM views_by_user EMIT CHANGES;'
expect push '^\| User_[0-9]'
kill -9 "$(owner)"
expect job 'Killed'
expect push 'the process that held the data folder has ended'
# It takes the folder and goes on.
press generator C-c
expect generator '[0-9] records written'
never generator 'error:'
said 'the generator outlives the owner, and Ctrl-C ends it'
clean pull
type_in pull 'SHOW TABLES;'
expect pull 'the process that held the data folder has ended'
never pull 'Table Name'
said 'when nobody holds the folder the terminals say so'

clean job
type_in job 'millpond run job.sql'
expect job 'CTAS_VIEWS_PER_5S_2 +RUNNING'
clean generator
type_in generator 'millpond datagen pageviews --rate 50 --count 100'
expect generator '100 records written'
type_in generator 'millpond -e "SELECT SUM_OF.n FROM nothing;"; echo "exit code $?"'
expect generator 'exit code 1'
clean pull
type_in pull "SELECT userid, n FROM views_by_user WHERE userid = 'User_1';"
expect pull '^\| User_1 \| +[0-9]+ \|$'
said 'the job goes on where it was, and the terminals find it again'

# Each view is counted once: what the table has is what the topic has.
type_in push 'exit'
count() { "$binary" --data-dir "$folder/D" -e "$1" --output json; }
views=$("$binary" --data-dir "$folder/D" topic consume pageviews --from-beginning --until-end | wc -l)
counted() { count 'SELECT n FROM views_by_user;' | tr -dc '0-9\n' | awk '{ sum += $1 } END { print sum + 0 }'; }
for _ in $(seq 50); do [ "$(counted)" = "$views" ] && break; sleep 0.1; done
[ "$(counted)" = "$views" ] || fail pull "$views views, but $(counted) counted"
said "nothing is lost and nothing counted twice ($views views)"

press job C-c
expect job 'CTAS_VIEWS_PER_5S_2 +STOPPED'
type_in job 'echo "exit code $?"'
expect job 'exit code 0'
said 'Ctrl-C commits and ends the job'

clean pull
type_in pull 'connect'
expect pull 'This process holds the data folder'
[ "$(counted)" = "$views" ] || fail pull "the REPL that took the folder over counts $(counted), not $views"
type_in pull 'exit'
expect pull '^\$ *$'
said 'a REPL takes the folder over, and -e attaches to it'
echo 'The walk is done.'
