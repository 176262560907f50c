//! Splits a termination message into meaningful lines: without logger prefixes and stack frames, and with each Python traceback
//! reduced to its exception.

use crate::health::termination_message::patterns::replaced;
use crate::health::termination_message::redact::SECRETS;
use regex_lite::Regex;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::LazyLock;

/// A line with its log level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The text after the logger's prefix.
    pub(super) text: String,
    /// The log level, if the line has one.
    pub(super) level: Level,
    /// The kind of the line, if known.
    pub(super) kind: Kind,
}

/// The level of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// INFO and below: normal operation.
    Info,
    /// A warning.
    Warn,
    /// An error, or the last line of a program that exits on its own.
    Error,
    /// Printed, not logged.
    Printed,
}

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing special.
    Text,
    /// The exception at the end of a traceback of Python.
    Python,
    /// The same of `python3 -c`, with which the rendered command downloads a package.
    Download,
    /// A cause in a Java stack trace.
    CausedBy,
    /// The end of a Go program: a panic, a runtime error, or a fatal log line.
    GoEnd,
}

/// The prefixes of the loggers, after variable text such as the time was removed. The first group of each is the level.
static PREFIXES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = [
        // The C++ client in a Python program.
        r"^\s?([A-Z]{0,5})\s*\[[^\]]*\] \w+:\d+ \| (?:\[[^\]]* -> [^\]]*\] )?",
        // The Python instance.
        r"^\[\s?\] \[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\] [\w.-]+:\d+ ",
        // The Go SDK.
        r"^\s?[\w.-]+\.go:\d+: \[(\w+)\] ",
        // The appender `TerminationLog` of the Java instance, and its console.
        r"^(WARN|ERROR|FATAL) \w* - ",
        r"^\s?\[[^\]]*\] (TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\s+[\w.$]+ - ",
    ];
    patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
});

/// Lines without information: stack frames, and output of the rendered command before the program starts.
static NOISE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let parts = [
        // Java.
        r"\s*at [\w.$/<>@-]+\(.*\)$|\s*\.\.\. \d+ (?:more|common frames omitted)",
        // Go.
        r"goroutine \d+ |\s*/?\S+\.(?:go|s):\d+|(?:[\w.-]+/)*[\w-]+\.[\w.()*\[\]-]+\(.*\)$|created by |exit status \d+$",
        r"\[signal SIG|.*\bpc=",
        // Python.
        r"\s*[\^~]+\s*$|\s*File \S|Traceback \(most",
        // The command that is rendered.
        r"shardId=\d*$|[-dl][rwx-]{9}\s",
        // The first line, if it was truncated.
        r"\w*:\d+ \| ",
    ];
    Regex::new(&format!("^(?:{})", parts.join("|"))).ok()
});

/// The lines of a normalized message.
pub(super) fn lines(output: &str) -> Vec<Line> {
    let noise =
        |text: &str| text.trim().is_empty() || NOISE.as_ref().is_some_and(|noise| noise.is_match(text));
    let all: Vec<Line> = output.lines().flat_map(unframed).collect();
    let mut out: Vec<Line> = Vec::new();
    let mut folded = vec![false; all.len()];
    // A truncated message may begin in the middle of a traceback.
    let head = |line: &Line| line.text.starts_with("Traceback (");
    let cut = all
        .iter()
        .take_while(|line| !head(line))
        .position(|line| line.text.trim_start().starts_with("File \""));
    if let Some(frame) = cut {
        let (exception, own) = exception(&all, frame);
        out.extend(exception);
        for folded in folded.iter_mut().take(own.last().map_or(frame, |last| last + 1)) {
            *folded = true;
        }
    }
    for (index, line) in all.iter().enumerate() {
        if line.text.starts_with("Traceback (most recent call last):") {
            let (exception, own) = exception(&all, index);
            out.extend(exception);
            for at in own {
                if let Some(folded) = folded.get_mut(at) {
                    *folded = true;
                }
            }
        } else if folded.get(index) != Some(&true) && !noise(&line.text) {
            out.push(Line { text: line.text.trim().to_owned(), ..line.clone() });
        }
    }
    out
}

/// One line of the message as logged text: several lines if the log is JSON and its text has several.
fn unframed(line: &str) -> Vec<Line> {
    if let Some(logged) = json(line) {
        return logged;
    }
    for prefix in PREFIXES.iter() {
        let Some(found) = prefix.captures(line) else { continue };
        let (end, name) = (found.get(0).map_or(0, |m| m.end()), found.get(1).map_or("", |m| m.as_str()));
        let (level, kind) = level(name, line);
        return vec![Line { text: line.get(end..).unwrap_or_default().to_owned(), level, kind }];
    }
    let kind = if line.starts_with("Caused by: ") {
        Kind::CausedBy
    } else if line.starts_with("panic: ") || line.starts_with("fatal error: ") {
        Kind::GoEnd
    } else {
        Kind::Text
    };
    let text = line.strip_prefix("Caused by: ").unwrap_or(line).to_owned();
    vec![Line { text, level: Level::Printed, kind }]
}

