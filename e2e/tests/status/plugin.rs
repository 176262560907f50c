//! The plugin of kubectl on a real API server: what its commands print, their exit codes, and that they write nothing but what
//! they are asked to.

mod secrets;

use anyhow::{Context, Result, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{
    AVAILABLE, api, condition, create, function_spec, functions, merge, until_ready,
};
use e2e::testing::plugin::{Plugin, versions};
use e2e::testing::{Controller, TestEnv};
use kube::api::{Api, DynamicObject, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A mesh of two Functions and a Function of its own, all ready.
struct Cluster {
    env: TestEnv,
    namespace: String,
    plugin: Plugin,
    functions: Api<DynamicObject>,
    _controllers: [Controller; 2],
    _statefulsets: FakeStatefulSetController,
}

impl Cluster {
    async fn start(env: TestEnv, namespace: String) -> Result<Self> {
        let statefulsets = FakeStatefulSetController::start(&env, &namespace);
        let controllers = [
            Controller::start(&env, "function-controller", &namespace).await?,
            Controller::start(&env, "mesh-controller", &namespace).await?,
        ];
        let functions = functions(&env, &namespace);
        let cluster = Self {
            plugin: Plugin::new(&env, &namespace),
            _controllers: controllers,
            _statefulsets: statefulsets,
            functions,
            env,
            namespace,
        };
        let meshes = api(&cluster.env, &cluster.namespace, "FunctionMesh", "functionmeshes");
        create(&meshes, "FunctionMesh", "orders", &mesh_spec("/pulsar/a.jar")).await?;
        create(&cluster.functions, "Function", "lone", &function_spec()).await?;
        for name in ["orders-first", "orders-second", "lone"] {
            until_ready(&cluster.env, &cluster.functions, name, AVAILABLE).await?;
        }
        cluster
            .env
            .until("the mesh", || async {
                let (status, reason, message) = condition(&meshes, "orders", "Ready").await?;
                ensure!(status == "True", "{reason}: {message}");
                Ok(())
            })
            .await?;
        Ok(cluster)
    }

    /// Names of the objects that differ from what they were, with those that are new or gone.
    fn changed(&self, before: &BTreeMap<String, String>) -> Result<Vec<String>> {
        let after = versions(&self.env, &self.namespace)?;
        let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
        names.sort();
        names.dedup();
        names.retain(|name| before.get(name) != after.get(name));
        Ok(names)
    }

    async fn annotation(&self, name: &str, key: &str) -> Result<Option<String>> {
        let annotations = self.functions.get(name).await?.metadata.annotations.unwrap_or_default();
        Ok(annotations.get(&format!("compute.functionmesh.io/{key}")).cloned())
    }

    async fn backend_config(&self, env: Value) -> Result<()> {
        let configs = api(&self.env, &self.namespace, "BackendConfig", "backendconfigs");
        let config = json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "BackendConfig",
            "metadata": {"name": "backend-config"}, "spec": {"env": env}});
        configs.create(&PostParams::default(), &serde_json::from_value(config)?).await?;
        Ok(())
    }
}

fn mesh_spec(jar: &str) -> Value {
    let component = |name: &str, input: &str, output: &str| {
        let mut spec = function_spec();
        spec["name"] = json!(name);
        spec["java"]["jar"] = json!(jar);
        spec["input"]["topics"] = json!([input]);
        spec["output"]["topic"] = json!(output);
        spec
    };
    json!({"functions": [component("first", "in", "between"), component("second", "between", "out")]})
}

fn mesh(jar: &str) -> Value {
    json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "FunctionMesh", "metadata": {"name": "orders"},
        "spec": mesh_spec(jar)})
}

/// `plan`, `status`, `graph` and `check`: they read.
fn reads(cluster: &Cluster) -> Result<()> {
    let plugin = &cluster.plugin;
    let before = versions(&cluster.env, &cluster.namespace)?;
    plugin
        .with_file(&["plan"], &[mesh("/pulsar/a.jar")])?
        .expect(0, &["Restarts or deletes 0 pods", "unchanged"])?;
    let planned = plugin.with_file(&["plan"], &[mesh("/pulsar/b.jar")])?;
    planned.expect(
        2,
        &["Restarts or deletes 2 pods", "spec.java.jar: \"/pulsar/a.jar\" -> \"/pulsar/b.jar\""],
    )?;
    let mut refused = mesh("/pulsar/a.jar");
    refused["spec"]["functions"][0]["replicas"] = json!(-1);
    let report = plugin.with_file(&["plan", "--output=json"], &[refused])?;
    ensure!(report.expect(1, &[])?.json()?["items"][0]["result"] == "Refused", "{report:#?}");
    plugin.run(&["plan", "--all"])?.expect(0, &["3 unchanged"])?;
    plugin.run(&["plan", "--filename", "/does/not/exist"])?.expect(1, &[])?;

    plugin.run(&["status"])?.expect(0, &["FunctionMesh ", "lone", "AllReplicasAvailable"])?;
    let tree = plugin.run(&["status", "functionmesh", "orders"])?;
    tree.expect(
        0,
        &["├─ Function ", "orders-first", "StatefulSet orders-second-function", "1/1 pods ready"],
    )?;
    ensure!(!tree.stdout.contains('\x1b'), "colours without a terminal: {tree:#?}");
    let items = plugin.run(&["status", "--output=json"])?.expect(0, &[])?.json()?;
    ensure!(
        items["items"].as_array().is_some_and(|items| items.iter().all(|i| i["ready"] == true)),
        "{items}"
    );
    plugin.run(&["status", "function", "nobody"])?.expect(1, &[])?;

    plugin.run(&["graph"])?.expect(0, &["flowchart", "between"])?;
    // `lone` shares its input topic with a component, under a subscription of its own.
    plugin.run(&["check"])?.expect(0, &[])?;
    let mut cyclic = mesh("/pulsar/a.jar");
    cyclic["spec"]["functions"][1]["output"]["topic"] = json!("in");
    plugin.with_file(&["check"], &[cyclic])?.expect(2, &["cycle"])?;

    // Verbs that have nothing to do, or may not do it.
    plugin.run(&["approve", "--all", "--yes"])?.expect(0, &[])?;
    plugin.run(&["pause", "function", "lone", "--dry-run"])?.expect(0, &["function "])?;
    let unasked = plugin.run(&["pause", "function", "lone"])?;
    ensure!(unasked.code == 1 && unasked.stderr.contains("use --yes"), "{unasked:#?}");
    let changed = cluster.changed(&before)?;
    ensure!(changed.is_empty(), "these were written: {changed:?}");
    Ok(())
}

