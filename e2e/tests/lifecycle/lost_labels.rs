//! Children that lost the label by which the controllers watch them: they are still managed, or deleted if they are no longer
//! desired.

use anyhow::{Context, Result, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{
    AVAILABLE, create, function_spec, functions, merge, until_condition, until_gone, until_ready,
};
use e2e::testing::{Child, Controller, TestEnv};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

const COMPONENT: &str = "compute.functionmesh.io/component";

/// Another client removes the label and changes a field in one edit.
fn edit(mut change: Value) -> Value {
    change["metadata"] = json!({"labels": {COMPONENT: null}});
    change
}

async fn children(env: &TestEnv, namespace: &str) -> Result<Vec<(Child, Value, Value)>> {
    let mut all = Vec::new();
    for (kind, name, change) in [
        ("StatefulSet", "f-function", json!({"spec": {"minReadySeconds": 3}})),
        ("Service", "f-function-headless", json!({"spec": {"selector": {"name": "other"}}})),
        ("HorizontalPodAutoscaler", "f-function", json!({"spec": {"maxReplicas": 9}})),
    ] {
        let child = Child::of(env, namespace, kind, name)?;
        let state = env.until(kind, || child.state()).await?;
        all.push((child, edit(change), state));
    }
    Ok(all)
}

async fn change(child: &Child, change: &Value) -> Result<()> {
    let parameters = PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
    child.api.patch(&child.name, &parameters, &Patch::Merge(change)).await?;
    Ok(())
}

/// A ready Function `f` with an autoscaler.
async fn autoscaled(env: &TestEnv, namespace: &str) -> Result<Api<DynamicObject>> {
    let functions = functions(env, namespace);
    let mut spec = function_spec();
    spec["maxReplicas"] = json!(5);
    create(&functions, "Function", "f", &spec).await?;
    until_ready(env, &functions, "f", AVAILABLE).await?;
    Ok(functions)
}

/// Without special handling this was a permanent name conflict.
#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_lost_its_label_and_was_edited_is_repaired() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("unlabelled", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let mut controller = Controller::start(&env, "function-controller", &namespace).await?;
        let functions = autoscaled(&env, &namespace).await?;
        let children = children(&env, &namespace).await?;
        for running in [true, false] {
            if !running {
                controller.kill();
            }
            for (child, edit, _) in &children {
                change(child, edit).await?;
            }
            if !running {
                controller = Controller::start(&env, "function-controller", &namespace).await?;
            }
            for (child, _, state) in &children {
                env.until(&format!("{} as it was", child.kind), || async {
                    let now = child.state().await?;
                    ensure!(now == *state, "{now}");
                    Ok(())
                })
                .await?;
            }
            until_ready(&env, &functions, "f", AVAILABLE).await?;
        }
        controller.until_idle(&env).await
    })
    .await
}

/// A pending rollout is not applied although the StatefulSet is invisible to the watch.
#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_is_removed_rolls_nothing_out() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("unseenset", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let functions = functions(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        create(&functions, "Function", "f", &function_spec()).await?;
        until_ready(&env, &functions, "f", AVAILABLE).await?;
        let set = Child::of(&env, &namespace, "StatefulSet", "f-function")?;
        let before = set.state().await?;
        controller.signal("TERM")?;
        // Another configuration of the operator waits for approval.
        let watched = format!("--watched-namespace={namespace}");
        let flags = [watched.as_str(), "--leader-elect=false", "--add-default-affinity=false"];
        let controller = Controller::spawn(&env, "function-controller", &flags)?;
        controller.ready(&env).await?;
        until_condition(&env, &functions, "f", "UpdateAvailable", ("True", "OperatorConfigChanged")).await?;
        set.patch(&edit(json!({}))).await?;
        env.until("the label", || async {
            let now = set.state().await?;
            ensure!(now == before, "{now}");
            Ok(())
        })
        .await?;
        controller.until_idle(&env).await?;
        ensure!(set.state().await? == before, "it was rolled out");
        Ok(())
    })
    .await
}

/// The same for the Job of a cleanup.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_lost_its_label_and_was_edited_is_repaired() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("unseenjob", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let functions = functions(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let mut spec = function_spec();
        spec["cleanupSubscription"] = json!(true);
        create(&functions, "Function", "f", &spec).await?;
        until_ready(&env, &functions, "f", AVAILABLE).await?;
        functions.delete("f", &DeleteParams::default()).await?;
        let job = Child::of(&env, &namespace, "Job", "f-function-cleanup")?;
        env.until("the Job", || job.state()).await?;
        let limit = |state: &Value| state["spec"]["backoffLimit"].as_i64().context("no limit");
        let before = limit(&job.state().await?)?;
        let edited = edit(json!({"spec": {"backoffLimit": before + 1}}));
        change(&job, &edited).await?;
        env.until("the Job as it was", || async {
            let now = job.state().await?;
            ensure!(now["labels"][COMPONENT] == json!("function") && limit(&now)? == before, "{now}");
            Ok(())
        })
        .await?;
        until_condition(&env, &functions, "f", "CleanupPending", ("True", "CleanupRunning")).await?;
        controller.until_idle(&env).await?;
        let skip = json!({"metadata": {"annotations": {"compute.functionmesh.io/need-cleanup": "false"}}});
        functions.patch("f", &PatchParams::default(), &Patch::Merge(&skip)).await?;
        until_gone(&env, &functions, "f").await
    })
    .await
}

/// An autoscaler that its object no longer wants is deleted, although it lost its label.
#[tokio::test(flavor = "multi_thread")]
async fn an_undesired_autoscaler_without_its_label_is_deleted() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("leftover", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let mut controller = Controller::start(&env, "function-controller", &namespace).await?;
        let functions = autoscaled(&env, &namespace).await?;
        let scaler = Child::of(&env, &namespace, "HorizontalPodAutoscaler", "f-function")?;
        env.until("record", || async {
            let status = functions.get("f").await?.data["status"].clone();
            ensure!(status["autoscalers"] == json!(["HorizontalPodAutoscaler"]), "{status}");
            Ok(())
        })
        .await?;
        controller.until_idle(&env).await?;

        // Both happen while no controller runs.
        controller.kill();
        let labels = json!({"compute.functionmesh.io/component": null, "compute.functionmesh.io/name": null});
        scaler.patch(&json!({"metadata": {"labels": labels}, "spec": {"maxReplicas": 9}})).await?;
        merge(&functions, "f", json!({"spec": {"maxReplicas": null}})).await?;
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        env.until("the end of the autoscaler", || async {
            ensure!(scaler.api.get_opt("f-function").await?.is_none(), "it is there");
            Ok(())
        })
        .await?;
        env.until("record", || async {
            let status = functions.get("f").await?.data["status"].clone();
            ensure!(status["autoscalers"].is_null(), "{status}");
            Ok(())
        })
        .await?;
        controller.until_idle(&env).await?;
        let writes = env.audit()?.by(&controller.user).writes().counts();
        let expected = [("delete horizontalpodautoscalers", 1), ("patch functions/status", 1)];
        ensure!(writes == expected.map(|(what, n)| (what.to_owned(), n)).into(), "{writes:?}");
        Ok(())
    })
    .await
}
