//! The processes of a cluster, each with a log of its own.

use crate::shell::{Fatal, command, log_to, output};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};

/// Processes that end with this one.
#[derive(Debug)]
pub struct Processes {
    logs: PathBuf,
    running: Vec<(String, Child)>,
}

impl Processes {
    /// Logs go into `logs`.
    pub fn new(logs: PathBuf) -> Self {
        Self { logs, running: Vec::new() }
    }

    /// Starts a process. The kernel kills it when its parent dies.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self, name: &str, process: &mut Command) -> Result<()> {
        fs::create_dir_all(&self.logs)?;
        let mut bound = Command::new("setpriv");
        bound.args(["--pdeathsig", "KILL", "--"]).arg(process.get_program()).args(process.get_args());
        for (key, value) in process.get_envs() {
            if let Some(value) = value {
                bound.env(key, value);
            }
        }
        bound.stdin(std::process::Stdio::null());
        let child = log_to(&mut bound, &self.logs.join(format!("{name}.log")))?
            .spawn()
            .with_context(|| format!("cannot start {name}: is the package util-linux installed?"))?;
        self.running.push((name.to_owned(), child));
        Ok(())
    }

    /// Sends a signal, such as `STOP` or `CONT`, to a process.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn signal(&self, name: &str, signal: &str) -> Result<()> {
        let (_, child) = self
            .running
            .iter()
            .find(|(running, _)| running == name)
            .with_context(|| format!("no process {name}"))?;
        output(&mut command("kill", [format!("-{signal}"), child.id().to_string()])).map(drop)
    }

    /// Kills a process; it is gone when this returns.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn stop(&mut self, name: &str) -> Result<()> {
        let index = self.running.iter().position(|(running, _)| running == name);
        let (_, mut child) = self.running.remove(index.with_context(|| format!("no process {name}"))?);
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Detects a process that ended.
    ///
    /// # Errors
    /// When there is one; with the last lines of its log.
    pub fn check(&mut self) -> Result<()> {
        for (name, child) in &mut self.running {
            if let Some(status) = child.try_wait()? {
                let log = self.logs.join(format!("{name}.log"));
                let text = fs::read_to_string(&log).unwrap_or_default();
                let tail: Vec<&str> = text.lines().rev().take(8).collect();
                let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                return Err(Fatal(format!("{name} ended: {status}; log {}:\n{tail}", log.display())).into());
            }
        }
        Ok(())
    }
}

impl Drop for Processes {
    /// The process that was started last ends first.
    fn drop(&mut self) {
        for (_, child) in self.running.iter_mut().rev() {
            // An ended process is the desired state.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
