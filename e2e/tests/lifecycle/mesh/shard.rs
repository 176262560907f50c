//! Controllers that reconcile only objects with a label.

use super::{MESH, meshes, spec, until_there};
use anyhow::{Result, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{create, functions, merge, until_ready};
use e2e::testing::{Controller, TestEnv};
use kube::ResourceExt;
use serde_json::json;

async fn start(env: &TestEnv, name: &str, namespace: &str, selector: &str) -> Result<Controller> {
    let watched = format!("--watched-namespace={namespace}");
    let selector = format!("--watch-label-selector={selector}");
    let flags = [watched.as_str(), selector.as_str(), "--leader-elect=false"];
    let controller = Controller::spawn(env, name, &flags)?;
    controller.ready(env).await?;
    Ok(controller)
}

/// Without its label no controller of the shard runs a component.
#[tokio::test(flavor = "multi_thread")]
async fn components_carry_the_labels_that_their_mesh_is_selected_by() -> Result<()> {
    // One key of each form; the mesh lacks the last one, and so do its components.
    const SELECTOR: &str = "shard=a,tier in (gold, silver),!legacy";
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("shard", |env, namespace| async move {
        let (meshes, functions) = (meshes(&env, &namespace), functions(&env, &namespace));
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        // Created by a controller without a selector, as before.
        let old = Controller::start(&env, "mesh-controller", &namespace).await?;
        create(&meshes, "FunctionMesh", MESH, &spec(&["a", "b"])).await?;
        let labels = json!({"shard": "a", "tier": "gold", "other": "x"});
        merge(&meshes, MESH, json!({"metadata": {"labels": labels}})).await?;
        for name in ["m-a", "m-b"] {
            until_there(&env, &functions, name).await?;
        }
        old.until_idle(&env).await?;
        old.signal("TERM")?;

        let _functions = start(&env, "function-controller", &namespace, SELECTOR).await?;
        let controller = start(&env, "mesh-controller", &namespace, SELECTOR).await?;
        until_ready(&env, &meshes, MESH, ("True", "AllComponentsReady")).await?;
        let component = functions.get("m-a").await?;
        let keys: Vec<&str> = component.labels().keys().map(String::as_str).collect();
        ensure!(keys == ["compute.functionmesh.io/mesh", "shard", "tier"], "{:?}", component.labels());
        let writes = env.audit()?.by(&controller.user).writes().counts();
        ensure!(writes.get("patch functions") == Some(&2), "{writes:?}");

        merge(&functions, "m-a", json!({"metadata": {"labels": {"shard": null}}})).await?;
        env.until("the label", || async {
            let shard = functions.get("m-a").await?.labels().get("shard").cloned();
            ensure!(shard.as_deref() == Some("a"), "{shard:?}");
            Ok(())
        })
        .await?;
        until_ready(&env, &meshes, MESH, ("True", "AllComponentsReady")).await?;

        controller.signal("TERM")?;
        let successor = start(&env, "mesh-controller", &namespace, SELECTOR).await?;
        successor.reconciled(&env, 1).await?;
        let writes = env.audit()?.by(&successor.user).writes();
        ensure!(writes.requests().is_empty(), "writes after a restart: {:?}", writes.counts());
        Ok(())
    })
    .await
}
