//! The bytes of a snapshot file; see `snapshots` for the format.

use std::io;

use super::{Identity, Pieces};
use crate::error::Result;
use crate::log::TopicPartition;
use crate::state::codec::{put_bytes, take_array, take_bytes};
use crate::state::framing::FrameReader;
use crate::storage::Storage;

const MAGIC: [u8; 4] = *b"MPsn";
const VERSION: u8 = 2;

const HEAD: u8 = 1;
pub(super) const PIECE: u8 = 2;
const TAIL: u8 = 3;

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub of: Identity,
    /// The topic's first offset when it was begun.
    pub first: i64,
    pub from: i64,
    pub upto: i64,
    /// Wall time when it was begun, ms.
    pub begun_ms: i64,
}

/// What is at a file's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Missing,
    Damaged,
    Newer(u8),
    /// All its checksums are right.
    Whole {
        header: Header,
        bytes: u64,
    },
}

/// The first frame's bytes.
pub(super) fn head(of: &Identity, first: i64, from: i64, begun_ms: i64) -> Vec<u8> {
    let mut frame = vec![HEAD];
    frame.extend_from_slice(&MAGIC);
    frame.push(VERSION);
    for text in [&of.layout, &of.owner, &of.place.topic, &of.topic_id, &of.history] {
        put_bytes(&mut frame, text.as_bytes());
    }
    frame.extend_from_slice(&of.place.partition.to_le_bytes());
    frame.extend_from_slice(&first.to_le_bytes());
    frame.extend_from_slice(&from.to_le_bytes());
    frame.extend_from_slice(&begun_ms.to_le_bytes());
    frame
}

/// The last frame's bytes.
pub(super) fn tail(upto: i64, pieces: u64) -> Vec<u8> {
    let mut frame = vec![TAIL];
    frame.extend_from_slice(&upto.to_le_bytes());
    frame.extend_from_slice(&pieces.to_le_bytes());
    frame
}

enum Head {
    Newer(u8),
    Known { of: Identity, first: i64, from: i64, begun_ms: i64 },
}

fn parse_head(mut frame: &[u8]) -> Option<Head> {
    let frame = &mut frame;
    if take_array(frame)? != [HEAD] || take_array(frame)? != MAGIC {
        return None;
    }
    match take_array(frame)? {
        [VERSION] => {}
        [version] if version > VERSION => return Some(Head::Newer(version)),
        _ => return None,
    }
    let mut text = || String::from_utf8(take_bytes(frame)?.to_vec()).ok();
    let (layout, owner, topic, topic_id, history) = (text()?, text()?, text()?, text()?, text()?);
    let partition = u32::from_le_bytes(take_array(frame)?);
    let of = Identity { layout, owner, place: TopicPartition { topic, partition }, topic_id, history };
    let mut number = || Some(i64::from_le_bytes(take_array(frame)?));
    let (first, from, begun_ms) = (number()?, number()?, number()?);
    frame.is_empty().then_some(Head::Known { of, first, from, begun_ms })
}

fn parse_tail(mut frame: &[u8]) -> Option<(i64, u64)> {
    let frame = &mut frame;
    if take_array(frame)? != [TAIL] {
        return None;
    }
    let (upto, pieces) = (i64::from_le_bytes(take_array(frame)?), u64::from_le_bytes(take_array(frame)?));
    frame.is_empty().then_some((upto, pieces))
}

/// A snapshot file in its storage.
pub(super) struct File<'a> {
    pub storage: &'a dyn Storage,
    pub path: &'a str,
}

impl File<'_> {
    /// Reads all of it and checks every checksum.
    pub fn inspect(&self) -> Content {
        match self.storage.len(self.path) {
            Ok(_) => self.read().unwrap_or(Content::Damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Content::Missing,
            Err(_) => Content::Damaged,
        }
    }

    /// None: it isn't whole.
    fn read(&self) -> Option<Content> {
        let mut input = Input { file: self, position: 0 };
        let mut frames = FrameReader::new(&mut input);
        let (of, first, from, begun_ms) = match parse_head(frames.frame().ok()??)? {
            Head::Newer(version) => return Some(Content::Newer(version)),
            Head::Known { of, first, from, begun_ms } => (of, first, from, begun_ms),
        };
        let mut pieces = 0;
        let (upto, counted) = loop {
            match frames.frame().ok()?? {
                [PIECE, ..] => pieces += 1,
                last => break parse_tail(last)?,
            }
        };
        let ends = frames.frame().ok()?.is_none() && counted == pieces;
        let bytes = input.position;
        let whole = ends && self.storage.len(self.path).ok()? == bytes;
        whole.then_some(Content::Whole { header: Header { of, first, from, upto, begun_ms }, bytes })
    }

    /// Takes the pieces of a whole file in. After each `go_on` says whether to.
    pub fn load(&self, state: &mut dyn Pieces, go_on: &dyn Fn() -> Result<()>) -> Result<Fit> {
        let mut input = Input { file: self, position: 0 };
        let mut frames = FrameReader::new(&mut input);
        while let Some(frame) = frames.frame()? {
            if let [PIECE, piece @ ..] = frame
                && state.load(piece).is_none()
            {
                return Ok(Fit::Not);
            }
            go_on()?;
        }
        Ok(Fit::Whole)
    }
}

/// Whether the pieces of a file were pieces of the state.
pub(super) enum Fit {
    Whole,
    Not,
}

/// The bytes of a file, one after another.
struct Input<'a> {
    file: &'a File<'a>,
    position: u64,
}

impl io::Read for Input<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.storage.read_at(self.file.path, self.position, into)?;
        self.position += read as u64;
        Ok(read)
    }
}
