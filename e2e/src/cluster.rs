//! A separate Kubernetes cluster: everything runs in kernel namespaces, so that nothing else on the machine is affected.
//!
//! ```text
//! host ── fm-NAME (veth) ── eth0 ┐ network, mount and process namespace of the cluster
//!   kubectl ────────────────────>│ etcd, API server, controllers, scheduler, containerd, kubelet, kube-proxy, DNS
//!                                │ pods (bridge pods0)
//! ```
//!
//! The first process of the process namespace belongs to this program. When it dies, the kernel ends all other processes in the
//! namespace, and with the last process the network and all mounts disappear: stopping a cluster means killing one process, after
//! a crash as well.

mod control_plane;
pub mod node;
pub(crate) mod pki;
mod process;
mod sandbox;
pub mod second;

use crate::shell::{command, progress, run, until};
use crate::{images, paths, tools};
use anyhow::{Context, Result, bail};
use control_plane::{Addresses, ControlPlane};
use node::{Identity, Node};
use process::Processes;
use sandbox::Sandbox;
use second::Second;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Port of the API server in a cluster's own network.
const PORT: u16 = 6443;

/// A running cluster with a node.
#[derive(Clone, Debug)]
pub struct Cluster {
    name: String,
}

impl Cluster {
    /// Starts a cluster of one or two nodes, or uses a running one. `bound` ties its life to this process.
    ///
    /// # Errors
    /// When something is missing or does not start; the message says what to do.
    pub fn up(name: &str, bound: bool, nodes: u8) -> Result<Self> {
        let this = Self { name: check_name(name)? };
        if !tools::is_root()? {
            bail!("starting a cluster needs root: run this as root, or set KUBECONFIG to a cluster you have");
        }
        tools::ensure(tools::Scope::Node)?;
        if this.is_healthy() {
            progress(&format!("cluster {name} is up already"));
            return Ok(this);
        }
        let pause = images::pause()?;
        this.down()?;
        let folder = paths::run(name);
        fs::create_dir_all(&folder).with_context(|| {
            format!(
                "cannot write {}: a cluster needs root; or set KUBECONFIG to a cluster you have",
                folder.display()
            )
        })?;
        fs::create_dir_all(paths::disk(name))?;
        progress(&format!("starting cluster {name}"));
        let sandbox = Sandbox::start(name, bound, nodes)?;
        let ready = folder.join("ready");
        until("cluster", Duration::from_secs(240), || {
            sandbox.check()?;
            if ready.exists() {
                Ok(())
            } else {
                bail!("not ready; logs in {}", folder.join("logs").display())
            }
        })?;
        this.import(&pause)?;
        progress(&format!("cluster {name} is ready: KUBECONFIG={}", this.kubeconfig().display()));
        Ok(this)
    }

    /// Stops a cluster, whatever state it is in, and removes everything that it created.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn down(&self) -> Result<()> {
        sandbox::remove(&self.name)?;
        for folder in [paths::run(&self.name), paths::disk(&self.name)] {
            if folder.exists() {
                until("removal of files", Duration::from_secs(20), || Ok(fs::remove_dir_all(&folder)?))?;
            }
        }
        Ok(())
    }

    /// A cluster by name, up or not.
    ///
    /// # Errors
    /// When the name cannot be one.
    pub fn named(name: &str) -> Result<Self> {
        Ok(Self { name: check_name(name)? })
    }

    /// Names of all clusters that left files or processes on this machine.
    pub fn all() -> Vec<String> {
        let folders = fs::read_dir(paths::run("")).into_iter().flatten().flatten();
        folders.map(|f| f.file_name().to_string_lossy().into_owned()).collect()
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder().join("admin.kubeconfig")
    }

    /// Files of the cluster: tokens, audit log, logs.
    pub fn folder(&self) -> PathBuf {
        paths::run(&self.name)
    }

    /// Whether it is up and its node is ready.
    pub fn is_healthy(&self) -> bool {
        let mut get = command(paths::binary("kubectl"), ["get", "node", node::NAME, "--request-timeout=5s"]);
        self.folder().join("ready").exists() && run(get.env("KUBECONFIG", self.kubeconfig())).is_ok()
    }

    /// Starts or stops the second node, or cuts its network.
    ///
    /// # Errors
    /// When the cluster cannot be stopped.
    pub fn second(&self, state: second::State) -> Result<()> {
        second::want(&self.folder(), state)
    }

    /// Imports an image on the nodes, under its one name.
    ///
    /// # Errors
    /// When containerd refuses it.
    pub fn import(&self, image: &images::Archive) -> Result<()> {
        images::import(&Node::socket(&self.folder()), image)?;
        let second = second::socket(&self.folder());
        if second.exists() { images::import(&second, image) } else { Ok(()) }
    }

    /// Gives an imported image another name as well, on the first node.
    ///
    /// # Errors
    /// When there is no such image.
    pub fn name_image(&self, image: &str, other: &str) -> Result<()> {
        images::name(&Node::socket(&self.folder()), image, other)
    }
}

