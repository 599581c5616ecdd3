//! Both sides in one process, over a real socket.

mod fake;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fake::FakeFace;
use tempfile::TempDir;

use super::{Attached, LocalServer, attach, serve};
use crate::engine::{Belonging, Face, Reply, Rest, RowEvent, RowStream, Session, Trial};
use crate::error::{Audience, Error};
use crate::log::embedded::EmbeddedLog;
use crate::log::{Durability, Header, Log, LogError, Records, Signal, TopicPartition, TopicSpec};
use crate::server::{Holder, client};

const LONG: Duration = Duration::from_secs(10);

struct Both {
    folder: TempDir,
    face: Arc<FakeFace>,
    server: LocalServer,
    attached: Attached,
}

fn own_log() -> Holder {
    Holder { belonging: Belonging { cluster: None, service: "default_".into() }, works: true }
}

fn both() -> Both {
    let folder = tempfile::tempdir().unwrap();
    let face = Arc::new(FakeFace::default());
    let server = serve(Arc::clone(&face) as Arc<dyn Face>, own_log(), folder.path()).unwrap();
    let attached = attach(folder.path()).unwrap().unwrap();
    Both { folder, face, server, attached }
}

fn ask(attached: &Attached, statement: &str) -> Result<Reply, Error> {
    attached.execute(&mut Session::default(), statement)
}

