//! Running programs, and progress messages.

use anyhow::{Context, Result, bail};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Prints a progress message with the time since the start of the program.
pub fn progress(text: &str) {
    let seconds = STARTED.elapsed().as_secs();
    eprintln!("[{:2}:{:02}] {text}", seconds / 60, seconds % 60);
}

/// A command with its arguments.
pub fn command<I: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = I>,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command and returns its output.
///
/// # Errors
/// If it cannot be run or fails; with the last lines of its output.
pub fn output(command: &mut Command) -> Result<String> {
    let message = describe(command);
    let output = command.output().with_context(|| missing(command))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let tail: Vec<&str> = text.lines().chain(errors.lines()).collect();
        let tail = tail.iter().rev().take(15).rev().copied().collect::<Vec<_>>().join("\n");
        bail!("{message}: {}\n{tail}", output.status);
    }
    Ok(text)
}

/// Runs a command without showing its output.
///
/// # Errors
/// See [`output`].
pub fn run(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Runs a build of cargo and tells from time to time how many crates are done.
///
/// # Errors
/// When it cannot be run or fails; with the last lines of its output.
pub fn cargo(build: &mut Command) -> Result<()> {
    // By default, cargo shows its progress bar on terminals only; elsewhere it needs a width.
    build.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "100");
    build.env("CARGO_TERM_COLOR", "never");
    watched(build, |_, line| crates(line))
}

/// Runs `go build -v` and tells from time to time how many packages are done.
///
/// # Errors
/// When it cannot be run or fails; with the last lines of its output.
pub fn go(build: &mut Command) -> Result<()> {
    watched(build, |lines, package| Some(format!("{lines} packages compiled, the last one {package}")))
}

/// How far cargo's bar says it is: `Building [===>   ] 12/345: serde, tokio`.
fn crates(line: &str) -> Option<String> {
    let (_, count) = line.strip_prefix("Building [")?.split_once("] ")?;
    let (count, _) = count.split_once(':').unwrap_or((count, ""));
    let (done, all) = count.split_once('/')?;
    all.chars().all(|digit| digit.is_ascii_digit()).then(|| format!("{done} of {all} crates compiled"))
}

/// Time between two messages about a step that takes long.
const PROGRESS: Duration = Duration::from_secs(15);

/// Runs a command, and turns what it prints into progress messages: from the number of a line and its text.
fn watched(command: &mut Command, message: impl Fn(usize, &str) -> Option<String>) -> Result<()> {
    let name = describe(command);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.with_context(|| missing(command))?;
    let printed = child.stderr.take().context("the output of a command")?;
    let (mut last, mut shown) = (VecDeque::new(), Instant::now());
    for (index, part) in BufReader::new(printed).split(b'\n').enumerate() {
        let part = part?;
        let text = String::from_utf8_lossy(&part);
        // A bar is overwritten: it ends with a carriage return.
        for line in text.split('\r').map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(message) = message(index + 1, line) {
                if shown.elapsed() >= PROGRESS {
                    progress(&message);
                    shown = Instant::now();
                }
            } else {
                last.push_back(line.to_owned());
                if last.len() > 30 {
                    last.pop_front();
                }
            }
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{name}: {status}\n{}", last.make_contiguous().join("\n"));
    }
    Ok(())
}

/// Runs a command whose output is shown.
///
/// # Errors
/// When it cannot be run or fails.
pub fn show(command: &mut Command) -> Result<()> {
    let message = describe(command);
    let status = command.status().with_context(|| missing(command))?;
    if !status.success() {
        bail!("{message}: {status}");
    }
    Ok(())
}

/// Redirects the output of a command into a log file.
///
/// # Errors
/// When the file cannot be created.
pub fn log_to<'c>(command: &'c mut Command, file: &Path) -> Result<&'c mut Command> {
    let log = File::create(file).with_context(|| format!("log {}", file.display()))?;
    Ok(command.stdout(log.try_clone()?).stderr(log))
}

/// An error that a retry cannot fix.
#[derive(Debug)]
pub struct Fatal(pub String);

impl std::fmt::Display for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fatal {}

/// Retries until it succeeds. It waits for a condition, not for a time: the pauses are short, and the last error is returned.
///
/// # Errors
/// The last error, once the time is over.
pub fn until<T>(what: &str, limit: Duration, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if error.is::<Fatal>() => return Err(error.context(what.to_owned())),
            Err(error) if started.elapsed() > limit => {
                return Err(error.context(format!("{what}: not within {} s", limit.as_secs())));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
    let mut message = format!("{name} {}", arguments.join(" "));
    if let Some((end, _)) = message.char_indices().nth(200) {
        message.truncate(end);
        message.push('…');
    }
    message
}

fn missing(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    format!("cannot run {program:?}: is it installed and on the PATH?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_of_cargo_is_read() {
        assert_eq!(
            crates("Building [=====>          ] 12/345: serde, tokio").as_deref(),
            Some("12 of 345 crates compiled")
        );
        for other in ["Compiling serde v1.0.0", "Building [==> ] x", "Downloading [==> ] 1/2", ""] {
            assert_eq!(crates(other), None, "{other}");
        }
    }

    #[test]
    fn a_failed_build_tells_its_last_lines() {
        let mut build =
            command("sh", ["-c", "echo Compiling x >&2; echo 'error: no such crate' >&2; exit 3"]);
        let error = cargo(&mut build).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("error: no such crate"), "{error}");
    }
}
