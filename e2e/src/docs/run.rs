//! Executes the steps of a page.

use super::compare::difference;
use super::page::Page;
use super::parse::{Mark, Scope, Step, console};
use crate::paths;
use crate::shell::progress;
use crate::testing::fake_statefulset_controller::FakeStatefulSetController;
use crate::testing::{Controller, TestEnv};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use tokio::process::Command;

/// Folders of the repository that commands of the documentation name.
const FOLDERS: [&str; 5] = ["charts", "config", "crates", "docs", "e2e"];
/// The controllers.
const CONTROLLERS: [&str; 4] =
    ["function-controller", "source-controller", "sink-controller", "mesh-controller"];

/// Where pages are executed.
pub(crate) struct Runner {
    env: TestEnv,
    cluster: bool,
    work: PathBuf,
    controllers: Vec<Controller>,
    statefulsets: Option<FakeStatefulSetController>,
    checked: BTreeSet<String>,
}

impl Runner {
    /// On an API server without nodes, with an empty folder to work in.
    ///
    /// # Errors
    /// When the folder cannot be prepared.
    pub(crate) fn api(env: &TestEnv, work: &Path) -> Result<Self> {
        Self::new(env, work, false)
    }

    /// On a cluster with nodes.
    ///
    /// # Errors
    /// When the folder cannot be prepared.
    pub(crate) fn cluster(env: &TestEnv, work: &Path) -> Result<Self> {
        Self::new(env, work, true)
    }

    fn new(env: &TestEnv, work: &Path, cluster: bool) -> Result<Self> {
        if work.exists() {
            fs::remove_dir_all(work)?;
        }
        fs::create_dir_all(work)?;
        for folder in FOLDERS {
            symlink(paths::root().join(folder), work.join(folder))?;
        }
        Ok(Self {
            env: env.clone(),
            cluster,
            work: work.to_owned(),
            controllers: Vec::new(),
            statefulsets: None,
            checked: BTreeSet::new(),
        })
    }

    /// Executes a page. Returns how many of its blocks were executed.
    ///
    /// # Errors
    /// At the first block that fails or prints something else; with its line.
    pub(crate) async fn page(&mut self, page: &Page) -> Result<usize> {
        let (started, mut executed) = (Instant::now(), 0);
        let name = page.path.display().to_string();
        for step in page.steps()? {
            let line = match &step {
                Step::Block { line, .. } | Step::Setup { line, .. } => *line,
                Step::Controllers(_) => 0,
            };
            executed += usize::from(self.step(&step).await.with_context(|| format!("{name}:{line}"))?);
        }
        self.stop();
        progress(&format!("{name}: {executed} blocks in {} s", started.elapsed().as_secs()));
        Ok(executed)
    }

    /// Whether a block was executed.
    async fn step(&mut self, step: &Step) -> Result<bool> {
        match step {
            Step::Controllers(start) => {
                // On a cluster they are pods.
                if *start && !self.cluster {
                    self.start().await?;
                } else {
                    self.stop();
                }
            }
            Step::Setup { scope, text, .. } => {
                let wanted = match scope {
                    Scope::Everywhere => true,
                    Scope::Api => !self.cluster,
                    Scope::Cluster => self.cluster,
                };
                if wanted {
                    self.execute(text, 0).await?;
                }
            }
            Step::Block { mark, console: with_output, exit, text, .. } => match mark {
                Mark::File(file) => {
                    let path = self.work.join(file);
                    if let Some(folder) = path.parent() {
                        fs::create_dir_all(folder)?;
                    }
                    fs::write(path, text)?;
                }
                Mark::Api | Mark::Cluster if self.cluster || *mark == Mark::Api => {
                    self.block(*with_output, *exit, text).await?;
                    return Ok(true);
                }
                Mark::Api | Mark::Cluster | Mark::None(_) => self.parse(*with_output, text).await?,
            },
        }
        Ok(false)
    }

    async fn block(&self, with_output: bool, exit: i32, text: &str) -> Result<()> {
        if !with_output {
            return self.execute(text, exit).await.map(drop);
        }
        for command in console(text) {
            let printed = self.execute(&command.script, exit).await?;
            if !command.output.is_empty()
                && let Some(difference) = difference(&command.output, &printed)
            {
                bail!("{}\nprints something else.\n{difference}", command.script);
            }
        }
        Ok(())
    }

