//! Runs the test programs that need an API server but no node.
//!
//! Many tests disturb their API server: they slow it down, change a kind, remove a permission or count every request. So
//! tests of different modules do not share one at the same time, except for the modules that `programs` puts into one
//! group. Such a batch runs on as many threads as the machine has cores. With [`Options::servers`] several batches run side
//! by side, each with an API server of its own: most tests wait rather than compute.
//!
//! A test with a real API server may fail on a busy machine although the product works. With [`Options::retry`] a failed
//! test runs a second time, and the summary names the flaky ones so that they get fixed; a test that fails twice has failed.

mod libtest;
mod programs;

#[cfg(test)]
mod documentation;

use crate::commands::own_cluster::Environment;
use crate::shell::progress;
use anyhow::{Context, Result, bail, ensure};
use libtest::{Finished, Output};
use programs::Program;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

/// Rows of the table of the slowest tests.
const SLOWEST: usize = 15;

/// Which tests run, and how.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Run the tests that are marked `ignored`, because they take minutes, instead of the others
    #[arg(long)]
    pub ignored: bool,
    /// Print the output of tests while they run, not only that of failed tests
    #[arg(long)]
    pub nocapture: bool,
    /// Run failed tests a second time and report which are flaky
    #[arg(long)]
    pub retry: bool,
    /// Number of API servers, and so of batches that run side by side
    #[arg(long, default_value_t = 1)]
    pub servers: usize,
    /// Leave out a program; can be repeated
    #[arg(long, value_name = "PROGRAM")]
    pub skip: Vec<String>,
    /// Tests to run: `program`, `program::module` or a longer path, or the bare name of a test; all when none is given
    #[arg(value_name = "TEST")]
    pub tests: Vec<String>,
}

impl Options {
    fn wants_program(&self, program: &str) -> bool {
        // A bare name may be in any program.
        let named = |path: &String| {
            let first = path.split("::").next().unwrap_or_default();
            first == program || !programs::PROGRAMS.iter().any(|known| known.name == first)
        };
        !self.skip.iter().any(|skipped| skipped == program)
            && (self.tests.is_empty() || self.tests.iter().any(named))
    }

    fn wants(&self, program: &str, test: &str) -> bool {
        let path = format!("{program}::{test}");
        let named = |wanted: &String| {
            path == *wanted
                || path.starts_with(&format!("{wanted}::"))
                || path.ends_with(&format!("::{wanted}"))
        };
        self.tests.is_empty() || self.tests.iter().any(named)
    }
}

/// Tests of one program that run in one process.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    program: &'static str,
    executable: PathBuf,
    /// The modules, for progress messages.
    label: String,
    tests: Vec<String>,
}

/// Builds the programs and divides their tests into batches.
///
/// # Errors
/// When the programs do not compile, or no test matches.
pub(super) fn batches(options: &Options) -> Result<Vec<Batch>> {
    let wanted: Vec<&Program> =
        programs::PROGRAMS.iter().filter(|program| options.wants_program(program.name)).collect();
    ensure!(!wanted.is_empty(), "no test program is left to run");
    progress(&format!("building {} test programs", wanted.len()));
    let mut batches = Vec::new();
    for (program, executable) in programs::build(&wanted)? {
        let tests = libtest::list(&executable, options.ignored)?;
        let tests = tests.into_iter().filter(|test| options.wants(program.name, test)).collect();
        for (label, tests) in program.group(tests) {
            batches.push(Batch { program: program.name, executable: executable.clone(), label, tests });
        }
    }
    if batches.is_empty() {
        bail!("no test matches {:?}", options.tests);
    }
    let rank = |batch: &Batch| {
        let name = format!("{}::{}", batch.program, batch.label);
        programs::SLOW.iter().position(|slow| *slow == name).unwrap_or(programs::SLOW.len())
    };
    batches.sort_by_key(rank);
    Ok(batches)
}

