//! The order in which the rows of two sides are taken.

use crate::dataflow::Batch;

/// The counted rows of both sides (`rows`: their numbers in the side's batch) in the order of their places: the side, and which of
/// its counted rows. Where there are no places, the right rows come first.
pub(super) fn in_order(sides: [Option<&Batch>; 2], rows: [&[u32]; 2]) -> Vec<(usize, usize)> {
    let place = |side: usize, at: usize| -> Option<u64> {
        let order = sides[side]?.order.as_ref()?;
        Some(order[rows[side][at] as usize])
    };
    let (mut left, mut right) = (0, 0);
    let mut all = Vec::with_capacity(rows[0].len() + rows[1].len());
    while left < rows[0].len() && right < rows[1].len() {
        if place(0, left).zip(place(1, right)).is_some_and(|(left, right)| left <= right) {
            all.push((0, left));
            left += 1;
        } else {
            all.push((1, right));
            right += 1;
        }
    }
    all.extend((left..rows[0].len()).map(|at| (0, at)));
    all.extend((right..rows[1].len()).map(|at| (1, at)));
    all
}
