//! Objects and children that the Go operator left are taken over as a whole.

use anyhow::{Context, Result, bail, ensure};
use e2e::cluster::ApiOnly;
use e2e::shell;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{
    AVAILABLE, create, function_spec, functions, merge, until_condition, until_ready,
};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::EnvVar;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

/// As the Go operator.
fn go_operator() -> PostParams {
    PostParams { field_manager: Some("manager".to_owned()), ..PostParams::default() }
}

/// Writes a StatefulSet as the Go operator does after a switch back: the whole object, with another program.
async fn rewritten(env: &TestEnv, namespace: &str, name: &str) -> Result<StatefulSet> {
    let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), namespace);
    let name = format!("{name}-function");
    let mut set = sets.get(&name).await?;
    let pod = set.spec.template.spec.as_mut().context("no pod")?;
    let container = pod.containers.first_mut().context("no container")?;
    container.command = Some(vec!["sh".to_owned(), "-c".to_owned(), "go".to_owned()]);
    let variable = EnvVar { name: "GO".to_owned(), value: Some("1".to_owned()), value_from: None };
    container.env.get_or_insert_default().push(variable);
    Ok(sets.replace(&name, &go_operator(), &set).await?)
}

fn variables(set: &StatefulSet) -> Vec<String> {
    let containers = set.spec.template.spec.iter().flat_map(|pod| &pod.containers);
    containers.flat_map(|c| c.env.iter().flatten()).map(|variable| variable.name.clone()).collect()
}

async fn pending_hash(functions: &Api<DynamicObject>, name: &str) -> Result<String> {
    let object = functions.get(name).await?;
    let hash = object.data.pointer("/status/statefulSet/pendingHash").and_then(Value::as_str);
    hash.map(str::to_owned).context("no pending hash")
}

async fn annotate(functions: &Api<DynamicObject>, name: &str, key: &str, value: &str) -> Result<()> {
    let key = format!("compute.functionmesh.io/{key}");
    merge(functions, name, json!({"metadata": {"annotations": {key: value}}})).await
}

/// To the Go operator and back: its changes are taken over again although the annotations of this operator remain.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_switch_restarts_nothing() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("second", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let functions = functions(&env, &namespace);
        let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        for name in ["f0", "f1", "f2"] {
            create(&functions, "Function", name, &function_spec()).await?;
        }
        for name in ["f0", "f1", "f2"] {
            until_ready(&env, &functions, name, AVAILABLE).await?;
        }
        controller.signal("TERM")?;

        // The second one was changed in the meantime, and the Go operator observed that; a user edited the third one.
        merge(&functions, "f1", json!({"spec": {"image": "example.com/image:2"}})).await?;
        let status = json!({"status": {"observedGeneration": 2, "statefulSet": null}});
        functions.patch_status("f1", &PatchParams::default(), &Patch::Merge(status)).await?;
        let (f0, f1) = (rewritten(&env, &namespace, "f0").await?, rewritten(&env, &namespace, "f1").await?);
        let person = PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
        let edit = Patch::Merge(json!({"spec": {"minReadySeconds": 1}}));
        sets.patch("f2-function", &person, &edit).await?;

        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        for (name, written) in [("f0", &f0), ("f1", &f1)] {
            let waits = ("True", "AdoptedFromGoOperator");
            let message = until_condition(&env, &functions, name, "UpdateAvailable", waits).await?;
            ensure!(message.contains("command changed") && message.contains("env GO removed"), "{message}");
            until_ready(&env, &functions, name, AVAILABLE).await?;
            let set = sets.get(&format!("{name}-function")).await?;
            ensure!(set.metadata.generation == written.metadata.generation, "{name}: {:?}", set.spec);
        }
        env.until("the edit is undone", || async {
            let seconds = sets.get("f2-function").await?.spec.min_ready_seconds;
            if seconds == Some(5) { Ok(()) } else { bail!("{seconds:?}") }
        })
        .await?;
        let counts = env.audit()?.by(&controller.user).counts();
        ensure!(counts["patch statefulsets"] == 3, "{counts:?}");
        controller.signal("TERM")?;

        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        controller.reconciled(&env, 3).await?;
        let writes = env.audit()?.by(&controller.user).writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());

        let hash = pending_hash(&functions, "f0").await?;
        annotate(&functions, "f0", "approve-update", &hash).await?;
        env.until("what the Go operator wrote goes", || async {
            let set = sets.get("f0-function").await?;
            if variables(&set).contains(&"GO".to_owned()) { bail!("it is there") } else { Ok(()) }
        })
        .await?;
        Ok(())
    })
    .await
}