/// Runs the batches, one at a time for each API server, and prints a summary. Whether all tests passed, if need be in a second
/// attempt.
///
/// # Errors
/// When a program cannot be run, or there is no API server.
pub(super) async fn run(batches: &[Batch], options: &Options, servers: &[Environment]) -> Result<bool> {
    let started = Instant::now();
    let first = servers.first().context("no API server to run tests with")?;
    let next = AtomicUsize::new(0);
    let lanes = servers.iter().map(|server| run_lane(batches, &next, options, server));
    let (mut failed, mut finished) = (Vec::new(), Vec::new());
    for (batch, outcome) in futures::future::try_join_all(lanes).await?.into_iter().flatten() {
        if !outcome.failed.is_empty() {
            failed.push(Batch { tests: outcome.failed, ..batch.clone() });
        }
        finished.extend(outcome.finished.into_iter().map(|f| (batch.program, f)));
    }
    let number: usize = batches.iter().map(|batch| batch.tests.len()).sum();
    eprint!("{}", slowest(&mut finished));
    progress(&format!("{number} tests ran in {} s, {} failed", started.elapsed().as_secs(), count(&failed)));
    if failed.is_empty() {
        return Ok(true);
    }
    let names = names(&failed);
    if !options.retry {
        progress(&format!("failed: {names}"));
        return Ok(false);
    }
    progress(&format!("running the failed tests again: {names}"));
    let mut again = Vec::new();
    for batch in &failed {
        let title = format!("[again] {}::{}", batch.program, batch.label);
        let outcome = run_batch(batch, &title, options, first).await?;
        again.push(Batch { tests: outcome.failed, ..batch.clone() });
    }
    let (twice, flaky): (Vec<_>, Vec<_>) = failed
        .iter()
        .zip(&again)
        .flat_map(|(first, second)| first.tests.iter().map(move |test| (first, test, second)))
        .partition(|(_, test, second)| second.tests.contains(test));
    for (message, tests) in [("FLAKY, passed the second time", &flaky), ("failed twice", &twice)] {
        for (batch, test, _) in tests {
            progress(&format!("{message}: {}::{test}", batch.program));
        }
    }
    Ok(twice.is_empty())
}

/// Runs batches with one API server until none is left.
async fn run_lane<'a>(
    batches: &'a [Batch],
    next: &AtomicUsize,
    options: &Options,
    server: &Environment,
) -> Result<Vec<(&'a Batch, Outcome)>> {
    let mut outcomes = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(batch) = batches.get(index) else { return Ok(outcomes) };
        let title = format!("[{}/{}] {}::{}", index + 1, batches.len(), batch.program, batch.label);
        outcomes.push((batch, run_batch(batch, &title, options, server).await?));
    }
}

/// Results of a batch.
struct Outcome {
    failed: Vec<String>,
    finished: Vec<Finished>,
}

async fn run_batch(
    batch: &Batch,
    title: &str,
    options: &Options,
    environment: &Environment,
) -> Result<Outcome> {
    progress(&format!("{title} ({} tests)", batch.tests.len()));
    let mut command = Command::new(&batch.executable);
    command.args(&batch.tests).arg("--exact").current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    command.args(options.ignored.then_some("--ignored"));
    command.args(options.nocapture.then_some("--nocapture"));
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {}", batch.executable.display()))?;
    let mut output = Output::new(&batch.tests, threads());
    let mut lines = String::new();
    let mut piped = pipes(&mut child)?;
    // Processes that a test leaves behind may keep the pipes open; what they print is of no interest.
    let status = loop {
        tokio::select! {
            biased;
            Some(line) = piped.recv() => take(&mut output, &mut lines, line, options.nocapture),
            status = child.wait() => break status?,
        }
    };
    while let Ok(Some(line)) = tokio::time::timeout(Duration::from_millis(100), piped.recv()).await {
        take(&mut output, &mut lines, line, options.nocapture);
    }
    let (failed, finished) = output.end(status.success());
    if !failed.is_empty() && !options.nocapture {
        eprint!("{lines}");
    }
    Ok(Outcome { failed, finished })
}

/// A line of standard output, or of standard error.
enum Line {
    Output(String),
    Error(String),
}

fn take(output: &mut Output, lines: &mut String, line: Line, show: bool) {
    let text = match line {
        Line::Output(text) => {
            output.line(&text);
            text
        }
        Line::Error(text) => text,
    };
    if show {
        eprintln!("{text}");
    } else {
        lines.push_str(&text);
        lines.push('\n');
    }
}

/// The lines of both pipes of a process, in the order of their arrival.
fn pipes(child: &mut tokio::process::Child) -> Result<mpsc::UnboundedReceiver<Line>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut output = BufReader::new(child.stdout.take().context("no standard output")?).lines();
    let mut error = BufReader::new(child.stderr.take().context("no standard error")?).lines();
    let errors = sender.clone();
    tokio::spawn(async move {
        while let Ok(Some(line)) = output.next_line().await {
            let _ = sender.send(Line::Output(line));
        }
    });
    tokio::spawn(async move {
        while let Ok(Some(line)) = error.next_line().await {
            let _ = errors.send(Line::Error(line));
        }
    });
    Ok(receiver)
}

