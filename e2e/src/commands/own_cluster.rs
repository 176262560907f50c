//! What runs in a cluster of its own, which ends with it.

use crate::cluster::{ApiOnly, Cluster};
use crate::{paths, shell};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Variables by which tests find a cluster.
pub type Environment = Vec<(&'static str, PathBuf)>;

/// The flag that names a cluster.
#[derive(clap::Args)]
pub struct Name {
    /// Name of the cluster
    #[arg(long, default_value = "demo")]
    pub name: String,
}

/// Runs a command with a cluster: the one of `KUBECONFIG`, else a new one.
///
/// # Errors
/// When the cluster does not start or the command cannot be run.
pub async fn run(name: &str, api_only: bool, nodes: u8, command: &[String]) -> Result<ExitCode> {
    let given = std::env::var_os("KUBECONFIG").is_some_and(|file| !file.is_empty());
    let own: Option<Own> = if api_only {
        // Always our own: its audit log is what the tests count.
        Some(Own::Api(vec![ApiOnly::up(name)?]))
    } else if given {
        shell::progress("using the cluster of KUBECONFIG");
        None
    } else {
        Some(Own::Node(Cluster::up(name, true, nodes)?))
    };
    let (program, arguments) = command.split_first().context("no command to run")?;
    let mut process = tokio::process::Command::new(program);
    process.args(arguments).envs(environment(own.as_ref())).kill_on_drop(true);
    let ended = async {
        let status = process.status().await.with_context(|| format!("cannot run {program:?}"))?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    };
    within(name, own, ended).await
}

/// Environment variables by which tests find a cluster.
fn environment(own: Option<&Own>) -> Environment {
    match own {
        Some(Own::Node(cluster)) => variables(cluster.kubeconfig(), cluster.folder()),
        Some(Own::Api(servers)) => servers
            .first()
            .map_or_else(Vec::new, |server| variables(server.kubeconfig(), server.folder().to_owned())),
        None => Vec::new(),
    }
}

pub(super) fn variables(kubeconfig: PathBuf, folder: PathBuf) -> Environment {
    vec![("KUBECONFIG", kubeconfig), ("FUNCTION_MESH_E2E", folder)]
}

/// Waits for the exit code of what runs in a cluster and takes the cluster down, whatever happens: on failure, on a signal, and by
/// the kernel when this process is killed.
pub(super) async fn within(
    name: &str,
    own: Option<Own>,
    ended: impl Future<Output = Result<u8>>,
) -> Result<ExitCode> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let code = tokio::select! {
        code = ended => code?,
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    };
    if code != 0 {
        keep_logs(name);
        if let Some(Own::Api(servers)) = &own {
            (2..=servers.len()).for_each(|n| keep_logs(&format!("{name}-{n}")));
        }
    }
    match own {
        Some(Own::Node(cluster)) => cluster.down()?,
        Some(Own::Api(servers)) => drop(servers),
        None => {}
    }
    Ok(ExitCode::from(code))
}

/// A cluster, or API servers, that end with what runs in them.
pub(super) enum Own {
    Api(Vec<ApiOnly>),
    Node(Cluster),
}

/// Keeps the logs of the control plane and the nodes after a failure.
fn keep_logs(name: &str) {
    for logs in [paths::run(name).join("logs"), paths::disk(name).join("logs")] {
        if logs.exists() {
            let target = paths::cache().join("failed").join(format!("cluster-{name}")).display().to_string();
            let mut copy = shell::command("sh", ["-c", "mkdir -p \"$1\" && cp -r \"$0\"/. \"$1\""]);
            match shell::run(copy.arg(&logs).arg(&target)) {
                Ok(()) => shell::progress(&format!("logs of the cluster are in {target}")),
                Err(error) => shell::progress(&format!("logs of the cluster could not be kept: {error:#}")),
            }
        }
    }
}
