//! Where results go: stdout, and the spool file beside it.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use clap::ValueEnum;

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Tables for people
    Tabular,
    /// One JSON object a row
    Json,
}

/// What cells do that are wider than their column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrap {
    /// Go on in the next line.
    On,
    /// End in `...`.
    Off,
}

/// The writer of results, with what belongs to their look. Errors go to stderr, not here.
pub struct Output {
    writer: BufWriter<Box<dyn Write>>,
    spool: Option<BufWriter<File>>,
    pub format: OutputFormat,
    pub wrap: Wrap,
    /// Width of a column in characters; 0: what fits.
    pub column_width: usize,
    /// Width of the terminal; `None`: not a terminal, lines may be of any length.
    width: Option<usize>,
    abandoned: bool,
}

const BUFFER_BYTES: usize = 64 << 10;

impl Output {
    pub fn stdout(format: OutputFormat) -> Self {
        let terminal = io::stdout().is_terminal();
        Output::new(Box::new(io::stdout()), format, terminal)
    }

    fn new(writer: Box<dyn Write>, format: OutputFormat, terminal: bool) -> Self {
        Output {
            writer: BufWriter::with_capacity(BUFFER_BYTES, writer),
            spool: None,
            format,
            wrap: Wrap::On,
            column_width: 0,
            width: terminal.then_some(super::table::WIDTH_DEFAULT),
            abandoned: false,
        }
    }

    /// An output into memory, as if it were a terminal of this width.
    #[cfg(test)]
    pub fn into_memory(format: OutputFormat, width: Option<usize>) -> (Self, Memory) {
        let memory = Memory::default();
        let mut out = Output::new(Box::new(memory.clone()), format, false);
        out.width = width;
        (out, memory)
    }

    /// Whether the reader of the output has gone away.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    fn note(&mut self, result: io::Result<()>) -> io::Result<()> {
        self.abandoned |= matches!(&result, Err(error) if error.kind() == io::ErrorKind::BrokenPipe);
        result
    }

    /// Whether what is written is seen at once.
    pub fn is_terminal(&self) -> bool {
        self.width.is_some()
    }

    /// The width that tables must fit; asked anew, since windows change their size.
    pub fn width(&self) -> Option<usize> {
        self.width.map(|width| comfy_table::Table::new().width().map_or(width, usize::from))
    }

    /// Writes a line and its end.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        self.write_all(line.as_bytes())?;
        self.write_all(b"\n")
    }

    /// From now on everything goes to this file, too.
    pub fn spool_to(&mut self, path: &Path) -> io::Result<()> {
        self.spool_off()?;
        self.spool = Some(BufWriter::new(File::create(path)?));
        Ok(())
    }

    /// Tells whether there was a spool file.
    pub fn spool_off(&mut self) -> io::Result<bool> {
        match self.spool.take() {
            None => Ok(false),
            Some(mut spool) => spool.flush().map(|()| true),
        }
    }

    /// Goes to the spool file only: statements as they were typed.
    pub fn spool_only(&mut self, line: &str) -> io::Result<()> {
        match &mut self.spool {
            None => Ok(()),
            Some(spool) => writeln!(spool, "{line}"),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(spool) = &mut self.spool {
            spool.write_all(bytes)?;
        }
        let result = self.writer.write_all(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(spool) = &mut self.spool {
            spool.flush()?;
        }
        let result = self.writer.flush();
        self.note(result)
    }
}

/// What an output into memory has got.
#[cfg(test)]
#[derive(Clone, Default)]
pub struct Memory(std::sync::Arc<parking_lot::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Memory {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

#[cfg(test)]
impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
