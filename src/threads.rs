//! Work side by side on threads of its own: for what takes long (recovery), so that it never stands in the way of the
//! rounds of running queries, which share one pool.

use parking_lot::Mutex;

use crate::error::Result;

/// Does `work` for each item, as many at a time as there are cores. After an error no further item is begun; gives the
/// first.
pub(crate) fn side_by_side<T: Send>(items: Vec<T>, work: &(dyn Fn(T) -> Result<()> + Sync)) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = cores.min(items.len());
    let waiting = Mutex::new(items.into_iter());
    let outcome = Mutex::new(Ok(()));
    let worker = || {
        loop {
            // Let go of before the work begins.
            let item = waiting.lock().next();
            let Some(item) = item.filter(|_| outcome.lock().is_ok()) else { return };
            if let Err(error) = work(item) {
                let mut outcome = outcome.lock();
                if outcome.is_ok() {
                    *outcome = Err(error);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Where no thread can be had, fewer do it.
            let _ = std::thread::Builder::new().name("recovery".to_string()).spawn_scoped(scope, worker);
        }
        worker();
    });
    outcome.into_inner()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::Error;

    #[test]
    fn every_item_is_done_once() {
        let mut items = vec![0_u32; 100];
        side_by_side(items.iter_mut().collect(), &|item| {
            *item += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(items, vec![1; 100]);
        side_by_side(Vec::<u32>::new(), &|_| Err(Error::internal("nothing to do"))).unwrap();
    }

    #[test]
    fn an_error_ends_it() {
        let done = AtomicUsize::new(0);
        let failed = side_by_side((0..10_000).collect(), &|item: usize| {
            if item == 3 {
                return Err(Error::world("three"));
            }
            done.fetch_add(1, Ordering::Relaxed);
            std::thread::yield_now();
            Ok(())
        });
        assert_eq!(failed.unwrap_err().what, "three");
        assert!(done.load(Ordering::Relaxed) < 9_999);
    }
}