fn level(name: &str, line: &str) -> (Level, Kind) {
    match name.to_ascii_lowercase().as_str() {
        "warn" | "warning" => (Level::Warn, Kind::Text),
        "fatal" | "panic" if line.contains(".go:") => (Level::Error, Kind::GoEnd),
        "" | "trace" | "debug" | "info" => (Level::Info, Kind::Text),
        // A truncated name is an error as well.
        _ => (Level::Error, Kind::Text),
    }
}

/// A line of a log in JSON.
fn json(line: &str) -> Option<Vec<Line>> {
    let entry: Map<String, Value> = serde_json::from_str(line.trim()).ok()?;
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let message = text("message")?;
    let (level, kind) = level(text("level").unwrap_or("ERROR"), "");
    let all = [Some(message), text("exception")].into_iter().flatten().collect::<Vec<_>>().join("\n");
    // Escaped quotes in JSON may have hidden a secret from redaction.
    let all = replaced(&all, &SECRETS);
    Some(all.lines().map(|text| Line { text: text.to_owned(), level, kind }).collect())
}

/// The exception of the traceback whose head or first frame is at an index, and the lines that belong to both. Other threads may
/// log in between.
///
/// If an instance redirects stderr into its log, a traceback arrives in the fragments that the interpreter writes, each as a log
/// line: `_pulsar`, `.`, `ConnectError`, `:`, `Pulsar error: ConnectError`.
fn exception(all: &[Line], head: usize) -> (Option<Line>, Vec<usize>) {
    let level = all.get(head).map_or(Level::Printed, |line| line.level);
    let after = all.iter().enumerate().skip(head);
    let own: Vec<(usize, &str)> = after
        .take_while(|(index, line)| *index == head || !line.text.starts_with("Traceback ("))
        .filter(|(_, line)| line.level == level || line.level == Level::Printed)
        .map(|(index, line)| (index, line.text.trim()))
        .collect();
    let last = own.iter().rposition(|(_, text)| text.starts_with("File \""));
    let tail: Vec<&str> = own.iter().skip(last.map_or(0, |last| last + 1)).map(|(_, text)| *text).collect();
    let found = whole(&tail).or_else(|| pieces(&tail));
    let length = last.map_or(0, |last| last + 1) + found.as_ref().map_or(tail.len(), |(length, _)| *length);
    let indices = own.iter().take(length).map(|(index, _)| *index).collect();
    let is_download = own.iter().any(|(_, text)| text.starts_with("File \"<string>\", line 1, in <module>"));
    let kind = if is_download { Kind::Download } else { Kind::Python };
    // An exception that was logged as an error ends the program as well.
    (found.map(|(_, text)| Line { text, level: Level::Error, kind }), indices)
}

/// An exception on a line of its own: the class with its message, or a class alone. Returns the number of lines after it.
fn whole(tail: &[&str]) -> Option<(usize, String)> {
    let is_class = |name: &str| {
        name.rsplit('.')
            .next()
            .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_uppercase() || c == '_'))
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
            && !name.is_empty()
    };
    // The first line is source code, and may have any form.
    let at = tail.iter().position(|text| text.split_once(": ").is_some_and(|(name, _)| is_class(name)))?;
    // In fragments, a colon on the line before marks this line as the message and not the class.
    if at > 0 && tail.get(at - 1) == Some(&":") {
        return None;
    }
    Some((at + 1, (*tail.get(at)?).to_owned()))
}

/// An exception in fragments.
fn pieces(tail: &[&str]) -> Option<(usize, String)> {
    let Some(colon) = tail.iter().position(|text| *text == ":") else {
        // A class without a message.
        let last = tail.iter().rposition(|text| !text.is_empty())?;
        return Some((last + 1, (*tail.get(last)?).to_owned()));
    };
    let name = colon.checked_sub(1).and_then(|at| tail.get(at))?;
    let module = colon
        .checked_sub(3)
        .and_then(|at| tail.get(at..colon - 1))
        .filter(|parts| parts.get(1) == Some(&"."))
        .and_then(|parts| parts.first())
        .map_or(Cow::Borrowed(""), |module| Cow::Owned(format!("{module}.")));
    let message = tail.get(colon + 1).copied().unwrap_or_default();
    Some((colon + 2, format!("{module}{name}: {message}")))
}
