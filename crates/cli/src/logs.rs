//! `kubectl fmesh logs`: what the instances of an object log.

use crate::cluster::kubectl::Connection;
use crate::cluster::target::Target;
use anyhow::{Result, bail};
use clap::Args;
use functionmesh_api::constants::{LABEL_COMPONENT, LABEL_NAME};
use std::process::ExitCode;

/// Most pods whose logs are followed at once, unless another number is asked for.
const PODS: u32 = 50;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    /// Follow the logs until interrupted.
    #[arg(short, long)]
    follow: bool,
    /// Logs of the container before the one that runs, for instance before a crash.
    #[arg(short, long, conflicts_with = "follow")]
    previous: bool,
    /// Lines of each pod, counted from the end; -1 is all.
    #[arg(long, default_value_t = -1, value_name = "LINES", allow_hyphen_values = true)]
    tail: i64,
    /// Only what is newer than this, with a unit (`5m`).
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    /// All containers of the pods, not the instance alone.
    #[arg(long)]
    all_containers: bool,
    /// As kubectl has it; the logs of all pods are read without it as well.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[allow(dead_code, reason = "accepted, and the default")]
    all_pods: Option<bool>,
    /// Pods whose logs are read at once, at most.
    #[arg(long, default_value_t = PODS, value_name = "PODS")]
    max_log_requests: u32,
    #[command(flatten)]
    cluster: Connection,
}

impl Options {
    /// Prints the logs, each line with its pod; the exit code is kubectl's.
    ///
    /// # Errors
    /// When the objects cannot be read, are none, or are several that are followed.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let items = self.target.components(&self.cluster)?;
        if items.is_empty() {
            bail!("no Function, Source or Sink found");
        }
        if self.follow && items.len() > 1 {
            bail!("the logs of one object can be followed at a time; {} were named", items.len());
        }
        let mut code = ExitCode::SUCCESS;
        for item in items {
            let component = item.kind.to_lowercase();
            let pods = format!("--selector={LABEL_NAME}={},{LABEL_COMPONENT}={component}", item.name);
            let mut words = vec!["logs".to_owned(), "--prefix".to_owned(), pods];
            words.extend([
                format!("--namespace={}", item.namespace),
                format!("--tail={}", self.tail),
                format!("--max-log-requests={}", self.max_log_requests),
                if self.all_containers {
                    "--all-containers".to_owned()
                } else {
                    format!("--container=pulsar-{component}")
                },
            ]);
            words.extend(self.follow.then(|| "--follow".to_owned()));
            words.extend(self.previous.then(|| "--previous".to_owned()));
            words.extend(self.since.as_ref().map(|since| format!("--since={since}")));
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let status = self.cluster.run(&words)?;
            if !status.success() {
                code = ExitCode::FAILURE;
            }
        }
        Ok(code)
    }
}
