//! What the examination found, as text and as JSON.

use crate::terminal::{Colour, coloured, fitted, plural, wrapped};
use functionmesh_plan::health::redaction::redacted;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::ExitCode;

/// Exit code when there are findings.
const FOUND: u8 = 2;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Something fails, or will at the next start of a pod.
    Error,
    /// Something will fail, or does not do what it seems to.
    Warning,
    /// Something waits for a decision.
    Notice,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Notice => "Notice",
        }
    }

    fn colour(self) -> Colour {
        match self {
            Self::Error => Colour::Red,
            Self::Warning | Self::Notice => Colour::Yellow,
        }
    }
}

/// Something that is or will be wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// Name of the check, for programs.
    pub(crate) check: &'static str,
    /// `secret demo/auth`.
    pub(crate) object: String,
    /// What is wrong.
    pub(crate) text: String,
    /// What to do.
    pub(crate) remedy: String,
}

/// Everything that was found, and what could not be looked at.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Finding>,
    unchecked: BTreeSet<String>,
}

impl Findings {
    /// Adds a finding.
    pub(crate) fn add(
        &mut self,
        severity: Severity,
        check: &'static str,
        object: impl Into<String>,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let finding =
            Finding { severity, check, object: object.into(), text: text.into(), remedy: remedy.into() };
        self.found.push(finding);
    }

    /// Adds what could not be looked at, and why. The same is said once.
    pub(crate) fn unchecked(&mut self, what: &str, why: &str) {
        let why = redacted(why.lines().next().unwrap_or_default());
        self.unchecked.insert(format!("{what}: {why}"));
    }

    /// For people: the worst first.
    pub(crate) fn text(mut self, examined: usize) -> String {
        self.found.sort();
        let mut lines = vec![self.totals(examined)];
        for finding in &self.found {
            let word = format!("{:7}", finding.severity.word());
            lines.push(format!("{} {}", coloured(&word, finding.severity.colour()), finding.object));
            lines.push(wrapped(&finding.text, "    "));
            if !finding.remedy.is_empty() {
                lines.push(wrapped(&format!("What to do: {}", finding.remedy), "    "));
            }
        }
        lines.extend(self.unchecked.iter().map(|line| fitted(&format!("not checked: {line}"))));
        lines.join("\n")
    }

    fn totals(&self, examined: usize) -> String {
        let objects = plural(examined, "object");
        let parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Notice]
            .into_iter()
            .map(|severity| (severity, self.found.iter().filter(|f| f.severity == severity).count()))
            .filter(|(_, number)| *number > 0)
            .map(|(severity, number)| plural(number, &severity.word().to_lowercase()))
            .collect();
        let found = if parts.is_empty() { "nothing found".to_owned() } else { parts.join(", ") };
        format!("Examined {objects}: {found}.")
    }

    /// For programs: `docs/kubectl-fmesh.md` has the fields.
    pub(crate) fn json(mut self, examined: usize) -> Value {
        self.found.sort();
        let findings: Vec<Value> = self
            .found
            .iter()
            .map(|f| {
                json!({"severity": f.severity.word(), "check": f.check, "object": f.object, "message": f.text,
                    "remedy": f.remedy})
            })
            .collect();
        json!({"apiVersion": "cli.functionmesh.io/v1", "kind": "DoctorReport", "objects": examined,
            "findings": findings, "notChecked": self.unchecked})
    }

    /// 0 when nothing was found, 2 when something was.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) }
    }

    /// The findings of a check, for tests: severity, object, text.
    #[cfg(test)]
    pub(crate) fn of(&self, check: &str) -> Vec<(Severity, String, String)> {
        let found = self.found.iter().filter(|f| f.check == check);
        found.map(|f| (f.severity, f.object.clone(), f.text.clone())).collect()
    }
}

/// The first few of some names: `a, b, c and 4 more`.
pub(crate) fn few<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 3;
    let names: BTreeSet<&str> = names.into_iter().collect();
    let first: Vec<&str> = names.iter().take(SHOWN).copied().collect();
    match names.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
