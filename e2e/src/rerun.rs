//! Runs a command and, where it was a `cargo test` of several programs, the programs that failed once more.
//!
//! A test with a real API server may fail on a busy machine for a reason that is no fault of the product. Such a test passes
//! when it runs again with less beside it. It is named at the end, so that somebody fixes it; what fails twice has failed.

use crate::shell::say;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// Runs a command. With `again`, what failed runs a second time.
///
/// # Errors
/// When the command cannot be run.
pub async fn run(
    command: &[String],
    again: bool,
    environment: &[(&str, std::path::PathBuf)],
) -> Result<ExitStatus> {
    let (status, failed) = once(command, environment).await?;
    if status.success() || !again || failed.is_empty() {
        return Ok(status);
    }
    let names = failed.iter().cloned().collect::<Vec<_>>().join(", ");
    say(&format!("failed: {names}; running that again"));
    let (status, _) = once(&only(command, &failed), environment).await?;
    let result = if status.success() { "FLAKY, passed the second time" } else { "failed twice" };
    say(&format!("{result}: {names}"));
    Ok(status)
}

/// Runs a command and returns which test programs failed.
async fn once(
    command: &[String],
    environment: &[(&str, std::path::PathBuf)],
) -> Result<(ExitStatus, BTreeSet<String>)> {
    let (program, arguments) = command.split_first().context("no command to run")?;
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {program:?}"))?;
    let mut failed = BTreeSet::new();
    let mut lines = BufReader::new(child.stderr.take().context("no standard error")?).lines();
    // What its own children keep open after its end is of no interest.
    let status = loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => {
                    failed.extend(failed_program(&line));
                    eprintln!("{line}");
                }
                None => break child.wait().await?,
            },
            status = child.wait() => break status?,
        }
    };
    while let Ok(Ok(Some(line))) =
        tokio::time::timeout(std::time::Duration::from_millis(100), lines.next_line()).await
    {
        failed.extend(failed_program(&line));
        eprintln!("{line}");
    }
    Ok((status, failed))
}

/// The program that a line of cargo names as failed: "    `-p e2e --test api`" in the list at its end.
fn failed_program(line: &str) -> Option<String> {
    let arguments = line.trim().strip_prefix('`')?.strip_suffix('`')?;
    let mut words = arguments.split_whitespace().skip_while(|word| *word != "--test");
    words.nth(1).map(str::to_owned)
}

/// The command with those of its `--test NAME` only that are asked for.
fn only(command: &[String], programs: &BTreeSet<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = command.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            kept.push(word.clone());
            kept.extend(words.cloned());
            break;
        }
        if word != "--test" {
            kept.push(word.clone());
        } else if let Some(name) = words.next().filter(|name| programs.contains(*name)) {
            kept.extend([word.clone(), name.clone()]);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_failed_programs_run_again_with_the_same_arguments() {
        let said = "error: 1 target failed:\n    `-p e2e --test api_lease`\n";
        let failed: BTreeSet<String> = said.lines().filter_map(failed_program).collect();
        assert_eq!(failed, BTreeSet::from(["api_lease".to_owned()]));
        let command =
            words("cargo test --package e2e --test api --test api_lease --test guarantees -- --test x");
        let expected = words("cargo test --package e2e --test api_lease -- --test x");
        assert_eq!(only(&command, &failed), expected);
    }

    #[tokio::test]
    async fn what_fails_twice_has_failed_and_what_passes_then_has_passed() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("rerun-{}", std::process::id()));
        let script = format!(
            "test -e {0} && exit 0; touch {0}; echo '    `-p e2e --test a`' >&2; exit 101",
            folder.display()
        );
        let command = [String::from("sh"), String::from("-c"), script];
        assert!(run(&command, true, &[]).await?.success());
        std::fs::remove_file(&folder)?;
        assert!(!run(&command, false, &[]).await?.success());
        std::fs::remove_file(&folder)?;
        let twice = ["sh", "-c", "echo '    `-p e2e --test a`' >&2; exit 3"].map(str::to_owned);
        assert_eq!(run(&twice, true, &[]).await?.code(), Some(3));
        Ok(())
    }
}
