//! Keys interned: each distinct key gets a small number, its bytes lie in one arena, never in a box.
//!
//! A key's bytes: of a single STRING column the text, of a single INT or BIGINT column big-endian two's complement (the
//! order of Kafka's own serializers), else the columns' cells one after another. They are what changelogs carry.

mod bytes;
mod ints;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::state::codec::{CellColumn, take_array, write_cell};
use crate::types::SqlType;
use bytes::Bytes;
use ints::Ints;

/// Interned keys with reference counts. A number whose count is 0 lasts until [`Keys::sweep`].
#[derive(Debug)]
pub struct Keys {
    types: Vec<SqlType>,
    store: Store,
    /// Users of each number. `FREE`: the number is not in use.
    refs: Vec<u32>,
    free: Vec<u32>,
    /// Numbers given out or let go since the last sweep: they may have no user.
    loose: Vec<u32>,
}

const FREE: u32 = u32::MAX;

/// The number of no key.
pub const NO_KEY: u32 = u32::MAX;

#[derive(Debug)]
enum Store {
    Ints(Ints),
    Bytes(Bytes),
}

impl Keys {
    /// Keys of columns of these types.
    pub fn new(types: Vec<SqlType>) -> Self {
        let store = match types.as_slice() {
            [SqlType::Int | SqlType::Bigint] => Store::Ints(Ints::new()),
            _ => Store::Bytes(Bytes::default()),
        };
        Keys { types, store, refs: Vec::new(), free: Vec::new(), loose: Vec::new() }
    }

    /// Types of the key's columns.
    pub fn types(&self) -> &[SqlType] {
        &self.types
    }

    /// One more than the highest number given out.
    pub fn capacity(&self) -> usize {
        self.refs.len()
    }

    /// Appends the numbers of these rows' keys to `ids`. The key columns are not null in these rows. A new number has
    /// no user yet.
    pub fn intern(&mut self, columns: &[ArrayRef], rows: &[u32], ids: &mut Vec<u32>) {
        let names = &mut Names { refs: &mut self.refs, free: &mut self.free, loose: &mut self.loose };
        ids.reserve(rows.len());
        match &mut self.store {
            Store::Ints(ints) => each_int(columns, rows, |value| ids.push(ints.intern(value, names))),
            Store::Bytes(bytes) => {
                let mut scratch = std::mem::take(&mut bytes.scratch);
                each_key(columns, rows, &mut scratch, |key| ids.push(bytes.intern(key, names)));
                bytes.scratch = scratch;
            }
        }
    }

    /// Appends the numbers of these rows' keys to `ids`; of keys that have none [`NO_KEY`]. The key columns are not null in
    /// these rows.
    pub fn find(&mut self, columns: &[ArrayRef], rows: &[u32], ids: &mut Vec<u32>) {
        ids.reserve(rows.len());
        match &mut self.store {
            Store::Ints(ints) => each_int(columns, rows, |value| ids.push(ints.find(value).unwrap_or(NO_KEY))),
            Store::Bytes(bytes) => {
                let mut scratch = std::mem::take(&mut bytes.scratch);
                each_key(columns, rows, &mut scratch, |key| ids.push(bytes.find(key).unwrap_or(NO_KEY)));
                bytes.scratch = scratch;
            }
        }
    }

    /// The number of the key with these bytes, new if need be. `None`: they are no key of these types.
    pub fn intern_bytes(&mut self, key: &[u8]) -> Option<u32> {
        let names = &mut Names { refs: &mut self.refs, free: &mut self.free, loose: &mut self.loose };
        match &mut self.store {
            Store::Ints(ints) => {
                let mut rest = key;
                let value = match self.types.as_slice() {
                    [SqlType::Int] => i64::from(i32::from_be_bytes(take_array(&mut rest)?)),
                    _ => i64::from_be_bytes(take_array(&mut rest)?),
                };
                rest.is_empty().then(|| ints.intern(value, names))
            }
            Store::Bytes(bytes) => match self.types.as_slice() {
                [SqlType::String] => {
                    simdutf8::basic::from_utf8(key).ok()?;
                    Some(bytes.intern(key, names))
                }
                types => {
                    let mut rest = key;
                    types.iter().try_for_each(|ty| CellColumn::new(ty).push(&mut rest))?;
                    rest.is_empty().then(|| bytes.intern(key, names))
                }
            },
        }
    }

    /// Appends a key's bytes.
    pub fn write(&self, id: u32, out: &mut Vec<u8>) {
        match (&self.store, self.types.as_slice()) {
            (Store::Ints(ints), [SqlType::Int]) => {
                out.extend_from_slice(&(ints.value(id) as i32).to_be_bytes());
            }
            (Store::Ints(ints), _) => out.extend_from_slice(&ints.value(id).to_be_bytes()),
            (Store::Bytes(bytes), _) => out.extend_from_slice(bytes.key(id)),
        }
    }

