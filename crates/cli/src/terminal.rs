//! What a terminal adds: colours, its width, questions, a line that moves. Without one nothing of it is printed.

use anyhow::{Result, bail};
use std::io::{IsTerminal, Write};

/// Width without a terminal.
const WIDTH: usize = 80;
/// Text wider than this is hard to read.
const WIDEST: usize = 120;

/// A colour of the eight that every terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
}

/// Colours a text, where standard output is a terminal and `NO_COLOR` (<https://no-color.org>) is not set.
pub(crate) fn coloured(text: &str, colour: Colour) -> String {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && std::io::stdout().is_terminal() {
        format!("\x1b[{}m{text}\x1b[0m", colour as u8)
    } else {
        text.to_owned()
    }
}

/// Columns of standard output.
pub(crate) fn width() -> usize {
    let columns = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    columns.unwrap_or(WIDTH).clamp(20, WIDEST)
}

/// A text in lines that fit, each behind an indent.
pub(crate) fn wrapped(text: &str, indent: &str) -> String {
    let room = width().saturating_sub(indent.chars().count()).max(20);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > room {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.iter().map(|line| format!("{indent}{line}")).collect::<Vec<_>>().join("\n")
}

/// Asks, and returns whether the answer is yes.
///
/// # Errors
/// Without a terminal to ask.
pub(crate) fn confirmed(question: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("there is no terminal to confirm on; use --yes");
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Prints a line on standard output.
///
/// # Errors
/// When nobody reads it any more.
pub(crate) fn print(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// Replaces the line of progress on standard error; an empty one removes it.
pub(crate) fn progress(line: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let line: String = line.chars().take(width().saturating_sub(1)).collect();
        // A terminal that is closed makes no difference to the command.
        let _ = write!(stderr, "\r\x1b[K{line}");
        let _ = stderr.flush();
    }
}

/// `1 pod`, `2 pods`.
pub(crate) fn plural(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_lose_no_word() {
        let text = "word ".repeat(60);
        let lines = wrapped(&text, "    ");
        assert!(lines.lines().all(|line| line.starts_with("    word") && line.len() <= WIDEST));
        assert_eq!(lines.split_whitespace().count(), 60);
        assert_eq!(wrapped("", "  "), "  ");
        let long = "x".repeat(200);
        assert_eq!(wrapped(&long, ""), long, "a word is never cut: it may be copied");
    }

    #[test]
    fn without_a_terminal_there_is_no_colour() {
        assert_eq!(coloured("Ready", Colour::Green), "Ready");
    }
}
