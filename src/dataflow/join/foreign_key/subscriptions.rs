//! Which left rows have which foreign key.

use crate::dataflow::join::keys::JoinKeys;
use crate::state::NO_KEY;

/// Left keys by foreign key; both are numbers of their [`JoinKeys`].
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// By left key; `NO_KEY`: it has none.
    foreign: Vec<u32>,
    /// By foreign key.
    lists: Vec<List>,
    /// Of all lists: their number is asked for again and again.
    entries: usize,
}

#[derive(Debug, Default)]
struct List {
    /// May name keys that are gone, or one twice, until it is settled.
    left: Vec<u32>,
    live: u32,
    settled: bool,
}

/// A list is cleaned up once so many of its entries are gone, and half of all.
const GONE_MIN: usize = 32;

impl Subscriptions {
    /// The foreign key of a left key, or `NO_KEY`.
    pub fn of(&self, left: u32) -> u32 {
        self.foreign.get(left as usize).copied().unwrap_or(NO_KEY)
    }

    /// How many left keys have a foreign key.
    pub fn count(&self, foreign: u32) -> usize {
        self.lists.get(foreign as usize).map_or(0, |list| list.live as usize)
    }

    /// Gives a left key a foreign key instead of the one it has.
    pub fn subscribe(&mut self, left: u32, foreign: u32, foreign_keys: &mut JoinKeys) {
        if self.of(left) == foreign {
            return;
        }
        self.unsubscribe(left, foreign_keys);
        if left as usize >= self.foreign.len() {
            self.foreign.resize(left as usize + 1, NO_KEY);
        }
        if foreign as usize >= self.lists.len() {
            self.lists.resize_with(foreign as usize + 1, List::default);
        }
        self.foreign[left as usize] = foreign;
        foreign_keys.retain(foreign);
        let list = &mut self.lists[foreign as usize];
        list.left.push(left);
        self.entries += 1;
        list.live += 1;
        list.settled = false;
    }

    /// Takes its foreign key from a left key, if it has one.
    pub fn unsubscribe(&mut self, left: u32, foreign_keys: &mut JoinKeys) {
        let foreign = self.of(left);
        if foreign == NO_KEY {
            return;
        }
        self.foreign[left as usize] = NO_KEY;
        foreign_keys.release(foreign);
        let list = &mut self.lists[foreign as usize];
        list.live -= 1;
        list.settled = false;
        let before = list.left.len();
        if list.live == 0 {
            list.left = Vec::new();
        } else if list.left.len() > 2 * list.live as usize + GONE_MIN {
            list.left.retain(|left| self.foreign[*left as usize] == foreign);
        }
        self.entries -= before - list.left.len();
    }

    /// The left keys that have a foreign key, in the order of their bytes: the same whatever way it came to be.
    pub fn settled(&mut self, foreign: u32, left_keys: &JoinKeys) -> &[u32] {
        let Some(list) = self.lists.get_mut(foreign as usize) else { return &[] };
        if !list.settled {
            let before = list.left.len();
            list.left.retain(|left| self.foreign[*left as usize] == foreign);
            list.left.sort_by(|a, b| left_keys.compare(*a, *b));
            list.left.dedup();
            self.entries -= before - list.left.len();
            list.settled = true;
        }
        &list.left
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        (self.entries + self.foreign.capacity()) * size_of::<u32>() + self.lists.capacity() * size_of::<List>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SqlType;

    /// Against plain pairs, whatever comes and goes.
    #[test]
    fn lists_have_who_is_there_in_the_order_of_their_keys() {
        let mut random = fastrand::Rng::with_seed(9);
        let (mut left_keys, mut foreign_keys) = (JoinKeys::new(&[SqlType::Int]), JoinKeys::new(&[SqlType::Int]));
        let id = |keys: &mut JoinKeys, number: u32| {
            let id = keys.intern_bytes(&[&[0][..], &number.to_be_bytes()].concat()).unwrap();
            keys.retain(id);
            id
        };
        // Numbers that are in the order of the keys' bytes.
        let left: Vec<u32> = (0..300).map(|number| id(&mut left_keys, number)).collect();
        let foreign: Vec<u32> = (0..5).map(|number| id(&mut foreign_keys, number)).collect();
        let mut subscriptions = Subscriptions::default();
        let mut model = vec![None; left.len()];
        for step in 0..20_000 {
            let (who, what) = (random.usize(0..left.len()), random.usize(0..foreign.len()));
            if random.u8(0..3) == 0 {
                subscriptions.unsubscribe(left[who], &mut foreign_keys);
                model[who] = None;
            } else {
                subscriptions.subscribe(left[who], foreign[what], &mut foreign_keys);
                model[who] = Some(what);
            }
            assert_eq!(subscriptions.of(left[who]), model[who].map_or(NO_KEY, |what| foreign[what]));
            if step % 50 == 0 {
                let expected: Vec<u32> =
                    (0..left.len()).filter(|who| model[*who] == Some(what)).map(|w| left[w]).collect();
                assert_eq!(subscriptions.count(foreign[what]), expected.len());
                assert_eq!(subscriptions.settled(foreign[what], &left_keys), expected);
            }
            let entries: usize = subscriptions.lists.iter().map(|list| list.left.len()).sum();
            assert_eq!(subscriptions.entries, entries);
            assert!(entries <= 2 * left.len() + foreign.len() * (GONE_MIN + 1), "{entries}");
        }
    }
}
