//! Objects of the maximum size (docs/reliability.md, T28): they run, or their status reports that they are too large; neither
//! causes endless retries, and other objects do not wait for them.

use anyhow::{Context, Result, ensure};
use e2e::scenarios::fleet::{FUNCTION, Fleet};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, api, condition, create, merge, until_ready};
use e2e::testing::{Controller, TestEnv};
use serde_json::{Value, json};
use std::time::Duration;

fn with(field: &str, value: Value) -> Value {
    let mut spec = FUNCTION.spec();
    if let Some(spec) = spec.as_object_mut() {
        spec.insert(field.to_owned(), value);
    }
    spec
}

/// This number of variables of this size in bytes.
fn variables(number: usize, bytes: usize) -> Value {
    let value = "v".repeat(bytes);
    let list: Vec<Value> = (0..number).map(|i| json!({"name": format!("V{i}"), "value": value})).collect();
    json!({"env": list})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_function_runs_or_reports_that_it_is_too_large() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("large", |env, namespace| async move {
        let fleet = Fleet::start(&env, &namespace, &FUNCTION, 5).await?;
        let memory = fleet.controller.memory()?.resident;
        // Ten thousand variables run.
        create(&fleet.objects, FUNCTION.kind, "variables", &with("pod", variables(10_000, 20))).await?;
        until_ready(&env, &fleet.objects, "variables", AVAILABLE).await?;

        // The object is smaller than a megabyte, its StatefulSet is larger: each quotation mark is escaped for three levels of
        // nested JSON.
        let config = json!({"text": "\"".repeat(450_000)});
        let mark = env.mark().await?;
        create(&fleet.objects, FUNCTION.kind, "config", &with("funcConfig", config)).await?;
        let message = until_ready(&env, &fleet.objects, "config", ("False", "TooLarge")).await?;
        ensure!(message.contains("config-function") && message.len() < 1100, "{message}");
        fleet.create(&FUNCTION.spec()).await?;
        for name in &fleet.names {
            until_ready(&env, &fleet.objects, name, AVAILABLE).await?;
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        fleet.controller.until_idle(&env).await?;
        let requests = env.audit_since(&mark)?.by(&fleet.controller.user);
        let tries = requests.only(|r| r.what() == "patch statefulsets" && r.name() == "config-function");
        // Once more after its Service was written.
        ensure!((1..=2).contains(&tries.requests().len()), "{} tries", tries.requests().len());
        merge(&fleet.objects, "config", json!({"spec": {"funcConfig": {"text": "small"}}})).await?;
        until_ready(&env, &fleet.objects, "config", AVAILABLE).await?;

        // Objects that the caches prune, and a response of a megabyte at a time.
        for name in ["variables", "config"] {
            fleet.objects.delete(name, &<_>::default()).await?;
        }
        fleet.controller.until_idle(&env).await?;
        let grown = fleet.controller.memory()?.resident.saturating_sub(memory);
        ensure!(grown < 32_768, "{grown} KiB more");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn a_mesh_of_five_hundred_components_has_a_short_status() -> Result<()> {
    const NUMBER: usize = 500;
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("large-mesh", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let meshes = api(&env, &namespace, "FunctionMesh", "functionmeshes");
        let functions: Vec<Value> = (0..NUMBER)
            .map(|i| {
                let mut spec = FUNCTION.spec();
                if let Some(spec) = spec.as_object_mut() {
                    spec.insert("name".to_owned(), json!(format!("f{i}")));
                }
                spec
            })
            .collect();
        let mesh = Controller::start(&env, "mesh-controller", &namespace).await?;
        create(&meshes, "FunctionMesh", "m", &json!({"functions": functions})).await?;
        // Without a controller for its components, the status has their numbers, and names some of them.
        let message = env
            .until("five hundred components", || async {
                let (status, reason, message) = condition(&meshes, "m", "Ready").await?;
                let counted = meshes.get("m").await?.data.pointer("/status/components").cloned();
                ensure!(counted == Some(json!(NUMBER)), "{counted:?}");
                ensure!((status.as_str(), reason.as_str()) == ("False", "ComponentsNotReady"), "{reason}");
                Ok(message)
            })
            .await?;
        ensure!(message.len() <= 1100, "{} bytes", message.len());
        mesh.until_idle(&env).await?;
        let writes = env.audit()?.by(&mesh.user).writes();
        let made = writes.counts().get("patch functions").copied().context("no component is made")?;
        ensure!(made == NUMBER, "{:?}", writes.counts());
        let _functions = Controller::start(&env, FUNCTION.controller, &namespace).await?;
        until_ready(&env, &meshes, "m", ("True", "AllComponentsReady")).await?;
        Ok(())
    })
    .await
}
