//! The shipped binaries, run by hand against an API server, each under a user of its own.

use crate::cluster::pki;
use crate::paths;
use crate::shell::{command, log_to, output};
use crate::testing::rig::Rig;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};

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
    pub async fn start(rig: &Rig, name: &str, namespace: &str) -> Result<Self> {
        let this =
            Self::spawn(rig, name, &[&format!("--watched-namespace={namespace}"), "--leader-elect=false"])?;
        this.ready(rig).await?;
        Ok(this)
    }

    /// Starts a controller with flags.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(rig: &Rig, name: &str, flags: &[&str]) -> Result<Self> {
        Self::spawn_as(rig, name, name, flags)
    }

    /// Starts another program in a controller's place, with its rights.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn_as(rig: &Rig, name: &str, program: &str, flags: &[&str]) -> Result<Self> {
        let folder = rig.folder()?;
        let admin = std::fs::read_to_string(folder.join("admin.kubeconfig"))?;
        // A user nobody had before, in no test program on this cluster: its requests are counted.
        let (user, kubeconfig, mut file) = (0..pki::SLOTS)
            .map(|slot| format!("{name}-{slot}"))
            .find_map(|user| {
                let kubeconfig = folder.join(format!("{user}.kubeconfig"));
                let file = File::create_new(&kubeconfig).ok()?;
                Some((user, kubeconfig, file))
            })
            .context("no user left")?;
        file.write_all(admin.replace(&pki::token("admin"), &pki::token(&user)).as_bytes())?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = folder.join("logs").join(format!("{user}.log"));
        let mut process = command(binary(program)?, flags);
        process.env("KUBECONFIG", &kubeconfig).env("POD_NAME", &user);
        process.args([
            format!("--admin-addr=127.0.0.1:{port}"),
            "--log-level=debug,hyper=info,tower=info,rustls=info".to_owned(),
        ]);
        let child = log_to(&mut process, &log)?.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { user, child, port, log })
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// When it ends or does not become ready.
    pub async fn ready(&self, rig: &Rig) -> Result<()> {
        rig.until(&format!("{} (log {})", self.user, self.log.display()), || async {
            self.get("readyz").map(drop)
        })
        .await
    }

    /// Waits until it made a number of reconciles.
    ///
    /// # Errors
    /// When it does not.
    pub async fn reconciled(&self, rig: &Rig, number: u64) -> Result<()> {
        rig.until("reconciles", || async {
            let made = self.metric("function_mesh_reconciles_total")?;
            if made < number { bail!("{made} of {number} reconciles made") } else { Ok(()) }
        })
        .await
    }

    /// Sum of a metric over all labels.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub fn metric(&self, name: &str) -> Result<u64> {
        let text = self.get("metrics")?;
        let values = text.lines().filter(|l| l.starts_with(name)).filter_map(|l| l.rsplit_once(' '));
        Ok(values.filter_map(|(_, value)| value.parse::<u64>().ok()).sum())
    }

    /// What the admin server answers.
    ///
    /// # Errors
    /// When it does not, or with an error.
    pub fn get(&self, path: &str) -> Result<String> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port))?;
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        if !head.starts_with("HTTP/1.1 200") {
            bail!("{}: {body}", head.lines().next().unwrap_or_default());
        }
        Ok(body.to_owned())
    }

    /// Its log so far.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
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
        // A process that ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A binary of this build.
///
/// # Errors
/// When it is not built.
pub fn binary(name: &str) -> Result<PathBuf> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| paths::root().join("target"), PathBuf::from);
    let path = target.join("debug").join(name);
    if !path.is_file() {
        bail!("{} is not built: run `cargo build --workspace` or `make test`", path.display());
    }
    Ok(path)
}