/// A StatefulSet with immutable fields that differ from the rendering.
async fn made_otherwise(env: &TestEnv, namespace: &str, name: &str) -> Result<()> {
    let sets: Api<StatefulSet> = Api::namespaced(env.client.clone(), namespace);
    let functions = functions(env, namespace);
    let full = format!("{name}-function");
    let owner = functions.get(name).await?.metadata.uid;
    let labels = json!({
        "app": "function-mesh", "app.kubernetes.io/instance": full, "app.kubernetes.io/name": full,
        "component": "function", "name": name, "namespace": namespace,
        "compute.functionmesh.io/app": "function-mesh", "compute.functionmesh.io/component": "function",
        "compute.functionmesh.io/name": name, "compute.functionmesh.io/namespace": namespace,
    });
    let container =
        json!({"name": "pulsar-function", "image": "example.com/image:1", "command": ["sh", "-c", "go"]});
    let set: StatefulSet = serde_json::from_value(json!({
        "metadata": {"name": full, "labels": labels, "ownerReferences": [{
            "apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "Function", "name": name, "uid": owner,
            "controller": true, "blockOwnerDeletion": true}]},
        "spec": {"replicas": 1, "serviceName": "another", "podManagementPolicy": "OrderedReady",
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}},
    }))?;
    sets.create(&go_operator(), &set).await?;
    Ok(())
}

/// The live fields are compared before the approval, without a write that the API server refuses.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_change_is_known_before_it_is_approved() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("fixed", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let functions = functions(&env, &namespace);
        for name in ["f0", "f1"] {
            create(&functions, "Function", name, &function_spec()).await?;
            made_otherwise(&env, &namespace, name).await?;
        }
        annotate(&functions, "f1", "pause-rollout", "false").await?;
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let waits = ("True", "AdoptedFromGoOperator");
        let message = until_condition(&env, &functions, "f0", "UpdateAvailable", waits).await?;
        ensure!(
            message.contains("serviceName, podManagementPolicy")
                || message.contains("podManagementPolicy, serviceName"),
            "{message}"
        );
        ensure!(message.contains("cannot be changed") && message.contains("/recreate="), "{message}");
        ensure!(!message.contains("persistentVolumeClaim") && !message.contains(" more"), "{message}");

        let hash = pending_hash(&functions, "f0").await?;
        annotate(&functions, "f0", "approve-update", &hash).await?;
        let message = until_ready(&env, &functions, "f0", ("False", "RecreateRequired")).await?;
        ensure!(message.contains("serviceName") && message.contains("podManagementPolicy"), "{message}");
        // The same if a change of the spec is the reason for a rollout.
        merge(&functions, "f1", json!({"spec": {"image": "example.com/image:2"}})).await?;
        until_ready(&env, &functions, "f1", ("False", "RecreateRequired")).await?;
        let refused = env.audit()?.by(&controller.user).refused();
        ensure!(refused.requests().is_empty(), "refused: {:?}", refused.counts());

        annotate(&functions, "f0", "recreate", &hash).await?;
        until_ready(&env, &functions, "f0", AVAILABLE).await?;
        Ok(())
    })
    .await
}

