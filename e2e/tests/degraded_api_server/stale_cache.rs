//! A controller with a stale cache (docs/reliability.md, T8): its object was deleted and recreated under the same name by
//! other clients, and its watches are frozen. Its writes must not reach the children of the new object.

use anyhow::{Context, Result, ensure};
use e2e::scenarios::fleet::FUNCTION;
use e2e::testing::audit::Request;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, merge, until_ready};
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Child, Controller, Proxy, TestEnv};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, Preconditions};
use serde_json::{Value, json};

const CHILDREN: [(&str, &str); 3] = [
    ("StatefulSet", "f-function"),
    ("Service", "f-function-headless"),
    ("HorizontalPodAutoscaler", "f-function"),
];

/// Deletes the object and its children, as the garbage collector eventually does.
async fn removed(env: &TestEnv, objects: &Api<DynamicObject>, namespace: &str) -> Result<()> {
    objects.delete("f", &DeleteParams::background()).await?;
    for (kind, name) in CHILDREN {
        let child = Child::of(env, namespace, kind, name)?;
        // The garbage collector may have deleted it already.
        drop(child.api.delete(name, &DeleteParams::background()).await);
        env.until("end of the children", || async {
            ensure!(child.api.get_opt(name).await?.is_none(), "{kind} {name} is there");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Versions and owners of the children.
async fn children(env: &TestEnv, namespace: &str) -> Result<Vec<(String, Option<String>, Vec<String>)>> {
    let mut found = Vec::new();
    for (kind, name) in CHILDREN {
        let child = Child::of(env, namespace, kind, name)?.api.get(name).await?;
        let owners = child.owner_references().iter().map(|owner| owner.uid.clone()).collect();
        found.push((format!("{kind} {}", child.uid().unwrap_or_default()), child.resource_version(), owners));
    }
    Ok(found)
}

/// A controller behind a proxy, and a Function `f` with an autoscaler that it reconciled.
struct StaleController {
    _statefulset_controller: FakeStatefulSetController,
    objects: Api<DynamicObject>,
    proxy: Proxy,
    controller: Controller,
    spec: Value,
}

impl StaleController {
    async fn of(env: &TestEnv, namespace: &str) -> Result<Self> {
        let statefulset_controller = FakeStatefulSetController::start(env, namespace);
        let objects = api(env, namespace, FUNCTION.kind, FUNCTION.plural);
        let watched = format!("--watched-namespace={namespace}");
        let flags = [watched.as_str(), "--leader-elect=false"];
        let proxy = Proxy::start(env).await?;
        let controller = Controller::spawn_behind(env, Some(&proxy), FUNCTION.controller, &flags)?;
        controller.ready(env).await?;
        let mut spec = FUNCTION.spec();
        if let Some(spec) = spec.as_object_mut() {
            spec.insert("maxReplicas".to_owned(), json!(3));
        }
        create(&objects, FUNCTION.kind, "f", &spec).await?;
        until_ready(env, &objects, "f", AVAILABLE).await?;
        controller.until_idle(env).await?;
        Ok(Self { _statefulset_controller: statefulset_controller, objects, proxy, controller, spec })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_with_a_stale_cache_changes_no_new_object() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("stale", |env, namespace| async move {
        let StaleController { _statefulset_controller, objects, proxy, controller: old, spec } =
            StaleController::of(&env, &namespace).await?;
        // It tries to change all three children and cannot; then its watches are frozen.
        for resource in ["statefulsets", "horizontalpodautoscalers", "services"] {
            proxy.add(Rule::new(Action::Answer(500)).verb("patch").resource(resource));
        }
        let service = Child::of(&env, &namespace, "Service", "f-function-headless")?;
        service.patch(&json!({"spec": {"publishNotReadyAddresses": false}})).await?;
        merge(&objects, "f", json!({"spec": {"image": "example.com/image:old", "maxReplicas": 5}})).await?;
        env.until("failures", || async {
            ensure!(old.metric("function_mesh_backoff_objects")? == 1, "not yet");
            Ok(())
        })
        .await?;
        proxy.freeze_watches(true);
        removed(&env, &objects, &namespace).await?;
        let new = Controller::start(&env, FUNCTION.controller, &namespace).await?;
        create(&objects, FUNCTION.kind, "f", &spec).await?;
        until_ready(&env, &objects, "f", AVAILABLE).await?;
        new.until_idle(&env).await?;
        let uid = objects.get("f").await?.uid().context("no uid")?;
        let before = children(&env, &namespace).await?;
        ensure!(before.iter().all(|(_, _, owners)| *owners == [uid.clone()]), "{before:?}");

        // Its writes are possible again, and it retries.
        let mark = env.mark().await?;
        proxy.clear();
        let refused = env
            .until("its next try", || async {
                let writes = env.audit_since(&mark)?.by(&old.user).only(Request::is_write);
                ensure!(writes.requests().len() > 1, "{:?}", writes.counts());
                Ok(writes)
            })
            .await?;
        for request in refused.requests() {
            ensure!(request.code() >= 400, "{} {} was done", request.what(), request.name());
        }
        ensure!(children(&env, &namespace).await? == before, "the past reached the children");
        let status = objects.get("f").await?.data.pointer("/status/conditions").cloned().unwrap_or_default();
        ensure!(!status.to_string().contains("ApplyFailed"), "the past reached the status: {status}");

        // It sees the current state again, and changes nothing.
        proxy.freeze_watches(false);
        proxy.end_watches();
        old.until_idle(&env).await?;
        ensure!(children(&env, &namespace).await? == before, "they do not agree");
        Ok(())
    })
    .await
}

/// The same for a late deletion: it must not delete the new object of that name.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_affects_only_the_observed_object() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("stale-delete", |env, namespace| async move {
        let StaleController { _statefulset_controller, objects, proxy, controller: old, .. } =
            StaleController::of(&env, &namespace).await?;
        // The autoscaler should be deleted, and cannot be.
        proxy.add(Rule::new(Action::Answer(500)).verb("delete"));
        merge(&objects, "f", json!({"spec": {"maxReplicas": null}})).await?;
        env.until("failures", || async {
            ensure!(old.metric("function_mesh_backoff_objects")? == 1, "not yet");
            Ok(())
        })
        .await?;
        proxy.freeze_watches(true);
        // Another client creates one of the same name.
        let autoscaler = Child::of(&env, &namespace, "HorizontalPodAutoscaler", "f-function")?;
        let mut other = autoscaler.api.get("f-function").await?;
        let preconditions = Some(Preconditions { uid: other.uid(), resource_version: None });
        let parameters = DeleteParams { preconditions, ..DeleteParams::background() };
        autoscaler.api.delete("f-function", &parameters).await?;
        other.metadata =
            serde_json::from_value(json!({"name": "f-function", "labels": {"example.com/mine": "yes"}}))?;
        let made = autoscaler.api.create(&<_>::default(), &other).await?;
        let mark = env.mark().await?;
        proxy.clear();
        env.until("its next try", || async {
            let deletions = env.audit_since(&mark)?.by(&old.user).only(|r| r.verb == "delete");
            ensure!(!deletions.requests().is_empty(), "not yet");
            Ok(())
        })
        .await?;
        let there = autoscaler.api.get("f-function").await?;
        ensure!(there.uid() == made.uid(), "another one was deleted");
        Ok(())
    })
    .await
}
