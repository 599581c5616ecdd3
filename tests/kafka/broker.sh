#!/usr/bin/env bash
# A real Apache Kafka (KRaft mode) on free loopback ports, for tests and to try Millpond on.
#
#   broker.sh start [--brokers 1|3] [--sasl]   prints KAFKA_BOOTSTRAP=... when the cluster answers
#   broker.sh env                              prints that again
#   broker.sh stop                             stops all brokers and removes their data
#   broker.sh kill N                           kill -9 of broker N (1, 2, 3)
#   broker.sh restart [N]                      stops (if it runs) and starts broker N, or all, with data and port kept
#   broker.sh fetch                            gets Kafka's jars, if they aren't here yet
#   broker.sh tool CLASS ARGS...               one of Kafka's tools, e.g. org.apache.kafka.tools.TopicCommand
#
# Wants Java 17 and, once, Maven: the jars are kept in ${XDG_CACHE_HOME:-~/.cache}/millpond/kafka.
# Data, logs and process ids are in ${MILLPOND_KAFKA_DIR:-/tmp/millpond-kafka-<user>}: one cluster a folder.
# Exit code 3: Java, or Maven for the first time, is not there.
set -euo pipefail

VERSION=4.1.0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/millpond/kafka
jars=$cache/$VERSION
dir=${MILLPOND_KAFKA_DIR:-${TMPDIR:-/tmp}/millpond-kafka-$(id -un)}
START_SECONDS_MAX=60
# The user of a SASL cluster; `guest` is known too, and has no rights but those that ACLs give.
user=millpond password=pond

fail() { echo "broker.sh: $1" >&2; exit "${2:-1}"; }

fetch_jars() {
    command -v java >/dev/null || fail "there is no java" 3
    [ -e "$jars/complete" ] && return
    command -v mvn >/dev/null || fail "there is no mvn to fetch Kafka's jars with" 3
    echo "broker.sh: fetching Kafka $VERSION (about 125 MB, once)" >&2
    mkdir -p "$cache"
    local fresh
    fresh=$(mktemp -d "$cache/fetch.XXXXXX")
    mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$fresh" >&2 ||
        { rm -rf "$fresh"; fail "Maven could not fetch Kafka's jars" 3; }
    touch "$fresh/complete"
    # Another process may have been quicker.
    mv -T "$fresh" "$jars" 2>/dev/null || rm -rf "$fresh"
    [ -e "$jars/complete" ] || fail "$jars is incomplete: remove it"
}

kafka_java() { java -cp "$jars/*" "$@"; }

# Below the range from which the system takes ports by itself.
free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        case " $taken " in *" $port "*) continue ;; esac
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    taken="$taken $port"
    found=$port
}

# 16 random bytes in base64. Without the `-` of its URL-safe form: Kafka's tool takes an id that begins with one for an option.
cluster_id() { head -c 16 /dev/urandom | base64 | tr '+/' 'p_' | tr -d =; }

# server.properties of broker $1 of $count.
write_properties() {
    local n=$1 replication=$count client=PLAINTEXT i voters=
    local min_isr=$((count > 1 ? 2 : 1))
    [ "$sasl" = no ] || client=SASL_SSL
    for i in $(seq "$count"); do voters="$voters${voters:+,}$i@127.0.0.1:${controllers[i]}"; done
    cat <<END
process.roles=broker,controller
node.id=$n
controller.quorum.voters=$voters
listeners=$client://127.0.0.1:${clients[n]},INTERNAL://127.0.0.1:${internals[n]},CONTROLLER://127.0.0.1:${controllers[n]}
advertised.listeners=$client://127.0.0.1:${clients[n]},INTERNAL://127.0.0.1:${internals[n]}
inter.broker.listener.name=INTERNAL
controller.listener.names=CONTROLLER
listener.security.protocol.map=$client:$client,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/$n/data
offsets.topic.replication.factor=$replication
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replication
transaction.state.log.min.isr=$min_isr
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.replication.factor=$replication
share.coordinator.state.topic.min.isr=$min_isr
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.initial.task.delay.ms=500
log.retention.check.interval.ms=1000
log.cleaner.backoff.ms=200
END
    [ "$sasl" = yes ] || return 0
    cat <<END
sasl.enabled.mechanisms=SCRAM-SHA-256
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PKCS12
ssl.keystore.location=$dir/broker.p12
ssl.keystore.password=$password-store
ssl.key.password=$password-store
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:$user;User:ANONYMOUS
END
}

running() { [ -e "$dir/$1/pid" ] && kill -0 "$(cat "$dir/$1/pid")" 2>/dev/null; }

