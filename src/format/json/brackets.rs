//! The arrays and objects that are open at a place of a JSON text, as bits.

use super::NESTING_MAX;

/// Which of the open brackets are those of objects.
#[derive(Default)]
pub(super) struct Open {
    objects: [u64; NESTING_MAX / 64],
    /// How many are open.
    pub count: usize,
}

impl Open {
    #[inline]
    pub fn push(&mut self, object: bool) {
        let bit = 1 << (self.count % 64);
        let word = &mut self.objects[self.count / 64];
        *word = if object { *word | bit } else { *word & !bit };
        self.count += 1;
    }

    /// What closes the innermost one.
    #[inline]
    pub fn close(&self) -> u8 {
        let innermost = self.count.wrapping_sub(1) % NESTING_MAX;
        if self.objects[innermost / 64] >> (innermost % 64) & 1 == 1 { b'}' } else { b']' }
    }
}
