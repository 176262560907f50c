//! A restart on request replaces the pods once, and brings nothing else to them (docs/decisions/0055-restarts-on-request.md).

use anyhow::{Context, Result, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{
    AVAILABLE, api, create, function_spec, functions, merge, until_condition, until_ready,
};
use e2e::testing::plugin::{plan, plugin};
use e2e::testing::{Controller, TestEnv};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::Api;
use serde_json::{Value, json};

const KEY: &str = "compute.functionmesh.io/restarted-at";
const ANNOTATION: &str = "/spec/template/metadata/annotations/compute.functionmesh.io~1restarted-at";

struct Sets(Api<StatefulSet>);

impl Sets {
    async fn get(&self, name: &str) -> Result<Value> {
        Ok(serde_json::to_value(self.0.get(&format!("{name}-function")).await?)?)
    }

    /// Generation, hash and time of the last restart.
    async fn state(&self, name: &str) -> Result<(i64, String, Option<String>)> {
        let set = self.get(name).await?;
        let hash = &set["metadata"]["annotations"]["compute.functionmesh.io/rendered-hash"];
        Ok((
            set["metadata"]["generation"].as_i64().context("generation")?,
            hash.as_str().context("hash")?.to_owned(),
            set.pointer(ANNOTATION).and_then(Value::as_str).map(str::to_owned),
        ))
    }
}

/// The spec without its restart.
fn rest(set: &Value) -> Value {
    let mut spec = set["spec"].clone();
    if let Some(annotations) =
        spec.pointer_mut("/template/metadata/annotations").and_then(Value::as_object_mut)
    {
        annotations.remove(KEY);
    }
    spec
}

/// Runs `kubectl fmesh restart`; what it printed, and whether it succeeded.
fn restart(env: &TestEnv, namespace: &str, words: &[&str]) -> Result<(bool, String)> {
    let all = [&["restart", "--yes", "--namespace", namespace], words].concat();
    let done = plugin(env, &all)?.output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    Ok((done.status.success(), said))
}

/// What a plan for all objects says of one.
fn planned(env: &TestEnv, namespace: &str, name: &str) -> Result<String> {
    let (report, _) = plan(env, &["--all", "--namespace", namespace])?;
    let items = report["items"].as_array().context("no items")?;
    let item = items.iter().find(|item| item["name"] == name).context("not planned")?;
    Ok(item["result"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_replaces_the_pods_once_and_changes_nothing_else() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("restart", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let (functions, sets) =
            (functions(&env, &namespace), Sets(Api::namespaced(env.client.clone(), &namespace)));
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        for name in ["f0", "f1"] {
            create(&functions, "Function", name, &function_spec()).await?;
        }
        for name in ["f0", "f1"] {
            until_ready(&env, &functions, name, AVAILABLE).await?;
        }
        let (before, other) = (sets.get("f0").await?, sets.state("f1").await?);
        let (done, said) = restart(&env, &namespace, &["function", "f0", "--wait"])?;
        ensure!(done && said.contains("function ") && said.contains("restarted"), "{said}");
        let after = sets.get("f0").await?;
        ensure!(rest(&after) == rest(&before), "{after:#}");
        ensure!(after.pointer(ANNOTATION).is_some_and(Value::is_string), "{after:#}");
        let (generation, hash, time) = sets.state("f0").await?;
        ensure!(Some(generation - 1) == before["metadata"]["generation"].as_i64(), "{generation}");
        ensure!(hash == before["metadata"]["annotations"]["compute.functionmesh.io/rendered-hash"], "{hash}");
        ensure!(sets.state("f1").await? == other, "another object was restarted");

        // Neither a restart of the controller nor the end of the annotation writes anything.
        controller.signal("TERM")?;
        merge(&functions, "f0", json!({"metadata": {"annotations": {KEY: null}}})).await?;
        ensure!(planned(&env, &namespace, "f0")? == "Unchanged", "a plan without the annotation");
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        controller.reconciled(&env, 2).await?;
        let writes = env.audit()?.by(&controller.user).writes();
        ensure!(writes.requests().is_empty(), "{:?}", writes.counts());

        // A change of the spec keeps the time.
        merge(&functions, "f0", json!({"spec": {"image": "example.com/image:2"}})).await?;
        env.until("the new image", || async {
            let set = sets.get("f0").await?.to_string();
            ensure!(set.contains("image:2"), "not yet");
            Ok(())
        })
        .await?;
        ensure!(sets.state("f0").await?.2 == time, "the time of the restart is gone");

        // A plan sees a restart that no controller has carried out.
        controller.signal("TERM")?;
        merge(&functions, "f1", json!({"metadata": {"annotations": {KEY: "2026-01-01T00:00:00Z"}}})).await?;
        ensure!(planned(&env, &namespace, "f1")? == "Restarts", "a plan with the annotation");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_does_not_approve_what_waits_and_waits_while_paused() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("restartwaits", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let (functions, sets) = (functions(&env, &namespace), Sets(Api::namespaced(env.client.clone(), &namespace)));
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        create(&functions, "Function", "f0", &function_spec()).await?;
        until_ready(&env, &functions, "f0", AVAILABLE).await?;
        controller.signal("TERM")?;
        let flags = [&format!("--watched-namespace={namespace}"), "--leader-elect=false"];
        let controller = Controller::spawn_as(&env, "function-controller", "next-controller", &flags)?;
        let waits = ("True", "RendererChanged");
        until_condition(&env, &functions, "f0", "UpdateAvailable", waits).await?;
        let pending = functions.get("f0").await?.data["status"]["statefulSet"]["pendingHash"].clone();

        let before = sets.get("f0").await?;
        let (done, said) = restart(&env, &namespace, &["function", "f0", "--wait"])?;
        ensure!(done, "{said}");
        let (generation, _, time) = sets.state("f0").await?;
        ensure!(time.is_some() && rest(&sets.get("f0").await?) == rest(&before), "what waits came along");
        until_condition(&env, &functions, "f0", "UpdateAvailable", waits).await?;
        let now = functions.get("f0").await?.data["status"]["statefulSet"]["pendingHash"].clone();
        ensure!(now == pending, "{now} instead of {pending} waits");

        // Paused: refused with a hint. An annotation that is set all the same waits for the resumption.
        let pause = |paused: Value| json!({"metadata": {"annotations": {"compute.functionmesh.io/pause-rollout": paused}}});
        merge(&functions, "f0", pause(json!("true"))).await?;
        let (done, said) = restart(&env, &namespace, &["function", "f0"])?;
        ensure!(!done && said.contains("kubectl fmesh resume"), "{said}");
        merge(&functions, "f0", json!({"metadata": {"annotations": {KEY: "2026-01-01T00:00:00Z"}}})).await?;
        until_condition(&env, &functions, "f0", "UpdateAvailable", ("True", "RolloutPaused")).await?;
        controller.until_idle(&env).await?;
        ensure!(sets.state("f0").await?.0 == generation, "restarted while it was paused");
        merge(&functions, "f0", pause(Value::Null)).await?;
        env.until("the restart", || async {
            let (_, _, time) = sets.state("f0").await?;
            ensure!(time.as_deref() == Some("2026-01-01T00:00:00Z"), "{time:?}");
            Ok(())
        })
        .await?;
        ensure!(rest(&sets.get("f0").await?) == rest(&before), "what waits came along");

        // Once approved, the update comes by the hash that waited all the time.
        merge(&functions, "f0", json!({"metadata": {"annotations": {"compute.functionmesh.io/approve-update": pending}}}))
            .await?;
        env.until("the update", || async {
            let set = sets.get("f0").await?.to_string();
            ensure!(set.contains("NEXT_RELEASE"), "not yet");
            Ok(())
        })
        .await?;
        let (_, _, time) = sets.state("f0").await?;
        ensure!(time.as_deref() == Some("2026-01-01T00:00:00Z"), "{time:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_components_of_a_mesh_restart_and_keep_their_annotation() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("restartmesh", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let (functions, sets) =
            (functions(&env, &namespace), Sets(Api::namespaced(env.client.clone(), &namespace)));
        let meshes = api(&env, &namespace, "FunctionMesh", "functionmeshes");
        let _controller = Controller::start(&env, "function-controller", &namespace).await?;
        let mesh_controller = Controller::start(&env, "mesh-controller", &namespace).await?;
        let item = |name: &str, image: &str| {
            let mut spec = function_spec();
            spec["name"] = json!(name);
            spec["image"] = json!(image);
            spec
        };
        let spec = json!({"functions": [item("a", "example.com/image:1"), item("b", "example.com/image:1")]});
        create(&meshes, "FunctionMesh", "m", &spec).await?;
        for name in ["m-a", "m-b"] {
            until_ready(&env, &functions, name, AVAILABLE).await?;
        }
        let (done, said) = restart(&env, &namespace, &["functionmesh", "m", "--wait"])?;
        ensure!(done, "{said}");
        let mut times = Vec::new();
        for name in ["m-a", "m-b"] {
            times.extend(sets.state(name).await?.2);
        }
        ensure!(times.len() == 2 && times.first() == times.last(), "{times:?}");

        let spec = json!({"functions": [item("a", "example.com/image:2"), item("b", "example.com/image:1")]});
        merge(&meshes, "m", json!({"spec": spec})).await?;
        env.until("the new image", || async {
            let set = sets.get("m-a").await?.to_string();
            ensure!(set.contains("image:2"), "not yet");
            Ok(())
        })
        .await?;
        mesh_controller.until_idle(&env).await?;
        for name in ["m-a", "m-b"] {
            let kept = functions.get(name).await?.metadata.annotations.unwrap_or_default().remove(KEY);
            ensure!(kept.as_ref() == times.first() && sets.state(name).await?.2 == kept, "{name}: {kept:?}");
        }
        Ok(())
    })
    .await
}
