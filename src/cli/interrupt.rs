//! Ctrl-C and SIGTERM: while somebody watches, they end what runs; else they end the process, as the third of them does
//! when what runs doesn't end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Once, Weak};

use parking_lot::Mutex;

use crate::log::Signal;

static LISTENER: Once = Once::new();
static CAUGHT: AtomicUsize = AtomicUsize::new(0);
static WATCHES: AtomicUsize = AtomicUsize::new(0);
static SIGNALS: Mutex<Vec<Weak<Signal>>> = Mutex::new(Vec::new());

/// So many of them end the process, whoever watches: what is not committed then never was.
const SIGNALS_MAX: usize = 3;
/// As a shell reports SIGTERM.
#[cfg(unix)]
const EXIT_TERMINATED: i32 = 143;

/// As long as one is there, Ctrl-C and SIGTERM don't end the process but set a flag.
pub struct Watch(());

impl Watch {
    pub fn new() -> Self {
        LISTENER.call_once(listen);
        if WATCHES.fetch_add(1, Ordering::SeqCst) == 0 {
            CAUGHT.store(0, Ordering::SeqCst);
        }
        Watch(())
    }

    /// Also rings this signal.
    pub fn ringing(signal: &Arc<Signal>) -> Self {
        SIGNALS.lock().push(Arc::downgrade(signal));
        Watch::new()
    }

    /// Whether one of them came since the first of the present watches was made.
    pub fn caught(&self) -> bool {
        CAUGHT.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHES.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Returns when the signals are listened to. Were that a moment later, the line editor could have its own handler there
/// meanwhile, and would put back the one that it found: the default, by which Ctrl-C ends the process.
fn listen() {
    let (ready, is_ready) = channel();
    // Without the listener the signals keep their default: they end the process, which loses nothing committed.
    let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(handle(ready));
        }
    });
    // An error: there is no listener.
    let _ = is_ready.recv();
}

#[cfg(unix)]
async fn handle(ready: Sender<()>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    let _ = ready.send(());
    loop {
        tokio::select! {
            _ = interrupt.recv() => catch(super::exit::Exit::Interrupted as i32),
            _ = terminate.recv() => catch(EXIT_TERMINATED),
        }
    }
}

#[cfg(not(unix))]
async fn handle(ready: Sender<()>) {
    let _ = ready.send(());
    while tokio::signal::ctrl_c().await.is_ok() {
        catch(super::exit::Exit::Interrupted as i32);
    }
}

fn catch(exit: i32) {
    let caught = CAUGHT.fetch_add(1, Ordering::SeqCst) + 1;
    if WATCHES.load(Ordering::SeqCst) == 0 || caught >= SIGNALS_MAX {
        std::process::exit(exit);
    }
    SIGNALS.lock().retain(|signal| match signal.upgrade() {
        Some(signal) => {
            signal.ring();
            true
        }
        None => false,
    });
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// The signals whose handlers the process has set, as bits from 1 on.
    fn caught_signals() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    }

    #[test]
    fn who_watches_is_listened_for_at_once() {
        let _watch = Watch::new();
        let (interrupt, terminate) = (1 << (2 - 1), 1 << (15 - 1));
        assert_eq!(caught_signals() & (interrupt | terminate), interrupt | terminate);
    }
}
