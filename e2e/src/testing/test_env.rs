//! The cluster that a test runs in.

use crate::cluster::{ApiOnly, pki};
use crate::operator::Kubectl;
use crate::paths;
use crate::shell::{output, run};
use crate::testing::audit::{Audit, Mark};
use crate::testing::etcd::Etcd;
use crate::testing::installed;
use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// Longest wait for a condition. Generous, because a slow machine is no error.
const TIMEOUT: Duration = Duration::from_secs(120);
static PREPARED: OnceCell<()> = OnceCell::const_new();
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A cluster, with administrator access.
#[derive(Clone)]
pub struct TestEnv {
    /// The administrator's connection.
    pub client: Client,
    /// kubectl and helm.
    pub kubectl: Kubectl,
    /// The binaries of the controllers, and their log level.
    pub build: Build,
    // Shared, because it is large and is copied into every test.
    config: Arc<Config>,
    folder: Option<PathBuf>,
    timeout: Duration,
}

/// The controllers that are run.
#[derive(Clone, Debug)]
pub struct Build {
    /// Folder of the binaries.
    pub folder: PathBuf,
    /// Flags of their log.
    pub log: &'static str,
    /// Their environment variables.
    pub environment: &'static [(&'static str, &'static str)],
}

impl Build {
    /// The debug binaries, with a verbose log.
    pub(crate) fn debug() -> Self {
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| paths::root().join("target"), PathBuf::from);
        Self {
            folder: target.join("debug"),
            log: "--log-level=debug,hyper=info,tower=info,rustls=info",
            // Counts of status writes do not depend on the speed of the machine.
            environment: &[("FIRST_STATUS_DELAY", "0")],
        }
    }
}

impl TestEnv {
    /// Connects to the cluster of `KUBECONFIG`.
    ///
    /// # Errors
    /// When there is none; the message says how tests are run.
    pub async fn connect() -> Result<Self> {
        let Some(kubeconfig) = std::env::var_os("KUBECONFIG") else {
            bail!("this test needs a cluster: run it with `make test` or `make e2e`, or set KUBECONFIG");
        };
        let config = Config::infer().await?;
        let client = Client::try_from(config.clone())?;
        let folder = std::env::var_os("FUNCTION_MESH_E2E").map(PathBuf::from);
        let kubectl = Kubectl::new(kubeconfig.into());
        Ok(Self {
            client,
            kubectl,
            build: Build::debug(),
            config: Arc::new(config),
            folder,
            timeout: TIMEOUT,
        })
    }

    /// A cluster whose files are known, with other controllers and another timeout.
    ///
    /// # Errors
    /// When its kubeconfig cannot be read.
    pub async fn new(folder: &Path, build: Build, timeout: Duration) -> Result<Self> {
        let kubeconfig = folder.join("admin.kubeconfig");
        let file = Kubeconfig::read_from(&kubeconfig)
            .with_context(|| format!("kubeconfig {}", kubeconfig.display()))?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        let client = Client::try_from(config.clone())?;
        let kubectl = Kubectl::new(kubeconfig);
        let config = Arc::new(config);
        Ok(Self { client, kubectl, build, config, folder: Some(folder.to_owned()), timeout })
    }

