//! etcd, the API server, the controller manager and the scheduler.

use crate::cluster::pki;
use crate::cluster::process::Processes;
use crate::paths;
use crate::shell::{command, output, run, until};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Addresses of Services inside a cluster.
pub(super) const SERVICES: &str = "10.96.0.0/16";
/// The API server's own Service.
const API_SERVICE: &str = "10.96.0.1";

/// Where the parts of a control plane listen.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Address of the API server.
    pub host: String,
    /// Port of the API server.
    pub port: u16,
    /// Ports of etcd, for clients and peers; on loopback.
    pub etcd: [u16; 2],
}

/// A control plane's files.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    folder: PathBuf,
    addresses: Addresses,
    /// Whether nodes are considered lost within seconds instead of minutes.
    impatient: bool,
    /// Whether the data may be lost with the machine, and memory is spent to save CPU time.
    disposable: bool,
    /// Whether the API server lists in pages only.
    no_streaming_lists: bool,
}

impl ControlPlane {
    /// Prepares the files in `folder`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn prepare(folder: &Path, addresses: Addresses) -> Result<Self> {
        fs::create_dir_all(folder.join("logs")).with_context(|| format!("folder {}", folder.display()))?;
        pki::write(folder, &names(&addresses.host))?;
        let this = Self {
            folder: folder.to_owned(),
            addresses,
            impatient: false,
            disposable: false,
            no_streaming_lists: false,
        };
        let users = [
            ("admin", "admin"),
            ("kcm", "system:kube-controller-manager"),
            ("scheduler", "system:kube-scheduler"),
            ("proxy", "system:kube-proxy"),
            ("kubelet", "system:node:node"),
            ("kubelet-second", "system:node:second"),
        ];
        for (file, user) in users {
            fs::write(this.kubeconfig(file), this.kubeconfig_of(user))?;
        }
        // For tests that count writes in etcd.
        fs::write(folder.join("etcd.port"), this.addresses.etcd[0].to_string())?;
        // Reads and writes by user; requests of the cluster's own components are not logged.
        fs::write(
            folder.join("audit-policy.yaml"),
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n\
             - level: None\n  userGroups: [\"system:nodes\"]\n- level: Metadata\n",
        )?;
        Ok(this)
    }

    /// The control plane of a running cluster, for its administrator.
    pub fn of(folder: &Path) -> Self {
        let addresses = Addresses { host: String::new(), port: 0, etcd: [0, 0] };
        Self {
            folder: folder.to_owned(),
            addresses,
            impatient: false,
            disposable: false,
            no_streaming_lists: false,
        }
    }

    /// The same with nodes that are considered lost within seconds, so that tests do not wait for minutes.
    #[must_use]
    pub fn impatient(self) -> Self {
        Self { impatient: true, ..self }
    }

    /// The same for tests, of which thousands of small writes would wait for the disk, and garbage collection would take a fifth of the
    /// CPU time. Not for measurements.
    #[must_use]
    pub fn disposable(self) -> Self {
        Self { disposable: true, ..self }
    }

    /// The same with an API server that has no streaming lists.
    #[must_use]
    pub fn without_streaming_lists(self) -> Self {
        Self { no_streaming_lists: true, ..self }
    }

    /// Path of a kubeconfig: `admin`, `kcm`, `scheduler`, `proxy` or `kubelet`.
    pub fn kubeconfig(&self, of: &str) -> PathBuf {
        self.folder.join(format!("{of}.kubeconfig"))
    }

    /// A kubeconfig for any user of the token file.
    pub fn kubeconfig_of(&self, user: &str) -> String {
        let server = format!("https://{}:{}", self.addresses.host, self.addresses.port);
        pki::kubeconfig(&self.folder, &server, user)
    }

