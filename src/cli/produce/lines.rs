//! Chunks to lines, with line numbers and a bound on their length.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use crate::error::Error;

/// How long a reader that has nothing sleeps before it looks at Ctrl-C.
const WAIT: Duration = Duration::from_millis(50);

/// What came of asking for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// [`LineReader::record`] has it.
    Record,
    /// The line is longer than the bound; it is passed over.
    TooLong,
    /// Nothing yet: [`LineReader::wait`], then [`LineReader::resume`].
    Idle,
    End,
}

/// Cuts chunks at `\n`. A record is a line, or several of them where the caller asks for more.
pub struct LineReader {
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// A chunk that `wait` got.
    waiting: Option<io::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    /// The record, without its last line break.
    start: usize,
    end: usize,
    /// Where the line after the record begins, and what number it has.
    next: usize,
    next_line: u64,
    /// Where the second line of the record begins.
    second: usize,
    /// Number of the record's first line.
    line: u64,
    /// Bytes before this are known to have no line break.
    scanned: usize,
    task: Task,
    ended: bool,
    bytes_max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Record,
    /// The rest of a line that is too long.
    Skip,
}

impl LineReader {
    pub fn new(chunks: Receiver<io::Result<Vec<u8>>>, bytes_max: usize) -> Self {
        LineReader {
            chunks,
            waiting: None,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            next: 0,
            next_line: 1,
            second: 0,
            line: 1,
            scanned: 0,
            task: Task::Record,
            ended: false,
            bytes_max,
        }
    }

