//! The rows of one key on one side, by time: a probe finds those of its span without looking at others.

use std::collections::VecDeque;

/// Time and number of a row.
pub(super) type Entry = (i64, u64);

/// Entries by time, those of one time in the order in which they came. Most keys have one row, or rows that come in the
/// order of their times: those are appended; a late one moves those behind it.
#[derive(Debug, Default)]
pub(super) enum List {
    #[default]
    Empty,
    One([Entry; 1]),
    Many(VecDeque<Entry>),
}

impl List {
    /// Adds a row; gives the bytes that the list has grown by.
    pub fn insert(&mut self, time: i64, number: u64) -> usize {
        let entry = (time, number);
        match self {
            List::Empty => {
                *self = List::One([entry]);
                0
            }
            List::One([first]) => {
                let mut all = VecDeque::with_capacity(4);
                all.push_back(*first);
                insert(&mut all, entry);
                *self = List::Many(all);
                self.bytes()
            }
            List::Many(all) => {
                let before = all.capacity();
                insert(all, entry);
                (all.capacity() - before) * size_of::<Entry>()
            }
        }
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
                while all.front().is_some_and(|entry| entry.0 < before) {
                    all.pop_front();
                }
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
        for number in 0..3000 {
            let time = number as i64 / 10 + random.i64(0..20);
            bytes += list.insert(time, number);
            model.push((time, number));
            model.sort_by_key(|entry| entry.0);
            if random.u8(0..10) == 0 {
                let before = number as i64 / 10 - random.i64(-20..30);
                bytes -= list.expire(before);
                model.retain(|entry| entry.0 >= before);
            }
            assert!(list.rest(0).eq(&model));
            let from = random.i64(0..320);
            let position = list.position(from);
            assert_eq!(position, model.iter().filter(|entry| entry.0 < from).count());
            assert!(list.rest(position).eq(&model[position..]));
            assert_eq!(list.bytes(), bytes);
            assert_eq!(matches!(list, List::Empty), model.is_empty());
        }
    }
}
