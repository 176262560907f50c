//! A node: containerd, kubelet, kube-proxy; the first has the cluster DNS.

use crate::cluster::control_plane::ControlPlane;
use crate::cluster::process::Processes;
use crate::paths;
use crate::shell::{command, run, until};
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Addresses of pods inside a cluster.
const PODS: &str = "10.88.0.0/16";
/// Name of the first node.
pub const NAME: &str = "node";

/// The properties of a node.
pub struct Identity {
    /// Its name.
    pub name: &'static str,
    /// Addresses of its pods.
    pub pods: &'static str,
    /// The kubeconfig of its kubelet.
    pub kubeconfig: &'static str,
    /// Address of the cluster DNS.
    pub dns: String,
}

impl Identity {
    /// The first node, which has the DNS.
    pub fn first(address: &str) -> Self {
        Self { name: NAME, pods: PODS, kubeconfig: "kubelet", dns: address.to_owned() }
    }
}

/// Files of the node.
pub struct Node {
    identity: Identity,
    /// Sockets and configuration.
    folder: PathBuf,
    /// Images, containers and their logs.
    disk: PathBuf,
    /// Address of the node, reachable from pods.
    address: String,
    /// The parent control group of pods.
    control_group: String,
}

impl Node {
    /// Writes the configuration.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn prepare(
        folder: &Path,
        disk: &Path,
        address: &str,
        control_group: &str,
        identity: Identity,
    ) -> Result<Self> {
        let this = Self {
            identity,
            folder: folder.to_owned(),
            disk: disk.to_owned(),
            address: address.to_owned(),
            control_group: control_group.to_owned(),
        };
        for folder in [this.folder.join("cni"), this.disk.join("containerd"), this.disk.join("kubelet")] {
            fs::create_dir_all(folder)?;
        }
        fs::write(this.folder.join("containerd.toml"), this.containerd_config())?;
        fs::write(this.folder.join("cni/10-bridge.conflist"), this.network_config())?;
        fs::write(this.folder.join("kubelet.yaml"), this.kubelet_config())?;
        Ok(this)
    }

    /// The socket of containerd.
    pub fn socket(folder: &Path) -> PathBuf {
        folder.join("containerd.sock")
    }

    /// Starts everything and waits until the node is ready.
    ///
    /// # Errors
    /// When a part does not start.
    pub fn start(&self, processes: &mut Processes, control_plane: &ControlPlane) -> Result<()> {
        let path = format!("/usr/sbin:/usr/bin:/sbin:/bin:{}", std::env::var("PATH").unwrap_or_default());
        let config = format!("--config={}", self.folder.join("containerd.toml").display());
        processes.start("containerd", command("containerd", [config]).env("PATH", &path))?;
        let socket = Self::socket(&self.folder).display().to_string();
        until("containerd", Duration::from_secs(60), || {
            processes.check()?;
            run(&mut command("ctr", ["--address", &socket, "version"]))
        })?;
        if self.identity.dns == self.address {
            self.start_dns(processes, control_plane)?;
        }
        let kubelet = [
            format!("--config={}", self.folder.join("kubelet.yaml").display()),
            format!("--kubeconfig={}", control_plane.kubeconfig(self.identity.kubeconfig).display()),
            format!("--root-dir={}", self.disk.join("kubelet").display()),
            format!("--cert-dir={}", self.folder.join("kubelet-pki").display()),
            format!("--hostname-override={}", self.identity.name),
            format!("--node-ip={}", self.address),
        ];
        processes.start("kubelet", command(paths::binary("kubelet"), kubelet).env("PATH", &path))?;
        fs::write(self.folder.join("kube-proxy.yaml"), self.proxy_config(control_plane))?;
        let proxy = [format!("--config={}", self.folder.join("kube-proxy.yaml").display())];
        processes.start("kube-proxy", command(paths::binary("kube-proxy"), proxy).env("PATH", &path))?;
        until("node", Duration::from_secs(120), || {
            processes.check()?;
            let ready = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
            match control_plane.get(["get", "node", self.identity.name, "-o", ready])?.as_str() {
                "True" => Ok(()),
                other => bail!("node is not ready: {other:?}"),
            }
        })
    }

    fn start_dns(&self, processes: &mut Processes, control_plane: &ControlPlane) -> Result<()> {
        let corefile = self.folder.join("Corefile");
        let kubeconfig = control_plane.kubeconfig("admin");
        fs::write(
            &corefile,
            format!(
                ".:53 {{\n  bind {}\n  errors\n  kubernetes cluster.local in-addr.arpa {{\n    kubeconfig {} local\n  }}\n}}\n",
                self.address,
                kubeconfig.display()
            ),
        )?;
        let flags = ["-conf".to_owned(), corefile.display().to_string()];
        processes.start("coredns", &mut command(paths::binary("coredns"), flags))
    }

    fn containerd_config(&self) -> String {
        let cri = r#"[plugins."io.containerd.grpc.v1.cri""#;
        format!(
            "version = 2\nroot = \"{root}\"\nstate = \"{state}\"\n\
             [grpc]\n  address = \"{socket}\"\n\
             {cri}]\n  sandbox_image = \"docker.io/local/pause:1\"\n  restrict_oom_score_adj = true\n\
             {cri}.cni]\n  bin_dir = \"/usr/lib/cni\"\n  conf_dir = \"{cni}\"\n\
             {cri}.containerd.runtimes.runc]\n  runtime_type = \"io.containerd.runc.v2\"\n\
             {cri}.containerd.runtimes.runc.options]\n  SystemdCgroup = false\n",
            root = self.disk.join("containerd").display(),
            state = self.folder.join("containerd").display(),
            socket = Self::socket(&self.folder).display(),
            cni = self.folder.join("cni").display(),
        )
    }

    fn network_config(&self) -> String {
        let leases = self.folder.join("cni-leases");
        serde_json::json!({
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
                    "ipam": {
                        "type": "host-local", "dataDir": leases,
                        "ranges": [[{"subnet": self.identity.pods}]], "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": true}},
            ],
        })
        .to_string()
    }

    fn kubelet_config(&self) -> String {
        serde_json::json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": false,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self.control_group,
            "failSwapOn": false,
            "localStorageCapacityIsolation": false,
            "enforceNodeAllocatable": [],
            "evictionHard": {"memory.available": "1Mi", "nodefs.available": "1Mi", "imagefs.available": "1Mi"},
            "imageGCHighThresholdPercent": 100,
            "containerRuntimeEndpoint": format!("unix://{}", Self::socket(&self.folder).display()),
            "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
            "authorization": {"mode": "AlwaysAllow"},
            "clusterDNS": [self.identity.dns],
            "clusterDomain": "cluster.local",
            "resolvConf": "",
            "podLogsDir": self.disk.join("pod-logs"),
            "maxPods": 250,
            // One node has to start everything that a test requests at once.
            "serializeImagePulls": false,
            "syncFrequency": "10s",
        })
        .to_string()
    }

    fn proxy_config(&self, control_plane: &ControlPlane) -> String {
        serde_json::json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": control_plane.kubeconfig("proxy")},
            "mode": "iptables",
            "clusterCIDR": self.identity.pods,
            "hostnameOverride": self.identity.name,
            "bindAddress": self.address,
            "conntrack": {"maxPerCore": 0},
        })
        .to_string()
    }
}