/// The way back in docs/migrate.md, except for running the Go operator: the fields that its types require exist, and returning to
/// this operator writes no StatefulSet.
#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_leaves_what_the_go_operator_reads() -> Result<()> {
    let server = ApiOnly::up("wayback")?;
    let env = TestEnv::dedicated(&server).await?;
    let kubeconfig = server.folder().join("admin.kubeconfig");
    env.test("wayback", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let functions = functions(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        create(&functions, "Function", "f0", &function_spec()).await?;
        until_ready(&env, &functions, "f0", AVAILABLE).await?;
        let set: Api<StatefulSet> = Api::namespaced(env.client.clone(), &namespace);
        let before = set.get("f0-function").await?;

        // The defaults of its webhook, while this operator runs: nothing restarts.
        run_of_the_page("defaults", &kubeconfig)?;
        let spec = functions.get("f0").await?.data["spec"].clone();
        for (field, value) in [
            ("autoAck", json!(true)),
            ("maxPendingAsyncRequests", json!(1000)),
            ("forwardSourceMessageProperty", json!(true)),
            ("replicas", json!(1)),
        ] {
            ensure!(spec[field] == value, "{field}: {spec}");
        }
        until_ready(&env, &functions, "f0", AVAILABLE).await?;
        controller.signal("TERM")?;

        // Its kinds, in which the conditions are a map, and a status that they accept.
        let definition = "customresourcedefinitions/functions.compute.functionmesh.io";
        let conditions = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/conditions";
        let map = json!([{"op": "replace", "path": conditions,
            "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}]);
        shell::run(&mut env.kubectl.with(["patch", definition, "--type=json", "-p", &map.to_string()]))?;
        env.until("its kinds", || async {
            run_of_the_page("statuses", &kubeconfig)?;
            let status = functions.get("f0").await?.data["status"].clone();
            ensure!(status["conditions"] == json!({}), "{status}");
            Ok(())
        })
        .await?;
        env.install().await?;

        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        until_ready(&env, &functions, "f0", AVAILABLE).await?;
        let after = set.get("f0-function").await?;
        ensure!(after.metadata.generation == before.metadata.generation, "{:?}", after.spec);
        let counts = env.audit()?.by(&controller.user).writes().counts();
        ensure!(!counts.contains_key("patch statefulsets"), "{counts:?}");
        Ok(())
    })
    .await
}

/// Settings without effect are accepted with a warning.
#[tokio::test(flavor = "multi_thread")]
async fn kubectl_warns_about_settings_without_effect() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("warned", |env, namespace| async move {
        let java = json!({"className": "a.B", "java": {"jar": "/a.jar"}});
        let go = |pulsar: Value| json!({"golang": {"go": "/go"}, "pulsar": pulsar});
        let oauth = json!({"pulsarConfig": "p", "authConfig": {"oauth2Config": {"audience": "a", "issuerUrl": "https://i",
            "keySecretName": "s", "keySecretKey": "k"}}});
        let token = json!({"pulsarConfig": "p", "authSecret": "s"});
        let with = |spec: &Value, more: Value| -> Value {
            let mut spec = spec.clone();
            if let (Some(fields), Value::Object(more)) = (spec.as_object_mut(), more) {
                fields.extend(more);
            }
            spec
        };
        let cases = [
            (with(&java, json!({"autoAck": false})), Some("spec.autoAck: false has no effect")),
            (with(&java, json!({"autoAck": false, "processingGuarantee": "manual"})), None),
            (java.clone(), None),
            (go(oauth), Some("spec.pulsar.authConfig with another plugin than that for tokens has no effect")),
            (go(token), None),
        ];
        for (spec, warning) in cases {
            let topics = json!({"input": {"topics": ["a"]}, "output": {"topic": "b"}});
            let mut spec = with(&spec, topics);
            if spec["pulsar"].is_null() {
                spec["pulsar"] = json!({"pulsarConfig": "p"});
            }
            let manifest = json!({"apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "Function",
                "metadata": {"name": "warned", "namespace": namespace}, "spec": spec});
            env.until("the warning", || async {
                let mut kubectl = env.kubectl.with(["create", "--dry-run=server", "-f", "-"]);
                let mut child = kubectl.stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::null()).spawn()?;
                child.stdin.take().context("no input")?.write_all(manifest.to_string().as_bytes())?;
                let output = child.wait_with_output()?;
                let said = String::from_utf8_lossy(&output.stderr);
                ensure!(output.status.success(), "{said}");
                match warning {
                    Some(warning) => ensure!(said.contains(warning), "{said}"),
                    None => ensure!(!said.contains("no effect"), "{said}"),
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .await
}

/// Runs commands of the page, so that the documented commands are tested.
fn run_of_the_page(name: &str, kubeconfig: &Path) -> Result<()> {
    let page = std::fs::read_to_string(e2e::paths::root().join("docs/migrate.md"))?;
    let (_, rest) = page.split_once(&format!("<!-- {name} -->\n")).context("no commands")?;
    let (_, rest) = rest.split_once("```sh\n").context("no block")?;
    let (commands, _) = rest.split_once("```").context("no end")?;
    let tools = e2e::paths::binary("kubectl").parent().context("no folder")?.display().to_string();
    let path = format!("{tools}:{}", std::env::var("PATH")?);
    let script = format!("set -o pipefail\n{commands}");
    let mut shell = shell::command("bash", ["-ec", script.as_str()]);
    shell::run(shell.env("KUBECONFIG", kubeconfig).env("PATH", path))
}

/// A plain `kubectl apply`, which stores each definition in an annotation, can install the kinds.
#[tokio::test(flavor = "multi_thread")]
async fn the_kinds_fit_into_the_annotation_of_kubectl_apply() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let folder = e2e::paths::root().join("config/crd/functionmeshes.yaml");
    let file = folder.to_str().context("no path")?;
    let name = "customresourcedefinitions/functionmeshes.compute.functionmesh.io";
    let list = shell::output(&mut env.kubectl.with(["get", name, "--output=json"]))?;
    let before: Value = serde_json::from_str(&list)?;
    shell::run(&mut env.kubectl.with(["apply", "--filename", file]))?;
    let list = shell::output(&mut env.kubectl.with(["get", name, "--output=json"]))?;
    let after: Value = serde_json::from_str(&list)?;
    ensure!(after["spec"] == before["spec"], "another definition");
    let stored =
        after["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"].as_str();
    let size = stored.context("not stored")?.len();
    ensure!(size < 225_000, "{size} bytes");
    let without =
        json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": null}}});
    shell::run(&mut env.kubectl.with(["patch", name, "--type=merge", "--patch", &without.to_string()]))?;
    Ok(())
}
