//! A text that is looked for in many others.

use memchr::memmem::Finder;

use super::last::Last;

/// What was looked for last, prepared.
#[derive(Default)]
pub(super) struct Needle<'a>(Last<'a, Finder<'a>>);

impl<'a> Needle<'a> {
    /// Finds `text`, which isn't empty, in UTF-8: matches begin and end where characters do.
    pub fn of(&mut self, text: &'a str) -> &Finder<'a> {
        self.0.of(text, Finder::new)
    }
}