fn rows(attached: &Attached, statement: &str) -> RowStream {
    match ask(attached, statement).unwrap() {
        Reply::Rows(rows) => rows,
        reply => panic!("no rows: {reply:?}"),
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = crate::time::now() + LONG;
    while !holds() {
        assert!(crate::time::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn at(partition: u32) -> TopicPartition {
    TopicPartition { topic: "t".into(), partition }
}

fn create(attached: &Attached, partitions: u32) {
    let configs = BTreeMap::from([("retention.ms".into(), "-1".into())]);
    attached.log().create_topic(&TopicSpec { name: "t".into(), partitions, replicas: None, configs }).unwrap();
}

fn record(key: Option<&[u8]>, value: &[u8], timestamp: i64) -> Records {
    let mut records = Records::default();
    let headers = [Header { key: "h".into(), value: None }, Header { key: "i".into(), value: Some(vec![1]) }];
    records.push_with_headers(key, Some(value), timestamp, &headers);
    records
}

#[test]
fn replies_come_back_as_they_were() {
    let Both { attached, folder: _folder, face: _face, server: _server } = both();
    assert_eq!(attached.owner_pid(), std::process::id());
    assert_eq!(attached.names(), ["FLIGHTS", "delays"]);
    assert_eq!(attached.topic_users("t").unwrap().names, ["stream t"]);
    assert!(matches!(ask(&attached, "done").unwrap(), Reply::Done(status) if status == fake::status()));
    assert!(matches!(ask(&attached, "facts").unwrap(), Reply::Facts(told) if told == fake::told()));
    assert_eq!(ask(&attached, "error").unwrap_err(), fake::place_error());
    assert_eq!(ask(&attached, "panic").unwrap_err().audience, Audience::Internal);
    assert_eq!(ask(&attached, "what").unwrap_err(), Error::statement("'what' is no statement"));
}

#[test]
fn the_session_comes_back_even_with_an_error() {
    let Both { attached, folder: _folder, face: _face, server: _server } = both();
    let mut session = Session::default();
    session.variables.insert("v".into(), "한".into());
    let mut wanted = session.clone();
    wanted.properties.insert("p".into(), "1".into());
    assert_eq!(attached.execute(&mut session, "set p").unwrap_err(), Error::world("set, and failed"));
    assert_eq!(session, wanted);
    attached.execute(&mut session, "panic").unwrap_err();
    assert_eq!(session, wanted);
}

#[test]
fn all_values_survive() {
    let Both { attached, face, folder: _folder, server: _server } = both();
    let stream = rows(&attached, "values");
    assert_eq!(stream.columns, fake::columns());
    assert_eq!(stream.query_id.as_deref(), Some("q1"));
    assert_eq!(stream.events.recv().unwrap(), RowEvent::Rows(vec![fake::all_values()]));
    assert_eq!(stream.events.recv().unwrap(), RowEvent::End("Query Completed".into()));
    assert!(stream.events.recv().is_err());
    eventually("the query ends", || face.running.load(Ordering::SeqCst) == 0);
}

#[test]
fn lines_errors_and_silent_ends_come_through() {
    let Both { attached, folder: _folder, face: _face, server: _server } = both();
    let events: Vec<_> = rows(&attached, "lines").events.iter().collect();
    assert_eq!(events, [RowEvent::Line("one".into()), RowEvent::Failed(fake::place_error())]);
    let events: Vec<_> = rows(&attached, "closed").events.iter().collect();
    assert_eq!(events, [RowEvent::Line("one".into())]);
}

#[test]
fn many_rows_keep_their_order() {
    let Both { attached, folder: _folder, face: _face, server: _server } = both();
    let stream = rows(&attached, "many 5000");
    let mut next = 0;
    for event in stream.events.iter() {
        match event {
            RowEvent::Rows(rows) => {
                for row in rows {
                    assert_eq!(row.values, [crate::types::Value::Bigint(next)]);
                    next += 1;
                }
            }
            event => assert_eq!(event, RowEvent::End("Limit Reached".into())),
        }
    }
    assert_eq!(next, 5000);
}

#[test]
fn a_dropped_push_query_ends_in_the_owner() {
    let Both { attached, face, folder: _folder, server: _server } = both();
    let stream = rows(&attached, "silent");
    assert_eq!(face.running.load(Ordering::SeqCst), 1);
    let start = crate::time::now();
    drop(stream);
    eventually("the silent query ends", || face.running.load(Ordering::SeqCst) == 0);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());

    let stream = rows(&attached, "flood");
    stream.events.recv().unwrap();
    drop(stream);
    eventually("the talking query ends", || face.running.load(Ordering::SeqCst) == 0);
}

#[test]
fn a_slow_reader_slows_the_query() {
    let Both { attached, face, folder: _folder, server: _server } = both();
    let stream = rows(&attached, "flood");
    stream.events.recv().unwrap();
    let mut before = usize::MAX;
    eventually("the query waits", || {
        std::thread::sleep(Duration::from_millis(300));
        std::mem::replace(&mut before, face.flooded.load(Ordering::SeqCst)) == face.flooded.load(Ordering::SeqCst)
    });
    // What fits into queues and the socket's buffers, of 10 kB each.
    assert!(before < 500, "{before} events wait");
}

#[test]
fn the_log_works_over_the_socket() {
    let Both { attached, face, folder: _folder, server: _server } = both();
    let log = attached.log();
    create(&attached, 2);
    assert_eq!(log.topics(), ["t"]);
    assert_eq!(log.partitions("t"), Some(2));
    assert_eq!(log.partitions("u"), None);
    log.alter_topic("t", Some(3), &[("a".into(), Some("b".into())), ("retention.ms".into(), None)]).unwrap();
    assert_eq!(log.describe_topic("t").unwrap(), face.log.describe_topic("t").unwrap());
    assert_eq!(log.describe_topic("t").unwrap().partitions.len(), 3);

    assert_eq!(log.append(&at(1), &record(Some(b"k"), b"v0", 10)).unwrap(), 0);
    assert_eq!(log.append(&at(1), &record(None, b"v1", 20)).unwrap(), 1);
    assert_eq!(log.offsets(&at(1)).unwrap(), (0, 2));
    assert_eq!(log.offset_for_time(&at(1), 11).unwrap(), 1);
    let mut records = record(None, b"old", 0);
    log.fetch(&at(1), 0, 1000, &mut records).unwrap();
    assert_eq!((records.len(), records.next_offset), (2, 2));
    assert_eq!((records.key(0), records.value(0), records.meta[0].timestamp), (Some(&b"k"[..]), Some(&b"v0"[..]), 10));
    assert_eq!((records.key(1), records.value(1), records.meta[1].offset), (None, Some(&b"v1"[..]), 1));
    assert_eq!(records.headers(1)[1], Header { key: "i".into(), value: Some(vec![1]) });

    log.delete_records(&at(1), 1).unwrap();
    assert_eq!(log.offsets(&at(1)).unwrap(), (1, 2));
    log.empty_topic("t").unwrap();
    assert_eq!(log.offsets(&at(1)).unwrap(), (2, 2));
    assert_eq!(log.durability(), Durability::Power);
    log.delete_topic("t").unwrap();
    assert!(log.topics().is_empty());
}

#[test]
fn errors_of_the_log_are_the_same_errors() {
    let Both { attached, face, folder: _folder, server: _server } = both();
    let log = attached.log();
    create(&attached, 1);
    let spec = TopicSpec { name: "t".into(), partitions: 1, replicas: None, configs: BTreeMap::new() };
    assert!(matches!(log.create_topic(&spec), Err(LogError::TopicExists(topic)) if topic == "t"));
    assert!(matches!(log.offsets(&at(9)), Err(LogError::UnknownPartition { partition: 9, .. })));
    let out = log.fetch(&at(0), 5, 10, &mut Records::default());
    assert!(matches!(out, Err(LogError::OffsetOutOfRange { asked: 5, first: 0, next: 0, .. })), "{out:?}");
    let Err(LogError::Io { what, cause }) = log.sync() else { panic!("the sync must fail") };
    assert_eq!(
        (what.as_str(), cause.raw_os_error(), cause.kind()),
        ("sync", Some(28), std::io::ErrorKind::StorageFull)
    );
    assert_eq!(face.log.syncs.load(Ordering::Relaxed), 1);
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let Both { attached, face: _face, folder: _folder, server: _server } = both();
    let log = attached.log();
    create(&attached, 2);
    let mut transaction = log.begin().unwrap();
    transaction.append(&at(0), &record(None, b"a", 1)).unwrap();
    transaction.append(&at(1), &record(None, b"b", 1)).unwrap();
    transaction.append(&at(0), &record(None, b"c", 1)).unwrap();
    transaction.set_position("g", &at(0), 7).unwrap();
    transaction.set_position("g", &at(0), 8).unwrap();
    assert_eq!(log.offsets(&at(0)).unwrap(), (0, 0));
    transaction.commit().unwrap();
    assert_eq!((log.offsets(&at(0)).unwrap(), log.offsets(&at(1)).unwrap()), ((0, 2), (0, 1)));
    assert_eq!(log.offsets_of(&[at(1), at(0)]).unwrap(), BTreeMap::from([(at(0), (0, 2)), (at(1), (0, 1))]));
    assert_eq!(log.positions("g").unwrap(), BTreeMap::from([(at(0), 8)]));
    assert_eq!(log.groups().unwrap(), ["g"]);
    log.delete_group("g").unwrap();
    assert!(log.positions("g").unwrap().is_empty());

    let mut dropped = log.begin().unwrap();
    dropped.append(&at(0), &record(None, b"a", 1)).unwrap();
    drop(dropped);
    let mut wrong = log.begin().unwrap();
    wrong.append(&at(0), &record(None, b"a", 1)).unwrap();
    wrong.append(&at(5), &record(None, b"a", 1)).unwrap();
    assert!(matches!(wrong.commit(), Err(LogError::UnknownPartition { partition: 5, .. })));
    assert_eq!(log.offsets(&at(0)).unwrap(), (0, 2));
}

#[test]
fn groups_are_described_and_reset_from_afar() {
    let Both { attached, face, folder: _folder, server: _server } = both();
    let log = attached.log();
    create(&attached, 2);
    let names = ["busy".to_owned(), "idle".to_owned()];
    assert_eq!(log.describe_groups(&names).unwrap(), face.log.describe_groups(&names).unwrap());
    let positions = BTreeMap::from([(at(0), 7), (at(1), 8)]);
    log.alter_positions("idle", &positions).unwrap();
    assert_eq!(face.log.positions("idle").unwrap(), positions);
    let error = log.alter_positions("busy", &positions).unwrap_err();
    assert!(matches!(&error, LogError::GroupAtWork { group, members: 1 } if group == "busy"), "{error:?}");

    assert_eq!(attached.groups(None).unwrap(), face.groups(None).unwrap());
    assert_eq!(attached.groups(Some("busy")).unwrap(), face.groups(Some("busy")).unwrap());
    let to = BTreeMap::from([(at(0), 1)]);
    attached.reset_group("idle", &to, Trial::Only).unwrap();
    assert_eq!(log.positions("idle").unwrap(), positions);
    attached.reset_group("idle", &to, Trial::No).unwrap();
    assert_eq!(log.positions("idle").unwrap()[&at(0)], 1);
    let error = attached.reset_group("very busy", &to, Trial::No).unwrap_err();
    assert_eq!((error.what.as_str(), error.hint.as_deref()), ("it is at work", Some("pause it")));
}

#[test]
fn large_bodies_pass_and_larger_ones_are_refused() {
    let Both { attached, face: _face, folder: _folder, server: _server } = both();
    let log = attached.log();
    create(&attached, 1);
    let large: Vec<u8> = (0..20 << 20).map(|i: u32| ((i * 31) >> 3) as u8).collect();
    assert_eq!(log.append(&at(0), &record(None, &large, 1)).unwrap(), 0);
    let mut records = Records::default();
    log.fetch(&at(0), 0, usize::MAX, &mut records).unwrap();
    assert!(records.value(0) == Some(&large[..]));

    let mut many = Records::default();
    (0..100_000).for_each(|i| many.push(Some(b"key"), Some(&large[i..i + 100]), i as i64));
    assert_eq!(log.append(&at(0), &many).unwrap(), 1);
    log.fetch(&at(0), 1, 64 << 20, &mut records).unwrap();
    assert_eq!(records.len(), 100_000);
    assert_eq!(records.value(99_999), many.value(99_999));

    let too_large = record(None, &vec![0; super::wire::REQUEST_BYTES_MAX], 1);
    assert!(matches!(log.append(&at(0), &too_large), Err(LogError::Invalid(_))));
    let mut transaction = log.begin().unwrap();
    assert!(matches!(transaction.append(&at(0), &too_large), Err(LogError::Invalid(_))));
    drop(transaction);
    assert_eq!(log.offsets(&at(0)).unwrap(), (0, 100_001));
}

#[test]
fn a_watch_rings_and_ends_with_its_signal() {
    let Both { attached, face, folder: _folder, server: _server } = both();
    create(&attached, 1);
    let signal = Arc::new(Signal::default());
    attached.log().watch(&["t".into()], &signal);
    assert!(signal.wait(LONG), "rings when the watch stands");
    assert_eq!(face.log.watchers(), 1);
    for _ in 0..3 {
        while signal.wait(Duration::from_millis(50)) {}
        attached.log().append(&at(0), &record(None, b"v", 1)).unwrap();
        assert!(signal.wait(LONG));
    }
    drop(signal);
    eventually("the watch ends in the owner", || face.log.watchers() == 0);
}

#[test]
fn two_terminals_at_once() {
    let Both { attached, face, folder, server: _server } = both();
    let other = attach(folder.path()).unwrap().unwrap();
    create(&attached, 1);
    std::thread::scope(|scope| {
        for attached in [&attached, &other] {
            for _ in 0..4 {
                scope.spawn(move || {
                    for i in 0..50 {
                        attached.log().append(&at(0), &record(None, b"v", i)).unwrap();
                        assert!(matches!(ask(attached, "facts"), Ok(Reply::Facts(_))));
                    }
                });
            }
        }
        let pushes = [rows(&attached, "silent"), rows(&other, "silent"), rows(&other, "flood")];
        assert_eq!(face.running.load(Ordering::SeqCst), 3);
        drop(pushes);
    });
    assert_eq!(other.log().offsets(&at(0)).unwrap(), (0, 400));
}

#[test]
fn nobody_a_stale_socket_and_a_new_owner() {
    let folder = tempfile::tempdir().unwrap();
    assert!(attach(folder.path()).unwrap().is_none());
    assert!(attach(&folder.path().join("not there")).unwrap().is_none());
    // A listener that ends without removing its socket, as a killed process does.
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("millpond.sock")).unwrap());
    assert!(folder.path().join("millpond.sock").exists());
    assert!(attach(folder.path()).unwrap().is_none());

    let face = Arc::new(FakeFace::default());
    let server = serve(Arc::clone(&face) as Arc<dyn Face>, own_log(), folder.path()).unwrap();
    let mode = std::fs::metadata(folder.path().join("millpond.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let attached = attach(folder.path()).unwrap().unwrap();
    create(&attached, 1);
    drop(server);
    assert!(!folder.path().join("millpond.sock").exists());
    assert!(attach(folder.path()).unwrap().is_none());
    assert!(matches!(attached.log().offsets(&at(0)), Err(LogError::Io { .. })));
    assert_eq!(ask(&attached, "done").unwrap_err().audience, Audience::World);

    // The terminal goes on when the folder has an owner again.
    let _server = serve(face, own_log(), folder.path()).unwrap();
    assert_eq!(attached.log().offsets(&at(0)).unwrap(), (0, 0));
    assert!(matches!(ask(&attached, "done"), Ok(Reply::Done(_))));
}

#[test]
fn a_folder_with_a_long_path_works() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("f".repeat(200));
    std::fs::create_dir(&folder).unwrap();
    let server = serve(Arc::new(FakeFace::default()), own_log(), &folder).unwrap();
    let attached = attach(&folder).unwrap().unwrap();
    assert!(matches!(ask(&attached, "done"), Ok(Reply::Done(_))));
    drop(server);
    assert!(attach(&folder).unwrap().is_none());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn an_owner_that_stops_tells_readers() {
    let Both { attached, face, folder: _folder, server } = both();
    let stream = rows(&attached, "silent");
    let start = crate::time::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let events: Vec<_> = stream.events.iter().collect();
    assert!(matches!(&events[..], [RowEvent::Failed(error)] if error.what.contains("stopping")), "{events:?}");
    eventually("the query ends", || face.running.load(Ordering::SeqCst) == 0);
}

/// A request to an owner that isn't real.
fn read_request(stream: &mut std::os::unix::net::UnixStream) {
    use std::io::Read;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(0, |length| length.trim().parse().unwrap());
    stream.read_exact(&mut vec![0; length]).unwrap();
}

#[test]
fn an_owner_that_dies_tells_readers() {
    let Both { attached, folder, face: _face, server } = both();
    drop(server);
    // Answers with a head and then breaks off.
    let listener = std::os::unix::net::UnixListener::bind(folder.path().join("millpond.sock")).unwrap();
    let dying = std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream);
        let line = b"{\"session\":{\"properties\":{},\"variables\":{}},\"reply\":{\"rows\":{\"columns\":[],\"query_id\":null}}}\n";
        write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", line.len()).unwrap();
        stream.write_all(line).unwrap();
        stream.write_all(b"\r\n").unwrap();
    });
    let stream = rows(&attached, "silent");
    dying.join().unwrap();
    let events: Vec<_> = stream.events.iter().collect();
    assert!(matches!(&events[..], [RowEvent::Failed(error)] if error.audience == Audience::World), "{events:?}");
}