launch() {
    local heap=512m
    [ "$(brokers | wc -l)" -eq 1 ] || heap=320m
    # Its own session: an interrupt of the tests doesn't reach it, and no descriptor of theirs is kept open.
    setsid java "-Xmx$heap" -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" \
        kafka.Kafka "$dir/$1/server.properties" </dev/null >>"$dir/$1/broker.log" 2>&1 &
    echo $! >"$dir/$1/pid"
}

await() {
    local port waited=0
    port=$(sed -n 's|^advertised.listeners=[A-Z_]*://127.0.0.1:\([0-9]*\),.*|\1|p' "$dir/$1/server.properties")
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        running "$1" || { tail -n 20 "$dir/$1/broker.log" >&2; fail "broker $1 did not start"; }
        waited=$((waited + 1))
        [ $waited -lt $((START_SECONDS_MAX * 10)) ] || fail "broker $1 is not up after $START_SECONDS_MAX s"
        sleep 0.1
    done
}

brokers() { [ -d "$dir" ] && find "$dir" -mindepth 1 -maxdepth 1 -type d -name '[0-9]' -printf '%f\n' | sort; }

end() {
    running "$1" || return 0
    local pid
    pid=$(cat "$dir/$1/pid")
    kill "-$2" "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

start() {
    count=1 sasl=no
    while [ $# -gt 0 ]; do
        case $1 in
        --brokers) count=${2:?--brokers wants a number}; shift ;;
        --sasl) sasl=yes ;;
        *) fail "unknown option $1" 2 ;;
        esac
        shift
    done
    case $count in 1 | 3) ;; *) fail "--brokers is 1 or 3" 2 ;; esac
    local n
    for n in $(brokers); do running "$n" && fail "a cluster runs in $dir already; stop it first"; done
    fetch_jars
    rm -rf "$dir"
    mkdir -p "$dir"
    local -a clients internals controllers
    local taken="" found="" bootstrap="" scram=()
    for n in $(seq "$count"); do
        free_port; clients[n]=$found
        free_port; internals[n]=$found
        free_port; controllers[n]=$found
        bootstrap="$bootstrap${bootstrap:+,}127.0.0.1:${clients[n]}"
    done
    if [ "$sasl" = yes ]; then
        keytool -genkeypair -alias broker -keyalg RSA -keysize 2048 -validity 3650 -dname CN=localhost \
            -ext san=ip:127.0.0.1,dns:localhost -storetype PKCS12 -keystore "$dir/broker.p12" \
            -storepass "$password-store" 2>/dev/null
        keytool -exportcert -rfc -alias broker -keystore "$dir/broker.p12" -storepass "$password-store" \
            >"$dir/ca.pem" 2>/dev/null
        scram=(--add-scram "SCRAM-SHA-256=[name=$user,password=$password]"
            --add-scram "SCRAM-SHA-256=[name=guest,password=guest]")
    fi
    local id
    id=$(cluster_id)
    for n in $(seq "$count"); do
        mkdir -p "$dir/$n"
        write_properties "$n" >"$dir/$n/server.properties"
        kafka_java -Xmx128m kafka.tools.StorageTool format -t "$id" -c "$dir/$n/server.properties" \
            "${scram[@]}" >"$dir/$n/format.log" 2>&1 || { cat "$dir/$n/format.log" >&2; fail "format failed"; }
    done
    {
        echo "KAFKA_BOOTSTRAP=$bootstrap"
        if [ "$sasl" = yes ]; then
            echo "KAFKA_SECURITY_PROTOCOL=SASL_SSL"
            echo "KAFKA_SASL_MECHANISM=SCRAM-SHA-256"
            echo "KAFKA_SASL_USERNAME=$user"
            echo "KAFKA_SASL_PASSWORD=$password"
            echo "KAFKA_CA=$dir/ca.pem"
        fi
    } >"$dir/env"
    for n in $(seq "$count"); do launch "$n"; done
    for n in $(seq "$count"); do await "$n"; done
    cat "$dir/env"
}

known() { [ -e "$dir/${1:?which broker?}/server.properties" ] || fail "there is no broker $1 in $dir"; }

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
start) start "$@" ;;
env) cat "$dir/env" 2>/dev/null || fail "no cluster in $dir" ;;
stop)
    for n in $(brokers); do end "$n" KILL; done
    rm -rf "$dir"
    ;;
kill)
    known "${1:-}"
    end "$1" KILL
    ;;
restart)
    fetch_jars
    if [ $# -gt 0 ]; then known "$1"; some=$1; else some=$(brokers); fi
    for n in $some; do end "$n" TERM; done
    for n in $some; do launch "$n"; done
    for n in $some; do await "$n"; done
    ;;
fetch) fetch_jars ;;
tool)
    fetch_jars
    kafka_java -Dorg.slf4j.simpleLogger.defaultLogLevel=warn "$@"
    ;;
*) sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
