//! Kinds that are missing, installed and removed again while a controller runs (docs/reliability.md, T13). This module
//! runs alone, because it removes a kind that other tests need.

use anyhow::{Context, Result, bail, ensure};
use e2e::paths;
use e2e::scenarios::fleet::SOURCE;
use e2e::shell::run;
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, create, resource, until_ready};
use e2e::testing::{Child, Controller, TestEnv};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::json;

const KIND: &str = "sources.compute.functionmesh.io";

/// Removes the kind, which Kubernetes does once there is no object of it.
async fn remove(env: &TestEnv) -> Result<()> {
    let kinds: Api<CustomResourceDefinition> = Api::all(env.client.clone());
    kinds.delete(KIND, &DeleteParams::default()).await?;
    env.until("end of the kind", || async {
        let Some(kind) = kinds.get_opt(KIND).await? else { return Ok(()) };
        let held = release(env).await?;
        let conditions = kind.status.and_then(|status| status.conditions);
        bail!("it is there, with the conditions {conditions:?} and the finalizers {held:?}")
    })
    .await
}

/// Removes the finalizers of all objects of the kind: other tests may have left some whose controller runs no more.
async fn release(env: &TestEnv) -> Result<Vec<String>> {
    let kind = resource(SOURCE.kind, SOURCE.plural);
    let mut held = Vec::new();
    let all: Api<DynamicObject> = Api::all_with(env.client.clone(), &kind);
    for object in all.list(&ListParams::default()).await? {
        if object.finalizers().is_empty() {
            continue;
        }
        let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
        held.push(format!("{namespace}/{name}: {}", object.finalizers().join(", ")));
        let of_namespace: Api<DynamicObject> = Api::namespaced_with(env.client.clone(), &namespace, &kind);
        let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        of_namespace.patch(&name, &PatchParams::default(), &free).await?;
    }
    Ok(held)
}

fn install(env: &TestEnv) -> Result<()> {
    let folder = paths::root().join("config/crd").display().to_string();
    run(&mut env.kubectl.with(["apply", "--server-side", "--force-conflicts", "-k", &folder]))
}

async fn not_ready(env: &TestEnv, controller: &Controller) -> Result<()> {
    env.until("not ready", || async {
        let error = controller.get("readyz").err().context("it is ready")?.to_string();
        ensure!(error.contains("cache of Source: the kind is not installed"), "{error}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_comes_and_goes_needs_no_restart() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("kinds", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let sources = api(&env, &namespace, SOURCE.kind, SOURCE.plural);
        let children = Child::of(&env, &namespace, "StatefulSet", "")?.api;
        create(&sources, SOURCE.kind, "left", &SOURCE.spec()).await?;
        let finalizer = json!({"metadata": {"finalizers": ["example.com/gone"]}});
        sources.patch("left", &PatchParams::default(), &Patch::Merge(&finalizer)).await?;
        remove(&env).await?;
        let watched = format!("--watched-namespace={namespace}");
        let controller = Controller::spawn(&env, SOURCE.controller, &[&watched, "--leader-elect=false"])?;
        for name in ["first", "second"] {
            not_ready(&env, &controller).await?;
            install(&env)?;
            controller.ready(&env).await?;
            create(&sources, SOURCE.kind, name, &SOURCE.spec()).await?;
            until_ready(&env, &sources, name, AVAILABLE).await?;
            remove(&env).await?;
            // Their children are deleted and not recreated. The garbage collector deletes them only after it has discovered the
            // kind; here the test does it at once.
            children.delete_collection(&DeleteParams::background(), &ListParams::default()).await?;
            env.until("end of the children", || async {
                let left = children.list(&ListParams::default()).await?.items.len();
                ensure!(left == 0, "{left} left");
                Ok(())
            })
            .await?;
        }
        not_ready(&env, &controller).await?;
        install(&env)?;
        controller.ready(&env).await?;
        ensure!(children.list(&ListParams::default()).await?.items.is_empty(), "made without its kind");
        Ok(())
    })
    .await
}
