//! Making foreign text fit for an error, which is one line of a log.

/// The most characters of foreign text that an error shows.
const SHOWN: usize = 300;

/// Cuts a text after 300 characters.
pub(crate) fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Cuts a text and replaces control characters, so that a document from a
/// registry can neither flood a log nor forge lines in it.
pub(crate) fn printable_excerpt(text: &str) -> String {
    excerpt(text).replace(char::is_control, "\u{fffd}")
}
