//! How wide the columns of a table are.

/// Columns are not made narrower than this, even if lines become too long for the terminal.
const COLUMN_WIDTH_MIN: usize = 6;
/// A column of narrow values is made wider for its name, up to this.
const NAME_WIDTH_MAX: usize = 20;
/// Of a stream that doesn't go to a terminal.
pub(super) const COLUMN_WIDTH_DEFAULT: usize = 20;
/// A space on either side and a border.
pub(super) const COLUMN_EXTRA: usize = 3;

/// Widths of columns: those that are wanted if there is room for them, the others share what is left.
pub(super) fn shared(names: &[usize], wanted: &[Option<usize>], width: Option<usize>) -> Vec<usize> {
    let count = names.len().max(1);
    let wanted = |i: usize| wanted.get(i).copied().flatten().map(|wanted| wanted.max(names[i].min(NAME_WIDTH_MAX)));
    let Some(width) = width else {
        return (0..names.len()).map(|i| wanted(i).unwrap_or(COLUMN_WIDTH_DEFAULT).max(names[i])).collect();
    };
    let room = width.saturating_sub(1 + COLUMN_EXTRA * count);
    let mut rest = room / count;
    loop {
        // Who wants no more than an even share gets it; what they leave is shared by the others.
        let modest = |i: usize| wanted(i).filter(|&wanted| wanted <= rest);
        let taken: usize = (0..names.len()).filter_map(modest).sum();
        let others = (0..names.len()).filter(|&i| modest(i).is_none()).count();
        let share = room.saturating_sub(taken) / others.max(1);
        if others == 0 || share <= rest {
            return (0..names.len()).map(|i| modest(i).unwrap_or(rest.max(COLUMN_WIDTH_MIN))).collect();
        }
        rest = share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_columns_leave_room_to_the_others() {
        // 100 wide: 1 + 3 * 4 for borders, 87 left; 23 is more than a quarter of it, but not more than
        // what is left when the narrow ones have theirs.
        assert_eq!(shared(&[2, 8, 4, 2], &[Some(10), Some(5), None, Some(23)], Some(100)), [10, 8, 46, 23]);
        assert_eq!(shared(&[1, 1], &[None, None], Some(47)), [20, 20]);
        assert_eq!(shared(&[1, 1], &[Some(50), Some(2)], Some(47)), [38, 2]);
        assert_eq!(shared(&[1; 20], &[None; 20], Some(47)), [COLUMN_WIDTH_MIN; 20]);
        assert_eq!(shared(&[3], &[None], None), [COLUMN_WIDTH_DEFAULT]);
        assert_eq!(shared(&[], &[], Some(80)), Vec::<usize>::new());
    }
}
