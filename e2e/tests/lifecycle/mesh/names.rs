//! Names of components that other objects have, or had.

use super::{MESH, meshes, spec, until_there};
use anyhow::{Context, Result, ensure};
use e2e::testing::objects::{create, function_spec, functions, merge, until_gone, until_ready};
use e2e::testing::proxy::Proxy;
use e2e::testing::{Controller, TestEnv};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::json;
use std::time::{Duration, Instant};

/// Whether a component has a uid, and belongs to the mesh of a uid.
async fn belongs(functions: &Api<DynamicObject>, name: &str, uid: &str, mesh: &str) -> Result<()> {
    let component = functions.get(name).await?;
    ensure!(component.uid().as_deref() == Some(uid), "{name} was created again");
    let owners: Vec<_> = component.owner_references().iter().map(|owner| owner.uid.as_str()).collect();
    ensure!(owners == [mesh], "{name} belongs to {owners:?}");
    Ok(())
}

/// Only the watch reports the deletion of an object that does not belong to the mesh.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_becomes_free_is_taken() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("freename", |env, namespace| async move {
        let (meshes, functions) = (meshes(&env, &namespace), functions(&env, &namespace));
        create(&functions, "Function", "m-a", &function_spec()).await?;
        let controller = Controller::start(&env, "mesh-controller", &namespace).await?;
        create(&meshes, "FunctionMesh", MESH, &spec(&["a", "b"])).await?;
        let message = until_ready(&env, &meshes, MESH, ("False", "NameConflict")).await?;
        ensure!(message.contains("Function m-a exists"), "{message}");
        let mesh = meshes.get(MESH).await?.uid().context("no uid")?;
        let foreign = functions.get("m-a").await?.uid();
        // A controller that only tries again after longer and longer times has its next attempt at the end of half a minute.
        let mut last = (0, Instant::now());
        env.until("twenty seconds without a request", || {
            let requests =
                env.audit().map(|audit| audit.by(&controller.user).within(&namespace).requests().len());
            let quiet = requests.and_then(|requests| {
                if requests != last.0 {
                    last = (requests, Instant::now());
                }
                ensure!(last.1.elapsed() > Duration::from_secs(20), "{requests} requests");
                Ok(())
            });
            async { quiet }
        })
        .await?;
        functions.delete("m-a", &DeleteParams::default()).await?;
        let soon = env.clone().with_timeout(Duration::from_secs(10));
        soon.until("the component", || async {
            let uid = functions.get("m-a").await?.uid();
            ensure!(uid != foreign, "it is the foreign one");
            belongs(&functions, "m-a", &uid.unwrap_or_default(), &mesh).await
        })
        .await?;
        until_ready(&env, &meshes, MESH, ("False", "ComponentsNotReady")).await.map(drop)
    })
    .await
}

/// `kubectl delete fmesh --cascade=orphan`, and the mesh again.
#[tokio::test(flavor = "multi_thread")]
async fn orphans_are_adopted_by_who_applied_them() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("orphans", |env, namespace| async move {
        let (meshes, functions) = (meshes(&env, &namespace), functions(&env, &namespace));
        let controller = Controller::start(&env, "mesh-controller", &namespace).await?;
        create(&meshes, "FunctionMesh", MESH, &spec(&["a", "b", "c"])).await?;
        let mut uids = Vec::new();
        for name in ["m-a", "m-b", "m-c"] {
            uids.push(until_there(&env, &functions, name).await?);
        }
        // What the garbage collector does for `--cascade=orphan`, once it has discovered the kind.
        controller.signal("TERM")?;
        for name in ["m-a", "m-b", "m-c"] {
            merge(&functions, name, json!({"metadata": {"ownerReferences": null}})).await?;
        }
        meshes.delete(MESH, &DeleteParams::default()).await?;
        let controller = Controller::start(&env, "mesh-controller", &namespace).await?;
        until_gone(&env, &meshes, MESH).await?;
        // An object that a user labelled is not an orphan of the mesh.
        create(&functions, "Function", "m-d", &function_spec()).await?;
        merge(&functions, "m-d", json!({"metadata": {"labels": {"compute.functionmesh.io/mesh": MESH}}}))
            .await?;
        let orphan = functions.get("m-a").await?;
        ensure!(orphan.owner_references().is_empty(), "{:?}", orphan.owner_references());

        create(&meshes, "FunctionMesh", MESH, &spec(&["a", "b", "d"])).await?;
        let mesh = meshes.get(MESH).await?.uid().context("no uid")?;
        for (name, uid) in ["m-a", "m-b"].into_iter().zip(&uids) {
            env.until(name, || belongs(&functions, name, uid, &mesh)).await?;
        }
        let message = until_ready(&env, &meshes, MESH, ("False", "NameConflict")).await?;
        ensure!(message.contains("Function m-d exists") && !message.contains("m-a"), "{message}");
        controller.until_idle(&env).await?;
        let left = functions.get("m-c").await?;
        ensure!(left.owner_references().is_empty(), "an orphan that is not wanted was adopted");
        ensure!(functions.get("m-d").await?.owner_references().is_empty(), "a foreign object was adopted");
        Ok(())
    })
    .await
}

/// An edited component that the cache does not show is read once and judged by its owner.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_an_unobserved_component_decides() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("unseen", |env, namespace| async move {
        let (meshes, functions) = (meshes(&env, &namespace), functions(&env, &namespace));
        let proxy = Proxy::start(&env).await?;
        let watched = format!("--watched-namespace={namespace}");
        let flags = [watched.as_str(), "--leader-elect=false"];
        let controller = Controller::spawn_behind(&env, Some(&proxy), "mesh-controller", &flags)?;
        controller.ready(&env).await?;
        proxy.freeze_watches_of("functions");
        create(&meshes, "FunctionMesh", MESH, &spec(&["a"])).await?;
        let uid = until_there(&env, &functions, "m-a").await?;
        let edit = Patch::Merge(json!({"spec": {"image": "example.com/evil:1"}}));
        functions
            .patch("m-a", &PatchParams { field_manager: Some("evil".into()), ..<_>::default() }, &edit)
            .await?;
        // For ten seconds the response to the controller's own write counts.
        tokio::time::sleep(Duration::from_secs(11)).await;
        merge(&meshes, MESH, json!({"metadata": {"labels": {"wake": "up"}}})).await?;
        env.until("the image of the item", || async {
            let component = functions.get("m-a").await?;
            let image = &component.data["spec"]["image"];
            ensure!(*image == json!("example.com/image:1"), "{image}");
            ensure!(component.uid().as_deref() == Some(uid.as_str()), "created again");
            Ok(())
        })
        .await
    })
    .await
}
