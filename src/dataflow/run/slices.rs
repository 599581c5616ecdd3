//! How many records a round pushes: so many that what becomes of them stays within bounds. Pure.

/// The records that a round pushes at most of each partition: as many as a fetch gives, unless they become much more than
/// they are (EXPLODE, or COLLECT_LIST without caching, which gives the whole list again for each row).
#[derive(Debug)]
pub(super) struct Slices {
    rows: usize,
    rows_max: usize,
    /// What a round may make of its records, all partitions together.
    made_bytes_max: usize,
}

/// A round that nothing is known of yet.
const ROWS_FIRST: usize = 32;
/// From round to round at most so many times as many records.
const GROWTH_MAX: usize = 4;

impl Slices {
    /// `staged_bytes_max`: beyond it the query commits; a round makes a part of that.
    pub fn new(staged_bytes_max: usize, rows_max: usize) -> Slices {
        let rows_max = rows_max.max(1);
        Slices { rows: ROWS_FIRST.min(rows_max), rows_max, made_bytes_max: (staged_bytes_max / 4).max(1) }
    }

    /// Another bound of what may wait for a commit.
    pub fn bound(&mut self, staged_bytes_max: usize) {
        self.made_bytes_max = (staged_bytes_max / 4).max(1);
    }

    /// Records of each partition.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that one of so many partitions may make.
    pub fn made_bytes_max(&self, partitions: usize) -> usize {
        self.made_bytes_max / partitions.max(1)
    }

    /// After a round of `rows` records, which `partitions` partitions gave and which became `made_bytes`.
    pub fn observe(&mut self, rows: usize, partitions: usize, made_bytes: usize) {
        if rows == 0 {
            return;
        }
        let fitting =
            rows as u128 * self.made_bytes_max as u128 / made_bytes.max(1) as u128 / partitions.max(1) as u128;
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        self.rows = fitting.clamp(1, (self.rows.saturating_mul(GROWTH_MAX)).min(self.rows_max));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_become_little_are_soon_pushed_whole() {
        let mut slices = Slices::new(32 << 20, usize::MAX);
        for _ in 0..8 {
            slices.observe(slices.rows(), 1, slices.rows() * 60);
        }
        assert!(slices.rows() >= 100_000, "{}", slices.rows());
    }

    #[test]
    fn rows_that_become_much_are_pushed_few_at_a_time() {
        let mut slices = Slices::new(4000, usize::MAX);
        slices.observe(32, 1, 32_000);
        assert_eq!(slices.rows(), 1);
        // 100 bytes a record: ten of them are a quarter of 4000; two partitions share it.
        slices.observe(1, 1, 100);
        slices.observe(4, 1, 400);
        assert_eq!(slices.rows(), 10);
        slices.observe(20, 2, 2000);
        assert_eq!(slices.rows(), 5);
        // A single record may be more than the bound: it goes alone.
        slices.observe(1, 1, 1_000_000);
        assert_eq!(slices.rows(), 1);
        assert_eq!(slices.made_bytes_max(4), 250);
    }

    #[test]
    fn no_more_than_the_greatest_number() {
        let mut slices = Slices::new(32 << 20, 1000);
        for _ in 0..8 {
            slices.observe(1, 1, 0);
        }
        assert_eq!(slices.rows(), 1000);
    }
}
