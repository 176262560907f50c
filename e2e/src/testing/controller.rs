//! The binaries of the controllers, run as processes against an API server, each under a user of its own.

use crate::cluster::pki;
use crate::shell::{command, log_to, output};
use crate::testing::http::request;
use crate::testing::proxy::Proxy;
use crate::testing::test_env::{Build, TestEnv};
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// A controller is idle after ten checks without activity, a tenth of a second apart. Longer than the controller waits to merge
/// changes, which is the longest invisible pause.
const LOOKS: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(100);
const RECONCILES: &str = "function_mesh_reconciles_total";

/// A running controller; killed when dropped.
pub struct Controller {
    /// User under which it makes requests.
    pub user: String,
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Controller {
    /// Starts a controller for one namespace, without leader election.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(env: &TestEnv, name: &str, namespace: &str) -> Result<Self> {
        let this =
            Self::spawn(env, name, &[&format!("--watched-namespace={namespace}"), "--leader-elect=false"])?;
        this.ready(env).await?;
        Ok(this)
    }

    /// Starts a controller with flags.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(env: &TestEnv, name: &str, flags: &[&str]) -> Result<Self> {
        Self::start_process(env, None, name, name, flags)
    }

    /// Starts a controller that finds its identity and the API server at the paths of a pod.
    ///
    /// # Errors
    /// If it cannot be started: separate paths require root.
    pub fn spawn_in_pod(env: &TestEnv, account: &Account, name: &str, flags: &[&str]) -> Result<Self> {
        let script = "mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io && \
            ln -s \"$FILES\" /run/secrets/kubernetes.io/serviceaccount && exec \"$@\"";
        let mut process = command("unshare", ["--mount", "--", "sh", "-c", script, "sh"]);
        process.arg(in_folder(&env.build.folder, name)?).args(flags);
        process.env("FILES", &account.folder).env("KUBERNETES_SERVICE_HOST", "127.0.0.1");
        process.env("KUBERNETES_SERVICE_PORT", &account.port).env_remove("KUBECONFIG");
        let log = env.folder()?.join("logs").join(format!("{name}-in-pod.log"));
        Self::run(env, process, format!("{name}-in-pod"), log)
    }

    /// The same with a proxy between it and the API server.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn_behind(env: &TestEnv, proxy: Option<&Proxy>, name: &str, flags: &[&str]) -> Result<Self> {
        Self::start_process(env, proxy, name, name, flags)
    }

    /// Starts another program in place of a controller, with its permissions.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn_as(env: &TestEnv, name: &str, program: &str, flags: &[&str]) -> Result<Self> {
        Self::start_process(env, None, name, program, flags)
    }

    fn start_process(
        env: &TestEnv,
        proxy: Option<&Proxy>,
        name: &str,
        program: &str,
        flags: &[&str],
    ) -> Result<Self> {
        let folder = env.folder()?;
        let mut admin = fs::read_to_string(folder.join("admin.kubeconfig"))?;
        if let Some(proxy) = proxy {
            let server = admin.lines().find_map(|line| line.trim().strip_prefix("server: "));
            admin = admin.replace(server.context("kubeconfig without a server")?, &proxy.url());
        }
        // A user that no test program has used on this cluster, because its requests are counted.
        let (user, kubeconfig, mut file) = (0..pki::SLOTS)
            .map(|slot| format!("{name}-{slot}"))
            .find_map(|user| {
                let kubeconfig = folder.join(format!("{user}.kubeconfig"));
                let file = File::create_new(&kubeconfig).ok()?;
                Some((user, kubeconfig, file))
            })
            .context("no user left")?;
        file.write_all(admin.replace(&pki::token("admin"), &pki::token(&user)).as_bytes())?;
        let log = folder.join("logs").join(format!("{user}.log"));
        let mut process = command(in_folder(&env.build.folder, program)?, flags);
        process.env("KUBECONFIG", &kubeconfig);
        Self::run(env, process, user, log)
    }

    fn run(env: &TestEnv, mut process: Command, user: String, log: PathBuf) -> Result<Self> {
        let port = free_port()?;
        process.env("POD_NAME", &user).envs(env.build.environment.iter().copied());
        process.args([format!("--admin-addr=127.0.0.1:{port}"), env.build.log.to_owned()]);
        let child = log_to(&mut process, &log)?.spawn().with_context(|| format!("cannot start {user}"))?;
        Ok(Self { user, child, port, log })
    }

    /// The address of its metrics.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// When it ends or does not become ready.
    pub async fn ready(&self, env: &TestEnv) -> Result<()> {
        env.until(&format!("{} (log {})", self.user, self.log.display()), || async {
            self.get("readyz").map(drop)
        })
        .await
    }

    /// Waits until it completed a number of reconciles, and no failed object waits for a retry.
    ///
    /// # Errors
    /// When it does not.
    pub async fn reconciled(&self, env: &TestEnv, number: u64) -> Result<()> {
        env.until("reconciles", || async {
            let (made, failed) = (self.reconciles()?, self.metric("function_mesh_backoff_objects")?);
            ensure!(made >= number, "{made} of {number} reconciles made");
            ensure!(failed == 0, "{failed} objects are to be tried again");
            Ok(())
        })
        .await
    }

    /// Sum of a metric over all labels.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub fn metric(&self, name: &str) -> Result<u64> {
        Ok(sum(&self.get("metrics")?, name))
    }

    /// The response of the admin server.
    ///
    /// # Errors
    /// If there is none, or an error.
    pub fn get(&self, path: &str) -> Result<String> {
        request(self.port, "GET", &format!("/{path}"), "")
    }

    /// Waits until it has nothing to do: no retry is pending, nothing runs, nothing was done in the meantime, and the process
    /// slept at each check: a slow process is not idle. Earlier effects have to be awaited before.
    ///
    /// # Errors
    /// If it continues to work, or ended.
    pub async fn until_idle(&self, env: &TestEnv) -> Result<()> {
        env.until(&format!("{} becomes idle", self.user), || async {
            const GAUGES: [&str; 2] = ["function_mesh_reconciles_running", "function_mesh_backoff_objects"];
            let before = self.reconciles()?;
            for _ in 0..LOOKS {
                tokio::time::sleep(BETWEEN).await;
                let state = self.stat()?.state;
                ensure!(state == "S", "the process is in state {state}");
                // One request for all gauges: responding is work as well.
                let text = self.get("metrics")?;
                for gauge in GAUGES {
                    let number = sum(&text, gauge);
                    ensure!(number == 0, "{gauge} is {number}");
                }
                let now = sum(&text, RECONCILES);
                ensure!(now == before, "{} more reconciles", now - before);
            }
            Ok(())
        })
        .await
    }

    /// Number of reconciles so far.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub fn reconciles(&self) -> Result<u64> {
        self.metric(RECONCILES)
    }

    /// Time on a CPU so far, in hundredths of a second.
    ///
    /// # Errors
    /// When the process ended.
    pub fn cpu(&self) -> Result<Duration> {
        Ok(self.stat()?.cpu)
    }

    /// Memory in KiB.
    ///
    /// # Errors
    /// When the process ended.
    pub fn memory(&self) -> Result<Memory> {
        let read = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", self.child.id()));
        let (status, rollup) = (read("status")?, read("smaps_rollup")?);
        let field = |text: &str, name: &str| -> Result<u64> {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .with_context(|| format!("no {name}"))?;
            let number = line.trim_start_matches(':').split_whitespace().next();
            Ok(number.unwrap_or_default().parse()?)
        };
        Ok(Memory {
            resident: field(&status, "VmRSS")?,
            highest: field(&status, "VmHWM")?,
            proportional: field(&rollup, "Pss")?,
        })
    }

    /// The kernel's data about the process.
    fn stat(&self) -> Result<Stat> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))
            .with_context(|| format!("{} ended; log {}", self.user, self.log.display()))?;
        // After the name, which may contain any character.
        let (_, rest) = text.rsplit_once(") ").context("no state")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let ticks = |index: usize| fields.get(index).and_then(|t| t.parse::<u64>().ok()).unwrap_or_default();
        // `utime` and `stime`, in hundredths of a second, as Linux reports them.
        let cpu = Duration::from_millis(10 * (ticks(11) + ticks(12)));
        Ok(Stat { state: fields.first().copied().unwrap_or_default().to_owned(), cpu })
    }

    /// Its log so far.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// Whether it ended by itself.
    ///
    /// # Errors
    /// When it cannot be asked for.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Kills the process at once; it is gone when this returns.
    pub fn kill(&mut self) {
        // An ended process is the desired state.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal that it survives, such as `STOP` or `CONT`.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn send(&self, signal: &str) -> Result<()> {
        output(&mut command("kill", [format!("-{signal}"), self.child.id().to_string()])).map(drop)
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ended(&mut self, env: &TestEnv) -> Result<ExitStatus> {
        let child = std::sync::Mutex::new(&mut self.child);
        env.until(&format!("end of {}", self.user), || async {
            let mut child = child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            child.try_wait()?.context("it runs")
        })
        .await
    }

    /// Waits until it holds its lease.
    ///
    /// # Errors
    /// When it never does.
    pub async fn leads(&self, env: &TestEnv) -> Result<()> {
        env.until(&format!("{} leads", self.user), || async {
            ensure!(self.metric("function_mesh_leader")? == 1, "it does not lead");
            Ok(())
        })
        .await
    }

    /// Sends a signal, such as `TERM`, and waits for the end.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub fn signal(mut self, signal: &str) -> Result<ExitStatus> {
        output(&mut command("kill", [format!("-{signal}"), self.child.id().to_string()]))?;
        Ok(self.child.wait()?)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sum of a metric over all labels, in the text format of Prometheus.
fn sum(text: &str, name: &str) -> u64 {
    let values = text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit_once(' '));
    values.filter_map(|(_, value)| value.parse::<u64>().ok()).sum()
}