#[test]
fn a_commit_whose_answer_is_lost_is_in_doubt() {
    let Both { attached, folder, face: _face, server } = both();
    drop(server);
    let listener = std::os::unix::net::UnixListener::bind(folder.path().join("millpond.sock")).unwrap();
    let dying = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream);
    });
    let log = attached.log();
    let mut transaction = log.begin().unwrap();
    transaction.append(&at(0), &record(None, b"v", 1)).unwrap();
    assert!(matches!(transaction.commit(), Err(LogError::InDoubt(_))));
    dying.join().unwrap();
}

/// An owner that is stopped (SIGSTOP) takes connections and requests and never answers.
#[test]
fn a_write_is_not_waited_for_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let folder_path = folder.path().canonicalize().unwrap();
    let _stopped = std::os::unix::net::UnixListener::bind(folder_path.join("millpond.sock")).unwrap();
    let log = || {
        let mut client = client::Client::new(client::Place::Folder(folder_path.clone())).unwrap();
        client.answer_time_max = Duration::from_millis(20);
        super::remote_log::RemoteLog::new(Arc::new(client), Durability::Process)
    };
    let commit = |log: &dyn Log| {
        let mut transaction = log.begin().unwrap();
        transaction.append(&at(0), &record(None, b"v", 1)).unwrap();
        transaction.commit()
    };
    let (appended, committed) = (log(), log());
    for result in [appended.append(&at(0), &record(None, b"v", 1)).map(|_| ()), commit(&committed)] {
        let Err(LogError::InDoubt(text)) = result else { panic!("{result:?}") };
        assert!(text.contains("does not answer within"), "{text}");
    }
    assert!(matches!(log().offsets(&at(0)), Err(LogError::Io { .. })));
    // What it would say now, a write that it still has before it could overtake.
    let Err(error) = committed.positions("g") else { panic!("an answer") };
    assert!(error.to_string().contains("may or may not have what was written last"), "{error}");
}