/// Threads on which libtest runs tests.
fn threads() -> usize {
    let given = std::env::var("RUST_TEST_THREADS").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn count(batches: &[Batch]) -> usize {
    batches.iter().map(|batch| batch.tests.len()).sum()
}

fn names(batches: &[Batch]) -> String {
    let all = batches.iter().flat_map(|b| b.tests.iter().map(move |test| format!("{}::{test}", b.program)));
    all.collect::<Vec<_>>().join(", ")
}

/// A table of the tests that took longest.
fn slowest(finished: &mut [(&'static str, Finished)]) -> String {
    finished.sort_by_key(|(_, test)| std::cmp::Reverse(test.duration));
    let mut table = String::from("slowest tests:\n");
    for (program, test) in finished.iter().take(SLOWEST) {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{:8.1} s  {program}::{}", test.duration.as_secs_f64(), test.name);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(tests: &[&str]) -> Options {
        Options { tests: tests.iter().map(|test| (*test).to_owned()).collect(), ..Options::default() }
    }

    #[test]
    fn tests_are_chosen_by_a_prefix_of_their_path_or_by_their_name() {
        let path = ("lifecycle", "mesh::names::a_name");
        for (wanted, expected) in [
            ("lifecycle", true),
            ("lifecycle::mesh", true),
            ("lifecycle::mesh::names::a_name", true),
            ("a_name", true),
            ("lifecycle::me", false),
            ("name", false),
            ("rollout", false),
        ] {
            assert_eq!(options(&[wanted]).wants(path.0, path.1), expected, "{wanted}");
        }
        assert!(options(&[]).wants(path.0, path.1));
        assert!(!options(&["rollout::takeover"]).wants_program("lifecycle"));
        assert!(options(&["a_name"]).wants_program("lifecycle"));
        let skipping = Options { skip: vec!["lifecycle".to_owned()], ..Options::default() };
        assert!(!skipping.wants_program("lifecycle") && skipping.wants_program("rollout"));
    }

    /// A program that behaves as a libtest program does: its one test fails as long as a file is missing.
    fn program(folder: &Path, script: &str) -> Result<Batch> {
        use std::os::unix::fs::PermissionsExt;
        let executable = folder.join("program");
        std::fs::write(&executable, format!("#!/bin/sh\n{script}\n"))?;
        std::fs::set_permissions(&executable, std::fs::Permissions::from_mode(0o755))?;
        Ok(Batch { program: "p", executable, label: "m".to_owned(), tests: vec!["m::a".to_owned()] })
    }

    #[tokio::test]
    async fn a_test_that_fails_once_is_flaky_and_one_that_fails_twice_has_failed() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("test-run-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let fails = "printf 'failures:\\n    m::a\\n'; exit 101";
        let marker = folder.join("marker");
        let once = format!("test -e {0} && exit 0; touch {0}; {fails}", marker.display());
        let retry = Options { retry: true, ..Options::default() };
        let flaky = [program(&folder, &once)?];
        let servers = [Environment::new()];
        assert!(run(&flaky, &retry, &servers).await?);
        std::fs::remove_file(&marker)?;
        assert!(!run(&flaky, &Options::default(), &servers).await?);
        assert!(!run(&[program(&folder, fails)?], &retry, &servers).await?);
        std::fs::remove_dir_all(&folder)?;
        Ok(())
    }

    #[tokio::test]
    async fn each_api_server_runs_one_batch_at_a_time_and_all_run() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("test-lanes-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        // Ends once as many batches run as there are servers, and fails when its server is taken.
        let script = format!(
            "cd {} && mkdir \"$SERVER\" || exit 101
             echo >> started; until test \"$(wc -l < started)\" -ge 2; do sleep 0.01; done; rmdir \"$SERVER\"",
            folder.display()
        );
        let batch = program(&folder, &script)?;
        let servers = ["one", "two"].map(|name| vec![("SERVER", PathBuf::from(name))]);
        let batches = vec![batch; 5];
        let ran = tokio::time::timeout(Duration::from_secs(60), run(&batches, &Options::default(), &servers))
            .await??;
        let started = std::fs::read_to_string(folder.join("started"))?.lines().count();
        std::fs::remove_dir_all(&folder)?;
        assert!(ran);
        assert_eq!(started, 5);
        Ok(())
    }
}
