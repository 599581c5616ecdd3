//! The nearest name to a misspelt one, for hints.

/// The candidate nearest to `word`, ignoring case, when it is near enough to be what was meant; never `word` itself.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer words are no slips of the finger, and the work is the product of the lengths.
    const CHARS_MAX: usize = 64;
    let chars: Vec<char> = word.chars().flat_map(char::to_uppercase).collect();
    if chars.len() > CHARS_MAX {
        return None;
    }
    // Any other letter is one slip away from a single one: only its other case is near.
    let allowed = |candidate: &str| match chars.len() {
        ..2 => 0,
        length => (length.max(candidate.chars().count()) / 3).clamp(1, 3),
    };
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word && candidate.chars().count() <= CHARS_MAX)
        .map(|candidate| {
            (distance(&chars, &candidate.chars().flat_map(char::to_uppercase).collect::<Vec<_>>()), candidate)
        })
        .filter(|(distance, candidate)| *distance <= allowed(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let mut best = (above[j + 1] + 1).min(row[j] + 1).min(above[j] + usize::from(l != r));
            if i > 0 && j > 0 && *l == right[j - 1] && left[i - 1] == *r {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let words = ["SELECT", "FROM", "WHERE", "STREAM"];
        assert_eq!(nearest("selct", words), Some("SELECT"));
        assert_eq!(nearest("FORM", words), Some("FROM"));
        assert_eq!(nearest("TILTE", ["PEOPLE", "TITLES"]), Some("TITLES"));
        assert_eq!(nearest("STREEM", words), Some("STREAM"));
        assert_eq!(nearest("banana", words), None);
        assert_eq!(nearest("WHERE", words), None);
        assert_eq!(nearest("flights", ["FLIGHTS", "flight"]), Some("FLIGHTS"));
        assert_eq!(nearest("S", ["T", "s"]), Some("s"));
        assert_eq!(nearest("S", ["T"]), None);
        assert_eq!(nearest("XYZ", ["FLIGHTS", "DELAYS"]), None);
    }
}
