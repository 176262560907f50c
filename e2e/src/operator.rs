//! Installing the charts.

use crate::paths;
use crate::shell::{command, run, show, until};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Namespace of the controllers.
pub const NAMESPACE: &str = "function-mesh-system";
/// Name of the release.
pub const RELEASE: &str = "function-mesh";

/// kubectl and helm against one cluster.
#[derive(Clone, Debug)]
pub struct Kubectl {
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// Path of the kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// For the cluster of a kubeconfig.
    pub fn new(kubeconfig: PathBuf) -> Self {
        Self { kubeconfig }
    }

    /// kubectl with arguments, separated by single spaces.
    pub fn command(&self, arguments: &str) -> Command {
        self.with(arguments.split(' '))
    }

    /// kubectl with arguments.
    pub fn with<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut kubectl = command(paths::binary("kubectl"), arguments);
        kubectl.env("KUBECONFIG", &self.kubeconfig);
        kubectl
    }

    /// Applies a manifest.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn apply(&self, namespace: &str, manifest: &str) -> Result<()> {
        // Tests of one program apply concurrently.
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = paths::cache().join(format!("apply-{}-{number}.yaml", std::process::id()));
        std::fs::write(&file, manifest)?;
        let path = file.display().to_string();
        let applied = run(&mut self.with([
            "-n",
            namespace,
            "apply",
            "--server-side",
            "--force-conflicts",
            "-f",
            &path,
        ]));
        std::fs::remove_file(&file)?;
        applied
    }

    /// Creates a namespace unless it exists.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn namespace(&self, name: &str) -> Result<()> {
        self.apply("default", &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"))
    }

    fn helm<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut helm = command(paths::binary("helm"), arguments);
        helm.env("KUBECONFIG", &self.kubeconfig);
        helm
    }

    /// Installs or upgrades both charts and waits until the controllers are ready.
    ///
    /// # Errors
    /// When they do not become ready.
    pub fn install(&self, image: &str, values: &[&str]) -> Result<()> {
        self.install_from(&paths::root(), image, values)
    }

    /// The same with the charts of other sources.
    ///
    /// # Errors
    /// When they do not become ready.
    pub fn install_from(&self, sources: &Path, image: &str, values: &[&str]) -> Result<()> {
        let chart = |name: &str| sources.join("charts").join(name).display().to_string();
        let crds = chart("function-mesh-crds");
        run(&mut self.helm(["upgrade", "--install", "function-mesh-crds", &crds, "--namespace", "default"]))?;
        let plurals = ["functions", "sources", "sinks", "functionmeshes", "backendconfigs"];
        let mut established = self.command("wait --for=condition=Established --timeout=60s");
        established.args(plurals.map(|plural| format!("crd/{plural}.compute.functionmesh.io")));
        // kubectl fails on a definition without conditions, instead of waiting for them.
        until("kinds", Duration::from_secs(60), || run(&mut established))?;
        let (repository, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
        let (repository, tag) = (format!("image.repository={repository}"), format!("image.tag={tag}"));
        let operator = chart("function-mesh-operator");
        let mut install = self.helm(["upgrade", "--install", RELEASE, &operator, "--namespace", NAMESPACE]);
        install.args([
            "--create-namespace",
            "--wait",
            "--timeout",
            "180s",
            "--set",
            &repository,
            "--set",
            &tag,
        ]);
        for value in values {
            install.args(["--set", value]);
        }
        run(&mut install)
    }

    /// Uninstalls the operator, but not the CRDs.
    ///
    /// # Errors
    /// When Helm fails; with what it printed, the output of a failed hook included.
    pub fn uninstall(&self) -> Result<()> {
        run(&mut self.helm(["uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout", "180s"]))
    }

    /// Shows what kubectl prints.
    ///
    /// # Errors
    /// When it fails.
    pub fn show(&self, arguments: &str) -> Result<()> {
        show(&mut self.command(arguments))
    }
}
