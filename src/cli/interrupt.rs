//! Ctrl-C and SIGTERM: while somebody watches, they end what runs; else they end the process, as the third of them does
//! when what runs doesn't end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
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
        prepare();
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

/// Makes Ctrl-C and SIGTERM known to [`Watch`], which does so by itself. Whoever changes handlers meanwhile and puts back
/// what was there before, as a line editor does, must do so after this.
pub fn prepare() {
    LISTENER.call_once(listen);
}

/// Comes back when the handlers are in place: a line editor that began before would put back the default afterwards, for good.
fn listen() {
    let (ready, in_place) = std::sync::mpsc::sync_channel::<()>(1);
    // Without the listener the signals keep their default: they end the process, which loses nothing committed.
    let spawned = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(handle(ready));
        }
    });
    if spawned.is_ok() {
        // Where the thread could not do it, it has dropped its end.
        let _ = in_place.recv();
    }
}

#[cfg(unix)]
async fn handle(ready: SyncSender<()>) {
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

#[cfg(windows)]
async fn handle(ready: SyncSender<()>) {
    let Ok(mut interrupt) = tokio::signal::windows::ctrl_c() else { return };
    let _ = ready.send(());
    while interrupt.recv().await.is_some() {
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const CHILD: &str = "MILLPOND_TEST_INTERRUPT_CHILD";

    /// Whether this process handles a signal now (`man 5 proc`: bit n-1 of SigCgt).
    fn is_handled(signal: u32) -> Option<bool> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        Some(u64::from_str_radix(mask.trim(), 16).ok()? & (1 << (signal - 1)) != 0)
    }

    /// Each time in a process of its own, where nobody listens yet.
    #[test]
    fn the_handlers_are_in_place_before_anything_else() {
        const SIGINT: u32 = 2;
        const SIGTERM: u32 = 15;
        if std::env::var_os(CHILD).is_some() {
            assert_eq!(is_handled(SIGINT), Some(false), "somebody listened before");
            prepare();
            assert_eq!((is_handled(SIGINT), is_handled(SIGTERM)), (Some(true), Some(true)));
            return;
        }
        let name = "cli::interrupt::tests::the_handlers_are_in_place_before_anything_else";
        for _ in 0..10 {
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", name])
                .env(CHILD, "1")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout);
            assert!(child.status.success() && said.contains("1 passed"), "{said}");
        }
    }
}
