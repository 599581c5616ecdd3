//! Which left rows have which foreign key.

use crate::dataflow::join::keys::JoinKeys;
use crate::state::NO_KEY;

/// Left keys by foreign key; both are numbers of their [`JoinKeys`].
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// By left key; `NO_KEY`: it has none.
    foreign: Vec<u32>,
    /// By foreign key.
    lists: Vec<List>,
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
        if list.live == 0 {
            list.left = Vec::new();
        } else if list.left.len() > 2 * list.live as usize + GONE_MIN {
            list.left.retain(|left| self.foreign[*left as usize] == foreign);
        }
    }

    /// The left keys that have a foreign key, in the order of their bytes: the same whatever way it came to be.
    pub fn settled(&mut self, foreign: u32, left_keys: &JoinKeys) -> &[u32] {
        let Some(list) = self.lists.get_mut(foreign as usize) else { return &[] };
        if !list.settled {
            list.left.retain(|left| self.foreign[*left as usize] == foreign);
            list.left.sort_by(|a, b| left_keys.compare(*a, *b));
            list.left.dedup();
            list.settled = true;
        }
        &list.left
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        let entries = self.lists.iter().map(|list| list.left.capacity()).sum::<usize>() + self.foreign.capacity();
        entries * size_of::<u32>() + self.lists.capacity() * size_of::<List>()
    }
}
