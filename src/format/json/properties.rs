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
    /// A comma, and its text up to the colon as it stood in a document.
    text: Box<[u8]>,
    target: Target,
    /// The beginning with the comma, and without it.
    behind_comma: Head,
    first: Head,
}

/// The first 16 bytes of a text, and which of them count.
#[derive(Debug)]
struct Head {
    bytes: [u64; 2],
    mask: [u64; 2],
}

impl Head {
    fn new(text: &[u8]) -> Self {
        let mut bytes = [0; 16];
        let count = text.len().min(16);
        bytes[..count].copy_from_slice(&text[..count]);
        let mask = std::array::from_fn(|i| if i < count { 0xff } else { 0 });
        Head { bytes: words(bytes), mask: words(mask) }
    }

    /// Takes `text`, of which this is the head, when it stands at the place.
    #[inline(always)]
    fn take(&self, text: &[u8], scan: &mut Scan) -> bool {
        let same = match scan.chunk::<16>() {
            Some(chunk) => {
                let [low, high] = words(chunk);
                let [low, high] = [(low & self.mask[0]) ^ self.bytes[0], (high & self.mask[1]) ^ self.bytes[1]];
                low | high == 0 && (text.len() <= 16 || scan.rest().get(16..text.len()) == Some(&text[16..]))
            }
            None => scan.rest().starts_with(text),
        };
        if same {
            scan.pos += text.len();
        }
        same
    }
}

#[inline(always)]
fn words(bytes: [u8; 16]) -> [u64; 2] {
    let number = u128::from_le_bytes(bytes);
    [number as u64, (number >> 64) as u64]
}

impl Property {
    fn new(text: &[u8], target: Target) -> Self {
        let text: Box<[u8]> = [b",", text].concat().into();
        let (behind_comma, first) = (Head::new(&text), Head::new(&text[1..]));
        Property { text, target, behind_comma, first }
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

    /// Behind a value: takes a comma, the name that is expected next, and its colon, if just these follow.
    #[inline(always)]
    pub fn take_next(&mut self, scan: &mut Scan) -> Option<Target> {
        let property = &self.known[*self.order.get(self.next)? as usize];
        if !property.behind_comma.take(&property.text, scan) {
            return None;
        }
        self.next += 1;
        Some(property.target)
    }

    /// Takes a property's name and colon; the place is then right behind the colon. `None`: a name with escapes, which
    /// is for the slow reader.
    #[inline(always)]
    pub fn take(&mut self, scan: &mut Scan) -> Step<Option<Target>> {
        if let Some(guess) = self.order.get(self.next) {
            let property = &self.known[*guess as usize];
            if property.first.take(&property.text[1..], scan) {
                self.next += 1;
                return Ok(Some(property.target));
            }
        }
        scan.away(|scan| self.look_up(scan))
    }

    #[inline(never)]
    fn look_up(&mut self, scan: &mut Scan) -> Step<Option<Target>> {
        for ahead in self.next + 1..(self.next + 1 + AHEAD).min(self.order.len()) {
            let property = &self.known[self.order[ahead] as usize];
            if property.first.take(&property.text[1..], scan) {
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
