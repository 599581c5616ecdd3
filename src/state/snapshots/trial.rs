//! For the tests of state: snapshots as the engine takes them, a piece at a commit, while rows come.

use super::{Mark, Pieces};

/// A snapshot: the place in the changelog from which it holds, and its pieces.
type Taken = (usize, Vec<Vec<u8>>);

#[derive(Default)]
pub(crate) struct Trial {
    /// The newest whole one.
    taken: Option<Taken>,
    taking: Option<(Taken, Mark)>,
}

impl Trial {
    /// Takes a piece of the state, which is that of so many records of its changelog.
    pub fn after_commit(&mut self, state: &dyn Pieces, records: usize, random: &mut fastrand::Rng) {
        let fresh = || ((records, Vec::new()), Mark::START);
        let ((from, mut pieces), mark) = self.taking.take().unwrap_or_else(fresh);
        let mut piece = Vec::new();
        let next = state.piece(mark, 1 << random.u8(0..12), &mut piece).unwrap();
        pieces.push(piece);
        match next {
            Some(mark) => self.taking = Some(((from, pieces), mark)),
            None => self.taken = Some((from, pieces)),
        }
    }

    /// Loads the newest whole one, if there is one, into a new state; gives the place in the changelog from which to go on.
    pub fn load(&self, state: &mut dyn Pieces) -> usize {
        let Some((from, pieces)) = &self.taken else { return 0 };
        pieces.iter().for_each(|piece| state.load(piece).unwrap());
        *from
    }

    /// The state is made anew: what was being taken is lost.
    pub fn restart(&mut self) {
        self.taking = None;
    }
}

/// All pieces of a snapshot.
pub(crate) fn pieces(state: &dyn Pieces, bytes_max: usize) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut next = Some(Mark::START);
    while let Some(mark) = next {
        let mut piece = Vec::new();
        next = state.piece(mark, bytes_max, &mut piece).unwrap();
        pieces.push(piece);
    }
    pieces
}