/// `pause` and `resume`: one annotation each.
async fn pauses(cluster: &Cluster) -> Result<()> {
    for (verb, value) in [("pause", Some("true")), ("resume", None)] {
        let before = versions(&cluster.env, &cluster.namespace)?;
        cluster.plugin.run(&[verb, "function", "lone", "--yes"])?.expect(0, &["function "])?;
        let found = cluster.annotation("lone", "pause-rollout").await?;
        ensure!(found.as_deref() == value, "{verb}: {found:?}");
        let changed = cluster.changed(&before)?;
        ensure!(changed == ["Function lone"], "{verb}: {changed:?}");
        let again = cluster.plugin.run(&[verb, "function", "lone", "--yes"])?;
        ensure!(again.expect(0, &[])?.stderr.contains("function "), "{again:#?}");
    }
    Ok(())
}

/// `approve`: what is approved is rolled out, and nothing else.
async fn approves(cluster: &Cluster) -> Result<()> {
    cluster.backend_config(json!({"FROM_CONFIG": "x"})).await?;
    for name in ["orders-first", "orders-second", "lone"] {
        cluster
            .env
            .until("a pending update", || async {
                condition(&cluster.functions, name, "UpdateAvailable").await.map(drop)
            })
            .await?;
    }
    let before = versions(&cluster.env, &cluster.namespace)?;
    let shown = cluster.plugin.run(&["approve", "--all", "--dry-run"])?;
    shown.expect(0, &["FROM_CONFIG", "orders-first", "lone", "replaces up to 1 pod"])?;
    cluster
        .plugin
        .run(&["plan", "--all"])?
        .expect(0, &["3 waiting for approval", "kubectl fmesh approve function lone"])?;
    ensure!(cluster.changed(&before)?.is_empty(), "{:?}", cluster.changed(&before)?);
    cluster.plugin.run(&["approve", "fn", "lone", "--yes", "--wait"])?.expect(0, &["approved"])?;
    let changed = cluster.changed(&before)?;
    ensure!(changed == ["Function lone", "StatefulSet lone-function"], "{changed:?}");
    // A mesh stands for its components.
    cluster
        .plugin
        .run(&["approve", "fmesh", "orders", "--yes", "--wait"])?
        .expect(0, &["orders-first", "orders-second"])?;
    cluster.plugin.run(&["plan", "--all"])?.expect(0, &["3 unchanged"])?;
    Ok(())
}

/// `recreate`, and the exit code of `status` while something is not ready.
async fn recreates(cluster: &Cluster) -> Result<()> {
    let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}}}});
    merge(&cluster.functions, "lone", json!({"spec": {"volumeClaimTemplates": [claim]}})).await?;
    until_ready(&cluster.env, &cluster.functions, "lone", ("False", "RecreateRequired")).await?;
    cluster.plugin.run(&["status"])?.expect(3, &["RecreateRequired", "1 of 2 objects ready"])?;
    cluster.plugin.run(&["status", "function", "lone"])?.expect(3, &["What to do:"])?;
    let wrong = cluster.plugin.run(&["approve", "function", "lone", "--yes"])?;
    ensure!(wrong.expect(0, &[])?.stderr.contains("kubectl fmesh recreate"), "{wrong:#?}");
    cluster
        .plugin
        .run(&["recreate", "function", "lone", "--yes", "--wait"])?
        .expect(0, &["will be recreated"])?;
    cluster.plugin.run(&["status"])?.expect(0, &["2 of 2 objects ready"])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_says_what_is_and_writes_only_what_it_is_asked_to() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("plugin", |env, namespace| async move {
        let cluster = Cluster::start(env, namespace).await?;
        reads(&cluster).context("reading")?;
        pauses(&cluster).await.context("pausing")?;
        approves(&cluster).await.context("approving")?;
        recreates(&cluster).await.context("recreating")
    })
    .await
}