    /// Runs a script that ends with an exit status, and returns what it printed on both channels.
    async fn execute(&self, script: &str, exit: i32) -> Result<String> {
        let limit = Duration::from_secs(if self.cluster { 900 } else { 240 });
        let mut bash = self.bash(&["-euo", "pipefail", "-c", &format!("exec 2>&1\n{script}")]);
        let output = tokio::time::timeout(limit, bash.output())
            .await
            .with_context(|| format!("not within {} s:\n{script}", limit.as_secs()))??;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.code() == Some(exit),
            "{}, expected {exit}:\n{script}\nprinted:\n{printed}",
            output.status
        );
        Ok(printed)
    }

    /// Checks what is not executed: the syntax of the shell, and that kubectl and helm have the commands and flags.
    async fn parse(&mut self, with_output: bool, text: &str) -> Result<()> {
        let scripts: Vec<String> = if with_output {
            console(text).into_iter().map(|command| command.script).collect()
        } else {
            vec![text.to_owned()]
        };
        for script in scripts {
            let output = self.bash(&["-n", "-c", &script]).output().await?;
            ensure!(output.status.success(), "{}\n{script}", String::from_utf8_lossy(&output.stderr));
            for line in script.replace("\\\n", " ").lines() {
                self.flags(line).await?;
            }
        }
        Ok(())
    }

    /// Checks a line that begins with kubectl or helm against the tool's own help.
    async fn flags(&mut self, line: &str) -> Result<()> {
        let words: Vec<&str> =
            line.split_whitespace().take_while(|word| !["|", "--", "#", "&&"].contains(word)).collect();
        let Some((tool, arguments)) = words.split_first() else { return Ok(()) };
        if !["kubectl", "helm"].contains(tool) {
            return Ok(());
        }
        // `kubectl -n NAME exec`: the first word that is no flag, nor the value of one.
        let after_flag = |index: usize| {
            index
                .checked_sub(1)
                .and_then(|before| arguments.get(before))
                .is_some_and(|word| *word == "-n" || *word == "--namespace")
        };
        let mut names = arguments
            .iter()
            .enumerate()
            .filter(|(index, word)| !word.starts_with('-') && !after_flag(*index))
            .map(|(_, word)| *word);
        let Some(command) = names.next() else { return Ok(()) };
        // `kubectl rollout status`: what follows may be a part of the command, or an argument, which the help ignores.
        let next = names.next().filter(|word| word.chars().all(|c| c.is_ascii_lowercase()));
        let flags: Vec<&str> = arguments
            .iter()
            .filter(|word| word.starts_with("--"))
            .map(|word| word.split('=').next().unwrap_or(word))
            .collect();
        let key = format!("{tool} {command} {} {}", next.unwrap_or_default(), flags.join(" "));
        // `kubectl fmesh` is a plugin with tests of its own.
        if command == "fmesh" || !self.checked.insert(key) {
            return Ok(());
        }
        let mut help = text(&self.run(tool, &[command, "--help"]).await?)?;
        if let Some(next) = next {
            help.push_str(&String::from_utf8_lossy(
                &self.run(tool, &[command, next, "--help"]).await?.stdout,
            ));
        }
        if *tool == "kubectl" {
            help.push_str(&text(&self.run(tool, &["options"]).await?)?);
        }
        for flag in flags {
            ensure!(help.contains(flag), "{tool} {command} has no {flag}: {line}");
        }
        Ok(())
    }

    async fn run(&self, tool: &str, arguments: &[&str]) -> Result<Output> {
        let script = format!("{tool} \"$@\"");
        let mut all = vec!["-c", script.as_str(), "bash"];
        all.extend(arguments);
        Ok(self.bash(&all).output().await?)
    }

    fn bash(&self, arguments: &[&str]) -> Command {
        let mut bash = Command::new("bash");
        let path = std::env::var("PATH").unwrap_or_default();
        let tools = paths::cache().join("bin");
        // Programs that a page's hidden commands put there come first.
        let own = self.work.join("bin");
        let path =
            format!("{}:{}:{}:{path}", own.display(), tools.display(), self.env.build.folder.display());
        bash.args(arguments).current_dir(&self.work).env("PATH", path);
        // Nothing is read from or written to the home of who runs the tests.
        bash.env("HOME", &self.work).env("KUBECONFIG", self.env.kubectl.kubeconfig());
        for variable in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            bash.env_remove(variable);
        }
        bash.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        bash
    }

    async fn start(&mut self) -> Result<()> {
        if self.statefulsets.is_none() {
            self.statefulsets = Some(FakeStatefulSetController::everywhere(&self.env));
        }
        for name in CONTROLLERS {
            let flags = ["--leader-elect=false"];
            self.controllers.push(Controller::spawn(&self.env, name, &flags)?);
        }
        for controller in &self.controllers {
            controller.ready(&self.env).await?;
        }
        Ok(())
    }

    fn stop(&mut self) {
        self.controllers.clear();
    }
}

fn text(output: &Output) -> Result<String> {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    Ok(printed)
}
