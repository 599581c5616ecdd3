//! The newest row of each key, as the bytes of its record: what a table is. Doesn't know formats.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::state::codec::{put_bytes, take_array, take_bytes};

/// Key bytes to value bytes and row time. Keys and values lie in one arena; it is rewritten when more than half of it is
/// garbage.
#[derive(Default)]
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
    key_start: u64,
    value_start: u64,
    row_time: i64,
    key_len: u32,
    value_len: u32,
    /// Of the key: growing the index reads no keys.
    hash: u32,
    live: bool,
}

impl Entry {
    fn key<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        slice(arena, self.key_start, self.key_len)
    }

    fn value<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        slice(arena, self.value_start, self.value_len)
    }
}

/// Key, value and row time.
pub(crate) type Row<'a> = (&'a [u8], &'a [u8], i64);

/// Garbage that is not worth a rewrite.
const GARBAGE_BYTES_MIN: usize = 1 << 20;

impl RowStore {
    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Value and row time of a key.
    pub fn get(&self, key: &[u8]) -> Option<(&[u8], i64)> {
        let id = self.find(self.hash(key), key)?;
        let entry = &self.entries[id as usize];
        Some((entry.value(&self.arena), entry.row_time))
    }

    /// Sets the row of a key.
    pub fn put(&mut self, key: &[u8], value: &[u8], row_time: i64) {
        let hash = self.hash(key);
        if let Some(id) = self.find(hash, key) {
            let before = self.entries[id as usize];
            let value_start = match before.value_len as usize >= value.len() {
                // In the place of the one before: most of a row's values are alike.
                true => {
                    let start = before.value_start as usize;
                    self.arena[start..start + value.len()].copy_from_slice(value);
                    self.garbage += before.value_len as usize - value.len();
                    before.value_start
                }
                false => {
                    self.garbage += before.value_len as usize;
                    self.store(value)
                }
            };
            let entry = &mut self.entries[id as usize];
            (entry.value_start, entry.value_len, entry.row_time) = (value_start, value.len() as u32, row_time);
        } else {
            let entry = Entry {
                key_start: self.store(key),
                value_start: self.store(value),
                row_time,
                key_len: key.len() as u32,
                value_len: value.len() as u32,
                hash,
                live: true,
            };
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
            let entries = &self.entries;
            self.index.insert_unique(spread(hash), id, |&id| spread(entries[id as usize].hash));
        }
        self.compact();
    }

    /// Takes a key away. Tells whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let hash = self.hash(key);
        let (arena, entries) = (&self.arena, &self.entries);
        let same = |&id: &u32| entries[id as usize].hash == hash && entries[id as usize].key(arena) == key;
        let Ok(found) = self.index.find_entry(spread(hash), same) else {
            return false;
        };
        let (id, _) = found.remove();
        let entry = &mut self.entries[id as usize];
        entry.live = false;
        self.garbage += entry.key_len as usize + entry.value_len as usize;
        self.free.push(id);
        self.compact();
        true
    }

    /// All rows: (key, value, row time), in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8], i64)> {
        let live = self.entries.iter().filter(|entry| entry.live);
        live.map(|entry| (entry.key(&self.arena), entry.value(&self.arena), entry.row_time))
    }

    /// The places from `from` on, each with its row, if one is there. A row keeps its place as long as it is there.
    pub(crate) fn slots(&self, from: usize) -> impl Iterator<Item = (usize, Option<Row<'_>>)> {
        let entries = self.entries.iter().enumerate().skip(from);
        entries.map(|(at, entry)| {
            let row = entry.live.then(|| (entry.key(&self.arena), entry.value(&self.arena), entry.row_time));
            (at, row)
        })
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * size_of::<Entry>() + self.index.capacity() * 5
    }

    /// Appends rows, at least one, until about `bytes_max` bytes, for a snapshot: number of rows (u32), then of each the key and the value
    /// (a length before both) and the row time (i64, little-endian). Gives where to go on; none after the last. A row keeps
    /// its place as long as it is there.
    pub(crate) fn write_rows(&self, from: usize, bytes_max: usize, into: &mut Vec<u8>) -> Option<usize> {
        let (start, limit) = (into.len(), into.len() + bytes_max);
        into.extend_from_slice(&[0; 4]);
        let (mut at, mut count) = (from, 0_u32);
        while at < self.entries.len() && (at == from || into.len() < limit) {
            let entry = &self.entries[at];
            if entry.live {
                put_bytes(into, entry.key(&self.arena));
                put_bytes(into, entry.value(&self.arena));
                into.extend_from_slice(&entry.row_time.to_le_bytes());
                count += 1;
            }
            at += 1;
        }
        into[start..start + 4].copy_from_slice(&count.to_le_bytes());
        (at < self.entries.len()).then_some(at)
    }

    /// Takes such rows off the front of `bytes` and puts them in. None: the bytes are no such rows.
    pub(crate) fn read_rows(&mut self, bytes: &mut &[u8]) -> Option<()> {
        for _ in 0..u32::from_le_bytes(take_array(bytes)?) {
            let (key, value) = (take_bytes(bytes)?, take_bytes(bytes)?);
            self.put(key, value, i64::from_le_bytes(take_array(bytes)?));
        }
        Some(())
    }

    fn hash(&self, key: &[u8]) -> u32 {
        self.hasher.hash_one(key) as u32
    }

    fn find(&self, hash: u32, key: &[u8]) -> Option<u32> {
        let same = |&id: &u32| {
            let entry = &self.entries[id as usize];
            entry.hash == hash && entry.key(&self.arena) == key
        };
        self.index.find(spread(hash), same).copied()
    }

    fn store(&mut self, bytes: &[u8]) -> u64 {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        start as u64
    }

    fn compact(&mut self) {
        if self.garbage < GARBAGE_BYTES_MIN || self.garbage * 2 < self.arena.len() {
            return;
        }
        let mut arena = Vec::with_capacity(self.arena.len() - self.garbage);
        for entry in self.entries.iter_mut().filter(|entry| entry.live) {
            let starts = (arena.len() as u64, arena.len() as u64 + u64::from(entry.key_len));
            arena.extend_from_slice(entry.key(&self.arena));
            arena.extend_from_slice(entry.value(&self.arena));
            (entry.key_start, entry.value_start) = starts;
        }
        self.arena = arena;
        self.garbage = 0;
    }
}

/// The index takes a bucket from the lowest bits of a hash and a tag from the highest.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

fn slice(arena: &[u8], start: u64, len: u32) -> &[u8] {
    &arena[start as usize..start as usize + len as usize]
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
