//! The rows of one key on one side, by time: a probe finds those of its span without looking at others.

use std::collections::VecDeque;

/// Time and number of a row.
pub(super) type Entry = (i64, u64);

/// Entries by time, those of one time in the order in which they came. Most keys have one row, or rows that come in the
/// order of their times: those are appended; a late one moves those behind it. Rows that have expired may still be there.
#[derive(Debug, Default)]
pub(super) enum List {
    #[default]
    Empty,
    One([Entry; 1]),
    Many(VecDeque<Entry>),
}

impl List {
    /// Adds a row; gives the bytes that the list has grown by. Before it grows, the rows whose time is before `limit` go.
    pub fn insert(&mut self, time: i64, number: u64, limit: i64) -> isize {
        let entry = (time, number);
        match self {
            List::Many(all) if all.len() < all.capacity() => {
                insert(all, entry);
                0
            }
            List::Empty => {
                *self = List::One([entry]);
                0
            }
            List::One([first]) if first.0 < limit => {
                *first = entry;
                0
            }
            List::One([first]) => {
                let mut all = VecDeque::with_capacity(4);
                all.push_back(*first);
                insert(&mut all, entry);
                *self = List::Many(all);
                self.bytes() as isize
            }
            List::Many(all) => {
                let before = List::many_bytes(all) as isize;
                drop_before(all, limit);
                insert(all, entry);
                List::many_bytes(all) as isize - before
            }
        }
    }

    /// Whether what has expired is worth being looked for.
    pub fn is_long(&self) -> bool {
        matches!(self, List::Many(all) if all.capacity() > SHORT)
    }

    /// Drops all rows; gives the bytes that the list has shrunk by.
    pub fn clear(&mut self) -> usize {
        let held = self.bytes();
        *self = List::Empty;
        held
    }

    /// Where the first row lies whose time is not before this one. Looks from the end on in growing steps: most rows meet
    /// those that came last.
    pub fn position(&self, time: i64) -> usize {
        let all = match self {
            List::Empty => return 0,
            List::One([entry]) => return usize::from(entry.0 < time),
            List::Many(all) => all,
        };
        let (mut step, mut last) = (1, all.len());
        while step <= all.len() && all[all.len() - step].0 >= time {
            last = all.len() - step;
            step *= 2;
        }
        let mut first = (all.len() + 1).saturating_sub(step);
        while first < last {
            let middle = first.midpoint(last);
            match all[middle].0 < time {
                true => first = middle + 1,
                false => last = middle,
            }
        }
        first
    }

    /// The rows from a position on.
    pub fn rest(&self, from: usize) -> impl Iterator<Item = &Entry> {
        let [first, second]: [&[Entry]; 2] = match self {
            List::Empty => [&[], &[]],
            List::One(entry) => [entry, &[]],
            List::Many(all) => all.as_slices().into(),
        };
        let behind = from.saturating_sub(first.len());
        first.iter().skip(from).chain(second.iter().skip(behind))
    }

    /// Drops the rows whose time is before this one; gives the bytes that the list has shrunk by.
    pub fn expire(&mut self, before: i64) -> usize {
        match self {
            List::Empty => 0,
            List::One([entry]) => {
                if entry.0 < before {
                    *self = List::Empty;
                }
                0
            }
            List::Many(all) => {
                let held = List::many_bytes(all);
                drop_before(all, before);
                if all.len() * 4 < all.capacity() {
                    all.shrink_to(all.len() * 2);
                }
                match (all.len(), all.front()) {
                    (1, Some(&last)) => *self = List::One([last]),
                    (0, _) => *self = List::Empty,
                    _ => {}
                }
                held - self.bytes()
            }
        }
    }

    /// Bytes that it holds elsewhere.
    fn bytes(&self) -> usize {
        match self {
            List::Empty | List::One(_) => 0,
            List::Many(all) => List::many_bytes(all),
        }
    }

    fn many_bytes(all: &VecDeque<Entry>) -> usize {
        all.capacity() * size_of::<Entry>()
    }
}

/// A list with room for no more than these rows may keep those that have expired.
const SHORT: usize = 8;

fn drop_before(all: &mut VecDeque<Entry>, time: i64) {
    while all.front().is_some_and(|entry| entry.0 < time) {
        all.pop_front();
    }
}

fn insert(all: &mut VecDeque<Entry>, entry: Entry) {
    match all.back() {
        Some(last) if last.0 > entry.0 => {
            let at = all.partition_point(|other| other.0 <= entry.0);
            all.insert(at, entry);
        }
        _ => all.push_back(entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a vector that is sorted anew each time.
    #[test]
    fn rows_lie_by_time_and_arrival() {
        let mut random = fastrand::Rng::with_seed(3);
        let (mut list, mut model, mut bytes) = (List::default(), Vec::<Entry>::new(), 0);
        let mut limit = i64::MIN;
        for number in 0..3000 {
            let time = (number as i64 / 10 + random.i64(0..20)).max(limit);
            if random.u8(0..5) == 0 {
                limit = limit.max(number as i64 / 10 - random.i64(5..30));
            }
            bytes += list.insert(time, number, limit);
            model.push((time, number));
            model.sort_by_key(|entry| entry.0);
            if random.u8(0..10) == 0 {
                let before = number as i64 / 10 - random.i64(-20..30);
                bytes -= list.expire(before) as isize;
                model.retain(|entry| entry.0 >= before);
            }
            // What has expired may be there or not.
            let from = random.i64(0..320).max(limit);
            assert!(list.rest(list.position(from)).eq(model.iter().filter(|entry| entry.0 >= from)));
            let before_limit = |entry: &&Entry| entry.0 < limit;
            assert!(list.rest(0).take_while(before_limit).count() <= model.iter().filter(before_limit).count());
            assert_eq!(list.bytes() as isize, bytes);
            if random.u8(0..200) == 0 {
                bytes -= list.clear() as isize;
                model.clear();
                assert!(matches!(list, List::Empty) && bytes == 0);
            }
        }
    }
}