    /// Replaces the certificate authority, and the API server's certificate by one of the new authority.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn renew_authority(&self) -> Result<()> {
        pki::write_authority(&self.folder, &names(&self.addresses.host))
    }

    /// Path of the audit log: a line of JSON for each request.
    pub fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    /// Starts etcd and the API server and waits until it answers.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start_api(&self, processes: &mut Processes, advertise: bool) -> Result<()> {
        processes.start("etcd", &mut self.etcd())?;
        self.start_server(processes, advertise)
    }

    /// Starts the API server with a running etcd, and waits until it responds.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_server(&self, processes: &mut Processes, advertise: bool) -> Result<()> {
        processes.start("kube-apiserver", &mut self.api_server(advertise))?;
        until("API server", Duration::from_secs(120), || {
            processes.check()?;
            run(&mut self.kubectl(["get", "--raw=/readyz"]))
        })
    }

    /// Starts the controller manager, with only the named controllers or with all.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_controllers(&self, processes: &mut Processes, controllers: &str) -> Result<()> {
        let mut flags = vec![
            format!("--kubeconfig={}", self.kubeconfig("kcm").display()),
            format!("--controllers={controllers}"),
            format!("--service-account-private-key-file={}", self.folder.join("sa.key").display()),
            format!("--root-ca-file={}", self.folder.join("ca.crt").display()),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
            // The default is meant for large clusters: deleting a thousand children would take minutes.
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=1000".to_owned(),
        ];
        if self.impatient {
            // Longer than the ten seconds after which a kubelet renews its lease.
            flags.extend(["--node-monitor-grace-period=25s", "--node-monitor-period=2s"].map(str::to_owned));
        }
        processes
            .start("kube-controller-manager", &mut command(paths::binary("kube-controller-manager"), flags))
    }

    /// Starts the scheduler.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_scheduler(&self, processes: &mut Processes) -> Result<()> {
        let flags = [
            format!("--kubeconfig={}", self.kubeconfig("scheduler").display()),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
        ];
        processes.start("kube-scheduler", &mut command(paths::binary("kube-scheduler"), flags))
    }

    /// kubectl as the administrator.
    pub fn kubectl<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut kubectl = command(paths::binary("kubectl"), arguments);
        kubectl.env("KUBECONFIG", self.kubeconfig("admin")).arg("--request-timeout=5s");
        kubectl
    }

    /// The output of a kubectl request.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub fn get<const N: usize>(&self, arguments: [&str; N]) -> Result<String> {
        output(&mut self.kubectl(arguments))
    }

    fn etcd(&self) -> Command {
        let [clients, peers] = self.addresses.etcd;
        let client_url = format!("http://127.0.0.1:{clients}");
        let peer_url = format!("http://127.0.0.1:{peers}");
        let mut flags = vec![
            format!("--data-dir={}", self.folder.join("etcd").display()),
            format!("--listen-client-urls={client_url}"),
            format!("--advertise-client-urls={client_url}"),
            format!("--listen-peer-urls={peer_url}"),
            format!("--initial-advertise-peer-urls={peer_url}"),
            format!("--initial-cluster=default={peer_url}"),
        ];
        flags.extend(self.disposable.then(|| "--unsafe-no-fsync".to_owned()));
        self.tuned(command(assets("etcd").unwrap_or_else(|| paths::binary("etcd")), flags))
    }

    fn api_server(&self, advertise: bool) -> Command {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let mut flags = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.addresses.etcd[0]),
            format!("--bind-address={}", self.addresses.host),
            format!("--secure-port={}", self.addresses.port),
            format!("--tls-cert-file={}", file("server.crt")),
            format!("--tls-private-key-file={}", file("server.key")),
            format!("--token-auth-file={}", file("tokens.csv")),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--allow-privileged=true".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", file("sa.pub")),
            format!("--service-account-signing-key-file={}", file("sa.key")),
            format!("--service-cluster-ip-range={SERVICES}"),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            format!("--audit-policy-file={}", file("audit-policy.yaml")),
            format!("--audit-log-path={}", self.audit_log().display()),
            // One file, without rotation: requests are counted in it.
            "--audit-log-maxsize=100000".to_owned(),
        ];
        flags.extend(self.no_streaming_lists.then(|| "--feature-gates=WatchList=false".to_owned()));
        if self.impatient {
            let tolerated = ["not-ready", "unreachable"];
            flags.extend(tolerated.map(|taint| format!("--default-{taint}-toleration-seconds=30")));
        }
        if advertise {
            flags.push(format!("--advertise-address={}", self.addresses.host));
        } else {
            // Without nodes nothing needs the Service of the API server, and no pod is ever started.
            flags.push("--endpoint-reconciler-type=none".to_owned());
            flags.push("--disable-admission-plugins=ServiceAccount".to_owned());
        }
        self.tuned(command(
            assets("kube-apiserver").unwrap_or_else(|| paths::binary("kube-apiserver")),
            flags,
        ))
    }

    /// Sets how often a Go program collects garbage: up to the limit of memory, only when the heap has grown fourfold.
    fn tuned(&self, mut program: Command) -> Command {
        if self.disposable {
            program.env("GOGC", "300").env("GOMEMLIMIT", "1GiB");
        }
        program
    }
}

/// The names in the API server's certificate.
fn names(host: &str) -> [&str; 6] {
    [host, API_SERVICE, "127.0.0.1", "localhost", "kubernetes", "kubernetes.default.svc"]
}

/// A binary of `KUBEBUILDER_ASSETS`, when that is set.
fn assets(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("KUBEBUILDER_ASSETS")?).join(name);
    path.is_file().then_some(path)
}
