//! The compressions a record batch can have, in the framings that Kafka's clients read.

use std::io::{Read, Write};

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// The framing of snappy-java: magic, version and lowest compatible version, then blocks with their length.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER: usize = 16;
const XERIAL_BLOCK: usize = 32 * 1024;

impl Compression {
    /// By the low three bits of a batch's attributes.
    pub fn from_code(code: i16) -> Option<Compression> {
        Some(match code {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Snappy,
            3 => Compression::Lz4,
            4 => Compression::Zstd,
            _ => return None,
        })
    }

    pub fn code(self) -> i16 {
        match self {
            Compression::None => 0,
            Compression::Gzip => 1,
            Compression::Snappy => 2,
            Compression::Lz4 => 3,
            Compression::Zstd => 4,
        }
    }

    /// Appends the compressed form of `input` to `out`. `level` goes to the codecs that have levels.
    pub(super) fn compress(self, level: Option<i32>, input: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
        match self {
            Compression::None => out.extend_from_slice(input),
            Compression::Gzip => {
                let level = level.map_or(flate2::Compression::default(), |l| flate2::Compression::new(l.max(0) as u32));
                let mut encoder = flate2::write::GzEncoder::new(out, level);
                encoder.write_all(input)?;
                encoder.finish()?;
            }
            Compression::Snappy => compress_xerial(input, out)?,
            Compression::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(out);
                encoder.write_all(input)?;
                encoder.finish().map_err(std::io::Error::other)?;
            }
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(out, level.unwrap_or(3))?;
                encoder.write_all(input)?;
                encoder.finish()?;
            }
        }
        Ok(())
    }

    /// Appends the plain form of `input` to `out`, at most `limit` bytes of it; more is an error.
    pub(super) fn decompress(self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), &'static str> {
        const BAD: &str = "compressed records that can't be decompressed";
        let before = out.len();
        let limit_plus = limit as u64 + 1;
        match self {
            Compression::None => out.extend_from_slice(input),
            Compression::Gzip => {
                flate2::read::MultiGzDecoder::new(input).take(limit_plus).read_to_end(out).map_err(|_| BAD)?;
            }
            Compression::Snappy => decompress_snappy(input, out, limit).ok_or(BAD)?,
            Compression::Lz4 => {
                lz4_flex::frame::FrameDecoder::new(input).take(limit_plus).read_to_end(out).map_err(|_| BAD)?;
            }
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(|_| BAD)?;
                decoder.take(limit_plus).read_to_end(out).map_err(|_| BAD)?;
            }
        }
        match out.len() - before > limit {
            true => Err("compressed records that are too large"),
            false => Ok(()),
        }
    }
}

fn compress_xerial(input: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
    out.extend_from_slice(&XERIAL_MAGIC);
    out.extend_from_slice(&1_i32.to_be_bytes());
    out.extend_from_slice(&1_i32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in input.chunks(XERIAL_BLOCK) {
        let start = out.len();
        out.resize(start + 4 + snap::raw::max_compress_len(block.len()), 0);
        let len = encoder.compress(block, &mut out[start + 4..]).map_err(std::io::Error::other)?;
        out[start..start + 4].copy_from_slice(&(len as i32).to_be_bytes());
        out.truncate(start + 4 + len);
    }
    Ok(())
}

/// Snappy-java's blocks, or one bare block as some clients send it.
fn decompress_snappy(input: &[u8], out: &mut Vec<u8>, limit: usize) -> Option<()> {
    if !input.starts_with(&XERIAL_MAGIC) {
        return decompress_block(input, out, limit);
    }
    let end = out.len() + limit;
    let mut rest = input.get(XERIAL_HEADER..)?;
    while !rest.is_empty() {
        let (len, after) = rest.split_first_chunk::<4>()?;
        let (block, after) = after.split_at_checked(usize::try_from(i32::from_be_bytes(*len)).ok()?)?;
        decompress_block(block, out, end.checked_sub(out.len())?)?;
        rest = after;
    }
    Some(())
}

fn decompress_block(block: &[u8], out: &mut Vec<u8>, limit: usize) -> Option<()> {
    let len = snap::raw::decompress_len(block).ok()?;
    if len > limit {
        return None;
    }
    let start = out.len();
    out.resize(start + len, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut out[start..]).ok()?;
    out.truncate(start + written);
    Some(())
}
