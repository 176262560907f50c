//! The cluster a test runs in.

use crate::operator::Kubectl;
use crate::paths;
use crate::shell::{output, run};
use crate::testing::audit::Audit;
use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, PostParams};
use kube::{Client, Config};
use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// Longest wait for a condition. Generous: a slow machine is no error.
const PATIENCE: Duration = Duration::from_secs(120);
static PREPARED: OnceCell<()> = OnceCell::const_new();
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A cluster, as its administrator sees it.
#[derive(Clone)]
pub struct Rig {
    /// The administrator's connection.
    pub client: Client,
    /// kubectl and helm.
    pub kubectl: Kubectl,
    folder: Option<PathBuf>,
}

impl Rig {
    /// Connects to the cluster of `KUBECONFIG`.
    ///
    /// # Errors
    /// When there is none; the message says how tests are run.
    pub async fn connect() -> Result<Self> {
        let Some(kubeconfig) = std::env::var_os("KUBECONFIG") else {
            bail!("this test needs a cluster: run it with `make test` or `make e2e`, or set KUBECONFIG");
        };
        let client = Client::try_from(Config::infer().await?)?;
        let folder = std::env::var_os("FUNCTION_MESH_E2E").map(PathBuf::from);
        Ok(Self { client, kubectl: Kubectl::new(kubeconfig.into()), folder })
    }

    /// Installs the kinds and the rights of the controllers, once for all tests of a program.
    ///
    /// # Errors
    /// When the API server refuses them.
    pub async fn prepare(&self) -> Result<()> {
        PREPARED
            .get_or_try_init(|| async {
                let path = |folder: &str| paths::root().join("config").join(folder).display().to_string();
                let apply = |what: &str| {
                    run(&mut self.kubectl.with([
                        "apply",
                        "--server-side",
                        "--force-conflicts",
                        "-k",
                        &path(what),
                    ]))
                };
                apply("crd")?;
                self.kubectl.namespace(crate::operator::NAMESPACE)?;
                apply("rbac")?;
                for controller in ["function", "source", "sink", "mesh"] {
                    let name = format!("{controller}-controller");
                    self.kubectl.apply(crate::operator::NAMESPACE, &bindings(&name))?;
                }
                let plurals = ["functions", "sources", "sinks", "functionmeshes", "backendconfigs"];
                for plural in plurals {
                    let get = format!("get --raw=/apis/compute.functionmesh.io/v1alpha1/{plural}");
                    self.until("kinds", || async { output(&mut self.kubectl.words(&get)) }).await?;
                }
                Ok(())
            })
            .await
            .copied()
    }

    /// Runs a test in a namespace of its own. What is in it is written to a folder when the test fails.
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
            self.keep(name, &namespace);
        }
        match api.delete(&namespace, &DeleteParams::background()).await {
            // The test may have done it.
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            deleted => drop(deleted?),
        }
        result
    }

    /// Waits until an attempt succeeds; its last error is the error.
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
                Err(error) if started.elapsed() > PATIENCE => {
                    return Err(error.context(format!("{what}: not within {} s", PATIENCE.as_secs())));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// The requests made so far. Only clusters that tests bring up themselves have a log.
    ///
    /// # Errors
    /// When there is no log.
    pub fn audit(&self) -> Result<Audit> {
        Audit::read(&self.folder()?.join("audit.log"))
    }

    /// Files of the cluster.
    ///
    /// # Errors
    /// When the cluster is somebody else's.
    pub fn folder(&self) -> Result<&PathBuf> {
        self.folder.as_ref().context("this test reads the audit log: run it with `make test` or `make e2e`")
    }

    /// Events, objects and logs of a failed test.
    fn keep(&self, test: &str, namespace: &str) {
        let folder = paths::cache().join("failed").join(test);
        if let Err(error) = fs::create_dir_all(&folder) {
            eprintln!("nothing kept of {test}: {error}");
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
        for (file, words) in reports {
            let found = output(&mut self.kubectl.words(&words)).unwrap_or_else(|error| format!("{error:#}"));
            // A report that cannot be written must not hide the failure it is about.
            let _ = fs::write(folder.join(file), found);
        }
        eprintln!("what was there is in {}", folder.display());
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
