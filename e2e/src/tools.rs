//! Tools that the machine needs: Debian packages, and Kubernetes with etcd, built from Go modules.

use crate::paths;
use crate::shell::{command, go, output, progress, run};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Version of Kubernetes; the last line that works with Debian 12's containerd.
pub const KUBERNETES: &str = "v1.35.4";

/// Packages of a control plane, by a program that shows that they are installed. Pages of the documentation use jq.
const API_PACKAGES: &[(&str, &str)] = &[("setpriv", "util-linux"), ("jq", "jq")];

/// Packages of a node.
const NODE_PACKAGES: &[(&str, &str)] = &[
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("iptables", "iptables"),
    ("conntrack", "conntrack"),
    ("ip", "iproute2"),
    ("tini", "tini"),
    ("busybox", "busybox-static"),
    ("mmdebstrap", "mmdebstrap"),
];

/// The required abilities of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Serve requests.
    ApiOnly,
    /// Run pods.
    Node,
}

/// Installs and builds what is missing.
///
/// # Errors
/// If that is not possible here; the message says what to do.
pub fn ensure(scope: Scope) -> Result<()> {
    packages(API_PACKAGES)?;
    let mut binaries = vec!["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "helm"];
    if scope == Scope::Node {
        packages(NODE_PACKAGES)?;
        binaries.extend(["kube-scheduler", "kube-proxy", "kubelet", "coredns"]);
    }
    kubernetes(&binaries)
}

/// kubectl and helm, for an existing cluster.
///
/// # Errors
/// When they cannot be built.
pub fn clients() -> Result<()> {
    kubernetes(&["kubectl", "helm"])
}

/// Installs Debian packages whose program is missing.
///
/// # Errors
/// When this is not Debian, or the user is not root.
pub fn packages(wanted: &[(&str, &str)]) -> Result<()> {
    // Images are built side by side, and dpkg allows one installation at a time.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let missing: Vec<&str> =
        wanted.iter().filter(|(program, _)| !present(program)).map(|(_, p)| *p).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !present("apt-get") || !is_root()? {
        bail!(
            "missing: install the packages {list}, or run this as root on Debian, where it is done for you"
        );
    }
    progress(&format!("installing {list}"));
    // The installation must not start services: clusters start their own.
    let keep_quiet = Path::new("/usr/sbin/policy-rc.d");
    let ours = !keep_quiet.exists();
    if ours {
        fs::write(keep_quiet, "#!/bin/sh\nexit 101\n")?;
        run(&mut command("chmod", ["755", "/usr/sbin/policy-rc.d"]))?;
    }
    let installed = run(&mut command("apt-get", ["-qq", "update"])).and_then(|()| {
        let mut install = command("apt-get", ["-qq", "install", "-y", "--no-install-recommends"]);
        run(install.args(&missing).env("DEBIAN_FRONTEND", "noninteractive"))
    });
    if ours {
        fs::remove_file(keep_quiet)?;
    }
    installed.with_context(|| format!("packages {list}"))
}

/// Whether this process runs as root.
///
/// # Errors
/// When `id` cannot be run.
pub fn is_root() -> Result<bool> {
    Ok(output(&mut command("id", ["-u"]))?.trim() == "0")
}

/// Whether a program is on the PATH, or a file exists.
pub fn present(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
        || ["/usr/sbin", "/sbin"].iter().any(|folder| Path::new(folder).join(program).is_file())
}

/// The tool that evaluates objects as kstatus does: `e2e/kstatus`, built when it has changed.
///
/// # Errors
/// When it cannot be built.
pub fn kstatus() -> Result<PathBuf> {
    go_program("kstatus", "the library kstatus is built with it")
}

/// The tool that validates a bundle for the Operator Lifecycle Manager: `e2e/olm`, built when it has changed.
///
/// # Errors
/// When it cannot be built.
pub fn olm() -> Result<PathBuf> {
    go_program("olm", "bundles for the Operator Lifecycle Manager are checked by a library in Go")
}

fn go_program(name: &str, reason: &str) -> Result<PathBuf> {
    let module = paths::root().join("e2e").join(name);
    let sources = ["go.mod", "go.sum", "main.go"].map(|file| fs::read_to_string(module.join(file)));
    let sources: String =
        sources.into_iter().collect::<std::io::Result<_>>().with_context(|| format!("e2e/{name}"))?;
    let (binary, stamp) = (paths::binary(name), paths::cache().join(format!("bin/.{name}.sources")));
    if binary.is_file() && fs::read_to_string(&stamp).is_ok_and(|built| built == sources) {
        return Ok(binary);
    }
    if !present("go") {
        bail!("missing: install Go 1.26 or newer; {reason}");
    }
    fs::create_dir_all(paths::cache().join("bin"))?;
    // Renamed into its place: another test may be running it.
    let new = paths::cache().join("bin").join(format!(".{name}-{}", std::process::id()));
    let mut build = command("go", ["build", "-v", "-ldflags", "-s -w", "-o"]);
    go(build.arg(&new).arg(".").current_dir(&module).env("CGO_ENABLED", "0"))?;
    fs::rename(&new, &binary)?;
    fs::write(stamp, sources)?;
    Ok(binary)
}

/// What the compiler need not do. Nobody debugs these binaries, and to inline is a third of its work: only what serves requests is worth
/// it.
fn compiler_flags() -> impl Iterator<Item = String> {
    let inlined = [
        "std",
        "go.etcd.io/...",
        "golang.org/x/net/...",
        "google.golang.org/...",
        "k8s.io/apimachinery/...",
        "k8s.io/apiserver/...",
        "k8s.io/kube-openapi/...",
        "sigs.k8s.io/json/...",
        "sigs.k8s.io/structured-merge-diff/...",
    ];
    let inlined = inlined.map(|packages| format!("-gcflags={packages}=-dwarf=false"));
    ["-gcflags=all=-dwarf=false -l".to_owned()].into_iter().chain(inlined)
}

/// Builds Kubernetes binaries from their Go modules, all in one module so that they share their dependencies.
fn kubernetes(wanted: &[&str]) -> Result<()> {
    let module = paths::root().join("e2e/cluster");
    // The versions decide whether a binary is current.
    let versions = fs::read_to_string(module.join("go.mod")).context("e2e/cluster/go.mod")?;
    let stamp = |name: &str| paths::cache().join("bin").join(format!(".{name}.mod"));
    let stale: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|name| {
            let current = fs::read_to_string(stamp(name)).is_ok_and(|built| built == versions);
            !(paths::binary(name).is_file() && current)
        })
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    if !present("go") {
        bail!(
            "missing: install Go 1.26 or newer; the test cluster is built with it (or set KUBECONFIG to a cluster)"
        );
    }
    progress(&format!("building {} (some minutes the first time)", stale.join(", ")));
    fs::create_dir_all(paths::cache().join("bin"))?;
    let version = |package: &str| format!("-X k8s.io/{package}/version.gitVersion={KUBERNETES}");
    let flags = format!("-s -w {} {}", version("component-base"), version("client-go/pkg"));
    let packages = stale.iter().map(|name| match *name {
        name @ ("coredns" | "etcd") => format!("./{name}"),
        "helm" => "helm.sh/helm/v4/cmd/helm".to_owned(),
        name => format!("k8s.io/kubernetes/cmd/{name}"),
    });
    let target = format!("{}/", paths::cache().join("bin").display());
    let mut build = command("go", ["build", "-v", "-o", &target, "-ldflags", &flags]);
    build.args(compiler_flags());
    // The compiler collects no garbage before it needs a gigabyte, which few packages do: a tenth less time.
    let environment = [("CGO_ENABLED", "0"), ("GOGC", "off"), ("GOMEMLIMIT", "1GiB")];
    go(build.args(packages).current_dir(&module).envs(environment))?;
    for name in stale {
        fs::write(stamp(name), &versions)?;
    }
    Ok(())
}
