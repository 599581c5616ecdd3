//! What is made of a text, such as a compiled pattern: most calls have one text for all their rows.

/// What was made of the text of the row before.
pub(super) struct Last<'a, T> {
    last: Option<(&'a str, T)>,
}

impl<T> Default for Last<'_, T> {
    fn default() -> Self {
        Last { last: None }
    }
}

impl<'a, T> Last<'a, T> {
    /// What `make` makes of the text.
    pub fn of(&mut self, text: &'a str, make: impl FnOnce(&'a str) -> T) -> &T {
        // A constant is the same memory in every row, which is told sooner than that two texts are equal.
        let is_known = |known: &str| std::ptr::eq(known, text) || known == text;
        if self.last.as_ref().is_some_and(|(known, _)| !is_known(known)) {
            self.last = None;
        }
        &self.last.get_or_insert_with(|| (text, make(text))).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_anew_for_another_text() {
        let (mut last, mut made) = (Last::default(), 0);
        let texts = ["a".to_string(), "a".to_string(), "b".to_string(), "a".to_string()];
        for text in &texts {
            let got = last.of(text, |text| {
                made += 1;
                text.to_uppercase()
            });
            assert_eq!(*got, text.to_uppercase());
        }
        assert_eq!(made, 3);
    }
}
