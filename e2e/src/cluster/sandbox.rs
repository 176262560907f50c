//! The kernel namespaces of a cluster, and their removal.

use crate::paths;
use crate::shell::{Fatal, command, log_to, output, run, until};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// Argument that identifies the first process of a cluster in the process list.
const INSIDE: &str = "cluster-inside";

/// Folders that are private to a cluster.
const PRIVATE: [&str; 5] =
    ["/run/containerd", "/run/netns", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers"];

/// Running namespaces.
pub(super) struct Sandbox {
    child: Mutex<Child>,
    log: PathBuf,
}

impl Sandbox {
    /// Creates the namespaces and connects them to the machine. `bound` ties their life to this process.
    ///
    /// # Errors
    /// When the machine does not allow it.
    pub(super) fn start(name: &str, bound: bool, nodes: u8) -> Result<Self> {
        let (gateway, address) = free_addresses()?;
        create_control_groups(&control_group(name));
        let log = paths::disk(name).join("inside.log");
        let program = std::env::current_exe()?.display().to_string();
        let mut start = if bound {
            command("setpriv", ["--pdeathsig", "KILL", "--"])
        } else {
            // A new session: Ctrl-C ends this program, not the cluster.
            command("setsid", ["--"])
        };
        start.args([
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "--mount-proc",
            "--",
        ]);
        start.args(["tini", "-s", "--", &program, INSIDE, "--name", name]);
        start.args(["--address", &address, "--gateway", &gateway, "--nodes", &nodes.to_string()]);
        let child = log_to(start.stdin(Stdio::null()), &log)?
            .spawn()
            .context("cannot start unshare (package util-linux)")?;
        let sandbox = Self { child: Mutex::new(child), log };
        let interface = format!("fm-{name}");
        // The namespaces exist once the first process does.
        let first = until("namespaces", Duration::from_secs(20), || {
            sandbox.check()?;
            first_process(INSIDE, name)
        })?;
        let peer = ["link", "add", &interface, "type", "veth", "peer", "name", "eth0", "netns", &first];
        run(&mut command("ip", peer)).context("network of the cluster")?;
        run(&mut command("ip", ["addr", "add", &format!("{gateway}/30"), "dev", &interface]))?;
        run(&mut command("ip", ["link", "set", &interface, "up"]))?;
        Ok(sandbox)
    }

    /// Detects that the cluster died.
    ///
    /// # Errors
    /// When it did; with the end of its log.
    pub(super) fn check(&self) -> Result<()> {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(status) = child.try_wait()? {
            let text = fs::read_to_string(&self.log).unwrap_or_default();
            return Err(Fatal(format!("the cluster ended: {status}\n{text}")).into());
        }
        Ok(())
    }
}

/// The first process of the namespaces, found by an argument.
///
/// # Errors
/// When there is none yet.
pub(super) fn first_process(word: &str, name: &str) -> Result<String> {
    let found = processes(word, name).into_iter().find(|p| p.program == "tini");
    found.map(|p| p.pid).context("no process yet")
}

/// Called inside the namespaces: configures the network.
///
/// # Errors
/// When the network cannot be configured.
pub(super) fn enter(address: &str, gateway: &str) -> Result<()> {
    // Folders whose paths containerd, its network plugins and the kubelet do not let us choose: private mounts hide them, so that
    // those of the machine do not change.
    for folder in PRIVATE {
        fs::create_dir_all(folder).with_context(|| format!("folder {folder}"))?;
        run(&mut command("mount", ["-t", "tmpfs", "-o", "mode=755", "tmpfs", folder]))?;
    }
    // Containers share mounts with the kubelet, but nothing is propagated out of the namespace.
    run(&mut command("mount", ["--make-rshared", "/"]))?;
    let ip = |arguments: &str| run(&mut command("ip", arguments.split(' ')));
    ip("link set lo up")?;
    until("network interface", Duration::from_secs(20), || ip("link show eth0"))?;
    ip(&format!("addr add {address}/30 dev eth0"))?;
    ip("link set eth0 up")?;
    ip(&format!("route add default via {gateway}"))?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("forwarding of packets")
}

/// Ends the namespaces of a cluster and removes its control groups.
///
/// # Errors
/// When a process cannot be ended.
pub(super) fn remove(name: &str) -> Result<()> {
    until("end of the cluster's processes", Duration::from_secs(30), || {
        let left = processes(INSIDE, name);
        for process in &left {
            // A process that is gone already is the desired state.
            let _ = run(&mut command("kill", ["-KILL", &process.pid]));
        }
        if left.is_empty() { Ok(()) } else { bail!("{} processes left", left.len()) }
    })?;
    let interface = format!("fm-{name}");
    if Path::new("/sys/class/net").join(&interface).exists() {
        // It is removed with its peer, at the latest now.
        let _ = run(&mut command("ip", ["link", "delete", &interface]));
    }
    let group = control_group(name);
    for hierarchy in hierarchies() {
        let folder = hierarchy.join(group.trim_start_matches('/'));
        if folder.exists() {
            until("removal of control groups", Duration::from_secs(30), || remove_groups(&folder))?;
        }
    }
    Ok(())
}

/// Control group of all pods of a cluster.
pub(super) fn control_group(name: &str) -> String {
    format!("/function-mesh-{name}")
}

/// A process outside or at the root of the namespaces of a cluster.
struct Process {
    pid: String,
    program: String,
}

/// Found by their command line, which names the cluster: no file is needed that could be missing or wrong.
fn processes(word: &str, name: &str) -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.map(|e| e.file_name().to_string_lossy().into_owned());
    pids.filter(|pid| pid.bytes().all(|b| b.is_ascii_digit()))
        .filter_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let arguments: Vec<String> =
                line.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).collect();
            let inside = arguments.iter().position(|w| w == word)?;
            let named = arguments.get(inside + 1).is_some_and(|w| w == "--name");
            let ours = named && arguments.get(inside + 2).is_some_and(|w| w == name);
            let program = Path::new(arguments.first()?).file_name()?.to_string_lossy().into_owned();
            ours.then_some(Process { pid, program })
        })
        .collect()
}

