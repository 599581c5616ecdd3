//! Where lines come from: a file or stdin, unpacked by its name's ending, read ahead on a thread of its own.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::error::Error;

const CHUNK_BYTES: usize = 256 << 10;
const CHUNKS_AHEAD_MAX: usize = 8;

/// Chunks of unpacked bytes as they come.
pub struct Input {
    pub chunks: Receiver<io::Result<Vec<u8>>>,
    pub meter: Meter,
}

/// How far a file is read.
#[derive(Debug, Clone)]
pub struct Meter {
    read: Arc<AtomicU64>,
    /// Of a file: its length.
    pub bytes: Option<u64>,
}

impl Meter {
    /// Bytes read so far, as they lie on disk.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

impl Input {
    /// Opens a file; nothing or `-` is stdin.
    pub fn open(file: Option<&Path>) -> Result<Input, Error> {
        let read = Arc::new(AtomicU64::new(0));
        let Some(path) = file.filter(|path| *path != Path::new("-")) else {
            return spawn(Box::new(io::stdin()), Meter { read, bytes: None });
        };
        let cannot = |error: io::Error| Error::world(format!("can't read {}: {error}", path.display()));
        let opened = File::open(path).map_err(cannot)?;
        let metadata = opened.metadata().map_err(cannot)?;
        if metadata.is_dir() {
            return Err(Error::world(format!("can't read {}: it is a folder", path.display())));
        }
        let metered = Metered { inner: opened, read: Arc::clone(&read) };
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("").to_ascii_lowercase();
        let reader: Box<dyn Read + Send> = match ending.as_str() {
            "gz" => Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::with_capacity(CHUNK_BYTES, metered))),
            "zst" => Box::new(zstd::Decoder::new(metered).map_err(cannot)?),
            _ => Box::new(metered),
        };
        let bytes = metadata.is_file().then_some(metadata.len());
        spawn(reader, Meter { read, bytes })
    }
}

fn spawn(reader: Box<dyn Read + Send>, meter: Meter) -> Result<Input, Error> {
    let (sender, chunks) = sync_channel(CHUNKS_AHEAD_MAX);
    std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || read_all(reader, &sender))
        .map_err(|error| Error::world(format!("can't start a thread: {error}")))?;
    Ok(Input { chunks, meter })
}

/// Ends with the input, with its first error, or when nobody listens any more.
fn read_all(mut reader: Box<dyn Read + Send>, sender: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        match reader.read(&mut chunk) {
            Ok(0) => return,
            Ok(len) => {
                chunk.truncate(len);
                if sender.send(Ok(chunk)).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let _ = sender.send(Err(error));
                return;
            }
        }
    }
}

struct Metered {
    inner: File,
    read: Arc<AtomicU64>,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.read.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}
