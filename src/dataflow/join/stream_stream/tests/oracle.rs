//! A list of all rows that ever came, gone through for each row that comes.

use super::*;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Matched,
    /// Given alone.
    Alone,
    Waits,
    Nothing,
}

struct Seen {
    row: Row,
    fate: Fate,
    kept: bool,
}

struct Oracle {
    case: Case,
    seen: Vec<Seen>,
    stream_time: i64,
    /// Of the left rows and the right ones that take part.
    newest: [i64; 2],
    late: u64,
    failed: u64,
    out: Vec<String>,
}

const DAY: i64 = 86_400_000;

impl Oracle {
    fn new(case: Case) -> Oracle {
        let newest = [i64::MIN / 2; 2];
        Oracle { case, seen: Vec::new(), stream_time: i64::MIN, newest, late: 0, failed: 0, out: Vec::new() }
    }

    fn key_text(&self, key: i64) -> String {
        match self.case.keys {
            KeyShape::Text => format!("k{key}"),
            KeyShape::Number => format!("{key}"),
            KeyShape::Both => format!("k{key},{key}"),
        }
    }

    fn emit(&mut self, left: Option<&Row>, right: Option<&Row>, place: u64) {
        let any = left.or(right).unwrap();
        let time = left.map_or(i64::MIN, |row| row.time).max(right.map_or(i64::MIN, |row| row.time));
        let number =
            |row: Option<&Row>| row.and_then(|row| row.value).map_or("-".to_owned(), |value| value.to_string());
        let text = left.and_then(|row| row.value).map_or("-".to_owned(), |value| format!("t{value}"));
        let columns = format!("{},{},{text},{},-", self.key_text(any.key.unwrap()), number(left), number(right));
        self.out.push(out_text(&columns, any.window, time, place));
    }

    fn emit_of(&mut self, row: &Row, other: Option<&Row>, place: u64) {
        match row.hand {
            Hand::Left => self.emit(Some(row), other, place),
            Hand::Right => self.emit(other, Some(row), place),
        }
    }

    /// The condition, which is 12 / (L - R) > 1.
    fn matches(&mut self, left: &Row, right: &Row) -> bool {
        if self.case.condition.is_none() {
            return true;
        }
        match (left.value, right.value) {
            (Some(left), Some(right)) if left != right => 12 / (left - right) > 1,
            // Division by zero, or arithmetic on NULL.
            _ => {
                self.failed += 1;
                false
            }
        }
    }

    fn given_alone(&self, hand: Hand) -> bool {
        match hand {
            Hand::Left => matches!(self.case.kind, JoinKind::Left | JoinKind::Full),
            Hand::Right => matches!(self.case.kind, JoinKind::Right | JoinKind::Full),
        }
    }

    /// How far behind a row its matches may be.
    fn reach(&self, hand: Hand) -> i64 {
        if hand == Hand::Left { self.case.after } else { self.case.before }
    }

    fn close(&mut self, place: u64) {
        let grace = self.case.grace.unwrap_or(0);
        let mut due: Vec<usize> = (0..self.seen.len())
            .filter(|at| {
                let seen = &self.seen[*at];
                let close = seen.row.time + self.reach(seen.row.hand) + grace;
                seen.fate == Fate::Waits && close < self.stream_time
            })
            .collect();
        // The keys' bytes: of a single number big-endian, of text the text; of several columns cells, where the text comes first
        // and has one length; then come the windows' bounds, little-endian.
        due.sort_by_key(|at| {
            let row = &self.seen[*at].row;
            let key = row.key.unwrap();
            let window = row.window.map(|(start, end)| (start.to_le_bytes(), end.to_le_bytes()));
            let number = match self.case.keys {
                KeyShape::Number if self.case.windowed => key.to_le_bytes(),
                _ => key.to_be_bytes(),
            };
            (row.time, row.hand == Hand::Left, number, window)
        });
        for at in due {
            let row = self.seen[at].row.clone();
            self.emit_of(&row, None, place);
            self.seen[at].fate = Fate::Alone;
        }
    }