    /// Compares the bytes of two keys.
    pub fn compare(&self, a: u32, b: u32) -> std::cmp::Ordering {
        match &self.store {
            // Big-endian two's complement: the negative ones come last.
            Store::Ints(ints) => (ints.value(a) as u64).cmp(&(ints.value(b) as u64)),
            Store::Bytes(bytes) => bytes.key(a).cmp(bytes.key(b)),
        }
    }

    /// The key columns of these numbers.
    pub fn columns(&self, ids: &[u32]) -> Vec<ArrayRef> {
        match (&self.store, self.types.as_slice()) {
            (Store::Ints(ints), [SqlType::Int]) => {
                vec![Arc::new(Int32Array::from_iter_values(ids.iter().map(|&id| ints.value(id) as i32)))]
            }
            (Store::Ints(ints), _) => {
                vec![Arc::new(Int64Array::from_iter_values(ids.iter().map(|&id| ints.value(id))))]
            }
            (Store::Bytes(bytes), [SqlType::String]) => vec![bytes.strings(ids)],
            (Store::Bytes(bytes), types) => {
                let mut columns: Vec<CellColumn> = types.iter().map(CellColumn::new).collect();
                for &id in ids {
                    let mut rest = bytes.key(id);
                    for column in &mut columns {
                        // The bytes were made or checked when the key was interned.
                        if column.push(&mut rest).is_none() {
                            column.push_null();
                        }
                    }
                }
                columns.into_iter().map(CellColumn::finish).collect()
            }
        }
    }

    /// One more user.
    pub fn retain(&mut self, id: u32) {
        self.refs[id as usize] += 1;
    }

    /// One user less.
    pub fn release(&mut self, id: u32) {
        let refs = &mut self.refs[id as usize];
        *refs -= 1;
        if *refs == 0 {
            self.loose.push(id);
        }
    }

    /// Forgets the keys without users and calls `gone` with each number, which may be given out again.
    pub fn sweep(&mut self, mut gone: impl FnMut(u32)) {
        for id in std::mem::take(&mut self.loose) {
            if self.refs[id as usize] != 0 {
                continue;
            }
            match &mut self.store {
                Store::Ints(ints) => ints.remove(id),
                Store::Bytes(bytes) => bytes.remove(id),
            }
            self.refs[id as usize] = FREE;
            self.free.push(id);
            gone(id);
        }
        if let Store::Bytes(bytes) = &mut self.store {
            bytes.compact(&self.refs);
        }
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        let store = match &self.store {
            Store::Ints(ints) => ints.bytes(),
            Store::Bytes(bytes) => bytes.bytes(),
        };
        store + self.refs.capacity() * 8
    }
}

/// The values of these rows of a single integer column.
fn each_int(columns: &[ArrayRef], rows: &[u32], mut each: impl FnMut(i64)) {
    // As many columns as types is the callers' contract.
    let Some(column) = columns.first() else { return };
    if let Some(column) = column.as_primitive_opt::<Int64Type>() {
        let values = column.values();
        rows.iter().for_each(|&row| each(values[row as usize]));
    } else {
        let values = column.as_primitive::<Int32Type>().values();
        rows.iter().for_each(|&row| each(i64::from(values[row as usize])));
    }
}

/// The bytes of these rows' keys.
fn each_key(columns: &[ArrayRef], rows: &[u32], scratch: &mut Vec<u8>, mut each: impl FnMut(&[u8])) {
    if let [column] = columns
        && let Some(column) = column.as_string_opt::<i32>()
    {
        let (offsets, data) = (column.value_offsets(), column.value_data());
        for &row in rows {
            let (start, end) = (offsets[row as usize] as usize, offsets[row as usize + 1] as usize);
            each(&data[start..end]);
        }
        return;
    }
    for &row in rows {
        scratch.clear();
        columns.iter().for_each(|column| write_cell(column, row as usize, scratch));
        each(scratch);
    }
}

/// Where numbers come from.
struct Names<'a> {
    refs: &'a mut Vec<u32>,
    free: &'a mut Vec<u32>,
    loose: &'a mut Vec<u32>,
}