/// The inside of a cluster: the first process of its namespaces. Ends when a part of the cluster ends.
///
/// # Errors
/// When a part does not start, or ends.
pub fn inside(name: &str, address: &str, gateway: &str, nodes: u8) -> Result<()> {
    sandbox::enter(address, gateway)?;
    let (folder, disk) = (paths::run(name), paths::disk(name));
    let mut processes = Processes::new(folder.join("logs"));
    let addresses = Addresses { host: address.to_owned(), port: PORT, etcd: [2379, 2380] };
    let mut control_plane = ControlPlane::prepare(&folder, addresses)?.disposable();
    if nodes > 1 {
        control_plane = control_plane.impatient();
    }
    let identity = Identity::first(address);
    let node = Node::prepare(&folder, &disk, address, &sandbox::control_group(name), identity)?;
    control_plane.start_api(&mut processes, true)?;
    control_plane.start_controllers(&mut processes, "*")?;
    control_plane.start_scheduler(&mut processes)?;
    node.start(&mut processes, &control_plane)?;
    let mut second = (nodes > 1).then(|| Second::start(name, address)).transpose()?;
    if second.is_some() {
        second::ready(&control_plane)?;
    }
    fs::write(folder.join("ready"), "")?;
    loop {
        processes.check()?;
        if let Some(second) = &mut second {
            second.follow()?;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// An API server without a node, for tests of what controllers write. Needs no root.
pub struct ApiOnly {
    // Dropped first: the files are removed after the processes have ended.
    processes: Processes,
    control_plane: ControlPlane,
    folder: PathBuf,
}

impl ApiOnly {
    /// Starts one for tests; it ends with this process.
    ///
    /// # Errors
    /// When something is missing or does not start.
    pub fn up(name: &str) -> Result<Self> {
        Self::start(name, ControlPlane::disposable)
    }

    /// The same without streaming lists, as before Kubernetes 1.34.
    ///
    /// # Errors
    /// When something is missing or does not start.
    pub fn up_without_streaming_lists(name: &str) -> Result<Self> {
        Self::start(name, |control_plane| control_plane.disposable().without_streaming_lists())
    }

    /// The same for measurements, with everything as it is by default.
    ///
    /// # Errors
    /// When something is missing or does not start.
    pub fn up_for_measurements(name: &str) -> Result<Self> {
        Self::start(name, |control_plane| control_plane)
    }

    fn start(name: &str, tune: impl FnOnce(ControlPlane) -> ControlPlane) -> Result<Self> {
        tools::ensure(tools::Scope::ApiOnly)?;
        let folder = paths::disk(&check_name(name)?);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        progress("starting an API server");
        let (port, etcd) = (free_port()?, [free_port()?, free_port()?]);
        let addresses = Addresses { host: "127.0.0.1".to_owned(), port, etcd };
        let control_plane = tune(ControlPlane::prepare(&folder, addresses)?);
        let mut processes = Processes::new(folder.join("logs"));
        control_plane.start_api(&mut processes, false)?;
        // The garbage collector and the namespace controller have to run; no pods are needed here.
        control_plane
            .start_controllers(&mut processes, "garbage-collector-controller,namespace-controller")?;
        progress("the API server answers");
        Ok(Self { processes, control_plane, folder })
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.control_plane.kubeconfig("admin")
    }

    /// Files: tokens, audit log, logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Sends a signal, such as `STOP` or `CONT`, to `etcd`, `kube-apiserver` or `kube-controller-manager`.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn signal(&self, process: &str, signal: &str) -> Result<()> {
        self.processes.signal(process, signal)
    }

    /// Kills the API server and starts it again: connections end, and its in-memory state is lost.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.processes.stop("kube-apiserver")?;
        self.control_plane.start_server(&mut self.processes, false)
    }

    /// The same with a new certificate authority.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart_with_new_authority(&mut self) -> Result<()> {
        self.control_plane.renew_authority()?;
        self.restart()
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no free port on 127.0.0.1")?.local_addr()?.port())
}

/// The name becomes part of the name of a network interface, which has nine characters left.
fn check_name(name: &str) -> Result<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 9 || !name.chars().all(fits) {
        bail!("a cluster's name has one to nine lower-case letters, digits or '-', not {name:?}");
    }
    Ok(name.to_owned())
}
