//! What a terminal adds: colours, its width, questions, a line that moves. Without one nothing of it is printed.

use anyhow::{Result, bail};
use std::io::{IsTerminal, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Width without a terminal.
const WIDTH: usize = 80;
/// Text wider than this is hard to read.
const WIDEST: usize = 120;

/// Time after which a command that has printed nothing says what it does.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time between two lines of progress.
const REFRESH: Duration = Duration::from_millis(500);

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
static PROGRESS: Mutex<Progress> = Mutex::new(Progress { text: String::new(), is_shown: false });

/// The line of progress on standard error.
struct Progress {
    /// What the command does; empty while there is nothing to say.
    text: String,
    /// Whether the terminal shows it.
    is_shown: bool,
}

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

/// A line that fits a terminal; elsewhere it stays one line, for programs that read lines.
pub(crate) fn fitted(line: &str) -> String {
    if std::io::stdout().is_terminal() { wrapped(line, "") } else { line.to_owned() }
}

/// Asks, and returns whether the answer is yes.
///
/// # Errors
/// Without a terminal to ask.
pub(crate) fn confirmed(question: &str) -> Result<bool> {
    progress("");
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
    progress("");
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// Sets the line of progress on standard error, which appears once the command has run for two seconds; an empty one
/// removes it.
pub(crate) fn progress(line: &str) {
    let mut progress = locked();
    line.clone_into(&mut progress.text);
    progress.draw();
}

/// Shows the line of progress, and for how long the command runs, until the command prints something.
pub(crate) fn show_progress(line: &str) {
    LazyLock::force(&STARTED);
    progress(line);
    if std::io::stderr().is_terminal() {
        // It ends with the process.
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(REFRESH);
                locked().draw();
            }
        });
    }
}

fn locked() -> MutexGuard<'static, Progress> {
    PROGRESS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Progress {
    fn draw(&mut self) {
        let mut stderr = std::io::stderr();
        let seconds = STARTED.elapsed();
        let is_wanted = !self.text.is_empty() && seconds >= PATIENCE && stderr.is_terminal();
        if !is_wanted && !self.is_shown {
            return;
        }
        let line = if is_wanted { format!("{} ({} s)", self.text, seconds.as_secs()) } else { String::new() };
        let line: String = line.chars().take(width().saturating_sub(1)).collect();
        // A terminal that is closed makes no difference to the command.
        let _ = write!(stderr, "\r\x1b[K{line}");
        let _ = stderr.flush();
        self.is_shown = is_wanted;
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
