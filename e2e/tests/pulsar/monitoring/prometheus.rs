//! A Prometheus beside the cluster.

use anyhow::{Context, Result, ensure};
use e2e::shell::{command, log_to, output};
use serde_json::Value;
use std::path::Path;
use std::process::Child;

/// A process that ends with the test.
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program that ends with the test.
pub(super) fn start(program: &Path, arguments: &[String], log: &Path) -> Result<Running> {
    let mut command = command(program, arguments);
    Ok(Running(log_to(&mut command, log)?.spawn().with_context(|| format!("{}", program.display()))?))
}

/// A running Prometheus.
pub(super) struct Prometheus {
    _process: Running,
    port: u16,
}

impl Prometheus {
    /// Starts it with a configuration, which is in the folder for its data.
    pub(super) fn start(config: &Path, port: u16) -> Result<Self> {
        let folder = config.parent().context("a folder")?;
        let arguments = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let process = start(Path::new("prometheus"), &arguments, &folder.join("prometheus.log"))?;
        Ok(Self { _process: process, port })
    }

    /// An answer of its API.
    pub(super) fn ask(&self, path: &str, query: Option<&str>) -> Result<Value> {
        let url = format!("http://127.0.0.1:{}/api/v1/{path}", self.port);
        let mut curl = command("curl", ["--silent", "--show-error", "--fail", "--get", &url]);
        if let Some(query) = query {
            curl.args(["--data-urlencode", &format!("query={query}")]);
        }
        let answer: Value = serde_json::from_str(&output(&mut curl)?)?;
        ensure!(answer["status"] == "success", "{answer}");
        Ok(answer["data"].clone())
    }
}
