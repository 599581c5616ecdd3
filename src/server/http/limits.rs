//! The bounds of what a client may ask for, all in one place.

use std::time::Duration;

/// Bytes of a request's body; /inserts-stream reads its own without end.
pub const BODY_BYTES_MAX: usize = 4 << 20;
/// Bytes of a request that is looked at before it is given to a thread that may block.
pub const AT_ONCE_BYTES_MAX: usize = 4 << 10;
/// Bytes of a line of /inserts-stream.
pub const LINE_BYTES_MAX: usize = 4 << 20;
/// Rows of /inserts-stream that are written together.
pub const BATCH_ROWS_MAX: usize = 10_000;
/// Bytes of rows that are written together, those of the last row beyond.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// Bytes of a request's head.
pub const HEAD_BYTES_MAX: usize = 32 << 10;
/// Time for a request's head to come: a client that sends a byte now and then is let go.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Time for a request's body to come.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// Time for a TLS handshake.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Connections at once; more wait to be accepted.
pub const CONNECTIONS_MAX: usize = 4096;
/// Requests at once on an HTTP/2 connection.
pub const STREAMS_MAX: u32 = 1024;
/// Push queries at once (ksqlDB's `ksql.max.push.queries` is 100).
pub const PUSH_QUERIES_MAX: usize = 4096;
/// Calls of terminals at once, their push queries among them.
pub const TERMINAL_CALLS_MAX: usize = 256;
/// Statements that run at once; more wait.
pub const CALLS_MAX: usize = 2 * TERMINAL_CALLS_MAX + 512;
/// Time for which the client of a push query may take nothing while rows wait for it, unless `--slow-client-max` says else.
pub const SLOW_CLIENT_MAX: Duration = Duration::from_secs(60);
/// Time for a client that was given up to take the reason, before its connection is cut.
pub const GIVEN_UP_GRACE: Duration = Duration::from_secs(10);
/// Chunks of an answer of /inserts-stream that may wait for a slow client; then its rows wait.
pub const CHUNKS_MAX: usize = 16;
/// Bytes after which a chunk of an answer is sent.
pub const CHUNK_BYTES: usize = 64 << 10;
/// Time that a request waits for the command that it names.
pub const COMMAND_WAIT_MAX: Duration = Duration::from_secs(5);
/// Commands whose outcome /status tells; the oldest are forgotten.
pub const COMMANDS_MAX: usize = 10_000;
/// Other processes that /heartbeat may tell of.
pub const HOSTS_MAX: usize = 1000;
/// Time after which a process that told of itself is taken for gone.
pub const HEARTBEAT_MAX: Duration = Duration::from_secs(3);
/// Time after which it is forgotten.
pub const SILENCE_MAX: Duration = Duration::from_secs(600);
/// How often processes tell each other that they are there.
pub const HEARTBEAT_EVERY: Duration = Duration::from_millis(500);
/// Time for the answer to that.
pub const HEARTBEAT_TIME_MAX: Duration = Duration::from_secs(1);
/// How often the groups are asked who has what.
pub const LOOK_AROUND_EVERY: Duration = Duration::from_secs(1);
/// How often processes tell each other of their stores.
pub const LAG_EVERY: Duration = Duration::from_secs(5);
/// Bytes of what a process tells of itself at a time.
pub const NEWS_BYTES_MAX: usize = 256 << 10;
/// Time for another process's answer to a pull query (ksqlDB's `ksql.query.pull.forwarding.timeout.ms`).
pub const FORWARD_TIME_MAX: Duration = Duration::from_secs(20);
/// Bytes of rows that go each by itself when they come at once; more go together.
pub const SINGLE_ROWS_BYTES_MAX: usize = 4 << 10;
/// Time for answers under way when the server stops.
pub const STOP_GRACE: Duration = Duration::from_secs(2);
