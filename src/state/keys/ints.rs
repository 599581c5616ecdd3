//! Keys of a single integer column.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::Names;

#[derive(Debug)]
pub(super) struct Ints {
    /// By number.
    values: Vec<i64>,
    table: HashTable<(i64, u32)>,
    seed: u64,
}

/// Mixes all bits of a number into all bits of the result.
fn mix(value: u64, seed: u64) -> u64 {
    let wide = u128::from(value ^ seed) * 0x9e37_79b9_7f4a_7c15_u128;
    (wide as u64) ^ ((wide >> 64) as u64)
}

impl Ints {
    pub fn new() -> Self {
        Ints { values: Vec::new(), table: HashTable::new(), seed: RandomState::default().hash_one(0u8) }
    }

    #[inline]
    pub fn value(&self, id: u32) -> i64 {
        self.values[id as usize]
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.values.capacity() * 8 + self.table.capacity() * 17
    }

    #[inline]
    pub fn find(&self, value: i64) -> Option<u32> {
        let hash = mix(value as u64, self.seed);
        self.table.find(hash, |&(known, _)| known == value).map(|&(_, id)| id)
    }

    #[inline]
    pub fn intern(&mut self, value: i64, names: &mut Names) -> u32 {
        if let Some(id) = self.find(value) {
            return id;
        }
        let hash = mix(value as u64, self.seed);
        let (id, fresh) = names.take();
        if fresh {
            self.values.push(value);
        } else {
            self.values[id as usize] = value;
        }
        let seed = self.seed;
        self.table.insert_unique(hash, (value, id), |&(known, _)| mix(known as u64, seed));
        id
    }

    pub fn remove(&mut self, id: u32) {
        let hash = mix(self.values[id as usize] as u64, self.seed);
        if let Ok(entry) = self.table.find_entry(hash, |&(_, known)| known == id) {
            entry.remove();
        }
    }
}
