//! Snapshot files as frames, each with its length and checksum: a torn or damaged one is refused, never half read.
//!
//! A frame is: length u32, CRC-32C u32 of the bytes, the bytes; numbers little-endian. The stream ends with an empty
//! frame, so that a file cut off between two frames is seen, too.

use std::io::Read;

use crate::error::{Error, Result};

/// A longer frame is damage, not data.
const FRAME_BYTES_MAX: u32 = 1 << 30;

/// Appends one frame. An empty one is the end mark.
pub fn frame_into(bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let len = u32::try_from(bytes.len()).ok().filter(|&len| len <= FRAME_BYTES_MAX);
    let len = len.ok_or_else(|| Error::internal("a snapshot frame grew beyond 1 GiB"))?;
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(bytes).to_le_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// Reads frames.
pub struct FrameReader<'a> {
    input: &'a mut dyn Read,
    buffer: Vec<u8>,
}

impl<'a> FrameReader<'a> {
    pub fn new(input: &'a mut dyn Read) -> Self {
        FrameReader { input, buffer: Vec::new() }
    }

    /// The next frame; `None` at the end mark.
    pub fn frame(&mut self) -> Result<Option<&[u8]>> {
        let mut head = [0; 8];
        self.input.read_exact(&mut head).map_err(|e| damaged(&e.to_string()))?;
        let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let crc = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if len > FRAME_BYTES_MAX {
            return Err(damaged("a frame has an impossible length"));
        }
        // Read in steps: a damaged length must not make us reserve a gigabyte.
        self.buffer.clear();
        let taken =
            self.input.take(u64::from(len)).read_to_end(&mut self.buffer).map_err(|e| damaged(&e.to_string()))?;
        if taken != len as usize {
            return Err(damaged("it is cut off"));
        }
        if crc32c::crc32c(&self.buffer) != crc {
            return Err(damaged("a checksum is wrong"));
        }
        Ok((len > 0).then_some(&self.buffer))
    }
}

/// The error for a snapshot that can't be used.
fn damaged(why: &str) -> Error {
    Error::world(format!("the snapshot is damaged: {why}")).hint("delete it: the state is rebuilt from the changelog")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_damage_is_seen() {
        let mut file = Vec::new();
        for frame in [&b"abc"[..], b"defgh", b""] {
            frame_into(frame, &mut file).unwrap();
        }
        let read = |bytes: &[u8]| -> Result<Vec<Vec<u8>>> {
            let mut input = bytes;
            let mut reader = FrameReader::new(&mut input);
            let mut frames = Vec::new();
            while let Some(frame) = reader.frame()? {
                frames.push(frame.to_vec());
            }
            Ok(frames)
        };
        assert_eq!(read(&file).unwrap(), [b"abc".to_vec(), b"defgh".to_vec()]);
        for end in 0..file.len() {
            assert!(read(&file[..end]).is_err(), "cut at {end}");
        }
        for bit in 0..file.len() * 8 {
            let mut bad = file.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bad).is_err(), "bit {bit}");
        }
    }
}
