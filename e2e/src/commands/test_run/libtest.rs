//! What the test harness of Rust prints.

use crate::shell;
use anyhow::Result;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// The tests of a program, sorted by name: those that are marked `ignored`, or the others.
///
/// # Errors
/// When the program cannot be run.
pub(super) fn list(executable: &Path, ignored: bool) -> Result<Vec<String>> {
    let list = |arguments: &[&str]| -> Result<BTreeSet<String>> {
        let text = shell::output(&mut shell::command(executable, arguments))?;
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    };
    let marked = list(&["--list", "--format=terse", "--ignored"])?;
    if ignored {
        return Ok(marked.into_iter().collect());
    }
    let all = list(&["--list", "--format=terse"])?;
    Ok(all.difference(&marked).cloned().collect())
}

/// A test that ended.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    /// Path within its program.
    pub name: String,
    /// How long it ran.
    pub duration: Duration,
}

/// The output of a program, read line by line.
///
/// libtest reports when a test ends, not when it starts. But it starts tests in the order of their names, a new one whenever
/// another ends, so that the start times follow from the end times.
pub(super) struct Output {
    tests: Vec<String>,
    threads: usize,
    started: Instant,
    ends: Vec<Instant>,
    finished: Vec<Finished>,
    failed: BTreeSet<String>,
    in_failures: bool,
}

impl Output {
    /// Of a program that begins now with these tests, sorted by name.
    pub(super) fn new(tests: &[String], threads: usize) -> Self {
        Self {
            tests: tests.to_vec(),
            threads: threads.max(1),
            started: Instant::now(),
            ends: Vec::new(),
            finished: Vec::new(),
            failed: BTreeSet::new(),
            in_failures: false,
        }
    }

    /// Takes a line of standard output.
    pub(super) fn line(&mut self, line: &str) {
        if let Some((name, _)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
            self.ended(name);
        }
        // The list of names comes last; an earlier section of the same title has what the tests printed.
        if line == "failures:" {
            self.in_failures = true;
        } else if self.in_failures {
            match line.strip_prefix("    ").filter(|name| self.tests.iter().any(|test| test == name)) {
                Some(name) => drop(self.failed.insert(name.to_owned())),
                None => self.in_failures = line.is_empty(),
            }
        }
    }

    fn ended(&mut self, name: &str) {
        let Some(index) = self.tests.iter().position(|test| test == name) else { return };
        let begun = index.checked_sub(self.threads).and_then(|before| self.ends.get(before));
        let (begun, now) = (begun.copied().unwrap_or(self.started), Instant::now());
        self.ends.push(now);
        self.finished.push(Finished { name: name.to_owned(), duration: now - begun });
    }

    /// The failed tests, and the duration of each. A program that fails without a list of failed tests did not come to its
    /// end: whatever had not ended by then has failed.
    pub(super) fn end(self, success: bool) -> (Vec<String>, Vec<Finished>) {
        let mut failed = self.failed;
        if !success && failed.is_empty() {
            let ended: BTreeSet<&String> = self.finished.iter().map(|test| &test.name).collect();
            failed.extend(self.tests.iter().filter(|test| !ended.contains(test)).cloned());
            if failed.is_empty() {
                failed.extend(self.tests);
            }
        }
        (failed.into_iter().collect(), self.finished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(text: &str, success: bool) -> (Vec<String>, Vec<Finished>) {
        let mut output = Output::new(&["a::x".to_owned(), "a::y".to_owned(), "b".to_owned()], 2);
        for line in text.lines() {
            output.line(line);
        }
        output.end(success)
    }

    #[test]
    fn failed_tests_are_those_of_the_last_list() {
        let text = "test a::x ... ok\ntest b ... FAILED\ntest a::y ... FAILED\n\nfailures:\n\n---- b stdout ----\n    \
                    a::x\n\nfailures:\n    a::y\n    b\n\ntest result: FAILED.\n";
        let (failed, finished) = output(text, false);
        assert_eq!(failed, ["a::y", "b"]);
        assert_eq!(finished.len(), 3);
    }

    #[test]
    fn a_program_that_ends_early_fails_with_the_tests_that_did_not_end() {
        assert_eq!(output("test a::x ... ok\n", false).0, ["a::y", "b"]);
        assert_eq!(output("", false).0.len(), 3);
        assert_eq!(output("test a::x ... ok\ntest a::y ... ok\ntest b ... ok\n", true).0.len(), 0);
    }
}
