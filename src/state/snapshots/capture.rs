//! A snapshot being taken: pieces go to a file of another name, until all are there and on disk.

use std::io;
use std::sync::Arc;

use super::recovery::Span;
use super::{Identity, Mark, Pieces, file};
use crate::error::{Error, Result};
use crate::state::framing::frame_into;
use crate::storage::{Storage, folder_of};
use crate::time::wall_time_ms;

/// Behind the name of a file that isn't finished.
pub(super) const UNFINISHED: &str = ".new";

/// Bytes of one piece, about.
const PIECE_BYTES: usize = 1 << 20;

/// How far a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Pieces are missing.
    Going,
    /// All pieces are written, and the end.
    Complete,
}

/// A snapshot being taken. Dropped before it is published, it never was.
pub struct Capture {
    storage: Arc<dyn Storage>,
    path: String,
    from: i64,
    next: Option<Mark>,
    written: u64,
    pieces: u64,
    published: bool,
}

impl Capture {
    pub(super) fn begin(
        storage: Arc<dyn Storage>,
        path: String,
        disk_free_min_bytes: u64,
        of: &Identity,
        has: Span,
    ) -> Result<Capture> {
        let mut capture =
            Capture { storage, path, from: has.end, next: Some(Mark::START), written: 0, pieces: 0, published: false };
        capture.storage.create(&capture.unfinished()).map_err(|error| capture.failed(&error))?;
        let free = capture.storage.free_space().map_err(|error| capture.failed(&error))?;
        if free.is_some_and(|free| free < disk_free_min_bytes) {
            return Err(capture.failed(&io::ErrorKind::StorageFull.into()));
        }
        let head = file::head(of, has.first, has.end, wall_time_ms());
        capture.write(|out| frame_into(&head, out))?;
        Ok(capture)
    }

    /// The offset from which the partition is to be applied to it.
    pub fn from(&self) -> i64 {
        self.from
    }

    /// Writes pieces of about `bytes_max` bytes (at least one) of the state, which is now the fold of its partition up to
    /// `end`.
    pub fn advance(&mut self, state: &dyn Pieces, bytes_max: usize, end: i64) -> Result<Progress> {
        let limit = self.written + bytes_max as u64;
        let mut piece = Vec::new();
        while let Some(mark) = self.next {
            piece.clear();
            piece.push(file::PIECE);
            self.next = state.piece(mark, PIECE_BYTES.min(bytes_max), &mut piece)?;
            self.pieces += 1;
            self.write(|out| frame_into(&piece, out))?;
            if self.next.is_some() && self.written >= limit {
                return Ok(Progress::Going);
            }
        }
        let tail = file::tail(end, self.pieces);
        self.write(|out| frame_into(&tail, out).and_then(|()| frame_into(&[], out)))?;
        Ok(Progress::Complete)
    }

    /// Makes a complete one take the place of the one before, for good; gives its size in bytes. What it holds must be
    /// on disk in the log already.
    pub fn publish(mut self) -> Result<u64> {
        let (unfinished, storage) = (self.unfinished(), &*self.storage);
        let folder = folder_of(&self.path);
        let published = storage
            .sync(&unfinished)
            .and_then(|()| storage.rename(&unfinished, &self.path))
            .and_then(|()| storage.sync_folder(folder))
            .and_then(|()| storage.sync_folder(""));
        published.map_err(|error| self.failed(&error))?;
        self.published = true;
        Ok(self.written)
    }

    fn unfinished(&self) -> String {
        format!("{}{UNFINISHED}", self.path)
    }

    fn write(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        let mut bytes = Vec::new();
        fill(&mut bytes)?;
        let written = self.storage.write_at(&self.unfinished(), self.written, &bytes);
        written.map_err(|error| self.failed(&error))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::world(format!("the snapshot {} could not be written: {error}", self.path))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if !self.published {
            // It is in nobody's way: the next one, or the next start, writes or removes it.
            let _ = self.storage.remove(&self.unfinished());
        }
    }
}
