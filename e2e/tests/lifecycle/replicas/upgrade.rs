//! Objects that an earlier release stored, whose schema had no default.

use super::{scale, until_runs};
use anyhow::{Context, Result, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, create, function_spec, functions, until_condition, until_ready};
use e2e::testing::{Child, Controller, TestEnv};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

/// By name: the stated number, and the running one.
const OBJECTS: [(&str, &str, i32); 6] = [
    ("plain", "{}", 1),
    ("scaled", r#"{"maxReplicas": 5}"#, 1),
    ("bounds", r#"{"minReplicas": 2, "maxReplicas": 5}"#, 2),
    ("fewest", r#"{"minReplicas": 3}"#, 3),
    ("precise", r#"{"showPreciseParallelism": true}"#, 1),
    ("written", r#"{"showPreciseParallelism": true, "replicas": 1}"#, 1),
];

/// Removes the number from the stored object, and from the list of owners.
fn without_number(stored: &mut Value) {
    stored["spec"].as_object_mut().into_iter().for_each(|spec| drop(spec.remove("replicas")));
    for entry in stored["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
        let fields = entry.pointer_mut("/fieldsV1/f:spec").and_then(Value::as_object_mut);
        if let Some(fields) = fields {
            fields.remove("f:replicas");
        }
    }
}

/// The record of the previous release for an object whose number is part of its command.
async fn record_as_before(env: &TestEnv, namespace: &str, api: &Api<DynamicObject>) -> Result<()> {
    const FROM: &str = "compute.functionmesh.io/rendered-from";
    let set = Child::of(env, namespace, "StatefulSet", "written-function")?;
    let live = set.whole().await?;
    let mut provenance: Value =
        serde_json::from_str(live["metadata"]["annotations"][FROM].as_str().unwrap_or_default())?;
    let hash = provenance
        .as_object_mut()
        .and_then(|provenance| provenance.remove("also"))
        .context("one hash only")?;
    provenance["inputs"] = hash.clone();
    set.patch(&json!({"metadata": {"annotations": {FROM: provenance.to_string()}}})).await?;
    let status = Patch::Merge(json!({"status": {"statefulSet": {"inputsHash": hash}}}));
    api.patch_status("written", &PatchParams::default(), &status).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_stored_without_a_number_does_not_look_changed() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("stored", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        for (name, fields, _) in OBJECTS {
            let mut spec = function_spec();
            spec.as_object_mut().into_iter().for_each(|spec| drop(spec.remove("replicas")));
            let fields: Value = serde_json::from_str(fields)?;
            fields.as_object().into_iter().flatten().for_each(|(key, value)| spec[key] = value.clone());
            create(&api, "Function", name, &spec).await?;
        }
        for (name, _, replicas) in OBJECTS {
            until_ready(&env, &api, name, AVAILABLE).await?;
            until_runs(&env, &namespace, name, replicas).await?;
        }
        controller.until_idle(&env).await?;
        controller.signal("TERM")?;
        record_as_before(&env, &namespace, &api).await?;
        let etcd = env.etcd()?;
        for (name, ..) in OBJECTS.iter().filter(|(name, ..)| *name != "written") {
            etcd.rewrite("functions", &namespace, name, without_number)?;
        }
        env.until("stored without a number, and shown with one", || async {
            for (name, ..) in OBJECTS {
                let live = api.get(name).await?;
                ensure!(live.data["spec"]["replicas"] == json!(1), "{name}: {}", live.data["spec"]);
                let owned = live.metadata.managed_fields.iter().flatten().any(|entry| {
                    entry.fields_v1.as_ref().is_some_and(|f| f.0.pointer("/f:spec/f:replicas").is_some())
                });
                ensure!(owned == (name == "written"), "{name}: {:?}", live.metadata.managed_fields);
            }
            Ok(())
        })
        .await?;

        let successor = Controller::start(&env, "function-controller", &namespace).await?;
        successor.reconciled(&env, OBJECTS.len() as u64).await?;
        successor.until_idle(&env).await?;
        let writes = env.audit()?.by(&successor.user).writes();
        ensure!(writes.requests().is_empty(), "writes after the upgrade: {:?}", writes.counts());
        successor.signal("TERM")?;

        // Nor does it cause changes of a later renderer to be rolled out: they wait.
        let watched = format!("--watched-namespace={namespace}");
        let next = Controller::spawn_as(
            &env,
            "function-controller",
            "next-controller",
            &[&watched, "--leader-elect=false"],
        )?;
        next.ready(&env).await?;
        for (name, ..) in OBJECTS {
            let waits = ("True", "RendererChanged");
            until_condition(&env, &api, name, "UpdateAvailable", waits).await?;
        }
        let writes = env.audit()?.by(&next.user).writes().only(|r| r.resource() == "statefulsets");
        ensure!(writes.requests().is_empty(), "{:?}", writes.counts());

        // Its scale subresource works at once.
        let number = api.get_scale("scaled").await?.spec.and_then(|spec| spec.replicas);
        ensure!(number == Some(1), "{number:?}");
        scale(&api, "scaled", 3).await?;
        until_runs(&env, &namespace, "scaled", 3).await?;
        let set = Child::of(&env, &namespace, "StatefulSet", "scaled-function")?.state().await?;
        ensure!(!set["spec"]["template"].to_string().contains("NEXT_RELEASE"), "a step restarted the pods");
        Ok(())
    })
    .await
}