impl Names<'_> {
    /// A number without users, and whether it is one never given out before.
    fn take(&mut self) -> (u32, bool) {
        let (id, fresh) = match self.free.pop() {
            Some(id) => (id, false),
            None => (self.refs.len() as u32, true),
        };
        if fresh {
            self.refs.push(0);
        } else {
            self.refs[id as usize] = 0;
        }
        self.loose.push(id);
        (id, fresh)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow::array::StringArray;

    use super::*;

    fn strings(values: &[&str]) -> Vec<ArrayRef> {
        vec![Arc::new(StringArray::from(values.to_vec()))]
    }

    #[test]
    fn equal_keys_have_one_number() {
        let mut keys = Keys::new(vec![SqlType::String]);
        let mut ids = Vec::new();
        keys.intern(&strings(&["a", "", "b", "a", ""]), &[0, 1, 2, 3, 4], &mut ids);
        assert_eq!(ids, [0, 1, 2, 0, 1]);
        assert_eq!(keys.columns(&[2, 1]), strings(&["b", ""]));
        assert_eq!(keys.intern_bytes(b"b"), Some(2));
        assert_eq!(keys.intern_bytes(&[0xff]), None);
    }

    #[test]
    fn integers_have_kafkas_bytes() {
        let mut keys = Keys::new(vec![SqlType::Int]);
        let mut ids = Vec::new();
        keys.intern(&[Arc::new(Int32Array::from(vec![-1, 5]))], &[0, 1], &mut ids);
        let mut bytes = Vec::new();
        keys.write(ids[0], &mut bytes);
        assert_eq!(bytes, [0xff; 4]);
        assert!(keys.compare(ids[0], ids[1]).is_gt());
        assert_eq!(keys.intern_bytes(&[0, 0, 0, 5]), Some(ids[1]));
        assert_eq!(keys.intern_bytes(&[0, 5]), None);
    }

    #[test]
    fn several_columns_round_trip() {
        let mut keys = Keys::new(vec![SqlType::String, SqlType::Double]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["x", "x", "y"])),
            Arc::new(arrow::array::Float64Array::from(vec![1.5, -0.0, 1.5])),
        ];
        let mut ids = Vec::new();
        keys.intern(&columns, &[0, 1, 2], &mut ids);
        assert_eq!(ids, [0, 1, 2]);
        assert_eq!(keys.columns(&ids), columns);
        let mut bytes = Vec::new();
        keys.write(1, &mut bytes);
        assert_eq!(keys.intern_bytes(&bytes), Some(1));
        assert_eq!(keys.intern_bytes(&bytes[1..]), None);
    }

    #[test]
    fn finding_makes_no_numbers() {
        let number = |values: &[i64]| -> Vec<ArrayRef> { vec![Arc::new(Int64Array::from(values.to_vec()))] };
        let both = |texts: &[&str], values: &[i64]| [strings(texts), number(values)].concat();
        let table = [
            (vec![SqlType::Bigint], number(&[4, 5, 6])),
            (vec![SqlType::String], strings(&["a", "", "c"])),
            (vec![SqlType::String, SqlType::Bigint], both(&["a", "a", "b"], &[1, 2, 1])),
        ];
        for (types, columns) in table {
            let mut keys = Keys::new(types);
            let (mut known, mut found) = (Vec::new(), Vec::new());
            keys.intern(&columns, &[2, 0], &mut known);
            keys.find(&columns, &[0, 1, 2], &mut found);
            assert_eq!(found, [known[1], NO_KEY, known[0]]);
            assert_eq!(keys.capacity(), 2);
        }
    }

    /// Random keys come and go; a map of the test's own says which number each has.
    #[test]
    fn numbers_stay_right_while_keys_come_and_go() {
        let mut random = fastrand::Rng::with_seed(7);
        for ints in [false, true] {
            let mut keys = Keys::new(vec![if ints { SqlType::Bigint } else { SqlType::String }]);
            let mut live: HashMap<u64, u32> = HashMap::new();
            for round in 0..20_000 {
                let value = random.u64(0..3000);
                let bytes = if ints {
                    value.to_be_bytes().to_vec()
                } else {
                    format!("some longer key to fill the arena {value}").into_bytes()
                };
                let id = keys.intern_bytes(&bytes).unwrap();
                match live.get(&value) {
                    Some(&known) if random.u8(0..3) > 0 => assert_eq!(id, known),
                    Some(_) => {
                        keys.release(id);
                        live.remove(&value);
                    }
                    None if random.bool() => {
                        keys.retain(id);
                        live.insert(value, id);
                    }
                    None => {}
                }
                if round % 100 == 0 {
                    keys.sweep(|id| assert!(!live.values().any(|&used| used == id)));
                }
                let mut out = Vec::new();
                if let Some((_, &id)) = live.iter().next() {
                    keys.write(id, &mut out);
                    assert_eq!(keys.intern_bytes(&out), Some(id));
                }
            }
        }
    }
}
