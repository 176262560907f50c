//! The subset of Markdown that the pages use.

use std::fmt::{self, Write};

/// A table.
pub(super) struct Table {
    columns: usize,
    text: String,
}

impl Table {
    pub(super) fn new(columns: &[&str]) -> Self {
        let mut table = Self { columns: columns.len(), text: String::new() };
        table.line(columns.iter().map(|column| (*column).to_owned()));
        table.line(columns.iter().map(|_| "---".to_owned()));
        table
    }

    /// Adds a row; texts are escaped for a cell, and are Markdown otherwise.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.columns);
        self.line(cells.into_iter().map(|cell| escaped(&cell)));
    }

    fn line(&mut self, cells: impl Iterator<Item = String>) {
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Text as code.
pub(super) fn code(text: &str) -> String {
    format!("`{text}`")
}

/// The anchor that a heading gets.
pub(super) fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            c => c.is_alphanumeric().then_some(c),
        })
        .collect()
}

/// Text that neither ends a cell nor, outside of code, is parsed as a tag or emphasis.
fn escaped(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| {
        let part = part.replace('|', "\\|").replace('\n', " ");
        // Every second part is code.
        if index % 2 == 1 {
            return part;
        }
        let part = part.replace('<', "&lt;").replace('*', "\\*");
        // A line break of the source.
        part.replace("&lt;br>", "<br>")
    });
    parts.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_their_text() {
        let mut table = Table::new(&["a", "b"]);
        table.row(["`<x>|*`".to_owned(), "<x> *\ny|<br>z".to_owned()]);
        assert_eq!(table.to_string(), "| a | b |\n| --- | --- |\n| `<x>\\|*` | &lt;x> \\* y\\|<br>z |\n");
    }

    #[test]
    fn anchors_are_those_of_the_usual_viewers() {
        assert_eq!(anchor("`spec.java`"), "specjava");
        assert_eq!(anchor("What is rendered"), "what-is-rendered");
    }
}
