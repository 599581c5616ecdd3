//! The order in which the rows of two sides are taken.

use crate::dataflow::Batch;

/// The counted rows of both sides (`rows`: their numbers in the side's batch) in the order of their places: the side, and which of
/// its counted rows. Where there are no places, the right rows come first.
pub(super) fn in_order<'a>(sides: [Option<&'a Batch>; 2], rows: [&'a [u32]; 2]) -> InOrder<'a> {
    let orders = sides.map(|side| side.and_then(|batch| batch.order.as_deref()).unwrap_or_default());
    let placed = orders.iter().all(|order| !order.is_empty());
    let mut order = InOrder { orders, placed, rows, at: [0, 0], heads: [0, 0] };
    order.heads = [0, 1].map(|side| order.head(side));
    order
}

/// See [`in_order`].
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
        match self.rows[side].get(self.at[side]) {
            None => u64::MAX,
            Some(row) if self.placed => self.orders[side][*row as usize],
            Some(_) => 1 - side as u64,
        }
    }
}

impl Iterator for InOrder<'_> {
    type Item = (usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<(usize, usize)> {
        let side = usize::from(self.heads[0] > self.heads[1]);
        let at = self.at[side];
        if at == self.rows[side].len() {
            return None;
        }
        self.at[side] += 1;
        self.heads[side] = self.head(side);
        Some((side, at))
    }
}
