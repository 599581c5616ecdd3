//! The newest row of each key, as the bytes of its record: what a table is. Doesn't know formats.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Key bytes to value bytes and row time. Keys and values lie in one arena; it is rewritten when more than half of it is
/// garbage.
pub struct RowStore {
    hasher: RandomState,
    index: HashTable<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    arena: Vec<u8>,
    garbage: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: Place,
    value: Place,
    row_time: i64,
    live: bool,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    len: u32,
}

impl Default for RowStore {
    fn default() -> Self {
        RowStore {
            hasher: RandomState::default(),
            index: HashTable::new(),
            entries: Vec::new(),
            free: Vec::new(),
            arena: Vec::new(),
            garbage: 0,
        }
    }
}

/// Garbage that is not worth a rewrite.
const GARBAGE_BYTES_MIN: usize = 1 << 20;

impl RowStore {
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Value and row time of a key.
    pub fn get(&self, key: &[u8]) -> Option<(&[u8], i64)> {
        let id = self.find(key)?;
        let entry = &self.entries[id as usize];
        Some((self.slice(entry.value), entry.row_time))
    }

    /// Sets the row of a key.
    pub fn put(&mut self, key: &[u8], value: &[u8], row_time: i64) {
        let value_place = self.store(value);
        if let Some(id) = self.find(key) {
            let entry = &mut self.entries[id as usize];
            self.garbage += entry.value.len as usize;
            entry.value = value_place;
            entry.row_time = row_time;
        } else {
            let entry = Entry { key: self.store(key), value: value_place, row_time, live: true };
            let id = match self.free.pop() {
                Some(id) => {
                    self.entries[id as usize] = entry;
                    id
                }
                None => {
                    self.entries.push(entry);
                    (self.entries.len() - 1) as u32
                }
            };
            let hash = self.hasher.hash_one(key);
            let (hasher, arena, entries) = (&self.hasher, &self.arena, &self.entries);
            self.index.insert_unique(hash, id, |&id| hasher.hash_one(slice(arena, entries[id as usize].key)));
        }
        self.compact();
    }

    /// Takes a key away. Tells whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let hash = self.hasher.hash_one(key);
        let (arena, entries) = (&self.arena, &self.entries);
        let Ok(found) = self.index.find_entry(hash, |&id| slice(arena, entries[id as usize].key) == key) else {
            return false;
        };
        let (id, _) = found.remove();
        let entry = &mut self.entries[id as usize];
        entry.live = false;
        self.garbage += entry.key.len as usize + entry.value.len as usize;
        self.free.push(id);
        self.compact();
        true
    }

    /// All rows: (key, value, row time), in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8], i64)> {
        self.entries
            .iter()
            .filter(|entry| entry.live)
            .map(|entry| (self.slice(entry.key), self.slice(entry.value), entry.row_time))
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * size_of::<Entry>() + self.index.capacity() * 5
    }

    fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.index.find(hash, |&id| self.slice(self.entries[id as usize].key) == key).copied()
    }

    fn slice(&self, place: Place) -> &[u8] {
        slice(&self.arena, place)
    }

    fn store(&mut self, bytes: &[u8]) -> Place {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        Place { start, len: bytes.len() as u32 }
    }

    fn compact(&mut self) {
        if self.garbage < GARBAGE_BYTES_MIN || self.garbage * 2 < self.arena.len() {
            return;
        }
        let mut arena = Vec::with_capacity(self.arena.len() - self.garbage);
        for entry in self.entries.iter_mut().filter(|entry| entry.live) {
            for place in [&mut entry.key, &mut entry.value] {
                let start = arena.len();
                arena.extend_from_slice(slice(&self.arena, *place));
                place.start = start;
            }
        }
        self.arena = arena;
        self.garbage = 0;
    }
}

fn slice(arena: &[u8], place: Place) -> &[u8] {
    &arena[place.start..place.start + place.len as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Against a plain map, through many rewrites of the arena.
    #[test]
    fn holds_what_a_map_holds() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut store = RowStore::default();
        let mut model: HashMap<Vec<u8>, (Vec<u8>, i64)> = HashMap::new();
        for step in 0..60_000_i64 {
            let key = random.u32(0..500).to_le_bytes().to_vec();
            if random.u8(0..4) == 0 {
                assert_eq!(store.remove(&key), model.remove(&key).is_some());
            } else {
                let value = vec![random.u8(..); random.usize(0..200)];
                store.put(&key, &value, step);
                model.insert(key.clone(), (value, step));
            }
            let expected = model.get(&key).map(|(value, time)| (value.as_slice(), *time));
            assert_eq!(store.get(&key), expected);
        }
        assert_eq!(store.index.len(), model.len());
        let rows: HashMap<Vec<u8>, (Vec<u8>, i64)> =
            store.iter().map(|(key, value, time)| (key.to_vec(), (value.to_vec(), time))).collect();
        assert_eq!(rows, model);
    }
}
