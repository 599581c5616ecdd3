//! With caching: of each key only the last result goes on.

use super::*;
use crate::dataflow::join::table_tests::caching::{CACHES, Downstream};

#[test]
fn the_last_results_are_those_of_a_run_without_caching() {
    let settings = settings().filter(|setting| setting.given_rows_max == 3);
    let fewer = settings.enumerate().filter(|(seed, setting)| cached(*setting, CACHES[seed % 3], *seed as u64)).count();
    assert!(fewer >= 8, "{fewer}");
}

/// Tells whether fewer changes were given than without caching.
fn cached(setting: Setting, cache_bytes_max: usize, seed: u64) -> bool {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut events = random_events(&mut random, &setting.left, 1500);
    events.iter_mut().filter(|event| event.side == 1).for_each(|event| event.key = event.key.map(|key| key % 4));
    let right_case = case(KeyShape::Number);
    let (mut send, mut join) = (setting.send(), setting.join());
    let (mut each, mut cached) = (setting.results(), setting.results());
    let (mut of_each, mut of_cached) = (Downstream::default(), Downstream::default());
    let mut context = Context::default();
    let mut caching = Context { cache_bytes_max, ..Context::default() };
    let (mut rows, mut log, mut out) = (BTreeMap::new(), Records::default(), Vec::new());
    for event in &events {
        let (mut left, mut right) = (Vec::new(), None);
        if event.side == 0 {
            let batch = left_batch(&setting, &[event], &mut rows, false);
            send.push(batch, &mut left, &mut context).unwrap();
        } else {
            right = Some(right_case.batch(&[event], false));
        }
        for batch in meet(&mut join, left.pop(), right, &mut context) {
            each.push(batch.clone(), &mut out, &mut context).unwrap();
            of_each.take(&mut out);
            cached.push(batch, &mut out, &mut caching).unwrap();
            of_cached.take(&mut out);
        }
        if random.u8(0..40) == 0 {
            cached.flush(&mut out, &mut caching).unwrap();
            of_cached.take(&mut out);
            of_cached.is_that_of(&of_each);
            cached.changes(&mut log).unwrap();
            assert_eq!(cached.pending_bytes(), 0);
            if random.u8(0..3) == 0 {
                cached = setting.results();
                restore_from(&mut cached, &log, &Trial::default(), &mut random);
            }
        }
    }
    of_cached.is_less_than(&of_each)
}
