//! A second node, which can be lost: it simulates a machine, with its own namespaces, network and address.
//!
//! ```text
//! cluster: etcd, API server, ..., first node ── second0 (veth) ── eth0 ┐ containerd, kubelet, kube-proxy, pods
//! ```
//!
//! A test writes the desired state into a file, and the first process of the cluster applies it: a killed node is like a machine
//! without power; a node that is cut off is like a machine with an unplugged cable, whose pods keep running.

use crate::cluster::control_plane::ControlPlane;
use crate::cluster::node::{Identity, Node};
use crate::cluster::process::Processes;
use crate::cluster::sandbox;
use crate::paths;
use crate::shell::{command, progress, run, until};
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Argument that identifies its first process in the process list.
pub const INSIDE: &str = "cluster-second";
/// Name of the node.
pub const NAME: &str = "second";
/// Addresses of its pods.
const PODS: &str = "10.89.0.0/16";
/// The two ends of the network between the nodes, visible only inside the cluster.
const GATEWAY: &str = "10.214.0.1";
const ADDRESS: &str = "10.214.0.2";
/// The near end.
const INTERFACE: &str = "second0";

/// The desired state of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Up,
    /// Without power: nothing on it runs.
    Off,
    /// Its network is cut; everything on it runs.
    Cut,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Off => "off",
            Self::Cut => "cut",
        }
    }

    fn read(folder: &Path) -> Self {
        let word = fs::read_to_string(folder.join("second.wanted")).unwrap_or_default();
        [Self::Off, Self::Cut].into_iter().find(|state| state.word() == word).unwrap_or(Self::Up)
    }
}

/// Requests a state, from the cluster of this folder. It is applied within a second.
///
/// # Errors
/// When the file cannot be written.
pub fn want(folder: &Path, state: State) -> Result<()> {
    Ok(fs::write(folder.join("second.wanted"), state.word())?)
}

/// Its socket of containerd.
pub fn socket(folder: &Path) -> PathBuf {
    Node::socket(&folder.join(NAME))
}

/// The second node as the first process of the cluster sees it.
pub struct Second {
    cluster: String,
    /// Address of the first node, which has the cluster's DNS.
    first: String,
    machine: Processes,
    /// A copy of this program: a build may replace the original before the node is switched on again.
    program: PathBuf,
    state: State,
}

impl Second {
    /// Starts it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(cluster: &str, first: &str) -> Result<Self> {
        let logs = paths::run(cluster).join("logs");
        let program = paths::run(cluster).join("program");
        fs::copy(std::env::current_exe()?, &program)?;
        let mut this = Self {
            cluster: cluster.to_owned(),
            first: first.to_owned(),
            machine: Processes::new(logs),
            program,
            state: State::Off,
        };
        this.switch_on()?;
        Ok(this)
    }

    /// Applies the requested state.
    ///
    /// # Errors
    /// When it ended by itself, or does not start.
    pub fn follow(&mut self) -> Result<()> {
        let wanted = State::read(&paths::run(&self.cluster));
        if self.state != State::Off {
            self.machine.check()?;
        }
        if wanted == self.state {
            return Ok(());
        }
        progress(&format!("second node: {}", wanted.word()));
        match (self.state, wanted) {
            (_, State::Off) => self.machine.stop(INSIDE)?,
            (State::Off, _) => self.switch_on()?,
            _ => {}
        }
        match wanted {
            State::Off => {}
            State::Cut => run(&mut command("ip", ["link", "set", INTERFACE, "down"]))?,
            State::Up => connect()?,
        }
        self.state = wanted;
        Ok(())
    }

    fn switch_on(&mut self) -> Result<()> {
        // Files that a machine has in memory only.
        let folder = paths::run(&self.cluster).join(NAME);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        sandbox::create_control_groups(&control_group(&self.cluster));
        let program = self.program.display().to_string();
        let mut start = command(
            "unshare",
            ["--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"],
        );
        start.args(["tini", "-s", "--", &program, INSIDE, "--name", &self.cluster]);
        start.args(["--address", ADDRESS, "--gateway", GATEWAY, "--dns", &self.first]);
        self.machine.start(INSIDE, &mut start)?;
        let first = until("namespaces of the second node", Duration::from_secs(20), || {
            self.machine.check()?;
            sandbox::first_process(INSIDE, &self.cluster)
        })?;
        // It is removed with the namespace of its peer, which may take a moment.
        until("network of the second node", Duration::from_secs(20), || {
            run(&mut command(
                "ip",
                ["link", "add", INTERFACE, "type", "veth", "peer", "name", "eth0", "netns", &first],
            ))
        })?;
        run(&mut command("ip", ["addr", "add", &format!("{GATEWAY}/30"), "dev", INTERFACE]))?;
        connect()?;
        self.state = State::Up;
        Ok(())
    }
}

fn connect() -> Result<()> {
    run(&mut command("ip", ["link", "set", INTERFACE, "up"]))?;
    run(&mut command("ip", ["route", "replace", PODS, "via", ADDRESS]))
}

fn control_group(cluster: &str) -> String {
    format!("{}/{NAME}", sandbox::control_group(cluster))
}

/// The inside of the second node: the first process of its namespaces. Ends when a part of it ends.
///
/// # Errors
/// When a part does not start, or ends.
pub fn inside(cluster: &str, address: &str, gateway: &str, dns: &str) -> Result<()> {
    sandbox::enter(address, gateway)?;
    let (folder, disk) = (paths::run(cluster).join(NAME), paths::disk(cluster).join(NAME));
    let mut processes = Processes::new(paths::run(cluster).join("logs").join(NAME));
    let control_plane = ControlPlane::of(&paths::run(cluster));
    let identity = Identity { name: NAME, pods: PODS, kubeconfig: "kubelet-second", dns: dns.to_owned() };
    let node = Node::prepare(&folder, &disk, address, &control_group(cluster), identity)?;
    node.start(&mut processes, &control_plane)?;
    loop {
        processes.check()?;
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Waits until the node is ready, as the first process of the cluster.
///
/// # Errors
/// When it does not become so.
pub fn ready(control_plane: &ControlPlane) -> Result<()> {
    until("second node", Duration::from_secs(120), || {
        let ready = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
        match control_plane.get(["get", "node", NAME, "-o", ready])?.as_str() {
            "True" => Ok(()),
            other => bail!("not ready: {other:?}"),
        }
    })
}
