//! A broker that, asked to, answers as one that shuts down does shortly before its end: with its topics, and without any
//! broker, itself included. It speaks only of itself, in the oldest words of Kafka's protocol that librdkafka understands.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Kafka's numbers.
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
/// The versions of each that it speaks, lowest and highest.
const SPOKEN: [(i16, i16, i16); 2] = [(METADATA, 4, 4), (API_VERSIONS, 0, 0)];
const UNSUPPORTED_VERSION: i16 = 35;
const LEADER_NOT_AVAILABLE: i16 = 5;
/// As many as keep a client busy for some time after it has read that there are no brokers.
const TOPICS: usize = 5000;

pub(super) struct FadingBroker {
    state: Arc<State>,
}

struct State {
    address: SocketAddr,
    fades: AtomicBool,
    stopped: AtomicBool,
    /// Answers without brokers.
    faded: AtomicUsize,
}

impl FadingBroker {
    pub(super) fn start() -> FadingBroker {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = Arc::new(State {
            address: listener.local_addr().unwrap(),
            fades: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            faded: AtomicUsize::new(0),
        });
        let told = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if told.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&told);
                std::thread::spawn(move || while state.answer_one(&stream).is_some() {});
            }
        });
        FadingBroker { state }
    }

    pub(super) fn bootstrap(&self) -> String {
        self.state.address.to_string()
    }

    /// From now on it lists no broker, or does so again.
    pub(super) fn set_fading(&self, fades: bool) {
        self.state.fades.store(fades, Ordering::SeqCst);
    }

    /// Answers without brokers so far.
    pub(super) fn faded(&self) -> usize {
        self.state.faded.load(Ordering::SeqCst)
    }
}

impl Drop for FadingBroker {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // Wakes who waits for the next connection.
        drop(TcpStream::connect(self.state.address));
    }
}

impl State {
    /// None: the client is gone.
    fn answer_one(&self, mut stream: &TcpStream) -> Option<()> {
        let mut size = [0; 4];
        stream.read_exact(&mut size).ok()?;
        let mut request = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut request).ok()?;
        let number = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
        let (key, version, correlation) = (number(0), number(2), &request[4..8]);
        let mut answer = Answer(correlation.to_vec());
        match key {
            API_VERSIONS => answer.versions(version),
            METADATA => self.metadata(&mut answer),
            // What isn't spoken isn't asked for.
            _ => return None,
        }
        stream.write_all(&(answer.0.len() as u32).to_be_bytes()).ok()?;
        stream.write_all(&answer.0).ok()
    }

    fn metadata(&self, answer: &mut Answer) {
        let fades = self.fades.load(Ordering::SeqCst);
        let node = 1;
        answer.i32(0);
        answer.array(usize::from(!fades));
        if !fades {
            answer.i32(node);
            answer.text("127.0.0.1");
            answer.i32(i32::from(self.address.port()));
            answer.no_text();
        }
        answer.text("cluster");
        answer.i32(if fades { -1 } else { node });
        answer.array(TOPICS);
        for topic in 0..TOPICS {
            answer.i16(0);
            // librdkafka takes no more room for an answer than it would need for names that aren't short.
            answer.text(&format!("a-topic-that-has-a-name-of-some-length-{topic}"));
            answer.0.push(0);
            answer.array(1);
            answer.i16(if fades { LEADER_NOT_AVAILABLE } else { 0 });
            answer.i32(0);
            answer.i32(if fades { -1 } else { node });
            for _replicas_and_in_sync in 0..2 {
                answer.array(1);
                answer.i32(node);
            }
        }
        if fades {
            self.faded.fetch_add(1, Ordering::SeqCst);
        }
    }
}

struct Answer(Vec<u8>);

impl Answer {
    fn i16(&mut self, number: i16) {
        self.0.extend(number.to_be_bytes());
    }

    fn i32(&mut self, number: i32) {
        self.0.extend(number.to_be_bytes());
    }

    fn array(&mut self, items: usize) {
        self.i32(items as i32);
    }

    fn text(&mut self, text: &str) {
        self.i16(text.len() as i16);
        self.0.extend(text.as_bytes());
    }

    fn no_text(&mut self) {
        self.i16(-1);
    }

    fn versions(&mut self, asked: i16) {
        self.i16(if asked == 0 { 0 } else { UNSUPPORTED_VERSION });
        self.array(SPOKEN.len());
        for (key, lowest, highest) in SPOKEN {
            self.i16(key);
            self.i16(lowest);
            self.i16(highest);
        }
    }
}
