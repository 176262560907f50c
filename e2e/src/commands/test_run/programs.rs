//! The test programs that need an API server but no node, and which of their modules may run side by side.

use crate::paths;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program below `e2e/tests`.
#[derive(Debug)]
pub(super) struct Program {
    /// Its folder.
    pub name: &'static str,
    /// Groups of modules whose tests run side by side: none disturbs the API server for the others. Every other module has
    /// the API server for itself.
    pub groups: &'static [&'static [&'static str]],
}

/// All of them. The program `pulsar` needs real pods; `make e2e`, `make trouble` and `make instances` run its modules.
pub(super) const PROGRAMS: [Program; 7] = [
    Program { name: "lifecycle", groups: &[&["deletion", "lost_labels", "mesh", "replicas"]] },
    Program { name: "rollout", groups: &[] },
    Program { name: "status", groups: &[&["conditions", "kstatus"]] },
    Program { name: "isolation", groups: &[&["namespaces", "nested_objects", "optional_kinds", "tenancy"]] },
    Program { name: "degraded_api_server", groups: &[] },
    Program { name: "validation", groups: &[&["manifests", "schemas"]] },
    Program { name: "randomized", groups: &[] },
];

/// Batches that take longest, which begin first: the last one of a run keeps one API server busy and the others idle.
pub(super) const SLOW: [&str; 9] = [
    "lifecycle::request_counts",
    "lifecycle::scaling",
    "randomized::plan",
    "rollout::migration",
    "lifecycle::mass_deletion",
    "rollout::approval",
    "degraded_api_server::outages_and_load",
    "degraded_api_server::webhooks",
    "randomized::fuzz",
];

impl Program {
    /// Divides tests into those that run in one process, each with a label: by group, else by module.
    pub(super) fn group(&self, tests: Vec<String>) -> Vec<(String, Vec<String>)> {
        let mut batches: BTreeMap<(usize, String), Vec<String>> = BTreeMap::new();
        for test in tests {
            let module = test.split("::").next().unwrap_or_default().to_owned();
            let group = self.groups.iter().position(|group| group.contains(&module.as_str()));
            // Groups first: they are the longest.
            let key = group.map_or((self.groups.len(), module), |index| (index, String::new()));
            batches.entry(key).or_default().push(test);
        }
        batches
            .into_iter()
            .map(|((index, module), tests)| match self.groups.get(index) {
                Some(group) => (format!("{{{}}}", group.join(",")), tests),
                None => (module, tests),
            })
            .collect()
    }
}

/// Builds programs; returns the executable of each.
///
/// # Errors
/// When they do not compile.
pub(super) fn build(programs: &[&'static Program]) -> Result<Vec<(&'static Program, PathBuf)>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--quiet", "--locked", "--package", "e2e", "--no-run"]);
    command.arg("--message-format=json-render-diagnostics").current_dir(paths::root());
    for program in programs {
        command.args(["--test", program.name]);
    }
    let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the test programs do not compile");
    let mut executables = executables(&String::from_utf8(output.stdout)?);
    programs
        .iter()
        .map(|program| {
            let built = executables.remove(program.name);
            Ok((*program, built.with_context(|| format!("cargo did not build {}", program.name))?))
        })
        .collect()
}

/// The test programs among the messages of cargo, by name.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let found = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let target = message.get("target")?;
        let is_test = target.get("kind")?.as_array()?.iter().any(|kind| kind == "test");
        let executable = message.get("executable")?.as_str()?;
        is_test.then_some((target.get("name")?.as_str()?.to_owned(), PathBuf::from(executable)))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;

    #[test]
    fn every_program_and_every_grouped_module_exists() -> Result<()> {
        let tests = paths::root().join("e2e/tests");
        let mut folders = BTreeSet::new();
        for entry in fs::read_dir(&tests)? {
            folders.insert(entry?.file_name().to_string_lossy().into_owned());
        }
        let mut known: BTreeSet<String> = PROGRAMS.iter().map(|program| program.name.to_owned()).collect();
        known.insert("pulsar".to_owned());
        assert_eq!(folders, known);
        for program in &PROGRAMS {
            for module in program.groups.iter().copied().flatten() {
                assert!(tests.join(program.name).join(format!("{module}.rs")).is_file(), "{module}");
            }
        }
        Ok(())
    }

    #[test]
    fn every_slow_batch_exists() {
        for batch in SLOW {
            let (program, module) = batch.split_once("::").unwrap_or_default();
            assert!(paths::root().join(format!("e2e/tests/{program}/{module}.rs")).is_file(), "{batch}");
        }
    }

    #[test]
    fn modules_run_alone_unless_they_are_in_a_group() {
        let program = Program { name: "p", groups: &[&["a", "b"]] };
        let tests = ["a::x", "b::y", "c::z", "d::b::x"].map(str::to_owned).to_vec();
        let labels: Vec<(String, usize)> =
            program.group(tests).into_iter().map(|(label, tests)| (label, tests.len())).collect();
        let expected = [("{a,b}", 2), ("c", 1), ("d", 1)].map(|(label, n)| (label.to_owned(), n));
        assert_eq!(labels, expected);
    }

    #[test]
    fn executables_are_found_in_the_messages_of_cargo() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"a"},"executable":"/t/a-1"}
{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"b"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"c"},"executable":"/t/c"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executables(messages), [("a".to_owned(), PathBuf::from("/t/a-1"))].into());
    }
}
