//! A stream joined with a table that keeps the versions of its rows.

use std::collections::BTreeMap;

use super::*;
use crate::catalog::{Source, SourceKind};
use crate::plan::Scan;

type Value = (Option<i64>, String);

fn case(keys: KeyShape, kind: JoinKind, condition: Option<&'static str>) -> Case {
    Case { keys, windowed: false, kind, method: || JoinMethod::StreamTable, condition }
}

fn operator(case: &Case, retention_ms: i64) -> Box<dyn JoinOperator> {
    let layout = Layout { format: Format::Kafka, delimiter: ',', columns: vec![], wrapped: false };
    let source = Source {
        name: "T".to_owned(),
        kind: SourceKind::Table,
        topic: "t".to_owned(),
        columns: vec![],
        key: layout.clone(),
        value: layout,
        wrap_single_value: None,
        timestamp: None,
        versions_retention_ms: Some(retention_ms),
        window: None,
        is_source: false,
        statement: String::new(),
        query_id: None,
    };
    let scan = Scan { source: Arc::new(source), wanted: vec![] };
    let mut plan = case.plan();
    plan.right = Stage { input: StageInput::Scan(scan), steps: vec![] };
    join(&plan).unwrap()
}

/// All versions that are kept, by key and time; none: the row was deleted then.
struct Walk {
    versions: BTreeMap<String, BTreeMap<i64, Option<Value>>>,
    stream_time: i64,
    retention_ms: i64,
}

impl Walk {
    /// Only what is valid at the edge or later is there.
    fn drop_expired(&mut self) {
        let edge = self.stream_time.saturating_sub(self.retention_ms);
        for versions in self.versions.values_mut() {
            let Some((&last, value)) = versions.range(..=edge).next_back() else { continue };
            let first_kept = if value.is_some() { last } else { last + 1 };
            versions.retain(|time, _| *time >= first_kept);
        }
    }

    fn take(&mut self, key: String, event: &Event) {
        self.stream_time = self.stream_time.max(event.time);
        self.drop_expired();
        self.versions.entry(key).or_default().insert(event.time, event.value.clone());
        self.drop_expired();
    }

    fn valid_at(&self, key: &str, time: i64) -> Option<&Value> {
        self.versions.get(key)?.range(..=time).next_back()?.1.as_ref()
    }
}

/// Times of both sides are in no order at all: most rows are late, and many changes take a place between others.
#[test]
fn each_row_meets_the_version_of_its_time() {
    let (mut seed, mut loaded, mut met, mut missed) = (3000, 0, 0, 0);
    for keys in KeyShape::ALL {
        for kind in [JoinKind::Inner, JoinKind::Left] {
            for condition in [None, Some("LV < RV")] {
                for retention_ms in [1, 100, 400, 5000] {
                    for _ in 0..3 {
                        seed += 1;
                        let case = case(keys, kind, condition);
                        let mut walk = Walk { versions: BTreeMap::new(), stream_time: i64::MIN, retention_ms };
                        loaded += check_operator(&case, seed, &|| operator(&case, retention_ms), |event| {
                            let Some(key) = case.key_words(event) else { return vec![] };
                            if event.side == 1 {
                                walk.take(key, event);
                                return vec![];
                            }
                            let Some(left) = &event.value else { return vec![] };
                            let right = walk.valid_at(&key, event.time);
                            let less = |right: &&Value| left.0.zip(right.0).is_some_and(|(left, right)| left < right);
                            let right = right.filter(|right| condition.is_none() || less(right));
                            *(if right.is_some() { &mut met } else { &mut missed }) += 1;
                            if right.is_none() && kind == JoinKind::Inner {
                                return vec![];
                            }
                            let value = format!("{},{}", value_words(Some(left)), value_words(right));
                            vec![Out { key, value: Some(value), old: None, time: event.time, place: Some(event.place) }]
                        });
                    }
                }
            }
        }
    }
    assert!(loaded > 20 && met > 2000 && missed > 2000, "{loaded} from snapshots, {met} met, {missed} missed");
}

fn event(side: usize, key: i64, value: Option<i64>, time: i64, place: u64) -> Event {
    Event { side, key: Some(key), window: 0, value: value.map(|value| (Some(value), "v".to_owned())), time, place }
}

/// Versions and keys that nobody can meet any more are gone, in memory and in the changelog.
#[test]
fn expired_versions_leave_nothing() {
    let case = case(KeyShape::Text, JoinKind::Inner, None);
    let (mut operator, mut context, mut log) = (operator(&case, 50), Context::default(), Records::default());
    let (mut out, mut held) = (Vec::new(), Vec::new());
    for round in 0..600_i64 {
        // A key that changes often, and one that comes and goes.
        let changes = (0..20).map(|at| event(1, 0, Some(at), round * 20 + at, at as u64));
        let guest = [event(1, round + 1, Some(1), round * 20, 30), event(1, round + 1, None, round * 20 + 1, 31)];
        let events: Vec<Event> = changes.chain(guest).collect();
        operator.push(sides(&case, &events, true), &mut out, &mut context).unwrap();
        operator.changes(&mut log).unwrap();
        held.push(operator.state_bytes());
    }
    // The values of rows that are gone are dropped when they are many.
    let most = |held: &[usize]| held.iter().copied().max().unwrap();
    let (early, late) = (most(&held[..300]), most(&held[300..]));
    assert!(late < early + early / 4, "{early} bytes became {late}");
    let mut last = HashMap::new();
    for row in 0..log.len() {
        last.insert(log.key(row), log.value(row).is_some());
    }
    let kept = last.values().filter(|there| **there).count();
    // Fifty of the one that changes often, and some of the last guests.
    assert!((50..60).contains(&kept), "{kept} versions");
}

/// The format is for ever: these bytes are from the first version.
#[test]
fn versions_have_the_bytes_that_are_written_down() {
    let case = case(KeyShape::Text, JoinKind::Inner, None);
    let (mut operator, mut context, mut log) = (operator(&case, 50), Context::default(), Records::default());
    let events = [event(1, 1, Some(3), 5, 0), event(1, 1, None, 7, 1)];
    operator.push(sides(&case, &events, true), &mut Vec::new(), &mut context).unwrap();
    operator.changes(&mut log).unwrap();
    let number = |number: u8| [&[1, number][..], &[0; 7]].concat();
    // The columns are a number, one that nobody reads, a text, and whether it is a deletion.
    let time = |time: u8| [&[time][..], &[0; 7]].concat();
    let kept = [&[1][..], &time(5), &number(3), &[2], &[1, 1, b'v'], &[1, 0]].concat();
    let deleted = [&[1][..], &time(7), &[0], &[2], &[0], &[1, 1]].concat();
    let key = |time: u8| [&[2, 0][..], &[1, 2], b"k1", &number(time)].concat();
    let records: Vec<_> =
        (0..log.len()).map(|row| (log.key(row).unwrap().to_vec(), log.value(row).unwrap().to_vec())).collect();
    assert_eq!(records, [(key(5), kept), (key(7), deleted)]);
}
