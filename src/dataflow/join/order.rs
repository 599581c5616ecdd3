//! The order in which the rows of two sides are taken.

use crate::dataflow::Batch;

/// The counted rows of both sides (`rows`: their numbers in the side's batch) in the order of their places: the side, and which of
/// its counted rows. Where there are no places, the right rows come first.
pub(super) fn in_order<'a>(sides: [Option<&'a Batch>; 2], rows: [&'a [u32]; 2]) -> InOrder<'a> {
    let orders = sides.map(|side| side.and_then(|batch| batch.order.as_deref()).unwrap_or_default());
    let placed = orders.iter().all(|order| !order.is_empty());
    let mut order = InOrder { orders, placed, rows, at: [0, 0], heads: [0, 0] };
    order.heads = [order.head(0), order.head(1)];
    order
}

/// See [`in_order`].
///
/// What is known of a side is only ever asked for by a constant: so it stays in registers, and the next step needn't wait for
/// this one's stores.
pub(super) struct InOrder<'a> {
    orders: [&'a [u64]; 2],
    /// Both sides have places.
    placed: bool,
    rows: [&'a [u32]; 2],
    at: [usize; 2],
    /// Places of the next rows; behind the last row the greatest number.
    heads: [u64; 2],
}

impl InOrder<'_> {
    #[inline(always)]
    fn head(&self, side: usize) -> u64 {
        let (rows, orders, at) = (self.rows[side], self.orders[side], self.at[side]);
        if at >= rows.len() {
            return u64::MAX;
        }
        match self.placed {
            // All rows count: each is at its own place of the list.
            true if rows.len() == orders.len() => orders[at],
            true => orders[rows[at] as usize],
            false => 1 - side as u64,
        }
    }
}

impl Iterator for InOrder<'_> {
    type Item = (usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<(usize, usize)> {
        let right = self.heads[0] > self.heads[1];
        let at = if right { self.at[1] } else { self.at[0] };
        if !right && at == self.rows[0].len() {
            return None;
        }
        self.at[0] += usize::from(!right);
        self.at[1] += usize::from(right);
        self.heads[0] = self.head(0);
        self.heads[1] = self.head(1);
        Some((usize::from(right), at))
    }
}