/// The credentials of a pod's service account: a token and the CA certificate of the API server, each in a file.
pub struct Account {
    folder: PathBuf,
    port: String,
}

impl Account {
    /// Writes the files next to those of the cluster.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn new(env: &TestEnv, token: &str) -> Result<Self> {
        let folder = env.folder()?.join("serviceaccount");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("namespace"), crate::operator::NAMESPACE)?;
        let port = env.config().cluster_url.port_u16().context("API server without a port")?.to_string();
        let this = Self { folder, port };
        this.write_token(token)?;
        this.write_authority(env)?;
        Ok(this)
    }

    /// Replaces the token.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_token(&self, token: &str) -> Result<()> {
        self.replace("token", token.as_bytes())
    }

    /// Replaces the CA certificate by the cluster's current one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_authority(&self, env: &TestEnv) -> Result<()> {
        self.replace("ca.crt", &fs::read(env.folder()?.join("ca.crt"))?)
    }

    /// Atomically, as the kubelet does: no reader sees half a file.
    fn replace(&self, file: &str, content: &[u8]) -> Result<()> {
        let new = self.folder.join(format!("{file}.new"));
        fs::write(&new, content)?;
        Ok(fs::rename(new, self.folder.join(file))?)
    }
}

/// Memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// Highest so far.
    pub highest: u64,
    /// Resident, with shared pages counted proportionally.
    pub proportional: u64,
}

struct Stat {
    /// The process state as one letter; `S` is sleeping.
    state: String,
    cpu: Duration,
}

/// A free port that the kernel does not assign before the controller binds it: below the range of ephemeral ports.
fn free_port() -> Result<u16> {
    const FIRST: u16 = 10_000;
    const NUMBER: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Concurrent test programs start at different ports.
    let begin = u16::try_from(std::process::id() % 200)? * 100;
    (0..NUMBER)
        .map(|_| FIRST + (begin + NEXT.fetch_add(1, Ordering::Relaxed) % NUMBER) % NUMBER)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no free port on 127.0.0.1")
}

/// A binary of this build.
///
/// # Errors
/// When it is not built.
pub fn binary(name: &str) -> Result<PathBuf> {
    in_folder(&Build::debug().folder, name)
}

fn in_folder(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    if !path.is_file() {
        bail!("{} is not built: run `cargo build --workspace` or `make test`", path.display());
    }
    Ok(path)
}
