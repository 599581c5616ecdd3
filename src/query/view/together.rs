//! Work that is done for many at once: who asks while it is under way shares the next turn with all others that do.

use std::collections::BTreeMap;

use parking_lot::{Condvar, Mutex};

/// Turns of work, one at a time. A turn begins after all who get its result have asked, so that it shows them what was there when
/// they did.
pub(super) struct Together<W, T> {
    turns: Mutex<Turns<W, T>>,
    over: Condvar,
}

struct Turns<W, T> {
    /// So many have begun.
    begun: u64,
    /// The last of them is under way.
    running: bool,
    /// What those want who wait for the next, and how many they are.
    next: (W, usize),
    /// By turn: what came of it, and how many have yet to take it.
    results: BTreeMap<u64, (T, usize)>,
}

impl<W: Default, T> Default for Together<W, T> {
    fn default() -> Self {
        let turns = Turns { begun: 0, running: false, next: (W::default(), 0), results: BTreeMap::new() };
        Together { turns: Mutex::new(turns), over: Condvar::new() }
    }
}

impl<W: Default, T: Clone> Together<W, T> {
    /// What a turn of `work` gives that begins after this was called. `want` adds what is wanted of it to what others want.
    pub fn ask(&self, want: impl Fn(&mut W), work: impl FnOnce(W) -> T) -> T {
        let mut turns = self.turns.lock();
        let mut own = turns.join(&want);
        loop {
            if let Some(result) = turns.take(own) {
                return result;
            }
            if turns.running {
                self.over.wait(&mut turns);
            } else if turns.begun >= own {
                // Who had that turn died of it.
                own = turns.join(&want);
            } else {
                break;
            }
        }
        turns.begun += 1;
        turns.running = true;
        let (wanted, waiting) = std::mem::take(&mut turns.next);
        drop(turns);
        let ending = Ending(self);
        let result = work(wanted);
        let mut turns = self.turns.lock();
        if waiting > 1 {
            turns.results.insert(own, (result.clone(), waiting - 1));
        }
        drop(turns);
        drop(ending);
        result
    }
}

impl<W, T: Clone> Turns<W, T> {
    /// The number of the next turn.
    fn join(&mut self, want: &impl Fn(&mut W)) -> u64 {
        want(&mut self.next.0);
        self.next.1 += 1;
        self.begun + 1
    }

    fn take(&mut self, turn: u64) -> Option<T> {
        let (result, left) = self.results.get_mut(&turn)?;
        let result = result.clone();
        *left -= 1;
        if *left == 0 {
            self.results.remove(&turn);
        }
        Some(result)
    }
}

/// Ends a turn, also one whose work panics.
struct Ending<'a, W, T>(&'a Together<W, T>);

impl<W, T> Drop for Ending<'_, W, T> {
    fn drop(&mut self) {
        self.0.turns.lock().running = false;
        self.0.over.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;

    /// Each gets what was there when it asked, or what came since; and fewer turns are made than are asked for.
    #[test]
    fn a_turn_begins_after_all_who_share_it_have_asked() {
        let (together, there, turns) =
            (Together::<BTreeSet<u64>, (u64, BTreeSet<u64>)>::default(), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (together, there, turns) = (&together, &there, &turns);
                scope.spawn(move || {
                    for _ in 0..500 {
                        let least = there.fetch_add(1, Ordering::SeqCst) + 1;
                        let work = |wanted: BTreeSet<u64>| {
                            turns.fetch_add(1, Ordering::SeqCst);
                            let seen = there.load(Ordering::SeqCst);
                            std::thread::yield_now();
                            (seen, wanted)
                        };
                        let (seen, wanted) = together.ask(
                            |wanted| {
                                wanted.insert(thread);
                            },
                            work,
                        );
                        assert!(seen >= least && wanted.contains(&thread), "{seen} {least} {wanted:?}");
                    }
                });
            }
        });
        let turns = turns.into_inner();
        assert!((500..=4000).contains(&turns), "{turns}");
        assert!(together.turns.lock().results.is_empty());
    }

    #[test]
    fn those_who_wait_go_on_when_one_panics() {
        let (together, waits) = (Together::<Vec<u8>, u8>::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let dying = scope.spawn(|| {
                let work = |_| {
                    while together.turns.lock().next.1 == 0 {
                        std::thread::yield_now();
                    }
                    waits.store(true, Ordering::SeqCst);
                    panic!("on purpose");
                };
                together.ask(|wanted| wanted.push(1), work)
            });
            while !together.turns.lock().running {
                std::thread::yield_now();
            }
            let answer = together.ask(|wanted| wanted.push(2), |wanted| wanted[0]);
            assert!(waits.load(Ordering::SeqCst) && dying.join().is_err());
            assert_eq!(answer, 2);
        });
    }
}
