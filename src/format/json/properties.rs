//! Which column a property of an object belongs to, guessed from the objects before.
//!
//! Producers write the properties of their objects in the same order again and again. So the text of each property
//! (`"name":`) is kept in the order last seen, and the next object's bytes are compared with the next text. Only what
//! is not as before is read as a string and looked up.

use hashbrown::HashMap;

use super::scan::{Expected, Scan, Step};

/// Where a property goes: the index of a column, or nowhere.
pub(super) type Target = Option<usize>;

/// Properties that are remembered, so that documents with ever new names don't take all memory.
const REMEMBERED_MAX: usize = 1024;

/// Guesses behind the expected one that are tried: properties that are sometimes left out.
const AHEAD: usize = 4;

#[derive(Debug)]
struct Property {
    /// Its text up to the colon, as it stood in a document.
    text: Box<[u8]>,
    /// The first 16 bytes of the text, and which of them count.
    head: u128,
    mask: u128,
    target: Target,
}

impl Property {
    fn new(text: &[u8], target: Target) -> Self {
        let mut head = [0; 16];
        let count = text.len().min(16);
        head[..count].copy_from_slice(&text[..count]);
        let mask = if count == 16 { u128::MAX } else { (1 << (8 * count)) - 1 };
        Property { text: text.into(), head: u128::from_le_bytes(head), mask, target }
    }

    /// Takes the text when it stands at the place.
    #[inline(always)]
    fn take(&self, scan: &mut Scan) -> bool {
        let len = self.text.len();
        let same = match scan.chunk16() {
            Some(chunk) => {
                u128::from_le_bytes(chunk) & self.mask == self.head
                    && (len <= 16 || scan.rest().get(16..len) == Some(&self.text[16..]))
            }
            None => scan.rest().starts_with(&self.text),
        };
        // A text that ends beyond the record's end is not in it: a value at least has to follow.
        let same = same && scan.has_beyond(len);
        scan.pos += if same { len } else { 0 };
        same
    }
}

#[derive(Debug)]
pub(super) struct Properties {
    /// Names of the columns, by index.
    names: Vec<String>,
    known: Vec<Property>,
    by_text: HashMap<Box<[u8]>, u32, foldhash::fast::RandomState>,
    /// Indexes into `known`, in the order last seen.
    order: Vec<u32>,
    /// The next guess of the object at hand.
    next: usize,
}

impl Properties {
    pub fn new(names: Vec<String>) -> Self {
        Properties { names, known: Vec::new(), by_text: HashMap::default(), order: Vec::new(), next: 0 }
    }

    pub fn start(&mut self) {
        self.next = 0;
    }

    /// Takes a property's name and colon; the place is then right behind the colon. `None`: a name with escapes, which
    /// is for the slow reader.
    #[inline(always)]
    pub fn take(&mut self, scan: &mut Scan) -> Step<Option<Target>> {
        if let Some(guess) = self.order.get(self.next) {
            let property = &self.known[*guess as usize];
            if property.take(scan) {
                self.next += 1;
                return Ok(Some(property.target));
            }
        }
        self.look_up(scan)
    }

    #[inline(never)]
    fn look_up(&mut self, scan: &mut Scan) -> Step<Option<Target>> {
        for ahead in self.next + 1..(self.next + 1 + AHEAD).min(self.order.len()) {
            let property = &self.known[self.order[ahead] as usize];
            if property.take(scan) {
                self.next = ahead + 1;
                return Ok(Some(property.target));
            }
        }
        let start = scan.pos;
        let name = scan.string()?;
        scan.blanks();
        scan.expect(b':', "`:`")?;
        if name.escaped {
            return Ok(None);
        }
        let Ok(name) = std::str::from_utf8(name.raw) else { return Err(Expected("UTF-8")) };
        let target = target_of(&self.names, name);
        let text = scan.slice(start);
        let index = match self.by_text.get(text) {
            Some(index) => *index,
            None if self.known.len() >= REMEMBERED_MAX => return Ok(Some(target)),
            None => {
                let index = self.known.len() as u32;
                self.known.push(Property::new(text, target));
                self.by_text.insert(text.into(), index);
                index
            }
        };
        self.remember(index);
        Ok(Some(target))
    }

    /// Puts a property in the place of the guess that was wrong.
    fn remember(&mut self, index: u32) {
        if let Some(guess) = self.order.get_mut(self.next) {
            *guess = index;
        } else if self.order.len() < REMEMBERED_MAX {
            self.order.push(index);
        }
        self.next += 1;
    }
}

/// The column of a property's name: the one with exactly that name, else the one whose name is the property's in upper
/// case.
pub(super) fn target_of(names: &[String], name: &str) -> Target {
    let exact = names.iter().position(|column| column == name);
    exact.or_else(|| {
        let upper = name.to_uppercase();
        names.iter().position(|column| *column == upper)
    })
}