/// The two ends of a small network that is unused on this machine.
fn free_addresses() -> Result<(String, String)> {
    let used = output(&mut command("ip", ["-o", "-4", "addr"]))?;
    let free = (0..=255).find(|n| !used.contains(&format!(" 10.213.{n}.")));
    let n = free.context("all networks 10.213.0.0/24 to 10.213.255.0/24 are in use")?;
    Ok((format!("10.213.{n}.1"), format!("10.213.{n}.2")))
}

/// Roots of the control group hierarchies: one for each controller (version 1), or a single one (version 2).
fn hierarchies() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    if root.join("cgroup.controllers").exists() {
        return vec![root.to_owned()];
    }
    fs::read_dir(root).into_iter().flatten().flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect()
}

/// Creates a control group in every hierarchy.
pub(super) fn create_control_groups(group: &str) {
    for hierarchy in hierarchies() {
        if hierarchy.join("cgroup.subtree_control").exists() {
            for controller in ["+cpuset", "+cpu", "+io", "+memory", "+pids"] {
                // Not every machine has every controller; the kubelet reports a missing one.
                let _ = fs::write(hierarchy.join("cgroup.subtree_control"), controller);
            }
        }
        // A hierarchy that cannot have groups is not used by the kubelet.
        let _ = fs::create_dir_all(hierarchy.join(group.trim_start_matches('/')));
    }
}

/// Removes a group and its children, the deepest first: the files in them cannot and need not be removed.
fn remove_groups(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove_groups(&entry.path())?;
        }
    }
    Ok(fs::remove_dir(folder)?)
}
