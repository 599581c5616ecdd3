//! Records come back as they were written, in their order.

use std::sync::Arc;
use std::time::Duration;

use millpond::log::{Header, Log, LogError, Records, Signal};

use super::{Case, at, eventually, numbered, strings, topic, values};

pub const CASES: &[Case] = &[
    ("records come back as they were", as_they_were),
    ("order holds over many fetches", order),
    ("readers at different places don't mind each other", several_readers),
    ("offsets out of range are said to be", out_of_range),
    ("an offset is found by its time", by_time),
    ("watchers are rung", watch),
];

fn as_they_were(log: &dyn Log) {
    let topic = topic(log, "records", 2, &[]);
    let headers = vec![
        Header { key: "a".into(), value: Some(b"1".to_vec()) },
        Header { key: "a".into(), value: Some(Vec::new()) },
        Header { key: "ä".into(), value: Some(vec![0, 255]) },
    ];
    let mut written = Records::default();
    written.push(Some(b"key"), Some(b"value"), 1_000);
    written.push(None, Some(b"no key"), 0);
    written.push(Some(b"key"), None, 2_000);
    written.push(Some(b""), Some(b""), 500);
    written.push_with_headers(Some(b"h"), Some(&[0, 159, 146, 150]), 1_700_000_000_123, &headers);
    assert_eq!(log.append(&at(&topic, 1), &written).unwrap(), 0);
    assert_eq!(log.append(&at(&topic, 1), &numbered(0..2)).unwrap(), 5);
    let mut read = Records::default();
    let mut rows = Vec::new();
    let mut next = 0;
    while next < 7 {
        log.fetch(&at(&topic, 1), next, 1 << 20, &mut read).unwrap();
        for row in 0..read.len() {
            let (offset, timestamp) = (read.meta[row].offset, read.meta[row].timestamp);
            let bytes = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
            rows.push((offset, timestamp, bytes(read.key(row)), bytes(read.value(row)), read.headers(row)));
        }
        next = read.next_offset;
    }
    assert_eq!(next, 7);
    for (row, found) in rows.iter().enumerate().take(5) {
        let bytes = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
        let (key, value) = (bytes(written.key(row)), bytes(written.value(row)));
        assert_eq!(*found, (row as i64, written.meta[row].timestamp, key, value, written.headers(row)));
    }
    assert_eq!(values(log, &at(&topic, 1))[5..], strings(0..2));
    assert!(values(log, &at(&topic, 0)).is_empty());
    log.fetch(&at(&topic, 1), 7, 1 << 20, &mut read).unwrap();
    assert!(read.is_empty() && read.next_offset == 7);
}

fn order(log: &dyn Log) {
    let topic = topic(log, "order", 1, &[]);
    for i in 0..10 {
        log.append(&at(&topic, 0), &numbered(i * 2_000..(i + 1) * 2_000)).unwrap();
    }
    assert_eq!(log.offsets(&at(&topic, 0)).unwrap(), (0, 20_000));
    assert_eq!(values(log, &at(&topic, 0)), strings(0..20_000));
    // From the middle, and one record at least however few bytes are asked for.
    let mut records = Records::default();
    log.fetch(&at(&topic, 0), 12_345, 1, &mut records).unwrap();
    let row = records.meta.iter().position(|meta| meta.offset == 12_345).unwrap();
    assert_eq!(records.value(row), Some(b"v12345".as_slice()));
}

fn several_readers(log: &dyn Log) {
    let topic = topic(log, "several", 1, &[]);
    log.append(&at(&topic, 0), &numbered(0..5_000)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| assert_eq!(values(log, &at(&topic, 0)), strings(0..5_000)));
        }
    });
}

fn out_of_range(log: &dyn Log) {
    let topic = topic(log, "range", 1, &[]);
    log.append(&at(&topic, 0), &numbered(0..10)).unwrap();
    log.delete_records(&at(&topic, 0), 4).unwrap();
    assert_eq!(log.offsets(&at(&topic, 0)).unwrap(), (4, 10));
    assert_eq!(values(log, &at(&topic, 0)), strings(4..10));
    let mut records = Records::default();
    for asked in [0, 3, 11, -1] {
        let outcome = log.fetch(&at(&topic, 0), asked, 1 << 20, &mut records);
        assert!(
            matches!(outcome, Err(LogError::OffsetOutOfRange { first: 4, next: 10, asked: said, .. }) if said == asked),
            "{asked}: {outcome:?}"
        );
    }
    assert!(matches!(log.delete_records(&at(&topic, 0), 11), Err(LogError::OffsetOutOfRange { asked: 11, .. })));
    log.delete_records(&at(&topic, 0), 2).unwrap();
    assert_eq!(log.offsets(&at(&topic, 0)).unwrap(), (4, 10));
}

fn by_time(log: &dyn Log) {
    let topic = topic(log, "time", 1, &[]);
    log.append(&at(&topic, 0), &numbered(0..10)).unwrap();
    for (time, offset) in [(0, 0), (1_000, 0), (1_004, 4), (1_009, 9), (1_010, 10), (i64::MAX / 2, 10)] {
        assert_eq!(log.offset_for_time(&at(&topic, 0), time).unwrap(), offset, "{time}");
    }
}

fn watch(log: &dyn Log) {
    let topic = topic(log, "watch", 2, &[]);
    let signal = Arc::new(Signal::default());
    log.watch(std::slice::from_ref(&topic), &signal);
    // What rings at the beginning rings no more once it has been quiet.
    while signal.wait(Duration::from_millis(500)) {}
    log.append(&at(&topic, 1), &numbered(0..1)).unwrap();
    eventually("the ring", || signal.wait(Duration::from_millis(100)).then_some(()));
}
