//! A tree of objects with their states, as text and as JSON.

use crate::terminal::{Colour, coloured, plural, wrapped};
use serde_json::{Value, json};

/// Columns of the titles, at most.
const TITLE: usize = 44;

/// One object and what is below it.
#[derive(Default)]
pub(crate) struct Node {
    /// Kind and name.
    pub(crate) title: String,
    /// How it is; none when nothing is known yet.
    pub(crate) state: Option<State>,
    /// What a person has to read.
    pub(crate) notes: Vec<String>,
    /// What belongs to it.
    pub(crate) children: Vec<Node>,
}

/// How an object is.
pub(crate) struct State {
    /// Whether it is ready; none where that means nothing.
    pub(crate) is_ready: Option<bool>,
    /// The reason, or some facts.
    pub(crate) reason: String,
    /// For how long.
    pub(crate) since: String,
}

impl Node {
    /// The lines of an object: the whole tree, or itself alone.
    pub(crate) fn text(&self, is_deep: bool) -> String {
        let mut lines = Vec::new();
        self.write(&mut lines, "", "", is_deep);
        if !is_deep && !self.children.is_empty() {
            let open = self.children.iter().filter(|child| !child.is_ready()).count();
            if open > 0 {
                lines.push(format!(
                    "    {} not ready: kubectl fmesh status functionmesh NAME",
                    plural(open, "component")
                ));
            }
        }
        lines.into_iter().map(|line| line + "\n").collect()
    }

    fn is_ready(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.is_ready == Some(true))
    }

    fn write(&self, lines: &mut Vec<String>, first: &str, rest: &str, is_deep: bool) {
        let width = TITLE.saturating_sub(first.chars().count());
        let title = format!("{first}{:width$}", self.title);
        lines.push(match &self.state {
            Some(state) => format!("{title} {}", state.text()),
            None => format!("{title} {}", coloured("Unknown", Colour::Yellow)),
        });
        let last = self.children.len().saturating_sub(1);
        let bar = if is_deep && !self.children.is_empty() { "│   " } else { "    " };
        for note in &self.notes {
            lines.extend(wrapped(note, &format!("{rest}{bar}")).lines().map(str::to_owned));
        }
        if !is_deep {
            return;
        }
        for (i, child) in self.children.iter().enumerate() {
            let (branch, below) = if i == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            child.write(lines, &format!("{rest}{branch}"), &format!("{rest}{below}"), true);
        }
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "object": self.title,
            "ready": self.state.as_ref().and_then(|state| state.is_ready),
            "reason": self.state.as_ref().map(|state| &state.reason),
            "messages": self.notes,
            "children": self.children.iter().map(Self::json).collect::<Vec<_>>(),
        })
    }
}

impl State {
    fn text(&self) -> String {
        let word = match self.is_ready {
            Some(true) => coloured("Ready    ", Colour::Green),
            Some(false) => coloured("Not ready", Colour::Red),
            None => " ".repeat("Not ready".len()),
        };
        let since = if self.since.is_empty() { String::new() } else { format!(" ({})", self.since) };
        format!("{word} {}{since}", self.reason)
    }
}
