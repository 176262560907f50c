//! How often the status of a mesh is written while its components change (docs/decisions/0056-statuses-of-a-mesh-are-merged.md).

use super::{MESH, item, meshes, until_there};
use anyhow::{Context, Result, ensure};
use e2e::testing::objects::{create, functions, merge, until_ready};
use e2e::testing::{Controller, TestEnv};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::json;
use std::time::{Duration, Instant};

const NUMBER: usize = 30;
const STATUS: &str = "patch functionmeshes/status";

/// Reports on a component as its controller would.
async fn report(functions: &Api<DynamicObject>, name: &str, is_ready: bool) -> Result<()> {
    let generation = functions.get_metadata(name).await?.metadata.generation;
    let (status, reason) = if is_ready { ("True", "AllReplicasAvailable") } else { ("False", "CrashLoop") };
    let conditions = json!([{"type": "Ready", "status": status, "reason": reason, "message": "",
        "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    let status = json!({"status": {"observedGeneration": generation, "conditions": conditions}});
    functions.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await?;
    Ok(())
}

/// The components become ready one after another, as they do when their pods start.
#[tokio::test(flavor = "multi_thread")]
async fn steps_are_merged_and_a_loss_is_reported_at_once() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("statuses", |env, namespace| async move {
        let (meshes, functions) = (meshes(&env, &namespace), functions(&env, &namespace));
        let controller = Controller::start(&env, "mesh-controller", &namespace).await?;
        let written = || -> Result<usize> {
            let counts = env.audit()?.by(&controller.user).writes().counts();
            Ok(counts.get(STATUS).copied().unwrap_or_default())
        };
        let items: Vec<_> = (0..NUMBER).map(|i| item(&format!("f{i}"))).collect();
        create(&meshes, "FunctionMesh", MESH, &json!({"functions": items})).await?;
        for i in 0..NUMBER {
            until_there(&env, &functions, &format!("m-f{i}")).await?;
        }
        until_ready(&env, &meshes, MESH, ("False", "ComponentsNotReady")).await?;
        controller.until_idle(&env).await?;
        let (before, started) = (written()?, Instant::now());
        for i in 0..NUMBER {
            report(&functions, &format!("m-f{i}"), true).await?;
            // Each is an event of its own: none is merged because it came too soon after the one before.
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        let message = until_ready(&env, &meshes, MESH, ("True", "AllComponentsReady")).await?;
        ensure!(message == format!("{NUMBER}/{NUMBER} ready"), "{message}");
        // One in three seconds, the first, and the last, which does not wait.
        let most = usize::try_from(started.elapsed().as_secs() / 3)? + 2;
        let statuses = written()? - before;
        ensure!((1..=most).contains(&statuses), "{statuses} statuses instead of {most}");

        // The number of replicas of a component changes, which its item does not state, and its controller has not reported yet.
        let before = written()?;
        merge(&functions, "m-f0", json!({"spec": {"replicas": 3}})).await?;
        controller.until_idle(&env).await?;
        until_ready(&env, &meshes, MESH, ("True", "AllComponentsReady")).await?;
        ensure!(written()? == before, "a status was written for a component that was scaled");
        report(&functions, "m-f0", true).await?;

        let started = Instant::now();
        report(&functions, "m-f1", false).await?;
        let message = until_ready(&env, &meshes, MESH, ("False", "ComponentsNotReady")).await?;
        ensure!(started.elapsed() < Duration::from_millis(2500), "after {:?}", started.elapsed());
        ensure!(message.contains("function f1: CrashLoop"), "{message}");

        // Fewer and fewer are ready: what is stored in the end is exact.
        for i in 2..8 {
            report(&functions, &format!("m-f{i}"), false).await?;
        }
        let last = format!("{}/{NUMBER} ready", NUMBER - 7);
        env.until("the last status", || async {
            let mesh = meshes.get(MESH).await?;
            let found = mesh.data.pointer("/status/conditions/0/message").context("no message")?.to_string();
            ensure!(found.contains(&last), "{found}");
            Ok(())
        })
        .await
    })
    .await
}