#[test]
fn another_version_is_refused_with_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::os::unix::net::UnixListener::bind(folder.path().join("millpond.sock")).unwrap();
    let other = std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream);
        let body = r#"{"MillpondInfo":{"version":"99.0.0","pid":4711,"new":{}}}"#;
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let error = attach(folder.path()).map(drop).unwrap_err();
    assert!(error.what.contains("process 4711 of millpond 99.0.0"), "{error}");
    assert!(error.hint.is_some());
    other.join().unwrap();
}

#[test]
fn it_works_inside_another_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Both { attached, folder: _folder, face: _face, server } = both();
        assert!(matches!(ask(&attached, "done"), Ok(Reply::Done(_))));
        drop(attached);
        drop(server);
    });
}

/// No statements, but the log of the product.
struct LogFace(Arc<EmbeddedLog>);

impl Face for LogFace {
    fn await_command(&self, _: i64, _: Duration) -> Result<bool, Error> {
        Ok(true)
    }
    fn insert(&self, _: &str, _: &[String], _: &BTreeMap<String, String>) -> Result<(), Rest> {
        Err(Rest { written: 0, error: Error::statement("no rows here") })
    }

    fn execute(&self, _: &mut Session, _: &str) -> Result<Reply, Error> {
        Err(Error::not_supported("a statement", "use the log"))
    }

    fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.0) as Arc<dyn Log>
    }

    fn layouts(&self) -> std::collections::BTreeMap<String, crate::engine::TopicLayout> {
        std::collections::BTreeMap::new()
    }

    fn topic_users(&self, _: &str) -> Result<crate::engine::TopicUsers, Error> {
        Ok(Default::default())
    }

    fn groups(&self, _: Option<&str>) -> Result<Vec<crate::engine::GroupStanding>, Error> {
        Ok(Vec::new())
    }

    fn reset_group(&self, _: &str, _: &BTreeMap<crate::log::TopicPartition, i64>, _: Trial) -> Result<(), Error> {
        Err(Error::not_supported("a reset", "use the log"))
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

#[test]
fn the_embedded_log_is_the_same_from_afar() {
    let folder = tempfile::tempdir().unwrap();
    let near = Arc::new(EmbeddedLog::in_memory());
    let _server = serve(Arc::new(LogFace(Arc::clone(&near))), own_log(), folder.path()).unwrap();
    let attached = attach(folder.path()).unwrap().unwrap();
    let far = attached.log();
    create(&attached, 2);
    let signal = Arc::new(Signal::default());
    far.watch(&["t".into()], &signal);
    assert!(signal.wait(LONG));
    while signal.wait(Duration::from_millis(50)) {}

    let mut transaction = far.begin().unwrap();
    for i in 0..100 {
        transaction.append(&at(i % 2), &record(Some(b"k"), &i.to_le_bytes(), i64::from(i))).unwrap();
    }
    transaction.set_position("g", &at(1), 50).unwrap();
    transaction.commit().unwrap();
    assert!(signal.wait(LONG));
    for partition in [at(0), at(1)] {
        let (mut here, mut there) = (Records::default(), Records::default());
        near.fetch(&partition, 0, 1 << 20, &mut here).unwrap();
        far.fetch(&partition, 0, 1 << 20, &mut there).unwrap();
        assert_eq!((here.len(), here.next_offset), (50, 50));
        assert_eq!((there.len(), there.next_offset), (50, 50));
        for row in 0..50 {
            assert_eq!(here.meta[row].offset, there.meta[row].offset);
            assert_eq!((here.key(row), here.value(row)), (there.key(row), there.value(row)));
            assert_eq!(here.headers(row), there.headers(row));
        }
    }
    assert_eq!(far.describe_topic("t").unwrap(), near.describe_topic("t").unwrap());
    assert_eq!(far.positions("g").unwrap(), BTreeMap::from([(at(1), 50)]));
    let spec = TopicSpec {
        name: "u".into(),
        partitions: 1,
        replicas: None,
        configs: BTreeMap::from([("no.such".into(), "1".into())]),
    };
    let (here, there) = (near.create_topic(&spec).unwrap_err(), far.create_topic(&spec).unwrap_err());
    assert_eq!(here.to_string(), there.to_string());
}