    /// The bytes of the record, without the last line break.
    pub fn record(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The number of the record's first line, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Goes to the next record.
    pub fn advance(&mut self) -> Result<Next, Error> {
        self.start = self.next;
        self.end = self.next;
        self.scanned = self.next;
        self.second = self.next;
        self.line = self.next_line;
        self.task = Task::Record;
        self.resume()
    }

    /// Makes the record longer by a line. `End`: there is none; the record stays as it is.
    pub fn extend(&mut self) -> Result<Next, Error> {
        self.scanned = self.next;
        self.resume()
    }

    /// Ends the record after its first line: what follows is read as if the record had been one line.
    pub fn reject(&mut self) {
        self.next = self.second;
        self.next_line = self.line + 1;
        self.task = Task::Record;
    }

    /// Goes on with what `Idle` interrupted.
    pub fn resume(&mut self) -> Result<Next, Error> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) {
                return Ok(self.line_break(self.scanned + at, 1));
            }
            self.scanned = self.buffer.len();
            if self.task == Task::Skip {
                self.buffer.truncate(self.start);
                self.scanned = self.start;
            } else if self.scanned - self.start > self.bytes_max {
                if self.second > self.start {
                    return Ok(Next::TooLong);
                }
                self.task = Task::Skip;
                continue;
            }
            if self.ended {
                return Ok(self.last());
            }
            if let Some(next) = self.fill()? {
                return Ok(next);
            }
        }
    }

    /// A line ends at `end`, with a line break of so many bytes.
    fn line_break(&mut self, end: usize, len: usize) -> Next {
        self.end = end;
        self.next = end + len;
        self.next_line += 1;
        if self.second == self.start {
            self.second = self.next;
        }
        match self.task {
            Task::Record if end - self.start <= self.bytes_max => Next::Record,
            _ => Next::TooLong,
        }
    }

    /// At the end of the input: the last line may have no line break.
    fn last(&mut self) -> Next {
        let from = self.next.max(self.start);
        match self.task {
            Task::Skip => {
                self.next = self.buffer.len();
                self.task = Task::Record;
                Next::TooLong
            }
            Task::Record if self.buffer.len() > from => self.line_break(self.buffer.len(), 0),
            Task::Record => Next::End,
        }
    }

    /// Gets a chunk if one is there. `Some(Idle)`: none yet.
    fn fill(&mut self) -> Result<Option<Next>, Error> {
        let chunk = match self.waiting.take() {
            Some(chunk) => chunk,
            None => match self.chunks.try_recv() {
                Ok(chunk) => chunk,
                Err(TryRecvError::Empty) => return Ok(Some(Next::Idle)),
                Err(TryRecvError::Disconnected) => {
                    self.ended = true;
                    return Ok(None);
                }
            },
        };
        let chunk = chunk.map_err(|error| Error::world(format!("can't read the input: {error}")))?;
        self.drop_consumed();
        self.buffer.extend_from_slice(&chunk);
        Ok(None)
    }

    fn drop_consumed(&mut self) {
        let gone = self.start;
        self.buffer.drain(..gone);
        for at in [&mut self.start, &mut self.end, &mut self.next, &mut self.second, &mut self.scanned] {
            *at -= gone;
        }
    }

    /// Sleeps until something comes, but not for long.
    pub fn wait(&mut self) {
        if self.waiting.is_none() && !self.ended {
            match self.chunks.recv_timeout(WAIT) {
                Ok(chunk) => self.waiting = Some(chunk),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.ended = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All records of a text that comes in chunks of `size`: (line, text), too long ones without text.
    fn lines(text: &str, size: usize, bytes_max: usize) -> Vec<(u64, Option<String>)> {
        let (sender, chunks) = std::sync::mpsc::sync_channel(10_000);
        for chunk in text.as_bytes().chunks(size) {
            sender.send(Ok(chunk.to_vec())).unwrap();
        }
        drop(sender);
        let mut reader = LineReader::new(chunks, bytes_max);
        let mut found = Vec::new();
        loop {
            match reader.advance().unwrap() {
                Next::Record => {
                    found.push((reader.line(), Some(String::from_utf8(reader.record().to_vec()).unwrap())));
                }
                Next::TooLong => found.push((reader.line(), None)),
                Next::Idle => unreachable!("all is there"),
                Next::End => return found,
            }
        }
    }

    #[test]
    fn cuts_at_line_breaks_wherever_chunks_end() {
        let text = "one\ntwo\r\n\nlonger line here\nlast";
        let expected: Vec<_> = text.split('\n').enumerate().map(|(i, t)| (i as u64 + 1, Some(t.to_owned()))).collect();
        for size in 1..=text.len() {
            assert_eq!(lines(text, size, 100), expected, "chunks of {size}");
        }
        assert_eq!(lines("", 1, 10), []);
        assert_eq!(lines("a\n", 1, 10), [(1, Some("a".to_owned()))]);
    }

    #[test]
    fn passes_over_long_lines() {
        let text = format!("ok\n{}\nfine\n{}", "x".repeat(50), "y".repeat(11));
        for size in 1..=text.len() {
            let found = lines(&text, size, 10);
            assert_eq!(
                found,
                [(1, Some("ok".into())), (2, None), (3, Some("fine".into())), (4, None)],
                "chunks of {size}"
            );
        }
    }

    #[test]
    fn goes_on_when_more_comes() {
        let (sender, chunks) = std::sync::mpsc::sync_channel(10);
        let send = |text: &str| sender.send(Ok(text.as_bytes().to_vec())).unwrap();
        let mut reader = LineReader::new(chunks, 6);
        assert_eq!(reader.advance().unwrap(), Next::Idle);
        send("a");
        assert_eq!(reader.resume().unwrap(), Next::Idle);
        send("b\n\"c");
        reader.wait();
        assert_eq!((reader.resume().unwrap(), reader.record()), (Next::Record, b"ab".as_slice()));
        assert_eq!(reader.advance().unwrap(), Next::Idle);
        send("\nd");
        assert_eq!((reader.resume().unwrap(), reader.record()), (Next::Record, b"\"c".as_slice()));
        assert_eq!(reader.extend().unwrap(), Next::Idle);
        send("\"\n1234567");
        assert_eq!((reader.resume().unwrap(), reader.record()), (Next::Record, b"\"c\nd\"".as_slice()));
        assert_eq!(reader.line(), 2);
        assert_eq!(reader.advance().unwrap(), Next::Idle);
        send("too long");
        assert_eq!(reader.resume().unwrap(), Next::Idle);
        send("\nz\n");
        assert_eq!((reader.resume().unwrap(), reader.line()), (Next::TooLong, 4));
        assert_eq!((reader.advance().unwrap(), reader.record()), (Next::Record, b"z".as_slice()));
        drop(sender);
        assert_eq!(reader.advance().unwrap(), Next::End);
    }

    #[test]
    fn a_rejected_record_gives_its_lines_back() {
        let (sender, chunks) = std::sync::mpsc::sync_channel(10);
        sender.send(Ok(b"a\nb\nc".to_vec())).unwrap();
        drop(sender);
        let mut reader = LineReader::new(chunks, 100);
        assert_eq!(reader.advance().unwrap(), Next::Record);
        assert_eq!(reader.extend().unwrap(), Next::Record);
        assert_eq!(reader.record(), b"a\nb");
        assert_eq!(reader.extend().unwrap(), Next::Record);
        assert_eq!(reader.extend().unwrap(), Next::End);
        assert_eq!(reader.record(), b"a\nb\nc");
        reader.reject();
        assert_eq!(reader.advance().unwrap(), Next::Record);
        assert_eq!((reader.record(), reader.line()), (b"b".as_slice(), 2));
    }
}
