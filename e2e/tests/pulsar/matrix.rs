//! Real messages through every runtime, type of package, connector and credential. Each case applies a manifest of
//! `config/samples` with `kubectl apply`, and checks the messages and the state of the broker, and the conditions.
//!
//! `make matrix` runs all of them, `CASE=name` a group or a single one. They share one broker, and several run at the same time
//! (`AT_ONCE=4`). A failed case does not stop the others.

mod connectors;
mod credentials;
mod generic;
mod go;
mod java;
mod mesh;
mod packages;
mod python;
mod run;
mod stage;

use anyhow::{Result, ensure};
use e2e::paths;
use e2e::shell::{output, progress};
use e2e::testing::TestEnv;
use run::{Outcome, Run};
use stage::Stage;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// One case of the matrix.
struct Case {
    group: &'static str,
    /// A file of `config/samples`, without `.yaml`; its name without the number is that of the case.
    sample: &'static str,
    check: fn(&Run<'_>) -> Result<()>,
}

impl Case {
    fn name(&self) -> &'static str {
        self.sample.split_once('-').map_or(self.sample, |(_, name)| name)
    }

    /// Whether `CASE` selects it, by its name, its group or its number.
    fn is_selected(&self) -> bool {
        let selected = std::env::var("CASE").unwrap_or_default();
        let number = self.sample.split_once('-').map_or("", |(number, _)| number);
        selected.is_empty()
            || selected.split(',').any(|word| [self.name(), self.group, number, self.sample].contains(&word))
    }
}

/// In the order of the table.
fn cases() -> Vec<Case> {
    let groups = [
        java::cases(),
        python::cases(),
        go::cases(),
        generic::cases(),
        packages::cases(),
        connectors::cases(),
        credentials::cases(),
        mesh::cases(),
    ];
    groups.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half an hour: make matrix"]
async fn the_matrix() -> Result<()> {
    let env = TestEnv::connect().await?;
    let cases: Vec<Case> = cases().into_iter().filter(Case::is_selected).collect();
    ensure!(!cases.is_empty(), "CASE names no case of the matrix");
    let stage = Stage::prepare(&env)?;
    let at_once = std::env::var("AT_ONCE").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    let outcomes = side_by_side(&stage, &cases, at_once);
    let table = table(&outcomes);
    std::fs::write(paths::cache().join("matrix.md"), &table)?;
    for line in table.lines() {
        progress(line);
    }
    let failed: Vec<&str> = outcomes.iter().filter(|o| o.failure.is_some()).map(|o| o.name).collect();
    if !failed.is_empty() {
        let all = "get fmesh,fn,src,snk,pods -A -o wide";
        let shown = output(&mut stage.kubectl.command(all)).unwrap_or_else(|error| format!("{error:#}"));
        eprintln!("{shown}");
    }
    ensure!(failed.is_empty(), "{} of {} cases failed: {}", failed.len(), outcomes.len(), failed.join(", "));
    Ok(())
}

/// Runs cases, `at_once` at a time; the outcomes are in the order of the cases.
fn side_by_side(stage: &Stage, cases: &[Case], at_once: usize) -> Vec<Outcome> {
    let queue: Mutex<VecDeque<(usize, &Case)>> = Mutex::new(cases.iter().enumerate().collect());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    // Not in the condition of a loop: the queue would be locked while the case runs.
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((place, case)) = next else { break };
                    let outcome = run::run(stage, case);
                    progress(&outcome.line());
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((place, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// The table in Markdown.
fn table(outcomes: &[Outcome]) -> String {
    let head = "| group | case | result | sent | received | first message (s) | Ready (s) |\n|---|---|---|---|---|---|---|\n";
    let rows = outcomes.iter().map(|o| {
        let result = o.failure.as_ref().map_or("passed", |_| "**failed**");
        let (first, ready) = (run::seconds(o.counts.first), run::seconds(o.counts.ready));
        format!(
            "| {} | {} | {result} | {} | {} | {first} | {ready} |\n",
            o.group, o.name, o.counts.sent, o.counts.received
        )
    });
    head.to_owned() + &rows.collect::<String>()
}
