//! MIN, MAX, TOPK and TOPKDISTINCT of a table: all its values by their order, so that the next one is known when the first
//! goes.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef};

use super::bag::{counted_types, take_counted, write_counted};
use super::cells::compare_cells;
use super::composite::Composite;
use crate::state::codec::{put_len, write_cell};
use crate::types::SqlType;

/// What of the ordered values is the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Least,
    Greatest,
    /// The k greatest, greatest first.
    Top(usize),
    /// The k greatest different ones.
    TopDistinct(usize),
}

pub(super) struct Ranked {
    item: SqlType,
    returns: SqlType,
    order: Order,
    choice: Choice,
    scratch: Vec<u8>,
}

/// How items are compared.
#[derive(Debug, Clone, Copy)]
struct Order {
    compare: fn(&[u8], &[u8]) -> Ordering,
    /// Items are structs, compared by their first member, which is not NULL.
    structs: bool,
}

impl Order {
    fn of(ty: &SqlType, structs: bool) -> Self {
        // Of the types that are stored alike any will do.
        let compare: fn(&[u8], &[u8]) -> Ordering = match ty {
            SqlType::Int | SqlType::Date | SqlType::Time => |a, b| compare_cells(&SqlType::Int, a, b),
            SqlType::Bigint | SqlType::Timestamp => |a, b| compare_cells(&SqlType::Bigint, a, b),
            SqlType::Double => |a, b| compare_cells(&SqlType::Double, a, b),
            SqlType::Decimal { .. } => |a, b| compare_cells(&SqlType::Decimal { precision: 1, scale: 0 }, a, b),
            SqlType::String => |a, b| compare_cells(&SqlType::String, a, b),
            SqlType::Bytes => |a, b| compare_cells(&SqlType::Bytes, a, b),
            SqlType::Boolean => |a, b| compare_cells(&SqlType::Boolean, a, b),
            SqlType::Array(_) | SqlType::Map(_) | SqlType::Struct(_) => |_, _| Ordering::Equal,
        };
        Order { compare, structs }
    }
}

/// An item in the order.
#[derive(Debug)]
struct Item {
    cell: Box<[u8]>,
    order: Order,
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        let skip = usize::from(self.order.structs);
        (self.order.compare)(&self.cell[skip..], &other.cell[skip..]).then_with(|| self.cell.cmp(&other.cell))
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Item {}

/// The items of a group with how often each is there.
#[derive(Debug, Default)]
pub(super) struct Items {
    counts: BTreeMap<Item, i64>,
    cell_bytes: usize,
}

/// Bytes of an entry in the tree beside its cell, about.
const ENTRY_BYTES: usize = size_of::<Item>() + 16;

impl Items {
    fn add(&mut self, item: Item, count: i64) {
        let bytes = item.cell.len();
        let held = self.counts.entry(item).or_insert(0);
        if *held == 0 {
            self.cell_bytes += bytes;
        }
        *held += count;
    }

    fn remove(&mut self, item: &Item) {
        let Some(held) = self.counts.get_mut(item) else { return };
        *held -= 1;
        if *held <= 0 {
            self.counts.remove(item);
            self.cell_bytes -= item.cell.len();
        }
    }

    fn first(&self, choice: Choice) -> Option<&Item> {
        match choice {
            Choice::Least => self.counts.first_key_value().map(|(item, _)| item),
            _ => self.counts.last_key_value().map(|(item, _)| item),
        }
    }
}

impl Ranked {
    /// `columns`: the types of the columns; items are of the type `item`, structs if there are several columns.
    pub(super) fn new(columns: &[SqlType], item: SqlType, choice: Choice) -> Self {
        let order = Order::of(columns.first().unwrap_or(&item), columns.len() > 1);
        let returns = match choice {
            Choice::Least | Choice::Greatest => item.clone(),
            Choice::Top(_) | Choice::TopDistinct(_) => SqlType::Array(Box::new(item.clone())),
        };
        Ranked { item, returns, order, choice, scratch: Vec::new() }
    }

    /// The item of a row; none where its first column is NULL.
    fn read(&mut self, args: &[ArrayRef], row: usize) -> Option<Item> {
        if args[0].is_null(row) {
            return None;
        }
        self.scratch.clear();
        if self.order.structs {
            self.scratch.push(1);
        }
        args.iter().for_each(|column| write_cell(column, row, &mut self.scratch));
        Some(self.item(&self.scratch))
    }

    fn item(&self, cell: &[u8]) -> Item {
        Item { cell: cell.into(), order: self.order }
    }
}

impl Composite for Ranked {
    type Group = Items;

    const CAN_UNDO: bool = true;

    fn returns(&self) -> &SqlType {
        &self.returns
    }

    fn add(&mut self, group: &mut Items, args: &[ArrayRef], row: usize) -> Result<(), String> {
        if let Some(item) = self.read(args, row) {
            group.add(item, 1);
        }
        Ok(())
    }

    fn remove(&mut self, group: &mut Items, args: &[ArrayRef], row: usize) {
        if let Some(item) = self.read(args, row) {
            group.remove(&item);
        }
    }

    fn merge(&mut self, from: &Items, into: &mut Items) {
        from.counts.iter().for_each(|(item, &count)| into.add(self.item(&item.cell), count));
    }

    fn result(&self, group: &Items, out: &mut Vec<u8>) {
        let (k, distinct) = match self.choice {
            Choice::Least | Choice::Greatest => {
                match group.first(self.choice) {
                    Some(item) => out.extend_from_slice(&item.cell),
                    None => out.push(0),
                }
                return;
            }
            Choice::Top(k) => (k, false),
            Choice::TopDistinct(k) => (k, true),
        };
        let times = |count: i64| if distinct { 1 } else { usize::try_from(count).unwrap_or(0) };
        let greatest = || {
            let items = group.counts.iter().rev();
            items.flat_map(move |(item, &count)| std::iter::repeat_n(&item.cell, times(count).min(k))).take(k)
        };
        out.push(1);
        put_len(out, greatest().count() as u64);
        greatest().for_each(|cell| out.extend_from_slice(cell));
    }

    fn state_types(&self) -> Vec<SqlType> {
        counted_types(&self.item)
    }

    fn save(&self, group: &Items, out: &mut Vec<u8>) {
        write_counted(group.counts.iter().map(|(item, &count)| (&*item.cell, count)), out);
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<Items> {
        let mut items = Items::default();
        take_counted(&self.item, cells, |cell, count| items.add(self.item(cell), count))?;
        Some(items)
    }

    fn heap(&self, group: &Items) -> usize {
        group.cell_bytes + group.counts.len() * ENTRY_BYTES
    }
}
