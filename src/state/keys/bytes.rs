//! Keys of any other columns: their bytes in one arena.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::ArrayRef;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{FREE, Names};

#[derive(Debug, Default)]
pub(super) struct Bytes {
    /// Start of each key in `data`, and its length.
    spans: Vec<(u64, u32)>,
    hashes: Vec<u64>,
    data: Vec<u8>,
    /// Bytes of `data` that no key uses any more.
    dead: usize,
    table: HashTable<(u32, u32)>,
    hasher: RandomState,
    /// A key under construction, between calls empty room.
    pub scratch: Vec<u8>,
}

impl Bytes {
    #[inline]
    pub fn key(&self, id: u32) -> &[u8] {
        let (start, len) = self.spans[id as usize];
        &self.data[start as usize..start as usize + len as usize]
    }

    #[inline]
    pub fn intern(&mut self, key: &[u8], names: &mut Names) -> u32 {
        let hash = self.hasher.hash_one(key);
        match self.find_hashed(hash, key) {
            Some(id) => id,
            None => self.insert(hash, key, names),
        }
    }

    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<u32> {
        self.find_hashed(self.hasher.hash_one(key), key)
    }

    #[inline]
    fn find_hashed(&self, hash: u64, key: &[u8]) -> Option<u32> {
        // Half of the hash lies in the table: another key is nearly never compared byte by byte.
        let tag = hash as u32;
        let (spans, data) = (&self.spans, &self.data);
        let found = self.table.find(hash, |&(known, id)| {
            known == tag && {
                let (start, len) = spans[id as usize];
                len as usize == key.len() && &data[start as usize..start as usize + len as usize] == key
            }
        });
        found.map(|&(_, id)| id)
    }

    #[cold]
    fn insert(&mut self, hash: u64, key: &[u8], names: &mut Names) -> u32 {
        let (id, fresh) = names.take();
        let span = (self.data.len() as u64, key.len() as u32);
        self.data.extend_from_slice(key);
        if fresh {
            self.spans.push(span);
            self.hashes.push(hash);
        } else {
            self.spans[id as usize] = span;
            self.hashes[id as usize] = hash;
        }
        let hashes = &self.hashes;
        self.table.insert_unique(hash, (hash as u32, id), |&(_, known)| hashes[known as usize]);
        id
    }

    pub fn remove(&mut self, id: u32) {
        if let Ok(entry) = self.table.find_entry(self.hashes[id as usize], |&(_, known)| known == id) {
            entry.remove();
        }
        self.dead += self.spans[id as usize].1 as usize;
        self.spans[id as usize] = (0, 0);
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.data.capacity() + self.spans.capacity() * 24 + self.table.capacity() * 9
    }

    /// Moves the keys together once most of the arena is dead.
    pub fn compact(&mut self, refs: &[u32]) {
        if self.dead < 1 << 16 || self.dead * 2 < self.data.len() {
            return;
        }
        let mut data = Vec::with_capacity(self.data.len() - self.dead);
        for (id, span) in self.spans.iter_mut().enumerate() {
            if refs[id] == FREE {
                continue;
            }
            let start = span.0 as usize;
            span.0 = data.len() as u64;
            data.extend_from_slice(&self.data[start..start + span.1 as usize]);
        }
        self.data = data;
        self.dead = 0;
    }

    pub fn strings(&self, ids: &[u32]) -> ArrayRef {
        let len = ids.iter().map(|&id| self.spans[id as usize].1 as usize).sum();
        let mut builder = arrow::array::StringBuilder::with_capacity(ids.len(), len);
        for &id in ids {
            // Checked when interned: it came from a string column or through a UTF-8 check.
            builder.append_value(std::str::from_utf8(self.key(id)).unwrap_or_default());
        }
        Arc::new(builder.finish())
    }
}
