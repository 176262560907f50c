//! The annotations by which a user excludes an object from reconciliation.

use anyhow::{Result, ensure};
use e2e::testing::children::repairs;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, create, function_spec, functions, merge, object, until_ready};
use e2e::testing::{Child, Controller, TestEnv};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use serde_json::{Value, json};

const MANAGED: &str = "compute.functionmesh.io/managed";
const NEED_CLEANUP: &str = "compute.functionmesh.io/need-cleanup";

fn cleaning() -> Value {
    let mut spec = function_spec();
    spec["cleanupSubscription"] = json!(true);
    spec
}

async fn annotate(api: &Api<DynamicObject>, name: &str, key: &str, value: Value) -> Result<()> {
    merge(api, name, json!({"metadata": {"annotations": {key: value}}})).await
}

async fn create_with(api: &Api<DynamicObject>, name: &str, key: &str) -> Result<()> {
    let mut object = object("Function", name, &cleaning())?;
    object.metadata.annotations = Some([(key.to_owned(), "false".to_owned())].into());
    api.create(&PostParams::default(), &object).await?;
    Ok(())
}

async fn gone(env: &TestEnv, api: &Api<DynamicObject>, name: &str) -> Result<()> {
    env.until(&format!("end of {name}"), || async {
        ensure!(api.get_opt(name).await?.is_none(), "still there");
        Ok(())
    })
    .await
}

/// Waits until everything so far is reconciled: a new object is processed after it.
async fn looked_at(env: &TestEnv, api: &Api<DynamicObject>, mark: &str) -> Result<()> {
    create(api, "Function", mark, &function_spec()).await?;
    until_ready(env, api, mark, AVAILABLE).await.map(drop)
}

/// All writes of a controller to an object and its children.
fn writes(env: &TestEnv, user: &str, name: &str) -> Result<usize> {
    let about = |of: &str| of == name || of.starts_with(&format!("{name}-function"));
    Ok(env.audit()?.by(user).writes().only(|r| about(r.name())).requests().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_managed_stays_unchanged() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("unmanaged", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let user = controller.user.clone();
        let api = functions(&env, &namespace);
        let set = Child::of(&env, &namespace, "StatefulSet", "f-function")?;

        // Never managed: no child, no status, no finalizer.
        create_with(&api, "f", MANAGED).await?;
        looked_at(&env, &api, "mark0").await?;
        merge(&api, "f", json!({"spec": {"replicas": 2}})).await?;
        looked_at(&env, &api, "mark1").await?;
        let f = api.get("f").await?;
        ensure!(writes(&env, &user, "f")? == 0, "something was written");
        // The default of the kind: no controller has observed the object.
        let unseen = json!({"observedGeneration": -1});
        let status = f.data.get("status").cloned().unwrap_or_default();
        ensure!(f.finalizers().is_empty() && status == unseen, "{status}");

        // Managed: it gets everything that any other object gets, once.
        annotate(&api, "f", MANAGED, Value::Null).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        ensure!(api.get("f").await?.finalizers().len() == 1, "no finalizer");
        // The finalizer, the Service, the StatefulSet and two for the status.
        ensure!(writes(&env, &user, "f")? == 5, "{} writes", writes(&env, &user, "f")?);

        // Excluded again: existing children stay, also if other clients change them.
        annotate(&api, "f", MANAGED, json!("false")).await?;
        looked_at(&env, &api, "mark2").await?;
        set.patch(&json!({"spec": {"minReadySeconds": 3}})).await?;
        merge(&api, "f", json!({"spec": {"image": "example.com/image:2"}})).await?;
        looked_at(&env, &api, "mark3").await?;
        ensure!(writes(&env, &user, "f")? == 5, "{} writes", writes(&env, &user, "f")?);
        ensure!(set.state().await?["spec"]["minReadySeconds"] == json!(3), "the edit was undone");

        // Managed again: the edit is reverted and the image is set, by one write.
        annotate(&api, "f", MANAGED, json!("true")).await?;
        env.until("the StatefulSet", || async {
            let spec = set.state().await?["spec"].clone();
            ensure!(spec["minReadySeconds"] == json!(5), "{spec}");
            ensure!(spec.to_string().contains("example.com/image:2"), "{spec}");
            Ok(())
        })
        .await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        let to_set = env.audit()?.by(&user).writes_to("statefulsets", "f-function");
        ensure!(to_set == 2, "{to_set} writes");
        ensure!(repairs(&env, &namespace, "f").await?.is_empty(), "a change of the object is no repair");

        // Deleted while it is not managed: it is removed, and no Job is created.
        annotate(&api, "f", MANAGED, json!("false")).await?;
        looked_at(&env, &api, "mark4").await?;
        api.delete("f", &DeleteParams::default()).await?;
        gone(&env, &api, "f").await?;
        let jobs = env.audit()?.by(&user).only(|r| r.resource() == "jobs" && r.verb == "patch");
        ensure!(jobs.requests().is_empty(), "{:?}", jobs.counts());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_cleanup_has_no_finalizer_and_no_job() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("nocleanup", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        create_with(&api, "f", NEED_CLEANUP).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        ensure!(api.get("f").await?.finalizers().is_empty(), "a finalizer");
        ensure!(writes(&env, &controller.user, "f")? == 4, "{} writes", writes(&env, &controller.user, "f")?);

        // A cleanup becomes necessary, and unnecessary again: a finalizer is added and removed, nothing else is written.
        annotate(&api, "f", NEED_CLEANUP, Value::Null).await?;
        let finalizers = |number: usize| {
            let api = &api;
            env.until("finalizers", move || async move {
                let there = api.get("f").await?.finalizers().len();
                ensure!(there == number, "{there} finalizers");
                Ok(())
            })
        };
        finalizers(1).await?;
        annotate(&api, "f", NEED_CLEANUP, json!("false")).await?;
        finalizers(0).await?;
        looked_at(&env, &api, "mark").await?;
        ensure!(writes(&env, &controller.user, "f")? == 6, "{} writes", writes(&env, &controller.user, "f")?);
        api.delete("f", &DeleteParams::default()).await?;
        gone(&env, &api, "f").await?;
        looked_at(&env, &api, "end").await?;
        ensure!(writes(&env, &controller.user, "f")? == 6, "writes at the end");
        Ok(())
    })
    .await
}