    fn take(&mut self, row: &Row) {
        self.stream_time = self.stream_time.max(row.time);
        self.close(row.place);
        if row.key.is_none() || row.null_key || row.tombstone {
            // Who misses such a row is told of it.
            self.failed += u64::from(!row.tombstone && self.given_alone(row.hand));
            return;
        }
        let retention = self.case.before + self.case.after + self.case.grace.unwrap_or(DAY);
        let (own, other) = (row.hand as usize, row.hand.other() as usize);
        self.newest[own] = self.newest[own].max(row.time);
        let kept = row.time >= self.newest[own] - retention;
        let mut near: Vec<usize> = (0..self.seen.len())
            .filter(|at| {
                let seen = &self.seen[*at];
                let (left, right) =
                    if row.hand == Hand::Left { (row.time, seen.row.time) } else { (seen.row.time, row.time) };
                seen.row.hand != row.hand
                    && (seen.row.key, seen.row.window) == (row.key, row.window)
                    && seen.kept
                    && seen.row.time >= self.newest[other] - retention
                    && right >= left - self.case.before
                    && right <= left + self.case.after
            })
            .collect();
        near.sort_by_key(|at| self.seen[*at].row.time);
        let mut fate = Fate::Nothing;
        for at in &near {
            let found = self.seen[*at].row.clone();
            let (left, right) = if row.hand == Hand::Left { (row, &found) } else { (&found, row) };
            if self.matches(left, right) {
                self.emit_of(row, Some(&found), row.place);
                (self.seen[*at].fate, fate) = (Fate::Matched, Fate::Matched);
            }
        }
        if fate == Fate::Nothing && self.given_alone(row.hand) {
            if self.case.grace.is_some() && row.time + self.reach(row.hand) >= self.stream_time {
                fate = Fate::Waits;
            } else {
                self.emit_of(row, None, row.place);
                fate = Fate::Alone;
            }
        }
        if !kept && near.is_empty() && fate == Fate::Nothing {
            self.late += 1;
        }
        self.seen.push(Seen { row: row.clone(), fate, kept });
    }
}

/// Rows in random order: both sides' times go on, jump, and lag behind each other.
fn random_rows(case: &Case, count: usize, random: &mut fastrand::Rng) -> Vec<Row> {
    let retention = case.before + case.after + case.grace.unwrap_or(DAY);
    let mut clocks = [random.i64(0..50), random.i64(0..50)];
    let mut rows: Vec<Row> = Vec::new();
    let disorder = random.i64(1..30);
    let mut place = 0;
    for _ in 0..count {
        let hand = if random.bool() { Hand::Left } else { Hand::Right };
        let clock = &mut clocks[hand as usize];
        *clock += random.i64(0..3);
        match random.u8(0..100) {
            0 => *clock += retention - random.i64(-3..20),
            1 => clocks = [clocks[0].max(clocks[1]); 2],
            _ => {}
        }
        let start = random.i64(0..2) * 10;
        // The rows of one record have one place: of both sides in a self join.
        let same = hand == Hand::Right && rows.last().is_some_and(|row| row.hand == Hand::Left) && random.bool();
        place += if same { 0 } else { random.u64(1..3) };
        rows.push(Row {
            hand,
            key: (random.u8(0..20) > 0).then(|| random.i64(0..4)),
            window: case.windowed.then_some((start, start + 10 + random.i64(0..2))),
            time: clocks[hand as usize] - random.i64(0..disorder),
            value: (random.u8(0..8) > 0).then(|| random.i64(0..12)),
            tombstone: random.u8(0..25) == 0,
            null_key: random.u8(0..30) == 0,
            place,
        });
    }
    rows
}

/// How often something was compared.
#[derive(Debug, Default)]
struct Compared {
    matched: usize,
    alone: usize,
    late: u64,
    failed: u64,
    /// Rows that were too old to be kept and matched all the same.
    guests: usize,
    /// Restarts while rows waited.
    restarts: usize,
    /// Restarts from a snapshot.
    loaded: usize,
}

