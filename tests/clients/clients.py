"""What clients in Python that others wrote get from a server.

    python clients.py ksql|websocket|metrics URL

Each part prints what it has seen, and fails at the first thing that isn't as it must be.
"""

import asyncio
import collections
import collections.abc
import json
import sys
import threading
import time
import types
import urllib.parse
import urllib.request

EARLIEST = {"auto.offset.reset": "earliest"}
PATIENCE_S = 60


def check(what, found, wanted):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r} instead of {wanted!r}")
    print(f"  {what}")


def post(url, path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def await_rows(url, sql, wanted):
    """Until a pull query gives these rows."""
    until = time.monotonic() + PATIENCE_S
    while True:
        rows = [item["row"]["columns"] for item in post(url, "/query", {"ksql": sql}) if "row" in item]
        if sorted(rows) == sorted(wanted):
            return
        if time.monotonic() > until:
            raise AssertionError(f"{sql}: {rows} instead of {wanted}")
        time.sleep(0.05)


def modern_python():
    """The HTTP/2 library of the client is older than Python 3.10: what it imports is put where it looks."""
    for name in ("Iterable", "Mapping", "MutableMapping", "MutableSet", "Sequence"):
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    if sys.version_info >= (3, 13):
        sys.modules.setdefault("telnetlib", types.ModuleType("telnetlib"))


def ksql(url):
    """The examples of the package's documentation; not its FileUpload, which takes no file to the end, and create_table, which sets
    what ksqlDB has no more."""
    modern_python()
    from ksql import KSQLAPI
    from ksql.errors import KSQLError

    # Its topics are there when the examples begin.
    post(url, "/ksql", {"ksql": "CREATE STREAM made (x INT) WITH (KAFKA_TOPIC='views', PARTITIONS=1, VALUE_FORMAT='JSON'); DROP STREAM made;"})
    client = KSQLAPI(url)
    check("the server's version is told", isinstance(client.get_ksql_version(), str), True)
    check("properties are told", {"name", "value"} <= set(client.get_properties()[0]), True)
    check("show tables", isinstance(client.ksql("show tables")[0]["tables"], list), True)
    created = client.create_stream(
        table_name="views",
        columns_type=["viewtime bigint", "userid varchar", "pageid varchar"],
        topic="views",
        value_format="JSON",
    )
    check("create_stream", created, True)
    made = client.create_stream_as(
        table_name="home", select_columns=["userid", "pageid"], src_table="views", conditions="pageid = 'home'"
    )
    check("create_stream_as", made, True)
    rows = [
        {"VIEWTIME": 1, "USERID": "ann", "PAGEID": "home"},
        {"VIEWTIME": 2, "USERID": "bob", "PAGEID": "help"},
    ]
    acks = client.inserts_stream("views", rows)
    check("inserts_stream", acks, [{"status": "ok", "seq": 0}, {"status": "ok", "seq": 1}])
    pushed = client.query("select * from views emit changes limit 2", stream_properties=EARLIEST, return_objects=True)
    objects = list(pushed)
    check("a push query, as objects", objects, rows)
    lines = client.query("select userid from home emit changes", stream_properties=EARLIEST)
    check("a push query's header", json.loads(next(lines).rstrip(",\n") + "]")[0]["header"]["schema"], "`USERID` STRING")
    check("its first row, when it is there", next(lines), '{"row":{"columns":["ann"]}},\n')
    lines.close()
    client.ksql("CREATE TABLE pages AS SELECT pageid, COUNT(*) AS n FROM views GROUP BY pageid", stream_properties=EARLIEST)
    await_rows(url, "SELECT * FROM pages;", [["home", 1], ["help", 1]])
    pulled = list(client.query("select * from pages where pageid = 'home'", return_objects=True))
    check("a pull query, as objects", pulled, [{"PAGEID": "home", "N": 1}])
    pulled = "".join(client.query("select * from pages where pageid = 'home'", use_http2=True))
    check("a pull query from /query-stream", json.loads(pulled.splitlines()[1]), ["home", 1])
    push = client.query("select * from views emit changes", stream_properties=EARLIEST, use_http2=True)
    header = json.loads(next(push))
    check("a push query's header", header["columnNames"], ["VIEWTIME", "USERID", "PAGEID"])
    check("its first row", json.loads(next(push)), [1, "ann", "home"])
    check("close_query", client.close_query(header["queryId"]), True)
    check("close_query of none", client.close_query("none"), False)
    try:
        client.ksql("show nothing")
        raise AssertionError("nothing is wrong with 'show nothing'")
    except KSQLError as error:
        check("an error's code", error.error_code, 40001)


def websocket(url):
    import websockets

    sql = {"ksql": "CREATE STREAM w (id INT KEY, v STRING) WITH (KAFKA_TOPIC='w', VALUE_FORMAT='JSON', PARTITIONS=1);"}
    post(url, "/ksql", sql)

    def insert():
        post(url, "/ksql", {"ksql": "INSERT INTO w VALUES (1, 'a'); INSERT INTO w VALUES (2, 'b');"})

    async def rows(request):
        address = f"{url.replace('http', 'ws', 1)}/ws/query?request={urllib.parse.quote(json.dumps(request))}"
        async with websockets.connect(address) as socket:
            # The columns: the query runs.
            frames = [json.loads(await socket.recv())]
            threading.Thread(target=insert).start()
            async for frame in socket:
                frames.append(json.loads(frame))
            return frames, socket.close_code

    frames, code = asyncio.run(rows({"ksql": "SELECT * FROM w EMIT CHANGES LIMIT 2;"}))
    check("columns", [column["name"] for column in frames[0]], ["ID", "V"])
    check("rows that come later", frames[1:3], [{"row": {"columns": [1, "a"]}}, {"row": {"columns": [2, "b"]}}])
    check("the end", (frames[3:], code), ([{"finalMessage": "Limit Reached"}], 1000))


def metrics(url):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    post(url, "/ksql", {
        "ksql": "CREATE STREAM m (id INT KEY, v STRING) WITH (KAFKA_TOPIC='m', VALUE_FORMAT='JSON', PARTITIONS=1);"
        " CREATE TABLE mt WITH (KAFKA_TOPIC='mt') AS SELECT id, COUNT(*) AS n FROM m GROUP BY id; INSERT INTO m VALUES (1, 'a');",
        "streamsProperties": EARLIEST,
    })
    await_rows(url, "SELECT * FROM mt;", [[1, 1]])
    with urllib.request.urlopen(url + "/metrics") as answer:
        text = answer.read().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    wanted = {"millpond_http_requests": "counter", "millpond_http_request_seconds": "histogram",
              "millpond_push_queries": "gauge", "millpond_query_rows_in": "counter", "millpond_query_state_bytes": "gauge"}
    for name, kind in wanted.items():
        check(f"{name} is a {kind}", families[name].type, kind)
    read = {
        sample.labels["query"]: sample.value
        for sample in families["millpond_query_rows_in"].samples
        if sample.name.endswith("_total")
    }
    check("rows that a query has read", [rows for query, rows in read.items() if query.startswith("CTAS_MT")], [1.0])


if __name__ == "__main__":
    {"ksql": ksql, "websocket": websocket, "metrics": metrics}[sys.argv[1]](sys.argv[2])
