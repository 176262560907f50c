//! Truncation of texts.

/// A text of at most so many characters, and a sign that it was cut.
pub fn bounded(text: String, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
