//! The table of results, on the terminal and in `docs/benchmarks.md`.

use crate::commands::bench::settings::Settings;
use crate::paths;
use crate::shell::{command, output};
use crate::tools;
use anyhow::Result;
use std::fmt::Write as _;
use std::fs;

/// A row of the table.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// The action and the measured value.
    pub what: String,
    /// The result of the baseline client.
    pub baseline: String,
    /// The result of the controllers.
    pub ours: String,
    /// The goal.
    pub goal: String,
    /// Whether the goal was reached, if there is one.
    pub met: Option<bool>,
    /// The result of the Go operator, as released and without its own limits; on another machine.
    pub go: [&'static str; 2],
}

impl Row {
    /// A row without a goal.
    pub(super) fn new(what: impl Into<String>, ours: impl Into<String>) -> Self {
        Self { what: what.into(), ours: ours.into(), ..Self::default() }
    }

    /// With what the baseline client needed.
    #[must_use]
    pub(super) fn baseline(self, baseline: impl Into<String>) -> Self {
        Self { baseline: baseline.into(), ..self }
    }

    /// With a goal, and whether it was reached.
    #[must_use]
    pub(super) fn goal(self, goal: impl Into<String>, met: bool) -> Self {
        Self { goal: goal.into(), met: Some(met), ..self }
    }

    /// With the published numbers of the Go operator.
    #[must_use]
    pub(super) fn go(self, shipped: &'static str, unthrottled: &'static str) -> Self {
        Self { go: [shipped, unthrottled], ..self }
    }
}

/// The table in Markdown.
pub(super) fn table(rows: &[Row]) -> String {
    let mut text = "| scenario | baseline | this operator | goal | met | Go as shipped | Go unthrottled |\n\
                    |---|---|---|---|---|---|---|\n"
        .to_owned();
    for Row { what, baseline, ours, goal, met, go: [shipped, unthrottled] } in rows {
        let met = met.map_or("", |met| if met { "yes" } else { "**no**" });
        // Writing to a text cannot fail.
        let _ =
            writeln!(text, "| {what} | {baseline} | {ours} | {goal} | {met} | {shipped} | {unthrottled} |");
    }
    text
}

/// Writes `docs/benchmarks.md`.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(rows: &[Row], settings: &Settings) -> Result<()> {
    let text = format!(
        "# Benchmarks\n\n\
         `make bench` writes this file (about {minutes} minutes); `make bench N=200` prints the same table for fewer objects \
         and does not write the file. Both start their own etcd, API server and garbage collector, without nodes: a small \
         program replaces the StatefulSet controller and reports every replica as available.\n\n\
         Requests are counted in the API server's audit log, without Leases and Events; etcd writes count only if they \
         changed something. Times are measured by the API server, from the creation of the first Function. Counts are \
         exact and the same on every machine; times are not. Compare times with the *baseline* in the same row: a client \
         that sends only the minimum of requests (a StatefulSet, a Service and one status per Function), 16 at a time, in \
         the same run; the ratio is the median of {rounds} pairs. Memory is the resident set size (`VmRSS`).\n\n\
         The Go operator was measured in a separate run on another machine of the same kind (Kubernetes 1.35.4, 2 cores; \
         \"unthrottled\": without client-side rate limit, with 10 workers). Its counts compare directly; its times compare \
         as a ratio to the baseline of that run, 13.6 s and 15.6 s in the rows of the creation.\n\n\
         {machine}\n\n{table}",
        minutes = 23,
        rounds = settings.rounds,
        machine = machine()?,
        table = table(rows),
    );
    fs::write(paths::root().join("docs/benchmarks.md"), text)?;
    Ok(())
}

/// Writes `docs/benchmarks-large.md`.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write_large(rows: &[Row], settings: &Settings) -> Result<()> {
    let mut text = format!(
        "# Benchmarks with many objects\n\n\
         `make bench-large` writes this file (about half an hour); with `N=1000` it prints the same table for fewer objects and \
         does not write the file. It is measured as [the other benchmarks](benchmarks.md) are: on an API server without nodes, \
         where a small program reports every replica as available. The row with pods has one for each Function, created by the \
         benchmark as running. [Sizing](operate/sizing.md) says what follows from the numbers.\n\n\
         {machine}\n\n| scenario | {number} Functions | goal | met |\n|---|---|---|---|\n",
        machine = machine()?,
        number = settings.number,
    );
    for Row { what, ours, goal, met, .. } in rows {
        let met = met.map_or("", |met| if met { "yes" } else { "**no**" });
        // Writing to a text cannot fail.
        let _ = writeln!(text, "| {what} | {ours} | {goal} | {met} |");
    }
    fs::write(paths::root().join("docs/benchmarks-large.md"), text)?;
    Ok(())
}

/// Machine, versions and date.
///
/// # Errors
/// When a program is missing.
pub(super) fn machine() -> Result<String> {
    let first = |text: String| text.lines().next().unwrap_or_default().trim().to_owned();
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let model = model.trim_start_matches([' ', '\t', ':']).to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let kib: u64 = total.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or_default();
    let etcd = first(output(&mut command(paths::binary("etcd"), ["--version"]))?);
    let git = |arguments: [&str; 3]| {
        let found = output(command("git", arguments).current_dir(paths::root()));
        found.map(first).unwrap_or_default()
    };
    let changed =
        if git(["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { " and changes" };
    Ok(format!(
        "| | |\n|---|---|\n| machine | {model}, {cores} cores, {} GiB |\n| Kubernetes | {} |\n| etcd | {} |\n\
         | commit | {}{changed} |\n| date | {} |\n",
        kib / 1024 / 1024,
        tools::KUBERNETES,
        etcd.trim_start_matches("etcd Version: "),
        git(["rev-parse", "--short", "HEAD"]),
        first(output(&mut command("date", ["-u", "+%Y-%m-%d"]))?),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_goal_is_marked() {
        let rows = [Row::new("a", "1").goal("0", false), Row::new("b", "2").go("3", "4").baseline("1")];
        let text = table(&rows);
        assert!(text.contains("| a |  | 1 | 0 | **no** |  |  |\n| b | 1 | 2 |  |  | 3 | 4 |\n"), "{text}");
    }
}
