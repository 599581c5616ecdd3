//! Bytes appended to a vector in pieces of a fixed size: a copy of 32 bytes is two instructions, one of a length that only
//! the data knows is a call.

/// Bytes copied at once.
pub(crate) const PIECE: usize = 32;

/// As many bytes are made room for at a time.
const ROOM_BYTES: usize = 16 << 10;

/// Appends to a vector, whose bytes behind the end are scratch until it is dropped: then the vector ends where it should, unless
/// what is written stops and goes on later ([`Appender::at`], [`Appender::stop`]).
pub(crate) struct Appender<'a> {
    data: &'a mut Vec<u8>,
    end: usize,
}

impl<'a> Appender<'a> {
    /// Appends behind what is there.
    pub fn new(data: &'a mut Vec<u8>) -> Appender<'a> {
        let end = data.len();
        Appender { data, end }
    }

    /// Goes on behind the first `end` bytes; the others are scratch.
    #[inline(always)]
    pub fn at(data: &'a mut Vec<u8>, end: usize) -> Appender<'a> {
        debug_assert!(end <= data.len(), "what counts was written");
        Appender { data, end }
    }

    /// Leaves the scratch where it is, so that it needn't be made again; gives the end.
    #[inline(always)]
    pub fn stop(self) -> usize {
        let end = self.end;
        std::mem::forget(self);
        end
    }

    /// Moves the bytes from `from` on, which then begin at `to`; those between are the caller's to write.
    pub fn shift(&mut self, from: usize, to: usize) {
        self.room(to.saturating_sub(from));
        self.data.copy_within(from..self.end, to);
        self.end = self.end - from + to;
    }

    /// The bytes from `from` on, those behind the end included.
    #[inline(always)]
    pub fn from(&mut self, from: usize) -> &mut [u8] {
        &mut self.data[from..]
    }

    /// Bytes that are there, those before included.
    pub fn len(&self) -> usize {
        self.end
    }

    /// Takes back what is behind the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(len);
    }

    /// Room for so many bytes and a piece behind them, to be written to before [`Appender::advance`].
    #[inline(always)]
    pub fn room(&mut self, bytes: usize) -> &mut [u8] {
        if self.data.len() - self.end < bytes + PIECE {
            self.grow(bytes + PIECE);
        }
        &mut self.data[self.end..]
    }

    /// So many bytes of the room count from now on.
    #[inline(always)]
    pub fn advance(&mut self, bytes: usize) {
        self.end += bytes;
        debug_assert!(self.end <= self.data.len(), "what counts was written");
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, bytes: usize) {
        self.data.resize(self.end + bytes + ROOM_BYTES, 0);
    }

    #[inline(always)]
    pub fn byte(&mut self, byte: u8) {
        self.room(1)[0] = byte;
        self.end += 1;
    }

    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// The first `len` bytes of the pieces, which have as many.
    #[inline(always)]
    pub fn pieces(&mut self, pieces: &[[u8; PIECE]], len: usize) {
        let room = self.room(len);
        for (to, piece) in room.chunks_exact_mut(PIECE).zip(pieces) {
            to.copy_from_slice(piece);
        }
        self.end += len;
    }

    /// The bytes of `all` from `start` on, `len` of them. Those behind them are looked at, too.
    #[inline(always)]
    pub fn part(&mut self, all: &[u8], start: usize, len: usize) {
        copy_part(all, start, len, self.room(len));
        self.end += len;
    }
}

/// Copies the bytes of `all` from `start` on, `len` of them, to the beginning of `room`, which has as many and a piece behind
/// them. Those behind them are looked at, too.
#[inline(always)]
pub(crate) fn copy_part(all: &[u8], start: usize, len: usize, room: &mut [u8]) {
    let mut at = 0;
    while at < len {
        let (Some(from), Some(to)) = (chunk(all, start + at), room[at..].first_chunk_mut::<PIECE>()) else {
            room[at..len].copy_from_slice(&all[start + at..start + len]);
            return;
        };
        *to = *from;
        at += PIECE;
    }
}

impl Appender<'_> {
    /// The vector with the scratch behind what counts.
    pub fn all(&mut self) -> &mut Vec<u8> {
        self.data
    }

    /// Does with the vector what else is to be done; what is there then stays.
    pub fn with_vec<T>(&mut self, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.data.truncate(self.end);
        let result = work(self.data);
        self.end = self.data.len();
        result
    }
}

/// The piece that begins there; None near the end.
#[inline(always)]
pub(crate) fn chunk(bytes: &[u8], at: usize) -> Option<&[u8; PIECE]> {
    bytes.get(at..)?.first_chunk::<PIECE>()
}

impl Drop for Appender<'_> {
    fn drop(&mut self) {
        self.data.truncate(self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a vector that is appended to plainly.
    #[test]
    fn what_is_appended_is_there() {
        let mut random = fastrand::Rng::with_seed(5);
        let all: Vec<u8> = (0..50_000).map(|_| random.u8(..)).collect();
        let (mut data, mut model) = (b"before".to_vec(), b"before".to_vec());
        for _ in 0..50 {
            let mut out = Appender::new(&mut data);
            for _ in 0..random.usize(0..40) {
                let most = if random.u8(0..20) == 0 { 20_000 } else { 100 };
                let len = random.usize(0..most);
                let start = random.usize(0..=all.len() - len);
                let start = if random.bool() { all.len() - len } else { start };
                let bytes = &all[start..start + len];
                match random.u8(0..5) {
                    0 => bytes.iter().for_each(|byte| out.byte(*byte)),
                    1 => out.bytes(bytes),
                    2 => out.part(&all, start, len),
                    3 => {
                        let mut pieces = vec![[0xff; PIECE]; len.div_ceil(PIECE)];
                        pieces.as_flattened_mut()[..len].copy_from_slice(bytes);
                        out.pieces(&pieces, len);
                    }
                    _ => {
                        let len = random.usize(model.len() / 2..=model.len());
                        out.truncate(len);
                        model.truncate(len);
                        assert_eq!(out.len(), len);
                        continue;
                    }
                }
                model.extend_from_slice(bytes);
            }
            drop(out);
            assert_eq!(data, model);
        }
    }
}