    /// A cluster for this test alone, with the kinds and permissions installed: other tests are unaffected.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn dedicated(server: &ApiOnly) -> Result<Self> {
        let env = Self::new(server.folder(), Build::debug(), TIMEOUT).await?;
        env.install().await?;
        Ok(env)
    }

    /// The debug binaries.
    pub fn debug_build() -> Build {
        Build::debug()
    }

    /// How the administrator connects.
    pub fn config(&self) -> Config {
        Config::clone(&self.config)
    }

    /// A client for another user of the token file; the administrator's on an existing cluster.
    ///
    /// # Errors
    /// Never in practice: the administrator could connect.
    pub fn client_of(&self, user: &str) -> Result<Client> {
        let mut config = self.config();
        if self.folder.is_some() {
            config.auth_info.token = Some(pki::token(user).into());
        }
        Ok(Client::try_from(config)?)
    }

    /// The token of a user of the token file.
    pub fn token(&self, user: &str) -> String {
        pki::token(user)
    }

    /// Installs the kinds and the permissions of the controllers, once for all tests of a program, and
    /// only if they changed since an earlier program installed them.
    ///
    /// # Errors
    /// When the API server refuses them.
    pub async fn prepare(&self) -> Result<()> {
        let install = || async {
            let folder = self.folder.as_deref();
            if installed::is_current(&self.client, folder).await? {
                return Ok(());
            }
            self.install().await?;
            installed::record(&self.client, folder).await
        };
        PREPARED.get_or_try_init(install).await.copied()
    }

    /// Installs the kinds and the permissions of the controllers.
    ///
    /// # Errors
    /// When the API server refuses them.
    pub async fn install(&self) -> Result<()> {
        let path = |folder: &str| paths::root().join("config").join(folder).display().to_string();
        let apply = |what: &str| {
            run(&mut self.kubectl.with(["apply", "--server-side", "--force-conflicts", "-k", &path(what)]))
        };
        apply("crd")?;
        apply("rbac")?;
        for controller in ["function", "source", "sink", "mesh"] {
            let name = format!("{controller}-controller");
            self.kubectl.apply(crate::operator::NAMESPACE, &bindings(&name))?;
        }
        for plural in ["functions", "sources", "sinks", "functionmeshes", "backendconfigs"] {
            let get = format!("get --raw=/apis/compute.functionmesh.io/v1alpha1/{plural}");
            self.until("kinds", || async { output(&mut self.kubectl.command(&get)) }).await?;
        }
        Ok(())
    }

    /// Runs a test in its own namespace. When it fails, the objects in the namespace are written to a folder.
    ///
    /// # Errors
    /// What the test returns.
    pub async fn test<F>(&self, name: &str, test: impl FnOnce(Self, String) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("{name}-{}-{number}", std::process::id());
        let api: Api<Namespace> = Api::all(self.client.clone());
        let object = serde_json::from_value(serde_json::json!({"metadata": {"name": namespace}}))?;
        api.create(&PostParams::default(), &object).await.context("namespace of the test")?;
        let result = test(self.clone(), namespace.clone()).await;
        if result.is_err() {
            self.keep_diagnostics(name, &namespace);
        }
        match api.delete(&namespace, &DeleteParams::background()).await {
            // The test may have deleted it.
            Err(kube::Error::Api(status)) if status.is_not_found() => result,
            deleted => result.and(deleted.map(drop).map_err(Into::into)),
        }
    }

    /// Deletes a namespace and waits until it is gone.
    ///
    /// # Errors
    /// If it is not deleted; with the remaining objects.
    pub async fn end_namespace(&self, namespace: &str) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(namespace, &DeleteParams::background()).await?;
        self.until("end of the namespace", || async {
            match namespaces.get_opt(namespace).await? {
                None => Ok(()),
                Some(left) => bail!("{:?}", left.status.context("no status")?.conditions),
            }
        })
        .await
    }

    /// Waits until an attempt succeeds; returns its last error otherwise.
    ///
    /// # Errors
    /// The last error of the attempt.
    pub async fn until<T, F>(&self, what: &str, mut attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let started = Instant::now();
        loop {
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) if started.elapsed() > self.timeout => {
                    return Err(error.context(format!("{what}: not within {} s", self.timeout.as_secs())));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// The requests so far. Only clusters that the tests started have a log.
    ///
    /// # Errors
    /// When there is no log.
    pub fn audit(&self) -> Result<Audit> {
        Audit::read(&self.folder()?.join("audit.log"))
    }

    /// The current time. Requests before and after it are distinguished by when the API server received them, not by when it
    /// logged them: a request of the test is the mark.
    ///
    /// # Errors
    /// When there is no log, or the API server does not answer.
    pub async fn mark(&self) -> Result<Mark> {
        let log = self.folder()?.join("audit.log");
        let offset = fs::metadata(&log).with_context(|| format!("audit log {}", log.display()))?.len();
        let name = format!("mark-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // It does not exist; only the request matters.
        Api::<ConfigMap>::namespaced(self.client.clone(), "default").get_opt(&name).await?;
        let written = Mark { offset, received: String::new() };
        self.until("mark in the audit log", || async {
            let found = Audit::since(&log, &written)?.only(|r| r.name() == name);
            let received = found.requests().first().map(|r| r.received().to_owned());
            Ok(Mark { offset, received: received.context("not noted")? })
        })
        .await
    }

    /// The requests made since a mark.
    ///
    /// # Errors
    /// When there is no log.
    pub fn audit_since(&self, mark: &Mark) -> Result<Audit> {
        Audit::since(&self.folder()?.join("audit.log"), mark)
    }

    /// The etcd of the API server, which counts writes that changed something.
    ///
    /// # Errors
    /// If the tests did not start the cluster.
    pub fn etcd(&self) -> Result<Etcd> {
        let file = self.folder()?.join("etcd.port");
        let port = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
        Ok(Etcd::at(port.trim().parse()?))
    }

    /// The same cluster with another timeout.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The timeout of a wait.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Files of the cluster.
    ///
    /// # Errors
    /// If the tests did not start the cluster.
    pub fn folder(&self) -> Result<&PathBuf> {
        self.folder.as_ref().context("this test reads the audit log: run it with `make test` or `make e2e`")
    }

    /// Keeps Events, objects and logs of a failed test.
    fn keep_diagnostics(&self, test: &str, namespace: &str) {
        let folder = paths::cache().join("failed").join(test);
        if let Err(error) = fs::create_dir_all(&folder) {
            eprintln!("cannot keep diagnostics of {test}: {error}");
            return;
        }
        let kinds = "fmesh,fn,src,snk,becfg,statefulsets,services,horizontalpodautoscalers,jobs,pods,events";
        let reports = [
            ("objects.yaml", format!("-n {namespace} get {kinds} -o yaml --ignore-not-found")),
            ("objects.txt", format!("-n {namespace} get {kinds} -o wide --ignore-not-found")),
            (
                "pods.log",
                format!(
                    "-n {namespace} logs --all-containers --prefix --tail=200 -l compute.functionmesh.io/name"
                ),
            ),
        ];
        for (file, text) in reports {
            let found = output(&mut self.kubectl.command(&text)).unwrap_or_else(|error| format!("{error:#}"));
            // A report that cannot be written must not hide the failure.
            let _ = fs::write(folder.join(file), found);
        }
        eprintln!("diagnostics are in {}", folder.display());
    }
}

/// Binds the users of a controller, who are in a group, to its roles.
fn bindings(controller: &str) -> String {
    let role = format!("function-mesh-{controller}");
    let group = "rbac.authorization.k8s.io";
    format!(
        "apiVersion: {group}/v1\nkind: ClusterRoleBinding\nmetadata: {{name: test-{controller}}}\n\
         roleRef: {{apiGroup: {group}, kind: ClusterRole, name: {role}}}\n\
         subjects: [{{apiGroup: {group}, kind: Group, name: {controller}}}]\n---\n\
         apiVersion: {group}/v1\nkind: RoleBinding\nmetadata: {{name: test-{controller}}}\n\
         roleRef: {{apiGroup: {group}, kind: Role, name: {role}-lease}}\n\
         subjects: [{{apiGroup: {group}, kind: Group, name: {controller}}}]\n"
    )
}