/// Pushes rows in random parts, commits and restarts now and then, and compares after each part.
fn compare(case: Case, rows: &[Row], random: &mut fastrand::Rng, compared: &mut Compared) {
    let mut oracle = Oracle::new(case);
    let mut join = case.join();
    join.made_rows = if random.bool() { random.usize(1..6) } else { MADE_ROWS };
    let (mut context, mut log) = (Context::default(), Records::default());
    let part_max = random.usize(1..60);
    let (mut rest, mut snapshots) = (rows, Trial::default());
    while !rest.is_empty() {
        let (now, later) = rest.split_at(random.usize(1..=part_max).min(rest.len()));
        rest = later;
        let words = case.push(&mut join, now, &mut context);
        now.iter().for_each(|row| oracle.take(row));
        let expected = std::mem::take(&mut oracle.out);
        assert_eq!(words, expected, "{case:?}, rows {now:?}");
        assert_eq!((context.late, context.bad), (oracle.late, oracle.failed), "{case:?}");
        if random.u8(0..3) == 0 {
            join.changes(&mut log).unwrap();
            assert_eq!(join.pending_bytes(), 0);
            snapshots.after_commit(join.state().unwrap(), log.len(), random);
            if random.u8(0..3) == 0 {
                compared.restarts += usize::from(oracle.seen.iter().any(|seen| seen.fate == Fate::Waits));
                let made_rows = join.made_rows;
                let from;
                (join, from) = restored(&case, &log, &snapshots, random);
                compared.loaded += usize::from(from > 0);
                join.made_rows = made_rows;
                snapshots.restart();
            }
        }
    }
    let count = |what: &dyn Fn(&Seen) -> bool| oracle.seen.iter().filter(|seen| what(seen)).count();
    compared.matched += count(&|seen| seen.fate == Fate::Matched);
    compared.alone += count(&|seen| seen.fate == Fate::Alone);
    compared.guests += count(&|seen| seen.fate == Fate::Matched && !seen.kept);
    compared.late += oracle.late;
    compared.failed += oracle.failed;
}

fn any_case(random: &mut fastrand::Rng) -> Case {
    let kinds = [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full];
    Case {
        keys: [KeyShape::Text, KeyShape::Number, KeyShape::Both][random.usize(0..3)],
        windowed: random.u8(0..4) == 0,
        kind: kinds[random.usize(0..4)],
        before: random.i64(0..12),
        after: random.i64(0..12),
        grace: random.bool().then(|| random.i64(0..15)),
        condition: random.bool().then_some("12 / (L - R) > 1"),
    }
}

#[test]
fn any_rows_are_joined_as_one_by_one() {
    let mut random = fastrand::Rng::with_seed(17);
    let mut compared = Compared::default();
    for _ in 0..200 {
        let case = any_case(&mut random);
        let rows = random_rows(&case, 300, &mut random);
        compare(case, &rows, &mut random, &mut compared);
    }
    let Compared { matched, alone, late, failed, guests, restarts, loaded } = compared;
    let rare = matched.min(alone).min(late as usize).min(failed as usize).min(restarts);
    assert!(rare > 200 && guests > 20 && loaded > 100, "{compared:?}");
}

/// Each kind, with and without grace and condition, is among the cases.
#[test]
fn every_kind_is_joined_as_one_by_one() {
    let mut random = fastrand::Rng::with_seed(5);
    for kind in [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full] {
        for grace in [None, Some(0), Some(20)] {
            for condition in [None, Some("12 / (L - R) > 1")] {
                let case = Case { kind, grace, condition, ..any_case(&mut random) };
                let mut compared = Compared::default();
                for _ in 0..8 {
                    let rows = random_rows(&case, 300, &mut random);
                    compare(case, &rows, &mut random, &mut compared);
                }
                assert!(compared.matched > 50, "{case:?}: {compared:?}");
                assert_eq!(compared.alone > 50, kind != JoinKind::Inner, "{case:?}: {compared:?}");
            }
        }
    }
}
